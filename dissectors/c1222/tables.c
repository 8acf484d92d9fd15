/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers of tables, what they can carry, and learning a meter's shape. */
#include "dissectors/c1222/tables.h"

#include "dissectors/c1222/layout.h"

#define MFG	   0x0800
#define MFG_END	   0x1000
#define PENDING	   0x1000
#define USER	   0x2000
#define USER_END   0x2800
#define USER_PEND  0x3000
#define USER_P_END 0x3800

static const struct row {
	uint16_t table;
	const char *name;
	meas_set meas;
	uint8_t fineness; /* 0..5; 255: by content */
	bool confirmed;
} rows[] = {
#include "c1219_tables.inc"
};

uint16_t c1219_table_id(uint16_t word, bool *pending)
{
	*pending = (word >= PENDING && word < USER) ||
		   (word >= USER_PEND && word < USER_P_END);
	return *pending ? (uint16_t)(word - PENDING) : word;
}

static const struct row *find(uint16_t table)
{
	size_t lo = 0, hi = sizeof(rows) / sizeof(rows[0]);

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (rows[mid].table == table)
			return &rows[mid];
		if (rows[mid].table < table)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

meas_set c1219_meas(uint16_t table, const struct c1222_profile *p)
{
	const struct row *r = find(table);

	if (r)
		return r->meas;
	for (uint32_t i = 0; p && p->present && i < p->n_mfg &&
			     i < C1222_PROFILE_TABLES;
	     i++) {
		if (p->mfg[i].table == table && p->mfg[i].meas)
			return p->mfg[i].meas;
	}
	return MEAS_BIT(MEAS_UNKNOWN_TABLE);
}

const char *c1219_table_name(uint16_t table)
{
	const struct row *r = find(table);

	return r ? r->name : NULL;
}

/* --- learning ---------------------------------------------------------------
 * Each reader fills a copy of the shape and says whether the data can be that
 * table; the copy is kept only then. */

static bool learn_0(struct c1219_shape *s, struct cur *c)
{
	uint8_t f1 = cur_u8(c), f2 = cur_u8(c), f3 = cur_u8(c);
	struct span cls = cur_take(c, 4);
	size_t a, b, procs;

	cur_take(c, 6); /* nameplate .. revision */
	a = cur_u8(c);
	b = cur_u8(c);
	procs = (size_t)cur_u8(c) + cur_u8(c);
	s->dim_mfg_status = cur_u8(c);
	cur_u8(c); /* NBR_PENDING */
	if (!cur_ok(c) || a > sizeof(s->std_tbls_used) ||
	    cur_left(c) != 2 * a + 2 * b + procs)
		return false;
	s->msb_first = f1 & 1;
	s->char_format = f1 >> 1 & 7;
	s->tm_format = f2 & 7;
	s->id_form = f2 >> 5 & 1;
	s->int_format = f2 >> 6;
	s->ni1 = f3 & 15;
	s->ni2 = f3 >> 4;
	memcpy(s->ed_class, cls.p, sizeof(s->ed_class));
	s->dim_std_tbls = (uint8_t)a;
	s->dim_mfg_tbls = (uint8_t)b;
	memset(s->std_tbls_used, 0, sizeof(s->std_tbls_used));
	if (a)
		memcpy(s->std_tbls_used, cur_take(c, a).p, a);
	cur_rest(c);
	return true;
}

static bool learn_12(struct c1219_shape *s, struct cur *c)
{
	size_t n = cur_left(c) / 4, max = sizeof(s->uom) / sizeof(s->uom[0]);

	if (!shape_has(s, HAS_ST0) || n == 0 || n > max)
		return false;
	for (size_t i = 0; i < n; i++)
		s->uom[i] = (uint32_t)layout_uint(s, c, 4);
	s->nbr_uom = (uint8_t)n;
	return true;
}

static bool learn_16(struct c1219_shape *s, struct cur *c)
{
	size_t n = cur_left(c);

	if (n == 0 || n > sizeof(s->sources))
		return false;
	memcpy(s->sources, cur_take(c, n).p, n);
	s->nbr_sources = (uint8_t)n;
	return true;
}

static bool learn_21(struct c1219_shape *s, struct cur *c)
{
	s->reg_func1 = cur_u8(c);
	s->reg_func2 = cur_u8(c);
	s->nbr_self_reads = cur_u8(c);
	s->nbr_summations = cur_u8(c);
	s->nbr_demands = cur_u8(c);
	s->nbr_coin = cur_u8(c);
	s->nbr_occur = cur_u8(c);
	s->nbr_tiers = cur_u8(c);
	s->nbr_present_demands = cur_u8(c);
	s->nbr_present_values = cur_u8(c);
	/* The selections were made for other sizes. */
	s->have &= ~(uint32_t)(HAS_ST22 | HAS_ST27);
	return true;
}

static bool learn_22(struct c1219_shape *s, struct cur *c)
{
	size_t n = s->nbr_summations;
	size_t rest = s->nbr_demands + (s->nbr_demands + 7u) / 8 +
		      2u * s->nbr_coin;

	if (!shape_has(s, HAS_ST21) || n > sizeof(s->sum_select) ||
	    cur_left(c) != n + rest)
		return false;
	if (n)
		memcpy(s->sum_select, cur_take(c, n).p, n);
	s->n_sum_select = (uint8_t)n;
	cur_rest(c);
	return true;
}

static bool learn_27(struct c1219_shape *s, struct cur *c)
{
	size_t n = (size_t)s->nbr_present_demands + s->nbr_present_values;

	if (!shape_has(s, HAS_ST21) || n == 0 ||
	    n > sizeof(s->present_select) || cur_left(c) != n)
		return false;
	memcpy(s->present_select, cur_take(c, n).p, n);
	s->n_present_select = (uint8_t)n;
	return true;
}

/* Tables 64..67 that ST-0 says exist, as bits 0..3. */
static unsigned lp_sets(const struct c1219_shape *s)
{
	return s->std_tbls_used[64 / 8] & 0x0f;
}

static bool learn_61(struct c1219_shape *s, struct cur *c)
{
	unsigned sets = lp_sets(s);

	cur_take(c, 4); /* memory */
	s->lp_flags = (uint16_t)layout_uint(s, c, 2);
	s->lp_fmats = cur_u8(c);
	if (!shape_has(s, HAS_ST0) || sets == 0)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		memset(&s->lp[i], 0, sizeof(s->lp[i]));
		if (!(sets >> i & 1))
			continue;
		s->lp[i].present = true;
		s->lp[i].nbr_blks = (uint16_t)layout_uint(s, c, 2);
		s->lp[i].nbr_blk_ints = (uint16_t)layout_uint(s, c, 2);
		s->lp[i].nbr_chns = cur_u8(c);
		s->lp[i].interval_min = cur_u8(c);
	}
	s->have &= ~(uint32_t)HAS_ST62;
	return cur_done(c);
}

static bool learn_62(struct c1219_shape *s, struct cur *c)
{
	if (!shape_has(s, HAS_ST0 | HAS_ST61))
		return false;
	for (unsigned i = 0; i < 4; i++) {
		size_t n = s->lp[i].nbr_chns;

		s->lp[i].ctrl = false;
		if (!s->lp[i].present)
			continue;
		for (size_t k = 0; k < n; k++) {
			cur_u8(c); /* flags */
			if (k < sizeof(s->lp_source[i]))
				s->lp_source[i][k] = cur_u8(c);
			else
				cur_u8(c);
			cur_u8(c); /* source of the end reading */
		}
		s->lp[i].format = cur_u8(c);
		for (unsigned half = 0; half < 2 &&
					s->lp_flags & LP_SCALAR_SET1 << i;
		     half++) {
			for (size_t k = 0; k < n; k++) {
				uint16_t v = (uint16_t)layout_uint(s, c, 2);

				if (k < 16 && half == 0)
					s->lp[i].scalar[k] = v;
				else if (k < 16)
					s->lp[i].divisor[k] = v;
			}
		}
		s->lp[i].ctrl = true;
	}
	return cur_done(c);
}

/* 9 octets, or 12 with version 2. In one that has further flags nobody here
 * knows what they do to the entries: the log stays unread. */
static bool learn_71(struct c1219_shape *s, struct cur *c)
{
	size_t n = cur_left(c);

	s->log_flags = cur_u8(c);
	cur_take(c, 2); /* events */
	s->hist_data_len = cur_u8(c);
	cur_u8(c);
	s->nbr_history = (uint16_t)layout_uint(s, c, 2);
	layout_uint(s, c, 2);
	if (n == 12 && cur_u8(c) != 0)
		return false;
	if (n == 12)
		cur_take(c, 2);
	return shape_has(s, HAS_ST0) && cur_done(c);
}

static void compare_profile(struct c1219_shape *s,
			    const struct c1222_profile *p)
{
	s->profile_mismatch = false;
	if (!p || !p->present || !shape_has(s, HAS_ST61))
		return;
	for (unsigned i = 0; i < 4; i++) {
		uint32_t want = p->load_profile[i].interval_s;
		unsigned set = p->load_profile[i].table - 64u;

		if (want == 0 || set > 3 || !s->lp[set].present)
			continue;
		if (s->lp[set].interval_min * 60u != want)
			s->profile_mismatch = true;
	}
}

static const struct lesson {
	uint8_t table;
	enum shape_has has;
	bool (*learn)(struct c1219_shape *s, struct cur *c);
} lessons[] = {
	{0,  HAS_ST0,	learn_0 },
	{12, HAS_ST12, learn_12},
	{16, HAS_ST16, learn_16},
	{21, HAS_ST21, learn_21},
	{22, HAS_ST22, learn_22},
	{27, HAS_ST27, learn_27},
	{61, HAS_ST61, learn_61},
	{62, HAS_ST62, learn_62},
	{71, HAS_ST71, learn_71},
};

bool c1219_teaches(uint16_t table)
{
	for (size_t i = 0; i < sizeof(lessons) / sizeof(lessons[0]); i++) {
		if (lessons[i].table == table)
			return true;
	}
	return false;
}

int c1219_learn(struct c1219_shape *s, const struct c1219_part *part,
		struct span data, const struct c1222_profile *p, struct err *e)
{
	struct c1219_shape t = *s;
	struct cur c = cur_of(data);

	if (!part->whole)
		return 0;
	for (size_t i = 0; i < sizeof(lessons) / sizeof(lessons[0]); i++) {
		if (lessons[i].table != part->table)
			continue;
		if (!lessons[i].learn(&t, &c) || !cur_done(&c))
			return err_set(e, E_SYNTAX, c.off,
				       "not the data of table %u", part->table);
		t.have |= lessons[i].has;
		compare_profile(&t, p);
		*s = t;
		return 0;
	}
	return 0;
}
