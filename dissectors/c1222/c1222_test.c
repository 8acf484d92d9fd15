/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole APDUs, one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka needs the three above */
#include <cmocka.h>

#include "dissectors/c1222/testmsg.h"

static uint8_t buf[KIT_APDU];

/* The worked examples of the reference, section 16. */
static void worked_examples(void **state)
{
	static const struct {
		const char *why;
		enum dir dir;
		const char *hex;
		enum obs_kind leaf[3];
	} rows[] = {
		{"identify",
		 DIR_IN,  "60 1B A2 05 80 03 47 87 69 A6 04 80 02 47 01 A8 03 02 01 01 "
		 "BE 07 28 05 81 03 80 01 20",		       {OBS_C1222_IDENTIFY_REQUEST}                         },
		{"logon",
		 DIR_IN,  "60 29 A2 05 80 03 47 87 69 A6 04 80 02 47 01 A8 03 02 01 02 "
		 "BE 15 28 13 81 11 80 0F 50 00 02 48 45 41 44 45 4E 44 20 20 "
		 "20 00 3C",					 {OBS_C1222_LOGON_REQUEST}                            },
		{"its answer",
		 DIR_OUT, "60 22 A2 04 80 02 47 01 A4 03 02 01 02 A6 05 80 03 47 87 69 "
		 "A8 03 02 01 02 BE 09 28 07 81 05 82 03 00 00 3C", {OBS_C1222_LOGON_RESPONSE}                           },
		{"read of ST-0",
		 DIR_IN,  "60 1D A2 05 80 03 47 87 69 A6 04 80 02 47 01 A8 03 02 01 04 "
		 "BE 09 28 07 81 05 80 03 30 00 00",		 {OBS_C1222_READ_REQUEST}                             },
		{"wait 120",
		 DIR_IN,  "60 1C A2 05 80 03 47 87 69 A6 04 80 02 47 01 A8 03 02 01 09 "
		 "BE 08 28 06 81 04 80 02 70 78",		    {OBS_C1222_WAIT_REQUEST}                             },
		{"password and read in one EPSEM",
		 DIR_IN,  "60 35 A2 05 80 03 47 87 69 A6 04 80 02 47 01 A8 03 02 01 01 "
		 "BE 21 28 1F 81 1D 80 17 51 'metersecret         ' 00 02 "
		 "03 30 00 17",				      {OBS_C1222_SECURITY_REQUEST, OBS_C1222_READ_REQUEST} },
		{"notification of ST-28",
		 DIR_OUT, "60 35 A2 04 80 02 47 01 A6 05 80 03 47 87 69 A7 03 02 01 04 "
		 "A8 03 02 01 01 BE 1C 28 1A 81 18 92 4D 45 54 52 12 40 00 1C "
		 "00 0C A1 0B 00 00 32 15 00 00 A8 03 00 00 62",    {OBS_C1222_WRITE_REQUEST}                            },
		{"procedure 10, and its result",
		 DIR_IN,  "60 2D A2 05 80 03 47 87 69 A6 04 80 02 47 01 A8 03 02 01 21 "
		 "BE 19 28 17 81 15 80 0F 40 00 07 00 09 0A 00 01 07 E8 F4 53 "
		 "65 12 48 03 30 00 08",			     {OBS_C1222_PROCEDURE_REQUEST, OBS_C1222_READ_REQUEST}},
	};
	struct kit *k = kit_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum reason got;
		uint32_t n = rows[i].leaf[1] ? 3 : 2;

		kit_way(k, rows[i].dir, 6);
		got = kit_run(k, kit_hex(rows[i].hex, buf, sizeof(buf)));
		if (got || k->out.n != n)
			fail_msg("%s: %s, %u observations", rows[i].why,
				 k->e.text, k->out.n);
		for (uint32_t j = 1; j < n; j++)
			assert_int_equal(k->obs[j].kind, rows[i].leaf[j - 1]);
	}
	assert_int_equal(obs_get(leaf(k), F_PROCEDURE, 0), 10);
	assert_int_equal(obs_get(leaf(k), F_PROC_SEQ, 0), 1);
	kit_free(k);
}

/* Example 8 of the standard: section 12.6 of the reference. */
static void example_8(void **state)
{
	struct kit *k = kit_new();
	char text[OID_TEXT];

	(void)state;
	kit_key(k, 2, "01020304050607080102030405060708");
	kit_at(k, 0x48f3d061 * US_PER_S);
	kit_way(k, DIR_IN, 6);
	assert_int_equal(
		kit_run(k, kit_hex("604fa20580037bc175a60480027b04a803020103"
				   "ac0fa20da00ba109800102810448f3d061be2a28"
				   "2881268841d10cda76206811b36f781489a11997"
				   "773e117cb07aa3aa40374a7107c50da7f799c5d4"
				   "e8",
				   buf, sizeof(buf))),
		REASON_NONE);
	assert_int_equal(k->out.n, 3);
	assert_string_equal(oid_text(text, sizeof(text),
				     obs_get_span(&k->obs[0], F_CALLED)),
			    "2.16.124.113620.1.22.0.123.8437");
	assert_int_equal(obs_get(&k->obs[0], F_MAC, 0), 1);
	assert_int_equal(obs_get(&k->obs[0], F_SECURITY, 0), 1);
	assert_int_equal(obs_get(&k->obs[0], F_KEY_ID, 0), 2);
	assert_int_equal(obs_get(&k->obs[0], F_IV, 0), 0x48f3d061);
	assert_int_equal(k->obs[1].kind, OBS_C1222_SECURITY_REQUEST);
	assert_true(obs_has(&k->obs[1], F_SECRET));
	assert_false(obs_has(&k->obs[1], F_DATA));
	assert_int_equal(k->obs[2].kind, OBS_C1222_READ_REQUEST);
	assert_int_equal(obs_get(&k->obs[2], F_OFFSET, 0), 16);
	assert_int_equal(obs_get(&k->obs[2], F_COUNT, 0), 16);
	kit_way(k, DIR_OUT, 6);
	assert_int_equal(
		kit_run(k, kit_hex("6048a20480027b04a403020103a60580037bc175"
				   "a803020103ac0fa20da00ba109800102810448f3"
				   "d060be1e281c811a884baee4349631ab5e56a0e6"
				   "e0e90dfad558591ee4ea334cb268",
				   buf, sizeof(buf))),
		REASON_NONE);
	/* One answer to two requests: a password has none of its own. */
	assert_int_equal(k->out.n, 2);
	assert_int_equal(leaf(k)->kind, OBS_C1222_READ_RESPONSE);
	assert_int_equal(obs_get(leaf(k), F_TABLE, 0), 1);
	assert_int_equal(obs_get(leaf(k), F_OFFSET, 0), 16);
	assert_true(span_is(obs_get_span(leaf(k), F_DATA), "MANUFACTURER SN "));
	kit_free(k);
}

/* A real meter of 2010: absolute titles of an enterprise's branch, and an
 * answer that repeats the IV of its request. */
static void real_meter(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	kit_key(k, 0, "6624c7e23034e4036fe5cb3a8b5dab44");
	kit_at(k, 0x4c97f489 * US_PER_S);
	kit_way(k, DIR_IN, 6);
	assert_int_equal(
		kit_run(k, kit_hex("6047a211060f2b060104018285638e7f85f1c24e"
				   "00a60a06082b06010401828563a806020413e814"
				   "21ac0fa20da00ba10980010081044c97f489be0d"
				   "280b81098865f1e271a71f7f27",
				   buf, sizeof(buf))),
		REASON_NONE);
	kit_way(k, DIR_OUT, 6);
	assert_int_equal(
		kit_run(k, kit_hex("606da20a06082b06010401828563a406020413e8"
				   "1421a611060f2b060104018285638e7f85f1c24e"
				   "00a80302012cac0fa20da00ba10980010081044c"
				   "97f489be2e282c812a88e6976be9206159ccea0c"
				   "d39941f3f24409e294a1f98463865e8b96c5e576"
				   "039a90e4e70fa138a2d998",
				   buf, sizeof(buf))),
		REASON_NONE);
	assert_int_equal(leaf(k)->kind, OBS_C1222_READ_RESPONSE);
	assert_int_equal(obs_get(leaf(k), F_TABLE, 99), 1);
	assert_int_equal(obs_get_span(leaf(k), F_DATA).n, 32);
	kit_free(k);
}

/* Verdicts of single messages. */
static void verdicts(void **state)
{
	struct {
		const char *why;
		struct kit_msg m;
		enum reason strict, lenient;
	} rows[] = {
		{"clear",                     clear_request,  0,                      0             },
		{"sealed",                    sealed_request, 0,                      0             },
		{"IV just inside the window", sealed_request, 0,                      0             },
		{"IV too old",                sealed_request, REASON_STALE_IV,        0             },
		{"IV from the future",        sealed_request, REASON_STALE_IV,        0             },
		{"another key",               sealed_request, REASON_BAD_MAC,         REASON_BAD_MAC},
		{"a key id not held",         sealed_request, REASON_UNKNOWN_KEY,
		 REASON_UNKNOWN_KEY								 },
		{"AC, but clear",             sealed_request, REASON_DOWNGRADE,
		 REASON_DOWNGRADE								   },
		{"no called title",           sealed_request, REASON_FORGERY,
		 REASON_FORGERY								     },
		{"no calling title",          sealed_request, REASON_FORGERY,
		 REASON_FORGERY								     },
		{"no AC, no session",         sealed_request, REASON_SESSION_STATE,
		 REASON_SESSION_STATE							       },
		{"unknown service",           clear_request,  REASON_UNKNOWN_SERVICE,
		 REASON_UNKNOWN_SERVICE							     },
		{"checksum",                  clear_request,  REASON_BAD_CHECKSUM,
		 REASON_BAD_CHECKSUM								},
		{"an answer without id",      clear_answer,   REASON_SUSPICIOUS,      0             },
		{"a request with A4",         clear_request,  REASON_SUSPICIOUS,
		 REASON_SUSPICIOUS								  },
		{"an answer to nothing",      clear_answer,   REASON_UNPAIRED,        0             },
		{"sealed, wrong content",     sealed_request, REASON_MALFORMED,
		 REASON_MALFORMED								   },
	};

	(void)state;
	rows[2].m.iv = KIT_T0 - 900;
	rows[3].m.iv = KIT_T0 - 901;
	rows[4].m.iv = KIT_T0 + 901;
	rows[5].m.key = "00000000000000000000000000000000";
	rows[6].m.key_id = 9;
	rows[7].m.control = 0x80;
	rows[7].m.key = NULL;
	rows[8].m.called = NULL;
	rows[9].m.calling = NULL;
	rows[10].m.ac = false;
	rows[11].m.services = "02 53 00";
	rows[12].m.services = "08 40 0005 0002 4142 7e";
	rows[13].m.called_inv = -1;
	rows[14].m.called_inv = 1;
	rows[16].m.services = "04 300017";
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = kit_keyed();
		enum reason want, got;
		bool told;

		k->c.lenient = i & 1;
		want = i & 1 ? rows[i / 2].lenient : rows[i / 2].strict;
		got = to_meter(k, &rows[i / 2].m);
		/* What is sealed has titles all the same. */
		told = got == REASON_UNKNOWN_KEY || got == REASON_BAD_MAC;
		if (got != want || (got && k->out.n != (told ? 2 : 0)))
			fail_msg("%s%s: %s, not %s (%s)", rows[i / 2].why,
				 i & 1 ? ", lenient" : "", reason_text(got),
				 reason_text(want), k->e.text);
		kit_free(k);
	}
}

static void sealed_has_titles(void **state)
{
	static const struct {
		const char *why, *key;
		uint8_t key_id;
		enum reason want;
		uint64_t mac;
	} rows[] = {
		{"a key id not held", KIT_KEY,				  9,
		 REASON_UNKNOWN_KEY,						       3},
		{"another key",	      "00000000000000000000000000000000", 1,
		 REASON_BAD_MAC,						       2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit_msg m = sealed_request;
		struct kit *k = kit_keyed();
		const struct obs *o = k->out.v;

		m.key_id = rows[i].key_id;
		m.key = rows[i].key;
		if (to_meter(k, &m) != rows[i].want || k->out.n != 2)
			fail_msg("%s: %s", rows[i].why, k->e.text);
		assert_int_equal(o[0].kind, OBS_C1222_MESSAGE);
		assert_int_equal(o[1].kind, OBS_OPAQUE);
		assert_int_equal(obs_get(&o[0], F_MAC, 0), rows[i].mac);
		assert_int_equal(obs_get(&o[0], F_SECURITY, 0), 2);
		assert_int_equal(obs_get(&o[0], F_KEY_ID, 0), rows[i].key_id);
		assert_true(obs_get_span(&o[0], F_CALLED).n > 0);
		assert_true(obs_get_span(&o[0], F_CALLING).n > 0);
		assert_int_equal(obs_get(&o[1], F_OCTETS, 0),
				 obs_get(&o[0], F_OCTETS, 1));
		kit_free(k);
	}
}

static void old_iv_noted(void **state)
{
	struct kit_msg m = sealed_request;
	struct kit *k = kit_keyed();

	(void)state;
	k->c.lenient = true;
	m.iv = KIT_T0 - 1000000;
	assert_int_equal(to_meter(k, &m), 0);
	assert_true(noted(&k->obs[0], REASON_OLD_IV));
	assert_int_equal(k->obs[1].kind, OBS_C1222_READ_REQUEST);
	kit_free(k);
}

/* What comes without its request is read as far as it goes, if at all. */
static void unpaired_lenient(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	k->c.lenient = true;
	assert_int_equal(from_meter(k, &clear_answer), 0);
	assert_int_equal(leaf(k)->kind, OBS_C1222_UNKNOWN);
	assert_true(noted(leaf(k), REASON_UNPAIRED));
	assert_false(obs_has(&k->obs[0], F_NOTE));
	assert_int_equal(obs_get(leaf(k), F_RESULT, 99), 0);
	assert_true(span_is(obs_get_span(leaf(k), F_DATA), "AB"));
	k->c.midstream = true;
	assert_int_equal(from_meter(k, &clear_answer), 0);
	assert_true(noted(leaf(k), REASON_MIDSTREAM));
	kit_free(k);
}

/* An answer that repeats the id of its request in A8 and has no A4. */
static void answer_without_id(void **state)
{
	struct kit_msg a = clear_answer;
	struct kit *k = kit_new();

	(void)state;
	k->c.lenient = true;
	a.called_inv = -1;
	a.inv = clear_request.inv;
	assert_int_equal(to_meter(k, &clear_request), 0);
	assert_int_equal(from_meter(k, &a), 0);
	assert_true(noted(&k->obs[0], REASON_SUSPICIOUS));
	assert_false(obs_has(&k->obs[0], F_CALLED_INV));
	assert_int_equal(leaf(k)->kind, OBS_C1222_READ_RESPONSE);
	assert_int_equal(obs_get(leaf(k), F_TABLE, 0), 23);
	kit_free(k);
}

static void ignored(void **state)
{
	struct kit *k = kit_new();
	struct err e = {0};
	struct span in = kit_make(&clear_request, buf);
	size_t len;

	(void)state;
	k->c.tup.sport = 0;
	assert_int_equal(kit_run(k, in), REASON_DROPPED);
	assert_int_equal(kit_dissect(k, in), E_STATE);
	assert_int_equal(k->e.reason, REASON_DROPPED);
	k->c.tup.proto = 6; /* only UDP has that rule */
	assert_int_equal(dissector_c1222.frame(&k->c, in, &len, &e),
			 FRAME_UNIT);
	kit_way(k, DIR_IN, 17);
	k->c.tup.src = k->c.tup.dst;
	assert_int_equal(kit_run(k, in), REASON_DROPPED);
	k->c.tup.src = kit_addr(1);
	k->c.tup.src.b[12] = 224;
	assert_int_equal(kit_run(k, in), REASON_DROPPED);
	kit_free(k);
}

/* Longer lengths than needed: refused, or pointed out. */
static void not_canonical(void **state)
{
	static const char *const rows[] = {
		"60811b a205 8003478769 a604 80024701 a803 020105 be07 2805 "
		"8103 80 01 20",
		"601c a205 8003478769 a604 80024701 a803 020105 be08 2806 "
		"8104 80 8101 20",
		"6021 a205 8003478769 a604 80024701 a803 020105 be0d 280b "
		"8109 80 07 25 808103 478769",
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = kit_new();
		enum reason got;
		bool lenient = i & 1;

		k->c.lenient = lenient;
		got = kit_run(k, kit_hex(rows[i / 2], buf, sizeof(buf)));
		if (got != (lenient ? REASON_NONE : REASON_NOT_CANONICAL))
			fail_msg("row %zu: %s %s", i, reason_text(got),
				 k->e.text);
		if (lenient)
			assert_true(noted(&k->obs[0], REASON_NOT_CANONICAL) ||
				    i / 2 == 2);
		kit_free(k);
	}
}

/* Nothing of a sealed message can be changed. */
static void any_bit(void **state)
{
	static const uint8_t controls[] = {0x84, 0x88};

	(void)state;
	for (size_t i = 0; i < sizeof(controls); i++) {
		struct kit_msg m = sealed_request;
		struct kit *k = kit_keyed();
		size_t n;

		m.control = controls[i];
		n = kit_make(&m, buf).n;
		for (size_t bit = 0; bit < 8 * n; bit++) {
			memset(k->m, 0, sizeof(*k->m));
			buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			if (kit_run(k, span_of(buf, n)) == REASON_NONE)
				fail_msg("bit %zu of octet %zu", bit % 8,
					 bit / 8);
			buf[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
		memset(k->m, 0, sizeof(*k->m));
		assert_int_equal(kit_run(k, span_of(buf, n)), REASON_NONE);
		kit_free(k);
	}
}

static void framing(void **state)
{
	static const struct {
		const char *why, *hex;
		uint8_t proto;
		enum frame want;
		size_t len;
		enum reason reason;
	} rows[] = {
		{"nothing yet",          "",                 6,  FRAME_MORE, 0,    0               },
		{"a tag",                "60",               6,  FRAME_MORE, 0,    0               },
		{"a header",             "6005",             6,  FRAME_MORE, 7,    0               },
		{"a unit",               "6002a800",         6,  FRAME_UNIT, 4,    0               },
		{"a unit and more",      "6002a80060",       6,  FRAME_UNIT, 4,    0               },
		{"garbage",              "00",               6,  FRAME_BAD,  0,    REASON_MALFORMED},
		{"HTTP",                 "'GET / HTTP/1.1'", 6,  FRAME_BAD,  0,    REASON_MALFORMED},
		{"as long as the limit", "60821ffc",         6,  FRAME_MORE, 8192, 0               },
		{"one longer",           "60821ffd",         6,  FRAME_BAD,  0,    REASON_TOO_LONG },
		{"16 megaoctets",        "6083ffffff",       6,  FRAME_BAD,  0,
		 REASON_TOO_LONG								   },
		{"84 7FFFFFFF",          "60847fffffff",     6,  FRAME_BAD,  0,
		 REASON_MALFORMED								  },
		{"a datagram",           "6002a800",         17, FRAME_UNIT, 4,    0               },
		{"two in one",           "6002a8006002a800", 17, FRAME_UNIT, 8,    0               },
		{"cut short",            "6003a800",         17, FRAME_BAD,  0,    REASON_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = kit_new();
		size_t len = 99;
		enum frame f;

		kit_way(k, DIR_IN, rows[i].proto);
		f = dissector_c1222.frame(
			&k->c, kit_hex(rows[i].hex, buf, sizeof(buf)), &len,
			&k->e);
		if (f != rows[i].want || len != rows[i].len ||
		    (f == FRAME_BAD && k->e.reason != (int)rows[i].reason))
			fail_msg("%s: %d, %zu, %s", rows[i].why, (int)f, len,
				 k->e.text);
		kit_free(k);
	}
}

static void recognising(void **state)
{
	static const struct {
		const char *why, *hex;
		uint16_t sport, dport;
		uint8_t proto;
		enum recognise want;
	} rows[] = {
		{"port and octets",       "601ba205",     1153, 4,    17,  RECOGNISE_LIKELY  },
		{"octets alone",          "601ba205",     3,    4,    6,   RECOGNISE_LIKELY  },
		{"port alone",            "00",           3,    1153, 6,   RECOGNISE_MAYBE},
		{"nothing yet, the port", "",             3,    1153, 6,   RECOGNISE_MAYBE},
		{"nothing yet",           "",             3,    4,    6,   RECOGNISE_MAYBE},
		{"a first octet",         "60",           3,    4,    6,   RECOGNISE_MAYBE},
		{"another",               "47455420",     3,    4,    6,   RECOGNISE_NO   },
		{"another element",       "601b0205aabb", 3,    4,    6,   RECOGNISE_NO   },
		{"too short to be one",   "6002a8000000", 3,    4,    6,   RECOGNISE_NO   },
		{"SCTP",                  "601ba205",     1153, 1153, 132, RECOGNISE_NO   },
		{"two elements",          "601da20580034787"
					  "69a60480024701",
					  3,    4,    6,   RECOGNISE_SURE },
		{"the second has begun",  "601da20580034787"
					  "69a604800247",
					  3,    4,    6,   RECOGNISE_SURE },
		{"the second is to come", "601da20580034787"
					  "69a6",
					  3,    4,    6,   RECOGNISE_LIKELY  },
		{"lengths too long",      "60811da281058003"
					  "478769a481030201aa",
					  3,    4,    17,  RECOGNISE_SURE },
		{"no name in the first",  "601da2051f034787"
					  "69a60480024701",
					  3,    4,    17,  RECOGNISE_YES  },
		{"no element behind it",  "601da20580034787"
					  "69770480024701",
					  3,    4,    17,  RECOGNISE_YES  },
		{"its version in front",  "6021a0020780a205"
					  "8003478769a60480024701",
					  3,    4,    17,  RECOGNISE_SURE },
		{"that as a bit string",  "6023a00403020780a205"
					  "8003478769a60480024701",
					  3,    4,    17,  RECOGNISE_SURE },
		{"A5 in front",           "6022a503020101a205"
					  "8003478769a60480024701",
					  3,    4,    17,  RECOGNISE_SURE },
		{"A9 in front",           "6022a903020101a205"
					  "8003478769a60480024701",
					  3,    4,    17,  RECOGNISE_SURE },
		{"BD in front",           "6021bd020400a205"
					  "8003478769a60480024701",
					  3,    4,    17,  RECOGNISE_SURE },
		{"all of them in front",  "602ca0008a008b00ac00a500a900bd00"
					  "a205800347",
					  3,    4,    6,   RECOGNISE_LIKELY  },
		{"too many of them",      "602ca0008a008b00ac00a500a900bd00bd00"
					  "a205800347",
					  3,    4,    6,   RECOGNISE_NO   },
		{"cut inside of it",      "6021bd1004000000",
					  3,    4,    6,   RECOGNISE_LIKELY  },
		{"cut behind it",         "6021bd020400",
					  3,    4,    6,   RECOGNISE_LIKELY  },
		{"so in a datagram",      "6021bd1004000000",
					  3,    4,    17,  RECOGNISE_NO   },
		{"something else there",  "6021bd02040005020001",
					  3,    4,    6,   RECOGNISE_NO   },
		{"longer than the whole", "6021bd22040000000000",
					  3,    4,    6,   RECOGNISE_NO   },
		{"a long length, cut",    "608300001d",
					  3,    4,    6,   RECOGNISE_MAYBE},
		{"so in a datagram",      "608300001d",
					  3,    4,    17,  RECOGNISE_NO   },
		{"CoAP: acknowledged",    "60001234",
					  3,    4,    17,  RECOGNISE_NO   },
		{"both, outside of it",   "6009a20580034787"
					  "69a60480024701",
					  3,    4,    17,  RECOGNISE_YES  },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (dissector_c1222.recognise(
			    kit_hex(rows[i].hex, buf, sizeof(buf)),
			    rows[i].sport, rows[i].dport,
			    rows[i].proto) != rows[i].want)
			fail_msg("%s", rows[i].why);
	}
}

static void rests(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	assert_int_equal(dissector_c1222.leftover(&k->c, (struct span){0}), 0);
	assert_int_equal(
		dissector_c1222.leftover(&k->c, span_of("\x60\x05", 2)),
		REASON_MALFORMED);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(worked_examples),
		cmocka_unit_test(example_8),
		cmocka_unit_test(real_meter),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(sealed_has_titles),
		cmocka_unit_test(old_iv_noted),
		cmocka_unit_test(unpaired_lenient),
		cmocka_unit_test(answer_without_id),
		cmocka_unit_test(ignored),
		cmocka_unit_test(not_canonical),
		cmocka_unit_test(any_bit),
		cmocka_unit_test(framing),
		cmocka_unit_test(recognising),
		cmocka_unit_test(rests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
