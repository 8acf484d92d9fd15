/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/image/cost.h"

#include "policy-lang/image/view.h"

void pol_image_cost(const struct pol_image *im, struct pol_cost *c)
{
	*c = (struct pol_cost){.rows = im->n_OBSV + 1, .row_words = im->words};
	for (uint32_t i = 0; i < im->n_OBSV; i++) {
		if (im->OBSV[i].form == DIM_AUTO)
			c->texts++;
		/* A path that ended with a slash is looked at in two ways. */
		if (im->OBSV[i].field == F_PATH || im->OBSV[i].field == F_HREF)
			c->rows++;
	}
	c->words = c->rows * c->row_words;
}
