/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/eve.h"
#include "audit/filter.h"
#include "audit/reader.h"
#include "audit/record.h"
#include "audit/tool.h"

#define FOLLOW_MS 500

struct show {
	struct filter want;
	bool json, follow, color;
	int out_errno; /* of a write that failed */
	const char *path;
	unsigned recovery; /* logs beside it that were begun instead */
	struct record_view view;
	uint8_t line[EVE_LINE_MAX];
};

static void help(void)
{
	puts("Usage: " TOOL " show [OPTION]... DB\n"
	     "Print the records of an audit database, in their order.\n\n"
	     "  -g, --guest G        only of this machine\n"
	     "  -k, --kind K         only of this kind: allow, deny, aggregate, "
	     "anomaly, flow,\n"
	     "                       policy, maintenance, attestation, boot, "
	     "clock-step, loss,\n"
	     "                       bill, export, checkpoint, notification\n"
	     "  -v, --verdict V      only allow, or only deny\n"
	     "  -r, --reason R       only with this reason (docs/vocabulary.md)"
	     "\n"
	     "      --flow N         only of this flow, as a refusal names it\n"
	     "  -s, --since TIME     not before, 2026-11-25T15:00:00Z\n"
	     "  -u, --until TIME     before\n"
	     "  -j, --json           EVE lines instead of text\n"
	     "  -f, --follow         wait for more\n"
	     "      --color WHEN     auto (a terminal), always, never\n"
	     "  -h, --help           this text");
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

/* A gateway that finds the log altered leaves it as it is, and goes on in the
 * next of these. */
static bool has_recovery(const char *path, unsigned n, char name[PATH_MAX])
{
	return snprintf(name, PATH_MAX, "%s.recovery-%u", path, n) < PATH_MAX &&
	       access(name, F_OK) == 0;
}

/* There is no more, for now or for ever. */
static int wait_for_more(struct show *s, struct reader *r, struct err *e)
{
	char name[PATH_MAX];

	s->out_errno = fflush(stdout) ? errno : 0;
	poll(NULL, 0, FOLLOW_MS);
	if (has_recovery(s->path, s->recovery + 1, name))
		return err_set(e, E_INTEGRITY, 0, "the gateway found it "
			       "altered; records go to %.200s", name);
	return reader_still(r, e);
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
		if (rc == 0)
			rc = wait_for_more(s, r, e);
		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		if (record_decode(&s->view, record, e)) {
			err_wrap(e, "record %llu", (unsigned long long)seq);
			return e->code = E_INTEGRITY;
		}
		rc = filter_wants(&s->want, &s->view) ? print(s, seq, e) : 0;
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
	char name[PATH_MAX];
	struct err e = {0};
	uint64_t first = 0;
	int rc = reader_open(&r, path, false, &e);

	if (rc) {
		tool_say(path, e.text);
		return EXIT_TROUBLE;
	}
	rc = reader_first(r, &first, &e);
	tool_pruned(path, first);
	s->path = path;
	while (has_recovery(path, s->recovery + 1, name))
		s->recovery++;
	if (s->recovery && s->follow)
		fprintf(stderr, TOOL ": %s: %s.recovery-%u lies beside it, which "
			"a gateway makes that found it altered\n", path, path,
			s->recovery);
	if (rc == 0 && s->follow)
		rc = reader_aloof(r, &e);
	if (rc == 0)
		rc = all(s, r, &e);
	reader_close(r);
	if (rc)
		return tool_failed(path, &e);
	return tool_flush(EXIT_DONE, s->out_errno);
}

static int condition(struct show *s, const char *name)
{
	struct err e = {0};

	if (filter_set(&s->want, name, optarg, &e) == 0)
		return -1;
	fprintf(stderr, TOOL ": show --%s\n", e.text);
	return EXIT_TROUBLE;
}

static int set_color(struct show *s)
{
	bool known = strcmp(optarg, "always") == 0 ||
		     strcmp(optarg, "auto") == 0 || strcmp(optarg, "never") == 0;

	if (!known) {
		fprintf(stderr, TOOL ": show --color: '%.60s' is none of auto, "
				"always and never\n", optarg);
		return EXIT_TROUBLE;
	}
	s->color = strcmp(optarg, "always") == 0 ||
		   (strcmp(optarg, "auto") == 0 && s->color);
	return -1;
}

static const struct option options[] = {
	{"guest", required_argument, NULL, 'g'},
	{"kind", required_argument, NULL, 'k'},
	{"verdict", required_argument, NULL, 'v'},
	{"reason", required_argument, NULL, 'r'},
	{"flow", required_argument, NULL, 'F'},
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
		return condition(s, "guest");
	case 'k':
		return condition(s, "kind");
	case 'v':
		return condition(s, "verdict");
	case 'r':
		return condition(s, "reason");
	case 'F':
		return condition(s, "flow");
	case 's':
		return condition(s, "since");
	case 'u':
		return condition(s, "until");
	case 'j':
		s->json = true;
		return -1;
	case 'f':
		s->follow = true;
		return -1;
	case 'C':
		return set_color(s);
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
