/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets that follow each other, and sets whose machines are judged apart.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy-lang/eval/housekit.h"

static const uint8_t boot[16] = {1};

/* --- what a limit has used ----------------------------------------------- */

struct want {
	const char *name;
	uint64_t used, limit;
	bool found;
};

static bool look(void *arg, const struct pol_budget *b)
{
	struct want *w = arg;

	if (!strstr(b->name, w->name) || w->found)
		return true;
	w->used = b->used;
	w->limit = b->limit;
	w->found = true;
	return true;
}

static uint64_t used_of(const struct kit *k, const char *name, uint64_t *limit)
{
	struct want w = {.name = name};

	pol_budgets(k->st, 0, k->now, look, &w);
	if (!w.found)
		fail_msg("no limit %s", name);
	if (limit)
		*limit = w.limit;
	return w.used;
}

/* --- another set --------------------------------------------------------- */

static void change_none(struct house *h)
{
	(void)h;
}
static void change_serial(struct house *h)
{
	h->vendor.serial = 9;
	h->vendor.title = "reissued";
}
static void change_number(struct house *h)
{
	h->lim[CALENDAR].n = 3;
	h->lim[CALENDAR].text = "3 readings per day";
	h->lim[SLIDING].n = 1;
	h->lim[SLIDING].text = "1 reading per 24 h";
	h->lim[BUCKET].burst = 8;
	h->lim[BUCKET].text = "6 readings per 12 h burst 8";
	h->lim[DISTINCT].n = 1;
	h->lim[DISTINCT].text = "at most 1 distinct table per day";
}
static void change_name(struct house *h)
{
	h->rule[2].id = "transmit";
}
static void change_window(struct house *h)
{
	h->lim[CALENDAR].window = WINDOW_HOUR;
	h->lim[CALENDAR].text = "5 readings per hour";
	h->lim[SLIDING].window_ns = H(48);
	h->lim[SLIDING].n = 30;
	h->lim[SLIDING].text = "30 readings per 48 h";
}
static void change_party(struct house *h)
{
	h->party[0].id = "utility";
}
static void change_policy(struct house *h)
{
	h->vendor.id = "w";
}

struct case_ {
	const char *why;
	void (*change)(struct house *h);
	const char *limit;
	uint64_t used, of; /* afterwards, at least; of 0: not looked at */
	bool exactly;
	bool answer; /* the request that is outstanding is still answered */
	bool registered;
};
static const struct case_ cases[] = {
	{"the same", change_none, "readings per day", 2, 5, true, true, true},
	{"reissued", change_serial, "readings per day", 2, 5, true, true,
	 true},
	{"reissued", change_serial, "10 min apart", 1, 1, true, true, true},
	{"fewer", change_number, "readings per day", 2, 3, true, false, true},
	{"far fewer", change_number, "reading per 24 h", 1, 1, true, false,
	 true},
	{"a wider burst", change_number, "burst 8", 2, 8, true, false, true},
	{"fewer tables", change_number, "distinct", 1, 1, true, false, true},
	{"a rule renamed", change_name, "readings per day", 2, 5, false,
	 false, true},
	{"a rule renamed", change_name, "10 min apart", 1, 1, true, false,
	 true},
	{"a rule renamed", change_name, "burst 4", 2, 4, false, false, true},
	{"a shorter window", change_window, "readings per hour", 2, 5, false,
	 true, true},
	{"a longer one", change_window, "readings per 48 h", 2, 30, false,
	 true, true},
	{"a party renamed", change_party, "readings per day", 2, 5, false,
	 false, false},
	{"a policy renamed", change_policy, "readings per day", 2, 5, false,
	 false, false},
	{"a policy renamed", change_policy, "bytes", 184, 4000, false, false,
	 false},
};
#define CASES (sizeof(cases) / sizeof(*cases))

/* Two readings went out and a third was asked for. */
static void use(struct kit *k)
{
	struct pol_msg m = kit_msg(k, DIR_OUT, OBS_C1222_READ_RESPONSE);
	struct pol_decision d;

	assert_true(house_reading(k, 1, 23));
	assert_true(pol_packet(k->st, 0, DIR_OUT, &m.peer, 184, k->now, &d));
	pol_commit(k->st);
	kit_wait(k, MIN(11));
	assert_true(house_reading(k, 2, 24));
	assert_true(house_ask(k, 3));
}

/* to, which was opened for a set that follows, is as the row says. */
static void check(struct kit *to, const struct case_ *c)
{
	struct pol_decision d;
	struct pol_msg m;
	uint64_t of, used = used_of(to, c->limit, &of);

	if (c->exactly ? used != c->used : used < c->used)
		fail_msg("%s: %s: %d used, not %d", c->why, c->limit,
			 (int)used, (int)c->used);
	if (of != c->of)
		fail_msg("%s: %s: of %d", c->why, c->limit, (int)of);
	if (st_has(to->st, 0, 0, 1, 0) != c->registered)
		fail_msg("%s: state", c->why);
	kit_wait(to, MIN(1)); /* still within those two minutes, and too soon */
	m = house_answer(to, 3, 24);
	assert_false(kit_judge(to, &m, &d));
	kit_wait(to, MIN(-1));
}

static void test_reload(void **ctx)
{
	(void)ctx;
	for (size_t i = 0; i < CASES; i++) {
		struct house a, b;
		struct kit from, to;
		size_t n;
		void *mem;
		enum pol_state_was was;
		struct pol_state *tmp;

		house_fill(&a);
		house_fill(&b);
		cases[i].change(&b);
		house_start(&from, &a);
		house_start(&to, &b);
		n = pol_state_octets(from.set) + pol_state_octets(to.set);
		mem = calloc(1, n);
		assert_int_equal(pol_state_in(&from.st, from.set, mem, n, boot,
					      from.now, &was, &from.e), 0);
		use(&from);
		to.now = from.now;
		/* in memory of its own */
		assert_int_equal(pol_state_new(&tmp, to.set, &to.e), 0);
		pol_state_carry(tmp, from.st, to.now);
		to.st = tmp;
		check(&to, &cases[i]);
		/* twice is once */
		pol_state_carry(tmp, from.st, to.now);
		check(&to, &cases[i]);
		/* in place */
		assert_int_equal(pol_state_in(&to.st, to.set, mem, n, boot,
					      to.now, &was, &to.e), 0);
		assert_int_equal(was, POL_STATE_CONTINUED);
		check(&to, &cases[i]);
		pol_state_carry(to.st, tmp, to.now);
		check(&to, &cases[i]);
		pol_state_free(tmp);
		kit_free(&from);
		kit_free(&to);
		free(mem);
	}
}

/* The request that was asked before the reload is answered after it, where
 * its rule and party are the same ones. */
static void test_answers(void **ctx)
{
	(void)ctx;
	for (size_t i = 0; i < CASES; i++) {
		struct house a, b;
		struct kit from, to;
		struct pol_decision d;
		struct pol_msg m;
		bool asked = cases[i].registered;

		house_fill(&a);
		house_fill(&b);
		cases[i].change(&b);
		house_start(&from, &a);
		house_start(&to, &b);
		assert_int_equal(pol_state_new(&from.st, from.set, &from.e),
				 0);
		assert_int_equal(pol_state_new(&to.st, to.set, &to.e), 0);
		kit_wait(&from, D(2)); /* sliding windows behind it are empty */
		assert_true(house_ask(&from, 3));
		pol_state_carry(to.st, from.st, from.now);
		to.now = from.now;
		m = house_answer(&to, 3, 24);
		pol_judge(to.st, &m, &d);
		if (d.permit != asked)
			fail_msg("%s: %s", cases[i].why, d.text);
		if (!asked)
			assert_true(reasons_has(&d.reasons,
						REASON_NOT_AN_ANSWER));
		kit_free(&from);
		kit_free(&to);
	}
}

/* Connections that were open count on; after a restart they are gone. */
static void test_connections(void **ctx)
{
	struct house h;
	struct kit k;
	struct pol_state *next;
	struct pol_decision d;
	struct pol_msg m;
	enum pol_state_was was;
	size_t n;
	void *mem;

	(void)ctx;
	house_fill(&h);
	house_start(&k, &h);
	n = pol_state_octets(k.set);
	mem = calloc(1, n);
	assert_int_equal(pol_state_in(&k.st, k.set, mem, n, boot, k.now, &was,
				      &k.e), 0);
	m = kit_msg(&k, DIR_OUT, OBS_C1222_READ_RESPONSE);
	for (uint64_t flow = 1; flow <= 3; flow++) {
		pol_open(k.st, 0, DIR_OUT, &m.peer, flow, k.now, &d);
		assert_int_equal(d.permit, flow < 3);
		pol_commit(k.st);
	}
	assert_int_equal(pol_state_new(&next, k.set, &k.e), 0);
	pol_state_carry(next, k.st, k.now);
	pol_open(next, 0, DIR_OUT, &m.peer, 4, k.now, &d);
	assert_false(d.permit);
	pol_close(next, 0, 1, k.now);
	pol_open(next, 0, DIR_OUT, &m.peer, 4, k.now, &d);
	assert_true(d.permit);
	pol_state_free(next);
	pol_state_free(k.st);
	assert_int_equal(pol_state_in(&k.st, k.set, mem, n, boot, k.now, &was,
				      &k.e), 0);
	assert_int_equal(was, POL_STATE_CONTINUED);
	assert_int_equal(used_of(&k, "at once", NULL), 0);
	assert_true(used_of(&k, "20 connections", NULL) >= 2);
	kit_free(&k);
	free(mem);
}

/* --- machines that are judged apart -------------------------------------- */

struct pair {
	struct pol_obs_match req, resp;
	struct pol_rule_src a[4], b[4];
	struct pol_limit_phrase twice;
	struct pol_party_src pa, pb;
	struct pol_file fa, fb, base;
	struct pol_limit_src top;
	struct pol_obs_match any;
	struct pol_rule_src ceiling;
};

static struct pol_rule_src rule(const char *id, enum pol_dirsel dir,
				const struct pol_obs_match *m, bool answers,
				bool data)
{
	struct pol_rule_src r = {
		.kind = RULE_GRANT, .id = id, .dir = dir,
		.party = {.party = party_0, .n_party = 1}, .match = m,
		.n_match = 1, .has_answers = answers,
		.data = {.present = data,
			 .meas = data ? MEAS_BIT(MEAS_POWER_INSTANT) : 0}};

	/* The first rule of the file is the request that is answered. */
	r.answers = answers ? rule_ask : NULL;
	r.n_answers = answers;
	return r;
}

/* Each asks the other; b counts how often it is asked. */
static void fill_pair(struct pair *p)
{
	static const uint16_t second[] = {1};

	memset(p, 0, sizeof(*p));
	p->req = house_kind(OBS_OBIX_READ_REQUEST);
	p->resp = house_kind(OBS_OBIX_READ_RESPONSE);
	p->twice = (struct pol_limit_phrase){
		.kind = LIMIT_CALENDAR, .thing = THING_MESSAGES, .n = 2,
		.window = WINDOW_DAY, .text = "2 messages per day"};
	p->a[0] = rule("ask", DIRSEL_OUT, &p->req, false, false);
	p->a[1] = rule("asked", DIRSEL_IN, &p->req, false, false);
	p->a[2] = rule("hear", DIRSEL_IN, &p->resp, true, true);
	p->a[3] = rule("tell", DIRSEL_OUT, &p->resp, true, true);
	p->a[3].answers = second;
	memcpy(p->b, p->a, sizeof(p->a));
	p->b[1].limit = &p->twice;
	p->b[1].n_limit = 1;
	p->pa = (struct pol_party_src){.id = "b-side", .name = "B",
				       .role = ROLE_VM, .vm = "b"};
	p->pb = (struct pol_party_src){.id = "a-side", .name = "A",
				       .role = ROLE_VM, .vm = "a"};
	p->fa = (struct pol_file){.kind = POL_VENDOR, .unique = true,
				  .id = "pa", .vm = "a",
				  .party = &p->pa, .n_party = 1,
				  .rule = p->a, .n_rule = 4};
	p->fb = (struct pol_file){.kind = POL_VENDOR, .unique = true,
				  .id = "pb", .vm = "b",
				  .party = &p->pb, .n_party = 1,
				  .rule = p->b, .n_rule = 4};
	p->any.kinds = (struct pol_kinds){{~UINT64_C(0), ~UINT64_C(0)}};
	p->ceiling = (struct pol_rule_src){
		.kind = RULE_CEILING, .id = "top", .dir = DIRSEL_ANY,
		.party.any = true, .vm.any = true, .match = &p->any,
		.n_match = 1, .data = {.present = true, .meas = MEAS_ALL}};
	p->top = (struct pol_limit_src){
		.id = "all", .dir = DIRSEL_ANY, .party.any = true,
		.vm.any = true, .phrase = p->twice};
	p->base = (struct pol_file){.kind = POL_BASELINE, .unique = true,
				    .id = "base",
				    .rule = &p->ceiling, .n_rule = 1,
				    .limit = &p->top, .n_limit = 1};
}

static void start_pair(struct kit *k, struct pair *p, bool base)
{
	memset(k, 0, sizeof(*k));
	if (kit_add(k, &p->fa) || kit_add(k, &p->fb) ||
	    (base && kit_add(k, &p->base)) || kit_go(k))
		fail_msg("%s", k->e.text);
}

/* One message, judged by the engine of its sender, then of its receiver. */
static enum reason cross(struct kit *k, struct pol_state *engine[2],
			 size_t from, enum obs_kind kind)
{
	static struct pol_decision d;

	for (int end = 0; end < 2; end++) {
		size_t me = end ? 1 - from : from;
		struct pol_msg m = kit_msg(k, end ? DIR_IN : DIR_OUT, kind);

		m.machine = me;
		m.peer = (struct pol_peer){.machine = 1 - (int)me, .proto = 6,
					   .port = 80};
		if (kind == OBS_OBIX_READ_RESPONSE)
			obs_u64(&k->leaf[0], F_MEASUREMENT,
				MEAS_BIT(MEAS_POWER_INSTANT));
		pol_judge(engine[me], &m, &d);
		if (!d.permit) {
			pol_abort(engine[me]);
			return d.reason;
		}
		assert_int_equal(d.n_rules, 1);
		pol_commit(engine[me]);
	}
	return REASON_NONE;
}

static void test_one_sided(void **ctx)
{
	struct pair p;
	struct kit k;
	struct pol_state *engine[2];
	struct pol_decision d;
	struct pol_peer peer = {.machine = 1, .proto = 6, .port = 80};

	(void)ctx;
	fill_pair(&p);
	start_pair(&k, &p, false);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pol_state_new(&engine[i], k.set, &k.e), 0);
		pol_state_one_sided(engine[i], true);
	}
	assert_int_equal(cross(&k, engine, 1, OBS_OBIX_READ_RESPONSE),
			 REASON_NOT_AN_ANSWER);
	/* Both ask at once on one connection; each answer finds its own
	 * request at both ends, once. */
	assert_int_equal(cross(&k, engine, 0, OBS_OBIX_READ_REQUEST), 0);
	assert_int_equal(cross(&k, engine, 1, OBS_OBIX_READ_REQUEST), 0);
	assert_int_equal(cross(&k, engine, 1, OBS_OBIX_READ_RESPONSE), 0);
	assert_int_equal(cross(&k, engine, 1, OBS_OBIX_READ_RESPONSE),
			 REASON_NOT_AN_ANSWER);
	assert_int_equal(cross(&k, engine, 0, OBS_OBIX_READ_RESPONSE), 0);
	assert_int_equal(cross(&k, engine, 0, OBS_OBIX_READ_RESPONSE),
			 REASON_NOT_AN_ANSWER);
	/* b's limit is b's: a permits the third, b refuses it. */
	assert_int_equal(cross(&k, engine, 0, OBS_OBIX_READ_REQUEST), 0);
	assert_int_equal(cross(&k, engine, 0, OBS_OBIX_READ_REQUEST),
			 REASON_LIMIT_EXCEEDED);
	/* So are its rules, for connections and packets too. */
	pol_open(engine[0], 0, DIR_OUT, &peer, 1, k.now, &d);
	assert_true(d.permit);
	assert_int_equal(d.n_rules, 1);
	assert_true(pol_packet(engine[0], 0, DIR_OUT, &peer, 100, k.now, &d));
	pol_state_free(engine[0]);
	pol_state_free(engine[1]);
	kit_free(&k);

	p.fb.n_rule = 0; /* b is silent, but speaks for itself */
	start_pair(&k, &p, false);
	pol_open(k.st, 0, DIR_OUT, &peer, 1, k.now, &d);
	assert_false(d.permit);
	pol_state_one_sided(k.st, true);
	pol_open(k.st, 0, DIR_OUT, &peer, 1, k.now, &d);
	assert_true(d.permit);
	kit_free(&k);
}

static void test_engines(void **ctx)
{
	static const char *const only_a[] = {"a"};
	static const struct {
		const char *why;
		bool vm, party, of_a, shared;
		const char *operators[2];
	} rows[] = {
		{"one for the household", false, false, false, true,
		 {NULL, NULL}},
		{"one for each machine", true, false, false, false,
		 {NULL, NULL}},
		{"one for each party", false, true, false, false,
		 {NULL, NULL}},
		{"one for parties of one operator", false, true, false, true,
		 {"grid", "grid"}},
		{"each has its operator", false, true, false, false,
		 {"grid", "other"}},
		{"of a single machine", false, false, true, false,
		 {NULL, NULL}},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct pair p;
		struct kit k;

		fill_pair(&p);
		p.pa.operator_ = rows[i].operators[0];
		p.pb.operator_ = rows[i].operators[1];
		p.top.each_vm = rows[i].vm;
		p.top.each_party = rows[i].party;
		if (rows[i].of_a)
			p.top.vm = (struct pol_vm_sel){.vm = only_a,
						       .n_vm = 1};
		start_pair(&k, &p, true);
		if (limit_shared(k.set, k.set->base_limit) != rows[i].shared)
			fail_msg("%s", rows[i].why);
		kit_free(&k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_one_sided),
		cmocka_unit_test(test_engines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
