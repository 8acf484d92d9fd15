/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each process may do, tried from inside: one row per process and try.
 * Each try is made without a sandbox first, where it must work: a try that
 * cannot succeed shows nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/daemon/may_run.h"
#include "enforcer/daemon/sandbox.h"

#define TEST_UID 64123

static char dir[] = "/tmp/sandbox_testXXXXXX";

static struct sandbox_conf conf_for(enum sandbox_process p)
{
	struct sandbox_conf c = {.uid = TEST_UID, .gid = TEST_UID};

	if (p == SANDBOX_SCRIBE)
		c.dir = dir;
	return c;
}

#define NEEDS_ROOT()                                                           \
	do {                                                                   \
		if (!may_run()) {                                              \
			print_message("SKIP: needs root and no sanitizer\n");  \
			skip();                                                \
		}                                                              \
	} while (0)

static void what_is_tried_works_without(void **state)
{
	struct sandbox_conf c = conf_for(SANDBOX_SCRIBE);
	struct err e = {0};

	(void)state;
	NEEDS_ROOT();
	for (size_t i = 0; i < sandbox_tries(); i++) {
		int rc = sandbox_try(i, SANDBOX_PROCESSES, &c, &e);

		if (rc != 1)
			fail_msg("nothing would be shown by trying to %s: "
				 "%d %s", sandbox_try_name(i), rc, e.text);
	}
}

static void try_all(enum sandbox_process p)
{
	struct sandbox_conf c = conf_for(p);
	struct err e = {0};

	NEEDS_ROOT();
	for (size_t i = 0; i < sandbox_tries(); i++) {
		int rc;

		if (!sandbox_try_applies(i, p))
			continue;
		rc = sandbox_try(i, p, &c, &e);
		print_message("%-8s %-40s %s\n", sandbox_name(p),
			      sandbox_try_name(i),
			      rc == 0	? "refused"
			      : rc == 1 ? "WORKED"
					: e.text);
		if (rc)
			fail_msg("%s: %s: %d %s", sandbox_name(p),
				 sandbox_try_name(i), rc, e.text);
	}
}

static void a_gate_may_not(void **state)
{
	(void)state;
	try_all(SANDBOX_GATE);
}

static void an_engine_may_not(void **state)
{
	(void)state;
	try_all(SANDBOX_ENGINE);
}

static void a_scribe_may_not(void **state)
{
	(void)state;
	try_all(SANDBOX_SCRIBE);
}

static void a_courier_may_not(void **state)
{
	(void)state;
	try_all(SANDBOX_COURIER);
}

static void an_attester_may_not(void **state)
{
	(void)state;
	try_all(SANDBOX_ATTESTER);
}

static void trial_may_nothing_else(void **state)
{
	(void)state;
	try_all(SANDBOX_TRIAL);
}

static void the_parent_may_not(void **state)
{
	(void)state;
	try_all(SANDBOX_PARENT);
}

static void the_check_says_nothing_works(void **state)
{
	(void)state;
	NEEDS_ROOT();
	for (int p = 0; p < SANDBOX_PROCESSES; p++) {
		struct sandbox_conf c = conf_for((enum sandbox_process)p);
		struct timespec a, b;
		struct err e = {0};
		double ms;

		clock_gettime(CLOCK_MONOTONIC, &a);
		if (sandbox_check((enum sandbox_process)p, &c, &e))
			fail_msg("%s", e.text);
		clock_gettime(CLOCK_MONOTONIC, &b);
		ms = (double)(b.tv_sec - a.tv_sec) * 1e3 +
		     (double)(b.tv_nsec - a.tv_nsec) / 1e6;
		print_message("%s checked in %.0f ms\n",
			      sandbox_name((enum sandbox_process)p), ms);
	}
}

/* --- what it must be able to do ------------------------------------------- */

/* Run f in the sandbox; its result is the child's exit status. */
static int inside(enum sandbox_process p, const struct sandbox_conf *c,
		  int (*f)(const struct sandbox_conf *c))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct err e = {0};

		if (sandbox_enter(p, c, &e)) {
			dprintf(2, "%s\n", e.text);
			_exit(99);
		}
		_exit(f(c));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int engine_work(const struct sandbox_conf *c)
{
	struct pollfd p = {.fd = c->fds[0], .events = POLLIN};
	struct timespec t;
	uint64_t n = 0;
	char *big = malloc(64 << 20), *more;

	if (!big || poll(&p, 1, 1000) != 1)
		return 1;
	memset(big, 1, 64 << 20);
	more = realloc(big, 80 << 20);
	free(more);
	if (read(c->fds[0], &n, sizeof(n)) != sizeof(n) || n != 7)
		return 2;
	if (clock_gettime(CLOCK_BOOTTIME, &t))
		return 3;
	return more ? 0 : 4;
}

static void an_engine_can_do_its_work(void **state)
{
	struct sandbox_conf c = conf_for(SANDBOX_ENGINE);
	int fd = eventfd(7, EFD_CLOEXEC);

	(void)state;
	NEEDS_ROOT();
	c.fds = &fd;
	c.n_fds = 1;
	assert_int_equal(inside(SANDBOX_ENGINE, &c, engine_work), 0);
	close(fd);
}

static int scribe_work(const struct sandbox_conf *c)
{
	char path[128], octet = 'x';
	struct flock lock = {.l_type = F_WRLCK, .l_len = 1};
	void *m;
	int fd;

	snprintf(path, sizeof(path), "%s/file", c->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 4096) || fcntl(fd, F_SETLK, &lock) ||
	    pwrite(fd, &octet, 1, 7) != 1 || fdatasync(fd))
		return 1;
	m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED || ((char *)m)[7] != 'x')
		return 2;
	close(fd);
	return unlink(path) ? 3 : 0;
}

static void a_scribe_can_do_its_work(void **state)
{
	struct sandbox_conf c = conf_for(SANDBOX_SCRIBE);

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(inside(SANDBOX_SCRIBE, &c, scribe_work), 0);
}

static void read_proc(char *text, size_t cap, pid_t pid, const char *name)
{
	char path[64];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, cap - 1, f);
	text[n] = 0;
	fclose(f);
}

/* From outside, of a child that sleeps in its sandbox. */
static void check_status(pid_t pid, enum sandbox_process p)
{
	static const struct {
		const char *why, *line;
	} rows[] = {
		{"its user", "Uid:\t64123\t64123\t64123\t64123\n"},
		{"its group", "Gid:\t64123\t64123\t64123\t64123\n"},
		{"no other groups", "Groups:\t \n"},
		{"nothing to inherit", "CapInh:\t0000000000000000\n"},
		{"no bounding set", "CapBnd:\t0000000000000000\n"},
		{"nothing ambient", "CapAmb:\t0000000000000000\n"},
		{"no new privileges", "NoNewPrivs:\t1\n"},
		{"a filter", "Seccomp:\t2\n"},
	};
	char text[8192];

	read_proc(text, sizeof(text), pid, "status");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!strstr(text, rows[i].line))
			fail_msg("%s: %s, in\n%s", sandbox_name(p),
				 rows[i].why, text);
	}
	/* CAP_NET_ADMIN is bit 12. */
	assert_non_null(strstr(text, p == SANDBOX_GATE
					     ? "CapEff:\t0000000000001000\n"
					     : "CapEff:\t0000000000000000\n"));
	assert_non_null(strstr(text, p == SANDBOX_GATE
					     ? "CapPrm:\t0000000000001000\n"
					     : "CapPrm:\t0000000000000000\n"));
}

static pid_t sleeper(enum sandbox_process p)
{
	const struct timespec minute = {60, 0};
	struct sandbox_conf c = conf_for(p);
	int ready[2];
	char octet;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct err e = {0};
		_Atomic int word = 0;

		close(ready[0]);
		dup2(ready[1], 2); /* the one that stays */
		if (sandbox_enter(p, &c, &e))
			_exit(1);
		/* With a time-out: a stop makes the kernel go on by
		 * restart_syscall. */
		if (write(2, "x", 1) == 1)
			syscall(SYS_futex, &word, 0, 0, &minute, NULL, 0);
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	return pid;
}

static void each_is_who_it_should_be(void **state)
{
	(void)state;
	NEEDS_ROOT();
	for (int p = 0; p < SANDBOX_PARENT; p++) {
		pid_t pid = sleeper((enum sandbox_process)p);
		char path[64], target[64], limits[4096];
		ssize_t n;

		check_status(pid, (enum sandbox_process)p);
		read_proc(limits, sizeof(limits), pid, "limits");
		assert_non_null(strstr(limits, "Max core file size        0"
					       "                    0"));
		assert_non_null(strstr(limits, "Max processes             0"
					       "                    0"));
		/* 0 and 1 lead nowhere, nothing behind 2 is open. */
		snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)pid);
		n = readlink(path, target, sizeof(target) - 1);
		assert_int_equal(n, 9);
		assert_memory_equal(target, "/dev/null", 9);
		for (int fd = 3; fd < 256; fd++) {
			snprintf(path, sizeof(path), "/proc/%d/fd/%d",
				 (int)pid, fd);
			assert_int_equal(access(path, F_OK), -1);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static int parent_nothing(const struct sandbox_conf *c)
{
	(void)c;
	return 7;
}

/* What a program that it executes has: the same, and no more. */
static int parent_work(const struct sandbox_conf *c)
{
	int status, lines = 0;
	char line[128];
	FILE *f;

	(void)c;
	f = popen("cat /proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f))
		lines += strcmp(line, "CapEff:\t00000000000031eb\n") == 0 ||
			 strcmp(line, "CapPrm:\t00000000000031eb\n") == 0 ||
			 strcmp(line, "CapBnd:\t00000000000031eb\n") == 0 ||
			 strcmp(line, "CapInh:\t0000000000000000\n") == 0 ||
			 strcmp(line, "CapAmb:\t0000000000000000\n") == 0 ||
			 strcmp(line, "NoNewPrivs:\t1\n") == 0 ||
			 strcmp(line, "Seccomp:\t2\n") == 0 ||
			 strcmp(line, "Uid:\t0\t0\t0\t0\n") == 0;
	status = f ? pclose(f) : -1;
	return status == 0 ? lines : 98;
}

static void the_parent_can_do_its_work(void **state)
{
	struct sandbox_conf c = conf_for(SANDBOX_PARENT);

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(inside(SANDBOX_PARENT, &c, parent_work), 8);
}

/* Its children enter their own from there. */
static int parent_starts_engine(const struct sandbox_conf *c)
{
	return inside(SANDBOX_ENGINE, c, parent_nothing);
}

static void its_children_enter_theirs(void **state)
{
	struct sandbox_conf c = conf_for(SANDBOX_ENGINE);

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(inside(SANDBOX_PARENT, &c, parent_starts_engine), 7);
}

/* A stop and a continue in the middle of a wait with a time-out are survived:
 * the kernel takes the wait up again by a call of its own. */
static void a_stop_is_survived(void **state)
{
	int status;

	(void)state;
	NEEDS_ROOT();
	for (int p = 0; p < SANDBOX_PROCESSES; p++) {
		pid_t pid = sleeper((enum sandbox_process)p);

		kill(pid, SIGSTOP);
		assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
		assert_true(WIFSTOPPED(status));
		kill(pid, SIGCONT);
		usleep(20000);
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* It dies with its parent. */
static void nobody_is_left_behind(void **state)
{
	int out[2];
	pid_t middle, child = 0;

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(pipe(out), 0);
	middle = fork();
	if (middle == 0) {
		child = sleeper(SANDBOX_ENGINE);
		if (write(out[1], &child, sizeof(child)) != sizeof(child))
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(out[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(waitpid(middle, NULL, 0), middle);
	close(out[0]);
	close(out[1]);
	for (int i = 0; i < 200 && kill(child, 0) == 0; i++) {
		char path[64], text[256] = "";
		FILE *f;

		/* A zombie is dead enough: somebody else reaps it. */
		snprintf(path, sizeof(path), "/proc/%d/stat", (int)child);
		f = fopen(path, "r");
		if (!f || !fgets(text, sizeof(text), f) || strstr(text, ") Z")) {
			if (f)
				fclose(f);
			return;
		}
		fclose(f);
		usleep(10000);
	}
	assert_int_equal(kill(child, 0), -1);
}

static const struct {
	const char *why;
	struct sandbox_conf c;
	enum sandbox_process p;
} bad[] = {
	{"root", {.uid = 0, .gid = TEST_UID}, SANDBOX_ENGINE},
	{"root's group", {.uid = TEST_UID, .gid = 0}, SANDBOX_ENGINE},
	{"a parent that is another",
	 {.uid = TEST_UID, .gid = TEST_UID, .parent = 1},
	 SANDBOX_ENGINE},
	{"a directory that is not there",
	 {.uid = TEST_UID, .gid = TEST_UID, .dir = "/nowhere"},
	 SANDBOX_SCRIBE},
	{"a descriptor of the three",
	 {.uid = TEST_UID, .gid = TEST_UID, .fds = &(int){2}, .n_fds = 1},
	 SANDBOX_GATE},
};

static int nothing(const struct sandbox_conf *c)
{
	(void)c;
	return 0;
}

static void it_fails_rather_than_runs(void **state)
{
	(void)state;
	NEEDS_ROOT();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (inside(bad[i].p, &bad[i].c, nothing) != 99)
			fail_msg("%s", bad[i].why);
	}
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	return geteuid() == 0 && chown(dir, TEST_UID, TEST_UID) ? -1 : 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_tried_works_without),
		cmocka_unit_test(a_gate_may_not),
		cmocka_unit_test(an_engine_may_not),
		cmocka_unit_test(a_scribe_may_not),
		cmocka_unit_test(a_courier_may_not),
		cmocka_unit_test(an_attester_may_not),
		cmocka_unit_test(trial_may_nothing_else),
		cmocka_unit_test(the_parent_may_not),
		cmocka_unit_test(the_check_says_nothing_works),
		cmocka_unit_test(an_engine_can_do_its_work),
		cmocka_unit_test(a_scribe_can_do_its_work),
		cmocka_unit_test(the_parent_can_do_its_work),
		cmocka_unit_test(its_children_enter_theirs),
		cmocka_unit_test(each_is_who_it_should_be),
		cmocka_unit_test(a_stop_is_survived),
		cmocka_unit_test(nobody_is_left_behind),
		cmocka_unit_test(it_fails_rather_than_runs),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
