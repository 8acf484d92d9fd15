/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/frozen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_TEXT 512
#define TEXT_MAX      (FROZEN_NAMES * FROZEN_NAME)

static size_t find(const struct frozen *f, const char *name)
{
	size_t i = 0;

	while (i < f->n && strcmp(f->name[i], name) != 0)
		i++;
	return i;
}

bool frozen_has(const struct frozen *f, const char *name)
{
	return find(f, name) < f->n;
}

bool frozen_set(struct frozen *f, const char *name, bool on)
{
	size_t i = find(f, name);

	if ((i < f->n) == on)
		return true;
	if (!on) {
		f->n--;
		memmove(f->name[i], f->name[f->n], FROZEN_NAME);
		return true;
	}
	if (f->n == FROZEN_NAMES || strlen(name) >= FROZEN_NAME || !name[0])
		return false;
	snprintf(f->name[f->n++], FROZEN_NAME, "%s", name);
	return true;
}

static int path_of(char path[PATH_MAX_TEXT], const char *dir, const char *name,
		   struct err *e)
{
	int n = snprintf(path, PATH_MAX_TEXT, "%s/%s", dir, name);

	return n > 0 && n < PATH_MAX_TEXT
		       ? 0
		       : err_set(e, E_LIMIT, 0, "%s: too long a path", dir);
}

/* Whole lines, each a name. */
static bool parse(struct frozen *f, char *text, size_t n)
{
	char *end;

	if (memchr(text, 0, n))
		return false;
	text[n] = 0;
	for (char *line = text; *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			return false;
		*end = 0;
		if (!frozen_set(f, line, true))
			return false;
	}
	return true;
}

int frozen_read(struct frozen *f, const char *dir, struct err *e)
{
	char path[PATH_MAX_TEXT], text[TEXT_MAX + 2];
	struct stat st;
	ssize_t n = -1;
	int fd, rc = path_of(path, dir, "frozen", e);

	*f = (struct frozen){0};
	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "%s", path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		n = read(fd, text, TEXT_MAX + 1);
	close(fd);
	if (n < 0 || n > TEXT_MAX || !parse(f, text, (size_t)n))
		return err_set(e, E_SYNTAX, 0,
			       "%s: cannot be read as the names of frozen "
			       "guests; mend it or take it away",
			       path);
	return 0;
}

static int sync_dir(const char *dir, struct err *e)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

	if (fd < 0 || fsync(fd) < 0)
		rc = err_sys(e, "%s", dir);
	if (fd >= 0)
		close(fd);
	return rc;
}

int frozen_write(const struct frozen *f, const char *dir, struct err *e)
{
	char path[PATH_MAX_TEXT], next[PATH_MAX_TEXT], text[TEXT_MAX];
	size_t n = 0;
	int fd, rc = path_of(path, dir, "frozen", e);

	if (rc == 0)
		rc = path_of(next, dir, "frozen.new", e);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < f->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n",
				      f->name[i]);
	fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		  0600);
	if (fd < 0)
		return err_sys(e, "%s", next);
	if (write(fd, text, n) != (ssize_t)n || fsync(fd) < 0)
		rc = err_sys(e, "%s", next);
	close(fd);
	if (rc == 0 && rename(next, path) < 0)
		rc = err_sys(e, "%s", path);
	return rc < 0 ? rc : sync_dir(dir, e);
}
