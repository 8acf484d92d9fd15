/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions (policy-language section 18.2): claims about all behaviour. */
#ifndef POLICY_LANG_ANALYSIS_ASSERT_H
#define POLICY_LANG_ANALYSIS_ASSERT_H

#include "policy-lang/analysis/bound.h"

/* Does it hold for every history of permitted messages of these machines? b:
 * with every consent granted. vm: the machine that it is about, unless it
 * names one itself; NULL = all. When not, why says the rule and the figure
 * that break it. */
bool assert_holds(const struct bound *b, const struct pol_assert_src *a,
		  const char *vm, char *why, size_t cap);

#endif
