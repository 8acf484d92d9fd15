/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ring whose memory the other side owns. The input is what lies there and
 * what is done: a reader, and a writer, that are told anything about the
 * other's place never give or take more than they may, and never leave the
 * ring.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "enforcer/daemon/ring.h"

#define SIZE 256u
#define CAP  80u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct game {
	struct cur in;
	struct ring_shared *s;
	struct ring r, w;
	uint8_t buf[CAP + 1];
	uint64_t got; /* octets of messages since the last release, padded */
};

static void read_some(struct game *g)
{
	int64_t n;

	g->buf[CAP] = 0x5a;
	n = ring_get(&g->r, g->buf, CAP);
	assert(n >= -1 && n <= CAP && g->buf[CAP] == 0x5a);
	if (n > 0)
		g->got += ((uint64_t)n + 4 + 7) & ~7u;
	/* What was got and is not released lies in the ring: so it cannot be
	 * more than it. */
	assert(g->got <= SIZE);
	assert(g->r.at - g->r.edge == g->got);
}

static void write_some(struct game *g)
{
	size_t n = cur_u8(&g->in) % (SIZE / 4) + 1;
	uint8_t msg[SIZE / 4];
	uint64_t at = g->w.at;

	memset(msg, 0xee, sizeof(msg));
	if (ring_put(&g->w, span_of(msg, n)) == 0)
		assert(g->w.at - at == ((n + 4 + 7) & ~(size_t)7));
	else
		assert(g->w.at == at);
	assert(g->w.at - g->w.other <= SIZE);
	assert(ring_room(&g->w) <= SIZE / 4);
}

static void step(struct game *g)
{
	switch (cur_u8(&g->in) % 10) {
	case 0:
		atomic_store(&g->s->head, cur_le(&g->in, 8));
		break;
	case 1:
		atomic_store(&g->s->tail, cur_le(&g->in, 8));
		break;
	case 2: /* near its place, so that it is believed */
		atomic_store(&g->s->head,
			     g->r.edge + 8 * (uint64_t)cur_u8(&g->in));
		break;
	case 3: {
		struct span some = cur_take(&g->in, 1 + cur_u8(&g->in) % 16);
		size_t at = cur_u8(&g->in);

		if (some.n && at + some.n <= SIZE)
			memcpy(g->s->data + at, some.p, some.n);
		break;
	}
	case 4:
	case 5:
		read_some(g);
		break;
	case 6:
		ring_release(&g->r);
		g->got = 0;
		assert(atomic_load(&g->s->tail) == g->r.at ||
		       g->r.at == g->r.edge);
		break;
	case 7:
		ring_rewind(&g->r);
		g->got = 0;
		break;
	case 8:
		write_some(g);
		ring_publish(&g->w);
		break;
	case 9:
		ring_discard(&g->r);
		g->got = 0;
		ring_writer(&g->w, g->s, SIZE);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *mem = NULL;
	struct game g = {.in = cur_of(span_of(data, size))};

	if (posix_memalign(&mem, 64, ring_octets(SIZE)) != 0)
		return 0;
	memset(mem, 0, ring_octets(SIZE));
	g.s = mem;
	ring_reader(&g.r, mem, SIZE);
	ring_writer(&g.w, mem, SIZE);
	/* Bounded by the input: each step takes an octet of it. */
	while (cur_left(&g.in) > 0)
		step(&g);
	free(mem);
	return 0;
}
