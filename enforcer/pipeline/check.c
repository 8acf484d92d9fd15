/* SPDX-License-Identifier: Apache-2.0 */
/* What a receiver would not take: the answer to each is written here. */
#include "enforcer/pipeline/state.h"

/* RFC 5961: whoever is alive ignores it, whoever is not answers with a reset
 * in the right place. Not more than it takes. */
static void challenge(struct work *w)
{
	struct flow *f = w->f;

	if (mono_sub(w->now.mono, f->answered) < ANSWER_EVERY)
		return;
	f->answered = w->now.mono;
	acknowledge(w, w->s);
}

/* Whoever is in an open connection answers a SYN without one (RFC 9293
 * 3.10.7.4), so a SYN ACK says that its sender is in none, and that nothing
 * of a new stream meets the rest of an old one. But not when it answered the
 * SYN before, with the same number, and was on its way since then: the reset
 * or the end that we saw of that connection may not have reached it. */
static bool stale(const struct flow *f, const struct tcp_head *t)
{
	return f->before.known && t->seq == f->before.seq &&
	       t->ack == f->before.ack;
}

static enum reason first_syn(struct work *w, struct side *me, struct side *you)
{
	const struct tcp_head *t = &w->pkt->tcp;
	struct flow *f = w->f;
	bool ack = t->flags & TCP_ACK;

	if (ack != (w->s == 1) || (ack && t->ack != you->nxt) ||
	    (ack && f->tcp != TCP_SYN_SENT) || (!ack && f->tcp != TCP_NEW) ||
	    (ack && stale(f, t)))
		return REASON_TCP_HANDSHAKE;
	me->syn = me->known = true;
	me->isn = t->seq;
	me->nxt = me->judged = me->acked = me->ours = me->base = t->seq + 1;
	me->left = me->nxt;
	me->has_wscale = t->has_wscale;
	me->wscale = t->wscale;
	me->has_ts = t->has_ts;
	me->tsval = me->ts_last = t->tsval;
	me->mss = t->mss;
	me->window = t->window;
	if (ack) {
		you->edge = you->offered = t->ack + t->window;
		you->has_edge = true;
	}
	f->tcp = ack ? TCP_SYN_ACKED : TCP_SYN_SENT;
	return REASON_NONE;
}

static enum reason check_syn(struct work *w, struct side *me, struct side *you)
{
	const struct tcp_head *t = &w->pkt->tcp;
	bool ack = t->flags & TCP_ACK;

	if (t->flags & (TCP_FIN | TCP_RST))
		return REASON_TCP_FLAGS;
	if (t->flags & TCP_URG)
		return REASON_TCP_URGENT;
	if (w->pkt->payload.n)
		return REASON_TCP_SYN_DATA;
	if (!me->syn)
		return first_syn(w, me, you);
	/* Again, the same: its answer was lost on the way. */
	if (t->seq == me->isn && ack == (w->s == 1) &&
	    (!ack || t->ack == you->isn + 1))
		return REASON_NONE;
	challenge(w);
	return REASON_TCP_HANDSHAKE;
}

static enum reason check_reset(struct work *w, struct side *me,
			       struct side *you)
{
	const struct tcp_head *t = &w->pkt->tcp;
	bool exact = me->known ? t->seq == me->nxt || t->seq == me->judged ||
					 t->seq == me->acked ||
					 t->seq == side_reached(me) :
				 t->flags & TCP_ACK && t->ack == you->nxt;

	/* Nobody reads what a reset carries, so nobody may send it. */
	if (w->pkt->payload.n)
		return REASON_TCP_FLAGS;
	if (!exact) {
		if (me->has_edge && seq_diff(t->seq, me->acked) > 0 &&
		    seq_diff(t->seq, me->edge) < 0)
			challenge(w);
		return REASON_TCP_RESET;
	}
	w->f->tcp = TCP_CLOSED;
	flow_closed(w, w->f_idx);
	return REASON_NONE;
}

/* Where it stands: what it acknowledges, and its place in the window. */
static enum reason check_place(struct work *w, const struct side *me,
			       const struct side *you)
{
	const struct tcp_head *t = &w->pkt->tcp;
	uint32_t len = (uint32_t)w->pkt->payload.n;
	/* A capture has the acknowledgements of octets that wait here, and
	 * they let nothing out; live nobody can have had those. */
	bool live = w->p->conf.ack_after_ns > 0;

	if (seq_diff(t->ack, live ? side_reached(you) : you->nxt) > 0)
		return REASON_TCP_ACK;
	if (me->has_ts && you->has_ts &&
	    (!t->has_ts || seq_diff(t->tsval, me->tsval) < 0))
		return REASON_TCP_TIMESTAMP;
	if (me->has_edge && seq_diff(t->seq + len, me->offered) > 0) {
		/* The probe of a closed window may not go; what it is to
		 * find out is found out without it. */
		if (t->seq == me->nxt && len <= 1)
			ask_receiver(w, w->s);
		return REASON_TCP_WINDOW;
	}
	if (len == 0 && seq_diff(t->seq, me->nxt) < -OLD_OCTETS)
		return REASON_TCP_WINDOW;
	if (me->fin && seq_diff(t->seq + len, me->nxt) > 0)
		return REASON_TCP_CLOSED;
	return REASON_NONE;
}

static void note(struct work *w, struct side *me, struct side *you)
{
	const struct tcp_head *t = &w->pkt->tcp;
	bool both = me->has_wscale && you->has_wscale, wider;
	bool bare = w->pkt->payload.n == 0 && !(t->flags & TCP_FIN);
	uint32_t edge = t->ack +
			((uint32_t)t->window << (both ? me->wscale : 0));

	/* RFC 7323 4.3: only what the receiver has acknowledged up to. */
	if (t->has_ts && seq_diff(t->tsval, me->tsval) > 0 &&
	    seq_diff(t->seq, me->acked) <= 0)
		me->tsval = t->tsval;
	if (t->has_ts && seq_diff(t->tsval, me->ts_last) > 0)
		me->ts_last = t->tsval;
	me->window = t->window;
	/* A window that shrinks takes back what was granted: the sender may
	 * not know yet, so it stands. */
	wider = !you->has_edge || seq_diff(edge, you->edge) > 0;
	if (wider)
		you->edge = edge;
	if (!you->has_edge || seq_diff(edge, you->offered) > 0)
		you->offered = edge;
	you->has_edge = true;
	side_acked(w, !w->s, t->ack, bare, wider);
	if (w->f->tcp == TCP_CLOSED)
		flow_closed(w, w->f_idx);
}

/* It answers like that who is still in a connection that its other end, or
 * the gateway, has forgotten. The new one says so (RFC 9293 3.10.7.3), else
 * ends with fixed ports would not come together again. */
static void reset_half_open(struct work *w, const struct side *you)
{
	struct flow *f = w->f;

	if (f->tcp != TCP_SYN_SENT || w->s != 1 ||
	    w->pkt->tcp.ack == you->nxt ||
	    mono_sub(w->now.mono, f->answered) < ANSWER_EVERY)
		return;
	f->answered = w->now.mono;
	reset_stray(w, side_dir(f, w->s));
}

/* What a receiver would not take as part of an open connection. */
static enum reason check_open(struct work *w, struct side *me,
			      struct side *you)
{
	const struct tcp_head *t = &w->pkt->tcp;
	uint32_t len = (uint32_t)w->pkt->payload.n;
	enum reason why;

	if (!(t->flags & TCP_ACK))
		return REASON_TCP_FLAGS;
	if (t->flags & TCP_URG)
		return REASON_TCP_URGENT;
	if (t->syn_options)
		return REASON_TCP_OPTION;
	if (w->f->tcp == TCP_SYN_ACKED && w->s == 0 && t->ack == you->nxt) {
		w->f->tcp = TCP_OPEN;
		flow_opened(w, w->f_idx);
	}
	if (w->f->tcp == TCP_CLOSED && len &&
	    seq_diff(t->seq + len, me->nxt) > 0)
		return REASON_TCP_CLOSED;
	if (w->f->tcp != TCP_OPEN && w->f->tcp != TCP_CLOSED) {
		reset_half_open(w, you);
		return REASON_TCP_HANDSHAKE;
	}
	why = check_place(w, me, you);
	if (!why)
		note(w, me, you);
	return why;
}

enum reason tcp_check(struct work *w, struct side *me, struct side *you)
{
	uint8_t flags = w->pkt->tcp.flags;

	if (w->f->denied && w->f->parting != 1 + w->s)
		return REASON_TCP_FLOW_DENIED;
	if (me->loose || you->loose || me->unseen || you->unseen)
		offload_resync(w, me, you);
	if (flags & TCP_RST)
		return check_reset(w, me, you);
	if (flags & TCP_SYN)
		return check_syn(w, me, you);
	return check_open(w, me, you);
}
