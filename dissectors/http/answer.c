/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to a request that is refused, or whose answer is: 403, or 429
 * where only time is in the way (RFC 9110 15.5.4, RFC 6585 4). Whoever asked
 * for oBIX gets a document with an err, with 200 as all of oBIX (obix.md 8 and
 * 9). The connection ends behind it.
 *
 * Requests are answered in order, so there must be no other one that waits,
 * and the answer must stand where one begins.
 */
#include <stdio.h>

#include "dissectors/http/answer.h"
#include "dissectors/http/read.h"

/* What is answered. */
struct asked {
	bool head; /* nothing but the head */
	bool obix;
	bool own; /* by the machine itself */
};

static bool under_obix(struct span path)
{
	return span_is(span_sub(path, 0, 5), "/obix") &&
	       (path.n == 5 || path.p[5] == '/');
}

/* Clients of oBIX read nothing but documents. A path is of oBIX when the
 * standard's lobby is in it, or when a document told of it. */
static bool wants_obix(struct http_machine *m, const struct piece *x,
		       const struct http_row *r)
{
	return x->next.kind == BODY_OBIX ||
	       (r && (under_obix(row_path(r)) ||
		      obix_knows(machine_obix(m), &r->ask)));
}

/* What may be said for sure to be the answer to this request, and nothing
 * else: see above. */
static bool may_answer(const struct dis_ctx *c, struct span unit,
		       struct asked *a, bool *instead)
{
	struct http_machine *m = c->machine;
	const struct http_flow *f = &m->was;
	struct cutter k = {.f = f,
			   .dir = c->dir,
			   .lenient = c->lenient,
			   .plain = m->plain,
			   .seen = m->seen,
			   .exact = true};
	const struct http_side *other = &f->side[!c->dir];
	const struct http_row *r;
	struct piece x;
	struct err e;

	if (http_cut(&k, unit, &x, &e) != FRAME_UNIT || !x.begins ||
	    f->side[c->dir].stage != SIDE_HEAD || x.next.interim || x.unpaired)
		return false;
	*instead = !x.request;
	if (x.request) {
		/* All of it is here, and nothing else waits. */
		if (!x.ends || f->n || other->stage != SIDE_HEAD)
			return false;
		r = m->row_taken ? &m->row[m->row_taken - 1] : NULL;
		a->head = x.head.method == HTTP_HEAD;
	} else {
		/* The request that it answers has ended. */
		if (other->stage == SIDE_BODY || f->n != 1)
			return false;
		r = row_find(m, x.next.row, x.next.serial);
		a->head = x.answers == HTTP_HEAD;
	}
	a->obix = wants_obix(m, &x, r);
	a->own = x.request == (c->dir == DIR_OUT);
	return true;
}

/* Names of reasons and rules have no other; what has goes as '?'. */
static void put_plain(struct wbuf *w, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t ch = s.p[i];
		bool plain = ch >= ' ' && ch < 0x7f && !strchr("<>&\"'", ch);

		wbuf_u8(w, plain ? ch : '?');
	}
}

/* Why, for the machine itself; others hear no more than the code. */
static void put_why(struct wbuf *w, const struct refusal *why)
{
	char flow[48];

	wbuf_put(w, span_str(": "));
	put_plain(w, span_str(why->reason));
	if (why->rule.n) {
		wbuf_put(w, span_str(" by "));
		put_plain(w, why->rule);
	}
	if (why->flow == 0)
		return;
	snprintf(flow, sizeof(flow), ", recorded as flow %llu",
		 (unsigned long long)why->flow);
	wbuf_put(w, span_str(flow));
}

static void put_page(struct wbuf *w, const struct refusal *why)
{
	wbuf_put(w, span_str("refused"));
	put_why(w, why);
	wbuf_put(w, span_str("\n"));
}

static void put_err(struct wbuf *w, const struct refusal *why, bool own,
		    bool later)
{
	wbuf_put(w, span_str(later ? "<err display=\"refused for now" :
				     "<err is=\"obix:PermissionErr\" "
				     "display=\"refused"));
	if (own)
		put_why(w, why);
	wbuf_put(w, span_str("\"/>"));
}

static void put_number(struct wbuf *w, const char *name, size_t n)
{
	char line[64];

	snprintf(line, sizeof(line), "%s: %zu\r\n", name, n);
	wbuf_put(w, span_str(line));
}

static void put_head(struct wbuf *w, const char *status, const char *type,
		     size_t length, uint32_t retry_s)
{
	wbuf_put(w, span_str("HTTP/1.1 "));
	wbuf_put(w, span_str(status));
	wbuf_put(w, span_str("\r\n"));
	if (length) {
		wbuf_put(w, span_str("Content-Type: "));
		wbuf_put(w, span_str(type));
		wbuf_put(w, span_str("; charset=utf-8\r\n"));
	}
	put_number(w, "Content-Length", length);
	if (retry_s)
		put_number(w, "Retry-After", retry_s);
	wbuf_put(w, span_str("Cache-Control: no-store\r\n"
			     "Connection: close\r\n\r\n"));
}

const char *http_answer(const struct dis_ctx *c, struct span unit,
			const struct refusal *why, struct wbuf *out,
			bool *instead)
{
	bool later = why->as != REFUSED_FOR_GOOD;
	uint8_t octets[256];
	struct wbuf body = wbuf_of(octets, sizeof(octets));
	struct wbuf w = wbuf_of(out->p + out->n, out->cap - out->n);
	struct asked a;

	/* There is no connection to answer on. */
	if (c->tup.proto != PROTO_TCP)
		return NULL;
	if (out->failed || !may_answer(c, unit, &a, instead))
		return NULL;
	if (a.obix)
		put_err(&body, why, a.own, later);
	else if (a.own)
		put_page(&body, why);
	if (body.failed)
		return NULL;
	if (a.obix)
		put_head(&w, "200 OK", "text/xml", body.n, 0);
	else
		put_head(&w, later ? "429 Too Many Requests" : "403 Forbidden",
			 "text/plain", body.n, later ? why->retry_s : 0);
	if (!a.head)
		wbuf_put(&w, wbuf_span(&body));
	if (w.failed)
		return NULL;
	out->n += w.n;
	return a.obix ? "obix err" : later ? "429" : "403";
}
