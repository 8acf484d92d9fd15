/* SPDX-License-Identifier: Apache-2.0 */
/* Databases for the tests of this folder: in a directory that goes away. */
#ifndef AUDIT_TESTDB_H
#define AUDIT_TESTDB_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/db.h"
#include "audit/sample.h"
#include "audit/schema.h"
#include "audit/verify.h"

static char test_dir[] = "/tmp/audit-test.XXXXXX";
static char test_path[64], test_other[64];

static inline int test_setup(void **state)
{
	(void)state;
	if (!mkdtemp(test_dir))
		return -1;
	snprintf(test_path, sizeof(test_path), "%s/a.db", test_dir);
	snprintf(test_other, sizeof(test_other), "%s/b.db", test_dir);
	return 0;
}

static inline void test_clean(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'/*", test_dir);
	if (system(cmd))
		fail_msg("cannot clean %s", test_dir);
}

static inline int test_teardown(void **state)
{
	(void)state;
	test_clean();
	return rmdir(test_dir);
}

#define TEST_ORIGIN "meter-1.meter.example/audit"

/* The test's log, and what of it is as the caller wants it. */
static inline struct audit *test_open_log(struct audit_conf conf)
{
	struct err e = {0};
	struct audit *a;

	conf.path = test_path;
	conf.origin = TEST_ORIGIN;
	memcpy(conf.boot_key, (uint8_t[32]){1, 2, 3}, sizeof(conf.boot_key));
	conf.service_name = sample_service;
	if (audit_open(&a, &conf, &e))
		fail_msg("%s", e.text);
	return a;
}

static inline struct audit *test_open(uint32_t boot)
{
	return test_open_log((struct audit_conf){.boot = boot});
}

/* The i-th event of a mixture: every 100th of a kind that is protected. */
static inline struct event *test_event(struct sample *s, uint64_t i)
{
	return i % 100 == 99	? sample_policy(s, i)
	       : i % 10 == 7	? sample_violation(s, i)
	       : i % 10 == 8	? sample_anomaly(s, i)
	       : i % 10 == 9	? sample_flow(s, i)
				: sample_decision(s, i);
}

static inline void test_append(struct audit *a, uint64_t from, uint64_t to)
{
	struct err e = {0};
	struct sample s;

	for (uint64_t i = from; i < to; i++) {
		uint64_t seq = 0;

		if (audit_append(a, test_event(&s, i), &seq, &e))
			fail_msg("%s", e.text);
		assert_int_equal(seq, i);
	}
}

static inline void test_close(struct audit *a)
{
	struct err e = {0};

	if (audit_close(a, &e))
		fail_msg("%s", e.text);
}

/* n records in two boots. */
static inline void test_make(uint64_t n)
{
	struct audit *a;

	test_clean();
	a = test_open(0);
	test_append(a, 0, n / 2);
	test_close(a);
	a = test_open(0);
	test_append(a, n / 2, n);
	test_close(a);
}

static inline void test_whole(uint64_t n)
{
	struct verify_result r;
	struct err e = {0};

	if (verify_file(test_path, NULL, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.records, n);
}

/* n records and what its checkpoints add, in a boot, signed with the key
 * beside the log; one checkpoint, at the end. */
static inline void test_add_signed(uint64_t from, uint64_t to)
{
	struct audit *a = test_open_log((struct audit_conf){.own_key = true});
	struct err e = {0};
	struct sample s;

	for (uint64_t i = from; i < to; i++) {
		if (audit_append(a, test_event(&s, i), NULL, &e))
			fail_msg("%s", e.text);
	}
	test_close(a);
}

/* 600 records: checkpoints of 301 and 602, each behind the record for it. */
static inline void test_make_signed(void)
{
	test_clean();
	test_add_signed(0, 300);
	test_add_signed(300, 600);
}

/* sqlite's own hand, with our seals, so that only the content is wrong. */
static inline struct db *test_db(void)
{
	struct err e = {0};
	struct db *d;

	if (db_open(&d, test_path, DB_WRITE, &e))
		fail_msg("%s", e.text);
	return d;
}

static inline void test_db_close(struct db *d)
{
	struct err e = {0};

	if (db_close(d, &e))
		fail_msg("%s", e.text);
}

static inline void test_exec(struct db *d, const char *sql)
{
	struct err e = {0};

	if (db_exec(d, sql, &e))
		fail_msg("%s: %s", sql, e.text);
}

/* The guards off, and on again as they were. */
static inline void test_guards(struct db *d, bool on)
{
	for (size_t i = 0; i < N_STORE_SCHEMA; i++) {
		char name[64], sql[96];

		if (sscanf(store_schema[i], "CREATE TRIGGER %63s", name) != 1)
			continue;
		snprintf(sql, sizeof(sql), "DROP TRIGGER %s", name);
		test_exec(d, on ? store_schema[i] : sql);
	}
}

static inline void test_change(const char *sql)
{
	struct db *d = test_db();

	test_guards(d, false);
	test_exec(d, sql);
	test_guards(d, true);
	test_db_close(d);
}

/* Words of the same length, wherever they are. */
static inline void test_reword(struct db *d, const char *table,
			       const char *column, const char *was,
			       const char *is)
{
	char sql[512];

	snprintf(sql, sizeof(sql), "UPDATE %s SET %s = CAST(substr(%s, 1,"
		 " instr(%s, CAST('%s' AS BLOB)) - 1) || CAST('%s' AS BLOB)"
		 " || substr(%s, instr(%s, CAST('%s' AS BLOB)) + %zu) AS BLOB)"
		 " WHERE instr(%s, CAST('%s' AS BLOB)) > 0", table, column,
		 column, column, was, is, column, column, was, strlen(was),
		 column, was);
	test_exec(d, sql);
}

/* Segments up to this one are marked as pruned, and no more than that. */
static inline void test_mark_pruned(unsigned no)
{
	char sql[96];

	snprintf(sql, sizeof(sql), "UPDATE segment SET pruned = 1 WHERE"
		 " no <= %u", no);
	test_change(sql);
}

#endif
