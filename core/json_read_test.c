/* SPDX-License-Identifier: Apache-2.0 */
/* JSON that is read back: the grammar, look-ups, strings, numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/json_read.h"

static void grammar(void **s)
{
	static const struct {
		const char *why, *text;
		bool valid;
	} rows[] = {
		{"empty object",	     "{}",			 true },
		{"all kinds",		     "[1,-2.5e+3,\"x\",true,false,null,{}]", true},
		{"white space",		     " {\t\"a\" :\r\n1 } ",	 true },
		{"nothing",		     "",			 false},
		{"two values",		     "{} {}",			 false},
		{"comma at the end",	     "[1,]",			 false},
		{"comma at the start",	     "[,1]",			 false},
		{"key without quotes",	     "{a:1}",			 false},
		{"no colon",		     "{\"a\" 1}",		 false},
		{"leading zero",	     "01",			 false},
		{"plus",		     "+1",			 false},
		{"dot without digits",	     "1.",			 false},
		{"control in a string",	     "\"\x01\"",		 false},
		{"unknown escape",	     "\"\\x\"",			 false},
		{"short escape",	     "\"\\u12\"",		 false},
		{"open string",		     "\"abc",			 false},
		{"open array",		     "[1",			 false},
		{"too deep",
		 "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",		 false},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (json_valid(span_str(rows[i].text)) != rows[i].valid)
			fail_msg("%s", rows[i].why);
	}
}

static void look_up(void **s)
{
	struct span t = span_str("{\"a\":{\"b\":[10,{\"c\":\"d\"}]},\"n\":-7}");
	struct span list = json_get(json_get(t, "a"), "b"), v, k;
	size_t at = 0;
	int64_t n;

	(void)s;
	assert_true(json_int(json_get(t, "n"), &n));
	assert_int_equal(n, -7);
	assert_true(json_next(list, &at, &k, &v));
	assert_true(json_int(v, &n));
	assert_int_equal(n, 10);
	assert_true(json_next(list, &at, NULL, &v));
	assert_true(span_is(json_get(v, "c"), "\"d\""));
	assert_false(json_next(list, &at, NULL, &v));
	assert_int_equal(json_get(t, "b").n, 0); /* not that deep */
	assert_int_equal(json_get(list, "c").n, 0);
}

static void strings(void **s)
{
	static const struct {
		const char *why, *raw, *want;
	} rows[] = {
		{"plain",	     "\"abc\"",			"abc"		 },
		{"escapes",	     "\"\\\"\\\\\\/\\n\\u0041\"", "\"\\/\nA"	 },
		{"two octets",	     "\"\\u00e9\"",		"\xc3\xa9"	 },
		{"three",	     "\"\\u20ac\"",		"\xe2\x82\xac"	 },
		{"a pair",	     "\"\\ud83d\\ude00\"",	"\xf0\x9f\x98\x80"},
		{"half a pair",	     "\"\\ud83dx\"",		"\xef\xbf\xbdx"	 },
		{"two halves",	     "\"\\ud83d\\ud83d\"",
		 "\xef\xbf\xbd\xef\xbf\xbd"					 },
		{"not a string",     "12",			NULL		 },
		{"something behind", "\"a\" ",			NULL		 },
	};
	char buf[32];

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool ok = json_string(buf, sizeof(buf), span_str(rows[i].raw));

		if (ok != (rows[i].want != NULL) ||
		    strcmp(buf, ok ? rows[i].want : "") != 0)
			fail_msg("%s: '%s'", rows[i].why, buf);
	}
	assert_true(json_string(buf, 3, span_str("\"abc\"")));
	assert_string_equal(buf, "ab");
	assert_true(json_string(buf, 3, span_str("\"a\\u20ac\"")));
	assert_string_equal(buf, "a"); /* never half a character */
}

static void numbers(void **s)
{
	int64_t v;

	(void)s;
	assert_true(json_int(span_str("9223372036854775807"), &v));
	assert_true(v == INT64_MAX);
	assert_false(json_int(span_str("9223372036854775808"), &v));
	assert_false(json_int(span_str("1.5"), &v));
	assert_false(json_int(span_str("-"), &v));
	assert_false(json_int(span_str(""), &v));
}

/* What the writer writes, the reader reads. */
static void round_trip(void **s)
{
	uint8_t buf[2048];
	char back[512];
	uint8_t all[200];
	struct json j = json_of(buf, sizeof(buf));

	(void)s;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i + 1); /* up to 200: not UTF-8 */
	json_obj(&j, NULL);
	json_text(&j, "ascii", span_of(all, 126));
	json_text(&j, "octets", span_of(all, sizeof(all)));
	json_obj_end(&j);
	assert_true(json_line(&j));
	assert_true(json_valid(wbuf_span(&j.w)));
	assert_true(json_string(back, sizeof(back),
				json_get(wbuf_span(&j.w), "ascii")));
	assert_memory_equal(back, all, 126);
	assert_true(json_string(back, sizeof(back),
				json_get(wbuf_span(&j.w), "octets")));
	assert_int_equal(strlen(back), 127 + 2 * 73);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar),  cmocka_unit_test(look_up),
		cmocka_unit_test(strings),  cmocka_unit_test(numbers),
		cmocka_unit_test(round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
