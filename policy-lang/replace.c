/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		p += k;
		n -= (size_t)k;
	}
	return fsync(fd);
}

/* The rename itself must survive a power cut. */
static void sync_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir =
		slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	int fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	free(dir);
	if (fd < 0)
		return;
	if (fsync(fd)) {
		/* Some file systems cannot; the file is complete either way. */
	}
	close(fd);
}

int replace_file(const char *path, const void *p, size_t n, struct err *e)
{
	struct stat st;
	mode_t mask = umask(022), mode;
	char *tmp;
	int fd, rc = 0;

	umask(mask);
	mode = stat(path, &st) == 0 ? st.st_mode & 07777 : 0666 & ~mask;
	/* A device or a pipe is not replaced by a file. */
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, E_IO, 0, "%s: not a regular file", path);
	if (asprintf(&tmp, "%s.XXXXXX", path) < 0)
		return err_set(e, E_NOMEM, 0, "out of memory");
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0) {
		rc = err_sys(e, "%s", path);
		free(tmp);
		return rc;
	}
	if (write_all(fd, p, n) || fchmod(fd, mode))
		rc = err_sys(e, "%s", path);
	if (close(fd) && rc == 0)
		rc = err_sys(e, "%s", path);
	if (rc == 0 && rename(tmp, path))
		rc = err_sys(e, "%s", path);
	if (rc)
		unlink(tmp);
	else
		sync_dir(path);
	free(tmp);
	return rc;
}
