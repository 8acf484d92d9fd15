/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ANSI C12.19 tables: what a table gives away, and what its octets say
 * (c1219.md sections 2, 3 and 5).
 *
 * The shape of a meter (octet order, number and time formats, sizes) comes
 * from tables 0, 21, 61, 62 as they pass; what the shape does not cover is
 * unknown, and unknown facts are left out, never guessed.
 */
#ifndef DISSECTORS_C1222_TABLES_H
#define DISSECTORS_C1222_TABLES_H

#include "core/arena.h"
#include "core/err.h"
#include "core/obs.h"
#include "dissectors/c1222/c1222.h"

/* Table word as on the wire -> number without the pending bit. Manufacturer
 * table n is 2048+n, user-defined tables keep 8192 + n (pending 12288 + n). */
uint16_t c1219_table_id(uint16_t word, bool *pending);

/* Types that any part of the table can carry (c1219_tables.csv); every
 * unlisted number is MEAS_UNKNOWN_TABLE, or what the profile says. */
meas_set c1219_meas(uint16_t table, const struct c1222_profile *p);
const char *c1219_table_name(uint16_t table); /* or NULL */

/* What is known of one meter, from its own tables. Zeroed = nothing. */
struct c1219_shape {
	uint32_t have; /* bit per known table: see tables.c */
	bool msb_first;
	uint8_t char_format, tm_format, int_format, id_form;
	uint8_t ni1, ni2;
	uint8_t ed_class[4];
	uint8_t dim_std_tbls, dim_mfg_tbls, dim_mfg_status;
	uint8_t std_tbls_used[32];
	/* ST-21 */
	uint8_t reg_func1, reg_func2;
	uint8_t nbr_self_reads, nbr_summations, nbr_demands, nbr_coin,
		nbr_occur, nbr_tiers, nbr_present_demands, nbr_present_values;
	/* ST-12 and ST-16 as needed for selections */
	uint8_t nbr_sources, nbr_uom;
	uint8_t sources[64];
	uint32_t uom[64];
	/* ST-22, 27: sources selected */
	uint8_t sum_select[32], n_sum_select;
	uint8_t present_select[64], n_present_select;
	/* ST-61 */
	uint16_t lp_flags;
	uint8_t lp_fmats;
	struct {
		bool present;
		uint16_t nbr_blks, nbr_blk_ints;
		uint8_t nbr_chns;
		uint8_t interval_min;
		/* ST-62 */
		bool ctrl;
		uint8_t format;
		uint16_t scalar[16], divisor[16];
	} lp[4];
	bool profile_mismatch; /* ST-61 contradicts the profile */
	uint8_t lp_source[4][16]; /* ST-62: source of each channel */
	/* ST-71 */
	uint8_t log_flags, hist_data_len;
	uint16_t nbr_history;
};

/* The part of a table that a message carries. */
struct c1219_part {
	uint16_t table;
	bool whole;	 /* full read or write */
	bool by_offset;	 /* offset and count of octets are known */
	uint32_t offset;
	bool by_index;
	struct span index; /* indices of 2 octets */
	uint16_t count;
};

/* Learn from the data of a table that passed in clear (0, 12, 16, 21, 22,
 * 27, 61, 62, 71; others are ignored). Only whole tables teach. Returns 0, or
 * E_SYNTAX when the data cannot be that table (the shape is unchanged). */
bool c1219_teaches(uint16_t table); /* one of these */
int c1219_learn(struct c1219_shape *s, const struct c1219_part *part,
		struct span data, const struct c1222_profile *p, struct err *e)
	__attribute__((warn_unused_result));

/* State the facts of table data in o: MEASUREMENT (narrowed where a partial
 * read provably stays in one part), GRANULARITY, READINGS, VALUES, OLDEST,
 * NEWEST, SPAN_S, RES_*, VALUE_*, CHANNELS. Never fails: what cannot be
 * established is left out, with F_NOTE UNREAD_TABLE where a layout that
 * should be known did not fit. */
void c1219_describe(const struct c1219_shape *s, const struct c1219_part *part,
		    struct span data, const struct c1222_profile *p,
		    struct obs *o);

/* For requests, which carry no data themselves: ASKS_FOR, and GRANULARITY of
 * interval tables whose shape is known. */
void c1219_describe_request(const struct c1219_shape *s,
			    const struct c1219_part *part,
			    const struct c1222_profile *p, struct obs *o);

/* Can these be the data of that part? true where the layout is not sure; of a
 * part that says no more, whether it lies within the table. Of a whole table
 * 0, its own octets say. */
bool c1219_size_ok(const struct c1219_shape *s, const struct c1219_part *part,
		   struct span data);

/* One decoded value, for `--values` and tests. */
struct c1219_value {
	const char *name; /* "summations", static */
	int32_t index[2]; /* -1 = none: block or tier, element */
	bool is_time;	  /* seconds since 1970 in the meter's own clock */
	int64_t v;
	struct span text; /* for text fields, else empty */
	enum {
		C1219_NUMBER,
		C1219_TEXT,
		C1219_BCD,    /* in text: two digits an octet */
		C1219_MEMBER, /* of a SET: one value each */
	} form;
};
/* Calls cb for each value of the data; returns 0, or E_UNSUPPORTED when the
 * layout is not known, E_SYNTAX when the data do not fit it. */
int c1219_values(const struct c1219_shape *s, const struct c1219_part *part,
		 struct span data,
		 void (*cb)(void *arg, const struct c1219_value *v), void *arg);

/* The same as one JSON object in the arena: a value under its name; those of
 * one index or of a SET as a list; those of two as a list of lists, "first"
 * being the block that the first of them is of, unless 0. Times as
 * "2023-11-15T00:15:00", in the meter's own clock. E_NOMEM: does not fit. */
int c1219_decoded(const struct c1219_shape *s, const struct c1219_part *part,
		  struct span data, struct arena *arena, struct span *out)
	__attribute__((warn_unused_result));

/* ST-7 and ST-8 content. selector, seq, result: as applicable. */
struct c1219_proc {
	uint16_t id; /* 2048+n for manufacturer procedures */
	uint8_t selector, seq, result;
	struct span params;
};
/* msb_first from the shape; when ST-0 was not seen (known false) both octet
 * orders are tried and only one that gives a number in 0..32 or a
 * manufacturer procedure below 256 is taken; else E_SYNTAX. */
int c1219_proc_request(const struct c1219_shape *s, struct span data,
		       struct c1219_proc *out, struct err *e)
	__attribute__((warn_unused_result));
int c1219_proc_response(const struct c1219_shape *s, struct span data,
			struct c1219_proc *out, struct err *e)
	__attribute__((warn_unused_result));
const char *c1219_proc_name(uint16_t id); /* "set-date-and-time", or NULL */

#endif
