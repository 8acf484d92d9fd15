/* SPDX-License-Identifier: Apache-2.0 */
/* metergate-audit: a log and a TPM, for the commands that compare them. */
#ifndef AUDIT_TOOL_ANCHOR_H
#define AUDIT_TOOL_ANCHOR_H

#include "core/err.h"
#include "crypto/digest.h"

enum {
	TOOL_ANCHOR_TPM = 256,
	TOOL_ANCHOR_INDEX,
	TOOL_ANCHOR_PCR,
	TOOL_ANCHOR_COUNTER,
};
#define TOOL_ANCHOR_OPTIONS                                                    \
	{"tpm", required_argument, NULL, TOOL_ANCHOR_TPM},                     \
		{"index", required_argument, NULL, TOOL_ANCHOR_INDEX},         \
		{"pcr", required_argument, NULL, TOOL_ANCHOR_PCR},             \
		{"counter", required_argument, NULL, TOOL_ANCHOR_COUNTER}

struct tool_anchor {
	const char *tpm; /* NULL: the values were given, or none */
	uint32_t index;	 /* 0: the usual one */
	bool has_pcr, has_counter, compare;
	bool quiet; /* say nothing but errors */
	uint8_t pcr[SHA256_LEN];
	uint64_t counter;
};

/* One of the options; EXIT_DONE, or said what is wrong. */
int tool_anchor_option(struct tool_anchor *t, int option, const char *arg);
/* Ask the TPM, if one is named. E_SYNTAX: the options do not fit. */
int tool_anchor_read(struct tool_anchor *t, struct err *e)
	__attribute__((warn_unused_result));
/* Print, if not quiet, where the TPM is in the log. E_INTEGRITY: it is not this log. */
int tool_anchor_compare(const struct tool_anchor *t, const char *path,
			bool list, struct err *e)
	__attribute__((warn_unused_result));

#endif
