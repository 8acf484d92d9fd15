/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Do files make one household? Which machine each is of, machines that none
 * is, and restrictions of the customer's that restrict nothing.
 */
#include <stdio.h>

#include "policy-lang/front/check.h"

#define MAX_NAMES 16 /* as many machines as a meter has */

struct home {
	struct rd r;
	const struct pol_files *s;
	const struct pol_file *binding;
};

static void look_at(struct home *h, const struct pol_file *f)
{
	h->r.s.path = f->path;
	h->r.f = (struct pol_file *)(uintptr_t)f;
}

static void other_place(struct diag *d, const struct pol_file *f,
			struct pol_pos pos, const char *what)
{
	diag_second(d, pos.line, pos.col, "%s", what);
	if (d)
		d->path2 = f->path;
}

static const struct pol_vm_src *machine_of(const struct pol_file *b,
					   const char *vm)
{
	for (size_t i = 0; i < b->n_machine; i++) {
		if (strcmp(b->machine[i].id, vm) == 0)
			return &b->machine[i];
	}
	return NULL;
}

/* A hint: the nearest name, else all of them. buf: that of the hint. */
static const char *which(const struct pol_file *b, const char *vm, char *buf,
			 size_t cap)
{
	const char *names[MAX_NAMES];
	const char *near;
	size_t n = 0;

	for (; n < b->n_machine && n < MAX_NAMES; n++)
		names[n] = b->machine[n].id;
	near = nearest(span_str(vm), names, n);
	if (near) {
		snprintf(buf, cap, "did you mean '%s'?", near);
		return buf;
	}
	snprintf(buf, cap, "the binding has:");
	for (size_t i = 0; i < n; i++) {
		size_t at = strlen(buf);

		snprintf(buf + at, cap - at, "%s %.48s", i ? "," : "",
			 names[i]);
	}
	return buf;
}

/* --- one of each ----------------------------------------------------------- */

static void one_of_a_kind(struct home *h, enum pol_kind kind, const char *what)
{
	const struct pol_file *first = NULL;

	for (size_t i = 0; i < h->s->n; i++) {
		const struct pol_file *f = h->s->f[i];
		struct diag *d;

		if (f->kind != kind)
			continue;
		if (!first) {
			first = f;
			continue;
		}
		look_at(h, f);
		d = find(&h->r, DIAG_ERROR, 4013, f->pos_id, strlen(f->id),
			 "a household has one; leave the others out",
			 "a second %s", what);
		other_place(d, first, first->pos_id, "the other one is here");
	}
}

/* --- machines -------------------------------------------------------------- */

/* A machine that is never attested has no use for a rule that asks it. */
static void check_attested(struct home *h, const struct pol_file *f,
			   const struct pol_vm_src *m)
{
	for (size_t i = 0; i < f->n_rule && m->attestation == ATT_NONE; i++) {
		const struct pol_rule_src *g = &f->rule[i];

		for (size_t k = 0; k < g->n_requires; k++) {
			if (g->requires_[k] !=
			    POL_STATE_BUILTIN + BUILTIN_ATTESTED)
				continue;
			other_place(find(&h->r, DIAG_WARNING, 4008, AT_RULE(g),
					 "have it attested, or do not ask it",
					 "'%s' never permits anything: '%s' is "
					 "not attested",
					 g->id, f->vm),
				    h->binding, m->pos, "the machine is here");
		}
	}
}

static void check_machine(struct home *h, const struct pol_file *f)
{
	const struct pol_vm_src *m = machine_of(h->binding, f->vm);
	char hint[200];
	struct diag *d;

	look_at(h, f);
	if (!m) {
		find(&h->r, DIAG_ERROR, 4013, f->pos_vm, strlen(f->vm),
		     which(h->binding, f->vm, hint, sizeof(hint)),
		     "the binding has no machine '%s'", f->vm);
		return;
	}
	if (strcmp(m->policy, f->id) != 0) {
		d = find(&h->r, DIAG_ERROR, 4013, f->pos_id, strlen(f->id),
			 "give the file that the binding names, or change the "
			 "binding",
			 "'%s' is bound to '%s'", f->vm, m->policy);
		other_place(d, h->binding, m->pos, "the machine is here");
		return;
	}
	check_attested(h, f, m);
	for (size_t i = 0; h->s->f[i] != f; i++) {
		const struct pol_file *o = h->s->f[i];

		if (o->kind != POL_VENDOR || strcmp(o->vm, f->vm) != 0)
			continue;
		d = find(&h->r, DIAG_ERROR, 4013, f->pos_vm, strlen(f->vm),
			 "a machine has one policy",
			 "a second policy for '%s'", f->vm);
		other_place(d, o, o->pos_vm, "the other one is here");
		return;
	}
}

/* Nobody it could be: the rules that name it permit nothing. */
static void check_party(struct home *h, const struct pol_file *f,
			const struct pol_party_src *p)
{
	char hint[200];

	look_at(h, f);
	if (!p->vm || machine_of(h->binding, p->vm))
		return;
	find(&h->r, DIAG_WARNING, 4014, AT_RULE(p),
	     which(h->binding, p->vm, hint, sizeof(hint)),
	     "'%s' can be nobody: the binding has no machine '%s'", p->id,
	     p->vm);
}

/* --- the customer's file ---------------------------------------------------- */

static bool is_given(const struct pol_party_sel *s)
{
	return s->any || s->roles || s->n_country || s->n_operator ||
	       s->n_party;
}

static bool selects(const struct pol_rule_src *r, const struct pol_file *v,
		    const struct pol_rule_src *g)
{
	if (g->kind != RULE_GRANT ||
	    !(r->vm.any || vm_names(&r->vm, v->vm)))
		return false;
	for (size_t i = 0; i < g->party.n_party; i++) {
		const struct pol_party_src *p = &v->party[g->party.party[i]];

		if (party_is(&r->party, p) &&
		    !(is_given(&r->except) && party_is(&r->except, p)))
			return true;
	}
	return false;
}

/* Granularity is theirs alone. */
static bool has_series(meas_set m)
{
	for (; m; m &= m - 1) {
		if (meas_class((enum meas)__builtin_ctzll(m)) ==
		    MEAS_CLASS_SERIES)
			return true;
	}
	return false;
}

/* Does it ask for more than the grant and its layer do already? */
static bool is_stricter(const struct pol_data_src *r,
			const struct pol_data_src *g)
{
	bool gran = r->has_gran && has_series(r->meas & g->meas) &&
		    (!g->has_gran || g->gran_lo_ns < r->gran_lo_ns ||
		     (r->gran_hi_ns && (!g->gran_hi_ns ||
					g->gran_hi_ns > r->gran_hi_ns)));
	bool res = r->has_res &&
		   (!g->has_res || g->res_unit != r->res_unit ||
		    r->res_milli == 0 || g->res_milli % r->res_milli != 0);

	return gran || res ||
	       (r->has_delay && (!g->has_delay || g->delay_ns < r->delay_ns)) ||
	       (r->has_history &&
		(!g->has_history || g->history_ns > r->history_ns));
}

/* A count of refusals refuses nothing. */
static bool limits(const struct pol_rule_src *r)
{
	for (size_t i = 0; i < r->n_limit; i++) {
		if (r->limit[i].kind > LIMIT_BUCKET ||
		    r->limit[i].thing != THING_REFUSALS)
			return true;
	}
	return false;
}

enum effect { SELECTS_NOTHING, ADDS_NOTHING, RESTRICTS };

static enum effect effect_on(const struct pol_rule_src *r,
			     const struct pol_file *v,
			     const struct pol_rule_src *g)
{
	bool out = g->dir != DIRSEL_IN;
	bool of_type = !r->data.present || r->data.meas & g->data.meas;

	if (!selects(r, v, g) || !of_type)
		return SELECTS_NOTHING;
	if (r->block || r->when.present)
		return RESTRICTS;
	if (!out)
		return SELECTS_NOTHING;
	/* What is on trial bounds nothing itself. */
	if (v->monitor_until_s || g->monitor_until_s || limits(r) ||
	    (r->data.present && is_stricter(&r->data, &g->data)))
		return RESTRICTS;
	return ADDS_NOTHING;
}

static void check_restriction(struct home *h, const struct pol_rule_src *r)
{
	enum effect most = SELECTS_NOTHING;

	for (size_t i = 0; i < h->s->n; i++) {
		const struct pol_file *v = h->s->f[i];

		for (size_t k = 0; v->kind == POL_VENDOR && k < v->n_rule;
		     k++) {
			enum effect e = effect_on(r, v, &v->rule[k]);

			most = e > most ? e : most;
			if (e != SELECTS_NOTHING)
				check_snapshots(&h->r, h->r.f, r, v,
						&v->rule[k]);
		}
	}
	if (most == RESTRICTS)
		return;
	find(&h->r, DIAG_WARNING, 4015, AT_RULE(r),
	     most == ADDS_NOTHING
		     ? "ask for more, or remove it"
		     : "look at the machine, the party and the measurement",
	     most == ADDS_NOTHING
		     ? "'%s' restricts nothing: the policies are as strict"
		     : "'%s' restricts nothing: no policy grants what it "
		       "selects",
	     r->id);
}

static void check_customer(struct home *h, const struct pol_file *f)
{
	look_at(h, f);
	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];
		const char *unknown = NULL;
		char hint[200];

		for (size_t k = 0; !r->vm.any && k < r->vm.n_vm; k++) {
			if (!machine_of(h->binding, r->vm.vm[k]))
				unknown = r->vm.vm[k];
		}
		if (unknown)
			find(&h->r, DIAG_ERROR, 4011, AT_RULE(r),
			     which(h->binding, unknown, hint, sizeof(hint)),
			     "'%s' restricts the unknown machine '%s'", r->id,
			     unknown);
		else
			check_restriction(h, r);
	}
}

int pol_check_household(const struct pol_files *s, struct diags *d,
			struct err *e)
{
	struct home h = {.r.s.d = d, .s = s};
	size_t errors = d->errors;

	for (size_t i = 0; i < s->n; i++) {
		if (s->f[i]->kind == POL_BINDING && !h.binding)
			h.binding = s->f[i];
	}
	if (!h.binding)
		return 0;
	one_of_a_kind(&h, POL_BINDING, "binding");
	one_of_a_kind(&h, POL_BASELINE, "baseline");
	one_of_a_kind(&h, POL_CUSTOMER, "customer's file");
	for (size_t i = 0; i < s->n; i++) {
		const struct pol_file *f = s->f[i];

		if (f->kind == POL_VENDOR)
			check_machine(&h, f);
		for (size_t k = 0; f->kind == POL_VENDOR && k < f->n_party; k++)
			check_party(&h, f, &f->party[k]);
		if (f->kind == POL_CUSTOMER)
			check_customer(&h, f);
	}
	if (d->errors != errors)
		return err_set(e, E_SYNTAX, 0, "the files are no household");
	return 0;
}
