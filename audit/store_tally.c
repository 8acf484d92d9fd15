/* SPDX-License-Identifier: Apache-2.0 */
/* What is counted and not a record yet. */
#include <assert.h>
#include <stdlib.h>

#include "audit/audit_own.h"
#include "audit/store_own.h"

/* Durable with the next commit. said empty: it is gone. */
static int put_tally(struct store *s, uint64_t slot, struct span said,
		     struct err *e)
{
	struct db_stmt *st = said.n ? s->tally : s->tallied;
	int rc = store_usable(s, e);

	if (rc)
		return rc;
	rc = store_begin(s, e);
	if (rc == 0)
		rc = store_put_boot(s, e);
	if (rc == 0) {
		db_put_u64(st, 1, slot);
		if (said.n)
			db_put_span(st, 2, said);
		rc = db_run(st, e);
	}
	if (rc == 0)
		rc = tally_put(&s->open, slot, said, e);
	return rc ? store_lost(s, rc) : 0;
}

int store_counts(struct store *s, uint8_t out[SHA256_LEN], uint8_t **list,
		 size_t *n, struct err *e)
{
	(void)tally_digest(&s->open, s->h, out);
	return tally_list(&s->open, s->db, list, n, e);
}

bool store_any_open(const struct store *s)
{
	return s->open.n != 0;
}

uint64_t store_commits(const struct store *s)
{
	return s->commits;
}

static int tally(struct audit *a, uint64_t slot, const struct event *ev,
		 struct err *e)
{
	uint8_t octets[RECORD_MAX];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct record r = {
		.kind = RECORD_AGGREGATE,
		.seq = slot,
		.boot = store_boot(a->store),
		.policy_seq = a->policy_seq,
		.ev = ev,
	};
	int rc = 0;

	if (ev) {
		assert(record_kind_of(ev) == RECORD_AGGREGATE);
		rc = record_encode(&w, &r, e);
	}
	return rc ? rc : put_tally(a->store, slot, wbuf_span(&w), e);
}

int audit_tally(struct audit *a, uint64_t slot, const struct event *ev,
		struct err *e)
{
	int rc;

	assert(!a->sealed);
	rc = tally(a, slot, ev, e);
	if (rc)
		return err_wrap(e, "audit");
	a->counted = true;
	if (!a->has_point)
		a->point = a->last_mono;
	a->has_point = true;
	return 0;
}

struct telling {
	int (*f)(void *arg, uint64_t slot, const struct event *ev,
		 struct err *e);
	void *arg;
	struct record_view *v;
};

static int tell(void *arg, uint64_t slot, struct span said, struct err *e)
{
	struct telling *t = arg;
	int rc = tally_read(t->v, slot, said, e);

	return rc ? rc : t->f(t->arg, slot, &t->v->ev, e);
}

int audit_tallies(struct audit *a,
		  int (*f)(void *arg, uint64_t slot, const struct event *ev,
			   struct err *e),
		  void *arg, struct err *e)
{
	struct telling t = {f, arg, malloc(sizeof(*t.v))};
	int rc = t.v ? tally_each(a->store->db, tell, &t, e)
		     : err_set(e, E_NOMEM, 0, "out of memory");

	free(t.v);
	return rc;
}

uint64_t audit_commits(const struct audit *a)
{
	return store_commits(a->store);
}
