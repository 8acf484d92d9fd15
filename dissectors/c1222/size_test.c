/* SPDX-License-Identifier: Apache-2.0 */
/* The sizes that table data can have, and values as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dissectors/c1222/layout.h"
#include "dissectors/c1222/testkit.h"
#include "tests/c1219_vectors.inc"

#define IMAGE_MAX 2048
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

static struct span image(uint16_t table, uint8_t buf[IMAGE_MAX])
{
	for (size_t i = 0; i < COUNT(images); i++) {
		if (images[i].table == table)
			return kit_hex(images[i].hex, buf, IMAGE_MAX);
	}
	abort();
}

/* The meter of the vectors, all of whose tables were seen. */
static struct c1219_shape meter(void)
{
	static const uint16_t lessons[] = {0, 12, 16, 21, 22, 27, 61, 62, 71};
	struct c1219_shape s = {0};
	uint8_t buf[IMAGE_MAX];

	for (size_t i = 0; i < COUNT(lessons); i++) {
		struct c1219_part part = {.table = lessons[i], .whole = true};

		assert_int_equal(c1219_learn(&s, &part, image(lessons[i], buf),
					     NULL, NULL),
				 0);
	}
	return s;
}

enum how {
	WHOLE,
	AT,
	INDEX
};

/* Without the shape of a meter. */
static void without_shape(void **state)
{
	static const struct {
		const char *why;
		uint16_t table;
		enum how how;
		uint32_t offset;
		size_t n;
		bool want;
	} rows[] = {
		{"identification, text",    1,    WHOLE, 0,     32,   true },
		{"identification, BCD",     1,    WHOLE, 0,     24,   true },
		{"between the two",         1,    WHOLE, 0,     28,   false},
		{"much more",               1,    WHOLE, 0,     2000, false},
		{"its serial number",       1,    AT,    16,    16,   true },
		{"one octet beyond it",     1,    AT,    16,    17,   false},
		{"far beyond it",           1,    AT,    60000, 1,    false},
		{"an element",              1,    INDEX, 0,     16,   true },
		{"more than the table",     1,    INDEX, 0,     2000, false},
		{"nothing says nothing",    1,    WHOLE, 0,     0,    true },
		{"state, no maker's part",  3,    WHOLE, 0,     4,    true },
		{"state, cut short",        3,    WHOLE, 0,     3,    false},
		{"state, longest",          3,    WHOLE, 0,     259,  true },
		{"state, too long",         3,    WHOLE, 0,     260,  false},
		{"registers' actual sizes", 21,   WHOLE, 0,     10,   true },
		{"one octet more",          21,   WHOLE, 0,     11,   false},
		{"clock, none",             52,   WHOLE, 0,     1,    true },
		{"clock, longest",          52,   WHOLE, 0,     7,    true },
		{"clock, too long",         52,   WHOLE, 0,     8,    false},
		{"profile sizes, one set",  61,   WHOLE, 0,     13,   true },
		{"a set and a half",        61,   WHOLE, 0,     16,   false},
		{"five sets",               61,   WHOLE, 0,     37,   false},
		{"registers: any",          23,   WHOLE, 0,     2000, true },
		{"a profile: any",          64,   WHOLE, 0,     2000, true },
		{"a maker's table: any",    2049, WHOLE, 0,     2000, true },
	};
	static const struct c1219_shape none;
	static uint8_t zeros[2000];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct c1219_part part = {.table = rows[i].table,
					  .whole = rows[i].how == WHOLE,
					  .by_offset = rows[i].how == AT,
					  .by_index = rows[i].how == INDEX,
					  .offset = rows[i].offset};

		if (c1219_size_ok(&none, &part, span_of(zeros, rows[i].n)) !=
		    rows[i].want)
			fail_msg("%s", rows[i].why);
	}
}

/* Every image of the vectors has the only size that its meter gives it. */
static void with_shape(void **state)
{
	static const uint16_t exact[] = {0,  1,  3,  5,  21, 22, 23,
					 27, 28, 52, 61, 62, 63, 64};
	struct c1219_shape s = meter();
	uint8_t buf[IMAGE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(exact); i++) {
		struct c1219_part part = {.table = exact[i], .whole = true};
		struct span im = image(exact[i], buf);

		buf[im.n] = 0;
		if (!c1219_size_ok(&s, &part, im) ||
		    c1219_size_ok(&s, &part, span_of(buf, im.n + 1)) ||
		    c1219_size_ok(&s, &part, span_of(buf, im.n - 1)))
			fail_msg("table %u", exact[i]);
		part.whole = false;
		part.by_offset = true;
		if (exact[i] != 0 &&
		    (!c1219_size_ok(&s, &part, im) ||
		     c1219_size_ok(&s, &part, span_of(buf, im.n + 1))))
			fail_msg("part of table %u", exact[i]);
	}
}

/* A profile may end at any of its blocks. */
static void profiles(void **state)
{
	static const struct {
		const char *why;
		bool whole;
		uint32_t offset;
		size_t n;
		bool want;
	} rows[] = {
		{"all four blocks",     true,  0,       4 * 408, true },
		{"the three that are",  true,  0,       3 * 408, true },
		{"half a block",        true,  0,       204,     false},
		{"a fifth block",       true,  0,       5 * 408, false},
		{"the last one",        false, 3 * 408, 408,     true },
		{"beyond the last one", false, 4 * 408, 1,       false},
		{"across the end",      false, 3 * 408, 409,     false},
	};
	static uint8_t zeros[5 * 408];
	struct c1219_shape s = meter();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct c1219_part part = {.table = 64,
					  .whole = rows[i].whole,
					  .by_offset = !rows[i].whole,
					  .offset = rows[i].offset};

		if (c1219_size_ok(&s, &part, span_of(zeros, rows[i].n)) !=
		    rows[i].want)
			fail_msg("%s", rows[i].why);
	}
}

static void decoded(void **state)
{
	static const struct {
		uint16_t table;
		const char *want;
	} rows[] = {
		{1,  "{\"manufacturer\":\"ACME\",\"ed_model\":\"HOME-1\","
		    "\"hw\":[1,0],\"fw\":[3,2],"
		    "\"mfg_serial_number\":\"SM0000001234\"}"              },
		{21, "{\"reg_func1\":22,\"reg_func2\":0,\"nbr_self_reads\":0,"
		     "\"nbr_summations\":2,\"nbr_demands\":1,"
		     "\"nbr_coin_values\":0,\"nbr_occur\":1,\"nbr_tiers\":2,"
		     "\"nbr_present_demands\":1,\"nbr_present_values\":2}"},
	};
	static uint8_t memory[128 * 1024];
	struct arena arena = arena_of(memory, sizeof(memory));
	struct c1219_shape s = meter();
	uint8_t buf[IMAGE_MAX];
	struct span out;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct c1219_part part = {.table = rows[i].table,
					  .whole = true};

		assert_int_equal(c1219_decoded(&s, &part,
					       image(rows[i].table, buf),
					       &arena, &out),
				 0);
		if (!span_is(out, rows[i].want))
			fail_msg("%.*s", (int)out.n, (const char *)out.p);
	}
}

/* Blocks read from the second one on say so; two of them are two lists. */
static void decoded_blocks(void **state)
{
	static uint8_t memory[128 * 1024], data[2 * 408];
	struct arena arena = arena_of(memory, sizeof(memory));
	struct c1219_part part = {.table = 64,
				  .by_offset = true,
				  .offset = 408,
				  .count = sizeof(data)};
	static const char start[] = "{\"first\":1,"
				    "\"end_readings\":[[0,0],[0,0]],"
				    "\"intervals\":[[0,0,";
	static const char end[] = "0,0]],\"blk_end_time\":["
				  "null,\"2023-11-11T00:00:00\"]}";
	struct c1219_shape s = meter();
	size_t mark;
	struct span out;

	(void)state;
	/* The first has no date. */
	kit_hex("00c44e65", data + 408, 4);
	assert_int_equal(c1219_decoded(&s, &part, span_of(data, sizeof(data)),
				       &arena, &out),
			 0);
	if (!span_is(span_sub(out, 0, sizeof(start) - 1), start))
		fail_msg("%.*s", (int)out.n, (const char *)out.p);
	assert_true(out.n < 2048);
	assert_true(span_is(span_from(out, out.n - (sizeof(end) - 1)), end));
	/* What was not needed is free again; what does not fit is told. */
	assert_true(arena_mark(&arena) < 2048);
	mark = arena_mark(&arena);
	arena.cap = mark + 100;
	assert_int_equal(c1219_decoded(&s, &part, span_of(data, sizeof(data)),
				       &arena, &out),
			 E_NOMEM);
	assert_int_equal(arena_mark(&arena), mark);
	/* Half a block has no values of its own. */
	arena.cap = sizeof(memory);
	assert_int_equal(
		c1219_decoded(&s, &part, span_of(data, 200), &arena, &out),
		E_SYNTAX);
	part.table = 2049;
	assert_int_equal(
		c1219_decoded(&s, &part, span_of(data, 200), &arena, &out),
		E_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_shape),  cmocka_unit_test(with_shape),
		cmocka_unit_test(profiles),       cmocka_unit_test(decoded),
		cmocka_unit_test(decoded_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
