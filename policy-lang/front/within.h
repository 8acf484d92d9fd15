/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does one policy permit nothing that another does not, from the same counters
 * and states? Decided by comparing what is written: every grant must lie
 * within one grant of the other file, and every denial and limit there must
 * have one here that covers it. What it says is sure; where it says no, that
 * may only be because more than one rule would have to be looked at together.
 */
#ifndef POLICY_LANG_FRONT_WITHIN_H
#define POLICY_LANG_FRONT_WITHIN_H

#include "policy-lang/image/model.h"

/* Of two files of one kind, a vendor's or a baseline. Names, texts, positions
 * and dates of validity do not count; the name of a rule does where the
 * customer is asked by it. When not, why names what is wider. */
bool pol_within(const struct pol_file *is, const struct pol_file *was,
		char *why, size_t cap);

#endif
