/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each record must be to those before it, wherever they are read from:
 * verify.c reads a log, layout_verify.c one that was exported. Who reads knows
 * where keys of boots are and what else there is to compare.
 */
#ifndef AUDIT_VERIFY_RULES_H
#define AUDIT_VERIFY_RULES_H

#include "audit/record.h"
#include "audit/verify.h"

struct verify_rules {
	struct verify_result *out; /* borrowed */
	struct sha256 *h;	   /* likewise */
	struct record_view view;   /* of the record in hand */
	/* Of the record before. */
	uint32_t boot;
	int64_t mono, wall;
	bool keyless;	       /* nobody has the keys of the salts */
	struct salt_row salts; /* of its boot, else */
	/* Head of the chain before the bundle that is read; its first record,
	 * and what of it lies before the record in hand. */
	uint8_t head[SHA256_LEN];
	uint64_t first;
	struct span before;
};

/* E_INTEGRITY: record seq is the first that is wrong. */
int verify_bad(struct verify_result *out, uint64_t seq, struct err *e,
	       const char *what);

/* The record in hand: readable, and what its place says, of no boot before the
 * last. E_INTEGRITY. */
int verify_read(struct verify_rules *r, uint64_t seq, struct span record,
		struct err *e) __attribute__((warn_unused_result));
/* It is of another boot: whose key is needed first. */
static inline bool verify_boots(const struct verify_rules *r)
{
	return r->view.r.boot != r->boot;
}
/* The boot of what is read from here on; nothing is known of its clocks yet. */
void verify_boot(struct verify_rules *r, uint32_t boot, const uint8_t key[32]);
/* Then: its clocks, its salt, and the chain, if it is bound to that. */
int verify_follows(struct verify_rules *r, uint64_t seq, struct err *e)
	__attribute__((warn_unused_result));
/* What it says of the TPM and when, if a checkpoint comes behind it. */
struct points_sealed verify_sealed(const struct verify_rules *r);

/* The record of a start, or of a log that was opened again, which names the
 * checkpoint before it: into the result. */
void verify_start(struct verify_rules *r);

#endif
