/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP exchanges under EVE's names, and the oBIX objects in them. One
 * exchange is one record, told with the unit that ends its response; one
 * object or item is one, too, told with the unit that it stands in.
 */
#include "audit/eve_facts.h"

#define PATH_MOST 2048 /* octets of a path, and of a query */

static bool is_obix(const struct obs *o)
{
	return obs_family((enum obs_kind)o->kind) == OBS_FAMILY_OBIX;
}

/* What the message is: the observation that states its method or status. */
static const struct obs *message_of(const struct event *ev)
{
	const struct obs *o = ev->message;

	for (uint32_t i = 0; o; i++) {
		if (obs_has(o, F_METHOD) || obs_has(o, F_STATUS))
			return o;
		o = i < ev->n_leaves ? &ev->leaves[i] : NULL;
	}
	return NULL;
}

bool eve_is_http(const struct event *ev)
{
	return ev->message && message_of(ev);
}

/* An interim response ends nothing. One that ends with the connection is told
 * when it begins: no unit will be its last. */
static bool ends_exchange(const struct event *ev)
{
	const struct obs *o = message_of(ev), *m = ev->message;
	bool told = obs_has(m, F_UNTIL_CLOSE) ? !obs_has(m, F_CONTINUES) :
						obs_has(m, F_LAST);

	return told && o && obs_get(o, F_STATUS, 0) >= 200;
}

static unsigned objects(const struct event *ev)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < ev->n_leaves; i++)
		n += is_obix(&ev->leaves[i]);
	return n;
}

unsigned eve_http_lines(const struct event *ev)
{
	return objects(ev) + ends_exchange(ev);
}

const char *eve_http_type(const struct event *ev, unsigned line)
{
	return line < objects(ev) ? "obix" : "http";
}

static void put_text(struct json *j, const char *key, const struct obs *o,
		     enum field f)
{
	if (obs_has(o, f))
		json_text(j, key, obs_get_span(o, f));
}

/* As it was sent: a slash at the end is apart. */
static void put_path(struct json *j, const char *key, const struct obs *o,
		     enum field f)
{
	uint8_t text[PATH_MOST + 2 + PATH_MOST];
	struct wbuf w = wbuf_of(text, sizeof(text));

	if (!obs_has(o, f))
		return;
	wbuf_put(&w, obs_get_span(o, f));
	if (obs_has(o, F_SLASH))
		wbuf_u8(&w, '/');
	if (f == F_PATH && obs_has(o, F_QUERY)) {
		wbuf_u8(&w, '?');
		wbuf_put(&w, obs_get_span(o, F_QUERY));
	}
	json_text(j, key, wbuf_span(&w));
}

static void put_exchange(struct json *j, const struct obs *o)
{
	json_obj(j, "http");
	put_text(j, "hostname", o, F_HOST);
	put_path(j, "url", o, F_PATH);
	put_text(j, "http_content_type", o, F_CONTENT_TYPE);
	put_text(j, "http_method", o, F_METHOD);
	if (obs_has(o, F_STATUS))
		json_u64(j, "status", obs_get(o, F_STATUS, 0));
	if (obs_has(o, F_BODY))
		json_u64(j, "length", obs_get(o, F_BODY, 0));
	json_obj_end(j);
}

/* "read-response" of "obix.read-response" */
static const char *op_of(const struct obs *o)
{
	const char *name = obs_name((enum obs_kind)o->kind);
	const char *dot = strchr(name, '.');

	return dot ? dot + 1 : name;
}

/* Members of an object in their order; absent is unknown. */
static const struct {
	enum field field;
	const char *key;
} object_keys[] = {
	{F_IS, "contract"},
	{F_OBIX_UNIT, "unit"},
	{F_MEASUREMENT, "quantity"},
	{F_ASKS_FOR, "asks_for"},
	{F_READINGS, "records"},
	{F_GRANULARITY, "interval_s"},
	{F_SPAN_S, "span_s"},
	{F_OLDEST, "oldest"},
	{F_NEWEST, "newest"},
	{F_VALUES, "values"},
};
#define N_OBJECT_KEYS (sizeof(object_keys) / sizeof(object_keys[0]))

/* What the message states of itself, and what the metergate object names. */
static const enum field not_of_object[] = {
	F_METHOD, F_HOST,   F_PATH,	 F_QUERY, F_STATUS, F_CONTENT_TYPE,
	F_BODY,	  F_OCTETS, F_CONTINUES, F_LAST,  F_CARRIED,
	F_SLASH,
};

static void put_object(struct json *j, const struct obs *o,
		       const struct eve_opts *opt)
{
	struct eve_fields skip = {{0}};

	for (size_t i = 0; i < sizeof(not_of_object) / sizeof(*not_of_object);
	     i++)
		fields_add(&skip, not_of_object[i]);
	json_obj(j, "obix");
	json_str(j, "op", op_of(o));
	fields_add(&skip, F_HREF);
	put_path(j, "uri", o, F_HREF);
	for (size_t i = 0; i < N_OBJECT_KEYS; i++) {
		const struct fact *f = eve_fact_of(o, object_keys[i].field);

		fields_add(&skip, object_keys[i].field);
		if (!f)
			continue;
		json_key(j, span_str(object_keys[i].key));
		eve_fact(j, f);
	}
	eve_facts(j, o, opt, skip);
	if (opt->values && obs_has(o, F_VALUE_MIN)) {
		json_key(j, span_str("value_min"));
		eve_fact(j, eve_fact_of(o, F_VALUE_MIN));
		json_key(j, span_str("value_max"));
		eve_fact(j, eve_fact_of(o, F_VALUE_MAX));
		json_key(j, span_str("value_unit"));
		eve_fact(j, eve_fact_of(o, F_RES_UNIT));
	}
	json_obj_end(j);
}

/* The n-th oBIX object. */
static const struct obs *object(const struct event *ev, unsigned n)
{
	for (uint32_t i = 0; i < ev->n_leaves; i++) {
		if (is_obix(&ev->leaves[i]) && n-- == 0)
			return &ev->leaves[i];
	}
	return NULL;
}

void eve_http(struct json *j, const struct event *ev,
	      const struct eve_opts *opt)
{
	const struct obs *o = NULL;

	if (ev->type == EV_PROTOCOL) {
		o = object(ev, opt->line);
		if (o)
			put_object(j, o, opt);
		else
			put_exchange(j, message_of(ev));
		return;
	}
	put_exchange(j, message_of(ev));
	if ((ev->type == EV_DECISION || ev->type == EV_VIOLATION) &&
	    ev->leaf < ev->n_leaves && is_obix(&ev->leaves[ev->leaf]))
		put_object(j, &ev->leaves[ev->leaf], opt);
}
