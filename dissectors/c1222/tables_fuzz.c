/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C12.19 tables: any images teach a shape, any data are described and decoded
 * with it. Properties: a refused lesson leaves the shape alone; the same data
 * give the same facts; every type stated is one the table can carry; how fine
 * or how old is never stated without a shape or a profile; more values than
 * octets, or a range the wrong way round, are never stated; what is decoded
 * as text lies inside the data; what can be decoded has a size that the table
 * can have, and makes one object of text.
 *
 * Input: records of 5 octets and their data: flags (bit 0 whole, 1 by index,
 * 2 with profile, 3 learn, 4 as text), table, offset (2), octets of data.
 */
#include <assert.h>
#include <stdlib.h>

#include "dissectors/c1222/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS_MAX 64

static const struct c1222_profile profile = {
	.present = true,
	.register_res_milli_wh = 10000,
	.load_profile = {{64, 900}, {65, 3600}},
	.mfg = {{2049, MEAS_BIT(MEAS_ENERGY_REGISTER)}},
	.n_mfg = 1,
};

struct all {
	struct span data;
	size_t n;
};

static void on_value(void *arg, const struct c1219_value *v)
{
	struct all *a = arg;

	assert(v->name && v->name[0]);
	if (v->text.n) {
		assert(v->text.p >= a->data.p && v->text.n <= a->data.n);
		assert((size_t)(v->text.p - a->data.p) <=
		       a->data.n - v->text.n);
	}
	a->n++;
}

static void check_decoded(const struct c1219_shape *s,
			  const struct c1219_part *part, struct span data,
			  int values)
{
	static uint8_t memory[80 * 1024];
	struct arena arena = arena_of(memory, sizeof(memory));
	struct span text;
	int rc = c1219_decoded(s, part, data, &arena, &text);

	assert(rc == values || rc == E_NOMEM);
	if (rc) {
		assert(arena_mark(&arena) == 0);
		return;
	}
	assert(text.n >= 2 && text.p[0] == '{' && text.p[text.n - 1] == '}');
	assert(arena_mark(&arena) == text.n);
}

static void check_values(const struct c1219_shape *s,
			 const struct c1219_part *part, struct span data,
			 bool decoded)
{
	struct all a = {data, 0};
	int rc = c1219_values(s, part, data, on_value, &a);

	assert(rc == 0 || rc == E_SYNTAX || rc == E_UNSUPPORTED);
	assert(rc != E_UNSUPPORTED || a.n == 0);
	/* A value has an octet at least, or a bit, or stands in the head of
	 * ST-0, where three octets hold nine. */
	assert(a.n <= 8 * data.n + 64);
	if (rc == 0)
		assert(c1219_size_ok(s, part, data));
	if (decoded)
		check_decoded(s, part, data, rc);
}

static bool knows_length(const struct c1219_shape *s, uint16_t table,
			 const struct c1222_profile *p)
{
	return shape_has(s, HAS_ST61) ||
	       (p && (table == 64 || table == 65));
}

static void check_facts(const struct c1219_shape *s,
			const struct c1219_part *part, struct span data,
			const struct c1222_profile *p, const struct obs *o)
{
	meas_set m = obs_get(o, F_MEASUREMENT, 0);
	meas_set can = c1219_meas(part->table, p);

	assert(o->dropped == 0 && m != 0);
	/* Selections name energy where the list has live values only. */
	if (part->table == 28)
		can |= MEAS_BIT(MEAS_ENERGY_REGISTER);
	assert((m & ~can) == 0);
	if (obs_has(o, F_GRANULARITY)) {
		assert(part->table >= 64 && part->table <= 67);
		assert(obs_get(o, F_GRANULARITY, 0) > 0);
		assert(knows_length(s, part->table, p));
		assert(!s->profile_mismatch);
	}
	if (obs_has(o, F_OLDEST)) {
		assert(shape_has(s, HAS_ST0 | HAS_ST61 | HAS_ST62));
		assert(obs_has(o, F_NEWEST));
		assert(obs_get_i64(o, F_OLDEST, 0) <
		       obs_get_i64(o, F_NEWEST, 0));
	}
	if (obs_has(o, F_SPAN_S))
		assert(obs_get(o, F_SPAN_S, 0) ==
		       obs_get(o, F_READINGS, 0) *
			       obs_get(o, F_GRANULARITY, 0));
	if (obs_has(o, F_VALUES))
		assert(obs_get(o, F_VALUES, 0) <= data.n);
	if (obs_has(o, F_VALUE_MIN)) {
		assert(obs_get_i64(o, F_VALUE_MIN, 0) <=
		       obs_get_i64(o, F_VALUE_MAX, 0));
		assert(obs_has(o, F_RES_UNIT));
	}
	if (obs_has(o, F_RES_STEP)) {
		int64_t step = (int64_t)obs_get(o, F_RES_STEP, 0);

		assert(step != 0 && obs_has(o, F_VALUE_MIN));
		if (step > 0)
			assert(obs_get_i64(o, F_VALUE_MAX, 0) % step == 0 &&
			       obs_get_i64(o, F_VALUE_MIN, 0) % step == 0);
	}
}

static void one(struct c1219_shape *s, uint8_t flags,
		const struct c1219_part *part, struct span data)
{
	const struct c1222_profile *p = flags & 4 ? &profile : NULL;
	struct obs a = {0}, b = {0}, r = {0};
	struct c1219_shape was = *s;
	struct c1219_proc proc;

	c1219_describe(s, part, data, p, &a);
	c1219_describe(s, part, data, p, &b);
	assert(memcmp(&a, &b, sizeof(a)) == 0);
	assert(memcmp(s, &was, sizeof(was)) == 0);
	check_facts(s, part, data, p, &a);
	c1219_describe_request(s, part, p, &r);
	/* The request promises no less than the answer gives, except where
	 * nothing in the answer could be told apart. */
	assert((obs_get(&a, F_MEASUREMENT, 0) &
		~obs_get(&r, F_ASKS_FOR, 0)) == 0);
	check_values(s, part, data, flags & 16);
	if (c1219_proc_request(s, data, &proc, NULL) == 0)
		assert(proc.id < 4096 && proc.selector <= 3);
	if (c1219_proc_response(s, data, &proc, NULL) == 0)
		assert(proc.id < 4096 && proc.selector <= 15);
	if (!(flags & 8))
		return;
	if (c1219_learn(s, part, data, p, NULL) != 0)
		assert(memcmp(s, &was, sizeof(was)) == 0);
	else if (c1219_teaches(part->table) && part->whole)
		assert(s->have != 0);
	else
		assert(memcmp(s, &was, sizeof(was)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cur c = cur_of(span_of(data, size));
	struct c1219_shape s;

	memset(&s, 0, sizeof(s));
	for (int i = 0; i < RECORDS_MAX && cur_left(&c) > 0; i++) {
		uint8_t flags = cur_u8(&c);
		struct c1219_part part = {
			.table = cur_u8(&c),
			.whole = flags & 1,
			.by_index = (flags & 3) == 2,
			.by_offset = (flags & 3) == 0,
		};
		struct span d;

		if (flags & 0x80)
			part.table = (uint16_t)(2048 + part.table);
		part.offset = cur_u16(&c);
		/* Lengths in steps of eight reach a whole load profile. */
		d = cur_peek(&c, flags & 0x40 ? cur_u8(&c) * 8u : cur_u8(&c));
		cur_take(&c, d.n);
		one(&s, flags, &part, d);
	}
	return 0;
}
