/* SPDX-License-Identifier: Apache-2.0 */
/* Parts that the page of a label is made of: each escapes what it is given. */
#ifndef POLICY_LANG_LABEL_PARTS_H
#define POLICY_LANG_LABEL_PARTS_H

#include <stdio.h>

#include "policy-lang/label_page.h"

struct page { /* being written to out */
	FILE *out;
	const struct label_page *p;
	const struct lang *l;
};

const char *page_word(const struct page *g, enum word w);
/* Markup of ours, as it is; and text. */
void page_raw(const struct page *g, const char *s);
void page_str(const struct page *g, const char *s);
void page_element(const struct page *g, const char *open, const char *s,
		  const char *close);
/* id: with the number n, or NULL. */
void page_heading(const struct page *g, int level, const char *id, size_t n,
		  const char *s);
void page_item(const struct page *g, const char *s);
/* A row of a table of two columns, and parts of others. */
void page_row(const struct page *g, enum word head, const char *s);
void page_head_cell(const struct page *g, const char *s);
void page_table(const struct page *g, const char *caption);

/* label_details.c, the second layer: of recipient i of the bound, and the
 * policies of all machines. */
void page_details(const struct page *g, size_t i);
void page_policies(const struct page *g);

#endif
