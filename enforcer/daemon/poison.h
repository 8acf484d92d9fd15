/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that an engine died of. Whoever sends one again would end the next
 * engine, too, and one packet would be an outage for as long as it is
 * repeated. So the engine leaves behind which packet it had at hand; after a
 * crash its successor takes the hash of that packet's content and of its
 * connection into a small table, and drops what equals either for a while.
 *
 * All of it lies in the lane, where a crashed (or worse) engine may have
 * written anything: the worst that can be made of it is that more is dropped,
 * of this guest, for POISON_NS. Nothing of a row is believed that says longer.
 *
 * What it does not stop: a sender that makes another such packet each time.
 * Each costs one restart (children.h: the waits grow), never a wrong verdict.
 */
#ifndef ENFORCER_DAEMON_POISON_H
#define ENFORCER_DAEMON_POISON_H

#include <stdatomic.h>

#include "core/clock.h"
#include "core/siphash.h"

#define POISONS 16 /* rows; the oldest makes room */
/* Longer than a life after which restarts begin anew (BACKOFF_RESET): a packet
 * sent all the time then costs a short restart a minute. No longer than that:
 * the connection may be an honest one. */
#define POISON_NS (60 * NS_PER_S)

struct poison_row {
	uint64_t content, flow; /* keyed hashes; 0: none */
	int64_t until_ns;	/* mono */
};

struct poison {
	/* What is worked on: slot + 1, message, octets of the datagram; 0:
	 * nothing. */
	_Atomic uint64_t at_hand;
	uint32_t crashes; /* of the lane's, that were looked at */
	uint32_t next;	  /* row to be written */
	struct poison_row row[POISONS];
};

struct poison_at {
	uint32_t slot;	  /* of the engine's receive buffers */
	uint32_t message; /* in that datagram */
	uint32_t n;	  /* octets of it */
};

/* Around each packet; the second from the first to the last moment in which
 * its octets are read. */
static inline void poison_begin(struct poison *p, struct poison_at at)
{
	atomic_store_explicit(&p->at_hand,
			      (uint64_t)(at.slot + 1) << 48 |
				      (uint64_t)(at.message & 0xffff) << 32 |
				      at.n,
			      memory_order_relaxed);
	/* A crash is seen by nobody but this processor's own kernel: the
	 * compiler alone has to keep the order. */
	atomic_signal_fence(memory_order_seq_cst);
}

static inline void poison_end(struct poison *p)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&p->at_hand, 0, memory_order_relaxed);
}

/* An engine begins: did its predecessor crash, by the parent's count, and with
 * what at hand? Nothing is at hand from then on. */
bool poison_left(struct poison *p, uint32_t crashes, struct poison_at *at);

/* That packet, from its network header on, is dropped from now on. */
void poison_add(struct poison *p, const struct sipkey *key,
		struct span packet, struct mono now);
/* Until when is any? 0: nothing is. */
int64_t poison_until(const struct poison *p, struct mono now);
bool poison_is(const struct poison *p, const struct sipkey *key,
	       struct span packet, struct mono now);

#endif
