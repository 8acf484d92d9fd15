/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/layout_named.h"
#include "audit/layout_proofs.h"
#include "audit/said.h"
#include "audit/store.h"
#include "audit/verify_rules.h"
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
	struct layout_named *named;
	struct checkpoint c;
	struct verify_rules rules;
	struct said said; /* what was pruned */
	struct cur boots; /* lines that were not reached */
	struct layout_boot before; /* of the line before those */
	uint8_t note[NOTE_MAX], boots_text[LAYOUT_BOOTS];
	uint8_t tile[TREE_TILE_OCTETS], entries[STORE_BUNDLE_MAX];
};

static int wrong(struct reading *r, uint64_t seq, struct err *e,
		 const char *what)
{
	return verify_bad(r->out, seq, e, what);
}

/* A tile of the directory, of so many hashes, begins with those that the
 * records give. */
static int same_tile(struct reading *r, unsigned level, uint64_t idx,
		     unsigned width, struct span hashes, struct err *e)
{
	uint64_t covers = UINT64_C(1) << (8 * level), i = 0;
	struct wbuf w = wbuf_of(r->tile, sizeof(r->tile));
	char name[LAYOUT_PATH], what[4];
	int rc;

	snprintf(what, sizeof(what), "%u", level);
	rc = layout_tile(name, r->dir, what, idx, width, e);
	if (rc == 0)
		rc = layout_get(name, &w, e);
	if (rc == E_NOTFOUND)
		return wrong(r, idx * TREE_TILE * covers, e,
			     "its tile is missing");
	if (rc && rc != E_LIMIT)
		return rc;
	while (i < hashes.n / SHA256_LEN &&
	       span_eq(span_sub(wbuf_span(&w), i * SHA256_LEN, SHA256_LEN),
		       span_sub(hashes, i * SHA256_LEN, SHA256_LEN)))
		i++;
	if (i == hashes.n / SHA256_LEN && rc == 0 &&
	    w.n == (size_t)width * SHA256_LEN)
		return 0;
	i = i == hashes.n / SHA256_LEN ? 0 : i;
	return wrong(r, (idx * TREE_TILE + i) * covers, e,
		     level ? "it or one behind it is not what the tree's tile "
			     "says"
			   : "it is not what the tree's tile says");
}

static int full(void *arg, unsigned level, uint64_t idx, struct span hashes,
		struct err *e)
{
	return same_tile(arg, level, idx, TREE_TILE, hashes, e);
}

/* The next line; false when it is none. With a key or without is as the first
 * one is. */
static bool next_boot(struct reading *r, struct layout_boot *b)
{
	return layout_boot(&r->boots, b) &&
	       b->has_key == !r->rules.keyless &&
	       b->number > r->before.number &&
	       (r->before.number ? b->first >= r->before.first
				 : b->first == 0);
}

/* The next line of boots is this record's. */
static int enter_boot(struct reading *r, uint64_t seq, struct err *e)
{
	struct layout_boot b;

	if (!next_boot(r, &b) || b.number != r->rules.view.r.boot ||
	    b.first != seq)
		return wrong(r, seq, e, "its boot is not the next one known");
	verify_boot(&r->rules, b.number, b.key);
	r->before = b;
	return 0;
}

/* Of what was pruned: the boots that began there, and the roots of bundles. */
static int pass_pruned(struct reading *r, uint64_t end, uint64_t size,
		       struct err *e)
{
	uint64_t hashes = size / TREE_TILE;
	char name[LAYOUT_PATH];
	uint8_t root[SHA256_LEN];
	struct layout_boot b;
	uint64_t bad;
	int rc = 0;

	while (cur_left(&r->boots)) {
		struct cur line = r->boots;

		if (!next_boot(r, &b))
			return err_set(e, E_INTEGRITY, 0, "boots: a line is "
				       "damaged, or not the next");
		if (b.first >= end) {
			r->boots = line;
			break;
		}
		verify_boot(&r->rules, b.number, b.key);
		r->before = b;
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

/* Where the records begin, and the chain before them; 0: there is no such
 * file. */
static int read_begin(struct reading *r, const char *file, uint64_t size,
		      struct err *e)
{
	char name[LAYOUT_PATH];
	uint8_t text[LAYOUT_BEGIN];
	struct wbuf w = wbuf_of(text, sizeof(text));
	int rc = layout_name(name, r->dir, file, e);
	struct cur c;

	if (rc == 0)
		rc = layout_get(name, &w, e);
	if (rc == E_NOTFOUND)
		return 0;
	c = cur_of(wbuf_span(&w));
	if (rc == E_LIMIT ||
	    (rc == 0 &&
	     (!checkpoint_number(cur_until(&c, '\n'), &r->out->first) ||
	      !layout_hex(cur_until(&c, '\n'), r->rules.head) ||
	      !cur_done(&c) || r->out->first == 0 ||
	      r->out->first % TREE_TILE || r->out->first > size)))
		rc = err_set(e, E_INTEGRITY, 0, "the file '%s' is damaged",
			     file);
	return rc ? rc : 1;
}

static int read_minimum(struct reading *r, uint64_t size, struct err *e)
{
	int rc = read_begin(r, "part", size, e);

	r->out->part = rc == 1;
	if (rc == 0)
		rc = read_begin(r, "minimum", size, e);
	if (rc != 1)
		return rc;
	rc = pass_pruned(r, r->out->first, size, e);
	/* Those hashes are compared at the end, with the rest. */
	r->points.good = 0;
	return rc;
}

/* Behind which checkpoint a boot or another checkpoint goes on. A checkpoint of
 * an older program does not say. */
static int check_named(struct reading *r, uint64_t seq, struct err *e)
{
	static const struct event_log none;
	const struct event_log *l = r->rules.view.ev.log;
	uint64_t bad = seq;
	int rc;

	l = l ? l : &none;
	if (l->point == 0 && r->rules.view.r.kind == RECORD_CHECKPOINT)
		return 0;
	rc = layout_named_is(r->named, l->point, l->point_text, &bad, e);
	if (rc == 0)
		verify_start(&r->rules);
	if (rc != E_INTEGRITY)
		return rc;
	r->out->has_bad = true;
	r->out->bad = bad;
	return err_wrap(e, "record %llu", (unsigned long long)seq);
}

/* The record announces a checkpoint of all up to it. */
static int announce(struct reading *r, struct err *e)
{
	struct points_sealed sealed = verify_sealed(&r->rules);
	struct checkpoint c = {.size = r->tree.size};

	memcpy(c.origin, r->c.origin, sizeof(c.origin));
	tree_root(&r->tree, c.root);
	return layout_named_said(r->named, &c, &sealed.bound, e);
}

static int check_record(struct reading *r, uint64_t seq, struct span record,
			struct err *e)
{
	const struct record *is = &r->rules.view.r;
	int rc = verify_read(&r->rules, seq, record, e);

	if (rc == 0 && is->flags & RECORD_PROTECTED &&
	    !layout_proofs_has(r->proofs, seq))
		rc = wrong(r, seq, e, "it is protected, and its proof is "
				      "missing");
	if (rc == 0 && verify_boots(&r->rules))
		rc = enter_boot(r, seq, e);
	if (rc == 0)
		rc = verify_follows(&r->rules, seq, e);
	if (rc == 0 &&
	    (is->kind == RECORD_BOOT || is->kind == RECORD_CHECKPOINT ||
	     (is->ev->log && is->ev->log->withdrawn)))
		rc = check_named(r, seq, e);
	if (rc == 0 && is->kind == RECORD_EXPORT) {
		bool range;
		const char *what = said_take(&r->said, seq, is->ev->log,
					     &range);

		rc = what ? wrong(r, seq, e, what) : 0;
	}
	return rc;
}

/* It is removed when a checkpoint covers the record that says so. */
static int check_said(struct reading *r, struct err *e)
{
	const struct said_removal *last = said_last(&r->said);
	uint64_t end = said_end(&r->said), first = r->out->first;

	if (r->out->part || end == first)
		return 0;
	if (end < first)
		return wrong(r, end, e, "it is gone, and no record says that "
			     "it was pruned");
	if (last->first != first)
		return wrong(r, end, e, "it is said to be pruned, and is "
			     "there");
	r->out->going = end;
	return 0;
}

static int add_record(struct reading *r, uint64_t seq, struct span record,
		      struct err *e)
{
	uint8_t leaf[SHA256_LEN], root[SHA256_LEN];
	uint64_t bad;
	int rc = check_record(r, seq, record, e);

	if (rc)
		return rc;
	tree_leaf(r->h, record, leaf);
	rc = tree_add(&r->tree, leaf, e);
	if (rc == 0 && r->rules.view.r.kind == RECORD_CHECKPOINT)
		rc = announce(r, e);
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

/* A record is wrong that begins so many of a bundle: perhaps one before it,
 * which makes it so. */
static int blame(struct reading *r, unsigned width, struct err *e)
{
	uint64_t n = r->tree.size % TREE_TILE;
	struct err before = {0};

	if (n && same_tile(r, 0, r->tree.size / TREE_TILE, width,
			   span_of(r->tree.tile[0], n * SHA256_LEN),
			   &before) == E_INTEGRITY)
		*e = before;
	return e->code;
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
		r->rules.first = first;
		while (r->tree.size < first + n) {
			r->rules.before = span_sub(wbuf_span(&w), 0, c.off);
			if (!store_next(&c, &record))
				break;
			rc = add_record(r, r->tree.size, record, e);
			if (rc == E_INTEGRITY)
				return blame(r, n, e);
			if (rc)
				return rc;
			r->out->records = r->tree.size;
		}
		if (r->tree.size != first + n || !cur_done(&c))
			return wrong(r, r->tree.size, e, "its bundle is "
				     "damaged");
		store_chain(r->h, r->rules.head, first, n, wbuf_span(&w),
			    r->rules.head);
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
				       (unsigned)n,
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

/* Without keys? That is what the first line says; no line is none. */
static bool is_keyless(struct span boots)
{
	struct cur lines = cur_of(boots);
	struct layout_boot b;

	return layout_boot(&lines, &b) && !b.has_key;
}

/* All of the log: its tiles, its records, and the proofs beside them. */
static int read_log(struct reading *r, uint64_t size, struct err *e)
{
	struct wbuf boots = wbuf_of(r->boots_text, sizeof(r->boots_text));
	int rc = get(r, "boots", &boots, e);

	if (rc)
		return rc;
	r->boots = cur_of(wbuf_span(&boots));
	r->rules.keyless = is_keyless(wbuf_span(&boots));
	r->out->salts = !r->rules.keyless;
	rc = read_minimum(r, size, e);
	r->said.within = r->out->first > 0;
	layout_proofs_boots(r->proofs, wbuf_span(&boots), r->out->first);
	if (rc == 0)
		rc = layout_named_open(&r->named, r->out->first, e);
	if (rc == 0)
		rc = read_entries(r, size, e);
	if (rc == 0)
		rc = check_said(r, e);
	if (rc == 0) {
		rc = layout_named_end(r->named, &r->c, &r->out->anchored, e);
		r->out->has_bad = rc == E_INTEGRITY;
		r->out->bad = size - 1;
	}
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
	r->out->size = r->c.size;
	memcpy(r->out->origin, r->c.origin, sizeof(r->out->origin));
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
	if (rc == 0)
		rc = layout_only(r->dir, alone, e);
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
	r->out = r->rules.out = out;
	r->rules.h = r->h;
	r->progress = progress;
	r->arg = arg;
	tree_init(&r->tree, r->h);
	r->tree.full = full;
	r->tree.arg = r;
	rc = read_all(r, points, is_alone(dir), e);
	if (!out->protected_only)
		tree_root(&r->tree, out->root);
	layout_proofs_close(r->proofs);
	layout_named_close(r->named);
	points_close(&r->points);
	sha256_free(r->h);
	free(r);
	return rc;
}
