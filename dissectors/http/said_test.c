/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a head says beside its message: text that may hold anything has a room,
 * beyond it counts as a part of the body and is opaque; a query is content.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dissectors/http/fields.h"
#include "dissectors/http/testkit.h"

#define H   "Host: m\r\n" /* says 2 */
#define T10 "0123456789"
#define T50 T10 T10 T10 T10 T10
#define ASK "GET /x HTTP/1.1\r\n" H

enum { NONE = -1 };

/* body: the fact of the request or the answer; dark: octets of an opaque leaf. */
struct row {
	const char *why;
	enum dir dir;
	const char *octets;
	int body, dark;
};

static const struct row requests[] = {
	{"nothing", DIR_OUT, ASK "\r\n", 0, NONE},
	{"what has room", DIR_OUT, ASK "User-Agent: " T50 T50 T50 T50 T50
	 "abc\r\n\r\n", 0, NONE},
	{"the trace of it and an octet more", DIR_OUT, ASK "traceparent: "
	 "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"
	 "User-Agent: " T50 T50 T50 T10 T10 T10 T10 "abcdefgh\r\n\r\n", 1, 1},
	{"one octet more", DIR_OUT, ASK "User-Agent: " T50 T50 T50 T50 T50
	 "abcd\r\n\r\n", 1, 1},
	{"which is read coming in", DIR_IN, ASK "User-Agent: " T50 T50 T50 T50
	 T50 "abcd\r\n\r\n", 0, NONE},
	{"more than has room coming in", DIR_IN, ASK "User-Agent: " T50 T50 T50
	 T50 T50 T50 T50 T50 T50 T50 T50 T50 T50 T50 T50 T50 T50 T50 T50 T50
	 T50 "\r\n\r\n", 29, 29},
	{"in several", DIR_OUT, ASK "Cookie: " T50 T50 "\r\nReferer: " T50 T50
	 "\r\nAuthorization: " T50 T50 "\r\n\r\n", 49, 49},
	{"white space", DIR_OUT, ASK "Cookie: " T50 T50 T50 T50 T50
	 "\r\nAccept:     *\r\n\r\n", 4, 4},
	{"names in letters of their own", DIR_OUT, ASK "coOkIe: " T50 T50 T50
	 T50 T50 "\r\n\r\n", 3, 3},
	{"parameters of a type", DIR_OUT, "PUT /x HTTP/1.1\r\n" H
	 "Content-Type: a/b; a=" T50 T50 T50 T50 T50
	 "\r\nContent-Length: 0\r\n\r\n", 6, 6},
	{"dates", DIR_OUT, ASK "Cookie: " T50 T50 T50 T50 T10 T10 T10 T10
	 "\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n", 0,
	 NONE},
	{"dates that are none", DIR_OUT, ASK "Cookie: " T50 T50 T50 T50 T10 T10
	 T10 "\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 BST\r\n\r\n", 7,
	 7},
	{"a query", DIR_OUT, "GET /x?abc HTTP/1.1\r\n" H "\r\n", 4, 5},
	{"coming in", DIR_IN, "GET /x?abc HTTP/1.1\r\n" H "\r\n", 4, NONE},
	{"an empty one", DIR_OUT, "GET /x? HTTP/1.1\r\n" H "\r\n", 1, 2},
	{"the part of a history", DIR_OUT,
	 "GET /x?start=2026-01-01T00:00:00Z&end=2026-01-02T00%3A00%3A00Z&"
	 "limit=9 HTTP/1.1\r\n" H "\r\n", 64, NONE},
	{"and something else", DIR_OUT,
	 "GET /x?limit=9&a=b HTTP/1.1\r\n" H "\r\n", 12, 4},
	{"a time that is none", DIR_OUT,
	 "GET /x?start=abc HTTP/1.1\r\n" H "\r\n", 10, 10},
	{"a number in many digits", DIR_OUT,
	 "GET /x?limit=" T50 " HTTP/1.1\r\n" H "\r\n", 57, 57},
	{"no number of records", DIR_OUT,
	 "GET /x?limit=0.7391826450 HTTP/1.1\r\n" H "\r\n", 19, 19},
	{"with noughts in front", DIR_OUT,
	 "GET /x?limit=009 HTTP/1.1\r\n" H "\r\n", 10, 10},
	{"letters of a time that are encoded", DIR_OUT,
	 "GET /x?start=2026-01-01%5400:00:00Z HTTP/1.1\r\n" H "\r\n", 29, 29},
	{"a query beside a document", DIR_OUT,
	 "PUT /x?abc HTTP/1.1\r\n" H "Content-Length: 17\r\n\r\n"
	 "<real val='0.1'/>", 21, 5},
	{"a query beside a page", DIR_OUT,
	 "PUT /x?abc HTTP/1.1\r\n" H "Content-Length: 3\r\n\r\nabc", 7, 8},
	{"a path the long way", DIR_OUT, "GET /" T50 T50 T50 T50 T50
	 "/../x HTTP/1.1\r\n" H "\r\n", 2, 2},
	{"with slashes", DIR_OUT, "GET /x//////// HTTP/1.1\r\nCookie: " T50 T50
	 T50 T50 T50 "\r\n" H "\r\n", 7, 7},
	{"with letters encoded", DIR_OUT, "GET /%78 HTTP/1.1\r\nCookie: " T50
	 T50 T50 T50 T50 "\r\n" H "\r\n", 1, 1},
};

/* Each answers a GET that comes from the other side. */
static const struct row answers[] = {
	{"nothing", DIR_OUT, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0,
	 NONE},
	{"words of its own", DIR_OUT, "HTTP/1.1 200 " T50 T50 T50 T50 T50
	 "abcde\r\nContent-Length: 0\r\n\r\n", 1, 1},
	{"a cookie, and again", DIR_OUT, "HTTP/1.1 200 OK\r\nSet-Cookie: " T50
	 T50 T50 "\r\nSet-Cookie: " T50 T50 "\r\nServer: a\r\nETag: bc\r\n"
	 "Content-Length: 0\r\n\r\n", 3, 3},
	{"a document beside it", DIR_OUT, "HTTP/1.1 200 OK\r\nServer: " T50 T50
	 T50 T50 T50 "abcd\r\nContent-Length: 17\r\n\r\n<real val='0.1'/>", 19,
	 2},
	{"a page beside it", DIR_OUT, "HTTP/1.1 200 OK\r\nServer: " T50 T50 T50
	 T50 T50 "abcd\r\nContent-Length: 3\r\n\r\nabc", 4, 4},
	{"the number of a request", DIR_OUT, "HTTP/1.1 200 OK\r\nX-Request-Id: "
	 T50 T50 T50 T50 T50 "abcd\r\nContent-Length: 3\r\n\r\nabc", 4, 4},
	{"a page that comes in", DIR_IN, "HTTP/1.1 200 OK\r\nServer: " T50 T50
	 T50 T50 T50 "abcd\r\nContent-Length: 3\r\n\r\nabc", 3, NONE},
	{"no document that comes in has so much", DIR_IN,
	 "HTTP/1.1 200 OK\r\nServer: " T50 T50 T50 T50 T50 T50 T50 T50 T50 T50
	 T50 T50 T50 T50 T50 T50 T50 T50 T50 T50
	 "abcdefghijklmnopqrstuv\r\nContent-Length: 17\r\n\r\n"
	 "<real val='0.1'/>", 19, 2},
};

/* All that a stream of one message says. */
static bool tell(struct reader_kit *r, enum dir dir, struct span in, int *body,
		 int *dark)
{
	struct dis_ctx c = {.machine = r->m, .flow = &r->f,
			    .arena = &r->arena, .dir = dir,
			    .tup.proto = PROTO_TCP};
	struct obs_list out = {r->obs, 0, KIT_OBS};
	struct err e = {0};
	size_t len;

	if (dissector_http.frame(&c, in, &len, &e) != FRAME_UNIT ||
	    len != in.n)
		return false;
	arena_reset(&r->arena);
	if (dissector_http.dissect(&c, in, &out, &e))
		return false;
	dissector_http.settle(&c, true);
	*body = *dark = NONE;
	for (uint32_t i = 0; i < out.n; i++) {
		const struct obs *o = &out.v[i];

		if (obs_has(o, F_BODY))
			*body = (int)obs_get(o, F_BODY, 0);
		if (o->kind == OBS_OPAQUE)
			*dark = (int)obs_get(o, F_OCTETS, 0);
	}
	return true;
}

static unsigned check(const struct row *row, bool answer)
{
	unsigned bad = 0;
	struct reader_kit *r = reader_new();
	int body, dark;

	if (answer)
		assert_true(tell(r, !row->dir, span_str(ASK "\r\n"), &body,
				 &dark));
	if (!tell(r, row->dir, span_str(row->octets), &body, &dark))
		fail_msg("%s: not read", row->why);
	if (body != row->body || dark != row->dark) {
		print_error("%s: body %d, opaque %d; not %d, %d\n", row->why,
			    body, dark, row->body, row->dark);
		bad = 1;
	}
	reader_free(r);
	return bad;
}

static void of_requests(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		bad += check(&requests[i], false);
	assert_int_equal(bad, 0);
}

static void of_answers(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		bad += check(&answers[i], true);
	assert_int_equal(bad, 0);
}

/* A body of many units: the head counts once, with the first. */
static void of_streams(void **state)
{
	static char stream[20000];
	static struct telling t;
	struct reader_kit *r = reader_new();
	int n;

	(void)state;
	n = snprintf(stream, sizeof(stream),
		     "PUT /x?abc HTTP/1.1\r\n" H
		     "Content-Length: 15000\r\n\r\n%015000d", 0);
	assert_true(reader_stream(r, DIR_OUT, span_of(stream, (size_t)n), &t));
	for (int i = 0; i < KIT_OBS && r->obs[i].kind; i++) {
		if (obs_has(&r->obs[i], F_BODY))
			assert_int_equal(obs_get(&r->obs[i], F_BODY, 0), 15004);
	}
	reader_free(r);
}

/* What all units of a stream say is opaque; body: the fact of the last. */
static unsigned opaque_in(struct dis_ctx *c, struct span in, unsigned *units,
			  uint64_t *body)
{
	static struct obs obs[KIT_OBS];
	struct err e = {0};
	unsigned dark = 0;
	size_t len;

	for (*units = 0; in.n; in = span_from(in, len), ++*units) {
		struct obs_list out = {obs, 0, KIT_OBS};

		assert_int_equal(dissector_http.frame(c, in, &len, &e),
				 FRAME_UNIT);
		arena_reset(c->arena);
		assert_int_equal(dissector_http.dissect(c, span_sub(in, 0, len),
							&out, &e), 0);
		dissector_http.settle(c, true);
		for (uint32_t i = 0; i < out.n; i++) {
			if (out.v[i].kind == OBS_OPAQUE)
				dark += (unsigned)obs_get(&out.v[i], F_OCTETS,
							  0);
			*body = obs_get(&out.v[i], F_BODY, *body);
		}
	}
	return dark;
}

/* What a head says that goes in front of its body, in a capture, is told with
 * that, and once. */
static void of_heads_apart(void **state)
{
#define PUT(head, n)                                                           \
	"PUT /x?abc HTTP/1.1\r\n" H head "Content-Length: " n "\r\n\r\n"
	static const struct {
		const char *why, *stream;
		unsigned units, dark;
	} rows[] = {
		{"one unit", PUT("", "3") "123", 1, 3 + 5},
		{"two", PUT("Expect: 100-continue\r\n", "3") "123", 2, 3 + 5},
		{"two of oBIX", PUT("Expect: 100-continue\r\n", "14")
		 "<int val='7'/>", 2, 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reader_kit *r = reader_new();
		struct dis_ctx c = {.machine = r->m, .flow = &r->f,
				    .arena = &r->arena, .dir = DIR_OUT,
				    .lenient = true, .tup.proto = PROTO_TCP};
		uint64_t body = 0;
		unsigned units, dark = opaque_in(&c, span_str(rows[i].stream),
						 &units, &body);

		if (units != rows[i].units || dark != rows[i].dark)
			fail_msg("%s: %u units, %u opaque", rows[i].why, units,
				 dark);
		reader_free(r);
	}
}

/* A document in chunks of n octets: what all its units say is opaque. */
static unsigned chunked(size_t octets, size_t n, enum dir dir, uint64_t *body)
{
	static char stream[1 << 20];
	struct maker *doc = calloc(1, sizeof(*doc));
	struct reader_kit *r = reader_new();
	struct dis_ctx c = {.machine = r->m, .flow = &r->f,
			    .arena = &r->arena, .dir = dir,
			    .tup.proto = PROTO_TCP};
	unsigned units, dark;
	size_t end;

	assert_non_null(doc);
	put(doc, "<list>");
	while (doc->n + 24 < octets)
		put(doc, "<str val='x'/>");
	put(doc, "</list>");
	end = (size_t)sprintf(stream, "PUT /x HTTP/1.1\r\n" H
			      "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t i = 0; i < doc->n; i += n) {
		size_t m = doc->n - i < n ? doc->n - i : n;

		end += (size_t)sprintf(stream + end, "%zx\r\n%.*s\r\n", m,
				       (int)m, doc->text + i);
	}
	end += (size_t)sprintf(stream + end, "0\r\n\r\n");
	dark = opaque_in(&c, span_of(stream, end), &units, body);
	*body -= doc->n;
	free(doc);
	reader_free(r);
	return dark;
}

/* Chunks that are long enough say nothing; those of an octet each say that. */
static void of_chunks(void **state)
{
	uint64_t body = 1;

	(void)state;
	assert_int_equal(chunked(50000, 4096, DIR_OUT, &body), 0);
	assert_int_equal(chunked(50000, 64, DIR_OUT, &body), 0);
	assert_int_equal(chunked(200, 1, DIR_OUT, &body), 0);
	assert_int_equal(body, 0);
	/* An octet, a digit: but for the room of the head and of the body. */
	assert_in_range(chunked(2000, 1, DIR_OUT, &body), 1590, 1650);
	assert_in_range(body, 1590, 1650);
	assert_in_range(chunked(50000, 4, DIR_OUT, &body), 8900, 9400);
	assert_in_range(body, 8900, 9400);
	assert_int_equal(chunked(50000, 4, DIR_IN, &body), 0);
	assert_int_equal(body, 0);
}

/* Each row is found by its name, in the messages that it is for. */
static void all_rows(void **state)
{
	static const struct {
		const char *name;
		bool request, response;
	} rows[] = {
#define REQUESTS  true, false
#define RESPONSES false, true
#define BOTH	  true, true
#define X(name, in, times, reading) {name, in},
#include "dissectors/http/fields.def"
#undef X
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int request = 0; request < 2; request++) {
			struct head h = {.request = request};
			struct err e = {0};
			struct head_reader r = {.h = &h, .e = &e};
			char line[80];
			bool unknown;
			int rc;

			snprintf(line, sizeof(line), "%s: 1", rows[i].name);
			rc = head_field(&r, span_str(line));
			unknown = rc && (e.reason == REASON_UNKNOWN_HEADER ||
					 e.reason == REASON_OVERRIDE);
			if (unknown ==
			    (request ? rows[i].request : rows[i].response))
				fail_msg("%s", line);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_requests),
		cmocka_unit_test(of_answers),
		cmocka_unit_test(of_streams),
		cmocka_unit_test(of_heads_apart),
		cmocka_unit_test(of_chunks),
		cmocka_unit_test(all_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
