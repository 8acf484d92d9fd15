/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/net/ntp.h"

#include "core/wbuf.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define HELD(s)	 (s), sizeof(s) - 1
#define Z4	 "\0\0\0\0"
#define Z8	 Z4 Z4
#define Z16	 Z8 Z8
#define Z20	 Z16 Z4
#define UNIQUE	 "\1\4\0\x24" Z16 Z16
#define COOKIE	 "\2\4\0\x10" Z8 Z4

static void put(struct wbuf *w, uint8_t first, uint8_t stratum,
		uint64_t origin, uint64_t transmit)
{
	wbuf_u8(w, first);
	wbuf_u8(w, stratum);
	wbuf_put(w, span_of(Z16 Z4 "\0\0", 22));
	wbuf_be(w, origin, 8);
	wbuf_be(w, 0, 8);
	wbuf_be(w, transmit, 8);
}

static const struct {
	const char *why;
	uint8_t first, stratum;
	uint64_t transmit;
	const char *behind;
	size_t n;
	enum reason want;
} rows[] = {
	{"a client of version 4", 0x23, 0, 7, HELD(""), 0},
	{"a client of version 3", 0x1b, 0, 7, HELD(""), 0},
	{"not in step", 0xe3, 0, 7, HELD(""), 0},
	{"a server", 0x24, 2, 7, HELD(""), 0},
	{"a server that sends away", 0x24, 0, 0, HELD(""), 0},
	{"stratum 16", 0x24, 16, 7, HELD(""), 0},
	{"a MAC of MD5", 0x23, 0, 7, HELD("\0\0\0\1" Z16), 0},
	{"a MAC of SHA-1", 0x23, 0, 7, HELD("\0\0\0\1" Z20), 0},
	{"a crypto-NAK", 0x24, 1, 7, HELD(Z4), 0},
	{"a MAC in version 3", 0x1b, 0, 7, HELD("\0\0\0\1" Z16), 0},
	{"NTS", 0x23, 0, 7, HELD(UNIQUE), 0},
	{"NTS with a cookie", 0x23, 0, 7, HELD(COOKIE UNIQUE), 0},
	{"NTS and a MAC", 0x23, 0, 7, HELD(UNIQUE Z20), 0},

	{"version 2", 0x13, 0, 7, HELD(""), REASON_LEGACY},
	{"version 1", 0x0b, 0, 7, HELD(""), REASON_LEGACY},
	{"version 0", 0x03, 0, 7, HELD(""), REASON_LEGACY},
	{"version 5", 0x2b, 0, 7, HELD(""), REASON_SUSPICIOUS},
	{"symmetric", 0x21, 0, 7, HELD(""), REASON_SUSPICIOUS},
	{"symmetric passive", 0x22, 0, 7, HELD(""), REASON_SUSPICIOUS},
	{"broadcast", 0x25, 1, 7, HELD(""), REASON_SUSPICIOUS},
	{"control", 0x26, 0, 7, HELD(""), REASON_SUSPICIOUS},
	{"private (monlist)", 0x17, 0, 7, HELD(""), REASON_SUSPICIOUS},
	{"mode 0", 0x20, 0, 7, HELD(""), REASON_SUSPICIOUS},
	{"stratum 17", 0x24, 17, 7, HELD(""), REASON_MALFORMED},
	{"no time stamp", 0x23, 0, 0, HELD(""), REASON_SUSPICIOUS},
	{"a server without one", 0x24, 1, 0, HELD(""), REASON_SUSPICIOUS},
	{"an octet behind", 0x23, 0, 7, HELD("x"), REASON_MALFORMED},
	{"eight octets behind", 0x23, 0, 7, HELD(Z8), REASON_MALFORMED},
	{"an extension in version 3", 0x1b, 0, 7, HELD(UNIQUE),
	 REASON_MALFORMED},
	{"an unknown extension", 0x23, 0, 7, HELD("\1\5\0\x24" Z16 Z16),
	 REASON_SUSPICIOUS},
	{"a short last one", 0x23, 0, 7, HELD(COOKIE), REASON_SUSPICIOUS},
	{"an extension too short", 0x23, 0, 7, HELD("\1\4\0\x0c" Z8 Z16 Z8),
	 REASON_MALFORMED},
	{"an extension too long", 0x23, 0, 7, HELD("\1\4\0\x28" Z16 Z16),
	 REASON_MALFORMED},
	{"an extension of odd length", 0x23, 0, 7,
	 HELD("\1\4\0\x23" Z16 Z16), REASON_MALFORMED},
	{"17 extensions", 0x23, 0, 7,
	 HELD(UNIQUE UNIQUE UNIQUE UNIQUE UNIQUE UNIQUE UNIQUE UNIQUE UNIQUE
	      UNIQUE UNIQUE UNIQUE UNIQUE UNIQUE UNIQUE UNIQUE UNIQUE),
	 REASON_TOO_MANY_UNITS},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t octets[1024];
		struct wbuf w = wbuf_of(octets, sizeof(octets));
		struct ntp_message m;
		struct err e = {0};
		int rc;

		put(&w, rows[i].first, rows[i].stratum, 3, rows[i].transmit);
		wbuf_put(&w, span_of(rows[i].behind, rows[i].n));
		assert_false(w.failed);
		rc = ntp_read(&m, wbuf_span(&w), &e);
		if ((rc ? (enum reason)e.reason : REASON_NONE) != rows[i].want)
			fail_msg("%s: %s", rows[i].why,
				 reason_text((enum reason)e.reason));
		if (rc)
			continue;
		assert_int_equal(m.answer, (rows[i].first & 7) == 4);
		assert_int_equal(m.origin, 3);
		assert_int_equal(m.transmit, rows[i].transmit);
	}
}

static void test_cut(void **state)
{
	uint8_t octets[48];
	struct wbuf w = wbuf_of(octets, sizeof(octets));

	(void)state;
	put(&w, 0x23, 0, 0, 1);
	for (size_t n = 0; n < 48; n++) {
		struct ntp_message m;
		struct err e = {0};

		assert_int_not_equal(ntp_read(&m, span_of(octets, n), &e), 0);
		assert_int_equal(e.reason, REASON_MALFORMED);
	}
}

static enum reason say(struct dis_ctx *c, bool out, uint64_t origin,
		       uint64_t transmit, bool passed)
{
	uint8_t octets[48];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	struct obs obs[2];
	struct obs_list list = {obs, 0, 2};
	struct err e = {0};
	int rc;

	put(&w, out ? 0x23 : 0x24, 1, origin, transmit);
	c->tup = (struct net_tuple){.proto = PROTO_UDP};
	c->tup.src.b[15] = out ? 10 : 1;
	c->tup.dst.b[15] = out ? 1 : 10;
	c->tup.sport = out ? 40000 : 123;
	c->tup.dport = out ? 123 : 40000;
	rc = dissector_ntp.dissect(c, wbuf_span(&w), &list, &e);
	dissector_ntp.settle(c, rc == 0 && passed);
	if (rc)
		return (enum reason)e.reason;
	assert_int_equal(list.n, 2);
	assert_int_equal(obs[0].kind, OBS_FLOW_OPEN);
	assert_int_equal(obs[1].kind, OBS_OPAQUE);
	assert_true(span_is(obs_get_span(&obs[1], F_APP), "ntp"));
	assert_int_equal(obs_get(&obs[1], F_OCTETS, 0), 48);
	return REASON_NONE;
}

static void test_pairs(void **state)
{
	struct dis_ctx c = {.machine = calloc(1, dissector_ntp.machine_size)};

	(void)state;
	assert_non_null(c.machine);
	c.now.mono.ns = 1;
	dissector_ntp.machine_init(c.machine, NULL);
	/* Nobody asked; what was refused was not asked either. */
	assert_int_equal(say(&c, false, 5, 9, true), REASON_UNPAIRED);
	assert_int_equal(say(&c, true, 0, 5, false), REASON_NONE);
	assert_int_equal(say(&c, false, 5, 9, true), REASON_UNPAIRED);
	/* The answer that was asked for, once; refused it may come again. */
	assert_int_equal(say(&c, true, 0, 5, true), REASON_NONE);
	assert_int_equal(say(&c, false, 6, 9, true), REASON_UNPAIRED);
	assert_int_equal(say(&c, false, 5, 9, false), REASON_NONE);
	assert_int_equal(say(&c, false, 5, 9, true), REASON_NONE);
	assert_int_equal(say(&c, false, 5, 9, true), REASON_UNPAIRED);
	/* Too late. */
	assert_int_equal(say(&c, true, 0, 5, true), REASON_NONE);
	c.now.mono.ns += INT64_C(31000000000);
	assert_int_equal(say(&c, false, 5, 9, true), REASON_UNPAIRED);
	/* Facts only: read all the same. */
	c.lenient = true;
	assert_int_equal(say(&c, false, 5, 9, true), REASON_NONE);
	/* The oldest of many gives way. */
	c.lenient = false;
	for (uint64_t i = 1; i <= 17; i++) {
		c.now.mono.ns++;
		assert_int_equal(say(&c, true, 0, 100 + i, true), REASON_NONE);
	}
	assert_int_equal(say(&c, false, 101, 9, true), REASON_UNPAIRED);
	assert_int_equal(say(&c, false, 102, 9, true), REASON_NONE);
	free(c.machine);
}

static void test_recognise(void **state)
{
	struct span none = span_of(NULL, 0);

	(void)state;
	assert_int_equal(dissector_ntp.recognise(none, 4000, 123, PROTO_UDP),
			 RECOGNISE_MAYBE);
	assert_int_equal(dissector_ntp.recognise(none, 123, 4000, PROTO_UDP),
			 RECOGNISE_MAYBE);
	assert_int_equal(dissector_ntp.recognise(none, 4000, 123, PROTO_TCP),
			 RECOGNISE_NO);
	assert_int_equal(dissector_ntp.recognise(none, 4000, 4001, PROTO_UDP),
			 RECOGNISE_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_recognise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
