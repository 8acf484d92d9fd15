/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The courier's own parts. It answers questions about how the gateway is
 * doing, what it recorded and what is in force; all that it takes is
 * cosignatures, for the scribe to check, and a customer's file, for the parent
 * and the panel:
 *
 *   courier.c	       the loop
 *   courier_http.c    sockets, connections, requests
 *   courier_answer.c  which resource, and what is answered
 *   courier_head.c    what a request's head says twice, or otherwise wrong
 *   courier_page.c    GET /v1/status, GET /metrics
 *   courier_stream.c  GET /v1/audit: records as NDJSON or server-sent events
 *   courier_want.c    what a question for records asks for
 *   courier_lookup.c  what one for a checkpoint, a proof or a tile asks for
 *   courier_policy.c  GET /v1/policies, labels as JSON
 *   courier_svg.c     and as a picture
 *   courier_customer.c  PUT /v1/customer
 *   shelf.c	       what readers need, from the scribe's window
 */
#ifndef ENFORCER_DAEMON_COURIER_H
#define ENFORCER_DAEMON_COURIER_H

#include "audit/eve.h"
#include "audit/filter.h"
#include "core/wbuf.h"
#include "enforcer/daemon/cards.h"
#include "enforcer/daemon/offer.h"
#include "enforcer/daemon/processes.h"
#include "enforcer/daemon/shelf.h"

/* --- heads of requests ---------------------------------------------------- */

/* Why a request-target, as it came, is refused; NULL: it is none of these. */
const char *asked_bad_target(const char *target);
/* The path of one that is not refused, decoded and without its query. */
const char *asked_path(const char *path);

struct asked_head {
	unsigned hosts, lengths, codings; /* how often there is such a field */
	bool bad_host;
};
void asked_field(struct asked_head *h, const char *name, const char *value);
const char *asked_bad_fields(const struct asked_head *h); /* as above */

/* --- pages ---------------------------------------------------------------- */

struct page {
	const char *path, *type;
	size_t max; /* octets */
	bool (*write)(const struct courier_arg *a, struct wbuf *w);
};
const struct page *page_of(const char *path); /* NULL: none */

/* --- policies ------------------------------------------------------------- */

#define CARD_PATH "/v1/policies/"
/* Is it the path of the list (*rest NULL) or of something behind CARD_PATH? */
bool cards_of(const char *path, const char **rest);
/* w: a heap block, the caller's. E_NOTFOUND; E_STATE: nothing is in force yet;
 * E_NOMEM. */
int cards_write(const struct cards *c, const char *rest, struct wbuf *w,
		const char **type) __attribute__((warn_unused_result));
bool card_svg(const struct card *k, struct wbuf *w);

/* --- a customer's file ---------------------------------------------------- */

/* The octets of one request, as they come: each has its own, so that nobody
 * waits for one who is slow. What is all zero has none. */
struct parcel {
	bool open;  /* it is on its way */
	bool large; /* it has more than PROPOSE_SOURCE octets */
	bool lost;  /* there was no memory for it */
	uint8_t *octets;
	size_t n, cap;
};
void parcel_add(struct parcel *p, struct span octets);
void parcel_end(struct parcel *p); /* as before it came */

/* What was handed on: one at a time, of all who may. */
struct customer {
	struct offer *o;
	const void *owner; /* whose it is; NULL: nobody's who waits */
};
/* Hand on a whole one of 1 to PROPOSE_SOURCE octets. False: another one is
 * looked at. */
bool customer_send(struct customer *c, const void *owner, struct span file,
		   enum offer_from from);
/* To its owner: the status of HTTP and the answer, once there is one; 0
 * before. w: a heap block, the caller's; NULL: no memory. */
unsigned customer_answer(struct customer *c, struct wbuf *w);
void customer_end(struct customer *c, const void *owner);

/* --- what is asked for ---------------------------------------------------- */

/* Records from `from` on that the filter lets through. */
#define EVENT_RECOVERY "recovery-" /* N "/", in front of the id of an event */
struct want {
	uint64_t from;
	uint64_t last; /* > 0: instead, the last so many that there are now */
	uint64_t limit; /* end behind so many; 0: no limit */
	bool follow;	/* wait for more; else end where the log ends now */
	bool events;	/* text/event-stream */
	enum shelf_side side; /* whose it is */
	bool resumes;	/* behind what a reader of events saw last */
	uint32_t recovery; /* of the log that he saw that in */
	char origin[NOTE_NAME_MAX + 1]; /* of that log only; "": of any */
	struct filter filter;
};

/* One argument of the query. The names are filter_set's, and from, last,
 * limit, follow, origin. E_SYNTAX or E_NOTFOUND, with a text for who asked. */
int want_set(struct want *w, const char *name, const char *value,
	     struct err *e) __attribute__((warn_unused_result));
/* Does a header field Accept, or NULL, ask for events? */
bool want_events(const char *accept);
/* What a reader of events saw last: it goes on behind that, in that log. */
int want_last_event(struct want *w, const char *id, struct err *e)
	__attribute__((warn_unused_result));

/* A number below 2^62, at least least, in decimal and nothing else. */
int courier_number(const char *name, const char *value, uint64_t least,
		   uint64_t *out, struct err *e)
	__attribute__((warn_unused_result));

/* --- single answers ------------------------------------------------------- */

#define LOOKUP_MAX ((UINT64_C(1) << 62) - 1)

struct lookup {
	struct window_key key;
	uint32_t width;	  /* records or hashes that are asked for; else 1 */
	const char *type; /* media type of the answer */
	const char *a, *b; /* arguments there are; NULL: none */
	bool needs_a;	   /* it was not given */
};

/* It is about records that were pruned, of which the first now is this. */
bool lookup_gone(const struct lookup *l, uint64_t first);
/* Is it the path of one? */
bool lookup_of(struct lookup *l, const char *path);
/* One argument. E_NOTFOUND: there is none of that name; E_SYNTAX. */
int lookup_set(struct lookup *l, const char *name, const char *value,
	       struct err *e) __attribute__((warn_unused_result));
/* E_SYNTAX: an argument is missing. */
int lookup_ready(const struct lookup *l, struct err *e)
	__attribute__((warn_unused_result));
/* Of POST /v1/cosignature; key.a is the size of the checkpoint. */
struct lookup lookup_cosign(void);
/* The status of HTTP, and why, for what shelf_post said. */
unsigned lookup_refusal(int rc, const char **why);
/* Can there be such a tile or bundle in a log of so many records? */
bool lookup_there(const struct lookup *l, uint64_t size);
/* Of what shelf_get gave, what was asked for. */
struct span lookup_cut(const struct lookup *l, struct span octets);

/* --- streams of records --------------------------------------------------- */

struct streams; /* all of them, and what they share */

int streams_open(struct streams **out, struct window *w, struct err *e)
	__attribute__((warn_unused_result));
void streams_close(struct streams *s);

/* A stream of the records wanted. conn is whose it is: resume is called with
 * it when stream_give said to wait and has something to do again. NULL: no
 * memory. */
struct stream;
struct stream *stream_new(struct streams *s, const struct want *w, void *conn,
			  void (*resume)(void *conn));
void stream_free(struct stream *s);

enum { STREAM_WAIT = -1, STREAM_END = -2, STREAM_BROKEN = -3 };
/* What comes next, at most cap octets: how many, or one of the above. */
int64_t stream_give(struct stream *s, char *to, size_t cap);

/* In every turn. wake: as in shelf_turn. true: something came. */
bool streams_turn(struct streams *s, struct mono now,
		  void (*wake)(void *arg), void *arg);
/* Where single answers come from, too. */
struct shelf *streams_shelf(struct streams *s);

#endif
