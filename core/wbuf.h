/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A writer into a buffer of fixed size, with the same manners as the cursor:
 * past the end it writes nothing and stays failed. The caller owns the memory.
 */
#ifndef CORE_WBUF_H
#define CORE_WBUF_H

#include "core/span.h"

struct wbuf {
	uint8_t *p;
	size_t cap;
	size_t n; /* written so far, <= cap */
	bool failed;
};

static inline struct wbuf wbuf_of(void *p, size_t cap)
{
	return (struct wbuf){p, cap, 0, false};
}

/* Room for n octets to be filled by the caller, or NULL. */
static inline uint8_t *wbuf_room(struct wbuf *w, size_t n)
{
	uint8_t *at;

	if (w->failed || n > w->cap - w->n) {
		w->failed = true;
		return NULL;
	}
	at = w->p + w->n;
	w->n += n;
	return at;
}

static inline void wbuf_put(struct wbuf *w, struct span s)
{
	uint8_t *at = wbuf_room(w, s.n);

	if (at && s.n)
		memcpy(at, s.p, s.n);
}

/* v in n octets (1 to 8), most significant first; higher octets are cut. */
static inline void wbuf_be(struct wbuf *w, uint64_t v, size_t n)
{
	uint8_t *at = wbuf_room(w, n);

	if (!at || n == 0)
		return;
	v <<= 8 * (8 - n);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	memcpy(at, &v, n); /* one store where n is a constant */
}

static inline void wbuf_le(struct wbuf *w, uint64_t v, size_t n)
{
	uint8_t *at = wbuf_room(w, n);

	for (size_t i = 0; at && i < n; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static inline void wbuf_u8(struct wbuf *w, uint8_t v)
{
	uint8_t *at = wbuf_room(w, 1);

	if (at)
		*at = v;
}

static inline struct span wbuf_span(const struct wbuf *w)
{
	return (struct span){w->p, w->n};
}

#endif
