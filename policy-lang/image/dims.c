/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attributes become dimensions (layout.h). Of each one all values that any
 * column names are sorted once, so that the rows come one after another and
 * the work is of the order of what is written.
 */
#include <stdlib.h>

#include "policy-lang/image/build.h"

/* --- what there always is ------------------------------------------------- */

static const struct pol_attr *attr_of(const struct col_src *c, uint16_t field)
{
	for (size_t i = 0; c->match && i < c->match->n_attr; i++) {
		if (c->match->attr[i].field == field)
			return &c->match->attr[i];
	}
	return NULL;
}

/* Names its object, so that it may pass data of unknown meaning. */
static bool named(const struct col_src *c)
{
	return attr_of(c, F_TABLE) || attr_of(c, F_HREF) || attr_of(c, F_PATH);
}

static bool fits_meas(const struct build *b, const struct col_src *c,
		      unsigned m)
{
	if (!c->has_meas)
		return true;
	if (m == MEAS_COUNT)
		return c->none;
	if (m == MEAS_UNKNOWN_TABLE && c->col.type == COL_GRANT &&
	    b->f->kind == POL_VENDOR && !named(c))
		return false;
	return c->meas >> m & 1;
}

static bool fits_direct(const struct build *b, const struct col_src *c,
			unsigned dim, unsigned v)
{
	switch (dim) {
	case LAY_DIM_DIR:
		return c->dir == DIRSEL_ANY ||
		       (c->dir == DIRSEL_OUT) == (v == DIR_OUT);
	case LAY_DIM_KIND:
		return !c->match || c->match->kinds.w[v / 64] >> (v % 64) & 1;
	default:
		return fits_meas(b, c, v);
	}
}

static uint32_t rows_now(const struct build *b)
{
	return (uint32_t)(b->s[LAY_DIMS].n / sizeof(uint64_t) / b->words);
}

static void put_dim(struct build *b, struct lay_dim d)
{
	vec_put(&b->s[LAY_OBSV], &d, sizeof(d));
}

static void direct_dims(struct build *b)
{
	static const uint32_t rows[] = {2, OBS_COUNT, MEAS_COUNT + 1};

	for (unsigned dim = 0; dim < LAY_DIM_FIELDS; dim++) {
		put_dim(b, (struct lay_dim){.field = 0xffff,
					    .form = DIM_DIRECT,
					    .n_rows = rows[dim],
					    .first = rows_now(b)});
		for (unsigned v = 0; v < rows[dim]; v++) {
			uint64_t *row =
				vec_room(&b->s[LAY_DIMS], 8 * (size_t)b->words);

			for (size_t i = 0; row && i < b->n_col; i++) {
				if (fits_direct(b, &b->col[i], dim, v))
					row[i / 64] |= UINT64_C(1) << (i % 64);
			}
		}
	}
}

/* --- what columns say of a field ------------------------------------------ */

struct said { /* one value by one column */
	union {
		uint32_t num; /* where a range begins, or is over */
		struct span oid;
		const char *text;
	};
	uint32_t col;
	bool over;
};

struct source { /* of a dimension */
	struct build *b;
	uint16_t field;
	enum field_type type;
	struct said *said; /* sorted */
	size_t n;
	uint64_t any[LAY_WORDS]; /* columns that say nothing of it */
};

static void set_bit(uint64_t *row, uint32_t col)
{
	row[col / 64] |= UINT64_C(1) << (col % 64);
}

static size_t values_of(const struct source *f, const struct pol_attr *a)
{
	switch (f->type) {
	case FIELD_OID:
		return a->n_oid;
	case FIELD_TEXT:
		return a->n_text;
	default:
		return 2 * a->n_num;
	}
}

static void note(struct source *f, const struct pol_attr *a, uint32_t col)
{
	size_t n = values_of(f, a);

	for (size_t i = 0; i < n; i++) {
		struct said *to = &f->said[f->n++];

		to->col = col;
		to->over = false;
		if (f->type == FIELD_OID) {
			to->oid = a->oid[i];
		} else if (f->type == FIELD_TEXT) {
			to->text = a->text[i];
		} else if (i % 2 == 0) {
			to->num = a->num[i / 2].lo;
		} else if (a->num[i / 2].hi < UINT32_MAX) {
			to->num = a->num[i / 2].hi + 1;
			to->over = true;
		} else { /* never */
			f->n--;
		}
	}
}

static int gather(struct source *f, int (*order)(const void *, const void *))
{
	struct build *b = f->b;
	size_t most = 1;

	for (size_t i = 0; i < b->n_col; i++) {
		const struct pol_attr *a = attr_of(&b->col[i], f->field);

		most += a ? values_of(f, a) : 0;
	}
	f->said = calloc(most, sizeof(*f->said));
	if (!f->said)
		return err_set(b->e, E_NOMEM, 0, "out of memory");
	for (uint32_t i = 0; i < b->n_col; i++) {
		const struct pol_attr *a = attr_of(&b->col[i], f->field);

		if (a)
			note(f, a, i);
		else
			set_bit(f->any, i);
	}
	qsort(f->said, f->n, sizeof(*f->said), order);
	return 0;
}

/* Columns that say nothing of the field, and those of with. */
static void put_row(struct source *f, const uint64_t *with)
{
	struct build *b = f->b;
	uint64_t *row = vec_room(&b->s[LAY_DIMS], 8 * (size_t)b->words);

	for (uint32_t w = 0; row && w < b->words; w++)
		row[w] = f->any[w] | (with ? with[w] : 0);
}

/* --- numbers --------------------------------------------------------------- */

static int by_num(const void *a, const void *b)
{
	const struct said *x = a, *y = b;

	return (x->num > y->num) - (x->num < y->num);
}

/* From one start to the next: ranges of a column may lie over each other. */
static int number_dim(struct source *f)
{
	struct build *b = f->b;
	struct lay_dim d = {.field = f->field,
			    .form = DIM_RANGES,
			    .first = rows_now(b),
			    .v_first = build_list(b, NULL, 0)};
	uint32_t open[LAY_MAX_COLS] = {0}, start = 0;
	uint64_t row[LAY_WORDS] = {0};

	put_row(f, NULL);
	for (size_t i = 0; i < f->n || d.v_n == 0;) {
		for (; i < f->n && f->said[i].num == start; i++) {
			uint32_t c = f->said[i].col;

			open[c] += f->said[i].over ? UINT32_MAX : 1;
			row[c / 64] &= ~(UINT64_C(1) << (c % 64));
			if (open[c])
				set_bit(row, c);
		}
		build_list(b, &start, 1);
		put_row(f, row);
		d.v_n++;
		start = i < f->n ? f->said[i].num : 0;
	}
	d.n_rows = d.v_n + 1;
	put_dim(b, d);
	return 0;
}

/* --- titles ---------------------------------------------------------------- */

static int by_oid(const void *a, const void *b)
{
	const struct said *x = a, *y = b;
	size_t n = x->oid.n < y->oid.n ? x->oid.n : y->oid.n;
	int c = n ? memcmp(x->oid.p, y->oid.p, n) : 0;

	return c ? c : (x->oid.n > y->oid.n) - (x->oid.n < y->oid.n);
}

static int oid_dim(struct source *f)
{
	struct build *b = f->b;
	struct lay_dim d = {.field = f->field,
			    .form = DIM_OIDS,
			    .first = rows_now(b),
			    .v_first = build_list(b, NULL, 0)};

	put_row(f, NULL);
	put_row(f, NULL);
	for (size_t i = 0; i < f->n;) {
		struct span oid = f->said[i].oid;
		uint32_t pair[2] = {(uint32_t)b->s[LAY_BLOB].n,
				    (uint32_t)oid.n};
		uint64_t row[LAY_WORDS] = {0};

		for (; i < f->n && span_eq(f->said[i].oid, oid); i++)
			set_bit(row, f->said[i].col);
		vec_put(&b->s[LAY_BLOB], oid.p, oid.n);
		build_list(b, pair, 2);
		put_row(f, row);
		d.v_n += 2;
	}
	d.n_rows = d.v_n / 2 + 2;
	put_dim(b, d);
	return 0;
}

/* --- texts ----------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(((const struct said *)a)->text,
		      ((const struct said *)b)->text);
}

/* Each pattern once, with all columns that say it. */
static size_t patterns(const struct source *f, struct auto_glob *glob,
		       uint64_t *cols)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; n++) {
		const char *text = f->said[i].text;

		glob[n] = (struct auto_glob){text, cols + n * f->b->words};
		for (; i < f->n && strcmp(f->said[i].text, text) == 0; i++)
			set_bit(cols + n * f->b->words, f->said[i].col);
	}
	return n;
}

static int text_dim(struct source *f)
{
	struct build *b = f->b;
	struct lay_dim d = {
		.field = f->field, .form = DIM_AUTO, .first = rows_now(b)};
	struct auto_glob *glob = calloc(f->n + 1, sizeof(*glob));
	uint64_t *cols = calloc(f->n + 1, b->words * sizeof(*cols));
	struct auto_out out = {0};
	int rc;

	rc = glob && cols ? build_auto(b, glob, patterns(f, glob, cols), &out)
			  : err_set(b->e, E_NOMEM, 0, "out of memory");
	d.v_first = out.first;
	d.v_n = out.n;
	d.n_rows = out.n_class + 1;
	if (!rc) {
		put_dim(b, d);
		put_row(f, NULL);
	}
	for (uint32_t c = 0; !rc && c < out.n_class; c++)
		put_row(f, (const uint64_t *)out.rows.p +
				   (size_t)c * b->words);
	vec_free(&out.rows);
	free(glob);
	free(cols);
	return rc;
}

/* --- all of them ----------------------------------------------------------- */

static int field_dim(struct build *b, uint16_t field)
{
	static const struct {
		int (*order)(const void *, const void *);
		int (*dim)(struct source *f);
	} of[] = {
		[FIELD_U64] = {by_num, number_dim},
		[FIELD_I64] = {by_num, number_dim},
		[FIELD_FLAG] = {by_num, number_dim},
		[FIELD_OID] = {by_oid, oid_dim},
		[FIELD_TEXT] = {by_text, text_dim},
	};
	enum field_type type = field_type((enum field)field);
	struct source f = {.b = b, .field = field, .type = type};
	int rc;

	if (type >= sizeof(of) / sizeof(of[0]) || !of[type].dim)
		return err_set(b->e, E_UNSUPPORTED, field,
			       "%s cannot be selected by",
			       field_name((enum field)field));
	rc = gather(&f, of[type].order);
	if (!rc)
		rc = of[type].dim(&f);
	free(f.said);
	return rc;
}

int build_dims(struct build *b)
{
	int rc = 0;
	unsigned n = LAY_DIM_FIELDS;

	direct_dims(b);
	for (uint16_t field = 0; !rc && field < FIELD_COUNT; field++) {
		bool used = false;

		for (size_t i = 0; i < b->n_col && !used; i++)
			used = attr_of(&b->col[i], field) != NULL;
		if (!used)
			continue;
		if (n++ >= LAY_MAX_DIMS)
			return err_set(b->e, E_LIMIT, 0,
				       "rules select by more than %d "
				       "attributes",
				       LAY_MAX_DIMS);
		rc = field_dim(b, field);
	}
	return rc;
}
