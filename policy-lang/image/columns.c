/* SPDX-License-Identifier: Apache-2.0 */
/* Selectors become columns (layout.h). */
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
