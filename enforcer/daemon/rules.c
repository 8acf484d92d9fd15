/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the writers of rules have in common: is the configuration fit to be
 * written as rules at all, by which addresses is a guest known, and who writes
 * which family (rules_xt.c, rules_nft.c).
 */
#include <stdarg.h>
#include <stdio.h>

#include "enforcer/daemon/rules_text.h"

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

/* --- addresses
 * ------------------------------------------------------------------ */

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

/* --- is it fit to be written?
 * ---------------------------------------------------- Names become words of a
 * rule: only what cannot be taken for anything else.
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
				       "can carry",
				       i);
		if (!name_ok(g->iface, sizeof(g->iface)))
			return err_set(e, E_SYNTAX, 0,
				       "%s: an interface name that no rule "
				       "can carry",
				       g->name);
		/* By what a frame is known that has no address of IP. */
		if (c->bridged && !g->has_mac)
			return err_set(e, E_SYNTAX, 0,
				       "%s: a port of a bridge without a MAC",
				       g->name);
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
				       "can carry",
				       i);
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

/* --- the two calls
 * ----------------------------------------------------------------- */

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
	} else {
		rules_xt_text(&t, closed);
	}
	if (w->failed)
		return err_set(e, E_LIMIT, 0,
			       "the rules take more than %zu "
			       "octets",
			       w->cap);
	return 0;
}

int rules_text(struct wbuf *w, enum rules_backend b, enum rules_family f,
	       const struct rules_conf *c, struct err *e)
{
	return text_of(w, b, f, c, false, e);
}

int rules_closed_text(struct wbuf *w, enum rules_backend b, enum rules_family f,
		      const struct rules_conf *c, struct err *e)
{
	return text_of(w, b, f, c, true, e);
}
