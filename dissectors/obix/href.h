/* SPDX-License-Identifier: Apache-2.0 */
/* References in documents, to paths in their normal form (obix.md 5). */
#ifndef DISSECTORS_OBIX_HREF_H
#define DISSECTORS_OBIX_HREF_H

#include "core/err.h"
#include "core/span.h"

#define HREF_MAX 1024 /* octets of a path */

struct href {
	uint16_t n;
	bool fragment;          /* of this document: not a path */
	bool network;           /* "//h/p", which some read as a path */
	/* Where the reference has one, without the port of its scheme; borrowed. */
	struct span authority;
	uint8_t path[HREF_MAX]; /* '/' at the end as it was written */
};

static inline struct span href_span(const struct href *h)
{
	return span_of(h->path, h->n);
}

/* What identifies it: without the slash at the end. */
struct span href_identity(struct span path);

bool href_same(const struct href *a, const struct href *b);
/* Is that authority this host, given in lower case and without port? A port
 * is that one: behind another is another server. */
bool href_host_is(struct span authority, struct span host, uint16_t port);
/* Octets of that host where s begins with it, an IPv6 address in brackets; and
 * of ":8080" where it begins with that port. 0: it does not. */
size_t href_host(struct span s, struct span host);
size_t href_port(struct span s, uint16_t port);

/* ref against a base path. 0, or E_SYNTAX or E_LIMIT: has no normal form. */
int href_resolve(struct href *out, struct span base, struct span ref,
		 struct err *e) __attribute__((warn_unused_result));

/* What stands between '?' and '#'. */
struct span href_query(struct span ref);

/* "/a/b" of "/a/b/c" and of "/a/b/c/": the object an operation is of. */
struct span href_parent(struct span path);
/* "c" of the same. */
struct span href_last(struct span path);

#endif
