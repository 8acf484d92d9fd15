/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "policy-lang/analysis/bound.h"
#include "policy-lang/eval/lawkit.h"
#include "policy-lang/eval/testkit.h"

/* --- the closed forms, by hand ------------------------------------------- */

static struct lay_limit calendar(uint64_t n, enum pol_window w)
{
	return (struct lay_limit){.kind = LIMIT_CALENDAR, .n = n,
				  .thing = THING_READINGS, .window = (uint8_t)w};
}

static struct lay_limit spacing(int64_t ns)
{
	return (struct lay_limit){.kind = LIMIT_SPACING, .n = 1,
				  .window_ns = ns};
}

static struct lay_limit sliding(uint64_t n, int64_t ns)
{
	return (struct lay_limit){.kind = LIMIT_SLIDING, .n = n,
				  .thing = THING_READINGS,
				  .window = WINDOW_SLIDING, .window_ns = ns};
}

static struct lay_limit bucket(uint64_t n, int64_t ns, uint64_t burst)
{
	return (struct lay_limit){.kind = LIMIT_BUCKET, .n = n, .burst = burst,
				  .thing = THING_READINGS,
				  .window = WINDOW_SLIDING, .window_ns = ns};
}

static void test_any_interval(void **ctx)
{
	const struct {
		struct lay_limit l;
		int64_t ns;
		uint64_t most;
	} rows[] = {
		{spacing(H(20)), 1, 1},
		{spacing(H(20)), H(20), 1},
		{spacing(H(20)), H(20) + 1, 2},
		{spacing(H(20)), H(24), 2},
		{calendar(3, WINDOW_HOUR), 1, 6},
		{calendar(3, WINDOW_HOUR), H(1), 6},
		{calendar(3, WINDOW_HOUR), H(1) + 1, 9},
		{calendar(1, WINDOW_DAY), D(1), 2},
		{calendar(1, WINDOW_DAY), D(365), 366},
		{calendar(1, WINDOW_WEEK), D(365), 54},
		{calendar(2, WINDOW_MONTH), 1, 4},
		{calendar(2, WINDOW_MONTH), D(28), 4},
		{calendar(2, WINDOW_MONTH), D(28) + 1, 6},
		{calendar(1, WINDOW_MONTH), D(59), 3},
		{calendar(1, WINDOW_MONTH), D(89) + 1, 5},
		{calendar(240, WINDOW_MONTH), D(365), 3120},
		{calendar(240, WINDOW_MONTH), D(365) + 1, 3360},
		{calendar(1, WINDOW_BILLING), D(30), 3},
		{calendar(5, WINDOW_YEAR), D(365), 10},
		{sliding(4, H(1)), H(1), 4},
		{sliding(4, H(1)), H(1) + 1, 8},
		{bucket(6, H(1), 3), MIN(9), 3},
		{bucket(6, H(1), 3), MIN(10), 4},
		{bucket(6, H(1), 3), H(1), 9},
		{calendar(1 << 30, WINDOW_HOUR), INT64_MAX,
		 ((uint64_t)1 << 30) * (2562047 + 1 + 1)},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t n = most_in(&rows[i].l, rows[i].ns);

		if (n != rows[i].most)
			fail_msg("row %zu: %llu", i, (unsigned long long)n);
	}
}

static void test_spans(void **ctx)
{
	const struct {
		struct lay_limit l;
		enum most_span s;
		unsigned billing_day;
		uint64_t most;
	} rows[] = {
		{calendar(1, WINDOW_DAY), MOST_DAY, 0, 1},
		{calendar(1, WINDOW_DAY), MOST_24H, 0, 2},
		{calendar(1, WINDOW_DAY), MOST_YEAR, 0, 365},
		{calendar(1, WINDOW_WEEK), MOST_YEAR, 0, 53},
		{calendar(1, WINDOW_WEEK), MOST_365D, 0, 54},
		{calendar(1, WINDOW_MONTH), MOST_YEAR, 0, 12},
		{calendar(1, WINDOW_BILLING), MOST_YEAR, 0, 13},
		{calendar(1, WINDOW_BILLING), MOST_YEAR, 1, 12},
		{calendar(1, WINDOW_BILLING), MOST_MONTH, 15, 2},
		{calendar(1, WINDOW_MONTH), MOST_BILLING, 1, 1},
		{calendar(1, WINDOW_HOUR), MOST_HOUR, 0, 1},
		{spacing(H(20)), MOST_DAY, 0, 2},
		{spacing(D(6)), MOST_YEAR, 0, 61},
		{calendar(1, WINDOW_HOUR), MOST_ANY_YEAR, 0, 8784},
		{calendar(1, WINDOW_DAY), MOST_ANY_YEAR, 0, 366},
		{calendar(1, WINDOW_WEEK), MOST_ANY_YEAR, 0, 54},
		{calendar(1, WINDOW_MONTH), MOST_ANY_YEAR, 0, 12},
		{calendar(1, WINDOW_BILLING), MOST_ANY_YEAR, 1, 12},
		{calendar(1, WINDOW_BILLING), MOST_ANY_YEAR, 0, 13},
		{calendar(1, WINDOW_YEAR), MOST_ANY_YEAR, 0, 1},
		{sliding(1, D(1)), MOST_ANY_YEAR, 0, 366},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t n = most_span(&rows[i].l, rows[i].s,
				       rows[i].billing_day);

		if (n != rows[i].most)
			fail_msg("row %zu: %llu", i, (unsigned long long)n);
	}
}

static void test_without_end(void **ctx)
{
	struct lay_limit l = calendar(UINT64_MAX / 2, WINDOW_HOUR);
	struct lay_limit distinct = {.kind = LIMIT_DISTINCT, .n = 4};

	(void)ctx;
	assert_true(most_in(&l, H(10)) == MOST_UNLIMITED);
	assert_true(most_in(&distinct, 1) == MOST_UNLIMITED);
	assert_true(most_add(MOST_UNLIMITED, 1) == MOST_UNLIMITED);
	assert_true(most_add(MOST_UNLIMITED - 1, 1) == MOST_UNLIMITED);
	assert_true(most_mul(MOST_UNLIMITED, 0) == 0);
	assert_true(most_mul(MOST_UNLIMITED, 3) == MOST_UNLIMITED);
	assert_true(most_mul(1ull << 63, 2) == MOST_UNLIMITED);
}

static uint64_t one_limit(const void *arg, int64_t ns)
{
	return most_held(arg, ns);
}

/* The forms of section 11.5 for the shortest span that holds n. */
static void test_shortest(void **ctx)
{
	const struct {
		struct lay_limit l;
		uint64_t n;
		int64_t ns;
	} rows[] = {
		{spacing(H(20)), 1, 0},
		{spacing(H(20)), 9, 8 * H(20)},
		{calendar(1, WINDOW_DAY), 2, 0},
		{calendar(1, WINDOW_DAY), 9, D(7)},
		{calendar(1, WINDOW_MONTH), 9, D(212)},
		{calendar(3, WINDOW_WEEK), 9, D(7)},
		{sliding(4, H(1)), 9, H(2)},
		{bucket(6, H(1), 3), 9, H(1)},
		{bucket(1, H(20), 1), 9, 8 * H(20)},
		{bucket(1, MIN(50), 1), 9, 8 * MIN(50)},
		{bucket(6, H(1), 3), 3, 0},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ns = most_shortest(one_limit, &rows[i].l, rows[i].n);

		if (ns != rows[i].ns)
			fail_msg("row %zu: %lld", i, (long long)ns);
	}
}

/* What is found by halving is found at once. */
static void test_reach(void **ctx)
{
	const struct lay_limit rows[] = {
		spacing(1), spacing(H(20)), spacing(D(300)),
		calendar(0, WINDOW_DAY), calendar(1, WINDOW_HOUR),
		calendar(7, WINDOW_DAY), calendar(1, WINDOW_WEEK),
		calendar(1, WINDOW_MONTH), calendar(3, WINDOW_BILLING),
		calendar(1, WINDOW_YEAR), calendar(UINT64_C(1) << 53, WINDOW_DAY),
		sliding(1, 1), sliding(4, H(1)), sliding(0, H(1)),
		bucket(6, H(1), 3), bucket(7, 3, 1), bucket(1, D(40), 2),
		bucket(3, 7, UINT64_C(1) << 53),
		{.kind = LIMIT_BUCKET, .n = 1000, .burst = 3, .window_ns = 7,
		 .thing = THING_BYTES},
		{.kind = LIMIT_DISTINCT, .n = 4}};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (uint64_t k = 0; k < 3000; k++) {
			uint64_t n = k < 1500 ? k : k * k * k * k * k;
			int64_t ns = most_reach(&rows[i], n);
			int64_t is = most_shortest(one_limit, &rows[i], n);

			if (ns != is)
				fail_msg("row %zu: %lld, not %lld, of %llu", i,
					 (long long)ns, (long long)is,
					 (unsigned long long)n);
		}
	}
}

/* --- against the gateway's own counters ---------------------------------- */

static struct pol_limit_phrase random_limit(struct draws *r)
{
	static const enum pol_window windows[] = {WINDOW_HOUR, WINDOW_DAY,
						  WINDOW_WEEK, WINDOW_MONTH};
	struct pol_limit_phrase l = {.thing = draw(r, 2) ? THING_READINGS
							: THING_MESSAGES,
				     .n = 1 + draw(r, 5),
				     .text = "a limit"};

	switch (draw(r, 4)) {
	case 0:
		l.kind = LIMIT_SPACING;
		l.n = 1;
		l.window_ns = S(60 + (int64_t)draw(r, 90000));
		break;
	case 1:
		l.kind = LIMIT_SLIDING;
		l.window = WINDOW_SLIDING;
		l.window_ns = S(600 + (int64_t)draw(r, 300000));
		break;
	case 2:
		l.kind = LIMIT_BUCKET;
		l.window = WINDOW_SLIDING;
		l.burst = 1 + draw(r, 4);
		l.window_ns = S(600 + (int64_t)draw(r, 300000));
		break;
	default:
		l.kind = LIMIT_CALENDAR;
		l.window = windows[draw(r, 4)];
		break;
	}
	return l;
}

#define STEPS 220

static int64_t any_time(struct draws *r, uint64_t s)
{
	return S((int64_t)draw(r, s)) + (int64_t)draw(r, NS_PER_S);
}

/* Readings the machine gets out by asking again as early as may be, now and
 * then later. Times in ns, at most STEPS; returns how many. */
static size_t adversary(struct kit *k, struct draws *r, bool greedy,
			int64_t *at)
{
	size_t n = 0;

	kit_wait(k, any_time(r, 35 * 86400));
	for (unsigned tries = 0; n < STEPS && tries < 3 * STEPS; tries++) {
		struct pol_msg m = kit_msg(k, DIR_OUT,
					   OBS_C1222_READ_RESPONSE);
		struct pol_decision d;

		obs_u64(&k->leaf[0], F_MEASUREMENT,
			MEAS_BIT(MEAS_ENERGY_REGISTER));
		if (kit_judge(k, &m, &d))
			at[n++] = k->now.mono.ns;
		else if (d.wait_ns < 0)
			break;
		else
			kit_wait(k, d.wait_ns > US_PER_S ? d.wait_ns
							 : US_PER_S);
		if (!greedy && one_in(r, 8))
			kit_wait(k, any_time(r, 2 * 86400));
	}
	return n;
}

static void kit_data(struct kit *k, const struct pol_data_src *data,
		     const struct pol_limit_phrase *l, size_t n,
		     const struct pol_limit_src *top, size_t n_top)
{
	static const uint16_t headend[] = {0};
	struct pol_obs_match m = {
		.kinds = kit_kind(OBS_C1222_READ_RESPONSE)};
	struct pol_prefix net = kit_net(203, 0, 113, 0, 28);
	struct pol_party_src party = {.id = "headend", .name = "H",
				      .role = ROLE_METERING, .addr = &net,
				      .n_addr = 1};
	struct pol_rule_src rule = {
		.kind = RULE_GRANT, .id = "send", .dir = DIRSEL_OUT,
		.party = {.party = headend, .n_party = 1}, .match = &m,
		.n_match = 1, .limit = l, .n_limit = n, .data = *data};
	struct pol_file vendor = {.kind = POL_VENDOR, .unique = true, .id = "v",
				  .vm = "mdma", .party = &party, .n_party = 1,
				  .rule = &rule, .n_rule = 1, .limit = top,
				  .n_limit = n_top};

	memset(k, 0, sizeof(*k));
	if (kit_add(k, &vendor) || kit_go(k))
		fail_msg("%s", k->e.text);
}

static void kit_limits(struct kit *k, const struct pol_limit_phrase *l,
		       size_t n, const struct pol_limit_src *top, size_t n_top)
{
	static const struct pol_data_src data = {
		.present = true, .meas = MEAS_BIT(MEAS_ENERGY_REGISTER)};

	kit_data(k, &data, l, n, top, n_top);
}

/* Most of them within ns, its end excluded. */
static uint64_t densest(const int64_t *at, size_t n, int64_t ns)
{
	size_t from = 0, best = 0;

	for (size_t i = 0; i < n; i++) {
		while (at[i] - at[from] >= ns)
			from++;
		best = i - from + 1 > best ? i - from + 1 : best;
	}
	return best;
}

/* The least time from one of them to the one that is gaps later. */
static int64_t closest(const int64_t *at, size_t n, size_t gaps)
{
	int64_t best = INT64_MAX;

	for (size_t i = gaps; i < n; i++) {
		int64_t ns = at[i] - at[i - gaps];

		best = ns < best ? ns : best;
	}
	return best;
}

/* --- law 6 ---------------------------------------------------------------- */

#define LENS 4

struct limits {
	struct pol_limit_phrase l[3];
	struct pol_limit_src top;
	size_t n, n_top;
	int64_t len[LENS];
};

/* Of one limit alone, by its kind: the most that was had of the bound, and the
 * least of the best, in percent; of so many bounds. */
static unsigned best[LIMIT_DISTINCT], least[LIMIT_DISTINCT], had_of;

static void make_limits(struct draws *d, struct limits *p)
{
	*p = (struct limits){
		.n = 1 + draw(d, 3), .n_top = draw(d, 2),
		.top = {.id = "top", .dir = DIRSEL_ANY, .party.any = true,
			.vm.any = true}};
	for (size_t j = 0; j < p->n; j++)
		p->l[j] = random_limit(d);
	p->top.phrase = random_limit(d);
	for (size_t j = 0; j < LENS; j++)
		p->len[j] = S(1 + (int64_t)draw(d, 86400u * 20));
}

static void tell_limits(const struct law *l, const struct limits *p)
{
	for (size_t i = 0; i < p->n + p->n_top; i++) {
		const struct pol_limit_phrase *x =
			i < p->n ? &p->l[i] : &p->top.phrase;

		law_tell(l, "%s: kind %d of thing %d, n %d, burst %d, window "
			    "%d, %lld s\n",
			 i < p->n ? "limit" : "at top", x->kind, x->thing,
			 (int)x->n, (int)x->burst, x->window,
			 (long long)(x->window_ns / NS_PER_S));
	}
}

static uint64_t most_of(const struct bound *b, int64_t ns)
{
	const struct bound_recipient *one = &b->r[0];

	return bound_most(b, &one, 1, 0, THING_READINGS,
			  (struct bound_in){.ns = ns});
}

/* One history. seen: the most in each of the intervals so far. */
static bool no_more(struct law *l, const struct limits *p, bool greedy,
		    uint64_t seen[LENS], uint64_t most[LENS])
{
	int64_t at[STEPS];
	struct bound *b = NULL;
	bool held = true;
	struct kit k;
	size_t n;

	kit_limits(&k, p->l, p->n, &p->top, p->n_top);
	n = adversary(&k, &l->history, greedy, at);
	for (size_t i = 0; l->tell && i < n; i++)
		law_tell(l, "  reading at %.3f s\n", (double)at[i] / NS_PER_S);
	assert_int_equal(bound_new(&b, k.set, false, &k.e), 0);
	assert_int_equal(b->n, 1);
	l->saw[0] |= n > 8;
	/* Nor closer together than the spacing. */
	if (n > 8 && closest(at, n, 8) / 8 < b->r[0].flow[0].spacing_ns)
		held = law_broken(l, "closer than the spacing");
	if (n > 32 && closest(at, n, 32) / 32 < bound_together(b, &b->r[0], 0))
		held = law_broken(l, "closer than together");
	for (size_t j = 0; j < LENS; j++) {
		uint64_t got = densest(at, n, p->len[j]);

		most[j] = most_of(b, p->len[j]);
		if (held && got > most[j])
			held = law_broken(l, "%llu in %lld s, bound %llu",
					  (unsigned long long)got,
					  (long long)(p->len[j] / NS_PER_S),
					  (unsigned long long)most[j]);
		l->saw[1] |= got > 1 && got == most[j];
		seen[j] = got > seen[j] ? got : seen[j];
	}
	bound_free(b);
	kit_free(&k);
	return held;
}

/* Never more than the bound, whatever is asked when; and of one limit alone at
 * least a quarter of it can really be had in a few attempts. */
static bool law_6(struct law *l)
{
	static struct limits p;
	uint64_t seen[LENS] = {0}, most[LENS];
	bool alone;

	if (!l->same_policy)
		make_limits(&l->policy, &p);
	tell_limits(l, &p);
	alone = p.n == 1 && p.n_top == 0;
	for (unsigned run = 0; run < (alone ? 6 : 1); run++) {
		bool greedy = alone ? run % 2 : draw(&l->history, 2);

		if (!no_more(l, &p, greedy, seen, most))
			return false;
	}
	for (size_t j = 0; alone && j < LENS; j++) {
		unsigned kind = p.l[0].kind, got;

		if (most[j] == 0 || most[j] >= STEPS / 2)
			continue;
		/* Both ends of it are in reach. */
		if (seen[j] * 4 < most[j])
			return law_broken(l, "%llu of %llu",
					  (unsigned long long)seen[j],
					  (unsigned long long)most[j]);
		got = (unsigned)(seen[j] * 100 / most[j]);
		had_of++;
		best[kind] = got > best[kind] ? got : best[kind];
		least[kind] = got < least[kind] ? got : least[kind];
	}
	l->saw[2] = alone;
	return true;
}

static void test_no_history_exceeds_it(void **ctx)
{
	static const struct law_share shares[] = {
		{"several readings", 60}, {"all of the bound", 30},
		{"one limit alone", 10}, {0}};

	(void)ctx;
	memset(least, 0xff, sizeof(least));
	law_run("law 6", law_6, shares);
	print_message("# law 6: of %u bounds of one limit had at least and at "
		      "most: calendar %u to %u %%, sliding %u to %u %%, bucket "
		      "%u to %u %%, spacing %u to %u %%\n",
		      had_of, least[LIMIT_CALENDAR], best[LIMIT_CALENDAR],
		      least[LIMIT_SLIDING], best[LIMIT_SLIDING],
		      least[LIMIT_BUCKET], best[LIMIT_BUCKET],
		      least[LIMIT_SPACING], best[LIMIT_SPACING]);
	for (size_t k = 0; had_of >= 1000 && k < LIMIT_DISTINCT; k++)
		assert_true(best[k] == 100);
}

/* privacy.md 8, step 5. */
static void test_values(void **ctx)
{
	const struct {
		enum meas meas;
		int64_t gran, history, delay;
		uint32_t channels;
		uint64_t readings, values; /* a day; values 0: any */
		uint64_t day, backlog;
	} rows[] = {
		{MEAS_ENERGY_INTERVAL, MIN(30), D(35), H(6), 0, 1, 0, 48, 1668},
		{MEAS_ENERGY_INTERVAL, MIN(30), D(35), H(6), 3, 1, 0, 144,
		 5004},
		{MEAS_ENERGY_INTERVAL, MIN(30), D(35), H(6), 3, 1, 10, 10,
		 5004},
		/* As many as the readings hold. */
		{MEAS_ENERGY_INTERVAL, MIN(30), H(2), 0, 3, 2, 0, 24, 12},
		/* What is longer than a day ends on some day. */
		{MEAS_ENERGY_INTERVAL, D(2), D(35), 0, 2, 1, 0, 2, 34},
		{MEAS_ENERGY_INTERVAL, H(7), D(35), 0, 1, 1, 0, 4, 120},
		{MEAS_ENERGY_REGISTER, 0, 0, 0, 0, 2, 0, 2, 0},
		{MEAS_ENERGY_REGISTER, 0, 0, 0, 4, 2, 0, 8, 0},
		{MEAS_ENERGY_REGISTER, 0, 0, 0, 4, 2, 5, 5, 0},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pol_data_src data = {
			.present = true, .meas = MEAS_BIT(rows[i].meas),
			.has_gran = rows[i].gran > 0,
			.gran_lo_ns = rows[i].gran,
			.has_history = rows[i].history > 0,
			.history_ns = rows[i].history,
			.has_delay = rows[i].delay > 0,
			.delay_ns = rows[i].delay,
			.has_channels = rows[i].channels > 0,
			.channels = rows[i].channels};
		struct pol_limit_phrase l[2] = {
			{.kind = LIMIT_CALENDAR, .thing = THING_READINGS,
			 .n = rows[i].readings, .window = WINDOW_DAY,
			 .text = "readings"},
			{.kind = LIMIT_CALENDAR, .thing = THING_VALUES,
			 .n = rows[i].values, .window = WINDOW_DAY,
			 .text = "values"}};
		const struct bound_flow *f;
		struct bound *b = NULL;
		struct kit k;

		kit_data(&k, &data, l, rows[i].values ? 2 : 1, NULL, 0);
		assert_int_equal(bound_new(&b, k.set, false, &k.e), 0);
		assert_int_equal(b->n, 1);
		assert_int_equal(b->r[0].n_flow, 1);
		f = &b->r[0].flow[0];
		if (f->values_day != rows[i].day ||
		    f->backlog != rows[i].backlog)
			fail_msg("row %zu: %llu a day, %llu at first", i,
				 (unsigned long long)f->values_day,
				 (unsigned long long)f->backlog);
		bound_free(b);
		kit_free(&k);
	}
}

/* --- values ------------------------------------------------------------------- */

#define QUANTITIES 6
#define INTERVALS  4000 /* 40 days of a quarter of an hour */
#define DAYS	   12

/* A grant of a series, and what was seen of it: a bit per interval, from 2026
 * on, and quantity. */
struct series {
	struct pol_data_src data;
	struct pol_limit_phrase l[2];
	size_t n;
	uint8_t seen[INTERVALS];
	uint64_t got[QUANTITIES], all;
};

static void make_series(struct draws *d, struct series *s)
{
	static const int64_t grans[] = {MIN(15), MIN(30), H(1), H(7), D(1)};

	*s = (struct series){
		.n = 1 + draw(d, 2),
		.data = {.present = true, .has_gran = true, .has_history = true,
			 .meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),
			 .gran_lo_ns = grans[draw(d, 5)],
			 .history_ns = D(1 + (int64_t)draw(d, 14)),
			 .has_delay = true, .delay_ns = H((int64_t)draw(d, 20)),
			 .has_channels = draw(d, 2), .channels = 1}};
	s->data.channels += (uint32_t)draw(d, QUANTITIES);
	s->l[0] = (struct pol_limit_phrase){
		.kind = LIMIT_CALENDAR, .thing = THING_READINGS,
		.n = 1 + draw(d, 4), .window = WINDOW_DAY, .text = "readings"};
	s->l[1] = (struct pol_limit_phrase){
		.kind = LIMIT_CALENDAR, .thing = THING_VALUES,
		.n = 1 + draw(d, 300), .window = WINDOW_DAY, .text = "values"};
}

/* So many quantities, of the intervals from one to another: counted if they
 * pass. */
static bool send_series(struct kit *k, struct series *s, int64_t from,
			int64_t to, unsigned quantities)
{
	struct pol_msg m = kit_msg(k, DIR_OUT, OBS_C1222_READ_RESPONSE);
	int64_t g = s->data.gran_lo_ns / NS_PER_S;
	struct pol_decision d;

	obs_u64(&k->leaf[0], F_MEASUREMENT, s->data.meas);
	obs_u64(&k->leaf[0], F_GRANULARITY, (uint64_t)g);
	obs_i64(&k->leaf[0], F_OLDEST, from * g);
	obs_i64(&k->leaf[0], F_NEWEST, to * g);
	obs_u64(&k->leaf[0], F_VALUES, (uint64_t)(to - from) * quantities);
	obs_u64(&k->leaf[0], F_CHANNELS, quantities);
	if (!kit_judge(k, &m, &d))
		return false;
	for (int64_t i = from; i < to; i++) {
		for (unsigned q = 0; q < quantities; q++) {
			uint8_t *at = &s->seen[i % INTERVALS];

			s->got[q] += !(*at >> q & 1);
			s->all += !(*at >> q & 1);
			*at |= (uint8_t)(1u << q);
		}
	}
	return true;
}

/* Over days in a row from the first contact on, whatever is asked for when. */
static bool law_values(struct law *l)
{
	static struct series s;
	const struct bound_flow *f;
	struct bound *b = NULL;
	bool held = true;
	uint64_t most, got = 0;
	struct kit k;
	int64_t first;

	if (!l->same_policy)
		make_series(&l->policy, &s);
	memset(s.seen, 0, sizeof(s.seen));
	memset(s.got, 0, sizeof(s.got));
	s.all = 0;
	kit_data(&k, &s.data, s.l, s.n, NULL, 0);
	kit_wait(&k, any_time(&l->history, 86400));
	first = k.now.wall.us / US_PER_S / 86400;
	for (;;) {
		int64_t g = s.data.gran_lo_ns, now = k.now.wall.us * 1000;
		int64_t newest = (now - s.data.delay_ns) / g;
		int64_t oldest = (now - s.data.history_ns + g - 1) / g;
		unsigned q = 1 + (unsigned)draw(&l->history,
						s.data.has_channels
							? s.data.channels
							: QUANTITIES);

		if (newest > oldest && one_in(&l->history, 3))
			oldest += (int64_t)draw(&l->history,
						(uint64_t)(newest - oldest));
		/* Where all are too many, fewer may do. */
		while (newest > oldest &&
		       !send_series(&k, &s, oldest, newest, q))
			oldest += (newest - oldest + 1) / 2;
		kit_wait(&k, any_time(&l->history, 43200));
		if (k.now.wall.us / US_PER_S / 86400 - first >= DAYS)
			break;
	}
	assert_int_equal(bound_new(&b, k.set, false, &k.e), 0);
	f = &b->r[0].flow[0];
	most = f->values_day * DAYS + f->backlog;
	for (size_t q = 0; q < QUANTITIES; q++)
		got = s.got[q] > got ? s.got[q] : got;
	l->saw[0] = s.all > 20;
	l->saw[1] = !f->channels && s.all > got;
	l->saw[2] = !f->channels && s.all > most;
	l->saw[3] = f->channels > 1;
	got = f->channels ? s.all : got;
	l->saw[4] = got * 4 > most;
	if (got > most)
		held = law_broken(l, "%llu values in %d days, bound %llu",
				  (unsigned long long)got, DAYS,
				  (unsigned long long)most);
	bound_free(b);
	kit_free(&k);
	return held;
}

static void test_no_values_exceed_it(void **ctx)
{
	static const struct law_share shares[] = {
		{"several values", 30},
		{"several quantities of any number", 20},
		{"together more than of one", 3},
		{"several quantities of so many", 20},
		{"a quarter of the bound", 20}, {0}};

	(void)ctx;
	law_run("law 6, values", law_values, shares);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_values_exceed_it),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_any_interval),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_without_end),
		cmocka_unit_test(test_shortest),
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_no_history_exceeds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
