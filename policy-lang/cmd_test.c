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
#include "policy-lang/step_text.h"

#define MAX_SCENE_FILES 64

struct tally {
	size_t passed, failed;
	bool json;
	struct coverage *coverage;      /* or NULL */
	struct junit *junit;            /* or NULL */
	const struct pol_file *instead; /* of the file of its id, or NULL */
	size_t survived;     /* mutants, and justifications of none */
	bool quiet;          /* the first failure is all that is asked */
	struct suite *suite; /* read once, however often they run */
	struct pol_files beside;
};

/* The policies that a suite lists. */
struct suite {
	struct suite *next;
	const struct pol_file *of;
	char (*path)[1024]; /* borrowed by files */
	struct pol_files files;
};

/* --- saying what happened ------------------------------------------------ */

static void fail(struct tally *t, const struct pol_file *f, struct pol_pos pos,
		 const char *test, const char *text)
{
	char buf[4096];
	struct json j = json_of(buf, sizeof(buf));

	t->failed++;
	if (t->quiet)
		return;
	junit_test(t->junit, f->path, test, text);
	if (!t->json) {
		printf("%s:%u:%u: %s: %s\n", f->path, pos.line, pos.col, test,
		       text);
		return;
	}
	json_obj(&j, NULL);
	json_str(&j, "level", "failed");
	json_str(&j, "code", "P8001");
	json_str(&j, "file", f->path);
	json_u64(&j, "line", pos.line);
	json_u64(&j, "column", pos.col);
	json_str(&j, "test", test);
	json_str(&j, "message", text);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

static void pass(struct tally *t, const struct pol_file *f, const char *test)
{
	t->passed++;
	if (!t->quiet)
		junit_test(t->junit, f->path, test, NULL);
}

/* --- one step ------------------------------------------------------------ */

/* Is who the name of a rule, layer, policy or machine that decided? */
static bool decided(const struct scene *s, const struct pol_decision *d,
		    const char *who)
{
	for (uint32_t i = 0; i < d->n_rules; i++) {
		const struct event_rule *r = &d->rules[i];
		const struct pol_file *f = scene_policy(s, who);

		if (!d->permit && !(d->refused_rules >> i & 1))
			continue;
		if (span_is(r->rule, who) || span_is(r->policy, who) ||
		    (!d->permit && span_is(r->layer, who)) ||
		    (!d->permit && f && span_is(r->policy, f->id)))
			return true;
	}
	return false;
}

static bool as_expected(const struct scene *s, const struct pol_step_src *st,
			const struct pol_decision *d)
{
	switch (st->expect) {
	case EXPECT_PERMIT:
		if (!d->permit)
			return false;
		break;
	case EXPECT_DEFER:
		if (d->permit || d->action != POL_DEFER)
			return false;
		break;
	case EXPECT_DENY:
		if (d->permit || (st->because != REASON_NONE &&
				  !reasons_has(&d->reasons, st->because)))
			return false;
		break;
	}
	return !st->by || decided(s, d, st->by);
}

/* --- what waits ---------------------------------------------------------- */

#define WAITING 64 /* messages that one test holds back */

/* A message that was held back, which is judged again when there may be room,
 * as the gateway does (enforcer/pipeline/defer.c). */
struct waiting {
	struct scene_msg *m; /* or NULL */
	size_t step;
	int64_t since, at; /* ns, stepless */
};

struct run {
	uint64_t *ids; /* of permitted requests, by step */
	struct waiting waiting[WAITING];
};

/* Takes m where it waits. */
static bool keep(struct run *r, const struct scene *s, struct scene_msg *m,
		 size_t step, int64_t since, const struct pol_decision *d)
{
	int64_t left = d->defer_ns - (s->now.mono.ns - since);
	int64_t wait = d->wait_ns > 0 ? d->wait_ns : left;
	size_t i = 0;

	while (i < WAITING && r->waiting[i].m)
		i++;
	if (d->permit || d->action != POL_DEFER || wait <= 0 || wait > left ||
	    i == WAITING)
		return false;
	r->waiting[i] =
		(struct waiting){m, step, since, s->now.mono.ns + wait};
	return true;
}

static struct waiting *first_waiting(struct run *r)
{
	struct waiting *first = NULL;

	for (size_t i = 0; i < WAITING; i++) {
		struct waiting *w = &r->waiting[i];

		if (w->m && (!first || w->at < first->at))
			first = w;
	}
	return first;
}

/* Time goes by, and what waits leaves meanwhile or not at all. */
static void pass_time(struct tally *t, struct scene *s, struct run *r,
		      int64_t ns)
{
	int64_t until = s->now.mono.ns + ns;
	struct waiting *w;

	while ((w = first_waiting(r)) && w->at <= until) {
		struct waiting x = *w;
		struct pol_decision d;

		w->m = NULL;
		scene_advance(s, x.at - s->now.mono.ns);
		x.m->msg.now = s->now;
		scene_judge(s, &x.m->msg, &d);
		coverage_saw(t->coverage, &d);
		if (d.permit)
			r->ids[x.step] = d.request_id;
		if (!keep(r, s, x.m, x.step, x.since, &d))
			free(x.m);
	}
	scene_advance(s, until - s->now.mono.ns);
}

static void run_free(struct run *r)
{
	for (size_t i = 0; r && i < WAITING; i++)
		free(r->waiting[i].m);
	if (r)
		free(r->ids);
	free(r);
}

static struct run *run_new(const struct pol_test_src *test)
{
	struct run *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->ids = calloc(test->n_step + 1, sizeof(*r->ids));
	if (r->ids)
		return r;
	free(r);
	return NULL;
}

/* 0, or 1 after saying what went wrong. */
static int run_step(struct tally *t, struct scene *s, const struct pol_file *f,
		    const struct pol_test_src *test, size_t i, struct run *r)
{
	const struct pol_step_src *st = &test->step[i];
	uint32_t times = st->repeat ? st->repeat : 1;
	char text[1024], want[256], got[600];
	struct pol_decision d;
	struct err e = {0};

	for (uint32_t k = 0; k < times; k++) {
		struct scene_msg *m = calloc(1, sizeof(*m));
		uint64_t to;

		pass_time(t, s, r, st->after_ns);
		to = st->answers ? r->ids[st->answers - 1] : 0;
		coverage_passed(t->coverage, s);
		if (!m || scene_message(s, st, f->vm, to, m, &e)) {
			snprintf(text, sizeof(text), "step %zu: %s", i + 1,
				 m ? e.text : "out of memory");
			free(m);
			fail(t, f, st->pos, test->id, text);
			return 1;
		}
		scene_judge(s, &m->msg, &d);
		coverage_saw(t->coverage, &d);
		coverage_passed(t->coverage, s);
		if (d.permit)
			r->ids[i] = d.request_id;
		if (!keep(r, s, m, i, s->now.mono.ns, &d))
			free(m);
		if (as_expected(s, st, &d))
			continue;
		step_wants(want, sizeof(want), st);
		step_got(got, sizeof(got), &d);
		snprintf(text, sizeof(text),
			 "step %zu: expected %s, but got %s", i + 1, want, got);
		fail(t, f, st->pos, test->id, text);
		return 1;
	}
	return 0;
}

/* --- one test ------------------------------------------------------------ */

/* Without a time of its own a test runs at noon of the first valid day. */
static struct wall start_of(const struct scene *s, const struct pol_file *f,
			    const struct pol_test_src *t)
{
	int64_t from = civil_days(2026, 1, 1) * 86400;

	if (t->has_time)
		return t->time;
	if (f->valid_from_s > from)
		from = f->valid_from_s;
	for (size_t i = 0; i < s->n_file; i++) {
		if (s->file[i]->valid_from_s > from)
			from = s->file[i]->valid_from_s;
	}
	return (struct wall){.us = (from + 43200) * US_PER_S, .trusted = true};
}

static void in_dir_of(char *buf, size_t cap, const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');

	if (!slash || name[0] == '/')
		snprintf(buf, cap, "%s", name);
	else
		snprintf(buf, cap, "%.*s/%s", (int)(slash - file), file, name);
}

/* How many of a reason the test expects: none, where it says nothing. */
static uint64_t expected_of(const struct pol_test_src *test, enum reason r)
{
	for (size_t i = 0; i < test->n_expect_deny; i++) {
		if (test->expect_deny[i].reason == r)
			return test->expect_deny[i].n;
	}
	return 0;
}

static void run_pcap(struct tally *t, struct scene *s, const struct pol_file *f,
		     const struct pol_test_src *test)
{
	struct pcap_counts *c = calloc(1, sizeof(*c));
	char pcap[1024], keys[1024] = "", text[700];
	struct err e = {0};
	size_t n = 0;

	in_dir_of(pcap, sizeof(pcap), f->path, test->pcap);
	if (test->keys)
		in_dir_of(keys, sizeof(keys), f->path, test->keys);
	if (!c || scene_reset(s, start_of(s, f, test), &e) ||
	    scene_given(s, test, f->vm, &e) ||
	    pcap_play(s, test, pcap, test->keys ? keys : NULL, c, &e)) {
		fail(t, f, test->pos, test->id, c ? e.text : "out of memory");
		free(c);
		return;
	}
	if (test->expect_permit >= 0 &&
	    c->permit != (uint64_t)test->expect_permit)
		n = (size_t)snprintf(text, sizeof(text),
				     "expected %lld permitted, got %llu; ",
				     (long long)test->expect_permit,
				     (unsigned long long)c->permit);
	for (unsigned r = 1; r < REASON_COUNT && n + 80 < sizeof(text); r++) {
		uint64_t want = expected_of(test, (enum reason)r);

		if (c->deny[r] != want)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
					      "expected %llu %s, got %llu; ",
					      (unsigned long long)want,
					      reason_text((enum reason)r),
					      (unsigned long long)c->deny[r]);
	}
	free(c);
	if (n < 2) {
		pass(t, f, test->id);
		return;
	}
	text[n - 2] = 0;
	fail(t, f, test->pos, test->id, text);
}

static void run_test(struct tally *t, struct scene *s, const struct pol_file *f,
		     const struct pol_test_src *test)
{
	struct run *r;
	struct err e = {0};
	int bad = 0;

	if (test->pcap) {
		run_pcap(t, s, f, test);
		return;
	}
	r = run_new(test);
	if (!r || scene_reset(s, start_of(s, f, test), &e) ||
	    scene_given(s, test, f->vm, &e)) {
		fail(t, f, test->pos, test->id, r ? e.text : "out of memory");
		run_free(r);
		return;
	}
	coverage_given(t->coverage, s);
	for (size_t i = 0; i < test->n_step && !bad; i++)
		bad = run_step(t, s, f, test, i, r);
	run_free(r);
	if (!bad)
		pass(t, f, test->id);
}

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
		run_test(t, &s, f, &f->test[i]);
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
		in_dir_of(u->path[i], sizeof(u->path[i]), f->path,
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
	rc = prove_assertions(&with, d, e);
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
