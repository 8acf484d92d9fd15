/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/layout_proofs.h"
#include "audit/store.h"
#include "core/until.h"

struct reading {
	const char *dir;
	struct verify_result *out;
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
	struct sha256 *h;
	struct tree tree;
	struct points points;
	struct layout_proofs *proofs;
	struct checkpoint c;
	struct record_view view;
	uint64_t said; /* records that were pruned, as one of them says */
	struct cur boots; /* lines that were not reached */
	uint32_t boot;
	struct hmac_key salts; /* of the boot */
	uint8_t note[NOTE_MAX], boots_text[LAYOUT_BOOTS];
	uint8_t tile[TREE_TILE_OCTETS], entries[STORE_BUNDLE_MAX];
};

static int wrong(struct reading *r, uint64_t seq, struct err *e,
		 const char *what)
{
	r->out->has_bad = true;
	r->out->bad = seq;
	return err_set(e, E_INTEGRITY, 0, "record %llu: %s",
		       (unsigned long long)seq, what);
}

/* A tile of the directory has the hashes that the records give. */
static int same_tile(struct reading *r, unsigned level, uint64_t idx,
		     struct span hashes, struct err *e)
{
	uint64_t covers = UINT64_C(1) << (8 * level);
	struct wbuf w = wbuf_of(r->tile, sizeof(r->tile));
	char name[LAYOUT_PATH], what[4];
	int rc;

	snprintf(what, sizeof(what), "%u", level);
	rc = layout_tile(name, r->dir, what, idx,
			 (unsigned)(hashes.n / SHA256_LEN), e);
	if (rc == 0)
		rc = layout_get(name, &w, e);
	if (rc == E_NOTFOUND)
		return wrong(r, idx * TREE_TILE * covers, e,
			     "its tile is missing");
	if (rc == E_LIMIT || (rc == 0 && !span_eq(wbuf_span(&w), hashes)))
		return wrong(r, idx * TREE_TILE * covers, e, "it or one behind "
			     "it is not what the tree's tile says");
	return rc;
}

static int full(void *arg, unsigned level, uint64_t idx, struct span hashes,
		struct err *e)
{
	return same_tile(arg, level, idx, hashes, e);
}

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

/* The next line of boots is this record's. */
static int enter_boot(struct reading *r, uint64_t seq, struct err *e)
{
	struct span line = cur_until(&r->boots, '\n'), hex;
	struct cur c = cur_of(line);
	uint64_t number, first;
	uint8_t key[32];
	bool ok = checkpoint_number(cur_until(&c, ' '), &number) &&
		  checkpoint_number(cur_until(&c, ' '), &first);

	hex = cur_rest(&c);
	ok = ok && cur_done(&c) && hex.n == 64 && number == r->view.r.boot &&
	     number > r->boot && first == seq;
	for (size_t i = 0; ok && i < 32; i++) {
		int a = hex_digit(hex.p[2 * i]), b = hex_digit(hex.p[2 * i + 1]);

		ok = a >= 0 && b >= 0;
		key[i] = (uint8_t)((a & 15) << 4 | (b & 15));
	}
	if (!ok)
		return wrong(r, seq, e, "its boot is not the next one known");
	hmac_key_make(&r->salts, key);
	r->boot = (uint32_t)number;
	r->out->boots++;
	return 0;
}

/* Of what was pruned: the boots that began there, and the roots of bundles. */
static int pass_pruned(struct reading *r, uint64_t end, uint64_t size,
		       struct err *e)
{
	uint64_t hashes = size / TREE_TILE;
	char name[LAYOUT_PATH];
	uint8_t root[SHA256_LEN];
	uint64_t bad;
	int rc = 0;

	while (rc == 0 && cur_left(&r->boots)) {
		struct cur c = r->boots;
		struct span line = cur_until(&c, '\n');
		struct cur in = cur_of(line);
		uint64_t first = UINT64_MAX;

		cur_until(&in, ' ');
		if (!checkpoint_number(cur_until(&in, ' '), &first) ||
		    first >= end)
			break;
		in = cur_of(line);
		if (checkpoint_number(cur_until(&in, ' '), &bad))
			r->view.r.boot = (uint32_t)bad;
		rc = enter_boot(r, first, e);
	}
	while (rc == 0 && r->tree.size < end) {
		uint64_t i = r->tree.size / TREE_TILE;
		uint64_t left = hashes - i / TREE_TILE * TREE_TILE;
		struct wbuf w = wbuf_of(r->entries, TREE_TILE_OCTETS);

		if (i % TREE_TILE == 0) {
			rc = layout_tile(name, r->dir, "1", i / TREE_TILE,
					 left < TREE_TILE ? (unsigned)left
							  : TREE_TILE, e);
			if (rc == 0)
				rc = layout_get(name, &w, e);
			if (rc)
				return wrong(r, i * TREE_TILE, e, "it was "
					     "pruned, and its tile is missing");
		}
		if (left < TREE_TILE && i % TREE_TILE >= left)
			return wrong(r, i * TREE_TILE, e, "it was pruned, and "
				     "its tile is missing");
		rc = tree_add_bundle(&r->tree,
				     r->entries + i % TREE_TILE * SHA256_LEN,
				     e);
		if (rc || (r->tree.size < end &&
			   points_next(&r->points) > r->tree.size))
			continue;
		tree_root(&r->tree, root);
		rc = points_pruned(&r->points, r->tree.size, end, root, &bad,
				   e);
		if (rc && bad != UINT64_MAX) {
			r->out->has_bad = true;
			r->out->bad = bad;
		}
	}
	return rc;
}

/* A number in a file of its own; 0: there is none. */
static int read_number(struct reading *r, const char *file, uint64_t size,
		       struct err *e)
{
	char name[LAYOUT_PATH];
	uint8_t text[32];
	struct wbuf w = wbuf_of(text, sizeof(text));
	int rc = layout_name(name, r->dir, file, e);

	if (rc == 0)
		rc = layout_get(name, &w, e);
	if (rc == E_NOTFOUND)
		return 0;
	if (rc == 0 && (w.n < 2 || text[w.n - 1] != '\n' ||
			!checkpoint_number(span_of(text, w.n - 1),
					   &r->out->first) ||
			r->out->first == 0 || r->out->first % TREE_TILE ||
			r->out->first > size))
		rc = err_set(e, E_INTEGRITY, 0, "the file '%s' is damaged",
			     file);
	return rc ? rc : 1;
}

static int read_minimum(struct reading *r, uint64_t size, struct err *e)
{
	int rc = read_number(r, "part", size, e);

	r->out->part = rc == 1;
	if (rc == 0)
		rc = read_number(r, "minimum", size, e);
	if (rc != 1)
		return rc;
	rc = pass_pruned(r, r->out->first, size, e);
	/* Those hashes are compared at the end, with the rest. */
	r->points.good = 0;
	return rc;
}

static int check_record(struct reading *r, uint64_t seq, struct span record,
			struct err *e)
{
	uint8_t salt[RECORD_SALT], leaf[SHA256_LEN], root[SHA256_LEN];
	uint64_t bad;
	int rc = record_decode(&r->view, record, e);

	if (rc)
		return wrong(r, seq, e, "it cannot be read");
	if (r->view.r.seq != seq)
		return wrong(r, seq, e, "its number is another's");
	if ((r->view.r.flags & ~RECORD_CUT) !=
	    record_class(r->view.r.kind, r->view.r.ev))
		return wrong(r, seq, e, "its class is not that of its kind");
	if (r->view.r.flags & RECORD_PROTECTED &&
	    !layout_proofs_has(r->proofs, seq))
		return wrong(r, seq, e, "it is protected, and its proof is "
					"missing");
	if (r->view.r.boot != r->boot)
		rc = enter_boot(r, seq, e);
	if (rc)
		return rc;
	record_salts(&r->salts, seq, 1, &salt);
	if (memcmp(salt, r->view.r.salt, sizeof(salt)) != 0)
		return wrong(r, seq, e, "its salt is not of its boot's key");
	if (r->view.r.kind == RECORD_EXPORT && r->view.ev.log &&
	    r->view.ev.log->has_range)
		r->said = r->view.ev.log->end;
	tree_leaf(r->h, record, leaf);
	rc = tree_add(&r->tree, leaf, e);
	if (rc || points_next(&r->points) != r->tree.size)
		return rc;
	tree_root(&r->tree, root);
	rc = points_reach(&r->points, r->tree.size, root, NULL, &bad, e);
	if (rc && bad != UINT64_MAX) {
		r->out->has_bad = true;
		r->out->bad = bad;
	}
	return rc;
}

static int read_entries(struct reading *r, uint64_t size, struct err *e)
{
	while (r->tree.size < size) {
		uint64_t first = r->tree.size, left = size - first;
		unsigned n = left < STORE_BUNDLE ? (unsigned)left
						 : STORE_BUNDLE;
		struct wbuf w = wbuf_of(r->entries, sizeof(r->entries));
		char name[LAYOUT_PATH];
		struct span record;
		struct cur c;
		int rc = layout_tile(name, r->dir, "entries",
				     first / STORE_BUNDLE, n, e);

		if (r->progress)
			r->progress(r->arg, first, size);
		if (rc == 0)
			rc = layout_get(name, &w, e);
		if (rc == E_NOTFOUND)
			return wrong(r, first, e, "its bundle is missing");
		if (rc)
			return rc;
		c = cur_of(wbuf_span(&w));
		while (r->tree.size < first + n && store_next(&c, &record)) {
			rc = check_record(r, r->tree.size, record, e);
			if (rc)
				return rc;
			r->out->records = r->tree.size;
		}
		if (r->tree.size != first + n || !cur_done(&c))
			return wrong(r, r->tree.size, e, "its bundle is "
				     "damaged");
	}
	return 0;
}

/* Those that are not full, one of each level. */
static int partial_tiles(struct reading *r, struct err *e)
{
	int rc = 0;

	for (unsigned level = 0; rc == 0 && level < TREE_LEVELS; level++) {
		uint64_t hashes = r->tree.size >> (8 * level);
		size_t n = hashes % TREE_TILE;

		if (n)
			rc = same_tile(r, level, hashes / TREE_TILE,
				       span_of(r->tree.tile[level],
					       n * SHA256_LEN), e);
	}
	return rc;
}

static int get(struct reading *r, const char *file, struct wbuf *w,
	       struct err *e)
{
	char name[LAYOUT_PATH];
	int rc = layout_name(name, r->dir, file, e);

	if (rc == 0)
		rc = layout_get(name, w, e);
	if (rc == E_NOTFOUND || rc == E_LIMIT) {
		rc = E_INTEGRITY;
		if (e)
			e->code = rc;
	}
	return rc;
}

/* All of the log: its tiles, its records, and the proofs beside them. */
static int read_log(struct reading *r, uint64_t size, struct err *e)
{
	struct wbuf boots = wbuf_of(r->boots_text, sizeof(r->boots_text));
	int rc = get(r, "boots", &boots, e);

	if (rc)
		return rc;
	r->boots = cur_of(wbuf_span(&boots));
	rc = read_minimum(r, size, e);
	if (rc == 0)
		rc = read_entries(r, size, e);
	if (rc == 0 && !r->out->part && r->said != r->out->first)
		rc = wrong(r, r->said, e, r->said < r->out->first
				? "it is gone, and no record says that it was "
				  "pruned"
				: "it is said to be pruned, and is there");
	if (rc == 0)
		rc = partial_tiles(r, e);
	return rc ? rc : layout_no_more(r->dir, size, e);
}

/* Protected records alone: the tree is what the checkpoint says, and of all
 * others nothing is known. */
static int reach_end(struct reading *r, const struct checkpoint *c,
		     struct err *e)
{
	uint64_t bad, next = points_next(&r->points);

	if (next != c->size)
		return err_set(e, E_UNSUPPORTED, 0, "protected records alone "
			       "cannot be compared with the checkpoint of %llu "
			       "records: check-proof can, with a proof of "
			       "consistency", (unsigned long long)next);
	r->tree.size = c->size;
	return points_reach(&r->points, c->size, c->root, NULL, &bad, e);
}

static int check_proofs(struct reading *r, struct err *e)
{
	uint64_t bad;
	int rc = layout_proofs_check(r->proofs, &bad, e);

	if (rc == E_INTEGRITY && bad != UINT64_MAX) {
		r->out->has_bad = true;
		r->out->bad = bad;
	}
	return rc;
}

static int read_all(struct reading *r, const struct points_conf *given,
		    bool alone, struct err *e)
{
	struct span held[POINTS_HELD];
	struct points_conf conf = *given;
	struct wbuf w = wbuf_of(r->note, sizeof(r->note));
	struct note n;
	uint64_t bad;
	int rc = get(r, "checkpoint", &w, e);

	if (rc)
		return rc;
	if (checkpoint_read(&r->c, &n, wbuf_span(&w), e))
		return e->code = E_INTEGRITY;
	if (conf.n_held >= POINTS_HELD)
		return err_set(e, E_LIMIT, 0, "at most %d checkpoints",
			       POINTS_HELD - 1);
	/* The directory's own is one among those that are held. */
	for (size_t i = 0; i < conf.n_held; i++)
		held[i] = conf.held[i];
	held[conf.n_held++] = wbuf_span(&w);
	conf.held = held;
	rc = points_open(&r->points, NULL, r->c.origin, &conf, e);
	if (rc == 0)
		rc = layout_proofs_open(&r->proofs, r->dir, &r->c,
					wbuf_span(&w), alone, e);
	if (rc == 0)
		rc = alone ? reach_end(r, &r->c, e) : read_log(r, r->c.size, e);
	if (rc == 0)
		rc = check_proofs(r, e);
	if (rc == 0)
		rc = points_end(&r->points, r->tree.size, &bad, e);
	if (rc == 0 && !cur_done(&r->boots))
		rc = err_set(e, E_INTEGRITY, 0, "there is a boot without "
						"records");
	if (alone && rc == 0)
		r->out->records = layout_proofs_number(r->proofs);
	r->out->protected_only = alone;
	r->out->checkpoints = 1;
	r->out->checkpoint = r->c.size;
	points_tell(&r->points, r->out->thinned, &r->out->n_thinned);
	r->out->has_cosigned = r->points.has_cosigned;
	r->out->cosigned = r->points.cosigned;
	if (alone)
		memcpy(r->out->root, r->c.root, sizeof(r->out->root));
	return rc;
}

/* Neither tiles nor boots: it was given to somebody who is to have protected
 * records alone. A whole export from which both were taken says less than it
 * did, and is told as what it is. */
static bool is_alone(const char *dir)
{
	char name[LAYOUT_PATH];

	return layout_name(name, dir, "tile", NULL) == 0 && access(name, F_OK) &&
	       layout_name(name, dir, "boots", NULL) == 0 && access(name, F_OK);
}

int layout_verify(const char *dir, const struct points_conf *points,
		  struct verify_result *out,
		  void (*progress)(void *arg, uint64_t done, uint64_t total),
		  void *arg, struct err *e)
{
	struct reading *r = calloc(1, sizeof(*r));
	int rc;

	memset(out, 0, sizeof(*out));
	if (!r || !(r->h = sha256_new())) {
		free(r);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	r->dir = dir;
	r->out = out;
	r->progress = progress;
	r->arg = arg;
	tree_init(&r->tree, r->h);
	r->tree.full = full;
	r->tree.arg = r;
	rc = read_all(r, points, is_alone(dir), e);
	if (!out->protected_only)
		tree_root(&r->tree, out->root);
	layout_proofs_close(r->proofs);
	points_close(&r->points);
	sha256_free(r->h);
	free(r);
	return rc;
}
