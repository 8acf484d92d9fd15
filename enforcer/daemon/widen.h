/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The widening gate's question (policy-language section 17): what of a
 * directory permits more than what is in force? Each policy is put alone in
 * the place of the one it follows; those that make no set alone are looked at
 * together. A policy is not wider when its rules are within the old ones
 * (analysis/within.h) and no figure of the set grows (analysis/diff.h).
 *
 * Notice is enough where every receiver of what is wider has a role that the
 * baseline in force names, and nothing in it needs opt-in, nor did before. A
 * baseline or a binding that is wider always waits for the customer.
 *
 * Pure: from images alone. Run in a child (trial.h).
 */
#ifndef ENFORCER_DAEMON_WIDEN_H
#define ENFORCER_DAEMON_WIDEN_H

#include "enforcer/capture_policy.h"

#define WIDEN_TEXT (24u << 10)

enum widen_verdict {
	WIDEN_SAME,    /* it is in force */
	WIDEN_NOT,     /* it permits no more */
	WIDEN_NOTICE,  /* it does, and may after the baseline's notice */
	WIDEN_CONSENT, /* it does, and waits for the customer */
};

struct widen { /* no pointers: it comes out of a child */
	/* Negative: the directory makes no set, or more of it is wider than text
	 * can tell (E_LIMIT), and error says why. */
	int rc;
	char error[ERR_TEXT];
	struct widen_one {
		uint8_t verdict;
		bool together; /* with the others of this kind only */
	} of[CAPTURE_POLICIES]; /* as the policies of the directory */
	bool less_cut; /* not all is told of what is narrower */
	uint32_t n_text;
	char text[WIDEN_TEXT]; /* for people: lines; all that is wider */
};

/* was: what is in force, a customer's file included; is: the directory. */
void widen_judge(struct widen *out, const struct capture_policy *was,
		 const struct capture_policy *is);

/* Has a policy of `was` the place of this one? Its number, or was->n. */
size_t widen_place(const struct capture_policy *was,
		   const struct pol_image *im);

#endif
