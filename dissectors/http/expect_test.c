/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that ask for leave to send their body, and answers that come before
 * it: inline, where the request waits for its body, and in captures, where it
 * did not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/http/testkit.h"

#define H    "Host: m\r\n"
#define E    "\r\n"
#define ASKS "Expect: 100-continue\r\n"
#define ASK  "PUT /a HTTP/1.1\r\n" H ASKS "Content-Length: 5\r\n" E
/* Its body is an event stream: the head is a unit of its own. */
#define ALONE \
	"PUT /a HTTP/1.1\r\n" H ASKS "Content-Type: text/event-stream\r\n" \
	"Content-Length: 5\r\n" E
#define BODY "abcde"
#define NEXT "PUT /a HTTP/1.1\r\n" H "Content-Length: 5\r\n" E "fghij"
#define GET  "GET / HTTP/1.1\r\n" H E
#define GO   "HTTP/1.1 100 Continue\r\n" E
#define OK   "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" E
#define NO   "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n" E
#define LONG \
	"PUT /a HTTP/1.1\r\n" H "Content-Type: text/event-stream\r\n" \
	"Content-Length: 6000\r\n" E
#define END  "" /* of what that end says */
#define BIG  "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n" \
	     "Content-Length: 3\r\n" E "big"

enum { CLIENT = DIR_IN, SERVER = DIR_OUT };
enum { READ = REASON_NONE, WAITS = -1 };

struct row {
	const char *why;
	struct {
		int who;
		const char *octets;
		int want; /* READ, WAITS or enum reason */
	} step[7];
};

static const struct row inline_rows[] = {
	{"it waits for its body",
	 {{CLIENT, ASK, WAITS}, {CLIENT, BODY, READ}, {SERVER, OK, READ},
	  {CLIENT, GET, READ}}},
	{"in chunks, it waits for the first octet of one",
	 {{CLIENT, "PUT /a HTTP/1.1\r\n" H ASKS
	   "Transfer-Encoding: chunked\r\n" E, WAITS},
	  {CLIENT, "5\r\n", WAITS}, {CLIENT, BODY "\r\n0\r\n\r\n", READ},
	  {SERVER, OK, READ}}},
	{"leave that is given all the same waits, too",
	 {{CLIENT, ASK, WAITS}, {SERVER, GO, WAITS}, {CLIENT, BODY, READ},
	  {SERVER, OK, READ}}},
	{"nobody was asked who could refuse it",
	 {{CLIENT, ASK, WAITS}, {SERVER, NO, REASON_INCOMPLETE}}},
	{"nor with the connection",
	 {{CLIENT, ASK, WAITS}, {SERVER, BIG, REASON_INCOMPLETE}}},
	{"nor anybody at all", {{SERVER, NO, REASON_UNPAIRED}}},
	{"nor once more",
	 {{CLIENT, GET, READ}, {SERVER, OK, READ},
	  {SERVER, NO, REASON_UNPAIRED}}},
	{"leave is given once",
	 {{CLIENT, ALONE, READ}, {SERVER, GO, READ},
	  {SERVER, GO, REASON_UNPAIRED}}},
	{"its head alone, refused; the next request could be its body",
	 {{CLIENT, ALONE, READ}, {SERVER, NO, READ},
	  {CLIENT, NEXT, REASON_TWO_READINGS}}},
	{"and the body the next request",
	 {{CLIENT, ALONE, READ}, {SERVER, NO, READ},
	  {CLIENT, BODY, REASON_TWO_READINGS}}},
	{"refused with the connection, it need not come",
	 {{CLIENT, ALONE, READ}, {SERVER, BIG, READ}, {CLIENT, END, READ}}},
	{"or was on its way",
	 {{CLIENT, ALONE, READ}, {SERVER, BIG, READ}, {CLIENT, BODY, READ},
	  {CLIENT, END, READ}}},
	{"or a part of it",
	 {{CLIENT, ALONE, READ}, {SERVER, BIG, READ}, {CLIENT, "ab", READ},
	  {CLIENT, END, READ}}},
	{"and no more than it",
	 {{CLIENT, ALONE, READ}, {SERVER, BIG, READ},
	  {CLIENT, BODY "{", REASON_MALFORMED}}},
	{"without the end of the connection it may stay away, too",
	 {{CLIENT, ALONE, READ}, {SERVER, NO, READ}, {CLIENT, END, READ}}},
	{"refused while it comes, and broken off",
	 {{CLIENT, LONG "ab",
	   READ}, {SERVER, BIG, READ}, {CLIENT, END, READ}}},
	{"broken off before that",
	 {{CLIENT, LONG "ab",
	   READ}, {CLIENT, END, REASON_INCOMPLETE}}},
	{"broken off, though the connection could go on",
	 {{CLIENT, LONG "ab",
	   READ}, {SERVER, NO, READ}, {CLIENT, END, REASON_INCOMPLETE}}},
	{"with leave the body comes, whatever is said then",
	 {{CLIENT, ALONE, READ}, {SERVER, GO, READ}, {SERVER, NO, READ},
	  {CLIENT, BODY, READ}, {CLIENT, GET, READ}, {SERVER, OK, READ}}},
	{"a body that has begun comes to its end",
	 {{CLIENT, ALONE, READ}, {CLIENT, "ab", READ}, {SERVER, NO, READ},
	  {CLIENT, "cde" GET, READ}, {SERVER, OK, READ}}},
	{"who did not ask for leave has to send it",
	 {{CLIENT, "PUT /a HTTP/1.1\r\n" H "Content-Length: 5\r\n"
	   "Content-Type: text/event-stream\r\n" E, READ},
	  {SERVER, NO, READ}, {CLIENT, BODY GET, READ}, {SERVER, OK, READ}}},
};

static const struct row capture_rows[] = {
	{"leave is given, and read when it is known what for",
	 {{CLIENT, ASK, READ}, {SERVER, GO, WAITS}, {CLIENT, BODY, READ},
	  {SERVER, OK, READ}, {CLIENT, GET, READ}}},
	{"it does not wait for it",
	 {{CLIENT, ASK BODY, READ}, {SERVER, OK, READ}, {CLIENT, GET, READ}}},
	{"refused, and asked again without",
	 {{CLIENT, ASK, READ}, {SERVER, NO, READ},
	  {CLIENT, NEXT, REASON_TWO_READINGS}}},
	{"refused, and the body sent",
	 {{CLIENT, ASK, READ}, {SERVER, NO, READ},
	  {CLIENT, BODY, REASON_TWO_READINGS}}},
	{"refused, and the chunks ended",
	 {{CLIENT, "PUT /a HTTP/1.1\r\n" H ASKS
	   "Transfer-Encoding: chunked\r\n" E, READ}, {SERVER, NO, READ},
	  {CLIENT, "0\r\n\r\n", REASON_TWO_READINGS}}},
	{"served without its body",
	 {{CLIENT, ASK, READ}, {SERVER, OK, READ},
	  {CLIENT, BODY, REASON_TWO_READINGS}}},
	{"refused, and the connection ends",
	 {{CLIENT, ASK, READ}, {SERVER, BIG, READ}, {CLIENT, END, READ}}},
	{"refused with the connection, while the body was on its way",
	 {{CLIENT, ASK, READ}, {SERVER, BIG, READ}, {CLIENT, BODY, READ},
	  {CLIENT, END, READ}}},
	{"refused for want of a name",
	 {{CLIENT, ASK, READ}, {SERVER, "HTTP/1.1 401 Unauthorized\r\n"
	   "WWW-Authenticate: Basic realm=\"m\"\r\nConnection: close\r\n"
	   "Content-Length: 0\r\n" E, READ}, {CLIENT, END, READ}}},
	{"refused in pieces",
	 {{CLIENT, ASK, READ}, {SERVER, "HTTP/1.1 413 No\r\nContent-Length: 3\r\n"
	   E, WAITS}, {SERVER, "big", READ},
	  {CLIENT, GET, REASON_TWO_READINGS}}},
	{"an answer to the request in front says nothing of it",
	 {{CLIENT, GET ASK, READ}, {SERVER, OK, READ}, {CLIENT, BODY, READ},
	  {SERVER, OK, READ}, {CLIENT, GET, READ}}},
	{"the answer to the request in front, then its own",
	 {{CLIENT, GET ASK, READ}, {SERVER, OK, READ}, {SERVER, NO, READ},
	  {CLIENT, BODY, REASON_TWO_READINGS}}},
	{"refused with leave given: the body comes",
	 {{CLIENT, ASK, READ}, {SERVER, GO NO, WAITS}, {CLIENT, BODY, READ},
	  {CLIENT, GET, READ}, {SERVER, OK, READ}}},
	{"refused once the body has begun",
	 {{CLIENT, ALONE "ab", READ}, {SERVER, NO, READ},
	  {CLIENT, "cde" GET, READ}, {SERVER, OK, READ}}},
	{"refused when too little is there to know what it is",
	 {{CLIENT, ASK "ab", WAITS}, {SERVER, NO, READ},
	  {CLIENT, "cde", REASON_TWO_READINGS}}},
};

struct side {
	uint8_t octets[512];
	size_t n;
};

/* A unit that is there is read: its reason or note; nothing: READ, and *len. */
static int read_unit_of(struct reader_kit *r, struct dis_ctx *c,
			struct span in, size_t *len)
{
	struct obs_list out = {r->obs, 0, KIT_OBS};
	struct err e = {0};
	int rc;

	switch (dissector_http.frame(c, in, len, &e)) {
	case FRAME_MORE:
	case FRAME_BETWEEN:
		return WAITS;
	case FRAME_BAD:
		return e.reason;
	default:
		break;
	}
	arena_reset(&r->arena);
	rc = dissector_http.dissect(c, span_sub(in, 0, *len), &out, &e);
	dissector_http.settle(c, rc == 0);
	if (rc)
		return e.reason;
	return (int)obs_get(&out.v[0], F_NOTE, REASON_NONE);
}

static int say(struct reader_kit *r, struct side *s, struct dis_ctx *c,
	       const char *octets)
{
	size_t n = strlen(octets), len;
	int got = READ;

	if (n == 0)
		return (int)dissector_http.leftover(c, span_of(s->octets, s->n));

	assert_true(s->n + n <= sizeof(s->octets));
	memcpy(s->octets + s->n, octets, n);
	s->n += n;
	while (s->n && got == READ) {
		got = read_unit_of(r, c, span_of(s->octets, s->n), &len);
		if (got != READ)
			break;
		s->n -= len;
		memmove(s->octets, s->octets + len, s->n);
	}
	return got;
}

static void play(const struct row *row, bool lenient)
{
	struct reader_kit *r = reader_new();
	struct side side[2] = {{.n = 0}, {.n = 0}};

	for (size_t i = 0; i < 7 && row->step[i].octets; i++) {
		struct dis_ctx c = {.machine = r->m, .flow = &r->f,
				    .arena = &r->arena, .lenient = lenient,
				    .dir = (enum dir)row->step[i].who,
				    .other_waits =
					    side[!row->step[i].who].n > 0,
				    .tup.proto = PROTO_TCP};
		int got = say(r, &side[row->step[i].who], &c,
			      row->step[i].octets);

		if (got != row->step[i].want)
			fail_msg("%s: step %zu: %s, not %s", row->why, i,
				 got < 0 ? "waits" :
					   reason_text((enum reason)got),
				 row->step[i].want < 0 ? "waits" :
				 reason_text((enum reason)row->step[i].want));
	}
	reader_free(r);
}

static void test_inline(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(inline_rows) / sizeof(*inline_rows); i++)
		play(&inline_rows[i], false);
}

static void test_capture(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(capture_rows) / sizeof(*capture_rows);
	     i++)
		play(&capture_rows[i], true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inline),
		cmocka_unit_test(test_capture),
	};

	return cmocka_run_group_tests_name("http expect", tests, NULL, NULL);
}
