/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is this audit database whole? Trusts nothing but the file: every record is
 * read and hashed again, and tree, tiles, chain, state, copies of protected
 * records, boots, clocks and salts are compared with what the file says.
 *
 * Two things are checked apart, and both must hold: what the log says (the
 * content, through sqlite), and the octets of the file (page.h), so that a
 * change is found even where it says nothing.
 *
 * What no file can prove about itself, that it was not replaced as a whole or
 * cut and made again, needs a checkpoint held elsewhere.
 */
#ifndef AUDIT_VERIFY_H
#define AUDIT_VERIFY_H

#include "core/err.h"
#include "crypto/digest.h"

struct verify_result {
	uint64_t records; /* read so far, or in all */
	uint64_t boots, pages;
	uint8_t root[SHA256_LEN];
	bool has_bad; /* bad: the first record known to be wrong */
	uint64_t bad;
};

/* 0: whole. E_INTEGRITY: it is not; the text says what and where. E_STATE:
 * no audit database. Others: it could not be read. progress may be NULL. */
int verify_file(const char *path, struct verify_result *out,
		void (*progress)(void *arg, uint64_t done, uint64_t total),
		void *arg, struct err *e) __attribute__((warn_unused_result));

#endif
