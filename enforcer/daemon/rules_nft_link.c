/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ARP, and the ports of a bridge, as text for nft; of both backends.
 */
#include "enforcer/daemon/rules_nft.h"

/* --- ARP
 * -------------------------------------------------------------------------- A
 * guest says its own MAC and its own addresses; asked whether an address is
 * free (RFC 5227), it has none yet. It hears what concerns its addresses. */

#define ARP_FORM                                                               \
	"arp htype 1 arp ptype ip arp hlen 6 arp plen 4 "                      \
	"arp operation { request, reply }"

static void arp_from(struct text *t, const struct rules_guest *g, size_t i,
		     const char *limit)
{
	text_put(t, "\tchain arp_from_%zu {\n", i);
	for (int probe = 0; probe < 2; probe++) {
		text_put(t, "\t\t" ARP_FORM);
		if (g->has_mac)
			text_put(t, " arp saddr ether " MAC_FMT,
				 MAC_ARG(g->mac));
		if (probe)
			text_put(t, " arp saddr ip 0.0.0.0");
		/* Without an IPv4 address there is nothing to claim. */
		if (!nft_addr_set(t,
				  probe ? " arp daddr ip " : " arp saddr ip ",
				  g, false))
			text_put(t, " arp saddr ip 255.255.255.255");
		text_put(t, "%s accept\n", limit);
	}
	nft_drop_rest(t, "arp", g);
	nft_end(t, "\t");
}

static void arp_to(struct text *t, const struct rules_guest *g, size_t i)
{
	text_put(t, "\tchain arp_to_%zu {\n\t\t" ARP_FORM, i);
	if (!nft_addr_set(t, " arp daddr ip ", g, false))
		text_put(t, " arp daddr ip 255.255.255.255");
	text_put(t, " accept\n");
	/* The answer to "is it free?" goes to nobody's address. */
	if (g->has_mac)
		text_put(t,
			 "\t\t" ARP_FORM " arp operation reply arp daddr "
			 "ether " MAC_FMT " arp daddr ip 0.0.0.0 accept\n",
			 MAC_ARG(g->mac));
	text_put(t, "\t\tcounter drop comment \"not-for-guest\"\n");
	nft_end(t, "\t");
}

/* From elsewhere nobody claims a guest's address. */
static void arp_elsewhere(struct text *t, const struct rules_guest *g)
{
	text_put(t, "\t\tiifname != \"%s\"", g->iface);
	if (!nft_addr_set(t, " arp saddr ip ", g, false))
		text_put(t, " arp saddr ip 255.255.255.255");
	nft_drop(t, "arp", g);
}

void nft_arp_table(struct text *t)
{
	const struct rules_conf *c = t->c;

	nft_table_begin(t, "arp");
	for (size_t i = 0; i < c->n_guests; i++) {
		arp_from(t, &c->guest[i], i, "");
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

/* --- bridge ports
 * ------------------------------------------------------------------- IP goes
 * on to the queues (br_netfilter, or this table's own with the nft backend);
 * ARP is judged here, and everything else ends here. */

static void bridge_from(struct text *t, const struct rules_guest *g, size_t i)
{
	/* On a bridge everybody hears an ARP request: four octets a second
	 * are a channel, so they are few. */
	arp_from(t, g, i, " limit rate 10/second burst 40 packets");
	text_put(t, "\tchain from_%zu {\n", i);
	if (g->has_mac) {
		text_put(t, "\t\tether saddr != " MAC_FMT, MAC_ARG(g->mac));
		nft_drop(t, "spoofed-mac", g);
	}
	text_put(t, "\t\tether type arp goto arp_from_%zu\n", i);
	text_put(t, "\t\tether type { ip, ip6 } accept\n");
	nft_drop_rest(t, "not-ip", g);
	nft_end(t, "\t");
}

/* Who has this address? Asked of everybody, so that a busy link would use up
 * the rate of what a guest may be asked. */
static void nd_to(struct text *t, const struct rules_guest *g, size_t i)
{
	struct text_addrs own;

	text_addrs_of(&own, g, true);
	text_put(t, "\tchain nd_to_%zu {\n", i);
	for (size_t k = 0; k < own.n; k++) {
		text_put(t, "\t\ticmpv6 type nd-neighbor-solicit");
		nft_nd_target(t, &own.a[k]);
		text_put(t, " accept\n");
	}
	text_put(t, "\t\tcounter drop comment \"not-for-guest\"\n");
	nft_end(t, "\t");
}

static void bridge_to(struct text *t, const struct rules_guest *g, size_t i)
{
	arp_to(t, g, i);
	nd_to(t, g, i);
	text_put(t, "\tchain to_%zu {\n", i);
	text_put(t, "\t\tether type arp goto arp_to_%zu\n", i);
	/* What a bridge floods since it does not know the receiver yet. */
	if (g->has_mac) {
		text_put(t,
			 "\t\tether daddr != " MAC_FMT " ether daddr & "
			 "01:00:00:00:00:00 == 00:00:00:00:00:00",
			 MAC_ARG(g->mac));
		nft_drop_noise(t, "not-for-guest");
	}
	text_put(t, "\t\ticmpv6 type nd-neighbor-solicit goto nd_to_%zu\n", i);
	text_put(t, "\t\tether type { ip, ip6 } accept\n");
	nft_drop_rest(t, "not-ip", g);
	nft_end(t, "\t");
}

/* From the driver domain: its IP packets were queued by their addresses, so
 * what has no address of the guest was not. */
static void bridge_local(struct text *t, const struct rules_guest *g, size_t i)
{
	text_put(t, "\tchain local_%zu {\n", i);
	text_put(t, "\t\tether type arp goto arp_to_%zu\n", i);
	if (nft_addr_set(t, "\t\tip daddr ", g, false))
		text_put(t, " accept\n");
	if (nft_addr_set(t, "\t\tip6 daddr ", g, true))
		text_put(t, " accept\n");
	text_put(t,
		 "\t\tip6 daddr ff02::1:ff00:0/104 icmpv6 type "
		 "nd-neighbor-solicit goto nd_to_%zu\n"
		 "\t\tcounter drop comment \"not-for-guest\"\n",
		 i);
	nft_end(t, "\t");
}

static void bridge_elsewhere(struct text *t, const struct rules_guest *g)
{
	/* A MAC seen on two ports would move the guest's traffic. */
	if (g->has_mac) {
		text_put(t, "\t\tiifname != \"%s\" ether saddr " MAC_FMT,
			 g->iface, MAC_ARG(g->mac));
		nft_drop(t, "spoofed-uplink", g);
	}
	arp_elsewhere(t, g);
}

void nft_bridge_table(struct text *t, enum rules_backend b)
{
	const struct rules_conf *c = t->c;

	nft_table_begin(t, "bridge");
	for (size_t i = 0; i < c->n_guests; i++) {
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
