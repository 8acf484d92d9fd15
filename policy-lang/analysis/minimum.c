/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/analysis/minimum.h"

#include <stdio.h>

#include "policy-lang/eval/internal.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p

/* Gaps that the readings of several rules are looked at over (privacy.md
 * section 8, step 4). */
#define GAPS_ALL 32

/* --- how fine ------------------------------------------------------------ */

struct looking {
	const struct bound *b;
	uint16_t m;
	const struct pol_image *v;
	const struct lay_consent *min;
	uint64_t parties;
	meas_set meas;
	void (*found)(void *arg, const struct minimum_broken *x);
	void *arg;
	bool told; /* something that one rule does by itself */
};

/* Types that show what a home uses are as fine as they are together; of others
 * each type stands by itself. */
static meas_set family(meas_set of, enum meas meas)
{
	meas_set m = 0;

	if (!bound_use(meas))
		return MEAS_BIT(meas);
	for (meas_set s = of; s; s &= s - 1) {
		if (bound_use((enum meas)__builtin_ctzll(s)))
			m |= s & -s;
	}
	return m;
}

/* Series are as fine as their intervals, however often they are read. */
static meas_set snapshots(meas_set of)
{
	meas_set m = 0;

	for (meas_set s = of; s; s &= s - 1) {
		if (meas_class((enum meas)__builtin_ctzll(s)) !=
		    MEAS_CLASS_SERIES)
			m |= s & -s;
	}
	return m;
}

/* A rule on trial asks as it says; a policy on trial asks nothing for what is
 * in no rule. */
static bool asks_less(const struct looking *x, uint32_t rule)
{
	return rule == BOUND_NO_RULE ||
	       x->v->RULE[rule].consent < x->min->minimum;
}

static bool pick(const void *arg, uint16_t party, uint32_t rule, bool monitored,
		 meas_set meas)
{
	const struct looking *x = arg;

	(void)monitored;
	return asks_less(x, rule) && meas & x->meas &&
	       x->parties >> party & 1;
}

/* Of many readings the mean, so from five sixths on (privacy.md section 2). */
static bool finer(int64_t ns, const struct lay_consent *min)
{
	return ns < min->finer_than / 6 * 5;
}

static bool is_broken(const struct bound_flow *f, const struct lay_consent *min)
{
	return meas_class(f->meas) == MEAS_CLASS_SERIES
		       ? f->spacing_ns < min->finer_than
		       : finer(f->spacing_ns, min);
}

static bool counts(const struct looking *x, const struct bound_recipient *r,
		   const struct bound_flow *f)
{
	return r->machine == x->m && r->outside && r->own >> f->party & 1 &&
	       asks_less(x, f->rule) &&
	       x->min->meas & MEAS_BIT(f->meas);
}

static struct minimum_broken start(const struct looking *x)
{
	return (struct minimum_broken){.machine = x->m,
				       .vendor = x->v,
				       .base = x->b->set->base,
				       .min = x->min};
}

static void tell_alone(struct looking *x, const struct bound_flow *f)
{
	struct minimum_broken y = start(x);

	y.rule = y.other = f->rule;
	y.party = y.other_party = f->party;
	y.n = 1;
	y.meas = MEAS_BIT(f->meas);
	y.on_trial = f->monitored;
	y.every_ns = f->spacing_ns;
	x->told = true;
	x->found(x->arg, &y);
}

/* The finest two of those that pick chooses; by rule and party, so a rule with
 * several types is one. false: there are no two. */
static bool finest(const struct looking *x, struct minimum_broken *y)
{
	int64_t first = INT64_MAX, second = INT64_MAX;
	unsigned n = 0;

	for (size_t i = 0; i < x->b->n; i++) {
		const struct bound_recipient *r = &x->b->r[i];

		for (size_t k = 0; k < r->n_flow; k++) {
			const struct bound_flow *f = &r->flow[k];

			if (!counts(x, r, f) || !(x->meas & MEAS_BIT(f->meas)) ||
			    !(x->parties >> f->party & 1) ||
			    (n && f->rule == y->rule && f->party == y->party))
				continue;
			if (n == 0 || f->spacing_ns < first) {
				y->other = y->rule;
				y->other_party = y->party;
				second = first;
				y->rule = f->rule;
				y->party = f->party;
				y->meas = MEAS_BIT(f->meas);
				y->on_trial = f->monitored;
				first = f->spacing_ns;
			} else if (n < 2 || f->spacing_ns < second) {
				y->other = f->rule;
				y->other_party = f->party;
				second = f->spacing_ns;
			}
			n += n < 2;
		}
	}
	return n > 1;
}

/* All that these parties get of these types without being asked so much. */
static int check_together(struct looking *x, struct err *e)
{
	struct minimum_broken y = start(x);
	struct bound_recipient r;
	int rc;

	if (!x->meas)
		return 0;
	rc = bound_choose(x->b, x->m, pick, x, &r);
	y.n = r.n_way;
	if (rc == 0 && r.n_way > 1)
		y.every_ns = bound_series(x->b, &r, x->meas, GAPS_ALL);
	bound_chosen_free(&r);
	if (rc)
		return err_set(e, E_NOMEM, 0, "out of memory");
	if (y.n < 2 || !finer(y.every_ns, x->min))
		return 0;
	if (finest(x, &y))
		x->found(x->arg, &y);
	return 0;
}

static uint64_t outside(const struct looking *x)
{
	uint64_t all = 0;

	for (size_t i = 0; i < x->b->n; i++) {
		const struct bound_recipient *r = &x->b->r[i];

		for (size_t k = 0; k < r->n_flow; k++) {
			if (counts(x, r, &r->flow[k]))
				all |= UINT64_C(1) << r->flow[k].party;
		}
	}
	return all;
}

/* All that it may have, another may that was or will be looked at. */
static bool is_part(const struct bound *b, size_t i)
{
	const struct bound_recipient *r = &b->r[i];

	for (size_t k = 0; k < b->n; k++) {
		const struct bound_recipient *o = &b->r[k];

		if (k != i && o->machine == r->machine &&
		    !(r->parties & ~o->parties) &&
		    (r->parties != o->parties || k < i))
			return true;
	}
	return false;
}

static int check_machine(struct looking *x, struct err *e)
{
	uint64_t all = outside(x);
	int rc = 0;

	for (size_t i = 0; i < x->b->n; i++) {
		const struct bound_recipient *r = &x->b->r[i];

		for (size_t k = 0; k < r->n_flow; k++) {
			if (counts(x, r, &r->flow[k]) &&
			    is_broken(&r->flow[k], x->min))
				tell_alone(x, &r->flow[k]);
		}
	}
	for (size_t i = 0; !rc && !x->told && i < x->b->n; i++) {
		meas_set done = 0, m = x->min->meas & MEAS_ALL;

		x->parties = x->b->r[i].parties & all;
		if (x->b->r[i].machine != x->m || is_part(x->b, i))
			continue;
		for (; !rc && m; m &= ~done) {
			x->meas = family(m, (enum meas)__builtin_ctzll(m));
			done |= x->meas;
			x->meas = snapshots(x->meas);
			rc = check_together(x, e);
		}
	}
	return rc;
}

int minimum_check(const struct bound *b,
		  void (*found)(void *arg, const struct minimum_broken *x),
		  void *arg, struct err *e)
{
	const struct pol_image *base = b->set->base;
	int rc = 0;

	for (uint16_t m = 0; base && m < b->set->n_m; m++) {
		for (uint32_t i = 0; !rc && i < base->n_CONS; i++) {
			struct looking x = {.b = b,
					    .m = m,
					    .v = b->set->m[m].vendor,
					    .min = &base->CONS[i],
					    .found = found,
					    .arg = arg};

			if (x.v)
				rc = check_machine(&x, e);
		}
	}
	return rc;
}

static void name_of(char *buf, size_t cap, const struct pol_image *v,
		    uint32_t rule)
{
	if (rule == BOUND_NO_RULE)
		snprintf(buf, cap, "the policy on trial");
	else
		snprintf(buf, cap, "'%.48s'", v->STRS + v->RULE[rule].id);
}

void minimum_text(char *buf, size_t cap, const struct minimum_broken *x)
{
	static const char *const names[] = {"nothing", "none", "opt-out",
					    "opt-in"};
	const struct pol_image *v = x->vendor;
	char t[80] = "moment by moment", m[MEAS_TEXT], also[128] = "";
	char name[2][80];

	if (x->every_ns) {
		snprintf(t, sizeof(t), "every ");
		bound_time(t + 6, sizeof(t) - 6, x->every_ns);
	}
	name_of(name[0], sizeof(name[0]), v, x->rule);
	name_of(name[1], sizeof(name[1]), v, x->other);
	if (x->n > 1 && x->rule != x->other)
		snprintf(also, sizeof(also), " and %s%s", name[1],
			 x->n > 2 ? " and others" : "");
	else if (x->n > 1)
		snprintf(also, sizeof(also), ", to '%.32s' and '%.32s',",
			 v->STRS + v->PRTY[x->party].id,
			 v->STRS + v->PRTY[x->other_party].id);
	snprintf(buf, cap,
		 "%s%s%s %s%s %s; '%.48s' wants %s at least", name[0],
		 x->on_trial && x->rule != BOUND_NO_RULE ? ", on trial," : "",
		 also, x->n > 1 ? "together give " : "gives ",
		 meas_text(m, sizeof(m), x->meas), t,
		 x->base->STRS + x->min->id, names[x->min->minimum]);
}
