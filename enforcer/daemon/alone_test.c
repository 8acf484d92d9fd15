/* SPDX-License-Identifier: Apache-2.0 */
/* One holder of the rules at a time, told apart by network namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/daemon/alone.h"

static void one_at_a_time(void **s)
{
	char who[48];
	struct err e = {0};
	int a, b;

	(void)s;
	/* Not where a gateway may run, and not twice at the same time. */
	if (unshare(CLONE_NEWNET) != 0)
		skip();
	assert_int_equal(alone_take(&a, &e), 0);
	assert_int_equal(alone_take(&b, &e), E_EXISTS);
	assert_int_equal(b, -1);
	snprintf(who, sizeof(who), "(process %ld, uid %ld)", (long)getpid(),
		 (long)geteuid());
	assert_non_null(strstr(e.text, who));
	assert_non_null(strstr(e.text, "end it first"));
	/* However many ask: it is held, and the answer comes at once. */
	for (int i = 0; i < 300; i++)
		assert_int_equal(alone_take(&b, &e), E_EXISTS);
	close(a);
	assert_int_equal(alone_take(&b, &e), 0);
	close(b);
}

static void each_network_has_its_own(void **s)
{
	struct err e = {0};
	int a, b;

	(void)s;
	if (unshare(CLONE_NEWNET) != 0)
		skip();
	assert_int_equal(alone_take(&a, &e), 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(alone_take(&b, &e), 0);
	close(a);
	close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time),
		cmocka_unit_test(each_network_has_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
