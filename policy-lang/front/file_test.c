/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/file.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST 10

enum made { FILE_OF, PIPE, SOCKET, DIRECTORY, LINK_TO, NOTHING };

/* Each is made as "x" in a directory of its own; the reader must come back. */
static const struct {
	const char *why;
	enum made made;
	const char *what; /* content, or where a link leads */
	int want;
	const char *says;
} cases[] = {
	{"a file", FILE_OF, "content", 0, ""},
	{"an empty one", FILE_OF, "", 0, ""},
	{"as long as may be", FILE_OF, "0123456789", 0, ""},
	{"longer", FILE_OF, "0123456789a", E_LIMIT, "longer than 10 octets"},
	{"a pipe nobody writes to", PIPE, "", E_IO, "a pipe"},
	{"a socket", SOCKET, "", E_IO, "x: "},
	{"a directory", DIRECTORY, "", E_IO, "a directory"},
	{"a device that never ends", LINK_TO, "/dev/zero", E_IO, "a device"},
	{"a terminal", LINK_TO, "/dev/ptmx", E_IO, "a device"},
	{"not there", NOTHING, "", E_IO, "No such file"},
	{"a link to nothing", LINK_TO, "gone", E_IO, "No such file"},
};

static void make(const char *path, enum made made, const char *what)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	FILE *f;
	int fd;

	switch (made) {
	case FILE_OF:
		f = fopen(path, "w");
		assert_non_null(f);
		assert_true(fputs(what, f) >= 0);
		assert_int_equal(fclose(f), 0);
		break;
	case PIPE:
		assert_int_equal(mkfifo(path, 0600), 0);
		break;
	case SOCKET:
		snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
		fd = socket(AF_UNIX, SOCK_STREAM, 0);
		assert_int_equal(bind(fd, (void *)&un, sizeof(un)), 0);
		close(fd);
		break;
	case DIRECTORY:
		assert_int_equal(mkdir(path, 0700), 0);
		break;
	case LINK_TO:
		assert_int_equal(symlink(what, path), 0);
		break;
	case NOTHING:
		break;
	}
}

static void test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char dir[] = "/tmp/file-test.XXXXXX", path[64];
		struct err e = {0};
		uint8_t *p;
		size_t n;

		print_message("# %s\n", cases[i].why);
		assert_non_null(mkdtemp(dir));
		snprintf(path, sizeof(path), "%s/x", dir);
		make(path, cases[i].made, cases[i].what);
		assert_int_equal(file_read(&p, &n, path, MOST, &e),
				 cases[i].want);
		if (cases[i].want < 0) {
			assert_null(p);
			assert_int_equal(n, 0);
			assert_non_null(strstr(e.text, path));
			assert_non_null(strstr(e.text, cases[i].says));
		} else {
			assert_true(span_eq(span_of(p, n),
					    span_str(cases[i].what)));
		}
		free(p);
		if (cases[i].made != NOTHING)
			assert_int_equal(remove(path), 0);
		assert_int_equal(rmdir(dir), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
