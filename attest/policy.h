/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In which states of the platform a key of the TPM may be used: a policy of
 * TPM 2.0 (Part 1, 19.7), which the TPM itself holds it to. A state is what
 * PCRs of the SHA-256 bank contain: whoever starts another kernel, or none
 * that was measured, has another.
 *
 *	PolicyPCR	 the state in which the key was made, and no other
 *	PolicyAuthorize	 each state for which an authority signed, before or
 *			 after: a release is certified and the key stays
 *
 * What the authority signs, ECDSA on P-256 with SHA-256, is the digest of
 * PolicyPCR (32 octets) and POLICY_REF behind it. Its public key and what it
 * approved stand in a file of lines:
 *
 *	authority BASE64	a SubjectPublicKeyInfo
 *	approved NAME BASE64	a signature; the name is for people
 *	# a comment
 */
#ifndef ATTEST_POLICY_H
#define ATTEST_POLICY_H

#include "attest/der.h"
#include "core/err.h"

#define POLICY_DIGEST	 32
#define POLICY_REF	 "mgLP1"
#define POLICY_APPROVALS 64
#define POLICY_NAME	 32 /* octets of a release's name */
#define POLICY_PCRS_TEXT 72 /* of a list of PCRs, with its NUL */

struct policy_approval {
	char name[POLICY_NAME + 1];
	uint8_t n, der[DER_SIG];
};

struct key_policy {
	uint32_t pcrs; /* bit n: PCR n is of the state */
	bool has_authority;
	uint8_t authority[DER_SPKI];
	size_t n_approvals;
	struct policy_approval approval[POLICY_APPROVALS];
};

/* "0 2 4 7", or "none": any state. E_SYNTAX: it is no list of PCRs, or one of
 * them changes while a platform runs, or may be set back. */
int policy_pcrs(uint32_t *pcrs, const char *text, struct err *e)
	__attribute__((warn_unused_result));
void policy_pcrs_text(char out[POLICY_PCRS_TEXT], uint32_t pcrs);
/* Authority and approvals from a file's text, or from the file; pcrs stay as
 * they are. E_SYNTAX names the line. */
int policy_read(struct key_policy *p, struct span text, struct err *e)
	__attribute__((warn_unused_result));
int policy_load(struct key_policy *p, const char *path, struct err *e)
	__attribute__((warn_unused_result));

/* The public area under which a TPM knows the authority, and its name: both are
 * made of the same octets. */
#define POLICY_AUTHORITY_ATTRIBUTES 0x00040040u /* sign, userWithAuth */
#define POLICY_AUTHORITY_NAME	    34
void policy_authority_name(const struct key_policy *p,
			   uint8_t out[POLICY_AUTHORITY_NAME]);
/* The policy of a key that is for what the authority approves. */
void policy_of_authority(const struct key_policy *p,
			 uint8_t out[POLICY_DIGEST]);
/* What the authority signs for a state; and what its signature is over. */
#define POLICY_APPROVED (POLICY_DIGEST + sizeof(POLICY_REF) - 1)
void policy_approved(const uint8_t state[POLICY_DIGEST],
		     uint8_t out[POLICY_APPROVED]);
/* NULL: it did not approve this state. */
const struct policy_approval *
policy_find(const struct key_policy *p, const uint8_t state[POLICY_DIGEST]);

#endif
