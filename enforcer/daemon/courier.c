/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The courier: HTTP on two sockets, the operator's (Unix) and the portal's
 * (TCP). Each has its own places, so that readers of one never keep out those
 * of the other, nor one address the others where anybody may ask. A connection
 * lives a few seconds, however slowly it asks or reads; one that was given a
 * stream of records lives as long as somebody takes from it. One thread.
 */
#include "enforcer/daemon/courier.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/json.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/trial.h"

#define STREAMS_PORTAL	 112
#define STREAMS_OPERATOR 48
#define QUESTIONS	 16 /* answered at the same time, of each socket */
#define PARCELS		 8  /* customers' files on their way, of each */
/* Those, and whoever has not asked yet. */
#define CONNECTIONS	 (STREAMS_PORTAL + 2 * QUESTIONS)
#define REQUEST_MAX	 (16 * 1024)
#define REFUSAL_MAX	 (6 * ERR_TEXT + 64) /* a text, escaped */
#define IDLE_S		 3
#define LIFE_NS		 (5 * NS_PER_S)
#define TURN_MS		 500
/* What the parent may take to look at a customer's file, and more. */
#define PROPOSE_NS	 (TRIAL_NS + 10 * NS_PER_S)
#define AGAIN_S		 "600" /* what is said to who proposes too often */
#define SOON_S		 "5"   /* to who finds all places taken */
#define BLOCK		 (8 * 1024) /* of a stream, to the library at once */
#define STUCK_S		 30 /* a reader of one that takes nothing so long */
#define AGAIN_NS	 (NS_PER_S / 2) /* to ask again for what did not come */

struct server;

struct connection {
	struct server *server;
	int fd; /* -1: free */
	struct mono since;
	int64_t life_ns; /* of one that is given no stream */
	struct net_addr from; /* zero: by the Unix socket */
	bool portal;	 /* it comes from the portal guest */
	bool ended;	 /* its time was up */
	bool question;	 /* is being answered */
	struct MHD_Connection *waits; /* for the scribe's answer; else NULL */
	struct mono asked;
	size_t n_post; /* octets it brought */
	uint8_t post[WINDOW_POST];
	struct parcel parcel;
	bool stream;	 /* it was given one, which may be over: */
	bool stream_over;
};

struct server {
	const struct courier_arg *a;
	struct streams *streams; /* shared by both, as */
	struct customer *customer;
	size_t max_streams;
	bool operators; /* the Unix socket; else the portal's, */
	bool anybody;	/* who may be anybody */
	bool resumed;	/* a connection was, and the library was not run since */
	struct MHD_Daemon *daemon;
	struct connection connection[CONNECTIONS];
};

/* --- places --------------------------------------------------------------- */

/* Of what anybody may take, one address takes so many: no guest keeps out all
 * the others. */
#define SHARE(places) ((places) * 3 / 4)

static bool connected(const struct connection *k)
{
	return k->fd >= 0;
}

static bool asking(const struct connection *k)
{
	return k->question;
}

static bool proposing(const struct connection *k)
{
	return k->parcel.open;
}

static bool streaming(const struct connection *k)
{
	return k->stream && !k->stream_over;
}

/* Is there a place for one more, who comes from there? */
static bool has_place(const struct server *s, const struct net_addr *from,
		      size_t places, bool (*takes)(const struct connection *))
{
	size_t all = 0, his = 0;

	for (size_t i = 0; i < CONNECTIONS; i++) {
		const struct connection *k = &s->connection[i];

		if (k->fd < 0 || !takes(k))
			continue;
		all++;
		his += net_addr_eq(&k->from, from);
	}
	return all < places && (!s->anybody || his < SHARE(places));
}

/* --- HTTP ----------------------------------------------------------------- */

/* allow: the methods that a resource has; NULL: it is not about that. */
static enum MHD_Result send_allow(struct MHD_Connection *c, unsigned status,
				  const char *type, const char *allow,
				  struct wbuf *w)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(w->n, w->p,
						MHD_RESPMEM_MUST_FREE);
	enum MHD_Result rc;

	if (!r) {
		free(w->p);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	if (allow)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, allow);
	if (status == MHD_HTTP_TOO_MANY_REQUESTS)
		MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER,
					AGAIN_S);
	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, SOON_S);
	if (status != MHD_HTTP_OK) /* what follows is read by nobody */
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION,
					"close");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result send_octets(struct MHD_Connection *c, unsigned status,
				   const char *type, struct wbuf *w)
{
	return send_allow(c, status, type, NULL, w);
}

static enum MHD_Result send_refusal(struct MHD_Connection *c, unsigned status,
				    const char *allow, const char *what)
{
	struct wbuf w = {malloc(REFUSAL_MAX), REFUSAL_MAX, 0, false};
	struct json j = json_of(w.p, w.cap);

	if (!w.p)
		return MHD_NO;
	json_obj(&j, NULL);
	json_str(&j, "error", what);
	json_obj_end(&j);
	if (!json_line(&j)) {
		free(w.p);
		return MHD_NO;
	}
	w.n = j.w.n;
	return send_allow(c, status, "application/json", allow, &w);
}

static enum MHD_Result send_error(struct MHD_Connection *c, unsigned status,
				  const char *what)
{
	return send_refusal(c, status, NULL, what);
}

static enum MHD_Result busy(struct MHD_Connection *c)
{
	return send_error(c, MHD_HTTP_SERVICE_UNAVAILABLE,
			  "as many as can be answered are being answered; "
			  "try again in a few seconds");
}

static enum MHD_Result closed(struct MHD_Connection *c)
{
	return send_error(c, MHD_HTTP_SERVICE_UNAVAILABLE,
			  "no log is open yet; try again in a few seconds");
}

/* May one more be answered now? */
static bool take_question(struct server *s, struct connection *k)
{
	k->question = k->question ||
		      has_place(s, &k->from, QUESTIONS, asking);
	return k->question;
}

/* --- arguments --- */

struct looked {
	struct lookup *l;
	struct err e;
	int rc;
};

static enum MHD_Result on_detail(void *arg, enum MHD_ValueKind kind,
				 const char *name, const char *value)
{
	struct looked *q = arg;

	(void)kind;
	q->rc = lookup_set(q->l, name, value, &q->e);
	return q->rc ? MHD_NO : MHD_YES;
}

/* Of a resource that has none. e->text says which. */
static bool has_arguments(struct MHD_Connection *c, struct err *e)
{
	struct lookup none = {0};
	struct looked q = {.l = &none};

	MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, on_detail, &q);
	*e = q.e;
	return q.rc != 0;
}

/* --- pages --- */

static enum MHD_Result send_page(struct server *s, struct MHD_Connection *c,
				 struct connection *k, const struct page *p)
{
	struct wbuf w = {0};
	struct err e = {0};
	uint8_t *fit;

	if (has_arguments(c, &e))
		return send_error(c, MHD_HTTP_BAD_REQUEST, e.text);
	if (!take_question(s, k))
		return busy(c);
	w = (struct wbuf){malloc(p->max), p->max, 0, false};
	if (!w.p || !p->write(s->a, &w)) {
		free(w.p);
		return send_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR,
				  "no memory");
	}
	/* It may lie there for as long as the connection lives. */
	fit = realloc(w.p, w.n ? w.n : 1);
	w.p = fit ? fit : w.p;
	return send_octets(c, MHD_HTTP_OK, p->type, &w);
}

/* --- single answers --- */

static enum MHD_Result send_found(struct MHD_Connection *c,
				  const struct lookup *l, struct span octets)
{
	struct wbuf w = {malloc(octets.n + 1), octets.n + 1, 0, false};

	if (!w.p)
		return send_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR,
				  "no memory");
	wbuf_put(&w, octets);
	return send_octets(c, MHD_HTTP_OK, l->type, &w);
}

/* Nothing is given in place of what was altered or cannot be read. */
static enum MHD_Result send_damaged(struct MHD_Connection *c, struct span why)
{
	char text[ERR_TEXT];

	snprintf(text, sizeof(text), "the log is damaged: %.*s",
		 (int)(why.n < 200 ? why.n : 200), (const char *)why.p);
	return send_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR, text);
}

/* Asked again for the same when the scribe has answered. */
static enum MHD_Result send_lookup(struct server *s, struct MHD_Connection *c,
				   struct connection *k, struct lookup *l)
{
	struct shelf *shelf = streams_shelf(s->streams);
	struct looked q = {.l = l};
	struct span octets;
	uint32_t n;
	int rc = E_NOTFOUND;

	MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, on_detail, &q);
	if (q.rc == 0)
		q.rc = lookup_ready(l, &q.e);
	if (q.rc)
		return send_error(c, MHD_HTTP_BAD_REQUEST, q.e.text);
	if (!take_question(s, k))
		return busy(c);
	if (!shelf_log(shelf))
		return closed(c);
	if (lookup_there(l, shelf_size(shelf)))
		rc = shelf_get(shelf, &l->key, l->width, live_mono(), &octets,
			       &n);
	if (rc == 1)
		return send_found(c, l, lookup_cut(l, octets));
	if (rc == E_INTEGRITY || rc == E_IO)
		return send_damaged(c, octets);
	if (rc && lookup_gone(l, shelf_first(shelf)))
		return send_error(c, MHD_HTTP_GONE, "it was pruned");
	if (rc)
		return send_error(c, MHD_HTTP_NOT_FOUND,
				  "the log has no such thing (yet)");
	k->waits = c;
	k->asked = live_mono();
	MHD_suspend_connection(c);
	return MHD_YES;
}

/* --- cosignatures --- */

/* Called with the head, with each part of the body, and when all is there. */
static enum MHD_Result on_cosignature(struct server *s,
				      struct MHD_Connection *c,
				      struct connection *k, const char *body,
				      size_t *n_body, bool first)
{
	struct lookup l = lookup_cosign();
	struct looked q = {.l = &l};
	struct wbuf w = {0};
	const char *why;
	unsigned status;
	int rc;

	if (first) {
		k->n_post = 0;
		return MHD_YES;
	}
	if (*n_body) {
		/* One octet too many is enough to know. */
		size_t n = *n_body < sizeof(k->post) + 1 - k->n_post
				   ? *n_body
				   : sizeof(k->post) + 1 - k->n_post;

		if (k->n_post + n <= sizeof(k->post))
			memcpy(k->post + k->n_post, body, n);
		k->n_post += n;
		*n_body = 0;
		return MHD_YES;
	}
	MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, on_detail, &q);
	if (q.rc == 0)
		q.rc = lookup_ready(&l, &q.e);
	if (q.rc)
		return send_error(c, MHD_HTTP_BAD_REQUEST, q.e.text);
	if (k->n_post > sizeof(k->post))
		return send_error(c, MHD_HTTP_CONTENT_TOO_LARGE,
				  "a cosignature has at most 4096 octets");
	if (!take_question(s, k))
		return busy(c);
	rc = shelf_post(streams_shelf(s->streams), k, l.key.a,
				  span_of(k->post, k->n_post));
	if (rc < 0) {
		status = lookup_refusal(rc, &why);
		return send_error(c, status, why);
	}
	if (rc == 1)
		return send_octets(c, MHD_HTTP_NO_CONTENT, "text/plain", &w);
	k->waits = c;
	k->asked = live_mono();
	MHD_suspend_connection(c);
	return MHD_YES;
}

/* --- policies --- */

static enum MHD_Result send_card(struct server *s, struct MHD_Connection *c,
				 struct connection *k, const char *rest)
{
	struct wbuf w;
	struct err e = {0};
	const char *type;
	uint8_t *fit;
	int rc;

	if (has_arguments(c, &e))
		return send_error(c, MHD_HTTP_BAD_REQUEST, e.text);
	if (!take_question(s, k))
		return busy(c);
	rc = cards_write(s->a->cards, rest, &w, &type);
	if (rc)
		return send_error(c,
				  rc == E_NOTFOUND ? MHD_HTTP_NOT_FOUND
				  : rc == E_STATE
					  ? MHD_HTTP_SERVICE_UNAVAILABLE
					  : MHD_HTTP_INTERNAL_SERVER_ERROR,
				  rc == E_NOTFOUND
					  ? "no policy in force has this label"
				  : rc == E_STATE ? "no policies are in force "
						    "(yet)"
						  : "no memory");
	fit = realloc(w.p, w.n ? w.n : 1);
	w.p = fit ? fit : w.p;
	return send_octets(c, MHD_HTTP_OK, type, &w);
}

/* --- the customer's file --- */

static enum MHD_Result send_proposed(struct server *s,
				     struct MHD_Connection *c,
				     struct connection *k)
{
	struct wbuf w = {0};
	unsigned status = customer_answer(s->customer, &w);

	if (status) {
		customer_end(s->customer, k);
		return w.p ? send_octets(c, status, "application/json", &w)
			   : send_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR,
					"no memory");
	}
	k->waits = c;
	k->asked = live_mono();
	MHD_suspend_connection(c);
	return MHD_YES;
}

static bool too_long(struct MHD_Connection *c)
{
	const char *n = MHD_lookup_connection_value(
		c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return n && strtoull(n, NULL, 10) > PROPOSE_SOURCE;
}

static bool open_parcel(struct server *s, struct connection *k)
{
	k->parcel.open = has_place(s, &k->from, PARCELS, proposing);
	return k->parcel.open;
}

/* All of it came. */
static enum MHD_Result send_parcel(struct server *s, struct MHD_Connection *c,
				   struct connection *k)
{
	const struct parcel *p = &k->parcel;

	if (p->lost)
		return send_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR,
				  "no memory");
	if (p->large || p->n == 0)
		return send_error(c, p->large ? MHD_HTTP_CONTENT_TOO_LARGE
					      : MHD_HTTP_BAD_REQUEST,
				  "a customer's file has 1 octet to 256 KiB");
	if (!customer_send(s->customer, k, span_of(p->octets, p->n),
			   k->portal ? OFFER_PORTAL : OFFER_OPERATOR))
		return send_error(c, MHD_HTTP_SERVICE_UNAVAILABLE,
				  "another file is looked at; try again in a "
				  "few seconds");
	parcel_end(&k->parcel);
	k->since = live_mono();
	k->life_ns = PROPOSE_NS;
	return send_proposed(s, c, k);
}

/* Called with the head, with each part of the body, and when all is there. */
static enum MHD_Result on_customer(struct server *s, struct MHD_Connection *c,
				   struct connection *k, const char *body,
				   size_t *n_body, bool first)
{
	struct customer *u = s->customer;
	struct err e = {0};

	if (first && !k->portal && !s->operators)
		return send_error(c, MHD_HTTP_FORBIDDEN,
				  "only the portal guest and the operator may "
				  "propose; metergated.conf names it by "
				  "portal:");
	if (first && has_arguments(c, &e))
		return send_error(c, MHD_HTTP_BAD_REQUEST, e.text);
	if (first && too_long(c))
		return send_error(c, MHD_HTTP_CONTENT_TOO_LARGE,
				  "a customer's file has at most 256 KiB");
	if (first)
		return open_parcel(s, k) ? MHD_YES : busy(c);
	if (*n_body) {
		parcel_add(&k->parcel, span_of(body, *n_body));
		*n_body = 0;
		return MHD_YES;
	}
	if (u->owner == k)
		return send_proposed(s, c, k);
	return send_parcel(s, c, k);
}
static void ask_again(struct server *s, bool came, struct mono now)
{
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *k = &s->connection[i];
		struct MHD_Connection *c = k->waits;

		if (k->fd < 0 || !c ||
		    (!came && !k->ended && mono_sub(now, k->asked) < AGAIN_NS))
			continue;
		k->waits = NULL;
		s->resumed = true;
		MHD_resume_connection(c);
	}
}

/* --- records --- */

/* A stream and whose it is. */
struct reading {
	struct stream *stream;
	struct MHD_Connection *c;
	struct connection *k;
};

/* Whoever closed his side, even one only, is not waiting for anything. */
static bool hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLRDHUP};

	return poll(&p, 1, 0) == 1;
}

static ssize_t on_more(void *arg, uint64_t pos, char *to, size_t cap)
{
	const struct reading *r = arg;
	int64_t n = stream_give(r->stream, to, cap);

	(void)pos;
	switch (n) {
	case STREAM_WAIT:
		/* Nobody looks at a connection that is suspended. */
		if (hung_up(r->k->fd))
			return MHD_CONTENT_READER_END_WITH_ERROR;
		MHD_suspend_connection(r->c);
		return 0;
	case STREAM_END:
		return MHD_CONTENT_READER_END_OF_STREAM;
	case STREAM_BROKEN:
		return MHD_CONTENT_READER_END_WITH_ERROR;
	default:
		return (ssize_t)n;
	}
}

static void on_end(void *arg)
{
	struct reading *r = arg;

	r->k->stream_over = true;
	stream_free(r->stream);
	free(r);
}

static struct connection *whose(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void on_resume(void *conn)
{
	struct connection *k = whose(conn);

	if (k)
		k->server->resumed = true;
	MHD_resume_connection(conn);
}

/* answer: a response, which is let go of. */
static enum MHD_Result send_records(struct MHD_Connection *c,
				    struct MHD_Response *answer, bool events)
{
	enum MHD_Result rc;

	MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE,
				events ? "text/event-stream"
				       : "application/x-ndjson");
	MHD_add_response_header(answer, MHD_HTTP_HEADER_CACHE_CONTROL,
				"no-store");
	MHD_add_response_header(answer, "X-Content-Type-Options", "nosniff");
	rc = MHD_queue_response(c, MHD_HTTP_OK, answer);
	MHD_destroy_response(answer);
	return rc;
}

static ssize_t on_nothing(void *arg, uint64_t pos, char *to, size_t cap)
{
	(void)arg;
	(void)pos;
	(void)to;
	(void)cap;
	return MHD_CONTENT_READER_END_OF_STREAM;
}

/* Of a stream the head alone. The library would end the body that there is not
 * by a last chunk, but for an answer without chunks, which it closes behind. */
static enum MHD_Result send_stream_head(struct MHD_Connection *c, bool events)
{
	struct MHD_Response *answer = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK, on_nothing, NULL, NULL);

	if (!answer)
		return MHD_NO;
	MHD_set_response_options(answer, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT,
				 MHD_RO_END);
	return send_records(c, answer, events);
}

static enum MHD_Result start_stream(struct server *s, struct MHD_Connection *c,
				    struct connection *k, const struct want *w)
{
	struct reading *r = calloc(1, sizeof(*r));
	struct MHD_Response *answer = NULL;

	if (r)
		*r = (struct reading){stream_new(s->streams, w, c, on_resume),
				      c, k};
	if (r && r->stream)
		answer = MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, BLOCK, on_more, r, on_end);
	if (!answer) {
		if (r && r->stream)
			stream_free(r->stream);
		free(r);
		return MHD_NO;
	}
	k->stream = true;
	k->stream_over = false;
	MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, STUCK_S);
	return send_records(c, answer, w->events);
}

struct asked {
	struct want w;
	struct err e;
	int rc;
};

static enum MHD_Result on_argument(void *arg, enum MHD_ValueKind kind,
				   const char *name, const char *value)
{
	struct asked *q = arg;

	(void)kind;
	q->rc = want_set(&q->w, name, value, &q->e);
	return q->rc ? MHD_NO : MHD_YES;
}

static enum MHD_Result send_stream(struct server *s, struct MHD_Connection *c,
				   struct connection *k, bool head)
{
	struct asked q = {0};
	const char *seen = MHD_lookup_connection_value(c, MHD_HEADER_KIND,
						       "Last-Event-ID");
	struct window_log log;
	char gone[64];
	uint64_t first;

	/* Who reads events waits for more, unless he says otherwise. */
	q.w.events = q.w.follow = want_events(MHD_lookup_connection_value(
		c, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT));
	MHD_get_connection_values(c, MHD_GET_ARGUMENT_KIND, on_argument, &q);
	if (q.rc == 0 && q.w.events && seen)
		q.rc = want_last_event(&q.w, seen, &q.e);
	if (q.rc)
		return send_error(c, MHD_HTTP_BAD_REQUEST, q.e.text);
	if (!window_log(s->a->window, &log))
		return closed(c);
	if (q.w.origin[0] && strcmp(q.w.origin, log.origin) != 0)
		return send_error(c, MHD_HTTP_GONE, "the log that is written "
				  "is of another origin; /v1/status names it");
	first = shelf_first(streams_shelf(s->streams));
	if (!q.w.events && !q.w.last && q.w.from && q.w.from < first) {
		snprintf(gone, sizeof(gone), "records before %llu were pruned",
			 (unsigned long long)first);
		return send_error(c, MHD_HTTP_GONE, gone);
	}
	if (head)
		return send_stream_head(c, q.w.events);
	if (!has_place(s, &k->from, s->max_streams, streaming))
		return busy(c);
	return start_stream(s, c, k, &q.w);
}

static bool has_body(struct MHD_Connection *c)
{
	const char *n = MHD_lookup_connection_value(
		c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (n && strspn(n, "0") != strlen(n)) ||
	       MHD_lookup_connection_value(c, MHD_HEADER_KIND,
					   MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

/* Before the library reads it. What is returned on_request finds in place of a
 * request seen before: why it is refused. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *c)
{
	(void)arg;
	(void)c;
	return (void *)(uintptr_t)asked_bad_target(target);
}

static enum MHD_Result on_field(void *arg, enum MHD_ValueKind kind,
				const char *name, const char *value)
{
	(void)kind;
	asked_field(arg, name, value);
	return MHD_YES;
}

static const char *bad_fields(struct MHD_Connection *c)
{
	struct asked_head h = {0};

	MHD_get_connection_values(c, MHD_HEADER_KIND, on_field, &h);
	return asked_bad_fields(&h);
}

/* Called when the head is there, and again when the body is. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c,
				  const char *target, const char *method,
				  const char *version, const char *body,
				  size_t *n_body, void **seen)
{
	struct server *s = arg;
	const char *path = asked_path(target);
	const struct page *p = page_of(path);
	bool audit = strcmp(path, "/v1/audit") == 0;
	struct lookup l;
	bool single = lookup_of(&l, path);
	const char *rest;
	bool card = cards_of(path, &rest);
	bool cosignature = strcmp(path, "/v1/cosignature") == 0;
	bool customer = strcmp(path, "/v1/customer") == 0;
	bool first = *seen != s;
	const char *bad = first ? *seen : NULL;
	struct connection *k = whose(c);

	(void)version;
	if (!k)
		return MHD_NO;
	if (first && !bad)
		bad = bad_fields(c);
	if (bad)
		return send_error(c, MHD_HTTP_BAD_REQUEST, bad);
	*seen = s;
	if (cosignature && strcmp(method, MHD_HTTP_METHOD_POST) == 0)
		return on_cosignature(s, c, k, body, n_body, first);
	if (customer && strcmp(method, MHD_HTTP_METHOD_PUT) == 0)
		return on_customer(s, c, k, body, n_body, first);
	if (cosignature || customer)
		return send_refusal(c, MHD_HTTP_METHOD_NOT_ALLOWED,
				    cosignature ? "POST" : "PUT",
				    cosignature ? "this resource takes a POST"
						: "this resource takes a PUT");
	if (!p && !audit && !single && !card)
		return send_error(c, MHD_HTTP_NOT_FOUND, "no such resource");
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return send_refusal(c, MHD_HTTP_METHOD_NOT_ALLOWED,
				    "GET, HEAD",
				    "this resource can only be read");
	/* Once a body comes the library takes no answer any more. */
	if (first && has_body(c))
		return send_error(c, MHD_HTTP_BAD_REQUEST,
				  "a question has no body");
	if (first)
		return MHD_YES;
	return p	? send_page(s, c, k, p)
	       : card	? send_card(s, c, k, rest)
	       : single ? send_lookup(s, c, k, &l)
			: send_stream(s, c, k, strcmp(method, "HEAD") == 0);
}

static void on_answered(void *arg, struct MHD_Connection *c, void **seen,
			enum MHD_RequestTerminationCode how)
{
	struct connection *k = whose(c);

	(void)arg;
	(void)seen;
	(void)how;
	if (!k)
		return;
	k->question = false;
	parcel_end(&k->parcel);
}

/* --- connections ---------------------------------------------------------- */

/* IPv4 as mapped; false: it is none of IP. */
static bool address(struct net_addr *to, const struct sockaddr *a)
{
	*to = (struct net_addr){.b = {[10] = 0xff, [11] = 0xff}};
	if (a->sa_family == AF_INET) {
		struct sockaddr_in v4;

		memcpy(&v4, a, sizeof(v4));
		memcpy(to->b + 12, &v4.sin_addr, 4);
	} else if (a->sa_family == AF_INET6) {
		struct sockaddr_in6 v6;

		memcpy(&v6, a, sizeof(v6));
		memcpy(to->b, &v6.sin6_addr, 16);
	}
	return a->sa_family == AF_INET || a->sa_family == AF_INET6;
}

/* Whom to answer: nobody but the portal guest, unless the configuration says
 * anybody. That an address is whose it says it is, the rules in front see to. */
static enum MHD_Result on_accept(void *arg, const struct sockaddr *from,
				 socklen_t n)
{
	const struct server *s = arg;
	struct net_addr a;

	if (s->operators)
		return MHD_YES;
	if (n < sizeof(sa_family_t) || !address(&a, from))
		return MHD_NO;
	if (s->anybody ? has_place(s, &a, CONNECTIONS, connected)
		       : cards_is_portal(s->a->cards, &a))
		return MHD_YES;
	return MHD_NO;
}

/* Zero: not by IP. */
static struct net_addr from_where(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct net_addr a;

	return info && info->client_addr && address(&a, info->client_addr)
		       ? a
		       : (struct net_addr){0};
}

static void on_connection(void *arg, struct MHD_Connection *c, void **mine,
			  enum MHD_ConnectionNotificationCode what)
{
	struct server *s = arg;
	struct connection *k = *mine;
	struct net_addr from = from_where(c);
	const union MHD_ConnectionInfo *info;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (k) {
			shelf_forget(streams_shelf(s->streams), k);
			customer_end(s->customer, k);
			parcel_end(&k->parcel);
			k->fd = -1;
		}
		return;
	}
	info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	for (size_t i = 0; info && i < CONNECTIONS; i++) {
		if (s->connection[i].fd >= 0)
			continue;
		s->connection[i] = (struct connection){
			.server = s,
			.fd = info->connect_fd,
			.since = live_mono(),
			.life_ns = LIFE_NS,
			.from = from,
			.portal = !s->operators &&
				  cards_is_portal(s->a->cards, &from),
		};
		*mine = &s->connection[i];
		return;
	}
}

/* However busy it looks: an octet now and then must not hold a place. */
static void end_old(struct server *s, struct mono now)
{
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *k = &s->connection[i];

		if (k->fd < 0 || k->ended || streaming(k) ||
		    mono_sub(now, k->since) < k->life_ns)
			continue;
		/* The library finds it closed, and lets go of it. */
		shutdown(k->fd, SHUT_RDWR);
		k->ended = true;
	}
}

/* s: as its caller began it. */
static int start(struct server *s, int fd, struct err *e)
{
	for (size_t i = 0; i < CONNECTIONS; i++)
		s->connection[i].fd = -1;
	if (fd < 0)
		return 0;
	/* Somebody who is gone again must not make us wait for the next. */
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, "listening socket");
	s->daemon = MHD_start_daemon(
		MHD_ALLOW_SUSPEND_RESUME, 0, on_accept, s, on_request, s,
		MHD_OPTION_LISTEN_SOCKET, fd, /* its loop is ours */
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MAX,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
		MHD_OPTION_NOTIFY_COMPLETED, on_answered, s,
		MHD_OPTION_END);
	return s->daemon ? 0 : err_set(e, E_NOMEM, 0, "HTTP server");
}

/* --- the loop ------------------------------------------------------------- */

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
	struct timeval wait = {0, TURN_MS * 1000};
	MHD_socket max = a->wake_fd;
	bool came;
	fd_set in, out, odd;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&odd);
	FD_SET(a->wake_fd, &in);
	came = streams_turn(streams, live_mono(), wake_scribe, a->control);
	for (size_t i = 0; i < n; i++)
		ask_again(&s[i], came, live_mono());
	for (size_t i = 0; i < n; i++) {
		MHD_UNSIGNED_LONG_LONG ms;

		if (!s[i].daemon)
			continue;
		if (MHD_get_fdset(s[i].daemon, &in, &out, &odd, &max) !=
		    MHD_YES)
			return false;
		if (MHD_get_timeout(s[i].daemon, &ms) == MHD_YES &&
		    ms < TURN_MS && (suseconds_t)ms * 1000 < wait.tv_usec)
			wait.tv_usec = (suseconds_t)ms * 1000;
		/* It does not say that it has these to look at. */
		if (s[i].resumed)
			wait.tv_usec = 0;
		s[i].resumed = false;
	}
	if (select(max + 1, &in, &out, &odd, &wait) < 0) {
		FD_ZERO(&in);
		FD_ZERO(&out);
		FD_ZERO(&odd);
	}
	hear(a->wake_fd);
	for (size_t i = 0; i < n; i++) {
		if (!s[i].daemon)
			continue;
		end_old(&s[i], live_mono());
		if (MHD_run_from_select(s[i].daemon, &in, &out, &odd) !=
		    MHD_YES)
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
		rc = start(&s[i], i ? a->portal_fd : a->operator_fd, &e);
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
