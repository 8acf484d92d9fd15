/* SPDX-License-Identifier: Apache-2.0 */
/* What is written is gone with the process where its file has no name any
 * more: a writer looks before each commit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/testdb.h"

static const struct {
	const char *why, *how, *text;
} rows[] = {
	{"nothing", "true", NULL},
	{"a reader that came and went", "cat a.db a.db-wal >/dev/null", NULL},
	{"the log removed", "rm a.db", "a.db is not there any more"},
	{"another in its place", "cp a.db x && mv x a.db",
	 "a.db is another file now"},
	{"its journal removed", "rm a.db-wal", "a.db-wal is not there any more"},
	{"another in the journal's place", "cp a.db-wal x && mv x a.db-wal",
	 "a.db-wal is another file now"},
};

static void what_was_taken_away_is_missed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {0}, ignored;
		struct audit *a;
		char cmd[160];
		int rc;

		test_clean();
		a = test_open(0);
		test_append(a, 0, 10);
		assert_int_equal(audit_commit(a, &e), 0);
		assert_int_equal(audit_there(a, &e), 0);
		snprintf(cmd, sizeof(cmd), "cd '%s' && %s", test_dir,
			 rows[i].how);
		assert_int_equal(system(cmd), 0);
		rc = audit_there(a, &e);
		if (rc != (rows[i].text ? E_INTEGRITY : 0) ||
		    (rows[i].text && !strstr(e.text, rows[i].text)))
			fail_msg("%s: %d %s", rows[i].why, rc, e.text);
		(void)!audit_close(a, &ignored);
	}
}

/* However long it is written, and read beside: the journal stays the same. */
static void a_log_that_is_written_keeps_its_journal(void **state)
{
	struct err e = {0};
	struct audit *a;

	(void)state;
	test_clean();
	a = test_open(0);
	for (uint64_t i = 0; i < 40; i++) {
		struct verify_result r;

		test_append(a, i * 500, i * 500 + 500);
		if (audit_commit(a, &e) || audit_there(a, &e) ||
		    (i % 10 == 9 &&
		     verify_file(test_path, NULL, &r, NULL, NULL, &e)) ||
		    audit_there(a, &e))
			fail_msg("%s", e.text);
	}
	test_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_taken_away_is_missed),
		cmocka_unit_test(a_log_that_is_written_keeps_its_journal),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
