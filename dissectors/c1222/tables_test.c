/* SPDX-License-Identifier: Apache-2.0 */
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

static struct c1219_part whole(uint16_t table)
{
	return (struct c1219_part){.table = table, .whole = true};
}

static struct c1219_part piece(uint16_t table, uint32_t offset)
{
	return (struct c1219_part){
		.table = table, .by_offset = true, .offset = offset};
}

static int learn(struct c1219_shape *s, uint16_t table,
		 const struct c1222_profile *p)
{
	struct c1219_part part = whole(table);
	uint8_t buf[IMAGE_MAX];

	return c1219_learn(s, &part, image(table, buf), p, NULL);
}

static const uint16_t lessons[] = {0, 12, 16, 21, 22, 27, 61, 62, 71};

/* The shape of the meter of the vectors, from the first n lessons. */
static struct c1219_shape meter(size_t n)
{
	struct c1219_shape s = {0};

	for (size_t i = 0; i < n; i++)
		assert_int_equal(learn(&s, lessons[i], NULL), 0);
	return s;
}

static struct c1219_shape meter_a(void)
{
	return meter(COUNT(lessons));
}

/* --- numbers ------------------------------------------------------------------ */

static void test_ids(void **state)
{
	static const struct {
		const char *why;
		uint16_t word, table;
		bool pending;
	} cases[] = {
		{"standard",		       64,	 64,	 false},
		{"manufacturer",	       0x0801,	 2049,	 false},
		{"pending standard",	       0x1040,	 64,	 true },
		{"pending manufacturer",       0x1801,	 2049,	 true },
		{"user-defined",	       8192,	 8192,	 false},
		{"pending user-defined",       12288 + 5, 8197,	 true },
		{"last pending user-defined",  0x37ff,	 0x27ff, true },
		{"beyond all ranges",	       0x3800,	 0x3800, false},
		{"between the ranges",	       0x2800,	 0x2800, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool pending = !cases[i].pending;

		print_message("%s\n", cases[i].why);
		assert_int_equal(c1219_table_id(cases[i].word, &pending),
				 cases[i].table);
		assert_int_equal(pending, cases[i].pending);
	}
}

static void test_types(void **state)
{
	static const struct c1222_profile profile = {
		.present = true,
		.mfg = {{2049, MEAS_BIT(MEAS_ENERGY_REGISTER)},
			{64, MEAS_BIT(MEAS_CONFIG_METER)}},
		.n_mfg = 2,
	};
	static const struct {
		const char *why;
		uint16_t table;
		const char *name, *types;
	} cases[] = {
		{"first row", 0, "GEN_CONFIG_TBL", "config.meter"},
		{"customer", 6, "UTIL_INFO_TBL", "identity.customer"},
		{"three types", 23, "CURRENT_REG_DATA_TBL",
		 "energy.register+energy.tou+power.peak"},
		{"a profile cannot redefine a standard table", 64,
		 "LP_DATA_SET1_TBL", "energy.interval"},
		{"secrets", 45, "KEY_TBL", "security.secret"},
		{"last row", 164, "ONE_WAY_COMMANDS_TBL", "energy.interval"},
		{"a gap in the list", 9, NULL, "unknown.table"},
		{"beyond the list", 165, NULL, "unknown.table"},
		{"user-defined in decade 8", 84, "UDT_0_TBL", "unknown.table"},
		{"manufacturer, in the profile", 2049, NULL,
		 "energy.register"},
		{"manufacturer, not in the profile", 2050, NULL,
		 "unknown.table"},
		{"user-defined", 8192, NULL, "unknown.table"},
		{"highest number", 0xffff, NULL, "unknown.table"},
	};
	char text[MEAS_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *name = c1219_table_name(cases[i].table);

		print_message("%s\n", cases[i].why);
		meas_text(text, sizeof(text),
			  c1219_meas(cases[i].table, &profile));
		assert_string_equal(text, cases[i].types);
		assert_int_equal(name == NULL, cases[i].name == NULL);
		if (name)
			assert_string_equal(name, cases[i].name);
	}
	assert_int_equal(c1219_meas(2049, NULL),
			 MEAS_BIT(MEAS_UNKNOWN_TABLE));
}

/* Each format, both octet orders; the codes that are no integers take their
 * octets and give nothing. */
static void test_numbers(void **state)
{
	static const struct {
		const char *why, *le, *be;
		uint8_t int_format, code;
		bool ok;
		int64_t want;
	} cases[] = {
		{"FLOAT64", "0000000000000000", "0000000000000000", 0, 0,
		 false, 0},
		{"FLOAT32", "00000000", "00000000", 0, 1, false, 0},
		{"text of 12", "202020202020202020202031",
		 "202020202020202020202031", 0, 2, false, 0},
		{"text of 6", "202020202031", "202020202031", 0, 3, false, 0},
		{"INT32 with a decimal point", "01000000", "00000001", 0, 4,
		 false, 0},
		{"BCD 6", "563412", "123456", 0, 5, false, 0},
		{"BCD 4", "3412", "1234", 0, 6, false, 0},
		{"INT24", "010203", "030201", 0, 7, true, 0x030201},
		{"INT24 below zero", "ffffff", "ffffff", 0, 7, true, -1},
		{"INT32", "01020304", "04030201", 0, 8, true, 0x04030201},
		{"INT32 least", "00000080", "80000000", 0, 8, true,
		 INT32_MIN},
		{"INT32 one's complement", "feffffff", "fffffffe", 1, 8, true,
		 -1},
		{"INT32 sign and magnitude", "05000080", "80000005", 2, 8,
		 true, -5},
		{"INT40", "0102030405", "0504030201", 0, 9, true,
		 0x0504030201},
		{"INT48", "ffffffffffff", "ffffffffffff", 0, 10, true, -1},
		{"INT64", "0102030405060708", "0807060504030201", 0, 11, true,
		 0x0807060504030201},
		{"INT64 least", "0000000000000080", "8000000000000000", 0, 11,
		 true, INT64_MIN},
		{"INT64 minus zero", "0000000000000080", "8000000000000000",
		 2, 11, true, 0},
		{"BCD 8", "78563412", "12345678", 0, 12, false, 0},
		{"text of 21", "20202020202020202020202020202020202020202031",
		 "20202020202020202020202020202020202020202031", 0, 13, false,
		 0},
		{"INT32 cut short", "010203", "030201", 0, 8, false, 0},
		{"no such code", "0102030405060708", "0102030405060708", 0,
		 14, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases) * 2; i++) {
		struct c1219_shape s = {.msb_first = i & 1,
					.int_format = cases[i / 2].int_format};
		size_t n = layout_ni_size(cases[i / 2].code);
		uint8_t buf[32];
		struct cur c = cur_of(kit_hex(i & 1 ? cases[i / 2].be :
						      cases[i / 2].le,
					      buf, sizeof(buf)));
		bool fits = n > 0 && n <= c.in.n;
		int64_t v = 0;

		print_message("%s, %s\n", cases[i / 2].why,
			      i & 1 ? "most first" : "least first");
		assert_int_equal(layout_number(&s, cases[i / 2].code, &c, &v),
				 cases[i / 2].ok);
		if (cases[i / 2].ok)
			assert_true(v == cases[i / 2].want);
		assert_int_equal(cur_ok(&c), fits);
		if (fits)
			assert_int_equal(c.off, n);
	}
}

static void test_times(void **state)
{
	static const struct {
		const char *why, *hex;
		uint8_t tm_format;
		bool ltime, msb, ok;
		int64_t want;
	} cases[] = {
		{"no clock", "", 0, false, false, false, 0},
		{"BCD", "23 11 14 22 13", 1, false, false, true, 1699999980},
		{"BCD with seconds", "23 11 14 22 13 20", 1, true, false,
		 true, 1700000000},
		{"BCD, last century", "99 12 31 23 59", 1, false, false, true,
		 946684740},
		{"BCD, this century's last", "89 01 01 00 00", 1, false,
		 false, true, 3755376000},
		{"BCD, no digit", "23 1a 14 22 13", 1, false, false, false,
		 0},
		{"BCD, month 0", "23 00 14 22 13", 1, false, false, false, 0},
		{"BCD, month 13", "23 13 14 22 13", 1, false, false, false,
		 0},
		{"BCD, hour 24", "23 11 14 24 00", 1, false, false, false, 0},
		{"BCD cut short", "23 11 14 22", 1, false, false, false, 0},
		{"octets", "17 0b 0e 16 0d", 2, false, false, true,
		 1699999980},
		{"octets with seconds", "17 0b 0e 16 0d 14", 2, true, false,
		 true, 1700000000},
		{"octets, year 100", "64 0b 0e 16 0d", 2, false, false, false,
		 0},
		{"octets, minute 60", "17 0b 0e 16 3c", 2, false, false,
		 false, 0},
		{"minutes", "7d4bb001", 3, false, false, true,
		 INT64_C(0x01b04b7d) * 60},
		{"minutes, most first", "01b04b7d", 3, false, true, true,
		 INT64_C(0x01b04b7d) * 60},
		{"minutes and seconds", "7d4bb001 14", 3, true, false, true,
		 INT64_C(0x01b04b7d) * 60 + 20},
		{"minutes without the second", "7d4bb001", 3, true, false,
		 false, 0},
		{"seconds", "00f15365", 4, false, false, true, 1700000000},
		{"seconds, most first", "6553f100", 4, true, true, true,
		 1700000000},
		{"never", "00000000", 4, false, false, false, 0},
		{"no such format", "0102030405060708", 5, true, false, false,
		 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct c1219_shape s = {.msb_first = cases[i].msb,
					.tm_format = cases[i].tm_format};
		uint8_t buf[16];
		struct cur c = cur_of(kit_hex(cases[i].hex, buf,
					      sizeof(buf)));
		int64_t t = 0;
		bool ok = cases[i].ltime ? layout_ltime(&s, &c, &t) :
					   layout_stime(&s, &c, &t);

		print_message("%s\n", cases[i].why);
		assert_int_equal(ok, cases[i].ok);
		if (!ok)
			continue;
		assert_true(t == cases[i].want);
		assert_int_equal(c.off, cases[i].ltime ?
						layout_ltime_size(&s) :
						layout_stime_size(&s));
	}
}

/* --- learning ------------------------------------------------------------------ */

static void test_learn(void **state)
{
	static const struct {
		const char *why;
		size_t before; /* lessons already given */
		uint16_t table;
		const char *hex;
		int want;
	} cases[] = {
		{"ST-0 without its sets", 0, 0,
		 "02 1c 88 4d455452 02 00 20 20 02 00 0a 01 02 01 01 00",
		 E_SYNTAX},
		{"ST-0 of 19 octets, nothing used", 0, 0,
		 "02 1c 88 4d455452 02 00 20 20 02 00 00 00 00 00 01 00", 0},
		{"ST-0 and one octet more", 0, 0,
		 "02 1c 88 4d455452 02 00 20 20 02 00 00 00 00 00 01 00 00",
		 E_SYNTAX},
		{"ST-0 cut short", 0, 0, "02 1c 88 4d4554", E_SYNTAX},
		{"ST-0 empty", 0, 0, "", E_SYNTAX},
		{"ST-0 with more tables than there are", 0, 0,
		 "02 1c 88 4d455452 02 00 20 20 02 00 ff 00 00 00 01 00",
		 E_SYNTAX},
		{"ST-12 before the octet order is known", 0, 12, "00400200",
		 E_SYNTAX},
		{"ST-12 with half an entry", 1, 12, "004002000080",
		 E_SYNTAX},
		{"ST-12 empty", 1, 12, "", E_SYNTAX},
		{"ST-12", 1, 12, "00400200", 0},
		{"ST-16 empty", 1, 16, "", E_SYNTAX},
		{"ST-16", 1, 16, "11", 0},
		{"ST-21 short", 1, 21, "16 00 00 02 01 00 01 02 01", E_SYNTAX},
		{"ST-21 long", 1, 21, "16 00 00 02 01 00 01 02 01 02 00",
		 E_SYNTAX},
		{"ST-22 before ST-21", 1, 22, "00010201", E_SYNTAX},
		{"ST-22 for other sizes", 4, 22, "000102", E_SYNTAX},
		{"ST-27 before ST-21", 1, 27, "030001", E_SYNTAX},
		{"ST-27 for other sizes", 4, 27, "0300", E_SYNTAX},
		{"ST-61 before ST-0", 0, 61,
		 "60060000 1008 02 0400 6000 02 0f", E_SYNTAX},
		{"ST-61 with a set that ST-0 does not have", 1, 61,
		 "60060000 1008 02 0400 6000 02 0f 0400 6000 02 0f",
		 E_SYNTAX},
		{"ST-61 without a set", 1, 61, "60060000 1008 02", E_SYNTAX},
		{"ST-62 before ST-61", 1, 62, "010000 010101 02", E_SYNTAX},
		{"ST-62 of one channel less", 7, 62, "010000 02", E_SYNTAX},
		{"ST-71 before ST-0", 0, 71, "07 03 00 01 01 0400 0000",
		 E_SYNTAX},
		{"ST-71, first version", 1, 71, "07 03 00 01 01 0400 0000",
		 0},
		{"ST-71 with two octets of flags", 1, 71,
		 "0700 03 00 01 01 0400 0000", E_SYNTAX},
		{"ST-71 with further flags", 1, 71,
		 "07 03 00 01 01 0400 0000 01 0000", E_SYNTAX},
		{"a table that teaches nothing", 1, 5, "00", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct c1219_shape s = meter(cases[i].before), was = s;
		struct c1219_part part = whole(cases[i].table);
		struct err e = {0};
		uint8_t buf[64];
		struct span data = kit_hex(cases[i].hex, buf, sizeof(buf));

		print_message("%s\n", cases[i].why);
		assert_int_equal(c1219_learn(&s, &part, data, NULL, &e),
				 cases[i].want);
		if (cases[i].want)
			assert_memory_equal(&s, &was, sizeof(s));
		else
			assert_int_equal(c1219_teaches(cases[i].table),
					 s.have != was.have);
		/* A part teaches nothing, whatever is in it. */
		s = was;
		part = piece(cases[i].table, 0);
		assert_int_equal(c1219_learn(&s, &part, data, NULL, &e), 0);
		assert_memory_equal(&s, &was, sizeof(s));
	}
}

/* New sizes make the selections unknown that were made for the old ones. */
static void test_relearn(void **state)
{
	struct c1219_shape s = meter_a();

	(void)state;
	assert_true(shape_has(&s, HAS_ST22 | HAS_ST27 | HAS_ST62));
	assert_int_equal(learn(&s, 21, NULL), 0);
	assert_false(shape_has(&s, HAS_ST22));
	assert_false(shape_has(&s, HAS_ST27));
	assert_int_equal(learn(&s, 61, NULL), 0);
	assert_false(shape_has(&s, HAS_ST62));
}

/* --- values -------------------------------------------------------------------- */

struct check {
	uint16_t table;
	size_t at;    /* next vector */
	size_t other; /* values that the vectors do not name */
	bool swapped; /* the image was turned to the other octet order */
};

/* Fields that the vectors leave out. */
static bool not_in_vectors(const char *name)
{
	static const char *const names[] = {
		"default_set_used", "reg_func2", "lp_sel_end_source",
	};

	for (size_t i = 0; i < COUNT(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static bool same_value(const struct vector *w, const struct c1219_value *v)
{
	return strcmp(w->name, v->name) == 0 && w->i == v->index[0] &&
	       w->j == v->index[1] && w->is_time == v->is_time &&
	       w->v == v->v &&
	       span_is(v->text, w->text ? w->text : "");
}

static void check_value(void *arg, const struct c1219_value *v)
{
	struct check *k = arg;

	if (k->at < COUNT(vectors) && vectors[k->at].table == k->table &&
	    same_value(&vectors[k->at], v)) {
		k->at++;
		return;
	}
	if (!not_in_vectors(v->name))
		fail_msg("table %u: %s[%d][%d] = %lld is not vector %zu",
			 k->table, v->name, v->index[0], v->index[1],
			 (long long)v->v, k->at);
	k->other++;
}

/* Every value of every table, and no others, in order. */
static void test_vectors(void **state)
{
	struct c1219_shape s = meter_a();
	size_t at = 0;

	(void)state;
	assert_true(COUNT(vectors) > 800);
	while (at < COUNT(vectors)) {
		struct c1219_part part = whole(vectors[at].table);
		struct check k = {.table = part.table, .at = at};
		struct lp_layout l;
		uint8_t buf[IMAGE_MAX];
		struct span data = image(part.table, buf);

		assert_int_equal(c1219_values(&s, &part, data, check_value,
					      &k), 0);
		/* Not in the table, but made from it. */
		if (k.at < COUNT(vectors) &&
		    strcmp(vectors[k.at].name, "block_size") == 0) {
			assert_true(layout_profile(&s, 0, &l));
			assert_true(l.block == (size_t)vectors[k.at].v);
			k.at++;
		}
		assert_true(k.at > at);
		assert_true(k.at == COUNT(vectors) ||
			    vectors[k.at].table != part.table);
		assert_true(k.other <= 3);
		at = k.at;
	}
}

static void ignore(void *arg, const struct c1219_value *v)
{
	(void)v;
	++*(size_t *)arg;
}

/* One octet less or more is not that table. */
static void test_values_sizes(void **state)
{
	static const uint16_t tables[] = {0,  1,  3,  5,  21, 22, 23,
					  27, 28, 52, 61, 62, 63, 64};
	struct c1219_shape s = meter_a(), none = {0};
	uint8_t buf[IMAGE_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(tables); i++) {
		struct c1219_part part = whole(tables[i]);
		struct span data = image(tables[i], buf);
		struct span less = span_sub(data, 0, data.n - 1);
		struct span more = span_of(buf, data.n + 1);
		size_t n = 0;

		print_message("table %u\n", tables[i]);
		buf[data.n] = 0;
		assert_int_equal(c1219_values(&s, &part, less, ignore, &n),
				 E_SYNTAX);
		assert_int_equal(c1219_values(&s, &part, more, ignore, &n),
				 E_SYNTAX);
		n = 0;
		if (tables[i] == 0 || tables[i] == 21)
			continue; /* describe themselves */
		assert_int_equal(c1219_values(&none, &part, data, ignore, &n),
				 E_UNSUPPORTED);
		assert_int_equal(n, 0);
	}
	for (uint16_t t = 0; t < 200; t++) {
		struct c1219_part part = whole(t);
		bool sure = t >= 64 && t <= 67;
		size_t n = 0;

		for (size_t i = 0; i < COUNT(tables); i++)
			sure = sure || tables[i] == t;
		if (!sure)
			assert_int_equal(c1219_values(&s, &part,
						      span_of(buf, 20),
						      ignore, &n),
					 E_UNSUPPORTED);
	}
}

static void reverse(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint8_t t = p[i];

		p[i] = p[n - 1 - i];
		p[n - 1 - i] = t;
	}
}

/* A meter that says the most significant octet first means the same. */
static void test_other_order(void **state)
{
	struct c1219_shape s = meter_a();
	struct check k = {.table = 23};
	struct c1219_part part = whole(23);
	uint8_t buf[IMAGE_MAX];
	struct span data;

	(void)state;
	s.msb_first = true;
	while (vectors[k.at].table != 23)
		k.at++;
	data = image(23, buf);
	for (size_t i = 1; i < data.n; i += 4)
		reverse(buf + i, 4);
	assert_int_equal(c1219_values(&s, &part, data, check_value, &k), 0);
	assert_true(k.at < COUNT(vectors) && vectors[k.at].table != 23);

	k.table = part.table = 64;
	while (vectors[k.at].table != 64)
		k.at++;
	data = image(64, buf);
	for (size_t b = 0; b < data.n; b += 408) {
		for (size_t i = b; i < b + 12; i += 4)
			reverse(buf + i, 4);
		for (size_t i = b + 24; i < b + 408; i += 2)
			reverse(buf + i, 2);
	}
	assert_int_equal(c1219_values(&s, &part, data, check_value, &k), 0);
	assert_int_equal(k.at, COUNT(vectors));
}

/* ST-61 and 62 in the other order give the same shape. */
static void test_learn_other_order(void **state)
{
	struct c1219_shape a = meter_a(), s = {0};
	static const struct {
		uint16_t table;
		const char *hex;
	} given[] = {
		{0,  "031c884d4554520200202002000a0102010100eb19e11a000090e0"
		     "810401f00600a000000000000000000000"},
		{12, "00024000 00018000 00024400 00024100"},
		{16, "11111111"},
		{21, "16000002010001020102"},
		{22, "00010201"},
		{27, "030001"},
		{61, "00000660 0810 02 0004 0060 02 0f"},
		{62, "010000 010101 02"},
		{71, "07 03 00 01 01 0004 0000 00 0000"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(given); i++) {
		struct c1219_part part = whole(given[i].table);
		uint8_t buf[64];

		assert_int_equal(c1219_learn(&s, &part,
					     kit_hex(given[i].hex, buf,
						     sizeof(buf)),
					     NULL, NULL), 0);
	}
	assert_true(s.msb_first);
	s.msb_first = false;
	assert_memory_equal(&s, &a, sizeof(s));
}

/* --- facts --------------------------------------------------------------------- */

/* All that is stated, as text. */
static const char *facts(const struct obs *o, char *buf, size_t cap)
{
	size_t n = 0;

	for (unsigned i = 0; i < o->n; i++) {
		const struct fact *f = &o->f[i];
		char types[MEAS_TEXT];

		if (f->field == F_MEASUREMENT || f->field == F_ASKS_FOR)
			n += (size_t)snprintf(buf + n, cap - n, "%s",
					      meas_text(types, sizeof(types),
							f->u));
		else if (f->field == F_NOTE)
			n += (size_t)snprintf(buf + n, cap - n, " note=%s",
					      reason_text((enum reason)f->u));
		else
			n += (size_t)snprintf(buf + n, cap - n, " %s=%lld",
					      field_name((enum field)f->field),
					      (long long)f->i);
		assert_true(n < cap);
	}
	return buf;
}

static const struct c1222_profile profile_15 = {
	.present = true,
	.register_res_milli_wh = 10000,
	.load_profile = {{64, 900}},
};
static const struct c1222_profile profile_30 = {
	.present = true,
	.load_profile = {{64, 1800}},
};

#define ALL 99 /* lessons */
#define END UINT32_MAX

struct told {
	const char *why;
	size_t lessons;
	const struct c1222_profile *p;
	uint16_t table;
	uint32_t from, n; /* END: whole */
	const char *want;
};

#define REGS "energy.register+energy.tou+power.peak"
#define LP   "energy.interval"
#define EV   "event.power+event.meter+event.tamper"

static const struct told told[] = {
	{"configuration is no reading", 0, NULL, 0, 0, END, "config.meter"},
	{"one reading", 0, NULL, 5, 0, END, "identity.device readings=1"},
	/* ST-23: counter; 3 blocks of 8 octets sums, 12 octets demand */
	{"registers, whole", ALL, &profile_15, 23, 0, END,
	 REGS " readings=1"},
	{"registers, shape unknown", 0, &profile_15, 23, 0, END, REGS},
	{"registers, ST-0 alone", 1, &profile_15, 23, 0, END, REGS},
	{"registers, a part, shape unknown", 0, &profile_15, 23, 1, 8, REGS},
	{"sums of the total block", ALL, NULL, 23, 1, 8,
	 "energy.register readings=1 values=2 channels=2"},
	{"the same with a resolution: 90654 and 224 units of 10 Wh", ALL,
	 &profile_15, 23, 1, 8,
	 "energy.register readings=1 values=2 channels=2 "
	 "resolution-unit=1 value-min=2240000 value-max=906540000 "
	 "resolution=20000"},
	{"counter and sums", ALL, NULL, 23, 0, 9,
	 "energy.register readings=1 values=2 channels=2"},
	{"the counter alone", ALL, NULL, 23, 0, 1,
	 "energy.register readings=1"},
	{"one octet into the demand", ALL, NULL, 23, 1, 9,
	 "energy.register+power.peak readings=1"},
	{"demand of the total block", ALL, NULL, 23, 9, 12,
	 "power.peak readings=1"},
	{"sums of tier 1", ALL, NULL, 23, 21, 8,
	 "energy.tou readings=1 values=2 channels=2"},
	{"demand of tier 1", ALL, NULL, 23, 29, 12,
	 "energy.tou+power.peak readings=1"},
	{"last octet of the demand to the first sum of tier 1", ALL, NULL, 23,
	 20, 5, "energy.tou+power.peak readings=1"},
	{"half a sum: no range, no step", ALL, &profile_15, 23, 1, 6,
	 "energy.register readings=1 values=2 channels=2"},
	{"nothing at all proves nothing", ALL, NULL, 23, 9, 0,
	 REGS " readings=1"},
	{"nothing at all, in the middle of a sum", ALL, NULL, 23, 3, 0,
	 REGS " readings=1"},
	/* ST-28 */
	{"present values, selections known", ALL, NULL, 28, 0, END,
	 "energy.register+power.instant readings=1 values=3 channels=3"},
	{"present values, selections not known", 5, NULL, 28, 0, END,
	 "power.instant+power.reactive+voltage.instant readings=1 values=3 "
	 "channels=3"},
	{"present values, a part", ALL, NULL, 28, 0, 4,
	 "energy.register+power.instant readings=1"},
	/* ST-64: 4 blocks of 408; end time 4, end readings 8, status 12 */
	{"profile, whole", ALL, NULL, 64, 0, END,
	 LP " granularity=900 readings=384 channels=2 span=345600 "
	    "values=768 oldest=1699574400 newest=1699920000"},
	{"first block", ALL, NULL, 64, 0, 408,
	 LP " granularity=900 readings=96 channels=2 span=86400 "
	    "values=192 oldest=1699574400 newest=1699660800"},
	{"last two blocks", ALL, NULL, 64, 816, 816,
	 LP " granularity=900 readings=192 channels=2 span=172800 "
	    "values=384 oldest=1699747200 newest=1699920000"},
	{"end time and first half of a block, in either order", ALL, NULL, 64,
	 0, 24 + 48 * 4,
	 LP " granularity=900 readings=48 channels=2 span=43200 "
	    "values=96 oldest=1699574400 newest=1699660800"},
	{"intervals without the end time have no age", ALL, NULL, 64, 24, 8,
	 LP " granularity=900 readings=2 channels=2 span=1800 values=4 "
	    "resolution-unit=1 value-min=6000 value-max=556000 "
	    "resolution=1000"},
	{"half an interval counts as one", ALL, NULL, 64, 26, 2,
	 LP " granularity=900 readings=1 channels=2 span=900 values=1 "
	    "resolution-unit=1 value-min=6000 value-max=6000 "
	    "resolution=6000"},
	{"one octet of a value shows no step", ALL, NULL, 64, 24, 3,
	 LP " granularity=900 readings=1 channels=2 span=900 values=2"},
	{"nothing at all, in the middle of an interval", ALL, NULL, 64, 25, 0,
	 LP " granularity=900"},
	{"only the head of a block", ALL, NULL, 64, 0, 24,
	 LP " granularity=900"},
	{"end of one block, start of the next", ALL, NULL, 64, 404, 36,
	 LP " granularity=900 readings=3 channels=2 span=2700 values=6"},
	{"profile, shape unknown", 0, NULL, 64, 0, END, LP},
	{"profile, ST-62 not seen", 7, NULL, 64, 0, END,
	 LP " granularity=900"},
	{"interval from the meter profile", 0, &profile_30, 64, 0, END,
	 LP " granularity=1800"},
	{"a set of which the profile says nothing", 0, &profile_30, 65, 0,
	 408, LP},
	{"a set that the meter does not have", ALL, NULL, 65, 0, 408, LP},
	{"meter and profile contradict each other", ALL, &profile_30, 64, 0,
	 END, LP " note=profile-mismatch"},
	{"beyond the end of the table", ALL, NULL, 64, 1632 - 4, 8,
	 LP " granularity=900 note=unread-table"},
	/* ST-74: head 11, entries of 13: power down, up, reset, read */
	{"log, whole", ALL, NULL, 74, 0, END,
	 "event.power+event.meter readings=4"},
	{"log, the first two entries", ALL, NULL, 74, 11, 26,
	 "event.power readings=2"},
	{"log, an entry without its code", ALL, NULL, 74, 11, 9, EV},
	{"log, the head alone", ALL, NULL, 74, 0, 11, EV},
	{"log, ST-71 not seen", 8, NULL, 74, 0, END, EV},
	{"log, longer than it is", ALL, NULL, 74, 11, 53,
	 EV " note=unread-table"},
};

static struct obs describe(const struct told *t, const struct c1219_part *part,
			   struct span data, struct c1219_shape *s)
{
	struct obs a = {0}, b = {0};

	c1219_describe(s, part, data, t->p, &a);
	c1219_describe(s, part, data, t->p, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	return a;
}

static void test_describe(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(told); i++) {
		const struct told *t = &told[i];
		struct c1219_shape s = {0};
		uint8_t buf[IMAGE_MAX] = {0};
		char text[1024];
		bool image_of = t->table != 65;
		struct span data = image_of ? image(t->table, buf) :
					      span_of(buf, 408);
		struct c1219_part part = t->n == END && image_of ?
						 whole(t->table) :
						 piece(t->table, t->from);
		struct obs o;

		print_message("%s\n", t->why);
		for (size_t k = 0; k < COUNT(lessons) && k < t->lessons; k++)
			assert_int_equal(learn(&s, lessons[k], t->p), 0);
		if (t->n != END && image_of)
			data = span_of(buf + t->from, t->n);
		o = describe(t, &part, data, &s);
		assert_string_equal(facts(&o, text, sizeof(text)), t->want);
	}
}

/* An index path is not read: it proves nothing. */
static void test_by_index(void **state)
{
	struct c1219_shape s = meter_a();
	uint8_t buf[IMAGE_MAX];
	char text[256];
	static const struct {
		uint16_t table;
		const char *want;
	} cases[] = {
		{23, REGS},
		{64, LP " granularity=900"},
		{74, EV},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct c1219_part part = {.table = cases[i].table,
					  .by_index = true,
					  .index = span_of("\0\1", 2),
					  .count = 1};
		struct obs o = {0};

		c1219_describe(&s, &part, image(cases[i].table, buf), NULL,
			       &o);
		assert_string_equal(facts(&o, text, sizeof(text)),
				    cases[i].want);
	}
}

static void test_requests(void **state)
{
	static const struct {
		const char *why;
		size_t lessons;
		const struct c1222_profile *p;
		uint16_t table;
		const char *want;
	} cases[] = {
		{"registers", ALL, NULL, 23, REGS},
		{"present values", ALL, NULL, 28,
		 "energy.register+power.instant"},
		{"profile, shape known", 7, NULL, 64, LP " granularity=900"},
		{"profile, nothing known", 0, NULL, 64, LP},
		{"profile, stated", 0, &profile_15, 64, LP " granularity=900"},
		{"profile, contradicted", 7, &profile_30, 64, LP},
		{"user-defined", ALL, NULL, 8193, "unknown.table"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct c1219_shape s = {0};
		struct c1219_part part = whole(cases[i].table);
		struct obs o = {0};

		print_message("%s\n", cases[i].why);
		for (size_t k = 0;
		     k < COUNT(lessons) && k < cases[i].lessons; k++)
			assert_int_equal(learn(&s, lessons[k], cases[i].p),
					 0);
		c1219_describe_request(&s, &part, cases[i].p, &o);
		assert_string_equal(facts(&o, text, sizeof(text)),
				    cases[i].want);
	}
}

/* What a set holds beside the vectors' case: signed values, a step, end
 * pulses and extended status. */
static void test_profile_variants(void **state)
{
	static const struct {
		const char *why;
		uint16_t flags;
		uint8_t format, ints, chans;
		const char *hex, *want;
	} cases[] = {
		{"UINT8, step 5 Wh", 0, 1, 4, 1,
		 "00f15365 05 0a 14 0f",
		 LP " granularity=900 readings=4 channels=1 span=3600 "
		    "values=4 resolution-unit=1 value-min=5000 "
		    "value-max=20000 resolution=5000 oldest=1699996400 "
		    "newest=1700000000"},
		{"INT8 below zero", 0, 8, 2, 1, "00f15365 fc 06",
		 LP " granularity=900 readings=2 channels=1 span=1800 "
		    "values=2 resolution-unit=1 value-min=-4000 "
		    "value-max=6000 resolution=2000 oldest=1699998200 "
		    "newest=1700000000"},
		{"all zero: any step", 0, 2, 1, 1, "00f15365 0000",
		 LP " granularity=900 readings=1 channels=1 span=900 "
		    "values=1 resolution-unit=1 value-min=0 value-max=0 "
		    "oldest=1699999100 newest=1700000000"},
		{"NI_FMAT1", 0, 64, 1, 1, "00f15365 ffffffff",
		 LP " granularity=900 readings=1 channels=1 span=900 "
		    "values=1 resolution-unit=1 value-min=-1000 "
		    "value-max=-1000 resolution=1000 oldest=1699999100 "
		    "newest=1700000000"},
		{"extended status before each interval", LP_EXT_STATUS, 2, 2,
		 2, "00f15365 0000 0300 0600 0000 0900 0c00",
		 LP " granularity=900 readings=2 channels=2 span=1800 "
		    "values=4 resolution-unit=1 value-min=3000 "
		    "value-max=12000 resolution=3000 oldest=1699998200 "
		    "newest=1700000000"},
		{"end pulses are totals", LP_END_PULSE, 2, 1, 1,
		 "00f15365 01000000 0300",
		 LP " granularity=900 readings=1 channels=1 span=900 "
		    "values=1 oldest=1699999100 newest=1700000000"},
		{"scaled values have no unit here", LP_SCALAR_SET1, 2, 1, 1,
		 "00f15365 0300",
		 LP " granularity=900 readings=1 channels=1 span=900 "
		    "values=1 oldest=1699999100 newest=1700000000"},
		{"no such format", 0, 3, 1, 1, "00f15365 0300",
		 LP " granularity=900"},
		{"a block without its date", 0, 2, 1, 1, "00000000 0300",
		 LP " granularity=900 readings=1 channels=1 span=900 "
		    "values=1 resolution-unit=1 value-min=3000 "
		    "value-max=3000 resolution=3000"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct c1219_shape s = meter_a();
		struct c1219_part part = whole(64);
		struct obs o = {0};
		uint8_t buf[64];

		print_message("%s\n", cases[i].why);
		s.lp_flags = cases[i].flags;
		s.lp[0].nbr_blks = 1;
		s.lp[0].nbr_blk_ints = cases[i].ints;
		s.lp[0].nbr_chns = cases[i].chans;
		s.lp[0].format = cases[i].format;
		c1219_describe(&s, &part, kit_hex(cases[i].hex, buf,
						  sizeof(buf)),
			       NULL, &o);
		assert_string_equal(facts(&o, text, sizeof(text)),
				    cases[i].want);
	}
}

static void test_events(void **state)
{
	static const struct {
		const char *why, *code, *want;
	} cases[] = {
		{"power down", "0100", "event.power"},
		{"power up", "0200", "event.power"},
		{"time changed", "0300", "event.meter"},
		{"tamper", "2f00", "event.tamper"},
		{"reverse rotation", "3000", "event.tamper"},
		{"control point", "3100", "event.meter"},
		{"seal", "3800", "event.tamper"},
		{"seal again", "3900", "event.tamper"},
		{"a selector changes nothing", "0110", "event.power"},
		{"a manufacturer's own", "0108", EV},
	};
	struct c1219_shape s = meter_a();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct c1219_part part = piece(74, 11);
		uint8_t buf[32] = {0};
		char text[128], types[96];
		struct obs o = {0};

		print_message("%s\n", cases[i].why);
		kit_hex(cases[i].code, buf + 10, 2);
		c1219_describe(&s, &part, span_of(buf, 13), NULL, &o);
		facts(&o, text, sizeof(text));
		snprintf(types, sizeof(types), "%s%s", cases[i].want,
			 strcmp(cases[i].want, EV) ? " readings=1" : "");
		assert_string_equal(text, types);
	}
}

/* Numbers of a format that does not exist take no octets: nothing is counted
 * in them. */
static void test_no_format(void **state)
{
	struct c1219_part part = whole(28);
	struct c1219_shape s = meter_a();
	uint8_t buf[4] = {0};
	char text[128];
	struct obs o = {0};

	(void)state;
	s.ni1 = 14;
	c1219_describe(&s, &part, span_of(buf, 4), NULL, &o);
	assert_string_equal(facts(&o, text, sizeof(text)),
			    "energy.register+power.instant readings=1");
}

/* Stored snapshots are never of this moment: more than one reading. */
static void test_self_reads(void **state)
{
	struct c1219_part part = whole(26);
	struct c1219_shape s = meter_a();
	uint8_t buf[8] = {0};
	struct obs o = {0};

	(void)state;
	c1219_describe(&s, &part, span_of(buf, 8), NULL, &o);
	assert_int_equal(obs_get(&o, F_READINGS, 0), 2);
	s.nbr_self_reads = 31;
	memset(&o, 0, sizeof(o));
	c1219_describe(&s, &part, span_of(buf, 8), NULL, &o);
	assert_int_equal(obs_get(&o, F_READINGS, 0), 31);
}

/* --- procedures ---------------------------------------------------------------- */

static void test_procedures(void **state)
{
	static const struct {
		const char *why, *hex;
		bool known, msb, answer;
		int want;
		uint16_t id;
		uint8_t selector, seq, result;
	} cases[] = {
		{"set the time", "0a00 01 03", true, false, false, 0, 10, 0,
		 1, 0},
		{"most first", "000a 01", true, true, false, 0, 10, 0, 1, 0},
		{"order not known, least first", "1500 07", false, false,
		 false, 0, 21, 0, 7, 0},
		{"order not known, most first", "0015 07", false, false,
		 false, 0, 21, 0, 7, 0},
		{"order not known, both could be", "0808 07", false, false,
		 false, 0, 2056, 0, 7, 0},
		{"order not known, one meaning", "0508 07", false, false,
		 false, 0, 2053, 0, 7, 0},
		{"order not known, two meanings", "0008 07", false, false,
		 false, E_SYNTAX, 0, 0, 0, 0},
		{"order not known, no meaning", "ff07 07", false, false,
		 false, E_SYNTAX, 0, 0, 0, 0},
		{"manufacturer", "0508 07", true, false, false, 0, 2053, 0, 7,
		 0},
		{"selector 3", "0930 07", true, false, false, 0, 9, 3, 7, 0},
		{"reserved selector", "0940 07", true, false, false, E_SYNTAX,
		 0, 0, 0, 0},
		{"id cut short", "09", true, false, false, E_SYNTAX, 0, 0, 0,
		 0},
		{"no sequence", "0900", true, false, false, E_SYNTAX, 0, 0, 0,
		 0},
		{"nothing", "", true, false, false, E_SYNTAX, 0, 0, 0, 0},
		{"answer", "0a00 01 05", true, false, true, 0, 10, 0, 1, 5},
		{"answer without a result", "0a00 01", true, false, true,
		 E_SYNTAX, 0, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct c1219_shape s = {
			.have = cases[i].known ? HAS_ST0 : 0,
			.msb_first = cases[i].msb};
		struct c1219_proc p;
		struct err e = {0};
		uint8_t buf[16];
		struct span data = kit_hex(cases[i].hex, buf, sizeof(buf));
		int rc = cases[i].answer ?
				 c1219_proc_response(&s, data, &p, &e) :
				 c1219_proc_request(&s, data, &p, &e);

		print_message("%s\n", cases[i].why);
		assert_int_equal(rc, cases[i].want);
		if (rc)
			continue;
		assert_int_equal(p.id, cases[i].id);
		assert_int_equal(p.selector, cases[i].selector);
		assert_int_equal(p.seq, cases[i].seq);
		assert_int_equal(p.result, cases[i].result);
	}
	assert_string_equal(c1219_proc_name(10), "set-date-and-time");
	assert_string_equal(c1219_proc_name(32),
			    "set-precision-date-and-time");
	assert_null(c1219_proc_name(33));
	assert_null(c1219_proc_name(2048));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_learn),
		cmocka_unit_test(test_relearn),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_values_sizes),
		cmocka_unit_test(test_other_order),
		cmocka_unit_test(test_learn_other_order),
		cmocka_unit_test(test_describe),
		cmocka_unit_test(test_by_index),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_profile_variants),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_no_format),
		cmocka_unit_test(test_self_reads),
		cmocka_unit_test(test_procedures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
