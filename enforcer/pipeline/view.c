/* SPDX-License-Identifier: Apache-2.0 */
/* The flows there are, for whoever wants to look. */
#include "enforcer/pipeline/state.h"

static const char *state_name(const struct flow *f)
{
	static const char *const tcp[] = {
		[TCP_NEW] = "new",	 [TCP_SYN_SENT] = "syn-sent",
		[TCP_SYN_ACKED] = "syn-acked", [TCP_OPEN] = "open",
		[TCP_CLOSED] = "closed"};

	switch (f->tup.proto) {
	case PROTO_TCP:
		return tcp[f->tcp];
	case PROTO_UDP:
		return "udp";
	case PROTO_ICMP:
	case PROTO_ICMP6:
		return "icmp";
	default:
		return "other";
	}
}

static uint32_t waiting(const struct pipeline *p, const struct flow *f)
{
	uint32_t n = 0;

	for (int s = 0; s < 2; s++) {
		const struct side *d = &f->side[s];

		for (uint32_t h = d->held; h != NONE; h = p->held[h].next)
			n++;
		for (uint32_t h = d->segs; h != NONE; h = p->held[h].next)
			n++;
		n += d->n_ooo;
	}
	return n;
}

static bool view(const struct pipeline *p, const struct flow *f,
		 bool (*give)(void *arg, const struct flow_view *v), void *arg)
{
	const struct classifier *c = p->conf.classifier;
	struct flow_view v = {
		.tup = f->tup,
		.id = f->id,
		.pkts = {f->pkts[0], f->pkts[1]},
		.octets = {f->octets[0], f->octets[1]},
		.start = f->start,
		.last = f->last,
		.app = f->dis >= 0 ? p->dis[f->dis]->name : "",
		.state = state_name(f),
		.denied = f->denied,
		.offload = f->list == LIST_CARRIED || f->denied ? f->offload
								: 0,
		.held = waiting(p, f),
	};

	if (c && !c->answer(c->arg, (uint32_t)(f - p->flow), &v.guess))
		v.guess = (struct app){0};
	return give(arg, &v);
}

void pipeline_flows(const struct pipeline *p,
		    bool (*f)(void *arg, const struct flow_view *v), void *arg)
{
	uint32_t at[GUESTS_MAX * LISTS], lists = 0;

	for (size_t g = 0; g < p->n_guests; g++) {
		for (int l = 0; l < LISTS; l++)
			at[lists++] = p->lru[g][l].newest;
	}
	for (;;) {
		uint32_t next = NONE;

		for (uint32_t l = 0; l < lists; l++) {
			if (at[l] != NONE &&
			    (next == NONE ||
			     mono_sub(p->flow[at[l]].last,
				      p->flow[at[next]].last) > 0))
				next = l;
		}
		if (next == NONE || !view(p, &p->flow[at[next]], f, arg))
			return;
		at[next] = p->flow[at[next]].older;
	}
}
