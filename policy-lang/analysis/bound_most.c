/* SPDX-License-Identifier: Apache-2.0 */
/* How much passes by one way, and by several together. */
#include "policy-lang/analysis/bound_parts.h"

/* --- one way -------------------------------------------------------------
 */

/* A message with a measurement is a reading; one without is none. What selects
 * messages is not charged for packets that bring none: connections that are
 * opened and closed, acknowledgements. */
static bool cap_counts(const struct lay_limit *l, meas_set meas,
		       enum pol_thing thing, struct bound_in in)
{
	if (l->flags & LAY_LIMIT_MATCH && !in.brought &&
	    (thing == THING_BYTES || thing == THING_PACKETS))
		return false;
	if (thing != THING_READINGS && thing != THING_MESSAGES)
		return l->kind <= LIMIT_BUCKET && l->thing == thing;
	return l->kind == LIMIT_SPACING ||
	       (l->kind <= LIMIT_BUCKET &&
		(l->thing == THING_MESSAGES ||
		 (l->thing == THING_READINGS && meas)));
}

static bool cap_binds(const struct lay_limit *l, meas_set meas,
		      enum pol_thing thing, struct bound_in in)
{
	return cap_counts(l, meas, thing, in) &&
	       (!l->meas || (meas && !(meas & ~l->meas)));
}

/* times: counters it has for what is bounded. */
static uint64_t cap_most(const struct bound *b, const struct lay_limit *l,
			 uint64_t times, meas_set meas, enum pol_thing thing,
			 struct bound_in in)
{
	const struct pol_image *bind = b->set->binding;
	uint64_t n;

	if (!cap_binds(l, meas, thing, in))
		return MOST_UNLIMITED;
	n = in.held ? most_held(l, in.ns)
	    : in.ns ? most_in(l, in.ns)
		    : most_span(l, in.span,
				bind ? bind->META->billing_day : 0);
	n = most_mul(n, times);
	/* What has no type has no counter, and is not counted. */
	if (l->each & LAY_EACH_MEAS)
		n = meas ? most_mul(n, (uint64_t)__builtin_popcountll(meas))
			 : MOST_UNLIMITED;
	return n;
}

static uint64_t own_most(const struct bound *b, const struct bound_way *w,
			 meas_set meas, enum pol_thing thing,
			 struct bound_in in)
{
	uint64_t n = MOST_UNLIMITED;

	for (size_t i = 0; i < w->n_own; i++)
		n = least(n, cap_most(b, w->own[i], 1, meas, thing, in));
	return n;
}

static uint64_t alt_most(const struct bound *b, const struct alt *a,
			 meas_set meas, enum pol_thing thing,
			 struct bound_in in)
{
	const struct lay_rule *r = &b->set->base->RULE[a->ceiling];
	uint64_t n = MOST_UNLIMITED;

	for (uint32_t i = 0; i < r->limit_n; i++)
		n = least(n, cap_most(b,
				      &b->set->base->LIMT[r->limit_first + i],
				      1, meas, thing, in));
	return n;
}

uint64_t bound_way_most(const struct bound *b, const struct bound_way *w,
			meas_set meas, enum pol_thing thing, struct bound_in in)
{
	/* On trial, what has no measurement passes, too. */
	bool bare = w->rule == BOUND_NO_RULE && !meas &&
		    thing != THING_READINGS;
	meas_set m = meas ? meas & w->meas : bare ? 0 : w->meas;
	uint64_t n, sum = 0;

	if (meas && !m)
		return 0;
	n = own_most(b, w, m, thing, in);
	/* And by other ceilings. */
	if (w->any_alt || bare)
		return n;
	for (size_t i = 0; i < w->n_alt; i++) {
		if (m == 0 || w->alt[i].meas & m)
			sum = most_add(sum,
				       alt_most(b, &w->alt[i],
						m & w->alt[i].meas, thing, in));
	}
	return least(n, sum);
}

int64_t bound_way_reach(const struct bound_way *w, meas_set one, uint64_t n)
{
	int64_t most = 0;

	for (size_t i = 0; i < w->n_own; i++) {
		const struct lay_limit *l = w->own[i];
		int64_t ns = 0;

		if (cap_binds(l, one, THING_READINGS, (struct bound_in){0}))
			ns = most_reach(l, n);
		most = ns > most ? ns : most;
	}
	return most;
}

/* --- several together ----------------------------------------------------
 */

static bool row_of(const struct pol_image *im, const struct lay_limit *l)
{
	return im && l >= im->LIMT && l < im->LIMT + im->n_LIMT;
}

/* Is a limit that is no rule's own among those of every way that counts?
 * *counters: how many it has for them. */
static bool shared(const struct bound *b,
		   const struct bound_recipient *const *r, size_t n,
		   const struct lay_limit *l, meas_set meas, uint64_t *counters)
{
	/* A restriction's budget is the household's for a machine. */
	bool customer = row_of(b->set->customer, l);
	bool each_vm =
		customer || (row_of(b->set->base, l) && l->each & LAY_EACH_VM);
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
			for (size_t j = 0; j < w->n_own; j++)
				has |= w->own[j] == l;
			if (!has)
				return false;
		}
	}
	*counters = l->each & LAY_EACH_PARTY && !customer ? parties
		    : each_vm                             ? machines
							  : 1;
	return true;
}

/* Limits at top level that count all ways together: what the first that can
 * have these types has, and all others that can. */
static uint64_t shared_most(const struct bound *b,
			    const struct bound_recipient *const *r, size_t n,
			    meas_set meas, enum pol_thing thing,
			    struct bound_in in)
{
	const struct bound_way *w = NULL;
	uint64_t most = MOST_UNLIMITED;

	for (size_t i = 0; !w && i < n; i++) {
		for (size_t k = 0; !w && k < r[i]->n_way; k++) {
			if (!meas || meas & r[i]->way[k].meas)
				w = &r[i]->way[k];
		}
	}
	for (size_t i = 0; w && i < w->n_own; i++) {
		uint64_t times;

		if (shared(b, r, n, w->own[i], meas, &times))
			most = least(most, cap_most(b, w->own[i], times, meas,
						    thing, in));
	}
	return most;
}

/* A reading has a type: of any one that one of them can have. */
static meas_set types_of(const struct bound_recipient *const *r, size_t n,
			 meas_set meas, enum pol_thing thing)
{
	if (meas || thing != THING_READINGS)
		return meas;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < r[i]->n_way; k++)
			meas |= r[i]->way[k].meas;
	}
	return meas;
}

/* had: parties whose ways were counted before. */
static uint64_t ways_most(const struct bound *b,
			  const struct bound_recipient *r, uint64_t had,
			  meas_set meas, enum pol_thing thing,
			  struct bound_in in)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->n_way; i++) {
		if (had >> r->way[i].party & 1)
			continue;
		if (thing != THING_READINGS || r->way[i].meas)
			sum = most_add(sum, bound_way_most(b, &r->way[i], meas,
							   thing, in));
	}
	return least(sum, shared_most(b, &r, 1, types_of(&r, 1, meas, thing),
				      thing, in));
}

uint64_t bound_most(const struct bound *b,
		    const struct bound_recipient *const *r, size_t n,
		    meas_set meas, enum pol_thing thing, struct bound_in in)
{
	uint64_t sum = 0, had = 0;

	for (size_t i = 0; i < n; i++) {
		if (i && r[i]->machine != r[i - 1]->machine)
			had = 0;
		sum = most_add(sum, ways_most(b, r[i], had, meas, thing, in));
		if (bound_gets(r[i]))
			had |= r[i]->parties;
	}
	return least(sum, shared_most(b, r, n, types_of(r, n, meas, thing),
				      thing, in));
}
