/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a party is known (section 7). A title is a claim; it is more where a key
 * stands behind it. So a party is known by message authentication when it has
 * a title and gets measurements, and opaque messages, only in answer to
 * requests that have to be authenticated, and gives authenticated ones. What
 * is sent to it unasked proves nothing about who hears it.
 */
#include "policy-lang/analysis/bound_parts.h"

#define AUTHENTICATED 1 /* of F_SECURITY */

static bool has(const uint64_t *row, uint32_t col)
{
	return row[col / 64] >> (col % 64) & 1;
}

/* Does the column select authenticated messages and no others? */
static bool asks_key(const struct pol_image *im, uint32_t col)
{
	for (uint32_t k = LAY_DIM_FIELDS; k < im->n_OBSV; k++) {
		const struct lay_dim *d = &im->OBSV[k];
		bool some = false;

		if (d->field != F_SECURITY || d->form != DIM_RANGES)
			continue;
		/* Row 0: there is no such fact. */
		for (uint32_t r = 0; r < d->n_rows; r++) {
			const uint32_t *start = im->LIST + d->v_first + r - 1;
			bool only = r && start[0] == AUTHENTICATED &&
				    r < d->v_n && start[1] == AUTHENTICATED + 1;

			if (!has(img_row(im, d, r), col))
				continue;
			if (!only)
				return false;
			some = true;
		}
		return some;
	}
	return false;
}

static bool all_ask_key(const struct pol_image *im, uint32_t rule)
{
	bool all = true;

	for (uint32_t c = im->col_at[COL_GRANT]; c < im->col_at[COL_GRANT + 1];
	     c++) {
		if (im->COLS[c].owner == rule)
			all &= asks_key(im, c);
	}
	return all;
}

static bool rule_proves(const struct pol_image *im, uint32_t rule)
{
	const struct lay_rule *r = &im->RULE[rule];
	const struct lay_guard *g =
		r->guard == LAY_NONE ? NULL : &im->GARD[r->guard];

	if (r->monitor_until || im->META->monitor_until)
		return false;
	if (r->dir != DIRSEL_OUT && !all_ask_key(im, rule))
		return false;
	if (r->dir == DIRSEL_IN)
		return true;
	if (!g || !(g->flags & LAY_GUARD_ANSWERS))
		return false;
	for (uint32_t i = 0; i < im->n_RULE; i++) {
		if (g->answers[i / 64] >> (i % 64) & 1 && !all_ask_key(im, i))
			return false;
	}
	return true;
}

static bool by_messages(const struct pol_image *im, uint32_t party)
{
	const uint64_t *opaque =
		img_row(im, &im->OBSV[LAY_DIM_KIND], OBS_OPAQUE);
	bool some = false;

	for (uint32_t c = im->col_at[COL_GRANT]; c < im->col_at[COL_GRANT + 1];
	     c++) {
		const struct lay_sel *s = &im->SELS[im->COLS[c].sel];
		uint32_t rule = im->COLS[c].owner;

		if (!(s->flags & LAY_SEL_ANY_PARTY) &&
		    !(s->parties >> party & 1))
			continue;
		if (im->RULE[rule].data == LAY_NONE && !has(opaque, c))
			continue;
		if (!rule_proves(im, rule))
			return false;
		some = true;
	}
	return some;
}

enum bound_identity bound_known(const struct pol_image *vendor, uint32_t party)
{
	const struct lay_party *p = &vendor->PRTY[party];

	return p->vm				    ? ID_MACHINE
	       : p->pin_n			    ? ID_TLS_KEY
	       : p->tls_n			    ? ID_TLS_NAME
	       : p->oid_n && by_messages(vendor, party) ? ID_MESSAGE
	       : p->oid_n			    ? ID_APTITLE
						    : ID_ADDRESS;
}
