/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does one policy permit nothing that another does not, from the same counters
 * and states? Decided by comparing images: every grant must lie within one
 * grant of the other, and every denial and limit there must have one here that
 * covers it. What it says is sure; where it says no, that may only be because
 * more than one rule would have to be looked at together.
 */
#ifndef POLICY_LANG_ANALYSIS_WITHIN_H
#define POLICY_LANG_ANALYSIS_WITHIN_H

#include "policy-lang/image/image.h"

/* Of two images of one kind: a vendor's, a baseline (its consent rules, floors
 * and widening gate are looked at too), a customer's (a refusal is less than
 * no answer, and that less than a yes), or a binding (where another meter,
 * profile, zone, address or key is never within). Names, texts, positions and
 * dates of validity do not count; the name of a rule does where the customer
 * is asked by it. When not, why names what is wider. */
bool pol_within(const struct pol_image *is, const struct pol_image *was,
		char *why, size_t cap);

/* The same where it is known what the customer has answered: customer is the
 * file in force, NULL: there is none. A rule that is asked about may then have
 * another name, unless an answer would be lost or found by it. */
bool pol_within_answers(const struct pol_image *is, const struct pol_image *was,
			const struct pol_image *customer, char *why,
			size_t cap);

/* The same, and why has all that is wider, a line each; WITHIN_TOLD octets hold
 * whatever there may be. */
#define WITHIN_TOLD (1u << 20)
bool pol_within_told(const struct pol_image *is, const struct pol_image *was,
		     const struct pol_image *customer, char *why, size_t cap);

/* Does column a of one image match nothing that column b of the other does
 * not, as far as the observation goes? */
bool within_match(const struct pol_image *ia, uint32_t a,
		  const struct pol_image *ib, uint32_t b);
/* Is grant `rule` within one of `was`? For who wants to know of each. */
bool pol_within_grant(const struct pol_image *is, uint32_t rule,
		      const struct pol_image *was);
/* Are the denials and limits that held grants of `was` back there as well? When
 * not, any grant may gain, and why names what went. */
bool pol_within_bounds(const struct pol_image *is, const struct pol_image *was,
		       char *why, size_t cap);
/* Is it within the one of its name, and are the denials and limits that held
 * it back there as well? Then what was answered about that one is an answer
 * about this one. */
bool pol_within_rule(const struct pol_image *is, uint32_t rule,
		     const struct pol_image *was);

/* Of two customer's files: does this restriction refuse whatever that one
 * did? */
bool pol_within_restriction(const struct pol_image *is, uint32_t rule,
			    const struct pol_image *was, uint32_t old);

#endif
