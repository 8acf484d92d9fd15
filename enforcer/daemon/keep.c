/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/keep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int keep_path(char path[KEEP_PATH], const char *dir, const char *name,
	      struct err *e)
{
	int n = snprintf(path, KEEP_PATH, "%s/%s", dir, name);

	return n > 0 && n < KEEP_PATH
		       ? 0
		       : err_set(e, E_LIMIT, 0, "%s: too long a path", dir);
}

static int write_file(const char *path, struct span s, struct err *e)
{
	int fd = open(path,
		      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		      0600);
	int rc = 0;

	if (fd < 0)
		return err_sys(e, "%s", path);
	while (s.n > 0 && rc == 0) {
		ssize_t k = write(fd, s.p, s.n);

		if (k < 0 && errno != EINTR)
			rc = err_sys(e, "%s", path);
		else if (k > 0)
			s = span_from(s, (size_t)k);
	}
	if (rc == 0 && fsync(fd) < 0)
		rc = err_sys(e, "%s", path);
	close(fd);
	return rc;
}

static int sync_dir(const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd) < 0)
		rc = err_sys(e, "%s", dir);
	if (fd >= 0)
		close(fd);
	return rc;
}

int keep_file(const char *dir, const char *name, struct span octets,
	      struct err *e)
{
	char path[KEEP_PATH], next[KEEP_PATH + 8];
	int rc = keep_path(path, dir, name, e);

	if (rc < 0)
		return rc;
	snprintf(next, sizeof(next), "%s.new", path);
	rc = write_file(next, octets, e);
	if (rc == 0 && rename(next, path) < 0)
		rc = err_sys(e, "%s", path);
	return rc < 0 ? rc : sync_dir(dir, e);
}
