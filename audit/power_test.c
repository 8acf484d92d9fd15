/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log on a disk whose power is cut, and on one that fails: what was
 * committed is there, whole and in order, and nothing that fails is taken for
 * done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "audit/reader.h"
#include "audit/store.h"
#include "audit/testdb.h"
#include "audit/testdisk.h"

#define CUTS 100 /* METERGATE_CUTS for more */

struct run {
	uint64_t known;	  /* records that were acknowledged */
	uint64_t written; /* that were appended */
	uint8_t *before;  /* records as they were read after the last start */
	size_t n_before;
	uint64_t failed;  /* calls that failed and said so */
	/* Of each record that was read once, a sum: it never changes. */
	uint64_t *sum, n_sum, pruned, first;
};

/* What is written beside records. */
static bool moves, counts;

static bool open_log(struct audit **a, struct err *e)
{
	struct audit_conf conf = {
		.path = test_path,
		.origin = "meter-1.meter.example/audit",
		.boot_key = {1, 2, 3},
		.batch = UINT32_MAX,
		.service_name = sample_service,
	};

	return audit_open(a, &conf, e) == 0;
}

/* With each commit: how many records there are then. */
static bool count_them(struct audit *a)
{
	struct sample s;
	struct event *ev = sample_aggregate(&s, 0);
	struct err e = {0};

	if (!counts)
		return true;
	ev->count = audit_size(a);
	return audit_tally(a, 7, ev, &e) == 0;
}

static int take_count(void *arg, uint64_t slot, const struct event *ev,
		      struct err *e)
{
	uint64_t *n = arg;

	(void)e;
	assert_int_equal(slot, 7);
	*n = ev->count;
	return 0;
}

/* Bundles leave the database, or for good. */
static bool move_some(struct run *r, struct audit *a)
{
	struct now now = {.mono = audit_last(a)};
	struct err e = {0};
	int rc;

	if (disk_random() % 3 == 0 && audit_size(a) > 1500 &&
	    audit_segment(a, audit_size(a) - 1300, &e))
		return false;
	if (disk_random() % 6)
		return true;
	rc = audit_prune(a, audit_first(a) + 256 + disk_random() % 2500, &now,
			 "a test", &e);
	if (rc != 1)
		return rc == 0;
	r->written = audit_size(a);
	if (!count_them(a) || audit_commit(a, &e))
		return false;
	r->known = audit_size(a);
	/* Sometimes that is for later. */
	if (disk_random() % 3 == 0)
		return true;
	if (audit_remove(a, &now, &e) != AUDIT_REMOVED)
		return false;
	r->pruned++;
	return true;
}

/* Append and commit until so many records are there, or something fails. */
static bool write_some(struct run *r, struct audit *a, uint64_t n)
{
	uint64_t from = audit_size(a);
	struct err e = {0};
	struct sample s;

	while (audit_size(a) < from + n) {
		/* Commits of one record and of many, tiles and segments
		 * among them. */
		uint64_t batch = 1 + disk_random() % 90;

		while (batch--) {
			uint64_t seq;

			if (audit_append(a, test_event(&s, audit_size(a)),
					 &seq, &e))
				return false;
			r->written = seq + 1;
		}
		if (!count_them(a) || audit_commit(a, &e))
			return false;
		r->known = audit_size(a);
		if (moves && !move_some(r, a))
			return false;
	}
	return true;
}

/* All records, one behind the other, each behind its length. */
static void read_all(uint8_t **out, size_t *n_out, uint64_t *count)
{
	struct reader *r;
	struct err e = {0};
	struct span record;
	uint64_t seq;
	size_t n = 0, cap = 1 << 20;
	uint8_t *p = malloc(cap);
	int rc;

	assert_non_null(p);
	*count = 0;
	if (reader_open(&r, test_path, false, &e))
		fail_msg("%s", e.text);
	while ((rc = reader_next(r, &seq, &record, &e)) == 1) {
		assert_int_equal(seq, *count);
		++*count;
		if (n + record.n + 2 > cap) {
			cap *= 2;
			p = realloc(p, cap);
			assert_non_null(p);
		}
		p[n] = (uint8_t)(record.n >> 8);
		p[n + 1] = (uint8_t)record.n;
		memcpy(p + n + 2, record.p, record.n);
		n += record.n + 2;
	}
	if (rc < 0)
		fail_msg("record %llu: %s", (unsigned long long)*count,
			 e.text);
	reader_close(r);
	*out = p;
	*n_out = n;
}

/* On the machine's own disk, with the usual tools. */
static void look(struct run *r, const char *when)
{
	uint8_t *now;
	size_t n;
	uint64_t count;
	struct verify_result v;
	struct err e = {0};

	test_clean();
	assert_true(disk_dump(test_dir));
	disk_use(false);
	if (verify_file(test_path, NULL, &v, NULL, NULL, &e))
		fail_msg("%s: %s", when, e.text);
	read_all(&now, &n, &count);
	disk_use(true);
	assert_int_equal(v.records, count);
	if (count < r->known)
		fail_msg("%s: %llu were acknowledged, %llu are there", when,
			 (unsigned long long)r->known,
			 (unsigned long long)count);
	if (n < r->n_before || memcmp(now, r->before, r->n_before) != 0)
		fail_msg("%s: records changed", when);
	free(r->before);
	r->before = now;
	r->n_before = n;
	r->known = count;
}

static uint64_t sum_of(struct span s)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < s.n; i++)
		h = (h ^ s.p[i]) * 1099511628211u;
	return h | 1;
}

/* As look, where records may be pruned: all the others are there, and the
 * protected ones of those. */
static void look_at_all(struct run *r, const char *when)
{
	struct verify_result v;
	struct reader *in;
	struct err e = {0};
	struct span record;
	uint64_t seq, next = 0;
	int rc;

	test_clean();
	assert_true(disk_dump(test_dir));
	disk_use(false);
	if (verify_file(test_path, NULL, &v, NULL, NULL, &e))
		fail_msg("%s: %s", when, e.text);
	if (v.records < r->known || v.first < r->first)
		fail_msg("%s: %llu were acknowledged, %llu are there", when,
			 (unsigned long long)r->known,
			 (unsigned long long)v.records);
	r->sum = realloc(r->sum, v.records * sizeof(*r->sum));
	for (; r->n_sum < v.records; r->n_sum++)
		r->sum[r->n_sum] = 0;
	assert_int_equal(reader_open(&in, test_path, false, &e), 0);
	while ((rc = reader_next(in, &seq, &record, &e)) == 1) {
		uint64_t sum = sum_of(record);

		if (seq != next && (seq < next || seq > v.first))
			fail_msg("%s: record %llu is missing", when,
				 (unsigned long long)next);
		if (r->sum[seq] && r->sum[seq] != sum)
			fail_msg("%s: record %llu changed", when,
				 (unsigned long long)seq);
		r->sum[seq] = sum;
		next = seq + 1;
	}
	if (rc || next != v.records)
		fail_msg("%s: %s", when, e.text);
	reader_close(in);
	disk_use(true);
	r->known = v.records;
	r->first = v.first;
}

static struct audit *start_again(struct run *r, const char *when)
{
	struct audit *a;
	struct err e = {0};
	uint64_t counted = 0;

	if (!open_log(&a, &e))
		fail_msg("%s: %s", when, e.text);
	if (audit_size(a) < r->known)
		fail_msg("%s: of %llu records %llu are left", when,
			 (unsigned long long)r->known,
			 (unsigned long long)audit_size(a));
	if (audit_tallies(a, take_count, &counted, &e) ||
	    (counts && counted != audit_size(a)))
		fail_msg("%s: %llu were counted of %llu", when,
			 (unsigned long long)counted,
			 (unsigned long long)audit_size(a));
	return a;
}

static void cut_power(bool also_moves)
{
	const char *more = getenv("METERGATE_CUTS");
	int cuts = more ? atoi(more) : CUTS, dark = 0;
	struct run r = {0};
	struct err e = {0};

	moves = also_moves;
	counts = true;
	disk_clean(moves ? 3 : 1);
	disk_use(true);
	for (int i = 0; i < cuts; i++) {
		struct audit *a = NULL;
		char when[64];

		snprintf(when, sizeof(when), "cut %d", i);
		/* From the first call, the making of the file, to any. */
		disk.cut = true;
		disk.fail_at = disk.calls + 1 + disk_random() % (i % 4 ? (moves ? 900 : 400)
								       : 40);
		if (open_log(&a, &e))
			write_some(&r, a, 300);
		dark += disk.dark;
		if (audit_close(a, &e))
			assert_true(disk.dark);
		disk_power();
		/* The new writer finds it as the power left it. */
		a = start_again(&r, when);
		assert_true(audit_size(a) <= r.written);
		r.known = audit_size(a);
		assert_true(write_some(&r, a, 1));
		test_close(a);
		if (moves)
			look_at_all(&r, when);
		else
			look(&r, when);
	}
	print_message("%d cuts, %d of them while something was written, "
		      "%llu records, those before %llu pruned in %llu "
		      "times\n", cuts, dark, (unsigned long long)r.known,
		      (unsigned long long)r.first,
		      (unsigned long long)r.pruned);
	assert_true(dark > cuts / 2);
	assert_true(r.known > (uint64_t)cuts);
	assert_int_equal(moves, r.first > 0);
	free(r.before);
	free(r.sum);
	disk_use(false);
	moves = counts = false;
}

static void the_power_is_cut(void **state)
{
	(void)state;
	cut_power(false);
}

static void the_power_is_cut_while_records_move(void **state)
{
	(void)state;
	cut_power(true);
}

/* Each of the first calls fails, and every seventh behind them (each, with
 * METERGATE_CUTS): once, or for good. */
static void fails_with(int how, bool on)
{
	uint64_t step = getenv("METERGATE_CUTS") ? 1 : 7, last = 0;
	struct run r = {0};

	for (uint64_t at = 1;; at += at < 80 ? 1 : step) {
		struct audit *a = NULL;
		struct err e = {0};
		char when[64];

		snprintf(when, sizeof(when), "call %llu fails with %d%s",
			 (unsigned long long)at, how, on ? " for good" : "");
		disk_clean(7); /* the same calls each time */
		r.known = r.written = 0;
		free(r.before);
		r.before = NULL;
		r.n_before = 0;
		disk.fail_with = how;
		disk.fail_on = on;
		disk.fail_at = at;
		if (open_log(&a, &e)) {
			bool done = write_some(&r, a, 400);

			if (done && disk.calls >= at && on)
				fail_msg("%s: and nothing is said", when);
			/* After a failure it refuses to go on. */
			if (!done && (audit_commit(a, &e) == 0 ||
				      audit_commit(a, &e) == 0))
				fail_msg("%s: it goes on", when);
			r.failed += !done;
			(void)!audit_close(a, &e);
		} else {
			assert_true(e.text[0] != 0);
			r.failed++;
		}
		last = disk.calls;
		disk.fail_at = 0;
		/* There is room again. */
		a = start_again(&r, when);
		assert_true(write_some(&r, a, 1));
		test_close(a);
		look(&r, when);
		if (at > last)
			break;
	}
	print_message("%llu calls, %llu failures were said\n",
		      (unsigned long long)last, (unsigned long long)r.failed);
	assert_true(r.failed > 20);
	free(r.before);
}

static void a_disk_that_is_full(void **state)
{
	(void)state;
	disk_use(true);
	fails_with(SQLITE_FULL, true);
	disk_use(false);
}

static void a_disk_that_is_broken(void **state)
{
	(void)state;
	disk_use(true);
	fails_with(SQLITE_IOERR, true);
	disk_use(false);
}

static void a_disk_that_fails_once(void **state)
{
	(void)state;
	disk_use(true);
	fails_with(SQLITE_IOERR, false);
	disk_use(false);
}

static void a_disk_that_is_read_only(void **state)
{
	(void)state;
	disk_use(true);
	fails_with(SQLITE_READONLY, true);
	disk_use(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_power_is_cut),
		cmocka_unit_test(the_power_is_cut_while_records_move),
		cmocka_unit_test(a_disk_that_is_full),
		cmocka_unit_test(a_disk_that_is_broken),
		cmocka_unit_test(a_disk_that_fails_once),
		cmocka_unit_test(a_disk_that_is_read_only),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
