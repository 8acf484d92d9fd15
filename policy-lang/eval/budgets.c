/* SPDX-License-Identifier: Apache-2.0 */
/* Limits as they stand, for people. Nothing is charged or rolled here. */
#include <stdio.h>

#include "policy-lang/eval/internal.h"

struct telling {
	struct pol_state view; /* the words, read with the clock of now */
	size_t machine;
	bool (*f)(void *arg, const struct pol_budget *b);
	void *arg;
	struct pol_budget b;
};

static void name_budget(struct pol_budget *b, const struct set_limit *l,
			const char *meas)
{
	struct span policy = pol_image_id(l->im);
	struct span id = img_str(l->im, l->l->id);

	snprintf(b->name, sizeof(b->name), "%.*s/%.*s: %s%s%s%s", (int)policy.n,
		 (const char *)policy.p, (int)id.n, (const char *)id.p,
		 l->im->TEXT + l->l->text, meas ? " (" : "", meas ? meas : "",
		 meas ? ")" : "");
}

static bool tell(struct telling *t, const struct set_limit *l, uint32_t at,
		 const char *meas)
{
	t->b.used = limit_now(&t->view, l->l, at, &t->b.limit, &t->b.frees_ns);
	t->b.used = share_used(&t->view, (uint32_t)(l - t->view.s->limit), at,
			       t->b.used);
	name_budget(&t->b, l, meas);
	return t->f(t->arg, &t->b);
}

/* The counters of one party; of those by measurement the ones in use. */
static bool tell_party(struct telling *t, uint32_t i, int party)
{
	const struct pol_set *s = t->view.s;
	const struct set_limit *l = &s->limit[i];
	bool told = false;

	for (unsigned k = 0; l->by_meas && k < MEAS_COUNT; k++) {
		uint32_t at = limit_at(s, i, t->machine, party, k);

		if (limit_used(&t->view, l->l, at) == 0)
			continue;
		told = true;
		if (!tell(t, l, at, meas_name((enum meas)k)))
			return false;
	}
	return told || tell(t, l, limit_at(s, i, t->machine, party, 0), NULL);
}

/* i: of the set; at: of the image. */
static bool tell_limit(struct telling *t, uint32_t i, uint32_t at)
{
	const struct pol_set *s = t->view.s;
	const struct machine *m = &s->m[t->machine];
	bool charged[LAY_MAX_PARTIES + 1];

	t->b.party = (struct span){0};
	if (!s->limit[i].by_party)
		return tell_party(t, i, -1);
	/* Its rule may name a party: the others have nothing of it. */
	limit_charged_by(s, t->machine, &s->limit[i], at, charged);
	for (uint32_t p = 0; p < m->n_party; p++) {
		if (!charged[p])
			continue;
		t->b.party = img_str(m->vendor, m->vendor->PRTY[p].id);
		if (!tell_party(t, i, (int)p))
			return false;
	}
	return true;
}

void pol_budgets(const struct pol_state *st, size_t machine, struct now now,
		 bool (*f)(void *arg, const struct pol_budget *b), void *arg)
{
	struct telling t = {.view = *st, .machine = machine, .f = f,
			    .arg = arg};
	bool more = machine < st->s->n_m;

	t.view.now = now;
	t.view.now.mono.ns += st->mem.head->offset;
	t.view.trusted =
		st->clock_forced < 0 ? now.wall.trusted : st->clock_forced > 0;
	for (int l = 0; more && l < LAYERS; l++) {
		const struct pol_image *im =
			set_image(st->s, machine, (enum layer)l);
		uint32_t at = set_first_limit(st->s, machine, (enum layer)l);

		for (uint32_t i = 0; more && im && i < im->n_LIMT; i++)
			more = tell_limit(&t, at + i, i);
	}
}
