/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scribe's side of struct view: what is shown is what is durable. Refusals
 * are kept back until the commit that holds them.
 */
#ifndef ENFORCER_DAEMON_SCRIBE_VIEW_H
#define ENFORCER_DAEMON_SCRIBE_VIEW_H

#include "core/err.h"
#include "enforcer/daemon/view.h"

struct scribe_held;

struct scribe_view {
	struct view *view; /* shared, ours to write */
	struct scribe_held *held;
	uint8_t *line;
	uint64_t records, aggregated, lost; /* since the last commit */
};

/* Before the sandbox: memory. A predecessor's view is continued. */
int scribe_view_init(struct scribe_view *v, struct view *view, struct err *e)
	__attribute__((warn_unused_result));
void scribe_view_fini(struct scribe_view *v);

/* ev is record seq, not yet committed; guest: an index, or -1. */
void scribe_view_add(struct scribe_view *v, int guest, const struct event *ev,
		     uint64_t seq);
void scribe_view_commit(struct scribe_view *v, uint64_t took_us);
/* The log has so many records, those before first pruned. */
void scribe_view_log(struct scribe_view *v, uint64_t first, uint64_t size);
/* What was added since the last commit never was. */
void scribe_view_drop(struct scribe_view *v);
/* Why nothing can be recorded; NULL: it can again. */
void scribe_view_error(struct scribe_view *v, const char *why);

#endif
