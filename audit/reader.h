/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of an audit database in their order, for showing and exporting. It
 * checks what it must to read; whether the log is whole, verify.h says.
 *
 * Each bundle is read in a transaction of its own, so that a reader never
 * holds back the writer's checkpoints.
 */
#ifndef AUDIT_READER_H
#define AUDIT_READER_H

#include "core/err.h"
#include "core/span.h"

struct reader;

/* E_STATE: not an audit database. follow: records that a writer adds later
 * are seen, too. */
int reader_open(struct reader **out, const char *path, bool follow,
		struct err *e)
	__attribute__((warn_unused_result));
void reader_close(struct reader *r);
/* 1: the next record, its octets valid until the next call; 0: none yet (ask
 * again later to follow); negative: failed. */
int reader_next(struct reader *r, uint64_t *seq, struct span *record,
		struct err *e) __attribute__((warn_unused_result));

#endif
