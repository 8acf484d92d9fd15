/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and writes of C12.19 tables, and procedures in them (c1222.md 6, 8). */
#include "dissectors/c1222/service_rd.h"

#define TABLE_PROC_INITIATE 7
#define TABLE_PROC_RESPONSE 8
#define TABLE_SECURITY      42
#define TABLE_KEY           45
#define TABLE_EXTENDED_KEY  46
#define PROC_LOGIN          18
#define WORD_PENDING        0x1000
#define WORD_STANDARD_END   0x1000 /* standard and manufacturer tables */
#define WORD_USER           0x2000
#define WORD_USER_END       0x2800

/* Table and part of it, as facts and for tables.h. data empty: a request. */
static int state_part(struct rd *r, struct c1219_part *p)
{
	const struct service_req *q = r->req;
	uint8_t low = q->code & 0x0f;
	uint16_t plain = q->word & (uint16_t)~WORD_PENDING;
	bool pending = false;

	if (plain >= WORD_STANDARD_END &&
	    !(plain >= WORD_USER && plain < WORD_USER_END))
		return rd_bad(r, "table id: reserved range");
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
int table_take_data(struct rd *r, struct span *data)
{
	uint16_t count = cur_u16(&r->b.c);
	uint8_t sum;

	*data = cur_take(&r->b.c, count);
	sum = cur_u8(&r->b.c);
	if (!cur_done(&r->b.c))
		return rd_bad(r, "table data: count does not fit");
	for (size_t i = 0; i < data->n; i++)
		sum = (uint8_t)(sum + data->p[i]);
	if (sum != 0)
		return err_reason(r->x->e, E_INTEGRITY, REASON_BAD_CHECKSUM,
				  ber_at(&r->b) - 1, "table data: checksum");
	return 0;
}

/* Passwords and keys are never copied (c1222.md 2): their tables, and the
 * parameters of a login. */
static void show_data(struct rd *r, const struct c1219_part *p,
		      struct span data)
{
	bool login = r->o->kind == OBS_C1222_PROCEDURE_REQUEST &&
		     obs_get(r->o, F_PROCEDURE, 0) == PROC_LOGIN;

	switch (p->table) {
	case TABLE_SECURITY:
	case TABLE_KEY:
	case TABLE_EXTENDED_KEY:
		login = true;
		break;
	}
	if (login)
		obs_flag(r->o, F_SECRET);
	else
		obs_span(r->o, F_DATA, data);
}

/* What the data say and give away; they are kept for who learns from them. */
static int state_data(struct rd *r, const struct c1219_part *p,
		      struct span data)
{
	struct service_ctx *x = r->x;
	struct span json;

	show_data(r, p, data);
	c1219_describe(x->shape, p, data, x->profile, r->o);
	table_together(r);
	if (x->values &&
	    c1219_decoded(x->shape, p, data, x->arena, &json) == 0)
		obs_span(r->o, F_DECODED, json);
	x->has_data = true;
	x->part = *p;
	x->data = data;
	if (c1219_size_ok(x->shape, p, data))
		return 0;
	return rd_depart(r, REASON_SUSPICIOUS,
			 "table data: not a size of this table");
}

int table_read_default(struct rd *r)
{
	/* No number: it may be any table. */
	obs_u64(r->o, F_ASKS_FOR, MEAS_BIT(MEAS_UNKNOWN_TABLE));
	return rd_done(r, "default read: parameters");
}

static int finish_read(struct rd *r, struct span index)
{
	struct c1219_part p;
	int rc;

	if (!cur_done(&r->b.c))
		return rd_bad(r, "read: length of its parameters");
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
int table_read_full(struct rd *r)
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
int table_read_index(struct rd *r)
{
	struct span index;

	r->req->word = cur_u16(&r->b.c);
	index = take_index(r);
	r->req->count = cur_u16(&r->b.c);
	return finish_read(r, index);
}

/* 3F: t, offset, octet count */
int table_read_offset(struct rd *r)
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
		return rd_suspicious(r,
				     "write of a part or the pending copy of "
				     "table 7");
	memset(&proc, 0, sizeof(proc));
	rc = c1219_proc_request(r->x->shape, data, &proc, r->x->e);
	if (rc)
		return rd_suspicious(r, "write of table 7: not a procedure");
	r->o->kind = OBS_C1222_PROCEDURE_REQUEST;
	obs_u64(r->o, F_PROCEDURE, proc.id);
	obs_u64(r->o, F_PROC_SELECTOR, proc.selector);
	obs_u64(r->o, F_PROC_SEQ, proc.seq);
	/* A login's are a password. */
	if (proc.id != PROC_LOGIN)
		obs_span(r->o, F_PARAMS, proc.params);
	return 0;
}

static int finish_write(struct rd *r, struct span index)
{
	struct c1219_part p;
	struct span data;
	int rc = table_take_data(r, &data);

	if (rc == 0)
		rc = state_part(r, &p);
	if (rc)
		return rc;
	state_index(r, &p, index);
	if (p.table == TABLE_PROC_INITIATE) {
		rc = procedure_request(r, &p, data);
		if (rc)
			return rc;
	}
	if (r->x->notification)
		obs_flag(r->o, F_NOTIFICATION);
	return state_data(r, &p, data);
}

/* 40: t, td */
int table_write_full(struct rd *r)
{
	r->req->word = cur_u16(&r->b.c);
	return finish_write(r, (struct span){0});
}

/* 41..49: t, k indices, td */
int table_write_index(struct rd *r)
{
	struct span index;

	r->req->word = cur_u16(&r->b.c);
	index = take_index(r);
	return finish_write(r, index);
}

/* 4F: t, offset, td */
int table_write_offset(struct rd *r)
{
	r->req->word = cur_u16(&r->b.c);
	r->req->offset = (uint32_t)cur_be(&r->b.c, 3);
	return finish_write(r, (struct span){0});
}

/* Table, index, offset and count of the request, with the answer. */
int table_requested(struct rd *r, struct c1219_part *p)
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

bool table_is_named(const struct service_req *q)
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
int table_ok_read(struct rd *r)
{
	struct c1219_part p;
	struct span data;
	int rc = table_take_data(r, &data);

	if (rc)
		return rc;
	if (!table_is_named(r->req)) {
		obs_span(r->o, F_DATA, data);
		obs_u64(r->o, F_MEASUREMENT, MEAS_BIT(MEAS_UNKNOWN_TABLE));
		return 0;
	}
	rc = table_requested(r, &p);
	if (rc)
		return rc;
	/* What was granted was the request: more is not its answer. */
	if (p.by_offset && data.n > p.count)
		return rd_suspicious(r, "more data than were asked for");
	if (p.whole && p.table == TABLE_PROC_RESPONSE)
		procedure_response(r, data);
	return state_data(r, &p, data);
}

int table_ok_write(struct rd *r)
{
	struct c1219_part p;
	int rc = rd_done(r, "answer to a write: parameters");

	if (rc == 0)
		rc = table_requested(r, &p);
	if (rc == 0 && p.table == TABLE_PROC_INITIATE)
		r->o->kind = OBS_C1222_PROCEDURE_RESPONSE;
	return rc;
}
