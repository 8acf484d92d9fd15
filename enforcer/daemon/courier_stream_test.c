/* SPDX-License-Identifier: Apache-2.0 */
/* Records over HTTP: every one, in order, whoever reads beside it and however
 * badly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "enforcer/daemon/courier.h"
#include "enforcer/daemon/courier_testbed.h"
#include "enforcer/daemon/damage_testbed.h"

#define FIRST	600 /* records that are there from the start */
#define READERS 100

/* --- reading -------------------------------------------------------------- */

/* Octets of a chunked answer, without the chunks. */
static size_t unchunk(char *buf, size_t n)
{
	char *at = strstr(buf, "\r\n\r\n"), *end = buf + n;
	size_t out = 0;

	if (!at)
		return 0;
	at += 4;
	while (at < end) {
		char *line;
		unsigned long k = strtoul(at, &line, 16);

		if (line == at || line + 2 > end)
			break;
		at = line + 2;
		if (k > (size_t)(end - at))
			k = (unsigned long)(end - at);
		memmove(buf + out, at, k);
		out += k;
		at += k;
		at += at + 2 <= end ? 2 : 0;
	}
	buf[out] = 0;
	return out;
}

static char answer[8 << 20];

static size_t get(enum where w, const char *query, const char *heads, int ms)
{
	char request[512];

	snprintf(request, sizeof(request),
		 "GET /v1/audit%s HTTP/1.1\r\nHost: m\r\nConnection: close\r\n"
		 "%s\r\n", query, heads);
	return ask(w, request, answer, sizeof(answer), ms);
}

/* The numbers of the records in what was read, in their order; how many. */
static size_t numbers(const char *text, uint64_t *out, size_t cap)
{
	static const char key[] = "\"seq\":";
	size_t n = 0;

	for (const char *p = text; n < cap && (p = strstr(p, key)); p += 6)
		out[n++] = strtoull(p + 6, NULL, 10);
	return n;
}

static void expect_run(const char *text, uint64_t from, uint64_t n)
{
	static uint64_t seq[20000];
	size_t k = numbers(text, seq, 20000);

	if (k != n)
		fail_msg("%zu records for %llu", k, (unsigned long long)n);
	for (size_t i = 0; i < k; i++)
		assert_int_equal(seq[i], from + i);
}

static const struct {
	const char *query;
	uint64_t from, n; /* consecutive records */
} runs[] = {
	{"", 0, FIRST},
	{"?from=0", 0, FIRST},
	{"?from=255", 255, FIRST - 255},
	{"?from=256", 256, FIRST - 256},
	{"?from=257&limit=300", 257, 300},
	{"?from=599", 599, 1},
	{"?from=600", 0, 0},
	{"?from=100000", 0, 0},
	{"?last=10", FIRST - 10, 10},
	{"?last=100000", 0, FIRST},
	{"?limit=1", 0, 1},
	{"?from=3&from=7&limit=2", 7, 2},
};

static void every_record_from_any_number(void **state)
{
	(void)state;
	NEEDS_COURIER();
	for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++) {
		get(i % 2 ? PORTAL : OPERATOR, runs[i].query, "", 5000);
		if (!strstr(answer, "Content-Type: application/x-ndjson"))
			fail_msg("%s: %.200s", runs[i].query, answer);
		unchunk(answer, sizeof(answer) - 1);
		expect_run(answer, runs[i].from, runs[i].n);
		/* A line each, and nothing else. */
		for (char *p = answer; *p; p = strchr(p, '\n') + 1) {
			assert_int_equal(*p, '{');
			assert_non_null(strchr(p, '\n'));
		}
	}
}

static void only_what_the_filter_lets_through(void **state)
{
	static uint64_t seq[FIRST];
	size_t n;

	(void)state;
	NEEDS_COURIER();
	get(PORTAL, "?guest=portal&verdict=deny", "", 5000);
	unchunk(answer, sizeof(answer) - 1);
	n = numbers(answer, seq, FIRST);
	assert_int_equal(n, FIRST / 6);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(seq[i], 6 * i + 5);
	get(PORTAL, "?guest=portal&verdict=deny&limit=7&from=10", "", 5000);
	unchunk(answer, sizeof(answer) - 1);
	assert_int_equal(numbers(answer, seq, FIRST), 7);
	assert_int_equal(seq[0], 11);
	get(PORTAL, "?guest=nobody", "", 5000);
	assert_non_null(strstr(answer, " 200 "));
	assert_int_equal(unchunk(answer, sizeof(answer) - 1), 0);
}

static void what_is_not_understood_is_said(void **state)
{
	(void)state;
	NEEDS_COURIER();
	get(OPERATOR, "?form=3", "", 2000);
	assert_non_null(strstr(answer, " 400 "));
	assert_non_null(strstr(answer, "'form' is no argument"));
	get(PORTAL, "?from=3&guest", "", 2000);
	assert_non_null(strstr(answer, " 400 "));
	get(PORTAL, "", "Accept: text/event-stream\r\nLast-Event-ID: x\r\n",
	    2000);
	assert_non_null(strstr(answer, " 400 "));
	ask(PORTAL, "POST /v1/audit HTTP/1.1\r\nHost: m\r\n"
		    "Content-Length: 0\r\n\r\n", answer, sizeof(answer), 2000);
	assert_non_null(strstr(answer, " 405 "));
}

/* A HEAD is told what a GET would be, and no octet of it. */
static void a_head_is_answered_alone(void **state)
{
	static const char *const paths[] = {
		"/v1/audit", "/v1/audit?follow=1", "/v1/tile/entries/000"};

	(void)state;
	NEEDS_COURIER();
	for (size_t i = 0; i < 4 * sizeof(paths) / sizeof(paths[0]); i++) {
		const char *path = paths[i / 4];
		bool events = i % 4 > 1;
		char request[300];
		char *end;

		snprintf(request, sizeof(request), "HEAD %s HTTP/1.1\r\n"
			 "Host: m\r\n%sConnection: close\r\n\r\n", path,
			 events ? "Accept: text/event-stream\r\n" : "");
		ask(i % 2 ? PORTAL : OPERATOR, request, answer, sizeof(answer),
		    2000);
		end = strstr(answer, "\r\n\r\n");
		if (!end || strncmp(answer, "HTTP/1.1 200", 12) != 0 || end[4])
			fail_msg("%s: %.300s", path, answer);
		if (i / 4 < 2 &&
		    !strstr(answer, events ? ": text/event-stream"
					   : ": application/x-ndjson"))
			fail_msg("%s: %s", path, answer);
	}
}

/* Events come as the log grows, and go on exactly where they ended. */
static void events_resume_behind_the_last_one(void **state)
{
	static const char events[] = "Accept: text/event-stream\r\n";
	static char all[1 << 20];
	uint64_t have = FIRST - 20, size = FIRST;
	char query[64], heads[128], id[64];

	(void)state;
	NEEDS_COURIER();
	snprintf(query, sizeof(query), "?from=%llu", (unsigned long long)have);
	snprintf(heads, sizeof(heads), "%s", events);
	for (int i = 0; i < 6; i++) {
		int fd = call(PORTAL);
		char request[512];
		size_t n, k;

		snprintf(request, sizeof(request),
			 "GET /v1/audit%s HTTP/1.1\r\nHost: m\r\n%s\r\n",
			 query, heads);
		say(fd, request, strlen(request));
		usleep(50000);
		size += 17;
		write_log(size);
		/* Until the last one is there, however long it takes. */
		snprintf(id, sizeof(id), "id: %llu\n",
			 (unsigned long long)size - 1);
		for (n = 0, k = 0; k < 100; k++) {
			n += hear(fd, all + n, sizeof(all) - n, 100);
			if (strstr(all, id) && strstr(strstr(all, id), "\n\n"))
				break;
		}
		close(fd);
		assert_non_null(strstr(all, "Content-Type: text/event-stream"));
		unchunk(all, n);
		assert_non_null(strstr(all, "retry: "));
		expect_run(all, have, size - have);
		/* Hang up in the middle next time: half of it was seen. */
		have = i % 2 ? size : size - 5;
		snprintf(heads, sizeof(heads), "%sLast-Event-ID: %llu\r\n",
			 events, (unsigned long long)have - 1);
		query[0] = 0;
	}
}

static long resident_kib(pid_t pid)
{
	char path[64], line[256];
	long kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmRSS: %ld", &kib) == 1)
			break;
	}
	fclose(f);
	return kib;
}

/* A hundred readers from everywhere in the log, half of whom take nothing:
 * the others get all of it, the log grows meanwhile, the courier does not. */
static void readers_beside_readers(void **state)
{
	static const char rest[] = " HTTP/1.1\r\nHost: m\r\n"
				   "Connection: close\r\n\r\n";
	uint64_t size = atomic_load(&b.arg.window->size) + 4000;
	int fd[READERS];
	long before;

	(void)state;
	NEEDS_COURIER();
	write_log(size);
	get(PORTAL, "?limit=300", "", 5000);
	before = resident_kib(b.pid);
	for (int i = 0; i < READERS; i++) {
		char request[128];
		int small = 4096;

		fd[i] = call(i % 2 ? NEIGHBOUR : PORTAL);
		assert_true(fd[i] >= 0);
		if (i % 2) /* never reads */
			setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &small,
				   sizeof(small));
		snprintf(request, sizeof(request), "GET /v1/audit?from=%d%s%s",
			 i % 2 ? 0 : i * 30, i % 2 ? "&follow=1" : "", rest);
		say(fd[i], request, strlen(request));
	}
	/* The log grows; nobody who reads is told less than there was. */
	write_log(size + 500);
	for (int i = 0; i < READERS; i += 2) {
		size_t n = hear(fd[i], answer, sizeof(answer), 20000);

		unchunk(answer, n);
		assert_true(strlen(answer) > 0);
		for (uint64_t k = (uint64_t)i * 30; k < size; k += 997) {
			char key[64];

			snprintf(key, sizeof(key), "\"seq\":%llu,",
				 (unsigned long long)k);
			if (!strstr(answer, key))
				fail_msg("reader %d has no record %llu", i,
					 (unsigned long long)k);
		}
		close(fd[i]);
	}
	assert_true(answers(OPERATOR, 2000));
	assert_true(answers(PORTAL, 8000));
	/* 24 MiB: the shelf, a block each, and what the heap leaves over. */
	assert_true(resident_kib(b.pid) < before + 24 * 1024);
	for (int i = 1; i < READERS; i += 2)
		close(fd[i]);
	assert_true(alive());
}

/* Who writes the log dies: readers wait, and get the rest from another. */
static void a_reader_outlives_the_writer(void **state)
{
	uint64_t size = atomic_load(&b.arg.window->size);
	char request[256], id[64];
	size_t n = 0;
	int fd;

	(void)state;
	NEEDS_COURIER();
	fd = call(PORTAL);
	kill_writer();
	snprintf(request, sizeof(request),
		 "GET /v1/audit?from=%llu&follow=1 HTTP/1.1\r\nHost: m\r\n\r\n",
		 (unsigned long long)size - 700);
	say(fd, request, strlen(request));
	usleep(100000);
	assert_true(answers(OPERATOR, 2000));
	start_writer();
	write_log(size + 3);
	snprintf(id, sizeof(id), "\"seq\":%llu,", (unsigned long long)size + 2);
	for (int i = 0; i < 200 && !strstr(answer, id); i++)
		n += hear(fd, answer + n, sizeof(answer) - n, 100);
	close(fd);
	unchunk(answer, n);
	expect_run(answer, size - 700, 703);
}

/* Their streams had nothing for them, and they went: their places are free when
 * the log has grown, or after a while. */
static void who_went_away_holds_no_place(void **state)
{
	static const char rare[] = "GET /v1/audit?kind=bill&follow=1 HTTP/1.1"
				   "\r\nHost: m\r\n\r\n";
	static char buf[65536];
	int busy = 0;

	(void)state;
	NEEDS_COURIER();
	for (int i = 0; i < 120; i++) {
		int fd = call(OPERATOR);

		assert_true(fd >= 0);
		say(fd, rare, strlen(rare));
		/* Its head comes, then nothing. */
		for (size_t n = 0; n < 20;)
			n += hear(fd, buf + n, sizeof(buf) - n, 5);
		busy += strstr(buf, " 503 ") != NULL;
		close(fd);
		if (i % 10 == 9)
			write_log(atomic_load(&b.arg.window->size) + 3);
	}
	assert_int_equal(busy, 0);
	write_log(atomic_load(&b.arg.window->size) + 3);
	get(OPERATOR, "?limit=1", "", 5000);
	assert_non_null(strstr(answer, " 200 "));
	assert_true(alive());
}

static const char follow[] = "GET /v1/audit?last=1&follow=1 HTTP/1.1"
			     "\r\nHost: m\r\n\r\n";

/* So many more, from there; how many are told that there is no place. */
static size_t crowd(enum where w, int *fd, int n)
{
	static char buf[4096];
	size_t busy = 0;

	for (int i = 0; i < n; i++) {
		fd[i] = call(w);
		if (fd[i] >= 0)
			say(fd[i], follow, strlen(follow));
		usleep(2000);
	}
	for (int i = 0; i < n; i++) {
		if (fd[i] < 0)
			continue;
		hear(fd[i], buf, sizeof(buf), 20);
		busy += strstr(buf, " 503 ") != NULL;
	}
	return busy;
}

/* More than there are places for: told so, and the others go on. One address
 * takes not all of them, where anybody may ask. */
static void places_are_limited(void **state)
{
	int fd[100], others[50];

	(void)state;
	NEEDS_COURIER();
	/* Some of who went before may not have been noticed yet. */
	assert_in_range(crowd(PORTAL, fd, 100), 100 - 112 * 3 / 4, 50);
	assert_true(answers(NEIGHBOUR, 1000));
	assert_in_range(crowd(NEIGHBOUR, others, 50), 50 - 112 / 4, 40);
	assert_true(answers(OPERATOR, 2000));
	for (int i = 0; i < 100; i++)
		close(fd[i]);
	for (int i = 0; i < 50; i++)
		close(others[i]);
	assert_true(answers(PORTAL, 8000));
	assert_true(alive());
}

/* Events to a reader who has seen `id` until `last` is among them. */
static void events(const char *id, const char *last)
{
	char request[256];
	size_t n = 0;
	int fd = call(PORTAL);

	snprintf(request, sizeof(request),
		 "GET /v1/audit HTTP/1.1\r\nHost: m\r\n"
		 "Accept: text/event-stream\r\nLast-Event-ID: %s\r\n\r\n", id);
	say(fd, request, strlen(request));
	answer[0] = 0;
	for (int i = 0; i < 100 && !strstr(answer, last); i++)
		n += hear(fd, answer + n, sizeof(answer) - n, 100);
	close(fd);
	unchunk(answer, n);
}

#define OTHER	   20 /* records of the log of recovery */
#define OTHER_LAST "id: recovery-1/19\n"
#define TOLD                                                                   \
	"event: log\n"                                                         \
	"data: {\"origin\":\"test/audit/recovery-1\",\"first\":0}\n\n"

static void go_to_log(unsigned recovery, uint64_t n)
{
	uint32_t before = atomic_load(&b.arg.window->log);

	kill_writer();
	b.log_goal->recovery = recovery;
	atomic_store(&b.log_goal->goal, n);
	start_writer();
	for (int i = 0; i < 5000; i++) {
		if (atomic_load(&b.arg.window->log) != before)
			break;
		usleep(1000);
	}
	write_log(n);
}

static const struct {
	const char *why, *id;
	uint64_t from; /* OTHER: none comes */
	bool told;
} resumed[] = {
	{"seen in the log before", "3", 0, true},
	{"a number that only that one had", "400", 0, true},
	{"seen in this one", "recovery-1/4", 5, false},
	{"seen in another recovery", "recovery-2/4", 0, true},
	{"more than there is", "recovery-1/20", 0, true},
};

/* The log turns out to be altered, and another is written. */
static void readers_are_told_of_another_log(void **state)
{
	uint64_t size = atomic_load(&b.arg.window->size);
	static char lines[1 << 16];
	char request[256], want[64];
	size_t n = 0;
	int fd, other;

	(void)state;
	NEEDS_COURIER();
	get(OPERATOR, "?limit=1", "", 2000);
	assert_non_null(strstr(answer, "\"guest\":\"mdma\""));
	fd = call(PORTAL);
	other = call(PORTAL);
	snprintf(request, sizeof(request), "GET /v1/audit?last=3 HTTP/1.1\r\n"
		 "Host: m\r\nAccept: text/event-stream\r\n\r\n");
	say(fd, request, strlen(request));
	snprintf(request, sizeof(request), "GET /v1/audit?last=3&follow=1 "
		 "HTTP/1.1\r\nHost: m\r\n\r\n");
	say(other, request, strlen(request));
	snprintf(want, sizeof(want), "id: %llu\n",
		 (unsigned long long)size - 1);
	answer[0] = 0;
	for (int i = 0; i < 100 && !strstr(answer, want); i++)
		n += hear(fd, answer + n, sizeof(answer) - n, 100);
	go_to_log(1, OTHER);
	for (int i = 0; i < 100 && !strstr(answer, OTHER_LAST); i++)
		n += hear(fd, answer + n, sizeof(answer) - n, 100);
	close(fd);
	unchunk(answer, n);
	assert_non_null(strstr(answer, "\n\n" TOLD "id: recovery-1/0\n"));
	expect_run(strstr(answer, TOLD), 0, OTHER);
	/* Lines have no way to say so: they are cut off, not ended. */
	n = hear(other, lines, sizeof(lines), 1000);
	close(other);
	assert_non_null(strstr(lines, "\"seq\":"));
	assert_null(strstr(lines, "\r\n0\r\n"));
	unchunk(lines, n);
	expect_run(lines, size - 3, 3);

	for (size_t i = 0; i < sizeof(resumed) / sizeof(resumed[0]); i++) {
		events(resumed[i].id, OTHER_LAST);
		if ((strstr(answer, TOLD) != NULL) != resumed[i].told)
			fail_msg("%s: %s", resumed[i].why, answer);
		expect_run(answer, resumed[i].from, OTHER - resumed[i].from);
	}
	/* Nothing that was asked for before is given for this one. */
	get(OPERATOR, "?limit=1", "", 2000);
	assert_non_null(strstr(answer, "\"guest\":\"portal\""));
	get(OPERATOR, "?origin=test/audit", "", 2000);
	assert_non_null(strstr(answer, " 410 "));
	get(OPERATOR, "?origin=test/audit/recovery-1", "", 2000);
	unchunk(answer, strlen(answer));
	expect_run(answer, 0, OTHER);
	ask(OPERATOR, STATUS, answer, sizeof(answer), 2000);
	assert_non_null(strstr(answer,
			       "\"origin\":\"test/audit/recovery-1\""));
	go_to_log(0, size);
	events("recovery-1/4", "id: 5\n");
	assert_non_null(strstr(answer, "{\"origin\":\"test/audit\","
				       "\"first\":0}\n\nid: 0\n"));
}

/* A stream of the last six records before a bundle that cannot be read. */
static size_t as_far_as_it_goes(unsigned end, const char *heads, int ms)
{
	int64_t from = live_mono().ns;
	char query[32];
	size_t n;

	snprintf(query, sizeof(query), "?from=%u", end - 6);
	n = get(OPERATOR, query, heads, ms);
	assert_true(live_mono().ns - from < ms * MS); /* it ended */
	assert_null(strstr(answer, "\r\n0\r\n"));	      /* not in order */
	n = unchunk(answer, n);
	expect_run(strchr(answer, '{'), end - 6, 6);
	return n;
}

static void damage_ends_a_stream_and_is_told(void **state)
{
	(void)state;
	NEEDS_COURIER();
	write_log(4000);
	kill_writer();
	damage_bundles(b.db, "UPDATE bundle SET data = zeroblob(2000000)"
			     " WHERE first = 256");
	/* This one has not all that it should have. */
	damage_bundles(b.db, "UPDATE bundle SET n = 100"
			     " WHERE first = 768");
	atomic_store(&b.arg.window->log, 0); /* what was read is forgotten */
	start_writer();
	for (int i = 0; i < 5000 && !atomic_load(&b.arg.window->log); i++)
		usleep(1000);
	as_far_as_it_goes(256, "Accept: text/event-stream\r\n", 8000);
	assert_non_null(strstr(answer, "\n\nevent: damaged\n"
				       "data: {\"first\":256}\n\n"));
	as_far_as_it_goes(768, "Accept: text/event-stream\r\n", 8000);
	assert_non_null(strstr(answer, "\n\nevent: damaged\n"
				       "data: {\"first\":768}\n\n"));
	as_far_as_it_goes(256, "", 8000);
	assert_null(strstr(answer, "damaged"));
	ask(PORTAL, "GET /v1/tile/entries/001 HTTP/1.1\r\nHost: m\r\n"
		    "Connection: close\r\n\r\n",
	    answer, sizeof(answer), 4000);
	assert_non_null(strstr(answer, "HTTP/1.1 500 "));
	assert_non_null(strstr(answer, "records from 256: "));
	get(OPERATOR, "?from=512&limit=9", "", 4000);
	unchunk(answer, strlen(answer));
	expect_run(answer, 512, 9);
}

/* --- */

static int with_log(void **state)
{
	if (set_up(state))
		return -1;
	if (!b.runs)
		return 0;
	start_writer();
	write_log(FIRST);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_record_from_any_number),
		cmocka_unit_test(only_what_the_filter_lets_through),
		cmocka_unit_test(what_is_not_understood_is_said),
		cmocka_unit_test(a_head_is_answered_alone),
		cmocka_unit_test(events_resume_behind_the_last_one),
		cmocka_unit_test(readers_beside_readers),
		cmocka_unit_test(a_reader_outlives_the_writer),
		cmocka_unit_test(who_went_away_holds_no_place),
		cmocka_unit_test(readers_are_told_of_another_log),
		cmocka_unit_test(places_are_limited),
		cmocka_unit_test(damage_ends_a_stream_and_is_told),
	};

	return cmocka_run_group_tests(tests, with_log, tear_down);
}
