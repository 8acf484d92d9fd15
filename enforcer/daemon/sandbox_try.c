/* SPDX-License-Identifier: Apache-2.0 */
/* What no process may do, tried: each in a child that entered its sandbox. */
#include "enforcer/daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define G  (1u << SANDBOX_GATE)
#define E  (1u << SANDBOX_ENGINE)
#define S  (1u << SANDBOX_SCRIBE)
#define C  (1u << SANDBOX_COURIER)
#define A  (1u << SANDBOX_ATTESTER)
#define T  (1u << SANDBOX_TRIAL)
#define P  (1u << SANDBOX_PARENT)
#define ALL (G | E | S | C | A | T)

/* How a child says what happened; a signal says refused, too. */
enum said {
	SAID_REFUSED = 81,
	SAID_WORKED,
	SAID_NO_SANDBOX,
};

struct env {
	const struct sandbox_conf *conf;
	pid_t outside; /* another process; lives while lives is open */
	int lives;
	int pair[2];   /* of sockets that are there already */
	void *page;    /* read-only and shared */
};

/* --- the tries: true, it worked ------------------------------------------- */

static bool opened(int fd)
{
	return fd >= 0;
}

static bool try_open(const struct env *v)
{
	(void)v;
	return opened(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static bool try_create(const struct env *v)
{
	(void)v;
	return opened(open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

static bool try_list(const struct env *v)
{
	(void)v;
	return opened(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static bool try_memory_file(const struct env *v)
{
	(void)v;
	return opened(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
}

static bool try_socket(const struct env *v)
{
	(void)v;
	return opened(socket(AF_INET, SOCK_STREAM, 0));
}

static bool try_raw_socket(const struct env *v)
{
	(void)v;
	return opened(socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
}

static bool try_packet_socket(const struct env *v)
{
	(void)v;
	return opened(socket(AF_PACKET, SOCK_RAW, 0));
}

static bool try_netlink(const struct env *v)
{
	(void)v;
	return opened(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
}

static bool try_unix(const struct env *v)
{
	(void)v;
	return opened(socket(AF_UNIX, SOCK_STREAM, 0));
}

static bool try_exec(const struct env *v)
{
	/* Worked: the program's own exit status is none of ours. */
	execl("/bin/true", "true", (char *)NULL);
	(void)v;
	return false;
}

static bool try_fork(const struct env *v)
{
	pid_t pid = fork();

	(void)v;
	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

static bool try_ptrace(const struct env *v)
{
	return ptrace(PTRACE_SEIZE, v->outside, 0, 0) == 0;
}

static bool try_be_traced(const struct env *v)
{
	(void)v;
	return ptrace(PTRACE_TRACEME, 0, 0, 0) == 0;
}

static bool try_read_other(const struct env *v)
{
	char octet;
	struct iovec to = {&octet, 1}, from = {v->page, 1};

	return process_vm_readv(v->outside, &to, 1, &from, 1, 0) == 1;
}

static bool try_kill(const struct env *v)
{
	return kill(v->outside, 0) == 0;
}

static bool try_kill_self(const struct env *v)
{
	(void)v;
	return kill(getpid(), 0) == 0;
}

static bool try_mount(const struct env *v)
{
	(void)v;
	/* In a place of its own, lest it be seen. */
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool try_user_namespace(const struct env *v)
{
	(void)v;
	return unshare(CLONE_NEWUSER) == 0;
}

static bool try_root(const struct env *v)
{
	(void)v;
	return setresuid(0, 0, 0) == 0;
}

static bool try_bpf(const struct env *v)
{
	/* BPF_MAP_CREATE, an array of one octet's place */
	uint32_t attr[16] = {2, 4, 4, 1};

	(void)v;
	return opened((int)syscall(SYS_bpf, 0, attr, sizeof(attr)));
}

static bool try_module(const struct env *v)
{
	(void)v;
	/* Whoever may is told that there is none. */
	return syscall(SYS_delete_module, "no such", O_NONBLOCK) == 0 ||
	       errno != EPERM;
}

static bool try_namespace(const struct env *v)
{
	(void)v;
	return unshare(CLONE_NEWNET) == 0;
}

static bool try_clone_user(const struct env *v)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	(void)v;
	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid((pid_t)pid, NULL, 0) == pid;
}

static bool try_clock(const struct env *v)
{
	/* None that could be set. */
	const struct timespec never = {0, -1};

	(void)v;
	return syscall(SYS_clock_settime, CLOCK_REALTIME, &never) == 0 ||
	       errno == EINVAL;
}

static bool try_executable(const struct env *v)
{
	(void)v;
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool try_unprotect(const struct env *v)
{
	return mprotect(v->page, 4096, PROT_READ | PROT_WRITE) == 0;
}

static bool try_prctl(const struct env *v)
{
	(void)v;
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

/* A message that does nothing, wherever it gets to. */
static bool try_send(const struct env *v)
{
	struct nlmsghdr noop = {sizeof(noop), NLMSG_NOOP, 0, 0, 0};

	return send(v->pair[0], &noop, sizeof(noop), MSG_DONTWAIT) > 0;
}

static bool try_write_socket(const struct env *v)
{
	struct nlmsghdr noop = {sizeof(noop), NLMSG_NOOP, 0, 0, 0};

	return write(v->pair[0], &noop, sizeof(noop)) > 0;
}

/* The pair's other end has sent an octet. */
static bool try_receive(const struct env *v)
{
	char octet;

	return recv(v->pair[0], &octet, 1, MSG_DONTWAIT) == 1;
}

static bool try_read(const struct env *v)
{
	char octet;

	return read(v->pair[0], &octet, 1) == 1;
}

static bool try_connect(const struct env *v)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};

	return connect(v->pair[0], &none, sizeof(none)) == 0;
}

static bool try_leak(const struct env *v)
{
	/* A descriptor of the process that made this one was not closed. */
	return fcntl(v->pair[1], F_GETFD) >= 0;
}

static const struct try {
	const char *name;
	unsigned whom;
	bool (*works)(const struct env *v);
} tries[] = {
	{"open a file",				  ALL,	       try_open		 },
	{"create a file elsewhere",		  ALL,	       try_create	 },
	{"list a directory",			  ALL,	       try_list		 },
	{"open its own memory",			  ALL,	       try_memory_file	 },
	{"make a socket",			  ALL,	       try_socket	 },
	{"make a raw socket",			  ALL,	       try_raw_socket	 },
	{"make a packet socket",		  ALL,	       try_packet_socket },
	{"make a netlink socket",		  ALL,	       try_netlink	 },
	{"make a Unix socket",			  ALL,	       try_unix		 },
	{"execute a program",			  ALL,	       try_exec		 },
	{"fork",				  ALL,	       try_fork		 },
	{"trace another process",		  ALL | P,     try_ptrace	 },
	{"be traced",				  ALL | P,     try_be_traced	 },
	{"read another's memory",		  ALL | P,     try_read_other	 },
	{"signal another process",		  ALL,	       try_kill		 },
	{"signal itself",			  ALL,	       try_kill_self	 },
	{"mount",				  ALL | P,     try_mount	 },
	{"make a user namespace",		  ALL | P,     try_user_namespace	 },
	{"become root",				  ALL,	       try_root		 },
	{"make one with a process",		  ALL | P,     try_clone_user	 },
	{"make another namespace",		  ALL | P,     try_namespace	 },
	{"load or unload modules",		  ALL | P,     try_module	 },
	{"set the clock",			  ALL | P,     try_clock	 },
	{"use bpf",				  ALL | P,     try_bpf	 },
	{"map executable memory",		  ALL,	       try_executable	 },
	{"write where it may only read",	  ALL,	       try_unprotect	 },
	{"undo its settings",			  ALL,	       try_prctl	 },
	{"send on its sockets",			  E | T,	       try_send		 },
	{"write to its sockets",		  E | G | T,       try_write_socket	 },
	{"receive on its sockets",		  G | T,	       try_receive	 },
	{"read its sockets",			  G | T,	       try_read		 },
	{"connect its sockets elsewhere",	  ALL,	       try_connect	 },
	{"use a descriptor that was left open",	  ALL,	       try_leak		 },
};
#define N_TRIES (sizeof(tries) / sizeof(tries[0]))

size_t sandbox_tries(void)
{
	return N_TRIES;
}

const char *sandbox_try_name(size_t i)
{
	return tries[i].name;
}

bool sandbox_try_applies(size_t i, enum sandbox_process p)
{
	return tries[i].whom >> p & 1;
}

/* --- trying --------------------------------------------------------------- */

/* The sandbox as it will be, and one of the pair beside its descriptors. */
static int enter(enum sandbox_process p, const struct env *v, pid_t parent,
		 struct err *e)
{
	int fds[64];
	struct sandbox_conf c = *v->conf;

	if (c.n_fds >= sizeof(fds) / sizeof(fds[0]))
		return err_set(e, E_LIMIT, 0, "too many descriptors");
	if (c.n_fds)
		memcpy(fds, c.fds, c.n_fds * sizeof(fds[0]));
	fds[c.n_fds++] = v->pair[0];
	c.fds = fds;
	c.parent = parent;
	return sandbox_enter(p, &c, e);
}

_Noreturn static void child(const struct try *t, enum sandbox_process p,
			    const struct env *v, pid_t parent, int tell)
{
	struct err e = {0};

	if (p != SANDBOX_PROCESSES && enter(p, v, parent, &e)) {
		if (write(tell, e.text, strlen(e.text)) < 0)
			_exit(SAID_NO_SANDBOX);
		_exit(SAID_NO_SANDBOX);
	}
	_exit(t->works(v) ? SAID_WORKED : SAID_REFUSED);
}

/* Somebody to be signalled, traced and read: of the same user as the child. It
 * lives as long as the other end of lives is open, which nobody but its parent
 * holds: the parent may be killed at any moment. */
_Noreturn static void victim(const struct sandbox_conf *c, bool as_user,
			     int ready, int lives)
{
	char octet;

	if (as_user && (setresgid(c->gid, c->gid, c->gid) ||
			setresuid(c->uid, c->uid, c->uid)))
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (write(ready, "", 1) == 1)
		(void)!read(lives, &octet, 1);
	_exit(1);
}

static pid_t start_victim(struct env *v, bool as_user)
{
	int ready[2], lives[2];
	char octet;
	pid_t pid;
	bool ok;

	if (pipe2(ready, O_CLOEXEC))
		return -1;
	if (pipe2(lives, O_CLOEXEC)) {
		close(ready[0]);
		close(ready[1]);
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		close(lives[1]);
		victim(v->conf, as_user, ready[1], lives[0]);
	}
	close(ready[1]);
	close(lives[0]);
	v->lives = lives[1];
	ok = pid > 0 && read(ready[0], &octet, 1) == 1;
	close(ready[0]);
	if (ok || pid < 0)
		return ok ? pid : -1;
	waitpid(pid, NULL, 0);
	return -1;
}

/* What an exit status says; what is not ours is a program that ran. */
static int verdict(int status, const char *text, struct err *e)
{
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGSYS
			       ? 0
			       : err_set(e, E_STATE, 0, "ended by signal %d",
					 WTERMSIG(status));
	switch (WEXITSTATUS(status)) {
	case SAID_REFUSED:
		return 0;
	case SAID_NO_SANDBOX:
		return err_set(e, E_STATE, 0, "%s", text);
	default:
		return 1;
	}
}

static int run(const struct try *t, enum sandbox_process p,
	       const struct env *v, struct err *e)
{
	char text[ERR_TEXT] = "";
	pid_t self = getpid(), pid;
	int tell[2], status = 0;
	ssize_t n;

	if (pipe2(tell, O_CLOEXEC))
		return err_sys(e, "pipe");
	pid = fork();
	if (pid == 0) {
		close(v->lives);
		/* Its number must be one that the sandbox keeps: none. */
		int to = dup2(tell[1], STDERR_FILENO);

		child(t, p, v, self, to);
	}
	close(tell[1]);
	/* To the end of the stream: the child's last word, and its end. */
	for (size_t at = 0; pid > 0 && at + 1 < sizeof(text); at += (size_t)n) {
		n = read(tell[0], text + at, sizeof(text) - 1 - at);
		if (n <= 0)
			break;
	}
	close(tell[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return err_sys(e, "fork");
	return verdict(status, text, e);
}

static int prepare(struct env *v, const struct sandbox_conf *c, bool as_user,
		   struct err *e)
{
	*v = (struct env){.conf = c, .outside = -1, .lives = -1,
			  .pair = {-1, -1}};
	v->page = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1,
		       0);
	if (v->page == MAP_FAILED)
		return err_sys(e, "mmap");
	v->outside = start_victim(v, as_user);
	if (v->outside < 0)
		return err_sys(e, "another process");
	/* An octet waits to be received. */
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, v->pair) ||
	    send(v->pair[1], "", 1, 0) != 1)
		return err_sys(e, "sockets");
	return 0;
}

static void clear(const struct env *v)
{
	if (v->outside > 0) {
		kill(v->outside, SIGKILL);
		waitpid(v->outside, NULL, 0);
	}
	if (v->lives >= 0)
		close(v->lives);
	for (int i = 0; i < 2; i++) {
		if (v->pair[i] >= 0)
			close(v->pair[i]);
	}
	if (v->page != MAP_FAILED)
		munmap(v->page, 4096);
}

int sandbox_try(size_t i, enum sandbox_process p, const struct sandbox_conf *c,
		struct err *e)
{
	struct env v;
	int rc = prepare(&v, c, p != SANDBOX_PROCESSES, e);

	if (rc == 0)
		rc = run(&tries[i], p, &v, e);
	clear(&v);
	return rc;
}

static int check(enum sandbox_process p, const struct env *v, struct err *e)
{
	for (size_t i = 0; i < N_TRIES; i++) {
		int rc = sandbox_try_applies(i, p) ? run(&tries[i], p, v, e)
						   : 0;

		if (rc == 1)
			return err_set(e, E_STATE, 0, "the sandbox of the %s "
				       "lets it %s", sandbox_name(p),
				       tries[i].name);
		if (rc < 0)
			return err_wrap(e, "trying to %s", tries[i].name);
	}
	return 0;
}

int sandbox_check(enum sandbox_process p, const struct sandbox_conf *c,
		  struct err *e)
{
	struct env v;
	int rc = prepare(&v, c, true, e);

	if (rc == 0)
		rc = check(p, &v, e);
	clear(&v);
	return rc;
}
