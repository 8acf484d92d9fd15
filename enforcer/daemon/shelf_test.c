/* SPDX-License-Identifier: Apache-2.0 */
/* Who is asked for, and when, however much the others need; this process is
 * the scribe, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include "core/err.h"
#include "enforcer/daemon/shelf.h"

static const struct mono now = {NS_PER_S};
static unsigned woken;

static void wake(void *arg)
{
	(void)arg;
	woken++;
}

static struct shelf *shelf_new(void)
{
	struct shelf *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->w = calloc(1, sizeof(*s->w));
	assert_non_null(s->w);
	s->w->log = s->log = 2;
	return s;
}

static void shelf_end(struct shelf *s)
{
	free(s->w);
	shelf_free(s);
	free(s);
}

/* 1 or more: what the n-th bundle has; else as shelf_get. */
static int get(struct shelf *s, enum shelf_side side, uint64_t n)
{
	struct window_key key = {WINDOW_BUNDLE, n * STORE_BUNDLE, 0};
	struct span octets;
	uint32_t have;

	return shelf_get(s, side, &key, 1, now, &octets, &have);
}

/* The scribe answers what is asked; false: nothing is. */
static bool answer(struct shelf *s)
{
	struct window *w = s->w;
	uint32_t asked;

	shelf_turn(s, now, wake, NULL);
	asked = atomic_load(&w->asked);
	if (asked == atomic_load(&w->answered))
		return false;
	w->key = w->want;
	w->rc = 0;
	w->n = 1;
	w->octets = 1;
	w->of = s->log;
	atomic_store(&w->answered, asked);
	return true;
}

static void the_first_that_was_needed_comes_first(void **state)
{
	struct shelf *s = shelf_new();

	(void)state;
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(get(s, SHELF_PORTAL, i), 0);
	for (uint64_t i = 0; i < 3; i++) {
		assert_true(answer(s));
		assert_int_equal(s->w->want.a, i * STORE_BUNDLE);
	}
	assert_false(answer(s));
	assert_int_equal(get(s, SHELF_PORTAL, 2), 1);
	assert_int_equal(woken, 3);
	shelf_end(s);
}

/* As many needs as there is room for, and new ones all the time. */
static void keeps_out(enum shelf_side much, enum shelf_side little)
{
	struct shelf *s = shelf_new();
	uint64_t n = 1000;

	for (int i = 0; i < 2 * SHELF_WANTED; i++)
		assert_int_equal(get(s, much, n++), 0);
	assert_int_equal(get(s, little, 7), 0);
	for (int turns = 0; get(s, little, 7) != 1; turns++) {
		assert_true(turns < 4);
		assert_true(answer(s));
		assert_int_equal(get(s, much, n++), 0);
	}
	shelf_end(s);
}

static void one_side_does_not_keep_out_the_other(void **state)
{
	(void)state;
	keeps_out(SHELF_PORTAL, SHELF_OPERATORS);
	keeps_out(SHELF_OPERATORS, SHELF_PORTAL);
}

/* Cosignatures that are brought without an end. */
static void what_is_brought_keeps_out_no_reader(void **state)
{
	struct shelf *s = shelf_new();
	static const int whose[2];
	int turns = 0;

	(void)state;
	assert_int_equal(get(s, SHELF_PORTAL, 7), 0);
	for (int i = 0; get(s, SHELF_PORTAL, 7) != 1; i ^= 1) {
		assert_true(turns++ < 6);
		while (shelf_post(s, &whose[i], 1, span_str("line")) == 1)
			;
		assert_true(answer(s));
		shelf_turn(s, now, wake, NULL);
	}
	/* Nor do readers keep it out. */
	for (uint64_t i = 0; i < SHELF_WANTED; i++)
		assert_int_equal(get(s, SHELF_OPERATORS, 100 + i), 0);
	shelf_forget(s, &whose[0]);
	shelf_forget(s, &whose[1]);
	for (turns = 0; shelf_post(s, s, 1, span_str("line")) != 1; turns++) {
		assert_true(turns < 6);
		answer(s);
	}
	shelf_end(s);
}

/* What both need is asked for once. */
static void what_both_need_is_asked_for_once(void **state)
{
	struct shelf *s = shelf_new();

	(void)state;
	assert_int_equal(get(s, SHELF_PORTAL, 1), 0);
	assert_int_equal(get(s, SHELF_PORTAL, 2), 0);
	assert_int_equal(get(s, SHELF_OPERATORS, 2), 0);
	assert_true(answer(s));
	assert_true(answer(s));
	assert_false(answer(s));
	assert_int_equal(get(s, SHELF_PORTAL, 1), 1);
	assert_int_equal(get(s, SHELF_PORTAL, 2), 1);
	assert_int_equal(get(s, SHELF_OPERATORS, 2), 1);
	shelf_end(s);
}

/* It cannot be found out: who needs it is told, and later it is asked for
 * again. */
static void what_cannot_be_found_out_is_told(void **state)
{
	static const int said[] = {E_STATE, E_NOMEM};
	struct window_key key = {WINDOW_BUNDLE, 0, 0};
	struct mono later = mono_add(now, SHELF_FRESH_NS);
	struct span octets;
	uint32_t n;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct shelf *s = shelf_new();

		assert_int_equal(get(s, SHELF_PORTAL, 0), 0);
		assert_true(answer(s));
		s->w->rc = said[i];
		s->w->n = s->w->octets = 0;
		assert_true(shelf_turn(s, now, wake, NULL));
		assert_int_equal(get(s, SHELF_PORTAL, 0), E_STATE);
		assert_false(answer(s));
		assert_int_equal(shelf_get(s, SHELF_PORTAL, &key, 1, later,
					   &octets, &n), 0);
		assert_true(answer(s));
		shelf_turn(s, later, wake, NULL);
		assert_int_equal(get(s, SHELF_PORTAL, 0), 1);
		shelf_end(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_that_was_needed_comes_first),
		cmocka_unit_test(one_side_does_not_keep_out_the_other),
		cmocka_unit_test(what_is_brought_keeps_out_no_reader),
		cmocka_unit_test(what_both_need_is_asked_for_once),
		cmocka_unit_test(what_cannot_be_found_out_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
