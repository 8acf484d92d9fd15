/* SPDX-License-Identifier: Apache-2.0 */
/* Which parties' names the far end of a flow has (names.h). */
#include <stdio.h>

#include "enforcer/pipeline/state.h"

uint64_t names_now(const struct work *w, uint16_t guest,
		   const struct net_addr *a)
{
	const struct pol_set *set = w->p->conf.policy;
	size_t m = (size_t)w->p->guest[guest].machine;
	uint64_t hit = 0;

	for (uint64_t all = pol_set_named(set, m); all; all &= all - 1) {
		unsigned i = (unsigned)__builtin_ctzll(all);

		if (names_stand_for(&w->p->guest[guest].names,
				    pol_set_party_dns(set, m, i), a,
				    w->now.mono))
			hit |= UINT64_C(1) << i;
	}
	return hit;
}

static const struct net_addr *far_end(const struct flow *f)
{
	return f->first_dir == DIR_OUT ? &f->tup.dst : &f->tup.src;
}

void name_flow(struct work *w)
{
	w->f->named = names_now(w, w->f->guest, far_end(w->f));
}

void rename_flow(struct work *w, const struct pol_set *old, size_t machine)
{
	const struct pol_set *set = w->p->conf.policy;
	size_t m = (size_t)w->p->guest[w->f->guest].machine;
	uint64_t was = w->f->named;

	w->f->named = 0;
	for (; was; was &= was - 1) {
		struct span name = pol_set_party_dns(
			old, machine, (unsigned)__builtin_ctzll(was));

		for (uint64_t all = pol_set_named(set, m); all; all &= all - 1) {
			unsigned i = (unsigned)__builtin_ctzll(all);

			if (span_eq(pol_set_party_dns(set, m, i), name))
				w->f->named |= UINT64_C(1) << i;
		}
	}
}

void tell_unnamed(const struct work *w, struct event *ev, char *buf,
		  size_t cap)
{
	const struct guest *g = &w->p->guest[w->f->guest];
	struct mono until;
	struct span name;

	if ((ev->reason != REASON_UNKNOWN_PARTY &&
	     ev->reason != REASON_PARTY_IDENTITY) ||
	    w->f->named || w->f->tup.proto != PROTO_TCP ||
	    !pol_set_named(w->p->conf.policy, (size_t)g->machine))
		return;
	name = names_stood_for(&g->names, far_end(w->f), w->now.mono, &until);
	if (name.n)
		snprintf(buf, cap, "%s; the answer that gave it to %.*s ended "
			 "%lld s before",
			 ev->detail ? ev->detail : reason_text(ev->reason),
			 (int)name.n, (const char *)name.p,
			 (long long)(mono_sub(w->now.mono, until) / NS_PER_S));
	else
		snprintf(buf, cap, "%s; no answer gave it to a name of the "
			 "policy",
			 ev->detail ? ev->detail : reason_text(ev->reason));
	ev->detail = buf;
}
