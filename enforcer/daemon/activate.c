/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/activate.h"

#include <stdio.h>
#include <string.h>

#include "policy-lang/image/view.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p

int activate_open(struct activation *a, const struct conf *c, struct err *e)
{
	int rc;

	*a = (struct activation){0};
	if (!c->signatures)
		return 0;
	rc = signers_read(&a->signers, c->platform_key, e);
	return rc < 0 ? rc : store_read(&a->store, c->state, e);
}

void activate_close(struct activation *a)
{
	store_free(&a->store);
}

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

static int check_all(const struct activation *a, const struct capture_policy *p,
		     struct err *e)
{
	int rc = signers_check(&a->signers,
			       (const struct pol_image *const *)p->image, p->n,
			       e);

	if (rc == 0)
		rc = check_meter(a, p, e);
	for (size_t i = 0; rc == 0 && i < p->n; i++)
		rc = store_serial(&a->store, p->image[i], e);
	return rc;
}

/* --- sets ----------------------------------------------------------------------- */

/* *p is taken over, whatever comes of it. */
static int finish(struct policies *out, struct capture_policy *p,
		  const struct conf *c, const char *name, struct err *e)
{
	int rc = capture_policy_compose(p, name, e);

	if (rc < 0) {
		capture_policy_free(p);
		return rc;
	}
	return policies_of(out, p, c, e);
}

int activate_next(const struct activation *a, struct policies *out,
		  const struct conf *c, struct err *e)
{
	struct capture_policy p;
	int rc;

	if (!c->signatures)
		return policies_load(out, c, e);
	*out = (struct policies){0};
	rc = capture_policy_images(&p, c->policies, e);
	if (rc < 0)
		return rc;
	rc = check_all(a, &p, e);
	if (rc < 0) {
		capture_policy_free(&p);
		return rc;
	}
	return finish(out, &p, c, c->policies, e);
}

/* What was in force, if whoever may sign has not changed since. */
static int as_before(const struct activation *a, struct policies *out,
		     const struct conf *c, struct err *e)
{
	struct capture_policy p = {0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < a->store.n_force; i++)
		rc = capture_policy_add(&p,
					span_of(a->store.force[i].octets,
						a->store.force[i].n),
					STORE_FILE, e);
	if (rc == 0)
		rc = signers_check(&a->signers,
				   (const struct pol_image *const *)p.image,
				   p.n, e);
	if (rc == 0)
		return finish(out, &p, c, STORE_FILE, e);
	capture_policy_free(&p);
	return err_wrap(e, "what was in force");
}

/* Machines and nothing that they may. */
static int binding_alone(const struct activation *a, struct policies *out,
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
		return finish(out, &p, c, c->policies, e);
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

int activate_see(struct activation *a, const struct policies *next,
		 const struct conf *c, struct err *e)
{
	int rc = 0;

	if (!c->signatures)
		return 0;
	for (size_t i = 0; rc == 0 && i < next->files.n; i++)
		rc = store_see(&a->store, next->files.image[i], e);
	return rc < 0 ? rc : store_write(&a->store, c->state, e);
}

int activate_done(struct activation *a, const struct policies *now,
		  const struct conf *c, struct err *e)
{
	int rc;

	if (!c->signatures)
		return 0;
	rc = store_force(&a->store, &now->files, e);
	return rc < 0 ? rc : store_write(&a->store, c->state, e);
}
