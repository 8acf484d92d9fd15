/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/layout_file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

int layout_name(char out[LAYOUT_PATH], const char *dir, const char *name,
		struct err *e)
{
	if (snprintf(out, LAYOUT_PATH, "%s/%s", dir, name) < LAYOUT_PATH)
		return 0;
	return err_set(e, E_LIMIT, 0, "%.100s: the name is too long", dir);
}

int layout_tile(char out[LAYOUT_PATH], const char *dir, const char *what,
		uint64_t idx, unsigned width, struct err *e)
{
	char number[40], part[16];
	size_t at = sizeof(number) - 1;

	number[at] = '\0';
	do { /* at most seven groups */
		bool last = number[at] == '\0';
		int n = snprintf(part, sizeof(part), last ? "%03u" : "x%03u/",
				 (unsigned)(idx % 1000));

		at -= (size_t)n;
		memcpy(number + at, part, (size_t)n);
		idx /= 1000;
	} while (idx);
	snprintf(part, sizeof(part), ".p/%u", width);
	if (snprintf(out, LAYOUT_PATH, "%s/tile/%s/%s%s", dir, what,
		     number + at, width < TREE_TILE ? part : "") < LAYOUT_PATH)
		return 0;
	return err_set(e, E_LIMIT, 0, "%.100s: the name is too long", dir);
}

/* Of a name that is ours: the directories above it. */
static int make_above(const char *name, struct err *e)
{
	char path[LAYOUT_PATH];

	for (size_t i = 1; name[i]; i++) {
		if (name[i] != '/')
			continue;
		snprintf(path, sizeof(path), "%.*s", (int)i, name);
		if (mkdir(path, 0777) && errno != EEXIST)
			return err_sys(e, "%s", path);
	}
	return 0;
}

int layout_put(const char *name, struct span s, struct err *e)
{
	FILE *f = fopen(name, "wxe");
	bool ok;

	if (!f && errno == ENOENT) {
		if (make_above(name, e))
			return E_IO;
		f = fopen(name, "wxe");
	}
	if (!f)
		return err_sys(e, "%s", name);
	ok = fwrite(s.p, 1, s.n, f) == s.n && fflush(f) == 0;
	if (fclose(f) || !ok)
		return err_sys(e, "%s", name);
	return 0;
}

int layout_get(const char *name, struct wbuf *w, struct err *e)
{
	FILE *f = fopen(name, "re");
	int rc = 0;

	if (!f)
		return errno == ENOENT ? err_set(e, E_NOTFOUND, 0, "%s: not "
						 "there", name)
				       : err_sys(e, "%s", name);
	w->n = fread(w->p, 1, w->cap, f);
	if (ferror(f))
		rc = err_sys(e, "%s", name);
	else if (w->n == w->cap && getc(f) != EOF)
		rc = err_set(e, E_LIMIT, 0, "%s: too large", name);
	fclose(f);
	return rc;
}
