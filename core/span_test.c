/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/arena.h"
#include "core/span.h"
#include "core/wbuf.h"

static const uint8_t octets[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};

static void takes_to_the_last_octet(void **s)
{
	struct cur c = cur_of(span_of(octets, sizeof(octets)));

	(void)s;
	assert_int_equal(cur_u8(&c), 1);
	assert_int_equal(cur_u16(&c), 0x0203);
	assert_int_equal(cur_be(&c, 3), 0x040506);
	assert_int_equal(cur_le(&c, 2), 0x0807);
	assert_false(cur_done(&c));
	assert_int_equal(cur_left(&c), 1);
	assert_int_equal(cur_u8(&c), 9);
	assert_true(cur_done(&c));
	c = cur_of(span_of(octets, sizeof(octets)));
	assert_int_equal(cur_le64(&c), UINT64_C(0x0807060504030201));
	assert_int_equal(cur_le64(&c), 0);
	assert_false(cur_ok(&c));
}

static void numbers_of_every_width(void **s)
{
	(void)s;
	for (size_t n = 0; n <= sizeof(octets); n++) {
		struct cur be = cur_of(span_of(octets, n));
		struct cur le = cur_of(span_of(octets, n));
		uint64_t up = 0, down = 0;

		for (size_t i = 0; i < n; i++) {
			up = up << 8 | octets[i];
			down = down << 8 | octets[n - 1 - i];
		}
		assert_true(cur_be(&be, n) == up);
		assert_true(cur_done(&be));
		assert_true(cur_le(&le, n) == down);
		assert_true(cur_done(&le));
		/* There is none. */
		assert_int_equal(cur_be(&be, 1 + n), 0);
		assert_false(cur_ok(&be));
	}
}

static void sums_of_every_length(void **s)
{
	uint8_t in[67];

	(void)s;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(0xff - 3 * (i & 1) * i);
	for (size_t n = 0; n <= sizeof(in); n++) {
		uint32_t want = 0;

		for (size_t i = 0; i < n; i++)
			want += (uint32_t)in[i] << (i & 1 ? 0 : 8);
		while (want >> 16)
			want = (want & 0xffff) + (want >> 16);
		assert_int_equal(span_sum16(span_of(in, n)), want);
	}
	memset(in, 0xff, sizeof(in));
	assert_int_equal(span_sum16(span_of(in, 64)), 0xffff);
	memset(in, 0, sizeof(in));
	assert_int_equal(span_sum16(span_of(in, 64)), 0);
}

static void one_past_the_end_fails_for_good(void **s)
{
	struct cur c = cur_of(span_of(octets, 2));

	(void)s;
	assert_int_equal(cur_take(&c, 3).n, 0);
	assert_false(cur_ok(&c));
	/* Two octets are there, and yet: sticky. */
	assert_int_equal(cur_u8(&c), 0);
	assert_int_equal(cur_left(&c), 0);
	assert_int_equal(cur_peek(&c, 1).n, 0);
	assert_false(cur_done(&c));
}

static void huge_lengths_do_not_wrap(void **s)
{
	struct cur c = cur_of(span_of(octets, 9));

	(void)s;
	cur_u8(&c);
	assert_int_equal(cur_take(&c, SIZE_MAX).n, 0);
	assert_false(cur_ok(&c));
	assert_int_equal(span_sub(span_of(octets, 9), 8, SIZE_MAX).n, 1);
	assert_int_equal(span_sub(span_of(octets, 9), SIZE_MAX, 1).n, 0);
}

static void a_child_cannot_leave_its_own_end(void **s)
{
	struct cur c = cur_of(span_of(octets, 9));
	struct cur k = cur_sub(&c, 2);

	(void)s;
	assert_int_equal(cur_u16(&k), 0x0102);
	assert_int_equal(cur_u8(&k), 0);
	assert_false(cur_ok(&k));
	assert_true(cur_ok(&c));
	k = cur_sub(&c, 8);
	assert_false(cur_ok(&k));
	assert_false(cur_ok(&c));
}

static void nothing_is_read_from_nothing(void **s)
{
	struct cur c = cur_of((struct span){0});

	(void)s;
	assert_true(cur_done(&c));
	assert_int_equal(cur_take(&c, 0).n, 0);
	assert_true(cur_ok(&c));
	assert_int_equal(cur_u64(&c), 0);
	assert_false(cur_ok(&c));
}

static void sums_are_those_of_the_internet(void **s)
{
	/* RFC 1071 section 3: 0001 f203 f4f5 f6f7 sum to ddf2. */
	static const uint8_t rfc[] = {0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7};
	uint8_t b[41];

	(void)s;
	assert_int_equal(span_sum16(span_of(rfc, 8)), 0xddf2);
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(i * 71 + 200);
	for (size_t n = 0; n <= sizeof(b); n++) {
		uint32_t want = 0;

		for (size_t i = 0; i < n; i++)
			want += i % 2 ? b[i] : (uint32_t)b[i] << 8;
		want = (want & 0xffff) + (want >> 16);
		want = (want & 0xffff) + (want >> 16);
		assert_int_equal(span_sum16(span_of(b, n)), want);
	}
}

static void writers_stop_at_their_end(void **s)
{
	uint8_t b[4];
	struct wbuf w = wbuf_of(b, sizeof(b));

	(void)s;
	wbuf_be(&w, 0x010203, 3);
	wbuf_be(&w, 0xffff, 2);
	assert_true(w.failed);
	assert_int_equal(w.n, 3);
	wbuf_u8(&w, 1); /* would fit, but failed is failed */
	assert_int_equal(w.n, 3);
	assert_memory_equal(b, "\1\2\3", 3);
	w = wbuf_of(b, sizeof(b));
	wbuf_le(&w, 0x0102, 2);
	assert_memory_equal(b, "\2\1", 2);
}

static void an_arena_gives_zeros_until_it_is_full(void **s)
{
	static _Alignas(16) uint8_t block[64];
	struct arena a = arena_of(block, sizeof(block));
	size_t mark;
	uint8_t *p;

	(void)s;
	memset(block, 0xff, sizeof(block));
	p = arena_alloc(&a, 1);
	assert_non_null(p);
	assert_int_equal(*p, 0);
	mark = arena_mark(&a);
	p = arena_alloc(&a, 16);
	assert_int_equal((uintptr_t)p % 16, 0);
	assert_null(arena_alloc(&a, 33));
	assert_null(arena_alloc(&a, SIZE_MAX));
	arena_release(&a, mark);
	assert_non_null(arena_alloc(&a, 48));
	assert_int_equal(a.peak, 64);
	assert_int_equal(arena_copy(&a, span_str("x")).n, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_to_the_last_octet),
		cmocka_unit_test(numbers_of_every_width),
		cmocka_unit_test(sums_of_every_length),
		cmocka_unit_test(one_past_the_end_fails_for_good),
		cmocka_unit_test(huge_lengths_do_not_wrap),
		cmocka_unit_test(a_child_cannot_leave_its_own_end),
		cmocka_unit_test(nothing_is_read_from_nothing),
		cmocka_unit_test(sums_are_those_of_the_internet),
		cmocka_unit_test(writers_stop_at_their_end),
		cmocka_unit_test(an_arena_gives_zeros_until_it_is_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
