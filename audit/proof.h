/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs over the tree: that a record lies in it, and that a larger tree only
 * added to a smaller one. RFC 9162: made as 2.1.3.1 and 2.1.4.1 say, checked
 * by the counters of 2.1.3.2 and 2.1.4.2. Checking needs nothing but the
 * proof, and neither allocates nor recurses.
 */
#ifndef AUDIT_PROOF_H
#define AUDIT_PROOF_H

#include "core/err.h"
#include "crypto/digest.h"

/* Longest: one hash for each bit of the size, and one to begin with. */
#define PROOF_MAX 65

struct proof {
	uint32_t n; /* <= PROOF_MAX */
	uint8_t hash[PROOF_MAX][SHA256_LEN];
};

/* Where a proof's hashes come from: the root of the 2^b leaves that begin at
 * leaf i * 2^b, all of which are in the tree. */
struct proof_source {
	struct sha256 *h; /* borrowed */
	int (*node)(void *arg, unsigned b, uint64_t i,
		    uint8_t out[SHA256_LEN], struct err *e);
	void *arg;
};

/* Root of the first n leaves. n 0: H(""). */
int proof_root(const struct proof_source *s, uint64_t n,
	       uint8_t out[SHA256_LEN], struct err *e)
	__attribute__((warn_unused_result));
/* Of leaf `index` in the tree of the first n leaves; nearest hash first.
 * E_LIMIT: index >= n. */
int proof_inclusion(struct proof *p, const struct proof_source *s,
		    uint64_t index, uint64_t n, struct err *e)
	__attribute__((warn_unused_result));
/* Of the first m leaves in the first n; empty when m is 0 or n. E_LIMIT:
 * m > n. */
int proof_consistency(struct proof *p, const struct proof_source *s,
		      uint64_t m, uint64_t n, struct err *e)
	__attribute__((warn_unused_result));

/* The root that a proof of inclusion says. false: it is none for this index
 * and size. */
bool proof_leads_to(struct sha256 *h, const struct proof *p, uint64_t index,
		    uint64_t n, const uint8_t leaf[SHA256_LEN],
		    uint8_t root[SHA256_LEN]);
bool proof_includes(struct sha256 *h, const struct proof *p, uint64_t index,
		    uint64_t n, const uint8_t leaf[SHA256_LEN],
		    const uint8_t root[SHA256_LEN]);
/* The tree of n leaves and root b continues that of m leaves and root a. */
bool proof_continues(struct sha256 *h, const struct proof *p, uint64_t m,
		     uint64_t n, const uint8_t a[SHA256_LEN],
		     const uint8_t b[SHA256_LEN]);

#endif
