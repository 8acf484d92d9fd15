/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Law 8 of the language (its section 23), widened by what its section 17
 * promises, over random limits and random lives of a gateway: whatever is
 * killed, restarted, reissued, renamed, split or taken out for a while, and
 * whatever the wall clock does, nothing passes that would not have passed in
 * one run of the first policy without any of it.
 *
 * The oracle is that run: it is given what passed, and must pass it too.
 */
#include "policy-lang/eval/housekit.h"
#include "policy-lang/eval/lawkit.h"

#define EVENTS 48

static const uint8_t boot[16] = {1}, another_boot[16] = {2};

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

static void make_limit(struct draws *d, struct pol_limit_phrase *l)
{
	*l = (struct pol_limit_phrase){
		.text = "limit", .n = 1 + draw(d, 4),
		.thing = draw(d, 2) ? THING_READINGS : THING_MESSAGES};
	switch (draw(d, 5)) {
	case 0:
		l->kind = LIMIT_SPACING;
		l->n = 1;
		l->window_ns = windows[draw(d, 4)];
		break;
	case 1:
		l->kind = LIMIT_BUCKET;
		l->burst = 1 + draw(d, 3);
		l->window = WINDOW_SLIDING;
		l->window_ns = windows[draw(d, 6)];
		break;
	case 2:
		l->kind = LIMIT_SLIDING;
		l->window = WINDOW_SLIDING;
		l->window_ns = windows[draw(d, 6)];
		break;
	case 3:
		l->kind = LIMIT_DISTINCT;
		l->distinct = F_TABLE;
		l->window = WINDOW_DAY;
		break;
	default:
		l->kind = LIMIT_CALENDAR;
		l->window = (enum pol_window)(WINDOW_HOUR + draw(d, 4));
		break;
	}
}

static void make_life(struct draws *d, struct life *life)
{
	/* Most is readings and time between them. */
	static const enum what often[] = {
		READING, READING, READING,   READING, READING, READING,
		READING, WAITING, WAITING,   WAITING, WAITING, WALL_STEP,
		KILLED,	 RENAMED, REBOOTED, SPLIT,   ERASED,  WITHOUT};

	life->n_limit = 1 + draw(d, 2);
	for (size_t i = 0; i < life->n_limit; i++)
		make_limit(d, &life->limit[i]);
	for (life->n = 0; life->n < EVENTS && draw(d, 16); life->n++) {
		struct happens *e = &life->ev[life->n];

		e->what = often[draw(d, sizeof(often) / sizeof(*often))];
		e->n = (int64_t)draw(d, 1000);
		if (e->what == WAITING)
			e->n = windows[draw(d, 5)] * (1 + (int64_t)draw(d, 9)) /
			       8;
		if (e->what == WALL_STEP)
			e->n = ((int64_t)draw(d, 9) - 4) * H(11) * 2;
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
			pol_ledger_erase(r->k.st, 0, now_of(r, *now));
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

static void tell(const struct law *l, const struct life *life)
{
	for (size_t i = 0; i < life->n_limit; i++)
		law_tell(l, "limit: kind %d of thing %d, n %d, burst %d, "
			    "window %d, %lld s\n",
			 life->limit[i].kind, life->limit[i].thing,
			 (int)life->limit[i].n, (int)life->limit[i].burst,
			 life->limit[i].window,
			 (long long)(life->limit[i].window_ns / NS_PER_S));
	for (size_t i = 0; i < life->n; i++)
		law_tell(l, "  %s %lld\n", names[life->ev[i].what],
			 (long long)life->ev[i].n);
}

enum { SAW_PASSED, SAW_SEVERAL, SAW_KILLED, SAW_REBOOTED, SAW_STEP, SAW_FORM,
       SAW_FULL };

static bool lives(struct law *l, const struct life *life)
{
	static struct house plain;
	static uint64_t *mem;
	struct run r = {.boot = boot, .room = 2u << 20};
	struct kit k;
	struct now now = {{S(1000)}, {INT64_C(1795608000) * US_PER_S, 0, 0,
				      true}};
	unsigned passed = 0;
	bool held = true;

	tell(l, life);
	if (!mem)
		mem = malloc(r.room);
	memset(mem, 0, r.room);
	r.mem = mem;
	open_run(&r, life, now);
	fill(&plain, life, (struct form){0});
	house_start(&k, &plain);
	if (pol_state_new(&k.st, k.set, &k.e))
		fail_msg("%s", k.e.text);
	for (size_t i = 0; i < life->n && held; i++) {
		const struct happens *e = &life->ev[i];
		bool reads = e->what == READING || e->what == KILLED;

		/* Between what passed: it is what may be given back. */
		l->saw[SAW_KILLED] |= passed && e->what == KILLED;
		l->saw[SAW_REBOOTED] |= passed && e->what == REBOOTED;
		l->saw[SAW_STEP] |= passed && e->what == WALL_STEP;
		l->saw[SAW_FORM] |= passed && e->what > REBOOTED;
		if (!live(&r, life, e, &now)) {
			l->saw[SAW_FULL] |= reads && !r.form.without;
			continue;
		}
		passed++;
		if (!reading(&k, now, 20 + (uint64_t)e->n % 8, false))
			held = law_broken(l, "event %zu: no run without this "
					     "permits it",
					  i);
	}
	l->saw[SAW_PASSED] = passed > 0;
	l->saw[SAW_SEVERAL] = passed > 2;
	kit_free(&k);
	kit_free(&r.k);
	return held;
}

static bool law_8(struct law *l)
{
	static struct life life;

	make_life(&l->history, &life);
	return lives(l, &life);
}

/* What the law found once. */
static void test_found(void **ctx)
{
	static const struct {
		const char *why;
		struct life life;
	} rows[] = {
		{"a bucket was not empty when what it remembers began",
		 {.limit = {{.kind = LIMIT_BUCKET, .thing = THING_READINGS,
			     .n = 4, .burst = 3, .window = WINDOW_SLIDING,
			     .window_ns = D(3), .text = "limit"}},
		  .n_limit = 1,
		  .ev = {{READING, 0}, {READING, 0}, {READING, 0},
			 {WAITING, H(36)}, {READING, 0}, {READING, 0},
			 {WAITING, H(18)}, {ERASED, 0}, {SPLIT, 0},
			 {READING, 0}, {READING, 0}},
		  .n = 11}},
		{"a limit that was away stayed in a day that others had left",
		 {.limit = {{.kind = LIMIT_DISTINCT, .distinct = F_TABLE,
			     .n = 2, .window = WINDOW_DAY, .text = "limit"}},
		  .n_limit = 1,
		  .ev = {{READING, 0}, {WITHOUT, 0}, {WAITING, H(36)},
			 {WALL_STEP, H(22)}, {WITHOUT, 0}, {READING, 0},
			 {WALL_STEP, -H(44)}, {READING, 1}, {READING, 2}},
		  .n = 9}},
		{"the same of an hour",
		 {.limit = {{.kind = LIMIT_CALENDAR, .thing = THING_READINGS,
			     .n = 2, .window = WINDOW_HOUR, .text = "limit"}},
		  .n_limit = 1,
		  .ev = {{READING, 0}, {WITHOUT, 0}, {WAITING, H(27)},
			 {WALL_STEP, H(66)}, {WITHOUT, 0}, {READING, 0},
			 {WALL_STEP, -H(88)}, {READING, 0}, {READING, 0}},
		  .n = 9}},
		{"one that began late stayed in a day that was over",
		 {.limit = {{.kind = LIMIT_DISTINCT, .distinct = F_TABLE,
			     .n = 2, .window = WINDOW_DAY, .text = "limit"}},
		  .n_limit = 1,
		  .ev = {{WALL_STEP, H(22)}, {READING, 0}, {WAITING, H(15)},
			 {SPLIT, 0}, {READING, 2}, {WALL_STEP, 0},
			 {READING, 1}, {READING, 0}},
		  .n = 8}},
		{"a week that began with a day of an untrusted clock was not "
		 "entered",
		 {.limit = {{.kind = LIMIT_CALENDAR, .thing = THING_MESSAGES,
			     .n = 2, .window = WINDOW_WEEK, .text = "limit"}},
		  .n_limit = 1,
		  .ev = {{READING, 0}, {WAITING, H(45)}, {WALL_STEP, H(66)},
			 {READING, 0}, {WALL_STEP, 0}, {READING, 0},
			 {READING, 0}, {SPLIT, 0}, {READING, 0}},
		  .n = 9}},
		{"what a week of an untrusted clock counted on a day of the "
		 "week before was not used",
		 {.limit = {{.kind = LIMIT_CALENDAR, .thing = THING_READINGS,
			     .n = 1, .window = WINDOW_WEEK, .text = "limit"}},
		  .n_limit = 1,
		  .ev = {{READING, 0}, {WAITING, H(72)}, {WALL_STEP, -H(66)},
			 {WAITING, H(81)}, {WAITING, H(15)}, {READING, 0},
			 {WALL_STEP, -H(88)}, {SPLIT, 0}, {READING, 0}},
		  .n = 9}},
		{"such a day was erased",
		 {.limit = {{.kind = LIMIT_CALENDAR, .thing = THING_READINGS,
			     .n = 2, .window = WINDOW_WEEK, .text = "limit"}},
		  .n_limit = 1,
		  .ev = {{READING, 0}, {WAITING, H(72)}, {WALL_STEP, -H(66)},
			 {WAITING, H(81)}, {WAITING, H(15)}, {READING, 0},
			 {WAITING, H(24)}, {READING, 0}, {ERASED, 0},
			 {WALL_STEP, -H(88)}, {SPLIT, 0}, {READING, 0}},
		  .n = 12}}};
	static struct law l;

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (!lives(&l, &rows[i].life))
			fail_msg("%s: %s", rows[i].why, l.why);
	}
}

static void test_history(void **ctx)
{
	static const struct law_share shares[] = {
		{"permitted", 60}, {"several", 20}, {"killed", 20},
		{"rebooted", 20}, {"wall clock stepped", 20},
		{"renamed, split, erased or without", 30},
		{"refused", 50}, {0}};

	(void)ctx;
	law_run("law 8", law_8, shares);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
