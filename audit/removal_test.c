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

#define GONE   1280
#define ALL    3000

static struct note_key key;
static uint64_t by; /* the record that says what was pruned */

/* own: with the key that lies beside it. */
static struct audit *open_with(bool own, bool recover)
{
	return test_open_log((struct audit_conf){
		.batch = UINT32_MAX,
		.own_key = own,
		.last = true,
		.recover = recover,
	});
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
	const char *why;

	(void)state;
	test_clean();
	test_add_signed(0, ALL);
	a = open_with(true, false);
	assert_int_equal(audit_segment(a, GONE, &e), 0);
	test_close(a);
	test_mark_pruned(1);
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

/* Written while nobody was there to sign: a whole record, in the chain and the
 * tree, that says what a forger wants to be rid of. */
static void forge(uint64_t end)
{
	struct audit *a = open_with(false, false);
	struct now now = {.mono = audit_last(a),
			  .wall.us = INT64_C(1700009000000000)};
	struct err e = {0};

	if (audit_prune(a, end, &now, "a forger", &e) != 1)
		fail_msg("%s", e.text);
	by = audit_size(a) - 1;
	test_close(a);
}

/* Two segments, 0 to 1280 and on to 2048. */
static void make_whole(void)
{
	char name[96];
	struct err e = {0};
	struct audit *a;

	test_clean();
	test_add_signed(0, ALL);
	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&key, name, &e), 0);
	a = open_with(true, false);
	assert_int_equal(audit_segment(a, GONE, &e), 0);
	assert_int_equal(audit_segment(a, ALL, &e), 0);
	test_close(a);
}

static bool there(unsigned no)
{
	char name[96];

	snprintf(name, sizeof(name), "%s.seg-%u", test_path, no);
	return access(name, F_OK) == 0;
}

/* One record, and a checkpoint over it and all before it. */
static void go_on(struct audit *a)
{
	struct sample s;
	struct event *ev = sample_policy(&s, ALL);
	struct err e = {0};

	ev->now = (struct now){.mono = audit_last(a),
			       .wall.us = INT64_C(1700009000000000)};
	if (audit_append(a, ev, NULL, &e) || audit_commit(a, &e))
		fail_msg("%s", e.text);
}

static void nothing_goes(struct audit *a)
{
	struct now now = {.mono = audit_last(a)};
	struct err e = {0};

	assert_false(audit_removes(a));
	assert_int_equal(audit_remove(a, &now, &e), 0);
	assert_int_equal(audit_first(a), 0);
}

static void whole(uint64_t first)
{
	struct verify_result r;
	struct err e = {0};

	if (verify(true, &r, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.first, first);
	assert_int_equal(r.going, 0);
}

static int write_protected(const char *path, const char *dir, struct err *e)
{
	return layout_write_protected(path, dir, LAYOUT_CUSTOMER, 0, e);
}

static void export_is_whole(int (*f)(const char *path, const char *dir,
				     struct err *e), uint64_t first)
{
	struct points_conf conf = {.keys = &key, .n_keys = 1};
	struct verify_result r;
	struct err e = {0};
	char dir[96], cmd[224];

	snprintf(dir, sizeof(dir), "%s/out", test_dir);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'; mkdir '%s'", dir, dir);
	assert_int_equal(system(cmd), 0);
	if (f(test_path, dir, &e) ||
	    layout_verify(dir, &conf, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.first, first);
	assert_int_equal(r.going, 0);
}

/* It stands behind the last checkpoint. The next one covers it, and so would
 * vouch for it: who opens the log says before that it is not to be believed,
 * and at the next start it still is not. */
static void one_that_was_forged_is_not_taken_up(void **state)
{
	struct verify_result r;
	struct err e = {0};
	struct audit *a;
	const char *why;
	uint64_t from, end;

	(void)state;
	make_whole();
	forge(GONE);
	for (unsigned i = 0; i < 3; i++) {
		a = open_with(true, true);
		assert_int_equal(audit_recovery(a, &why), 0);
		assert_int_equal(audit_withdraws(a), i == 0);
		assert_int_equal(audit_unvouched(a, &from, &end), i == 0);
		if (i == 0) {
			assert_int_equal(end, by + 1);
			assert_int_equal(from, audit_checkpointed(a));
		}
		nothing_goes(a);
		go_on(a);
		nothing_goes(a);
		test_close(a);
		whole(0);
		assert_true(there(1) && there(2));
	}
	/* Nor when the forger removes it himself, now that a checkpoint covers
	 * what he wrote. */
	test_mark_pruned(1);
	assert_int_equal(verify(true, &r, &e), E_INTEGRITY);
	a = open_with(true, true);
	assert_int_equal(audit_recovery(a, &why), 1);
	test_close(a);
	assert_true(there(1));
}

/* A checkpoint may be all that is added. */
static void nor_when_nothing_else_is_said(void **state)
{
	struct audit *a;

	(void)state;
	make_whole();
	forge(GONE);
	test_close(open_with(true, true));
	a = open_with(true, true);
	nothing_goes(a);
	test_close(a);
	whole(0);
}

static void is_refused(const char *what)
{
	struct audit *a = open_with(true, true);
	const char *why;

	if (audit_recovery(a, &why) != 1 || !strstr(why, what))
		fail_msg("%s", why);
	test_close(a);
	assert_true(there(1));
}

/* Forged, withdrawn behind that, and the copy of what withdraws it taken away
 * since. */
static void hide(void)
{
	struct audit *a;
	char sql[64];

	make_whole();
	forge(GONE);
	a = open_with(true, true);
	go_on(a);
	test_close(a);
	test_add_signed(ALL, ALL + 2000);
	snprintf(sql, sizeof(sql), "DELETE FROM protected WHERE seq = %llu",
		 (unsigned long long)by + 1);
	test_change(sql);
}

static void nor_when_what_withdraws_it_is_hidden(void **state)
{
	char text[96];

	(void)state;
	hide();
	snprintf(text, sizeof(text), "record %llu withdraws what record %llu "
		 "says, and its protected copy is missing",
		 (unsigned long long)by + 1, (unsigned long long)by);
	is_refused(text);
}

/* Nor when that one was altered itself, where no start reads it. */
static void nor_when_what_withdraws_it_was_altered(void **state)
{
	char text[96];
	struct db *d;

	(void)state;
	hide();
	d = test_db();
	test_guards(d, false);
	test_reword(d, "bundle", "data", "removed stays", "removed leave");
	test_guards(d, true);
	test_db_close(d);
	snprintf(text, sizeof(text), "record %llu is not what the last "
		 "checkpoint has", (unsigned long long)by + 1);
	is_refused(text);
}

/* What has to go goes by a record of the writer's own. */
static void the_writer_prunes_as_before(void **state)
{
	struct audit *a;

	(void)state;
	make_whole();
	forge(2048);
	a = open_with(true, true);
	prune(a);
	test_close(a);
	whole(GONE);
	export_is_whole(layout_write, GONE);
	export_is_whole(write_protected, 0);
	assert_true(!there(1) && there(2));
}

/* One that a checkpoint covered before is: the power went before it was done. */
static void one_that_was_covered_is_taken_up(void **state)
{
	struct now now = {0};
	struct err e = {0};
	struct audit *a;

	(void)state;
	make_whole();
	a = open_with(true, false);
	now.mono = audit_last(a);
	now.wall.us = INT64_C(1700009000000000);
	assert_int_equal(audit_prune(a, GONE, &now, "a test", &e), 1);
	assert_int_equal(audit_commit(a, &e), 0);
	audit_abandon(a);
	a = open_with(true, true);
	assert_false(audit_withdraws(a));
	assert_int_equal(audit_remove(a, &now, &e), AUDIT_REMOVED);
	test_close(a);
	whole(GONE);
}

/* Of protected records there are copies, which are what is looked at: one of
 * none is no record. */
static void a_copy_of_no_record_is_none(void **state)
{
	const char *why;
	struct audit *a;
	struct db *d;

	(void)state;
	make_whole();
	forge(GONE);
	d = test_db();
	test_guards(d, false);
	/* As if it were the 1499th, which a checkpoint covers; its number is
	 * among the first octets. */
	test_exec(d, "UPDATE protected SET seq = 1498, record ="
		     " CAST(substr(record, 1, 4) || x'00000000000005da'"
		     " || substr(record, 13) AS BLOB)"
		     " WHERE seq = (SELECT max(seq) FROM protected)");
	test_guards(d, true);
	test_db_close(d);
	a = open_with(true, true);
	assert_int_equal(audit_recovery(a, &why), 1);
	assert_non_null(strstr(why, "is not what the last checkpoint has"));
	test_close(a);
	assert_true(there(1));
}

/* What is marked as pruned and was not: the file is no writer's to remove. */
static void a_mark_alone_removes_no_file(void **state)
{
	const char *why;
	struct audit *a;

	(void)state;
	make_whole();
	test_mark_pruned(1);
	a = open_with(true, true);
	assert_int_equal(audit_recovery(a, &why), 1);
	test_close(a);
	assert_true(there(1));
}

/* What was read of the altered one before that was found is not said of the
 * one beside it: it has records of no boot, and withdraws nothing. */
static void one_beside_it_begins_anew(void **state)
{
	struct audit *a;
	const char *why;

	(void)state;
	make_whole();
	forge(GONE);
	test_mark_pruned(1);
	a = test_open_log((struct audit_conf){
		.batch = UINT32_MAX,
		.own_key = true,
		.resume = true,
		.recover = true,
	});
	assert_int_equal(audit_recovery(a, &why), 1);
	assert_true(audit_boot_is_new(a));
	assert_false(audit_withdraws(a));
	assert_string_equal(audit_last_detail(a), "");
	test_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_was_forged_is_not_taken_up),
		cmocka_unit_test(nor_when_nothing_else_is_said),
		cmocka_unit_test(nor_when_what_withdraws_it_is_hidden),
		cmocka_unit_test(nor_when_what_withdraws_it_was_altered),
		cmocka_unit_test(the_writer_prunes_as_before),
		cmocka_unit_test(one_that_was_covered_is_taken_up),
		cmocka_unit_test(a_copy_of_no_record_is_none),
		cmocka_unit_test(a_mark_alone_removes_no_file),
		cmocka_unit_test(one_beside_it_begins_anew),
		cmocka_unit_test(with_the_key_it_counts),
		cmocka_unit_test(without_it_is_found),
		cmocka_unit_test(a_writer_does_not_go_on_with_it),
		cmocka_unit_test(nor_where_no_record_says_so),
		cmocka_unit_test(copies_that_are_missing_are_missed),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
