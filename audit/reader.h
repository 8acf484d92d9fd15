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
 * are seen, too, and it is held open meanwhile; for whoever writes it. */
int reader_open(struct reader **out, const char *path, bool follow,
		struct err *e)
	__attribute__((warn_unused_result));
void reader_close(struct reader *r);
/* From here on nothing is open between two calls, and what was added meanwhile
 * is seen: who waits with files open, for more or for somebody who takes what
 * he prints, is in the way of a writer that ends, whose journal and shared
 * memory would stay beside the log. Costs an opening for each bundle. */
int reader_aloof(struct reader *r, struct err *e)
	__attribute__((warn_unused_result));
/* There is no more, and more is waited for: is it still the file that was
 * opened, with all that was read of it? E_INTEGRITY: no. */
int reader_still(struct reader *r, struct err *e)
	__attribute__((warn_unused_result));
/* The first record that was not pruned. Of those before it reader_next gives
 * the protected ones. */
int reader_first(struct reader *r, uint64_t *first, struct err *e)
	__attribute__((warn_unused_result));
/* reader_next goes on with record seq, or what comes behind. */
void reader_seek(struct reader *r, uint64_t seq);
/* 1: the next record, its octets valid until the next call; 0: none yet (ask
 * again later to follow); negative: failed, E_INTEGRITY also where the log says
 * that it has more and they are not there. */
int reader_next(struct reader *r, uint64_t *seq, struct span *record,
		struct err *e) __attribute__((warn_unused_result));
/* The stored bundle that begins with record first, a multiple of
 * STORE_BUNDLE: its octets as store_next reads them, valid until the next
 * call. *n: how many records; 0: there is none yet. E_NOTFOUND: it was pruned.
 * reader_next goes on with its first record. */
int reader_bundle(struct reader *r, uint64_t first, uint32_t *n,
		  struct span *octets, struct err *e)
	__attribute__((warn_unused_result));

#endif
