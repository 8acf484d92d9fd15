/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARP, neighbour discovery and the ports of a bridge, as text for nft; of
 * both backends.
 */
#include <stdio.h>

#include "enforcer/daemon/rules_nft.h"

/* --- ARP
 * -------------------------------------------------------------------------- A
 * guest says its own MAC and its own addresses; asked whether an address is
 * free (RFC 5227), it has none yet. It hears what concerns its addresses. */

#define ARP_FORM  "arp htype 1 arp ptype ip arp hlen 6 arp plen 4"
#define ARP_ASK   ARP_FORM " arp operation request"
#define ARP_TELL  ARP_FORM " arp operation reply"
#define ARP_OTHER ARP_FORM " arp operation { request, reply }"

/* 28 octets, or filled up with zeros to the 46 of the shortest frame: there is
 * room for a message behind a question. Ends a rule when it is longer. */
static void arp_longer(struct text *t, const struct rules_guest *g, bool told)
{
	static const char *const longer[] = {
		"meta length != { 28, 46 }",
		"meta length 46 @nh,224,128 != 0x0",
		"meta length 46 @nh,352,16 != 0x0",
	};

	for (size_t k = 0; k < sizeof(longer) / sizeof(longer[0]); k++) {
		text_put(t, "\t\t%s", longer[k]);
		if (told)
			nft_drop(t, "arp", g);
		else
			nft_drop_noise(t, "not-for-guest");
	}
}

/* Without an IPv4 address there is nothing to claim, and nothing to hear. */
static void arp_own(struct text *t, const char *before,
		    const struct rules_guest *g)
{
	if (!nft_addr_set(t, before, g, false))
		text_put(t, "%s255.255.255.255", before);
}

/* Routed: what a guest asks and tells ends in the driver domain. */
static void arp_from(struct text *t, const struct rules_guest *g, size_t i)
{
	text_put(t, "\tchain arp_from_%zu {\n", i);
	arp_longer(t, g, true);
	for (int probe = 0; probe < 2; probe++) {
		text_put(t, "\t\t" ARP_OTHER);
		if (g->has_mac)
			text_put(t, " arp saddr ether " MAC_FMT,
				 MAC_ARG(g->mac));
		if (probe)
			text_put(t, " arp saddr ip 0.0.0.0");
		arp_own(t, probe ? " arp daddr ip " : " arp saddr ip ", g);
		text_put(t, " accept\n");
	}
	nft_drop_rest(t, "arp", g);
	nft_end(t, "\t");
}

static void arp_to(struct text *t, const struct rules_guest *g, size_t i)
{
	text_put(t, "\tchain arp_to_%zu {\n\t\t" ARP_OTHER, i);
	arp_own(t, " arp daddr ip ", g);
	text_put(t, " accept\n");
	/* The answer to "is it free?" goes to nobody's address. */
	if (g->has_mac)
		text_put(t,
			 "\t\t" ARP_TELL " arp daddr ether " MAC_FMT
			 " arp daddr ip 0.0.0.0 accept\n",
			 MAC_ARG(g->mac));
	text_put(t, "\t\tcounter drop comment \"not-for-guest\"\n");
	nft_end(t, "\t");
}

/* From elsewhere nobody claims a guest's address. */
static void arp_elsewhere(struct text *t, const struct rules_guest *g)
{
	text_put(t, "\t\tiifname != \"%s\"", g->iface);
	arp_own(t, " arp saddr ip ", g);
	nft_drop(t, "arp", g);
}

void nft_arp_table(struct text *t)
{
	const struct rules_conf *c = t->c;

	nft_table_begin(t, "arp");
	for (size_t i = 0; i < c->n_guests; i++) {
		arp_from(t, &c->guest[i], i);
		arp_to(t, &c->guest[i], i);
	}
	nft_chain_begin(t, "in", "input", "filter");
	for (size_t i = 0; i < c->n_guests; i++)
		text_put(t, "\t\tiifname \"%s\" goto arp_from_%zu\n",
			 c->guest[i].iface, i);
	for (size_t i = 0; i < c->n_guests; i++)
		arp_elsewhere(t, &c->guest[i]);
	nft_end(t, "\t");
	nft_chain_begin(t, "out", "output", "filter");
	for (size_t i = 0; i < c->n_guests; i++)
		text_put(t, "\t\toifname \"%s\" goto arp_to_%zu\n",
			 c->guest[i].iface, i);
	nft_end(t, "\t");
	nft_end(t, "");
}

/* --- neighbour discovery: see rules_xt_raw.c
 * ------------------------------------------------ */

/* "@th,64,128 ...": the target, under the mask of the prefix. */
void nft_nd_target(struct text *t, const struct pol_prefix *p)
{
	uint8_t mask[16], value[16];

	for (unsigned i = 0; i < 16; i++) {
		unsigned left = p->len > i * 8 ? p->len - i * 8u : 0;

		mask[i] = left >= 8 ? 0xff : (uint8_t)(0xff00u >> left);
		value[i] = p->addr.b[i] & mask[i];
	}
	text_put(t, " @th,64,128");
	if (p->len < 128) {
		text_put(t, " & 0x");
		for (unsigned i = 0; i < 16; i++)
			text_put(t, "%02x", mask[i]);
		text_put(t, " ==");
	}
	text_put(t, " 0x");
	for (unsigned i = 0; i < 16; i++)
		text_put(t, "%02x", value[i]);
}

static void nd_option(struct text *t, const struct rules_guest *g,
		      unsigned type)
{
	const uint8_t *m = g->mac;

	if (g->has_mac)
		text_put(t, " @th,192,64 0x%02x01%02x%02x%02x%02x%02x%02x",
			 type, m[0], m[1], m[2], m[3], m[4], m[5]);
	else
		text_put(t, " @th,192,16 0x%02x01", type);
}

/* Own addresses as source, or none yet: is it free? Then a nonce (RFC 7527)
 * may stand for the option. */
void nft_nd_forms(struct text *t, const struct rules_guest *g,
		  const char *ask, const char *tell)
{
	static const char *const never[] = {
		"ip6 nexthdr != icmpv6", "@nh,0,32 != 0x60000000",
		"ip6 hoplimit != 255", "icmpv6 code != 0"};
	struct text_addrs own;

	/* Of a spoofed source the audit hears by its own name. */
	if (nft_addr_set(t, "\t\tip6 saddr != ", g, true)) {
		text_put(t, " ip6 saddr != ::");
		nft_drop(t, "spoofed-source", g);
	}
	for (size_t k = 0; k < sizeof(never) / sizeof(never[0]); k++) {
		text_put(t, "\t\t%s", never[k]);
		nft_drop(t, "nd", g);
	}
	text_addrs_of(&own, g, true);
	if (own.n == 0)
		return;
	text_put(t, "\t\t" ND_ASK ND_BARE " ip6 saddr != :: %s\n\t\t" ND_ASK
		    ND_OPTION " ip6 saddr != ::", ask);
	nd_option(t, g, 1);
	text_put(t, " %s\n", ask);
	for (size_t k = 0; k < own.n; k++) {
		text_put(t, "\t\t" ND_ASK ND_BARE " ip6 saddr ::");
		nft_nd_target(t, &own.a[k]);
		text_put(t, " %s\n\t\t" ND_ASK ND_OPTION " ip6 saddr ::",
			 ask);
		nft_nd_target(t, &own.a[k]);
		text_put(t, " @th,192,16 0x0e01 %s\n\t\t" ND_TELL ND_BARE
			    " ip6 saddr != ::", ask);
		nft_nd_target(t, &own.a[k]);
		text_put(t, " %s\n\t\t" ND_TELL ND_OPTION
			    " ip6 saddr != ::", tell);
		nft_nd_target(t, &own.a[k]);
		nd_option(t, g, 2);
		text_put(t, " %s\n", tell);
	}
}

/* --- ARP and neighbour discovery on a bridge
 * ----------------------------------------------- Here others hear what a guest
 * asks and tells, so every octet is fixed or the binding's but for these:
 *
 * - which address a question is about. Nobody knows what a link has, so
 *   questions are few;
 * - to whom the guest speaks alone: only to whom it has heard speak, address
 *   and MAC together (the sets near_N and near6_N);
 * - of discovery, what rules cannot compute: the checksum, and that the group
 *   asked is the one of the address asked for. They share the rate. */

#define ASK_RATE  "limit rate 1/second burst 10 packets"
#define TELL_RATE "limit rate 2/second burst 20 packets"
#define HEAR_RATE "limit rate 20/second burst 40 packets"
#define EVERYBODY "ff:ff:ff:ff:ff:ff"
#define ALONE	  "ether daddr & 01:00:00:00:00:00 == 00:00:00:00:00:00"

static void near_set(struct text *t, const char *name, const char *type,
		     size_t i)
{
	text_put(t,
		 "\tset %s_%zu {\n\t\ttype %s . ether_addr\n\t\tsize 256\n"
		 "\t\tflags dynamic,timeout\n\t\ttimeout 4h\n",
		 name, i, type);
	nft_end(t, "\t");
}

/* One bucket for each kind of thing said, whichever rule let it. */
static void rate_chain(struct text *t, const char *proto, const char *kind,
		       const char *rate, const struct rules_guest *g, size_t i)
{
	text_put(t, "\tchain %s_%s_%zu {\n\t\t%s accept\n", proto, kind, i,
		 rate);
	nft_drop_rest(t, proto, g);
	nft_end(t, "\t");
}

/* Who was let to the guest may be answered and asked alone. A set that is full
 * learns nobody new; what was heard is good all the same. */
static void heard_chain(struct text *t, const char *proto, const char *near,
			const char *who, size_t i)
{
	text_put(t,
		 "\tchain %s_heard_%zu {\n\t\t" HEAR_RATE " goto "
		 "%s_near_%zu\n\t\tcounter drop comment \"not-for-guest\"\n",
		 proto, i, proto, i);
	nft_end(t, "\t");
	text_put(t,
		 "\tchain %s_near_%zu {\n\t\tupdate @%s_%zu { %s }\n"
		 "\t\taccept\n",
		 proto, i, near, i, who);
	nft_end(t, "\t");
}

/* Whose MAC is not known yet: written as nobody's, everybody's or one's own. */
static void arp_nobody(struct text *t, const struct rules_guest *g)
{
	text_put(t,
		 " arp daddr ether { 00:00:00:00:00:00, " EVERYBODY
		 ", " MAC_FMT " }",
		 MAC_ARG(g->mac));
}

static void arp_says(struct text *t, const char *what,
		     const struct rules_guest *g)
{
	text_put(t, "\t\t%s arp saddr ether " MAC_FMT, what, MAC_ARG(g->mac));
}

static void port_arp_from(struct text *t, const struct rules_guest *g, size_t i)
{
	static const char *const alone[] = {ARP_ASK, ARP_TELL};

	rate_chain(t, "arp", "ask", ASK_RATE, g, i);
	rate_chain(t, "arp", "tell", TELL_RATE, g, i);
	text_put(t, "\tchain arp_from_%zu {\n", i);
	arp_longer(t, g, true);
	arp_says(t, ARP_ASK " ether daddr " EVERYBODY, g);
	arp_nobody(t, g);
	arp_own(t, " arp saddr ip ", g);
	text_put(t, " goto arp_ask_%zu\n", i);
	/* Is it free? It is mine. */
	arp_says(t, ARP_ASK " ether daddr " EVERYBODY, g);
	arp_nobody(t, g);
	arp_own(t, " arp saddr ip 0.0.0.0 arp daddr ip ", g);
	text_put(t, " goto arp_ask_%zu\n", i);
	arp_says(t, ARP_TELL " ether daddr " EVERYBODY, g);
	arp_nobody(t, g);
	arp_own(t, " arp saddr ip ", g);
	arp_own(t, " arp daddr ip ", g);
	text_put(t, " goto arp_ask_%zu\n", i);
	/* Are you still there? */
	arp_says(t, ARP_ASK, g);
	arp_nobody(t, g);
	arp_own(t, " arp saddr ip ", g);
	text_put(t,
		 " arp daddr ip . ether daddr @near_%zu goto arp_tell_%zu\n",
		 i, i);
	/* One that it knew before the rules were loaded: it will ask all. */
	arp_says(t, ARP_ASK " " ALONE, g);
	arp_nobody(t, g);
	arp_own(t, " arp saddr ip ", g);
	nft_drop_noise(t, "not-known");
	for (size_t k = 0; k < 2; k++) {
		arp_says(t, alone[k], g);
		arp_own(t, " arp saddr ip ", g);
		text_put(t,
			 " arp daddr ip . arp daddr ether @near_%zu arp daddr "
			 "ip . ether daddr @near_%zu goto arp_tell_%zu\n",
			 i, i, i);
	}
	nft_drop_rest(t, "arp", g);
	nft_end(t, "\t");
}

static void port_arp_to(struct text *t, const struct rules_guest *g, size_t i)
{
	heard_chain(t, "arp", "near", "arp saddr ip . arp saddr ether", i);
	text_put(t, "\tchain arp_to_%zu {\n", i);
	arp_longer(t, g, false);
	text_put(t, "\t\t" ARP_OTHER);
	arp_own(t, " arp daddr ip ", g);
	arp_nobody(t, g);
	text_put(t, " goto arp_heard_%zu\n", i);
	text_put(t,
		 "\t\t" ARP_TELL " arp daddr ether " MAC_FMT
		 " arp daddr ip 0.0.0.0 goto arp_heard_%zu\n",
		 MAC_ARG(g->mac), i);
	text_put(t, "\t\tcounter drop comment \"not-for-guest\"\n");
	nft_end(t, "\t");
}

static void nd_receiver(struct text *t, const char *kind, const char *group,
			const struct rules_guest *g, size_t i)
{
	text_put(t,
		 "\tchain nd_%s_to_%zu {\n\t\t%s goto nd_%s_%zu\n"
		 "\t\tip6 daddr . ether daddr @near6_%zu goto nd_%s_%zu\n"
		 "\t\ticmpv6 type nd-neighbor-solicit " ALONE,
		 kind, i, group, kind, i, i, kind, i);
	nft_drop_noise(t, "not-known");
	nft_drop_rest(t, "nd", g);
	nft_end(t, "\t");
}

static void port_nd_from(struct text *t, const struct rules_guest *g, size_t i)
{
	char ask[48], tell[48];

	snprintf(ask, sizeof(ask), "goto nd_ask_to_%zu", i);
	snprintf(tell, sizeof(tell), "goto nd_tell_to_%zu", i);
	rate_chain(t, "nd", "ask", ASK_RATE, g, i);
	rate_chain(t, "nd", "tell", TELL_RATE, g, i);
	nd_receiver(t, "ask",
		 "ip6 daddr ff02::1:ff00:0/104 ether daddr & "
		 "ff:ff:ff:00:00:00 == 33:33:ff:00:00:00",
		 g, i);
	nd_receiver(t, "tell", "ip6 daddr ff02::1 ether daddr 33:33:00:00:00:01",
		 g, i);
	text_put(t, "\tchain nd_from_%zu {\n", i);
	nft_nd_forms(t, g, ask, tell);
	nft_drop_rest(t, "nd", g);
	nft_end(t, "\t");
}

/* What is asked about the guest and told to it. Asked of everybody, so that a
 * busy link would use up the rate of what a guest may be asked. */
static void port_nd_to(struct text *t, const struct rules_guest *g, size_t i)
{
	struct text_addrs own;

	heard_chain(t, "nd", "near6", "ip6 saddr . ether saddr", i);
	text_addrs_of(&own, g, true);
	text_put(t,
		 "\tchain nd_to_%zu {\n"
		 "\t\tip6 nexthdr != icmpv6 counter drop comment \"not-for-guest\"\n"
		 "\t\tip6 hoplimit != 255 counter drop comment \"not-for-guest\"\n"
		 "\t\ticmpv6 code != 0 counter drop comment \"not-for-guest\"\n",
		 i);
	for (size_t k = 0; k < own.n; k++) {
		text_put(t, "\t\t" ND_ASK ND_BARE);
		nft_nd_target(t, &own.a[k]);
		text_put(t, " goto nd_heard_%zu\n\t\t" ND_ASK ND_OPTION, i);
		nft_nd_target(t, &own.a[k]);
		text_put(t, " @th,192,16 { 0x0101, 0x0e01 } goto nd_heard_%zu\n",
			 i);
	}
	/* Others may be routers. */
	if (own.n)
		text_put(t,
			 "\t\ticmpv6 type nd-neighbor-advert @th,32,32 & "
			 "0x1fffffff == 0x0" ND_BARE " goto nd_heard_%zu\n"
			 "\t\ticmpv6 type nd-neighbor-advert @th,32,32 & "
			 "0x1fffffff == 0x0" ND_OPTION " @th,192,16 0x0201 "
			 "goto nd_heard_%zu\n",
			 i, i);
	text_put(t, "\t\tcounter drop comment \"not-for-guest\"\n");
	nft_end(t, "\t");
}

/* --- bridge ports
 * ------------------------------------------------------------------- IP goes
 * on to the queues (br_netfilter, or this table's own with the nft backend);
 * ARP and discovery are judged here, and everything else ends here. */

#define ND_BOTH "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }"

static void bridge_from(struct text *t, const struct rules_guest *g, size_t i)
{
	port_arp_from(t, g, i);
	port_nd_from(t, g, i);
	text_put(t, "\tchain from_%zu {\n\t\tether saddr != " MAC_FMT, i,
		 MAC_ARG(g->mac));
	nft_drop(t, "spoofed-mac", g);
	text_put(t,
		 "\t\tether type arp goto arp_from_%zu\n"
		 "\t\t" ND_BOTH " goto nd_from_%zu\n"
		 "\t\tether type { ip, ip6 } accept\n",
		 i, i);
	nft_drop_rest(t, "not-ip", g);
	nft_end(t, "\t");
}

static void bridge_to(struct text *t, const struct rules_guest *g, size_t i)
{
	port_arp_to(t, g, i);
	port_nd_to(t, g, i);
	text_put(t, "\tchain to_%zu {\n", i);
	text_put(t, "\t\tether type arp goto arp_to_%zu\n", i);
	/* What a bridge floods since it does not know the receiver yet. */
	text_put(t, "\t\tether daddr != " MAC_FMT " " ALONE, MAC_ARG(g->mac));
	nft_drop_noise(t, "not-for-guest");
	text_put(t, "\t\t" ND_BOTH " goto nd_to_%zu\n", i);
	text_put(t, "\t\tether type { ip, ip6 } accept\n");
	nft_drop_rest(t, "not-ip", g);
	nft_end(t, "\t");
}

/* From the driver domain: its IP packets were queued by their addresses, so
 * what has no address of the guest was not. */
static void bridge_local(struct text *t, const struct rules_guest *g, size_t i)
{
	text_put(t, "\tchain local_%zu {\n", i);
	text_put(t,
		 "\t\tether type arp goto arp_to_%zu\n"
		 "\t\t" ND_BOTH " goto nd_to_%zu\n",
		 i, i);
	if (nft_addr_set(t, "\t\tip daddr ", g, false))
		text_put(t, " accept\n");
	if (nft_addr_set(t, "\t\tip6 daddr ", g, true))
		text_put(t, " accept\n");
	text_put(t, "\t\tcounter drop comment \"not-for-guest\"\n");
	nft_end(t, "\t");
}

static void bridge_elsewhere(struct text *t, const struct rules_guest *g)
{
	/* A MAC seen on two ports would move the guest's traffic. */
	text_put(t, "\t\tiifname != \"%s\" ether saddr " MAC_FMT, g->iface,
		 MAC_ARG(g->mac));
	nft_drop(t, "spoofed-uplink", g);
	arp_elsewhere(t, g);
}

void nft_bridge_table(struct text *t, enum rules_backend b)
{
	const struct rules_conf *c = t->c;

	nft_table_begin(t, "bridge");
	for (size_t i = 0; i < c->n_guests; i++) {
		near_set(t, "near", "ipv4_addr", i);
		near_set(t, "near6", "ipv6_addr", i);
		bridge_from(t, &c->guest[i], i);
		bridge_to(t, &c->guest[i], i);
		bridge_local(t, &c->guest[i], i);
	}
	/* Before the bridge learns, and before br_netfilter. */
	nft_chain_begin(t, "ports", "prerouting", "-300");
	for (size_t i = 0; i < c->n_guests; i++)
		text_put(t, "\t\tiifname \"%s\" goto from_%zu\n",
			 c->guest[i].iface, i);
	for (size_t i = 0; i < c->n_guests; i++)
		bridge_elsewhere(t, &c->guest[i]);
	nft_end(t, "\t");
	nft_chain_begin(t, "through", "forward", "-300");
	for (size_t i = 0; i < c->n_guests; i++)
		text_put(t, "\t\toifname \"%s\" goto to_%zu\n",
			 c->guest[i].iface, i);
	nft_end(t, "\t");
	nft_chain_begin(t, "local", "output", "-300");
	for (size_t i = 0; i < c->n_guests; i++)
		text_put(t, "\t\toifname \"%s\" goto local_%zu\n",
			 c->guest[i].iface, i);
	nft_end(t, "\t");
	if (b == RULES_NFT)
		nft_bridge_queues(t);
	nft_end(t, "");
}
