/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/pipeline/kept.h"

#include <assert.h>

void kept_add(struct work *w, struct side *me, uint32_t seq, struct span s)
{
	if (me->kept.n == 0)
		me->base = seq;
	assert(me->base + me->kept.n == seq);
	octets_add(w->p, w->f->guest, &me->kept, s);
}

struct span kept_line(struct work *w, const struct side *me, uint32_t n,
		      struct span s)
{
	if (n <= s.n)
		return span_from(s, s.n - n);
	return octets_read(w->p, &me->kept, me->judged - me->base, n,
			   w->p->line, HOLD_MOST);
}

void kept_cut(struct work *w, struct side *me)
{
	uint32_t from = turns_spare(me, me->acked);

	if (me->kept.n == 0)
		return;
	if (!strict(w->p)) {
		if (me->judged == me->nxt) {
			octets_free(w->p, w->f->guest, &me->kept);
			return;
		}
		from = me->judged - KEEP_FACTS;
	}
	if (seq_diff(from, me->judged) > 0)
		from = me->judged;
	if (seq_diff(from, me->base) <= 0)
		return;
	octets_cut(w->p, w->f->guest, &me->kept, from - me->base);
	me->base = from;
}

/* A stream that nobody reads, and whose first octets nobody can change any
 * more, may have more on its way than is kept: the older half is given up, or
 * without room even then all of it and these, and may be sent again unlooked
 * at, as what the kernel carried. */
bool kept_room(struct work *w, struct side *me, size_t n)
{
	size_t cut = me->kept.n / 2 > n ? me->kept.n / 2 : n;

	if (octets_room(w, &me->kept, n))
		return true;
	if (!nobody_reads(w) || !side_settled(me) || side_owns(me) ||
	    me->nxt != me->judged)
		return false;
	if (cut < me->kept.n) {
		octets_cut(w->p, w->f->guest, &me->kept, cut);
		me->base += (uint32_t)cut;
	} else {
		octets_free(w->p, w->f->guest, &me->kept);
		me->base = me->nxt;
	}
	me->unseen = true;
	me->from = me->base;
	if (octets_room(w, &me->kept, n))
		return true;
	/* Of records even what is sealed waits here for its end. */
	if (w->f->dis != DIS_NONE)
		return false;
	octets_free(w->p, w->f->guest, &me->kept);
	me->from = me->nxt + (uint32_t)n;
	return true;
}

/* What the kernel carried was never compared: until it has arrived it may be
 * repeated. */
enum again kept_compare(const struct work *w, const struct side *me,
			uint32_t seq, struct span s)
{
	uint32_t first = me->base;
	size_t skip;

	if (strict(w->p) && !kept_wanted(w))
		return AGAIN_SAME;
	/* Some are kept although the receiver has them (classify.c). */
	if (strict(w->p) && seq_diff(me->acked, first) > 0)
		first = me->acked;
	if (me->unseen && seq_diff(me->from, seq) > 0) {
		skip = me->from - seq;
		if (skip >= s.n)
			return AGAIN_SAME;
		s = span_from(s, skip);
		seq = me->from;
	}
	skip = seq_diff(first, seq) > 0 ? first - seq : 0;
	if (me->kept.n == 0 || skip >= s.n)
		return AGAIN_UNKNOWN;
	if (!octets_same(w->p, &me->kept, seq + (uint32_t)skip - me->base,
			 span_from(s, skip)))
		return AGAIN_OTHER;
	return skip ? AGAIN_UNKNOWN : AGAIN_SAME;
}

bool kept_lost(const struct work *w, const struct side *me, uint32_t end)
{
	return w->f->tcp == TCP_OPEN && seq_diff(end, me->acked) > 0 &&
	       (me->kept.n == 0 || seq_diff(me->base, me->acked) > 0);
}
