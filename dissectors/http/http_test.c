/* SPDX-License-Identifier: Apache-2.0 */
/* Which octets are HTTP, whatever the port says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dissectors/http/testkit.h"

#define NO    RECOGNISE_NO
#define MAYBE RECOGNISE_MAYBE
#define YES   RECOGNISE_YES
#define SURE  RECOGNISE_SURE
#define LIKELY RECOGNISE_LIKELY

/* Without a head: over UDP that is not HTTP's to tell. */
static bool is_document(const char *octets)
{
	octets += strspn(octets, "\r\n");
	return *octets && strchr("<{\xef", *octets);
}

static void recognises(void **state)
{
	static const struct {
		const char *why, *octets;
		enum recognise want;
	} rows[] = {
		{"a request", "GET /obix HTTP/1.1\r\n", SURE},
		{"a response", "HTTP/1.1 200 OK\r\n", SURE},
		{"of another version", "HTTP/0.9 200 OK", LIKELY},
		{"that and no more", "HTTP/0.9 200 OK\r\n", YES},
		{"version 2", "PRI * HTTP/2.0\r\n", SURE},
		{"a method nobody knows", "BREW /pot HTTP/1.1\r\n", SURE},
		{"its URI is absolute", "BREW HTTP://pot/ HTTP/1.1\r\n", SURE},
		{"a tunnel", "CONNECT far:443 HTTP/1.1\r\n", SURE},
		{"cut in its version", "GET /x HTTP/1.", LIKELY},
		{"a log that quotes one", "GET /x HTTP/1.1\" 200 17\n", YES},
		{"and the next one", "GET /x HTTP/1.1\" 200\nGET / HTTP/1.1\r\n",
		 YES},
		{"a target with such words", "GET /x HTTP/1.1 x HTTP/1.1\n", SURE},
		{"a log that quotes an answer", "HTTP/1.1\" 200 17\n", YES},
		{"cut in a version", "HTTP/1.", LIKELY},
		{"the form without a version", "GET /x\r\n", YES},
		{"the same, cut", "GET /x", LIKELY},
		{"a lenient server takes small letters", "get /x HTTP/1.1\r\n", SURE},
		{"and empty lines in front", "\r\n\r\nGET /x HTTP/1.1\r\n", SURE},
		{"and other blanks", "POST\t \t/x HTTP/1.1\r\n", SURE},
		{"and targets of any form", "GET x HTTP/1.1\r\n", SURE},
		{"cut in the method", "DEL", MAYBE},
		{"cut behind it", "PUT", MAYBE},
		{"and its blank", "PUT ", MAYBE},
		{"cut in a status line", "HTTP", MAYBE},
		{"cut in empty lines", "\r\n", MAYBE},
		{"nothing yet", "", MAYBE},
		{"a word is no method", "hello", NO},
		{"nor is that a request", "hello world\r\n", NO},
		{"mail", "EHLO example.org\r\n", NO},
		{"a method, but longer", "GETTER x", NO},
		{"any octets", "\x16\x03\x01", NO},
		{"a C12.22 message", "\x60\x40\xa2\x0d", NO},
		{"behind many empty lines", "\n\n\n\n\n\n\nGET / HTTP/1.1\r\n", SURE},
		{"and blanks", " \t\r\n \r\n POST /x HTTP/1.1\r\n", SURE},
		{"more of them than anybody sends",
		 "                                                                ",
		 LIKELY},
		{"a proxy in front", "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", YES},
		{"cut in it", "PROX", MAYBE},
		{"an oBIX document that nothing carries",
		 "<obj href='/a' is='obix:WritePointIn'/>", LIKELY},
		{"the same behind a declaration",
		 "\r\n<?xml version='1.0'?><real val='1'/>", LIKELY},
		{"marked as XML", "<?xml version='1.0'?>\n<real val='1'/>", YES},
		{"behind its own mark", "\xef\xbb\xbf<obj/>\n", YES},
		{"with a document type", "<!DOCTYPE obj [<!ENTITY a 'b'>]><obj/>\n",
		 YES},
		{"in JSON", "{\"val\":1,\"obix\":\"real\"}\n", YES},
		{"other JSON", "{\"jsonrpc\":\"2.0\"}\n", NO},
		{"other XML", "<?xml version='1.0'?><stream:stream to='a'>", NO},
		{"cut in its root", "<?xml version='1.0'?><str", MAYBE},
		{"a long word", "abcdefghijklmnopqrstuvwxyz", NO},
		{"and a target", "abcdefghijklmnopqrstuvwxyz /", LIKELY},
		{"a method longer than any",
		 "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ-"
		 "ABCDEFGHIJKLMNOPQRSTUVWXYZ /x HTTP/1.1\r\n", SURE},
		{"a rare method", "PROPFIND /x HTTP/1.1\r\n", SURE},
		{"cut in it", "M-SEA", MAYBE},
		{"cut behind it", "REPORT", MAYBE},
		{"and its blanks", "MKCALENDAR  ", MAYBE},
		{"a word of another protocol", "UPDATE meters SET a=1\r\n", NO},
		{"its beginning and a blank", "UPDA ", NO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span in = span_str(rows[i].octets);

		if (dissector_http.recognise(in, 40000, 18080, 6) !=
		    rows[i].want)
			fail_msg("%s", rows[i].why);
		/* A datagram is all there is: nothing waits for more. */
		if (dissector_http.recognise(in, 40000, 18080, 17) !=
		    (rows[i].want == MAYBE || is_document(rows[i].octets) ? NO :
							     rows[i].want))
			fail_msg("over UDP: %s", rows[i].why);
		/* The registered port refuses what it cannot read. */
		if (dissector_http.recognise(in, 40000, 80, 6) !=
			    (rows[i].want == NO ? MAYBE : rows[i].want) ||
		    dissector_http.recognise(in, 80, 40000, 6) == NO)
			fail_msg("port 80: %s", rows[i].why);
	}
}

/* What was decided stays so: more octets never turn it round. */
static void decides_once(void **state)
{
	static const char *const whole[] = {
		"GET /obix HTTP/1.1\r\nHost: a\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"\r\noptions * HTTP/1.1\r\n",
		"PROPFIND /x HTTP/1.1\r\n",
		"220 mail.example.org ESMTP\r\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		struct span in = span_str(whole[i]);
		enum recognise end =
			dissector_http.recognise(in, 40000, 18080, 6);

		for (size_t n = 0; n < in.n; n++) {
			enum recognise r = dissector_http.recognise(
				span_sub(in, 0, n), 40000, 18080, 6);

			if (r != MAYBE && r != end &&
			    !(r == LIKELY && end == SURE))
				fail_msg("%s at %zu", whole[i], n);
		}
	}
}

/* A document that begins as something else is refused where it shows. */
static void pages(void **state)
{
	static const struct {
		const char *why, *type, *begin, *end;
		bool fine;
	} rows[] = {
		{"JSON", "application/json", "{\"a\":\"", "\",\"b\":1}", true},
		{"JSON that is oBIX", "application/json", "{\"a\":\"",
		 "\",\"tag\":\"obj\"}", false},
		{"text", "text/plain", "a ", " b", true},
		{"that goes on otherwise", "text/plain", "a ",
		 "{\"obix\":\"list\"}", false},
		{"events", "text/event-stream", "data: ", "{\"tag\":\"real\"}",
		 false},
		{"a picture", "image/png", "\x89PNG", "{\"obix\":\"int\"}",
		 false},
	};
	static char stream[20000], fill[9001];
	static struct telling t;

	(void)state;
	memset(fill, 'x', sizeof(fill) - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reader_kit *r = reader_new();
		size_t n = strlen(rows[i].begin) + strlen(fill) +
			   strlen(rows[i].end);

		snprintf(stream, sizeof(stream),
			 "PUT /x HTTP/1.1\r\nHost: m\r\nContent-Type: %s\r\n"
			 "Content-Length: %zu\r\n\r\n%s%s%s",
			 rows[i].type, n, rows[i].begin, fill, rows[i].end);
		if (reader_stream(r, DIR_OUT, span_str(stream), &t) !=
		    rows[i].fine)
			fail_msg("%s", rows[i].why);
		reader_free(r);
	}
}

/* What was framed is read as it was found; but not when its flow stands
 * otherwise, nor when other octets may lie there. */
static void read_as_found(void **state)
{
	static const char first[] = "GET /a HTTP/1.1\r\nHost: m\r\n\r\n";
	static const char other[] = "GET /b HTTP/1.1\r\nHost: m\r\n\r\n";
	struct reader_kit *r = reader_new();
	struct dis_ctx c = {.machine = r->m, .flow = &r->f,
			    .arena = &r->arena, .tup.proto = PROTO_TCP};
	struct obs_list out = {r->obs, 0, KIT_OBS};
	char buf[sizeof(first)];
	struct span unit = span_of(buf, sizeof(buf) - 1);
	struct err e = {0};
	size_t len;

	(void)state;
	memcpy(buf, first, sizeof(buf));
	assert_int_equal(dissector_http.frame(&c, unit, &len, &e), FRAME_UNIT);
	assert_int_equal(len, unit.n);
	r->f.side[c.dir].stage = SIDE_ENDED;
	assert_true(dissector_http.dissect(&c, unit, &out, &e) < 0);
	assert_int_equal(e.reason, REASON_SESSION_STATE);
	dissector_http.settle(&c, false);

	r->f.side[c.dir].stage = SIDE_HEAD;
	assert_int_equal(dissector_http.frame(&c, unit, &len, &e), FRAME_UNIT);
	for (int i = 0; i < 2; i++) {
		out.n = 0;
		assert_int_equal(dissector_http.dissect(&c, unit, &out, &e), 0);
		assert_true(span_is(obs_get_span(&r->obs[1], F_PATH),
				    i ? "/b" : "/a"));
		dissector_http.settle(&c, false);
		memcpy(buf, other, sizeof(buf));
	}
	reader_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recognises),
		cmocka_unit_test(decides_once),
		cmocka_unit_test(pages),
		cmocka_unit_test(read_as_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
