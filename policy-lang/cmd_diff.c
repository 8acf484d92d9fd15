/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/analysis/diff.h"
#include "policy-lang/analysis/within.h"
#include "policy-lang/image/view.h"
#include "policy-lang/options.h"
#include "policy-lang/played.h"
#include "policy-lang/polc.h"

#define TEXT(s) (int)(s).n, (const char *)(s).p

struct version { /* one of the two sets */
	struct pol_files files;
	struct scene scene;
	struct bound *bound;
	struct bound *chosen; /* by this household */
};

static int version_read(struct version *v, const char *path, struct diags *d,
			bool json, struct err *e)
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

static void version_free(struct version *v)
{
	bound_free(v->bound);
	bound_free(v->chosen);
	scene_free(&v->scene);
	pol_files_free(&v->files);
}

/* --- for people ---------------------------------------------------------- */

static struct span rule_of(struct span name)
{
	return name.n ? name : span_str("(on trial)");
}

static const char *subject(const struct diff_item *i)
{
	return i->what == DIFF_FLOW    ? meas_name(i->meas)
	       : i->what == DIFF_POWER ? "may switch or limit"
				       : "sealed channel";
}

static void print_new(const struct diff_item *i)
{
	static const char *const consents[] = {"", "no consent needed",
					       "opt-out", "opt-in"};
	const struct bound_flow *f = i->is;
	char t[64];

	if (i->what == DIFF_FLOW) {
		if (f->readings[MOST_DAY] == MOST_UNLIMITED)
			printf("any number of readings a day");
		else
			printf("up to %llu readings a day",
			       (unsigned long long)f->readings[MOST_DAY]);
		if (f->spacing_ns != INT64_MAX)
			printf(", every %s",
			       f->spacing_ns ? bound_time(t, sizeof(t),
							  f->spacing_ns)
					     : "instant");
		if (f->delay_ns)
			printf(", %s old", bound_time(t, sizeof(t),
						      f->delay_ns));
		else
			printf(", no delay");
		printf("  allow/%.*s  %s", TEXT(rule_of(f->rule_name)),
		       consents[f->consent]);
	} else if (i->what == DIFF_POWER) {
		printf("allow/%.*s",
		       TEXT(rule_of(i->is_power->rule_name)));
	}
}

struct shown {
	bool all;   /* what is the same, too */
	bool voids; /* an update voids the answer to what it widens */
};

/* Another purpose is no wider, but a customer should read it. */
static bool reworded(const struct diff_item *i)
{
	return i->was && i->is &&
	       !span_eq(i->was->purpose, i->is->purpose);
}

static void print_item(const struct diff_item *i, const struct shown *how)
{
	bool first = true;

	if (i->change == DIFF_SAME && !how->all && !reworded(i))
		return;
	if (i->n_row == 0) {
		printf("    %-8s %s", diff_change_name(i->change), subject(i));
		if (i->change == DIFF_NEW) {
			printf("  ");
			print_new(i);
		}
		printf("\n");
		first = false;
	}
	for (size_t k = 0; k < i->n_row; k++) {
		const struct diff_row *r = &i->row[k];
		char a[64], b[64];

		printf("    %-8s %-18s %s: %s -> %s", diff_change_name(r->change),
		       subject(i), diff_scale_name(r->scale),
		       diff_figure(a, sizeof(a), r, false, i),
		       diff_figure(b, sizeof(b), r, true, i));
		if (first && i->what == DIFF_FLOW && i->is)
			printf("  allow/%.*s", TEXT(rule_of(i->is->rule_name)));
		if (first && how->voids && i->change >= DIFF_WIDER && i->is &&
		    i->is->consent > CONSENT_NONE)
			printf("  answer void");
		printf("\n");
		first = false;
	}
	if (reworded(i))
		printf("             purpose: \"%.*s\" -> \"%.*s\"\n",
		       TEXT(i->was->purpose),
		       TEXT(i->is->purpose));
}

static void print_recipient(const struct bound_recipient *was,
			    const struct bound_recipient *is)
{
	char a = was ? was->grade : '-', b = is ? is->grade : '-';
	uint64_t x = was ? was->bytes[MOST_DAY] : 0;
	uint64_t y = is ? is->bytes[MOST_DAY] : 0;

	if (a != b)
		printf("    label      %c -> %c\n", a, b);
	if (x == y)
		return;
	printf("    octets/day ");
	if (x == MOST_UNLIMITED)
		printf("any -> ");
	else
		printf("%llu -> ", (unsigned long long)x);
	if (y == MOST_UNLIMITED)
		printf("any\n");
	else
		printf("%llu\n", (unsigned long long)y);
}

static bool has_change(const struct diff *d, size_t from, size_t to, bool all)
{
	for (size_t i = from; i < to; i++) {
		if (all || d->item[i].change != DIFF_SAME ||
		    reworded(&d->item[i]))
			return true;
	}
	return false;
}

static void print_all(const struct diff *d, const struct shown *how)
{
	for (size_t i = 0, n; i < d->n; i = n) {
		const struct diff_item *x = &d->item[i];

		for (n = i + 1; n < d->n &&
				d->item[n].was_r == x->was_r &&
				d->item[n].is_r == x->is_r;)
			n++;
		if (!has_change(d, i, n, how->all))
			continue;
		printf("\n  %.*s to %.*s\n", TEXT(x->machine),
		       TEXT(x->operator_));
		for (size_t k = i; k < n; k++)
			print_item(&d->item[k], how);
		print_recipient(x->was_r, x->is_r);
	}
}

/* The same policy in the other set. */
static const struct pol_file *other(const struct version *v,
				    const struct pol_file *f)
{
	for (size_t i = 0; i < v->files.n; i++) {
		if (v->files.f[i]->kind == f->kind &&
		    strcmp(v->files.f[i]->id, f->id) == 0)
			return v->files.f[i];
	}
	return NULL;
}

/* What stands in its place there: a set has one baseline, one customer's file
 * and one binding, whatever their ids. */
static const struct pol_image *instead(const struct version *v,
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

/* May it be there where none was? A baseline only ever takes away; a customer
 * does by all that is no yes. */
static bool new_within(const struct pol_image *im)
{
	if (pol_image_kind(im) == POL_BASELINE)
		return true;
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

static const struct pol_image *customer_of(const struct version *v)
{
	for (size_t i = 0; i < v->scene.n_file; i++) {
		if (pol_image_kind(v->scene.image[i]) == POL_CUSTOMER)
			return v->scene.image[i];
	}
	return NULL;
}

/* Each reason, a line. */
static void print_why(struct span id, const char *why)
{
	for (size_t n; *why; why += n + (why[n] != 0)) {
		n = strcspn(why, "\n");
		printf("  %.*s may let more pass: %.*s\n", TEXT(id), (int)n,
		       why);
	}
}

/* Is every policy of b within the same one of a? Says which are not. */
static bool within(const struct version *a, const struct version *b, bool say)
{
	static char why[WITHIN_TOLD];
	bool all = true;

	for (size_t i = 0; i < b->scene.n_file; i++) {
		const struct pol_image *im = b->scene.image[i];
		const struct pol_image *was = instead(a, im);

		if (!compared(im) ||
		    (was ? pol_within_told(im, was, customer_of(a), why,
					   sizeof(why))
			 : new_within(im)))
			continue;
		all = false;
		if (say)
			print_why(pol_image_id(im), was ? why : "it is new");
	}
	for (size_t k = 0; k < a->scene.n_file; k++) {
		const struct pol_image *im = a->scene.image[k];

		if (!compared(im) || instead(b, im) || gone_within(im))
			continue;
		all = false;
		if (say)
			printf("  %.*s is gone, and held back what may pass\n",
			       TEXT(pol_image_id(im)));
	}
	return all;
}

static enum diff_change worse(enum diff_change a, enum diff_change b)
{
	return a > b ? a : b;
}

/* Figures say how much, rules say whether: what neither shows to be as narrow
 * as before is wider (law 7 of the language). */
static enum diff_change verdict(const struct version *was,
				const struct version *is,
				enum diff_change figures)
{
	if (figures == DIFF_WIDER || !within(was, is, false))
		return DIFF_WIDER;
	return figures == DIFF_SAME && within(is, was, false) ? DIFF_SAME
							      : DIFF_NARROWER;
}

static void print_day(const char *before, int64_t s, const char *without)
{
	char day[24];

	printf("%s%s", before, s ? bound_date(day, sizeof(day), s) : without);
}

/* Dates do not count as wider or narrower: the verdict is about the time when
 * both are valid. But they are shown. */
static void print_validity(const struct pol_file *was,
			   const struct pol_file *is)
{
	if (was->valid_from_s != is->valid_from_s) {
		printf("%s", is->id);
		print_day("  valid from ", was->valid_from_s, "any day");
		print_day(" -> ", is->valid_from_s, "any day");
		printf("\n");
	}
	if (was->valid_until_s != is->valid_until_s) {
		printf("%s", is->id);
		print_day("  valid until ", was->valid_until_s, "any day");
		print_day(" -> ", is->valid_until_s, "any day");
		printf("\n");
	}
}

/* Policies by their ids: what came, went, has another serial or other days. */
static void print_files(const struct version *was, const struct version *is)
{
	for (size_t i = 0; i < is->files.n; i++) {
		const struct pol_file *f = is->files.f[i], *old = other(was, f);

		if (f->kind == POL_TESTS)
			continue;
		if (!old)
			printf("%s  serial %llu is new\n", f->id,
			       (unsigned long long)f->serial);
		else if (old->serial != f->serial)
			printf("%s  serial %llu -> %llu\n", f->id,
			       (unsigned long long)old->serial,
			       (unsigned long long)f->serial);
		if (old)
			print_validity(old, f);
	}
	for (size_t k = 0; k < was->files.n; k++) {
		const struct pol_file *f = was->files.f[k];

		if (f->kind != POL_TESTS && !other(is, f))
			printf("%s  serial %llu is gone\n", f->id,
			       (unsigned long long)f->serial);
	}
}

/* --- for programs -------------------------------------------------------- */

static void put_row(struct json *j, const struct diff_item *i,
		    const struct diff_row *r)
{
	char t[64];

	json_obj(j, NULL);
	json_str(j, "scale", diff_scale_name(r->scale));
	json_str(j, "change", diff_change_name(r->change));
	json_str(j, "was", diff_figure(t, sizeof(t), r, false, i));
	json_str(j, "is", diff_figure(t, sizeof(t), r, true, i));
	json_obj_end(j);
}

/* customer: with what this household chose. */
static int print_json(const struct diff_item *i, bool customer)
{
	char buf[8192];
	struct json j = json_of(buf, sizeof(buf));

	json_obj(&j, NULL);
	json_str(&j, "of", customer ? "customer" : "all consents");
	json_text(&j, "machine", i->machine);
	json_text(&j, "operator", i->operator_);
	json_str(&j, "subject", i->what == DIFF_FLOW    ? "measurement"
				: i->what == DIFF_POWER ? "power"
							: "sealed");
	if (i->what == DIFF_FLOW)
		json_str(&j, "measurement", meas_name(i->meas));
	json_str(&j, "change", diff_change_name(i->change));
	json_arr(&j, "scales");
	for (size_t k = 0; k < i->n_row; k++)
		put_row(&j, i, &i->row[k]);
	json_arr_end(&j);
	json_obj_end(&j);
	if (!json_line(&j))
		return E_LIMIT;
	fwrite(j.w.p, 1, j.w.n, stdout);
	return 0;
}

/* --- the command --------------------------------------------------------- */

struct diff_args {
	bool json, all, fail;
	const char *replay; /* a capture, or NULL */
	struct played_args played;
};

/* Does the customer's file say something else? Then its figures are shown
 * beside those of the others. */
static bool chose(const struct version *was, const struct version *is)
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

static void print_chosen(const struct version *was, const struct version *is,
			 const struct diff *chosen, const struct diff_args *a)
{
	if (!chose(was, is) || !has_change(chosen, 0, chosen->n, a->all))
		return;
	printf("\nwith what this household chose:\n");
	print_all(chosen, &(struct shown){a->all, false});
}

static int print_rows(const struct diff *d, const struct diff_args *a,
		      bool customer)
{
	int rc = 0;

	for (size_t i = 0; i < d->n && !rc; i++) {
		if (a->all || d->item[i].change != DIFF_SAME)
			rc = print_json(&d->item[i], customer);
	}
	return rc;
}

static int print_told(const struct version *was, const struct version *is,
		      bool json)
{
	int rc = 0;

	for (size_t i = 0; i < is->scene.n_file && !rc; i++) {
		const struct pol_image *im = is->scene.image[i];
		const struct pol_image *old = instead(was, im);

		if (old)
			rc = diff_told(old, im, json);
	}
	return rc;
}

static int diff_sets(const struct version *was, const struct version *is,
		     const struct diff_args *a, enum diff_change *change,
		     struct err *e)
{
	struct diff *d = NULL, *chosen = NULL;
	int rc = diff_new(&d, was->bound, is->bound, e);

	if (!rc)
		rc = diff_new(&chosen, was->chosen, is->chosen, e);
	if (!rc)
		*change = verdict(was, is, worse(d->change, chosen->change));
	if (!rc && a->json)
		rc = print_rows(d, a, false);
	if (!rc && a->json && chose(was, is))
		rc = print_rows(chosen, a, true);
	if (!rc && a->json)
		rc = print_told(was, is, true);
	if (!rc && !a->json) {
		print_files(was, is);
		printf("%s%s\n", diff_change_name(*change),
		       *change == DIFF_WIDER
			       ? "  (needs the customer's acknowledgement)"
			       : "");
		/* Figures add up rules, so one may hide behind another. */
		if (*change == DIFF_WIDER)
			(void)within(was, is, true);
		print_all(d, &(struct shown){a->all, true});
		print_chosen(was, is, chosen, a);
		rc = print_told(was, is, false);
	}
	diff_free(d);
	diff_free(chosen);
	return rc;
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
	static struct version was, is;
	enum diff_change change = DIFF_SAME;
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
	rc = version_read(&was, argv[1], d, a.json, &e);
	if (!rc)
		rc = version_read(&is, argv[2], d, a.json, &e);
	if (!rc)
		rc = diff_sets(&was, &is, &a, &change, &e);
	if (!rc && a.replay)
		rc = diff_replay(argv[1], argv[2], &a.played, a.replay,
				 a.json, &e);
	if (rc && rc != E_SYNTAX)
		polc_say("%s", e.text);
	version_free(&was);
	version_free(&is);
	free(d);
	return rc == 0 && a.fail && change == DIFF_WIDER ? POLC_WIDER
							 : polc_exit(rc);
}
