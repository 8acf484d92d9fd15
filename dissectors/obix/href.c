/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/obix/href.h"

#include <stdio.h>

#include "core/reason.h"
#include "dissectors/http/uri.h"

static struct span before(struct span s, uint8_t ch)
{
	const uint8_t *hit = s.n ? memchr(s.p, ch, s.n) : NULL;

	return hit ? span_sub(s, 0, (size_t)(hit - s.p)) : s;
}

static int odd(struct err *e, const char *what)
{
	return err_reason(e, E_SYNTAX, REASON_SUSPICIOUS, 0, "href: %s", what);
}

/* "http://h/p": does it begin with a scheme? */
static bool has_scheme(struct span ref)
{
	size_t n = before(ref, ':').n;

	return n && n < ref.n && before(ref, '/').n > n &&
	       before(ref, '?').n > n;
}

static bool is_http(struct span scheme)
{
	static const char name[] = "https";
	bool same = scheme.n == 4 || scheme.n == 5;

	for (size_t i = 0; same && i < scheme.n; i++)
		same = (scheme.p[i] | 0x20) == name[i];
	return same;
}

/* "h" of "h:443": the port that goes without saying (RFC 3986 6.2.3). */
static struct span spare_port(struct span authority, struct span scheme)
{
	struct span port = span_str(scheme.n == 5 ? ":443" : ":80");
	size_t n = authority.n > port.n ? authority.n - port.n : 0;

	return n && span_eq(span_from(authority, n), port)
		       ? span_sub(authority, 0, n)
		       : authority;
}

/* The path of a reference that has a root, or of base when it has none. */
static int normal(struct href *out, struct span base, struct span ref,
		  struct uri *u, struct err *e)
{
	uint8_t whole[HREF_MAX + URI_MAX];
	struct wbuf joined = wbuf_of(whole, sizeof(whole));
	struct wbuf w = wbuf_of(out->path, HREF_MAX);
	struct span path = before(ref, '?');
	int rc;

	if (path.n == 0 || (path.p[0] != '/' && !has_scheme(ref))) {
		while (path.n && base.n && base.p[base.n - 1] != '/')
			base.n--;
		if (base.n == 0 || base.p[0] != '/')
			wbuf_u8(&joined, '/');
		wbuf_put(&joined, base);
	}
	wbuf_put(&joined, ref);
	if (joined.failed)
		return err_reason(e, E_LIMIT, REASON_TOO_LONG, 0,
				  "href: too long");
	rc = uri_read(wbuf_span(&joined), &w, u, e);
	if (rc == 0)
		out->n = (uint16_t)u->path.n;
	/* What lies in that buffer is gone behind this. */
	u->authority = has_scheme(ref) ? before(span_from(ref,
						  u->scheme.n + 3), '/')
				       : (struct span){0};
	return rc;
}

int href_resolve(struct href *out, struct span base, struct span ref,
		 struct err *e)
{
	struct uri u = {0};
	int rc;

	/* As nearly all are. */
	if (ref.n <= HREF_MAX && uri_is_normal(ref)) {
		memcpy(out->path, ref.p, ref.n);
		out->n = (uint16_t)ref.n;
		out->authority = (struct span){0};
		out->fragment = out->network = false;
		return 0;
	}
	out->n = 0;
	out->authority = (struct span){0};
	out->fragment = ref.n && ref.p[0] == '#';
	ref = before(ref, '#');
	if (has_scheme(ref) && !is_http(before(ref, ':')))
		return odd(e, "another scheme than http");
	out->network = span_is(span_sub(ref, 0, 2), "//");
	if (out->network) { /* RFC 3986 4.2 */
		ref = span_from(ref, 2);
		out->authority = before(ref, '/');
		ref = span_from(ref, out->authority.n);
		return normal(out, span_of("/", 1), ref, &u, e);
	}
	rc = normal(out, base, ref, &u, e);
	out->authority = spare_port(before(u.authority, '?'), u.scheme);
	return rc;
}

struct span href_query(struct span ref)
{
	size_t n;

	ref = before(ref, '#');
	n = before(ref, '?').n;
	return n < ref.n ? span_from(ref, n + 1) : (struct span){0};
}

size_t href_port(struct span s, uint16_t port)
{
	char text[8];
	int n = snprintf(text, sizeof(text), ":%u", (unsigned)port);

	return span_is(span_sub(s, 0, (size_t)n), text) ? (size_t)n : 0;
}

size_t href_host(struct span s, struct span host)
{
	/* RFC 3986 3.2.2 */
	size_t v6 = host.n && memchr(host.p, ':', host.n) ? 1 : 0;
	struct span name = span_sub(s, v6, host.n);

	if (host.n == 0 || name.n < host.n)
		return 0;
	for (size_t i = 0; i < host.n; i++) {
		uint8_t ch = name.p[i];

		if ((ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch) != host.p[i])
			return 0;
	}
	if (v6 && (s.p[0] != '[' || s.n < host.n + 2 || s.p[host.n + 1] != ']'))
		return 0;
	return host.n + 2 * v6;
}

bool href_host_is(struct span authority, struct span host, uint16_t port)
{
	size_t n = href_host(authority, host);
	struct span behind = span_from(authority, n);

	return n && (behind.n == 0 || href_port(behind, port) == behind.n);
}

struct span href_identity(struct span path)
{
	return uri_identity(path);
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
