/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/courier_http.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/json.h"
#include "enforcer/daemon/live.h"

#define REQUEST_MAX (16 * 1024)
#define REFUSAL_MAX (6 * ERR_TEXT + 64) /* a text, escaped */
#define IDLE_S	    3
#define LIFE_NS	    (5 * NS_PER_S)
#define AGAIN_S	    "600" /* what is said to who proposes too often */
#define SOON_S	    "5"	  /* to who finds all places taken */
#define BLOCK	    (8 * 1024) /* of a stream, to the library at once */
#define STUCK_S	    30 /* a reader of one that takes nothing so long */
#define AGAIN_NS    (NS_PER_S / 2) /* to ask again for what did not come */

/* --- places --------------------------------------------------------------- */

/* Of what anybody may take, one address takes so many: no guest keeps out all
 * the others. */
#define SHARE(places) ((places) * 3 / 4)

static bool connected(const struct connection *k)
{
	return k->fd >= 0;
}

bool http_streaming(const struct connection *k)
{
	return k->stream && !k->stream_over;
}

bool http_place(const struct server *s, const struct net_addr *from,
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

/* --- answers -------------------------------------------------------------- */

/* allow: the methods that a resource has; NULL: it is not about that. */
static bool send_allow(struct connection *k, unsigned status, const char *type,
		       const char *allow, struct wbuf *w)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(w->n, w->p,
						MHD_RESPMEM_MUST_FREE);
	enum MHD_Result rc;

	if (!r) {
		free(w->p);
		return false;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	if (allow)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, allow);
	if (status == HTTP_TOO_MANY)
		MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER,
					AGAIN_S);
	if (status == HTTP_BUSY)
		MHD_add_response_header(r, MHD_HTTP_HEADER_RETRY_AFTER, SOON_S);
	if (status != HTTP_OK) /* what follows is read by nobody */
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION,
					"close");
	rc = MHD_queue_response(k->mhd, status, r);
	MHD_destroy_response(r);
	return rc == MHD_YES;
}

bool http_send(struct connection *k, unsigned status, const char *type,
	       struct wbuf *w)
{
	return send_allow(k, status, type, NULL, w);
}

static bool send_refusal(struct connection *k, unsigned status,
			 const char *allow, const char *what)
{
	struct wbuf w = {malloc(REFUSAL_MAX), REFUSAL_MAX, 0, false};
	struct json j = json_of(w.p, w.cap);

	if (!w.p)
		return false;
	json_obj(&j, NULL);
	json_str(&j, "error", what);
	json_obj_end(&j);
	if (!json_line(&j)) {
		free(w.p);
		return false;
	}
	w.n = j.w.n;
	return send_allow(k, status, "application/json", allow, &w);
}

bool http_error(struct connection *k, unsigned status, const char *what)
{
	return send_refusal(k, status, NULL, what);
}

bool http_not_allowed(struct connection *k, const char *allow,
		      const char *what)
{
	return send_refusal(k, HTTP_NOT_ALLOWED, allow, what);
}

bool http_wait(struct connection *k)
{
	k->waits = true;
	k->asked = live_mono();
	MHD_suspend_connection(k->mhd);
	return true;
}

static void ask_again(struct server *s, bool came, struct mono now)
{
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *k = &s->connection[i];

		if (k->fd < 0 || !k->waits ||
		    (!came && !k->ended && mono_sub(now, k->asked) < AGAIN_NS))
			continue;
		k->waits = false;
		s->resumed = true;
		MHD_resume_connection(k->mhd);
	}
}

/* --- records -------------------------------------------------------------- */

/* A stream and whose it is. */
struct reading {
	struct stream *stream;
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
		MHD_suspend_connection(r->k->mhd);
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

static void on_resume(void *conn)
{
	struct connection *k = conn;

	k->server->resumed = true;
	MHD_resume_connection(k->mhd);
}

/* answer: a response, which is let go of. */
static bool send_records(struct connection *k, struct MHD_Response *answer,
			 bool events)
{
	enum MHD_Result rc;

	MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE,
				events ? "text/event-stream"
				       : "application/x-ndjson");
	MHD_add_response_header(answer, MHD_HTTP_HEADER_CACHE_CONTROL,
				"no-store");
	MHD_add_response_header(answer, "X-Content-Type-Options", "nosniff");
	rc = MHD_queue_response(k->mhd, HTTP_OK, answer);
	MHD_destroy_response(answer);
	return rc == MHD_YES;
}

static ssize_t on_nothing(void *arg, uint64_t pos, char *to, size_t cap)
{
	(void)arg;
	(void)pos;
	(void)to;
	(void)cap;
	return MHD_CONTENT_READER_END_OF_STREAM;
}

/* The library would end the body that there is not by a last chunk, but for an
 * answer without chunks, which it closes behind. */
bool http_stream_head(struct connection *k, bool events)
{
	struct MHD_Response *answer = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK, on_nothing, NULL, NULL);

	if (!answer)
		return false;
	MHD_set_response_options(answer, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT,
				 MHD_RO_END);
	return send_records(k, answer, events);
}

bool http_stream(struct connection *k, const struct want *w)
{
	struct reading *r = calloc(1, sizeof(*r));
	struct MHD_Response *answer = NULL;

	if (r)
		*r = (struct reading){
			stream_new(k->server->streams, w, k, on_resume), k};
	if (r && r->stream)
		answer = MHD_create_response_from_callback(
			MHD_SIZE_UNKNOWN, BLOCK, on_more, r, on_end);
	if (!answer) {
		if (r && r->stream)
			stream_free(r->stream);
		free(r);
		return false;
	}
	k->stream = true;
	k->stream_over = false;
	MHD_set_connection_option(k->mhd, MHD_CONNECTION_OPTION_TIMEOUT,
				  STUCK_S);
	return send_records(k, answer, w->events);
}

/* --- requests ------------------------------------------------------------- */

const char *http_field(const struct connection *k, const char *name)
{
	return MHD_lookup_connection_value(k->mhd, MHD_HEADER_KIND, name);
}

struct arguments {
	int (*set)(void *arg, const char *name, const char *value,
		   struct err *e);
	void *arg;
	struct err *e;
	int rc;
};

static enum MHD_Result on_argument(void *arg, enum MHD_ValueKind kind,
				   const char *name, const char *value)
{
	struct arguments *q = arg;

	(void)kind;
	q->rc = q->set(q->arg, name, value, q->e);
	return q->rc ? MHD_NO : MHD_YES;
}

int http_arguments(const struct connection *k,
		   int (*set)(void *arg, const char *name, const char *value,
			      struct err *e),
		   void *arg, struct err *e)
{
	struct arguments q = {set, arg, e, 0};

	MHD_get_connection_values(k->mhd, MHD_GET_ARGUMENT_KIND, on_argument,
				  &q);
	return q.rc;
}

static bool has_body(const struct connection *k)
{
	const char *n = http_field(k, MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (n && strspn(n, "0") != strlen(n)) ||
	       http_field(k, MHD_HTTP_HEADER_TRANSFER_ENCODING);
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

static const char *bad_fields(const struct connection *k)
{
	struct asked_head h = {0};

	MHD_get_connection_values(k->mhd, MHD_HEADER_KIND, on_field, &h);
	return asked_bad_fields(&h);
}

static struct connection *whose(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* Called when the head is there, and again when the body is. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c,
				  const char *target, const char *method,
				  const char *version, const char *body,
				  size_t *n_body, void **seen)
{
	struct server *s = arg;
	bool first = *seen != s;
	const char *bad = first ? *seen : NULL;
	struct connection *k = whose(c);
	struct request r = {.at = first	    ? REQUEST_HEAD
				  : *n_body ? REQUEST_PART
					    : REQUEST_WHOLE,
			    .path = asked_path(target),
			    .method = method,
			    .octets = span_of(body, *n_body)};
	bool sent;

	(void)version;
	if (!k)
		return MHD_NO;
	if (first && !bad)
		bad = bad_fields(k);
	r.has_body = first && has_body(k);
	if (!bad)
		*seen = s;
	sent = bad ? http_error(k, HTTP_BAD_REQUEST, bad)
		   : courier_answer(k, &r);
	*n_body = 0; /* all of it was taken */
	return sent ? MHD_YES : MHD_NO;
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
 * anybody. That an address is whose it says it is the rules in front see to. */
static enum MHD_Result on_accept(void *arg, const struct sockaddr *from,
				 socklen_t n)
{
	const struct server *s = arg;
	struct net_addr a;

	if (s->operators)
		return MHD_YES;
	if (n < sizeof(sa_family_t) || !address(&a, from))
		return MHD_NO;
	if (s->anybody ? http_place(s, &a, CONNECTIONS, connected)
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
			.mhd = c,
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

		if (k->fd < 0 || k->ended || http_streaming(k) ||
		    mono_sub(now, k->since) < k->life_ns)
			continue;
		/* The library finds it closed, and lets go of it. */
		shutdown(k->fd, SHUT_RDWR);
		k->ended = true;
	}
}

int http_start(struct server *s, int fd, struct err *e)
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

bool http_before(struct server *s, bool came, struct mono now, fd_set *in,
		 fd_set *out, fd_set *odd, int *max, int64_t *ms)
{
	MHD_UNSIGNED_LONG_LONG due;

	ask_again(s, came, now);
	if (!s->daemon)
		return true;
	if (MHD_get_fdset(s->daemon, in, out, odd, max) != MHD_YES)
		return false;
	if (MHD_get_timeout(s->daemon, &due) == MHD_YES &&
	    due < (MHD_UNSIGNED_LONG_LONG)*ms)
		*ms = (int64_t)due;
	/* It does not say that it has these to look at. */
	if (s->resumed)
		*ms = 0;
	s->resumed = false;
	return true;
}

bool http_after(struct server *s, struct mono now, const fd_set *in,
		const fd_set *out, const fd_set *odd)
{
	if (!s->daemon)
		return true;
	end_old(s, now);
	return MHD_run_from_select(s->daemon, in, out, odd) == MHD_YES;
}
