/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checkpoint (C2SP tlog-checkpoint): the text of a signed note (note.h) that
 * says how long a log is and what its root is. Three lines: origin, size in
 * decimal, root in base64; no others, for nobody would audit them.
 */
#ifndef AUDIT_CHECKPOINT_H
#define AUDIT_CHECKPOINT_H

#include "audit/note.h"
#include "crypto/digest.h"

struct checkpoint {
	char origin[NOTE_NAME_MAX + 1];
	uint64_t size; /* records, < 2^63 */
	uint8_t root[SHA256_LEN];
};

#define CHECKPOINT_TEXT_MAX (NOTE_NAME_MAX + 1 + 20 + 1 + 44 + 1)

/* The text, as it is signed. */
void checkpoint_put(struct wbuf *w, const struct checkpoint *c);
/* E_SYNTAX: it is none, or not written in the one way there is. */
int checkpoint_parse(struct checkpoint *c, struct span text, struct err *e)
	__attribute__((warn_unused_result));
/* A whole note that is one. Its signatures are not checked. */
int checkpoint_read(struct checkpoint *c, struct note *n, struct span octets,
		    struct err *e) __attribute__((warn_unused_result));
/* A decimal without sign or leading zeros, below 2^63. */
bool checkpoint_number(struct span s, uint64_t *out);

#endif
