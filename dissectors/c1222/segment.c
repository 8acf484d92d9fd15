/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACSE segmentation (c1222.md section 11): slices of a whole APDU, in any
 * order, put together within written bounds. A message longer than a buffer,
 * later than the timeout or beyond the share of its peer is refused.
 */
#include "core/wbuf.h"
#include "dissectors/c1222/state.h"

static int bad(struct message *x, const char *what)
{
	return err_reason(x->e, E_SYNTAX, REASON_BAD_SEGMENT, x->acse.octets_at,
			  "segment: %s", what);
}

static bool expired(const struct message *x, const struct seg *s)
{
	return x->c->now.mono.ns - s->born_ns > SEG_TIMEOUT_S * NS_PER_S;
}

static bool same_peer(const struct message *x, const struct seg *s)
{
	struct net_addr a = remote_addr(x->c);

	return memcmp(&a, &s->peer, sizeof(a)) == 0;
}

static bool is_row(const struct message *x, const struct seg *s)
{
	return s->live && !expired(x, s) && s->inv == x->acse.calling_inv &&
	       s->dir == x->c->dir && s->proto == x->c->tup.proto &&
	       same_peer(x, s) && title_is(&s->calling, x->acse.calling) &&
	       title_is(&s->called, x->acse.called);
}

/* The message this segment belongs to, or a free place for a new one. */
static struct seg *find(struct message *x, bool *fresh)
{
	struct seg *spot = NULL;
	uint32_t share = 0;

	for (uint32_t i = 0; i < SEG_BUFFERS; i++) {
		struct seg *s = &x->m->seg[i];

		if (is_row(x, s)) {
			*fresh = false;
			return s;
		}
		if (!s->live || expired(x, s))
			spot = s;
		else if (same_peer(x, s))
			share++;
	}
	*fresh = true;
	return share < SEG_PER_PEER ? spot : NULL;
}

/* The slice that holds octet at, or NULL; *next: where the next one starts. */
static const struct seg_slice *covering(const struct seg *s, uint32_t n,
					uint32_t at, uint32_t *next)
{
	*next = s->total;
	for (uint32_t i = 0; i < n; i++) { /* at most SEG_SLICES */
		const struct seg_slice *l = &s->slice[i];

		if (at >= l->off && at < (uint32_t)l->off + l->n)
			return l;
		if (l->off > at && l->off < *next)
			*next = l->off;
	}
	return NULL;
}

/* Octets that were there before must be the same; others are added, as
 * slices that do not overlap. */
static int put(struct message *x, struct seg *s, uint8_t *buf)
{
	struct cur c = cur_of(x->acse.octets);
	uint32_t at = x->acse.offset;

	while (cur_left(&c) > 0) { /* each round passes a slice or adds one */
		uint32_t next;
		const struct seg_slice *l = covering(s, s->n_slices, at, &next);
		uint32_t end = l ? (uint32_t)l->off + l->n : next;
		size_t left = cur_left(&c);
		size_t n = end - at < left ? end - at : left;
		struct span part = cur_take(&c, n);

		if (l) {
			if (!span_eq(part, span_of(buf + at, n)))
				return bad(x, "overlaps with other octets");
		} else {
			if (s->n_slices == SEG_SLICES)
				return bad(x, "too many");
			memcpy(buf + at, part.p, n);
			s->slice[s->n_slices++] =
				(struct seg_slice){(uint16_t)at, (uint16_t)n};
			s->have += (uint32_t)n;
		}
		at += (uint32_t)n;
	}
	return 0;
}

int segment_take(struct message *x, struct span *whole)
{
	const struct acse *a = &x->acse;
	struct stage *st = &x->m->stage;
	bool fresh;
	struct seg *s;
	int rc;

	if (a->total > SEG_OCTETS || a->offset >= a->total ||
	    a->octets.n > a->total - a->offset)
		return bad(x, "offset, length and total do not fit");
	s = find(x, &fresh);
	if (!s)
		return err_reason(x->e, E_NOMEM, REASON_RESOURCE, 0,
				  "segment: no buffer");
	if (!fresh && s->total != a->total)
		return bad(x, "another total");
	st->seg = (uint32_t)(s - x->m->seg);
	st->seg_new = fresh;
	st->flags |= STAGE_SEGMENT;
	if (fresh) {
		*s = (struct seg){
			.live = true,
			.dir = (uint8_t)x->c->dir,
			.proto = x->c->tup.proto,
			.total = a->total,
			.inv = a->calling_inv,
			.serial = ++x->m->seg_serial,
			.born_ns = x->c->now.mono.ns,
			.peer = remote_addr(x->c),
		};
		title_set(&s->called, a->called);
		title_set(&s->calling, a->calling);
	}
	if (x->c->assembly)
		*x->c->assembly = s->serial;
	st->seg_slices = s->n_slices;
	st->seg_have = s->have;
	rc = put(x, s, x->m->seg_octets[st->seg]);
	if (rc)
		return rc;
	if (s->have < s->total)
		return E_MORE;
	st->flags |= STAGE_SEG_DONE;
	*whole = span_of(x->m->seg_octets[st->seg], s->total);
	return 0;
}

int segment_check(struct message *x, const struct acse *outer)
{
	const struct acse *a = &x->acse;

	if (acse_is_segment(a))
		return bad(x, "holds a segment");
	if (!span_eq(a->called, outer->called) ||
	    !span_eq(a->calling, outer->calling) ||
	    a->calling_inv != outer->calling_inv ||
	    a->ae_qualifier != outer->ae_qualifier)
		return bad(x, "holds an APDU of other titles or id");
	return 0;
}

void segment_settle(struct c1222_machine *m, bool passed)
{
	const struct stage *st = &m->stage;
	struct seg *s = &m->seg[st->seg];

	if (!(st->flags & STAGE_SEGMENT))
		return;
	if (passed) {
		if (st->flags & STAGE_SEG_DONE)
			s->live = false;
		return;
	}
	s->n_slices = st->seg_slices;
	s->have = st->seg_have;
	/* A whole message that was refused: its parts are refused with it, so
	 * nothing is left to wait for. */
	if (st->seg_new || st->flags & STAGE_SEG_DONE)
		s->live = false;
	/* Nobody keeps anything of that attempt. */
	if (st->seg_new)
		m->seg_serial--;
}
