/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pieces of rules for nft: rules_nft.c has what queues, rules_nft_link.c
 * what is below IP.
 */
#ifndef ENFORCER_DAEMON_RULES_NFT_H
#define ENFORCER_DAEMON_RULES_NFT_H

#include "enforcer/daemon/rules_text.h"

/* "table F metergate {", made anew; "chain NAME {", hooked unless hook is
 * NULL; "}" behind indent. */
void nft_table_begin(struct text *t, const char *family);
void nft_chain_begin(struct text *t, const char *name, const char *hook,
		     const char *priority);
void nft_end(struct text *t, const char *indent);

/* The ends of rules: a drop that the audit hears of; one that is no news; the
 * last rule of a chain. */
void nft_drop(struct text *t, const char *why, const struct rules_guest *g);
void nft_drop_noise(struct text *t, const char *why);
void nft_drop_rest(struct text *t, const char *why,
		   const struct rules_guest *g);

/* "{ a, b }" of a guest's addresses of a family, behind a text; false: it has
 * none and nothing was written. */
bool nft_addr_set(struct text *t, const char *before,
		  const struct rules_guest *g, bool v6);
/* The target of a neighbour's question or answer lies in p. */
void nft_nd_target(struct text *t, const struct pol_prefix *p);

/* Neighbour discovery of a guest, held to the octet: ask and tell are where
 * questions and answers go; what is of another form goes on with the next
 * rule. */
void nft_nd_forms(struct text *t, const struct rules_guest *g,
		  const char *ask, const char *tell);
/* No option, or one; nothing behind it, and nothing where nothing is said. */
#define ND_BARE	  " ip6 length 24 meta length 64"
#define ND_OPTION " ip6 length 32 meta length 72"
#define ND_ASK	  "icmpv6 type nd-neighbor-solicit @th,32,32 0x0"
/* solicited and override may be set; a guest is no router */
#define ND_TELL                                                                \
	"icmpv6 type nd-neighbor-advert @th,32,32 & 0x9fffffff == 0x0"

void nft_arp_table(struct text *t);
void nft_bridge_table(struct text *t, enum rules_backend b);
/* With the nft backend ports are queued in the table of the bridge. */
void nft_bridge_queues(struct text *t);

#endif
