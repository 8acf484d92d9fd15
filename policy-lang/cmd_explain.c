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
		scene_assume(s, &t->step[0]);
	if (!a->unasked && a->party)
		asked = scene_ask_for(s, &t->step[0]);
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
