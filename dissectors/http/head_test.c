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
	{"white space around a value that nobody reads", UP "X: \t a \t\r\n" E,
	 REASON_NONE},
	{"white space behind a name", "GET /a HTTP/1.1\r\nHost: m \r\n" E,
	 REASON_TWO_READINGS},
	{"white space behind a length", "POST / HTTP/1.1\r\n" H
	 "Content-Length: 6\t\r\n" E, REASON_TWO_READINGS},
	{"white space behind a coding", "POST / HTTP/1.1\r\n" H
	 "Transfer-Encoding: chunked \r\n" E, REASON_TWO_READINGS},
	{"cookies", UP "Cookie: a=b; c=\"d\"\r\n" E, REASON_NONE},
	{"a cookie with half its quotes", UP "Cookie: a=\"\r\n" E,
	 REASON_TWO_READINGS},
	{"two headers of cookies", UP "Cookie: a=b\r\nCookie: a=c\r\n" E,
	 REASON_TWO_READINGS},
	{"expects 100 and has no body", UP "Expect: 100-continue\r\n" E,
	 REASON_TWO_READINGS},
	{"expects 100 for a body of no octets", "POST / HTTP/1.1\r\n" H
	 "Content-Length: 0\r\nExpect: 100-continue\r\n" E,
	 REASON_TWO_READINGS},
	{"a header that is not known", UP "X-Thing: 1\r\n" E, REASON_NONE},
	{"expects 100", "POST /a HTTP/1.1\r\n" H
	 "Content-Length: 3\r\nExpect: 100-continue\r\n" E, REASON_NONE},

	/* lengths: RFC 9112 6.1 to 6.3 */
	{"both lengths (CL.TE)", "POST / HTTP/1.1\r\n" H
	 "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n" E,
	 REASON_TWO_READINGS},
	{"both lengths (TE.CL)", "POST / HTTP/1.1\r\n" H
	 "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n" E,
	 REASON_TWO_READINGS},
	{"two lengths", "POST / HTTP/1.1\r\n" H
	 "Content-Length: 6\r\nContent-Length: 5\r\n" E, REASON_TWO_READINGS},
	{"the same length twice", "POST / HTTP/1.1\r\n" H
	 "Content-Length: 6\r\nContent-Length: 6\r\n" E, REASON_TWO_READINGS},
	{"a list of lengths", "POST / HTTP/1.1\r\n" H
	 "Content-Length: 6, 6\r\n" E, REASON_TWO_READINGS},
	{"a length with a sign", "POST / HTTP/1.1\r\n" H
	 "Content-Length: +6\r\n" E, REASON_TWO_READINGS},
	{"a negative length", "POST / HTTP/1.1\r\n" H
	 "Content-Length: -1\r\n" E, REASON_TWO_READINGS},
	{"a length in hexadecimal", "POST / HTTP/1.1\r\n" H
	 "Content-Length: 0x10\r\n" E, REASON_TWO_READINGS},
	{"a length with a space in it", "POST / HTTP/1.1\r\n" H
	 "Content-Length: 1 0\r\n" E, REASON_TWO_READINGS},
	{"no digits", "POST / HTTP/1.1\r\n" H "Content-Length:\r\n" E,
	 REASON_TWO_READINGS},
	{"a length of more than 64 bits", "POST / HTTP/1.1\r\n" H
	 "Content-Length: 18446744073709551622\r\n" E, REASON_TWO_READINGS},
	{"an underscore for the dash", "POST / HTTP/1.1\r\n" H
	 "Content_Length: 6\r\nContent-Length: 5\r\n" E, REASON_TWO_READINGS},
	{"a length on GET", "GET / HTTP/1.1\r\n" H "Content-Length: 6\r\n" E,
	 REASON_TWO_READINGS},
	{"chunks on GET", "GET / HTTP/1.1\r\n" H
	 "Transfer-Encoding: chunked\r\n" E, REASON_TWO_READINGS},

	/* transfer codings */
	{"a coding before chunked", "POST / HTTP/1.1\r\n" H
	 "Transfer-Encoding: gzip, chunked\r\n" E, REASON_TWO_READINGS},
	{"chunked twice", "POST / HTTP/1.1\r\n" H
	 "Transfer-Encoding: chunked, chunked\r\n" E, REASON_TWO_READINGS},
	{"two headers of codings", "POST / HTTP/1.1\r\n" H
	 "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" E,
	 REASON_TWO_READINGS},
	{"identity", "POST / HTTP/1.1\r\n" H
	 "Transfer-Encoding: identity\r\n" E, REASON_TWO_READINGS},
	{"xchunked", "POST / HTTP/1.1\r\n" H
	 "Transfer-Encoding: xchunked\r\n" E, REASON_TWO_READINGS},
	{"chunked with a parameter", "POST / HTTP/1.1\r\n" H
	 "Transfer-Encoding: chunked;q=1\r\n" E, REASON_TWO_READINGS},
	{"chunked behind a vertical tab", "POST / HTTP/1.1\r\n" H
	 "Transfer-Encoding: \vchunked\r\n" E, REASON_MALFORMED},
	{"an empty coding", "POST / HTTP/1.1\r\n" H
	 "Transfer-Encoding:\r\n" E, REASON_TWO_READINGS},
	{"trailers announced", "POST / HTTP/1.1\r\n" H
	 "Transfer-Encoding: chunked\r\nTrailer: X\r\n" E,
	 REASON_TWO_READINGS},

	/* lines: 2.2, 5.1, 5.2 */
	{"LF alone", "GET / HTTP/1.1\n" H E, REASON_TWO_READINGS},
	{"LF alone in a header", UP "X: 1\nY: 2\r\n" E, REASON_TWO_READINGS},
	{"CR alone", UP "X: 1\rY: 2\r\n" E, REASON_TWO_READINGS},
	{"CR CR LF", UP "X: 1\r\r\n" E, REASON_TWO_READINGS},
	{"an empty line in front", E "GET / HTTP/1.1\r\n" H E,
	 REASON_TWO_READINGS},
	{"a folded header", UP "X: 1\r\n 2\r\n" E, REASON_TWO_READINGS},
	{"folded with a tab", UP "X: 1\r\n\t2\r\n" E, REASON_TWO_READINGS},
	{"a first header that is folded", "GET / HTTP/1.1\r\n " H E,
	 REASON_TWO_READINGS},
	{"a space before the colon", "GET / HTTP/1.1\r\nHost : m\r\n" E,
	 REASON_TWO_READINGS},
	{"a tab before the colon", "GET / HTTP/1.1\r\nHost\t: m\r\n" E,
	 REASON_TWO_READINGS},
	{"no colon", UP "X\r\n" E, REASON_MALFORMED},
	{"no name", UP ": 1\r\n" E, REASON_MALFORMED},
	{"a space in a name", UP "X Y: 1\r\n" E, REASON_MALFORMED},
	{"a control octet in a value", UP "X: a\x01" "b\r\n" E,
	 REASON_MALFORMED},
	{"DEL in a value", UP "X: a\x7f\r\n" E, REASON_MALFORMED},

	/* Host: 3.2 */
	{"no Host", "GET / HTTP/1.1\r\n" E, REASON_TWO_READINGS},
	{"two Hosts", UP H E, REASON_TWO_READINGS},
	{"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n" E,
	 REASON_TWO_READINGS},

	/* the request line: 3 */
	{"absolute form", "GET http://m.example/ HTTP/1.1\r\n" H E,
	 REASON_TWO_READINGS},
	{"authority form", "GET m.example:80 HTTP/1.1\r\n" H E,
	 REASON_TWO_READINGS},
	{"an asterisk", "GET * HTTP/1.1\r\n" H E, REASON_TWO_READINGS},
	{"two spaces", "GET  / HTTP/1.1\r\n" H E, REASON_MALFORMED},
	{"a tab", "GET\t/ HTTP/1.1\r\n" H E, REASON_HTTP_METHOD},
	{"a space at the end", "GET / HTTP/1.1 \r\n" H E, REASON_MALFORMED},
	{"a space in the target", "GET /a b HTTP/1.1\r\n" H E,
	 REASON_MALFORMED},
	{"HTTP/0.9", "GET /\r\n" E, REASON_MALFORMED},
	{"HTTP/1.0", "GET / HTTP/1.0\r\n" H E, REASON_LEGACY},
	{"HTTP/1.2", "GET / HTTP/1.2\r\n" H E, REASON_MALFORMED},
	{"HTTP/01.1", "GET / HTTP/01.1\r\n" H E, REASON_MALFORMED},
	{"small letters", "get / HTTP/1.1\r\n" H E, REASON_HTTP_METHOD},
	{"a method that is not read", "PATCH / HTTP/1.1\r\n" H E,
	 REASON_HTTP_METHOD},
	{"TRACE", "TRACE / HTTP/1.1\r\n" H E, REASON_HTTP_METHOD},

	/* other ways on the same connection */
	{"CONNECT", "CONNECT m.example:443 HTTP/1.1\r\n" H E, REASON_TUNNEL},
	{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n" E, REASON_HTTP2},
	{"h2c", UP "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
	 "HTTP2-Settings: AAMAAABk\r\n" E, REASON_HTTP2},
	{"a WebSocket as browsers ask", UP "Connection: Upgrade\r\n"
	 "Upgrade: websocket\r\n" E, REASON_WEBSOCKET},
	{"an upgrade to nothing", UP "Connection: Upgrade\r\n" E,
	 REASON_UPGRADE},
	{"Upgrade: h2c alone", UP "Upgrade: h2c\r\n" E, REASON_HTTP2},
	{"settings of HTTP/2 alone", UP "HTTP2-Settings: AA\r\n" E,
	 REASON_HTTP2},
	{"a WebSocket", UP "Upgrade: websocket\r\n" E, REASON_WEBSOCKET},
	{"its key alone", UP "Sec-WebSocket-Key: x\r\n" E, REASON_WEBSOCKET},
	{"another upgrade", UP "Upgrade: TLS/1.0\r\n" E, REASON_UPGRADE},
	{"a connection header that names a length", UP
	 "Connection: Content-Length\r\n" E, REASON_TWO_READINGS},
	{"another method in a header", UP "X-HTTP-Method-Override: PUT\r\n" E,
	 REASON_OVERRIDE},
	{"another method, another header", UP "X-Method-Override: PUT\r\n" E,
	 REASON_OVERRIDE},
	{"another path in a header", UP "X-Original-URL: /b\r\n" E,
	 REASON_OVERRIDE},
	{"another path, another header", UP "X-Rewrite-URL: /b\r\n" E,
	 REASON_OVERRIDE},
	{"a range", UP "Range: bytes=0-3\r\n" E, REASON_PARTIAL},
	{"a coding that is not read", "POST / HTTP/1.1\r\n" H
	 "Content-Length: 3\r\nContent-Encoding: br\r\n" E, REASON_ENCODING},
	{"two codings", "POST / HTTP/1.1\r\n" H
	 "Content-Length: 3\r\nContent-Encoding: gzip, gzip\r\n" E,
	 REASON_ENCODING},
};

static const struct {
	const char *why, *text;
	enum reason want;
} responses[] = {
	{"plain", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" E, REASON_NONE},
	{"no words behind the status", "HTTP/1.1 204 \r\n" E, REASON_NONE},
	{"HTTP/1.0", "HTTP/1.0 200 OK\r\n" E, REASON_NONE},
	{"HTTP/1.0 in chunks",
	 "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" E,
	 REASON_TWO_READINGS},
	{"both lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
	 "Transfer-Encoding: chunked\r\n" E, REASON_TWO_READINGS},
	{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
	 "Content-Length: 4\r\n" E, REASON_TWO_READINGS},
	{"switches", "HTTP/1.1 101 Switching Protocols\r\n" E, REASON_UPGRADE},
	{"another interim answer", "HTTP/1.1 103 Early Hints\r\n" E,
	 REASON_SUSPICIOUS},
	{"a part of a document", "HTTP/1.1 206 Partial Content\r\n"
	 "Content-Length: 3\r\n" E, REASON_PARTIAL},
	{"205 that says it is empty",
	 "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n" E,
	 REASON_NONE},
	{"205 that does not", "HTTP/1.1 205 Reset Content\r\n" E,
	 REASON_TWO_READINGS},
	{"a status of two digits", "HTTP/1.1 20 OK\r\n" E, REASON_MALFORMED},
	{"a status of four", "HTTP/1.1 2000 OK\r\n" E, REASON_MALFORMED},
	{"a status below 100", "HTTP/1.1 099 X\r\n" E, REASON_MALFORMED},
	{"HTTP/2", "HTTP/2.0 200 OK\r\n" E, REASON_MALFORMED},
	{"LF alone", "HTTP/1.1 200 OK\n\n", REASON_TWO_READINGS},
	{"a coding that is not read", "HTTP/1.1 200 OK\r\n"
	 "Content-Length: 3\r\nContent-Encoding: br\r\n" E, REASON_ENCODING},
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
