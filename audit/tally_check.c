/* SPDX-License-Identifier: Apache-2.0 */
/* Is anything missing of what was counted? */
#include <stdlib.h>

#include "audit/db.h"
#include "audit/segment.h"
#include "audit/store.h"
#include "audit/tally.h"
#include "core/wbuf.h"

/* What of a count does not change while it is open, nor when it is told. */
struct count {
	uint64_t slot, n, octets;
	uint8_t id[SHA256_LEN]; /* of what is counted, and of the first */
	uint32_t boot;
	int64_t first_ns, last_ns; /* by the clock of that boot */
	bool there;
};

struct check {
	struct db *d;
	struct sha256 *h;
	struct segments *segments;
	struct record_view *v;
	uint64_t size; /* records in the last checkpoint; 0: there is none */
	uint8_t *list; /* what was open then */
	size_t list_n;
	struct count *count;
	size_t n_count, room, at;
	bool bound; /* the record before the checkpoint was read */
};

static void take_count(struct count *c, const struct record_view *v)
{
	uint8_t octets[RECORD_MAX];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct event ev = v->ev;
	struct record r = {.kind = v->r.kind, .ev = &ev};
	struct err ignored;

	c->n = ev.count;
	c->octets = ev.count_octets;
	c->boot = v->r.boot;
	c->first_ns = ev.first.ns;
	c->last_ns = ev.last.ns;
	ev.count = ev.count_octets = ev.last_flow = 0;
	ev.first = ev.last = ev.now.mono = (struct mono){0};
	ev.last_tup.proto = 0;
	ev.detail = NULL;
	memset(c->id, 0, sizeof(c->id));
	if (record_encode(&w, &r, &ignored) == 0)
		sha256_of(span_from(wbuf_span(&w), RECORD_FIXED), c->id);
}

/* What is told later, or has grown: it begins with the same one. Of a boot that
 * is over it is told by the clock of the next. */
static bool goes_on(const struct count *then, const struct count *now)
{
	return memcmp(then->id, now->id, sizeof(now->id)) == 0 &&
	       now->n >= then->n && now->octets >= then->octets &&
	       (now->boot != then->boot || (now->first_ns == then->first_ns &&
					    now->last_ns >= then->last_ns));
}

/* --- the state, and the last checkpoint ----------------------------------- */

static int check_state(const struct tally_set *set, struct sha256 *h,
		       struct db *d, struct err *e)
{
	uint8_t digest[SHA256_LEN];
	bool any = tally_digest(set, h, digest);
	struct db_stmt *st;
	struct span said = {0};
	int rc = db_prepare(&st, d, "SELECT tally FROM state", e);

	if (rc)
		return rc;
	rc = db_step(st, e);
	if (rc == 1)
		rc = (db_null(st, 0) || db_span(st, 0, &said)) &&
				     span_eq(said, span_of(digest,
						any ? sizeof(digest) : 0))
			     ? 0
			     : err_set(e, E_INTEGRITY, 0, "the open counts are "
				       "not what the state says");
	db_finish(st);
	return rc;
}

static int read_point(struct check *c, struct err *e)
{
	struct db_stmt *st;
	struct span list = {0};
	int rc = db_prepare(&st, c->d, "SELECT size, open FROM checkpoint"
			    " ORDER BY size DESC LIMIT 1", e);

	if (rc)
		return rc;
	rc = db_step(st, e);
	if (rc == 1)
		rc = db_u64(st, 0, &c->size) && c->size &&
				     (db_null(st, 1) || db_span(st, 1, &list))
			     ? 0
			     : err_set(e, E_INTEGRITY, 0, "the last checkpoint "
				       "is damaged");
	if (rc == 0 && list.n) {
		c->list = malloc(list.n);
		if (!c->list)
			rc = err_set(e, E_NOMEM, 0, "out of memory");
		else
			memcpy(c->list, list.p, c->list_n = list.n);
	}
	db_finish(st);
	return rc;
}

static int not_bound(const struct check *c, struct err *e)
{
	return err_set(e, E_INTEGRITY, 0, "checkpoint of %llu records: the "
		       "open counts beside it are not those that the record "
		       "before it names", (unsigned long long)c->size);
}

static int more(struct check *c, struct err *e)
{
	size_t room = c->room ? 2 * c->room : 64;
	struct count *p;

	if (c->n_count < c->room)
		return 0;
	p = realloc(c->count, room * sizeof(*p));
	if (!p)
		return err_set(e, E_NOMEM, 0, "out of memory");
	c->count = p;
	c->room = room;
	return 0;
}

static int read_list(struct check *c, struct tally_set *set, struct err *e)
{
	struct cur in = cur_of(span_of(c->list, c->list_n));
	int rc = 0;

	while (rc == 0 && cur_left(&in)) {
		uint64_t slot = cur_u64(&in);
		struct span said = cur_take(&in, cur_u16(&in));

		if (!cur_ok(&in) || tally_read(c->v, slot, said, NULL) ||
		    (set->n && set->at[set->n - 1].slot >= slot))
			return not_bound(c, e);
		rc = tally_put(set, slot, said, e);
		if (rc == 0)
			rc = more(c, e);
		if (rc == 0) {
			c->count[c->n_count] = (struct count){.slot = slot};
			take_count(&c->count[c->n_count++], c->v);
		}
	}
	return rc;
}

/* --- records -------------------------------------------------------------- */

/* f of each of the log's records from `from` on, up to `end`. */
static int each_record(struct check *c, uint64_t from, uint64_t end,
		       int (*f)(struct check *c, struct err *e), struct err *e)
{
	int rc = 0;

	while (rc == 0 && from < end) {
		uint64_t first = from / STORE_BUNDLE * STORE_BUNDLE;
		struct span octets, record;
		struct cur in;
		uint32_t n;

		rc = segments_bundle(c->segments, first, &n, &octets, e);
		if (rc <= 0)
			return rc;
		rc = 0;
		in = cur_of(octets);
		for (uint64_t i = first; rc == 0 && i < first + n && i < end &&
					 store_next(&in, &record); i++) {
			if (i < from)
				continue;
			rc = record_decode(c->v, record, NULL)
				     ? err_set(e, E_INTEGRITY, 0, "record %llu "
					       "cannot be read",
					       (unsigned long long)i)
				     : f(c, e);
		}
		from = first + STORE_BUNDLE;
	}
	return rc;
}

/* What a checkpoint is bound to. */
static int compare_bound(struct check *c, struct err *e)
{
	const struct event_log *l = c->v->ev.log;
	bool named = c->v->r.kind == RECORD_CHECKPOINT && l && l->has_open;
	uint8_t said[SHA256_LEN] = {0}, digest[SHA256_LEN];
	struct tally_set set = {0};
	bool any;
	int rc;

	c->bound = true;
	/* The list is read into the same view. */
	if (named)
		memcpy(said, l->open, sizeof(said));
	rc = read_list(c, &set, e);
	any = tally_digest(&set, c->h, digest);
	tally_fini(&set);
	if (rc)
		return rc;
	return any == named && memcmp(said, digest, sizeof(said)) == 0
		       ? 0
		       : not_bound(c, e);
}

static int look_for_told(struct check *c, struct err *e)
{
	struct count told;

	(void)e;
	if (c->v->r.kind != RECORD_AGGREGATE)
		return 0;
	take_count(&told, c->v);
	for (size_t i = 0; i < c->n_count; i++)
		c->count[i].there |= goes_on(&c->count[i], &told);
	return 0;
}

/* --- what became of them -------------------------------------------------- */

static int look_for_open(void *arg, uint64_t slot, struct span said,
			 struct err *e)
{
	struct check *c = arg;
	struct count now;
	int rc = tally_read(c->v, slot, said, e);

	if (rc)
		return rc;
	while (c->at < c->n_count && c->count[c->at].slot < slot)
		c->at++;
	if (c->at == c->n_count || c->count[c->at].slot != slot)
		return 0;
	take_count(&now, c->v);
	c->count[c->at].there = now.boot == c->count[c->at].boot &&
				goes_on(&c->count[c->at], &now);
	return 0;
}

static const struct count *missing(const struct check *c)
{
	for (size_t i = 0; i < c->n_count; i++) {
		if (!c->count[i].there)
			return &c->count[i];
	}
	return NULL;
}

static int check_point(struct check *c, struct err *e)
{
	const struct count *gone;
	int rc = each_record(c, c->size - 1, c->size, compare_bound, e);

	if (rc == 0 && !c->bound)
		rc = not_bound(c, e);
	if (rc == 0)
		rc = tally_each(c->d, look_for_open, c, e);
	if (rc == 0 && missing(c))
		rc = each_record(c, c->size, UINT64_MAX, look_for_told, e);
	gone = missing(c);
	if (rc || !gone)
		return rc;
	return err_set(e, E_INTEGRITY, 0, "open count %llu: it was %llu at the "
		       "checkpoint of %llu records; it is neither there with "
		       "as many nor told since", (unsigned long long)gone->slot,
		       (unsigned long long)gone->n,
		       (unsigned long long)c->size);
}

int tally_check(const struct tally_set *set, struct sha256 *h, struct db *d,
		const char *path, struct err *e)
{
	struct check c = {.d = d, .h = h, .v = malloc(sizeof(*c.v))};
	uint64_t pruned = 0;
	int rc = c.v ? check_state(set, h, d, e)
		     : err_set(e, E_NOMEM, 0, "out of memory");

	if (rc == 0)
		rc = read_point(&c, e);
	if (rc == 0)
		rc = segments_open(&c.segments, d, path, e);
	if (rc == 0)
		rc = segments_pruned(c.segments, &pruned, e);
	/* Without the record before it nobody knows what was open. */
	if (rc == 0 && c.size > pruned)
		rc = check_point(&c, e);
	segments_close(c.segments);
	free(c.count);
	free(c.list);
	free(c.v);
	return rc;
}
