/* SPDX-License-Identifier: Apache-2.0 */
/* What is like a packet that an engine died of, for how long, and what a
 * hostile hand in the lane can make of it: nothing but more drops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "core/wbuf.h"
#include "enforcer/daemon/poison.h"

static const struct sipkey key = {1, 2};
static const struct mono now = {1000 * NS_PER_S};

/* Octets written in hexadecimal; blanks are for the reader. */
static struct span hex(uint8_t *buf, size_t cap, const char *text)
{
	struct wbuf w = wbuf_of(buf, cap);

	for (const char *c = text; *c; c++) {
		unsigned v;

		if (*c == ' ')
			continue;
		assert_int_equal(sscanf(c, "%2x", &v), 1);
		wbuf_u8(&w, (uint8_t)v);
		c++;
	}
	assert_false(w.failed);
	return wbuf_span(&w);
}

#define V4(proto, from, to)                                                    \
	"4500 0000 1234 4000 40" proto "0000 0a1400" from "0a1400" to
#define V6(next, from, to)                                                     \
	"60000000 0010" next                                                   \
	"40 fd0000000000000000000000000000" from                               \
	"fd0000000000000000000000000000" to
#define UDP(from, to) from to "0000 0000"
#define TCP(from, to) from to "11111111 22222222 5018 ffff 0000 0000"
#define TCP_OPT(from, to)                                                      \
	from to "33333333 44444444 8018 ffff 0000 0000 0101080a 0000000100000002"

static const struct {
	const char *why, *died, *then;
	bool want;
} cases[] = {
	{"the same again", V4("11", "0a", "01") UDP("9c40", "0481") "6011",
	 V4("11", "0a", "01") UDP("9c40", "0481") "6011", true},
	{"its content from elsewhere", V4("11", "0a", "01") UDP("9c40", "0481") "6011",
	 V4("11", "02", "0a") UDP("9c41", "0482") "6011", true},
	{"other content of its connection",
	 V4("11", "0a", "01") UDP("9c40", "0481") "6011",
	 V4("11", "0a", "01") UDP("9c40", "0481") "6012", true},
	{"the other direction of it",
	 V4("11", "0a", "01") UDP("9c40", "0481") "6011",
	 V4("11", "01", "0a") UDP("0481", "9c40") "6012", true},
	{"another port, other content",
	 V4("11", "0a", "01") UDP("9c40", "0481") "6011",
	 V4("11", "0a", "01") UDP("9c41", "0481") "6012", false},
	{"ports the other way round only",
	 V4("11", "0a", "01") UDP("9c40", "0481") "6011",
	 V4("11", "0a", "01") UDP("0481", "9c40") "6012", false},
	{"another protocol between the same ends",
	 V4("11", "0a", "01") UDP("9c40", "0481") "6011",
	 V4("06", "0a", "01") TCP("9c40", "0481") "6012", false},
	{"nothing in it is not like nothing elsewhere",
	 V4("06", "0a", "01") TCP("9c40", "0481"),
	 V4("06", "0a", "01") TCP("9c41", "0481"), false},
	{"but its connection is known",
	 V4("06", "0a", "01") TCP("9c40", "0481"),
	 V4("06", "0a", "01") TCP("9c40", "0481") "00", true},
	{"other numbers and options of TCP",
	 V4("06", "0a", "01") TCP("9c40", "0481") "6011",
	 V4("06", "0a", "01") TCP_OPT("9c41", "0481") "6011", true},
	{"IPv6", V6("11", "10", "01") UDP("9c40", "0481") "6011",
	 V6("11", "01", "10") UDP("0481", "9c40") "6012", true},
	{"IPv6, another one", V6("11", "10", "01") UDP("9c40", "0481") "6011",
	 V6("11", "01", "11") UDP("0481", "9c40") "6012", false},
	{"the content of the other family",
	 V6("11", "10", "01") UDP("9c40", "0481") "6011",
	 V4("11", "0a", "01") UDP("9c40", "0481") "6011", true},
	{"a fragment: no ports, all behind the header",
	 "4500 0000 1234 2001 4011 0000 0a14000a 0a140001 9c40 0481 0000",
	 "4500 0000 9999 2001 4011 0000 0a14000a 0a140002 9c40 0481 0000",
	 true},
	{"options of IPv4 are no content",
	 "4600 0000 1234 4000 4011 0000 0a14000a 0a140001 01010101"
	 UDP("9c40", "0481") "6011",
	 V4("11", "0a", "02") UDP("9c49", "0481") "6011", true},
	{"a header that is cut: the octets as they are",
	 "4500 0000 1234", "4500 0000 1234", true},
	{"and no others", "4500 0000 1234", "4500 0000 1235", false},
	{"a TCP header that is longer than the packet",
	 V4("06", "0a", "01") "9c40 0481 11111111 22222222 f018 ffff 0000 0000",
	 V4("06", "0a", "01") "9c40 0481 11111112 22222222 f018 ffff 0000 0000",
	 false},
	{"no IP at all", "0011223344", "0011223344", true},
	{"nothing at all is like nothing", "", "", false},
};

static void what_is_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct poison p = {0};
		uint8_t a[256], b[256];

		poison_add(&p, &key, hex(a, sizeof(a), cases[i].died), now);
		if (poison_is(&p, &key, hex(b, sizeof(b), cases[i].then),
			      now) != cases[i].want)
			fail_msg("%s", cases[i].why);
	}
}

static void only_for_a_while(void **state)
{
	struct span x = span_str("\x11 one of them");
	struct mono last = {now.ns + POISON_NS - 1}, end = {now.ns + POISON_NS};
	struct poison p = {0};

	(void)state;
	assert_int_equal(poison_until(&p, now), 0);
	assert_false(poison_is(&p, &key, x, now));
	poison_add(&p, &key, x, now);
	assert_int_equal(poison_until(&p, now), end.ns);
	assert_true(poison_is(&p, &key, x, last));
	assert_false(poison_is(&p, &key, x, end));
	assert_int_equal(poison_until(&p, end), 0);
	/* Another boot's key knows nothing of it. */
	assert_false(poison_is(&p, &(struct sipkey){1, 3}, x, now));
}

static void the_table_is_bounded(void **state)
{
	struct poison p = {0};

	(void)state;
	for (uint8_t i = 0; i < 2 * POISONS; i++)
		poison_add(&p, &key, span_of(&i, 1), now);
	for (uint8_t i = 0; i < 2 * POISONS; i++)
		assert_int_equal(poison_is(&p, &key, span_of(&i, 1), now),
				 i >= POISONS);
}

/* Whatever a row says, it holds for POISON_NS at most from any look at it, and
 * no word of it leads out of the table. */
static void a_hostile_table_drops_more_at_most(void **state)
{
	static const int64_t until[] = {INT64_MAX, INT64_MIN, -1, 0,
					1000 * NS_PER_S + POISON_NS + 1};
	struct span x = span_str("\x11 one of them");
	struct poison p = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(until) / sizeof(until[0]); i++) {
		poison_add(&p, &key, x, now);
		for (size_t k = 0; k < POISONS; k++)
			p.row[k].until_ns = until[i];
		assert_int_equal(poison_until(&p, now), 0);
		assert_false(poison_is(&p, &key, x, now));
	}
	p.next = UINT32_MAX;
	poison_add(&p, &key, x, now);
	assert_true(poison_is(&p, &key, x, now));
	assert_true(p.next < POISONS);
}

static void what_was_at_hand(void **state)
{
	static const struct {
		const char *why;
		uint32_t seen, crashes;
		bool begun, ended, want;
	} rows[] = {
		{"a crash in a packet",		    0,	       1, true,  false, true },
		{"between packets",		    0,	       1, true,  true,	false},
		{"before the first",		    0,	       1, false, false, false},
		{"killed from outside",		    4,	       4, true,  false, false},
		{"a count that was written over",   77,	       1, true,  false, true },
		{"the count wraps",		    UINT32_MAX, 0, true, false, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct poison p = {.crashes = rows[i].seen};
		struct poison_at at = {63, 2, 69632}, got;
		bool left;

		if (rows[i].begun)
			poison_begin(&p, at);
		if (rows[i].ended)
			poison_end(&p);
		left = poison_left(&p, rows[i].crashes, &got);
		if (left != rows[i].want)
			fail_msg("%s", rows[i].why);
		if (left) {
			assert_int_equal(got.slot, at.slot);
			assert_int_equal(got.message, at.message);
			assert_int_equal(got.n, at.n);
		}
		/* Told once. */
		assert_false(poison_left(&p, rows[i].crashes, &got));
		assert_false(poison_left(&p, rows[i].crashes + 1, &got));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_alike),
		cmocka_unit_test(only_for_a_while),
		cmocka_unit_test(the_table_is_bounded),
		cmocka_unit_test(a_hostile_table_drops_more_at_most),
		cmocka_unit_test(what_was_at_hand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
