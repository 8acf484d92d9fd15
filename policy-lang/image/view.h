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

/* An automaton as a table: octets that it never tells apart are one class. */
struct img_table {
	/* In tables: for each state, by class, where the next state begins; and
	 * the row of a text that ends there. */
	uint32_t first;
	uint32_t n_class; /* 0: it would be too large, and has none */
	uint8_t class_of[256];
};
#define IMG_TABLES (256u << 10) /* octets of all of an image */

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
	struct span lib_text; /* id and path of each row of INCL */
	uint32_t words;	   /* of a row */
	uint32_t col_at[COL_TYPES + 1]; /* first column of a type */
	uint64_t mask[COL_TYPES][LAY_WORDS]; /* columns of a type */
	/* Words of a row with columns of a type; after: of limits and triggers. */
	struct img_words {
		uint8_t first, end;
	} words_of[COL_TYPES], words_after;
	uint64_t mask_after[LAY_WORDS];
	uint64_t bare[LAY_WORDS]; /* columns that select no observations */
	const uint64_t *kinds, *dirs, *meas; /* first rows of these dimensions */
	/* Columns that a carrier need not be looked at for when leaves are:
	 * grants, which it has no use of, and limits that those charge too. */
	uint64_t by_leaves[LAY_WORDS];
	/* Of the columns of a kind, the dimensions that any of them asks about. */
	uint32_t asks[OBS_COUNT];
	/* Bit per kind, by direction: what is no leaf is looked at when anything
	 * but columns by_leaves can select it. */
	uint64_t carrier[2][(OBS_COUNT + 63) / 64];
	struct img_table *table; /* by dimension; owned, or NULL */
	uint32_t *tables;	 /* owned */
	/* Names of rules and parties, measured. */
	uint32_t rule_len[LAY_MAX_RULES], party_len[LAY_MAX_PARTIES];
};
_Static_assert(LAY_MAX_DIMS <= 32, "asks is too small");

/* index.c: fills all but what the sections say; 0 or E_NOMEM. */
int img_index(struct pol_image *im) __attribute__((warn_unused_result));

static inline struct span img_str(const struct pol_image *im, uint32_t off)
{
	return span_str(im->STRS + off);
}

static inline struct span img_text(const struct pol_image *im, uint32_t off)
{
	return span_str(im->TEXT + off);
}

static inline struct span img_rule(const struct pol_image *im, uint32_t r)
{
	return span_of(im->STRS + im->RULE[r].id, im->rule_len[r]);
}

static inline struct span img_party(const struct pol_image *im, uint32_t p)
{
	return span_of(im->STRS + im->PRTY[p].id, im->party_len[p]);
}

/* A row of INCL in words. */
struct img_lib {
	struct span id, path; /* terminated */
};

static inline struct img_lib img_lib(const struct pol_image *im, uint32_t lib)
{
	struct span s = im->lib_text;
	struct img_lib l = {{0}, {0}};

	for (uint32_t i = 0; i <= lib; i++) {
		l.id = span_str((const char *)s.p);
		s = span_from(s, l.id.n + 1);
		l.path = span_str((const char *)s.p);
		s = span_from(s, l.path.n + 1);
	}
	return l;
}

static inline const uint64_t *img_row(const struct pol_image *im,
				      const struct lay_dim *d, uint32_t row)
{
	return im->DIMS + (size_t)(d->first + row) * im->words;
}

#endif
