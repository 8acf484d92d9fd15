/* SPDX-License-Identifier: Apache-2.0 */
/* TPMs for tests: swtpm in a directory of its own, or something that only
 * pretends to be one. */
#ifndef ATTEST_TESTTPM_H
#define ATTEST_TESTTPM_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

struct test_tpm {
	char dir[32];  /* its state; a socket in it */
	char tcti[96]; /* how to reach it */
	pid_t pid;
};

static inline bool test_tpm_there(void)
{
	return system("command -v swtpm >/dev/null 2>&1") == 0;
}

static inline void test_tpm_make(struct test_tpm *t)
{
	snprintf(t->dir, sizeof(t->dir), "/tmp/tpm-test.XXXXXX");
	if (!mkdtemp(t->dir))
		abort();
	snprintf(t->tcti, sizeof(t->tcti), "swtpm:path=%s/s", t->dir);
}

/* Somebody listens there; a name alone may be too early. */
static inline bool test_tpm_answers(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), rc;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	rc = connect(fd, (struct sockaddr *)&a, sizeof(a));
	close(fd);
	return rc == 0;
}

/* Switch it on; as it was when it was switched off. */
static inline bool test_tpm_on(struct test_tpm *t)
{
	char state[64], server[96], ctrl[96], path[48];

	snprintf(state, sizeof(state), "dir=%s", t->dir);
	snprintf(path, sizeof(path), "%s/s", t->dir);
	snprintf(server, sizeof(server), "type=unixio,path=%s", path);
	snprintf(ctrl, sizeof(ctrl), "type=unixio,path=%s.ctrl", path);
	unlink(path);
	t->pid = fork();
	if (t->pid == 0) {
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		execlp("swtpm", "swtpm", "socket", "--tpm2", "--tpmstate",
		       state, "--server", server, "--ctrl", ctrl, "--flags",
		       "not-need-init,startup-clear", (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 500; i++) {
		if (test_tpm_answers(path))
			return true;
		usleep(10000);
	}
	return false;
}

static inline void test_tpm_off(struct test_tpm *t, int sig)
{
	if (t->pid > 0) {
		kill(t->pid, sig);
		kill(t->pid, SIGCONT);
		waitpid(t->pid, NULL, 0);
	}
	t->pid = 0;
}

static inline void test_tpm_gone(struct test_tpm *t)
{
	char cmd[64];

	test_tpm_off(t, SIGTERM);
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", t->dir);
	if (system(cmd))
		abort();
}

/* One that answers each command with these octets; n 0: never. */
static inline void test_tpm_false(struct test_tpm *t, const void *octets,
				  size_t n)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	char buf[4096];
	int s, c;

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/s", t->dir);
	unlink(a.sun_path);
	s = socket(AF_UNIX, SOCK_STREAM, 0);
	if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) || listen(s, 4))
		abort();
	t->pid = fork();
	if (t->pid == 0) {
		signal(SIGPIPE, SIG_IGN);
		for (;;) {
			c = accept(s, NULL, NULL);
			while (c >= 0 && read(c, buf, sizeof(buf)) > 0) {
				if (n && write(c, octets, n) < 0)
					break;
			}
			close(c);
		}
	}
	close(s);
}

#endif
