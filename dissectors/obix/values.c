/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of an element, and where else values hide (obix.md 13.4).
 */
#include "dissectors/obix/state.h"

static void record_stamp(struct doc *d, const struct xml_tag *t)
{
	bool unbounded;

	d->has_now = value_abstime(t->at[AT_VAL], &d->now_ms, &unbounded) &&
		     !unbounded;
}

static void filter_instant(struct item *it, enum obix_use use, struct span val)
{
	int64_t ms;
	bool unbounded;

	if (!value_abstime(val, &ms, &unbounded) || unbounded)
		return;
	if (use == USE_START) {
		it->has_start = true;
		it->start = ms;
	} else {
		it->has_end = true;
		it->end = ms;
	}
}

/* What a member of a standard contract says; false: it is a value. */
static bool member(struct reader *r, struct item *it, enum obix_use use,
		   const struct xml_tag *t)
{
	struct span val = t->at[AT_VAL];
	struct decimal n;
	int64_t ms = 0;
	bool unbounded;

	switch (use) {
	case USE_STAMP:
		record_stamp(r->d, t);
		return true;
	case USE_BEGIN:
		r->d->has_begin = value_abstime(val, &ms, &unbounded) &&
				  !unbounded;
		r->d->begin_ms = ms;
		return true;
	case USE_COUNT:
	case USE_NOTHING:
		return true;
	case USE_EACH:
		/* Rolled up from one: minimum and maximum are that one. */
		if (!value_decimal(val, &n) || n.e > 9 ||
		    (n.e == 0 && n.m <= 1))
			r->d->single = true;
		return true;
	case USE_START:
	case USE_END:
		filter_instant(it, use, val);
		return true;
	case USE_LIMIT:
		it->has_limit = value_decimal(val, &n) && n.e >= 0 && n.e < 9 &&
				n.m >= 0 && n.m < 1000000;
		it->limit = it->has_limit ? (uint32_t)n.m : 0;
		for (int e = n.e; it->has_limit && e > 0; e--)
			it->limit = it->limit < UINT32_MAX / 10 ? it->limit * 10
								: UINT32_MAX;
		return true;
	case USE_INTERVAL:
		if (value_reltime(val, &ms) && ms > 0)
			it->interval_s = ms / 1000 > INT32_MAX
						 ? INT32_MAX
						 : (uint32_t)(ms / 1000);
		return true;
	default:
		return false;
	}
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

static bool numbers(struct span s)
{
	size_t at = 0;

	return value_number_in(s, &at).n > 0;
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

/* Text for people that holds numbers where no value does (obix.md 13.4). */
static void hidden(struct reader *r, struct item *it, const struct elem *el,
		   const struct xml_tag *t)
{
	enum obix_value v = obix_value((enum obix_el)el->el);
	bool text = t->at[AT_DISPLAY].n && numbers(t->at[AT_DISPLAY]);

	if (!text && !t->other_values)
		return;
	if (t->at[AT_VAL].p &&
	    (v == VALUE_NUMBER || v == VALUE_INSTANT || v == VALUE_DURATION))
		text = false; /* repeats it in words */
	if (t->at[AT_VAL].p && numbers(t->at[AT_VAL]))
		text = false; /* counted as the value is */
	if (!text && !t->other_values)
		return;
	if (el->el == EL_ERR && !t->other_values && it->err &&
	    r->d->depth == 0 && repeats(r, t->at[AT_DISPLAY]))
		return;
	it->meas |= MEAS_BIT(MEAS_UNKNOWN_TABLE);
	it->values++;
	it->unsized = true;
	it->notes++;
}

/* An unit in a facets string is that of the object it belongs to. */
static void facets(struct reader *r, const struct xml_tag *t)
{
	struct doc *d = r->d;
	struct elem *up = doc_parent(d);
	struct sizing s;

	if (!up || !span_is(t->at[AT_NAME], "facets"))
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

/* Of every record the same few members: asked of the table once in a unit. */
static enum obix_use use_of(struct reader *r, const struct elem *up,
			    struct span name)
{
	enum obix_use use;

	if (!up || !up->record)
		return up ? obix_member(up->contracts, name) : USE_VALUE;
	for (uint32_t i = 0; i < r->n_uses; i++) {
		if (member_is(&r->use[i].name, up->contracts, name))
			return (enum obix_use)r->use[i].use;
	}
	use = obix_member(up->contracts, name);
	if (r->n_uses < MEMBERS &&
	    member_set(&r->use[r->n_uses].name, up->contracts, name))
		r->use[r->n_uses++].use = (uint8_t)use;
	return use;
}

int value_read(struct reader *r, struct elem *el, const struct xml_tag *t)
{
	struct doc *d = r->d;
	struct elem *up = doc_parent(d);
	struct item *it = doc_item(d);
	enum obix_use use = use_of(r, up, t->at[AT_NAME]);
	struct span val = t->at[AT_VAL];
	struct sizing s;

	hidden(r, it, el, t);
	if (obix_value((enum obix_el)el->el) == VALUE_NONE)
		return 0;
	if (use >= USE_SCALE) {
		define_unit_member(d, use, val);
		return 0;
	}
	if (up && up->def && t->at[AT_UNIT].n)
		define_member(r, &d->known.proto[up->def - 1], t);
	if (el->el == EL_STR && span_is(t->at[AT_NAME], "facets")) {
		facets(r, t);
		return 0;
	}
	/* Bounds without a value can be set to what it is. */
	if (!val.p)
		val = t->at[AT_MIN].p ? t->at[AT_MIN] : t->at[AT_MAX];
	if (!val.p)
		return 0;
	if (member(r, it, use, t))
		return 0;
	el->valued = true;
	if (use != USE_VALUE)
		s = (struct sizing){.quantity = (uint8_t)quantity_of(use),
				    .sure = true};
	else
		s = sizing_of(r, el, t);
	sizing_value(r, it, el, &s, val);
	if (s.sure && !s.known)
		learn_value(r, up, &s, t);
	return 0;
}
