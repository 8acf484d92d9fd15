/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads of HTTP/1.1 messages (RFC 9112), read strictly: what two receivers
 * could read differently is refused, whichever of them is right.
 *
 * A request is HTTP/1.1 in origin form with one Host and one of six methods;
 * a response is HTTP/1.1, or HTTP/1.0 without Transfer-Encoding. A body has
 * one Content-Length or is exactly `chunked`. A field that fields.def does not
 * name is refused.
 */
#ifndef DISSECTORS_HTTP_HEAD_H
#define DISSECTORS_HTTP_HEAD_H

#include "core/err.h"
#include "core/span.h"

#define HEAD_MAX	 8192 /* octets, with the empty line */
#define HEAD_LINE_MAX	 2048 /* of the first line */
#define HEAD_HEADERS_MAX 64

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_PUT,
	HTTP_POST,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_METHODS,
};
struct span http_method_name(enum http_method m);

enum http_coding {
	CODING_NONE,
	CODING_GZIP,
	CODING_DEFLATE,
};

struct head {
	size_t len; /* octets of it all, with the empty line */
	bool request;
	bool http10; /* a response that says so */
	/* request */
	uint8_t method; /* enum http_method */
	struct span target; /* origin form, begins with '/' */
	struct span host;   /* value of Host */
	bool expect;	    /* 100-continue */
	/* response */
	uint16_t status;
	/* both */
	bool has_length, chunked;
	uint64_t length;
	uint8_t coding;		  /* enum http_coding */
	struct span content_type; /* without parameters, as written */
	bool charset; /* said, and other than UTF-8 or US-ASCII */
	bool close, keep_alive;
	bool event_stream; /* text/event-stream */
	/* Octets that its fields and the words of its status may carry (see
	 * fields.c), beside the target of a request. */
	uint32_t said;
};

/* How long is the head at the start of in? Returns 0 and *len, E_MORE, or
 * E_LIMIT and E_SYNTAX (e->reason) when it never will be one. The same for
 * the same octets, however split. */
int head_find(struct span in, bool request, size_t *len, struct err *e)
	__attribute__((warn_unused_result));

/* Read one of that length. Spans are borrowed from in. */
int head_read(struct span in, bool request, struct head *out, struct err *e)
	__attribute__((warn_unused_result));

/* The body that a message with this head has. answers: the method of the
 * request that a response answers. */
enum http_framing {
	FRAMING_NONE,
	FRAMING_LENGTH,
	FRAMING_CHUNKED,
	FRAMING_CLOSE,
};
int head_framing(const struct head *h, enum http_method answers,
		 enum http_framing *framing, struct err *e)
	__attribute__((warn_unused_result));

#endif
