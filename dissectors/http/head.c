/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/http/head.h"

#include "core/reason.h"
#include "dissectors/http/fields.h"
#include "dissectors/http/text.h"

/* --- where it ends ------------------------------------------------------------ */

static int found_odd(struct err *e, size_t at, enum reason why,
		     const char *what)
{
	return err_reason(e, E_SYNTAX, (int)why, at, "%s", what);
}

static int found_long(struct err *e, size_t at, const char *what)
{
	return err_reason(e, E_LIMIT, REASON_TOO_LONG, at, "%s", what);
}

/* The line that begins at *at: its octets without CR LF. */
static int next_line(struct span in, size_t *at, struct span *line,
		     struct err *e)
{
	struct span rest = span_from(in, *at);
	struct span got = text_before(rest, '\n');
	size_t cr = text_before(got, '\r').n;

	if (got.n == rest.n) {
		if (cr + 1 < rest.n)
			return found_odd(e, *at + cr, REASON_TWO_READINGS,
					 "a CR without its LF");
		return E_MORE;
	}
	if (cr == got.n)
		return found_odd(e, *at + got.n, REASON_TWO_READINGS,
				 "an LF without its CR");
	if (cr + 1 != got.n)
		return found_odd(e, *at + cr, REASON_TWO_READINGS,
				 "a CR without its LF");
	*line = span_sub(got, 0, cr);
	*at += got.n + 1;
	return 0;
}

int head_find(struct span in, bool request, size_t *len, struct err *e)
{
	struct span whole = span_sub(in, 0, HEAD_MAX), line = {0};
	size_t at = 0;
	int rc = 0;

	*len = 0;
	if (in.n == 0)
		return E_MORE;
	if (in.p[0] == '\r' || in.p[0] == '\n')
		return found_odd(e, 0, REASON_TWO_READINGS,
				 "an empty line in front of a message");
	if (request ? in.p[0] < 'A' || in.p[0] > 'z' : in.p[0] != 'H')
		return found_odd(e, 0, REASON_MALFORMED,
				 "no HTTP message begins so");
	for (unsigned n = 0; n <= HEAD_HEADERS_MAX + 1; n++) {
		size_t from = at, most = n ? HEAD_MAX : HEAD_LINE_MAX + 2;

		/* What stands behind that changes nothing. */
		rc = next_line(span_sub(whole, 0, most), &at, &line, e);
		if (n == 0 && rc == E_MORE && whole.n >= most)
			return found_long(e, HEAD_LINE_MAX, "the first line");
		if (rc == E_MORE && in.n >= HEAD_MAX)
			return found_long(e, HEAD_MAX, "the head");
		if (rc)
			return rc;
		if (line.n == 0 && n > 0) {
			*len = at;
			return 0;
		}
		if (n > 0 && text_white(line.p[0]))
			return found_odd(e, from, REASON_TWO_READINGS,
					 "a folded header");
	}
	return err_reason(e, E_LIMIT, REASON_TOO_MANY_UNITS, at,
			  "more than %d headers", HEAD_HEADERS_MAX);
}

/* --- first lines ------------------------------------------------------------------ */

static const char *const methods[HTTP_METHODS] = {
	[HTTP_GET] = "GET",	  [HTTP_HEAD] = "HEAD",
	[HTTP_PUT] = "PUT",	  [HTTP_POST] = "POST",
	[HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS",
};

struct span http_method_name(enum http_method m)
{
	return span_str(m < HTTP_METHODS ? methods[m] : NULL);
}

static int read_method(struct head_reader *r, struct span name)
{
	for (uint8_t i = 0; i < HTTP_METHODS; i++) {
		if (span_is(name, methods[i])) {
			r->h->method = i;
			return 0;
		}
	}
	if (span_is(name, "PRI"))
		return head_odd(r, REASON_HTTP2, "the preface of HTTP/2");
	if (span_is(name, "CONNECT"))
		return head_odd(r, REASON_TUNNEL, "CONNECT");
	return head_odd(r, REASON_HTTP_METHOD, "a method that is not read");
}

static int read_version(struct head_reader *r, struct span v)
{
	if (span_is(v, "HTTP/1.1"))
		return 0;
	if (span_is(v, "HTTP/1.0"))
		return head_odd(r, REASON_LEGACY, "HTTP/1.0");
	if (span_is(span_sub(v, 0, 6), "HTTP/2"))
		return head_odd(r, REASON_HTTP2, "HTTP/2");
	return head_odd(r, REASON_MALFORMED, "no version of HTTP");
}

/* A name, decoded as a server does it. */
static bool decodes_to(struct span s, const char *text)
{
	for (; *text && s.n; text++) {
		uint8_t ch = s.p[0];
		int a = s.n > 2 ? text_hex(s.p[1]) : -1;
		int b = s.n > 2 ? text_hex(s.p[2]) : -1;
		bool coded = ch == '%' && a >= 0 && b >= 0;

		if (coded)
			ch = (uint8_t)(a << 4 | b);
		if (text_lower(ch) != (uint8_t)*text)
			return false;
		s = span_from(s, coded ? 3 : 1);
	}
	return *text == 0 && s.n == 0;
}

/* Frameworks take another method from the query. */
static bool overrides(struct span target)
{
	static const char *const names[] = {
		"_method", "_http_method", "x-http-method",
		"x-http-method-override"};
	struct span q = span_from(target, text_before(target, '?').n + 1);

	while (q.n) {
		struct span one = text_before(q, '&'), name;

		one = text_before(one, ';');
		name = text_before(one, '=');
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
			if (decodes_to(name, names[i]))
				return true;
		}
		q = span_from(q, one.n + 1);
	}
	return false;
}

static int read_request_line(struct head_reader *r, struct span line)
{
	struct span method = text_before(line, ' '), target, version;
	int rc;

	target = text_before(span_from(line, method.n + 1), ' ');
	version = span_from(line, method.n + target.n + 2);
	rc = read_method(r, method);
	if (rc)
		return rc;
	if (target.n == 0 || version.n == 0)
		return head_odd(r, REASON_MALFORMED, "no request line");
	rc = read_version(r, version);
	if (rc)
		return rc;
	if (target.p[0] != '/')
		return head_odd(r, REASON_TWO_READINGS,
			   "a target with an authority, or none");
	if (target.n > 1 && target.p[1] == '/')
		return head_odd(r, REASON_TWO_READINGS,
			   "a target that begins as an authority does");
	if (overrides(target))
		return head_odd(r, REASON_OVERRIDE,
				"another method in the query");
	r->h->target = target;
	return 0;
}

static int read_status_line(struct head_reader *r, struct span line)
{
	struct span v = span_sub(line, 0, 9), s = span_sub(line, 9, 4);

	if (span_is(v, "HTTP/1.0 "))
		r->h->http10 = true;
	else if (!span_is(v, "HTTP/1.1 "))
		return head_odd(r, REASON_MALFORMED, "no status line");
	if (s.n != 4 || s.p[3] != ' ' || s.p[0] < '1' || s.p[0] > '5' ||
	    !text_all(span_from(line, 13), FIELD))
		return head_odd(r, REASON_MALFORMED, "no status line");
	for (size_t i = 0; i < 3; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return head_odd(r, REASON_MALFORMED, "no status");
		r->h->status = (uint16_t)(r->h->status * 10 + s.p[i] - '0');
	}
	r->h->said += head_phrase(r->h->status, span_from(line, 13));
	if (r->h->status == 101)
		return head_odd(r, REASON_UPGRADE, "101 Switching Protocols");
	if (r->h->status < 200 && r->h->status != 100)
		return head_odd(r, REASON_SUSPICIOUS,
			   "an interim response other than 100");
	if (r->h->status < 200 && r->h->http10)
		return head_odd(r, REASON_TWO_READINGS,
				"an interim response of HTTP/1.0");
	if (r->h->status == 206)
		return head_odd(r, REASON_PARTIAL, "206 Partial Content");
	if (r->h->status == 226) /* RFC 3229: how it differs from another */
		return head_odd(r, REASON_PARTIAL, "226 IM Used");
	return 0;
}

/* --- the whole ---------------------------------------------------------------------- */

static int check(const struct head_reader *r)
{
	const struct head *h = r->h;

	/* An interim answer says that there is one, and no more. */
	if (!h->request && h->status < 200 && h->said)
		return head_odd(r, REASON_TWO_READINGS,
				"100 with headers or words of its own");
	/* Old receivers find its end in it (RFC 2616 4.4). */
	if (text_is(h->content_type, "multipart/byteranges"))
		return head_odd(r, REASON_PARTIAL, "multipart/byteranges");
	if (r->names_te && !r->te)
		return head_odd(r, REASON_TWO_READINGS,
				"Connection names TE, which is not there");
	if (r->upgrade)
		return head_odd(r, REASON_UPGRADE, "Connection: upgrade");
	if (h->request && h->host.n == 0)
		return head_odd(r, REASON_TWO_READINGS, "no Host");
	if (h->has_length && h->chunked)
		return head_odd(r, REASON_TWO_READINGS,
			   "both Content-Length and Transfer-Encoding");
	if (h->chunked && h->http10)
		return head_odd(r, REASON_TWO_READINGS,
			   "Transfer-Encoding in HTTP/1.0");
	return 0;
}

int head_read(struct span in, bool request, struct head *out, struct err *e)
{
	struct head_reader r = {.h = out, .e = e};
	struct span line = {0};
	size_t at = 0;
	int rc;

	*out = (struct head){.request = request, .len = in.n};
	for (unsigned n = 0; n <= HEAD_HEADERS_MAX + 1; n++) {
		r.at = at;
		rc = next_line(in, &at, &line, e);
		if (rc)
			return rc == E_MORE ? head_odd(&r, REASON_MALFORMED,
						  "a head cut short")
					    : rc;
		if (line.n == 0 && n > 0)
			return at == in.n ? check(&r)
					  : head_odd(&r, REASON_MALFORMED,
						"octets behind the head");
		rc = n ? head_field(&r, line)
		     : request ? read_request_line(&r, line)
			       : read_status_line(&r, line);
		if (rc)
			return rc;
	}
	return head_odd(&r, REASON_TOO_MANY_UNITS, "too many headers");
}

static int not_here(struct err *e, const char *what)
{
	return err_reason(e, E_SYNTAX, REASON_TWO_READINGS, 0, "%s", what);
}

int head_framing(const struct head *h, enum http_method answers,
		 enum http_framing *framing, struct err *e)
{
	bool some = h->chunked || h->length > 0;
	bool takes = h->request && (h->method == HTTP_PUT ||
				    h->method == HTTP_POST);

	/* RFC 9110 10.1.1; servers wait for the body all the same. */
	if (h->expect && !some)
		return not_here(e, "Expect without a body to wait for");
	*framing = h->chunked	  ? FRAMING_CHUNKED
		   : h->length > 0 ? FRAMING_LENGTH
				   : FRAMING_NONE;
	if (h->request)
		return some && !takes
			       ? not_here(e, "a body with a method that has "
					     "none")
			       : 0;
	/* 205 has none either, but only its length says so to a receiver. */
	if (h->status == 205 && !h->has_length)
		return not_here(e, "205 without a length");
	if (h->status < 200 || h->status == 204 || h->status == 205) {
		return some ? not_here(e, "a body with a status that has none")
			    : 0;
	}
	if (h->status == 304 && h->chunked)
		return not_here(e, "chunks with 304");
	if (answers == HTTP_HEAD || h->status == 304)
		*framing = FRAMING_NONE;
	else if (!h->chunked && !h->has_length)
		*framing = FRAMING_CLOSE;
	return 0;
}
