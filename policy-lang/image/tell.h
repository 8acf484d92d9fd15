/* SPDX-License-Identifier: Apache-2.0 */
/* Between print.c and columns_text.c, and for the commands of polc: an image
 * in words. */
#ifndef POLICY_LANG_IMAGE_TELL_H
#define POLICY_LANG_IMAGE_TELL_H

#include "core/wbuf.h"
#include "policy-lang/image/view.h"

/* Appends; at most 511 octets, else w fails. */
void img_say(struct wbuf *w, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A text of the image, with what a terminal would act on as \xNN. */
void img_put(struct wbuf *w, struct span s);

/* What a column selects, in lines that are indented by four: who, and each
 * observation with the values of its attributes. */
void img_tell_column(struct wbuf *w, const struct pol_image *im, uint32_t col);

extern const char *const img_kinds[]; /* by enum pol_kind */
extern const char *const img_roles[]; /* by enum pol_role */

#endif
