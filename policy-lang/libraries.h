/* SPDX-License-Identifier: Apache-2.0 */
/* Which libraries an image was compiled with (INCL of layout.h), and another. */
#ifndef POLICY_LANG_LIBRARIES_H
#define POLICY_LANG_LIBRARIES_H

#include "policy-lang/image/view.h"

/* Calls each for every library that only one of them has, NULL for the other,
 * or that has another serial or digest there, in the order of their ids, until
 * one is not 0; returns that, or 0. */
int libraries_compare(const struct pol_image *was, const struct pol_image *is,
		      int (*each)(void *arg, struct span id,
				  const struct lay_lib *was,
				  const struct lay_lib *is),
		      void *arg) __attribute__((warn_unused_result));

/* Its serial and digest in words; NULL: none. */
#define LIBRARY_TEXT 112
const char *library_text(char out[LIBRARY_TEXT], const struct lay_lib *l);

/* The key `libraries`: an array of all, with id, serial, sha256 and path. */
struct json;
void libraries_json(struct json *j, const struct pol_image *im);

/* Those that differ, on the standard output, for polc diff. E_LIMIT. */
int diff_libraries(const struct pol_image *was, const struct pol_image *is,
		   bool json) __attribute__((warn_unused_result));

#endif
