/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of the ledger: found, made, charged, erased. */
#include <stdatomic.h>

#include "policy-lang/eval/ledger.h"

#define IN_ORDER() atomic_signal_fence(memory_order_seq_cst)
#define PLACES	   (sizeof(((struct pol_state *)0)->lg_place) / sizeof(uint16_t))

/* How many they are is not known: more than limits on them allow. */
#define UNKNOWN_VALUES (UINT32_MAX / 64)

static const struct lay_limit calendars[WINDOW_YEAR + 1] = {
#define CALENDAR(w) [w] = {.kind = LIMIT_CALENDAR, .window = (w)}
	CALENDAR(WINDOW_HOUR),	  CALENDAR(WINDOW_DAY),
	CALENDAR(WINDOW_WEEK),	  CALENDAR(WINDOW_MONTH),
	CALENDAR(WINDOW_BILLING), CALENDAR(WINDOW_YEAR)};

/* --- totals -------------------------------------------------------------- */

/* Halves of words: place i of a list that begins at word at. */
static uint64_t get(const uint64_t *at, uint64_t i)
{
	uint64_t v = (uint32_t)(at[i / 2] >> (i % 2 * 32));

	return v == UINT32_MAX ? UINT64_MAX : v;
}

static uint64_t with(uint64_t word, uint64_t i, uint64_t v)
{
	uint64_t n = v < UINT32_MAX ? v : UINT32_MAX;

	word &= ~(UINT64_C(0xffffffff) << (i % 2 * 32));
	return word | n << (i % 2 * 32);
}

static uint64_t place(int64_t no, uint64_t of)
{
	return (uint64_t)no % of;
}

/* Is it among the last n, of which the newest is newest? */
static bool kept(int64_t no, uint64_t newest, int64_t n)
{
	return no <= (int64_t)newest && no > (int64_t)newest - n && no >= 0;
}

uint64_t ledger_hour(const uint64_t *row, int64_t hour)
{
	return kept(hour, row[LR_HOUR], LEDGER_HOURS)
		       ? get(row + LR_HOURS, place(hour, LEDGER_HOURS))
		       : 0;
}

uint64_t ledger_of_day(const uint64_t *row, int64_t day)
{
	return kept(day, row[LR_DAY], LEDGER_DAYS)
		       ? get(row + LR_DAYS, place(day, LEDGER_DAYS))
		       : 0;
}

/* --- time ---------------------------------------------------------------- */

static uint32_t window_at(const struct pol_state *st, int w)
{
	return st->ledger + LG_WINDOW((uint32_t)w);
}

static int64_t window_due(const struct pol_state *st, int w)
{
	return calendar_due(st, &calendars[w], window_at(st, w));
}

int64_t ledger_today(const struct pol_state *st)
{
	return ledger_window(st, &calendars[WINDOW_DAY]);
}

int64_t ledger_window(const struct pol_state *st, const struct lay_limit *l)
{
	int64_t was = (int64_t)st->w[window_at(st, l->window)];

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
		at[place(i, LEDGER_DAYS)] = 0;
	at[place(no, LEDGER_DAYS)] = (uint64_t)st->now.mono.ns;
	IN_ORDER();
}

static bool enter(struct pol_state *st, int w)
{
	uint32_t at = window_at(st, w);
	int64_t no = window_due(st, w);

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

static void roll(struct pol_state *st)
{
	enter(st, WINDOW_HOUR);
	/* With a trusted clock the others begin with a day. */
	if (!enter(st, WINDOW_DAY) && st->trusted)
		return;
	for (int w = WINDOW_WEEK; w <= WINDOW_YEAR; w++)
		enter(st, w);
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
		uint64_t p = place(i, (uint64_t)n);

		list[p / 2] = with(list[p / 2], p, 0);
	}
	/* Killed before this one: emptied once more. */
	IN_ORDER();
	*newest = (uint64_t)no;
	IN_ORDER();
}

static void row_advance(uint64_t *row, int64_t hour, int64_t day)
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

uint64_t *ledger_find(struct pol_state *st, uint64_t machine, uint64_t party,
		      uint64_t what)
{
	uint32_t p = hash(machine, party, what);

	if (st->lg_rows != st->w[st->ledger + LG_ROWS])
		note_places(st, true);
	for (; st->lg_place[p]; p = (p + 1) % PLACES) {
		uint64_t *row = ledger_row(st->w + st->ledger,
					   st->lg_place[p] - UINT64_C(1));

		if (is_row(row, machine, party, what))
			return row;
	}
	return make(st, machine, party, what);
}

void ledger_raise(uint64_t *row, const uint64_t *from)
{
	row_advance(row, (int64_t)from[LR_HOUR], (int64_t)from[LR_DAY]);
	if (from[LR_LAST] > row[LR_LAST])
		row[LR_LAST] = from[LR_LAST];
	for (int64_t i = 0; i < LEDGER_HOURS; i++) {
		int64_t no = (int64_t)row[LR_HOUR] - i;
		uint64_t p = place(no, LEDGER_HOURS), v = ledger_hour(from, no);

		if (no >= 0 && v > ledger_hour(row, no))
			row[LR_HOURS + p / 2] =
				with(row[LR_HOURS + p / 2], p, v);
	}
	for (int64_t i = 0; i < LEDGER_DAYS; i++) {
		int64_t no = (int64_t)row[LR_DAY] - i;
		uint64_t p = place(no, LEDGER_DAYS);
		uint64_t v = ledger_of_day(from, no);

		if (v > ledger_of_day(row, no))
			row[LR_DAYS + p / 2] = with(row[LR_DAYS + p / 2], p, v);
	}
}

/* --- charging ------------------------------------------------------------ */

static void add(uint64_t *list, uint64_t p, uint64_t n)
{
	uint64_t was = get(list, p);
	uint64_t sum = n > UINT64_MAX - was ? UINT64_MAX : was + n;

	list[p / 2] = with(list[p / 2], p, sum);
}

static void enter_row(struct pol_state *st, uint64_t *row, uint64_t n)
{
	int64_t hour = st->now.mono.ns / HOUR_NS;
	int64_t day = (int64_t)st->w[st->ledger + LG_DAY];

	if (hour > (int64_t)row[LR_HOUR] || day > (int64_t)row[LR_DAY])
		row_advance(row, hour, day);
	add(row + LR_HOURS, place((int64_t)row[LR_HOUR], LEDGER_HOURS), n);
	add(row + LR_DAYS, place((int64_t)row[LR_DAY], LEDGER_DAYS), n);
	row[LR_LAST] = (uint64_t)st->now.mono.ns;
	st->w[st->ledger + LG_DAYS_AT + place(day, LEDGER_DAYS)] = row[LR_LAST];
}

static uint64_t *row_of(struct pol_state *st, const struct side *sd,
			uint64_t what)
{
	const struct mem_machine *m = &st->mem.m[sd->m];
	uint32_t p = sd->party < 0 ? m->n_party : (uint32_t)sd->party;

	return ledger_find(st, m->name, st->mem.names[m->party + p], what);
}

/* At once, so that who is killed has counted it; noted, so that an abort takes
 * it back. What there is no room to note stays, whatever comes. */
static void charge(struct pol_state *st, const struct side *sd, uint64_t what,
		   uint64_t n)
{
	uint64_t *row = row_of(st, sd, what);

	enter_row(st, row, n);
	if (n < UINT32_MAX && st->n_due < LEDGER_DUE)
		st->due[st->n_due++] = (struct ledger_due){
			(uint32_t)(row - st->w), (uint32_t)n, row[LR_HOUR],
			row[LR_DAY]};
}

static void take(uint64_t *list, uint64_t p, uint64_t n)
{
	uint64_t was = get(list, p);

	if (was != UINT64_MAX) /* full stays full */
		list[p / 2] = with(list[p / 2], p, was > n ? was - n : 0);
}

void ledger_abort(struct pol_state *st)
{
	for (; st->n_due > 0; st->n_due--) {
		const struct ledger_due *d = &st->due[st->n_due - 1];
		uint64_t *row = st->w + d->at;

		if (row[LR_HOUR] != d->hour || row[LR_DAY] != d->day)
			continue; /* its places are others' by now */
		take(row + LR_HOURS, place((int64_t)d->hour, LEDGER_HOURS),
		     d->n);
		take(row + LR_DAYS, place((int64_t)d->day, LEDGER_DAYS), d->n);
	}
}

static void charge_types(struct pol_state *st, const struct side *sd,
			 enum used u, meas_set meas, uint64_t n)
{
	for (; meas; meas &= meas - 1)
		charge(st, sd,
		       ledger_what(u, sd->dir,
				   (unsigned)__builtin_ctzll(meas)),
		       n);
}

static void charge_leaves(struct pol_state *st, const struct side *sd,
			  const struct pol_msg *m, const struct obs *leaves,
			  uint32_t n)
{
	bool goes_on = m->message && obs_has(m->message, F_CONTINUES);
	meas_set types = 0;

	for (uint32_t i = 0; i < n; i++) {
		meas_set meas = obs_meas(&leaves[i]) & ~MEAS_ABOUT;

		charge_types(st, sd, USED_VALUES, meas,
			     obs_get(&leaves[i], F_VALUES, UNKNOWN_VALUES));
		types |= meas;
	}
	if (!goes_on)
		charge(st, sd, ledger_what(USED_MESSAGES, sd->dir, MEAS_COUNT),
		       1);
	else
		types = look_new_types(m, types);
	if (types)
		charge(st, sd, ledger_what(USED_READINGS, sd->dir, MEAS_COUNT),
		       1);
	charge_types(st, sd, USED_READINGS, types, 1);
}

void ledger_message(struct pol_state *st, const struct pol_msg *m,
		    const struct obs *leaves, uint32_t n)
{
	if (m->retry)
		return;
	roll(st);
	for (unsigned i = 0; i < st->n_side; i++)
		charge_leaves(st, &st->side[i], m, leaves, n);
}

void ledger_packet(struct pol_state *st, uint32_t octets)
{
	roll(st);
	for (unsigned i = 0; i < st->n_side; i++) {
		const struct side *sd = &st->side[i];

		charge(st, sd, ledger_what(USED_PACKETS, sd->dir, MEAS_COUNT),
		       1);
		charge(st, sd, ledger_what(USED_BYTES, sd->dir, MEAS_COUNT),
		       octets);
	}
}

void ledger_connection(struct pol_state *st)
{
	roll(st);
	for (unsigned i = 0; i < st->n_side; i++)
		charge(st, &st->side[i],
		       ledger_what(USED_CONNECTIONS, st->side[i].dir,
				   MEAS_COUNT),
		       1);
}

void ledger_granted(struct pol_state *st, const struct side *sd,
		    const struct set_limit *sl, unsigned meas, uint64_t n)
{
	unsigned u = ledger_unit(sl);
	bool typed = sl->by_meas &&
		     (u == USED_READINGS || u == USED_VALUES);

	roll(st);
	charge(st, sd,
	       ledger_what((enum used)u, sd->dir, typed ? meas : MEAS_COUNT),
	       n);
}

/* For good, whatever becomes of other messages. */
void ledger_refusal(struct pol_state *st)
{
	uint64_t what = ledger_what(USED_REFUSALS, st->side[0].dir,
				    MEAS_COUNT);

	/* In whichever day it is: no window opens because of it. */
	if (!st->w[st->ledger + LG_DAY])
		roll(st);
	enter_row(st, row_of(st, &st->side[0], what), 1);
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

	roll(st);
	lg[LG_LOST_NS] = (uint64_t)(st->now.mono.ns > 0 ? st->now.mono.ns : 1);
	lg[LG_LOST_DAY] = lg[LG_DAY];
}

/* --- the household's own ------------------------------------------------- */

static int64_t entered_at(const struct pol_state *st, int w)
{
	return (int64_t)st->w[window_at(st, w) + LG_ENTERED];
}

/* The first of the days that counted something later than that. */
static int64_t first_after(const struct pol_state *st, int64_t today,
			   int64_t since)
{
	const uint64_t *at = st->w + st->ledger + LG_DAYS_AT;
	int64_t first = today;

	for (int64_t k = 0; k < LEDGER_DAYS; k++) {
		if ((int64_t)at[place(today - k, LEDGER_DAYS)] > since)
			first = today - k;
	}
	return first;
}

/* Where the longest of the windows of now begins: its first day and hour. */
static void current_from(const struct pol_state *st, int64_t *day,
			 int64_t *hour)
{
	int64_t today = (int64_t)st->w[st->ledger + LG_DAY];
	int64_t now = st->now.mono.ns;

	*day = today;
	*hour = now / HOUR_NS;
	for (uint32_t i = 0; i < st->s->n_limit; i++) {
		const struct lay_limit *l = st->s->limit[i].l;
		int64_t first = today, since = now;

		if (l->kind == LIMIT_CONCURRENT)
			continue;
		if (l->window_ns > 0) {
			/* A bucket remembers for as long as it drains. */
			since = now - (l->kind == LIMIT_BUCKET
					       ? limit_drain(l)
					       : l->window_ns + sub_ns(l));
			first = first_after(st, today, since);
		} else if (l->window >= WINDOW_HOUR) {
			first = calendar_start_day(st, l,
						   ledger_window(st, l));
			since = now - (today - first + 1) * DAY_S * NS_PER_S;
			/* Longer than it is, where the clock was set back. */
			if (since > entered_at(st, l->window))
				since = entered_at(st, l->window);
		}
		*day = first < *day ? first : *day;
		since = since > 0 ? since / HOUR_NS : 0;
		*hour = since < *hour ? since : *hour;
	}
}

void pol_ledger_erase(struct pol_state *st, struct now now)
{
	uint64_t *lg = st->w + st->ledger;
	int64_t day, hour;

	st_time(st, now);
	current_from(st, &day, &hour);
	for (uint64_t i = 0; i < lg[LG_ROWS]; i++) {
		uint64_t *row = ledger_row(lg, i);

		for (int64_t k = 0; k < LEDGER_DAYS; k++) {
			int64_t no = (int64_t)row[LR_DAY] - k;
			uint64_t p = place(no, LEDGER_DAYS);

			if (no < day)
				row[LR_DAYS + p / 2] =
					with(row[LR_DAYS + p / 2], p, 0);
		}
		for (int64_t k = 0; k < LEDGER_HOURS; k++) {
			int64_t no = (int64_t)row[LR_HOUR] - k;
			uint64_t p = place(no, LEDGER_HOURS);

			if (no >= 0 && no < hour)
				row[LR_HOURS + p / 2] =
					with(row[LR_HOURS + p / 2], p, 0);
		}
	}
}

static struct span party_named(const struct pol_state *st, size_t m,
			       uint64_t name)
{
	const struct mem_machine *mc = &st->mem.m[m];
	const struct pol_image *v = st->s->m[m].vendor;

	for (uint32_t p = 0; p < mc->n_party; p++) {
		if (st->mem.names[mc->party + p] == name)
			return img_str(v, v->PRTY[p].id);
	}
	return (struct span){0};
}

static void sum_up(const struct pol_state *st, const uint64_t *row,
		   struct pol_total *t)
{
	int64_t hour = (st->now.mono.ns) / HOUR_NS, day = window_due(st, WINDOW_DAY);

	day = day ? day : ledger_today(st);
	for (int64_t k = 0; k < LEDGER_HOURS; k++)
		t->hour[k] = ledger_hour(row, hour - k);
	for (int64_t k = 0; k < LEDGER_DAYS; k++)
		t->day[k] = ledger_of_day(row, day - k);
}

void pol_ledger(const struct pol_state *st, size_t machine, struct now now,
		bool (*f)(void *arg, const struct pol_total *t), void *arg)
{
	static const char *const units[USED_COUNT] = {
		"messages",    "readings", "values", "packets",
		"connections", "refusals", "bytes"};
	struct pol_state view;
	struct pol_total t;
	uint64_t n = machine < st->s->n_m ? st->w[st->ledger + LG_ROWS] : 0;

	if (n == 0)
		return;
	view = *st;
	view.now = now;
	view.now.mono.ns += st->mem.head->offset;
	view.trusted =
		st->clock_forced < 0 ? now.wall.trusted : st->clock_forced > 0;
	for (uint64_t i = 0; i < n; i++) {
		const uint64_t *row = ledger_row(st->w + st->ledger, i);

		if (row[LR_MACHINE] && row[LR_MACHINE] != st->mem.m[machine].name)
			continue;
		t = (struct pol_total){
			.party = party_named(st, machine, row[LR_PARTY]),
			.everyone = row[LR_MACHINE] == 0,
			.unit = units[what_unit(row[LR_WHAT])],
			.dir = (enum dir)what_dir(row[LR_WHAT])};
		if (what_meas(row[LR_WHAT]) < MEAS_COUNT)
			t.meas = meas_name((enum meas)what_meas(row[LR_WHAT]));
		sum_up(&view, row, &t);
		if (!f(arg, &t))
			return;
	}
}
