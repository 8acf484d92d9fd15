/* SPDX-License-Identifier: Apache-2.0 */
/* The courier's loop: two sockets, and the scribe's window. One thread. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "enforcer/daemon/courier_http.h"
#include "enforcer/daemon/live.h"

#define TURN_MS 500

static void wake_scribe(void *arg)
{
	struct control *c = arg;

	ring_wake(&c->scribe_sleeps);
}

/* What the scribe said in between: it is looked at in every turn anyway. */
static void hear(int fd)
{
	uint64_t n;

	while (read(fd, &n, sizeof(n)) == (ssize_t)sizeof(n))
		;
}

static bool turn(struct server *s, size_t n, struct streams *streams)
{
	const struct courier_arg *a = s->a;
	struct timeval wait = {0};
	int64_t ms = TURN_MS;
	int max = a->wake_fd;
	bool came;
	fd_set in, out, odd;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&odd);
	FD_SET(a->wake_fd, &in);
	came = streams_turn(streams, live_mono(), wake_scribe, a->control);
	for (size_t i = 0; i < n; i++) {
		if (!http_before(&s[i], came, live_mono(), &in, &out, &odd,
				 &max, &ms))
			return false;
	}
	wait.tv_usec = (suseconds_t)ms * 1000;
	if (select(max + 1, &in, &out, &odd, &wait) < 0) {
		FD_ZERO(&in);
		FD_ZERO(&out);
		FD_ZERO(&odd);
	}
	hear(a->wake_fd);
	for (size_t i = 0; i < n; i++) {
		if (!http_after(&s[i], live_mono(), &in, &out, &odd))
			return false;
	}
	return true;
}

int courier_main(const struct courier_arg *a)
{
	struct server *s = calloc(2, sizeof(*s));
	struct customer customer = {.o = a->offer};
	struct streams *streams = NULL;
	struct err e = {0};
	int rc;

	if (!s)
		return 1;
	/* The library dates its answers; the zone is read from a file. */
	tzset();
	rc = streams_open(&streams, a->window, &e);
	for (size_t i = 0; rc == 0 && i < 2; i++) {
		s[i].a = a;
		s[i].streams = streams;
		s[i].customer = &customer;
		s[i].operators = i == 0;
		s[i].anybody = i && strcmp(a->conf->portal, CONF_ANYBODY) == 0;
		s[i].max_streams = i ? STREAMS_PORTAL : STREAMS_OPERATOR;
		rc = http_start(&s[i], i ? a->portal_fd : a->operator_fd,
				&e);
	}
	if (rc == 0)
		rc = sandbox_check(SANDBOX_COURIER, &a->sandbox, &e);
	if (rc == 0)
		rc = sandbox_enter(SANDBOX_COURIER, &a->sandbox, &e);
	if (rc) {
		log_err(a->log, "%s", e.text);
		return 1;
	}
	do
		atomic_store(&a->control->courier_beat, live_mono().ns);
	while (turn(s, 2, streams));
	log_err(a->log, "the HTTP server failed");
	return 1;
}
