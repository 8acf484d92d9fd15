/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The end of a connection that is refused: what waits is dropped, the first
 * packet of it going on as a reset, and both ends are reset where they are,
 * so that neither hangs. Later packets are dropped by look-up. Where the rule
 * says `drop`, neither end is told anything; where the refusal was answered,
 * whoever asked gets that and the end, and no reset.
 */
#include "enforcer/pipeline/state.h"

#define REFUSALS_LOOKED_AT 8 /* then the kernel may drop the rest */

static struct segment_out reset_of(const struct flow *f, uint8_t s)
{
	struct segment_out out = segment_from(f, s);

	out.seq = side_reached(&f->side[s]);
	out.ack = f->side[!s].judged;
	out.flags = TCP_RST | TCP_ACK;
	out.window = 0;
	out.has_ts = false;
	return out;
}

void reset_receiver(struct work *w, uint8_t s)
{
	struct segment_out out = reset_of(w->f, s);

	if (w->sink->inject && w->f->side[s].known)
		w->sink->inject(w->sink->arg, &out);
}

/* The packet whose event was given needs no other. The first one becomes the
 * reset of its receiver, when it can. */
static bool drop_told(struct work *w, uint32_t *head, enum reason why,
		      uint64_t told, const struct segment_out *reset)
{
	bool replaced = false;

	while (*head != NONE) {
		uint32_t h = *head;
		struct held *e = &w->p->held[h];
		bool known = told && e->pcap_cnt == told;

		*head = e->next;
		if (!strict(w->p)) {
			drop_held(w, h, why);
			continue;
		}
		if (!known)
			held_anomaly(w, h, REASON_SIBLING_DENIED, NULL,
				     VERDICT_DENY);
		if (reset && !replaced && e->sib == NONE) {
			held_replace(w, h, reset,
				     known ? why : REASON_SIBLING_DENIED);
			replaced = true;
		} else {
			held_verdict(w, h, PACKET_DROP,
				     known ? why : REASON_SIBLING_DENIED);
		}
	}
	return replaced;
}

/* spared: no reset goes where that side's segments go; 2: to both. */
static void refuse(struct work *w, enum reason why, uint64_t told,
		   unsigned spared)
{
	struct flow *f = w->f;
	bool reset = strict(w->p) && !f->denied;
	bool speaks = reset && !f->silent, done[2] = {false, false};

	defer_forget(w, w->f_idx, REASON_SIBLING_DENIED);
	for (uint8_t s = 0; s < 2; s++) {
		struct segment_out out = reset_of(f, s);
		bool turn = speaks && w->sink->replace && f->side[s].known &&
			    f->tup.proto == PROTO_TCP && s != spared;

		done[s] = drop_told(w, &f->side[s].held, why, told,
				    turn ? &out : NULL);
		f->side[s].n_held = 0;
		drop_told(w, &f->side[s].segs, why, told, NULL);
		early_free(w, &f->side[s], REASON_SIBLING_DENIED);
	}
	if (reset) {
		f->denied = true;
		f->answered = w->now.mono;
		flow_closed(w, w->f_idx);
	}
	for (uint8_t s = 0; s < 2; s++) {
		if (speaks && !done[s] && s != spared)
			reset_receiver(w, s);
		side_forget(w, s);
	}
}

void stream_refuse(struct work *w, enum reason why, uint64_t told)
{
	refuse(w, why, told, 2);
}

void stream_answer(struct work *w, const struct judge *j)
{
	uint8_t by = j->instead ? w->s : !w->s;

	refuse(w, j->why, j->cnt, by);
	parting_begin(w, by, j->answer);
}

void refuse_packet(struct work *w, uint32_t h, enum reason why)
{
	struct side *me = &w->f->side[w->s];
	struct held *e = &w->p->held[h];

	held_anomaly(w, h, why, NULL, VERDICT_DENY);
	held_append(w->p, &me->held, &me->last, h);
	stream_refuse(w, why, e->pcap_cnt);
}

/* RFC 9293 3.10.7.1: a reset where the segment says that its sender is. */
static void answer(struct work *w, enum dir towards)
{
	const struct tcp_head *t = &w->pkt->tcp;
	struct segment_out out = {.tup = w->pkt->tup,
				  .flags = TCP_RST,
				  .dir = towards};

	if (!w->sink->inject || t->flags & TCP_RST)
		return;
	out.tup.src = w->pkt->tup.dst;
	out.tup.dst = w->pkt->tup.src;
	out.tup.sport = w->pkt->tup.dport;
	out.tup.dport = w->pkt->tup.sport;
	if (t->flags & TCP_ACK) {
		out.seq = t->ack;
	} else {
		out.flags |= TCP_ACK;
		out.ack = t->seq + (uint32_t)w->pkt->payload.n +
			  !!(t->flags & TCP_SYN) + !!(t->flags & TCP_FIN);
	}
	w->sink->inject(w->sink->arg, &out);
}

void refuse_again(struct work *w)
{
	struct flow *f = w->f;
	uint64_t id = w->p->held[w->held].id;

	if (f->refusals <= REFUSALS_LOOKED_AT)
		f->refusals++;
	/* The resets may have been lost, or were in the wrong place. */
	if (!f->silent &&
	    mono_sub(w->now.mono, f->answered) >= ANSWER_EVERY) {
		f->answered = w->now.mono;
		answer(w, side_dir(f, !w->s));
	} else if (f->refusals > REFUSALS_LOOKED_AT && w->p->conf.offload &&
		   w->sink->offload && !f->parting) {
		if (f->offload != OFFLOAD_REFUSED)
			w->p->stats.offload_refused++;
		f->offload = OFFLOAD_REFUSED;
		w->sink->offload(w->sink->arg, id, OFFLOAD_REFUSED);
	}
}

void reset_stray(struct work *w, enum dir dir)
{
	answer(w, dir == DIR_OUT ? DIR_IN : DIR_OUT);
}
