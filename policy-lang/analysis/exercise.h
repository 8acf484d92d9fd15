/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a judgement left in the counters and states, and which limits it found
 * full: for who wants to know which of them tests have tried. To be asked
 * before the next judgement.
 */
#ifndef POLICY_LANG_ANALYSIS_EXERCISE_H
#define POLICY_LANG_ANALYSIS_EXERCISE_H

#include "policy-lang/eval/eval.h"

struct exercise_limit {
	struct span policy, name; /* "allow/send: 1 reading per day" */
	bool counts;		  /* something was charged to it */
	bool full;		  /* it had no room */
};
void exercise_limits(const struct pol_state *st,
		     void (*f)(void *arg, const struct exercise_limit *l),
		     void *arg);

struct exercise_state {
	struct span policy, name;
	size_t set;	 /* for how many parties or connections it is set */
	uint64_t latest; /* when the last of them ends, stepless */
};
void exercise_states(const struct pol_state *st, struct now now,
		     void (*f)(void *arg, const struct exercise_state *s),
		     void *arg);

#endif
