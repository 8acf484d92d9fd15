/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of an element, and where else values hide (obix.md 13.4).
 */
#include "dissectors/obix/state.h"

static bool record_stamp(struct doc *d, struct span val)
{
	bool unbounded, ok = value_abstime(val, &d->now_ms, &unbounded);

	d->has_now = ok && !unbounded;
	return ok;
}

static bool record_begin(struct doc *d, struct span val)
{
	bool unbounded, ok = value_abstime(val, &d->begin_ms, &unbounded);

	d->has_begin = ok && !unbounded;
	return ok;
}

static bool record_each(struct doc *d, struct span val)
{
	struct decimal n;

	if (!value_decimal(val, &n) || n.e < 0 || n.e > 9 || n.m < 0)
		return false;
	/* Rolled up from one: minimum and maximum are that one. */
	if (n.e == 0 && n.m <= 1)
		d->single = true;
	return true;
}

static bool instant(struct item *it, enum obix_use use, struct span val)
{
	int64_t ms;
	bool unbounded;

	if (!value_abstime(val, &ms, &unbounded))
		return false;
	if (unbounded)
		return true;
	if (use == USE_START) {
		it->has_start = true;
		it->start = ms;
	} else {
		it->has_end = true;
		it->end = ms;
	}
	return true;
}

static bool count(struct span val, uint32_t *out)
{
	struct decimal n;

	if (val.n > 10 || !value_decimal(val, &n) || n.e < 0 || n.m < 0 ||
	    n.e > 9)
		return false;
	for (*out = n.m < UINT32_MAX ? (uint32_t)n.m : UINT32_MAX; n.e > 0;
	     n.e--)
		*out = *out < UINT32_MAX / 10 ? *out * 10 : UINT32_MAX;
	return true;
}

static bool interval(struct item *it, struct span val)
{
	int64_t ms;

	if (!value_reltime(val, &ms) || ms <= 0)
		return false;
	it->interval_s = ms / 1000 > INT32_MAX ? INT32_MAX
					       : (uint32_t)(ms / 1000);
	return true;
}

static bool limit(struct item *it, struct span val)
{
	it->has_limit = count(val, &it->limit);
	return it->has_limit;
}

static bool numbers(struct span s)
{
	size_t at = 0;

	return value_number_in(s, &at).n > 0;
}

/* What a member of a standard contract says; false: it is none. */
static bool says(struct reader *r, struct item *it, enum obix_use use,
		 struct span val)
{
	uint32_t n;

	switch (use) {
	case USE_STAMP:
		return record_stamp(r->d, val);
	case USE_BEGIN:
		return record_begin(r->d, val);
	case USE_EACH:
		return record_each(r->d, val);
	case USE_COUNT:
	case USE_ADDED:
		return count(val, &n);
	case USE_NOTHING:
		return !numbers(val);
	case USE_START:
	case USE_END:
		return instant(it, use, val);
	case USE_LIMIT:
		return limit(it, val);
	case USE_INTERVAL:
		return interval(it, val);
	default:
		return define_unit_member(r->d, use, val);
	}
}

static bool is_text(enum obix_value v)
{
	return v == VALUE_TEXT || v == VALUE_URI || v == VALUE_NAME;
}

/* Is it the member of that name, or something that only has the name? */
static bool is_member(const struct elem *el, enum obix_value want,
		      const struct xml_tag *t)
{
	enum obix_value is = obix_value((enum obix_el)el->el);

	return el->el != EL_UNKNOWN && !t->at[AT_UNIT].n &&
	       (is == want || (is_text(is) && is_text(want)));
}

/* A member whose value says nothing of the home. *use: as what it is counted
 * otherwise. */
static bool bookkeeping(struct reader *r, struct item *it, enum obix_use *use,
			struct span val)
{
	const struct elem *up = doc_parent(r->d);
	bool of_record = *use == USE_STAMP || *use == USE_BEGIN ||
			 *use == USE_EACH;

	if (*use < USE_NOTHING)
		return false;
	if (val.n == 0)
		return true;
	if (of_record ? !up->record : *use < USE_SCALE &&
					      it->told & 1u << *use) {
		/* Said of several objects, or where there is no record: it
		 * tells something of how the server is set up. */
		*use = of_record ? USE_VALUE : USE_CONFIG;
		return false;
	}
	if (says(r, it, *use, val)) {
		it->told |= of_record ? 0 : 1u << *use;
		return true;
	}
	*use = USE_VALUE;
	return false;
}

static enum obix_quantity quantity_of(enum obix_use use)
{
	switch (use) {
	case USE_DEVICE:
		return Q_DEVICE;
	case USE_HEALTH:
		return Q_HEALTH;
	case USE_ALARM:
		return Q_ALARM;
	case USE_CUSTOMER:
		return Q_CUSTOMER;
	default:
		return Q_CONFIG;
	}
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

/* Facets of a closed form that are not in it. */
static bool odd_facets(const struct xml_tag *t)
{
	struct span tz = t->at[AT_TZ], precision = t->at[AT_PRECISION];
	struct decimal n;

	return (tz.n && (tz.n > 40 || numbers_of(tz) > 2)) ||
	       (precision.n &&
		(precision.n > 2 || !value_decimal(precision, &n))) ||
	       (t->at[AT_STATUS].n && numbers(t->at[AT_STATUS]));
}

/* Text for people that holds numbers where no value does (obix.md 13.4). What
 * repeats the value, or a name, in words tells nothing more. */
static void hidden(struct reader *r, struct item *it, const struct elem *el,
		   const struct xml_tag *t, bool fresh)
{
	enum obix_value v = obix_value((enum obix_el)el->el);
	struct span called = t->at[AT_DISPLAY_NAME], name = t->at[AT_NAME];
	unsigned n = 0;

	if (t->at[AT_DISPLAY].n)
		n += beyond(v, t->at[AT_VAL], t->at[AT_DISPLAY]);
	if (n && el->el == EL_ERR && it->err && r->d->depth == 0 &&
	    repeats(r, t->at[AT_DISPLAY]))
		n = 0;
	/* "Phase 2" of what is called otherwise is usual, and noted. */
	if (called.n && !within(name, called)) {
		unsigned more = beyond(VALUE_NONE, name, called);

		r->d->odd |= more > 0;
		n += more > 1 ? more : 0;
	}
	if (fresh && name.n > 2 * NAME_NUMBERS &&
	    numbers_of(name) > NAME_NUMBERS)
		n++;
	n += t->other_values + odd_facets(t);
	if (!n)
		return;
	it->meas |= MEAS_BIT(MEAS_UNKNOWN_TABLE);
	it->values += n;
	it->unsized = true;
	it->notes++;
}

/* An unit in a facets string is that of the object it belongs to. */
static void facets(struct reader *r, const struct xml_tag *t)
{
	struct doc *d = r->d;
	struct elem *up = doc_parent(d);
	struct sizing s;

	if (!up)
		return;
	s = sizing_facets(t->at[AT_VAL]);
	if (!s.sure || up->has_facets)
		return;
	up->facets = s;
	up->has_facets = true;
	if (up->valued && !r->second && d->known.facets_n < FACETS) {
		d->known.facet[d->known.facets_n].ordinal = up->ordinal;
		d->known.facet[d->known.facets_n++].sizing = s;
		r->again = true;
	}
}

/* A unit, once seen, holds for what names the same object later. */
static void learn_value(struct reader *r, const struct elem *up,
			const struct sizing *s, const struct xml_tag *t)
{
	struct doc *d = r->d;
	struct obix_key key = {0};
	const struct href *h = NULL;
	struct learnt *l;

	if (d->request)
		return;
	if (t->at[AT_HREF].n && !(up && up->record))
		h = doc_href(r, doc_base(d), t->at[AT_HREF], NULL);
	if (up && up->record)
		key = obix_member_key(r->c->ask->object, t->at[AT_NAME]);
	else if (h)
		key = obix_key(r->c, href_span(h));
	else if (d->depth == 0)
		key = r->c->ask->object;
	l = learnt_stage(r->m, key);
	if (!l)
		return;
	l->has_quantity = true;
	l->quantity = s->quantity;
	l->num = s->num;
	l->den = s->den;
	l->unit = s->unit;
}

static int twice(struct err *e)
{
	return err_reason(e, E_SYNTAX, REASON_SUSPICIOUS, 0,
			  "two members of one name");
}

/* Names are unique among the children of an object (oBIX 1.1 4.1): of two,
 * readers take one or the other. Those of the table are told apart wherever
 * they stand, others among the first. */
static int named(struct reader *r, struct elem *up, struct span name,
		 bool standard)
{
	uint64_t h = obix_hash(name);

	for (unsigned i = 0; i < up->named_n; i++) {
		if (up->named[i] == h)
			return twice(r->e);
	}
	if (up->named_n < NAMED)
		up->named[up->named_n++] = h;
	else if (standard)
		return err_reason(r->e, E_SYNTAX, REASON_SUSPICIOUS, 0,
				  "a standard member behind too many others");
	return 0;
}

struct use {
	enum obix_use use;
	enum obix_value value;
	bool fresh; /* not of a record before */
};

/* Of every record the same few members: asked of the table once. */
static int use_of(struct reader *r, struct elem *up, const struct elem *el,
		  struct span name, struct use *u)
{
	struct doc *d = r->d;

	*u = (struct use){USE_VALUE, VALUE_NONE, true};
	if (!up || !name.n)
		return 0;
	for (unsigned i = 0; up->record && i < d->uses_n; i++) {
		if (!member_is(&d->use[i].name, up->contracts, name))
			continue;
		u->use = (enum obix_use)d->use[i].use;
		u->value = (enum obix_value)d->use[i].value;
		if (up->uses & 1u << i)
			return twice(r->e);
		u->fresh = false;
		up->uses |= (uint8_t)(1u << i);
		return 0;
	}
	u->use = obix_member(up->contracts, name, &u->value);
	if (up->el == EL_LIST || up->el == EL_FEED || up->el == EL_UNKNOWN ||
	    el->el == EL_UNKNOWN)
		return 0;
	if (up->record && d->uses_n < MEMBERS &&
	    member_set(&d->use[d->uses_n].name, up->contracts, name)) {
		d->use[d->uses_n].use = (uint8_t)u->use;
		d->use[d->uses_n].value = (uint8_t)u->value;
		up->uses |= (uint8_t)(1u << d->uses_n++);
		return 0;
	}
	return named(r, up, name, u->use != USE_VALUE);
}

int value_read(struct reader *r, struct elem *el, const struct xml_tag *t)
{
	struct doc *d = r->d;
	struct elem *up = doc_parent(d);
	struct item *it = doc_item(d);
	struct span val = t->at[AT_VAL];
	struct sizing s;
	struct use u;
	enum obix_use use;
	int rc = use_of(r, up, el, t->at[AT_NAME], &u);

	if (rc)
		return rc;
	hidden(r, it, el, t, u.fresh);
	if (obix_value((enum obix_el)el->el) == VALUE_NONE)
		return 0;
	if (up && up->def && t->at[AT_UNIT].n)
		rc = define_member(r, &d->known.proto[up->def - 1], t);
	if (rc)
		return rc;
	if (el->el == EL_STR && span_is(t->at[AT_NAME], "facets"))
		facets(r, t);
	/* Bounds without a value can be set to what it is. */
	if (!val.n && (t->at[AT_MIN].n || t->at[AT_MAX].n))
		val = t->at[AT_MIN].n ? t->at[AT_MIN] : t->at[AT_MAX];
	if (!val.p)
		return 0;
	use = is_member(el, u.value, t) ? u.use : USE_VALUE;
	if (el->el == EL_STR && up && span_is(t->at[AT_NAME], "facets") &&
	    sizing_facets_only(val))
		return 0;
	if (bookkeeping(r, it, &use, val))
		return 0;
	el->valued = true;
	el->statistic = use == USE_STATISTIC;
	if (use != USE_VALUE && use != USE_STATISTIC)
		s = (struct sizing){.quantity = (uint8_t)quantity_of(use),
				    .sure = true};
	else
		s = sizing_of(r, el, t);
	sizing_value(r, it, el, &s, val);
	if (s.sure && !s.known)
		learn_value(r, up, &s, t);
	return 0;
}
