/* SPDX-License-Identifier: Apache-2.0 */
/* What a document defines for its own use: prototypes, units. */
#include "dissectors/obix/state.h"

/* The first "#X" of a list, hashed; 0: none. */
uint64_t define_fragment(struct span list)
{
	size_t from = 0, to;

	while (from < list.n && list.p[from] != '#')
		from++;
	if (from == list.n)
		return 0;
	for (to = from; to < list.n && list.p[to] > ' ';)
		to++;
	return obix_hash(span_sub(list, from, to - from));
}

uint8_t define_find(const struct doc *d, uint64_t name)
{
	for (uint8_t i = 0; i < d->known.protos_n; i++) {
		if (d->known.proto[i].name == name)
			return (uint8_t)(i + 1);
	}
	return 0;
}

/* This object can be referred to as "#X". */
void define_proto(struct reader *r, struct elem *el, uint64_t name)
{
	struct doc *d = r->d;

	if (define_find(d, name)) {
		el->def = define_find(d, name);
		return;
	}
	if (d->known.protos_n == PROTOS) {
		d->odd = true;
		return;
	}
	d->known.proto[d->known.protos_n++] = (struct proto){.name = name};
	el->def = d->known.protos_n;
	if (name == d->wanted)
		r->again = true;
}

/* Of two definitions of one name readers keep the first or the last. */
static int two(struct err *e)
{
	return err_reason(e, E_SYNTAX, REASON_SUSPICIOUS, 0,
			  "two definitions of one name");
}

static bool differ(const struct sizing *a, const struct sizing *b)
{
	return a->quantity != b->quantity || a->num != b->num ||
	       a->den != b->den;
}

int define_member(struct reader *r, struct proto *p, const struct xml_tag *t)
{
	struct sizing s = {0};
	uint64_t name = obix_hash(t->at[AT_NAME]);

	if (!t->at[AT_UNIT].n || !t->at[AT_NAME].n)
		return 0;
	s = sizing_unit(r, t->at[AT_UNIT]);
	for (unsigned i = 0; i < p->n; i++) {
		if (p->member[i].name != name)
			continue;
		return s.sure && differ(&p->member[i].sizing, &s) ? two(r->e)
								  : 0;
	}
	if (!s.sure || p->n == PROTO_MEMBERS)
		return 0;
	p->member[p->n].name = name;
	p->member[p->n++].sizing = s;
	return 0;
}

void define_unit(struct reader *r, struct elem *el, struct span ref)
{
	struct doc *d = r->d;
	struct unit_def *u;
	struct href h;

	/* The second reading finds those of the first. */
	for (uint8_t i = 0; r->second && i < d->known.defs_n; i++) {
		if (d->known.def[i].href == obix_hash(ref)) {
			el->unit_def = (uint8_t)(i + 1);
			return;
		}
	}
	if (d->known.defs_n == UNIT_DEFS) {
		d->odd = true;
		return;
	}
	u = &d->known.def[d->known.defs_n++];
	*u = (struct unit_def){.href = obix_hash(ref), .num = 1, .den = 1};
	if (href_resolve(&h, doc_base(d), ref, NULL) == 0 && !h.fragment)
		u->key = obix_key(r->c, href_span(&h));
	el->unit_def = d->known.defs_n;
}

/* A member of a unit or of its dimension. */
bool define_unit_member(struct doc *d, enum obix_use use, struct span val)
{
	struct unit_def *u = NULL;
	struct decimal v;
	int64_t f = 1;

	for (unsigned i = d->depth; i > 0 && !u; i--) {
		if (d->stack[i - 1].unit_def)
			u = &d->known.def[d->stack[i - 1].unit_def - 1];
	}
	if (!u || !value_decimal(val, &v) || v.e > 15 || v.e < -15) {
		if (u)
			u->odd = true;
		return false;
	}
	for (int e = v.e < 0 ? -v.e : v.e; e > 0; e--)
		f *= 10;
	if (use == USE_SCALE) {
		bool fits = v.exact && v.m > 0 &&
			    v.m < INT64_C(1000000000000) && f <= 1000000000;

		u->num = fits ? v.m * (v.e > 0 ? f : 1) : 0;
		u->den = fits && v.e < 0 ? f : 1;
		return true;
	}
	u->has_dim = true;
	if (v.e != 0 || v.m > 9 || v.m < -9) {
		u->odd = true;
		return false;
	}
	if (use == USE_MOL)
		u->odd |= v.m != 0;
	else
		u->dim[use == USE_CD ? 5 : use - USE_KG] = (int8_t)v.m;
	return true;
}

/* Known, it holds for later documents too, under its URI. */
int define_unit_done(struct reader *r, uint8_t index)
{
	const struct unit_def *u = &r->d->known.def[index - 1];
	struct sizing s;
	struct learnt *l;

	s = sizing_of_def(u);
	for (uint8_t i = 0; i + 1 < index; i++) {
		const struct unit_def *was = &r->d->known.def[i];
		struct sizing before = sizing_of_def(was);

		if (was->href == u->href && differ(&before, &s))
			return two(r->e);
	}
	if (u->href == r->d->wanted_unit)
		r->again = true;
	if (r->d->request || !key_set(u->key))
		return 0;
	l = learnt_stage(r->m, u->key);
	if (!l)
		return 0;
	l->has_quantity = true;
	l->quantity = s.quantity;
	l->num = s.num;
	l->den = s.den;
	l->unit = (struct span){0};
	return 0;
}
