/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What table data give away: measurement types, how fine, how many, how old.
 *
 * Only what is proved is stated. Times are those of the meter's own clock,
 * taken as UTC: a table does not say which it is.
 *
 * How many intervals of a load profile's last block are valid, and whether
 * they run forwards, is in another table (63) that changes all the time. So
 * every slot counts as a reading; OLDEST is the earliest time that one of the
 * intervals can have in either order; NEWEST is the end time of the block,
 * because in a block not yet full any interval may be that new. Neither age
 * is ever wrong in the favour of who reads.
 */
#include "dissectors/c1222/layout.h"
#include "dissectors/c1222/tables.h"

#define TBL_PROC_START	7
#define TBL_CURRENT_REG 23
#define TBL_SELF_READ	26
#define TBL_PRESENT_REG 28
#define TBL_HISTORY	74
#define TBL_LP_FIRST	64
#define TBL_LP_LAST	67

#define PROC_DIRECT_LOAD 21

/* Types of which one message may carry any number of readings. */
#define MANY                                                                   \
	(MEAS_BIT(MEAS_ENERGY_INTERVAL) | MEAS_BIT(MEAS_VOLTAGE_INTERVAL) |    \
	 MEAS_BIT(MEAS_UNKNOWN_TABLE) | MEAS_BIT(MEAS_EVENT_POWER) |           \
	 MEAS_BIT(MEAS_EVENT_METER) | MEAS_BIT(MEAS_EVENT_TAMPER))

/* The octets [from, to) of the table that the message carries; false when
 * that cannot be told (by index, or a part whose offset is not known). */
struct extent {
	size_t from, to;
};

static bool extent_of(const struct c1219_part *part, struct span data,
		      struct extent *x)
{
	if (!part->whole && !part->by_offset)
		return false;
	x->from = part->whole ? 0 : part->offset;
	x->to = x->from + data.n;
	return true;
}

static bool touches(const struct extent *x, size_t from, size_t len)
{
	return len > 0 && x->from < x->to && x->from < from + len &&
	       x->to > from;
}

/* Values seen so far: how many, their range and common step. */
struct seen {
	uint64_t n, step;
	int64_t min, max;
	bool mixed; /* some could not be read: no range, no step */
};

static uint64_t gcd(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t t = a % b;

		a = b;
		b = t;
	}
	return a;
}

static void see(struct seen *s, int64_t v)
{
	uint64_t mag = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	if (s->n == 0 || v < s->min)
		s->min = v;
	if (s->n == 0 || v > s->max)
		s->max = v;
	s->step = gcd(mag, s->step);
	s->n++;
}

/* Range and step, one count being scale milli-units: the step is the greatest
 * common divisor of all values, so every value is a multiple of it. Values
 * that are all zero are multiples of any step: none is stated. */
static void state_seen(struct obs *o, const struct seen *s, enum unit unit,
		       uint64_t scale)
{
	int64_t min, max, k;
	uint64_t step;

	if (s->n == 0 || s->mixed || scale == 0 || scale > INT64_MAX)
		return;
	k = (int64_t)scale;
	if (__builtin_mul_overflow(s->min, k, &min) ||
	    __builtin_mul_overflow(s->max, k, &max) ||
	    __builtin_mul_overflow(s->step, scale, &step))
		return;
	obs_u64(o, F_RES_UNIT, unit);
	obs_i64(o, F_VALUE_MIN, min);
	obs_i64(o, F_VALUE_MAX, max);
	if (step)
		obs_u64(o, F_RES_STEP, step);
}

/* --- registers: ST-23 ------------------------------------------------------ */

/* Types of the parts that the octets touch. */
static meas_set register_meas(const struct reg_layout *l,
			      const struct extent *x)
{
	meas_set m = 0;

	if (touches(x, 0, l->ctr))
		m |= MEAS_BIT(MEAS_ENERGY_REGISTER);
	for (size_t i = 0; i < l->n_blocks; i++) {
		size_t at = l->ctr + i * l->block;
		meas_set tou = i ? MEAS_BIT(MEAS_ENERGY_TOU) : 0;

		if (touches(x, at, l->sums))
			m |= i ? tou : MEAS_BIT(MEAS_ENERGY_REGISTER);
		if (touches(x, at + l->sums, l->demands + l->coin))
			m |= MEAS_BIT(MEAS_POWER_PEAK) | tou;
	}
	return m;
}

/* The number at an offset of the table, if any of it is in the data. */
static void see_number(const struct c1219_shape *s, const struct extent *x,
		       struct span data, size_t at, uint8_t code,
		       struct seen *seen)
{
	size_t n = layout_ni_size(code);
	struct cur c;
	int64_t v;

	if (!touches(x, at, n))
		return;
	if (at >= x->from && at + n <= x->to) {
		c = cur_of(span_from(data, at - x->from));
		if (layout_number(s, code, &c, &v)) {
			see(seen, v);
			return;
		}
	}
	seen->n++;
	seen->mixed = true;
}

/* The sums in the data. */
static void register_sums(const struct c1219_shape *s,
			  const struct reg_layout *l, const struct extent *x,
			  struct span data, struct seen *seen)
{
	size_t n1 = layout_ni_size(s->ni1);

	for (size_t i = 0; i < l->n_blocks; i++) {
		size_t sums = l->ctr + i * l->block;

		if (!touches(x, sums, l->sums))
			continue;
		for (size_t k = 0; k < s->nbr_summations; k++)
			see_number(s, x, data, sums + k * n1, s->ni1, seen);
	}
}

static void describe_registers(const struct c1219_shape *s,
			       const struct c1219_part *part, struct span data,
			       const struct c1222_profile *p, struct obs *o)
{
	struct seen seen = {0};
	struct reg_layout l;
	struct extent x;
	meas_set m;

	if (!layout_registers(s, &l) || !extent_of(part, data, &x) ||
	    x.to > l.size || (part->whole && data.n != l.size)) {
		obs_u64(o, F_MEASUREMENT, c1219_meas(part->table, p));
		if (shape_has(s, HAS_ST0 | HAS_ST21) && !part->by_index)
			obs_u64(o, F_NOTE, REASON_UNREAD_TABLE);
		return;
	}
	m = register_meas(&l, &x);
	obs_u64(o, F_MEASUREMENT, m ? m : c1219_meas(part->table, p));
	obs_u64(o, F_READINGS, 1);
	register_sums(s, &l, &x, data, &seen);
	/* Range and step speak for the message only when the sums are all
	 * that is in it. */
	if (seen.n == 0 || m & MEAS_BIT(MEAS_POWER_PEAK))
		return;
	obs_u64(o, F_VALUES, seen.n);
	obs_u64(o, F_CHANNELS, seen.n);
	if (p && p->present)
		state_seen(o, &seen, UNIT_WH, p->register_res_milli_wh);
}

/* --- present registers: ST-28 ---------------------------------------------- */

/* ST-12 of the source, or false when that is not known: the n-th source with
 * bit 0 set owns the n-th entry. */
static bool uom_of(const struct c1219_shape *s, uint8_t source, uint32_t *uom)
{
	unsigned n = 0;

	if (source >= s->nbr_sources || !(s->sources[source] & 1))
		return false;
	for (unsigned i = 0; i < source; i++)
		n += s->sources[i] & 1;
	if (n >= s->nbr_uom)
		return false;
	*uom = s->uom[n];
	return true;
}

/* ID_CODE 0 W, 1 var, 2 VA; TIME_BASE 0 bulk, 1 instantaneous. Other codes
 * are not sure enough to narrow by. */
static meas_set uom_meas(uint32_t uom)
{
	unsigned id = uom & 0xff, base = uom >> 8 & 7;

	if (uom >> 31 || id > 2)
		return 0;
	if (base == 0)
		return id == 0 ? MEAS_BIT(MEAS_ENERGY_REGISTER) :
				 MEAS_BIT(MEAS_POWER_REACTIVE);
	return id == 0 ? MEAS_BIT(MEAS_POWER_INSTANT) :
			 MEAS_BIT(MEAS_POWER_REACTIVE);
}

static meas_set present_meas(const struct c1219_shape *s,
			     const struct c1222_profile *p)
{
	meas_set all = c1219_meas(TBL_PRESENT_REG, p), m = 0;

	if (!shape_has(s, HAS_ST12 | HAS_ST16 | HAS_ST27))
		return all;
	for (unsigned i = 0; i < s->n_present_select; i++) {
		meas_set one;
		uint32_t uom;

		if (!uom_of(s, s->present_select[i], &uom))
			return all;
		one = uom_meas(uom);
		if (!one)
			return all;
		m |= one;
	}
	return m ? m : all;
}

static void describe_present(const struct c1219_shape *s,
			     const struct c1219_part *part, struct span data,
			     const struct c1222_profile *p, struct obs *o)
{
	size_t n1 = layout_ni_size(s->ni1), n2 = layout_ni_size(s->ni2);
	size_t want = s->nbr_present_demands * n2 +
		      s->nbr_present_values * n1;
	/* The width of the remaining time is not sure: then not read. */
	bool known = shape_has(s, HAS_ST0 | HAS_ST21) && part->whole &&
		     n1 > 0 && n2 > 0 &&
		     !(s->reg_func1 & REG_TIME_REMAIN);

	obs_u64(o, F_MEASUREMENT, present_meas(s, p));
	obs_u64(o, F_READINGS, 1);
	if (known && data.n == want && want > 0) {
		uint64_t n = (uint64_t)s->nbr_present_demands +
			     s->nbr_present_values;

		obs_u64(o, F_VALUES, n);
		obs_u64(o, F_CHANNELS, n);
	} else if (known && data.n != want) {
		obs_u64(o, F_NOTE, REASON_UNREAD_TABLE);
	}
}

/* --- load profiles: ST-64..67 ----------------------------------------------- */

/* Interval length: from ST-61 as seen, else from the profile; 0 = unknown. */
static uint32_t interval_of(const struct c1219_shape *s, uint16_t table,
			    const struct c1222_profile *p)
{
	unsigned set = table - TBL_LP_FIRST;

	if (s->profile_mismatch)
		return 0;
	if (shape_has(s, HAS_ST61))
		return s->lp[set].present ? s->lp[set].interval_min * 60u : 0;
	for (unsigned i = 0; p && p->present && i < 4; i++) {
		if (p->load_profile[i].table == table)
			return p->load_profile[i].interval_s;
	}
	return 0;
}

struct profile_seen {
	uint64_t intervals;
	bool timed; /* every interval has its time */
	bool dated; /* oldest and newest are set */
	bool ends;  /* an end reading is in the data, too */
	int64_t oldest, newest;
	struct seen v;
};

/* The values of one interval, if any of it is in the data. */
static void see_interval(const struct c1219_shape *s,
			 const struct lp_layout *l, const struct extent *x,
			 struct span data, size_t at, struct seen *v)
{
	size_t skip = l->interval - l->chans * l->format;

	for (size_t k = 0; k < l->chans; k++) {
		size_t from = at + skip + k * l->format;
		struct cur c;
		int64_t i;

		if (!touches(x, from, l->format))
			continue;
		if (from >= x->from && from + l->format <= x->to) {
			c = cur_of(span_from(data, from - x->from));
			if (layout_lp_value(s, l, &c, &i)) {
				see(v, i);
				continue;
			}
		}
		v->n++;
		v->mixed = true;
	}
}

/* When the intervals first to last of a block were, in seconds: see above. */
static void date_block(const struct c1219_shape *s, const struct lp_layout *l,
		       const struct extent *x, struct span data, size_t at,
		       size_t first, size_t last, uint32_t len_s,
		       struct profile_seen *p)
{
	size_t back = l->ints - first > last + 1 ? l->ints - first : last + 1;
	int64_t end, from;
	struct cur c;

	/* Without its end time a block's intervals have no age. */
	if (x->from > at || x->to < at + l->time) {
		p->timed = false;
		return;
	}
	c = cur_of(span_from(data, at - x->from));
	if (!layout_stime(s, &c, &end)) {
		p->timed = false;
		return;
	}
	from = end - (int64_t)back * len_s;
	if (!p->dated || from < p->oldest)
		p->oldest = from;
	if (!p->dated || end > p->newest)
		p->newest = end;
	p->dated = true;
}

/* One block: which of its intervals are touched, and when they were. */
static void see_block(const struct c1219_shape *s, const struct lp_layout *l,
		      const struct extent *x, struct span data, size_t block,
		      uint32_t len_s, struct profile_seen *p)
{
	size_t at = block * l->block, first = l->ints, last = 0;

	if (touches(x, at + l->time, l->ends))
		p->ends = true;
	for (size_t j = 0; j < l->ints; j++) {
		size_t here = at + l->head + j * l->interval;

		if (!touches(x, here, l->interval))
			continue;
		if (first == l->ints)
			first = j;
		last = j;
		p->intervals++;
		see_interval(s, l, x, data, here, &p->v);
	}
	if (first < l->ints)
		date_block(s, l, x, data, at, first, last, len_s, p);
}

/* Milli-units of one count of a load profile: only when every channel is of a
 * source known to be plain energy, and nothing scales the values. */
static uint64_t profile_scale(const struct c1219_shape *s, unsigned set,
			      const struct lp_layout *l)
{
	static const uint64_t milli[8] = {1000, 100000, 1000000, 1000000000,
					  0,	10,	1,	 0};
	uint64_t scale = 0;

	if (s->lp_flags & LP_SCALAR_SET1 << set ||
	    !shape_has(s, HAS_ST12 | HAS_ST16) ||
	    l->chans > sizeof(s->lp_source[set]))
		return 0;
	for (size_t k = 0; k < l->chans; k++) {
		uint64_t one;
		uint32_t uom;

		if (!uom_of(s, s->lp_source[set][k], &uom) ||
		    uom_meas(uom) != MEAS_BIT(MEAS_ENERGY_REGISTER))
			return 0;
		one = milli[uom >> 11 & 7];
		if (k && one != scale)
			return 0;
		scale = one;
	}
	return scale;
}

static void describe_profile(const struct c1219_shape *s,
			     const struct c1219_part *part, struct span data,
			     const struct c1222_profile *p, struct obs *o)
{
	uint32_t len_s = interval_of(s, part->table, p);
	struct profile_seen seen = {.timed = true};
	struct lp_layout l;
	struct extent x;

	obs_u64(o, F_MEASUREMENT, c1219_meas(part->table, p));
	if (s->profile_mismatch) {
		obs_u64(o, F_NOTE, REASON_PROFILE_MISMATCH);
		return;
	}
	if (len_s == 0)
		return;
	obs_u64(o, F_GRANULARITY, len_s);
	if (!layout_profile(s, part->table - TBL_LP_FIRST, &l) ||
	    !extent_of(part, data, &x))
		return;
	if (x.to > l.blocks * l.block) {
		obs_u64(o, F_NOTE, REASON_UNREAD_TABLE);
		return;
	}
	for (size_t b = x.from / l.block; b < l.blocks; b++) {
		if (b * l.block >= x.to)
			break;
		see_block(s, &l, &x, data, b, len_s, &seen);
	}
	if (seen.intervals == 0)
		return;
	obs_u64(o, F_READINGS, seen.intervals);
	obs_u64(o, F_CHANNELS, l.chans);
	obs_u64(o, F_SPAN_S, seen.intervals * len_s);
	if (seen.v.n)
		obs_u64(o, F_VALUES, seen.v.n);
	/* End readings are totals: range and step would not speak for them. */
	if (!seen.ends)
		state_seen(o, &seen.v, UNIT_WH,
			   profile_scale(s, part->table - TBL_LP_FIRST, &l));
	if (seen.timed && seen.dated) {
		obs_i64(o, F_OLDEST, seen.oldest);
		obs_i64(o, F_NEWEST, seen.newest);
	}
}

/* --- logs: ST-74 ------------------------------------------------------------- */

/* The type of an event code (TABLE_IDB). What a manufacturer's own code means
 * is not known: it may be any. */
static meas_set event_meas(uint16_t word)
{
	static const struct {
		uint8_t code;
		enum meas meas;
	} codes[] = {
		{1,	MEAS_EVENT_POWER }, {2,  MEAS_EVENT_POWER },
		{47, MEAS_EVENT_TAMPER}, {48, MEAS_EVENT_TAMPER},
		{56, MEAS_EVENT_TAMPER}, {57, MEAS_EVENT_TAMPER},
	};

	if (word & 0x0800)
		return 0;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if ((word & 0x07ff) == codes[i].code)
			return MEAS_BIT(codes[i].meas);
	}
	return MEAS_BIT(MEAS_EVENT_METER);
}

/* Every slot counts as an entry: which are valid, and whether what is beyond
 * them was ever wiped, is not relied on. 0: not all could be read. */
static meas_set history_meas(const struct c1219_shape *s,
			     const struct log_layout *l,
			     const struct extent *x, struct span data,
			     uint64_t *n)
{
	size_t i = x->from > l->head ? (x->from - l->head) / l->entry : 0;
	meas_set m = 0;

	for (; i < l->n && l->head + i * l->entry < x->to; i++) {
		size_t at = l->head + i * l->entry + l->code;
		struct cur c;
		meas_set one;

		if (at < x->from || at + 2 > x->to)
			return 0;
		c = cur_of(span_from(data, at - x->from));
		one = event_meas((uint16_t)layout_uint(s, &c, 2));
		if (!one)
			return 0;
		m |= one;
		++*n;
	}
	return m;
}

static void describe_history(const struct c1219_shape *s,
			     const struct c1219_part *part, struct span data,
			     const struct c1222_profile *p, struct obs *o)
{
	struct log_layout l;
	struct extent x;
	meas_set m = 0;
	uint64_t n = 0;
	bool fits = true;

	if (layout_history(s, &l) && extent_of(part, data, &x)) {
		size_t size = l.head + l.n * l.entry;

		fits = x.to <= size && (!part->whole || x.to == size);
		if (fits)
			m = history_meas(s, &l, &x, data, &n);
	}
	obs_u64(o, F_MEASUREMENT, m ? m : c1219_meas(part->table, p));
	if (m)
		obs_u64(o, F_READINGS, n);
	if (!fits)
		obs_u64(o, F_NOTE, REASON_UNREAD_TABLE);
}

/* --- all others -------------------------------------------------------------- */

static void describe_other(const struct c1219_shape *s,
			   const struct c1219_part *part,
			   const struct c1222_profile *p, struct obs *o)
{
	meas_set m = c1219_meas(part->table, p);

	/* What it does is what tables 112 to 115 are for. */
	if (part->table == TBL_PROC_START &&
	    obs_get(o, F_PROCEDURE, 0) == PROC_DIRECT_LOAD)
		m |= MEAS_BIT(MEAS_CONTROL_LOAD);
	obs_u64(o, F_MEASUREMENT, m);
	/* Stored snapshots: at least not one of this moment. */
	if (part->table == TBL_SELF_READ)
		obs_u64(o, F_READINGS, shape_has(s, HAS_ST21) &&
					       s->nbr_self_reads > 2 ?
					       s->nbr_self_reads : 2u);
	else if (m & ~MEAS_ABOUT && !(m & MANY))
		obs_u64(o, F_READINGS, 1);
}

void c1219_describe(const struct c1219_shape *s, const struct c1219_part *part,
		    struct span data, const struct c1222_profile *p,
		    struct obs *o)
{
	uint16_t t = part->table;

	if (t == TBL_CURRENT_REG) {
		describe_registers(s, part, data, p, o);
	} else if (t == TBL_PRESENT_REG) {
		describe_present(s, part, data, p, o);
	} else if (t >= TBL_LP_FIRST && t <= TBL_LP_LAST) {
		describe_profile(s, part, data, p, o);
	} else if (t == TBL_HISTORY) {
		describe_history(s, part, data, p, o);
	} else {
		describe_other(s, part, p, o);
	}
}

void c1219_describe_request(const struct c1219_shape *s,
			    const struct c1219_part *part,
			    const struct c1222_profile *p, struct obs *o)
{
	uint16_t t = part->table;

	obs_u64(o, F_ASKS_FOR,
		t == TBL_PRESENT_REG ? present_meas(s, p) : c1219_meas(t, p));
	if (t >= TBL_LP_FIRST && t <= TBL_LP_LAST) {
		uint32_t len_s = interval_of(s, t, p);

		if (len_s)
			obs_u64(o, F_GRANULARITY, len_s);
	}
}
