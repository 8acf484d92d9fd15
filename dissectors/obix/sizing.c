/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a value measures: asked in the order of obix.md 13.1, ending with the
 * first that is sure; hints are collected only where nothing is.
 */
#include "dissectors/obix/state.h"

static const struct sizing unknown;

static struct sizing of_row(const struct obix_unit *u)
{
	return (struct sizing){.quantity = u->quantity,
			       .sure = true,
			       .num = u->num,
			       .den = u->den,
			       .unit = u->name};
}

static struct sizing of_learnt(const struct learnt *l)
{
	if (l->disputed)
		return (struct sizing){.sure = true, .known = true};
	return (struct sizing){.quantity = l->quantity,
			       .sure = true,
			       .num = l->num,
			       .den = l->den,
			       .unit = l->unit};
}

/* A unit that the document, or an earlier one, defines: by its dimension. */
struct sizing sizing_of_def(const struct unit_def *u)
{
	enum obix_quantity q =
		u->odd || !u->has_dim ? Q_UNKNOWN : obix_by_dimension(u->dim);
	enum unit base = obix_base(q);
	struct sizing s = {.quantity = (uint8_t)q, .sure = true};

	if (base == UNIT_NONE || u->num == 0)
		return s;
	/* Scales are in SI units: joules, where sizes are in watt hours. */
	s.num = u->num;
	s.den = base == UNIT_WH ? u->den * 3600 : u->den;
	return s;
}

struct sizing sizing_unit(struct reader *r, struct span uri)
{
	const struct obix_unit *row;
	const struct learnt *l;
	uint64_t name = obix_hash(uri);
	struct href h;
	bool null;

	row = obix_unit(uri, &null);
	if (row)
		return of_row(row);
	if (r->d->known.full)
		return unknown;
	for (unsigned i = 0; i < r->d->known.defs_n; i++) {
		if (r->d->known.def[i].href == name)
			return sizing_of_def(&r->d->known.def[i]);
	}
	if (null)
		return unknown;
	if (href_resolve(&h, span_of(r->d->paths, r->d->base), uri, NULL) ==
	    0) {
		l = learnt_find(r->m, obix_key(r->c, href_span(&h)));
		if (l && l->has_quantity)
			return of_learnt(l);
	}
	/* Said later in this document, perhaps. */
	r->d->wanted_unit = name;
	return unknown;
}

struct sizing sizing_facets(struct span text)
{
	static const char mark[] = "units=u:";
	const size_t n = sizeof(mark) - 1;
	const struct obix_unit *row;
	size_t from = 0, to;
	bool null;

	for (size_t i = n; i <= text.n && !from; i++) {
		if (memcmp(text.p + i - n, mark, n) == 0)
			from = i;
	}
	if (!from)
		return unknown;
	for (to = from; to < text.n && text.p[to] != ';' && text.p[to] != '|';)
		to++;
	row = obix_unit_named(span_sub(text, from, to - from), &null);
	return row ? of_row(row) : unknown;
}

#define FACETS_UNIT 96 /* octets of "u:name;symbol;(m3);*0.001;" */

static unsigned numbers_in(struct span text)
{
	size_t at = 0;
	unsigned n = 0;

	while (value_number_in(text, &at).n)
		n++;
	return n;
}

/* "i:1", "d:+inf": one number, short where it is an integer. */
static bool facet_number(struct span value)
{
	bool whole = span_is(span_sub(value, 0, 2), "i:");

	return numbers_in(value) <= 1 && value.n <= (whole ? 4 : 24);
}

/* A number that a unit in use has: an exponent of its, or what its values are
 * multiplied with (define.c). */
static bool unit_number(const struct obix_unit *row, struct span number)
{
	struct decimal v;

	if (!value_decimal(number, &v))
		return false;
	if (v.m == 1 || v.m == 6 || v.m == 36 || v.m == 864 || v.m == 27315)
		return true;
	for (unsigned i = 0; i < sizeof(row->dim); i++) {
		if (v.e == 0 && v.m && (v.m == row->dim[i] ||
					v.m == -row->dim[i]))
			return true;
	}
	return false;
}

/* "u:kilowatt;kW;(m2)(kg)(s-3);*1000.0;": nothing but what that unit is. */
static bool facet_unit(struct span value)
{
	const uint8_t *end = value.n ? memchr(value.p, ';', value.n) : NULL;
	size_t name_n = end ? (size_t)(end - value.p) : value.n;
	const struct obix_unit *row;
	struct span number;
	unsigned n = 0;
	size_t at = 0;
	bool null;

	if (value.n > FACETS_UNIT)
		return false;
	if (numbers_in(value) == 0)
		return true;
	if (!span_is(span_sub(value, 0, 2), "u:"))
		return false;
	row = obix_unit_named(span_sub(value, 2, name_n - 2), &null);
	while (row && (number = value_number_in(value, &at)).n) {
		if (++n > sizeof(row->dim) || !unit_number(row, number))
			return false;
	}
	return row != NULL;
}

/* One of "units=...|precision=...". */
static bool facet_only(struct span one, unsigned *seen, struct span bound[2])
{
	enum { UNITS, PRECISION, MIN, MAX };
	static const char *const keys[] = {"units", "precision", "min", "max"};
	const uint8_t *eq = one.n ? memchr(one.p, '=', one.n) : NULL;
	struct span key = span_sub(one, 0, eq ? (size_t)(eq - one.p) : 0);
	struct span value = span_from(one, key.n + (eq != NULL));

	for (unsigned i = UNITS; i <= MAX; i++) {
		if (!span_is(key, keys[i]))
			continue;
		if (*seen & 1u << i)
			return false;
		*seen |= 1u << i;
		if (i == UNITS)
			return facet_unit(value);
		if (i == PRECISION)
			return facet_number(value) && value.n <= 3;
		bound[i - MIN] = value.n > 2 && value.p[1] == ':'
					 ? span_from(value, 2)
					 : value;
		return facet_number(value);
	}
	return numbers_in(one) == 0;
}

bool sizing_facets_only(struct span text, struct span bound[2])
{
	unsigned seen = 0;

	while (text.n) {
		const uint8_t *bar = memchr(text.p, '|', text.n);
		size_t n = bar ? (size_t)(bar - text.p) : text.n;

		if (!facet_only(span_sub(text, 0, n), &seen, bound))
			return false;
		text = span_from(text, n + (bar != NULL));
	}
	return true;
}

static struct sizing of_proto(const struct reader *r, const struct elem *parent,
			      struct span name)
{
	const struct proto *p;
	uint64_t h;

	if (!parent || !parent->proto)
		return unknown;
	p = &r->d->known.proto[parent->proto - 1];
	h = obix_hash(name);
	for (unsigned i = 0; i < p->n; i++) {
		if (p->member[i].name == h)
			return p->member[i].sizing;
	}
	return unknown;
}

/* --- hints
 * ---------------------------------------------------------------------- */

#define NUMERIC                                                                \
	(Q_BIT(Q_ENERGY) | Q_BIT(Q_POWER) | Q_BIT(Q_APPARENT) |                \
	 Q_BIT(Q_REACTIVE) | Q_BIT(Q_VOLTAGE) | Q_BIT(Q_CURRENT) |             \
	 Q_BIT(Q_FREQUENCY) | Q_BIT(Q_POWER_FACTOR) | Q_BIT(Q_TEMPERATURE))
#define WORDS (Q_BIT(Q_DEVICE) | Q_BIT(Q_CUSTOMER) | Q_BIT(Q_CONFIG))

/* What an element of that type can be, of what its name says. */
static quantity_set fits(enum obix_value v, quantity_set hints)
{
	switch (v) {
	case VALUE_BOOL:
	case VALUE_NAME:
		return hints & ~(NUMERIC | WORDS);
	case VALUE_NUMBER:
		/* By its name alone a number is none of what needs no grant. */
		return hints & ~(Q_BIT(Q_DEVICE) | Q_BIT(Q_CONFIG));
	case VALUE_INSTANT:
	case VALUE_DURATION:
		return hints & ~NUMERIC;
	default:
		return hints;
	}
}

static quantity_set of_path(const struct reader *r, enum obix_value v)
{
	const struct item *it = doc_item(r->d);
	struct span path = href_identity(
		it != &r->d->rest ? span_of(it->href[0], it->href_n[0])
				  : r->c->path);
	quantity_set q = 0;

	for (unsigned i = 0; i < 3 && path.n > 1 && !q; i++) {
		q = fits(v, obix_hints(href_last(path)));
		path = href_parent(path);
	}
	return q;
}

/* Own names first, then those of what it is part of, then the path. */
static quantity_set hints_of(const struct reader *r, const struct elem *el,
			     const struct xml_tag *t)
{
	enum obix_value v = obix_value((enum obix_el)el->el);
	const struct doc *d = r->d;
	quantity_set q = fits(v, obix_hints(t->at[AT_NAME]) |
					 obix_hints(t->at[AT_DISPLAY_NAME]));

	if (!q)
		q = fits(v, obix_hints(href_last(t->at[AT_HREF])));
	for (unsigned i = d->depth; !q && i > 0; i--) {
		const struct elem *up = &d->stack[i - 1];

		q = fits(v, obix_hints(span_of(up->name, up->name_n)));
	}
	return q ? q : of_path(r, v);
}

static bool has_digit(struct span s)
{
	size_t at = 0;

	return value_number_in(s, &at).n > 0;
}

/* Where not even a name helps. */
static enum obix_quantity by_type(const struct elem *el, struct span val)
{
	switch (obix_value((enum obix_el)el->el)) {
	case VALUE_BOOL:
	case VALUE_NAME:
		return Q_STATE;
	case VALUE_TEXT:
		/* Words say how something is; digits may say anything. */
		return el->el == EL_UNKNOWN || has_digit(val) ? Q_UNKNOWN
							      : Q_HEALTH;
	case VALUE_URI:
		return memchr(val.p, '?', val.n) ? Q_UNKNOWN : Q_CONFIG;
	default:
		return Q_UNKNOWN;
	}
}

static struct sizing by_hints(struct reader *r, const struct elem *el,
			      const struct xml_tag *t)
{
	struct span val = t->at[AT_VAL];
	quantity_set q;
	struct sizing s = {0};

	if (obix_value((enum obix_el)el->el) == VALUE_URI) {
		s.quantity = (uint8_t)(val.n ? by_type(el, val) : Q_CONFIG);
		return s;
	}
	q = hints_of(r, el, t);
	if (!q)
		s.quantity = (uint8_t)by_type(el, val);
	else
		s.quantity = (uint8_t)__builtin_ctz(q);
	s.hints = q;
	return s;
}

/* --- the order
 * -------------------------------------------------------------------- */

static const struct learnt *by_href(const struct reader *r, struct span ref)
{
	struct href h;

	if (href_resolve(&h, span_of(r->d->paths, r->d->base), ref, NULL) ||
	    h.fragment)
		return NULL;
	return learnt_find(r->m, obix_key(r->c, href_span(&h)));
}

static struct sizing of_object(struct reader *r, const struct xml_tag *t)
{
	const struct doc *d = r->d;
	const struct item *it = doc_item(r->d);
	struct span path = span_of(it->href[0], it->href_n[0]);
	const struct learnt *l = NULL;

	if (t->at[AT_HREF].n)
		l = by_href(r, t->at[AT_HREF]);
	else if (d->depth <= 2 && it->op != OP_READ)
		l = learnt_find(r->m, obix_key(r->c, path));
	/* What is written through an operation is written to what has it. */
	if (!l && d->request && it->op == OP_WRITE)
		l = learnt_find(r->m, obix_key(r->c, href_parent(path)));
	return l && l->has_quantity ? of_learnt(l) : unknown;
}

/* The member of a history that was read before. */
static struct sizing of_history(const struct reader *r, struct span name)
{
	struct obix_key history = doc_item(r->d)->object;
	const struct learnt *l;

	if (!r->d->series || !key_set(history) || !r->d->in_data)
		return unknown;
	l = learnt_find(r->m, obix_member_key(history, name));
	return l && l->has_quantity ? of_learnt(l) : unknown;
}

/* A unit, and not the one that says that there is none. */
static bool unit_unread(struct span uri)
{
	bool null;

	return uri.n && !obix_unit(uri, &null) && !null;
}

static struct sizing find(struct reader *r, const struct elem *el,
			  const struct elem *parent, const struct xml_tag *t)
{
	static const struct sizing lost = {.sure = true, .known = true};
	struct sizing s = unknown;

	if (t->at[AT_UNIT].n)
		s = sizing_unit(r, t->at[AT_UNIT]);
	/* A definition that was not kept may say otherwise; and a unit that is
	 * nowhere defined does say something else than what is known already. */
	if (!s.sure && obix_value((enum obix_el)el->el) == VALUE_NUMBER &&
	    (r->d->known.full || unit_unread(t->at[AT_UNIT])))
		return lost;
	if (!s.sure && el->proto)
		s = r->d->known.proto[el->proto - 1].own;
	if (!s.sure)
		s = of_proto(r, parent, t->at[AT_NAME]);
	if (!s.sure && el->has_facets)
		s = el->facets;
	if (!s.sure && parent && parent->has_facets)
		s = parent->facets;
	if (!s.sure)
		s = of_history(r, t->at[AT_NAME]);
	if (!s.sure)
		s = of_object(r, t);
	/* Its unit may come, and is no matter of names. */
	if (!s.sure && obix_value((enum obix_el)el->el) == VALUE_NUMBER &&
	    (el->awaits || (parent && parent->awaits)))
		return lost;
	return s.sure ? s : by_hints(r, el, t);
}

struct sizing sizing_of(struct reader *r, const struct elem *el,
			const struct xml_tag *t)
{
	const struct elem *parent = r->up;
	struct sizing s;
	struct span name = t->at[AT_NAME];

	/* The same member of every record: found once in a unit. */
	if (!parent || !parent->record || parent->awaits || el->proto ||
	    el->awaits || t->at[AT_UNIT].n || t->at[AT_HREF].n ||
	    t->at[AT_DISPLAY_NAME].n ||
	    obix_value((enum obix_el)el->el) != VALUE_NUMBER)
		return find(r, el, parent, t);
	for (uint32_t i = 0; i < r->n_members; i++) {
		if (member_is(&r->member[i].name, parent->proto, name))
			return r->member[i].sizing;
	}
	s = find(r, el, parent, t);
	if (r->n_members < MEMBERS &&
	    member_set(&r->member[r->n_members].name, parent->proto, name)) {
		r->member[r->n_members].sizing = s;
		r->member[r->n_members++].sizing.known = true;
	}
	return s;
}

/* --- counting
 * --------------------------------------------------------------------- */

/* A value that comes in may switch or limit something, unless it is a price
 * or a reading that is told. */
static meas_set command(const struct reader *r, enum obix_quantity q,
			meas_set meas)
{
	const struct doc *d = r->d;
	const struct item *it = doc_item(r->d);

	if (!d->request || !d->in ||
	    (it->op != OP_WRITE && it->op != OP_INVOKE))
		return meas;
	switch (q) {
	case Q_PRICE:
	case Q_CREDIT:
	case Q_ENERGY:
	case Q_OTHER_ENERGY:
	case Q_CONFIG:
	case Q_DEVICE:
	case Q_SECRET:
	case Q_CUSTOMER:
		return meas;
	case Q_UNKNOWN:
	case Q_DURATION:
	case Q_STATE:
	case Q_HEALTH:
	case Q_ANSWER:
	case Q_TEMPERATURE:
		return MEAS_BIT(MEAS_CONTROL_LOAD);
	default:
		return meas | MEAS_BIT(MEAS_CONTROL_LOAD);
	}
}

static void size(struct item *it, const struct sizing *s, const struct milli *v,
		 bool ok)
{
	enum unit base = obix_base((enum obix_quantity)s->quantity);

	if (!ok || base == UNIT_NONE ||
	    (it->sized && it->base != (uint8_t)base)) {
		it->unsized = true;
		return;
	}
	if (!it->sized) {
		it->lo = INT64_MAX;
		it->hi = INT64_MIN;
		it->step = 0;
	}
	it->sized = true;
	it->base = (uint8_t)base;
	it->lo = v->lo < it->lo ? v->lo : it->lo;
	it->hi = v->hi > it->hi ? v->hi : it->hi;
	if (v->exact)
		it->step =
			gcd64((uint64_t)(v->lo < 0 ? -v->lo : v->lo), it->step);
	else
		it->fine = true;
}

/* Equal numbers are equal values, however they are written. */
static uint64_t value_hash(struct span val, const struct decimal *d)
{
	uint8_t buf[sizeof(d->m) + sizeof(d->e)];

	if (!d)
		return obix_hash(val);
	memcpy(buf, &d->m, sizeof(d->m));
	memcpy(buf + sizeof(d->m), &d->e, sizeof(d->e));
	return obix_hash(span_of(buf, sizeof(buf)));
}

/* Values in their order, and what each is called. */
static void echo(struct item *it, const struct xml_tag *t, uint64_t value)
{
	struct span called = t->at[AT_NAME].n ? t->at[AT_NAME] : t->at[AT_HREF];
	const uint64_t all[] = {it->echo, value, obix_hash(called),
				obix_hash(t->at[AT_UNIT])};

	it->echo = obix_hash(span_of(all, sizeof(all)));
	it->echo_last = value;
}

static uint16_t more(uint16_t *n)
{
	return *n < UINT16_MAX ? ++*n : *n;
}

/* One that is not too many, nor the same again, and not sent to be done. */
static bool is_point(const struct doc *d, struct item *it, uint64_t own)
{
	if (d->request || !own || it->points == POINTS)
		return false;
	for (unsigned i = 0; i < it->points; i++) {
		if (it->point[i] == own)
			return false;
	}
	it->point[it->points++] = own;
	return true;
}

/* Values of one quantity: of a record, of an entry of a list, of the rest. each:
 * a number, or what counts each time it is said, as a switch does. */
static void count(struct doc *d, struct item *it, const struct elem *el,
		  enum obix_quantity q, const struct xml_tag *t, bool each)
{
	uint16_t n;

	/* What one type of measurement covers alone. */
	q = q == Q_FREQUENCY  ? Q_VOLTAGE
	    : q == Q_DURATION ? Q_UNKNOWN
			      : q;
	if (d->in_data) {
		d->in_record++;
		n = el->statistic ? 1 : more(&d->same[q]);
		d->most = n > d->most ? n : d->most;
		return;
	}
	if (el->entry && !d->stack[el->entry - 1].counted) {
		d->stack[el->entry - 1].counted = true;
		it->entries += !is_point(d, it, d->stack[el->entry - 1].own);
	}
	if (!each)
		return;
	it->plain = it->plain || d->request ||
		    !(t->at[AT_NAME].n || t->at[AT_HREF].n);
	n = more(&it->same[q]);
	it->most = n > it->most ? n : it->most;
}

void sizing_value(struct reader *r, struct item *it, const struct elem *el,
		  const struct sizing *s, const struct xml_tag *t,
		  struct span val)
{
	enum obix_quantity q = (enum obix_quantity)s->quantity;
	enum obix_value kind = obix_value((enum obix_el)el->el);
	struct decimal d;
	struct milli v = {0};
	bool number = reader_decimal(r, val, &d), words;
	meas_set meas = obix_meas(q, r->d->series);

	for (unsigned i = 0; s->hints && i < Q_COUNT; i++) {
		if (s->hints & Q_BIT(i))
			meas |= obix_meas((enum obix_quantity)i, r->d->series);
	}
	it->values++;
	if (it->op == OP_WRITE || it->op == OP_SIGNUP || it->op == OP_INVOKE)
		echo(it, t, value_hash(val, number ? &d : NULL));
	meas = command(r, q, meas);
	it->meas |= meas;
	it->commands += (meas & MEAS_BIT(MEAS_CONTROL_LOAD)) != 0;
	count(r->d, it, el, q, t, number || meas_moments(meas));
	/* Words are no reading, whatever a name near them measures. */
	words = !number && (kind == VALUE_TEXT || kind == VALUE_URI ||
			    kind == VALUE_NAME);
	/* Nor is what a device is, if that is a number: a version. */
	if (words || !(meas & ~(MEAS_ABOUT | MEAS_BIT(MEAS_IDENTITY_DEVICE))))
		text_about(r, val);
	else
		r->d->measured = true;
	if (kind == VALUE_DURATION) {
		struct sizing seconds = {.quantity = Q_DURATION};
		int64_t ms;
		bool ok = value_reltime(val, &ms);

		v = (struct milli){ms, ms, true};
		size(it, &seconds, &v, ok);
	} else if ((kind == VALUE_NUMBER && val.p) ||
		   (kind == VALUE_TEXT && number)) {
		bool ok = number && value_milli(&d, s->num, s->den, &v);

		size(it, s, &v, ok);
	}
	if (s->unit.n && it->unit.n && !span_eq(s->unit, it->unit))
		it->units = true;
	else if (s->unit.n)
		it->unit = s->unit;
	else if (kind == VALUE_NUMBER)
		it->units = it->units || it->unit.n > 0;
}
