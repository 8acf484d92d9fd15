/* SPDX-License-Identifier: Apache-2.0 */
/* The directories that the configuration names: made where they are missing,
 * and looked at. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enforcer/daemon/parent.h"

/* Make a path and what leads to it. */
static int make_directory(const char *path, mode_t mode, struct err *e)
{
	char part[CONF_PATH];
	struct stat st;

	for (size_t i = 1; i < CONF_PATH; i++) {
		if (path[i] != '/' && path[i] != 0)
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (mkdir(part, path[i] ? 0755 : mode) < 0 && errno != EEXIST)
			return err_sys(e, "%s", part);
		if (path[i] == 0)
			break;
	}
	if (stat(path, &st) < 0)
		return err_sys(e, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, E_STATE, 0, "%s: not a directory", path);
	if (st.st_mode & S_IWOTH)
		return err_set(e, E_STATE, 0,
			       "%s: everybody may write there; take that away "
			       "(chmod o-w)",
			       path);
	return 0;
}

/* The audit's files become the scribe's. Nothing else may lie beside them:
 * the scribe can write there. */
static int own_files(const struct conf *c, int dir, const char *base,
		     struct err *e)
{
	int copy = dup(dir), rc = 0;
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *f;

	if (!d)
		return err_sys(e, "reading the audit's directory");
	while (rc == 0 && (f = readdir(d))) {
		struct stat st;

		if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0)
			continue;
		if (fstatat(dir, f->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			rc = err_sys(e, "%s", f->d_name);
		else if (!S_ISREG(st.st_mode) || st.st_nlink != 1 ||
			 strncmp(f->d_name, base, strlen(base)) != 0)
			rc = err_set(e, E_STATE, 0,
				     "%.*s holds '%.40s', which is not the "
				     "audit's; give the audit a directory of "
				     "its own",
				     (int)(strrchr(c->audit, '/') - c->audit),
				     c->audit, f->d_name);
		else if (fchownat(dir, f->d_name, c->uid_base + 1,
				  c->uid_base + 2, AT_SYMLINK_NOFOLLOW) < 0)
			rc = err_sys(e, "%s", f->d_name);
	}
	closedir(d);
	return rc;
}

/* Asked in a child that is the scribe: a directory above may be closed to it,
 * and then nothing could be recorded and nothing would pass. */
static int can_reach(const struct conf *c, const char *path, struct err *e)
{
	uid_t id = c->uid_base + 1;
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		return err_sys(e, "fork");
	if (pid == 0)
		_exit(setgroups(0, NULL) == 0 && setresgid(id, id, id) == 0 &&
				      setresuid(id, id, id) == 0 &&
				      access(path, R_OK | W_OK | X_OK) == 0
			      ? 0
			      : 1);
	if (waitpid(pid, &status, 0) == pid && status == 0)
		return 0;
	return err_set(e, E_STATE, 0,
		       "%s: the scribe (uid %u) cannot reach it; let others "
		       "through the directories above (chmod o+x)",
		       path, (unsigned)id);
}

/* Written by the scribe, read by the courier through the group. */
static int audit_directory(const struct conf *c, struct err *e)
{
	char path[CONF_PATH], base[CONF_PATH];
	const char *slash = strrchr(c->audit, '/');
	const char *dot = strrchr(slash, '.');
	int fd, rc;

	snprintf(path, sizeof(path), "%.*s", (int)(slash - c->audit), c->audit);
	/* Segments lie beside the main database and share its stem. */
	snprintf(base, sizeof(base), "%.*s",
		 (int)(dot ? (size_t)(dot - slash) - 1 : strlen(slash + 1)),
		 slash + 1);
	rc = make_directory(path, 0750, e);
	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(e, "%s", path);
	rc = own_files(c, fd, base, e);
	if (rc == 0 && (fchown(fd, c->uid_base + 1, c->uid_base + 2) < 0 ||
			fchmod(fd, 02750) < 0))
		rc = err_sys(e, "%s", path);
	close(fd);
	return rc < 0 ? rc : can_reach(c, path, e);
}

int setup_directories(const struct conf *c, struct err *e)
{
	int rc = make_directory(c->runtime, 0755, e);

	if (rc == 0)
		rc = make_directory(c->state, 0700, e);
	if (rc == 0)
		rc = audit_directory(c, e);
	return rc;
}
