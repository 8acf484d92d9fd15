/* SPDX-License-Identifier: Apache-2.0 */
/* Names, addresses, numbers and dates; see phrase.h. */
#include <arpa/inet.h>
#include <stdio.h>

#include "policy-lang/front/phrase.h"

#define NAME_MAX_LEN 48
#define PATH_MAX_LEN 128

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(uint8_t c)
{
	return c >= 'a' && c <= 'z';
}

static bool refuse(const struct src *s, const struct ynode *n, uint16_t code,
		   const char *what, const char *hint)
{
	char buf[SHOW];

	bad(s, n, code, hint, "'%s' is not %s", show(buf, n->s), what);
	return false;
}

bool ph_word(const struct src *s, const struct ynode *n, uint16_t code,
	     const char *what, const struct word *words, int *value)
{
	const char *names[24];
	char hint[160] = "";
	size_t count = 0, at = 0;
	const char *near;

	if (ph_asked_word(s, n, words) || !is_scalar(s, n))
		return false;
	for (const struct word *w = words; w->name; w++) {
		if (span_is(n->s, w->name)) {
			*value = w->value;
			return true;
		}
		if (count < sizeof(names) / sizeof(names[0]))
			names[count++] = w->name;
	}
	near = nearest(n->s, names, count);
	for (size_t i = 0; !near && i < count; i++)
		at += (size_t)snprintf(hint + at, sizeof(hint) - at, "%s%s",
				       i ? ", " : "one of: ", names[i]);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	return refuse(s, n, code, what, hint);
}

/* [a-z][a-z0-9-]{0,47} */
static bool name_ok(struct span t)
{
	if (t.n == 0 || t.n > NAME_MAX_LEN || !is_lower(t.p[0]))
		return false;
	for (size_t i = 1; i < t.n; i++) {
		if (!is_lower(t.p[i]) && !is_digit(t.p[i]) && t.p[i] != '-')
			return false;
	}
	return true;
}

bool ph_name(const struct src *s, const struct ynode *n, const char **name)
{
	if (ph_asked(s, n, PH_NAME) || !is_scalar(s, n))
		return false;
	if (!name_ok(n->s))
		return refuse(s, n, 3121, "a name",
			      "a small letter, then small letters, digits and "
			      "'-'; at most 48");
	*name = (const char *)n->s.p;
	return true;
}

bool ph_ref(const struct src *s, const struct ynode *n, const char **name)
{
	const uint8_t *slash;
	size_t at;

	if (ph_asked(s, n, PH_REF) || !is_scalar(s, n))
		return false;
	slash = memchr(n->s.p, '/', n->s.n);
	if (!slash)
		return ph_name(s, n, name);
	at = (size_t)(slash - n->s.p);
	if (!name_ok(span_sub(n->s, 0, at)) ||
	    !name_ok(span_from(n->s, at + 1)))
		return refuse(s, n, 3121, "a name", "NAME or LIBRARY/NAME");
	*name = (const char *)n->s.p;
	return true;
}

bool ph_rdn(const struct src *s, const struct ynode *n, const char **id)
{
	size_t from = 0;
	bool ok = n->type == Y_SCALAR && n->s.n <= 128;

	if (ph_asked(s, n, PH_RDN) || !is_scalar(s, n))
		return false;
	for (size_t i = 0; ok && i <= n->s.n; i++) {
		if (i < n->s.n && n->s.p[i] != '.')
			continue;
		/* Labels, unlike names, may begin with a digit. */
		for (size_t k = from; k < i; k++)
			ok = ok &&
			     (is_lower(n->s.p[k]) || is_digit(n->s.p[k]) ||
			      (n->s.p[k] == '-' && k > from));
		ok = ok && i > from;
		from = i + 1;
	}
	if (!ok)
		return refuse(s, n, 3122, "a reverse domain name",
			      "write 'com.example.product'");
	*id = (const char *)n->s.p;
	return true;
}

bool ph_country(const struct src *s, const struct ynode *n, const char **cc)
{
	if (ph_asked(s, n, PH_COUNTRY) || !is_scalar(s, n))
		return false;
	if (n->s.n != 2 || n->s.p[0] < 'A' || n->s.p[0] > 'Z' ||
	    n->s.p[1] < 'A' || n->s.p[1] > 'Z')
		return refuse(s, n, 3124, "a country", "two capitals: 'GB'");
	*cc = (const char *)n->s.p;
	return true;
}

bool ph_meas(const struct src *s, const struct ynode *n, meas_set *m)
{
	const char *names[MEAS_COUNT];
	char hint[80];
	const char *near;

	if (ph_asked(s, n, PH_MEAS) || !is_scalar(s, n))
		return false;
	*m = meas_parse(n->s);
	if (*m)
		return true;
	for (unsigned i = 0; i < MEAS_COUNT; i++)
		names[i] = meas_name((enum meas)i);
	near = nearest(n->s, names, MEAS_COUNT);
	snprintf(hint, sizeof(hint),
		 near ? "did you mean '%s'?"
		      : "metergate-policy(5) lists them%s",
		 near ? near : "");
	return refuse(s, n, 3201, "a measurement", hint);
}

/* --- addresses ----------------------------------------------------------- */

static bool parse_addr(struct span t, struct net_addr *a, bool *v4)
{
	char buf[NET_ADDR_TEXT + 1];
	struct in_addr in;

	if (t.n >= sizeof(buf))
		return false;
	memcpy(buf, t.p, t.n);
	buf[t.n] = 0;
	*v4 = inet_pton(AF_INET, buf, &in) == 1;
	if (!*v4)
		return inet_pton(AF_INET6, buf, a->b) == 1;
	memset(a->b, 0, sizeof(a->b));
	a->b[10] = a->b[11] = 0xff;
	memcpy(a->b + 12, &in, 4);
	return true;
}

/* 1 to 3 digits, no leading zero, at most max. */
static bool small(struct span t, unsigned max, unsigned *v)
{
	*v = 0;
	if (t.n == 0 || t.n > 5 || (t.n > 1 && t.p[0] == '0'))
		return false;
	for (size_t i = 0; i < t.n; i++) {
		if (!is_digit(t.p[i]))
			return false;
		*v = *v * 10 + (unsigned)(t.p[i] - '0');
	}
	return *v <= max;
}

static bool host_bits(const struct pol_prefix *p)
{
	for (unsigned i = p->len; i < 128; i++) {
		if (p->addr.b[i / 8] >> (7 - i % 8) & 1)
			return true;
	}
	return false;
}

bool ph_cidr(const struct src *s, const struct ynode *n, struct pol_prefix *p)
{
	const uint8_t *slash;
	struct span addr, len;
	unsigned bits;
	bool v4;

	if (ph_asked(s, n, PH_CIDR) || !is_scalar(s, n))
		return false;
	slash = memchr(n->s.p, '/', n->s.n);
	addr = span_sub(n->s, 0, slash ? (size_t)(slash - n->s.p) : n->s.n);
	if (!parse_addr(addr, &p->addr, &v4))
		return refuse(s, n, 3109, "an address with a length",
			      "write '203.0.113.0/28' or 'fd00::1/128'");
	if (!slash)
		return refuse(s, n, 3109, "an address with a length",
			      v4 ? "add the length: /32 is one address"
				 : "add the length: /128 is one address");
	len = span_from(n->s, (size_t)(slash - n->s.p) + 1);
	if (!small(len, v4 ? 32 : 128, &bits))
		return refuse(s, n, 3109, "an address with a length",
			      v4 ? "a length from 0 to 32"
				 : "a length from 0 to 128");
	if (!v4 && net_addr_is4(&p->addr))
		return refuse(s, n, 3109, "an address with a length",
			      "write IPv4 addresses as 192.0.2.1/32");
	p->len = (uint8_t)(v4 ? 96 + bits : bits);
	if (host_bits(p))
		return refuse(s, n, 3109, "a prefix",
			      "bits behind the length must be zero; a single "
			      "address has the full length");
	return true;
}

bool ph_addr(const struct src *s, const struct ynode *n, struct net_addr *a)
{
	bool v4;

	if (ph_asked(s, n, PH_ADDR) || !is_scalar(s, n))
		return false;
	return parse_addr(n->s, a, &v4) ||
	       refuse(s, n, 3109, "an address", "write '203.0.113.9'");
}

bool ph_port(const struct src *s, const struct ynode *n, struct pol_port *p)
{
	struct span t;
	const uint8_t *dash;
	unsigned lo, hi;

	if (ph_asked(s, n, PH_PORT) || !is_scalar(s, n))
		return false;
	p->proto = span_is(span_sub(n->s, 0, 4), "tcp/")   ? 6
		   : span_is(span_sub(n->s, 0, 4), "udp/") ? 17
							   : 0;
	t = span_from(n->s, 4);
	dash = t.n ? memchr(t.p, '-', t.n) : NULL;
	if (!p->proto ||
	    !small(span_sub(t, 0, dash ? (size_t)(dash - t.p) : t.n), 65535,
		   &lo) ||
	    (dash &&
	     !small(span_from(t, (size_t)(dash - t.p) + 1), 65535, &hi)))
		return refuse(s, n, 3111, "a port",
			      "write 'tcp/443' or 'udp/49152-65535'");
	if (!dash)
		hi = lo;
	if (lo == 0 || hi < lo)
		return refuse(s, n, 3111, "a port",
			      "from 1 to 65535, the smaller first");
	p->lo = (uint16_t)lo;
	p->hi = (uint16_t)hi;
	return true;
}

bool ph_oid(const struct src *s, const struct ynode *n, struct span *oid)
{
	/* C12.22: what relative titles are relative to. */
	static const char branch[] = "2.16.124.113620.1.22.0";
	char text[OID_TEXT];
	uint8_t out[64];
	int len;

	if (ph_asked(s, n, PH_OID) || !is_scalar(s, n))
		return false;
	len = snprintf(text, sizeof(text), "%s%.*s",
		       n->s.p[0] == '.' ? branch : "", (int)n->s.n,
		       (const char *)n->s.p);
	len = len < (int)sizeof(text)
		      ? oid_parse(span_str(text), out, sizeof(out))
		      : E_LIMIT;
	if (len <= 0)
		return refuse(s, n, 3117, "an ApTitle",
			      "digits and dots: '2.16.840.1.114223.7', or "
			      "'.123.4' for a relative one");
	*oid = span_of(pool_text(s->pool, span_of(out, (size_t)len)),
		       (size_t)len);
	return true;
}

static int hex(uint8_t c)
{
	return is_digit(c)            ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

bool ph_hex32(const struct src *s, const struct ynode *n, const char *prefix,
	      uint8_t out[32])
{
	size_t skip = strlen(prefix);
	struct span t;

	if (ph_asked_text(s, n, PH_HEX32, prefix) || !is_scalar(s, n))
		return false;
	t = span_from(n->s, skip);
	if (t.n == 64 && span_is(span_sub(n->s, 0, skip), prefix)) {
		size_t i = 0;

		for (;
		     i < 32 && hex(t.p[2 * i]) >= 0 && hex(t.p[2 * i + 1]) >= 0;
		     i++)
			out[i] = (uint8_t)(hex(t.p[2 * i]) << 4 |
					   hex(t.p[2 * i + 1]));
		if (i == 32)
			return true;
	}
	return refuse(s, n, 3118, *prefix ? "a key" : "a digest",
		      *prefix ? "write 'ed25519:' and 64 hex digits"
			      : "64 hex digits");
}

bool ph_mac(const struct src *s, const struct ynode *n, uint8_t mac[6])
{
	bool ok;

	if (ph_asked(s, n, PH_MAC) || !is_scalar(s, n))
		return false;
	ok = n->s.n == 17;
	for (size_t i = 0; ok && i < 6; i++) {
		const uint8_t *p = n->s.p + 3 * i;

		ok = hex(p[0]) >= 0 && hex(p[1]) >= 0 &&
		     (i == 5 || p[2] == ':');
		if (ok)
			mac[i] = (uint8_t)(hex(p[0]) << 4 | hex(p[1]));
	}
	if (!ok)
		return refuse(s, n, 3119, "a MAC address",
			      "write \"52:54:00:aa:00:01\"");
	if (mac[0] & 1)
		return refuse(s, n, 3119, "the address of one interface",
			      "the lowest bit of its first octet is zero");
	return true;
}

/* --- dates and numbers --------------------------------------------------- */

bool ph_date(const struct src *s, const struct ynode *n, int64_t *sec)
{
	char buf[32];
	struct wall w;

	if (ph_asked(s, n, PH_DATE) || !is_scalar(s, n))
		return false;
	if (n->s.n == 10) {
		snprintf(buf, sizeof(buf), "%.10sT00:00:00Z",
			 (const char *)n->s.p);
		if (clock_parse(buf, &w) == 0) {
			*sec = wall_s(w);
			return true;
		}
	}
	return refuse(s, n, 3115, "a date", "write '2026-03-31'");
}

bool ph_timestamp(const struct src *s, const struct ynode *n, struct wall *w)
{
	if (ph_asked(s, n, PH_TIMESTAMP) || !is_scalar(s, n))
		return false;
	if (clock_parse((const char *)n->s.p, w) != 0)
		return refuse(s, n, 3116, "a time stamp",
			      "write '2026-04-07T00:40:00+01:00'");
	w->std_off_s = w->civil_off_s;
	w->trusted = true;
	return true;
}

bool ph_range(const struct src *s, const struct ynode *n, uint32_t lo,
	      uint32_t hi, struct pol_range *r)
{
	const uint8_t *dash;
	char hint[80];
	unsigned a, b;
	size_t cut;

	if (ph_asked_number(s, n, PH_RANGE, lo, hi)) {
		*r = (struct pol_range){lo, lo};
		return true;
	}
	if (!is_scalar(s, n))
		return false;
	dash = memchr(n->s.p, '-', n->s.n);
	cut = dash ? (size_t)(dash - n->s.p) : n->s.n;
	if (small(span_sub(n->s, 0, cut), hi, &a) && a >= lo &&
	    (!dash || (small(span_from(n->s, cut + 1), hi, &b) && b >= a))) {
		*r = (struct pol_range){a, dash ? b : a};
		return true;
	}
	snprintf(hint, sizeof(hint),
		 "a number from %u to %u, or a range such as 60-64", lo, hi);
	return refuse(s, n, 3107, "a number or a range", hint);
}

/* "/", "//", "/./", "/../", escapes: spellings that normalising would change
 * can never match, or match by surprise. */
static bool path_ok(struct span t, bool glob, const char **why)
{
	size_t from = 1, doubles = 0;

	*why = "paths begin with '/'";
	if (t.n == 0 || t.p[0] != '/')
		return false;
	*why = "at most 128 octets";
	if (t.n > PATH_MAX_LEN)
		return false;
	for (size_t i = 0; i < t.n; i++) {
		*why = "write it decoded, without query or fragment";
		if (t.p[i] <= ' ' || t.p[i] > '~' || strchr("%?#\\", t.p[i]))
			return false;
		*why = "'*' is for policies, not for what was seen";
		if (t.p[i] == '*' && !glob)
			return false;
		if (t.p[i] == '*' && i + 1 < t.n && t.p[i + 1] == '*') {
			doubles++;
			i++;
			*why = "'***' means nothing";
			if (i + 1 < t.n && t.p[i + 1] == '*')
				return false;
		}
	}
	*why = "at most one '**'";
	if (doubles > 1)
		return false;
	*why = "no empty, '.' or '..' segments";
	for (size_t i = 1; i <= t.n; i++) {
		struct span seg = span_sub(t, from, i - from);

		if (i < t.n && t.p[i] != '/')
			continue;
		if ((seg.n == 0 && i < t.n) || span_is(seg, ".") ||
		    span_is(seg, ".."))
			return false;
		from = i + 1;
	}
	return true;
}

bool ph_path(const struct src *s, const struct ynode *n, bool glob,
	     const char **path)
{
	const char *why;

	if (ph_asked(s, n, PH_PATH) || !is_scalar(s, n))
		return false;
	if (!path_ok(n->s, glob, &why))
		return refuse(s, n, 3108, "a path", why);
	*path = (const char *)n->s.p;
	return true;
}
