/* SPDX-License-Identifier: Apache-2.0 */
/* The folder proof/ of an exported log: what is in it, and whether it holds.
 * layout_verify.c asks. */
#ifndef AUDIT_LAYOUT_PROOFS_H
#define AUDIT_LAYOUT_PROOFS_H

#include "audit/layout_file.h"

struct layout_proofs;

/* What is there, none of it read yet. c and note: the directory's checkpoint;
 * borrowed, as dir is. lines: of each record there is its line, too, and
 * nobody else has the records (layout_write_protected). E_INTEGRITY: a file
 * that is no proof by its name. */
int layout_proofs_open(struct layout_proofs **out, const char *dir,
		       const struct checkpoint *c, struct span note,
		       bool lines, struct err *e)
	__attribute__((warn_unused_result));
void layout_proofs_close(struct layout_proofs *p);
/* Records before `end` are not there but as proofs: their boots are of these
 * lines (layout.h), which are borrowed. */
void layout_proofs_boots(struct layout_proofs *p, struct span boots,
			 uint64_t end);
/* How many there are; is one of them of this record? */
uint64_t layout_proofs_number(const struct layout_proofs *p);
bool layout_proofs_has(const struct layout_proofs *p, uint64_t seq);
/* Each holds under the checkpoint and is of a protected record; what stayed of
 * pruned ranges is there. E_INTEGRITY: *bad is the first record of which that
 * is not so, UINT64_MAX: which cannot be said. */
int layout_proofs_check(struct layout_proofs *p, uint64_t *bad, struct err *e)
	__attribute__((warn_unused_result));

#endif
