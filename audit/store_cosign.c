/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "audit/checkpoint.h"
#include "audit/segment.h"
#include "audit/store_own.h"
#include "audit/tiles.h"

/* A checkpoint with all its lines. */
struct whole {
	struct wbuf w;
	size_t signed_n; /* octets of it that the log signed and wrote */
	uint8_t octets[NOTE_MAX];
};

static int read_point(struct store *s, uint64_t size, struct whole *p,
		      struct err *e)
{
	struct span note = {0}, more = {0};
	struct db_stmt *st;
	int rc = db_prepare(&st, s->db, "SELECT note, cosigned FROM checkpoint"
			    " WHERE size = ?1", e);

	if (rc)
		return rc;
	db_put_u64(st, 1, size);
	rc = db_step(st, e);
	if (rc == 0)
		rc = err_set(e, E_NOTFOUND, 0, "there is no checkpoint of "
			     "%llu records", (unsigned long long)size);
	else if (rc == 1)
		rc = db_span(st, 0, &note) &&
				     (db_null(st, 1) || db_span(st, 1, &more))
			     ? 0
			     : err_set(e, E_INTEGRITY, 0, "the checkpoint is "
				       "damaged");
	p->w = wbuf_of(p->octets, sizeof(p->octets));
	wbuf_put(&p->w, note);
	wbuf_put(&p->w, more);
	p->signed_n = note.n;
	db_finish(st);
	return rc;
}

int store_point_text(struct store *s, uint8_t out[SHA256_LEN], struct err *e)
{
	struct whole *p = malloc(sizeof(*p));
	struct note n;
	int rc = p ? read_point(s, s->checkpoint, p, e)
		   : err_set(e, E_NOMEM, 0, "out of memory");

	if (rc == 0)
		rc = note_parse(&n, wbuf_span(&p->w), e);
	if (rc == 0)
		sha256_of(n.text, out);
	free(p);
	return rc;
}

int store_signed(struct store *s, const struct note_key *key, struct err *e)
{
	struct whole *p = malloc(sizeof(*p));
	struct note n;
	uint64_t by = 0;
	int rc = p ? 0 : err_set(e, E_NOMEM, 0, "out of memory");

	if (rc == 0 && s->checkpoint)
		rc = read_point(s, s->checkpoint, p, e);
	if (rc == 0 && s->checkpoint)
		rc = note_parse(&n, wbuf_span(&p->w), e);
	if (rc == 0 && s->checkpoint)
		rc = note_check(&n, key, 1, &by, e);
	if (rc == 0 && s->checkpoint && by == 0)
		rc = err_set(e, E_INTEGRITY, 0, "the last checkpoint is not "
			     "signed by the key that there is now");
	else if (rc == E_SYNTAX)
		rc = e->code = E_INTEGRITY;
	free(p);
	return rc;
}

/* The last one, as it was signed. */
static int last_point(struct store *s, struct checkpoint *c, struct err *e)
{
	struct whole *p = malloc(sizeof(*p));
	struct note n;
	int rc = p ? read_point(s, s->checkpoint, p, e)
		   : err_set(e, E_NOMEM, 0, "out of memory");

	if (rc == 0)
		rc = checkpoint_read(c, &n, wbuf_span(&p->w), e);
	if (rc == E_SYNTAX || (rc == 0 && c->size != s->checkpoint))
		rc = err_set(e, E_INTEGRITY, 0, "the last checkpoint is "
			     "damaged");
	free(p);
	return rc;
}

/* Its own proof, so that it is not what its copy says but what was signed. */
static int under(struct store *s, struct tiles *t, const struct checkpoint *c,
		 uint64_t seq, struct span record, struct err *e)
{
	struct proof *p = malloc(sizeof(*p));
	uint8_t leaf[SHA256_LEN];
	int rc = p ? tiles_prove(t, seq, c->size, p, e)
		   : err_set(e, E_NOMEM, 0, "out of memory");

	if (rc == 0) {
		tree_leaf(s->h, record, leaf);
		rc = proof_includes(s->h, p, seq, c->size, leaf, c->root)
			     ? 1
			     : err_set(e, E_INTEGRITY, 0, "record %llu is not "
				       "what the last checkpoint has",
				       (unsigned long long)seq);
	}
	free(p);
	return rc;
}

int store_vouched(struct store *s, uint64_t seq, struct span record,
		  struct err *e)
{
	struct tiles *t = NULL;
	struct checkpoint c;
	int rc;

	if (seq >= s->checkpoint)
		return 0;
	rc = last_point(s, &c, e);
	if (rc == 0)
		rc = tiles_open(&t, s->db, s->path, s->h, e);
	if (rc == 0)
		rc = under(s, t, &c, seq, record, e);
	tiles_close(t);
	return rc;
}

/* Records of the log itself, one after another. */
struct walk {
	struct segments *segments;
	struct tiles *tiles; /* read others between two of them */
	struct checkpoint c;
	struct store_digests digests;
};

/* All of a bundle that the last checkpoint covers: the proof of its first record
 * is made of the leaves of the others. */
static int vouch_bundle(struct store *s, struct walk *w, uint64_t first,
			struct span octets, struct err *e)
{
	struct cur c = cur_of(octets);
	uint64_t n = w->c.size - first;
	struct span record, leaves;
	int rc = store_next(&c, &record) ? 0 : E_INTEGRITY;

	if (rc == 0)
		rc = under(s, w->tiles, &w->c, first, record, e);
	if (rc == 1)
		rc = tiles_get(w->tiles, 0, first / STORE_BUNDLE, &leaves, e);
	if (rc == E_INTEGRITY || rc == E_NOTFOUND)
		return err_set(e, E_INTEGRITY, 0, "record %llu or one behind "
			       "it is not what the last checkpoint has",
			       (unsigned long long)first);
	n = n < STORE_BUNDLE ? n : STORE_BUNDLE;
	if (rc == 0)
		store_digests(&w->digests, octets);
	for (uint64_t i = 0; rc == 0 && i < n; i++) {
		if (!span_eq(span_sub(leaves, i * SHA256_LEN, SHA256_LEN),
			     span_of(w->digests.leaf[i], SHA256_LEN)))
			rc = err_set(e, E_INTEGRITY, 0, "record %llu is not "
				     "what the last checkpoint has",
				     (unsigned long long)(first + i));
	}
	return rc;
}

static int walk_bundle(struct store *s, struct walk *w, uint64_t first,
		       uint64_t from,
		       int (*f)(void *arg, struct span record, struct err *e),
		       void *arg, struct err *e)
{
	uint64_t want = store_size(s) - first;
	struct span octets, record;
	uint32_t n = 0, i = 0;
	struct cur c;
	int rc = segments_bundle(w->segments, first, &n, &octets, e);

	want = want < STORE_BUNDLE ? want : STORE_BUNDLE;
	if (rc >= 0 && n != want)
		return err_set(e, E_INTEGRITY, 0, "record %llu is missing",
			       (unsigned long long)(first + n));
	rc = rc < 0 ? rc : 0;
	if (rc == 0 && first < s->checkpoint)
		rc = vouch_bundle(s, w, first, octets, e);
	for (c = cur_of(octets); rc == 0 && store_next(&c, &record); i++) {
		if (first + i >= from)
			rc = f(arg, record, e);
	}
	return rc;
}

int store_from(struct store *s, uint64_t seq,
	       int (*f)(void *arg, struct span record, struct err *e),
	       void *arg, struct err *e)
{
	uint64_t at = seq / STORE_BUNDLE * STORE_BUNDLE;
	struct walk *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return err_set(e, E_NOMEM, 0, "out of memory");
	rc = segments_open(&w->segments, s->db, s->path, e);
	if (rc == 0)
		rc = tiles_open(&w->tiles, s->db, s->path, s->h, e);
	if (rc == 0 && s->checkpoint)
		rc = last_point(s, &w->c, e);
	for (; rc == 0 && at < store_size(s); at += STORE_BUNDLE)
		rc = walk_bundle(s, w, at, seq, f, arg, e);
	tiles_close(w->tiles);
	segments_close(w->segments);
	free(w);
	return rc;
}

int store_copied(struct store *s, uint64_t seq, struct span record,
		 struct err *e)
{
	struct db_stmt *st;
	struct span copy;
	int rc = db_prepare(&st, s->db, "SELECT record FROM protected WHERE"
			    " seq = ?1", e);

	if (rc)
		return rc;
	db_put_u64(st, 1, seq);
	rc = db_step(st, e);
	if (rc >= 0)
		rc = rc == 1 && db_span(st, 0, &copy) && span_eq(copy, record)
			     ? 0
			     : err_set(e, E_INTEGRITY, 0, "record %llu: its "
				       "protected copy is missing or differs",
				       (unsigned long long)seq);
	db_finish(st);
	return rc;
}

/* Whose line it is; NULL: of nobody who is known, or it is no cosignature. */
static const struct note_key *whose(const struct note_sig *sig,
				    const struct note_key *keys, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (keys[i].type == NOTE_COSIGNATURE &&
		    keys[i].id == sig->id && span_is(sig->name, keys[i].name))
			return &keys[i];
	}
	return NULL;
}

static bool has_line(const struct note *n, const struct note_sig *sig)
{
	struct cur c = cur_of(n->sigs);
	struct note_sig other;

	while (note_next(&c, &other)) {
		if (other.id == sig->id && span_eq(other.name, sig->name))
			return true;
	}
	return false;
}

static int put_line(struct store *s, uint64_t size, const struct whole *p,
		    struct err *e)
{
	struct db_stmt *st;
	int rc = store_begin(s, e);

	if (rc)
		return store_lost(s, rc);
	rc = db_prepare(&st, s->db, "UPDATE checkpoint SET cosigned = ?2"
			" WHERE size = ?1", e);
	if (rc == 0) {
		db_put_u64(st, 1, size);
		db_put_span(st, 2, span_from(wbuf_span(&p->w), p->signed_n));
		rc = db_run(st, e);
		db_finish(st);
	}
	s->has_cosigned = false;
	return rc ? store_lost(s, rc) : 0;
}

static int cosign(struct store *s, uint64_t size, struct span line,
		  const struct note_key *keys, size_t n_keys, struct whole *p,
		  struct err *e)
{
	struct cur c = cur_of(line);
	const struct note_key *key;
	struct note_sig sig;
	struct note n;
	uint64_t time;
	int rc;

	if (!note_next(&c, &sig) || !cur_done(&c))
		return err_set(e, E_SYNTAX, 0, "not one line of a signature");
	key = whose(&sig, keys, n_keys);
	if (!key)
		return err_set(e, E_AUTH, 0, "the cosignature is of no witness "
			       "that is known");
	rc = read_point(s, size, p, e);
	if (rc == 0)
		rc = note_parse(&n, wbuf_span(&p->w), e);
	if (rc == 0)
		rc = note_check_line(n.text, &sig, key, &time, e);
	if (rc || has_line(&n, &sig))
		return rc;
	wbuf_put(&p->w, line);
	if (p->w.failed)
		return err_set(e, E_LIMIT, 0, "the checkpoint has too many "
			       "cosignatures");
	return put_line(s, size, p, e);
}

int store_cosign(struct store *s, uint64_t size, struct span line,
		 const struct note_key *keys, size_t n_keys, struct err *e)
{
	struct whole *p;
	int rc = store_usable(s, e);

	if (rc)
		return rc;
	p = malloc(sizeof(*p));
	if (!p)
		return err_set(e, E_NOMEM, 0, "out of memory");
	rc = cosign(s, size, line, keys, n_keys, p, e);
	free(p);
	return rc;
}

/* 1: it is; 0: what is there is not. Whoever can write the file can put
 * anything there, so it counts for what it proves. */
static int is_cosigned(struct store *s, uint64_t size,
		       const struct note_key *key,
		       const struct note_key *witnesses, size_t n_witnesses,
		       struct whole *p, struct err *e)
{
	uint64_t by = 0, with = 0;
	struct checkpoint c;
	struct note n;
	int rc = read_point(s, size, p, e);

	if (rc)
		return rc;
	return checkpoint_read(&c, &n, wbuf_span(&p->w), NULL) == 0 &&
	       c.size == size && note_check(&n, key, 1, &by, NULL) == 0 && by &&
	       note_check(&n, witnesses, n_witnesses, &with, NULL) == 0 && with;
}

static int last_cosigned(struct store *s, const struct note_key *key,
			 const struct note_key *witnesses, size_t n,
			 uint64_t *size, struct err *e)
{
	struct whole *p = malloc(sizeof(*p));
	struct db_stmt *st = NULL;
	int rc = p ? db_prepare(&st, s->db, "SELECT size FROM checkpoint WHERE"
				" cosigned IS NOT NULL ORDER BY size DESC"
				" LIMIT 256", e)
		   : err_set(e, E_NOMEM, 0, "out of memory");

	while (rc == 0 && (rc = db_step(st, e)) == 1) {
		rc = db_u64(st, 0, size)
			     ? is_cosigned(s, *size, key, witnesses, n, p, e)
			     : err_set(e, E_INTEGRITY, 0, "a checkpoint is "
				       "damaged");
	}
	if (rc == 0)
		*size = 0;
	db_finish(st);
	free(p);
	return rc < 0 ? rc : 0;
}

/* It is asked after each commit of a log that is full. */
int store_cosigned(struct store *s, const struct note_key *key,
		   const struct note_key *witnesses, size_t n, uint64_t *size,
		   struct err *e)
{
	int rc = 0;

	*size = 0;
	if (!key || n == 0)
		return 0;
	if (!s->has_cosigned)
		rc = last_cosigned(s, key, witnesses, n, &s->cosigned, e);
	s->has_cosigned = rc == 0;
	*size = rc ? 0 : s->cosigned;
	return rc;
}
