/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link, IP and transport headers of one packet.
 *
 * A packet that contradicts itself is refused with a reason: what two
 * receivers could take for different packets never gets further
 * (inline-inspection section 1, rules 4, 7, 8).
 */
#ifndef ENFORCER_PIPELINE_PACKET_H
#define ENFORCER_PIPELINE_PACKET_H

#include "core/event.h"
#include "enforcer/pipeline/pipeline.h"

enum tcp_flag {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_URG = 0x20,
};

struct tcp_head {
	uint32_t seq, ack;
	uint16_t window;
	uint8_t flags;
	bool has_wscale, has_ts;
	bool syn_options; /* such as only a SYN may have */
	uint8_t wscale; /* 0..14 */
	uint32_t tsval, tsecr;
	uint16_t mss; /* 0: not said */
};

struct packet {
	struct net_tuple tup; /* ports 0 where there are none */
	bool has_tuple;	      /* addresses are known */
	bool has_mac, has_dst_mac;
	uint8_t src_mac[6], dst_mac[6];
	bool vlan;
	uint16_t ethertype; /* 0x0800, 0x86dd, 0x0806.. */
	uint8_t ttl;
	uint32_t ip_len;       /* octets of the IP packet, headers included */
	struct span network;   /* the IP packet; borrowed */
	struct span transport; /* what follows the IP headers */
	struct span payload;   /* what follows the transport header */
	struct tcp_head tcp;   /* of TCP */
	/* Fragments: transport is the part, nothing behind it was read. */
	bool fragment, more;
	uint32_t frag_id, frag_off;
	struct span arp; /* the ARP body */
	/* SUMS_PARTIAL: the checksum is that of the pseudo header alone. */
	bool unfinished;
};

/* What a checksum of TCP, UDP or ICMP has to be. */
enum packet_sums {
	SUMS_ANY,
	SUMS_RIGHT,
	/* Right, or as a host leaves it to its network card: of the pseudo
	 * header alone, which a receiver behind a wire would not take. */
	SUMS_PARTIAL,
};

/* Read the headers. REASON_NONE, or why the packet is refused; p then says
 * what was read before that. min_ttl 0 and 1 are the same. */
enum reason packet_read(const struct packet_in *in, struct packet *p,
			enum packet_sums sums, uint8_t min_ttl);

/* The transport header at the start of octets: for reassembled datagrams.
 * p->tup has the addresses and the protocol. */
enum reason packet_transport(struct packet *p, struct span octets,
			     enum packet_sums sums);

#endif
