/* SPDX-License-Identifier: Apache-2.0 */
/* The scribe as a process, between rings that a test fills. */
#ifndef ENFORCER_DAEMON_SCRIBE_BENCH_H
#define ENFORCER_DAEMON_SCRIBE_BENCH_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/daemon/flat.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/may_run.h"
#include "enforcer/daemon/processes.h"
#include "enforcer/daemon/view.h"
#include "enforcer/daemon/window.h"

#define TEST_UID 64124
#define GUESTS	 2

static char dir[] = "/tmp/scribe_testXXXXXX"; /* by make_dir */

struct bench {
	struct conf conf;
	struct log log;
	struct guest_share guest[GUESTS];
	struct scribe_arg arg;
	struct ring ring[GUESTS + 1]; /* the last: the parent's */
	FILE *said; /* what the scribe logs goes here; NULL: to all */
	pid_t pid;
};

static inline void *shared(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		fail_msg("no memory");
	return p;
}

static inline void clean(void)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s'/*", dir);
	assert_int_equal(system(cmd), 0);
}

static inline void bench_init(struct bench *b, uint8_t key)
{
	memset(b, 0, sizeof(*b));
	snprintf(b->conf.audit, sizeof(b->conf.audit), "%s/a.db", dir);
	snprintf(b->conf.origin, sizeof(b->conf.origin), "test/audit");
	b->conf.audit_batch_ms = 5;
	b->log = log_init("scribe", LOG_LEVEL_ERR, false);
	b->arg = (struct scribe_arg){
		.log = &b->log,
		.conf = &b->conf,
		.guest = b->guest,
		.n_guests = GUESTS,
		.parent_events = shared(ring_octets(EVENT_RING)),
		.control = shared(sizeof(struct control)),
		.view = shared(sizeof(struct view)),
		.window = shared(sizeof(struct window)),
		.courier_fd = -1,
		.boot_key = {key},
		.sandbox = {.uid = TEST_UID, .gid = TEST_UID, .dir = dir},
	};
	for (size_t i = 0; i < GUESTS; i++) {
		struct guest_share *g = &b->guest[i];

		snprintf(g->name, sizeof(g->name), "guest%zu", i);
		g->lane = shared(sizeof(*g->lane));
		g->events = shared(ring_octets(EVENT_RING));
		ring_writer(&b->ring[i], g->events, EVENT_RING);
	}
	ring_writer(&b->ring[GUESTS], b->arg.parent_events, EVENT_RING);
}

static inline void bench_free(struct bench *b)
{
	for (size_t i = 0; i < GUESTS; i++) {
		munmap(b->guest[i].lane, sizeof(struct lane));
		munmap(b->guest[i].events, ring_octets(EVENT_RING));
	}
	munmap(b->arg.parent_events, ring_octets(EVENT_RING));
	munmap(b->arg.control, sizeof(struct control));
	munmap(b->arg.view, sizeof(struct view));
	munmap(b->arg.window, sizeof(struct window));
}

static inline void start(struct bench *b)
{
	b->arg.control->scribe_beat = 0;
	b->pid = fork();
	assert_true(b->pid >= 0);
	if (b->pid == 0) {
		if (b->said) {
			fcntl(fileno(b->said), F_SETFL, O_APPEND);
			dup2(fileno(b->said), STDERR_FILENO);
		}
		_exit(scribe_main(&b->arg));
	}
}

static inline void end(struct bench *b, int sig)
{
	int status;

	kill(b->pid, sig);
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	if (sig == SIGTERM)
		assert_int_equal(status, 0);
	else
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == sig);
}

/* It becomes true, however slow the machine is. */
#define WITHIN_MS 60000
#define within(true_then)                                                      \
	do {                                                                   \
		for (int ms = 0; !(true_then) && ms < WITHIN_MS; ms++)         \
			usleep(1000);                                          \
		assert_true(true_then);                                        \
	} while (0)

/* Until every ring is empty: all is durable. False: it takes too long. */
static inline bool drained(struct bench *b)
{
	for (int i = 0; i < WITHIN_MS; i++) {
		bool empty = true;

		for (size_t k = 0; k <= GUESTS; k++)
			empty &= atomic_load(&b->ring[k].s->tail) ==
				 b->ring[k].at;
		if (empty)
			return true;
		usleep(1000);
	}
	return false;
}

static inline bool put_octets(struct bench *b, size_t k, struct span octets)
{
	if (ring_put(&b->ring[k], octets))
		return false;
	ring_publish(&b->ring[k]);
	ring_wake(&b->arg.control->scribe_sleeps);
	return true;
}

static inline bool put(struct bench *b, size_t k, const struct event *ev)
{
	static uint8_t buf[FLAT_MAX];
	struct wbuf w = wbuf_of(buf, sizeof(buf));

	flat_write(&w, ev);
	return put_octets(b, k, wbuf_span(&w));
}

/* What the courier would be given. */
static inline int ask_window(struct bench *b, enum window_kind kind, uint64_t a)
{
	struct window *w = b->arg.window;
	uint32_t asked = atomic_load(&w->asked) + 1;

	w->want = (struct window_key){kind, a, 0};
	atomic_store(&w->asked, asked);
	ring_wake(&b->arg.control->scribe_sleeps);
	for (int i = 0; i < 5000; i++) {
		if (atomic_load(&w->answered) == asked)
			return w->rc;
		usleep(1000);
	}
	fail_msg("the scribe does not answer");
	return E_STATE;
}

/* How often the scribe logged that; b->said is its file. */
static inline unsigned times_said(struct bench *b, const char *what)
{
	unsigned n = 0;
	char line[512];

	rewind(b->said);
	while (fgets(line, sizeof(line), b->said))
		n += strstr(line, what) != NULL;
	return n;
}

#define NEEDS_ROOT()                                                           \
	do {                                                                   \
		if (!may_run()) {                                              \
			print_message("SKIP: needs root and no sanitizer\n");  \
			skip();                                                \
		}                                                              \
		clean();                                                       \
	} while (0)

static inline int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	return geteuid() == 0 && chown(dir, TEST_UID, TEST_UID) ? -1 : 0;
}

static inline int remove_dir(void **state)
{
	(void)state;
	umount(dir); /* a test that failed may have left it */
	clean();
	return rmdir(dir);
}

#endif
