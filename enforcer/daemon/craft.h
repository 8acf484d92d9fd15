/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments made by the gate, from the fields of a verdict: what an engine may
 * ask for, and the octets of it. An engine never hands over headers.
 */
#ifndef ENFORCER_DAEMON_CRAFT_H
#define ENFORCER_DAEMON_CRAFT_H

#include "core/wbuf.h"
#include "enforcer/daemon/share.h"

#define CRAFT_PAYLOAD (8 * 1024)
#define CRAFT_DATAGRAM 512 /* octets of an answer over UDP */
#define CRAFT_MAX     (40 + 20 + 12 + CRAFT_PAYLOAD)
/* A verdict without a segment ends before it. */
#define VERDICT_SHORT offsetof(struct lane_verdict, seg)
#define VERDICT_MAX   (sizeof(struct lane_verdict) + CRAFT_PAYLOAD)

/* Whose segments. */
struct craft_for {
	const struct pol_prefix *addr; /* the guest's own */
	size_t n_addr;
};

/* Is a message of n octets, copied out of the ring, one that an engine may
 * send? NULL, or what is wrong with it. Looks at v->id only when n reaches so
 * far. */
const char *verdict_check(const struct lane_verdict *v, size_t n,
			  const struct craft_for *c)
	__attribute__((warn_unused_result));

/* Append the IP packet of a checked VK_RESET or VK_CRAFT: header without
 * options, TCP with time stamps if it has any, or UDP; checksums in place. */
void craft_segment(struct wbuf *w, const struct lane_verdict *v,
		   struct span payload);

#endif
