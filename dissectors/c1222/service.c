/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of services drives everything; the readers read like the
 * parameter lists of the reference.
 */
#include "dissectors/c1222/service.h"

#include "dissectors/c1222/service_rd.h"

struct service {
	const char *name;
	enum obs_kind request, response;
	int (*read)(struct rd *r);    /* parameters of the request */
	int (*read_ok)(struct rd *r); /* of its answer 00 */
};

/* --- sessions ------------------------------------------------------------- */

static int read_none(struct rd *r)
{
	return rd_done(r, "parameters where there are none");
}

/* 50: user id, user name, session idle timeout */
static int read_logon(struct rd *r)
{
	struct cur *c = &r->b.c;
	uint16_t id = cur_u16(c);
	struct span user = cur_take(c, 10);

	if (cur_ok(c) && cur_left(c) == 0)
		return rd_suspicious(r, "logon: the C12.18 form, no timeout");
	r->req->param = cur_u16(c);
	if (!cur_done(c))
		return rd_bad(r, "logon: length");
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
		return rd_bad(r, "answer to logon: length");
	obs_u64(r->o, F_IDLE_TIMEOUT, timeout);
	return 0;
}

/* 51: password 20, user id 2 only when sessionless: decided by length */
static int read_security(struct rd *r)
{
	struct cur *c = &r->b.c;

	cur_take(c, 20);
	if (!cur_ok(c))
		return rd_bad(r, "security: length");
	obs_flag(r->o, F_SECRET);
	if (cur_left(c) == 0)
		return 0;
	obs_u64(r->o, F_USER_ID, cur_u16(c));
	return rd_done(r, "security: length");
}

/* 70: seconds */
static int read_wait(struct rd *r)
{
	r->req->param = cur_u8(&r->b.c);
	obs_u64(r->o, F_WAIT, r->req->param);
	return rd_done(r, "wait: length");
}

/* --- the table ------------------------------------------------------------ */

/* clang-format off */
#define K(k) OBS_C1222_##k##_REQUEST, OBS_C1222_##k##_RESPONSE
#define BY_INDEX(base, name, kind, read, ok)                                  \
	[base + 1] = {name "-index-1", K(kind), read, ok},                 \
	[base + 2] = {name "-index-2", K(kind), read, ok},                 \
	[base + 3] = {name "-index-3", K(kind), read, ok},                 \
	[base + 4] = {name "-index-4", K(kind), read, ok},                 \
	[base + 5] = {name "-index-5", K(kind), read, ok},                 \
	[base + 6] = {name "-index-6", K(kind), read, ok},                 \
	[base + 7] = {name "-index-7", K(kind), read, ok},                 \
	[base + 8] = {name "-index-8", K(kind), read, ok},                 \
	[base + 9] = {name "-index-9", K(kind), read, ok}

/* By code. A code without a row is refused: 53, 60..6B and 71 belong to
 * C12.18 and C12.21 links and have no place in an APDU over IP. */
static const struct service services[] = {
	[0x20] = {"ident", K(IDENTIFY), read_none, net_ok_identify},
	[0x21] = {"terminate", K(TERMINATE), read_none, read_none},
	[0x22] = {"disconnect", K(DISCONNECT), read_none, read_none},
	[0x24] = {"deregister", K(DEREGISTER), net_read_uid, net_ok_deregister},
	[0x25] = {"resolve", K(RESOLVE), net_read_uid, net_ok_resolve},
	[0x26] = {"trace", K(TRACE), net_read_uids, net_read_uids},
	[0x27] = {"register", K(REGISTER), net_read_register, net_ok_register},
	[0x30] = {"full-read", K(READ), table_read_full, table_ok_read},
	BY_INDEX(0x30, "pread", READ, table_read_index, table_ok_read),
	[0x3e] = {"default-read", K(READ), table_read_default, table_ok_read},
	[0x3f] = {"pread-offset", K(READ), table_read_offset, table_ok_read},
	[0x40] = {"full-write", K(WRITE), table_write_full, table_ok_write},
	BY_INDEX(0x40, "pwrite", WRITE, table_write_index, table_ok_write),
	[0x4f] = {"pwrite-offset", K(WRITE), table_write_offset,
		  table_ok_write},
	[0x50] = {"logon", K(LOGON), read_logon, ok_logon},
	[0x51] = {"security", K(SECURITY), read_security, read_none},
	[0x52] = {"logoff", K(LOGOFF), read_none, read_none},
	[0x70] = {"wait", K(WAIT), read_wait, read_none},
};
/* clang-format on */
#define SERVICES (sizeof(services) / sizeof(services[0]))

static const struct service *service_of(uint8_t code)
{
	return code < SERVICES && services[code].name ? &services[code] : NULL;
}

/* Response codes, c1222.md section 7. */
static const char *const results[] = {
	"ok",   "err",  "sns",  "isc",  "onp",   "iar", "bsy",
	"dnr",  "dlk",  "rno",  "isss", "sme",   "uat", "nett",
	"netr", "rqtl", "rstl", "sgnp", "sgerr",
};
#define RESULTS      (sizeof(results) / sizeof(results[0]))
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

/* --- entry points --------------------------------------------------------- */

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

	obs_span(r->o, F_PARAMS, cur_peek(c, n));
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
		return net_read_uids(r); /* how far the trace came */
	}
	return rd_done(r, "refusal: parameters");
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
	rc = begin(&r, x, code ? OBS_C1222_ERROR : s->response, pdu, at, &copy);
	if (rc)
		return rc;
	obs_u64(r.o, F_RESULT, code);
	obs_u64(r.o, F_FROM_REQUEST, req->code);
	if (code == 0) {
		rc = s->read_ok(&r);
	} else {
		if (table_is_named(req))
			rc = table_requested(&r, &p);
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
			rc = table_take_data(&r, &data);
			if (rc)
				return rc;
			obs_span(r.o, F_DATA, data);
		}
	}
	return end(&r);
}

bool service_req_same(const struct service_req *a, const struct service_req *b)
{
	return a->code == b->code && a->word == b->word &&
	       a->count == b->count && a->offset == b->offset &&
	       span_eq(span_of(a->index, a->index_n),
		       span_of(b->index, b->index_n));
}
