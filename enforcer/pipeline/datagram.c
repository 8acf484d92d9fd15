/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams: each is one unit, or one part of an ACSE message whose parts
 * wait for the last one and share its verdict.
 */
#include "enforcer/pipeline/ask.h"

/* Parts of an ACSE message wait for the last one and share its verdict. */
static void keep_part(struct work *w, uint64_t key)
{
	struct side *me = &w->f->side[w->s];
	struct held *e = &w->p->held[w->held];
	uint32_t last = me->segs;

	e->key = key;
	e->flow = w->f_idx;
	e->side = w->s;
	if (!strict(w->p)) {
		w->sink->verdict(w->sink->arg, e->id, PACKET_PASS,
				 REASON_NONE);
		w->p->stats.passed++;
		e->passed = true;
	}
	while (last != NONE && w->p->held[last].next != NONE)
		last = w->p->held[last].next;
	held_append(w->p, &me->segs, &last, w->held);
	w->held = NONE;
}

static void settle_parts(struct work *w, uint64_t key, bool passed,
			 enum reason why)
{
	struct pipeline *p = w->p;
	uint32_t *at = &w->f->side[w->s].segs;

	while (*at != NONE) {
		uint32_t h = *at;

		if (p->held[h].key != key) {
			at = &p->held[h].next;
			continue;
		}
		*at = p->held[h].next;
		if (passed)
			held_verdict(w, h, PACKET_PASS, REASON_NONE);
		else
			drop_held(w, h, why);
	}
}

/* May the parts leave, as packets? */
static bool parts_fit(struct work *w, uint64_t key, enum reason *why)
{
	const struct pipeline *p = w->p;

	for (uint32_t h = w->f->side[w->s].segs; h != NONE;
	     h = p->held[h].next) {
		if (p->held[h].key == key &&
		    !judge_held(w, h, why))
			return false;
	}
	return true;
}

/* A part whose message was never completed. */
static void part_overdue(struct work *w, uint32_t h)
{
	struct pipeline *p = w->p;
	struct held *e = &p->held[h];
	uint32_t *at = &w->f->side[e->side].segs;
	uint64_t cnt = w->pcap_cnt;

	w->s = e->side;
	while (*at != NONE && *at != h)
		at = &p->held[*at].next;
	if (*at == NONE)
		return; /* it waits for something else */
	*at = e->next;
	if (!strict(p)) {
		w->pcap_cnt = e->pcap_cnt;
		anomaly(w, REASON_INCOMPLETE, NULL, VERDICT_NONE);
		w->pcap_cnt = cnt;
	}
	drop_held(w, h, REASON_INCOMPLETE);
}

/* What has waited too long; bounded by the packets that may wait at all. */
void hold_expire(struct work *w, bool all)
{
	struct pipeline *p = w->p;

	for (uint32_t h = p->first_held; h != NONE;) {
		struct held *e = &p->held[h];
		uint32_t after = e->after;

		if (!all && mono_sub(w->now.mono, e->since) <= HOLD_TIMEOUT)
			break;
		w->f_idx = e->flow;
		w->f = &p->flow[e->flow];
		if (w->f->tup.proto == PROTO_TCP && !all)
			stream_overdue(w, h);
		else if (w->f->tup.proto != PROTO_TCP)
			part_overdue(w, h);
		/* What came with it may be gone as well. */
		h = after == NONE || p->held[after].queued ? after :
							     p->first_held;
	}
	w->f = NULL;
	w->f_idx = NONE;
}

int64_t hold_due(const struct pipeline *p)
{
	if (p->first_held == NONE)
		return INT64_MAX;
	/* What is frozen is dropped at once. */
	if (p->frozen)
		return 0;
	return p->held[p->first_held].since.ns + HOLD_TIMEOUT + 1;
}

/* The verdict of a datagram, and of the parts that it completed. */
static void settle(struct work *w, const struct judge *j, uint32_t h,
		   bool passes)
{
	w->held = NONE;
	if (j->whole)
		settle_parts(w, j->key, passes, passes ? REASON_NONE : j->why);
	if (passes || !strict(w->p))
		held_verdict(w, h, PACKET_PASS, REASON_NONE);
	else
		held_verdict(w, h, PACKET_DROP, j->why);
	answer_send(w, j);
}

/* Octets that are read as another protocol than those before them. */
static void changed_protocol(struct work *w, struct judge *j)
{
	j->bad = true;
	j->why = REASON_CHANGED_PROTOCOL;
	j->cnt = w->pcap_cnt;
	held_anomaly(w, w->held, j->why, NULL,
		     strict(w->p) ? VERDICT_DENY : VERDICT_NONE);
}

void datagram_packet(struct work *w)
{
	struct judge j = {.octets = w->pkt->payload,
			  .datagram = true,
			  .limit = w->pkt->payload.n};
	uint32_t h = w->held;
	bool passes;

	hear_classifier(w, j.octets);
	if (hear_datagram(w, j.octets) == HEARD_OTHER)
		changed_protocol(w, &j);
	else
		judge_units(w, &j);
	w->f->guessed &= !j.read;
	if (j.defer) {
		defer_datagram(w, &j, h);
		units_deferred(w);
		w->held = NONE;
		return;
	}
	if (j.part && !j.bad) {
		units_allowed(w, &j);
		keep_part(w, j.key);
		return;
	}
	passes = !j.bad && (!strict(w->p) ||
			    (judge_held(w, h, &j.why) &&
			     (!j.whole || parts_fit(w, j.key, &j.why))));
	if (passes)
		passes = units_allowed(w, &j);
	else
		units_undone(w);
	settle(w, &j, h, passes);
}
