/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of flows: fixed, with a keyed hash, and a share for each guest. A
 * guest that has its share gives up one of its own for a new one: of what is
 * closed, then of what was never open, then of what was silent for long, in
 * each the longest silent; last of what the kernel carries and was not seen
 * for long. What is in use stays, and the new flow is refused: a flood drives
 * out floods only.
 */
#include "enforcer/pipeline/state.h"

#define EVICT_LOOK 16 /* flows of a list looked at for one to give up */

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

static bool is_of(const struct flow *f, const struct net_tuple *t, uint8_t *s)
{
	const struct net_tuple *k = &f->tup;

	if (k->proto != t->proto)
		return false;
	if (same_end(&k->src, k->sport, &t->src, t->sport) &&
	    same_end(&k->dst, k->dport, &t->dst, t->dport)) {
		*s = 0;
		return true;
	}
	if (same_end(&k->src, k->sport, &t->dst, t->dport) &&
	    same_end(&k->dst, k->dport, &t->src, t->sport)) {
		*s = 1;
		return true;
	}
	return false;
}

uint32_t flow_find(struct pipeline *p, const struct net_tuple *t, uint8_t *s)
{
	uint32_t i = p->latest;

	/* Packets of one connection come in trains. */
	if (i != NONE && p->flow[i].used && is_of(&p->flow[i], t, s))
		return i;
	for (i = *bucket_of(p, t); i != NONE; i = p->flow[i].next) {
		if (!is_of(&p->flow[i], t, s))
			continue;
		p->latest = i;
		return i;
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

static struct lru *lru_of(struct pipeline *p, const struct flow *f)
{
	return &p->lru[f->guest][f->list];
}

static void lru_out(struct pipeline *p, uint32_t i)
{
	struct flow *f = &p->flow[i];
	struct lru *l = lru_of(p, f);

	if (f->older == NONE)
		l->oldest = f->newer;
	else
		p->flow[f->older].newer = f->newer;
	if (f->newer == NONE)
		l->newest = f->older;
	else
		p->flow[f->newer].older = f->older;
}

static void lru_in(struct pipeline *p, uint32_t i)
{
	struct flow *f = &p->flow[i];
	struct lru *l = lru_of(p, f);

	f->newer = NONE;
	f->older = l->newest;
	if (f->older == NONE)
		l->oldest = i;
	else
		p->flow[f->older].newer = i;
	l->newest = i;
}

uint32_t flow_oldest(const struct pipeline *p, enum list l)
{
	uint32_t best = NONE;

	for (size_t g = 0; g < p->n_guests; g++) {
		uint32_t i = p->lru[g][l].oldest;

		if (i != NONE &&
		    (best == NONE ||
		     mono_sub(p->flow[i].last, p->flow[best].last) < 0))
			best = i;
	}
	return best;
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
	const struct classifier *c = w->p->conf.classifier;
	struct flow *f = &w->p->flow[i];
	struct event ev;
	struct obs close;
	struct app app;

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
	if (end && c && c->answer(c->arg, i, &app)) {
		classifier_facts(&close, &app);
		ev.message = &close;
	}
	if (strict(w->p))
		ev.verdict = f->denied ? VERDICT_DENY : VERDICT_ALLOW;
	w->sink->event(w->sink->arg, &ev);
}

/* It takes no place among those that are open at once, and nothing hangs on it
 * any more. */
static void not_open(struct work *w, struct flow *f)
{
	if (f->opened && w->p->guest[f->guest].machine >= 0)
		pol_close(w->p->conf.state,
			  (size_t)w->p->guest[f->guest].machine, f->id, w->now);
	f->opened = false;
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
	if (p->conf.classifier)
		p->conf.classifier->end(p->conf.classifier->arg, i);
	flow_event(w, i, true);
	not_open(w, f);
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
	w->p->flow[i].was_open = true;
	move(w, i, LIST_TCP);
}

void flow_carried(struct work *w, uint32_t i, bool carried)
{
	/* What ended while it was carried stays where it is. */
	if (carried || w->p->flow[i].list == LIST_CARRIED)
		move(w, i, carried ? LIST_CARRIED : LIST_TCP);
}

void flow_answered(struct work *w, uint32_t i)
{
	if (w->p->flow[i].list == LIST_ASKED)
		move(w, i, LIST_OTHER);
}

/* Is the next connection of the same ends as any other? It is when no octet
 * passed, or when each end has acknowledged the other's FIN: whoever did takes
 * nothing more (RFC 9293 3.10.7.4). */
static bool forgettable(const struct flow *f)
{
	if (!f->was_open)
		return !f->before.known;
	for (int s = 0; s < 2; s++) {
		const struct side *d = &f->side[s];

		if (!d->fin || d->moved || d->loose || d->acked != d->nxt)
			return false;
	}
	return true;
}

void flow_closed(struct work *w, uint32_t i)
{
	struct flow *f = &w->p->flow[i];
	bool over = forgettable(f);

	if (over && f->was_open)
		not_open(w, f);
	move(w, i, over ? LIST_OVER : LIST_CLOSED);
}

/* After how much silence flows of a list end; and after how much they may have
 * to make room, those of a lower rank first. */
static const struct {
	int64_t end, room;
	int rank;
} silence[LISTS] = {
	[LIST_OVER] = {CLOSED_IDLE, 0, 0},
	[LIST_CLOSED] = {CLOSED_IDLE, CLOSED_ROOM, 1},
	[LIST_OPENING] = {OPENING_IDLE, 0, 2},
	[LIST_ASKED] = {UDP_IDLE, 0, 2},
	[LIST_OTHER] = {UDP_IDLE, UDP_ROOM, 3},
	[LIST_TCP] = {TCP_IDLE, TCP_ROOM, 4},
	[LIST_CARRIED] = {TCP_IDLE, TCP_ROOM, 5},
};

#define LEAST_SILENCE CLOSED_IDLE
_Static_assert(LEAST_SILENCE <= OPENING_IDLE && LEAST_SILENCE <= UDP_IDLE &&
		       LEAST_SILENCE <= TCP_IDLE,
	       "no list ends flows sooner");

int64_t flow_due(const struct pipeline *p)
{
	int64_t due = INT64_MAX;

	for (int l = 0; l < LISTS; l++) {
		uint32_t i = flow_oldest(p, (enum list)l);
		int64_t at;

		if (i == NONE)
			continue;
		at = p->flow[i].last.ns + silence[l].end + 1;
		due = at < due ? at : due;
	}
	return due;
}

/* What enters a list, or is heard of again, is due after the silence of that
 * list at the earliest: until then, or what was due when all were looked at,
 * there is nothing to look for. */
void flow_expire(struct work *w, uint32_t most)
{
	struct pipeline *p = w->p;
	int64_t due, soonest;

	if (w->now.mono.ns < p->flows_due)
		return;
	for (int l = 0; l < LISTS; l++) {
		for (uint32_t n = 0; n < most; n++) {
			uint32_t i = flow_oldest(p, (enum list)l);

			if (i == NONE || mono_sub(w->now.mono, p->flow[i].last) <=
						 silence[l].end)
				break;
			flow_end(w, i, REASON_INCOMPLETE);
		}
	}
	due = flow_due(p);
	soonest = w->now.mono.ns + LEAST_SILENCE;
	p->flows_due = due < soonest ? due : soonest;
}

/* --- room for a new flow ----------------------------------------------------- */

/* Something waits in it or has yet to be delivered. The answer to a refusal is
 * no reason to stay: whoever does not take it must not keep others out. */
static bool busy(const struct pipeline *p, uint32_t i)
{
	const struct flow *f = &p->flow[i];

	for (int s = 0; s < 2; s++) {
		const struct side *d = &f->side[s];

		if (d->held != NONE || d->segs != NONE || d->ooo != NONE ||
		    (timer_runs(d, TIMER_RTO) && !f->parting))
			return true;
	}
	return defer_waits(p, i);
}

/* Of one list of the guest: the longest silent that may go. */
static uint32_t spare(const struct work *w, uint16_t guest, enum list l)
{
	const struct pipeline *p = w->p;
	uint32_t i = p->lru[guest][l].oldest;

	for (int n = 0; n < EVICT_LOOK && i != NONE; n++) {
		const struct flow *f = &p->flow[i];

		if (mono_sub(w->now.mono, f->last) < silence[l].room)
			return NONE; /* so are all that follow */
		if (!busy(p, i))
			return i;
		i = f->newer;
	}
	return NONE;
}

/* One flow of the guest's own goes. What comes of it later has no flow and is
 * refused as midstream, or, a datagram, is judged as the first of a new one.
 * The kernel goes on with what it carries, as far as was charged. */
static bool make_room(struct work *w, uint16_t guest)
{
	const struct flow *flow = w->p->flow;
	uint32_t best = NONE;

	for (int l = 0; l < LISTS; l++) {
		uint32_t i = spare(w, guest, (enum list)l);
		int d;

		if (i == NONE)
			continue;
		d = best == NONE ? -1 :
				   silence[l].rank -
					   silence[flow[best].list].rank;
		if (d < 0 ||
		    (d == 0 && mono_sub(flow[i].last, flow[best].last) < 0))
			best = i;
	}
	if (best == NONE)
		return false;
	flow_end(w, best, REASON_INCOMPLETE);
	return true;
}

/* Facts only: the longest silent flow of all goes. */
static void make_any_room(struct work *w)
{
	const struct pipeline *p = w->p;
	uint32_t best = NONE;

	for (int l = 0; l < LISTS; l++) {
		uint32_t i = flow_oldest(p, (enum list)l);

		if (i != NONE &&
		    (best == NONE ||
		     mono_sub(p->flow[i].last, p->flow[best].last) < 0))
			best = i;
	}
	if (best != NONE)
		flow_end(w, best, REASON_INCOMPLETE);
}

/* A place in the table. With a policy no guest has more than its share, and
 * the shares together are no more than there are places. */
static uint32_t place(struct work *w, uint16_t guest)
{
	struct pipeline *p = w->p;

	if (strict(p)) {
		if (p->guest[guest].flows >= p->share && !make_room(w, guest))
			return NONE;
	} else if (p->stats.flows_now == p->conf.max_flows) {
		make_any_room(w);
	}
	return pool_take(&p->flows);
}

static enum list first_list(const struct pipeline *p, uint8_t proto)
{
	if (strict(p))
		return proto == PROTO_TCP ? LIST_OPENING : LIST_ASKED;
	return proto == PROTO_TCP ? LIST_TCP : LIST_OTHER;
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
	i = place(w, guest);
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
	f->list = (uint8_t)first_list(p, f->tup.proto);
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
	if (p->conf.classifier)
		p->conf.classifier->begin(p->conf.classifier->arg, i);
	*why = REASON_NONE;
	return i;
}
