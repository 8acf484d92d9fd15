/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed notes (C2SP signed-note), the form of checkpoints: a text, an empty
 * line, and a line for each signature:
 *
 *	— <key name> <base64 of key id u32 and signature>
 *
 * Keys are told as text, "name+hex of the id+base64 of type and key". Known
 * types: 01 Ed25519, 02 ECDSA on P-256 with SHA-256 (the key as DER
 * SubjectPublicKeyInfo, its id over that alone), 04 a witness's cosignature
 * with a time (C2SP tlog-cosignature). A note may have lines of other types,
 * which are longer: their keys are not known here, and unknown keys are passed
 * over. A wrong signature of a known key condemns the whole note.
 */
#ifndef AUDIT_NOTE_H
#define AUDIT_NOTE_H

#include "core/err.h"
#include "core/wbuf.h"

#define NOTE_MAX      16384 /* octets of a whole note */
#define NOTE_NAME_MAX 128
#define NOTE_PUB_MAX  91 /* the key; a P-256 SubjectPublicKeyInfo */
#define NOTE_SIG_MAX  80 /* of the known types, times included */
#define NOTE_KEYS_MAX 64 /* asked about at once */
#define NOTE_KEY_TEXT (NOTE_NAME_MAX + 1 + 8 + 1 + 128) /* one key as text */
/* The longest line of a known type. */
#define NOTE_LINE_MAX (4 + NOTE_NAME_MAX + 1 + 116 + 1)

enum note_type {
	NOTE_ED25519 = 1,
	NOTE_P256 = 2,
	NOTE_COSIGNATURE = 4,
};

struct note_key {
	/* "": of any name, as a key in PEM, which has none. */
	char name[NOTE_NAME_MAX + 1];
	enum note_type type;
	uint32_t id; /* 0 without a name: it is made of that, too */
	uint8_t pub[NOTE_PUB_MAX];
	size_t n; /* octets of pub */
};

struct note {
	struct span text; /* borrowed; its last newline included */
	struct span sigs; /* borrowed: the lines */
};

struct note_sig {
	struct span name, base64; /* borrowed */
	uint32_t id;
};

/* May a key, and so a log, have this name? Up to NOTE_NAME_MAX octets of UTF-8
 * without spaces and plus signs. */
bool note_name_ok(struct span name);
/* A key from its parts. E_SYNTAX: a name or key of no good form. */
int note_key_make(struct note_key *k, struct span name, enum note_type type,
		  struct span pub, struct err *e)
	__attribute__((warn_unused_result));
/* From its text; one newline at the end passes. E_SYNTAX, E_UNSUPPORTED: a
 * type not known here, E_AUTH: a private one. */
int note_key_parse(struct note_key *k, struct span text, struct err *e)
	__attribute__((warn_unused_result));
/* From PEM, without a name: of a log, or of a witness, which is Ed25519. The
 * errors of sign_get_public_pem. */
int note_key_pem(struct note_key *k, struct span pem, bool witness,
		 struct err *e) __attribute__((warn_unused_result));
/* k has a name. */
void note_key_put(struct wbuf *w, const struct note_key *k);

/* Take a note apart: valid UTF-8, no control characters but newlines, at
 * least one signature line and all of them well formed. E_SYNTAX; E_LIMIT:
 * over NOTE_MAX. */
int note_parse(struct note *n, struct span octets, struct err *e)
	__attribute__((warn_unused_result));
/* The next of n->sigs, by a cursor over them; false at the end. */
bool note_next(struct cur *c, struct note_sig *sig);
/* Which of the keys signed: bit i for keys[i]. E_INTEGRITY: a signature of a
 * known key is wrong. n_keys <= NOTE_KEYS_MAX. */
int note_check(const struct note *n, const struct note_key *keys,
	       size_t n_keys, uint64_t *signed_by, struct err *e)
	__attribute__((warn_unused_result));
/* One line by itself, for cosignatures that come alone; same errors. *time:
 * seconds of a cosignature, 0 for others. */
int note_check_line(struct span text, const struct note_sig *sig,
		    const struct note_key *key, uint64_t *time, struct err *e)
	__attribute__((warn_unused_result));

/* Who signs: given the octets, the signature in its type's form. E_MORE: not
 * yet, to be asked the same again. */
struct note_signer {
	struct note_key key;
	int (*sign)(void *arg, struct span octets, struct wbuf *out,
		    struct err *e);
	void *arg;
};
/* Append the line of a signature over text (which ends in a newline). time:
 * of a cosignature; else not used. E_LIMIT: no room. */
int note_sign(struct wbuf *w, struct span text, const struct note_signer *by,
	      uint64_t time, struct err *e) __attribute__((warn_unused_result));

#endif
