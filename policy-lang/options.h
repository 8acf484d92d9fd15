/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of a command, in one manner for all of them: they may stand
 * before, between and behind the operands; "--" ends them; "-" is an operand;
 * a value is the next word, or for a long option what follows "=".
 */
#ifndef POLICY_LANG_OPTIONS_H
#define POLICY_LANG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

#define OPTIONS_MAX 24 /* of one command */

enum option_kind {
	OPTION_FLAG, /* to: bool */
	OPTION_TEXT, /* to: const char *, borrowed; once */
	OPTION_WORD, /* take() is called with the name, value is NULL */
	OPTION_TAKE, /* take() is called with the value */
};

struct option_row {
	const char *name; /* as it is written, "--json", "-o" */
	enum option_kind kind;
	void *to;
	/* E_SYNTAX with a text where the value is no good. */
	int (*take)(void *to, const char *name, const char *value,
		    struct err *e);
};

/* A command answers with it for --help: main says what the command takes. */
#define POLC_HELP (-1)

/*
 * Read the options of argv, argv[0] being the command; what is left behind
 * argv[0] are *argc - 1 operands, in their order. Returns 0, POLC_HELP, or
 * POLC_USAGE after saying what is wrong.
 */
int options_read(int *argc, char **argv, const struct option_row *row, size_t n)
	__attribute__((warn_unused_result));

#endif
