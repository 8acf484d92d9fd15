/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/store_own.h"

#include <assert.h>
#include <stdlib.h>

void store_chain_of(struct sha256 *h, const uint8_t before[SHA256_LEN],
		    uint64_t first, uint32_t count,
		    const uint8_t all[SHA256_LEN], uint8_t out[SHA256_LEN])
{
	uint8_t in[1 + SHA256_LEN + 8 + 4 + SHA256_LEN];
	struct wbuf w = wbuf_of(in, sizeof(in));

	wbuf_u8(&w, 2);
	wbuf_put(&w, span_of(before, SHA256_LEN));
	wbuf_be(&w, first, 8);
	wbuf_be(&w, count, 4);
	wbuf_put(&w, span_of(all, SHA256_LEN));
	sha256_begin(h);
	sha256_add(h, wbuf_span(&w));
	sha256_end(h, out);
}

void store_chain(struct sha256 *h, const uint8_t before[SHA256_LEN],
		 uint64_t first, uint32_t count, struct span bundle,
		 uint8_t out[SHA256_LEN])
{
	uint8_t all[SHA256_LEN];

	sha256_begin(h);
	sha256_add(h, bundle);
	sha256_end(h, all);
	store_chain_of(h, before, first, count, all, out);
}

/* All of them beside the leaves, which are as much to hash: neither waits for
 * the other (sha256_jobs). */
void store_digests(struct store_digests *d, struct span bundle)
{
	struct sha256_job jobs[1 + STORE_BUNDLE];
	struct cur c = cur_of(bundle);
	struct span record;
	size_t n = 0;

	jobs[n++] = (struct sha256_job){.s = bundle, .out = d->all};
	while (n <= STORE_BUNDLE && store_next(&c, &record)) {
		jobs[n] = (struct sha256_job){.prefixed = true, .s = record,
					      .out = d->leaf[n - 1]};
		n++;
	}
	sha256_jobs(jobs, n);
}

bool store_next(struct cur *c, struct span *record)
{
	if (cur_left(c) == 0)
		return false;
	*record = cur_take(c, cur_u16(c));
	return cur_ok(c);
}

/* --- writing --- */

/* The first failure is told; what follows only says that there was one. */
int store_usable(struct store *s, struct err *e)
{
	if (s->failed)
		return err_set(e, E_STATE, 0,
			       "the audit stopped at an earlier failure");
	return 0;
}

int store_lost(struct store *s, int rc)
{
	s->failed = true;
	return rc;
}

int store_begin(struct store *s, struct err *e)
{
	int rc;

	if (s->in_txn)
		return 0;
	rc = db_run(s->begin, e);
	s->in_txn = rc == 0;
	return rc;
}

int store_put_boot(struct store *s, struct err *e)
{
	if (s->boot_known)
		return 0;
	s->boot_known = true;
	db_put_u64(s->boot_row, 1, s->boot);
	db_put_u64(s->boot_row, 2, s->tree.size);
	db_put_span(s->boot_row, 3, span_of(s->key, sizeof(s->key)));
	return db_run(s->boot_row, e);
}

/* sqlite's tables take numbers below 2^63 only: the tree asserts that. */
int store_put_tile(void *arg, unsigned level, uint64_t idx,
		   struct span hashes, struct err *e)
{
	struct store *s = arg;

	db_put_u64(s->tile, 1, level);
	db_put_u64(s->tile, 2, idx);
	db_put_span(s->tile, 3, hashes);
	return db_run(s->tile, e);
}

static int put_bundle(struct store *s, struct err *e)
{
	struct db_stmt *st = s->n_stored ? s->grow : s->insert;
	struct span data = span_of(s->data, s->used);

	if (s->n == s->n_stored)
		return 0;
	store_chain(s->h, s->before, s->first, s->n, data, s->head);
	db_put_u64(st, 1, s->first);
	db_put_u64(st, 2, s->n);
	db_put_span(st, 3, data);
	db_put_span(st, 4, span_of(s->head, sizeof(s->head)));
	s->n_stored = s->n;
	return db_run(st, e);
}

static int next_bundle(struct store *s, struct err *e)
{
	int rc = put_bundle(s, e);

	memcpy(s->before, s->head, sizeof(s->before));
	s->first += STORE_BUNDLE;
	s->n = s->n_stored = 0;
	s->live += s->used;
	s->used = 0;
	return rc;
}

static int keep(struct store *s, uint64_t seq, uint8_t kind, struct span record,
		struct err *e)
{
	db_put_u64(s->keep, 1, seq);
	db_put_u64(s->keep, 2, kind);
	db_put_span(s->keep, 3, record);
	return db_run(s->keep, e);
}

static int add(struct store *s, struct span record, uint16_t flags,
	       uint8_t kind, struct err *e)
{
	uint64_t seq = s->tree.size;
	struct wbuf w = wbuf_of(s->data, sizeof(s->data));
	uint8_t leaf[SHA256_LEN];
	int rc = store_begin(s, e);

	if (rc == 0)
		rc = store_put_boot(s, e);
	if (rc)
		return rc;
	w.n = s->used;
	wbuf_be(&w, record.n, 2);
	wbuf_put(&w, record);
	assert(!w.failed && record.n <= RECORD_MAX);
	s->used = w.n;
	s->n++;
	tree_leaf(s->h, record, leaf);
	rc = tree_add(&s->tree, leaf, e);
	if (rc == 0 && flags & RECORD_PROTECTED)
		rc = keep(s, seq, kind, record, e);
	if (rc == 0 && s->n == STORE_BUNDLE)
		rc = next_bundle(s, e);
	return rc;
}

int store_add(struct store *s, struct span record, uint16_t flags,
	      uint8_t kind, struct err *e)
{
	int rc = store_usable(s, e);

	if (rc)
		return rc;
	rc = add(s, record, flags, kind, e);
	return rc ? store_lost(s, rc) : 0;
}

static int put_state(struct store *s, struct err *e)
{
	uint8_t frontier[TREE_FRONTIER_MAX];
	size_t n = tree_frontier(&s->tree, frontier);
	uint8_t open[SHA256_LEN];

	if (tally_digest(&s->open, s->h, open))
		db_put_span(s->state, 8, span_of(open, sizeof(open)));
	db_put_u64(s->state, 1, s->tree.size);
	db_put_span(s->state, 2, span_of(frontier, n));
	db_put_span(s->state, 3, span_of(s->head, sizeof(s->head)));
	db_put_u64(s->state, 4, s->boot);
	db_put_u64(s->state, 5, s->checkpoint);
	db_put_u64(s->state, 6, s->anchored);
	db_put_u64(s->state, 7, s->commits + 1);
	return db_run(s->state, e);
}

int store_checkpoint(struct store *s, uint64_t size, struct span note,
		     const struct anchor_bound *bound, uint64_t wall,
		     struct span open, struct err *e)
{
	int rc = store_usable(s, e);

	if (rc == 0)
		rc = store_begin(s, e);
	if (rc)
		return rc;
	assert(s->tree.size >= size && size > s->checkpoint);
	db_put_u64(s->point, 1, size);
	db_put_span(s->point, 2, note);
	if (bound->has_pcr) {
		db_put_span(s->point, 3, span_of(bound->pcr,
						 sizeof(bound->pcr)));
		db_put_u64(s->point, 4, bound->counter);
	}
	db_put_u64(s->point, 5, wall);
	if (open.n)
		db_put_span(s->point, 6, open);
	rc = db_run(s->point, e);
	if (rc == 0 && s->checkpoint) {
		db_put_u64(s->pointed, 1, s->checkpoint);
		rc = db_run(s->pointed, e);
	}
	if (rc)
		return store_lost(s, rc);
	s->checkpoint = size;
	return 0;
}

void store_anchored(struct store *s, uint64_t size)
{
	s->anchored = size;
}

uint64_t store_anchor(const struct store *s)
{
	return s->anchored;
}

int store_place(struct store *s, struct anchor_place *out,
		const uint8_t pcr[SHA256_LEN], uint64_t counter, bool beside,
		struct err *e)
{
	return anchor_find(out, s->db, pcr, counter, beside, e);
}

int store_pending(struct store *s, uint64_t at,
		  int (*f)(void *arg, uint64_t size,
			   const uint8_t digest[SHA256_LEN], struct err *e),
		  void *arg, struct err *e)
{
	return anchor_pending(s->db, at, f, arg, e);
}

int store_commit(struct store *s, struct err *e)
{
	int rc = store_usable(s, e);

	if (rc || !s->in_txn)
		return rc;
	rc = put_bundle(s, e);
	if (rc == 0)
		rc = put_state(s, e);
	if (rc == 0)
		rc = db_run(s->commit, e);
	if (rc)
		return store_lost(s, rc);
	s->in_txn = false;
	s->commits++;
	rc = store_drop(s, e);
	return rc ? store_lost(s, rc) : 0;
}

int store_close(struct store *s, struct err *e)
{
	struct err ignored;
	int rc, closed;

	if (!s)
		return 0;
	/* Fails when sqlite has rolled back by itself, which is as good. */
	s->in_txn = s->in_txn && db_exec(s->db, "ROLLBACK", &ignored) == 0;
	db_finish(s->begin);
	db_finish(s->commit);
	db_finish(s->insert);
	db_finish(s->grow);
	db_finish(s->tile);
	db_finish(s->state);
	db_finish(s->keep);
	db_finish(s->boot_row);
	db_finish(s->point);
	db_finish(s->pointed);
	db_finish(s->tally);
	db_finish(s->tallied);
	/* Into the mode of all others; it syncs what was written so far. */
	rc = !s->failed && s->bulk
		     ? db_exec(s->db, "PRAGMA synchronous = FULL;"
				      "PRAGMA journal_mode = WAL", e)
		     : 0;
	closed = db_close(s->db, s->failed || rc ? &ignored : e);
	rc = rc ? rc : closed;
	sha256_free(s->h);
	tally_fini(&s->open);
	/* A failure has been told already. */
	rc = s->failed ? 0 : rc;
	free(s);
	return rc;
}

uint64_t store_size(const struct store *s)
{
	return s->tree.size;
}

uint64_t store_first(const struct store *s)
{
	return s->pruned;
}

uint64_t store_checkpointed(const struct store *s)
{
	return s->checkpoint;
}

void store_root(const struct store *s, uint8_t out[SHA256_LEN])
{
	tree_root(&s->tree, out);
}

void store_head(const struct store *s, uint8_t out[SHA256_LEN])
{
	if (s->n)
		store_chain(s->h, s->before, s->first, s->n,
			    span_of(s->data, s->used), out);
	else
		memcpy(out, s->before, SHA256_LEN);
}

uint32_t store_boot(const struct store *s)
{
	return s->boot;
}

const uint8_t *store_key(const struct store *s)
{
	return s->key;
}

struct span store_last(const struct store *s)
{
	return span_of(s->data + s->last_off, s->last_n);
}

struct span store_last_said(const struct store *s)
{
	return span_of(s->said, s->said_n);
}

int store_newest(struct store *s, uint8_t kind,
		 int (*f)(void *arg, struct span record, struct err *e),
		 void *arg, struct err *e)
{
	struct db_stmt *st;
	struct span record;
	int rc = db_prepare(&st, s->db, "SELECT record FROM protected"
			    " WHERE kind = ?1 ORDER BY seq DESC", e);

	if (rc)
		return rc;
	db_put_u64(st, 1, kind);
	while ((rc = db_step(st, e)) == 1) {
		rc = db_span(st, 0, &record) ? f(arg, record, e)
					     : err_set(e, E_INTEGRITY, 0,
						       "a protected record");
		if (rc)
			break;
	}
	db_finish(st);
	return rc;
}
