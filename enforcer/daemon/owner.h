/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The owner of the ledger: the scribe. It counts what all machines use, and
 * the limits that several of them use up together; answers the claims that
 * engines put in their lanes, once what it grants is on the disk (journal.h);
 * and erases what the household wants gone. An engine is hostile until proven
 * otherwise: its machine is the lane's.
 */
#ifndef ENFORCER_DAEMON_OWNER_H
#define ENFORCER_DAEMON_OWNER_H

#include "enforcer/daemon/processes.h"

struct owner;

/* What opens files, before the sandbox. *out is NULL when there is no area to
 * keep counters in. */
int owner_open(struct owner **out, const struct scribe_arg *a, struct err *e)
	__attribute__((warn_unused_result));
/* The set in force, and every claim that waits, but for those of a machine
 * whose engine claims without end. */
void owner_turn(struct owner *o);
/* Does anybody wait who would be answered? */
bool owner_asked(const struct owner *o);
/* Or one who will be in a while? */
bool owner_holds_back(const struct owner *o);

/* Its files were damaged: what they said is not known. */
bool owner_damaged(const struct owner *o);
/* How often the ledger was tied to the audit; with every write to its files. */
uint64_t owner_generation(const struct owner *o);
int owner_write(struct owner *o, uint64_t generation, struct err *e)
	__attribute__((warn_unused_result));
/* All counts as used up; not on the disk before it is written. */
void owner_exhaust(struct owner *o);
/* Was anything granted since the generation changed? */
bool owner_granted(const struct owner *o);

#endif
