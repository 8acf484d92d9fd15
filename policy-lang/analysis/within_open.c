/* SPDX-License-Identifier: Apache-2.0 */
/* What is found out once of two images that are compared. */
#include <stdlib.h>

#include "policy-lang/analysis/within_parts.h"

static bool any(const struct within_rules *r)
{
	uint64_t some = 0;

	for (size_t w = 0; w < sizeof(r->w) / sizeof(r->w[0]); w++)
		some |= r->w[w];
	return some != 0;
}

/* Names do not count (policy-language 19.4): only where both files have one is
 * it the same thing that is meant; what has another name is found by what it
 * does. What answers it then answers no more than before. */
static void relate_rules(struct two *t)
{
	struct within_known *k = t->known;
	struct within_rules gone = {{0}}; /* of was: no rule has its name now */

	for (uint32_t y = 0; y < t->was->n_RULE; y++)
		within_set(&gone, y);
	for (uint32_t x = 0; x < t->is->n_RULE; x++) {
		struct cols c = within_cols_of(t->is, COL_GRANT, x);

		for (uint32_t y = 0; y < t->was->n_RULE; y++) {
			if (span_eq(img_rule(t->is, x), img_rule(t->was, y))) {
				within_set(&k->named[x], y);
				gone.w[y / 64] &= ~(UINT64_C(1) << y % 64);
			}
			if (within_cols(t, c,
					within_cols_of(t->was, COL_GRANT, y)))
				within_set(&k->grants[x], y);
		}
	}
	for (uint32_t x = 0; x < t->is->n_RULE; x++) {
		const struct within_rules *called =
			any(&k->named[x]) ? &k->named[x] : &gone;

		for (size_t w = 0; w < LAY_MAX_RULES / 64; w++)
			k->meant[x].w[w] = called->w[w] & k->grants[x].w[w];
	}
}

bool within_open(struct two *t, const struct pol_image *is,
		 const struct pol_image *was)
{
	*t = (struct two){.is = is,
			  .was = was,
			  .by_name = !within_apart(is) || !within_apart(was),
			  .known = calloc(1, sizeof(*t->known))};
	if (!t->known)
		return false;
	if (within_matches(&t->known->matches, is, was)) {
		free(t->known);
		t->known = NULL;
		return false;
	}
	within_parties(t);
	relate_rules(t);
	return true;
}

void within_close(struct two *t)
{
	if (t->known)
		within_matches_free(&t->known->matches);
	free(t->known);
	t->known = NULL;
}
