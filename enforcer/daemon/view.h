/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scribe shows of the audit to processes that may not read it: the
 * last refusals of each guest, and how the audit is doing. Written by the
 * scribe only; seq is odd while it writes.
 */
#ifndef ENFORCER_DAEMON_VIEW_H
#define ENFORCER_DAEMON_VIEW_H

#include "enforcer/daemon/share.h"

#define VIEW_REFUSALS 64
#define VIEW_TEXT     2048 /* an EVE line; cut ones are marked by their end */

struct view_refusal {
	uint64_t record; /* leaf index in the audit */
	int64_t wall_us;
	uint32_t n;
	char text[VIEW_TEXT]; /* JSON */
};

struct view {
	_Atomic uint32_t seq;
	uint64_t records, commits, last_commit_us, failures;
	uint64_t aggregated, lost; /* merged in storms; refusals only counted */
	uint64_t size, first; /* of the log: records; the oldest one kept */
	char error[160]; /* why nothing can be recorded; empty = it can */
	struct {
		uint64_t n; /* ever; refusal[n % VIEW_REFUSALS] is the next */
		struct view_refusal refusal[VIEW_REFUSALS];
	} guest[SHARE_GUESTS];
};

#endif
