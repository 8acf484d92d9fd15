/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The customer's file as it is proposed (policy-language sections 3 and 14): a
 * source that nobody signed and anybody may have written. It is compiled in a
 * child (trial.h); the parent sees nothing but the image, which the verifier
 * looks at first, and text.
 */
#ifndef ENFORCER_DAEMON_PROPOSE_H
#define ENFORCER_DAEMON_PROPOSE_H

#include "enforcer/daemon/policy_store.h"

#define PROPOSE_SOURCE (256u << 10) /* octets, as the language has it */
#define PROPOSE_IMAGE  (256u << 10)
#define PROPOSE_TEXT   STORE_TEXT

struct proposed { /* no pointers: it comes out of a child */
	int rc; /* negative: it is no customer's file, and error says where */
	char error[ERR_TEXT];
	uint32_t n_image, n_text;
	_Alignas(8) uint8_t image[PROPOSE_IMAGE]; /* read in place */
	char text[PROPOSE_TEXT]; /* all that changes, for people: lines */
};

/* was: what is in force, and which answers in it are void. E_LIMIT: what
 * changes is more than its text can tell, and nobody could confirm it. */
void propose_compile(struct proposed *out, struct span source,
		     const struct capture_policy *was,
		     const struct store_voids *voids);

#endif
