/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records in sqlite (tables in schema.h): bundles of up to 256, chained; the
 * tiles of the tree; the state. One writer at a time.
 *
 * Chain: head = H(02 || head before || first u64 || count u32 || H(bundle)),
 * the head before the first bundle is 32 zero octets. The head of a bundle
 * that is not full is that of what it holds so far.
 *
 * Nothing is durable before store_commit returns 0; one transaction each.
 * After any failure the store refuses everything but store_close.
 */
#ifndef AUDIT_STORE_H
#define AUDIT_STORE_H

#include "audit/anchor.h"
#include "audit/note.h"
#include "audit/record.h"
#include "audit/tree.h"

#define STORE_BUNDLE	   256
#define STORE_STAY	   5 /* bundles at the end are not moved out: what is
			      * read again when it is opened */
#define STORE_BUNDLE_MAX   (STORE_BUNDLE * (2 + RECORD_MAX))

struct store;

#define STORE_BOOT_RESUME UINT32_MAX
#define STORE_BOOT_LAST	  (UINT32_MAX - 1)

/* Create the file, or continue it after checking that its state is what its
 * last bundles and tiles say; E_INTEGRITY when it is not, E_STATE when it is
 * no audit database or another's. key: of boot `boot`; 0: one more than the
 * last; the last one again: its key must be the same; STORE_BOOT_RESUME: the
 * last one if its key is this, else one more; STORE_BOOT_LAST: the last one,
 * with the key it had. bulk: a new file, written
 * without a journal file, synced once when it is closed (audit.h). */
int store_open(struct store **out, const char *path, const char *origin,
	       uint32_t boot, const uint8_t key[32], bool bulk, struct err *e)
	__attribute__((warn_unused_result));

uint64_t store_size(const struct store *s); /* next sequence number */
uint32_t store_boot(const struct store *s);
const uint8_t *store_key(const struct store *s);
/* The last record of the file at open; empty when there is none. Valid until
 * the first store_add. */
struct span store_last(const struct store *s);
/* The last one that is not there because of a checkpoint. */
struct span store_last_said(const struct store *s);

/* Of all that was added, committed or not: the tree's root; head of the chain
 * of bundles. */
void store_root(const struct store *s, uint8_t out[SHA256_LEN]);
void store_head(const struct store *s, uint8_t out[SHA256_LEN]);
uint64_t store_first(const struct store *s); /* that was not pruned */
/* How long the log was at its last checkpoint; 0: there is none. */
uint64_t store_checkpointed(const struct store *s);
/* SHA-256 of that one's text; there is one. */
int store_point_text(struct store *s, uint8_t out[SHA256_LEN], struct err *e)
	__attribute__((warn_unused_result));

/* Protected records of a kind, the newest first, also those not committed yet;
 * until f returns something else than 0, which is returned, or 0. */
int store_newest(struct store *s, uint8_t kind,
		 int (*f)(void *arg, struct span record, struct err *e),
		 void *arg, struct err *e) __attribute__((warn_unused_result));

int store_add(struct store *s, struct span record, uint16_t flags,
	      uint8_t kind, struct err *e) __attribute__((warn_unused_result));
/* A checkpoint of so many records, more than the last is of; part of the next
 * commit, which must follow at once. note: signed, of the root there was then.
 * bound: as the last of them says; wall: its time, us; open: what store_counts
 * listed then. */
int store_checkpoint(struct store *s, uint64_t size, struct span note,
		     const struct anchor_bound *bound, uint64_t wall,
		     struct span open, struct err *e)
	__attribute__((warn_unused_result));
/* Is the last checkpoint, if there is one, signed by this key? E_INTEGRITY: it
 * is not, so the log or the key is another than it was. */
int store_signed(struct store *s, const struct note_key *key, struct err *e)
	__attribute__((warn_unused_result));
/* Does the last checkpoint cover this record, as it is? 1; 0: it is behind it;
 * E_INTEGRITY: it is not the one that the checkpoint has. Whose that is says
 * store_signed. */
int store_vouched(struct store *s, uint64_t seq, struct span record,
		  struct err *e) __attribute__((warn_unused_result));
/* Those from record seq on, which was not pruned, from the log itself and not
 * from copies, else as store_newest gives them; all that is committed.
 * E_INTEGRITY: one is missing, or is not the one that the last checkpoint has. */
int store_from(struct store *s, uint64_t seq,
	       int (*f)(void *arg, struct span record, struct err *e),
	       void *arg, struct err *e) __attribute__((warn_unused_result));
/* Is the copy of this protected record there? E_INTEGRITY: no. */
int store_copied(struct store *s, uint64_t seq, struct span record,
		 struct err *e) __attribute__((warn_unused_result));
/* A TPM got the checkpoint of so many records: noted with the next commit. */
void store_anchored(struct store *s, uint64_t size);
uint64_t store_anchor(const struct store *s); /* the last one; 0: none */
/* anchor.h, of what is committed. */
int store_place(struct store *s, struct anchor_place *out,
		const uint8_t pcr[SHA256_LEN], uint64_t counter, bool beside,
		struct err *e) __attribute__((warn_unused_result));
int store_pending(struct store *s, uint64_t at,
		  int (*f)(void *arg, uint64_t size,
			   const uint8_t digest[SHA256_LEN], struct err *e),
		  void *arg, struct err *e) __attribute__((warn_unused_result));
/* A cosignature that came for the checkpoint of `size` records: one line of a
 * note, by one of the keys (type 04). Durable with the next commit; one that
 * is there already is taken as it is. E_NOTFOUND: no such checkpoint; E_AUTH:
 * of no key that is known; E_INTEGRITY: it is wrong; E_SYNTAX; E_LIMIT: the
 * note would be too long. After none of these is the store lost. */
int store_cosign(struct store *s, uint64_t size, struct span line,
		 const struct note_key *keys, size_t n_keys, struct err *e)
	__attribute__((warn_unused_result));
/* The digest of all that are open now, committed or not, and themselves, for
 * store_checkpoint; the caller frees *list. *n is 0 and out zero when there are
 * none. E_INTEGRITY: somebody else changed them. */
int store_counts(struct store *s, uint8_t out[SHA256_LEN], uint8_t **list,
		 size_t *n, struct err *e) __attribute__((warn_unused_result));
bool store_any_open(const struct store *s);
/* Transactions that the file has; one that has nothing to do is none. */
uint64_t store_commits(const struct store *s);
int store_commit(struct store *s, struct err *e)
	__attribute__((warn_unused_result));
/* What was not committed is dropped. Frees always. */
int store_close(struct store *s, struct err *e)
	__attribute__((warn_unused_result));

/* How much room the log takes, octets. */
struct store_room {
	uint64_t file;	   /* the database, without its WAL */
	uint64_t unused;   /* of that, for what comes next */
	uint64_t live;	   /* records in it that can be moved out */
	uint64_t segments; /* files of segments */
	uint64_t first;	   /* the oldest record that was not pruned */
	uint64_t oldest;   /* segment; 0: there is none that could be pruned */
};
int store_room(struct store *s, struct store_room *out, struct err *e)
	__attribute__((warn_unused_result));
/* Records in the last checkpoint that this key signed and one of the witnesses
 * cosigned; 0: none of the last 256 with any cosignature, or key is NULL. */
int store_cosigned(struct store *s, const struct note_key *key,
		   const struct note_key *witnesses, size_t n, uint64_t *size,
		   struct err *e) __attribute__((warn_unused_result));
/* Move the oldest bundles out into a segment of about so many octets, none of
 * them from record `before` on (segment.h). Nothing may wait for a commit.
 * Bundles at the end always stay. *moved: how many records. */
int store_segment(struct store *s, uint64_t octets, uint64_t before,
		  uint64_t *moved, struct err *e)
	__attribute__((warn_unused_result));
/* The record behind the last of the oldest segments that take so many octets
 * together, or of the oldest alone; none of them holds record `before` or one
 * behind it. 0: there is none. */
int store_oldest(struct store *s, uint64_t octets, uint64_t before,
		 uint64_t *end, struct err *e)
	__attribute__((warn_unused_result));
/* Prune the segments before record `end`, with the next commit; a record says so
 * that is durable. now: wall clock, us; 0: not known. */
int store_prune(struct store *s, uint64_t end, uint64_t now, struct err *e)
	__attribute__((warn_unused_result));
/* When a log was opened, and it is right that what is pruned is: files of it
 * that the power left there are removed. */
int store_left(struct store *s, struct err *e)
	__attribute__((warn_unused_result));
/* Are the records before `end`, a multiple of 256, that are still there what the
 * tree says, and do all protected ones have their copy, which stays? *kept: how
 * many. E_INTEGRITY: no; e names the first that is not. Whoever prunes asks
 * before: what was wrong with a record cannot be seen when it is gone. */
int store_going(struct store *s, uint64_t end, uint64_t *kept, struct err *e)
	__attribute__((warn_unused_result));
/* Root of the first n records, a multiple of 256, all committed. */
int store_root_at(struct store *s, uint64_t n, uint8_t out[SHA256_LEN],
		  struct err *e) __attribute__((warn_unused_result));

/* Is this an audit database, of the format known here? E_STATE when not.
 * fresh: if asked for, an empty file passes and says so. */
struct db;
int store_identify(struct db *d, bool *fresh, struct err *e)
	__attribute__((warn_unused_result));

/* Next head of the chain, from the head before and the bundle. */
void store_chain(struct sha256 *h, const uint8_t before[SHA256_LEN],
		 uint64_t first, uint32_t count, struct span bundle,
		 uint8_t out[SHA256_LEN]);
/* What a bundle's octets are in the log: the digest of each record as a leaf,
 * as far as they can be told apart, and that of all of them. */
struct store_digests {
	uint8_t leaf[STORE_BUNDLE][SHA256_LEN], all[SHA256_LEN];
};
void store_digests(struct store_digests *d, struct span bundle);
/* The next head, from that of all octets. */
void store_chain_of(struct sha256 *h, const uint8_t before[SHA256_LEN],
		    uint64_t first, uint32_t count,
		    const uint8_t all[SHA256_LEN], uint8_t out[SHA256_LEN]);
/* The next record of a bundle; false at its end or when it is damaged (then
 * c is failed). */
bool store_next(struct cur *c, struct span *record);

#endif
