/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rules the tests of policies have tried: a grant that permitted, one
 * that refused although it selected the message, a denial that hit.
 */
#ifndef POLICY_LANG_COVERAGE_H
#define POLICY_LANG_COVERAGE_H

#include "policy-lang/polc.h"

struct coverage;

struct coverage *coverage_new(void); /* NULL: out of memory */
void coverage_free(struct coverage *c);
/* What one judgement tried; c may be NULL. */
void coverage_saw(struct coverage *c, const struct pol_decision *d);
/* A line for each rule of these files that was not tried in one way or the
 * other; a rule that nothing but its match and party bounds cannot refuse.
 * Returns how many. */
size_t coverage_print(const struct coverage *c, const struct pol_files *files,
		      bool json);

#endif
