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
	uint64_t files = 0;
	int rc = 0;

	if (!d)
		return err_sys(e, "%s", w->path);
	for (errno = 0; rc == 0 && (f = readdir(d)); errno = 0) {
		if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0)
			continue;
		files++;
		rc = each(w, n, f->d_name, depth, e);
	}
	if (rc == 0 && errno)
		rc = err_sys(e, "%s", w->path);
	closedir(d);
	if (rc == 0 && files == 0)
		rc = err_set(e, E_INTEGRITY, 0, "%s: nothing is in it",
			     w->path);
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

/* --- beside the tiles --- */

static const struct {
	const char *name;
	mode_t kind;
	bool all, alone; /* of a log; of protected records alone */
} top[] = {
	{"checkpoint", S_IFREG, true, true},
	{"boots", S_IFREG, true, false},
	{"minimum", S_IFREG, true, false},
	{"part", S_IFREG, true, false},
	{"tile", S_IFDIR, true, false},
	{"proof", S_IFDIR, true, true},
	{"record", S_IFDIR, false, true},
	{"certificate", S_IFDIR, true, true},
};

/* A part does not say what was pruned. */
static bool both(const char *dir)
{
	char one[LAYOUT_PATH], other[LAYOUT_PATH];
	struct stat st;

	return layout_name(one, dir, "minimum", NULL) == 0 &&
	       layout_name(other, dir, "part", NULL) == 0 &&
	       lstat(one, &st) == 0 && lstat(other, &st) == 0;
}

static int no_file(const char *name, struct err *e)
{
	return err_set(e, E_INTEGRITY, 0, "%.200s: an export has no such file",
		       name);
}

/* Each name but . and .., until f says no. */
static int list(const char *dir,
		int (*f)(const char *path, const char *name, bool alone,
			 struct err *e),
		bool alone, struct err *e)
{
	char path[LAYOUT_PATH];
	struct dirent *next;
	DIR *d = opendir(dir);
	int rc = 0;

	if (!d)
		return err_sys(e, "%s", dir);
	for (errno = 0; rc == 0 && (next = readdir(d)); errno = 0) {
		if (strcmp(next->d_name, ".") == 0 ||
		    strcmp(next->d_name, "..") == 0)
			continue;
		rc = layout_name(path, dir, next->d_name, e);
		if (rc == 0)
			rc = f(path, next->d_name, alone, e);
	}
	if (rc == 0 && errno)
		rc = err_sys(e, "%s", dir);
	closedir(d);
	return rc;
}

static int a_file(const char *path, const char *name, bool alone,
		  struct err *e)
{
	struct stat st;

	(void)name;
	(void)alone;
	if (lstat(path, &st))
		return err_sys(e, "%s", path);
	return S_ISREG(st.st_mode) ? 0 : no_file(path, e);
}

static int of_export(const char *path, const char *name, bool alone,
		     struct err *e)
{
	struct stat st;
	size_t i = 0;

	if (lstat(path, &st))
		return err_sys(e, "%s", path);
	while (i < sizeof(top) / sizeof(top[0]) && strcmp(top[i].name, name))
		i++;
	if (i == sizeof(top) / sizeof(top[0]) ||
	    !(alone ? top[i].alone : top[i].all) ||
	    (st.st_mode & S_IFMT) != top[i].kind)
		return no_file(path, e);
	return strcmp(name, "certificate") == 0 ? list(path, a_file, alone, e)
						: 0;
}

int layout_only(const char *dir, bool alone, struct err *e)
{
	return both(dir) ? err_set(e, E_INTEGRITY, 0, "%.200s: it has both "
				   "minimum and part", dir)
			 : list(dir, of_export, alone, e);
}
