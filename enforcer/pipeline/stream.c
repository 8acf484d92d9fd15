/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP: only what the receiver would take, in order, and the same octets for
 * the same place (inline-inspection section 1). Segments wait until the units
 * they carry are judged; then they leave, or both ends are reset.
 *
 * When only facts are asked for nothing is refused: the same order is made,
 * what is odd is told, and a stream may begin in its middle.
 */
#include "enforcer/pipeline/kept.h"
#include "enforcer/pipeline/take.h"

static void early_drop(struct work *w, struct side *s, uint32_t *at,
		       enum reason why)
{
	struct pipeline *p = w->p;
	uint32_t i = *at;

	*at = p->early[i].next;
	s->n_ooo--;
	if (p->early[i].held != NONE)
		drop_held(w, p->early[i].held, why);
	octets_free(p, w->f->guest, &p->early[i].o);
	pool_give(&p->earlies, i);
}

void early_free(struct work *w, struct side *s, enum reason why)
{
	while (s->ooo != NONE)
		early_drop(w, s, &s->ooo, why);
}

/* --- order ---------------------------------------------------------------------- */

static void segment(struct work *w, struct side *me, uint32_t seq,
		    struct span s, bool fin, uint32_t h);

static void close_side(struct work *w, struct side *me)
{
	struct span rest = {0};
	enum reason why = REASON_NONE;

	if (me->nxt != me->judged && !me->lost)
		rest = kept_line(w, me, me->nxt - me->judged, rest);
	if (!me->lost)
		why = stream_leftover(w, rest);
	me->fin = true;
	me->nxt++;
	if (why) {
		stream_give_up(w, me, why, "the stream ended inside a unit");
		return;
	}
	me->judged = me->nxt;
	if (w->f->side[0].fin && w->f->side[1].fin) {
		w->f->tcp = TCP_CLOSED;
		flow_closed(w, w->f_idx);
	}
}

/* Its octets become ours, its FIN comes again: too many packets wait already,
 * or the receiver would not take all of it yet. */
static void absorb(struct work *w, struct side *me, struct span s, uint32_t h)
{
	me->absorbed = true;
	take_octets(w, me, s);
	if (w->f->denied) {
		drop_held(w, h, REASON_SIBLING_DENIED);
		return;
	}
	take_over(w, w->s);
	drop_held(w, h, REASON_TCP_TAKEN_OVER);
}

/* One segment whose first new octet is the next one. */
static void in_order(struct work *w, struct side *me, uint32_t seq,
		     struct span s, bool fin, uint32_t h)
{
	size_t old = seq_diff(me->nxt, seq) > 0 ?
			     (size_t)seq_diff(me->nxt, seq) :
			     0;
	struct held *e = &w->p->held[h];

	/* A FIN has its place in the sequence, but nothing to judge. */
	e->end_seq = seq + (uint32_t)s.n;
	e->flow = w->f_idx;
	e->side = w->s;
	e->early = false;
	if (old < s.n && can_own(w) &&
	    ((me->n_held >= HELD_SIDE && !fin) ||
	     (me->has_edge && seq_diff(e->end_seq, me->edge) > 0))) {
		absorb(w, me, span_from(s, old), h);
		return;
	}
	if (strict(w->p)) {
		held_append(w->p, &me->held, &me->last, h);
		me->n_held++;
	}
	if (old < s.n && !me->fin)
		take_octets(w, me, span_from(s, old));
	else if (old < s.n && !strict(w->p))
		anomaly(w, REASON_TCP_CLOSED, "its octets are not read",
			VERDICT_NONE);
	if (fin && !me->fin && !w->f->denied)
		close_side(w, me);
	/* Facts only: read first, so that what it says precedes its verdict. */
	if (!strict(w->p))
		held_verdict(w, h, PACKET_PASS, REASON_NONE);
	else if (!w->f->denied)
		take_release(w, me);
}

static void wait_again(struct work *w, uint32_t h)
{
	w->p->held[h].since = w->now.mono;
	held_unqueue(w->p, h);
	held_queue(w->p, h);
}

void stream_overdue(struct work *w, uint32_t h)
{
	struct held *e = &w->p->held[h];
	struct side *me = &w->f->side[e->side];
	uint64_t cnt = w->pcap_cnt;

	w->s = e->side;
	if (me->deferred) {
		wait_again(w, h); /* its time is the rule's */
		return;
	}
	if (e->early && !strict(w->p)) {
		gap_overdue(w, e->side);
		return;
	}
	if (e->early) {
		/* The gap was not filled; the sender will repeat both. */
		early_free(w, me, REASON_TCP_GAP);
		return;
	}
	/* Who is asked to wait for news has none yet. */
	if (me->between && e->waited < HOLD_BETWEEN) {
		e->waited++;
		wait_again(w, h);
		return;
	}
	w->pcap_cnt = e->pcap_cnt;
	stream_give_up(w, me, REASON_INCOMPLETE,
		       "the rest of the unit never came");
	w->pcap_cnt = cnt;
}

/* Octets of a unit that is not whole, and those behind gaps. */
uint32_t side_waiting(const struct pipeline *p, const struct side *me)
{
	uint32_t n = me->nxt - me->judged;

	if (n && !me->deferred && seq_diff(me->whole, me->judged) > 0)
		n = me->nxt - me->whole;
	for (uint32_t i = me->ooo; i != NONE; i = p->early[i].next)
		n += p->early[i].o.n;
	return n;
}

/* What comes in order has the room of what came early: the last of that is
 * given up, and will be sent again. */
static void make_way(struct work *w, struct side *me)
{
	struct pipeline *p = w->p;

	while (strict(p) && me->ooo != NONE &&
	       side_waiting(p, me) > PIPELINE_HOLD_OCTETS) {
		uint32_t *at = &me->ooo;

		while (p->early[*at].next != NONE)
			at = &p->early[*at].next;
		early_drop(w, me, at, REASON_TCP_GAP);
	}
}

static bool keep_early(struct work *w, struct side *me, uint32_t seq,
		       struct span s, bool fin)
{
	static const struct octets none = {NONE, NONE, 0, 0};
	struct pipeline *p = w->p;
	uint32_t i, *at = &me->ooo;
	struct early *e;

	if (me->n_ooo == OOO_SIDE || !octets_room(w, &none, s.n))
		return false;
	if (strict(p) && side_waiting(p, me) + s.n > PIPELINE_HOLD_OCTETS)
		return false;
	i = pool_take(&p->earlies);
	if (i == NONE)
		return false;
	e = &p->early[i];
	e->seq = seq;
	e->fin = fin;
	e->held = w->held;
	e->o = none;
	octets_add(p, w->f->guest, &e->o, s);
	p->held[w->held].flow = w->f_idx;
	p->held[w->held].side = w->s;
	p->held[w->held].early = true;
	while (*at != NONE && seq_diff(p->early[*at].seq, seq) <= 0)
		at = &p->early[*at].next;
	e->next = *at;
	*at = i;
	me->n_ooo++;
	return true;
}

void stream_catch_up(struct work *w, struct side *me)
{
	struct pipeline *p = w->p;

	while (me->ooo != NONE &&
	       seq_diff(p->early[me->ooo].seq, me->nxt) <= 0 && !w->f->denied) {
		uint32_t i = me->ooo;
		struct early *e = &p->early[i], was;
		uint64_t cnt = w->pcap_cnt;
		struct span s = octets_read(p, &e->o, 0, e->o.n,
					    p->early_line, PACKET_MOST);

		me->ooo = e->next;
		me->n_ooo--;
		octets_free(p, w->f->guest, &e->o);
		was = *e;
		pool_give(&p->earlies, i);
		w->pcap_cnt = p->held[was.held].pcap_cnt;
		segment(w, me, was.seq, s, was.fin, was.held);
		w->pcap_cnt = cnt;
	}
}

/* --- octets sent again -------------------------------------------------------- */

/* Nothing new, and it is the gateway's already, or now: the sender is told. */
static bool taken_over(struct work *w, struct side *me, uint32_t end)
{
	if (side_owns(me) && seq_diff(end, me->ours) <= 0) {
		acknowledge(w, w->s);
		return true;
	}
	return seq_diff(end, me->judged) > 0 && take_over(w, w->s);
}

/* A segment that begins at or before nxt. */
static void segment(struct work *w, struct side *me, uint32_t seq,
		    struct span s, bool fin, uint32_t h)
{
	size_t old = seq_diff(me->nxt, seq) > 0 ?
			     (size_t)seq_diff(me->nxt, seq) :
			     0;
	enum again again = AGAIN_SAME;

	/* The place of a FIN is nobody's octet: whoever missed the FIN would
	 * take one there. */
	if (me->fin && strict(w->p) &&
	    seq_diff(seq + (uint32_t)s.n, me->nxt - 1) > 0) {
		drop_held(w, h, REASON_TCP_CLOSED);
		return;
	}
	/* The end waits outside for what is held back. */
	if (fin && me->deferred) {
		drop_held(w, h, REASON_TCP_GAP);
		return;
	}
	if (old > s.n)
		old = s.n; /* the rest is the place of a FIN */
	if (old)
		again = kept_compare(w, me, seq, span_sub(s, 0, old));
	if (!strict(w->p)) {
		if (again == AGAIN_OTHER) {
			anomaly(w, REASON_EVASION, NULL, VERDICT_NONE);
			held_verdict(w, h, PACKET_PASS, REASON_NONE);
			return;
		}
	} else if (again == AGAIN_OTHER) {
		refuse_packet(w, h, REASON_EVASION);
		return;
	} else if (again == AGAIN_UNKNOWN &&
		   kept_lost(w, me, seq + (uint32_t)old)) {
		refuse_packet(w, h, REASON_RESOURCE);
		return;
	} else if (again == AGAIN_UNKNOWN) {
		/* The receiver has it; the sender has not heard of that. */
		acknowledge(w, w->s);
		drop_held(w, h, REASON_TCP_REPEATED);
		return;
	} else if (old && old == s.n && !fin &&
		   taken_over(w, me, seq + (uint32_t)s.n)) {
		drop_held(w, h, REASON_TCP_REPEATED);
		return;
	} else if (old < s.n && kept_wanted(w) &&
		   !kept_room(w, me, s.n - old)) {
		drop_held(w, h, REASON_RESOURCE);
		return;
	}
	in_order(w, me, seq, s, fin, h);
}

/* Facts only: learn where the stream is, and say what is odd. */
static void look(struct work *w, struct side *me)
{
	const struct tcp_head *t = &w->pkt->tcp;
	struct flow *f = w->f;

	if (t->flags & TCP_SYN) {
		if (me->syn && t->seq == me->isn)
			return; /* again */
		if (me->known)
			facts_end(w, REASON_INCOMPLETE);
		me->syn = me->known = true;
		me->fin = me->lost = me->seek = false;
		me->isn = t->seq;
		me->nxt = me->judged = me->acked = me->ours = t->seq + 1;
		f->tcp = TCP_OPEN;
		return;
	}
	if (t->flags & TCP_RST) {
		f->tcp = TCP_CLOSED;
		flow_closed(w, w->f_idx);
	}
	if (me->known)
		return;
	me->known = true;
	me->nxt = me->judged = me->acked = me->ours = t->seq;
	if (!f->midstream && !f->side[!w->s].syn) {
		f->midstream = true;
		anomaly(w, REASON_MIDSTREAM, NULL, VERDICT_NONE);
	}
}

/* Nothing waits for a connection that is gone. The reset may be at the place
 * behind what waited, where its receiver does not expect it. */
static void reset_seen(struct work *w)
{
	bool waited = w->f->side[w->s].nxt != w->f->side[w->s].judged;

	if (!strict(w->p))
		facts_end(w, REASON_INCOMPLETE);
	for (uint8_t s = 0; s < 2; s++) {
		struct side *d = &w->f->side[s];

		early_free(w, d, REASON_TCP_CLOSED);
		drop_list(w, &d->held, REASON_INCOMPLETE);
		d->n_held = 0;
		side_forget(w, s);
	}
	if (waited && strict(w->p) && w->p->conf.ack_after_ns)
		reset_receiver(w, w->s);
}

/* A packet without data: it leaves at once. */
static void bare(struct work *w, struct side *me)
{
	const struct tcp_head *t = &w->pkt->tcp;
	uint32_t h = w->held;

	w->held = NONE;
	/* It asks whether we are there. The receiver would not answer at a
	 * place that it knows nothing of. */
	if (strict(w->p) && side_owns(me) && !(t->flags & TCP_RST) &&
	    seq_diff(t->seq, me->ours) < 0) {
		acknowledge(w, w->s);
		ask_receiver(w, w->s);
	}
	if (strict(w->p))
		take_packet(w, h);
	else
		held_verdict(w, h, PACKET_PASS, REASON_NONE);
	if (w->f->tcp == TCP_CLOSED && t->flags & TCP_RST)
		reset_seen(w);
}

void stream_packet(struct work *w)
{
	struct side *me = &w->f->side[w->s], *you = &w->f->side[!w->s];
	const struct tcp_head *t = &w->pkt->tcp;
	struct span s = w->pkt->payload;
	bool fin = t->flags & TCP_FIN;
	uint32_t h = w->held;

	if (strict(w->p)) {
		enum reason why = tcp_check(w, me, you);

		if (why) {
			if (why == REASON_TCP_FLOW_DENIED)
				refuse_again(w);
			w->held = NONE;
			drop_held(w, h, why);
			return;
		}
		if (w->f->parting) {
			parting_heard(w);
			w->held = NONE;
			drop_held(w, h, REASON_TCP_FLOW_DENIED);
			return;
		}
	} else {
		look(w, me);
		gap_acked(w);
		/* What a SYN or RST carries is not read. */
		if (s.n && t->flags & (TCP_SYN | TCP_RST))
			anomaly(w, t->flags & TCP_SYN ? REASON_TCP_SYN_DATA :
							REASON_TCP_FLAGS,
				"its octets are not read", VERDICT_NONE);
	}
	if (t->flags & (TCP_SYN | TCP_RST) || (s.n == 0 && !fin)) {
		bare(w, me);
		return;
	}
	w->held = NONE;
	if (seq_diff(t->seq, me->nxt) > 0) {
		w->held = h;
		if (keep_early(w, me, t->seq, s, fin)) {
			w->held = NONE;
			return;
		}
		w->held = NONE;
		if (strict(w->p)) {
			drop_held(w, h, REASON_TCP_GAP);
			return;
		}
		gap_full(w, me, t->seq);
	}
	segment(w, me, t->seq, s, fin, h);
	stream_catch_up(w, me);
	make_way(w, me);
}
