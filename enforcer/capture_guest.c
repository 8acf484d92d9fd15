/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/capture_guest.h"

#include <arpa/inet.h>
#include <string.h>

/* As a number of at most max; false for anything else. */
static bool number(const char *s, size_t n, unsigned max, unsigned *out)
{
	unsigned v = 0;

	if (n == 0 || n > 5 || (n > 1 && s[0] == '0'))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		v = v * 10 + (unsigned)(s[i] - '0');
	}
	*out = v;
	return v <= max;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool read_mac(struct pipeline_guest *g, const char *s)
{
	if (strlen(s) != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		int hi = nibble(s[3 * i]), lo = nibble(s[3 * i + 1]);

		if (hi < 0 || lo < 0 || (i < 5 && s[3 * i + 2] != ':'))
			return false;
		g->mac[i] = (uint8_t)(hi << 4 | lo);
	}
	g->has_mac = true;
	return true;
}

static bool read_addr(struct net_addr *a, const char *s, size_t n, bool *is4)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	char text[NET_ADDR_TEXT];

	if (n == 0 || n >= sizeof(text))
		return false;
	memcpy(text, s, n);
	text[n] = 0;
	*is4 = inet_pton(AF_INET, text, a->b + 12) == 1;
	if (*is4)
		memcpy(a->b, mapped, sizeof(mapped));
	return *is4 || inet_pton(AF_INET6, text, a->b) == 1;
}

bool capture_addr(struct net_addr *out, const char *text)
{
	bool is4;

	return read_addr(out, text, strlen(text), &is4);
}

/* a.b.c.d, a.b.c.d:P, a.b.c.d/N, a.b.c.d/N:P, and the same with an IPv6
 * address, which needs brackets when a port follows it directly. */
static bool read_cidr(struct pipeline_guest *g, const char *s)
{
	const char *end = s + strlen(s), *slash = strchr(s, '/');
	const char *addr_end = slash ? slash : end, *port = NULL;
	unsigned bits = 128, v;
	bool is4;

	if (s[0] == '[') {
		const char *close = strchr(s, ']');

		if (!close || close > addr_end)
			return false;
		port = close[1] == ':' ? close + 1 : NULL;
		if (!port && close + 1 != addr_end)
			return false;
		s++;
		addr_end = close;
		if (slash && port)
			return false;
	} else if (!slash && strchr(s, '.')) {
		port = strchr(s, ':');
		if (port && strchr(port + 1, ':'))
			port = NULL; /* an IPv6 address with dots */
		if (port)
			addr_end = port;
	}
	if (!read_addr(&g->addr, s, (size_t)(addr_end - s), &is4))
		return false;
	if (slash) {
		port = strchr(slash, ':');
		if (!number(slash + 1,
			    (size_t)((port ? port : end) - slash - 1),
			    is4 ? 32 : 128, &v))
			return false;
		bits = is4 ? 96 + v : v;
	}
	if (port) {
		if (!number(port + 1, strlen(port + 1), 65535, &v) || v == 0)
			return false;
		g->port = (uint16_t)v;
	}
	g->prefix = (uint8_t)bits;
	g->has_addr = true;
	return true;
}

static bool read_iface(struct pipeline_guest *g, const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n >= sizeof(g->iface) || strspn(s, "0123456789") == n)
		return false;
	for (size_t i = 0; i < n; i++) {
		/* What the kernel refuses, and what an address looks like. */
		if (s[i] <= ' ' || s[i] > '~' || strchr("/:[]=", s[i]))
			return false;
	}
	/* "10.20.0" is an address gone wrong, not an interface. */
	if (strspn(s, "0123456789.") == n)
		return false;
	memcpy(g->iface, s, n + 1);
	return true;
}

int capture_guest(struct pipeline_guest *out, const char *text, struct err *e)
{
	const char *eq = strchr(text, '=');
	size_t n = eq ? (size_t)(eq - text) : 0;

	*out = (struct pipeline_guest){0};
	if (!eq)
		return err_set(e, E_SYNTAX, 0,
			       "-g %s: write GUEST=IFACE, GUEST=MAC or "
			       "GUEST=CIDR[:PORT]",
			       text);
	if (n == 0 || n >= sizeof(out->name) ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") < n)
		return err_set(e, E_SYNTAX, 0,
			       "-g %s: a guest's name is of a-z, 0-9 and '-'",
			       text);
	memcpy(out->name, text, n);
	if (!read_mac(out, eq + 1) && !read_cidr(out, eq + 1) &&
	    !read_iface(out, eq + 1))
		return err_set(e, E_SYNTAX, 0,
			       "-g %s: '%s' is no interface, MAC or address",
			       text, eq + 1);
	return 0;
}

static bool same_prefix(const struct net_addr *a, const struct net_addr *b,
			unsigned bits)
{
	unsigned rest = bits % 8, i = bits / 8;

	if (memcmp(a->b, b->b, i) != 0)
		return false;
	return rest == 0 || (a->b[i] ^ b->b[i]) >> (8 - rest) == 0;
}

bool capture_guests_clash(const struct pipeline_guest *a,
			  const struct pipeline_guest *b)
{
	if (strcmp(a->name, b->name) == 0)
		return false;
	if (a->has_addr && b->has_addr)
		return (!a->port || !b->port || a->port == b->port) &&
		       same_prefix(&a->addr, &b->addr,
				   a->prefix < b->prefix ? a->prefix :
							   b->prefix);
	if (a->has_mac && b->has_mac)
		return memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
	return a->iface[0] && strcmp(a->iface, b->iface) == 0;
}
