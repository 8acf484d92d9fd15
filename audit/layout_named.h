/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checkpoints of an exported log: it has one, but its records announce
 * them all, name those that were made, and say what a TPM was at before. What
 * each said is made again from the records; layout_verify.c asks.
 */
#ifndef AUDIT_LAYOUT_NAMED_H
#define AUDIT_LAYOUT_NAMED_H

#include "audit/points.h"

struct layout_named;

/* begin: records before it are not there, and what they announced is taken as
 * it is named. E_NOMEM. */
int layout_named_open(struct layout_named **out, uint64_t begin, struct err *e)
	__attribute__((warn_unused_result));
void layout_named_close(struct layout_named *n);
/* The last record read announces this one; it says so much of the TPM. One that
 * is not named later was never made (points.h). E_NOMEM. */
int layout_named_said(struct layout_named *n, const struct checkpoint *c,
		      const struct anchor_bound *b, struct err *e)
	__attribute__((warn_unused_result));
/* A record names the last one that was made before it: of so many records, with
 * this hash of its text; size 0: none was. E_INTEGRITY: that cannot be, or does
 * not go with what the TPM was at; *bad is set when it is of other records: to
 * the first that may be. */
int layout_named_is(struct layout_named *n, uint64_t size,
		    const uint8_t text[SHA256_LEN], uint64_t *bad,
		    struct err *e)
	__attribute__((warn_unused_result));
/* There are no more records: the last of them announces the checkpoint of the
 * directory. *anchored: a TPM was told of one. */
int layout_named_end(struct layout_named *n, const struct checkpoint *c,
		     bool *anchored, struct err *e)
	__attribute__((warn_unused_result));

#endif
