/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Merkle tree over records: RFC 9162 section 2.1 with SHA-256. Leaf =
 * H(00 || record), node = H(01 || left || right), empty tree = H("").
 *
 * The writer keeps the frontier (one hash for each set bit of the size) and
 * for each level the tile being filled: 256 hashes, level 0 of leaves, level
 * L of the roots of full tiles of level L - 1. Adding costs one leaf hash and
 * one node hash on average, and never allocates.
 */
#ifndef AUDIT_TREE_H
#define AUDIT_TREE_H

#include "core/err.h"
#include "crypto/digest.h"

#define TREE_TILE	256
#define TREE_TILE_OCTETS (TREE_TILE * SHA256_LEN)
#define TREE_LEVELS	8 /* 256^8 = 2^64 leaves */

struct tree {
	struct sha256 *h; /* borrowed */
	uint64_t size;
	/* frontier[b]: root of 2^b leaves, valid when bit b of size is set */
	uint8_t frontier[64][SHA256_LEN];
	/* the first (size >> 8L) % 256 hashes of tile[L] are valid */
	uint8_t tile[TREE_LEVELS][TREE_TILE][SHA256_LEN];
	/* Called with each tile that becomes full; may be NULL. */
	int (*full)(void *arg, unsigned level, uint64_t idx,
		    struct span hashes, struct err *e);
	void *arg;
};

void tree_init(struct tree *t, struct sha256 *h);
void tree_leaf(struct sha256 *h, struct span record, uint8_t out[SHA256_LEN]);
void tree_node(struct sha256 *h, const uint8_t left[SHA256_LEN],
	       const uint8_t right[SHA256_LEN], uint8_t out[SHA256_LEN]);

/* Add one leaf hash. Fails only when full() does; then t is lost. */
int tree_add(struct tree *t, const uint8_t leaf[SHA256_LEN], struct err *e)
	__attribute__((warn_unused_result));
/* Add several, one hash after another; cheaper than one by one. */
int tree_add_leaves(struct tree *t, struct span leaves, struct err *e)
	__attribute__((warn_unused_result));
/* Add 256 leaves of which only the root is known; size is a multiple of 256. */
int tree_add_bundle(struct tree *t, const uint8_t root[SHA256_LEN],
		    struct err *e) __attribute__((warn_unused_result));
/* Root at the present size. */
void tree_root(const struct tree *t, uint8_t out[SHA256_LEN]);

/* Hashes of the frontier, largest subtree first; returns octets written. */
#define TREE_FRONTIER_MAX (64 * SHA256_LEN)
size_t tree_frontier(const struct tree *t, uint8_t out[TREE_FRONTIER_MAX]);

/* Root of neighbouring hashes, as many as a power of two up to 256. */
void tree_fold(struct span hashes, uint8_t out[SHA256_LEN]);
/* Root of a full tile. */
void tree_tile_root(struct span hashes, uint8_t out[SHA256_LEN]);
/* The caller filled the valid part of t->tile for this size: compute the
 * frontier from it. */
void tree_restore(struct tree *t, uint64_t size);

#endif
