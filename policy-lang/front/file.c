/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *what_is(mode_t mode)
{
	return S_ISDIR(mode)  ? "a directory" :
	       S_ISFIFO(mode) ? "a pipe" :
	       S_ISSOCK(mode) ? "a socket" :
				"a device";
}

/* With one octet of room behind the most there may be: a file that grows
 * while it is read is too long as well. */
static int read_all(int fd, uint8_t *p, size_t *n, const char *path,
		    size_t most, struct err *e)
{
	ssize_t got;

	do {
		got = read(fd, p + *n, most + 1 - *n);
		*n += got > 0 ? (size_t)got : 0;
	} while ((got > 0 && *n <= most) || (got < 0 && errno == EINTR));
	if (got < 0)
		return err_sys(e, "%s", path);
	if (*n > most)
		return err_set(e, E_LIMIT, 0, "%s: longer than %zu octets",
			       path, most);
	return 0;
}

int file_read(uint8_t **out, size_t *n, const char *path, size_t most,
	      struct err *e)
{
	/* Not to wait for the other end of a pipe, nor to get a terminal. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	uint8_t *p;
	int rc = 0;

	*out = NULL;
	*n = 0;
	if (fd < 0)
		return err_sys(e, "%s", path);
	if (fstat(fd, &st) < 0)
		rc = err_sys(e, "%s", path);
	else if (!S_ISREG(st.st_mode))
		rc = err_set(e, E_IO, 0,
			     "%s: is %s; a regular file is needed", path,
			     what_is(st.st_mode));
	if (rc == 0) {
		*out = malloc(most + 1);
		rc = *out ? read_all(fd, *out, n, path, most, e) :
			    err_set(e, E_NOMEM, 0, "%s: out of memory", path);
	}
	close(fd);
	if (rc < 0) {
		free(*out);
		*out = NULL;
		*n = 0;
		return rc;
	}
	p = realloc(*out, *n + 1); /* what is there is enough */
	*out = p ? p : *out;
	return 0;
}
