/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What judging one observation costs at most in one policy, in the units of
 * policy-language 20.2, and what a gateway has room for (P6201).
 */
#ifndef POLICY_LANG_FRONT_COST_H
#define POLICY_LANG_FRONT_COST_H

#include "policy-lang/image/model.h"

#define COST_MAX_LIMITS   32 /* counters that one message charges */
#define COST_MAX_COMPARES 12 /* guards of the one grant */
#define COST_MAX_STATES   8  /* set or cleared by one message */
#define COST_MAX_OCTETS   (UINT64_C(4) << 20) /* counters of one policy */

struct pol_worst {
	uint32_t limits, compares, states;
};

/* Of one grant or ceiling of a file; and the worst of all of them. */
struct pol_worst cost_of_rule(const struct pol_file *f,
			      const struct pol_rule_src *r);
struct pol_worst cost_of_file(const struct pol_file *f);

#endif
