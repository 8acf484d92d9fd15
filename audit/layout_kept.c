/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/layout_kept.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit/reader.h"
#include "audit/record.h"
#include "audit/said.h"

struct kept {
	struct reader *in;
	struct db *d;
	struct db_stmt *copy;
	uint64_t first; /* that was not pruned */
	struct said said; /* what was pruned */
	struct record_view view;
};

static int wrong(uint64_t seq, struct err *e, const char *what)
{
	return err_set(e, E_INTEGRITY, 0, "record %llu: %s",
		       (unsigned long long)seq, what);
}

static int has_copy(struct kept *k, uint64_t seq, struct err *e)
{
	int rc;

	db_put_u64(k->copy, 1, seq);
	rc = db_step(k->copy, e);
	db_reset(k->copy);
	return rc == 0 ? wrong(seq, e, "its protected copy is missing")
		       : rc < 0 ? rc : 0;
}

/* Of what it says was pruned as many stayed as it says. */
static int check_range(struct kept *k, uint64_t seq, struct err *e)
{
	const struct event_log *l = k->view.ev.log;
	const char *what;
	char sql[128];
	uint64_t n;
	bool range;
	int rc;

	if (k->view.r.kind != RECORD_EXPORT)
		return 0;
	what = said_take(&k->said, seq, l, &range);
	if (what)
		return wrong(seq, e, what);
	if (!range)
		return 0;
	snprintf(sql, sizeof(sql), "SELECT count(*) FROM protected WHERE"
		 " seq >= %llu AND seq < %llu", (unsigned long long)l->first,
		 (unsigned long long)l->end);
	rc = db_number(k->d, sql, &n, e);
	return rc || n == l->kept
		       ? rc
		       : wrong(seq, e, "not as many protected records are "
				       "there as stayed of what it says was "
				       "pruned");
}

static int check(struct kept *k, uint64_t seq, struct span record,
		 struct err *e)
{
	int rc = record_decode(&k->view, record, e);

	if (rc) {
		err_wrap(e, "record %llu", (unsigned long long)seq);
		return e->code = E_INTEGRITY;
	}
	if (k->view.r.flags & RECORD_PROTECTED)
		rc = has_copy(k, seq, e);
	return rc ? rc : check_range(k, seq, e);
}

static int read_all(struct kept *k, const char *path, struct err *e)
{
	struct span record;
	uint64_t seq;
	int rc = reader_open(&k->in, path, false, e);

	if (rc == 0)
		rc = db_prepare(&k->copy, k->d, "SELECT 1 FROM protected WHERE"
				" seq = ?1", e);
	if (rc == 0)
		rc = reader_first(k->in, &k->first, e);
	while (rc == 0 && (rc = reader_next(k->in, &seq, &record, e)) == 1)
		rc = check(k, seq, record, e);
	if (rc == 0 && said_end(&k->said) < k->first)
		rc = wrong(said_end(&k->said), e, "it is gone, and no record "
			   "says that it was pruned");
	return rc;
}

int layout_kept(const char *path, struct db *d, struct err *e)
{
	struct kept *k = calloc(1, sizeof(*k));
	int rc;

	if (!k)
		return err_set(e, E_NOMEM, 0, "out of memory");
	k->d = d;
	rc = read_all(k, path, e);
	db_finish(k->copy);
	if (k->in)
		reader_close(k->in);
	free(k);
	return rc;
}
