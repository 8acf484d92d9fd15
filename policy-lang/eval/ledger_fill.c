/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A limit that is new begins with what the ledger says. Where the ledger is
 * coarser than the limit, by an hour or a day at the edge of its window or in
 * what it counts, the limit begins with more than was used, never with less.
 */
#include "policy-lang/eval/ledger.h"

/* --- which rows a limit counts ------------------------------------------- */

static void directions(const struct pol_image *im, uint32_t i, bool dir[2])
{
	for (uint32_t c = 0; c < im->n_COLS; c++) {
		for (uint32_t d = 0; d < 2; d++)
			dir[d] |= limit_charged_col(im, &im->COLS[c], i) &&
				  bit_get(img_row(im, &im->OBSV[LAY_DIM_DIR],
						  d),
					  c);
	}
}

/* What it counts; spacing, between readings or between messages. */
unsigned ledger_unit(const struct set_limit *sl)
{
	const struct lay_limit *l = sl->l;
	bool data = sl->layer == LAYER_VENDOR && l->rule != LAY_NONE &&
		    sl->im->RULE[l->rule].data != LAY_NONE;

	if (l->kind == LIMIT_SPACING)
		return data ? USED_READINGS : USED_MESSAGES;
	/* How many different ones is not in the ledger: at most so many. */
	if (l->kind == LIMIT_DISTINCT)
		return USED_MESSAGES;
	switch (l->thing) {
	case THING_READINGS:
		return USED_READINGS;
	case THING_VALUES:
		return USED_VALUES;
	case THING_PACKETS:
		return USED_PACKETS;
	case THING_CONNECTIONS:
		return USED_CONNECTIONS;
	case THING_REFUSALS:
		return USED_REFUSALS;
	case THING_BYTES:
		return USED_BYTES;
	default:
		return USED_MESSAGES;
	}
}

static meas_set types_of(const struct set_limit *sl)
{
	const struct lay_limit *l = sl->l;
	uint32_t data = l->rule == LAY_NONE ? LAY_NONE
					    : sl->im->RULE[l->rule].data;

	if (l->meas)
		return l->meas & ~MEAS_ABOUT;
	return data == LAY_NONE ? MEAS_ALL
				: sl->im->DATA[data].meas & ~MEAS_ABOUT;
}

/* Does its window, if it began now, reach back before the loss? */
static bool reaches_loss(const struct pol_state *st, const struct lay_limit *l)
{
	const uint64_t *lg = st->w + st->ledger;
	int64_t today = ledger_today(st);

	if (lg[LG_LOST_NS] == 0)
		return false;
	if (l->kind == LIMIT_CONCURRENT)
		return false; /* connections end with who judged them */
	if (l->kind == LIMIT_BUCKET)
		return st->now.mono.ns - (int64_t)lg[LG_LOST_NS] <
		       limit_drain(l);
	if (l->window_ns > 0)
		return st->now.mono.ns - (int64_t)lg[LG_LOST_NS] < l->window_ns;
	if ((int64_t)lg[LG_LOST_NS] >= ledger_entered(st, l->window))
		return true;
	if (l->window == WINDOW_HOUR)
		return (int64_t)lg[LG_LOST_DAY] >= today;
	return (int64_t)lg[LG_LOST_DAY] >=
	       calendar_start_day(st, l, ledger_window(st, l));
}

void ledger_ask(const struct pol_state *st, uint32_t limit,
		struct ledger_ask *a)
{
	const struct pol_set *s = st->s;
	const struct set_limit *sl = &s->limit[limit];
	uint32_t i = (uint32_t)(sl->l - sl->im->LIMT);

	memset(a, 0, sizeof(*a));
	a->l = sl;
	a->index = limit;
	a->unit = ledger_unit(sl);
	a->meas = types_of(sl);
	a->lost = reaches_loss(st, sl->l);
	if (sl->l->flags & LAY_LIMIT_FLOOR) {
		/* Charged for what a floor keeps, by none of its columns. */
		memset(a->charged, 1, sizeof(a->charged));
		a->dir[0] = a->dir[1] = true;
		return;
	}
	directions(sl->im, i, a->dir);
	for (size_t m = 0; m < s->n_m; m++) {
		if (sl->layer != LAYER_VENDOR || s->m[m].vendor == sl->im)
			limit_charged_by(s, m, sl, i, a->charged[m]);
	}
}

static bool by_type(const struct ledger_ask *a)
{
	return a->unit == USED_READINGS || a->unit == USED_VALUES;
}

/* Is that a row of what the counter of measurement meas counts? A message of
 * several types is a reading of each; the row of any type counts it once, and
 * so is the closer bound. */
static bool counts(const struct ledger_ask *a, uint64_t what, unsigned meas)
{
	unsigned type = MEAS_COUNT;

	if (what_unit(what) != a->unit || !a->dir[what_dir(what)])
		return false;
	if (a->unit == USED_VALUES && !a->l->by_meas)
		return a->meas >> what_meas(what) & 1;
	if (a->l->by_meas && by_type(a))
		type = meas;
	else if (by_type(a) && __builtin_popcountll(a->meas) == 1)
		type = (unsigned)__builtin_ctzll(a->meas);
	return what_meas(what) == type;
}

/* Does the counter at word at count that row's machine and party? */
static bool theirs(const struct pol_state *st, const struct ledger_ask *a,
		   const uint64_t *row, uint32_t at, unsigned meas)
{
	const struct pol_set *s = st->s;

	for (size_t m = 0; m < s->n_m; m++) {
		const struct mem_machine *mc = &st->mem.m[m];

		if (mc->name != row[LR_MACHINE])
			continue;
		for (uint32_t p = 0; p <= mc->n_party; p++) {
			int party = p == mc->n_party ? -1 : (int)p;

			if (st->mem.names[mc->party + p] == row[LR_PARTY] &&
			    a->charged[m][p] &&
			    limit_at(s, a->index, m, party,
				     a->l->by_meas ? meas : 0) == at)
				return true;
		}
	}
	return false;
}

/* --- all of them together ------------------------------------------------ */

struct sums {
	uint64_t hour[LEDGER_HOURS], day[LEDGER_DAYS]; /* [0]: the present */
	uint64_t last;
	bool any;
};

static void add(uint64_t *to, uint64_t n)
{
	*to = n > UINT64_MAX - *to ? UINT64_MAX : *to + n;
}

static void add_row(const struct pol_state *st, const uint64_t *row,
		    struct sums *s)
{
	int64_t hour = st->now.mono.ns / HOUR_NS, day = ledger_today(st);

	s->any = true;
	if (row[LR_LAST] > s->last)
		s->last = row[LR_LAST];
	for (int64_t k = 0; k < LEDGER_HOURS; k++)
		add(&s->hour[k], ledger_hour(row, hour - k));
	for (int64_t k = 0; k < LEDGER_DAYS; k++)
		add(&s->day[k], ledger_of_day(row, day - k));
}

static void gather(const struct pol_state *st, const struct ledger_ask *a,
		   uint32_t at, unsigned meas, struct sums *s)
{
	uint64_t *lg = st->w + st->ledger;

	memset(s, 0, sizeof(*s));
	for (uint64_t i = 0; i < lg[LG_ROWS]; i++) {
		const uint64_t *row = ledger_row(lg, i);
		bool everyone = row[LR_MACHINE] == 0;

		/* Of everyone's nothing but the unit is known. */
		if (everyone ? what_unit(row[LR_WHAT]) == a->unit &&
				       a->dir[what_dir(row[LR_WHAT])]
			     : counts(a, row[LR_WHAT], meas) &&
				       theirs(st, a, row, at, meas))
			add_row(st, row, s);
	}
}

/* --- into counters ------------------------------------------------------- */

/* At the end of an hour at the latest; the present one ends now. */
static int64_t hour_end(const struct pol_state *st, int64_t k)
{
	int64_t now = st->now.mono.ns;

	return k == 0 ? now : (now / HOUR_NS - k + 1) * HOUR_NS - 1;
}

/* A day ended with what it counted last. */
static int64_t day_end(const struct pol_state *st, int64_t k)
{
	const uint64_t *at = st->w + st->ledger + LG_DAYS_AT;

	return (int64_t)at[(uint64_t)(ledger_today(st) - k) % LEDGER_DAYS];
}

/* Hours go as far as they go; before them, or where the wall clock's days
 * hold more, days. */
struct step {
	int64_t end;
	uint64_t n;
};

/* The steps within the last window_ns, the oldest first. */
static uint32_t steps_of(const struct pol_state *st, int64_t window_ns,
			 const struct sums *s, struct step out[LEDGER_DAYS])
{
	int64_t since = st->now.mono.ns - window_ns;
	struct step days[LEDGER_DAYS];
	uint64_t of_hours = 0, of_days = 0;
	uint32_t n = 0, n_days = 0;

	for (int64_t k = LEDGER_HOURS; k-- > 0;) {
		if (s->hour[k] == 0 || hour_end(st, k) <= since)
			continue;
		out[n++] = (struct step){hour_end(st, k), s->hour[k]};
		add(&of_hours, s->hour[k]);
	}
	if (window_ns <= (LEDGER_HOURS - 1) * HOUR_NS)
		return n;
	for (int64_t k = LEDGER_DAYS; k-- > 0;) {
		if (s->day[k] == 0 || day_end(st, k) <= since)
			continue;
		days[n_days++] = (struct step){day_end(st, k), s->day[k]};
		add(&of_days, s->day[k]);
	}
	if (of_days < of_hours)
		return n;
	memcpy(out, days, n_days * sizeof(*days));
	return n_days;
}

static uint64_t total(const struct step *step, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		add(&sum, step[i].n);
	return sum;
}

static uint64_t in_days(const struct pol_state *st, const struct lay_limit *l,
			const struct sums *s)
{
	int64_t today = ledger_today(st);
	int64_t first = calendar_start_day(st, l, ledger_window(st, l));
	int64_t entered = ledger_entered(st, l->window);
	uint64_t used = 0;

	for (int64_t k = 0; k < LEDGER_DAYS; k++) {
		if (k <= today - first || day_end(st, k) >= entered)
			add(&used, s->day[k]);
	}
	return used;
}

/* Since the wall clock's hour was entered; when that is long ago, for it was
 * set back, in that day. */
static uint64_t in_hour(const struct pol_state *st, const struct lay_limit *l,
			const struct sums *s)
{
	int64_t entered = ledger_entered(st, l->window);
	uint64_t used = 0;

	if (st->now.mono.ns - entered > (LEDGER_HOURS - 2) * HOUR_NS)
		return s->day[0];
	for (int64_t k = 0; k < LEDGER_HOURS; k++) {
		if (hour_end(st, k) >= entered)
			add(&used, s->hour[k]);
	}
	return used;
}

static uint64_t in_calendar(const struct pol_state *st,
			    const struct lay_limit *l, const struct sums *s)
{
	static const int64_t days[] = {
		[WINDOW_HOUR] = 0,   [WINDOW_DAY] = 1,	    [WINDOW_WEEK] = 7,
		[WINDOW_MONTH] = 31, [WINDOW_BILLING] = 31, [WINDOW_YEAR] = 366};
	struct step step[LEDGER_DAYS];
	uint64_t used, within;
	int64_t ns = days[l->window] * DAY_S * NS_PER_S;

	used = l->window == WINDOW_HOUR ? in_hour(st, l, s) : in_days(st, l, s);
	if (st->trusted)
		return used;
	/* Windows may have been left too early: what a whole one may hold. */
	within = total(step, steps_of(st, ns ? ns : HOUR_NS, s, step));
	return used > within ? used : within;
}

/* When a counter that counted all of it entered the ledger's window: as late as
 * that may have been, but no later, or it would still be in that window when
 * a clock that is not trusted has long led others out of it; set right, that
 * clock would then open it one more. */
static int64_t entered_by(const struct pol_state *st, const struct lay_limit *l,
			  const struct sums *s)
{
	int64_t of_all = ledger_entered(st, l->window);
	int64_t first = (int64_t)s->last, end;

	for (int64_t k = 0; k < LEDGER_HOURS; k++) {
		end = hour_end(st, k);
		if (s->hour[k] && end >= of_all && end < first)
			first = end;
	}
	for (int64_t k = 0; k < LEDGER_DAYS; k++) {
		end = day_end(st, k);
		if (s->day[k] && end >= of_all && end < first)
			first = end;
	}
	return first > of_all ? first : of_all;
}

static void fill_calendar(const struct pol_state *st,
			  const struct lay_limit *l, const struct sums *s,
			  uint64_t *w)
{
	uint64_t used = in_calendar(st, l, s);

	w[0] = (uint64_t)ledger_window(st, l);
	w[1] = used < l->n ? used : l->n;
	w[2] = (uint64_t)entered_by(st, l, s);
}

static void fill_sliding(const struct pol_state *st, const struct lay_limit *l,
			 const struct sums *s, uint64_t *w)
{
	struct step step[LEDGER_DAYS];
	/* Its sub-windows are kept until they are completely outside. */
	uint32_t n = steps_of(st, l->window_ns + sub_ns(l), s, step);
	int64_t sub = st->now.mono.ns / sub_ns(l);
	uint64_t left = l->n;

	memset(w, 0, limit_words(l) * sizeof(*w));
	w[0] = (uint64_t)sub + 1;
	/* The newest first: what does not fit is the first to go. */
	for (uint32_t i = n; i-- > 0 && left > 0;) {
		int64_t at = step[i].end > 0 ? step[i].end / sub_ns(l) : 0;
		uint64_t p, k = step[i].n < left ? step[i].n : left;

		at = at < sub - SUBS ? sub - SUBS : at;
		p = (uint64_t)(at > 0 ? at : 0) % RING;
		w[RING_AT + p / 2] += k << (p % 2 * 32);
		left -= k;
	}
	w[1] = l->n - left;
}

/* When it is empty again after all there was: what was full once is empty
 * later. *since: when it was empty last and then filled. */
static int64_t bucket_tat(const struct pol_state *st, const struct lay_limit *l,
			  const struct sums *s, int64_t *since)
{
	struct step step[LEDGER_DAYS];
	uint32_t n = steps_of(st, INT64_MAX / 4, s, step);
	int64_t full = limit_drain(l), tat = 0;

	*since = 0;
	for (uint32_t i = 0; i < n; i++) {
		u128 more = units_ns(l, step[i].n < l->burst ? step[i].n
							     : l->burst);

		if (tat <= step[i].end)
			tat = *since = step[i].end;
		tat = more > (u128)full ? step[i].end + full
					: tat + (int64_t)more;
		if (tat > step[i].end + full)
			tat = step[i].end + full;
	}
	return tat;
}

static void fill_bucket(const struct pol_state *st, const struct lay_limit *l,
			const struct sums *s, uint64_t *w)
{
	int64_t since, tat = bucket_tat(st, l, s, &since);

	if (tat > st->now.mono.ns) {
		w[0] = (uint64_t)tat;
		w[1] = 1;
	}
}

int64_t ledger_bucket_since(const struct pol_state *st, uint32_t limit)
{
	const struct mem_limit *x = &st->mem.limit[limit];
	uint64_t n = mem_limit_count(st->mem.head, x);
	int64_t now = st->now.mono.ns, first = now, since;
	struct ledger_ask a;
	struct sums s;

	ledger_ask(st, limit, &a);
	for (uint64_t k = 0; k < n; k++) {
		gather(st, &a, x->base + (uint32_t)k * x->words,
		       x->by_meas ? (unsigned)(k % MEAS_COUNT) : 0, &s);
		if (s.any && bucket_tat(st, a.l->l, &s, &since) > now &&
		    since <= first)
			first = since - 1;
	}
	return first;
}

static uint64_t in_window(const struct pol_state *st,
			  const struct lay_limit *l, const struct sums *s)
{
	struct step step[LEDGER_DAYS];

	return l->window == WINDOW_SLIDING
		       ? total(step, steps_of(st, l->window_ns, s, step))
		       : in_calendar(st, l, s);
}

void ledger_fill(struct pol_state *st, const struct ledger_ask *a, uint32_t at,
		 unsigned meas)
{
	const struct lay_limit *l = a->l->l;
	uint64_t *w = st->w + at;
	struct sums s;

	if (l->kind == LIMIT_CONCURRENT)
		return;
	if (a->lost) {
		limit_fill(st, l, w, UINT64_MAX);
		return;
	}
	gather(st, a, at, meas, &s);
	if (!s.any)
		return;
	switch (l->kind) {
	case LIMIT_CALENDAR:
		fill_calendar(st, l, &s, w);
		break;
	case LIMIT_SLIDING:
		fill_sliding(st, l, &s, w);
		break;
	case LIMIT_BUCKET:
		fill_bucket(st, l, &s, w);
		break;
	case LIMIT_SPACING:
		w[0] = s.last;
		w[1] = 1;
		break;
	default:
		limit_fill(st, l, w, in_window(st, l, &s));
		if (l->window != WINDOW_SLIDING)
			w[2] = (uint64_t)entered_by(st, l, &s);
		break;
	}
}
