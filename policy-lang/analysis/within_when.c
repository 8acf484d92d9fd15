/* SPDX-License-Identifier: Apache-2.0 */
/* Containment of hours, as the evaluator has them (eval/guards.c): minutes of a
 * week in civil time, which is the same for both. */
#include "policy-lang/analysis/within_parts.h"

#define DAY_MIN 1440u
#define ALL_DAYS 0x7f

static const struct lay_guard *guard_of(const struct pol_image *im,
					const struct lay_rule *r)
{
	static const struct lay_guard none;

	return r->guard == LAY_NONE ? &none : &im->GARD[r->guard];
}

static unsigned days(const struct lay_guard *g)
{
	return g->days ? g->days : ALL_DAYS;
}

static uint32_t length(const struct lay_guard *g)
{
	return g->to_min >= g->from_min
		       ? (uint32_t)g->to_min - g->from_min
		       : (uint32_t)g->to_min + DAY_MIN - g->from_min;
}

/* Is it only a slot of the hours, which the meter's id and the names of policy
 * and rule choose? */
static bool in_slot(const struct lay_guard *g)
{
	return g->spread >= NS_PER_S &&
	       g->spread / NS_PER_S < (int64_t)length(g) * 60;
}

static bool same_slot(const struct two *t, const struct lay_rule *a,
		      const struct lay_rule *b)
{
	const struct lay_guard *x = guard_of(t->is, a);
	const struct lay_guard *y = guard_of(t->was, b);

	return x->from_min == y->from_min && x->to_min == y->to_min &&
	       x->spread == y->spread && !(days(x) & ~days(y)) &&
	       within_str(t->is, a->id, t->was, b->id) &&
	       span_eq(pol_image_id(t->is), pol_image_id(t->was));
}

/* Hours past midnight are of the day that they begin on. */
static bool open_at(const struct lay_guard *g, uint32_t minute)
{
	int32_t since = (int32_t)(minute % DAY_MIN) - g->from_min;
	uint32_t day = minute / DAY_MIN;

	if (since < 0) {
		since += (int32_t)DAY_MIN;
		day = (day + 6) % 7;
	}
	return (uint32_t)since < length(g) && days(g) >> day & 1;
}

static bool hours_in(const struct lay_guard *a, const struct lay_guard *b)
{
	for (uint32_t m = 0; m < 7 * DAY_MIN; m++) {
		if (open_at(a, m) && !open_at(b, m))
			return false;
	}
	return true;
}

bool within_when(const struct two *t, const struct lay_rule *a,
		 const struct lay_rule *b)
{
	const struct lay_guard *x = guard_of(t->is, a);
	const struct lay_guard *y = guard_of(t->was, b);

	if (!(y->flags & LAY_GUARD_WHEN))
		return true;
	/* Hours ask for a clock that is right, all hours too. */
	if (!(x->flags & LAY_GUARD_WHEN))
		return false;
	/* A slot is within its hours, wherever it is. */
	return in_slot(y) ? same_slot(t, a, b) : hours_in(x, y);
}
