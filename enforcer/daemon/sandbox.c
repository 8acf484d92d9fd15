/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "enforcer/daemon/sandbox_files.h"

#define FDS_MAX 64 /* descriptors that may stay open */

/* --- the table ---------------------------------------------------------------
 * A system call that is in no row ends the process. */

enum args {
	ANY,
	ON_FD_2,   /* first argument */
	ON_OURS,   /* first argument is one of the conf's descriptors */
	ON_OTHERS, /* the same, but for the one that sends forms */
	BY_FORM,   /* first argument is that one, the second one of the forms,
		    * the third 0 */
	NO_EXEC,   /* third argument has no PROT_EXEC */
	ANONYMOUS, /* that, and fourth argument has MAP_ANONYMOUS */
	FUTEX_OPS, /* wait and wake, of either kind */
	FCNTL_OPS, /* locks and flags of descriptors */
};

struct call {
	int nr;
	enum args args;
};

#define CALL(name, args) {SCMP_SYS(name), args}

/* What each process needs: its end, its clock. */
static const struct call basic[] = {
	CALL(futex, FUTEX_OPS),
	CALL(sched_yield, ANY),
	CALL(clock_gettime, ANY),
	CALL(getrandom, ANY),
	CALL(getpid, ANY),
	CALL(gettid, ANY),
	CALL(write, ON_FD_2),
	CALL(writev, ON_FD_2),
	CALL(rt_sigreturn, ANY),
	CALL(rt_sigprocmask, ANY),
	/* A wait that a stop and continue interrupted. */
	CALL(restart_syscall, ANY),
	CALL(exit, ANY),
	CALL(exit_group, ANY),
};

/* And its memory; a gate has all of it before, and what is read-only there
 * stays so and stays where it is (form.h). */
static const struct call memory[] = {
	CALL(brk, ANY),
	CALL(mmap, ANONYMOUS),
	CALL(munmap, ANY),
	CALL(mremap, ANY),
	CALL(madvise, ANY),
};

/* Packets by its raw sockets; by the queue's, verdicts and nothing else. */
static const struct call gate[] = {
	CALL(sendto, ON_OTHERS),
	CALL(sendmsg, BY_FORM),
};

static const struct call engine[] = {
	CALL(recvfrom, ON_OURS),
	CALL(recvmsg, ON_OURS),
	CALL(recvmmsg, ON_OURS),
	CALL(read, ON_OURS),
	CALL(poll, ANY),
	CALL(ppoll, ANY),
};

/* sqlite: files, their locks and syncs, the shared memory of its WAL. */
static const struct call scribe[] = {
	CALL(openat, ANY), /* Landlock says where */
	CALL(close, ANY),
	CALL(read, ANY),
	CALL(pread64, ANY),
	CALL(write, ANY),
	CALL(pwrite64, ANY),
	CALL(lseek, ANY),
	CALL(fstat, ANY),
	CALL(newfstatat, ANY),
	CALL(statx, ANY),
	CALL(stat, ANY),
	CALL(lstat, ANY),
	CALL(access, ANY),
	CALL(faccessat, ANY),
	CALL(faccessat2, ANY),
	CALL(readlink, ANY),
	CALL(readlinkat, ANY),
	CALL(getcwd, ANY),
	CALL(getdents64, ANY),
	CALL(fcntl, FCNTL_OPS),
	CALL(fsync, ANY),
	CALL(fdatasync, ANY),
	CALL(ftruncate, ANY),
	CALL(unlink, ANY),
	CALL(unlinkat, ANY),
	/* The log's key gets its name when it is whole. */
	CALL(rename, ANY),
	CALL(renameat, ANY),
	CALL(mmap, NO_EXEC),
	CALL(geteuid, ANY),
	CALL(getuid, ANY),
	CALL(statfs, ANY),
	CALL(fstatfs, ANY),
	CALL(clock_nanosleep, ANY),
	CALL(rt_sigpending, ANY),
};

/* libmicrohttpd on sockets that are there. It has nothing else it could write
 * to: write is for what wakes its own loop. */
static const struct call courier[] = {
	CALL(accept4, ON_OURS),
	CALL(accept, ON_OURS),
	CALL(recvfrom, ANY),
	CALL(recvmsg, ANY),
	CALL(sendto, ANY),
	CALL(sendmsg, ANY),
	CALL(read, ANY),
	CALL(write, ANY),
	CALL(shutdown, ANY),
	CALL(close, ANY),
	CALL(setsockopt, ANY),
	CALL(getsockopt, ANY),
	CALL(getsockname, ANY),
	CALL(getpeername, ANY),
	CALL(poll, ANY),
	CALL(ppoll, ANY),
	CALL(select, ANY),
	CALL(pselect6, ANY),
	CALL(fcntl, FCNTL_OPS),
};

/* Commands and answers of the TPM, questions and answers of the scribe; its own
 * end is in order. */
static const struct call attester[] = {
	CALL(read, ON_OURS),
	CALL(write, ON_OURS),
	CALL(sendto, ON_OURS),
	CALL(recvfrom, ON_OURS),
	CALL(poll, ANY),
	CALL(ppoll, ANY),
	CALL(close, ON_OURS),
	CALL(rt_sigpending, ANY),
};

/* What the parent is refused, and by what number. Everything else is allowed:
 * it executes programs of the system. Modules that rules need are loaded by
 * the kernel itself. */
struct denied {
	int nr, error;
};
#define DENY(name) {SCMP_SYS(name), EPERM}

/* clang-format off */
static const struct denied denied[] = {
	/* other processes */
	DENY(ptrace), DENY(process_vm_readv), DENY(process_vm_writev),
	DENY(pidfd_getfd), DENY(kcmp), DENY(perf_event_open),
	/* the kernel */
	DENY(bpf), DENY(init_module), DENY(finit_module), DENY(delete_module),
	DENY(kexec_load), DENY(kexec_file_load), DENY(reboot), DENY(iopl),
	DENY(ioperm), DENY(userfaultfd), DENY(io_uring_setup), DENY(syslog),
	DENY(acct), DENY(add_key), DENY(keyctl), DENY(request_key),
	DENY(settimeofday), DENY(clock_settime), DENY(swapon), DENY(swapoff),
	/* what is where */
	DENY(mount), DENY(umount2), DENY(pivot_root), DENY(chroot),
	DENY(move_mount), DENY(open_tree), DENY(fsopen), DENY(fsmount),
	DENY(fsconfig), DENY(fspick), DENY(mount_setattr),
	DENY(open_by_handle_at), DENY(unshare), DENY(setns),
	/* Its flags cannot be looked at; who is told so takes the older one,
	 * whose can: deny_calls. */
	{SCMP_SYS(clone3), ENOSYS},
};
/* clang-format on */

/* clang-format off */
static const struct row {
	const char *name;
	uint64_t caps;	  /* that stay */
	uint64_t fs;	  /* Landlock's rights below conf.dir */
	bool opens;	  /* without Landlock it may not run */
	bool fixed;	  /* its memory is as it was at the start */
	rlim_t files;	  /* descriptors at most */
	const struct call *calls;
	size_t n_calls;
} rows[SANDBOX_PROCESSES] = {
#define CAP(name) (UINT64_C(1) << CAP_##name)
#define CALLS(list) list, sizeof(list) / sizeof(list[0])
	[SANDBOX_GATE] = {"gate", CAP(NET_ADMIN), 0, false, true,
		FDS_MAX, CALLS(gate)},
	[SANDBOX_ENGINE] = {"engine", 0, 0, false, false,
		FDS_MAX, CALLS(engine)},
	[SANDBOX_SCRIBE] = {"scribe", 0,
		FS(READ_FILE) | FS(READ_DIR) | FS(WRITE_FILE) |
		FS(MAKE_REG) | FS(REMOVE_FILE) | FS_TRUNCATE, true, false,
		FDS_MAX, CALLS(scribe)},
	[SANDBOX_COURIER] = {"courier", 0, 0, false, false, 320,
		CALLS(courier)},
	[SANDBOX_ATTESTER] = {"attester", 0, 0, false, false, FDS_MAX,
		CALLS(attester)},
	[SANDBOX_TRIAL] = {"trial", 0, 0, false, false, FDS_MAX, NULL, 0},
	/* CHOWN to KILL, SETUID and SETGID: its directories, and who its
	 * children are; SETPCAP: what they lose. RAW: for iptables. */
	[SANDBOX_PARENT] = {"parent", CAP(CHOWN) | CAP(DAC_OVERRIDE) |
		CAP(FOWNER) | CAP(KILL) | CAP(SETGID) | CAP(SETUID) |
		CAP(SETPCAP) | CAP(NET_ADMIN) | CAP(NET_RAW), 0, false, false,
		0, NULL, 0},
#undef CALLS
#undef CAP
};
/* clang-format on */

const char *sandbox_name(enum sandbox_process p)
{
	return (unsigned)p < SANDBOX_PROCESSES ? rows[p].name : "none";
}

/* --- seccomp -------------------------------------------------------------- */

static int add(scmp_filter_ctx f, int nr, unsigned n,
	       const struct scmp_arg_cmp *cmp)
{
	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, nr, n, cmp);
}

#define EQ(arg, value)                                                         \
	((struct scmp_arg_cmp){arg, SCMP_CMP_EQ, (scmp_datum_t)(value), 0})
#define NONE_OF(arg, bits)                                                     \
	((struct scmp_arg_cmp){arg, SCMP_CMP_MASKED_EQ, bits, 0})
#define HAS(arg, bit)                                                          \
	((struct scmp_arg_cmp){arg, SCMP_CMP_MASKED_EQ, bit, bit})

static int add_values(scmp_filter_ctx f, int nr, unsigned arg, const int *v,
		      size_t n)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		/* The kernel sees a register of 64 bits of which an int fills
		 * half: the other half is of no meaning to it. */
		struct scmp_arg_cmp cmp = {arg, SCMP_CMP_MASKED_EQ, UINT32_MAX,
					   (uint32_t)v[i]};

		rc = add(f, nr, 1, &cmp);
	}
	return rc;
}

static int add_others(scmp_filter_ctx f, int nr, const struct sandbox_conf *c)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < c->n_fds; i++) {
		if (!c->form || c->fds[i] != c->form_fd)
			rc = add_values(f, nr, 0, &c->fds[i], 1);
	}
	return rc;
}

static int add_form(scmp_filter_ctx f, int nr, const struct sandbox_conf *c)
{
	struct scmp_arg_cmp cmp[3] = {
		{0, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint32_t)c->form_fd},
		{1, SCMP_CMP_MASKED_EQ, c->form_mask, (uintptr_t)c->form},
		{2, SCMP_CMP_MASKED_EQ, UINT32_MAX, 0}};

	return c->form ? add(f, nr, 3, cmp) : 0;
}

static int add_call(scmp_filter_ctx f, const struct call *c,
		    const struct sandbox_conf *conf)
{
	static const int futex_ops[] = {
		FUTEX_WAIT,
		FUTEX_WAKE,
		FUTEX_WAIT_PRIVATE,
		FUTEX_WAKE_PRIVATE,
		FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
		FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME,
	};
	static const int fcntl_ops[] = {F_GETFD, F_SETFD,  F_GETFL,
					F_SETFL, F_GETLK,  F_SETLK,
					F_SETLKW};
	struct scmp_arg_cmp cmp[2];
	int two = STDERR_FILENO;

	switch (c->args) {
	case ANY:
		return add(f, c->nr, 0, NULL);
	case ON_FD_2:
		return add_values(f, c->nr, 0, &two, 1);
	case ON_OURS:
		return add_values(f, c->nr, 0, conf->fds, conf->n_fds);
	case ON_OTHERS:
		return add_others(f, c->nr, conf);
	case BY_FORM:
		return add_form(f, c->nr, conf);
	case NO_EXEC:
		cmp[0] = NONE_OF(2, PROT_EXEC);
		return add(f, c->nr, 1, cmp);
	case ANONYMOUS:
		cmp[0] = NONE_OF(2, PROT_EXEC);
		cmp[1] = HAS(3, MAP_ANONYMOUS);
		return add(f, c->nr, 2, cmp);
	case FUTEX_OPS:
		return add_values(f, c->nr, 1, futex_ops,
				  sizeof(futex_ops) / sizeof(futex_ops[0]));
	case FCNTL_OPS:
		return add_values(f, c->nr, 1, fcntl_ops,
				  sizeof(fcntl_ops) / sizeof(fcntl_ops[0]));
	}
	return -EINVAL;
}

static int add_calls(scmp_filter_ctx f, const struct call *c, size_t n,
		     const struct sandbox_conf *conf)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_call(f, &c[i], conf);
	return rc;
}

static int close_calls(const struct row *row, const struct sandbox_conf *c,
		       struct err *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc;

	if (!f)
		return err_set(e, E_NOMEM, 0, "seccomp: no memory");
	/* Other architectures' calls end the process: the default. A search
	 * tree instead of a list: the receiving call is made per packet. */
	rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = add_calls(f, basic, sizeof(basic) / sizeof(basic[0]), c);
	if (rc == 0 && !row->fixed)
		rc = add_calls(f, memory, sizeof(memory) / sizeof(memory[0]),
			       c);
	if (rc == 0)
		rc = add_calls(f, row->calls, row->n_calls, c);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	errno = -rc;
	return rc ? err_sys(e, "seccomp") : 0;
}

/* Inherited by all that it starts; their own filters come on top. */
static int deny_calls(struct err *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	struct scmp_arg_cmp user = HAS(0, CLONE_NEWUSER);
	int rc;

	if (!f)
		return err_set(e, E_NOMEM, 0, "seccomp: no memory");
	rc = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; rc == 0 && i < sizeof(denied) / sizeof(denied[0]);
	     i++)
		rc = seccomp_rule_add_array(
			f, SCMP_ACT_ERRNO((uint32_t)denied[i].error),
			denied[i].nr, 0, NULL);
	if (rc == 0)
		rc = seccomp_rule_add_array(f, SCMP_ACT_ERRNO(EPERM),
					    SCMP_SYS(clone), 1, &user);
	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	errno = -rc;
	return rc ? err_sys(e, "seccomp") : 0;
}

/* --- descriptors ---------------------------------------------------------- */

/* 0 and 1 lead nowhere rather than being closed: what is opened later must
 * not take their numbers. */
static int close_fds(const struct sandbox_conf *c, struct err *e)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int from = STDERR_FILENO + 1;

	if (null < 0)
		return err_sys(e, "/dev/null");
	if (dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return err_sys(e, "/dev/null");
	/* Close between those that stay, in the order of their numbers. */
	for (size_t k = 0; k <= c->n_fds; k++) {
		int next = -1;

		for (size_t i = 0; i < c->n_fds; i++) {
			if (c->fds[i] >= from &&
			    (next < 0 || c->fds[i] < next))
				next = c->fds[i];
		}
		if (next != from &&
		    close_range((unsigned)from,
				next < 0 ? ~0u : (unsigned)next - 1, 0))
			return err_sys(e, "closing descriptors");
		if (next < 0)
			return 0;
		from = next + 1;
	}
	return 0;
}

/* --- rights --------------------------------------------------------------- */

static int limit(int what, rlim_t n)
{
	struct rlimit l = {n, n};

	return setrlimit((__rlimit_resource_t)what, &l);
}

static int drop_bounding(uint64_t keep, struct err *e)
{
	/* Up to the last capability this kernel knows. */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
		if (!(cap < 64 && keep >> cap & 1) &&
		    prctl(PR_CAPBSET_DROP, cap, 0, 0, 0))
			return err_sys(e, "bounding set");
	}
	return 0;
}

static int set_caps(uint64_t caps, struct err *e)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)caps, (uint32_t)caps, 0},
		{(uint32_t)(caps >> 32), (uint32_t)(caps >> 32), 0}};

	return syscall(SYS_capset, &head, data)
		       ? err_sys(e, "capabilities")
		       : 0;
}

static int drop_rights(const struct row *row, const struct sandbox_conf *c,
		       struct err *e)
{
	const unsigned long bits =
		SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
		SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;
	int rc = drop_bounding(0, e);

	if (rc)
		return rc;
	if (prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
	    prctl(PR_SET_KEEPCAPS, row->caps != 0, 0, 0, 0))
		return err_sys(e, "capabilities");
	if (setgroups(0, NULL) || setresgid(c->gid, c->gid, c->gid) ||
	    setresuid(c->uid, c->uid, c->uid))
		return err_sys(e, "user %u", (unsigned)c->uid);
	return set_caps(row->caps, e);
}

/* Set last: a change of user undoes both. */
static int bind_to_parent(const struct sandbox_conf *c, struct err *e)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
		return err_sys(e, "parent");
	if (c->parent && getppid() != c->parent)
		return err_set(e, E_STATE, 0, "the parent is gone");
	return 0;
}

static int checked(const struct sandbox_conf *c, struct err *e)
{
	if (c->uid == 0 || c->gid == 0)
		return err_set(e, E_STATE, 0, "may not run as root");
	if (c->n_fds > FDS_MAX)
		return err_set(e, E_LIMIT, 0, "too many descriptors");
	for (size_t i = 0; i < c->n_fds; i++) {
		if (c->fds[i] <= STDERR_FILENO)
			return err_set(e, E_STATE, 0, "descriptor %d",
				       c->fds[i]);
	}
	return 0;
}

static int enter_parent(const struct row *row, struct err *e)
{
	int rc = drop_bounding(row->caps, e);

	if (rc == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		rc = err_sys(e, "capabilities");
	if (rc == 0)
		rc = set_caps(row->caps, e);
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		rc = err_sys(e, "no new privileges");
	if (rc == 0)
		rc = deny_calls(e);
	return rc ? err_wrap(e, "sandbox of the %s", row->name) : 0;
}

int sandbox_enter(enum sandbox_process p, const struct sandbox_conf *c,
		  struct err *e)
{
	const struct row *row = &rows[p];
	int rc;

	if (p == SANDBOX_PARENT)
		return enter_parent(row, e);
	rc = checked(c, e);
	if (rc == 0 && (limit(RLIMIT_CORE, 0) || limit(RLIMIT_NPROC, 0)))
		rc = err_sys(e, "limits");
	if (rc == 0)
		rc = close_fds(c, e);
	if (rc == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		rc = err_sys(e, "no new privileges");
	if (rc == 0)
		rc = sandbox_files(row->name, row->fs, row->opens, c->dir, e);
	if (rc == 0)
		rc = drop_rights(row, c, e);
	if (rc == 0 && limit(RLIMIT_NOFILE, row->files))
		rc = err_sys(e, "limits");
	if (rc == 0)
		rc = bind_to_parent(c, e);
	if (rc == 0)
		rc = close_calls(row, c, e);
	return rc ? err_wrap(e, "sandbox of the %s", row->name) : 0;
}
