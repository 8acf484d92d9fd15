/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No output may destroy an input or another output, whatever names they are
 * given by: what counts is the file that a name leads to, and for one that is
 * not there yet the directory and the name in it.
 */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/replay.h"

#define OUTPUTS 3

/* What a name stands for. */
struct place {
	const char *path;
	bool there, in_dir;
	struct stat file, dir;
	char name[NAME_MAX + 1];
};

static bool same_inode(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool same_place(const struct place *a, const struct place *b)
{
	if (a->there && b->there && same_inode(&a->file, &b->file))
		return true;
	return a->in_dir && b->in_dir && same_inode(&a->dir, &b->dir) &&
	       strcmp(a->name, b->name) == 0;
}

static int place_of(struct place *p, const char *path, struct err *e)
{
	char copy[PATH_MAX];
	size_t n = strlen(path);
	const char *name;

	*p = (struct place){.path = path};
	if (n >= sizeof(copy))
		return err_set(e, E_LIMIT, 0, "%s: the name is too long", path);
	p->there = stat(path, &p->file) == 0;
	memcpy(copy, path, n + 1);
	name = basename(copy);
	if (strlen(name) >= sizeof(p->name))
		return err_set(e, E_LIMIT, 0, "%s: the name is too long", path);
	strcpy(p->name, name);
	memcpy(copy, path, n + 1);
	p->in_dir = stat(dirname(copy), &p->dir) == 0;
	return 0;
}

static int against_input(const struct place out[OUTPUTS], const char *path,
			 struct err *e)
{
	struct place in;
	int rc = place_of(&in, path, e);

	for (int i = 0; rc == 0 && i < OUTPUTS; i++) {
		if (out[i].path && same_place(&out[i], &in))
			rc = err_set(e, E_EXISTS, 0,
				     "%s: is an input and an output", path);
	}
	return rc;
}

/* Standard input or output may be one of the files, too. */
static int against_descriptor(const struct place out[OUTPUTS], int fd,
			      const char *what, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return 0; /* whoever needs it says so */
	for (int i = 0; i < OUTPUTS; i++) {
		if (out[i].path && out[i].there &&
		    same_inode(&out[i].file, &st))
			return err_set(e, E_EXISTS, 0, "%s: is %s, too",
				       out[i].path, what);
	}
	return 0;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n >= k && strcmp(s + n - k, end) == 0;
}

/* Every file of the directory, and what would be one of the set next time. */
static int against_directory(const struct place out[OUTPUTS], const char *path,
			     const struct stat *dir, struct err *e)
{
	struct dirent **list;
	char name[PATH_MAX];
	int n, rc = 0;

	for (int i = 0; i < OUTPUTS; i++) {
		if (out[i].path && out[i].in_dir &&
		    same_inode(&out[i].dir, dir) &&
		    (ends_with(out[i].name, ".yaml") ||
		     ends_with(out[i].name, ".polc")))
			return err_set(e, E_EXISTS, 0,
				       "%s: would be a policy of %s",
				       out[i].path, path);
	}
	n = scandir(path, &list, NULL, alphasort);
	if (n < 0)
		return err_set(e, E_IO, 0, "%s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (rc == 0 && list[i]->d_name[0] != '.' &&
		    (size_t)snprintf(name, sizeof(name), "%s/%s", path,
				     list[i]->d_name) < sizeof(name))
			rc = against_input(out, name, e);
		free(list[i]);
	}
	free(list);
	return rc;
}

static int against_policy(const struct place out[OUTPUTS], const char *path,
			  struct err *e)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return against_directory(out, path, &st, e);
	return against_input(out, path, e);
}

int replay_paths(const struct replay_opts *o, struct err *e)
{
	const char *const names[OUTPUTS] = {o->allowed, o->denied, o->audit};
	struct place out[OUTPUTS] = {0};
	int rc = 0;

	for (int i = 0; i < OUTPUTS; i++) {
		if (!names[i])
			continue;
		rc = place_of(&out[i], names[i], e);
		for (int k = 0; rc == 0 && k < i; k++) {
			if (out[k].path && same_place(&out[i], &out[k]))
				rc = err_set(e, E_SYNTAX, 0,
					     "%s: two outputs in one file",
					     names[i]);
		}
		if (rc < 0)
			return rc;
	}
	rc = against_descriptor(out, STDOUT_FILENO, "standard output", e);
	for (size_t i = 0; rc == 0 && i < o->n_captures; i++) {
		if (strcmp(o->captures[i], "-") == 0)
			rc = against_descriptor(out, STDIN_FILENO,
						"standard input", e);
		else
			rc = against_input(out, o->captures[i], e);
	}
	if (rc == 0 && o->keys)
		rc = against_input(out, o->keys, e);
	if (rc == 0 && o->policy)
		rc = against_policy(out, o->policy, e);
	return rc;
}
