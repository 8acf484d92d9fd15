/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a log's bundles lie. The newest are in the database itself, with its
 * state, so that a commit is in one file. Older ones are moved out, a segment
 * at a time, into files beside it that never change again, PATH.seg-1 and so
 * on; the oldest of these are removed when room is needed (pruned).
 *
 * The order in which both are done leaves nothing to be repaired, wherever
 * the power goes:
 *
 *   moving    the file is written and durable; then, in one transaction of the
 *             database, it gets its row of `segment` and its bundles leave. A
 *             file that has no row yet is nothing, and written over.
 *   pruning   the record about it is durable and covered by a checkpoint,
 *             which the TPM has where there is one; then the row is marked,
 *             and then the file is removed. What a record says is pruned and
 *             is still there when the log is opened is removed then, if a
 *             checkpoint covered the record; so is a file whose row was
 *             marked.
 *
 * Of bundles that were moved out the level-0 tile is not stored: it is the
 * hashes of their records. Of pruned ones there remain their roots (tiles of
 * level 1 and up, table root), the protected records and the way from these to
 * the root of their bundle (tables protected and path), boots and some of the
 * checkpoints.
 */
#ifndef AUDIT_SEGMENT_H
#define AUDIT_SEGMENT_H

#include "core/err.h"
#include "core/span.h"
#include "crypto/digest.h"

struct db;
struct segments;

#define SEGMENT_PATH 4200
#define SEGMENT_WAY  8 /* hashes from a record to its bundle's root */

/* PATH.seg-NO */
int segment_name(char out[SEGMENT_PATH], const char *path, uint64_t no,
		 struct err *e) __attribute__((warn_unused_result));
/* Is this the file of a segment, of the format known here? E_INTEGRITY. */
int segment_identify(struct db *d, struct err *e)
	__attribute__((warn_unused_result));

/* For reading. d: the database `path`; borrowed. */
int segments_open(struct segments **out, struct db *d, const char *path,
		  struct err *e) __attribute__((warn_unused_result));
void segments_close(struct segments *s);
/* The bundle that begins with record first, a multiple of 256, wherever it
 * lies: 1, *n records, valid until the next call; 0: there is none yet;
 * E_NOTFOUND: it was pruned; E_INTEGRITY. No transaction is left open. */
int segments_bundle(struct segments *s, uint64_t first, uint32_t *n,
		    struct span *octets, struct err *e)
	__attribute__((warn_unused_result));
/* Head of the chain of bundles before record end, a multiple of 256 and not 0.
 * E_NOTFOUND: that is not kept, or not there yet. */
int segments_head(struct segments *s, uint64_t end, uint8_t head[SHA256_LEN],
		  struct err *e) __attribute__((warn_unused_result));
/* Records before this one were pruned; 0: none. */
int segments_pruned(struct segments *s, uint64_t *end, struct err *e)
	__attribute__((warn_unused_result));
/* The way from a protected record of a pruned bundle to its root. E_NOTFOUND:
 * there is none. */
int segments_way(struct segments *s, uint64_t seq,
		 uint8_t way[SEGMENT_WAY][SHA256_LEN], struct err *e)
	__attribute__((warn_unused_result));
/* The first protected record with a number of at least `from` and below `end`:
 * 1, valid until the next call; 0: none. */
int segments_kept(struct segments *s, uint64_t from, uint64_t end,
		  uint64_t *seq, struct span *record, struct err *e)
	__attribute__((warn_unused_result));

#endif
