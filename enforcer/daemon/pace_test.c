/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "enforcer/daemon/pace.h"

#define EACH 1000

/* Who asks at each nanosecond from then on: how often he may, in so long. */
static unsigned asked(int64_t *paid, int64_t from, int64_t until,
		      uint32_t burst)
{
	unsigned n = 0;

	for (struct mono now = {from}; now.ns < until; now.ns++) {
		if (pace_may(*paid, now, EACH, burst)) {
			pace_take(paid, now, EACH);
			n++;
		}
	}
	return n;
}

static void so_often_at_once_and_then_in_each(void **state)
{
	static const struct {
		const char *why;
		int64_t idle, time; /* before he asks; how long he asks */
		uint32_t burst;
		unsigned want;
	} rows[] = {
		{"one at once", 0, 1, 1, 1},
		{"and the next a time later", 0, 1000, 1, 1},
		{"not before", 0, 1001, 1, 2},
		{"a burst", 0, 20, 5, 5},
		{"and then in each", 0, 10001, 5, 5 + 10},
		{"who did not ask has no more than a burst", 1000000, 20, 5, 5},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t paid = 0, from = 50000 + rows[i].idle;
		unsigned n = asked(&paid, from, from + rows[i].time,
				   rows[i].burst);

		if (n != rows[i].want)
			fail_msg("%s: %u, not %u", rows[i].why, n,
				 rows[i].want);
	}
}

/* What was used up comes back with time, as much as time passed. */
static void it_comes_back(void **state)
{
	int64_t paid = 0;

	(void)state;
	assert_int_equal(asked(&paid, 0, 8, 8), 8);
	assert_int_equal(asked(&paid, 8, 900, 8), 0);
	assert_int_equal(asked(&paid, 3000, 3020, 8), 3);
	assert_int_equal(asked(&paid, 100000, 100020, 8), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(so_often_at_once_and_then_in_each),
		cmocka_unit_test(it_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
