/* SPDX-License-Identifier: Apache-2.0 */
/* Time, keyed hash and checksum. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/crc32c.h"
#include "core/err.h"
#include "core/siphash.h"

static void dates_go_both_ways(void **s)
{
	(void)s;
	for (int64_t d = -800000; d < 800000; d += 13) {
		int64_t t = d * 86400 + 12345;
		struct civil c = civil_of(t);

		assert_int_equal(civil_to_s(&c), t);
	}
	assert_int_equal(civil_days(1970, 1, 1), 0);
	assert_int_equal(civil_days(2000, 3, 1), 11017);
	assert_int_equal(civil_of(0).weekday, 3);
	/* 2026-11-25 is a Wednesday. */
	assert_int_equal(civil_of(civil_days(2026, 11, 25) * 86400).weekday, 2);
	assert_int_equal(civil_of(-1).year, 1969);
	assert_int_equal(civil_of(-1).second, 59);
}

static void time_stamps_parse(void **s)
{
	static const struct {
		const char *why, *in;
		int want;
		int64_t us;
	} rows[] = {
		{"utc", "1970-01-02T00:00:00Z", 0, 86400 * US_PER_S},
		{"offset", "1970-01-01T01:00:00+01:00", 0, 0},
		{"negative offset", "1970-01-01T00:00:00-00:30", 0,
		 1800 * US_PER_S},
		{"fraction", "1970-01-01T00:00:01.5Z", 0, 1500000},
		{"without seconds", "1970-01-01T00:01Z", 0, 60 * US_PER_S},
		{"leap day", "2024-02-29T00:00:00Z", 0,
		 INT64_C(1709164800) * US_PER_S},
		{"no leap day", "2023-02-29T00:00:00Z", E_SYNTAX, 0},
		{"no offset", "1970-01-01T00:00:00", E_SYNTAX, 0},
		{"month 13", "1970-13-01T00:00:00Z", E_SYNTAX, 0},
		{"hour 24", "1970-01-01T24:00:00Z", E_SYNTAX, 0},
		{"trailing", "1970-01-01T00:00:00Zx", E_SYNTAX, 0},
		{"empty", "", E_SYNTAX, 0},
		{"dot without digits", "1970-01-01T00:00:00.Z", E_SYNTAX, 0},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wall w = {0};

		print_message("%s\n", rows[i].why);
		assert_int_equal(clock_parse(rows[i].in, &w), rows[i].want);
		assert_int_equal(w.us, rows[i].us);
	}
}

static void time_stamps_show_as_eve_writes_them(void **s)
{
	char buf[CLOCK_TEXT];

	(void)s;
	assert_string_equal(
		clock_eve(buf, (struct wall){.us = INT64_C(1700000000123456)}),
		"2023-11-14T22:13:20.123456+0000");
	assert_string_equal(clock_eve(buf, (struct wall){0}),
			    "1970-01-01T00:00:00.000000+0000");
}

/* The reference vectors: key 00..0f, message 00, 01, .. of length n. */
static void siphash_vectors(void **s)
{
	static const struct sipkey key = {UINT64_C(0x0706050403020100),
					  UINT64_C(0x0f0e0d0c0b0a0908)};
	static const struct {
		size_t n;
		uint64_t want;
	} rows[] = {
		{0,  UINT64_C(0x726fdb47dd0e0e31)},
		{1,  UINT64_C(0x74f839c593dc67fd)},
		{8,  UINT64_C(0x93f5f5799a932462)},
		{15, UINT64_C(0xa129ca6149be45e5)},
	};
	uint8_t m[16];

	(void)s;
	for (size_t i = 0; i < sizeof(m); i++)
		m[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(siphash24(&key, span_of(m, rows[i].n)),
				 rows[i].want);
	/* SipHash-2-4-128 of the empty message: a3817f04ba25a8e6
	 * 6df67214c7550293 as octets. */
	assert_int_equal(siphash128(&key, (struct span){0}).lo,
			 UINT64_C(0xe6a825ba047f81a3));
	assert_int_equal(siphash128(&key, (struct span){0}).hi,
			 UINT64_C(0x930255c71472f66d));
}

static void crc32c_vectors(void **s)
{
	static const uint8_t zeros[32];

	(void)s;
	assert_int_equal(crc32c(0, span_str("123456789")), 0xe3069283);
	assert_int_equal(crc32c(0, span_of(zeros, 32)), 0x8a9136aa);
	assert_int_equal(crc32c(crc32c(0, span_str("1234")), span_str("56789")),
			 0xe3069283);
}

/* Of any length and from any place: the words of eight octets are not all. */
static void crc32c_is_the_same_on_any_processor(void **s)
{
	uint8_t octets[80];

	(void)s;
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 37 + 11);
	for (size_t at = 0; at < 9; at++) {
		for (size_t n = 0; at + n <= sizeof(octets); n++) {
			struct span in = span_of(octets + at, n);

			assert_int_equal(crc32c((uint32_t)n, in),
					 crc32c_by_table((uint32_t)n, in));
		}
	}
	assert_int_equal(crc32c_by_table(0, span_str("123456789")), 0xe3069283);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_go_both_ways),
		cmocka_unit_test(time_stamps_parse),
		cmocka_unit_test(time_stamps_show_as_eve_writes_them),
		cmocka_unit_test(siphash_vectors),
		cmocka_unit_test(crc32c_vectors),
		cmocka_unit_test(crc32c_is_the_same_on_any_processor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
