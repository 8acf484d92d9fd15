/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One datagram of the queue's socket. Whatever it holds: the walk ends, what
 * it gives lies inside, and it gives the same again. Behind the datagram lies
 * another packet, as in a buffer that is used again: it must never be seen.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "enforcer/daemon/nfq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct span s, struct span in)
{
	return s.n == 0 || (s.p >= in.p && s.n <= in.n &&
			    (size_t)(s.p - in.p) <= in.n - s.n);
}

static bool same(const struct nfq_packet *a, const struct nfq_packet *b)
{
	return a->id == b->id && a->octets.p == b->octets.p &&
	       a->octets.n == b->octets.n && a->indev == b->indev &&
	       a->mark == b->mark && a->wire_len == b->wire_len &&
	       a->has_mac == b->has_mac && a->gso == b->gso;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of its own, so that the sanitizer knows its end. */
	uint8_t *octets = malloc(size ? size : 1);
	struct nfq_walk a, b;
	struct nfq_packet p, q;
	size_t n = 0;

	assert(octets);
	if (size)
		memcpy(octets, data, size);
	a = b = (struct nfq_walk){.left = span_of(octets, size)};
	while (nfq_next(&a, &p)) {
		struct span left = a.left;

		assert(++n <= size / 28); /* the smallest with a number */
		assert(p.id != 0);
		assert(inside(p.octets, span_of(octets, size)));
		assert(p.wire_len >= p.octets.n);
		assert(nfq_next(&b, &q));
		assert(same(&p, &q));
		assert(inside(left, span_of(octets, size)));
		assert(left.n < size);
	}
	assert(!nfq_next(&b, &q));
	assert(a.errors == b.errors && a.errors <= size / 16);
	assert(a.left.n == 0);
	free(octets);
	return 0;
}
