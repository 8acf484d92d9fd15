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
 * gate's own segments (OUTPUT), neighbour discovery that says nothing but
 * bound addresses, and connections whose octets were judged and charged in
 * advance (MG-CARRY).
 */
#include <stdarg.h>
#include <stdio.h>

#include "enforcer/daemon/rules_text.h"

#define NO_CLASS    "0x0/0x000f0000"
#define CRAFTED	    "0x10000000/0x10000000"
/* Bridged set-ups: forwarded by IP, perhaps into the bridge. */
#define ROUTED "-m physdev ! --physdev-is-bridged "

void text_put(struct text *t, const char *fmt, ...)
{
	char line[TEXT_LINE];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		t->w->failed = true; /* rather none than half a rule */
	else
		wbuf_put(t->w, span_of(line, (size_t)n));
}

/* --- addresses ------------------------------------------------------------------ */

static bool is_v4(const struct pol_prefix *p)
{
	return net_addr_is4(&p->addr) && p->len >= 96;
}

static bool prefix_overlap(const struct pol_prefix *a,
			   const struct pol_prefix *b)
{
	unsigned len = a->len < b->len ? a->len : b->len;
	unsigned whole = len / 8, bits = len % 8;

	if (memcmp(a->addr.b, b->addr.b, whole) != 0)
		return false;
	return bits == 0 ||
	       ((a->addr.b[whole] ^ b->addr.b[whole]) >> (8 - bits)) == 0;
}

/* Sets of nft may not overlap, and of two prefixes that do, one contains the
 * other: the wider says all. */
static void add_addr(struct text_addrs *out, const struct pol_prefix *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < out->n; i++) {
		if (prefix_overlap(&out->a[i], p) && out->a[i].len <= p->len)
			return;
	}
	for (size_t i = 0; i < out->n; i++) {
		if (!prefix_overlap(&out->a[i], p))
			out->a[kept++] = out->a[i];
	}
	out->a[kept++] = *p;
	out->n = kept;
}

void text_addrs_of(struct text_addrs *out, const struct rules_guest *g, bool v6)
{
	const uint8_t *m = g->mac;

	out->n = 0;
	for (size_t i = 0; i < g->n_addr && out->n < TEXT_ADDRS - 1; i++) {
		if (is_v4(&g->addr[i]) != v6)
			add_addr(out, &g->addr[i]);
	}
	/* Only a guest that speaks IPv6 has one; RFC 4291, modified EUI-64. */
	if (v6 && g->has_mac && out->n > 0) {
		const struct pol_prefix ll = {
			{{0xfe, 0x80, 0, 0, 0, 0, 0, 0, (uint8_t)(m[0] ^ 2),
			  m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}},
			128};

		add_addr(out, &ll);
	}
}

void text_prefix(char buf[TEXT_PREFIX], const struct pol_prefix *p)
{
	char addr[NET_ADDR_TEXT];

	snprintf(buf, TEXT_PREFIX, "%s/%u", net_addr_text(addr, &p->addr),
		 is_v4(p) ? p->len - 96u : p->len);
}

/* --- is it fit to be written? ----------------------------------------------------
 * Names become words of a rule: only what cannot be taken for anything else.
 * '+' is a wildcard of iptables, '*' of nft, a leading '-' an option. */
static bool name_ok(const char *s, size_t cap)
{
	size_t n = strnlen(s, cap);

	if (n == 0 || n == cap || s[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++) {
		bool alnum = (s[i] >= 'a' && s[i] <= 'z') ||
			     (s[i] >= 'A' && s[i] <= 'Z') ||
			     (s[i] >= '0' && s[i] <= '9');

		if (!alnum && s[i] != '.' && s[i] != '_' && s[i] != '-')
			return false;
	}
	return strcmp(s, ".") != 0 && strcmp(s, "..") != 0 &&
	       strcmp(s, "lo") != 0;
}

static int check_addrs(const struct rules_guest *g, struct err *e)
{
	if (g->n_addr == 0)
		return err_set(e, E_SYNTAX, 0, "%s has no address", g->name);
	if (g->n_addr >= TEXT_ADDRS)
		return err_set(e, E_LIMIT, 0, "%s has more than %d addresses",
			       g->name, TEXT_ADDRS - 1);
	for (size_t i = 0; i < g->n_addr; i++) {
		const struct pol_prefix *p = &g->addr[i];

		/* All of a family would make every source the guest's own. */
		if (p->len > 128 || p->len == 0 ||
		    (net_addr_is4(&p->addr) && p->len <= 96))
			return err_set(e, E_SYNTAX, 0,
				       "%s: a prefix of length %u", g->name,
				       p->len);
	}
	return 0;
}

static int check_pair(const struct rules_guest *a, const struct rules_guest *b,
		      struct err *e)
{
	if (strcmp(a->iface, b->iface) == 0)
		return err_set(e, E_EXISTS, 0, "%s and %s share interface %s",
			       a->name, b->name, a->iface);
	if (a->queue == b->queue)
		return err_set(e, E_EXISTS, 0, "%s and %s share queue %u",
			       a->name, b->name, a->queue);
	if (strcmp(a->name, b->name) == 0)
		return err_set(e, E_EXISTS, 0, "two guests are named %s",
			       a->name);
	for (size_t i = 0; i < a->n_addr; i++) {
		for (size_t j = 0; j < b->n_addr; j++) {
			if (prefix_overlap(&a->addr[i], &b->addr[j]))
				return err_set(e, E_EXISTS, 0,
					       "%s and %s share an address",
					       a->name, b->name);
		}
	}
	return 0;
}

static int check_guests(const struct rules_conf *c, struct err *e)
{
	if (c->n_guests == 0 || c->n_guests > SHARE_GUESTS)
		return err_set(e, E_LIMIT, 0, "%zu guests; 1 to %d can be",
			       c->n_guests, SHARE_GUESTS);
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];
		int rc;

		if (!name_ok(g->name, sizeof(g->name)))
			return err_set(e, E_SYNTAX, 0,
				       "guest %zu has a name that no rule "
				       "can carry", i);
		if (!name_ok(g->iface, sizeof(g->iface)))
			return err_set(e, E_SYNTAX, 0,
				       "%s: an interface name that no rule "
				       "can carry", g->name);
		rc = check_addrs(g, e);
		for (size_t k = 0; rc == 0 && k < i; k++)
			rc = check_pair(&c->guest[k], g, e);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int check_uplinks(const struct rules_conf *c, struct err *e)
{
	if (c->n_uplinks > sizeof(c->uplink) / sizeof(c->uplink[0]))
		return err_set(e, E_LIMIT, 0, "too many uplinks");
	for (size_t i = 0; i < c->n_uplinks; i++) {
		if (!name_ok(c->uplink[i], sizeof(c->uplink[i])))
			return err_set(e, E_SYNTAX, 0,
				       "uplink %zu has a name that no rule "
				       "can carry", i);
		for (size_t k = 0; k < c->n_guests; k++) {
			if (strcmp(c->uplink[i], c->guest[k].iface) == 0)
				return err_set(e, E_EXISTS, 0,
					       "%s is an uplink and the "
					       "interface of %s",
					       c->uplink[i], c->guest[k].name);
		}
	}
	return 0;
}

static int check_conf(const struct rules_conf *c, struct err *e)
{
	int rc = check_guests(c, e);

	if (rc == 0)
		rc = check_uplinks(c, e);
	if (rc == 0 && (c->mark_generation & ~MARK_GENERATION))
		rc = err_set(e, E_SYNTAX, 0, "mark 0x%08x is not a generation",
			     c->mark_generation);
	return rc;
}

/* --- pieces of rules --------------------------------------------------------------
 * In a bridge the interface of a packet is the bridge's; its port is in
 * physdev. What the driver domain sends into a bridge has no port yet when it
 * is filtered: there the receiver is known by its addresses. */

/* A drop that the audit hears of. */
static void drop(struct text *t, const char *why, const struct rules_guest *g)
{
	text_put(t, " -m comment --comment \"" RULES_NOTE "%s:%s\" -j DROP\n",
		 why, g ? g->name : "");
}

/* One that is no news: what a link says to everybody, and nobody to a guest. */
static void drop_noise(struct text *t)
{
	text_put(t, " -m comment --comment chatter -j DROP\n");
}

static const char *from(const struct text *t)
{
	return t->c->bridged ? "-m physdev --physdev-in" : "-i";
}

static const char *to(const struct text *t)
{
	return t->c->bridged ? "-m physdev --physdev-is-bridged --physdev-out" :
			       "-o";
}

static const char *restore_family(const struct text *t)
{
	return t->v6 ? "IPv6" : "IPv4";
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
	text_put(t, " -m connmark --mark 0x%08x/0x%08x -j " RULES_CHAIN
		 "CARRY\n", t->c->mark_generation, MARK_GENERATION);
}

/* Up to which octet a class is carried. conntrack counts a packet, a GSO one
 * whole, before any rule sees it, so the packet at hand is in the sum: what is
 * compared is the sum as it would be after passing, and the bound is exact.
 * From 1, not 0: a connection older than the accounting has no sum, reads as
 * 0 and must not match. */
static void carry_chain(struct text *t)
{
	for (uint32_t k = 1; k < MARK_REFUSED; k++) {
		if (t->c->bound[k] == 0)
			continue;
		text_put(t, "-A " RULES_CHAIN "CARRY -m connmark --mark "
			 "0x%08x/0x%08x -m connbytes --connbytes 1:%llu "
			 "--connbytes-dir both --connbytes-mode bytes "
			 "-j ACCEPT\n", mark_of(t->c, k), MARK_MASK,
			 (unsigned long long)t->c->bound[k]);
	}
}

static void table(struct text *t, const char *name)
{
	text_put(t, "*%s\n", name);
}

static void chain(struct text *t, const char *name)
{
	text_put(t, ":" RULES_CHAIN "%s - [0:0]\n", name);
}

static void hook(struct text *t, const char *name)
{
	text_put(t, "-I %s 1 -j " RULES_CHAIN "%s\n", name, name);
}

static void commit(struct text *t)
{
	text_put(t, "COMMIT\n");
}

/* --- neighbour discovery (RFC 4861) ------------------------------------------------
 * What ARP is to IPv4, it is to IPv6: it cannot be judged by policy, and holds
 * an interface to its addresses. So it is held to the octet: no extension
 * header, hop limit 255, the exact lengths, the MAC of the binding as the only
 * option, and advertisements for bound addresses only. u32 reads a word at an
 * offset from the IPv6 header: 4 = length, next header, hop limit; 40 = type,
 * code; 44 = flags; 48 = target; 64 = option. */
#define ND_BARE	 "4=0x00183aff"
#define ND_OPT	 "4=0x00203aff"
#define ND_ASK	 "40&0xffff0000=0x87000000"
#define ND_TELL	 "40&0xffff0000=0x88000000&&44&0x80000000=0" /* no router */
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
		at += (size_t)snprintf(buf + at, cap - at,
				       "&&%u&0x%08x=0x%08x", 48 + i * 4, mask,
				       v & mask);
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
	drop(t, "nd", g);
}

static const char *const nd_type[] = {"neighbour-solicitation",
				      "neighbour-advertisement"};

/* Types whose only fit sender is a router, or that ask for one or for groups:
 * the binding says all a guest must know. g: who is told of; NULL: nobody,
 * since they go to a guest that never asked. */
static void nd_never(struct text *t, const char *ch, const char *match,
		     const char *arg, const struct rules_guest *g)
{
	static const struct {
		const char *type, *why;
	} never[] = {
		{"router-advertisement", "router"}, {"redirect", "router"},
		{"router-solicitation", "chatter"}, {"130", "chatter"},
		{"131", "chatter"},		    {"132", "chatter"},
		{"143", "chatter"},
	};

	for (size_t k = 0; k < sizeof(never) / sizeof(never[0]); k++) {
		text_put(t, "-A " RULES_CHAIN "%s%s%s -p icmpv6 --icmpv6-type "
			 "%s", ch, match, arg, never[k].type);
		if (g)
			drop(t, never[k].why, g);
		else
			drop_noise(t);
	}
}

static void nd_jumps(struct text *t, size_t i)
{
	char ch[24];

	for (size_t k = 0; k < 2; k++)
		text_put(t, "-A " RULES_CHAIN "S%zu -p icmpv6 --icmpv6-type %s "
			 "-g " RULES_CHAIN "N%zu\n", i, nd_type[k], i);
	snprintf(ch, sizeof(ch), "S%zu", i);
	nd_never(t, ch, "", "", &t->c->guest[i]);
}

/* Neighbour discovery that raw PREROUTING let through (or that the driver
 * domain itself sends), a few a second; more is a flood or a message. */
static void nd_accept(struct text *t, const char *ch, const char *match,
		      const char *arg, const struct rules_guest *g)
{
	for (size_t k = 0; t->v6 && k < 2; k++) {
		text_put(t, "-A " RULES_CHAIN "%s %s %s -p icmpv6 --icmpv6-type "
			 "%s -m hl --hl-eq 255 -m limit --limit 20/second "
			 "--limit-burst 40 -j ACCEPT\n", ch, match, arg,
			 nd_type[k]);
		text_put(t, "-A " RULES_CHAIN "%s %s %s -p icmpv6 --icmpv6-type "
			 "%s", ch, match, arg, nd_type[k]);
		drop(t, "nd", g);
	}
}

/* --- raw: whose packet is it? ------------------------------------------------------ */

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
		text_put(t, "-A " RULES_CHAIN "S%zu -m mac ! --mac-source "
			 MAC_FMT, i, MAC_ARG(g->mac));
		drop(t, "spoofed-mac", g);
	}
	if (t->v6) {
		nd_jumps(t, i);
	} else { /* groups are joined there by IGMP */
		text_put(t, "-A " RULES_CHAIN "S%zu -p igmp", i);
		drop(t, "chatter", g);
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
	drop(t, "spoofed-source", g);
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
		drop(t, "spoofed-uplink", g);
		if (t->v6 && t->c->bridged) {
			nd_target(target, sizeof(target), &own.a[k]);
			text_put(t, "-A " RULES_CHAIN "PREROUTING -p icmpv6 "
				 "--icmpv6-type neighbour-advertisement "
				 "-m u32 --u32 \"%s\"", target + 2);
			drop(t, "spoofed-uplink", g);
		}
		if (untracked(t))
			text_put(t, "-A " RULES_CHAIN "PREROUTING -d %s -j CT "
				 "--notrack\n", p);
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
static void no_port(struct text *t, const char *ch, const char *match)
{
	for (size_t i = 0; t->c->bridged && i < t->c->n_guests; i++) {
		text_put(t, "-A " RULES_CHAIN "%s %s %s", ch, match,
			 t->c->guest[i].iface);
		drop(t, "not-bridged", &t->c->guest[i]);
	}
}

static void raw_table(struct text *t)
{
	const struct rules_conf *c = t->c;
	char name[32];

	table(t, "raw");
	chain(t, "PREROUTING");
	chain(t, "OUTPUT");
	for (size_t i = 0; i < c->n_guests; i++) {
		snprintf(name, sizeof(name), "S%zu", i);
		chain(t, name);
		snprintf(name, sizeof(name), "A%zu", i);
		chain(t, name);
		snprintf(name, sizeof(name), "N%zu", i);
		if (t->v6)
			chain(t, name);
	}
	hook(t, "PREROUTING");
	hook(t, "OUTPUT");
	/* The gate's own segments to the driver domain itself. */
	text_put(t, "-A " RULES_CHAIN "PREROUTING -i lo -j RETURN\n");
	no_port(t, "PREROUTING", "-i");
	for (size_t i = 0; i < c->n_guests; i++)
		text_put(t, "-A " RULES_CHAIN "PREROUTING %s %s -g " RULES_CHAIN
			 "S%zu\n", from(t), c->guest[i].iface, i);
	for (size_t i = 0; i < c->n_guests; i++)
		not_elsewhere(t, &c->guest[i]);
	for (size_t i = 0; i < c->n_guests; i++)
		source_chains(t, i);
	/* In the receiver's name, they are no part of what it said. */
	text_put(t, "-A " RULES_CHAIN "OUTPUT -m mark --mark " CRAFTED
		 " -j CT --notrack\n");
	for (size_t i = 0; untracked(t) && i < c->n_guests; i++)
		to_local_match(t, "OUTPUT", &c->guest[i], "-j CT --notrack");
	commit(t);
}

/* --- mangle: the sender's queue ---------------------------------------------------- */

static void refused(struct text *t, const char *ch, const char *match,
		    const char *arg, const struct rules_guest *g)
{
	if (!t->c->offload)
		return;
	text_put(t, "-A " RULES_CHAIN "%s %s %s", ch, match, arg);
	refused_mark(t);
	/* Its refusal was audited when it was judged. */
	drop(t, "refused-flow", g);
}

/* Between a guest and an uplink one engine decides, so its mark suffices.
 * Between two guests two do: nothing is carried there. */
static void carry_to_uplinks(struct text *t, const struct rules_guest *g,
			     bool out)
{
	const struct rules_conf *c = t->c;

	for (size_t u = 0; c->offload && u < c->n_uplinks; u++) {
		if (c->bridged)
			text_put(t, "-A " RULES_CHAIN "%s -m physdev "
				 "--physdev-is-bridged --physdev-in %s "
				 "--physdev-out %s", out ? "SEND" : "RECEIVE",
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
		text_put(t, "-A " RULES_CHAIN "FORWARD %s %s -j " RULES_CHAIN
			 "SEND\n", to(t), c->uplink[u]);
		if (c->bridged) /* an uplink that is no port of the bridge */
			text_put(t, "-A " RULES_CHAIN "FORWARD -o %s -j "
				 RULES_CHAIN "SEND\n", c->uplink[u]);
	}
	for (size_t i = 0; i < c->n_guests; i++) {
		text_put(t, "-A " RULES_CHAIN "FORWARD %s %s -j " RULES_CHAIN
			 "SEND\n", to(t), c->guest[i].iface);
		text_addrs_of(&own, &c->guest[i], t->v6);
		for (size_t k = 0; c->bridged && k < own.n; k++) {
			text_prefix(p, &own.a[k]);
			text_put(t, "-A " RULES_CHAIN "FORWARD " ROUTED "-d %s "
				 "-j " RULES_CHAIN "SEND\n", p);
		}
	}
	for (size_t i = 0; i < c->n_guests; i++) {
		text_put(t, "-A " RULES_CHAIN "FORWARD %s %s", from(t),
			 c->guest[i].iface);
		drop(t, "no-uplink", &c->guest[i]);
	}
}

static void send_queue(struct text *t, const char *ch,
		       const struct rules_guest *g)
{
	text_put(t, "-A " RULES_CHAIN "%s %s %s", ch, from(t), g->iface);
	queue(t, g);
}

static void mangle_table(struct text *t)
{
	const struct rules_conf *c = t->c;

	table(t, "mangle");
	chain(t, "FORWARD");
	chain(t, "SEND");
	chain(t, "INPUT");
	if (c->offload) {
		chain(t, "CARRY");
		chain(t, "POSTROUTING");
	}
	hook(t, "FORWARD");
	hook(t, "INPUT");
	if (c->offload)
		hook(t, "POSTROUTING");
	send_ways(t);
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];

		refused(t, "SEND", from(t), g->iface, g);
		carry_to_uplinks(t, g, true);
		if (c->bridged)
			nd_accept(t, "SEND", from(t), g->iface, g);
		send_queue(t, "SEND", g);
		refused(t, "INPUT", from(t), g->iface, g);
		if (c->offload) {
			text_put(t, "-A " RULES_CHAIN "INPUT %s %s", from(t),
				 g->iface);
			carried_mark(t);
		}
		nd_accept(t, "INPUT", from(t), g->iface, g);
		send_queue(t, "INPUT", g);
	}
	if (c->offload)
		carry_chain(t);
	/* The word of an engine about a connection, kept: its generation is
	 * ours and it has a class, so other marks are left alone. */
	if (c->offload)
		text_put(t, "-A " RULES_CHAIN "POSTROUTING -m mark --mark "
			 "0x%08x/0x%08x -m mark ! --mark " NO_CLASS " -j "
			 "CONNMARK --save-mark --nfmask 0x%08x --ctmask "
			 "0x%08x\n", c->mark_generation, MARK_GENERATION,
			 MARK_MASK, MARK_MASK);
	commit(t);
}

/* --- filter: the receiver's queue -------------------------------------------------- */

/* Only uplinks and other guests may speak to a guest. */
static void receive_ways(struct text *t)
{
	const struct rules_conf *c = t->c;

	for (size_t u = 0; u < c->n_uplinks; u++) {
		text_put(t, "-A " RULES_CHAIN "FORWARD %s %s -j " RULES_CHAIN
			 "RECEIVE\n", from(t), c->uplink[u]);
		if (c->bridged)
			text_put(t, "-A " RULES_CHAIN "FORWARD -i %s -j "
				 RULES_CHAIN "RECEIVE\n", c->uplink[u]);
	}
	for (size_t i = 0; i < c->n_guests; i++)
		text_put(t, "-A " RULES_CHAIN "FORWARD %s %s -j " RULES_CHAIN
			 "RECEIVE\n", from(t), c->guest[i].iface);
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];
		struct text_addrs own;
		char p[TEXT_PREFIX];

		text_put(t, "-A " RULES_CHAIN "FORWARD %s %s", to(t), g->iface);
		drop(t, "no-uplink", g);
		text_addrs_of(&own, g, t->v6);
		for (size_t k = 0; c->bridged && k < own.n; k++) {
			text_prefix(p, &own.a[k]);
			text_put(t, "-A " RULES_CHAIN "FORWARD " ROUTED "-d %s",
				 p);
			drop(t, "no-uplink", g);
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
		nd_never(t, ch, m, arg, NULL);
	} else {
		text_put(t, "-A " RULES_CHAIN "%s%s%s -p igmp", ch, m, arg);
		drop_noise(t);
	}
}

static void receive_queue(struct text *t, const struct rules_guest *g)
{
	struct text_addrs own;
	char p[TEXT_PREFIX];

	refused(t, "RECEIVE", to(t), g->iface, g);
	carry_to_uplinks(t, g, false);
	if (t->c->bridged) {
		nd_accept(t, "RECEIVE", to(t), g->iface, g);
		to_guest_never(t, "RECEIVE", to(t), g->iface);
	}
	text_put(t, "-A " RULES_CHAIN "RECEIVE %s %s", to(t), g->iface);
	queue(t, g);
	/* Routed into the bridge: the port is not known yet. */
	text_addrs_of(&own, g, t->v6);
	for (size_t k = 0; t->c->bridged && k < own.n; k++) {
		text_prefix(p, &own.a[k]);
		text_put(t, "-A " RULES_CHAIN "RECEIVE " ROUTED "-d %s", p);
		queue(t, g);
	}
}

/* What the driver domain says to a guest; match is "-o vif" or "-d address". */
static void output_queue(struct text *t, const struct rules_guest *g,
			 const char *match, const char *arg)
{
	text_put(t, "-A " RULES_CHAIN "OUTPUT %s %s -m mark --mark " CRAFTED
		 " -j ACCEPT\n", match, arg);
	refused(t, "OUTPUT", match, arg, g);
	if (t->c->offload) {
		text_put(t, "-A " RULES_CHAIN "OUTPUT %s %s", match, arg);
		carried_mark(t);
	}
	nd_accept(t, "OUTPUT", match, arg, g);
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

	table(t, "filter");
	chain(t, "FORWARD");
	chain(t, "RECEIVE");
	chain(t, "OUTPUT");
	if (c->offload) {
		chain(t, "CARRY");
		chain(t, "INPUT");
	}
	hook(t, "FORWARD");
	hook(t, "OUTPUT");
	if (c->offload)
		hook(t, "INPUT");
	no_port(t, "FORWARD", "-o");
	no_port(t, "OUTPUT", "-o");
	receive_ways(t);
	for (size_t i = 0; i < c->n_guests; i++) {
		receive_queue(t, &c->guest[i]);
		output_rules(t, &c->guest[i]);
	}
	if (c->offload)
		carry_chain(t);
	/* To the driver domain there is no POSTROUTING. */
	if (c->offload)
		text_put(t, "-A " RULES_CHAIN "INPUT -m mark --mark "
			 "0x%08x/0x%08x -m mark ! --mark " NO_CLASS " -j "
			 "CONNMARK --save-mark --nfmask 0x%08x --ctmask "
			 "0x%08x\n", c->mark_generation, MARK_GENERATION,
			 MARK_MASK, MARK_MASK);
	commit(t);
}

/* --- closed ------------------------------------------------------------------------ */

static void closed_rule(struct text *t, const char *ch, const char *match,
			const char *arg, const struct rules_guest *g)
{
	text_put(t, "-A " RULES_CHAIN "%s %s %s", ch, match, arg);
	drop(t, "closed", g);
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

	table(t, "raw");
	chain(t, "PREROUTING");
	hook(t, "PREROUTING");
	for (size_t i = 0; i < c->n_guests; i++)
		closed_rule(t, "PREROUTING", from(t), c->guest[i].iface,
			    &c->guest[i]);
	no_port(t, "PREROUTING", "-i");
	commit(t);
	table(t, "mangle");
	chain(t, "FORWARD");
	chain(t, "INPUT");
	hook(t, "FORWARD");
	hook(t, "INPUT");
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];

		closed_rule(t, "FORWARD", from(t), g->iface, g);
		closed_rule(t, "FORWARD", to(t), g->iface, g);
		closed_to(t, "FORWARD", g);
		closed_rule(t, "INPUT", from(t), g->iface, g);
	}
	commit(t);
	table(t, "filter");
	chain(t, "FORWARD");
	chain(t, "OUTPUT");
	hook(t, "FORWARD");
	hook(t, "OUTPUT");
	for (size_t i = 0; i < c->n_guests; i++) {
		const struct rules_guest *g = &c->guest[i];

		closed_rule(t, "FORWARD", from(t), g->iface, g);
		closed_rule(t, "FORWARD", to(t), g->iface, g);
		closed_to(t, "FORWARD", g);
		closed_rule(t, "OUTPUT", "-o", g->iface, g);
		closed_to(t, "OUTPUT", g);
	}
	commit(t);
}

/* --- the two calls ----------------------------------------------------------------- */

static int text_of(struct wbuf *w, enum rules_backend b, enum rules_family f,
		   const struct rules_conf *c, bool closed, struct err *e)
{
	struct text t = {w, c, f == RULES_IP6};
	int rc = check_conf(c, e);

	if (rc < 0)
		return rc;
	if (b != RULES_IPTABLES && b != RULES_NFT)
		return err_set(e, E_STATE, 0, "no backend was chosen");
	if (b == RULES_NFT || f == RULES_ARP || f == RULES_BRIDGE) {
		rules_nft_text(&t, b, f, closed);
	} else if (closed) {
		text_put(&t, "# metergate: %s, closed\n", restore_family(&t));
		closed_tables(&t);
	} else {
		text_put(&t, "# metergate: %s\n", restore_family(&t));
		raw_table(&t);
		mangle_table(&t);
		filter_table(&t);
	}
	if (w->failed)
		return err_set(e, E_LIMIT, 0, "the rules take more than %zu "
			       "octets", w->cap);
	return 0;
}

int rules_text(struct wbuf *w, enum rules_backend b, enum rules_family f,
	       const struct rules_conf *c, struct err *e)
{
	return text_of(w, b, f, c, false, e);
}

int rules_closed_text(struct wbuf *w, enum rules_backend b,
		      enum rules_family f, const struct rules_conf *c,
		      struct err *e)
{
	return text_of(w, b, f, c, true, e);
}
