/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that nothing reads: what stands for people beside a value, names and
 * references that nobody asked for, attributes and elements that are in no
 * table, comments (obix.md 14: their octets are counted). A document has some of
 * it; what is more than a unit needs for what it tells counts as values of
 * unknown type, one for each VALUE_TEXT octets, as numbers in it do (hidden.c).
 *
 * What was said before says nothing again: a text of this unit, the beginning of
 * a reference as the last one of a kind had it, or the request.
 */
#include "dissectors/obix/state.h"

#define UNIT_TEXT  56 /* octets of a unit */
#define TOLD_TEXT  56 /* more for each value; of records, for each of their names */
#define TOLD_MOST  10 /* such values */
#define VALUE_TEXT 8  /* octets that count as one value */

#define TEXT_LONG  64  /* octets of a text that is a value; more are no word */
#define FACETS_LONG 160 /* of a facets string */
#define COPIES "/obix/def/"
#define NAME_LONG  24  /* of a value of an enumeration */

static bool begins(struct span s, const char *text)
{
	return span_is(span_sub(s, 0, strlen(text)), text);
}

static bool is_one_of(struct span s, const char *const *of)
{
	for (; *of; of++) {
		if (span_is(s, *of))
			return true;
	}
	return false;
}

static bool within(struct span text, struct span part)
{
	return text.n && part.n && memmem(text.p, text.n, part.p, part.n);
}

static void add(struct reader *r, size_t octets)
{
	r->text.octets += (uint32_t)octets;
}

/* Its octets, once in a unit. */
static void say(struct reader *r, struct span s)
{
	uint64_t h;

	if (s.n == 0)
		return;
	h = obix_hash(s);
	for (unsigned i = 0; i < TEXTS && i < r->text.n_said; i++) {
		if (r->text.said[i] == h)
			return;
	}
	r->text.said[r->text.n_said++ % TEXTS] = h;
	add(r, s.n);
}

static size_t common(struct span a, struct span b)
{
	size_t n = 0;

	while (n < a.n && n < b.n && a.p[n] == b.p[n])
		n++;
	return n;
}

/* A reference: what is new in it. own: its last part may be this one's name. */
static void refer(struct reader *r, unsigned kind, struct span ref,
		  struct span own, bool told)
{
	struct span last, query = href_query(ref);
	size_t n = common(ref, r->c->path);

	if (ref.n == 0)
		return;
	/* What that tells is counted with its numbers. */
	if (query.n && hidden_filter(query))
		ref = span_sub(ref, 0, (size_t)(query.p - ref.p));
	for (unsigned i = 0; i < TEXT_KINDS; i++) {
		size_t same = common(ref, span_of(r->text.ref[i],
						  r->text.ref_n[i]));

		n = same > n ? same : n;
	}
	last = href_last(ref);
	n = ref.n - n;
	if (own.n && span_eq(last, own))
		n -= n < last.n ? n : last.n;
	if (!told)
		add(r, n);
	ref = span_sub(ref, 0, sizeof(r->text.ref[kind]));
	memcpy(r->text.ref[kind], ref.p, ref.n);
	r->text.ref_n[kind] = (uint8_t)ref.n;
}

/* Names of contracts: those of the standard, as it spells them, say what a thing
 * is; others what somebody called it. */
static void contracts(struct reader *r, struct span list)
{
	for (size_t at = 0; at < list.n;) {
		size_t from = at;
		struct span one;
		bool other = false;

		while (at < list.n && list.p[at] > ' ')
			at++;
		one = span_sub(list, from, at - from);
		/* A server may have its own copies of them (5). */
		if (begins(one, COPIES))
			one = span_from(one, sizeof(COPIES) - 1);
		if (one.n && !(begins(one, "obix:") &&
			       (obix_contracts(one, &other) || !other)))
			say(r, one);
		while (at < list.n && list.p[at] <= ' ')
			at++;
	}
}

/* "Room Temp" of roomTemp */
static bool same_letters(struct span a, struct span b)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < a.n && strchr(" _-.", a.p[i]) && a.p[i])
			i++;
		while (k < b.n && strchr(" _-.", b.p[k]) && b.p[k])
			k++;
		if (i == a.n || k == b.n)
			return i == a.n && k == b.n;
		if ((a.p[i++] ^ b.p[k++]) & 0xdf)
			return false;
	}
}

/* Text for people: the value, in words. */
static void display(struct reader *r, const struct xml_tag *t)
{
	struct span text = t->at[AT_DISPLAY], val = t->at[AT_VAL];
	struct span path = href_identity(r->c->path);

	if (within(val, text))
		return;
	if (val.n && common(text, val) == val.n)
		text = span_from(text, val.n);
	/* An err repeats what was asked for. */
	if (path.n > 1 && within(text, path)) {
		add(r, text.n - path.n);
		return;
	}
	say(r, text);
}

static void name(struct reader *r, const struct elem *up, struct span s)
{
	enum obix_value v;

	if (s.n == 0 || within(r->c->path, s) ||
	    (up && obix_member(up->contracts, s, &v) != USE_VALUE) ||
	    obix_operation(s) != OP_NONE)
		return;
	say(r, s);
}

static bool is_bound(struct span s)
{
	static const char *const ends[] = {"INF", "-INF", "+INF", "NaN", NULL};
	struct decimal d;
	int64_t ms;
	bool open;

	return is_one_of(s, ends) || value_decimal(s, &d) ||
	       value_reltime(s, &ms) || value_abstime(s, &ms, &open) ||
	       value_date(s) || value_time(s);
}

/* Facets of a closed form. */
static void facets(struct reader *r, const struct xml_tag *t)
{
	static const char *const truth[] = {"true", "false", "0", "1", NULL};
	static const char *const states[] = {
		"ok",	   "null",    "disabled",     "fault",	 "down",
		"unacked", "alarm",   "unackedAlarm", "overridden", NULL};
	static const uint8_t flags[] = {AT_NULL, AT_IS_NULL, AT_WRITABLE};
	static const uint8_t bounds[] = {AT_MIN, AT_MAX, AT_PRECISION};
	bool null;

	for (unsigned i = 0; i < sizeof(flags); i++) {
		if (!is_one_of(t->at[flags[i]], truth))
			add(r, t->at[flags[i]].n);
	}
	for (unsigned i = 0; i < sizeof(bounds); i++) {
		if (t->at[bounds[i]].n && !is_bound(t->at[bounds[i]]))
			add(r, t->at[bounds[i]].n);
	}
	if (!is_one_of(t->at[AT_STATUS], states))
		say(r, t->at[AT_STATUS]);
	if (!begins(t->at[AT_UNIT], "obix:units/") ||
	    !obix_unit(t->at[AT_UNIT], &null))
		say(r, t->at[AT_UNIT]);
	say(r, t->at[AT_TZ]);
}

void text_read(struct reader *r, const struct elem *el,
	       const struct xml_tag *t, bool fresh)
{
	const struct elem *up = doc_parent(r->d);
	struct span called = t->at[AT_DISPLAY_NAME], own = t->at[AT_NAME];

	add(r, t->other_text);
	/* As nearly all are. */
	if (t->n_set == (own.p != NULL) + (t->at[AT_VAL].p != NULL)) {
		if (fresh)
			name(r, up, own);
		return;
	}
	if (fresh)
		name(r, up, own);
	if (called.n && !same_letters(called, own))
		say(r, called);
	if (t->at[AT_DISPLAY].n)
		display(r, t);
	/* What it names is told. */
	refer(r, TEXT_HREF, t->at[AT_HREF], own.n ? own : called,
	      el->item || r->d->depth == 0);
	refer(r, TEXT_ICON, t->at[AT_ICON], (struct span){0}, false);
	refer(r, TEXT_RANGE, t->at[AT_RANGE], (struct span){0}, false);
	refer(r, TEXT_RANGE, t->at[AT_TS], (struct span){0}, false);
	contracts(r, t->at[AT_IS]);
	contracts(r, t->at[AT_OF]);
	contracts(r, t->at[AT_IN]);
	contracts(r, t->at[AT_OUT]);
	facets(r, t);
}

static size_t longer(struct span s, size_t most)
{
	return s.n > most ? s.n - most : 0;
}

static size_t odd(struct reader *r, enum obix_value kind, struct span val)
{
	static const char *const truth[] = {"true", "false", "0", "1", NULL};
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

void text_facets(struct reader *r, struct span val)
{
	add(r, longer(val, FACETS_LONG));
}

uint32_t text_hidden(const struct reader *r, uint32_t apart)
{
	uint32_t told = r->text.told < TOLD_MOST ? r->text.told : TOLD_MOST;
	uint32_t most = UNIT_TEXT + told * TOLD_TEXT;
	uint32_t n = r->text.octets + apart;

	return n > most ? (n - most + VALUE_TEXT - 1) / VALUE_TEXT : 0;
}
