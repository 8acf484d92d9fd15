/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passed in a history, and how much of it there was within any time
 * (laws_bound_test.c).
 */
#ifndef POLICY_LANG_LAWCOUNT_H
#define POLICY_LANG_LAWCOUNT_H

#include "policy-lang/analysis/bound.h"
#include "policy-lang/lawsaid.h"

#define EVENTS 160

struct passed { /* one message that left or came */
	struct now now;
	enum dir dir;
	int party;
	size_t machine;
	meas_set meas; /* that it carries; 0: none */
	struct said s;
	struct span rule; /* of the vendor's, for its first leaf */
	bool monitored;	  /* by a trial alone */
};

static struct passed log_[EVENTS];
static size_t n_log;

static inline bool is_reading_each(enum meas m)
{
	return meas_class(m) == MEAS_CLASS_SNAPSHOT || m == MEAS_CONTROL_LOAD;
}

/* Of types of that set: as many as it has moments of one of them. A unit that
 * goes on with a message which carried some is no new one, but for moments. */
static inline uint64_t readings(const struct passed *x, meas_set of)
{
	uint64_t n = 0;

	for (meas_set s = x->meas & of; s; s &= s - 1) {
		enum meas m = (enum meas)__builtin_ctzll(s);
		uint64_t k = is_reading_each(m)		    ? x->s.moments
			     : x->s.carried & of	    ? 0
							  : 1;

		n = k > n ? k : n;
	}
	return n;
}

/* Which window of the calendar; the meter has no zone. */
static inline int64_t window(const struct passed *x, enum most_span sp)
{
	int64_t s = wall_s(x->now.wall);
	struct civil c = civil_of(s);

	switch (sp) {
	case MOST_HOUR:
		return s / 3600;
	case MOST_DAY:
		return s / 86400;
	case MOST_WEEK:
		return (s / 86400 + 3) / 7;
	case MOST_MONTH:
		return c.year * 12 + c.month;
	default:
		return c.year;
	}
}

static inline int64_t length(enum most_span sp)
{
	return sp == MOST_24H ? D(1) : sp == MOST_30D ? D(30) : D(365);
}

typedef bool pick_f(const struct passed *x, const void *arg);
typedef uint64_t amount_f(const struct passed *x, const void *arg);

struct counted {
	pick_f *pick;
	amount_f *amount;
	const void *arg;
};

/* The most within ns, or, with ns 0, in a span. */
static inline uint64_t most_seen(const struct counted *c, int64_t ns,
				 enum most_span sp)
{
	uint64_t sum = 0, best = 0;
	size_t from = 0;

	if (!ns && sp >= MOST_24H)
		ns = length(sp);
	for (size_t i = 0; i < n_log; i++) {
		if (!c->pick(&log_[i], c->arg))
			continue;
		sum += c->amount(&log_[i], c->arg);
		for (;; from++) {
			const struct passed *x = &log_[from];

			if (!c->pick(x, c->arg))
				continue;
			if (ns ? log_[i].now.mono.ns - x->now.mono.ns < ns
			       : window(&log_[i], sp) == window(x, sp))
				break;
			sum -= c->amount(x, c->arg);
		}
		best = sum > best ? sum : best;
	}
	return best;
}

/* The least time over so many gaps between readings. */
static inline int64_t closest(const struct counted *c, unsigned gaps)
{
	static int64_t at[EVENTS * 4];
	int64_t best = INT64_MAX;
	size_t n = 0;

	for (size_t i = 0; i < n_log; i++) {
		uint64_t k = c->pick(&log_[i], c->arg)
				     ? c->amount(&log_[i], c->arg)
				     : 0;

		for (; k && n < EVENTS * 4; k--)
			at[n++] = log_[i].now.mono.ns;
	}
	for (size_t i = gaps; i < n; i++)
		best = at[i] - at[i - gaps] < best ? at[i] - at[i - gaps]
						   : best;
	return best == INT64_MAX ? best : best / gaps;
}

#endif
