/* SPDX-License-Identifier: Apache-2.0 */
/* What audit.c (appending), audit_open.c, audit_past.c (what is there already),
 * audit_room.c (making room) and audit_there.c share. */
#ifndef AUDIT_AUDIT_OWN_H
#define AUDIT_AUDIT_OWN_H

#include <sys/types.h>

#include "audit/anchor.h"
#include "audit/audit.h"
#include "audit/checkpoint.h"
#include "audit/logkey.h"
#include "audit/record.h"
#include "audit/store.h"

#define AUDIT_PATH 4096

struct audit {
	struct store *store;
	struct salt_row salts; /* of the boot */
	const char *(*service_name)(uint8_t code);
	uint32_t batch, pending, policy_seq;
	uint64_t octets; /* of records appended */
	uint64_t most; /* octets; 0: no bound */
	bool anchors;  /* a TPM is to have each checkpoint */
	/* What is to be removed: a record says so and is not covered yet. end 0:
	 * nothing; full: there is no room until something is. */
	struct {
		uint64_t end, at; /* records before; that record */
		bool full;
	} going;
	/* Records from unvouched on, up to not with opened, had no checkpoint
	 * when it was opened; no record withdrew yet what they say is to be
	 * removed: withdraws; none named them yet, and no start will: again. */
	uint64_t unvouched, opened;
	bool withdraws, again;
	bool cosigned, tight;
	const struct note_key *witnesses; /* whose cosignatures count */
	size_t n_witnesses;
	int lock; /* file, or -1 */
	/* Clocks of the last record of this boot. */
	bool has_last;
	struct mono last_mono;
	int64_t last_wall;
	bool new_boot;
	/* Checkpoints. */
	const struct note_signer *by; /* NULL: none are made */
	struct log_key key;
	struct note_signer signer;
	bool (*can_sign)(void *arg);
	void *arg;
	struct anchor_bound bound; /* what the next one says of the TPM */
	char *path;	   /* of the file that is open */
	/* Which that is, and its journal. */
	struct audit_file {
		bool known;
		dev_t device;
		ino_t inode;
	} file, wal;
	unsigned recovery; /* 0: this is the log that was asked for */
	char why[ERR_TEXT];
	char origin[NOTE_NAME_MAX + 1];
	bool acted;  /* somebody waits for a record since the last one */
	bool counted; /* open counts changed since the last one */
	bool sealed; /* what the next one is bound to is in the log */
	uint8_t *open; /* and what was open then; or NULL */
	size_t open_n;
	/* One that is not signed yet: what is bound to it is in the log. */
	struct {
		uint64_t size, wall; /* size 0: none */
		uint8_t text[CHECKPOINT_TEXT_MAX];
		size_t n;
		struct anchor_bound bound;
	} unsigned_;
	bool has_point;
	struct mono point; /* of the last; or of the first record */
	char last_detail[sizeof(((struct record_view *)0)->detail)];
};

/* Whatever is not committed is not there any more. Frees. Who gives up a log
 * need not ask how that went. */
int audit_end(struct audit *a, struct err *e);
/* Note which files these are, for audit_there. */
void audit_know(struct audit *a);
/* What a log that was opened still has to remove: what a checkpoint covers that
 * was there, no more. */
int audit_going(struct audit *a, struct err *e)
	__attribute__((warn_unused_result));
/* Are the copies there of which audit_highest takes the number? */
int audit_counts(struct audit *a, const char *prefix, struct err *e)
	__attribute__((warn_unused_result));

#endif
