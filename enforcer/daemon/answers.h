/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy update that widens a rule voids the customer's answer about it
 * (policy-language section 14): what was granted was less. It counts again
 * when another customer's file gives it, which the panel asks about.
 *
 * A refusal stays: who refused the narrower rule was not asked whether the
 * wider one may do without.
 */
#ifndef ENFORCER_DAEMON_ANSWERS_H
#define ENFORCER_DAEMON_ANSWERS_H

#include "enforcer/daemon/policies.h"
#include "enforcer/daemon/policy_store.h"

/* The answers of the customer's file in next, composed, that are void once it
 * follows what the store has in force: those that were, and those about rules
 * that are new or wider. They are voided in its set, and *out has them.
 * E_NOMEM, E_LIMIT. */
int answers_follow(struct store_voids *out, struct policies *next,
		   const struct policy_store *was, struct err *e)
	__attribute__((warn_unused_result));

/* Would one that this file gives be? For a file that waits. */
bool answers_go(const struct pol_image *customer,
		const struct capture_policy *next,
		const struct policy_store *was);

/* Is it among these? */
bool answers_were_void(const struct store_voids *v,
		       const struct pol_image *customer, uint32_t answer);

/* "policy/rule" of an answer. */
#define ANSWER_NAME 256
void answer_name(char name[ANSWER_NAME], const struct pol_image *customer,
		 uint32_t answer);

#endif
