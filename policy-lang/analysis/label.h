/* SPDX-License-Identifier: Apache-2.0 */
/* What a recipient's figures mean to a household (privacy.md 3, 4, 9). */
#ifndef POLICY_LANG_ANALYSIS_LABEL_H
#define POLICY_LANG_ANALYSIS_LABEL_H

#include "policy-lang/analysis/bound.h"

enum statement {
#define X(id, key, grade, text) ST_##id,
#include "policy-lang/analysis/statements.def"
#undef X
	ST_COUNT
};

enum appliance {
#define X(id, key, name, minutes) APPLIANCE_##id,
#include "policy-lang/analysis/appliances.def"
#undef X
	APPLIANCE_COUNT
};

struct label { /* of one recipient; bit sets of the two enums */
	uint32_t statements, clear, blurred;
};

/*
 * The label of a policy alone, every consent granted and under no baseline, as
 * its image carries it (layout.h, LABL): rows for up to LAY_MAX_PARTIES
 * recipients outside the home, *n of them; none of another kind of file.
 * E_NOMEM, and what pol_set_new says of it.
 */
struct lay_label;
int label_rows(struct lay_label *row, uint32_t *n, const struct pol_image *im,
	       struct err *e) __attribute__((warn_unused_result));
/* The same of the one policy of a bound, where that is known: how many. */
struct bound;
uint32_t label_rows_of(struct lay_label *row, const struct bound *b);
/* Does the image carry the label of its rules? 0; E_NOTFOUND: none, where it
 * should; E_INTEGRITY: another; and the errors of label_rows. */
int label_check(const struct pol_image *im, struct err *e)
	__attribute__((warn_unused_result));

void label_of(struct label *l, const struct bound_recipient *r);

const char *statement_key(enum statement s);
const char *statement_text(enum statement s);
const char *appliance_key(enum appliance a);
const char *appliance_name(enum appliance a);
/* How it stands out in a series of that spacing. */
enum appliance_shows { SHOWS_CLEAR, SHOWS_BLURRED, SHOWS_HIDDEN };
enum appliance_shows appliance_shows(enum appliance a, int64_t spacing_ns);
/* "Every quarter or half hour"; of H, X and '-' too. */
const char *grade_word(char grade);

#endif
