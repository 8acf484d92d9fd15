/* SPDX-License-Identifier: Apache-2.0 */
/* The assertions of files, about what these files permit together. */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/analysis/assert.h"
#include "policy-lang/analysis/minimum.h"
#include "policy-lang/image/view.h"
#include "policy-lang/front/diag.h"
#include "policy-lang/polc.h"
#include "policy-lang/witness.h"

#define MAX_FILES  63 /* beside the customer's */
#define MAX_VAIN   40

/* Whose assertion is broken, and where messages are judged. */
struct broken {
	struct scene *s;
	const struct pol_assert_src *a;
	/* Each flow is looked for among many messages: how often that may be in
	 * vain, for all assertions of a set. */
	unsigned *left;
};

static struct diag_at place(struct pol_pos pos, const char *id)
{
	return (struct diag_at){pos.line, pos.col, (uint32_t)strlen(id)};
}

static bool example(void *arg, const struct bound_recipient *r,
		    const struct bound_flow *f, int64_t *ns, char *text,
		    size_t cap)
{
	struct broken *b = arg;
	const struct pol_file *v = NULL;
	struct witness *w;
	char is[WITNESS_TEXT];
	bool found;

	for (size_t i = 0; i < b->s->n_file; i++) {
		if (b->s->file[i]->kind == POL_VENDOR &&
		    span_is(r->machine_name, b->s->file[i]->vm))
			v = b->s->file[i];
	}
	w = v && *b->left ? malloc(sizeof(*w)) : NULL;
	found = w && witness_find(b->s, v, f, b->a, w);
	if (found) {
		witness_text(is, w);
		snprintf(text, cap, "%s", is);
		if (w->readings > 1)
			*ns = w->within_ns / (w->readings - 1);
	} else if (w) {
		--*b->left;
	}
	free(w);
	return found;
}

static bool is_household(const struct scene *s)
{
	for (size_t i = 0; i < s->n_file; i++) {
		if (s->file[i]->kind == POL_BINDING)
			return true;
	}
	return false;
}

/* What is claimed of nobody holds whatever is allowed; a file of the platform
 * is read without those it names. NULL: there is somebody. */
static const char *nobody(const struct scene *s, const struct bound *b,
			  const struct pol_assert_src *a)
{
	bool vm = false, to = false;

	if (!is_household(s))
		return NULL;
	for (size_t m = 0; m < pol_set_machines(s->set); m++) {
		const struct pol_image *v = bound_policy(b, m);
		struct pol_machine is;

		pol_set_machine(s->set, m, &is);
		if (a->vm && !span_is(is.name, a->vm))
			continue;
		vm = true;
		for (uint32_t p = 0; a->to && v && p < v->n_PRTY; p++)
			to |= span_is(img_str(v, v->PRTY[p].id), a->to);
	}
	return a->vm && !vm ? a->vm : a->to && !to ? a->to : NULL;
}

static void prove_file(struct scene *s, const struct bound *b,
		       const struct pol_file *f, unsigned *left,
		       struct diags *d)
{
	for (size_t i = 0; i < f->n_assertion; i++) {
		const struct pol_assert_src *a = &f->assertion[i];
		struct broken of = {s, a, left};
		struct assert_example x = {example, &of};
		struct diag_at at = {a->pos.line, a->pos.col,
				     (uint32_t)strlen(a->id)};
		const char *none = nobody(s, b, a);
		char why[ASSERT_WHY];

		if (none)
			diag_add(d, DIAG_WARNING, 8003, f->path, at, NULL,
				 "'%s' claims nothing: no %s of this household "
				 "is called '%s'",
				 a->id, none == a->vm ? "machine" : "party",
				 none);
		if (!assert_holds(b, a, f->vm, &x, why))
			diag_add(d, DIAG_ERROR, 8002, f->path, at,
				 "claim less, or narrow what the policy allows",
				 "'%s' does not hold: %s", a->id, why);
	}
}

/* --- consent -------------------------------------------------------------- */

struct asking {
	const struct scene *s;
	struct diags *d;
};

static const struct pol_file *file_of(const struct scene *s, struct span id,
				      enum pol_kind kind)
{
	for (size_t i = 0; i < s->n_file; i++) {
		if (s->file[i]->kind == kind && span_is(id, s->file[i]->id))
			return s->file[i];
	}
	return NULL;
}

static const struct pol_rule_src *rule_of(const struct pol_file *f,
					  struct span id)
{
	for (size_t i = 0; f && i < f->n_rule; i++) {
		if (f->rule[i].kind == RULE_GRANT &&
		    span_is(id, f->rule[i].id))
			return &f->rule[i];
	}
	return NULL;
}

/* A rule by its name, a policy on trial by its mode. */
static bool place_of(const struct pol_file *f, const struct pol_image *v,
		     uint32_t rule, struct diag_at *at)
{
	const struct pol_rule_src *r;

	if (rule == BOUND_NO_RULE) {
		*at = (struct diag_at){f->pos_mode.line, f->pos_mode.col, 1};
		return true;
	}
	r = rule_of(f, img_str(v, v->RULE[rule].id));
	if (r)
		*at = (struct diag_at){r->pos.line, r->pos.col,
				       (uint32_t)strlen(r->id)};
	return r != NULL;
}

/* By the file alone it may have been told before (front/link.c). */
static bool is_told(const struct diags *d, uint16_t code, const char *path,
		    struct diag_at at)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->d[i].code == code && d->d[i].line == at.line &&
		    strcmp(d->d[i].path, path) == 0)
			return true;
	}
	return false;
}

static void say_unasked(void *arg, const struct minimum_broken *x)
{
	const struct asking *a = arg;
	const struct pol_image *v = x->vendor, *base = x->base;
	const struct pol_file *f = file_of(a->s, v->id, POL_VENDOR);
	const struct pol_file *bf = file_of(a->s, base->id, POL_BASELINE);
	struct diag_at at = {0}, other = {0};
	char text[200];
	struct diag *g;

	if (!f || !place_of(f, v, x->rule, &at) ||
	    !place_of(f, v, x->other, &other) || is_told(a->d, 5301, f->path, at) ||
	    is_told(a->d, 5301, f->path, other))
		return;
	minimum_text(text, sizeof(text), x);
	g = diag_add(a->d, DIAG_ERROR, 5301, f->path, at,
		     x->rule == BOUND_NO_RULE || x->on_trial
			     ? "end the trial: only the baseline and the "
			       "customer bound it"
		     : x->n > 1 ? "ask for more, send less often, or add a "
				  "limit over all of them"
				: "ask for more, or send less often",
		     "%s", text);
	for (size_t i = 0; bf && i < bf->n_consent_rule; i++) {
		const struct pol_consent_rule_src *c = &bf->consent_rule[i];

		if (!span_is(img_str(base, x->min->id), c->id))
			continue;
		diag_second(g, c->pos.line, c->pos.col, "'%s' is here", c->id);
		if (g)
			g->path2 = bf->path;
	}
}

static int ask(const struct scene *s, const struct bound *b, struct diags *d,
	       struct err *e)
{
	struct asking a = {s, d};

	return minimum_check(b, say_unasked, &a, e);
}

/* --- differencing ---------------------------------------------------------- */

/* Of the snapshots that show use, or of the series, which one is finest? NULL:
 * it gets none. */
static const struct bound_flow *finest(const struct bound_recipient *r,
				       enum meas_class cls)
{
	const struct bound_flow *best = NULL;

	for (size_t i = 0; i < r->n_flow; i++) {
		const struct bound_flow *f = &r->flow[i];

		if (bound_use(f->meas) && meas_class(f->meas) == cls &&
		    (!best || f->spacing_ns < best->spacing_ns))
			best = f;
	}
	return best;
}

static bool on_trial(const struct bound_recipient *r)
{
	for (size_t i = 0; i < r->n_flow; i++) {
		if (r->flow[i].rule == BOUND_NO_RULE)
			return true;
	}
	return false;
}

/* Rules that each stay behind the series may not do so together. What only the
 * sum shows counts from five sixths on, as in grades. */
static void check_difference(const struct scene *s, const struct bound *b,
			     const struct bound_recipient *r, struct diags *d)
{
	const struct bound_flow *snap = finest(r, MEAS_CLASS_SNAPSHOT);
	const struct bound_flow *ser = finest(r, MEAS_CLASS_SERIES);
	const struct pol_image *v = bound_policy(b, r->machine);
	const struct pol_file *f;
	const struct pol_rule_src *a, *of;
	int64_t every;
	struct diag *g;
	char t[64];

	if (!snap || !ser || !r->outside || on_trial(r))
		return;
	every = bound_together(b, r, 0);
	if (every >= ser->spacing_ns / 6 * 5)
		return;
	f = file_of(s, v->id, POL_VENDOR);
	a = rule_of(f, snap->rule_name);
	of = rule_of(f, ser->rule_name);
	if (!a || !of ||
	    is_told(d, 5102, f->path,
		    (struct diag_at){.line = a->pos.line, .col = a->pos.col}))
		return;
	g = diag_add(d, DIAG_ERROR, 5102, f->path,
		     (struct diag_at){a->pos.line, a->pos.col,
				      (uint32_t)strlen(a->id)},
		     "space the readings further apart, or add a limit over "
		     "all of them",
		     "all that '%.*s' reads is together a value every %s, more "
		     "often than the intervals of '%s' are long",
		     (int)r->operator_.n, (const char *)r->operator_.p,
		     bound_time(t, sizeof(t), every), of->id);
	diag_second(g, of->pos.line, of->pos.col, "'%s' is here", of->id);
}

/* --- one host, two operators ----------------------------------------------- */

static const struct pol_party_src *party_of(const struct pol_file *f,
					    const struct pol_image *v,
					    uint64_t among)
{
	unsigned p = among ? (unsigned)__builtin_ctzll(among) : 0;

	for (size_t i = 0; among && i < f->n_party; i++) {
		if (span_is(img_str(v, v->PRTY[p].id), f->party[i].id))
			return &f->party[i];
	}
	return NULL;
}

/* Each gets what the other does, so the author should know whom it names; once
 * for each is enough. */
static bool check_host(const struct scene *s, const struct bound *b, size_t i,
		       size_t k, struct diags *d)
{
	const struct bound_recipient *r = &b->r[i], *o = &b->r[k];
	const struct pol_image *v = bound_policy(b, r->machine);
	const struct pol_file *f;
	const struct pol_party_src *x, *y;
	struct diag *g;

	if (r->machine != o->machine || !r->outside || !o->outside ||
	    !bound_gets(r) || !bound_gets(o))
		return false;
	f = file_of(s, v->id, POL_VENDOR);
	x = f ? party_of(f, v, r->own & o->parties) : NULL;
	y = f ? party_of(f, v, o->own & r->parties) : NULL;
	if (!x || !y)
		return false;
	g = diag_add(d, DIAG_WARNING, 5205, f->path, place(x->pos, x->id),
		     "give one operator, or each its own address, name and key",
		     "'%s' and '%s' may be one host of two operators: the label "
		     "shows both what the two get together",
		     y->id, x->id);
	diag_second(g, y->pos.line, y->pos.col, "'%s' is here", y->id);
	return true;
}

/* --- all of it ------------------------------------------------------------- */

void proof_free(struct proof *p)
{
	bound_free(p->b);
	scene_free(&p->s);
	p->b = NULL;
}

/* of: whose assertions; they are about what set permits. keep: where to leave
 * what was made for it. */
static int prove(const struct pol_file *const *set, size_t n,
		 const struct pol_file *const *of, size_t n_of,
		 struct proof *keep, struct diags *d, struct err *e)
{
	unsigned left = MAX_VAIN;
	struct proof p = {.b = NULL};
	int rc = scene_new(&p.s, set, n, e);

	if (rc)
		return rc;
	rc = bound_new(&p.b, p.s.set, false, e);
	for (size_t i = 0; !rc && i < n_of; i++)
		prove_file(&p.s, p.b, of[i], &left, d);
	for (size_t i = 0; !rc && i < p.b->n; i++) {
		if (p.b->r[i].same_as == i)
			check_difference(&p.s, p.b, &p.b->r[i], d);
	}
	for (size_t i = 0; !rc && i < p.b->n; i++) {
		size_t k = 0;

		while (k < i && !check_host(&p.s, p.b, i, k, d))
			k++;
	}
	if (!rc)
		rc = ask(&p.s, p.b, d, e);
	if (!rc && keep)
		*keep = p;
	else
		proof_free(&p);
	return rc;
}

/* An answer about a policy that is there names one of its grants. */
static void check_answers(const struct pol_file *c,
			  const struct pol_file *const *others, size_t n,
			  struct diags *d)
{
	for (size_t a = 0; a < c->n_answer; a++) {
		const struct pol_answer_src *x = &c->answer[a];
		struct diag_at at = {x->pos.line, x->pos.col, 1};
		bool policy = false, rule = false, home = false;

		for (size_t i = 0; i < n; i++) {
			home |= others[i]->kind == POL_BINDING;
			if (strcmp(others[i]->id, x->policy) != 0)
				continue;
			policy = true;
			for (size_t k = 0; k < others[i]->n_rule; k++)
				rule |= others[i]->rule[k].kind == RULE_GRANT &&
					strcmp(others[i]->rule[k].id,
					       x->rule) == 0;
		}
		if (home && !policy)
			diag_add(d, DIAG_WARNING, 3206, c->path, at, NULL,
				 "there is no policy '%s': this answers "
				 "nothing",
				 x->policy);
		if (policy && !rule)
			diag_add(d, DIAG_WARNING, 3206, c->path, at, NULL,
				 "'%s' has no rule '%s': this answers nothing",
				 x->policy, x->rule);
	}
}

static bool names(const char *text, const char *id)
{
	size_t n = strlen(id);

	for (const char *at = text; (at = strstr(at, id)); at += n) {
		if ((at == text || at[-1] == ' ') &&
		    (at[n] == 0 || at[n] == ' '))
			return true;
	}
	return false;
}

static bool restricts_named(const struct pol_rule_src *r, const char *why)
{
	for (size_t i = 0; i < r->vm.n_vm; i++) {
		if (names(why, r->vm.vm[i]))
			return true;
	}
	return false;
}

/* The composition says what it refuses by name: where that stands. */
static void say_refused(const struct pol_file *c, const char *why,
			const struct pol_file *const *others, size_t n,
			struct diags *d)
{
	struct diag_at at = {0};
	struct diag *g;

	for (size_t i = 0; i < c->n_rule; i++) {
		if (names(why, c->rule[i].id))
			at = place(c->rule[i].pos, c->rule[i].id);
	}
	for (size_t i = 0; !at.line && i < c->n_answer; i++) {
		if (!c->answer[i].granted && names(why, c->answer[i].rule))
			at = (struct diag_at){c->answer[i].pos.line,
					      c->answer[i].pos.col, 1};
	}
	/* A machine that is none; the customer's file names those only. */
	for (size_t i = 0; !at.line && i < c->n_rule; i++) {
		if (restricts_named(&c->rule[i], why))
			at = place(c->rule[i].pos, c->rule[i].id);
	}
	if (!at.line)
		at = place(c->pos_id, c->id);
	g = diag_add(d, DIAG_ERROR, 4011, c->path, at,
		     "the gateway would keep the file it has", "%s", why);
	for (size_t i = 0; g && i < n; i++) {
		for (size_t k = 0; k < others[i]->n_floor; k++) {
			const struct pol_floor_src *f = &others[i]->floor[k];

			if (!names(why, f->id))
				continue;
			diag_second(g, f->pos.line, f->pos.col,
				    "'%s' is here", f->id);
			g->path2 = others[i]->path;
		}
		for (size_t k = 0; k < others[i]->n_rule; k++) {
			const struct pol_rule_src *r = &others[i]->rule[k];

			if (r->kind != RULE_GRANT ||
			    r->consent != CONSENT_NONE || !names(why, r->id))
				continue;
			diag_second(g, r->pos.line, r->pos.col,
				    "'%s' is here", r->id);
			g->path2 = others[i]->path;
		}
	}
}

/* What its file says must be possible beside the others. */
static void check_customer(const struct pol_files *files,
			  const struct pol_file *const *others, size_t n,
			  struct diags *d)
{
	const struct pol_file *all[MAX_FILES + 1];
	struct scene s;
	struct err why;

	for (size_t i = 0; i < files->n; i++) {
		const struct pol_file *f = files->f[i];

		if (f->kind != POL_CUSTOMER || n >= MAX_FILES)
			continue;
		memcpy(all, others, n * sizeof(all[0]));
		all[n] = f;
		if (scene_new(&s, all, n + 1, &why))
			say_refused(f, why.text, others, n, d);
		else
			scene_free(&s);
		check_answers(f, others, n, d);
	}
}

int prove_assertions(const struct pol_files *files, struct proof *keep,
		     struct diags *d, struct err *e)
{
	const struct pol_file **f = calloc(files->n + 1, sizeof(*f));
	size_t errors = d->errors, n = 0;
	struct err why;
	int rc = 0;

	if (keep)
		*keep = (struct proof){.b = NULL};
	if (!f)
		return err_set(e, E_NOMEM, 0, "out of memory");
	/* A customer only ever takes away. */
	for (size_t i = 0; i < files->n; i++) {
		if (files->f[i]->kind != POL_CUSTOMER)
			f[n++] = files->f[i];
	}
	/* Files that are no household are looked at one by one. */
	if (n && prove(f, n, f, n, n == 1 ? keep : NULL, d, &why)) {
		for (size_t i = 0; !rc && i < n; i++)
			rc = prove(&f[i], 1, &f[i], 1, NULL, d, e);
	} else {
		check_customer(files, f, n, d);
	}
	free(f);
	if (!rc)
		rc = nobody_check(files, d, e);
	if (!rc && d->errors != errors)
		rc = err_set(e, E_SYNTAX, 0, "the files do not hold together");
	return rc;
}
