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

#include "policy-lang/image/layout.h"
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
 * another name, unless an answer would be lost or found by it. And why has all
 * that is wider, a line each; WITHIN_TOLD octets hold whatever there may be. */
#define WITHIN_TOLD (1u << 20)
bool pol_within_told(const struct pol_image *is, const struct pol_image *was,
		     const struct pol_image *customer, char *why, size_t cap);

/* Of a baseline where there was none: does it only take away? By floors and by
 * its widening gate it gives. When not, why has all that, a line each. */
bool pol_within_first(const struct pol_image *is, char *why, size_t cap);

/* Of two bindings: is no party of this vendor's policy at an address of a
 * machine that went? What was that machine's would be the party's, and what
 * passes between them no longer asks for the machine's own rules. When one is,
 * why has a line more for each; it begins as the caller gives it. */
bool pol_within_gone(const struct pol_image *is, const struct pol_image *was,
		     const struct pol_image *vendor, char *why, size_t cap);

/* Are the denials and limits that held grants of `was` back there as well? When
 * not, any grant may gain, and why has all that went, a line each. */
bool pol_within_bounds(const struct pol_image *is, const struct pol_image *was,
		       char *why, size_t cap);

/* Rules of an image, a bit each. */
struct within_rules {
	uint64_t w[LAY_MAX_RULES / 64];
};
static inline bool within_has(const struct within_rules *r, uint32_t rule)
{
	return r->w[rule / 64] >> (rule % 64) & 1;
}

/* Which grants are within one of `was`? For who wants to know of each. */
void pol_within_grants(const struct pol_image *is, const struct pol_image *was,
		       struct within_rules *in);
/* Which are within the one of their name, while the denials and limits that
 * held it back are there as well, and who gets it says to keep it no longer?
 * Then what was answered about that one is an answer about this one. */
void pol_within_rules(const struct pol_image *is, const struct pol_image *was,
		      struct within_rules *in);

/* Of two customer's files: does this restriction refuse whatever that one
 * did? */
bool pol_within_restriction(const struct pol_image *is, uint32_t rule,
			    const struct pol_image *was, uint32_t old);

#endif
