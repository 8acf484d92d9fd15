/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of an audit database, read from its tiles: full ones as they are
 * stored, the ones that are being filled from the last bundle (level 0) and
 * from the roots of full tiles of the level below; level 0 of bundles that were moved
 * out from their records (segment.h). It is a source of proofs
 * (proof.h); it trusts what it reads, so a proof is worth what its root is.
 */
#ifndef AUDIT_TILES_H
#define AUDIT_TILES_H

#include "audit/proof.h"
#include "core/span.h"

struct db;
struct segments;
struct tiles;

/* d: the database `path`; it and h are borrowed until tiles_close. */
int tiles_open(struct tiles **out, struct db *d, const char *path,
	       struct sha256 *h, struct err *e) __attribute__((warn_unused_result));
void tiles_close(struct tiles *t);
/* The same one, for the caller between calls. */
struct segments *tiles_segments(struct tiles *t);
struct proof_source tiles_source(struct tiles *t);
/* That record `index` is in the tree of the first n; of a pruned one that is
 * protected, too. Errors as proof_inclusion and segments_way. */
int tiles_prove(struct tiles *t, uint64_t index, uint64_t n, struct proof *out,
		struct err *e) __attribute__((warn_unused_result));
/* The hashes of one tile, 1 to 256; valid until the next call. E_NOTFOUND:
 * there is none (it was never begun, or was pruned); E_INTEGRITY. */
int tiles_get(struct tiles *t, unsigned level, uint64_t idx,
	      struct span *hashes, struct err *e)
	__attribute__((warn_unused_result));

#endif
