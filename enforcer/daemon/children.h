/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's children: how one is started, how its end is noticed, when it
 * is started again, and when its silence means that it hangs.
 *
 * The decisions are functions of their arguments (tested as such); only
 * child_fork, child_reap and child_kill touch a process.
 */
#ifndef ENFORCER_DAEMON_CHILDREN_H
#define ENFORCER_DAEMON_CHILDREN_H

#include <signal.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "core/clock.h"
#include "core/err.h"

#define MS INT64_C(1000000)

enum child_kind { CHILD_SCRIBE, CHILD_GATE, CHILD_ENGINE, CHILD_COURIER,
	CHILD_ATTESTER, CHILD_TRIAL };
const char *child_kind_name(enum child_kind k);

/* --- how long to wait before the next start -------------------------------------- */

#define BACKOFF_FIRST (50 * MS)
#define BACKOFF_MAX   (5 * NS_PER_S)
#define BACKOFF_KILLED (1 * NS_PER_S) /* of one that somebody else killed */
#define BACKOFF_RESET (30 * NS_PER_S) /* a life so long starts anew */

struct backoff {
	int64_t next_ns; /* 0: the first end */
};
/* at_once: the first restart does not wait. killed: by a signal that came
 * from outside; that is not its own fault, so it waits BACKOFF_KILLED at
 * most. Returns the time to wait. */
int64_t backoff_after(struct backoff *b, int64_t lived_ns, bool at_once,
		      bool killed);

/* --- one child ---------------------------------------------------------------------- */

#define CHILD_SILENT_NS (3 * NS_PER_S)
#define CHILD_START_NS	(15 * NS_PER_S) /* until the first beat */
#define SCRIBE_START_NS (120 * NS_PER_S) /* it checks the audit first */

struct child {
	enum child_kind kind;
	size_t guest; /* gate, engine */
	pid_t pid;    /* 0: none */
	int pidfd;    /* -1: none */
	int64_t started_ns, due_ns; /* mono; due: when to start it again */
	int64_t stopped_ns; /* since when it stands still by a signal; 0 */
	struct backoff backoff;
	uint32_t starts;
	bool hung;  /* we killed it */
	bool told;  /* we asked it to end */
	int64_t told_ns; /* mono: child_tell has all of its burst from then on */
	_Atomic int64_t *beat; /* mono ns of its last turn; NULL: has none */
};

/* Is it there and did it turn at least once? */
bool child_ready(const struct child *c);
/* Is it there but silent for too long? Before its first beat it may have much to
 * do; not while it stands still. */
bool child_silent(const struct child *c, int64_t now_ns);
/* "signal 9 (Killed)", "exit status 1"; returns buf. */
#define CHILD_END_TEXT 64
char *child_end_text(char buf[CHILD_END_TEXT], const siginfo_t *si);
/* Did it end by a fault of its own, as what it was given may have caused? Not
 * by somebody's KILL or TERM, nor by leaving. */
bool child_crashed(const siginfo_t *si);
/* What its end means for the next start; sets due_ns, returns the wait. */
int64_t child_ended(struct child *c, const siginfo_t *si, int64_t now_ns);

/* May a record of its end be one that is kept for ever? A guest that can make
 * its engine die does so every few seconds: after a burst one an hour, the
 * others are kept as long as what flows leave. */
#define CHILD_TELL_NS	 (3600 * NS_PER_S)
#define CHILD_TELL_BURST 16
bool child_tell(struct child *c, int64_t now_ns);

/* Start it: run(arg) in a child of its own process group that dies with us;
 * what run returns is its exit status. */
int child_fork(struct child *c, int (*run)(void *arg), void *arg,
	       int64_t now_ns, struct err *e)
	__attribute__((warn_unused_result));
/* True: it ended, *si says how, and it is gone. Never blocks. */
bool child_reap(struct child *c, siginfo_t *si);
void child_kill(struct child *c, int sig);
/* Did somebody stop it (SIGSTOP)? Sets stopped_ns. Never blocks. */
void child_look(struct child *c, int64_t now_ns);

#endif
