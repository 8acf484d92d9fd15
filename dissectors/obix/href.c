/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/obix/href.h"

#include "core/reason.h"

static int odd(struct err *e, const char *what)
{
	return err_reason(e, E_SYNTAX, REASON_SUSPICIOUS, 0, "href: %s", what);
}

static int hex(uint8_t ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	ch |= 0x20;
	return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

static bool is_unreserved(int ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') ||
	       (ch >= 'A' && ch <= 'Z') || ch == '-' || ch == '.' ||
	       ch == '_' || ch == '~';
}

static int put(struct href *out, uint8_t ch, struct err *e)
{
	if (out->n == HREF_MAX)
		return err_reason(e, E_LIMIT, REASON_TOO_LONG, 0,
				  "href: too long");
	out->path[out->n++] = ch;
	return 0;
}

/* One octet or one %xx of a segment. */
static int put_octet(struct href *out, struct cur *c, struct err *e)
{
	uint8_t ch = cur_u8(c);
	int a, b, rc;

	if (ch < 0x20 || ch == 0x7f || ch == ';' || ch == '\\')
		return odd(e, "an octet that servers read differently");
	if (ch != '%')
		return put(out, ch, e);
	a = hex(cur_u8(c));
	b = hex(cur_u8(c));
	if (!cur_ok(c) || a < 0 || b < 0)
		return odd(e, "% without two hexadecimal digits");
	a = a << 4 | b;
	if (is_unreserved(a))
		return put(out, (uint8_t)a, e);
	if (a == 0 || a == '/' || a == '\\' || a == '%')
		return odd(e, "%00, %2f, %5c or %25");
	rc = put(out, '%', e);
	for (int shift = 4; rc == 0 && shift >= 0; shift -= 4)
		rc = put(out, (uint8_t) "0123456789ABCDEF"[a >> shift & 15], e);
	return rc;
}

/* Take the last segment away; out ends in '/' before and after. */
static int up(struct href *out, struct err *e)
{
	if (out->n <= 1)
		return odd(e, ".. above the root");
	out->n--;
	while (out->path[out->n - 1] != '/')
		out->n--;
	return 0;
}

/* Append a path's segments to out, which ends in '/'. */
static int put_path(struct href *out, struct span path, struct err *e)
{
	struct cur c = cur_of(path);
	uint16_t from = out->n;
	int rc = 0;

	while (rc == 0 && cur_left(&c)) {
		struct span seg;
		bool slash = cur_peek(&c, 1).p[0] == '/';

		if (!slash) {
			rc = put_octet(out, &c, e);
			if (rc || cur_left(&c))
				continue;
		} else {
			cur_take(&c, 1);
		}
		seg = span_of(out->path + from, (size_t)(out->n - from));
		if (span_is(seg, ".")) {
			out->n = from;
		} else if (span_is(seg, "..")) {
			out->n = from;
			rc = up(out, e);
		} else if (seg.n && slash) {
			rc = put(out, '/', e);
		}
		from = out->n;
	}
	return rc;
}

static struct span before(struct span s, uint8_t ch)
{
	const uint8_t *hit = s.n ? memchr(s.p, ch, s.n) : NULL;

	return hit ? span_sub(s, 0, (size_t)(hit - s.p)) : s;
}

/* "http:" of "http://h/p"; n = 0 when there is none. */
static struct span scheme_of(struct span ref)
{
	struct span s = before(ref, ':');

	if (s.n == ref.n || s.n == 0)
		return (struct span){0};
	for (size_t i = 0; i < s.n; i++) {
		if (!is_unreserved(s.p[i]) && s.p[i] != '+')
			return (struct span){0};
	}
	return span_sub(ref, 0, s.n + 1);
}

int href_resolve(struct href *out, struct span base, struct span ref,
		 struct err *e)
{
	struct span scheme;
	int rc;

	out->n = 0;
	out->authority = (struct span){0};
	out->fragment = ref.n && ref.p[0] == '#';
	ref = before(before(ref, '#'), '?');
	scheme = scheme_of(ref);
	if (scheme.n) {
		bool http = scheme.n == 5 || scheme.n == 6;

		http = http && (scheme.p[0] | 0x20) == 'h';
		ref = span_from(ref, scheme.n);
		if (!http || !span_is(span_sub(ref, 0, 2), "//"))
			return odd(e, "another scheme than http");
	}
	rc = put(out, '/', e);
	if (span_is(span_sub(ref, 0, 2), "//")) {
		ref = span_from(ref, 2);
		out->authority = before(ref, '/');
		return rc ? rc
			  : put_path(out, span_from(ref, out->authority.n), e);
	}
	if (ref.n == 0)
		return rc ? rc : put_path(out, base, e);
	if (ref.p[0] != '/') {
		while (base.n && base.p[base.n - 1] != '/')
			base.n--;
		rc = rc ? rc : put_path(out, base, e);
	}
	return rc ? rc : put_path(out, ref, e);
}

bool href_host_is(struct span authority, struct span host)
{
	if (authority.n < host.n)
		return false;
	for (size_t i = 0; i < host.n; i++) {
		uint8_t ch = authority.p[i];

		if ((ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch) != host.p[i])
			return false;
	}
	return authority.n == host.n || authority.p[host.n] == ':';
}

struct span href_identity(struct span path)
{
	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	return path;
}

bool href_same(const struct href *a, const struct href *b)
{
	return span_eq(href_identity(href_span(a)),
		       href_identity(href_span(b)));
}

struct span href_parent(struct span path)
{
	path = href_identity(path);
	while (path.n > 1 && path.p[path.n - 1] != '/')
		path.n--;
	return href_identity(path);
}

struct span href_last(struct span path)
{
	size_t i;

	path = href_identity(path);
	i = path.n;
	while (i > 0 && path.p[i - 1] != '/')
		i--;
	return span_from(path, i);
}
