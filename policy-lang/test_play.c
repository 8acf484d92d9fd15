/* SPDX-License-Identifier: Apache-2.0 */
/* One scenario of a file's tests, and what became of it. */
#include "policy-lang/test_play.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/step_text.h"

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

void test_beside(char *buf, size_t cap, const char *file, const char *name)
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

	test_beside(pcap, sizeof(pcap), f->path, test->pcap);
	if (test->keys)
		test_beside(keys, sizeof(keys), f->path, test->keys);
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

void test_play(struct tally *t, struct scene *s, const struct pol_file *f,
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
