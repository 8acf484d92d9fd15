/* SPDX-License-Identifier: Apache-2.0 */
/* The label that an image carries: made, and compared. */
#include "policy-lang/analysis/label.h"
#include "policy-lang/image/view.h"

_Static_assert(ID_MACHINE + 1 == LAY_LABEL_IDS, "identities");
_Static_assert(ST_COUNT <= 32 && APPLIANCE_COUNT <= 32, "bits of a row");

static struct lay_label row_of(const struct bound_recipient *r)
{
	struct label l;

	label_of(&l, r);
	return (struct lay_label){
		.spacing = r->spacing_ns,
		.party = r->party,
		.statements = l.statements,
		.clear = l.clear,
		.blurred = l.blurred,
		.grade = (uint8_t)(r->sealed && r->grade == '-' ? 'X'
								 : r->grade),
		.identity = (uint8_t)r->identity,
		.sealed = r->sealed,
		.live = r->live,
		.late = r->late,
		.other = !r->other ? LABEL_OTHER_NONE
			 : r->other_bytes[MOST_DAY] == MOST_UNLIMITED
				 ? LABEL_OTHER_ANY
				 : LABEL_OTHER_SOME};
}

uint32_t label_rows_of(struct lay_label *row, const struct bound *b)
{
	uint32_t n = 0;

	for (size_t i = 0; i < b->n; i++) {
		if (b->r[i].outside && n < LAY_MAX_PARTIES)
			row[n++] = row_of(&b->r[i]);
	}
	return n;
}

int label_rows(struct lay_label *row, uint32_t *n, const struct pol_image *im,
	       struct err *e)
{
	struct pol_set *set = NULL;
	struct bound *b = NULL;
	int rc;

	*n = 0;
	if (pol_image_kind(im) != POL_VENDOR)
		return 0;
	rc = pol_set_new(&set, &im, 1, e);
	if (!rc)
		rc = bound_new(&b, set, false, e);
	if (!rc)
		*n = label_rows_of(row, b);
	bound_free(b);
	if (set)
		pol_set_free(set);
	return rc;
}

int label_check(const struct pol_image *im, struct err *e)
{
	struct lay_label row[LAY_MAX_PARTIES];
	uint32_t n;
	int rc = label_rows(row, &n, im, e);

	if (rc)
		return rc;
	if (n && im->n_LABL == 0)
		return err_set(e, E_NOTFOUND, 0, "it carries no label");
	if (n != im->n_LABL || (n && memcmp(row, im->LABL, n * sizeof(*row))))
		return err_set(e, E_INTEGRITY, 0,
			       "the label that it carries is not that of its "
			       "rules");
	return 0;
}
