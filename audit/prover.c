/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/prover.h"

#include <stdlib.h>

#include "audit/db.h"
#include "audit/segment.h"
#include "audit/store.h"
#include "audit/tiles.h"
#include "audit/tree.h"

struct prover {
	struct db *db;
	struct db_stmt *last, *point;
	struct tiles *tiles;
	struct sha256 *h;
	struct wbuf note;
	uint8_t octets[NOTE_MAX];
};

static int prepare(struct prover *p, const char *path, struct err *e)
{
	int rc = store_identify(p->db, NULL, e);

	if (rc == 0)
		rc = db_prepare(&p->last, p->db, "SELECT size, note, cosigned"
				" FROM checkpoint ORDER BY size DESC LIMIT 1",
				e);
	if (rc == 0)
		rc = db_prepare(&p->point, p->db, "SELECT size, note, cosigned"
				" FROM checkpoint WHERE size = ?1", e);
	return rc ? rc : tiles_open(&p->tiles, p->db, path, p->h, e);
}

int prover_open(struct prover **out, const char *path, bool follow,
		struct err *e)
{
	struct prover *p = calloc(1, sizeof(*p));
	int rc;

	*out = NULL;
	if (!p || !(p->h = sha256_new())) {
		free(p);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	rc = db_open(&p->db, path, follow ? DB_FOLLOW : DB_READ, e);
	if (rc == 0)
		rc = prepare(p, path, e);
	if (rc) {
		prover_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

void prover_close(struct prover *p)
{
	struct err ignored;

	if (!p)
		return;
	tiles_close(p->tiles);
	db_finish(p->last);
	db_finish(p->point);
	if (db_close(p->db, &ignored))
		p->db = NULL; /* nothing was written: nothing is lost */
	sha256_free(p->h);
	free(p);
}

int prover_checkpoint(struct prover *p, uint64_t size, struct checkpoint *c,
		      struct span *note, struct err *e)
{
	struct db_stmt *st = size ? p->point : p->last;
	struct span octets = {0}, more = {0};
	struct note n;
	int rc;

	if (size)
		db_put_u64(st, 1, size);
	rc = db_step(st, e);
	if (rc == 0)
		rc = size ? err_set(e, E_NOTFOUND, 0, "there is no checkpoint "
				    "of %llu records", (unsigned long long)size)
			  : err_set(e, E_NOTFOUND, 0, "the log has no "
				    "checkpoint");
	else if (rc == 1)
		rc = db_span(st, 1, &octets) &&
				     (db_null(st, 2) || db_span(st, 2, &more))
			     ? 0
			     : err_set(e, E_INTEGRITY, 0, "a checkpoint is "
				       "damaged");
	p->note = wbuf_of(p->octets, sizeof(p->octets));
	wbuf_put(&p->note, octets);
	wbuf_put(&p->note, more);
	db_reset(st);
	if (rc == 0 && p->note.failed)
		rc = err_set(e, E_LIMIT, 0, "a checkpoint is too long");
	*note = wbuf_span(&p->note);
	if (rc == 0 && checkpoint_read(c, &n, *note, e))
		rc = e ? e->code = E_INTEGRITY : E_INTEGRITY;
	return rc;
}

static int read_record(struct prover *p, uint64_t index, struct proof_text *t,
		       struct err *e)
{
	struct segments *in = tiles_segments(p->tiles);
	struct span data, record = {0};
	uint64_t seq;
	uint32_t n;
	int rc = segments_bundle(in, index / STORE_BUNDLE * STORE_BUNDLE, &n,
				 &data, e);

	/* Of a pruned bundle some stay. */
	if (rc == E_NOTFOUND) {
		rc = segments_kept(in, index, index + 1, &seq, &record, e);
		if (rc == 0)
			return err_set(e, E_NOTFOUND, 0, "record %llu was "
				       "pruned", (unsigned long long)index);
	} else if (rc == 1) {
		struct cur c = cur_of(data);

		for (uint64_t i = 0; i <= index % STORE_BUNDLE; i++) {
			if (store_next(&c, &record))
				continue;
			record.n = 0;
			break;
		}
	}
	if (rc >= 0)
		rc = record.n && record.n <= RECORD_MAX
			     ? 0
			     : err_set(e, E_NOTFOUND, 0, "record %llu is not "
				       "there", (unsigned long long)index);
	if (rc == 0) {
		memcpy(t->record, record.p, record.n);
		t->record_n = record.n;
		t->has_record = true;
	}
	return rc;
}

static int does_not_hold(struct err *e)
{
	return err_set(e, E_INTEGRITY, 0, "the log is not what its checkpoint "
		       "says; metergate-audit verify finds where");
}

int prover_inclusion(struct prover *p, uint64_t index, uint64_t size,
		     struct proof_text *t, struct err *e)
{
	uint8_t leaf[SHA256_LEN];
	struct checkpoint c;
	int rc;

	memset(t, 0, offsetof(struct proof_text, record));
	t->inclusion = true;
	t->at = index;
	rc = prover_checkpoint(p, size, &c, &t->note, e);
	if (rc == 0 && index >= c.size)
		rc = err_set(e, E_LIMIT, 0, "record %llu is not among the "
			     "%llu of the checkpoint",
			     (unsigned long long)index,
			     (unsigned long long)c.size);
	if (rc == 0)
		rc = read_record(p, index, t, e);
	if (rc == 0)
		rc = tiles_prove(p->tiles, index, c.size, &t->proof, e);
	if (rc)
		return rc;
	tree_leaf(p->h, span_of(t->record, t->record_n), leaf);
	return proof_includes(p->h, &t->proof, index, c.size, leaf, c.root)
		       ? 0
		       : does_not_hold(e);
}

int prover_consistency(struct prover *p, uint64_t old, uint64_t size,
		       struct proof_text *t, struct err *e)
{
	struct proof_source s = tiles_source(p->tiles);
	uint8_t root[SHA256_LEN];
	struct checkpoint c;
	int rc;

	memset(t, 0, offsetof(struct proof_text, record));
	t->at = old;
	rc = prover_checkpoint(p, size, &c, &t->note, e);
	if (rc == 0)
		rc = proof_consistency(&t->proof, &s, old, c.size, e);
	if (rc == 0)
		rc = proof_root(&s, old, root, e);
	if (rc)
		return rc;
	return proof_continues(p->h, &t->proof, old, c.size, root, c.root)
		       ? 0
		       : does_not_hold(e);
}

int prover_first(struct prover *p, uint64_t *first, struct err *e)
{
	return segments_pruned(tiles_segments(p->tiles), first, e);
}

int prover_tile(struct prover *p, unsigned level, uint64_t idx,
		struct span *hashes, struct err *e)
{
	return tiles_get(p->tiles, level, idx, hashes, e);
}
