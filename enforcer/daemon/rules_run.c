/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that load or list rules: where they are, and one run of them. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/daemon/rules_text.h"

/* Milliseconds that a program may take; -w makes iptables wait at most 5 s for
 * its lock. */
#define TOOL_MS 8000

const struct rules_tool *rules_tool(enum rules_tool_id id)
{
	static const char *const restore4[] = {"/usr/sbin/iptables-restore",
					       "/sbin/iptables-restore", NULL};
	static const char *const restore6[] = {"/usr/sbin/ip6tables-restore",
					       "/sbin/ip6tables-restore", NULL};
	static const char *const save4[] = {"/usr/sbin/iptables-save",
					    "/sbin/iptables-save", NULL};
	static const char *const save6[] = {"/usr/sbin/ip6tables-save",
					    "/sbin/ip6tables-save", NULL};
	static const char *const nft[] = {"/usr/sbin/nft", "/sbin/nft", NULL};
	static const struct rules_tool tools[TOOL_COUNT] = {
		[TOOL_IP4_RESTORE] = {restore4, {"--noflush", "-w", "5"}},
		[TOOL_IP6_RESTORE] = {restore6, {"--noflush", "-w", "5"}},
		[TOOL_IP4_SAVE] = {save4,    {"-c"}                  },
		[TOOL_IP6_SAVE] = {save6,    {"-c"}                  },
		[TOOL_NFT_LOAD] = {nft,      {"-f", "-"}             },
		[TOOL_NFT_LIST] = {nft,
				      {"-nn", "list ruleset arp; list ruleset "
					   "bridge; list ruleset inet"} },
	};

	return &tools[id];
}

static const char *tool_path(const struct rules_tool *tool)
{
	for (size_t i = 0; tool->path[i]; i++) {
		if (access(tool->path[i], X_OK) == 0)
			return tool->path[i];
	}
	return NULL;
}

static int text_fd(struct span text)
{
	int fd = memfd_create("rules", MFD_CLOEXEC);

	while (fd >= 0 && text.n > 0) {
		ssize_t n = write(fd, text.p, text.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			close(fd);
			return -1;
		}
		text = span_from(text, (size_t)n);
	}
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* All that was written to fd, as far as it fits; false: more, or none read. */
static bool read_all(int fd, struct wbuf *out)
{
	struct stat st;
	uint8_t *at;

	if (fstat(fd, &st) < 0 || st.st_size < 0)
		return false;
	at = wbuf_room(out, (size_t)st.st_size);
	return at && pread(fd, at, (size_t)st.st_size, 0) == st.st_size;
}

/* The first line of what a program complained, cut to fit. */
static void complaint(int fd, char *buf, size_t cap)
{
	ssize_t n = pread(fd, buf, cap - 1, 0);
	size_t len;

	buf[n > 0 ? n : 0] = '\0';
	len = strcspn(buf, "\n");
	buf[len] = '\0';
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)buf[i] < ' ')
			buf[i] = ' ';
	}
}

/* Its end, or a signal when it takes too long. Returns the wait status. */
static int wait_for(pid_t pid, bool *late)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int status = 0, rc;

	*late = false;
	if (fd >= 0) {
		do {
			rc = poll(&p, 1, TOOL_MS);
		} while (rc < 0 && errno == EINTR);
		*late = rc == 0;
		close(fd);
	}
	if (*late)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int spawn(pid_t *pid, const char *path, const struct rules_tool *tool,
		 const int fd[3])
{
	static const char *const env[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
					  "LC_ALL=C", NULL};
	char *argv[8] = {0};
	posix_spawn_file_actions_t act;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	/* posix_spawn takes char *const *, and changes nothing. */
	argv[0] = (char *)(uintptr_t)path;
	for (size_t i = 0; i < 6 && tool->arg[i]; i++)
		argv[i + 1] = (char *)(uintptr_t)tool->arg[i];
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&act);
	posix_spawnattr_init(&attr);
	for (int i = 0; i < 3; i++)
		posix_spawn_file_actions_adddup2(&act, fd[i], i);
	posix_spawn_file_actions_addclosefrom_np(&act, 3);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	rc = posix_spawn(pid, path, &act, &attr, argv,
			 (char *const *)(uintptr_t)env);
	posix_spawn_file_actions_destroy(&act);
	posix_spawnattr_destroy(&attr);
	return rc;
}

static int run_with(const char *path, const struct rules_tool *tool,
		    const int fd[3], struct wbuf *out, struct err *e)
{
	char said[160];
	bool late;
	pid_t pid;
	int rc = spawn(&pid, path, tool, fd), status;

	if (rc != 0)
		return err_set(e, E_IO, 0, "%s: %s", path, strerror(rc));
	status = wait_for(pid, &late);
	if (late)
		return err_set(e, E_IO, 0, "%s: no end after %d s", path,
			       TOOL_MS / 1000);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		complaint(fd[2], said, sizeof(said));
		return err_set(e, E_IO, 0, "%s: %s", path,
			       said[0] ? said : "failed without a word");
	}
	if (out && !read_all(fd[1], out))
		return err_set(e, E_LIMIT, 0, "%s: says more than %zu octets",
			       path, out->cap);
	return 0;
}

int rules_run(const struct rules_tool *tool, struct span in, struct wbuf *out,
	      struct err *e)
{
	const char *path = tool_path(tool);
	int fd[3], rc;

	if (!path)
		return err_set(e, E_NOTFOUND, 0, "%s is not installed",
			       tool->path[0]);
	fd[0] = text_fd(in);
	fd[1] = text_fd((struct span){0});
	fd[2] = text_fd((struct span){0});
	if (fd[0] < 0 || fd[1] < 0 || fd[2] < 0)
		rc = err_sys(e, "%s: a file in memory", path);
	else
		rc = run_with(path, tool, fd, out, e);
	for (int i = 0; i < 3; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
	}
	return rc;
}
