/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is found out once of an image that load.c has verified, so that judging
 * a message need not: which dimensions matter to which kind, automata as
 * tables, how long names are.
 */
#include <stdlib.h>

#include "core/err.h"
#include "policy-lang/image/view.h"

/* --- columns -------------------------------------------------------------- */

static struct img_words words(const struct pol_image *im, unsigned from,
			      unsigned to)
{
	uint32_t a = im->col_at[from], b = im->col_at[to];

	return a == b ? (struct img_words){0}
		      : (struct img_words){(uint8_t)(a / 64),
					   (uint8_t)((b + 63) / 64)};
}

static void index_words(struct pol_image *im)
{
	for (unsigned t = 0; t < COL_TYPES; t++)
		im->words_of[t] = words(im, t, t + 1);
	im->words_after = words(im, COL_LIMIT, COL_TYPES);
	for (uint32_t w = 0; w < im->words; w++)
		im->mask_after[w] = im->mask[COL_LIMIT][w] |
				    im->mask[COL_SET][w] |
				    im->mask[COL_CLEAR][w];
}

/* --- dimensions ----------------------------------------------------------- */

/* Columns that some value of a dimension does not fit. */
static void asking(const struct pol_image *im, const struct lay_dim *d,
		   uint64_t out[LAY_WORDS])
{
	memset(out, 0xff, LAY_WORDS * sizeof(*out));
	for (uint32_t r = 0; r < d->n_rows; r++) {
		const uint64_t *row = img_row(im, d, r);

		for (uint32_t w = 0; w < im->words; w++)
			out[w] &= row[w];
	}
	for (uint32_t w = 0; w < im->words; w++)
		out[w] = ~out[w];
}

/* What counts messages whatever they say, their leaves charge: but not what has
 * to be distinct, of which a carrier may show another value. */
static void index_by_leaves(struct pol_image *im)
{
	uint64_t by[LAY_WORDS];

	memcpy(im->by_leaves, im->mask[COL_LIMIT], sizeof(im->by_leaves));
	for (uint32_t c = im->col_at[COL_LIMIT]; c < im->col_at[COL_LIMIT + 1];
	     c++) {
		if (im->LIMT[im->COLS[c].owner].kind == LIMIT_DISTINCT)
			im->by_leaves[c / 64] &= ~(UINT64_C(1) << (c % 64));
	}
	for (uint32_t i = 0; i < im->n_OBSV; i++) {
		if (i == LAY_DIM_DIR)
			continue;
		asking(im, &im->OBSV[i], by);
		for (uint32_t w = 0; w < im->words; w++)
			im->by_leaves[w] &= ~by[w];
	}
	for (uint32_t w = 0; w < im->words; w++)
		im->by_leaves[w] |= im->mask[COL_GRANT][w];
}

static void index_carriers(struct pol_image *im)
{
	const uint64_t *none = img_row(im, &im->OBSV[LAY_DIM_MEAS], MEAS_COUNT);

	for (uint32_t k = 0; k < OBS_COUNT * 2; k++) {
		const uint64_t *of =
			img_row(im, &im->OBSV[LAY_DIM_KIND], k / 2);
		const uint64_t *dir =
			img_row(im, &im->OBSV[LAY_DIM_DIR], k % 2);
		uint64_t any = 0;

		for (uint32_t w = 0; w < im->words; w++)
			any |= of[w] & dir[w] & none[w] &
			       ~im->by_leaves[w];
		if (any)
			im->carrier[k % 2][k / 128] |= UINT64_C(1)
						       << (k / 2 % 64);
	}
}

/* What need not be looked at when a message is matched, found out once. */
static void index_dims(struct pol_image *im)
{
	uint64_t by[LAY_WORDS];

	for (uint32_t i = LAY_DIM_FIELDS; i < im->n_OBSV; i++) {
		asking(im, &im->OBSV[i], by);
		for (uint32_t k = 0; k < OBS_COUNT; k++) {
			const uint64_t *of =
				img_row(im, &im->OBSV[LAY_DIM_KIND], k);
			uint64_t any = 0;

			for (uint32_t w = 0; w < im->words; w++)
				any |= of[w] & by[w];
			if (any)
				im->asks[k] |= UINT32_C(1) << i;
		}
	}
}

/* --- automata as tables --------------------------------------------------- */

/* Octets with an edge anywhere, and '/', are a class each; others are one. */
static void classes(const struct pol_image *im, const struct lay_dim *d,
		    struct img_table *t)
{
	bool has[256] = {['/'] = true};

	for (uint32_t i = 0; i < d->v_n; i++) {
		const struct lay_auto *a = &im->AUTO[d->v_first + i];

		for (uint32_t k = 0; k < a->edge_n; k++)
			has[im->LIST[a->edge_first + k] >> 24] = true;
	}
	t->n_class = 1;
	for (int c = 0; c < 256; c++)
		t->class_of[c] = has[c] ? (uint8_t)(t->n_class++ & 0xff) : 0;
	if (t->n_class > 256) /* there is no other octet */
		t->n_class = 0;
}

static void fill(const struct pol_image *im, const struct lay_dim *d,
		 const struct img_table *t)
{
	for (uint32_t i = 0; i < d->v_n; i++) {
		const struct lay_auto *a = &im->AUTO[d->v_first + i];
		uint32_t size = t->n_class + 1;
		uint32_t *row = im->tables + t->first + i * size;

		for (uint32_t c = 0; c < t->n_class; c++)
			row[c] = a->other * size;
		row[t->class_of['/']] = a->slash * size;
		row[t->n_class] = a->cls + 1u;
		for (uint32_t k = 0; k < a->edge_n; k++) {
			uint32_t e = im->LIST[a->edge_first + k];

			row[t->class_of[e >> 24]] = (e & 0xffffff) * size;
		}
	}
}

static int index_autos(struct pol_image *im)
{
	uint32_t n = 0;

	im->table = calloc(im->n_OBSV, sizeof(*im->table));
	if (!im->table)
		return E_NOMEM;
	for (uint32_t i = LAY_DIM_FIELDS; i < im->n_OBSV; i++) {
		const struct lay_dim *d = &im->OBSV[i];
		struct img_table *t = &im->table[i];

		if (d->form != DIM_AUTO)
			continue;
		classes(im, d, t);
		t->first = n;
		if (n + (uint64_t)d->v_n * (t->n_class + 1) >
		    IMG_TABLES / sizeof(*im->tables))
			t->n_class = 0;
		if (t->n_class)
			n += d->v_n * (t->n_class + 1);
	}
	im->tables = calloc(n ? n : 1, sizeof(*im->tables));
	if (!im->tables)
		return E_NOMEM;
	for (uint32_t i = LAY_DIM_FIELDS; i < im->n_OBSV; i++) {
		if (im->table[i].n_class)
			fill(im, &im->OBSV[i], &im->table[i]);
	}
	return 0;
}

/* --- names ----------------------------------------------------------------- */

int img_index(struct pol_image *im)
{
	for (uint32_t i = 0; i < im->n_RULE; i++)
		im->rule_len[i] =
			(uint32_t)strlen(im->STRS + im->RULE[i].id);
	for (uint32_t i = 0; i < im->n_PRTY; i++)
		im->party_len[i] =
			(uint32_t)strlen(im->STRS + im->PRTY[i].id);
	im->kinds = img_row(im, &im->OBSV[LAY_DIM_KIND], 0);
	im->dirs = img_row(im, &im->OBSV[LAY_DIM_DIR], 0);
	im->meas = img_row(im, &im->OBSV[LAY_DIM_MEAS], 0);
	index_words(im);
	index_dims(im);
	index_by_leaves(im);
	index_carriers(im);
	return index_autos(im);
}
