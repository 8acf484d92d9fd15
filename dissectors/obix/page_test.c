/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of oBIX anywhere in a body that began as something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testkit.h"

#define S(text) {(const uint8_t *)(text), sizeof(text) - 1}

static const struct {
	const char *why;
	struct span body;
	bool found;
} rows[] = {
	{"a type", S("{\"tag\":\"obj\"}"), true},
	{"the standard's key", S("{\"val\":1,\"obix\":\"real\"}"), true},
	{"blanks around the colon", S("{\"tag\" \t\r\n : \n \"list\"}"), true},
	{"more of them than are kept",
	 S("{\"tag\"                                    :\"list\"}"), true},
	{"in numbers", S("{\"\\u0074a\\u0067\":\"\\u006f\\u0062j\"}"), true},
	{"in capital ones", S("{\"\\u006Fbix\":\"int\"}"), true},
	{"behind a value that ended", S("{\"a\":1}\n{\"tag\":\"obj\"}"), true},
	{"behind a quote in a text", S("{\"a\":\"b\\\"c\",\"tag\":\"obj\"}"), true},
	{"behind a quote too many", S("/* 5\" */ {\"tag\":\"obj\"}"), true},
	{"in a stream of events", S("data: {\"tag\":\"obj\"}\n\n"), true},
	{"in UTF-16", S("{\0\"\0t\0a\0g\0\"\0:\0\"\0o\0b\0j\0\"\0}\0"), true},
	{"in a page", S("<script>x={\"obix\":\"obj\"}</script>"), true},
	{"a key and another text", S("{\"tag\":\"object\"}"), false},
	{"a longer key", S("{\"tags\":\"obj\"}"), false},
	{"a key as a value", S("{\"a\":\"tag\",\"obj\":1}"), false},
	{"no colon", S("[\"tag\",\"obj\"]"), false},
	{"a number", S("{\"tag\":1,\"b\":\"obj\"}"), false},
	{"no quotes", S("{tag:obj}"), false},
	{"a tag of a page's own", S("<i>{\"tag\":\"list\"}</i>"), false},
	{"half an escape", S("{\"ta\\u006\":\"obj\"}"), false},
	{"nothing", S(""), false},
};

/* Behind n octets of something else, in pieces of that many. */
static bool finds(const char *front, size_t n, struct span body, size_t piece)
{
	static uint8_t all[16384];
	struct obix_page p = {0};
	struct span in;
	struct err e = {0};

	memset(all, 'x', n);
	memcpy(all, front, strlen(front) < n ? strlen(front) : n);
	memcpy(all + n, body.p, body.n);
	in = span_of(all, n + body.n);
	while (in.n) {
		struct span part = span_sub(in, 0, piece);

		if (obix_page(&p, part, &e)) {
			assert_int_equal(e.reason, REASON_NOT_XML);
			return true;
		}
		in = span_from(in, part.n);
	}
	return false;
}

static void anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t piece = 1; piece < 60; piece++) {
			if (finds("", 0, rows[i].body, piece) != rows[i].found)
				fail_msg("%s, by %zu", rows[i].why, piece);
		}
		/* Where a window ends, and far behind it; of what begins as a
		 * page only one key is looked for. */
		for (size_t n = OBIX_WINDOW - 20; n < OBIX_WINDOW + 8; n++) {
			bool page = rows[i].body.n && rows[i].body.p[0] == '<';

			if (!page && finds("{\"a\":\"", n, rows[i].body, 4096) !=
					     rows[i].found)
				fail_msg("%s, behind %zu", rows[i].why, n);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anywhere),
	};

	return cmocka_run_group_tests_name("obix page", tests, NULL, NULL);
}
