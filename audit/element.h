/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The elements of a record's body, one by one; record.c puts the whole
 * together. The table of them is RECORD_ELEMENTS.
 */
#ifndef AUDIT_ELEMENT_H
#define AUDIT_ELEMENT_H

#include "audit/record.h"

/* Longest texts of a rule, and of a guest: what the rule and subject numbers
 * of the fixed part are made from. */
#define ELEMENT_POLICY_MAX 48
#define ELEMENT_RULE_MAX   64
#define ELEMENT_GUEST_MAX  64

/* Append all elements that r has; *cut is set when something did not fit. */
void element_put_all(struct wbuf *w, const struct record *r, bool *cut);
/* Read elements to the end of c, and only such as element_put_all writes of
 * what they say. Returns 0 or E_SYNTAX. */
int element_get_all(struct cur *c, struct record_view *v, struct err *e)
	__attribute__((warn_unused_result));

/* The elements by which the audit tells about itself; l may be NULL. */
void element_put_log(struct wbuf *w, const struct event_log *l,
		     enum record_element which);
bool element_get_log(struct cur *c, struct record_view *v,
		     enum record_element which);

/* Is r about one observation, the one that was judged? */
bool element_has_leaf(const struct record *r);
/* s, or as much of it as fits without cutting a UTF-8 sequence in two. */
struct span element_fit(struct span s, size_t max, bool *cut);

#endif
