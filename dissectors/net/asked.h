/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests over UDP that wait for their answer, in a fixed table of the
 * machine: an answer is taken once, and only to a request that was let pass.
 * Private to dissectors/net.
 */
#ifndef DISSECTORS_NET_ASKED_H
#define DISSECTORS_NET_ASKED_H

#include "dissectors/dissector.h"

#define ASKED_MAX     16 /* of one machine; the oldest gives way */
#define ASKED_WAIT_NS (30 * INT64_C(1000000000))

struct asked_row {
	bool used;
	int64_t at_ns;
	uint64_t key; /* by which an answer is known */
	struct net_tuple tup; /* as the request went */
};

struct asked {
	struct asked_row row[ASKED_MAX];
	struct asked_row next; /* what the message read last asks */
	uint32_t place;	       /* where it goes, or the request it answers */
	enum { ASKED_NOTHING, ASKED_NEW, ASKED_ANSWER } change;
};

static inline bool net_reversed(const struct net_tuple *a,
				const struct net_tuple *b)
{
	return a->sport == b->dport && a->dport == b->sport &&
	       a->proto == b->proto &&
	       memcmp(&a->src, &b->dst, sizeof(a->src)) == 0 &&
	       memcmp(&a->dst, &b->src, sizeof(a->dst)) == 0;
}

static inline bool net_zero(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i])
			return false;
	}
	return true;
}

/* The datagram is a request, or an answer to one: of that key; ends: between
 * the same two ends. What it says has no name in the language: a carrier, and
 * one leaf that says which protocol it is and how long; a rule grants it as
 * `opaque`. An answer that nobody asked for: REASON_UNPAIRED, as an error, or,
 * when lenient, as a note. */
int asked_dissect(const struct dis_ctx *c, uint64_t key, bool answer, bool ends,
		  const char *app, struct span unit, struct obs_list *out,
		  struct err *e) __attribute__((warn_unused_result));
/* once: the answer is the only one. */
void asked_settle(struct asked *s, bool passed, bool once);

/* Of struct dissector, where a datagram is a message. */
void asked_init(void *machine, const void *conf);
enum frame asked_frame(const struct dis_ctx *c, struct span in, size_t *len,
		       struct err *e);
enum reason asked_leftover(const struct dis_ctx *c, struct span rest);

#endif
