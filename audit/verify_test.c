/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <endian.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "audit/page.h"
#include "audit/store.h"
#include "audit/testdb.h"

#define ANY UINT64_MAX /* which record it is cannot be said */

/* --- changes of the tables, with good seals --- */

static const struct {
	const char *why, *sql, *text;
	uint64_t bad;
} changes[] = {
	{"tail cut", "DELETE FROM bundle WHERE first = 512", "cut", 512},
	{"first bundle gone", "DELETE FROM bundle WHERE first = 0", "missing",
	 0},
	{"middle bundle gone", "DELETE FROM bundle WHERE first = 256",
	 "missing", 256},
	{"bundles swapped",
	 "UPDATE bundle SET data = (SELECT data FROM bundle b"
	 " WHERE b.first = 256 - bundle.first) WHERE first < 512",
	 "number is another's", 0},
	{"a bundle's chain", "UPDATE bundle SET chain = CAST(x'00' ||"
			     " substr(chain, 2) AS BLOB) WHERE first = 256", "chain", 256},
	{"a bundle's segment", "UPDATE bundle SET seg = 1 WHERE first = 256",
	 "damaged", 256},
	{"fewer records", "UPDATE bundle SET n = 255 WHERE first = 256",
	 "damaged", 511},
	{"octets behind them",
	 "UPDATE bundle SET data = CAST(data || x'00' AS BLOB)"
	 " WHERE first = 256",
	 "damaged", 512},
	{"a tile's hash",
	 "UPDATE tile SET data = CAST(substr(data, 1, 3200) || zeroblob(32)"
	 " || substr(data, 3233) AS BLOB) WHERE idx = 1", "tree's tile", 356},
	{"a tile gone", "DELETE FROM tile WHERE idx = 0", "tile is missing",
	 0},
	{"a tile too many",
	 "INSERT INTO tile SELECT 3, 0, data FROM tile WHERE idx = 0",
	 "tiles: 3", ANY},
	{"state: larger", "UPDATE state SET size = 601", "cut", 600},
	{"state: smaller", "UPDATE state SET size = 599", "behind the end",
	 599},
	{"state: frontier",
	 "UPDATE state SET frontier = CAST(substr(frontier, 1, 32) ||"
	 " zeroblob(32) || substr(frontier, 65) AS BLOB)", "state's tree", 512},
	{"state: chain", "UPDATE state SET chain = zeroblob(32)",
	 "chain head", ANY},
	{"state: boot", "UPDATE state SET boot = 3", "boot", ANY},
	{"state: checkpoint", "UPDATE state SET checkpoint = 1", "checkpoint",
	 ANY},
	{"state: anchored", "UPDATE state SET anchored = 1", "anchor",
	 ANY},
	{"state gone", "DELETE FROM state", "state is missing", ANY},
	{"protected: altered",
	 "UPDATE protected SET record = CAST(record || x'00' AS BLOB)"
	 " WHERE seq = 199",
	 "copy differs", 199},
	{"protected: another kind",
	 "UPDATE protected SET kind = 5 WHERE seq = 199", "copy differs", 199},
	{"protected: gone", "DELETE FROM protected WHERE seq = 399",
	 "copy is missing", 399},
	{"protected: one more", "INSERT INTO protected VALUES(7, 4, x'00')",
	 "protected records: 7", ANY},
	{"boot: key", "UPDATE boot SET key = zeroblob(32) WHERE number = 2",
	 "salt", 300},
	{"boot: first", "UPDATE boot SET first = 299 WHERE number = 2",
	 "began elsewhere", 300},
	{"boot: gone", "DELETE FROM boot WHERE number = 2", "not known", 300},
	{"boot: one more", "INSERT INTO boot VALUES(3, 600, zeroblob(32))",
	 "boots: 3", ANY},
	{"a checkpoint of nobody",
	 "INSERT INTO checkpoint(size, note) VALUES(5, x'00')",
	 "checkpoint of 5 records", ANY},
	{"a table more", "CREATE TABLE t(a)", "schema", ANY},
	{"an index more", "CREATE INDEX i ON bundle(n)", "schema", ANY},
	{"a guard gone", "DROP TRIGGER bundle_grows;"
			 "CREATE TRIGGER bundle_grows BEFORE UPDATE ON bundle"
			 " BEGIN SELECT 1; END", "schema", ANY},
};

static void expect_bad(const char *why, const char *text, uint64_t bad)
{
	struct verify_result r;
	struct err e = {0};
	int rc = verify_file(test_path, NULL, &r, NULL, NULL, &e);

	if (rc != E_INTEGRITY || !strstr(e.text, text))
		fail_msg("%s: %d %s", why, rc, e.text);
	if (r.has_bad != (bad != ANY) || (r.has_bad && r.bad != bad))
		fail_msg("%s: record %llu: %s", why,
			 r.has_bad ? (unsigned long long)r.bad : ANY, e.text);
}

static void every_table_is_compared(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct db *d;

		test_make(600);
		d = test_db();
		test_guards(d, false);
		if (strncmp(changes[i].sql, "DROP", 4) == 0) {
			test_guards(d, true);
			test_exec(d, changes[i].sql);
		} else {
			test_exec(d, changes[i].sql);
			test_guards(d, true);
		}
		test_db_close(d);
		expect_bad(changes[i].why, changes[i].text, changes[i].bad);
	}
}

/* --- changes of records --- */

static uint8_t bundle[STORE_BUNDLE_MAX], made[STORE_BUNDLE_MAX];

struct part {
	struct span rec[STORE_BUNDLE];
	size_t n;
};

static void read_bundle(struct db *d, uint64_t first, struct part *p)
{
	struct db_stmt *st;
	struct err e = {0};
	struct span data;
	struct cur c;

	assert_int_equal(db_prepare(&st, d, "SELECT data FROM bundle"
				    " WHERE first = ?1", &e), 0);
	db_put_u64(st, 1, first);
	assert_int_equal(db_step(st, &e), 1);
	assert_true(db_span(st, 0, &data));
	memcpy(bundle, data.p, data.n);
	c = cur_of(span_of(bundle, data.n));
	db_finish(st);
	for (p->n = 0; store_next(&c, &p->rec[p->n]); p->n++)
		;
	assert_true(cur_done(&c));
}

static void write_bundle(struct db *d, uint64_t first, const struct part *p)
{
	struct wbuf w = wbuf_of(made, sizeof(made));
	struct db_stmt *st;
	struct err e = {0};

	for (size_t i = 0; i < p->n; i++) {
		wbuf_be(&w, p->rec[i].n, 2);
		wbuf_put(&w, p->rec[i]);
	}
	assert_int_equal(db_prepare(&st, d, "UPDATE bundle SET n = ?2,"
				    " data = ?3 WHERE first = ?1", &e), 0);
	db_put_u64(st, 1, first);
	db_put_u64(st, 2, p->n);
	db_put_span(st, 3, wbuf_span(&w));
	assert_int_equal(db_run(st, &e), 0);
	db_finish(st);
}

static uint8_t *octet(const struct part *p, size_t i, size_t off)
{
	return bundle + (p->rec[i].p - bundle) + off;
}

static void alter_text(struct part *p, size_t i)
{
	*octet(p, i, p->rec[i].n - 1) ^= 1;
}

static void alter_salt(struct part *p, size_t i)
{
	*octet(p, i, 48) ^= 1;
}

static void alter_wall(struct part *p, size_t i)
{
	*octet(p, i, 27) ^= 1; /* one microsecond */
}

static void alter_mono(struct part *p, size_t i)
{
	*octet(p, i, 14) ^= 0x80; /* hours */
}

static void alter_class(struct part *p, size_t i)
{
	*octet(p, i, 2) ^= RECORD_PROTECTED >> 8;
}

static void alter_boot(struct part *p, size_t i)
{
	*octet(p, i, 31) ^= 3; /* 1 <-> 2 */
}

static void take_out(struct part *p, size_t i)
{
	memmove(&p->rec[i], &p->rec[i + 1],
		(p->n - i - 1) * sizeof(p->rec[0]));
	p->n--;
}

static void put_twice(struct part *p, size_t i)
{
	/* The last makes room in a full bundle. */
	memmove(&p->rec[i + 1], &p->rec[i],
		((p->n < STORE_BUNDLE ? p->n : STORE_BUNDLE - 1) - i) *
			sizeof(p->rec[0]));
	if (p->n < STORE_BUNDLE)
		p->n++;
}

static void swap(struct part *p, size_t i)
{
	struct span t = p->rec[i];

	p->rec[i] = p->rec[i + 1];
	p->rec[i + 1] = t;
}

static void empty(struct part *p, size_t i)
{
	p->rec[i].n = 0;
}

static const struct {
	const char *why;
	uint64_t first;
	void (*change)(struct part *p, size_t i);
	size_t i;
	const char *text;
	uint64_t bad;
} records[] = {
	{"a word of the rule", 0, alter_text, 5, "", 5},
	{"the very first", 0, alter_text, 0, "", 0},
	{"a salt", 256, alter_salt, 44, "salt", 300},
	{"a microsecond", 0, alter_wall, 130, "tree's tile", 130},
	{"a microsecond in the last bundle", 512, alter_wall, 78, "chain",
	 576}, /* 600 = 512 + 64 + 16 + 8: the subtree is 576..591 */
	{"the last record of all", 512, alter_wall, 86, "chain", 592},
	{"a monotonic clock", 0, alter_mono, 100, "clock", 100},
	{"made protected", 0, alter_class, 8, "class", 8},
	{"no longer protected", 0, alter_class, 99, "class", 99},
	{"moved into the next boot", 0, alter_boot, 9, "began elsewhere", 9},
	{"moved into the boot before", 256, alter_boot, 60, "boot", 316},
	{"one taken out", 256, take_out, 44, "number", 300},
	{"the first taken out", 0, take_out, 0, "number", 0},
	{"the last taken out", 512, take_out, 87, "chain", 592},
	{"one put in twice", 256, put_twice, 44, "number", 301},
	{"one put in at the end", 512, put_twice, 87, "number", 600},
	{"two swapped", 256, swap, 44, "number", 300},
	{"one emptied", 256, empty, 44, "cut short", 300},
};

static void every_record_is_compared(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		struct part p;
		struct db *d;

		test_make(600);
		d = test_db();
		test_guards(d, false);
		read_bundle(d, records[i].first, &p);
		records[i].change(&p, records[i].i);
		write_bundle(d, records[i].first, &p);
		test_guards(d, true);
		test_db_close(d);
		expect_bad(records[i].why, records[i].text, records[i].bad);
	}
}

/* Each bit of each record of the last bundle, where no tile is at hand. */
static void every_bit_of_a_bundle_is_compared(void **state)
{
	struct part p;
	struct db *d;

	(void)state;
	test_make(20);
	d = test_db();
	test_guards(d, false);
	read_bundle(d, 0, &p);
	assert_int_equal(p.n, 20);
	test_guards(d, true);
	test_db_close(d);
	for (size_t off = 0; off < p.rec[17].n; off += 3) {
		struct verify_result r;
		struct err e = {0};

		d = test_db();
		test_guards(d, false);
		*octet(&p, 17, off) ^= (uint8_t)(1 << off % 8);
		write_bundle(d, 0, &p);
		*octet(&p, 17, off) ^= (uint8_t)(1 << off % 8);
		test_guards(d, true);
		test_db_close(d);
		if (verify_file(test_path, NULL, &r, NULL, NULL, &e) != E_INTEGRITY)
			fail_msg("octet %zu: %s", off, e.text);
		assert_true(r.has_bad && (r.bad == 17 || r.bad == 16));
	}
}

/* --- changes of the file --- */

static uint8_t *slurp(size_t *n)
{
	FILE *f = fopen(test_path, "rb");
	uint8_t *p;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*n = (size_t)ftell(f);
	rewind(f);
	p = malloc(*n);
	assert_non_null(p);
	assert_int_equal(fread(p, 1, *n, f), *n);
	fclose(f);
	return p;
}

static void spill(const uint8_t *p, size_t n)
{
	FILE *f;

	test_clean();
	f = fopen(test_path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}

/* The format is the sums one word after another, however they are added. */
static void a_seal_is_what_it_was(void **state)
{
	uint8_t page[PAGE_SIZE_OCTETS];

	(void)state;
	srandom(64125);
	for (uint64_t no = 1; no != 0; no *= 8) {
		uint32_t a = (uint32_t)no;
		uint32_t b = ~(uint32_t)no ^ (uint32_t)(no >> 32), w[2];
		size_t i = 0;

		for (; i < sizeof(page); i++)
			page[i] = (uint8_t)random();
		for (i = 0; i < sizeof(page) - PAGE_SEAL; i += sizeof(w)) {
			memcpy(w, page + i, sizeof(w));
			a += le32toh(w[0]) + b;
			b += le32toh(w[1]) + a;
		}
		page_seal(page, no);
		w[0] = htole32(a);
		w[1] = htole32(b);
		assert_memory_equal(page + i, w, sizeof(w));
		assert_true(page_ok(page, no));
		assert_false(page_ok(page, no + 1));
	}
}

/* Exhaustive: every bit of every page, unused space and header included. */
static void every_bit_of_every_page_is_sealed(void **state)
{
	uint8_t *p;
	size_t n;

	(void)state;
	test_make(20);
	p = slurp(&n);
	assert_int_equal(n % PAGE_SIZE_OCTETS, 0);
	for (size_t at = 0; at < n; at += PAGE_SIZE_OCTETS) {
		uint64_t no = at / PAGE_SIZE_OCTETS + 1;

		assert_true(page_ok(p + at, no));
		assert_false(page_ok(p + at, no + 1));
		for (size_t bit = 0; bit < 8 * PAGE_SIZE_OCTETS; bit++) {
			p[at + bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (page_ok(p + at, no))
				fail_msg("page %zu bit %zu", at, bit);
			p[at + bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	free(p);
}

/* And through the whole program: the header bit by bit, the rest in steps
 * that reach every kind of page. */
static void a_bit_of_the_file_is_found(void **state)
{
	uint8_t *p;
	size_t n;

	(void)state;
	test_make(20);
	p = slurp(&n);
	for (size_t bit = 0; bit < 8 * n; bit += bit < 800 ? 3 : 1229) {
		struct verify_result r;
		struct err e = {0};

		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		spill(p, n);
		if (verify_file(test_path, NULL, &r, NULL, NULL, &e) != E_INTEGRITY)
			fail_msg("bit %zu: %s", bit, e.text);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	spill(p, n);
	test_whole(20);
	free(p);
}

static void a_file_of_another_length_is_found(void **state)
{
	struct verify_result r;
	struct err e = {0};
	uint8_t *p;
	size_t n;

	(void)state;
	test_make(600);
	p = slurp(&n);
	for (size_t cut = 1; cut < n; cut = cut * 3 + 1) {
		spill(p, n - cut);
		/* Of a few octets nobody can say what it was. */
		assert_true(verify_file(test_path, NULL, &r, NULL, NULL, &e) ==
			    (n - cut < 72 ? E_STATE : E_INTEGRITY));
	}
	p = realloc(p, n + PAGE_SIZE_OCTETS);
	assert_non_null(p);
	memset(p + n, 0, PAGE_SIZE_OCTETS);
	spill(p, n + 1);
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e),
			 E_INTEGRITY);
	spill(p, n + PAGE_SIZE_OCTETS);
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e),
			 E_INTEGRITY);
	free(p);
}

static void what_is_no_audit_is_said_so(void **state)
{
	struct verify_result r;
	struct err e = {0};
	struct db *d;

	(void)state;
	test_clean();
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e), E_IO);
	assert_int_equal(verify_file("/tmp", NULL, &r, NULL, NULL, &e), E_STATE);
	assert_non_null(strstr(e.text, "no regular file"));
	spill((const uint8_t *)"", 0);
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e), E_STATE);
	spill(bundle, 10000);
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e), E_STATE);
	test_clean();
	d = test_db();
	test_exec(d, "CREATE TABLE t(a)");
	test_db_close(d);
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e), E_STATE);
}

/* --- a log that grows meanwhile --- */

struct growing {
	_Atomic uint64_t goal, written; /* records */
	uint64_t wal_most;		/* octets */
};

static void write_on(struct growing *g)
{
	struct audit *a = test_open(2);
	struct err e = {0};

	for (;;) {
		uint64_t at = audit_size(a), goal = g->goal;

		if (at < goal)
			test_append(a, at, goal < at + 50 ? goal : at + 50);
		if (audit_commit(a, &e))
			_exit(1);
		g->written = audit_size(a);
		usleep(200);
	}
}

/* For each bundle that was read thousands of records more are written. */
static void grow(void *arg, uint64_t done, uint64_t total)
{
	struct growing *g = arg;
	char wal[96];
	struct stat st;

	(void)done;
	(void)total;
	/* Some of it while nobody reads. */
	if (g->goal < 60 * 256 + 60 * 1000)
		g->goal += 1000;
	while (g->written + 500 < g->goal)
		usleep(200);
	snprintf(wal, sizeof(wal), "%s-wal", test_path);
	if (stat(wal, &st) == 0 && (uint64_t)st.st_size > g->wal_most)
		g->wal_most = (uint64_t)st.st_size;
}

static void a_log_may_grow_while_it_is_read(void **state)
{
	struct growing *g = mmap(NULL, sizeof(*g), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct verify_result r;
	struct err e = {0};
	pid_t pid;

	(void)state;
	assert_true(g != MAP_FAILED);
	test_make(60 * 256 + 100);
	g->goal = 60 * 256 + 100;
	pid = fork();
	if (pid == 0)
		write_on(g);
	while (g->written < g->goal)
		usleep(200);
	if (verify_file(test_path, NULL, &r, grow, g, &e))
		fail_msg("%s", e.text);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_true(r.records >= 60 * 256 + 100);
	print_message("%llu records, and at most %llu octets in the WAL\n",
		      (unsigned long long)r.records,
		      (unsigned long long)g->wal_most);
	/* Held on to from beginning to end it is all that is written: more
	 * than 100 MiB, and some 17 where the writer is as fast as it can. */
	assert_true(g->wal_most < 64 << 20);
	munmap(g, sizeof(*g));
}

/* All that it has is in the journal, also what it is. */
static void a_young_log_is_whole_while_it_is_written(void **state)
{
	struct audit *a;
	struct err e = {0};

	(void)state;
	test_clean();
	a = test_open(0);
	test_append(a, 0, 3);
	assert_int_equal(audit_commit(a, &e), 0);
	test_whole(3);
	test_close(a);
	test_whole(3);
}

static void cut_it(void *arg, uint64_t done, uint64_t total)
{
	(void)arg;
	(void)done;
	(void)total;
	if (truncate(test_path, 2 * PAGE_SIZE_OCTETS))
		_exit(0);
}

/* By a death or a finding, but never as whole. */
static void a_file_cut_meanwhile_is_noticed(void **state)
{
	struct verify_result r;
	struct err e = {0};
	int status = 0;
	pid_t pid;

	(void)state;
	test_make(20 * 256);
	test_whole(20 * 256);
	pid = fork();
	if (pid == 0) {
		signal(SIGBUS, SIG_DFL);
		_exit(verify_file(test_path, NULL, &r, cut_it, NULL, &e) != 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS
					: WEXITSTATUS(status) == 1);
}

static void an_empty_log_is_whole(void **state)
{
	(void)state;
	test_clean();
	test_close(test_open(0));
	test_whole(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_table_is_compared),
		cmocka_unit_test(every_record_is_compared),
		cmocka_unit_test(every_bit_of_a_bundle_is_compared),
		cmocka_unit_test(a_seal_is_what_it_was),
		cmocka_unit_test(every_bit_of_every_page_is_sealed),
		cmocka_unit_test(a_bit_of_the_file_is_found),
		cmocka_unit_test(a_file_of_another_length_is_found),
		cmocka_unit_test(what_is_no_audit_is_said_so),
		cmocka_unit_test(a_log_may_grow_while_it_is_read),
		cmocka_unit_test(a_young_log_is_whole_while_it_is_written),
		cmocka_unit_test(a_file_cut_meanwhile_is_noticed),
		cmocka_unit_test(an_empty_log_is_whole),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
