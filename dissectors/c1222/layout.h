/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sizes and offsets inside C12.19 tables, from a meter's shape (c1219.md
 * sections 2 and 3). Shared by what learns, describes and decodes them.
 */
#ifndef DISSECTORS_C1222_LAYOUT_H
#define DISSECTORS_C1222_LAYOUT_H

#include "dissectors/c1222/tables.h"

/* Bits of c1219_shape.have. */
enum shape_has {
	HAS_ST0 = 1 << 0,
	HAS_ST12 = 1 << 1,
	HAS_ST16 = 1 << 2,
	HAS_ST21 = 1 << 3,
	HAS_ST22 = 1 << 4,
	HAS_ST27 = 1 << 5,
	HAS_ST61 = 1 << 6,
	HAS_ST62 = 1 << 7,
	HAS_ST71 = 1 << 8,
};

/* REG_FUNC1 of ST-21 */
enum reg_func1 {
	REG_SEASON = 1 << 0,
	REG_DATE_TIME = 1 << 1,
	REG_RESET_CTR = 1 << 2,
	REG_CUM = 1 << 4,
	REG_CONT_CUM = 1 << 5,
	REG_TIME_REMAIN = 1 << 6,
};

/* LP_FLAGS of ST-61; the set's number is added to the SET ones. */
enum lp_flags {
	LP_END_READ = 1 << 4,
	LP_END_PULSE = 1 << 5,
	LP_SCALAR_SET1 = 1 << 6,
	LP_EXT_STATUS = 1 << 10,
	LP_SIMPLE_STATUS = 1 << 11,
};

/* LOG_FLAGS of ST-71 */
enum log_flags {
	LOG_EVENT_NUMBER = 1 << 0,
	LOG_DATE_TIME = 1 << 1,
	LOG_SEQUENCE = 1 << 2,
};

static inline bool shape_has(const struct c1219_shape *s, unsigned bits)
{
	return (s->have & bits) == bits;
}

/* Octets of a number in NI_FORMAT code; 0 = no such code. */
size_t layout_ni_size(uint8_t code);
/* Octets of STIME_DATE and LTIME_DATE; 0 when there is no clock. */
size_t layout_stime_size(const struct c1219_shape *s);
size_t layout_ltime_size(const struct c1219_shape *s);

/* One block of REGISTER_DATA: sums, then demands, then coincidents. */
struct reg_layout {
	size_t ctr; /* octets before the first block */
	size_t sums, demand, demands, coin, block; /* octets of each */
	size_t n_blocks; /* 1 + tiers; the first is the total */
	size_t size;	 /* of all */
};
/* false when ST-0 or ST-21 is not known, or their formats are not. */
bool layout_registers(const struct c1219_shape *s, struct reg_layout *l);

/* One block of a load profile set (0 for table 64). */
struct lp_layout {
	uint32_t blocks, ints, chans;
	size_t time, ends, status; /* octets before the intervals */
	size_t interval, format;   /* octets of one interval, one value */
	size_t head;		   /* time + ends + status */
	size_t block;
	bool sign;
	uint8_t code; /* NI_FORMAT of the values, or LP_PLAIN */
};
#define LP_PLAIN 0xff
/* false when ST-0, 61 or 62 is not known for the set. */
bool layout_profile(const struct c1219_shape *s, unsigned set,
		    struct lp_layout *l);

/* One interval value; false when its format is not an integer one. */
bool layout_lp_value(const struct c1219_shape *s, const struct lp_layout *l,
		     struct cur *c, int64_t *out);

/* An entry of ST-74 and what stands before the first one. */
struct log_layout {
	size_t head, entry;
	size_t code; /* offset of the event code in an entry */
	uint32_t n;
};
/* false when ST-0 or ST-71 is not known. */
bool layout_history(const struct c1219_shape *s, struct log_layout *l);

/* A time of the meter's clock as seconds since 1970, taken as UTC. Two-digit
 * years 90..99 are of the last century. false: no clock, or no date. */
bool layout_stime(const struct c1219_shape *s, struct cur *c, int64_t *out);
bool layout_ltime(const struct c1219_shape *s, struct cur *c, int64_t *out);

/* A number in NI_FORMAT code; only the integer codes are read. false: the
 * code is not an integer one, or the cursor failed. */
bool layout_number(const struct c1219_shape *s, uint8_t code, struct cur *c,
		   int64_t *out);
/* n octets (1..8) in the meter's octet order, unsigned. */
uint64_t layout_uint(const struct c1219_shape *s, struct cur *c, size_t n);

#endif
