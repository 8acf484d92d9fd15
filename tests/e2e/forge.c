/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody does who can write the files of a log and has not its key:
 *
 *   forge DB ORIGIN BEFORE
 *
 * moves the bundles before a record out into segments, as the writer does, and
 * adds a record, in its place in chain and tree, that says that they are
 * pruned. It prints the number of that record.
 */
#include <stdio.h>
#include <stdlib.h>

#include "audit/audit.h"

static int forge(struct audit *a, uint64_t before, struct err *e)
{
	struct now now = {.mono = audit_last(a)};
	int rc = audit_segment(a, before, e);

	if (rc == 0)
		rc = audit_prune(a, before, &now, "a forger", e);
	if (rc == 0)
		rc = err_set(e, E_NOTFOUND, 0, "no segment ends before it");
	if (rc == 1)
		rc = audit_commit(a, e);
	return rc;
}

int main(int argc, char **argv)
{
	struct audit_conf conf = {.last = true};
	struct err e = {0};
	struct audit *a;
	int rc;

	if (argc != 4) {
		fputs("usage: forge DB ORIGIN BEFORE\n", stderr);
		return 2;
	}
	conf.path = argv[1];
	conf.origin = argv[2];
	rc = audit_open(&a, &conf, &e);
	if (rc == 0) {
		rc = forge(a, strtoull(argv[3], NULL, 10), &e);
		printf("%llu\n", (unsigned long long)audit_size(a) - 1);
		rc = rc ? rc : audit_close(a, &e);
	}
	if (rc)
		fprintf(stderr, "forge: %s\n", e.text);
	return rc != 0;
}
