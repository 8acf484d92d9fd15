/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that the kernel carries: nobody reads what they say, so the rest
 * of them brings nothing new to judge. All that the kernel may carry, either
 * way, is charged before, and nothing of it is given back: a budget is never
 * exceeded, whatever happens to us meanwhile.
 *
 * The kernel counts the octets of a connection in both directions from its
 * beginning, and gives it back to us when it has carried the class's bound.
 */
#include "enforcer/pipeline/state.h"

#define CARRY_LEAST (16 * 1024) /* less is not worth the change */
#define CARRY_TIMES 4 /* at most so much more than was seen: what is charged
		       * and not used is lost to the budget */

static bool wanted(const struct work *w)
{
	const struct flow *f = w->f;

	if (!w->p->conf.offload || !w->sink->offload || f->denied ||
	    f->offload || f->dis != DIS_NONE || w->p->frozen)
		return false;
	/* Both ends have spoken: the kernel knows it as a connection. */
	if (f->pkts[0] == 0 || f->pkts[1] == 0)
		return false;
	return f->tup.proto == PROTO_UDP ||
	       (f->tup.proto == PROTO_TCP && f->tcp == TCP_OPEN &&
		!f->side[0].fin && !f->side[1].fin &&
		f->side[0].held == NONE && f->side[1].held == NONE &&
		f->side[0].ooo == NONE && f->side[1].ooo == NONE);
}

/* So many octets more, in either direction: is there room for them? */
static bool charge(struct work *w, uint64_t octets)
{
	uint8_t s = w->s;
	bool ok = octets <= UINT32_MAX;

	for (uint8_t k = 0; k < 2 && ok; k++) {
		w->s = k;
		ok = judge_carried(w, (uint32_t)octets);
	}
	w->s = s;
	if (ok)
		pol_commit(w->p->conf.state);
	else
		pol_abort(w->p->conf.state);
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
	w->p->stats.offloaded++;
	w->sink->offload(w->sink->arg, id, best);
}

/* Everything that the class allows counts as carried. Where its streams are
 * now, their next segments say. */
void offload_return(struct work *w)
{
	struct flow *f = w->f;
	uint64_t seen = f->octets[0] + f->octets[1];

	if (!f->offload || f->offload == OFFLOAD_REFUSED)
		return;
	if (f->carried > seen)
		f->octets[side_dir(f, w->s)] += f->carried - seen;
	f->offload = 0;
	for (int s = 0; s < 2; s++)
		f->side[s].moved = f->tup.proto == PROTO_TCP;
}

void offload_resync(struct work *w, struct side *me, struct side *you)
{
	const struct tcp_head *t = &w->pkt->tcp;

	if (me->moved) {
		me->moved = false;
		me->nxt = me->judged = me->acked = me->ours = me->base =
			t->seq;
		me->whole = me->left = t->seq;
		if (t->has_ts)
			me->tsval = me->ts_last = t->tsval;
		/* Until the other end says what it takes. */
		me->has_edge = false;
	}
	if (you->moved && t->flags & TCP_ACK) {
		you->nxt = you->judged = you->acked = you->ours = you->base =
			t->ack;
		you->whole = you->left = t->ack;
		you->has_edge = false;
	}
}
