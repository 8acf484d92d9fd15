/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may sign what (policy-language sections 3, 6 and 17): the platform's
 * keys sign the binding and the baseline and nothing else; the key that the
 * binding names for a machine signs its vendor's policy and nothing else. The
 * customer's file is signed by nobody: it can only tighten, and comes another
 * way.
 */
#ifndef ENFORCER_DAEMON_SIGNERS_H
#define ENFORCER_DAEMON_SIGNERS_H

#include "crypto/sign.h"
#include "policy-lang/image/image.h"

#define SIGNERS_MAX 8 /* more than one while a key is exchanged */

struct signers { /* of the platform */
	uint8_t key[SIGNERS_MAX][SIGN_KEY_LEN];
	size_t n;
};

/* A file with one public key a line, "ed25519:" and 64 hex digits as polc
 * keygen prints them; empty lines and lines that begin with # are passed over.
 * E_SYNTAX with the line; E_STATE: others may write it. */
int signers_read(struct signers *s, const char *path, struct err *e)
	__attribute__((warn_unused_result));

/* Is each image signed by who may sign it? One binding has to be among them.
 * E_AUTH: no signature, another key's, or one that may not sign this kind;
 * E_INTEGRITY: a signature that is wrong. */
int signers_check(const struct signers *s,
		  const struct pol_image *const *image, size_t n,
		  struct err *e) __attribute__((warn_unused_result));

#endif
