/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: connections. What is answered is in ctl_answer.c. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "enforcer/daemon/ctl_conn.h"

#define CTL_NS	   (25 * NS_PER_S) /* a connection lives at most so long */
#define ASK_NS	   (2 * NS_PER_S)  /* until its request is whole */
#define CTL_GROUPS 64

struct ctl {
	struct conn conn[CTL_CONNS];
	uint64_t next_id;
	int listen_fd, panel_fd; /* borrowed: the parent's */
};

int ctl_open(struct ctl **out, struct parent *p, struct err *e)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return err_set(e, E_NOMEM, 0, "out of memory");
	(*out)->listen_fd = p->ctl_fd;
	(*out)->panel_fd = p->panel_fd;
	for (size_t i = 0; i < CTL_CONNS; i++)
		(*out)->conn[i].fd = -1;
	return 0;
}

static void hang_up(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->out.p);
	free(c->body);
	*c = (struct conn){.fd = -1};
}

void ctl_free(struct ctl *c)
{
	for (size_t i = 0; c && i < CTL_CONNS; i++)
		hang_up(&c->conn[i]);
	free(c);
}

/* --- who may ------------------------------------------------------------------------------- */

static bool in_group(int fd, const struct ucred *who, gid_t gid)
{
	gid_t groups[CTL_GROUPS];
	socklen_t n = sizeof(groups);

	if (gid == 0)
		return false;
	if (who->gid == gid)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) < 0)
		return false;
	for (size_t i = 0; i < n / sizeof(groups[0]); i++) {
		if (groups[i] == gid)
			return true;
	}
	return false;
}

static bool may(int fd, gid_t gid, uid_t *uid)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0 ||
	    n != sizeof(who))
		return false;
	*uid = who.uid;
	return who.uid == 0 || in_group(fd, &who, gid);
}

/* A free place, or that of the oldest one that has not asked yet; of those that
 * are younger than `after` none, they were not listened to. */
static struct conn *find_place(struct ctl *c, uint64_t after)
{
	struct conn *oldest = NULL;

	for (size_t i = 0; i < CTL_CONNS; i++) {
		struct conn *k = &c->conn[i];

		if (k->fd < 0)
			return k;
		if (k->state == CONN_READ && k->id <= after &&
		    (!oldest || k->id < oldest->id))
			oldest = k;
	}
	return oldest;
}

static void welcome(struct ctl *c, struct parent *p, bool panel)
{
	gid_t gid = panel ? p->conf->panel_gid : p->conf->control_gid;
	int from = panel ? c->panel_fd : c->listen_fd;
	uint64_t before = c->next_id;
	struct conn *n;
	int fd;

	/* At most as many as there are places; the others wait. */
	while ((n = find_place(c, before)) &&
	       (fd = accept4(from, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		hang_up(n);
		*n = (struct conn){
			.fd = fd,
			.id = ++c->next_id,
			.panel = panel,
			.deadline_ns = p->now.mono.ns + ASK_NS,
		};
		if (!may(fd, gid, &n->uid))
			conn_refuse(n, panel ? "only root and the panel's "
					       "group may"
					     : "only root and the control "
					       "group may");
	}
}

/* --- octets in, octets out --------------------------------------------------------------------- */

static void body_done(struct conn *c)
{
	if (c->n_body == c->req.body)
		c->state = CONN_ASK;
}

static void begin_body(struct conn *c, struct span rest)
{
	c->body = malloc(c->req.body);
	if (!c->body || rest.n > c->req.body) {
		conn_refuse(c, c->body ? "more follows than was said"
				       : "out of memory");
		return;
	}
	if (rest.n)
		memcpy(c->body, rest.p, rest.n);
	c->n_body = rest.n;
	c->state = CONN_BODY;
	body_done(c);
}

static void take_body(struct conn *c)
{
	ssize_t got = read(c->fd, c->body + c->n_body,
			   c->req.body - c->n_body);

	if (got > 0) {
		c->n_body += (size_t)got;
		body_done(c);
	} else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
		hang_up(c);
	}
}

static void take_in(struct conn *c, int64_t now)
{
	ssize_t got = read(c->fd, c->in + c->n_in, sizeof(c->in) - c->n_in);
	const uint8_t *end;
	struct err e;

	if (got < 0) {
		if (errno != EAGAIN && errno != EINTR)
			hang_up(c);
		return;
	}
	c->n_in += (size_t)got;
	end = memchr(c->in, '\n', c->n_in);
	if (end) {
		struct span rest = span_of(end + 1,
					   (size_t)(c->in + c->n_in - end) - 1);

		c->n_in = (size_t)(end - c->in);
		c->state = CONN_ASK;
		c->deadline_ns = now + CTL_NS;
		if (ctl_request(&c->req, span_of(c->in, c->n_in), &e) < 0)
			conn_refuse(c, e.text);
		else if (c->req.body)
			begin_body(c, rest);
	} else if (c->n_in == sizeof(c->in)) {
		conn_refuse(c, "the request is too long");
	} else if (got == 0) {
		hang_up(c);
	}
}

static void put_out(struct conn *c)
{
	ssize_t n = send(c->fd, c->out.p + c->sent, c->out.n - c->sent,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n > 0)
		c->sent += (size_t)n;
	if (c->sent == c->out.n || (n < 0 && errno != EAGAIN && errno != EINTR))
		hang_up(c);
}

/* --- what the parent's loop calls ---------------------------------------------------------------- */

size_t ctl_polls(const struct ctl *c, struct pollfd *fds, size_t cap)
{
	size_t n = 0;
	bool room = false;

	for (size_t i = 0; i < CTL_CONNS && n + 1 < cap; i++) {
		const struct conn *k = &c->conn[i];

		room = room || k->fd < 0 || k->state == CONN_READ;
		if (k->fd >= 0 && (k->state == CONN_READ ||
				   k->state == CONN_BODY))
			fds[n++] = (struct pollfd){k->fd, POLLIN, 0};
		else if (k->fd >= 0 && k->state == CONN_WRITE)
			fds[n++] = (struct pollfd){k->fd, POLLOUT, 0};
	}
	if (room && n + 2 < cap) {
		fds[n++] = (struct pollfd){c->listen_fd, POLLIN, 0};
		fds[n++] = (struct pollfd){c->panel_fd, POLLIN, 0};
	}
	return n;
}

bool ctl_busy(const struct ctl *c)
{
	for (size_t i = 0; i < CTL_CONNS; i++) {
		if (c->conn[i].fd >= 0 && (c->conn[i].state == CONN_ASK ||
					   c->conn[i].state == CONN_WAIT))
			return true;
	}
	return false;
}

static void serve(struct ctl *c, struct parent *p)
{
	for (size_t i = 0; i < CTL_CONNS; i++) {
		struct conn *k = &c->conn[i];

		if (k->fd >= 0 && k->state == CONN_READ)
			take_in(k, p->now.mono.ns);
		else if (k->fd >= 0 && k->state == CONN_BODY)
			take_body(k);
		if (k->fd >= 0 && k->state == CONN_ASK)
			conn_answer(k, i, p);
		if (k->fd >= 0 && k->state == CONN_WRITE)
			put_out(k);
		if (k->fd >= 0 && p->now.mono.ns > k->deadline_ns)
			hang_up(k);
	}
}

void ctl_turn(struct ctl *c, struct parent *p)
{
	/* First what those say that a newcomer may take the place of. */
	serve(c, p);
	welcome(c, p, false);
	welcome(c, p, true);
	serve(c, p);
}

void ctl_query_done(struct ctl *c, struct parent *p, size_t conn, size_t guest,
		    int rc, const char *why)
{
	struct conn *k = &c->conn[conn];

	/* It may have hung up, and its place been taken. */
	if (conn < CTL_CONNS && k->fd >= 0 && k->state == CONN_WAIT &&
	    k->guest == guest)
		conn_query_done(k, p, rc, why);
}

void ctl_proposed(struct ctl *c, struct parent *p, size_t conn,
		  uint64_t conn_id, const char *error)
{
	struct conn *k = &c->conn[conn];

	if (conn < CTL_CONNS && k->fd >= 0 && k->id == conn_id)
		conn_proposed(k, p, error);
}

void ctl_reload_done(struct ctl *c, struct parent *p, size_t conn,
		     uint64_t conn_id, const char *error)
{
	struct conn *k = &c->conn[conn];

	if (conn >= CTL_CONNS || k->fd < 0 || k->id != conn_id)
		return;
	if (error)
		conn_refuse(k, error);
	else
		conn_reloaded(k, p);
}
