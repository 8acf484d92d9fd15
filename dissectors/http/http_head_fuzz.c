/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One head, from bytes: an octet says whose (odd: of a request), the rest is it.
 *
 * Properties: what was said of its first octets holds whatever follows; what is
 * refused has a reason; all that is borrowed lies in it; written again from
 * what was read of it, and from nothing else, it is read as the same, with the
 * same body for whatever it answers; a path that is read is its own normal form.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/wbuf.h"
#include "dissectors/http/head.h"
#include "dissectors/http/uri.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int find(struct span in, bool request, size_t *len)
{
	int rc = E_MORE;
	struct err e = {0};

	for (size_t n = 1; n <= in.n; n += n < 512 ? 1 : 61) {
		struct err now = {0};
		size_t got = 0;
		int said = head_find(span_sub(in, 0, n), request, &got, &now);

		if (rc == E_MORE) {
			rc = said;
			*len = got;
			e = now;
			assert(rc != 0 || got <= n);
		}
		assert(said == rc && got == *len && now.reason == e.reason);
	}
	assert(rc == E_MORE || rc == 0 || e.reason);
	return rc;
}

static void inside(struct span s, struct span in)
{
	assert(s.n == 0 || (s.p >= in.p && s.p + s.n <= in.p + in.n));
}

__attribute__((format(printf, 2, 3))) static void put(struct wbuf *w,
						      const char *fmt, ...)
{
	char line[128];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	assert(n >= 0 && (size_t)n < sizeof(line));
	wbuf_put(w, span_of(line, (size_t)n));
}

static void put_type(struct wbuf *w, const struct head *h)
{
	if (h->content_type.n == 0 && !h->charset)
		return;
	put(w, "Content-Type: ");
	wbuf_put(w, h->content_type);
	put(w, h->charset ? ";charset=latin1\r\n" : "\r\n");
}

static struct span write_again(struct wbuf *w, const struct head *h)
{
	static const char *const codings[] = {NULL, "gzip", "deflate"};

	if (h->request) {
		wbuf_put(w, http_method_name((enum http_method)h->method));
		put(w, " ");
		wbuf_put(w, h->target);
		put(w, " HTTP/1.1\r\nHost: ");
		wbuf_put(w, h->host);
		put(w, "\r\n");
	} else {
		put(w, "HTTP/1.%c %03u \r\n", h->http10 ? '0' : '1', h->status);
	}
	if (h->has_length)
		put(w, "Content-Length: %llu\r\n",
		    (unsigned long long)h->length);
	if (h->chunked)
		put(w, "Transfer-Encoding: chunked\r\n");
	if (h->expect)
		put(w, "Expect: 100-continue\r\n");
	if (h->coding)
		put(w, "Content-Encoding: %s\r\n", codings[h->coding]);
	if (h->close || h->keep_alive)
		put(w, "Connection: %s\r\n",
		    !h->keep_alive ? "close" :
		    h->close	   ? "keep-alive, close" :
				     "keep-alive");
	put_type(w, h);
	put(w, "\r\n");
	assert(!w->failed);
	return wbuf_span(w);
}

static void same(const struct head *a, const struct head *b)
{
	assert(a->request == b->request && a->http10 == b->http10);
	assert(a->method == b->method && a->status == b->status);
	assert(span_eq(a->target, b->target) && span_eq(a->host, b->host));
	assert(a->expect == b->expect && a->coding == b->coding);
	assert(a->has_length == b->has_length && a->length == b->length);
	assert(a->chunked == b->chunked && a->charset == b->charset);
	assert(span_eq(a->content_type, b->content_type));
	assert(a->close == b->close && a->keep_alive == b->keep_alive);
	assert(a->event_stream == b->event_stream);
	for (int m = 0; m < HTTP_METHODS; m++) {
		enum http_framing fa = FRAMING_NONE, fb = FRAMING_NONE;
		struct err e = {0};
		int ra = head_framing(a, (enum http_method)m, &fa, &e);

		assert(ra == 0 || e.reason);
		assert(ra == head_framing(b, (enum http_method)m, &fb, &e));
		assert(ra || fa == fb);
	}
}

static void check_target(struct span target)
{
	uint8_t path[3 * URI_MAX], again[3 * URI_MAX];
	struct wbuf w = wbuf_of(path, sizeof(path));
	struct wbuf w2 = wbuf_of(again, sizeof(again));
	struct err e = {0};
	struct uri u, u2;

	if (uri_read(target, &w, &u, &e)) {
		assert(e.reason);
		return;
	}
	assert(u.path.n && u.path.p[0] == '/');
	assert(uri_read(u.path, &w2, &u2, &e) == 0);
	assert(span_eq(u2.path, u.path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t octets[HEAD_MAX + 512];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct span in = span_of(data, size), text;
	struct head h, again;
	struct err e = {0};
	bool request;
	size_t len = 0;

	if (size < 2 || size > HEAD_MAX + 200)
		return 0;
	request = data[0] & 1;
	in = span_from(in, 1);
	if (find(in, request, &len))
		return 0;
	assert(len >= 4 && len <= HEAD_MAX);
	in = span_sub(in, 0, len);
	if (head_read(in, request, &h, &e)) {
		assert(e.reason);
		return 0;
	}
	assert(h.len == len && h.request == request);
	inside(h.target, in);
	inside(h.host, in);
	inside(h.content_type, in);
	text = write_again(&w, &h);
	assert(head_find(text, request, &len, &e) == 0 && len == text.n);
	assert(head_read(text, request, &again, &e) == 0);
	same(&h, &again);
	if (request)
		check_target(h.target);
	return 0;
}
