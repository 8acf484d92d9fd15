/* SPDX-License-Identifier: Apache-2.0 */
/* Hellos for the tests, put together from their parts. */
#ifndef DISSECTORS_TLS_TESTKIT_H
#define DISSECTORS_TLS_TESTKIT_H

#include "core/wbuf.h"
#include "dissectors/tls/hello.h"

/* The parts of a hello; ext NULL: no field for extensions at all. */
struct parts {
	uint16_t version;
	size_t session_n, suites_n;
	const char *compress;
	size_t compress_n;
	const char *ext;
	size_t ext_n;
	bool retry; /* of a server: the random octets that say so */
};

static const uint8_t kit_retry[32] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
	0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

static inline void kit_fill(struct wbuf *w, size_t n, int octet)
{
	uint8_t *at = wbuf_room(w, n);

	if (at)
		memset(at, octet, n);
}

/* Writes v over the n octets at at. */
static inline void kit_length(struct wbuf *w, size_t at, size_t n)
{
	struct wbuf back = wbuf_of(w->p + at, n);

	wbuf_be(&back, w->n - at - n, n);
}

/* A handshake message, without a record around it. */
static inline void kit_hello(struct wbuf *w, uint8_t type,
			     const struct parts *p)
{
	size_t start = w->n + 1;

	wbuf_be(w, (uint64_t)type << 24, 4);
	wbuf_be(w, p->version, 2);
	if (p->retry)
		wbuf_put(w, span_of(kit_retry, 32));
	else
		kit_fill(w, 32, 0x5a);
	wbuf_u8(w, (uint8_t)p->session_n);
	kit_fill(w, p->session_n, 0x11);
	if (type == TLS_CLIENT_HELLO) {
		wbuf_be(w, p->suites_n, 2);
		for (size_t i = 0; i < p->suites_n; i++)
			wbuf_u8(w, (uint8_t)(i % 2 ? 1 + i / 2 : 0x13));
		wbuf_u8(w, (uint8_t)p->compress_n);
	} else {
		wbuf_be(w, 0x1301, 2);
	}
	wbuf_put(w, span_of(p->compress, p->compress_n));
	if (p->ext) {
		wbuf_be(w, p->ext_n, 2);
		wbuf_put(w, span_of(p->ext, p->ext_n));
	}
	kit_length(w, start, 3);
}

/* msg in records of at most n octets. */
static inline void kit_records(struct wbuf *w, uint8_t type, uint16_t version,
			       struct span msg, size_t n)
{
	for (size_t at = 0; at < msg.n; at += n) {
		struct span part = span_sub(msg, at, n);

		wbuf_u8(w, type);
		wbuf_be(w, version, 2);
		wbuf_be(w, part.n, 2);
		wbuf_put(w, part);
	}
}

#endif
