/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is a body oBIX? By its octets; its media type is what the sender says, and
 * servers do not look at it (obix.md 8). What a reader of oBIX could take for
 * a document and we could not read is refused, not called a page.
 */
#include "dissectors/obix/names.h"
#include "dissectors/obix/scan.h"

static enum obix_is bad(struct err *e, enum reason why, const char *what)
{
	err_reason(e, E_UNSUPPORTED, (int)why, 0, "%s", what);
	return OBIX_BAD;
}

static bool begins(struct span s, const char *text, size_t n)
{
	return span_eq(span_sub(s, 0, n), span_of(text, n));
}

/* Encodings of XML in units of 2 or 4 octets, marked or not, and EBCDIC. */
static bool is_wide(struct span in)
{
	static const struct {
		uint8_t n;
		const char *octets;
	} rows[] = {
		{4, "\xff\xfe<\0"        },
		{4, "\xfe\xff\0<"        },
		{8, "\xff\xfe\0\0<\0\0\0"},
		{8, "\0\0\xfe\xff\0\0\0<"},
		{4, "<\0\0\0"            },
		{4, "\0\0\0<"            },
		{2, "<\0"                },
		{2, "\0<"                },
		{4, "\x4c\x6f\xa7\x94"   },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (begins(in, rows[i].octets, rows[i].n))
			return true;
	}
	/* Marked, and white space in front. */
	if (begins(in, "\xff\xfe", 2) && in.n >= 4)
		return in.p[3] == 0 && memchr(" \t\r\n", in.p[2], 4);
	if (begins(in, "\xfe\xff", 2) && in.n >= 4)
		return in.p[2] == 0 && memchr(" \t\r\n", in.p[3], 4);
	return false;
}

/* A type of other things, whose first octets may be any: such a body is what
 * nothing reads, and granted as that or not at all. Without one, or with what is
 * no type, it may be XML. */
static bool is_other(struct span type)
{
	static const char *const ours[] = {"xml", "exi", "obix"};
	const uint8_t *slash = type.n ? memchr(type.p, '/', type.n) : NULL;

	if (!slash || slash == type.p || slash + 1 == type.p + type.n)
		return false;
	for (unsigned i = 0; i < 3; i++) {
		if (memmem(type.p, type.n, ours[i], strlen(ours[i])))
			return false;
	}
	return true;
}

static bool is_type(struct span name)
{
	struct span local = scan_local(name);

	return obix_element(local) != EL_UNKNOWN;
}

/* --- pages --- */

enum { PAGE_TEXTS, PAGE_KEY, PAGE_COLON };

/* What stands between two '"': a key, a colon, a type? Any two are looked at,
 * so that it does not matter which of them begins a text. True: it is one. */
static bool page_quote(struct obix_page *p)
{
	struct span text = span_of(p->text, p->n < PAGE_TEXT ? p->n : 0);
	bool key = span_is(text, "obix") || (!p->xml && span_is(text, "tag"));
	bool found = p->stage == PAGE_COLON && text.n && is_type(text);

	if (p->stage == PAGE_KEY && p->blank && p->n)
		p->stage = PAGE_COLON;
	else
		p->stage = key ? PAGE_KEY : PAGE_TEXTS;
	p->n = 0;
	p->blank = true;
	return found;
}

static void page_put(struct obix_page *p, uint8_t ch)
{
	p->blank &= is_white(ch) || ch == ':';
	if (p->n < PAGE_TEXT)
		p->text[p->n++] = ch;
}

/* "\u006f" is an o. */
static bool page_escape(struct obix_page *p, uint8_t ch)
{
	static const char mark[] = "\\u00";
	uint8_t low = ch | 0x20;
	bool hex = (ch >= '0' && ch <= '9') || (low >= 'a' && low <= 'f');

	if (p->escape < 4 ? ch != (uint8_t)mark[p->escape] : !hex) {
		p->escape = 0;
		return ch == '\\' && page_escape(p, ch);
	}
	if (p->escape >= 4)
		p->code = (uint8_t)(p->code << 4 |
				    (ch <= '9' ? ch - '0' : low - 'a' + 10));
	if (++p->escape == 6) {
		p->escape = 0;
		page_put(p, p->code);
	}
	return true;
}

int obix_page(struct obix_page *p, struct span in, struct err *e)
{
	for (size_t i = 0; i < in.n; i++) {
		uint8_t ch = in.p[i];

		/* Too long for what is looked for. */
		if (p->n == PAGE_TEXT && !p->blank) {
			const uint8_t *q = memchr(in.p + i, '"', in.n - i);

			if (!q)
				return 0;
			i = (size_t)(q - in.p);
			ch = '"';
			p->escape = 0;
		}
		/* Of UTF-16, every other octet. */
		if (ch == 0)
			continue;
		if (!p->begun && !is_white(ch)) {
			p->begun = true;
			p->xml = ch == '<';
		}
		if (ch == '"') {
			if (page_quote(p))
				return err_reason(e, E_UNSUPPORTED,
						  REASON_NOT_XML, i,
						  "oBIX in JSON");
		} else if (!page_escape(p, ch)) {
			page_put(p, ch);
		}
	}
	return 0;
}

/* Behind the first value of JSON, or 0 where it does not end. One of many in a
 * stream then need not wait for the next, and what follows changes nothing. */
static size_t value_end(struct span in)
{
	unsigned depth = 0;
	bool text = false;

	for (size_t i = 0; i < in.n; i++) {
		uint8_t ch = in.p[i];

		if (text && ch == '\\')
			i++;
		else if (ch == '"')
			text = !text;
		else if (!text && (ch == '{' || ch == '['))
			depth++;
		else if (!text && (ch == '}' || ch == ']') &&
			 (depth == 0 || --depth == 0))
			return i + 1;
	}
	return 0;
}

/* {"tag":"obj" or {"obix":"obj", as two JSON encodings of oBIX have it; members
 * have no order, so all that can be looked at is, and the rest as a page. */
static enum obix_is json(struct span in, bool all, struct err *e)
{
	size_t end = value_end(span_sub(in, 0, OBIX_WINDOW));
	struct obix_page p = {0};

	in = span_sub(in, 0, end ? end : OBIX_WINDOW);
	if (obix_page(&p, in, e))
		return OBIX_BAD;
	return all || end ? OBIX_NO : OBIX_MORE;
}

/* A web page may have a document type, and then no root of ours. */
static size_t skip_doctype(struct span in, size_t at, bool *odd)
{
	for (; at < in.n && in.p[at] != '>'; at++)
		*odd |= in.p[at] == '[';
	return at;
}

/* The position behind the instruction at at, or in.n. */
static size_t skip_instruction(struct span in, size_t at)
{
	struct span rest = span_from(in, at);
	const uint8_t *hit = rest.n ? memmem(rest.p, rest.n, "?>", 2) : NULL;

	return hit ? at + (size_t)(hit - rest.p) + 2 : in.n;
}

/* trap: what stood in front of it that no document of ours may have. */
static enum obix_is by_root(struct span name, bool html, enum reason trap,
			    struct err *e)
{
	/* Readers who ask isspace() end a name at a vertical tab. */
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] < ' ' || name.p[i] == 0x7f)
			return bad(e, REASON_MALFORMED,
				   "a control octet in the name of the root");
	}
	if (is_type(name))
		return trap ? bad(e, trap, "a page with a root of oBIX")
			    : OBIX_YES;
	if (!html && span_is(scan_local(name), "Envelope"))
		return bad(e, REASON_NOT_XML, "oBIX in a SOAP envelope");
	return OBIX_NO;
}

/* A page: only a root of ours, behind whatever, makes it something else. */
static enum obix_is page(struct span in, bool all, struct err *e)
{
	const struct obix_scan start = {0};
	struct scan s = scan_of(&start, in, e);
	enum reason trap = REASON_NONE;
	bool odd = false;

	for (;;) {
		enum scan_token t = scan_next(&s);

		if (t == SCAN_OPEN || t == SCAN_EMPTY)
			return by_root(s.name, true, trap, e);
		if (t == SCAN_BAD && e->reason == REASON_XML_DTD) {
			s.at = skip_doctype(in, s.at, &odd);
			if (odd)
				return bad(e, REASON_XML_DTD,
					   "a page with a document type "
					   "of its own");
			if (s.at < in.n) {
				s.at++;
				trap = REASON_XML_DTD;
				s.sum.stage = SCAN_PROLOG;
				continue;
			}
			t = SCAN_MORE;
		}
		if (t == SCAN_BAD && e->reason == REASON_XML_INSTRUCTION) {
			s.at = skip_instruction(in, s.at);
			trap = REASON_XML_INSTRUCTION;
			s.sum.stage = SCAN_PROLOG;
			continue;
		}
		if (t == SCAN_BAD || (t == SCAN_MORE && all))
			return OBIX_NO;
		if (t == SCAN_MORE)
			return in.n < OBIX_WINDOW
				       ? OBIX_MORE
				       : bad(e, REASON_TOO_LONG,
					     "a page that does not begin");
	}
}

/* XML: in front of the root only what is read. */
static enum obix_is xml(struct span in, bool all, struct err *e)
{
	const struct obix_scan start = {0};
	struct scan s = scan_of(&start, in, e);

	for (;;) {
		enum scan_token t = scan_next(&s);

		if (t == SCAN_OPEN || t == SCAN_EMPTY)
			return by_root(s.name, false, REASON_NONE, e);
		if (t == SCAN_BAD)
			return OBIX_BAD;
		if (t == SCAN_MORE && (all || in.n >= OBIX_WINDOW))
			return bad(e, all ? REASON_INCOMPLETE : REASON_TOO_LONG,
				   "XML without a root element");
		if (t == SCAN_MORE)
			return OBIX_MORE;
	}
}

enum obix_is obix_recognise(struct span first, bool all,
			    struct span content_type, struct err *e)
{
	/* Pages of their own kind, which may have the document type that is
	 * theirs. */
	bool html = span_is(content_type, "text/html") ||
		    span_is(content_type, "application/xhtml+xml") ||
		    span_is(content_type, "image/svg+xml");
	struct span in =
		begins(first, "\xef\xbb\xbf", 3) ? span_from(first, 3) : first;
	size_t i = 0;

	if (first.n == 0)
		return all ? OBIX_NO : OBIX_MORE;
	if (span_is(content_type, "application/exi") ||
	    span_is(content_type, "application/x-obix-binary"))
		return bad(e, REASON_NOT_XML, "another encoding of oBIX");
	if (first.n < 8 && !all)
		return OBIX_MORE;
	if (is_wide(first))
		return bad(e, REASON_XML_ENCODING, "XML that is not in UTF-8");
	if (begins(in, "\xef\xbb\xbf", 3) && in.n < first.n)
		return bad(e, REASON_XML_ENCODING, "two byte order marks");
	if (begins(first, "$EXI", 4) ||
	    (first.p[0] >> 6 == 2 && !is_other(content_type)))
		return bad(e, REASON_NOT_XML, "oBIX in EXI or binary");
	while (i < in.n && is_white(in.p[i]))
		i++;
	if (i == in.n)
		return all                  ? OBIX_NO
		       : in.n < OBIX_WINDOW ? OBIX_MORE
					    : bad(e, REASON_TOO_LONG,
						  "nothing but white space");
	if (in.p[i] == '{' || in.p[i] == '[')
		return json(span_from(in, i),
			    all || first.n >= OBIX_WINDOW, e);
	if (in.p[i] != '<')
		return OBIX_NO;
	return html ? page(first, all, e) : xml(first, all, e);
}
