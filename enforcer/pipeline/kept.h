/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets of a stream that were taken, kept for as long as they are not judged,
 * their receiver has not acknowledged them, or they may belong to a message:
 * the same place must have the same octets whenever it is sent.
 */
#ifndef ENFORCER_PIPELINE_KEPT_H
#define ENFORCER_PIPELINE_KEPT_H

#include "enforcer/pipeline/state.h"

/* What is on its way to the queue when the kernel takes over is among octets
 * that are not seen. */
static inline bool kept_wanted(const struct work *w)
{
	return !w->f->offload;
}

/* These too, which begin at seq, right behind the others. There is room. */
void kept_add(struct work *w, struct side *me, uint32_t seq, struct span s);
/* Octets not judged, in one piece; fresh ones at their end are s. */
struct span kept_line(struct work *w, const struct side *me, uint32_t n,
		      struct span s);
/* Judged octets are kept until they are acknowledged, and as long as they may
 * belong to a message; facts only: while some wait, and not more than so
 * many. The others go. */
void kept_cut(struct work *w, struct side *me);
/* Make room for n octets more. False: there is none. */
bool kept_room(struct work *w, struct side *me, size_t n);

/* Are these octets, all below nxt, the ones that were taken? */
enum again {
	AGAIN_SAME,
	AGAIN_OTHER,
	AGAIN_UNKNOWN, /* too old: the receiver acknowledged some of them */
};
enum again kept_compare(const struct work *w, const struct side *me,
			uint32_t seq, struct span s);
/* Octets before end were given up for want of room, and the receiver has not
 * got them all: nobody can compare what is sent again. */
bool kept_lost(const struct work *w, const struct side *me, uint32_t end);

#endif
