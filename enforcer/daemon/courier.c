/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers questions about how the gateway is doing: GET /v1/status (JSON) and
 * GET /metrics, to the operator on a Unix socket and to the portal on a TCP
 * socket. Each socket has its own few connections, so that readers of one
 * never keep out those of the other; a connection lives a few seconds,
 * however slowly it asks or reads. One thread; nothing it is asked changes
 * anything.
 */
#include <fcntl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "core/json.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/metrics.h"
#include "enforcer/daemon/processes.h"
#include "enforcer/daemon/view.h"

#define CONNECTIONS 16 /* of each socket */
#define REQUEST_MAX (16 * 1024)
#define IDLE_S	    3
#define LIFE_NS	    (5 * NS_PER_S)
#define TURN_MS	    500
#define SILENT_NS   (3 * NS_PER_S) /* an engine without a beat */
#define STATUS_MAX  (64 * 1024)
#define TRIES	    64 /* to read what somebody is writing */

struct server;

struct connection {
	struct server *server;
	int fd; /* -1: free */
	struct mono since;
	bool ended; /* its time was up */
};

struct server {
	const struct courier_arg *a;
	struct MHD_Daemon *daemon;
	struct connection connection[CONNECTIONS];
};

/* --- answers -------------------------------------------------------------- */

struct audit_numbers {
	uint64_t records, commits, last_commit_us, failures, aggregated, lost;
	char error[sizeof(((struct view *)0)->error)];
};

static struct audit_numbers audit_numbers(const struct view *v)
{
	struct audit_numbers n = {0};

	for (int i = 0; i < TRIES; i++) {
		uint32_t seq = atomic_load_explicit(&v->seq,
						    memory_order_acquire);

		n = (struct audit_numbers){
			v->records,  v->commits,    v->last_commit_us,
			v->failures, v->aggregated, v->lost, ""};
		memcpy(n.error, v->error, sizeof(n.error));
		atomic_thread_fence(memory_order_acquire);
		if (!(seq & 1) && seq == atomic_load(&v->seq))
			break;
	}
	n.error[sizeof(n.error) - 1] = 0;
	return n;
}

static void put_audit(struct json *j, const struct view *v)
{
	struct audit_numbers n = audit_numbers(v);

	json_obj(j, "audit");
	json_u64(j, "records", n.records);
	json_u64(j, "commits", n.commits);
	json_u64(j, "last_commit_us", n.last_commit_us);
	json_u64(j, "failures", n.failures);
	json_u64(j, "aggregated", n.aggregated);
	json_u64(j, "lost", n.lost);
	if (n.error[0])
		json_str(j, "error", n.error);
	else
		json_null(j, "error");
	json_obj_end(j);
}

static const char *engine_state(const struct lane *l, struct mono now)
{
	int64_t beat = atomic_load(&l->engine_beat);

	if (atomic_load(&l->frozen))
		return "frozen";
	if (beat == 0)
		return "starting";
	/* The beat is the engine's word, and may be any number. */
	return beat > now.ns + SILENT_NS || beat < now.ns - SILENT_NS
		       ? "silent"
		       : "running";
}

static void put_guest(struct json *j, const struct guest_share *g,
		      struct lane_status *s, struct mono now)
{
	json_obj(j, NULL);
	json_str(j, "name", g->name);
	json_u64(j, "queue", g->queue);
	json_str(j, "engine", engine_state(g->lane, now));
	json_bool(j, "consistent", lane_status_read(s, g->lane));
	json_u64(j, "generation", s->generation);
	json_u64(j, "packets", s->packets);
	json_u64(j, "passed", s->passed);
	json_u64(j, "dropped", s->dropped);
	json_u64(j, "flows_now", s->flows_now);
	json_u64(j, "held_now", s->held_now);
	json_u64(j, "allowed", s->allowed);
	json_u64(j, "denied", s->denied);
	json_obj_end(j);
}

static bool write_status(const struct courier_arg *a, struct wbuf *w)
{
	struct json j = json_of(w->p, w->cap);
	struct lane_status *s = malloc(sizeof(*s));
	struct mono now = live_mono();

	if (!s)
		return false;
	json_obj(&j, NULL);
	json_str(&j, "version", METERGATE_VERSION);
	json_bool(&j, "clock_trusted",
		  atomic_load(&a->control->clock_trusted) != 0);
	json_i64(&j, "scribe_beat_ms_ago",
		 (now.ns - atomic_load(&a->control->scribe_beat)) / 1000000);
	json_bool(&j, "audit_closed",
		  atomic_load(&a->control->audit_closed) != 0);
	put_audit(&j, a->view);
	json_arr(&j, "guests");
	for (size_t i = 0; i < a->n_guests; i++)
		put_guest(&j, &a->guest[i], s, now);
	json_arr_end(&j);
	json_obj_end(&j);
	free(s);
	if (!json_line(&j))
		return false;
	w->n = j.w.n;
	return true;
}

static bool write_metrics(const struct courier_arg *a, struct wbuf *w)
{
	metrics_write(w, a->guest, a->n_guests, a->control, a->view);
	return !w->failed;
}

static const struct page {
	const char *path, *type;
	size_t max;
	bool (*write)(const struct courier_arg *a, struct wbuf *w);
} pages[] = {
	{"/v1/status", "application/json", STATUS_MAX, write_status},
	{"/metrics", "text/plain; version=0.0.4; charset=utf-8", METRICS_MAX,
	 write_metrics},
};

/* --- HTTP ----------------------------------------------------------------- */

static enum MHD_Result send_octets(struct MHD_Connection *c, unsigned status,
				   const char *type, struct wbuf *w)
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
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (status != MHD_HTTP_OK) /* what follows is read by nobody */
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION,
					"close");
	rc = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return rc;
}

static enum MHD_Result send_error(struct MHD_Connection *c, unsigned status,
				  const char *what)
{
	struct wbuf w = {malloc(256), 256, 0, false};
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
	return send_octets(c, status, "application/json", &w);
}

static enum MHD_Result send_page(struct MHD_Connection *c,
				 const struct courier_arg *a,
				 const struct page *p)
{
	struct wbuf w = {malloc(p->max), p->max, 0, false};
	uint8_t *fit;

	if (!w.p || !p->write(a, &w)) {
		free(w.p);
		return send_error(c, MHD_HTTP_INTERNAL_SERVER_ERROR,
				  "no memory");
	}
	/* It may lie there for as long as the connection lives. */
	fit = realloc(w.p, w.n ? w.n : 1);
	w.p = fit ? fit : w.p;
	return send_octets(c, MHD_HTTP_OK, p->type, &w);
}

static const struct page *page_of(const char *path)
{
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		if (strcmp(path, pages[i].path) == 0)
			return &pages[i];
	}
	return NULL;
}

/* Called when the head is there, and again when the body is. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *c,
				  const char *path, const char *method,
				  const char *version, const char *body,
				  size_t *n_body, void **seen)
{
	struct server *s = arg;
	const struct page *p = page_of(path);

	(void)version;
	(void)body;
	if (!p)
		return send_error(c, MHD_HTTP_NOT_FOUND, "no such resource");
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return send_error(c, MHD_HTTP_METHOD_NOT_ALLOWED,
				  "this resource can only be read");
	if (!*seen) {
		*seen = s;
		return MHD_YES;
	}
	if (*n_body)
		return send_error(c, MHD_HTTP_BAD_REQUEST,
				  "a question has no body");
	return send_page(c, s->a, p);
}

/* --- connections ---------------------------------------------------------- */

static void on_connection(void *arg, struct MHD_Connection *c, void **mine,
			  enum MHD_ConnectionNotificationCode what)
{
	struct server *s = arg;
	struct connection *k = *mine;
	const union MHD_ConnectionInfo *info;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (k)
			k->fd = -1;
		return;
	}
	info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	for (size_t i = 0; info && i < CONNECTIONS; i++) {
		if (s->connection[i].fd >= 0)
			continue;
		s->connection[i] = (struct connection){
			s, info->connect_fd, live_mono(), false};
		*mine = &s->connection[i];
		return;
	}
}

/* However busy it looks: an octet now and then must not hold a place. */
static void end_old(struct server *s, struct mono now)
{
	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *k = &s->connection[i];

		if (k->fd < 0 || k->ended || mono_sub(now, k->since) < LIFE_NS)
			continue;
		/* The library finds it closed, and lets go of it. */
		shutdown(k->fd, SHUT_RDWR);
		k->ended = true;
	}
}

static int start(struct server *s, const struct courier_arg *a, int fd,
		 struct err *e)
{
	s->a = a;
	for (size_t i = 0; i < CONNECTIONS; i++)
		s->connection[i].fd = -1;
	if (fd < 0)
		return 0;
	/* Somebody who is gone again must not make us wait for the next. */
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, "listening socket");
	s->daemon = MHD_start_daemon(
		MHD_NO_FLAG, 0, NULL, NULL, on_request, s,
		MHD_OPTION_LISTEN_SOCKET, fd, /* its loop is ours */
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_MAX,
		MHD_OPTION_STRICT_FOR_CLIENT, 1,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
		MHD_OPTION_END);
	return s->daemon ? 0 : err_set(e, E_NOMEM, 0, "HTTP server");
}

/* --- the loop ------------------------------------------------------------- */

static bool turn(struct server *s, size_t n)
{
	struct timeval wait = {0, TURN_MS * 1000};
	fd_set in, out, odd;
	MHD_socket max = -1;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&odd);
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
	}
	if (select(max + 1, &in, &out, &odd, &wait) < 0) {
		FD_ZERO(&in);
		FD_ZERO(&out);
		FD_ZERO(&odd);
	}
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
	struct err e = {0};
	int rc;

	if (!s)
		return 1;
	rc = start(&s[0], a, a->operator_fd, &e);
	if (rc == 0)
		rc = start(&s[1], a, a->portal_fd, &e);
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
	while (turn(s, 2));
	log_err(a->log, "the HTTP server failed");
	return 1;
}
