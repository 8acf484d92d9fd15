/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a file so that it is never half there. */
#ifndef POLICY_LANG_REPLACE_H
#define POLICY_LANG_REPLACE_H

#include "core/err.h"

/* Write n octets to a temporary name beside path, fsync, rename over path;
 * permissions of an existing file are kept. After an error path is as it was
 * and nothing is left behind. */
int replace_file(const char *path, const void *p, size_t n, struct err *e)
	__attribute__((warn_unused_result));

#endif
