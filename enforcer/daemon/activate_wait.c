/* SPDX-License-Identifier: Apache-2.0 */
/* What waits: for how long, and how the customer says yes. */
#include <stdio.h>
#include <string.h>

#include "crypto/digest.h"
#include "enforcer/daemon/activate.h"
#include "policy-lang/image/view.h"

#define KEEP_EACH_NS (3600 * NS_PER_S) /* of a notice, a crash costs less */

/* --- time ----------------------------------------------------------------------- */

/* What passed since the store was written: by the stepless clock in the same
 * boot, else by a wall clock that is trusted. */
static int64_t since_kept(const struct store_clock *was,
			  const uint8_t boot[16], struct now now)
{
	int64_t ns = 0;

	if (memcmp(was->boot, boot, sizeof(was->boot)) == 0)
		ns = now.mono.ns - was->mono_ns;
	else if (now.wall.trusted && was->wall_us > 0)
		ns = (now.wall.us - was->wall_us) * 1000;
	return ns > 0 ? ns : 0;
}

static void pass(struct activation *a, int64_t ns)
{
	for (size_t i = 0; i < a->store.n_staged; i++)
		a->store.staged[i].elapsed_ns += ns;
}

int activate_keep(struct activation *a, const struct conf *c, struct err *e)
{
	a->kept_ns = a->ticked_ns;
	return store_write(&a->store, c->state, e);
}

/* Kept by a version that did not keep what it changes: it is to be proposed
 * again. */
static void drop_untold(struct activation *a)
{
	for (size_t i = a->store.n_staged; i-- > 0;) {
		const struct store_staged *s = &a->store.staged[i];

		if (pol_image_kind(s->image.image) == POL_CUSTOMER &&
		    !s->confirmed && !a->store.customer[0])
			store_unstage(&a->store, i);
	}
}

int activate_open(struct activation *a, const struct conf *c,
		  const uint8_t boot[16], struct now now, struct err *e)
{
	int rc;

	*a = (struct activation){.ticked_ns = now.mono.ns,
				 .kept_ns = now.mono.ns};
	if (!c->signatures)
		return 0;
	rc = signers_read(&a->signers, c->platform_key, e);
	if (rc == 0)
		rc = store_read(&a->store, c->state, e);
	if (rc < 0)
		return rc;
	drop_untold(a);
	pass(a, since_kept(&a->store.clock, boot, now));
	memcpy(a->store.clock.boot, boot, sizeof(a->store.clock.boot));
	a->store.clock.mono_ns = now.mono.ns;
	a->store.clock.wall_us = now.wall.us;
	return 0;
}

void activate_close(struct activation *a)
{
	store_free(&a->store);
	capture_policy_free(&a->waits);
}

int64_t activate_notice(const struct activation *a)
{
	for (size_t i = 0; i < a->store.n_force; i++) {
		const struct pol_image *im = a->store.force[i].image;

		if (pol_image_kind(im) == POL_BASELINE)
			return im->META->widening_notice;
	}
	return 0;
}

int64_t activate_left(const struct activation *a, size_t staged)
{
	const struct store_staged *s = &a->store.staged[staged];
	int64_t left = activate_notice(a) - s->elapsed_ns;

	if (!s->notice || activate_notice(a) <= 0)
		return -1;
	return left > 0 ? left : 0;
}

bool activate_tick(struct activation *a, const struct conf *c, struct now now)
{
	int64_t ns = now.mono.ns - a->ticked_ns;
	bool due = false;
	struct err e;

	a->ticked_ns = now.mono.ns;
	a->store.clock.mono_ns = now.mono.ns;
	a->store.clock.wall_us = now.wall.us;
	if (a->store.n_staged == 0 || ns <= 0)
		return false;
	pass(a, ns);
	for (size_t i = 0; i < a->store.n_staged; i++)
		due |= activate_left(a, i) == 0;
	if (now.mono.ns - a->kept_ns >= KEEP_EACH_NS &&
	    activate_keep(a, c, &e) < 0)
		a->kept_ns = now.mono.ns; /* a crash costs more, then */
	if (!due || a->told_due)
		return false;
	a->told_due = true;
	return true;
}

void activate_tell(activate_note_f *note, void *arg,
		   const struct pol_image *im, const char *what)
{
	struct span id = pol_image_id(im);
	char text[160];

	snprintf(text, sizeof(text), "%.*s serial %llu %s",
		 id.n < 64 ? (int)id.n : 64, (const char *)id.p,
		 (unsigned long long)pol_image_serial(im), what);
	note(arg, text);
}

/* --- the customer ------------------------------------------------------------------- */

static bool goes_with(const struct activation *a, size_t i, size_t k)
{
	return i == k ||
	       (a->store.staged[i].together && a->store.staged[k].together);
}

void activate_code(const struct activation *a, size_t staged,
		   char code[ACTIVATE_CODE])
{
	struct sha256 *h = sha256_new();
	uint8_t digest[32];

	sha256_begin(h);
	for (size_t i = 0; i < a->store.n_force; i++) {
		pol_image_digest(a->store.force[i].image, digest);
		sha256_add(h, span_of(digest, sizeof(digest)));
	}
	for (size_t i = 0; i < a->store.n_staged; i++) {
		if (!goes_with(a, staged, i))
			continue;
		pol_image_digest(a->store.staged[i].image.image, digest);
		sha256_add(h, span_of(digest, sizeof(digest)));
	}
	sha256_end(h, digest);
	sha256_free(h);
	for (size_t i = 0; i < (ACTIVATE_CODE - 1) / 2; i++)
		snprintf(code + 2 * i, 3, "%02x", digest[i]);
}

bool activate_told(const struct activation *a, size_t staged)
{
	const struct pol_image *im = a->store.staged[staged].image.image;

	return (pol_image_kind(im) == POL_CUSTOMER ? a->store.customer
						   : a->text)[0] != 0;
}

static bool asks(const struct pol_image *im, struct span policy,
		 struct span rule)
{
	if (pol_image_kind(im) != POL_VENDOR ||
	    !span_eq(pol_image_id(im), policy))
		return false;
	for (uint32_t i = 0; i < im->n_RULE; i++) {
		if (im->RULE[i].kind == RULE_GRANT &&
		    span_eq(img_str(im, im->RULE[i].id), rule))
			return true;
	}
	return false;
}

/* Answers to nothing would only hide the others among them. */
static int check_asked(const struct activation *a, const struct pol_image *im,
		       struct err *e)
{
	for (uint32_t k = 0; k < im->n_ANSW; k++) {
		struct span p = img_str(im, im->ANSW[k].policy);
		struct span r = img_str(im, im->ANSW[k].rule);
		bool asked = false;

		for (size_t i = 0; i < a->store.n_force; i++)
			asked |= asks(a->store.force[i].image, p, r);
		for (size_t i = 0; i < a->store.n_staged; i++)
			asked |= asks(a->store.staged[i].image.image, p, r);
		if (!asked)
			return err_set(e, E_STATE, 0,
				       "%.*s/%.*s is answered, and no policy "
				       "in force or waiting asks it",
				       (int)p.n, (const char *)p.p, (int)r.n,
				       (const char *)r.p);
	}
	return 0;
}

/* In the place of the customer's file in force, if there is one. */
static int makes_a_set(const struct activation *a, const struct pol_image *im,
		       struct err *e)
{
	const struct pol_image *all[STORE_IMAGES + 1];
	struct pol_set *set;
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < a->store.n_force; i++) {
		if (pol_image_kind(a->store.force[i].image) != POL_CUSTOMER)
			all[n++] = a->store.force[i].image;
	}
	all[n++] = im;
	rc = pol_set_new(&set, all, n, e);
	if (rc == 0)
		pol_set_free(set);
	return rc;
}

static void drop_customer(struct activation *a, activate_note_f *note,
			  void *arg)
{
	for (size_t i = 0; i < a->store.n_staged; i++) {
		const struct pol_image *im = a->store.staged[i].image.image;

		if (pol_image_kind(im) != POL_CUSTOMER)
			continue;
		activate_tell(note, arg, im, "withdrawn: another is proposed");
		store_unstage(&a->store, i);
		return;
	}
}

int activate_propose(struct activation *a, struct span image,
		     struct span text, const struct conf *c,
		     activate_note_f *note, void *arg, struct err *e)
{
	struct pol_image *im;
	int rc = pol_image_load(&im, image, e);

	if (rc < 0)
		return rc;
	if (pol_image_kind(im) != POL_CUSTOMER)
		rc = err_set(e, E_STATE, 0, "it is no customer's file");
	if (rc == 0)
		rc = store_serial(&a->store, im, e);
	if (rc == 0)
		rc = makes_a_set(a, im, e);
	if (rc == 0)
		rc = check_asked(a, im, e);
	if (rc == 0 && (text.n == 0 || text.n >= STORE_TEXT))
		rc = err_set(e, E_LIMIT, 0, "no text says what it changes");
	if (rc == 0 && pol_image_id(im).n >= STORE_ID)
		rc = err_set(e, E_LIMIT, 0, "an id of more than %d octets",
			     STORE_ID - 1);
	if (rc == 0) {
		drop_customer(a, note, arg);
		rc = store_stage(&a->store, image, (struct store_staged){0}, e);
	}
	if (rc == 0) {
		snprintf(a->store.customer, sizeof(a->store.customer), "%.*s", (int)text.n,
			 (const char *)text.p);
		activate_tell(note, arg, im,
			      "proposed and staged: waits for the panel");
		rc = activate_keep(a, c, e);
	}
	pol_image_free(im);
	return rc;
}

int activate_confirm(struct activation *a, const char *code,
		     const struct conf *c, activate_note_f *note, void *arg,
		     struct err *e)
{
	char of[ACTIVATE_CODE];
	size_t i = 0;

	for (; i < a->store.n_staged; i++) {
		activate_code(a, i, of);
		if (strcmp(of, code) == 0 && activate_told(a, i))
			break;
	}
	if (i == a->store.n_staged)
		return err_set(e, E_NOTFOUND, 0,
			       "nothing waits by the code %.16s", code);
	for (size_t k = 0; k < a->store.n_staged; k++) {
		struct store_staged *s = &a->store.staged[k];

		if (!goes_with(a, i, k))
			continue;
		s->confirmed = true;
		activate_tell(note, arg, s->image.image, "confirmed on the panel");
	}
	return activate_keep(a, c, e);
}
