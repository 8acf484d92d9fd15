/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records that leave the database: into segments, and for good. What is left
 * is read, proved and checked as before, and who takes away, alters or swaps
 * some of it is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "audit/layout.h"
#include "audit/notefile.h"
#include "audit/prover.h"
#include "audit/reader.h"
#include "audit/store.h"
#include "audit/testdb.h"

#define ORIGIN	"meter-1.meter.example/audit"
#define RECORDS 4000
#define ANY	UINT64_MAX

/* What is there at first: segments 1 (pruned), 2 and 3; the rest. */
#define PRUNED 768
#define MOVED  2048

static char kept_dir[sizeof(test_dir) + 8];
static struct note_key key;

static struct audit *open_last(bool last)
{
	return test_open_log((struct audit_conf){.own_key = true, .last = last});
}

static void fill(struct audit *a, uint64_t to)
{
	struct err e = {0};
	struct sample s;

	while (audit_size(a) < to) {
		if (audit_append(a, test_event(&s, audit_size(a)), NULL, &e))
			fail_msg("%s", e.text);
	}
	if (audit_commit(a, &e))
		fail_msg("%s", e.text);
}

static void move_out(struct audit *a, uint64_t before)
{
	struct err e = {0};

	if (audit_segment(a, before, &e))
		fail_msg("%s", e.text);
}

static void prune(struct audit *a, uint64_t before)
{
	struct now now = {.mono = audit_last(a),
			  .wall.us = INT64_C(1700009000000000)};
	struct err e = {0};

	if (audit_prune(a, before, &now, "a test", &e) != 1 ||
	    audit_commit(a, &e) ||
	    audit_remove(a, &now, &e) != AUDIT_REMOVED)
		fail_msg("%s", e.text);
}

static void whole(uint64_t first, uint64_t n)
{
	struct points_conf conf = {.keys = &key, .n_keys = 1};
	struct verify_result r;
	struct err e = {0};

	if (verify_file(test_path, &conf, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.records, n);
	assert_int_equal(r.first, first);
}

static void whole_but_for(struct verify_result *r, const char *text)
{
	struct points_conf conf = {.keys = &key, .n_keys = 1};
	struct err e = {0};

	assert_int_equal(verify_file(test_path, &conf, r, NULL, NULL, &e),
			 E_INTEGRITY);
	if (!strstr(e.text, text))
		fail_msg("%s", e.text);
}

static bool there(unsigned no)
{
	char name[96];

	snprintf(name, sizeof(name), "%s.seg-%u", test_path, no);
	return access(name, F_OK) == 0;
}

/* All that a reader gives, but for what was pruned: a sum over it, and how
 * many. */
static uint64_t read_all(uint64_t from, uint64_t *count)
{
	struct reader *r;
	struct err e = {0};
	struct span record;
	uint64_t seq, sum = 0;
	int rc;

	*count = 0;
	assert_int_equal(reader_open(&r, test_path, false, &e), 0);
	while ((rc = reader_next(r, &seq, &record, &e)) == 1) {
		if (seq < from)
			continue;
		++*count;
		for (size_t i = 0; i < record.n; i++)
			sum = (sum ^ record.p[i]) * 1099511628211u + seq;
	}
	if (rc)
		fail_msg("%s", e.text);
	reader_close(r);
	return sum;
}

static void make(void)
{
	char name[96];
	struct err e = {0};
	struct audit *a;

	test_clean();
	a = open_last(false);
	fill(a, RECORDS / 2);
	test_close(a);
	a = open_last(false);
	fill(a, RECORDS);
	test_close(a);
	a = open_last(true);
	move_out(a, PRUNED);
	move_out(a, 1300);
	move_out(a, MOVED);
	prune(a, PRUNED);
	test_close(a);
	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&key, name, &e), 0);
}

static int setup(void **state)
{
	char cmd[128];

	if (test_setup(state))
		return -1;
	make();
	snprintf(kept_dir, sizeof(kept_dir), "%s.kept", test_dir);
	snprintf(cmd, sizeof(cmd), "cp -a %s %s", test_dir, kept_dir);
	return system(cmd);
}

static int teardown(void **state)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", kept_dir);
	return system(cmd) || test_teardown(state);
}

static void put_back(void)
{
	char cmd[128];

	test_clean();
	snprintf(cmd, sizeof(cmd), "cp -a %s/* %s/", kept_dir, test_dir);
	assert_int_equal(system(cmd), 0);
}

/* --- nothing is lost ------------------------------------------------------ */

static void what_is_moved_out_reads_as_before(void **state)
{
	uint64_t before, after, n, m;
	struct audit *a;

	(void)state;
	test_clean();
	a = open_last(false);
	fill(a, RECORDS);
	test_close(a);
	before = read_all(0, &n);
	a = open_last(true);
	for (uint64_t to = 256; to < 3000; to += 300)
		move_out(a, to);
	/* The end stays, whatever is asked. */
	move_out(a, UINT64_MAX);
	assert_false(there(13));
	test_close(a);
	after = read_all(0, &m);
	assert_int_equal(n, m);
	assert_true(before == after);
}

static void it_goes_on_behind_them(void **state)
{
	struct audit *a;

	(void)state;
	put_back();
	for (int i = 0; i < 3; i++) {
		uint64_t n, first;

		a = open_last(i == 1);
		fill(a, audit_size(a) + 1500);
		move_out(a, audit_size(a) - 600);
		if (i)
			prune(a, audit_first(a) + 1000);
		n = audit_size(a);
		test_close(a);
		a = open_last(true);
		assert_in_range(audit_size(a), n, n + 2);
		n = audit_size(a);
		first = audit_first(a);
		test_close(a);
		whole(first, n);
	}
}

static void protected_ones_stay(void **state)
{
	struct reader *r;
	struct err e = {0};
	struct span record;
	uint64_t seq, first, n = 0;

	(void)state;
	put_back();
	whole(PRUNED, RECORDS + 4);
	assert_false(there(1));
	assert_true(there(2) && there(3));
	assert_int_equal(reader_open(&r, test_path, false, &e), 0);
	assert_int_equal(reader_first(r, &first, &e), 0);
	assert_int_equal(first, PRUNED);
	while (reader_next(r, &seq, &record, &e) == 1 && seq < PRUNED) {
		assert_true(record.p[2] & 0x80);
		n++;
	}
	assert_int_equal(seq, PRUNED);
	assert_int_equal(n, PRUNED / 100);
	assert_int_equal(reader_bundle(r, 256, &(uint32_t){0}, &record, &e),
			 E_NOTFOUND);
	reader_close(r);
}

static void proofs_hold(void **state)
{
	struct prover *p;
	struct proof_text *t = malloc(sizeof(*t));
	struct err e = {0};

	(void)state;
	assert_non_null(t);
	put_back();
	assert_int_equal(prover_open(&p, test_path, false, &e), 0);
	for (uint64_t i = 0; i < RECORDS; i += i < 1100 ? 1 : 37) {
		bool kept = i >= PRUNED || i % 100 == 99;
		int rc = prover_inclusion(p, i, 0, t, &e);

		if (rc != (kept ? 0 : E_NOTFOUND))
			fail_msg("%llu: %d %s", (unsigned long long)i, rc,
				 e.text);
		if (!kept)
			assert_non_null(strstr(e.text, "was pruned"));
	}
	for (uint64_t i = PRUNED; i < RECORDS; i += 13) {
		if (prover_consistency(p, i, 0, t, &e))
			fail_msg("%llu: %s", (unsigned long long)i, e.text);
	}
	assert_int_equal(prover_consistency(p, PRUNED - 1, 0, t, &e),
			 E_NOTFOUND);
	prover_close(p);
	free(t);
}

/* The directory of a log that was pruned says so, and is whole. */
static void an_export_says_it(void **state)
{
	const struct layout_part later = {.from = 1024};
	struct points_conf conf = {.keys = &key, .n_keys = 1};
	struct verify_result r;
	struct err e = {0};
	char dir[96], cmd[160];

	(void)state;
	put_back();
	snprintf(dir, sizeof(dir), "%s/part", test_dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	if (layout_write_part(test_path, dir, &later, &e) ||
	    layout_verify(dir, &conf, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.first, 1024);
	snprintf(dir, sizeof(dir), "%s/out", test_dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	if (layout_write(test_path, dir, &e) ||
	    layout_verify(dir, &conf, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.first, PRUNED);
	assert_int_equal(r.records, RECORDS + 4);
	assert_int_equal(r.boots, 2);
	snprintf(cmd, sizeof(cmd), "cp %s/part/part %s/minimum", test_dir, dir);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(layout_verify(dir, &conf, &r, NULL, NULL, &e), E_INTEGRITY);
	assert_non_null(strstr(e.text, "no record says that it was pruned"));
	assert_int_equal(r.bad, PRUNED);
	snprintf(cmd, sizeof(cmd), "rm %s/minimum", dir);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(layout_verify(dir, &conf, &r, NULL, NULL, &e), E_INTEGRITY);
	assert_non_null(strstr(e.text, "record 0: its bundle is missing"));
}

/* --- what is found -------------------------------------------------------- */

static void shell(const char *what)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd), "cd '%s' && %s", test_dir, what);
	assert_int_equal(system(cmd), 0);
}

static void sql(const char *name, const char *what)
{
	bool main_file = strcmp(name, "a.db") == 0;
	struct err e = {0};
	struct db *d;
	char path[96];

	snprintf(path, sizeof(path), "%s/%s", test_dir, name);
	assert_int_equal(db_open(&d, path, DB_WRITE, &e), 0);
	if (main_file)
		test_guards(d, false);
	test_exec(d, what);
	if (main_file)
		test_guards(d, true);
	test_db_close(d);
}

/* --- checkpoints held over what was pruned ---------------------------------- */

struct held {
	uint64_t size;
	uint8_t octets[NOTE_MAX];
	size_t n;
};

/* What somebody was given when the log was so long. */
static struct held hold_last(void)
{
	struct checkpoint c;
	struct prover *p;
	struct held h;
	struct span note;
	struct err e = {0};

	assert_int_equal(prover_open(&p, test_path, false, &e), 0);
	assert_int_equal(prover_checkpoint(p, 0, &c, &note, &e), 0);
	h.size = c.size;
	h.n = note.n;
	memcpy(h.octets, note.p, note.n);
	prover_close(p);
	return h;
}

/* A log with a checkpoint of about every hundred records; those of 301, 512
 * and 901 are held. from: where it begins to be another. */
static void make_held(struct held h[3], uint64_t from)
{
	static const uint64_t at[] = {300, 511, 900};
	struct audit *a = open_last(false);
	struct err e = {0};
	struct sample s;
	size_t n = 0;

	for (uint64_t to = 100; to < 4000; to += 100) {
		bool is = n < 3 && to + 100 > at[n];
		uint64_t end = is ? at[n] : to;

		while (audit_size(a) < end) {
			uint64_t i = audit_size(a);

			if (audit_append(a, test_event(&s, i < from ? i
							: 5 * i), NULL, &e))
				fail_msg("%s", e.text);
		}
		audit_ask(a);
		if (audit_commit(a, &e))
			fail_msg("%s", e.text);
		if (is)
			h[n++] = hold_last();
	}
	move_out(a, 1024);
	prune(a, 1024);
	test_close(a);
}

static int verify_held(const struct held *h, struct verify_result *r,
		       struct err *e)
{
	struct span held = span_of(h->octets, h->n);
	struct points_conf conf = {.keys = &key, .n_keys = 1, .held = &held,
				   .n_held = 1};

	return verify_file(test_path, &conf, r, NULL, NULL, e);
}

static void held_ones_over_pruned_records(void **state)
{
	struct held ours[3], theirs[3];
	struct note_key before = key; /* of the log that others use */
	struct verify_result r;
	struct err e = {0};
	char cmd[256], name[96];

	(void)state;
	test_clean();
	make_held(theirs, 200);
	/* The same key, and the same name: another log all the same. */
	snprintf(cmd, sizeof(cmd), "cd '%s' && mv a.db.key k && mv a.db.vkey v "
		 "&& rm a.db* && mv k a.db.key && mv v a.db.vkey", test_dir);
	assert_int_equal(system(cmd), 0);
	make_held(ours, UINT64_MAX);
	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&key, name, &e), 0);
	assert_int_equal(ours[0].size, 301);
	assert_int_equal(ours[1].size, 512);
	/* It ends with a bundle: compared, stored or not. */
	if (verify_held(&ours[1], &r, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.first, 1024);
	assert_int_equal(r.n_thinned, 0);
	assert_int_equal(verify_held(&theirs[1], &r, &e), E_INTEGRITY);
	assert_non_null(strstr(e.text, "replaced, altered or forked"));
	/* The log's own is gone: it is told, and what is proved. */
	if (verify_held(&ours[0], &r, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.n_thinned, 1);
	assert_int_equal(r.thinned[0].size, 301);
	assert_true(r.thinned[0].after > 301 && r.thinned[0].after <= 1024);
	/* But for none that cannot have been thinned out. */
	sql("a.db", "DELETE FROM checkpoint WHERE size <= 1024");
	assert_int_equal(verify_held(&ours[2], &r, &e), E_INTEGRITY);
	assert_non_null(strstr(e.text, "nor one behind it"));
	/* The last of them is named by what is there. */
	whole_but_for(&r, "it is missing");
	assert_int_equal(r.n_missing, 1);
	assert_int_equal(r.missing[0], 1001);
	key = before;
}

/* --- each change ------------------------------------------------------------ */

static const struct {
	const char *why, *shell, *file, *sql, *text;
	uint64_t bad;
} rows[] = {
	{"a segment removed", "rm a.db.seg-2", NULL, NULL,
	 "segment 2 (from record 768): its file is missing", 768},
	{"segments swapped",
	 "mv a.db.seg-2 x && mv a.db.seg-3 a.db.seg-2 && mv x a.db.seg-3", NULL,
	 NULL, "segment 2: record 768: its bundle is missing", 768},
	{"one in another's place", "cp a.db.seg-2 a.db.seg-3", NULL, NULL,
	 "segment 3: record 1280: its bundle is missing", 1280},
	{"another file in its place", "cp a.db a.db.seg-2", NULL, NULL,
	 "its file is no segment of a log", 768},
	{"no database in its place", "echo no > a.db.seg-2", NULL, NULL,
	 "segment 2 (from record 768): its file is no segment of a log", 768},
	{"a pipe in its place", "rm a.db.seg-2 && mkfifo a.db.seg-2", NULL,
	 NULL, "segment 2 (from record 768): its file is no regular file",
	 768},
	{"a directory in its place", "rm a.db.seg-2 && mkdir a.db.seg-2", NULL,
	 NULL, "segment 2 (from record 768): its file is no regular file",
	 768},
	{"a link elsewhere in its place", "mv a.db.seg-2 x && "
	 "ln -s x a.db.seg-2", NULL, NULL,
	 "segment 2 (from record 768): its file is no regular file", 768},
	{"one cut short", "truncate -s -4096 a.db.seg-2", NULL, NULL,
	 "the file was cut or lengthened", 768},
	{"one lengthened", "cat a.db.seg-2 >> a.db.seg-2.x; head -c 4096 "
	 "a.db.seg-2 >> a.db.seg-2; rm a.db.seg-2.x", NULL, NULL,
	 "its file was cut or lengthened", 768},
	{"an octet altered, without a seal",
	 "printf x | dd of=a.db.seg-2 bs=1 seek=20000 conv=notrunc 2>/dev/null", NULL,
	 NULL, "segment 2: page 5 of the file was altered", ANY - 1},
	{"a record altered", NULL, "a.db.seg-2",
	 "UPDATE bundle SET data = CAST(substr(data, 1, length(data) - 40) ||"
	 " x'4142' || substr(data, length(data) - 37) AS BLOB) WHERE first = 1024", "segment 2: ", ANY - 1},
	{"a bundle removed", NULL, "a.db.seg-3",
	 "DELETE FROM bundle WHERE first = 1536", "segment 3: record 1536: its "
	 "bundle is missing", 1536},
	{"the last bundle removed", NULL, "a.db.seg-3",
	 "DELETE FROM bundle WHERE first = 1792", "segment 3: record 1792: its "
	 "segment has not what its row says", 1792},
	{"a head altered", NULL, "a.db.seg-3",
	 "UPDATE bundle SET chain = zeroblob(32) WHERE first = 1536",
	 "segment 3: records 1536 to 1791: the chain of bundles does not fit",
	 1536},
	{"something beside", NULL, "a.db.seg-3", "CREATE TABLE more(x)",
	 "segment 3 (from record 1280): its schema was altered", 1280},
	{"said to be pruned, and no record says so", "rm a.db.seg-2", "a.db",
	 "UPDATE segment SET pruned = 1 WHERE no = 2",
	 "record 768: it is gone, and no record says that it was pruned", 768},
	{"pruned, and said to be there", NULL, "a.db",
	 "UPDATE segment SET pruned = 0 WHERE no = 1",
	 "segment 1 (from record 0): its file is missing", 0},
	{"a segment forgotten", NULL, "a.db",
	 "DELETE FROM segment WHERE no = 3", "record 1280: its bundle is "
	 "missing", 1280},
	{"all segments forgotten", NULL, "a.db", "DELETE FROM segment",
	 "record 0: its bundle is missing", 0},
	{"a row's head", NULL, "a.db",
	 "UPDATE segment SET chain = zeroblob(32) WHERE no = 2",
	 "segment 2 (from record 768): the chain of bundles does not fit",
	 768},
	{"a pruned row's head", NULL, "a.db",
	 "UPDATE segment SET chain = zeroblob(32) WHERE no = 1",
	 "record 1000: it names another chain of bundles", 1000},
	{"a row's length", NULL, "a.db",
	 "UPDATE segment SET octets = octets + 1 WHERE no = 2",
	 "segment 2 (from record 768): its file was cut or lengthened", 768},
	{"a root altered", NULL, "a.db",
	 "UPDATE root SET hash = zeroblob(32) WHERE idx = 5",
	 "record 1280: its bundle is not what its root says", 1280},
	{"a pruned root altered", NULL, "a.db",
	 "UPDATE root SET hash = zeroblob(32) WHERE idx = 1",
	 "the records up to there are others", 768},
	{"a pruned root removed", NULL, "a.db",
	 "DELETE FROM root WHERE idx = 1", "record 256: it was pruned, and the "
	 "root of its bundle is missing", 256},
	{"a root removed", NULL, "a.db", "DELETE FROM root WHERE idx = 5",
	 "a root is missing", ANY},
	{"a protected record altered", NULL, "a.db",
	 "UPDATE protected SET record = (SELECT record FROM protected WHERE"
	 " seq = 399) WHERE seq = 299", "record 299: what was kept of it is "
	 "not of its kind", 299},
	{"a protected record removed", NULL, "a.db",
	 "DELETE FROM protected WHERE seq = 299", "record 4002: 7 protected "
	 "records stayed of what was pruned, 6 are there", 4002},
	{"and its way", NULL, "a.db",
	 "DELETE FROM protected WHERE seq = 299; DELETE FROM path WHERE"
	 " seq = 299", "record 4002: 7 protected records stayed of what was "
	 "pruned, 6 are there", 4002},
	{"a way altered", NULL, "a.db",
	 "UPDATE path SET hashes = zeroblob(256) WHERE seq = 299",
	 "record 299: its way does not lead to its bundle's root", 299},
	{"a way removed", NULL, "a.db", "DELETE FROM path WHERE seq = 1599",
	 "record 1599: its way to its bundle's root is missing", 1599},
	{"a boot of pruned records", NULL, "a.db",
	 "UPDATE boot SET key = zeroblob(32) WHERE number = 1",
	 "record 99: its salt is not of its boot's key", 99},
};

static void every_change_has_its_finding(void **state)
{
	struct points_conf conf = {.keys = &key, .n_keys = 1};
	struct verify_result r;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int rc;

		put_back();
		if (rows[i].sql)
			sql(rows[i].file, rows[i].sql);
		if (rows[i].shell)
			shell(rows[i].shell);
		alarm(60); /* not to wait for ever is part of it */
		rc = verify_file(test_path, &conf, &r, NULL, NULL, &e);
		if (rc != E_INTEGRITY || !strstr(e.text, rows[i].text))
			fail_msg("%s: %d %s", rows[i].why, rc, e.text);
		if (rows[i].bad != ANY - 1 &&
		    (r.has_bad != (rows[i].bad != ANY) ||
		     (r.has_bad && r.bad != rows[i].bad)))
			fail_msg("%s: record %lld: %s", rows[i].why,
				 r.has_bad ? (long long)r.bad : -1, e.text);
	}
	alarm(0);
}

/* Whoever can write the directory must not keep those who read waiting. */
static void a_pipe_is_no_log(void **state)
{
	struct verify_result r;
	struct reader *reader;
	struct err e = {0};
	struct span octets;
	uint64_t seq;
	int rc;

	(void)state;
	put_back();
	alarm(60);
	shell("rm a.db.seg-2 && mkfifo a.db.seg-2");
	assert_int_equal(reader_open(&reader, test_path, false, &e), 0);
	while ((rc = reader_next(reader, &seq, &octets, &e)) == 1)
		assert_true(seq < PRUNED);
	assert_int_equal(rc, E_INTEGRITY);
	reader_close(reader);
	shell("rm a.db && mkfifo a.db");
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e),
			 E_STATE);
	assert_int_equal(reader_open(&reader, test_path, false, &e), E_STATE);
	assert_non_null(strstr(e.text, "no regular file"));
	alarm(0);
}

/* --- pruning looks at what it removes ---------------------------------------- */

static const struct {
	const char *why, *file, *sql, *text;
} going[] = {
	{"a protected copy removed", "a.db",
	 "DELETE FROM protected WHERE seq = 899; DELETE FROM path WHERE"
	 " seq = 899", "record 899: its protected copy is missing"},
	{"all of them", "a.db", "DELETE FROM protected WHERE seq >= 768 AND seq < 4000",
	 "record 799: its protected copy is missing"},
	{"one altered", "a.db",
	 "UPDATE protected SET record = CAST(record || x'00' AS BLOB)"
	 " WHERE seq = 999", "record 999: its protected copy differs"},
	{"another kind", "a.db",
	 "UPDATE protected SET kind = 5 WHERE seq = 999",
	 "record 999: its protected copy differs"},
	{"one of a record that is not protected", "a.db",
	 "INSERT INTO protected VALUES(1279, 4, x'00')",
	 "record 1279: or one before it has a protected copy"},
	{"a record altered", "a.db.seg-2",
	 "UPDATE bundle SET data = CAST(substr(data, 1, length(data) - 40) ||"
	 " x'4142' || substr(data, length(data) - 37) AS BLOB)"
	 " WHERE first = 1024", "record 1024: it or one behind it is not what "
	 "the tree has"},
	{"a bundle removed", "a.db.seg-2",
	 "DELETE FROM bundle WHERE first = 1024", "it has not record 1024"},
};

/* What is wrong with a record cannot be seen when it is gone: so it stays. */
static void nothing_wrong_is_pruned(void **state)
{
	struct now now = {.wall.us = INT64_C(1700009000000000)};
	struct audit *a;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(going) / sizeof(going[0]); i++) {
		put_back();
		sql(going[i].file, going[i].sql);
		a = open_last(true);
		now.mono = audit_last(a);
		e = (struct err){0};
		if (audit_prune(a, 1280, &now, "a test", &e) != E_INTEGRITY ||
		    !strstr(e.text, going[i].text))
			fail_msg("%s: %s", going[i].why, e.text);
		assert_int_equal(audit_first(a), PRUNED);
		test_close(a);
		assert_true(there(2));
	}
	put_back();
	a = open_last(true);
	prune(a, 1280);
	assert_int_equal(audit_first(a), 1280);
	test_close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_moved_out_reads_as_before),
		cmocka_unit_test(protected_ones_stay),
		cmocka_unit_test(proofs_hold),
		cmocka_unit_test(an_export_says_it),
		cmocka_unit_test(held_ones_over_pruned_records),
		cmocka_unit_test(it_goes_on_behind_them),
		cmocka_unit_test(every_change_has_its_finding),
		cmocka_unit_test(nothing_wrong_is_pruned),
		cmocka_unit_test(a_pipe_is_no_log),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
