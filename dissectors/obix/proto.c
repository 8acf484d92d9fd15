/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prototypes: objects of a document that others in it are like, by "#X" in their
 * `is` or in the `of` of their list. What one of these does not say it has as
 * its prototype has it (oBIX 1.1 6): a member that is left out counts as if it
 * stood there, and in the prototype what has no value is none.
 */
#include "dissectors/obix/state.h"

static struct proto *proto_of(struct doc *d, uint8_t index)
{
	return &d->known.proto[index - 1];
}

uint8_t proto_find(const struct doc *d, uint64_t name)
{
	for (uint8_t i = 0; i < d->known.protos_n; i++) {
		if (d->known.proto[i].name == name)
			return (uint8_t)(i + 1);
	}
	return 0;
}

static bool is_wanted(const struct doc *d, uint64_t name)
{
	for (unsigned i = 0; i < d->wanted_n; i++) {
		if (d->wanted[i] == name)
			return true;
	}
	return false;
}

/* Something is like what is not there yet. */
static void want(struct reader *r, uint64_t name)
{
	struct doc *d = r->d;

	if (is_wanted(d, name))
		return;
	if (d->wanted_n == WANTED)
		define_full(r);
	else
		d->wanted[d->wanted_n++] = name;
}

/* Its unit is that of what is like it. Of two nobody knows which. */
static void own(struct reader *r, struct proto *p, const struct xml_tag *t)
{
	struct sizing s;

	if (!t->at[AT_UNIT].n)
		return;
	s = sizing_unit(r, t->at[AT_UNIT]);
	if (!s.sure)
		return;
	if (p->own.sure && sizing_differ(&p->own, &s))
		define_full(r);
	p->own = s;
}

/* This object can be referred to as "#X". */
void proto_define(struct reader *r, struct elem *el, const struct xml_tag *t)
{
	struct doc *d = r->d;
	uint64_t name = obix_hash(t->at[AT_HREF]);

	el->def = proto_find(d, name);
	if (el->def) {
		own(r, proto_of(d, el->def), t);
		return;
	}
	if (d->known.protos_n == PROTOS) {
		define_full(r);
		return;
	}
	d->known.proto[d->known.protos_n++] =
		(struct proto){.name = name, .used = is_wanted(d, name)};
	el->def = d->known.protos_n;
	own(r, proto_of(d, el->def), t);
	if (is_wanted(d, name))
		r->again = true;
}

static bool is_inside(const struct doc *d, uint8_t index)
{
	for (unsigned i = 0; i < d->depth; i++) {
		if (d->stack[i].def == index)
			return true;
	}
	return false;
}

static void teach(struct reader *r, const struct proto_member *m)
{
	if (m->sizing.sure)
		define_learn(r, m->key, &m->sizing);
}

uint8_t proto_use(struct reader *r, uint64_t name)
{
	struct doc *d = r->d;
	uint8_t index = proto_find(d, name);
	struct proto *p;

	if (!index) {
		want(r, name);
		return 0;
	}
	p = proto_of(d, index);
	if (p->used || is_inside(d, index))
		return index;
	p->used = true;
	r->again |= p->silent && !r->second;
	for (unsigned i = 0; i < p->n; i++)
		teach(r, &p->member[i]);
	return index;
}

/* --- its members --- */

/* Of two definitions of one name readers keep the first or the last. */
static int two(struct err *e)
{
	return err_reason(e, E_SYNTAX, REASON_SUSPICIOUS, 0,
			  "two definitions of one name");
}

static struct proto_member *member_of(struct proto *p, uint64_t name)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (p->member[i].name == name)
			return &p->member[i];
	}
	return NULL;
}

/* NULL: no room. */
static struct proto_member *member_add(struct proto *p,
				       const struct proto_member *m)
{
	if (p->n == PROTO_MEMBERS) {
		p->more = true;
		return NULL;
	}
	p->member[p->n] = *m;
	return &p->member[p->n++];
}

/* By its own unit, or what else tells; sure only where that is its unit. */
static struct sizing size_of(struct reader *r, const struct elem *el,
			     const struct xml_tag *t)
{
	struct sizing s = {0};

	if (t->at[AT_UNIT].n)
		s = sizing_unit(r, t->at[AT_UNIT]);
	if (!s.sure) {
		s = sizing_of(r, el, t);
		s.sure = false;
	}
	return s;
}

int proto_member(struct reader *r, struct elem *el, const struct xml_tag *t,
		 bool *kept)
{
	struct doc *d = r->d;
	const struct elem *up = r->up;
	struct proto *p = proto_of(d, up->def);
	struct proto_member m = {.el = el->el}, *was;

	*kept = false;
	if (!t->at[AT_NAME].n)
		return 0;
	m.name = obix_hash(t->at[AT_NAME]);
	m.said = t->at[AT_VAL].p  ? PROTO_VALUE
		 : xml_is_null(t) ? PROTO_NULL
				  : PROTO_SILENT;
	m.open = el->proto || el->foreign || up->foreign || up->several;
	m.sizing = size_of(r, el, t);
	if (!r->d->request && key_set(doc_item(d)->object))
		m.key = obix_member_key(doc_item(d)->object, t->at[AT_NAME]);
	was = member_of(p, m.name);
	if (was && was->sizing.sure && m.sizing.sure &&
	    sizing_differ(&was->sizing, &m.sizing))
		return two(r->e);
	if (was && m.sizing.sure)
		*was = m;
	if (!was)
		was = member_add(p, &m);
	if (!was && m.sizing.sure)
		define_full(r);
	if (was && p->used)
		teach(r, was);
	*kept = was && p->used && up->el == EL_OBJ;
	p->silent |= was && !p->used && m.said == PROTO_SILENT;
	return 0;
}

bool proto_says(const struct doc *d, const struct elem *el, struct span name)
{
	const struct proto *p;
	uint64_t h = obix_hash(name);

	if (!el->proto)
		return false;
	p = &d->known.proto[el->proto - 1];
	for (unsigned i = 0; i < p->n; i++) {
		if (p->member[i].name == h)
			return p->member[i].said == PROTO_VALUE ||
			       p->member[i].open;
	}
	return p->more;
}

void proto_deeper(struct reader *r, uint8_t index)
{
	proto_of(r->d, index)->more = true;
}

/* --- what is like it --- */

/* Has it a child of that name? Of those whose names are not kept it is said to
 * have none. */
static bool has(const struct doc *d, const struct elem *el, uint64_t name)
{
	for (unsigned i = 0; i < d->uses_n; i++) {
		if (el->uses & 1u << i && d->use[i].hash == name)
			return true;
	}
	for (unsigned i = 0; i < el->named_n; i++) {
		if (el->named[i] == name)
			return true;
	}
	return false;
}

static void count(struct reader *r, const struct elem *up,
		  const struct proto_member *m)
{
	const struct elem el = {.el = m->el, .entry = up->entry};
	struct xml_tag t = {.el = (enum obix_el)m->el};
	struct sizing s = m->sizing;
	struct span val = obix_silent((enum obix_el)m->el);

	if (r->d->known.full)
		s = (struct sizing){0};
	if (m->said != PROTO_SILENT || m->open)
		val = span_sub(val, 0, 0);
	/* It has one; only not here. */
	t.at[AT_NAME] = span_str("name");
	r->number.of = (struct span){0};
	sizing_value(r, doc_item(r->d), &el, &s, &t, val);
}

void proto_left_out(struct reader *r, const struct elem *el)
{
	struct doc *d = r->d;
	struct proto *own = el->def ? proto_of(d, el->def) : NULL, *p;

	if (el->null || el->el == EL_REF || el->el == EL_ERR)
		return;
	/* What it has of the others nobody knows. */
	if (el->several)
		item_hides(doc_item(d), 1);
	if (!el->proto || el->proto == el->def)
		return;
	p = proto_of(d, el->proto);
	for (unsigned i = 0; i < p->n; i++) {
		const struct proto_member *m = &p->member[i];

		if (has(d, el, m->name) ||
		    (m->said == PROTO_NULL && !el->record))
			continue;
		if (own && !member_of(own, m->name))
			(void)member_add(own, m);
		if (own)
			own->silent = true;
		if (!own || !own->used)
			count(r, el, m);
	}
	if (p->more && own)
		own->more = true;
	/* What else it has nobody knows. */
	if (p->more)
		item_hides(doc_item(d), 1);
}
