/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies with one constraint less than they have (policy-language 18.1): a
 * test that fails for such a mutant noticed that the constraint was gone. One
 * that fails nowhere survives; its author adds a test, or says in a comment of
 * one of the files why none can notice:
 *
 *	# survives com.example.mdma/send-profile/delay: the baseline says more
 *
 * What would not compile (two grants that meet, P4001) is no mutant.
 */
#ifndef POLICY_LANG_MUTATE_H
#define POLICY_LANG_MUTATE_H

#include "policy-lang/polc.h"

#define MUTANT_NAME 320

struct mutant {
	char name[MUTANT_NAME]; /* "com.example.mdma/send-profile/limits/1" */
	struct pol_pos pos;     /* of what it lacks */
	struct pol_file file;   /* borrows what it shares with the original */
	void *own[4];           /* what it does not share */
	size_t n_own;
};

/* The k-th mutant of a file, from 0. False when there is none; then, and after
 * E_NOMEM in e, nothing is left to free. */
bool mutant_new(struct mutant *m, const struct pol_file *f, size_t k,
		struct err *e);
void mutant_free(struct mutant *m);

/* Do the tests, all of whose files are as they were but for this one, notice?
 * A negative code when they could not be run. */
typedef int mutant_noticed(void *ctx, const struct pol_file *instead,
			   struct err *e);

struct mutation {
	size_t mutants, noticed, justified; /* the others survive */
	size_t stale; /* justifications of what does not survive */
};
/* All mutants of the files; survivors are printed. */
int mutate_all(struct mutation *out, const struct pol_files *files,
	       mutant_noticed *noticed, void *ctx, bool json, struct err *e)
	__attribute__((warn_unused_result));

#endif
