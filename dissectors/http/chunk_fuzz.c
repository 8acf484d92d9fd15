/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks of one body, from bytes: an octet says how much of the body is wanted
 * at once, the rest is what was sent.
 *
 * Properties: the body, where it ends and whether it is refused are the same as
 * by a reader that was written apart; the same for the stream cut in two
 * anywhere, octet by octet, and for the body taken in pieces of any length; and
 * what was read, sent anew in other chunks, is read as the same.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/wbuf.h"
#include "dissectors/http/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STREAM 4096

struct result {
	enum chunks end; /* MORE, END or BAD */
	size_t used;	 /* of the stream, at the END */
	size_t n;
	uint8_t body[STREAM];
};

/* --- the reader that was written apart: all there is, at once ------------------- */

static bool hex(const char *p, size_t n)
{
	return n > 0 && n <= 8 && strspn(p, "0123456789abcdefABCDEF") >= n;
}

/* text ends with a NUL of ours behind its n octets. */
static void read_apart(struct result *r, const char *text, size_t n)
{
	size_t at = 0;

	*r = (struct result){.end = CHUNKS_MORE};
	for (;;) {
		size_t digits = strspn(text + at, "0123456789abcdefABCDEF");
		size_t left = n - at, size;

		if (digits > 8) {
			r->end = CHUNKS_BAD;
			return;
		}
		if (digits == left)
			return;
		if (!hex(text + at, digits) || text[at + digits] != '\r' ||
		    (digits + 1 < left && text[at + digits + 1] != '\n')) {
			r->end = CHUNKS_BAD;
			return;
		}
		if (left < digits + 2)
			return;
		size = strtoul(text + at, NULL, 16);
		at += digits + 2;
		left = n - at;
		if (size) {
			size_t part = size < left ? size : left;

			memcpy(r->body + r->n, text + at, part);
			r->n += part;
			at += part;
			left -= part;
		}
		if ((left > 0 && text[at] != '\r') ||
		    (left > 1 && text[at + 1] != '\n')) {
			r->end = CHUNKS_BAD;
			return;
		}
		if (left < 2)
			return;
		at += 2;
		if (size == 0) {
			r->end = CHUNKS_END;
			r->used = at;
			return;
		}
	}
}

/* --- ours ----------------------------------------------------------------------- */

/* What is there is offered, as much of the body as wanted is taken each time. */
struct reader {
	struct http_side s;
	size_t at; /* octets of the stream that were taken */
	size_t want;
	struct result r;
};

static void offer(struct reader *x, struct span in, size_t upto)
{
	enum chunks c = CHUNKS_FULL;

	while (x->r.end == CHUNKS_MORE && c == CHUNKS_FULL) {
		struct span there = span_sub(in, x->at, upto - x->at);
		struct err e = {0};
		size_t used, got;

		c = chunks_walk(&x->s, there, x->r.body + x->r.n, x->want,
				&used, &got, &e);
		assert(used <= there.n && got <= x->want && got <= used);
		x->at += used;
		x->r.n += got;
		assert(c != CHUNKS_FULL || got == x->want);
		assert((c == CHUNKS_BAD) == (e.reason != 0));
		if (c == CHUNKS_END || c == CHUNKS_BAD)
			x->r.end = c;
	}
	if (x->r.end == CHUNKS_END)
		x->r.used = x->at;
}

static void equal(const struct result *a, const struct result *b)
{
	assert(a->end == b->end && a->used == b->used && a->n == b->n);
	assert(memcmp(a->body, b->body, a->n) == 0);
}

static void cut_at(const struct result *want, struct span in, size_t cut,
		   size_t piece)
{
	static struct reader x;

	x = (struct reader){.want = piece, .r.end = CHUNKS_MORE};
	offer(&x, in, cut);
	offer(&x, in, in.n);
	equal(&x.r, want);
}

static void by_octets(const struct result *want, struct span in, size_t piece)
{
	static struct reader x;

	x = (struct reader){.want = piece, .r.end = CHUNKS_MORE};
	for (size_t n = 1; n <= in.n; n++)
		offer(&x, in, n);
	equal(&x.r, want);
}

/* In chunks of other lengths, each written in another way. */
static void anew(const struct result *want, size_t most)
{
	static const char *const forms[] = {"%zx\r\n", "%zX\r\n", "0%zx\r\n",
					    "%08zx\r\n"};
	static uint8_t octets[16 * STREAM + 64];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct result all = *want;
	char line[24];

	for (size_t at = 0, i = 0; at < want->n; i++) {
		size_t n = want->n - at < most ? want->n - at : most;

		snprintf(line, sizeof(line), forms[i % 4], n);
		wbuf_put(&w, span_str(line));
		wbuf_put(&w, span_of(want->body + at, n));
		wbuf_put(&w, span_str("\r\n"));
		at += n;
	}
	wbuf_put(&w, span_str("0\r\n\r\n"));
	assert(!w.failed);
	all.end = CHUNKS_END;
	all.used = w.n;
	cut_at(&all, wbuf_span(&w), w.n / 2, STREAM);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct result want;
	static char text[STREAM + 1];
	struct span in;
	size_t piece;

	if (size < 2 || size > STREAM)
		return 0;
	piece = 1 + data[0];
	in = span_from(span_of(data, size), 1);
	memcpy(text, in.p, in.n);
	text[in.n] = 0;
	read_apart(&want, text, in.n);
	for (size_t cut = 0; cut <= in.n; cut += in.n < 600 ? 1 : 1 + in.n / 97)
		cut_at(&want, in, cut, STREAM);
	by_octets(&want, in, piece);
	cut_at(&want, in, in.n, piece);
	anew(&want, piece);
	return 0;
}
