/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The label as a page and as a picture (privacy.md 9 and 10). Both need
 * nothing from outside and run nothing; whatever a policy says is escaped.
 */
#ifndef POLICY_LANG_LABEL_PAGE_H
#define POLICY_LANG_LABEL_PAGE_H

#include "policy-lang/label_say.h"
#include "policy-lang/polc.h"

struct label_page { /* all borrowed */
	const struct pol_files *files;
	const struct scene *scene;
	const struct bound *bound;
	const struct lang *lang;
	bool customer; /* as this household chose */
};

/* out is a FILE *. */
void label_html(void *out, const struct label_page *p);
/* Who learns what, a row for each recipient; alone: a file of its own, with
 * its colours, else within a page that has them. */
void label_svg(void *out, const struct label_page *p, bool alone);

/* Escaped for HTML and XML, in text and in attributes; what neither may hold
 * becomes U+FFFD. */
void label_escape(void *out, struct span s);

#endif
