/* SPDX-License-Identifier: Apache-2.0 */
/* The log within its bound: what is moved out, what is pruned, and when. */
#include <assert.h>

#include "audit/audit_own.h"

#define SEGMENT_OCTETS (UINT64_C(16) << 20)

static uint64_t segment_octets(const struct audit *a)
{
	uint64_t share = a->most / 8;

	return share && share < SEGMENT_OCTETS ? share : SEGMENT_OCTETS;
}

/* What a commit may add before the next look: its records, and its WAL. */
static uint64_t slack(const struct audit *a)
{
	uint64_t share = a->most / 16, most = UINT64_C(2) << 20;

	return segment_octets(a) / 2 + (share < most ? share : most);
}

bool audit_tight(const struct audit *a)
{
	return a->tight;
}

uint64_t audit_first(const struct audit *a)
{
	return store_first(a->store);
}

static int prune(struct audit *a, const struct store_room *r,
		 const struct now *now, const char *why, struct err *e)
{
	struct event_log log = {.has_range = true, .first = r->first,
				.end = r->end};
	struct event ev = {.type = EV_EXPORT, .now = *now, .log = &log,
			   .detail = why};
	int rc;

	assert(a->pending == 0);
	if (a->has_last && mono_sub(now->mono, a->last_mono) < 0)
		ev.now.mono = a->last_mono;
	rc = store_root_at(a->store, r->end, log.root, e);
	if (rc == 0)
		rc = store_kept(a->store, r->first, r->end, &log.kept, e);
	if (rc == 0)
		rc = store_prune(a->store, (uint64_t)(now->wall.us > 0
							      ? now->wall.us
							      : 0), e);
	if (rc)
		return err_wrap(e, "audit: pruning");
	rc = audit_append(a, &ev, NULL, e);
	return rc ? rc : 1;
}

uint64_t audit_next_end(struct audit *a)
{
	struct err ignored;
	struct store_room r;

	return store_room(a->store, &r, &ignored) == 0 ? r.end : 0;
}

int audit_prune(struct audit *a, const struct now *now, const char *why,
		struct err *e)
{
	struct store_room r;
	int rc = store_room(a->store, &r, e);

	if (rc == 0 && !r.oldest)
		rc = err_set(e, E_NOTFOUND, 0, "nothing was moved out that "
					       "could be pruned");
	return rc ? rc : prune(a, &r, now, why, e);
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
	uint64_t segment = segment_octets(a), need, cosigned = 0, moved;
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
	if (r.oldest && a->cosigned)
		rc = store_cosigned(a->store, &cosigned, e);
	if (rc)
		return err_wrap(e, "audit");
	if (!r.oldest || (a->cosigned && cosigned < r.end))
		return full(a, &r, e);
	return prune(a, &r, now, "room was needed", e);
}
