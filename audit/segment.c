/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/segment.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit/db.h"
#include "audit/schema.h"
#include "audit/store.h"

struct segments {
	struct db *main; /* borrowed */
	struct db_stmt *bundle, *where, *pruned, *way, *kept;
	/* The segment that was read last. */
	struct db *file;
	struct db_stmt *row;
	uint64_t no;
	char path[SEGMENT_PATH];
	uint8_t data[STORE_BUNDLE_MAX];
};

int segment_name(char out[SEGMENT_PATH], const char *path, uint64_t no,
		 struct err *e)
{
	int n = snprintf(out, SEGMENT_PATH, "%s.seg-%llu", path,
			 (unsigned long long)no);

	return n > 0 && n < SEGMENT_PATH
		       ? 0
		       : err_set(e, E_LIMIT, 0, "the name is too long");
}

int segment_identify(struct db *d, struct err *e)
{
	uint64_t app = 0, version = 0;
	int rc = db_number(d, "PRAGMA application_id", &app, e);

	if (rc == 0)
		rc = db_number(d, "PRAGMA user_version", &version, e);
	if (rc == 0 && (app != STORE_APPLICATION || version != SEGMENT_SCHEMA))
		rc = err_set(e, E_INTEGRITY, 0, "it is no segment of a log");
	return rc;
}

int segments_open(struct segments **out, struct db *d, const char *path,
		  struct err *e)
{
	struct segments *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (!s)
		return err_set(e, E_NOMEM, 0, "out of memory");
	s->main = d;
	rc = snprintf(s->path, sizeof(s->path), "%s", path) <
			     (int)sizeof(s->path)
		     ? 0
		     : err_set(e, E_LIMIT, 0, "the name is too long");
	if (rc == 0)
		rc = db_prepare(&s->bundle, d, "SELECT n, data FROM bundle"
				" WHERE first = ?1", e);
	if (rc == 0)
		rc = db_prepare(&s->where, d, "SELECT no, pruned FROM segment"
				" WHERE first <= ?1 AND first + n > ?1", e);
	if (rc == 0)
		rc = db_prepare(&s->pruned, d, "SELECT first + n FROM segment"
				" WHERE pruned = 1 ORDER BY no DESC LIMIT 1",
				e);
	if (rc == 0)
		rc = db_prepare(&s->way, d, "SELECT hashes FROM path WHERE"
				" seq = ?1", e);
	if (rc == 0)
		rc = db_prepare(&s->kept, d, "SELECT seq, record FROM"
				" protected WHERE seq >= ?1 AND seq < ?2"
				" ORDER BY seq LIMIT 1", e);
	if (rc) {
		segments_close(s);
		return rc;
	}
	*out = s;
	return 0;
}

static void close_file(struct segments *s)
{
	struct err ignored;

	db_finish(s->row);
	if (db_close(s->file, &ignored))
		s->file = NULL; /* nothing was written: nothing is lost */
	s->file = NULL;
	s->row = NULL;
	s->no = 0;
}

void segments_close(struct segments *s)
{
	if (!s)
		return;
	close_file(s);
	db_finish(s->bundle);
	db_finish(s->where);
	db_finish(s->pruned);
	db_finish(s->way);
	db_finish(s->kept);
	free(s);
}

static int damaged(uint64_t first, struct err *e)
{
	return err_set(e, E_INTEGRITY, 0, "bundle %llu is damaged",
		       (unsigned long long)first);
}

/* 1: its octets are in s->data; 0: it is not there. */
static int take(struct segments *s, struct db_stmt *st, uint64_t first,
		uint32_t *n, struct span *octets, struct err *e)
{
	struct span data = {0};
	uint64_t count;
	int rc;

	db_put_u64(st, 1, first);
	rc = db_step(st, e);
	if (rc == 1 && (!db_u64(st, 0, &count) || count < 1 ||
			count > STORE_BUNDLE || !db_span(st, 1, &data) ||
			data.n > sizeof(s->data)))
		rc = damaged(first, e);
	if (rc == 1) {
		if (data.n)
			memcpy(s->data, data.p, data.n);
		*octets = span_of(s->data, data.n);
		*n = (uint32_t)count;
	}
	db_reset(st);
	return rc;
}

/* 1: in segment *no; 0: in none; E_NOTFOUND: in one that was pruned. */
static int find(struct segments *s, uint64_t first, uint64_t *no,
		struct err *e)
{
	uint64_t pruned = 0;
	int rc;

	db_put_u64(s->where, 1, first);
	rc = db_step(s->where, e);
	if (rc == 1 && (!db_u64(s->where, 0, no) ||
			!db_u64(s->where, 1, &pruned)))
		rc = err_set(e, E_INTEGRITY, 0, "a segment's row is damaged");
	db_reset(s->where);
	if (rc == 1 && pruned)
		rc = err_set(e, E_NOTFOUND, 0, "record %llu was pruned",
			     (unsigned long long)first);
	return rc;
}

static int open_segment(struct segments *s, uint64_t no, struct err *e)
{
	char name[SEGMENT_PATH];
	uint64_t octets;
	int rc;

	if (s->no == no)
		return 0;
	close_file(s);
	rc = segment_name(name, s->path, no, e);
	if (rc == 0)
		rc = db_file(name, &octets, e);
	if (rc == 0)
		rc = err_set(e, E_INTEGRITY, 0, "its file is missing");
	else if (rc == 1)
		rc = db_open(&s->file, name, DB_READ, e);
	if (rc == 0)
		rc = segment_identify(s->file, e);
	if (rc == 0)
		rc = db_prepare(&s->row, s->file, "SELECT n, data FROM bundle"
				" WHERE first = ?1", e);
	if (rc == 0)
		s->no = no;
	else
		close_file(s);
	return rc;
}

int segments_bundle(struct segments *s, uint64_t first, uint32_t *n,
		    struct span *octets, struct err *e)
{
	uint64_t no = 0;
	int rc;

	*n = 0;
	*octets = (struct span){0};
	if (first > INT64_MAX)
		return 0;
	rc = take(s, s->bundle, first, n, octets, e);
	if (rc)
		return rc;
	/* A bundle leaves the database when its segment has its row. */
	rc = find(s, first, &no, e);
	if (rc != 1)
		return rc;
	rc = open_segment(s, no, e);
	if (rc == 0)
		rc = take(s, s->row, first, n, octets, e);
	if (rc == 0)
		rc = err_set(e, E_INTEGRITY, 0, "it has not record %llu",
			     (unsigned long long)first);
	if (rc == 1)
		return rc;
	err_wrap(e, "segment %llu", (unsigned long long)no);
	/* It may have been pruned meanwhile. */
	close_file(s);
	return find(s, first, &no, NULL) == E_NOTFOUND
		       ? err_set(e, E_NOTFOUND, 0, "record %llu was pruned",
				 (unsigned long long)first)
		       : rc;
}

/* 1: it is in head; 0: it is not there. */
static int take_head(struct db *d, const char *sql, uint64_t end,
		     uint8_t head[SHA256_LEN], struct err *e)
{
	struct db_stmt *st;
	struct span chain;
	int rc = db_prepare(&st, d, sql, e);

	if (rc)
		return rc;
	db_put_u64(st, 1, end);
	rc = db_step(st, e);
	if (rc == 1 && (!db_span(st, 0, &chain) || chain.n != SHA256_LEN))
		rc = damaged(end - STORE_BUNDLE, e);
	if (rc == 1)
		memcpy(head, chain.p, chain.n);
	db_finish(st);
	return rc;
}

int segments_head(struct segments *s, uint64_t end, uint8_t head[SHA256_LEN],
		  struct err *e)
{
	uint64_t no;
	int rc = take_head(s->main, "SELECT chain FROM bundle WHERE"
			   " first + n = ?1 UNION ALL SELECT chain FROM"
			   " segment WHERE first + n = ?1 LIMIT 1", end, head,
			   e);

	if (rc)
		return rc < 0 ? rc : 0;
	rc = find(s, end - STORE_BUNDLE, &no, e);
	if (rc == 1)
		rc = open_segment(s, no, e);
	else if (rc == 0)
		return err_set(e, E_NOTFOUND, 0, "there is no record %llu",
			       (unsigned long long)end - 1);
	if (rc == 0)
		rc = take_head(s->file, "SELECT chain FROM bundle WHERE"
			       " first + n = ?1", end, head, e);
	return rc == 1 ? 0 : rc < 0 ? rc : damaged(end - STORE_BUNDLE, e);
}

int segments_pruned(struct segments *s, uint64_t *end, struct err *e)
{
	int rc = db_step(s->pruned, e);

	*end = 0;
	if (rc == 1)
		rc = db_u64(s->pruned, 0, end)
			     ? 0
			     : err_set(e, E_INTEGRITY, 0, "a segment's row is "
				       "damaged");
	db_reset(s->pruned);
	return rc;
}

int segments_way(struct segments *s, uint64_t seq,
		 uint8_t way[SEGMENT_WAY][SHA256_LEN], struct err *e)
{
	struct span hashes;
	int rc;

	db_put_u64(s->way, 1, seq);
	rc = db_step(s->way, e);
	if (rc == 0)
		rc = err_set(e, E_NOTFOUND, 0, "record %llu was pruned",
			     (unsigned long long)seq);
	else if (rc == 1)
		rc = db_span(s->way, 0, &hashes) &&
				     hashes.n == SEGMENT_WAY * SHA256_LEN
			     ? 0
			     : err_set(e, E_INTEGRITY, 0, "the way of record "
				       "%llu is damaged",
				       (unsigned long long)seq);
	if (rc == 0)
		memcpy(way, hashes.p, hashes.n);
	db_reset(s->way);
	return rc;
}

int segments_kept(struct segments *s, uint64_t from, uint64_t end,
		  uint64_t *seq, struct span *record, struct err *e)
{
	struct span copy;
	int rc;

	db_put_u64(s->kept, 1, from);
	db_put_u64(s->kept, 2, end);
	rc = db_step(s->kept, e);
	if (rc == 1 && (!db_u64(s->kept, 0, seq) ||
			!db_span(s->kept, 1, &copy) || copy.n > RECORD_MAX))
		rc = err_set(e, E_INTEGRITY, 0, "a protected record is "
			     "damaged");
	if (rc == 1) {
		memcpy(s->data, copy.p, copy.n);
		*record = span_of(s->data, copy.n);
	}
	db_reset(s->kept);
	return rc;
}
