/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "audit/reader.h"
#include "audit/store.h"
#include "audit/testdb.h"

static const uint8_t key[32] = {1, 2, 3};

static struct store *open_store(void)
{
	struct err e = {0};
	struct store *s;

	if (store_open(&s, test_path, "meter-1.meter.example/audit", 0, key,
		       false, &e))
		fail_msg("%s", e.text);
	return s;
}

static const struct {
	const char *why, *sql;
	int want;
} attempts[] = {
	{"a bundle written over",
	 "INSERT OR REPLACE INTO bundle SELECT * FROM bundle WHERE first = 0", E_STATE},
	{"the last bundle written over",
	 "INSERT OR REPLACE INTO bundle SELECT first, n, x'00', chain, seg"
	 " FROM bundle WHERE first = 512", E_STATE},
	{"a gap", "INSERT INTO bundle SELECT 1024, n, data, chain, seg"
		  " FROM bundle WHERE first = 0", E_STATE},
	{"a bundle behind one that is not full",
	 "INSERT INTO bundle SELECT 768, n, data, chain, seg"
	 " FROM bundle WHERE first = 0", E_STATE},
	{"a bundle that is not aligned",
	 "INSERT INTO bundle SELECT 600, n, data, chain, seg"
	 " FROM bundle WHERE first = 0", E_STATE},
	{"an old bundle grows",
	 "UPDATE bundle SET n = n + 1, data = CAST(data || x'0000' AS BLOB)"
	 " WHERE first = 0", E_STATE},
	{"the last one shrinks",
	 "UPDATE bundle SET n = n - 1 WHERE first = 512", E_STATE},
	{"the last one changes in place",
	 "UPDATE bundle SET data = zeroblob(length(data)), n = n + 1"
	 " WHERE first = 512", E_STATE},
	{"the last one grows over what it held",
	 "UPDATE bundle SET data = zeroblob(length(data) + 2), n = n + 1"
	 " WHERE first = 512", E_STATE},
	{"the last one moves",
	 "UPDATE bundle SET first = 768 WHERE first = 512", E_STATE},
	{"a bundle goes", "DELETE FROM bundle WHERE first = 512", E_STATE},
	{"all of them go", "DELETE FROM bundle", E_STATE},
	{"a tile with a gap",
	 "INSERT INTO tile SELECT level, idx + 5, data FROM tile", E_STATE},
	{"a tile written over", "INSERT OR REPLACE INTO tile SELECT * FROM tile", E_STATE},
	{"a tile changes", "UPDATE tile SET data = zeroblob(8192)", E_STATE},
	{"a tile goes", "DELETE FROM tile WHERE idx = 1", E_STATE},
	{"a second state",
	 "INSERT INTO state SELECT 1, origin, size, frontier, chain, boot,"
	 " checkpoint, anchored, commits, tally FROM state", E_STATE},
	{"a state written over",
	 "INSERT OR REPLACE INTO state SELECT * FROM state", E_STATE},
	{"the size goes back", "UPDATE state SET commits = commits + 1, size = size - 1", E_STATE},
	{"the boot goes back", "UPDATE state SET commits = commits + 1, boot = boot - 1", E_STATE},
	{"another chain at the same size",
	 "UPDATE state SET commits = commits + 1, chain = zeroblob(32)", E_STATE},
	{"another frontier at the same size",
	 "UPDATE state SET commits = commits + 1, frontier = zeroblob(64)", E_STATE},
	{"the commits stay", "UPDATE state SET commits = commits", E_STATE},
	{"another origin", "UPDATE state SET commits = commits + 1, origin = 'x'", E_STATE},
	{"the state goes", "DELETE FROM state", E_STATE},
	{"a protected record written over",
	 "INSERT OR REPLACE INTO protected SELECT * FROM protected", E_STATE},
	{"a protected record changes", "UPDATE protected SET kind = 1", E_STATE},
	{"a protected record goes", "DELETE FROM protected", E_STATE},
	{"a boot written over", "INSERT OR REPLACE INTO boot SELECT * FROM boot", E_STATE},
	{"a boot changes", "UPDATE boot SET key = zeroblob(32)", E_STATE},
	{"a boot goes", "DELETE FROM boot", E_STATE},
	{"a number in a place of octets",
	 "INSERT INTO protected VALUES(100000, 1, 17)", E_STATE},
	{"a schema edited by hand",
	 "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema", E_IO},
};

static void the_past_is_guarded(void **state)
{
	struct db *d;

	(void)state;
	test_make(600);
	d = test_db();
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		struct err e = {0};

		/* By a guard, not by a slip in the statement. */
		if (db_exec(d, attempts[i].sql, &e) != attempts[i].want)
			fail_msg("%s: %s", attempts[i].why, e.text);
	}
	test_db_close(d);
	test_whole(600);
}

static void checkpoints_only_move_forward(void **state)
{
	struct err e = {0};
	struct db *d;

	(void)state;
	test_make(10);
	d = test_db();
	test_exec(d, "INSERT INTO checkpoint(size, note) VALUES(5, x'01')");
	test_exec(d, "UPDATE checkpoint SET cosigned = x'02'");
	assert_int_equal(db_exec(d, "INSERT INTO checkpoint(size, note)"
				    " VALUES(4, x'01')", &e), E_STATE);
	assert_int_equal(db_exec(d, "INSERT OR REPLACE INTO"
				    " checkpoint(size, note)"
				    " VALUES(5, x'03')", &e), E_STATE);
	assert_int_equal(db_exec(d, "UPDATE checkpoint SET note = x'02'", &e),
			 E_STATE);
	assert_int_equal(db_exec(d, "DELETE FROM checkpoint", &e), E_STATE);
	test_db_close(d);
}

static void what_is_not_committed_is_gone(void **state)
{
	struct audit *a;
	struct err e = {0};
	struct store *s;

	(void)state;
	test_make(300);
	s = open_store();
	assert_int_equal(store_size(s), 300);
	/* Over the border of a bundle: one row is already in sqlite. */
	for (int i = 0; i < 400; i++)
		assert_int_equal(store_add(s, span_str("no record"), 0, 1, &e),
				 0);
	assert_int_equal(store_size(s), 700);
	assert_int_equal(store_close(s, &e), 0);
	test_whole(300);
	a = test_open(0);
	test_append(a, 300, 310);
	test_close(a);
	test_whole(310);
}

/* A writer that dies: what it committed is there, nothing else. */
static void a_killed_writer_loses_only_what_it_did_not_commit(void **state)
{
	struct err e = {0};
	pid_t pid;
	int status;

	(void)state;
	test_make(300);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct audit *a = test_open(0);

		test_append(a, 300, 700);
		if (audit_commit(a, &e))
			_exit(1);
		test_append(a, 700, 1300);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	test_whole(700); /* out of the WAL */
	test_close(test_open(0));
	test_whole(700);
}

/* The second one's idea of the end is old: its commit is refused. */
static void two_writers_cannot_both_append(void **state)
{
	struct audit *a, *b;
	struct err e = {0};
	struct sample s;

	(void)state;
	test_make(300);
	a = test_open(2); /* both continue the last boot */
	b = test_open(2);
	test_append(a, 300, 320);
	test_close(a);
	test_append(b, 300, 310);
	assert_int_equal(audit_commit(b, &e), E_STATE);
	assert_non_null(strstr(e.text, "only the last bundle may grow"));
	/* And from then on nothing is taken any more. */
	assert_int_equal(audit_append(b, sample_flow(&s, 999), NULL, &e),
			 E_STATE);
	assert_int_equal(audit_close(b, &e), E_STATE);
	test_whole(320);
}

static const struct {
	const char *why, *sql;
} changes[] = {
	{"size", "UPDATE state SET size = size + 1"},
	{"frontier", "UPDATE state SET frontier = zeroblob(length(frontier))"},
	{"chain", "UPDATE state SET chain = zeroblob(32)"},
	{"boot", "UPDATE state SET boot = 77"},
	{"no state", "DELETE FROM state"},
	{"chain of the last bundle",
	 "UPDATE bundle SET chain = zeroblob(32) WHERE first = 512"},
	{"content of the last bundle",
	 "UPDATE bundle SET data = zeroblob(length(data)) WHERE first = 512"},
	{"fewer in the last bundle",
	 "UPDATE bundle SET n = n - 1 WHERE first = 512"},
	{"no last bundle", "DELETE FROM bundle WHERE first = 512"},
	{"no bundle in the middle", "DELETE FROM bundle WHERE first = 256"},
	{"no tile", "DELETE FROM tile WHERE idx = 1"},
	{"another tile", "UPDATE tile SET data = zeroblob(8192) WHERE idx = 1"},
	{"a checkpoint of nobody",
	 "INSERT INTO checkpoint(size, note) VALUES(5, x'00')"},
	{"a checkpoint too few", "UPDATE state SET checkpoint = 5"},
	{"an open count of nobody", "INSERT INTO tally VALUES(1, x'00')"},
	{"a digest of open counts", "UPDATE state SET tally = zeroblob(32)"},
	{"a tile too many", "INSERT INTO tile SELECT 0, 2, data FROM tile"
			    " WHERE idx = 0"},
};

static void a_changed_file_is_not_continued(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct err e = {0};
		struct store *s;
		struct db *d;
		int rc;

		test_make(600);
		d = test_db();
		test_guards(d, false);
		test_exec(d, changes[i].sql);
		test_guards(d, true);
		test_db_close(d);
		rc = store_open(&s, test_path, "meter-1.meter.example/audit",
				2, key, false, &e);
		if (rc != E_INTEGRITY)
			fail_msg("%s: %d %s", changes[i].why, rc, e.text);
	}
}

static void a_damaged_page_is_not_continued(void **state)
{
	struct err e = {0};
	struct store *s;
	FILE *f;

	(void)state;
	test_make(600);
	f = fopen(test_path, "r+b");
	assert_non_null(f);
	fseek(f, 2 * 4096 + 3000, SEEK_SET);
	fputc(0x5a, f);
	fclose(f);
	assert_int_equal(store_open(&s, test_path,
				    "meter-1.meter.example/audit", 0, key,
				    false, &e), E_INTEGRITY);
	assert_non_null(strstr(e.text, "page"));
}

static const struct {
	const char *why, *origin;
	uint32_t boot;
	uint8_t key0;
	int want;
} openings[] = {
	{"the next boot", "meter-1.meter.example/audit", 0, 9, 0},
	{"a later boot", "meter-1.meter.example/audit", 9, 9, 0},
	{"the last boot again", "meter-1.meter.example/audit", 2, 1, 0},
	{"the last boot with another key", "meter-1.meter.example/audit", 2, 9,
	 E_STATE},
	{"an earlier boot", "meter-1.meter.example/audit", 1, 1, E_STATE},
	{"another's log", "meter-2.meter.example/audit", 0, 1, E_STATE},
};

static void boots_and_origins_are_checked(void **state)
{
	(void)state;
	test_make(10);
	for (size_t i = 0; i < sizeof(openings) / sizeof(openings[0]); i++) {
		uint8_t k[32] = {openings[i].key0, 2, 3};
		struct err e = {0};
		struct store *s;
		int rc = store_open(&s, test_path, openings[i].origin,
				    openings[i].boot, k, false, &e);

		if (rc != openings[i].want)
			fail_msg("%s: %d %s", openings[i].why, rc, e.text);
		if (rc == 0)
			assert_int_equal(store_close(s, &e), 0);
	}
	test_whole(10);
}

static void other_files_are_left_alone(void **state)
{
	struct err e = {0};
	struct store *s;
	struct db *d;
	FILE *f;

	(void)state;
	test_clean();
	f = fopen(test_path, "w");
	assert_non_null(f);
	fputs("not a database, but long enough to be looked at: ", f);
	for (int i = 0; i < 100; i++)
		fputs("0123456789abcdef", f);
	fclose(f);
	assert_true(store_open(&s, test_path, "o", 0, key, false, &e) < 0);
	test_clean();
	d = test_db();
	test_exec(d, "CREATE TABLE t(a)");
	test_db_close(d);
	assert_int_equal(store_open(&s, test_path, "o", 0, key, false, &e), E_STATE);
	assert_true(store_open(&s, "/nowhere/a.db", "o", 0, key, false, &e) == E_IO);
	assert_non_null(strstr(e.text, "No such file"));
}

static int sum_tallies(void *arg, uint64_t slot, const struct event *ev,
		       struct err *e)
{
	uint64_t *sum = arg;

	(void)e;
	assert_int_equal(ev->count, 100 + slot);
	*sum += slot;
	return slot == 9; /* looks at no others */
}

static uint64_t tallies(struct audit *a, int want)
{
	struct err e = {0};
	uint64_t sum = 0;

	assert_int_equal(audit_tallies(a, sum_tallies, &sum, &e), want);
	return sum;
}

static void tally(struct audit *a, uint64_t slot, uint64_t n)
{
	struct err e = {0};
	struct sample s;
	struct event *ev = sample_aggregate(&s, 1000);

	ev->count = n;
	if (audit_tally(a, slot, n ? ev : NULL, &e))
		fail_msg("%s", e.text);
}

static void counts_lie_beside_the_records(void **state)
{
	struct audit *a, *b;
	struct err e = {0};

	(void)state;
	test_make(300);
	a = test_open(3); /* nothing else was written in this boot */
	tally(a, 2, 102);
	tally(a, 5, 77);
	tally(a, 5, 105);
	assert_int_equal(audit_commit(a, &e), 0);
	tally(a, 7, 107);
	tally(a, 2, 0);
	audit_abandon(a);
	a = test_open(3);
	b = test_open(3);
	assert_int_equal(tallies(a, 0), 2 + 5);
	assert_int_equal(audit_commits(a), audit_commits(b));
	tally(a, 2, 0);
	tally(a, 9, 109);
	tally(a, 11, 111);
	assert_int_equal(audit_commit(a, &e), 0);
	assert_int_equal(audit_commits(a), audit_commits(b) + 1);
	assert_int_equal(audit_commit(a, &e), 0); /* of nothing: none */
	assert_int_equal(audit_commits(a), audit_commits(b) + 1);
	assert_int_equal(tallies(a, 1), 5 + 9);
	/* Another writer does not know of it. */
	tally(b, 2, 102);
	assert_int_equal(audit_commit(b, &e), E_STATE);
	assert_int_equal(audit_close(b, &e), E_STATE);
	test_append(a, 300, 310);
	test_close(a);
	test_whole(310);
}

static void bundles_are_read_to_their_end(void **state)
{
	static const uint8_t two[] = {0, 1, 'a', 0, 2, 'b', 'c'};
	struct cur c = cur_of(span_of(two, sizeof(two)));
	struct span r;

	(void)state;
	assert_true(store_next(&c, &r));
	assert_true(span_is(r, "a"));
	assert_true(store_next(&c, &r));
	assert_true(span_is(r, "bc"));
	assert_false(store_next(&c, &r));
	assert_true(cur_done(&c));
	c = cur_of(span_of(two, sizeof(two) - 1));
	assert_true(store_next(&c, &r));
	assert_false(store_next(&c, &r));
	assert_false(cur_ok(&c));
}

/* Where one was taken out the log does not end: who reads it is told. */
static void a_bundle_that_is_missing_is_no_end(void **state)
{
	static const uint64_t gone[] = {0, 256, 512};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		uint64_t seq, n = 0;
		struct err e = {0};
		struct reader *r;
		struct span record;
		char sql[64];
		struct db *d;
		int rc;

		test_make(600);
		d = test_db();
		test_guards(d, false);
		snprintf(sql, sizeof(sql), "DELETE FROM bundle WHERE first = "
			 "%llu", (unsigned long long)gone[i]);
		test_exec(d, sql);
		test_guards(d, true);
		test_db_close(d);
		assert_int_equal(reader_open(&r, test_path, false, &e), 0);
		while ((rc = reader_next(r, &seq, &record, &e)) == 1)
			n++;
		assert_int_equal(rc, E_INTEGRITY);
		assert_int_equal(n, gone[i]);
		snprintf(sql, sizeof(sql), "record %llu is missing",
			 (unsigned long long)gone[i]);
		assert_non_null(strstr(e.text, sql));
		reader_close(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_past_is_guarded),
		cmocka_unit_test(checkpoints_only_move_forward),
		cmocka_unit_test(what_is_not_committed_is_gone),
		cmocka_unit_test(
			a_killed_writer_loses_only_what_it_did_not_commit),
		cmocka_unit_test(two_writers_cannot_both_append),
		cmocka_unit_test(a_changed_file_is_not_continued),
		cmocka_unit_test(a_damaged_page_is_not_continued),
		cmocka_unit_test(boots_and_origins_are_checked),
		cmocka_unit_test(other_files_are_left_alone),
		cmocka_unit_test(counts_lie_beside_the_records),
		cmocka_unit_test(bundles_are_read_to_their_end),
		cmocka_unit_test(a_bundle_that_is_missing_is_no_end),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
