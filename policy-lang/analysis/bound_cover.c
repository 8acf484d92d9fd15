/* SPDX-License-Identifier: Apache-2.0 */
/* What of one layer covers what of another. */
#include "policy-lang/analysis/bound_parts.h"

/* Does column a select all that column b does, out or in, of messages with
 * these types (0: with none)? Columns of two images have classes of their own;
 * then only a column that asks for no attribute is sure to. */
static bool covers(const struct pol_image *ia, uint32_t a,
		   const struct pol_image *ib, uint32_t b, enum dir dir,
		   meas_set meas)
{
	const struct lay_dim *d = ia->OBSV;

	if (!bit_get(img_row(ia, &d[LAY_DIM_DIR], dir), a))
		return false;
	if (!(ia->COLS[a].flags & LAY_COL_MATCH))
		return true;
	if (meas == 0 && !bit_get(img_row(ia, &d[LAY_DIM_MEAS], MEAS_COUNT), a))
		return false;
	for (meas_set s = meas; s; s &= s - 1) {
		if (!bit_get(img_row(ia, &d[LAY_DIM_MEAS],
				     (uint32_t)__builtin_ctzll(s)),
			     a))
			return false;
	}
	for (uint16_t k = 0; k < OBS_COUNT; k++) {
		if (bit_get(match_kind(ib, k), b) &&
		    !bit_get(match_kind(ia, k), a))
			return false;
	}
	for (uint32_t i = LAY_DIM_FIELDS; i < ia->n_OBSV; i++) {
		for (uint32_t r = 0; r < d[i].n_rows; r++) {
			const uint64_t *row = img_row(ia, &d[i], r);

			if (!bit_get(row, a) && (ia != ib || bit_get(row, b)))
				return false;
		}
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

bool bound_covers(const struct place *at, enum layer l, enum lay_col_type type,
		  uint32_t owner, uint32_t rule, meas_set meas)
{
	const struct machine *m = &at->s->m[at->m];
	const struct pol_image *im = set_image(at->s, at->m, l);
	const struct pol_image *of =
		rule == BOUND_NO_RULE ? at->s->base : m->vendor;
	const uint64_t *row;

	if (!im || !of)
		return false;
	row = m->rows[l] + (size_t)at->party * im->words;
	for (uint32_t g = of->col_at[COL_GRANT]; g < of->col_at[COL_GRANT + 1];
	     g++) {
		bool hit = false;

		if (!grants(at, of, g, rule))
			continue;
		for (uint32_t c = im->col_at[type];
		     c < im->col_at[type + 1] && !hit; c++) {
			uint32_t o = im->COLS[c].owner;

			hit = (owner == LAY_NONE
				       ? type == COL_DENY ||
						 im->RULE[o].flags &
							 LAY_RULE_BLOCK
				       : o == owner) &&
			      bit_get(row, c) &&
			      covers(im, c, of, g, at->dir, meas);
		}
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

meas_set bound_admits(const struct place *at, uint32_t ceiling, uint32_t rule,
		      bool *bare)
{
	const struct machine *m = &at->s->m[at->m];
	const struct pol_image *im = at->s->base, *v = m->vendor;
	const uint64_t *row =
		m->rows[LAYER_BASE] + (size_t)at->party * im->words;
	meas_set meas = 0;

	for (uint32_t c = im->col_at[COL_GRANT]; c < im->col_at[COL_GRANT + 1];
	     c++) {
		bool kind = rule == BOUND_NO_RULE;

		if (im->COLS[c].owner != ceiling || !bit_get(row, c) ||
		    !bit_get(img_row(im, &im->OBSV[LAY_DIM_DIR], at->dir), c))
			continue;
		for (uint32_t g = v->col_at[COL_GRANT];
		     g < v->col_at[COL_GRANT + 1] && !kind; g++) {
			for (uint16_t k = 0; k < OBS_COUNT && !kind; k++)
				kind = v->COLS[g].owner == rule &&
				       bit_get(match_kind(v, k), g) &&
				       bit_get(match_kind(im, k), c);
		}
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
