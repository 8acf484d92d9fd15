/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCP: only what the receiver would take, in order, and the same octets for
 * the same place (inline-inspection section 1). Segments wait until the units
 * they carry are judged; then they leave, or both ends are reset.
 *
 * When only facts are asked for nothing is refused: the same order is made,
 * what is odd is told, and a stream may begin in its middle.
 */
#include <assert.h>

#include "enforcer/pipeline/state.h"

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

/* Tell, then refuse what waits. */
static void give_up(struct work *w, struct side *me, enum reason why,
		    const char *detail)
{
	anomaly(w, why, detail,
		strict(w->p) ? VERDICT_DENY : VERDICT_NONE);
	me->lost = true;
	stream_refuse(w, why, w->pcap_cnt);
}

/* --- packets that wait ------------------------------------------------------- */

/* The first one that waits, which leaves. */
static uint32_t held_first(struct work *w, struct side *me)
{
	uint32_t h = me->held;
	const struct held *e = &w->p->held[h];

	me->held = e->next;
	me->n_held--;
	if (seq_diff(e->end_seq, me->left) > 0)
		me->left = e->end_seq;
	return h;
}

/* The packets up to end leave: their octets were charged with their units. */
static void release(struct work *w, struct side *me, uint32_t end)
{
	while (me->held != NONE &&
	       seq_diff(w->p->held[me->held].end_seq, end) <= 0)
		held_verdict(w, held_first(w, me), PACKET_PASS, REASON_NONE);
}

/* A packet that brings nothing new to judge: charged as octets, then it
 * leaves, or not. */
static void pass_charged(struct work *w, uint32_t h)
{
	uint64_t cnt = w->pcap_cnt;
	enum reason why = REASON_LIMIT_EXCEEDED;

	w->pcap_cnt = w->p->held[h].pcap_cnt;
	if (judge_held(w, h, &why)) {
		pol_commit(w->p->conf.state);
		held_verdict(w, h, PACKET_PASS, REASON_NONE);
	} else {
		pol_abort(w->p->conf.state);
		held_verdict(w, h, PACKET_DROP, why);
	}
	w->pcap_cnt = cnt;
}

/* What waits although everything in it was judged: repeated octets, a FIN. */
static void release_judged(struct work *w, struct side *me)
{
	while (me->held != NONE &&
	       seq_diff(w->p->held[me->held].end_seq, me->judged) <= 0)
		pass_charged(w, held_first(w, me));
}

/* May all packets up to end leave, as packets? */
static bool packets_fit(struct work *w, struct side *me, uint32_t end,
			enum reason *why)
{
	for (uint32_t h = me->held; h != NONE; h = w->p->held[h].next) {
		if (seq_diff(w->p->held[h].end_seq, end) > 0)
			break;
		if (!judge_held(w, h, why))
			return false;
	}
	return true;
}

/* --- units ---------------------------------------------------------------------- */

/* Octets not judged, in one piece; fresh ones at their end are s. */
static struct span in_line(struct work *w, const struct side *me, uint32_t n,
			   struct span s)
{
	if (n <= s.n)
		return span_from(s, s.n - n);
	return octets_read(w->p, &me->kept, me->judged - me->base, n,
			   w->p->line, HOLD_MOST);
}

/* Do whole units end there, too? */
static bool aligned(struct work *w, const struct side *me, struct span octets,
		    uint32_t end)
{
	uint32_t n = end - me->judged;
	struct framed f;
	struct err e;

	return frame_units(w, span_sub(octets, 0, n), &f, &e) == n;
}

/* How far packets can leave now: the end of the first waiting packet that ends
 * with a unit, else of the last one that complete units cover; with too many
 * units for that, of the first one. What was taken over needs no packet. */
static bool covered(struct work *w, const struct side *me, struct span octets,
		    uint32_t upto, bool many, uint32_t *end)
{
	bool any = me->absorbed && seq_diff(upto, me->judged) > 0;

	*end = me->absorbed ? upto : me->judged;
	for (uint32_t h = me->held; h != NONE; h = w->p->held[h].next) {
		uint32_t at = w->p->held[h].end_seq;

		if (seq_diff(at, upto) > 0)
			break;
		/* What is repeated waits behind what it repeats. */
		if (any && seq_diff(at, *end) <= 0)
			continue;
		if (any && !me->absorbed &&
		    (many || aligned(w, me, octets, *end)))
			break;
		if (!me->absorbed)
			*end = at;
		any = true;
	}
	return any;
}

static void keep(struct work *w, struct side *me, uint32_t seq, struct span s)
{
	if (me->kept.n == 0)
		me->base = seq;
	assert(me->base + me->kept.n == seq);
	octets_add(w->p, w->f->guest, &me->kept, s);
}

/* Judged octets are kept until they are acknowledged, and as long as they may
 * belong to a message; facts only: while some wait, and not more than so
 * many. */
static void forget_judged(struct work *w, struct side *me)
{
	uint32_t from = turns_spare(me, me->acked);

	if (me->kept.n == 0)
		return;
	if (!strict(w->p)) {
		if (me->judged == me->nxt) {
			octets_free(w->p, w->f->guest, &me->kept);
			return;
		}
		from = me->judged - KEEP_FACTS;
	}
	if (seq_diff(from, me->judged) > 0)
		from = me->judged;
	if (seq_diff(from, me->base) <= 0)
		return;
	octets_cut(w->p, w->f->guest, &me->kept, from - me->base);
	me->base = from;
}

/* Facts only: nothing more is read of it. why: not told yet. */
static void lose(struct work *w, struct side *me, enum reason why)
{
	if (why)
		anomaly(w, why, "not read from here on", VERDICT_NONE);
	me->lost = true;
	me->judged = me->nxt;
	octets_free(w->p, w->f->guest, &me->kept);
}

static void read_facts(struct work *w, struct side *me, struct span s)
{
	bool waited = me->judged != me->nxt;
	uint32_t from = me->nxt;
	struct span octets;
	enum heard heard;
	struct judge j;

	me->nxt += (uint32_t)s.n;
	me->cnt = w->pcap_cnt;
	if (me->lost || !gap_sought(w, me, s)) {
		me->judged = me->nxt;
		return;
	}
	if (waited && !octets_room(w, &me->kept, s.n)) {
		lose(w, me, REASON_RESOURCE);
		return;
	}
	if (waited)
		keep(w, me, from, s);
	octets = in_line(w, me, me->nxt - me->judged, s);
	j = (struct judge){.octets = octets,
			   .seq = me->judged,
			   .limit = octets.n};
	heard = hear_stream(w, octets);
	if (heard == HEARD_OTHER) {
		anomaly(w, REASON_CHANGED_PROTOCOL, NULL, VERDICT_NONE);
		j.bad = true;
	} else if (heard == HEARD) {
		judge_units(w, &j);
		units_allowed(w, &j);
	}
	if (j.bad) {
		lose(w, me, REASON_NONE);
		/* It may have begun inside a unit. */
		me->seek = w->f->midstream && w->f->dis >= 0;
		me->lost = !me->seek;
		return;
	}
	me->judged += (uint32_t)j.used;
	if (me->nxt - me->judged > PIPELINE_HOLD_OCTETS) {
		lose(w, me, REASON_HOLD_LIMIT);
	} else if (!waited && me->judged != me->nxt) {
		if (octets_room(w, &me->kept, s.n))
			keep(w, me, from, s);
		else
			lose(w, me, REASON_RESOURCE);
	}
	forget_judged(w, me);
}

static void offload_last(struct work *w, struct side *me)
{
	uint32_t h = me->held;

	if (h == NONE || !w->p->conf.offload)
		return;
	me->held = NONE; /* it leaves */
	offload_packet(w, w->p->held[h].id);
	me->held = h;
}

/* Everything up to end is allowed, or the stream is refused. */
static void judge_upto(struct work *w, struct side *me, struct judge *j,
		       uint32_t end)
{
	uint32_t from = me->judged;

	j->limit = seq_diff(end, from) > 0 ? (size_t)seq_diff(end, from) : 0;
	judge_units(w, j);
	if (j->defer) {
		units_deferred(w);
		defer_stream(w, j);
		return;
	}
	if (j->bad) {
		units_undone(w);
		if (j->answer.n)
			stream_answer(w, j);
		else
			stream_refuse(w, j->why, j->cnt);
		return;
	}
	if (!packets_fit(w, me, end, &j->why)) {
		units_undone(w);
		stream_refuse(w, j->why, w->pcap_cnt);
		return;
	}
	if (!units_allowed(w, j)) {
		stream_refuse(w, j->why, j->cnt);
		return;
	}
	me->judged += (uint32_t)j->used;
	me->need = 0;
	/* The last packet of all that wait, and it is the one at hand. */
	if (me->nxt == me->judged && me->held == me->last && w->pkt)
		offload_last(w, me);
	release(w, me, end);
	deliver_judged(w, w->s, from);
	forget_judged(w, me);
	timer_stop(w->p, w->f_idx, w->s, TIMER_ACK);
}

/* Packets that share a unit leave together. */
static void judge_covered(struct work *w, struct side *me, struct span s,
			  uint32_t upto, const struct framed *f)
{
	bool many = f->count > UNITS_MAX;
	size_t first = f->first;
	uint32_t end;

	while (!w->f->denied && !me->deferred) {
		struct judge j = {.seq = me->judged, .first = first};

		first = 0;
		j.octets = in_line(w, me, me->nxt - me->judged, s);
		if (!covered(w, me, j.octets, upto, many, &end))
			return;
		judge_upto(w, me, &j, end);
	}
}

/* Nothing is judged until then; what comes meanwhile waits behind it. */
static void wait_behind(struct work *w, struct side *me)
{
	if (me->nxt - me->judged > PIPELINE_HOLD_OCTETS)
		give_up(w, me, REASON_HOLD_LIMIT, NULL);
	else
		ack_later(w, w->s);
}

static void judge_stream(struct work *w, struct side *me, struct span s)
{
	uint32_t n = me->nxt - me->judged, start = me->judged;
	struct judge j = {.seq = start};
	enum heard heard;
	int64_t complete = me->need > n ? me->whole - start : 0;
	struct framed f = {0};
	struct err e = {0};

	if (me->need <= n) {
		j.octets = in_line(w, me, n, s);
		heard = hear_stream(w, j.octets);
		if (heard == HEARD_OTHER) {
			give_up(w, me, REASON_CHANGED_PROTOCOL, NULL);
			return;
		}
		if (heard == HEARD) {
			complete = frame_units(w, j.octets, &f, &e);
			me->need = f.need;
		}
		me->between = f.between;
		me->whole = start + (uint32_t)complete;
	}
	if (complete < 0) {
		/* Judged all the same: what is refused is told and counted. */
		j.limit = j.octets.n;
		judge_units(w, &j);
		units_undone(w);
		stream_refuse(w, j.why, j.cnt);
		return;
	}
	judge_covered(w, me, s, start + (uint32_t)complete, &f);
	if (w->f->denied)
		return;
	/* Whole units of a packet can be judged, but do not go before the
	 * beginning of one at its end can: only that counts. */
	if (seq_diff(me->nxt, start + (uint32_t)complete) >
	    PIPELINE_HOLD_OCTETS)
		give_up(w, me, REASON_HOLD_LIMIT, NULL);
	else if (me->nxt != me->judged)
		ack_later(w, w->s);
}

/* What is on its way to the queue when the kernel takes over is among octets
 * that are not seen. */
static bool keeps(const struct work *w)
{
	return !w->f->offload;
}

/* Octets in order: n of them, at nxt. */
static void take(struct work *w, struct side *me, struct span s)
{
	hear_classifier(w, s);
	if (!strict(w->p)) {
		read_facts(w, me, s);
		return;
	}
	if (keeps(w) && !(me->unseen && seq_diff(me->from, me->nxt) > 0))
		keep(w, me, me->nxt, s);
	me->nxt += (uint32_t)s.n;
	if (me->deferred)
		wait_behind(w, me);
	else
		judge_stream(w, me, s);
}

void stream_again(struct work *w)
{
	struct side *me = &w->f->side[w->s];

	me->need = 0; /* as it stands now */
	judge_stream(w, me, (struct span){0});
	if (!w->f->denied)
		release_judged(w, me);
}

/* --- order ---------------------------------------------------------------------- */

static void segment(struct work *w, struct side *me, uint32_t seq,
		    struct span s, bool fin, uint32_t h);

static void close_side(struct work *w, struct side *me)
{
	struct span rest = {0};
	enum reason why = REASON_NONE;

	if (me->nxt != me->judged && !me->lost)
		rest = in_line(w, me, me->nxt - me->judged, rest);
	if (!me->lost)
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

/* Its octets become ours, its FIN comes again: too many packets wait already,
 * or the receiver would not take all of it yet. */
static void absorb(struct work *w, struct side *me, struct span s, uint32_t h)
{
	me->absorbed = true;
	take(w, me, s);
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
		take(w, me, span_from(s, old));
	else if (old < s.n && !strict(w->p))
		anomaly(w, REASON_TCP_CLOSED, "its octets are not read",
			VERDICT_NONE);
	if (fin && !me->fin && !w->f->denied)
		close_side(w, me);
	/* Facts only: read first, so that what it says precedes its verdict. */
	if (!strict(w->p))
		held_verdict(w, h, PACKET_PASS, REASON_NONE);
	else if (!w->f->denied)
		release_judged(w, me);
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
	give_up(w, me, REASON_INCOMPLETE, "the rest of the unit never came");
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

enum again { AGAIN_SAME, AGAIN_OTHER, AGAIN_UNKNOWN };

/* Are these octets, all below nxt, the ones that were taken? Not known: too
 * old, the receiver acknowledged some of them. What the kernel carried was
 * never compared: until it has arrived it may be repeated. */
static enum again compare(const struct work *w, const struct side *me,
			  uint32_t seq, struct span s)
{
	uint32_t first = me->base;
	size_t skip;

	if (strict(w->p) && !keeps(w))
		return AGAIN_SAME;
	/* Some are kept although the receiver has them (classify.c). */
	if (strict(w->p) && seq_diff(me->acked, first) > 0)
		first = me->acked;
	if (me->unseen && seq_diff(me->from, seq) > 0) {
		skip = me->from - seq;
		if (skip >= s.n)
			return AGAIN_SAME;
		s = span_from(s, skip);
		seq = me->from;
	}
	skip = seq_diff(first, seq) > 0 ? first - seq : 0;
	if (me->kept.n == 0 || skip >= s.n)
		return AGAIN_UNKNOWN;
	if (!octets_same(w->p, &me->kept, seq + (uint32_t)skip - me->base,
			 span_from(s, skip)))
		return AGAIN_OTHER;
	return skip ? AGAIN_UNKNOWN : AGAIN_SAME;
}

/* Octets were given up for want of room (octets.c), and the receiver has not
 * got them all: nobody can compare what is sent again. */
static bool forgotten(const struct work *w, const struct side *me, uint32_t end)
{
	return w->f->tcp == TCP_OPEN && seq_diff(end, me->acked) > 0 &&
	       (me->kept.n == 0 || seq_diff(me->base, me->acked) > 0);
}

/* Room for n octets more of this stream. One that nobody reads, and whose
 * first octets nobody can change any more, may have more on its way than is
 * kept: the older half is given up, or without room even then all of it and
 * these, and may be sent again unlooked at, as what the kernel carried. */
static bool make_room(struct work *w, struct side *me, size_t n)
{
	size_t cut = me->kept.n / 2 > n ? me->kept.n / 2 : n;

	if (octets_room(w, &me->kept, n))
		return true;
	if (!nobody_reads(w) || !side_settled(me) || side_owns(me) ||
	    me->nxt != me->judged)
		return false;
	if (cut < me->kept.n) {
		octets_cut(w->p, w->f->guest, &me->kept, cut);
		me->base += (uint32_t)cut;
	} else {
		octets_free(w->p, w->f->guest, &me->kept);
		me->base = me->nxt;
	}
	me->unseen = true;
	me->from = me->base;
	if (octets_room(w, &me->kept, n))
		return true;
	/* Of records even what is sealed waits here for its end. */
	if (w->f->dis != DIS_NONE)
		return false;
	octets_free(w->p, w->f->guest, &me->kept);
	me->from = me->nxt + (uint32_t)n;
	return true;
}

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
		again = compare(w, me, seq, span_sub(s, 0, old));
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
		   forgotten(w, me, seq + (uint32_t)old)) {
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
	} else if (old < s.n && keeps(w) &&
		   !make_room(w, me, s.n - old)) {
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
		pass_charged(w, h);
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
