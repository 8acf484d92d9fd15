/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/http/uri.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <string.h>

/* out: the normal form; NULL: there is none. */
static const struct {
	const char *why, *in, *out, *query;
} rows[] = {
	{"as it is", "/obix/meter/", "/obix/meter/", NULL},
	{"the root", "/", "/", NULL},
	{"a query stays as it stands", "/a?b=%2f&c", "/a", "b=%2f&c"},
	{"an empty query", "/a?", "/a", ""},
	{"an unreserved character in escapes", "/%64evice", "/device", NULL},
	{"a tilde in escapes", "/%7Eu", "/~u", NULL},
	{"a space in escapes", "/a%20b", "/a%20b", NULL},
	{"two octets beyond ASCII", "/%c3%a9", "/%C3%A9", NULL},
	{"the same, not escaped", "/\xc3\xa9", "/%C3%A9", NULL},
	{"here", "/a/./b", "/a/b", NULL},
	{"up", "/a/../b", "/b", NULL},
	{"here, in escapes", "/a/%2e/b", "/a/b", NULL},
	{"up, in escapes", "/a/%2e%2E/b", "/b", NULL},
	{"up at the end", "/a/b/..", "/a/", NULL},
	{"two slashes", "/a//b", "/a/b", NULL},
	{"many slashes in front", "/a////", "/a/", NULL},
	{"with scheme and host", "http://m.example:80/a", "/a", NULL},
	{"case matters", "/A", "/A", NULL},

	{"above the root", "/..", NULL, NULL},
	{"above the root, in escapes", "/%2e%2e/a", NULL, NULL},
	{"down and further up", "/a/../../b", NULL, NULL},
	{"a slash in escapes", "/a%2fb", NULL, NULL},
	{"a backslash in escapes", "/a%5cb", NULL, NULL},
	{"a backslash", "/a\\b", NULL, NULL},
	{"NUL in escapes", "/a%00", NULL, NULL},
	{"a second layer", "/%2564evice", NULL, NULL},
	{"one digit", "/a%2", NULL, NULL},
	{"no digits", "/a%zz", NULL, NULL},
	{"a percent sign alone", "/a%", NULL, NULL},
	{"a line feed in escapes", "/a%0a", NULL, NULL},
	{"DEL in escapes", "/a%7f", NULL, NULL},
	{"parameters", "/a;x/b", NULL, NULL},
	{"an overlong slash", "/%c0%af", NULL, NULL},
	{"a surrogate", "/%ed%a0%80", NULL, NULL},
	{"half a character", "/%c3", NULL, NULL},
	{"an octet that begins none", "/\xff", NULL, NULL},
	{"a space", "/a b", NULL, NULL},
	{"nothing", "", NULL, NULL},
	{"a relative one", "a/b", NULL, NULL},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t buf[3 * URI_MAX];
		struct wbuf w = wbuf_of(buf, sizeof(buf));
		struct err e = {0};
		struct uri u;
		int rc = uri_read(span_str(rows[i].in), &w, &u, &e);

		if ((rc == 0) != (rows[i].out != NULL))
			fail_msg("%s: %d %s", rows[i].why, rc, e.text);
		if (rc) {
			assert_int_not_equal(e.reason, 0);
			continue;
		}
		if (!span_is(u.path, rows[i].out))
			fail_msg("%s: %.*s", rows[i].why, (int)u.path.n,
				 (const char *)u.path.p);
		if (rows[i].query)
			assert_true(span_is(u.query, rows[i].query));
		else
			assert_null(u.query.p);
	}
}

/* What is normal already stays. */
static void test_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t buf[3 * URI_MAX];
		struct wbuf w = wbuf_of(buf, sizeof(buf));
		struct err e = {0};
		struct uri u;

		if (!rows[i].out)
			continue;
		assert_int_equal(
			uri_read(span_str(rows[i].out), &w, &u, &e), 0);
		assert_true(span_is(u.path, rows[i].out));
	}
}

static void test_identity(void **state)
{
	(void)state;
	assert_true(span_is(uri_identity(span_str("/a/")), "/a"));
	assert_true(span_is(uri_identity(span_str("/a")), "/a"));
	assert_true(span_is(uri_identity(span_str("/")), "/"));
}

static void test_hosts(void **state)
{
	static const struct {
		const char *in, *out;
	} hosts[] = {
		{"m.example", "m.example"},
		{"M.Example:80", "m.example"},
		{"10.0.0.1:8080", "10.0.0.1"},
		{"u@m.example", NULL},
		{"", NULL},
		{":80", NULL},
		{"m.example:x", NULL},
		{"m.example.", "m.example"},
		{"m.example.:80", "m.example"},
		{".", NULL},
		{"a..b", NULL},
		{"a:65535", "a"},
		{"a:65536", NULL},
		{"[::1]:80", "::1"},
		{"[::ffff:1.2.3.4]", "::ffff:1.2.3.4"},
		{"[v1.x]", NULL},
		{"m.example:80:81", NULL},
		{"m example", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(hosts) / sizeof(*hosts); i++) {
		uint8_t buf[256];
		struct wbuf w = wbuf_of(buf, sizeof(buf));
		struct err e = {0};
		struct span host;
		int rc = uri_host(span_str(hosts[i].in), &w, &host, &e);

		if ((rc == 0) != (hosts[i].out != NULL))
			fail_msg("%s: %d", hosts[i].in, rc);
		if (rc == 0)
			assert_true(span_is(host, hosts[i].out));
	}
}

/* What uri_is_normal lets pass is what uri_read makes of it: all texts of six
 * such octets. */
static void test_normal(void **state)
{
	static const uint8_t of[] = "/.a:%;?#\x80";
	size_t base = sizeof(of) - 1, all = base * base * base * base * base *
					    base, normal = 0;

	(void)state;
	for (size_t i = 0; i < all; i++) {
		uint8_t text[7] = {'/'}, buf[64];
		struct wbuf w = wbuf_of(buf, sizeof(buf));
		struct span in = span_of(text, 0);
		struct uri u;
		struct err e = {0};

		for (size_t k = i; k; k /= base)
			text[++in.n] = of[k % base];
		if (!uri_is_normal(in))
			continue;
		normal++;
		assert_int_equal(uri_read(in, &w, &u, &e), 0);
		assert_true(span_eq(u.path, in));
		assert_true(!u.query.p && !u.absolute && !u.fragment);
	}
	assert_true(normal > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_normal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
