/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A limit of the household, two engines, one owner: together they never use
 * more than it allows, whoever dies and whatever the hour is. Of what is
 * counted, of what has to be distinct, and of connections at once.
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
	unsigned asked, of_limits;
};

static bool ask(void *arg, const struct pol_claim *c, struct pol_grant *g)
{
	struct home *h = arg;

	h->asked++;
	h->of_limits += c->n && c->ask[0].limit;
	if (h->away)
		return false;
	pol_grant(h->owner, c, h->k.now, g);
	return true;
}

static struct pol_state *engine(struct home *h, size_t i)
{
	struct pol_state *st;

	assert_int_equal(pol_state_new(&st, h->k.set, &h->k.e), 0);
	pol_state_one_sided(st, true);
	pol_state_asks(st, i, ask, h);
	return st;
}

static void start_as(struct home *h, struct pol_limit_phrase limit,
		     const char *first, const char *second, const char *id)
{
	const char *const names[] = {first, second};

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
			.kind = POL_VENDOR, .unique = true,
			.id = names[i], .vm = names[i],
			.party = &h->party[i], .n_party = 1,
			.rule = &h->rule[i], .n_rule = 1};
	}
	h->ceiling = (struct pol_rule_src){
		.kind = RULE_CEILING, .id = "top", .dir = DIRSEL_ANY,
		.party.any = true, .vm.any = true, .match = &h->any,
		.n_match = 1};
	h->top = (struct pol_limit_src){
		.id = id, .dir = DIRSEL_OUT, .party.any = true,
		.vm.any = true, .phrase = limit};
	h->base = (struct pol_file){.kind = POL_BASELINE, .unique = true,
				    .id = "base",
				    .rule = &h->ceiling, .n_rule = 1,
				    .limit = &h->top, .n_limit = 1};
	if (kit_add(&h->k, &h->vendor[0]) || kit_add(&h->k, &h->vendor[1]) ||
	    kit_add(&h->k, &h->base) || kit_go(&h->k))
		fail_msg("%s", h->k.e.text);
	h->owner = h->k.st;
	for (size_t i = 0; i < 2; i++)
		h->engine[i] = engine(h, i);
}

static void start(struct home *h, struct pol_limit_phrase limit)
{
	start_as(h, limit, "a", "b", "all");
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
			h.engine[i / 500 % 2] = engine(&h, i / 500 % 2);
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

/* --- what is distinct ----------------------------------------------------- */

#define TABLES(window_, ns_)                                                   \
	((struct pol_limit_phrase){.kind = LIMIT_DISTINCT, .n = 3,             \
				   .distinct = F_TABLE, .window = (window_),   \
				   .window_ns = (ns_),                         \
				   .text = "at most 3 distinct table"})

/* Does machine i read that table? held: it does not leave in the end. */
static bool reads(struct home *h, int i, uint32_t table, bool held)
{
	struct pol_msg m = kit_msg(&h->k, DIR_OUT, OBS_C1222_LOGON_REQUEST);
	struct obs leaf = {.kind = OBS_C1222_LOGON_REQUEST};
	struct pol_decision d;

	obs_u64(&leaf, F_TABLE, table);
	m.machine = (size_t)i;
	m.leaves = &leaf;
	m.n_leaves = 1;
	pol_judge(h->engine[i], &m, &d);
	if (!d.permit || held)
		pol_abort(h->engine[i]);
	else
		pol_commit(h->engine[i]);
	return d.permit;
}

static void hand_back(struct home *h, bool all)
{
	for (int i = 0; i < 2; i++)
		pol_state_hand_back(h->engine[i], h->k.now, all);
}

/* Three for both, whoever reads them; what one has read the other may, too. */
static void test_distinct(void **ctx)
{
	static const struct pol_limit_phrase limits[] = {
		TABLES(WINDOW_DAY, 0), TABLES(WINDOW_SLIDING, H(24))};

	(void)ctx;
	for (size_t i = 0; i < 2; i++) {
		struct home h;
		unsigned asked;

		start(&h, limits[i]);
		assert_true(reads(&h, 0, 1, false));
		assert_true(reads(&h, 1, 2, false));
		assert_true(reads(&h, 1, 1, false));
		assert_true(reads(&h, 0, 3, false));
		assert_false(reads(&h, 0, 4, false));
		assert_false(reads(&h, 1, 5, false));
		assert_true(reads(&h, 1, 3, false));
		asked = h.of_limits;
		for (unsigned k = 0; k < 100; k++)
			assert_true(reads(&h, 1, 1 + k % 3, false));
		assert_false(reads(&h, 0, 4, false));
		/* Nobody is asked about what is known, nor twice what was
		 * refused. */
		assert_int_equal(h.of_limits, asked);
		/* A value that is used on stays, others go. */
		for (unsigned k = 0; k < 26; k++) {
			kit_wait(&h.k, H(1));
			assert_true(reads(&h, k % 2, 1, false));
		}
		assert_true(reads(&h, 0, 4, false));
		assert_true(reads(&h, 1, 5, false));
		assert_false(reads(&h, 1, 6, false));
		end(&h);
	}
}

/* A value that may be used for a while unasked was used until then. */
static void test_distinct_lease(void **ctx)
{
	struct home h;

	(void)ctx;
	start(&h, TABLES(WINDOW_SLIDING, H(1)));
	assert_true(reads(&h, 0, 1, false));
	kit_wait(&h.k, S(4));
	h.asked = h.of_limits = 0;
	assert_true(reads(&h, 0, 1, false));
	assert_int_equal(h.of_limits, 0);
	kit_wait(&h.k, H(1) - S(10));
	assert_true(reads(&h, 1, 2, false));
	assert_true(reads(&h, 1, 3, false));
	kit_wait(&h.k, S(9)); /* 3 s after the first, 1 s before the second */
	assert_false(reads(&h, 1, 4, false));
	kit_wait(&h.k, S(3));
	assert_true(reads(&h, 1, 4, false));
	end(&h);
}

/* In every window, at random, with engines that die and owners that forget
 * what they gave: never a fourth. */
static void test_distinct_random(void **ctx)
{
	(void)ctx;
	for (unsigned seed = 1; seed <= 40; seed++) {
		struct {
			int64_t ns;
			uint32_t table;
		} seen[1500];
		size_t n = 0;
		uint64_t r = seed;
		int64_t window = seed % 2 ? S(15) : MIN(10);
		struct home h;

		start(&h, TABLES(WINDOW_SLIDING, window));
		for (unsigned k = 0; k < 1500; k++) {
			int who;
			uint32_t table;
			unsigned different = 0;

			r = r * 6364136223846793005u + 1442695040888963407u;
			who = r >> 33 & 1;
			table = (uint32_t)(r >> 34) % 8;
			kit_wait(&h.k, (r >> 39) % 3 ? (int64_t)(r >> 40) % S(5)
						    : (int64_t)(r >> 40) %
							      S(90));
			if ((r >> 50) % 50 == 0) {
				pol_state_free(h.engine[who]);
				h.engine[who] = engine(&h, (size_t)who);
			}
			hand_back(&h, r >> 45 & 1);
			if (!reads(&h, who, table, (r >> 46) % 4 == 0) ||
			    (r >> 46) % 4 == 0)
				continue;
			seen[n].ns = h.k.now.mono.ns;
			seen[n++].table = table;
			for (uint32_t t = 0; t < 8; t++) {
				bool in = false;

				for (size_t i = n; i-- > 0;)
					in |= seen[i].table == t &&
					      h.k.now.mono.ns - seen[i].ns <
						      window;
				different += in;
			}
			if (different > 3)
				fail_msg("seed %u: %u tables", seed, different);
		}
		assert_true(n > 100);
		end(&h);
	}
}

/* What was looked up and did not leave costs nothing, once it is handed back;
 * but what left once stays, whoever gives it back. */
static void test_distinct_back(void **ctx)
{
	struct home h;

	(void)ctx;
	start(&h, TABLES(WINDOW_DAY, 0));
	for (uint32_t t = 1; t <= 3; t++)
		assert_true(reads(&h, 0, t, true));
	assert_false(reads(&h, 1, 4, false));
	kit_wait(&h.k, S(6));
	hand_back(&h, false);
	for (uint32_t t = 4; t <= 6; t++)
		assert_true(reads(&h, 1, t, false));
	assert_true(reads(&h, 0, 4, true)); /* it is the other's as well */
	hand_back(&h, true);
	kit_wait(&h.k, S(6));
	hand_back(&h, true);
	assert_false(reads(&h, 0, 7, false));
	assert_true(reads(&h, 0, 4, false));
	end(&h);
}

/* An engine that was killed has a successor that knows no value yet: the owner
 * does. */
static void test_distinct_dies(void **ctx)
{
	struct home h;

	(void)ctx;
	start(&h, TABLES(WINDOW_DAY, 0));
	for (uint32_t t = 1; t <= 3; t++)
		assert_true(reads(&h, 0, t, false));
	pol_state_free(h.engine[0]);
	h.engine[0] = engine(&h, 0);
	assert_false(reads(&h, 0, 4, false));
	assert_true(reads(&h, 0, 2, false));
	h.away = true;
	assert_false(reads(&h, 0, 3, false));
	end(&h);
}

/* --- connections at once -------------------------------------------------- */

#define AT_ONCE(n_)                                                            \
	((struct pol_limit_phrase){.kind = LIMIT_CONCURRENT,                   \
				   .thing = THING_CONNECTIONS, .n = (n_),      \
				   .text = "connections at once"})

static bool opens(struct home *h, int i, uint64_t flow)
{
	struct pol_msg m = kit_msg(&h->k, DIR_OUT, OBS_C1222_LOGON_REQUEST);
	struct pol_decision d;

	pol_open(h->engine[i], (size_t)i, DIR_OUT, &m.peer, flow, h->k.now,
		 &d);
	if (d.permit)
		pol_commit(h->engine[i]);
	else
		pol_abort(h->engine[i]);
	return d.permit;
}

static void closes(struct home *h, int i, uint64_t flow)
{
	pol_close(h->engine[i], (size_t)i, flow, h->k.now);
}

static void test_at_once(void **ctx)
{
	struct home h;

	(void)ctx;
	start(&h, AT_ONCE(3));
	assert_true(opens(&h, 0, 1));
	assert_true(opens(&h, 0, 2));
	assert_true(opens(&h, 1, 1)); /* another one's */
	assert_false(opens(&h, 0, 3));
	assert_false(opens(&h, 1, 2));
	/* One that ended makes room for the same machine at once, for others
	 * a second later. */
	closes(&h, 0, 2);
	hand_back(&h, false);
	assert_true(opens(&h, 0, 4));
	closes(&h, 0, 4);
	kit_wait(&h.k, S(2));
	hand_back(&h, false);
	assert_true(opens(&h, 1, 3));
	assert_false(opens(&h, 0, 5));
	/* Who is not answered opens nothing. */
	closes(&h, 1, 3);
	kit_wait(&h.k, S(2));
	hand_back(&h, false);
	h.away = true;
	assert_false(opens(&h, 0, 6));
	h.away = false;
	assert_true(opens(&h, 0, 6));
	end(&h);
}

/* What an engine had when it was killed is free when its successor says that it
 * has none; not before. */
static void test_at_once_dies(void **ctx)
{
	struct home h;

	(void)ctx;
	start(&h, AT_ONCE(3));
	for (uint64_t f = 1; f <= 3; f++)
		assert_true(opens(&h, 0, f));
	pol_state_free(h.engine[0]);
	h.engine[0] = engine(&h, 0);
	assert_false(opens(&h, 1, 1));
	kit_wait(&h.k, S(2));
	assert_false(opens(&h, 1, 1));
	h.away = true;
	hand_back(&h, false); /* nobody heard it */
	h.away = false;
	kit_wait(&h.k, S(2));
	assert_false(opens(&h, 1, 1));
	hand_back(&h, false);
	kit_wait(&h.k, S(2));
	for (uint64_t f = 1; f <= 3; f++)
		assert_true(opens(&h, 1, f));
	assert_false(opens(&h, 0, 1));
	end(&h);
}

/* The owner's memory, after it died, is for sets with other machines, too. */
static void test_at_once_owner(void **ctx)
{
	struct home h, other;
	size_t octets;
	void *mem;
	struct pol_state *st;
	enum pol_state_was was;
	uint8_t boot[16] = {1};
	struct pol_grant g;
	struct pol_claim c = {.n = 1};
	struct err e;
	int a, b;

	(void)ctx;
	start_as(&h, AT_ONCE(3), "b", "c", "all");
	octets = pol_state_octets(h.k.set);
	mem = calloc(1, octets);
	assert_non_null(mem);
	assert_int_equal(pol_state_in(&st, h.k.set, mem, octets, boot,
				      h.k.now, &was, &e), 0);
	h.owner = st;
	assert_true(opens(&h, 0, 1));
	assert_true(opens(&h, 1, 1));
	assert_true(opens(&h, 1, 2));
	/* It dies; its memory says what there is. */
	pol_state_free(st);
	assert_int_equal(pol_state_in(&st, h.k.set, mem, octets, boot,
				      h.k.now, &was, &e), 0);
	assert_int_equal(was, POL_STATE_CONTINUED);
	h.owner = st;
	assert_false(opens(&h, 0, 2));
	closes(&h, 1, 2);
	kit_wait(&h.k, S(2));
	hand_back(&h, false);
	assert_true(opens(&h, 0, 2));
	/* Another set: b has another number, c is gone, and the limit has
	 * another name. */
	start_as(&other, AT_ONCE(3), "a", "b", "every");
	pol_state_free(other.owner);
	assert_int_equal(pol_state_new(&other.k.st, other.k.set, &e), 0);
	pol_state_carry(other.k.st, st, h.k.now);
	c.ask[0] = (struct pol_ask){
		.limit = other.k.st->mem.limit[other.k.set->base_limit].id,
		.party = other.k.st->mem.names[other.k.st->mem.m[0].party]};
	a = pol_set_find_machine(other.k.set, span_str("a"));
	b = pol_set_find_machine(other.k.set, span_str("b"));
	assert_true(a >= 0 && b > 0 &&
		    pol_set_find_machine(h.k.set, span_str("b")) == 0);
	c.machine = (uint32_t)a; /* b has two of three */
	c.ask[0].need = c.ask[0].want = 2;
	pol_grant(other.k.st, &c, h.k.now, &g);
	assert_int_equal(g.n, 0);
	c.ask[0].need = c.ask[0].want = 1;
	pol_grant(other.k.st, &c, h.k.now, &g);
	assert_int_equal(g.n, 1);
	c.machine = (uint32_t)b; /* gives one of its two back */
	pol_grant(other.k.st, &c, h.k.now, &g);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.of[0].used, 2);
	end(&other);
	pol_state_free(st);
	free(mem);
	end(&h);
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
		cmocka_unit_test(test_nobody),	 cmocka_unit_test(test_distinct),
		cmocka_unit_test(test_distinct_lease),
		cmocka_unit_test(test_distinct_random),
		cmocka_unit_test(test_distinct_back),
		cmocka_unit_test(test_distinct_dies),
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_at_once_dies),
		cmocka_unit_test(test_at_once_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
