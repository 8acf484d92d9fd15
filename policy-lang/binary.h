/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled policies as files: read and verified, or made from a source. */
#ifndef POLICY_LANG_BINARY_H
#define POLICY_LANG_BINARY_H

#include "policy-lang/image/image.h"

struct binary {
	struct pol_image *image;
	uint8_t *octets; /* of the image */
	size_t n;
};

/* An image. E_SYNTAX, E_INTEGRITY and the other errors of pol_image_load; a
 * source is E_SYNTAX with what to do. The message begins with the path. */
int binary_read(struct binary *b, const char *path, struct err *e)
	__attribute__((warn_unused_result));
/* The image that a source compiles to; or the image itself, when path is one.
 * Diagnostics of a source are printed on stderr, and E_SYNTAX. */
int binary_make(struct binary *b, const char *path, struct err *e)
	__attribute__((warn_unused_result));
void binary_free(struct binary *b);

#endif
