/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger for the household: shown, and erased at its wish. */
#include "policy-lang/eval/ledger.h"

/* The first of the days that counted something later than that. */
static int64_t first_after(const struct pol_state *st, int64_t today,
			   int64_t since)
{
	const uint64_t *at = st->w + st->ledger + LG_DAYS_AT;
	int64_t first = today;

	for (int64_t k = 0; k < LEDGER_DAYS; k++) {
		if ((int64_t)at[ledger_place(today - k, LEDGER_DAYS)] > since)
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
			/* A bucket remembers all since it was empty. */
			since = l->kind == LIMIT_BUCKET
					? ledger_bucket_since(st, i)
					: now - l->window_ns - sub_ns(l);
			first = first_after(st, today, since);
		} else if (l->window >= WINDOW_HOUR) {
			int64_t entered = ledger_entered(st, l->window);
			int64_t entered_day;

			first = calendar_start_day(st, l,
						   ledger_window(st, l));
			since = now - (today - first + 1) * DAY_S * NS_PER_S;
			/* Longer than it is, where the clock was set back; and
			 * with days before it, where it was not trusted. */
			if (since > entered)
				since = entered;
			entered_day = first_after(st, today, entered - 1);
			if (first > entered_day)
				first = entered_day;
		}
		*day = first < *day ? first : *day;
		since = since > 0 ? since / HOUR_NS : 0;
		*hour = since < *hour ? since : *hour;
	}
}

void pol_ledger_erase(struct pol_state *st, size_t machine, struct now now)
{
	uint64_t *lg = st->w + st->ledger;
	int64_t day, hour;

	st_time(st, now);
	current_from(st, &day, &hour);
	for (uint64_t i = 0; i < lg[LG_ROWS]; i++) {
		uint64_t *row = ledger_row(lg, i);

		/* What is nobody's is everyone's. */
		if (row[LR_MACHINE] &&
		    row[LR_MACHINE] != st->mem.m[machine].name)
			continue;
		for (int64_t k = 0; k < LEDGER_DAYS; k++) {
			int64_t no = (int64_t)row[LR_DAY] - k;
			uint64_t p = ledger_place(no, LEDGER_DAYS);

			if (no < day)
				row[LR_DAYS + p / 2] =
					ledger_with(row[LR_DAYS + p / 2], p, 0);
		}
		for (int64_t k = 0; k < LEDGER_HOURS; k++) {
			int64_t no = (int64_t)row[LR_HOUR] - k;
			uint64_t p = ledger_place(no, LEDGER_HOURS);

			if (no >= 0 && no < hour)
				row[LR_HOURS + p / 2] =
					ledger_with(row[LR_HOURS + p / 2], p, 0);
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
	int64_t hour = (st->now.mono.ns) / HOUR_NS, day = ledger_window_due(st, WINDOW_DAY);

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
