/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams that the kernel carries. What it carries is not seen: not read, not
 * compared with what went before. So it gets only those that nobody reads, or
 * nobody needs to read on (TLS behind its hellos), that a rule grants as such,
 * and of which both ends have shown what they speak, in octets that their
 * receivers have acknowledged and that nobody can send otherwise any more. A
 * datagram is a message of its own, and the kernel gets none.
 *
 * All that the kernel may carry, either way, is charged before, and nothing of
 * it is given back: a budget is never exceeded, whatever happens to us
 * meanwhile.
 *
 * The kernel counts the octets of a connection in both directions from its
 * beginning, and gives it back to us when it has carried the class's bound.
 *
 * Packets that lay in the queue when it was given away come here afterwards.
 * They are charged like others, and change nothing: the connection is back
 * when one of them cannot have been there then.
 *
 * Back here, its octets are kept and compared again. Those that the kernel
 * carried are not known; until their receiver has acknowledged the place where
 * we have the stream again, they may be sent again as they could be before.
 */
#include "enforcer/pipeline/ask.h"
#include "enforcer/pipeline/tell.h"

#define CARRY_LEAST (16 * 1024) /* less is not worth the change */
#define CARRY_TIMES 4 /* at most so much more than was seen: what is charged
		       * and not used is lost to the budget */
#define STRAGGLE    NS_PER_S /* nothing lies in the queue for longer */

bool side_settled(struct side *d)
{
	if (!d->settled)
		d->settled = d->shown && d->acked != d->isn + 1 &&
			     (d->acked == d->judged ||
			      seq_diff(d->acked, d->isn + 1) >= DECIDE_OCTETS);
	return d->settled;
}

static bool quiet(struct side *d)
{
	return side_settled(d) && !d->fin && d->held == NONE && d->ooo == NONE &&
	       !side_owns(d);
}

static bool wanted(struct work *w)
{
	struct flow *f = w->f;

	return w->p->conf.offload && w->sink->offload && !f->denied &&
	       !f->offload && nobody_reads(w) && !w->p->frozen &&
	       f->tup.proto == PROTO_TCP && f->tcp == TCP_OPEN &&
	       quiet(&f->side[0]) && quiet(&f->side[1]);
}

/* So many octets more, in either direction: is there room for them? Both are
 * told as what they are: decisions about octets that nobody will see. */
static bool charge(struct work *w, uint64_t octets)
{
	struct pol_decision d[2];
	uint8_t s = w->s;
	bool ok = octets <= UINT32_MAX;

	for (uint8_t k = 0; k < 2 && ok; k++) {
		w->s = k;
		ok = judge_carried(w, (uint32_t)octets, &d[k]);
	}
	if (ok)
		pol_commit(w->p->conf.state);
	else
		pol_abort(w->p->conf.state);
	for (uint8_t k = 0; k < 2 && ok; k++) {
		w->s = k;
		tell_carried(w, (uint32_t)octets, &d[k]);
	}
	w->s = s;
	return ok;
}

void offload_packet(struct work *w, uint64_t id)
{
	struct flow *f = w->f;
	uint64_t seen = f->octets[0] + f->octets[1];
	unsigned best = 0;

	if (!wanted(w))
		return;
	for (unsigned tries = 0; tries < OFFLOAD_REFUSED; tries++) {
		uint64_t below = best ? w->p->conf.offload[best] : UINT64_MAX;

		best = 0;
		/* The largest below the one that did not fit. */
		for (unsigned k = 1; k < OFFLOAD_REFUSED; k++) {
			uint64_t b = w->p->conf.offload[k];

			if (b < seen + CARRY_LEAST || b >= below ||
			    b - seen > CARRY_TIMES * seen)
				continue;
			if (!best || b > w->p->conf.offload[best])
				best = k;
		}
		if (!best)
			return;
		if (charge(w, w->p->conf.offload[best] - seen))
			break;
	}
	f->offload = (uint8_t)best;
	f->carried = w->p->conf.offload[best];
	f->given = w->now.mono;
	flow_carried(w, w->f_idx, true);
	/* Where its units begin, nobody will know. */
	f->dis = DIS_NONE;
	for (int k = 0; k < 2; k++)
		octets_free(w->p, f->guest, &f->side[k].kept);
	w->p->stats.offloaded++;
	w->sink->offload(w->sink->arg, id, best);
}

/* Was the packet at hand in the queue before the kernel took over? Then it
 * follows on what we saw. If that is guessed wrong, octets are charged twice
 * or the queue sees some more; never is one not charged. */
static bool straggler(const struct work *w)
{
	const struct flow *f = w->f;
	const struct side *me = &f->side[w->s], *you = &f->side[!w->s];
	const struct tcp_head *t = &w->pkt->tcp;

	if (mono_sub(w->now.mono, f->given) > STRAGGLE ||
	    f->octets[0] + f->octets[1] > f->carried)
		return false;
	return !(t->flags & TCP_SYN) && seq_diff(t->seq, me->nxt) <= 0 &&
	       (!(t->flags & TCP_ACK) || seq_diff(t->ack, you->nxt) <= 0);
}

/* Everything that the class allows counts as carried. Where its streams are
 * now, their next segments say. */
void offload_return(struct work *w)
{
	struct flow *f = w->f;
	uint64_t seen = f->octets[0] + f->octets[1];

	if (!f->offload || f->offload == OFFLOAD_REFUSED || straggler(w))
		return;
	if (f->carried > seen)
		f->octets[side_dir(f, w->s)] += f->carried - seen;
	f->offload = 0;
	f->given = w->now.mono;
	flow_carried(w, w->f_idx, false);
	for (int s = 0; s < 2; s++) {
		f->side[s].moved = f->side[s].loose = true;
		f->side[s].n_turns = 0;
		f->side[s].many = false;
	}
}

static void move(struct work *w, struct side *d, uint32_t to)
{
	octets_free(w->p, w->f->guest, &d->kept);
	d->nxt = d->judged = d->acked = d->ours = d->base = to;
	d->whole = d->left = to;
}

/* The first segment that came back may have been an old one, sent again; what
 * is behind it was carried. Nobody reads this stream, so a gap in it hides
 * nothing. */
static bool passed(const struct side *d, uint32_t at)
{
	return d->loose && d->held == NONE && d->ooo == NONE &&
	       seq_diff(at, d->nxt) > 0;
}

/* The sender is there. */
static void sends_at(struct work *w, struct side *me, bool plain)
{
	const struct tcp_head *t = &w->pkt->tcp;

	if (me->moved) {
		if (t->has_ts)
			me->tsval = me->ts_last = t->tsval;
		/* Until the other end says what it takes. */
		me->has_edge = false;
	} else if (!passed(me, t->seq) || !plain) {
		return;
	}
	me->moved = false;
	move(w, me, t->seq);
	me->unseen = true;
	me->from = t->seq;
}

/* The receiver has what is before. */
static void has_until(struct work *w, struct side *you, bool plain)
{
	uint32_t ack = w->pkt->tcp.ack;

	if (you->moved || (passed(you, ack) && plain)) {
		if (you->moved)
			you->has_edge = false;
		you->moved = you->unseen = false;
		move(w, you, ack);
	} else if (you->unseen && seq_diff(ack, you->from) >= 0 &&
		   seq_diff(ack, you->nxt) <= 0) {
		you->unseen = false;
	}
}

void offload_resync(struct work *w, struct side *me, struct side *you)
{
	const struct tcp_head *t = &w->pkt->tcp;
	bool plain = !(t->flags & (TCP_SYN | TCP_RST));

	/* By now all that it carried has arrived, or never will. */
	if (!me->moved && !you->moved &&
	    mono_sub(w->now.mono, w->f->given) > LOOSE_MOST)
		me->loose = you->loose = false;
	sends_at(w, me, plain);
	if (t->flags & TCP_ACK)
		has_until(w, you, plain);
}
