/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/http/read.h"

#include "core/reason.h"
#include "dissectors/obix/names.h"

static int full(struct message *msg)
{
	return err_reason(msg->e, E_LIMIT, REASON_TOO_MANY_UNITS, 0,
			  "no place for the message");
}

/* --- facts ---------------------------------------------------------------------- */

/* Of the message, on whatever stands for it. */
static void state_message(const struct message *msg, struct obs *o)
{
	const struct http_side *s = &msg->x.next;
	const struct http_row *r = msg->row;
	struct span type = arena_copy(msg->c->arena, side_type(s));

	if (r) {
		obs_span(o, F_METHOD, http_method_name(
					      (enum http_method)r->method));
		obs_span(o, F_HOST, row_host(r));
		obs_span(o, F_PATH, uri_identity(row_path(r)));
		if (uri_identity(row_path(r)).n < r->path_n)
			obs_flag(o, F_SLASH);
		if (r->has_query)
			obs_span(o, F_QUERY, row_query(r));
	}
	if (!msg->x.request)
		obs_u64(o, F_STATUS, s->status);
	if (type.n)
		obs_span(o, F_CONTENT_TYPE, type);
	/* What the head says that nothing reads is content as the body is. */
	if (s->length_known)
		obs_u64(o, F_BODY, s->length + s->said);
	else if (msg->x.ends)
		obs_u64(o, F_BODY, s->body + s->said);
}

static void state_unit(const struct message *msg, struct obs *o)
{
	obs_u64(o, F_OCTETS, msg->unit.n);
	if (!msg->x.begins)
		obs_flag(o, F_CONTINUES);
	if (msg->x.next.carried)
		obs_u64(o, F_CARRIED, msg->x.next.carried);
	if (msg->x.ends)
		obs_flag(o, F_LAST);
	else if (msg->x.next.framing == FRAMING_CLOSE)
		obs_flag(o, F_UNTIL_CLOSE);
	if (msg->x.unpaired)
		obs_u64(o, F_NOTE,
			msg->c->midstream ? REASON_MIDSTREAM : REASON_UNPAIRED);
}

static enum obs_kind kind_of(const struct message *msg)
{
	return msg->x.request ? OBS_HTTP_REQUEST : OBS_HTTP_RESPONSE;
}

/* What the head says that nothing reads. A query is content of the request, as a
 * form in its body would be. Opaque is what the head says beyond its room, and a
 * query that goes out, but for the part of a history that it names. */
static void weigh_head(struct message *msg)
{
	bool out = msg->c->dir == DIR_OUT;
	uint32_t room = out ? HEAD_ROOM_OUT : HEAD_ROOM_IN;
	uint32_t said = msg->x.head.said, query = 0, unread = 0;
	const struct http_row *r = msg->x.request ? msg->row : NULL;
	struct http_side *s = &msg->x.next;

	if (r) {
		said += r->said;
		query = r->has_query ? r->query_n + 1u : 0;
		unread = obix_query_unread(row_query(r));
	}
	s->room = (uint16_t)(said < room ? room - said : 0);
	said = said > room ? said - room : 0;
	s->said = said + query;
	s->dark = (uint16_t)(said + (out ? unread : 0));
}

/* The places where a body is cut into chunks say something, too: no more than
 * the digits of their sizes. What senders of whole buffers need has room. Coming
 * in it is covered by the message, and of a page that goes out each octet is
 * opaque anyway. */
static void weigh_chunks(struct message *msg)
{
	struct http_side *s = &msg->x.next;
	uint32_t room = (uint32_t)(msg->x.body.n / CHUNK_ROOM);
	uint32_t digits = s->digits > room ? s->digits - room : 0, used;

	if (msg->c->dir == DIR_IN || (s->kind != BODY_OBIX && !s->coding))
		return;
	used = digits < s->room ? digits : s->room;
	s->room = (uint16_t)(s->room - used);
	s->said += digits - used;
	s->dark = (uint16_t)(s->dark + digits - used);
}

/* --- bodies ------------------------------------------------------------------------ */

/* The message as a page: what it is, and going out, that it holds octets that
 * nothing read. plain: those octets, decoded. */
static int state_page(struct message *msg, struct span plain, size_t octets)
{
	struct obs *o = obs_add(msg->out, OBS_FLOW_OPEN);
	bool out = msg->c->dir == DIR_OUT, goes_on = !msg->x.begins;
	int rc;

	if (!o)
		return full(msg);
	rc = obix_page(&msg->x.next.page, plain, msg->e);
	if (rc)
		return rc;
	state_unit(msg, o);
	if (!(out && goes_on && octets)) {
		o = obs_add(msg->out, kind_of(msg));
		if (!o)
			return full(msg);
		state_message(msg, o);
	}
	octets = (out ? octets : 0) + msg->x.next.dark;
	if (octets == 0)
		return 0;
	o = obs_add(msg->out, OBS_OPAQUE);
	if (!o)
		return full(msg);
	obs_u64(o, F_OCTETS, octets);
	if (goes_on) /* the exchange ends with it, and is told by it */
		state_message(msg, o);
	return 0;
}

/* What its head and chunks say beside a message of oBIX. */
static int state_dark(struct message *msg)
{
	struct obs *o;

	if (msg->x.next.dark == 0)
		return 0;
	o = obs_add(msg->out, OBS_OPAQUE);
	if (!o)
		return full(msg);
	obs_u64(o, F_OCTETS, msg->x.next.dark);
	return 0;
}

static struct obix_ctx context(struct message *msg)
{
	static const char *const none = "";
	struct http_row *r = msg->row;
	struct obix_ctx c = {
		.dis = msg->c,
		.m = machine_obix(msg->m),
		.at = &msg->x.next.scan,
		.ask = &msg->x.next.ask,
		.request = msg->x.request,
		.first = msg->x.next.body == msg->x.body.n,
		.last = msg->x.ends,
		.head = msg->x.answers == HTTP_HEAD,
		.status = msg->x.next.status,
		.method = span_str(none),
		.host = span_str(none),
		.path = span_str("/"),
	};

	if (r) {
		c.method = http_method_name((enum http_method)r->method);
		c.host = row_host(r);
		c.path = row_path(r);
		c.query = row_query(r);
	}
	return c;
}

static int read_obix(struct message *msg, struct span body)
{
	struct obs *o = obs_add(msg->out, kind_of(msg));
	struct obix_ctx c = context(msg);
	int rc;

	if (!o)
		return full(msg);
	state_message(msg, o);
	state_unit(msg, o);
	if (!msg->x.request && msg->row)
		msg->x.next.ask = msg->row->ask;
	msg->m->read = true;
	rc = obix_read(&c, body, msg->out, msg->e);
	if (rc == 0 && msg->x.request && msg->row)
		msg->row->ask = msg->x.next.ask;
	return rc ? rc : state_dark(msg);
}

/* A whole body in gzip or deflate. */
static int read_coded(struct message *msg)
{
	struct http_side *s = &msg->x.next;
	struct span plain;
	int rc = inflate_body(&msg->m->inflate, s->coding == CODING_GZIP,
			      msg->x.body, msg->m->decoded, &plain, msg->e);

	if (rc)
		return rc;
	switch (plain.n ? obix_recognise(span_sub(plain, 0, OBIX_WINDOW), true,
					 side_type(s), msg->e)
			: OBIX_NO) {
	case OBIX_YES:
		if (s->charset)
			return err_reason(msg->e, E_SYNTAX,
					  REASON_XML_ENCODING, 0,
					  "oBIX in another charset than UTF-8");
		return read_obix(msg, plain);
	case OBIX_BAD:
		return msg->e->code ? msg->e->code : E_SYNTAX;
	default:
		return state_page(msg, plain, msg->x.body.n);
	}
}

/* --- the whole ----------------------------------------------------------------------- */

/* A request that says all it has to say in its head. */
static int read_bare(struct message *msg)
{
	struct obix_ctx c = context(msg);
	struct obs *o = obs_add(msg->out, OBS_FLOW_OPEN);
	uint32_t mark;
	int rc;

	if (!o)
		return full(msg);
	state_unit(msg, o);
	mark = msg->out->n;
	msg->m->read = true;
	rc = obix_request(&c, msg->out, msg->e);
	if (rc)
		return rc;
	if (msg->row)
		msg->row->ask = msg->x.next.ask;
	if (msg->out->n == mark && !obs_add(msg->out, OBS_HTTP_REQUEST))
		return full(msg);
	o = &msg->out->v[mark];
	if (o->kind != OBS_HTTP_REQUEST)
		o->also = OBS_HTTP_REQUEST;
	state_message(msg, o);
	return state_dark(msg);
}

/* A head whose sender waits for leave to send the body: what it asks is told
 * with that. */
static int read_apart(struct message *msg)
{
	struct obs *o = obs_add(msg->out, OBS_HTTP_REQUEST);

	if (!o)
		return full(msg);
	state_message(msg, o);
	obs_u64(o, F_OCTETS, msg->unit.n);
	return 0;
}

/* 100 Continue on the way to an answer of oBIX: whoever may give that may say
 * so. */
static int read_interim(struct message *msg, enum obix_op op)
{
	struct obs *o = obs_add(msg->out, kind_of(msg));

	if (!o)
		return full(msg);
	state_message(msg, o);
	state_unit(msg, o);
	o = obs_add(msg->out, obix_response_kind(op));
	if (!o)
		return full(msg);
	o->also = OBS_HTTP_RESPONSE;
	state_message(msg, o);
	return 0;
}

static void remember(struct message *msg, uint32_t from)
{
	const struct obs_list *l = msg->out;

	for (uint32_t i = from; i < l->n; i++)
		msg->x.next.carried |= obs_get(&l->v[i], F_MEASUREMENT, 0);
}

static int read_any(struct message *msg)
{
	const struct piece *x = &msg->x;
	enum obix_op op = msg->row ? obix_op_of(msg->row->ask.kind) : OP_NONE;

	if (x->next.apart)
		return read_apart(msg);
	if (x->begins && x->ends && x->request && x->body.n == 0)
		return read_bare(msg);
	if (x->next.interim && op != OP_NONE)
		return read_interim(msg, op);
	if (x->next.coding && x->body.n)
		return read_coded(msg);
	if (x->next.kind == BODY_OBIX)
		return read_obix(msg, x->body);
	return state_page(msg, x->body, x->body.n);
}

int read_unit(struct message *msg)
{
	uint32_t mark = msg->out->n;
	int rc;

	if (msg->x.has_head)
		weigh_head(msg);
	else if (!msg->m->was.side[msg->c->dir].apart)
		msg->x.next.dark = 0; /* it went with the head's unit */
	weigh_chunks(msg);
	rc = read_any(msg);

	if (rc == 0)
		remember(msg, mark);
	return rc;
}
