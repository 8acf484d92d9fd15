/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The raw table: whose packet is it, before anything is queued. Neighbour
 * discovery is judged here too, since a policy cannot.
 */
#include <stdio.h>

#include "enforcer/daemon/rules_xt.h"

/* --- neighbour discovery (RFC 4861)
 * ------------------------------------------------ What ARP is to IPv4, it is
 * to IPv6: it cannot be judged by policy, and holds an interface to its
 * addresses. So it is held to the octet: no class, label or extension header,
 * hop limit 255, the exact lengths, the MAC of the binding as the only option,
 * nothing in what is reserved, and advertisements for bound addresses only.
 * Routed, it ends in the driver domain; on a bridge, where others hear it, the
 * table of its ports (rules_nft_link.c) says more. u32 reads a word at an
 * offset from the IPv6 header: 0 = version, class, label; 4 = length, next
 * header, hop limit; 40 = type, code; 44 = reserved, flags; 48 = target; 64 =
 * option. */
#define ND_BARE "0=0x60000000&&4=0x00183aff"
#define ND_OPT  "0=0x60000000&&4=0x00203aff"
#define ND_ASK  "40&0xffff0000=0x87000000&&44=0"
/* solicited and override may be set; a guest is no router */
#define ND_TELL  "40&0xffff0000=0x88000000&&44&0x9fffffff=0"
#define ND_NONCE "64&0xffff0000=0x0e010000" /* RFC 7527 */

/* "&&48=0x...&&52=...": the words of the target that the prefix fixes. */
static void nd_target(char *buf, size_t cap, const struct pol_prefix *p)
{
	size_t at = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < 4 && i * 32 < p->len; i++) {
		unsigned bits = p->len - i * 32 >= 32 ? 32 : p->len - i * 32;
		uint32_t mask = 0xffffffffu << (32 - bits), v = 0;

		for (unsigned k = 0; k < 4; k++)
			v = v << 8 | p->addr.b[i * 4 + k];
		at += (size_t)snprintf(buf + at, cap - at, "&&%u&0x%08x=0x%08x",
				       48 + i * 4, mask, v & mask);
	}
}

/* The option that carries the sender's MAC: type 1 or 2, one unit long. */
static void nd_option(char *buf, size_t cap, const struct rules_guest *g,
		      unsigned type)
{
	const uint8_t *m = g->mac;

	if (g->has_mac)
		snprintf(buf, cap,
			 "&&64=0x%02x01%02x%02x&&68=0x%02x%02x%02x%02x", type,
			 m[0], m[1], m[2], m[3], m[4], m[5]);
	else
		snprintf(buf, cap, "&&64&0xffff0000=0x%02x010000", type);
}

static void nd_rule(struct text *t, size_t i, const char *source,
		    const char *form, const char *target, const char *option,
		    const char *then)
{
	text_put(t, "-A " RULES_CHAIN "N%zu%s -m u32 --u32 \"%s%s%s\" %s\n", i,
		 source, form, target, option, then);
}

static void nd_chain(struct text *t, size_t i)
{
	const struct rules_guest *g = &t->c->guest[i];
	char target[160], option[80], then[32];
	struct text_addrs own;

	text_addrs_of(&own, g, true);
	snprintf(then, sizeof(then), "-g " RULES_CHAIN "A%zu", i);
	nd_option(option, sizeof(option), g, 1);
	nd_rule(t, i, " ! -s ::/128", ND_BARE "&&" ND_ASK, "", "", then);
	nd_rule(t, i, " ! -s ::/128", ND_OPT "&&" ND_ASK, "", option, then);
	nd_option(option, sizeof(option), g, 2);
	for (size_t k = 0; k < own.n; k++) {
		nd_target(target, sizeof(target), &own.a[k]);
		nd_rule(t, i, "", ND_BARE "&&" ND_TELL, target, "", then);
		nd_rule(t, i, "", ND_OPT "&&" ND_TELL, target, option, then);
		/* Is the address free? Asked from the unspecified one. */
		nd_rule(t, i, " -s ::/128", ND_BARE "&&" ND_ASK, target, "",
			"-j RETURN");
		nd_rule(t, i, " -s ::/128", ND_OPT "&&" ND_ASK, target,
			"&&" ND_NONCE, "-j RETURN");
	}
	text_put(t, "-A " RULES_CHAIN "N%zu", i);
	xt_drop(t, "nd", g);
}

static const char *const nd_type[] = {"neighbour-solicitation",
				      "neighbour-advertisement"};

/* Types whose only fit sender is a router, or that ask for one or for groups:
 * the binding says all a guest must know. g: who is told of; NULL: nobody,
 * since they go to a guest that never asked. */
void xt_nd_never(struct text *t, const char *ch, const char *match,
		 const char *arg, const struct rules_guest *g)
{
	static const struct {
		const char *type, *why;
	} never[] = {
		{"router-advertisement", "router" },
		{"redirect",             "router" },
		{"router-solicitation",  "chatter"},
		{"130",                  "chatter"},
		{"131",                  "chatter"},
		{"132",                  "chatter"},
		{"143",                  "chatter"},
	};

	for (size_t k = 0; k < sizeof(never) / sizeof(never[0]); k++) {
		text_put(t,
			 "-A " RULES_CHAIN "%s%s%s -p icmpv6 --icmpv6-type "
			 "%s",
			 ch, match, arg, never[k].type);
		if (g)
			xt_drop(t, never[k].why, g);
		else
			xt_drop_noise(t);
	}
}

static void nd_jumps(struct text *t, size_t i)
{
	char ch[24];

	for (size_t k = 0; k < 2; k++)
		text_put(t,
			 "-A " RULES_CHAIN "S%zu -p icmpv6 --icmpv6-type %s "
			 "-g " RULES_CHAIN "N%zu\n",
			 i, nd_type[k], i);
	snprintf(ch, sizeof(ch), "S%zu", i);
	xt_nd_never(t, ch, "", "", &t->c->guest[i]);
}

/* Neighbour discovery that raw PREROUTING let through (or that the driver
 * domain itself sends), a few a second; more is a flood or a message. */
void xt_nd_accept(struct text *t, const char *ch, const char *match,
		  const char *arg, const struct rules_guest *g)
{
	for (size_t k = 0; t->v6 && k < 2; k++) {
		text_put(t,
			 "-A " RULES_CHAIN "%s %s %s -p icmpv6 --icmpv6-type "
			 "%s -m hl --hl-eq 255 -m limit --limit 20/second "
			 "--limit-burst 40 -j ACCEPT\n",
			 ch, match, arg, nd_type[k]);
		text_put(t,
			 "-A " RULES_CHAIN "%s %s %s -p icmpv6 --icmpv6-type "
			 "%s",
			 ch, match, arg, nd_type[k]);
		xt_drop(t, "nd", g);
	}
}

/* --- raw: whose packet is it?
 * ------------------------------------------------------ */

/* Without offload nothing of ours needs conntrack, and a guest's flood must
 * not fill the table that others share. With it, only what a queue let pass
 * is ever entered: an entry is confirmed behind the last hook. */
static bool untracked(const struct text *t)
{
	return !t->c->offload;
}

static void source_chains(struct text *t, size_t i)
{
	const struct rules_guest *g = &t->c->guest[i];
	struct text_addrs own;
	char p[TEXT_PREFIX];

	if (untracked(t))
		text_put(t, "-A " RULES_CHAIN "S%zu -j CT --notrack\n", i);
	if (g->has_mac) {
		text_put(t,
			 "-A " RULES_CHAIN
			 "S%zu -m mac ! --mac-source " MAC_FMT,
			 i, MAC_ARG(g->mac));
		xt_drop(t, "spoofed-mac", g);
	}
	if (t->v6) {
		nd_jumps(t, i);
	} else { /* groups are joined there by IGMP */
		text_put(t, "-A " RULES_CHAIN "S%zu -p igmp", i);
		xt_drop(t, "chatter", g);
	}
	text_put(t, "-A " RULES_CHAIN "S%zu -g " RULES_CHAIN "A%zu\n", i, i);
	if (t->v6)
		nd_chain(t, i);
	text_addrs_of(&own, g, t->v6);
	for (size_t k = 0; k < own.n; k++) {
		text_prefix(p, &own.a[k]);
		text_put(t, "-A " RULES_CHAIN "A%zu -s %s -j RETURN\n", i, p);
	}
	text_put(t, "-A " RULES_CHAIN "A%zu", i);
	xt_drop(t, "spoofed-source", g);
}

/* From anywhere else: nobody but the guest has its addresses. */
static void not_elsewhere(struct text *t, const struct rules_guest *g)
{
	struct text_addrs own;
	char p[TEXT_PREFIX], target[160];

	text_addrs_of(&own, g, t->v6);
	for (size_t k = 0; k < own.n; k++) {
		text_prefix(p, &own.a[k]);
		text_put(t, "-A " RULES_CHAIN "PREROUTING -s %s", p);
		xt_drop(t, "spoofed-uplink", g);
		if (t->v6 && t->c->bridged) {
			nd_target(target, sizeof(target), &own.a[k]);
			text_put(t,
				 "-A " RULES_CHAIN "PREROUTING -p icmpv6 "
				 "--icmpv6-type neighbour-advertisement "
				 "-m u32 --u32 \"%s\"",
				 target + 2);
			xt_drop(t, "spoofed-uplink", g);
		}
		if (untracked(t))
			text_put(t,
				 "-A " RULES_CHAIN "PREROUTING -d %s -j CT "
				 "--notrack\n",
				 p);
	}
}

static void to_local_match(struct text *t, const char *ch,
			   const struct rules_guest *g, const char *rest)
{
	struct text_addrs own;
	char p[TEXT_PREFIX];

	if (!t->c->bridged) {
		text_put(t, "-A " RULES_CHAIN "%s -o %s %s\n", ch, g->iface,
			 rest);
		return;
	}
	text_addrs_of(&own, g, t->v6);
	for (size_t k = 0; k < own.n; k++) {
		text_prefix(p, &own.a[k]);
		text_put(t, "-A " RULES_CHAIN "%s -d %s %s\n", ch, p, rest);
	}
}

/* A guest's interface that should be a port of the bridge and is none: the
 * matches of ports would not see its packets. */
void xt_no_port(struct text *t, const char *ch, const char *match)
{
	for (size_t i = 0; t->c->bridged && i < t->c->n_guests; i++) {
		text_put(t, "-A " RULES_CHAIN "%s %s %s", ch, match,
			 t->c->guest[i].iface);
		xt_drop(t, "not-bridged", &t->c->guest[i]);
	}
}

void xt_raw_table(struct text *t)
{
	const struct rules_conf *c = t->c;
	char name[32];

	xt_table(t, "raw");
	xt_chain(t, "PREROUTING");
	xt_chain(t, "OUTPUT");
	for (size_t i = 0; i < c->n_guests; i++) {
		snprintf(name, sizeof(name), "S%zu", i);
		xt_chain(t, name);
		snprintf(name, sizeof(name), "A%zu", i);
		xt_chain(t, name);
		snprintf(name, sizeof(name), "N%zu", i);
		if (t->v6)
			xt_chain(t, name);
	}
	xt_hook(t, "PREROUTING");
	xt_hook(t, "OUTPUT");
	/* The gate's own segments to the driver domain itself. */
	text_put(t, "-A " RULES_CHAIN "PREROUTING -i lo -j RETURN\n");
	xt_no_port(t, "PREROUTING", "-i");
	for (size_t i = 0; i < c->n_guests; i++)
		text_put(t,
			 "-A " RULES_CHAIN "PREROUTING %s %s -g " RULES_CHAIN
			 "S%zu\n",
			 xt_from(t), c->guest[i].iface, i);
	for (size_t i = 0; i < c->n_guests; i++)
		not_elsewhere(t, &c->guest[i]);
	for (size_t i = 0; i < c->n_guests; i++)
		source_chains(t, i);
	/* In the receiver's name, they are no part of what it said. */
	text_put(t, "-A " RULES_CHAIN "OUTPUT -m mark --mark " XT_CRAFTED
		    " -j CT --notrack\n");
	for (size_t i = 0; untracked(t) && i < c->n_guests; i++)
		to_local_match(t, "OUTPUT", &c->guest[i], "-j CT --notrack");
	xt_commit(t);
}
