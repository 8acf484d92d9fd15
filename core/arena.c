/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"

#define ALIGN 16

struct arena arena_of(void *p, size_t cap)
{
	return (struct arena){p, cap, 0, 0};
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t at = (a->n + ALIGN - 1) & ~(size_t)(ALIGN - 1);

	if (at < a->n || at > a->cap || size > a->cap - at)
		return NULL;
	a->n = at + size;
	if (a->n > a->peak)
		a->peak = a->n;
	return memset(a->p + at, 0, size);
}

struct span arena_copy(struct arena *a, struct span s)
{
	uint8_t *p;

	if (s.n == 0)
		return (struct span){0};
	p = arena_alloc(a, s.n);
	if (!p)
		return (struct span){0};
	memcpy(p, s.p, s.n);
	return (struct span){p, s.n};
}
