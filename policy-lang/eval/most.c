/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/eval/most.h"

#include <stdbool.h>

#define HUNDRED_YEARS (INT64_C(36525) * MOST_DAY_NS)

uint64_t most_add(uint64_t a, uint64_t b)
{
	return a > MOST_UNLIMITED - b ? MOST_UNLIMITED : a + b;
}

uint64_t most_mul(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	if (a == MOST_UNLIMITED || b == MOST_UNLIMITED)
		return a == 0 || b == 0 ? 0 : MOST_UNLIMITED;
	return p > MOST_UNLIMITED ? MOST_UNLIMITED : (uint64_t)p;
}

static uint64_t up(int64_t ns, int64_t unit)
{
	return (uint64_t)(ns / unit + (ns % unit != 0));
}

/* Days of the shortest k consecutive months: 28, 59, 89, ... 365 for 12. */
static int64_t months_days(uint64_t k)
{
	static const int len[12] = {31, 28, 31, 30, 31, 30,
				    31, 31, 30, 31, 30, 31};
	int64_t best = 365;
	unsigned n = (unsigned)(k % 12);

	for (unsigned from = 0; from < 12; from++) {
		int64_t sum = 0;

		for (unsigned i = 0; i < n; i++)
			sum += len[(from + i) % 12];
		best = sum < best ? sum : best;
	}
	return (int64_t)(k / 12) * 365 + best;
}

/* Calendar windows that an interval of ns can touch. */
static uint64_t windows(enum pol_window w, int64_t ns)
{
	uint64_t k = 0;

	switch (w) {
	case WINDOW_HOUR:
		return up(ns, 3600 * NS_PER_S) + 1;
	case WINDOW_DAY:
		return up(ns, MOST_DAY_NS) + 1;
	case WINDOW_WEEK:
		return up(ns, 7 * MOST_DAY_NS) + 1;
	case WINDOW_MONTH:
	case WINDOW_BILLING:
		/* Two touched at their edges, and the whole ones between. */
		k = (uint64_t)(ns / (31 * MOST_DAY_NS));
		while (months_days(k + 1) * MOST_DAY_NS < ns)
			k++;
		return k + 2;
	default:
		return up(ns, 365 * MOST_DAY_NS) + 1;
	}
}

uint64_t most_in(const struct lay_limit *l, int64_t ns)
{
	unsigned __int128 n;

	switch (l->kind) {
	case LIMIT_SPACING:
		return up(ns, l->window_ns);
	case LIMIT_CALENDAR:
		return most_mul(l->n, windows((enum pol_window)l->window, ns));
	case LIMIT_SLIDING:
		return most_mul(l->n, up(ns, l->window_ns));
	case LIMIT_BUCKET:
		/* What counts in amounts rounds its burst up by a nanosecond;
		 * what counts one by one loses as much with every unit. */
		if (l->thing == THING_BYTES || l->thing == THING_VALUES)
			ns += ns < INT64_MAX;
		n = (unsigned __int128)(uint64_t)ns * l->n /
		    (uint64_t)l->window_ns;
		return n > MOST_UNLIMITED
			       ? MOST_UNLIMITED
			       : most_add(l->burst, (uint64_t)n);
	default: /* distinct values and concurrency bound no countings */
		return MOST_UNLIMITED;
	}
}

uint64_t most_held(const struct lay_limit *l, int64_t ns)
{
	return most_in(l, l->kind == LIMIT_BUCKET ? ns - 1 : ns);
}

/* Windows that lie in, or cut, one hour, day, ... of the calendar. */
static uint64_t windows_in(enum pol_window w, enum most_span s,
			   unsigned billing_day)
{
	static const uint16_t n[][MOST_YEAR + 1] = {
		/* of an       hour day week month billing year */
		[WINDOW_HOUR] = {1, 24, 168, 744, 744, 8760},
		[WINDOW_DAY] = {1, 1, 7, 31, 31, 365},
		[WINDOW_WEEK] = {1, 1, 1, 6, 6, 53},
		[WINDOW_MONTH] = {1, 1, 2, 1, 2, 12},
		[WINDOW_BILLING] = {1, 1, 2, 2, 1, 13},
		[WINDOW_YEAR] = {1, 1, 2, 1, 2, 1},
	};
	/* A leap year that begins on a Sunday touches 54 weeks. */
	static const uint16_t leap[] = {
		[WINDOW_HOUR] = 8784, [WINDOW_DAY] = 366, [WINDOW_WEEK] = 54,
		[WINDOW_MONTH] = 12,  [WINDOW_BILLING] = 13, [WINDOW_YEAR] = 1};

	if (billing_day == 1) {
		w = w == WINDOW_BILLING ? WINDOW_MONTH : w;
		s = s == MOST_BILLING ? MOST_MONTH : s;
	}
	return s == MOST_ANY_YEAR ? leap[w] : n[w][s];
}

uint64_t most_span(const struct lay_limit *l, enum most_span s,
		   unsigned billing_day)
{
	static const int64_t ns[MOST_SPANS + 1] = {
		3600 * NS_PER_S,   MOST_DAY_NS,	     7 * MOST_DAY_NS,
		31 * MOST_DAY_NS,  31 * MOST_DAY_NS, 365 * MOST_DAY_NS,
		MOST_DAY_NS,	   30 * MOST_DAY_NS, 365 * MOST_DAY_NS,
		366 * MOST_DAY_NS};

	if (l->kind == LIMIT_CALENDAR &&
	    (s <= MOST_YEAR || s == MOST_ANY_YEAR))
		return most_mul(l->n, windows_in((enum pol_window)l->window, s,
						 billing_day));
	return most_in(l, ns[s]);
}

int64_t most_shortest(uint64_t (*most)(const void *arg, int64_t ns),
		      const void *arg, uint64_t n)
{
	int64_t lo = 0, hi = HUNDRED_YEARS;

	if (n == 0 || most(arg, 1) >= n)
		return 0;
	if (most(arg, hi) < n)
		return INT64_MAX;
	/* most(lo) < n <= most(hi), where an interval of lo exists. */
	while (hi - lo > 1) {
		int64_t mid = lo + (hi - lo) / 2;

		if (most(arg, mid) >= n)
			hi = mid;
		else
			lo = mid;
	}
	/* The end is excluded: n fit in lo + 1 ns, so they span lo. */
	return lo;
}

/* The longest interval that touches less than k windows of the calendar. */
static unsigned __int128 below_windows(enum pol_window w, uint64_t k)
{
	int64_t ns = 365 * MOST_DAY_NS;

	if (k <= 2)
		return 0;
	switch (w) {
	case WINDOW_HOUR:
		ns = 3600 * NS_PER_S;
		break;
	case WINDOW_DAY:
		ns = MOST_DAY_NS;
		break;
	case WINDOW_WEEK:
		ns = 7 * MOST_DAY_NS;
		break;
	case WINDOW_MONTH:
	case WINDOW_BILLING:
		/* Of 28 days at least: so many take more than a century. */
		return k > 36525 / 28 ? HUNDRED_YEARS
				      : (unsigned __int128)months_days(k - 2) *
						MOST_DAY_NS;
	default:
		break;
	}
	return (unsigned __int128)(k - 2) * (uint64_t)ns;
}

int64_t most_reach(const struct lay_limit *l, uint64_t n)
{
	unsigned __int128 ns = 0, window = (uint64_t)l->window_ns;
	uint64_t each = l->kind == LIMIT_SPACING ? 1 : l->n, times;

	if (n == 0 || (l->kind == LIMIT_BUCKET && n <= l->burst))
		return 0;
	if (each == 0)
		return INT64_MAX;
	times = n / each + (n % each != 0);
	switch (l->kind) {
	case LIMIT_SPACING:
	case LIMIT_SLIDING:
		ns = (times - 1) * window;
		break;
	case LIMIT_CALENDAR:
		ns = below_windows((enum pol_window)l->window, times);
		break;
	case LIMIT_BUCKET:
		ns = ((n - l->burst) * window + each - 1) / each;
		/* As most_in rounds. */
		ns -= l->thing == THING_BYTES || l->thing == THING_VALUES;
		break;
	default:
		break;
	}
	return ns < HUNDRED_YEARS ? (int64_t)ns : INT64_MAX;
}
