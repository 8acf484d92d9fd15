/* SPDX-License-Identifier: Apache-2.0 */
/* The log within its bound: what is moved out, what is pruned, and when. */
#include <assert.h>
#include <stdlib.h>

#include "audit/audit_own.h"

/* A segment is moved out while nothing else is written, so it is small: on the
 * slowest flash that is meant, 20 MB/s, a third of a second. What is pruned is
 * a record that stays for ever, so that is more at a time. */
#define SEGMENT_OCTETS (UINT64_C(2) << 20)
#define PRUNE_OCTETS   (UINT64_C(16) << 20)

/* A part of the bound, and no more than that. */
static uint64_t share(const struct audit *a, unsigned part, uint64_t most)
{
	uint64_t n = a->most / part;

	return n && n < most ? n : most;
}

static uint64_t segment_octets(const struct audit *a)
{
	return share(a, 8, SEGMENT_OCTETS);
}

/* What a commit may add before the next look: its records, and its WAL. */
static uint64_t slack(const struct audit *a)
{
	return share(a, 16, UINT64_C(8) << 20) + share(a, 16, UINT64_C(2) << 20);
}

bool audit_tight(const struct audit *a)
{
	return a->tight;
}

uint64_t audit_first(const struct audit *a)
{
	return store_first(a->store);
}

bool audit_full(const struct audit *a)
{
	return a->going.full;
}

bool audit_removes(const struct audit *a)
{
	uint64_t at = a->going.at;

	if (a->going.end == 0 || a->pending)
		return false;
	/* Without the key nobody looked who signed the last one. */
	if (a->anchors)
		return a->by && store_anchor(a->store) > at;
	return !a->by || store_checkpointed(a->store) > at;
}

int audit_remove(struct audit *a, const struct now *now, struct err *e)
{
	uint64_t wall = (uint64_t)(now->wall.us > 0 ? now->wall.us : 0);
	int rc;

	if (!audit_removes(a))
		return 0;
	rc = store_prune(a->store, a->going.end, wall, e);
	if (rc == 0)
		rc = store_commit(a->store, e);
	if (rc)
		return err_wrap(e, "audit: pruning");
	a->going.end = 0;
	a->going.full = false;
	return AUDIT_REMOVED;
}

/* Records up to, not with, end. */
static int prune(struct audit *a, uint64_t end, const struct now *now,
		 const char *why, struct err *e)
{
	struct event_log log = {.has_range = true,
				.first = store_first(a->store), .end = end};
	struct event ev = {.type = EV_EXPORT, .now = *now, .log = &log,
			   .detail = why};
	uint64_t at = 0;
	int rc;

	assert(a->pending == 0);
	if (a->has_last && mono_sub(now->mono, a->last_mono) < 0)
		ev.now.mono = a->last_mono;
	rc = store_going(a->store, end, &log.kept, e);
	if (rc == 0)
		rc = store_root_at(a->store, end, log.root, e);
	if (rc)
		return err_wrap(e, "audit: pruning");
	rc = audit_append(a, &ev, &at, e);
	if (rc)
		return rc;
	a->going.end = end;
	a->going.at = at;
	return 1;
}

int audit_prune(struct audit *a, uint64_t before, const struct now *now,
		const char *why, struct err *e)
{
	uint64_t end = 0;
	int rc = audit_remove(a, now, e);

	if (rc < 0)
		return rc;
	if (a->going.end)
		return err_set(e, E_STATE, 0, "audit: what is to be removed "
			       "before record %llu waits for its checkpoint",
			       (unsigned long long)a->going.end);
	rc = store_oldest(a->store, UINT64_MAX, before, &end, e);
	if (rc)
		return err_wrap(e, "audit");
	return end ? prune(a, end, now, why, e) : 0;
}

int audit_segment(struct audit *a, uint64_t before, struct err *e)
{
	uint64_t moved = 1;
	int rc = 0;

	while (rc == 0 && moved)
		rc = store_segment(a->store, segment_octets(a), before, &moved,
				   e);
	return rc ? err_wrap(e, "audit") : 0;
}

/* What the database has free inside is used up first. */
static uint64_t used_of(const struct audit *a, const struct store_room *r)
{
	return r->file - r->unused + r->segments + slack(a);
}

/* Nothing may go. */
static int full(struct audit *a, const struct store_room *r, struct err *e)
{
	uint64_t used = used_of(a, r);

	a->tight = used > a->most / 20 * 19;
	a->going.full = used > a->most;
	if (used <= a->most)
		return 0;
	return err_set(e, E_LIMIT, 0, "audit: the log is full, %llu of %llu "
		       "octets, and %s", (unsigned long long)used,
		       (unsigned long long)a->most,
		       r->oldest ? "no witness cosigned what could be pruned"
				 : "nothing can be pruned");
}

int audit_room(struct audit *a, const struct now *now, struct err *e)
{
	uint64_t segment = segment_octets(a), need, moved;
	uint64_t may = UINT64_MAX, end; /* what may go ends there; will */
	struct store_room r;
	bool move;
	int rc;

	if (!a->most)
		return 0;
	rc = audit_remove(a, now, e);
	if (rc)
		return rc;
	rc = store_room(a->store, &r, e);
	if (rc)
		return err_wrap(e, "audit");
	move = r.live >= segment;
	need = r.file + r.segments + slack(a) +
	       (move ? segment + segment / 8 : 0);
	if (need > a->most && a->going.end) {
		a->going.full = used_of(a, &r) > a->most;
		return 0;
	}
	if (need <= a->most) {
		a->tight = a->going.full = false;
		rc = move ? store_segment(a->store, segment, UINT64_MAX, &moved,
					  e)
			  : 0;
		return rc ? err_wrap(e, "audit: moving") : 0;
	}
	if (a->cosigned)
		rc = store_cosigned(a->store, a->by ? &a->by->key : NULL,
				    a->witnesses, a->n_witnesses, &may, e);
	if (rc == 0)
		rc = store_oldest(a->store, share(a, 8, PRUNE_OCTETS), may,
				  &end, e);
	if (rc)
		return err_wrap(e, "audit");
	return end ? prune(a, end, now, "room was needed", e) : full(a, &r, e);
}
