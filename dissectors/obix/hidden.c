/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that stand where no value does (obix.md 13.4): in text for people, in
 * names, facets and references. What repeats the value, a name or what was
 * asked tells nothing more; the rest counts as values of unknown type.
 */
#include "dissectors/obix/state.h"

bool hidden_numbers(struct span text)
{
	size_t at = 0;

	return text.n && value_number_in(text, &at).n > 0;
}

/* An err may repeat the numbers of what was asked. */
static bool repeats(const struct reader *r, struct span text)
{
	size_t at = 0;
	struct span n;

	while ((n = value_number_in(text, &at)).n) {
		struct span path = r->c->path, query = r->c->query;

		if (!(path.n && memmem(path.p, path.n, n.p, n.n)) &&
		    !(query.n && memmem(query.p, query.n, n.p, n.n)))
			return false;
	}
	return true;
}

#define SAID_NUMBERS 7 /* of an instant in words: date, time, offset */
#define NAME_NUMBERS 6 /* that a name may hold */
#define ZONE_NUMBERS 2 /* that a zone may, of two digits */
#define ORDINAL      4 /* digits of one; more are a number of the device */
#define VALUE_OCTETS 32 /* of a number or an instant, with all its digits */

static bool within(struct span text, struct span part)
{
	return text.n && memmem(text.p, text.n, part.p, part.n);
}

/* The value to as many digits as are shown. */
static bool rounds(struct span val, struct span shown)
{
	struct decimal a, b;
	struct milli x, y;
	int64_t near = 1000;

	if (!value_decimal(val, &a) || !value_decimal(shown, &b) ||
	    !value_milli(&a, 1, 1, &x) || !value_milli(&b, 1, 1, &y))
		return false;
	for (int e = b.e; e < 0 && near > 1; e++)
		near /= 10;
	return x.lo <= y.hi + near && y.lo <= x.hi + near;
}

/* How many numbers of a text the value does not tell. */
static unsigned beyond(enum obix_value v, struct span val, struct span text)
{
	bool time = v == VALUE_INSTANT || v == VALUE_DURATION;
	unsigned n = 0, all = 0;
	struct span one;
	size_t at = 0;

	while ((one = value_number_in(text, &at)).n) {
		all++;
		if (time && one.p[0] == '-') /* of "20-Nov-2025" */
			one = span_from(one, 1);
		n += !(within(val, one) || (time && one.n <= 2) ||
		       (v == VALUE_NUMBER && rounds(val, one)));
	}
	return all > SAID_NUMBERS ? all : n;
}

static unsigned numbers_of(struct span text)
{
	return beyond(VALUE_NONE, (struct span){0}, text);
}

/* Numbers of a name: with a fraction they are values; what is longer than an
 * ordinal tells one device from others, but for what was asked for. */
static unsigned in_name(const struct reader *r, struct item *it,
			struct span text)
{
	unsigned n = 0;
	struct span one;
	size_t at = 0;

	while ((one = value_number_in(text, &at)).n) {
		if (within(r->c->path, one))
			continue;
		if (memchr(one.p, '.', one.n)) {
			n++;
		} else if (one.n > ORDINAL) {
			it->meas |= MEAS_BIT(MEAS_IDENTITY_DEVICE);
			it->values++;
		}
	}
	return n;
}

/* "America/New_York", "Etc/GMT+5", "+05:30" */
static bool is_zone(struct span tz)
{
	unsigned n = 0;
	struct span one;
	size_t at = 0;

	while ((one = value_number_in(tz, &at)).n) {
		bool sign = one.p[0] == '-' || one.p[0] == '+';

		if (++n > ZONE_NUMBERS || one.n - sign > 2)
			return false;
	}
	return tz.n <= 40;
}

/* Pictures are called by how large they are. */
static bool is_icon(struct span icon)
{
	static const char *const sizes[] = {"16", "24", "32", "48", "64"};
	struct span one;
	size_t at = 0;

	while ((one = value_number_in(icon, &at)).n) {
		unsigned i = 0;

		while (i < 5 && !span_is(one, sizes[i]))
			i++;
		if (i == 5)
			return false;
	}
	return true;
}

/* Of a reference: as of a name. Its authority is compared elsewhere. */
static unsigned in_path(const struct reader *r, struct item *it,
			struct span ref)
{
	const uint8_t *at = ref.n ? memmem(ref.p, ref.n, "://", 3) : NULL;
	size_t from = 0, to;

	if (at) {
		from = (size_t)(at - ref.p) + 3;
		while (from < ref.n && ref.p[from] != '/')
			from++;
	}
	for (to = from; to < ref.n && ref.p[to] != '?';)
		to++;
	return in_name(r, it, span_sub(ref, from, to - from));
}

bool hidden_filter(struct span query)
{
	struct item asked = {0};
	unsigned parts = 1;

	for (size_t i = 0; i < query.n; i++)
		parts += query.p[i] == '&' || query.p[i] == ';';
	query_filter(&asked, query);
	return parts == (unsigned)asked.has_start + asked.has_end +
				asked.has_limit;
}

/* A query in a reference names a part of a history, which tells how a server
 * is set up; or it may say anything. */
static unsigned in_query(struct item *it, struct span ref)
{
	struct span query = href_query(ref);

	if (!hidden_numbers(query))
		return 0;
	it->meas |= MEAS_BIT(MEAS_CONFIG_METER);
	return !hidden_filter(query);
}

static unsigned in_reference(const struct reader *r, struct item *it,
			     struct span ref)
{
	if (!hidden_numbers(ref))
		return 0;
	return in_path(r, it, ref) + in_query(it, ref);
}

/* Facets of a closed form that are not in it. */
static unsigned odd_facets(const struct reader *r, const struct elem *el,
			   const struct xml_tag *t)
{
	const struct elem *up = r->up;
	struct span tz = t->at[AT_TZ], precision = t->at[AT_PRECISION];
	bool null = xml_is_null(t) && obix_value((enum obix_el)el->el);
	bool valued = t->at[AT_VAL].p || null || (up && up->def) || el->def;
	unsigned n = 0;

	n += tz.n && !(is_zone(tz) && (valued || !hidden_numbers(tz)));
	n += precision.n && !(precision.n == 1 && valued &&
			      precision.p[0] >= '0' && precision.p[0] <= '9');
	n += hidden_numbers(t->at[AT_STATUS]);
	n += hidden_numbers(t->at[AT_NULL]);
	n += hidden_numbers(t->at[AT_IS_NULL]);
	n += hidden_numbers(t->at[AT_WRITABLE]);
	n += !is_icon(t->at[AT_ICON]);
	return n;
}

static unsigned references(const struct reader *r, struct item *it,
			   const struct elem *el, const struct xml_tag *t)
{
	static const uint8_t at[] = {AT_IS,  AT_OF,    AT_IN, AT_OUT,
				     AT_UNIT, AT_RANGE, AT_TS};
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof(at); i++) {
		if (t->at[at[i]].n)
			n += in_reference(r, it, t->at[at[i]]);
	}
	/* What a request names is told of it. */
	if (t->at[AT_HREF].n && !(r->d->request && el->item))
		n += in_reference(r, it, t->at[AT_HREF]);
	return n;
}

/* 0, PT0S, -INF: there is no bound. */
#define ZERO_MAX 4 /* octets: -0.0 */

bool hidden_bound(struct span val, struct span bound)
{
	struct decimal n;
	int64_t ms;

	if (!hidden_numbers(bound) || span_eq(val, bound))
		return false;
	/* Nothing is said by a nothing that is written shortly. */
	if (value_decimal(bound, &n))
		return n.m != 0 || bound.n > ZERO_MAX;
	return !(value_reltime(bound, &ms) && ms == 0);
}

/* Of what has no number as its value they are lengths and counts. */
static unsigned bounds(enum obix_value v, const struct xml_tag *t)
{
	if (v == VALUE_NUMBER || v == VALUE_INSTANT || v == VALUE_DURATION)
		return 0;
	return hidden_bound(t->at[AT_VAL], t->at[AT_MIN]) +
	       hidden_bound(t->at[AT_VAL], t->at[AT_MAX]);
}

void hidden_read(struct reader *r, struct item *it, const struct elem *el,
		 const struct xml_tag *t, bool fresh)
{
	enum obix_value v = obix_value((enum obix_el)el->el);
	struct span called = t->at[AT_DISPLAY_NAME], name = t->at[AT_NAME];
	unsigned n = 0;

	/* Most elements have a name and a value, and nothing else. */
	if (t->others == 0 && t->other_values == 0 &&
	    (t->n_set == 0 ||
	     (!fresh && v != VALUE_NONE &&
	      t->n_set == (t->at[AT_NAME].p != NULL) +
				  (t->at[AT_VAL].p != NULL))))
		return;
	/* Of those that have no value. */
	if (v == VALUE_NONE)
		n += numbers_of(t->at[AT_VAL]);
	if (t->at[AT_DISPLAY].n)
		n += beyond(v, t->at[AT_VAL], t->at[AT_DISPLAY]);
	if (n && el->el == EL_ERR && it->err && r->d->depth == 0 &&
	    repeats(r, t->at[AT_DISPLAY]))
		n = 0;
	/* "Phase 2" of what is called otherwise is usual, and noted. */
	if (called.n && !within(name, called)) {
		unsigned more = beyond(VALUE_NONE, name, called);

		r->d->odd |= more > 0;
		n += more > 1 ? more : in_name(r, it, called);
	}
	if (fresh && name.n > 2 * NAME_NUMBERS &&
	    numbers_of(name) > NAME_NUMBERS)
		n++;
	if (fresh)
		n += in_name(r, it, name);
	n += t->other_values + odd_facets(r, el, t) +
	     references(r, it, el, t) + bounds(v, t);
	item_hides(it, n);
}

/* Words of a device, which hold numbers of versions and the like. */
static bool is_worded(enum obix_quantity q)
{
	return q == Q_DEVICE || q == Q_CUSTOMER || q == Q_CONFIG ||
	       q == Q_HEALTH || q == Q_SECRET;
}

unsigned hidden_value(struct reader *r, struct item *it,
		      const struct elem *el, const struct sizing *s,
		      struct span val)
{
	enum obix_value kind = obix_value((enum obix_el)el->el);
	struct decimal d;
	int64_t ms;
	bool open, is = kind == VALUE_NUMBER && reader_decimal(r, val, &d);
	unsigned n;

	if (is && val.n <= VALUE_OCTETS)
		return 0;
	n = numbers_of(val);
	if (n == 0)
		return 0;
	switch (kind) {
	case VALUE_INSTANT:
		is = value_abstime(val, &ms, &open) || value_date(val) ||
		     value_time(val);
		break;
	case VALUE_DURATION:
		is = value_reltime(val, &ms);
		break;
	case VALUE_URI:
		return in_path(r, it, val);
	case VALUE_TEXT:
		if (is_worded((enum obix_quantity)s->quantity))
			return n > SAID_NUMBERS ? n : 0;
		return n > 1 || val.n > 2 * VALUE_OCTETS ? n : 0;
	case VALUE_NAME:
		return n > 1 || memchr(val.p, '.', val.n) ||
				       val.n > 2 * VALUE_OCTETS
			       ? n
			       : 0;
	default:
		break;
	}
	return is && val.n <= VALUE_OCTETS ? 0 : n;
}
