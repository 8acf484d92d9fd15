/* SPDX-License-Identifier: Apache-2.0 */
/* The records of a log, bundle by bundle, and what is told of each elsewhere. */
#include "audit/verify_own.h"

#define BUNDLES 8  /* read in one transaction */
#define PASSES	16 /* over what came during the one before */

/* The tree completed a tile: it must be the stored one. */
int verify_tile(void *arg, unsigned level, uint64_t idx,
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

int verify_point(struct verify *v, bool sealed, struct err *e)
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
	return rc ? rc : verify_point(v, r->kind == RECORD_CHECKPOINT, e);
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

/* Where in a bundle that is wrong: the chain names a range, the frontier less
 * of it. */
static void place_bad(struct verify *v, uint64_t first)
{
	uint64_t doubtful = verify_doubtful(v, &v->state);

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
