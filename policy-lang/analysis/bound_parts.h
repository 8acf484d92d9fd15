/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of bound.h: the ways by which a reading reaches a party. */
#ifndef POLICY_LANG_ANALYSIS_BOUND_PARTS_H
#define POLICY_LANG_ANALYSIS_BOUND_PARTS_H

#include "policy-lang/analysis/bound.h"
#include "policy-lang/eval/internal.h"

#define HOUR_NS (3600 * NS_PER_S)

/* --- bound_cover.c -----------------------------------------------------------
 */

/* Of each column of grants of one image, the columns of another that select all
 * that it does, parties, directions and types aside. */
struct inside {
	const struct pol_image *im, *of;
	uint64_t *row; /* bits of im's columns, a row for each of of's */
};
/* Of one machine: what each layer covers of its policy and, where that is on
 * trial, of the baseline. All parties and rules ask for the same. */
struct cover {
	struct inside vendor[LAYERS], base[LAYERS];
};
/* E_NOMEM; to be freed after a failure as well. */
int bound_cover_new(struct cover *c, const struct pol_set *s, size_t m);
void bound_cover_free(struct cover *c);

struct place { /* of one party of one machine */
	const struct pol_set *s;
	const struct cover *cover; /* of the machine */
	uint16_t m, party;
	enum dir dir;
};

struct range {
	uint32_t from, to; /* not included */
};
struct range bound_columns(const struct pol_image *im, enum lay_col_type type,
			   uint32_t owner);
/* Columns of layer l without which nothing covers what the rule lets pass to
 * the party: all that do are among them. NULL: there is nothing to cover. */
const uint64_t *bound_within(const struct place *at, enum layer l,
			     uint32_t rule);

/* Does a column of that type and owner in that layer cover all that a rule of
 * the machine's policy, or with BOUND_NO_RULE the baseline, lets pass to the
 * party? owner LAY_NONE: any of those that may: denials and blocks. */
bool bound_covers(const struct place *at, enum layer l, enum lay_col_type type,
		  uint32_t owner, uint32_t rule, meas_set meas);
bool bound_denied(const struct place *at, uint32_t rule, meas_set meas,
		  bool customer);
/* Types with which a ceiling may admit what a rule lets pass; *bare: also
 * messages without any. */
meas_set bound_admits(const struct place *at, uint32_t ceiling, uint32_t rule,
		      bool *bare);

/* --- bound_way.c -------------------------------------------------------------
 */

struct alt { /* one ceiling under which it may pass */
	uint32_t ceiling;
	meas_set meas;
};

struct bound_way {
	uint16_t party;
	uint32_t rule; /* or BOUND_NO_RULE */
	meas_set meas; /* with which it can pass; 0: without any */
	bool monitored, sealed;
	bool any_alt; /* no baseline, or too many ceilings to look at each */
	/* Limits of policy and customer, and at top level of all layers. */
	const struct lay_limit **own;
	size_t n_own;
	struct alt *alt;
	size_t n_alt;
};

/* Room for the lists of a way that is being made. A file may have 16,384 ways,
 * which keep no more of it than they need. */
#define WAY_LIMITS   32 /* that are looked at; more would only lower a figure */
#define WAY_CEILINGS (LAY_MAX_RULES / 8)
struct way_room {
	const struct lay_limit *own[WAY_LIMITS];
	struct alt alt[WAY_CEILINGS];
};

/* What of a rule can reach the party; false: nothing. Its lists lie in room. */
bool bound_way_of(const struct place *at, uint32_t rule, bool customer,
		  struct way_room *room, struct bound_way *w);
/* A policy on trial: all that the baseline admits. */
bool bound_trial_way(const struct place *at, bool customer,
		     struct way_room *room, struct bound_way *w);
/* Of the customer to a rule: 1 granted, 0 refused, -1 none. */
int bound_answered(const struct pol_set *s, size_t m, uint32_t rule);

/* --- bound_twins.c -----------------------------------------------------------
 */

/* The parties, whether outside, and same_as of b's recipients from the first
 * on, which are one machine's and have what they get by themselves. E_NOMEM. */
int bound_find_twins(struct bound *b, size_t first);

/* --- bound_known.c -----------------------------------------------------------
 */

enum bound_identity bound_known(const struct pol_image *vendor, uint32_t party);

/* --- bound_most.c ------------------------------------------------------------
 */

/* meas: of these types; 0 all there is. */
uint64_t bound_way_most(const struct bound *b, const struct bound_way *w,
			meas_set meas, enum pol_thing thing,
			struct bound_in in);
/* By a way that its own limits alone hold (any_alt) and that has the type:
 * shortest span of time in which n readings of it come. Each of the limits
 * admits n then. */
int64_t bound_way_reach(const struct bound_way *w, meas_set one, uint64_t n);

static inline uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* --- bound_flow.c ------------------------------------------------------------
 */

struct counting {
	const struct bound *b;
	const struct bound_recipient *r;
	const struct bound_way *w; /* or all of r */
	meas_set meas;
};


/* Time between readings that can be kept up over n gaps. */
int64_t bound_sustained(const struct counting *c, unsigned gaps);
/* with_ns and with_grade of all its flows, once they are there. */
void bound_fill_with(const struct bound *b, struct bound_recipient *r);
void bound_fill_flow(const struct bound *b, const struct place *at,
		     const struct bound_way *w, enum meas meas, bool customer,
		     struct bound_flow *f);

#endif
