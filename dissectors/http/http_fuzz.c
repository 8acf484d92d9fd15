/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges of one connection, from bytes: two octets say how many of the
 * rest the client sends, and whether all of it is of a capture; what is behind
 * them is the server's.
 *
 * Properties: a unit that was found is found with more octets as well, and is
 * never shorter then; it is not empty and within the hold limit; what is refused leaves no
 * trace in the flow; read again it says the same; the carrier comes first and
 * every unit that is read has a leaf, but for white space of oBIX.
 */
#include <assert.h>
#include <stdlib.h>

#include "dissectors/http/state.h"

#include "dissectors/http/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LEAVES 512

struct try {
	struct http_machine *m;
	struct http_flow f;
	struct arena arena;
	struct obs obs[LEAVES], again[LEAVES];
};

/* A body that ends with the connection: what stands behind the end of an oBIX
 * document there is cut as it comes. */
static bool ends_at_close(const struct dis_ctx *c, const struct try *t,
			  struct span in)
{
	const struct http_side *s = &t->f.side[c->dir];
	struct err e;
	struct head h;
	size_t len;

	if (s->stage == SIDE_BODY)
		return s->framing == FRAMING_CLOSE;
	return in.n && in.p[0] == 'H' && head_find(in, false, &len, &e) == 0 &&
	       head_read(span_sub(in, 0, len), false, &h, &e) == 0 &&
	       !h.has_length && !h.chunked;
}

/* Between units is not at the end of one. */
static enum frame frame(const struct dis_ctx *c, struct span in, size_t *len,
			struct err *e)
{
	enum frame fr = dissector_http.frame(c, in, len, e);

	return fr == FRAME_BETWEEN ? FRAME_MORE : fr;
}

/* By growing prefixes, a few octets at a time, then with all there is. */
static enum frame find(const struct dis_ctx *c, const struct try *t,
		       struct span in, size_t step, size_t *len, struct err *e)
{
	enum frame fr = FRAME_MORE, whole;
	size_t all = 0;
	struct err e2 = {0};

	*len = 0;
	for (size_t n = 1; n < in.n && fr == FRAME_MORE; n += step)
		fr = frame(c, span_sub(in, 0, n), len, e);
	whole = frame(c, in, &all, &e2);
	if (fr == FRAME_UNIT)
		assert(ends_at_close(c, t, in) ? whole != FRAME_MORE
					       : whole == FRAME_UNIT &&
							 all >= *len);
	if (fr == FRAME_BAD)
		assert(whole == FRAME_BAD);
	if (fr == FRAME_MORE) {
		fr = whole;
		*len = all;
		*e = e2;
	}
	return fr;
}

static int read_once(struct dis_ctx *c, struct span unit, struct obs *v,
		     uint32_t *n, struct err *e)
{
	struct obs_list out = {v, 0, LEAVES};
	int rc;

	arena_reset(c->arena);
	rc = dissector_http.dissect(c, unit, &out, e);
	*n = out.n;
	return rc;
}

#define E     "\r\n"
#define ENDS  "Cache-Control: no-store" E "Connection: close" E E
#define PAGE  "HTTP/1.1 403 Forbidden" E
#define PLAIN "Content-Type: text/plain; charset=utf-8" E "Content-Length: "
#define OBIX  "HTTP/1.1 200 OK" E "Content-Type: text/xml; charset=utf-8" E    \
	      "Content-Length: "
#define ERR   "<err is=\"obix:PermissionErr\" display=\"refused"
#define FLOW  ", recorded as flow 18446744073709551615"

/* Whatever was asked, and by whomever: one of these, with nothing of the unit
 * in it. */
static void answer(const struct dis_ctx *c, struct span unit)
{
	static const char *const all[] = {
		PAGE "Content-Length: 0" E ENDS,
		PAGE PLAIN "62" E ENDS "refused: denied by v/r" FLOW "\n",
		PAGE PLAIN "62" E ENDS,
		OBIX "48" E ENDS ERR "\"/>",
		OBIX "48" E ENDS,
		OBIX "102" E ENDS ERR ": denied by v/r" FLOW "\"/>",
		OBIX "102" E ENDS,
	};
	struct refusal why = {.reason = "denied", .rule = span_str("v/r"),
			      .flow = UINT64_MAX};
	uint8_t octets[512];
	struct wbuf out = wbuf_of(octets, sizeof(octets));
	bool instead, found = false;

	if (!dissector_http.answer(c, unit, &why, &out, &instead)) {
		assert(out.n == 0);
		return;
	}
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		found |= span_is(wbuf_span(&out), all[i]);
	assert(found);
}

static bool one_unit(struct try *t, struct dis_ctx *c, struct span unit)
{
	struct http_flow was = t->f;
	struct err e = {0};
	uint32_t n, n2;
	int rc = read_once(c, unit, t->obs, &n, &e);

	if (rc == 0)
		answer(c, unit);
	dissector_http.settle(c, false);
	assert(memcmp(&was, &t->f, sizeof(was)) == 0);
	if (rc < 0) {
		assert(e.reason);
		return false;
	}
	assert(n >= 1);
	rc = read_once(c, unit, t->again, &n2, &e);
	assert(rc == 0 && n2 == n);
	for (uint32_t i = 0; i < n; i++) {
		assert(t->obs[i].kind == t->again[i].kind);
		assert(t->obs[i].n == t->again[i].n);
	}
	dissector_http.settle(c, true);
	return true;
}

static void stream(struct try *t, enum dir dir, struct span in, size_t step,
		   bool lenient)
{
	struct dis_ctx c = {.machine = t->m,
			    .flow = &t->f,
			    .arena = &t->arena,
			    .dir = dir,
			    .lenient = lenient,
			    .tup.proto = 6};

	for (int units = 0; in.n && units < 64; units++) {
		struct err e = {0};
		size_t len;
		enum frame fr = find(&c, t, in, step, &len, &e);

		if (fr == FRAME_BAD)
			assert(e.reason);
		if (fr != FRAME_UNIT)
			return;
		assert(len > 0 && len <= in.n && len <= UNIT_MAX);
		if (!one_unit(t, &c, span_sub(in, 0, len)))
			return;
		in = span_from(in, len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct try *t; /* large: made once */
	struct span in = span_of(data, size);
	size_t n, step;
	bool lenient;

	if (size < 2)
		return 0;
	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return 0;
		t->m = calloc(1, sizeof(*t->m));
		t->arena = arena_of(malloc(1 << 18), 1 << 18);
		if (!t->m || !t->arena.p)
			abort();
		dissector_http.machine_init(t->m, NULL);
	}
	memset(&t->f, 0, sizeof(t->f));
	n = (size_t)(data[0] & 0x3f) << 8 | data[1];
	step = data[0] & 0x80 ? 1 : 97;
	lenient = data[0] & 0x40;
	in = span_from(in, 2);
	stream(t, DIR_OUT, span_sub(in, 0, n), step, lenient);
	stream(t, DIR_IN, span_from(in, n), step, lenient);
	return 0;
}
