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

bool define_foreign(struct span list, bool *several)
{
	bool foreign = false, named = false;

	for (size_t at = 0; at < list.n;) {
		size_t from = at;
		struct span one;

		while (at < list.n && list.p[at] > ' ')
			at++;
		one = span_sub(list, from, at - from);
		if (one.n && memchr(one.p, '#', one.n)) {
			*several |= named;
			named = true;
			foreign |= one.p[0] != '#'; /* of another document */
		} else if (one.n) {
			(void)obix_contracts(one, &foreign);
		}
		at++;
	}
	return foreign;
}

void define_full(struct reader *r)
{
	struct doc *d = r->d;

	r->again |= !d->known.full && !r->second;
	d->known.full = d->odd = true;
}

/* Of two definitions of one name readers keep the first or the last. */
static int two(struct err *e)
{
	return err_reason(e, E_SYNTAX, REASON_SUSPICIOUS, 0,
			  "two definitions of one name");
}

/* What was told of a thing before and what is told now differ: whichever a server
 * goes by, from here on nothing is known but what a value says beside it. */
void define_learn(struct reader *r, struct obix_key key, const struct sizing *s)
{
	struct learnt *l = learnt_stage(r->m, key);
	struct sizing was;

	if (!l || l->disputed)
		return;
	was = (struct sizing){
		.quantity = l->quantity, .num = l->num, .den = l->den};
	if (l->has_quantity && sizing_differ(&was, s)) {
		l->disputed = true;
		doc_item(r->d)->notes++;
	}
	l->has_quantity = true;
	l->quantity = s->quantity;
	l->num = s->num;
	l->den = s->den;
	l->unit = s->unit;
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
		define_full(r);
		return;
	}
	u = &d->known.def[d->known.defs_n++];
	*u = (struct unit_def){.href = obix_hash(ref), .num = 1, .den = 1};
	if (href_resolve(&h, doc_base(d), ref, NULL) == 0 && !h.fragment)
		u->key = obix_key(r->c, href_span(&h));
	el->unit_def = d->known.defs_n;
}

/* Scales in use are powers of ten, of seconds to a minute, an hour or a day:
 * others may be any number. */
static bool is_plain(const struct decimal *v)
{
	return v->exact && (v->m == 1 || v->m == 6 || v->m == 36 ||
			    v->m == 864);
}

static bool is_offset(const struct decimal *v)
{
	return v->m == 0 || (v->m == 27315 && v->e == -2);
}

/* The unit that this element is a member of; NULL: of none. */
static struct unit_def *unit_of(struct doc *d, enum obix_use use)
{
	const struct elem *up = doc_parent(d);
	uint8_t index = 0;

	if (use == USE_SCALE || use == USE_OFFSET)
		index = up->unit_def;
	else if (up->dimension)
		index = d->stack[d->depth - 2].unit_def;
	return index ? &d->known.def[index - 1] : NULL;
}

static bool scale(struct unit_def *u, const struct decimal *v)
{
	bool fits = v->exact && v->m > 0 && v->m < INT64_C(1000000000000) &&
		    v->e >= -9 && v->e <= 15;
	int64_t f = 1;

	for (int e = v->e < 0 ? -v->e : v->e; fits && e > 0; e--)
		f *= 10;
	u->num = fits ? v->m * (v->e > 0 ? f : 1) : 0;
	u->den = fits && v->e < 0 ? f : 1;
	return is_plain(v);
}

/* A member of a unit or of its dimension. */
bool define_unit_member(struct doc *d, enum obix_use use, struct span val)
{
	struct unit_def *u = unit_of(d, use);
	struct decimal v;

	if (!u)
		return false;
	if (!value_decimal(val, &v)) {
		u->odd = true;
		return false;
	}
	if (use == USE_OFFSET)
		return is_offset(&v);
	if (use == USE_SCALE)
		return scale(u, &v);
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

	s = sizing_of_def(u);
	/* Exponents that no unit has are numbers like any other. */
	if (u->has_dim && (u->odd || !obix_has_dimension(u->dim)))
		item_hides(doc_item(r->d), 1);
	for (uint8_t i = 0; i + 1 < index; i++) {
		const struct unit_def *was = &r->d->known.def[i];
		struct sizing before = sizing_of_def(was);

		if (was->href == u->href && sizing_differ(&before, &s))
			return two(r->e);
	}
	if (u->href == r->d->wanted_unit)
		r->again = true;
	if (r->d->request || r->d->known.full || !key_set(u->key))
		return 0;
	s.unit = (struct span){0};
	define_learn(r, u->key, &s);
	return 0;
}
