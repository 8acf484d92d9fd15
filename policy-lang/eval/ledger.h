/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger (policy-language section 17): what was used, by machine, party,
 * direction and measurement or unit, whatever rule permitted it. Limits count
 * for themselves; a limit that is new or changed begins with what stands here.
 *
 * It lies in the last words of a state's block: a head, then LEDGER_KEYS rows,
 * each with a total for every hour of 48 and every day of 400.
 *
 * - Hours are hours of the stepless clock, so no step of the wall clock moves
 *   them; days are days of local standard time, and a day once left is not
 *   entered again. Which calendar window it is, is kept as a limit keeps it.
 * - A total that is full stays full: it then counts as more than any limit.
 * - When all rows are in use, one with nothing in 400 days is taken. If there
 *   is none, what comes from then on is counted in a few rows that belong to
 *   nobody and count for everyone: more than was used, never less.
 * - After a loss nothing is known of the time before it: a limit whose window
 *   reaches back so far begins used up.
 *
 * Amounts are charged with the judgement, and taken back with an abort; rows,
 * days and times stay.
 */
#ifndef POLICY_LANG_EVAL_LEDGER_H
#define POLICY_LANG_EVAL_LEDGER_H

#include "policy-lang/eval/counters.h"

#define LEDGER_KEYS  512
#define LEDGER_HOURS POL_HOURS
#define LEDGER_DAYS  POL_DAYS
#define HOUR_NS	     (3600 * NS_PER_S)

enum used { /* of a row */
	USED_MESSAGES,
	USED_READINGS,
	USED_VALUES,
	USED_PACKETS,
	USED_CONNECTIONS,
	USED_REFUSALS,
	USED_BYTES,
	USED_COUNT
};
/* Rows of nobody: each unit, each direction. */
#define LEDGER_REST (2 * USED_COUNT)

/* Words of the head. It begins with a calendar counter of each kind of window:
 * entered with what is permitted, and with nothing else. */
enum {
	LG_WINDOWS = 0,
	LG_ROWS = 3 * (WINDOW_YEAR + 1),
	LG_LOST_NS,
	LG_LOST_DAY,
	LG_DAYS_AT, /* when each of the days counted last; 0: nothing */
	LG_HEAD = LG_DAYS_AT + LEDGER_DAYS
};
#define LG_WINDOW(w) (LG_WINDOWS + 3 * (w)) /* number, -, when entered */
#define LG_DAY	     LG_WINDOW(WINDOW_DAY)
#define LG_ENTERED   2 /* behind it */
/* Words of a row. Machine and party are hashes of names; 0: everyone's. */
enum {
	LR_MACHINE,
	LR_PARTY,
	LR_WHAT, /* unit | direction << 8 | measurement << 16; MEAS_COUNT: any */
	LR_LAST, /* time of words of the last one */
	LR_HOUR, /* the newest hour and day it has */
	LR_DAY,
	LR_HOURS,
	LR_DAYS = LR_HOURS + LEDGER_HOURS / 2,
	LR_WORDS = LR_DAYS + LEDGER_DAYS / 2
};
#define LEDGER_WORDS (LG_HEAD + LEDGER_KEYS * LR_WORDS)

static inline uint64_t ledger_what(enum used u, enum dir dir, unsigned meas)
{
	return (uint64_t)u | (uint64_t)dir << 8 | (uint64_t)meas << 16;
}
static inline unsigned what_unit(uint64_t what)
{
	return what & 0xff;
}
static inline unsigned what_dir(uint64_t what)
{
	return what >> 8 & 0xff;
}
static inline unsigned what_meas(uint64_t what)
{
	return (unsigned)(what >> 16);
}

static inline uint64_t *ledger_row(uint64_t *ledger, uint64_t i)
{
	return ledger + LG_HEAD + i * LR_WORDS;
}

/* Halves of words: place i of a list that begins at word at. */
static inline uint64_t ledger_get(const uint64_t *at, uint64_t i)
{
	uint64_t v = (uint32_t)(at[i / 2] >> (i % 2 * 32));

	return v == UINT32_MAX ? UINT64_MAX : v;
}

static inline uint64_t ledger_with(uint64_t word, uint64_t i, uint64_t v)
{
	uint64_t n = v < UINT32_MAX ? v : UINT32_MAX;

	word &= ~(UINT64_C(0xffffffff) << (i % 2 * 32));
	return word | n << (i % 2 * 32);
}

static inline uint64_t ledger_place(int64_t no, uint64_t of)
{
	return (uint64_t)no % of;
}

/* Totals of a row: 0 where it is not so old or not so new. */
uint64_t ledger_hour(const uint64_t *row, int64_t hour);
uint64_t ledger_of_day(const uint64_t *row, int64_t day);
/* The day it is for the ledger: that of what it counted last. */
int64_t ledger_today(const struct pol_state *st);
/* The calendar window in which a counter begins that has what the ledger has:
 * what comes next enters the next one where there is one. */
int64_t ledger_window(const struct pol_state *st, const struct lay_limit *l);
/* That row of st, made if there is none and there is room; one of everyone's
 * if not. */
uint64_t *ledger_find(struct pol_state *st, uint64_t machine, uint64_t party,
		      uint64_t what);
/* Days, hours and windows of now are entered. */
void ledger_enter(struct pol_state *st);
static inline void ledger_roll(struct pol_state *st)
{
	const uint64_t *lg = st->w + st->ledger;

	/* The common case: still the same hour and day. */
	if (!st->in_step ||
	    !calendar_stays(st, WINDOW_HOUR,
			    (int64_t)lg[LG_WINDOW(WINDOW_HOUR)]) ||
	    !calendar_stays(st, WINDOW_DAY, (int64_t)lg[LG_DAY]))
		ledger_enter(st);
}
/* Empty the places of a row that are newer than what it has. */
void ledger_advance(uint64_t *row, int64_t hour, int64_t day);
/* The counter of calendar window w; the number to enter now, 0: none. */
uint32_t ledger_window_at(const struct pol_state *st, int w);
int64_t ledger_window_due(const struct pol_state *st, int w);
/* When it was entered. What was counted or lost since then was so in that
 * window, whatever day it was for an untrusted clock: without a trusted one days
 * and longer windows are left at different times. */
static inline int64_t ledger_entered(const struct pol_state *st, int w)
{
	return (int64_t)st->w[ledger_window_at(st, w) + LG_ENTERED];
}
/* At least as much as from has, hour by hour and day by day. */
void ledger_raise(uint64_t *row, const uint64_t *from);

/* ledger_fill.c. A limit of the set of st, and which machines and parties
 * charge it. */
struct ledger_ask {
	const struct set_limit *l;
	uint32_t index; /* of the set */
	bool charged[POL_MAX_MACHINES][LAY_MAX_PARTIES + 1];
	bool dir[2];
	unsigned unit;
	meas_set meas;
	bool lost; /* its window reaches back before a loss */
};
unsigned ledger_unit(const struct set_limit *sl); /* what it counts */
void ledger_ask(const struct pol_state *st, uint32_t limit,
		struct ledger_ask *a);
/* Make the counter at word at, which counts measurement meas if by_meas, used
 * as far as the ledger says. What it holds already is kept. */
void ledger_fill(struct pol_state *st, const struct ledger_ask *a, uint32_t at,
		 unsigned meas);
/* Since when the ledger must know what a bucket counted: from before the first
 * unit that came when it was empty and that it has not lost again. */
int64_t ledger_bucket_since(const struct pol_state *st, uint32_t limit);

#endif
