/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of histories and alarms: when they were, how many readings each is,
 * and whether what is said of them agrees with what they show.
 */
#include "dissectors/obix/state.h"

#define ALARMS                                                                 \
	(C_BIT(C_ALARM) | C_BIT(C_STATEFUL_ALARM) | C_BIT(C_ACK_ALARM) |       \
	 C_BIT(C_POINT_ALARM))
#define RECORD                                                                 \
	(C_BIT(C_HISTORY_RECORD) | C_BIT(C_HISTORY_ROLLUP_RECORD) | ALARMS)

/* --- members --- */

bool record_stamp(struct doc *d, struct span val)
{
	bool unbounded, ok = value_abstime(val, &d->now_ms, &unbounded);

	d->has_now = ok && !unbounded;
	return d->has_now;
}

bool record_begin(struct doc *d, struct span val)
{
	bool unbounded, ok = value_abstime(val, &d->begin_ms, &unbounded);

	d->has_begin = ok && !unbounded;
	return d->has_begin;
}

bool record_each(struct doc *d, struct span val)
{
	struct decimal n;

	if (!value_decimal(val, &n) || n.e < 0 || n.e > 9 || n.m < 0 ||
	    n.m > UINT32_MAX)
		return false;
	d->rolled.has_each = true;
	d->rolled.each = (uint32_t)n.m;
	for (; n.e > 0; n.e--)
		d->rolled.each = d->rolled.each < UINT32_MAX / 10
					 ? d->rolled.each * 10
					 : UINT32_MAX;
	/* Rolled up from one: minimum and maximum are that one. */
	if (d->rolled.each <= 1)
		d->single = true;
	return true;
}

void record_statistic(struct doc *d, enum obix_use use, struct span val)
{
	if (use == USE_SUM)
		d->rolled.has_sum = value_decimal(val, &d->rolled.sum);
	else if (use == USE_AVERAGE)
		d->rolled.has_average = value_decimal(val, &d->rolled.average);
}

/* --- one record --- */

bool record_are(contract_set of)
{
	return of & RECORD;
}

void record_start(struct doc *d, struct elem *el)
{
	/* In a record there is none: what it says is a value. Nor is what a
	 * History says they are like: a value in it is one of the object. */
	if (!(el->contracts & RECORD) || el->def || d->in_data || el->pattern)
		return;
	if (el->contracts & ALARMS) {
		el->contracts |= C_BIT(C_ALARM);
		doc_item(d)->meas |= MEAS_BIT(MEAS_EVENT_METER);
	} else {
		d->series = true;
	}
	el->record = true;
	d->in_data = true;
	d->has_now = d->has_begin = false;
	d->in_record = 0;
	memset(d->same, 0, sizeof(d->same));
	memset(&d->rolled, 0, sizeof(d->rolled));
	d->most = 0;
}

static double real_of(const struct decimal *d)
{
	double v = (double)d->m;

	for (int e = d->e; e > 0 && e < 300; e--)
		v *= 10;
	for (int e = d->e; e < 0 && e > -300; e++)
		v /= 10;
	return v;
}

/* Does its count follow from its other members, or is it what fits between its
 * ends at the interval of the history? Else it may be any number. */
static bool each_agrees(const struct reader *r)
{
	const struct doc *d = r->d;
	const struct learnt *l = learnt_find(r->m, doc_item(r->d)->object);
	uint32_t each = d->rolled.each;
	int64_t s;

	if (each <= 1)
		return true;
	if (d->rolled.has_sum && d->rolled.has_average &&
	    d->rolled.average.m) {
		double n = real_of(&d->rolled.sum) /
			   real_of(&d->rolled.average);

		return n >= 1 && n < UINT32_MAX && each == (uint32_t)(n + 0.5);
	}
	if (!l || !l->interval_s || !d->has_begin || !d->has_now)
		return false;
	s = (d->now_ms - d->begin_ms) / 1000;
	return s > 0 && each <= s / l->interval_s + 1;
}

static void record_gap(struct doc *d, int64_t gap)
{
	if (!d->has_gap || gap < d->gap_ms)
		d->gap_ms = gap;
	d->has_gap = true;
}

/*
 * Whoever asks for a roll-up chooses where its windows begin and how long they
 * are, and what two of them differ in is a window of its own: an hour from a
 * quarter past, less the hour before, or an hour beside 75 minutes, tell single
 * quarters. So windows count as no coarser than the grid that they begin and
 * end on. Grids are steps of which each is a part of the next, from midnight
 * of the meter's standard time, which has no daylight saving to shift them: of
 * windows on one of them no difference is finer than it.
 */
uint32_t record_grid(const struct reader *r, int64_t ms)
{
	static const uint32_t steps[] = {86400, 43200, 14400, 7200,
					 3600,	1800,  900,   300,
					 60,	15,    5,     1};
	int64_t s = ms / 1000 + r->c->dis->now.wall.std_off_s;

	if (ms % 1000 || s < 0)
		return 0;
	/* Months are on the grid of days, and are told as the shortest. */
	if (s % 86400 == 0 && civil_of(s).day == 1)
		return 28 * 86400;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (s % steps[i] == 0)
			return steps[i];
	}
	return 0;
}

static void window_ends(const struct reader *r, int64_t ms)
{
	struct doc *d = r->d;
	uint32_t grid = record_grid(r, ms);

	if (!d->has_grid || grid < d->grid_s)
		d->grid_s = grid;
	d->has_grid = true;
}

static void whole_span(struct item *it, const struct doc *d)
{
	int64_t begins = d->has_begin && d->begin_ms < d->now_ms ? d->begin_ms
								  : d->now_ms;

	if (!it->whole.stamped || begins < it->whole.begins)
		it->whole.begins = begins;
	if (!it->whole.stamped || d->now_ms < it->whole.oldest)
		it->whole.oldest = d->now_ms;
	if (!it->whole.stamped || d->now_ms > it->whole.newest)
		it->whole.newest = d->now_ms;
	it->whole.stamped = true;
}

/* When it was, and how long after the one before. */
static void record_time(const struct reader *r, struct item *it, bool rolled)
{
	struct doc *d = r->d;

	if (!d->has_now) {
		it->unstamped = true;
		return;
	}
	whole_span(it, d);
	if (!it->stamped || d->now_ms < it->oldest)
		it->oldest = d->now_ms;
	if (!it->stamped || d->now_ms > it->newest)
		it->newest = d->now_ms;
	it->stamped = true;
	if (rolled || it->op == OP_HISTORY_ROLLUP) {
		window_ends(r, d->now_ms);
		window_ends(r, d->has_begin ? d->begin_ms : d->now_ms);
	}
	if (rolled && (!d->has_begin || d->begin_ms >= d->now_ms))
		d->up = d->down = true;
	else if (d->has_begin)
		record_gap(d, d->now_ms - d->begin_ms);
	/* Of a feed the newest is first. */
	if (d->has_last && d->now_ms >= d->last_ms) {
		record_gap(d, d->now_ms - d->last_ms);
		d->up = true;
	} else if (d->has_last) {
		record_gap(d, d->last_ms - d->now_ms);
		d->down = true;
	}
	d->last_ms = d->now_ms;
	d->has_last = true;
}

void record_end(struct reader *r, const struct elem *el)
{
	struct doc *d = r->d;
	struct item *it = doc_item(d);

	d->in_data = false;
	/* Without how many there were a sum is a reading of its own. */
	if (d->rolled.has_sum && d->rolled.has_average && !d->rolled.has_each)
		d->most++;
	if (d->rolled.has_each && !each_agrees(r))
		item_hides(it, 1);
	/* All that it says is when: that may be any number. */
	if (d->in_record == 0 && !(el->contracts & ALARMS))
		item_hides(it, 1);
	/* Phases and directions are channels; more of one quantity may as well
	 * be so many readings of it, and each is as long as its share. */
	it->records++;
	it->whole.records++;
	it->readings += d->most ? d->most : 1;
	if (d->most > d->shares)
		d->shares = d->most;
	if (d->in_record > it->channels)
		it->channels = d->in_record;
	record_time(r, it, el->contracts & C_BIT(C_HISTORY_ROLLUP_RECORD));
}

/* --- all of them --- */

void record_whole(struct reader *r, struct item *it)
{
	const struct obix_ask *ask = r->c->ask;
	struct obix_bounds asked = it->asked ? it->bounds : ask->bounds;
	uint32_t written = it->asked ? it->written : ask->written;
	unsigned odd = 0;

	if (r->d->request)
		return;
	odd += it->whole.has_count && it->whole.count != it->whole.records;
	odd += it->whole.has_added && it->whole.added > written;
	odd += it->has_start &&
	       !(asked.has_start && it->start == asked.start) &&
	       !(it->whole.stamped && (it->start == it->whole.begins ||
				       it->start == it->whole.oldest));
	odd += it->has_end && !(asked.has_end && it->end == asked.end) &&
	       !(it->whole.stamped && it->end == it->whole.newest);
	item_hides(it, odd);
	it->whole.has_count = it->whole.has_added = false;
	it->has_start = it->has_end = false;
}
