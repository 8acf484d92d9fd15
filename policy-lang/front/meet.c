/* SPDX-License-Identifier: Apache-2.0 */
/* Could two rules of one file permit the same message? (overlap.h) */
#include "policy-lang/front/overlap.h"

void parties_meeting(const struct pol_file *f, uint64_t *meets)
{
	for (size_t i = 0; i < f->n_party; i++)
		meets[i] = 0;
	for (size_t i = 0; i < f->n_party; i++) {
		for (size_t k = 0; k <= i; k++) {
			uint64_t is = parties_meet(&f->party[i], &f->party[k]);

			meets[i] |= is << k;
			meets[k] |= is << i;
		}
	}
}

/* The parties by which both rules know one remote end: the same one, or two
 * that are not told apart. x is NULL where the rules select by role. */
static bool who_meets(const struct pol_file *f, const uint64_t *meets,
		      const struct pol_rule_src *a,
		      const struct pol_rule_src *b,
		      const struct pol_party_src **x,
		      const struct pol_party_src **y)
{
	const struct pol_party_sel *of = &a->party;
	uint64_t bits = party_bits(&b->party), same = bits, to = 0;

	*x = *y = NULL;
	if (of->n_party == 0)
		return party_meet(of, &b->party);
	if (b->party.any || b->party.n_party == 0)
		same = ~UINT64_C(0);
	for (size_t i = 0; i < of->n_party && !*x; i++) {
		if (same >> of->party[i] & 1)
			*x = *y = &f->party[of->party[i]];
	}
	for (size_t i = 0; i < of->n_party && !*x; i++) {
		to = meets[of->party[i]] & bits;
		*x = to ? &f->party[of->party[i]] : NULL;
	}
	for (size_t k = 0; k < b->party.n_party && *x && !*y; k++) {
		if (to >> b->party.party[k] & 1)
			*y = &f->party[b->party.party[k]];
	}
	return *x != NULL;
}

static bool selections_meet(const struct pol_rule_src *a,
			    const struct pol_rule_src *b)
{
	if (!dir_meet(a->dir, b->dir) || !vm_meet(&a->vm, &b->vm))
		return false;
	/* Of a ceiling, messages without measurements pass too. */
	if (a->kind == RULE_CEILING)
		return true;
	if (a->data.present != b->data.present)
		return false;
	return !a->data.present || data_meet(&a->data, &b->data);
}

bool rules_meet(const struct pol_file *f, const uint64_t *meets,
		const struct pol_rule_src *a, const struct pol_rule_src *b,
		const struct pol_party_src **x, const struct pol_party_src **y)
{
	return selections_meet(a, b) && who_meets(f, meets, a, b, x, y) &&
	       match_meet(a->match, a->n_match, b->match, b->n_match, NULL);
}
