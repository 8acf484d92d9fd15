/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the ledger: found, made, taken over. */
#include <stdatomic.h>

#include "policy-lang/eval/ledger.h"

#define IN_ORDER() atomic_signal_fence(memory_order_seq_cst)
#define PLACES	   (sizeof(((struct pol_state *)0)->lg_place) / sizeof(uint16_t))

static const struct lay_limit calendars[WINDOW_YEAR + 1] = {
#define CALENDAR(w) [w] = {.kind = LIMIT_CALENDAR, .window = (w)}
	CALENDAR(WINDOW_HOUR),	  CALENDAR(WINDOW_DAY),
	CALENDAR(WINDOW_WEEK),	  CALENDAR(WINDOW_MONTH),
	CALENDAR(WINDOW_BILLING), CALENDAR(WINDOW_YEAR)};

/* --- totals -------------------------------------------------------------- */

/* Is it among the last n, of which the newest is newest? */
static bool kept(int64_t no, uint64_t newest, int64_t n)
{
	return no <= (int64_t)newest && no > (int64_t)newest - n && no >= 0;
}

uint64_t ledger_hour(const uint64_t *row, int64_t hour)
{
	return kept(hour, row[LR_HOUR], LEDGER_HOURS)
		       ? ledger_get(row + LR_HOURS, ledger_place(hour, LEDGER_HOURS))
		       : 0;
}

uint64_t ledger_of_day(const uint64_t *row, int64_t day)
{
	return kept(day, row[LR_DAY], LEDGER_DAYS)
		       ? ledger_get(row + LR_DAYS, ledger_place(day, LEDGER_DAYS))
		       : 0;
}

/* --- time ---------------------------------------------------------------- */

uint32_t ledger_window_at(const struct pol_state *st, int w)
{
	return st->ledger + LG_WINDOW((uint32_t)w);
}

int64_t ledger_window_due(const struct pol_state *st, int w)
{
	return calendar_due(st, &calendars[w], ledger_window_at(st, w));
}

int64_t ledger_today(const struct pol_state *st)
{
	return ledger_window(st, &calendars[WINDOW_DAY]);
}

int64_t ledger_window(const struct pol_state *st, const struct lay_limit *l)
{
	int64_t was = (int64_t)st->w[ledger_window_at(st, l->window)];

	return was ? was : calendar_now(st, l);
}

/* The stepless time at which each day counted last, wherever the wall clock
 * jumped. */
static void enter_day(struct pol_state *st, int64_t no)
{
	uint64_t *at = st->w + st->ledger + LG_DAYS_AT;
	int64_t i = (int64_t)st->w[st->ledger + LG_DAY] + 1;

	if (i <= no - LEDGER_DAYS)
		i = no - LEDGER_DAYS + 1;
	for (; i < no; i++)
		at[ledger_place(i, LEDGER_DAYS)] = 0;
	at[ledger_place(no, LEDGER_DAYS)] = (uint64_t)st->now.mono.ns;
	IN_ORDER();
}

static bool enter(struct pol_state *st, int w)
{
	uint32_t at = ledger_window_at(st, w);
	int64_t no = ledger_window_due(st, w);

	if (!no)
		return false;
	if (w == WINDOW_DAY)
		enter_day(st, no);
	st->w[at + LG_ENTERED] = (uint64_t)st->now.mono.ns;
	IN_ORDER();
	st->w[at] = (uint64_t)no;
	IN_ORDER();
	return true;
}

void ledger_enter(struct pol_state *st)
{
	bool day;

	enter(st, WINDOW_HOUR);
	day = enter(st, WINDOW_DAY);
	/* With a trusted clock the others begin with a day, if it was trusted
	 * when that began. */
	if (!day && st->trusted && st->in_step)
		return;
	for (int w = WINDOW_WEEK; w <= WINDOW_YEAR; w++)
		enter(st, w);
	st->in_step = st->trusted;
}

/* Empty the places of what is newer than *newest, which becomes no. */
static void advance(uint64_t *list, uint64_t *newest, int64_t no, int64_t n)
{
	int64_t i = (int64_t)*newest + 1;

	if (no <= (int64_t)*newest)
		return;
	if (i < no - n + 1)
		i = no - n + 1;
	for (; i <= no; i++) {
		uint64_t p = ledger_place(i, (uint64_t)n);

		list[p / 2] = ledger_with(list[p / 2], p, 0);
	}
	/* Killed before this one: emptied once more. */
	IN_ORDER();
	*newest = (uint64_t)no;
	IN_ORDER();
}

void ledger_advance(uint64_t *row, int64_t hour, int64_t day)
{
	advance(row + LR_HOURS, &row[LR_HOUR], hour, LEDGER_HOURS);
	advance(row + LR_DAYS, &row[LR_DAY], day, LEDGER_DAYS);
}

/* --- rows ---------------------------------------------------------------- */

static uint32_t hash(uint64_t machine, uint64_t party, uint64_t what)
{
	uint64_t h = (machine ^ party * 3 ^ what * 0x9e3779b97f4a7c15) *
		     0xbf58476d1ce4e5b9;

	return (uint32_t)(h >> 40) % PLACES;
}

static bool is_row(const uint64_t *row, uint64_t machine, uint64_t party,
		   uint64_t what)
{
	return row[LR_WHAT] == what && row[LR_PARTY] == party &&
	       row[LR_MACHINE] == machine;
}

/* Places are twice the rows: there is always an empty one. */
static void note_place(struct pol_state *st, uint32_t i)
{
	const uint64_t *row = ledger_row(st->w + st->ledger, i);
	uint32_t p = hash(row[LR_MACHINE], row[LR_PARTY], row[LR_WHAT]);

	_Static_assert(PLACES >= 2 * LEDGER_KEYS, "it ends");
	while (st->lg_place[p])
		p = (p + 1) % PLACES;
	st->lg_place[p] = (uint16_t)(i + 1);
}

/* Rows that others made, or that changed their names. */
static void note_places(struct pol_state *st, bool again)
{
	uint64_t n = st->w[st->ledger + LG_ROWS];

	if (again) {
		memset(st->lg_place, 0, sizeof(st->lg_place));
		st->lg_rows = 0;
	}
	for (; st->lg_rows < n; st->lg_rows++)
		note_place(st, st->lg_rows);
}

static void name_row(struct pol_state *st, uint64_t *row, uint64_t machine,
		     uint64_t party, uint64_t what)
{
	memset(row, 0, LR_WORDS * sizeof(*row));
	row[LR_MACHINE] = machine;
	row[LR_PARTY] = party;
	row[LR_WHAT] = what;
	row[LR_HOUR] = (uint64_t)(st->now.mono.ns / HOUR_NS);
	row[LR_DAY] = st->w[st->ledger + LG_DAY];
	IN_ORDER();
}

static uint64_t *reuse(struct pol_state *st)
{
	uint64_t *lg = st->w + st->ledger;

	for (uint64_t i = 0; i < lg[LG_ROWS]; i++) {
		uint64_t *row = ledger_row(lg, i);

		if (row[LR_DAY] + LEDGER_DAYS <= lg[LG_DAY] &&
		    row[LR_HOUR] + LEDGER_HOURS <=
			    (uint64_t)(st->now.mono.ns / HOUR_NS))
			return row;
	}
	return NULL;
}

static uint64_t *make(struct pol_state *st, uint64_t machine, uint64_t party,
		      uint64_t what)
{
	uint64_t *lg = st->w + st->ledger, *row;
	uint64_t most = LEDGER_KEYS - (machine ? LEDGER_REST : 0);

	if (lg[LG_ROWS] < most) {
		row = ledger_row(lg, lg[LG_ROWS]);
		name_row(st, row, machine, party, what);
		lg[LG_ROWS]++;
		IN_ORDER();
		note_places(st, false);
		return row;
	}
	row = reuse(st);
	if (row) {
		name_row(st, row, machine, party, what);
		note_places(st, true);
		return row;
	}
	if (!machine) /* there is a row for each of these */
		return ledger_row(lg, 0);
	return ledger_find(st, 0, 0,
			   ledger_what((enum used)what_unit(what),
				       (enum dir)what_dir(what), MEAS_COUNT));
}

static inline uint64_t *among(struct pol_state *st, uint64_t machine,
			      uint64_t party, uint64_t what)
{
	for (uint32_t p = hash(machine, party, what); st->lg_place[p];
	     p = (p + 1) % PLACES) {
		uint64_t *row = ledger_row(st->w + st->ledger,
					   st->lg_place[p] - UINT64_C(1));

		if (is_row(row, machine, party, what))
			return row;
	}
	return NULL;
}

static __attribute__((noinline)) uint64_t *find_or_make(struct pol_state *st,
						    uint64_t machine,
						    uint64_t party,
						    uint64_t what)
{
	uint64_t *row;

	if (st->lg_rows != st->w[st->ledger + LG_ROWS])
		note_places(st, true);
	row = among(st, machine, party, what);
	return row ? row : make(st, machine, party, what);
}

uint64_t *ledger_find(struct pol_state *st, uint64_t machine, uint64_t party,
		      uint64_t what)
{
	if (st->lg_rows == st->w[st->ledger + LG_ROWS]) {
		uint64_t *row = among(st, machine, party, what);

		if (row) /* the common case */
			return row;
	}
	return find_or_make(st, machine, party, what);
}

void ledger_raise(uint64_t *row, const uint64_t *from)
{
	ledger_advance(row, (int64_t)from[LR_HOUR], (int64_t)from[LR_DAY]);
	if (from[LR_LAST] > row[LR_LAST])
		row[LR_LAST] = from[LR_LAST];
	for (int64_t i = 0; i < LEDGER_HOURS; i++) {
		int64_t no = (int64_t)row[LR_HOUR] - i;
		uint64_t p = ledger_place(no, LEDGER_HOURS), v = ledger_hour(from, no);

		if (no >= 0 && v > ledger_hour(row, no))
			row[LR_HOURS + p / 2] =
				ledger_with(row[LR_HOURS + p / 2], p, v);
	}
	for (int64_t i = 0; i < LEDGER_DAYS; i++) {
		int64_t no = (int64_t)row[LR_DAY] - i;
		uint64_t p = ledger_place(no, LEDGER_DAYS);
		uint64_t v = ledger_of_day(from, no);

		if (v > ledger_of_day(row, no))
			row[LR_DAYS + p / 2] = ledger_with(row[LR_DAYS + p / 2], p, v);
	}
}

/* --- from elsewhere ------------------------------------------------------ */

static bool row_possible(const uint64_t *row, const uint64_t *lg, int64_t now)
{
	return what_unit(row[LR_WHAT]) < USED_COUNT &&
	       what_dir(row[LR_WHAT]) <= DIR_IN &&
	       row[LR_WHAT] >> 16 <= MEAS_COUNT &&
	       row[LR_LAST] <= (uint64_t)now &&
	       row[LR_HOUR] <= (uint64_t)(now / HOUR_NS) &&
	       row[LR_DAY] <= lg[LG_DAY];
}

bool ledger_possible(const uint64_t *lg, int64_t now)
{
	for (int w = WINDOW_HOUR; w <= WINDOW_YEAR; w++) {
		const uint64_t *c = lg + LG_WINDOW(w);
		const uint64_t words[3] = {c[0], 0, c[LG_ENTERED]};

		if (!limit_possible(&calendars[w], words, now))
			return false;
	}
	for (int i = 0; i < LEDGER_DAYS; i++) {
		if (lg[LG_DAYS_AT + i] > (uint64_t)now)
			return false;
	}
	if (lg[LG_ROWS] > LEDGER_KEYS ||
	    lg[LG_LOST_NS] > (uint64_t)now || lg[LG_LOST_DAY] > lg[LG_DAY])
		return false;
	for (uint64_t i = 0; i < lg[LG_ROWS]; i++) {
		if (!row_possible(lg + LG_HEAD + i * LR_WORDS, lg, now))
			return false;
	}
	return true;
}

void ledger_lost(struct pol_state *st)
{
	uint64_t *lg = st->w + st->ledger;

	ledger_roll(st);
	lg[LG_LOST_NS] = (uint64_t)(st->now.mono.ns > 0 ? st->now.mono.ns : 1);
	lg[LG_LOST_DAY] = lg[LG_DAY];
}
