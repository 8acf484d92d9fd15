/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/propose.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/daemon/answers.h"
#include "policy-lang/front/front.h"
#include "policy-lang/image/view.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p
#define NAME	"customer.yaml"

static void say(struct proposed *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct proposed *o, const char *fmt, ...)
{
	size_t room = sizeof(o->text) - o->n_text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(o->text + o->n_text, room, fmt, ap);
	va_end(ap);
	/* A line that does not fit is left out as a whole. */
	if (n > 0 && (size_t)n < room)
		o->n_text += (uint32_t)n;
	o->text[o->n_text] = 0;
}

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

static void say_answers(struct proposed *o, const struct pol_image *is,
			const struct pol_image *was,
			const struct store_voids *voids)
{
	for (uint32_t i = 0; i < is->n_ANSW; i++) {
		struct span p = img_str(is, is->ANSW[i].policy);
		struct span r = img_str(is, is->ANSW[i].rule);
		const char *now = answer(is, p, r, NULL);
		const char *before = answer(was, p, r, voids);

		if (!before || strcmp(now, before) != 0)
			say(o, "  %.*s/%.*s: %s -> %s\n", TEXT(p), TEXT(r),
			    before ? before : "no answer", now);
	}
	for (uint32_t i = 0; was && i < was->n_ANSW; i++) {
		struct span p = img_str(was, was->ANSW[i].policy);
		struct span r = img_str(was, was->ANSW[i].rule);

		if (!answer(is, p, r, NULL))
			say(o, "  %.*s/%.*s: %s -> no answer\n", TEXT(p),
			    TEXT(r), answer(was, p, r, voids));
	}
}

static bool has_rule(const struct pol_image *im, struct span id)
{
	for (uint32_t i = 0; im && i < im->n_RULE; i++) {
		if (span_eq(img_str(im, im->RULE[i].id), id))
			return true;
	}
	return false;
}

static void say_rules(struct proposed *o, const struct pol_image *is,
		      const struct pol_image *was)
{
	for (uint32_t i = 0; i < is->n_RULE; i++) {
		struct span id = img_str(is, is->RULE[i].id);

		say(o, "  restriction %.*s: %s\n", TEXT(id),
		    has_rule(was, id) ? "is there as well" : "is new");
	}
	for (uint32_t i = 0; was && i < was->n_RULE; i++) {
		struct span id = img_str(was, was->RULE[i].id);

		if (!has_rule(is, id))
			say(o, "  restriction %.*s: ends\n", TEXT(id));
	}
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
	say(o, "%.*s serial %llu\n", TEXT(id),
	    (unsigned long long)pol_image_serial(im));
	say_answers(o, im, before, voids);
	say_rules(o, im, before);
	pol_image_free(im);
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
