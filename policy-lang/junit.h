/* SPDX-License-Identifier: Apache-2.0 */
/* Results of tests in the XML that build servers read (JUnit's). */
#ifndef POLICY_LANG_JUNIT_H
#define POLICY_LANG_JUNIT_H

#include <stddef.h>

#include "core/err.h"

struct junit;

/* Written to path when it is closed, whole or not at all. */
int junit_open(struct junit **out, const char *path, struct err *e)
	__attribute__((warn_unused_result));
/* One test of a file; why NULL: it passed. j may be NULL. */
void junit_test(struct junit *j, const char *file, const char *test,
		const char *why);
/* E_IO when it could not be written; j is gone. 0 for NULL. */
int junit_close(struct junit *j, struct err *e)
	__attribute__((warn_unused_result));

#endif
