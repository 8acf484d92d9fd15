/* SPDX-License-Identifier: Apache-2.0 */
/* A phrase cut into words, read from left to right; between phrase.c and
 * limit.c. */
#ifndef POLICY_LANG_FRONT_WORDS_H
#define POLICY_LANG_FRONT_WORDS_H

#include "policy-lang/front/phrase.h"

#define MAX_TOKENS 16
#define MAX_COUNT  (UINT64_C(1) << 53)

/* The words of a scalar and where each begins. */
struct words {
	const struct src *s;
	const struct ynode *n;
	struct span w[MAX_TOKENS];
	size_t off[MAX_TOKENS];
	size_t count, at;
	uint16_t code; /* of the complaints */
	const char *what, *hint;
};

struct unit_row {
	const char *name;
	int64_t factor;
	enum unit unit;
};

/* s, min, h, d, w in ns; B to MB in octets; quantities in thousandths. */
extern const struct unit_row words_durations[], words_sizes[],
	words_quantities[];

/* limit.c: what can be counted, in which windows, and of what different
 * values; the last has no name. */
struct thing_word {
	const char *one, *many;
	enum pol_thing thing;
};
extern const struct thing_word limit_things[];
extern const struct word limit_windows[], limit_distinct[];

/* False after a complaint. Phrases must not be double-quoted, so that columns
 * are exact. */
bool words_cut(struct words *w, const struct src *s, const struct ynode *n,
	       uint16_t code, const char *what, const char *hint);

/* The whole phrase is not what it should be; word i is not; the duration at
 * the cursor is not. All complain and return false. */
bool words_bad(const struct words *w);
bool words_bad_at(const struct words *w, size_t i, const char *hint,
		  const char *what);
bool words_no_duration(const struct words *w);

/* Takes the word if it is that one. */
bool words_is(struct words *w, const char *word);
bool words_end(const struct words *w);

/* Decimal without sign or leading zeros. */
bool words_number(struct span t, uint64_t max, uint64_t *v);
const struct unit_row *words_unit(const struct unit_row *t, struct span w);
/* INT UNIT at the cursor; max in the smallest unit. */
bool words_amount(struct words *w, const struct unit_row *table, int64_t max,
		  const struct unit_row **unit, int64_t *v);
bool words_duration(struct words *w, int64_t *ns);

#endif
