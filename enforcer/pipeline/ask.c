/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/pipeline/ask.h"

#include "enforcer/pipeline/tell.h"

static struct pol_peer peer_of(const struct work *w, const struct obs *message)
{
	const struct flow *f = w->f;
	bool guest_first = (f->first_dir == DIR_OUT) != w->as_peer;
	bool out = judged_dir(w) == DIR_OUT;
	struct pol_peer peer = {
		.addr = guest_first ? f->tup.dst : f->tup.src,
		.port = guest_first ? f->tup.dport : f->tup.sport,
		.proto = f->tup.proto,
		.machine = w->as_peer ? w->p->guest[f->guest].machine :
					f->peer,
		.local_port = guest_first ? 0 : f->tup.dport,
	};

	/* As the other end of a flow a machine is known as that machine. */
	if (!w->as_peer)
		peer.named = f->named;
	peer.tls = f->dis >= 0 && strcmp(w->p->dis[f->dis]->name, "tls") == 0;
	if (message) {
		peer.aptitle = obs_get_span(message, out ? F_CALLED :
							   F_CALLING);
		peer.authenticated = !out && obs_get(message, F_MAC, 0) == 1;
	}
	return peer;
}

void ask_policy(struct work *w, struct judged_unit *u)
{
	struct pipeline *p = w->p;
	struct pol_msg m = {
		.machine = judged_machine(w),
		.dir = judged_dir(w),
		.peer = peer_of(w, unit_carrier(w, u)),
		.flow = w->f->id,
		.message = unit_carrier(w, u),
		.leaves = u->n > 1 ? &p->obs[u->first + 1] : NULL,
		.n_leaves = u->n > 1 ? u->n - 1 : 0,
		.octets = u->charged,
		.packets = u->packets,
		.now = w->now,
		/* What is sealed is an observation of its own. */
		.refused = u->refused == REASON_UNKNOWN_KEY ? REASON_NONE :
							      u->refused,
		.retry = u->n && obs_has(&p->obs[u->first], F_RETRY),
		.one_sided = p->self >= 0 || w->f->peer >= 0,
	};

	pol_judge(p->conf.state, &m, &u->d);
	/* Each leaf has its own rule: kept for when it is told. */
	for (uint32_t i = 1; u->d.permit && m.n_leaves > 1 && i <= m.n_leaves;
	     i++) {
		struct leaf_rules *r = &p->rules[u->first + i];

		r->n = pol_leaf_rules(p->conf.state, i - 1, &u->d);
		memcpy(r->v, u->d.rules, sizeof(r->v));
	}
}

static bool judge_packet(struct work *w, uint32_t octets, enum reason *why)
{
	struct pipeline *p = w->p;
	struct pol_peer peer = peer_of(w, NULL);
	struct pol_decision d;
	struct event ev;

	pol_decision_clear(&d);
	if (pol_packet(p->conf.state, (size_t)p->guest[w->f->guest].machine,
		       side_dir(w->f, w->s), &peer, octets, w->now, &d)) {
		w->f->silent = false;
		return true;
	}
	event_base(w, &ev, EV_VIOLATION);
	event_decision(&ev, &d);
	ev.verdict = VERDICT_DENY;
	if (ev.reason == REASON_NONE)
		ev.reason = REASON_LIMIT_EXCEEDED;
	ev.octets = octets;
	*why = ev.reason;
	w->f->silent = w->f->tup.proto == PROTO_TCP && d.action == POL_DROP;
	p->stats.denied++;
	w->sink->event(w->sink->arg, &ev);
	return false;
}

bool judge_held(struct work *w, uint32_t h, enum reason *why)
{
	for (; h != NONE; h = w->p->held[h].sib) {
		if (!judge_packet(w, w->p->held[h].octets, why))
			return false;
	}
	return true;
}

bool judge_open(struct work *w, enum reason *why)
{
	struct pipeline *p = w->p;
	struct pol_peer peer = peer_of(w, NULL);
	struct pol_decision d = {0};
	struct event ev;
	char text[512];

	pol_open(p->conf.state, (size_t)p->guest[w->f->guest].machine,
		 side_dir(w->f, w->s), &peer, w->f->id, w->now, &d);
	if (d.permit) {
		w->f->opened = true;
		return true;
	}
	event_base(w, &ev, EV_VIOLATION);
	event_decision(&ev, &d);
	tell_unnamed(w, &ev, text, sizeof(text));
	*why = d.reason;
	p->stats.denied++;
	w->sink->event(w->sink->arg, &ev);
	return false;
}

/* As many as there can be in so many octets: nobody counts what the kernel
 * carries. */
static uint32_t packets_of(const struct work *w, uint32_t octets)
{
	uint32_t least = w->f->tup.proto == PROTO_TCP ? 40 : 28;

	return octets / least + 1;
}

bool judge_carried(struct work *w, uint32_t octets, struct pol_decision *d)
{
	struct pipeline *p = w->p;
	struct pol_peer peer = peer_of(w, NULL);
	struct pol_decision room = {0};
	struct obs o[2];
	struct pol_msg m = {
		.machine = (size_t)p->guest[w->f->guest].machine,
		.dir = side_dir(w->f, w->s),
		.peer = peer,
		.flow = w->f->id,
		.message = &o[0],
		.leaves = &o[1],
		.n_leaves = 1,
		.octets = octets,
		.packets = packets_of(w, octets),
		.now = w->now,
		.one_sided = p->self >= 0,
	};

	obs_opaque(o, octets);
	*d = (struct pol_decision){0};
	pol_judge(p->conf.state, &m, d);
	if (!d->permit)
		return false;
	return pol_packets(p->conf.state, m.machine, m.dir, &peer, octets,
			   m.packets, w->now, &room);
}

bool known_party(struct work *w, uint16_t guest, enum dir dir, int peer)
{
	const struct net_tuple *t = &w->pkt->tup;
	struct pol_peer who = {.addr = dir == DIR_OUT ? t->dst : t->src,
			       .port = dir == DIR_OUT ? t->dport : t->sport,
			       .proto = t->proto,
			       .machine = peer,
			       .local_port = dir == DIR_OUT ? t->sport :
							      t->dport};

	who.named = names_now(w, guest, &who.addr);
	return pol_party(w->p->conf.policy,
			 (size_t)w->p->guest[guest].machine, &who) >= 0;
}

bool judge_again(struct work *w, enum reason *why)
{
	struct pipeline *p = w->p;
	struct pol_peer peer = peer_of(w, NULL);
	struct pol_decision d = {0};

	pol_would_open(p->conf.state, (size_t)p->guest[w->f->guest].machine,
		       side_dir(w->f, w->s), &peer, w->f->id, w->now, &d);
	*why = d.reason;
	return d.permit;
}
