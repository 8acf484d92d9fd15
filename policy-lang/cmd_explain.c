/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The message of the command line is written as the one step of a suite, so
 * that it is read by the same tables of keys and phrases as any other.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/analysis/explain.h"
#include "policy-lang/front/overlap.h"
#include "policy-lang/options.h"
#include "policy-lang/played.h"
#include "policy-lang/polc.h"

#define MAX_LISTED 16

struct args {
	const char *vm, *party, *address, *port, *observe, *data, *size, *at;
	const char *source, *set;
	struct listed {
		const char *v[MAX_LISTED];
		size_t n;
	} state, consent; /* repeated options */
	const char *dir;
	bool unasked, fresh, json;
	/* instead of all these: a message of a capture */
	const char *event, *replay, *record;
	struct played_args played;
};

struct text {
	char buf[8192];
	size_t n;
};

static void put(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void put(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (t->n < sizeof(t->buf))
		t->n += (size_t)vsnprintf(t->buf + t->n, sizeof(t->buf) - t->n,
					  fmt, ap);
	va_end(ap);
}

/* A single-quoted scalar. */
static void put_value(struct text *t, const char *s, size_t n)
{
	put(t, "'");
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			continue;
		put(t, s[i] == '\'' ? "''" : "%c", s[i]);
	}
	put(t, "'");
}

static void put_key(struct text *t, const char *key, const char *value)
{
	if (!value)
		return;
	put(t, "          %s: ", key);
	put_value(t, value, strlen(value));
	put(t, "\n");
}

/* "31h" as phrases want it: "31 h"; anything else as it is */
static void put_amount(struct text *t, const char *s, size_t n)
{
	size_t digits = strspn(s, "0123456789"), i = digits;

	while (i < n && isalpha((unsigned char)s[i]))
		i++;
	if (digits == 0 || digits >= n || i < n) {
		put_value(t, s, n);
		put(t, "\n");
		return;
	}
	put(t, "'%.*s %.*s'\n", (int)digits, s, (int)(n - digits), s + digits);
}

/* "c1222.read-response table=64 notification=true" */
static void put_observe(struct text *t, const char *s)
{
	size_t n = strcspn(s, " ");

	put(t, "          observe:\n            ");
	put_value(t, s, n);
	put(t, s[n + strspn(s + n, " ")] ? ":\n" : ": {}\n");
	for (s += n; *s; s += n) {
		size_t k;

		s += strspn(s, " ");
		n = strcspn(s, " ");
		k = strcspn(s, "= ");
		if (n == 0)
			break;
		put(t, "              ");
		put_value(t, s, k);
		put(t, ": ");
		put_amount(t, s + k + (k < n), n - k - (k < n));
	}
}

/* "energy.interval 15 min oldest=31h newest=2h" */
static void put_data(struct text *t, const char *s)
{
	size_t n = strcspn(s, " "), k;
	const char *gran;

	put(t, "          data:\n            measurement: [");
	for (size_t i = 0; i < n; i += k + 1) {
		k = strcspn(s + i, "+ ");
		if (i)
			put(t, ", ");
		put_value(t, s + i, k);
	}
	put(t, "]\n");
	s += n + strspn(s + n, " ");
	/* What has no '=' is the granularity. */
	gran = s;
	while (*s && strcspn(s, "= ") == strcspn(s, " ")) {
		s += strcspn(s, " ");
		n = (size_t)(s - gran);
		s += strspn(s, " ");
	}
	if (s > gran) {
		put(t, "            granularity: ");
		put_value(t, gran, n);
		put(t, "\n");
	}
	for (; *s; s += n, s += strspn(s, " ")) {
		n = strcspn(s, " ");
		k = strcspn(s, "= ");
		put(t, "            ");
		put_value(t, s, k);
		put(t, ": ");
		put_amount(t, s + k + (k < n), n - k - (k < n));
	}
}

static void compose(struct text *t, const struct args *a)
{
	put(t, "polc: 1\nkind: tests\nid: explain\nserial: 1\ntitle: x\n"
	       "policies: [x]\ntests:\n  x:\n");
	if (a->state.n || a->consent.n)
		put(t, "    given:\n");
	if (a->state.n)
		put(t, "      states:\n");
	for (size_t i = 0; i < a->state.n; i++) {
		put(t, "        - ");
		put_value(t, a->state.v[i], strlen(a->state.v[i]));
		put(t, "\n");
	}
	if (a->consent.n)
		put(t, "      consent:\n");
	for (size_t i = 0; i < a->consent.n; i++) {
		put(t, "        ");
		put_value(t, a->consent.v[i], strlen(a->consent.v[i]));
		put(t, ": granted\n");
	}
	put(t, "    steps:\n      -\n");
	put_key(t, "vm", a->vm);
	put_key(t, "direction", a->dir);
	put_key(t, "party", a->party);
	put_key(t, "address", a->address);
	put_key(t, "port", a->port);
	put_key(t, "source", a->source);
	put_observe(t, a->observe);
	if (a->data)
		put_data(t, a->data);
	put_key(t, "size", a->size);
	put(t, "          expect: permit\n");
}

/* The step, or NULL after saying what is wrong with it. */
static struct pol_file *read_step(const struct args *a)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct text *t = calloc(1, sizeof(*t));
	struct pol_file *f = NULL;
	struct err e = {0};

	if (d && t) {
		compose(t, a);
		if (t->n >= sizeof(t->buf))
			polc_say("explain: too much text");
		else if (pol_read(&f, "command line", span_str(t->buf), NULL, d,
				  &e) &&
			 !d->n)
			polc_say("explain: %s", e.text);
	}
	for (size_t i = 0; d && i < d->n; i++) {
		polc_say("explain: %s", d->d[i].text);
		if (d->d[i].hint[0])
			fprintf(stderr, "  hint: %s\n", d->d[i].hint);
	}
	free(t);
	free(d);
	return f;
}

/* --- what went before ---------------------------------------------------- */

/* The step's message as a selection of just that. */
static struct pol_obs_match just(const struct pol_step_src *step)
{
	struct pol_obs_match m = {.attr = step->attr, .n_attr = step->n_attr};

	m.kinds.w[step->kind / 64] |= UINT64_C(1) << (step->kind % 64);
	return m;
}

static bool selects(const struct pol_rule_src *r,
		    const struct pol_step_src *step)
{
	struct pol_obs_match m = just(step);

	return r->data.present == step->has_data &&
	       (!step->has_data || (r->data.meas & step->meas)) &&
	       match_meet(r->match, r->n_match, &m, 1, NULL);
}

static bool names_party(const struct pol_file *f, const struct pol_rule_src *r,
			const char *party)
{
	for (size_t i = 0; party && i < r->party.n_party; i++) {
		if (strcmp(f->party[r->party.party[i]].id, party) == 0)
			return true;
	}
	return false;
}

/* A value that a selection admits, as one that was seen. */
static void seen_of(struct pol_attr *out, const struct pol_attr *in,
		    struct pol_range *num, const char **text, char *buf,
		    size_t cap)
{
	*out = *in;
	if (in->n_num) {
		/* Of sizes up to a bound the bound itself. */
		num->lo = num->hi =
			in->field == F_BODY ? in->num[0].hi : in->num[0].lo;
		out->num = num;
		out->n_num = 1;
	}
	if (in->n_text) {
		size_t n = 0;

		for (const char *p = in->text[0]; *p && n + 2 < cap; p++) {
			if (*p != '*')
				buf[n++] = *p;
			else if (p[1] != '*')
				buf[n++] = 'x';
		}
		buf[n] = 0;
		*text = buf;
		out->text = text;
		out->n_text = 1;
	}
}

static bool own_value(struct pol_attr *out, const struct pol_attr *in,
		      const struct pol_step_src *step)
{
	for (size_t i = 0; i < step->n_attr; i++) {
		const struct pol_attr *a = &step->attr[i];

		for (size_t k = 0; a->field == in->field && k < in->n_num;
		     k++) {
			if (a->n_num && a->num[0].lo >= in->num[k].lo &&
			    a->num[0].lo <= in->num[k].hi) {
				*out = *a;
				return true;
			}
		}
	}
	return false;
}

/* The request that the answered rule permits, judged and let pass: its id,
 * or 0. */
static uint64_t ask(struct scene *s, const struct pol_step_src *step,
		    const struct pol_rule_src *asked)
{
	struct pol_attr attr[8];
	struct pol_range num[8];
	const char *text[8];
	char buf[8][160];
	struct pol_step_src req = *step;
	struct scene_msg m;
	struct pol_decision d;
	struct err e;

	if (asked->n_match == 0)
		return 0;
	req.dir = step->dir == DIR_OUT ? DIR_IN : DIR_OUT;
	req.has_data = false;
	for (unsigned k = 0; k < OBS_COUNT; k++) {
		if (asked->match[0].kinds.w[k / 64] >> (k % 64) & 1) {
			req.kind = (enum obs_kind)k;
			break;
		}
	}
	req.n_attr = 0;
	for (size_t i = 0; i < asked->match[0].n_attr && i < 8; i++) {
		const struct pol_attr *in = &asked->match[0].attr[i];

		/* Asked for what the answer is about, if it may be. */
		if (!own_value(&attr[req.n_attr], in, step))
			seen_of(&attr[req.n_attr], in, &num[i], &text[i],
				buf[i], sizeof(buf[i]));
		req.n_attr++;
	}
	req.attr = attr;
	if (scene_message(s, &req, step->vm, 0, &m, &e))
		return 0;
	scene_judge(s, &m.msg, &d);
	return d.permit ? d.request_id : 0;
}

/* An answer is explained as the answer to what was asked, if any rule
 * answers with it. */
static uint64_t ask_for(struct scene *s, const struct pol_step_src *step)
{
	const struct pol_file *f = scene_policy(s, step->vm);
	enum pol_dirsel dir = step->dir == DIR_OUT ? DIRSEL_OUT : DIRSEL_IN;

	for (size_t i = 0; f && i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];

		if (r->kind != RULE_GRANT || !r->has_answers ||
		    (r->dir != DIRSEL_ANY && r->dir != dir) ||
		    !selects(r, step) || !names_party(f, r, step->party))
			continue;
		for (size_t k = 0; k < r->n_answers; k++) {
			uint64_t id = ask(s, step, &f->rule[r->answers[k]]);

			if (id)
				return id;
		}
	}
	return 0;
}

/* States of the policy and of the platform, unless they were given. */
static void assume_states(struct scene *s, const struct pol_step_src *step)
{
	const struct pol_file *f = scene_policy(s, step->vm);
	int m = pol_set_find_machine(s->set, span_str(step->vm));
	struct span party = span_str(step->party);

	if (m < 0)
		return;
	/* Those that do not apply here are refused: nothing to do then. */
	if (pol_state_set(s->state, (size_t)m, span_str("attested"),
			  (struct span){0}, true, s->now))
		return;
	for (size_t i = 0; f && i < f->n_state; i++) {
		struct span to = f->state[i].scope == SCOPE_PARTY
					 ? party
					 : (struct span){0};

		if (pol_state_set(s->state, (size_t)m, span_str(f->state[i].id),
				  to, true, s->now))
			continue;
	}
}

/* --- the command --------------------------------------------------------- */

static int run(struct scene *s, const struct args *a, const struct pol_file *q)
{
	const struct pol_test_src *t = &q->test[0];
	struct wall at = {.us = (civil_days(2026, 1, 1) + 1) * 86400 * US_PER_S,
			  .trusted = true};
	struct scene_msg m;
	struct err e = {0};
	uint64_t asked = 0;
	char out[8192];

	for (size_t i = 0; i < s->n_file; i++) {
		if ((s->file[i]->valid_from_s + 43200) * US_PER_S > at.us)
			at.us = (s->file[i]->valid_from_s + 43200) * US_PER_S;
	}
	if (a->at && !scene_time(s, a->at, &at))
		return polc_usage("explain: '%s' is not a time; write "
				  "2026-04-07T00:40",
				  a->at);
	if (scene_reset(s, at, &e) || scene_given(s, t, a->vm, &e)) {
		polc_say("explain: %s", e.text);
		return e.code == E_NOTFOUND ? POLC_USAGE : POLC_IO;
	}
	if (!a->state.n && !a->fresh)
		assume_states(s, &t->step[0]);
	if (!a->unasked && a->party)
		asked = ask_for(s, &t->step[0]);
	if (scene_message(s, &t->step[0], a->vm, asked, &m, &e)) {
		polc_say("explain: %s", e.text);
		return POLC_USAGE;
	}
	pol_explain(s->set, s->state, &m.msg, out, sizeof(out));
	if (a->json) {
		struct pol_decision d;

		pol_judge(s->state, &m.msg, &d);
		pol_abort(s->state);
		return explain_json(&d, false, out);
	}
	fputs(out, stdout);
	if (out[0] && out[strlen(out) - 1] != '\n')
		putchar('\n');
	return POLC_OK;
}

static int explain(const struct args *a)
{
	struct pol_files files = {0};
	struct diags *d = calloc(1, sizeof(*d));
	struct pol_file *q = NULL;
	struct scene *s = calloc(1, sizeof(*s));
	struct err e = {0};
	int rc = POLC_IO;

	if (!d || !s) {
		polc_say("out of memory");
		goto out;
	}
	q = read_step(a);
	if (!q) {
		rc = POLC_USAGE;
		goto out;
	}
	rc = pol_read_set(&files, a->set, false, d, &e);
	if (d->errors)
		polc_diags(stderr, d, &files, SAY_TEXT);
	if (rc == 0)
		rc = scene_new(s, (const struct pol_file *const *)files.f,
			       files.n, &e);
	if (rc) {
		if (!d->errors)
			polc_say("%s", e.text);
		rc = polc_exit(rc);
		goto out;
	}
	rc = run(s, a, q);
	scene_free(s);
out:
	pol_files_free(&files);
	pol_file_free(q);
	free(s);
	free(d);
	return rc;
}

static int parse_event(const struct args *a, uint64_t *n)
{
	char *end = NULL;

	if (a->event)
		*n = strtoull(a->event, &end, 10);
	if (a->record && (!a->event || a->replay || a->set))
		return polc_usage("explain: --event N and --record FILE go "
				  "together, without a set or a capture");
	if (!a->record && (!a->event || !a->replay || !a->set))
		return polc_usage("explain: --event N, --replay PCAP and a set "
				  "go together");
	if (*a->event < '1' || *a->event > '9' || *end)
		return polc_usage("explain: --event %s: write a number of "
				  "polc replay",
				  a->event);
	return 0;
}

static int take_dir(void *to, const char *name, const char *value,
		    struct err *e)
{
	(void)value, (void)e;
	*(const char **)to = name + 2;
	return 0;
}

static int take_listed(void *to, const char *name, const char *value,
		       struct err *e)
{
	struct listed *l = to;

	if (l->n == sizeof(l->v) / sizeof(l->v[0]))
		return err_set(e, E_LIMIT, 0, "%s: more than %zu of them", name,
			       l->n);
	l->v[l->n++] = value;
	return 0;
}

static int parse(struct args *a, int argc, char **argv)
{
	const struct option_row options[] = {
		PLAYED_OPTIONS(&a->played),
		{"--vm",        OPTION_TEXT, &a->vm,      NULL       },
		{"--in",        OPTION_WORD, &a->dir,     take_dir   },
		{"--out",       OPTION_WORD, &a->dir,     take_dir   },
		{"--party",     OPTION_TEXT, &a->party,   NULL       },
		{"--address",   OPTION_TEXT, &a->address, NULL       },
		{"--port",      OPTION_TEXT, &a->port,    NULL       },
		{"--observe",   OPTION_TEXT, &a->observe, NULL       },
		{"--data",      OPTION_TEXT, &a->data,    NULL       },
		{"--size",      OPTION_TEXT, &a->size,    NULL       },
		{"--at",        OPTION_TEXT, &a->at,      NULL       },
		{"--source",    OPTION_TEXT, &a->source,  NULL       },
		{"--state",     OPTION_TAKE, &a->state,   take_listed},
		{"--consent",   OPTION_TAKE, &a->consent, take_listed},
		{"--no-states", OPTION_FLAG, &a->fresh,   NULL       },
		{"--unasked",   OPTION_FLAG, &a->unasked, NULL       },
		{"--event",     OPTION_TEXT, &a->event,   NULL       },
		{"--replay",    OPTION_TEXT, &a->replay,  NULL       },
		{"--record",    OPTION_TEXT, &a->record,  NULL       },
		{"--json",      OPTION_FLAG, &a->json,    NULL       },
	};
	int rc = options_read(&argc, argv, options,
			      sizeof(options) / sizeof(options[0]));

	if (rc)
		return rc;
	if (argc > 2)
		return polc_usage("explain: unexpected %s", argv[2]);
	a->set = argc == 2 ? argv[1] : NULL;
	if (a->event || a->replay || a->record)
		return 0;
	if (!a->vm || !a->dir || !a->observe || !a->set ||
	    (!a->party && !a->address))
		return polc_usage("explain: --vm, --in or --out, --party (or "
				  "--address and --port), --observe and a set "
				  "are needed, or --event and --replay or "
				  "--record");
	return 0;
}

int cmd_explain(int argc, char **argv)
{
	struct args *a = calloc(1, sizeof(*a));
	uint64_t n = 0;
	int rc;

	if (!a) {
		polc_say("out of memory");
		return POLC_IO;
	}
	rc = parse(a, argc, argv);
	if (rc == 0 && (a->event || a->replay || a->record)) {
		rc = parse_event(a, &n);
		if (rc == 0 && a->record)
			rc = explain_record(a->record, n, a->json);
		else if (rc == 0)
			rc = explain_event(a->set, &a->played, a->replay, n,
					   a->json);
	} else if (rc == 0) {
		rc = explain(a);
	}
	free(a);
	return rc;
}
