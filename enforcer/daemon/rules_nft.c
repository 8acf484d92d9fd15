/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules as text for `nft -f`, in tables of our own: ARP and bridge ports
 * for both backends, IPv4 and IPv6 in one table for the nft backend.
 *
 * A table is made, deleted and made again in one transaction, so a load
 * replaces what there was, whatever it was.
 */
#include <stdio.h>

#include "enforcer/daemon/rules_nft.h"

/* What ends a rule: a drop that the audit hears of. */
void nft_drop(struct text *t, const char *why, const struct rules_guest *g)
{
	text_put(t, " counter drop comment \"" RULES_NOTE "%s:%s\"\n", why,
		 g->name);
}

/* One that is no news: frames for others, and what a link says to all. */
void nft_drop_noise(struct text *t, const char *why)
{
	text_put(t, " counter drop comment \"%s\"\n", why);
}

/* The last rule of a chain. */
void nft_drop_rest(struct text *t, const char *why, const struct rules_guest *g)
{
	text_put(t, "\t\tcounter drop comment \"" RULES_NOTE "%s:%s\"\n", why,
		 g->name);
}

void nft_table_begin(struct text *t, const char *family)
{
	text_put(t,
		 "table %s " RULES_TABLE "\ndelete table %s " RULES_TABLE
		 "\ntable %s " RULES_TABLE " {\n",
		 family, family, family);
}

void nft_chain_begin(struct text *t, const char *name, const char *hook,
		     const char *priority)
{
	text_put(t, "\tchain %s {\n", name);
	if (hook)
		text_put(t,
			 "\t\ttype filter hook %s priority %s; policy "
			 "accept;\n",
			 hook, priority);
}

void nft_end(struct text *t, const char *indent)
{
	text_put(t, "%s}\n", indent);
}

/* "{ a, b }" of a guest's addresses of a family; false: it has none. */
bool nft_addr_set(struct text *t, const char *before,
		  const struct rules_guest *g, bool v6)
{
	struct text_addrs own;
	char p[TEXT_PREFIX];

	text_addrs_of(&own, g, v6);
	if (own.n == 0)
		return false;
	text_put(t, "%s{ ", before);
	for (size_t k = 0; k < own.n; k++) {
		text_prefix(p, &own.a[k]);
		text_put(t, "%s%s", k ? ", " : "", p);
	}
	text_put(t, " }");
	return true;
}

/* { "vif1.0", "vif2.0" }, uplinks first when they are wanted. */
static void iface_set(struct text *t, bool uplinks)
{
	const struct rules_conf *c = t->c;
	bool first = true;

	text_put(t, "{ ");
	for (size_t u = 0; uplinks && u < c->n_uplinks; u++, first = false)
		text_put(t, "%s\"%s\"", first ? "" : ", ", c->uplink[u]);
	for (size_t i = 0; i < c->n_guests; i++, first = false)
		text_put(t, "%s\"%s\"", first ? "" : ", ", c->guest[i].iface);
	text_put(t, " }");
}

/* --- marks of connections
 * ------------------------------------------------------------ */

static uint32_t mark_of(const struct rules_conf *c, uint32_t class)
{
	return c->mark_generation | class << MARK_CLASS_SHIFT;
}

/* ct bytes is the sum with the packet at hand; from 1, and why the connection
 * is taken back when it ends: see rules_xt.c. */
static void carry_chain(struct text *t)
{
	text_put(t, "\tchain carry {\n");
	text_put(t,
		 "\t\ttcp flags & (fin | rst) != 0 "
		 "ct mark set ct mark & 0x%08x\n",
		 ~MARK_MASK);
	for (uint32_t k = MARK_REFUSED - 1; k > 0; k--) {
		if (t->c->bound[k])
			text_put(t,
				 "\t\tct mark & 0x%08x == 0x%08x ct bytes "
				 "1-%llu accept\n",
				 MARK_MASK, mark_of(t->c, k),
				 (unsigned long long)t->c->bound[k]);
	}
	nft_end(t, "\t");
}

static void refused(struct text *t, const char *dir,
		    const struct rules_guest *g)
{
	if (!t->c->offload)
		return;
	/* A packet whose engine refuses the connection for good is sent
	 * through its chain again with that mark. */
	text_put(t,
		 "\t\t%s \"%s\" meta mark & 0x%08x == 0x%08x "
		 "ct mark set meta mark & 0x%08x\n",
		 dir, g->iface, MARK_MASK, mark_of(t->c, MARK_REFUSED),
		 MARK_MASK);
	text_put(t, "\t\t%s \"%s\" ct mark & 0x%08x == 0x%08x", dir, g->iface,
		 MARK_MASK, mark_of(t->c, MARK_REFUSED));
	nft_drop(t, "refused-flow", g);
}

static void carried(struct text *t)
{
	text_put(t, " ct mark & 0x%08x == 0x%08x jump carry\n", MARK_GENERATION,
		 t->c->mark_generation);
}

/* The packet's mark goes into the connection's; bits outside stay. */
static void save_chain(struct text *t, const char *name, const char *hook)
{
	nft_chain_begin(t, name, hook, "filter");
	text_put(t,
		 "\t\tmeta mark & 0x%08x == 0x%08x meta mark & 0x%08x != 0 "
		 "ct mark set meta mark & 0x%08x\n",
		 MARK_GENERATION, t->c->mark_generation, MARK_CLASS, MARK_MASK);
	nft_end(t, "\t");
}

static void guest_to_uplinks(struct text *t, const struct rules_guest *g,
			     bool out)
{
	const struct rules_conf *c = t->c;

	for (size_t u = 0; c->offload && u < c->n_uplinks; u++) {
		text_put(t, "\t\tiifname \"%s\" oifname \"%s\"",
			 out ? g->iface : c->uplink[u],
			 out ? c->uplink[u] : g->iface);
		carried(t);
	}
}

/* --- neighbour discovery: see rules_xt_raw.c
 * ------------------------------------------------ */

#define ND_RATE "limit rate 20/second burst 40 packets"

static void nd_accept(struct text *t, const char *dir,
		      const struct rules_guest *g)
{
	text_put(t,
		 "\t\t%s \"%s\" icmpv6 type { nd-neighbor-solicit, "
		 "nd-neighbor-advert } ip6 hoplimit 255 " ND_RATE " accept\n",
		 dir, g->iface);
	text_put(t,
		 "\t\t%s \"%s\" icmpv6 type { nd-neighbor-solicit, "
		 "nd-neighbor-advert }",
		 dir, g->iface);
	nft_drop(t, "nd", g);
}

static void chatter_to(struct text *t, const struct rules_guest *g)
{
	text_put(t,
		 "\t\toifname \"%s\" icmpv6 type { nd-router-advert, "
		 "nd-redirect, nd-router-solicit, mld-listener-query, "
		 "mld-listener-report, mld-listener-done, "
		 "mld2-listener-report }",
		 g->iface);
	nft_drop_noise(t, "chatter");
	text_put(t, "\t\toifname \"%s\" ip protocol igmp", g->iface);
	nft_drop_noise(t, "chatter");
}

static void nd_chain(struct text *t, size_t i)
{
	const struct rules_guest *g = &t->c->guest[i];

	text_put(t, "\tchain nd_%zu {\n", i);
	nft_nd_forms(t, g, "accept", "accept");
	nft_drop_rest(t, "nd", g);
	nft_end(t, "\t");
}

/* --- whose packet is it?
 * -------------------------------------------------------------- */

static void guest_chain(struct text *t, size_t i)
{
	const struct rules_guest *g = &t->c->guest[i];

	text_put(t, "\tchain source_%zu {\n", i);
	if (nft_addr_set(t, "\t\tip saddr ", g, false))
		text_put(t, " accept\n");
	if (nft_addr_set(t, "\t\tip6 saddr ", g, true))
		text_put(t, " accept\n");
	nft_drop_rest(t, "spoofed-source", g);
	nft_end(t, "\t");
	nd_chain(t, i);
	text_put(t, "\tchain guest_%zu {\n", i);
	if (!t->c->offload)
		text_put(t, "\t\tnotrack\n");
	if (g->has_mac) {
		text_put(t, "\t\tether saddr != " MAC_FMT, MAC_ARG(g->mac));
		nft_drop(t, "spoofed-mac", g);
	}
	text_put(t,
		 "\t\ticmpv6 type { nd-neighbor-solicit, nd-neighbor-advert "
		 "} goto nd_%zu\n",
		 i);
	text_put(t, "\t\ticmpv6 type { nd-router-advert, nd-redirect }");
	nft_drop(t, "router", g);
	text_put(t, "\t\ticmpv6 type { nd-router-solicit, mld-listener-query, "
		    "mld-listener-report, mld-listener-done, "
		    "mld2-listener-report }");
	nft_drop(t, "chatter", g);
	text_put(t, "\t\tip protocol igmp");
	nft_drop(t, "chatter", g);
	text_put(t, "\t\tgoto source_%zu\n", i);
	nft_end(t, "\t");
}

static void elsewhere(struct text *t, const struct rules_guest *g)
{
	static const char *const to[] = {"\t\tip daddr ", "\t\tip6 daddr "};
	static const char *const by[] = {" ip saddr ", " ip6 saddr "};
	struct text_addrs own;

	for (int v6 = 0; v6 < 2; v6++) {
		text_addrs_of(&own, g, v6);
		if (own.n == 0)
			continue;
		text_put(t, "\t\tiifname != \"%s\"", g->iface);
		nft_addr_set(t, by[v6], g, v6);
		nft_drop(t, "spoofed-uplink", g);
		if (!t->c->offload && nft_addr_set(t, to[v6], g, v6))
			text_put(t, " notrack\n");
	}
	if (t->c->bridged) {
		text_addrs_of(&own, g, true);
		for (size_t k = 0; k < own.n; k++) {
			text_put(t,
				 "\t\tiifname != \"%s\" icmpv6 type "
				 "nd-neighbor-advert",
				 g->iface);
			nft_nd_target(t, &own.a[k]);
			nft_drop(t, "spoofed-uplink", g);
		}
	}
}

/* In the bridge's table; ARP was judged at its ports (rules_nft_link.c). */
static void arp_judged(struct text *t)
{
	if (t->c->bridged)
		text_put(t, "\t\tether type arp accept\n");
}

static void sources(struct text *t, const char *priority)
{
	const struct rules_conf *c = t->c;

	for (size_t i = 0; i < c->n_guests; i++)
		guest_chain(t, i);
	nft_chain_begin(t, "sources", "prerouting", priority);
	arp_judged(t);
	text_put(t, "\t\tiifname \"lo\" accept\n");
	for (size_t i = 0; i < c->n_guests; i++)
		text_put(t, "\t\tiifname \"%s\" goto guest_%zu\n",
			 c->guest[i].iface, i);
	for (size_t i = 0; i < c->n_guests; i++)
		elsewhere(t, &c->guest[i]);
	nft_end(t, "\t");
}

/* --- queues
 * ----------------------------------------------------------------------------
 */

static void queue(struct text *t, const char *dir, const struct rules_guest *g)
{
	/* Never "bypass": without a reader the packet is dropped. */
	text_put(t, "\t\t%s \"%s\" counter queue num %u\n", dir, g->iface,
		 g->queue);
}

/* What is for many: see rules_xt.c. */
#define MANY "meta pkttype { broadcast, multicast }"

static void many_chain(struct text *t, const char *priority)
{
	const struct rules_conf *c = t->c;

	nft_chain_begin(t, "to_many", "prerouting", priority);
	arp_judged(t);
	for (size_t i = 0; i < c->n_guests; i++) {
		refused(t, MANY " iifname", &c->guest[i]);
		nd_accept(t, MANY " iifname", &c->guest[i]);
		queue(t, MANY " iifname", &c->guest[i]);
	}
	nft_end(t, "\t");
}

static void many_asked(struct text *t, const struct rules_guest *g)
{
	if (t->c->bridged)
		text_put(t, "\t\t" MANY " iifname \"%s\" accept\n", g->iface);
}

static void send_chain(struct text *t, const char *priority)
{
	const struct rules_conf *c = t->c;

	nft_chain_begin(t, "send", "forward", priority);
	arp_judged(t);
	for (size_t i = 0; i < c->n_guests; i++) {
		text_put(t,
			 "\t\tiifname \"%s\" oifname != ", c->guest[i].iface);
		iface_set(t, true);
		nft_drop(t, "no-uplink", &c->guest[i]);
	}
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];

		refused(t, "iifname", g);
		guest_to_uplinks(t, g, true);
		if (c->bridged)
			nd_accept(t, "iifname", g);
		many_asked(t, g);
		queue(t, "iifname", g);
	}
	nft_end(t, "\t");
}

static void receive_chain(struct text *t, const char *priority)
{
	const struct rules_conf *c = t->c;

	nft_chain_begin(t, "receive", "forward", priority);
	arp_judged(t);
	for (size_t i = 0; i < c->n_guests; i++) {
		text_put(t,
			 "\t\toifname \"%s\" iifname != ", c->guest[i].iface);
		iface_set(t, true);
		nft_drop(t, "no-uplink", &c->guest[i]);
	}
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];

		refused(t, "oifname", g);
		guest_to_uplinks(t, g, false);
		if (c->bridged) {
			nd_accept(t, "oifname", g);
			chatter_to(t, g);
		}
		queue(t, "oifname", g);
	}
	nft_end(t, "\t");
}

static void input_chain(struct text *t, const char *priority)
{
	const struct rules_conf *c = t->c;

	nft_chain_begin(t, "to_domain", "input", priority);
	arp_judged(t);
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];

		refused(t, "iifname", g);
		if (c->offload) {
			text_put(t, "\t\tiifname \"%s\"", g->iface);
			carried(t);
		}
		nd_accept(t, "iifname", g);
		many_asked(t, g);
		queue(t, "iifname", g);
	}
	nft_end(t, "\t");
}

static void output_chain(struct text *t, const char *priority)
{
	const struct rules_conf *c = t->c;

	nft_chain_begin(t, "from_domain", "output", priority);
	arp_judged(t);
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];

		text_put(t,
			 "\t\toifname \"%s\" meta mark & 0x%08x == 0x%08x "
			 "accept\n",
			 g->iface, MARK_CRAFTED | MARK_GATE, MARK_GATE_OF(i));
		refused(t, "oifname", g);
		if (c->offload) {
			text_put(t, "\t\toifname \"%s\"", g->iface);
			carried(t);
		}
		nd_accept(t, "oifname", g);
		chatter_to(t, g);
		queue(t, "oifname", g);
	}
	nft_end(t, "\t");
}

static void queues(struct text *t, const char *send, const char *receive)
{
	if (t->c->offload)
		carry_chain(t);
	if (t->c->bridged)
		many_chain(t, send);
	send_chain(t, send);
	receive_chain(t, receive);
	input_chain(t, send);
	output_chain(t, receive);
	if (t->c->offload) {
		save_chain(t, "keep", "postrouting");
		save_chain(t, "keep_local", "input");
	}
}

static void untrack_chain(struct text *t)
{
	nft_chain_begin(t, "untrack", "output", "raw");
	text_put(t, "\t\tmeta mark & 0x%08x == 0x%08x notrack\n", MARK_CRAFTED,
		 MARK_CRAFTED);
	if (!t->c->offload) {
		text_put(t, "\t\toifname ");
		iface_set(t, false);
		text_put(t, " notrack\n");
	}
	nft_end(t, "\t");
}

static void inet_table(struct text *t)
{
	nft_table_begin(t, "inet");
	sources(t, "raw");
	queues(t, "mangle", "filter");
	untrack_chain(t);
	nft_end(t, "");
}

/* With the nft backend ports are seen in the bridge family only, and its
 * queue works there; chains of the inet table would be the second to ask. */
void nft_bridge_queues(struct text *t)
{
	sources(t, "-250");
	queues(t, "-150", "filter");
}

/* --- closed
 * ------------------------------------------------------------------------------
 */

static void closed_chain(struct text *t, const char *name, const char *hook,
			 const char *priority, bool in, bool out,
			 const char *why)
{
	const struct rules_conf *c = t->c;

	nft_chain_begin(t, name, hook, priority);
	for (size_t i = 0; i < c->n_guests; i++) {
		if (in) {
			text_put(t, "\t\tiifname \"%s\"", c->guest[i].iface);
			nft_drop(t, why, &c->guest[i]);
		}
		if (out) {
			text_put(t, "\t\toifname \"%s\"", c->guest[i].iface);
			nft_drop(t, why, &c->guest[i]);
		}
	}
	nft_end(t, "\t");
}

static void closed_table(struct text *t, enum rules_family f, const char *why)
{
	static const struct {
		const char *family, *priority;
		bool forwards;
	} rows[RULES_FAMILIES] = {
		[RULES_IP4] = {"inet",   "raw",    true },
		[RULES_ARP] = {"arp",    "filter", false},
		[RULES_BRIDGE] = {"bridge", "-300",   true },
	};
	const char *priority = rows[f].priority;

	nft_table_begin(t, rows[f].family);
	/* See rules_xt.c: what is for many is asked about in front. */
	if (f == RULES_BRIDGE && t->c->bridged)
		closed_chain(t, "to_many", "prerouting", priority, true, false,
			     why);
	closed_chain(t, "to_domain", "input", priority, true, false, why);
	closed_chain(t, "from_domain", "output", priority, false, true, why);
	if (rows[f].forwards)
		closed_chain(t, "through", "forward", priority, true, true,
			     why);
	nft_end(t, "");
}

void rules_nft_text(struct text *t, enum rules_backend b, enum rules_family f,
		    bool closed)
{
	if (f == RULES_IP6 || (f == RULES_IP4 && b != RULES_NFT))
		return;
	/* Interfaces of a bridge are ports: nothing of them is an interface
	 * of the IP stack, and nothing of others is a port. One that is
	 * where it should not be is seen by no queue. */
	if (closed)
		closed_table(t, f, "closed");
	else if (f != RULES_BRIDGE && t->c->bridged)
		closed_table(t, f, "not-bridged");
	else if (f == RULES_BRIDGE && !t->c->bridged)
		closed_table(t, f, "bridged");
	else if (f == RULES_ARP)
		nft_arp_table(t);
	else if (f == RULES_BRIDGE)
		nft_bridge_table(t, b);
	else
		inet_table(t);
}
