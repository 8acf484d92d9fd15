/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/propose.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/wbuf.h"
#include "enforcer/daemon/answers.h"
#include "enforcer/daemon/telling.h"
#include "policy-lang/analysis/within.h"
#include "policy-lang/front/front.h"
#include "policy-lang/image/view.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p
#define NAME	"customer.yaml"

/* --- what changes ------------------------------------------------------------ */

/* granted, refused, void, or NULL. */
static const char *answer(const struct pol_image *im, struct span policy,
			  struct span rule, const struct store_voids *voids)
{
	for (uint32_t i = 0; im && i < im->n_ANSW; i++) {
		if (span_eq(img_str(im, im->ANSW[i].policy), policy) &&
		    span_eq(img_str(im, im->ANSW[i].rule), rule))
			return voids && answers_were_void(voids, im, i)
				       ? "void, for the rule is wider since"
			       : im->ANSW[i].granted ? "granted"
						     : "refused";
	}
	return NULL;
}

static void say_answers(struct telling *t, const struct pol_image *is,
			const struct pol_image *was,
			const struct store_voids *voids)
{
	for (uint32_t i = 0; i < is->n_ANSW; i++) {
		struct span p = img_str(is, is->ANSW[i].policy);
		struct span r = img_str(is, is->ANSW[i].rule);
		const char *now = answer(is, p, r, NULL);
		const char *before = answer(was, p, r, voids);

		if (!before || strcmp(now, before) != 0)
			tell(t, "  %.*s/%.*s: %s -> %s\n", TEXT(p), TEXT(r),
			    before ? before : "no answer", now);
	}
	for (uint32_t i = 0; was && i < was->n_ANSW; i++) {
		struct span p = img_str(was, was->ANSW[i].policy);
		struct span r = img_str(was, was->ANSW[i].rule);

		if (!answer(is, p, r, NULL))
			tell(t, "  %.*s/%.*s: %s -> no answer\n", TEXT(p),
			    TEXT(r), answer(was, p, r, voids));
	}
}

static uint32_t find_rule(const struct pol_image *im, struct span id)
{
	for (uint32_t i = 0; im && i < im->n_RULE; i++) {
		if (span_eq(img_str(im, im->RULE[i].id), id))
			return i;
	}
	return LAY_NONE;
}

/* All that it says: a name says nothing. */
static void say_rule(struct telling *t, const char *what,
		     const struct pol_image *im, uint32_t rule)
{
	static uint8_t buf[PROPOSE_TEXT];
	struct wbuf w = wbuf_of(buf, sizeof(buf));

	if (!pol_image_print_rule(im, rule, &w))
		t->cut = true;
	else
		tell(t, "    %s:\n%.*s", what, (int)w.n, (const char *)w.p);
}

static void say_rules(struct telling *t, const struct pol_image *is,
		      const struct pol_image *was)
{
	for (uint32_t i = 0; i < is->n_RULE; i++) {
		struct span id = img_str(is, is->RULE[i].id);
		uint32_t k = find_rule(was, id);
		bool same = k != LAY_NONE &&
			    pol_within_restriction(is, i, was, k) &&
			    pol_within_restriction(was, k, is, i);

		tell(t, "  restriction %.*s: %s\n", TEXT(id),
		     same	     ? "is there as well"
		     : k != LAY_NONE ? "changes"
				     : "is new");
		if (!same && k != LAY_NONE)
			say_rule(t, "it was", was, k);
		if (!same)
			say_rule(t, "it is", is, i);
	}
	for (uint32_t i = 0; was && i < was->n_RULE; i++) {
		struct span id = img_str(was, was->RULE[i].id);

		if (find_rule(is, id) != LAY_NONE)
			continue;
		tell(t, "  restriction %.*s: ends\n", TEXT(id));
		say_rule(t, "it was", was, i);
	}
}

/* --- what comes of it ---------------------------------------------------------- */

/* What is in force, or the same with this customer's file. */
static int set_with(struct pol_set **out, const struct capture_policy *was,
		    const struct pol_image *customer, struct err *e)
{
	const struct pol_image *im[CAPTURE_POLICIES + 1];
	size_t n = 0;

	for (size_t i = 0; i < was->n; i++) {
		if (!customer || pol_image_kind(was->image[i]) != POL_CUSTOMER)
			im[n++] = was->image[i];
	}
	if (customer)
		im[n++] = customer;
	return pol_set_new(out, im, n, e);
}

static int void_answers(struct pol_set *s, const struct pol_image *customer,
			const struct store_voids *voids, struct err *e)
{
	for (uint32_t i = 0; customer && voids && i < customer->n_ANSW; i++) {
		if (answers_were_void(voids, customer, i) &&
		    pol_set_void(s, i) < 0)
			return err_set(e, E_NOMEM, 0, "out of memory");
	}
	return 0;
}

static int compare_sets(struct telling *t, const struct pol_set *was,
			const struct pol_set *is, struct err *e)
{
	struct bound *a = NULL, *b = NULL;
	struct diff *d = NULL;
	int rc = bound_new(&a, was, true, e);

	if (rc == 0)
		rc = bound_new(&b, is, true, e);
	if (rc == 0)
		rc = diff_new(&d, a, b, e);
	for (size_t i = 0; rc == 0 && i < d->n; i++) {
		if (d->item[i].change != DIFF_SAME)
			tell_item(t, &d->item[i]);
	}
	diff_free(d);
	bound_free(a);
	bound_free(b);
	return rc;
}

/* The figures of this household, before and after. */
static int say_figures(struct telling *t, const struct pol_image *is,
		       const struct pol_image *before,
		       const struct capture_policy *was,
		       const struct store_voids *voids, struct err *e)
{
	struct pol_set *old, *new_ = NULL;
	int rc;

	if (was->n == 0)
		return 0;
	rc = set_with(&old, was, NULL, e);
	if (rc < 0)
		return rc;
	rc = void_answers(old, before, voids, e);
	if (rc == 0)
		rc = set_with(&new_, was, is, e);
	if (rc == 0) {
		rc = compare_sets(t, old, new_, e);
		pol_set_free(new_);
	}
	pol_set_free(old);
	return rc;
}

/* --- compiling ------------------------------------------------------------------ */

static int complain(const struct diags *d, struct err *e)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct diag *x = &d->d[i];

		if (x->level == DIAG_ERROR)
			return err_set(e, E_SYNTAX, 0,
				       NAME ":%u:%u: error[P%04u]: %s",
				       x->line, x->col, x->code, x->text);
	}
	return e->code;
}

static int compile(struct span source, uint8_t **octets, size_t *n,
		   struct err *e)
{
	struct diags *d = calloc(1, sizeof(*d));
	const struct pol_lib none = {0};
	struct pol_file *f = NULL;
	int rc;

	if (!d)
		return err_set(e, E_NOMEM, 0, "out of memory");
	rc = pol_read(&f, NAME, source, &none, d, e);
	if (rc == E_SYNTAX)
		rc = complain(d, e);
	if (rc == 0 && f->kind != POL_CUSTOMER)
		rc = err_set(e, E_STATE, 0, "it is no customer's file");
	if (rc == 0)
		rc = pol_image_build(octets, n, f, e);
	pol_file_free(f);
	free(d);
	return rc;
}

static int take(struct proposed *o, struct span octets,
		const struct capture_policy *was,
		const struct store_voids *voids, struct err *e)
{
	struct telling t = {o->text, sizeof(o->text), 0, false};
	const struct pol_image *before = NULL;
	struct pol_image *im;
	struct span id;
	int rc;

	if (octets.n > sizeof(o->image))
		return err_set(e, E_LIMIT, 0, "its image is too large");
	rc = pol_image_load(&im, octets, e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < was->n; i++) {
		if (pol_image_kind(was->image[i]) == POL_CUSTOMER)
			before = was->image[i];
	}
	id = pol_image_id(im);
	tell(&t, "%.*s serial %llu\n", TEXT(id),
	    (unsigned long long)pol_image_serial(im));
	say_answers(&t, im, before, voids);
	say_rules(&t, im, before);
	rc = say_figures(&t, im, before, was, voids, e);
	pol_image_free(im);
	if (rc == 0 && t.cut)
		rc = err_set(e, E_LIMIT, 0, "it changes more than %u octets "
			     "can tell, and nobody could confirm it",
			     PROPOSE_TEXT);
	if (rc < 0)
		return rc;
	o->n_text = (uint32_t)t.n;
	memcpy(o->image, octets.p, octets.n);
	o->n_image = (uint32_t)octets.n;
	return 0;
}

void propose_compile(struct proposed *out, struct span source,
		     const struct capture_policy *was,
		     const struct store_voids *voids)
{
	uint8_t *octets = NULL;
	struct err e = {0};
	size_t n = 0;

	out->rc = compile(source, &octets, &n, &e);
	if (out->rc == 0)
		out->rc = take(out, span_of(octets, n), was, voids, &e);
	snprintf(out->error, sizeof(out->error), "%s", out->rc ? e.text : "");
	free(octets);
}
