/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which sizes can table data have? What a table's layout leaves no room for
 * is read by nobody and counted by nobody, so it must not pass as that table.
 * Only tables whose layout is sure (c1219.md section 3); others may have any.
 */
#include "dissectors/c1222/layout.h"

/* What is sure without the meter's shape: first, then up to more further
 * sizes in steps. */
static const struct size_row {
	uint8_t table;
	uint16_t first, step, more;
} rows[] = {
	{1,  24, 8,  1  }, /* identification as text or BCD */
	{3,  4,  1,  255},
        {5,  10, 10, 1  },
        {7,  3,  1,  255},
        {8,  4,  1,  255},
	{10, 8,  1,  0  },
        {11, 8,  1,  0  },
        {12, 0,  4,  255},
        {16, 0,  1,  255},
	{20, 10, 1,  0  },
        {21, 10, 1,  0  },
        {27, 0,  1,  510},
        {40, 6,  1,  0  },
	{41, 6,  1,  0  },
        {52, 1,  1,  6  }, /* no clock, or 4 to 6 octets of time */
	{55, 3,  1,  6  },
        {60, 7,  6,  4  },
        {61, 7,  6,  4  },
        {63, 0,  13, 4  },
	{70, 9,  1,  4  }, /* two versions; one reader's flags are wider */
	{71, 9,  1,  4  },
};

/* --- exact sizes, by the shape; false: not known ---------------------------
 */

/* ST-0 says itself how long its sets are: six of them, four of two sizes. */
static bool size_0(struct span data, size_t *n)
{
	struct cur c = cur_of(data);
	size_t a, b, k;

	cur_take(&c, 13);
	a = cur_u8(&c);
	b = cur_u8(&c);
	k = cur_u8(&c);
	k += cur_u8(&c);
	*n = 19 + 2 * a + 2 * b + k;
	return cur_ok(&c);
}

static size_t profile_sets(const struct c1219_shape *s)
{
	size_t n = 0;

	for (int i = 0; i < 4; i++)
		n += s->std_tbls_used[64 / 8] >> i & 1;
	return n;
}

static size_t size_62(const struct c1219_shape *s)
{
	size_t n = 0;

	for (int i = 0; i < 4; i++) {
		size_t each = s->lp_flags & LP_SCALAR_SET1 << i ? 7 : 3;

		if (s->lp[i].present)
			n += s->lp[i].nbr_chns * each + 1;
	}
	return n;
}

static size_t size_63(const struct c1219_shape *s)
{
	size_t n = 0;

	for (int i = 0; i < 4; i++)
		n += s->lp[i].present ? 13 : 0;
	return n;
}

static bool size_28(const struct c1219_shape *s, size_t *n)
{
	size_t n1 = layout_ni_size(s->ni1), n2 = layout_ni_size(s->ni2);

	*n = s->nbr_present_demands * n2 + s->nbr_present_values * n1;
	return n1 && n2 && !(s->reg_func1 & REG_TIME_REMAIN);
}

static bool exact(const struct c1219_shape *s, uint16_t table, size_t *n)
{
	bool st0 = shape_has(s, HAS_ST0), st21 = shape_has(s, HAS_ST21);
	struct reg_layout reg;
	struct log_layout log;

	switch (table) {
	case 1:
		*n = s->id_form ? 24 : 32;
		return st0;
	case 3:
		*n = 4 + (size_t)s->dim_mfg_status;
		return st0;
	case 5:
		*n = s->id_form ? 10 : 20;
		return st0;
	case 22:
		*n = s->nbr_summations + s->nbr_demands +
		     (s->nbr_demands + 7u) / 8 + 2u * s->nbr_coin;
		return st21;
	case 23:
		if (!layout_registers(s, &reg))
			return false;
		*n = reg.size;
		return true;
	case 27:
		*n = (size_t)s->nbr_present_demands + s->nbr_present_values;
		return st21;
	case 28:
		return st0 && st21 && size_28(s, n);
	case 52:
		*n = layout_ltime_size(s) + 1;
		return st0;
	case 55:
		*n = layout_ltime_size(s) + 3;
		return st0;
	case 61:
		*n = 7 + 6 * profile_sets(s);
		return st0;
	case 62:
		*n = size_62(s);
		return shape_has(s, HAS_ST61);
	case 63:
		*n = size_63(s);
		return shape_has(s, HAS_ST61);
	case 74:
		if (!layout_history(s, &log))
			return false;
		*n = log.head + log.n * log.entry;
		return true;
	default:
		return false;
	}
}

/* --- the question -----------------------------------------------------------
 */

static const struct size_row *row_of(uint16_t table)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].table == table)
			return &rows[i];
	}
	return NULL;
}

static bool whole_ok(const struct size_row *r, size_t n)
{
	return n >= r->first && (n - r->first) % r->step == 0 &&
	       (n - r->first) / r->step <= r->more;
}

/* Where the part ends, as far as that is known. */
static size_t end_of(const struct c1219_part *part, struct span data)
{
	return (part->by_offset ? part->offset : 0) + data.n;
}

/* Load profiles: blocks, and some meters send only those that they have. */
static bool profile_ok(const struct lp_layout *l, const struct c1219_part *part,
		       struct span data)
{
	if (part->whole && data.n % l->block != 0)
		return false;
	return end_of(part, data) <= (size_t)l->blocks * l->block;
}

bool c1219_size_ok(const struct c1219_shape *s, const struct c1219_part *part,
		   struct span data)
{
	const struct size_row *r = row_of(part->table);
	struct lp_layout lp;
	size_t n;

	if (data.n == 0) /* says nothing */
		return true;
	if (part->table == 0 && part->whole)
		return size_0(data, &n) && n == data.n;
	if (part->table >= 64 && part->table <= 67 &&
	    layout_profile(s, part->table - 64u, &lp))
		return profile_ok(&lp, part, data);
	if (exact(s, part->table, &n))
		return part->whole ? data.n == n : end_of(part, data) <= n;
	if (!r)
		return true;
	if (part->whole)
		return whole_ok(r, data.n);
	return end_of(part, data) <= r->first + (size_t)r->step * r->more;
}
