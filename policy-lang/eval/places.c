/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections at once, of several machines together (share.c). The engine of
 * each keeps its own connections in the words of the counter, which says which
 * they are; the owner has a place for each of them, and knows whose.
 *
 * An engine says how many places it needs in all. So an answer that is lost
 * costs a place until the next, and no more; and an engine that was killed,
 * whose connections ended with it, is followed by one that needs none, which
 * it says before anything passes. Until then the places are taken.
 *
 * A place is handed back a second after it was last asked for, when its
 * connection has ended: the next one may come at once.
 */
#include "policy-lang/eval/ledger.h"

#define KEPT_NS NS_PER_S

static bool claim(struct pol_state *st, struct credit *c, uint64_t n,
		  int64_t *wait)
{
	struct pol_claim claim = {.machine = c->machine, .n = 1, .ask = {c->of}};
	struct pol_grant g = {.of[0].wait_ns = -1};
	bool answered;

	claim.ask[0].need = claim.ask[0].want = n;
	c->asked_ns = st->now.mono.ns;
	answered = share_ask(st, &claim, &g);
	*wait = -1;
	if (!answered)
		return false;
	c->used = g.of[0].used;
	if (g.n == 0) {
		share_denied(st, c, n, -1);
		return false;
	}
	c->granted = n;
	c->told = true;
	return true;
}

bool place_charge(struct pol_state *st, const struct side *sd, uint32_t limit,
		  uint32_t at, uint64_t flow, int64_t *wait)
{
	const struct lay_limit *l = st->s->limit[limit].l;
	uint32_t mark = st->live->n_undo;
	struct credit *c;
	uint64_t n;

	if (!limit_charge(st, l, at, 1, flow, wait)) {
		st_undo(st, mark);
		return false;
	}
	n = limit_used(st, l, at);
	c = share_credit(st, sd, limit, at, 0);
	if (c->told && n <= c->granted)
		return true;
	if (!share_refused(st, c, n, wait) && claim(st, c, n, wait))
		return true;
	st_undo(st, mark);
	return false;
}

void place_back(struct pol_state *st, struct credit *c, bool all)
{
	uint64_t n = limit_used(st, st->s->limit[c->limit].l, c->at);
	int64_t ignored;

	if ((!c->told || n != c->granted) &&
	    (all || st->now.mono.ns - c->asked_ns >= KEPT_NS))
		(void)!claim(st, c, n, &ignored);
}

/* Each counter of that limit once, whoever of the parties is first there. Who
 * is not answered asks again, as for what is handed back. */
static void tell_limit(struct pol_state *st, uint32_t limit)
{
	size_t m = st->asks_machine;
	const struct set_limit *sl = &st->s->limit[limit];
	uint32_t parties = st->s->m[m].n_party;
	struct side sd = {.m = m, .dir = DIR_OUT};
	int64_t ignored;

	for (uint32_t p = 0; p < parties; p++) {
		uint32_t at = limit_at(st->s, limit, m, (int)p, 0), q = 0;

		while (q < p && limit_at(st->s, limit, m, (int)q, 0) != at)
			q++;
		sd.party = (int)p;
		if (q == p)
			(void)!claim(st, share_credit(st, &sd, limit, at, 0),
				     limit_used(st, sl->l, at), &ignored);
	}
}

void places_tell(struct pol_state *st)
{
	if (st->places_told || !st->asks)
		return;
	st->places_told = true;
	for (uint32_t i = 0; i < st->s->n_limit; i++) {
		if (st->s->limit[i].l->kind == LIMIT_CONCURRENT &&
		    share_is(st, i))
			tell_limit(st, i);
	}
}
