/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/http/uri.h"

#include "core/reason.h"
#include "dissectors/http/text.h"

/* What one octet of a path is (RFC 3986 3.3). */
enum { BAD, UNRESERVED, PCHAR, PERCENT, SLASH, PARAMETER, HIGH };
/* clang-format off */
static const uint8_t in_path[256] = {
	['0' ... '9'] = UNRESERVED, ['A' ... 'Z'] = UNRESERVED,
	['a' ... 'z'] = UNRESERVED, ['-'] = UNRESERVED, ['.'] = UNRESERVED,
	['_'] = UNRESERVED, ['~'] = UNRESERVED,
	['!'] = PCHAR, ['$'] = PCHAR, ['&'] = PCHAR, ['\''] = PCHAR,
	['('] = PCHAR, [')'] = PCHAR, ['*'] = PCHAR, ['+'] = PCHAR,
	[','] = PCHAR, ['='] = PCHAR, [':'] = PCHAR, ['@'] = PCHAR,
	['%'] = PERCENT, ['/'] = SLASH, [';'] = PARAMETER,
	[0x80 ... 0xff] = HIGH,
};
/* clang-format on */

static int odd(struct err *e, size_t at, enum reason why, const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, at, "URI: %s", what);
}

static void put_percent(struct wbuf *w, uint8_t ch)
{
	static const char hex[] = "0123456789ABCDEF";

	wbuf_u8(w, '%');
	wbuf_u8(w, (uint8_t)hex[ch >> 4]);
	wbuf_u8(w, (uint8_t)hex[ch & 15]);
}

/* UTF-8 (RFC 3629), octet by octet. */
struct utf8 {
	uint8_t left;	/* octets that must follow */
	uint8_t lo, hi; /* bounds of the next */
};

static bool utf8_step(struct utf8 *u, uint8_t ch)
{
	if (u->left) {
		bool ok = ch >= u->lo && ch <= u->hi;

		u->left--;
		u->lo = 0x80;
		u->hi = 0xbf;
		return ok;
	}
	u->lo = ch == 0xe0 ? 0xa0 : ch == 0xf0 ? 0x90 : 0x80;
	u->hi = ch == 0xed ? 0x9f : ch == 0xf4 ? 0x8f : 0xbf;
	if (ch < 0x80)
		return true;
	u->left = ch < 0xe0 ? 1 : ch < 0xf0 ? 2 : 3;
	return ch >= 0xc2 && ch <= 0xf4;
}

/* %xx: the octet it stands for, or -1. */
static int percent(struct cur *c)
{
	int a = text_hex(cur_u8(c)), b = text_hex(cur_u8(c));

	return !cur_ok(c) || a < 0 || b < 0 ? -1 : a << 4 | b;
}

static int put_encoded(struct wbuf *w, struct utf8 *u, int ch, size_t at,
		       struct err *e)
{
	if (ch < 0)
		return odd(e, at, REASON_MALFORMED,
			   "% without two hexadecimal digits");
	if (ch < 0x20 || ch == 0x7f || ch == '/' || ch == '\\' || ch == '%')
		return odd(e, at, REASON_SUSPICIOUS,
			   "an encoded slash, percent sign or control");
	if (in_path[ch] == PCHAR)
		return odd(e, at, REASON_NOT_CANONICAL,
			   "encoded what stands for itself");
	if (!utf8_step(u, (uint8_t)ch))
		return odd(e, at, REASON_MALFORMED, "not UTF-8");
	if (in_path[ch] == UNRESERVED)
		wbuf_u8(w, (uint8_t)ch);
	else
		put_percent(w, (uint8_t)ch);
	return 0;
}

static int put_octet(struct wbuf *w, struct utf8 *u, struct cur *c,
		     struct err *e)
{
	size_t at = c->off;
	uint8_t ch = cur_u8(c);

	switch (in_path[ch]) {
	case PERCENT:
		return put_encoded(w, u, percent(c), at, e);
	case PARAMETER:
		return odd(e, at, REASON_SUSPICIOUS,
			   "';' that some servers cut off");
	case UNRESERVED:
	case PCHAR:
	case HIGH:
		if (!utf8_step(u, ch))
			return odd(e, at, REASON_MALFORMED, "not UTF-8");
		/* Plain octets are taken in one piece, and behind the beginning
		 * of a character they are not UTF-8: this one is not ASCII. */
		put_percent(w, ch);
		return 0;
	default:
		return odd(e, at, REASON_MALFORMED,
			   "a character that a path cannot hold");
	}
}

/* The segment that begins at from has ended: dots are taken away. */
static int end_segment(struct wbuf *w, size_t *from, bool slash, size_t at,
		       struct err *e)
{
	struct span seg = span_from(wbuf_span(w), *from);
	bool up = span_is(seg, "..");

	if (up || span_is(seg, ".")) {
		w->n = *from;
		slash = false;
	}
	if (up) {
		if (w->n <= 1)
			return odd(e, at, REASON_SUSPICIOUS,
				   "'..' above the root");
		for (w->n--; w->p[w->n - 1] != '/'; w->n--)
			;
	} else if (slash && seg.n) {
		wbuf_u8(w, '/');
	}
	*from = w->n;
	return 0;
}

/* How many octets in front are in normal form already. */
static size_t plain_octets(struct span s)
{
	size_t n = 0;

	while (n < s.n && (in_path[s.p[n]] == UNRESERVED ||
			   in_path[s.p[n]] == PCHAR))
		n++;
	return n;
}

/* To some servers, which bring characters of a kind together (Unicode's NFKC,
 * best fit), these are a slash, a backslash, a dot, a percent sign or what ends a
 * path. */
static bool is_look_alike(struct span path)
{
	static const char *const all[] = {
		"%EF%BC%8F", "%E2%81%84", "%E2%88%95", "%EF%BC%BC", "%EF%B9%A8",
		"%E2%88%96", "%EF%BC%8E", "%EF%B9%92", "%E2%80%A4", "%E2%80%A5",
		"%EF%BC%85", "%EF%B9%AA", "%EF%BC%9F", "%EF%B9%96", "%EF%BC%83",
		"%EF%B9%9F", "%EF%BC%9B", "%EF%B9%94", "%EF%B8%B0", "%E2%84%80",
		"%E2%84%81", "%E2%84%85", "%E2%84%86", "%CD%BE", "%EF%B8%94",
		"%EF%B8%96", "%E2%81%87", "%E2%81%88", "%E2%81%89"};

	if (path.n == 0 || !memchr(path.p, '%', path.n))
		return false;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (memmem(path.p, path.n, all[i], strlen(all[i])))
			return true;
	}
	return false;
}

static int read_path(struct span path, struct wbuf *w, size_t base,
		     struct err *e)
{
	struct cur c = cur_of(path);
	struct utf8 u = {0};
	size_t from;
	int rc = 0;

	w->n = base;
	wbuf_u8(w, '/');
	from = w->n;
	while (rc == 0 && cur_left(&c) > 0 && !w->failed) {
		size_t plain = u.left ? 0 : plain_octets(span_from(path, c.off));

		if (plain) { /* they stand for themselves */
			wbuf_put(w, cur_take(&c, plain));
			continue;
		}
		if (cur_peek(&c, 1).p[0] != '/') {
			rc = put_octet(w, &u, &c, e);
			continue;
		}
		if (u.left)
			return odd(e, c.off, REASON_MALFORMED, "not UTF-8");
		rc = end_segment(w, &from, true, c.off, e);
		cur_take(&c, 1);
	}
	if (rc == 0 && u.left)
		return odd(e, c.off, REASON_MALFORMED, "not UTF-8");
	if (rc == 0 && !w->failed)
		rc = end_segment(w, &from, false, c.off, e);
	if (rc == 0 && w->failed)
		rc = err_reason(e, E_LIMIT, REASON_TOO_LONG, 0,
				"URI: path too long");
	if (rc == 0 && is_look_alike(span_from(wbuf_span(w), base)))
		return odd(e, 0, REASON_SUSPICIOUS,
			   "a character that some servers take for '/' or '.'");
	return rc;
}

/* Printable ASCII with whole %xx; what it means is for its reader to say. */
static int check_query(struct span q, struct err *e)
{
	struct cur c = cur_of(q);

	while (cur_left(&c) > 0) {
		size_t at = c.off;
		uint8_t ch = cur_u8(&c);
		int coded = 1;

		if (ch <= 0x20 || ch >= 0x7f || ch == '#')
			return odd(e, at, REASON_MALFORMED,
				   "a character that a query cannot hold");
		if (ch == '%')
			coded = percent(&c);
		if (coded <= 0)
			return odd(e, at, REASON_MALFORMED,
				   "% without two hexadecimal digits, or %00");
		if (ch == '%' && (coded < 0x20 || coded == 0x7f))
			return odd(e, at, REASON_SUSPICIOUS,
				   "an encoded control in the query");
	}
	return 0;
}

static size_t find(struct span s, const char *any)
{
	for (; *any && s.n; any++) {
		const uint8_t *hit = memchr(s.p, *any, s.n);

		if (hit)
			s.n = (size_t)(hit - s.p);
	}
	return s.n;
}

static struct span split(struct span *s, size_t at, size_t skip)
{
	struct span head = span_sub(*s, 0, at);

	*s = span_from(*s, at + skip);
	return head;
}

bool uri_is_normal(struct span ref)
{
	bool begins = false; /* a segment */

	if (ref.n == 0 || ref.n > URI_MAX || ref.p[0] != '/')
		return false;
	for (size_t i = 0; i < ref.n; i++) {
		uint8_t what = in_path[ref.p[i]];

		if ((what != UNRESERVED && what != PCHAR && what != SLASH) ||
		    (begins && (what == SLASH || ref.p[i] == '.')))
			return false;
		begins = what == SLASH;
	}
	return true;
}

int uri_read(struct span ref, struct wbuf *w, struct uri *out, struct err *e)
{
	size_t base = w->n, at;
	struct span rest = ref;
	int rc;

	*out = (struct uri){0};
	if (ref.n > URI_MAX)
		return err_reason(e, E_LIMIT, REASON_TOO_LONG, URI_MAX,
				  "URI: longer than %d octets", URI_MAX);
	at = find(rest, "#");
	out->fragment = at < rest.n;
	rest = span_sub(rest, 0, at);
	at = find(rest, ":/?");
	if (at > 0 && at < rest.n && rest.p[at] == ':') {
		out->absolute = true;
		out->scheme = split(&rest, at, 1);
	}
	if (out->absolute) {
		if (!span_is(span_sub(rest, 0, 2), "//"))
			return odd(e, at, REASON_SUSPICIOUS,
				   "a scheme without '//'");
		rest = span_from(rest, 2);
		out->authority = split(&rest, find(rest, "/?"), 0);
	}
	at = find(rest, "?");
	if (at < rest.n) {
		struct span path = split(&rest, at, 1);

		/* An empty query is one all the same. */
		out->query = rest;
		rest = path;
		rc = check_query(out->query, e);
		if (rc)
			return rc;
	}
	if (rest.n ? rest.p[0] != '/' : !out->absolute)
		return odd(e, 0, REASON_MALFORMED, "the path has no root");
	rc = read_path(rest, w, base, e);
	if (rc == 0)
		out->path = span_from(wbuf_span(w), base);
	return rc;
}

struct span uri_identity(struct span path)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

static bool is_host(uint8_t ch, bool ipv6)
{
	return ipv6 ? text_hex(ch) >= 0 || ch == ':' || ch == '.' :
		      in_path[ch] == UNRESERVED;
}

/* Behind its colon. */
static bool is_port(struct span s)
{
	uint32_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		n = n * 10 + s.p[i] - '0';
	}
	return n <= UINT16_MAX;
}

int uri_host(struct span authority, struct wbuf *w, struct span *host,
	     struct err *e)
{
	size_t base = w->n, at = find(authority, ":");
	struct span name = span_sub(authority, 0, at);
	struct span port = span_from(authority, at);
	bool ipv6 = authority.n && authority.p[0] == '[', begins = true;

	if (ipv6) { /* IPv6, RFC 3986 3.2.2 */
		at = find(authority, "]");
		name = span_sub(authority, 1, at ? at - 1 : 0);
		port = span_from(authority, at + 1);
		if (at == authority.n)
			return odd(e, 0, REASON_MALFORMED, "host: no ']'");
	} else if (find(name, "~") < name.n) {
		return odd(e, 0, REASON_MALFORMED, "host: '~'");
	}
	if (name.n > 1 && name.p[name.n - 1] == '.') /* the same name */
		name.n--;
	if (name.n == 0 || name.n > 255 || port.n > 6 ||
	    (port.n && (port.p[0] != ':' || port.n == 1)))
		return odd(e, 0, REASON_MALFORMED, "host: no name, or a port "
						   "that is none");
	if (!is_port(span_from(port, 1)))
		return odd(e, at, REASON_MALFORMED, "host: port");
	for (size_t i = 0; i < name.n; i++) {
		uint8_t ch = name.p[i];

		if (!is_host(ch, ipv6) || (begins && ch == '.'))
			return odd(e, i, REASON_MALFORMED,
				   "host: a character it cannot hold");
		begins = ch == '.';
		wbuf_u8(w, ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch);
	}
	if (w->failed)
		return err_reason(e, E_LIMIT, REASON_TOO_LONG, 0, "host");
	*host = span_from(wbuf_span(w), base);
	return 0;
}
