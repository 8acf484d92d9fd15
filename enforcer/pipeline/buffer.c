/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets of streams: those that wait to be judged, and those that were and
 * are kept until they are acknowledged, to compare what is sent again.
 */
#include "enforcer/pipeline/state.h"

/* A buffer that is only kept for comparing, of one of the oldest flows. */
static bool reclaim(struct pipeline *p, uint16_t guest)
{
	uint32_t i = p->oldest[1];

	for (int n = 0; n < RECLAIM_LOOK && i != NONE; n++) {
		struct flow *f = &p->flow[i];

		for (int k = 0; k < 2 && f->guest == guest; k++) {
			struct side *s = &f->side[k];

			if (s->buf != NONE && p->buf[s->buf].n == 0 &&
			    seq_diff(s->acked, s->judged) >= 0) {
				buffer_free(p, f, s);
				return true;
			}
		}
		i = f->newer;
	}
	return false;
}

/* The side's buffer; made when asked for and the guest's share has room. */
struct buffer *buffer_of(struct work *w, struct side *s, bool make)
{
	struct pipeline *p = w->p;
	struct guest *g = &p->guest[w->f->guest];
	struct buffer *b;

	if (s->buf != NONE)
		return &p->buf[s->buf];
	if (!make)
		return NULL;
	if ((p->free_buf == NONE || g->bufs >= BUFS / p->n_guests) &&
	    !reclaim(p, w->f->guest))
		return NULL;
	s->buf = p->free_buf;
	b = &p->buf[s->buf];
	p->free_buf = b->next;
	g->bufs++;
	b->n = b->ring_n = 0;
	return b;
}

void buffer_free(struct pipeline *p, struct flow *f, struct side *s)
{
	if (s->buf == NONE)
		return;
	p->buf[s->buf].next = p->free_buf;
	p->free_buf = s->buf;
	p->guest[f->guest].bufs--;
	s->buf = NONE;
}

/* Keep judged octets until they are acknowledged, for comparing. */
void buffer_judged(struct buffer *b, uint32_t seq, struct span s)
{
	if (s.n > BUF_RING) {
		seq += (uint32_t)(s.n - BUF_RING);
		s = span_from(s, s.n - BUF_RING);
	}
	for (size_t done = 0; done < s.n;) {
		size_t at = (seq + done) % BUF_RING;
		size_t n = BUF_RING - at;

		if (n > s.n - done)
			n = s.n - done;
		memcpy(b->ring + at, span_from(s, done).p, n);
		done += n;
	}
	b->ring_n += (uint32_t)s.n;
	if (b->ring_n > BUF_RING)
		b->ring_n = BUF_RING;
}

/* Are these the octets that were taken before? Everything of s lies below
 * nxt. *known: all of it could be compared. */
bool buffer_same(struct work *w, struct side *me, uint32_t seq,
			struct span s, bool *known)
{
	struct buffer *b = buffer_of(w, me, false);
	/* The place of a FIN is not in the ring. */
	uint32_t low = me->judged - me->fin - (b ? b->ring_n : 0);
	struct cur c = cur_of(s);

	*known = b && seq_diff(seq, low) >= 0;
	if (b && seq_diff(seq, low) < 0)
		cur_take(&c, (size_t)seq_diff(low, seq) < s.n ?
				     (size_t)seq_diff(low, seq) :
				     s.n);
	if (!b)
		return true;
	while (cur_left(&c) > 0) {
		uint32_t at = seq + (uint32_t)c.off;
		uint8_t was;

		if (seq_diff(at, me->judged) < 0)
			was = b->ring[at % BUF_RING];
		else if ((uint32_t)seq_diff(at, me->judged) < b->n)
			was = b->hold[at - me->judged];
		else
			return true; /* taken without a buffer */
		if (cur_u8(&c) != was)
			return false;
	}
	return true;
}
