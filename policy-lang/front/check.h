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

/* budget.c: Shortest time between readings that limits let a recipient sustain,
 * the rule's own and those of the file that count all of it; 0 when they bound
 * nothing. */
int64_t sustained_ns(const struct pol_file *f, const struct pol_rule_src *rule);
/* Does a limit at top level count everything the rule lets pass? of and f: the
 * files they stand in, of the same one or a baseline. */
bool limit_covers(const struct pol_file *of, const struct pol_limit_src *l,
		  const struct pol_file *f, const struct pol_rule_src *rule);
/* Does b, where it counts all that a counts, always bite before a? alike: each
 * message counted is a reading, and each reading a message. */
bool limit_idle(const struct pol_limit_phrase *a,
		const struct pol_limit_phrase *b, bool alike);
void say_idle(struct rd *r, const struct pol_limit_phrase *a,
	      const struct pol_file *of, const struct pol_limit_phrase *b);
/* P4006 for a rule and the limits at top level of its own file, or a
 * baseline's. */
void check_starving(struct rd *r, const struct pol_rule_src *rule,
		    const struct pol_file *of);
/* link.c, P4108: rule u of file `of`, a ceiling or a restriction, asks for a
 * granularity that g gives snapshots more often than; told once of each u. */
void check_snapshots(struct rd *r, const struct pol_file *of,
		     const struct pol_rule_src *u, const struct pol_file *v,
		     const struct pol_rule_src *g);
/* Limits at top level that a message of the rule has to be counted by. */
size_t limits_met(const struct pol_file *of, const struct pol_file *f,
		  const struct pol_rule_src *rule);
void check_budgets(struct rd *r);

/* link.c: does a selection of file of include all that one of f does, or some
 * of it? Of one file, or of a baseline and a vendor's. */
/* Does a baseline's or a customer's selection include that party, or that
 * machine? */
bool party_is(const struct pol_party_sel *s, const struct pol_party_src *p);
bool vm_names(const struct pol_vm_sel *s, const char *vm);
bool party_all(const struct pol_file *of, const struct pol_party_sel *s,
	       const struct pol_file *f, const struct pol_party_sel *g);
bool party_some(const struct pol_file *of, const struct pol_party_sel *s,
		const struct pol_file *f, const struct pol_party_sel *g);

void check_rules(struct rd *r);  /* check.c: P4xxx */
void check_states(struct rd *r); /* check_state.c */
void check_cost(struct rd *r);   /* cost.c: P6201 */
void lint_file(struct rd *r);    /* lint.c: P5xxx, P6xxx */

#endif
