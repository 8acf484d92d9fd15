/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka needs the three above */
#include <cmocka.h>

#include "dissectors/c1222/testkit.h"

static uint8_t buf[512];

static void lengths(void **state)
{
	static const struct {
		const char *why, *hex;
		int want;
		size_t len;
		bool minimal;
	} rows[] = {
		{"short form",                   "05",             0,        5,     true },
		{"zero",			 "00",             0,        0,     true },
		{"largest short form",           "7f",             0,        127,   true },
		{"indefinite",                   "80",             E_SYNTAX, 0,     true },
		{"one octet",                    "81 80",          0,        128,   true },
		{"one octet, not needed",        "81 05",          0,        5,     false},
		{"two octets",                   "82 01 00",       0,        256,   true },
		{"two octets, one needed",       "82 00 ff",       0,        255,   false},
		{"two octets, none needed",      "82 00 05",       0,        5,     false},
		{"three octets",                 "83 01 00 00",    0,        65536, true },
		{"three octets, two needed",     "83 00 ff ff",    0,        65535, false},
		{"four octets are never needed", "84 00 00 00 05", E_SYNTAX, 0,
		 true								    },
		{"reserved",                     "ff",             E_SYNTAX, 0,     true },
		{"nothing there",                "",               E_MORE,   0,     true },
		{"second octet missing",         "81",             E_MORE,   0,     true },
		{"third octet missing",          "82 01",          E_MORE,   0,     true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cur c = cur_of(kit_hex(rows[i].hex, buf, sizeof(buf)));
		struct err e = {0};
		bool minimal;
		size_t len;
		int rc = ber_len(&c, 0, &len, &minimal, &e);

		if (rc != rows[i].want ||
		    (rc == 0 &&
		     (len != rows[i].len || minimal != rows[i].minimal)))
			fail_msg("%s: %d, %zu", rows[i].why, rc, len);
		if (rc == E_SYNTAX)
			assert_int_equal(e.reason, REASON_MALFORMED);
	}
}

static void elements(void **state)
{
	static const struct {
		const char *why, *hex;
		int want;
		size_t off; /* of the error */
		size_t n;   /* octets of the contents */
		bool not_minimal;
	} rows[] = {
		{"empty",                  "a2 00",             0,        0,  0, false},
		{"three octets",           "02 03 01 02 03",    0,        0,  3, false},
		{"long form",              "02 81 03 01 02 03", 0,        0,  3, true },
		{"one short",              "02 03 01 02",       E_SYNTAX, 10, 0, false},
		{"tag only",               "02",                E_SYNTAX, 10, 0, false},
		{"nothing",                "",                  E_SYNTAX, 10, 0, false},
		{"tag of several octets",  "1f 01 00",          E_SYNTAX, 10, 0, false},
		{"the same, constructed",  "bf 01 00",          E_SYNTAX, 10, 0, false},
		{"length beyond any unit", "02 83 ff ff ff 00", E_SYNTAX, 10, 0,
		 false								},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ber b =
			ber_of(kit_hex(rows[i].hex, buf, sizeof(buf)), 10);
		struct ber_tlv t;
		struct err e = {0};
		int rc = ber_next(&b, &t, "test", &e);

		if (rc != rows[i].want || (rc && e.off != rows[i].off) ||
		    (rc == 0 && (t.body.n != rows[i].n || !cur_done(&b.c) ||
				 b.not_minimal != rows[i].not_minimal)))
			fail_msg("%s: %d at %zu", rows[i].why, rc, e.off);
		if (rc == 0)
			assert_int_equal(t.whole.n, b.c.in.n);
	}
}

static void integers(void **state)
{
	static const struct {
		const char *why, *hex;
		int want;
		uint32_t v;
	} rows[] = {
		{"one octet",                  "02 01 05",             0,        5         },
		{"128 in one octet: unsigned", "02 01 80",             0,        128       },
		{"leading zeros",              "02 04 00 00 00 05",    0,        5         },
		{"32 bits",                    "02 04 ff ff ff ff",    0,        UINT32_MAX},
		{"no octets",                  "02 00",                E_SYNTAX, 0         },
		{"five octets",                "02 05 00 00 00 00 05", E_SYNTAX, 0         },
		{"another tag",                "03 01 05",             E_SYNTAX, 0         },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ber b =
			ber_of(kit_hex(rows[i].hex, buf, sizeof(buf)), 0);
		struct err e = {0};
		uint32_t v = 0;
		int rc = ber_uint(&b, &v, "test", &e);

		if (rc != rows[i].want || (rc == 0 && v != rows[i].v))
			fail_msg("%s: %d, %u", rows[i].why, rc, v);
	}
}

static void object_identifiers(void **state)
{
	static const struct {
		const char *why, *hex;
		bool ok;
	} rows[] = {
		{".123.8437",                     "7b c1 75",                      true },
		{"a zero",                        "00",                            true },
		{"nothing",                       "",                              false},
		{"starts with 80",                "80 01",                         false},
		{"starts with 80 further on",     "7b 80 01",                      false},
		{"does not end",                  "7b c1",                         false},
		{"64 bits",                       "81 ff ff ff ff ff ff ff ff 7f", true },
		{"65 bits",                       "82 ff ff ff ff ff ff ff ff 7f", false},
		{"more octets than 64 bits need",
		 "ff ff ff ff ff ff ff ff ff ff 7f",                               false},
		{"64 octets",
		 "01010101010101010101010101010101 "
		 "01010101010101010101010101010101 "
		 "01010101010101010101010101010101 "
		 "01010101010101010101010101010101",			       true },
		{"65 octets",
		 "01010101010101010101010101010101 "
		 "01010101010101010101010101010101 "
		 "01010101010101010101010101010101 "
		 "01010101010101010101010101010101 01",			    false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (ber_oid_ok(kit_hex(rows[i].hex, buf, sizeof(buf))) !=
		    rows[i].ok)
			fail_msg("%s", rows[i].why);
	}
}

static void titles(void **state)
{
	static const struct {
		const char *why, *hex;
		uint8_t tag;
		size_t room; /* of the arena */
		int want;
		const char *text;
	} rows[] = {
		{"relative",                  "7b c1 75",                         0x80, 64,  0,
		 "2.16.124.113620.1.22.0.123.8437"										      },
		{"the same, absolute",        "60 7c 86 f7 54 01 16 00 7b c1 75", 0x06,
		 0,									  0,        "2.16.124.113620.1.22.0.123.8437"},
		{"relative with 0d",          "47 01",                            0x0d, 64,  0,
		 "2.16.124.113620.1.22.0.71.1"											  },
		{"an enterprise's branch",    "2b 06 01 04 01 86 8d 1f",          0x06, 0,
		 0,										    "1.3.6.1.4.1.99999"              },
		{"empty",                     "",				 0x80, 64,  E_SYNTAX, NULL                             },
		{"no memory",                 "47 01",                            0x80, 4,   E_NOMEM,  NULL                             },
		{"too long in absolute form",
		 "01010101010101010101010101010101 "
		 "01010101010101010101010101010101 "
		 "01010101010101010101010101010101 010101010101010101",           0x80, 128, E_SYNTAX, NULL                             },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t memory[128];
		struct arena a = arena_of(memory, rows[i].room);
		struct err e = {0};
		char text[OID_TEXT];
		struct span out = {0};
		int rc = ber_title(&a, rows[i].tag,
				   kit_hex(rows[i].hex, buf, sizeof(buf)), 0,
				   &out, &e);

		if (rc != rows[i].want)
			fail_msg("%s: %d", rows[i].why, rc);
		if (rc == 0)
			assert_string_equal(oid_text(text, sizeof(text), out),
					    rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths),
		cmocka_unit_test(elements),
		cmocka_unit_test(integers),
		cmocka_unit_test(object_identifiers),
		cmocka_unit_test(titles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
