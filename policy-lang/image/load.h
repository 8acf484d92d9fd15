/* SPDX-License-Identifier: Apache-2.0 */
/* Between load.c and load_rows.c. */
#ifndef POLICY_LANG_IMAGE_LOAD_H
#define POLICY_LANG_IMAGE_LOAD_H

#include "policy-lang/image/view.h"

/* Of an image whose frame is right, the first group of rows that is not; NULL:
 * all are. Fills what follows from columns, positions and libraries. */
const char *load_rows(struct pol_image *im);

#endif
