/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The owner of limits that several machines use up together: the scribe. It
 * keeps their counters, in memory that outlives it, and answers the claims
 * that engines put in their lanes. An engine is hostile until proven
 * otherwise: it is asked nothing but how much, and its machine is the lane's.
 */
#ifndef ENFORCER_DAEMON_OWNER_H
#define ENFORCER_DAEMON_OWNER_H

#include "enforcer/daemon/processes.h"

struct owner;

/* What opens files, before the sandbox. *out is NULL when there is no area to
 * keep counters in. */
int owner_open(struct owner **out, const struct scribe_arg *a, struct err *e)
	__attribute__((warn_unused_result));
/* The set in force, and every claim that waits. */
void owner_turn(struct owner *o);
/* Does an engine wait? */
bool owner_asked(const struct owner *o);
void owner_end(struct owner *o);

#endif
