/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles that leave the database: into segments, and for good. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "audit/page.h"
#include "audit/schema.h"
#include "audit/store_own.h"
#include "audit/tiles.h"

#define DAY_US	(24 * 3600 * US_PER_S)
#define KEEP_US (90 * DAY_US) /* one checkpoint an hour for so long */

static int bad_segment(struct err *e, uint64_t no, const char *what)
{
	return err_set(e, E_INTEGRITY, 0, "segment %llu: %s",
		       (unsigned long long)no, what);
}

/* --- at the start --- */

static int load_segment(struct store *s, struct db_stmt *st, struct err *e)
{
	uint64_t no, first, n, octets, pruned, have;
	char name[SEGMENT_PATH];
	int rc;

	if (!db_u64(st, 0, &no) || !db_u64(st, 1, &first) ||
	    !db_u64(st, 2, &n) || !db_u64(st, 3, &octets) ||
	    !db_u64(st, 4, &pruned) || no != s->seg_no + 1 ||
	    first != s->seg_end || (pruned && s->seg_gone != s->seg_no))
		return bad_segment(e, s->seg_no + 1, "its row is damaged");
	s->seg_no = no;
	s->seg_end = first + n;
	rc = segment_name(name, s->path, no, e);
	if (rc == 0)
		rc = db_file(name, &have, e);
	if (rc < 0)
		return rc;
	if (pruned) {
		s->seg_gone = no;
		s->pruned = s->seg_end;
		/* The power went between its mark and this. */
		s->n_left += rc || s->n_left;
		return 0;
	}
	if (rc == 0)
		return bad_segment(e, no, "its file is missing");
	if (have != octets)
		return bad_segment(e, no, "its file was cut or lengthened");
	s->seg_octets += octets;
	return 0;
}

int store_load_segments(struct store *s, struct err *e)
{
	struct db_stmt *st;
	int rc = db_prepare(&st, s->db, "SELECT no, first, n, octets, pruned"
			    " FROM segment ORDER BY no", e);

	if (rc)
		return rc;
	while ((rc = db_step(st, e)) == 1) {
		rc = load_segment(s, st, e);
		if (rc)
			break;
	}
	db_finish(st);
	/* What is whole begins where they end. */
	if (rc == 0)
		rc = db_prepare(&st, s->db, "SELECT min(first),"
				" sum(length(data)) FROM bundle", e);
	if (rc)
		return rc;
	rc = db_step(st, e);
	if (rc == 1 && !db_null(st, 0)) {
		uint64_t first = 0;

		if (!db_u64(st, 0, &first) || first != s->seg_end ||
		    !db_u64(st, 1, &s->live))
			rc = err_set(e, E_INTEGRITY, 0, "the bundles begin "
				     "elsewhere than the segments end");
		else
			s->live -= s->used;
	}
	db_finish(st);
	return rc < 0 ? rc : 0;
}

/* --- moving out --- */

struct moving {
	struct store *s;
	uint64_t no, first, end;
	uint64_t octets; /* of the file */
	uint8_t chain[SHA256_LEN];
	char name[SEGMENT_PATH];
};

static int copy_row(struct moving *m, struct db_stmt *from, struct db_stmt *to,
		    struct err *e)
{
	struct span data, chain;
	uint64_t first, n;

	if (!db_u64(from, 0, &first) || !db_u64(from, 1, &n) ||
	    !db_span(from, 2, &data) || !db_span(from, 3, &chain) ||
	    first != m->end || n != STORE_BUNDLE || chain.n != SHA256_LEN)
		return bad_segment(e, m->no, "a bundle for it is damaged");
	db_put_u64(to, 1, first);
	db_put_u64(to, 2, n);
	db_put_span(to, 3, data);
	db_put_span(to, 4, chain);
	memcpy(m->chain, chain.p, chain.n);
	m->end += n;
	return db_run(to, e);
}

static int copy_rows(struct moving *m, struct db *file, uint64_t octets,
		     uint64_t before, struct err *e)
{
	struct db_stmt *from = NULL, *to = NULL;
	uint64_t data = 0, n;
	int rc = db_prepare(&from, m->s->db, "SELECT first, n, data, chain,"
			    " length(data) FROM bundle WHERE first < ?1"
			    " ORDER BY first", e);

	if (rc == 0)
		rc = db_prepare(&to, file, "INSERT INTO bundle"
				" VALUES(?1, ?2, ?3, ?4)", e);
	if (rc == 0)
		db_put_u64(from, 1, before);
	while (rc == 0 && (rc = db_step(from, e)) == 1) {
		if (!db_u64(from, 4, &n)) {
			rc = bad_segment(e, m->no, "a bundle for it is "
						   "damaged");
			break;
		}
		/* The file is larger: half a page a bundle, and its tree. */
		data += n + n / 16 + PAGE_SIZE_OCTETS / 2;
		if (data > octets && m->end > m->first) {
			rc = 0;
			break;
		}
		rc = copy_row(m, from, to, e);
	}
	db_finish(from);
	db_finish(to);
	return rc;
}

/* Synced by its one commit: nobody looks at it before it has its row. Its journal
 * is in memory: one that lay beside it, and came back with the power, would keep
 * it from being read. (OFF is not for us: db_open asks sqlite to be defensive.) */
static int make_file(struct moving *m, uint64_t octets, uint64_t before,
		     struct err *e)
{
	struct err ignored;
	struct db *file = NULL;
	int rc = db_remove(m->name, e);

	_Static_assert(SEGMENT_SCHEMA == 1002, "as written below");
	if (rc == 0)
		rc = db_open(&file, m->name, DB_WRITE, e);
	if (rc == 0)
		rc = db_exec(file, "PRAGMA page_size = 4096;"
				   "PRAGMA temp_store = MEMORY;"
				   "PRAGMA cache_size = -512;"
				   "PRAGMA journal_mode = MEMORY;"
				   "PRAGMA synchronous = FULL;"
				   "BEGIN EXCLUSIVE;"
				   "PRAGMA application_id = 1835483509;"
				   "PRAGMA user_version = 1002", e);
	if (rc == 0)
		rc = db_exec(file, segment_schema[0], e);
	if (rc == 0)
		rc = copy_rows(m, file, octets, before, e);
	if (rc == 0)
		rc = db_exec(file, "COMMIT", e);
	if (rc == 0)
		rc = db_close(file, e);
	else if (db_close(file, &ignored))
		return rc;
	if (rc == 0)
		rc = db_named(m->name, e);
	if (rc == 0)
		rc = db_file(m->name, &m->octets, e);
	return rc < 0 ? rc : 0;
}

/* hashes: all of the bundle's. */
static int put_way(struct db_stmt *st, uint64_t seq, struct span hashes,
		   struct err *e)
{
	uint8_t way[SEGMENT_WAY][SHA256_LEN];
	uint64_t at = seq % TREE_TILE;

	for (unsigned b = 0; b < SEGMENT_WAY; b++) {
		uint64_t i = (at >> b ^ 1) << b;

		tree_fold(span_sub(hashes, i * SHA256_LEN,
				   (size_t)SHA256_LEN << b), way[b]);
	}
	db_put_u64(st, 1, seq);
	db_put_span(st, 2, span_of(way[0], sizeof(way)));
	return db_run(st, e);
}

/* What stays of one bundle: its root, until a tile has it, and the ways of its
 * protected records. */
static int leave_bundle(struct moving *m, struct db_stmt *root,
			struct db_stmt *kept, struct db_stmt *way,
			uint64_t idx, struct span hashes, struct err *e)
{
	struct store *s = m->s;
	uint8_t hash[SHA256_LEN];
	uint64_t seq;
	int rc = 0;

	if (hashes.n != TREE_TILE_OCTETS)
		return bad_segment(e, m->no, "a tile for it is damaged");
	if (idx / TREE_TILE >= s->tree.size >> 16) {
		tree_tile_root(hashes, hash);
		db_put_u64(root, 1, idx);
		db_put_span(root, 2, span_of(hash, sizeof(hash)));
		rc = db_run(root, e);
	}
	db_put_u64(kept, 1, idx * STORE_BUNDLE);
	while (rc == 0 && (rc = db_step(kept, e)) == 1)
		rc = db_u64(kept, 0, &seq)
			     ? put_way(way, seq, hashes, e)
			     : bad_segment(e, m->no, "a protected record");
	db_reset(kept);
	return rc;
}

static int leave(struct moving *m, struct err *e)
{
	struct db_stmt *tile = NULL, *root = NULL, *kept = NULL, *way = NULL;
	uint64_t idx = m->first / STORE_BUNDLE, have;
	struct span hashes;
	int rc = db_prepare(&tile, m->s->db, "SELECT idx, data FROM tile WHERE"
			    " level = 0 AND idx >= ?1 AND idx < ?2"
			    " ORDER BY idx", e);

	if (rc == 0)
		rc = db_prepare(&root, m->s->db, "INSERT INTO root"
				" VALUES(?1, ?2)", e);
	if (rc == 0)
		rc = db_prepare(&kept, m->s->db, "SELECT seq FROM protected"
				" WHERE seq >= ?1 AND seq < ?1 + 256", e);
	if (rc == 0)
		rc = db_prepare(&way, m->s->db, "INSERT INTO path"
				" VALUES(?1, ?2)", e);
	if (rc == 0) {
		db_put_u64(tile, 1, idx);
		db_put_u64(tile, 2, m->end / STORE_BUNDLE);
	}
	while (rc == 0 && (rc = db_step(tile, e)) == 1) {
		rc = db_u64(tile, 0, &have) && have == idx &&
				     db_span(tile, 1, &hashes)
			     ? leave_bundle(m, root, kept, way, idx++, hashes,
					    e)
			     : bad_segment(e, m->no, "a tile for it is "
						     "missing");
	}
	if (rc == 0 && idx != m->end / STORE_BUNDLE)
		rc = bad_segment(e, m->no, "a tile for it is missing");
	db_finish(tile);
	db_finish(root);
	db_finish(kept);
	db_finish(way);
	return rc;
}

static int run_with(struct store *s, const char *sql, uint64_t a, uint64_t b,
		    struct err *e)
{
	struct db_stmt *st;
	int rc = db_prepare(&st, s->db, sql, e);

	if (rc)
		return rc;
	db_put_u64(st, 1, a);
	db_put_u64(st, 2, b);
	rc = db_run(st, e);
	db_finish(st);
	return rc;
}

static int put_row(struct moving *m, struct err *e)
{
	struct db_stmt *st;
	int rc = db_prepare(&st, m->s->db, "INSERT INTO segment"
			    " VALUES(?1, ?2, ?3, ?4, ?5, 0)", e);

	if (rc)
		return rc;
	db_put_u64(st, 1, m->no);
	db_put_u64(st, 2, m->first);
	db_put_u64(st, 3, m->end - m->first);
	db_put_span(st, 4, span_of(m->chain, sizeof(m->chain)));
	db_put_u64(st, 5, m->octets);
	rc = db_run(st, e);
	db_finish(st);
	return rc;
}

static int move(struct moving *m, struct err *e)
{
	struct store *s = m->s;
	int rc = store_begin(s, e);

	if (rc == 0)
		rc = put_row(m, e);
	if (rc == 0)
		rc = leave(m, e);
	if (rc == 0)
		rc = run_with(s, "DELETE FROM root WHERE idx < ?1 AND ?2",
			      (s->tree.size >> 16) * TREE_TILE, 1, e);
	if (rc == 0)
		rc = run_with(s, "DELETE FROM bundle WHERE first >= ?1"
			      " AND first < ?2", m->first, m->end, e);
	if (rc == 0)
		rc = run_with(s, "DELETE FROM tile WHERE level = 0"
			      " AND idx >= ?1 AND idx < ?2",
			      m->first / STORE_BUNDLE, m->end / STORE_BUNDLE,
			      e);
	if (rc == 0)
		rc = db_run(s->commit, e);
	if (rc == 0)
		s->in_txn = false;
	return rc;
}

static int read_live(struct store *s, struct err *e)
{
	uint64_t n;
	int rc = db_number(s->db, "SELECT coalesce(sum(length(data)), 0)"
			   " FROM bundle", &n, e);

	if (rc == 0)
		s->live = n - s->used;
	return rc;
}

int store_segment(struct store *s, uint64_t octets, uint64_t before,
		  uint64_t *moved, struct err *e)
{
	uint64_t last = s->first / STORE_BUNDLE;
	struct moving *m;
	int rc = store_usable(s, e);

	*moved = 0;
	if (rc)
		return rc;
	assert(!s->in_txn);
	last = last > STORE_STAY ? (last - STORE_STAY) * STORE_BUNDLE : 0;
	before = before / STORE_BUNDLE * STORE_BUNDLE;
	before = before < last ? before : last;
	if (before <= s->seg_end)
		return 0;
	m = calloc(1, sizeof(*m));
	if (!m)
		return err_set(e, E_NOMEM, 0, "out of memory");
	m->s = s;
	m->no = s->seg_no + 1;
	m->first = m->end = s->seg_end;
	rc = segment_name(m->name, s->path, m->no, e);
	if (rc == 0)
		rc = make_file(m, octets, before, e);
	if (rc == 0)
		rc = move(m, e);
	if (rc == 0) {
		s->seg_no = m->no;
		s->seg_end = m->end;
		s->seg_octets += m->octets;
		*moved = m->end - m->first;
		rc = read_live(s, e);
	}
	free(m);
	return rc ? store_lost(s, rc) : 0;
}

/* --- pruning --- */

/* Of pruned records the last checkpoint stays, for what PCR 13 was; one an
 * hour for 90 days, and one a day for ever; of several one that is cosigned. */
static int thin(struct store *s, uint64_t end, uint64_t now, struct err *e)
{
	static const char sql[] =
		"DELETE FROM checkpoint WHERE size < (SELECT max(size)"
		" FROM checkpoint WHERE size <= ?1) AND size NOT IN"
		" (SELECT max((cosigned IS NOT NULL) * 4611686018427387904"
		" + size) % 4611686018427387904"
		" FROM checkpoint WHERE size < ?1 GROUP BY CASE"
		" WHEN wall > ?2 THEN wall / 3600000000"
		" ELSE wall / 86400000000 END)";

	return run_with(s, sql, end, now > KEEP_US ? now - KEEP_US : 0, e);
}

/* The segments that are there, oldest first, as far as f wants to see them. */
struct oldest {
	uint64_t no, end, octets;
};

static int each_oldest(struct store *s,
		       bool (*f)(void *arg, const struct oldest *o), void *arg,
		       struct err *e)
{
	struct oldest o = {.no = s->seg_gone};
	struct db_stmt *st;
	int rc = db_prepare(&st, s->db, "SELECT no, first + n, octets FROM"
			    " segment WHERE no > ?1 ORDER BY no", e);

	if (rc)
		return rc;
	db_put_u64(st, 1, s->seg_gone);
	while ((rc = db_step(st, e)) == 1) {
		uint64_t no = o.no + 1;

		if (!db_u64(st, 0, &o.no) || !db_u64(st, 1, &o.end) ||
		    !db_u64(st, 2, &o.octets) || o.no != no) {
			rc = bad_segment(e, no, "its row is damaged");
			break;
		}
		if (!f(arg, &o))
			break;
	}
	db_finish(st);
	return rc < 0 ? rc : 0;
}

struct choice {
	uint64_t octets, before, end;
};

static bool choose(void *arg, const struct oldest *o)
{
	struct choice *c = arg;

	if (o->end > c->before || (c->end && o->octets > c->octets))
		return false;
	c->octets -= o->octets < c->octets ? o->octets : c->octets;
	c->end = o->end;
	return true;
}

int store_oldest(struct store *s, uint64_t octets, uint64_t before,
		 uint64_t *end, struct err *e)
{
	struct choice c = {octets, before, 0};
	int rc = each_oldest(s, choose, &c, e);

	*end = c.end;
	return rc;
}

struct going {
	uint64_t end, no, octets, n;
};

static bool goes(void *arg, const struct oldest *o)
{
	struct going *g = arg;

	if (o->end > g->end)
		return false;
	g->no = o->no;
	g->octets += o->octets;
	g->n++;
	return true;
}

static int prune(struct store *s, uint64_t end, uint64_t now, struct err *e)
{
	struct going g = {.end = end};
	int rc = store_begin(s, e);

	if (rc == 0)
		rc = each_oldest(s, goes, &g, e);
	if (rc == 0)
		rc = run_with(s, "UPDATE segment SET pruned = 1 WHERE no > ?1"
			      " AND no <= ?2", s->seg_gone, g.no, e);
	if (rc == 0)
		rc = thin(s, end, now, e);
	if (rc)
		return rc;
	s->seg_gone = g.no;
	s->pruned = end;
	s->seg_octets -= g.octets;
	s->n_drop += g.n;
	return 0;
}

int store_prune(struct store *s, uint64_t end, uint64_t now, struct err *e)
{
	uint64_t there;
	int rc = store_usable(s, e);

	if (rc == 0)
		rc = store_oldest(s, UINT64_MAX, end, &there, e);
	if (rc)
		return rc;
	if (there == 0 || there != end)
		return err_set(e, E_NOTFOUND, 0, "there is no segment that "
						 "ends there");
	rc = prune(s, end, now, e);
	return rc ? store_lost(s, rc) : 0;
}

int store_drop(struct store *s, struct err *e)
{
	char name[SEGMENT_PATH];
	int rc = 0;

	for (; rc == 0 && s->n_drop; s->n_drop--) {
		rc = segment_name(name, s->path, s->seg_gone - s->n_drop + 1,
				  e);
		if (rc == 0)
			rc = db_remove(name, e);
	}
	return rc;
}

int store_left(struct store *s, struct err *e)
{
	int rc;

	s->n_drop = s->n_left;
	s->n_left = 0;
	rc = store_drop(s, e);
	return rc ? store_lost(s, rc) : 0;
}

int store_root_at(struct store *s, uint64_t n, uint8_t out[SHA256_LEN],
		  struct err *e)
{
	struct proof_source from;
	struct tiles *t;
	int rc = tiles_open(&t, s->db, s->path, s->h, e);

	if (rc)
		return rc;
	from = tiles_source(t);
	rc = proof_root(&from, n, out, e);
	tiles_close(t);
	return rc;
}

int store_room(struct store *s, struct store_room *out, struct err *e)
{
	uint64_t pages = 0, unused = 0;
	int rc;

	memset(out, 0, sizeof(*out));
	rc = db_number(s->db, "PRAGMA page_count", &pages, e);

	if (rc == 0)
		rc = db_number(s->db, "PRAGMA freelist_count", &unused, e);
	out->file = pages * PAGE_SIZE_OCTETS;
	out->unused = unused * PAGE_SIZE_OCTETS;
	out->live = s->live;
	out->segments = s->seg_octets;
	out->first = s->pruned;
	out->oldest = s->seg_gone < s->seg_no ? s->seg_gone + 1 : 0;
	return rc;
}
