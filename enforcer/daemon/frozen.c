/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/frozen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enforcer/daemon/keep.h"

#define TEXT_MAX (FROZEN_NAMES * FROZEN_NAME)

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
	char path[KEEP_PATH], text[TEXT_MAX + 2];
	struct stat st;
	ssize_t n = -1;
	int fd, rc = keep_path(path, dir, "frozen", e);

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

int frozen_write(const struct frozen *f, const char *dir, struct err *e)
{
	char text[TEXT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\n",
				      f->name[i]);
	return keep_file(dir, "frozen", span_of(text, n), e);
}
