/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metergate-audit's own files: what its commands share.
 *
 * Exit codes: 0 done, 1 the answer is no (the log is not whole), 2 usage or
 * environment. Messages: "metergate-audit: what: why" on standard error.
 */
#ifndef AUDIT_TOOL_H
#define AUDIT_TOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

#define TOOL "metergate-audit"

enum {
	EXIT_DONE = 0,
	EXIT_NO = 1,
	EXIT_TROUBLE = 2,
};

/* A command gets its own name as argv[0]. */
int cmd_show(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_prove(int argc, char **argv);
int cmd_check_proof(int argc, char **argv);
int cmd_prune(int argc, char **argv);
int cmd_anchor(int argc, char **argv);

/* The log as a directory, whole or not there at all: of tiles, or, without what
 * the home does, of proofs, for an agency or for the customer. beside: files that go with it. */
struct export_dir {
	bool proofs, for_customer;
	uint64_t from, size; /* a part; 0: from the first, to the last */
	const char *beside[8];
	size_t n_beside;
};
struct export_ask;
int export_dir(const char *path, const char *out, const struct export_dir *d,
	       struct export_ask *ask);

/* "metergate-audit: what: why" */
void tool_say(const char *what, const char *why);
/* For an unknown or incomplete option: where help is. EXIT_TROUBLE. */
int tool_usage(const char *command);
/* Records before `first` are not there; nothing when it is 0. */
void tool_pruned(const char *path, uint64_t first);
/* The exit code for an error of the library, after saying it. */
int tool_failed(const char *what, const struct err *e);
/* Ends in success only if all that was printed could be written. no: errno
 * of the write that failed, where the caller saw one; else 0. */
int tool_flush(int code, int no);

#endif
