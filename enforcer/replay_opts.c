/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "enforcer/replay.h"

#define LARGE (4u << 20) /* octets: below it a thread is not worth its start */

static const char usage[] =
	"usage: metergate-replay [-qv] [-p SET] [-g GUEST=IFACE|MAC|CIDR[:PORT]]...\n"
	"                        [-k KEYS] [--format json|text] [--values]\n"
	"                        [--checksums strict|partial] [--resolver ADDRESS]\n"
	"                        [--classify] [--allowed OUT.pcap] [--denied OUT.pcap]\n"
	"                        [--audit DB] [--jobs N] CAPTURE...\n"
	"\n"
	"Runs captures (pcap, pcapng, - for standard input) through the gateway.\n"
	"Without a policy it says what the packets mean; with one also what would\n"
	"have left, what not, and why. One record a line, the last one \"stats\".\n"
	"\n"
	"  -p SET           directory of policy files or images, or one file\n"
	"  -g GUEST=...     who is a machine, where no binding says it; repeatable\n"
	"  -k KEYS          YAML: \"*\" or an ApTitle -> key id -> 32 hex digits\n"
	"  --format FORMAT  json (default) or text\n"
	"  --values         show values and table data too\n"
	"  --checksums HOW  of TCP and UDP: strict (default with -p), or partial:\n"
	"                   those a host left to its network card are taken, too\n"
	"  --resolver ADDR  the one name server that may be asked\n"
	"  --classify       ask nDPI what flows seem to speak; changes no verdict\n"
	"  --allowed FILE   write the packets that would have left\n"
	"  --denied FILE    write the others\n"
	"  --audit DB       write the audit database; it must not exist\n"
	"  --jobs N         threads, 1 to 64; up to 3 are of use, and are used by\n"
	"                   default for large files where there are processors\n"
	"  -q               only the last line\n"
	"  -v               say on standard error what is loaded\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"exit: 0 done, 1 something was denied, 2 an error\n";

enum {
	OPT_FORMAT = 256,
	OPT_ALLOWED,
	OPT_DENIED,
	OPT_AUDIT,
	OPT_VALUES,
	OPT_CHECKSUMS,
	OPT_RESOLVER,
	OPT_CLASSIFY,
	OPT_JOBS
};

static const struct option longs[] = {
	{"policy",  required_argument, NULL, 'p'        },
	{"guest",   required_argument, NULL, 'g'        },
	{"keys",    required_argument, NULL, 'k'        },
	{"format",  required_argument, NULL, OPT_FORMAT },
	{"allowed", required_argument, NULL, OPT_ALLOWED},
	{"denied",  required_argument, NULL, OPT_DENIED },
	{"audit",   required_argument, NULL, OPT_AUDIT  },
	{"values",  no_argument,       NULL, OPT_VALUES },
	{"checksums", required_argument, NULL, OPT_CHECKSUMS},
	{"resolver", required_argument, NULL, OPT_RESOLVER},
	{"classify", no_argument,      NULL, OPT_CLASSIFY},
	{"quiet",   no_argument,       NULL, 'q'        },
	{"verbose", no_argument,       NULL, 'v'        },
	{"jobs",    required_argument, NULL, OPT_JOBS   },
	{"help",    no_argument,       NULL, 'h'        },
	{"version", no_argument,       NULL, 'V'        },
	{NULL,      0,                 NULL, 0          },
};

static int once(const char **to, const char *name, struct err *e)
{
	if (*to)
		return err_set(e, E_SYNTAX, 0, "%s was given twice", name);
	if (!*optarg)
		return err_set(e, E_SYNTAX, 0, "%s is empty", name);
	*to = optarg;
	return 0;
}

static int add_guest(struct replay_opts *o, struct err *e)
{
	struct pipeline_guest *g = &o->guests[o->n_guests];
	int rc;

	if (o->n_guests == REPLAY_GUESTS)
		return err_set(e, E_LIMIT, 0, "-g: more than %d of them",
			       REPLAY_GUESTS);
	rc = capture_guest(g, optarg, e);
	for (size_t i = 0; rc == 0 && i < o->n_guests; i++) {
		if (capture_guests_clash(&o->guests[i], g))
			rc = err_set(e, E_SYNTAX, 0,
				     "-g %s: is bound to %s already", optarg,
				     o->guests[i].name);
	}
	o->n_guests++;
	return rc;
}

static int take_format(struct replay_opts *o, struct err *e)
{
	if (strcmp(optarg, "json") != 0 && strcmp(optarg, "text") != 0)
		return err_set(e, E_SYNTAX, 0,
			       "--format %s: write json or text", optarg);
	o->format = optarg[0] == 'j' ? REPLAY_JSON : REPLAY_TEXT;
	return 0;
}

static int take_checksums(struct replay_opts *o, struct err *e)
{
	if (o->checksums != REPLAY_SUMS_DEFAULT)
		return err_set(e, E_SYNTAX, 0, "--checksums was given twice");
	if (strcmp(optarg, "strict") == 0)
		o->checksums = REPLAY_SUMS_STRICT;
	else if (strcmp(optarg, "partial") == 0)
		o->checksums = REPLAY_SUMS_PARTIAL;
	else
		return err_set(e, E_SYNTAX, 0,
			       "--checksums %s: write strict or partial",
			       optarg);
	return 0;
}

static int take_resolver(struct replay_opts *o, struct err *e)
{
	if (o->asks_one)
		return err_set(e, E_SYNTAX, 0, "--resolver was given twice");
	if (!capture_addr(&o->dns.resolver, optarg))
		return err_set(e, E_SYNTAX, 0,
			       "--resolver %s: write an IPv4 or IPv6 address",
			       optarg);
	o->asks_one = true;
	return 0;
}

static int take_jobs(struct replay_opts *o, struct err *e)
{
	char *end;
	unsigned long n = strtoul(optarg, &end, 10);

	if (*optarg < '0' || *optarg > '9' || *end || n < 1 || n > 64)
		return err_set(e, E_SYNTAX, 0, "--jobs %s: write 1 to 64",
			       optarg);
	o->jobs = (unsigned)n;
	return 0;
}

static int say(const char *text, struct err *e)
{
	if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
		return err_sys(e, "standard output");
	return 1;
}

static int take(struct replay_opts *o, int c, char **argv, struct err *e)
{
	switch (c) {
	case 'p':
		return once(&o->policy, "-p", e);
	case 'k':
		return once(&o->keys, "-k", e);
	case 'g':
		return add_guest(o, e);
	case OPT_ALLOWED:
		return once(&o->allowed, "--allowed", e);
	case OPT_DENIED:
		return once(&o->denied, "--denied", e);
	case OPT_AUDIT:
		return once(&o->audit, "--audit", e);
	case OPT_FORMAT:
		return take_format(o, e);
	case OPT_CHECKSUMS:
		return take_checksums(o, e);
	case OPT_RESOLVER:
		return take_resolver(o, e);
	case OPT_CLASSIFY:
		o->classify = true;
		return 0;
	case OPT_VALUES:
		o->values = true;
		return 0;
	case OPT_JOBS:
		return take_jobs(o, e);
	case 'q':
		o->quiet = true;
		return 0;
	case 'v':
		o->verbose++;
		return 0;
	case 'h':
		return say(usage, e);
	case 'V':
		return say(REPLAY_PROGRAM " " METERGATE_VERSION "\n", e);
	case ':':
		return err_set(e, E_SYNTAX, 0, "%s needs a value",
			       argv[optind - 1]);
	default:
		return err_set(e, E_SYNTAX, 0, "unknown option %s; see --help",
			       argv[optind - 1]);
	}
}

/* What cannot all be had, found before anything is opened. */
static int check(const struct replay_opts *o, struct err *e)
{
	const char *outs[] = {o->allowed, o->denied, o->audit};
	size_t inputs = 0;

	for (size_t i = 0; i < 3; i++) {
		if (outs[i] && strcmp(outs[i], "-") == 0)
			return err_set(e, E_SYNTAX, 0,
				       "standard output is for the records");
	}
	for (size_t i = 0; i < o->n_captures; i++)
		inputs += strcmp(o->captures[i], "-") == 0;
	if (inputs > 1)
		return err_set(e, E_SYNTAX, 0,
			       "standard input can be read only once");
	return 0;
}

/* Reading is one thread's; lines and records can be one each. With two
 * processors all three share them better than any two would. A pipe may end
 * soon, and whoever waits at it wants lines at once. */
static unsigned default_jobs(const struct replay_opts *o)
{
	uint64_t octets = 0;
	cpu_set_t cpus;

	for (size_t i = 0; i < o->n_captures; i++) {
		struct stat st;

		if (stat(o->captures[i], &st) == 0 && S_ISREG(st.st_mode))
			octets += (uint64_t)st.st_size;
	}
	if (octets < LARGE || sched_getaffinity(0, sizeof(cpus), &cpus) != 0 ||
	    CPU_COUNT(&cpus) < 2)
		return 1;
	return o->audit && !o->quiet ? 3 : 2;
}

int replay_opts(struct replay_opts *o, int argc, char **argv, struct err *e)
{
	int c, rc;

	*o = (struct replay_opts){0};
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":p:g:k:qvhV", longs, NULL)) != -1) {
		rc = take(o, c, argv, e);
		if (rc != 0)
			return rc;
	}
	o->captures = argv + optind;
	o->n_captures = (size_t)(argc - optind);
	if (o->n_captures == 0)
		return err_set(e, E_SYNTAX, 0,
			       "no capture was named; see --help");
	if (o->jobs == 0)
		o->jobs = default_jobs(o);
	return check(o, e);
}
