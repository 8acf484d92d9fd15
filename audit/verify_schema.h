/* SPDX-License-Identifier: Apache-2.0 */
/* A part of verify.c. */
#ifndef AUDIT_VERIFY_SCHEMA_H
#define AUDIT_VERIFY_SCHEMA_H

#include "audit/db.h"

/* The schema is exactly ours: no view in a table's place, no guard gone. */
int verify_schema(struct db *d, struct err *e)
	__attribute__((warn_unused_result));

#endif
