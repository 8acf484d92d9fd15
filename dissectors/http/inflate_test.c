/* SPDX-License-Identifier: Apache-2.0 */
/* What encoders write is read; what carries more than its content is not (the
 * rows of attacks.def say how). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <zlib.h>

#include "core/reason.h"
#include "dissectors/http/inflate.h"

#define CONTENT 20000

static uint8_t content[CONTENT], coded[2 * CONTENT], out[INFLATE_MAX];
static struct inflate_block block;

/* As a table of readings: much of it the same, some of it not. */
static void fill(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < CONTENT; i++) {
		x = x * 1103515245 + 12345;
		content[i] = i % 16 < 12 ? (uint8_t)"<real val='0"[i % 16 % 12] :
					   (uint8_t)('0' + (x >> 16) % 10);
	}
}

static struct span encode(size_t n, int level, int strategy, int window,
			  size_t flush_every)
{
	z_stream z = {0};

	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, window, 8,
				      strategy),
			 Z_OK);
	z.next_out = coded;
	z.avail_out = sizeof(coded);
	for (size_t at = 0; flush_every && at + flush_every < n;
	     at += flush_every) {
		z.next_in = content + at;
		z.avail_in = (uInt)flush_every;
		assert_int_equal(deflate(&z, Z_PARTIAL_FLUSH), Z_OK);
	}
	z.next_in = content + z.total_in;
	z.avail_in = (uInt)(n - z.total_in);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return span_of(coded, z.total_out);
}

static void encoders(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 34, 700, CONTENT};
	struct span plain;
	struct err e;

	(void)state;
	fill();
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (int c = 0; c < 10 * 5 * 2; c++) {
			bool gzip = c % 2;
			struct span in = encode(sizes[i], c / 2 % 10, c / 20,
						gzip ? 15 + 16 : 15, 0);

			/* One who sees but ever the same may be too good. */
			if (sizes[i] > in.n * INFLATE_RATIO)
				continue;
			if (inflate_body(&block, gzip, in, out, &plain, &e))
				fail_msg("%zu octets, %d: %s", sizes[i], c,
					 e.text);
			assert_int_equal(plain.n, sizes[i]);
			assert_memory_equal(out, content, sizes[i]);
		}
	}
}

/* One that was flushed once, as a server does with what it knows so far. */
static void flushed(void **state)
{
	struct span plain;
	struct err e = {0};

	(void)state;
	fill();
	assert_int_equal(inflate_body(&block, true,
				      encode(700, 6, 0, 15 + 16, 400), out,
				      &plain, &e),
			 0);
	assert_int_equal(plain.n, 700);
}

/* Any bit of the head or the checksums changed is refused, or is the time. */
static void bits(void **state)
{
	struct span plain, in;
	struct err e;

	(void)state;
	fill();
	in = encode(700, 6, 0, 15 + 16, 0);
	for (size_t i = 0; i < 8 * in.n; i++) {
		size_t at = i / 8;
		bool time = at >= 4 && at < 8;
		int rc;

		/* Of its blocks another choice may give the same. */
		if (at >= 8 && at < in.n - 8)
			continue;
		coded[at] ^= (uint8_t)(1u << i % 8);
		rc = inflate_body(&block, true, in, out, &plain, &e);
		coded[at] ^= (uint8_t)(1u << i % 8);
		if ((rc == 0) != time)
			fail_msg("bit %zu", i);
		if (rc)
			assert_int_equal(e.reason, REASON_ENCODING);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encoders),
		cmocka_unit_test(flushed),
		cmocka_unit_test(bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
