/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a composed set lets leave the home at most (privacy.md section 8):
 * figures that no history of permitted messages can exceed, computed from the
 * images that the gateway enforces, without traffic and without a solver.
 *
 * A *flow* is one measurement that one rule lets one machine send to one
 * party; a *recipient* is one operator (or party without one) of one machine,
 * with all its flows together. Two operators may be at one host, and who holds
 * it has what both were told: to a recipient belongs all that it may hold so.
 * Where a figure cannot be exact it errs towards
 * more: attributes of a ceiling are not compared with those of the grant, and
 * hours and states bound nothing.
 */
#ifndef POLICY_LANG_ANALYSIS_BOUND_H
#define POLICY_LANG_ANALYSIS_BOUND_H

#include "policy-lang/eval/most.h"
#include "policy-lang/eval/eval.h"

#define BOUND_NONE     (-1) /* no bound: any age, any step */
#define BOUND_NO_RULE  UINT32_MAX

enum bound_identity { /* section 7, weakest first */
	ID_ADDRESS,
	ID_APTITLE, /* claimed */
	ID_MESSAGE, /* by authentication: bound_known.c */
	ID_TLS_NAME,
	ID_TLS_KEY,
	ID_MACHINE, /* another machine of this meter */
};

struct bound_flow {
	uint16_t party; /* of the machine's policy */
	/* Names of its party and rule, and what the vendor says it is for; the
	 * latter two empty with BOUND_NO_RULE. Borrowed from the set. */
	struct span party_name, rule_name, purpose;
	uint32_t rule;	/* of its RULE; BOUND_NO_RULE: a policy on trial lets
			 * everything pass that the baseline admits */
	enum meas meas;
	/* A series' finest interval; 0 = any. Windows of roll-ups lie on a grid
	 * no finer than it (docs/protocols.md), or their differences would be
	 * finer. */
	int64_t granularity_ns;
	int64_t history_ns;	/* of the oldest value, or BOUND_NONE */
	int64_t delay_ns;	/* of the newest value */
	int64_t res_milli;	/* smallest step, or BOUND_NONE */
	enum unit res_unit;
	uint64_t readings[MOST_SPANS];
	/* Of all quantities of a message (channels) together; of each alone
	 * where channels is 0, since there may be any number of them. Over days
	 * in a row no more than so many new ones a day, and the backlog once:
	 * who did not ask for a day gets that day's later. */
	uint64_t values_day; /* new ones */
	uint64_t backlog;    /* at the first contact, of a series */
	int64_t spacing_ns;  /* privacy.md 8, step 4; 0 = live */
	uint32_t channels;   /* quantities of a message; 0 = any number */
	uint8_t consent;     /* enum pol_consent */
	int8_t answer;	     /* of the customer: 1 granted, 0 refused, -1 none */
	bool monitored;	     /* on trial: bounded by the baseline alone */
	int64_t until_s;     /* when that ends; meter's standard time */
	char grade;	     /* A to F; '-': shows no use by itself */
	/* The same with all that its recipient gets of this type, which several
	 * rules make finer than any is; of series and of types that show use
	 * as above (bound_recipient has what those are together). */
	int64_t with_ns;
	char with_grade;
	int64_t coverage_ns; /* of a day, seen at that spacing */
	uint64_t requires_;  /* states of the policy, bit each */
	uint8_t requires_builtin;
};

struct bound_power { /* what a party may make the home do: control.load */
	uint16_t party;
	struct span rule_name; /* empty with BOUND_NO_RULE */
	uint32_t rule;
	int64_t until_s;    /* on trial, as of flows; 0 = not */
	uint64_t day;	    /* messages a calendar day */
	int64_t apart_ns;   /* sustained; 0 = any */
	bool has_value;
	enum unit unit;
	int64_t lo, hi; /* thousandths of the unit */
};

struct bound_way; /* bound_way.c: a rule on its way to a party */

struct bound_recipient {
	uint16_t machine, party; /* the first of its parties */
	struct span machine_name, operator_; /* the party's name without one */
	struct span name;		     /* of the first party, for people */
	struct span country;
	enum pol_role role;
	enum bound_identity identity; /* the weakest of its parties */
	int64_t keeps_ns;	      /* declared; 0 = not */
	bool outside;		      /* of the home */
	/* Of the machine's policy, a bit each: its own, and with those of other
	 * operators that may be at one host with them (bound_twins.c). */
	uint64_t own, parties;
	size_t same_as; /* the first with the same parties and lists, or it */
	struct bound_flow *flow;
	size_t n_flow;
	struct bound_power *power;
	size_t n_power;
	struct bound_way *way;
	size_t n_way;
	int64_t spacing_ns; /* of all flows together that show use; INT64_MAX
			     * where none does */
	char grade; /* A to F, H inside the home, '-' */
	bool sealed, live, late;
	uint64_t readings[MOST_SPANS]; /* of all rules together */
	uint64_t bytes[MOST_SPANS]; /* whatever leaves, as it leaves */
	uint64_t sealed_bytes[MOST_SPANS]; /* of what brings sealed messages */
	/* Messages without a measurement reach it, of so many octets: what is
	 * written in them shows nothing, unless software lies. */
	bool other;
	uint64_t other_bytes[MOST_SPANS];
	int64_t dishonest_ns; /* finest series that could be hidden in the
			       * octets of a month; 0 = any */
	int64_t coverage_ns; /* of a day, seen at the finest spacing */
};

struct bound {
	const struct pol_set *set; /* borrowed */
	struct bound_recipient *r; /* by machine, then by party */
	size_t n;
};

/* customer: as this household chose, its restrictions and answers included;
 * else with every consent granted and nothing restricted. E_NOMEM. */
int bound_new(struct bound **out, const struct pol_set *s, bool customer,
	      struct err *e) __attribute__((warn_unused_result));
void bound_free(struct bound *b);

/* Is it told or may it switch anything at all? */
static inline bool bound_gets(const struct bound_recipient *r)
{
	return r->n_way || r->n_power;
}

/* When the trial of a rule of v, or of all of it (BOUND_NO_RULE), ends; 0 when
 * it is enforced. */
int64_t bound_trial_ends(const struct pol_image *v, uint32_t rule);

/* The policy of a machine, or NULL; and the name of one of its states. */
const struct pol_image *bound_policy(const struct bound *b, size_t machine);
struct span bound_state(const struct bound *b, const struct bound_recipient *r,
			unsigned state);

/* An interval: of ns anywhere, or, with ns 0, a span. */
struct bound_in {
	int64_t ns;
	enum most_span span;
	bool held; /* within ns, as most_held counts; not of a span */
	bool brought; /* octets and packets: of those alone that bring messages,
		       * which limits that select messages bound as well */
};
/* How many of a thing these recipients together can have in an interval, each
 * party's once: readings with a type of meas, or with any (0); of other things, with meas 0,
 * all there is. */
uint64_t bound_most(const struct bound *b,
		    const struct bound_recipient *const *r, size_t n,
		    meas_set meas, enum pol_thing thing, struct bound_in in);

/* Time between the values that a recipient can keep up with all of these types
 * (0 = all that show use) together, but for series; INT64_MAX where it gets
 * none. Whether they are one series is the caller's to know. */
int64_t bound_together(const struct bound *b, const struct bound_recipient *r,
		       meas_set meas);

/* Of one machine's recipients the rules that pick chooses, as one recipient
 * without figures: for bound_most and bound_series, as long as there is b.
 * party and rule: of its policy; rule may be BOUND_NO_RULE. E_NOMEM; out is to
 * be freed either way. */
typedef bool bound_pick_f(const void *arg, uint16_t party, uint32_t rule,
			  bool monitored, meas_set meas);
int bound_choose(const struct bound *b, uint16_t machine, bound_pick_f *pick,
		 const void *arg, struct bound_recipient *out)
	__attribute__((warn_unused_result));
void bound_chosen_free(struct bound_recipient *r);
/* Time between readings of these types that it can keep up (privacy.md 8,
 * step 4), over so many gaps; INT64_MAX where it gets none. */
int64_t bound_series(const struct bound *b, const struct bound_recipient *r,
		     meas_set meas, unsigned gaps);

/* By section 2 of privacy.md. */
char bound_grade(int64_t spacing_ns);
/* The finest spacing of a grade from A to F; INT64_MAX of others. */
int64_t bound_grade_from(char grade);
/* Does it show by its spacing what a home uses? */
bool bound_use(enum meas meas);
/* "2 h", "30 min", "400 d", "1 min 30 s"; "any" for BOUND_NONE. */
char *bound_time(char *buf, size_t cap, int64_t ns);
/* "2026-12-20" */
char *bound_date(char *buf, size_t cap, int64_t s);

#endif
