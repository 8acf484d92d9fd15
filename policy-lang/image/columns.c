/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors become columns, attributes become dimensions (layout.h). */
#include <stdlib.h>

#include "policy-lang/image/build.h"

/* --- who: selectors of machines and parties ------------------------------ */

static void names_list(struct build *b, const char *const *name, size_t n,
		       uint32_t *first, uint32_t *count)
{
	*first = (uint32_t)(b->s[LAY_LIST].n / sizeof(uint32_t));
	*count = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		uint32_t off = build_str(b, name[i]);

		build_list(b, &off, 1);
	}
}

static uint32_t put_sel(struct build *b, const struct pol_party_sel *p,
			const struct pol_vm_sel *vm)
{
	struct lay_sel s = {0};
	uint32_t at = (uint32_t)(b->s[LAY_SELS].n / sizeof(s));

	if (p->any)
		s.flags |= LAY_SEL_ANY_PARTY;
	for (size_t i = 0; i < p->n_party; i++)
		s.parties |= UINT64_C(1) << (p->party[i] % 64);
	s.roles = p->roles;
	names_list(b, p->country, p->n_country, &s.country_first, &s.country_n);
	names_list(b, p->operator_, p->n_operator, &s.op_first, &s.op_n);
	if (!vm || vm->any)
		s.flags |= LAY_SEL_ANY_VM;
	names_list(b, vm ? vm->vm : NULL, vm ? vm->n_vm : 0, &s.vm_first,
		   &s.vm_n);
	vec_put(&b->s[LAY_SELS], &s, sizeof(s));
	return at;
}

/* except: with nothing in it, there is none. */
static bool has_except(const struct pol_party_sel *p)
{
	return p->any || p->n_party || p->roles || p->n_country ||
	       p->n_operator;
}

/* --- columns ------------------------------------------------------------- */

static int add_cols(struct build *b, const struct col_src *proto,
		    const struct pol_obs_match *match, size_t n_match)
{
	size_t n = n_match ? n_match : 1;

	for (size_t i = 0; i < n; i++) {
		struct col_src *c;

		if (b->n_col >= LAY_MAX_COLS)
			return err_set(b->e, E_LIMIT, 0,
				       "more than %d observations in the "
				       "selectors of one file",
				       LAY_MAX_COLS);
		c = &b->col[b->n_col++];
		*c = *proto;
		c->match = n_match ? &match[i] : NULL;
		if (n_match || c->has_meas)
			c->col.flags |= LAY_COL_MATCH;
	}
	return 0;
}

static int rule_cols(struct build *b, size_t i)
{
	const struct pol_rule_src *r = &b->f->rule[i];
	static const enum lay_col_type type[] = {[RULE_GRANT] = COL_GRANT,
						 [RULE_CEILING] = COL_GRANT,
						 [RULE_DENY] = COL_DENY,
						 [RULE_RESTRICT] =
							 COL_RESTRICT};
	struct col_src c = {.dir = r->dir, .meas = r->data.meas};
	const struct pol_vm_sel *vm = b->f->kind == POL_VENDOR ? NULL : &r->vm;

	c.col.type = (uint8_t)type[r->kind];
	c.col.owner = (uint16_t)i;
	c.col.sel = put_sel(b, &r->party, vm);
	c.col.except = has_except(&r->except) ? put_sel(b, &r->except, NULL)
					      : LAY_NONE;
	/* A grant without data passes no measurement, one with data nothing
	 * else; a ceiling's data is an upper bound; elsewhere data selects. */
	c.has_meas = r->kind == RULE_GRANT || r->kind == RULE_CEILING ||
		     r->data.present;
	c.none = r->kind == RULE_CEILING ||
		 (r->kind == RULE_GRANT && !r->data.present);
	/* A block or hours of a restriction without match: bare. */
	return add_cols(b, &c, r->match, r->n_match);
}

static int limit_cols(struct build *b, size_t i, uint32_t row)
{
	const struct pol_limit_src *l = &b->f->limit[i];
	struct col_src c = {.dir = l->dir, .meas = l->meas};

	c.col.type = COL_LIMIT;
	c.col.owner = (uint16_t)row;
	c.col.sel =
		put_sel(b, &l->party, b->f->kind == POL_VENDOR ? NULL : &l->vm);
	c.col.except = LAY_NONE;
	c.has_meas = l->meas != 0;
	return add_cols(b, &c, l->match, l->n_match);
}

static int trigger_cols(struct build *b, size_t i, enum lay_col_type type,
			const struct pol_trigger *t)
{
	struct pol_party_sel sel = {.party = &t->party, .n_party = 1};
	struct col_src c = {.dir = t->dir};

	c.col.type = (uint8_t)type;
	c.col.owner = (uint16_t)i;
	c.col.sel = put_sel(b, &sel, NULL);
	c.col.except = LAY_NONE;
	return add_cols(b, &c, t->match, t->n_match);
}

/* By type, then by owner: the loader insists. */
static int rules_of(struct build *b, enum lay_col_type type)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < b->f->n_rule; i++) {
		enum pol_rule_kind k = b->f->rule[i].kind;
		bool grant = k == RULE_GRANT || k == RULE_CEILING;

		if ((type == COL_GRANT && grant) ||
		    (type == COL_DENY && k == RULE_DENY) ||
		    (type == COL_RESTRICT && k == RULE_RESTRICT))
			rc = rule_cols(b, i);
	}
	return rc;
}

int build_columns(struct build *b)
{
	const struct pol_file *f = b->f;
	size_t row = 0;
	int rc;

	b->col = calloc(LAY_MAX_COLS, sizeof(*b->col));
	if (!b->col)
		return err_set(b->e, E_NOMEM, 0, "out of memory");
	rc = rules_of(b, COL_GRANT);
	if (!rc)
		rc = rules_of(b, COL_DENY);
	if (!rc)
		rc = rules_of(b, COL_RESTRICT);
	for (size_t i = 0; i < f->n_rule; i++)
		row += f->rule[i].n_limit;
	for (size_t i = 0; !rc && i < f->n_limit; i++)
		rc = limit_cols(b, i, (uint32_t)(row + i));
	for (size_t i = 0; !rc && i < f->n_state; i++)
		rc = trigger_cols(b, i, COL_SET, &f->state[i].set);
	for (size_t i = 0; !rc && i < f->n_state; i++) {
		if (f->state[i].has_clear)
			rc = trigger_cols(b, i, COL_CLEAR, &f->state[i].clear);
	}
	for (size_t i = 0; i < b->n_col; i++)
		vec_put(&b->s[LAY_COLS], &b->col[i].col, sizeof(b->col[i].col));
	b->words = (uint32_t)((b->n_col + 63) / 64);
	if (b->words == 0)
		b->words = 1;
	return rc;
}

/* --- dimensions ---------------------------------------------------------- */

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

static bool in_ranges(const struct pol_attr *a, uint32_t v)
{
	for (size_t i = 0; i < a->n_num; i++) {
		if (v >= a->num[i].lo && v <= a->num[i].hi)
			return true;
	}
	return false;
}

static int u32_order(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static size_t unique(uint32_t *v, size_t n)
{
	size_t k = 0;

	qsort(v, n, sizeof(*v), u32_order);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || v[i] != v[i - 1])
			v[k++] = v[i];
	}
	return k;
}

/* A row of a field's dimension: columns that say nothing of the field, and
 * those that fit(arg, attribute). */
static void field_row(struct build *b, uint16_t field,
		      bool (*fit)(const void *arg, const struct pol_attr *a),
		      const void *arg)
{
	uint64_t *row = vec_room(&b->s[LAY_DIMS], 8 * (size_t)b->words);

	for (size_t i = 0; row && i < b->n_col; i++) {
		const struct pol_attr *a = attr_of(&b->col[i], field);

		if (!a || (fit && fit(arg, a)))
			row[i / 64] |= UINT64_C(1) << (i % 64);
	}
}

static bool fit_number(const void *arg, const struct pol_attr *a)
{
	return in_ranges(a, *(const uint32_t *)arg);
}

static int number_dim(struct build *b, uint16_t field)
{
	struct lay_dim d = {
		.field = field, .form = DIM_RANGES, .first = rows_now(b)};
	size_t n = 1, k = 1;
	uint32_t *at;

	for (size_t i = 0; i < b->n_col; i++) {
		const struct pol_attr *a = attr_of(&b->col[i], field);

		n += a ? 2 * a->n_num : 0;
	}
	at = calloc(n, sizeof(*at));
	if (!at)
		return err_set(b->e, E_NOMEM, 0, "out of memory");
	for (size_t i = 0; i < b->n_col; i++) {
		const struct pol_attr *a = attr_of(&b->col[i], field);

		for (size_t j = 0; a && j < a->n_num; j++) {
			at[k++] = a->num[j].lo;
			if (a->num[j].hi < UINT32_MAX)
				at[k++] = a->num[j].hi + 1;
		}
	}
	n = unique(at, k);
	d.v_first = build_list(b, at, n);
	d.v_n = (uint32_t)n;
	d.n_rows = (uint32_t)n + 1;
	put_dim(b, d);
	field_row(b, field, NULL, NULL);
	for (size_t i = 0; i < n; i++)
		field_row(b, field, fit_number, &at[i]);
	free(at);
	return 0;
}

static int span_order(const void *a, const void *b)
{
	const struct span *x = a, *y = b;
	size_t n = x->n < y->n ? x->n : y->n;
	int c = n ? memcmp(x->p, y->p, n) : 0;

	return c ? c : (x->n > y->n) - (x->n < y->n);
}

static bool fit_oid(const void *arg, const struct pol_attr *a)
{
	for (size_t i = 0; i < a->n_oid; i++) {
		if (span_eq(a->oid[i], *(const struct span *)arg))
			return true;
	}
	return false;
}

static int oid_dim(struct build *b, uint16_t field)
{
	struct lay_dim d = {
		.field = field, .form = DIM_OIDS, .first = rows_now(b)};
	size_t n = 0, k = 0;
	struct span *oid;

	for (size_t i = 0; i < b->n_col; i++) {
		const struct pol_attr *a = attr_of(&b->col[i], field);

		n += a ? a->n_oid : 0;
	}
	oid = calloc(n + 1, sizeof(*oid));
	if (!oid)
		return err_set(b->e, E_NOMEM, 0, "out of memory");
	for (size_t i = 0, j = 0; i < b->n_col; i++) {
		const struct pol_attr *a = attr_of(&b->col[i], field);

		for (size_t o = 0; a && o < a->n_oid; o++)
			oid[j++] = a->oid[o];
	}
	qsort(oid, n, sizeof(*oid), span_order);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || span_order(&oid[i], &oid[i - 1]))
			oid[k++] = oid[i];
	}
	d.v_first = (uint32_t)(b->s[LAY_LIST].n / sizeof(uint32_t));
	for (size_t i = 0; i < k; i++) {
		uint32_t pair[2] = {(uint32_t)b->s[LAY_BLOB].n,
				    (uint32_t)oid[i].n};

		vec_put(&b->s[LAY_BLOB], oid[i].p, oid[i].n);
		build_list(b, pair, 2);
	}
	d.v_n = (uint32_t)(2 * k);
	d.n_rows = (uint32_t)k + 2;
	put_dim(b, d);
	field_row(b, field, NULL, NULL);
	field_row(b, field, NULL, NULL);
	for (size_t i = 0; i < k; i++)
		field_row(b, field, fit_oid, &oid[i]);
	free(oid);
	return 0;
}

static int str_order(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct fit_text {
	const char *const *glob;
	size_t n;
	const uint64_t *accept;
};

static bool fit_text(const void *arg, const struct pol_attr *a)
{
	const struct fit_text *t = arg;

	for (size_t i = 0; i < a->n_text; i++) {
		const char *const *g = bsearch(&a->text[i], t->glob, t->n,
					       sizeof(*g), str_order);
		size_t k = (size_t)(g - t->glob);

		if (g && t->accept[k / 64] >> (k % 64) & 1)
			return true;
	}
	return false;
}

static int text_dim(struct build *b, uint16_t field)
{
	struct lay_dim d = {
		.field = field, .form = DIM_AUTO, .first = rows_now(b)};
	size_t n = 0, k = 0;
	struct auto_out out;
	struct fit_text fit;
	const char **glob;
	int rc;

	for (size_t i = 0; i < b->n_col; i++) {
		const struct pol_attr *a = attr_of(&b->col[i], field);

		n += a ? a->n_text : 0;
	}
	glob = calloc(n + 1, sizeof(*glob));
	if (!glob)
		return err_set(b->e, E_NOMEM, 0, "out of memory");
	for (size_t i = 0, j = 0; i < b->n_col; i++) {
		const struct pol_attr *a = attr_of(&b->col[i], field);

		for (size_t o = 0; a && o < a->n_text; o++)
			glob[j++] = a->text[o];
	}
	qsort(glob, n, sizeof(*glob), str_order);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || strcmp(glob[i], glob[i - 1]))
			glob[k++] = glob[i];
	}
	rc = build_auto(b, glob, k, &out);
	d.v_first = out.first;
	d.v_n = out.n;
	d.n_rows = out.n_class + 1;
	if (!rc) {
		put_dim(b, d);
		field_row(b, field, NULL, NULL);
	}
	for (uint32_t c = 0; !rc && c < out.n_class; c++) {
		fit = (struct fit_text){glob, k,
					(const uint64_t *)out.accept.p +
						c * ((k + 63) / 64)};
		field_row(b, field, fit_text, &fit);
	}
	vec_free(&out.accept);
	free(glob);
	return rc;
}

static int field_dim(struct build *b, uint16_t field)
{
	switch (field_type((enum field)field)) {
	case FIELD_U64:
	case FIELD_I64:
	case FIELD_FLAG:
		return number_dim(b, field);
	case FIELD_OID:
		return oid_dim(b, field);
	case FIELD_TEXT:
		return text_dim(b, field);
	default:
		return err_set(b->e, E_UNSUPPORTED, field,
			       "%s cannot be selected by",
			       field_name((enum field)field));
	}
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
