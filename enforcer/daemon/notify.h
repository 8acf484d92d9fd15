/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a service manager wants to know (sd_notify(3), the protocol itself):
 * one datagram of "NAME=VALUE" lines to the socket that NOTIFY_SOCKET names.
 * Without a service manager nothing happens.
 */
#ifndef ENFORCER_DAEMON_NOTIFY_H
#define ENFORCER_DAEMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

struct notify {
	int fd; /* -1: nobody asked */
	struct sockaddr_un to;
	unsigned to_len;
	int64_t watchdog_ns; /* to be told at least so often; 0 = not asked */
	int64_t next_ns;     /* mono */
};

/* From the environment, which is cleaned: children must not speak for us. */
void notify_open(struct notify *n);
/* "READY=1", "STOPPING=1", "RELOADING=1", "STATUS=text"; never blocks. */
void notify_send(const struct notify *n, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* RELOADING=1, with the time that the protocol wants beside it. */
void notify_reloading(const struct notify *n);
/* Once in each turn of the loop; says WATCHDOG=1 when it is due. */
void notify_tick(struct notify *n, int64_t mono_ns);
void notify_close(struct notify *n);

#endif
