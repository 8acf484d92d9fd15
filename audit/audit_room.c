/* SPDX-License-Identifier: Apache-2.0 */
/* The log within its bound: what is moved out, what is pruned, and when. */
#include <assert.h>

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

/* Records up to, not with, end. */
static int prune(struct audit *a, uint64_t end, const struct now *now,
		 const char *why, struct err *e)
{
	struct event_log log = {.has_range = true,
				.first = store_first(a->store), .end = end};
	struct event ev = {.type = EV_EXPORT, .now = *now, .log = &log,
			   .detail = why};
	int rc;

	assert(a->pending == 0);
	if (a->has_last && mono_sub(now->mono, a->last_mono) < 0)
		ev.now.mono = a->last_mono;
	rc = store_going(a->store, end, &log.kept, e);
	if (rc == 0)
		rc = store_root_at(a->store, end, log.root, e);
	if (rc == 0)
		rc = store_prune(a->store, end,
				 (uint64_t)(now->wall.us > 0 ? now->wall.us
							     : 0), e);
	if (rc)
		return err_wrap(e, "audit: pruning");
	rc = audit_append(a, &ev, NULL, e);
	return rc ? rc : 1;
}

int audit_prune(struct audit *a, uint64_t before, const struct now *now,
		const char *why, struct err *e)
{
	uint64_t end;
	int rc = store_oldest(a->store, UINT64_MAX, before, &end, e);

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

/* Nothing may go. What the database has free inside is used up first. */
static int full(struct audit *a, const struct store_room *r, struct err *e)
{
	uint64_t used = r->file - r->unused + r->segments + slack(a);

	a->tight = used > a->most / 20 * 19;
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
	rc = store_room(a->store, &r, e);
	if (rc)
		return err_wrap(e, "audit");
	move = r.live >= segment;
	need = r.file + r.segments + slack(a) +
	       (move ? segment + segment / 8 : 0);
	if (need <= a->most) {
		a->tight = false;
		rc = move ? store_segment(a->store, segment, UINT64_MAX, &moved,
					  e)
			  : 0;
		return rc ? err_wrap(e, "audit: moving") : 0;
	}
	if (a->cosigned)
		rc = store_cosigned(a->store, &may, e);
	if (rc == 0)
		rc = store_oldest(a->store, share(a, 8, PRUNE_OCTETS), may,
				  &end, e);
	if (rc)
		return err_wrap(e, "audit");
	return end ? prune(a, end, now, "room was needed", e) : full(a, &r, e);
}
