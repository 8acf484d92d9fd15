/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "audit/reader.h"
#include "audit/record.h"
#include "audit/testdb.h"

static void a_thousand_events_and_then_more(void **state)
{
	struct audit *a;

	(void)state;
	test_clean();
	a = test_open(0);
	test_append(a, 0, 1000);
	test_close(a);
	test_whole(1000);
	/* On the border of a bundle, inside of one, and over several. */
	for (uint64_t n = 1000; n < 1800; n += n < 1024 ? 12 : 111) {
		a = test_open(0);
		test_append(a, n, n + (n < 1024 ? 12 : 111));
		test_close(a);
		test_whole(n + (n < 1024 ? 12 : 111));
	}
}

static void what_was_told_is_what_is_read(void **state)
{
	struct record_view *v = malloc(sizeof(*v));
	struct span record;
	struct reader *r;
	struct err e = {0};
	uint64_t seq;

	(void)state;
	assert_non_null(v);
	test_make(600);
	assert_int_equal(reader_open(&r, test_path, false, &e), 0);
	for (uint64_t i = 0; i < 600; i++) {
		struct sample s;
		const struct event *ev = test_event(&s, i);

		assert_int_equal(reader_next(r, &seq, &record, &e), 1);
		assert_int_equal(seq, i);
		assert_int_equal(record_decode(v, record, &e), 0);
		assert_int_equal(v->r.seq, i);
		assert_int_equal(v->r.boot, i < 300 ? 1 : 2);
		assert_int_equal(v->r.kind, record_kind_of(ev));
		assert_int_equal(v->ev.now.mono.ns, ev->now.mono.ns);
		assert_int_equal(v->ev.pcap_cnt, ev->pcap_cnt);
		if (v->r.kind == RECORD_ALLOW)
			assert_true(span_is(v->r.service, "ok"));
	}
	assert_int_equal(reader_next(r, &seq, &record, &e), 0);
	reader_close(r);
	free(v);
}

/* A reader at the end sees what is appended later. */
static void a_reader_may_follow(void **state)
{
	struct span record;
	struct reader *r;
	struct err e = {0};
	struct audit *a;
	uint64_t seq, n = 0;

	(void)state;
	test_make(250);
	a = test_open(0);
	assert_int_equal(reader_open(&r, test_path, false, &e), 0);
	for (uint64_t end = 250; end <= 1050; end += 100) {
		while (reader_next(r, &seq, &record, &e) == 1)
			assert_int_equal(seq, n++);
		assert_int_equal(n, end);
		test_append(a, end, end + 100);
		/* Not yet committed: not yet seen. */
		assert_int_equal(reader_next(r, &seq, &record, &e), 0);
		assert_int_equal(audit_commit(a, &e), 0);
	}
	test_whole(1150);
	reader_close(r);
	test_close(a);
}

static void the_same_events_give_the_same_log(void **state)
{
	struct verify_result one, two;
	struct err e = {0};

	(void)state;
	test_make(700);
	assert_int_equal(verify_file(test_path, NULL, &one, NULL, NULL, &e), 0);
	test_make(700);
	assert_int_equal(verify_file(test_path, NULL, &two, NULL, NULL, &e), 0);
	assert_memory_equal(one.root, two.root, sizeof(one.root));
}

/* Written in bulk: the same log, of the same form, and only as a new file. */
static void bulk_gives_the_same_log(void **state)
{
	struct audit_conf conf = {
		.path = test_path,
		.origin = "meter-1.meter.example/audit",
		.boot_key = {1, 2, 3},
		.service_name = sample_service,
		.bulk = true,
	};
	struct verify_result one, two;
	struct err e = {0};
	struct audit *a;

	(void)state;
	test_clean();
	a = test_open(0);
	test_append(a, 0, 3000);
	test_close(a);
	assert_int_equal(verify_file(test_path, NULL, &one, NULL, NULL, &e), 0);
	test_clean();
	assert_int_equal(audit_open(&a, &conf, &e), 0);
	test_append(a, 0, 3000);
	test_close(a);
	assert_int_equal(verify_file(test_path, NULL, &two, NULL, NULL, &e), 0);
	assert_memory_equal(one.root, two.root, sizeof(one.root));
	assert_int_equal(audit_open(&a, &conf, &e), E_EXISTS);
	a = test_open(0);
	test_append(a, 3000, 3100);
	test_close(a);
	test_whole(3100);
}

static void what_is_abandoned_is_not_there(void **state)
{
	struct audit *a;

	(void)state;
	test_make(600);
	a = test_open(0);
	test_append(a, 600, 620);
	audit_abandon(a);
	test_whole(600);
	/* And its numbers are given again. */
	a = test_open(0);
	test_append(a, 600, 603);
	test_close(a);
	test_whole(603);
	audit_abandon(NULL);
}

static void a_step_of_the_wall_clock_is_a_record(void **state)
{
	static const struct {
		int64_t mono_ms, wall_ms;
		uint64_t seq; /* of the event's own record */
	} events[] = {
		{0, 0, 0},
		{1000, 1000, 1},     /* as it should be */
		{2000, 2900, 2},     /* less than a second off */
		{3000, 7000, 4},     /* forward: 3 is the step */
		{4000, 8000, 5},
		{5000, 2000, 7},     /* back */
		{6000, -2000000000000, 8}, /* not set: no step */
		{7000, 5000, 9},     /* set again */
	};
	struct record_view *v = malloc(sizeof(*v));
	struct audit *a;
	struct reader *r;
	struct span record;
	struct err e = {0};
	uint64_t seq;
	unsigned steps = 0;

	(void)state;
	assert_non_null(v);
	test_clean();
	a = test_open(0);
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		struct sample s;
		struct event *ev = sample_decision(&s, 0);

		ev->now.mono.ns += events[i].mono_ms * 1000000;
		ev->now.wall.us += events[i].wall_ms * 1000;
		assert_int_equal(audit_append(a, ev, &seq, &e), 0);
		assert_int_equal(seq, events[i].seq);
	}
	test_close(a);
	test_whole(10);
	assert_int_equal(reader_open(&r, test_path, false, &e), 0);
	while (reader_next(r, &seq, &record, &e) == 1) {
		assert_int_equal(record_decode(v, record, &e), 0);
		if (v->r.kind != RECORD_CLOCK)
			continue;
		steps++;
		assert_non_null(strstr(v->ev.detail, "wall clock stepped"));
	}
	assert_int_equal(steps, 2);
	reader_close(r);
	free(v);
}

static void what_does_not_belong_is_refused(void **state)
{
	struct audit *a;
	struct err e = {0};
	struct sample s;
	struct event *ev;

	(void)state;
	test_clean();
	a = test_open(0);
	ev = sample_decision(&s, 5);
	ev->type = EV_PROTOCOL;
	assert_false(audit_wants(ev));
	assert_int_equal(audit_append(a, ev, NULL, &e), E_STATE);
	ev->type = EV_STATS;
	assert_false(audit_wants(ev));
	ev->type = EV_DECISION;
	assert_true(audit_wants(ev));
	assert_int_equal(audit_append(a, ev, NULL, &e), 0);
	ev = sample_decision(&s, 4);
	assert_int_equal(audit_append(a, ev, NULL, &e), E_STATE);
	assert_string_equal(e.text, "audit: the monotonic clock went back");
	test_close(a);
	/* The same boot must continue; another begins anew. */
	a = test_open(1);
	assert_int_equal(audit_append(a, ev, NULL, &e), E_STATE);
	test_close(a);
	a = test_open(0);
	assert_int_equal(audit_append(a, ev, NULL, &e), 0);
	test_close(a);
	test_whole(2);
}

/* A writer that died goes on where it was, one of another start begins anew;
 * both know what there was. */
static void a_boot_is_resumed_by_its_key(void **state)
{
	static const struct {
		const char *why;
		uint8_t key;
		bool fresh;
		uint64_t size;
		int64_t last_s;
	} rows[] = {
		{"an empty file", 1, true, 0, 0},
		{"the same start", 1, false, 1, 5},
		{"once more", 1, false, 2, 6},
		{"another start", 2, true, 3, 0},
		{"that one again", 2, false, 4, 8},
	};

	(void)state;
	test_clean();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct audit_conf conf = {.path = test_path,
					  .origin = "meter-1.meter.example/"
						    "audit",
					  .boot_key = {rows[i].key},
					  .batch = UINT32_MAX,
					  .resume = true};
		struct err e = {0};
		struct audit *a;
		struct sample s;

		if (audit_open(&a, &conf, &e))
			fail_msg("%s: %s", rows[i].why, e.text);
		assert_int_equal(audit_boot_is_new(a), rows[i].fresh);
		assert_int_equal(audit_size(a), rows[i].size);
		assert_int_equal(audit_last(a).ns, rows[i].last_s * NS_PER_S);
		assert_string_equal(audit_last_detail(a),
				    i ? "activated" : "");
		assert_int_equal(audit_append(a, sample_policy(&s, i), NULL,
					      &e), 0);
		assert_int_equal(audit_size(a), rows[i].size + 1);
		test_close(a);
	}
	test_whole(5);
}

/* Append until it fails; one clear line, and nothing after it passes. */
static int until_full(struct audit *a)
{
	struct err e = {0}, after = {0};
	struct sample s;

	for (uint64_t i = 0; i < 1000000; i++) {
		if (audit_append(a, test_event(&s, i), NULL, &e) == 0)
			continue;
		if (e.code != E_IO || strncmp(e.text, "audit: ", 7) != 0 ||
		    strchr(e.text, '\n'))
			return 2;
		if (audit_append(a, test_event(&s, i), NULL, &after) !=
		    E_STATE)
			return 3;
		return audit_close(a, &after) == E_STATE ? 0 : 4;
	}
	return 5;
}

/* What is there is whole: some records, a multiple of the commits' size. */
static void whole_after_failure(void)
{
	struct verify_result r;
	struct err e = {0};

	if (verify_file(test_path, NULL, &r, NULL, NULL, &e))
		fail_msg("%s", e.text);
	assert_true(r.records > 0);
	assert_int_equal(r.records % 1000, 0);
}

static void a_limit_on_the_file_stops_it_cleanly(void **state)
{
	uint64_t before;
	struct verify_result r;
	struct err e = {0};
	int status;
	pid_t pid;

	(void)state;
	test_clean();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct rlimit lim = {3 << 20, 3 << 20};

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &lim);
		_exit(until_full(test_open(0)));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	whole_after_failure();
	/* And with room again it goes on. */
	assert_int_equal(verify_file(test_path, NULL, &r, NULL, NULL, &e), 0);
	before = r.records;
	test_close(test_open(0));
	test_whole(before);
}

static void a_full_disk_stops_it_cleanly(void **state)
{
	char keep[64];
	int rc;

	(void)state;
	test_clean();
	if (mount("audit-test", test_dir, "tmpfs", 0, "size=2m")) {
		print_message("SKIP: a full disk: tmpfs cannot be mounted\n");
		skip();
	}
	rc = until_full(test_open(0));
	/* The rest of this test must not leave the mount behind. */
	if (rc == 0) {
		struct verify_result r;
		struct err e = {0};

		rc = verify_file(test_path, NULL, &r, NULL, NULL, &e);
		if (rc == 0 && (r.records == 0 || r.records % 1000))
			rc = 9;
		if (rc)
			print_message("%s\n", e.text);
	}
	snprintf(keep, sizeof(keep), "%s", test_dir);
	umount(keep);
	assert_int_equal(rc, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thousand_events_and_then_more),
		cmocka_unit_test(what_was_told_is_what_is_read),
		cmocka_unit_test(a_reader_may_follow),
		cmocka_unit_test(the_same_events_give_the_same_log),
		cmocka_unit_test(bulk_gives_the_same_log),
		cmocka_unit_test(what_is_abandoned_is_not_there),
		cmocka_unit_test(a_step_of_the_wall_clock_is_a_record),
		cmocka_unit_test(what_does_not_belong_is_refused),
		cmocka_unit_test(a_boot_is_resumed_by_its_key),
		cmocka_unit_test(a_limit_on_the_file_stops_it_cleanly),
		cmocka_unit_test(a_full_disk_stops_it_cleanly),
	};

	return cmocka_run_group_tests(tests, test_setup, test_teardown);
}
