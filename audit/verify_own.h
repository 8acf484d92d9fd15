/* SPDX-License-Identifier: Apache-2.0 */
/* What verify.c (the log), verify_walk.c (its records) and verify_segment.c (what
 * left the database) share. */
#ifndef AUDIT_VERIFY_OWN_H
#define AUDIT_VERIFY_OWN_H

#include "audit/db.h"
#include "audit/said.h"
#include "audit/store.h"
#include "audit/verify_rules.h"

struct state {
	uint64_t size, boot, checkpoint, anchored;
	struct span frontier; /* in octets */
	uint8_t octets[TREE_FRONTIER_MAX], chain[SHA256_LEN];
	uint64_t moves; /* of bundles out of the database, and out of reach */
};

struct verify {
	struct db *db;
	struct db_stmt *tile, *keep, *boot_row;
	struct sha256 *h;
	struct verify_result *out;
	struct tree tree;
	struct verify_rules rules;
	uint64_t tiles, kept, ways;
	const struct points_conf *conf;
	struct points points;
	char origin[NOTE_NAME_MAX + 1];
	/* Records that are right go into the tree together, when its root is
	 * asked for or there are no more in their bundle. */
	struct store_digests digests;
	/* Of what left the database (segment.h): records in segments, and of
	 * those in pruned ones; how far records say that it was pruned. */
	uint64_t moved, pruned;
	struct said said;
	struct state state; /* as the transaction has it */
	uint64_t until;	    /* its size at the beginning of this pass */
	unsigned passes;
	int64_t since_ns; /* when this transaction began */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
	bool point_wrong; /* a checkpoint is, and no record */
};

/* E_INTEGRITY: record seq is the first that is wrong; or what is, is none. */
int verify_wrong(struct verify *v, uint64_t seq, struct err *e,
		 const char *what);
int verify_wrong_file(struct err *e, const char *what);
/* sqlite's own check of a file. */
int verify_structure(struct db *d, struct err *e)
	__attribute__((warn_unused_result));
/* The tree completed a tile: it must be the stored one. arg: struct verify. */
int verify_tile(void *arg, unsigned level, uint64_t idx, struct span hashes,
		struct err *e) __attribute__((warn_unused_result));
/* The tree is as long as a checkpoint says, or, sealed, its last record says
 * that there is one. */
int verify_point(struct verify *v, bool sealed, struct err *e)
	__attribute__((warn_unused_result));
/* First record of the first subtree that is another in the state's frontier
 * than in ours. */
uint64_t verify_doubtful(const struct verify *v, const struct state *s);
/* Each bundle of d. In between the database is let go of. */
int verify_walk(struct verify *v, struct db *d, struct err *e)
	__attribute__((warn_unused_result));
/* Nothing is read at the moment: end the transaction and begin another, so that
 * the writer can make its log of what changed shorter. The log may be longer
 * afterwards. E_STATE: records were moved out or pruned meanwhile. */
int verify_renew(struct verify *v, struct err *e)
	__attribute__((warn_unused_result));

/* First: what is pruned, and the bundles in segments. */
int verify_segments(struct verify *v, const char *path, struct err *e)
	__attribute__((warn_unused_result));
/* A record that says what was pruned. */
int verify_removal(struct verify *v, uint64_t seq,
		   const struct record_view *view, struct err *e)
	__attribute__((warn_unused_result));
/* Last: what of them is in the database. */
int verify_moved(struct verify *v, const char *path, struct err *e)
	__attribute__((warn_unused_result));

#endif
