/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked for, and what is answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "enforcer/daemon/courier_http.h"
#include "enforcer/daemon/live.h"
#include "enforcer/daemon/trial.h"

/* What the parent may take to look at a customer's file, and more. */
#define PROPOSE_NS (TRIAL_NS + 10 * NS_PER_S)

static bool asking(const struct connection *k)
{
	return k->question;
}

static bool proposing(const struct connection *k)
{
	return k->parcel.open;
}

static bool busy(struct connection *k)
{
	return http_error(k, HTTP_BUSY,
			  "as many as can be answered are being answered; "
			  "try again in a few seconds");
}

static bool closed(struct connection *k)
{
	return http_error(k, HTTP_BUSY,
			  "no log is open; try again in a few seconds");
}

static enum shelf_side side_of(const struct connection *k)
{
	return k->server->operators ? SHELF_OPERATORS : SHELF_PORTAL;
}

/* May one more be answered now? */
static bool take_question(struct connection *k)
{
	k->question = k->question ||
		      http_place(k->server, &k->from, QUESTIONS, asking);
	return k->question;
}

/* --- arguments ------------------------------------------------------------ */

static int on_detail(void *arg, const char *name, const char *value,
		     struct err *e)
{
	return lookup_set(arg, name, value, e);
}

/* Of a resource that has none. e->text says which. */
static bool has_arguments(struct connection *k, struct err *e)
{
	struct lookup none = {0};

	return http_arguments(k, on_detail, &none, e) != 0;
}

/* --- pages ---------------------------------------------------------------- */

static bool send_page(struct connection *k, const struct page *p)
{
	struct wbuf w = {0};
	struct err e = {0};
	uint8_t *fit;

	if (has_arguments(k, &e))
		return http_error(k, HTTP_BAD_REQUEST, e.text);
	if (!take_question(k))
		return busy(k);
	w = (struct wbuf){malloc(p->max), p->max, 0, false};
	if (!w.p || !p->write(k->server->a, &w)) {
		free(w.p);
		return http_error(k, HTTP_FAILED, "no memory");
	}
	/* It may lie there for as long as the connection lives. */
	fit = realloc(w.p, w.n ? w.n : 1);
	w.p = fit ? fit : w.p;
	return http_send(k, HTTP_OK, p->type, &w);
}

/* --- single answers ------------------------------------------------------- */

static bool send_found(struct connection *k, const struct lookup *l,
		       struct span octets)
{
	struct wbuf w = {malloc(octets.n + 1), octets.n + 1, 0, false};

	if (!w.p)
		return http_error(k, HTTP_FAILED, "no memory");
	wbuf_put(&w, octets);
	return http_send(k, HTTP_OK, l->type, &w);
}

/* Nothing is given in place of what was altered or cannot be read. */
static bool send_damaged(struct connection *k, struct span why)
{
	char text[ERR_TEXT];

	snprintf(text, sizeof(text), "the log is damaged: %.*s",
		 (int)(why.n < 200 ? why.n : 200), (const char *)why.p);
	return http_error(k, HTTP_FAILED, text);
}

/* Asked again for the same when the scribe has answered. */
static bool send_lookup(struct connection *k, struct lookup *l)
{
	struct shelf *shelf = streams_shelf(k->server->streams);
	struct err e = {0};
	struct span octets;
	uint32_t n;
	int rc;

	if (http_arguments(k, on_detail, l, &e) || lookup_ready(l, &e))
		return http_error(k, HTTP_BAD_REQUEST, e.text);
	if (!take_question(k))
		return busy(k);
	if (!shelf_log(shelf))
		return closed(k);
	rc = E_NOTFOUND;
	if (lookup_there(l, shelf_size(shelf)))
		rc = shelf_get(shelf, side_of(k), &l->key, l->width,
			       live_mono(), &octets, &n);
	if (rc == 1)
		return send_found(k, l, lookup_cut(l, octets));
	if (rc == E_INTEGRITY || rc == E_IO)
		return send_damaged(k, octets);
	if (rc == E_STATE)
		return closed(k);
	if (rc && lookup_gone(l, shelf_first(shelf)))
		return http_error(k, HTTP_GONE, "it was pruned");
	if (rc)
		return http_error(k, HTTP_NOT_FOUND,
				  "the log has no such thing (yet)");
	return http_wait(k);
}

/* --- cosignatures --------------------------------------------------------- */

/* One octet too many is enough to know. */
static void add_post(struct connection *k, struct span octets)
{
	size_t room = sizeof(k->post) + 1 - k->n_post;
	size_t n = octets.n < room ? octets.n : room;

	if (k->n_post + n <= sizeof(k->post))
		memcpy(k->post + k->n_post, octets.p, n);
	k->n_post += n;
}

static bool send_cosigned(struct connection *k)
{
	struct lookup l = lookup_cosign();
	struct err e = {0};
	struct wbuf w = {0};
	const char *why;
	unsigned status;
	int rc;

	if (http_arguments(k, on_detail, &l, &e) || lookup_ready(&l, &e))
		return http_error(k, HTTP_BAD_REQUEST, e.text);
	if (k->n_post > sizeof(k->post))
		return http_error(k, HTTP_TOO_LARGE,
				  "a cosignature has at most 4096 octets");
	if (!take_question(k))
		return busy(k);
	rc = shelf_post(streams_shelf(k->server->streams), k, l.key.a,
			span_of(k->post, k->n_post));
	if (rc < 0) {
		status = lookup_refusal(rc, &why);
		return http_error(k, status, why);
	}
	if (rc == 1)
		return http_send(k, HTTP_NO_CONTENT, "text/plain", &w);
	return http_wait(k);
}

static bool on_cosignature(struct connection *k, const struct request *r)
{
	switch (r->at) {
	case REQUEST_HEAD:
		k->n_post = 0;
		return true;
	case REQUEST_PART:
		add_post(k, r->octets);
		return true;
	default:
		return send_cosigned(k);
	}
}

/* --- policies ------------------------------------------------------------- */

static bool send_card(struct connection *k, const char *rest)
{
	struct wbuf w;
	struct err e = {0};
	const char *type;
	uint8_t *fit;
	int rc;

	if (has_arguments(k, &e))
		return http_error(k, HTTP_BAD_REQUEST, e.text);
	if (!take_question(k))
		return busy(k);
	rc = cards_write(k->server->a->cards, rest, &w, &type);
	if (rc)
		return http_error(k,
				  rc == E_NOTFOUND ? HTTP_NOT_FOUND
				  : rc == E_STATE  ? HTTP_BUSY
						   : HTTP_FAILED,
				  rc == E_NOTFOUND
					  ? "no policy in force has this label"
				  : rc == E_STATE ? "no policies are in force "
						    "(yet)"
						  : "no memory");
	fit = realloc(w.p, w.n ? w.n : 1);
	w.p = fit ? fit : w.p;
	return http_send(k, HTTP_OK, type, &w);
}

/* --- the customer's file --------------------------------------------------- */

static bool send_proposed(struct connection *k)
{
	struct wbuf w = {0};
	unsigned status = customer_answer(k->server->customer, &w);

	if (status) {
		customer_end(k->server->customer, k);
		return w.p ? http_send(k, status, "application/json", &w)
			   : http_error(k, HTTP_FAILED, "no memory");
	}
	return http_wait(k);
}

static bool too_long(struct connection *k)
{
	const char *n = http_field(k, "Content-Length");

	return n && strtoull(n, NULL, 10) > PROPOSE_SOURCE;
}

static bool open_parcel(struct connection *k)
{
	k->parcel.open = http_place(k->server, &k->from, PARCELS, proposing);
	return k->parcel.open;
}

/* All of it came. */
static bool send_parcel(struct connection *k)
{
	const struct parcel *p = &k->parcel;

	if (p->lost)
		return http_error(k, HTTP_FAILED, "no memory");
	if (p->large || p->n == 0)
		return http_error(k, p->large ? HTTP_TOO_LARGE
					      : HTTP_BAD_REQUEST,
				  "a customer's file has 1 octet to 256 KiB");
	if (!customer_send(k->server->customer, k, span_of(p->octets, p->n),
			   k->portal ? OFFER_PORTAL : OFFER_OPERATOR))
		return http_error(k, HTTP_BUSY,
				  "another file is looked at; try again in a "
				  "few seconds");
	parcel_end(&k->parcel);
	k->since = live_mono();
	k->life_ns = PROPOSE_NS;
	return send_proposed(k);
}

static bool begin_customer(struct connection *k)
{
	struct err e = {0};

	if (!k->portal && !k->server->operators)
		return http_error(k, HTTP_FORBIDDEN,
				  "only the portal guest and the operator may "
				  "propose; metergated.conf names it by "
				  "portal:");
	if (has_arguments(k, &e))
		return http_error(k, HTTP_BAD_REQUEST, e.text);
	if (too_long(k))
		return http_error(k, HTTP_TOO_LARGE,
				  "a customer's file has at most 256 KiB");
	return open_parcel(k) || busy(k);
}

static bool on_customer(struct connection *k, const struct request *r)
{
	switch (r->at) {
	case REQUEST_HEAD:
		return begin_customer(k);
	case REQUEST_PART:
		parcel_add(&k->parcel, r->octets);
		return true;
	default:
		return k->server->customer->owner == k ? send_proposed(k)
						       : send_parcel(k);
	}
}

/* --- records -------------------------------------------------------------- */

static int on_want(void *arg, const char *name, const char *value,
		   struct err *e)
{
	return want_set(arg, name, value, e);
}

static bool send_stream(struct connection *k, bool head)
{
	struct want w = {.side = side_of(k)};
	struct err e = {0};
	const char *seen = http_field(k, "Last-Event-ID");
	struct window_log log;
	char gone[64];
	uint64_t first;

	/* Who reads events waits for more, unless he says otherwise. */
	w.events = w.follow = want_events(http_field(k, "Accept"));
	if (http_arguments(k, on_want, &w, &e) ||
	    (w.events && seen && want_last_event(&w, seen, &e)))
		return http_error(k, HTTP_BAD_REQUEST, e.text);
	if (!window_log(k->server->a->window, &log))
		return closed(k);
	if (w.origin[0] && strcmp(w.origin, log.origin) != 0)
		return http_error(k, HTTP_GONE, "the log that is written "
				  "is of another origin; /v1/status names it");
	first = shelf_first(streams_shelf(k->server->streams));
	if (!w.events && !w.last && w.from && w.from < first) {
		snprintf(gone, sizeof(gone), "records before %llu were pruned",
			 (unsigned long long)first);
		return http_error(k, HTTP_GONE, gone);
	}
	if (head)
		return http_stream_head(k, w.events);
	if (!http_place(k->server, &k->from, k->server->max_streams,
			http_streaming))
		return busy(k);
	return http_stream(k, &w);
}

/* --- which ---------------------------------------------------------------- */

bool courier_answer(struct connection *k, const struct request *r)
{
	const char *path = r->path, *method = r->method, *rest;
	const struct page *p = page_of(path);
	bool audit = strcmp(path, "/v1/audit") == 0;
	struct lookup l;
	bool single = lookup_of(&l, path), card = cards_of(path, &rest);
	bool cosignature = strcmp(path, "/v1/cosignature") == 0;
	bool customer = strcmp(path, "/v1/customer") == 0;
	bool head = strcmp(method, "HEAD") == 0;

	if (cosignature && strcmp(method, "POST") == 0)
		return on_cosignature(k, r);
	if (customer && strcmp(method, "PUT") == 0)
		return on_customer(k, r);
	if (cosignature)
		return http_not_allowed(k, "POST", "this resource takes a POST");
	if (customer)
		return http_not_allowed(k, "PUT", "this resource takes a PUT");
	if (!p && !audit && !single && !card)
		return http_error(k, HTTP_NOT_FOUND, "no such resource");
	if (strcmp(method, "GET") != 0 && !head)
		return http_not_allowed(k, "GET, HEAD",
					"this resource can only be read");
	/* Once a body comes the library takes no answer any more. */
	if (r->at == REQUEST_HEAD && r->has_body)
		return http_error(k, HTTP_BAD_REQUEST,
				  "a question has no body");
	if (r->at == REQUEST_HEAD)
		return true;
	return p	? send_page(k, p)
	       : card	? send_card(k, rest)
	       : single ? send_lookup(k, &l)
			: send_stream(k, head);
}
