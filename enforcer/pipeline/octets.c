/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Octets of streams in chunks of one pool: those that wait to be judged, and
 * those that were and are kept until they are acknowledged, to compare what is
 * sent again or to send it again ourselves. Nothing is kept of a connection
 * whose octets were all acknowledged.
 */
#include "enforcer/pipeline/state.h"

/* Some octets of every stream fit as long as any do; the last quarter of the
 * pool is not for those that have more. */
#define SMALL_OCTETS (16 * 1024)

static size_t chunks_of(size_t n)
{
	return (n + CHUNK_OCTETS - 1) / CHUNK_OCTETS;
}

static size_t chunks_more(const struct octets *o, size_t n)
{
	return chunks_of(o->skip + o->n + n) - chunks_of(o->skip + o->n);
}

/* Chunks of one guest. */
static size_t share_of(const struct pipeline *p)
{
	return p->self < 0 && p->n_guests ? p->n_chunks / p->n_guests :
					    p->n_chunks;
}

/* More than one stream may have: nobody else's octets help. */
static bool too_many(const struct pipeline *p, const struct octets *o, size_t n)
{
	return o->n + n > SMALL_OCTETS &&
	       (o->n + n) / CHUNK_OCTETS > share_of(p) / 4;
}

static bool fits(const struct pipeline *p, const struct guest *g,
		 const struct octets *o, size_t n)
{
	size_t more = chunks_more(o, n), share = share_of(p);

	if (g->chunks + more > share || more > p->free_chunks)
		return false;
	return o->n + n <= SMALL_OCTETS ||
	       g->chunks + more <= share - share / 4;
}

/* What is only kept for comparing, of one of the oldest connections of the
 * guest that has ended, or has been silent for a while: whoever did not
 * acknowledge for so long will not. */
static bool reclaim(struct work *w)
{
	struct pipeline *p = w->p;
	uint16_t guest = w->f->guest;
	static const enum list list[] = {LIST_OVER, LIST_CLOSED, LIST_TCP};

	for (int l = 0; l < 3; l++) {
		uint32_t i = p->lru[guest][list[l]].oldest;

		for (int n = 0; n < RECLAIM_LOOK && i != NONE; n++) {
			struct flow *f = &p->flow[i];
			bool old = list[l] != LIST_TCP ||
				   mono_sub(w->now.mono, f->last) > RECLAIM_AFTER;

			for (int k = 0; k < 2 && old && f != w->f; k++) {
				struct side *s = &f->side[k];

				if (s->kept.n == 0 || s->nxt != s->judged ||
				    side_owns(s))
					continue;
				octets_free(p, guest, &s->kept);
				return true;
			}
			i = f->newer;
		}
	}
	return false;
}

bool octets_room(struct work *w, const struct octets *o, size_t n)
{
	const struct guest *g = &w->p->guest[w->f->guest];

	if (too_many(w->p, o, n))
		return false;
	for (int tries = 0; tries < RECLAIM_MOST; tries++) {
		if (fits(w->p, g, o, n))
			return true;
		if (!reclaim(w))
			return false;
	}
	return fits(w->p, g, o, n);
}

static void add_chunk(struct pipeline *p, uint16_t guest, struct octets *o)
{
	uint32_t i = pool_take(&p->chunks);

	p->free_chunks--;
	p->guest[guest].chunks++;
	p->chunk[i].next = NONE;
	if (o->head == NONE)
		o->head = i;
	else
		p->chunk[o->tail].next = i;
	o->tail = i;
}

void octets_add(struct pipeline *p, uint16_t guest, struct octets *o,
		struct span s)
{
	struct cur c = cur_of(s);

	while (cur_left(&c) > 0) {
		size_t at = (o->skip + o->n) % CHUNK_OCTETS, n;
		struct span part;

		if (o->head == NONE || at == 0)
			add_chunk(p, guest, o);
		n = CHUNK_OCTETS - at;
		part = cur_take(&c, n < cur_left(&c) ? n : cur_left(&c));
		memcpy(p->chunk[o->tail].octets + at, part.p, part.n);
		o->n += (uint32_t)part.n;
	}
}

static void drop_chunk(struct pipeline *p, uint16_t guest, struct octets *o)
{
	uint32_t i = o->head;

	o->head = p->chunk[i].next;
	pool_give(&p->chunks, i);
	p->free_chunks++;
	p->guest[guest].chunks--;
}

void octets_free(struct pipeline *p, uint16_t guest, struct octets *o)
{
	while (o->head != NONE)
		drop_chunk(p, guest, o);
	*o = (struct octets){NONE, NONE, 0, 0};
}

void octets_cut(struct pipeline *p, uint16_t guest, struct octets *o, size_t n)
{
	if (n >= o->n) {
		octets_free(p, guest, o);
		return;
	}
	o->skip += (uint32_t)n;
	o->n -= (uint32_t)n;
	while (o->skip >= CHUNK_OCTETS) {
		drop_chunk(p, guest, o);
		o->skip -= CHUNK_OCTETS;
	}
}

/* The next part of o from octet at on, at most n, in one chunk; *i: the chunk
 * it lies in. */
static struct span part_of(const struct pipeline *p, uint32_t i, size_t at,
			   size_t n)
{
	size_t in = at % CHUNK_OCTETS;

	return span_sub(span_of(p->chunk[i].octets, CHUNK_OCTETS), in, n);
}

static uint32_t chunk_at(const struct pipeline *p, const struct octets *o,
			 size_t at)
{
	uint32_t i = o->head;

	for (size_t n = at / CHUNK_OCTETS; n > 0; n--)
		i = p->chunk[i].next;
	return i;
}

struct span octets_read(const struct pipeline *p, const struct octets *o,
			size_t from, size_t n, uint8_t *to, size_t cap)
{
	struct wbuf w = wbuf_of(to, cap);
	size_t at = o->skip + from;
	uint32_t i;

	if (from >= o->n)
		return (struct span){0};
	if (n > o->n - from)
		n = o->n - from;
	if (n > cap)
		n = cap;
	i = chunk_at(p, o, at);
	while (n > 0) {
		struct span part = part_of(p, i, at, n);

		wbuf_put(&w, part);
		at += part.n;
		n -= part.n;
		i = p->chunk[i].next;
	}
	return wbuf_span(&w);
}

bool octets_same(const struct pipeline *p, const struct octets *o, size_t from,
		 struct span s)
{
	struct cur c = cur_of(s);
	size_t at = o->skip + from;
	uint32_t i;

	if (from > o->n || s.n > o->n - from)
		return false;
	if (s.n == 0)
		return true;
	i = chunk_at(p, o, at);
	while (cur_left(&c) > 0) {
		struct span part = part_of(p, i, at, cur_left(&c));

		if (!span_eq(part, cur_take(&c, part.n)))
			return false;
		at += part.n;
		i = p->chunk[i].next;
	}
	return true;
}
