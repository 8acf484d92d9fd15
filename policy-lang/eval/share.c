/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits that several machines use up together, where each machine is judged
 * by an engine with counters of its own. One owner counts (grant.c); engines
 * ask it for credit, spend that without asking, and hand back what they do not
 * need.
 *
 * How long credit lasts, the owner says: to the end of what it counted it in,
 * a calendar window, a part of a sliding one. Of a spacing there is none but
 * for the message at hand. A value that has to be distinct is asked for once,
 * and then used to the end of its window, or of a lease; connections are in
 * places.c. What was refused is not asked for again before there can be some,
 * so that a guest that goes on trying asks nobody.
 */
#include "policy-lang/eval/ledger.h"

#define IDLE_NS	   (5 * NS_PER_S) /* unspent for so long: handed back */
#define DENIED_NS  NS_PER_S	  /* somebody may have handed back since */

bool share_is(const struct pol_state *st, uint32_t limit)
{
	return st->asks && bit_get(st->shared, limit);
}

void pol_state_asks(struct pol_state *st, size_t machine,
		    bool (*ask)(void *arg, const struct pol_claim *c,
				struct pol_grant *g),
		    void *arg)
{
	st->asks = ask;
	st->asks_arg = arg;
	st->asks_machine = machine;
	st->places_told = false;
	st->connections_most = credit_connections(st->s);
	memset(st->shared, 0, sizeof(st->shared));
	for (uint32_t i = 0; i < st->s->n_limit; i++) {
		if (limit_shared(st->s, i))
			st->shared[i / 64] |= UINT64_C(1) << (i % 64);
	}
}

bool share_ask(struct pol_state *st, const struct pol_claim *c,
	       struct pol_grant *g)
{
	if (!st->asks(st->asks_arg, c, g))
		return false;
	if (g->keyed) {
		st->house_key = g->key;
		st->house_keyed = true;
	}
	return true;
}

const struct sipkey *share_key(struct pol_state *st, uint32_t limit)
{
	const struct pol_claim none = {.machine = (uint32_t)st->asks_machine};
	struct pol_grant g = {0};

	if (!share_is(st, limit))
		return &st->mem.head->key;
	if (!st->house_keyed)
		(void)!share_ask(st, &none, &g);
	return &st->house_key;
}

/* --- credit --------------------------------------------------------------- */

static void fill_ask(struct pol_state *st, const struct side *sd,
		     uint32_t limit, struct credit *c)
{
	const struct set_limit *sl = &st->s->limit[limit];
	uint32_t counter = (c->at - sl->base) / sl->words;

	c->machine = (uint32_t)sd->m;
	c->limit = limit;
	c->of = (struct pol_ask){
		.limit = st->mem.limit[limit].id,
		.party = ledger_party(st, sd),
		.value = c->value,
		.what = ledger_what(USED_MESSAGES, sd->dir,
				    sl->by_meas ? counter % MEAS_COUNT : 0)};
}

/* All in use: that which was asked for longest ago loses what it has left. */
static struct credit *oldest(struct pol_state *st)
{
	struct credit *c = &st->credit[0];

	for (uint32_t i = 1; i < CREDITS; i++) {
		if (st->credit[i].asked_ns < c->asked_ns)
			c = &st->credit[i];
	}
	return c;
}

static struct credit *credit_of(struct pol_state *st, uint32_t at,
				uint64_t value)
{
	struct credit *c;

	for (uint32_t i = 0; i < st->n_credit; i++) {
		if (st->credit[i].at == at && st->credit[i].value == value)
			return &st->credit[i];
	}
	c = st->n_credit < CREDITS ? &st->credit[st->n_credit++] : oldest(st);
	*c = (struct credit){.at = at, .value = value};
	return c;
}

struct credit *share_credit(struct pol_state *st, const struct side *sd,
			    uint32_t limit, uint32_t at, uint64_t value)
{
	struct credit *c = credit_of(st, at, value);

	fill_ask(st, sd, limit, c);
	return c;
}

static bool holds(const struct pol_state *st, const struct lay_limit *l,
		  const struct credit *c)
{
	bool calendar = l->kind == LIMIT_CALENDAR ||
			(l->kind == LIMIT_DISTINCT &&
			 l->window != WINDOW_SLIDING);

	return st->now.mono.ns < c->until &&
	       (!calendar || calendar_now(st, l) == c->window);
}

static int64_t later(int64_t now, int64_t ns)
{
	return ns > INT64_MAX - now ? INT64_MAX : now + ns;
}

void share_denied(const struct pol_state *st, struct credit *c, uint64_t need,
		  int64_t wait)
{
	c->denied = need;
	c->denied_until = later(st->now.mono.ns,
				wait >= 0 && wait < DENIED_NS ? wait
							      : DENIED_NS);
}

bool share_refused(const struct pol_state *st, const struct credit *c,
		   uint64_t need, int64_t *wait)
{
	if (st->now.mono.ns >= c->denied_until || need < c->denied)
		return false;
	*wait = c->denied_until - st->now.mono.ns;
	return true;
}

static bool ask(struct pol_state *st, const struct lay_limit *l,
		struct credit *c, uint64_t need, int64_t *wait)
{
	struct pol_claim claim = {.machine = c->machine, .n = 1, .ask = {c->of}};
	struct pol_ask *a = &claim.ask[0];
	struct pol_grant grant = {0};
	const struct pol_granted *g = &grant.of[0];
	int64_t now = st->now.mono.ns;
	uint64_t most = l->kind == LIMIT_DISTINCT ? 0 : credit_most(l);
	bool answered;

	a->need = a->want = need;
	if (l->thing == THING_BYTES)
		most = credit_octets(now - c->asked_ns, c->granted - c->left,
				     most);
	if (c->asked_ns)
		a->want = credit_slice(now - c->asked_ns, c->granted - c->left,
				       need, most);
	if (!holds(st, l, c)) { /* nobody can spend it any more */
		a->back = c->value ? 0 : c->left;
		a->window = c->window;
		c->left = 0;
	}
	answered = share_ask(st, &claim, &grant);
	*wait = answered ? g->wait_ns : -1;
	c->used = answered ? g->used : c->used;
	if (answered && grant.n == 0)
		share_denied(st, c, need, g->wait_ns);
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

/* What the owner let it use it goes on using; it counts it no more than once. */
static bool value_charge(struct pol_state *st, const struct side *sd,
			 uint32_t limit, uint32_t at, uint64_t value,
			 int64_t *wait)
{
	const struct lay_limit *l = st->s->limit[limit].l;
	struct credit *c = share_credit(st, sd, limit, at, value | 1);

	if (!holds(st, l, c) &&
	    (share_refused(st, c, 1, wait) || !ask(st, l, c, 1, wait)))
		return false;
	if (c->left && st->n_spent < CREDITS)
		st->spent[st->n_spent++] = (struct spent){at, c->value, 1};
	c->left = 0;
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
		if (check)
			return limit_room(st, l, at, amount, hash, wait);
		room = limit_charge(st, l, at, amount, hash, wait);
		if (!room)
			st_undo(st, mark);
		return room;
	}
	*wait = -1;
	/* A look takes nothing of the others' yet; what is looked at is asked
	 * for when it is charged. */
	if (check)
		return true;
	if (l->kind == LIMIT_CONCURRENT)
		return place_charge(st, sd, limit, at, hash, wait);
	if (l->kind == LIMIT_DISTINCT)
		return value_charge(st, sd, limit, at, hash, wait);
	c = credit_of(st, at, 0);
	have = holds(st, l, c) ? c->left : 0;
	if (have < amount) {
		if (share_refused(st, c, amount - have, wait))
			return false;
		/* What is left stays: the owner has counted it. */
		fill_ask(st, sd, limit, c);
		if (!ask(st, l, c, amount - have, wait))
			return false;
	}
	c->left -= amount;
	if (l->kind != LIMIT_SPACING && st->n_spent < CREDITS)
		st->spent[st->n_spent++] = (struct spent){at, 0, amount};
	return true;
}

/* What was spent since mark was not. */
void share_undo(struct pol_state *st, uint32_t mark)
{
	for (; st->n_spent > mark; st->n_spent--) {
		const struct spent *s = &st->spent[st->n_spent - 1];

		credit_of(st, s->at, s->value)->left += s->n;
	}
}

/* As the owner last said, but for what was not spent. */
uint64_t share_used(const struct pol_state *st, uint32_t limit, uint32_t at,
		    uint64_t used)
{
	const struct credit *last = NULL;
	uint64_t left = 0;

	if (!share_is(st, limit))
		return used;
	for (uint32_t i = 0; i < st->n_credit; i++) {
		const struct credit *c = &st->credit[i];

		if (c->at != at)
			continue;
		left += c->left; /* each value has one of its own */
		if (!last || c->asked_ns > last->asked_ns)
			last = c;
	}
	return !last || last->used < left ? 0 : last->used - left;
}

/* --- back ----------------------------------------------------------------- */

void pol_state_hand_back(struct pol_state *st, struct now now, bool all)
{
	struct pol_claim claim = {0};
	struct pol_grant ignored;
	int64_t ns = now.mono.ns + st->mem.head->offset;

	st_time(st, now);
	places_tell(st);
	for (uint32_t i = 0; i < st->n_credit; i++) {
		struct credit *c = &st->credit[i];

		if (st->s->limit[c->limit].l->kind == LIMIT_CONCURRENT) {
			place_back(st, c, all);
			continue;
		}
		if (c->left == 0 ||
		    (!all && ns - c->asked_ns < IDLE_NS))
			continue;
		claim.machine = c->machine;
		claim.ask[claim.n] = c->of;
		claim.ask[claim.n].back = c->left;
		claim.ask[claim.n++].window = c->window;
		c->used -= c->left < c->used ? c->left : c->used;
		c->left = 0;
		c->until = c->value ? 0 : c->until;
		if (claim.n == POL_ASKS) {
			(void)!st->asks(st->asks_arg, &claim, &ignored);
			claim.n = 0;
		}
	}
	if (claim.n)
		(void)!st->asks(st->asks_arg, &claim, &ignored);
}
