/* SPDX-License-Identifier: Apache-2.0 */
/* What a checked file holds; what sets and layers add. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy-lang/front/front.h"

#define HOUSEHOLD "tests/policies/household"
#define MIN_NS	  (60 * NS_PER_S)

struct fixture {
	struct diags d;
	struct err e;
	struct pol_files files;
};

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	pol_files_free(&((struct fixture *)*state)->files);
	free(*state);
	return 0;
}

static const struct pol_file *file_of(const struct fixture *f, const char *id)
{
	for (size_t i = 0; i < f->files.n; i++) {
		if (strcmp(f->files.f[i]->id, id) == 0)
			return f->files.f[i];
	}
	fail_msg("no file %s", id);
	return NULL;
}

static const struct pol_rule_src *rule_of(const struct pol_file *f,
					  const char *id)
{
	for (size_t i = 0; i < f->n_rule; i++) {
		if (strcmp(f->rule[i].id, id) == 0)
			return &f->rule[i];
	}
	fail_msg("no rule %s", id);
	return NULL;
}

static void read_household(struct fixture *f)
{
	if (access(HOUSEHOLD, R_OK)) {
		print_message("SKIP: run from the top of the tree\n");
		skip();
	}
	if (pol_read_set(&f->files, HOUSEHOLD, true, &f->d, &f->e))
		fail_msg("%s: %s", f->e.text, f->d.d[0].text);
	assert_int_equal(f->files.n, 9);
}

static void a_vendor_file(void **state)
{
	struct fixture *f = *state;
	const struct pol_file *m;
	const struct pol_rule_src *r;
	const struct pol_party_src *p;

	read_household(f);
	m = file_of(f, "com.example.mdma");
	assert_int_equal(m->kind, POL_VENDOR);
	assert_int_equal(m->serial, 2026031501);
	assert_string_equal(m->vm, "mdma");
	assert_int_equal(m->valid_from_s, civil_days(2026, 3, 15) * 86400);
	assert_int_equal(m->n_party, 2);
	p = &m->party[0];
	assert_string_equal(p->id, "headend");
	assert_int_equal(p->role, ROLE_METERING);
	assert_int_equal(p->n_port, 2);
	assert_int_equal(p->port[1].proto, 17);
	assert_int_equal(p->addr[0].len, 96 + 28);
	assert_int_equal(p->n_tls_pin, 1);
	assert_int_equal(p->tls_pin[0][0], 0x9b);
	r = rule_of(m, "send-profile");
	assert_int_equal(r->dir, DIRSEL_OUT);
	assert_int_equal(r->consent, CONSENT_OPT_IN);
	assert_int_equal(r->data.gran_lo_ns, 30 * MIN_NS);
	assert_int_equal(r->data.history_ns, 35 * 24 * 60 * MIN_NS);
	assert_int_equal(r->data.delay_ns, 6 * 60 * MIN_NS);
	assert_int_equal(r->data.meas, MEAS_BIT(MEAS_ENERGY_INTERVAL));
	assert_int_equal(r->when.from_min, 30);
	assert_int_equal(r->when.spread_ns, 30 * MIN_NS);
	assert_int_equal(r->exceed.kind, ACTION_DEFER);
	assert_int_equal(r->n_limit, 2);
	assert_int_equal(r->limit[0].kind, LIMIT_SPACING);
	assert_int_equal(r->n_answers, 1);
	assert_string_equal(m->rule[r->answers[0]].id, "ask-profile");
	assert_int_equal(r->n_requires, 2);
	assert_int_equal(r->requires_[0], 0); /* registered */
	assert_int_equal(r->requires_[1],
			 POL_STATE_BUILTIN + BUILTIN_ATTESTED);
	assert_int_equal(r->match[0].attr[0].field, F_TABLE);
	assert_int_equal(r->match[0].attr[0].num[0].lo, 64);
	assert_int_equal(m->n_state, 1);
	assert_int_equal(m->state[0].scope, SCOPE_PARTY);
	assert_true(m->state[0].has_clear);
	assert_int_equal(m->n_assertion, 4);
	/* Rules stand in the order of their names, grants first. */
	for (size_t i = 1; i < m->n_rule; i++)
		assert_true(m->rule[i - 1].kind < m->rule[i].kind ||
			    strcmp(m->rule[i - 1].id, m->rule[i].id) < 0);
}

static void a_fixture_is_merged_one_level_deep(void **state)
{
	struct fixture *f = *state;
	const struct pol_file *t;
	const struct pol_step_src *s;

	read_household(f);
	t = file_of(f, "net.example.platform.household-tests");
	assert_int_equal(t->n_test_policy, 7);
	assert_int_equal(t->n_test, 2);
	assert_string_equal(t->test[0].id, "customer-delay-wins");
	assert_int_equal(t->test[0].n_state, 2);
	assert_string_equal(t->test[0].state[1].vm, "mdma");
	assert_string_equal(t->test[0].state[1].party, "headend");
	s = &t->test[0].step[1];
	assert_string_equal(s->vm, "mdma");
	assert_int_equal(s->newest_ns, 7 * 60 * MIN_NS);  /* its own */
	assert_int_equal(s->oldest_ns, 48 * 60 * MIN_NS); /* the fixture's */
	assert_int_equal(s->kind, OBS_C1222_READ_RESPONSE);
	assert_int_equal(s->answers, 1);
	assert_int_equal(s->expect, EXPECT_DENY);
	assert_int_equal(s->because, REASON_TOO_FRESH);
	assert_string_equal(s->by, "customer");
}

static void the_other_kinds(void **state)
{
	struct fixture *f = *state;
	const struct pol_file *b;
	const struct pol_rule_src *r;

	read_household(f);
	b = file_of(f, "net.example.platform.binding");
	assert_string_equal(b->timezone, "Europe/London");
	assert_int_equal(b->n_machine, 4);
	assert_int_equal(b->machine[1].addr[1].len, 128);
	assert_string_equal(b->machine[1].signed_by, "mdma-vendor");
	assert_int_equal(b->profile.n_lp, 1);
	assert_int_equal(b->profile.lp[0].interval_s, 1800);
	assert_int_equal(b->profile.mfg[0].table, 2050);
	assert_int_equal(b->profile.register_res_milli_wh, 10000);
	b = file_of(f, "net.example.platform.baseline");
	r = rule_of(b, "metering");
	assert_int_equal(r->kind, RULE_CEILING);
	assert_int_equal(r->party.roles,
			 1u << ROLE_METERING | 1u << ROLE_INFRASTRUCTURE);
	assert_string_equal(r->vm.vm[0], "mdma");
	assert_int_equal(b->n_consent_rule, 3);
	assert_int_equal(b->n_floor, 1);
	assert_int_equal(b->n_limit, 4);
	b = file_of(f, "customer");
	assert_int_equal(b->n_answer, 4);
	assert_string_equal(b->answer[0].policy, "com.example.flex");
	assert_false(b->answer[0].granted);
	r = rule_of(b, "tips-only-in-the-daytime");
	assert_int_equal(r->kind, RULE_RESTRICT);
	assert_int_equal(r->dir, DIRSEL_ANY);
	r = rule_of(b, "small-tips-budget");
	assert_int_equal(r->dir, DIRSEL_OUT);
	assert_int_equal(r->n_limit, 1);
	r = rule_of(b, "day-late-for-everyone");
	assert_int_equal(r->except.roles,
			 1u << ROLE_HOUSEHOLD | 1u << ROLE_VM);
}

/* The images must not depend on the order of keys, nor on layout. */
static void order_never_matters(void **state)
{
	static const char a[] =
		"polc: 1\nkind: vendor\nid: a.b\nserial: 1\ntitle: T\n"
		"vm: v\nparties:\n"
		"  p: {name: P, role: grid, address: [192.0.2.1/32], "
		"aptitle: 2.16.1}\n"
		"allow:\n"
		"  b: {direction: in, party: p, match: {c1222.read-request: "
		"{table: [1], security: clear}}}\n"
		"  a: {direction: in, party: p, match: {c1222.read-request: "
		"{table: [2]}}}\n";
	static const char b[] =
		"# the same\nallow:\n"
		"  a:\n    party: p\n    direction: 'in'\n"
		"    match: {c1222.read-request: {table: [2]}}\n"
		"  b: {match: {c1222.read-request: {security: clear, "
		"table: [1]}}, party: p, direction: in}\n"
		"parties:\n  p: {role: grid, name: P, aptitle: 2.16.1, "
		"address: [192.0.2.1/32]}\n"
		"vm: v\ntitle: T\nserial: 1\nid: a.b\nkind: vendor\npolc: 1\n";
	struct fixture *f = *state;
	struct pol_file *x, *y;

	assert_int_equal(pol_read(&x, "a", span_str(a), NULL, &f->d, &f->e),
			 0);
	assert_int_equal(pol_read(&y, "b", span_str(b), NULL, &f->d, &f->e),
			 0);
	assert_memory_equal(x->source_digest, y->source_digest, 32);
	assert_int_equal(x->n_rule, y->n_rule);
	for (size_t i = 0; i < x->n_rule; i++) {
		const struct pol_obs_match *m = x->rule[i].match;

		assert_string_equal(x->rule[i].id, y->rule[i].id);
		for (size_t k = 0; k < m->n_attr; k++)
			assert_int_equal(m->attr[k].field,
					 y->rule[i].match->attr[k].field);
	}
	pol_file_free(x);
	pol_file_free(y);
}

/* --- sets ---------------------------------------------------------------- */

struct text_file {
	const char *name, *text;
};

static void write_files(char *dir, const struct text_file *t, size_t n)
{
	strcpy(dir, "/tmp/polc-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < n; i++) {
		char path[200];
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", dir, t[i].name);
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(t[i].text, f);
		fclose(f);
	}
}

static void remove_files(const char *dir, const struct text_file *t, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char path[200];

		snprintf(path, sizeof(path), "%s/%s", dir, t[i].name);
		unlink(path);
	}
	rmdir(dir);
}

#define LIB(id, use)                                                           \
	"polc: 1\nkind: library\nid: " id "\nserial: 5\ntitle: L\n" use        \
	"parties:\n  clock: {name: C, role: infrastructure, "                  \
	"address: [192.0.2.9/32], ports: [udp/123]}\n"
#define VENDOR(use, party)                                                     \
	"polc: 1\nkind: vendor\nid: com.example.v\nserial: 1\ntitle: V\n"      \
	"vm: v\n" use "allow:\n"                                               \
	"  ask: {direction: out, party: " party ", match: {opaque: {}}, "      \
	"limits: [1 KiB per day]}\n"

static void libraries(void **state)
{
	static const struct {
		const char *why;
		struct text_file t[6];
		size_t n;
		unsigned code;
	} rows[] = {
		{"found beside, party imported",
		 {{"a.yaml", VENDOR("use: {l: org.lib@3}\n", "l/clock")},
		  {"z.yaml", LIB("org.lib", "")}}, 2, 0},
		{"too old",
		 {{"a.yaml", VENDOR("use: {l: org.lib@6}\n", "l/clock")},
		  {"z.yaml", LIB("org.lib", "")}}, 2, 3207},
		{"not there",
		 {{"a.yaml", VENDOR("use: {l: org.other@1}\n", "l/clock")},
		  {"z.yaml", LIB("org.lib", "")}}, 2, 3207},
		{"no such party",
		 {{"a.yaml", VENDOR("use: {l: org.lib@3}\n", "l/watch")},
		  {"z.yaml", LIB("org.lib", "")}}, 2, 3202},
		{"a circle",
		 {{"a.yaml", VENDOR("use: {l: org.a@1}\n", "l/clock")},
		  {"b.yaml", LIB("org.a", "use: {b: org.b@1}\n")},
		  {"c.yaml", LIB("org.b", "use: {a: org.a@1}\n")}}, 3, 3212},
		{"too deep",
		 {{"a.yaml", LIB("org.a", "use: {x: org.b@1}\n")},
		  {"b.yaml", LIB("org.b", "use: {x: org.c@1}\n")},
		  {"c.yaml", LIB("org.c", "use: {x: org.d@1}\n")},
		  {"d.yaml", LIB("org.d", "use: {x: org.e@1}\n")},
		  {"e.yaml", LIB("org.e", "use: {x: org.f@1}\n")},
		  {"f.yaml", LIB("org.f", "")}}, 6, 3212},
		{"two of one id",
		 {{"a.yaml", LIB("org.a", "")}, {"b.yaml", LIB("org.a", "")}},
		 2, 3215},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char dir[64];
		bool found = rows[i].code == 0;
		int rc;

		memset(&f->d, 0, sizeof(f->d));
		write_files(dir, rows[i].t, rows[i].n);
		rc = pol_read_set(&f->files, dir, false, &f->d, &f->e);
		for (size_t k = 0; k < f->d.n; k++)
			found = found || f->d.d[k].code == rows[i].code;
		if ((rc != 0) != (rows[i].code != 0) || !found)
			fail_msg("%s: %d %s", rows[i].why, rc,
				 f->d.n ? f->d.d[0].text : f->e.text);
		if (rc == 0) {
			assert_string_equal(f->files.f[0]->party[0].id,
					    "l/clock");
			assert_int_equal(f->files.f[0]->party[0].port[0].lo,
					 123);
		}
		pol_files_free(&f->files);
		remove_files(dir, rows[i].t, rows[i].n);
	}
}

/* A library's digest is part of what uses it. */
static void includes_are_in_the_digest(void **state)
{
	static const struct text_file one[] = {
		{"a.yaml", VENDOR("use: {l: org.lib@3}\n", "l/clock")},
		{"z.yaml", LIB("org.lib", "")}};
	static const struct text_file newer[] = {
		{"a.yaml", VENDOR("use: {l: org.lib@3}\n", "l/clock")},
		{"z.yaml",
		 "polc: 1\nkind: library\nid: org.lib\nserial: 6\ntitle: L\n"
		 "parties:\n  clock: {name: C, role: infrastructure, "
		 "address: [192.0.2.9/32], ports: [udp/123]}\n"}};
	struct fixture *f = *state;
	uint8_t digest[32];
	char dir[64];

	write_files(dir, one, 2);
	assert_int_equal(pol_read_set(&f->files, dir, false, &f->d, &f->e), 0);
	memcpy(digest, f->files.f[0]->source_digest, 32);
	pol_files_free(&f->files);
	remove_files(dir, one, 2);
	/* The same but for the library's serial. */
	write_files(dir, newer, 2);
	assert_int_equal(pol_read_set(&f->files, dir, false, &f->d, &f->e), 0);
	assert_memory_not_equal(digest, f->files.f[0]->source_digest, 32);
	remove_files(dir, newer, 2);
}

#define BASE(minimum)                                                          \
	"polc: 1\nkind: baseline\nid: b.b\nserial: 1\ntitle: B\nceiling:\n"    \
	"  all: {direction: any, party: {role: [metering]}, "                  \
	"match: {c1222.any: {}}, data: {measurement: [energy.register]}}\n"    \
	"consent-rules:\n"                                                     \
	"  c: {measurement: energy.*, finer-than: 2 d, minimum: " minimum "}\n"
#define SENDER(role)                                                           \
	"polc: 1\nkind: vendor\nid: com.example.v\nserial: 1\ntitle: V\n"      \
	"vm: v\nparties:\n  p: {name: P, role: " role ", "                     \
	"address: [192.0.2.1/32], tls: {names: [x.example]}}\nallow:\n"        \
	"  send: {purpose: X., direction: out, party: p, consent: opt-out, "   \
	"match: {c1222.read-response: {table: [23]}}, "                        \
	"data: {measurement: energy.register}, "                               \
	"limits: [at least 20 h apart]}\n"

static void layers(void **state)
{
	static const struct {
		const char *why;
		struct text_file t[2];
		unsigned code;
		bool error;
	} rows[] = {
		{"within the ceiling", {{"a.yaml", BASE("opt-out")},
		 {"v.yaml", SENDER("metering")}}, 0, false},
		{"no ceiling for that role", {{"a.yaml", BASE("opt-out")},
		 {"v.yaml", SENDER("service")}}, 4003, false},
		{"consent too weak", {{"a.yaml", BASE("opt-in")},
		 {"v.yaml", SENDER("metering")}}, 5301, true},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char dir[64];
		int rc;

		memset(&f->d, 0, sizeof(f->d));
		write_files(dir, rows[i].t, 2);
		if (pol_read_set(&f->files, dir, false, &f->d, &f->e))
			fail_msg("%s: %s", rows[i].why, f->d.d[0].text);
		rc = pol_check_set(&f->files, &f->d, &f->e);
		if ((rc != 0) != rows[i].error ||
		    (f->d.n ? f->d.d[f->d.n - 1].code : 0) != rows[i].code)
			fail_msg("%s: %d", rows[i].why, rc);
		pol_files_free(&f->files);
		remove_files(dir, rows[i].t, 2);
	}
}

static void unreadable(void **state)
{
	struct fixture *f = *state;
	struct pol_file *p = NULL;

	assert_int_equal(pol_read_file(&p, "/nonexistent/x.yaml", NULL, &f->d,
				       &f->e), E_IO);
	assert_non_null(strstr(f->e.text, "/nonexistent/x.yaml"));
	assert_int_equal(pol_read_set(&f->files, "/nonexistent", false, &f->d,
				      &f->e), E_IO);
	assert_null(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_vendor_file, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			a_fixture_is_merged_one_level_deep, setup, teardown),
		cmocka_unit_test_setup_teardown(the_other_kinds, setup,
						teardown),
		cmocka_unit_test_setup_teardown(order_never_matters, setup,
						teardown),
		cmocka_unit_test_setup_teardown(libraries, setup, teardown),
		cmocka_unit_test_setup_teardown(includes_are_in_the_digest,
						setup, teardown),
		cmocka_unit_test_setup_teardown(layers, setup, teardown),
		cmocka_unit_test_setup_teardown(unreadable, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
