/* SPDX-License-Identifier: Apache-2.0 */
/* Checks across layers: what one file grants and another bounds. */
#include <stdio.h>

#include "policy-lang/front/check.h"

static bool has_text(const char *const *v, size_t n, const char *t)
{
	for (size_t i = 0; t && i < n; i++) {
		if (strcmp(v[i], t) == 0)
			return true;
	}
	return n == 0;
}

/* Does the baseline's selection include that party? */
static bool includes(const struct pol_party_sel *s,
		     const struct pol_party_src *p)
{
	return s->any || ((s->roles == 0 || s->roles >> p->role & 1) &&
			  has_text(s->country, s->n_country, p->country) &&
			  has_text(s->operator_, s->n_operator, p->operator_));
}

static bool vm_is(const struct pol_vm_sel *s, const char *vm)
{
	return s->any || has_text(s->vm, s->n_vm, vm);
}

static bool admits(const struct pol_rule_src *ceiling, const struct pol_file *v,
		   const struct pol_rule_src *grant)
{
	const struct pol_data_src *c = &ceiling->data, *g = &grant->data;
	bool party = false;

	for (size_t i = 0; i < grant->party.n_party; i++)
		party = party || includes(&ceiling->party,
					  &v->party[grant->party.party[i]]);
	if (!party || !vm_is(&ceiling->vm, v->vm) ||
	    !dir_meet(ceiling->dir, grant->dir) ||
	    !match_meet(ceiling->match, ceiling->n_match, grant->match,
			grant->n_match, NULL))
		return false;
	if (!g->present)
		return true;
	if (!c->present || !(c->meas & g->meas))
		return false;
	return !(g->has_gran && g->gran_hi_ns && c->has_gran &&
		 g->gran_hi_ns <= c->gran_lo_ns);
}

static void check_ceilings(struct rd *r, const struct pol_file *base,
			   const struct pol_file *v)
{
	for (size_t i = 0; i < v->n_rule; i++) {
		bool any = false;

		if (v->rule[i].kind != RULE_GRANT)
			continue;
		for (size_t k = 0; k < base->n_rule; k++)
			any = any || (base->rule[k].kind == RULE_CEILING &&
				      admits(&base->rule[k], v, &v->rule[i]));
		if (!any)
			find(r, DIAG_WARNING, 4003, AT_RULE(&v->rule[i]),
			     "no ceiling of the baseline admits it",
			     "'%s' can never permit anything under '%s'",
			     v->rule[i].id, base->id);
	}
}

static bool has_class(meas_set m, enum meas_class cls)
{
	for (unsigned i = 0; i < MEAS_COUNT; i++) {
		if (m & MEAS_BIT(i) && meas_class((enum meas)i) == cls)
			return true;
	}
	return false;
}

/* Shortest time between values that the rule lets a recipient have. */
static int64_t finest_ns(const struct pol_rule_src *g, meas_set m)
{
	int64_t every = sustained_ns(g);

	if (has_class(m, MEAS_CLASS_SERIES)) {
		int64_t gran = g->data.has_gran ? g->data.gran_lo_ns : 0;

		return gran < every || every == 0 ? gran : every;
	}
	return every;
}

static void check_consent(struct rd *r, const struct pol_file *base,
			  const struct pol_file *v)
{
	static const char *const names[] = {"nothing", "none", "opt-out",
					    "opt-in"};

	for (size_t i = 0; i < v->n_rule; i++) {
		const struct pol_rule_src *g = &v->rule[i];

		if (!discloses(v, g))
			continue;
		for (size_t k = 0; k < base->n_consent_rule; k++) {
			const struct pol_consent_rule_src *c =
				&base->consent_rule[k];
			meas_set m = g->data.meas & c->meas;

			if (!m || g->consent >= c->minimum ||
			    finest_ns(g, m) >= c->finer_than_ns)
				continue;
			find(r, DIAG_ERROR, 5301, AT_RULE(g),
			     "ask for more, or send less often",
			     "'%s' says consent: %s, but '%s' of '%s' wants "
			     "%s at least",
			     g->id, names[g->consent], c->id, base->id,
			     names[c->minimum]);
			break;
		}
	}
}

int pol_check_set(const struct pol_files *s, struct diags *d, struct err *e)
{
	const struct pol_file *base = NULL;
	size_t errors = d->errors;
	struct rd r = {
		.s = {NULL, d, NULL}
        };

	for (size_t i = 0; i < s->n; i++) {
		if (s->f[i]->kind == POL_BASELINE)
			base = s->f[i];
	}
	for (size_t i = 0; base && i < s->n; i++) {
		if (s->f[i]->kind != POL_VENDOR)
			continue;
		r.s.path = s->f[i]->path;
		r.f = s->f[i];
		check_ceilings(&r, base, s->f[i]);
		check_consent(&r, base, s->f[i]);
	}
	if (d->errors != errors)
		return err_set(e, E_SYNTAX, 0, "%zu error%s between files",
			       d->errors - errors,
			       d->errors - errors == 1 ? "" : "s");
	return 0;
}
