/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key of a log that lies in a file, where no chip keeps one: Ed25519, as
 * PEM that only its owner may read. Beside it lies the public half as text
 * (note.h) for whoever checks: PATH.key and PATH.vkey for the log PATH. A log
 * that begins beside another goes on with that one's key.
 */
#ifndef AUDIT_LOGKEY_H
#define AUDIT_LOGKEY_H

#include "audit/note.h"
#include "crypto/digest.h"
#include "crypto/sign.h"

struct log_key {
	struct sign_key key;
	struct note_signer by; /* points into this: it must not move */
};

/* Read the key of the log `path`, or, for a log that is new, make one when there
 * is none; its public half is written for the log `log`. E_NOTFOUND: there is
 * none; E_STATE: others may read it; E_INTEGRITY: another public half lies
 * beside a log that is not new; E_SYNTAX: origin cannot be a key's name. */
int log_key_open(struct log_key *k, const char *path, const char *log,
		 const char *origin, bool fresh, struct err *e)
	__attribute__((warn_unused_result));
/* The public half beside the log, as text: written for a log that is new;
 * E_INTEGRITY: the log was signed with another. */
int log_key_show(const struct note_key *k, const char *log, bool fresh,
		 struct err *e) __attribute__((warn_unused_result));
/* E_NOTFOUND: no key lies beside the log, so none in a file has signed it. */
int log_key_lies(const char *log, struct err *e)
	__attribute__((warn_unused_result));
void log_key_wipe(struct log_key *k);

/* What a key in a chip is made for beside the log's name (attest/tpm.h): the
 * PCRs and the policy under which it signs, as text in PATH.tpmkey. Nothing of
 * it is secret; with another the chip has another key, which is not the log's. */
struct log_key_bound {
	uint32_t pcrs;
	uint8_t policy[SHA256_LEN];
};
/* E_NOTFOUND: there is none; E_SYNTAX: it is no such text. */
int log_key_bound_read(struct log_key_bound *b, const char *log, struct err *e)
	__attribute__((warn_unused_result));
int log_key_bound_write(const struct log_key_bound *b, const char *log,
			struct err *e) __attribute__((warn_unused_result));

#endif
