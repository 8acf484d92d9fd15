/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/pipeline/take.h"

#include "enforcer/pipeline/ask.h"
#include "enforcer/pipeline/kept.h"

void stream_give_up(struct work *w, struct side *me, enum reason why,
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

void take_packet(struct work *w, uint32_t h)
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

void take_release(struct work *w, struct side *me)
{
	while (me->held != NONE &&
	       seq_diff(w->p->held[me->held].end_seq, me->judged) <= 0)
		take_packet(w, held_first(w, me));
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
		kept_add(w, me, from, s);
	octets = kept_line(w, me, me->nxt - me->judged, s);
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
			kept_add(w, me, from, s);
		else
			lose(w, me, REASON_RESOURCE);
	}
	kept_cut(w, me);
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
	kept_cut(w, me);
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
		j.octets = kept_line(w, me, me->nxt - me->judged, s);
		if (!covered(w, me, j.octets, upto, many, &end))
			return;
		judge_upto(w, me, &j, end);
	}
}

/* Nothing is judged until then; what comes meanwhile waits behind it. */
static void wait_behind(struct work *w, struct side *me)
{
	if (me->nxt - me->judged > PIPELINE_HOLD_OCTETS)
		stream_give_up(w, me, REASON_HOLD_LIMIT, NULL);
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
		j.octets = kept_line(w, me, n, s);
		heard = hear_stream(w, j.octets);
		if (heard == HEARD_OTHER) {
			stream_give_up(w, me, REASON_CHANGED_PROTOCOL, NULL);
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
		stream_give_up(w, me, REASON_HOLD_LIMIT, NULL);
	else if (me->nxt != me->judged)
		ack_later(w, w->s);
}

void take_octets(struct work *w, struct side *me, struct span s)
{
	hear_classifier(w, s);
	if (!strict(w->p)) {
		read_facts(w, me, s);
		return;
	}
	if (kept_wanted(w) && !(me->unseen && seq_diff(me->from, me->nxt) > 0))
		kept_add(w, me, me->nxt, s);
	me->nxt += (uint32_t)s.n;
	if (me->deferred)
		wait_behind(w, me);
	else
		judge_stream(w, me, s);
}

void take_again(struct work *w)
{
	struct side *me = &w->f->side[w->s];

	me->need = 0; /* as it stands now */
	judge_stream(w, me, (struct span){0});
	if (!w->f->denied)
		take_release(w, me);
}
