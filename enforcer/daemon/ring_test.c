/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/err.h"
#include "enforcer/daemon/ring.h"

#define SIZE 1024u /* of most rings here */
#define CAP  256u  /* their longest message */

/* A ring between two walls: nothing may be written beside it. */
struct test_ring {
	uint8_t *page;
	struct ring_shared *s;
};

static struct test_ring make(uint32_t size, uint64_t at)
{
	struct test_ring t;

	t.page = mmap(NULL, 65536, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(t.page != MAP_FAILED);
	memset(t.page, 0xa5, 65536);
	t.s = (struct ring_shared *)(void *)(t.page + 4096);
	memset(t.s, 0, ring_octets(size));
	atomic_store(&t.s->head, at);
	atomic_store(&t.s->tail, at);
	return t;
}

static void unmake(struct test_ring *t, uint32_t size)
{
	for (size_t i = 0; i < 4096; i++)
		assert_int_equal(t->page[i], 0xa5);
	for (size_t i = 4096 + ring_octets(size); i < 65536; i++)
		assert_int_equal(t->page[i], 0xa5);
	munmap(t->page, 65536);
}

static void fill(uint8_t *buf, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (uint8_t)(seed + i * 7);
}

static void put(struct ring *w, size_t n, unsigned seed)
{
	uint8_t buf[CAP];

	fill(buf, n, seed);
	assert_int_equal(ring_put(w, span_of(buf, n)), 0);
}

static void get(struct ring *r, size_t n, unsigned seed)
{
	uint8_t want[CAP], got[CAP];

	fill(want, n, seed);
	assert_int_equal(ring_get(r, got, sizeof(got)), n);
	assert_memory_equal(got, want, n);
}

static const struct {
	const char *why;
	uint64_t at;
} starts[] = {
	{"the beginning",		 0			 },
	{"the last place of the data",	 SIZE - 8		 },
	{"positions beyond 32 bits",	 (UINT64_C(1) << 32) - 16},
	{"positions that wrap",		 UINT64_MAX - 63	 },
};

static void messages_come_out_as_they_went_in(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof(starts) / sizeof(starts[0]); k++) {
		struct test_ring t = make(SIZE, starts[k].at);
		struct ring w, r;

		ring_writer(&w, t.s, SIZE);
		ring_reader(&r, t.s, SIZE);
		/* Every length, so that every place of the ring is one where
		 * a message begins, ends and wraps. */
		for (size_t n = 1; n <= CAP; n++) {
			put(&w, n, (unsigned)n);
			put(&w, CAP + 1 - n, (unsigned)n + 1);
			ring_publish(&w);
			get(&r, n, (unsigned)n);
			get(&r, CAP + 1 - n, (unsigned)n + 1);
			assert_int_equal(ring_get(&r, t.page, 0), 0);
			ring_release(&r);
		}
		unmake(&t, SIZE);
	}
}

static void nothing_is_seen_before_it_is_published(void **state)
{
	struct test_ring t = make(SIZE, 0);
	struct ring w, r;
	uint8_t buf[CAP];

	(void)state;
	ring_writer(&w, t.s, SIZE);
	ring_reader(&r, t.s, SIZE);
	put(&w, 10, 1);
	assert_int_equal(ring_get(&r, buf, sizeof(buf)), 0);
	assert_false(ring_wait(&r, 0));
	assert_true(ring_publish(&w));
	assert_false(ring_publish(&w)); /* nothing new */
	assert_true(ring_wait(&r, 0));
	get(&r, 10, 1);
	unmake(&t, SIZE);
}

static void a_full_ring_takes_nothing(void **state)
{
	struct test_ring t = make(SIZE, UINT64_MAX - 7);
	struct ring w, r;
	uint8_t buf[CAP] = {0};
	unsigned n = 0;

	(void)state;
	ring_writer(&w, t.s, SIZE);
	ring_reader(&r, t.s, SIZE);
	assert_int_equal(ring_room(&w), CAP);
	while (ring_put(&w, span_of(buf, 60)) == 0)
		n++;
	assert_int_equal(n, SIZE / 64);
	assert_int_equal(ring_room(&w), 0);
	assert_false(ring_wait_room(&w, 60, 1));
	ring_publish(&w);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(ring_get(&r, buf, sizeof(buf)), 60);
	assert_int_equal(ring_get(&r, buf, sizeof(buf)), 0);
	/* Got is not released: the writer still has no room. */
	assert_int_equal(ring_put(&w, span_of(buf, 60)), E_LIMIT);
	ring_release(&r);
	assert_true(ring_wait_room(&w, CAP, 0));
	assert_int_equal(ring_put(&w, span_of(buf, CAP)), 0);
	unmake(&t, SIZE);
}

/* --- one side dies -------------------------------------------------------- */

static void a_dead_writer_leaves_what_it_published(void **state)
{
	struct test_ring t = make(SIZE, 0);
	struct ring w, r;
	uint8_t buf[CAP];

	(void)state;
	ring_writer(&w, t.s, SIZE);
	ring_reader(&r, t.s, SIZE);
	put(&w, 20, 1);
	ring_publish(&w);
	put(&w, 30, 2); /* and dies */
	ring_writer(&w, t.s, SIZE);
	put(&w, 40, 3);
	ring_publish(&w);
	get(&r, 20, 1);
	get(&r, 40, 3);
	assert_int_equal(ring_get(&r, buf, sizeof(buf)), 0);
	unmake(&t, SIZE);
}

static void a_dead_reader_reads_again(void **state)
{
	struct test_ring t = make(SIZE, 0);
	struct ring w, r;

	(void)state;
	ring_writer(&w, t.s, SIZE);
	ring_reader(&r, t.s, SIZE);
	put(&w, 20, 1);
	put(&w, 30, 2);
	ring_publish(&w);
	get(&r, 20, 1);
	ring_release(&r);
	get(&r, 30, 2); /* and dies */
	ring_reader(&r, t.s, SIZE);
	get(&r, 30, 2);
	ring_rewind(&r);
	get(&r, 30, 2);
	ring_release(&r);
	assert_int_equal(atomic_load(&t.s->tail), atomic_load(&t.s->head));
	unmake(&t, SIZE);
}

/* A process is killed at any moment while it writes as fast as it can: what
 * comes out is a run of numbers without a hole, each once. */
static void a_writer_may_be_killed_anywhere(void **state)
{
	struct test_ring t = make(SIZE, 0);
	uint64_t next = 1, got, seen = 0;
	struct ring r;

	(void)state;
	ring_reader(&r, t.s, SIZE);
	for (int life = 0; life < 20; life++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			struct ring w;

			ring_writer(&w, t.s, SIZE);
			for (uint64_t v = next;; v++) {
				while (ring_put(&w, span_of(&v, 8)) < 0) {
					ring_publish(&w);
					ring_wait_room(&w, sizeof(v), 10);
				}
				if (v % 3 == 0)
					ring_publish(&w);
			}
		}
		for (int i = 0; i < 50 + life * 40; i++) {
			if (!ring_wait(&r, 1000))
				break;
			assert_int_equal(ring_get(&r, (uint8_t *)&got, 8), 8);
			assert_int_equal(got, next);
			next++;
			ring_release(&r);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		while (ring_get(&r, (uint8_t *)&got, 8) == 8) {
			assert_int_equal(got, next);
			next++;
		}
		ring_release(&r);
		assert_true(next > seen);
		seen = next;
	}
	unmake(&t, SIZE);
}

static void sleepers_are_woken(void **state)
{
	struct test_ring t = make(SIZE, 0);
	struct ring r;
	uint8_t buf[CAP];
	struct timespec from, to;
	pid_t pid;

	(void)state;
	ring_reader(&r, t.s, SIZE);
	clock_gettime(CLOCK_MONOTONIC, &from);
	pid = fork();
	if (pid == 0) {
		struct ring w;

		usleep(50000);
		ring_writer(&w, t.s, SIZE);
		if (ring_put(&w, span_of("x", 1)) < 0)
			_exit(1);
		ring_publish(&w);
		_exit(0);
	}
	/* Without the wake-up this would take the whole minute. */
	assert_true(ring_wait(&r, 60000));
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true(to.tv_sec - from.tv_sec < 30);
	assert_int_equal(ring_get(&r, buf, sizeof(buf)), 1);
	waitpid(pid, NULL, 0);
	/* A time-out is one. */
	assert_false(ring_wait(&r, 1));
	unmake(&t, SIZE);
}

/* --- the other side is hostile -------------------------------------------- */

static const struct {
	const char *why;
	uint64_t head; /* relative to the tail */
	uint32_t len;  /* of the message there */
	int64_t want;
} lies[] = {
	{"an honest one",			  16,	    5,	       5 },
	{"the longest",				  264,	    256,       256},
	{"a ring full of one small message",	  SIZE,	    5,	       5 },
	{"more than the ring holds",		  SIZE + 8, 5,	       -1},
	{"a head before the tail",		  (uint64_t)-8, 5,     -1},
	{"a head far away",			  UINT64_C(1) << 63, 5, -1},
	{"a head that is not aligned",		  17,	    5,	       -1},
	{"no length",				  16,	    0,	       -1},
	{"longer than what was published",	  16,	    13,	       -1},
	{"longer than a message may be",	  SIZE,	    257,       -1},
	{"longer than the ring",		  SIZE,	    SIZE + 1,  -1},
	{"a length that wraps when padded",	  SIZE,	    UINT32_MAX, -1},
	{"just below",			    SIZE,	    UINT32_MAX - 11, -1},
};

static void a_reader_believes_no_nonsense(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		for (size_t k = 0; k < sizeof(starts) / sizeof(starts[0]);
		     k++) {
			struct test_ring t = make(SIZE, starts[k].at);
			struct ring r;
			uint8_t buf[2 * SIZE];
			int64_t n;

			ring_reader(&r, t.s, SIZE);
			memcpy(t.s->data + (starts[k].at & (SIZE - 1)),
			       &lies[i].len, 4);
			atomic_store(&t.s->head, starts[k].at + lies[i].head);
			/* Its own place is not read from there again. */
			atomic_store(&t.s->tail, UINT64_C(0x1234567890));
			n = ring_get(&r, buf, sizeof(buf));
			if (n != lies[i].want)
				fail_msg("%s, from %s: %ld", lies[i].why,
					 starts[k].why, (long)n);
			/* Broken stays broken, and somebody wakes for it. */
			if (n < 0) {
				assert_int_equal(
					ring_get(&r, buf, sizeof(buf)), -1);
				assert_true(ring_wait(&r, 0));
			}
			unmake(&t, SIZE);
		}
	}
}

static void a_head_that_goes_back_is_seen(void **state)
{
	struct test_ring t = make(SIZE, 64);
	struct ring w, r;
	uint8_t buf[CAP];

	(void)state;
	ring_writer(&w, t.s, SIZE);
	ring_reader(&r, t.s, SIZE);
	put(&w, 20, 1);
	put(&w, 20, 2);
	ring_publish(&w);
	get(&r, 20, 1);
	get(&r, 20, 2);
	/* Between what was released and what was got. */
	atomic_store(&t.s->head, 64 + 24);
	assert_int_equal(ring_get(&r, buf, sizeof(buf)), -1);
	/* The successor of such a writer starts at our place. */
	ring_discard(&r);
	ring_writer(&w, t.s, SIZE);
	put(&w, 9, 3);
	ring_publish(&w);
	get(&r, 9, 3);
	unmake(&t, SIZE);
}

static void a_message_too_long_for_its_reader_is_broken(void **state)
{
	struct test_ring t = make(SIZE, 0);
	struct ring w, r;
	uint8_t buf[CAP];

	(void)state;
	ring_writer(&w, t.s, SIZE);
	ring_reader(&r, t.s, SIZE);
	put(&w, 20, 1);
	ring_publish(&w);
	assert_int_equal(ring_get(&r, buf, 19), -1);
	ring_discard(&r);
	assert_int_equal(ring_get(&r, buf, 19), 0);
	unmake(&t, SIZE);
}

static const struct {
	const char *why;
	uint64_t tail; /* relative to the writer's place, 512 in use */
	bool room;     /* for a longest message more */
} tails[] = {
	{"nothing released",		     (uint64_t)-512,	      true },
	{"half released",		     (uint64_t)-256,	      true },
	{"all released",		     0,			      true },
	{"more released than was written",   8,			      false},
	{"going back",			     (uint64_t)-520,	      false},
	{"not aligned",			     (uint64_t)-255,	      false},
	{"far away",			     UINT64_C(1) << 40,	      false},
};

static void a_writer_believes_no_nonsense(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		struct test_ring t = make(SIZE, 4096);
		struct ring w;
		uint8_t buf[CAP] = {0};
		unsigned n = 0;

		ring_writer(&w, t.s, SIZE);
		for (int k = 0; k < 8; k++)
			put(&w, 60, 1);
		ring_publish(&w);
		atomic_store(&t.s->tail, 4096 + 512 + tails[i].tail);
		/* Whatever the other side says, at most the ring is written
		 * over what it was not told to keep. */
		while (ring_put(&w, span_of(buf, 60)) == 0)
			n++;
		if (!tails[i].room && n != 8)
			fail_msg("%s: %u more messages", tails[i].why, n);
		if (tails[i].room)
			assert_int_equal(n, 8 + (512 + (int64_t)tails[i].tail) /
							64);
		unmake(&t, SIZE);
	}
}

static const struct {
	const char *why;
	uint64_t head, tail;
} leftovers[] = {
	{"a head beyond the ring", SIZE + 8,		 0 },
	{"a head before the tail", 0,			 64},
	{"a head not aligned",	   13,			 0 },
	{"a wild head",		   UINT64_C(0xdeadbeef) << 32, 64},
};

static void a_new_writer_mends_a_head(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++) {
		struct test_ring t = make(SIZE, leftovers[i].tail);
		struct ring w, r;

		atomic_store(&t.s->head, leftovers[i].head);
		ring_reader(&r, t.s, SIZE);
		ring_discard(&r);
		ring_writer(&w, t.s, SIZE);
		put(&w, 50, 9);
		ring_publish(&w);
		get(&r, 50, 9);
		unmake(&t, SIZE);
	}
}

/* A writer that changes everything it can while it is read: the reader never
 * gives more than it was told it may, and never leaves the ring. */
static void contents_may_change_while_they_are_read(void **state)
{
	struct test_ring t = make(SIZE, 0);
	struct ring r;
	uint8_t buf[CAP + 1];
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		uint32_t x = 12345;

		for (;;) {
			for (size_t i = 0; i < SIZE; i++) {
				x = x * 1664525 + 1013904223;
				t.s->data[i] = (uint8_t)(x >> 24);
				/* Mostly small lengths, that pass. */
				if (i % 4)
					t.s->data[i] = 0;
			}
			atomic_store(&t.s->head, (x >> 8) % (2 * SIZE) & ~7u);
		}
	}
	buf[CAP] = 0x77;
	for (int i = 0; i < 200000; i++) {
		int64_t n;

		if (i % 16 == 0)
			ring_reader(&r, t.s, SIZE);
		n = ring_get(&r, buf, CAP);
		assert_in_range(n + 1, 0, CAP + 1);
		assert_int_equal(buf[CAP], 0x77);
		if (i % 5 == 0)
			ring_rewind(&r);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unmake(&t, SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_come_out_as_they_went_in),
		cmocka_unit_test(nothing_is_seen_before_it_is_published),
		cmocka_unit_test(a_full_ring_takes_nothing),
		cmocka_unit_test(a_dead_writer_leaves_what_it_published),
		cmocka_unit_test(a_dead_reader_reads_again),
		cmocka_unit_test(a_writer_may_be_killed_anywhere),
		cmocka_unit_test(sleepers_are_woken),
		cmocka_unit_test(a_reader_believes_no_nonsense),
		cmocka_unit_test(a_head_that_goes_back_is_seen),
		cmocka_unit_test(a_message_too_long_for_its_reader_is_broken),
		cmocka_unit_test(a_writer_believes_no_nonsense),
		cmocka_unit_test(a_new_writer_mends_a_head),
		cmocka_unit_test(contents_may_change_while_they_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
