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
	unsigned shift = (unsigned)(p % 2 * 32);
	uint64_t was = (uint32_t)(list[p / 2] >> shift);
	uint64_t room = UINT32_MAX - was;

	/* Within its half of the word. */
	list[p / 2] += (n < room ? n : room) << shift;
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

static void enter_row(struct pol_state *st, uint64_t *row, uint64_t n,
		      const struct ledger_when *t)
{
	if (t->hour > (int64_t)row[LR_HOUR] || t->day > (int64_t)row[LR_DAY])
		ledger_advance(row, t->hour, t->day);
	add(row + LR_HOURS,
	    t->hour == (int64_t)row[LR_HOUR]
		    ? t->hour_at
		    : ledger_place((int64_t)row[LR_HOUR], LEDGER_HOURS),
	    n);
	add(row + LR_DAYS,
	    t->day == (int64_t)row[LR_DAY]
		    ? t->day_at
		    : ledger_place((int64_t)row[LR_DAY], LEDGER_DAYS),
	    n);
	row[LR_LAST] = (uint64_t)st->now.mono.ns;
	st->w[st->ledger + LG_DAYS_AT + t->day_at] = row[LR_LAST];
}

uint64_t ledger_party(const struct pol_state *st, const struct side *sd)
{
	const struct mem_machine *m = &st->mem.m[sd->m];
	uint32_t p = sd->party < 0 ? m->n_party : (uint32_t)sd->party;

	return st->mem.names[m->party + p];
}

static uint64_t *row_of(struct pol_state *st, const struct side *sd,
			uint64_t what)
{
	return ledger_find(st, st->mem.m[sd->m].name, ledger_party(st, sd),
			   what);
}

/* --- what is wanted ------------------------------------------------------ */

/* What is wanted for the first time. */
static void want_new(struct pol_state *st, unsigned side, uint64_t what,
		     uint64_t n)
{
	struct ledger_want *w;

	/* Each unit and type of each side once: there is room. */
	assert(st->n_want < LEDGER_WANTS);
	w = &st->want[st->n_want++];
	w->what = what;
	w->n = n;
	w->side = side;
	w->row = row_of(st, &st->side[side], what);
}

static void want(struct pol_state *st, unsigned side, uint64_t what, uint64_t n)
{
	for (uint32_t i = 0; i < st->n_want; i++) {
		struct ledger_want *w = &st->want[i];

		if (w->what == what && w->side == side) {
			w->n = n > UINT64_MAX - w->n ? UINT64_MAX : w->n + n;
			return;
		}
	}
	want_new(st, side, what, n);
}

/* What is wanted already is wanted n times. */
static void raise_want(struct pol_state *st, unsigned side, uint64_t what,
		       uint64_t n)
{
	for (uint32_t i = 0; i < st->n_want; i++) {
		struct ledger_want *w = &st->want[i];

		if (w->what == what && w->side == side && w->n < n)
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

static uint64_t of_type(const struct pol_state *st, unsigned side, enum used u,
			meas_set meas)
{
	return ledger_what(u, st->side[side].dir,
			   (unsigned)__builtin_ctzll(meas));
}

/* Leaves may be of the same types. */
static void want_values(struct pol_state *st, unsigned side, meas_set meas,
			uint64_t n)
{
	for (; meas; meas &= meas - 1)
		want(st, side, of_type(st, side, USED_VALUES, meas), n);
}

static void want_any(struct pol_state *st, unsigned side, enum used u,
		     uint64_t n)
{
	want_new(st, side, ledger_what(u, st->side[side].dir, MEAS_COUNT), n);
}

/* What counts each time: so many readings, and so many messages. */
static void want_each_time(struct pol_state *st, unsigned side,
			 const struct obs *leaf)
{
	meas_set meas = obs_meas(leaf) & ~MEAS_ABOUT;
	enum dir dir = st->side[side].dir;
	uint64_t n = look_moments(leaf, meas);

	if (n <= 1)
		return;
	raise_want(st, side, ledger_what(USED_MESSAGES, dir, MEAS_COUNT), n);
	raise_want(st, side, ledger_what(USED_READINGS, dir, MEAS_COUNT), n);
	for (meas = look_each_time(meas); meas; meas &= meas - 1)
		raise_want(st, side, of_type(st, side, USED_READINGS, meas), n);
}

static void want_leaves(struct pol_state *st, unsigned side,
			const struct pol_msg *m, const struct obs *leaves,
			uint32_t n)
{
	bool goes_on = m->message && obs_has(m->message, F_CONTINUES);
	meas_set types = 0;

	for (uint32_t i = 0; i < n; i++) {
		meas_set meas = obs_meas(&leaves[i]) & ~MEAS_ABOUT;

		want_values(st, side, meas,
			    obs_get(&leaves[i], F_VALUES, UNKNOWN_VALUES));
		types |= meas;
	}
	if (goes_on)
		types = look_new_types(m, types);
	if (!goes_on || look_each_time(types))
		want_any(st, side, USED_MESSAGES, 1);
	if (types)
		want_any(st, side, USED_READINGS, 1);
	for (; types; types &= types - 1)
		want_new(st, side, of_type(st, side, USED_READINGS, types), 1);
	for (uint32_t i = 0; i < n; i++)
		want_each_time(st, side, &leaves[i]);
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
		want_any(st, i, USED_PACKETS, packets);
		want_any(st, i, USED_BYTES, octets);
	}
	return settle(st);
}

bool ledger_connection(struct pol_state *st)
{
	ledger_roll(st);
	for (unsigned i = 0; i < st->n_side; i++)
		want_any(st, i, USED_CONNECTIONS, 1);
	return settle(st);
}

/* For good, whatever becomes of other messages, and with or without credit:
 * nobody may take less of what he is refused. */
void ledger_refusal(struct pol_state *st)
{
	struct ledger_when t;

	/* In whichever day it is: no window opens because of it. */
	if (!st->w[st->ledger + LG_DAY])
		ledger_roll(st);
	want_any(st, 0, USED_REFUSALS, 1);
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
	row = row_of(st, sd, what);
	t = when(st);
	enter_row(st, row, n, &t);
	if (n < UINT32_MAX && st->n_due < LEDGER_DUE)
		st->due[st->n_due++] = (struct ledger_due){
			(uint32_t)(row - st->w), (uint32_t)n, row[LR_HOUR],
			row[LR_DAY]};
}
