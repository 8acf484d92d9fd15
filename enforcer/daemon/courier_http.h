/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The courier's HTTP, by libmicrohttpd, which nobody else here knows: two
 * sockets, the operator's (Unix) and the portal's (TCP). Each has its own
 * places, so that readers of one never keep out those of the other, nor one
 * address the others where anybody may ask. A connection lives a few seconds,
 * however slowly it asks or reads; one that was given a stream of records lives
 * as long as somebody takes from it.
 */
#ifndef ENFORCER_DAEMON_COURIER_HTTP_H
#define ENFORCER_DAEMON_COURIER_HTTP_H

#include <sys/select.h>

#include "enforcer/daemon/courier.h"

#define STREAMS_PORTAL	 112
#define STREAMS_OPERATOR 48
#define QUESTIONS	 16 /* answered at the same time, of each socket */
#define PARCELS		 8  /* customers' files on their way, of each */
/* Those, and whoever has not asked yet. */
#define CONNECTIONS (STREAMS_PORTAL + 2 * QUESTIONS)

struct connection {
	struct server *server;
	struct MHD_Connection *mhd;
	int fd; /* -1: free */
	struct mono since;
	int64_t life_ns; /* of one that is given no stream */
	struct net_addr from; /* zero: by the Unix socket */
	bool portal;	 /* it comes from the portal guest */
	bool ended;	 /* its time was up */
	bool question;	 /* is being answered */
	bool waits;	 /* for another process's answer, */
	struct mono asked; /* since then */
	size_t n_post; /* octets it brought */
	uint8_t post[WINDOW_POST];
	struct parcel parcel;
	bool stream;	 /* it was given one, which may be over: */
	bool stream_over;
};

/* One socket. */
struct server {
	const struct courier_arg *a;
	struct streams *streams; /* shared by both, as */
	struct customer *customer;
	size_t max_streams;
	bool operators; /* the Unix socket; else the portal's, */
	bool anybody;	/* who may be anybody */
	bool resumed;	/* a connection was, and the library was not run since */
	struct MHD_Daemon *daemon; /* NULL: nobody is listened to */
	struct connection connection[CONNECTIONS];
};

/* --- requests ------------------------------------------------------------- */

/* Called with the head, with each part of the body, and when all is there; then
 * again whenever an answer that was waited for may be there. */
struct request {
	enum request_part { REQUEST_HEAD, REQUEST_PART, REQUEST_WHOLE } at;
	const char *path, *method;
	bool has_body;	    /* by its head */
	struct span octets; /* of REQUEST_PART */
};
/* courier_answer.c. False: hang up. */
bool courier_answer(struct connection *k, const struct request *r);

const char *http_field(const struct connection *k, const char *name);
/* Gives each argument of the query to set, until one is refused: its answer. */
int http_arguments(const struct connection *k,
		   int (*set)(void *arg, const char *name, const char *value,
			      struct err *e),
		   void *arg, struct err *e);

/* --- answers -------------------------------------------------------------- */

enum http_status {
	HTTP_OK = 200,
	HTTP_NO_CONTENT = 204,
	HTTP_BAD_REQUEST = 400,
	HTTP_FORBIDDEN = 403,
	HTTP_NOT_FOUND = 404,
	HTTP_NOT_ALLOWED = 405,
	HTTP_GONE = 410,
	HTTP_TOO_LARGE = 413,
	HTTP_TOO_MANY = 429,
	HTTP_FAILED = 500,
	HTTP_BUSY = 503,
};

/* Each is true when it was sent, or will be; false: no memory. */
/* w: a heap block, which is taken. */
bool http_send(struct connection *k, unsigned status, const char *type,
	       struct wbuf *w);
bool http_error(struct connection *k, unsigned status, const char *what);
/* allow: the methods that the resource has. */
bool http_not_allowed(struct connection *k, const char *allow,
		      const char *what);
/* Later: the request is given again when something came. */
bool http_wait(struct connection *k);
bool http_stream(struct connection *k, const struct want *w);
bool http_stream_head(struct connection *k, bool events);

/* --- places --------------------------------------------------------------- */

bool http_streaming(const struct connection *k);
/* Is there a place for one more, who comes from there? takes: does a connection
 * have one of these? */
bool http_place(const struct server *s, const struct net_addr *from,
		size_t places, bool (*takes)(const struct connection *));

/* --- the loop ------------------------------------------------------------- */

/* s: as its caller began it. fd: -1: there is none. */
int http_start(struct server *s, int fd, struct err *e)
	__attribute__((warn_unused_result));
/* What is to be waited for, and not longer than *ms. False: it failed. */
bool http_before(struct server *s, bool came, struct mono now, fd_set *in,
		 fd_set *out, fd_set *odd, int *max, int64_t *ms);
bool http_after(struct server *s, struct mono now, const fd_set *in,
		const fd_set *out, const fd_set *odd);

#endif
