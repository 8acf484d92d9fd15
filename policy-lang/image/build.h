/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the builder share; private to this folder. */
#ifndef POLICY_LANG_IMAGE_BUILD_H
#define POLICY_LANG_IMAGE_BUILD_H

#include "core/obs.h"
#include "policy-lang/image/image.h"
#include "policy-lang/image/layout.h"

/* A growing block; failed means out of memory, and stays. */
struct vec {
	uint8_t *p;
	size_t n, cap;
	bool failed;
};

/* Room for n zeroed octets at the end, or NULL. */
void *vec_room(struct vec *v, size_t n);
void vec_put(struct vec *v, const void *p, size_t n);
void vec_free(struct vec *v);

struct col_src { /* one column and where its observation comes from */
	struct lay_col col;
	enum pol_dirsel dir;
	const struct pol_obs_match *match; /* NULL: any observation */
	meas_set meas;	/* of grants: may be carried; others: any of them */
	bool has_meas;
	bool none; /* matches a message without measurements */
};

struct build {
	const struct pol_file *f;
	struct vec s[LAY_SECT_COUNT];
	struct vec names[2]; /* sorted: of STRS and TEXT (build.c) */
	struct col_src *col;
	size_t n_col;
	uint32_t words;
	struct err *e;
};

uint32_t build_str(struct build *b, const char *s);
uint32_t build_text(struct build *b, const char *s);
/* The index in LIST where n numbers were put. */
uint32_t build_list(struct build *b, const uint32_t *v, size_t n);

/* build_rows.c: every section but those of selectors, columns, dimensions and
 * texts; of the label and the signature there are no rows yet. */
void build_rows(struct build *b);

/* Selectors, columns and dimensions from the rules, limits and states. */
int build_columns(struct build *b) __attribute__((warn_unused_result));
int build_dims(struct build *b) __attribute__((warn_unused_result));

/* One automaton of patterns ('*' within a path segment, '**' anything), to
 * AUTO and LIST. glob is sorted and without doubles. Texts are of one class
 * when the same columns take them; rows gets the columns of each class, b->words
 * words of them; those of class 0, which nothing fits, are none. */
struct auto_glob {
	const char *text;
	const uint64_t *cols; /* that say it */
};
struct auto_out {
	uint32_t first, n; /* states */
	struct vec rows;
	uint32_t n_class;
};
int build_auto(struct build *b, const struct auto_glob *glob, size_t n_glob,
	       struct auto_out *out) __attribute__((warn_unused_result));

#endif
