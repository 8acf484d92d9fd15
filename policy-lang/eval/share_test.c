/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A limit of the household, two engines, one owner: together they never use
 * more than it allows, whoever dies and whatever the hour is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy-lang/eval/housekit.h"

struct home {
	struct pol_obs_match plain, any;
	struct pol_prefix net[2];
	struct pol_party_src party[2];
	struct pol_rule_src rule[2], ceiling;
	struct pol_limit_src top;
	struct pol_file vendor[2], base;
	struct kit k;
	struct pol_state *owner, *engine[2];
	bool away; /* the owner does not answer */
	unsigned asked;
};

static bool ask(void *arg, const struct pol_claim *c, struct pol_grant *g)
{
	struct home *h = arg;

	h->asked++;
	if (h->away)
		return false;
	pol_grant(h->owner, c, h->k.now, g);
	return true;
}

static struct pol_state *engine(struct home *h)
{
	struct pol_state *st;

	assert_int_equal(pol_state_new(&st, h->k.set, &h->k.e), 0);
	pol_state_one_sided(st, true);
	pol_state_asks(st, ask, h);
	return st;
}

static void start(struct home *h, struct pol_limit_phrase limit)
{
	static const char *const names[] = {"a", "b"};

	memset(h, 0, sizeof(*h));
	h->plain = house_kind(OBS_C1222_LOGON_REQUEST);
	h->any.kinds = (struct pol_kinds){{~UINT64_C(0), ~UINT64_C(0)}};
	for (int i = 0; i < 2; i++) {
		h->net[i] = kit_net(203, 0, 113, 0, 28);
		h->party[i] = (struct pol_party_src){
			.id = "headend", .name = "H", .addr = &h->net[i],
			.n_addr = 1};
		h->rule[i] = (struct pol_rule_src){
			.kind = RULE_GRANT, .id = "plain", .dir = DIRSEL_OUT,
			.party = {.party = party_0, .n_party = 1},
			.match = &h->plain, .n_match = 1};
		h->vendor[i] = (struct pol_file){
			.kind = POL_VENDOR, .id = names[i], .vm = names[i],
			.party = &h->party[i], .n_party = 1,
			.rule = &h->rule[i], .n_rule = 1};
	}
	h->ceiling = (struct pol_rule_src){
		.kind = RULE_CEILING, .id = "top", .dir = DIRSEL_ANY,
		.party.any = true, .vm.any = true, .match = &h->any,
		.n_match = 1};
	h->top = (struct pol_limit_src){
		.id = "all", .dir = DIRSEL_OUT, .party.any = true,
		.vm.any = true, .phrase = limit};
	h->base = (struct pol_file){.kind = POL_BASELINE, .id = "base",
				    .rule = &h->ceiling, .n_rule = 1,
				    .limit = &h->top, .n_limit = 1};
	if (kit_add(&h->k, &h->vendor[0]) || kit_add(&h->k, &h->vendor[1]) ||
	    kit_add(&h->k, &h->base) || kit_go(&h->k))
		fail_msg("%s", h->k.e.text);
	h->owner = h->k.st;
	for (int i = 0; i < 2; i++)
		h->engine[i] = engine(h);
}

static void end(struct home *h)
{
	pol_state_free(h->engine[0]);
	pol_state_free(h->engine[1]);
	kit_free(&h->k);
}

static bool packet(struct home *h, int i, uint32_t octets)
{
	struct pol_msg m = kit_msg(&h->k, DIR_OUT, OBS_C1222_LOGON_REQUEST);
	struct pol_decision d;
	bool ok = pol_packet(h->engine[i], (size_t)i, DIR_OUT, &m.peer, octets,
			     h->k.now, &d);

	pol_commit(h->engine[i]);
	return ok;
}

static bool message(struct home *h, int i, bool take_back)
{
	struct pol_msg m = kit_msg(&h->k, DIR_OUT, OBS_C1222_LOGON_REQUEST);
	struct pol_decision d;

	m.machine = (size_t)i;
	pol_judge(h->engine[i], &m, &d);
	if (!d.permit || take_back)
		pol_abort(h->engine[i]);
	else
		pol_commit(h->engine[i]);
	return d.permit;
}

#define BYTES(n_)                                                              \
	((struct pol_limit_phrase){.kind = LIMIT_CALENDAR,                     \
				   .thing = THING_BYTES, .n = (n_),            \
				   .window = WINDOW_DAY, .text = "bytes"})

/* All of it can be used, by either or both, and no more. */
static void test_bytes(void **ctx)
{
	struct home h;
	uint64_t passed[2] = {0};

	(void)ctx;
	start(&h, BYTES(1000000));
	for (unsigned i = 0; i < 4000; i++) {
		int who = i % 3 == 0;

		if (packet(&h, who, 700))
			passed[who] += 700;
		kit_wait(&h.k, S(1) / 100);
	}
	assert_true(passed[0] + passed[1] <= 1000000);
	/* What may lie with either is less than one slice. */
	assert_true(passed[0] + passed[1] > 1000000 - 2 * (16 << 10));
	assert_true(passed[0] && passed[1]);
	assert_true(h.asked < 4000);
	/* Another day, another budget; what was left is of no use in it. */
	kit_wait(&h.k, D(1));
	passed[0] = passed[1] = 0;
	for (unsigned i = 0; i < 4000; i++)
		passed[i % 2] += packet(&h, i % 2, 700) ? 700 : 0;
	assert_true(passed[0] + passed[1] <= 1000000);
	end(&h);
}

/* An engine that dies loses what it had, and nobody gains by it. */
static void test_dies(void **ctx)
{
	struct home h;
	uint64_t passed = 0;

	(void)ctx;
	start(&h, BYTES(1000000));
	for (unsigned i = 0; i < 4000; i++) {
		passed += packet(&h, i % 2, 700) ? 700 : 0;
		kit_wait(&h.k, S(1) / 100);
		if (i % 500 == 499) {
			pol_state_free(h.engine[i / 500 % 2]);
			h.engine[i / 500 % 2] = engine(&h);
		}
	}
	assert_true(passed <= 1000000 && passed > 700000);
	end(&h);
}

/* One that is quiet asks for what it needs and holds nothing back. */
static void test_quiet(void **ctx)
{
	struct home h;
	uint64_t passed = 0;

	(void)ctx;
	start(&h, BYTES(10000));
	for (unsigned i = 0; i < 20; i++) {
		passed += packet(&h, i % 2, 700) ? 700 : 0;
		kit_wait(&h.k, MIN(10));
	}
	assert_int_equal(passed, 14 * 700);
	end(&h);
}

static void test_messages(void **ctx)
{
	static const struct pol_limit_phrase limits[] = {
		{.kind = LIMIT_CALENDAR, .n = 5, .window = WINDOW_DAY,
		 .text = "5 messages per day"},
		{.kind = LIMIT_SLIDING, .n = 5, .window = WINDOW_SLIDING,
		 .window_ns = H(2), .text = "5 messages per 2 h"},
		{.kind = LIMIT_BUCKET, .n = 5, .burst = 5,
		 .window = WINDOW_SLIDING, .window_ns = H(24),
		 .text = "5 messages per 24 h burst 5"},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		struct home h;
		unsigned passed = 0;

		start(&h, limits[i]);
		/* One that is taken back is there for the next; but of a
		 * bucket, which may have drained meanwhile. */
		assert_true(message(&h, 0, true));
		passed += limits[i].kind == LIMIT_BUCKET;
		for (unsigned k = 0; k < 10; k++)
			passed += message(&h, k % 2, false);
		if (passed != 5)
			fail_msg("%s: %u", limits[i].text, passed);
		end(&h);
	}
}

/* Nobody to ask: nothing passes. Nor for a claim of something else. */
static void test_nobody(void **ctx)
{
	struct home h;
	struct pol_claim c = {.n = 1, .ask = {{.limit = 1, .need = 1}}};
	struct pol_grant g;

	(void)ctx;
	start(&h, BYTES(10000));
	h.away = true;
	assert_false(packet(&h, 0, 700));
	h.away = false;
	assert_true(packet(&h, 0, 700));
	pol_grant(h.owner, &c, h.k.now, &g);
	assert_int_equal(g.n, 0);
	c.ask[0].limit = h.owner->mem.limit[h.k.set->base_limit].id;
	c.machine = 2;
	pol_grant(h.owner, &c, h.k.now, &g);
	assert_int_equal(g.n, 0);
	c.machine = 0;
	c.ask[0].need = c.ask[0].want = UINT64_MAX;
	pol_grant(h.owner, &c, h.k.now, &g);
	assert_int_equal(g.n, 0);
	c.ask[0].need = 1;
	c.ask[0].want = 100;
	pol_grant(h.owner, &c, h.k.now, &g);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.of[0].n, 100);
	c.n = POL_ASKS + 1;
	pol_grant(h.owner, &c, h.k.now, &g);
	assert_int_equal(g.n, 0);
	end(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),	 cmocka_unit_test(test_dies),
		cmocka_unit_test(test_quiet),	 cmocka_unit_test(test_messages),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
