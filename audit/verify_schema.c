/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/verify_schema.h"

#include "audit/schema.h"

static int altered(struct err *e)
{
	return err_set(e, E_INTEGRITY, 0, "the schema was altered");
}

static bool same_text(struct db_stmt *a, struct db_stmt *b, int i)
{
	struct span x, y;

	if (db_null(a, i) && db_null(b, i))
		return true;
	return db_text(a, i, &x) && db_text(b, i, &y) && span_eq(x, y);
}

int verify_schema(struct db *d, struct err *e)
{
	static const char sql[] = "SELECT type, name, tbl_name, sql"
				  " FROM sqlite_schema ORDER BY name";
	struct db_stmt *have = NULL, *want = NULL;
	struct err ignored;
	struct db *ours;
	int rc = db_open(&ours, NULL, DB_MEMORY, e);

	for (size_t i = 0; rc == 0 && i < N_STORE_SCHEMA; i++)
		rc = db_exec(ours, store_schema[i], e);
	if (rc == 0)
		rc = db_prepare(&want, ours, sql, e);
	if (rc == 0)
		rc = db_prepare(&have, d, sql, e);
	while (rc == 0) {
		int w = db_step(want, e), h = db_step(have, e);

		if (h < 0)
			rc = h;
		else if (w != h)
			rc = altered(e);
		if (rc || w <= 0)
			break;
		for (int i = 0; i < 4; i++) {
			if (!same_text(have, want, i))
				rc = altered(e);
		}
	}
	db_finish(want);
	db_finish(have);
	if (db_close(ours, &ignored) && rc == 0)
		rc = err_set(e, E_IO, 0, "%s", ignored.text);
	return rc;
}
