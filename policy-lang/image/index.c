/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is found out once of an image that load.c has verified, so that judging
 * a message need not: which dimensions matter to which kind, automata as
 * tables, how long names are.
 */
#include <stdlib.h>

#include "core/err.h"
#include "policy-lang/image/view.h"

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
			       ~im->mask[COL_GRANT][w];
		if (any)
			im->carrier[k % 2][k / 128] |= UINT64_C(1)
						       << (k / 2 % 64);
	}
}

/* What need not be looked at when a message is matched, found out once. */
static void index_dims(struct pol_image *im)
{
	uint64_t by[LAY_WORDS];

	memset(im->dim_of, LAY_NO_DIM, sizeof(im->dim_of));
	for (uint32_t i = LAY_DIM_FIELDS; i < im->n_OBSV; i++) {
		im->dim_of[im->OBSV[i].field] = (uint8_t)i;
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
		uint16_t *row = im->tables + t->first + i * t->n_class;

		for (uint32_t c = 0; c < t->n_class; c++)
			row[c] = (uint16_t)a->other;
		row[t->class_of['/']] = (uint16_t)a->slash;
		for (uint32_t k = 0; k < a->edge_n; k++) {
			uint32_t e = im->LIST[a->edge_first + k];

			row[t->class_of[e >> 24]] = (uint16_t)e;
		}
	}
}

static int index_autos(struct pol_image *im)
{
	uint32_t n = 0;

	_Static_assert(LAY_MAX_STATES_AUTO <= UINT16_MAX, "a state fits");
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
		if (n + (uint64_t)d->v_n * t->n_class >
		    IMG_TABLES / sizeof(*im->tables))
			t->n_class = 0;
		n += d->v_n * t->n_class;
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
	index_dims(im);
	index_carriers(im);
	return index_autos(im);
}
