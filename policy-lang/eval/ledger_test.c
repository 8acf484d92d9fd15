/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: what a limit that is new begins with, whatever was renamed,
 * split, taken out and put back, whatever the clocks did.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "policy-lang/eval/housekit.h"
#include "policy-lang/eval/ledger.h"

static const uint8_t boot[16] = {1};

/* --- policies that follow each other -------------------------------------- */

static struct house next; /* the one that is being written */

static void same(void)
{
}
static void rename_rule(void)
{
	next.rule[2].id = "transmit";
}
static void rename_party(void)
{
	next.party[0].id = "utility";
}
static void rename_back(void)
{
	next.party[0].id = "headend";
}
static void rename_policy(void)
{
	next.vendor.id = "w";
}
static void no_limits(void)
{
	next.rule[2].n_limit = 0;
	next.vendor.n_limit = 0;
}
static void no_rule(void)
{
	next.vendor.n_rule = 2;
}
static void no_party(void)
{
	next.vendor.n_rule = 0;
	next.party[0].id = "nobody";
	next.net = kit_net(192, 0, 2, 0, 24);
}
static void week(void)
{
	next.rule[2].n_limit = 2;
	next.lim[CALENDAR].window = WINDOW_WEEK;
	next.lim[SLIDING].window_ns = H(24 * 7);
}
static void month(void)
{
	next.rule[2].n_limit = 2;
	next.lim[CALENDAR].window = WINDOW_MONTH;
	next.lim[SLIDING].window_ns = H(24 * 30);
}
static void hour(void)
{
	next.rule[2].n_limit = 2;
	next.lim[CALENDAR].window = WINDOW_HOUR;
	next.lim[SLIDING].window_ns = H(1);
}
static void to_the_other(void)
{
	static const uint16_t second[] = {1};

	next.rule[2].id = "aside";
	next.rule[2].party.party = second;
}

/* Two readings in the first house; then the houses one after the other. */
struct moved {
	const char *why;
	void (*step[3])(void);
	const char *limit;
	uint64_t used;
	int64_t wait; /* before the first step */
};
static const struct moved moves[] = {
	{"renamed", {rename_rule}, "readings per day", 2, 0},
	{"renamed", {rename_rule}, "readings per 24 h", 2, 0},
	{"renamed", {rename_rule}, "burst 4", 2, 0},
	{"renamed", {rename_rule}, "10 min apart", 1, 0},
	{"renamed, later", {rename_rule}, "10 min apart", 0, MIN(11)},
	{"renamed, later", {rename_rule}, "burst 4", 1, H(3)},
	{"renamed, a day later", {rename_rule}, "readings per day", 0, D(1)},
	{"renamed, a day later", {rename_rule}, "per 24 h", 0, D(1) + H(2)},
	{"without limits for a while", {no_limits, same}, "readings per day",
	 2, 0},
	{"without limits for a while", {no_limits, same}, "10 min apart", 1,
	 0},
	{"without limits for a while", {no_limits, same}, "bytes", 184, 0},
	{"without limits for a while", {no_limits, same}, "refusals per", 0,
	 0},
	{"without its rule for a while", {no_rule, same}, "readings per 24 h",
	 2, 0},
	{"without its party for a while", {no_party, same},
	 "readings per day", 2, 0},
	{"party renamed", {rename_party}, "readings per day", 2, 0},
	{"party renamed, then all", {rename_party, rename_rule},
	 "readings per day", 2, 0},
	{"party renamed and back", {rename_party, rename_back},
	 "readings per day", 2, 0},
	{"gone, then another name", {no_party, rename_party},
	 "readings per day", 2, 0},
	{"policy renamed", {rename_policy}, "readings per 24 h", 2, 0},
	{"a shorter window", {hour}, "readings per hour", 2, 0},
	{"a shorter one, later", {hour}, "readings per hour", 0, H(2)},
	{"a longer window", {week}, "readings per week", 2, 0},
	{"a longer one, later", {week}, "readings per week", 2, D(3)},
	{"in the next week", {week}, "readings per week", 0, D(5)},
	{"sliding, longer", {week}, "per 168 h", 2, D(5)},
	{"sliding, after it", {week}, "per 168 h", 0, D(8)},
	{"a month", {month}, "readings per month", 2, D(4)},
	{"the next month", {month}, "readings per month", 0, D(6)},
	{"thirty days", {month}, "per 720 h", 2, D(29)},
	{"to another party", {to_the_other}, "readings per day", 0, 0},
};

struct want {
	const char *name;
	uint64_t used;
	bool found;
};

static bool look(void *arg, const struct pol_budget *b)
{
	struct want *w = arg;

	if (!strstr(b->name, w->name))
		return true;
	w->found = true;
	w->used = b->used > w->used ? b->used : w->used;
	return true;
}

static uint64_t used_of(const struct kit *k, const char *name)
{
	struct want w = {.name = name};

	pol_budgets(k->st, 0, k->now, look, &w);
	if (!w.found)
		fail_msg("no limit %s", name);
	return w.used;
}

static void phrases(struct house *h)
{
	static char text[2][40];
	static const char *const windows[] = {"", "hour", "day", "week",
					      "month"};

	if (h->lim[CALENDAR].window <= WINDOW_MONTH)
		snprintf(text[0], sizeof(text[0]), "5 readings per %s",
			 windows[h->lim[CALENDAR].window]);
	snprintf(text[1], sizeof(text[1]), "6 readings per %d h",
		 (int)(h->lim[SLIDING].window_ns / H(1)));
	h->lim[CALENDAR].text = text[0];
	h->lim[SLIDING].text = text[1];
}

static void use(struct kit *k)
{
	struct pol_msg m = kit_msg(k, DIR_OUT, OBS_C1222_READ_RESPONSE);
	struct pol_decision d;

	assert_true(house_reading(k, 1, 23));
	assert_true(pol_packet(k->st, 0, DIR_OUT, &m.peer, 184, k->now, &d));
	pol_commit(k->st);
	kit_wait(k, MIN(11));
	assert_true(house_reading(k, 2, 24));
}

/* The next house goes on where k stands. */
static void move(struct kit *k)
{
	struct kit to;

	phrases(&next);
	house_start(&to, &next);
	to.now = k->now;
	assert_int_equal(pol_state_new(&to.st, to.set, &to.e), 0);
	pol_state_carry(to.st, k->st, k->now);
	kit_free(k);
	*k = to;
}

static void begin(struct kit *k)
{
	house_fill(&next);
	house_start(k, &next);
	assert_int_equal(pol_state_new(&k->st, k->set, &k->e), 0);
}

static void test_moves(void **ctx)
{
	(void)ctx;
	for (size_t i = 0; i < sizeof(moves) / sizeof(*moves); i++) {
		const struct moved *c = &moves[i];
		struct kit k;

		begin(&k);
		use(&k);
		kit_wait(&k, c->wait);
		for (int s = 0; s < 3 && c->step[s]; s++) {
			house_fill(&next);
			c->step[s]();
			/* Nothing of before is found under its name. */
			if (c->step[1] == NULL)
				next.rule[2].id = next.rule[2].id[0] == 's'
							  ? "send2"
							  : next.rule[2].id;
			move(&k);
		}
		if (used_of(&k, c->limit) != c->used)
			fail_msg("%s: %s: %d used, not %d", c->why, c->limit,
				 (int)used_of(&k, c->limit), (int)c->used);
		kit_free(&k);
	}
}

/* --- clocks ---------------------------------------------------------------- */

static const struct {
	const char *why;
	int64_t mono, wall;
	bool trusted;
	uint64_t sliding, day, month;
} steps[] = {
	{"none", 0, 0, true, 2, 2, 2},
	{"forwards", 0, D(40), true, 2, 0, 0},
	{"backwards", 0, -D(40), true, 2, 2, 2},
	{"forwards, not trusted", 0, D(40), false, 2, 2, 2},
	/* As a limit that was there would be: its day began with what the
	 * ledger counted in it. */
	{"and a day passes", D(1) + H(1), D(40), false, 0, 0, 2},
	{"far forwards", 0, D(4000), true, 2, 0, 0},
	{"far backwards", 0, -D(18000), true, 2, 2, 2},
};

static void test_clocks(void **ctx)
{
	(void)ctx;
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		struct kit k;

		for (int m = 0; m < 2; m++) {
			begin(&k);
			use(&k);
			kit_wait(&k, steps[i].mono);
			k.now.wall.us += steps[i].wall / 1000;
			k.now.wall.trusted = steps[i].trusted;
			house_fill(&next);
			next.rule[2].id = "transmit";
			if (m)
				next.lim[CALENDAR].window = WINDOW_MONTH;
			move(&k);
			if (used_of(&k, m ? "per month" : "readings per day") !=
			    (m ? steps[i].month : steps[i].day))
				fail_msg("%s: calendar %d: %d", steps[i].why,
					 m, (int)used_of(&k, m ? "per month" : "readings per day"));
			if (used_of(&k, "per 24 h") != steps[i].sliding)
				fail_msg("%s: sliding", steps[i].why);
			kit_free(&k);
		}
	}
}

/* --- full, lost, erased ---------------------------------------------------- */

/* When all rows are used, what comes counts for everyone. */
static void test_full(void **ctx)
{
	struct kit k;
	uint64_t *lg;

	(void)ctx;
	begin(&k);
	assert_true(house_reading(&k, 1, 23));
	lg = k.st->w + k.st->ledger;
	for (uint64_t i = 0; i < 2 * LEDGER_KEYS; i++)
		ledger_find(k.st, 1000 + i, 1, ledger_what(USED_BYTES, DIR_OUT,
							   MEAS_COUNT));
	assert_int_equal(lg[LG_ROWS], LEDGER_KEYS - LEDGER_REST + 1);
	lg[LG_ROWS] = 0; /* none of it is the head-end's */
	for (uint64_t i = 0; i < LEDGER_KEYS; i++)
		ledger_find(k.st, 1000 + i, 1, ledger_what(USED_BYTES, DIR_OUT,
							   MEAS_COUNT));
	kit_wait(&k, MIN(11));
	assert_true(house_reading(&k, 2, 24));
	assert_true(lg[LG_ROWS] <= LEDGER_KEYS);
	house_fill(&next);
	next.rule[2].id = "transmit";
	move(&k);
	assert_true(used_of(&k, "readings per day") >= 1);
	assert_true(used_of(&k, "10 min apart") == 1);
	/* And so it is for a party that never had anything. */
	house_fill(&next);
	to_the_other();
	move(&k);
	assert_true(used_of(&k, "readings per day") >= 1);
	/* What is 400 days old gives its place back. */
	kit_wait(&k, D(401));
	house_fill(&next);
	move(&k);
	assert_true(house_reading(&k, 3, 24));
	house_fill(&next);
	next.rule[2].id = "transmit";
	move(&k);
	assert_int_equal(used_of(&k, "readings per day"), 1);
	kit_free(&k);
}

static void test_lost(void **ctx)
{
	struct kit k;
	enum pol_state_was was;
	size_t n;
	uint64_t *mem, *lg;

	(void)ctx;
	house_fill(&next);
	house_start(&k, &next);
	n = pol_state_octets(k.set);
	mem = calloc(1, n);
	mem[0] = 1; /* not what anybody wrote */
	assert_int_equal(pol_state_in(&k.st, k.set, mem, n, boot, k.now, &was,
				      &k.e), 0);
	assert_int_equal(was, POL_STATE_DAMAGED);
	assert_int_equal(used_of(&k, "readings per day"), 5);
	kit_wait(&k, H(1));
	house_fill(&next);
	next.rule[2].id = "transmit";
	move(&k);
	assert_int_equal(used_of(&k, "readings per day"), 5);
	assert_int_equal(used_of(&k, "readings per 24 h"), 6);
	assert_int_equal(used_of(&k, "distinct"), 3);
	kit_wait(&k, D(1));
	house_fill(&next);
	move(&k);
	assert_int_equal(used_of(&k, "readings per day"), 0);
	assert_int_equal(used_of(&k, "readings per 24 h"), 0);
	/* In this week, but on a day of the one before: the clock was not
	 * trusted when the week was entered. */
	assert_true(house_reading(&k, 1, 23));
	lg = k.st->w + k.st->ledger;
	lg[LG_LOST_NS] = lg[LG_WINDOW(WINDOW_WEEK) + LG_ENTERED];
	lg[LG_LOST_DAY] = lg[LG_DAY] - 7;
	house_fill(&next);
	week();
	move(&k);
	assert_int_equal(used_of(&k, "readings per week"), 5);
	kit_free(&k);
	free(mem);
}

/* Counters that hold something are used up as well as empty ones, and stay so
 * when what they held leaves the window. */
static void test_exhausted(void **ctx)
{
	struct kit k;

	(void)ctx;
	begin(&k);
	use(&k);
	kit_wait(&k, H(23));
	pol_state_exhaust(k.st, k.now);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(used_of(&k, "readings per day"), 5);
		assert_int_equal(used_of(&k, "readings per 24 h"), 6);
		assert_int_equal(used_of(&k, "distinct"), 3);
		assert_false(house_reading(&k, 3, 25));
		/* That was yesterday's; into the same calendar day again. */
		kit_wait(&k, H(2));
		k.now.wall.us -= H(2) / 1000;
	}
	kit_free(&k);
}

struct sum {
	uint64_t days, today;
};

static bool sum_up(void *arg, const struct pol_total *t)
{
	struct sum *s = arg;

	if (strcmp(t->unit, "readings") != 0 || t->meas)
		return true;
	s->today += t->day[0];
	for (int i = 0; i < POL_DAYS; i++)
		s->days += t->day[i];
	return true;
}

static void test_erased(void **ctx)
{
	struct sum s = {0};
	struct kit k;

	(void)ctx;
	begin(&k);
	use(&k);
	kit_wait(&k, D(10));
	assert_true(house_reading(&k, 3, 23));
	pol_ledger(k.st, 0, k.now, sum_up, &s);
	assert_int_equal(s.days, 3);
	assert_int_equal(s.today, 1);
	pol_ledger_erase(k.st, 0, k.now);
	s = (struct sum){0};
	pol_ledger(k.st, 0, k.now, sum_up, &s);
	assert_int_equal(s.days, 1); /* of today, which limits still need */
	house_fill(&next);
	next.rule[2].id = "transmit";
	move(&k);
	assert_int_equal(used_of(&k, "readings per day"), 1);
	kit_free(&k);
}

/* Nobody writes more rows or later times than these. */
static void test_possible(void **ctx)
{
	static const struct {
		const char *why;
		uint32_t at;
		uint64_t v;
	} rows[] = {
		{"rows", LG_ROWS, LEDGER_KEYS + 1},
		{"a day", LG_DAY, UINT64_MAX},
		{"a loss to come", LG_LOST_NS, UINT64_MAX / 4},
		{"a unit", LG_HEAD + LR_WHAT, USED_COUNT},
		{"a type", LG_HEAD + LR_WHAT, (MEAS_COUNT + 1) << 16},
		{"an hour to come", LG_HEAD + LR_HOUR, UINT64_MAX / 4},
		{"a day to come", LG_HEAD + LR_DAY, UINT64_MAX / 4},
		{"a time to come", LG_HEAD + LR_LAST, UINT64_MAX / 4},
	};
	struct kit k;
	uint64_t *lg;

	(void)ctx;
	begin(&k);
	use(&k);
	lg = k.st->w + k.st->ledger;
	assert_true(ledger_possible(lg, k.st->now.mono.ns));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t was = lg[rows[i].at];

		lg[rows[i].at] = rows[i].v;
		if (ledger_possible(lg, k.st->now.mono.ns))
			fail_msg("%s", rows[i].why);
		lg[rows[i].at] = was;
	}
	kit_free(&k);
}

/* However fast octets go, they are asked for some twenty times a second; and
 * never more of them than an eighth of the limit. */
static void test_slices_of_octets(void **ctx)
{
	static const uint64_t rates[] = {100,	   10000,     300000,
					 5000000, 100000000, 2000000000};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		uint64_t most = UINT64_C(1) << 40, slice = 1500;
		unsigned asked = 0;

		/* Two seconds to find the rate, and then one. */
		for (int64_t ns = 0, at; ns < 3 * NS_PER_S; ns = at) {
			at = ns + (int64_t)(slice * NS_PER_S / rates[i]) + 1;
			asked += at >= 2 * NS_PER_S;
			slice = credit_octets(at - ns, slice, most);
			assert_true(slice >= 16384);
			assert_true(slice <= rates[i] / 15 || slice == 16384);
		}
		if (asked > 25)
			fail_msg("%llu octets a second: asked %u times",
				 (unsigned long long)rates[i], asked);
	}
	assert_int_equal(credit_octets(1, UINT64_MAX, 5000), 5000);
	assert_int_equal(credit_octets(0, 0, UINT64_MAX), 16384);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves),	 cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_full),	 cmocka_unit_test(test_lost),
		cmocka_unit_test(test_slices_of_octets),
		cmocka_unit_test(test_exhausted), cmocka_unit_test(test_erased),	 cmocka_unit_test(test_possible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
