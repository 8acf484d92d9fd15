/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Consent that is less than the baseline's minimum (policy-language section
 * 14), over all that a machine may tell one recipient.
 *
 * A consent rule says from which fineness on the household has to be asked. It
 * is held against everything that flows without being asked so much: rules
 * that each stay coarser may be finer together, and so may parties that are
 * one remote end (an operator, a name, a key, an ApTitle or an address in
 * common). Fineness is privacy.md section 8, step 4; what only the sum shows
 * counts from five sixths on, as grades do, so that a monthly reading beside a
 * daily one is still daily. What is on trial is as fine as its ceilings let it
 * be.
 */
#ifndef POLICY_LANG_ANALYSIS_MINIMUM_H
#define POLICY_LANG_ANALYSIS_MINIMUM_H

#include "policy-lang/analysis/bound.h"

struct minimum_broken {
	uint16_t machine;
	const struct pol_image *vendor; /* its policy */
	const struct pol_image *base;
	const struct lay_consent *min; /* of base */
	/* The finest of the rules that do, and the next; the same rule to two
	 * parties may be both. n: of rules and parties, 1 where one does so by
	 * itself. */
	uint32_t rule, other; /* BOUND_NO_RULE: the policy is on trial */
	uint16_t party, other_party;
	size_t n;
	meas_set meas; /* of the finest */
	int64_t every_ns; /* by all of them; 0 = live */
	bool on_trial;	  /* the finest is */
};

/* Calls found for each: rules by themselves, and what only several do. b: with
 * every consent granted. E_NOMEM. */
int minimum_check(const struct bound *b,
		  void (*found)(void *arg, const struct minimum_broken *x),
		  void *arg, struct err *e) __attribute__((warn_unused_result));

/* "'a' and 'b' together give energy.register every 12 h; 'c' wants opt-in at
 * least". */
void minimum_text(char *buf, size_t cap, const struct minimum_broken *x);

#endif
