/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What left the database: bundles in segments, and what is left of pruned ones
 * (segment.h). Roots of pruned bundles are taken as they are: what is built on
 * them must end in the root that the state and the checkpoints say.
 */
#include <stdio.h>

#include "audit/page.h"
#include "audit/schema.h"
#include "audit/segment.h"
#include "audit/tiles.h"
#include "audit/verify_own.h"

struct row {
	uint64_t no, first, n, octets, pruned;
	uint8_t chain[SHA256_LEN];
};

static int bad_segment(struct verify *v, const struct row *r, struct err *e,
		       const char *what)
{
	v->out->has_bad = true;
	v->out->bad = r->first;
	return err_set(e, E_INTEGRITY, 0, "segment %llu (from record %llu): "
		       "%s", (unsigned long long)r->no,
		       (unsigned long long)r->first, what);
}

/* --- pruned --- */

/* The root of a bundle that is gone: the tile above has it, or a row. */
static int root_of(struct verify *v, struct db_stmt *st, uint64_t idx,
		   uint8_t out[SHA256_LEN], struct err *e)
{
	struct span data = {0};
	size_t at = 0;
	int rc;

	db_put_u64(v->tile, 1, 1);
	db_put_u64(v->tile, 2, idx / TREE_TILE);
	rc = db_step(v->tile, e);
	if (rc == 1) {
		at = idx % TREE_TILE * SHA256_LEN;
		rc = db_span(v->tile, 0, &data) && data.n == TREE_TILE_OCTETS;
	} else if (rc == 0) {
		db_put_u64(st, 1, idx);
		rc = db_step(st, e);
		if (rc == 1)
			rc = db_span(st, 0, &data) && data.n == SHA256_LEN;
	}
	if (rc == 1)
		memcpy(out, data.p + at, SHA256_LEN);
	else if (rc == 0)
		rc = verify_wrong(v, idx * TREE_TILE, e, "it was pruned, and "
				  "the root of its bundle is missing");
	db_reset(v->tile);
	db_reset(st);
	return rc < 0 ? rc : 0;
}

/* Checkpoints up to here; one of so many records is compared with the tree. */
static int pruned_points(struct verify *v, struct err *e)
{
	uint8_t root[SHA256_LEN];
	uint64_t bad;
	int rc;

	tree_root(&v->tree, root);
	rc = points_pruned(&v->points, v->tree.size, v->pruned, root, &bad, e);
	v->point_wrong = rc && bad == UINT64_MAX;
	if (rc && bad != UINT64_MAX) {
		v->out->has_bad = true;
		v->out->bad = bad;
	}
	return rc;
}

static int pruned_bundles(struct verify *v, struct err *e)
{
	struct db_stmt *st;
	uint8_t root[SHA256_LEN];
	int rc = db_prepare(&st, v->db, "SELECT hash FROM root WHERE idx = ?1",
			    e);

	while (rc == 0 && v->tree.size < v->pruned) {
		rc = root_of(v, st, v->tree.size / TREE_TILE, root, e);
		if (rc == 0)
			rc = tree_add_bundle(&v->tree, root, e);
		if (rc == 0 && (v->tree.size == v->pruned ||
				points_next(&v->points) <= v->tree.size))
			rc = pruned_points(v, e);
	}
	db_finish(st);
	return rc;
}

/* Boots that began there; the last of them may go on behind it. */
static int pruned_boots(struct verify *v, struct err *e)
{
	struct db_stmt *st;
	uint64_t number = 0;
	struct span key;
	int rc = db_prepare(&st, v->db, "SELECT number, key FROM boot WHERE"
			    " first < ?1 ORDER BY number", e);

	if (rc)
		return rc;
	db_put_u64(st, 1, v->pruned);
	while ((rc = db_step(st, e)) == 1) {
		if (!db_u64(st, 0, &number) || number > UINT32_MAX ||
		    !db_span(st, 1, &key) || key.n != 32) {
			rc = verify_wrong_file(e, "a boot is damaged");
			break;
		}
		verify_boot(&v->rules, (uint32_t)number, key.p);
	}
	db_finish(st);
	return rc;
}

/* The key of the boot that a kept record names: it began before it. */
static int key_of(struct verify *v, uint64_t seq, uint8_t key[32],
		  struct err *e)
{
	struct span octets;
	uint64_t first;
	int rc;

	db_put_u64(v->boot_row, 1, v->rules.view.r.boot);
	rc = db_step(v->boot_row, e);
	if (rc == 0 || (rc == 1 && (!db_u64(v->boot_row, 0, &first) ||
				    first > seq ||
				    !db_span(v->boot_row, 1, &octets) ||
				    octets.n != 32)))
		rc = verify_wrong(v, seq, e, "its boot is not known");
	else if (rc == 1)
		memcpy(key, octets.p, 32);
	db_reset(v->boot_row);
	return rc < 0 ? rc : 0;
}

static int pruned_record(struct verify *v, struct db_stmt *st, struct err *e)
{
	uint8_t salt[RECORD_SALT], key[32];
	struct hmac_key salts;
	struct span record;
	uint64_t seq, kind;
	int rc;

	if (!db_u64(st, 0, &seq) || !db_u64(st, 1, &kind) ||
	    !db_span(st, 2, &record))
		return verify_wrong_file(e, "a protected record is damaged");
	if (record_decode(&v->rules.view, record, e)) {
		v->out->has_bad = true;
		v->out->bad = seq;
		err_wrap(e, "record %llu", (unsigned long long)seq);
		return e->code = E_INTEGRITY;
	}
	if (v->rules.view.r.seq != seq || v->rules.view.r.kind != kind ||
	    !(v->rules.view.r.flags & RECORD_PROTECTED))
		return verify_wrong(v, seq, e, "what was kept of it is not of "
				    "its kind");
	v->kept++;
	rc = key_of(v, seq, key, e);
	if (rc)
		return rc;
	hmac_key_make(&salts, key);
	record_salts(&salts, seq, 1, &salt);
	if (memcmp(salt, v->rules.view.r.salt, sizeof(salt)) != 0)
		return verify_wrong(v, seq, e, "its salt is not of its boot's "
				    "key");
	return kind == RECORD_EXPORT ? verify_removal(v, seq, &v->rules.view, e) : 0;
}

static int pruned_records(struct verify *v, struct err *e)
{
	struct db_stmt *st;
	int rc = db_prepare(&st, v->db, "SELECT seq, kind, record FROM"
			    " protected WHERE seq < ?1 ORDER BY seq", e);

	if (rc)
		return rc;
	db_put_u64(st, 1, v->pruned);
	while ((rc = db_step(st, e)) == 1) {
		rc = pruned_record(v, st, e);
		if (rc)
			break;
	}
	db_finish(st);
	return rc;
}

/* As many as there were when they were kept. */
static int check_number(struct verify *v, uint64_t seq,
			const struct event_log *l, struct err *e)
{
	char sql[128], text[96];
	uint64_t n;
	int rc;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM protected WHERE"
		 " seq >= %llu AND seq < %llu", (unsigned long long)l->first,
		 (unsigned long long)l->end);
	rc = db_number(v->db, sql, &n, e);
	if (rc || n == l->kept)
		return rc;
	snprintf(text, sizeof(text), "%llu protected records stayed of what "
		 "was pruned, %llu are there", (unsigned long long)l->kept,
		 (unsigned long long)n);
	return verify_wrong(v, seq, e, text);
}

int verify_removal(struct verify *v, uint64_t seq,
		   const struct record_view *view, struct err *e)
{
	bool range;
	const char *wrong = said_take(&v->said, seq, view->ev.log, &range);

	if (wrong)
		return verify_wrong(v, seq, e, wrong);
	return range ? check_number(v, seq, view->ev.log, e) : 0;
}

/* --- segments --- */

static int read_row(struct db_stmt *st, struct row *r, struct err *e)
{
	struct span chain;

	if (!db_u64(st, 0, &r->no) || !db_u64(st, 1, &r->first) ||
	    !db_u64(st, 2, &r->n) || !db_span(st, 3, &chain) ||
	    !db_u64(st, 4, &r->octets) || !db_u64(st, 5, &r->pruned) ||
	    chain.n != sizeof(r->chain) || r->n == 0 || r->n % TREE_TILE ||
	    r->pruned > 1)
		return verify_wrong_file(e, "a segment's row is damaged");
	memcpy(r->chain, chain.p, chain.n);
	return 0;
}

/* How far they reach, before any is read. */
static int place_segment(struct verify *v, const struct row *r,
			 const char *path, struct err *e)
{
	(void)path;
	if (r->first != v->moved || (r->pruned && v->pruned != v->moved))
		return bad_segment(v, r, e, "it does not follow the one "
				   "before");
	v->moved = r->first + r->n;
	if (!r->pruned)
		return 0;
	v->pruned = v->moved;
	memcpy(v->rules.head, r->chain, sizeof(v->rules.head));
	return 0;
}

/* A writer may have pruned it since we began to read. */
static int file_gone(struct verify *v, const struct row *r, const char *path,
		     struct err *e)
{
	struct err ignored;
	struct db *d = NULL;
	char sql[96];
	uint64_t gone = 0;

	snprintf(sql, sizeof(sql), "SELECT pruned FROM segment WHERE no = "
		 "%llu", (unsigned long long)r->no);
	if (db_open(&d, path, DB_READ, &ignored) ||
	    db_number(d, sql, &gone, &ignored))
		gone = 0;
	if (db_close(d, &ignored) == 0 && gone == 1)
		return err_set(e, E_STATE, 0, "records were pruned while it "
			       "was read; try again");
	return bad_segment(v, r, e, "its file is missing");
}

/* The one table, as it was made. */
static int segment_shape(struct verify *v, const struct row *r, struct db *d,
			 struct err *e)
{
	struct db_stmt *st;
	struct span sql;
	int rc = segment_identify(d, e);
	bool ok;

	if (rc == E_INTEGRITY)
		return bad_segment(v, r, e, "its file is no segment of a log");
	if (rc == 0)
		rc = db_prepare(&st, d, "SELECT sql FROM sqlite_schema", e);
	if (rc)
		return rc;
	rc = db_step(st, e);
	ok = rc == 1 && db_text(st, 0, &sql) && span_is(sql, segment_schema[0]);
	if (rc == 1)
		rc = db_step(st, e);
	ok = ok && rc == 0;
	db_finish(st);
	return rc < 0 ? rc : ok ? 0 : bad_segment(v, r, e, "its schema was "
							   "altered");
}

static int segment_content(struct verify *v, const struct row *r,
			   const char *name, struct err *e)
{
	struct db *d = NULL;
	struct err ignored;
	int rc = db_open(&d, name, DB_READ, e);

	if (rc == 0)
		rc = db_map(d, e);
	if (rc == 0)
		rc = segment_shape(v, r, d, e);
	if (rc == 0)
		rc = verify_walk(v, d, e);
	if (rc == 0 && v->tree.size != r->first + r->n)
		rc = verify_wrong(v, v->tree.size < r->first + r->n
					     ? v->tree.size
					     : r->first + r->n, e,
				  "its segment has not what its row says");
	if (rc == 0 && memcmp(v->rules.head, r->chain, sizeof(v->rules.head)) != 0)
		rc = bad_segment(v, r, e, "the chain of bundles does not fit");
	if (rc == 0)
		rc = verify_structure(d, e);
	if (db_close(d, &ignored) && rc == 0)
		rc = err_set(e, E_IO, 0, "%s", ignored.text);
	return rc;
}

static int check_segment(struct verify *v, const struct row *r,
			 const char *path, struct err *e)
{
	char name[SEGMENT_PATH];
	uint64_t pages = 0, octets;
	struct err of_file = {0};
	int file, rc;

	if (r->pruned)
		return 0;
	rc = segment_name(name, path, r->no, e);
	if (rc == 0)
		rc = db_file(name, &octets, e);
	if (rc == 0)
		return file_gone(v, r, path, e);
	if (rc == E_INTEGRITY)
		return bad_segment(v, r, e, "its file is no regular file");
	if (rc < 0)
		return rc;
	file = page_check_file(name, &pages, &of_file);
	v->out->pages += pages;
	if (file == E_STATE)
		return bad_segment(v, r, e, "its file is no segment of a log");
	if (file && file != E_INTEGRITY) {
		*e = of_file;
		return file;
	}
	rc = segment_content(v, r, name, e);
	if (rc == 0 && octets != r->octets)
		rc = bad_segment(v, r, e, "its file was cut or lengthened");
	else if (rc == 0 && file)
		rc = bad_segment(v, r, e, of_file.text);
	else if (rc && file)
		err_wrap(e, "%s", of_file.text);
	/* The file was altered: whatever went wrong comes from that. */
	if (rc && (file || rc == E_INTEGRITY)) {
		err_wrap(e, "segment %llu", (unsigned long long)r->no);
		rc = e->code = E_INTEGRITY;
		if (!v->out->has_bad) {
			v->out->has_bad = !v->point_wrong;
			v->out->bad = r->first;
		}
	}
	return rc;
}

static int each_segment(struct verify *v, const char *path,
			int (*f)(struct verify *v, const struct row *r,
				 const char *path, struct err *e),
			struct err *e)
{
	struct db_stmt *st;
	struct row r = {0};
	int rc = db_prepare(&st, v->db, "SELECT no, first, n, chain, octets,"
			    " pruned FROM segment WHERE no >= ?1 ORDER BY no"
			    " LIMIT 1", e);

	if (rc)
		return rc;
	for (;;) {
		uint64_t no = r.no;

		db_put_u64(st, 1, no + 1);
		rc = db_step(st, e);
		if (rc == 1)
			rc = read_row(st, &r, e) ? E_INTEGRITY : 1;
		/* It is not held while the segment is read. */
		db_reset(st);
		if (rc != 1)
			break;
		rc = 0;
		if (r.no != no + 1)
			rc = bad_segment(v, &r, e, "its number is not the "
					 "next");
		if (rc == 0)
			rc = f(v, &r, path, e);
		if (rc)
			break;
	}
	db_finish(st);
	return rc;
}

int verify_segments(struct verify *v, const char *path, struct err *e)
{
	int rc = each_segment(v, path, place_segment, e);

	v->out->first = v->pruned;
	if (rc == 0 && v->pruned)
		rc = pruned_bundles(v, e);
	if (rc == 0 && v->pruned)
		rc = pruned_boots(v, e);
	if (rc == 0 && v->pruned)
		rc = pruned_records(v, e);
	return rc ? rc : each_segment(v, path, check_segment, e);
}

/* --- at the end --- */

/* Rows of `root`: of what was moved out, and right. */
static int check_roots(struct verify *v, struct tiles *t, struct err *e)
{
	uint64_t want = v->tree.size >> 16 << 8, idx, have = 0;
	struct db_stmt *st;
	struct span hash, hashes;
	int rc = db_prepare(&st, v->db, "SELECT idx, hash FROM root ORDER BY"
			    " idx", e);

	if (rc)
		return rc;
	while ((rc = db_step(st, e)) == 1) {
		if (!db_u64(st, 0, &idx) || !db_span(st, 1, &hash) ||
		    idx >= v->moved / TREE_TILE) {
			rc = verify_wrong_file(e, "a root is damaged");
			break;
		}
		have += idx >= want;
		hashes = span_of(v->tree.tile[1][0], TREE_TILE_OCTETS);
		rc = idx < want ? tiles_get(t, 1, idx / TREE_TILE, &hashes, e)
				: 0;
		if (rc == 0 && !span_eq(hash, span_sub(hashes,
						       idx % TREE_TILE *
							       SHA256_LEN,
						       SHA256_LEN)))
			rc = verify_wrong(v, idx * TREE_TILE, e, "its bundle "
					  "is not what its root says");
		if (rc)
			break;
	}
	db_finish(st);
	if (rc == 0 && v->moved / TREE_TILE > want &&
	    have != v->moved / TREE_TILE - want)
		rc = verify_wrong_file(e, "a root is missing");
	return rc;
}

static int check_way(struct verify *v, struct tiles *t, struct db_stmt *st,
		     struct err *e)
{
	struct proof p = {.n = SEGMENT_WAY};
	uint8_t leaf[SHA256_LEN], root[SHA256_LEN];
	struct span record, way, hashes;
	uint64_t seq, idx;
	int rc;

	if (!db_u64(st, 0, &seq) || !db_span(st, 1, &record))
		return verify_wrong_file(e, "a protected record is damaged");
	idx = seq / TREE_TILE;
	if (!db_span(st, 2, &way) || way.n != SEGMENT_WAY * SHA256_LEN)
		return verify_wrong(v, seq, e, "its way to its bundle's root "
				    "is missing");
	memcpy(p.hash, way.p, way.n);
	tree_leaf(v->h, record, leaf);
	v->ways++;
	rc = tiles_get(t, 1, idx / TREE_TILE, &hashes, e);
	if (rc)
		return rc;
	return proof_leads_to(v->h, &p, seq % TREE_TILE, TREE_TILE, leaf,
			      root) &&
			       span_eq(span_of(root, sizeof(root)),
				       span_sub(hashes,
						idx % TREE_TILE * SHA256_LEN,
						SHA256_LEN))
		       ? 0
		       : verify_wrong(v, seq, e, "its way does not lead to its "
				      "bundle's root");
}

static int check_ways(struct verify *v, struct tiles *t, struct err *e)
{
	struct db_stmt *st;
	int rc = db_prepare(&st, v->db, "SELECT p.seq, p.record, w.hashes FROM"
			    " protected p LEFT JOIN path w ON w.seq = p.seq"
			    " WHERE p.seq < ?1 ORDER BY p.seq", e);

	if (rc)
		return rc;
	db_put_u64(st, 1, v->moved);
	while ((rc = db_step(st, e)) == 1) {
		rc = check_way(v, t, st, e);
		if (rc)
			break;
	}
	db_finish(st);
	return rc;
}

/* What is gone was said to be, in the log itself. */
static int check_said(struct verify *v, struct tiles *t, struct err *e)
{
	struct proof_source s = tiles_source(t);
	const struct said_removal *last = said_last(&v->said);
	uint64_t gone_at = said_at(&v->said, v->pruned);
	uint8_t root[SHA256_LEN];
	int rc;

	if (said_end(&v->said) < v->pruned)
		return verify_wrong(v, said_end(&v->said), e, "it is gone, and "
				    "no record says that it was pruned");
	if (!last)
		return 0;
	/* It is removed when a checkpoint covers the record that says so. */
	if (last->end > v->pruned && last->first == v->pruned)
		v->out->going = last->end;
	else if (last->end > v->pruned)
		return verify_wrong(v, last->at, e, "what it says was pruned "
				    "is there");
	/* Whoever has not the log's key can add a record, too. */
	if (v->pruned && v->points.n && gone_at >= v->points.last)
		return verify_wrong(v, gone_at, e, "what it says was pruned "
				    "is gone, and no checkpoint covers it");
	rc = proof_root(&s, last->end, root, e);
	if (rc == 0 && memcmp(root, last->root, sizeof(root)) != 0)
		rc = verify_wrong(v, last->at, e, "what was pruned had "
				  "another root than it says");
	return rc;
}

int verify_moved(struct verify *v, const char *path, struct err *e)
{
	struct tiles *t;
	int rc = tiles_open(&t, v->db, path, v->h, e);

	if (rc == 0)
		rc = check_roots(v, t, e);
	if (rc == 0)
		rc = check_ways(v, t, e);
	if (rc == 0)
		rc = check_said(v, t, e);
	v->out->checkpoints_pruned = v->points.n_pruned;
	tiles_close(t);
	return rc;
}
