/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TPM 2.0, and what the audit needs of one: a PCR to extend, a counter that
 * never goes back, a key that signs, clocks.
 *
 * One connection, one thread. A TPM behind a socket (swtpm) serves one client
 * at a time and has room for three objects and sessions: who opens it owns it,
 * and what a predecessor that died left in it is flushed. Nothing has a
 * password; what matters has a policy (policy.h). Objects are kept out of the
 * dictionary attack protection: a power cut counts as an attack there.
 *
 * Every command takes LINK_WAIT_MS (link.h) at most. Errors: E_IO, there is no TPM, or it
 * does not answer, or not what could be an answer: the connection is of no
 * more use and every further call fails alike. E_STATE: it refuses; the text
 * has its reason. E_AUTH: what is asked is not for this state of the platform.
 */
#ifndef ATTEST_TPM_H
#define ATTEST_TPM_H

#include "attest/policy.h"
#include "core/err.h"
#include "core/wbuf.h"

#define TPM_PCR	    13 /* of the audit's anchors; SHA-256 bank */
#define TPM_DIGEST  32 /* octets of SHA-256 */

/* Where an owner may put a counter. */
#define TPM_NV_FIRST 0x01800000
#define TPM_NV_LAST  0x01bfffff

/* A key as DER SubjectPublicKeyInfo; a signature as DER, at most. */
#define TPM_SPKI DER_SPKI
#define TPM_SIG	 DER_SIG

struct tpm;

/* Connect to it, by a name as in link.h; says nothing to the TPM yet.
 * E_SYNTAX: it is no such name. */
int tpm_open(struct tpm **out, const char *name, struct err *e)
	__attribute__((warn_unused_result));
/* On a descriptor that leads to one and does not block; closes it, sooner or
 * later. */
int tpm_open_fd(struct tpm **out, int fd, struct err *e)
	__attribute__((warn_unused_result));
/* Start it up, unless somebody did; flush what is left over. */
int tpm_begin(struct tpm *t, struct err *e) __attribute__((warn_unused_result));
/* NULL is fine. orderly: tell it that it may be switched off. */
void tpm_close(struct tpm *t, bool orderly);
/* The one descriptor that it uses from here on, for a sandbox. */
int tpm_fd(const struct tpm *t);

/* The counter at the index, from here on that of tpm_state and tpm_increment:
 * defined when there is none and make says so. E_NOTFOUND: there is none;
 * E_STATE: what is there is no counter as we make them. */
int tpm_counter(struct tpm *t, uint32_t index, bool make, struct err *e)
	__attribute__((warn_unused_result));
/* One more; how many it is now. The first one counts from the largest that
 * any counter of this TPM ever was. E_STATE too when it asks for patience: it
 * wears out. */
int tpm_increment(struct tpm *t, uint64_t *counter, struct err *e)
	__attribute__((warn_unused_result));

struct tpm_state {
	uint8_t pcr[TPM_DIGEST];
	uint64_t counter; /* 0: it was never incremented, or is not known */
	uint64_t clock_ms;
	uint32_t reset, restart; /* how often it was, since it was made */
	bool safe;		 /* the clock never showed more than this */
};
int tpm_state(struct tpm *t, struct tpm_state *s, struct err *e)
	__attribute__((warn_unused_result));
/* The PCR of it alone. */
int tpm_pcr(struct tpm *t, uint8_t pcr[TPM_DIGEST], struct err *e)
	__attribute__((warn_unused_result));
/* PCR' = H(PCR || digest). */
int tpm_extend(struct tpm *t, const uint8_t digest[TPM_DIGEST], struct err *e)
	__attribute__((warn_unused_result));

/* What, beside its octets, a key is made of; nothing of it is secret. */
struct tpm_bound {
	uint32_t pcrs; /* of the state in which it may be used */
	uint8_t policy[TPM_DIGEST];
};

/* The octets of a log's key: two logs on one TPM have two. */
void tpm_key_seed(const char *origin, uint8_t out[TPM_DIGEST]);
/* The signing key (ECDSA on P-256 with SHA-256) that belongs to these octets and
 * to what it is bound to: the TPM makes the same one of the same until its owner
 * clears it, so nothing is stored. It never leaves the TPM, and signs in states
 * that its policy allows only. p, which stays the caller's while the connection
 * is there: for a key that is not bound yet (*bound is zero) an authority's
 * policy, or, without one, the state that the platform is in; and what the
 * authority approved. *bound is what it is bound to then. */
int tpm_key(struct tpm *t, const uint8_t seed[TPM_DIGEST],
	    const struct key_policy *p, struct tpm_bound *bound,
	    uint8_t spki[TPM_SPKI], struct err *e)
	__attribute__((warn_unused_result));
/* Could it sign now? E_AUTH: not in this state; the text says which it is. */
int tpm_key_usable(struct tpm *t, struct err *e)
	__attribute__((warn_unused_result));
/* With that key, over a digest. E_AUTH as above. */
int tpm_sign(struct tpm *t, const uint8_t digest[TPM_DIGEST], struct wbuf *der,
	     struct err *e) __attribute__((warn_unused_result));

#endif
