/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log's bound, over a year of a faked clock: it is kept after every commit
 * and every look for room, nothing protected is lost, and at the end the log
 * is whole. METERGATE_YEAR=1: the size and rate of a real one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>

#include "audit/notefile.h"
#include "audit/testdb.h"

#define YEAR_S (365 * 86400)
#define START  INT64_C(1700000000)

static uint64_t room_taken(void)
{
	DIR *d = opendir(test_dir);
	struct dirent *f;
	uint64_t n = 0;

	assert_non_null(d);
	while ((f = readdir(d))) {
		char name[400];
		struct stat st;

		snprintf(name, sizeof(name), "%s/%s", test_dir, f->d_name);
		/* Shared memory of sqlite is no disk's. */
		if (!strstr(f->d_name, "-shm") && stat(name, &st) == 0 &&
		    S_ISREG(st.st_mode))
			n += (uint64_t)st.st_size;
	}
	closedir(d);
	return n;
}

struct year {
	uint64_t bound, every_s, batch; /* a record; records of a commit */
	struct audit *a;
	uint64_t i, protected_n, pruned, most, from;
	int64_t at_s;
};

static struct now when(const struct year *y)
{
	return (struct now){.mono.ns = (y->at_s + 1) * NS_PER_S,
			    .wall.us = (START + y->at_s) * US_PER_S};
}

static void check_room(struct year *y)
{
	uint64_t n = room_taken();

	y->most = n > y->most ? n : y->most;
	if (n > y->bound)
		fail_msg("day %lld: %llu octets of %llu",
			 (long long)(y->at_s / 86400), (unsigned long long)n,
			 (unsigned long long)y->bound);
}

/* What a meter does: readings that pass, flows, now and then a refusal; ten a
 * day that are protected. */
static struct event *meter_event(struct sample *s, const struct year *y)
{
	uint64_t day = 86400 / y->every_s, at = y->i % day;
	struct event *ev;

	if (at % (day / 10) == 1)
		return sample_policy(s, y->i);
	ev = at % 7 == 3   ? sample_anomaly(s, y->i)
	     : at % 50 == 4 ? sample_violation(s, y->i)
			    : sample_flow(s, y->i);
	return ev;
}

static void add_batch(struct year *y)
{
	struct err e = {0};

	for (uint64_t k = 0; k < y->batch; k++, y->i++) {
		struct sample s;
		struct event *ev = meter_event(&s, y);

		y->protected_n += ev->type == EV_POLICY;
		ev->now = when(y);
		ev->first = ev->last = ev->now.mono;
		if (audit_append(y->a, ev, NULL, &e))
			fail_msg("%s", e.text);
		y->at_s += (int64_t)y->every_s;
	}
	if (audit_commit(y->a, &e))
		fail_msg("%s", e.text);
	check_room(y);
}

static void look_for_room(struct year *y)
{
	struct err e = {0};
	struct now now = when(y);
	int rc;

	while ((rc = audit_room(y->a, &now, &e)) > 0) {
		if (rc == AUDIT_REMOVED) {
			y->pruned++;
			continue;
		}
		y->protected_n++;
		if (audit_commit(y->a, &e))
			fail_msg("%s", e.text);
		check_room(y);
	}
	if (rc)
		fail_msg("day %lld: %s", (long long)(y->at_s / 86400), e.text);
	check_room(y);
}

static struct audit *open_bound(uint64_t bound, bool cosigned)
{
	return test_open_log((struct audit_conf){
		.batch = UINT32_MAX,
		.resume = true,
		.own_key = true,
		.bound = bound,
		.cosigned = cosigned,
	});
}

static void a_year_stays_within_the_bound(void **state)
{
	bool real = getenv("METERGATE_YEAR") != NULL;
	struct year y = {
		.bound = real ? UINT64_C(192) << 20 : AUDIT_BOUND_LEAST,
		.every_s = real ? 5 : 120,
		.batch = real ? 720 : 120,
	};
	struct verify_result r;
	struct note_key key;
	struct points_conf conf = {.keys = &key, .n_keys = 1};
	struct err e = {0};
	struct db *d;
	uint64_t n, points;
	char name[96];

	(void)state;
	test_clean();
	y.a = open_bound(y.bound, false);
	while (y.at_s < YEAR_S) {
		/* In the middle of it the gateway starts again. */
		if (y.i && y.i % (y.batch * 2000) == 0) {
			test_close(y.a);
			y.a = open_bound(y.bound, false);
		}
		add_batch(&y);
		look_for_room(&y);
	}
	assert_true(y.pruned > 1);
	y.from = audit_first(y.a);
	test_close(y.a);
	check_room(&y);
	snprintf(name, sizeof(name), "%s.vkey", test_path);
	assert_int_equal(note_file_key(&key, name, &e), 0);
	if (verify_file(test_path, &conf, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	assert_int_equal(r.first, y.from);
	assert_int_equal(db_open(&d, test_path, DB_READ, &e), 0);
	assert_int_equal(db_number(d, "SELECT count(*) FROM protected", &n,
				   &e), 0);
	assert_int_equal(db_number(d, "SELECT count(*) FROM checkpoint", &points,
				   &e), 0);
	assert_int_equal(db_close(d, &e), 0);
	assert_int_equal(n, y.protected_n);
	print_message("%llu records, one in %llu s; at most %.1f of %llu MiB; "
		      "%llu times pruned, the last %llu records (%.0f days) "
		      "are there, all %llu protected ones, and %llu "
		      "checkpoints\n", (unsigned long long)r.records,
		      (unsigned long long)y.every_s,
		      (double)y.most / 1048576,
		      (unsigned long long)(y.bound >> 20),
		      (unsigned long long)y.pruned,
		      (unsigned long long)(r.records - r.first),
		      (double)(r.records - r.first) * (double)y.every_s / 86400,
		      (unsigned long long)n, (unsigned long long)points);
}

/* Where only what was cosigned may go: first it is tight, then full, and it
 * stays so; all is there. */
static void nothing_goes_that_may_not(void **state)
{
	struct year y = {.bound = AUDIT_BOUND_LEAST, .every_s = 60,
			 .batch = 1000};
	struct err e = {0};
	struct now now;
	bool tight = false;
	int rc;

	(void)state;
	test_clean();
	y.a = open_bound(y.bound, true);
	for (;;) {
		add_batch(&y);
		now = when(&y);
		rc = audit_room(y.a, &now, &e);
		if (rc)
			break;
		tight = audit_tight(y.a);
	}
	assert_int_equal(rc, E_LIMIT);
	assert_non_null(strstr(e.text, "no witness cosigned"));
	assert_true(tight);
	assert_true(audit_full(y.a));
	assert_int_equal(audit_first(y.a), 0);
	audit_abandon(y.a);
	/* Nor after a start; but when it may. */
	y.a = open_bound(y.bound, true);
	assert_int_equal(audit_room(y.a, &now, &e), E_LIMIT);
	audit_abandon(y.a);
	y.a = open_bound(y.bound, false);
	assert_int_equal(audit_room(y.a, &now, &e), 1);
	assert_int_equal(audit_commit(y.a, &e), 0);
	assert_int_equal(audit_first(y.a), 0);
	assert_int_equal(audit_room(y.a, &now, &e), AUDIT_REMOVED);
	assert_true(audit_first(y.a) > 0);
	test_close(y.a);
}

static int nobody(void *arg, struct audit *a, struct err *e)
{
	(void)arg, (void)a, (void)e;
	return 0;
}

/* Where a TPM is to have the checkpoint first: until it has, there is room for
 * a while, and then none, and the bound is kept. */
static void what_waits_for_its_anchor_fills_it(void **state)
{
	struct year y = {.bound = AUDIT_BOUND_LEAST, .every_s = 60,
			 .batch = 1000};
	const struct audit_conf conf = {
		.batch = UINT32_MAX,
		.resume = true,
		.own_key = true,
		.bound = y.bound,
		.agree = nobody,
	};
	struct err e = {0};
	struct now now;
	unsigned rounds = 0;

	(void)state;
	test_clean();
	y.a = test_open_log(conf);
	do {
		add_batch(&y);
		now = when(&y);
	} while (audit_room(y.a, &now, &e) == 0);
	assert_int_equal(audit_commit(y.a, &e), 0);
	while (!audit_full(y.a)) {
		assert_int_equal(audit_room(y.a, &now, &e), 0);
		assert_false(audit_removes(y.a));
		assert_int_equal(audit_first(y.a), 0);
		check_room(&y);
		if (audit_full(y.a))
			break;
		add_batch(&y);
		now = when(&y);
		rounds++;
	}
	assert_true(rounds > 3);
	/* So it is after a start, too. */
	audit_abandon(y.a);
	y.a = test_open_log(conf);
	assert_int_equal(audit_room(y.a, &now, &e), 0);
	assert_true(audit_full(y.a));
	check_room(&y);
	audit_anchored(y.a, audit_checkpointed(y.a));
	assert_true(audit_removes(y.a));
	assert_int_equal(audit_room(y.a, &now, &e), AUDIT_REMOVED);
	assert_true(audit_first(y.a) > 0);
	assert_int_equal(audit_room(y.a, &now, &e), 0);
	assert_false(audit_full(y.a));
	test_close(y.a);
	check_room(&y);
}

/* In memory, where there is room: it is about what is taken, not about how
 * long a disk takes. */
static int setup(void **state)
{
	static const char shm[] = "/dev/shm/audit-.XXXXXX";

	_Static_assert(sizeof(shm) == sizeof(test_dir), "as long");
	if (access("/dev/shm", W_OK) == 0)
		memcpy(test_dir, shm, sizeof(shm));
	return test_setup(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_year_stays_within_the_bound),
		cmocka_unit_test(nothing_goes_that_may_not),
		cmocka_unit_test(what_waits_for_its_anchor_fills_it),
	};

	return cmocka_run_group_tests(tests, setup, test_teardown);
}
