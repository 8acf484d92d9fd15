/* SPDX-License-Identifier: Apache-2.0 */
/* What a step of a test expected, and what happened, in words. */
#ifndef POLICY_LANG_STEP_TEXT_H
#define POLICY_LANG_STEP_TEXT_H

#include "policy-lang/polc.h"

void step_wants(char *buf, size_t cap, const struct pol_step_src *s);
void step_got(char *buf, size_t cap, const struct pol_decision *d);

#endif
