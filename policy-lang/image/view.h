/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A verified image as arrays. Made by load.c only; what it points to was
 * checked index by index, so its readers check nothing again.
 */
#ifndef POLICY_LANG_IMAGE_VIEW_H
#define POLICY_LANG_IMAGE_VIEW_H

#include "core/obs.h"
#include "policy-lang/image/image.h"
#include "policy-lang/image/layout.h"

struct pol_image {
	struct span file; /* borrowed */
	const struct lay_header *head;
#define X(id, type, s)                                                         \
	const s *id;                                                           \
	uint32_t n_##id;
	LAY_SECTIONS(X)
#undef X
	struct span id;	   /* of the file */
	struct span path;  /* of the source, or empty */
	uint32_t words;	   /* of a row */
	uint32_t col_at[COL_TYPES + 1]; /* first column of a type */
	uint64_t mask[COL_TYPES][LAY_WORDS]; /* columns of a type */
	uint64_t bare[LAY_WORDS]; /* columns that select no observations */
};

static inline struct span img_str(const struct pol_image *im, uint32_t off)
{
	return span_str(im->STRS + off);
}

static inline struct span img_text(const struct pol_image *im, uint32_t off)
{
	return span_str(im->TEXT + off);
}

static inline const uint64_t *img_row(const struct pol_image *im,
				      const struct lay_dim *d, uint32_t row)
{
	return im->DIMS + (size_t)(d->first + row) * im->words;
}

#endif
