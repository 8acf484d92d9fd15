/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy set as the parent handles it: read, compiled, verified and
 * composed from the configured directory, checked for what this gateway
 * cannot enforce, and written into the half that engines map.
 *
 * The binding in the set names guests, interfaces, MACs and addresses.
 */
#ifndef ENFORCER_DAEMON_POLICIES_H
#define ENFORCER_DAEMON_POLICIES_H

#include "enforcer/capture_policy.h"
#include "enforcer/daemon/conf.h"
#include "enforcer/daemon/rules.h"

struct policies {
	struct capture_policy files;
	uint8_t *keys; /* text of the key file, or NULL */
	size_t n_keys; /* octets */
	/* In the order of the set's machines; addresses borrowed from it. */
	struct rules_guest guest[SHARE_GUESTS];
	size_t n_guests;
};

/* Everything is checked; *out is then freed by policies_free. E_UNSUPPORTED:
 * the set asks for what this gateway cannot enforce. */
int policies_load(struct policies *out, const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));
/* The same of a set that is composed already; *files is taken over, also
 * after a failure. */
int policies_of(struct policies *out, struct capture_policy *files,
		const struct conf *c, struct err *e)
	__attribute__((warn_unused_result));
void policies_free(struct policies *p);

/* Something permits nothing, for the operator. A rule that requires what the
 * gateway does not set yet, the state attested, is one for no error: it is
 * closed, and says so (polc, P4008). */
typedef void policies_vain_f(void *arg, const char *text);
void policies_in_vain(const struct policies *p, policies_vain_f *told,
		      void *arg);

/* Write images and keys into a half of cap octets; E_LIMIT: too large. */
int policies_half(const struct policies *p, struct policy_half *half,
		  size_t cap, uint32_t generation, struct err *e)
	__attribute__((warn_unused_result));

/* What a reload finds in new against old: E_STATE says what needs a restart
 * (guests, interfaces, queues). *addresses: only rules have to be made anew. */
int policies_compare(const struct policies *old, const struct policies *new_,
		     bool *addresses, struct err *e)
	__attribute__((warn_unused_result));

#endif
