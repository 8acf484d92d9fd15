/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the records of a log say is removed, read in their order. One follows
 * the other; but what was said while nobody signed, and was still without a
 * checkpoint when the writer started again, that one withdraws: it is as if it
 * had not been said.
 */
#ifndef AUDIT_SAID_H
#define AUDIT_SAID_H

#include "core/event.h"
#include "crypto/digest.h"

/* One that follows is said when the one before was done, so there is hardly
 * ever more than one to be withdrawn. */
#define SAID_MOST 16

struct said {
	/* By record, the last n of them. */
	struct said_removal {
		uint64_t at;	     /* the record */
		uint64_t first, end; /* removed: from first up to, not with */
		uint8_t root[SHA256_LEN];
	} of[SAID_MOST];
	unsigned n;
	bool more; /* before these */
	/* Set at the beginning: these are not the log's first records, and what
	 * was said before is not known. */
	bool within;
};

/* What record seq says of it. NULL, or what is wrong with that. *range: it says
 * that records are removed. */
const char *said_take(struct said *s, uint64_t seq, const struct event_log *l,
		      bool *range);
/* The last one that counts; NULL: there is none. */
const struct said_removal *said_last(const struct said *s);
/* Where what is removed ends; 0: nothing is. */
uint64_t said_end(const struct said *s);
/* The record that says that it ends there; 0: none of the last does. */
uint64_t said_at(const struct said *s, uint64_t end);

#endif
