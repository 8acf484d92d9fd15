/* SPDX-License-Identifier: Apache-2.0 */
/* Who may be one host, and what they get then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy-lang/analysis/assert.h"
#include "policy-lang/eval/testkit.h"

#define MOST 4

static const uint8_t pin[2][32] = {{1}, {2}};
static const char *const cert[] = {"a.example", "b.example"};
static const struct pol_range tables[] = {{23, 23}};
static const struct pol_attr attrs[] = {
	{.field = F_TABLE, .num = tables, .n_num = 1}};
static struct pol_prefix host1, host2, near, wide, all, home, box, v6;
static const struct pol_port http = {.proto = 6, .lo = 80, .hi = 80};
static const struct pol_port meter = {.proto = 6, .lo = 1153, .hi = 1153};

/* Each party gets a register a day by a grant of its own, but those that are
 * idle. */
struct who {
	struct pol_party_src party[MOST];
	size_t n, idle;
};

static void make(struct kit *k, const struct who *w)
{
	static const char *const id[] = {"a", "b", "c", "d"};
	static const uint16_t at[] = {0, 1, 2, 3};
	struct pol_party_src party[MOST];
	struct pol_rule_src rule[MOST];
	struct pol_obs_match match = {
		.kinds = kit_kind(OBS_C1222_READ_RESPONSE),
		.attr = attrs, .n_attr = 1};
	struct pol_limit_phrase l[2] = {
		{.kind = LIMIT_CALENDAR, .thing = THING_READINGS, .n = 1,
		 .window = WINDOW_DAY, .text = "1 reading per day"},
		{.kind = LIMIT_SPACING, .n = 1, .window_ns = H(20),
		 .text = "at least 20 h apart"}};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true, .id = "v",
			     .vm = "v", .party = party, .n_party = w->n,
			     .rule = rule, .n_rule = w->n - w->idle};

	for (size_t i = 0; i < w->n; i++) {
		party[i] = w->party[i];
		party[i].id = party[i].name = id[i];
		rule[i] = (struct pol_rule_src){
			.kind = RULE_GRANT, .id = id[i], .purpose = "Bills.",
			.dir = DIRSEL_OUT, .consent = CONSENT_OPT_OUT,
			.party = {.party = &at[i], .n_party = 1},
			.match = &match, .n_match = 1, .limit = l, .n_limit = 2,
			.data = {.present = true,
				 .meas = MEAS_BIT(MEAS_ENERGY_REGISTER)}};
	}
	*k = (struct kit){.n = 0};
	assert_int_equal(kit_add(k, &f), 0);
	assert_int_equal(kit_go(k), 0);
}

#define AT(p)	 .addr = &(p), .n_addr = 1
#define PIN(i)	 .tls_pin = &pin[i], .n_tls_pin = 1
#define CERT(i)	 .tls_name = &cert[i], .n_tls_name = 1
#define ON(p)	 .port = &(p), .n_port = 1
#define TITLE(s) .aptitle = {(const uint8_t *)(s), 2}

static void test_one_host(void **ctx)
{
	const struct {
		struct who w;
		uint64_t with[MOST];
	} rows[] = {
		{{{{AT(host1), PIN(0), ON(http), .operator_ = "A"},
		   {AT(host1), PIN(0), ON(meter), .operator_ = "B",
		    .role = ROLE_SERVICE}}, 2, 0}, {3, 3}},
		{{{{AT(host1), ON(http)}, {AT(host1), ON(meter)}}, 2, 0},
		 {3, 3}},
		{{{{AT(host1), PIN(0)}, {AT(host2), PIN(0)}}, 2, 0}, {3, 3}},
		{{{{AT(host1), CERT(1)}, {AT(host2), CERT(1)}}, 2, 0}, {3, 3}},
		{{{{.dns = "x.example", PIN(0)}, {.dns = "x.example", PIN(1)}},
		  2, 0}, {3, 3}},
		{{{{.dns = "x.example", PIN(0)}, {.dns = "y.example", PIN(1)}},
		  2, 0}, {1, 2}},
		{{{{AT(host1), TITLE("ab")}, {AT(host2), TITLE("ab")}}, 2, 0},
		 {3, 3}},
		{{{{AT(host1), PIN(0), CERT(0)}, {AT(host2), PIN(1), CERT(1)}},
		  2, 0}, {1, 2}},
		{{{{AT(host1)}, {AT(near)}}, 2, 0}, {3, 3}},
		{{{{AT(host1)}, {AT(v6)}}, 2, 0}, {1, 2}},
		{{{{AT(v6)}, {AT(v6)}}, 2, 0}, {3, 3}},
		/* What is one host is so over others; what may be is not. */
		{{{{AT(host1)}, {AT(host1), PIN(0)}, {AT(host2), PIN(0)},
		   {AT(host2)}}, 4, 0}, {15, 15, 15, 15}},
		{{{{AT(host1)}, {AT(wide)}, {AT(host2)}}, 3, 0}, {3, 7, 6}},
		{{{{AT(host1)}, {AT(all)}, {AT(v6)}}, 3, 0}, {3, 3, 4}},
		{{{{AT(host1)}, {TITLE("ab")}, {AT(host2)}}, 3, 0}, {3, 7, 6}},
		{{{{AT(host1), TITLE("ab")}, {TITLE("cd")}}, 2, 0}, {1, 2}},
		{{{{AT(host1)}, {.dns = "x.example", PIN(0)}}, 2, 0}, {1, 2}},
		/* The home is the home's, who else may be there. */
		{{{{AT(home), .role = ROLE_HOUSEHOLD}, {AT(all)}, {AT(box)},
		   {TITLE("ab")}}, 4, 0}, {1, 14, 14, 14}},
		{{{{AT(box), .role = ROLE_HOUSEHOLD}, {AT(box)}}, 2, 0},
		 {3, 3}},
		{{{{.vm = "x", .role = ROLE_VM}, {AT(all)},
		   {.vm = "y", .role = ROLE_VM}, {.vm = "x", .role = ROLE_VM}},
		  4, 0}, {9, 2, 4, 9}},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bound *b = NULL;
		struct kit k;

		make(&k, &rows[i].w);
		assert_int_equal(bound_new(&b, k.set, false, &k.e), 0);
		assert_int_equal(b->n, rows[i].w.n);
		for (size_t p = 0; p < b->n; p++) {
			const struct bound_recipient *r = &b->r[p];
			uint64_t n = (uint64_t)__builtin_popcountll(
				rows[i].with[p]);

			if (r->parties != rows[i].with[p])
				fail_msg("row %zu, %zu: with %llx", i, p,
					 (unsigned long long)r->parties);
			assert_int_equal(r->own, UINT64_C(1) << p);
			assert_int_equal(r->readings[MOST_DAY], n);
			assert_int_equal(r->n_flow, n);
			if (r->outside)
				assert_int_equal(r->grade, n > 1 ? 'C' : 'B');
		}
		bound_free(b);
		kit_free(&k);
	}
}

/* The second is silent: the first has its all by itself. */
static void test_idle(void **ctx)
{
	const struct who w = {{{AT(host1), .operator_ = "A"},
			       {AT(host1), .operator_ = "B"}}, 2, 1};
	struct pol_assert_src never = {.kind = ASSERT_NEVER, .id = "x",
				       .meas = MEAS_BIT(MEAS_ENERGY_REGISTER)};
	const char *const to[] = {"a", "b"};
	struct bound *b = NULL;
	char why[ASSERT_WHY];
	struct kit k;

	(void)ctx;
	make(&k, &w);
	assert_int_equal(bound_new(&b, k.set, false, &k.e), 0);
	assert_int_equal(b->r[0].readings[MOST_DAY], 1);
	assert_int_equal(b->r[0].grade, 'B');
	assert_false(bound_gets(&b->r[1]));
	assert_int_equal(b->r[1].grade, '-');
	for (size_t i = 0; i < 2; i++) {
		never.to = to[i];
		assert_false(assert_holds(b, &never, NULL, NULL, why));
	}
	bound_free(b);
	kit_free(&k);
}

static bool holds(const struct bound *b, uint64_t n, const char *to)
{
	const struct pol_assert_src a = {
		.kind = ASSERT_AT_MOST, .id = "x", .to = to,
		.phrase = {.kind = LIMIT_CALENDAR, .thing = THING_READINGS,
			   .n = n, .window = WINDOW_DAY, .text = "n"}};
	char why[ASSERT_WHY];

	return assert_holds(b, &a, NULL, NULL, why);
}

/* To each what both get, but together no more than that. */
static void test_claims(void **ctx)
{
	const struct who w = {{{AT(host1), .operator_ = "A"},
			       {AT(host1), .operator_ = "B"},
			       {AT(host2), .operator_ = "C"}}, 3, 0};
	struct pol_assert_src grade = {.kind = ASSERT_GRADE, .id = "x",
				       .grade = 'B'};
	struct bound *b = NULL;
	char why[ASSERT_WHY];
	struct kit k;

	(void)ctx;
	make(&k, &w);
	assert_int_equal(bound_new(&b, k.set, false, &k.e), 0);
	assert_false(holds(b, 1, "a"));
	assert_true(holds(b, 2, "a"));
	assert_false(holds(b, 1, "b"));
	assert_true(holds(b, 1, "c"));
	assert_false(holds(b, 2, NULL));
	assert_true(holds(b, 3, NULL));
	assert_false(assert_holds(b, &grade, NULL, NULL, why));
	grade.grade = 'C';
	assert_true(assert_holds(b, &grade, NULL, NULL, why));
	bound_free(b);
	kit_free(&k);
}

/* So many operators, of whom each meets its neighbours, that what all of them
 * may get is not listed for each. */
static void test_many(void **ctx)
{
	enum { WINDOW = 6 };
	static struct pol_prefix net[LAY_MAX_PARTIES][WINDOW];
	static char id[LAY_MAX_PARTIES][4];
	struct pol_party_src party[LAY_MAX_PARTIES];
	uint16_t at[LAY_MAX_PARTIES];
	struct pol_obs_match match = {
		.kinds = kit_kind(OBS_C1222_READ_RESPONSE)};
	struct pol_limit_phrase l = {.kind = LIMIT_CALENDAR,
				     .thing = THING_READINGS, .n = 1,
				     .window = WINDOW_DAY, .text = "n"};
	struct pol_rule_src rule = {
		.kind = RULE_GRANT, .id = "r", .purpose = "Bills.",
		.dir = DIRSEL_OUT, .consent = CONSENT_OPT_OUT,
		.party = {.party = at, .n_party = LAY_MAX_PARTIES},
		.match = &match, .n_match = 1, .limit = &l, .n_limit = 1,
		.data = {.present = true,
			 .meas = MEAS_BIT(MEAS_ENERGY_REGISTER)}};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true, .id = "v",
			     .vm = "v", .party = party,
			     .n_party = LAY_MAX_PARTIES, .rule = &rule,
			     .n_rule = 1};
	struct bound *b = NULL;
	struct kit k = {.n = 0};

	(void)ctx;
	for (unsigned i = 0; i < LAY_MAX_PARTIES; i++) {
		snprintf(id[i], sizeof(id[i]), "p%02u", i);
		for (unsigned n = 0; n < WINDOW; n++)
			net[i][n] = kit_net(203, 0, 113,
					    (uint8_t)(2 * (i + n)), 31);
		at[i] = (uint16_t)i;
		party[i] = (struct pol_party_src){
			.id = id[i], .name = id[i], .addr = net[i],
			.n_addr = WINDOW};
	}
	assert_int_equal(kit_add(&k, &f), 0);
	assert_int_equal(kit_go(&k), 0);
	assert_int_equal(bound_new(&b, k.set, false, &k.e), 0);
	assert_int_equal(b->n, LAY_MAX_PARTIES);
	for (size_t i = 0; i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		assert_true(r->parties == ~UINT64_C(0));
		assert_ptr_equal(r->flow, b->r[0].flow);
		assert_int_equal(r->readings[MOST_DAY],
				 b->r[0].readings[MOST_DAY]);
		assert_int_equal(r->party, i);
		assert_true(span_is(r->operator_, id[i]));
	}
	bound_free(b);
	kit_free(&k);
}

static int setup(void **ctx)
{
	(void)ctx;
	host1 = kit_net(203, 0, 113, 1, 32);
	host2 = kit_net(203, 0, 113, 130, 32);
	near = kit_net(203, 0, 113, 0, 28);
	wide = kit_net(203, 0, 113, 0, 24);
	all = kit_net(0, 0, 0, 0, 0);
	home = kit_net(192, 168, 7, 0, 24);
	box = kit_net(192, 168, 7, 9, 32);
	v6 = (struct pol_prefix){.len = 128};
	v6.addr.b[0] = 0x20;
	v6.addr.b[15] = 1;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_host),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
