/* SPDX-License-Identifier: Apache-2.0 */
/* From a tree to a file; between read.c, front.c, set.c and fmt.c. */
#ifndef POLICY_LANG_FRONT_READ_H
#define POLICY_LANG_FRONT_READ_H

#include "policy-lang/front/schema.h"

/* Sets r->f->kind; false after a complaint. */
bool read_kind(struct rd *r);
/* Fills *r->f from r->root; complaints go to r->s.d. */
void read_file(struct rd *r);
/* file_read for a source; E_LIMIT when longer than the largest one. */
int read_source(uint8_t **out, size_t *n, const char *path, struct err *e)
	__attribute__((warn_unused_result));

#endif
