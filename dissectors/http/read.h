/* SPDX-License-Identifier: Apache-2.0 */
/* What a unit says: observations. Private to dissectors/http. */
#ifndef DISSECTORS_HTTP_READ_H
#define DISSECTORS_HTTP_READ_H

#include "dissectors/http/state.h"

/* A unit that is read. */
struct message {
	const struct dis_ctx *c;
	struct http_machine *m;
	struct piece x;
	struct http_row *row; /* of the request; NULL: not seen */
	struct span unit;
	struct obs_list *out;
	struct err *e;
};

/* Appends the carrier and the leaves. x.next is how the direction stands. */
int read_unit(struct message *msg) __attribute__((warn_unused_result));

/* rows.c: the row of a new request, filled from its head; 1 + its index in
 * m->row_taken. */
int row_take(struct http_machine *m, const struct head *h,
	     struct http_row **row, struct err *e)
	__attribute__((warn_unused_result));
struct http_row *row_find(struct http_machine *m, uint16_t row,
			  uint32_t serial);

static inline struct span row_path(const struct http_row *r)
{
	return span_of(r->text, r->path_n);
}

static inline struct span row_query(const struct http_row *r)
{
	return r->has_query ? span_sub(span_of(r->text, TEXT_MAX), r->path_n,
				       r->query_n)
			    : (struct span){0};
}

static inline struct span row_host(const struct http_row *r)
{
	return span_sub(span_of(r->text, TEXT_MAX), r->path_n + r->query_n,
			r->host_n);
}

#endif
