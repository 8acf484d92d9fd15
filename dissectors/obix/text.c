/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that nothing reads: what stands for people beside a value, names and
 * references that nobody asked for, attributes and elements that are in no
 * table, comments (obix.md 14: their octets are counted). A document has some of
 * it; what is more than a unit needs for what it tells counts as values of
 * unknown type, one for each VALUE_TEXT octets, as numbers in it do (hidden.c).
 *
 * How it is laid out and spelt is counted with it (white.c). Words that are a
 * value have no room but a little beside a measurement.
 *
 * What was said before says nothing again: a text of this unit, the beginning of
 * a reference as the last one of a kind had it, or the request.
 */
#include "dissectors/obix/state.h"

#define UNIT_TEXT  56 /* octets of a unit */
#define TOLD_TEXT  56 /* more for each value; of records, for each of their names */
#define TOLD_MOST  10 /* such values */
#define ABOUT_TEXT 56 /* octets of words in a unit that measures something */
#define VALUE_TEXT 8  /* octets that count as one value */
#define BARE_TEXT  2  /* that an element tells which says nothing */

#define TEXT_LONG  64  /* octets of a text that is a value; more are no word */
#define COPIES "/obix/def/"
#define UNITS  "obix:units/"
#define ZERO_LONG  8   /* 0.000000 */
#define FRAGMENT_LONG 25 /* "#" and the name of something */
#define NAME_LONG  24  /* of a value of an enumeration */

#define BEGINS(s, text) begins(s, text, sizeof(text) - 1)
static bool begins(struct span s, const char *text, size_t n)
{
	return s.n >= n && memcmp(s.p, text, n) == 0;
}

struct a_word {
	size_t n;
	const char *text;
};
#define A(word) {sizeof(word) - 1, word}

static bool is_one_of(struct span s, const struct a_word *of)
{
	for (; of->n; of++) {
		if (s.n == of->n && memcmp(s.p, of->text, s.n) == 0)
			return true;
	}
	return false;
}

static const struct a_word truth[] = {A("true"), A("false"), A("0"), A("1"),
				      {0, NULL}};
static const struct a_word ends[] = {A("INF"), A("-INF"), A("+INF"), A("NaN"),
				     {0, NULL}};
static const struct a_word states[] = {
	A("ok"),   A("null"),	 A("disabled"),	    A("fault"),
	A("down"), A("unacked"), A("alarm"),	    A("unackedAlarm"),
	A("overridden"),	 {0, NULL}};

/* Contracts of errs, and what those are in words. */
static const struct a_word errs[] = {A("obix:BadUriErr"),
				     A("obix:UnsupportedErr"),
				     A("obix:PermissionErr"), {0, NULL}};
static const struct a_word err_names[] = {A("BadUriError"),
					  A("UnsupportedError"),
					  A("PermissionError")};

static bool within(struct span text, struct span part)
{
	return text.n && part.n && memmem(text.p, text.n, part.p, part.n);
}

static void add(struct reader *r, size_t octets)
{
	r->text.octets += (uint32_t)octets;
}

void text_more(struct reader *r, size_t octets)
{
	add(r, octets);
}

static bool was_said(const struct reader *r, uint64_t h)
{
	for (unsigned i = 0; i < TEXTS && i < r->text.n_said; i++) {
		if (r->text.said[i] == h)
			return true;
	}
	return false;
}

/* Is it new in a unit? */
static bool is_new(struct reader *r, struct span s)
{
	uint64_t h = obix_hash(s);

	if (was_said(r, h))
		return false;
	r->text.said[r->text.n_said++ % TEXTS] = h;
	return true;
}

/* Its octets, once in a unit. */
static void say(struct reader *r, struct span s)
{
	if (s.n && is_new(r, s))
		add(r, s.n);
}

static size_t common(struct span a, struct span b)
{
	size_t n = 0;

	while (n < a.n && n < b.n && a.p[n] == b.p[n])
		n++;
	return n;
}

/* What is new in a reference. own: its last part may be this one's name. */
static size_t beyond(const struct reader *r, struct span ref, struct span own)
{
	struct span last, query = href_query(ref);
	size_t n;

	/* What that tells is counted with its numbers. */
	if (query.n && hidden_filter(query))
		ref = span_sub(ref, 0, (size_t)(query.p - ref.p));
	n = common(ref, r->c->path);
	for (unsigned i = 0; i < TEXT_KINDS; i++) {
		size_t same = common(ref, span_of(r->text.ref[i],
						  r->text.ref_n[i]));

		n = same > n ? same : n;
	}
	last = href_last(ref);
	n = ref.n - n;
	if (own.n && span_eq(last, own))
		n -= n < last.n ? n : last.n;
	return n;
}

/* Segments of a path that its normal form does not have: "", "." and "..", and
 * what the last one takes away. Those in front lead out of the base. */
static unsigned idle_segments(struct span path)
{
	unsigned n = 0, last = 0;
	bool front = true;

	/* The one that it begins with. */
	path = span_from(path, path.n && path.p[0] == '/');
	while (path.n) {
		const uint8_t *slash = memchr(path.p, '/', path.n);
		size_t len = slash ? (size_t)(slash - path.p) : path.n;
		struct span one = span_sub(path, 0, len);
		bool up = span_is(one, "..");

		if (len == 0)
			n++;
		else if (span_is(one, "."))
			n += 2;
		else if (up && !front)
			n += 3 + last;
		front = front && up;
		last = up ? 0 : (unsigned)len + 1;
		path = span_from(path, slash ? len + 1 : len);
	}
	return n;
}

static unsigned escapes(struct span path)
{
	unsigned n = 0;

	for (size_t i = 0; i + 2 < path.n; i++)
		n += path.p[i] == '%' ? 2 : 0;
	return n;
}

/* Octets in front of a path. */
static size_t in_front(struct span s)
{
	const uint8_t *slash = s.n ? memchr(s.p, '/', s.n) : NULL;

	return slash ? (size_t)(slash - s.p) : s.n;
}

void text_spelling(struct reader *r, struct span ref)
{
	const uint8_t *mark = ref.n ? memchr(ref.p, '#', ref.n) : NULL;
	struct span path = mark ? span_sub(ref, 0, (size_t)(mark - ref.p)) : ref;
	const uint8_t *query = path.n ? memchr(path.p, '?', path.n) : NULL;
	struct span server;
	size_t scheme = 0;
	uint64_t h;

	/* "#a" alone is a name of this document, which items have. */
	if (mark && path.n)
		add(r, ref.n - path.n);
	else if (mark && ref.n > FRAGMENT_LONG)
		add(r, ref.n - FRAGMENT_LONG);
	if (query)
		path = span_sub(path, 0, (size_t)(query - path.p));
	if (BEGINS(path, "http://"))
		scheme = 7;
	else if (BEGINS(path, "https://"))
		scheme = 8;
	server = span_sub(path, 0, scheme + in_front(span_from(path, scheme)));
	path = span_from(path, scheme);
	add(r, idle_segments(path) + escapes(path));
	/* Of its ways to say which server, another than the one before. */
	h = scheme ? obix_hash(server) : 0;
	add(r, h != r->text.server);
	r->text.server = h;
}

void text_server(struct reader *r, struct span authority)
{
	add(r, authority.n);
}

static void refer(struct reader *r, unsigned kind, struct span ref,
		  struct span own, bool told)
{
	if (!told)
		add(r, beyond(r, ref, own));
	ref = span_sub(ref, 0, sizeof(r->text.ref[kind]));
	memcpy(r->text.ref[kind], ref.p, ref.n);
	r->text.ref_n[kind] = (uint8_t)ref.n;
}

/* Names of contracts: those of the standard, as it spells them, say what a thing
 * is; others what somebody called it. known: all of them are the standard's. */
static void contracts(struct reader *r, struct span list, bool known)
{
	/* Of several, which and in what order tells something, too. */
	bool fresh = memchr(list.p, ' ', list.n) && is_new(r, list);

	for (size_t at = 0; at < list.n;) {
		size_t from = at;
		struct span one;
		bool other = false, own;

		while (at < list.n && list.p[at] > ' ')
			at++;
		one = span_sub(list, from, at - from);
		/* A server may have its own copies of them (5). */
		if (BEGINS(one, COPIES))
			one = span_from(one, sizeof(COPIES) - 1);
		own = one.n && !is_one_of(one, errs) &&
		      !(BEGINS(one, "obix:") && !memchr(one.p, '/', one.n) &&
			!memchr(one.p, '#', one.n) &&
			(known || obix_contracts(one, &other) || !other));
		if (own && is_new(r, one))
			add(r, one.n);
		else
			add(r, fresh && from > 0);
		for (from = at; at < list.n && list.p[at] <= ' ';)
			at++;
		add(r, at > from + 1 ? at - from - 1 : 0);
	}
}

static bool is_gap(uint8_t ch)
{
	return ch == ' ' || ch == '_' || ch == '-' || ch == '.';
}

/* "Room Temp" of roomTemp */
static bool same_letters(struct span a, struct span b)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < a.n && is_gap(a.p[i]))
			i++;
		while (k < b.n && is_gap(b.p[k]))
			k++;
		if (i == a.n || k == b.n)
			return i == a.n && k == b.n;
		if ((a.p[i++] ^ b.p[k++]) & 0xdf)
			return false;
	}
}

/* "Bad URI Error" of obix:BadUriErr: an err's contract in words, with no more
 * gaps than those have. */
static bool is_err_name(const struct elem *el, const struct xml_tag *t)
{
	struct span is = t->at[AT_IS], s = t->at[AT_DISPLAY_NAME];

	for (size_t i = 0; el->el == EL_ERR && errs[i].n; i++) {
		struct span name = span_of(err_names[i].text, err_names[i].n);

		if (is.n == errs[i].n &&
		    memcmp(is.p, errs[i].text, is.n) == 0)
			return s.n <= name.n + 2 && same_letters(s, name);
	}
	return false;
}

/* How "Room Temp" is written: which letters are great, and where gaps are. */
static size_t lettering(struct span s)
{
	size_t n = s.n / 8;

	for (size_t i = 0; i < s.n; i++)
		n += is_gap(s.p[i]);
	return n;
}

/* Text for people: the value, in words. */
struct span text_displayed(const struct xml_tag *t)
{
	struct span text = t->at[AT_DISPLAY], val = t->at[AT_VAL];

	if (within(val, text))
		return span_sub(text, 0, 0);
	return span_from(text, val.n && common(text, val) == val.n ? val.n : 0);
}

static void display(struct reader *r, const struct xml_tag *t)
{
	struct span text = text_displayed(t);
	struct span path = href_identity(r->c->path);

	/* An err repeats what was asked for. */
	if (path.n > 1 && within(text, path)) {
		add(r, text.n - path.n);
		return;
	}
	say(r, text);
}

/* Does it stand in the path, between slashes or so? */
static bool is_segment(struct span path, struct span s)
{
	const uint8_t *at = memmem(path.p, path.n, s.p, s.n);
	size_t from = (size_t)(at - path.p), to = from + s.n;

	return (from == 0 || path.p[from - 1] == '/') &&
	       (to == path.n || path.p[to] == '/');
}

/* Those of the standard are told apart by their letters alone. */
static size_t op_name(struct span s)
{
	size_t n = s.n / 8;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == '~';
	return n;
}

static void name(struct reader *r, const struct elem *el, struct span s)
{
	bool fresh = is_new(r, s);

	if (within(r->c->path, s)) /* any part of it tells where that is */
		add(r, is_segment(r->c->path, s) ? 0 : s.n < 2 ? s.n : 2);
	else if (el->el == EL_OP && obix_operation(s) != OP_NONE)
		add(r, op_name(s));
	else
		add(r, fresh ? s.n : 0);
}

static bool is_bound(struct span s)
{
	struct decimal d;
	int64_t ms;
	bool open;

	return is_one_of(s, ends) || value_decimal(s, &d) ||
	       value_reltime(s, &ms) || value_abstime(s, &ms, &open) ||
	       value_date(s) || value_time(s);
}

/* One of the standard, as the table spells it, is no text. */
static void unit(struct reader *r, struct span s)
{
	const struct obix_unit *row;
	bool null;

	if (BEGINS(s, UNITS)) {
		struct span own = span_from(s, sizeof(UNITS) - 1);

		row = obix_unit_named(own, &null);
		if (span_is(own, "null") || (row && span_eq(row->name, own)))
			return;
	}
	say(r, s);
}

static void attribute(struct reader *r, const struct elem *el,
		      const struct xml_tag *t, enum obix_attr at, bool fresh)
{
	struct span s = t->at[at], own = t->at[AT_NAME];
	const struct span none = {0};

	switch (at) {
	case AT_NAME:
		if (fresh)
			name(r, el, s);
		break;
	case AT_DISPLAY_NAME:
		if (same_letters(s, own))
			add(r, lettering(s));
		else if (!is_err_name(el, t))
			say(r, s);
		break;
	case AT_DISPLAY:
		display(r, t);
		break;
	case AT_HREF: /* what it names is told */
		refer(r, TEXT_HREF, s, own.n ? own : t->at[AT_DISPLAY_NAME],
		      el->item || r->d->depth == 0);
		break;
	case AT_ICON:
		refer(r, TEXT_ICON, s, none, false);
		break;
	case AT_RANGE:
	case AT_TS:
		refer(r, TEXT_RANGE, s, none, false);
		break;
	case AT_IS:
	case AT_OF:
		contracts(r, s, el->known);
		break;
	case AT_IN:
	case AT_OUT:
		contracts(r, s, false);
		break;
	case AT_NULL:
	case AT_IS_NULL:
	case AT_WRITABLE:
		add(r, is_one_of(s, truth) ? 0 : s.n);
		break;
	case AT_MIN:
	case AT_MAX:
	case AT_PRECISION:
		add(r, is_bound(s) ? 0 : s.n);
		break;
	case AT_STATUS:
		if (!is_one_of(s, states))
			say(r, s);
		break;
	case AT_UNIT:
		unit(r, s);
		break;
	case AT_TZ:
		say(r, s);
		break;
	default: /* its value */
		break;
	}
}

/* A value that is nothing may be written with any exponent, and so may say
 * anything. */
static bool is_long_zero(struct span val)
{
	size_t i = val.n > 0 && val.p[0] == '-';
	bool zero = false;

	if (val.n <= ZERO_LONG)
		return false;
	for (; i < val.n && (val.p[i] == '0' || val.p[i] == '.'); i++)
		zero |= val.p[i] == '0';
	return zero && (i == val.n || val.p[i] == 'e' || val.p[i] == 'E');
}

void text_attribute(struct reader *r, const struct elem *el,
		    const struct xml_tag *t, enum obix_attr at, bool fresh)
{
	uint32_t before = r->text.octets;

	attribute(r, el, t, at, fresh);
	/* Which it is of those that are free. */
	if (r->text.octets == before)
		add(r, 1);
}

static RARE void root(struct reader *r, const struct elem *el,
		      const struct xml_tag *t, bool fresh)
{
	for (unsigned i = 0; i < t->n_set; i++) {
		if (t->at[t->set[i]].n)
			attribute(r, el, t, (enum obix_attr)t->set[i], fresh);
	}
}

void text_read(struct reader *r, struct elem *el, const struct xml_tag *t,
	       bool fresh)
{
	add(r, t->other_text);
	/* What there is to read is told by its name, as a value is. */
	r->text.refs += el->el == EL_REF && t->at[AT_HREF].n &&
			t->at[AT_NAME].n && !doc_item(r->d)->err &&
			!was_said(r, obix_hash(t->at[AT_NAME]));
	if (is_long_zero(t->at[AT_VAL]))
		add(r, t->at[AT_VAL].n);
	if (r->d->depth > 0)
		shape_read(r, el, t, fresh);
	else
		root(r, el, t, fresh);
}

static size_t longer(struct span s, size_t most)
{
	return s.n > most ? s.n - most : 0;
}

static size_t odd(struct reader *r, enum obix_value kind, struct span val)
{
	struct decimal d;

	switch (kind) {
	case VALUE_NONE:
		return val.n;
	case VALUE_BOOL:
		return is_one_of(val, truth) ? 0 : val.n;
	case VALUE_NUMBER:
		return reader_decimal(r, val, &d) || is_bound(val) ? 0 : val.n;
	case VALUE_INSTANT:
	case VALUE_DURATION:
		return is_bound(val) ? 0 : val.n;
	case VALUE_NAME:
		return longer(val, NAME_LONG);
	default:
		return longer(val, TEXT_LONG);
	}
}

bool text_value(struct reader *r, const struct elem *el, struct span val)
{
	size_t n = odd(r, obix_value((enum obix_el)el->el), val);

	add(r, n);
	return n == 0;
}

void text_about(struct reader *r, struct span val)
{
	uint64_t h = obix_hash(val);

	if (val.n == 0 || h == r->text.about_last)
		return;
	r->text.about_last = h;
	/* Those beyond a text's length are counted with all that are too long. */
	val = span_sub(val, 0, TEXT_LONG);
	r->text.about += is_new(r, val) ? (uint32_t)val.n : 1;
}

void text_empty(struct reader *r, const struct elem *el)
{
	switch (el->el) {
	case EL_REF:
	case EL_OP:
		add(r, el->bare ? BARE_TEXT : !el->same);
		break;
	default:
		add(r, el->bare ? BARE_TEXT : 1);
		break;
	}
}

/* --- facets strings
 * ---------------------------------------------------------------------- */

static const struct a_word unbounded[] = {A("inf"),  A("-inf"), A("+inf"),
					  A("nan"),  {0, NULL}};
static const struct a_word switches[] = {A("b:true"), A("b:false"), {0, NULL}};
static const struct a_word switched[] = {A("showUnits"), A("showSeparators"),
					 A("forceSign"), {0, NULL}};
static const struct a_word numbers[] = {A("precision"), A("min"), A("max"),
					{0, NULL}};

/* "i:1", "d:+inf" */
static bool facet_number(struct span value)
{
	struct span kind = span_sub(value, 0, 2), n = span_from(value, 2);

	return (span_is(kind, "i:") || span_is(kind, "d:")) &&
	       (is_one_of(n, unbounded) || (is_bound(n) && !is_long_zero(n)));
}

/* What is said in "units=u:kilowatt;kW;(m2)(kg)(s-3);*1000.0;" or another of a
 * list of them that is not read: a symbol, or all of it. */
static struct span facet_text(struct span one)
{
	const uint8_t *eq = one.n ? memchr(one.p, '=', one.n) : NULL;
	struct span key = span_sub(one, 0, eq ? (size_t)(eq - one.p) : 0);
	struct span value = span_from(one, key.n + (eq != NULL)), name;
	const struct obix_unit *row;
	const uint8_t *end;
	bool null;

	if ((is_one_of(key, numbers) && facet_number(value)) ||
	    (is_one_of(key, switched) && is_one_of(value, switches)))
		return (struct span){0};
	if (!span_is(key, "units") || !BEGINS(value, "u:"))
		return one;
	value = span_from(value, 2);
	end = value.n ? memchr(value.p, ';', value.n) : NULL;
	name = span_sub(value, 0, end ? (size_t)(end - value.p) : value.n);
	row = obix_unit_named(name, &null);
	/* As the table spells it. */
	if (!span_is(name, "null") && !(row && span_eq(row->name, name)))
		return one;
	return span_from(value, name.n);
}

/* What is like the one before says nothing; else which there are, and in what
 * order, tells something, too. */
void text_facets(struct reader *r, struct span val)
{
	uint64_t h = obix_hash(val);

	if (h == r->text.facets)
		return;
	r->text.facets = h;
	while (val.n) {
		const uint8_t *bar = memchr(val.p, '|', val.n);
		size_t n = bar ? (size_t)(bar - val.p) : val.n;

		add(r, 1);
		say(r, facet_text(span_sub(val, 0, n)));
		val = span_from(val, n + (bar != NULL));
	}
}

/* --- all of it
 * ---------------------------------------------------------------------- */

static uint32_t beyond_room(uint32_t n, uint32_t most)
{
	return n > most ? n - most : 0;
}

uint32_t text_hidden(const struct reader *r, uint32_t apart)
{
	/* Not beside a measurement, which would carry them along. */
	uint32_t refs = r->d->measured || r->d->request ? 0 : r->text.refs;
	uint32_t told = r->text.told + refs < TOLD_MOST ? r->text.told + refs
							: TOLD_MOST;
	uint32_t all = r->text.octets + r->text.about + apart;
	uint32_t n = beyond_room(all, UNIT_TEXT + told * TOLD_TEXT);
	uint32_t about = beyond_room(r->text.about, ABOUT_TEXT);

	/* Words beside a measurement make no room for themselves. */
	if (r->d->measured && about > n)
		n = about;
	return (n + VALUE_TEXT - 1) / VALUE_TEXT;
}
