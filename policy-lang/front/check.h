/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of meaning that one file allows (policy-language 19.3). */
#ifndef POLICY_LANG_FRONT_CHECK_H
#define POLICY_LANG_FRONT_CHECK_H

#include "policy-lang/front/overlap.h"
#include "policy-lang/front/schema.h"

/* A finding at a name or a phrase; len characters. */
struct diag *find(struct rd *r, enum diag_level level, uint16_t code,
		  struct pol_pos pos, size_t len, const char *hint,
		  const char *fmt, ...) __attribute__((format(printf, 7, 8)));
#define AT_RULE(rule) (rule)->pos, strlen((rule)->id)

/* A rule by which something may leave the home for somebody outside. */
bool goes_outside(const struct pol_file *f, const struct pol_rule_src *rule);
/* The same with a measurement in it. */
bool discloses(const struct pol_file *f, const struct pol_rule_src *rule);

/* Shortest time between readings that the rule's limits let a recipient
 * sustain; 0 when they bound nothing. */
int64_t sustained_ns(const struct pol_rule_src *rule);
/* Nominal length of a calendar window; 0 for none. */
int64_t window_ns(const struct pol_limit_phrase *l);

void check_rules(struct rd *r);  /* check.c: P4xxx */
void check_states(struct rd *r); /* check_state.c */
void check_cost(struct rd *r);   /* cost.c: P6201 */
void lint_file(struct rd *r);    /* lint.c: P5xxx, P6xxx */

#endif
