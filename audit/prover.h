/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs out of an audit database, under one of its checkpoints. It trusts
 * what it reads but for one thing: a proof that does not hold under the
 * checkpoint is not given away.
 */
#ifndef AUDIT_PROVER_H
#define AUDIT_PROVER_H

#include "audit/prooftext.h"

struct prover;

/* E_STATE: not an audit database. follow: what a writer adds later is seen. */
int prover_open(struct prover **out, const char *path, bool follow,
		struct err *e)
	__attribute__((warn_unused_result));
void prover_close(struct prover *p);
/* The last checkpoint, or with size > 0 the one of so many records; with the
 * cosignatures that came. The note is valid until the next call. E_NOTFOUND:
 * there is none. */
int prover_checkpoint(struct prover *p, uint64_t size, struct checkpoint *c,
		      struct span *note, struct err *e)
	__attribute__((warn_unused_result));
/* That record `index` is under that checkpoint (0: the last); t gets the
 * record too. E_LIMIT: it is behind it; E_INTEGRITY: the log does not give a
 * proof that holds. */
int prover_inclusion(struct prover *p, uint64_t index, uint64_t size,
		     struct proof_text *t, struct err *e)
	__attribute__((warn_unused_result));
/* That it continues the log as it was with `old` records. */
int prover_consistency(struct prover *p, uint64_t old, uint64_t size,
		       struct proof_text *t, struct err *e)
	__attribute__((warn_unused_result));
/* The first record that was not pruned. Of those before it protected ones can
 * still be proved, and that the log continues one of at least so many. */
int prover_first(struct prover *p, uint64_t *first, struct err *e)
	__attribute__((warn_unused_result));
/* The hashes of one tile; as tiles_get. */
int prover_tile(struct prover *p, unsigned level, uint64_t idx,
		struct span *hashes, struct err *e)
	__attribute__((warn_unused_result));

#endif
