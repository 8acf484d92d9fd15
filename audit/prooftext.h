/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proofs as text.
 *
 * Inclusion, C2SP tlog-proof:		Consistency, as witnesses are asked:
 *	c2sp.org/tlog-proof@v1			old <size>
 *	extra <base64 of the record>		<base64 of a hash> ...
 *	index <number>				<empty line>
 *	<base64 of a hash> ...			<checkpoint>
 *	<empty line>
 *	<checkpoint>
 *
 * The checkpoint is a whole signed note, cosignatures included.
 */
#ifndef AUDIT_PROOFTEXT_H
#define AUDIT_PROOFTEXT_H

#include "audit/checkpoint.h"
#include "audit/proof.h"
#include "audit/record.h"

/* The longest text: a record, the hashes and a note. */
#define PROOF_TEXT_MAX (128 + (RECORD_MAX + 2) / 3 * 4 + PROOF_MAX * 45 + NOTE_MAX)

struct proof_text {
	bool inclusion;
	uint64_t at; /* index of the record, or size of the old log */
	struct proof proof;
	struct span note; /* borrowed: the checkpoint */
	bool has_record;
	size_t record_n;
	uint8_t record[RECORD_MAX];
};

/* record and note are taken from t; E_LIMIT: no room. */
int proof_text_put(struct wbuf *w, const struct proof_text *t, struct err *e)
	__attribute__((warn_unused_result));
/* E_SYNTAX: neither of the two. t->note lies in text. */
int proof_text_parse(struct proof_text *t, struct span text, struct err *e)
	__attribute__((warn_unused_result));

#endif
