/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy-lang/front/file.h"

static int write_all(int fd, struct span s)
{
	while (s.n > 0) {
		ssize_t k = write(fd, s.p, s.n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		s = span_from(s, (size_t)k);
	}
	return fsync(fd);
}

int keyfile_write(const char *path, const struct sign_key *k, struct err *e)
{
	uint8_t pem[SIGN_PEM_MAX];
	struct wbuf w = wbuf_of(pem, sizeof(pem));
	int fd, rc = sign_put_pem(k, &w, e);

	if (rc)
		return rc;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = errno == EEXIST
			     ? err_set(e, E_EXISTS, 0,
				       "%s: is there already and stays as it "
				       "is; choose another name",
				       path)
			     : err_sys(e, "%s", path);
		goto out;
	}
	/* A umask may have taken the owner's own right away. */
	if (fchmod(fd, 0600) || write_all(fd, wbuf_span(&w)))
		rc = err_sys(e, "%s", path);
	if (close(fd) && rc == 0)
		rc = err_sys(e, "%s", path);
	if (rc)
		unlink(path);
out:
	explicit_bzero(pem, sizeof(pem));
	return rc;
}

int keyfile_read(struct sign_key *k, const char *path, struct err *e)
{
	struct stat st;
	uint8_t *pem;
	size_t n;
	int rc;

	if (stat(path, &st))
		return err_sys(e, "%s", path);
	/* Of what is none, reading it says what it is. */
	if (S_ISREG(st.st_mode) && st.st_mode & 077)
		return err_set(e, E_STATE, 0,
			       "%s: others may read or write this key; make a "
			       "new one, or chmod 600 it if nobody did",
			       path);
	rc = file_read(&pem, &n, path, SIGN_PEM_MAX, e);
	if (rc)
		return rc;
	rc = sign_get_pem(k, span_of(pem, n), e);
	explicit_bzero(pem, n);
	free(pem);
	return rc ? err_wrap(e, "%s", path) : 0;
}
