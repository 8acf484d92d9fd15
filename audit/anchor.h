/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anchors: what a TPM keeps of a log, so that a log that was cut, or replaced
 * as a whole with its software keys, shows.
 *
 * Into PCR 13 goes, at the first checkpoint after the TPM was reset,
 * H("AUD0" || H(text of the checkpoint before, or 32 zeros) || counter u64),
 * and with every checkpoint H("AUD1" || H(its text)). The record before a
 * checkpoint says what PCR 13 was before it, and what the NV counter is: the
 * number it has or is about to have, for it is counted only when the record
 * that says so is durable. So a counter that is ahead of its log is proof.
 *
 * A checkpoint that was made while there was no TPM says neither, and is
 * extended, in its turn, when there is one again.
 */
#ifndef AUDIT_ANCHOR_H
#define AUDIT_ANCHOR_H

#include "core/err.h"
#include "crypto/digest.h"

/* What the record before a checkpoint says. */
struct anchor_bound {
	bool has_pcr;
	uint8_t pcr[SHA256_LEN];
	uint64_t counter; /* 0: none */
};

/* What PCR 13 must be, from the checkpoints of a log in their order. Zeroed:
 * none was seen yet. */
struct anchor {
	bool begun;	/* pcr is known */
	bool cut;	/* the checkpoints before were pruned, records and all */
	bool foreign;	/* it had been extended by others before this log */
	bool has_last;
	uint8_t pcr[SHA256_LEN];
	uint8_t last[SHA256_LEN]; /* H(text) of the last checkpoint */
	uint64_t counter;	  /* the last one; 0: none */
	uint64_t resets;	  /* of the TPM, that were seen */
};

/* The next checkpoint, and what the record before it says. E_INTEGRITY: it
 * does not follow; the text says why. */
int anchor_step(struct anchor *a, const struct anchor_bound *b,
		struct span text, struct err *e)
	__attribute__((warn_unused_result));

/* Could a log of that name begin so? E_INTEGRITY: no, PCR 13 is not what it was
 * reset to. */
int anchor_begins(const struct anchor *a, const char *origin, struct err *e)
	__attribute__((warn_unused_result));
/* The first checkpoint that is left of a log that was pruned: what was before
 * it is what its row says. anchor_step follows, for the same. */
void anchor_resume(struct anchor *a, const struct anchor_bound *b);

/* What is extended, and what of it becomes. last: NULL, there is none. */
void anchor_first(const uint8_t *last, uint64_t counter,
		  uint8_t out[SHA256_LEN]);
void anchor_next(const uint8_t last[SHA256_LEN], uint8_t out[SHA256_LEN]);
void anchor_extend(uint8_t pcr[SHA256_LEN], const uint8_t digest[SHA256_LEN]);

/* --- a database and a TPM ------------------------------------------------- */

/* Where a TPM stands in the log. */
struct anchor_place {
	bool reset;	  /* its PCR 13 is zero: it begins anew */
	uint64_t at;	  /* else the size of the last checkpoint that it
			   * got, or, if none since, that was before its
			   * reset; 0: none */
	uint64_t points;  /* checkpoints in the log */
	uint64_t pending; /* of those, behind that: it did not get them yet */
	struct anchor whole; /* as it will be when it got them */
};

struct db;

/* Does a TPM with these values belong to the log? E_INTEGRITY: no; the log was
 * cut, rolled back or replaced, or it is another TPM. beside: the log was begun
 * because another was not what it should be; it need not tell of what was
 * before it. E_STATE: as anchor_replay. */
int anchor_find(struct anchor_place *out, struct db *d,
		const uint8_t pcr[SHA256_LEN], uint64_t counter, bool beside,
		struct err *e) __attribute__((warn_unused_result));
/* Each checkpoint behind that of `at` records: its size and what is extended
 * for it, until f returns something else than 0. */
int anchor_pending(struct db *d, uint64_t at,
		   int (*f)(void *arg, uint64_t size,
			    const uint8_t digest[SHA256_LEN], struct err *e),
		   void *arg, struct err *e)
	__attribute__((warn_unused_result));
/* All rows, in their order, each read by itself. E_STATE: rows were thinned out
 * meanwhile, and nothing can be said. */
int anchor_replay(struct anchor *a, struct db *d,
		  int (*f)(void *arg, uint64_t size, const struct anchor *a,
			   const struct anchor_bound *b, struct err *e),
		  void *arg, struct err *e) __attribute__((warn_unused_result));

#endif
