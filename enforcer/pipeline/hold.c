/* SPDX-License-Identifier: Apache-2.0 */
/* Packets whose verdict is due, and how it is given: once, after its event. */
#include <assert.h>

#include "enforcer/pipeline/state.h"

void held_queue(struct pipeline *p, uint32_t h)
{
	struct held *e = &p->held[h];

	e->queued = true;
	e->after = NONE;
	e->before = p->last_held;
	if (e->before == NONE)
		p->first_held = h;
	else
		p->held[e->before].after = h;
	p->last_held = h;
}

void held_unqueue(struct pipeline *p, uint32_t h)
{
	struct held *e = &p->held[h];

	if (!e->queued)
		return;
	e->queued = false;
	if (e->before == NONE)
		p->first_held = e->after;
	else
		p->held[e->before].after = e->after;
	if (e->after == NONE)
		p->last_held = e->before;
	else
		p->held[e->after].before = e->before;
}

uint32_t held_new(struct work *w, const struct packet_in *in)
{
	struct pipeline *p = w->p;
	uint32_t h = pool_take(&p->helds);
	struct held *e;

	if (h == NONE)
		return NONE;
	e = &p->held[h];
	*e = (struct held){.id = in->id,
			   .pcap_cnt = in->pcap_cnt,
			   .since = in->now.mono,
			   .next = NONE,
			   .sib = NONE,
			   .octets = (uint32_t)in->octets.n,
			   .flow = NONE,
			   .used = true};
	held_queue(p, h);
	p->stats.held_now++;
	if (p->stats.held_now > p->stats.held_peak)
		p->stats.held_peak = p->stats.held_now;
	return h;
}

uint32_t held_packets(const struct pipeline *p, uint32_t h)
{
	uint32_t n = 0;

	for (; h != NONE; h = p->held[h].sib)
		n++;
	return n;
}

uint32_t held_octets(const struct pipeline *p, uint32_t h)
{
	uint32_t n = 0;

	for (; h != NONE; h = p->held[h].sib)
		n += p->held[h].octets;
	return n;
}

void held_append(struct pipeline *p, uint32_t *head, uint32_t *last, uint32_t h)
{
	p->held[h].next = NONE;
	if (*head == NONE)
		*head = h;
	else
		p->held[*last].next = h;
	*last = h;
}

static void one_verdict(struct work *w, struct held *e, enum packet_verdict v,
			enum reason why)
{
	struct pipeline_stats *st = &w->p->stats;

	if (e->passed)
		return;
	if (v == PACKET_PASS) {
		st->passed++;
	} else {
		st->dropped++;
		st->drops[why]++;
	}
	w->sink->verdict(w->sink->arg, e->id, v, why);
}

static void held_free(struct pipeline *p, uint32_t h)
{
	held_unqueue(p, h);
	p->held[h].used = false;
	pool_give(&p->helds, h);
	p->stats.held_now--;
}

void held_verdict(struct work *w, uint32_t h, enum packet_verdict v,
		  enum reason why)
{
	struct pipeline *p = w->p;
	bool first = true;

	assert(v == PACKET_PASS || why != REASON_NONE);
	while (h != NONE) {
		struct held *e = &p->held[h];
		uint32_t sib = e->sib;

		/* The event named one part; the others have their own. */
		if (v == PACKET_DROP && !first && strict(p))
			held_anomaly(w, h, why, "fragment", VERDICT_DENY);
		first = false;
		one_verdict(w, e, v, why);
		held_free(p, h);
		h = sib;
	}
}

void held_replace(struct work *w, uint32_t h, const struct segment_out *seg,
		  enum reason why)
{
	struct pipeline *p = w->p;
	struct held *e = &p->held[h];

	assert(e->sib == NONE && !e->passed);
	p->stats.dropped++;
	p->stats.drops[why]++;
	w->sink->replace(w->sink->arg, e->id, seg, why);
	held_free(p, h);
}

void drop_held(struct work *w, uint32_t h, enum reason why)
{
	if (!strict(w->p)) {
		/* Nothing is refused when only facts are asked for. */
		held_verdict(w, h, PACKET_PASS, REASON_NONE);
		return;
	}
	held_anomaly(w, h, why, NULL, VERDICT_DENY);
	held_verdict(w, h, PACKET_DROP, why);
}

void drop_list(struct work *w, uint32_t *head, enum reason why)
{
	while (*head != NONE) {
		uint32_t h = *head;

		*head = w->p->held[h].next;
		drop_held(w, h, why);
	}
}

void packet_pass(struct work *w)
{
	uint32_t h = w->held;

	w->held = NONE;
	held_verdict(w, h, PACKET_PASS, REASON_NONE);
}

void packet_drop(struct work *w, enum reason why)
{
	uint32_t h = w->held;

	w->held = NONE;
	if (!strict(w->p))
		held_anomaly(w, h, why, NULL, VERDICT_NONE);
	drop_held(w, h, why);
}
