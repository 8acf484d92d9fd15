/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What matching one observation costs in one image (policy-language 20.2),
 * the same whatever it is and whatever rules there are. Each attribute counts
 * once; every further value of one is a row more.
 */
#ifndef POLICY_LANG_IMAGE_COST_H
#define POLICY_LANG_IMAGE_COST_H

#include "policy-lang/image/image.h"

struct pol_cost {
	uint32_t rows; /* of bitmaps that are ANDed, the party's among them */
	uint32_t row_words; /* of 64 bits */
	uint32_t words;     /* rows * row_words */
	uint32_t texts;     /* an automaton's step for each octet of these */
};

void pol_image_cost(const struct pol_image *im, struct pol_cost *c);

#endif
