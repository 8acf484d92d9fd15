/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The owner's answers to claims (eval.h). An engine is hostile until proven
 * otherwise: it charges rows of its own machine, gets of limits what there is,
 * and gives back no more than it got.
 */
#include "policy-lang/eval/ledger.h"

#define LASTS_NS (5 * NS_PER_S) /* of what drains */

static uint32_t limit_of(const struct pol_state *st, uint64_t id)
{
	for (uint32_t i = 0; i < st->mem.head->n_limit; i++) {
		if (st->mem.limit[i].id == id && limit_shared(st->s, i))
			return i;
	}
	return LAY_NONE;
}

static int party_of(const struct pol_state *st, uint32_t machine, uint64_t name)
{
	const struct mem_machine *m = &st->mem.m[machine];

	for (uint32_t p = 0; p < m->n_party; p++) {
		if (st->mem.names[m->party + p] == name)
			return (int)p;
	}
	return -1;
}

/* --- what was given ------------------------------------------------------- */

static struct lent *given_of(struct pol_state *st, uint32_t machine,
			      uint32_t at, int64_t window, uint64_t value)
{
	for (uint32_t i = 0; i < GIVEN; i++) {
		struct lent *g = &st->given[i];

		if (g->at == at && g->machine == machine &&
		    g->window == window && g->value == value)
			return g;
	}
	return NULL;
}

/* A value that others have as well, or that was used before for all that is
 * known, is nobody's to give back. */
static void not_back(struct pol_state *st, uint32_t at, uint64_t value)
{
	for (uint32_t i = 0; i < GIVEN; i++) {
		struct lent *g = &st->given[i];

		if (g->at == at && g->value == value)
			g->n = 0;
	}
}

/* In place of the oldest, of which nothing comes back any more. */
static void note_given(struct pol_state *st, uint32_t machine, uint32_t at,
		       int64_t window, uint64_t value, uint64_t n)
{
	struct lent *g = given_of(st, machine, at, window, value);

	if (!g) {
		g = &st->given[st->next_given++ % GIVEN];
		*g = (struct lent){.at = at, .machine = machine,
				    .window = window, .value = value};
	}
	g->n += n;
}

/* Not of a bucket: it drains by itself, and who got something later would gain
 * by what another had before. */
static void take_back(struct pol_state *st, const struct lay_limit *l,
		      uint32_t at, uint32_t machine, const struct pol_ask *a)
{
	struct lent *g = given_of(st, machine, at, a->window, a->value);
	uint64_t n = g && a->back < g->n ? a->back : g ? g->n : 0;
	uint64_t was;

	if (n == 0)
		return;
	g->n -= n;
	if (l->kind == LIMIT_CALENDAR && (int64_t)st->w[at] == a->window) {
		was = st->w[at + 1];
		st_put(st, at + 1, was > n ? was - n : 0);
	} else if (l->kind == LIMIT_SLIDING) {
		limit_unslide(st, l, at, a->window, n);
	} else if (l->kind == LIMIT_DISTINCT) {
		limit_forget(st, l, at, a->value);
	}
}

/* --- one ask -------------------------------------------------------------- */

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* To the end of the hour and the day in which it is counted. */
static bool of_ledger(struct pol_state *st, const struct side *sd,
		      const struct pol_ask *a, uint64_t n,
		      struct pol_granted *g)
{
	static const struct lay_limit day = {.kind = LIMIT_CALENDAR,
					     .window = WINDOW_DAY};
	int64_t now = st->now.mono.ns, ends;

	if (what_unit(a->what) >= USED_COUNT)
		return false;
	ledger_granted(st, sd, a->what, n);
	g->n = n;
	g->lasts_ns = HOUR_NS - now % HOUR_NS;
	ends = calendar_wait(st, &day, st->ledger + LG_DAY);
	if (ends > 0)
		g->lasts_ns = least(g->lasts_ns, ends);
	return true;
}

static bool of_places(struct pol_state *st, const struct lay_limit *l,
		      uint32_t at, uint32_t machine, uint64_t n,
		      struct pol_granted *g)
{
	bool room = limit_places(st, l, at, machine, n);

	g->n = room ? n : 0;
	g->used = limit_used(st, l, at);
	return room;
}

/* One value. Who used it before, or has it now, keeps it there. */
static bool of_values(struct pol_state *st, const struct lay_limit *l,
		      uint32_t at, uint32_t machine, const struct pol_ask *a,
		      struct pol_granted *g)
{
	bool slides = l->window == WINDOW_SLIDING;
	bool known = limit_knows(st, l, at, a->value);

	if (!limit_charge(st, l, at, 1, a->value, &g->wait_ns)) {
		g->used = limit_used(st, l, at);
		return false;
	}
	limit_lease(st, l, at, a->value);
	g->n = 1;
	g->window = slides ? 0 : (int64_t)st->w[at];
	g->lasts_ns = slides ? LEASE_NS : calendar_wait(st, l, at);
	g->used = limit_used(st, l, at);
	if (known)
		not_back(st, at, a->value);
	else
		note_given(st, machine, at, g->window, a->value, 1);
	return true;
}

static bool of_limit(struct pol_state *st, const struct lay_limit *l,
		     uint32_t at, uint32_t machine, const struct pol_ask *a,
		     uint64_t n, struct pol_granted *g)
{
	uint32_t mark = st->live->n_undo;
	int64_t now = st->now.mono.ns;
	uint64_t of;

	if (l->kind == LIMIT_CONCURRENT)
		return of_places(st, l, at, machine, n, g);
	if (n == 0)
		goto done;
	if (l->kind == LIMIT_DISTINCT)
		return of_values(st, l, at, machine, a, g);
	if (!limit_charge(st, l, at, n, 0, &g->wait_ns)) {
		st_undo(st, mark);
		n = a->need;
		if (!limit_charge(st, l, at, n, 0, &g->wait_ns)) {
			st_undo(st, mark);
			g->used = limit_now(st, l, at, &of, &g->wait_ns);
			return false;
		}
	}
	g->n = n;
	switch (l->kind) {
	case LIMIT_CALENDAR:
		g->lasts_ns = calendar_wait(st, l, at);
		g->window = (int64_t)st->w[at];
		break;
	case LIMIT_SLIDING:
		g->window = now / sub_ns(l);
		g->lasts_ns = (g->window + 1) * sub_ns(l) - now;
		break;
	case LIMIT_BUCKET:
		/* As late as it may be spent: what drained before is none. */
		if (n > a->need) {
			limit_delay(st, l, at, now + LASTS_NS, n);
			g->lasts_ns = LASTS_NS;
		}
		break;
	default:
		break;
	}
	note_given(st, machine, at, g->window, 0, n);
done:
	g->used = limit_used(st, l, at);
	return true;
}

/* What was given is noted at once, so it is the only thing of its claim. */
static bool one(struct pol_state *st, uint32_t machine, bool alone,
		const struct pol_ask *a, struct pol_granted *g)
{
	uint64_t n = a->want > a->need ? a->want : a->need;
	struct side sd = {.m = machine,
			  .dir = (enum dir)what_dir(a->what),
			  .party = party_of(st, machine, a->party)};
	uint32_t i, at;

	g->wait_ns = -1;
	if (what_dir(a->what) > DIR_IN || what_meas(a->what) > MEAS_COUNT)
		return false;
	if (a->limit == 0)
		return of_ledger(st, &sd, a, n, g);
	i = limit_of(st, a->limit);
	if (i == LAY_NONE || what_meas(a->what) >= MEAS_COUNT ||
	    (n > 0 && !alone))
		return false;
	at = limit_at(st->s, i, sd.m, sd.party, what_meas(a->what));
	if (a->back) {
		take_back(st, st->s->limit[i].l, at, machine, a);
		pol_commit(st);
	}
	return of_limit(st, st->s->limit[i].l, at, machine, a, n, g);
}

void pol_grant(struct pol_state *st, const struct pol_claim *c, struct now now,
	       struct pol_grant *g)
{
	memset(g, 0, sizeof(*g));
	g->key = st->mem.head->key;
	g->keyed = true;
	if (c->machine >= st->s->n_m || c->n > POL_ASKS)
		return;
	st_time(st, now);
	for (uint32_t i = 0; i < c->n; i++) {
		if (!one(st, c->machine, c->n == 1, &c->ask[i], &g->of[i])) {
			pol_abort(st);
			return;
		}
	}
	pol_commit(st);
	g->n = c->n;
}
