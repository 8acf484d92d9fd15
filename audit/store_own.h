/* SPDX-License-Identifier: Apache-2.0 */
/* What store.c (appending) and store_open.c (opening) share; nobody else. */
#ifndef AUDIT_STORE_OWN_H
#define AUDIT_STORE_OWN_H

#include "audit/db.h"
#include "audit/segment.h"
#include "audit/store.h"
#include "audit/tally.h"

struct store {
	struct db *db;
	struct db_stmt *begin, *commit, *insert, *grow, *tile, *state, *keep,
		*boot_row;
	struct db_stmt *point, *pointed; /* adds a checkpoint; one is not last */
	struct db_stmt *tally, *tallied; /* puts one, takes one away */
	struct sha256 *h;
	struct tally_set open;
	struct tree tree;
	uint32_t boot;
	uint8_t key[32];
	bool boot_known; /* its row is in the file */
	bool in_txn, failed, bulk;
	uint64_t checkpoint; /* size of the last one; 0: none */
	uint64_t anchored;   /* of the last that a TPM has */
	uint64_t cosigned;   /* of the last that is, if has_cosigned */
	bool has_cosigned;
	uint64_t commits;    /* that are in the file */
	/* The last bundle: what it holds, and how much of it is in the file. */
	uint64_t first;
	uint32_t n, n_stored;
	uint8_t before[SHA256_LEN]; /* chain head of the bundle before */
	uint8_t head[SHA256_LEN];   /* of what is stored of it */
	size_t last_off, last_n;    /* last record in data at open */
	uint8_t said[RECORD_MAX];   /* last one at open but for checkpoints */
	size_t said_n;
	/* Segments (segment.h). */
	uint64_t seg_no, seg_end; /* how many; records in them, pruned or not */
	uint64_t seg_gone, pruned; /* the last pruned one; records in those */
	uint64_t seg_octets;	   /* of the files of those that are there */
	uint64_t n_drop;	   /* files that go with the next commit */
	uint64_t n_left;	   /* of pruned ones, at the end of those; there
				    * when it was opened, or some of them */
	uint64_t live; /* octets of the bundles in the database, the last one's
			* not counted */
	char path[SEGMENT_PATH];
	size_t used;
	uint8_t data[STORE_BUNDLE_MAX];
};

/* E_STATE after a failure. */
int store_usable(struct store *s, struct err *e)
	__attribute__((warn_unused_result));
/* Nothing is taken any more; returns rc. */
int store_lost(struct store *s, int rc);
/* The transaction that the next commit ends. */
int store_begin(struct store *s, struct err *e)
	__attribute__((warn_unused_result));
/* That this boot writes, with the first of what it does. */
int store_put_boot(struct store *s, struct err *e)
	__attribute__((warn_unused_result));
/* tree.full: a tile is complete. arg: the store. */
int store_put_tile(void *arg, unsigned level, uint64_t idx,
		   struct span hashes, struct err *e)
	__attribute__((warn_unused_result));
/* The segments as the file says, which must be there; called by store_open
 * when all else was read. */
int store_load_segments(struct store *s, struct err *e)
	__attribute__((warn_unused_result));
/* After a commit: the files of pruned segments go. */
int store_drop(struct store *s, struct err *e)
	__attribute__((warn_unused_result));

#endif
