/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a message passes or not: the whole chain, for people
 * (policy-language section 19.5).
 */
#ifndef POLICY_LANG_ANALYSIS_EXPLAIN_H
#define POLICY_LANG_ANALYSIS_EXPLAIN_H

#include "policy-lang/eval/eval.h"

/* Judge m and write the verdict with one line per stage and layer to buf
 * (terminated, cut when too long; 4 KiB holds every chain). Returns 1 when it
 * is permitted, 0 when not. Nothing is charged: what is open since the last
 * commit is aborted, so call it between transactions. */
int pol_explain(const struct pol_set *s, struct pol_state *st,
		const struct pol_msg *m, char *buf, size_t cap);
/* The same for an event that the pipeline tells (decision, violation,
 * anomaly), from inside that call: st still knows what it judged last. A
 * refusal below policy is one clause. */
void pol_explain_event(const struct pol_state *st, const struct event *ev,
		       char *buf, size_t cap);

#endif
