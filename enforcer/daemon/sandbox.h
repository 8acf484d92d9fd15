/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each process of metergated may do: one row per process in one table
 * (sandbox.c), enforced with uid and groups, capabilities, no_new_privs,
 * Landlock and seccomp, and checked at start by trying what must fail.
 */
#ifndef ENFORCER_DAEMON_SANDBOX_H
#define ENFORCER_DAEMON_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/err.h"

enum sandbox_process {
	SANDBOX_GATE,	 /* CAP_NET_ADMIN; verdicts, by its forms; packets by its
			  * raw sockets; futex; memory as it is */
	SANDBOX_ENGINE,	 /* nothing; receive, poll, futex, clock, anonymous
			  * memory for a new policy set */
	SANDBOX_SCRIBE,	 /* files below one directory; futex */
	SANDBOX_COURIER, /* its listening sockets, and no file */
	SANDBOX_ATTESTER, /* the TPM's descriptor and its questions, no file */
	SANDBOX_TRIAL,	 /* nothing: its memory, and its end */
	SANDBOX_PARENT,	 /* stays root, for rules, children and files, with
			  * the capabilities for these; what reaches into
			  * other processes or the kernel is refused, to it and
			  * to what it executes */
	SANDBOX_PROCESSES
};

struct sandbox_conf {
	uid_t uid;
	gid_t gid;
	const char *dir; /* what SCRIBE may write; else NULL */
	/* Descriptors that stay open besides 2; everything else is closed. */
	const int *fds;
	size_t n_fds;
	/* GATE: the descriptor that sends by headers in one place only, those
	 * at form, which others find under form_mask. NULL: it sends
	 * nothing. */
	int form_fd;
	const void *form;
	uint64_t form_mask;
	pid_t parent; /* whose death is ours; gone already: an error. 0: who
		       * that is is not checked */
};

/* Enter; no way back. The parent keeps its user and descriptors, and of c
 * nothing is looked at; what is said from here on is of the others. Descriptors 0 and 1 become /dev/null, 2 stays, c->fds
 * stay, all others are closed. Dies with the parent from here on. Fails
 * rather than runs with more than its row; after a failure the process is to
 * end. */
int sandbox_enter(enum sandbox_process p, const struct sandbox_conf *c,
		  struct err *e) __attribute__((warn_unused_result));

/* Before entering: try what must fail, each in a child that enters the same
 * sandbox first. E_STATE names the first that worked. Takes some tens of
 * milliseconds; needs the rights to enter. */
int sandbox_check(enum sandbox_process p, const struct sandbox_conf *c,
		  struct err *e) __attribute__((warn_unused_result));

/* The single tries, for tests. applies: it must fail for that process. */
size_t sandbox_tries(void);
const char *sandbox_try_name(size_t i);
bool sandbox_try_applies(size_t i, enum sandbox_process p);
/* 1: it worked; 0: it was refused; negative: the sandbox could not be entered.
 * p == SANDBOX_PROCESSES: without one. */
int sandbox_try(size_t i, enum sandbox_process p, const struct sandbox_conf *c,
		struct err *e) __attribute__((warn_unused_result));
const char *sandbox_name(enum sandbox_process p);

#endif
