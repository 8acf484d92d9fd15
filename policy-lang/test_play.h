/* SPDX-License-Identifier: Apache-2.0 */
/* Between cmd_test.c and test_play.c: scenarios, and what became of them. */
#ifndef POLICY_LANG_TEST_PLAY_H
#define POLICY_LANG_TEST_PLAY_H

#include "policy-lang/coverage.h"
#include "policy-lang/junit.h"
#include "policy-lang/polc.h"

struct tally {
	size_t passed, failed;
	bool json;
	struct coverage *coverage;      /* or NULL */
	struct junit *junit;            /* or NULL */
	const struct pol_file *instead; /* of the file of its id, or NULL */
	size_t survived;     /* mutants, and justifications of none */
	bool quiet;          /* the first failure is all that is asked */
	struct suite *suite; /* read once, however often they run */
	struct pol_files beside;
};

/* Play one test of f in a scene made for it; counts and tells it. */
void test_play(struct tally *t, struct scene *s, const struct pol_file *f,
	       const struct pol_test_src *test);
/* A file that a test of file names, relative to that. */
void test_beside(char *buf, size_t cap, const char *file, const char *name);

#endif
