/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each process of metergated may do: one row per process in one table
 * (sandbox.c), enforced with uid and groups, capabilities, no_new_privs,
 * Landlock and seccomp, and checked at start by trying what must fail.
 */
#ifndef ENFORCER_DAEMON_SANDBOX_H
#define ENFORCER_DAEMON_SANDBOX_H

#include <sys/types.h>

#include "core/err.h"

enum sandbox_process {
	SANDBOX_GATE,	 /* CAP_NET_ADMIN; send on its descriptors; futex */
	SANDBOX_ENGINE,	 /* nothing; receive, poll, futex, clock, anonymous
			  * memory for a new policy set */
	SANDBOX_SCRIBE,	 /* files below one directory; futex */
	SANDBOX_COURIER, /* reads below one directory; its listening sockets */
	SANDBOX_PROCESSES
};

struct sandbox_conf {
	uid_t uid;
	gid_t gid;
	const char *dir; /* what SCRIBE may write and COURIER may read; else
			  * NULL */
	/* Descriptors that stay open besides 2; everything else is closed. */
	const int *fds;
	size_t n_fds;
};

/* Enter; no way back. Dies with the parent from here on (PR_SET_PDEATHSIG).
 * Fails rather than runs with more than its row. */
int sandbox_enter(enum sandbox_process p, const struct sandbox_conf *c,
		  struct err *e) __attribute__((warn_unused_result));
/* Try what must fail: open, socket, exec, ptrace, kill, and for an engine
 * sending on the queue's socket. E_STATE names the first that worked. What
 * seccomp would kill for is tried in a child. */
int sandbox_check(enum sandbox_process p, const struct sandbox_conf *c,
		  struct err *e) __attribute__((warn_unused_result));
const char *sandbox_name(enum sandbox_process p);

#endif
