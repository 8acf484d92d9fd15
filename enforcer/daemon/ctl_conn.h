/* SPDX-License-Identifier: Apache-2.0 */
/* A connection of the control socket; between ctl.c and ctl_answer.c. */
#ifndef ENFORCER_DAEMON_CTL_CONN_H
#define ENFORCER_DAEMON_CTL_CONN_H

#include "core/json.h"
#include "enforcer/daemon/parent.h"

#define CTL_CONNS 8

enum conn_state {
	CONN_READ,  /* the request is not complete */
	CONN_BODY,  /* it is; what follows it is not */
	CONN_ASK,   /* it is; to be answered as soon as it can be */
	CONN_WAIT,  /* an engine, or all of them, were asked */
	CONN_WRITE, /* the answer is on its way */
};

struct conn {
	int fd; /* -1: free */
	uint64_t id;
	uid_t uid;
	bool panel; /* it came by the panel's socket */
	enum conn_state state;
	int64_t deadline_ns;
	uint8_t in[CTL_REQUEST + 1];
	size_t n_in;
	struct ctl_request req;
	size_t guest;
	uint8_t *body; /* heap; of req.body octets */
	size_t n_body;
	struct act act; /* what is to be done waits for its record */
	bool closed, kept; /* of a freeze */
	bool erasing;
	uint32_t erase; /* what the scribe is to have done */
	struct wbuf out; /* heap; NULL before there is an answer */
	size_t sent;
};

void conn_answer(struct conn *c, size_t number, struct parent *p);
void conn_refuse(struct conn *c, const char *why);
/* The guest's engine is asked what the verb says. */
void conn_ask(struct conn *c, size_t number, struct parent *p);
void conn_query_done(struct conn *c, struct parent *p, int rc, const char *why);

/* Writing an answer: begin (false: no memory, and its deadline ends the
 * connection), objects from conn_line to conn_end, each a line; one that does
 * not fit is left out as a whole. conn_ok is the first. */
bool conn_begin(struct conn *c);
struct json conn_ok(const struct conn *c);
struct json conn_line(const struct conn *c);
void conn_end(struct conn *c, struct json *j);

/* ctl_acts.c */
/* What is asked may be done now. False: not yet, or it is refused. */
bool conn_may(struct conn *c, struct parent *p, enum act_kind kind,
	      const char *guest, const char *who);
void conn_freeze(struct conn *c, size_t number, struct parent *p);
void conn_thaw(struct conn *c, size_t number, struct parent *p);
void conn_reload(struct conn *c, size_t number, struct parent *p);
void conn_reloaded(struct conn *c, struct parent *p);
void conn_erase(struct conn *c, size_t number, struct parent *p);
void conn_release(struct conn *c, size_t number, struct parent *p);
void conn_export(struct conn *c, size_t number, struct parent *p);

/* ctl_policy.c */
void conn_policies(struct conn *c, struct parent *p);
void conn_diff(struct conn *c, struct parent *p);
void conn_pending(struct conn *c, struct parent *p);
void conn_propose(struct conn *c, size_t number, struct parent *p);
void conn_proposed(struct conn *c, struct parent *p, const char *error);
void conn_confirm(struct conn *c, size_t number, struct parent *p);

/* ctl_notices.c */
void conn_notices(struct conn *c, struct parent *p);
/* A refusal as the scribe wrote it, whole; false: it was being written. */
bool conn_refusal(struct view_refusal *to, const struct view *v, size_t guest,
		  uint64_t number);
/* Its text, without the line's end. Behind that its place may hold what is left
 * of a longer one before it. */
struct span conn_text(const struct view_refusal *r);
/* Its text is a JSON object on one line; one that was cut is none. */
bool conn_is_object(const struct view_refusal *r);

#endif
