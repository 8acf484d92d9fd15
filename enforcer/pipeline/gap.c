/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts only: captures lack packets, and streams end inside a unit. Nothing
 * waits for ever then and nothing is lost without a sign: what is missing is
 * told, and the stream is read on from the next segment that begins with a
 * unit.
 */
#include <stdio.h>

#include "enforcer/pipeline/state.h"

static void tell(struct work *w, enum reason why, uint64_t packet,
		 const char *detail)
{
	uint64_t cnt = w->pcap_cnt;

	if (packet)
		w->pcap_cnt = packet;
	anomaly(w, why, detail, VERDICT_NONE);
	w->pcap_cnt = cnt;
}

static void tell_missing(struct work *w, const struct side *me, uint32_t seq,
			 uint64_t packet)
{
	char text[80];

	snprintf(text, sizeof(text), "%u octets, behind %u not read",
		 seq - me->nxt, me->nxt - me->judged);
	tell(w, REASON_MISSING_OCTETS, packet, text);
}

/* Does anybody read this stream, as far as one can say? */
static bool is_read(const struct work *w, const struct side *me)
{
	return me->known && !me->lost && w->f->dis != DIS_NONE;
}

/* The octets before seq will not come; packet: the one behind them. */
static void skip(struct work *w, struct side *me, uint32_t seq,
		 uint64_t packet)
{
	struct pipeline *p = w->p;

	if (is_read(w, me)) {
		tell_missing(w, me, seq, packet);
		me->seek = true;
		/* Requests may be missing, and what the dissector knows of
		 * the flow may not hold any more. */
		w->f->midstream = true;
		w->ctx_f = NULL;
		flow_unread(w);
	}
	octets_free(p, w->f->guest, &me->kept);
	me->nxt = me->judged = seq;
}

void gap_pass(struct work *w, struct side *me, uint32_t seq)
{
	const struct pipeline *p = w->p;

	/* Each round takes one early segment at least. */
	while (me->ooo != NONE && seq_diff(p->early[me->ooo].seq, seq) <= 0) {
		const struct early *e = &p->early[me->ooo];

		if (seq_diff(e->seq, me->nxt) > 0)
			skip(w, me, e->seq, p->held[e->held].pcap_cnt);
		stream_catch_up(w, me);
	}
}

void gap_full(struct work *w, struct side *me, uint32_t seq)
{
	gap_pass(w, me, seq);
	if (seq_diff(seq, me->nxt) > 0)
		skip(w, me, seq, w->pcap_cnt);
}

/* A port says whose a stream is, not that a unit begins there; what nobody
 * claims is nobody's. */
bool gap_sought(struct work *w, struct side *me, struct span s)
{
	const struct net_tuple *t = &w->f->tup;
	bool maybe = false, yes = false;

	if (!me->seek)
		return true;
	for (size_t i = 0; i < w->p->n_dis && !yes; i++) {
		enum recognise r = RECOGNISE_NO;

		if (w->f->dis == DIS_UNKNOWN || w->f->dis == (int)i)
			r = w->p->dis[i]->recognise(s, t->sport, t->dport,
						    t->proto);
		yes = r >= RECOGNISE_YES;
		maybe = maybe || r == RECOGNISE_MAYBE;
	}
	me->seek = !yes && (maybe || w->f->dis != DIS_UNKNOWN);
	return !me->seek;
}

/* As if the packet at hand were one of side s. */
struct other_side {
	struct packet pkt;
	const struct packet *was;
	uint8_t was_s;
};

static void enter(struct work *w, struct other_side *o, uint8_t s)
{
	o->was = w->pkt;
	o->was_s = w->s;
	flow_packet(w->f, s, &o->pkt);
	w->pkt = &o->pkt;
	w->s = s;
}

static void leave(struct work *w, const struct other_side *o)
{
	w->pkt = o->was;
	w->s = o->was_s;
	w->ctx_f = NULL;
}

/* What is at most in flight (RFC 7323 2.3). */
#define WINDOW_MOST (1 << 30)

void gap_acked(struct work *w)
{
	uint8_t s = !w->s;
	struct side *you = &w->f->side[s];
	uint32_t ack = w->pkt->tcp.ack;
	struct other_side o;

	if (!(w->pkt->tcp.flags & TCP_ACK) || !you->known ||
	    seq_diff(ack, you->acked) <= 0 ||
	    seq_diff(ack, you->nxt) > WINDOW_MOST)
		return;
	you->acked = you->ours = ack;
	if (you->ooo == NONE)
		return;
	enter(w, &o, s);
	gap_pass(w, you, ack);
	leave(w, &o);
}

/* Everything that side s sent and that is there is read; the rest is told. */
static void read_out(struct work *w, uint8_t s, enum reason why)
{
	struct side *me = &w->f->side[s];
	uint32_t left;
	struct other_side o;

	enter(w, &o, s);
	while (me->ooo != NONE)
		gap_pass(w, me, w->p->early[me->ooo].seq);
	left = me->nxt - me->judged;
	if (left && is_read(w, me)) {
		struct span rest = octets_read(w->p, &me->kept,
					       me->judged - me->base, left,
					       w->p->line, HOLD_MOST);
		char text[80];

		snprintf(text, sizeof(text), "%u octets not read", left);
		if (stream_leftover(w, rest))
			tell(w, why == REASON_TCP_CLOSED ? REASON_INCOMPLETE :
							   why,
			     me->cnt, text);
	}
	/* A FIN that is missing is no octet. */
	if (is_read(w, me) && !me->fin && seq_diff(me->acked, me->nxt) > 1)
		tell_missing(w, me, me->acked, me->cnt);
	me->judged = me->nxt;
	me->acked = me->ours = me->nxt;
	octets_free(w->p, w->f->guest, &me->kept);
	leave(w, &o);
}

void gap_overdue(struct work *w, uint8_t s)
{
	struct side *me = &w->f->side[s];
	struct other_side o;

	enter(w, &o, s);
	while (me->ooo != NONE)
		gap_pass(w, me, w->p->early[me->ooo].seq);
	leave(w, &o);
}

void facts_end(struct work *w, enum reason why)
{
	for (uint8_t s = 0; s < 2; s++) {
		uint32_t h = w->f->side[s].segs;

		for (; h != NONE; h = w->p->held[h].next)
			tell(w, REASON_INCOMPLETE, w->p->held[h].pcap_cnt,
			     NULL);
		if (w->f->tup.proto == PROTO_TCP)
			read_out(w, s, why);
	}
}
