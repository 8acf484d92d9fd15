/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP (RFC 792), ICMPv6 (RFC 4443) and neighbour discovery (RFC 4861), as
 * far as a host needs them: a pure decoder. No rule names any of it; what is
 * read is judged as opaque (enforcer/pipeline/icmp.c).
 *
 * Read: echo, the errors with what they quote, solicitations, advertisements
 * and group membership (MLD). Each has one form: lengths of ND options add
 * up, options are of their kind, reserved octets are zero where nothing may
 * stand. Refused as `suspicious`: redirects, router advertisements of IPv4,
 * time stamp, mask and information requests, source quench, names, and every
 * type of no table.
 */
#ifndef DISSECTORS_NET_ICMP_H
#define DISSECTORS_NET_ICMP_H

#include "core/err.h"
#include "core/event.h"
#include "core/span.h"

enum icmp_kind {
	ICMP_ECHO_REQUEST,
	ICMP_ECHO_REPLY,
	ICMP_ERROR, /* unreachable, too big, time exceeded, bad parameter */
	ICMP_ROUTER_SOLICIT,
	ICMP_ROUTER_ADVERT,
	ICMP_NEIGHBOUR_SOLICIT,
	ICMP_NEIGHBOUR_ADVERT,
	ICMP_GROUP,
};

struct icmp_message {
	enum icmp_kind kind;
	uint8_t type, code;
	uint16_t id, seq; /* echo */
	struct span data; /* echo: borrowed; nobody knows what it means */
	/* Errors: the packet that is quoted, ports only when they are there. */
	struct net_tuple quoted;
	bool has_ports;
	struct net_addr target; /* neighbour discovery: whose address */
	bool has_link;		/* an option with a link address */
	uint8_t link[6];
};

/* in: from the type on; its checksum is the caller's matter. hops: TTL or hop
 * limit of the packet: ND is from this link, or a forgery (RFC 4861 7.1). */
int icmp_read(struct icmp_message *m, struct span in, bool v6, uint8_t hops,
	      struct err *e) __attribute__((warn_unused_result));

#endif
