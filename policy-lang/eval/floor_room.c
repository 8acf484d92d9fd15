/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A customer's limit counts whatever its restriction selects, for all parties
 * of a machine together. What else passes may be there first each time, so of
 * the limit only that is a floor's which nothing else can use up: what its own
 * limits do not hold back can use up all.
 */
#include "policy-lang/eval/floor.h"
#include "policy-lang/eval/most.h"

/* Parties of the machine that a rule selects, a bit each. */
static uint64_t picked(const struct machine *m, enum layer layer,
		       const struct pol_image *im, enum lay_col_type type,
		       const struct lay_rule *r)
{
	uint64_t parties = 0;

	for (uint32_t c = im->col_at[type]; c < im->col_at[type + 1]; c++) {
		for (uint32_t p = 0;
		     &im->RULE[im->COLS[c].owner] == r && p < m->n_party; p++) {
			if (bit_get(m->rows[layer] + (size_t)p * im->words, c))
				parties |= UINT64_C(1) << p;
		}
	}
	return parties;
}

static meas_set types(const struct pol_image *im, const struct lay_rule *r)
{
	return r->data == LAY_NONE ? 0 : im->DATA[r->data].meas;
}

/* Does the limit of restriction r count what grant g lets out? */
static bool counts(const struct floor_at *at, const struct lay_rule *r,
		   const struct lay_limit *l, const struct lay_rule *g)
{
	const struct pol_image *v = at->m->vendor, *c = at->s->customer;
	int answer = floor_answer(c, v, g);

	if (g->kind != RULE_GRANT || g->dir == DIRSEL_IN || answer == 0 ||
	    (g->consent == CONSENT_OPT_IN && answer != 1))
		return false;
	if (r->data != LAY_NONE)
		return (types(v, g) & types(c, r)) != 0;
	return types(v, g) || l->kind == LIMIT_SPACING ||
	       l->thing == THING_MESSAGES;
}

static uint64_t in_window(const struct floor_at *at, const struct lay_limit *of,
			  const struct lay_limit *l)
{
	static const enum most_span spans[] = {
		[WINDOW_HOUR] = MOST_HOUR,	 [WINDOW_DAY] = MOST_DAY,
		[WINDOW_WEEK] = MOST_WEEK,	 [WINDOW_MONTH] = MOST_MONTH,
		[WINDOW_BILLING] = MOST_BILLING, [WINDOW_YEAR] = MOST_ANY_YEAR};
	const struct pol_image *b = at->s->binding;

	return l->kind == LIMIT_CALENDAR
		       ? most_span(of, spans[l->window],
				   b ? b->META->billing_day : 0)
		       : most_in(of, l->window_ns);
}

/* How many of g for one party, by its own limits, in a window of l? */
static uint64_t most_of(const struct floor_at *at, const struct lay_rule *g,
			const struct lay_limit *l)
{
	const struct pol_image *v = at->m->vendor;
	uint64_t most = MOST_UNLIMITED;

	for (uint32_t i = 0; i < g->limit_n; i++) {
		const struct lay_limit *own = &v->LIMT[g->limit_first + i];
		uint64_t n = MOST_UNLIMITED;

		/* What carries nothing is no reading. */
		if (own->kind == LIMIT_SPACING ||
		    (own->kind < LIMIT_SPACING &&
		     (own->thing == THING_MESSAGES ||
		      (own->thing == THING_READINGS && types(v, g)))))
			n = in_window(at, own, l);
		most = n < most ? n : most;
	}
	/* On trial its limits refuse nothing. */
	return g->monitor_until || v->META->monitor_until ? MOST_UNLIMITED
							  : most;
}

/* While a policy is on trial, what none of its rules gives passes as well: does
 * the limit of restriction r count any of that? */
static bool counts_trial(const struct floor_at *at, const struct lay_rule *r,
			 uint64_t over)
{
	meas_set of = types(at->s->customer, r);

	return at->m->vendor->META->monitor_until &&
	       (over & ~(UINT64_C(1) << at->party) || r->data == LAY_NONE ||
		of & ~at->f->meas);
}

uint64_t floor_room(const struct floor_at *at, const struct lay_rule *r,
		    const struct lay_limit *l, uint32_t *other)
{
	const struct pol_image *v = at->m->vendor;
	uint64_t over = picked(at->m, LAYER_CUSTOMER, at->s->customer,
			       COL_RESTRICT, r);
	uint64_t used = 0, top = 0;

	*other = LAY_NONE;
	if (counts_trial(at, r, over)) {
		*other = FLOOR_TRIAL;
		return 0;
	}
	for (uint32_t i = 0; i < v->n_RULE; i++) {
		const struct lay_rule *g = &v->RULE[i];
		uint64_t to, n;

		if (!counts(at, r, l, g))
			continue;
		to = over & picked(at->m, LAYER_VENDOR, v, COL_GRANT, g);
		/* The floor's own readings. */
		if (types(v, g) & at->f->meas)
			to &= ~(UINT64_C(1) << at->party);
		n = most_mul(most_of(at, g, l),
			     (uint64_t)__builtin_popcountll(to));
		used = most_add(used, n);
		if (n > top) {
			top = n;
			*other = i;
		}
	}
	if (l->kind == LIMIT_SPACING)
		return used == 0;
	return used < l->n ? l->n - used : 0;
}
