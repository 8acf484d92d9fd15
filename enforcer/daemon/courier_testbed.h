/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A courier as a process in its sandbox, for the tests that ask it: beside it
 * a process that writes a log and answers at the window, as the scribe does,
 * and a small client.
 */
#ifndef ENFORCER_DAEMON_COURIER_TESTBED_H
#define ENFORCER_DAEMON_COURIER_TESTBED_H

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/note.h"
#include "audit/sample.h"
#include "crypto/sign.h"
#include "enforcer/daemon/cards.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/may_run.h"
#include "enforcer/daemon/offer.h"
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
	struct window_side window;
	struct cards *cards;
	struct offer *offer;
	char db[64];
	struct bench_log { /* shared with the writer */
		_Atomic uint64_t goal; /* it writes up to so many records */
		bool points; /* the last is what a checkpoint is bound to */
		unsigned recovery; /* that log instead, of other records */
		_Atomic bool closed; /* to readers, as when nothing can be
				      * recorded */
	} *log_goal;
	struct note_signer witness;
	pid_t pid, writer;
	bool runs;
} b;

enum where { OPERATOR, PORTAL, NEIGHBOUR /* as the portal, from 127.0.0.2 */ };

static inline void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
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

static inline int call(enum where w)
{
	struct sockaddr_in from = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1)};
	int fd = socket(w == OPERATOR ? AF_UNIX : AF_INET,
			SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc = 0;

	if (w == NEIGHBOUR)
		rc = bind(fd, (struct sockaddr *)&from, sizeof(from));
	if (rc == 0)
		rc = w == OPERATOR ? connect(fd, (struct sockaddr *)&b.un,
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
static inline size_t hear(int fd, char *buf, size_t cap, int ms)
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

static inline void say(int fd, const char *text, size_t n)
{
	/* It may have been closed on us: the answer shows. */
	(void)!send(fd, text, n, MSG_NOSIGNAL);
}

static inline size_t ask(enum where w, const char *request, char *buf, size_t cap,
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
static inline bool answers(enum where w, int ms)
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

static inline bool alive(void)
{
	return waitpid(b.pid, NULL, WNOHANG) == 0;
}

/* --- the bench ------------------------------------------------------------ */

static inline bool loopback_up(void)
{
	struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool ok = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &r) == 0;

	close(fd);
	return ok;
}

static inline bool listen_both(void)
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

/* The i-th of the log: of mdma one and then another, every third refused. */
static inline struct event *logged(struct sample *s, uint64_t i)
{
	struct event *ev = i % 3 == 2 ? sample_violation(s, i)
				      : sample_decision(s, i);

	ev->guest = span_str(i % 2 ? "portal" : "mdma");
	return ev;
}

static inline int witness_sign(void *arg, struct span octets, struct wbuf *out,
			       struct err *e)
{
	uint8_t sig[SIGN_LEN];
	int rc = sign_make(arg, octets, sig, e);

	if (rc == 0)
		wbuf_put(out, span_of(sig, sizeof(sig)));
	return rc;
}

/* A witness whose key the writer knows. */
static inline void witness(struct note_signer *by)
{
	static struct sign_key key;
	struct err e = {0};

	if (!b.witness.sign &&
	    (sign_new_key(&key, &e) ||
	     note_key_make(&b.witness.key, span_str("portal.example"),
			   NOTE_COSIGNATURE,
			   span_of(key.public_, SIGN_KEY_LEN), &e)))
		abort();
	b.witness.sign = witness_sign;
	b.witness.arg = &key;
	*by = b.witness;
}

static inline int on_cosign(void *arg, uint64_t size, struct span line)
{
	struct err e = {0};

	return audit_cosign(arg, size, line, &b.witness.key, 1, &e);
}

static inline int writer(void)
{
	unsigned recovery = b.log_goal->recovery;
	char suffix[32] = "", path[128], origin[64];
	struct audit_conf conf = {
		.path = path,
		.origin = origin,
		.boot_key = {1},
		.resume = true,
		.batch = UINT32_MAX,
		.own_key = b.log_goal->points,
	};
	struct audit *a;
	struct err e = {0};

	if (recovery)
		snprintf(suffix, sizeof(suffix), "recovery-%u", recovery);
	snprintf(path, sizeof(path), "%s%s%s", b.db, recovery ? "." : "",
		 suffix);
	snprintf(origin, sizeof(origin), "test/audit%s%s",
		 recovery ? "/" : "", suffix);
	if (audit_open(&a, &conf, &e))
		return 1;
	b.window.cosign = b.log_goal->points ? on_cosign : NULL;
	b.window.arg = a;
	window_open(&b.window, path, origin, recovery, audit_first(a),
		    audit_size(a));
	for (;;) {
		uint64_t goal = atomic_load(&b.log_goal->goal), seq;
		struct sample s;

		for (int n = 0; n < 1000 && audit_size(a) < goal; n++) {
			uint64_t at = audit_size(a);
			bool last = b.log_goal->points && at + 2 == goal;

			/* A checkpoint is due behind what is acted upon. */
			if (audit_append(a, last ? sample_policy(&s, at)
						 : logged(&s, at + recovery),
					 &seq, &e))
				return 1;
			if (last)
				break;
		}
		if (audit_commit(a, &e))
			return 1;
		if (b.log_goal->closed)
			window_close(&b.window);
		else if (!b.window.path)
			window_open(&b.window, path, origin, recovery,
				    audit_first(a), audit_size(a));
		window_commit(&b.window, audit_first(a), audit_size(a));
		window_turn(&b.window, live_mono());
		usleep(1000);
	}
}

static inline void start_writer(void)
{
	b.writer = fork();
	if (b.writer == 0)
		_exit(writer());
	assert_true(b.writer > 0);
}

static inline void kill_writer(void)
{
	kill(b.writer, SIGKILL);
	waitpid(b.writer, NULL, 0);
}

/* So many records in all, and durable. */
static inline void write_log(uint64_t n)
{
	atomic_store(&b.log_goal->goal, n);
	for (int i = 0; i < 20000; i++) {
		if (atomic_load(&b.arg.window->size) >= n)
			return;
		usleep(1000);
	}
	fail_msg("the log did not get its %llu records",
		 (unsigned long long)n);
}

static inline int set_up(void **state)
{
	static int fds[3];
	struct control *control = shared(sizeof(*control));
	struct view *view = shared(sizeof(*view));

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(b.conf.portal, sizeof(b.conf.portal), "%s", CONF_ANYBODY);
	b.guest.lane = shared(sizeof(struct lane));
	b.arg.window = shared(sizeof(struct window));
	b.arg.cards = b.cards = shared(sizeof(*b.cards));
	b.arg.offer = b.offer = shared(sizeof(*b.offer));
	b.log_goal = shared(sizeof(*b.log_goal));
	b.arg.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!control || !view || !b.cards || !b.offer || !b.guest.lane || !b.arg.window ||
	    !b.log_goal || b.arg.wake_fd < 0)
		return -1;
	snprintf(b.db, sizeof(b.db), "%s/a.db", dir);
	b.window = (struct window_side){
		.w = b.arg.window, .wake_fd = b.arg.wake_fd};
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
	fds[2] = b.arg.wake_fd;
	b.arg.log = &b.log;
	b.arg.conf = &b.conf;
	b.arg.guest = &b.guest;
	b.arg.n_guests = 1;
	b.arg.control = control;
	b.arg.view = view;
	b.arg.sandbox = (struct sandbox_conf){
		.uid = TEST_UID, .gid = TEST_UID, .fds = fds, .n_fds = 3};
	b.pid = fork();
	if (b.pid == 0)
		_exit(courier_main(&b.arg));
	b.runs = b.pid > 0;
	return b.pid > 0 ? 0 : -1;
}

static inline int tear_down(void **state)
{
	char cmd[128];

	(void)state;
	if (b.runs) {
		kill(b.pid, SIGKILL);
		waitpid(b.pid, NULL, 0);
		unlink(b.un.sun_path);
		if (b.writer)
			kill_writer();
	}
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

#endif
