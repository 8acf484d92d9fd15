/* SPDX-License-Identifier: Apache-2.0 */
/* The values inside the tables whose layout is sure (c1219.md section 3). */
#include "dissectors/c1222/layout.h"
#include "dissectors/c1222/tables.h"

/* Where values go while a table is read through. */
struct out {
	const struct c1219_shape *s;
	struct cur c;
	void (*cb)(void *arg, const struct c1219_value *v);
	void *arg;
	bool bad; /* a value that cannot be: the data do not fit */
};

static void give_value(struct out *o, struct c1219_value x)
{
	if (cur_ok(&o->c) && !o->bad)
		o->cb(o->arg, &x);
}

static void give(struct out *o, const char *name, int i, int j, int64_t v)
{
	give_value(o, (struct c1219_value){
			      .name = name, .index = {i, j}, .v = v});
}

static uint64_t give_uint2(struct out *o, const char *name, int i, int j,
			   size_t n)
{
	uint64_t v = layout_uint(o->s, &o->c, n);

	give(o, name, i, j, (int64_t)v);
	return v;
}

static uint64_t give_uint(struct out *o, const char *name, int i, size_t n)
{
	return give_uint2(o, name, i, -1, n);
}

static void give_text(struct out *o, const char *name, size_t n)
{
	struct span t = cur_take(&o->c, n);

	/* Text fields are padded with spaces, on either side, or zeros. */
	while (t.n && t.p[0] == ' ')
		t = span_from(t, 1);
	while (t.n && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == 0))
		t = span_sub(t, 0, t.n - 1);
	give_value(o, (struct c1219_value){.name = name,
					   .index = {-1, -1},
					   .text = t,
					   .form = C1219_TEXT});
}

/* An identification: text, or half as many octets of BCD (ID_FORM). */
static void give_id(struct out *o, const char *name, size_t n)
{
	if (o->s->id_form)
		give_value(o, (struct c1219_value){
				      .name = name,
				      .index = {-1, -1},
				      .text = cur_take(&o->c, n / 2),
				      .form = C1219_BCD});
	else
		give_text(o, name, n);
}

static void give_number(struct out *o, const char *name, int i, int j,
			uint8_t code)
{
	int64_t v;

	if (layout_number(o->s, code, &o->c, &v))
		give(o, name, i, j, v);
	else if (!cur_ok(&o->c))
		o->bad = true;
}

static void give_time(struct out *o, const char *name, int i, int j,
		      bool ltime)
{
	size_t n = ltime ? layout_ltime_size(o->s) : layout_stime_size(o->s);
	struct cur t = cur_sub(&o->c, n);
	int64_t v;
	bool ok = ltime ? layout_ltime(o->s, &t, &v) :
			  layout_stime(o->s, &t, &v);

	if (ok)
		give_value(o, (struct c1219_value){.name = name,
						   .index = {i, j},
						   .is_time = true,
						   .v = v});
}

/* The members of a SET: bit b of octet i stands for 8 * i + b. */
static void give_set(struct out *o, const char *name, size_t octets)
{
	struct span set = cur_take(&o->c, octets);

	for (size_t k = 0; k < set.n * 8; k++) {
		if (set.p[k / 8] >> (k % 8) & 1)
			give_value(o, (struct c1219_value){
					      .name = name,
					      .index = {-1, -1},
					      .v = (int64_t)k,
					      .form = C1219_MEMBER});
	}
}

/* ST-0 describes itself: its own octets give order and sizes. */
static void values_0(struct out *o)
{
	uint8_t f1 = cur_u8(&o->c), f2 = cur_u8(&o->c), f3 = cur_u8(&o->c);
	size_t a, b, c, d;
	static const char *const before[] = {
		"nameplate_type",	 "default_set_used",
		"max_proc_parm_length", "max_resp_data_len",
		"std_version_no",	 "std_revision_no",
	};
	const struct {
		const char *name;
		int v;
	} head[] = {
		{"data_order", f1 & 1},	      {"char_format", f1 >> 1 & 7},
		{"model_select", f1 >> 4 & 7},     {"tm_format", f2 & 7},
		{"data_access_method", f2 >> 3 & 3}, {"id_form", f2 >> 5 & 1},
		{"int_format", f2 >> 6},	      {"ni_format1", f3 & 15},
		{"ni_format2", f3 >> 4},
	};

	for (size_t i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		give(o, head[i].name, -1, -1, head[i].v);
	give_text(o, "device_class", 4);
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
		give_uint(o, before[i], -1, 1);
	a = give_uint(o, "dim_std_tbls_used", -1, 1);
	b = give_uint(o, "dim_mfg_tbls_used", -1, 1);
	c = give_uint(o, "dim_std_proc_used", -1, 1);
	d = give_uint(o, "dim_mfg_proc_used", -1, 1);
	give_uint(o, "dim_mfg_status_used", -1, 1);
	give_uint(o, "nbr_pending", -1, 1);
	give_set(o, "std_tbls_used", a);
	give_set(o, "mfg_tbls_used", b);
	give_set(o, "std_proc_used", c);
	give_set(o, "mfg_proc_used", d);
	give_set(o, "std_tbls_write", a);
	give_set(o, "mfg_tbls_write", b);
}

static void values_1(struct out *o)
{
	give_text(o, "manufacturer", 4);
	give_text(o, "ed_model", 8);
	give_uint(o, "hw", 0, 1);
	give_uint(o, "hw", 1, 1);
	give_uint(o, "fw", 0, 1);
	give_uint(o, "fw", 1, 1);
	give_id(o, "mfg_serial_number", 16);
}

static void values_3(struct out *o)
{
	give_uint(o, "ed_mode", -1, 1);
	give_uint(o, "ed_std_status1", -1, 2);
	give_uint(o, "ed_std_status2", -1, 1);
	for (unsigned i = 0; i < o->s->dim_mfg_status; i++)
		give_uint(o, "ed_mfg_status", (int)i, 1);
}

static void values_5(struct out *o)
{
	give_id(o, "identification", 20);
}

static void values_21(struct out *o)
{
	static const char *const fields[] = {
		"reg_func1",	   "reg_func2",	    "nbr_self_reads",
		"nbr_summations",  "nbr_demands",   "nbr_coin_values",
		"nbr_occur",	   "nbr_tiers",	    "nbr_present_demands",
		"nbr_present_values",
	};

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		give_uint(o, fields[i], -1, 1);
}

static void values_22(struct out *o)
{
	const struct c1219_shape *s = o->s;

	for (unsigned i = 0; i < s->nbr_summations; i++)
		give_uint(o, "summation_select", (int)i, 1);
	for (unsigned i = 0; i < s->nbr_demands; i++)
		give_uint(o, "demand_select", (int)i, 1);
	give_set(o, "min_or_max_flags", (s->nbr_demands + 7u) / 8);
	for (unsigned i = 0; i < s->nbr_coin; i++)
		give_uint(o, "coincident_select", (int)i, 1);
	for (unsigned i = 0; i < s->nbr_coin; i++)
		give_uint(o, "coin_demand_assoc", (int)i, 1);
}

/* One block of REGISTER_DATA; block 0 is the total. */
static void register_block(struct out *o, int block)
{
	const struct c1219_shape *s = o->s;
	int occur = s->nbr_occur;

	for (int i = 0; i < s->nbr_summations; i++)
		give_number(o, "summations", block, i, s->ni1);
	for (int i = 0; i < s->nbr_demands; i++) {
		for (int k = 0; k < occur && s->reg_func1 & REG_DATE_TIME; k++)
			give_time(o, "event_time", block, i * occur + k,
				  false);
		if (s->reg_func1 & REG_CUM)
			give_number(o, "cum_demand", block, i, s->ni1);
		if (s->reg_func1 & REG_CONT_CUM)
			give_number(o, "cont_cum_demand", block, i, s->ni1);
		for (int k = 0; k < occur; k++)
			give_number(o, "demand", block, i * occur + k, s->ni2);
	}
	for (int i = 0; i < s->nbr_coin * occur; i++)
		give_number(o, "coincidents", block, i, s->ni2);
}

static void values_23(struct out *o)
{
	if (o->s->reg_func1 & REG_RESET_CTR)
		give_uint(o, "nbr_demand_resets", -1, 1);
	for (int b = 0; b <= o->s->nbr_tiers; b++)
		register_block(o, b);
}

static void values_27(struct out *o)
{
	for (unsigned i = 0; i < o->s->nbr_present_demands; i++)
		give_uint(o, "present_demand_select", (int)i, 1);
	for (unsigned i = 0; i < o->s->nbr_present_values; i++)
		give_uint(o, "present_value_select", (int)i, 1);
}

static void values_28(struct out *o)
{
	/* The width of the remaining time is not sure: not read. */
	if (o->s->reg_func1 & REG_TIME_REMAIN) {
		o->bad = true;
		return;
	}
	for (int i = 0; i < o->s->nbr_present_demands; i++)
		give_number(o, "present_demand", i, -1, o->s->ni2);
	for (int i = 0; i < o->s->nbr_present_values; i++)
		give_number(o, "present_value", i, -1, o->s->ni1);
}

static void values_52(struct out *o)
{
	give_time(o, "clock_calendar", -1, -1, true);
	give_uint(o, "time_date_qual", -1, 1);
}

static void values_61(struct out *o)
{
	give_uint(o, "lp_memory_len", -1, 4);
	give_uint(o, "lp_flags", -1, 2);
	give_uint(o, "lp_fmats", -1, 1);
	for (int i = 0; i < 4; i++) {
		if (!(o->s->std_tbls_used[64 / 8] >> i & 1))
			continue;
		give_uint(o, "nbr_blks_set", i, 2);
		give_uint(o, "nbr_blk_ints_set", i, 2);
		give_uint(o, "nbr_chns_set", i, 1);
		give_uint(o, "int_time_set", i, 1);
	}
}

static void values_62(struct out *o)
{
	for (int i = 0; i < 4; i++) {
		int n = o->s->lp[i].nbr_chns;

		if (!o->s->lp[i].present)
			continue;
		for (int k = 0; k < n; k++) {
			give_uint2(o, "lp_sel_flags", i, k, 1);
			give_uint2(o, "lp_sel_source", i, k, 1);
			give_uint2(o, "lp_sel_end_source", i, k, 1);
		}
		give_uint(o, "int_fmt_cde", i, 1);
		if (!(o->s->lp_flags & LP_SCALAR_SET1 << i))
			continue;
		for (int k = 0; k < n; k++)
			give_uint2(o, "scalars_set", i, k, 2);
		for (int k = 0; k < n; k++)
			give_uint2(o, "divisor_set", i, k, 2);
	}
}

static void values_63(struct out *o)
{
	for (int i = 0; i < 4; i++) {
		if (!o->s->lp[i].present)
			continue;
		give_uint(o, "lp_set_status_flags", i, 1);
		give_uint(o, "nbr_valid_blocks", i, 2);
		give_uint(o, "last_block_element", i, 2);
		give_uint(o, "last_block_seq_nbr", i, 4);
		give_uint(o, "nbr_unread_blocks", i, 2);
		give_uint(o, "nbr_valid_int", i, 2);
	}
}

static void profile_block(struct out *o, const struct lp_layout *l, int block)
{
	const struct c1219_shape *s = o->s;

	give_time(o, "blk_end_time", block, -1, false);
	for (int k = 0; k < (int)l->chans; k++) {
		if (s->lp_flags & LP_END_READ)
			give_number(o, "end_readings", block, k, s->ni1);
		if (s->lp_flags & LP_END_PULSE)
			give_uint2(o, "end_pulses", block, k, 4);
	}
	cur_take(&o->c, l->status);
	for (int j = 0; j < (int)l->ints; j++) {
		cur_take(&o->c, l->interval - l->chans * l->format);
		for (int k = 0; k < (int)l->chans; k++) {
			int64_t v;

			if (layout_lp_value(s, l, &o->c, &v))
				give(o, "intervals", block,
				     j * (int)l->chans + k, v);
		}
	}
}

/* Whole blocks only: a full read, or a part that begins and ends at blocks. */
static int values_profile(struct out *o, const struct c1219_part *part,
			  size_t octets)
{
	size_t at = part->whole ? 0 : part->offset;
	struct lp_layout l;

	if (!layout_profile(o->s, part->table - 64u, &l))
		return E_UNSUPPORTED;
	if ((!part->whole && !part->by_offset) || octets == 0 ||
	    at % l.block || octets % l.block ||
	    at + octets > l.blocks * l.block)
		return E_SYNTAX;
	for (size_t b = at / l.block; cur_left(&o->c) > 0; b++)
		profile_block(o, &l, (int)b);
	return cur_done(&o->c) && !o->bad ? 0 : E_SYNTAX;
}

static const struct reader {
	uint8_t table;
	unsigned needs;
	void (*read)(struct out *o);
} readers[] = {
	{0,  0,						values_0 },
	{1,  HAS_ST0,					values_1 },
	{3,  HAS_ST0,					values_3 },
	{5,  HAS_ST0,					values_5 },
	{21, 0,						values_21},
	{22, HAS_ST21,					values_22},
	{23, HAS_ST0 | HAS_ST21,			values_23},
	{27, HAS_ST21,					values_27},
	{28, HAS_ST0 | HAS_ST21,			values_28},
	{52, HAS_ST0,					values_52},
	{61, HAS_ST0,					values_61},
	{62, HAS_ST0 | HAS_ST61,			values_62},
	{63, HAS_ST0 | HAS_ST61,			values_63},
};

int c1219_values(const struct c1219_shape *s, const struct c1219_part *part,
		 struct span data,
		 void (*cb)(void *arg, const struct c1219_value *v), void *arg)
{
	struct out o = {s, cur_of(data), cb, arg, false};
	struct reg_layout l;

	if (part->table >= 64 && part->table <= 67)
		return values_profile(&o, part, data.n);
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
		if (readers[i].table != part->table)
			continue;
		if (!part->whole || !shape_has(s, readers[i].needs))
			return E_UNSUPPORTED;
		/* Its loops go by the shape, not by the data. */
		if (part->table == 23 &&
		    (!layout_registers(s, &l) || l.size != data.n))
			return E_SYNTAX;
		readers[i].read(&o);
		return cur_done(&o.c) && !o.bad ? 0 : E_SYNTAX;
	}
	return E_UNSUPPORTED;
}
