/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "audit/tool.h"
#include "audit/verify.h"

static void help(void)
{
	puts("Usage: " TOOL " verify [--key FILE] [--checkpoint FILE] DB\n"
	     "Read every record again and compare hashes, tree, tiles, chain, "
	     "state, copies,\nboots, clocks, salts and the seals of the file's "
	     "pages. The last line is\n\"ok N records\", or what is wrong.\n\n"
	     "      --key FILE         public key of the log\n"
	     "      --checkpoint FILE  a checkpoint that must lie in the log\n"
	     "  -q, --quiet            no progress\n"
	     "  -h, --help             this text\n\n"
	     "Exit: 0 whole, 1 not whole, 2 it cannot be read.");
}

struct progress {
	time_t last;
	int shown;
};

/* About once a second, on a terminal only. */
static void progress(void *arg, uint64_t done, uint64_t total)
{
	struct progress *p = arg;
	time_t t = time(NULL);

	if (p->last == 0)
		p->last = t;
	if (t == p->last)
		return;
	p->last = t;
	p->shown = 1;
	fprintf(stderr, "\r%llu of %llu records",
		(unsigned long long)done, (unsigned long long)total);
}

static void print_root(const struct verify_result *r)
{
	printf("root ");
	for (size_t i = 0; i < sizeof(r->root); i++)
		printf("%02x", r->root[i]);
	printf("\n%llu boots, %llu pages\n", (unsigned long long)r->boots,
	       (unsigned long long)r->pages);
}

static int run(const char *path, int quiet)
{
	struct progress p = {0};
	struct verify_result r;
	struct err e = {0};
	int show = !quiet && isatty(STDERR_FILENO);
	int rc = verify_file(path, &r, show ? progress : NULL, &p, &e);

	if (p.shown)
		fprintf(stderr, "\r\033[K");
	if (rc == 0) {
		print_root(&r);
		printf("ok %llu records\n", (unsigned long long)r.records);
		return tool_flush(EXIT_DONE, 0);
	}
	if (rc != E_INTEGRITY)
		return tool_failed(path, &e);
	/* The finding is the answer, so it is on standard output too. */
	tool_say(path, e.text);
	if (r.has_bad)
		printf("not whole: first wrong record %llu: %s\n",
		       (unsigned long long)r.bad, e.text);
	else
		printf("not whole: %s\n", e.text);
	return tool_flush(EXIT_NO, 0);
}

int cmd_verify(int argc, char **argv)
{
	static const struct option options[] = {
		{"key", required_argument, NULL, 'k'},
		{"checkpoint", required_argument, NULL, 'c'},
		{"quiet", no_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *key = NULL, *checkpoint = NULL;
	int c, quiet = 0;

	while ((c = getopt_long(argc, argv, "qh", options, NULL)) != -1) {
		switch (c) {
		case 'k':
			key = optarg;
			break;
		case 'c':
			checkpoint = optarg;
			break;
		case 'q':
			quiet = 1;
			break;
		case 'h':
			help();
			return tool_flush(EXIT_DONE, 0);
		default:
			return tool_usage("verify");
		}
	}
	if (optind + 1 != argc) {
		tool_say("verify", "exactly one database is needed");
		return tool_usage("verify");
	}
	/* Silence would read as "the signature was checked". */
	if (key || checkpoint) {
		tool_say(key ? "--key" : "--checkpoint",
			 "this database format has no checkpoints yet");
		return EXIT_TROUBLE;
	}
	return run(argv[optind], quiet);
}
