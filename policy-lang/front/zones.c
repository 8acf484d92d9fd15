/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/zones.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ZONES	 "/usr/share/zoneinfo"
#define NAME_MAX_OCTETS 64

/* Letters, digits and what else is in names of the database. */
static bool is_name(struct span s)
{
	/* What these mean another computer, or another day, decides, or they
	 * count leap seconds. */
	static const char *const no[] = {"localtime", "posixrules", "right/"};

	if (s.n == 0 || s.n > NAME_MAX_OCTETS || s.p[0] == '/')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		      (c >= '0' && c <= '9') || (c && strchr("_+-/", c))))
			return false;
	}
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		size_t n = strlen(no[i]);

		if (s.n >= n && memcmp(s.p, no[i], n) == 0)
			return false;
	}
	return true;
}

/* Directories and tables lie beside the zones. */
static bool is_zone(const char *path)
{
	char magic[4];
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool ok;

	if (fd < 0)
		return false;
	ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	     read(fd, magic, sizeof(magic)) == sizeof(magic) &&
	     memcmp(magic, "TZif", sizeof(magic)) == 0;
	close(fd);
	return ok;
}

enum zones_found zones_find(struct span name)
{
	const char *dir = getenv("TZDIR");
	char path[512];
	int n;

	if (span_is(name, "UTC"))
		return ZONES_FOUND;
	if (!is_name(name))
		return ZONES_UNKNOWN;
	dir = dir && *dir ? dir : ZONES;
	if (access(dir, X_OK) != 0)
		return ZONES_NONE_HERE;
	n = snprintf(path, sizeof(path), "%s/%.*s", dir, (int)name.n,
		     (const char *)name.p);
	return n > 0 && (size_t)n < sizeof(path) && is_zone(path)
		       ? ZONES_FOUND
		       : ZONES_UNKNOWN;
}
