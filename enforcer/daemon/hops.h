/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an address was seen last: the MAC and the interface. Bridged, a
 * segment of our own goes there directly, for this domain may have no route;
 * not to another guest, whose queue would not see it. That, and what is not
 * known, or no longer, goes by the routing table.
 */
#ifndef ENFORCER_DAEMON_HOPS_H
#define ENFORCER_DAEMON_HOPS_H

#include "core/event.h"
#include "core/siphash.h"

#define HOPS 256 /* 2^n; one address has one place */

struct hops {
	struct sipkey key;
	struct hop {
		struct net_addr addr;
		uint32_t ifindex; /* 0 = free */
		uint8_t mac[6];
	} hop[HOPS];
};

/* The source address of an IP packet came with that MAC by that interface. */
void hops_note(struct hops *h, struct span packet, const uint8_t mac[6],
	       uint32_t ifindex);
const struct hop *hops_find(const struct hops *h, const struct net_addr *a);

#endif
