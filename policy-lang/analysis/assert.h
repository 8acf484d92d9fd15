/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions (policy-language section 18.2): claims about all behaviour. */
#ifndef POLICY_LANG_ANALYSIS_ASSERT_H
#define POLICY_LANG_ANALYSIS_ASSERT_H

#include "policy-lang/analysis/bound.h"

/* Who may know of a message that breaks an assertion by what one flow may be:
 * says it in text, or false. ns: the figure of the flow, or what there is to be
 * seen of it. */
struct assert_example {
	bool (*find)(void *arg, const struct bound_recipient *r,
		     const struct bound_flow *f, int64_t *ns, char *text,
		     size_t cap);
	void *arg;
};

#define ASSERT_WHY 360

/* Does it hold for every history of permitted messages of these machines? b:
 * with every consent granted. vm: the machine that it is about, unless it
 * names one itself; NULL = all. When not, why says the rule and the figure
 * that break it: an upper bound, which the limits leave room for. What is said
 * to happen does, by the example; x may be NULL. */
bool assert_holds(const struct bound *b, const struct pol_assert_src *a,
		  const char *vm, const struct assert_example *x,
		  char why[ASSERT_WHY]);

#endif
