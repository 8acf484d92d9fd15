/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/obix/scan.h"

#include "dissectors/obix/names.h"
#include "dissectors/obix/value.h"

struct scan scan_of(const struct obix_scan *s, struct span in, struct err *e)
{
	return (struct scan){.in = in,
			     .sum = {.stage = s->stage,
				     .depth = s->depth,
				     .stylesheet = s->seen},
			     .e = e};
}

static enum scan_token bad(struct scan *s, enum reason why, const char *what)
{
	err_reason(s->e, E_SYNTAX, (int)why, s->at, "%s", what);
	return SCAN_BAD;
}

static bool starts(const struct scan *s, const char *text)
{
	size_t n = strlen(text);

	return span_eq(span_sub(s->in, s->at, n), span_of(text, n));
}

/* The octets left could still become text. */
static bool may_start(const struct scan *s, const char *text)
{
	size_t n = s->in.n - s->at;

	return n < strlen(text) &&
	       span_eq(span_from(s->in, s->at), span_of(text, n));
}

/* Position of text at or behind from, or in.n. */
static size_t find(struct span in, size_t from, const char *text)
{
	struct span rest = span_from(in, from);
	const uint8_t *hit =
		rest.n ? memmem(rest.p, rest.n, text, strlen(text)) : NULL;

	return hit ? from + (size_t)(hit - rest.p) : in.n;
}

struct span scan_local(struct span name)
{
	const uint8_t *colon = name.n ? memchr(name.p, ':', name.n) : NULL;

	return colon ? span_from(name, (size_t)(colon - name.p) + 1) : name;
}

/* --- tokens ----------------------------------------------------------------
 */

static enum scan_token text(struct scan *s)
{
	size_t i = s->at;
	struct span run;

	while (i < s->in.n && is_white(s->in.p[i]))
		i++;
	run = span_sub(s->in, s->at, i - s->at);
	if (i < s->in.n && s->in.p[i] != '<') {
		size_t from = i;
		const uint8_t *lt = memchr(s->in.p + i, '<', s->in.n - i);

		i = lt ? (size_t)(lt - s->in.p) : s->in.n;
		if (memchr(s->in.p + from, 0, i - from))
			return bad(s, REASON_XML_ENCODING, "NUL");
		if (s->sum.stage != SCAN_INSIDE)
			return bad(s, REASON_MALFORMED,
				   "text outside the root element");
		/* The white space among it, too. */
		s->sum.text += (uint32_t)(i - from);
	}
	/* Behind the root any white space is whole; elsewhere text ends where
	 * the next tag begins. */
	if (i == s->in.n && s->sum.stage != SCAN_BEHIND)
		return SCAN_MORE;
	if (s->sum.stage == SCAN_BEHIND && i == s->in.n)
		white_behind(s, run, s->at == 0);
	else
		s->gap = run;
	s->at = i;
	return SCAN_TEXT;
}

#define MARKS 4	 /* octets of "<!--" */
#define SHEET 36 /* of "<?xml-stylesheet type='text/xsl' href=''" */
#define YEARS 2 /* of whoever wrote it, in comments */

/* Nobody reads them; whoever wants to can. */
static void numbers(struct scan *s, size_t end, uint32_t *years)
{
	struct span in = span_sub(s->in, s->at, end - s->at), one;
	size_t at = 0, words = 0, marks = years ? MARKS : SHEET;

	for (size_t i = 0; i < in.n; i++)
		words += !is_white(in.p[i]);
	s->sum.words += (uint32_t)(words > marks ? words - marks : 0);
	s->sum.white += white_runs(in);
	while ((one = value_number_in(in, &at)).n) {
		bool year = one.n == 4 && (span_is(span_sub(one, 0, 2), "19") ||
					   span_is(span_sub(one, 0, 2), "20"));

		if (year && years && *years < YEARS)
			++*years;
		else
			s->sum.numbers++;
	}
}

static enum scan_token comment(struct scan *s)
{
	size_t end = find(s->in, s->at + 4, "--");

	if (s->in.n - end < 3)
		return SCAN_MORE;
	if (s->in.p[end + 2] != '>')
		return bad(s, REASON_MALFORMED, "-- within a comment");
	if (memchr(s->in.p + s->at, 0, end - s->at))
		return bad(s, REASON_XML_ENCODING, "NUL");
	numbers(s, end, &s->sum.years);
	white_between(s, s->sum.depth, false);
	s->opened = false;
	s->at = end + 3;
	s->sum.comments++;
	return SCAN_COMMENT;
}

/* The declaration, in front of everything; the stylesheet, once. */
static enum scan_token instruction(struct scan *s)
{
	bool declaration = starts(s, "<?xml ") || starts(s, "<?xml\t") ||
			   starts(s, "<?xml\n") || starts(s, "<?xml\r");
	bool sheet = starts(s, "<?xml-stylesheet");
	size_t end = find(s->in, s->at + 2, "?>");

	if (!declaration && !sheet &&
	    (may_start(s, "<?xml-stylesheet") || may_start(s, "<?xml ")))
		return SCAN_MORE;
	if (!(declaration && s->sum.stage == SCAN_START) &&
	    !(sheet && s->sum.stage <= SCAN_PROLOG && !s->sum.stylesheet))
		return bad(s, REASON_XML_INSTRUCTION,
			   "a processing instruction");
	/* The first octet of its end may be there, and the second not yet. */
	if ((end < s->in.n ? end : s->in.n - 1) - s->at > XML_INSTRUCTION)
		return bad(s, REASON_XML_INSTRUCTION,
			   "a longer instruction than any stylesheet needs");
	if (end == s->in.n)
		return SCAN_MORE;
	if (memchr(s->in.p + s->at, 0, end - s->at))
		return bad(s, REASON_XML_ENCODING, "NUL");
	if (sheet)
		numbers(s, end, NULL);
	else
		s->sum.white += white_runs(span_sub(s->in, s->at, end - s->at));
	white_between(s, 0, false);
	s->sum.stylesheet |= sheet;
	s->at = end + 2;
	return SCAN_OTHER;
}

/* What begins with "<!". */
static enum scan_token marked(struct scan *s)
{
	static const struct {
		const char *text;
		enum reason why;
	} traps[] = {
		{"<!DOCTYPE", REASON_XML_DTD  },
                {"<!ENTITY",  REASON_XML_DTD  },
		{"<!ATTLIST", REASON_XML_DTD  },
                {"<!ELEMENT", REASON_XML_DTD  },
		{"<![CDATA[", REASON_XML_CDATA},
	};

	if (starts(s, "<!--"))
		return comment(s);
	for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
		if (starts(s, traps[i].text))
			return bad(s, traps[i].why, traps[i].text);
	}
	if (may_start(s, "<!--"))
		return SCAN_MORE;
	for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
		if (may_start(s, traps[i].text))
			return SCAN_MORE;
	}
	return bad(s, REASON_MALFORMED, "unknown markup");
}

/* What can stand in a tag outside quotes and needs a look. */
enum {
	PLAIN,
	SLASH,
	QUOTE,
	END,
	TRAP,
	WHITE
};
static const uint8_t in_tag[256] = {
	[0] = TRAP,    ['<'] = TRAP,   ['>'] = END,    ['"'] = QUOTE,
	['\''] = QUOTE, ['/'] = SLASH,  [' '] = WHITE,  ['\t'] = WHITE,
	['\n'] = WHITE, ['\r'] = WHITE,
};

/* Behind the white space that begins at i. */
static size_t run_end(const struct scan *s, size_t i, uint32_t *white)
{
	struct span in = s->in;
	size_t from = i;

	/* As nearly all are. */
	if (in.n - i > 1 && in.p[i] == ' ' && in_tag[in.p[i + 1]] <= SLASH &&
	    in.p[i + 1] != '=')
		return i + 1;
	while (i < in.n && is_white(in.p[i]))
		i++;
	if (i < in.n)
		*white += white_within(span_sub(in, from, i - from), in.p[i]);
	return i;
}

/* The closing quote of the value that begins at i, or in.n. */
static size_t quote_end(struct scan *s, size_t i, uint32_t *white)
{
	struct span in = s->in, rest = span_from(in, i + 1);
	uint8_t quote = in.p[i];
	size_t n = white_plain(rest, quote);

	if (n < rest.n && rest.p[n] != quote) {
		const uint8_t *q = memchr(rest.p + n, quote, rest.n - n);

		n = q ? (size_t)(q - rest.p) : rest.n;
		*white += q ? white_value(span_sub(rest, 0, n)) : 0;
	}
	if (n == rest.n)
		return in.n;
	if (s->layout.quote == 0)
		s->layout.quote = quote;
	*white += s->layout.quote != quote;
	return i + 1 + n;
}

/* The '>' that ends the tag of which in front of i nothing needs a look, or
 * in.n, or SIZE_MAX when there cannot be one. A NUL within quotes hides no end,
 * and expat refuses it. */
static size_t tag_end(struct scan *s, size_t i, uint32_t *white)
{
	struct span in = s->in;

	for (;;) {
		while (i < in.n && in_tag[in.p[i]] <= SLASH)
			i++;
		if (i == in.n)
			return i;
		switch (in_tag[in.p[i]]) {
		case WHITE:
			i = run_end(s, i, white);
			break;
		case QUOTE:
			i = quote_end(s, i, white);
			i += i < in.n;
			break;
		default:
			return in.p[i] == '>' ? i : SIZE_MAX;
		}
	}
}

/* Nothing that can stand in a name needs a look. */
static struct span name_of(const struct scan *s, size_t from)
{
	size_t i = from;

	while (i < s->in.n && in_tag[s->in.p[i]] == PLAIN)
		i++;
	return span_sub(s->in, from, i - from);
}

static bool is_name_start(uint8_t ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
	       ch == '_' || ch == ':' || ch >= 0x80;
}

static enum scan_token tag(struct scan *s)
{
	bool close = s->in.p[s->at + 1] == '/';
	uint32_t white = 0;
	size_t from = s->at + (close ? 2 : 1), end;
	struct span name = name_of(s, from);
	bool empty;

	end = tag_end(s, from + name.n, &white);
	if (end == SIZE_MAX)
		return bad(s, REASON_MALFORMED, "'<' or NUL within a tag");
	if (end == s->in.n)
		return SCAN_MORE;
	if (s->sum.stage == SCAN_BEHIND)
		return bad(s, REASON_MALFORMED, "a second root element");
	empty = !close && s->in.p[end - 1] == '/';
	s->name = name;
	if (s->name.n == 0 || !is_name_start(s->name.p[0]))
		return bad(s, REASON_MALFORMED, "a tag without a name");
	s->at = end + 1;
	s->sum.white += white;
	if (close && s->sum.depth == 0)
		return bad(s, REASON_MALFORMED, "an end without start");
	white_between(s, s->sum.depth - (unsigned)close, close);
	s->opened = !close && !empty;
	if (empty)
		white_slash(s, is_white(s->in.p[end - 2]));
	if (close) {
		s->sum.ends++;
		if (--s->sum.depth == 0)
			s->sum.stage = SCAN_BEHIND;
		return SCAN_CLOSE;
	}
	s->sum.tags++;
	s->sum.names = scan_hash(s->sum.names, s->name);
	s->sum.stage = SCAN_INSIDE;
	if (s->sum.depth == XML_DEPTH)
		return bad(s, REASON_TOO_MANY_UNITS,
			   "elements nested too deep");
	if (!empty) {
		s->sum.depth++;
		return SCAN_OPEN;
	}
	s->sum.ends++;
	if (s->sum.depth == 0)
		s->sum.stage = SCAN_BEHIND;
	return SCAN_EMPTY;
}

enum scan_token scan_next(struct scan *s)
{
	enum scan_token t;

	if (s->at == s->in.n)
		return SCAN_MORE;
	if (s->sum.stage == SCAN_START && may_start(s, "\xef\xbb\xbf"))
		return SCAN_MORE;
	if (s->sum.stage == SCAN_START && s->at == 0 && starts(s, "\xef\xbb\xbf")) {
		s->at = 3;
		return SCAN_OTHER;
	}
	if (s->in.p[s->at] != '<')
		t = text(s);
	else if (s->at + 1 == s->in.n)
		return SCAN_MORE;
	else if (s->in.p[s->at + 1] == '?')
		t = instruction(s);
	else if (s->in.p[s->at + 1] == '!')
		t = marked(s);
	else
		t = tag(s);
	if (s->sum.stage == SCAN_START && t < SCAN_MORE)
		s->sum.stage = SCAN_PROLOG;
	return t;
}

/* --- the cut rule -----------------------------------------------------------
 */

static bool is_container(const struct scan *s)
{
	struct span local = scan_local(s->name);

	return s->sum.depth == 1 || span_is(local, "list") ||
	       span_is(local, "feed");
}

static enum frame too_long(struct err *e)
{
	err_reason(e, E_LIMIT, REASON_TOO_LONG, 0,
		   "a tag, comment or text longer than a unit");
	return FRAME_BAD;
}

static void keep(struct scan_kept *k, const struct obix_scan *s,
		 struct span unit, const struct scan_sum *sum)
{
	k->stage = s->stage;
	k->depth = s->depth;
	k->seen = s->seen;
	k->n = unit.n;
	k->sum = *sum;
	memcpy(k->unit, unit.p, unit.n);
}

bool scan_is_kept(const struct scan_kept *k, const struct obix_scan *s,
		  struct span unit)
{
	return k->n && k->n == unit.n && k->stage == s->stage &&
	       k->depth == s->depth && k->seen == s->seen &&
	       memcmp(k->unit, unit.p, unit.n) == 0;
}

/* Cut within the first window octets; or, to_root, at the end of the root. */
static enum frame cut(struct scan_kept *k, const struct obix_scan *at,
		      struct span in, bool whole, bool to_root, size_t *len,
		      struct err *e)
{
	struct scan s = scan_of(at, in, e);
	struct scan_sum sum = s.sum; /* as far as last */
	size_t last = 0;
	unsigned held = 0; /* depth of an element that is not cut */
	enum scan_token t;

	while ((t = scan_next(&s)) < SCAN_MORE) {
		if (to_root && s.sum.stage == SCAN_BEHIND &&
		    at->stage != SCAN_BEHIND) {
			*len = s.at;
			return FRAME_UNIT;
		}
		if (held && s.sum.depth >= held)
			continue;
		held = 0;
		/* What is no container is cut only where nothing is in front. */
		if (t == SCAN_OPEN && last > 0 && !is_container(&s)) {
			held = s.sum.depth;
			continue;
		}
		/* Nothing is cut in front of the root: a unit says something.
		 * Text ends with the tag behind it. */
		if (s.sum.stage == SCAN_BEHIND ||
		    (s.sum.stage == SCAN_INSIDE && t != SCAN_TEXT)) {
			last = s.at;
			sum = s.sum;
		}
	}
	if (t == SCAN_BAD)
		return FRAME_BAD;
	if (!whole)
		return FRAME_MORE;
	*len = last;
	/* Behind the root, what counts depends on what follows. */
	if (last && sum.stage == SCAN_INSIDE)
		keep(k, at, span_sub(in, 0, last), &sum);
	return last ? FRAME_UNIT : too_long(e);
}

enum frame obix_frame(struct obix_machine *m, const struct obix_scan *s,
		      const struct obix_body *b, size_t *len, struct err *e)
{
	bool decided = b->full || b->in.n > b->window;
	struct span in = span_sub(b->in, 0, b->window);

	*len = 0;
	if (b->rest <= b->window) {
		if (b->in.n < b->rest || b->rest == 0)
			return FRAME_MORE;
		*len = (size_t)b->rest;
		return FRAME_UNIT;
	}
	if (!decided && b->rest != OBIX_REST_CLOSE)
		return FRAME_MORE;
	if (s->stage == SCAN_BEHIND && b->rest == OBIX_REST_CLOSE)
		decided = true; /* white space is whole as it comes */
	return cut(obix_kept(m), s, in, decided, b->rest == OBIX_REST_CLOSE, len, e);
}

void obix_skip(struct obix_scan *s, struct span unit)
{
	struct err e;
	struct scan at = scan_of(s, unit, &e);

	while (scan_next(&at) < SCAN_MORE)
		;
	s->stage = at.sum.stage;
	s->depth = at.sum.depth;
	s->seen = at.sum.stylesheet;
}
