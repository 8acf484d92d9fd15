/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages in several units (F_CONTINUES), granted by several rules: what each
 * limit counts of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy-lang/eval/testkit.h"

#define ENERGY MEAS_BIT(MEAS_ENERGY_INTERVAL)
#define VOLTS  MEAS_BIT(MEAS_VOLTAGE_INSTANT)

enum { R_PAGE, R_TELL, R_LIST, N_RULES };

struct house {
	struct pol_obs_match m[N_RULES];
	struct pol_rule_src rule[N_RULES];
	struct pol_limit_phrase lim;
	struct pol_party_src party;
	struct pol_prefix net;
	struct pol_port port;
	struct pol_file vendor;
};

static const uint16_t party0[] = {0};

static void grant(struct house *h, int i, const char *id, enum dir dir,
		  enum obs_kind obs, meas_set meas)
{
	h->m[i].kinds = kit_kind(obs);
	h->rule[i] = (struct pol_rule_src){
		.kind = RULE_GRANT, .id = id,
		.dir = dir == DIR_OUT ? DIRSEL_OUT : DIRSEL_IN,
		.party = {.party = party0, .n_party = 1}, .match = &h->m[i],
		.n_match = 1, .data = {.present = meas != 0, .meas = meas}};
}

/* Pages have no limit; what is told in them has one, and what is asked in
 * them the same. */
static void start(struct kit *k, struct house *h, struct pol_limit_phrase lim)
{
	memset(h, 0, sizeof(*h));
	memset(k, 0, sizeof(*k));
	grant(h, R_PAGE, "page", DIR_OUT, OBS_HTTP_REQUEST, 0);
	grant(h, R_TELL, "tell", DIR_OUT, OBS_OBIX_READ_RESPONSE,
	      ENERGY | VOLTS);
	grant(h, R_LIST, "list", DIR_OUT, OBS_OBIX_WRITE_REQUEST, 0);
	h->lim = lim;
	h->lim.text = "n per day";
	h->rule[R_TELL].limit = h->rule[R_LIST].limit = &h->lim;
	h->rule[R_TELL].n_limit = h->rule[R_LIST].n_limit = 1;
	h->net = kit_net(203, 0, 113, 0, 24);
	h->port = (struct pol_port){6, 1153, 1153};
	h->party = (struct pol_party_src){
		.id = "them", .name = "T", .addr = &h->net, .n_addr = 1,
		.port = &h->port, .n_port = 1};
	h->vendor = (struct pol_file){
		.kind = POL_VENDOR, .unique = true,
		.id = "v", .vm = "mdma", .path = "v.yaml",
		.party = &h->party, .n_party = 1, .rule = h->rule,
		.n_rule = N_RULES};
	if (kit_add(k, &h->vendor) || kit_go(k))
		fail_msg("%s", k->e.text);
}

struct sent {
	enum obs_kind kind;
	meas_set meas, carried;
	bool goes_on;
	uint64_t flow;
	int after_s; /* time that passes before it */
};

static void judge(struct kit *k, const struct sent *u, struct pol_decision *d)
{
	struct pol_msg m;

	k->now.mono.ns += u->after_s * NS_PER_S;
	m = kit_msg(k, DIR_OUT, u->kind);
	k->carrier.kind = OBS_FLOW_OPEN;
	if (u->goes_on)
		obs_flag(&k->carrier, F_CONTINUES);
	if (u->carried)
		obs_u64(&k->carrier, F_CARRIED, u->carried);
	if (u->meas)
		obs_u64(&k->leaf[0], F_MEASUREMENT, u->meas);
	m.flow = u->flow ? u->flow : 1;
	pol_judge(k->st, &m, d);
}

static bool sent(struct kit *k, const struct sent *u, struct pol_decision *d)
{
	judge(k, u, d);
	if (d->permit)
		pol_commit(k->st);
	else
		pol_abort(k->st);
	return d->permit;
}

#define PAGE .kind = OBS_HTTP_REQUEST
#define TELL .kind = OBS_OBIX_READ_RESPONSE, .meas = ENERGY
#define LIST .kind = OBS_OBIX_WRITE_REQUEST
#define ON   .goes_on = true
#define HAD  .carried = ENERGY

#define PER_DAY(what, most)                                                    \
	{                                                                      \
		.kind = LIMIT_CALENDAR, .thing = (what), .n = (most),          \
		.window = WINDOW_DAY                                           \
	}
#define APART                                                                  \
	{                                                                      \
		.kind = LIMIT_SPACING, .window_ns = H(1)                       \
	}
#define OVER REASON_LIMIT_EXCEEDED
#define SOON REASON_TOO_SOON

static void test_counting(void **ctx)
{
	static const struct {
		const char *why;
		struct pol_limit_phrase lim;
		struct sent u[4];
		enum reason want[4];
	} cases[] = {
		{"a later unit is a message of what grants it first there",
		 PER_DAY(THING_MESSAGES, 1),
		 {{PAGE}, {LIST, ON}, {LIST, ON}, {LIST}},
		 {0, 0, 0, OVER}},
		{"of each message", PER_DAY(THING_MESSAGES, 1),
		 {{PAGE}, {LIST, ON}, {PAGE}, {LIST, ON}},
		 {0, 0, 0, OVER}},
		{"of each connection", PER_DAY(THING_MESSAGES, 1),
		 {{LIST}, {PAGE, .flow = 2}, {LIST, ON, .flow = 2},
		  {LIST, ON}},
		 {0, 0, OVER, 0}},
		{"of each rule", PER_DAY(THING_MESSAGES, 1),
		 {{LIST}, {TELL, ON}, {TELL}, {LIST, ON}},
		 {0, 0, OVER, 0}},
		{"however often others come between", PER_DAY(THING_MESSAGES, 1),
		 {{LIST}, {TELL, ON}, {LIST, ON, HAD}, {TELL, ON, HAD}},
		 {0, 0, 0, 0}},
		{"and a reading, though others carried its type",
		 PER_DAY(THING_READINGS, 1),
		 {{TELL}, {PAGE}, {TELL, ON, HAD}, {TELL}},
		 {0, 0, OVER, OVER}},
		{"and is so once", PER_DAY(THING_READINGS, 1),
		 {{PAGE}, {TELL, ON, HAD}, {TELL, ON, HAD}, {TELL}},
		 {0, 0, 0, OVER}},
		{"and apart from the one before", APART,
		 {{LIST}, {PAGE}, {LIST, ON}, {PAGE, ON}},
		 {0, 0, SOON, 0}},
		{"but not from what it is part of", APART,
		 {{PAGE}, {LIST, ON}, {LIST, ON}, {LIST}},
		 {0, 0, 0, SOON}},
		{"and a reading for an hour", PER_DAY(THING_READINGS, 1),
		 {{TELL}, {TELL, ON, HAD, .after_s = 1800},
		  {TELL, ON, HAD, .after_s = 1799},
		  {TELL, ON, HAD, .after_s = 1}},
		 {0, 0, 0, OVER}},
		{"then another", PER_DAY(THING_READINGS, 2),
		 {{TELL}, {TELL, ON, HAD, .after_s = 3600},
		  {TELL, ON, HAD, .after_s = 3599},
		  {TELL, ON, HAD, .after_s = 1}},
		 {0, 0, 0, OVER}},
		{"and another message", PER_DAY(THING_MESSAGES, 1),
		 {{TELL}, {TELL, ON, HAD, .after_s = 3599},
		  {TELL, ON, HAD, .after_s = 1}, {TELL}},
		 {0, 0, OVER, OVER}},
		{"without readings it is one for days", PER_DAY(THING_MESSAGES, 1),
		 {{LIST}, {LIST, ON, .after_s = 3600},
		  {LIST, ON, .after_s = 7200}, {LIST}},
		 {0, 0, 0, OVER}},
		{"what goes on with nothing is one", PER_DAY(THING_MESSAGES, 1),
		 {{LIST, ON}, {LIST, ON}, {LIST}, {PAGE}},
		 {0, 0, OVER, 0}},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct house h;
		static struct kit k;
		struct pol_decision d;

		start(&k, &h, cases[i].lim);
		for (int n = 0; n < 4; n++) {
			sent(&k, &cases[i].u[n], &d);
			if (d.reason != cases[i].want[n])
				fail_msg("%s: unit %d: %s, not %s",
					 cases[i].why, n, reason_text(d.reason),
					 reason_text(cases[i].want[n]));
		}
		kit_free(&k);
	}
}

/* What is aborted did not count it; what was counted before still has. */
static void test_abort(void **ctx)
{
	static const struct sent page = {PAGE}, list = {LIST},
				 rest = {LIST, ON}, other = {LIST, .flow = 2};
	static struct house h;
	static struct kit k;
	struct pol_decision d;

	(void)ctx;
	start(&k, &h, (struct pol_limit_phrase)PER_DAY(THING_MESSAGES, 1));
	judge(&k, &list, &d);
	assert_true(d.permit);
	pol_abort(k.st);
	assert_true(sent(&k, &rest, &d)); /* charged now */
	assert_false(sent(&k, &other, &d));
	assert_true(sent(&k, &rest, &d));
	judge(&k, &page, &d); /* the next message */
	assert_true(d.permit);
	pol_abort(k.st);
	assert_true(sent(&k, &rest, &d)); /* still the one that was counted */
	assert_true(sent(&k, &page, &d));
	assert_false(sent(&k, &rest, &d));
	kit_free(&k);

	/* More of them at once than are kept: counted again at the worst. */
	start(&k, &h, (struct pol_limit_phrase)PER_DAY(THING_MESSAGES, 100));
	for (uint64_t f = 1; f <= 50; f++) {
		struct sent u = list;

		u.flow = f;
		judge(&k, &u, &d);
		assert_true(d.permit);
	}
	pol_abort(k.st);
	for (uint64_t f = 1; f <= 100; f++) {
		struct sent u = rest; /* nothing of these was sent yet */

		u.flow = f;
		assert_true(sent(&k, &u, &d));
	}
	assert_false(sent(&k, &list, &d));
	kit_free(&k);
}

/* On trial a message passes though there is no room for it: so does what goes
 * on with it, and no unit of it is told as one that there was room for. */
static void test_trial(void **ctx)
{
	static const struct sent list = {LIST}, rest = {LIST, ON};
	static struct house h;
	static struct kit k;
	struct pol_decision d;

	(void)ctx;
	start(&k, &h, (struct pol_limit_phrase)PER_DAY(THING_MESSAGES, 1));
	h.rule[R_LIST].monitor_until_s = wall_s(k.now.wall) + 86400;
	kit_free(&k);
	if (kit_add(&k, &h.vendor) || kit_go(&k))
		fail_msg("%s", k.e.text);
	assert_true(sent(&k, &list, &d) && !d.monitored);
	assert_true(sent(&k, &rest, &d) && !d.monitored);
	assert_true(sent(&k, &list, &d) && d.monitored);
	assert_true(sent(&k, &rest, &d) && d.monitored);
	kit_free(&k);
}

/* A policy that replaces another one finds the message under way counted. */
static void test_carry(void **ctx)
{
	static const struct sent list = {LIST}, rest = {LIST, ON};
	static struct house h;
	static struct kit k, to;
	struct pol_decision d;

	(void)ctx;
	start(&k, &h, (struct pol_limit_phrase)PER_DAY(THING_MESSAGES, 1));
	assert_true(sent(&k, &list, &d));
	start(&to, &h, (struct pol_limit_phrase)PER_DAY(THING_MESSAGES, 1));
	to.now = k.now;
	pol_state_carry(to.st, k.st, k.now);
	assert_true(sent(&to, &rest, &d));
	assert_false(sent(&to, &list, &d));
	kit_free(&to);
	kit_free(&k);
}

/* A limit that is new begins with no less than it would have counted, in the
 * hour when it would have counted it. */
static void test_ledger(void **ctx)
{
	static const struct sent page = {PAGE}, list = {LIST},
				 rest = {LIST, ON};
	static struct house h;
	static struct kit k, to;
	struct pol_decision d;

	(void)ctx;
	start(&k, &h, (struct pol_limit_phrase)PER_DAY(THING_MESSAGES, 5));
	assert_true(sent(&k, &page, &d));
	kit_wait(&k, D(1));
	assert_true(sent(&k, &rest, &d));
	start(&to, &h, (struct pol_limit_phrase)APART);
	to.now = k.now;
	pol_state_carry(to.st, k.st, k.now);
	assert_false(sent(&to, &list, &d));
	assert_int_equal(d.reason, SOON);
	kit_free(&to);
	kit_free(&k);
}

/* A message whose connection was silent while many others began is counted
 * again, never not at all. */
static void test_many(void **ctx)
{
	static const struct sent page = {PAGE}, list = {LIST};
	static struct house h;
	static struct kit k;
	struct pol_decision d;
	uint64_t first = 0;

	(void)ctx;
	start(&k, &h, (struct pol_limit_phrase)PER_DAY(THING_MESSAGES,
						       4 * COURSES));
	for (uint64_t f = 1; f <= 2 * COURSES; f++) {
		struct sent u = list;

		u.flow = f;
		assert_true(sent(&k, &u, &d));
	}
	for (uint64_t f = 2 * COURSES; f >= 1; f--) {
		struct sent u = list;

		u.flow = f;
		u.goes_on = true;
		assert_true(sent(&k, &u, &d));
	}
	/* At most 2 * COURSES are left, at least COURSES / 2 fewer. */
	for (uint64_t n = 0; n < 4 * COURSES; n++) {
		struct sent u = list;

		u.flow = 10000 + n;
		first += sent(&k, &u, &d);
	}
	assert_in_range(first, COURSES, 2 * COURSES - COURSES / 2);
	assert_true(sent(&k, &page, &d));
	kit_free(&k);
}

/* A message of three leaves, as a batch: what a limit of 6 has room for. */
static void test_leaves(void **ctx)
{
	static const struct {
		const char *why;
		uint16_t thing;
		enum obs_kind kind;
		meas_set meas;
		unsigned readings[3], want;
	} cases[] = {
		{"what is asked is one message", THING_MESSAGES,
		 OBS_OBIX_WRITE_REQUEST, 0, {0, 0, 0}, 6},
		{"a series in each is one", THING_MESSAGES,
		 OBS_OBIX_READ_RESPONSE, ENERGY, {1, 1, 1}, 6},
		{"and one reading", THING_READINGS, OBS_OBIX_READ_RESPONSE,
		 ENERGY, {9, 1, 1}, 6},
		{"snapshots are as many as the last says", THING_MESSAGES,
		 OBS_OBIX_READ_RESPONSE, VOLTS, {1, 2, 3}, 2},
		{"and readings", THING_READINGS, OBS_OBIX_READ_RESPONSE, VOLTS,
		 {1, 2, 3}, 2},
		{"or the first", THING_READINGS, OBS_OBIX_READ_RESPONSE, VOLTS,
		 {3, 1, 1}, 2},
		{"values add up", THING_VALUES, OBS_OBIX_READ_RESPONSE, ENERGY,
		 {1, 1, 1}, 2},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		static struct house h;
		static struct kit k;
		struct pol_decision d;
		unsigned n = 0;
		bool permit = true;

		start(&k, &h,
		      (struct pol_limit_phrase)PER_DAY(cases[i].thing, 6));
		while (permit && n < 10) {
			struct pol_msg m = kit_msg(&k, DIR_OUT, cases[i].kind);

			k.carrier.kind = OBS_FLOW_OPEN;
			k.leaf[1] = k.leaf[2] = k.leaf[0];
			for (int j = 0; cases[i].meas && j < 3; j++) {
				obs_u64(&k.leaf[j], F_MEASUREMENT,
					cases[i].meas);
				obs_u64(&k.leaf[j], F_READINGS,
					cases[i].readings[j]);
				obs_u64(&k.leaf[j], F_VALUES, 1);
			}
			m.n_leaves = 3;
			permit = kit_judge(&k, &m, &d);
			n += permit;
		}
		if (n != cases[i].want || d.reason != REASON_LIMIT_EXCEEDED)
			fail_msg("%s: %u, %s", cases[i].why, n,
				 reason_text(d.reason));
		kit_free(&k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counting),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_trial),
		cmocka_unit_test(test_carry),
		cmocka_unit_test(test_ledger),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
