/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cookies of DNS (RFC 7873): octets that a resolver cannot check and sends
 * back, so whoever asks could put anything into them. A machine has so many
 * cookies that nobody saw before in an hour; with each, what a server gives is
 * all that its server may be shown. Private to dissectors/net.
 *
 * Who was given one before our beginning has it still, and would show it for a
 * day: with a client cookie that is new, any server cookie is taken.
 */
#ifndef DISSECTORS_NET_COOKIE_H
#define DISSECTORS_NET_COOKIE_H

#include "dissectors/dissector.h"

#define COOKIE_CLIENT	  8
#define COOKIE_SERVER_MIN 8
#define COOKIE_SERVER_MAX 32
#define COOKIES_MAX	  8 /* of one machine */
#define COOKIE_NEW_NS	  (3600 * INT64_C(1000000000)) /* none for so long */

struct cookie {
	bool used;
	uint8_t n[2]; /* octets of what was given, the last first; 0: nothing */
	uint8_t client[COOKIE_CLIENT];
	uint8_t given[2][COOKIE_SERVER_MAX];
	int64_t since_ns, last_ns;
	struct net_addr server;
};

struct cookies {
	struct cookie row[COOKIES_MAX];
	struct cookie next; /* of the message read last */
	uint32_t place;	    /* where it goes */
	bool change;
};

/* The option of a query to that server: 8 octets, or 16 to 40. Returns 0, or
 * E_LIMIT with REASON_TOO_MANY_UNITS or E_SYNTAX with REASON_SUSPICIOUS. */
int cookie_ask(struct cookies *j, struct span cookie,
	       const struct net_addr *server, int64_t now_ns, struct err *e)
	__attribute__((warn_unused_result));
/* The option of its answer, as long. */
void cookie_given(struct cookies *j, struct span cookie,
		  const struct net_addr *server);
void cookie_settle(struct cookies *j, bool passed);

#endif
