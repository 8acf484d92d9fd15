/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the C12.22 dissector is told by whoever reads a capture: keys from a
 * file (-k), and the meter's profile from the policy set.
 */
#ifndef ENFORCER_CAPTURE_KEYS_H
#define ENFORCER_CAPTURE_KEYS_H

#include "dissectors/c1222/c1222.h"
#include "policy-lang/eval/eval.h"

struct capture_keys {
	struct c1222_conf conf;
	struct c1222_key *keys;
};

/* path and set may be NULL. What was loaded is freed after an error. */
int capture_keys_load(struct capture_keys *k, const char *path,
		      const struct pol_set *set, struct err *e)
	__attribute__((warn_unused_result));
/* The same from the text of a key file; empty: no keys. path is for
 * messages. */
int capture_keys_parse(struct capture_keys *k, const char *path,
		       struct span text, const struct pol_set *set,
		       struct err *e) __attribute__((warn_unused_result));
void capture_keys_free(struct capture_keys *k); /* wipes the keys */

#endif
