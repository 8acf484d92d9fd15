/* SPDX-License-Identifier: Apache-2.0 */
/*
 * In the receiver's name. A segment that is held gets no acknowledgement, and
 * a sender without one stops: so what is held for long, or is repeated while
 * it is held, is acknowledged here with the receiver's own window and time
 * stamps; where that window has no room for the rest of a unit, with room for
 * it. From then on those octets are ours to deliver, as far as the receiver's
 * window goes. They are kept until the receiver acknowledges them, and
 * repeated when it does not.
 *
 * Nothing leaves by this that was not judged; an octet goes out again only as
 * the same octet.
 */
#include "enforcer/pipeline/state.h"

#define RTO_TRIES 12  /* about half a minute */
#define BURST	  4   /* segments sent again at once */
#define DUP_ACKS  3   /* RFC 5681: as good as a timer */
#define MSS_MIN	  216
#define MSS_MAX	  1400
#define MSS_NONE  536 /* RFC 9293: when none was said */

static uint32_t later(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) > 0 ? a : b;
}

static uint32_t earlier(uint32_t a, uint32_t b)
{
	return seq_diff(a, b) < 0 ? a : b;
}

bool side_owns(const struct side *s)
{
	return seq_diff(s->ours, s->acked) > 0;
}

/* Up to where the receiver may have what is ours. */
static uint32_t released(const struct side *s)
{
	return earlier(s->ours, s->judged);
}

/* Where the receiver is: a reset anywhere else it does not believe (RFC 5961
 * 3). The last unit that was judged may end in a packet that did not leave. */
uint32_t side_reached(const struct side *me)
{
	return me->fin ? me->judged : me->left;
}

struct segment_out segment_from(const struct flow *f, uint8_t s)
{
	const struct side *me = &f->side[s], *you = &f->side[!s];
	struct segment_out out = {.tup = f->tup,
				  .flags = TCP_ACK,
				  .window = me->window,
				  .has_ts = me->has_ts && you->has_ts,
				  .tsval = me->ts_last,
				  .tsecr = you->ts_last,
				  .dir = side_dir(f, s)};

	if (s) {
		out.tup.src = f->tup.dst;
		out.tup.dst = f->tup.src;
		out.tup.sport = f->tup.dport;
		out.tup.dport = f->tup.sport;
	}
	return out;
}

static size_t most(const struct flow *f)
{
	size_t a = f->side[0].mss ? f->side[0].mss : MSS_NONE;
	size_t b = f->side[1].mss ? f->side[1].mss : MSS_NONE;
	size_t n = a < b ? a : b;

	if (f->side[0].has_ts && f->side[1].has_ts)
		n = n > 12 ? n - 12 : 0;
	return n < MSS_MIN ? MSS_MIN : n > MSS_MAX ? MSS_MAX : n;
}

bool can_own(const struct work *w)
{
	return w->p->conf.ack_after_ns > 0 && w->sink->inject &&
	       !w->p->frozen && (!w->f->denied || w->f->parting);
}

/* Up to where the sender may send: what the receiver takes. But of a unit
 * that waits the receiver gets nothing before the rest is here, and makes no
 * room: where its window ends before, the rest is taken here, and a segment
 * more, as senders do not like to send less. */
static uint32_t room_until(const struct flow *f, uint8_t s)
{
	const struct side *me = &f->side[s];
	uint32_t n = me->nxt - me->judged;

	if (me->deferred || me->fin || n == 0)
		return me->edge;
	if (me->need <= n)
		n++; /* one at least */
	else if (me->need < PIPELINE_HOLD_OCTETS)
		n = me->need;
	else
		n = PIPELINE_HOLD_OCTETS;
	if (seq_diff(me->judged + n, me->edge) <= 0)
		return me->edge;
	return me->judged + n + (uint32_t)most(f);
}

void acknowledge(struct work *w, uint8_t s)
{
	struct flow *f = w->f;
	struct side *me = &f->side[s];
	const struct side *you = &f->side[!s];
	struct segment_out out = segment_from(f, !s);
	uint32_t ack = later(me->ours, me->acked), until = room_until(f, s);
	bool scaled = me->has_wscale && you->has_wscale;
	uint8_t shift = scaled ? you->wscale : 0;
	int32_t room = seq_diff(until, ack);

	/* Of what the kernel carried nobody here knows what has arrived. */
	if (!can_own(w) || !me->known || !you->known || me->unseen)
		return;
	if (f->parting && f->parting != 1 + s)
		return; /* it was reset */
	/* Rounded up only where it is not the receiver's own. */
	if (room > 0 && until != me->edge)
		room += (1 << shift) - 1;
	room = room < 0 ? 0 : room >> shift;
	out.seq = side_reached(you);
	out.ack = ack;
	out.window = room > UINT16_MAX ? UINT16_MAX : (uint16_t)room;
	me->offered = later(me->offered, ack + ((uint32_t)out.window << shift));
	w->p->stats.acks_made++;
	w->sink->inject(w->sink->arg, &out);
}

/* Make the receiver say where it is: an old place, nothing in it. */
void ask_receiver(struct work *w, uint8_t s)
{
	const struct flow *f = w->f;
	struct segment_out out = segment_from(f, s);

	if (!can_own(w) || !f->side[s].known || !f->side[!s].known)
		return;
	out.seq = f->side[s].acked - 1;
	out.ack = f->side[!s].acked;
	w->sink->inject(w->sink->arg, &out);
}

void ack_later(struct work *w, uint8_t s)
{
	const struct side *me = &w->f->side[s];

	if (!can_own(w) || timer_runs(me, TIMER_ACK) ||
	    seq_diff(me->nxt - me->fin, later(me->ours, me->judged)) <= 0)
		return;
	timer_start(w, s, TIMER_ACK, TIMERS_ACK);
}

void ack_due(struct work *w)
{
	struct side *me = &w->f->side[w->s];

	/* What was judged meanwhile is the receiver's to acknowledge. */
	if (seq_diff(me->nxt, me->judged) > 0)
		take_over(w, w->s);
}

/* Octets of ours from seq on, at most so many segments. */
static void deliver(struct work *w, uint8_t s, uint32_t seq, unsigned segments)
{
	struct pipeline *p = w->p;
	struct side *me = &w->f->side[s];
	uint32_t end = earlier(released(me), me->edge);
	size_t mss = most(w->f);

	for (unsigned i = 0; i < segments && seq_diff(end, seq) > 0; i++) {
		struct segment_out out = segment_from(w->f, s);
		uint32_t n = (uint32_t)seq_diff(end, seq);
		uint8_t b[MSS_MAX];
		bool last;

		if (n > mss)
			n = (uint32_t)mss;
		out.payload = octets_read(p, &me->kept, seq - me->base, n, b,
					  sizeof(b));
		last = w->f->parting && end == me->nxt &&
		       seq + out.payload.n == end - 1;
		if (out.payload.n == 0 && !last)
			return;
		if (out.payload.n)
			out.flags |= TCP_PSH;
		if (last) {
			out.flags |= TCP_FIN;
			end--; /* it has a place, but no octet */
		}
		out.seq = seq;
		out.ack = w->f->side[!s].acked;
		p->stats.delivered++;
		w->sink->inject(w->sink->arg, &out);
		seq += (uint32_t)out.payload.n;
		me->left = later(me->left, seq + last);
	}
}

static bool outstanding(const struct side *s)
{
	return side_owns(s) && seq_diff(released(s), s->acked) > 0;
}

static void watch(struct work *w, uint8_t s)
{
	const struct side *me = &w->f->side[s];
	unsigned step = me->tries < RTO_STEPS ? me->tries : RTO_STEPS - 1;

	if (outstanding(me))
		timer_start(w, s, TIMER_RTO, TIMERS_RTO + step);
	else
		timer_stop(w->p, w->f_idx, s, TIMER_RTO);
}

bool take_over(struct work *w, uint8_t s)
{
	struct side *me = &w->f->side[s];
	uint32_t upto = me->nxt - me->fin;

	if (!can_own(w) || !me->has_edge)
		return false;
	if (seq_diff(upto, me->ours) > 0)
		me->ours = upto;
	acknowledge(w, s);
	/* What left as it came was the sender's to repeat until now. */
	if (!timer_runs(me, TIMER_RTO))
		watch(w, s);
	return true;
}

void deliver_judged(struct work *w, uint8_t s, uint32_t from)
{
	struct side *me = &w->f->side[s];

	if (!side_owns(me))
		return;
	/* The packets of these octets are gone, or some of them are. */
	if (me->absorbed && can_own(w))
		deliver(w, s, later(from, me->acked), DELIVER_MAX);
	if (me->judged == me->nxt)
		me->absorbed = false;
	if (!timer_runs(me, TIMER_RTO))
		watch(w, s);
}

void repeat_due(struct work *w)
{
	struct side *me = &w->f->side[w->s];

	if (!outstanding(me))
		return;
	if (can_own(w) && ++me->tries > RTO_TRIES) {
		anomaly(w, REASON_TCP_UNDELIVERED, NULL, VERDICT_DENY);
		if (w->f->parting)
			reset_receiver(w, w->s);
		w->f->parting = 0;
		stream_refuse(w, REASON_TCP_UNDELIVERED, 0);
		return;
	}
	if (me->acked == me->edge)
		ask_receiver(w, w->s);
	else if (can_own(w))
		deliver(w, w->s, me->acked, BURST);
	watch(w, w->s);
}

/* What never left, as far as the receiver takes it. */
static void deliver_rest(struct work *w, uint8_t s)
{
	const struct side *me = &w->f->side[s];

	if (can_own(w) && side_owns(me))
		deliver(w, s, later(me->left, me->acked), DELIVER_MAX);
}

void side_acked(struct work *w, uint8_t s, uint32_t ack, bool bare,
		bool wider)
{
	struct side *me = &w->f->side[s];
	bool owned = side_owns(me);

	/* What was not let through cannot have arrived. */
	ack = earlier(ack, me->judged);
	if (seq_diff(ack, me->acked) > 0) {
		bool again = me->tries || me->dups >= DUP_ACKS;
		uint32_t spare = turns_spare(me, ack);

		if (me->kept.n && seq_diff(spare, me->base) > 0) {
			octets_cut(w->p, w->f->guest, &me->kept,
				   spare - me->base);
			me->base = spare;
		}
		me->acked = ack;
		me->left = later(me->left, ack);
		me->ours = later(me->ours, ack);
		if (!owned)
			return;
		me->tries = me->dups = 0;
		if (again && can_own(w) && outstanding(me))
			deliver(w, s, ack, BURST);
		deliver_rest(w, s);
		watch(w, s);
	} else if (bare && wider && ack == me->acked && outstanding(me)) {
		/* A window opens that was closed. */
		if (me->tries && can_own(w))
			deliver(w, s, ack, BURST);
		deliver_rest(w, s);
	} else if (bare && ack == me->acked && ack == me->edge) {
		/* It is alive, and may keep its window closed. */
		if (me->tries > RTO_STEPS)
			me->tries = RTO_STEPS;
	} else if (bare && ack == me->acked && outstanding(me) &&
		   me->dups < DUP_ACKS && ++me->dups == DUP_ACKS) {
		if (can_own(w))
			deliver(w, s, ack, 1);
	}
	/* The sender takes no news from an acknowledgement older than ours. */
	if (wider && side_owns(me))
		acknowledge(w, s);
}

void side_forget(struct work *w, uint8_t s)
{
	struct side *me = &w->f->side[s];

	octets_free(w->p, w->f->guest, &me->kept);
	me->ours = me->acked;
	me->tries = me->dups = 0;
	me->absorbed = false;
	timer_stop(w->p, w->f_idx, s, TIMER_ACK);
	timer_stop(w->p, w->f_idx, s, TIMER_RTO);
}
