/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URI references in one normal form (obix.md section 5, RFC 3986 section 6),
 * so that what two spellings name is compared as one:
 *
 *   1 scheme and authority are split off
 *   2 %xx of unreserved characters is decoded, once; what is not ASCII is
 *     written %XX. Refused: '%' without two hexadecimal digits, %00 %2f %5c
 *     %25, control characters, what is not UTF-8, %xx of characters that
 *     stand for themselves in a path, raw characters that no URI may hold
 *   3 "." and ".." segments are removed; ".." above the root is refused
 *   4 "//" is one "/"; ";" in a segment is refused
 *   5 the query is split off, as it stands
 *
 * A slash at the end is kept; uri_identity takes it away for comparing.
 */
#ifndef DISSECTORS_HTTP_URI_H
#define DISSECTORS_HTTP_URI_H

#include "core/err.h"
#include "core/wbuf.h"

#define URI_MAX 2048 /* octets of a reference */

struct uri {
	bool absolute; /* had a scheme or an authority */
	bool fragment; /* had one; it is not kept */
	struct span scheme;    /* borrowed from the reference; may be empty */
	struct span authority; /* the same, as it was written */
	struct span query;     /* behind '?'; {NULL, 0} when there is none */
	struct span path;      /* normalised, in the caller's buffer */
};

/*
 * Read a reference whose path begins with '/', or is empty behind an
 * authority. Returns 0, E_SYNTAX or E_LIMIT with e->reason; w gets the path,
 * never longer than three times the reference.
 */
int uri_read(struct span ref, struct wbuf *w, struct uri *out, struct err *e)
	__attribute__((warn_unused_result));

/* Is it a path alone, and what uri_read makes of it? Of some that are, no. */
bool uri_is_normal(struct span ref);

/* The same path without the slash at its end; "/" stays. */
struct span uri_identity(struct span path);

/* Host of an authority in lower case, without the port and without the dot that
 * may end a name; the host is copied to w. Refused: user information, an empty
 * host, a port that is no number. */
int uri_host(struct span authority, struct wbuf *w, struct span *host,
	     struct err *e) __attribute__((warn_unused_result));

#endif
