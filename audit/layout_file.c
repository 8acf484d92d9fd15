/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/layout_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/until.h"

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

static int no_file(const char *name, struct err *e)
{
	return err_set(e, E_INTEGRITY, 0, "%s is no regular file", name);
}

int layout_get(const char *name, struct wbuf *w, struct err *e)
{
	/* A pipe must not keep us waiting, nor a link lead elsewhere. */
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");
	struct stat st;
	int rc = 0;

	if (fd >= 0 && !f)
		close(fd);
	if (!f && (errno == ELOOP || errno == ENXIO))
		return no_file(name, e);
	if (!f)
		return errno == ENOENT ? err_set(e, E_NOTFOUND, 0, "%s: not "
						 "there", name)
				       : err_sys(e, "%s", name);
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		fclose(f);
		return no_file(name, e);
	}
	w->n = fread(w->p, 1, w->cap, f);
	if (ferror(f))
		rc = err_sys(e, "%s", name);
	else if (w->n == w->cap && getc(f) != EOF)
		rc = err_set(e, E_LIMIT, 0, "%s: too large", name);
	fclose(f);
	return rc;
}

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

bool layout_hex(struct span s, uint8_t out[32])
{
	if (s.n != 64)
		return false;
	for (size_t i = 0; i < 32; i++) {
		int a = hex_digit(s.p[2 * i]), b = hex_digit(s.p[2 * i + 1]);

		if (a < 0 || b < 0)
			return false;
		out[i] = (uint8_t)(a << 4 | b);
	}
	return true;
}

bool layout_boot(struct cur *lines, struct layout_boot *out)
{
	struct cur c = cur_of(cur_until(lines, '\n'));
	uint64_t number;
	struct cur end;

	*out = (struct layout_boot){0};
	if (!cur_ok(lines) ||
	    !checkpoint_number(cur_until(&c, ' '), &number) ||
	    number > UINT32_MAX)
		return false;
	out->number = (uint32_t)number;
	end = c;
	if (checkpoint_number(cur_rest(&end), &out->first))
		return true;
	out->has_key = true;
	return checkpoint_number(cur_until(&c, ' '), &out->first) &&
	       layout_hex(cur_rest(&c), out->key) && cur_done(&c);
}

static bool number_of(uint64_t *out, const char *name, const char *tail)
{
	size_t n = strlen(name), t = strlen(tail);

	return n > t && strcmp(name + n - t, tail) == 0 &&
	       checkpoint_number(span_of(name, n - t), out);
}

/* The next that is a file of ours. 0: there is no other. */
static int next_number(DIR *d, const char *sub, const char *tail,
		       uint64_t *out, struct err *e)
{
	struct dirent *f;

	do {
		errno = 0;
		f = readdir(d);
		if (!f)
			return errno ? err_sys(e, "%s", sub) : 0;
	} while (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0);
	return number_of(out, f->d_name, tail)
		       ? 1
		       : err_set(e, E_INTEGRITY, 0, "%s/%.80s: no file of an "
				 "export has that name", sub, f->d_name);
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int layout_list(uint64_t **out, size_t *n, const char *dir, const char *sub,
		const char *tail, struct err *e)
{
	char name[LAYOUT_PATH];
	size_t cap = 0;
	uint64_t seq, *more;
	DIR *d;
	int rc = layout_name(name, dir, sub, e);

	*out = NULL;
	*n = 0;
	if (rc)
		return rc;
	d = opendir(name);
	if (!d)
		return errno == ENOENT	  ? 0
		       : errno == ENOTDIR ? err_set(e, E_INTEGRITY, 0,
						    "%s is no directory", name)
					  : err_sys(e, "%s", name);
	while ((rc = next_number(d, sub, tail, &seq, e)) == 1) {
		if (*n == cap) {
			cap = cap ? 2 * cap : 256;
			more = reallocarray(*out, cap, sizeof(**out));
			if (!more) {
				rc = err_set(e, E_NOMEM, 0, "out of memory");
				break;
			}
			*out = more;
		}
		(*out)[(*n)++] = seq;
	}
	closedir(d);
	if (rc < 0) {
		free(*out);
		*out = NULL;
		*n = 0;
		return rc;
	}
	if (*n)
		qsort(*out, *n, sizeof(**out), ascending);
	return 0;
}
