/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in elements: as few octets as possible, none for 0. Read otherwise
 * they fail. */
#ifndef AUDIT_ELEMENT_VALUE_H
#define AUDIT_ELEMENT_VALUE_H

#include "core/wbuf.h"

static inline size_t number_len(uint64_t v)
{
	return v ? (size_t)(71 - __builtin_clzll(v)) / 8 : 0;
}

static inline void put_number(struct wbuf *w, uint64_t v)
{
	wbuf_be(w, v, number_len(v));
}

/* In lists: length u8, then the value. */
static inline void put_num8(struct wbuf *w, uint64_t v)
{
	size_t n = number_len(v);
	uint8_t *at = wbuf_room(w, 1 + n);

	if (!at)
		return;
	*at = (uint8_t)n;
	for (; n > 0; v >>= 8)
		at[n--] = (uint8_t)v;
}

static inline uint64_t get_number(struct cur *c)
{
	size_t n = cur_left(c);
	uint64_t v;

	if (n == 0)
		return 0;
	v = cur_be(c, n);
	if (n > 8 || v >> (8 * (n - 1)) == 0)
		c->failed = true;
	return v;
}

static inline uint64_t get_num8(struct cur *c)
{
	struct cur sub = cur_sub(c, cur_u8(c));
	uint64_t v = get_number(&sub);

	if (!cur_ok(&sub))
		c->failed = true;
	return v;
}

#endif
