/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Law 8 of the language (its section 23), widened by what its section 17
 * promises, over random limits and random lives of a gateway: whatever is
 * killed, restarted, reissued, renamed, split or taken out for a while, and
 * whatever the wall clock does, nothing passes that would not have passed in
 * one run of the first policy without any of it.
 *
 * The oracle is that run: it is given what passed, and must pass it too. A
 * history that breaks the law is cut down, event by event, to one of which
 * every event matters, and printed. LAW_CASES: how many; LAW_SEED: from where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy-lang/eval/housekit.h"

#define CASES  100
#define EVENTS 48

static const uint8_t boot[16] = {1}, another_boot[16] = {2};

struct rng {
	uint64_t x;
};

static uint64_t rnd(struct rng *r, uint64_t n)
{
	r->x ^= r->x << 13;
	r->x ^= r->x >> 7;
	r->x ^= r->x << 17;
	return r->x % n;
}

/* --- what happens ---------------------------------------------------------- */

enum what {
	READING,
	WAITING,
	WALL_STEP, /* trusted or not */
	KILLED,	   /* with a message under way */
	REBOOTED,  /* in order: the stepless clock begins anew */
	RENAMED,   /* rule, party and policy get other names */
	SPLIT,	   /* what passes now falls under another rule, or back */
	ERASED,	   /* at the household's wish; limits are in force */
	WITHOUT,   /* no limit for a while, in which nothing is sent */
	WHATS
};
static const char *const names[WHATS] = {
	"reading", "wait", "wall clock steps", "killed", "rebooted",
	"renamed", "split", "erased", "without limits"};

struct happens {
	enum what what;
	int64_t n;
};

struct life {
	struct pol_limit_phrase limit[3];
	size_t n_limit;
	struct happens ev[EVENTS];
	size_t n;
};

static const int64_t windows[] = {MIN(20), H(1), H(5), H(24), D(3), D(7)};

static void make_limit(struct rng *r, struct pol_limit_phrase *l)
{
	*l = (struct pol_limit_phrase){
		.text = "limit", .n = 1 + rnd(r, 4),
		.thing = rnd(r, 2) ? THING_READINGS : THING_MESSAGES};
	switch (rnd(r, 5)) {
	case 0:
		l->kind = LIMIT_SPACING;
		l->n = 1;
		l->window_ns = windows[rnd(r, 4)];
		break;
	case 1:
		l->kind = LIMIT_BUCKET;
		l->burst = 1 + rnd(r, 3);
		l->window = WINDOW_SLIDING;
		l->window_ns = windows[rnd(r, 6)];
		break;
	case 2:
		l->kind = LIMIT_SLIDING;
		l->window = WINDOW_SLIDING;
		l->window_ns = windows[rnd(r, 6)];
		break;
	case 3:
		l->kind = LIMIT_DISTINCT;
		l->distinct = F_TABLE;
		l->window = WINDOW_DAY;
		break;
	default:
		l->kind = LIMIT_CALENDAR;
		l->window = (enum pol_window)(WINDOW_HOUR + rnd(r, 4));
		break;
	}
}

static void make_life(struct rng *r, struct life *life)
{
	/* Half of all is readings and time between them. */
	static const enum what often[] = {READING, READING, READING, READING,
					  WAITING, WAITING, WAITING,
					  WALL_STEP, KILLED, REBOOTED,
					  RENAMED, RENAMED, SPLIT, ERASED,
					  WITHOUT};

	life->n_limit = 1 + rnd(r, 2);
	for (size_t i = 0; i < life->n_limit; i++)
		make_limit(r, &life->limit[i]);
	life->n = 8 + rnd(r, EVENTS - 8);
	for (size_t i = 0; i < life->n; i++) {
		struct happens *e = &life->ev[i];

		e->what = often[rnd(r, sizeof(often) / sizeof(*often))];
		e->n = (int64_t)rnd(r, 1000);
		if (e->what == WAITING)
			e->n = windows[rnd(r, 5)] * (1 + (int64_t)rnd(r, 9)) /
			       8;
		if (e->what == WALL_STEP)
			e->n = ((int64_t)rnd(r, 9) - 4) * H(11) * 2;
	}
}

/* --- policies -------------------------------------------------------------- */

struct form {
	unsigned name; /* how often it was renamed */
	bool split, without;
};

static void fill(struct house *h, const struct life *life, struct form f)
{
	static char text[3][24];

	house_fill(h);
	h->vendor.n_limit = 0;
	h->vendor.n_state = 0;
	h->rule[1] = h->rule[2];
	h->vendor.n_rule = f.split ? 3 : 2;
	/* The same limits in both: each of the two has all of the first. */
	for (int i = 1; i < 3; i++) {
		h->rule[i].limit = life->limit;
		h->rule[i].n_limit = f.without ? 0 : life->n_limit;
		h->rule[i].has_answers = false;
		h->rule[i].n_answers = 0;
	}
	snprintf(text[0], sizeof(text[0]), "send-%u", f.name);
	snprintf(text[1], sizeof(text[1]), "headend-%u", f.name);
	snprintf(text[2], sizeof(text[2]), "policy-%u", f.name);
	h->rule[1].id = text[0];
	h->party[0].id = text[1];
	h->vendor.id = text[2];
	if (f.split) {
		static struct pol_range lo, hi;
		static struct pol_attr low, high;
		static struct pol_obs_match a, b;

		/* Of two rules each has its own budget from then on; here only
		 * one is used, so the first policy is still the bound. */
		lo = (struct pol_range){31, 40};
		hi = (struct pol_range){20, 30};
		low = high = h->table;
		low.num = &lo;
		high.num = &hi;
		a = b = h->send;
		a.attr = &low;
		b.attr = &high;
		h->rule[1].match = &a;
		h->rule[2].match = &b;
		h->rule[2].id = "send-rest";
	}
}

/* --- a run ----------------------------------------------------------------- */

struct run {
	struct kit k;
	uint64_t *mem;
	size_t room;
	const uint8_t *boot;
	struct form form;
	int64_t mono_off; /* the stepless clock that began anew */
};

static struct now now_of(const struct run *r, struct now now)
{
	now.mono.ns -= r->mono_off;
	return now;
}

static void open_run(struct run *r, const struct life *life, struct now now)
{
	static struct house h;
	enum pol_state_was was;

	fill(&h, life, r->form);
	house_start(&r->k, &h);
	if (pol_state_octets(r->k.set) > r->room)
		fail_msg("more room");
	if (pol_state_in(&r->k.st, r->k.set, r->mem, r->room, r->boot,
			 now_of(r, now), &was, &r->k.e))
		fail_msg("%s", r->k.e.text);
	if (was == POL_STATE_DAMAGED)
		fail_msg("damaged");
}

static bool reading(struct kit *k, struct now now, uint64_t table, bool leave)
{
	struct pol_decision d;
	struct pol_msg m = house_answer(k, 1, table);

	m.now = now;
	pol_judge(k->st, &m, &d);
	if (leave) /* charged: it may have been on its way */
		return d.permit;
	if (d.permit)
		pol_commit(k->st);
	else
		pol_abort(k->st);
	return d.permit;
}

/* One event. True: a reading passed. */
static bool live(struct run *r, const struct life *life,
		 const struct happens *e, struct now *now)
{
	struct form f = r->form;
	bool passed = false;

	switch (e->what) {
	case READING:
		return !f.without && reading(&r->k, now_of(r, *now),
					     20 + (uint64_t)e->n % 8, false);
	case WAITING:
		now->mono.ns += e->n;
		now->wall.us += e->n / 1000;
		return false;
	case WALL_STEP:
		now->wall.us += e->n / 1000;
		now->wall.trusted = (e->n / H(22)) % 2 == 0;
		return false;
	case ERASED:
		if (!f.without)
			pol_ledger_erase(r->k.st, now_of(r, *now));
		return false;
	case KILLED:
		if (!f.without)
			passed = reading(&r->k, now_of(r, *now),
					 20 + (uint64_t)e->n % 8, true);
		break;
	case REBOOTED:
		/* The end in order sees the clocks as they are now: what a
		 * trusted one says later has passed. */
		pol_close(r->k.st, 0, 1, now_of(r, *now));
		pol_state_seal(r->k.st);
		r->boot = r->boot == boot ? another_boot : boot;
		r->mono_off = now->mono.ns - S(5);
		break;
	case RENAMED:
		r->form.name++;
		break;
	case SPLIT:
		r->form.split = !f.split;
		break;
	default:
		r->form.without = !f.without;
		break;
	}
	kit_free(&r->k);
	open_run(r, life, *now);
	return passed;
}

/* The first event that passed and would not have; or -1. */
static int broken(const struct life *life, const bool *off, unsigned *passed)
{
	static struct house plain;
	struct run r = {.boot = boot, .room = 8u << 20};
	struct kit k;
	struct now now = {{S(1000)}, {INT64_C(1795608000) * US_PER_S, 0, 0,
				      true}};
	int found = -1;

	r.mem = calloc(1, r.room);
	open_run(&r, life, now);
	fill(&plain, life, (struct form){0});
	house_start(&k, &plain);
	if (pol_state_new(&k.st, k.set, &k.e))
		fail_msg("%s", k.e.text);
	for (size_t i = 0; i < life->n && found < 0; i++) {
		if (off[i] || !live(&r, life, &life->ev[i], &now))
			continue;
		(*passed)++;
		if (!reading(&k, now, 20 + (uint64_t)life->ev[i].n % 8, false))
			found = (int)i;
	}
	kit_free(&k);
	kit_free(&r.k);
	free(r.mem);
	return found;
}

static void tell(const struct life *life, bool *off, uint64_t seed)
{
	unsigned ignored = 0;

	for (size_t i = 0; i < life->n; i++) {
		off[i] = true;
		off[i] = broken(life, off, &ignored) >= 0;
	}
	for (size_t i = 0; i < life->n_limit; i++)
		print_error("limit: kind %d of thing %d, n %d, burst %d, "
			    "window %d, %lld s\n",
			    life->limit[i].kind, life->limit[i].thing,
			    (int)life->limit[i].n, (int)life->limit[i].burst,
			    life->limit[i].window,
			    (long long)(life->limit[i].window_ns / NS_PER_S));
	for (size_t i = 0; i < life->n; i++) {
		if (!off[i])
			print_error("  %s %lld\n", names[life->ev[i].what],
				    (long long)life->ev[i].n);
	}
	fail_msg("a history that no run without this permits; LAW_SEED=%llu",
		 (unsigned long long)seed);
}

static void test_history(void **ctx)
{
	const char *cases = getenv("LAW_CASES"), *from = getenv("LAW_SEED");
	unsigned long n = cases ? strtoul(cases, NULL, 10) : CASES;
	uint64_t seed = from ? strtoull(from, NULL, 10) : 8;
	unsigned passed = 0;

	(void)ctx;
	print_message("law 8: seed %llu\n", (unsigned long long)seed);
	for (unsigned long i = 0; i < n; i++, seed++) {
		static struct life life;
		bool off[EVENTS] = {false};
		struct rng r = {seed * UINT64_C(0x9e3779b97f4a7c15) + 1};

		make_life(&r, &life);
		if (broken(&life, off, &passed) >= 0)
			tell(&life, off, seed);
	}
	assert_true(passed > n);
}

/* What once was a history that nothing permitted. */
static void test_found(void **ctx)
{
	static const uint64_t seeds[] = {
		1504, /* erased, and a bucket drained longer than its window */
	};
	unsigned passed = 0;

	(void)ctx;
	for (size_t i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++) {
		static struct life life;
		bool off[EVENTS] = {false};
		struct rng r = {seeds[i] * UINT64_C(0x9e3779b97f4a7c15) + 1};

		make_life(&r, &life);
		if (broken(&life, off, &passed) >= 0)
			tell(&life, off, seeds[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
