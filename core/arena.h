/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bump allocator over one block: memory per message, reset when its verdict
 * is given. arena_new is for start-up; arena_alloc never calls the heap.
 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include "core/span.h"

struct arena {
	uint8_t *p;
	size_t cap;
	size_t n;    /* in use */
	size_t peak; /* largest n ever, for status */
};

struct arena arena_of(void *p, size_t cap); /* p is the caller's */

/* size octets, zeroed, aligned to 16; NULL when the block is full. */
void *arena_alloc(struct arena *a, size_t size);

/* A copy of s in the arena; {NULL, 0} when it does not fit (s.n > 0). */
struct span arena_copy(struct arena *a, struct span s);

static inline size_t arena_mark(const struct arena *a)
{
	return a->n;
}

/* Back to a mark: everything allocated since is gone. */
static inline void arena_release(struct arena *a, size_t mark)
{
	a->n = mark;
}

static inline void arena_reset(struct arena *a)
{
	a->n = 0;
}

#endif
