/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/keys.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define KEY "2b7e151628aed2a6abf7158809cf4f3c"

static const struct {
	const char *why, *text;
	int want;
	const char *says; /* part of the message */
	size_t n;
	uint8_t title_n, key_id; /* of the last key */
} cases[] = {
	{"any title",              "\"*\":\n  1: " KEY "\n",                         0,        "",                  1, 0,  1  },
	{"relative title",         ".71.1001:\n  0: " KEY "\n",                      0,        "",                  1, 11, 0  },
	{"absolute title",         "1.3.6.1.4.1.99999.71.1:\n  255: " KEY "\n",      0,        "",
	 1,													    10, 255},
	{"two titles, three keys",
	 "\"*\": {1: " KEY ", 2: " KEY "}\n.71.1: {1: " KEY "}\n",                   0,        "",                  3, 10,
	 1														    },
	{"upper case",             "\"*\": {1: 2B7E151628AED2A6ABF7158809CF4F3C}\n", 0,        "",
	 1,													    0,  1  },
	{"digits only",            "\"*\": {1: 01020304050607080102030405060708}\n", 0,        "",
	 1,													    0,  1  },
	{"too short",              "\"*\": {1: 2b7e15}\n",                           E_SYNTAX, "k:1:10: not a key", 0,
	 0,														0  },
	{"too long",               "\"*\": {1: " KEY "00}\n",                        E_SYNTAX, "not a key",         0, 0,  0  },
	{"not hexadecimal",        "\"*\": {1: zz7e151628aed2a6abf7158809cf4f3c}\n",
	 E_SYNTAX,									     "not a key",         0, 0,  0  },
	{"a list",                 "\"*\": {1: [" KEY "]}\n",                        E_SYNTAX, "not a key",         0, 0,  0  },
	{"key id too large",       "\"*\": {256: " KEY "}\n",                        E_SYNTAX,
	 "not a key id",											    0, 0,  0  },
	{"key id in two forms",    "\"*\": {1: " KEY ", 01: " KEY "}\n",             E_SYNTAX,
	 "not a key id",											    0, 0,  0  },
	{"key id negative",        "\"*\": {-1: " KEY "}\n",                         E_SYNTAX, "not a key id",
	 0,													    0,  0  },
	{"no title",               "meter: {1: " KEY "}\n",                          E_SYNTAX,
	 "neither an ApTitle nor",										  0, 0,  0  },
	{"one title in two forms",
	 ".71: {1: " KEY "}\n2.16.124.113620.1.22.0.71: {1: " KEY "}\n",
	 E_SYNTAX,									     "k:2:",              0, 0,  0  },
	{"the same key id twice",  "\"*\":\n  1: " KEY "\n  1: " KEY "\n",
	 E_SYNTAX,									     "k:3:",              0, 0,  0  },
	{"no ids",                 "\"*\": " KEY "\n",                               E_SYNTAX, "expected",          0, 0,  0  },
	{"a sequence",             "- 1\n",					  E_SYNTAX, "k:1",               0, 0,  0  },
	{"empty",		  "",					       E_SYNTAX, "k:",                0, 0,  0  },
	{"not YAML",               "{",					      E_SYNTAX, "k:",                0, 0,  0  },
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct pol_keys k;
		struct err e = {0};

		print_message("# %s\n", cases[i].why);
		assert_int_equal(
			pol_parse_keys(&k, "k", span_str(cases[i].text), &e),
			cases[i].want);
		assert_int_equal(k.n, cases[i].n);
		if (cases[i].want < 0) {
			assert_null(k.v);
			assert_non_null(strstr(e.text, cases[i].says));
			/* A key is a secret, a broken one nearly. */
			assert_null(strstr(e.text, "7e1516"));
			continue;
		}
		assert_int_equal(k.v[k.n - 1].title_n, cases[i].title_n);
		assert_int_equal(k.v[k.n - 1].key_id, cases[i].key_id);
		if (strstr(cases[i].text, KEY))
			assert_memory_equal(k.v[k.n - 1].key,
					    "\x2b\x7e\x15\x16\x28\xae\xd2\xa6"
					    "\xab\xf7\x15\x88\x09\xcf\x4f\x3c",
					    16);
		pol_keys_free(&k);
		assert_null(k.v);
	}
}

static void test_too_many(void **state)
{
	static char text[64 * 1024];
	struct pol_keys k;
	struct err e = {0};
	size_t n = 0;

	(void)state;
	for (int t = 1; t <= 2; t++) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, ".%d:\n", t);
		for (int i = 0; i < 129; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
					      "  %d: " KEY "\n", i);
	}
	assert_int_equal(pol_parse_keys(&k, "k", span_of(text, n), &e),
			 E_LIMIT);
	assert_null(k.v);
}

static void test_file(void **state)
{
	struct pol_keys k;
	struct err e = {0};

	(void)state;
	assert_int_equal(pol_read_keys(&k, "/no/such/file", &e), E_IO);
	assert_non_null(strstr(e.text, "/no/such/file"));
	assert_int_equal(pol_read_keys(&k, "/", &e), E_IO);
	assert_int_equal(pol_read_keys(&k, "/dev/zero", &e), E_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
