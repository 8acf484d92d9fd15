/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/analysis/within.h"
#include "policy-lang/diff_parts.h"
#include "policy-lang/image/view.h"
#include "policy-lang/libraries.h"
#include "policy-lang/options.h"
#include "policy-lang/played.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p

static int version_read(struct diff_version *v, const char *path,
			struct diags *d, bool json, struct err *e)
{
	int rc;

	memset(d, 0, sizeof(*d));
	rc = pol_read_paths(&v->files, &path, 1, d, e);
	if (rc) {
		polc_diags(json ? stdout : stderr, d, &v->files,
			   json ? SAY_JSON : SAY_TEXT);
		return rc;
	}
	rc = scene_new(&v->scene, (const struct pol_file *const *)v->files.f,
		       v->files.n, e);
	if (!rc)
		rc = bound_new(&v->bound, v->scene.set, false, e);
	return rc ? rc : bound_new(&v->chosen, v->scene.set, true, e);
}

static void version_free(struct diff_version *v)
{
	bound_free(v->bound);
	bound_free(v->chosen);
	scene_free(&v->scene);
	pol_files_free(&v->files);
}

/* --- what is shown ---------------------------------------------------------
 */

bool diff_reworded(const struct diff_item *i)
{
	return i->was && i->is && !span_eq(i->was->purpose, i->is->purpose);
}

bool diff_item_shown(const struct diff_whole *w, const struct diff_item *i)
{
	return w->show_same || i->change != DIFF_SAME || diff_reworded(i);
}

uint64_t diff_octets(const struct bound_recipient *r, enum most_span s)
{
	return r ? r->bytes[s] : 0;
}

char diff_grade(const struct bound_recipient *r)
{
	return r ? r->grade : '-';
}

bool diff_recipient_shown(const struct diff_whole *w, const struct diff *d,
			  const struct diff_recipient *r)
{
	for (size_t k = 0; k < r->n; k++) {
		if (diff_item_shown(w, &d->item[r->first + k]))
			return true;
	}
	return diff_grade(r->was) != diff_grade(r->is) ||
	       diff_octets(r->was, MOST_DAY) != diff_octets(r->is, MOST_DAY) ||
	       diff_octets(r->was, MOST_MONTH) !=
		       diff_octets(r->is, MOST_MONTH) ||
	       diff_octets(r->was, MOST_YEAR) != diff_octets(r->is, MOST_YEAR);
}

/* --- files ------------------------------------------------------------------
 */

/* The same policy in the other set. */
static const struct pol_file *other(const struct diff_version *v,
				    const struct pol_file *f)
{
	for (size_t i = 0; i < v->files.n; i++) {
		if (v->files.f[i]->kind == f->kind &&
		    strcmp(v->files.f[i]->id, f->id) == 0)
			return v->files.f[i];
	}
	return NULL;
}

/* What it was compiled to, or NULL: a library is part of others. */
static const struct pol_image *image_of(const struct diff_version *v,
					const struct pol_file *f)
{
	for (size_t i = 0; i < v->scene.n_file; i++) {
		if (v->scene.file[i] == f)
			return v->scene.image[i];
	}
	return NULL;
}

static bool same_content(const struct diff_version *was,
			 const struct pol_file *a,
			 const struct diff_version *is,
			 const struct pol_file *b)
{
	const struct pol_image *x = image_of(was, a), *y = image_of(is, b);
	uint8_t p[32], q[32];

	if (!x || !y)
		return span_eq(pol_source(&was->files, a->path),
			       pol_source(&is->files, b->path));
	pol_image_digest(x, p);
	pol_image_digest(y, q);
	return memcmp(p, q, sizeof(p)) == 0;
}

static bool prolonged(const struct pol_file *was, const struct pol_file *is)
{
	return is->valid_from_s < was->valid_from_s ||
	       (was->valid_until_s &&
		(!is->valid_until_s || is->valid_until_s > was->valid_until_s));
}

void diff_files(const struct diff_version *was, const struct diff_version *is,
		void (*found)(void *arg, const struct diff_file *f), void *arg)
{
	for (size_t i = 0; i < is->files.n; i++) {
		const struct pol_file *y = is->files.f[i], *x = other(was, y);
		struct diff_file f = {.was = x, .is = y};

		if (y->kind == POL_TESTS)
			continue;
		if (x) {
			f.serial = x->serial != y->serial;
			f.days = x->valid_from_s != y->valid_from_s ||
				 x->valid_until_s != y->valid_until_s;
			f.content = !same_content(was, x, is, y);
			f.prolonged = prolonged(x, y);
		}
		if (!x || f.serial || f.days || f.content)
			found(arg, &f);
	}
	for (size_t k = 0; k < was->files.n; k++) {
		struct diff_file f = {.was = was->files.f[k]};

		if (f.was->kind != POL_TESTS && !other(is, f.was))
			found(arg, &f);
	}
}

/* --- what may pass -----------------------------------------------------------
 */

/* What stands in its place there: a set has one baseline, one customer's file
 * and one binding, whatever their ids. */
static const struct pol_image *instead(const struct diff_version *v,
				       const struct pol_image *im)
{
	enum pol_kind kind = pol_image_kind(im);

	for (size_t i = 0; i < v->scene.n_file; i++) {
		const struct pol_image *x = v->scene.image[i];

		if (pol_image_kind(x) == kind &&
		    (kind != POL_VENDOR ||
		     span_eq(pol_image_id(x), pol_image_id(im))))
			return x;
	}
	return NULL;
}

/* May it be there where none was? A customer takes away by all that is no
 * yes. When not, why has it. */
static bool new_within(const struct pol_image *im, char *why, size_t cap)
{
	if (pol_image_kind(im) == POL_BASELINE)
		return pol_within_first(im, why, cap);
	snprintf(why, cap, "it is new");
	for (uint32_t i = 0; i < im->n_ANSW; i++) {
		if (im->ANSW[i].granted)
			return false;
	}
	return pol_image_kind(im) == POL_CUSTOMER;
}

/* Without it everything is as wide as before, or less? */
static bool gone_within(const struct pol_image *im)
{
	if (pol_image_kind(im) == POL_VENDOR)
		return true;
	for (uint32_t i = 0; i < im->n_ANSW; i++) {
		if (!im->ANSW[i].granted)
			return false;
	}
	return pol_image_kind(im) == POL_CUSTOMER && im->n_RULE == 0;
}

static bool compared(const struct pol_image *im)
{
	enum pol_kind kind = pol_image_kind(im);

	return kind == POL_VENDOR || kind == POL_BASELINE ||
	       kind == POL_CUSTOMER || kind == POL_BINDING;
}

/* There is at most one, but of vendors. */
static const struct pol_image *kind_of(const struct diff_version *v,
				       enum pol_kind kind)
{
	for (size_t i = 0; i < v->scene.n_file; i++) {
		if (pol_image_kind(v->scene.image[i]) == kind)
			return v->scene.image[i];
	}
	return NULL;
}

static const struct pol_image *vendor_of(const struct diff_version *v,
					 struct span machine)
{
	for (size_t i = 0; i < v->scene.n_file; i++) {
		const struct pol_image *im = v->scene.image[i];

		if (pol_image_kind(im) == POL_VENDOR &&
		    span_eq(pol_image_vm(im), machine))
			return im;
	}
	return NULL;
}

/* As the gateway finds it (daemon/answers.c). */
bool diff_voids(const struct diff_whole *w, const struct diff_item *i)
{
	const struct pol_image *im = vendor_of(w->is, i->machine), *was;
	struct within_rules in = {{0}};

	if (i->change < DIFF_WIDER || !im || !i->is ||
	    i->is->rule == BOUND_NO_RULE || i->is->consent <= CONSENT_NONE)
		return false;
	was = instead(w->was, im);
	if (was)
		pol_within_rules(im, was, &in);
	return !within_has(&in, i->is->rule);
}

static void tell_reasons(diff_reason *told, void *arg, struct span id,
			 const char *why)
{
	for (size_t n; told && *why; why += n + (why[n] != 0)) {
		n = strcspn(why, "\n");
		told(arg, id, span_of(why, n));
	}
}

/* Is nobody, by a rule for an address, at that of a machine that went? */
static bool machines_within(const struct diff_version *a,
			    const struct diff_version *b, diff_reason *told,
			    void *arg, char *why, size_t cap)
{
	const struct pol_image *is = kind_of(b, POL_BINDING);
	const struct pol_image *was = kind_of(a, POL_BINDING);
	bool all = true;

	why[0] = 0;
	for (size_t i = 0; is && was && i < b->scene.n_file; i++) {
		const struct pol_image *im = b->scene.image[i];

		if (pol_image_kind(im) == POL_VENDOR)
			all &= pol_within_gone(is, was, im, why, cap);
	}
	if (!all)
		tell_reasons(told, arg, pol_image_id(is), why);
	return all;
}

bool diff_within(const struct diff_version *a, const struct diff_version *b,
		 diff_reason *told, void *arg)
{
	static char why[WITHIN_TOLD];
	bool all = machines_within(a, b, told, arg, why, sizeof(why));

	for (size_t i = 0; i < b->scene.n_file; i++) {
		const struct pol_image *im = b->scene.image[i];
		const struct pol_image *was = instead(a, im);

		if (!compared(im) ||
		    (was ? pol_within_told(im, was, kind_of(a, POL_CUSTOMER), why,
					   sizeof(why))
			 : new_within(im, why, sizeof(why))))
			continue;
		all = false;
		tell_reasons(told, arg, pol_image_id(im), why);
	}
	for (size_t k = 0; k < a->scene.n_file; k++) {
		const struct pol_image *im = a->scene.image[k];

		if (!compared(im) || instead(b, im) || gone_within(im))
			continue;
		all = false;
		tell_reasons(told, arg, pol_image_id(im),
			     "it is gone, and held back what may pass");
	}
	return all;
}

static enum diff_change worse(enum diff_change a, enum diff_change b)
{
	return a > b ? a : b;
}

/* Figures say how much, rules say whether: what neither shows to be as narrow
 * as before is wider (law 7 of the language). */
static enum diff_change verdict(const struct diff_whole *w)
{
	enum diff_change figures = worse(w->all->change, w->chosen->change);

	if (figures == DIFF_WIDER || !diff_within(w->was, w->is, NULL, NULL))
		return DIFF_WIDER;
	return figures == DIFF_SAME && diff_within(w->is, w->was, NULL, NULL)
		       ? DIFF_SAME
		       : DIFF_NARROWER;
}

/* Does the customer's file say something else? Then its figures are shown
 * beside those of the others. */
static bool chose(const struct diff_version *was, const struct diff_version *is)
{
	for (size_t i = 0; i < is->scene.n_file; i++) {
		const struct pol_image *im = is->scene.image[i], *x;
		char why[200];

		if (pol_image_kind(im) != POL_CUSTOMER)
			continue;
		x = instead(was, im);
		return !x || !pol_within(im, x, why, sizeof(why)) ||
		       !pol_within(x, im, why, sizeof(why));
	}
	for (size_t k = 0; k < was->scene.n_file; k++) {
		if (pol_image_kind(was->scene.image[k]) == POL_CUSTOMER)
			return true;
	}
	return false;
}

int diff_told_all(const struct diff_whole *w, bool json)
{
	int rc = 0;

	for (size_t i = 0; i < w->is->scene.n_file && !rc; i++) {
		const struct pol_image *im = w->is->scene.image[i];
		const struct pol_image *old = instead(w->was, im);

		if (old)
			rc = diff_libraries(old, im, json);
		if (old && !rc)
			rc = diff_told(old, im, json);
	}
	return rc;
}

/* --- the command --------------------------------------------------------- */

struct diff_args {
	bool json, all, fail;
	const char *replay; /* a capture, or NULL */
	struct played_args played;
};

static int whole_new(struct diff_whole *w, struct err *e)
{
	int rc = diff_new(&w->all, w->was->bound, w->is->bound, e);

	if (!rc)
		rc = diff_new(&w->chosen, w->was->chosen, w->is->chosen, e);
	if (rc)
		return rc;
	w->chose = chose(w->was, w->is);
	w->verdict = verdict(w);
	return 0;
}

static int show(const struct diff_whole *w, char **path,
		const struct diff_args *a, struct err *e)
{
	int rc = a->json ? diff_json(w) : diff_text(w);

	if (!rc && a->replay)
		rc = diff_replay(path[0], path[1], &a->played, a->replay,
				 a->json, e);
	return rc || !a->json ? rc : diff_json_verdict(w);
}

static int take_fail(void *to, const char *name, const char *value,
		     struct err *e)
{
	if (strcmp(value, "wider") != 0)
		return err_set(e, E_SYNTAX, 0, "%s %s: write %s wider", name,
			       value, name);
	*(bool *)to = true;
	return 0;
}

int cmd_diff(int argc, char **argv)
{
	static struct diff_version was, is;
	struct diff_whole w = {.was = &was, .is = &is};
	struct diff_args a = {0};
	struct err e = {0};
	struct diags *d;
	const struct option_row options[] = {
		PLAYED_OPTIONS(&a.played),
		{"--replay",  OPTION_TEXT, &a.replay, NULL     },
		{"--fail-on", OPTION_TAKE, &a.fail,   take_fail},
		{"--all",     OPTION_FLAG, &a.all,    NULL     },
		{"--json",    OPTION_FLAG, &a.json,   NULL     },
	};
	int rc = options_read(&argc, argv, options, PLAYED_N + 4);

	if (rc)
		return rc;
	if (argc != 3)
		return polc_usage("diff: an old and a new set are needed");
	d = calloc(1, sizeof(*d));
	if (!d) {
		polc_say("out of memory");
		return POLC_IO;
	}
	w.show_same = a.all;
	rc = version_read(&was, argv[1], d, a.json, &e);
	if (!rc)
		rc = version_read(&is, argv[2], d, a.json, &e);
	if (!rc)
		rc = whole_new(&w, &e);
	if (!rc)
		rc = show(&w, argv + 1, &a, &e);
	if (rc && rc != E_SYNTAX)
		polc_say("%s", e.text);
	diff_free(w.all);
	diff_free(w.chosen);
	version_free(&was);
	version_free(&is);
	free(d);
	return rc == 0 && a.fail && w.verdict == DIFF_WIDER ? POLC_WIDER
							    : polc_exit(rc);
}
