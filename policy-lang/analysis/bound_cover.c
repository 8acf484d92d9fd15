/* SPDX-License-Identifier: Apache-2.0 */
/* What of one layer covers what of another. */
#include <stdlib.h>

#include "policy-lang/analysis/bound_parts.h"

/* What one image's columns cover of another's, parties, directions and types
 * aside: of each column of grants of of, the columns of im that select all that
 * it does. Columns of two images have classes of their own; then only a column
 * that asks for no attribute is sure to. */
static void keep(uint64_t *to, const uint64_t *row, uint32_t words)
{
	for (uint32_t w = 0; w < words; w++)
		to[w] &= row[w];
}

static uint64_t *row_of(const struct inside *x, uint32_t grant)
{
	return x->row + (size_t)(grant - x->of->col_at[COL_GRANT]) *
				x->im->words;
}

/* Columns of grants that are in has lie inside those that are in row. */
static void keep_of(const struct inside *x, const uint64_t *has,
		    const uint64_t *but, const uint64_t *row)
{
	const struct pol_image *of = x->of;

	for (uint32_t w = 0; w < of->words; w++) {
		uint64_t g = has[w] & of->mask[COL_GRANT][w];

		for (g &= but ? ~but[w] : g; g; g &= g - 1)
			keep(row_of(x, 64 * w + (uint32_t)__builtin_ctzll(g)),
			     row, x->im->words);
	}
}

static void keep_field(const struct inside *x, const struct lay_dim *d)
{
	const struct pol_image *im = x->im, *of = x->of;
	uint64_t all[LAY_WORDS];

	memset(all, 0xff, sizeof(all));
	for (uint32_t r = 0; r < d->n_rows; r++)
		keep(all, img_row(im, d, r), im->words);
	if (im != of) {
		keep_of(x, of->mask[COL_GRANT], NULL, all);
		return;
	}
	keep_of(x, all, NULL, all);
	for (uint32_t r = 0; r < d->n_rows; r++)
		keep_of(x, img_row(im, d, r), all, img_row(im, d, r));
}

static int find_inside(struct inside *x, const struct pol_image *im,
		       const struct pol_image *of)
{
	size_t n = of->col_at[COL_GRANT + 1] - of->col_at[COL_GRANT];

	*x = (struct inside){im, of, malloc((n * im->words + 1) * 8)};
	if (!x->row)
		return E_NOMEM;
	memset(x->row, 0xff, n * im->words * 8);
	for (uint16_t k = 0; k < OBS_COUNT; k++)
		keep_of(x, match_kind(of, k), NULL, match_kind(im, k));
	for (uint32_t i = LAY_DIM_FIELDS; i < im->n_OBSV; i++)
		keep_field(x, &im->OBSV[i]);
	for (size_t i = 0; i < n * im->words; i++)
		x->row[i] |= im->bare[i % im->words];
	return 0;
}

int bound_cover_new(struct cover *c, const struct pol_set *s, size_t m)
{
	const struct pol_image *v = s->m[m].vendor;
	int rc = 0;

	*c = (struct cover){0};
	for (unsigned l = 0; !rc && v && l < LAYERS; l++) {
		const struct pol_image *im = set_image(s, m, (enum layer)l);

		if (im)
			rc = find_inside(&c->vendor[l], im, v);
		if (!rc && im && s->base && v->META->monitor_until)
			rc = find_inside(&c->base[l], im, s->base);
	}
	return rc;
}

void bound_cover_free(struct cover *c)
{
	for (unsigned l = 0; l < LAYERS; l++) {
		free(c->vendor[l].row);
		free(c->base[l].row);
	}
}

/* Has column a, or does it ask for none of, these types (0: none at all)? */
static bool has_types(const struct pol_image *im, uint32_t a, meas_set meas)
{
	const struct lay_dim *d = &im->OBSV[LAY_DIM_MEAS];

	if (bit_get(im->bare, a))
		return true;
	if (meas == 0)
		return bit_get(img_row(im, d, MEAS_COUNT), a);
	for (meas_set s = meas; s; s &= s - 1) {
		if (!bit_get(img_row(im, d, (uint32_t)__builtin_ctzll(s)), a))
			return false;
	}
	return true;
}

/* Is grant g of an image one of the rule's, or, with BOUND_NO_RULE, a ceiling
 * over the party? */
static bool grants(const struct place *at, const struct pol_image *of,
		   uint32_t g, uint32_t rule)
{
	if (rule != BOUND_NO_RULE)
		return of->COLS[g].owner == rule;
	return bit_get(at->s->m[at->m].rows[LAYER_BASE] +
			       (size_t)at->party * of->words,
		       g) &&
	       bit_get(img_row(of, &of->OBSV[LAY_DIM_DIR], at->dir), g);
}

struct range bound_columns(const struct pol_image *im, enum lay_col_type type,
			   uint32_t owner)
{
	uint32_t lo = im->col_at[type], hi = im->col_at[type + 1], end = hi;

	while (lo < hi) { /* they stand by their owners */
		uint32_t mid = (lo + hi) / 2;

		if (im->COLS[mid].owner < owner)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (hi = lo; hi < end && im->COLS[hi].owner == owner;)
		hi++;
	return (struct range){lo, hi};
}

static struct range grants_of(const struct pol_image *of, uint32_t rule)
{
	return rule == BOUND_NO_RULE
		       ? (struct range){of->col_at[COL_GRANT],
					of->col_at[COL_GRANT + 1]}
		       : bound_columns(of, COL_GRANT, rule);
}

static const struct inside *inside_of(const struct place *at, enum layer l,
				      uint32_t rule)
{
	const struct inside *x = rule == BOUND_NO_RULE ? &at->cover->base[l]
						       : &at->cover->vendor[l];

	return x->row ? x : NULL;
}

const uint64_t *bound_within(const struct place *at, enum layer l,
			     uint32_t rule)
{
	const struct inside *x = inside_of(at, l, rule);
	struct range of = {0, 0};

	if (x)
		of = grants_of(x->of, rule);
	for (uint32_t g = of.from; g < of.to; g++) {
		if (grants(at, x->of, g, rule))
			return row_of(x, g);
	}
	return NULL;
}

bool bound_covers(const struct place *at, enum layer l, enum lay_col_type type,
		  uint32_t owner, uint32_t rule, meas_set meas)
{
	const struct inside *x = inside_of(at, l, rule);
	const struct pol_image *im;
	const uint64_t *row, *dir;
	struct range of, by;

	if (!x)
		return false;
	im = x->im;
	row = at->s->m[at->m].rows[l] + (size_t)at->party * im->words;
	dir = img_row(im, &im->OBSV[LAY_DIM_DIR], at->dir);
	of = grants_of(x->of, rule);
	by = owner == LAY_NONE ? (struct range){im->col_at[type],
						im->col_at[type + 1]}
			       : bound_columns(im, type, owner);
	for (uint32_t g = of.from; g < of.to; g++) {
		const uint64_t *in = row_of(x, g);
		bool hit = false;

		if (!grants(at, x->of, g, rule))
			continue;
		for (uint32_t c = by.from; c < by.to && !hit; c++)
			hit = bit_get(in, c) && bit_get(row, c) &&
			      bit_get(dir, c) && has_types(im, c, meas) &&
			      (owner != LAY_NONE || type == COL_DENY ||
			       im->RULE[im->COLS[c].owner].flags &
				       LAY_RULE_BLOCK);
		if (!hit)
			return false;
	}
	return true;
}

bool bound_denied(const struct place *at, uint32_t rule, meas_set meas,
		  bool customer)
{
	return bound_covers(at, LAYER_BASE, COL_DENY, LAY_NONE, rule, meas) ||
	       bound_covers(at, LAYER_VENDOR, COL_DENY, LAY_NONE, rule, meas) ||
	       (customer && bound_covers(at, LAYER_CUSTOMER, COL_RESTRICT,
					 LAY_NONE, rule, meas));
}

/* Have they a kind of observation in common? */
static bool kinds_meet(const struct pol_image *ia, uint32_t a,
		       const struct pol_image *ib, uint32_t b)
{
	for (uint16_t k = 0; k < OBS_COUNT; k++) {
		if (bit_get(match_kind(ia, k), a) &&
		    bit_get(match_kind(ib, k), b))
			return true;
	}
	return false;
}

meas_set bound_admits(const struct place *at, uint32_t ceiling, uint32_t rule,
		      bool *bare)
{
	const struct machine *m = &at->s->m[at->m];
	const struct pol_image *im = at->s->base, *v = m->vendor;
	const uint64_t *row =
		m->rows[LAYER_BASE] + (size_t)at->party * im->words;
	struct range by = bound_columns(im, COL_GRANT, ceiling), of = {0, 0};
	meas_set meas = 0;

	if (rule != BOUND_NO_RULE)
		of = bound_columns(v, COL_GRANT, rule);
	for (uint32_t c = by.from; c < by.to; c++) {
		bool kind = rule == BOUND_NO_RULE;

		if (!bit_get(row, c) ||
		    !bit_get(img_row(im, &im->OBSV[LAY_DIM_DIR], at->dir), c))
			continue;
		for (uint32_t g = of.from; g < of.to && !kind; g++)
			kind = kinds_meet(v, g, im, c);
		for (uint32_t t = 0; kind && t < MEAS_COUNT; t++) {
			if (bit_get(img_row(im, &im->OBSV[LAY_DIM_MEAS], t), c))
				meas |= MEAS_BIT(t);
		}
		*bare |= kind && bit_get(img_row(im, &im->OBSV[LAY_DIM_MEAS],
						 MEAS_COUNT),
					 c);
	}
	return meas;
}
