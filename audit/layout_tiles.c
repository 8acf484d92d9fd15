/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audit/layout_file.h"

/* How deep a name of ours is: what, at most seven groups, a width. */
#define DEEPEST 9

struct walk {
	const char *dir;
	uint64_t size; /* records of the tree */
	char path[LAYOUT_PATH];
	size_t at; /* of the name below tile/ */
};

/* "x001/x234/067", and "067.p" before a width. */
static bool read_index(const char *s, uint64_t *idx, unsigned *width)
{
	unsigned digits = 0;

	*idx = 0;
	*width = TREE_TILE;
	for (; *s && *s != '.'; s++) {
		if (*s == 'x' || *s == '/')
			continue;
		if (*s < '0' || *s > '9' || ++digits > 18)
			return false;
		*idx = *idx * 10 + (unsigned)(*s - '0');
	}
	if (*s && (sscanf(s, ".p/%3u", width) != 1 || *width == 0 ||
		   *width >= TREE_TILE))
		return false;
	return digits > 0;
}

/* Is it, spelt as we do, one that a tree of this size has? */
static bool belongs(const struct walk *w)
{
	const char *name = w->path + w->at, *index = strchr(name, '/');
	char what[8], want[LAYOUT_PATH];
	unsigned level = 0, width;
	uint64_t idx, hashes;

	if (!index || (size_t)(index - name) >= sizeof(what))
		return false;
	snprintf(what, sizeof(what), "%.*s", (int)(index - name), name);
	if (strcmp(what, "entries") &&
	    (what[0] < '0' || what[0] >= '0' + TREE_LEVELS || what[1]))
		return false;
	if (strcmp(what, "entries"))
		level = (unsigned)(what[0] - '0');
	if (!read_index(index + 1, &idx, &width) ||
	    layout_tile(want, w->dir, what, idx, width, NULL) ||
	    strcmp(want, w->path))
		return false;
	hashes = w->size >> (8 * level);
	return width == TREE_TILE ? idx < hashes / TREE_TILE
				  : idx == hashes / TREE_TILE &&
					    width == hashes % TREE_TILE;
}

static int walk(struct walk *w, unsigned depth, struct err *e);

/* n: of the path without the name. */
static int each(struct walk *w, size_t n, const char *name, unsigned depth,
		struct err *e)
{
	int len = snprintf(w->path + n, sizeof(w->path) - n, "/%s", name);
	struct stat st;
	int rc = 0;

	if (len < 0 || (size_t)len >= sizeof(w->path) - n)
		return err_set(e, E_LIMIT, 0, "%.100s: the name is too long",
			       w->path);
	if (lstat(w->path, &st))
		return err_sys(e, "%s", w->path);
	if (S_ISDIR(st.st_mode) && depth < DEEPEST)
		rc = walk(w, depth + 1, e);
	else if (!S_ISREG(st.st_mode) || !belongs(w))
		rc = err_set(e, E_INTEGRITY, 0, "tile/%.200s: a tree of %llu "
			     "records has none of that name", w->path + w->at,
			     (unsigned long long)w->size);
	w->path[n] = '\0';
	return rc;
}

static int walk(struct walk *w, unsigned depth, struct err *e)
{
	size_t n = strlen(w->path);
	DIR *d = opendir(w->path);
	struct dirent *f;
	int rc = 0;

	if (!d)
		return err_sys(e, "%s", w->path);
	for (errno = 0; rc == 0 && (f = readdir(d)); errno = 0) {
		if (strcmp(f->d_name, ".") && strcmp(f->d_name, ".."))
			rc = each(w, n, f->d_name, depth, e);
	}
	if (rc == 0 && errno)
		rc = err_sys(e, "%s", w->path);
	closedir(d);
	return rc;
}

int layout_no_more(const char *dir, uint64_t size, struct err *e)
{
	struct walk *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return err_set(e, E_NOMEM, 0, "out of memory");
	w->dir = dir;
	w->size = size;
	rc = layout_name(w->path, dir, "tile", e);
	w->at = strlen(w->path) + 1;
	if (rc == 0)
		rc = walk(w, 0, e);
	free(w);
	return rc;
}
