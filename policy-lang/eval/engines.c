/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a set asks of engines, one per machine and each with counters of its
 * own: which limits they use up together (share.c).
 */
#include "policy-lang/eval/internal.h"

/* Does column c charge limit i of its image? */
bool limit_charged_col(const struct pol_image *im, const struct lay_col *c,
		       uint32_t i)
{
	const struct lay_rule *r;

	if (c->type == COL_LIMIT)
		return c->owner == i;
	if (c->type == COL_SET || c->type == COL_CLEAR)
		return false;
	r = &im->RULE[c->owner];
	return i >= r->limit_first && i - r->limit_first < r->limit_n;
}

void limit_charged_by(const struct pol_set *s, size_t m,
		      const struct set_limit *l, uint32_t i,
		      bool party[LAY_MAX_PARTIES + 1])
{
	const struct machine *mc = &s->m[m];
	uint32_t n = mc->n_party + (l->l->thing == THING_REFUSALS);

	for (uint32_t p = 0; p < n; p++) {
		const uint64_t *row =
			mc->rows[l->layer] + (size_t)p * l->im->words;

		party[p] = false;
		for (uint32_t c = 0; c < l->im->n_COLS && !party[p]; c++)
			party[p] = bit_get(row, c) &&
				   limit_charged_col(l->im, &l->im->COLS[c], i);
	}
	for (uint32_t p = n; p <= LAY_MAX_PARTIES; p++)
		party[p] = false;
}

/* Two machines that charge one counter of it. */
static bool shared(const struct pol_set *s, const struct set_limit *l,
		   uint32_t i)
{
	bool party[POL_MAX_MACHINES][LAY_MAX_PARTIES + 1];

	for (size_t m = 0; m < s->n_m; m++) {
		limit_charged_by(s, m, l, i, party[m]);
		for (size_t k = 0; k < m; k++) {
			for (uint32_t p = 0; p <= s->m[m].n_party; p++) {
				for (uint32_t q = 0; q <= s->m[k].n_party;
				     q++) {
					if (party[m][p] && party[k][q] &&
					    limit_at(s, (uint32_t)(l - s->limit),
						     m, (int)p, 0) ==
						    limit_at(s,
							     (uint32_t)(l -
									s->limit),
							     k, (int)q, 0))
						return true;
				}
			}
		}
	}
	return false;
}

bool limit_shared(const struct pol_set *s, uint32_t limit)
{
	const struct set_limit *l = &s->limit[limit];
	uint32_t first =
		l->layer == LAYER_BASE ? s->base_limit : s->customer_limit;

	/* A floor's is kept by look.c for its one machine. */
	if (l->layer == LAYER_VENDOR || l->by_vm ||
	    l->l->flags & LAY_LIMIT_FLOOR)
		return false;
	return shared(s, l, limit - first);
}
