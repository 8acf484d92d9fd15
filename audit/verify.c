/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/verify.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "audit/page.h"
#include "audit/tally.h"
#include "audit/verify_own.h"
#include "audit/verify_schema.h"

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

/* First record of the first subtree that is another in the state's frontier
 * than in ours. */
uint64_t verify_doubtful(const struct verify *v, const struct state *s)
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
		return verify_wrong(v, verify_doubtful(v, s), e,
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
		rc = verify_point(v, false, e);
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
	out->salts = true;
	v->rules.h = v->h;
	v->conf = points ? points : &nothing;
	tree_init(&v->tree, v->h);
	v->progress = progress;
	v->arg = arg;
	v->tree.full = verify_tile;
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
