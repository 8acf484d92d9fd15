/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who can write the file, and has the program, makes a log that fits together
 * in all its hashes. What gives him away is the key that he does not have and
 * what others hold. Each row makes such a log and names the finding.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/logkey.h"
#include "audit/notefile.h"
#include "audit/testdb.h"

#define ORIGIN "meter-1.meter.example/audit"
#define ANY    UINT64_MAX
#define FILES  3

/* The genuine log: 300 records and one before the checkpoint of 301, 300 and
 * one before the checkpoint of 602. */
static const char *const tails[FILES] = {"", ".key", ".vkey"};
struct kept {
	size_t n;
	uint8_t *octets;
};
static struct kept genuine[FILES], half[FILES];
static struct note_key key;
static struct note_file held[2]; /* its checkpoints */

static void keep(struct kept files[FILES])
{
	for (int i = 0; i < FILES; i++) {
		char name[80];
		FILE *f;

		snprintf(name, sizeof(name), "%s%s", test_path, tails[i]);
		f = fopen(name, "rb");
		assert_non_null(f);
		fseek(f, 0, SEEK_END);
		files[i].n = (size_t)ftell(f);
		rewind(f);
		files[i].octets = malloc(files[i].n);
		assert_int_equal(fread(files[i].octets, 1, files[i].n, f),
				 files[i].n);
		fclose(f);
	}
}

static void put_back(const struct kept files[FILES])
{
	test_clean();
	for (int i = 0; i < FILES; i++) {
		char name[80];
		FILE *f;

		snprintf(name, sizeof(name), "%s%s", test_path, tails[i]);
		f = fopen(name, "wb");
		assert_non_null(f);
		assert_int_equal(fwrite(files[i].octets, 1, files[i].n, f),
				 files[i].n);
		fclose(f);
		assert_int_equal(chmod(name, 0600), 0);
	}
}

static void read_points(void)
{
	struct db *d = test_db();
	struct db_stmt *st;
	struct err e = {0};
	struct span note;

	assert_int_equal(db_prepare(&st, d, "SELECT note FROM checkpoint"
				    " ORDER BY size", &e), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(db_step(st, &e), 1);
		assert_true(db_span(st, 0, &note));
		memcpy(held[i].octets, note.p, note.n);
		held[i].n = note.n;
	}
	db_finish(st);
	test_db_close(d);
}

static int setup(void **state)
{
	char name[80];
	struct err e = {0};

	if (test_setup(state))
		return -1;
	test_add_signed(0, 300);
	keep(half);
	test_add_signed(300, 600);
	keep(genuine);
	read_points();
	snprintf(name, sizeof(name), "%s.vkey", test_path);
	return note_file_key(&key, name, &e);
}

/* --- what can be done --- */

/* The log made again from the same events, but for one. */
struct change {
	enum { KEEP, ALTER, REMOVE, INSERT, SWAP } what;
	uint64_t at;
};

static void add_all(const struct change *c, uint64_t from, uint64_t to)
{
	struct audit_conf conf = {
		.path = test_path,
		.origin = ORIGIN,
		.boot_key = {1, 2, 3},
		.own_key = true,
		.service_name = sample_service,
	};
	struct err e = {0};
	struct audit *a;

	assert_int_equal(audit_open(&a, &conf, &e), 0);
	for (uint64_t i = from; i < to; i++) {
		bool here = c->at == i;
		struct sample s;
		struct event *ev = test_event(&s, i);
		struct now now = ev->now;

		if (here && c->what == REMOVE)
			continue;
		if (c->what == SWAP && (here || i == c->at + 1))
			ev = test_event(&s, here ? i + 1 : i - 1);
		ev->now = now;
		if (here && c->what == ALTER)
			ev->octets++;
		assert_int_equal(audit_append(a, ev, NULL, &e), 0);
		if (here && c->what == INSERT)
			assert_int_equal(audit_append(a, ev, NULL, &e), 0);
	}
	test_close(a);
}

/* With a key of the forger's own, whose checkpoints are then replaced by the
 * genuine ones, as far as there are places for them. */
static void forge(const struct change *c)
{
	struct db_stmt *st;
	struct err e = {0};
	struct sample s;
	struct db *d;

	test_clean();
	add_all(c, 0, 300);
	add_all(c, 300, 600);
	d = test_db();
	test_guards(d, false);
	test_exec(d, "DELETE FROM checkpoint");
	assert_int_equal(db_prepare(&st, d, "INSERT INTO checkpoint(size, note,"
				    " wall) VALUES(?1, ?2, ?3)", &e), 0);
	for (size_t i = 0; i < 2; i++) {
		db_put_u64(st, 1, i ? 602 : 301);
		db_put_span(st, 2, span_of(held[i].octets, held[i].n));
		/* The time of the last event before it. */
		db_put_u64(st, 3, (uint64_t)test_event(&s, i ? 599 : 299)
					  ->now.wall.us);
		assert_int_equal(db_run(st, &e), 0);
	}
	db_finish(st);
	test_exec(d, "UPDATE state SET checkpoint = 602");
	test_guards(d, true);
	test_db_close(d);
}

static void alter_early(void)
{
	forge(&(struct change){ALTER, 150});
}

static void alter_late(void)
{
	forge(&(struct change){ALTER, 400});
}

static void remove_one(void)
{
	forge(&(struct change){REMOVE, 400});
}

static void insert_one(void)
{
	forge(&(struct change){INSERT, 400});
}

static void swap_two(void)
{
	forge(&(struct change){SWAP, 400});
}

/* Only the file is another; nothing is made again. */
static void edit(const char *sql)
{
	struct db *d;

	put_back(genuine);
	d = test_db();
	test_guards(d, false);
	test_exec(d, sql);
	test_guards(d, true);
	test_db_close(d);
}

/* It says another party; a checkpoint is in the same bundle behind it. */
static void alter_one(void)
{
	edit("UPDATE bundle SET data = CAST(substr(data, 1, instr(data,"
	     " x'68656164656e64') + 5) || x'78' || substr(data, instr(data,"
	     " x'68656164656e64') + 7) AS BLOB) WHERE first = 256");
}

static void cut_a_record(void)
{
	edit("UPDATE bundle SET n = n - 1 WHERE first = 512");
}

static void cut_a_bundle(void)
{
	edit("DELETE FROM bundle WHERE first = 512");
}

static void cut_a_checkpoint(void)
{
	edit("DELETE FROM checkpoint WHERE size = 602;"
	     "UPDATE state SET checkpoint = 301");
}

static void cut_all_checkpoints(void)
{
	edit("DELETE FROM checkpoint; UPDATE state SET checkpoint = 0");
}

/* The records of the second boot, and all that tells of them: the file is
 * what it was before. */
static void cut_a_boot(void)
{
	put_back(half);
}

/* The file goes back, and the gateway goes on: as long as it was. */
static void roll_back_and_go_on(void)
{
	put_back(half);
	add_all(&(struct change){ALTER, 450}, 300, 600);
}

/* Back, and then less than there was. */
static void roll_back_and_write_less(void)
{
	put_back(half);
	add_all(&(struct change){KEEP, 0}, 300, 500);
}

/* Another log of the same name, by the same machine: its key was not lost. */
static void replace_with_its_key(void)
{
	put_back(genuine);
	assert_int_equal(unlink(test_path), 0);
	add_all(&(struct change){ALTER, 0}, 0, 300);
	add_all(&(struct change){KEEP, 0}, 300, 600);
}

static void replace_with_another_key(void)
{
	test_clean();
	add_all(&(struct change){KEEP, 0}, 0, 300);
	add_all(&(struct change){KEEP, 0}, 300, 600);
}

/* The genuine log, its checkpoints signed by somebody else. */
static void sign_again(void)
{
	struct log_key k;
	struct err e = {0};
	struct db *d;

	put_back(genuine);
	assert_int_equal(log_key_open(&k, test_other, test_other, ORIGIN, true, &e), 0);
	d = test_db();
	test_guards(d, false);
	for (size_t i = 0; i < 2; i++) {
		struct db_stmt *st;
		uint8_t octets[NOTE_MAX];
		struct wbuf w = wbuf_of(octets, sizeof(octets));
		struct note n;

		assert_int_equal(note_parse(&n, span_of(held[i].octets,
							held[i].n), &e), 0);
		wbuf_put(&w, n.text);
		wbuf_u8(&w, '\n');
		assert_int_equal(note_sign(&w, n.text, &k.by, 0, &e), 0);
		assert_int_equal(db_prepare(&st, d, "UPDATE checkpoint SET"
					    " note = ?2 WHERE size = ?1", &e),
				 0);
		db_put_u64(st, 1, i ? 602 : 301);
		db_put_span(st, 2, wbuf_span(&w));
		assert_int_equal(db_run(st, &e), 0);
		db_finish(st);
	}
	test_guards(d, true);
	test_db_close(d);
	log_key_wipe(&k);
}

static void spoil_a_signature(void)
{
	/* The last character but two of the base64. */
	edit("UPDATE checkpoint SET note = CAST(substr(note, 1,"
	     " length(note) - 6) || CASE substr(note, length(note) - 5, 1)"
	     " WHEN x'41' THEN x'42' ELSE x'41' END ||"
	     " substr(note, length(note) - 4)"
	     " AS BLOB) WHERE size = 602");
}

static void swap_checkpoints(void)
{
	edit("UPDATE checkpoint SET note = (SELECT note FROM checkpoint c"
	     " WHERE c.size = 903 - checkpoint.size)");
}

static void of_another_log(void)
{
	edit("UPDATE state SET origin = 'meter-2.meter.example/audit'");
}

/* --- and what is found --- */

enum { NONE, OLD, BOTH }; /* checkpoints that the reader holds */

static const struct {
	const char *why;
	void (*how)(void);
	int holds;
	const char *text;
	uint64_t bad;
} rows[] = {
	{"altered", alter_early, NONE,
	 "checkpoint of 301 records: the records up to there are others", 0},
	{"altered behind a checkpoint", alter_late, NONE,
	 "checkpoint of 602 records: the records up to there are others", 301},
	{"removed", remove_one, NONE, "checkpoint of 601 records: it is missing",
	 600},
	{"inserted", insert_one, NONE,
	 "checkpoint of 602 records: nothing in the log announces it", 601},
	{"swapped", swap_two, NONE,
	 "checkpoint of 602 records: the records up to there are others", 301},
	{"one altered in the file alone", alter_one, NONE,
	 "record 256: it is not what the tree's tile says", 256},
	{"the last record cut", cut_a_record, NONE, "its bundle is damaged",
	 601},
	{"the last bundle cut", cut_a_bundle, NONE,
	 "checkpoint of 602 records: the log was cut", 512},
	{"a checkpoint cut", cut_a_checkpoint, NONE,
	 "checkpoint of 602 records: it is missing", 601},
	{"all checkpoints cut", cut_all_checkpoints, NONE,
	 "checkpoint of 301 records: it is missing; besides: no checkpoint", 300},
	{"a boot cut", cut_a_boot, BOTH,
	 "checkpoint of 602 records: the log was cut, it ends before", 301},
	{"rolled back, and gone on", roll_back_and_go_on, BOTH,
	 "checkpoint of 602 records: one held elsewhere, of another log", 301},
	{"rolled back, and shorter", roll_back_and_write_less, BOTH,
	 "checkpoint of 602 records: the log was cut, it ends before", 502},
	{"replaced, with its key", replace_with_its_key, OLD,
	 "checkpoint of 301 records: one held elsewhere, of another log", 0},
	{"replaced, with another key", replace_with_another_key, NONE,
	 "checkpoint of 301 records: it is not signed by the log's key", ANY},
	{"signed again", sign_again, NONE,
	 "checkpoint of 301 records: it is not signed by the log's key", ANY},
	{"a signature spoiled", spoil_a_signature, NONE,
	 "checkpoint of 602 records: the signature of " ORIGIN " is wrong",
	 ANY},
	{"checkpoints swapped", swap_checkpoints, NONE,
	 "checkpoint of 301 records: it says another size", ANY},
	{"another log's name", of_another_log, NONE,
	 "checkpoint of 301 records: it is of another log", ANY},
};

static int check(int holds, struct verify_result *r, struct err *e)
{
	struct span notes[2] = {
		span_of(held[1].octets, held[1].n),
		span_of(held[0].octets, held[0].n),
	};
	struct points_conf conf = {
		.keys = &key,
		.n_keys = 1,
		.held = holds == OLD ? notes + 1 : notes,
		.n_held = (size_t)holds,
	};

	return verify_file(test_path, &conf, r, NULL, NULL, e);
}

static void every_forgery_has_its_finding(void **state)
{
	struct verify_result r;
	struct err e = {0};

	(void)state;
	put_back(genuine);
	assert_int_equal(check(BOTH, &r, &e), 0);
	assert_int_equal(r.checkpoints, 2);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc;

		rows[i].how();
		rc = check(rows[i].holds, &r, &e);
		if (rc != E_INTEGRITY || !strstr(e.text, rows[i].text))
			fail_msg("%s: %d %s", rows[i].why, rc, e.text);
		if (r.has_bad != (rows[i].bad != ANY) ||
		    (r.has_bad && r.bad != rows[i].bad))
			fail_msg("%s: record %lld: %s", rows[i].why,
				 r.has_bad ? (long long)r.bad : -1, e.text);
	}
}

/* Two logs with the same beginning, each whole by itself and signed with the
 * same key: who saw one is not shown the other. */
static void a_fork_is_seen_by_both_readers(void **state)
{
	static struct note_file other;
	struct points_conf conf = {.keys = &key, .n_keys = 1, .n_held = 1};
	struct verify_result r;
	struct err e = {0};
	struct span s;

	(void)state;
	roll_back_and_go_on();
	assert_int_equal(check(OLD, &r, &e), 0); /* the common part */
	assert_int_equal(check(NONE, &r, &e), 0);
	assert_int_equal(check(BOTH, &r, &e), E_INTEGRITY);
	assert_non_null(strstr(e.text, "forked"));
	/* The other way round. */
	other = held[1];
	read_points();
	s = span_of(held[1].octets, held[1].n);
	conf.held = &s;
	put_back(genuine);
	assert_int_equal(verify_file(test_path, &conf, &r, NULL, NULL, &e),
			 E_INTEGRITY);
	assert_non_null(strstr(e.text, "forked"));
	assert_int_equal(r.bad, 301);
	held[1] = other;
}

/* A reader without the key is shown a log of somebody else: what it does
 * check, it does find whole. The key is what counts. */
static void without_the_key_it_is_somebodys(void **state)
{
	struct points_conf conf = {.keys = &key, .n_keys = 1};
	struct verify_result r;
	struct err e = {0};

	(void)state;
	replace_with_another_key();
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e), 0);
	assert_int_equal(verify_file(test_path, &conf, &r, NULL, NULL, &e),
			 E_INTEGRITY);
	/* One without any checkpoint is no better. */
	test_make(10);
	assert_int_equal(verify_file(test_path, &conf, &r, NULL, NULL, &e),
			 E_INTEGRITY);
	assert_non_null(strstr(e.text, "there is none"));
}

static int teardown(void **state)
{
	for (int i = 0; i < FILES; i++) {
		free(genuine[i].octets);
		free(half[i].octets);
	}
	return test_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_forgery_has_its_finding),
		cmocka_unit_test(a_fork_is_seen_by_both_readers),
		cmocka_unit_test(without_the_key_it_is_somebodys),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
