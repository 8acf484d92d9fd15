/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records are removed for good because a record says so, and that one counts
 * when the log's key vouches for it: whoever can write the file, and has not
 * the key, can add it and take away whatever he does not like.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/layout.h"
#include "audit/notefile.h"
#include "audit/testdb.h"

#define ORIGIN "meter-1.meter.example/audit"
#define GONE   1280
#define ALL    3000

static struct note_key key;
static uint64_t by; /* the record that says what was pruned */

/* own: with the key that lies beside it. */
static struct audit *open_with(bool own, bool recover)
{
	struct audit_conf conf = {
		.path = test_path,
		.origin = ORIGIN,
		.boot_key = {1, 2, 3},
		.batch = UINT32_MAX,
		.own_key = own,
		.last = true,
		.recover = recover,
		.service_name = sample_service,
	};
	struct err e = {0};
	struct audit *a;

	if (audit_open(&a, &conf, &e))
		fail_msg("%s", e.text);
	return a;
}

static void prune(struct audit *a)
{
	struct now now = {.mono = audit_last(a),
			  .wall.us = INT64_C(1700009000000000)};
	struct err e = {0};

	if (audit_segment(a, GONE, &e) ||
	    audit_prune(a, GONE, &now, "a test", &e) != 1)
		fail_msg("%s", e.text);
	by = audit_size(a) - 1;
	if (audit_commit(a, &e) ||
	    audit_remove(a, &now, &e) != AUDIT_REMOVED)
		fail_msg("%s", e.text);
	assert_int_equal(audit_first(a), GONE);
}

/* 3,000 records, a checkpoint over them, and the first gone. */
static void make(bool own)
{
	char name[96];
	struct err e = {0};
	struct audit *a;

	test_clean();
	test_add_signed(0, ALL);
	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&key, name, &e), 0);
	a = open_with(own, false);
	prune(a);
	test_close(a);
}

static int verify(bool with_key, struct verify_result *r, struct err *e)
{
	struct points_conf conf = {.keys = &key, .n_keys = with_key};

	return verify_file(test_path, &conf, r, NULL, NULL, e);
}

static void with_the_key_it_counts(void **state)
{
	struct verify_result r;
	struct err e = {0};
	struct audit *a;
	const char *why;

	(void)state;
	make(true);
	a = open_with(true, true);
	assert_int_equal(audit_recovery(a, &why), 0);
	assert_int_equal(audit_first(a), GONE);
	test_close(a);
	if (verify(true, &r, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.first, GONE);
}

static void without_it_is_found(void **state)
{
	struct verify_result r;
	struct err e = {0};

	(void)state;
	make(false);
	for (int with_key = 0; with_key < 2; with_key++) {
		assert_int_equal(verify(with_key, &r, &e), E_INTEGRITY);
		assert_non_null(strstr(e.text, "no checkpoint covers it"));
		assert_true(r.has_bad);
		assert_int_equal(r.bad, by);
	}
}

/* Its next checkpoint would vouch for it, and nobody could see it any more. */
static void a_writer_does_not_go_on_with_it(void **state)
{
	struct verify_result r;
	struct err e = {0};
	struct audit *a;
	const char *why;

	(void)state;
	make(false);
	a = open_with(true, true);
	assert_int_equal(audit_recovery(a, &why), 1);
	assert_non_null(strstr(why, "records before 1280 are gone, and no "
			       "record that a checkpoint covers says"));
	test_close(a);
	assert_int_equal(verify(true, &r, &e), E_INTEGRITY);
}

/* Nor with one from which what is gone has no record at all. */
static void nor_where_no_record_says_so(void **state)
{
	char name[96];
	struct err e = {0};
	struct audit *a;
	struct db *d;
	const char *why;

	(void)state;
	test_clean();
	test_add_signed(0, ALL);
	a = open_with(true, false);
	assert_int_equal(audit_segment(a, GONE, &e), 0);
	test_close(a);
	d = test_db();
	test_guards(d, false);
	test_exec(d, "UPDATE segment SET pruned = 1");
	test_guards(d, true);
	test_db_close(d);
	snprintf(name, sizeof(name), "%s.seg-1", test_path);
	assert_int_equal(unlink(name), 0);
	a = open_with(true, true);
	assert_int_equal(audit_recovery(a, &why), 1);
	test_close(a);
}

/* A protected record whose copy was taken out, too, is not left out of what
 * somebody is given: it is not given then. */
static void copies_that_are_missing_are_missed(void **state)
{
	static const char *const how[] = {
		"DELETE FROM protected WHERE seq = (SELECT max(seq) FROM"
		" protected)",
		"DELETE FROM protected WHERE seq = (SELECT min(seq) FROM"
		" protected)",
	};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		char out[96], cmd[128];
		struct err e = {0};
		struct audit *a;
		struct db *d;
		int rc;

		test_clean();
		test_add_signed(0, ALL);
		a = open_with(true, false);
		if (i % 2)
			prune(a); /* the first of them is kept alone */
		test_close(a);
		snprintf(out, sizeof(out), "%s.out", test_path);
		snprintf(cmd, sizeof(cmd), "rm -rf '%s'", out);
		assert_int_equal(system(cmd), 0);
		assert_int_equal(mkdir(out, 0700), 0);
		assert_int_equal(layout_write_protected(test_path, out,
							LAYOUT_AGENCY, 0, &e),
				 0);
		assert_int_equal(system(cmd), 0);
		assert_int_equal(mkdir(out, 0700), 0);
		d = test_db();
		test_guards(d, false);
		test_exec(d, how[i / 2]);
		test_guards(d, true);
		test_db_close(d);
		rc = layout_write_protected(test_path, out, LAYOUT_AGENCY, 0,
					    &e);
		if (rc != E_INTEGRITY)
			fail_msg("%zu: %d %s", i, rc, e.text);
		assert_int_equal(system(cmd), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_the_key_it_counts),
		cmocka_unit_test(without_it_is_found),
		cmocka_unit_test(a_writer_does_not_go_on_with_it),
		cmocka_unit_test(nor_where_no_record_says_so),
		cmocka_unit_test(copies_that_are_missing_are_missed),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
