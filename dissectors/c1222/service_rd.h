/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between service.c, which has the table of services, and the files that read
 * parameters: service_table.c (C12.19 tables), service_net.c (registration
 * and the like). Nobody else includes this.
 *
 * A reader states what it reads as facts of r->o and returns 0, or a negative
 * errcode with a reason. It reads to the end: octets left over are an error.
 */
#ifndef DISSECTORS_C1222_SERVICE_RD_H
#define DISSECTORS_C1222_SERVICE_RD_H

#include "dissectors/c1222/ber.h"
#include "dissectors/c1222/service.h"

/* The service being read. */
struct rd {
	struct service_ctx *x;
	struct ber b;            /* over the parameters, after the code */
	struct service_req *req; /* NULL only in service_unpaired */
	struct obs *o;
};

static inline int rd_bad(struct rd *r, const char *what)
{
	return err_reason(r->x->e, E_SYNTAX, REASON_MALFORMED, ber_at(&r->b),
			  "%s", what);
}

static inline int rd_suspicious(struct rd *r, const char *what)
{
	return err_reason(r->x->e, E_SYNTAX, REASON_SUSPICIOUS, ber_at(&r->b),
			  "%s", what);
}

/* Readable, but not to be passed: refused, or, reading facts only, noted. */
static inline int __attribute__((warn_unused_result))
rd_depart(struct rd *r, enum reason why, const char *what)
{
	if (!r->x->lenient)
		return err_reason(r->x->e, E_SYNTAX, (int)why, ber_at(&r->b),
				  "%s", what);
	obs_u64(r->o, F_NOTE, why);
	return 0;
}

/* The parameters must end here. */
static inline int rd_done(struct rd *r, const char *what)
{
	return cur_done(&r->b.c) ? 0 : rd_bad(r, what);
}

/* service_table.c: requests, then answers */
int table_read_full(struct rd *r);
int table_read_index(struct rd *r);
int table_read_default(struct rd *r);
int table_read_offset(struct rd *r);
int table_write_full(struct rd *r);
int table_write_index(struct rd *r);
int table_write_offset(struct rd *r);
int table_ok_read(struct rd *r);
int table_ok_write(struct rd *r);
/* td = count data checksum, to the end. */
int table_take_data(struct rd *r, struct span *data)
	__attribute__((warn_unused_result));
bool table_is_named(const struct service_req *q);
/* Table, index, offset and count of the request, with its answer. */
int table_requested(struct rd *r, struct c1219_part *p)
	__attribute__((warn_unused_result));

/* together.c: its readings, where the message told of that part before */
void table_together(struct rd *r);

/* service_net.c */
int net_read_uid(struct rd *r);  /* deregistration, resolve */
int net_read_uids(struct rd *r); /* trace, both ways */
int net_read_register(struct rd *r);
int net_ok_deregister(struct rd *r);
int net_ok_register(struct rd *r);
int net_ok_resolve(struct rd *r);
int net_ok_identify(struct rd *r);

#endif
