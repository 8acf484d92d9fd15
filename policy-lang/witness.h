/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message that breaks an assertion. It is looked for among what a grant
 * and the ceilings above it name, and each that is found was judged: alone,
 * with every consent given, the states set that its rule requires, and what it
 * answers asked before. That none is found says nothing.
 */
#ifndef POLICY_LANG_WITNESS_H
#define POLICY_LANG_WITNESS_H

#include "policy-lang/analysis/bound.h"
#include "policy-lang/scene.h"

#define WITNESS_ATTRS 12
#define WITNESS_TEXT  300

struct witness {
	struct pol_step_src step;
	struct pol_attr attr[WITNESS_ATTRS];
	struct pol_range num[WITNESS_ATTRS];
	const char *text[WITNESS_ATTRS];
	struct wall at;	    /* when it passes */
	const char *answer; /* to what that rule let pass, or NULL */
	/* Of snapshots, whose spacing is claimed: that many pass within. */
	unsigned readings;
	int64_t within_ns;
	char octets[4096]; /* of texts */
	size_t n_octets;
};

/* f: of the machine whose policy is v, one of those that s has composed; a: what
 * it breaks, ASSERT_NEVER, ASSERT_FINEST or ASSERT_FRESHEST. */
bool witness_find(struct scene *s, const struct pol_file *v,
		  const struct bound_flow *f, const struct pol_assert_src *a,
		  struct witness *w);
/* "c1222.read-response table=64 with energy.interval of 30 min, 6 h old" */
void witness_text(char buf[WITNESS_TEXT], const struct witness *w);

#endif
