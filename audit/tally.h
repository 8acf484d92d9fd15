/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts that are open: what is counted and no record yet. Table `tally` has
 * each in a slot, as the record that it would be if it were told now: of kind
 * aggregate, its number that of the slot, its salt zero.
 *
 * They change with every commit, so they are no leaves of the tree. Instead
 *
 *   the state      has the digest of all that are open, of each commit;
 *   a checkpoint   has a list of what was open then, beside it; the record
 *                  before it, which is a leaf, has the digest of that.
 *
 * A count only grows until a record tells it. So whatever the list of the last
 * checkpoint has must be in the table, with no less, or in a record behind the
 * checkpoint. Who has not the log's key can take away what came since, as with
 * records.
 *
 * Digest of a count: H(03 || slot u64 || its record); of several: H(04 || those
 * of all, by slot). There is none of none. In a list each is slot u64, length
 * u16, record, by slot.
 */
#ifndef AUDIT_TALLY_H
#define AUDIT_TALLY_H

#include "audit/record.h"
#include "core/err.h"
#include "crypto/digest.h"

struct db;

/* Digests of those that are open, by slot. */
struct tally_set {
	struct tally_one {
		uint64_t slot;
		uint8_t digest[SHA256_LEN];
	} *at;
	size_t n, room;
};

void tally_fini(struct tally_set *set);
/* said empty: it is open no more. */
int tally_put(struct tally_set *set, uint64_t slot, struct span said,
	      struct err *e) __attribute__((warn_unused_result));
/* Of all; false: there are none, out is zero. */
bool tally_digest(const struct tally_set *set, struct sha256 *h,
		  uint8_t out[SHA256_LEN]);

/* The record of a count in that slot. E_INTEGRITY: it is none. */
int tally_read(struct record_view *v, uint64_t slot, struct span said,
	       struct err *e) __attribute__((warn_unused_result));

/* Those that the table has, by slot; until f returns something else than 0,
 * which is returned. */
typedef int tally_f(void *arg, uint64_t slot, struct span said,
		    struct err *e);
int tally_each(struct db *d, tally_f *f, void *arg, struct err *e)
	__attribute__((warn_unused_result));
/* An empty set gets those that the table has. E_INTEGRITY: one is none. */
int tally_load(struct tally_set *set, struct db *d, struct err *e)
	__attribute__((warn_unused_result));
/* Those that the table has, as a list, which the caller frees. E_INTEGRITY:
 * they are not what is in the set. */
int tally_list(const struct tally_set *set, struct db *d, uint8_t **list,
	       size_t *n, struct err *e) __attribute__((warn_unused_result));
/* Is what the table has, which is in the set, what the state says, and is
 * nothing missing that was open at the last checkpoint? E_INTEGRITY: no. d:
 * the database `path`; the records of the log are what they should be. */
int tally_check(const struct tally_set *set, struct sha256 *h, struct db *d,
		const char *path, struct err *e)
	__attribute__((warn_unused_result));

#endif
