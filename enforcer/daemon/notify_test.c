/* SPDX-License-Identifier: Apache-2.0 */
/* What a service manager is told, on a socket with and without a path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/clock.h"
#include "enforcer/daemon/notify.h"

static int manager(char *name, size_t cap, bool abstract)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), n;

	assert_true(fd >= 0);
	n = snprintf(name, cap, "%snotify_test_%d",
		     abstract ? "@" : "/tmp/", getpid());
	memcpy(a.sun_path, name, (size_t)n);
	if (abstract)
		a.sun_path[0] = 0;
	assert_int_equal(bind(fd, (const struct sockaddr *)&a,
			      (socklen_t)(offsetof(struct sockaddr_un,
						   sun_path) + (size_t)n)),
			 0);
	return fd;
}

static void expect(int fd, const char *want)
{
	char buf[512];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

	buf[n > 0 ? n : 0] = 0;
	assert_string_equal(buf, want ? want : "");
}

static void told(void **s)
{
	for (int abstract = 0; abstract < 2; abstract++) {
		char name[108], pid[16], buf[512];
		int fd = manager(name, sizeof(name), abstract);
		struct notify n;
		ssize_t got;

		snprintf(pid, sizeof(pid), "%d", getpid());
		setenv("NOTIFY_SOCKET", name, 1);
		setenv("WATCHDOG_USEC", "2000000", 1);
		setenv("WATCHDOG_PID", pid, 1);
		notify_open(&n);
		assert_null(getenv("NOTIFY_SOCKET")); /* no child speaks */
		assert_null(getenv("WATCHDOG_USEC"));
		notify_send(&n, "READY=1\nSTATUS=%d guests", 3);
		expect(fd, "READY=1\nSTATUS=3 guests");
		notify_tick(&n, NS_PER_S);
		expect(fd, "WATCHDOG=1");
		notify_tick(&n, 2 * NS_PER_S - 1);
		expect(fd, NULL); /* not yet */
		notify_tick(&n, 2 * NS_PER_S);
		expect(fd, "WATCHDOG=1");
		notify_reloading(&n);
		got = recv(fd, buf, sizeof(buf) - 1, 0);
		assert_true(got > 0);
		buf[got] = 0;
		assert_memory_equal(buf, "RELOADING=1\nMONOTONIC_USEC=", 27);
		notify_close(&n);
		notify_send(&n, "READY=1"); /* nobody: nothing happens */
		close(fd);
		if (!abstract)
			unlink(name);
	}
	(void)s;
}

static void nobody(void **s)
{
	static const struct {
		const char *why, *socket, *usec, *pid;
		int64_t watchdog;
	} rows[] = {
		{"no manager",		   NULL,	   "5000000", NULL, 0},
		{"a relative path",	   "run/notify",   "5000000", NULL, 0},
		{"an empty one",	   "",		   NULL,      NULL, 0},
		{"only an at sign",	   "@",		   NULL,      NULL, 0},
		{"watchdog of another",	   "/tmp/nothing", "5000000", "1",  0},
		{"no number",		   "/tmp/nothing", "5s",      NULL, 0},
		{"negative",		   "/tmp/nothing", "-5",      NULL, 0},
		{"too large",
		 "/tmp/nothing", "99999999999999999999", NULL, 0},
		{"for all",		   "/tmp/nothing", "5000000", NULL,
		 2500000000},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct notify n;

		unsetenv("NOTIFY_SOCKET");
		if (rows[i].socket)
			setenv("NOTIFY_SOCKET", rows[i].socket, 1);
		if (rows[i].usec)
			setenv("WATCHDOG_USEC", rows[i].usec, 1);
		if (rows[i].pid)
			setenv("WATCHDOG_PID", rows[i].pid, 1);
		notify_open(&n);
		if (n.watchdog_ns != rows[i].watchdog)
			fail_msg("%s: %lld", rows[i].why,
				 (long long)n.watchdog_ns);
		notify_tick(&n, NS_PER_S); /* into the void */
		notify_close(&n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told),
		cmocka_unit_test(nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
