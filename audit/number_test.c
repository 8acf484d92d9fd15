/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A number that only grows, of which the log's newest record with it tells: who
 * can write the file, and has not the key, does not make it less.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/testdb.h"

static struct audit *open_signing(bool own)
{
	return test_open_log((struct audit_conf){
		.batch = UINT32_MAX,
		.own_key = own,
		.last = true,
		.recover = own,
		.counts = own ? "counted " : NULL,
	});
}

static void say(struct audit *a, const char *what)
{
	struct sample s;
	struct event *ev = sample_policy(&s, 300);
	struct err e = {0};

	ev->type = EV_MAINTENANCE;
	ev->detail = what;
	ev->now = (struct now){.mono = audit_last(a),
			       .wall.us = INT64_C(1700009000000000)};
	if (audit_append(a, ev, NULL, &e) || audit_commit(a, &e))
		fail_msg("%s", e.text);
}

static uint64_t counted(struct audit *a)
{
	struct err e = {0};
	uint64_t n;

	if (audit_highest(a, "counted ", &n, &e))
		fail_msg("%s", e.text);
	return n;
}

/* A number that only grows: a lower one behind the last checkpoint is none. */
static void a_number_does_not_go_back(void **state)
{
	struct audit *a;

	(void)state;
	test_clean();
	test_add_signed(0, 300);
	a = open_signing(true);
	assert_int_equal(counted(a), 0);
	say(a, "counted 6, more");
	say(a, "counted 7");
	assert_int_equal(counted(a), 7);
	test_close(a);
	a = open_signing(false);
	say(a, "counted 3");
	say(a, "counted 18446744073709551615");
	test_close(a);
	a = open_signing(true);
	assert_int_equal(counted(a), 7);
	say(a, "counted 8");
	assert_int_equal(counted(a), 8);
	test_close(a);
	a = open_signing(true);
	assert_int_equal(counted(a), 8);
	test_close(a);
}

/* Nor does it when the copies of the newest are taken away, whatever was said
 * behind them; those that are older are not looked at. */
static void nor_when_copies_are_taken_away(void **state)
{
	static const struct {
		const char *take; /* the words of those that are */
		bool bad;
	} rows[] = {
		{"nothing", false},
		{"counted 5", false},
		{"counted 7", true},
		{"counted 6' OR word = 'counted 7", true},
		{"counted 5' OR word = 'counted 6' OR word = 'counted 7", true},
		{"other", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct audit *a;
		const char *why;
		char sql[320];

		test_clean();
		test_add_signed(0, 300);
		a = open_signing(true);
		for (unsigned n = 5; n < 8; n++) {
			char text[32];

			snprintf(text, sizeof(text), "counted %u", n);
			say(a, text);
		}
		say(a, "other");
		test_close(a);
		test_add_signed(400, 2400);
		snprintf(sql, sizeof(sql), "DELETE FROM protected WHERE seq IN"
			 " (SELECT seq FROM protected, (SELECT 'counted 5' AS"
			 " word UNION SELECT 'counted 6' UNION SELECT"
			 " 'counted 7' UNION SELECT 'other') WHERE instr(record,"
			 " CAST(word AS BLOB)) AND (word = '%s'))",
			 rows[i].take);
		test_change(sql);
		a = open_signing(true);
		if (audit_recovery(a, &why) != rows[i].bad ||
		    (rows[i].bad && !strstr(why, "its protected copy is "
						 "missing or differs")))
			fail_msg("%zu: %s", i, why);
		assert_int_equal(counted(a), rows[i].bad ? 0 : 7);
		test_close(a);
	}
}

/* Nor when the newest and its copy say something else together, in a bundle
 * that no start reads. */
static void nor_when_the_newest_was_altered(void **state)
{
	struct err e = {0};
	const char *why;
	struct audit *a;
	char name[96];
	struct db *d;

	(void)state;
	test_clean();
	test_add_signed(0, 100);
	a = open_signing(true);
	say(a, "counted 5");
	test_close(a);
	test_add_signed(400, 800);
	a = open_signing(true);
	say(a, "counted 7");
	test_close(a);
	test_add_signed(800, 4000);
	a = open_signing(true);
	assert_int_equal(audit_segment(a, 2000, &e), 0);
	test_close(a);
	d = test_db();
	test_guards(d, false);
	test_reword(d, "protected", "record", "counted 7", "counted 3");
	test_guards(d, true);
	test_db_close(d);
	snprintf(name, sizeof(name), "%s.seg-1", test_path);
	assert_int_equal(db_open(&d, name, DB_WRITE, &e), 0);
	test_reword(d, "bundle", "data", "counted 7", "counted 3");
	test_db_close(d);
	a = open_signing(true);
	assert_int_equal(audit_recovery(a, &why), 1);
	assert_non_null(strstr(why, "record 256 or one behind it is not what "
			       "the last checkpoint has"));
	test_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_does_not_go_back),
		cmocka_unit_test(nor_when_copies_are_taken_away),
		cmocka_unit_test(nor_when_the_newest_was_altered),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
