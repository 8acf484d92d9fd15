/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests that compare our reader of HTTP with others: what it finds in a
 * stream, message by message, and numbers to make streams from.
 */
#ifndef DISSECTORS_HTTP_TESTKIT_H
#define DISSECTORS_HTTP_TESTKIT_H

#include <stdio.h>
#include <stdlib.h>

#include "core/reason.h"
#include "dissectors/http/http.h"
#include "dissectors/http/state.h"

#define KIT_MESSAGES 24
#define KIT_STREAM   (1 << 16)
#define KIT_OBS	     512

/* A message as a receiver understood it. */
struct told {
	char first[2200]; /* "GET /target host", or the status */
	uint8_t *body;	  /* in struct telling */
	size_t n;
	size_t end;	  /* where it ends in the stream; ours only */
	uint8_t framing;  /* ours only: enum http_framing */
	bool closes;	  /* ours only: nothing may follow */
};

struct telling {
	unsigned n;
	struct told v[KIT_MESSAGES];
	size_t used;
	uint8_t octets[KIT_STREAM];
};

/* A message begins; NULL: more than there is place for. */
static inline struct told *telling_begin(struct telling *t)
{
	struct told *m = t->n < KIT_MESSAGES ? &t->v[t->n++] : NULL;

	if (m)
		*m = (struct told){.body = t->octets + t->used};
	return m;
}

/* More of the body of the last one. */
static inline void telling_body(struct telling *t, const void *p, size_t n)
{
	if (!t->n || t->used + n > KIT_STREAM)
		abort();
	if (n)
		memcpy(t->octets + t->used, p, n);
	t->used += n;
	t->v[t->n - 1].n += n;
}

static inline bool told_same(const struct told *a, const struct told *b)
{
	return strcmp(a->first, b->first) == 0 && a->n == b->n &&
	       memcmp(a->body, b->body, a->n) == 0;
}

struct reader_kit {
	struct http_machine *m;
	struct http_flow f;
	struct arena arena;
	struct obs obs[KIT_OBS];
};

static inline struct reader_kit *reader_new(void)
{
	struct reader_kit *r = calloc(1, sizeof(*r));

	if (!r)
		abort();
	r->m = calloc(1, sizeof(*r->m));
	r->arena = arena_of(malloc(1 << 18), 1 << 18);
	if (!r->m || !r->arena.p)
		abort();
	dissector_http.machine_init(r->m, NULL);
	return r;
}

static inline void reader_free(struct reader_kit *r)
{
	free(r->arena.p);
	free(r->m);
	free(r);
}

static inline void told_head(struct told *m, const struct head *h)
{
	struct span name = http_method_name((enum http_method)h->method);

	if (h->request)
		snprintf(m->first, sizeof(m->first), "%.*s %.*s %.*s",
			 (int)name.n, (const char *)name.p, (int)h->target.n,
			 (const char *)h->target.p, (int)h->host.n,
			 (const char *)h->host.p);
	else
		snprintf(m->first, sizeof(m->first), "%u", h->status);
}

/* One unit, framed and read as the pipeline does it; it ends at `end`. */
static inline bool reader_unit(struct reader_kit *r, struct dis_ctx *c,
			       struct span unit, size_t end,
			       struct telling *t)
{
	struct cutter k = {.f = &r->f, .dir = c->dir, .plain = r->m->plain,
			    .seen = r->m->seen,
			   .exact = true};
	struct obs_list out = {r->obs, 0, KIT_OBS};
	struct err e = {0};
	struct piece x;
	bool interim;

	if (http_cut(&k, unit, &x, &e) != FRAME_UNIT || x.len != unit.n)
		return false;
	interim = !x.request && x.next.interim;
	if (x.begins && !interim) {
		struct told *m = telling_begin(t);

		if (!m)
			return false;
		told_head(m, &x.head);
		m->framing = x.next.framing;
		m->closes = x.next.closes;
	}
	if (!interim) {
		telling_body(t, x.body.p, x.body.n);
		t->v[t->n - 1].end = end;
	}
	arena_reset(&r->arena);
	if (dissector_http.dissect(c, unit, &out, &e))
		return false;
	dissector_http.settle(c, true);
	return true;
}

/* Is all of a stream accepted, and does it end with a message? What was found
 * is in t. */
static inline bool reader_stream(struct reader_kit *r, enum dir dir,
				 struct span in, struct telling *t)
{
	struct dis_ctx c = {.machine = r->m, .flow = &r->f,
			    .arena = &r->arena, .dir = dir,
			    .tup.proto = PROTO_TCP};
	size_t at = 0;

	t->n = 0;
	t->used = 0;
	while (at < in.n) {
		struct span rest = span_from(in, at);
		struct err e = {0};
		size_t len;

		if (dissector_http.frame(&c, rest, &len, &e) != FRAME_UNIT ||
		    !reader_unit(r, &c, span_sub(rest, 0, len), at + len, t))
			return false;
		at += len;
	}
	return dissector_http.leftover(&c, span_from(in, in.n)) ==
	       REASON_NONE;
}

/* --- streams -------------------------------------------------------- */

struct maker {
	uint64_t seed;
	size_t n;
	char text[KIT_STREAM];
};

static inline uint32_t rnd(struct maker *k, uint32_t below)
{
	k->seed = k->seed * UINT64_C(6364136223846793005) +
		  1442695040888963407u;
	return (uint32_t)(k->seed >> 33) % below;
}

#define PICK(k, list) (list)[rnd(k, sizeof(list) / sizeof(*(list)))]

__attribute__((format(printf, 2, 3))) static inline void
put(struct maker *k, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(k->text + k->n, sizeof(k->text) - k->n, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(k->text) - k->n)
		abort();
	k->n += (size_t)n;
}

/* Octets that may look like other messages. */
static inline void put_octets(struct maker *k, size_t n)
{
	static const char *const lures[] = {
		"GET /smuggled HTTP/1.1\r\nHost: m\r\n\r\n", "0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "\r\n",
	};
	size_t end = k->n + n;

	if (end >= sizeof(k->text))
		abort();
	while (k->n < end) {
		const char *s = PICK(k, lures);
		size_t len = strlen(s);

		if (rnd(k, 3) == 0 && k->n + len <= end) {
			memcpy(k->text + k->n, s, len);
			k->n += len;
		} else {
			k->text[k->n++] = (char)(' ' + rnd(k, 90));
		}
	}
}

static inline void put_chunks(struct maker *k, size_t n)
{
	while (n) {
		size_t part = 1 + rnd(k, (uint32_t)n);

		switch (rnd(k, 4)) {
		case 0:
			put(k, "%zX\r\n", part);
			break;
		case 1:
			put(k, "0%zx\r\n", part);
			break;
		case 2:
			put(k, "%06zx\r\n", part);
			break;
		default:
			put(k, "%zx\r\n", part);
			break;
		}
		put_octets(k, part);
		put(k, "\r\n");
		n -= part;
	}
	put(k, rnd(k, 4) ? "0\r\n\r\n" : "000\r\n\r\n");
}

/* The headers of a body of n octets, the empty line, and the body. */
static inline void put_body(struct maker *k, size_t n, bool chunks)
{
	static const char *const codings[] = {
		"Transfer-Encoding: chunked", "transfer-encoding:chunked",
		"Transfer-Encoding: \t CHUNKED", "TRANSFER-ENCODING: Chunked",
	};

	if (chunks) {
		put(k, "%s\r\n\r\n", PICK(k, codings));
		put_chunks(k, n);
		return;
	}
	if (rnd(k, 2))
		put(k, "Content-Length: %zu\r\n\r\n", n);
	else
		put(k, "content-length:\t%0*zu\r\n\r\n",
		    (int)(1 + rnd(k, 12)), n);
	put_octets(k, n);
}

/* Now and then a few octets become others. */
static inline void mutate(struct maker *k)
{
	static const char *const pieces[] = {
		"\r\n", "\n", "\r", " ", "\t", ":", "0", "1", ",", ";", "%41",
		"/", "?", "Content-Length: 4\r\n", "Expect: 100-continue\r\n",
		"Transfer-Encoding: chunked\r\n", "X-A: b\r\n", "\x80", "\v",
		"Connection: close\r\n", "Connection: keep-alive\r\n", "HTTP/",
		"Host: other\r\n", "=", "&", "+", "\"", "..", "a", "-", "_",
		"Content-Encoding: identity\r\n", "Cookie: a=\"b\r\n",
		" X: folded\r\n", "00", "100 Continue", "204", "304", "1.0",
	};

	for (uint32_t i = 1 + rnd(k, 3); i > 0 && k->n > 0; i--) {
		size_t at = rnd(k, (uint32_t)k->n), len;
		const char *p = PICK(k, pieces);

		switch (rnd(k, 4)) {
		case 0:
			k->text[at] = (char)rnd(k, 256);
			break;
		case 1:
			len = 1 + rnd(k, 4);
			len = len > k->n - at ? k->n - at : len;
			memmove(k->text + at, k->text + at + len,
				k->n - at - len);
			k->n -= len;
			break;
		default:
			len = strlen(p);
			if (k->n + len > sizeof(k->text))
				break;
			memmove(k->text + at + len, k->text + at, k->n - at);
			memcpy(k->text + at, p, len);
			k->n += len;
			break;
		}
	}
}

#endif
