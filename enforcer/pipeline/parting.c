/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a connection in which a refusal was answered (answer.c): the
 * answer and a FIN go to whoever asked, in the name of the end that was asked,
 * which is reset. The answer's octets are the gateway's to deliver, as those of
 * deliver.c are; what either end says from now on is read by nobody and goes
 * nowhere. Whoever asked is acknowledged, so that it can close in order.
 *
 * Only where the answer stands at a place that both ends agree on: everything
 * that the end that was asked said before was judged and has arrived.
 */
#include "enforcer/pipeline/state.h"

bool parting_can(struct work *w, uint8_t by, size_t n)
{
	static const struct octets none = {NONE, NONE, 0, 0};
	const struct flow *f = w->f;
	const struct side *me = &f->side[by], *you = &f->side[!by];
	bool waits = by == w->s ? me->deferred : me->nxt != me->judged;

	if (f->tup.proto != PROTO_TCP || f->tcp != TCP_OPEN || f->offload ||
	    !can_own(w) || !me->known || !you->known)
		return false;
	if (me->unseen || you->unseen || me->moved || you->moved ||
	    me->loose || you->loose)
		return false;
	return !waits && !me->fin && me->has_edge && me->ooo == NONE &&
	       me->left == me->judged && me->acked == me->judged &&
	       octets_room(w, &none, n);
}

void parting_begin(struct work *w, uint8_t by, struct span answer)
{
	struct flow *f = w->f;
	struct side *me = &f->side[by], *you = &f->side[!by];

	f->parting = 1 + !by;
	you->judged = you->left = you->acked = you->ours = you->nxt;
	me->absorbed = true; /* no packet brings it */
	me->nxt = me->base = me->judged;
	octets_add(w->p, f->guest, &me->kept, answer);
	me->nxt += (uint32_t)answer.n + 1;
	me->judged = me->ours = me->nxt;
	me->fin = true;
	/* What is beyond the window follows when it opens. */
	deliver_judged(w, by, me->acked);
}

void parting_over(struct work *w)
{
	w->f->parting = 0;
	side_forget(w, 0);
	side_forget(w, 1);
}

/* It has the answer and the end of it, and goes on all the same: whoever
 * closed would say that it is gone. */
static bool goes_on(const struct side *you, bool more)
{
	return more && you->acked == you->nxt;
}

void parting_heard(struct work *w)
{
	const struct tcp_head *t = &w->pkt->tcp;
	struct side *me = &w->f->side[w->s], *you = &w->f->side[!w->s];
	uint32_t n = (uint32_t)w->pkt->payload.n;
	bool fin = t->flags & TCP_FIN;
	uint32_t end = t->seq + n + fin;

	if (t->flags & TCP_RST) {
		parting_over(w);
		return;
	}
	if (t->flags & TCP_SYN || (n == 0 && !fin))
		return;
	if (seq_diff(t->seq, me->nxt) <= 0 && seq_diff(end, me->nxt) > 0 &&
	    !me->fin) {
		if (goes_on(you, seq_diff(t->seq + n, me->nxt) > 0)) {
			parting_over(w);
			reset_stray(w, side_dir(w->f, w->s));
			return;
		}
		me->nxt = me->judged = me->left = me->acked = me->ours = end;
		me->fin = fin;
	}
	acknowledge(w, w->s);
}
