/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy changes, in lines for people: what the panel shows before it
 * asks. Nobody confirms what was not shown, so a line that does not fit is
 * never left out in silence.
 */
#ifndef ENFORCER_DAEMON_TELLING_H
#define ENFORCER_DAEMON_TELLING_H

#include "policy-lang/analysis/diff.h"

struct telling {
	char *text; /* terminated */
	size_t cap, n;
	bool cut; /* something did not fit: it must not be confirmed */
};

void tell(struct telling *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Each figure of it that differs. */
void tell_item(struct telling *t, const struct diff_item *i);

#endif
