/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/names.h"

static struct net_addr addr(uint8_t last)
{
	struct net_addr a = {{0}};

	a.b[15] = last;
	return a;
}

static struct mono at(int64_t s)
{
	return (struct mono){s * NS_PER_S};
}

/* Whose address it was last, and for how many seconds it has not been. */
static void was(const struct names *t, uint8_t last, int64_t s,
		const char *name, int64_t since)
{
	struct net_addr a = addr(last);
	struct mono until = {0};
	struct span n = names_stood_for(t, &a, at(s), &until);

	assert_true(span_is(n, name));
	if (n.n)
		assert_int_equal(mono_sub(at(s), until), since * NS_PER_S);
}

static bool stands(const struct names *t, const char *name, uint8_t last,
		  int64_t s)
{
	struct net_addr a = addr(last);

	return names_stand_for(t, span_str(name), &a, at(s));
}

static void bind_at(struct names *t, const char *name, uint8_t last, int64_t s,
		    uint32_t ttl)
{
	struct net_addr a = addr(last);

	names_bind(t, span_str(name), &a, at(s), ttl);
}

static void test_times(void **state)
{
	static struct names t;

	(void)state;
	assert_false(stands(&t, "a", 1, 10));
	bind_at(&t, "a", 1, 10, 300);
	assert_true(stands(&t, "a", 1, 10));
	assert_true(stands(&t, "a", 1, 310));
	assert_false(stands(&t, "a", 1, 311));
	assert_false(stands(&t, "a", 2, 20));
	assert_false(stands(&t, "b", 1, 20));
	assert_false(stands(&t, "", 1, 20));
	was(&t, 1, 310, "", 0);
	was(&t, 1, 320, "a", 10);
	was(&t, 2, 320, "", 0);
	/* Said again, it goes on; a shorter time takes nothing back. */
	bind_at(&t, "a", 1, 300, 100);
	assert_true(stands(&t, "a", 1, 400));
	bind_at(&t, "a", 1, 301, 1);
	assert_true(stands(&t, "a", 1, 400) && !stands(&t, "a", 1, 401));
	/* No time, and little, are a minute. */
	bind_at(&t, "b", 1, 500, 0);
	assert_true(stands(&t, "b", 1, 560) && !stands(&t, "b", 1, 561));
	/* Of two names the one that ended last. */
	bind_at(&t, "d", 1, 450, 60);
	was(&t, 1, 450, "a", 50);
	was(&t, 1, 530, "d", 20);
	was(&t, 1, 600, "b", 40);
	/* Anew after a gap. */
	assert_false(stands(&t, "a", 1, 999));
	bind_at(&t, "a", 1, 1000, 60);
	assert_true(stands(&t, "a", 1, 1060) && !stands(&t, "a", 1, 1061));
	/* More than a day is a day. */
	bind_at(&t, "c", 1, 1000, 86401);
	assert_true(stands(&t, "c", 1, 87400) && !stands(&t, "c", 1, 87401));
	bind_at(&t, "c", 1, 2000, UINT32_MAX);
	assert_true(stands(&t, "c", 1, 88400) && !stands(&t, "c", 1, 88401));
	assert_int_equal(t.n, 4);
	bind_at(&t, "", 9, 1000, 60);
	assert_int_equal(t.n, 4);
}

/* Two names of one address, two addresses of one name. */
static void test_many(void **state)
{
	static struct names t;

	(void)state;
	bind_at(&t, "a", 1, 0, 60);
	bind_at(&t, "b", 1, 0, 60);
	bind_at(&t, "a", 2, 0, 60);
	assert_true(stands(&t, "a", 1, 1) && stands(&t, "b", 1, 1) &&
		    stands(&t, "a", 2, 1) && !stands(&t, "b", 2, 1));
}

static void test_full(void **state)
{
	static struct names t;

	(void)state;
	for (unsigned i = 0; i < NAMES_MAX; i++)
		bind_at(&t, "a", (uint8_t)i, 0, i == 7 ? 100 : 1000 + i);
	bind_at(&t, "b", 1, 1, 500);
	assert_int_equal(t.n, NAMES_MAX);
	/* The one that ended first is gone, all others are there. */
	for (unsigned i = 0; i < NAMES_MAX; i++)
		assert_int_equal(stands(&t, "a", (uint8_t)i, 1), i != 7);
	assert_true(stands(&t, "b", 1, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
