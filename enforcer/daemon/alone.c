/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/alone.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ASKERS 64 /* whose calls nobody takes; they only look who listens */

static socklen_t name_it(struct sockaddr_un *a)
{
	*a = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(a->sun_path + 1, ALONE_NAME, sizeof(ALONE_NAME) - 1);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			   sizeof(ALONE_NAME));
}

static int open_it(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int say_who(const struct sockaddr_un *a, socklen_t len, struct err *e)
{
	struct ucred who = {0};
	socklen_t n = sizeof(who);
	char text[48] = "";
	int fd = open_it();

	/* The kernel tells who called listen(). */
	if (fd >= 0 && connect(fd, (const struct sockaddr *)a, len) == 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0)
		snprintf(text, sizeof(text), " (process %ld, uid %lu)",
			 (long)who.pid, (unsigned long)who.uid);
	if (fd >= 0)
		close(fd);
	return err_set(e, E_EXISTS, 0,
		       "another one is running in this network namespace%s and "
		       "holds @" ALONE_NAME "; end it first", text);
}

int alone_take(int *fd, struct err *e)
{
	struct sockaddr_un a;
	socklen_t len = name_it(&a);
	int rc;

	*fd = open_it();
	if (*fd < 0)
		return err_sys(e, "@" ALONE_NAME);
	if (bind(*fd, (const struct sockaddr *)&a, len) == 0 &&
	    listen(*fd, ASKERS) == 0)
		return 0;
	rc = errno == EADDRINUSE ? say_who(&a, len, e)
				 : err_sys(e, "@" ALONE_NAME);
	close(*fd);
	*fd = -1;
	return rc;
}
