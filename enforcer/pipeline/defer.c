/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that a rule holds back (policy-language 11.4): `exceed: defer 10
 * min` keeps what came too soon until its budget has room again, for at most
 * so long; at most 16 messages and 64 KiB of a machine.
 *
 * A datagram is kept here with its octets; a stream keeps its own, and judges
 * nothing until then.
 */
#include "enforcer/pipeline/take.h"

static bool room(struct work *w, const struct judge *j)
{
	static const struct octets none = {NONE, NONE, 0, 0};
	const struct pipeline *p = w->p;
	uint32_t n = 0, octets = (uint32_t)j->octets.n;

	for (uint32_t i = 0; i < DEFER_MAX; i++) {
		const struct deferral *d = &p->deferral[i];

		if (!d->used || p->flow[d->flow].guest != w->f->guest)
			continue;
		n++;
		octets += d->octets;
	}
	return n < DEFER_MESSAGES && octets <= DEFER_OCTETS &&
	       p->n_deferred < DEFER_MAX &&
	       (!j->datagram || octets_room(w, &none, j->octets.n));
}

bool defer_wanted(struct work *w, struct judge *j, const struct judged_unit *u)
{
	const struct pol_decision *d = &u->d;
	struct mono since = w->deferring ? w->since : w->now.mono;
	int64_t left = d->defer_ns - mono_sub(w->now.mono, since);

	/* Units before it in the same packet were settled. */
	if (d->action != POL_DEFER || w->p->n_units != 1)
		return false;
	j->wait = d->wait_ns > 0 ? d->wait_ns : left;
	return j->wait > 0 && j->wait <= left && room(w, j);
}

static void add(struct work *w, const struct judge *j, uint32_t h)
{
	struct pipeline *p = w->p;
	struct deferral *d = p->deferral;
	uint8_t s = w->s;

	while (d->used)
		d++;
	p->n_deferred++;
	*d = (struct deferral){
		.used = true,
		.flow = w->f_idx,
		.side = s,
		.held = h,
		.octets = (uint32_t)j->octets.n,
		.since = w->deferring ? w->since : w->now.mono,
		.at = {w->now.mono.ns + j->wait},
		.kept = {NONE, NONE, 0, 0},
	};
	if (h != NONE)
		octets_add(p, w->f->guest, &d->kept, j->octets);
}

void defer_stream(struct work *w, const struct judge *j)
{
	w->f->side[w->s].deferred = true;
	add(w, j, NONE);
}

void defer_datagram(struct work *w, const struct judge *j, uint32_t h)
{
	w->p->held[h].flow = w->f_idx;
	w->p->held[h].side = w->s;
	held_unqueue(w->p, h);
	add(w, j, h);
}

static void forget(struct pipeline *p, struct deferral *d)
{
	octets_free(p, p->flow[d->flow].guest, &d->kept);
	p->flow[d->flow].side[d->side].deferred = false;
	d->used = false;
	p->n_deferred--;
}

bool defer_waits(const struct pipeline *p, uint32_t flow)
{
	for (uint32_t i = 0; i < DEFER_MAX && p->n_deferred; i++) {
		if (p->deferral[i].used && p->deferral[i].flow == flow)
			return true;
	}
	return false;
}

void defer_forget(struct work *w, uint32_t flow, enum reason why)
{
	struct pipeline *p = w->p;

	for (uint32_t i = 0; i < DEFER_MAX && p->n_deferred; i++) {
		struct deferral *d = &p->deferral[i];
		uint32_t h = d->held;

		if (!d->used || (flow != NONE && d->flow != flow))
			continue;
		forget(p, d);
		if (h != NONE)
			drop_held(w, h, why);
	}
}

static void judge_now(struct work *w, struct deferral *d)
{
	struct pipeline *p = w->p;
	struct packet pkt;
	uint32_t h = d->held;

	w->f_idx = d->flow;
	w->f = &p->flow[d->flow];
	w->s = d->side;
	w->since = d->since;
	w->deferring = true;
	flow_packet(w->f, w->s, &pkt);
	w->pkt = &pkt;
	if (h == NONE) {
		forget(p, d);
		take_again(w);
	} else {
		pkt.payload = octets_read(p, &d->kept, 0, d->kept.n,
					  p->early_line, PACKET_MOST);
		forget(p, d);
		held_queue(p, h);
		w->held = h;
		w->pcap_cnt = p->held[h].pcap_cnt;
		datagram_packet(w);
	}
	w->pkt = NULL;
	w->ctx_f = NULL;
	w->deferring = false;
}

void defer_run(struct work *w)
{
	struct pipeline *p = w->p;

	for (uint32_t i = 0; i < DEFER_MAX && p->n_deferred; i++) {
		struct deferral *d = &p->deferral[i];

		if (d->used && mono_sub(w->now.mono, d->at) >= 0)
			judge_now(w, d);
	}
	w->f = NULL;
	w->f_idx = NONE;
}

int64_t defer_due(const struct pipeline *p)
{
	int64_t due = INT64_MAX;

	for (uint32_t i = 0; i < DEFER_MAX && p->n_deferred; i++) {
		const struct deferral *d = &p->deferral[i];

		if (d->used && d->at.ns < due)
			due = d->at.ns;
	}
	return due;
}
