/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits that several machines use up together, where each machine is judged
 * by an engine with counters of its own. One owner counts; engines ask it for
 * credit, and spend that without asking.
 *
 * What was granted is counted, whether it is spent or not, so what passes is
 * never more than what was counted; an engine that dies loses what it had
 * left. Credit of a calendar window ends with it. Of other windows only what
 * the message at hand needs is granted: later it would count at the wrong
 * time.
 */
#include "policy-lang/eval/ledger.h"

#define SLICE_NS     (5 * NS_PER_S) /* at the rate just seen */
#define SLICE_OCTETS (16 << 10)
#define SLICE_PART   8 /* of the limit, at most */

/* --- the engine's side --------------------------------------------------- */

/* A limit that this state shares with the others'? */
static bool shares(const struct pol_state *st, uint32_t limit)
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
	memset(st->shared, 0, sizeof(st->shared));
	for (uint32_t i = 0; i < st->s->n_limit; i++) {
		if (limit_shared(st->s, i))
			st->shared[i / 64] |= UINT64_C(1) << (i % 64);
	}
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
	return l->kind == LIMIT_CALENDAR && st->now.mono.ns < c->until &&
	       calendar_now(st, l) == c->window;
}

/* Enough for a while at the rate just seen. */
static uint64_t wanted(const struct pol_state *st, const struct lay_limit *l,
		       const struct credit *c, uint64_t need)
{
	int64_t since = st->now.mono.ns - c->asked_ns;
	uint64_t most = l->n / SLICE_PART, rate;

	if (l->kind != LIMIT_CALENDAR || c->asked_ns == 0)
		return need;
	if (l->thing == THING_BYTES && most > SLICE_OCTETS)
		most = SLICE_OCTETS;
	since = since > 1000 ? since : 1000;
	if (since > SLICE_NS * 64)
		return need;
	rate = (uint64_t)((u128)(c->granted + need) * SLICE_NS /
			  (uint64_t)since);
	rate = rate < most ? rate : most;
	return rate > need ? rate : need;
}

static bool ask(struct pol_state *st, const struct side *sd, uint32_t limit,
		struct credit *c, uint64_t need, int64_t *wait)
{
	const struct set_limit *sl = &st->s->limit[limit];
	const struct mem_machine *m = &st->mem.m[sd->m];
	uint32_t p = sd->party < 0 ? m->n_party : (uint32_t)sd->party;
	uint32_t counter = (c->at - sl->base) / sl->words;
	struct pol_claim claim = {
		.limit = st->mem.limit[limit].id,
		.machine = (uint32_t)sd->m,
		.party = st->mem.names[m->party + p],
		.dir = (uint32_t)sd->dir,
		.meas = sl->by_meas ? counter % MEAS_COUNT : 0,
		.need = need,
		.want = wanted(st, sl->l, c, need)};
	struct pol_grant g = {0};
	bool answered = st->asks(st->asks_arg, &claim, &g);

	*wait = answered ? g.wait_ns : -1;
	c->used = answered ? g.used : c->used;
	if (!answered || g.n < need)
		return false;
	c->left = g.n;
	c->granted = g.n;
	c->asked_ns = st->now.mono.ns;
	c->until = g.lasts_ns > INT64_MAX - st->now.mono.ns
			   ? INT64_MAX
			   : st->now.mono.ns + g.lasts_ns;
	c->window = g.window;
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

	if (!shares(st, limit)) {
		room = limit_charge(st, l, at, amount, hash, wait);
		if (!room || check)
			st_undo(st, mark);
		return room;
	}
	*wait = -1;
	c = credit_of(st, at);
	have = holds(st, l, c) ? c->left : 0;
	/* A look takes nothing of the others' yet; what is looked at is asked
	 * for when it is charged. */
	if (check)
		return true;
	if (have < amount) {
		/* What is left stays: the owner has counted it. */
		if (!ask(st, sd, limit, c, amount - have, wait))
			return false;
		c->left += have;
	}
	c->left -= amount;
	if (l->kind == LIMIT_CALENDAR && st->n_spent < CREDITS)
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
	if (!shares(st, limit))
		return used;
	for (uint32_t i = 0; i < st->n_credit; i++) {
		const struct credit *c = &st->credit[i];

		if (c->at == at)
			return c->used - (c->left < c->used ? c->left : c->used);
	}
	return 0;
}

/* --- the owner's side ---------------------------------------------------- */

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

void pol_grant(struct pol_state *st, const struct pol_claim *c, struct now now,
	       struct pol_grant *g)
{
	uint32_t i = limit_of(st, c->limit), at;
	const struct set_limit *sl;
	struct side side = {0};
	uint64_t of, n = c->want > c->need ? c->want : c->need;

	*g = (struct pol_grant){.wait_ns = -1};
	if (i == LAY_NONE || c->machine >= st->s->n_m ||
	    c->meas >= MEAS_COUNT || c->dir > DIR_IN)
		return;
	st_time(st, now);
	sl = &st->s->limit[i];
	side.m = c->machine;
	side.dir = (enum dir)c->dir;
	side.party = party_of(st, c->machine, c->party);
	at = limit_at(st->s, i, side.m, side.party, c->meas);
	if (!limit_charge(st, sl->l, at, n, 0, &g->wait_ns)) {
		pol_abort(st);
		n = c->need;
		if (!limit_charge(st, sl->l, at, n, 0, &g->wait_ns)) {
			pol_abort(st);
			g->used = limit_now(st, sl->l, at, &of, &g->wait_ns);
			return;
		}
	}
	ledger_granted(st, &side, sl, c->meas, n);
	pol_commit(st);
	g->n = n;
	g->used = limit_used(st, sl->l, at);
	if (sl->l->kind != LIMIT_CALENDAR)
		return;
	g->lasts_ns = calendar_wait(st, sl->l, at);
	g->window = (int64_t)st->w[at];
}
