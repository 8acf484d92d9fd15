/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka needs the three above */
#include <cmocka.h>

#include "dissectors/c1222/testkit.h"

/* Elements of a valid APDU, to be put together by the rows. */
#define A1  "a109 0607 607c86f7540116 "
#define A2  "a205 8003 478769 "
#define A2A "a20d 060b 607c86f7540116 00 478769 "
#define A3  "a303 02011f "
#define A4  "a403 020101 "
#define A6  "a604 8002 4701 "
#define A7  "a703 020104 "
#define A8  "a803 020105 "
#define M8B "8b09 607c86f75401160201 "
#define AC  "ac0f a20d a00b a109 800101 810448f3d061 "
#define BE  "be09 2807 8105 80 03300017 "

static uint8_t memory[1024];

/* 60 <len> around hex; up to 127 octets of it. */
static struct span apdu(const char *hex, uint8_t *buf, size_t cap)
{
	struct span body = kit_hex(hex, buf + 2, cap - 2);

	assert_true(body.n < 128);
	buf[0] = ACSE_TAG;
	buf[1] = (uint8_t)body.n;
	return span_of(buf, body.n + 2);
}

static void forms(void **state)
{
	static const struct {
		const char *why, *hex;
		enum reason want;
	} rows[] = {
		{"request",				     A2 A6 A8 BE,                                    REASON_NONE      },
		{"answer",				      A2 A4 A6 A8 BE,                                 REASON_NONE      },
		{"every element",                               A1 A2A A4 A6 A7 A8 M8B AC BE,                   REASON_NONE      },
		{"no titles: first registration",               A8 BE,                                          REASON_NONE      },
		{"segment",				     A2 A3 A6 A8 "be09 2807 02011a 8102 aabb ",
		 REASON_NONE												     },
		{"indirect reference 0",
		 A2 A6 A8 "be0c 280a 020100 8105 80 "
			  "03300017",									   REASON_NONE      },
 /* section 14, rule 2 */
		{"no id",				       A2 A6 BE,				       REASON_MALFORMED },
		{"no user information",                         A2 A6 A8,                                       REASON_MALFORMED },
		{"nothing at all",                              "",					     REASON_MALFORMED },
		{"called title twice",                          A2 A2 A6 A8 BE,                                 REASON_MALFORMED },
		{"id twice",				    A2 A6 A8 A8 BE,                                 REASON_MALFORMED },
		{"out of order",                                A6 A2 A8 BE,                                    REASON_SUSPICIOUS},
		{"id before title",                             A2 A8 A6 BE,                                    REASON_SUSPICIOUS},
		{"after user information",                      A2 A6 A8 BE A4,                                 REASON_MALFORMED },
		{"protocol version",                            "a002 0780 " A2 A6 A8 BE,
		 REASON_SUSPICIOUS											       },
		{"called AE invocation id",                     A2 "a503 020101 " A6 A8 BE,
		 REASON_SUSPICIOUS											       },
		{"implementation information",                  A2 A6 A8 "bd02 0500 " BE,
		 REASON_SUSPICIOUS											       },
		{"an element of nobody",                        A2 A6 A8 "aa02 0500 " BE,
		 REASON_MALFORMED												},
		{"a tag of several octets",                     A2 A6 A8 "bf01 00 " BE,
		 REASON_MALFORMED												},
 /* rule 3 */
		{"empty title",				 "a200 " A6 A8 BE,                               REASON_MALFORMED },
		{"title without contents",                      "a202 8000 " A6 A8 BE,
		 REASON_MALFORMED												},
		{"octets after the title",                      "a207 8003 478769 0500 " A6 A8 BE,
		 REASON_MALFORMED												},
		{"title past its element",                      "a204 8009 4701 " A6 A8 BE,
		 REASON_MALFORMED												},
		{"title as text",                               "a205 1603 414243 " A6 A8 BE,
		 REASON_MALFORMED												},
		{"title with 0d",                               "a205 0d03 478769 " A6 A8 BE,
		 REASON_SUSPICIOUS											       },
		{"sub-identifier with 80",                      "a206 8004 80478769 " A6 A8 BE,
		 REASON_MALFORMED												},
		{"id of nine octets",                           A2 A6 "a80b 0209 000000000000000005 " BE,
		 REASON_MALFORMED												},
		{"id without octets",                           A2 A6 "a803 0200 00 " BE,
		 REASON_MALFORMED												},
		{"qualifier of two octets",                     A2 A6 "a704 02020004 " A8 BE,
		 REASON_SUSPICIOUS											       },
		{"qualifier with a reserved bit",               A2 A6 "a703 020108 " A8 BE,
		 REASON_MALFORMED												},
		{"foreign context",                             "a109 0607 607c86f7540117 " A2 A6 A8 BE,
		 REASON_SUSPICIOUS											       },
		{"foreign mechanism",                           A2 A6 A8 "8b09 607c86f75401160202 " BE,
		 REASON_SUSPICIOUS											       },
		{"mechanism not an OID",                        A2 A6 A8 "8b02 80ff " BE,
		 REASON_MALFORMED												},
 /* 4.2 */
		{"AC empty",				    A2 A6 A8 "ac00 " BE,                            REASON_MALFORMED },
		{"AC without members",                          A2 A6 A8 "ac06 a204 a002 a100 " BE,
		 REASON_MALFORMED												},
		{"AC with the key id only",
		 A2 A6 A8 "ac09 a207 a005 a103 800101 " BE,                                                     REASON_NONE      },
		{"AC with the IV before the key id",
		 A2 A6 A8 "ac0f a20d a00b a109 8104 00000001 800101 " BE,
		 REASON_MALFORMED												},
		{"AC with two key ids",
		 A2 A6 A8 "ac0c a20a a008 a106 800101 800102 " BE,
		 REASON_MALFORMED												},
		{"AC with an IV of 8 octets",
		 A2 A6 A8
		 "ac13 a211 a00f a10d 800101 8108 0102030405060708 " BE,
		 REASON_LEGACY												   },
		{"AC with an IV of 5 octets",
		 A2 A6 A8 "ac10 a20e a00c a10a 800101 8105 0102030405 " BE,
		 REASON_MALFORMED												},
		{"AC of C12.21",                                A2 A6 A8 "ac0b a209 a007 a005 8003 010203 " BE,
		 REASON_NONE												     },
		{"AC of C12.21, identification of four octets",
		 A2 A6 A8 "ac0c a20a a008 a006 8004 01020304 " BE,
		 REASON_MALFORMED												},
		{"AC octet aligned",                            A2 A6 A8 "ac06 a204 8102 abcd " BE,
		 REASON_NONE												     },
		{"AC with an indirect reference",
		 A2 A6 A8 "ac09 a207 020100 8102 abcd " BE,                                                     REASON_NONE      },
		{"AC with another indirect reference",
		 A2 A6 A8 "ac09 a207 020101 8102 abcd " BE,                                                     REASON_MALFORMED },
		{"AC with two encodings",
		 A2 A6 A8 "ac0a a208 8102 abcd 8102 abcd " BE,
		 REASON_MALFORMED												},
 /* 4.3 */
		{"empty EXTERNAL",                              A2 A6 A8 "be02 2800 ",                          REASON_MALFORMED },
		{"empty octet string",                          A2 A6 A8 "be04 2802 8100 ",
		 REASON_MALFORMED												},
		{"single ASN.1",                                A2 A6 A8 "be09 2807 a005 80 03300017 ",
		 REASON_MALFORMED												},
		{"direct reference",
		 A2 A6 A8 "be0c 280a 060100 8105 80 "
			  "03300017 ",									  REASON_MALFORMED },
		{"two octet strings",
		 A2 A6 A8 "be0b 2809 8105 80 03300017 "
			  "8100 ",									      REASON_MALFORMED },
		{"two EXTERNALs",                               A2 A6 A8 "be08 2802 8100 2802 8100 ",
		 REASON_MALFORMED												},
		{"lengths that do not nest",
		 A2 A6 A8 "be09 2806 8105 80 "
			  "03300017 ",									  REASON_MALFORMED },
		{"an offset, but no segment",
		 A2 A6 A8 "be0c 280a 020101 8105 80 03300017 ",
		 REASON_MALFORMED												},
		{"a segment with A4",                           A2 A3 A4 A6 A8 "be07 2805 0201008100 ",
		 REASON_MALFORMED												},
		{"a segment with A4 and a slice",
		 A2 A3 A4 A6 A8 "be08 2806 020100 8101 aa ",
		 REASON_BAD_SEGMENT											      },
 /* section 13 */
		{"March 2006: no EXTERNAL",                     A2 A6 A8 "be05 80 03300017 ",
		 REASON_LEGACY												   },
		{"March 2006: bare id",                         A2 A6 "a802 0005 " BE,                          REASON_LEGACY    },
		{"a bare id of one octet",                      A2 A6 "a801 05 " BE,                            REASON_LEGACY    },
		{"a bare id of three octets",                   A2 A6 "a803 000005 " BE,                        REASON_LEGACY    },
		{"a bare id of four octets",                    A2 A6 "a804 00000005 " BE,                      REASON_LEGACY    },
		{"a bare id of the answered",                   A2 "a403 000005 " A6 A8 BE,                     REASON_LEGACY    },
		{"an id without contents",                      A2 A6 "a800 " BE,                               REASON_MALFORMED },
		{"user information that is no EXTERNAL",        A2 A6 A8 "be05 3003 800120 ",
		 REASON_LEGACY												   },
		{"user information without contents",           A2 A6 A8 "be00 ",                               REASON_MALFORMED },
		{"March 2006: as sent then",
		 "a205 0d03 478769 a604 0d02 4701 a802 0005 "
		 "be05 80 03300017 ",									   REASON_LEGACY    },
		{"March 2006: mechanism tag",                   A2 A6 A8 "ab02 0500 " BE,
		 REASON_LEGACY												   },
		{"January 2008: members of AC",
		 A2 A6 A8 "ac0c a20a a008 a106 8201aa 8301bb " BE,
		 REASON_LEGACY												   },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena arena = arena_of(memory, sizeof(memory));
		struct err e = {0};
		uint8_t buf[256];
		struct acse a;
		int rc = acse_read(&a, apdu(rows[i].hex, buf, sizeof(buf)),
				   &arena, &e);
		int got = rc ? e.reason : REASON_NONE;

		if (got != (int)rows[i].want || (rc == 0) != (got == 0))
			fail_msg("%s: %s (%s)", rows[i].why,
				 reason_text((enum reason)got), e.text);
	}
}

/* Relative and absolute titles name the same node. */
static void facts(void **state)
{
	struct arena arena = arena_of(memory, sizeof(memory));
	uint8_t buf[256];
	struct acse a, b;
	struct err e;

	(void)state;
	assert_int_equal(
		acse_read(&a,
			  apdu(A1 A2 A4 A6 A7 "a806 0204 00000105 " M8B AC BE,
			       buf, sizeof(buf)),
			  &arena, &e),
		0);
	assert_int_equal(a.called_inv, 1);
	assert_int_equal(a.calling_inv, 0x105);
	assert_int_equal(a.ae_qualifier, ACSE_AE_NOTIFICATION);
	assert_int_equal(a.auth, ACSE_AUTH_C1222);
	assert_true(a.has_key_id && a.has_iv);
	assert_int_equal(a.key_id, 1);
	assert_int_equal(a.iv, 0x48f3d061);
	assert_int_equal(a.octets.n, 5);
	assert_int_equal(buf[a.octets_at], 0x80);
	assert_false(a.not_minimal);
	{
		uint8_t other[256];

		assert_int_equal(
			acse_read(&b, apdu(A2A A6 A8 BE, other, sizeof(other)),
				  &arena, &e),
			0);
		assert_true(span_eq(a.called, b.called));
		assert_int_equal(b.auth, ACSE_AUTH_NONE);
	}
}

/* Every way of writing a length longer than needed is noticed. */
static void long_lengths(void **state)
{
	static const char *const rows[] = {
		"60811d " A2 A6 A8 BE,
		"601e a28105 8003 478769 " A6 A8 BE,
		"601e a206 808103 478769 " A6 A8 BE,
		"601e " A2 A6 "a804 02810105 " BE,
		"601e " A2 A6 A8 "be0a 288107 8105 80 03300017 ",
		"601e " A2 A6 A8 "be0a 2808 818105 80 03300017 ",
		"602f " A2 A6 A8
		"ac10 a20e a00c a10a 80810101 810448f3d061 " BE,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena arena = arena_of(memory, sizeof(memory));
		uint8_t buf[256];
		struct err e;
		struct acse a;

		if (acse_read(&a, kit_hex(rows[i], buf, sizeof(buf)), &arena,
			      &e) != 0)
			fail_msg("row %zu: %s", i, e.text);
		assert_true(a.not_minimal);
	}
}

static void framing(void **state)
{
	static const struct {
		const char *why, *hex;
		int want;
		size_t len;
	} rows[] = {
		{"nothing",               "",             E_MORE,   0},
		{"tag only",              "60",           E_MORE,   0},
		{"whole",                 "6002 a800",    0,        4},
		{"more behind it",        "6002 a800 60", 0,        4},
		{"one short",             "6003 a800",    E_MORE,   5},
		{"length cut short",      "6082 01",      E_MORE,   0},
		{"release request",       "62",           E_SYNTAX, 0},
		{"garbage",               "00",           E_SYNTAX, 0},
		{"indefinite",            "6080",         E_SYNTAX, 0},
		{"four octets of length", "6084",         E_SYNTAX, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buf[64];
		struct err e = {0};
		size_t len = 99;
		int rc = acse_length(kit_hex(rows[i].hex, buf, sizeof(buf)),
				     &len, &e);

		if (rc != rows[i].want || len != rows[i].len)
			fail_msg("%s: %d, %zu", rows[i].why, rc, len);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(facts),
		cmocka_unit_test(long_lengths),
		cmocka_unit_test(framing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
