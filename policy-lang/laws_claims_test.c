/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is told beside an assertion that does not hold: a message that is said
 * to break it passes when it is judged, and does break it; a series of them is
 * as dense as it is said.
 */
#include "policy-lang/lawsaid.h"
#include "policy-lang/witness.h"

enum { SAW_FLOW, SAW_FOUND, SAW_NONE, SAW_MANY, SAW_ANSWER, SAW_BASELINE };

static struct world w;
static struct scene scene;
static struct bound *b;

static void forget(void)
{
	if (b)
		bound_free(b);
	b = NULL;
	scene_free(&scene);
}

static bool compose(const struct policies *p)
{
	const struct pol_file *f[WORLD_FILES];
	struct err e;

	forget();
	if (!world_of(&w, p))
		return false;
	for (size_t i = 0; i < w.n; i++)
		f[i] = w.file[i];
	return scene_new(&scene, f, w.n, &e) == 0 &&
	       bound_new(&b, scene.set, false, &e) == 0;
}

static const struct pol_file *policy_of(const struct bound_recipient *r)
{
	for (size_t i = 0; i < scene.n_file; i++) {
		if (scene.file[i]->kind == POL_VENDOR &&
		    span_is(r->machine_name, scene.file[i]->vm))
			return scene.file[i];
	}
	return NULL;
}

/* --- played again ------------------------------------------------------------- */

/* As at a first start, with every consent given. */
static bool start(const struct bound_recipient *r, const struct witness *x)
{
	const struct pol_image *v = bound_policy(b, r->machine);
	struct err e;

	if (scene_reset(&scene, x->at, &e))
		return false;
	for (uint32_t i = 0; i < v->n_RULE; i++) {
		if (v->RULE[i].kind == RULE_GRANT &&
		    v->RULE[i].consent > CONSENT_NONE &&
		    pol_state_consent(scene.state, r->machine,
				      img_str(v, v->RULE[i].id), true))
			return false;
	}
	return true;
}

static const struct lay_guard *guard_of(const struct pol_image *v, uint32_t rule)
{
	static const struct lay_guard none;

	return v->RULE[rule].guard == LAY_NONE ? &none
					       : &v->GARD[v->RULE[rule].guard];
}

/* All states that the policy has, but those that the rule, or one that it
 * answers, forbids. */
static void states(const struct bound_recipient *r, const struct bound_flow *f,
		   const struct witness *x)
{
	const struct pol_image *v = bound_policy(b, r->machine);
	const struct lay_guard *g = guard_of(v, f->rule);
	uint64_t not = g->forbids;
	unsigned builtin = g->forbids_builtin;

	for (uint32_t i = 0; i < v->n_RULE; i++) {
		if (!(g->answers[i / 64] >> (i % 64) & 1))
			continue;
		not |= guard_of(v, i)->forbids;
		builtin |= guard_of(v, i)->forbids_builtin;
	}
	for (uint32_t i = 0; i < v->n_STAT; i++) {
		struct span to = v->STAT[i].scope == SCOPE_PARTY
					 ? span_str(x->step.party)
					 : (struct span){0};

		/* What cannot be set so shows when it is judged. */
		if (!(not >> i & 1) &&
		    pol_state_set(scene.state, r->machine,
				  img_str(v, v->STAT[i].id), to, true,
				  scene.now))
			continue;
	}
	if (!(builtin >> BUILTIN_ATTESTED & 1) &&
	    pol_state_set(scene.state, r->machine, span_str("attested"),
			  (struct span){0}, true, scene.now))
		return;
}

static bool passes(const struct bound_recipient *r, const struct bound_flow *f,
		   const struct witness *x, struct pol_decision *d)
{
	struct scene_msg m;
	struct err e;
	uint64_t asked;

	states(r, f, x);
	asked = x->answer ? scene_ask_for(&scene, &x->step) : 0;
	if (scene_message(&scene, &x->step, x->step.vm, asked, &m, &e))
		return false;
	scene_judge(&scene, &m.msg, d);
	return d->permit;
}

/* --- the law ------------------------------------------------------------------ */

static struct pol_assert_src broken_by(struct draws *d,
				       const struct bound_flow *f)
{
	struct pol_assert_src a = {.kind = ASSERT_NEVER,
				   .meas = MEAS_BIT(f->meas)};
	int64_t more = (int64_t)(1 + draw(d, 8)) * 3600 * NS_PER_S;

	if (draw(d, 3) == 0) {
		a.kind = ASSERT_FRESHEST;
		a.ns = f->delay_ns + more;
	} else if (draw(d, 2) && f->spacing_ns < INT64_MAX - more) {
		a.kind = ASSERT_FINEST;
		a.ns = f->spacing_ns + more;
	}
	return a;
}

static bool as_told(struct law *l, const struct bound_recipient *r,
		    const struct bound_flow *f, const struct pol_assert_src *a,
		    const struct witness *x)
{
	const struct pol_step_src *st = &x->step;
	struct pol_decision d;
	int64_t began;
	unsigned n = 1;

	if (!start(r, x) || !passes(r, f, x, &d))
		return law_broken(l, "it does not pass: %s", d.text);
	if (st->meas != MEAS_BIT(f->meas) || st->dir != DIR_OUT ||
	    !span_is(f->party_name, st->party) ||
	    (a->kind == ASSERT_FRESHEST && st->newest_ns >= a->ns))
		return law_broken(l, "it is something else");
	if (a->kind != ASSERT_FINEST ||
	    meas_class(f->meas) == MEAS_CLASS_SERIES)
		return a->kind != ASSERT_FINEST || st->gran_ns < a->ns ||
		       law_broken(l, "it is coarser");
	if (x->readings < 2 ||
	    x->within_ns / (int64_t)(x->readings - 1) >= a->ns)
		return law_broken(l, "it is not often enough");
	began = scene.now.mono.ns;
	while (n < x->readings &&
	       scene.now.mono.ns - began <= x->within_ns) {
		if (passes(r, f, x, &d))
			n++;
		else
			scene_advance(&scene, d.wait_ns > NS_PER_S
						      ? d.wait_ns
						      : 60 * NS_PER_S);
	}
	return n == x->readings ||
	       law_broken(l, "only %u of %u pass", n, x->readings);
}

static bool law_claims(struct law *l)
{
	static struct policies p;
	static struct witness x;
	static bool fine;
	struct draws *d = &l->history;
	const struct bound_recipient *r;
	const struct bound_flow *f;
	struct pol_assert_src a;
	char text[WITNESS_TEXT];

	if (!l->same_policy) {
		make_policies(&l->policy, &p, false);
		tell_policies(l, &p);
		fine = compose(&p);
	}
	if (!fine || b->n == 0)
		return law_skip(l);
	r = &b->r[draw(d, b->n)];
	if (r->n_flow == 0)
		return law_skip(l);
	f = &r->flow[draw(d, r->n_flow)];
	if (f->rule == BOUND_NO_RULE)
		return law_skip(l);
	l->saw[SAW_FLOW] = true;
	l->saw[SAW_BASELINE] = p.has_base;
	a = broken_by(d, f);
	if (!witness_find(&scene, policy_of(r), f, &a, &x)) {
		l->saw[SAW_NONE] = true;
		return true;
	}
	witness_text(text, &x);
	law_tell(l, "======== kind %d of '%.*s': %s\n", a.kind,
		 (int)f->rule_name.n, (const char *)f->rule_name.p, text);
	l->saw[SAW_FOUND] = true;
	l->saw[SAW_MANY] = x.readings > 1;
	l->saw[SAW_ANSWER] = x.answer != NULL;
	return as_told(l, r, f, &a, &x);
}

static void test_claims(void **ctx)
{
	static const struct law_share shares[] = {
		{"a flow", 90}, {"an example", 50}, {"none", 3},
		{"several readings", 5}, {"an answer", 5},
		{"under a baseline", 30}, {0}};

	(void)ctx;
	law_run("claims", law_claims, shares);
	forget();
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
