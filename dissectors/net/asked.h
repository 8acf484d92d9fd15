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

/* Keep a request, when it passes. */
static inline void asked_new(struct asked *s, const struct dis_ctx *c,
			     uint64_t key)
{
	uint32_t oldest = 0;

	for (uint32_t i = 0; i < ASKED_MAX; i++) {
		if (!s->row[i].used) {
			oldest = i;
			break;
		}
		if (s->row[i].at_ns < s->row[oldest].at_ns)
			oldest = i;
	}
	s->next = (struct asked_row){.used = true,
				     .at_ns = c->now.mono.ns,
				     .key = key,
				     .tup = c->tup};
	s->place = oldest;
	s->change = ASKED_NEW;
}

/* Is this the answer to a request? ends: between the same two ends. */
static inline bool asked_answer(struct asked *s, const struct dis_ctx *c,
				uint64_t key, bool ends)
{
	for (uint32_t i = 0; i < ASKED_MAX; i++) {
		const struct asked_row *r = &s->row[i];

		if (!r->used || r->key != key ||
		    c->now.mono.ns - r->at_ns > ASKED_WAIT_NS ||
		    (ends && !net_reversed(&r->tup, &c->tup)))
			continue;
		s->place = i;
		s->change = ASKED_ANSWER;
		return true;
	}
	return false;
}

/* once: the answer is the only one. */
static inline void asked_settle(struct asked *s, bool passed, bool once)
{
	if (passed && s->change == ASKED_NEW)
		s->row[s->place] = s->next;
	else if (passed && s->change == ASKED_ANSWER && once)
		s->row[s->place].used = false;
	s->change = ASKED_NOTHING;
}

/* What the language has no name for: a carrier, and one leaf that says which
 * protocol it is and how long; a rule grants it as `opaque`. */
static inline int asked_state(struct obs_list *out, const char *app,
			      size_t octets, enum reason note, struct err *e)
{
	uint32_t mark = out->n;
	struct obs *o = obs_add(out, OBS_FLOW_OPEN);
	struct obs *leaf = o ? obs_add(out, OBS_OPAQUE) : NULL;

	if (!leaf) {
		out->n = mark;
		return err_reason(e, E_LIMIT, REASON_TOO_MANY_UNITS, 0,
				  "no room");
	}
	if (note)
		obs_u64(o, F_NOTE, note);
	obs_span(leaf, F_APP, span_str(app));
	obs_u64(leaf, F_OCTETS, octets);
	return 0;
}

#endif
