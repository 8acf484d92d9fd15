/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of flows: fixed, with a keyed hash, a share for each guest and a
 * written way to make room: what is closed or idle goes, what is active stays
 * and the new flow is refused.
 */
#include "enforcer/pipeline/state.h"

#define EVICT_LOOK 16 /* oldest flows looked at for one to give up */

static uint64_t hash(const struct pipeline *p, const struct net_tuple *t)
{
	bool swap = memcmp(&t->src, &t->dst, sizeof(t->src)) > 0 ||
		    (memcmp(&t->src, &t->dst, sizeof(t->src)) == 0 &&
		     t->sport > t->dport);
	uint8_t b[37];
	struct wbuf w = wbuf_of(b, sizeof(b));

	wbuf_put(&w, span_of(swap ? t->dst.b : t->src.b, 16));
	wbuf_put(&w, span_of(swap ? t->src.b : t->dst.b, 16));
	wbuf_be(&w, swap ? t->dport : t->sport, 2);
	wbuf_be(&w, swap ? t->sport : t->dport, 2);
	wbuf_u8(&w, t->proto);
	return siphash24(&p->conf.key, wbuf_span(&w));
}

static uint32_t *bucket_of(struct pipeline *p, const struct net_tuple *t)
{
	return &p->bucket[hash(p, t) & (p->n_buckets - 1)];
}

static bool same_end(const struct net_addr *a, uint16_t ap,
		     const struct net_addr *b, uint16_t bp)
{
	return ap == bp && memcmp(a, b, sizeof(*a)) == 0;
}

uint32_t flow_find(struct pipeline *p, const struct net_tuple *t, uint8_t *s)
{
	uint32_t i = *bucket_of(p, t);

	for (; i != NONE; i = p->flow[i].next) {
		const struct net_tuple *k = &p->flow[i].tup;

		if (k->proto != t->proto)
			continue;
		if (same_end(&k->src, k->sport, &t->src, t->sport) &&
		    same_end(&k->dst, k->dport, &t->dst, t->dport)) {
			*s = 0;
			return i;
		}
		if (same_end(&k->src, k->sport, &t->dst, t->dport) &&
		    same_end(&k->dst, k->dport, &t->src, t->sport)) {
			*s = 1;
			return i;
		}
	}
	return NONE;
}

void flow_packet(const struct flow *f, uint8_t s, struct packet *pkt)
{
	memset(pkt, 0, sizeof(*pkt));
	pkt->tup = f->tup;
	pkt->has_tuple = true;
	if (!s)
		return;
	pkt->tup.src = f->tup.dst;
	pkt->tup.dst = f->tup.src;
	pkt->tup.sport = f->tup.dport;
	pkt->tup.dport = f->tup.sport;
}

static void lru_out(struct pipeline *p, uint32_t i)
{
	struct flow *f = &p->flow[i];
	int l = f->list;

	if (f->older == NONE)
		p->oldest[l] = f->newer;
	else
		p->flow[f->older].newer = f->newer;
	if (f->newer == NONE)
		p->newest[l] = f->older;
	else
		p->flow[f->newer].older = f->older;
}

static void lru_in(struct pipeline *p, uint32_t i)
{
	struct flow *f = &p->flow[i];
	int l = f->list;

	f->newer = NONE;
	f->older = p->newest[l];
	if (f->older == NONE)
		p->oldest[l] = i;
	else
		p->flow[f->older].newer = i;
	p->newest[l] = i;
}

void flow_touch(struct pipeline *p, uint32_t i, struct now now)
{
	p->flow[i].last = now.mono;
	if (p->flow[i].newer != NONE) {
		lru_out(p, i);
		lru_in(p, i);
	}
}

void flow_event(struct work *w, uint32_t i, bool end)
{
	struct flow *f = &w->p->flow[i];
	struct event ev;

	event_base(w, &ev, EV_FLOW);
	ev.flow_id = f->id;
	ev.tup = f->tup;
	ev.has_tuple = true;
	ev.guest = guest_name(w->p, f->guest);
	ev.dir = side_dir(f, 0);
	ev.app_proto = f->dis >= 0 ? w->p->dis[f->dis]->name : NULL;
	ev.flow_end = end;
	ev.flow_start = f->start;
	ev.pkts_out = f->pkts[DIR_OUT];
	ev.pkts_in = f->pkts[DIR_IN];
	ev.octets_out = f->octets[DIR_OUT];
	ev.octets_in = f->octets[DIR_IN];
	if (strict(w->p))
		ev.verdict = f->denied ? VERDICT_DENY : VERDICT_ALLOW;
	w->sink->event(w->sink->arg, &ev);
}

void flow_end(struct work *w, uint32_t i, enum reason why)
{
	struct pipeline *p = w->p;
	struct flow *f = &p->flow[i], *was = w->f;
	uint32_t was_idx = w->f_idx, *b = bucket_of(p, &f->tup);

	w->f = f;
	w->f_idx = i;
	if (!strict(p))
		facts_end(w, why);
	defer_forget(w, i, why);
	for (int s = 0; s < 2; s++) {
		drop_list(w, &f->side[s].held, why);
		drop_list(w, &f->side[s].segs, REASON_INCOMPLETE);
		early_free(w, &f->side[s], why);
		side_forget(w, (uint8_t)s);
	}
	flow_event(w, i, true);
	if (f->opened && p->guest[f->guest].machine >= 0)
		pol_close(p->conf.state,
			  (size_t)p->guest[f->guest].machine, f->id, w->now);
	while (*b != i)
		b = &p->flow[*b].next;
	*b = f->next;
	lru_out(p, i);
	p->guest[f->guest].flows--;
	p->stats.flows_now--;
	f->used = false;
	pool_give(&p->flows, i);
	w->f = was == f ? NULL : was;
	w->f_idx = was == f ? NONE : was_idx;
}

static void move(struct work *w, uint32_t i, enum list list)
{
	struct pipeline *p = w->p;

	if (p->flow[i].list == list)
		return;
	lru_out(p, i);
	p->flow[i].list = (uint8_t)list;
	p->flow[i].last = w->now.mono;
	lru_in(p, i);
}

void flow_opened(struct work *w, uint32_t i)
{
	move(w, i, LIST_TCP);
}

void flow_closed(struct work *w, uint32_t i)
{
	move(w, i, LIST_CLOSED);
}

static const int64_t silence[LISTS] = {
	[LIST_OTHER] = UDP_IDLE,
	[LIST_TCP] = TCP_IDLE,
	[LIST_OPENING] = OPENING_IDLE,
	[LIST_CLOSED] = CLOSED_IDLE,
};

static bool idle(const struct flow *f, struct now now)
{
	return mono_sub(now.mono, f->last) > silence[f->list];
}

int64_t flow_due(const struct pipeline *p)
{
	int64_t due = INT64_MAX;

	for (int l = 0; l < LISTS; l++) {
		uint32_t i = p->oldest[l];
		int64_t at;

		if (i == NONE)
			continue;
		at = p->flow[i].last.ns + silence[l] + 1;
		due = at < due ? at : due;
	}
	return due;
}

void flow_expire(struct work *w, uint32_t most)
{
	struct pipeline *p = w->p;

	for (int l = 0; l < LISTS; l++) {
		for (uint32_t n = 0; n < most && p->oldest[l] != NONE; n++) {
			uint32_t i = p->oldest[l];

			if (!idle(&p->flow[i], w->now))
				break;
			flow_end(w, i, REASON_INCOMPLETE);
		}
	}
}

static bool make_room(struct work *w)
{
	struct pipeline *p = w->p;

	for (int l = 0; l < LISTS; l++) {
		uint32_t i = p->oldest[l];

		for (int n = 0; n < EVICT_LOOK && i != NONE; n++) {
			struct flow *f = &p->flow[i];

			if (idle(f, w->now) ||
			    ((l == LIST_OPENING || f->tcp == TCP_CLOSED) &&
			     mono_sub(w->now.mono, f->last) > ROOM_AFTER)) {
				flow_end(w, i, REASON_INCOMPLETE);
				return true;
			}
			i = f->newer;
		}
	}
	for (int l = 0; l < LISTS && !strict(p); l++) {
		if (p->oldest[l] != NONE) {
			flow_end(w, p->oldest[l], REASON_INCOMPLETE);
			return true;
		}
	}
	return false;
}

uint32_t flow_new(struct work *w, const struct packet *pkt, uint16_t guest,
		  enum dir first_dir, int peer, enum reason *why)
{
	struct pipeline *p = w->p;
	uint32_t i, *b;
	struct flow *f;
	uint8_t seed[8];
	struct wbuf sw = wbuf_of(seed, sizeof(seed));

	*why = REASON_FLOW_TABLE_FULL;
	if (p->guest[guest].flows >= p->share && strict(p))
		return NONE;
	i = pool_take(&p->flows);
	if (i == NONE && make_room(w))
		i = pool_take(&p->flows);
	if (i == NONE)
		return NONE;
	f = &p->flow[i];
	memset(f, 0, sizeof(*f));
	f->used = true;
	f->tup = pkt->tup;
	f->guest = guest;
	f->first_dir = (uint8_t)first_dir;
	f->peer = (int16_t)peer;
	f->dis = -1;
	f->answered.ns = w->now.mono.ns - ANSWER_EVERY;
	f->list = f->tup.proto != PROTO_TCP ? LIST_OTHER :
		  strict(p)		    ? LIST_OPENING :
					      LIST_TCP;
	f->start = f->last = w->now.mono;
	for (int s = 0; s < 2; s++) {
		f->side[s].timer_list[TIMER_ACK] =
			f->side[s].timer_list[TIMER_RTO] = TIMERS;
		f->side[s].kept.head = f->side[s].kept.tail =
			f->side[s].held = f->side[s].last = f->side[s].ooo =
				f->side[s].segs = NONE;
	}
	wbuf_be(&sw, ++p->flow_seq, 8);
	f->id = ((hash(p, &f->tup) ^ siphash24(&p->conf.key, wbuf_span(&sw))) &
		 ((UINT64_C(1) << 53) - 1)) | 1;
	b = bucket_of(p, &pkt->tup);
	f->next = *b;
	*b = i;
	lru_in(p, i);
	p->guest[guest].flows++;
	p->stats.flows++;
	p->stats.flows_now++;
	if (p->stats.flows_now > p->stats.flows_peak)
		p->stats.flows_peak = p->stats.flows_now;
	*why = REASON_NONE;
	return i;
}
