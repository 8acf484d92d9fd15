/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which columns does an observation match? One row per dimension, ANDed:
 * the cost depends on how many attributes are selected by, not on how many
 * rules there are.
 *
 * Where an attribute has several values (measurements, repeated facts) a
 * grant must allow all of them, while anything else is hit by one of them.
 */
#include <assert.h>

#include "policy-lang/eval/internal.h"

#ifdef COUNT_COST
_Thread_local struct cost_seen cost_seen;
#endif

meas_set obs_meas(const struct obs *o)
{
	return obs_has(o, F_ECHO) ? 0
				  : obs_get(o, F_MEASUREMENT, 0) & MEAS_ALL;
}

bool pol_is_error(const struct obs *o, meas_set meas)
{
	enum obs_kind k = (enum obs_kind)o->kind;

	if (meas)
		return false;
	if (obs_family(k) == OBS_FAMILY_OBIX)
		return obs_level(k) == OBS_LEVEL_RESPONSE && obs_has(o, F_ERR);
	return k == OBS_C1222_ERROR || (k == OBS_HTTP_RESPONSE &&
					obs_get(o, F_STATUS, 0) >= 400);
}

static void and_row(const struct pol_image *im, uint64_t *hit,
		    const uint64_t *row)
{
	COST(words, im->words);
	for (uint32_t w = 0; w < im->words; w++)
		hit[w] &= row[w];
}

static void and_both(const struct pol_image *im, uint64_t *hit,
		     const uint64_t *all, const uint64_t *any)
{
	const uint64_t *grants = im->mask[COL_GRANT];

	COST(words, im->words);
	for (uint32_t w = 0; w < im->words; w++)
		hit[w] &= (all[w] & grants[w]) | (any[w] & ~grants[w]);
}

static void meas_rows(const struct pol_image *im, meas_set meas, uint64_t *hit)
{
	const uint64_t *none = im->meas + MEAS_COUNT * im->words;
	uint64_t all[LAY_WORDS], any[LAY_WORDS];
	meas_set granted = meas & ~MEAS_ABOUT;

	if (meas == 0) {
		and_row(im, hit, none);
		return;
	}
	if ((meas & (meas - 1)) == 0) {
		const uint64_t *row =
			im->meas + (uint32_t)__builtin_ctzll(meas) * im->words;

		/* What a message is about is no measurement to a grant. */
		if (granted)
			and_row(im, hit, row);
		else
			and_both(im, hit, none, row);
		return;
	}
	for (uint32_t w = 0; w < im->words; w++) {
		all[w] = granted ? ~UINT64_C(0) : none[w];
		any[w] = 0;
	}
	for (meas_set s = meas; s; s &= s - 1) {
		uint32_t m = (uint32_t)__builtin_ctzll(s);
		const uint64_t *row = im->meas + m * im->words;

		COST(words, im->words);
		for (uint32_t w = 0; w < im->words; w++) {
			any[w] |= row[w];
			if (granted >> m & 1)
				all[w] &= row[w];
		}
	}
	and_both(im, hit, all, any);
}

static uint32_t number_row(const struct pol_image *im, const struct lay_dim *d,
			   uint64_t value)
{
	const uint32_t *v = im->LIST + d->v_first;
	uint32_t x = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
	uint32_t lo = 0, hi = d->v_n;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (x < v[mid])
			hi = mid;
		else
			lo = mid;
	}
	return lo + 1;
}

static uint32_t oid_row(const struct pol_image *im, const struct lay_dim *d,
			struct span oid)
{
	for (uint32_t i = 0; i < d->v_n; i += 2) {
		const uint32_t *v = im->LIST + d->v_first + i;

		if (v[1] == oid.n &&
		    span_eq(span_of(im->BLOB + v[0], v[1]), oid))
			return i / 2 + 2;
	}
	return 1;
}

/* Of an automaton that has no table. */
static uint32_t auto_next(const struct pol_image *im, const struct lay_auto *a,
			  uint8_t c)
{
	const uint32_t *edge = im->LIST + a->edge_first;
	uint32_t lo = 0, hi = a->edge_n;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (edge[mid] >> 24 == c)
			return edge[mid] & 0xffffff;
		if (edge[mid] >> 24 < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return c == '/' ? a->slash : a->other;
}

/* Where a text leads from at on: a state, or where that begins in the table. */
static uint32_t text_walk(const struct pol_image *im, const struct lay_dim *d,
			  uint32_t at, struct span text)
{
	const struct lay_auto *states = im->AUTO + d->v_first;
	const struct img_table *t = &im->table[d - im->OBSV];
	const uint32_t *next = im->tables + t->first;

	COST(steps, text.n);
	if (t->n_class) {
		for (size_t i = 0; i < text.n; i++)
			at = next[at + t->class_of[span_at(text, i)]];
	} else {
		for (size_t i = 0; i < text.n; i++)
			at = auto_next(im, &states[at], span_at(text, i));
	}
	return at;
}

/* The row of a text that leads there. */
static const uint64_t *text_end(const struct pol_image *im,
				const struct lay_dim *d, uint32_t at)
{
	const struct img_table *t = &im->table[d - im->OBSV];

	return img_row(im, d,
		       t->n_class ? im->tables[t->first + at + t->n_class]
				  : im->AUTO[d->v_first + at].cls + 1u);
}

/* Of a path that ended with a slash, which its fact has not, what fits either
 * spelling: "/a" as well as "/a/". That may be no row: put together in both. */
static const uint64_t *text_row(const struct pol_image *im,
				const struct lay_dim *d, struct span text,
				bool slash, uint64_t both[LAY_WORDS])
{
	uint32_t at = text_walk(im, d, 0, text);
	const uint64_t *row = text_end(im, d, at), *other;

	if (!slash)
		return row;
	at = text_walk(im, d, at, span_str("/"));
	other = text_end(im, d, at);
	COST(words, im->words);
	for (uint32_t w = 0; w < im->words; w++)
		both[w] = row[w] | other[w];
	return both;
}

static bool has_slash(const struct lay_dim *d, const struct obs *o)
{
	return (d->field == F_PATH || d->field == F_HREF) && obs_has(o, F_SLASH);
}

/* The row of one value of o, which may be put together in both; or NULL: too
 * long for any pattern to be tried. */
static const uint64_t *value_row(const struct pol_image *im,
				 const struct lay_dim *d, const struct obs *o,
				 const struct fact *f, uint64_t both[LAY_WORDS])
{
	switch (d->form) {
	case DIM_RANGES:
		return img_row(im, d, number_row(im, d, f->u));
	case DIM_OIDS:
		return img_row(im, d, oid_row(im, d, span_of(f->p, f->n)));
	default:
		if (f->n > LAY_MAX_MATCH)
			return NULL;
		return text_row(im, d, span_of(f->p, f->n), has_slash(d, o),
				both);
	}
}

/* A fact that is not there is unknown, and fits no column that asks for it;
 * but a flag that is not there is not set. */
static const uint64_t *absent_row(const struct pol_image *im,
				  const struct lay_dim *d)
{
	if (field_type((enum field)d->field) == FIELD_FLAG)
		return img_row(im, d, number_row(im, d, 0));
	return img_row(im, d, 0);
}

/* No grant fits it, every denial does. */
static void too_long(const struct pol_image *im, const struct lay_dim *d,
		     uint64_t *hit)
{
	static const uint64_t ones[LAY_WORDS] = {
		~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0),
		~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0),
		~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0),
		~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)};

	and_both(im, hit, img_row(im, d, 0), ones);
}

static void field_rows(const struct pol_image *im, const struct lay_dim *d,
		       const struct obs *o, uint64_t *hit)
{
	const uint64_t *first = NULL, *row;
	uint64_t all[LAY_WORDS], any[LAY_WORDS], both[2][LAY_WORDS];
	unsigned n = 0;

	for (unsigned i = 0; i < o->n; i++) {
		if (o->f[i].field != d->field)
			continue;
		row = value_row(im, d, o, &o->f[i], both[n > 0]);
		if (!row) {
			too_long(im, d, hit);
			continue;
		}
		if (n++ == 0) {
			first = row;
			continue;
		}
		if (n == 2) {
			memcpy(all, first, 8 * (size_t)im->words);
			memcpy(any, first, 8 * (size_t)im->words);
		}
		COST(words, im->words);
		for (uint32_t w = 0; w < im->words; w++) {
			all[w] &= row[w];
			any[w] |= row[w];
		}
	}
	if (n == 1)
		and_row(im, hit, first);
	else if (n > 1)
		and_both(im, hit, all, any);
}

const uint64_t *match_kind(const struct pol_image *im, uint16_t kind)
{
	assert(kind < OBS_COUNT);
	return im->kinds + kind * im->words;
}

/* Facts of o of the dimensions in need. Returns those that were there. */
static uint32_t obs_rows(const struct pol_image *im, uint32_t need,
			 const struct obs *o, uint64_t *hit)
{
	uint32_t seen = 0;

	for (uint32_t s = need; s; s &= s - 1) {
		const struct lay_dim *d = &im->OBSV[__builtin_ctz(s)];
		const struct fact *f = obs_fact(o, (enum field)d->field);
		uint64_t both[LAY_WORDS];
		const uint64_t *row;

		if (!f)
			continue;
		seen |= s & -s;
		if (o->repeats) { /* it may have several */
			field_rows(im, d, o, hit);
			continue;
		}
		row = value_row(im, d, o, f, both);
		if (row)
			and_row(im, hit, row);
		else
			too_long(im, d, hit);
	}
	return seen;
}

void match_obs(const struct pol_image *im, const uint64_t *row, enum dir dir,
	       const struct obs *o, const struct obs *carrier, meas_set meas,
	       uint64_t hit[LAY_WORDS])
{
	const uint64_t *d = im->dirs + dir * im->words;
	const uint64_t *k = match_kind(im, o->kind);
	const uint64_t *also = o->also ? match_kind(im, o->also) : k;
	/* The columns that are left ask about nothing else. */
	uint32_t need = im->asks[o->kind] | (o->also ? im->asks[o->also] : 0);

	COST(words, 3 * (uint64_t)im->words);
	for (uint32_t w = 0; w < im->words; w++)
		hit[w] = row[w] & d[w] & (k[w] | also[w]);
	meas_rows(im, meas, hit);
	if (need)
		need &= ~obs_rows(im, need, o, hit);
	if (need && carrier)
		need &= ~obs_rows(im, need, carrier, hit);
	for (; need; need &= need - 1)
		and_row(im, hit,
			absent_row(im, &im->OBSV[__builtin_ctz(need)]));
}

void match_bare(const struct pol_image *im, const uint64_t *row, enum dir dir,
		uint64_t hit[LAY_WORDS])
{
	const uint64_t *d = im->dirs + dir * im->words;

	for (uint32_t w = 0; w < im->words; w++)
		hit[w] = row[w] & d[w] & im->bare[w];
}
