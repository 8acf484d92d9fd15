/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/cmd_ask.h"
#include "audit/layout.h"
#include "audit/tool.h"

static int take_away(const char *name, const struct stat *st, int type,
		     struct FTW *where)
{
	(void)st, (void)type, (void)where;
	return remove(name);
}

static int write_all(const char *path, const char *dir,
		     const struct export_dir *d, struct err *e)
{
	const struct layout_part part = {d->from, d->size};
	int rc = d->proofs ? layout_write_protected(path, dir,
						    d->for_customer
							    ? LAYOUT_CUSTOMER
							    : LAYOUT_AGENCY,
						    d->size, e)
			   : layout_write_part(path, dir, &part, e);

	for (size_t i = 0; rc == 0 && i < d->n_beside; i++)
		rc = layout_certificate(dir, d->beside[i], e);
	return rc;
}

int export_dir(const char *path, const char *out, const struct export_dir *d,
	       struct export_ask *ask)
{
	char tmp[LAYOUT_PATH];
	struct stat st;
	struct err e = {0};
	mode_t mask = umask(0);
	int rc;

	umask(mask);
	if (!out) {
		tool_say("export", d->proofs ? "proofs need a directory: -o"
					    : "tiles need a directory: -o");
		return tool_usage("export");
	}
	if (lstat(out, &st) == 0) {
		tool_say(out, "exists");
		return EXIT_TROUBLE;
	}
	if (snprintf(tmp, sizeof(tmp), "%s.XXXXXX", out) >= (int)sizeof(tmp)) {
		tool_say(out, "the name is too long");
		return EXIT_TROUBLE;
	}
	if (!mkdtemp(tmp)) {
		tool_say(out, strerror(errno));
		return EXIT_TROUBLE;
	}
	rc = export_recorded(ask, path);
	if (rc == EXIT_DONE && write_all(path, tmp, d, &e)) {
		rc = tool_failed(path, &e);
	} else if (rc == EXIT_DONE &&
		   (chmod(tmp, 0777 & ~mask) || rename(tmp, out))) {
		/* As any new directory, not as a secret. */
		tool_say(out, strerror(errno));
		rc = EXIT_TROUBLE;
	}
	if (rc && nftw(tmp, take_away, 16, FTW_DEPTH | FTW_PHYS))
		tool_say(tmp, "could not be taken away again");
	if (rc == EXIT_DONE)
		export_unrecorded(ask, path);
	return rc;
}
