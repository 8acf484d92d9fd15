/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_un un;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

static int64_t now_ms(void)
{
	struct timespec t = {0};

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int64_t deadline(void)
{
	return now_ms() + LINK_WAIT_MS;
}

static int wait_for(int fd, short events, int64_t until, struct err *e)
{
	struct pollfd p = {fd, events, 0};
	int n;

	do {
		int64_t left = until - now_ms();

		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "poll");
	return n ? 0
		 : err_set(e, E_IO, 0, "it does not answer; is somebody else "
			   "connected to it?");
}

/* --- opening -------------------------------------------------------------- */

/* What tpm2-tss reaches, too, and we in another way only. */
static const struct {
	const char *prefix, *instead;
} others[] = {
	{"tabrmd", "it is D-Bus and a program between; the kernel shares the "
		   "chip as well: device:/dev/tpmrm0"},
	{"cmd:", "it runs a program, which nothing confines; for a socket: "
		 "swtpm:path=/SOCKET"},
	{"mssim", "a simulator for developers with a second connection for its "
		  "power switch; swtpm does the same: swtpm:path=/SOCKET"},
	{"device", "needs the whole path: device:/dev/tpmrm0"},
	{"swtpm", "needs the whole path of its socket, swtpm:path=/SOCKET, or a "
		  "numeric address, swtpm:host=127.0.0.1,port=2321"},
};

static int unknown(const char *name, struct err *e)
{
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strncmp(name, others[i].prefix,
			    strlen(others[i].prefix)) == 0)
			return err_set(e, E_SYNTAX, 0, "'%.100s' names no TPM "
				       "that is reached from here: %s", name,
				       others[i].instead);
	}
	return err_set(e, E_SYNTAX, 0, "'%.100s' names no TPM; it is "
		       "device:PATH, swtpm:path=PATH or "
		       "swtpm:host=ADDRESS,port=NUMBER", name);
}

static int read_host(union address *a, socklen_t *len, const char *host,
		     const char *name, struct err *e)
{
	char text[INET6_ADDRSTRLEN] = "", *end;
	const char *comma = strchr(host, ',');
	unsigned long port;

	if (!comma || (size_t)(comma - host) >= sizeof(text) ||
	    strncmp(comma, ",port=", 6) != 0)
		return unknown(name, e);
	memcpy(text, host, (size_t)(comma - host));
	port = strtoul(comma + 6, &end, 10);
	if (comma[6] < '0' || comma[6] > '9' || *end || port < 1 ||
	    port > 65535)
		return unknown(name, e);
	if (inet_pton(AF_INET, text, &a->in4.sin_addr) == 1) {
		a->in4.sin_family = AF_INET;
		a->in4.sin_port = htons((uint16_t)port);
		*len = sizeof(a->in4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons((uint16_t)port);
		*len = sizeof(a->in6);
		return 0;
	}
	return unknown(name, e);
}

static int read_address(union address *a, socklen_t *len, const char *name,
			struct err *e)
{
	const char *rest = name + strlen("swtpm:");

	memset(a, 0, sizeof(*a));
	if (strncmp(rest, "host=", 5) == 0)
		return read_host(a, len, rest + 5, name, e);
	if (strncmp(rest, "path=", 5) != 0 || rest[5] != '/' ||
	    strlen(rest + 5) >= sizeof(a->un.sun_path))
		return unknown(name, e);
	a->un.sun_family = AF_UNIX;
	strcpy(a->un.sun_path, rest + 5);
	*len = sizeof(a->un);
	return 0;
}

/* 0: connected, or about to be. A Unix socket whose queue is full says
 * EAGAIN at once. */
static int connect_to(int fd, const union address *a, socklen_t len,
		      struct err *e)
{
	int error = 0;
	socklen_t n = sizeof(error);
	int rc;

	if (connect(fd, &a->any, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return err_sys(e, "connecting");
	rc = wait_for(fd, POLLOUT, deadline(), e);
	if (rc)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n))
		return err_sys(e, "connecting");
	errno = error;
	return error ? err_sys(e, "connecting") : 0;
}

int link_named(const char *name, struct err *e)
{
	union address a;
	socklen_t len;

	if (strncmp(name, "device:/", 8) == 0)
		return 0;
	return strncmp(name, "swtpm:", 6) == 0
		       ? read_address(&a, &len, name, e)
		       : unknown(name, e);
}

int link_open(int *fd, const char *name, struct err *e)
{
	union address a;
	socklen_t len = 0;
	int rc = 0;

	*fd = -1;
	if (strncmp(name, "device:/", 8) == 0) {
		*fd = open(name + strlen("device:"),
			   O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		return *fd < 0 ? err_sys(e, "%s", name) : 0;
	}
	rc = link_named(name, e);
	if (rc == 0)
		rc = read_address(&a, &len, name, e);
	if (rc)
		return rc;
	*fd = socket(a.any.sa_family,
		     SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = *fd < 0 ? err_sys(e, "socket") : connect_to(*fd, &a, len, e);
	if (rc == 0)
		return 0;
	err_wrap(e, "%s", name);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return rc;
}

/* --- a command and its answer --------------------------------------------- */

/* One that is gone is an error, and no signal; a device is no socket. */
static ssize_t put(int fd, struct span s)
{
	ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

	return n < 0 && errno == ENOTSOCK ? write(fd, s.p, s.n) : n;
}

int link_send(int fd, struct span command, struct err *e)
{
	int64_t until = deadline();
	int rc = 0;

	while (rc == 0 && command.n > 0) {
		ssize_t n = put(fd, command);

		if (n >= 0)
			command = span_from(command, (size_t)n);
		else if (errno == EAGAIN)
			rc = wait_for(fd, POLLOUT, until, e);
		else if (errno != EINTR)
			rc = err_sys(e, "sending a command");
	}
	return rc;
}

/* How long the answer is that begins so; 0: not yet known. */
static int expect(const uint8_t *p, size_t n, size_t cap, size_t *want,
		  struct err *e)
{
	struct cur c = cur_of(span_of(p, n));

	*want = 0;
	if (n < LINK_HEAD)
		return 0;
	cur_u16(&c);
	*want = cur_u32(&c);
	return *want < LINK_HEAD || *want > cap || n > *want
		       ? err_set(e, E_IO, 0, "what it sends is no answer")
		       : 0;
}

int link_receive(int fd, uint8_t *answer, size_t cap, size_t *n, struct err *e)
{
	int64_t until = deadline();
	size_t have = 0, want = 0;
	int rc = 0;

	/* A device gives an answer in one piece or not at all; from a socket
	 * it may come in several, and only one was asked for. */
	while (rc == 0 && (want == 0 || have < want)) {
		ssize_t got = have < cap ? read(fd, answer + have, cap - have)
					 : 0;

		if (got > 0) {
			have += (size_t)got;
			rc = expect(answer, have, cap, &want, e);
		} else if (got == 0) {
			rc = err_set(e, E_IO, 0, "it is gone");
		} else if (errno == EAGAIN) {
			rc = wait_for(fd, POLLIN, until, e);
		} else if (errno != EINTR) {
			rc = err_sys(e, "waiting for an answer");
		}
	}
	*n = have;
	return rc;
}
