/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of one flow. */
#include "policy-lang/analysis/bound_parts.h"

/* --- data ----------------------------------------------------------------
 */

struct span_of_data { /* what one layer demands of values */
	int64_t gran, history, delay, res;
	enum unit unit;
	uint32_t channels;
};

static struct span_of_data demands(const struct pol_image *im, uint32_t data)
{
	struct span_of_data d = {0, BOUND_NONE, 0, BOUND_NONE, UNIT_NONE, 0};
	const struct lay_data *x;

	if (data == LAY_NONE)
		return d;
	x = &im->DATA[data];
	if (x->flags & LAY_DATA_GRAN)
		d.gran = x->gran_lo;
	if (x->flags & LAY_DATA_HISTORY)
		d.history = x->history;
	if (x->flags & LAY_DATA_DELAY)
		d.delay = x->delay;
	if (x->flags & LAY_DATA_RES) {
		d.res = x->res_milli;
		d.unit = (enum unit)x->res_unit;
	}
	if (x->flags & LAY_DATA_CHANNELS)
		d.channels = x->channels;
	return d;
}

/* Both demand; a step in two units that differ binds by either. */
static struct span_of_data both(struct span_of_data a, struct span_of_data b)
{
	a.gran = a.gran > b.gran ? a.gran : b.gran;
	a.delay = a.delay > b.delay ? a.delay : b.delay;
	if (a.history == BOUND_NONE ||
	    (b.history != BOUND_NONE && b.history < a.history))
		a.history = b.history;
	if (a.res == BOUND_NONE ||
	    (b.res != BOUND_NONE && b.unit == a.unit && b.res > a.res)) {
		a.res = b.res;
		a.unit = b.unit;
	}
	if (!a.channels || (b.channels && b.channels < a.channels))
		a.channels = b.channels;
	return a;
}

/* One of them demands, who knows which. */
static struct span_of_data either(struct span_of_data a, struct span_of_data b)
{
	a.gran = a.gran < b.gran ? a.gran : b.gran;
	a.delay = a.delay < b.delay ? a.delay : b.delay;
	if (b.history == BOUND_NONE ||
	    (a.history != BOUND_NONE && b.history > a.history))
		a.history = b.history;
	if (b.res == BOUND_NONE || b.unit != a.unit || b.res < a.res) {
		a.res = b.unit == a.unit ? b.res : BOUND_NONE;
		a.unit = b.unit;
	}
	a.channels =
		a.channels && b.channels
			? (a.channels > b.channels ? a.channels : b.channels)
			: 0;
	return a;
}

static struct span_of_data way_demands(const struct place *at,
				       const struct bound_way *w, meas_set one,
				       bool customer)
{
	const struct pol_image *v = at->s->m[at->m].vendor;
	const struct pol_image *base = at->s->base, *c = at->s->customer;
	struct span_of_data d =
		demands(v, w->monitored ? LAY_NONE : v->RULE[w->rule].data);
	struct span_of_data up = {0};
	bool first = true;

	for (size_t i = 0; i < w->n_alt && !w->any_alt; i++) {
		struct span_of_data x;

		if (!(w->alt[i].meas & one))
			continue;
		x = demands(base, base->RULE[w->alt[i].ceiling].data);
		up = first ? x : either(up, x);
		first = false;
	}
	if (!first)
		d = both(d, up);
	for (uint32_t i = 0; customer && c && i < c->n_RULE; i++) {
		if (w->rule != BOUND_NO_RULE && c->RULE[i].data != LAY_NONE &&
		    c->DATA[c->RULE[i].data].meas & one &&
		    bound_covers(at, LAYER_CUSTOMER, COL_RESTRICT, i, w->rule,
				 one))
			d = both(d, demands(c, c->RULE[i].data));
	}
	return d;
}

/* --- figures -------------------------------------------------------------
 */

static const struct {
	int64_t at_least;
	char grade;
} grades[] = {
  /* five sixths of a month, a day, an hour, 15 min, a minute */
	{28 * MOST_DAY_NS / 6 * 5, 'A'},
	{20 * HOUR_NS,             'B'},
	{50 * 60 * NS_PER_S,       'C'},
	{750 * NS_PER_S,           'D'},
	{50 * NS_PER_S,            'E'}
};
#define N_GRADES (sizeof(grades) / sizeof(grades[0]))

char bound_grade(int64_t ns)
{
	for (size_t i = 0; i < N_GRADES; i++) {
		if (ns >= grades[i].at_least)
			return grades[i].grade;
	}
	return 'F';
}

int64_t bound_grade_from(char grade)
{
	for (size_t i = 0; i < N_GRADES; i++) {
		if (grade == grades[i].grade)
			return grades[i].at_least;
	}
	return grade == 'F' ? 0 : INT64_MAX;
}

bool bound_use(enum meas meas)
{
	return MEAS_BIT(meas) & meas_use();
}

static char meas_grade(enum meas meas, int64_t spacing_ns)
{
	char g = bound_grade(spacing_ns);

	if (bound_use(meas))
		return g;
	switch (meas) {
	case MEAS_VOLTAGE_INTERVAL:
	case MEAS_VOLTAGE_INSTANT:
		return g == 'A' ? g : (char)(g - 1);
	case MEAS_SIGNAL_WAVEFORM:
	case MEAS_SIGNAL_SPECTRUM:
	case MEAS_UNKNOWN_TABLE:
		return 'F';
	case MEAS_CLIMATE_TEMPERATURE:
		return spacing_ns < HOUR_NS / 6 * 5 ? 'E' : 'C';
	case MEAS_APPLIANCE_STATE:
	case MEAS_PRESENCE_SENSOR:
		return spacing_ns < 20 * HOUR_NS ? 'F' : g;
	default:
		return '-';
	}
}

static uint64_t count_in(const void *arg, int64_t ns)
{
	const struct counting *c = arg;
	struct bound_in in = {.ns = ns, .held = true};

	return c->w ? bound_way_most(c->b, c->w, c->meas, THING_READINGS, in)
		    : bound_most(c->b, &c->r, 1, c->meas, THING_READINGS, in);
}

int64_t bound_sustained(const struct counting *c, unsigned gaps)
{
	/* A way is asked for each of its types, and there may be many. */
	bool alone = c->w && c->w->any_alt && c->meas & c->w->meas &&
		     !(c->meas & (c->meas - 1));
	int64_t ns = alone ? bound_way_reach(c->w, c->meas, gaps + 1u)
			   : most_shortest(count_in, c, gaps + 1u);

	return ns == INT64_MAX ? ns : ns / (int64_t)gaps;
}

/* New values a day (step 5): no more than the readings hold, than the day has
 * intervals, the last of them begun, and than limits on values allow. Of each
 * quantity where nobody says how many a message may have (bound.h). */
static void fill_values(struct bound_flow *f, uint64_t limit)
{
	uint64_t channels = f->channels ? f->channels : 1, each = channels;
	uint64_t fresh = MOST_UNLIMITED;

	if (meas_class(f->meas) == MEAS_CLASS_SERIES) {
		each = f->backlog = MOST_UNLIMITED;
		if (f->granularity_ns && f->history_ns != BOUND_NONE)
			each = f->backlog =
				most_mul(f->history_ns > f->delay_ns
						 ? (uint64_t)((f->history_ns -
							       f->delay_ns) /
							      f->granularity_ns)
						 : 0,
					 channels);
		if (f->granularity_ns)
			fresh = most_mul((uint64_t)((MOST_DAY_NS - 1) /
						    f->granularity_ns) +
						 1,
					 channels);
	}
	f->values_day = least(
		least(most_mul(f->readings[MOST_DAY], each), fresh), limit);
}

/* Step 6: what all readings of a day show of it. */
static int64_t coverage(const struct bound_flow *f)
{
	bool is = meas_class(f->meas) == MEAS_CLASS_SERIES;
	int64_t each = f->spacing_ns;
	unsigned __int128 ns;

	if (is && f->history_ns != BOUND_NONE &&
	    f->history_ns - f->delay_ns > each)
		each = f->history_ns - f->delay_ns;
	ns = (unsigned __int128)f->readings[MOST_DAY] * (uint64_t)each;
	return (is && f->history_ns == BOUND_NONE) ||
			       ns > (uint64_t)MOST_DAY_NS || each == 0
		       ? MOST_DAY_NS
		       : (int64_t)ns;
}

void bound_fill_flow(const struct bound *b, const struct place *at,
		     const struct bound_way *w, enum meas meas, bool customer,
		     struct bound_flow *f)
{
	const struct pol_image *v = at->s->m[at->m].vendor;
	meas_set one = MEAS_BIT(meas);
	struct span_of_data d = way_demands(at, w, one, customer);
	struct counting c = {b, NULL, w, one};
	enum meas_class class = meas_class(meas);

	/* Nobody asks how old these are (eval/guards.c). */
	if (class == MEAS_CLASS_INBOUND || class == MEAS_CLASS_ATTRIBUTE) {
		d.delay = 0;
		d.history = BOUND_NONE;
	}
	*f = (struct bound_flow){.party = w->party,
				 .party_name = img_str(v, v->PRTY[w->party].id),
				 .rule = w->rule,
				 .meas = meas,
				 .granularity_ns = d.gran,
				 .history_ns = d.history,
				 .delay_ns = d.delay,
				 .res_milli = d.res,
				 .res_unit = d.unit,
				 .channels = d.channels,
				 .answer = -1,
				 .monitored = w->monitored,
				 .until_s = bound_trial_ends(v, w->rule)};
	for (int s = 0; s < MOST_SPANS; s++)
		f->readings[s] = bound_way_most(
			b, w, one, THING_READINGS,
			(struct bound_in){.span = (enum most_span)s});
	if (class == MEAS_CLASS_SERIES) {
		f->spacing_ns = d.gran;
	} else {
		f->granularity_ns = 0;
		f->spacing_ns = bound_sustained(&c, 8);
	}
	fill_values(f, bound_way_most(b, w, one, THING_VALUES,
				      (struct bound_in){.span = MOST_DAY}));
	f->with_ns = f->spacing_ns;
	f->with_grade = f->grade = meas_grade(meas, f->spacing_ns);
	f->coverage_ns = coverage(f);
	if (w->rule == BOUND_NO_RULE)
		return;
	f->rule_name = img_str(v, v->RULE[w->rule].id);
	f->purpose = img_text(v, v->RULE[w->rule].purpose);
	f->consent = v->RULE[w->rule].consent;
	f->answer = (int8_t)bound_answered(at->s, at->m, w->rule);
	if (v->RULE[w->rule].guard != LAY_NONE && !w->monitored) {
		const struct lay_guard *g = &v->GARD[v->RULE[w->rule].guard];

		f->requires_ = g->requires_;
		f->requires_builtin = g->requires_builtin;
	}
}

int64_t bound_together(const struct bound *b, const struct bound_recipient *r,
		       meas_set meas)
{
	struct counting c = {b, r, NULL, 0};

	for (size_t i = 0; i < r->n_flow; i++) {
		meas_set one = MEAS_BIT(r->flow[i].meas);

		if (meas_class(r->flow[i].meas) != MEAS_CLASS_SERIES &&
		    (meas ? meas : meas_use()) & one)
			c.meas |= one;
	}
	return c.meas ? bound_sustained(&c, 32) : INT64_MAX;
}

/* Once for each type: each may have as many flows as there are rules. */
void bound_fill_with(const struct bound *b, struct bound_recipient *r)
{
	size_t n[MEAS_COUNT] = {0};
	int64_t ns[MEAS_COUNT];

	for (size_t i = 0; i < r->n_flow; i++)
		n[r->flow[i].meas]++;
	for (unsigned m = 0; m < MEAS_COUNT; m++) {
		if (bound_use((enum meas)m) || n[m] < 2 ||
		    meas_class((enum meas)m) == MEAS_CLASS_SERIES)
			n[m] = 0;
		else
			ns[m] = bound_together(b, r, MEAS_BIT(m));
	}
	for (size_t i = 0; i < r->n_flow; i++) {
		struct bound_flow *f = &r->flow[i];

		if (n[f->meas] == 0)
			continue;
		if (ns[f->meas] < f->with_ns)
			f->with_ns = ns[f->meas];
		f->with_grade = meas_grade(f->meas, f->with_ns);
	}
}
