/* SPDX-License-Identifier: Apache-2.0 */
/* Notes and public keys in files. */
#ifndef AUDIT_NOTEFILE_H
#define AUDIT_NOTEFILE_H

#include "audit/note.h"

struct note_file {
	size_t n;
	uint8_t octets[NOTE_MAX];
};

/* All of a file; "-": standard input. E_LIMIT: more than a note may have. */
int note_file_read(struct note_file *f, const char *path, struct err *e)
	__attribute__((warn_unused_result));
/* A public key of a log: as text, or in PEM; E_AUTH: a private one;
 * E_UNSUPPORTED: of a witness. */
int note_file_key(struct note_key *k, const char *path, struct err *e)
	__attribute__((warn_unused_result));
/* The next witness's, behind n others. E_EXISTS: it is one of them by its name
 * or its octets, and one witness is not two; E_UNSUPPORTED: no key of a
 * witness. */
int note_file_witness(struct note_key *k, size_t n, const char *path,
		      struct err *e) __attribute__((warn_unused_result));
/* Several, one a line; empty lines and those that begin with # say nothing.
 * *n: how many of the cap there is room for. E_LIMIT: more; E_SYNTAX: a line
 * is none, E_EXISTS: it is one that was there, and the text says which;
 * E_NOTFOUND: there is none. */
int note_file_keys(struct note_key *k, size_t cap, size_t *n,
		   const char *path, struct err *e)
	__attribute__((warn_unused_result));

#endif
