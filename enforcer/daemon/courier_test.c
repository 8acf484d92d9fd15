/* SPDX-License-Identifier: Apache-2.0 */
/* The courier as a process in its sandbox, asked well, badly and slowly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/daemon/live.h"
#include "enforcer/daemon/processes.h"
#include "enforcer/daemon/view.h"

#define TEST_UID 64125
#define MS	 INT64_C(1000000)

static char dir[] = "/tmp/courier_testXXXXXX";

static struct bench {
	struct conf conf;
	struct log log;
	struct guest_share guest;
	struct courier_arg arg;
	struct sockaddr_un un;
	struct sockaddr_in in;
	pid_t pid;
	bool runs;
} b;

enum where { OPERATOR, PORTAL };

static void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static bool may_run(void)
{
#if defined(__SANITIZE_ADDRESS__)
	return false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
	return false;
#endif
#endif
	return geteuid() == 0;
}

#define NEEDS_COURIER()                                                        \
	do {                                                                   \
		if (!b.runs) {                                                 \
			print_message("SKIP: needs root, a network "           \
				      "namespace and no sanitizer\n");         \
			skip();                                                \
		}                                                              \
	} while (0)

/* --- a small client ------------------------------------------------------- */

static int call(enum where w)
{
	int fd = socket(w == OPERATOR ? AF_UNIX : AF_INET,
			SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = w == OPERATOR ? connect(fd, (struct sockaddr *)&b.un,
					 sizeof(b.un))
			       : connect(fd, (struct sockaddr *)&b.in,
					 sizeof(b.in));

	if (rc) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Octets until the end, or for that long; the answer is terminated. */
static size_t hear(int fd, char *buf, size_t cap, int ms)
{
	int64_t until = live_mono().ns + ms * MS;
	size_t n = 0;

	while (n + 1 < cap) {
		struct pollfd p = {.fd = fd, .events = POLLIN};
		int64_t left = (until - live_mono().ns) / MS;
		ssize_t k;

		if (left <= 0 || poll(&p, 1, (int)left) <= 0)
			break;
		k = recv(fd, buf + n, cap - 1 - n, 0);
		if (k <= 0)
			break;
		n += (size_t)k;
	}
	buf[n] = 0;
	return n;
}

static void say(int fd, const char *text, size_t n)
{
	/* It may have been closed on us: the answer shows. */
	(void)!send(fd, text, n, MSG_NOSIGNAL);
}

static size_t ask(enum where w, const char *request, char *buf, size_t cap,
		  int ms)
{
	int fd = call(w);
	size_t n;

	buf[0] = 0;
	if (fd < 0)
		return 0;
	say(fd, request, strlen(request));
	n = hear(fd, buf, cap, ms);
	close(fd);
	return n;
}

#define STATUS "GET /v1/status HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n"

/* It answers, and soon; while all places are taken it hangs up on others. */
static bool answers(enum where w, int ms)
{
	int64_t until = live_mono().ns + ms * MS;
	char buf[65536];

	while (live_mono().ns < until) {
		ask(w, STATUS, buf, sizeof(buf), ms);
		if (strncmp(buf, "HTTP/1.1 200 ", 13) == 0)
			return strstr(buf, "\"name\":\"mdma\"") != NULL;
		usleep(20000);
	}
	return false;
}

static bool alive(void)
{
	return waitpid(b.pid, NULL, WNOHANG) == 0;
}

/* --- the tests ------------------------------------------------------------ */

static const struct {
	const char *why, *request, *status, *inside;
} requests[] = {
	{"status", STATUS, "200", "\"error\":\"disk full\""},
	{"an engine that is silent", STATUS, "200", "\"engine\":\"silent\""},
	{"metrics", "GET /metrics HTTP/1.1\r\nHost: m\r\nConnection: close\r\n"
		    "\r\n", "200", "guest=\"mdma\""},
	{"their type", "GET /metrics HTTP/1.1\r\nHost: m\r\n"
		       "Connection: close\r\n\r\n",
	 "200", "Content-Type: text/plain; version=0.0.4"},
	{"only the head", "HEAD /metrics HTTP/1.1\r\nHost: m\r\n"
			  "Connection: close\r\n\r\n", "200", NULL},
	{"with a query", "GET /v1/status?x=1 HTTP/1.1\r\nHost: m\r\n"
			 "Connection: close\r\n\r\n", "200", NULL},
	{"nothing there", "GET / HTTP/1.1\r\nHost: m\r\n\r\n", "404",
	 "{\"error\":\"no such resource\"}"},
	{"a file", "GET /../../etc/passwd HTTP/1.1\r\nHost: m\r\n\r\n", "404",
	 NULL},
	{"posted", "POST /v1/status HTTP/1.1\r\nHost: m\r\n"
		   "Content-Length: 3\r\n\r\nabc", "405",
	 "Allow: GET, HEAD"},
	{"put", "PUT /metrics HTTP/1.1\r\nHost: m\r\nContent-Length: 0\r\n\r\n",
	 "405", "{\"error\":"},
	{"a method there is not", "FROB /metrics HTTP/1.1\r\nHost: m\r\n\r\n",
	 "405", NULL},
	{"a question with a body", "GET /v1/status HTTP/1.1\r\nHost: m\r\n"
				   "Content-Length: 3\r\n\r\nabc", "400",
	 NULL},
	{"no host", "GET /v1/status HTTP/1.1\r\n\r\n", "400", NULL},
	{"a length that is none", "GET /v1/status HTTP/1.1\r\nHost: m\r\n"
				  "Content-Length: -1\r\n\r\n", "400", NULL},
	{"no request at all", "\x16\x03\x01\x02\r\n\r\n", "400", NULL},
};

static void each_question_has_its_answer(void **state)
{
	static char buf[1 << 20];

	(void)state;
	NEEDS_COURIER();
	for (size_t i = 0; i < 2 * sizeof(requests) / sizeof(requests[0]); i++) {
		size_t k = i / 2;
		char *status;

		ask(i % 2 ? PORTAL : OPERATOR, requests[k].request, buf,
		    sizeof(buf), 2000);
		status = strchr(buf, ' ');
		/* What is no HTTP may get no answer, but a close. */
		if (!status && strcmp(requests[k].status, "400") == 0)
			continue;
		if (!status || strncmp(status + 1, requests[k].status, 3) != 0)
			fail_msg("%s: %.60s", requests[k].why, buf);
		if (requests[k].inside && !strstr(buf, requests[k].inside))
			fail_msg("%s: %s", requests[k].why, buf);
	}
	assert_true(alive());
}

static void a_head_that_is_too_long_is_refused(void **state)
{
	static char request[40000], buf[4096];

	(void)state;
	NEEDS_COURIER();
	for (int i = 0; i < 2; i++) {
		size_t n = (size_t)sprintf(request, i ? "GET /v1/status "
						       "HTTP/1.1\r\nX: "
						     : "GET /");

		memset(request + n, 'a', sizeof(request) - n - 1);
		ask(PORTAL, request, buf, sizeof(buf), 1000);
		assert_null(strstr(buf, " 200 "));
		assert_true(answers(PORTAL, 2000));
	}
	assert_true(alive());
}

static void rubbish_does_no_harm(void **state)
{
	char octets[600], buf[4096];
	unsigned seed = 3;

	(void)state;
	NEEDS_COURIER();
	for (int i = 0; i < 400; i++) {
		size_t n = (size_t)(rand_r(&seed) % (int)sizeof(octets));
		int fd = call(i % 2 ? PORTAL : OPERATOR);

		for (size_t k = 0; k < n; k++)
			octets[k] = (char)(rand_r(&seed) >> 4);
		/* Half of them begin well. */
		if (i % 4 < 2 && n > sizeof(STATUS))
			memcpy(octets, STATUS, sizeof(STATUS) - 3);
		if (fd < 0)
			continue;
		say(fd, octets, n);
		if (i % 3 == 0)
			hear(fd, buf, sizeof(buf), 5);
		close(fd);
	}
	assert_true(alive());
	assert_true(answers(OPERATOR, 3000));
	assert_true(answers(PORTAL, 8000));
}

/* Everybody who can connect asks an octet at a time, for ever. */
static void slow_questions_end(void **state)
{
	int fd[40], ended = 0;
	int64_t until = live_mono().ns + 8 * NS_PER_S;
	size_t at = 0;

	(void)state;
	NEEDS_COURIER();
	for (int i = 0; i < 40; i++)
		assert_true((fd[i] = call(PORTAL)) >= 0);
	/* The operator does not notice. */
	assert_true(answers(OPERATOR, 1000));
	while (live_mono().ns < until && ended < 40) {
		for (int i = 0; i < 40; i++) {
			if (fd[i] >= 0 &&
			    send(fd[i], &"GET /v1/status"[at % 14], 1,
				 MSG_NOSIGNAL) < 0) {
				close(fd[i]);
				fd[i] = -1;
				ended++;
			}
		}
		at++;
		usleep(300000);
	}
	assert_int_equal(ended, 40);
	assert_true(answers(PORTAL, 8000));
	assert_true(alive());
}

/* Everybody asks much, and reads nothing. */
static void readers_who_do_not_read_end(void **state)
{
	static char many[2000 * 60];
	size_t n = 0;
	int fd[16];

	(void)state;
	NEEDS_COURIER();
	for (int i = 0; i < 2000; i++) {
		static const char one[] = "GET /metrics HTTP/1.1\r\n"
					  "Host: m\r\n\r\n";

		memcpy(many + n, one, sizeof(one) - 1);
		n += sizeof(one) - 1;
	}
	for (int i = 0; i < 16; i++) {
		int small = 4096;

		assert_true((fd[i] = call(PORTAL)) >= 0);
		setsockopt(fd[i], SOL_SOCKET, SO_RCVBUF, &small,
			   sizeof(small));
		(void)!send(fd[i], many, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	assert_true(answers(OPERATOR, 1000));
	assert_true(answers(PORTAL, 8000));
	for (int i = 0; i < 16; i++)
		close(fd[i]);
	assert_true(alive());
}

static void many_connections_do_no_harm(void **state)
{
	(void)state;
	NEEDS_COURIER();
	for (int i = 0; i < 600; i++) {
		int fd = call(i % 2 ? PORTAL : OPERATOR);
		struct linger rst = {1, 0};

		if (fd < 0)
			continue;
		if (i % 3 == 0) /* gone before anybody looks */
			setsockopt(fd, SOL_SOCKET, SO_LINGER, &rst,
				   sizeof(rst));
		close(fd);
	}
	assert_true(alive());
	assert_true(answers(OPERATOR, 3000));
	assert_true(answers(PORTAL, 3000));
}

/* Several questions in one connection. */
static void a_connection_may_ask_again(void **state)
{
	static const char again[] = "GET /v1/status HTTP/1.1\r\nHost: m\r\n"
				    "\r\n";
	static char buf[65536];
	int fd;

	(void)state;
	NEEDS_COURIER();
	fd = call(PORTAL);
	for (int i = 0; i < 3; i++) {
		say(fd, again, strlen(again));
		hear(fd, buf, sizeof(buf), 150);
		assert_non_null(strstr(buf, " 200 "));
	}
	close(fd);
}

/* --- the bench ------------------------------------------------------------ */

static bool loopback_up(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool ok = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &r) == 0;

	close(fd);
	return ok;
}

static bool listen_both(void)
{
	socklen_t n = sizeof(b.in);
	int un = socket(AF_UNIX, SOCK_STREAM, 0);
	int in = socket(AF_INET, SOCK_STREAM, 0);

	b.un.sun_family = AF_UNIX;
	snprintf(b.un.sun_path, sizeof(b.un.sun_path), "%s/metrics", dir);
	b.in.sin_family = AF_INET;
	b.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	b.arg.operator_fd = un;
	b.arg.portal_fd = in;
	return bind(un, (struct sockaddr *)&b.un, sizeof(b.un)) == 0 &&
	       bind(in, (struct sockaddr *)&b.in, sizeof(b.in)) == 0 &&
	       getsockname(in, (struct sockaddr *)&b.in, &n) == 0 &&
	       listen(un, 64) == 0 && listen(in, 64) == 0;
}

static int set_up(void **state)
{
	static int fds[2];
	struct control *control = shared(sizeof(*control));
	struct view *view = shared(sizeof(*view));

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	b.guest.lane = shared(sizeof(struct lane));
	if (!control || !view || !b.guest.lane)
		return -1;
	/* A namespace of its own: ports of this machine are none of ours. */
	if (!may_run() || unshare(CLONE_NEWNET) || !loopback_up())
		return 0;
	if (!listen_both())
		return -1;
	snprintf(b.guest.name, sizeof(b.guest.name), "mdma");
	b.guest.lane->status.packets = 12345;
	b.guest.lane->engine_beat = 1;
	snprintf(view->error, sizeof(view->error), "disk full");
	b.log = log_init("courier", LOG_LEVEL_ERR, false);
	fds[0] = b.arg.operator_fd;
	fds[1] = b.arg.portal_fd;
	b.arg.log = &b.log;
	b.arg.conf = &b.conf;
	b.arg.guest = &b.guest;
	b.arg.n_guests = 1;
	b.arg.control = control;
	b.arg.view = view;
	b.arg.sandbox = (struct sandbox_conf){
		.uid = TEST_UID, .gid = TEST_UID, .dir = dir,
		.fds = fds, .n_fds = 2};
	b.pid = fork();
	if (b.pid == 0)
		_exit(courier_main(&b.arg));
	b.runs = b.pid > 0;
	return b.pid > 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	if (b.runs) {
		kill(b.pid, SIGKILL);
		waitpid(b.pid, NULL, 0);
		unlink(b.un.sun_path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_question_has_its_answer),
		cmocka_unit_test(a_connection_may_ask_again),
		cmocka_unit_test(a_head_that_is_too_long_is_refused),
		cmocka_unit_test(rubbish_does_no_harm),
		cmocka_unit_test(many_connections_do_no_harm),
		cmocka_unit_test(readers_who_do_not_read_end),
		cmocka_unit_test(slow_questions_end),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
