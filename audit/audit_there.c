/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what is written still has a name. */
#include <stdio.h>
#include <sys/stat.h>

#include "audit/audit_own.h"

static bool wal_of(char out[AUDIT_PATH], const char *path)
{
	int n = snprintf(out, AUDIT_PATH, "%s-wal", path);

	return n >= 0 && n < AUDIT_PATH;
}

static void know(struct audit_file *f, const char *path)
{
	struct stat st;

	f->known = stat(path, &st) == 0;
	f->device = f->known ? st.st_dev : 0;
	f->inode = f->known ? st.st_ino : 0;
}

void audit_know(struct audit *a)
{
	char wal[AUDIT_PATH];

	know(&a->file, a->path);
	a->wal.known = false;
	if (wal_of(wal, a->path))
		know(&a->wal, wal);
}

static int there(const struct audit_file *f, const char *path, struct err *e)
{
	struct stat st;

	if (!f->known || stat(path, &st))
		return err_set(e, E_INTEGRITY, 0, "the log was taken away: %s "
			       "is not there any more", path);
	return st.st_dev == f->device && st.st_ino == f->inode
		       ? 0
		       : err_set(e, E_INTEGRITY, 0, "the log was replaced: %s "
				 "is another file now", path);
}

/* What is committed is in the journal until sqlite takes it over. Under a link's
 * name there is none. */
int audit_there(const struct audit *a, struct err *e)
{
	char wal[AUDIT_PATH];
	int rc = there(&a->file, a->path, e);

	return rc == 0 && a->wal.known && wal_of(wal, a->path)
		       ? there(&a->wal, wal, e)
		       : rc;
}
