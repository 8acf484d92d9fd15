/* SPDX-License-Identifier: Apache-2.0 */
/* When a child is started again, when its silence is a hang, how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "enforcer/daemon/children.h"

static void backoff(void **s)
{
	static const struct {
		const char *why;
		int64_t lived_ns;
		bool at_once, killed;
		int64_t wait_ms;
	} rows[] = {
		{"the first end",		0,		    false, false, 50  },
		{"doubles",			MS,		    false, false, 100 },
		{"doubles",			MS,		    false, false, 200 },
		{"doubles",			MS,		    false, false, 400 },
		{"doubles",			MS,		    false, false, 800 },
		{"doubles",			MS,		    false, false, 1600},
		{"killed: not its fault",	MS,		    false, true,  1000},
		{"up to a bound",		MS,		    false, false, 5000},
		{"and stays there",		29 * NS_PER_S,	    false, false, 5000},
		{"a long life starts anew",	30 * NS_PER_S,	    false, false, 50  },
		{"and doubles again",		MS,		    false, false, 100 },
		{"at once, after a long life",	BACKOFF_RESET,	    true,  false, 0   },
		{"but only the first time",	MS,		    true,  false, 50  },
	};
	struct backoff b = {0};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t wait = backoff_after(&b, rows[i].lived_ns,
					     rows[i].at_once, rows[i].killed);

		if (wait != rows[i].wait_ms * MS)
			fail_msg("%zu %s: %lld ms", i, rows[i].why,
				 (long long)(wait / MS));
	}
}

static void crashes(void **s)
{
	static const struct {
		const char *why;
		int code, status;
		bool crash;
	} rows[] = {
		{"a wild pointer",	 CLD_KILLED, SIGSEGV, true },
		{"with a core",		 CLD_DUMPED, SIGSEGV, true },
		{"an assertion",	 CLD_KILLED, SIGABRT, true },
		{"a call in no row",	 CLD_KILLED, SIGSYS,  true },
		{"a file cut under it",	 CLD_KILLED, SIGBUS,  true },
		{"a division",		 CLD_KILLED, SIGFPE,  true },
		{"no instruction",	 CLD_KILLED, SIGILL,  true },
		{"killed",		 CLD_KILLED, SIGKILL, false},
		{"told to end",		 CLD_KILLED, SIGTERM, false},
		{"left, by that number", CLD_EXITED, SIGSEGV, false},
		{"left",		 CLD_EXITED, 0,	      false},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		siginfo_t si = {.si_code = rows[i].code};

		si.si_status = rows[i].status;
		if (child_crashed(&si) != rows[i].crash)
			fail_msg("%s", rows[i].why);
	}
}

static void silence(void **s)
{
	static const struct {
		const char *why;
		enum child_kind kind;
		int64_t started_s, beat_ms, now_ms;
		bool silent;
		int64_t stopped_s;
	} rows[] = {
		{"just beat",		   CHILD_ENGINE, 1,   5000,  5100,   false, 0},
		{"at the bound",	   CHILD_ENGINE, 1,   5000,  8000,   false, 0},
		{"behind it",		   CHILD_ENGINE, 1,   5000,  8001,   true , 0},
		{"starting",		   CHILD_ENGINE, 1,   0,     15000,  false, 0},
		{"never started",	   CHILD_ENGINE, 1,   0,     16001,  true , 0},
		{"a scribe checks first",  CHILD_SCRIBE, 1,   0,     100000, false, 0},
		{"but not for ever",	   CHILD_SCRIBE, 1,   0,     121001, true , 0},
		{"a beat of the future",   CHILD_GATE,	 1,   99000, 5000,   true , 0},
		{"it stands still",	   CHILD_SCRIBE, 1,   0,     8000,   false, 5},
		{"for too long",	   CHILD_SCRIBE, 1,   0,     8001,   true,  5},
		{"it beat before",	   CHILD_SCRIBE, 1,   7000,  8001,   false, 5},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		_Atomic int64_t beat = rows[i].beat_ms * MS;
		struct child c = {
			.kind = rows[i].kind,
			.pid = 1,
			.started_ns = rows[i].started_s * NS_PER_S,
			.beat = &beat,
			.stopped_ns = rows[i].stopped_s * NS_PER_S,
		};

		if (child_silent(&c, rows[i].now_ms * MS) != rows[i].silent)
			fail_msg("%s", rows[i].why);
		c.pid = 0;
		assert_false(child_silent(&c, INT64_MAX / 2));
	}
}

static int beats(void *arg)
{
	atomic_store((_Atomic int64_t *)arg, 7);
	return 3;
}

static int waits(void *arg)
{
	(void)arg;
	pause();
	return 0;
}

static void reap(struct child *c, siginfo_t *si)
{
	for (int i = 0; i < 2000; i++) {
		if (child_reap(c, si))
			return;
		poll(NULL, 0, 1);
	}
	fail_msg("did not end");
}

static void ends(void **s)
{
	_Atomic int64_t *beat = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct child c = {.kind = CHILD_ENGINE, .pidfd = -1, .beat = beat};
	char text[CHILD_END_TEXT];
	struct err e;
	siginfo_t si;
	void *arg = (void *)(uintptr_t)beat;

	(void)s;
	assert_ptr_not_equal(arg, MAP_FAILED);
	atomic_store(beat, 99); /* a predecessor's */
	assert_int_equal(child_fork(&c, beats, arg, 5 * NS_PER_S, &e), 0);
	assert_true(c.pidfd >= 0);
	reap(&c, &si);
	assert_int_equal(atomic_load(beat), 7);
	assert_string_equal(child_end_text(text, &si), "exit status 3");
	assert_int_equal(child_ended(&c, &si, 6 * NS_PER_S), 50 * MS);
	assert_int_equal(c.due_ns, 6 * NS_PER_S + 50 * MS);
	assert_false(child_ready(&c));

	assert_int_equal(child_fork(&c, waits, NULL, 7 * NS_PER_S, &e), 0);
	assert_false(child_ready(&c)); /* it never beats */
	assert_false(child_reap(&c, &si));
	child_kill(&c, SIGKILL);
	reap(&c, &si);
	assert_string_equal(child_end_text(text, &si), "signal 9 (Killed)");
	assert_int_equal(c.starts, 2);
	munmap(arg, 4096);
}

/* By a signal, whether it has a beat or not. */
static void stands_still(void **s)
{
	_Atomic int64_t beat = 0;
	struct child c = {.kind = CHILD_SCRIBE, .pidfd = -1, .beat = &beat};
	struct err e;
	siginfo_t si;

	(void)s;
	assert_int_equal(child_fork(&c, waits, NULL, NS_PER_S, &e), 0);
	child_look(&c, 2 * NS_PER_S);
	assert_int_equal(c.stopped_ns, 0);
	child_kill(&c, SIGSTOP);
	for (int i = 0; c.stopped_ns == 0 && i < 2000; i++) {
		child_look(&c, 3 * NS_PER_S);
		poll(NULL, 0, 1);
	}
	child_look(&c, 4 * NS_PER_S);
	assert_int_equal(c.stopped_ns, 3 * NS_PER_S);
	assert_false(child_reap(&c, &si)); /* it is no end */
	child_kill(&c, SIGCONT);
	for (int i = 0; c.stopped_ns && i < 2000; i++) {
		child_look(&c, 5 * NS_PER_S);
		poll(NULL, 0, 1);
	}
	assert_int_equal(c.stopped_ns, 0);
	child_kill(&c, SIGKILL);
	reap(&c, &si);
	child_look(&c, 6 * NS_PER_S);
	assert_int_equal(c.stopped_ns, 0);
}

/* Killed from outside it waits a second at most; killed by us it is at fault. */
static void whose_fault(void **s)
{
	siginfo_t si = {.si_code = CLD_KILLED, .si_status = SIGKILL};
	struct child c = {.kind = CHILD_GATE};

	(void)s;
	c.backoff.next_ns = 4 * NS_PER_S;
	assert_int_equal(child_ended(&c, &si, MS), BACKOFF_KILLED);
	c.hung = true;
	c.backoff.next_ns = 4 * NS_PER_S;
	assert_int_equal(child_ended(&c, &si, MS), 4 * NS_PER_S);
	assert_false(c.hung);
	si.si_status = SIGSEGV;
	c.backoff.next_ns = 4 * NS_PER_S;
	assert_int_equal(child_ended(&c, &si, MS), 4 * NS_PER_S);
}

/* Records of it are never pruned: as many as there may be ends would fill the
 * log. */
static void ends_are_told_for_ever_only_so_often(void **s)
{
	static const struct {
		int64_t every_ns, for_ns;
		int told;
	} rows[] = {
		{5 * NS_PER_S,	  24 * 3600 * NS_PER_S,	    16 + 23},
		{MS,		  10 * NS_PER_S,	    16     },
		{3600 * NS_PER_S, 100 * 3600 * NS_PER_S,    100    },
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct child c = {.kind = CHILD_ENGINE};
		int told = 0;

		for (int64_t t = 0; t < rows[i].for_ns; t += rows[i].every_ns)
			told += child_tell(&c, t);
		assert_int_equal(told, rows[i].told);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(backoff), cmocka_unit_test(silence),
		cmocka_unit_test(ends),	   cmocka_unit_test(whose_fault),
		cmocka_unit_test(crashes), cmocka_unit_test(stands_still),
		cmocka_unit_test(ends_are_told_for_ever_only_so_often),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
