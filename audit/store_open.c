/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/store_own.h"

#include <stdio.h>
#include <stdlib.h>

#include "audit/schema.h"

#define WALK_BUNDLES 4 /* read again when a file is continued */

static int bad_state(struct err *e, const char *what)
{
	return err_set(e, E_INTEGRITY, 0, "the state is not what the log says: "
		       "%s", what);
}

/* EXTRA: the change to WAL has a journal, whose removal must be durable. One
 * that came back with the power would undo all that was committed since. */
static int create(struct store *s, const char *origin, struct err *e)
{
	static const char state[] =
		"INSERT INTO state VALUES(0, ?1, 0, x'', zeroblob(32), 0, 0, 0, 0,"
		" NULL)";
	struct db_stmt *st = NULL;
	int rc;

	_Static_assert(STORE_APPLICATION == 1835483509, "as written below");
	_Static_assert(STORE_SCHEMA == 4, "as written below");
	rc = db_exec(s->db, s->bulk ? "PRAGMA journal_mode = MEMORY;"
				      "PRAGMA synchronous = OFF;"
				      "BEGIN EXCLUSIVE"
				    : "PRAGMA synchronous = EXTRA;"
				      "PRAGMA journal_mode = WAL;"
				      "PRAGMA synchronous = FULL;"
				      "BEGIN EXCLUSIVE", e);
	for (size_t i = 0; rc == 0 && i < N_STORE_SCHEMA; i++)
		rc = db_exec(s->db, store_schema[i], e);
	if (rc == 0)
		rc = db_exec(s->db, "PRAGMA application_id = 1835483509;"
				    "PRAGMA user_version = 4", e);
	if (rc == 0)
		rc = db_prepare(&st, s->db, state, e);
	if (rc == 0) {
		db_put_text(st, 1, span_str(origin));
		rc = db_run(st, e);
	}
	db_finish(st);
	return rc ? rc : db_exec(s->db, "COMMIT", e);
}

int store_identify(struct db *d, bool *fresh, struct err *e)
{
	uint64_t app = 0, version = 0, tables = 0;
	int rc = db_number(d, "PRAGMA application_id", &app, e);

	if (rc == 0)
		rc = db_number(d, "PRAGMA user_version", &version, e);
	if (rc == 0)
		rc = db_number(d, "SELECT count(*) FROM sqlite_schema",
			       &tables, e);
	if (rc)
		return rc;
	if (fresh) {
		*fresh = tables == 0 && app == 0;
		if (*fresh)
			return 0;
	}
	if (app != STORE_APPLICATION)
		return err_set(e, E_STATE, 0, "not an audit database");
	if (version == SEGMENT_SCHEMA)
		return err_set(e, E_STATE, 0, "this is a segment of a log; "
			       "name the log");
	if (version != STORE_SCHEMA)
		return err_set(e, E_STATE, 0, "format %llu is not known here, "
			       "which has %d: read it with the program that "
			       "wrote it, and begin another log",
			       (unsigned long long)version, STORE_SCHEMA);
	return 0;
}

/* Of bundles that were moved out, roots that no tile has yet. */
static int load_roots(struct store *s, uint64_t *want, uint64_t end,
		      struct err *e)
{
	struct db_stmt *st;
	struct span hash;
	uint64_t idx;
	int rc = db_prepare(&st, s->db, "SELECT idx, hash FROM root WHERE"
			    " idx >= ?1 ORDER BY idx", e);

	if (rc)
		return rc;
	db_put_u64(st, 1, *want);
	while ((rc = db_step(st, e)) == 1) {
		if (*want == end || !db_u64(st, 0, &idx) || idx != *want ||
		    !db_span(st, 1, &hash) || hash.n != SHA256_LEN) {
			rc = bad_state(e, "roots");
			break;
		}
		memcpy(s->tree.tile[1][idx & 255], hash.p, SHA256_LEN);
		++*want;
	}
	db_finish(st);
	return rc;
}

/* Roots of the full tiles of the level below fill the tile of this one. */
static int load_level(struct store *s, unsigned level, uint64_t size,
		      struct err *e)
{
	uint64_t below = size >> (8 * level); /* full tiles of level - 1 */
	struct db_stmt *st;
	int rc = db_prepare(&st, s->db, "SELECT idx, data FROM tile WHERE"
			    " level = ?1 AND idx >= ?2 ORDER BY idx", e);
	uint64_t want = below & ~UINT64_C(255), idx;
	struct span data;

	if (rc)
		return rc;
	if (level == 1) {
		rc = load_roots(s, &want, below, e);
		if (rc) {
			db_finish(st);
			return rc;
		}
	}
	db_put_u64(st, 1, level - 1);
	db_put_u64(st, 2, want);
	while ((rc = db_step(st, e)) == 1) {
		if (want == below || !db_u64(st, 0, &idx) || idx != want ||
		    !db_span(st, 1, &data) || data.n != TREE_TILE_OCTETS) {
			rc = bad_state(e, "tiles");
			break;
		}
		tree_tile_root(data, s->tree.tile[level][idx & 255]);
		want++;
	}
	db_finish(st);
	if (rc == 0 && want != below)
		rc = bad_state(e, "a tile is missing");
	return rc;
}

/* One stored bundle, from its row: must be whole, and chain to its head. */
static int load_bundle(struct store *s, struct db_stmt *st, struct err *e)
{
	struct span data, chain;
	uint64_t first, n;

	if (!db_u64(st, 0, &first) || !db_u64(st, 1, &n) ||
	    !db_span(st, 2, &data) || !db_span(st, 3, &chain) ||
	    first != s->first + s->n || n == 0 || n > STORE_BUNDLE ||
	    first % STORE_BUNDLE || data.n > sizeof(s->data) ||
	    chain.n != SHA256_LEN)
		return bad_state(e, "bundles");
	memcpy(s->before, s->head, sizeof(s->before));
	memcpy(s->data, data.p, data.n);
	memcpy(s->head, chain.p, chain.n);
	s->first = first;
	s->n = s->n_stored = (uint32_t)n;
	s->used = data.n;
	return 0;
}

/* Every record of the bundle in memory reads, and has its number. Leaf hashes
 * of a bundle that is not full go into the tree's tile. */
static int check_bundle(struct store *s, struct record_view *v, struct err *e)
{
	struct cur c = cur_of(span_of(s->data, s->used));
	uint8_t head[SHA256_LEN];
	struct span record = {0};
	uint32_t i = 0;
	int rc = 0;

	for (; rc == 0 && store_next(&c, &record); i++) {
		rc = record_decode(v, record, e);
		if (rc == 0 && (i >= s->n || v->r.seq != s->first + i))
			rc = bad_state(e, "a record's number");
		if (rc == 0 && v->r.kind != RECORD_CHECKPOINT) {
			memcpy(s->said, record.p, record.n);
			s->said_n = record.n;
		}
		if (rc == 0 && s->n < STORE_BUNDLE)
			tree_leaf(s->h, record, s->tree.tile[0][i]);
	}
	if (rc) {
		err_wrap(e, "record %llu",
			 (unsigned long long)(s->first + i - 1));
		return e ? e->code = E_INTEGRITY : E_INTEGRITY;
	}
	if (!cur_done(&c) || i != s->n)
		return bad_state(e, "a bundle is damaged");
	s->last_n = record.n;
	s->last_off = s->used - record.n;
	store_chain(s->h, s->before, s->first, s->n,
		    span_of(s->data, s->used), head);
	if (memcmp(head, s->head, sizeof(head)) != 0)
		return bad_state(e, "the chain");
	return 0;
}

/* The last bundles, read again; the very last stays in memory. */
static int load_bundles(struct store *s, struct err *e)
{
	struct record_view *v = malloc(sizeof(*v));
	struct db_stmt *st = NULL;
	uint64_t bundles = 0;
	int rc = v ? 0 : err_set(e, E_NOMEM, 0, "out of memory");

	if (rc == 0)
		rc = db_number(s->db, "SELECT coalesce(max(first) / 256 + 1, 0)"
			       " FROM bundle", &bundles, e);
	if (rc == 0)
		rc = db_prepare(&st, s->db, "SELECT first, n, data, chain"
				" FROM bundle WHERE first >= ?1"
				" ORDER BY first", e);
	if (rc == 0 && bundles > WALK_BUNDLES) {
		/* One before: only for its head. */
		s->first = (bundles - WALK_BUNDLES - 1) * STORE_BUNDLE;
		db_put_u64(st, 1, s->first);
		rc = db_step(st, e);
		rc = rc == 1 ? load_bundle(s, st, e) : bad_state(e, "bundles");
	} else if (rc == 0) {
		db_put_u64(st, 1, 0);
	}
	while (rc == 0 && (rc = db_step(st, e)) == 1) {
		rc = load_bundle(s, st, e);
		if (rc == 0)
			rc = check_bundle(s, v, e);
	}
	db_finish(st);
	free(v);
	return rc;
}

static int compare_state(struct store *s, const char *origin, uint32_t *boot,
			 struct err *e)
{
	uint8_t frontier[TREE_FRONTIER_MAX];
	size_t n = tree_frontier(&s->tree, frontier);
	struct span name, front, chain;
	struct db_stmt *st;
	uint64_t size, last, boots, points;
	int rc = db_prepare(&st, s->db, "SELECT origin, size, frontier, chain,"
			    " boot, (SELECT coalesce(max(number), 0) FROM boot),"
			    " checkpoint, (SELECT coalesce(max(size), 0) FROM"
			    " checkpoint), anchored, commits FROM state", e);

	if (rc)
		return rc;
	rc = db_step(st, e);
	if (rc == 1)
		rc = 0;
	else if (rc == 0)
		rc = bad_state(e, "there is none");
	if (rc == 0 && (!db_text(st, 0, &name) || !db_u64(st, 1, &size) ||
			!db_span(st, 2, &front) || !db_span(st, 3, &chain) ||
			!db_u64(st, 4, &last) || !db_u64(st, 5, &boots) ||
			!db_u64(st, 6, &s->checkpoint) ||
			!db_u64(st, 7, &points) ||
			!db_u64(st, 8, &s->anchored) ||
			!db_u64(st, 9, &s->commits) || last > UINT32_MAX))
		rc = bad_state(e, "types");
	if (rc == 0 && last != boots)
		rc = bad_state(e, "boot");
	if (rc == 0 && (s->checkpoint != points || points > size ||
			s->anchored > points))
		rc = bad_state(e, "checkpoints");
	if (rc == 0 && size != s->tree.size)
		rc = bad_state(e, "size");
	if (rc == 0 && !span_eq(front, span_of(frontier, n)))
		rc = bad_state(e, "frontier");
	if (rc == 0 && !span_eq(chain, span_of(s->head, sizeof(s->head))))
		rc = bad_state(e, "chain head");
	if (rc == 0 && origin && !span_is(name, origin))
		rc = err_set(e, E_STATE, 0, "the log is of another origin");
	if (rc == 0)
		*boot = (uint32_t)last;
	db_finish(st);
	return rc;
}

/* 1: that boot had this key; 0: it had another. take: then it is ours. */
static int same_key(struct store *s, uint32_t boot, bool take, struct err *e)
{
	struct db_stmt *st;
	struct span key;
	int rc = db_prepare(&st, s->db, "SELECT key FROM boot WHERE number = ?1",
			    e);

	if (rc)
		return rc;
	db_put_u64(st, 1, boot);
	rc = db_step(st, e);
	if (rc == 0 || (rc == 1 && (!db_span(st, 0, &key) || key.n != 32)))
		rc = bad_state(e, "the boot's key");
	if (rc == 1 && take)
		memcpy(s->key, key.p, key.n);
	if (rc == 1)
		rc = span_eq(key, span_of(s->key, sizeof(s->key)));
	db_finish(st);
	return rc;
}

static int choose_boot(struct store *s, uint32_t last, uint32_t boot,
		       struct err *e)
{
	bool take = boot == STORE_BOOT_LAST;
	bool resume = boot == STORE_BOOT_RESUME || take;
	int rc;

	s->boot = boot && !resume ? boot : last + 1;
	if (s->boot < last || s->boot == 0)
		return err_set(e, E_STATE, 0, "boot %u is before boot %u",
			       s->boot, last);
	if (last == 0 || (s->boot > last && !resume))
		return 0;
	rc = same_key(s, last, take, e);
	if (rc < 0)
		return rc;
	s->boot_known = rc == 1;
	if (rc == 1)
		s->boot = last;
	else if (!resume)
		return err_set(e, E_STATE, 0, "boot %u had another key",
			       s->boot);
	return 0;
}

static int continue_file(struct store *s, const char *origin, uint32_t boot,
			 struct err *e)
{
	uint64_t size;
	uint32_t last = 0;
	int rc = load_bundles(s, e);

	if (rc)
		return rc;
	size = s->first + s->n;
	for (unsigned level = 1; rc == 0 && level < TREE_LEVELS; level++)
		rc = load_level(s, level, size, e);
	if (rc)
		return rc;
	tree_restore(&s->tree, size);
	rc = compare_state(s, origin, &last, e);
	if (rc == 0)
		rc = choose_boot(s, last, boot, e);
	if (rc == 0)
		rc = store_load_segments(s, e);
	if (rc == 0)
		rc = tally_load(&s->open, s->db, e);
	if (rc == 0)
		rc = tally_check(&s->open, s->h, s->db, s->path, e);
	if (rc == 0 && s->n == STORE_BUNDLE) {
		s->live += s->used;
		/* Full: the next record begins another. The octets stay in
		 * data for store_last. */
		memcpy(s->before, s->head, sizeof(s->before));
		s->first += STORE_BUNDLE;
		s->n = s->n_stored = 0;
		s->used = 0;
	}
	return rc;
}

static int prepare(struct store *s, struct err *e)
{
	const struct {
		struct db_stmt **st;
		const char *sql;
	} rows[] = {
		{&s->begin, "BEGIN IMMEDIATE"},
		{&s->commit, "COMMIT"},
		{&s->insert, "INSERT INTO bundle VALUES(?1, ?2, ?3, ?4, 0)"},
		{&s->grow, "UPDATE bundle SET n = ?2, data = ?3, chain = ?4"
			   " WHERE first = ?1"},
		{&s->tile, "INSERT INTO tile VALUES(?1, ?2, ?3)"},
		{&s->state, "UPDATE state SET size = ?1, frontier = ?2,"
			    " chain = ?3, boot = ?4, checkpoint = ?5,"
			    " anchored = ?6, commits = ?7, tally = ?8"},
		{&s->keep, "INSERT INTO protected VALUES(?1, ?2, ?3)"},
		{&s->boot_row, "INSERT INTO boot VALUES(?1, ?2, ?3)"},
		{&s->point, "INSERT INTO checkpoint(size, note, pcr_anchor,"
			    " counter, wall, open)"
			    " VALUES(?1, ?2, ?3, ?4, ?5, ?6)"},
		{&s->pointed, "UPDATE checkpoint SET open = NULL"
			      " WHERE size = ?1"},
		{&s->tally, "INSERT OR REPLACE INTO tally VALUES(?1, ?2)"},
		{&s->tallied, "DELETE FROM tally WHERE slot = ?1"},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++)
		rc = db_prepare(rows[i].st, s->db, rows[i].sql, e);
	return rc;
}

static int open_file(struct store *s, const char *path, const char *origin,
		     uint32_t boot, struct err *e)
{
	bool fresh;
	int rc = db_open(&s->db, path, DB_WRITE, e);

	/* What a statement may have to undo stays in memory: the writer need
	 * not be able to make files anywhere else. */
	if (rc == 0)
		rc = db_exec(s->db, "PRAGMA page_size = 4096;"
				    "PRAGMA temp_store = MEMORY;"
				    "PRAGMA synchronous = FULL;"
				    "PRAGMA wal_autocheckpoint = 256;"
				    "PRAGMA journal_size_limit = 4194304", e);
	/* A writer that appends looks at nothing twice: a live one needs room
	 * for a commit, no more. */
	if (rc == 0 && !s->bulk)
		rc = db_exec(s->db, "PRAGMA cache_size = -768", e);
	if (rc == 0)
		rc = store_identify(s->db, &fresh, e);
	if (rc == 0 && !fresh && s->bulk)
		rc = err_set(e, E_EXISTS, 0, "the file exists");
	if (rc == 0 && fresh)
		rc = create(s, origin, e);
	if (rc == 0)
		rc = continue_file(s, fresh ? NULL : origin, boot, e);
	return rc ? rc : prepare(s, e);
}

int store_open(struct store **out, const char *path, const char *origin,
	       uint32_t boot, const uint8_t key[32], bool bulk, struct err *e)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc;

	*out = NULL;
	if (!s || !(s->h = sha256_new())) {
		free(s);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	tree_init(&s->tree, s->h);
	s->tree.full = store_put_tile;
	s->tree.arg = s;
	memcpy(s->key, key, sizeof(s->key));
	s->bulk = bulk;
	if (snprintf(s->path, sizeof(s->path), "%s", path) >=
	    (int)sizeof(s->path)) {
		sha256_free(s->h);
		free(s);
		return err_set(e, E_LIMIT, 0, "the name is too long");
	}
	rc = open_file(s, path, origin, boot, e);
	if (rc) {
		s->failed = true;
		if (store_close(s, NULL))
			return rc;
		return rc;
	}
	*out = s;
	return 0;
}
