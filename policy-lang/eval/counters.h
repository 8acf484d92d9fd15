/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How counters lie in their words: shared by limits.c, which counts, and
 * kept.c, which takes over what was counted elsewhere.
 *
 *   spacing     last | set
 *   bucket      theoretical arrival time | set
 *   calendar    window + BIAS | used | when it was entered (stepless clock)
 *   sliding     newest sub-window + 1 | sum | - | 61 counts of 32 bits
 *   distinct    as calendar, then n of: hash | last seen
 *   concurrent  n connections; where several machines share it, each engine
 *               has its own there, and the owner n places, each of a machine
 */
#ifndef POLICY_LANG_EVAL_COUNTERS_H
#define POLICY_LANG_EVAL_COUNTERS_H

#include "policy-lang/eval/internal.h"

#define SUBS     60         /* a window is cut into so many */
#define RING     (SUBS + 1) /* and touches so many */
#define RING_AT  3
#define SLOTS_AT 3
#define BIAS     (INT64_C(1) << 40) /* window numbers: never 0 */
#define DAY_S    86400
#define PLACE	 (UINT64_C(1) << 63) /* | machine: no connection has such a number */
/* A value may be used for so long without asking the owner again. */
#define LEASE_NS (5 * NS_PER_S)

typedef unsigned __int128 u128;

static inline int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static inline uint32_t ring_get(const struct pol_state *st, uint32_t at,
				int64_t sub)
{
	uint32_t i = (uint32_t)(sub % RING);

	return (uint32_t)(st->w[at + RING_AT + i / 2] >> (i % 2 * 32));
}

static inline int64_t sub_ns(const struct lay_limit *l)
{
	return (l->window_ns + SUBS - 1) / SUBS;
}

/* k units in time: up, so that the long-run rate is never exceeded. */
static inline u128 units_ns(const struct lay_limit *l, uint64_t k)
{
	return ((u128)k * (uint64_t)l->window_ns + l->n - 1) / l->n;
}

/* A full burst in time. Each unit's time is rounded up, so as many of these
 * must fit; one amount of many is rounded once. Where a window is no multiple
 * of its count, the burst itself rounded down would never let its last unit
 * through. */
static inline u128 burst_ns(const struct lay_limit *l)
{
	return l->thing == THING_BYTES || l->thing == THING_VALUES
		       ? units_ns(l, l->burst)
		       : l->burst * units_ns(l, 1);
}

/* A trusted clock is short of the end of that hour or day, or of an earlier
 * one. False: not known without a calendar. */
static inline bool calendar_stays(const struct pol_state *st,
				  enum pol_window w, int64_t was)
{
	int64_t length = w == WINDOW_HOUR ? 3600 : w == WINDOW_DAY ? DAY_S : 0;

	return length && st->trusted && was > 0 && was < 2 * BIAS &&
	       st->std_s < (was - BIAS + 1) * length;
}

/* windows.c: calendar windows, in local standard time all year. Numbers are
 * stored with BIAS. */
int64_t calendar_now(const struct pol_state *st, const struct lay_limit *l);
/* The window to enter now if it is a later one; 0: still in it. */
int64_t calendar_due(const struct pol_state *st, const struct lay_limit *l,
		     uint32_t at);
int64_t calendar_start_day(const struct pol_state *st,
			   const struct lay_limit *l, int64_t no);
int64_t calendar_wait(const struct pol_state *st, const struct lay_limit *l,
		      uint32_t at);

#endif
