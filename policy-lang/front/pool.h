/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The memory of one policy file: allocated piece by piece, freed at once.
 *
 * pool_alloc never returns NULL: when the heap or the bound is exhausted it
 * leaves through `oom`, which the outermost function of a reader sets with
 * setjmp. Everything a reader owns lies in its pool, so nothing leaks.
 */
#ifndef POLICY_LANG_FRONT_POOL_H
#define POLICY_LANG_FRONT_POOL_H

#include <setjmp.h>

#include "core/span.h"

#define POOL_MAX (64u << 20) /* octets; a source has at most 256 KiB */

struct pool {
	struct pool_chunk *head;
	size_t total;
	jmp_buf *oom; /* borrowed while a reader runs */
};

/* size octets, zeroed, aligned to 16. */
void *pool_alloc(struct pool *p, size_t size);
/* The same, NULL when there is none: for callers that own something else. */
void *pool_try(struct pool *p, size_t size);
/* n elements of size octets. */
void *pool_array(struct pool *p, size_t n, size_t size);
/* A terminated copy. */
char *pool_text(struct pool *p, struct span s);
char *pool_printf(struct pool *p, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void pool_free(struct pool *p);

#endif
