/* SPDX-License-Identifier: Apache-2.0 */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/coverage.h"
#include "policy-lang/junit.h"
#include "policy-lang/polc.h"

#define MAX_SCENE_FILES 64

struct tally {
	size_t passed, failed;
	bool json;
	struct coverage *coverage; /* or NULL */
	struct junit *junit;	   /* or NULL */
};

/* --- saying what happened ------------------------------------------------ */

static void fail(struct tally *t, const struct pol_file *f, struct pol_pos pos,
		 const char *test, const char *text)
{
	char buf[4096];
	struct json j = json_of(buf, sizeof(buf));

	t->failed++;
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
	junit_test(t->junit, f->path, test, NULL);
}

static void expected_text(char *buf, size_t cap, const struct pol_step_src *s)
{
	static const char *const what[] = {[EXPECT_PERMIT] = "permit",
					   [EXPECT_DENY] = "deny",
					   [EXPECT_DEFER] = "defer"};

	snprintf(buf, cap, "%s%s%s%s%s", what[s->expect],
		 s->because ? " because " : "",
		 s->because ? reason_text(s->because) : "", s->by ? " by " : "",
		 s->by ? s->by : "");
}

static void got_text(char *buf, size_t cap, const struct pol_decision *d)
{
	size_t n;

	if (d->permit) {
		snprintf(buf, cap, "permit");
	} else {
		n = (size_t)snprintf(buf, cap, "%s because",
				     d->action == POL_DEFER ? "defer" : "deny");
		for (unsigned r = 1; r < REASON_COUNT && n < cap; r++) {
			if (reasons_has(&d->reasons, (enum reason)r))
				n += (size_t)snprintf(
					buf + n, cap - n, " %s",
					reason_text((enum reason)r));
		}
	}
	for (uint32_t i = 0; i < d->n_rules; i++) {
		n = strlen(buf);
		if (d->rules[i].rule.n)
			snprintf(buf + n, cap - n, "%s%.*s/%.*s",
				 i ? ", " : " by ", (int)d->rules[i].layer.n,
				 (const char *)d->rules[i].layer.p,
				 (int)d->rules[i].rule.n,
				 (const char *)d->rules[i].rule.p);
	}
	n = strlen(buf);
	if (d->text[0])
		snprintf(buf + n, cap - n, " (%s)", d->text);
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

/* 0, or 1 after saying what went wrong. ids: of permitted requests. */
static int run_step(struct tally *t, struct scene *s, const struct pol_file *f,
		    const struct pol_test_src *test, size_t i, uint64_t *ids)
{
	const struct pol_step_src *st = &test->step[i];
	uint32_t times = st->repeat ? st->repeat : 1;
	char text[1024], want[256], got[600];
	struct scene_msg m;
	struct pol_decision d;
	struct err e = {0};

	for (uint32_t k = 0; k < times; k++) {
		uint64_t to = st->answers ? ids[st->answers - 1] : 0;

		scene_advance(s, st->after_ns);
		if (scene_message(s, st, f->vm, to, &m, &e)) {
			snprintf(text, sizeof(text), "step %zu: %s", i + 1,
				 e.text);
			fail(t, f, st->pos, test->id, text);
			return 1;
		}
		scene_judge(s, &m.msg, &d);
		coverage_saw(t->coverage, &d);
		if (d.permit)
			ids[i] = d.request_id;
		if (as_expected(s, st, &d))
			continue;
		expected_text(want, sizeof(want), st);
		got_text(got, sizeof(got), &d);
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

static void in_dir_of(char *buf, size_t cap, const char *file,
		      const char *name)
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

static void run_pcap(struct tally *t, struct scene *s,
		     const struct pol_file *f, const struct pol_test_src *test)
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
			n += (size_t)snprintf(
				text + n, sizeof(text) - n,
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

static void run_test(struct tally *t, struct scene *s,
		     const struct pol_file *f, const struct pol_test_src *test)
{
	uint64_t *ids;
	struct err e = {0};
	int bad = 0;

	if (test->pcap) {
		run_pcap(t, s, f, test);
		return;
	}
	ids = calloc(test->n_step + 1, sizeof(*ids));
	if (!ids || scene_reset(s, start_of(s, f, test), &e) ||
	    scene_given(s, test, f->vm, &e)) {
		fail(t, f, test->pos, test->id, ids ? e.text : "out of memory");
		free(ids);
		return;
	}
	for (size_t i = 0; i < test->n_step && !bad; i++)
		bad = run_step(t, s, f, test, i, ids);
	free(ids);
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
			v[n++] = g;
			seen[g->kind] = true;
		}
	}
	rc = scene_new(&s, v, n, e);
	if (rc)
		return rc;
	for (size_t i = 0; i < f->n_test; i++)
		run_test(t, &s, f, &f->test[i]);
	scene_free(&s);
	return 0;
}

static int report(struct diags *d, const struct pol_files *files, int rc,
		  const struct err *e)
{
	if (d->errors)
		polc_diags(stderr, d, files, false);
	if (rc && (rc != E_SYNTAX || !d->errors))
		polc_say("%s", e->text);
	return rc;
}

/* A suite loads the policies it lists. */
static int run_suite(struct tally *t, const struct pol_file *f, struct err *e)
{
	char(*path)[1024] = calloc(f->n_test_policy + 1, sizeof(*path));
	const char **p = calloc(f->n_test_policy + 1, sizeof(*p));
	struct diags *d = calloc(1, sizeof(*d));
	struct pol_files files = {0};
	int rc = E_NOMEM;

	if (!path || !p || !d) {
		err_set(e, E_NOMEM, 0, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < f->n_test_policy; i++) {
		in_dir_of(path[i], sizeof(path[i]), f->path, f->test_policy[i]);
		p[i] = path[i];
	}
	rc = pol_read_paths(&files, p, f->n_test_policy, d, e);
	if (rc == 0)
		rc = run_file(t, f, &files, NULL, e);
	report(d, &files, rc, e);
out:
	pol_files_free(&files);
	free(d);
	free(p);
	free(path);
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
	struct pol_files more = {0};
	int rc = 0, worst = 0;

	if (files->n)
		read_beside(&more, files->f[0]->path);
	for (size_t i = 0; i < files->n; i++) {
		const struct pol_file *f = files->f[i];

		if (f->n_test == 0)
			continue;
		if (f->kind == POL_TESTS) {
			rc = run_suite(t, f, e);
		} else {
			rc = run_file(t, f, files, &more, e);
			if (rc)
				polc_say("%s: %s", f->path, e->text);
		}
		if (rc && !worst)
			worst = rc;
	}
	pol_files_free(&more);
	return worst;
}

static int run(struct tally *t, char **path, size_t n, bool coverage)
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
	if (rc == 0)
		rc = run_all(t, &files, &e);
	if (rc == 0 && coverage)
		coverage_print(t->coverage, &files, t->json);
	if (rc == 0)
		printf("%zu passed, %zu failed\n", t->passed, t->failed);
	pol_files_free(&files);
	free(d);
	return rc;
}

int cmd_test(int argc, char **argv)
{
	struct tally t = {0};
	const char *junit = NULL;
	bool coverage = false;
	struct err e = {0};
	int i = 1, rc = 0, wrote;

	for (; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--json") == 0)
			t.json = true;
		else if (strcmp(argv[i], "--coverage") == 0)
			coverage = true;
		else if (strcmp(argv[i], "--junit") == 0 && i + 1 < argc)
			junit = argv[++i];
		else
			return polc_usage("test: unknown option %s", argv[i]);
	}
	if (i == argc)
		return polc_usage("test: which files?");
	if (junit)
		rc = junit_open(&t.junit, junit, &e);
	if (!rc && coverage) {
		t.coverage = coverage_new();
		rc = t.coverage ? 0 : err_set(&e, E_NOMEM, 0, "out of memory");
	}
	if (rc)
		polc_say("%s", e.text);
	else
		rc = run(&t, argv + i, (size_t)(argc - i), coverage);
	wrote = junit_close(t.junit, &e);
	if (wrote)
		polc_say("%s", e.text);
	coverage_free(t.coverage);
	rc = rc ? rc : wrote;
	return rc ? polc_exit(rc) : t.failed ? POLC_TESTS : POLC_OK;
}
