/* SPDX-License-Identifier: Apache-2.0 */
/* Collecting diagnostics; see front.h for what one is. */
#ifndef POLICY_LANG_FRONT_DIAG_H
#define POLICY_LANG_FRONT_DIAG_H

#include "policy-lang/front/yaml.h"

#define DIAG_MAX_ERRORS 20 /* kept; the rest is counted */

struct diag_at {
	uint32_t line, col, len;
};

/* Add one and return it for a second place to be set, or NULL when it was
 * only counted. hint may be NULL. */
struct diag *diag_add(struct diags *d, enum diag_level level, uint16_t code,
		      const char *path, struct diag_at at, const char *hint,
		      const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));
void diag_second(struct diag *d, uint32_t line, uint32_t col, const char *fmt,
		 ...) __attribute__((format(printf, 4, 5)));

/* Where a node, or n characters of a scalar from off on, stand. */
struct diag_at at_node(const struct ynode *n);
struct diag_at at_part(const struct ynode *n, size_t off, size_t len);

/* A scalar for a message: at most 60 octets, without controls, whole
 * characters. Returns buf. */
#define SHOW 72
char *show(char buf[SHOW], struct span s);

/* Print text that strangers may have chosen, such as the name of a file: what
 * is not UTF-8 or cannot be seen is one '?' each. file is a FILE *. */
void diag_text(void *file, const char *text);

/* The nearest of n words by edit distance, or NULL when none is near. */
const char *nearest(struct span word, const char *const *words, size_t n);

#endif
