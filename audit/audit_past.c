/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a log says that somebody acts upon when it is opened. Whoever can write
 * the file can add records behind its last checkpoint, and the next one would
 * vouch for them; so what stood there when the log was opened counts for little:
 * nothing is removed for it, and of numbers that only grow it may not be less
 * than what was vouched for.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/audit_own.h"

/* Somebody signs this log, or is to. */
static bool is_signed(const struct audit *a)
{
	return a->by || a->anchors;
}

/* What the newest records say that is pruned: what is to go, what is gone. */
struct said_so {
	struct audit *a;
	uint64_t gone; /* records before */
	uint64_t from; /* records from there on are not believed */
};

/* 1: this one is; 0: it stood there, now or at an earlier start. */
static int believed(struct said_so *s, uint64_t seq, struct span record,
		    struct err *e)
{
	int rc;

	if (!is_signed(s->a))
		return 1;
	if (seq >= s->from)
		return 0;
	rc = store_vouched(s->a->store, seq, record, e);
	s->a->withdraws |= rc == 0;
	return rc;
}

static int said_so(void *arg, struct span record, struct err *e)
{
	struct said_so *s = arg;
	struct audit *a = s->a;
	struct record_view *v = malloc(sizeof(*v));
	const struct event_log *l;
	int rc = v ? record_decode(v, record, e)
		   : err_set(e, E_NOMEM, 0, "out of memory");

	l = rc == 0 ? v->ev.log : NULL;
	if (l && l->withdrawn && v->r.seq - l->withdrawn < s->from)
		s->from = v->r.seq - l->withdrawn;
	if (l && l->has_range)
		rc = believed(s, v->r.seq, record, e);
	if (rc == 1 && l->end <= store_first(a->store)) {
		s->gone = l->end;
	} else if (rc == 1) {
		rc = 0;
		if (a->going.end == 0) {
			a->going.end = l->end;
			a->going.at = v->r.seq;
		}
	}
	free(v);
	return rc;
}

/* It is gone because a record says so. */
static int check_gone(const struct said_so *s, struct err *e)
{
	uint64_t first = store_first(s->a->store);

	return s->gone == first
		       ? 0
		       : err_set(e, E_INTEGRITY, 0, "records before %llu are "
				 "gone, and no record that a checkpoint covers "
				 "says that they were pruned",
				 (unsigned long long)first);
}

static int check_going(const struct audit *a, struct err *e)
{
	uint64_t end = 0;
	int rc = store_oldest(a->store, UINT64_MAX, a->going.end, &end, e);

	return rc || end == a->going.end
		       ? rc
		       : err_set(e, E_INTEGRITY, 0, "record %llu says that "
				 "records before %llu are pruned, and no "
				 "segment ends there",
				 (unsigned long long)a->going.at,
				 (unsigned long long)a->going.end);
}

struct withdrawn {
	const struct audit *a;
	struct record_view *v;
};

static int withdraws_it(void *arg, struct span record, struct err *e)
{
	struct withdrawn *w = arg;
	const struct event_log *l;
	int rc = record_decode(w->v, record, e);

	if (rc)
		return e->code = E_INTEGRITY;
	l = w->v->ev.log;
	if (!l || !l->withdrawn || w->v->r.seq - l->withdrawn > w->a->going.at)
		return 0;
	return err_set(e, E_INTEGRITY, 0, "record %llu withdraws what record "
		       "%llu says, and its protected copy is missing",
		       (unsigned long long)w->v->r.seq,
		       (unsigned long long)w->a->going.at);
}

/* What was looked at are copies: that of the one that withdraws it can have been
 * taken away. What is to be removed is said shortly before the end, so there is
 * little to read. */
static int check_withdrawn(const struct audit *a, struct err *e)
{
	struct withdrawn w = {a, malloc(sizeof(*w.v))};
	int rc = w.v ? store_from(a->store, a->going.at + 1, withdraws_it, &w,
				  e)
		     : err_set(e, E_NOMEM, 0, "out of memory");

	free(w.v);
	return rc;
}

int audit_going(struct audit *a, struct err *e)
{
	struct said_so s = {.a = a, .from = UINT64_MAX};
	int rc = store_newest(a->store, RECORD_EXPORT, said_so, &s, e);

	a->opened = store_size(a->store);
	a->unvouched = is_signed(a) ? store_checkpointed(a->store) : a->opened;
	a->again = a->has_last && a->unvouched < a->opened;
	if (rc >= 0)
		rc = check_gone(&s, e);
	if (rc == 0 && a->going.end)
		rc = check_going(a, e);
	if (rc == 0 && a->going.end)
		rc = check_withdrawn(a, e);
	return rc ? rc : store_left(a->store, e);
}

bool audit_unvouched(const struct audit *a, uint64_t *from, uint64_t *end)
{
	*from = a->unvouched;
	*end = a->opened;
	return *from < *end;
}

bool audit_withdraws(const struct audit *a)
{
	return a->withdraws;
}

/* --- numbers -------------------------------------------------------------- */

struct highest {
	struct audit *a;
	struct record_view *v;
	const char *prefix;
	uint64_t *n;
	uint64_t sure; /* the records from there on were looked at */
};

/* A copy that the checkpoint does not have is no record: it ends nothing. */
static int is_sure(const struct audit *a, uint64_t seq, struct span record,
		   struct err *e)
{
	int rc;

	if (!is_signed(a) || seq >= a->opened)
		return 1;
	rc = store_vouched(a->store, seq, record, e);
	return rc == E_INTEGRITY ? 0 : rc;
}

static int take_number(void *arg, struct span record, struct err *e)
{
	struct highest *h = arg;
	size_t skip = strlen(h->prefix);
	uint64_t n;
	int rc = record_decode(h->v, record, e);

	if (rc || !h->v->ev.detail ||
	    strncmp(h->v->detail, h->prefix, skip) != 0)
		return rc;
	n = strtoull(h->v->detail + skip, NULL, 10);
	/* None was counted so far; another would follow it. */
	if (n > *h->n && n < UINT64_MAX / 2)
		*h->n = n;
	rc = is_sure(h->a, h->v->r.seq, record, e);
	if (rc == 1)
		h->sure = h->v->r.seq;
	return rc;
}

static int find(struct highest *h, struct err *e)
{
	*h->n = 0;
	h->v = malloc(sizeof(*h->v));
	return h->v ? store_newest(h->a->store, RECORD_MAINTENANCE, take_number,
				   h, e)
		    : err_set(e, E_NOMEM, 0, "out of memory");
}

int audit_highest(struct audit *a, const char *prefix, uint64_t *n,
		  struct err *e)
{
	struct highest h = {.a = a, .prefix = prefix, .n = n};
	int rc = find(&h, e);

	free(h.v);
	return rc < 0 ? err_wrap(e, "audit") : 0;
}

static int has_copy(void *arg, struct span record, struct err *e)
{
	struct highest *h = arg;
	int rc = record_decode(h->v, record, e);

	if (rc)
		return e->code = E_INTEGRITY;
	return h->v->r.kind == RECORD_MAINTENANCE
		       ? store_copied(h->a->store, h->v->r.seq, record, e)
		       : 0;
}

/* Who takes away the copies of the newest would make the one before them the
 * newest: so the log is read as far as that one. */
int audit_counts(struct audit *a, const char *prefix, struct err *e)
{
	uint64_t n, first = store_first(a->store);
	struct highest h = {.a = a, .prefix = prefix, .n = &n};
	int rc = find(&h, e);

	if (rc >= 0)
		rc = store_from(a->store, h.sure > first ? h.sure : first,
				has_copy, &h, e);
	free(h.v);
	return rc;
}
