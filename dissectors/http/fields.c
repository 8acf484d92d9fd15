/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header fields (RFC 9110 5). Each octet of one has a meaning here or is counted:
 * what no row names is refused, and what a row only counts is text that may hold
 * anything, and be taken for that.
 */
#include "dissectors/http/fields.h"

#include "core/reason.h"
#include "dissectors/http/text.h"

#define LENGTH_DIGITS 18 /* below 10^18, so that sums stay in 64 bits */
#define NAME_MAX      40 /* octets; no row is longer */
#define DATE_SAYS     6	 /* octets: its digits, and two names */

int head_odd(const struct head_reader *r, int why, const char *what)
{
	return err_reason(r->e, E_SYNTAX, why, r->at, "%s", what);
}

/* --- octets ------------------------------------------------------------------ */

/* clang-format off */
static const uint8_t class[256] = {
	['\t'] = 2, [' '] = 2, ['!'] = 3, ['"'] = 2, ['#' ... '\''] = 3,
	['(' ... ')'] = 2, ['*' ... '+'] = 3, [','] = 2, ['-' ... '.'] = 3,
	['/'] = 2, ['0' ... '9'] = 3, [':' ... '@'] = 2, ['A' ... 'Z'] = 3,
	['[' ... ']'] = 2, ['^' ... 'z'] = 3, ['{'] = 2, ['|'] = 3, ['}'] = 2,
	['~'] = 3, [0x80 ... 0xff] = 2,
};
/* clang-format on */

bool text_all(struct span s, uint8_t want)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!(class[s.p[i]] & want))
			return false;
	}
	return true;
}

bool text_is(struct span s, const char *text)
{
	/* Most differ in the first octet. */
	if (s.n == 0 || text_lower(s.p[0]) != (uint8_t)text[0] ||
	    s.n != strlen(text))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (text_lower(s.p[i]) != (uint8_t)text[i])
			return false;
	}
	return true;
}

/* --- values with a meaning ---------------------------------------------------- */

static int read_host(struct head_reader *r, struct span v)
{
	r->h->host = v;
	return 0;
}

static int read_length(struct head_reader *r, struct span v)
{
	uint64_t n = 0;

	if (v.n == 0 || v.n > LENGTH_DIGITS)
		return head_odd(r, REASON_TWO_READINGS,
			   "Content-Length is no number");
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return head_odd(r, REASON_TWO_READINGS,
				   "Content-Length is no number");
		n = n * 10 + v.p[i] - '0';
	}
	r->h->has_length = true;
	r->h->length = n;
	return 0;
}

static int read_transfer(struct head_reader *r, struct span v)
{
	if (!text_is(v, "chunked"))
		return head_odd(r, REASON_TWO_READINGS,
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
		if (text_is(span_sub(charset, 0, strlen(families[i])),
			    families[i]))
			return true;
	}
	return false;
}

static int read_type(struct head_reader *r, struct span v)
{
	struct span type = text_before(v, ';');
	struct span more = span_from(v, type.n + 1); /* its parameters */
	bool seen = false;

	r->h->content_type = text_trim(type);
	for (size_t i = 0; i < r->h->content_type.n; i++) {
		uint8_t ch = r->h->content_type.p[i];

		if (ch != '/' && !(class[ch] & TOKEN))
			return head_odd(r, REASON_TWO_READINGS,
					"Content-Type is no type, or a list");
	}
	r->h->event_stream = text_is(r->h->content_type, "text/event-stream");
	for (;;) {
		struct span part = text_before(more, ';'), name, value;

		more = span_from(more, part.n + 1);
		name = text_trim(text_before(part, '='));
		value = text_trim(span_from(part, text_before(part, '=').n + 1));
		if (value.n > 1 && (value.p[0] == '"' || value.p[0] == '\'') &&
		    value.p[value.n - 1] == value.p[0])
			value = span_sub(value, 1, value.n - 2);
		if (text_is(name, "charset")) {
			if (seen || hides(value))
				return head_odd(r, REASON_XML_ENCODING,
					   "a charset that is not read");
			seen = true;
			r->h->charset = !text_is(value, "utf-8") &&
					!text_is(value, "utf8") &&
					!text_is(value, "us-ascii");
		}
		if (more.n == 0)
			return 0;
	}
}

static int read_coding(struct head_reader *r, struct span v)
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
		if (text_is(v, rows[i].name)) {
			r->h->coding = (uint8_t)rows[i].coding;
			return 0;
		}
	}
	return head_odd(r, REASON_ENCODING, "a content coding that is not read");
}

/* Other tokens name headers to be taken away on the way, so that the next
 * receiver sees another head. TE has to be named where it stands (RFC 9110
 * 10.1.4); without it the token says nothing that is so. */
static int read_connection(struct head_reader *r, struct span v)
{
	while (v.n) {
		struct span item = text_before(v, ',');

		v = span_from(v, item.n + 1);
		item = text_trim(item);
		if (text_is(item, "close"))
			r->h->close = true;
		else if (text_is(item, "keep-alive"))
			r->h->keep_alive = true;
		else if (text_is(item, "upgrade"))
			r->upgrade = true;
		else if (text_is(item, "te"))
			r->names_te = true;
		else if (text_is(item, "http2-settings"))
			return head_odd(r, REASON_HTTP2, "Connection: HTTP2-Settings");
		else
			return head_odd(r, REASON_TWO_READINGS,
				   "Connection names another header");
	}
	return 0;
}

static int read_expect(struct head_reader *r, struct span v)
{
	if (!text_is(v, "100-continue"))
		return head_odd(r, REASON_TWO_READINGS,
			   "Expect other than 100-continue");
	r->h->expect = true;
	return 0;
}

static int read_te(struct head_reader *r, struct span v)
{
	(void)v; /* trailers and codings that come all the same are refused */
	r->te = true;
	return 0;
}

/* libmicrohttpd 0.9.75 reads a cookie `a="` as one of -1 octets; to others
 * the quoted string goes on behind the next ';'. */
static int read_cookie(struct head_reader *r, struct span v)
{
	unsigned quotes = 0;

	for (size_t i = 0; i < v.n; i++)
		quotes += v.p[i] == '"';
	return quotes % 2 ? head_odd(r, REASON_TWO_READINGS,
				"a quote in Cookie that does not end")
			  : 0;
}

static int read_upgrade(struct head_reader *r, struct span v)
{
	struct span first = text_trim(text_before(v, ','));

	if (text_is(first, "websocket"))
		return head_odd(r, REASON_WEBSOCKET, "Upgrade: websocket");
	if (text_is(first, "h2c") || text_is(first, "h2"))
		return head_odd(r, REASON_HTTP2, "Upgrade: h2c");
	return head_odd(r, REASON_UPGRADE, "Upgrade");
}

static int refuse_range(struct head_reader *r, struct span v)
{
	(void)v;
	return head_odd(r, REASON_PARTIAL, "a range of a document");
}

static int refuse_trailer(struct head_reader *r, struct span v)
{
	(void)v;
	return head_odd(r, REASON_TWO_READINGS, "headers behind the body");
}

static int count(struct head_reader *r, struct span v)
{
	(void)r;
	(void)v;
	return 0;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" in its form (RFC 9110 5.6.7): other dates are
 * text. */
static bool is_date(struct span v)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	static const char form[] = "..., dd ... dddd dd:dd:dd GMT";
	const char *day, *month;

	if (v.n != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < v.n; i++) {
		if (form[i] == 'd' ? v.p[i] < '0' || v.p[i] > '9' :
				     form[i] != '.' &&
					     v.p[i] != (uint8_t)form[i])
			return false;
	}
	day = memmem(days, sizeof(days) - 1, v.p, 3);
	month = memmem(months, sizeof(months) - 1, v.p + 8, 3);
	return day && (day - days) % 3 == 0 && month &&
	       (month - months) % 3 == 0;
}

static int count_date(struct head_reader *r, struct span v)
{
	if (is_date(v))
		r->h->said -= (uint32_t)v.n - DATE_SAYS;
	return 0;
}

/* --- fields --------------------------------------------------------------------- */

#define REQUESTS  1
#define RESPONSES 2
#define BOTH	  3
#define ONCE	  false
#define LIST	  true

static const struct {
	const char *name;
	uint8_t in;
	bool list;
	int (*read)(struct head_reader *r, struct span value);
} rows[] = {
#define X(name, in, times, reading) {name, in, times, reading},
#include "dissectors/http/fields.def"
#undef X
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))
_Static_assert(N_ROWS <= 128, "head_reader.seen is a bitmap of 128");

/* Fields in no row whose names begin so, with a reason of their own. */
static const struct {
	const char *name;
	enum reason why;
	const char *what;
} refused[] = {
	{"http2-settings",       REASON_HTTP2,	   "HTTP2-Settings"	   },
	{"sec-websocket-",       REASON_WEBSOCKET, "a header of WebSocket"},
#define OTHER REASON_OVERRIDE, "another method, host or path in a header"
	{"x-http-",		    OTHER				  },
	{"x-method",		 OTHER				  },
	{"x-original-",	  OTHER				  },
	{"x-rewrite-",	       OTHER				     },
	{"x-override-",	  OTHER				  },
	{"x-forwarded-",	 OTHER				  },
	{"forwarded",	      OTHER				    },
	{"x-envoy-",	       OTHER				     },
	{"x-ms-original-",       OTHER				  },
	{"x-waws-",	      OTHER				    },
	{"x-request-uri",	  OTHER				  },
	{"request-uri",	  OTHER				  },
	{"x-real-ur",	      OTHER				    },
	{"x-script-name",	  OTHER				  },
	{"x-proxy-",	       OTHER				     },
	{"x-base-ur",	      OTHER				    },
	{"x-host",		   OTHER				   },
	{"x-path",		   OTHER				   },
	{"x-ur",		 OTHER				 },
	{"x-accel-",	       OTHER				     },
	{"x-sendfile",	       OTHER				     },
	{"x-reproxy-",	       OTHER				     },
#undef OTHER
};

/* Names sorted: the row of one, or N_ROWS. */
static size_t find(struct span name)
{
	size_t lo = 0, hi = N_ROWS;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2, i = 0;
		const char *s = rows[mid].name;

		while (i < name.n && s[i] &&
		       name.p[i] == text_lower((uint8_t)s[i]))
			i++;
		if (i == name.n && s[i] == 0)
			return mid;
		if (s[i] == 0 || (i < name.n && text_lower((uint8_t)s[i]) <
							name.p[i]))
			lo = mid + 1;
		else
			hi = mid;
	}
	return N_ROWS;
}

static int unknown(const struct head_reader *r, struct span name)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct span begin = span_str(refused[i].name);

		if (span_eq(span_sub(name, 0, begin.n), begin))
			return head_odd(r, (int)refused[i].why,
					refused[i].what);
	}
	return head_odd(r, REASON_UNKNOWN_HEADER,
			"a header that nothing here reads");
}

/* As in the table, in small letters, or with a capital behind each dash: what
 * senders write without meaning anything by it. */
static bool is_usual(struct span name, const char *text)
{
	bool small = true, title = true, begins = true;

	if (span_is(name, text))
		return true;
	for (size_t i = 0; i < name.n; i++) {
		bool capital = name.p[i] >= 'A' && name.p[i] <= 'Z';
		bool letter = capital ||
			      (name.p[i] >= 'a' && name.p[i] <= 'z');

		small = small && !capital;
		title = title && (!letter || capital == begins);
		begins = name.p[i] == '-';
	}
	return small || title;
}

/* In small letters; underscores count as the dashes that gateways to CGI make
 * of them. */
static struct span fold(struct span name, uint8_t buf[NAME_MAX], bool *under)
{
	struct span s = span_sub(name, 0, NAME_MAX);

	*under = false;
	for (size_t i = 0; i < s.n; i++) {
		*under |= s.p[i] == '_';
		buf[i] = s.p[i] == '_' ? '-' : text_lower(s.p[i]);
	}
	return span_of(buf, s.n);
}

/* What a line says: which field it is and where it stands among others is an
 * octet's worth, the value has its own, and so has a name in unusual letters or
 * white space beyond one blank. */
static uint32_t says(struct span line, struct span name, struct span value,
		     const char *usual)
{
	size_t white = line.n - name.n - 1 - value.n;

	return (uint32_t)(1 + value.n + (white > 1 ? white : 0) +
			  (is_usual(name, usual) ? 0 : name.n));
}

int head_field(struct head_reader *r, struct span line)
{
	uint8_t in = r->h->request ? REQUESTS : RESPONSES, buf[NAME_MAX];
	struct span name = text_before(line, ':'), value, folded;
	bool under;
	size_t i;

	if (name.n == line.n || name.n == 0 || !text_all(name, TOKEN))
		return head_odd(r, name.n && text_white(name.p[name.n - 1])
					   ? REASON_TWO_READINGS
					   : REASON_MALFORMED,
				"no header, or a space before its colon");
	value = text_trim(span_from(line, name.n + 1));
	if (!text_all(value, FIELD))
		return head_odd(r, REASON_MALFORMED,
				"a control octet in a header");
	folded = fold(name, buf, &under);
	i = name.n <= NAME_MAX ? find(folded) : N_ROWS;
	if (i == N_ROWS || !(rows[i].in & in))
		return unknown(r, folded);
	if (under)
		return head_odd(r, REASON_TWO_READINGS,
				"'_' for '-' in the name of a header");
	/* The one blank behind a colon is before the value, not behind it. */
	if (text_white(line.p[line.n - 1]) &&
	    (value.n || line.n != name.n + 2 || line.p[line.n - 1] != ' '))
		return head_odd(r, REASON_TWO_READINGS,
				"white space behind a value, which not all "
				"take away");
	if (!rows[i].list && (r->seen[i / 64] >> (i % 64) & 1))
		return head_odd(r, REASON_TWO_READINGS,
				"a header that may stand once, twice");
	r->seen[i / 64] |= UINT64_C(1) << (i % 64);
	r->h->said += says(line, name, value, rows[i].name);
	return rows[i].read(r, value);
}

/* --- words behind a status --------------------------------------------------------- */

static const struct {
	uint16_t status;
	const char *words;
} phrases[] = {
	{100, "Continue"},
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{203, "Non-Authoritative Information"},
	{204, "No Content"},
	{205, "Reset Content"},
	{300, "Multiple Choices"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{402, "Payment Required"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Range Not Satisfiable"},
	{417, "Expectation Failed"},
	{421, "Misdirected Request"},
	{422, "Unprocessable Content"},
	{426, "Upgrade Required"},
	{428, "Precondition Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
};

uint32_t head_phrase(uint16_t status, struct span words)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		if (phrases[i].status == status &&
		    span_is(words, phrases[i].words))
			return 0;
	}
	return (uint32_t)words.n;
}
