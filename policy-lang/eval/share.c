/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits that several machines use up together, where each machine is judged
 * by an engine with counters of its own. One owner counts (grant.c); engines
 * ask it for credit, spend that without asking, and hand back what they do not
 * need.
 *
 * How long credit lasts, the owner says: to the end of what it counted it in,
 * a calendar window, a part of a sliding one. Of a spacing there is none but
 * for the message at hand. What was refused is not asked for again before
 * there can be some, so that a guest that goes on trying asks nobody.
 */
#include "policy-lang/eval/ledger.h"

#define IDLE_NS	   (5 * NS_PER_S) /* unspent for so long: handed back */
#define DENIED_NS  NS_PER_S	  /* somebody may have handed back since */

bool share_is(const struct pol_state *st, uint32_t limit)
{
	return st->asks && bit_get(st->shared, limit);
}

void pol_state_asks(struct pol_state *st,
		    bool (*ask)(void *arg, const struct pol_claim *c,
				struct pol_grant *g),
		    void *arg)
{
	st->asks = ask;
	st->asks_arg = arg;
	st->connections_most = credit_connections(st->s);
	memset(st->shared, 0, sizeof(st->shared));
	for (uint32_t i = 0; i < st->s->n_limit; i++) {
		if (limit_shared(st->s, i))
			st->shared[i / 64] |= UINT64_C(1) << (i % 64);
	}
}

/* --- credit --------------------------------------------------------------- */

static void fill_ask(struct pol_state *st, const struct side *sd,
		     uint32_t limit, struct credit *c)
{
	const struct set_limit *sl = &st->s->limit[limit];
	uint32_t counter = (c->at - sl->base) / sl->words;

	c->machine = (uint32_t)sd->m;
	c->of = (struct pol_ask){
		.limit = st->mem.limit[limit].id,
		.party = ledger_party(st, sd),
		.what = ledger_what(USED_MESSAGES, sd->dir,
				    sl->by_meas ? counter % MEAS_COUNT : 0)};
}

static struct credit *credit_of(struct pol_state *st, uint32_t at)
{
	struct credit *c;

	for (uint32_t i = 0; i < st->n_credit; i++) {
		if (st->credit[i].at == at)
			return &st->credit[i];
	}
	/* All in use: the first loses what it has left. */
	c = st->n_credit < CREDITS ? &st->credit[st->n_credit++]
				   : &st->credit[0];
	*c = (struct credit){.at = at};
	return c;
}

static bool holds(const struct pol_state *st, const struct lay_limit *l,
		  const struct credit *c)
{
	return st->now.mono.ns < c->until &&
	       (l->kind != LIMIT_CALENDAR ||
		calendar_now(st, l) == c->window);
}

static int64_t later(int64_t now, int64_t ns)
{
	return ns > INT64_MAX - now ? INT64_MAX : now + ns;
}

static void denied(const struct pol_state *st, struct credit *c, uint64_t need,
		   int64_t wait)
{
	c->denied = need;
	c->denied_until = later(st->now.mono.ns,
				wait >= 0 && wait < DENIED_NS ? wait
							      : DENIED_NS);
}

static bool ask(struct pol_state *st, const struct lay_limit *l,
		struct credit *c, uint64_t need, int64_t *wait)
{
	struct pol_claim claim = {.machine = c->machine, .n = 1, .ask = {c->of}};
	struct pol_ask *a = &claim.ask[0];
	struct pol_grant grant = {0};
	const struct pol_granted *g = &grant.of[0];
	int64_t now = st->now.mono.ns;
	uint64_t most = credit_most(l);
	bool answered;

	a->need = a->want = need;
	if (l->thing == THING_BYTES)
		most = credit_octets(now - c->asked_ns, c->granted - c->left,
				     most);
	if (c->asked_ns)
		a->want = credit_slice(now - c->asked_ns, c->granted - c->left,
				       need, most);
	if (!holds(st, l, c)) { /* nobody can spend it any more */
		a->back = c->left;
		a->window = c->window;
		c->left = 0;
	}
	answered = st->asks(st->asks_arg, &claim, &grant);
	*wait = answered ? g->wait_ns : -1;
	c->used = answered ? g->used : c->used;
	if (answered && grant.n == 0)
		denied(st, c, need, g->wait_ns);
	if (!answered || grant.n == 0 || g->n < need)
		return false;
	c->until = c->left ? c->until : later(now, g->lasts_ns);
	if (later(now, g->lasts_ns) < c->until)
		c->until = later(now, g->lasts_ns);
	c->left += g->n;
	c->granted = c->left;
	c->asked_ns = now;
	c->window = g->window;
	return true;
}

/* As limit_charge; check: nothing is charged. */
bool share_charge(struct pol_state *st, const struct side *sd, uint32_t limit,
		  uint32_t at, uint64_t amount, uint64_t hash, bool check,
		  int64_t *wait)
{
	const struct lay_limit *l = st->s->limit[limit].l;
	uint32_t mark = st->live->n_undo;
	struct credit *c;
	uint64_t have;
	bool room;

	if (!share_is(st, limit)) {
		room = limit_charge(st, l, at, amount, hash, wait);
		if (!room || check)
			st_undo(st, mark);
		return room;
	}
	*wait = -1;
	c = credit_of(st, at);
	/* A look takes nothing of the others' yet; what is looked at is asked
	 * for when it is charged. */
	if (check)
		return true;
	have = holds(st, l, c) ? c->left : 0;
	if (have < amount) {
		if (st->now.mono.ns < c->denied_until &&
		    amount - have >= c->denied) {
			*wait = c->denied_until - st->now.mono.ns;
			return false;
		}
		/* What is left stays: the owner has counted it. */
		fill_ask(st, sd, limit, c);
		if (!ask(st, l, c, amount - have, wait))
			return false;
	}
	c->left -= amount;
	if (l->kind != LIMIT_SPACING && st->n_spent < CREDITS)
		st->spent[st->n_spent++] = (struct spent){at, amount};
	return true;
}

/* What was spent since mark was not. */
void share_undo(struct pol_state *st, uint32_t mark)
{
	for (; st->n_spent > mark; st->n_spent--) {
		const struct spent *s = &st->spent[st->n_spent - 1];

		credit_of(st, s->at)->left += s->n;
	}
}

/* As the owner last said, but for what was not spent. */
uint64_t share_used(const struct pol_state *st, uint32_t limit, uint32_t at,
		    uint64_t used)
{
	if (!share_is(st, limit))
		return used;
	for (uint32_t i = 0; i < st->n_credit; i++) {
		const struct credit *c = &st->credit[i];

		if (c->at == at)
			return c->used - (c->left < c->used ? c->left : c->used);
	}
	return 0;
}

/* --- back ----------------------------------------------------------------- */

void pol_state_hand_back(struct pol_state *st, struct now now, bool all)
{
	struct pol_claim claim = {0};
	struct pol_grant ignored;
	int64_t ns = now.mono.ns + st->mem.head->offset;

	for (uint32_t i = 0; i < st->n_credit; i++) {
		struct credit *c = &st->credit[i];

		if (c->left == 0 ||
		    (!all && ns - c->asked_ns < IDLE_NS))
			continue;
		claim.machine = c->machine;
		claim.ask[claim.n] = c->of;
		claim.ask[claim.n].back = c->left;
		claim.ask[claim.n++].window = c->window;
		c->used -= c->left < c->used ? c->left : c->used;
		c->left = 0;
		if (claim.n == POL_ASKS) {
			(void)!st->asks(st->asks_arg, &claim, &ignored);
			claim.n = 0;
		}
	}
	if (claim.n)
		(void)!st->asks(st->asks_arg, &claim, &ignored);
}
