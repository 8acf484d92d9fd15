/* SPDX-License-Identifier: Apache-2.0 */
/* The ways by which what a rule lets pass reaches a party. */
#include "policy-lang/analysis/bound_parts.h"

static void add_own(struct bound_way *w, const struct lay_limit *l)
{
	if (w->n_own < WAY_LIMITS)
		w->own[w->n_own++] = l;
}

/* On trial messages without a measurement pass as well: is every one counted
 * that a way lets pass? */
static bool counts_all(const struct place *at, enum layer l,
		       enum lay_col_type type, uint32_t owner,
		       const struct bound_way *w, meas_set meas)
{
	return bound_covers(at, l, type, owner, w->rule, meas) &&
	       (w->rule != BOUND_NO_RULE ||
		bound_covers(at, l, type, owner, w->rule, 0));
}

/* The first bit from i on, below end. */
static uint32_t bit_from(const uint64_t *w, uint32_t i, uint32_t end)
{
	while (i < end && !(w[i / 64] >> (i % 64)))
		i = (i / 64 + 1) * 64;
	if (i < end)
		i += (uint32_t)__builtin_ctzll(w[i / 64] >> (i % 64));
	return i < end ? i : end;
}

/* Of layer l: its limits at top level that count all of a way. */
static void top_caps(const struct place *at, enum layer l, struct bound_way *w)
{
	const struct pol_image *im = set_image(at->s, at->m, l);
	const uint64_t *in = bound_within(at, l, w->rule);
	uint32_t last = LAY_NONE;
	uint32_t end = in ? im->col_at[COL_LIMIT + 1] : 0;

	for (uint32_t c = in ? bit_from(in, im->col_at[COL_LIMIT], end) : 0;
	     c < end; c = bit_from(in, c + 1, end)) {
		uint32_t i = im->COLS[c].owner;
		const struct lay_limit *lim = &im->LIMT[i];

		if (i == last)
			continue;
		last = i;
		if (lim->flags & (LAY_LIMIT_RULE | LAY_LIMIT_FLOOR))
			continue;
		if (w->rule == BOUND_NO_RULE && lim->meas &&
		    lim->thing != THING_READINGS)
			continue;
		if (counts_all(at, l, COL_LIMIT, i, w,
			       lim->meas ? w->meas & lim->meas : w->meas))
			add_own(w, lim);
	}
}

static void restriction_caps(const struct place *at, struct bound_way *w)
{
	const struct pol_image *c = at->s->customer;
	const uint64_t *in = bound_within(at, LAYER_CUSTOMER, w->rule);
	uint32_t last = LAY_NONE;

	for (uint32_t col = in ? c->col_at[COL_RESTRICT] : 0;
	     in && col < c->col_at[COL_RESTRICT + 1]; col++) {
		uint32_t i = c->COLS[col].owner;
		const struct lay_rule *r = &c->RULE[i];

		if (i == last || !bit_get(in, col))
			continue;
		last = i;
		if (r->limit_n == 0 || !counts_all(at, LAYER_CUSTOMER,
						   COL_RESTRICT, i, w, w->meas))
			continue;
		for (uint32_t k = 0; k < r->limit_n; k++)
			add_own(w, &c->LIMT[r->limit_first + k]);
	}
}

int bound_answered(const struct pol_set *s, size_t m, uint32_t rule)
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
	int a = bound_answered(s, m, rule);

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
	const uint64_t *row =
		m->rows[LAYER_VENDOR] + (size_t)at->party * v->words;
	struct range of = bound_columns(v, COL_GRANT, rule);
	bool any = false;

	*sealed = false;
	for (uint32_t g = of.from; g < of.to; g++) {
		if (!bit_get(row, g) ||
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
		m = bound_admits(at, c, w->rule, &bare);
		if (*meas ? !(m & *meas) : !bare)
			continue;
		any = true;
		sum |= m;
		if (w->n_alt < WAY_CEILINGS)
			w->alt[w->n_alt++] = (struct alt){c, m};
		else
			w->any_alt = true;
	}
	*meas &= sum;
	return any;
}

bool bound_way_of(const struct place *at, uint32_t rule, bool customer,
		  struct way_room *room, struct bound_way *w)
{
	const struct pol_image *v = at->s->m[at->m].vendor;
	const struct lay_rule *r = &v->RULE[rule];
	meas_set meas = r->data == LAY_NONE ? 0 : v->DATA[r->data].meas;
	bool sealed;

	if (!selects(at, rule, &sealed) ||
	    (customer && !consented(at->s, at->m, rule)))
		return false;
	*w = (struct bound_way){.party = at->party,
				.rule = rule,
				.sealed = sealed,
				.monitored = r->monitor_until != 0,
				.own = room->own,
				.alt = room->alt};
	for (meas_set s = meas; s; s &= s - 1) {
		meas_set one = s & -s;

		if (bound_denied(at, rule, one, customer))
			meas &= ~one;
	}
	if (r->data == LAY_NONE ? bound_denied(at, rule, 0, customer)
				: meas == 0)
		return false;
	if (!find_alts(at, w, &meas) || (r->data != LAY_NONE && meas == 0))
		return false;
	w->meas = meas;
	if (!w->monitored) {
		for (uint32_t i = 0; i < r->limit_n; i++)
			add_own(w, &v->LIMT[r->limit_first + i]);
		top_caps(at, LAYER_VENDOR, w);
	}
	top_caps(at, LAYER_BASE, w);
	if (customer)
		restriction_caps(at, w);
	return true;
}

/* A policy on trial: all that the baseline admits. Its limits and those of the
 * customer cannot be on trial. */
/* Does some ceiling admit messages without a measurement; octets that look
 * random, too? */
static bool admits_bare(const struct place *at, bool *sealed)
{
	const struct machine *m = &at->s->m[at->m];
	const struct pol_image *im = at->s->base;
	bool any = !im;

	*sealed = !im;
	for (uint32_t c = im ? im->col_at[COL_GRANT] : 0;
	     im && c < im->col_at[COL_GRANT + 1]; c++) {
		const uint64_t *row = m->rows[LAYER_BASE] +
				      (size_t)at->party * im->words;

		if (!bit_get(row, c) ||
		    !bit_get(img_row(im, &im->OBSV[LAY_DIM_DIR], at->dir), c) ||
		    !bit_get(img_row(im, &im->OBSV[LAY_DIM_MEAS], MEAS_COUNT),
			     c))
			continue;
		any = true;
		*sealed |= bit_get(match_kind(im, OBS_OPAQUE), c) ||
			   bit_get(match_kind(im, OBS_TLS_HELLO), c);
	}
	return any;
}

bool bound_trial_way(const struct place *at, bool customer,
		     struct way_room *room, struct bound_way *w)
{
	meas_set meas = MEAS_ALL & ~MEAS_ABOUT;
	bool bare;

	*w = (struct bound_way){.party = at->party,
				.rule = BOUND_NO_RULE,
				.monitored = true,
				.own = room->own,
				.alt = room->alt};
	bare = admits_bare(at, &w->sealed);
	if (find_alts(at, w, &meas))
		w->meas = meas;
	else if (!bare)
		return false;
	top_caps(at, LAYER_BASE, w);
	if (customer)
		restriction_caps(at, w);
	return true;
}
