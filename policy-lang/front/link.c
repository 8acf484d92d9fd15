/* SPDX-License-Identifier: Apache-2.0 */
/* Checks across layers: what one file grants and another bounds. */
#include <stdio.h>

#include "policy-lang/front/check.h"
#include "policy-lang/front/cost.h"

static bool has_text(const char *const *v, size_t n, const char *t)
{
	for (size_t i = 0; t && i < n; i++) {
		if (strcmp(v[i], t) == 0)
			return true;
	}
	return n == 0;
}

bool party_is(const struct pol_party_sel *s, const struct pol_party_src *p)
{
	return s->any || ((s->roles == 0 || s->roles >> p->role & 1) &&
			  has_text(s->country, s->n_country, p->country) &&
			  has_text(s->operator_, s->n_operator, p->operator_));
}

bool party_all(const struct pol_file *of, const struct pol_party_sel *s,
	       const struct pol_file *f, const struct pol_party_sel *g)
{
	if (of == f || s->any || g->any)
		return party_covers(s, g);
	for (size_t i = 0; i < g->n_party; i++) {
		if (!party_is(s, &f->party[g->party[i]]))
			return false;
	}
	return true;
}

bool party_some(const struct pol_file *of, const struct pol_party_sel *s,
		const struct pol_file *f, const struct pol_party_sel *g)
{
	if (of == f || s->any || g->any)
		return party_meet(s, g);
	for (size_t i = 0; i < g->n_party; i++) {
		if (party_is(s, &f->party[g->party[i]]))
			return true;
	}
	return false;
}

bool vm_names(const struct pol_vm_sel *s, const char *vm)
{
	return s->any || has_text(s->vm, s->n_vm, vm);
}

#define DAY_MIN (24 * 60u)

/* In that minute of the week; hours that go past midnight belong to the day
 * that they begin on. */
static bool open_at(const struct pol_when *w, unsigned minute)
{
	unsigned day = minute / DAY_MIN, m = minute % DAY_MIN;

	if (!w->present || !w->has_between)
		return true;
	if (w->from_min > w->to_min && m < w->to_min)
		day = (day + 6) % 7;
	else if (m < w->from_min ||
		 (w->from_min <= w->to_min && m >= w->to_min))
		return false;
	return !w->days || w->days >> day & 1;
}

static bool hours_meet(const struct pol_when *a, const struct pol_when *b)
{
	for (unsigned minute = 0; minute < 7 * DAY_MIN; minute++) {
		if (open_at(a, minute) && open_at(b, minute))
			return true;
	}
	return false;
}

/* Values that one lets pass by age or interval, and the other too. */
static bool ages_meet(const struct pol_data_src *a,
		      const struct pol_data_src *b)
{
	return !(a->has_delay && b->has_history &&
		 a->delay_ns > b->history_ns) &&
	       !(b->has_delay && a->has_history && b->delay_ns > a->history_ns);
}

static bool intervals_meet(const struct pol_data_src *a,
			   const struct pol_data_src *b)
{
	if (!a->has_gran || !b->has_gran)
		return true;
	return !(a->gran_hi_ns && a->gran_hi_ns <= b->gran_lo_ns) &&
	       !(b->gran_hi_ns && b->gran_hi_ns <= a->gran_lo_ns);
}

/* A number that both let pass; a unit that one does not speak of is neither's. */
static bool numbers_meet(const struct pol_data_src *a,
			 const struct pol_data_src *b)
{
	if (a->has_res && b->has_res && a->res_unit != b->res_unit)
		return false;
	return !a->has_value || !b->has_value ||
	       (a->value_unit == b->value_unit && a->value_lo <= b->value_hi &&
		b->value_lo <= a->value_hi);
}

/* Why a ceiling does not admit a grant, the further down the closer it is. */
enum nearness {
	NEAR_PARTY,
	NEAR_MACHINE,
	NEAR_DIRECTION,
	NEAR_OBSERVATION,
	NEAR_DATA,
	NEAR_MEASUREMENT,
	NEAR_INTERVAL,
	NEAR_AGE,
	NEAR_NUMBER,
	NEAR_HOURS,
	NEAR_ADMITS,
};

static enum nearness near_to(const struct pol_file *base,
			     const struct pol_rule_src *c,
			     const struct pol_file *v,
			     const struct pol_rule_src *g)
{
	if (!party_some(base, &c->party, v, &g->party))
		return NEAR_PARTY;
	if (!vm_names(&c->vm, v->vm))
		return NEAR_MACHINE;
	if (!dir_meet(c->dir, g->dir))
		return NEAR_DIRECTION;
	if (!match_meet(c->match, c->n_match, g->match, g->n_match, NULL))
		return NEAR_OBSERVATION;
	if (g->data.present && !c->data.present)
		return NEAR_DATA;
	if (g->data.present && !(c->data.meas & g->data.meas))
		return NEAR_MEASUREMENT;
	if (g->data.present && !intervals_meet(&c->data, &g->data))
		return NEAR_INTERVAL;
	if (g->data.present && !ages_meet(&c->data, &g->data))
		return NEAR_AGE;
	if (g->data.present && !numbers_meet(&c->data, &g->data))
		return NEAR_NUMBER;
	return hours_meet(&c->when, &g->when) ? NEAR_ADMITS : NEAR_HOURS;
}

static void say_unadmitted(struct rd *r, const struct pol_file *base,
			   const struct pol_rule_src *g,
			   const struct pol_rule_src *c, enum nearness near)
{
	static const char *const why[] = {
		[NEAR_PARTY] = "is for other parties",
		[NEAR_MACHINE] = "is for other machines",
		[NEAR_DIRECTION] = "goes in the other direction",
		[NEAR_OBSERVATION] = "matches none of its observations",
		[NEAR_DATA] = "lets no measurement through",
		[NEAR_MEASUREMENT] = "admits none of its measurements",
		[NEAR_INTERVAL] = "admits none of its intervals",
		[NEAR_AGE] = "admits no value of its age",
		[NEAR_NUMBER] = "admits none of its values or steps",
		[NEAR_HOURS] = "is open at other hours",
	};
	struct diag *d = find(r, DIAG_WARNING, 4003, AT_RULE(g),
			      "no ceiling of the baseline admits it",
			      "'%s' can never permit anything under '%s'",
			      g->id, base->id);

	if (!d || !c)
		return;
	diag_second(d, c->pos.line, c->pos.col, "the nearest, '%s', %s", c->id,
		    why[near]);
	d->path2 = base->path;
}

/* Without connections nothing comes by TCP. */
static bool by_tcp(const struct pol_file *v, const struct pol_rule_src *g)
{
	bool tcp = g->party.n_party > 0;

	for (size_t i = 0; i < g->party.n_party; i++) {
		const struct pol_party_src *p = &v->party[g->party.party[i]];

		tcp = tcp && p->n_port > 0;
		for (size_t k = 0; k < p->n_port; k++)
			tcp = tcp && p->port[k].proto == 6;
	}
	return tcp;
}

static bool opens_none(const struct pol_rule_src *d)
{
	for (size_t i = 0; i < d->n_match && d->dir == DIRSEL_ANY; i++) {
		if (match_has(&d->match[i], 1, OBS_FLOW_OPEN) &&
		    d->match[i].n_attr == 0)
			return true;
	}
	return false;
}

/* A denial of the baseline that selects all that the grant does. */
static const struct pol_rule_src *denial(const struct pol_file *base,
					 const struct pol_file *v,
					 const struct pol_rule_src *g)
{
	for (size_t i = 0; i < base->n_rule; i++) {
		const struct pol_rule_src *d = &base->rule[i];

		if (d->kind == RULE_DENY && dir_covers(d->dir, g->dir) &&
		    vm_names(&d->vm, v->vm) &&
		    party_all(base, &d->party, v, &g->party) &&
		    (match_covers(d->match, d->n_match, g->match,
				  g->n_match) ||
		     (opens_none(d) && by_tcp(v, g))) &&
		    (!d->data.present ||
		     (g->data.meas && !(g->data.meas & ~d->data.meas))))
			return d;
	}
	return NULL;
}

/* Under which ceiling the grant can permit something; NULL when none, which is
 * told. */
static const struct pol_rule_src *check_grant(struct rd *r,
					      const struct pol_file *base,
					      const struct pol_rule_src *g)
{
	const struct pol_rule_src *best = NULL;
	const struct pol_rule_src *no = denial(base, r->f, g);
	enum nearness near = NEAR_PARTY;
	struct diag *d;

	if (no) {
		d = find(r, DIAG_WARNING, 4003, AT_RULE(g),
			 "the platform denies it; remove it",
			 "'%s' can never permit anything under '%s'", g->id,
			 base->id);
		diag_second(d, no->pos.line, no->pos.col,
			    "'%s' denies all of it", no->id);
		if (d)
			d->path2 = base->path;
		return NULL;
	}
	for (size_t i = 0; i < base->n_rule; i++) {
		const struct pol_rule_src *c = &base->rule[i];
		enum nearness k;

		if (c->kind != RULE_CEILING)
			continue;
		k = near_to(base, c, r->f, g);
		if (!best || k > near) {
			near = k;
			best = c;
		}
	}
	if (best && near == NEAR_ADMITS)
		return best;
	say_unadmitted(r, base, g, best, near);
	return NULL;
}

/* --- granularity that snapshots pass by ------------------------------------ */

static bool told_here(const struct rd *r, const struct pol_file *of,
		      struct pol_pos pos)
{
	const struct diags *d = r->s.d;

	for (size_t i = 0; i < d->n; i++) {
		if (d->d[i].code == 4108 && d->d[i].line == pos.line &&
		    strcmp(d->d[i].path, of->path) == 0)
			return true;
	}
	return false;
}

void check_snapshots(struct rd *r, const struct pol_file *of,
		     const struct pol_rule_src *u, const struct pol_file *v,
		     const struct pol_rule_src *g)
{
	const char *path = r->s.path;
	char buf[MEAS_TEXT];
	meas_set m = 0;
	struct diag *d;

	for (unsigned i = 0; i < MEAS_COUNT; i++) {
		if (meas_class((enum meas)i) == MEAS_CLASS_SNAPSHOT)
			m |= MEAS_BIT(i);
	}
	m &= u->data.meas & g->data.meas;
	if (!m || !u->data.has_gran || !goes_outside(v, g) ||
	    sustained_ns(v, g) >= u->data.gran_lo_ns ||
	    sustained_ns(of, u) >= u->data.gran_lo_ns ||
	    told_here(r, of, u->data.pos_gran))
		return;
	r->s.path = of->path;
	d = find(r, DIAG_WARNING, 4108, u->data.pos_gran, 1,
		 "limit the spacing of readings as well",
		 "granularity does not bound %s, which '%s' may give more "
		 "often",
		 meas_text(buf, sizeof(buf), m), g->id);
	r->s.path = path;
	diag_second(d, g->pos.line, g->pos.col, "'%s' is here", g->id);
	if (d)
		d->path2 = v->path;
}

/* --- budgets --------------------------------------------------------------- */

/* Limits of the rule that its ceiling's leave nothing to do. */
static void check_under(struct rd *r, const struct pol_file *base,
			const struct pol_rule_src *c,
			const struct pol_rule_src *g)
{
	bool whole = match_covers(c->match, c->n_match, g->match, g->n_match);

	for (size_t i = 0; whole && i < g->n_limit; i++) {
		for (size_t k = 0; k < c->n_limit; k++) {
			if (!limit_idle(&g->limit[i], &c->limit[k], false))
				continue;
			say_idle(r, &g->limit[i], base, &c->limit[k]);
			break;
		}
	}
}

/* Does the counter of the baseline's limit count all that the vendor's does? */
static bool above(const struct pol_file *base, const struct pol_limit_src *b,
		  const struct pol_file *v, const struct pol_limit_src *a)
{
	return dir_covers(b->dir, a->dir) && vm_names(&b->vm, v->vm) &&
	       party_all(base, &b->party, v, &a->party) &&
	       match_covers(b->match, b->n_match, a->match, a->n_match) &&
	       (b->meas == 0 || (a->meas && !(a->meas & ~b->meas))) &&
	       !b->each_meas && (!b->each_party || a->each_party);
}

static void check_totals(struct rd *r, const struct pol_file *base)
{
	const struct pol_file *v = r->f;

	for (size_t i = 0; i < v->n_limit; i++) {
		for (size_t k = 0; k < base->n_limit; k++) {
			const struct pol_limit_src *a = &v->limit[i];
			const struct pol_limit_src *b = &base->limit[k];

			if (!above(base, b, v, a) ||
			    !limit_idle(&a->phrase, &b->phrase, false))
				continue;
			say_idle(r, &a->phrase, base, &b->phrase);
			break;
		}
	}
}

static void check_many(struct rd *r, const struct pol_file *base,
		       const struct pol_rule_src *c,
		       const struct pol_rule_src *g)
{
	size_t n = cost_of_rule(r->f, g).limits + c->n_limit +
		   limits_met(base, r->f, g);
	struct diag *d;

	if (n <= COST_MAX_LIMITS)
		return;
	d = find(r, DIAG_ERROR, 6201, AT_RULE(g),
		 "remove limits, or let them select less",
		 "with those of '%s' a message of '%s' has to be counted by %zu "
		 "limits; at most %d",
		 base->id, g->id, n, COST_MAX_LIMITS);
	diag_second(d, c->pos.line, c->pos.col, "'%s' is its ceiling", c->id);
	if (d)
		d->path2 = base->path;
}

/* All that it could answer is asked by rules that permit nothing here, as far
 * as is known; until that is no news. */
static bool answers_nobody(struct rd *r, const struct pol_file *base,
			   const bool *idle, const struct pol_rule_src *g)
{
	struct diag *d;

	for (size_t k = 0; k < g->n_answers; k++) {
		if (!idle[g->answers[k]])
			return false;
	}
	if (!g->n_answers)
		return false;
	d = find(r, DIAG_WARNING, 4003, AT_RULE(g),
		 "no request that it answers is admitted",
		 "'%s' can never permit anything under '%s'", g->id, base->id);
	diag_second(d, r->f->rule[g->answers[0]].pos.line,
		    r->f->rule[g->answers[0]].pos.col, "it answers '%s'",
		    r->f->rule[g->answers[0]].id);
	return true;
}

static void check_answers(struct rd *r, const struct pol_file *base, bool *idle)
{
	bool news = true;

	while (news) {
		news = false;
		for (size_t i = 0; i < r->f->n_rule; i++) {
			if (!idle[i] && r->f->rule[i].kind == RULE_GRANT &&
			    answers_nobody(r, base, idle, &r->f->rule[i]))
				news = idle[i] = true;
		}
	}
}

static void check_layers(struct rd *r, const struct pol_file *base)
{
	bool idle[256] = {false}; /* rules of a file */

	for (size_t i = 0; i < r->f->n_rule; i++) {
		const struct pol_rule_src *g = &r->f->rule[i], *c;

		if (g->kind != RULE_GRANT)
			continue;
		c = check_grant(r, base, g);
		if (i < 256)
			idle[i] = !c;
		if (!c)
			continue;
		check_under(r, base, c, g);
		check_snapshots(r, base, c, r->f, g);
		check_starving(r, g, base);
		check_many(r, base, c, g);
	}
	check_answers(r, base, idle);
	check_totals(r, base);
}

/* --- consent and floors ----------------------------------------------------- */

static bool has_class(meas_set m, enum meas_class cls)
{
	for (unsigned i = 0; i < MEAS_COUNT; i++) {
		if (m & MEAS_BIT(i) && meas_class((enum meas)i) == cls)
			return true;
	}
	return false;
}

/* Shortest time between values that the rule lets a recipient have. */
static int64_t finest_ns(const struct pol_file *v, const struct pol_rule_src *g,
			 meas_set m)
{
	int64_t every = sustained_ns(v, g);

	if (has_class(m, MEAS_CLASS_SERIES)) {
		int64_t gran = g->data.has_gran ? g->data.gran_lo_ns : 0;

		return gran < every || every == 0 ? gran : every;
	}
	return every;
}

static void check_consent(struct rd *r, const struct pol_file *base,
			  const struct pol_rule_src *g)
{
	static const char *const names[] = {"nothing", "none", "opt-out",
					    "opt-in"};

	for (size_t k = 0; discloses(r->f, g) && k < base->n_consent_rule;
	     k++) {
		const struct pol_consent_rule_src *c = &base->consent_rule[k];
		meas_set m = g->data.meas & c->meas;
		struct diag *d;

		if (!m || g->consent >= c->minimum ||
		    finest_ns(r->f, g, m) >= c->finer_than_ns)
			continue;
		d = find(r, DIAG_ERROR, 5301, AT_RULE(g),
			 "ask for more, or send less often",
			 "'%s' says consent: %s, but '%s' of '%s' wants %s at "
			 "least",
			 g->id, names[g->consent], c->id, base->id,
			 names[c->minimum]);
		diag_second(d, c->pos.line, c->pos.col, "'%s' is here", c->id);
		if (d)
			d->path2 = base->path;
		return;
	}
}

/* A floor promises a measurement that some grant of its machine must give. */
static bool kept(const struct pol_file *v, const struct pol_floor_src *f)
{
	for (size_t i = 0; i < v->n_rule; i++) {
		if (v->rule[i].kind == RULE_GRANT &&
		    v->rule[i].dir != DIRSEL_IN &&
		    v->rule[i].data.meas & f->meas)
			return true;
	}
	return false;
}

static void check_floors(const struct pol_files *s, struct rd *r,
			 const struct pol_file *base)
{
	r->s.path = base->path;
	r->f = (struct pol_file *)(uintptr_t)base;
	for (size_t k = 0; k < base->n_floor; k++) {
		const struct pol_floor_src *f = &base->floor[k];
		struct diag *d;

		for (size_t i = 0; i < s->n; i++) {
			if (s->f[i]->kind != POL_VENDOR ||
			    strcmp(s->f[i]->vm, f->vm) != 0 ||
			    kept(s->f[i], f))
				continue;
			d = find(r, DIAG_WARNING, 4012, AT_RULE(f),
				 "the policy must grant what the floor keeps",
				 "no rule of '%s' gives what the floor '%s' "
				 "keeps",
				 s->f[i]->id, f->id);
			diag_second(d, s->f[i]->pos_id.line,
				    s->f[i]->pos_id.col, "the policy is here");
			if (d)
				d->path2 = s->f[i]->path;
		}
	}
}

int pol_check_set(const struct pol_files *s, struct diags *d, struct err *e)
{
	const struct pol_file *base = NULL;
	size_t errors = d->errors;
	struct rd r = {
		.s = {.d = d}
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
		check_layers(&r, base);
		for (size_t k = 0; k < r.f->n_rule; k++)
			check_consent(&r, base, &r.f->rule[k]);
	}
	if (base)
		check_floors(s, &r, base);
	if (d->errors != errors)
		return err_set(e, E_SYNTAX, 0, "%zu error%s between files",
			       d->errors - errors,
			       d->errors - errors == 1 ? "" : "s");
	return 0;
}
