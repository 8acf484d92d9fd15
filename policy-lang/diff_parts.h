/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of polc diff: two sets, and what differs between them. */
#ifndef POLICY_LANG_DIFF_PARTS_H
#define POLICY_LANG_DIFF_PARTS_H

#include "policy-lang/analysis/diff.h"
#include "policy-lang/polc.h"

struct diff_version { /* one of the two sets */
	struct pol_files files;
	struct scene scene;
	struct bound *bound;
	struct bound *chosen; /* by this household */
};

struct diff_whole {
	const struct diff_version *was, *is;
	/* With every consent; with what this household chose, which is only
	 * shown where it chose otherwise. */
	struct diff *all, *chosen;
	bool chose;
	enum diff_change verdict; /* SAME, NARROWER or WIDER */
	bool show_same; /* what is the same, too */
};

/* --- cmd_diff.c --------------------------------------------------------------
 */

/* Calls told, which may be NULL, with each reason why a policy of b is not
 * within what stands in its place in a; false: there is one. */
typedef void diff_reason(void *arg, struct span policy, struct span why);
bool diff_within(const struct diff_version *a, const struct diff_version *b,
		 diff_reason *told, void *arg);

/* A policy by its id: what came, what went, or what is another one. */
struct diff_file {
	const struct pol_file *was, *is; /* NULL where there is none */
	/* Another serial, other days, or something else in it: the gateway
	 * takes the latter only with a larger serial. */
	bool serial, days, content;
	bool prolonged; /* valid on days on which it was not */
};
void diff_files(const struct diff_version *was, const struct diff_version *is,
		void (*found)(void *arg, const struct diff_file *f), void *arg);

/* Is an answer to the rule that gives it finest void? Where the vendor's rule is
 * wider than it was; what a baseline or a binding opens the answer is about
 * already. */
bool diff_voids(const struct diff_whole *w, const struct diff_item *i);
/* Another purpose is no wider, but a customer should read it. */
bool diff_reworded(const struct diff_item *i);
/* Is it to be shown? */
bool diff_item_shown(const struct diff_whole *w, const struct diff_item *i);
/* And of its octets and its grade? */
bool diff_recipient_shown(const struct diff_whole *w, const struct diff *d,
			  const struct diff_recipient *r);
uint64_t diff_octets(const struct bound_recipient *r, enum most_span s);
char diff_grade(const struct bound_recipient *r); /* '-': none */

/* --- diff_text.c, diff_json.c: on the standard output ------------------------
 */

int diff_text(const struct diff_whole *w) __attribute__((warn_unused_result));
/* A line each: what differs. */
int diff_json(const struct diff_whole *w) __attribute__((warn_unused_result));
/* The last line: the verdict and why, files, and octets. */
int diff_json_verdict(const struct diff_whole *w)
	__attribute__((warn_unused_result));

/* diff_told.c: rules of one name that are audited, notified or graded in
 * another way. */
int diff_told(const struct pol_image *was, const struct pol_image *is,
	      bool json) __attribute__((warn_unused_result));
int diff_told_all(const struct diff_whole *w, bool json)
	__attribute__((warn_unused_result));

#endif
