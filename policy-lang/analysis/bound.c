/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/analysis/bound.h"

#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/eval/internal.h"
#include "policy-lang/image/home.h"

#define HOUR_NS (3600 * NS_PER_S)
#define CAPS	32 /* that are looked at; more would only lower a figure */

/* --- what covers what ---------------------------------------------------- */

/* Does column a select all that column b does, out or in, of messages with
 * these types (0: with none)? Columns of two images have classes of their own;
 * then only a column that asks for no attribute is sure to. */
static bool covers(const struct pol_image *ia, uint32_t a,
		   const struct pol_image *ib, uint32_t b, enum dir dir,
		   meas_set meas)
{
	const struct lay_dim *d = ia->OBSV;

	if (!bit_get(img_row(ia, &d[LAY_DIM_DIR], dir), a))
		return false;
	if (!(ia->COLS[a].flags & LAY_COL_MATCH))
		return true;
	if (meas == 0 && !bit_get(img_row(ia, &d[LAY_DIM_MEAS], MEAS_COUNT), a))
		return false;
	for (meas_set s = meas; s; s &= s - 1) {
		if (!bit_get(img_row(ia, &d[LAY_DIM_MEAS],
				     (uint32_t)__builtin_ctzll(s)),
			     a))
			return false;
	}
	for (uint16_t k = 0; k < OBS_COUNT; k++) {
		if (bit_get(match_kind(ib, k), b) &&
		    !bit_get(match_kind(ia, k), a))
			return false;
	}
	for (uint32_t i = LAY_DIM_FIELDS; i < ia->n_OBSV; i++) {
		for (uint32_t r = 0; r < d[i].n_rows; r++) {
			const uint64_t *row = img_row(ia, &d[i], r);

			if (!bit_get(row, a) && (ia != ib || bit_get(row, b)))
				return false;
		}
	}
	return true;
}

struct place { /* of one party of one machine */
	const struct pol_set *s;
	uint16_t m, party;
	enum dir dir;
};

/* Is grant g of an image one of the rule's, or, with BOUND_NO_RULE, a ceiling
 * over the party? */
static bool grants(const struct place *at, const struct pol_image *of,
		   uint32_t g, uint32_t rule)
{
	if (rule != BOUND_NO_RULE)
		return of->COLS[g].owner == rule;
	return bit_get(at->s->m[at->m].rows[LAYER_BASE] +
			       (size_t)at->party * of->words,
		       g) &&
	       bit_get(img_row(of, &of->OBSV[LAY_DIM_DIR], at->dir), g);
}

/* Does a column of that type and owner in that layer cover all that a rule of
 * the machine's policy, or the baseline, lets pass to the party? owner LAY_NONE: any of those
 * that may: denials and blocks. */
static bool layer_covers(const struct place *at, enum layer l,
			 enum lay_col_type type, uint32_t owner, uint32_t rule,
			 meas_set meas)
{
	const struct machine *m = &at->s->m[at->m];
	const struct pol_image *im = set_image(at->s, at->m, l);
	const struct pol_image *of = rule == BOUND_NO_RULE ? at->s->base
							   : m->vendor;
	const uint64_t *row;

	if (!im || !of)
		return false;
	row = m->rows[l] + (size_t)at->party * im->words;
	for (uint32_t g = of->col_at[COL_GRANT]; g < of->col_at[COL_GRANT + 1];
	     g++) {
		bool hit = false;

		if (!grants(at, of, g, rule))
			continue;
		for (uint32_t c = im->col_at[type];
		     c < im->col_at[type + 1] && !hit; c++) {
			uint32_t o = im->COLS[c].owner;

			hit = (owner == LAY_NONE ? type == COL_DENY ||
				       im->RULE[o].flags & LAY_RULE_BLOCK
						 : o == owner) &&
			      bit_get(row, c) &&
			      covers(im, c, of, g, at->dir, meas);
		}
		if (!hit)
			return false;
	}
	return true;
}

static bool denied(const struct place *at, uint32_t rule, meas_set meas,
		   bool customer)
{
	return layer_covers(at, LAYER_BASE, COL_DENY, LAY_NONE, rule, meas) ||
	       layer_covers(at, LAYER_VENDOR, COL_DENY, LAY_NONE, rule, meas) ||
	       (customer && layer_covers(at, LAYER_CUSTOMER, COL_RESTRICT,
					 LAY_NONE, rule, meas));
}

/* Types with which a ceiling may admit what a rule lets pass; *bare: also
 * messages without any. */
static meas_set admits(const struct place *at, uint32_t ceiling, uint32_t rule,
		       bool *bare)
{
	const struct machine *m = &at->s->m[at->m];
	const struct pol_image *im = at->s->base, *v = m->vendor;
	const uint64_t *row = m->rows[LAYER_BASE] +
			      (size_t)at->party * im->words;
	meas_set meas = 0;

	for (uint32_t c = im->col_at[COL_GRANT]; c < im->col_at[COL_GRANT + 1];
	     c++) {
		bool kind = rule == BOUND_NO_RULE;

		if (im->COLS[c].owner != ceiling || !bit_get(row, c) ||
		    !bit_get(img_row(im, &im->OBSV[LAY_DIM_DIR], at->dir), c))
			continue;
		for (uint32_t g = v->col_at[COL_GRANT];
		     g < v->col_at[COL_GRANT + 1] && !kind; g++) {
			for (uint16_t k = 0; k < OBS_COUNT && !kind; k++)
				kind = v->COLS[g].owner == rule &&
				       bit_get(match_kind(v, k), g) &&
				       bit_get(match_kind(im, k), c);
		}
		for (uint32_t t = 0; kind && t < MEAS_COUNT; t++) {
			if (bit_get(img_row(im, &im->OBSV[LAY_DIM_MEAS], t), c))
				meas |= MEAS_BIT(t);
		}
		*bare |= kind && bit_get(img_row(im, &im->OBSV[LAY_DIM_MEAS],
						 MEAS_COUNT),
					 c);
	}
	return meas;
}

/* --- ways ---------------------------------------------------------------- */

struct cap {
	const struct lay_limit *l;
	uint64_t times; /* counters it has for what is bounded */
};
struct caps {
	struct cap c[CAPS];
	size_t n;
};

struct alt { /* one ceiling under which it may pass */
	uint32_t ceiling;
	meas_set meas;
};

struct bound_way {
	uint16_t party;
	uint32_t rule; /* or BOUND_NO_RULE */
	meas_set meas; /* with which it can pass; 0: without any */
	bool monitored, sealed;
	struct caps own; /* of policy and customer; top level of all layers */
	struct alt alt[LAY_MAX_RULES / 8];
	size_t n_alt;
	bool any_alt; /* no baseline, or too many ceilings to look at each */
};

static void cap_add(struct caps *c, const struct lay_limit *l, uint64_t times)
{
	if (c->n < CAPS)
		c->c[c->n++] = (struct cap){l, times};
}

/* A message with a measurement is a reading; one without is none. */
static bool cap_counts(const struct lay_limit *l, meas_set meas,
		       enum pol_thing thing)
{
	if (thing != THING_READINGS && thing != THING_MESSAGES)
		return l->kind <= LIMIT_BUCKET && l->thing == thing;
	return l->kind == LIMIT_SPACING ||
	       (l->kind <= LIMIT_BUCKET &&
		(l->thing == THING_MESSAGES ||
		 (l->thing == THING_READINGS && meas)));
}

static uint64_t cap_most(const struct bound *b, const struct cap *c,
			 meas_set meas, enum pol_thing thing,
			 struct bound_in in)
{
	const struct pol_image *bind = b->set->binding;
	uint64_t n;

	if (!cap_counts(c->l, meas, thing) ||
	    (c->l->meas && (!meas || meas & ~c->l->meas)))
		return MOST_UNLIMITED;
	n = in.held ? most_held(c->l, in.ns)
	    : in.ns ? most_in(c->l, in.ns)
		    : most_span(c->l, in.span, bind ? bind->META->billing_day : 0);
	n = most_mul(n, c->times);
	if (c->l->each & LAY_EACH_MEAS)
		n = most_mul(n, (uint64_t)__builtin_popcountll(meas));
	return n;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int64_t least_ns(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static uint64_t caps_most(const struct bound *b, const struct caps *c,
			  meas_set meas, enum pol_thing thing,
			  struct bound_in in)
{
	uint64_t n = MOST_UNLIMITED;

	for (size_t i = 0; i < c->n; i++)
		n = least(n, cap_most(b, &c->c[i], meas, thing, in));
	return n;
}

static uint64_t alt_most(const struct bound *b, const struct alt *a,
			 meas_set meas, enum pol_thing thing,
			 struct bound_in in)
{
	const struct lay_rule *r = &b->set->base->RULE[a->ceiling];
	uint64_t n = MOST_UNLIMITED;

	for (uint32_t i = 0; i < r->limit_n; i++) {
		struct cap c = {&b->set->base->LIMT[r->limit_first + i], 1};

		n = least(n, cap_most(b, &c, meas, thing, in));
	}
	return n;
}

/* meas: of these types; 0 all there is. */
static uint64_t way_most(const struct bound *b, const struct bound_way *w,
			 meas_set meas, enum pol_thing thing,
			 struct bound_in in)
{
	meas_set m = meas ? meas & w->meas : w->meas;
	uint64_t n, sum = 0;

	if (meas && !m)
		return 0;
	n = caps_most(b, &w->own, m, thing, in);
	/* On trial, what has no measurement passes by other ceilings too. */
	if (w->any_alt || (w->rule == BOUND_NO_RULE && !meas &&
			   thing != THING_READINGS))
		return n;
	for (size_t i = 0; i < w->n_alt; i++) {
		if (m == 0 || w->alt[i].meas & m)
			sum = most_add(sum,
				       alt_most(b, &w->alt[i],
						m & w->alt[i].meas, thing, in));
	}
	return least(n, sum);
}

/* On trial messages without a measurement pass as well: is every one counted
 * that a way lets pass? */
static bool counts_all(const struct place *at, enum layer l,
		       enum lay_col_type type, uint32_t owner,
		       const struct bound_way *w, meas_set meas)
{
	return layer_covers(at, l, type, owner, w->rule, meas) &&
	       (w->rule != BOUND_NO_RULE ||
		layer_covers(at, l, type, owner, w->rule, 0));
}

/* Of layer l: its limits at top level that count all of a way. */
static void top_caps(const struct place *at, enum layer l, struct bound_way *w)
{
	const struct pol_image *im = set_image(at->s, at->m, l);

	for (uint32_t i = 0; im && i < im->n_LIMT; i++) {
		const struct lay_limit *lim = &im->LIMT[i];

		if (lim->flags & (LAY_LIMIT_RULE | LAY_LIMIT_FLOOR))
			continue;
		if (w->rule == BOUND_NO_RULE && lim->meas &&
		    lim->thing != THING_READINGS)
			continue;
		if (counts_all(at, l, COL_LIMIT, i, w,
			       lim->meas ? w->meas & lim->meas : w->meas))
			cap_add(&w->own, lim, 1);
	}
}

static void restriction_caps(const struct place *at, struct bound_way *w)
{
	const struct pol_image *c = at->s->customer;

	for (uint32_t i = 0; c && i < c->n_RULE; i++) {
		const struct lay_rule *r = &c->RULE[i];

		if (r->limit_n == 0 || !counts_all(at, LAYER_CUSTOMER,
						   COL_RESTRICT, i, w, w->meas))
			continue;
		for (uint32_t k = 0; k < r->limit_n; k++)
			cap_add(&w->own, &c->LIMT[r->limit_first + k], 1);
	}
}

static int answered(const struct pol_set *s, size_t m, uint32_t rule)
{
	const struct pol_image *c = s->customer, *v = s->m[m].vendor;

	for (uint32_t i = 0; c && i < c->n_ANSW; i++) {
		if (!set_void(s, i) &&
		    span_eq(img_str(c, c->ANSW[i].policy), pol_image_id(v)) &&
		    span_eq(img_str(c, c->ANSW[i].rule),
			    img_str(v, v->RULE[rule].id)))
			return c->ANSW[i].granted ? 1 : 0;
	}
	return -1;
}

static bool consented(const struct pol_set *s, size_t m, uint32_t rule)
{
	int a = answered(s, m, rule);

	switch (s->m[m].vendor->RULE[rule].consent) {
	case CONSENT_OPT_IN:
		return a == 1;
	case CONSENT_OPT_OUT:
		return a != 0;
	default:
		return true;
	}
}

static bool selects(const struct place *at, uint32_t rule, bool *sealed)
{
	const struct machine *m = &at->s->m[at->m];
	const struct pol_image *v = m->vendor;
	const uint64_t *row = m->rows[LAYER_VENDOR] +
			      (size_t)at->party * v->words;
	bool any = false;

	*sealed = false;
	for (uint32_t g = v->col_at[COL_GRANT]; g < v->col_at[COL_GRANT + 1];
	     g++) {
		if (v->COLS[g].owner != rule || !bit_get(row, g) ||
		    !bit_get(img_row(v, &v->OBSV[LAY_DIM_DIR], at->dir), g))
			continue;
		any = true;
		/* Octets that look random: nobody knows what they say. */
		*sealed |= bit_get(match_kind(v, OBS_OPAQUE), g) ||
			   bit_get(match_kind(v, OBS_TLS_HELLO), g);
	}
	return any;
}

/* Ceilings under which it may pass; false when there is none. */
static bool find_alts(const struct place *at, struct bound_way *w,
		      meas_set *meas)
{
	const struct pol_image *base = at->s->base;
	meas_set sum = 0;
	bool any = false;

	if (!base) {
		w->any_alt = true;
		return true;
	}
	for (uint32_t c = 0; c < base->n_RULE; c++) {
		bool bare = false;
		meas_set m;

		if (base->RULE[c].kind != RULE_CEILING)
			continue;
		m = admits(at, c, w->rule, &bare);
		if (*meas ? !(m & *meas) : !bare)
			continue;
		any = true;
		sum |= m;
		if (w->n_alt < sizeof(w->alt) / sizeof(w->alt[0]))
			w->alt[w->n_alt++] = (struct alt){c, m};
		else
			w->any_alt = true;
	}
	*meas &= sum;
	return any;
}

/* What of a rule can reach the party; false: nothing. */
static bool way_of(const struct place *at, uint32_t rule, bool customer,
		   struct bound_way *w)
{
	const struct pol_image *v = at->s->m[at->m].vendor;
	const struct lay_rule *r = &v->RULE[rule];
	meas_set meas = r->data == LAY_NONE ? 0 : v->DATA[r->data].meas;

	*w = (struct bound_way){.party = at->party,
				.rule = rule,
				.monitored = r->monitor_until != 0};
	if (!selects(at, rule, &w->sealed) ||
	    (customer && !consented(at->s, at->m, rule)))
		return false;
	for (meas_set s = meas; s; s &= s - 1) {
		meas_set one = s & -s;

		if (denied(at, rule, one, customer))
			meas &= ~one;
	}
	if (r->data == LAY_NONE ? denied(at, rule, 0, customer) : meas == 0)
		return false;
	if (!find_alts(at, w, &meas) || (r->data != LAY_NONE && meas == 0))
		return false;
	w->meas = meas;
	if (!w->monitored) {
		for (uint32_t i = 0; i < r->limit_n; i++)
			cap_add(&w->own, &v->LIMT[r->limit_first + i], 1);
		top_caps(at, LAYER_VENDOR, w);
	}
	top_caps(at, LAYER_BASE, w);
	if (customer)
		restriction_caps(at, w);
	return true;
}

/* A policy on trial: all that the baseline admits. Its limits and those of the
 * customer cannot be on trial. */
static bool trial_way(const struct place *at, bool customer,
		      struct bound_way *w)
{
	meas_set meas = MEAS_ALL & ~MEAS_ABOUT;

	*w = (struct bound_way){.party = at->party,
				.rule = BOUND_NO_RULE,
				.monitored = true};
	if (!find_alts(at, w, &meas))
		return false;
	w->meas = meas;
	top_caps(at, LAYER_BASE, w);
	if (customer)
		restriction_caps(at, w);
	return true;
}

/* --- data ---------------------------------------------------------------- */

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
	a.channels = a.channels && b.channels
			     ? (a.channels > b.channels ? a.channels
							: b.channels)
			     : 0;
	return a;
}

static struct span_of_data way_demands(const struct place *at,
				       const struct bound_way *w, meas_set one,
				       bool customer)
{
	const struct pol_image *v = at->s->m[at->m].vendor;
	const struct pol_image *base = at->s->base, *c = at->s->customer;
	struct span_of_data d = demands(
		v, w->monitored ? LAY_NONE : v->RULE[w->rule].data);
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
		    layer_covers(at, LAYER_CUSTOMER, COL_RESTRICT, i, w->rule,
				 one))
			d = both(d, demands(c, c->RULE[i].data));
	}
	return d;
}

/* --- figures ------------------------------------------------------------- */

static const struct {
	int64_t at_least;
	char grade;
} grades[] = {/* five sixths of a month, a day, an hour, 15 min, a minute */
	      {28 * MOST_DAY_NS / 6 * 5, 'A'},
	      {20 * HOUR_NS, 'B'},
	      {50 * 60 * NS_PER_S, 'C'},
	      {750 * NS_PER_S, 'D'},
	      {50 * NS_PER_S, 'E'}};
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

/* Types that show what a home uses, and so are as fine together as the finest
 * of them (privacy.md 1). */
static meas_set use_types(void)
{
	return meas_parse(span_str("energy.*")) |
	       meas_parse(span_str("power.*")) | MEAS_BIT(MEAS_TARIFF_CREDIT);
}

bool bound_use(enum meas meas)
{
	return MEAS_BIT(meas) & use_types();
}

static char flow_grade(const struct bound_flow *f)
{
	char g = bound_grade(f->spacing_ns);

	if (bound_use(f->meas))
		return g;
	switch (f->meas) {
	case MEAS_VOLTAGE_INTERVAL:
	case MEAS_VOLTAGE_INSTANT:
		return g == 'A' ? g : (char)(g - 1);
	case MEAS_SIGNAL_WAVEFORM:
	case MEAS_SIGNAL_SPECTRUM:
	case MEAS_UNKNOWN_TABLE:
		return 'F';
	case MEAS_CLIMATE_TEMPERATURE:
		return f->spacing_ns < HOUR_NS / 6 * 5 ? 'E' : 'C';
	case MEAS_APPLIANCE_STATE:
	case MEAS_PRESENCE_SENSOR:
		return f->spacing_ns < 20 * HOUR_NS ? 'F' : g;
	default:
		return '-';
	}
}

struct counting {
	const struct bound *b;
	const struct bound_recipient *r;
	const struct bound_way *w; /* or all of r */
	meas_set meas;
};

static uint64_t count_in(const void *arg, int64_t ns)
{
	const struct counting *c = arg;
	struct bound_in in = {.ns = ns, .held = true};

	return c->w ? way_most(c->b, c->w, c->meas, THING_READINGS, in)
		    : bound_most(c->b, &c->r, 1, c->meas, THING_READINGS, in);
}

/* Time between readings that can be kept up over n gaps. */
static int64_t sustained(const struct counting *c, unsigned gaps)
{
	int64_t ns = most_shortest(count_in, c, gaps + 1u);

	return ns == INT64_MAX ? ns : ns / (int64_t)gaps;
}

/* New values a day (step 5): no more than the readings hold, than the day has
 * intervals, the last of them begun, and than limits on values allow. Of one
 * quantity where nobody says how many a message may have. */
static void fill_values(struct bound_flow *f, uint64_t limit)
{
	uint64_t channels = f->channels ? f->channels : 1, each = channels;
	uint64_t fresh = MOST_UNLIMITED;

	if (meas_class(f->meas) == MEAS_CLASS_SERIES) {
		each = f->backlog = MOST_UNLIMITED;
		if (f->granularity_ns && f->history_ns != BOUND_NONE)
			each = f->backlog = most_mul(
				f->history_ns > f->delay_ns
					? (uint64_t)((f->history_ns -
						      f->delay_ns) /
						     f->granularity_ns)
					: 0,
				channels);
		if (f->granularity_ns)
			fresh = most_mul((uint64_t)((MOST_DAY_NS - 1) /
						    f->granularity_ns) + 1,
					 channels);
	}
	f->values_day = least(least(most_mul(f->readings[MOST_DAY], each),
				    fresh),
			      limit);
}

static void fill_flow(const struct bound *b, const struct place *at,
		      const struct bound_way *w, enum meas meas, bool customer,
		      struct bound_flow *f)
{
	const struct pol_image *v = at->s->m[at->m].vendor;
	meas_set one = MEAS_BIT(meas);
	struct span_of_data d = way_demands(at, w, one, customer);
	struct counting c = {b, NULL, w, one};

	*f = (struct bound_flow){.party = w->party,
				 .party_name =
					 img_str(v, v->PRTY[w->party].id),
				 .rule = w->rule,
				 .meas = meas,
				 .granularity_ns = d.gran,
				 .history_ns = d.history,
				 .delay_ns = d.delay,
				 .res_milli = d.res,
				 .res_unit = d.unit,
				 .channels = d.channels,
				 .answer = -1,
				 .monitored = w->monitored};
	for (int s = 0; s < MOST_SPANS; s++)
		f->readings[s] =
			way_most(b, w, one, THING_READINGS,
				 (struct bound_in){.span = (enum most_span)s});
	if (meas_class(meas) == MEAS_CLASS_SERIES) {
		f->spacing_ns = d.gran;
	} else {
		f->granularity_ns = 0;
		f->spacing_ns = sustained(&c, 8);
	}
	fill_values(f, way_most(b, w, one, THING_VALUES,
				(struct bound_in){.span = MOST_DAY}));
	f->grade = flow_grade(f);
	if (w->rule == BOUND_NO_RULE)
		return;
	f->rule_name = img_str(v, v->RULE[w->rule].id);
	f->purpose = img_text(v, v->RULE[w->rule].purpose);
	f->consent = v->RULE[w->rule].consent;
	f->answer = (int8_t)answered(at->s, at->m, w->rule);
	if (v->RULE[w->rule].guard != LAY_NONE && !w->monitored) {
		const struct lay_guard *g = &v->GARD[v->RULE[w->rule].guard];

		f->requires_ = g->requires_;
		f->requires_builtin = g->requires_builtin;
	}
}

/* --- recipients ---------------------------------------------------------- */

static bool row_of(const struct pol_image *im, const struct lay_limit *l)
{
	return im && l >= im->LIMT && l < im->LIMT + im->n_LIMT;
}

/* Is a limit that is no rule's own among those of every way that counts?
 * *counters: how many it has for them. */
static bool shared(const struct bound *b,
		   const struct bound_recipient *const *r, size_t n,
		   const struct lay_limit *l, meas_set meas,
		   uint64_t *counters)
{
	/* A restriction's budget is the household's for a machine. */
	bool customer = row_of(b->set->customer, l);
	bool each_vm = customer || (row_of(b->set->base, l) &&
				    l->each & LAY_EACH_VM);
	uint64_t parties = 0, machines = 0;

	if (l->flags & LAY_LIMIT_RULE && !customer)
		return false;
	for (size_t i = 0; i < n; i++) {
		machines += i == 0 || r[i]->machine != r[i - 1]->machine;
		for (size_t k = 0; k < r[i]->n_way; k++) {
			const struct bound_way *w = &r[i]->way[k];
			bool has = false;

			parties += k == 0 || w->party != w[-1].party;
			if (meas && !(meas & w->meas))
				continue;
			for (size_t j = 0; j < w->own.n; j++)
				has |= w->own.c[j].l == l;
			if (!has)
				return false;
		}
	}
	*counters = l->each & LAY_EACH_PARTY && !customer ? parties
		    : each_vm				  ? machines
							  : 1;
	return true;
}

/* Limits at top level that count all ways together. */
static uint64_t shared_most(const struct bound *b,
			    const struct bound_recipient *const *r, size_t n,
			    meas_set meas, enum pol_thing thing,
			    struct bound_in in)
{
	uint64_t most = MOST_UNLIMITED;
	size_t first = 0;

	while (first < n && r[first]->n_way == 0)
		first++;
	for (size_t i = 0; first < n && i < r[first]->way[0].own.n; i++) {
		struct cap c = r[first]->way[0].own.c[i];

		if (shared(b, r, n, c.l, meas, &c.times))
			most = least(most, cap_most(b, &c, meas, thing, in));
	}
	return most;
}

static uint64_t ways_most(const struct bound *b,
			  const struct bound_recipient *r, meas_set meas,
			  enum pol_thing thing, struct bound_in in)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->n_way; i++) {
		if (thing != THING_READINGS || r->way[i].meas)
			sum = most_add(sum, way_most(b, &r->way[i], meas,
						     thing, in));
	}
	return least(sum, shared_most(b, &r, 1, meas, thing, in));
}

uint64_t bound_most(const struct bound *b,
		    const struct bound_recipient *const *r, size_t n,
		    meas_set meas, enum pol_thing thing, struct bound_in in)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum = most_add(sum, ways_most(b, r[i], meas, thing, in));
	return least(sum, shared_most(b, r, n, meas, thing, in));
}

static uint64_t sealed_most(const struct bound *b,
			    const struct bound_recipient *r, enum most_span s)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->n_way; i++) {
		if (r->way[i].sealed)
			sum = most_add(sum,
				       way_most(b, &r->way[i], 0, THING_BYTES,
						(struct bound_in){.span = s}));
	}
	return least(sum, r->bytes[s]);
}

static void fill_times(struct bound_recipient *r)
{
	bool fine = false, series = false, late = true, late_series = true;
	int64_t finest = INT64_MAX;

	for (size_t i = 0; i < r->n_flow; i++) {
		const struct bound_flow *f = &r->flow[i];
		bool is = meas_class(f->meas) == MEAS_CLASS_SERIES;

		if (f->grade >= 'C' && f->grade <= 'F') {
			fine = true;
			r->live |= f->delay_ns < HOUR_NS;
			late &= f->delay_ns >= MOST_DAY_NS;
		}
		if (is) {
			series = true;
			late_series &= f->delay_ns >= MOST_DAY_NS;
		}
		if (f->grade != '-' && f->spacing_ns <= finest) {
			int64_t each = f->spacing_ns;
			unsigned __int128 ns;

			if (is && f->history_ns != BOUND_NONE &&
			    f->history_ns - f->delay_ns > each)
				each = f->history_ns - f->delay_ns;
			ns = (unsigned __int128)f->readings[MOST_DAY] *
			     (uint64_t)each;
			finest = f->spacing_ns;
			r->coverage_ns =
				(is && f->history_ns == BOUND_NONE) ||
						ns > (uint64_t)MOST_DAY_NS ||
						each == 0
					? MOST_DAY_NS
					: (int64_t)ns;
		}
	}
	r->late = fine ? late : series && late_series;
}

int64_t bound_together(const struct bound *b, const struct bound_recipient *r,
		       meas_set meas)
{
	struct counting c = {b, r, NULL, 0};

	for (size_t i = 0; i < r->n_flow; i++) {
		meas_set one = MEAS_BIT(r->flow[i].meas);

		if (meas_class(r->flow[i].meas) == MEAS_CLASS_SNAPSHOT &&
		    (meas == 0 || meas & one) && one & use_types())
			c.meas |= one;
	}
	return c.meas ? sustained(&c, 32) : INT64_MAX;
}

static void fill_recipient(const struct bound *b, struct bound_recipient *r)
{
	const struct bound_recipient *const one = r;
	uint64_t month;
	char worst = '-';

	for (int s = 0; s < MOST_SPANS; s++) {
		struct bound_in in = {.span = (enum most_span)s};

		r->readings[s] = bound_most(b, &one, 1, 0, THING_READINGS, in);
		r->bytes[s] = bound_most(b, &one, 1, 0, THING_BYTES, in);
		r->sealed_bytes[s] = sealed_most(b, r, (enum most_span)s);
	}
	for (size_t i = 0; i < r->n_way; i++)
		r->sealed |= r->way[i].sealed;
	r->spacing_ns = INT64_MAX;
	for (size_t i = 0; i < r->n_flow; i++) {
		const struct bound_flow *f = &r->flow[i];

		if (f->grade != '-' && (worst == '-' || f->grade > worst))
			worst = f->grade;
		if (bound_use(f->meas) &&
		    f->spacing_ns < r->spacing_ns)
			r->spacing_ns = f->spacing_ns;
	}
	r->spacing_ns = least_ns(r->spacing_ns, bound_together(b, r, 0));
	if (r->spacing_ns != INT64_MAX &&
	    (worst == '-' || bound_grade(r->spacing_ns) > worst))
		worst = bound_grade(r->spacing_ns);
	r->grade = r->outside || worst == '-' ? worst : 'H';
	fill_times(r);
	month = least(most_mul(30, r->bytes[MOST_DAY]), r->bytes[MOST_MONTH]);
	r->dishonest_ns = month == MOST_UNLIMITED ? 0
			  : month < 2		  ? INT64_MAX
				      : 30 * MOST_DAY_NS / (int64_t)(month / 2);
}

static enum bound_identity identity_of(const struct lay_party *p)
{
	return p->vm	   ? ID_MACHINE
	       : p->pin_n  ? ID_TLS_KEY
	       : p->tls_n  ? ID_TLS_NAME
	       : p->oid_n  ? ID_APTITLE
			   : ID_ADDRESS;
}

static void *grown(void *p, size_t n, size_t size)
{
	/* In steps of 16. */
	return n % 16 ? p : realloc(p, (n + 16) * size);
}

#define GROW(p, n) grown(p, n, sizeof(*(p)))

static int add_way(struct bound_recipient *r, const struct bound_way *w)
{
	struct bound_way *to = GROW(r->way, r->n_way);

	if (!to)
		return E_NOMEM;
	r->way = to;
	r->way[r->n_way++] = *w;
	return 0;
}

int bound_choose(const struct bound *b, uint16_t machine, bound_pick_f *pick,
		 const void *arg, struct bound_recipient *out)
{
	*out = (struct bound_recipient){.machine = machine};
	for (size_t i = 0; i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		for (size_t k = 0; r->machine == machine && k < r->n_way; k++) {
			const struct bound_way *w = &r->way[k];

			if (pick(arg, w->party, w->rule, w->monitored,
				 w->meas) &&
			    add_way(out, w))
				return E_NOMEM;
		}
	}
	return 0;
}

void bound_chosen_free(struct bound_recipient *r)
{
	free(r->way);
	r->way = NULL;
	r->n_way = 0;
}

int64_t bound_series(const struct bound *b, const struct bound_recipient *r,
		     meas_set meas, unsigned gaps)
{
	struct counting c = {b, r, NULL, meas};

	return r->n_way ? sustained(&c, gaps) : INT64_MAX;
}

static int add_flows(const struct bound *b, struct bound_recipient *r,
		     const struct place *at, const struct bound_way *w,
		     bool customer)
{
	for (meas_set s = w->meas & ~MEAS_ABOUT; s; s &= s - 1) {
		struct bound_flow *to = GROW(r->flow, r->n_flow);

		if (!to)
			return E_NOMEM;
		r->flow = to;
		fill_flow(b, at, w, (enum meas)__builtin_ctzll(s), customer,
			  &r->flow[r->n_flow++]);
	}
	return 0;
}

static int add_power(const struct bound *b, struct bound_recipient *r,
		     const struct place *at, const struct bound_way *w)
{
	const struct pol_image *v = at->s->m[at->m].vendor;
	struct counting c = {b, NULL, w, MEAS_BIT(MEAS_CONTROL_LOAD)};
	struct bound_power *to;
	struct bound_power p = {.party = w->party, .rule = w->rule};

	if (!(w->meas & MEAS_BIT(MEAS_CONTROL_LOAD)))
		return 0;
	to = GROW(r->power, r->n_power);
	if (!to)
		return E_NOMEM;
	r->power = to;
	p.day = way_most(b, w, c.meas, THING_READINGS,
			 (struct bound_in){.span = MOST_DAY});
	p.apart_ns = sustained(&c, 1);
	if (w->rule != BOUND_NO_RULE)
		p.rule_name = img_str(v, v->RULE[w->rule].id);
	if (w->rule != BOUND_NO_RULE && !w->monitored) {
		const struct lay_data *d = &v->DATA[v->RULE[w->rule].data];

		if (d->flags & LAY_DATA_VALUE) {
			p.has_value = true;
			p.unit = (enum unit)d->value_unit;
			p.lo = d->value_lo;
			p.hi = d->value_hi;
		}
	}
	r->power[r->n_power++] = p;
	return 0;
}

static int add_party(const struct bound *b, struct bound_recipient *r,
		     uint16_t m, uint16_t party, bool customer)
{
	const struct pol_set *s = b->set;
	const struct pol_image *v = s->m[m].vendor;
	struct place out = {s, m, party, DIR_OUT}, in = {s, m, party, DIR_IN};
	struct bound_way w;
	int rc = 0;

	for (uint32_t i = 0; !rc && i < v->n_RULE; i++) {
		if (v->RULE[i].kind != RULE_GRANT)
			continue;
		if (way_of(&out, i, customer, &w)) {
			rc = add_way(r, &w);
			if (!rc)
				rc = add_flows(b, r, &out, &w, customer);
		}
		if (!rc && way_of(&in, i, customer, &w))
			rc = add_power(b, r, &in, &w);
	}
	if (!rc && v->META->monitor_until) {
		if (trial_way(&out, customer, &w)) {
			rc = add_way(r, &w);
			if (!rc)
				rc = add_flows(b, r, &out, &w, customer);
		}
		if (!rc && trial_way(&in, customer, &w))
			rc = add_power(b, r, &in, &w);
	}
	return rc;
}

/* An image may be made without our compiler, so the role is not believed. */
static bool is_outside(const struct pol_image *v, uint16_t party)
{
	const struct lay_party *p = &v->PRTY[party];
	bool placed = false, home = true;

	if (p->role != ROLE_HOUSEHOLD)
		return p->role != ROLE_VM;
	for (uint32_t i = 0; i < v->n_PFX4; i++) {
		const struct lay_pfx4 *x = &v->PFX4[i];
		uint8_t a[16] = {[10] = 0xff, [11] = 0xff};

		if (x->kind != LAY_OWNER_PARTY || x->owner != party)
			continue;
		memcpy(a + 12, x->addr, 4);
		home = home && home_prefix(a, x->len + 96u);
		placed = true;
	}
	for (uint32_t i = 0; i < v->n_PFX6; i++) {
		const struct lay_pfx6 *x = &v->PFX6[i];

		if (x->kind != LAY_OWNER_PARTY || x->owner != party)
			continue;
		home = home && home_prefix(x->addr, x->len);
		placed = true;
	}
	return !placed || !home;
}

static struct bound_recipient *recipient_of(struct bound *b, uint16_t m,
					    uint16_t party)
{
	const struct machine *mc = &b->set->m[m];
	const struct pol_image *v = mc->vendor;
	const struct lay_party *p = &v->PRTY[party];
	struct bound_recipient *r;
	enum bound_identity id = identity_of(p);

	for (size_t i = 0; i < b->n; i++) {
		r = &b->r[i];
		if (r->machine == m &&
		    mc->group[r->party] == mc->group[party]) {
			r->identity = id < r->identity ? id : r->identity;
			r->keeps_ns = p->keeps > r->keeps_ns ? p->keeps
							     : r->keeps_ns;
			r->outside = r->outside || is_outside(v, party);
			return r;
		}
	}
	r = GROW(b->r, b->n);
	if (!r)
		return NULL;
	b->r = r;
	r = &b->r[b->n++];
	*r = (struct bound_recipient){
		.machine = m,
		.party = party,
		.machine_name = mc->pub.name,
		.operator_ = p->operator_ ? img_str(v, p->operator_)
					  : img_text(v, p->name),
		.name = img_text(v, p->name),
		.country = img_str(v, p->country),
		.role = (enum pol_role)p->role,
		.identity = id,
		.keeps_ns = p->keeps,
		.outside = is_outside(v, party),
	};
	return r;
}

char *bound_time(char *buf, size_t cap, int64_t ns)
{
	static const struct {
		const char *name;
		int64_t ns;
	} unit[] = {{"d", MOST_DAY_NS}, {"h", HOUR_NS},
		    {"min", 60 * NS_PER_S}, {"s", NS_PER_S}};
	size_t n = 0, parts = 0;

	if (ns == BOUND_NONE || ns == INT64_MAX) {
		snprintf(buf, cap, "%s", ns == BOUND_NONE ? "any" : "never");
		return buf;
	}
	for (size_t i = 0; i < 4 && parts < 2 && n < cap; i++) {
		int64_t v = ns / unit[i].ns;

		ns -= v * unit[i].ns;
		if (v == 0 && !(i == 3 && parts == 0))
			continue;
		n += (size_t)snprintf(buf + n, cap - n, "%s%lld %s",
				      parts ? " " : "", (long long)v,
				      unit[i].name);
		parts++;
	}
	return buf;
}

int bound_new(struct bound **out, const struct pol_set *s, bool customer,
	      struct err *e)
{
	struct bound *b = calloc(1, sizeof(*b));
	int rc = b ? 0 : E_NOMEM;

	*out = NULL;
	if (b)
		b->set = s;
	for (uint16_t m = 0; !rc && m < s->n_m; m++) {
		for (uint16_t p = 0; !rc && p < s->m[m].n_party; p++) {
			struct bound_recipient *r = recipient_of(b, m, p);

			rc = r ? add_party(b, r, m, p, customer) : E_NOMEM;
		}
	}
	if (rc) {
		bound_free(b);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	for (size_t i = 0; i < b->n; i++)
		fill_recipient(b, &b->r[i]);
	*out = b;
	return 0;
}

const struct pol_image *bound_policy(const struct bound *b, size_t machine)
{
	return b->set->m[machine].vendor;
}

struct span bound_state(const struct bound *b, const struct bound_recipient *r,
			unsigned state)
{
	const struct pol_image *v = bound_policy(b, r->machine);

	return img_str(v, v->STAT[state].id);
}

void bound_free(struct bound *b)
{
	for (size_t i = 0; b && i < b->n; i++) {
		free(b->r[i].flow);
		free(b->r[i].power);
		free(b->r[i].way);
	}
	if (b)
		free(b->r);
	free(b);
}
