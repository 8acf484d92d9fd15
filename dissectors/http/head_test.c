/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/http/head.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/reason.h"
#include "dissectors/http/uri.h"

#define H  "Host: m.example\r\n"
#define E  "\r\n"
#define UP "GET / HTTP/1.1\r\n" H

/* What two receivers could read differently, and what leads past a reader of
 * HTTP/1.1. NONE: read. */
static const struct {
	const char *why, *text;
	enum reason want;
} requests[] = {
	{"plain", "GET /a HTTP/1.1\r\n" H E, REASON_NONE},
	{"a body with its length",
	 "POST /a HTTP/1.1\r\n" H "Content-Length: 3\r\n" E, REASON_NONE},
	{"a chunked body",
	 "PUT /a HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" E,
	 REASON_NONE},
	{"names without case", "GET /a HTTP/1.1\r\nhOST: m.example\r\n" E,
	 REASON_NONE},
	{"white space before a value",
	 "GET /a HTTP/1.1\r\nHost: \t m.example\r\n" E, REASON_NONE},
	{"white space before a value that nobody reads",
	 UP "From: \t a\r\n" E, REASON_NONE},
	{"an empty value", UP "From:\r\n" E, REASON_NONE},
	{"an empty value and a blank", UP "Accept-Encoding: \r\n" E, REASON_NONE},
	{"a list in two fields", UP "Via: a\r\nVia: b\r\n" E, REASON_NONE},
	{"TE, and the connection names it",
	 UP "TE: trailers\r\nConnection: keep-alive, TE\r\n" E, REASON_NONE},
	{"TE behind it", UP "Connection: te\r\nTE:\r\n" E, REASON_NONE},
	{"cookies", UP "Cookie: a=b; c=\"d\"\r\n" E, REASON_NONE},
	{"a header that is not known", UP "X-Thing: 1\r\n" E,
	 REASON_UNKNOWN_HEADER},
	{"one of answers", UP "Server: a\r\n" E, REASON_UNKNOWN_HEADER},
	{"what .NET adds", UP "traceparent: 00-0af7651916cd43dd8448eb211c80319c"
	 "-b7ad6b7169203331-01\r\n" E, REASON_NONE},
	{"expects 100", "POST /a HTTP/1.1\r\n" H
	 "Content-Length: 3\r\nExpect: 100-continue\r\n" E, REASON_NONE},
#define REQUEST(why, text, want) {why, text, REASON_##want},
#define RESPONSE(why, text, want)
#include "dissectors/http/heads.def"
#undef REQUEST
#undef RESPONSE
};

static const struct {
	const char *why, *text;
	enum reason want;
} responses[] = {
	{"plain", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" E, REASON_NONE},
	{"no words behind the status", "HTTP/1.1 204 \r\n" E, REASON_NONE},
	{"HTTP/1.0", "HTTP/1.0 200 OK\r\n" E, REASON_NONE},
	{"100 and no more", "HTTP/1.1 100 Continue\r\n" E, REASON_NONE},
	{"100 without words", "HTTP/1.1 100 \r\n" E, REASON_NONE},
	{"one of requests", "HTTP/1.1 200 OK\r\nCookie: a=b\r\n" E,
	 REASON_UNKNOWN_HEADER},
	{"the trace of a request", "HTTP/1.1 200 OK\r\ntraceparent: 00-0af76519"
	 "16cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n" E,
	 REASON_UNKNOWN_HEADER},
	{"what a Niagara station adds",
	 "HTTP/1.1 200 OK\r\nNiagara-Platform: QNX\r\n"
	 "Niagara-Started: 2024-3-11-8-51-20\r\nBaja-Station-Brand: webs\r\n"
	 "Niagara-HostId: Qnx-NPM6-0000-1234-5678\r\n" E, REASON_NONE},
	{"what IIS adds", "HTTP/1.1 200 OK\r\nX-AspNet-Version: 4.0.30319\r\n"
	 "X-AspNetMvc-Version: 5.2\r\n" E, REASON_NONE},
	{"what helmet adds", "HTTP/1.1 200 OK\r\nX-DNS-Prefetch-Control: off\r\n"
	 "X-Download-Options: noopen\r\nOrigin-Agent-Cluster: ?1\r\n"
	 "X-Permitted-Cross-Domain-Policies: none\r\n" E, REASON_NONE},
	{"what proxies add", "HTTP/1.1 200 OK\r\nAlt-Svc: h3=\":443\"\r\n"
	 "Server-Timing: a;dur=1\r\nX-Request-Id: 6b9d\r\n" E, REASON_NONE},
	{"205 that says it is empty",
	 "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n" E,
	 REASON_NONE},
#define RESPONSE(why, text, want) {why, text, REASON_##want},
#define REQUEST(why, text, want)
#include "dissectors/http/heads.def"
#undef REQUEST
#undef RESPONSE
};

/* The reason of a head, found octet by octet, and read. */
static enum reason judge(struct span in, bool request, struct head *h,
			 char text[ERR_TEXT])
{
	struct err e = {0};
	uint8_t path[3 * URI_MAX];
	struct wbuf w = wbuf_of(path, sizeof(path));
	enum http_framing framing;
	size_t len = 0;
	struct uri u;
	int rc = E_MORE;

	/* However it is split: what was said of less holds for more. */
	for (size_t n = 1; n <= in.n && rc == E_MORE; n++)
		rc = head_find(span_sub(in, 0, n), request, &len, &e);
	if (rc == E_MORE)
		return REASON_INCOMPLETE;
	if (rc == 0)
		assert_int_equal(len, in.n);
	if (rc == 0)
		rc = head_read(in, request, h, &e);
	if (rc == 0)
		rc = head_framing(h, HTTP_GET, &framing, &e);
	if (rc == 0 && request)
		rc = uri_read(h->target, &w, &u, &e);
	memcpy(text, e.text, ERR_TEXT);
	return rc == 0 ? REASON_NONE : (enum reason)e.reason;
}

static void check(const char *why, const char *in, bool request,
		  enum reason want)
{
	struct head h;
	char text[ERR_TEXT];
	enum reason got = judge(span_str(in), request, &h, text);

	if (got != want)
		fail_msg("%s: %s (%s), not %s", why, reason_text(got), text,
			 reason_text(want));
}

static void test_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		check(requests[i].why, requests[i].text, true,
		      requests[i].want);
}

static void test_responses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(responses) / sizeof(*responses); i++)
		check(responses[i].why, responses[i].text, false,
		      responses[i].want);
}

/* A NUL anywhere is refused, and so is a head that was cut or is too long. */
static void test_octets(void **state)
{
	static const char good[] = "POST /abc HTTP/1.1\r\n" H
				   "Content-Length: 3\r\n" E;
	char text[ERR_TEXT], bad[sizeof(good)];
	struct head h;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(good); i++) {
		memcpy(bad, good, sizeof(good));
		bad[i] = 0;
		if (judge(span_of(bad, sizeof(good) - 1), true, &h, text) ==
		    REASON_NONE)
			fail_msg("octet %zu", i);
	}
}

static void test_long(void **state)
{
	static char big[HEAD_MAX + 64];
	struct err e = {0};
	size_t len, n;

	(void)state;
	n = (size_t)snprintf(big, sizeof(big), "GET /%0*d HTTP/1.1\r\n",
			     HEAD_LINE_MAX, 0);
	assert_int_equal(head_find(span_of(big, n), true, &len, &e), E_LIMIT);
	assert_int_equal(e.reason, REASON_TOO_LONG);
	/* Whatever stands behind it. */
	n = (size_t)snprintf(big, sizeof(big), "GET /%0*d\rx HTTP/1.1\n",
			     HEAD_LINE_MAX, 0);
	assert_int_equal(head_find(span_of(big, n), true, &len, &e), E_LIMIT);
	n = (size_t)snprintf(big, sizeof(big), "GET /%0*d HTTP/1.1\r\n",
			     HEAD_LINE_MAX - 14, 0);
	assert_int_equal(n, HEAD_LINE_MAX + 2);
	assert_int_equal(head_find(span_of(big, n), true, &len, &e), E_MORE);
	assert_int_equal(head_find(span_of(big, n - 1), true, &len, &e),
			 E_MORE);
	n = (size_t)snprintf(big, sizeof(big), UP);
	for (int i = 0; i < HEAD_HEADERS_MAX; i++)
		n += (size_t)snprintf(big + n, sizeof(big) - n, "X%d: 1\r\n", i);
	n += (size_t)snprintf(big + n, sizeof(big) - n, E);
	assert_int_equal(head_find(span_of(big, n), true, &len, &e), E_LIMIT);
	assert_int_equal(e.reason, REASON_TOO_MANY_UNITS);
	n = (size_t)snprintf(big, sizeof(big), UP "X: ");
	memset(big + n, 'x', sizeof(big) - n);
	assert_int_equal(head_find(span_of(big, sizeof(big)), true, &len, &e),
			 E_LIMIT);
	assert_int_equal(e.reason, REASON_TOO_LONG);
}

static void test_fields(void **state)
{
	char text[ERR_TEXT];
	struct head h;

	(void)state;
	assert_int_equal(
		judge(span_str("POST /a?b=1 HTTP/1.1\r\n" H
			       "Content-Type: text/xml; charset=utf-8\r\n"
			       "Content-Length: 42\r\n"
			       "Connection: close\r\n" E),
		      true, &h, text),
		REASON_NONE);
	assert_int_equal(h.method, HTTP_POST);
	assert_true(span_is(h.target, "/a?b=1"));
	assert_true(span_is(h.host, "m.example"));
	assert_true(span_is(h.content_type, "text/xml"));
	assert_true(h.has_length && h.length == 42 && h.close && !h.chunked);
	assert_int_equal(
		judge(span_str("HTTP/1.1 404 Not Found\r\n"
			       "Content-Encoding: gzip\r\n"
			       "Transfer-Encoding: chunked\r\n" E),
		      false, &h, text),
		REASON_NONE);
	assert_int_equal(h.status, 404);
	assert_int_equal(h.coding, CODING_GZIP);
	assert_true(h.chunked && !h.has_length && !h.request);
	assert_int_equal(
		judge(span_str("HTTP/1.1 200 OK\r\n"
			       "Content-Type: charset; charset=latin1\r\n" E),
		      false, &h, text),
		REASON_NONE);
	assert_true(span_is(h.content_type, "charset") && h.charset);
	assert_int_equal(
		judge(span_str("HTTP/1.1 200 OK\r\n"
			       "Content-Type: charset;:\r\n" E),
		      false, &h, text),
		REASON_NONE);
	assert_true(!h.charset); /* a type of that name is no parameter */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_octets),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
