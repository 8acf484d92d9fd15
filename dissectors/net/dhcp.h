/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DHCP for IPv4 (RFC 2131, 2132), as a client on Ethernet speaks it.
 *
 * The message type fits the sender; a server's answer belongs to a message
 * that was let pass, by number and hardware address. Options are those of one
 * table, each once and of its length; options in the fields of names
 * (overload) are refused, as is BOOTP without a type, relaying and
 * reconfiguration by the server (RFC 3203).
 *
 * The language has no name for it: carrier flow.open, one leaf `opaque` with
 * app "dhcp". That a machine is no server is checked by the pipeline for every
 * packet; here a server's message from the wrong port is refused as well.
 */
#ifndef DISSECTORS_NET_DHCP_H
#define DISSECTORS_NET_DHCP_H

#include "dissectors/dissector.h"

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68

/* RFC 2132 9.6 */
enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER,
	DHCP_REQUEST,
	DHCP_DECLINE,
	DHCP_ACK,
	DHCP_NAK,
	DHCP_RELEASE,
	DHCP_INFORM,
};

struct dhcp_message {
	uint8_t type;
	bool answer; /* from a server */
	uint32_t xid;
	uint8_t mac[6];
	struct span asks; /* borrowed: the options it wants, 9.8 */
};

int dhcp_read(struct dhcp_message *m, struct span in, struct err *e)
	__attribute__((warn_unused_result));

extern const struct dissector dissector_dhcp;

#endif
