/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checkpoints that a log must agree with while it is read again: those it
 * stores, and those that somebody else holds.
 */
#ifndef AUDIT_POINTS_H
#define AUDIT_POINTS_H

#include "audit/anchor.h"
#include "audit/checkpoint.h"
#include "core/clock.h"

struct db;

#define POINTS_HELD    64
#define POINTS_MISSING 64 /* that are listed */

struct points_conf {
	/* Keys of the log: each checkpoint is signed by one of them. None:
	 * signatures are not looked at. */
	const struct note_key *keys;
	size_t n_keys;
	/* Some checkpoint is cosigned by at least `need` of these. */
	const struct note_key *witnesses;
	size_t n_witnesses, need;
	/* Notes of checkpoints held elsewhere; at most POINTS_HELD. They need
	 * keys. */
	const struct span *held;
	size_t n_held;
};

/* One that is held, over pruned records, of which the log's own was thinned
 * out, and the stored ones before and behind it; 0: there is none. */
struct points_thinned {
	uint64_t size, before, after;
};

/* What the record says that comes right before a checkpoint: the TPM's state,
 * and when that was, as points_wall. */
struct points_sealed {
	struct anchor_bound bound;
	uint64_t wall;
};

struct points {
	const struct points_conf *conf;
	struct db_stmt *st; /* the next stored one behind a size */
	const char *origin; /* borrowed */
	struct checkpoint stored;
	struct note note; /* of row */
	struct anchor_bound bound; /* what its row says */
	uint64_t wall;		   /* likewise: by what it is thinned out */
	bool has_wall;
	uint64_t from; /* the next one's size is not below this */
	struct anchor anchor;
	/* What announced one that was not there: in a log that is being
	 * written it may come. size 0: none. */
	struct {
		uint64_t size;
		uint8_t root[SHA256_LEN];
		struct points_sealed sealed;
	} late;
	/* Stored ones that there were and that are not there, by size, and how
	 * many they are in all. */
	uint64_t missing[POINTS_MISSING], n_missing, last_missing;
	bool gap; /* one of them was right before the next stored one */
	bool has_row;
	struct checkpoint held[POINTS_HELD]; /* by size */
	size_t n_held, at_held;
	uint64_t good;	   /* up to here the log is as a checkpoint says */
	uint64_t n;	   /* stored ones that were reached */
	uint64_t n_pruned; /* of these, in what was pruned */
	uint64_t last;	   /* size of the last of them */
	uint64_t cosigned; /* size of the last one cosigned as asked for */
	bool has_cosigned;
	struct points_thinned thinned[POINTS_HELD];
	size_t n_thinned;
	struct wbuf whole; /* a note with its cosignatures */
	uint8_t octets[NOTE_MAX], row[NOTE_MAX];
};

/* Errors: E_INTEGRITY for whatever does not agree, E_LIMIT, E_SYNTAX for what
 * is held elsewhere and is none. *bad is set with E_INTEGRITY only, to the
 * first record that may be wrong; UINT64_MAX: which cannot be said. */
/* d: NULL when none are stored. */
int points_open(struct points *p, struct db *d, const char *origin,
		const struct points_conf *conf, struct err *e)
	__attribute__((warn_unused_result));
void points_close(struct points *p);
/* The log may have grown: look again where there was no other stored one. */
int points_look(struct points *p, struct err *e)
	__attribute__((warn_unused_result));
/* A record names the last one before it: of so many records, with this hash of
 * its text; size 0: there was none. One that is not stored is missing, which is
 * not wrong yet. False: it is another than the last one stored. */
bool points_named(struct points *p, uint64_t size,
		  const uint8_t text[SHA256_LEN])
	__attribute__((warn_unused_result));
/* The size at which points_reach is due next; UINT64_MAX: none. */
uint64_t points_next(const struct points *p);
/* The time by which a checkpoint is thinned out once it is over pruned records:
 * us of the wall clock, or of the boot where that was not set. */
static inline uint64_t points_wall(const struct now *now)
{
	return (uint64_t)(now->wall.us > 0 ? now->wall.us
					   : now->mono.ns / 1000);
}
/* A TPM's signature takes its time, and a writer may die before it has it: then
 * there is no checkpoint behind what announces one. Of those that it had, none
 * can be taken away so: the record before the next one names it, and so does
 * that of the next boot; of the last that is for who knows what the TPM says
 * (anchor.h). Without a TPM there is one behind each.
 *
 * The tree has so many records and this root. sealed: what the last record
 * says, if it is what comes before a checkpoint; else NULL. */
int points_reach(struct points *p, uint64_t size,
		 const uint8_t root[SHA256_LEN],
		 const struct points_sealed *sealed, uint64_t *bad,
		 struct err *e) __attribute__((warn_unused_result));
/* The records before `end` were pruned, of which only roots at ends of bundles
 * are known: this is the one of the first `size`. Of checkpoints of other sizes
 * only signatures are checked, and those held elsewhere are compared with the
 * stored ones, or, where these were thinned out, remembered. To be called for
 * each size that points_next does not lie behind, and at last for `end`. */
int points_pruned(struct points *p, uint64_t size, uint64_t end,
		  const uint8_t root[SHA256_LEN], uint64_t *bad,
		  struct err *e) __attribute__((warn_unused_result));
/* Which of those held elsewhere could not be compared. */
static inline void points_tell(const struct points *p,
			       struct points_thinned out[POINTS_HELD],
			       size_t *n)
{
	*n = p->n_thinned;
	memcpy(out, p->thinned, sizeof(p->thinned));
}
/* rc and e are what else was found. E_INTEGRITY: some are missing, and that is
 * told first. */
int points_whole(const struct points *p, int rc, uint64_t *bad, struct err *e)
	__attribute__((warn_unused_result));
/* There are no more records than this. */
int points_end(struct points *p, uint64_t size, uint64_t *bad, struct err *e)
	__attribute__((warn_unused_result));

#endif
