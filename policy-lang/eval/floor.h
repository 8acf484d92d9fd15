/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files that look whether a customer's file leaves a floor. */
#ifndef POLICY_LANG_EVAL_FLOOR_H
#define POLICY_LANG_EVAL_FLOOR_H

#include "policy-lang/eval/internal.h"

struct floor_at { /* one floor, and one party of its machine */
	const struct pol_set *s;
	const struct lay_floor *f;
	const struct machine *m;
	uint32_t party;
};

/* The customer's answer about a rule of a policy: 1 granted, 0 refused, -1
 * none. */
int floor_answer(const struct pol_image *customer, const struct pol_image *v,
		 const struct lay_rule *g);

/* floor_room.c: of a limit on readings or messages that is the customer's rule
 * r's: how many in its window are left to the floor's readings for the party,
 * whatever else passes? Of a limit on how far they are apart: 0, if there is
 * anything else. *other: what takes most of it. */
#define FLOOR_TRIAL (LAY_NONE - 1)
struct floor_other {
	/* Of the policy, or LAY_NONE; FLOOR_TRIAL: what no rule gives, while
	 * the policy is on trial. */
	uint32_t rule;
	bool errors; /* that answer what the rule lets in */
};
uint64_t floor_room(const struct floor_at *at, const struct lay_rule *r,
		    const struct lay_limit *l, struct floor_other *other);

/* floor_left.c: do these restrictions together leave so much of the grant? */
struct floor_left {
	const struct pol_image *vendor, *customer;
	const struct lay_rule *grant;
	const struct lay_limit *keep;
	uint64_t restrict_[LAY_MAX_RULES / 64]; /* bit per rule of customer */
	uint64_t room[LAY_MAX_LIMITS]; /* floor_room of the limits of these */
};
bool floor_is_left(const struct floor_left *f);

#endif
