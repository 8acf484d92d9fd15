/* SPDX-License-Identifier: Apache-2.0 */
/* What is written for people and programs: JSON, errors, log, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base64.h"
#include "core/err.h"
#include "core/event.h"
#include "core/json.h"
#include "core/log.h"
#include "core/obs.h"

static void json_escapes(void **s)
{
	static const struct {
		const char *why, *in, *want;
	} rows[] = {
		{"plain", "abc", "\"abc\""},
		{"quote and backslash", "a\"\\", "\"a\\\"\\\\\""},
		{"controls", "\x01\n\x7f", "\"\\u0001\\n\\u007f\""},
		{"utf-8 passes", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		 "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"overlong", "\xc0\xaf", "\"\\u00c0\\u00af\""},
		{"overlong, three octets", "\xe0\x80\xaf",
		 "\"\\u00e0\\u0080\\u00af\""},
		{"surrogate", "\xed\xa0\x80", "\"\\u00ed\\u00a0\\u0080\""},
		{"beyond the last", "\xf4\x90\x80\x80",
		 "\"\\u00f4\\u0090\\u0080\\u0080\""},
		{"cut short", "\xe2\x82", "\"\\u00e2\\u0082\""},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char buf[128] = {0};
		struct json j = json_of(buf, sizeof(buf) - 1);

		json_str(&j, NULL, rows[i].in);
		print_message("%s\n", rows[i].why);
		assert_string_equal(buf, rows[i].want);
	}
}

static void json_nests_and_keeps_order(void **s)
{
	char buf[256] = {0};
	struct json j = json_of(buf, sizeof(buf) - 1);

	(void)s;
	json_obj(&j, NULL);
	json_u64(&j, "b", UINT64_MAX);
	json_i64(&j, "a", INT64_MIN);
	json_arr(&j, "l");
	json_bool(&j, NULL, true);
	json_null(&j, NULL);
	json_obj(&j, NULL);
	json_obj_end(&j);
	json_arr_end(&j);
	json_hex(&j, "h", span_str("\x01\xfe"));
	json_obj_end(&j);
	assert_true(json_line(&j));
	assert_string_equal(buf, "{\"b\":18446744073709551615,"
				 "\"a\":-9223372036854775808,"
				 "\"l\":[true,null,{}],\"h\":\"01fe\"}\n");
}

static void json_that_does_not_fit_says_so(void **s)
{
	char buf[8];
	struct json j = json_of(buf, sizeof(buf));

	(void)s;
	json_obj(&j, NULL);
	json_str(&j, "key", "value");
	json_obj_end(&j);
	assert_false(json_line(&j));
}

static void errors_are_built_outward(void **s)
{
	struct err e = {0};

	(void)s;
	assert_int_equal(err_set(&e, E_SYNTAX, 7, "bad %s", "length"),
			 E_SYNTAX);
	assert_int_equal(err_wrap(&e, "loading %s", "x"), E_SYNTAX);
	assert_string_equal(e.text, "loading x: bad length");
	assert_int_equal(e.off, 7);
	assert_int_equal(err_set(NULL, E_IO, 0, "nobody listens"), E_IO);
	assert_string_equal(err_name(E_INTEGRITY), "integrity");
	assert_string_equal(err_name(-99), "unknown");
}

static void a_peer_cannot_forge_a_log_line(void **s)
{
	char buf[32];

	(void)s;
	assert_string_equal(log_escape(buf, sizeof(buf), span_str("a\nb\\")),
			    "a\\x0ab\\x5c");
	log_escape(buf, 12, span_str("abcdefghijklmnop"));
	assert_string_equal(buf, "abcdefgh...");
	log_escape(buf, 1, span_str("abc"));
	assert_string_equal(buf, "");
}

static void a_peer_cannot_flood_the_log(void **s)
{
	struct log_limit l = {0};
	struct mono t = {1};
	uint32_t missed = 9, n = 0;

	(void)s;
	for (int i = 0; i < 100; i++)
		n += log_allow(&l, t, 3, NS_PER_S, &missed);
	assert_int_equal(n, 3);
	assert_true(log_allow(&l, mono_add(t, NS_PER_S), 3, NS_PER_S, &missed));
	assert_int_equal(missed, 97);
}

static void object_identifiers_read_and_write(void **s)
{
	static const struct {
		const char *why, *text;
		int want; /* octets, or an errcode */
	} rows[] = {
		{"the C12.22 branch", "2.16.124.113620.1.22.0", 8},
		{"enterprise", "1.3.6.1.4.1.33507", 8},
		{"second over 39 under 2", "2.999", 2},
		{"one number", "2", E_SYNTAX},
		{"empty", "", E_SYNTAX},
		{"dot at the end", "1.2.", E_SYNTAX},
		{"two dots", "1..2", E_SYNTAX},
		{"first over 2", "3.1", E_SYNTAX},
		{"second over 39", "1.40", E_SYNTAX},
		{"not a number", "1.2.x", E_SYNTAX},
		{"no room", "1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18",
		 E_LIMIT},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t oid[16];
		char text[OID_TEXT];
		int n = oid_parse(span_str(rows[i].text), oid, sizeof(oid));

		print_message("%s\n", rows[i].why);
		assert_int_equal(n, rows[i].want);
		if (n < 0)
			continue;
		oid_text(text, sizeof(text), span_of(oid, (size_t)n));
		assert_string_equal(text, rows[i].text);
	}
}

static void bad_object_identifiers_show_as_such(void **s)
{
	char text[OID_TEXT];

	(void)s;
	oid_text(text, sizeof(text), span_of("\x60\x80\x01", 3));
	assert_string_equal(text, "?");
	oid_text(text, sizeof(text), span_of("\x60\x87", 2));
	assert_string_equal(text, "?");
}

static void names_are_unique(void **s)
{
	(void)s;
	for (int i = 0; i < OBS_COUNT; i++)
		assert_int_equal(obs_find(span_str(obs_name((enum obs_kind)i))),
				 i);
	for (int i = 0; i < FIELD_COUNT; i++)
		assert_int_equal(
			field_find(span_str(field_name((enum field)i))), i);
	for (unsigned i = 1; i < REASON_COUNT; i++)
		assert_int_equal(
			reason_find(span_str(reason_text((enum reason)i))), i);
	for (unsigned i = 0; i < MEAS_COUNT; i++)
		assert_int_equal(meas_parse(span_str(meas_name((enum meas)i))),
				 MEAS_BIT(i));
}

/* "energy.*, power.peak" */
static meas_set as_written(struct span rest)
{
	meas_set s = 0;

	while (rest.n) {
		const uint8_t *comma = memchr(rest.p, ',', rest.n);
		size_t n = comma ? (size_t)(comma - rest.p) : rest.n;
		meas_set one = meas_parse(span_sub(rest, 0, n));

		assert_int_not_equal(one, 0);
		s |= one;
		rest = span_from(rest, comma ? n + 2 : n);
	}
	return s;
}

static void families_are_prefixes(void **s)
{
	char buf[MEAS_TEXT];

	(void)s;
	assert_int_equal(meas_parse(span_str("signal.*")),
			 MEAS_BIT(MEAS_SIGNAL_WAVEFORM) |
				 MEAS_BIT(MEAS_SIGNAL_SPECTRUM));
	assert_int_equal(meas_parse(span_str("*")), MEAS_ALL);
	assert_int_equal(meas_parse(span_str("ener.*")), 0);
	assert_int_equal(meas_parse(span_str(".*")), 0);
	assert_int_equal(meas_parse(span_str("")), 0);
	assert_int_equal(meas_use(), as_written(span_str(MEAS_USE)));
	meas_text(buf, sizeof(buf),
		  MEAS_BIT(MEAS_POWER_PEAK) | MEAS_BIT(MEAS_ENERGY_TOU));
	assert_string_equal(buf, "energy.tou+power.peak");
	meas_text(buf, sizeof(buf), MEAS_ALL);
	assert_non_null(strstr(buf, "procedure")); /* all of them fit */
}

static void a_fact_that_does_not_fit_is_seen(void **s)
{
	static struct obs v[1];
	struct obs_list l = {v, 0, 1};
	struct obs *o = obs_add(&l, OBS_OPAQUE);

	(void)s;
	assert_null(obs_add(&l, OBS_OPAQUE));
	assert_int_equal(obs_get(o, F_OCTETS, 42), 42);
	for (unsigned i = 0; i < OBS_MAX_FACTS + 2; i++)
		obs_u64(o, F_OCTETS, i);
	assert_int_equal(o->dropped, 2);
	assert_int_equal(obs_get(o, F_OCTETS, 42), 0);
	assert_false(obs_has(o, F_TABLE));
}

static void addresses_show(void **s)
{
	char t[NET_ADDR_TEXT];
	struct net_addr a = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 20,
			      0, 1}};
	struct net_addr b = {{0xfd, 0, [15] = 2}};

	(void)s;
	assert_string_equal(net_addr_text(t, &a), "10.20.0.1");
	assert_string_equal(net_addr_text(t, &b), "fd00::2");
}

/* RFC 4648 section 10, and what is not its one text. */
static void base64_has_one_text(void **s)
{
	static const struct {
		const char *octets, *text;
	} rows[] = {
		{"", ""},	      {"f", "Zg=="},	     {"fo", "Zm8="},
		{"foo", "Zm9v"},      {"foob", "Zm9vYg=="},  {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}, {"\xff\xfe\xfb", "//77"},
		{NULL, "Zg="},	      {NULL, "Zg"},	     {NULL, "Z"},
		{NULL, "Zh=="},	      {NULL, "Zm9="},	     {NULL, "Zg==Zg=="},
		{NULL, "===="},	      {NULL, "Z==="},	     {NULL, "Zm9v\n"},
		{NULL, "Zm 9"},	      {NULL, "Zm9-"},	     {NULL, "Z=9v"},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[16];
		struct wbuf w = wbuf_of(buf, sizeof(buf));
		bool ok = base64_get(&w, span_str(rows[i].text));

		if (ok != (rows[i].octets != NULL))
			fail_msg("%s", rows[i].text);
		if (!ok)
			continue;
		assert_true(span_is(wbuf_span(&w), rows[i].octets));
		w = wbuf_of(buf, sizeof(buf));
		base64_put(&w, span_str(rows[i].octets));
		assert_true(span_is(wbuf_span(&w), rows[i].text));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_escapes),
		cmocka_unit_test(base64_has_one_text),
		cmocka_unit_test(json_nests_and_keeps_order),
		cmocka_unit_test(json_that_does_not_fit_says_so),
		cmocka_unit_test(errors_are_built_outward),
		cmocka_unit_test(a_peer_cannot_forge_a_log_line),
		cmocka_unit_test(a_peer_cannot_flood_the_log),
		cmocka_unit_test(object_identifiers_read_and_write),
		cmocka_unit_test(bad_object_identifiers_show_as_such),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(families_are_prefixes),
		cmocka_unit_test(a_fact_that_does_not_fit_is_seen),
		cmocka_unit_test(addresses_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
