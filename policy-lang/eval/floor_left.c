/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a customer's restrictions leave, all together, of what a floor keeps.
 *
 * Each may leave enough and both nothing: hours that do not meet, Mondays and
 * an interval of 30 days. So a year or so is gone through: in each window of
 * the floor its readings are placed as early as the hours and the least gap
 * allow, which leaves the most room for the next ones. What fails without the
 * restrictions as well is not their fault.
 *
 * A limit that leaves room for n in a window is taken as a gap of window / n,
 * which keeps it whatever its windows are; where it counts in the floor's own
 * windows, and as many, it needs none.
 */
#include "policy-lang/eval/floor.h"

#define DAY_MIN	 (24 * 60)
#define WEEK_MIN (7 * DAY_MIN)
#define WEEK_S	 (WEEK_MIN * INT64_C(60))
#define DAY_S	 INT64_C(86400)
#define STEPS	 2000000 /* readings looked at */

struct plan {
	uint8_t open[WEEK_MIN];	 /* of a civil week that begins on Monday */
	uint16_t wait[WEEK_MIN]; /* minutes to the next open one */
	bool never;
	int64_t gap_s;
};

static bool within_hours(const struct lay_guard *g, uint32_t minute,
			 uint32_t len)
{
	int32_t since = (int32_t)(minute % DAY_MIN) - g->from_min;
	uint32_t day = minute / DAY_MIN;

	if (since < 0) {
		since += DAY_MIN;
		day = (day + 6) % 7;
	}
	return (uint32_t)since < len && (!g->days || g->days >> day & 1);
}

static uint32_t hours_len(const struct lay_guard *g)
{
	int32_t len = (int32_t)g->to_min - g->from_min;

	return (uint32_t)(len < 0 ? len + DAY_MIN : len);
}

static const struct lay_guard *hours_of(const struct pol_image *im,
					const struct lay_rule *r)
{
	return r->guard != LAY_NONE &&
			       im->GARD[r->guard].flags & LAY_GUARD_WHEN
		       ? &im->GARD[r->guard]
		       : NULL;
}

static void add_hours(struct plan *p, const struct lay_guard *g)
{
	for (uint32_t i = 0; g && i < WEEK_MIN; i++)
		p->open[i] = p->open[i] && within_hours(g, i, hours_len(g));
}

/* A slot lies somewhere in its hours, who knows where: that others leave a part
 * of them is not enough. */
static void add_slot(struct plan *p, const struct lay_guard *g)
{
	uint32_t slot = g ? (uint32_t)(g->spread / (60 * NS_PER_S)) : 0;

	if (!slot)
		return;
	for (uint32_t i = 0; i < WEEK_MIN; i++) {
		if (within_hours(g, i, hours_len(g)) && !p->open[i])
			p->never = true;
	}
	for (uint32_t i = 0; i < WEEK_MIN; i++)
		p->open[i] = p->open[i] && within_hours(g, i, slot);
}

static void add_gap(struct plan *p, const struct lay_limit *l, uint64_t room,
		    const struct lay_limit *keep)
{
	static const int64_t longest[] = {
		[WINDOW_HOUR] = 3600,	      [WINDOW_DAY] = DAY_S,
		[WINDOW_WEEK] = 7 * DAY_S,    [WINDOW_MONTH] = 31 * DAY_S,
		[WINDOW_BILLING] = 31 * DAY_S, [WINDOW_YEAR] = 366 * DAY_S};
	int64_t ns = l->window_ns, n = (int64_t)room;

	if (l->thing == THING_REFUSALS || l->kind > LIMIT_SPACING ||
	    (l->kind == LIMIT_CALENDAR && keep->kind == LIMIT_CALENDAR &&
	     l->window == keep->window && room >= keep->n))
		return;
	if (l->kind == LIMIT_CALENDAR)
		ns = longest[l->window] * NS_PER_S;
	if (l->kind == LIMIT_SPACING || n < 1)
		n = 1;
	ns = ns / n + (ns % n != 0);
	ns = ns / NS_PER_S + (ns % NS_PER_S != 0);
	if (ns > p->gap_s)
		p->gap_s = ns;
}

static void find_waits(struct plan *p)
{
	uint32_t wait = UINT16_MAX;

	for (uint32_t i = 2 * WEEK_MIN; i-- > 0;) {
		if (p->open[i % WEEK_MIN])
			wait = 0;
		p->wait[i % WEEK_MIN] = (uint16_t)wait;
		wait += wait < UINT16_MAX;
	}
	p->never |= p->wait[0] == UINT16_MAX;
}

static int64_t next_open(const struct plan *p, int64_t s)
{
	int64_t minute = s / 60;
	uint16_t wait = p->wait[minute % WEEK_MIN];

	return wait ? (minute + wait) * 60 : s;
}

/* Length of the floor's window number i. */
static int64_t window_s(const struct lay_limit *keep, unsigned i)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30,
				       31, 31, 30, 31, 30, 31};

	if (keep->kind != LIMIT_CALENDAR)
		return keep->window_ns / NS_PER_S;
	switch (keep->window) {
	case WINDOW_HOUR:
		return 3600;
	case WINDOW_DAY:
		return DAY_S;
	case WINDOW_WEEK:
		return 7 * DAY_S;
	case WINDOW_YEAR:
		return 365 * DAY_S;
	default:
		return days[i % 12] * DAY_S;
	}
}

/* From s on, each window with its readings. */
static bool keeps_from(const struct plan *p, const struct lay_limit *keep,
		       int64_t s)
{
	int64_t next = s, until = s + 8 * WEEK_S;
	uint32_t steps = 0;

	for (unsigned i = 0; i < 26 || s < until; i++) {
		int64_t end = s + window_s(keep, i);

		if (next < s)
			next = s;
		for (uint64_t n = 0; n < keep->n; n++) {
			next = next_open(p, next);
			if (next >= end)
				return false;
			next += p->gap_s;
			if (p->gap_s == 0)
				break;
			if (++steps == STEPS)
				return true;
		}
		s = end;
	}
	return true;
}

/* A window may begin on any day, those of the calendar in standard time, which
 * is an hour behind in summer. */
static bool keeps(struct plan *p, const struct lay_limit *keep)
{
	int64_t length = window_s(keep, 0);

	find_waits(p);
	if (p->never || length <= 0)
		return false;
	for (int64_t s = 0; s < WEEK_S; s += DAY_S) {
		if (!keeps_from(p, keep, s) || !keeps_from(p, keep, s + 3600))
			return false;
		if (keep->kind == LIMIT_CALENDAR && length <= 7 * DAY_S)
			break; /* they begin each hour, day or Monday */
	}
	return true;
}

static void start(struct plan *p, const struct floor_left *f)
{
	*p = (struct plan){.never = false};
	for (uint32_t i = 0; i < WEEK_MIN; i++)
		p->open[i] = 1;
	add_hours(p, hours_of(f->vendor, f->grant));
}

bool floor_is_left(const struct floor_left *f)
{
	struct plan p;

	start(&p, f);
	add_slot(&p, hours_of(f->vendor, f->grant));
	if (!keeps(&p, f->keep))
		return true;
	start(&p, f);
	for (uint32_t i = 0; i < f->customer->n_RULE; i++) {
		const struct lay_rule *r = &f->customer->RULE[i];

		if (!bit_get(f->restrict_, i))
			continue;
		add_hours(&p, hours_of(f->customer, r));
		for (uint32_t k = 0; k < r->limit_n; k++)
			add_gap(&p, &f->customer->LIMT[r->limit_first + k],
				f->room[r->limit_first + k], f->keep);
	}
	add_slot(&p, hours_of(f->vendor, f->grant));
	for (uint32_t i = 0; i < f->customer->n_RULE; i++) {
		if (bit_get(f->restrict_, i))
			add_slot(&p, hours_of(f->customer,
					      &f->customer->RULE[i]));
	}
	return keeps(&p, f->keep);
}
