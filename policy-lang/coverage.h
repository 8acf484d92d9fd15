/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of policies have tried: a grant that permitted, one that
 * refused although it selected the message, a denial that hit; a limit that
 * counted, one that was reached; a state that was entered, one that was left.
 */
#ifndef POLICY_LANG_COVERAGE_H
#define POLICY_LANG_COVERAGE_H

#include "policy-lang/polc.h"

struct coverage;

struct coverage *coverage_new(void); /* NULL: out of memory */
void coverage_free(struct coverage *c);
/* What one judgement tried; c may be NULL. */
void coverage_saw(struct coverage *c, const struct pol_decision *d);
/* And what it found in the counters: of a scene whose `judged` it is, arg
 * being the coverage. */
void coverage_judged(void *arg, const struct pol_state *st);
/* The states as a test begins; and as they are now, after time passed or a
 * message was judged. c may be NULL. */
void coverage_given(struct coverage *c, const struct scene *s);
void coverage_passed(struct coverage *c, const struct scene *s);
/* A line for each rule, limit and state of these files that was not tried in
 * one way or the other; a rule that nothing but its match and party bounds cannot refuse.
 * Returns how many. */
size_t coverage_print(const struct coverage *c, const struct pol_files *files,
		      bool json);

#endif
