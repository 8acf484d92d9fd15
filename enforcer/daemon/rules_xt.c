/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules as text for iptables-restore and ip6tables-restore.
 *
 * All rules stand in chains of our own, MG-*, which are hooked in front of
 * whatever else a host has, so that its rules stay as they are. A packet of a
 * guest leaves our chains in three ways: dropped, queued (a verdict goes on
 * with the next hook, never with the next rule) or, once it was judged on its
 * way out to an uplink, by RETURN to the host's own rules.
 *
 * What is accepted here without a queue is written in one place each: the
 * segments of a guest's own gate (OUTPUT), neighbour discovery that says nothing but
 * bound addresses, connections whose octets were judged and charged in
 * advance (MG-CARRY), and a bridge's copies of what was asked about before
 * (many_asked).
 */
#include <stdio.h>

#include "enforcer/daemon/rules_xt.h"

#define NO_CLASS "0x0/0x000f0000"

/* --- pieces of rules
 * -------------------------------------------------------------- In a bridge
 * the interface of a packet is the bridge's; its port is in physdev. What the
 * driver domain sends into a bridge has no port yet when it is filtered: there
 * the receiver is known by its addresses. */

/* A drop that the audit hears of. */
void xt_drop(struct text *t, const char *why, const struct rules_guest *g)
{
	text_put(t, " -m comment --comment \"" RULES_NOTE "%s:%s\" -j DROP\n",
		 why, g ? g->name : "");
}

/* One that is no news: what a link says to everybody, and nobody to a guest. */
void xt_drop_noise(struct text *t)
{
	text_put(t, " -m comment --comment chatter -j DROP\n");
}

const char *xt_from(const struct text *t)
{
	return t->c->bridged ? "-m physdev --physdev-in" : "-i";
}

const char *xt_to(const struct text *t)
{
	return t->c->bridged ? "-m physdev --physdev-is-bridged --physdev-out"
			     : "-o";
}

static void queue(struct text *t, const struct rules_guest *g)
{
	/* Never --queue-bypass: without a reader the packet is dropped. */
	text_put(t, " -j NFQUEUE --queue-num %u\n", g->queue);
}

static uint32_t mark_of(const struct rules_conf *c, uint32_t class)
{
	return c->mark_generation | class << MARK_CLASS_SHIFT;
}

static void refused_mark(struct text *t)
{
	text_put(t, " -m connmark --mark 0x%08x/0x%08x",
		 mark_of(t->c, MARK_REFUSED), MARK_MASK);
}

static void carried_mark(struct text *t)
{
	text_put(t,
		 " -m connmark --mark 0x%08x/0x%08x -j " RULES_CHAIN "CARRY\n",
		 t->c->mark_generation, MARK_GENERATION);
}

/* Up to which octet a class is carried. conntrack counts a packet, a GSO one
 * whole, before any rule sees it, so the packet at hand is in the sum: what is
 * compared is the sum as it would be after passing, and the bound is exact.
 * From 1, not 0: a connection older than the accounting has no sum, reads as
 * 0 and must not match. The largest class first: its packets are the most.
 * The end of a connection is the engine's to see, else it has a flow for each
 * that is over: what is about to end is taken back, and so is what follows. */
static void carry_chain(struct text *t)
{
	text_put(t,
		 "-A " RULES_CHAIN "CARRY -p tcp ! --tcp-flags FIN,RST NONE "
		 "-j CONNMARK --set-xmark 0x0/0x%08x\n",
		 MARK_MASK);
	for (uint32_t k = MARK_REFUSED - 1; k > 0; k--) {
		if (t->c->bound[k] == 0)
			continue;
		text_put(t,
			 "-A " RULES_CHAIN "CARRY -m connmark --mark "
			 "0x%08x/0x%08x -m connbytes --connbytes 1:%llu "
			 "--connbytes-dir both --connbytes-mode bytes "
			 "-j ACCEPT\n",
			 mark_of(t->c, k), MARK_MASK,
			 (unsigned long long)t->c->bound[k]);
	}
}

void xt_table(struct text *t, const char *name)
{
	text_put(t, "*%s\n", name);
}

void xt_chain(struct text *t, const char *name)
{
	text_put(t, ":" RULES_CHAIN "%s - [0:0]\n", name);
}

void xt_hook(struct text *t, const char *name)
{
	text_put(t, "-I %s 1 -j " RULES_CHAIN "%s\n", name, name);
}

void xt_commit(struct text *t)
{
	text_put(t, "COMMIT\n");
}

/* --- mangle: the sender's queue
 * ---------------------------------------------------- */

static void refused(struct text *t, const char *ch, const char *match,
		    const char *arg, const struct rules_guest *g)
{
	if (!t->c->offload)
		return;
	/* A packet whose engine refuses the connection for good is sent
	 * through its chain again with that mark. */
	text_put(t,
		 "-A " RULES_CHAIN "%s %s %s -m mark --mark 0x%08x/0x%08x "
		 "-j CONNMARK --save-mark --nfmask 0x%08x --ctmask 0x%08x\n",
		 ch, match, arg, mark_of(t->c, MARK_REFUSED), MARK_MASK,
		 MARK_MASK, MARK_MASK);
	text_put(t, "-A " RULES_CHAIN "%s %s %s", ch, match, arg);
	refused_mark(t);
	/* Its refusal was audited when it was judged. */
	xt_drop(t, "refused-flow", g);
}

/* Between a guest and an uplink one engine decides, so its mark suffices.
 * Between two guests two do: nothing is carried there. */
static void carry_to_uplinks(struct text *t, const struct rules_guest *g,
			     bool out)
{
	const struct rules_conf *c = t->c;

	for (size_t u = 0; c->offload && u < c->n_uplinks; u++) {
		if (c->bridged)
			text_put(t,
				 "-A " RULES_CHAIN "%s -m physdev "
				 "--physdev-is-bridged --physdev-in %s "
				 "--physdev-out %s",
				 out ? "SEND" : "RECEIVE",
				 out ? g->iface : c->uplink[u],
				 out ? c->uplink[u] : g->iface);
		else
			text_put(t, "-A " RULES_CHAIN "%s -i %s -o %s",
				 out ? "SEND" : "RECEIVE",
				 out ? g->iface : c->uplink[u],
				 out ? c->uplink[u] : g->iface);
		carried_mark(t);
	}
}

/* From a guest one may go to uplinks and to other guests, nowhere else. */
static void send_ways(struct text *t)
{
	const struct rules_conf *c = t->c;
	struct text_addrs own;
	char p[TEXT_PREFIX];

	for (size_t u = 0; u < c->n_uplinks; u++) {
		text_put(t,
			 "-A " RULES_CHAIN "FORWARD %s %s -j " RULES_CHAIN
			 "SEND\n",
			 xt_to(t), c->uplink[u]);
		if (c->bridged) /* an uplink that is no port of the bridge */
			text_put(t,
				 "-A " RULES_CHAIN
				 "FORWARD -o %s -j " RULES_CHAIN "SEND\n",
				 c->uplink[u]);
	}
	for (size_t i = 0; i < c->n_guests; i++) {
		text_put(t,
			 "-A " RULES_CHAIN "FORWARD %s %s -j " RULES_CHAIN
			 "SEND\n",
			 xt_to(t), c->guest[i].iface);
		text_addrs_of(&own, &c->guest[i], t->v6);
		for (size_t k = 0; c->bridged && k < own.n; k++) {
			text_prefix(p, &own.a[k]);
			text_put(t,
				 "-A " RULES_CHAIN "FORWARD " XT_ROUTED "-d %s "
				 "-j " RULES_CHAIN "SEND\n",
				 p);
		}
	}
	for (size_t i = 0; i < c->n_guests; i++) {
		text_put(t, "-A " RULES_CHAIN "FORWARD %s %s", xt_from(t),
			 c->guest[i].iface);
		xt_drop(t, "no-uplink", &c->guest[i]);
	}
}

static void send_queue(struct text *t, const char *ch,
		       const struct rules_guest *g)
{
	text_put(t, "-A " RULES_CHAIN "%s %s %s", ch, xt_from(t), g->iface);
	queue(t, g);
}

/* What is for many goes out of a bridge by every port, a copy each, and to the
 * driver domain: the sender's queue is asked in front of the bridge, once, and
 * the copies, of which a packet's type is part, are not asked about again. */
static const char *const to_many[] = {"broadcast", "multicast"};

static void many_match(char *buf, size_t cap, const struct rules_guest *g,
		       size_t k)
{
	snprintf(buf, cap, "%s -m pkttype --pkt-type %s", g->iface, to_many[k]);
}

static void many_queue(struct text *t, const struct rules_guest *g)
{
	char arg[64];

	for (size_t k = 0; t->c->bridged && k < 2; k++) {
		many_match(arg, sizeof(arg), g, k);
		refused(t, "PREROUTING", xt_from(t), arg, g);
		xt_nd_accept(t, "PREROUTING", xt_from(t), arg, g);
		text_put(t, "-A " RULES_CHAIN "PREROUTING %s %s", xt_from(t),
			 arg);
		queue(t, g);
	}
}

static void many_asked(struct text *t, const char *ch,
		       const struct rules_guest *g)
{
	char arg[64];

	for (size_t k = 0; t->c->bridged && k < 2; k++) {
		many_match(arg, sizeof(arg), g, k);
		text_put(t, "-A " RULES_CHAIN "%s %s %s -j ACCEPT\n", ch,
			 xt_from(t), arg);
	}
}

static void mangle_table(struct text *t)
{
	const struct rules_conf *c = t->c;

	xt_table(t, "mangle");
	if (c->bridged)
		xt_chain(t, "PREROUTING");
	xt_chain(t, "FORWARD");
	xt_chain(t, "SEND");
	xt_chain(t, "INPUT");
	if (c->offload) {
		xt_chain(t, "CARRY");
		xt_chain(t, "POSTROUTING");
	}
	if (c->bridged)
		xt_hook(t, "PREROUTING");
	xt_hook(t, "FORWARD");
	xt_hook(t, "INPUT");
	if (c->offload)
		xt_hook(t, "POSTROUTING");
	send_ways(t);
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];

		refused(t, "SEND", xt_from(t), g->iface, g);
		carry_to_uplinks(t, g, true);
		if (c->bridged)
			xt_nd_accept(t, "SEND", xt_from(t), g->iface, g);
		many_queue(t, g);
		many_asked(t, "SEND", g);
		send_queue(t, "SEND", g);
		refused(t, "INPUT", xt_from(t), g->iface, g);
		if (c->offload) {
			text_put(t, "-A " RULES_CHAIN "INPUT %s %s", xt_from(t),
				 g->iface);
			carried_mark(t);
		}
		xt_nd_accept(t, "INPUT", xt_from(t), g->iface, g);
		many_asked(t, "INPUT", g);
		send_queue(t, "INPUT", g);
	}
	if (c->offload)
		carry_chain(t);
	/* The word of an engine about a connection, kept: its generation is
	 * ours and it has a class, so other marks are left alone. */
	if (c->offload)
		text_put(t,
			 "-A " RULES_CHAIN "POSTROUTING -m mark --mark "
			 "0x%08x/0x%08x -m mark ! --mark " NO_CLASS " -j "
			 "CONNMARK --save-mark --nfmask 0x%08x --ctmask "
			 "0x%08x\n",
			 c->mark_generation, MARK_GENERATION, MARK_MASK,
			 MARK_MASK);
	xt_commit(t);
}

/* --- filter: the receiver's queue
 * -------------------------------------------------- */

/* Only uplinks and other guests may speak to a guest. */
static void receive_ways(struct text *t)
{
	const struct rules_conf *c = t->c;

	for (size_t u = 0; u < c->n_uplinks; u++) {
		text_put(t,
			 "-A " RULES_CHAIN "FORWARD %s %s -j " RULES_CHAIN
			 "RECEIVE\n",
			 xt_from(t), c->uplink[u]);
		if (c->bridged)
			text_put(t,
				 "-A " RULES_CHAIN
				 "FORWARD -i %s -j " RULES_CHAIN "RECEIVE\n",
				 c->uplink[u]);
	}
	for (size_t i = 0; i < c->n_guests; i++)
		text_put(t,
			 "-A " RULES_CHAIN "FORWARD %s %s -j " RULES_CHAIN
			 "RECEIVE\n",
			 xt_from(t), c->guest[i].iface);
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];
		struct text_addrs own;
		char p[TEXT_PREFIX];

		text_put(t, "-A " RULES_CHAIN "FORWARD %s %s", xt_to(t),
			 g->iface);
		xt_drop(t, "no-uplink", g);
		text_addrs_of(&own, g, t->v6);
		for (size_t k = 0; c->bridged && k < own.n; k++) {
			text_prefix(p, &own.a[k]);
			text_put(t,
				 "-A " RULES_CHAIN "FORWARD " XT_ROUTED "-d %s",
				 p);
			xt_drop(t, "no-uplink", g);
		}
	}
}

/* A link's own chatter; no engine need judge it. */
static void to_guest_never(struct text *t, const char *ch, const char *match,
			   const char *arg)
{
	char m[80];

	snprintf(m, sizeof(m), " %s ", match);
	if (t->v6) {
		xt_nd_never(t, ch, m, arg, NULL);
	} else {
		text_put(t, "-A " RULES_CHAIN "%s%s%s -p igmp", ch, m, arg);
		xt_drop_noise(t);
	}
}

static void receive_queue(struct text *t, const struct rules_guest *g)
{
	struct text_addrs own;
	char p[TEXT_PREFIX];

	refused(t, "RECEIVE", xt_to(t), g->iface, g);
	carry_to_uplinks(t, g, false);
	if (t->c->bridged) {
		xt_nd_accept(t, "RECEIVE", xt_to(t), g->iface, g);
		to_guest_never(t, "RECEIVE", xt_to(t), g->iface);
	}
	text_put(t, "-A " RULES_CHAIN "RECEIVE %s %s", xt_to(t), g->iface);
	queue(t, g);
	/* Routed into the bridge: the port is not known yet. */
	text_addrs_of(&own, g, t->v6);
	for (size_t k = 0; t->c->bridged && k < own.n; k++) {
		text_prefix(p, &own.a[k]);
		text_put(t, "-A " RULES_CHAIN "RECEIVE " XT_ROUTED "-d %s", p);
		queue(t, g);
	}
}

/* What the driver domain says to a guest; match is "-o vif" or "-d address". */
static void output_queue(struct text *t, const struct rules_guest *g,
			 const char *match, const char *arg)
{
	/* Of its own gate; what another one's says to it is judged. */
	text_put(t,
		 "-A " RULES_CHAIN "OUTPUT %s %s -m mark --mark 0x%08x/0x%08x "
		 "-j ACCEPT\n",
		 match, arg, MARK_GATE_OF(g - t->c->guest),
		 MARK_CRAFTED | MARK_GATE);
	refused(t, "OUTPUT", match, arg, g);
	if (t->c->offload) {
		text_put(t, "-A " RULES_CHAIN "OUTPUT %s %s", match, arg);
		carried_mark(t);
	}
	xt_nd_accept(t, "OUTPUT", match, arg, g);
	to_guest_never(t, "OUTPUT", match, arg);
	text_put(t, "-A " RULES_CHAIN "OUTPUT %s %s", match, arg);
	queue(t, g);
}

static void output_rules(struct text *t, const struct rules_guest *g)
{
	struct text_addrs own;
	char p[TEXT_PREFIX];

	if (!t->c->bridged) {
		output_queue(t, g, "-o", g->iface);
		return;
	}
	text_addrs_of(&own, g, t->v6);
	for (size_t k = 0; k < own.n; k++) {
		text_prefix(p, &own.a[k]);
		output_queue(t, g, "-d", p);
	}
}

static void filter_table(struct text *t)
{
	const struct rules_conf *c = t->c;

	xt_table(t, "filter");
	xt_chain(t, "FORWARD");
	xt_chain(t, "RECEIVE");
	xt_chain(t, "OUTPUT");
	if (c->offload) {
		xt_chain(t, "CARRY");
		xt_chain(t, "INPUT");
	}
	xt_hook(t, "FORWARD");
	xt_hook(t, "OUTPUT");
	if (c->offload)
		xt_hook(t, "INPUT");
	xt_no_port(t, "FORWARD", "-o");
	xt_no_port(t, "OUTPUT", "-o");
	receive_ways(t);
	for (size_t i = 0; i < c->n_guests; i++) {
		receive_queue(t, &c->guest[i]);
		output_rules(t, &c->guest[i]);
	}
	if (c->offload)
		carry_chain(t);
	/* To the driver domain there is no POSTROUTING. */
	if (c->offload)
		text_put(t,
			 "-A " RULES_CHAIN "INPUT -m mark --mark "
			 "0x%08x/0x%08x -m mark ! --mark " NO_CLASS " -j "
			 "CONNMARK --save-mark --nfmask 0x%08x --ctmask "
			 "0x%08x\n",
			 c->mark_generation, MARK_GENERATION, MARK_MASK,
			 MARK_MASK);
	xt_commit(t);
}

/* --- closed
 * ------------------------------------------------------------------------ */

static void closed_rule(struct text *t, const char *ch, const char *match,
			const char *arg, const struct rules_guest *g)
{
	text_put(t, "-A " RULES_CHAIN "%s %s %s", ch, match, arg);
	xt_drop(t, "closed", g);
}

static void closed_to(struct text *t, const char *ch,
		      const struct rules_guest *g)
{
	struct text_addrs own;
	char p[TEXT_PREFIX];

	text_addrs_of(&own, g, t->v6);
	for (size_t k = 0; t->c->bridged && k < own.n; k++) {
		text_prefix(p, &own.a[k]);
		closed_rule(t, ch, "-d", p, g);
	}
}

static void closed_tables(struct text *t)
{
	const struct rules_conf *c = t->c;

	xt_table(t, "raw");
	xt_chain(t, "PREROUTING");
	xt_hook(t, "PREROUTING");
	for (size_t i = 0; i < c->n_guests; i++)
		closed_rule(t, "PREROUTING", xt_from(t), c->guest[i].iface,
			    &c->guest[i]);
	xt_no_port(t, "PREROUTING", "-i");
	xt_commit(t);
	xt_table(t, "mangle");
	/* One that goes by while the rules are replaced was asked about there,
	 * or is dropped there: the copies behind rely on it. */
	if (c->bridged)
		xt_chain(t, "PREROUTING");
	xt_chain(t, "FORWARD");
	xt_chain(t, "INPUT");
	if (c->bridged)
		xt_hook(t, "PREROUTING");
	xt_hook(t, "FORWARD");
	xt_hook(t, "INPUT");
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];

		if (c->bridged)
			closed_rule(t, "PREROUTING", xt_from(t), g->iface, g);
		closed_rule(t, "FORWARD", xt_from(t), g->iface, g);
		closed_rule(t, "FORWARD", xt_to(t), g->iface, g);
		closed_to(t, "FORWARD", g);
		closed_rule(t, "INPUT", xt_from(t), g->iface, g);
	}
	xt_commit(t);
	xt_table(t, "filter");
	xt_chain(t, "FORWARD");
	xt_chain(t, "OUTPUT");
	xt_hook(t, "FORWARD");
	xt_hook(t, "OUTPUT");
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];

		closed_rule(t, "FORWARD", xt_from(t), g->iface, g);
		closed_rule(t, "FORWARD", xt_to(t), g->iface, g);
		closed_to(t, "FORWARD", g);
		closed_rule(t, "OUTPUT", "-o", g->iface, g);
		closed_to(t, "OUTPUT", g);
	}
	xt_commit(t);
}

/* --- the text
 * ---------------------------------------------------------------------- */

void rules_xt_text(struct text *t, bool closed)
{
	text_put(t, "# metergate: %s%s\n", t->v6 ? "IPv6" : "IPv4",
		 closed ? ", closed" : "");
	if (closed) {
		closed_tables(t);
		return;
	}
	xt_raw_table(t);
	mangle_table(t);
	filter_table(t);
}
