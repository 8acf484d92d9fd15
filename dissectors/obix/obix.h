/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oBIX 1.0 and 1.1 in XML, read as the body of an HTTP message.
 *
 * The http dissector owns the connection: it finds heads, frames, de-chunks
 * and decodes bodies, and keeps the outstanding requests. It asks here
 *
 *   obix_recognise  is this body oBIX?
 *   obix_frame      where does the next unit of the body end?
 *   obix_read       what does that unit say?           -> leaves, no carrier
 *   obix_request    what does a request without a body say?       -> one leaf
 *   obix_settle     the verdict of what was read last
 *
 * A body is cut between objects, so that one of any length passes in units of
 * at most OBIX_WINDOW octets. Cut rule: if the body ends within the window,
 * the unit is all of it. Else containers are the elements that were open at
 * the last cut, the root, `list` and `feed`, and the unit ends behind the last
 * complete child of the innermost of them; with no such child, behind the
 * start tag of the outermost open element that is none. A single tag, comment
 * or text longer than the window is refused.
 *
 * What is read is a strict subset of XML: one root, tags with quoted
 * attributes, comments, the XML declaration and one xml-stylesheet instruction
 * in front of the root. Everything else is refused with a reason of its own.
 *
 * Nothing here allocates; memory is one block per machine, given zeroed.
 */
#ifndef DISSECTORS_OBIX_OBIX_H
#define DISSECTORS_OBIX_OBIX_H

#include "dissectors/dissector.h"

/*
 * Body octets of a unit: half of what a direction may hold. A packet with the end
 * of a unit and the beginning of the next leaves with both, so that two of them
 * may have to wait; with 6 KiB more than 8 did. A definition that stands behind
 * what it is for is found as far as this.
 */
#define OBIX_WINDOW 4096

/* Of the machine block, aligned to 64: see obix.c for what is in it. Memory
 * that nothing touched costs nothing. */
#define OBIX_MACHINE_OCTETS (8u << 20)
struct obix_machine;

/* Where a direction stands in its body, at the last cut. Zero it when a body
 * begins. Part of the flow block: copy it before obix_read, put it back when
 * the unit did not pass. */
struct obix_scan {
	uint8_t stage;   /* prolog, inside the root, behind it */
	uint8_t depth;   /* open elements */
	uint8_t seen;    /* of the prolog: declaration, instruction */
	uint8_t doc;     /* 1 + row of the open document, 0 = none */
	uint32_t serial; /* of that row, else it was taken by another */
};

/* --- is it oBIX? -----------------------------------------------------------
 */

enum obix_is {
	OBIX_NO, /* a page: not read here */
	OBIX_YES,
	OBIX_MORE, /* the octets do not say yet; never when all */
	OBIX_BAD, /* XML or another encoding of oBIX, and refused: e says why */
};

/* By the first octets of the decoded body, first.n <= OBIX_WINDOW. all: these
 * are the whole body, or more than can be waited for. content_type: lower case,
 * without parameters, empty when absent. An empty body is OBIX_NO. Once it has
 * answered other than OBIX_MORE, more octets do not change that. */
enum obix_is obix_recognise(struct span first, bool all,
			    struct span content_type, struct err *e);

/* Where the reading of a page stands: zero when its body begins. */
struct obix_page {
	uint8_t stage;   /* behind a key, behind its colon */
	uint8_t n;       /* characters since the last '"', up to PAGE_TEXT */
	uint8_t escape;  /* of "\\u006f": characters of it so far */
	uint8_t code;    /* what it stands for */
	bool begun, xml; /* begun: xml is known, by the first character */
	bool blank;      /* nothing but white space and colons so far */
#define PAGE_TEXT 8
	uint8_t text[PAGE_TEXT];
};

/*
 * The octets of a body that obix_recognise took for none, from its first one,
 * decoded, in pieces of any length. Members of JSON have no order: that which
 * says what a document is may stand anywhere. E_UNSUPPORTED with a reason where
 * one does; what stood in front may have left.
 */
int obix_page(struct obix_page *p, struct span in, struct err *e)
	__attribute__((warn_unused_result));

/* --- cutting ---------------------------------------------------------------
 */

#define OBIX_REST_UNKNOWN UINT64_MAX /* chunked, last chunk not in sight */
#define OBIX_REST_CLOSE   (UINT64_MAX - 1) /* ends when the connection does */

struct obix_body {
	struct span in; /* decoded octets behind the last cut */
	/* The most octets this unit may have, <= OBIX_WINDOW; less where the
	 * head or chunk headers need room. The same for the same unit, however
	 * its octets were split. */
	size_t window;
	/* Octets from in.p to the end of the body, or OBIX_REST_*. */
	uint64_t rest;
	/* No more octets can be held: cut within these. Else a cut needs more
	 * than window octets, so that the end of the body cannot be missed. */
	bool full;
};

/*
 * The end of the next unit. Pure: s is not changed; m only keeps what was counted
 * of the unit, together with its octets, for obix_read of the same ones.
 * FRAME_UNIT: *len > 0 octets of in. FRAME_MORE: *len 0. FRAME_BAD: e.
 * A body that ends when the connection does: the unit with the end of the root
 * ends there, what follows (white space, comments) are units of their own.
 */
enum frame obix_frame(struct obix_machine *m, const struct obix_scan *s,
		      const struct obix_body *b, size_t *len, struct err *e);

/* Where a direction stands behind a unit that obix_frame found, without
 * reading it: what frames the next one before this one is judged. */
void obix_skip(struct obix_scan *s, struct span unit);

/* --- reading ---------------------------------------------------------------
 */

/* An object of a server, by hash of the server's address and the path. */
struct obix_key {
	uint64_t lo, hi;
};

/* When what a filter asks for begins and ends, ms since 1970. */
struct obix_bounds {
	int64_t start, end;
	bool has_start, has_end;
};

/* What one request asked. Filled with the request, kept by the http dissector
 * as long as the request is outstanding, given back with every unit of its
 * answer. Zero: nothing is known of the request (midstream). */
struct obix_ask {
	uint16_t kind;       /* enum obs_kind of the request, 0 = unknown */
	uint16_t items;      /* 1 + row of the list of batch items, 0 = none */
	uint32_t serial;     /* of that row */
	uint32_t interval_s; /* of a roll-up, 0 = none or not in the request */
	uint32_t written;    /* values that were written */
	uint64_t echo;       /* what an echo has again, 0: there is none */
	struct obix_key object; /* what the path names */
	struct obix_key watch;  /* the Watch of an operation of one */
	struct obix_bounds bounds;
};

struct obix_ctx {
	const struct dis_ctx *dis;
	struct obix_machine *m;
	struct obix_scan *at; /* changed by obix_read */
	struct obix_ask *ask; /* request: written; answer: read */
	bool request;
	bool first;      /* the unit begins the body */
	bool last;       /* and ends it */
	bool head;       /* a HEAD request: what is answered has no body */
	uint16_t status; /* of an answer */
	/* Of the request, and of the request that is answered: */
	struct span method;
	struct span host;  /* lower case, without port */
	struct span path;  /* normalised (http/uri.h), but for the '/' at the
			    * end, which is as it was sent */
	struct span query; /* as it stands, behind the '?'; {NULL, 0}: none */
};

/*
 * Append the leaves of one unit, as obix_frame cut it, to out. Returns 0, or a
 * negative errcode with e->reason and e->off (octet of unit), out as it was.
 * At least one leaf.
 * Facts may lie in the unit and in c->dis->arena. Sets no HTTP fact: METHOD,
 * HOST, PATH, STATUS, OCTETS and CONTINUES are for http to add to each leaf.
 * last: a document that has not ended is refused as incomplete.
 */
int obix_read(const struct obix_ctx *c, struct span unit, struct obs_list *out,
	      struct err *e) __attribute__((warn_unused_result));

/* A request without a body (GET, HEAD, PUT, POST, DELETE): appends one leaf
 * of the oBIX kind, or, for methods with no meaning in oBIX, none. The caller
 * sets `also` to OBS_HTTP_REQUEST. Other errors as obix_read. */
int obix_request(const struct obix_ctx *c, struct obs_list *out, struct err *e)
	__attribute__((warn_unused_result));

/* Octets of a query, as it stands, that say no part of a history: start, end and
 * limit that can be read, and no longer than a time stamp may be, are none. */
uint32_t obix_query_unread(struct span query);

/* After every obix_read and obix_request, also after a failed one, before the
 * next of the machine: what they changed in m is kept (passed) or undone.
 * *c->at and *c->ask are the caller's to put back. */
void obix_settle(struct obix_machine *m, bool passed);

/* Does the request name an object that a document told of? */
bool obix_knows(const struct obix_machine *m, const struct obix_ask *ask);

/* The body ended, or never will: what the open document held is free again.
 * Harmless when it is already. Called by obix_read itself at the end. */
void obix_drop(struct obix_machine *m, struct obix_scan *at);

#endif
