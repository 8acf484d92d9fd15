/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work on octets that others made, in a child that has nothing: no file, no
 * socket, no capability, bounded memory and time. It leaves its result in
 * memory that it shares with the parent, which takes nothing from there but
 * numbers and text.
 */
#ifndef ENFORCER_DAEMON_TRIAL_H
#define ENFORCER_DAEMON_TRIAL_H

#include "enforcer/daemon/area.h"
#include "enforcer/daemon/children.h"
#include "enforcer/daemon/sandbox.h"

#define TRIAL_NS     (20 * NS_PER_S) /* then it is killed */
#define TRIAL_CPU_S  10
#define TRIAL_MEMORY (1u << 30)

struct trial {
	struct child child;
	struct area area;
	int64_t deadline_ns;
	bool on;
};

/* work(arg, result) runs in the child; result is n zeroed octets. forget(arg)
 * is called before, outside the sandbox, for secrets that it should not see;
 * or NULL. uid: of nobody else. */
struct trial_job {
	void (*work)(void *arg, void *result);
	void (*forget)(void *arg);
	void *arg;
	size_t n;
	uid_t uid;
};
int trial_start(struct trial *t, const struct trial_job *job, int64_t now_ns,
		struct err *e) __attribute__((warn_unused_result));

/* 0: it still works; 1: done, and the result is in t->area.p until
 * trial_end; negative: it failed, and e says how. */
int trial_look(struct trial *t, int64_t now_ns, struct err *e)
	__attribute__((warn_unused_result));
void trial_end(struct trial *t); /* also while it works, and twice */

/* Start and wait. 1, or negative. */
int trial_run(struct trial *t, const struct trial_job *job, struct err *e)
	__attribute__((warn_unused_result));

#endif
