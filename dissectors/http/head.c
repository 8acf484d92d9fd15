/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/http/head.h"

#include "core/reason.h"

#define LENGTH_DIGITS 18 /* below 10^18, so that sums stay in 64 bits */

/* A head while it is read. */
struct reader {
	struct head *h;
	struct span in;
	struct err *e;
	uint64_t seen; /* of headers of the table, a bit each */
	size_t at;     /* of the line at hand */
	bool upgrade;  /* is asked for; to what, another header may say */
};

static int odd(const struct reader *r, enum reason why, const char *what)
{
	return err_reason(r->e, E_SYNTAX, (int)why, r->at, "%s", what);
}

/* --- octets ------------------------------------------------------------------ */

#define TOKEN 1 /* RFC 9110 5.6.2 */
#define FIELD 2 /* of a field value, 5.5 */
/* clang-format off */
static const uint8_t class[256] = {
	['\t'] = 2, [' '] = 2, ['!'] = 3, ['"'] = 2, ['#' ... '\''] = 3,
	['(' ... ')'] = 2, ['*' ... '+'] = 3, [','] = 2, ['-' ... '.'] = 3,
	['/'] = 2, ['0' ... '9'] = 3, [':' ... '@'] = 2, ['A' ... 'Z'] = 3,
	['[' ... ']'] = 2, ['^' ... 'z'] = 3, ['{'] = 2, ['|'] = 3, ['}'] = 2,
	['~'] = 3, [0x80 ... 0xff] = 2,
};
/* clang-format on */

static bool all(struct span s, uint8_t want)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!(class[s.p[i]] & want))
			return false;
	}
	return true;
}

static uint8_t lower(uint8_t ch)
{
	return ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch;
}

/* Without case; underscores count as the dashes that gateways to CGI make of
 * them when `under`. */
static bool is(struct span s, const char *text, bool under)
{
	/* Most differ in the first octet. */
	if (s.n == 0 || lower(s.p[0]) != (uint8_t)text[0] ||
	    s.n != strlen(text))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t ch = lower(s.p[i]);

		if (under && ch == '_')
			ch = '-';
		if (ch != (uint8_t)text[i])
			return false;
	}
	return true;
}

static bool is_white(uint8_t ch)
{
	return ch == ' ' || ch == '\t';
}

static struct span trim(struct span s)
{
	while (s.n && is_white(s.p[0]))
		s = span_from(s, 1);
	while (s.n && is_white(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* What stands before the first ch, or all. */
static struct span before(struct span s, uint8_t ch)
{
	const uint8_t *hit = s.n ? memchr(s.p, ch, s.n) : NULL;

	return hit ? span_sub(s, 0, (size_t)(hit - s.p)) : s;
}

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
	struct span got = before(rest, '\n');
	size_t cr = before(got, '\r').n;

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
	struct span whole = span_sub(in, 0, HEAD_MAX), line;
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
		size_t from = at;

		rc = next_line(whole, &at, &line, e);
		if (n == 0 && (rc == E_MORE ? whole.n : at) >
				      HEAD_LINE_MAX + 2)
			return found_long(e, HEAD_LINE_MAX, "the first line");
		if (rc == E_MORE && in.n >= HEAD_MAX)
			return found_long(e, HEAD_MAX, "the head");
		if (rc)
			return rc;
		if (line.n == 0 && n > 0) {
			*len = at;
			return 0;
		}
		if (n > 0 && is_white(line.p[0]))
			return found_odd(e, from, REASON_TWO_READINGS,
					 "a folded header");
	}
	return err_reason(e, E_LIMIT, REASON_TOO_MANY_UNITS, at,
			  "more than %d headers", HEAD_HEADERS_MAX);
}

/* --- headers -------------------------------------------------------------------- */

typedef int reading(struct reader *r, struct span value);

static int read_host(struct reader *r, struct span v)
{
	r->h->host = v;
	return 0;
}

static int read_length(struct reader *r, struct span v)
{
	uint64_t n = 0;

	if (v.n == 0 || v.n > LENGTH_DIGITS)
		return odd(r, REASON_TWO_READINGS,
			   "Content-Length is no number");
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return odd(r, REASON_TWO_READINGS,
				   "Content-Length is no number");
		n = n * 10 + v.p[i] - '0';
	}
	r->h->has_length = true;
	r->h->length = n;
	return 0;
}

static int read_transfer(struct reader *r, struct span v)
{
	if (!is(v, "chunked", false))
		return odd(r, REASON_TWO_READINGS,
			   "Transfer-Encoding other than chunked");
	r->h->chunked = true;
	return 0;
}

/* In these an octet below 128 is not the character that it looks like, so that
 * a body in them may be anything. */
static bool hides(struct span charset)
{
	static const char *const families[] = {
		"utf-7",  "utf7",    "utf-16",	 "utf16",  "utf-32",
		"utf32",  "ucs-",    "iso-10646", "iso-2022", "ebcdic",
		"ibm",	  "cp037",   "cp500",	 "cp1047", "hz-",
		"unicode", "csunicode", "x-utf", "scsu",   "bocu"};

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		if (is(span_sub(charset, 0, strlen(families[i])), families[i],
		       false))
			return true;
	}
	return false;
}

static int read_type(struct reader *r, struct span v)
{
	struct span more = v;
	bool seen = false;

	r->h->content_type = trim(before(v, ';'));
	r->h->event_stream = is(r->h->content_type, "text/event-stream", false);
	for (;;) {
		struct span part = before(more, ';'), name, value;

		more = span_from(more, part.n + 1);
		name = trim(before(part, '='));
		value = trim(span_from(part, before(part, '=').n + 1));
		if (value.n > 1 && (value.p[0] == '"' || value.p[0] == '\'') &&
		    value.p[value.n - 1] == value.p[0])
			value = span_sub(value, 1, value.n - 2);
		if (is(name, "charset", false)) {
			if (seen || hides(value))
				return odd(r, REASON_XML_ENCODING,
					   "a charset that is not read");
			seen = true;
			r->h->charset = !is(value, "utf-8", false) &&
					!is(value, "utf8", false) &&
					!is(value, "us-ascii", false);
		}
		if (more.n == 0)
			return 0;
	}
}

static int read_coding(struct reader *r, struct span v)
{
	static const struct {
		const char *name;
		enum http_coding coding;
	} rows[] = {
		{"identity", CODING_NONE},
		{"gzip",	 CODING_GZIP},
		{"x-gzip",   CODING_GZIP},
		{"deflate",  CODING_DEFLATE},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (is(v, rows[i].name, false)) {
			r->h->coding = (uint8_t)rows[i].coding;
			return 0;
		}
	}
	return odd(r, REASON_ENCODING, "a content coding that is not read");
}

/* Other tokens name headers to be taken away on the way, so that the next
 * receiver sees another head. */
static int read_connection(struct reader *r, struct span v)
{
	while (v.n) {
		struct span item = before(v, ',');

		v = span_from(v, item.n + 1);
		item = trim(item);
		if (is(item, "close", false))
			r->h->close = true;
		else if (is(item, "keep-alive", false))
			r->h->keep_alive = true;
		else if (is(item, "upgrade", false))
			r->upgrade = true;
		else if (is(item, "http2-settings", false))
			return odd(r, REASON_HTTP2, "Connection: HTTP2-Settings");
		else
			return odd(r, REASON_TWO_READINGS,
				   "Connection names another header");
	}
	return 0;
}

static int read_expect(struct reader *r, struct span v)
{
	if (!is(v, "100-continue", false))
		return odd(r, REASON_TWO_READINGS,
			   "Expect other than 100-continue");
	r->h->expect = true;
	return 0;
}

/* libmicrohttpd 0.9.75 reads a cookie `a="` as one of -1 octets; to others
 * the quoted string goes on behind the next ';'. */
static int read_cookie(struct reader *r, struct span v)
{
	unsigned quotes = 0;

	for (size_t i = 0; i < v.n; i++)
		quotes += v.p[i] == '"';
	return quotes % 2 ? odd(r, REASON_TWO_READINGS,
				"a quote in Cookie that does not end")
			  : 0;
}

static int read_upgrade(struct reader *r, struct span v)
{
	struct span first = trim(before(v, ','));

	if (is(first, "websocket", false))
		return odd(r, REASON_WEBSOCKET, "Upgrade: websocket");
	if (is(first, "h2c", false) || is(first, "h2", false))
		return odd(r, REASON_HTTP2, "Upgrade: h2c");
	return odd(r, REASON_UPGRADE, "Upgrade");
}

static int refuse_http2(struct reader *r, struct span v)
{
	(void)v;
	return odd(r, REASON_HTTP2, "HTTP2-Settings");
}

static int refuse_websocket(struct reader *r, struct span v)
{
	(void)v;
	return odd(r, REASON_WEBSOCKET, "a header of WebSocket");
}

static int refuse_range(struct reader *r, struct span v)
{
	(void)v;
	return odd(r, REASON_PARTIAL, "a range of a document");
}

static int refuse_override(struct reader *r, struct span v)
{
	(void)v;
	return odd(r, REASON_OVERRIDE, "another method or path in a header");
}

static int refuse_trailer(struct reader *r, struct span v)
{
	(void)v;
	return odd(r, REASON_TWO_READINGS, "headers behind the body");
}

#define REQUESTS  1
#define RESPONSES 2
#define BOTH	  3

/* A header in no row says nothing about framing or meaning. One of these may
 * stand in a head once. */
static const struct {
	const char *name;
	uint8_t in;
	reading *read;
} headers[] = {
	{"host",		     REQUESTS,  read_host	  },
	{"content-length",	   BOTH,	     read_length     },
	{"transfer-encoding",      BOTH,      read_transfer	},
	{"content-type",		 BOTH,      read_type	  },
	{"content-encoding",	     BOTH,	    read_coding	    },
	{"connection",	       BOTH,	     read_connection },
	{"expect",		       REQUESTS,  read_expect	  },
	{"upgrade",		BOTH,	   read_upgrade    },
	{"http2-settings",	   BOTH,	     refuse_http2    },
	{"sec-websocket-key",      BOTH,      refuse_websocket},
	{"sec-websocket-version",  BOTH,	 refuse_websocket},
	{"sec-websocket-accept",   BOTH,	   refuse_websocket},
	{"sec-websocket-protocol", BOTH,      refuse_websocket},
	{"range",		      REQUESTS,	 refuse_range	  },
	{"if-range",	       REQUESTS,	 refuse_range	 },
	{"content-range",	  BOTH,      refuse_range	  },
	{"x-http-method-override", REQUESTS,  refuse_override },
	{"x-http-method",	  REQUESTS,  refuse_override },
	{"x-method-override",      REQUESTS,  refuse_override },
	{"x-original-url",	   REQUESTS,  refuse_override },
	{"x-rewrite-url",	  REQUESTS,  refuse_override },
	{"trailer",		BOTH,	   refuse_trailer  },
	{"cookie",		    REQUESTS,  read_cookie	  },
};
#define N_HEADERS (sizeof(headers) / sizeof(headers[0]))
_Static_assert(N_HEADERS <= 64, "reader.seen is a bitmap of 64");

static int read_header(struct reader *r, struct span line)
{
	uint8_t in = r->h->request ? REQUESTS : RESPONSES;
	struct span name = before(line, ':'), value;

	if (name.n == line.n || name.n == 0 || !all(name, TOKEN))
		return odd(r, name.n && is_white(name.p[name.n - 1])
				      ? REASON_TWO_READINGS
				      : REASON_MALFORMED,
			   "no header, or a space before its colon");
	value = trim(span_from(line, name.n + 1));
	if (!all(value, FIELD))
		return odd(r, REASON_MALFORMED,
			   "a control octet in a header");
	for (size_t i = 0; i < N_HEADERS; i++) {
		if (!(headers[i].in & in) || !is(name, headers[i].name, true))
			continue;
		if (!is(name, headers[i].name, false))
			return odd(r, REASON_TWO_READINGS,
				   "'_' for '-' in the name of a header");
		if (line.n && is_white(line.p[line.n - 1]))
			return odd(r, REASON_TWO_READINGS,
				   "white space behind a value, which not all "
				   "take away");
		if (r->seen >> i & 1)
			return odd(r, REASON_TWO_READINGS,
				   "a header that may stand once, twice");
		r->seen |= UINT64_C(1) << i;
		return headers[i].read(r, value);
	}
	return 0;
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

static int read_method(struct reader *r, struct span name)
{
	for (uint8_t i = 0; i < HTTP_METHODS; i++) {
		if (span_is(name, methods[i])) {
			r->h->method = i;
			return 0;
		}
	}
	if (span_is(name, "PRI"))
		return odd(r, REASON_HTTP2, "the preface of HTTP/2");
	if (span_is(name, "CONNECT"))
		return odd(r, REASON_TUNNEL, "CONNECT");
	return odd(r, REASON_HTTP_METHOD, "a method that is not read");
}

static int read_version(struct reader *r, struct span v)
{
	if (span_is(v, "HTTP/1.1"))
		return 0;
	if (span_is(v, "HTTP/1.0"))
		return odd(r, REASON_LEGACY, "HTTP/1.0");
	if (span_is(span_sub(v, 0, 6), "HTTP/2"))
		return odd(r, REASON_HTTP2, "HTTP/2");
	return odd(r, REASON_MALFORMED, "no version of HTTP");
}

static int read_request_line(struct reader *r, struct span line)
{
	struct span method = before(line, ' '), target, version;
	int rc;

	target = before(span_from(line, method.n + 1), ' ');
	version = span_from(line, method.n + target.n + 2);
	rc = read_method(r, method);
	if (rc)
		return rc;
	if (target.n == 0 || version.n == 0)
		return odd(r, REASON_MALFORMED, "no request line");
	rc = read_version(r, version);
	if (rc)
		return rc;
	if (target.p[0] != '/')
		return odd(r, REASON_TWO_READINGS,
			   "a target with an authority, or none");
	r->h->target = target;
	return 0;
}

static int read_status_line(struct reader *r, struct span line)
{
	struct span v = span_sub(line, 0, 9), s = span_sub(line, 9, 4);

	if (span_is(v, "HTTP/1.0 "))
		r->h->http10 = true;
	else if (!span_is(v, "HTTP/1.1 "))
		return odd(r, REASON_MALFORMED, "no status line");
	if (s.n != 4 || s.p[3] != ' ' || s.p[0] < '1' || s.p[0] > '5' ||
	    !all(span_from(line, 13), FIELD))
		return odd(r, REASON_MALFORMED, "no status line");
	for (size_t i = 0; i < 3; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return odd(r, REASON_MALFORMED, "no status");
		r->h->status = (uint16_t)(r->h->status * 10 + s.p[i] - '0');
	}
	if (r->h->status == 101)
		return odd(r, REASON_UPGRADE, "101 Switching Protocols");
	if (r->h->status < 200 && r->h->status != 100)
		return odd(r, REASON_SUSPICIOUS,
			   "an interim response other than 100");
	if (r->h->status == 206)
		return odd(r, REASON_PARTIAL, "206 Partial Content");
	return 0;
}

/* --- the whole ---------------------------------------------------------------------- */

static int check(const struct reader *r)
{
	const struct head *h = r->h;

	if (r->upgrade)
		return odd(r, REASON_UPGRADE, "Connection: upgrade");
	if (h->request && h->host.n == 0)
		return odd(r, REASON_TWO_READINGS, "no Host");
	if (h->has_length && h->chunked)
		return odd(r, REASON_TWO_READINGS,
			   "both Content-Length and Transfer-Encoding");
	if (h->chunked && h->http10)
		return odd(r, REASON_TWO_READINGS,
			   "Transfer-Encoding in HTTP/1.0");
	return 0;
}

int head_read(struct span in, bool request, struct head *out, struct err *e)
{
	struct reader r = {.h = out, .in = in, .e = e};
	struct span line;
	size_t at = 0;
	int rc;

	*out = (struct head){.request = request, .len = in.n};
	for (unsigned n = 0; n <= HEAD_HEADERS_MAX + 1; n++) {
		r.at = at;
		rc = next_line(in, &at, &line, e);
		if (rc)
			return rc == E_MORE ? odd(&r, REASON_MALFORMED,
						  "a head cut short")
					    : rc;
		if (line.n == 0 && n > 0)
			return at == in.n ? check(&r)
					  : odd(&r, REASON_MALFORMED,
						"octets behind the head");
		rc = n ? read_header(&r, line)
		     : request ? read_request_line(&r, line)
			       : read_status_line(&r, line);
		if (rc)
			return rc;
	}
	return odd(&r, REASON_TOO_MANY_UNITS, "too many headers");
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
	if (answers == HTTP_HEAD || h->status == 304)
		*framing = FRAMING_NONE;
	else if (!h->chunked && !h->has_length)
		*framing = FRAMING_CLOSE;
	return 0;
}
