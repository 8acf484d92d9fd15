/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "enforcer/replay.h"

#define ORIGIN "replay.metergate.example/audit"
/* Commits are synchronous: few of them, so that a replay is not all waiting
 * for the disk. Nobody acts on these records before the end. */
#define BATCH 20000

struct replay_audit {
	struct audit *audit;
	struct err e;
	bool failed, finished, named;
	char path[PATH_MAX], temp[PATH_MAX + 32];
};

int replay_audit_new(struct replay_audit **out, const char *path,
		     bool with_policy, struct err *e)
{
	struct audit_conf conf = {
		.origin = ORIGIN,
		/* Not a secret here: the same input gives the same octets. */
		.boot_key = "metergate-replay: fixed boot key",
		.batch = BATCH,
		.bulk = true, /* a temporary file until it is whole */
		.policy_seq = with_policy,
		.service_name = c1222_service_name,
	};
	struct replay_audit *a;
	int rc;

	*out = NULL;
	if (strlen(path) >= sizeof(a->path))
		return err_set(e, E_LIMIT, 0, "%s: the name is too long", path);
	if (access(path, F_OK) == 0 || errno != ENOENT)
		return err_set(
			e, E_EXISTS, 0, "%s: %s", path,
			access(path, F_OK) == 0
				? "exists; an audit is never written over"
				: strerror(errno));
	a = calloc(1, sizeof(*a));
	if (!a)
		return err_set(e, E_NOMEM, 0, "%s: out of memory", path);
	strcpy(a->path, path);
	snprintf(a->temp, sizeof(a->temp), "%s.%ld.tmp", path, (long)getpid());
	if (access(a->temp, F_OK) == 0) {
		free(a);
		return err_set(e, E_EXISTS, 0, "%s: its temporary name exists",
			       path);
	}
	conf.path = a->temp;
	rc = audit_open(&a->audit, &conf, e);
	if (rc < 0)
		replay_audit_free(a);
	else
		*out = a;
	return rc;
}

void replay_audit_event(struct replay_audit *a, const struct event *ev)
{
	if (!a->failed && audit_wants(ev) &&
	    audit_append(a->audit, ev, NULL, &a->e) < 0)
		a->failed = true;
}

int replay_audit_check(const struct replay_audit *a, struct err *e)
{
	if (!a->failed)
		return 0;
	*e = a->e;
	return err_wrap(e, "%s", a->path);
}

int replay_audit_finish(struct replay_audit *a, struct err *e)
{
	int rc = replay_audit_check(a, e);

	if (rc == 0) {
		rc = audit_close(a->audit, e);
		if (rc < 0)
			err_wrap(e, "%s", a->path);
		a->audit = NULL;
		a->finished = rc == 0;
	}
	return rc;
}

/* Gives the name without ever taking it from another file. */
static int give_name(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	/* A file system that cannot promise it. */
	if (access(to, F_OK) == 0) {
		errno = EEXIST;
		return -1;
	}
	return rename(from, to);
}

int replay_audit_commit(struct replay_audit *a, struct err *e)
{
	char copy[PATH_MAX];
	int fd, rc = 0;

	if (!a->finished)
		return err_set(e, E_STATE, 0, "%s: not finished", a->path);
	if (give_name(a->temp, a->path) != 0)
		return err_set(e, E_IO, 0, "%s: %s", a->path, strerror(errno));
	a->named = true;
	strcpy(copy, a->path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || (fsync(fd) != 0 && errno != EINVAL))
		rc = err_set(e, E_IO, 0, "%s: %s", a->path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

void replay_audit_free(struct replay_audit *a)
{
	static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
	char name[sizeof(a->temp) + 16];
	struct err ignored;

	if (!a)
		return;
	if (a->audit && audit_close(a->audit, &ignored) < 0)
		a->failed = true; /* it disappears anyway */
	for (size_t i = 0; !a->named && i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", a->temp, tails[i]);
		unlink(name);
	}
	free(a);
}
