/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/reader.h"

#include <stdlib.h>

#include "audit/db.h"
#include "audit/store.h"

struct reader {
	struct db *db;
	struct db_stmt *bundle;
	uint64_t next;	/* sequence number of the next record */
	uint64_t first; /* of the bundle in data */
	uint32_t n;	/* its records; 0: none is loaded */
	size_t octets;	/* of data */
	struct cur c;	/* behind the last record given */
	uint8_t data[STORE_BUNDLE_MAX];
};

int reader_open(struct reader **out, const char *path, bool follow,
		struct err *e)
{
	struct reader *r = calloc(1, sizeof(*r));
	int rc;

	*out = NULL;
	if (!r)
		return err_set(e, E_NOMEM, 0, "out of memory");
	rc = db_open(&r->db, path, follow ? DB_FOLLOW : DB_READ, e);
	if (rc == 0)
		rc = store_identify(r->db, NULL, e);
	if (rc == 0)
		rc = db_prepare(&r->bundle, r->db, "SELECT n, data FROM bundle"
				" WHERE first = ?1", e);
	if (rc) {
		reader_close(r);
		return rc;
	}
	*out = r;
	return 0;
}

void reader_close(struct reader *r)
{
	struct err ignored;

	if (!r)
		return;
	db_finish(r->bundle);
	if (db_close(r->db, &ignored))
		r->db = NULL; /* nothing was written: nothing is lost */
	free(r);
}

/* Load the bundle that holds record `next` and pass those before it. */
static int load(struct reader *r, struct err *e)
{
	uint64_t first = r->next / STORE_BUNDLE * STORE_BUNDLE, n = 0;
	struct span data = {0}, record;
	int rc;

	db_put_u64(r->bundle, 1, first);
	rc = db_step(r->bundle, e);
	if (rc == 1) {
		rc = 0;
		if (!db_u64(r->bundle, 0, &n) || n > STORE_BUNDLE ||
		    !db_span(r->bundle, 1, &data) ||
		    data.n > sizeof(r->data))
			rc = err_set(e, E_INTEGRITY, 0,
				     "bundle %llu is damaged",
				     (unsigned long long)first);
		else if (data.n)
			memcpy(r->data, data.p, data.n);
	}
	db_reset(r->bundle);
	if (rc)
		return rc;
	r->first = first;
	r->n = (uint32_t)n;
	r->octets = data.n;
	r->c = cur_of(span_of(r->data, data.n));
	for (uint64_t i = first; i < r->next; i++) {
		if (!store_next(&r->c, &record))
			break;
	}
	return 0;
}

static int loaded(struct reader *r, struct err *e)
{
	int rc = load(r, e);

	if (rc && db_disturbed(r->db))
		return err_set(e, E_STATE, 0, "it was opened for writing while "
					      "it was read; try again");
	return rc;
}

int reader_bundle(struct reader *r, uint64_t first, uint32_t *n,
		  struct span *octets, struct err *e)
{
	int rc;

	r->next = first / STORE_BUNDLE * STORE_BUNDLE;
	rc = loaded(r, e);
	if (rc)
		return rc;
	*n = r->n;
	*octets = span_of(r->data, r->octets);
	return 0;
}

int reader_next(struct reader *r, uint64_t *seq, struct span *record,
		struct err *e)
{
	if (r->next >= r->first + r->n) {
		int rc = loaded(r, e);

		if (rc)
			return rc;
		if (r->next >= r->first + r->n)
			return 0;
	}
	if (!store_next(&r->c, record))
		return err_set(e, E_INTEGRITY, 0, "record %llu is missing",
			       (unsigned long long)r->next);
	*seq = r->next++;
	return 1;
}
