/* SPDX-License-Identifier: Apache-2.0 */
/* An export of a log that is being written is recorded in it before. */
#include "audit/cmd_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/tool.h"
#include "enforcer/ctl/client.h"

#define PATH_OCTETS 4200

/* Somebody holds the lock of who writes it. One who may not look at that
 * finds the shared memory of a database that is open. */
static bool is_locked(const char *path)
{
	struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	char name[PATH_OCTETS];
	bool held;
	int fd;

	snprintf(name, sizeof(name), "%s.lock", path);
	fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0) {
		held = fcntl(fd, F_GETLK, &whole) < 0 ||
		       whole.l_type != F_UNLCK;
		close(fd);
		return held;
	}
	if (errno == ENOENT)
		return false;
	snprintf(name, sizeof(name), "%s-shm", path);
	return access(name, F_OK) == 0 || errno != ENOENT;
}

/* Under the name that it was called by, or its own. */
static bool is_written(const char *path)
{
	char *own = realpath(path, NULL);
	bool written = is_locked(path) || (own && is_locked(own));

	free(own);
	return written;
}

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* Its gateway answers when the record is durable. */
static int ask(const struct export_ask *x, const char *path, struct err *e)
{
	const char *socket = x->control ? x->control : SOCKET_DEFAULT;
	char request[64], log[FIELD_TEXT];
	struct span line;
	struct answer a;
	int rc;

	snprintf(request, sizeof(request), "export %s", x->form);
	rc = client_ask(&a, socket, request, (struct span){0}, e);
	if (rc == 0 && (!answer_line(&a, &line) ||
			!same_file(field(log, line, "audit"), path)))
		rc = err_set(e, E_STATE, 0, "%s: that gateway writes another "
			     "log", socket);
	answer_free(&a);
	return rc;
}

int export_recorded(struct export_ask *x, const char *path)
{
	struct err e = {0};

	x->still = !is_written(path);
	if (x->still || x->unrecorded || ask(x, path, &e) == 0)
		return EXIT_DONE;
	fprintf(stderr, TOOL ": %s: it is being written, so that it is "
		"exported has to be recorded in it first: %s; --control names "
		"the gateway's socket, --unrecorded does without\n", path,
		e.text);
	return EXIT_TROUBLE;
}

void export_unrecorded(const struct export_ask *x, const char *path)
{
	if (x->still)
		fprintf(stderr, TOOL ": %s: nobody writes it, so this export "
			"is not recorded in it\n", path);
	else if (x->unrecorded)
		fprintf(stderr, TOOL ": %s: this export is not recorded in "
			"it\n", path);
}
