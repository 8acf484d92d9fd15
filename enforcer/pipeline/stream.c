/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP: only what the receiver would take, in order, and the same octets for
 * the same place (inline-inspection section 1). Segments wait until the units
 * they carry are judged; then they leave, or both ends are reset.
 *
 * When only facts are asked for nothing is refused: the same order is made,
 * what is odd is told, and a stream may begin in its middle.
 */
#include "enforcer/pipeline/state.h"

/* --- refusing ------------------------------------------------------------------ */

void early_free(struct work *w, struct side *s, enum reason why)
{
	struct pipeline *p = w->p;

	while (s->ooo != NONE) {
		uint32_t i = s->ooo;

		s->ooo = p->early[i].next;
		if (p->early[i].held != NONE)
			drop_held(w, p->early[i].held, why);
		p->early[i].next = p->free_early;
		p->free_early = i;
	}
	s->n_ooo = 0;
}

static void reset_end(struct work *w, const struct side *from, uint8_t s)
{
	const struct flow *f = w->f;
	struct segment_out out = {.tup = f->tup,
				  .seq = from->judged,
				  .ack = f->side[!s].judged,
				  .flags = TCP_RST | TCP_ACK};

	if (!w->sink->inject || !from->known)
		return;
	if (s) {
		out.tup.src = f->tup.dst;
		out.tup.dst = f->tup.src;
		out.tup.sport = f->tup.dport;
		out.tup.dport = f->tup.sport;
	}
	w->sink->inject(w->sink->arg, &out);
}

/* The packet whose event was given needs no other. */
static void drop_told(struct work *w, uint32_t *head, enum reason why,
		      uint64_t told)
{
	while (*head != NONE) {
		uint32_t h = *head;

		*head = w->p->held[h].next;
		if (told && w->p->held[h].pcap_cnt == told && strict(w->p))
			held_verdict(w, h, PACKET_DROP, why);
		else
			drop_held(w, h, REASON_SIBLING_DENIED);
	}
}

void stream_refuse(struct work *w, enum reason why, uint64_t told)
{
	struct flow *f = w->f;

	for (uint8_t s = 0; s < 2; s++) {
		drop_told(w, &f->side[s].held, why, told);
		drop_told(w, &f->side[s].segs, why, told);
		early_free(w, &f->side[s], REASON_SIBLING_DENIED);
		buffer_free(w->p, f, &f->side[s]);
	}
	if (!strict(w->p) || f->denied)
		return;
	f->denied = true;
	flow_closed(w, w->f_idx);
	for (uint8_t s = 0; s < 2; s++)
		reset_end(w, &f->side[s], s);
}

/* Refuse this packet, and with it the stream it belongs to. */
static void refuse(struct work *w, uint32_t h, enum reason why)
{
	drop_held(w, h, why);
	stream_refuse(w, why, 0);
}

/* Tell, then refuse what waits. */
static void give_up(struct work *w, struct side *me, enum reason why,
		    const char *detail)
{
	anomaly(w, why, detail,
		strict(w->p) ? VERDICT_DENY : VERDICT_NONE);
	me->lost = true;
	stream_refuse(w, why, w->pcap_cnt);
}

/* --- units ---------------------------------------------------------------------- */

/* The packets up to end leave: their octets were charged with their units. */
static void release(struct work *w, struct side *me, uint32_t end)
{
	while (me->held != NONE &&
	       seq_diff(w->p->held[me->held].end_seq, end) <= 0) {
		uint32_t h = me->held;

		me->held = w->p->held[h].next;
		held_verdict(w, h, PACKET_PASS, REASON_NONE);
	}
}

/* A packet that brings nothing new to judge: charged as octets, then it
 * leaves, or not. */
static void pass_charged(struct work *w, uint32_t h)
{
	uint64_t cnt = w->pcap_cnt;

	w->pcap_cnt = w->p->held[h].pcap_cnt;
	if (judge_packet(w, w->p->held[h].octets)) {
		pol_commit(w->p->conf.state);
		held_verdict(w, h, PACKET_PASS, REASON_NONE);
	} else {
		pol_abort(w->p->conf.state);
		held_verdict(w, h, PACKET_DROP, REASON_LIMIT_EXCEEDED);
	}
	w->pcap_cnt = cnt;
}

/* What waits although everything in it was judged: repeated octets, a FIN. */
static void release_judged(struct work *w, struct side *me)
{
	while (me->held != NONE &&
	       seq_diff(w->p->held[me->held].end_seq, me->judged) <= 0) {
		uint32_t h = me->held;

		me->held = w->p->held[h].next;
		pass_charged(w, h);
	}
}

/* May all packets up to end leave, as packets? */
static bool packets_fit(struct work *w, struct side *me, uint32_t end)
{
	for (uint32_t h = me->held; h != NONE; h = w->p->held[h].next) {
		if (seq_diff(w->p->held[h].end_seq, end) > 0)
			break;
		if (!judge_packet(w, w->p->held[h].octets))
			return false;
	}
	return true;
}

/* n octets at the start of the unjudged ones are judged. */
static void judged(struct work *w, struct side *me, struct span octets,
		   size_t n)
{
	struct buffer *b = buffer_of(w, me, strict(w->p) || n < octets.n);

	if (b) {
		buffer_judged(b, me->judged, span_sub(octets, 0, n));
		if (n < octets.n)
			memmove(b->hold, span_from(octets, n).p, octets.n - n);
		b->n = (uint32_t)(octets.n - n);
	}
	me->judged += (uint32_t)n;
}

/* Keep what cannot be judged yet; or why that cannot be. */
static enum reason keep(struct work *w, struct side *me, struct span octets)
{
	struct buffer *b;

	if (octets.n > PIPELINE_HOLD_OCTETS)
		return REASON_HOLD_LIMIT;
	b = buffer_of(w, me, octets.n > 0);
	if (!b)
		return octets.n ? REASON_RESOURCE : REASON_NONE;
	if (octets.n && octets.p != b->hold)
		memmove(b->hold, octets.p, octets.n);
	b->n = (uint32_t)octets.n;
	return REASON_NONE;
}

static void read_facts(struct work *w, struct side *me, struct span octets)
{
	struct judge j = {.octets = octets,
			  .seq = me->judged,
			  .limit = octets.n};

	if (me->lost || !classify(w, octets)) {
		if (me->lost || keep(w, me, octets))
			me->judged = me->nxt;
		return;
	}
	judge_units(w, &j);
	units_allowed(w);
	if (j.bad)
		me->lost = true;
	if (me->lost) {
		me->judged = me->nxt;
		buffer_free(w->p, w->f, me);
		return;
	}
	judged(w, me, octets, j.used);
	if (octets.n - j.used > PIPELINE_HOLD_OCTETS) {
		anomaly(w, REASON_HOLD_LIMIT, NULL, VERDICT_NONE);
		me->lost = true;
		me->judged = me->nxt;
	}
}

/* The end of the last waiting packet that complete units cover. */
static bool covered(struct work *w, const struct side *me, uint32_t upto,
		    uint32_t *end)
{
	bool any = false;

	for (uint32_t h = me->held; h != NONE; h = w->p->held[h].next) {
		if (seq_diff(w->p->held[h].end_seq, upto) > 0)
			break;
		*end = w->p->held[h].end_seq;
		any = true;
	}
	return any;
}

static void judge_stream(struct work *w, struct side *me, struct span octets)
{
	struct judge j = {.octets = octets, .seq = me->judged};
	int64_t complete = 0;
	enum reason why;
	uint32_t end;
	struct err e = {0};

	if (classify(w, octets))
		complete = frame_units(w, octets, &e);
	if (complete < 0) {
		/* Judged all the same: what is refused is told and counted. */
		j.limit = octets.n;
		judge_units(w, &j);
		units_undone(w);
		stream_refuse(w, j.why, j.cnt);
		return;
	}
	if (!covered(w, me, me->judged + (uint32_t)complete, &end)) {
		why = keep(w, me, octets);
		if (why)
			give_up(w, me, why, NULL);
		return;
	}
	j.limit = seq_diff(end, me->judged) > 0 ? (size_t)seq_diff(end, me->judged) : 0;
	judge_units(w, &j);
	if (j.bad) {
		units_undone(w);
		stream_refuse(w, j.why, j.cnt);
		return;
	}
	if (!packets_fit(w, me, end)) {
		units_undone(w);
		stream_refuse(w, REASON_LIMIT_EXCEEDED, w->pcap_cnt);
		return;
	}
	units_allowed(w);
	judged(w, me, octets, j.used);
	release(w, me, end);
}

/* Octets in order: n of them, at nxt. */
static void take(struct work *w, struct side *me, struct span s)
{
	struct buffer *b = buffer_of(w, me, false);

	me->nxt += (uint32_t)s.n;
	if (b && b->n) {
		if (s.n > BUF_HOLD - b->n) {
			give_up(w, me, REASON_HOLD_LIMIT, NULL);
			return;
		}
		memcpy(b->hold + b->n, s.p, s.n);
		b->n += (uint32_t)s.n;
		s = span_of(b->hold, b->n);
	}
	if (strict(w->p))
		judge_stream(w, me, s);
	else
		read_facts(w, me, s);
}

/* --- order ---------------------------------------------------------------------- */

static void close_side(struct work *w, struct side *me)
{
	struct buffer *b = buffer_of(w, me, false);
	struct span rest = b ? span_of(b->hold, b->n) : (struct span){0};
	enum reason why = REASON_NONE;

	if (rest.n && !me->lost)
		why = stream_leftover(w, rest);
	me->fin = true;
	me->nxt++;
	if (why) {
		give_up(w, me, why, "the stream ended inside a unit");
		return;
	}
	me->judged = me->nxt;
	if (w->f->side[0].fin && w->f->side[1].fin) {
		w->f->tcp = TCP_CLOSED;
		flow_closed(w, w->f_idx);
	}
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
	if (strict(w->p))
		held_append(w->p, &me->held, &me->last, h);
	if (old < s.n && !me->fin)
		take(w, me, span_from(s, old));
	if (fin && !me->fin && !w->f->denied)
		close_side(w, me);
	/* Facts only: read first, so that what it says precedes its verdict. */
	if (!strict(w->p))
		held_verdict(w, h, PACKET_PASS, REASON_NONE);
	else if (!w->f->denied)
		release_judged(w, me);
}

void stream_overdue(struct work *w, uint32_t h)
{
	struct held *e = &w->p->held[h];
	struct side *me = &w->f->side[e->side];
	uint64_t cnt = w->pcap_cnt;

	w->s = e->side;
	if (e->early) {
		/* The gap was not filled; the sender will repeat both. */
		early_free(w, me, REASON_TCP_GAP);
		return;
	}
	w->pcap_cnt = e->pcap_cnt;
	give_up(w, me, REASON_INCOMPLETE, "the rest of the unit never came");
	w->pcap_cnt = cnt;
}

static bool keep_early(struct work *w, struct side *me, uint32_t seq,
		       struct span s, bool fin)
{
	struct pipeline *p = w->p;
	uint32_t i = p->free_early, *at = &me->ooo;
	struct early *e;

	if (i == NONE || s.n > OOO_OCTETS || me->n_ooo == OOO_SIDE)
		return false;
	e = &p->early[i];
	p->free_early = e->next;
	e->seq = seq;
	e->n = (uint32_t)s.n;
	e->fin = fin;
	e->held = w->held;
	p->held[w->held].flow = w->f_idx;
	p->held[w->held].side = w->s;
	p->held[w->held].early = true;
	if (s.n)
		memcpy(e->octets, s.p, s.n);
	while (*at != NONE && seq_diff(p->early[*at].seq, seq) <= 0)
		at = &p->early[*at].next;
	e->next = *at;
	*at = i;
	me->n_ooo++;
	return true;
}

static void segment(struct work *w, struct side *me, uint32_t seq,
		    struct span s, bool fin, uint32_t h);

/* Early segments whose turn has come. */
static void catch_up(struct work *w, struct side *me)
{
	struct pipeline *p = w->p;

	while (me->ooo != NONE &&
	       seq_diff(p->early[me->ooo].seq, me->nxt) <= 0 && !w->f->denied) {
		uint32_t i = me->ooo;
		struct early *e = &p->early[i];
		uint64_t cnt = w->pcap_cnt;

		me->ooo = e->next;
		me->n_ooo--;
		w->pcap_cnt = p->held[e->held].pcap_cnt;
		segment(w, me, e->seq, span_of(e->octets, e->n), e->fin,
			e->held);
		w->pcap_cnt = cnt;
		e->next = p->free_early;
		p->free_early = i;
	}
}

/* A segment that begins at or before nxt. */
static void segment(struct work *w, struct side *me, uint32_t seq,
		    struct span s, bool fin, uint32_t h)
{
	size_t old = seq_diff(me->nxt, seq) > 0 ?
			     (size_t)seq_diff(me->nxt, seq) :
			     0;
	bool known = true;

	/* The place of a FIN is nobody's octet: whoever missed the FIN would
	 * take one there. */
	if (me->fin && strict(w->p) &&
	    seq_diff(seq + (uint32_t)s.n, me->nxt - 1) > 0) {
		drop_held(w, h, REASON_TCP_CLOSED);
		return;
	}
	if (old > s.n)
		old = s.n; /* the rest is the place of a FIN */
	if (old && !buffer_same(w, me, seq, span_sub(s, 0, old), &known)) {
		if (!strict(w->p)) {
			anomaly(w, REASON_EVASION, NULL, VERDICT_NONE);
			held_verdict(w, h, PACKET_PASS, REASON_NONE);
		} else {
			refuse(w, h, REASON_EVASION);
		}
		return;
	}
	/* Too old to compare: the receiver has it, so nothing is lost. */
	if (old && !known && strict(w->p)) {
		drop_held(w, h, REASON_TCP_WINDOW);
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
		early_free(w, me, REASON_TCP_GAP);
		buffer_free(w->p, f, me);
		me->syn = me->known = true;
		me->fin = me->lost = false;
		me->isn = t->seq;
		me->nxt = me->judged = t->seq + 1;
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
	me->nxt = me->judged = t->seq;
	if (!f->midstream && !f->side[!w->s].syn) {
		f->midstream = true;
		anomaly(w, REASON_MIDSTREAM, NULL, VERDICT_NONE);
	}
}

/* A packet without data: it leaves at once. */
static void bare(struct work *w, struct side *me)
{
	uint32_t h = w->held;

	w->held = NONE;
	if (strict(w->p))
		pass_charged(w, h);
	else
		held_verdict(w, h, PACKET_PASS, REASON_NONE);
	if (w->f->tcp == TCP_CLOSED && w->pkt->tcp.flags & TCP_RST) {
		early_free(w, me, REASON_TCP_CLOSED);
		drop_list(w, &me->held, REASON_INCOMPLETE);
		drop_list(w, &w->f->side[!w->s].held, REASON_INCOMPLETE);
	}
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
			w->held = NONE;
			drop_held(w, h, why);
			return;
		}
	} else {
		look(w, me);
	}
	if (t->flags & (TCP_SYN | TCP_RST) || (s.n == 0 && !fin)) {
		/* Only facts: what a SYN or RST carries is not read. */
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
		if (!strict(w->p)) {
			anomaly(w, REASON_TCP_GAP, NULL, VERDICT_NONE);
			me->lost = true;
		}
		drop_held(w, h, REASON_TCP_GAP);
		return;
	}
	segment(w, me, t->seq, s, fin, h);
	catch_up(w, me);
	/* Facts only: nothing is compared, so what does not wait can go. */
	if (!strict(w->p) && me->buf != NONE && w->p->buf[me->buf].n == 0)
		buffer_free(w->p, w->f, me);
}
