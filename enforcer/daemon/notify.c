/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t number(const char *text)
{
	char *end;
	long long v;

	if (!text || !*text)
		return -1;
	errno = 0;
	v = strtoll(text, &end, 10);
	return errno || *end || v < 0 ? -1 : v;
}

/* A path, or with '@' an abstract name. */
static bool address(struct notify *n, const char *name)
{
	size_t len = name ? strlen(name) : 0;

	if (len < 2 || len >= sizeof(n->to.sun_path) ||
	    (name[0] != '/' && name[0] != '@'))
		return false;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, name, len);
	if (name[0] == '@')
		n->to.sun_path[0] = 0;
	n->to_len = (unsigned)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

void notify_open(struct notify *n)
{
	int64_t usec = number(getenv("WATCHDOG_USEC"));
	int64_t pid = number(getenv("WATCHDOG_PID"));

	*n = (struct notify){.fd = -1};
	if (address(n, getenv("NOTIFY_SOCKET")))
		n->fd = socket(AF_UNIX,
			       SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Half of the time allowed, as the protocol recommends. */
	if (n->fd >= 0 && usec > 0 && usec < INT64_MAX / 1000 &&
	    (pid < 0 || pid == getpid()))
		n->watchdog_ns = usec * 1000 / 2;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

void notify_send(const struct notify *n, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int len;

	if (n->fd < 0)
		return;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len <= 0)
		return;
	if ((size_t)len >= sizeof(text))
		len = (int)sizeof(text) - 1;
	/* The manager went away: there is nobody to tell. */
	(void)!sendto(n->fd, text, (size_t)len, MSG_NOSIGNAL,
		      (const struct sockaddr *)&n->to, n->to_len);
}

void notify_reloading(const struct notify *n)
{
	struct timespec t = {0};

	/* Not the clock of everything else: the manager has only this one. */
	clock_gettime(CLOCK_MONOTONIC, &t);
	notify_send(n, "RELOADING=1\nMONOTONIC_USEC=%lld",
		    (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

void notify_tick(struct notify *n, int64_t mono_ns)
{
	if (!n->watchdog_ns || mono_ns < n->next_ns)
		return;
	n->next_ns = mono_ns + n->watchdog_ns;
	notify_send(n, "WATCHDOG=1");
}

void notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
}
