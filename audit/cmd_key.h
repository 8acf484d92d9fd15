/* SPDX-License-Identifier: Apache-2.0 */
/* metergate-audit: the key of a log that lies in a TPM, for the command that
 * writes one. */
#ifndef AUDIT_CMD_KEY_H
#define AUDIT_CMD_KEY_H

#include "attest/tpm.h"
#include "audit/audit.h"
#include "audit/note.h"

struct tool_key {
	const char *tpm, *approvals; /* as on the command line; NULL: not there */
	struct tpm *chip;
	struct key_policy policy;
	struct note_signer signer;
};

/* The signer of the log at path, of that origin: its key in a file, or that of
 * the TPM; both are set in conf. Nothing is written. E_STATE: there is none, or
 * a TPM is named where none is needed; E_AUTH: it may not be used now. To be
 * closed, whatever this returned. */
int tool_key_open(struct tool_key *k, struct audit_conf *conf,
		  const char *path, const char *origin, struct err *e)
	__attribute__((warn_unused_result));
void tool_key_close(struct tool_key *k);

#endif
