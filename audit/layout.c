/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/db.h"
#include "audit/eve.h"
#include "audit/layout_file.h"
#include "audit/layout_kept.h"
#include "audit/prover.h"
#include "audit/segment.h"
#include "audit/store.h"
#include "audit/tiles.h"

struct writer {
	const char *dir;
	struct db *db;
	struct prover *prover;
	struct tiles *tiles;
	struct sha256 *h;
	struct layout_part part; /* as it was asked for */
	uint64_t size; /* of the checkpoint */
	uint64_t first; /* record: not pruned, and of the part */
	bool protected_only;
	enum layout_client client; /* then */
	struct record_view view;
	uint8_t line[EVE_LINE_MAX];
	struct proof_text proof;
	uint8_t text[PROOF_TEXT_MAX], boots[LAYOUT_BOOTS];
};

/* How many hashes the tile has in a tree of that size; 0: none. */
static unsigned width(uint64_t size, unsigned level, uint64_t idx)
{
	uint64_t hashes = size >> (8 * level), first = idx * TREE_TILE;

	return first >= hashes		? 0
	       : hashes - first < TREE_TILE ? (unsigned)(hashes - first)
					    : TREE_TILE;
}

static int put_tiles(struct writer *w, struct err *e)
{
	char name[LAYOUT_PATH], what[4];
	struct span hashes;
	int rc = 0;

	for (unsigned level = 0; level < TREE_LEVELS; level++) {
		snprintf(what, sizeof(what), "%u", level);
		uint64_t from = level ? 0 : w->first / TREE_TILE;

		for (uint64_t i = from; rc == 0 && width(w->size, level, i);
		     i++) {
			unsigned n = width(w->size, level, i);

			rc = tiles_get(w->tiles, level, i, &hashes, e);
			if (rc == 0 && hashes.n < n * SHA256_LEN)
				rc = err_set(e, E_INTEGRITY, 0, "a tile is cut "
					     "short");
			if (rc == 0)
				rc = layout_tile(name, w->dir, what, i, n, e);
			if (rc == 0)
				rc = layout_put(name,
						span_sub(hashes, 0,
							 n * SHA256_LEN), e);
		}
	}
	return rc;
}

/* A bundle may hold more than the checkpoint covers. */
static int put_entries(struct writer *w, struct err *e)
{
	char name[LAYOUT_PATH];
	struct span data, record;
	uint64_t next = w->first;
	int rc = 0;

	while (rc == 0 && next < w->size) {
		unsigned n = width(w->size, 0, next / STORE_BUNDLE);
		uint64_t first = next;
		uint32_t have;
		struct cur c;

		rc = segments_bundle(tiles_segments(w->tiles), first, &have,
				     &data, e);
		if (rc < 0)
			return rc;
		c = cur_of(data);
		for (unsigned i = 0; i < n && store_next(&c, &record); i++)
			next++;
		if (next != first + n)
			return err_set(e, E_INTEGRITY, 0, "record %llu is "
				       "missing", (unsigned long long)next);
		rc = layout_tile(name, w->dir, "entries",
				 first / STORE_BUNDLE, n, e);
		if (rc == 0)
			rc = layout_put(name, span_sub(data, 0, c.off), e);
	}
	return rc;
}

static int put_minimum(struct writer *w, struct err *e)
{
	uint64_t from = w->part.from / STORE_BUNDLE * STORE_BUNDLE;
	char name[LAYOUT_PATH], text[LAYOUT_BEGIN];
	uint8_t head[SHA256_LEN];
	size_t n;
	int rc = segments_pruned(tiles_segments(w->tiles), &w->first, e);
	bool part = from > w->first;

	if (rc == 0 && w->part.from && w->part.from >= w->size)
		return err_set(e, E_LIMIT, 0, "record %llu is not among the "
			       "%llu of the checkpoint",
			       (unsigned long long)w->part.from,
			       (unsigned long long)w->size);
	if (part)
		w->first = from;
	if (rc || w->first == 0)
		return rc;
	if (w->first > w->size)
		return err_set(e, E_NOTFOUND, 0, "all that the checkpoint "
			       "covers was pruned");
	rc = segments_head(tiles_segments(w->tiles), w->first, head, e);
	if (rc)
		return rc;
	n = (size_t)snprintf(text, sizeof(text), "%llu\n",
			     (unsigned long long)w->first);
	for (size_t i = 0; i < sizeof(head); i++)
		snprintf(text + n + 2 * i, 3, "%02x", head[i]);
	strcat(text, "\n");
	rc = layout_name(name, w->dir, part ? "part" : "minimum", e);
	return rc ? rc : layout_put(name, span_str(text), e);
}

/* Which policy came into force is said with its layer; of what is told in
 * words alone nobody knows here what it names. */
static bool names_no_choice(const struct event *ev)
{
	static const char *const layers[] = {"binding", "baseline", "vendor"};
	bool known = ev->n_rules > 0;

	for (uint32_t i = 0; i < ev->n_rules && i < EVENT_RULES; i++) {
		size_t k = 0;

		while (k < 3 && !span_is(ev->rules[i].layer, layers[k]))
			k++;
		known = known && k < 3;
	}
	return known;
}

static bool may_have(const struct writer *w)
{
	if (!w->protected_only || w->client == LAYOUT_CUSTOMER)
		return true;
	switch (w->view.r.kind) {
	case RECORD_MAINTENANCE:
	case RECORD_ATTESTATION:
	case RECORD_BILL:
		return true;
	case RECORD_POLICY:
		return names_no_choice(&w->view.ev);
	default:
		return false;
	}
}

static int read_view(struct writer *w, uint64_t seq, struct err *e)
{
	int rc = record_decode(&w->view,
			       span_of(w->proof.record, w->proof.record_n), e);

	if (rc == 0)
		return 0;
	err_wrap(e, "record %llu", (unsigned long long)seq);
	return e->code = E_INTEGRITY;
}

/* The record that the proof has, as people and programs read it. */
static int put_line(struct writer *w, uint64_t seq, struct err *e)
{
	struct json j = json_of(w->line, sizeof(w->line));
	struct eve_opts o = {.has_seq = true, .seq = seq};
	char name[LAYOUT_PATH], file[40];
	int rc;

	o.service = w->view.r.service;
	if (!eve_event(&j, &w->view.ev, &o))
		return err_set(e, E_LIMIT, 0, "record %llu: its line is too "
			       "long", (unsigned long long)seq);
	snprintf(file, sizeof(file), "record/%llu.json",
		 (unsigned long long)seq);
	rc = layout_name(name, w->dir, file, e);
	return rc ? rc : layout_put(name, wbuf_span(&j.w), e);
}

static int put_proof(struct writer *w, uint64_t seq, struct err *e)
{
	struct wbuf t = wbuf_of(w->text, sizeof(w->text));
	char name[LAYOUT_PATH], file[40];
	int rc = prover_inclusion(w->prover, seq, w->size, &w->proof, e);

	if (rc == 0)
		rc = read_view(w, seq, e);
	if (rc || !may_have(w))
		return rc;
	rc = proof_text_put(&t, &w->proof, e);
	snprintf(file, sizeof(file), "proof/%llu.tlog-proof",
		 (unsigned long long)seq);
	if (rc == 0)
		rc = layout_name(name, w->dir, file, e);
	if (rc == 0)
		rc = layout_put(name, wbuf_span(&t), e);
	return rc == 0 && w->protected_only ? put_line(w, seq, e) : rc;
}

static int put_proofs(struct writer *w, struct err *e)
{
	struct db_stmt *st;
	uint64_t seq = 0;
	int rc = db_prepare(&st, w->db, "SELECT seq FROM protected WHERE"
			    " seq >= ?1 AND seq < ?2 ORDER BY seq LIMIT 1", e);

	/* Nothing of the database is held on to while files are written. */
	for (; rc == 0; seq++) {
		db_put_u64(st, 1, seq);
		db_put_u64(st, 2, w->size);
		rc = db_step(st, e);
		if (rc == 0)
			break;
		if (rc == 1)
			rc = db_u64(st, 0, &seq)
				     ? 0
				     : err_set(e, E_INTEGRITY, 0, "a protected "
					       "record is damaged");
		db_reset(st);
		if (rc == 0)
			rc = put_proof(w, seq, e);
	}
	db_finish(st);
	return rc;
}

/* Who has the key of a boot can try what a record says against its hash, which
 * is in proofs and in tiles: he gets it together with all records. */
static bool has_all(const struct writer *w)
{
	return w->part.from == 0 && w->part.size == 0;
}

static void put_boot(struct wbuf *t, uint64_t number, uint64_t first,
		     struct span key)
{
	char line[64];

	snprintf(line, sizeof(line), "%llu %llu", (unsigned long long)number,
		 (unsigned long long)first);
	wbuf_put(t, span_str(line));
	if (key.n)
		wbuf_u8(t, ' ');
	for (size_t i = 0; i < key.n; i++) {
		snprintf(line, sizeof(line), "%02x", key.p[i]);
		wbuf_put(t, span_str(line));
	}
	wbuf_u8(t, '\n');
}

static int put_boots(struct writer *w, struct err *e)
{
	struct wbuf t = wbuf_of(w->boots, sizeof(w->boots));
	char name[LAYOUT_PATH];
	uint64_t number, first;
	struct db_stmt *st;
	struct span key;
	int rc = db_prepare(&st, w->db, "SELECT number, first, key FROM boot"
			    " WHERE first < ?1 ORDER BY number", e);

	if (rc)
		return rc;
	db_put_u64(st, 1, w->size);
	while ((rc = db_step(st, e)) == 1) {
		if (!db_u64(st, 0, &number) || !db_u64(st, 1, &first) ||
		    !db_span(st, 2, &key) || key.n != 32) {
			rc = err_set(e, E_INTEGRITY, 0, "a boot is damaged");
			break;
		}
		put_boot(&t, number, first,
			 has_all(w) ? key : (struct span){0});
	}
	db_finish(st);
	if (rc == 0 && t.failed)
		rc = err_set(e, E_LIMIT, 0, "too many boots");
	if (rc == 0)
		rc = layout_name(name, w->dir, "boots", e);
	return rc ? rc : layout_put(name, wbuf_span(&t), e);
}

static int put_all(struct writer *w, const char *path, struct err *e)
{
	char name[LAYOUT_PATH];
	struct checkpoint c;
	struct span note;
	int rc = prover_open(&w->prover, path, false, e);

	if (rc == 0)
		rc = prover_checkpoint(w->prover, w->part.size, &c, &note, e);
	if (rc == 0)
		rc = layout_name(name, w->dir, "checkpoint", e);
	if (rc == 0)
		rc = layout_put(name, note, e);
	if (rc)
		return rc;
	w->size = c.size;
	rc = db_open(&w->db, path, DB_READ, e);
	if (rc == 0)
		rc = tiles_open(&w->tiles, w->db, path, w->h, e);
	if (rc == 0 && w->protected_only) {
		rc = layout_kept(path, w->db, e);
		return rc ? rc : put_proofs(w, e);
	}
	if (rc == 0)
		rc = put_minimum(w, e);
	if (rc == 0)
		rc = put_tiles(w, e);
	if (rc == 0)
		rc = put_entries(w, e);
	if (rc == 0)
		rc = put_proofs(w, e);
	return rc ? rc : put_boots(w, e);
}

static int write_log(const char *path, const char *dir,
		     const struct layout_part *part, bool protected_only,
		     enum layout_client client, struct err *e)
{
	struct writer *w = calloc(1, sizeof(*w));
	struct err ignored;
	int rc;

	if (!w || !(w->h = sha256_new())) {
		free(w);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	w->dir = dir;
	w->part = *part;
	w->protected_only = protected_only;
	w->client = client;
	rc = put_all(w, path, e);
	tiles_close(w->tiles);
	if (db_close(w->db, &ignored) && rc == 0)
		rc = err_set(e, E_IO, 0, "%s", ignored.text);
	prover_close(w->prover);
	sha256_free(w->h);
	free(w);
	return rc;
}

int layout_write_part(const char *path, const char *dir,
		      const struct layout_part *part, struct err *e)
{
	return write_log(path, dir, part, false, LAYOUT_CUSTOMER, e);
}

int layout_write(const char *path, const char *dir, struct err *e)
{
	const struct layout_part all = {0};

	return layout_write_part(path, dir, &all, e);
}

int layout_write_protected(const char *path, const char *dir,
			   enum layout_client client, uint64_t size,
			   struct err *e)
{
	const struct layout_part part = {.size = size};

	return write_log(path, dir, &part, true, client, e);
}

int layout_certificate(const char *dir, const char *from, struct err *e)
{
	const char *slash = strrchr(from, '/');
	const char *base = slash ? slash + 1 : from;
	uint8_t *octets = malloc(LAYOUT_BESIDE);
	struct wbuf w = wbuf_of(octets, octets ? LAYOUT_BESIDE : 0);
	char name[LAYOUT_PATH], file[300];
	int rc;

	if (!octets)
		return err_set(e, E_NOMEM, 0, "out of memory");
	snprintf(file, sizeof(file), "certificate/%.255s", base);
	rc = layout_get(from, &w, e);
	if (rc)
		err_wrap(e, "%s", from);
	if (rc == 0)
		rc = layout_name(name, dir, file, e);
	if (rc == 0)
		rc = layout_put(name, wbuf_span(&w), e);
	free(octets);
	return rc;
}
