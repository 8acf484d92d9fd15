/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credit: what an engine may charge to the ledger, because its owner has
 * counted it already and that is on a disk.
 *
 * Credit of a row ends with the hour or the day in which the owner counted
 * it, so that it is never used in a later window. Where a spacing counts when
 * the last one was, each asks.
 */
#include "policy-lang/eval/ledger.h"

#define SLICE_NS     (5 * NS_PER_S) /* at the rate just seen */
#define SLICE_OCTETS (16 << 10)
/* Octets: more of them for so long at the rate just seen, so that nobody asks
 * much more often than twenty times a second, however fast it goes. */
#define OCTETS_NS    (NS_PER_S / 20)
#define SLICE_PART   8 /* of the limit, at most */
#define SLICE_RATE   64 /* slices; a rate seen longer ago says nothing */

static uint64_t at_rate(int64_t since_ns, uint64_t spent, int64_t ns)
{
	uint64_t since = since_ns > 1000 ? (uint64_t)since_ns : 1000;
	unsigned __int128 n = (unsigned __int128)spent * (uint64_t)ns / since;

	return n > UINT64_MAX ? UINT64_MAX : (uint64_t)n;
}

uint64_t credit_octets(int64_t since_ns, uint64_t spent, uint64_t most)
{
	uint64_t n = at_rate(since_ns, spent, OCTETS_NS);

	n = n > SLICE_OCTETS ? n : SLICE_OCTETS;
	return n < most ? n : most;
}

uint64_t credit_slice(int64_t since_ns, uint64_t spent, uint64_t need,
		      uint64_t most)
{
	uint64_t since = since_ns > 1000 ? (uint64_t)since_ns : 1000, n;

	if (since > SLICE_NS * SLICE_RATE || most <= need)
		return need;
	n = at_rate(since_ns, spent > UINT64_MAX - need ? UINT64_MAX
							: spent + need,
		    SLICE_NS);
	if (n > most)
		return most;
	return n > need ? n : need;
}

uint64_t credit_most(const struct lay_limit *l)
{
	if (l->kind == LIMIT_SPACING)
		return 0;
	return (l->kind == LIMIT_BUCKET ? l->burst : l->n) / SLICE_PART;
}

static struct row_credit *credit_of(struct pol_state *st, const uint64_t *row)
{
	size_t i = (size_t)(row - (st->w + st->ledger + LG_HEAD)) / LR_WORDS;

	_Static_assert(sizeof(st->row_credit) ==
			       LEDGER_KEYS * sizeof(struct row_credit),
		       "each row");
	return &st->row_credit[i];
}

static bool lasts(const struct pol_state *st, const struct row_credit *c)
{
	return st->now.mono.ns < c->until &&
	       c->day == st->w[st->ledger + LG_DAY];
}

uint64_t credit_connections(const struct pol_set *s)
{
	uint64_t most = UINT32_MAX / SLICE_PART;

	for (uint32_t i = 0; i < s->n_limit; i++) {
		uint64_t n = credit_most(s->limit[i].l);

		if (ledger_unit(&s->limit[i]) == USED_CONNECTIONS && n < most)
			most = n;
	}
	return most;
}

/* The limits that the message at hand charges, of what that counts: the least
 * part of them; those of connections are charged before. *spacing: one counts
 * when the last one was. */
static uint64_t most_of(const struct pol_state *st, unsigned unit,
			int64_t since_ns, uint64_t spent, bool *spacing)
{
	uint64_t most = UINT32_MAX / SLICE_PART;

	*spacing = false;
	if (unit == USED_CONNECTIONS)
		return st->connections_most;
	for (uint32_t i = 0; i < st->n_pend; i++) {
		const struct set_limit *sl = &st->s->limit[st->pend[i].limit];
		uint64_t n = credit_most(sl->l);

		if (ledger_unit(sl) != unit)
			continue;
		if (unit == USED_BYTES)
			n = credit_octets(since_ns, spent, n);
		*spacing |= sl->l->kind == LIMIT_SPACING;
		most = n < most ? n : most;
	}
	return most;
}

/* What of w is to be asked for; false: nothing. */
static bool missing(struct pol_state *st, const struct ledger_want *w,
		    struct pol_ask *ask)
{
	const struct row_credit *c = credit_of(st, w->row);
	bool nobodys = w->row[LR_MACHINE] == 0; /* of more than one kind */
	uint64_t left = !nobodys && lasts(st, c) ? c->left : 0, most;
	bool spacing;

	most = most_of(st, what_unit(w->what), st->now.mono.ns - c->asked_ns,
		       c->granted - left, &spacing);
	if (left >= w->n && !spacing)
		return false;
	*ask = (struct pol_ask){
		.party = ledger_party(st, &st->side[w->side]),
		.what = w->what,
		.need = spacing || left > w->n ? w->n : w->n - left};
	ask->want = ask->need;
	if (!nobodys && c->asked_ns)
		ask->want = credit_slice(st->now.mono.ns - c->asked_ns,
					 c->granted - left, ask->need, most);
	return true;
}

static void take(struct pol_state *st, const struct ledger_want *w,
		 const struct pol_granted *g)
{
	struct row_credit *c = credit_of(st, w->row);
	int64_t now = st->now.mono.ns;
	int64_t until = g->lasts_ns > INT64_MAX - now ? INT64_MAX
						      : now + g->lasts_ns;
	bool goes_on = lasts(st, c);

	c->left = goes_on ? c->left + g->n : g->n;
	c->until = goes_on && c->until < until ? c->until : until;
	c->granted = c->left;
	c->asked_ns = now;
	c->day = st->w[st->ledger + LG_DAY];
}

/* One question for up to POL_ASKS rows, from want[*next] on. */
static bool ask_some(struct pol_state *st, uint32_t *next)
{
	struct pol_claim claim = {.machine = (uint32_t)st->side[0].m};
	struct pol_grant grant = {0};
	uint32_t of[POL_ASKS];

	for (; *next < st->n_want && claim.n < POL_ASKS; ++*next) {
		of[claim.n] = *next;
		claim.n += missing(st, &st->want[*next], &claim.ask[claim.n]);
	}
	if (claim.n == 0)
		return true;
	if (!st->asks(st->asks_arg, &claim, &grant) || grant.n != claim.n)
		return false;
	for (uint32_t i = 0; i < claim.n; i++)
		take(st, &st->want[of[i]], &grant.of[i]);
	return true;
}

/* The common case: all of it is there, and nobody is asked. */
static bool all_there(struct pol_state *st)
{
	for (uint32_t i = 0; i < st->n_pend; i++) {
		if (st->s->limit[st->pend[i].limit].l->kind == LIMIT_SPACING)
			return false;
	}
	for (uint32_t i = 0; i < st->n_want; i++) {
		const struct ledger_want *w = &st->want[i];
		const struct row_credit *c = credit_of(st, w->row);

		if (c->left < w->n || !lasts(st, c) || w->row[LR_MACHINE] == 0)
			return false;
	}
	return true;
}

bool credit_have(struct pol_state *st)
{
	uint32_t next = 0;

	if (!st->asks || all_there(st))
		return true;
	while (next < st->n_want) {
		if (!ask_some(st, &next))
			return false;
	}
	return true;
}

void credit_spend(struct pol_state *st, const struct ledger_want *w)
{
	struct row_credit *c;

	if (!st->asks)
		return;
	/* A refusal is counted without, too. */
	c = credit_of(st, w->row);
	c->left -= c->left < w->n ? c->left : w->n;
}

/* Of the same hour and day. */
void credit_unspend(struct pol_state *st, const uint64_t *row, uint64_t n)
{
	if (st->asks && row[LR_MACHINE] != 0)
		credit_of(st, row)->left += n;
}
