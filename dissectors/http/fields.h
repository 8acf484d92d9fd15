/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields and the words of a status line; private to dissectors/http. */
#ifndef DISSECTORS_HTTP_FIELDS_H
#define DISSECTORS_HTTP_FIELDS_H

#include "dissectors/http/head.h"

/* A head while it is read. */
struct head_reader {
	struct head *h;
	struct err *e;
	uint64_t seen[2]; /* rows of fields.def, a bit each */
	size_t at;	  /* of the line at hand */
	bool upgrade; /* is asked for; to what, another field may say */
	bool te, names_te; /* there is TE; Connection names it */
};

/* Refuses the line at hand. */
int head_odd(const struct head_reader *r, int why, const char *what);

/* Reads one line that is a field; what it says is added to h->said. */
int head_field(struct head_reader *r, struct span line)
	__attribute__((warn_unused_result));

/* Octets that the words behind a status say beside it: none if they are those
 * of RFC 9110 15 and its registry, or absent. */
uint32_t head_phrase(uint16_t status, struct span words);

#endif
