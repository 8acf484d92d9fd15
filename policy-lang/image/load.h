/* SPDX-License-Identifier: Apache-2.0 */
/* Between load.c, load_rows.c and build.c. */
#ifndef POLICY_LANG_IMAGE_LOAD_H
#define POLICY_LANG_IMAGE_LOAD_H

#include "policy-lang/image/view.h"

/* Of an image whose frame is right, the first group of rows that is not; NULL:
 * all are. Fills what follows from columns, positions and libraries. */
const char *load_rows(struct pol_image *im);

/* One section more of a digest of an image (layout.h). */
struct sha256;
void img_hash(struct sha256 *sha, uint32_t type, struct span s);

#endif
