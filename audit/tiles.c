/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/tiles.h"

#include <stdlib.h>

#include "audit/db.h"
#include "audit/segment.h"
#include "audit/store.h"

struct kept {
	uint64_t idx;
	uint32_t n; /* hashes; 0: none is kept */
	uint8_t hash[TREE_TILE][SHA256_LEN];
};

struct tiles {
	struct db_stmt *tile, *root;
	struct segments *segments;
	struct sha256 *h;
	struct kept level[TREE_LEVELS]; /* the last one of each */
};

int tiles_open(struct tiles **out, struct db *d, const char *path,
	       struct sha256 *h, struct err *e)
{
	struct tiles *t = calloc(1, sizeof(*t));
	int rc;

	*out = NULL;
	if (!t)
		return err_set(e, E_NOMEM, 0, "out of memory");
	t->h = h;
	rc = db_prepare(&t->tile, d, "SELECT data FROM tile WHERE level = ?1"
			" AND idx = ?2", e);
	if (rc == 0)
		rc = db_prepare(&t->root, d, "SELECT hash FROM root WHERE"
				" idx = ?1", e);
	if (rc == 0)
		rc = segments_open(&t->segments, d, path, e);
	if (rc) {
		tiles_close(t);
		return rc;
	}
	*out = t;
	return 0;
}

void tiles_close(struct tiles *t)
{
	if (!t)
		return;
	db_finish(t->tile);
	db_finish(t->root);
	segments_close(t->segments);
	free(t);
}

struct segments *tiles_segments(struct tiles *t)
{
	return t->segments;
}

static int damaged(const char *what, uint64_t idx, struct err *e)
{
	return err_set(e, E_INTEGRITY, 0, "%s %llu is damaged", what,
		       (unsigned long long)idx);
}

/* 1: the tile is stored; 0: it is not. */
static int stored(struct tiles *t, unsigned level, uint64_t idx,
		  struct kept *k, struct err *e)
{
	struct span data;
	int rc;

	db_put_u64(t->tile, 1, level);
	db_put_u64(t->tile, 2, idx);
	rc = db_step(t->tile, e);
	if (rc == 1 &&
	    (!db_span(t->tile, 0, &data) || data.n != TREE_TILE_OCTETS)) {
		rc = damaged("tile", idx, e);
	} else if (rc == 1) {
		memcpy(k->hash, data.p, data.n);
		k->n = TREE_TILE;
	}
	db_reset(t->tile);
	return rc;
}

/* Leaves of a bundle without a tile: not full, or moved out. */
static int of_bundle(struct tiles *t, uint64_t idx, struct kept *k,
		     struct err *e)
{
	struct span data, record;
	struct cur c;
	uint32_t n, i = 0;
	int rc;

	if (idx > INT64_MAX / STORE_BUNDLE)
		return 0;
	rc = segments_bundle(t->segments, idx * STORE_BUNDLE, &n, &data, e);
	if (rc <= 0)
		return rc;
	for (c = cur_of(data); i < n && store_next(&c, &record); i++)
		tree_leaf(t->h, record, k->hash[i]);
	if (i != n || !cur_done(&c))
		return damaged("bundle", idx * STORE_BUNDLE, e);
	k->n = i;
	return 0;
}

/* The root of bundle idx, where it was moved out and no tile has it yet: 1. */
static int root_of(struct tiles *t, uint64_t idx, uint8_t out[SHA256_LEN],
		   struct err *e)
{
	struct span hash;
	int rc;

	db_put_u64(t->root, 1, idx);
	rc = db_step(t->root, e);
	if (rc == 1 && (!db_span(t->root, 0, &hash) || hash.n != SHA256_LEN))
		rc = damaged("root", idx, e);
	else if (rc == 1)
		memcpy(out, hash.p, hash.n);
	db_reset(t->root);
	return rc;
}

/* Roots of the full tiles below, as many as there are. */
static int of_below(struct tiles *t, unsigned level, uint64_t idx,
		    struct kept *k, struct err *e)
{
	struct kept *below = malloc(sizeof(*below));
	uint32_t i = 0;
	int rc = 1;

	if (!below)
		return err_set(e, E_NOMEM, 0, "out of memory");
	for (; i < TREE_TILE; i++) {
		rc = level == 1 ? root_of(t, idx * TREE_TILE + i, k->hash[i], e)
				: 0;
		if (rc == 1)
			continue;
		if (rc == 0)
			rc = stored(t, level - 1, idx * TREE_TILE + i, below,
				    e);
		if (rc != 1)
			break;
		tree_tile_root(span_of(below->hash, TREE_TILE_OCTETS),
			       k->hash[i]);
	}
	free(below);
	k->n = i;
	return rc < 0 ? rc : 0;
}

static int load(struct tiles *t, unsigned level, uint64_t idx, struct err *e)
{
	struct kept *k = &t->level[level];
	int rc;

	k->n = 0;
	k->idx = idx;
	rc = stored(t, level, idx, k, e);
	if (rc)
		return rc < 0 ? rc : 0;
	return level ? of_below(t, level, idx, k, e) : of_bundle(t, idx, k, e);
}

int tiles_get(struct tiles *t, unsigned level, uint64_t idx,
	      struct span *hashes, struct err *e)
{
	int rc = level < TREE_LEVELS && idx <= INT64_MAX / TREE_TILE
			 ? load(t, level, idx, e)
			 : err_set(e, E_NOTFOUND, 0, "no such tile");
	const struct kept *k;

	if (rc)
		return rc;
	k = &t->level[level];
	if (k->n == 0)
		return err_set(e, E_NOTFOUND, 0, "tile %llu of level %u is not "
			       "there", (unsigned long long)idx, level);
	*hashes = span_of(k->hash, k->n * SHA256_LEN);
	return 0;
}

static int node(void *arg, unsigned b, uint64_t i, uint8_t out[SHA256_LEN],
		struct err *e)
{
	struct tiles *t = arg;
	unsigned level = b / 8, bit = b % 8;
	uint64_t at = i << bit, n = UINT64_C(1) << bit;
	struct kept *k = &t->level[level];
	uint64_t from = at % TREE_TILE;

	/* A tile grows: what was read of it may be too little by now. */
	if (k->idx != at / TREE_TILE || k->n < from + n) {
		int rc = load(t, level, at / TREE_TILE, e);

		if (rc)
			return rc;
	}
	if (k->n < from + n)
		return err_set(e, E_NOTFOUND, 0, "the tree's records %llu to "
			       "%llu are not there", (unsigned long long)i << b,
			       (unsigned long long)((i + 1) << b) - 1);
	tree_fold(span_of(k->hash[from], n * SHA256_LEN), out);
	return 0;
}

struct proof_source tiles_source(struct tiles *t)
{
	return (struct proof_source){t->h, node, t};
}

/* Of a record that was kept when its bundle was pruned: below the bundle's
 * root there is the way to it, above the tree. */
struct way {
	struct proof_source tree;
	uint64_t index;
	uint8_t hash[SEGMENT_WAY][SHA256_LEN];
};

static int on_the_way(void *arg, unsigned b, uint64_t i,
		      uint8_t out[SHA256_LEN], struct err *e)
{
	struct way *w = arg;

	if (b >= SEGMENT_WAY || i != (w->index >> b ^ 1))
		return w->tree.node(w->tree.arg, b, i, out, e);
	memcpy(out, w->hash[b], SHA256_LEN);
	return 0;
}

int tiles_prove(struct tiles *t, uint64_t index, uint64_t n, struct proof *out,
		struct err *e)
{
	struct way w = {.tree = tiles_source(t), .index = index};
	struct proof_source s = {t->h, on_the_way, &w};
	uint64_t pruned;
	int rc = segments_pruned(t->segments, &pruned, e);

	if (rc == 0 && index >= pruned)
		return proof_inclusion(out, &w.tree, index, n, e);
	if (rc == 0)
		rc = segments_way(t->segments, index, w.hash, e);
	return rc ? rc : proof_inclusion(out, &s, index, n, e);
}
