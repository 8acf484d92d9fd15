/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/c1222/layout.h"

/* NI_FMAT codes: octets, and whether it is an integer (c1219.md 2.1). */
static const struct {
	uint8_t octets;
	bool integer;
} formats[] = {
	{8, false}, {4, false}, {12, false}, {6, false}, {4, false},
	{3, false}, {2, false}, {3, true},   {4, true},	 {5, true},
	{6, true},  {8, true},	{4, false},  {21, false},
};

size_t layout_ni_size(uint8_t code)
{
	return code < sizeof(formats) / sizeof(formats[0]) ?
		       formats[code].octets :
		       0;
}

/* c1219.md 2.2; formats above 4 are not defined. */
static const uint8_t stime_octets[] = {0, 5, 5, 4, 4};
static const uint8_t ltime_octets[] = {0, 6, 6, 5, 4};

size_t layout_stime_size(const struct c1219_shape *s)
{
	return s->tm_format < 5 ? stime_octets[s->tm_format] : 0;
}

size_t layout_ltime_size(const struct c1219_shape *s)
{
	return s->tm_format < 5 ? ltime_octets[s->tm_format] : 0;
}

uint64_t layout_uint(const struct c1219_shape *s, struct cur *c, size_t n)
{
	return s->msb_first ? cur_be(c, n) : cur_le(c, n);
}

static int bcd(uint8_t v)
{
	return (v >> 4) > 9 || (v & 15) > 9 ? -1 : (v >> 4) * 10 + (v & 15);
}

/* Year, month, day, hour, minute and perhaps second, one octet each. */
static bool fields_time(struct cur *c, bool is_bcd, bool seconds, int64_t *out)
{
	int v[6] = {0};
	struct civil t;

	for (int i = 0; i < (seconds ? 6 : 5); i++) {
		uint8_t b = cur_u8(c);

		v[i] = is_bcd ? bcd(b) : b;
	}
	if (!cur_ok(c) || v[0] < 0 || v[0] > 99 || v[1] < 1 || v[1] > 12 ||
	    v[2] < 1 || v[2] > 31 || v[3] < 0 || v[3] > 23 || v[4] < 0 ||
	    v[4] > 59 || v[5] < 0 || v[5] > 59)
		return false;
	t = (struct civil){.year = v[0] + (v[0] >= 90 ? 1900 : 2000),
			   .month = v[1],
			   .day = v[2],
			   .hour = v[3],
			   .minute = v[4],
			   .second = v[5]};
	*out = civil_to_s(&t);
	return true;
}

static bool read_time(const struct c1219_shape *s, struct cur *c, bool ltime,
		      int64_t *out)
{
	switch (s->tm_format) {
	case 1:
	case 2:
		return fields_time(c, s->tm_format == 1, ltime, out);
	case 3:
		*out = (int64_t)layout_uint(s, c, 4) * 60;
		if (ltime)
			*out += cur_u8(c);
		break;
	case 4:
		*out = (int64_t)layout_uint(s, c, 4);
		break;
	default:
		return false;
	}
	return cur_ok(c) && *out != 0;
}

bool layout_stime(const struct c1219_shape *s, struct cur *c, int64_t *out)
{
	return read_time(s, c, false, out);
}

bool layout_ltime(const struct c1219_shape *s, struct cur *c, int64_t *out)
{
	return read_time(s, c, true, out);
}

/* INT_FORMAT of ST-0: two's complement, one's complement, sign and
 * magnitude. */
static int64_t signed_of(uint8_t int_format, uint64_t v, size_t octets)
{
	unsigned bits = (unsigned)octets * 8;
	uint64_t sign = UINT64_C(1) << (bits - 1);
	uint64_t mask = sign | (sign - 1);

	if (!(v & sign))
		return (int64_t)v;
	if (int_format == 2)
		return -(int64_t)(v & ~sign);
	if (int_format == 1)
		return -(int64_t)(~v & mask);
	return (int64_t)(v | ~mask);
}

bool layout_number(const struct c1219_shape *s, uint8_t code, struct cur *c,
		   int64_t *out)
{
	size_t n = layout_ni_size(code);

	if (n == 0 || !formats[code].integer) {
		cur_take(c, n ? n : SIZE_MAX);
		return false;
	}
	*out = signed_of(s->int_format, layout_uint(s, c, n), n);
	return cur_ok(c);
}

bool layout_registers(const struct c1219_shape *s, struct reg_layout *l)
{
	size_t n1 = layout_ni_size(s->ni1), n2 = layout_ni_size(s->ni2);
	size_t st = layout_stime_size(s);

	if (!shape_has(s, HAS_ST0 | HAS_ST21) || n1 == 0 || n2 == 0)
		return false;
	if (s->reg_func1 & REG_DATE_TIME && st == 0)
		return false;
	l->ctr = s->reg_func1 & REG_RESET_CTR ? 1 : 0;
	l->sums = s->nbr_summations * n1;
	l->demand = (s->reg_func1 & REG_DATE_TIME ? s->nbr_occur * st : 0) +
		    (s->reg_func1 & REG_CUM ? n1 : 0) +
		    (s->reg_func1 & REG_CONT_CUM ? n1 : 0) + s->nbr_occur * n2;
	l->demands = s->nbr_demands * l->demand;
	l->coin = (size_t)s->nbr_coin * s->nbr_occur * n2;
	l->block = l->sums + l->demands + l->coin;
	l->n_blocks = 1 + (size_t)s->nbr_tiers;
	l->size = l->ctr + l->n_blocks * l->block;
	return true;
}

bool layout_lp_value(const struct c1219_shape *s, const struct lp_layout *l,
		     struct cur *c, int64_t *out)
{
	uint64_t v;

	if (l->code != LP_PLAIN)
		return layout_number(s, l->code, c, out);
	v = layout_uint(s, c, l->format);
	*out = l->sign ? signed_of(s->int_format, v, l->format) : (int64_t)v;
	return cur_ok(c);
}

/* Flags, valid entries, last entry, last sequence, unread entries; then the
 * entries: [time] [event number] [sequence] user, code, data. */
bool layout_history(const struct c1219_shape *s, struct log_layout *l)
{
	size_t lt = layout_ltime_size(s);

	if (!shape_has(s, HAS_ST0 | HAS_ST71) ||
	    (s->log_flags & LOG_DATE_TIME && lt == 0))
		return false;
	l->head = 1 + 2 + 2 + 4 + 2;
	l->code = (s->log_flags & LOG_DATE_TIME ? lt : 0) +
		  (s->log_flags & LOG_EVENT_NUMBER ? 2u : 0u) +
		  (s->log_flags & LOG_SEQUENCE ? 2u : 0u) + 2;
	l->entry = l->code + 2 + s->hist_data_len;
	l->n = s->nbr_history;
	return true;
}

/* The format codes of ST-62: octets and sign; 64 and 128 are NI_FMAT1, 2. */
static size_t lp_format(const struct c1219_shape *s, uint8_t code, bool *sign)
{
	*sign = code >= 8;
	switch (code) {
	case 1:
	case 8:
		return 1;
	case 2:
	case 16:
		return 2;
	case 4:
	case 32:
		return 4;
	case 64:
		return layout_ni_size(s->ni1);
	case 128:
		return layout_ni_size(s->ni2);
	default:
		return 0;
	}
}

bool layout_profile(const struct c1219_shape *s, unsigned set,
		    struct lp_layout *l)
{
	size_t n1 = layout_ni_size(s->ni1);
	uint16_t f = s->lp_flags;

	if (set > 3 || !shape_has(s, HAS_ST0 | HAS_ST61) ||
	    !s->lp[set].present || !s->lp[set].ctrl)
		return false;
	l->format = lp_format(s, s->lp[set].format, &l->sign);
	l->code = s->lp[set].format == 64  ? s->ni1 :
		  s->lp[set].format == 128 ? s->ni2 : LP_PLAIN;
	l->time = layout_stime_size(s);
	l->blocks = s->lp[set].nbr_blks;
	l->ints = s->lp[set].nbr_blk_ints;
	l->chans = s->lp[set].nbr_chns;
	if (l->format == 0 || l->time == 0 || (f & LP_END_READ && n1 == 0) ||
	    l->ints == 0 || l->chans == 0 || l->blocks == 0)
		return false;
	l->ends = l->chans * ((f & LP_END_READ ? n1 : 0) +
			      (f & LP_END_PULSE ? 4u : 0u));
	l->status = f & LP_SIMPLE_STATUS ? (l->ints + 7) / 8 : 0;
	l->interval = (f & LP_EXT_STATUS ? l->chans / 2 + 1 : 0) +
		      l->chans * l->format;
	l->head = l->time + l->ends + l->status;
	l->block = l->head + l->ints * l->interval;
	return true;
}
