/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether what is given of protected records is all of them: their numbers are
 * taken from the table of their copies, which somebody may have shortened.
 */
#ifndef AUDIT_LAYOUT_KEPT_H
#define AUDIT_LAYOUT_KEPT_H

#include "audit/db.h"

/* d: the log `path`, open. E_INTEGRITY: a record that is there and protected
 * has no copy, or of those that were pruned fewer stayed than the log says. */
int layout_kept(const char *path, struct db *d, struct err *e)
	__attribute__((warn_unused_result));

#endif
