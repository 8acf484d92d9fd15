/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/children.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const char *child_kind_name(enum child_kind k)
{
	static const char *const names[] = {
		[CHILD_SCRIBE] = "scribe",
		[CHILD_GATE] = "gate",
		[CHILD_ENGINE] = "engine",
		[CHILD_COURIER] = "courier",
		[CHILD_ATTESTER] = "attester",
		[CHILD_TRIAL] = "trial",
	};

	return names[k];
}

int64_t backoff_after(struct backoff *b, int64_t lived_ns, bool at_once,
		      bool killed)
{
	int64_t wait;

	if (lived_ns >= BACKOFF_RESET)
		b->next_ns = 0;
	if (b->next_ns == 0) {
		b->next_ns = BACKOFF_FIRST;
		if (at_once)
			return 0;
	}
	wait = b->next_ns;
	b->next_ns = wait * 2 < BACKOFF_MAX ? wait * 2 : BACKOFF_MAX;
	return killed && wait > BACKOFF_KILLED ? BACKOFF_KILLED : wait;
}

bool child_ready(const struct child *c)
{
	return c->pid > 0 && (!c->beat || atomic_load(c->beat) != 0);
}

bool child_silent(const struct child *c, int64_t now_ns)
{
	int64_t beat, allowed = CHILD_SILENT_NS;

	if (c->pid <= 0 || !c->beat)
		return false;
	beat = atomic_load(c->beat);
	if (beat == 0 && c->stopped_ns) {
		beat = c->stopped_ns;
	} else if (beat == 0) {
		beat = c->started_ns;
		allowed = c->kind == CHILD_SCRIBE ? SCRIBE_START_NS
						  : CHILD_START_NS;
	}
	/* A beat from the future would hide a hang for ever. */
	return now_ns - beat > allowed || beat - now_ns > allowed;
}

char *child_end_text(char buf[CHILD_END_TEXT], const siginfo_t *si)
{
	if (si->si_code == CLD_EXITED)
		snprintf(buf, CHILD_END_TEXT, "exit status %d", si->si_status);
	else
		snprintf(buf, CHILD_END_TEXT, "signal %d (%s)", si->si_status,
			 strsignal(si->si_status));
	return buf;
}

bool child_crashed(const siginfo_t *si)
{
	static const int faults[] = {SIGSEGV, SIGABRT, SIGSYS, SIGBUS,
				     SIGFPE,  SIGILL,  SIGTRAP};

	if (si->si_code != CLD_KILLED && si->si_code != CLD_DUMPED)
		return false;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		if (si->si_status == faults[i])
			return true;
	}
	return false;
}

int64_t child_ended(struct child *c, const siginfo_t *si, int64_t now_ns)
{
	bool outside = si->si_code != CLD_EXITED && !c->hung &&
		       (si->si_status == SIGKILL || si->si_status == SIGTERM);
	int64_t wait = backoff_after(&c->backoff, now_ns - c->started_ns,
				     c->kind != CHILD_ENGINE, outside);

	c->due_ns = now_ns + wait;
	c->hung = false;
	return wait;
}

static int child_run(pid_t parent, int (*run)(void *arg), void *arg)
{
	sigset_t none;

	/* A terminal's signals go to the parent, which ends us in order. */
	setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return 1;
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL); /* KILL and STOP refuse: nothing to do */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	return run(arg);
}

bool child_tell(struct child *c, int64_t now_ns)
{
	if (c->told_ns < now_ns)
		c->told_ns = now_ns;
	if (c->told_ns - now_ns > (CHILD_TELL_BURST - 1) * CHILD_TELL_NS)
		return false;
	c->told_ns += CHILD_TELL_NS;
	return true;
}

int child_fork(struct child *c, int (*run)(void *arg), void *arg,
	       int64_t now_ns, struct err *e)
{
	pid_t parent = getpid(), pid;

	if (c->beat)
		atomic_store(c->beat, 0);
	pid = fork();
	if (pid < 0)
		return err_sys(e, "starting the %s", child_kind_name(c->kind));
	if (pid == 0)
		_exit(child_run(parent, run, arg));
	c->pid = pid;
	/* It is our child and not yet waited for: the number is its own. */
	c->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (c->pidfd < 0) {
		err_sys(e, "watching the %s", child_kind_name(c->kind));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		c->pid = 0;
		return E_IO;
	}
	c->started_ns = now_ns;
	c->starts++;
	c->stopped_ns = 0;
	c->hung = c->told = false;
	return 0;
}

void child_look(struct child *c, int64_t now_ns)
{
	siginfo_t si = {0};
	/* What is seen stays to be seen, until it goes on. */
	bool stopped = c->pid > 0 &&
		       waitid(P_PID, (id_t)c->pid, &si,
			      WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
		       si.si_pid == c->pid;

	if (!stopped)
		c->stopped_ns = 0;
	else if (c->stopped_ns == 0)
		c->stopped_ns = now_ns;
}

bool child_reap(struct child *c, siginfo_t *si)
{
	memset(si, 0, sizeof(*si));
	if (c->pid <= 0 ||
	    waitid(P_PID, (id_t)c->pid, si, WEXITED | WNOHANG) < 0 ||
	    si->si_pid != c->pid)
		return false;
	close(c->pidfd);
	c->pidfd = -1;
	c->pid = 0;
	return true;
}

void child_kill(struct child *c, int sig)
{
	if (c->pid > 0)
		kill(c->pid, sig);
}
