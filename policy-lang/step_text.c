/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/step_text.h"

#include <stdio.h>

void step_wants(char *buf, size_t cap, const struct pol_step_src *s)
{
	static const char *const what[] = {[EXPECT_PERMIT] = "permit",
					   [EXPECT_DENY] = "deny",
					   [EXPECT_DEFER] = "defer"};

	snprintf(buf, cap, "%s%s%s%s%s", what[s->expect],
		 s->because ? " because " : "",
		 s->because ? reason_text(s->because) : "", s->by ? " by " : "",
		 s->by ? s->by : "");
}

void step_got(char *buf, size_t cap, const struct pol_decision *d)
{
	size_t n;

	if (d->permit) {
		snprintf(buf, cap, "permit");
	} else {
		n = (size_t)snprintf(buf, cap, "%s because",
				     d->action == POL_DEFER ? "defer" : "deny");
		for (unsigned r = 1; r < REASON_COUNT && n < cap; r++) {
			if (reasons_has(&d->reasons, (enum reason)r))
				n += (size_t)snprintf(
					buf + n, cap - n, " %s",
					reason_text((enum reason)r));
		}
	}
	for (uint32_t i = 0; i < d->n_rules; i++) {
		n = strlen(buf);
		if (d->rules[i].rule.n)
			snprintf(buf + n, cap - n, "%s%.*s/%.*s",
				 i ? ", " : " by ", (int)d->rules[i].layer.n,
				 (const char *)d->rules[i].layer.p,
				 (int)d->rules[i].rule.n,
				 (const char *)d->rules[i].rule.p);
	}
	n = strlen(buf);
	if (d->text[0])
		snprintf(buf + n, cap - n, " (%s)", d->text);
}
