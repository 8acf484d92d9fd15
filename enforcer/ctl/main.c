/* SPDX-License-Identifier: Apache-2.0 */
/* metergatectl: options, and one row per command. */
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "enforcer/ctl/tool.h"

#define PANEL_DEFAULT  "/run/metergate/panel"
#define GUEST_MAX      47 /* as in the daemon */

static const char help[] =
	"usage: metergatectl [--socket PATH] [--json] COMMAND [GUEST]\n"
	"\n"
	"  status           processes, audit, policies in force\n"
	"  guests           what each guest sent and was refused\n"
	"  flows GUEST      its connections\n"
	"  budgets GUEST    its limits, and how much of each is used\n"
	"  ledger GUEST     what it used, by party, whatever rule permitted it\n"
	"  erase GUEST      of that, all that no limit of now needs\n"
	"  why [GUEST]      the last refusals: rule, position, what would pass\n"
	"  notices          quarantines, what waits, trials, who is to be told\n"
	"  top              guests, live\n"
	"  freeze GUEST     drop everything of the guest\n"
	"  thaw GUEST       judge it again\n"
	"  release GUEST    end its quarantine\n"
	"  reload           put the policies of the directory in force\n"
	"  policies         what is in force and what waits (also: policy list)\n"
	"  policy show ID   all of one of them\n"
	"  policy diff      what the last reload found different\n"
	"  customer propose FILE   a customer's file, for the panel to confirm\n"
	"  panel show       what waits for the customer, and its codes\n"
	"  panel confirm CODE   the customer says yes; both on the panel's socket\n"
	"  metrics          counters, in the text form of Prometheus\n"
	"\n"
	"  -s, --socket PATH, -j, --json, -h, --help, -V, --version\n"
	"\n"
	"Exit status: 0 done, 1 the daemon refused, 2 usage or no daemon.\n";

enum arg { NONE, MAY, MUST };

static const struct command {
	const char *name, *second; /* second: a word that must follow */
	enum arg guest;
	const char *request;
	void (*show)(const struct tool *t, struct answer *a); /* NULL: top */
} commands[] = {
	{"status",   NULL,   NONE, "status",   show_status  },
	{"guests",   NULL,   NONE, "guests",   show_guests  },
	{"flows",    NULL,   MUST, "flows",    show_flows   },
	{"budgets",  NULL,   MUST, "budgets",  show_budgets },
	{"ledger",   NULL,   MUST, "ledger",   show_ledger  },
	{"erase",    NULL,   MUST, "erase",    show_erased  },
	{"why",	     NULL,   MAY,  "why",      show_why	    },
	{"notices",  NULL,   NONE, "notices",  show_notices },
	{"top",	     NULL,   NONE, NULL,       NULL	    },
	{"freeze",   NULL,   MUST, "freeze",   show_frozen  },
	{"thaw",     NULL,   MUST, "thaw",     show_frozen  },
	{"release",  NULL,   MUST, "release",  show_released},
	{"reload",   NULL,   NONE, "reload",   show_reload  },
	{"policies", NULL,   NONE, "policies", show_policies},
	{"policy",   "list", NONE, "policies", show_policies},
	{"policy",   "show", MUST, "policies", show_policy  },
	{"policy",   "diff", NONE, "diff",     show_pending },
	{"customer", "propose", MUST, "propose", show_pending},
	{"panel",    "show", NONE, "pending",  show_pending },
	{"panel",    "confirm", MUST, "confirm", show_reload},
	{"metrics",  NULL,   NONE, "metrics",  show_metrics },
};

static int usage(const char *what, const char *why)
{
	fprintf(stderr, PROGRAM ": %s%s%s; see --help\n", what ? what : "",
		what ? ": " : "", why);
	return 2;
}

/* 0: go on; 1: all that was asked for is printed; 2: usage. */
static int options(struct tool *t, int argc, char **argv)
{
	static const struct option longs[] = {
		{"socket",  required_argument, NULL, 's'	},
		{"json",    no_argument,       NULL, 'j'	},
		{"help",    no_argument,       NULL, 'h'},
		{"version", no_argument,       NULL, 'V'},
		{NULL,	    0,		       NULL, 0		},
	};
	int k;

	opterr = 0;
	while ((k = getopt_long(argc, argv, ":s:jhV", longs, NULL)) != -1) {
		switch (k) {
		case 's':
			t->socket = optarg;
			break;
		case 'j':
			t->json = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 1;
		case 'V':
			puts(PROGRAM " " METERGATE_VERSION);
			return 1;
		default:
			return usage(argv[optind - 1],
				     k == ':' ? "needs a value"
					      : "no such option");
		}
	}
	return 0;
}

static bool is_propose(const struct command *c)
{
	return strcmp(c->name, "customer") == 0;
}

/* NULL after a complaint. */
static const struct command *find(struct tool *t, int n, char **arg)
{
	const struct command *c = NULL;
	bool known = false;
	int used = 1;

	if (n == 0) {
		usage(NULL, "name a command");
		return NULL;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const struct command *x = &commands[i];

		if (strcmp(x->name, arg[0]) != 0)
			continue;
		known = true;
		if (!x->second || (n > 1 && strcmp(arg[1], x->second) == 0))
			c = x;
	}
	if (!c) {
		usage(arg[0], known ? "which one? 'policy list', 'show ID', "
				      "'diff'; 'customer propose FILE'; "
				      "'panel show', 'confirm CODE'"
				    : "no such command");
		return NULL;
	}
	if (c->second)
		used = 2;
	if (n > used && c->guest != NONE)
		t->guest = arg[used++];
	if (n > used)
		usage(arg[used], "one argument too many");
	else if (c->guest == MUST && !t->guest)
		usage(arg[0], is_propose(c)	       ? "name a file"
			      : c->show == show_policy ? "name a policy"
			      : c->show == show_reload ? "name a code"
						       : "name a guest");
	else if (t->guest && c->show != show_policy && !is_propose(c) &&
		 (strlen(t->guest) > GUEST_MAX || !t->guest[0]))
		usage(t->guest, "not the name of a guest");
	else
		return c;
	return NULL;
}

static void print_json(const struct answer *a)
{
	fwrite(a->text, 1, a->n, stdout);
}

/* A customer's file, as large as the language has them; the daemon looks at
 * what it is. */
#define SOURCE_MAX (256u << 10)

static int read_file(struct span *out, const char *path, struct err *e)
{
	uint8_t *p = malloc(SOURCE_MAX + 1);
	FILE *f = fopen(path, "re");
	int rc = 0;

	if (!p)
		rc = err_set(e, E_NOMEM, 0, "out of memory");
	else if (!f)
		rc = err_sys(e, "%s", path);
	else
		*out = span_of(p, fread(p, 1, SOURCE_MAX + 1, f));
	if (rc == 0 && ferror(f))
		rc = err_sys(e, "%s", path);
	else if (rc == 0 && (out->n == 0 || out->n > SOURCE_MAX))
		rc = err_set(e, E_LIMIT, 0, "%s: has to have from 1 to %u "
			     "octets", path, SOURCE_MAX);
	if (f)
		fclose(f);
	if (rc < 0) {
		free(p);
		*out = (struct span){0};
	}
	return rc;
}

static int run(const struct tool *t, const struct command *c, struct err *e)
{
	char request[128];
	struct span body = {0};
	bool named = t->guest && c->show != show_policy;
	struct answer a;
	int rc;

	if (!c->request)
		return top(t, e);
	if (is_propose(c)) {
		rc = read_file(&body, t->guest, e);
		if (rc < 0)
			return rc;
		snprintf(request, sizeof(request), "%s %zu", c->request,
			 body.n);
	} else {
		snprintf(request, sizeof(request), "%s%s%s", c->request,
			 named ? " " : "", named ? t->guest : "");
	}
	rc = client_ask(&a, t->socket, request, body, e);
	free((void *)(uintptr_t)body.p);
	if (t->json && (rc == 0 || (rc == E_STATE && a.n)))
		print_json(&a);
	else if (rc == 0)
		c->show(t, &a);
	answer_free(&a);
	if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
		rc = err_sys(e, "writing");
	return rc;
}

int main(int argc, char **argv)
{
	struct tool t = {0};
	const struct command *c;
	struct err e = {0};
	int rc = options(&t, argc, argv);

	if (rc)
		return rc == 1 ? 0 : 2;
	c = find(&t, argc - optind, argv + optind);
	if (!c)
		return 2;
	if (!t.socket)
		t.socket = strcmp(c->name, "panel") == 0 ? PANEL_DEFAULT
							 : SOCKET_DEFAULT;
	if (t.json && !c->request)
		return usage(c->name, "has no JSON form; use guests --json");
	t.style.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	rc = run(&t, c, &e);
	if (rc < 0)
		fprintf(stderr, PROGRAM ": %s\n", e.text);
	return rc == 0 ? 0 : rc == E_STATE ? 1 : 2;
}
