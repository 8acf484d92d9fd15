/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/widen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/daemon/telling.h"
#include "policy-lang/analysis/within.h"
#include "policy-lang/image/view.h"

#define REASONS 32 /* that are told one by one */
#define MARK 48 /* octets that are kept for the last line */
#define TEXT(s) (int)(s).n, (const char *)(s).p

struct judge {
	const struct capture_policy *was, *is;
	struct pol_set *set; /* of was */
	uint32_t roles;	     /* for which notice is enough */
	const struct pol_image *baseline, *customer; /* in force, or NULL */
	struct widen *out;
	struct telling t;
	bool wider, eligible; /* of what is looked at */
	bool waits; /* anything is wider */
};

size_t widen_place(const struct capture_policy *was,
		   const struct pol_image *im)
{
	enum pol_kind kind = pol_image_kind(im);
	size_t i = 0;

	while (i < was->n &&
	       (pol_image_kind(was->image[i]) != kind ||
		(kind == POL_VENDOR && !span_eq(pol_image_id(was->image[i]),
						pol_image_id(im)))))
		i++;
	return i;
}

static bool same(const struct pol_image *a, const struct pol_image *b)
{
	uint8_t x[32], y[32];

	pol_image_digest(a, x);
	pol_image_digest(b, y);
	return memcmp(x, y, sizeof(x)) == 0;
}

/* --- who would receive it -------------------------------------------------------- */

static bool role_may(const struct judge *j, enum pol_role role)
{
	return j->roles >> role & 1;
}

/* The baseline may ask for opt-in where the vendor does not. */
static bool needs_opt_in(const struct judge *j, const struct bound_flow *f)
{
	if (f->consent == CONSENT_OPT_IN)
		return true;
	for (uint32_t i = 0; j->baseline && i < j->baseline->n_CONS; i++) {
		const struct lay_consent *c = &j->baseline->CONS[i];

		if (c->minimum == CONSENT_OPT_IN && c->meas >> f->meas & 1 &&
		    f->spacing_ns < c->finer_than)
			return true;
	}
	return false;
}

/* Did the old policy ask the customer about this rule, or, by whatever name,
 * about a measurement that it gives? Then a yes is needed, whatever the new
 * one says. */
static bool asked_before(const struct pol_image *im, uint32_t rule,
			 const struct pol_image *was)
{
	const struct lay_rule *r = &im->RULE[rule];
	uint64_t meas = r->data == LAY_NONE ? 0 : im->DATA[r->data].meas;

	for (uint32_t k = 0; was && k < was->n_RULE; k++) {
		const struct lay_rule *o = &was->RULE[k];

		if (o->kind == RULE_GRANT && o->consent == CONSENT_OPT_IN &&
		    (span_eq(img_str(was, o->id), img_str(im, r->id)) ||
		     (o->data != LAY_NONE && was->DATA[o->data].meas & meas)))
			return true;
	}
	return false;
}

static bool grant_may(const struct judge *j, const struct pol_image *im,
		      uint32_t rule)
{
	if (im->RULE[rule].consent == CONSENT_OPT_IN ||
	    im->RULE[rule].monitor_until || im->META->monitor_until)
		return false;
	for (uint32_t c = im->col_at[COL_GRANT]; c < im->col_at[COL_GRANT + 1];
	     c++) {
		const struct lay_sel *s = &im->SELS[im->COLS[c].sel];

		if (im->COLS[c].owner != rule)
			continue;
		if (s->flags & LAY_SEL_ANY_PARTY)
			return false;
		for (uint64_t p = s->parties; p; p &= p - 1) {
			uint32_t i = (uint32_t)__builtin_ctzll(p);

			if (i >= im->n_PRTY ||
			    !role_may(j, im->PRTY[i].role))
				return false;
		}
	}
	return true;
}

/* The grants that are new or wider; and where a denial or a limit went, all,
 * for each of them may gain by it. */
static bool vendor_may(const struct judge *j, const struct pol_image *im,
		       const struct pol_image *was)
{
	char why[200];
	struct within_rules in = {{0}};
	bool bounded = was && pol_within_bounds(im, was, why, sizeof(why));
	bool some = false;

	if (was)
		pol_within_grants(im, was, &in);
	for (int all = was && !bounded; all < 2 && !some; all++) {
		for (uint32_t i = 0; i < im->n_RULE; i++) {
			if (im->RULE[i].kind != RULE_GRANT ||
			    (!all && within_has(&in, i)))
				continue;
			some = true;
			if (!grant_may(j, im, i) || asked_before(im, i, was))
				return false;
		}
	}
	return true;
}

/* --- rules ------------------------------------------------------------------------ */

/* One reason on a line; of very many it is said how many there are. */
static void tell_why(struct judge *j, const char *why)
{
	size_t n = 0;

	while (*why) {
		size_t len = strcspn(why, "\n");

		if (n++ < REASONS)
			tell(&j->t, "  may let more pass: %.*s\n", (int)len, why);
		why += len + (why[len] == '\n');
	}
	if (n > REASONS)
		tell(&j->t, "  may let more pass: in %zu other ways\n",
		     n - REASONS);
}

static void by_rules(struct judge *j, const struct pol_image *im,
		     const struct pol_image *was)
{
	enum pol_kind kind = pol_image_kind(im);
	bool first = !was && kind == POL_BASELINE, in = false;
	char *why = NULL;

	/* The customer's own file comes by another way (propose.h). */
	if (kind == POL_CUSTOMER)
		return;
	why = was || first ? malloc(WITHIN_TOLD) : NULL;
	if (why)
		in = first ? pol_within_first(im, why, WITHIN_TOLD)
			   : pol_within_told(im, was, j->customer, why,
					     WITHIN_TOLD);
	if (!in) {
		j->wider = true;
		j->eligible &= kind == POL_VENDOR && vendor_may(j, im, was);
		tell_why(j, why            ? why
			    : was || first ? "there is no memory to compare it"
					   : "it is new");
	}
	free(why);
}

/* --- figures ------------------------------------------------------------------------ */

/* Was anything of it a thing that the customer is asked about? Whoever never
 * answered said no. */
static bool was_asked(const struct diff_item *x)
{
	bool asked = x->was && x->was->consent == CONSENT_OPT_IN;

	for (size_t k = 0; k < x->n_row; k++)
		asked |= x->row[k].scale == DIFF_CONSENT &&
			 x->row[k].was == CONSENT_OPT_IN;
	return asked;
}

static void by_figures(struct judge *j, const struct diff *d)
{
	bool cut;

	for (size_t i = 0; i < d->n; i++) {
		const struct diff_item *x = &d->item[i];

		if (x->change < DIFF_WIDER)
			continue;
		tell_item(&j->t, x);
		j->wider = true;
		j->eligible &= x->is_r && role_may(j, x->is_r->role) &&
			       (x->what != DIFF_FLOW ||
				(x->is && !needs_opt_in(j, x->is) &&
				 !was_asked(x)));
	}
	/* Of what is less some may be left out. */
	cut = j->t.cut;
	for (size_t i = 0; i < d->n; i++) {
		if (d->item[i].change < DIFF_WIDER &&
		    d->item[i].change != DIFF_SAME)
			tell_item(&j->t, &d->item[i]);
	}
	j->out->less_cut |= j->t.cut && !cut;
	j->t.cut = cut;
}

static int compare_sets(struct judge *j, const struct pol_set *is,
			struct err *e)
{
	struct bound *a = NULL, *b = NULL;
	struct diff *d = NULL;
	int rc = bound_new(&a, j->set, false, e);

	if (rc == 0)
		rc = bound_new(&b, is, false, e);
	if (rc == 0)
		rc = diff_new(&d, a, b, e);
	if (rc == 0) {
		by_figures(j, d);
		diff_free(d);
	}
	bound_free(a);
	bound_free(b);
	return rc;
}

/* --- one, or several together --------------------------------------------------------- */

/* What is in force, with the chosen ones in their places. */
struct mixed {
	const struct pol_image *im[2 * CAPTURE_POLICIES];
	size_t n;
};

static struct mixed mix(const struct judge *j, const bool *chosen)
{
	struct mixed m = {.n = 0};

	for (size_t i = 0; i < j->was->n; i++) {
		bool replaced = false;

		for (size_t k = 0; k < j->is->n; k++)
			replaced |= chosen[k] &&
				    widen_place(j->was, j->is->image[k]) == i;
		if (!replaced)
			m.im[m.n++] = j->was->image[i];
	}
	for (size_t k = 0; k < j->is->n; k++) {
		if (chosen[k])
			m.im[m.n++] = j->is->image[k];
	}
	return m;
}

static int set_with(const struct judge *j, const bool *chosen,
		    struct pol_set **out, struct err *e)
{
	struct mixed m = mix(j, chosen);

	return pol_set_new(out, m.im, m.n, e);
}

/* Is nobody, by a rule for an address, at that of a machine that went? */
static void by_machines(struct judge *j, const bool *chosen,
			const struct pol_image *im, const struct pol_image *was)
{
	struct mixed m = mix(j, chosen);
	char *why;
	bool in;

	if (pol_image_kind(im) != POL_BINDING || !was)
		return;
	why = calloc(1, WITHIN_TOLD);
	in = why != NULL;
	for (size_t i = 0; why && i < m.n; i++) {
		if (pol_image_kind(m.im[i]) == POL_VENDOR)
			in &= pol_within_gone(im, was, m.im[i], why,
					      WITHIN_TOLD);
	}
	if (!in) {
		j->wider = true;
		j->eligible = false;
		tell_why(j, why ? why : "there is no memory to compare it");
	}
	free(why);
}

static int judge(struct judge *j, const bool *chosen,
		 enum widen_verdict *verdict, struct err *e)
{
	struct pol_set *set;
	int rc = set_with(j, chosen, &set, e);

	if (rc < 0)
		return rc;
	j->wider = false;
	j->eligible = true;
	for (size_t k = 0; k < j->is->n; k++) {
		const struct pol_image *im = j->is->image[k];
		size_t at = widen_place(j->was, im);
		struct span id = pol_image_id(im);
		const struct pol_image *was;

		if (!chosen[k])
			continue;
		tell(&j->t, "%.*s serial %llu\n", TEXT(id),
		    (unsigned long long)pol_image_serial(im));
		was = at < j->was->n ? j->was->image[at] : NULL;
		by_rules(j, im, was);
		by_machines(j, chosen, im, was);
		/* It says itself who needs not be asked. */
		j->eligible &= pol_image_kind(im) != POL_BASELINE;
	}
	rc = compare_sets(j, set, e);
	pol_set_free(set);
	j->waits |= j->wider;
	*verdict = !j->wider   ? WIDEN_NOT
		   : j->eligible ? WIDEN_NOTICE
				 : WIDEN_CONSENT;
	tell(&j->t, "  %s\n", !j->wider	 ? "permits no more than before"
			      : j->eligible
				      ? "WIDER: after notice, or the "
					"customer's consent"
				      : "WIDER: needs the customer's consent");
	return rc;
}

static int judge_all(struct judge *j, struct err *e)
{
	bool chosen[CAPTURE_POLICIES] = {0}, rest = false;
	enum widen_verdict v = WIDEN_CONSENT;
	int rc = 0;

	for (size_t k = 0; rc == 0 && k < j->is->n; k++) {
		const struct pol_image *im = j->is->image[k];
		size_t at = widen_place(j->was, im);
		bool alone[CAPTURE_POLICIES] = {0};
		struct pol_set *set;

		if (at < j->was->n && same(im, j->was->image[at]))
			continue; /* WIDEN_SAME */
		alone[k] = true;
		if (set_with(j, alone, &set, e) < 0) {
			j->out->of[k].together = chosen[k] = rest = true;
			continue;
		}
		pol_set_free(set);
		rc = judge(j, alone, &v, e);
		j->out->of[k].verdict = (uint8_t)v;
	}
	if (rc < 0 || !rest)
		return rc;
	rc = judge(j, chosen, &v, e);
	for (size_t k = 0; rc == 0 && k < j->is->n; k++) {
		if (chosen[k])
			j->out->of[k].verdict = (uint8_t)v;
	}
	return rc;
}

static bool has_baseline(const struct capture_policy *p)
{
	for (size_t i = 0; i < p->n; i++) {
		if (pol_image_kind(p->image[i]) == POL_BASELINE)
			return true;
	}
	return false;
}

void widen_judge(struct widen *out, const struct capture_policy *was,
		 const struct capture_policy *is)
{
	struct judge j = {.was = was,
			  .is = is,
			  .out = out,
			  .t = {out->text, sizeof(out->text) - MARK, 0, false}};
	struct err e = {0};
	int rc;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < was->n; i++) {
		if (pol_image_kind(was->image[i]) == POL_BASELINE)
			j.baseline = was->image[i];
		if (pol_image_kind(was->image[i]) == POL_CUSTOMER)
			j.customer = was->image[i];
	}
	if (j.baseline && j.baseline->META->widening_notice > 0)
		j.roles = j.baseline->META->widening_roles;
	/* Without one everything is wider. */
	rc = j.baseline && !has_baseline(is)
		     ? err_set(&e, E_STATE, 0, "the baseline is gone")
		     : pol_set_new(&j.set,
				   (const struct pol_image *const *)was->image,
				   was->n, &e);
	if (rc == 0) {
		rc = judge_all(&j, &e);
		pol_set_free(j.set);
	}
	if (rc == 0 && j.waits && j.t.cut)
		rc = err_set(&e, E_LIMIT, 0, "more is wider than %u octets "
			     "can tell", WIDEN_TEXT);
	j.t.cap = sizeof(out->text);
	if (j.t.cut || out->less_cut)
		tell(&j.t, "  (and more that is not wider)\n");
	out->n_text = (uint32_t)j.t.n;
	out->rc = rc;
	snprintf(out->error, sizeof(out->error), "%s", rc ? e.text : "");
}
