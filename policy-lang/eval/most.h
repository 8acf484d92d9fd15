/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closed forms of limits (policy-language section 11.5): how many countings
 * one limit admits at most, whatever the traffic and wherever the interval
 * lies. Exact integers; a limit that bounds nothing gives MOST_UNLIMITED.
 */
#ifndef POLICY_LANG_EVAL_MOST_H
#define POLICY_LANG_EVAL_MOST_H

#include "policy-lang/image/layout.h"
#include "policy-lang/image/model.h"

#define MOST_UNLIMITED UINT64_MAX
#define MOST_DAY_NS    (86400 * NS_PER_S)

/* Intervals that figures are told for. The calendar's begin where a day, a
 * month or a year does; a year is a common one of 365 days, which touches 53
 * weeks at most, but for MOST_ANY_YEAR. The others begin anywhere. */
enum most_span {
	MOST_HOUR,
	MOST_DAY,
	MOST_WEEK,
	MOST_MONTH,   /* of 31 days */
	MOST_BILLING, /* the same, from the billing day */
	MOST_YEAR,
	MOST_24H,
	MOST_30D,
	MOST_365D,
	MOST_SPANS,
	MOST_ANY_YEAR = MOST_SPANS, /* a leap year too: for proofs, in no table */
};

/* In any interval of ns > 0, its end excluded. Never less than what can be;
 * sums and products stop at MOST_UNLIMITED. */
uint64_t most_in(const struct lay_limit *l, int64_t ns);
/* The same where the last must come before the end, ns > 0: a bucket gives at
 * the very nanosecond that most_in counts as within. For most_shortest. */
uint64_t most_held(const struct lay_limit *l, int64_t ns);
/* In one of the spans above. billing_day: of the meter, 0 = unknown. */
uint64_t most_span(const struct lay_limit *l, enum most_span s,
		   unsigned billing_day);

/* a + b, a * b, never beyond MOST_UNLIMITED; what is unlimited stays so. */
uint64_t most_add(uint64_t a, uint64_t b);
uint64_t most_mul(uint64_t a, uint64_t b);

/* Shortest span of time in which most(arg, span) reaches n, by halving: the
 * infimum to the nanosecond. most must not fall as ns grows. 0 when n fit in
 * no time; INT64_MAX when they do not in a hundred years. */
int64_t most_shortest(uint64_t (*most)(const void *arg, int64_t ns),
		      const void *arg, uint64_t n);
/* The same of one limit and most_held, at once. */
int64_t most_reach(const struct lay_limit *l, uint64_t n);

#endif
