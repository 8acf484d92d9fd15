/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IP fragments put together: all parts of a datagram wait for the last one
 * and share its verdict. Overlaps are refused whole, since receivers differ
 * on which octets win (inline-inspection section 1, rule 8).
 */
#include "enforcer/pipeline/state.h"

#define FIRST_MIN 20 /* octets of TCP header a first part must hold */

static struct frag *find(struct work *w, const struct packet *pkt)
{
	struct pipeline *p = w->p;
	struct frag *spare = NULL;
	uint32_t of_source = 0;

	for (uint32_t i = 0; i < p->n_frags; i++) {
		struct frag *g = &p->frag[i];

		if (g->used && memcmp(&g->tup.src, &pkt->tup.src, 16) == 0)
			of_source++;
		if (!g->used)
			spare = spare ? spare : g;
		else if (g->id == pkt->frag_id &&
			 g->tup.proto == pkt->tup.proto &&
			 memcmp(&g->tup.src, &pkt->tup.src, 16) == 0 &&
			 memcmp(&g->tup.dst, &pkt->tup.dst, 16) == 0)
			return g;
	}
	/* One source cannot take all places. */
	if (of_source > p->n_frags / 4)
		return NULL;
	if (spare) {
		spare->used = true;
		p->frags_used++;
		spare->tup = pkt->tup;
		spare->id = pkt->frag_id;
		spare->total = 0;
		spare->since = w->now.mono;
		spare->held = NONE;
		spare->n_parts = 0;
		spare->bad = false;
	}
	return spare;
}

/* The first part holds the whole transport header, options included. */
static bool header_whole(const struct packet *pkt)
{
	struct span off = span_sub(pkt->transport, 12, 1);

	if (pkt->tup.proto != PROTO_TCP)
		return pkt->transport.n >= 8;
	return off.n == 1 && pkt->transport.n >= (off.p[0] >> 4) * 4u &&
	       pkt->transport.n >= FIRST_MIN;
}

static enum reason place(struct frag *g, const struct packet *pkt)
{
	uint32_t from = pkt->frag_off;
	uint32_t to = from + (uint32_t)pkt->transport.n;

	if (to > FRAG_OCTETS - 64 || g->n_parts == FRAG_PARTS)
		return REASON_FRAGMENT_LIMIT;
	if (to == from || (pkt->more && pkt->transport.n % 8))
		return REASON_BAD_HEADER;
	if (from == 0 && !header_whole(pkt))
		return REASON_FRAGMENT_HEADER;
	for (uint32_t i = 0; i < g->n_parts; i++) {
		if (from < g->part[i].to && to > g->part[i].from)
			return REASON_FRAGMENT_OVERLAP;
		if (!pkt->more && g->part[i].to > to)
			return REASON_FRAGMENT_OVERLAP;
	}
	if (g->total && (to > g->total || !pkt->more))
		return REASON_FRAGMENT_OVERLAP;
	if (!pkt->more)
		g->total = to;
	g->part[g->n_parts].from = from;
	g->part[g->n_parts++].to = to;
	memcpy(g->octets + from, pkt->transport.p, pkt->transport.n);
	return REASON_NONE;
}

static bool whole(const struct frag *g)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < g->n_parts; i++)
		n += g->part[i].to - g->part[i].from;
	return g->total && n == g->total;
}

/* Each part has its own anomaly and its own verdict. */
static void give_up(struct work *w, struct frag *g, enum reason why)
{
	uint32_t h = g->held;

	g->held = NONE;
	while (h != NONE) {
		uint32_t sib = w->p->held[h].sib;

		w->p->held[h].sib = NONE;
		if (!strict(w->p))
			held_anomaly(w, h, why, "fragment", VERDICT_NONE);
		drop_held(w, h, why);
		h = sib;
	}
}

bool frag_add(struct work *w, struct packet *pkt)
{
	struct pipeline *p = w->p;
	struct frag *g = find(w, pkt);
	enum reason why;

	if (!g) {
		drop_held(w, w->held, REASON_FRAGMENT_LIMIT);
		w->held = NONE;
		return false;
	}
	held_unqueue(p, w->held);
	p->held[w->held].sib = g->held;
	g->held = w->held;
	w->held = NONE;
	why = g->bad ? REASON_FRAGMENT_OVERLAP : place(g, pkt);
	if (why) {
		give_up(w, g, why);
		/* Stays until it times out, so that no later part begins
		 * the datagram anew. */
		g->bad = true;
		return false;
	}
	if (!whole(g))
		return false;
	w->held = g->held;
	held_queue(p, w->held);
	g->held = NONE;
	g->used = false;
	p->frags_used--;
	pkt->fragment = false;
	pkt->ip_len = g->total;
	pkt->transport = span_of(g->octets, g->total);
	return true;
}

void frag_expire(struct work *w, bool all)
{
	for (uint32_t i = 0; i < w->p->n_frags && w->p->frags_used; i++) {
		struct frag *g = &w->p->frag[i];

		if (!g->used || (!all && mono_sub(w->now.mono, g->since) <=
						 FRAG_TIMEOUT))
			continue;
		give_up(w, g, REASON_FRAGMENT_TIMEOUT);
		g->used = false;
		w->p->frags_used--;
	}
}

int64_t frag_due(const struct pipeline *p)
{
	int64_t due = INT64_MAX;

	for (uint32_t i = 0; i < p->n_frags && p->frags_used; i++) {
		int64_t at = p->frag[i].since.ns + FRAG_TIMEOUT + 1;

		if (p->frag[i].used && at < due)
			due = at;
	}
	return due;
}
