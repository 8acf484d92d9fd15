/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's queue of packets: one netlink socket per queue. The parent
 * opens and binds it, an engine receives on it, a gate sends verdicts on it
 * (the kernel takes them only from the socket that is bound).
 */
#ifndef ENFORCER_DAEMON_NFQ_H
#define ENFORCER_DAEMON_NFQ_H

#include "core/err.h"
#include "core/wbuf.h"
#include "enforcer/daemon/share.h"

struct nfq_conf {
	uint16_t queue;
	uint32_t maxlen;	/* packets; 0 = 16384 */
	uint32_t socket_buffer; /* octets; 0 = 64 MiB */
};
/* Open, bind, configure: copy whole packets, GSO, ct-independent, no ENOBUFS,
 * never fail-open. Nonblocking. E_EXISTS: another program has the queue. */
int nfq_bind(int *fd, const struct nfq_conf *c, struct err *e)
	__attribute__((warn_unused_result));

/* A packet as the kernel gave it; spans borrow from the datagram. */
struct nfq_packet {
	uint32_t id;
	uint16_t hw_protocol; /* 0x0800, 0x86dd */
	uint8_t hook;
	uint32_t indev, outdev, physindev, physoutdev; /* 0 = none */
	uint8_t src_mac[6];
	bool has_mac, gso, csum_unfinished, csum_unverified;
	uint32_t mark, wire_len;
	struct span octets; /* from the network header on */
};
/* The packets of one datagram, one call each. Messages that are not packets
 * are errors of verdicts (counted in *errors) or ignored. Malformed netlink
 * ends the walk. Bounded; every length is signed or checked. */
struct nfq_walk {
	struct span left;
	uint64_t errors;
};
bool nfq_next(struct nfq_walk *w, struct nfq_packet *p);

/* --- gate: messages appended to a buffer that is sent in one call */
/* NFQ_REPEAT: through the chain again from which it came, with a new number. */
enum { NFQ_DROP = 0, NFQ_ACCEPT = 1, NFQ_REPEAT = 4 };
void nfq_put_verdict(struct wbuf *w, uint16_t queue, uint32_t id, int verdict,
		     const uint32_t *mark, struct span payload);
/* Everything up to id, at once. */
void nfq_put_drop_upto(struct wbuf *w, uint16_t queue, uint32_t id);

/* The kernel's own account of a queue, from /proc/net/netfilter. */
struct nfq_counts {
	uint32_t queued, last_id;
	uint64_t queue_dropped, user_dropped;
	bool bound;
};
int nfq_counts(struct nfq_counts *out, uint16_t queue, struct err *e)
	__attribute__((warn_unused_result));

#endif
