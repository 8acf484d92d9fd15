/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is acted upon: whatever a person or the time makes the gateway do.
 * Each goes through act(), which records it and says when it may be done: only
 * when the record is durable and, where there is a TPM, the checkpoint over it
 * was extended into PCR 13 (audit-log section 4, synchronous records).
 *
 * One that only closes is the exception, by the table in acts.c: what lets
 * nothing pass any more can release nothing unrecorded, and whoever stops a
 * guest because something is wrong is not made to wait for a disk or a TPM
 * that may be a part of that. It is done at once, but answered as done only
 * when its record is durable.
 */
#ifndef ENFORCER_DAEMON_ACTS_H
#define ENFORCER_DAEMON_ACTS_H

#include <stdbool.h>
#include <stdint.h>

#define ACT_NS INT64_C(5000000000) /* then it is not done any more */

enum act_kind {
	ACT_RELOAD,   /* the directory of policies is read again */
	ACT_IN_FORCE, /* and what was chosen of it comes into force */
	ACT_CONFIRM,  /* by the panel: what waited may come into force */
	ACT_PROPOSE,  /* a customer's file is looked at, and may then wait */
	ACT_FREEZE,
	ACT_THAW,
	ACT_ERASE,   /* of the ledger */
	ACT_RELEASE, /* out of a quarantine */
	ACT_EXPORT,  /* of the log, by metergate-audit */
	ACT_KINDS,
};

enum act_may { ACT_REFUSED = -1, ACT_WAITS, ACT_DO };

/* One that is under way; zeroed before the first call. */
struct act {
	bool begun;
	enum act_may is; /* as last said; final but for ACT_WAITS */
	uint64_t record; /* it ends there in the parent's ring */
	int64_t until_ns; /* mono */
	char why[160];	  /* of ACT_REFUSED: for who asked */
};

struct parent;

/* May it be done now? Asked again until it says something else than
 * ACT_WAITS. The first time it is recorded: about that guest, or NULL; who:
 * "uid 0", and what else the record says, as in the table. Refused: nothing
 * may be changed, it cannot be recorded, or was not durable in time. */
enum act_may act(struct parent *p, struct act *a, enum act_kind kind,
		 const char *guest, const char *who);
/* What else was recorded until now belongs to it, and is to be durable, too:
 * act() waits again. */
void act_covers(const struct parent *p, struct act *a);

#endif
