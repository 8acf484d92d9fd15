/* SPDX-License-Identifier: Apache-2.0 */
/* What is about to be removed for good, looked at a last time. */
#include <stdlib.h>

#include "audit/record.h"
#include "audit/segment.h"
#include "audit/store_own.h"
#include "audit/tiles.h"

struct going {
	struct tiles *tiles;
	struct db_stmt *kept;
	struct record_view view;
	uint64_t n; /* protected records so far */
};

static int wrong(struct err *e, uint64_t seq, const char *what)
{
	return err_set(e, E_INTEGRITY, 0, "record %llu: %s; nothing was "
		       "removed", (unsigned long long)seq, what);
}

/* Its copy is the next that is kept. */
static int check_copy(struct going *g, uint64_t seq, struct span record,
		      struct err *e)
{
	uint64_t have, kind;
	struct span copy;
	int rc = db_step(g->kept, e);

	if (rc < 0)
		return rc;
	if (rc == 0 || !db_u64(g->kept, 0, &have) || have != seq)
		return wrong(e, seq, "its protected copy is missing, or one "
				     "of none is there");
	if (!db_u64(g->kept, 1, &kind) || kind != g->view.r.kind ||
	    !db_span(g->kept, 2, &copy) || !span_eq(copy, record))
		return wrong(e, seq, "its protected copy differs");
	g->n++;
	return 0;
}

static int check_records(struct going *g, uint64_t first, struct err *e)
{
	struct span octets, record;
	struct cur c;
	uint32_t n, i = 0;
	int rc = segments_bundle(tiles_segments(g->tiles), first, &n, &octets,
				 e);

	if (rc <= 0)
		return rc ? rc : wrong(e, first, "its bundle is missing");
	c = cur_of(octets);
	for (rc = 0; rc == 0 && i < n && store_next(&c, &record); i++) {
		if (record_decode(&g->view, record, NULL) ||
		    g->view.r.seq != first + i)
			return wrong(e, first + i, "it is none");
		if (g->view.r.flags & RECORD_PROTECTED)
			rc = check_copy(g, first + i, record, e);
	}
	if (rc == 0 && (i != n || n != STORE_BUNDLE || !cur_done(&c)))
		return wrong(e, first + i, "its bundle is damaged");
	return rc;
}

/* The records have the root that the tree has of them. */
static int check_root(struct going *g, uint64_t idx, struct err *e)
{
	uint8_t root[SHA256_LEN];
	struct span hashes;
	int rc = tiles_get(g->tiles, 0, idx, &hashes, e);

	if (rc)
		return rc;
	if (hashes.n != TREE_TILE_OCTETS)
		return wrong(e, idx * STORE_BUNDLE, "its bundle is damaged");
	tree_tile_root(hashes, root);
	rc = tiles_get(g->tiles, 1, idx / TREE_TILE, &hashes, e);
	if (rc)
		return rc;
	return span_eq(span_sub(hashes, idx % TREE_TILE * SHA256_LEN,
				SHA256_LEN), span_of(root, sizeof(root)))
		       ? 0
		       : wrong(e, idx * STORE_BUNDLE, "it or one behind it is "
			       "not what the tree has");
}

int store_going(struct store *s, uint64_t end, uint64_t *kept, struct err *e)
{
	struct going *g = calloc(1, sizeof(*g));
	uint64_t first = store_first(s);
	int rc;

	if (!g)
		return err_set(e, E_NOMEM, 0, "out of memory");
	rc = tiles_open(&g->tiles, s->db, s->path, s->h, e);
	if (rc == 0)
		rc = db_prepare(&g->kept, s->db, "SELECT seq, kind, record FROM"
				" protected WHERE seq >= ?1 AND seq < ?2"
				" ORDER BY seq", e);
	if (rc == 0) {
		db_put_u64(g->kept, 1, first);
		db_put_u64(g->kept, 2, end);
	}
	for (uint64_t at = first; rc == 0 && at < end; at += STORE_BUNDLE) {
		rc = check_root(g, at / STORE_BUNDLE, e);
		if (rc == 0)
			rc = check_records(g, at, e);
	}
	if (rc == 0 && db_step(g->kept, e) != 0)
		rc = wrong(e, end - 1, "or one before it has a protected copy "
			   "and is not protected");
	*kept = g->n;
	db_finish(g->kept);
	tiles_close(g->tiles);
	free(g);
	return rc;
}
