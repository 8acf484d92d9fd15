/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/trial.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/daemon/live.h"

enum { TRIAL_DONE, TRIAL_CLOSED }; /* exit status; CLOSED: no sandbox */

struct start {
	const struct trial_job *job;
	struct area *area;
	pid_t parent;
};

static bool bounded(void)
{
	struct rlimit cpu = {TRIAL_CPU_S, TRIAL_CPU_S};
	struct rlimit memory = {TRIAL_MEMORY, TRIAL_MEMORY};
	struct rlimit none = {0, 0};

	return setrlimit(RLIMIT_CPU, &cpu) == 0 &&
	       setrlimit(RLIMIT_AS, &memory) == 0 &&
	       setrlimit(RLIMIT_FSIZE, &none) == 0;
}

static int run(void *arg)
{
	const struct start *s = arg;
	struct sandbox_conf c = {.uid = s->job->uid,
				 .gid = (gid_t)s->job->uid,
				 .parent = s->parent};
	struct err e;

	if (s->job->forget)
		s->job->forget(s->job->arg);
	if (!bounded() || sandbox_enter(SANDBOX_TRIAL, &c, &e) < 0)
		return TRIAL_CLOSED;
	s->job->work(s->job->arg, s->area->p);
	return TRIAL_DONE;
}

int trial_start(struct trial *t, const struct trial_job *job, int64_t now_ns,
		struct err *e)
{
	struct start s = {job, &t->area, getpid()};
	int rc;

	*t = (struct trial){.child = {.kind = CHILD_TRIAL, .pidfd = -1},
			    .area = {.fd = -1},
			    .deadline_ns = now_ns + TRIAL_NS};
	rc = area_new(&t->area, "trial", area_round(job->n), e);
	if (rc == 0)
		rc = child_fork(&t->child, run, &s, now_ns, e);
	if (rc < 0)
		area_drop(&t->area);
	t->on = rc == 0;
	return rc;
}

int trial_look(struct trial *t, int64_t now_ns, struct err *e)
{
	char how[CHILD_END_TEXT];
	siginfo_t si;

	if (!child_reap(&t->child, &si)) {
		if (now_ns < t->deadline_ns)
			return 0;
		trial_end(t);
		return err_set(e, E_LIMIT, 0, "the trial took too long");
	}
	if (si.si_code == CLD_EXITED && si.si_status == TRIAL_DONE)
		return 1;
	trial_end(t);
	return err_set(e, E_STATE, 0, "the trial failed: %s",
		       child_end_text(how, &si));
}

void trial_end(struct trial *t)
{
	siginfo_t si;

	if (!t->on)
		return;
	child_kill(&t->child, SIGKILL);
	while (t->child.pid > 0 && !child_reap(&t->child, &si))
		poll(NULL, 0, 1);
	area_drop(&t->area);
	t->on = false;
}

int trial_run(struct trial *t, const struct trial_job *job, struct err *e)
{
	int rc = trial_start(t, job, live_mono().ns, e);

	while (rc == 0) {
		rc = trial_look(t, live_mono().ns, e);
		if (rc == 0)
			poll(NULL, 0, 2);
	}
	return rc;
}
