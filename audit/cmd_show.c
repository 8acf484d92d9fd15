/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/eve.h"
#include "audit/reader.h"
#include "audit/record.h"
#include "audit/tool.h"

#define FOLLOW_MS 500

struct show {
	const char *guest, *kind, *verdict;
	enum reason reason;
	struct wall since, until; /* us 0: no bound */
	bool json, follow, color;
	int out_errno; /* of a write that failed */
	struct record_view view;
	uint8_t line[EVE_LINE_MAX];
};

static void help(void)
{
	puts("Usage: " TOOL " show [OPTION]... DB\n"
	     "Print the records of an audit database, in their order.\n\n"
	     "  -g, --guest G        only of this machine\n"
	     "  -k, --kind K         only of this kind: allow, deny, anomaly, "
	     "flow, policy,\n"
	     "                       maintenance, attestation, clock-step\n"
	     "  -v, --verdict V      only allow, or only deny\n"
	     "  -r, --reason R       only with this reason (docs/vocabulary.md)"
	     "\n"
	     "  -s, --since TIME     not before, 2026-11-25T15:00:00Z\n"
	     "  -u, --until TIME     before\n"
	     "  -j, --json           EVE lines instead of text\n"
	     "  -f, --follow         wait for more\n"
	     "      --color WHEN     auto (a terminal), always, never\n"
	     "  -h, --help           this text");
}

static bool known_kind(const char *name)
{
	for (unsigned k = 1; k < 256; k++) {
		if (strcmp(record_kind_name(k), name) == 0)
			return strcmp(name, "unknown") != 0;
	}
	return false;
}

static bool wanted(const struct show *s)
{
	const struct event *ev = &s->view.ev;
	int64_t us = ev->now.wall.us;

	if (s->guest && !span_is(ev->guest, s->guest))
		return false;
	if (s->kind && strcmp(record_kind_name(s->view.r.kind), s->kind) != 0)
		return false;
	if (s->verdict && ev->verdict != (strcmp(s->verdict, "allow") == 0
						  ? VERDICT_ALLOW
						  : VERDICT_DENY))
		return false;
	if (s->reason && ev->reason != s->reason &&
	    !reasons_has(&ev->reasons, s->reason))
		return false;
	return !(s->since.us && us < s->since.us) &&
	       !(s->until.us && us >= s->until.us);
}

/* Red for what was refused, yellow for what is odd. */
static const char *color_of(const struct event *ev)
{
	if (ev->verdict == VERDICT_DENY)
		return "\033[31m";
	if (ev->type == EV_ANOMALY || ev->monitored)
		return "\033[33m";
	return ev->verdict == VERDICT_ALLOW ? "\033[32m" : NULL;
}

static int print(struct show *s, uint64_t seq, struct err *e)
{
	struct eve_opts o = {
		.has_seq = true,
		.seq = seq,
		.service = s->view.r.service,
	};
	const char *color = s->color ? color_of(&s->view.ev) : NULL;
	struct json j = json_of(s->line, sizeof(s->line));
	bool ok;

	ok = s->json ? eve_event(&j, &s->view.ev, &o)
		     : eve_text(&j.w, &s->view.ev, &o);
	if (!ok)
		return err_set(e, E_LIMIT, 0, "record %llu: its line is too "
			       "long", (unsigned long long)seq);
	if (color && !s->json) {
		fputs(color, stdout);
		fwrite(j.w.p, 1, j.w.n - 1, stdout);
		fputs("\033[0m\n", stdout);
	} else {
		fwrite(j.w.p, 1, j.w.n, stdout);
	}
	return 0;
}

static int all(struct show *s, struct reader *r, struct err *e)
{
	struct span record;
	uint64_t seq;
	int rc;

	while (!s->out_errno) {
		rc = reader_next(r, &seq, &record, e);
		if (rc < 0 || (rc == 0 && !s->follow))
			return rc;
		if (rc == 0) {
			s->out_errno = fflush(stdout) ? errno : 0;
			poll(NULL, 0, FOLLOW_MS);
			continue;
		}
		if (record_decode(&s->view, record, e)) {
			err_wrap(e, "record %llu", (unsigned long long)seq);
			return e->code = E_INTEGRITY;
		}
		rc = wanted(s) ? print(s, seq, e) : 0;
		if (rc)
			return rc;
		if (ferror(stdout))
			s->out_errno = errno;
	}
	return 0;
}

static int run(struct show *s, const char *path)
{
	struct reader *r;
	struct err e = {0};
	int rc = reader_open(&r, path, s->follow, &e);

	if (rc) {
		tool_say(path, e.text);
		return EXIT_TROUBLE;
	}
	rc = all(s, r, &e);
	reader_close(r);
	if (rc)
		return tool_failed(path, &e);
	return tool_flush(EXIT_DONE, s->out_errno);
}

static int bad(const char *option, const char *value)
{
	char what[64];

	snprintf(what, sizeof(what), "show --%s", option);
	fprintf(stderr, TOOL ": %s: cannot be '%.100s'\n", what, value);
	return EXIT_TROUBLE;
}

static const struct option options[] = {
	{"guest", required_argument, NULL, 'g'},
	{"kind", required_argument, NULL, 'k'},
	{"verdict", required_argument, NULL, 'v'},
	{"reason", required_argument, NULL, 'r'},
	{"since", required_argument, NULL, 's'},
	{"until", required_argument, NULL, 'u'},
	{"json", no_argument, NULL, 'j'},
	{"follow", no_argument, NULL, 'f'},
	{"color", required_argument, NULL, 'C'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* One option; -1 to go on, or an exit code. */
static int option(struct show *s, int c)
{
	switch (c) {
	case 'g':
		s->guest = optarg;
		return -1;
	case 'k':
		s->kind = optarg;
		return known_kind(optarg) ? -1 : bad("kind", optarg);
	case 'v':
		s->verdict = optarg;
		return strcmp(optarg, "allow") == 0 ||
				       strcmp(optarg, "deny") == 0
			       ? -1
			       : bad("verdict", optarg);
	case 'r':
		s->reason = reason_find(span_str(optarg));
		return s->reason ? -1 : bad("reason", optarg);
	case 's':
		return clock_parse(optarg, &s->since) ? bad("since", optarg)
						      : -1;
	case 'u':
		return clock_parse(optarg, &s->until) ? bad("until", optarg)
						      : -1;
	case 'j':
		s->json = true;
		return -1;
	case 'f':
		s->follow = true;
		return -1;
	case 'C':
		s->color = strcmp(optarg, "always") == 0 ||
			   (strcmp(optarg, "auto") == 0 && s->color);
		return strcmp(optarg, "always") == 0 ||
				       strcmp(optarg, "auto") == 0 ||
				       strcmp(optarg, "never") == 0
			       ? -1
			       : bad("color", optarg);
	case 'h':
		help();
		return tool_flush(EXIT_DONE, 0);
	default:
		return tool_usage("show");
	}
}

int cmd_show(int argc, char **argv)
{
	struct show *s = calloc(1, sizeof(*s));
	int c, rc = -1;

	if (!s) {
		tool_say("show", "out of memory");
		return EXIT_TROUBLE;
	}
	s->color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	while (rc == -1 && (c = getopt_long(argc, argv, "g:k:v:r:s:u:jfh",
					    options, NULL)) != -1)
		rc = option(s, c);
	if (rc == -1 && optind + 1 != argc) {
		tool_say("show", "exactly one database is needed");
		rc = tool_usage("show");
	}
	if (rc == -1)
		rc = run(s, argv[optind]);
	free(s);
	return rc;
}
