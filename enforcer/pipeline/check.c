/* SPDX-License-Identifier: Apache-2.0 */
/* What a receiver would not take: the answer to each is written here. */
#include "enforcer/pipeline/state.h"

static enum reason check_syn(struct work *w, struct side *me, struct side *you)
{
	const struct tcp_head *t = &w->pkt->tcp;
	struct flow *f = w->f;
	bool ack = t->flags & TCP_ACK;

	if (t->flags & (TCP_FIN | TCP_RST))
		return REASON_TCP_FLAGS;
	if (w->pkt->payload.n)
		return REASON_TCP_SYN_DATA;
	if (me->syn)
		/* Again, the same: its answer was lost on the way. */
		return t->seq == me->isn && ack == (w->s == 1) &&
				       (!ack || t->ack == you->isn + 1) ?
			       REASON_NONE :
			       REASON_TCP_HANDSHAKE;
	if (ack != (w->s == 1) || (ack && t->ack != you->nxt) ||
	    (ack && f->tcp != TCP_SYN_SENT) || (!ack && f->tcp != TCP_NEW))
		return REASON_TCP_HANDSHAKE;
	me->syn = me->known = true;
	me->isn = t->seq;
	me->nxt = me->judged = me->acked = t->seq + 1;
	me->has_wscale = t->has_wscale;
	me->wscale = t->wscale;
	me->has_ts = t->has_ts;
	me->tsval = t->tsval;
	if (ack) {
		you->edge = t->ack + t->window;
		you->has_edge = true;
	}
	f->tcp = ack ? TCP_SYN_ACKED : TCP_SYN_SENT;
	return REASON_NONE;
}

static enum reason check_reset(struct work *w, struct side *me,
			       struct side *you)
{
	const struct tcp_head *t = &w->pkt->tcp;
	bool exact = me->known ? t->seq == me->nxt || t->seq == me->judged :
				 t->flags & TCP_ACK && t->ack == you->nxt;

	/* Nobody reads what a reset carries, so nobody may send it. */
	if (w->pkt->payload.n)
		return REASON_TCP_FLAGS;
	if (!exact)
		return REASON_TCP_RESET;
	w->f->tcp = TCP_CLOSED;
	flow_closed(w, w->f_idx);
	return REASON_NONE;
}

/* What a receiver would not take as part of an open connection. */
static enum reason check_open(struct work *w, struct side *me,
			      struct side *you)
{
	const struct tcp_head *t = &w->pkt->tcp;
	uint32_t len = (uint32_t)w->pkt->payload.n;
	bool both = me->has_wscale && you->has_wscale;

	if (!(t->flags & TCP_ACK))
		return REASON_TCP_FLAGS;
	if (t->flags & TCP_URG)
		return REASON_TCP_URGENT;
	if (w->f->tcp == TCP_SYN_ACKED && w->s == 0 && t->ack == you->nxt)
		w->f->tcp = TCP_OPEN;
	if (w->f->tcp == TCP_CLOSED && len &&
	    seq_diff(t->seq + len, me->nxt) > 0)
		return REASON_TCP_CLOSED;
	if (w->f->tcp != TCP_OPEN && w->f->tcp != TCP_CLOSED)
		return REASON_TCP_HANDSHAKE;
	/* Held octets count as sent: a capture has their acknowledgements,
	 * and they let nothing out. */
	if (seq_diff(t->ack, you->nxt) > 0)
		return REASON_TCP_ACK;
	if (me->has_ts && t->has_ts && seq_diff(t->tsval, me->tsval) < 0)
		return REASON_TCP_TIMESTAMP;
	if (me->has_edge && seq_diff(t->seq + len, me->edge) > 0)
		return REASON_TCP_WINDOW;
	if (seq_diff(t->seq, me->nxt) < -BUF_RING)
		return REASON_TCP_WINDOW;
	if (me->fin && seq_diff(t->seq + len, me->nxt) > 0)
		return REASON_TCP_CLOSED;
	/* RFC 7323 4.3: only what the receiver has acknowledged up to. */
	if (t->has_ts && seq_diff(t->tsval, me->tsval) > 0 &&
	    seq_diff(t->seq, me->acked) <= 0)
		me->tsval = t->tsval;
	if (seq_diff(t->ack, you->acked) > 0)
		you->acked = t->ack;
	if (!you->has_edge ||
	    seq_diff(t->ack + ((uint32_t)t->window << (both ? me->wscale : 0)),
		 you->edge) > 0)
		you->edge = t->ack +
			    ((uint32_t)t->window << (both ? me->wscale : 0));
	you->has_edge = true;
	return REASON_NONE;
}

enum reason tcp_check(struct work *w, struct side *me, struct side *you)
{
	uint8_t flags = w->pkt->tcp.flags;

	if (w->f->denied)
		return REASON_TCP_FLOW_DENIED;
	if (flags & TCP_RST)
		return check_reset(w, me, you);
	if (flags & TCP_SYN)
		return check_syn(w, me, you);
	return check_open(w, me, you);
}
