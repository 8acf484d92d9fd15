/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters in memory that outlives its writer: killed at every instruction,
 * opened after restarts, damaged, and handed to other sets.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "policy-lang/eval/testkit.h"

static const uint8_t boot_a[16] = {1}, boot_b[16] = {2};
static const uint16_t party_0[] = {0}, state_0[] = {0}, rule_ask[] = {0};

/* One vendor policy in which a reading charges every kind of limit. */
enum { CALENDAR, SLIDING, BUCKET, SPACING, DISTINCT, N_KINDS };

struct house {
	struct pol_limit_phrase lim[N_KINDS];
	struct pol_limit_src top[4];
	struct pol_obs_match ask, send, plain;
	struct pol_attr table;
	struct pol_range tables;
	struct pol_rule_src rule[3];
	struct pol_party_src party[2];
	struct pol_prefix net, net2;
	struct pol_state_src state;
	struct pol_file vendor;
};

static struct pol_obs_match kind_of(enum obs_kind k)
{
	return (struct pol_obs_match){.kinds = kit_kind(k)};
}

static void fill_limits(struct house *h)
{
	h->lim[CALENDAR] = (struct pol_limit_phrase){
		.kind = LIMIT_CALENDAR, .thing = THING_READINGS, .n = 5,
		.window = WINDOW_DAY, .text = "5 readings per day"};
	h->lim[SLIDING] = (struct pol_limit_phrase){
		.kind = LIMIT_SLIDING, .thing = THING_READINGS, .n = 6,
		.window = WINDOW_SLIDING, .window_ns = H(24),
		.text = "6 readings per 24 h"};
	h->lim[BUCKET] = (struct pol_limit_phrase){
		.kind = LIMIT_BUCKET, .thing = THING_READINGS, .n = 6,
		.burst = 4, .window = WINDOW_SLIDING, .window_ns = H(12),
		.text = "6 readings per 12 h burst 4"};
	h->lim[SPACING] = (struct pol_limit_phrase){
		.kind = LIMIT_SPACING, .thing = THING_READINGS,
		.window_ns = MIN(10), .text = "at least 10 min apart"};
	h->lim[DISTINCT] = (struct pol_limit_phrase){
		.kind = LIMIT_DISTINCT, .thing = THING_READINGS, .n = 3,
		.window = WINDOW_DAY, .distinct = F_TABLE,
		.text = "at most 3 distinct table per day"};
	h->top[0] = (struct pol_limit_src){
		.id = "bytes", .dir = DIRSEL_OUT, .party.any = true,
		.vm.any = true, .each_vm = true, .each_party = true,
		.phrase = {.kind = LIMIT_CALENDAR, .thing = THING_BYTES,
			   .n = 4000, .window = WINDOW_DAY,
			   .text = "4 kB per day"}};
	h->top[1] = (struct pol_limit_src){
		.id = "connections", .dir = DIRSEL_ANY, .party.any = true,
		.vm.any = true, .each_vm = true,
		.phrase = {.kind = LIMIT_CONCURRENT,
			   .thing = THING_CONNECTIONS, .n = 2,
			   .text = "at most 2 connections at once"}};
	h->top[2] = (struct pol_limit_src){
		.id = "opened", .dir = DIRSEL_ANY, .party.any = true,
		.vm.any = true, .each_vm = true,
		.phrase = {.kind = LIMIT_SLIDING, .thing = THING_CONNECTIONS,
			   .n = 20, .window = WINDOW_SLIDING,
			   .window_ns = H(1),
			   .text = "20 connections per 1 h"}};
	h->top[3] = (struct pol_limit_src){
		.id = "refusals", .dir = DIRSEL_ANY, .party.any = true,
		.vm.any = true, .each_vm = true,
		.exceed = {ACTION_QUARANTINE, H(2)},
		.phrase = {.kind = LIMIT_SLIDING, .thing = THING_REFUSALS,
			   .n = 40, .window = WINDOW_SLIDING,
			   .window_ns = H(1), .text = "40 refusals per 1 h"}};
}

static void fill_rules(struct house *h)
{
	h->tables = (struct pol_range){20, 30};
	h->table = (struct pol_attr){
		.field = F_TABLE, .num = &h->tables, .n_num = 1};
	h->ask = kind_of(OBS_C1222_READ_REQUEST);
	h->send = kind_of(OBS_C1222_READ_RESPONSE);
	h->send.attr = &h->table;
	h->send.n_attr = 1;
	h->plain = kind_of(OBS_C1222_LOGON_REQUEST);
	h->rule[0] = (struct pol_rule_src){
		.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_IN,
		.party = {.party = party_0, .n_party = 1}, .match = &h->ask,
		.n_match = 1};
	h->rule[1] = (struct pol_rule_src){
		.kind = RULE_GRANT, .id = "plain", .dir = DIRSEL_OUT,
		.party = {.party = party_0, .n_party = 1}, .match = &h->plain,
		.n_match = 1, .requires_ = state_0, .n_requires = 1};
	h->rule[2] = (struct pol_rule_src){
		.kind = RULE_GRANT, .id = "send", .dir = DIRSEL_OUT,
		.party = {.party = party_0, .n_party = 1}, .match = &h->send,
		.n_match = 1, .limit = h->lim, .n_limit = N_KINDS,
		.has_answers = true, .answers = rule_ask, .n_answers = 1,
		.data = {.present = true,
			 .meas = MEAS_BIT(MEAS_ENERGY_REGISTER)}};
}

static void fill(struct house *h)
{
	memset(h, 0, sizeof(*h));
	fill_limits(h);
	fill_rules(h);
	h->net = kit_net(203, 0, 113, 0, 28);
	h->net2 = kit_net(198, 51, 100, 0, 24);
	h->party[0] = (struct pol_party_src){
		.id = "headend", .name = "H", .addr = &h->net, .n_addr = 1};
	h->party[1] = (struct pol_party_src){
		.id = "other", .name = "O", .addr = &h->net2, .n_addr = 1};
	h->state = (struct pol_state_src){
		.id = "registered", .scope = SCOPE_PARTY,
		.set = {DIRSEL_IN, 0, &h->ask, 1}, .expires_ns = H(30)};
	h->vendor = (struct pol_file){
		.kind = POL_VENDOR, .id = "v", .vm = "mdma", .path = "v.yaml",
		.party = h->party, .n_party = 2, .rule = h->rule, .n_rule = 3,
		.state = &h->state, .n_state = 1, .limit = h->top,
		.n_limit = 4};
}

static void start(struct kit *k, struct house *h)
{
	memset(k, 0, sizeof(*k));
	if (kit_add(k, &h->vendor) || kit_go(k))
		fail_msg("%s", k->e.text);
	pol_state_free(k->st);
	k->st = NULL;
}

/* --- memory --------------------------------------------------------------- */

static enum pol_state_was open_in(struct kit *k, void *mem, size_t n,
				  const uint8_t boot[16])
{
	enum pol_state_was was;

	pol_state_free(k->st);
	if (pol_state_in(&k->st, k->set, mem, n, boot, k->now, &was, &k->e))
		fail_msg("%s", k->e.text);
	return was;
}

static bool ask(struct kit *k, uint64_t inv)
{
	struct pol_msg m = kit_msg(k, DIR_IN, OBS_C1222_READ_REQUEST);
	struct pol_decision d;

	obs_u64(&k->leaf[0], F_TABLE, 23);
	obs_u64(&k->carrier, F_CALLING_INV, inv);
	return kit_judge(k, &m, &d);
}

static struct pol_msg answer(struct kit *k, uint64_t inv, uint64_t table)
{
	struct pol_msg m = kit_msg(k, DIR_OUT, OBS_C1222_READ_RESPONSE);

	obs_u64(&k->leaf[0], F_TABLE, table);
	obs_u64(&k->leaf[0], F_MEASUREMENT, MEAS_BIT(MEAS_ENERGY_REGISTER));
	obs_u64(&k->leaf[0], F_VALUES, 1);
	obs_u64(&k->carrier, F_CALLED_INV, inv);
	return m;
}

/* A reading that was asked for, judged and released if permitted. */
static bool reading(struct kit *k, uint64_t inv, uint64_t table)
{
	struct pol_decision d;
	struct pol_msg m;

	if (!ask(k, inv))
		return false;
	m = answer(k, inv, table);
	return kit_judge(k, &m, &d);
}

struct used {
	uint64_t used[32], limit[32];
	char name[32][96];
	size_t n;
};

static bool note(void *arg, const struct pol_budget *b)
{
	struct used *u = arg;

	assert_true(u->n < 32);
	u->used[u->n] = b->used;
	u->limit[u->n] = b->limit;
	memcpy(u->name[u->n++], b->name, sizeof(b->name));
	return true;
}

static struct used used_now(const struct kit *k)
{
	struct used u = {.n = 0};

	pol_budgets(k->st, 0, k->now, note, &u);
	return u;
}

static uint64_t used_of(const struct used *u, const char *what)
{
	for (size_t i = 0; i < u->n; i++) {
		if (strstr(u->name[i], what))
			return u->used[i];
	}
	fail_msg("no limit %s", what);
	return 0;
}

#define CALENDAR_T "5 readings per day"
#define SLIDING_T  "6 readings per 24 h"
#define BUCKET_T   "burst 4"
#define SPACING_T  "10 min apart"
#define DISTINCT_T "distinct"

/* --- tests ----------------------------------------------------------------- */

static void test_open(void **ctx)
{
	struct house h;
	struct kit k;
	struct used a, b;
	size_t n;
	void *mem;

	(void)ctx;
	fill(&h);
	start(&k, &h);
	n = pol_state_octets(k.set);
	mem = calloc(1, n);
	assert_int_equal(open_in(&k, mem, n, boot_a), POL_STATE_NEW);
	assert_true(reading(&k, 1, 23));
	kit_wait(&k, MIN(11));
	assert_true(reading(&k, 2, 24));
	a = used_now(&k);
	assert_int_equal(used_of(&a, CALENDAR_T), 2);
	assert_int_equal(used_of(&a, SLIDING_T), 2);
	assert_int_equal(used_of(&a, BUCKET_T), 2);
	assert_int_equal(used_of(&a, SPACING_T), 1);
	assert_int_equal(used_of(&a, DISTINCT_T), 2);
	used_of(&a, "v/send: 5 readings per day");
	assert_int_equal(open_in(&k, mem, n, boot_a), POL_STATE_CONTINUED);
	b = used_now(&k);
	assert_memory_equal(a.used, b.used, sizeof(a.used));
	assert_false(reading(&k, 3, 23)); /* too soon, still */
	kit_wait(&k, MIN(11));
	assert_true(reading(&k, 4, 25));
	kit_wait(&k, MIN(11));
	assert_false(reading(&k, 5, 26)); /* a fourth table */
	kit_free(&k);
	free(mem);
}

/* The machine starts again: the stepless clock begins anew. */
static void test_boot(void **ctx)
{
	static const struct {
		const char *why;
		bool seal, trusted;
		int64_t off; /* time without power */
		enum pol_state_was was;
		uint64_t spacing, sliding; /* used afterwards */
		bool registered;
	} rows[] = {
		{"pages were lost", false, true, H(1), POL_STATE_DAMAGED, 1, 6,
		 false},
		{"an hour passed", true, true, H(1), POL_STATE_CONTINUED, 0, 1,
		 true},
		{"a minute passed", true, true, MIN(1), POL_STATE_CONTINUED, 1,
		 1, true},
		{"two days passed", true, true, H(50), POL_STATE_CONTINUED, 0,
		 0, false},
		{"who knows how long", true, false, H(50),
		 POL_STATE_CONTINUED, 1, 1, false},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct house h;
		struct kit k;
		struct used u;
		size_t n;
		void *mem;

		fill(&h);
		start(&k, &h);
		n = pol_state_octets(k.set);
		mem = calloc(1, n);
		open_in(&k, mem, n, boot_a);
		assert_true(reading(&k, 1, 23));
		if (rows[i].seal)
			pol_state_seal(k.st);
		k.now.mono.ns = S(3);
		k.now.wall.us += rows[i].off / 1000;
		k.now.wall.trusted = rows[i].trusted;
		if (open_in(&k, mem, n, boot_b) != rows[i].was)
			fail_msg("%s", rows[i].why);
		u = used_now(&k);
		if (used_of(&u, SPACING_T) != rows[i].spacing ||
		    used_of(&u, SLIDING_T) != rows[i].sliding ||
		    st_has(k.st, 0, 0, 1, 0) != rows[i].registered)
			fail_msg("%s: %d %d %d", rows[i].why,
				 (int)used_of(&u, SPACING_T),
				 (int)used_of(&u, SLIDING_T),
				 st_has(k.st, 0, 0, 1, 0));
		kit_free(&k);
		free(mem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
