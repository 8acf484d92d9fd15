/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted and not a record yet. */
#include "audit/audit_own.h"
#include "audit/store_own.h"

int store_tally(struct store *s, uint64_t slot, struct span said,
		struct err *e)
{
	struct db_stmt *st = said.n ? s->tally : s->tallied;
	int rc = store_usable(s, e);

	if (rc)
		return rc;
	rc = store_begin(s, e);
	if (rc == 0)
		rc = store_put_boot(s, e);
	if (rc == 0) {
		db_put_u64(st, 1, slot);
		if (said.n)
			db_put_span(st, 2, said);
		rc = db_run(st, e);
	}
	return rc ? store_lost(s, rc) : 0;
}

int store_tallies(struct store *s, store_tally_f *f, void *arg, struct err *e)
{
	struct db_stmt *st;
	struct span said;
	uint64_t slot;
	int rc = db_prepare(&st, s->db, "SELECT slot, said FROM tally"
			    " ORDER BY slot", e);

	if (rc)
		return rc;
	while ((rc = db_step(st, e)) == 1) {
		rc = db_u64(st, 0, &slot) && db_span(st, 1, &said)
			     ? f(arg, slot, said, e)
			     : err_set(e, E_INTEGRITY, 0, "a tally");
		if (rc)
			break;
	}
	db_finish(st);
	return rc;
}

uint64_t store_commits(const struct store *s)
{
	return s->commits;
}

int audit_tally(struct audit *a, uint64_t slot, struct span said,
		struct err *e)
{
	int rc = store_tally(a->store, slot, said, e);

	return rc ? err_wrap(e, "audit") : 0;
}

int audit_tallies(struct audit *a, store_tally_f *f, void *arg, struct err *e)
{
	return store_tallies(a->store, f, arg, e);
}

uint64_t audit_commits(const struct audit *a)
{
	return store_commits(a->store);
}
