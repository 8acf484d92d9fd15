/* SPDX-License-Identifier: Apache-2.0 */
/* metergated: options, then the parent. */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "enforcer/daemon/alone.h"
#include "enforcer/daemon/parent.h"

#define PROGRAM "metergated"
#define LARGE	(32 << 10) /* octets of one allocation */

static const char help[] =
	"usage: metergated -c CONF [-n] [-v]\n"
	"       metergated -c CONF --remove-rules\n"
	"\n"
	"Judge every packet of the guests that the policies name.\n"
	"\n"
	"  -c, --config CONF  the configuration, see metergated.conf(5)\n"
	"  -n, --dry-run      check it, print what would be put in place, and\n"
	"                     change nothing\n"
	"  -v, --verbose      say more\n"
	"      --remove-rules take away the rules that a daemon left behind:\n"
	"                     guests are then as open as the system makes them\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"Exit status: 0 done, 2 usage, configuration or environment.\n";

struct opts {
	const char *conf;
	bool dry, remove, verbose;
};

enum { OPT_REMOVE = 256 };

/* 0: go on; 1: all that was asked for is printed; 2: usage. */
static int options(struct opts *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"config",	 required_argument, NULL, 'c'	     },
		{"dry-run",	 no_argument,	    NULL, 'n'	     },
		{"verbose",	 no_argument,	    NULL, 'v'	     },
		{"remove-rules", no_argument,	    NULL, OPT_REMOVE },
		{"help",	 no_argument,	    NULL, 'h'	     },
		{"version",	 no_argument,	    NULL, 'V'	     },
		{NULL,		 0,		    NULL, 0	     },
	};
	int k;

	opterr = 0;
	while ((k = getopt_long(argc, argv, ":c:nvhV", longs, NULL)) != -1) {
		switch (k) {
		case 'c':
			o->conf = optarg;
			break;
		case 'n':
			o->dry = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case OPT_REMOVE:
			o->remove = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 1;
		case 'V':
			puts(PROGRAM " " METERGATE_VERSION);
			return 1;
		default:
			fprintf(stderr, PROGRAM ": %s: %s; see --help\n",
				argv[optind - 1],
				k == ':' ? "needs a value"
					 : "no such option");
			return 2;
		}
	}
	if (optind < argc)
		fprintf(stderr, PROGRAM ": %s: no argument is expected; see "
			"--help\n", argv[optind]);
	else if (!o->conf)
		fputs(PROGRAM ": -c: the configuration is not named; see "
		      "--help\n", stderr);
	else if (o->dry && o->remove)
		fputs(PROGRAM ": -n and --remove-rules exclude each other\n",
		      stderr);
	else
		return 0;
	return 2;
}

static int remove_rules(const struct conf *c, struct err *e)
{
	enum rules_backend b = c->backend;
	int alone, rc = alone_take(&alone, e);

	/* Under a daemon that runs, guests would be open until it looks. */
	if (rc < 0)
		return rc;
	if (b == RULES_AUTO)
		rc = rules_choose(&b, e);
	if (rc == 0)
		rc = rules_remove(b, e);
	close(alone);
	return rc;
}

int main(int argc, char **argv)
{
	/* Under a service manager lines carry their priority. */
	struct log log = log_init(PROGRAM, LOG_LEVEL_INFO,
				  getenv("JOURNAL_STREAM") != NULL);
	struct opts o = {0};
	struct conf c;
	struct err e;
	int rc = options(&o, argc, argv);

	if (rc)
		return rc == 1 ? 0 : 2;
	/* Tables that are sized for the worst come from fresh pages, whatever
	 * was allocated before: what is never used then takes no memory. */
	mallopt(M_MMAP_THRESHOLD, LARGE);
	if (o.verbose)
		log.level = LOG_LEVEL_DEBUG;
	rc = conf_load(&c, o.conf, &e);
	if (rc == 0 && !o.remove)
		rc = conf_files(&c, o.conf, &e);
	if (rc == 0 && o.dry)
		rc = parent_print(&c, &e);
	else if (rc == 0 && geteuid() != 0)
		rc = err_set(&e, E_STATE, 0, "must be started by root");
	else if (rc == 0 && o.remove)
		rc = remove_rules(&c, &e);
	else if (rc == 0)
		rc = parent_run(&c, o.conf, &log, &e);
	if (rc < 0) {
		log_err(&log, "%s", e.text);
		return 2;
	}
	return 0;
}
