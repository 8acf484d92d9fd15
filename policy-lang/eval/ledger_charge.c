/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was permitted, charged to rows of the ledger: first all that a message
 * uses is noted, then there is credit for it (credit.c), then it is counted.
 */
#include <assert.h>

#include "policy-lang/eval/ledger.h"

/* How many they are is not known: more than limits on them allow. */
#define UNKNOWN_VALUES (UINT32_MAX / 64)

/* Place p of a list and n more; full stays full. */
static void add(uint64_t *list, uint64_t p, uint64_t n)
{
	/* Half a word is a number of its own here (layout.h). */
	uint8_t *at = (uint8_t *)list + p * sizeof(uint32_t);
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	v = n < UINT32_MAX - v ? v + (uint32_t)n : UINT32_MAX;
	memcpy(at, &v, sizeof(v));
}

/* The hour and the day it is, and their places in a row. */
struct ledger_when {
	int64_t hour, day;
	uint64_t hour_at, day_at;
};

static struct ledger_when when(const struct pol_state *st)
{
	int64_t hour = st->now.mono.ns / HOUR_NS;
	int64_t day = (int64_t)st->w[st->ledger + LG_DAY];

	return (struct ledger_when){hour, day, ledger_place(hour, LEDGER_HOURS),
				    ledger_place(day, LEDGER_DAYS)};
}

static inline void enter_row(struct pol_state *st, uint64_t *row, uint64_t n,
		      const struct ledger_when *t)
{
	if (t->hour == (int64_t)row[LR_HOUR] &&
	    t->day == (int64_t)row[LR_DAY]) { /* the common case */
		add(row + LR_HOURS, t->hour_at, n);
		add(row + LR_DAYS, t->day_at, n);
	} else {
		ledger_advance(row, t->hour, t->day);
		add(row + LR_HOURS,
		    ledger_place((int64_t)row[LR_HOUR], LEDGER_HOURS), n);
		add(row + LR_DAYS,
		    ledger_place((int64_t)row[LR_DAY], LEDGER_DAYS), n);
	}
	row[LR_LAST] = (uint64_t)st->now.mono.ns;
	st->w[st->ledger + LG_DAYS_AT + t->day_at] = row[LR_LAST];
}

uint64_t ledger_party(const struct pol_state *st, const struct side *sd)
{
	const struct mem_machine *m = &st->mem.m[sd->m];
	uint32_t p = sd->party < 0 ? m->n_party : (uint32_t)sd->party;

	return st->mem.names[m->party + p];
}

/* --- what is wanted ------------------------------------------------------ */

/* Who wants: a side of the judgement at hand. */
struct wanting {
	struct pol_state *st;
	unsigned side;
	enum dir dir;
	uint64_t machine, party;
};

static struct wanting wanting(struct pol_state *st, unsigned side)
{
	const struct side *sd = &st->side[side];

	return (struct wanting){st, side, sd->dir, st->mem.m[sd->m].name,
				ledger_party(st, sd)};
}

/* What is wanted for the first time. */
static void want_new(const struct wanting *of, uint64_t what, uint64_t n)
{
	struct pol_state *st = of->st;
	struct ledger_want *w;

	/* Each unit and type of each side once: there is room. */
	assert(st->n_want < LEDGER_WANTS);
	w = &st->want[st->n_want++];
	w->what = what;
	w->n = n;
	w->side = of->side;
	w->row = ledger_find(st, of->machine, of->party, what);
}

static void want(const struct wanting *of, uint64_t what, uint64_t n)
{
	for (uint32_t i = 0; i < of->st->n_want; i++) {
		struct ledger_want *w = &of->st->want[i];

		if (w->what == what && w->side == of->side) {
			w->n = n > UINT64_MAX - w->n ? UINT64_MAX : w->n + n;
			return;
		}
	}
	want_new(of, what, n);
}

/* What is wanted already is wanted n times. */
static void raise_want(const struct wanting *of, uint64_t what, uint64_t n)
{
	for (uint32_t i = 0; i < of->st->n_want; i++) {
		struct ledger_want *w = &of->st->want[i];

		if (w->what == what && w->side == of->side && w->n < n)
			w->n = n;
	}
}

/* At once, so that who is killed has counted it; noted, so that an abort takes
 * it back. What there is no room to note stays, whatever comes. */
static void charge_wants(struct pol_state *st)
{
	const struct ledger_when t = when(st);

	for (uint32_t i = 0; i < st->n_want; i++) {
		const struct ledger_want *w = &st->want[i];

		enter_row(st, w->row, w->n, &t);
		credit_spend(st, w);
		if (w->n < UINT32_MAX && st->n_due < LEDGER_DUE)
			st->due[st->n_due++] = (struct ledger_due){
				(uint32_t)(w->row - st->w), (uint32_t)w->n,
				w->row[LR_HOUR], w->row[LR_DAY]};
	}
	st->n_want = 0;
}

/* False: there is no credit for all of it, and nothing was charged. */
static bool settle(struct pol_state *st)
{
	if (!credit_have(st)) {
		st->n_want = 0;
		return false;
	}
	charge_wants(st);
	return true;
}

static void take(uint64_t *list, uint64_t p, uint64_t n)
{
	uint64_t was = ledger_get(list, p);

	if (was != UINT64_MAX) /* full stays full */
		list[p / 2] = ledger_with(list[p / 2], p,
					  was > n ? was - n : 0);
}

void ledger_abort(struct pol_state *st)
{
	for (; st->n_due > 0; st->n_due--) {
		const struct ledger_due *d = &st->due[st->n_due - 1];
		uint64_t *row = st->w + d->at;

		if (row[LR_HOUR] != d->hour || row[LR_DAY] != d->day)
			continue; /* its places are others' by now */
		take(row + LR_HOURS,
		     ledger_place((int64_t)d->hour, LEDGER_HOURS), d->n);
		take(row + LR_DAYS, ledger_place((int64_t)d->day, LEDGER_DAYS),
		     d->n);
		credit_unspend(st, row, d->n);
	}
}

/* --- what is used -------------------------------------------------------- */

static uint64_t of_type(const struct wanting *of, enum used u, meas_set meas)
{
	return ledger_what(u, of->dir, (unsigned)__builtin_ctzll(meas));
}

/* Leaves may be of the same types. */
static void want_values(const struct wanting *of, meas_set meas, uint64_t n)
{
	for (; meas; meas &= meas - 1)
		want(of, of_type(of, USED_VALUES, meas), n);
}

static void want_any(const struct wanting *of, enum used u, uint64_t n)
{
	want_new(of, ledger_what(u, of->dir, MEAS_COUNT), n);
}

/* What counts each time: so many readings, and so many messages. */
static void want_each_time(const struct wanting *of, const struct obs *leaf)
{
	meas_set meas = obs_meas(leaf) & ~MEAS_ABOUT;
	uint64_t n = look_moments(leaf, meas);

	if (n <= 1)
		return;
	raise_want(of, ledger_what(USED_MESSAGES, of->dir, MEAS_COUNT), n);
	raise_want(of, ledger_what(USED_READINGS, of->dir, MEAS_COUNT), n);
	for (meas = meas_moments(meas); meas; meas &= meas - 1)
		raise_want(of, of_type(of, USED_READINGS, meas), n);
}

static void want_leaves(struct pol_state *st, unsigned side,
			const struct pol_msg *m, const struct obs *leaves,
			uint32_t n)
{
	const struct wanting of = wanting(st, side);
	bool goes_on = m->message && obs_has(m->message, F_CONTINUES) &&
		       !st->late;
	meas_set types = 0;

	for (uint32_t i = 0; i < n; i++) {
		meas_set meas = obs_meas(&leaves[i]) & ~MEAS_ABOUT;

		want_values(&of, meas,
			    obs_get(&leaves[i], F_VALUES, UNKNOWN_VALUES));
		types |= meas;
	}
	if (goes_on)
		types = look_new_types(m, types);
	if (!goes_on || meas_moments(types))
		want_any(&of, USED_MESSAGES, 1);
	if (types)
		want_any(&of, USED_READINGS, 1);
	for (; types; types &= types - 1)
		want_new(&of, of_type(&of, USED_READINGS, types), 1);
	for (uint32_t i = 0; i < n; i++)
		want_each_time(&of, &leaves[i]);
}

bool ledger_message(struct pol_state *st, const struct pol_msg *m,
		    const struct obs *leaves, uint32_t n)
{
	if (m->retry)
		return true;
	ledger_roll(st);
	for (unsigned i = 0; i < st->n_side; i++)
		want_leaves(st, i, m, leaves, n);
	return settle(st);
}

bool ledger_packets(struct pol_state *st, uint32_t octets, uint32_t packets)
{
	ledger_roll(st);
	for (unsigned i = 0; i < st->n_side; i++) {
		const struct wanting of = wanting(st, i);

		want_any(&of, USED_PACKETS, packets);
		want_any(&of, USED_BYTES, octets);
	}
	return settle(st);
}

bool ledger_connection(struct pol_state *st)
{
	ledger_roll(st);
	for (unsigned i = 0; i < st->n_side; i++) {
		const struct wanting of = wanting(st, i);

		want_any(&of, USED_CONNECTIONS, 1);
	}
	return settle(st);
}

/* For good, whatever becomes of other messages, and with or without credit:
 * nobody may take less of what he is refused. */
void ledger_refusal(struct pol_state *st)
{
	const struct wanting of = wanting(st, 0);
	struct ledger_when t;

	/* In whichever day it is: no window opens because of it. */
	if (!st->w[st->ledger + LG_DAY])
		ledger_roll(st);
	want_any(&of, USED_REFUSALS, 1);
	(void)!credit_have(st);
	t = when(st);
	enter_row(st, st->want[0].row, 1, &t);
	credit_spend(st, &st->want[0]);
	st->n_want = 0;
}

void ledger_granted(struct pol_state *st, const struct side *sd, uint64_t what,
		    uint64_t n)
{
	struct ledger_when t;
	uint64_t *row;

	ledger_roll(st);
	row = ledger_find(st, st->mem.m[sd->m].name, ledger_party(st, sd), what);
	t = when(st);
	enter_row(st, row, n, &t);
	if (n < UINT32_MAX && st->n_due < LEDGER_DUE)
		st->due[st->n_due++] = (struct ledger_due){
			(uint32_t)(row - st->w), (uint32_t)n, row[LR_HOUR],
			row[LR_DAY]};
}
