/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit's whole writing API: open, append, close.
 *
 * An audit database is append-only: records are leaves of a Merkle tree
 * (RFC 9162 hashing), stored in bundles that are chained, in sqlite with
 * synchronous commits. Formats in record.h, tree.h and store.h; how to check
 * one in verify.h. The writer numbers, hashes and stores; it never changes
 * what is stored, and refuses to go on after any error.
 */
#ifndef AUDIT_AUDIT_H
#define AUDIT_AUDIT_H

#include "core/err.h"
#include "core/event.h"

struct anchor_bound;
struct anchor_place;
struct audit;
struct note_signer;
struct note_key;

struct audit_conf {
	const char *path;
	const char *origin;	  /* "meter-1.meter.example/audit" */
	uint8_t boot_key[32];	  /* random per boot; fixed in replay */
	uint32_t batch;		  /* records per commit; 0 = 1000 */
	uint64_t policy_seq;	  /* policy sequence in force, < 2^32 */
	/* Boot number; 0 = one more than the file's last. The same as the last
	 * continues that boot: key and monotonic clock must continue too. */
	uint32_t boot;
	/* With boot 0: if the last boot had this key, continue it. */
	bool resume;
	/* With boot 0: continue the last boot with the key that the file has,
	 * whatever boot_key is. */
	bool last;
	/* Hold PATH.lock, so that of those who ask for this one writes at a
	 * time; E_STATE when somebody else does. */
	bool alone;
	/* Octets that the log may take in all, for audit_room; 0: no bound.
	 * cosigned: only what a checkpoint covers that one of these witnesses
	 * cosigned may be pruned; the keys are borrowed. */
	uint64_t bound;
	bool cosigned;
	const struct note_key *witnesses;
	size_t n_witnesses;
	/* Who signs checkpoints; borrowed. NULL: the key that lies beside the
	 * file (logkey.h) when own_key says so, else nobody: there are none. */
	const struct note_signer *signer;
	bool own_key;
	/* The signer's public key lies beside the file, too, and is what the
	 * file was signed with until now; else E_INTEGRITY. */
	bool show_key;
	/* Can it sign now? Checkpoints wait until then. NULL: always. */
	bool (*can_sign)(void *arg);
	/* Is this log, opened and not yet continued, what somebody else knows
	 * of it? E_INTEGRITY: no, as if the file was not what its state says.
	 * NULL: nobody is asked. */
	int (*agree)(void *arg, struct audit *a, struct err *e);
	void *arg; /* of these two */
	/* A prefix of audit_highest: the copies of maintenance records since the
	 * newest with it are all there. NULL: nobody asks for one. */
	const char *counts;
	/* If the file is not what its state says: leave it alone and open
	 * PATH.recovery-N, origin ORIGIN/recovery-N, instead. */
	bool recover;
	/* Names of C12.22 services for the records; NULL = none. */
	const char *(*service_name)(uint8_t code);
	/* A new file that nobody acts upon before audit_close returned 0: no
	 * journal file, one sync at the end. A crash leaves rubbish behind. */
	bool bulk;
};

/* Creates the file or continues it (its state is checked first). With a batch
 * of UINT32_MAX nothing is committed before audit_commit. */
int audit_open(struct audit **out, const struct audit_conf *conf,
	       struct err *e) __attribute__((warn_unused_result));
/* N, when this is PATH.recovery-N; 0: it is the log that was asked for. *why:
 * what was wrong with that one. */
unsigned audit_recovery(const struct audit *a, const char **why);
/* The log that is open, this or that: its file, and what its checkpoints are
 * signed for. Both last as long as a does. */
const char *audit_path(const struct audit *a);
/* Records that no checkpoint covered when the log was opened: from `from` on up
 * to, not with, `end`. Whoever can write the file can have made them. false:
 * there were none, or nobody signs this log. */
bool audit_unvouched(const struct audit *a, uint64_t *from, uint64_t *end);
/* Some of them say what is to be removed. That is not done: before anything
 * else is added a record withdraws it, and they are never believed again. Of a
 * boot that goes on such a record names them whatever they say. */
bool audit_withdraws(const struct audit *a);
/* Are the file that is written, and its journal, still those of that name?
 * E_INTEGRITY: one was taken away or replaced, and what is written would be
 * gone. */
int audit_there(const struct audit *a, struct err *e)
	__attribute__((warn_unused_result));
const char *audit_origin(const struct audit *a);
/* Encode the event (see audit_wants) and append it as one record. Durable
 * after audit_commit returns 0; *seq, if asked for, is its leaf index. */
int audit_append(struct audit *a, const struct event *ev, uint64_t *seq,
		 struct err *e) __attribute__((warn_unused_result));
/* Is this event one that is kept (decisions, violations, anomalies, flow
 * starts and ends, policy, maintenance, attestation)? */
bool audit_wants(const struct event *ev);
/* Records appended so far, those not yet committed included. */
uint64_t audit_size(const struct audit *a);
/* Octets that records appended since it was opened take in a log: what they say,
 * their length and their leaf of the tree. */
uint64_t audit_octets(const struct audit *a);
/* The monotonic clock of the last record of this boot; 0: there is none. */
struct mono audit_last(const struct audit *a);
/* Nothing was written in this boot when the file was opened. */
bool audit_boot_is_new(const struct audit *a);
/* The clause for a person of the last record there was then; "" if none. */
const char *audit_last_detail(const struct audit *a);
/* The number behind this prefix in the clause of a maintenance record, for a
 * number that only grows: of the newest that a checkpoint covered when the log
 * was opened, or that was added since, and those behind it; 0: there is none. */
int audit_highest(struct audit *a, const char *prefix, uint64_t *n,
		  struct err *e) __attribute__((warn_unused_result));
/* Another policy is in force: the records from here on say so. */
void audit_policy(struct audit *a, uint32_t policy_seq);
/* Is a checkpoint due? After a record that somebody acts upon, after 65,536
 * records, and 60 s after the last when there are others, or counts, since. */
bool audit_due(const struct audit *a, struct mono now);
/* If one is due: append what it is bound to, so that audit_size is what it
 * will be once the next commit made it. audit_commit does so itself, with the
 * clocks of the last record. 1: a record was added; 0: not. */
int audit_seal(struct audit *a, const struct now *now, struct err *e)
	__attribute__((warn_unused_result));
/* Has the last one not got its signature? A signer that says E_MORE has been
 * asked, and is asked again with each commit until it has an answer; records
 * are committed meanwhile, and no other checkpoint is made. */
bool audit_unsigned(const struct audit *a);
/* It gets none: another is due at once. The record that announced it stays. */
void audit_sign_later(struct audit *a);
/* What the platform's TPM is at: the next checkpoints say so. NULL: nothing is
 * known. */
void audit_bind(struct audit *a, const struct anchor_bound *b);
/* A checkpoint belongs to the next commit. */
void audit_ask(struct audit *a);
/* Of how many records the last checkpoint is; 0: there is none. */
uint64_t audit_checkpointed(const struct audit *a);
/* What the TPM got; anchor.h. The log must have nothing uncommitted. */
void audit_anchored(struct audit *a, uint64_t size);
int audit_place(struct audit *a, struct anchor_place *out,
		const uint8_t pcr[32], uint64_t counter, struct err *e)
	__attribute__((warn_unused_result));
int audit_pending(struct audit *a, uint64_t at,
		  int (*f)(void *arg, uint64_t size, const uint8_t digest[32],
			   struct err *e),
		  void *arg, struct err *e) __attribute__((warn_unused_result));
/* Keep the log within its bound: move old records out of the database, and
 * when there is no room for that prune the oldest (segment.h). To be called
 * when nothing waits for a commit, at least once every few thousand records.
 *
 * What is pruned is removed when a checkpoint covers the record that says so
 * and, with agree in audit_conf, a TPM has that checkpoint: who takes the
 * record back afterwards is found out. 1: that record was added, a commit must
 * follow; AUDIT_REMOVED: what it says is gone, and what is left is durable; 0:
 * neither. E_LIMIT: the log is full and nothing may be pruned; it goes on when
 * something may, as when a witness cosigned it (audit_cosign). */
int audit_room(struct audit *a, const struct now *now, struct err *e)
	__attribute__((warn_unused_result));
#define AUDIT_REMOVED 2
/* audit_room would remove something. */
bool audit_removes(const struct audit *a);
/* There is no room for more records until it did: add none that can wait. */
bool audit_full(const struct audit *a);
#define AUDIT_BOUND_LEAST (UINT64_C(32) << 20)
/* It is nearly so: single records that need not be should not be made. */
bool audit_tight(const struct audit *a);
/* The first record that was not pruned. */
uint64_t audit_first(const struct audit *a);
/* Prune the segments that end before this record, or with the one before it; as
 * audit_room. 0: there is none. E_STATE: others are not removed yet. why: for
 * the record. */
int audit_prune(struct audit *a, uint64_t before, const struct now *now,
		const char *why, struct err *e)
	__attribute__((warn_unused_result));
/* Nothing waits for a commit: remove what may be. 0: there is nothing, or its
 * record is not covered. */
int audit_remove(struct audit *a, const struct now *now, struct err *e)
	__attribute__((warn_unused_result));
/* Move all records before this one out, as far as bundles are full and not
 * the last. */
int audit_segment(struct audit *a, uint64_t before, struct err *e)
	__attribute__((warn_unused_result));
/* Several alike, counted so far, that will be a record later: such as the open
 * counts of an hour. Durable with the next commit, and covered by the next
 * checkpoint (tally.h): a count only grows until a record tells it, with the
 * same first one. ev->count is not 0. ev NULL: the slot is free again, which
 * belongs into the commit of that record. */
int audit_tally(struct audit *a, uint64_t slot, const struct event *ev,
		struct err *e) __attribute__((warn_unused_result));
/* Those that are there, by slot, until f returns something else than 0; f
 * appends nothing. */
int audit_tallies(struct audit *a,
		  int (*f)(void *arg, uint64_t slot, const struct event *ev,
			   struct err *e),
		  void *arg, struct err *e) __attribute__((warn_unused_result));
/* How many commits the log has had. One without anything new is none. */
uint64_t audit_commits(const struct audit *a);
/* A cosignature of a witness, for the next commit; errors in store.h. */
int audit_cosign(struct audit *a, uint64_t size, struct span line,
		 const struct note_key *keys, size_t n_keys, struct err *e)
	__attribute__((warn_unused_result));
int audit_commit(struct audit *a, struct err *e)
	__attribute__((warn_unused_result));
/* Commits, with a last checkpoint; frees always. */
int audit_close(struct audit *a, struct err *e)
	__attribute__((warn_unused_result));
/* Frees, and leaves the file as the last commit left it. */
void audit_abandon(struct audit *a);

#endif
