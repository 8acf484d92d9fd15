/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of an element, and where else values hide (obix.md 13.4).
 */
#include "dissectors/obix/state.h"

/* An end that an answer leaves open could be any. */
static bool instant(struct item *it, enum obix_use use, struct span val,
		    bool request)
{
	int64_t ms;
	bool unbounded;

	if (!value_abstime(val, &ms, &unbounded))
		return false;
	if (unbounded)
		return request;
	if (use == USE_START) {
		it->has_start = true;
		it->start = ms;
	} else {
		it->has_end = true;
		it->end = ms;
	}
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
	it->has_limit = value_count(val, &it->limit);
	return it->has_limit;
}

/* How many there are: compared at the end with what is there. */
static bool counted(struct item *it, enum obix_use use, struct span val)
{
	uint32_t n;

	if (!value_count(val, &n))
		return false;
	if (use == USE_COUNT) {
		it->whole.has_count = true;
		it->whole.count = n;
	} else {
		it->whole.has_added = true;
		it->whole.added = n;
	}
	return true;
}

/* How a history shall be written: a type of media that is known. */
static bool is_form(struct span val)
{
	static const char *const types[] = {
		"text/xml",	   "application/xml",
		"application/obix+xml", "application/x-obix-binary",
		"application/exi", "application/json",
		"text/csv",	   "text/plain",
	};

	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (span_is(val, types[i]))
			return true;
	}
	return false;
}

/* What a member of a standard contract says; false: it is none. */
static bool says(struct reader *r, struct item *it, enum obix_use use,
		 struct span val)
{
	bool request = r->d->request, is;

	switch (use) {
	case USE_STAMP:
		return record_stamp(r->d, val);
	case USE_BEGIN:
		return record_begin(r->d, val);
	case USE_EACH:
		return record_each(r->d, val);
	case USE_COUNT:
	case USE_ADDED:
		return !request && counted(it, use, val);
	case USE_FORM:
		return is_form(val);
	case USE_COMPACT:
		return value_bool(val, &is);
	case USE_START:
	case USE_END:
		return instant(it, use, val, request);
	case USE_LIMIT:
		return request && limit(it, val);
	case USE_INTERVAL:
		return request && interval(it, val);
	default:
		return define_unit_member(r->d, use, val);
	}
}

static bool is_text(enum obix_value v)
{
	return v == VALUE_TEXT || v == VALUE_URI || v == VALUE_NAME;
}

struct use {
	enum obix_use use;
	enum obix_value value;
	bool fresh; /* not of a record before */
};

static bool is_statistic(enum obix_use use)
{
	return use == USE_STATISTIC || use == USE_AVERAGE || use == USE_SUM;
}

/* Is it the member of that name, or something that only has the name? */
static bool is_member(const struct elem *el, const struct use *u,
		      const struct xml_tag *t)
{
	enum obix_value is = obix_value((enum obix_el)el->el);

	return el->el != EL_UNKNOWN &&
	       (!t->at[AT_UNIT].n || is_statistic(u->use)) &&
	       (is == u->value || (is_text(is) && is_text(u->value)));
}

/* A member whose value says nothing of the home. *use: as what it is counted
 * otherwise. */
static bool bookkeeping(struct reader *r, struct item *it, enum obix_use *use,
			struct span val)
{
	const struct elem *up = r->up;
	bool of_record = *use == USE_STAMP || *use == USE_BEGIN ||
			 *use == USE_EACH;
	bool once = !of_record && *use < USE_SCALE;

	if (*use < USE_FORM)
		return false;
	if (val.n == 0)
		return true;
	/* Of two, what is there can be only one; and where there is no record
	 * nothing is stamped. */
	if ((of_record && !up->record) || (once && it->told & 1u << *use) ||
	    !says(r, it, *use, val)) {
		*use = USE_VALUE;
		return false;
	}
	it->told |= once ? 1u << *use : 0;
	return true;
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

/* An unit in a facets string is that of the object it belongs to. */
static void facets(struct reader *r, const struct xml_tag *t)
{
	struct doc *d = r->d;
	struct elem *up = r->up;
	struct sizing s;

	if (!up)
		return;
	s = sizing_facets(t->at[AT_VAL]);
	if (!s.sure || up->has_facets)
		return;
	up->facets = s;
	up->has_facets = true;
	if (!up->valued || r->second)
		return;
	if (d->known.facets_n == FACETS) {
		define_full(r);
		return;
	}
	d->known.facet[d->known.facets_n].ordinal = up->ordinal;
	d->known.facet[d->known.facets_n++].sizing = s;
	r->again = true;
}

/* A string that says what another member of its object is like: true. Its
 * bounds are numbers of that. */
static RARE bool only_facets(struct reader *r, struct item *it,
			     const struct elem *el, const struct xml_tag *t)
{
	const struct elem *up = r->up;
	struct span bound[2] = {{0}};
	struct sizing s = {0};

	facets(r, t);
	if (up->el == EL_LIST || up->el == EL_FEED || up->el == EL_UNKNOWN ||
	    up->record || !sizing_facets_only(t->at[AT_VAL], bound))
		return false;
	if (up->has_facets)
		s = up->facets;
	for (unsigned i = 0; i < 2; i++) {
		if (hidden_bound((struct span){0}, bound[i]))
			sizing_value(r, it, el, &s, t, bound[i]);
	}
	return true;
}

static RARE void learn_value(struct reader *r, const struct elem *up,
			     const struct sizing *s, const struct xml_tag *t)
{
	struct doc *d = r->d;
	struct obix_key object = doc_item(d)->object, key = {0};
	const struct href *h = NULL;

	if (d->request)
		return;
	if (t->at[AT_HREF].n && !(up && up->record))
		h = doc_href(r, doc_base(d), t->at[AT_HREF], NULL);
	if (up && up->record && key_set(object))
		key = obix_member_key(object, t->at[AT_NAME]);
	else if (h)
		key = obix_key(r->c, href_span(h));
	else if (d->depth == 0)
		key = object;
	define_learn(r, key, s);
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
		d->use[d->uses_n].hash = obix_hash(name);
		d->use[d->uses_n].use = (uint8_t)u->use;
		d->use[d->uses_n].value = (uint8_t)u->value;
		up->uses |= (uint8_t)(1u << d->uses_n++);
		return 0;
	}
	return named(r, up, name, u->use != USE_VALUE);
}

/* Is it what its type holds? A member of another kind has only its name. */
static bool parses(const struct elem *el, struct span val)
{
	struct decimal n;
	int64_t ms;
	bool open;

	switch (obix_value((enum obix_el)el->el)) {
	case VALUE_NUMBER:
		return value_decimal(val, &n) &&
		       (el->el != EL_INT || (n.e >= 0 && n.m >= 0));
	case VALUE_INSTANT:
		return value_abstime(val, &ms, &open) || value_date(val) ||
		       value_time(val);
	case VALUE_DURATION:
		return value_reltime(val, &ms);
	default:
		return true;
	}
}

/* Bounds beside a value can tell as much, and without one what it is. */
static RARE void bounds(struct reader *r, struct item *it,
			const struct elem *el, const struct sizing *s,
			const struct xml_tag *t)
{
	static const uint8_t at[] = {AT_MIN, AT_MAX};

	for (unsigned i = 0; i < 2; i++) {
		if (!hidden_bound(t->at[AT_VAL], t->at[at[i]]))
			continue;
		if (s)
			sizing_value(r, it, el, s, t, t->at[at[i]]);
		else
			item_hides(it, 1);
	}
}

/* What it says where it says nothing. How many records are asked for, and what a
 * unit is, has other defaults than its type. */
static struct span silent(const struct elem *el, const struct use *u,
			  const struct xml_tag *t)
{
	struct span val = obix_silent((enum obix_el)el->el);

	if (is_member(el, u, t) && (u->use == USE_LIMIT || u->use >= USE_SCALE))
		return span_sub(val, 0, 0);
	return val;
}

/* What the records of a History are like, which stands at the root or in an item:
 * its units are known when they are asked for. */
static void pattern(struct reader *r, const struct xml_tag *t)
{
	const struct doc *d = r->d;
	const struct elem *of = &d->stack[d->depth - 2u];
	struct obix_key object = doc_item(r->d)->object;
	struct sizing s;

	if (d->request || !t->at[AT_UNIT].n || !t->at[AT_NAME].n ||
	    !key_set(object) || !(d->depth == 2 || of->item))
		return;
	s = sizing_unit(r, t->at[AT_UNIT]);
	if (s.sure)
		define_learn(r, obix_member_key(object, t->at[AT_NAME]), &s);
}

/* An element of a type that has values, in an object that says what others are
 * like. *is: it is no value where it has none. */
static RARE int defines(struct reader *r, struct elem *el, const struct use *u,
			const struct xml_tag *t, bool *is)
{
	const struct elem *up = r->up;

	*is = up->pattern;
	if (up->pattern)
		pattern(r, t);
	if (up->within && !up->def)
		proto_deeper(r, up->within);
	if (!up->def)
		return 0;
	*is = is_member(el, u, t) && u->use >= USE_FORM;
	return *is ? 0 : proto_member(r, el, t, is);
}

static int read(struct reader *r, struct elem *el, const struct xml_tag *t,
		const struct use *u)
{
	struct doc *d = r->d;
	struct elem *up = r->up;
	struct item *it = doc_item(d);
	enum obix_value kind = obix_value((enum obix_el)el->el);
	bool bounded = (t->at[AT_MIN].n || t->at[AT_MAX].n) &&
		       (kind == VALUE_NUMBER || kind == VALUE_INSTANT ||
			kind == VALUE_DURATION);
	struct span val = t->at[AT_VAL];
	struct sizing s;
	bool says = val.n || !el->silent; /* something, if only "" */
	enum obix_use use;
	bool faceted, is;
	unsigned n;

	hidden_read(r, it, el, t, u->fresh);
	text_read(r, el, t, u->fresh && u->use == USE_VALUE);
	if (kind == VALUE_NONE) {
		(void)text_value(r, el, val);
		return 0;
	}
	use = is_member(el, u, t) ? u->use : USE_VALUE;
	if (!val.p && !bounded &&
	    !(up && up->record && el->null && use <= USE_STATISTIC))
		return 0;
	faceted = val.p && up && el->el == EL_STR &&
		  span_is(t->at[AT_NAME], "facets");
	if (faceted)
		text_facets(r, val);
	if (faceted && only_facets(r, it, el, t))
		return 0;
	if (val.p && bookkeeping(r, it, &use, val)) {
		r->text.told += !d->in_data && says;
		if (bounded)
			bounds(r, it, el, NULL, t);
		return 0;
	}
	if (use > USE_VALUE && use < USE_STATISTIC && val.n &&
	    !parses(el, val))
		use = USE_VALUE;
	el->valued = true;
	el->statistic = is_statistic(use);
	it->waits = it->waits || (use == USE_ALARM && u->value == VALUE_NUMBER);
	if (use > USE_VALUE && use < USE_STATISTIC)
		s = (struct sizing){.quantity = (uint8_t)quantity_of(use),
				    .sure = true};
	else if (faceted) /* and what not */
		s = (struct sizing){0};
	else
		s = sizing_of(r, el, t);
	n = val.n ? hidden_value(r, it, el, &s, val) : 0;
	if (n) {
		s = (struct sizing){0};
		it->hidden = true;
		item_hides(it, n - 1);
	}
	is = !val.n || faceted ||
	     (kind == VALUE_NUMBER && r->number.is && r->number.of.p == val.p) ||
	     text_value(r, el, val);
	if (val.p || !bounded)
		sizing_value(r, it, el, &s, t, val);
	/* Of records that follow on each other all have the same names. */
	r->text.told += says && is && n == 0 && (!d->in_data || u->fresh);
	if (el->statistic)
		record_statistic(d, use, val);
	if (bounded)
		bounds(r, it, el, &s, t);
	if (s.sure && !s.known)
		learn_value(r, up, &s, t);
	return 0;
}

/* Could what it is like, or what its parent is like, have another value than its
 * type? What another document defines is not known. */
static bool inherits(const struct doc *d, const struct elem *el,
		     const struct elem *up, const struct xml_tag *t)
{
	return el->proto || el->foreign ||
	       (up && (up->foreign || up->several ||
		       proto_says(d, up, t->at[AT_NAME])));
}

/* Which number it is nobody can say. */
static void unsaid(struct item *it, const struct elem *el)
{
	enum obix_value kind = obix_value((enum obix_el)el->el);

	if (!el->valued)
		return;
	it->unsized |= kind == VALUE_NUMBER || kind == VALUE_DURATION;
	it->echo++;
	it->echo_last++;
}

/* As if it had the value of those of its type that say none. */
static RARE int read_silent(struct reader *r, struct elem *el,
			    const struct xml_tag *t, const struct use *u)
{
	struct xml_tag whole = *t;
	int rc;

	whole.at[AT_VAL] = silent(el, u, t);
	el->silent = true;
	el->hollow = el->hollow && !whole.at[AT_VAL].n;
	rc = read(r, el, &whole, u);
	if (rc == 0 && inherits(r->d, el, r->up, t))
		unsaid(doc_item(r->d), el);
	return rc;
}

int value_read(struct reader *r, struct elem *el, const struct xml_tag *t)
{
	struct elem *up = r->up;
	bool is = false;
	struct use u;
	int rc = use_of(r, up, el, t->at[AT_NAME], &u);

	if (rc || el->el == EL_UNKNOWN ||
	    obix_value((enum obix_el)el->el) == VALUE_NONE)
		return rc ? rc : read(r, el, t, &u);
	if (up && (up->def || up->within || up->pattern))
		rc = defines(r, el, &u, t, &is);
	if (rc || is || t->at[AT_VAL].p || el->null)
		return rc ? rc : read(r, el, t, &u);
	return read_silent(r, el, t, &u);
}
