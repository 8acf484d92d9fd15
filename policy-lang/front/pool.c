/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/pool.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CHUNK (16u << 10)

struct pool_chunk {
	struct pool_chunk *next;
	size_t n, cap;
	alignas(16) unsigned char mem[];
};

static struct pool_chunk *grow(struct pool *p, size_t size)
{
	size_t cap = size > CHUNK ? size : CHUNK;
	struct pool_chunk *c;

	if (size > POOL_MAX || p->total > POOL_MAX - cap)
		return NULL;
	c = calloc(1, sizeof(*c) + cap);
	if (!c)
		return NULL;
	c->cap = cap;
	c->next = p->head;
	p->head = c;
	p->total += cap;
	return c;
}

void *pool_try(struct pool *p, size_t size)
{
	struct pool_chunk *c = p->head;
	void *at;

	if (size > POOL_MAX)
		return NULL;
	size = (size + 15) & ~(size_t)15;
	if (!c || size > c->cap - c->n)
		c = grow(p, size);
	if (!c)
		return NULL;
	at = c->mem + c->n;
	c->n += size;
	return at;
}

void *pool_alloc(struct pool *p, size_t size)
{
	void *at = pool_try(p, size);

	if (!at) {
		assert(p->oom);
		longjmp(*p->oom, 1);
	}
	return at;
}

void *pool_array(struct pool *p, size_t n, size_t size)
{
	/* Past the bound anyway: let pool_alloc say so. */
	if (size && n > POOL_MAX / size)
		return pool_alloc(p, (size_t)POOL_MAX + 1);
	return pool_alloc(p, n * size);
}

char *pool_text(struct pool *p, struct span s)
{
	char *t = pool_alloc(p, s.n + 1);

	if (s.n)
		memcpy(t, s.p, s.n);
	return t;
}

char *pool_printf(struct pool *p, const char *fmt, ...)
{
	char buf[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	assert(n >= 0);
	return pool_text(p, span_of(buf, (size_t)n < sizeof(buf)
						 ? (size_t)n
						 : sizeof(buf) - 1));
}

void pool_free(struct pool *p)
{
	while (p->head) {
		struct pool_chunk *c = p->head;

		p->head = c->next;
		free(c);
	}
	p->total = 0;
}
