/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of services drives everything; the readers below it read like
 * the parameter lists of the reference.
 */
#include "dissectors/c1222/service.h"

#include "dissectors/c1222/ber.h"

#define TABLE_PROC_INITIATE 7
#define TABLE_PROC_RESPONSE 8
#define WORD_PENDING	    0x1000
#define WORD_STANDARD_END   0x1000 /* standard and manufacturer tables */
#define WORD_USER	    0x2000
#define WORD_USER_END	    0x2800
#define IDENTIFY_FEATURES   16

/* The service being read. */
struct rd {
	struct service_ctx *x;
	struct ber b; /* over the parameters, after the code */
	struct service_req *req;
	struct obs *o;
};

struct service {
	const char *name;
	enum obs_kind request, response;
	int (*read)(struct rd *r);    /* parameters of the request */
	int (*read_ok)(struct rd *r); /* of its answer 00 */
};

static int bad(struct rd *r, const char *what)
{
	return err_reason(r->x->e, E_SYNTAX, REASON_MALFORMED, ber_at(&r->b),
			  "%s", what);
}

static int suspicious(struct rd *r, const char *what)
{
	return err_reason(r->x->e, E_SYNTAX, REASON_SUSPICIOUS, ber_at(&r->b),
			  "%s", what);
}

/* The parameters must end here. */
static int done(struct rd *r, const char *what)
{
	return cur_done(&r->b.c) ? 0 : bad(r, what);
}

/* --- tables ---------------------------------------------------------------- */

/* Table and part of it, as facts and for tables.h. data empty: a request. */
static int state_part(struct rd *r, struct c1219_part *p)
{
	const struct service_req *q = r->req;
	uint8_t low = q->code & 0x0f;
	uint16_t plain = q->word & (uint16_t)~WORD_PENDING;
	bool pending = false;

	if (plain >= WORD_STANDARD_END &&
	    !(plain >= WORD_USER && plain < WORD_USER_END))
		return bad(r, "table id: reserved range");
	memset(p, 0, sizeof(*p));
	p->table = c1219_table_id(q->word, &pending);
	p->whole = low == 0;
	p->by_offset = low == 0x0f;
	p->by_index = low >= 1 && low <= 9;
	p->offset = q->offset;
	p->count = q->count;
	obs_u64(r->o, F_TABLE, p->table);
	if (pending)
		obs_flag(r->o, F_PENDING);
	if (p->by_offset)
		obs_u64(r->o, F_OFFSET, p->offset);
	return 0;
}

/* The indices lie in the message for a request; for a response they are
 * those of its request, copied to memory that lives as long as the leaf. */
static void state_index(struct rd *r, struct c1219_part *p, struct span index)
{
	if (!p->by_index)
		return;
	p->index = index;
	obs_span(r->o, F_INDEX, index);
}

/* td = count(2) data checksum(1). A chunk of FFFF octets, which another one
 * follows, does not fit into any APDU that is accepted. */
static int read_td(struct rd *r, struct span *data)
{
	uint16_t count = cur_u16(&r->b.c);
	uint8_t sum;

	*data = cur_take(&r->b.c, count);
	sum = cur_u8(&r->b.c);
	if (!cur_done(&r->b.c))
		return bad(r, "table data: count does not fit");
	for (size_t i = 0; i < data->n; i++)
		sum = (uint8_t)(sum + data->p[i]);
	if (sum != 0)
		return err_reason(r->x->e, E_INTEGRITY, REASON_BAD_CHECKSUM,
				  ber_at(&r->b) - 1, "table data: checksum");
	return 0;
}

static void keep_data(struct rd *r, const struct c1219_part *p,
		      struct span data)
{
	r->x->has_data = true;
	r->x->part = *p;
	r->x->data = data;
}

static void state_default(struct rd *r)
{
	/* No number: it may be any table. */
	obs_u64(r->o, F_MEASUREMENT, MEAS_BIT(MEAS_UNKNOWN_TABLE));
}

static int read_default(struct rd *r)
{
	state_default(r);
	return done(r, "default read: parameters");
}

static int finish_read(struct rd *r, struct span index)
{
	struct c1219_part p;
	int rc;

	if (!cur_done(&r->b.c))
		return bad(r, "read: length of its parameters");
	rc = state_part(r, &p);
	if (rc)
		return rc;
	state_index(r, &p, index);
	if (!p.whole)
		obs_u64(r->o, F_COUNT, p.count);
	c1219_describe_request(r->x->shape, &p, r->x->profile, r->o);
	return 0;
}

/* 30: t */
static int read_full(struct rd *r)
{
	r->req->word = cur_u16(&r->b.c);
	return finish_read(r, (struct span){0});
}

static struct span take_index(struct rd *r)
{
	struct span index = cur_take(&r->b.c, 2u * (r->req->code & 0x0f));

	if (index.n <= SERVICE_INDEX_MAX && index.n > 0) {
		memcpy(r->req->index, index.p, index.n);
		r->req->index_n = (uint8_t)index.n;
	}
	return index;
}

/* 31..39: t, k indices, element count */
static int read_index(struct rd *r)
{
	struct span index;

	r->req->word = cur_u16(&r->b.c);
	index = take_index(r);
	r->req->count = cur_u16(&r->b.c);
	return finish_read(r, index);
}

/* 3F: t, offset, octet count */
static int read_offset(struct rd *r)
{
	r->req->word = cur_u16(&r->b.c);
	r->req->offset = (uint32_t)cur_be(&r->b.c, 3);
	r->req->count = cur_u16(&r->b.c);
	return finish_read(r, (struct span){0});
}

/* A write of ST-7 starts a procedure. Anything but one whole write of the
 * table itself is legal syntax and a way around filters: refused. */
static int procedure_request(struct rd *r, const struct c1219_part *p,
			     struct span data)
{
	struct c1219_proc proc;
	int rc;

	if (!p->whole || r->req->word != TABLE_PROC_INITIATE)
		return suspicious(r, "write of a part or the pending copy of "
				     "table 7");
	memset(&proc, 0, sizeof(proc));
	rc = c1219_proc_request(r->x->shape, data, &proc, r->x->e);
	if (rc)
		return suspicious(r, "write of table 7: not a procedure");
	r->o->kind = OBS_C1222_PROCEDURE_REQUEST;
	obs_u64(r->o, F_PROCEDURE, proc.id);
	obs_u64(r->o, F_PROC_SELECTOR, proc.selector);
	obs_u64(r->o, F_PROC_SEQ, proc.seq);
	return 0;
}

static int finish_write(struct rd *r, struct span index)
{
	struct c1219_part p;
	struct span data;
	int rc = read_td(r, &data);

	if (rc == 0)
		rc = state_part(r, &p);
	if (rc)
		return rc;
	state_index(r, &p, index);
	obs_span(r->o, F_DATA, data);
	if (p.table == TABLE_PROC_INITIATE) {
		rc = procedure_request(r, &p, data);
		if (rc)
			return rc;
	}
	if (r->x->notification)
		obs_flag(r->o, F_NOTIFICATION);
	c1219_describe(r->x->shape, &p, data, r->x->profile, r->o);
	keep_data(r, &p, data);
	return 0;
}

/* 40: t, td */
static int write_full(struct rd *r)
{
	r->req->word = cur_u16(&r->b.c);
	return finish_write(r, (struct span){0});
}

/* 41..49: t, k indices, td */
static int write_index(struct rd *r)
{
	struct span index;

	r->req->word = cur_u16(&r->b.c);
	index = take_index(r);
	return finish_write(r, index);
}

/* 4F: t, offset, td */
static int write_offset(struct rd *r)
{
	r->req->word = cur_u16(&r->b.c);
	r->req->offset = (uint32_t)cur_be(&r->b.c, 3);
	return finish_write(r, (struct span){0});
}

/* Table, index, offset and count of the request, with the answer. */
static int state_requested(struct rd *r, struct c1219_part *p)
{
	const struct service_req *q = r->req;
	struct span index = {0};
	int rc = state_part(r, p);

	if (rc)
		return rc;
	if (p->by_index) {
		index = arena_copy(r->x->arena, span_of(q->index, q->index_n));
		if (index.n == 0)
			return err_reason(r->x->e, E_NOMEM, REASON_RESOURCE,
					  ber_at(&r->b), "no memory: indices");
		state_index(r, p, index);
	}
	if (!p->whole && q->code < 0x40)
		obs_u64(r->o, F_COUNT, p->count);
	return 0;
}

static bool names_table(const struct service_req *q)
{
	return q->code >= 0x30 && q->code <= 0x4f && q->code != 0x3e;
}

static void procedure_response(struct rd *r, struct span data)
{
	struct c1219_proc proc;

	memset(&proc, 0, sizeof(proc));
	r->o->kind = OBS_C1222_PROCEDURE_RESPONSE;
	if (c1219_proc_response(r->x->shape, data, &proc, NULL) != 0) {
		obs_u64(r->o, F_NOTE, REASON_UNREAD_TABLE);
		return;
	}
	obs_u64(r->o, F_PROCEDURE, proc.id);
	obs_u64(r->o, F_PROC_SELECTOR, proc.selector);
	obs_u64(r->o, F_PROC_SEQ, proc.seq);
	obs_u64(r->o, F_PROC_RESULT, proc.result);
}

/* The answer to a read: td */
static int ok_read(struct rd *r)
{
	struct c1219_part p;
	struct span data;
	int rc = read_td(r, &data);

	if (rc)
		return rc;
	if (!names_table(r->req)) {
		obs_span(r->o, F_DATA, data);
		state_default(r);
		return 0;
	}
	rc = state_requested(r, &p);
	if (rc)
		return rc;
	/* What was granted was the request: more is not its answer. */
	if (p.by_offset && data.n > p.count)
		return suspicious(r, "more data than were asked for");
	obs_span(r->o, F_DATA, data);
	if (p.whole && p.table == TABLE_PROC_RESPONSE)
		procedure_response(r, data);
	c1219_describe(r->x->shape, &p, data, r->x->profile, r->o);
	keep_data(r, &p, data);
	return 0;
}

static int ok_write(struct rd *r)
{
	struct c1219_part p;
	int rc = done(r, "answer to a write: parameters");

	if (rc == 0)
		rc = state_requested(r, &p);
	if (rc == 0 && p.table == TABLE_PROC_INITIATE)
		r->o->kind = OBS_C1222_PROCEDURE_RESPONSE;
	return rc;
}

/* --- sessions -------------------------------------------------------------- */

static int read_none(struct rd *r)
{
	return done(r, "parameters where there are none");
}

/* 50: user id, user name, session idle timeout */
static int read_logon(struct rd *r)
{
	struct cur *c = &r->b.c;
	uint16_t id = cur_u16(c);
	struct span user = cur_take(c, 10);

	if (cur_ok(c) && cur_left(c) == 0)
		return suspicious(r, "logon: the C12.18 form, no timeout");
	r->req->param = cur_u16(c);
	if (!cur_done(c))
		return bad(r, "logon: length");
	while (user.n > 0 && user.p[user.n - 1] == ' ')
		user = span_sub(user, 0, user.n - 1);
	obs_u64(r->o, F_USER_ID, id);
	obs_span(r->o, F_USER_NAME, user);
	obs_u64(r->o, F_IDLE_TIMEOUT, r->req->param);
	return 0;
}

/* The timeout granted. */
static int ok_logon(struct rd *r)
{
	uint16_t timeout = cur_u16(&r->b.c);

	if (!cur_done(&r->b.c))
		return bad(r, "answer to logon: length");
	obs_u64(r->o, F_IDLE_TIMEOUT, timeout);
	return 0;
}

/* 51: password 20, user id 2 only when sessionless: decided by length */
static int read_security(struct rd *r)
{
	struct cur *c = &r->b.c;

	cur_take(c, 20);
	if (!cur_ok(c))
		return bad(r, "security: length");
	obs_flag(r->o, F_SECRET);
	if (cur_left(c) == 0)
		return 0;
	obs_u64(r->o, F_USER_ID, cur_u16(c));
	return done(r, "security: length");
}

/* 70: seconds */
static int read_wait(struct rd *r)
{
	r->req->param = cur_u8(&r->b.c);
	obs_u64(r->o, F_WAIT, r->req->param);
	return done(r, "wait: length");
}

/* --- network --------------------------------------------------------------- */

/* A UID: 06, 0D or 80; an empty relative one says "none yet". */
static int take_uid(struct rd *r, enum field f, bool may_be_empty)
{
	struct span title;
	struct ber_tlv t;
	int rc = ber_next(&r->b, &t, "UID", r->x->e);

	if (rc)
		return rc;
	if (t.tag != BER_OID && t.tag != BER_RELATIVE &&
	    t.tag != BER_CONTEXT_0)
		return bad(r, "UID: tag");
	if (t.body.n == 0 && may_be_empty && t.tag != BER_OID)
		return 0;
	rc = ber_title(r->x->arena, t.tag, t.body, t.at, &title, r->x->e);
	if (rc == 0)
		obs_span(r->o, f, title);
	return rc;
}

static int read_uid(struct rd *r)
{
	int rc = take_uid(r, F_AP_TITLE, false);

	return rc ? rc : done(r, "octets after the UID");
}

/* Empty; in the draft of 2006 the UID again. */
static int ok_deregister(struct rd *r)
{
	return cur_left(&r->b.c) == 0 ? 0 : read_uid(r);
}

static int read_uids(struct rd *r)
{
	int rc = 0;

	if (cur_left(&r->b.c) == 0)
		return bad(r, "trace: no UID");
	for (int n = 0; rc == 0 && cur_left(&r->b.c) > 0; n++) {
		if (n == SERVICE_TITLES_MAX)
			return err_reason(r->x->e, E_LIMIT,
					  REASON_TOO_MANY_UNITS,
					  ber_at(&r->b), "trace: too long");
		rc = take_uid(r, F_AP_TITLE, false);
	}
	return rc;
}

#define NODE_RESERVED	0x40
#define NODE_DOMAIN	0x80
#define CONN_RESERVED	0x08
#define CONN_CL		0x10
#define CONN_CL_ACCEPT	0x20
#define CONN_CO		0x40
#define CONN_CO_ACCEPT	0x80

/* RFC 6142: neither mode, or an accept flag without its mode, is invalid. */
static bool connection_ok(uint8_t type)
{
	if (type & CONN_RESERVED || !(type & (CONN_CL | CONN_CO)))
		return false;
	return (!(type & CONN_CL_ACCEPT) || type & CONN_CL) &&
	       (!(type & CONN_CO_ACCEPT) || type & CONN_CO);
}

/* 27: node type, connection type, device class, ApTitle, serial, native
 * address, period, domain pattern when the node type says so */
static int read_register(struct rd *r)
{
	struct cur *c = &r->b.c;
	uint8_t node = cur_u8(c), conn = cur_u8(c);
	struct span dev = cur_take(c, 4), native;
	uint32_t period;
	int rc;

	if (!cur_ok(c))
		return bad(r, "registration: length");
	if (node & NODE_RESERVED || !connection_ok(conn))
		return bad(r, "registration: node or connection type");
	obs_u64(r->o, F_NODE_TYPE, node);
	obs_u64(r->o, F_CONNECTION_TYPE, conn);
	obs_span(r->o, F_DEVICE_CLASS, dev);
	rc = take_uid(r, F_AP_TITLE, true);
	if (rc == 0)
		rc = take_uid(r, F_SERIAL, false);
	if (rc)
		return rc;
	native = cur_take(c, cur_u8(c));
	period = (uint32_t)cur_be(c, 3);
	obs_span(r->o, F_NATIVE, native);
	obs_u64(r->o, F_PERIOD, period);
	if (node & NODE_DOMAIN)
		obs_span(r->o, F_DOMAIN_PATTERN, cur_take(c, cur_u8(c)));
	return done(r, "registration: length");
}

/* ApTitle, delay, period, info */
static int ok_register(struct rd *r)
{
	struct cur *c = &r->b.c;
	int rc = take_uid(r, F_AP_TITLE, false);

	if (rc)
		return rc;
	obs_u64(r->o, F_DELAY_S, cur_u16(c));
	obs_u64(r->o, F_PERIOD, cur_be(c, 3));
	obs_u64(r->o, F_REG_INFO, cur_u8(c));
	return done(r, "answer to registration: length");
}

/* length, native address */
static int ok_resolve(struct rd *r)
{
	struct cur *c = &r->b.c;
	struct span native = cur_take(c, cur_u8(c));

	obs_span(r->o, F_NATIVE, native);
	return done(r, "answer to resolve: length");
}

/* One feature of an identification: tag and contents. */
static int skip_feature(struct rd *r, uint8_t tag)
{
	struct cur *c = &r->b.c;
	struct ber_tlv t;

	switch (tag) {
	case 0x04: /* security mechanism: UID */
	case 0x06: /* device class: UID, or four octets in its place */
		return ber_next(&r->b, &t, "feature", r->x->e);
	case 0x05: /* session control */
		cur_take(c, 1);
		return 0;
	case 0x07: /* device identity: length, format and text */
		cur_take(c, cur_u8(c));
		return 0;
	}
	return bad(r, "identification: unknown feature");
}

/* std ver rev feature* 00 */
static int ok_identify(struct rd *r)
{
	struct cur *c = &r->b.c;
	uint8_t std = cur_u8(c), ver = cur_u8(c), rev = cur_u8(c);
	struct span features = cur_peek(c, cur_left(c));
	uint8_t tag = 0xff;

	if (!cur_ok(c) || std > 3 || std == 1)
		return bad(r, "identification: standard");
	for (int n = 0; tag != 0; n++) {
		int rc;

		tag = cur_u8(c);
		if (!cur_ok(c) || n == IDENTIFY_FEATURES)
			return bad(r, "identification: features");
		if (tag == 0)
			break;
		rc = skip_feature(r, tag);
		if (rc)
			return rc;
	}
	obs_u64(r->o, F_STD, std);
	obs_u64(r->o, F_STD_VERSION, ver);
	obs_u64(r->o, F_STD_REVISION, rev);
	obs_span(r->o, F_FEATURES, features);
	return done(r, "identification: length");
}

/* --- the table ------------------------------------------------------------- */

/* clang-format off */
#define KIND(k) OBS_C1222_##k##_REQUEST, OBS_C1222_##k##_RESPONSE
#define BY_INDEX(base, name, kind, read, ok)                                  \
	[base + 1] = {name "-index-1", KIND(kind), read, ok},                 \
	[base + 2] = {name "-index-2", KIND(kind), read, ok},                 \
	[base + 3] = {name "-index-3", KIND(kind), read, ok},                 \
	[base + 4] = {name "-index-4", KIND(kind), read, ok},                 \
	[base + 5] = {name "-index-5", KIND(kind), read, ok},                 \
	[base + 6] = {name "-index-6", KIND(kind), read, ok},                 \
	[base + 7] = {name "-index-7", KIND(kind), read, ok},                 \
	[base + 8] = {name "-index-8", KIND(kind), read, ok},                 \
	[base + 9] = {name "-index-9", KIND(kind), read, ok}

/* By code. A code without a row is refused: 53, 60..6B and 71 belong to
 * C12.18 and C12.21 links and have no place in an APDU over IP. */
static const struct service services[] = {
	[0x20] = {"ident",         KIND(IDENTIFY),   read_none,     ok_identify},
	[0x21] = {"terminate",     KIND(TERMINATE),  read_none,     read_none},
	[0x22] = {"disconnect",    KIND(DISCONNECT), read_none,     read_none},
	[0x24] = {"deregister",    KIND(DEREGISTER), read_uid,      ok_deregister},
	[0x25] = {"resolve",       KIND(RESOLVE),    read_uid,      ok_resolve},
	[0x26] = {"trace",         KIND(TRACE),      read_uids,     read_uids},
	[0x27] = {"register",      KIND(REGISTER),   read_register, ok_register},
	[0x30] = {"full-read",     KIND(READ),       read_full,     ok_read},
	BY_INDEX(0x30, "pread",    READ,             read_index,    ok_read),
	[0x3e] = {"default-read",  KIND(READ),       read_default,  ok_read},
	[0x3f] = {"pread-offset",  KIND(READ),       read_offset,   ok_read},
	[0x40] = {"full-write",    KIND(WRITE),      write_full,    ok_write},
	BY_INDEX(0x40, "pwrite",   WRITE,            write_index,   ok_write),
	[0x4f] = {"pwrite-offset", KIND(WRITE),      write_offset,  ok_write},
	[0x50] = {"logon",         KIND(LOGON),      read_logon,    ok_logon},
	[0x51] = {"security",      KIND(SECURITY),   read_security, read_none},
	[0x52] = {"logoff",        KIND(LOGOFF),     read_none,     read_none},
	[0x70] = {"wait",          KIND(WAIT),       read_wait,     read_none},
};
/* clang-format on */
#define SERVICES (sizeof(services) / sizeof(services[0]))

static const struct service *service_of(uint8_t code)
{
	return code < SERVICES && services[code].name ? &services[code] : NULL;
}

/* Response codes, c1222.md section 7. */
static const char *const results[] = {
	"ok",	"err",	"sns", "isc", "onp",  "iar",  "bsy",
	"dnr",	"dlk",	"rno", "isss", "sme", "uat",  "nett",
	"netr", "rqtl", "rstl", "sgnp", "sgerr",
};
#define RESULTS	     (sizeof(results) / sizeof(results[0]))
#define RESULT_RQTL  0x0f
#define RESULT_RSTL  0x10
#define RESULT_SGERR 0x12

const char *c1222_service_name(uint8_t code)
{
	const struct service *s = service_of(code);

	if (code < SERVICE_REQUEST_MIN)
		return code < RESULTS ? results[code] : NULL;
	return s ? s->name : NULL;
}

/* --- entry points ---------------------------------------------------------- */

static int begin(struct rd *r, struct service_ctx *x, enum obs_kind kind,
		 struct span pdu, size_t at, struct service_req *req)
{
	*r = (struct rd){.x = x, .b = ber_of(pdu, at), .req = req};
	x->has_data = false;
	r->o = obs_add(x->out, kind);
	if (!r->o)
		return err_reason(x->e, E_LIMIT, REASON_TOO_MANY_UNITS, at,
				  "too many services");
	obs_u64(r->o, F_CODE, cur_u8(&r->b.c));
	return 0;
}

static int end(struct rd *r)
{
	if (r->b.not_minimal)
		r->x->not_minimal = true;
	if (r->o->dropped)
		return err_reason(r->x->e, E_LIMIT, REASON_TOO_MANY_UNITS,
				  r->b.base, "more facts than fit");
	return 0;
}

static int unknown(struct service_ctx *x, size_t at, uint8_t code)
{
	return err_reason(x->e, E_UNSUPPORTED, REASON_UNKNOWN_SERVICE, at,
			  "service %02x", code);
}

int service_request(struct service_ctx *x, struct span pdu, size_t at,
		    struct service_req *req)
{
	uint8_t code = pdu.p[0];
	const struct service *s = service_of(code);
	struct rd r;
	int rc;

	if (code >= 0x80)
		return err_reason(x->e, E_SYNTAX, REASON_MALFORMED, at,
				  "service %02x: invalid", code);
	if (!s)
		return unknown(x, at, code);
	req->code = code;
	req->index_n = 0;
	req->word = req->count = req->param = 0;
	req->offset = 0;
	rc = begin(&r, x, s->request, pdu, at, req);
	if (rc == 0)
		rc = s->read(&r);
	return rc ? rc : end(&r);
}

/* Parameters of a refusal. */
static int read_refusal(struct rd *r, uint8_t code)
{
	struct cur *c = &r->b.c;
	size_t n = cur_left(c);

	if (code == RESULT_RQTL || code == RESULT_RSTL) {
		obs_u64(r->o, F_MAX_SIZE, cur_u32(c));
	} else if (code == RESULT_SGERR && (n == 2 || n == 4 || n == 6)) {
		/* segment offset, APDU size: both of the same width */
		if (!obs_has(r->o, F_OFFSET))
			obs_u64(r->o, F_OFFSET, cur_be(c, n / 2));
		else
			cur_take(c, n / 2);
		obs_u64(r->o, F_MAX_SIZE, cur_be(c, n / 2));
	} else if (r->req && r->req->code == 0x26 && n > 0) {
		return read_uids(r); /* how far the trace came */
	}
	return done(r, "refusal: parameters");
}

int service_response(struct service_ctx *x, struct span pdu, size_t at,
		     const struct service_req *req)
{
	uint8_t code = pdu.p[0];
	const struct service *s = service_of(req->code);
	struct service_req copy = *req;
	struct c1219_part p;
	struct rd r;
	int rc;

	if (code >= RESULTS || !s)
		return unknown(x, at, code);
	rc = begin(&r, x, code ? OBS_C1222_ERROR : s->response, pdu, at,
		   &copy);
	if (rc)
		return rc;
	obs_u64(r.o, F_RESULT, code);
	obs_u64(r.o, F_FROM_REQUEST, req->code);
	if (code == 0) {
		rc = s->read_ok(&r);
	} else {
		if (names_table(req))
			rc = state_requested(&r, &p);
		if (rc == 0)
			rc = read_refusal(&r, code);
	}
	return rc ? rc : end(&r);
}

int service_unpaired(struct service_ctx *x, struct span pdu, size_t at,
		     enum reason note)
{
	uint8_t code = pdu.p[0];
	struct span data;
	struct rd r;
	int rc;

	if (code >= RESULTS)
		return unknown(x, at, code);
	rc = begin(&r, x, OBS_C1222_UNKNOWN, pdu, at, NULL);
	if (rc)
		return rc;
	obs_u64(r.o, F_RESULT, code);
	obs_u64(r.o, F_NOTE, note);
	/* Four octets or more whose count fits can only be table data by
	 * chance else; the wrong checksum then says that they are damaged. */
	if (code == 0 && cur_left(&r.b.c) >= 3) {
		struct cur look = r.b.c;

		if (cur_u16(&look) + 1u == cur_left(&look)) {
			rc = read_td(&r, &data);
			if (rc)
				return rc;
			obs_span(r.o, F_DATA, data);
		}
	}
	return end(&r);
}

bool service_req_same(const struct service_req *a,
		      const struct service_req *b)
{
	return a->code == b->code && a->word == b->word &&
	       a->count == b->count && a->offset == b->offset &&
	       span_eq(span_of(a->index, a->index_n),
		       span_of(b->index, b->index_n));
}
