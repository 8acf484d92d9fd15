/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of within.h: is what a says within what b says? */
#ifndef POLICY_LANG_ANALYSIS_WITHIN_PARTS_H
#define POLICY_LANG_ANALYSIS_WITHIN_PARTS_H

#include "policy-lang/analysis/within.h"
#include "policy-lang/image/view.h"

/* Columns of two images. Of each column of the one, a row of bits: those of the
 * other that it is within, as far as the observation goes. */
struct within_matches {
	uint64_t *is_in; /* is->n_COLS rows of was->words */
	uint64_t *was_in; /* and the other way */
};

static inline void within_set(struct within_rules *r, uint32_t rule)
{
	r->w[rule / 64] |= UINT64_C(1) << (rule % 64);
}

/* What is asked again and again, found out once. */
struct within_known {
	struct within_matches matches;
	/* Bit per party of the other image that this one is, or is part of. */
	uint64_t is_party[LAY_MAX_PARTIES], was_party[LAY_MAX_PARTIES];
	/* Of each rule of is, those of was: grants that its columns are
	 * within; those of its name; what it is to who answers it, or less. */
	struct within_rules grants[LAY_MAX_RULES], named[LAY_MAX_RULES],
		meant[LAY_MAX_RULES];
};

struct two { /* images */
	const struct pol_image *is, *was;
	struct within_known *known;
	bool turned; /* known is of was and is */
	bool by_name; /* parties that overlap are told by their names */
	bool all; /* every reason is told, on a line each, not the first alone */
	bool answered; /* what the customer answered is known: */
	const struct pol_image *customer; /* or NULL: nothing */
};

struct cols { /* rows of COLS */
	uint32_t from, to;
};

/* --- within_who.c ------------------------------------------------------------
 */

bool within_str(const struct pol_image *ia, uint32_t a,
		const struct pol_image *ib, uint32_t b);
/* Do no two parties of an image overlap? */
bool within_apart(const struct pol_image *im);
bool within_same_parties(const struct pol_image *a, const struct pol_image *b);
/* Fills known->is_party and was_party. */
void within_parties(struct two *t);
/* The parties of the old image that party a of the new one is, or is part of:
 * a bit each. */
static inline uint64_t within_ones(const struct two *t, uint32_t a)
{
	return t->turned ? t->known->was_party[a] : t->known->is_party[a];
}
static inline bool within_one(const struct two *t, uint32_t a, uint32_t b)
{
	return within_ones(t, a) >> b & 1;
}
bool within_picks(const struct lay_sel *s, uint32_t party);
struct cols within_cols_of(const struct pol_image *im, enum lay_col_type type,
			   uint32_t owner);
/* Is every column of a, of the new image, within one of b? Grants, and what
 * sets a state. */
bool within_cols(const struct two *t, struct cols a, struct cols b);
/* Does a of the new image take whatever b of the old one took? Denials,
 * limits, restrictions. */
bool within_over(const struct two *t, struct cols a, struct cols b);
/* Does nobody to whom grant x of the new image gives say to keep it for longer
 * than they did who got it by y? A vendor's. */
bool within_kept(const struct two *t, uint32_t x, uint32_t y);
/* Have both machines' prefixes, or parties', the same octets? */
bool within_same_prefixes(const struct pol_image *ia,
			  const struct pol_image *ib, unsigned kind, uint32_t a,
			  uint32_t b);
/* Is there an address of both owners? With no prefixes there are all. */
bool within_prefixes_meet(const struct pol_image *ia, unsigned a_kind,
			  uint32_t a, const struct pol_image *ib,
			  unsigned b_kind, uint32_t b);

/* --- within_match.c ----------------------------------------------------------
 */

/* 0, or E_NOMEM. */
int within_matches(struct within_matches *m, const struct pol_image *is,
		   const struct pol_image *was)
	__attribute__((warn_unused_result));
void within_matches_free(struct within_matches *m);

/* Is column i of the new image within column k of the old one, as far as the
 * observation goes? */
static inline bool within_match(const struct two *t, uint32_t i, uint32_t k)
{
	const struct within_matches *m = &t->known->matches;
	const uint64_t *in = t->turned ? m->was_in : m->is_in;

	return in[(size_t)i * t->was->words + k / 64] >> (k % 64) & 1;
}

/* And column k of the old one in column i of the new one? */
static inline bool within_match_back(const struct two *t, uint32_t k,
				     uint32_t i)
{
	const struct within_matches *m = &t->known->matches;
	const uint64_t *in = t->turned ? m->is_in : m->was_in;

	return in[(size_t)k * t->is->words + i / 64] >> (i % 64) & 1;
}

/* --- within_open.c -----------------------------------------------------------
 */

/* Two images to compare. false: no memory. */
bool within_open(struct two *t, const struct pol_image *is,
		 const struct pol_image *was);
void within_close(struct two *t);

/* --- within.c ----------------------------------------------------------------
 */

bool within_limits(const struct pol_image *ia, const struct lay_rule *a,
		   const struct pol_image *ib, const struct lay_rule *b);
bool within_tighter(const struct lay_limit *a, const struct lay_limit *b);
/* All but the measurements. */
bool within_data(const struct lay_data *a, const struct lay_data *b);

enum within_part { /* of a grant */
	PART_CONSENT,
	PART_NAME, /* by which it is asked about */
	PART_TYPES,
	PART_GRANULARITY,
	PART_HISTORY,
	PART_DELAY,
	PART_RESOLUTION,
	PART_VALUE,
	PART_CHANNELS,
	PART_WHEN,
	PART_ANSWERS,
	PART_REQUIRES,
	PART_FORBIDS,
	PART_LIMITS,
	PART_EXCEED,
	PART_MODE,
	PART_MATCH, /* and with whom */
	PARTS
};
/* In what is grant x of the new image wider than y of the old one? Bits of
 * enum within_part. */
uint32_t within_wider(const struct two *t, uint32_t x, uint32_t y);

/* --- within_when.c -----------------------------------------------------------
 */

/* Is rule a of the new image open only when b of the old one is? */
bool within_when(const struct two *t, const struct lay_rule *a,
		 const struct lay_rule *b);

/* --- within_why.c ------------------------------------------------------------
 */

/* Adds a reason to why, where there is room for all of it; returns false. */
bool within_no(char *why, size_t cap, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Shall other reasons be looked for? */
static inline bool within_more(const struct two *t, bool in)
{
	return in || t->all;
}

/* Why grant x of the new image is within none of the old one: in what it is
 * wider than the one of its name, where there is one. */
bool within_say(const struct two *t, uint32_t x, char *why, size_t cap);

/* --- within_home.c -----------------------------------------------------------
 */

bool within_baseline(const struct two *t, char *why, size_t cap);
bool within_customer(const struct two *t, char *why, size_t cap);
bool within_binding(const struct two *t, char *why, size_t cap);

#endif
