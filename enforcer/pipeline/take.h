/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets of a stream in their order: units are found in them and judged, and
 * the packets that carry those leave together, or none does.
 */
#ifndef ENFORCER_PIPELINE_TAKE_H
#define ENFORCER_PIPELINE_TAKE_H

#include "enforcer/pipeline/state.h"

/* Octets in order: n of them, at nxt. */
void take_octets(struct work *w, struct side *me, struct span s);
/* What waits is judged again, as it stands now. */
void take_again(struct work *w);
/* What waits although everything in it was judged: repeated octets, a FIN. */
void take_release(struct work *w, struct side *me);
/* A packet that brings nothing new to judge: charged as octets, then it
 * leaves, or not. */
void take_packet(struct work *w, uint32_t h);
/* Tell, then refuse what waits. */
void stream_give_up(struct work *w, struct side *me, enum reason why,
		    const char *detail);

#endif
