/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/activate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/daemon/answers.h"
#include "enforcer/daemon/trial.h"
#include "policy-lang/analysis/label.h"
#include "policy-lang/image/view.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p

/* --- one image after another ------------------------------------------------ */

static const struct pol_image *binding_of(const struct capture_policy *p)
{
	for (size_t i = 0; i < p->n; i++) {
		if (pol_image_kind(p->image[i]) == POL_BINDING)
			return p->image[i];
	}
	return NULL;
}

/* The platform signs the bindings of all its meters. */
static int check_meter(const struct activation *a,
		       const struct capture_policy *p, struct err *e)
{
	const struct pol_image *is = binding_of(p), *was = NULL;
	struct span of, here;

	for (size_t i = 0; i < a->store.n_force; i++) {
		if (pol_image_kind(a->store.force[i].image) == POL_BINDING)
			was = a->store.force[i].image;
	}
	if (!is || !was)
		return 0;
	of = img_str(is, is->META->meter_id);
	here = img_str(was, was->META->meter_id);
	if (span_eq(of, here))
		return 0;
	return err_set(e, E_AUTH, 0, "the binding is of meter %.*s, and this "
		       "is %.*s",
		       TEXT(of), TEXT(here));
}

/* What a policy says of itself must be what its rules come to; many say
 * nothing. */
static int check_label(const struct pol_image *im, struct err *e)
{
	struct span id = pol_image_id(im);
	int rc = label_check(im, e);

	return rc == 0 || rc == E_NOTFOUND ? 0
					   : err_wrap(e, "%.*s", TEXT(id));
}

static int check_all(const struct activation *a, const struct capture_policy *p,
		     struct err *e)
{
	int rc = signers_check(&a->signers,
			       (const struct pol_image *const *)p->image, p->n,
			       e);

	if (rc == 0)
		rc = check_meter(a, p, e);
	for (size_t i = 0; rc == 0 && i < p->n; i++) {
		rc = store_serial(&a->store, p->image[i], e);
		if (rc == 0)
			rc = check_label(p->image[i], e);
	}
	return rc;
}

/* --- sets ----------------------------------------------------------------------- */

/* *p is taken over, whatever comes of it. */
static int finish(struct activation *a, struct policies *out,
		  struct capture_policy *p, const struct conf *c,
		  const char *name, struct err *e)
{
	int rc = capture_policy_compose(p, name, e);

	if (rc < 0) {
		capture_policy_free(p);
		return rc;
	}
	rc = policies_of(out, p, c, e);
	if (rc < 0)
		return rc;
	rc = answers_follow(&a->voids, out, &a->store, e);
	if (rc < 0)
		policies_free(out);
	return rc;
}

int activate_read(const struct activation *a, struct capture_policy *found,
		  const struct conf *c, struct err *e)
{
	int rc;

	if (!c->signatures)
		return capture_policy_load(found, c->policies, e);
	rc = capture_policy_images(found, c->policies, e);
	if (rc < 0)
		return rc;
	rc = check_all(a, found, e);
	if (rc < 0)
		capture_policy_free(found);
	return rc;
}

bool activate_compares(const struct activation *a,
		       const struct capture_policy *found)
{
	size_t n = 0; /* in force; the customer's comes from elsewhere */
	bool all = true;

	for (size_t i = 0; i < a->store.n_force; i++)
		n += pol_image_kind(a->store.force[i].image) != POL_CUSTOMER;
	/* Also what is in force and not in the directory: a baseline. */
	all = n == found->n;
	for (size_t i = 0; all && i < found->n; i++) {
		const struct pol_image *im = found->image[i];
		const struct pol_image *was = store_in_force(
			&a->store, pol_image_kind(im), pol_image_id(im));

		all = was && store_same(im, was);
	}
	return a->store.n_force > 0 && !all;
}

int activate_was(const struct activation *a, struct capture_policy *was,
		 struct err *e)
{
	int rc = 0;

	*was = (struct capture_policy){0};
	for (size_t i = 0; rc == 0 && i < a->store.n_force; i++)
		rc = capture_policy_add(was,
					span_of(a->store.force[i].octets,
						a->store.force[i].n),
					STORE_FILE, e);
	if (rc < 0)
		capture_policy_free(was);
	return rc;
}

/* --- choosing ------------------------------------------------------------------- */

/* May it, although it is wider? */
static bool due(struct activation *a, const struct pol_image *im,
		enum widen_verdict v)
{
	const struct store_staged *s = store_find_staged(&a->store, im);
	int64_t notice = activate_notice(a);

	return s && (s->confirmed || (v == WIDEN_NOTICE && notice > 0 &&
				      s->elapsed_ns >= notice));
}

static void accept(struct activation *a, bool *accepted,
		   const struct capture_policy *found, const struct widen *w)
{
	bool together = true;

	for (size_t i = 0; i < found->n; i++) {
		enum widen_verdict v = w ? (enum widen_verdict)w->of[i].verdict
					 : WIDEN_SAME;

		accepted[i] = v <= WIDEN_NOT || due(a, found->image[i], v);
		if (w && w->of[i].together)
			together &= accepted[i];
	}
	for (size_t i = 0; w && i < found->n; i++)
		accepted[i] &= !w->of[i].together || together;
}

/* In the place of what waits stands what is in force. */
static int add_before(const struct activation *a, struct capture_policy *p,
		      const struct pol_image *im, struct err *e)
{
	for (size_t i = 0; i < a->store.n_force; i++) {
		const struct store_image *f = &a->store.force[i];

		if (pol_image_kind(f->image) == pol_image_kind(im) &&
		    (pol_image_kind(im) != POL_VENDOR ||
		     span_eq(pol_image_id(f->image), pol_image_id(im))))
			return capture_policy_add(
				p, span_of(f->octets, f->n), STORE_FILE, e);
	}
	return 0;
}

/* The customer's file comes another way: the one that was confirmed, else the
 * one in force. */
static int add_customer(const struct activation *a, struct capture_policy *p,
			struct err *e)
{
	const struct store_image *found = NULL;

	for (size_t i = 0; i < a->store.n_force; i++) {
		if (pol_image_kind(a->store.force[i].image) == POL_CUSTOMER)
			found = &a->store.force[i];
	}
	for (size_t i = 0; i < a->store.n_staged; i++) {
		const struct store_staged *s = &a->store.staged[i];

		if (pol_image_kind(s->image.image) == POL_CUSTOMER &&
		    s->confirmed)
			found = &s->image;
	}
	return found ? capture_policy_add(p, span_of(found->octets, found->n),
					  "the customer's file", e)
		     : 0;
}

static int put_together(struct activation *a, struct capture_policy *p,
			const struct capture_policy *found,
			const struct widen *w, const char *name, struct err *e)
{
	bool accepted[CAPTURE_POLICIES];
	int rc = 0;

	capture_policy_free(&a->waits);
	accept(a, accepted, found, w);
	rc = add_customer(a, p, e);
	for (size_t i = 0; rc == 0 && i < found->n; i++) {
		struct span octets = span_of(found->octets[i],
					     found->n_octets[i]);

		if (accepted[i]) {
			rc = capture_policy_add(p, octets, name, e);
			continue;
		}
		rc = add_before(a, p, found->image[i], e);
		if (rc == 0)
			rc = capture_policy_add(&a->waits, octets, name, e);
		if (rc == 0)
			a->how[a->waits.n - 1] = (struct store_staged){
				.notice = w->of[i].verdict == WIDEN_NOTICE,
				.together = w->of[i].together};
	}
	return rc;
}

int activate_choose(struct activation *a, struct policies *out,
		    struct capture_policy *found, const struct widen *w,
		    const struct conf *c, struct err *e)
{
	struct capture_policy p = {0};
	int rc;

	*out = (struct policies){0};
	if (!c->signatures)
		return policies_of(out, found, c, e);
	rc = w && w->rc ? err_set(e, w->rc < 0 ? w->rc : E_STATE, 0, "%.*s",
				  (int)strnlen(w->error, sizeof(w->error)),
				  w->error)
			: put_together(a, &p, found, w, c->policies, e);
	capture_policy_free(found);
	snprintf(a->chosen, sizeof(a->chosen), "%.*s",
		 w ? (int)strnlen(w->text, sizeof(w->text)) : 0,
		 w ? w->text : "");
	if (rc == 0)
		return finish(a, out, &p, c, c->policies, e);
	capture_policy_free(&p);
	return rc;
}

struct comparing {
	const struct capture_policy *was, *is;
};

static void compare(void *arg, void *result)
{
	const struct comparing *x = arg;

	widen_judge(result, x->was, x->is);
}

/* result: calloced by the caller. */
static int compare_now(const struct activation *a, struct widen *w,
		       const struct capture_policy *found,
		       const struct conf *c, struct err *e)
{
	struct capture_policy was;
	struct comparing x = {&was, found};
	struct trial_job job = {compare, NULL, &x, sizeof(*w), c->uid_base};
	struct trial t;
	int rc = activate_was(a, &was, e);

	if (rc < 0)
		return rc;
	if (a->in_process) {
		widen_judge(w, &was, found);
	} else {
		rc = trial_run(&t, &job, e);
		if (rc == 1)
			memcpy(w, t.area.p, sizeof(*w));
		trial_end(&t);
	}
	capture_policy_free(&was);
	return rc < 0 ? rc : 0;
}

int activate_next(struct activation *a, struct policies *out,
		  const struct conf *c, struct err *e)
{
	struct capture_policy found;
	struct widen *w = NULL;
	int rc = activate_read(a, &found, c, e);

	*out = (struct policies){0};
	if (rc < 0)
		return rc;
	if (c->signatures && activate_compares(a, &found)) {
		w = calloc(1, sizeof(*w));
		rc = w ? compare_now(a, w, &found, c, e)
		       : err_set(e, E_NOMEM, 0, "out of memory");
	}
	if (rc == 0)
		rc = activate_choose(a, out, &found, w, c, e);
	else
		capture_policy_free(&found);
	free(w);
	return rc;
}

/* What was in force, if whoever may sign has not changed since. */
static int as_before(struct activation *a, struct policies *out,
		     const struct conf *c, struct err *e)
{
	const struct pol_image *signed_[CAPTURE_POLICIES];
	struct capture_policy p;
	int rc = activate_was(a, &p, e);
	size_t n = 0;

	/* Nobody signs the customer's. */
	for (size_t i = 0; rc == 0 && i < p.n; i++) {
		if (pol_image_kind(p.image[i]) != POL_CUSTOMER)
			signed_[n++] = p.image[i];
	}
	if (rc == 0)
		rc = signers_check(&a->signers, signed_, n, e);
	if (rc == 0)
		return finish(a, out, &p, c, STORE_FILE, e);
	capture_policy_free(&p);
	return err_wrap(e, "what was in force");
}

/* Machines and nothing that they may. */
static int binding_alone(struct activation *a, struct policies *out,
			 const struct conf *c, struct err *e)
{
	struct capture_policy all, p = {0};
	int rc = capture_policy_images(&all, c->policies, e);

	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < all.n; i++) {
		if (pol_image_kind(all.image[i]) == POL_BINDING)
			rc = capture_policy_add(&p,
						span_of(all.octets[i],
							all.n_octets[i]),
						c->policies, e);
	}
	capture_policy_free(&all);
	if (rc == 0)
		rc = signers_check(&a->signers,
				   (const struct pol_image *const *)p.image,
				   p.n, e);
	if (rc == 0)
		return finish(a, out, &p, c, c->policies, e);
	capture_policy_free(&p);
	return rc;
}

int activate_first(struct activation *a, struct policies *out,
		   const struct conf *c, struct err *e)
{
	int rc = activate_next(a, out, c, e);
	struct err why;

	if (rc == 0 || !c->signatures)
		return rc;
	snprintf(a->refused, sizeof(a->refused), "%s", e->text);
	if (a->store.n_force)
		return as_before(a, out, c, e);
	/* What was wrong with the whole is what has to be told. */
	return binding_alone(a, out, c, &why) == 0 ? 0 : rc;
}

/* --- what is kept ------------------------------------------------------------------ */

static bool among(const struct capture_policy *p, const struct pol_image *im)
{
	for (size_t i = 0; i < p->n; i++) {
		if (pol_image_kind(p->image[i]) == pol_image_kind(im) &&
		    span_eq(pol_image_id(p->image[i]), pol_image_id(im)) &&
		    store_same(p->image[i], im))
			return true;
	}
	return false;
}

/* Is anything else in force but the customer's file? */
static bool others_change(const struct activation *a,
			  const struct capture_policy *next)
{
	size_t n = 0, m = 0;
	bool all = true;

	for (size_t i = 0; i < next->n; i++) {
		const struct pol_image *im = next->image[i], *was;

		if (pol_image_kind(im) == POL_CUSTOMER)
			continue;
		was = store_in_force(&a->store, pol_image_kind(im),
				     pol_image_id(im));
		all &= was && store_same(im, was);
		n++;
	}
	for (size_t i = 0; i < a->store.n_force; i++)
		m += pol_image_kind(a->store.force[i].image) != POL_CUSTOMER;
	return !all || n != m;
}

static int stage(struct activation *a, struct policy_store *next,
		 const struct capture_policy *in_force, activate_note_f *note, void *arg, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < a->waits.n; i++) {
		const struct pol_image *im = a->waits.image[i];
		const struct store_staged *was =
			store_find_staged(&a->store, im);
		struct store_staged how = a->how[i];

		if (was) {
			how.elapsed_ns = was->elapsed_ns;
			how.confirmed = was->confirmed;
		} else {
			activate_tell(note, arg, im, how.notice
				     ? "staged: waits for notice or consent"
				     : "staged: waits for the customer");
		}
		rc = store_stage(next,
				 span_of(a->waits.octets[i],
					 a->waits.n_octets[i]),
				 how, e);
	}
	/* The customer's is not in the directory, and waits on. */
	for (size_t i = 0; rc == 0 && i < a->store.n_staged; i++) {
		const struct store_staged *s = &a->store.staged[i];

		if (pol_image_kind(s->image.image) != POL_CUSTOMER ||
		    among(in_force, s->image.image))
			continue;
		/* Nobody would see on the panel that it answers more now. */
		if (answers_go(s->image.image, in_force, &a->store))
			activate_tell(note, arg, s->image.image, "withdrawn: a "
				      "rule that it answers is wider now");
		else if (others_change(a, in_force))
			activate_tell(note, arg, s->image.image, "withdrawn: "
				      "what it was compared with changed");
		else
			rc = store_stage(next,
					 span_of(s->image.octets, s->image.n),
					 *s, e);
	}
	return rc;
}

/* What waited and does no longer. */
static void tell_gone(const struct activation *a, const struct policies *next,
		      activate_note_f *note, void *arg)
{
	for (size_t i = 0; i < a->store.n_staged; i++) {
		const struct store_staged *s = &a->store.staged[i];
		const struct pol_image *im = s->image.image;

		if (among(&next->files, im))
			activate_tell(note, arg, im, s->confirmed
				     ? "activates: confirmed"
				     : "activates: its notice is over");
		else if (!among(&a->waits, im) &&
			 pol_image_kind(im) != POL_CUSTOMER)
			activate_tell(note, arg, im, "withdrawn: it is not there now");
	}
}

/* Answers that counted until now. */
static void tell_void(const struct activation *a, const struct policies *next,
		      activate_note_f *note, void *arg)
{
	for (size_t i = 0; i < next->files.n && a->voids.n; i++) {
		const struct pol_image *im = next->files.image[i];

		for (size_t k = 0; pol_image_kind(im) == POL_CUSTOMER &&
				   k < a->voids.n; k++) {
			char name[ANSWER_NAME], text[ANSWER_NAME + 80];

			if (answers_were_void(&a->store.voids, im,
					      a->voids.answer[k]))
				continue;
			answer_name(name, im, a->voids.answer[k]);
			snprintf(text, sizeof(text), "%s: its answer is void: "
				 "the rule is wider than what was granted",
				 name);
			note(arg, text);
		}
	}
}

int activate_see(struct activation *a, const struct policies *next,
		 const struct conf *c, activate_note_f *note, void *arg,
		 struct err *e)
{
	struct policy_store *kept;
	int rc = 0;

	if (!c->signatures)
		return 0;
	kept = calloc(1, sizeof(*kept));
	if (!kept)
		return err_set(e, E_NOMEM, 0, "out of memory");
	for (size_t i = 0; rc == 0 && i < next->files.n; i++)
		rc = store_see(&a->store, next->files.image[i], e);
	for (size_t i = 0; rc == 0 && i < a->waits.n; i++)
		rc = store_see(&a->store, a->waits.image[i], e);
	if (rc == 0)
		rc = stage(a, kept, &next->files, note, arg, e);
	if (rc == 0) {
		tell_gone(a, next, note, arg);
		tell_void(a, next, note, arg);
		store_unstage_all(&a->store);
		memcpy(a->store.staged, kept->staged, sizeof(kept->staged));
		a->store.n_staged = kept->n_staged;
		a->told_due = false;
		memcpy(a->text, a->chosen, sizeof(a->text));
		rc = activate_keep(a, c, e);
	} else {
		store_unstage_all(kept);
	}
	free(kept);
	return rc;
}

bool activate_changes(const struct activation *a, const struct policies *next,
		      const struct conf *c)
{
	return c->signatures && !store_is_force(&a->store, &next->files);
}

int activate_done(struct activation *a, const struct policies *now,
		  const struct conf *c, struct err *e)
{
	int rc;

	if (!c->signatures)
		return 0;
	rc = store_force(&a->store, &now->files, e);
	if (rc < 0)
		return rc;
	a->store.voids = a->voids;
	return activate_keep(a, c, e);
}
