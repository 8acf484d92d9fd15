/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/area.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE ((size_t)4096)

size_t area_round(size_t n)
{
	return (n + PAGE - 1) / PAGE * PAGE;
}

static int map(struct area *a, const char *name, size_t n, struct err *e)
{
	a->n = area_round(n);
	a->p = mmap(NULL, a->n, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
	if (a->p != MAP_FAILED)
		return 0;
	a->p = NULL;
	err_sys(e, "mapping %s", name);
	area_drop(a);
	return E_IO;
}

int area_new(struct area *a, const char *name, size_t n, struct err *e)
{
	int rc;

	*a = (struct area){.fd = memfd_create(name,
					      MFD_CLOEXEC | MFD_ALLOW_SEALING)};
	if (a->fd < 0 || ftruncate(a->fd, (off_t)area_round(n)) < 0) {
		err_sys(e, "memory for %s", name);
		area_drop(a);
		return E_IO;
	}
	rc = map(a, name, n, e);
	if (rc == 0 &&
	    fcntl(a->fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) < 0) {
		rc = err_sys(e, "sealing %s", name);
		area_drop(a);
	}
	return rc;
}

int area_file(struct area *a, const char *path, size_t n, bool *made,
	      struct err *e)
{
	const int how = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
	struct stat st;

	*a = (struct area){.fd = open(path, how | O_CREAT | O_EXCL, 0600)};
	*made = a->fd >= 0;
	if (!*made && errno == EEXIST)
		a->fd = open(path, how);
	if (a->fd < 0 || fstat(a->fd, &st) < 0) {
		err_sys(e, "%s", path);
		area_drop(a);
		return E_IO;
	}
	if (!S_ISREG(st.st_mode)) {
		area_drop(a);
		return err_set(e, E_STATE, 0, "%s: not a file", path);
	}
	n = area_round(n);
	if ((size_t)st.st_size > n)
		n = area_round((size_t)st.st_size);
	/* Blocks that are not there would be a SIGBUS on a full disk. */
	if (posix_fallocate(a->fd, 0, (off_t)n) != 0) {
		area_drop(a);
		return err_set(e, E_IO, 0, "%s: no room for %zu octets", path,
			       n);
	}
	return map(a, path, n, e);
}

bool area_readonly(const struct area *a, size_t n)
{
	return n == 0 ||
	       mmap(a->p, area_round(n), PROT_READ, MAP_SHARED | MAP_FIXED,
		    a->fd, 0) != MAP_FAILED;
}

void area_drop(struct area *a)
{
	if (a->p)
		munmap(a->p, a->n);
	if (a->fd > 0)
		close(a->fd);
	*a = (struct area){.fd = -1};
}
