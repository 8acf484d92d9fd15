/* SPDX-License-Identifier: Apache-2.0 */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/coverage.h"
#include "policy-lang/junit.h"
#include "policy-lang/mutate.h"
#include "policy-lang/options.h"
#include "policy-lang/polc.h"
#include "policy-lang/test_play.h"

#define MAX_SCENE_FILES 64

/* The policies that a suite lists. */
struct suite {
	struct suite *next;
	const struct pol_file *of;
	char (*path)[1024]; /* borrowed by files */
	struct pol_files files;
};

/* --- which files play together ------------------------------------------- */

static bool plays(const struct pol_file *f, const struct pol_file *with)
{
	switch (with->kind) {
	case POL_TESTS:
		return f->kind != POL_TESTS;
	case POL_VENDOR:
		/* Baseline and that policy; the binding says who is who. */
		return f == with || f->kind == POL_BASELINE ||
		       f->kind == POL_BINDING;
	default:
		return f->kind == POL_VENDOR || f->kind == POL_BASELINE ||
		       f->kind == POL_BINDING;
	}
}

static const struct pol_file *as_asked(const struct tally *t,
				       const struct pol_file *f)
{
	return t->instead && t->instead->kind == f->kind &&
			       strcmp(t->instead->id, f->id) == 0
		       ? t->instead
		       : f;
}

static int run_file(struct tally *t, const struct pol_file *f,
		    const struct pol_files *with, const struct pol_files *more,
		    struct err *e)
{
	const struct pol_file *v[MAX_SCENE_FILES];
	const struct pol_files *from[] = {with, more};
	bool seen[POL_TESTS + 1] = {false};
	struct scene s;
	size_t n = 0;
	int rc;

	for (size_t k = 0; k < 2; k++) {
		for (size_t i = 0; from[k] && i < from[k]->n; i++) {
			const struct pol_file *g = from[k]->f[i];

			if (!plays(g, f) || n == MAX_SCENE_FILES)
				continue;
			/* From beside: only what is not given. */
			if (k == 1 && (seen[g->kind] || g->kind == POL_VENDOR))
				continue;
			v[n++] = as_asked(t, g);
			seen[g->kind] = true;
		}
	}
	rc = scene_new(&s, v, n, e);
	if (rc)
		return rc;
	s.judged = t->coverage ? coverage_judged : NULL;
	s.judged_arg = t->coverage;
	for (size_t i = 0; i < f->n_test && !(t->quiet && t->failed); i++)
		test_play(t, &s, f, &f->test[i]);
	scene_free(&s);
	return 0;
}

static int report(struct diags *d, const struct pol_files *files, int rc,
		  const struct err *e)
{
	if (d->errors)
		polc_diags(stderr, d, files, SAY_TEXT);
	if (rc && (rc != E_SYNTAX || !d->errors))
		polc_say("%s", e->text);
	return rc;
}

static void suite_free(struct suite *u)
{
	pol_files_free(&u->files);
	free(u->path);
	free(u);
}

static int suite_read(struct suite *u, const struct pol_file *f, struct err *e)
{
	const char **p = calloc(f->n_test_policy + 1, sizeof(*p));
	struct diags *d = calloc(1, sizeof(*d));
	int rc = E_NOMEM;

	u->of = f;
	u->path = calloc(f->n_test_policy + 1, sizeof(*u->path));
	if (!u->path || !p || !d) {
		err_set(e, E_NOMEM, 0, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < f->n_test_policy; i++) {
		test_beside(u->path[i], sizeof(u->path[i]), f->path,
			  f->test_policy[i]);
		p[i] = u->path[i];
	}
	rc = pol_read_paths(&u->files, p, f->n_test_policy, d, e);
	if (rc)
		report(d, &u->files, rc, e);
out:
	free(d);
	free(p);
	return rc;
}

/* A suite loads the policies it lists. */
static int run_suite(struct tally *t, const struct pol_file *f, struct err *e)
{
	struct suite *u = t->suite;
	int rc;

	while (u && u->of != f)
		u = u->next;
	if (!u) {
		u = calloc(1, sizeof(*u));
		rc = u ? suite_read(u, f, e)
		       : err_set(e, E_NOMEM, 0, "out of memory");
		if (rc) {
			if (u)
				suite_free(u);
			return rc;
		}
		u->next = t->suite;
		t->suite = u;
	}
	rc = run_file(t, f, &u->files, NULL, e);
	if (rc && !t->quiet)
		polc_say("%s", e->text);
	return rc;
}

/* The baseline and binding beside the files, where none are given. A
 * directory that does not read is no error: nothing was asked of it. */
static void read_beside(struct pol_files *more, const char *path)
{
	struct diags *d = calloc(1, sizeof(*d));
	char *copy = strdup(path);
	struct err e;

	memset(more, 0, sizeof(*more));
	if (d && copy && pol_read_set(more, dirname(copy), false, d, &e))
		more->n = 0;
	free(copy);
	free(d);
}

static int run_all(struct tally *t, const struct pol_files *files,
		   struct err *e)
{
	int rc = 0, worst = 0;

	for (size_t i = 0; i < files->n && !(t->quiet && t->failed); i++) {
		const struct pol_file *f = files->f[i];

		if (f->n_test == 0)
			continue;
		if (f->kind == POL_TESTS) {
			rc = run_suite(t, f, e);
		} else {
			rc = run_file(t, f, files, &t->beside, e);
			if (rc && !t->quiet)
				polc_say("%s: %s", f->path, e->text);
		}
		if (rc && !worst)
			worst = rc;
	}
	return worst;
}

/* --- mutants ---------------------------------------------------------------
 */

struct trial {
	struct tally t;
	const struct pol_files *files;
};

/* An assertion that no longer holds notices too. */
static int claims_notice(struct trial *x, struct err *e)
{
	struct pol_files with = *x->files;
	struct diags *d = calloc(1, sizeof(*d));
	int rc;

	with.f = calloc(with.n + 1, sizeof(*with.f));
	if (!d || !with.f) {
		free(d);
		free(with.f);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	for (size_t i = 0; i < with.n; i++)
		with.f[i] = (struct pol_file *)(uintptr_t)as_asked(
			&x->t, x->files->f[i]);
	rc = prove_assertions(&with, NULL, d, e);
	free(with.f);
	free(d);
	return rc == E_SYNTAX ? 1 : rc;
}

static int notices(void *ctx, const struct pol_file *instead, struct err *e)
{
	struct trial *x = ctx;
	int rc;

	x->t.instead = instead;
	x->t.failed = 0;
	rc = run_all(&x->t, x->files, e);
	/* The gateway would refuse what does not compose. */
	if (x->t.failed || rc == E_STATE || rc == E_SYNTAX)
		return 1;
	return rc ? rc : claims_notice(x, e);
}

static int mutate(struct tally *t, const struct pol_files *files, struct err *e)
{
	struct trial x = {
		{.quiet = true, .beside = t->beside, .suite = t->suite},
                files
        };
	struct mutation r;
	size_t alive;
	int rc;

	if (t->failed) {
		polc_say("no mutants are tried where tests fail");
		return 0;
	}
	rc = mutate_all(&r, files, notices, &x, t->json, e);
	if (rc)
		return rc;
	alive = r.mutants - r.noticed;
	if (!t->json)
		printf("%zu mutants: %zu noticed, %zu justified, %zu survive, "
		       "%zu justified for nothing\n",
		       r.mutants, r.noticed, r.justified, alive - r.justified,
		       r.stale);
	t->survived = alive - r.justified + r.stale;
	return 0;
}

static void tally_fini(struct tally *t)
{
	while (t->suite) {
		struct suite *u = t->suite;

		t->suite = u->next;
		suite_free(u);
	}
	pol_files_free(&t->beside);
}

static void print_sum(const struct tally *t)
{
	char buf[100];
	struct json j = json_of(buf, sizeof(buf));

	if (!t->json) {
		printf("%zu passed, %zu failed\n", t->passed, t->failed);
		return;
	}
	json_obj(&j, NULL);
	json_u64(&j, "passed", t->passed);
	json_u64(&j, "failed", t->failed);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

struct test_args {
	bool coverage, mutate;
};

static int run(struct tally *t, char **path, size_t n,
	       const struct test_args *a)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct pol_files files;
	struct err e = {0};
	int rc;

	if (!d) {
		polc_say("out of memory");
		return E_NOMEM;
	}
	rc = pol_read_paths(&files, (const char *const *)path, n, d, &e);
	report(d, &files, rc, &e);
	if (rc == 0 && files.n)
		read_beside(&t->beside, files.f[0]->path);
	if (rc == 0)
		rc = run_all(t, &files, &e);
	if (rc == 0 && a->coverage)
		coverage_print(t->coverage, &files, t->json);
	if (rc == 0 && a->mutate) {
		rc = mutate(t, &files, &e);
		if (rc)
			polc_say("%s", e.text);
	}
	if (rc == 0)
		print_sum(t);
	tally_fini(t);
	pol_files_free(&files);
	free(d);
	return rc;
}

int cmd_test(int argc, char **argv)
{
	struct tally t = {0};
	const char *junit = NULL;
	struct test_args a = {0};
	struct err e = {0};
	const struct option_row options[] = {
		{"--coverage", OPTION_FLAG, &a.coverage, NULL},
		{"--mutate",   OPTION_FLAG, &a.mutate,   NULL},
		{"--junit",    OPTION_TEXT, &junit,      NULL},
		{"--json",     OPTION_FLAG, &t.json,     NULL},
	};
	int rc = options_read(&argc, argv, options, 4), wrote;

	if (rc)
		return rc;
	if (argc == 1)
		return polc_usage("test: which files?");
	if (junit)
		rc = junit_open(&t.junit, junit, &e);
	if (!rc && a.coverage) {
		t.coverage = coverage_new();
		rc = t.coverage ? 0 : err_set(&e, E_NOMEM, 0, "out of memory");
	}
	if (rc)
		polc_say("%s", e.text);
	else
		rc = run(&t, argv + 1, (size_t)(argc - 1), &a);
	wrote = junit_close(t.junit, &e);
	if (wrote)
		polc_say("%s", e.text);
	coverage_free(t.coverage);
	rc = rc ? rc : wrote;
	return rc                       ? polc_exit(rc)
	       : t.failed || t.survived ? POLC_TESTS
					: POLC_OK;
}
