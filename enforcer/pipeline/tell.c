/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/pipeline/tell.h"

#include "enforcer/pipeline/ask.h"

static void as_judged(const struct work *w, struct event *ev)
{
	for (uint32_t g = 0; g < w->p->n_guests; g++) {
		if (w->p->guest[g].machine == w->f->peer)
			ev->guest = guest_name(w->p, g);
	}
	ev->dir = judged_dir(w);
}

static void unit_event(struct work *w, const struct judged_unit *u,
		       struct event *ev, enum event_type type)
{
	event_base(w, ev, type);
	if (w->as_peer && type != EV_PROTOCOL)
		as_judged(w, ev);
	ev->pcap_cnt = told_number(w->p, u->pcap_cnt);
	ev->octets = u->octets;
	ev->message = unit_carrier(w, u);
	if (u->n > 1) {
		ev->leaves = &w->p->obs[u->first + 1];
		ev->n_leaves = u->n - 1;
	}
}

void tell_protocol(struct work *w, const struct judged_unit *u)
{
	struct event ev;

	unit_event(w, u, &ev, EV_PROTOCOL);
	w->sink->event(w->sink->arg, &ev);
}

void tell_notes(struct work *w, const struct judged_unit *u)
{
	for (uint32_t i = 0; i < u->n; i++) {
		const struct obs *o = &w->p->obs[u->first + i];

		for (unsigned k = 0; k < o->n && obs_has(o, F_NOTE); k++) {
			uint64_t cnt = w->pcap_cnt;

			if (o->f[k].field != F_NOTE)
				continue;
			w->pcap_cnt = u->pcap_cnt;
			anomaly(w, (enum reason)o->f[k].u,
				reason_why((enum reason)o->f[k].u),
				strict(w->p) ? VERDICT_ALLOW : VERDICT_NONE);
			w->pcap_cnt = cnt;
		}
	}
}

/* Whom its rules want to be told. */
static uint8_t told_to(const struct pol_decision *d)
{
	bool portal = d->notify & NOTIFY_REFUSED && !d->permit;

	return (uint8_t)((d->notify & NOTIFY_ALL) |
			 (portal ? NOTIFY_PORTAL : 0));
}

void event_decision(struct event *ev, const struct pol_decision *d)
{
	ev->verdict = d->permit ? VERDICT_ALLOW : VERDICT_DENY;
	ev->monitored = d->monitored;
	ev->summary = d->permit && d->summary && !d->monitored;
	ev->reasons = d->reasons;
	ev->reason = d->reason;
	ev->party = d->party;
	ev->detail = d->text[0] ? d->text : NULL;
	ev->would_pass = d->would_pass;
	ev->n_rules = d->n_rules;
	memcpy(ev->rules, d->rules, sizeof(ev->rules));
	ev->severity = d->severity;
	ev->notify = told_to(d);
	for (uint32_t i = 0; i < ev->n_rules; i++)
		ev->rules[i].refused = !d->permit && d->refused_rules >> i & 1;
	ev->n_budgets = d->n_budgets;
	memcpy(ev->budgets, d->budgets, sizeof(ev->budgets));
}

void tell_violation(struct work *w, const struct judged_unit *u,
		    const char *detail)
{
	struct event ev;

	unit_event(w, u, &ev, EV_VIOLATION);
	event_decision(&ev, &u->d);
	if (detail)
		ev.detail = detail;
	ev.verdict = VERDICT_DENY;
	ev.leaf = u->d.leaf < ev.n_leaves ? u->d.leaf : 0;
	w->p->stats.denied++;
	w->sink->event(w->sink->arg, &ev);
}

void tell_refused(struct work *w, const struct judged_unit *u,
		  const struct err *e)
{
	struct event ev;

	unit_event(w, u, &ev, EV_ANOMALY);
	if (strict(w->p)) {
		event_decision(&ev, &u->d);
		ev.verdict = VERDICT_DENY;
		/* No rule was asked: what cannot be read never gets there. */
		if (u->refused != REASON_UNKNOWN_KEY)
			ev.n_rules = 0;
		w->p->stats.denied++;
	}
	reasons_add(&ev.reasons, u->refused);
	ev.reason = u->refused;
	ev.detail = e->text[0] ? e->text : NULL;
	ev.message = NULL;
	ev.leaves = NULL;
	ev.n_leaves = 0;
	w->p->stats.anomalies[u->refused]++;
	w->sink->event(w->sink->arg, &ev);
}

void tell_carried(struct work *w, uint32_t octets,
		  const struct pol_decision *d)
{
	struct event ev;
	struct obs o[2];

	obs_opaque(o, octets);
	event_base(w, &ev, EV_DECISION);
	event_decision(&ev, d);
	ev.would_pass = (struct span){0};
	ev.summary = false; /* a charge, not one more of many messages */
	ev.detail = "charged before the kernel carries it";
	ev.octets = octets;
	ev.message = &o[0];
	ev.leaves = &o[1];
	ev.n_leaves = 1;
	w->p->stats.allowed++;
	w->sink->event(w->sink->arg, &ev);
}

void tell_closed(struct work *w, enum reason why, const char *detail)
{
	struct event ev;

	event_base(w, &ev, EV_VIOLATION);
	ev.verdict = VERDICT_DENY;
	ev.reason = why;
	reasons_add(&ev.reasons, why);
	ev.detail = detail;
	w->p->stats.denied++;
	w->sink->event(w->sink->arg, &ev);
}

void tell_decisions(struct work *w)
{
	struct pipeline *p = w->p;

	for (uint32_t i = 0; i < p->n_units; i++) {
		const struct judged_unit *u = &p->unit[i];
		struct event ev;

		unit_event(w, u, &ev, EV_DECISION);
		event_decision(&ev, &u->d);
		ev.would_pass = (struct span){0};
		for (uint32_t k = 0; k < ev.n_leaves; k++) {
			const struct leaf_rules *r =
				&p->rules[u->first + 1 + k];

			ev.leaf = k;
			if (ev.n_leaves > 1) {
				ev.n_rules = r->n;
				memcpy(ev.rules, r->v, sizeof(ev.rules));
			}
			p->stats.allowed++;
			w->sink->event(w->sink->arg, &ev);
		}
	}
}

void tell_sibling(struct work *w, const struct judged_unit *u)
{
	struct event ev;

	unit_event(w, u, &ev, EV_VIOLATION);
	event_decision(&ev, &u->d);
	ev.verdict = VERDICT_DENY;
	ev.would_pass = (struct span){0};
	ev.reasons = (struct reasons){{0}};
	reasons_add(&ev.reasons, REASON_SIBLING_DENIED);
	ev.reason = REASON_SIBLING_DENIED;
	ev.detail = "allowed, but shares its packet with something "
		    "refused: not sent, not charged";
	w->p->stats.denied++;
	w->sink->event(w->sink->arg, &ev);
}
