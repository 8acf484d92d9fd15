/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/cost.h"

#include "policy-lang/front/check.h"

/* May the same message fall under both? */
static bool meets(const struct pol_rule_src *r, enum pol_dirsel dir,
		  const struct pol_party_sel *party,
		  const struct pol_vm_sel *vm, const struct pol_obs_match *m,
		  size_t n)
{
	return dir_meet(r->dir, dir) && party_meet(&r->party, party) &&
	       (!vm || vm_meet(&r->vm, vm)) &&
	       match_meet(r->match, r->n_match, m, n, NULL);
}

static uint32_t counters(const struct pol_rule_src *r,
			 const struct pol_limit_src *l)
{
	meas_set both = r->data.meas & (l->meas ? l->meas : MEAS_ALL);

	if (!l->each_meas)
		return 1;
	return (uint32_t)__builtin_popcountll(both);
}

static uint32_t limits_of(const struct pol_file *f,
			  const struct pol_rule_src *r)
{
	uint32_t n = (uint32_t)r->n_limit;

	for (size_t i = 0; i < f->n_limit; i++) {
		const struct pol_limit_src *l = &f->limit[i];

		if (meets(r, l->dir, &l->party,
			  f->kind == POL_BASELINE ? &l->vm : NULL, l->match,
			  l->n_match) &&
		    (!l->meas || l->meas & r->data.meas))
			n += counters(r, l);
	}
	return n;
}

static uint32_t compares_of(const struct pol_rule_src *r)
{
	const struct pol_data_src *d = &r->data;

	return (uint32_t)d->has_gran + d->has_history + d->has_delay +
	       d->has_res + d->has_value + d->has_channels + r->has_answers +
	       (r->consent > CONSENT_NONE) + r->when.present +
	       (uint32_t)(r->n_requires + r->n_forbids);
}

static bool triggers(const struct pol_rule_src *r, const struct pol_trigger *t)
{
	struct pol_party_sel party = {.party = &t->party, .n_party = 1};

	return meets(r, t->dir, &party, NULL, t->match, t->n_match);
}

static uint32_t states_of(const struct pol_file *f,
			  const struct pol_rule_src *r)
{
	uint32_t n = 0;

	for (size_t i = 0; i < f->n_state; i++)
		n += (uint32_t)triggers(r, &f->state[i].set) +
		     (uint32_t)(f->state[i].has_clear &&
				triggers(r, &f->state[i].clear));
	return n;
}

/* Of grants one applies; of restrictions all that select the message do. */
static uint32_t restricting(const struct pol_file *f,
			    const struct pol_rule_src *r)
{
	uint32_t n = 0;

	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *q = &f->rule[i];

		if (q->kind == RULE_RESTRICT && vm_meet(&r->vm, &q->vm))
			n += (uint32_t)q->n_limit;
	}
	return n;
}

struct pol_worst cost_of_rule(const struct pol_file *f,
			      const struct pol_rule_src *r)
{
	if (r->kind == RULE_RESTRICT && r->n_limit)
		return (struct pol_worst){restricting(f, r), 0, 0};
	if (r->kind != RULE_GRANT && r->kind != RULE_CEILING)
		return (struct pol_worst){(uint32_t)r->n_limit, 0, 0};
	return (struct pol_worst){limits_of(f, r), compares_of(r),
				  states_of(f, r)};
}

static void worst(uint32_t *a, uint32_t b)
{
	if (*a < b)
		*a = b;
}

struct pol_worst cost_of_file(const struct pol_file *f)
{
	struct pol_worst w = {0};

	for (size_t i = 0; i < f->n_rule; i++) {
		struct pol_worst one = cost_of_rule(f, &f->rule[i]);

		worst(&w.limits, one.limits);
		worst(&w.compares, one.compares);
		worst(&w.states, one.states);
	}
	return w;
}

static void over(struct rd *r, const struct pol_rule_src *rule, uint32_t n,
		 uint32_t max, const char *what, const char *hint)
{
	if (n > max)
		find(r, DIAG_ERROR, 6201, AT_RULE(rule), hint,
		     "a message that '%s' selects has %u %s; the gateway has "
		     "room for %u",
		     rule->id, n, what, max);
}

void check_cost(struct rd *r)
{
	bool told = false; /* of restrictions: each would say the same */

	for (size_t i = 0; i < r->f->n_rule; i++) {
		const struct pol_rule_src *rule = &r->f->rule[i];
		struct pol_worst w = cost_of_rule(r->f, rule);

		if (rule->kind == RULE_RESTRICT) {
			if (told)
				continue;
			told = w.limits > COST_MAX_LIMITS;
		}
		over(r, rule, w.limits, COST_MAX_LIMITS, "counters to charge",
		     "merge limits, or let them select less");
		over(r, rule, w.compares, COST_MAX_COMPARES, "guards",
		     "leave out what another layer asks for as well");
		over(r, rule, w.states, COST_MAX_STATES, "states to change",
		     "let states be set by fewer observations");
	}
}
