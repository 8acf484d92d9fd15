/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/page.h"
#include "audit/tally.h"
#include "audit/verify_own.h"
#include "audit/verify_schema.h"

#define BUNDLES 8  /* read in one transaction */
#define PASSES	16 /* over what came during the one before */
#define ASIDE_LEAST_NS 1000000
#define ASIDE_MOST_NS  250000000

int verify_wrong(struct verify *v, uint64_t seq, struct err *e,
		 const char *what)
{
	return verify_bad(v->out, seq, e, what);
}

int verify_wrong_file(struct err *e, const char *what)
{
	return err_set(e, E_INTEGRITY, 0, "%s", what);
}

int verify_structure(struct db *d, struct err *e)
{
	struct db_stmt *st;
	struct span text;
	int rc = db_prepare(&st, d, "PRAGMA integrity_check(1)", e);

	if (rc)
		return rc;
	rc = db_step(st, e);
	if (rc == 1)
		rc = db_text(st, 0, &text) && span_is(text, "ok")
			     ? 0
			     : err_set(e, E_INTEGRITY, 0, "sqlite: %.*s",
				       (int)(text.n < 160 ? text.n : 160),
				       (const char *)text.p);
	db_finish(st);
	return rc;
}

/* The tree completed a tile: it must be the stored one. */
static int check_tile(void *arg, unsigned level, uint64_t idx,
		      struct span hashes, struct err *e)
{
	struct verify *v = arg;
	uint64_t covers = UINT64_C(1) << (8 * level), i = 0;
	struct span data = {0};
	int rc;

	/* Of what was moved out leaves have none (segment.h). */
	if (level == 0 && idx * TREE_TILE < v->moved)
		return 0;
	v->tiles++;
	db_put_u64(v->tile, 1, level);
	db_put_u64(v->tile, 2, idx);
	rc = db_step(v->tile, e);
	if (rc == 1) {
		rc = 0;
		if (!db_span(v->tile, 0, &data) || data.n != hashes.n) {
			rc = verify_wrong_file(e, "a tile is damaged");
		} else if (!span_eq(data, hashes)) {
			while (span_eq(span_sub(data, i * SHA256_LEN,
						SHA256_LEN),
				       span_sub(hashes, i * SHA256_LEN,
						SHA256_LEN)))
				i++;
			rc = verify_wrong(v, (idx * TREE_TILE + i) * covers, e,
				   level ? "it or one behind it is not what "
					   "the tree's tile says"
					 : "it is not what the tree's tile "
					   "says");
		}
	} else if (rc == 0) {
		rc = verify_wrong(v, idx * TREE_TILE * covers, e, "its tile is "
			   "missing");
	}
	db_reset(v->tile);
	return rc;
}

/* A record of another boot than the one before: it must be the next boot, and
 * this record its first. */
static int enter_boot(struct verify *v, uint64_t seq, struct err *e)
{
	struct span key;
	uint64_t first;
	int rc;

	db_put_u64(v->boot_row, 1, v->rules.view.r.boot);
	rc = db_step(v->boot_row, e);
	if (rc == 0)
		rc = verify_wrong(v, seq, e, "its boot is not known");
	else if (rc == 1)
		rc = !db_u64(v->boot_row, 0, &first) || first != seq ||
				     !db_span(v->boot_row, 1, &key) ||
				     key.n != 32
			     ? verify_wrong(v, seq, e, "its boot began elsewhere")
			     : 0;
	if (rc == 0)
		verify_boot(&v->rules, v->rules.view.r.boot, key.p);
	db_reset(v->boot_row);
	return rc;
}

static int check_kept(struct verify *v, uint64_t seq, struct span record,
		      struct err *e)
{
	struct span copy;
	uint64_t kind;
	int rc;

	v->kept++;
	db_put_u64(v->keep, 1, seq);
	rc = db_step(v->keep, e);
	if (rc == 0)
		rc = verify_wrong(v, seq, e, "its protected copy is missing");
	else if (rc == 1)
		rc = db_u64(v->keep, 0, &kind) && db_span(v->keep, 1, &copy) &&
				     kind == v->rules.view.r.kind &&
				     span_eq(copy, record)
			     ? 0
			     : verify_wrong(v, seq, e, "its protected copy differs");
	db_reset(v->keep);
	return rc;
}

/* Behind which checkpoint a boot or another checkpoint goes on. A checkpoint of
 * an older program does not say. */
static int check_named(struct verify *v, uint64_t seq, struct err *e)
{
	static const struct event_log none;
	const struct event_log *l = v->rules.view.ev.log;

	l = l ? l : &none;
	if (l->point == 0 && v->rules.view.r.kind == RECORD_CHECKPOINT)
		return 0;
	/* It is about all behind that one: no more, no less. */
	if (l->withdrawn && l->withdrawn != seq - l->point)
		return verify_wrong(v, seq, e, "it withdraws others than those "
				    "behind the last checkpoint");
	if (!points_named(&v->points, l->point, l->point_text))
		return verify_wrong(v, seq, e, "the checkpoint that it names "
				    "is not the last before it");
	verify_start(&v->rules);
	return 0;
}

/* Records before `end`, all of one bundle. */
static int into_tree(struct verify *v, uint64_t end, struct err *e)
{
	uint64_t at = v->tree.size;

	if (at >= end)
		return 0;
	return tree_add_leaves(&v->tree,
			       span_of(v->digests.leaf[at - v->rules.first],
				       (end - at) * SHA256_LEN), e);
}

static int check_point(struct verify *v, bool sealed, struct err *e)
{
	struct points_sealed said = verify_sealed(&v->rules);
	uint8_t root[SHA256_LEN];
	uint64_t bad;
	int rc;

	tree_root(&v->tree, root);
	rc = points_reach(&v->points, v->tree.size, root,
			  sealed ? &said : NULL, &bad, e);
	v->point_wrong = rc && bad == UINT64_MAX;
	if (rc && bad != UINT64_MAX) {
		v->out->has_bad = true;
		v->out->bad = bad;
	}
	return rc;
}

static int check_record(struct verify *v, uint64_t seq, struct span record,
			struct err *e)
{
	struct verify_rules *rules = &v->rules;
	const struct record *r = &rules->view.r;
	int rc = verify_read(rules, seq, record, e);

	if (rc == 0 && verify_boots(rules))
		rc = enter_boot(v, seq, e);
	if (rc == 0)
		rc = verify_follows(rules, seq, e);
	if (rc)
		return rc;
	if (r->flags & RECORD_PROTECTED)
		rc = check_kept(v, seq, record, e);
	if (rc == 0 && r->kind == RECORD_EXPORT)
		rc = verify_removal(v, seq, &rules->view, e);
	if (rc == 0 &&
	    (r->kind == RECORD_BOOT || r->kind == RECORD_CHECKPOINT ||
	     (v->rules.view.ev.log && v->rules.view.ev.log->withdrawn)))
		rc = check_named(v, seq, e);
	if (rc)
		return rc;
	if (r->kind != RECORD_CHECKPOINT && points_next(&v->points) != seq + 1)
		return 0;
	rc = into_tree(v, seq + 1, e);
	return rc ? rc : check_point(v, r->kind == RECORD_CHECKPOINT, e);
}

/* First record of the first subtree that is another in the state's frontier
 * than in ours. */
static uint64_t first_doubtful(const struct verify *v, const struct state *s)
{
	uint8_t ours[TREE_FRONTIER_MAX];
	size_t n = tree_frontier(&v->tree, ours), i = 0;
	uint64_t seq = 0;

	for (unsigned b = 64; b-- > 0;) {
		uint64_t bit = UINT64_C(1) << b;

		if ((s->size ^ v->tree.size) & bit)
			break;
		if (!(s->size & bit))
			continue;
		if (!span_eq(span_sub(s->frontier, i, SHA256_LEN),
			     span_sub(span_of(ours, n), i, SHA256_LEN)))
			break;
		seq += bit;
		i += SHA256_LEN;
	}
	return seq;
}

/* Record seq is wrong, of the bundle in hand: perhaps one before it in there,
 * which makes it so, and of which the tile knows. */
static void blame(struct verify *v, uint64_t seq, struct err *e)
{
	uint64_t first = v->rules.first, i = 0;
	struct span data;

	db_put_u64(v->tile, 1, 0);
	db_put_u64(v->tile, 2, first / TREE_TILE);
	if (db_step(v->tile, NULL) == 1 && db_span(v->tile, 0, &data) &&
	    data.n == TREE_TILE_OCTETS) {
		while (i < seq - first &&
		       span_eq(span_of(v->digests.leaf[i], SHA256_LEN),
			       span_sub(data, i * SHA256_LEN, SHA256_LEN)))
			i++;
		if (i < seq - first)
			verify_wrong(v, first + i, e, "it is not what the "
				     "tree's tile says");
	}
	db_reset(v->tile);
}

static int check_bundle(struct verify *v, struct db_stmt *st, struct err *e)
{
	uint64_t first, n, seg, seq = v->tree.size;
	uint8_t head[SHA256_LEN];
	struct span data, chain, record;
	struct err later = {0};
	struct cur c;
	int rc = 0, put;

	if (!db_u64(st, 0, &first) || !db_u64(st, 1, &n) ||
	    !db_span(st, 2, &data) || !db_span(st, 3, &chain) ||
	    !db_u64(st, 4, &seg) || n < 1 || n > STORE_BUNDLE || seg != 0)
		return verify_wrong(v, seq, e, "its bundle is damaged");
	if (first != seq || first % STORE_BUNDLE)
		return verify_wrong(v, seq, e, "its bundle is missing");
	c = cur_of(data);
	v->rules.first = first;
	store_digests(&v->digests, data);
	while (seq < first + n) {
		v->rules.before = span_sub(data, 0, c.off);
		if (!store_next(&c, &record))
			break;
		rc = check_record(v, seq, record, e);
		if (rc)
			break;
		seq++;
	}
	if (rc == E_INTEGRITY)
		blame(v, seq, e);
	put = into_tree(v, seq, rc ? &later : e);
	if (rc || put)
		return rc ? rc : put;
	if (seq != first + n || !cur_done(&c))
		return verify_wrong(v, seq, e, "its bundle is damaged");
	store_chain_of(v->h, v->rules.head, first, (uint32_t)n, v->digests.all, head);
	memcpy(v->rules.head, head, sizeof(head));
	v->out->records = v->tree.size;
	return span_eq(chain, span_of(head, sizeof(head)))
		       ? 0
		       : err_set(e, E_INTEGRITY, 0,
				 "records %llu to %llu: the chain of bundles "
				 "does not fit", (unsigned long long)first,
				 (unsigned long long)(first + n - 1));
}

static int take_state(struct verify *v, struct db_stmt *st, struct err *e)
{
	struct state *s = &v->state;
	struct span origin, frontier, chain;
	uint64_t id;

	if (!db_u64(st, 0, &id) || id != 0 || !db_text(st, 1, &origin) ||
	    origin.n > NOTE_NAME_MAX || !db_u64(st, 2, &s->size) ||
	    !db_span(st, 3, &frontier) || !db_span(st, 4, &chain) ||
	    frontier.n > sizeof(s->octets) || chain.n != sizeof(s->chain) ||
	    !db_u64(st, 5, &s->boot) || !db_u64(st, 6, &s->checkpoint) ||
	    !db_u64(st, 7, &s->anchored) || !db_u64(st, 8, &s->moves))
		return verify_wrong_file(e, "the state is damaged");
	if (frontier.n)
		memcpy(s->octets, frontier.p, frontier.n);
	s->frontier = span_of(s->octets, frontier.n);
	memcpy(s->chain, chain.p, chain.n);
	memcpy(v->origin, origin.p, origin.n);
	v->origin[origin.n] = '\0';
	return 0;
}

static int read_state(struct verify *v, struct err *e)
{
	struct db_stmt *st = NULL;
	uint64_t rows;
	int rc = db_number(v->db, "SELECT count(*) FROM state", &rows, e);

	if (rc == 0 && rows != 1)
		rc = verify_wrong_file(e, "the state is missing");
	if (rc == 0)
		rc = db_prepare(&st, v->db, "SELECT id, origin, size,"
				" frontier, chain, boot, checkpoint, anchored,"
				" (SELECT count(*) + coalesce(sum(pruned), 0)"
				" FROM segment) FROM state", e);
	if (rc)
		return rc;
	rc = db_step(st, e);
	if (rc == 1)
		rc = take_state(v, st, e);
	else if (rc == 0)
		rc = verify_wrong_file(e, "the state is missing");
	db_finish(st);
	return rc;
}

static int64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* A writer begins its WAL anew only when nobody reads from it just then: who
 * reads all the time has to stand aside for a fifth of it. */
static void stand_aside(struct verify *v)
{
	int64_t ns = (clock_ns() - v->since_ns) / 4;
	struct timespec t = {0, ns < ASIDE_LEAST_NS  ? ASIDE_LEAST_NS
				: ns > ASIDE_MOST_NS ? ASIDE_MOST_NS
						     : (long)ns};

	if (db_shared(v->db))
		nanosleep(&t, NULL);
	v->since_ns = clock_ns();
}

int verify_renew(struct verify *v, struct err *e)
{
	uint64_t moves = v->state.moves;
	int rc = db_exec(v->db, "COMMIT", e);

	stand_aside(v);
	if (rc == 0)
		rc = db_exec(v->db, "BEGIN", e);
	if (rc == 0)
		rc = read_state(v, e);
	if (rc == 0 && v->state.moves != moves)
		rc = err_set(e, E_STATE, 0, "records were moved out or pruned "
			     "while it was read; try again");
	return rc ? rc : points_look(&v->points, e);
}

static int check_state(struct verify *v, struct err *e)
{
	const struct state *s = &v->state;
	uint8_t frontier[TREE_FRONTIER_MAX];
	size_t n = tree_frontier(&v->tree, frontier);

	if (s->size > v->tree.size)
		return verify_wrong(v, v->tree.size, e, "it is missing: the log was "
			     "cut");
	if (s->size < v->tree.size)
		return verify_wrong(v, s->size, e, "it is behind the end that the "
			     "state says");
	if (!span_eq(s->frontier, span_of(frontier, n)))
		return verify_wrong(v, first_doubtful(v, s), e,
			     "it or one behind it is not in the state's tree");
	if (memcmp(s->chain, v->rules.head, sizeof(v->rules.head)) != 0)
		return verify_wrong_file(e, "the state's chain head does not fit");
	if (s->boot != v->rules.boot)
		return verify_wrong_file(e, "the state's boot is not the last");
	if (s->checkpoint != v->points.last)
		return verify_wrong_file(e, "the state's checkpoint is not the last");
	if (s->anchored > s->checkpoint)
		return verify_wrong_file(e, "the state names an anchor behind the last "
				  "checkpoint");
	return 0;
}

/* What is counted and no record yet. */
static int check_open(struct verify *v, const char *path, struct err *e)
{
	struct tally_set set = {0};
	int rc = tally_load(&set, v->db, e);

	if (rc == 0)
		rc = tally_check(&set, v->h, v->db, path, e);
	tally_fini(&set);
	return rc;
}

/* No table holds more than the log accounts for. */
static int check_counts(struct verify *v, struct err *e)
{
	const struct {
		const char *sql, *what;
		uint64_t want;
	} rows[] = {
		{"SELECT count(*) FROM tile", "tiles", v->tiles},
		{"SELECT count(*) FROM protected", "protected records",
		 v->kept},
		{"SELECT count(*) FROM path", "ways of protected records",
		 v->ways},
		{"SELECT count(*) FROM boot", "boots", v->out->boots},
		{"SELECT count(*) FROM checkpoint", "checkpoints",
		 v->points.n},
	};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t n;

		rc = db_number(v->db, rows[i].sql, &n, e);
		if (rc == 0 && n != rows[i].want)
			rc = err_set(e, E_INTEGRITY, 0,
				     "%s: %llu are there, %llu belong there",
				     rows[i].what, (unsigned long long)n,
				     (unsigned long long)rows[i].want);
	}
	return rc;
}

/* Where in a bundle that is wrong: the chain names a range, the frontier less
 * of it. */
static void place_bad(struct verify *v, uint64_t first)
{
	uint64_t doubtful = first_doubtful(v, &v->state);

	if (!v->out->has_bad && doubtful > first && doubtful < v->tree.size)
		first = doubtful;
	if (!v->out->has_bad)
		v->out->bad = first;
	v->out->has_bad |= !v->point_wrong;
}

/* Some bundles from *from on: 1, there may be more; 0, these were the last. */
static int some_bundles(struct verify *v, struct db_stmt *st, uint64_t *from,
			struct err *e)
{
	unsigned n = 0;
	uint64_t begun;
	int rc;

	db_put_u64(st, 1, *from);
	db_put_u64(st, 2, BUNDLES);
	while ((rc = db_step(st, e)) == 1) {
		uint64_t first = v->tree.size;

		if (db_u64(st, 0, &begun))
			*from = begun + 1;
		rc = check_bundle(v, st, e);
		if (rc) {
			place_bad(v, first);
			break;
		}
		n++;
		if (v->progress)
			v->progress(v->arg, v->tree.size, v->state.size);
	}
	db_reset(st);
	return rc < 0 ? rc : n == BUNDLES;
}

/* Of what came since the beginning the rest is read without, so that there is
 * an end, however fast the log grows. */
static int let_go(struct verify *v, struct err *e)
{
	bool held = v->tree.size >= v->until && v->passes == PASSES;
	int rc;

	if (!db_shared(v->db)) /* nobody waits for it */
		return 0;
	rc = held ? 0 : verify_renew(v, e);
	if (v->tree.size >= v->until && !held) {
		v->until = v->state.size;
		v->passes++;
	}
	return rc;
}

int verify_walk(struct verify *v, struct db *d, struct err *e)
{
	struct db_stmt *st;
	uint64_t from = 0;
	int rc = db_prepare(&st, d, d == v->db
			    ? "SELECT first, n, data, chain, seg FROM bundle"
			      " WHERE first >= ?1 ORDER BY first LIMIT ?2"
			    : "SELECT first, n, data, chain, 0 FROM bundle"
			      " WHERE first >= ?1 ORDER BY first LIMIT ?2", e);

	if (rc)
		return rc;
	/* A bundle that is not full is the last one, of this transaction. */
	while ((rc = some_bundles(v, st, &from, e)) == 1 &&
	       v->tree.size % STORE_BUNDLE == 0) {
		rc = let_go(v, e);
		if (rc)
			break;
	}
	db_finish(st);
	return rc < 0 ? rc : 0;
}

static int prepare(struct verify *v, struct err *e)
{
	int rc = db_exec(v->db, "PRAGMA cell_size_check = ON; BEGIN", e);

	if (rc == 0)
		rc = db_prepare(&v->tile, v->db, "SELECT data FROM tile"
				" WHERE level = ?1 AND idx = ?2", e);
	if (rc == 0)
		rc = db_prepare(&v->keep, v->db, "SELECT kind, record FROM"
				" protected WHERE seq = ?1", e);
	if (rc == 0)
		rc = db_prepare(&v->boot_row, v->db, "SELECT first, key FROM"
				" boot WHERE number = ?1", e);
	return rc;
}

/* Before the state: who holds a checkpoint is told by it that the log was cut,
 * also where the state was cut with it. */
static int check_points_end(struct verify *v, struct err *e)
{
	uint64_t bad;
	int rc = points_end(&v->points, v->tree.size, &bad, e);

	v->out->checkpoints = v->points.n;
	v->out->checkpoint = v->points.last;
	v->out->anchored = v->points.anchor.begun ||
			   v->points.late.size > v->points.last;
	v->out->announced = v->points.late.size > v->points.last
				    ? v->points.late.size
				    : 0;
	points_tell(&v->points, v->out->thinned, &v->out->n_thinned);
	v->out->has_cosigned = v->points.has_cosigned;
	v->out->cosigned = v->points.cosigned;
	if (rc && bad != UINT64_MAX) {
		v->out->has_bad = true;
		v->out->bad = bad;
	}
	return rc;
}

static int check_content(struct verify *v, const char *path,
			 struct err *e)
{
	struct err ignored;
	uint64_t bad;
	int rc = db_open(&v->db, path, DB_READ, e);

	if (rc == 0)
		rc = db_map(v->db, e);
	if (rc == 0)
		rc = store_identify(v->db, NULL, e);
	if (rc == 0)
		rc = verify_schema(v->db, e);
	if (rc == 0)
		rc = prepare(v, e);
	if (rc == 0)
		rc = read_state(v, e);
	v->until = v->state.size;
	v->since_ns = clock_ns();
	if (rc == 0)
		rc = points_open(&v->points, v->db, v->origin, v->conf, e);
	if (rc == 0 && points_next(&v->points) == 0)
		rc = check_point(v, false, e);
	if (rc == 0)
		rc = verify_segments(v, path, e);
	if (rc == 0)
		rc = verify_walk(v, v->db, e);
	if (rc == 0)
		rc = check_points_end(v, e);
	if (rc == 0)
		rc = check_state(v, e);
	if (rc == 0)
		rc = verify_moved(v, path, e);
	if (rc == 0)
		rc = check_counts(v, e);
	if (rc == 0)
		rc = check_open(v, path, e);
	/* By itself: it reads the whole file. */
	if (rc == 0)
		rc = db_exec(v->db, "COMMIT", e);
	if (rc == 0)
		rc = verify_structure(v->db, e);
	rc = points_whole(&v->points, rc, &bad, e);
	if (rc && bad != UINT64_MAX) {
		v->out->has_bad = true;
		v->out->bad = bad;
	}
	v->out->size = v->state.size;
	memcpy(v->out->missing, v->points.missing, sizeof(v->out->missing));
	v->out->n_missing = v->points.n_missing;
	if (rc && db_disturbed(v->db))
		rc = err_set(e, E_STATE, 0, "it was opened for writing while "
					    "it was read; try again");
	points_close(&v->points);
	db_finish(v->tile);
	db_finish(v->keep);
	db_finish(v->boot_row);
	if (db_close(v->db, &ignored) && rc == 0)
		rc = err_set(e, E_IO, 0, "%s", ignored.text);
	return rc;
}

int verify_file(const char *path, const struct points_conf *points,
		struct verify_result *out,
		void (*progress)(void *arg, uint64_t done, uint64_t total),
		void *arg, struct err *e)
{
	static const struct points_conf nothing = {0};
	struct verify *v = calloc(1, sizeof(*v));
	struct err pages = {0};
	int rc, file;

	memset(out, 0, sizeof(*out));
	if (!v || !(v->h = sha256_new())) {
		free(v);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	v->out = v->rules.out = out;
	v->rules.h = v->h;
	v->conf = points ? points : &nothing;
	tree_init(&v->tree, v->h);
	v->progress = progress;
	v->arg = arg;
	v->tree.full = check_tile;
	v->tree.arg = v;
	file = page_check_file(path, &out->pages, &pages);
	if (file && file != E_INTEGRITY) {
		*e = pages;
		rc = file;
		goto out;
	}
	rc = check_content(v, path, e);
	memcpy(out->origin, v->origin, sizeof(out->origin));
	tree_root(&v->tree, out->root);
	if (file == 0)
		goto out;
	/* The file was altered: whatever else went wrong comes from that. */
	rc = rc ? err_wrap(e, "%s", pages.text) : 0;
	if (rc == 0)
		*e = pages;
	rc = e->code = E_INTEGRITY;
out:
	sha256_free(v->h);
	free(v);
	return rc;
}
