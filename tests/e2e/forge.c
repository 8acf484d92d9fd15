/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody does who can write the files of a log and has not its key:
 *
 *   forge DB ORIGIN BEFORE
 *
 * moves the bundles before a record out into segments, as the writer does, and
 * adds a record, in its place in chain and tree, that says that they are
 * pruned. It prints the number of that record.
 *
 *   forge DB N
 *
 * takes away the copies of the newest N records with a number of the ledger.
 */
#include <stdio.h>
#include <stdlib.h>

#include "audit/audit.h"
#include "audit/db.h"

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

static int take_away(const char *path, unsigned long n, struct err *e)
{
	static const char guard[] =
		"SELECT sql FROM sqlite_schema WHERE name = 'protected_stays'";
	char sql[256], again[512] = "";
	struct db_stmt *st = NULL;
	struct span text;
	struct db *d;
	int rc = db_open(&d, path, DB_WRITE, e);

	snprintf(sql, sizeof(sql), "DELETE FROM protected WHERE seq IN (SELECT"
		 " seq FROM protected WHERE instr(record, CAST("
		 "'ledger generation ' AS BLOB)) ORDER BY seq DESC LIMIT %lu)",
		 n);
	if (rc == 0)
		rc = db_prepare(&st, d, guard, e);
	if (rc == 0 && db_step(st, e) == 1 && db_text(st, 0, &text))
		snprintf(again, sizeof(again), "%.*s", (int)text.n,
			 (const char *)text.p);
	db_finish(st);
	if (rc == 0)
		rc = db_exec(d, "DROP TRIGGER protected_stays", e);
	if (rc == 0)
		rc = db_exec(d, sql, e);
	if (rc == 0)
		rc = db_exec(d, again, e);
	return rc ? rc : db_close(d, e);
}

static int add_one(char **argv, struct err *e)
{
	struct audit_conf conf = {
		.path = argv[1],
		.origin = argv[2],
		.last = true,
	};
	struct audit *a;
	int rc = audit_open(&a, &conf, e);

	if (rc)
		return rc;
	rc = forge(a, strtoull(argv[3], NULL, 10), e);
	printf("%llu\n", (unsigned long long)audit_size(a) - 1);
	return rc ? rc : audit_close(a, e);
}

int main(int argc, char **argv)
{
	struct err e = {0};
	int rc;

	if (argc != 3 && argc != 4) {
		fputs("usage: forge DB ORIGIN BEFORE | DB N\n", stderr);
		return 2;
	}
	rc = argc == 3 ? take_away(argv[1], strtoul(argv[2], NULL, 10), &e)
		       : add_one(argv, &e);
	if (rc)
		fprintf(stderr, "forge: %s\n", e.text);
	return rc != 0;
}
