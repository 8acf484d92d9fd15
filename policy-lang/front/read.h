/* SPDX-License-Identifier: Apache-2.0 */
/* From a tree to a file; between read.c, front.c, set.c and fmt.c. */
#ifndef POLICY_LANG_FRONT_READ_H
#define POLICY_LANG_FRONT_READ_H

#include "policy-lang/front/schema.h"

/* A source as a tree, for who looks at it before it is read; a policy file that
 * nobody has read yet. E_SYNTAX with diagnostics, E_NOMEM. */
struct parsed;
int parse(struct parsed **out, const char *path, struct span source,
	  struct diags *d, struct err *e) __attribute__((warn_unused_result));
const struct ynode *parsed_root(const struct parsed *p);
void parsed_free(struct parsed *p);
/* As pol_read, of what was parsed of the same source, which is then the file's
 * or freed; NULL: it is still to be parsed. */
int read_parsed(struct pol_file **out, struct parsed *p, const char *path,
		struct span source, const struct pol_lib *libs, struct diags *d,
		struct err *e) __attribute__((warn_unused_result));

/* Sets r->f->kind; false after a complaint. */
bool read_kind(struct rd *r);
/* Fills *r->f from r->root; complaints go to r->s.d. */
void read_file(struct rd *r);
/* file_read for a source; E_LIMIT when longer than the largest one. */
int read_source(uint8_t **out, size_t *n, const char *path, struct err *e)
	__attribute__((warn_unused_result));

#endif
