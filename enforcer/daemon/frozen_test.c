/* SPDX-License-Identifier: Apache-2.0 */
/* Who is frozen, kept on the disk; a file that says nothing closes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/daemon/frozen.h"

static char dir[] = "/tmp/frozen-XXXXXX";
static char path[64];

static void put(const char *text, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void it_is_kept(void **s)
{
	struct frozen f = {0}, back;
	struct err e;

	(void)s;
	assert_int_equal(frozen_read(&back, dir, &e), 0);
	assert_int_equal(back.n, 0);
	assert_true(frozen_set(&f, "dr", true));
	assert_true(frozen_set(&f, "mdma", true));
	assert_true(frozen_set(&f, "mdma", true));
	assert_int_equal(f.n, 2);
	assert_int_equal(frozen_write(&f, dir, &e), 0);
	assert_int_equal(frozen_read(&back, dir, &e), 0);
	assert_true(frozen_has(&back, "dr") && frozen_has(&back, "mdma"));
	assert_true(frozen_set(&f, "dr", false));
	assert_int_equal(frozen_write(&f, dir, &e), 0);
	assert_int_equal(frozen_read(&back, dir, &e), 0);
	assert_false(frozen_has(&back, "dr"));
	assert_true(frozen_has(&back, "mdma"));
	assert_true(frozen_write(&f, "/nowhere/at/all", &e) < 0);
}

static void what_makes_no_sense_is_refused(void **s)
{
	static const struct {
		const char *why, *text;
		size_t n;
		bool good;
	} rows[] = {
		{"nobody",           "",				0,  true },
		{"one",              "dr\n",                            3,  true },
		{"a line cut short", "dr\nmd",                          5,  false},
		{"an empty name",    "dr\n\n",                          4,  false},
		{"an octet of zero", "d\0r\n",                          4,  false},
		{"too long a name",
		 "0123456789012345678901234567890123456789012345678\n", 50,
		 false							   },
	};
	struct frozen f;
	struct err e;

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		put(rows[i].text, rows[i].n);
		if ((frozen_read(&f, dir, &e) == 0) != rows[i].good)
			fail_msg("%s", rows[i].why);
	}
	unlink(path);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_true(frozen_read(&f, dir, &e) < 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_kept),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};
	int rc;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/frozen", dir);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(dir);
	return rc;
}
