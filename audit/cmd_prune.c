/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/checkpoint.h"
#include "audit/prover.h"
#include "audit/store.h"
#include "audit/tool.h"
#include "audit/cmd_key.h"

#define WHY 120 /* octets of a reason */

static void help(void)
{
	puts("Usage: " TOOL " prune --before N [--why TEXT] [--tpm NAME "
	     "[--approvals FILE]]\n"
	     "       [--dry-run] DB\n"
	     "Remove the records before N for good, as far as they fill whole "
	     "bundles of 256 and\nare not at the end. Protected records, roots "
	     "and checkpoints stay, so that what\nis left can be proved; what "
	     "was removed is recorded in the log and signed with\nits key: "
	     "that lies beside it, or in the TPM. The gateway must not run: it "
	     "prunes\nby itself (audit-bound).\n\n"
	     "      --before N   the first record that must stay\n"
	     "      --why TEXT   for the record\n"
	     "      --tpm NAME   the TPM that has the log's key: "
	     "device:/dev/tpmrm0,\n"
	     "                   swtpm:path=SOCKET\n"
	     "      --approvals FILE\n"
	     "                   the gateway's log-key-approvals\n"
	     "  -n, --dry-run    only say what would be removed\n"
	     "  -h, --help       this text\n\n"
	     "Exit: 0 done, 1 the log is not whole, 2 usage or environment.");
}

/* As the log's clocks must: not before its last record. */
static struct now clocks(const struct audit *a)
{
	struct timespec t = {0};
	struct now now = {.mono = audit_last(a)};

	clock_gettime(CLOCK_MONOTONIC, &t);
	if (t.tv_sec * NS_PER_S + t.tv_nsec > now.mono.ns)
		now.mono.ns = t.tv_sec * NS_PER_S + t.tv_nsec;
	clock_gettime(CLOCK_REALTIME, &t);
	now.wall.us = t.tv_sec * US_PER_S + t.tv_nsec / 1000;
	return now;
}

/* Whole segments go: so the records are first moved out. */
static int prune(struct audit *a, uint64_t before, const char *text,
		 struct err *e)
{
	int rc = audit_segment(a, before, e);
	struct now now = clocks(a);

	if (rc == 0)
		rc = audit_prune(a, before, &now, text, e);
	if (rc != 1)
		return rc;
	rc = audit_commit(a, e);
	if (rc == 0)
		rc = audit_remove(a, &now, e);
	return rc < 0 ? rc : 0;
}

/* The log's name, as its last checkpoint says. */
static int name_of(const char *path, char origin[NOTE_NAME_MAX + 1],
		   struct err *e)
{
	struct checkpoint c;
	struct prover *p;
	struct span note;
	int rc = prover_open(&p, path, false, e);

	if (rc == 0)
		rc = prover_checkpoint(p, 0, &c, &note, e);
	if (rc == 0)
		memcpy(origin, c.origin, sizeof(c.origin));
	prover_close(p);
	return rc;
}

static int run(const char *path, uint64_t before, const char *why,
	       struct tool_key *k)
{
	char text[WHY + 64], origin[NOTE_NAME_MAX + 1];
	struct audit_conf conf = {
		.path = path,
		.origin = origin,
		.batch = UINT32_MAX,
		.last = true,
		.alone = true,
	};
	struct err e = {0}, ignored;
	struct audit *a;
	uint64_t was = 0, first = 0;
	int rc;

	snprintf(text, sizeof(text), "by metergate-audit prune, user %ld%s%s",
		 (long)getuid(), why ? ": " : "", why ? why : "");
	/* Opening for writing would make it. */
	if (access(path, R_OK | W_OK) != 0) {
		tool_say(path, strerror(errno));
		return EXIT_TROUBLE;
	}
	rc = name_of(path, origin, &e);
	if (rc == 0)
		rc = tool_key_open(k, &conf, path, origin, &e);
	if (rc == 0)
		rc = audit_open(&a, &conf, &e);
	if (rc == 0) {
		was = audit_first(a);
		rc = prune(a, before, text, &e);
		first = audit_first(a);
		if (audit_close(a, rc ? &ignored : &e) && rc == 0)
			rc = e.code;
	}
	tool_key_close(k);
	if (rc)
		return tool_failed(path, &e);
	if (first == was)
		printf("nothing was removed: before %llu there is no whole "
		       "bundle that is not among\nthe last %d, which stay; the "
		       "first record is %llu\n",
		       (unsigned long long)before, STORE_STAY,
		       (unsigned long long)was);
	else
		printf("the first record is now %llu\n",
		       (unsigned long long)first);
	return tool_flush(EXIT_DONE, 0);
}

/* Of so many records, at most those before this one. */
static uint64_t may_go(uint64_t size, uint64_t before)
{
	uint64_t bundles = size / STORE_BUNDLE;
	uint64_t end = bundles > STORE_STAY ? bundles - STORE_STAY : 0;

	if (end > before / STORE_BUNDLE)
		end = before / STORE_BUNDLE;
	return end * STORE_BUNDLE;
}

static int dry_run(const char *path, uint64_t before)
{
	struct prover *p;
	struct checkpoint c;
	struct span note;
	struct err e = {0};
	uint64_t first = 0;
	int rc = prover_open(&p, path, false, &e);

	if (rc == 0)
		rc = prover_first(p, &first, &e);
	if (rc == 0)
		rc = prover_checkpoint(p, 0, &c, &note, &e);
	if (rc == 0)
		before = may_go(c.size, before);
	if (rc == 0)
		printf("the first record is %llu, the last checkpoint is of "
		       "%llu;\nup to %llu would be removed\n",
		       (unsigned long long)first, (unsigned long long)c.size,
		       (unsigned long long)(before > first ? before - first
							   : 0));
	prover_close(p);
	return rc ? tool_failed(path, &e) : tool_flush(EXIT_DONE, 0);
}

int cmd_prune(int argc, char **argv)
{
	static const struct option options[] = {
		{"before", required_argument, NULL, 'b'},
		{"why", required_argument, NULL, 'w'},
		{"tpm", required_argument, NULL, 't'},
		{"approvals", required_argument, NULL, 'a'},
		{"dry-run", no_argument, NULL, 'n'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *why = NULL;
	uint64_t before = 0;
	struct tool_key key = {0};
	bool dry = false;
	int c;

	while ((c = getopt_long(argc, argv, "nh", options, NULL)) != -1) {
		switch (c) {
		case 'b':
			if (checkpoint_number(span_str(optarg), &before) &&
			    before)
				break;
			tool_say("--before", "not the number of a record");
			return tool_usage("prune");
		case 'w':
			why = optarg;
			if (strlen(why) <= WHY)
				break;
			tool_say("--why", "too long");
			return tool_usage("prune");
		case 't':
			key.tpm = optarg;
			break;
		case 'a':
			key.approvals = optarg;
			break;
		case 'n':
			dry = true;
			break;
		case 'h':
			help();
			return tool_flush(EXIT_DONE, 0);
		default:
			return tool_usage("prune");
		}
	}
	if (before == 0 || optind + 1 != argc) {
		tool_say("prune", "--before and exactly one database are "
				  "needed");
		return tool_usage("prune");
	}
	return dry ? dry_run(argv[optind], before)
		   : run(argv[optind], before, why, &key);
}
