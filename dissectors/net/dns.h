/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS over UDP and TCP (RFC 1035, 7766), as a stub resolver speaks it.
 *
 * One question of class IN; an answer belongs to a query that was let pass,
 * by number, question and both ends, and is taken once. Names are letters,
 * digits, '-' and '_'; pointers go backwards, at most 16 for a name. Of the root
 * only what it has is asked: NS, SOA, DS and DNSKEY. An answer FORMERR or NOTIMP
 * may be a header alone, and is then to the question of its number. One OPT
 * record (RFC 6891) may stand behind; cookies in it are those of cookie.h, and
 * in an answer that of its query. Everything else is refused: other
 * operations, zone transfers, signed messages, and DNS on a port other than
 * 53, multicast DNS (5353) included. Where a resolver is configured, a query
 * to any other address is refused before a rule is asked (other-resolver).
 *
 * Carrier flow.open; one leaf, dns.query or dns.answer, with name and type. An
 * answer of the configured resolver says the addresses too that it gives the
 * name of the question, directly or along aliases, and for how long. Where
 * nobody is configured none are said: anybody could give them.
 */
#ifndef DISSECTORS_NET_DNS_H
#define DISSECTORS_NET_DNS_H

#include "dissectors/dissector.h"

#define DNS_NAME_MAX	    253
#define DNS_OUTSTANDING_MAX 64 /* of one machine; the oldest gives way */
#define DNS_WAIT_NS	    (30 * INT64_C(1000000000))
#define DNS_ADDRESSES_MAX   16 /* of one answer; the rest is not said */
#define DNS_ALIASES_MAX	    8  /* followed; beyond, nothing is said */

/* dis_ctx.conf; NULL: anybody may be asked whom policy allows. */
struct dns_conf {
	struct net_addr resolver;
};

struct dns_message {
	uint16_t id, type;
	bool answer;
	bool bare; /* without its question: FORMERR or NOTIMP, and no more */
	struct span name; /* in the arena; lower case; the root is "." */
	struct span cookie; /* RFC 7873, in the message; empty: none */
	/* What the name stands for, of the answer section alone. */
	struct net_addr addr[DNS_ADDRESSES_MAX];
	uint32_t n_addr;
	uint32_t ttl; /* s; the shortest on the way to these addresses */
};

/* One message without a length in front; refused whole or read whole. */
int dns_read(struct dns_message *m, struct span in, struct arena *arena,
	     struct err *e) __attribute__((warn_unused_result));

extern const struct dissector dissector_dns;

#endif
