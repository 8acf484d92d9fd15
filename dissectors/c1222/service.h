/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The services inside an EPSEM: requests (c1222.md section 6 and 10), and
 * responses (section 7), which can only be read with their request beside
 * them. Each gives one leaf.
 */
#ifndef DISSECTORS_C1222_SERVICE_H
#define DISSECTORS_C1222_SERVICE_H

#include "core/arena.h"
#include "core/err.h"
#include "core/obs.h"
#include "dissectors/c1222/tables.h"

#define SERVICE_MAX         32   /* in one EPSEM */
#define SERVICE_REQUEST_MIN 0x20 /* below: responses */
#define SERVICE_INDEX_MAX   18   /* octets: nine indices */
#define SERVICE_TITLES_MAX  8    /* in one trace */

#define SERVICE_LOGON     0x50
#define SERVICE_SECURITY  0x51
#define SERVICE_LOGOFF    0x52
#define SERVICE_TERMINATE 0x21
#define SERVICE_WAIT      0x70
#define SERVICE_DEREGISTER 0x24
#define SERVICE_REGISTER   0x27

/* What must be remembered of a request to read its answer. */
struct service_req {
	uint8_t code;
	uint8_t index_n; /* octets in use */
	uint16_t word;   /* table id word, as sent */
	uint16_t count;
	uint16_t param; /* wait: seconds; logon: timeout */
	uint32_t offset;
	uint8_t index[SERVICE_INDEX_MAX];
};

/* What reading a service needs, and what it finds besides the leaf. */
struct service_ctx {
	const struct c1219_shape *shape;     /* of the meter concerned */
	const struct c1222_profile *profile; /* or NULL */
	struct arena *arena;
	struct obs_list *out;
	bool notification; /* the message has the notification qualifier */
	bool not_minimal;  /* set: a length was longer than needed */
	struct err *e;
	/* Table data of the last service, if any: what may teach a shape. */
	bool has_data;
	struct c1219_part part;
	struct span data;
	/* Facts only: a departure is a note beside them, else a refusal. */
	bool lenient;
	bool values; /* F_DECODED is wanted */
};

/*
 * Append the leaf of one service and, for a request, fill *req. at: offset of
 * the service in the unit. Return 0, or a negative errcode with reason:
 * MALFORMED, SUSPICIOUS, BAD_CHECKSUM, UNKNOWN_SERVICE, TOO_MANY_UNITS,
 * RESOURCE. The list may then hold an unfinished leaf: the caller cuts it.
 */
int service_request(struct service_ctx *x, struct span pdu, size_t at,
		    struct service_req *req)
	__attribute__((warn_unused_result));
int service_response(struct service_ctx *x, struct span pdu, size_t at,
		     const struct service_req *req)
	__attribute__((warn_unused_result));
/* A response whose request was not seen: its code, and table data if that is
 * what it looks like. note goes into the leaf. */
int service_unpaired(struct service_ctx *x, struct span pdu, size_t at,
		     enum reason note) __attribute__((warn_unused_result));

/* Do two requests ask the same? Then their answers read the same. */
bool service_req_same(const struct service_req *a, const struct service_req *b);

#endif
