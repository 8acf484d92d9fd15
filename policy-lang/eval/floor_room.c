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

/* Is it a grant to which nobody said no? */
static bool given(const struct floor_at *at, const struct lay_rule *g)
{
	int answer = floor_answer(at->s->customer, at->m->vendor, g);

	return g->kind == RULE_GRANT && answer != 0 &&
	       (g->consent != CONSENT_OPT_IN || answer == 1);
}

/* Does the limit of restriction r count what carries no measurement? */
static bool counts_plain(const struct lay_rule *r, const struct lay_limit *l)
{
	return r->data == LAY_NONE &&
	       (l->kind == LIMIT_SPACING || l->thing == THING_MESSAGES);
}

/* Does it count what grant g lets out? */
static bool counts(const struct floor_at *at, const struct lay_rule *r,
		   const struct lay_limit *l, const struct lay_rule *g)
{
	const struct pol_image *v = at->m->vendor, *c = at->s->customer;

	if (g->dir == DIRSEL_IN || !given(at, g))
		return false;
	if (r->data != LAY_NONE)
		return (types(v, g) & types(c, r)) != 0;
	return types(v, g) || counts_plain(r, l);
}

/* Does rule g let in what may be answered (look.c)? */
static bool asks(const struct floor_at *at, uint32_t g)
{
	const struct pol_image *v = at->m->vendor;
	const struct lay_dim *d = &v->OBSV[LAY_DIM_KIND];
	bool some = bit_get(at->m->asked, g);

	for (uint32_t c = v->col_at[COL_GRANT]; c < v->col_at[COL_GRANT + 1];
	     c++) {
		for (uint32_t k = 0; v->COLS[c].owner == g && k < d->n_rows;
		     k++)
			some |= bit_get(img_row(v, d, k), c) &&
				obs_level((enum obs_kind)k) ==
					OBS_LEVEL_REQUEST;
	}
	return some;
}

/* Does it count an error that answers what grant g lets in? That needs no rule
 * of its own, once for each request (look.c). */
static bool counts_errors(const struct floor_at *at, const struct lay_rule *r,
			  const struct lay_limit *l, uint32_t g)
{
	const struct lay_rule *rule = &at->m->vendor->RULE[g];

	return rule->dir != DIRSEL_OUT && counts_plain(r, l) &&
	       given(at, rule) && asks(at, g);
}

/* In a window of l, and in so much before it. */
static uint64_t in_window(const struct floor_at *at, const struct lay_limit *of,
			  const struct lay_limit *l, int64_t before_ns)
{
	static const enum most_span spans[] = {
		[WINDOW_HOUR] = MOST_HOUR,	 [WINDOW_DAY] = MOST_DAY,
		[WINDOW_WEEK] = MOST_WEEK,	 [WINDOW_MONTH] = MOST_MONTH,
		[WINDOW_BILLING] = MOST_BILLING, [WINDOW_YEAR] = MOST_ANY_YEAR};
	const struct pol_image *b = at->s->binding;

	if (l->kind != LIMIT_CALENDAR)
		return most_in(of, l->window_ns + before_ns);
	return most_add(most_span(of, spans[l->window],
				  b ? b->META->billing_day : 0),
			before_ns ? most_in(of, before_ns) : 0);
}

/* How many of g for one party, by its own limits, in a window of l and before
 * it? */
static uint64_t most_of(const struct floor_at *at, const struct lay_rule *g,
			const struct lay_limit *l, int64_t before_ns)
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
			n = in_window(at, own, l, before_ns);
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

/* Of what may use it up: how much all does, and what does most. */
struct used {
	uint64_t all, top;
	struct floor_other most;
};

static void use(struct used *u, uint64_t each, uint64_t parties,
		struct floor_other by)
{
	uint64_t n = most_mul(each, (uint64_t)__builtin_popcountll(parties));

	u->all = most_add(u->all, n);
	if (n > u->top) {
		u->top = n;
		u->most = by;
	}
}

uint64_t floor_room(const struct floor_at *at, const struct lay_rule *r,
		    const struct lay_limit *l, struct floor_other *other)
{
	const struct pol_image *v = at->m->vendor;
	uint64_t over = picked(at->m, LAYER_CUSTOMER, at->s->customer,
			       COL_RESTRICT, r);
	struct used u = {.most = {LAY_NONE, false}};

	if (counts_trial(at, r, over)) {
		*other = (struct floor_other){FLOOR_TRIAL, false};
		return 0;
	}
	for (uint32_t i = 0; i < v->n_RULE; i++) {
		const struct lay_rule *g = &v->RULE[i];
		uint64_t to = over & picked(at->m, LAYER_VENDOR, v, COL_GRANT, g);

		if (counts_errors(at, r, l, i))
			use(&u, most_of(at, g, l, ANSWER_NS), to,
			    (struct floor_other){i, true});
		if (!counts(at, r, l, g))
			continue;
		/* The floor's own readings. */
		if (types(v, g) & at->f->meas)
			to &= ~(UINT64_C(1) << at->party);
		use(&u, most_of(at, g, l, 0), to,
		    (struct floor_other){i, false});
	}
	*other = u.most;
	if (l->kind == LIMIT_SPACING)
		return u.all == 0;
	return u.all < l->n ? l->n - u.all : 0;
}
