/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is remembered of connections and requests; private to dissectors/http.
 *
 * The flow block says where both directions stand and which requests are
 * outstanding. What a request said lies in a table of the machine, found by
 * index and serial number: there is no call when a flow ends, so rows that
 * nobody asks for any more are taken by those who need one.
 */
#ifndef DISSECTORS_HTTP_STATE_H
#define DISSECTORS_HTTP_STATE_H

#include "dissectors/http/head.h"
#include "dissectors/http/inflate.h"
#include "dissectors/http/uri.h"
#include "dissectors/obix/obix.h"

#define UNIT_MAX    8192 /* the hold limit of a direction */
#define SLICE_MAX   4096 /* of a body that is not oBIX */
#define ROOM_MIN    512	 /* behind a head, to hold a part of the body */
#define ASKED_MAX   16	 /* outstanding requests of a connection */
#define REQUEST_MAX 256	 /* of a machine */
#define TEXT_MAX    3072 /* path, query and host of a request */
#define TYPE_MAX    32
#define SEEN_MAX    1024 /* of a head that is remembered from its framing */
/* What a head may say that nothing reads: octets of heads as clients and servers
 * write them. The rest counts as a part of the body. */
#define HEAD_ROOM_OUT 256
#define HEAD_ROOM_IN  1024 /* browsers tell much of themselves */
/* Octets of a body that give room for a digit of the size of a chunk. */
#define CHUNK_ROOM 16

enum side_stage {
	SIDE_HEAD, /* a message begins next */
	SIDE_BODY,
	SIDE_ENDED, /* nothing may follow */
	SIDE_TORN,  /* the same: a body would, or the next request (cut.c) */
};

enum body_kind {
	BODY_UNSEEN, /* none of its octets was seen */
	BODY_PAGE,   /* not read */
	BODY_OBIX,
};

enum chunk_stage {
	CHUNK_SIZE, /* a line with the size comes next */
	CHUNK_DATA,
	CHUNK_CRLF, /* behind the data */
	CHUNK_LAST, /* the empty line behind the last chunk */
};

/* One direction, at the last cut. */
struct http_side {
	uint8_t stage, framing, kind, coding;
	uint8_t chunk; /* enum chunk_stage */
	bool events;   /* text/event-stream */
	bool interim;  /* of a response: 100 Continue */
	bool charset;  /* as the head's */
	bool closes : 1; /* the connection ends with this message */
	bool apart : 1;	 /* its head went in front, to ask for leave */
	bool spared : 1; /* a request whose server will not read the rest */
	uint16_t status;
	uint16_t dark; /* octets of this unit that are opaque beside it */
	uint16_t row; /* 1 + row of the request sent or answered, 0 none */
	uint32_t serial;
	uint32_t said; /* beyond the room, and by the query: counts as body */
	bool length_known;
	uint8_t type_n;
	uint8_t type[TYPE_MAX]; /* media type, lower case, cut if longer */
	uint16_t room;	 /* that its head and chunks left */
	uint16_t digits; /* of sizes of chunks, of this unit */
	uint64_t left;	 /* octets of the body, or of the chunk */
	uint64_t length; /* of the body, with length_known */
	uint64_t body;	 /* octets of the body so far */
	meas_set carried; /* types that its units carried so far */
	struct obix_scan scan;
	union {
		struct obix_ask ask;
		struct obix_page page; /* with BODY_PAGE */
	};
};

struct http_asked {
	uint16_t row;
	uint8_t method;
	bool continued : 1; /* it was answered 100 Continue */
	bool expects : 1;   /* it asked for that */
	uint32_t serial;
};

struct http_flow {
	uint8_t client; /* 1 + enum dir of the client, 0 not known yet */
	uint8_t first, n; /* ring of outstanding requests */
	struct http_asked asked[ASKED_MAX];
	struct http_side side[2]; /* by enum dir */
};
_Static_assert(sizeof(struct http_flow) <= 512, "flow blocks are small");

/* What a request said. */
struct http_row {
	uint32_t serial; /* 0: never used */
	bool live;
	uint8_t method;
	bool has_query;
	uint16_t path_n, query_n, host_n;
	uint16_t said; /* by the way its path is written */
	struct obix_ask ask;
	uint8_t text[TEXT_MAX]; /* path, query, host */
};

/* The head that was read last: a unit is framed, then read, and who polls sends
 * the same one each time. Its octets are kept beside it and compared, so that it
 * is never believed of others. */
struct http_seen {
	uint16_t n; /* 0: none */
	struct head head; /* of octets */
	uint8_t octets[SEEN_MAX];
};

/* What a unit is. */
struct piece {
	size_t len; /* octets of the stream */
	bool request;
	bool has_head;
	struct head head;
	struct span body; /* of this unit, without chunk headers */
	bool begins, ends; /* the message */
	uint8_t answers; /* method of the request answered */
	bool unpaired;	 /* a response to no request that was seen */
	struct http_side next; /* how the direction stands then */
};

/* The unit that was framed last. It is read or skipped next, most often, as it
 * lies there, and is not cut again then. */
struct http_found {
	struct span unit; /* empty: none */
	enum dir dir;
	bool other_waits;
	struct http_flow flow; /* as it stood */
	struct piece x;
};

struct http_machine {
	_Alignas(64) uint8_t obix[OBIX_MACHINE_OCTETS];
	uint32_t serial; /* of the row given last */
	struct http_row row[REQUEST_MAX];
	/* The unit that waits for its verdict. */
	struct http_flow was;
	uint16_t row_taken; /* 1 + row of a new request, 0 none */
	uint16_t row_freed; /* the same, of one that is answered now */
	bool waits, read; /* read: by obix */
	/* Scratch. */
	struct http_seen seen[2]; /* of an answer, of a request */
	struct http_found found;
	uint8_t plain[UNIT_MAX]; /* without chunk headers */
	struct inflate_block inflate;
	uint8_t decoded[INFLATE_MAX];
};

static inline struct obix_machine *machine_obix(struct http_machine *m)
{
	void *p = m->obix;

	return p;
}

static inline struct span side_type(const struct http_side *s)
{
	return span_of(s->type, s->type_n);
}

/* cut.c: the unit at the start of in. exact: in is one unit, as found before.
 * plain: UNIT_MAX octets that x->body may lie in. seen: two, in one of which its
 * head may lie until the next is cut. */
struct cutter {
	const struct http_flow *f;
	enum dir dir;
	bool lenient, other_waits;
	uint8_t *plain;
	struct http_seen *seen;
	struct obix_machine *obix; /* NULL will do when exact */
	bool exact;
};
enum frame http_cut(const struct cutter *k, struct span in, struct piece *x,
		    struct err *e);
/* The flow block behind that unit; row: of a request, 1 + its row. */
void http_advance(struct http_flow *f, enum dir dir, const struct piece *x,
		  uint16_t row, uint32_t serial);

/* chunk.c: octets of chunks. Walks s->chunk and s->left over in and copies
 * data to out (may be NULL) until n octets of data were seen, in ends, or the
 * body does. Only whole lines are taken. *used: octets of in; *got: of data. */
enum chunks { CHUNKS_MORE, CHUNKS_FULL, CHUNKS_END, CHUNKS_BAD };
enum chunks chunks_walk(struct http_side *s, struct span in, uint8_t *out,
			size_t n, size_t *used, size_t *got, struct err *e);

#endif
