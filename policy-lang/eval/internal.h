/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the evaluator is put together; private to eval/ and analysis/.
 *
 *   set.c     images composed into machines, parties and limits
 *   floor.c   what may not be cut, and what passes when all else does not;
 *             floor_left.c: what restrictions leave of it together
 *   party.c   addresses -> parties
 *   match.c   observation -> columns that match
 *   state.c   all that changes: one block of words and its undo log
 *   memory.c  that block where others may have written it: opened, checked
 *   tables.c  what is where in it
 *   carry.c   counters of one set handed to another
 *   budgets.c limits as they stand
 *   engines.c which limits engines share
 *   guards.c  what else a grant asks for
 *   select.c  what a limit counts, to know it again in another image
 *   limits.c  counters; windows.c: their calendar
 *   share.c   limits that several machines use up together: asked of their
 *             owner; places.c: connections
 *   credit.c  what is used, asked of the owner before; grant.c: its answers
 *   recover.c a state whose memory is gone, from what the owner granted
 *   kept.c    counters that come from elsewhere
 *   ledger.c  what was used, whatever permitted it; ledger_charge.c: charged;
 *             ledger_fill.c: what a new limit begins with; ledger_house.c:
 *             shown and erased
 *   answers.c requests that wait for their answers
 *   judge.c   section 15, step by step (start reading here)
 *   look.c    one observation in one layer; count.c: what limits count of it;
 *             course.c: what counted the message that a unit goes on with
 *   tell.c    what a decision says and what a refusal costs
 *   flow.c    connections and packets
 *   text.c    refusals in words; would.c: what would have passed
 */
#ifndef POLICY_LANG_EVAL_INTERNAL_H
#define POLICY_LANG_EVAL_INTERNAL_H

#include "core/siphash.h"
#include "policy-lang/eval/eval.h"
#include "policy-lang/image/view.h"

#define NO_RULE LAY_NONE

/* What judging costs is counted where code is tested, and compared with what
 * the compiler says (law 10); a release has no counters. */
#ifdef COUNT_COST
struct cost_seen {
	uint64_t words, steps;
};
extern _Thread_local struct cost_seen cost_seen;
#define COST(what, n) (cost_seen.what += (n))
#else
#define COST(what, n) ((void)0)
#endif

/* --- composed set -------------------------------------------------------- */

/* Addresses cut into intervals, each with the owners that cover it. */
struct key128 {
	uint64_t hi, lo;
};
struct ipmap {
	struct key128 *start; /* ascending; the first is 0 */
	uint64_t *owners;     /* bit per owner */
	size_t n;
};

enum layer { LAYER_BASE, LAYER_VENDOR, LAYER_CUSTOMER, LAYERS };

/* One limit of one image, with the place of its counters. */
struct set_limit {
	const struct lay_limit *l;
	const struct pol_image *im;
	uint8_t layer;
	bool by_vm, by_party, by_meas;
	bool by_group; /* parties of one operator count together */
	uint32_t words;	   /* of one counter */
	uint32_t parties;  /* counters beside each other */
	uint32_t base;	   /* first word in the state */
	/* What a message charges: not where it counts refusals or connections;
	 * only what carries a measurement; nothing yet, where packets do. */
	bool by_message, by_reading, check_only;
	struct span name;  /* "allow/send: 1 reading per day"; of set.names */
};

struct machine {
	struct pol_machine pub;
	struct pol_prefix addr[LAY_MAX_PREFIXES / LAY_MAX_VMS];
	const struct pol_image *vendor; /* or NULL */
	const struct pol_image *im[LAYERS]; /* or NULL */
	uint32_t first_limit[LAYERS];
	struct event_rule told[LAYERS]; /* all that is told but the rule */
	struct ipmap parties; /* prefixes of the vendor's parties */
	uint64_t vm_of[POL_MAX_MACHINES]; /* parties that name machine k */
	uint64_t anywhere; /* parties by ApTitle alone */
	uint64_t named;	   /* parties with a name */
	uint64_t unplaced; /* of these, those without an address */
	uint32_t n_party;
	uint16_t group[LAY_MAX_PARTIES + 1];
	/* Rows of the party dimension: n_party + 1 per layer, the last for an
	 * unknown one. */
	uint64_t *rows[LAYERS];
	/* Bit per kind, by direction: some layer looks at such a carrier. */
	uint64_t carrier[2][(OBS_COUNT + 63) / 64];
	uint64_t floor_rules[LAY_MAX_RULES / 64]; /* what floors need */
	uint64_t asked[LAY_MAX_RULES / 64];	  /* that others answer */
	/* Grants and ceilings with limits of their own on connections. */
	uint64_t connects[LAYER_CUSTOMER][LAY_MAX_RULES / 64];
	int64_t attestation_max;
	bool refusal_limits;
};

struct pol_set {
	const struct pol_image *base, *customer, *binding;
	struct machine m[POL_MAX_MACHINES];
	size_t n_m;
	struct ipmap hosts; /* bound addresses: bit per machine */
	struct set_limit *limit;
	uint32_t n_limit;
	char *names; /* of limits */
	uint32_t base_limit, customer_limit; /* first of the layer */
	uint32_t max_party; /* + 1 */
	uint32_t n_group;
	uint32_t counter_words;
	bool keeps_flows; /* something is noted of connections */
	struct pol_profile profile;
	uint8_t digest[32];
	bool *void_answer; /* of each of the customer's; NULL: none is */
};

static inline bool set_void(const struct pol_set *s, uint32_t answer)
{
	return s->void_answer && s->void_answer[answer];
}

static inline const struct pol_image *
set_image(const struct pol_set *s, size_t m, enum layer l)
{
	return s->m[m].im[l];
}

static inline uint32_t set_first_limit(const struct pol_set *s, size_t m,
				       enum layer l)
{
	return s->m[m].first_limit[l];
}

/* The word where the counter of that machine, party and type begins. */
static inline uint32_t limit_at(const struct pol_set *s, uint32_t limit,
				size_t m, int party, unsigned meas)
{
	const struct set_limit *l = &s->limit[limit];
	const struct machine *mc = &s->m[m];
	uint32_t p = party < 0 ? mc->n_party : (uint32_t)party;
	uint32_t i = l->by_vm ? (uint32_t)m : 0;

	i = i * l->parties + (l->by_group ? mc->group[p] : l->by_party ? p : 0);
	if (l->by_meas)
		i = i * MEAS_COUNT + meas;
	return l->base + i * l->words;
}

/* floor.c */
void set_floor_rules(struct pol_set *s, size_t m);
int set_check_customer(const struct pol_set *s, struct err *e)
	__attribute__((warn_unused_result));
int set_check_answers(const struct pol_set *s, struct err *e)
	__attribute__((warn_unused_result));

/* party.c */
int ipmap_build(struct ipmap *map, const struct pol_image *im, unsigned kind);
void ipmap_free(struct ipmap *map);
uint64_t ipmap_find(const struct ipmap *map, const struct net_addr *a);
/* The party of a peer, or -1 with NONE, UNKNOWN_PARTY or PARTY_IDENTITY in
 * *why. titles: its ApTitle must hold too. */
int party_find(const struct pol_set *s, size_t m, const struct pol_peer *peer,
	       bool titles, enum reason *why);
/* The same of a peer that is machine other, or -1. */
int party_match(const struct pol_set *s, size_t m, const struct pol_peer *peer,
	     int other, bool titles, enum reason *why);
int peer_machine(const struct pol_set *s, const struct pol_peer *peer);
/* Is what a party gets sealed where its policy says so, and to its name? */
bool party_sealed(const struct pol_set *s, size_t m, int party,
		  const struct pol_msg *msg);

/* --- state --------------------------------------------------------------- */

#define ANSWERS	    64 /* outstanding requests per machine */
#define ANSWER_NS   (120 * NS_PER_S)
#define FLOW_STATES 256 /* what is noted of connections per machine */
#define UNDO_MAX    65536
#define UNDO_SPARE  8192 /* what one message may need */
#define FOREVER	    (UINT64_C(1) << 62) /* a time that never comes */
#define ATTESTED_NS (24 * 3600 * NS_PER_S)

struct undo {
	uint32_t at, pad;
	uint64_t was;
};

/*
 * The block of memory of a state, pointer-free:
 *
 *   head | live | words | undo log | limits | machines | names
 *
 * The last three say what the words are, by hashes of names, so that a set
 * that comes later finds what is its own. Times in words are those of a clock
 * that goes on over restarts of the machine: the stepless one + offset.
 */
struct mem_head { /* changes when the block is opened, under crc */
	uint64_t magic, octets;
	uint8_t digest[32], boot[16];
	struct sipkey key; /* of the hashes of distinct limits */
	int64_t offset;
	uint32_t n_w, n_limit, n_m, n_names, n_group, max_party;
	uint32_t n_counter_words, crc;
};
struct mem_live { /* changes with every judgement */
	int64_t time;	     /* of the last one, offset added */
	int64_t wall_us;     /* at that time */
	int64_t wall_max_s;  /* latest trusted time seen */
	uint64_t next_id;
	uint32_t n_undo, trusted;
	uint32_t sealed, seal_crc; /* nothing is under way; of all else */
};
struct mem_limit {
	uint64_t id, like; /* the same limit; the same but for its numbers */
	struct lay_limit l; /* what is counted; places in the image are 0 */
	uint32_t base, words, parties;
	uint32_t machine; /* of a vendor's limit, else LAY_NONE */
	uint8_t by_vm, by_party, by_meas, by_group, layer, pad[3];
};
struct mem_machine {
	uint64_t name;
	uint32_t n_party, n_rule, n_state;
	uint32_t party, rule, state, group; /* first rows of names */
	uint32_t states, builtin, answers, flows; /* first words */
	uint32_t pad;
};
/* Pointers into such a block whose places were checked. */
struct mem {
	struct mem_head *head;
	struct mem_live *live;
	uint64_t *w;
	struct undo *undo;
	struct mem_limit *limit;
	struct mem_machine *m;
	uint64_t *names;
};

enum { AN_ID, AN_FLOW, AN_INV, AN_TIME, AN_RULE, AN_FLAGS, AN_WORDS };
enum { FS_FLOW, FS_STATE, FS_UNTIL, FS_WORDS };
/* FS_STATE: a state + 1, or a limit that had no room for the connection when it
 * was opened, by what it is (mem_limit.id); alone: by any. */
#define FS_LIMIT (UINT64_C(1) << 63)

enum consent_answer { CONSENT_UNASKED, CONSENT_GRANTED, CONSENT_REFUSED };

#define FAILS	64
#define PENDING 64

/* have: the connection began when the limit had no room. */
#define FAIL_SHUT (-2)
/* One thing that failed, for reasons, texts and explanations. */
struct fail {
	enum reason reason;
	uint8_t side, layer;
	bool monitored;
	uint8_t action;
	int64_t action_ns;
	uint32_t rule;	/* or NO_RULE */
	uint32_t limit; /* of the set, or LAY_NONE */
	uint32_t leaf;
	int64_t have, need; /* of the guard; -1 unknown, FAIL_SHUT */
	int64_t wait;	    /* until it would hold; -1 never by waiting */
};

/* A limit that a message charges. */
struct pending {
	uint32_t limit, at; /* of the set; word of its counter */
	uint64_t amount;
	uint64_t hash; /* distinct */
	uint64_t course; /* course_key; 0: it counts no messages */
	bool unknown;  /* the amount is */
	bool check_only;
	bool monitored;
	uint8_t side;
};

/* Messages under way, by connection and way: course.c. */
#define COURSE_SETS 32
#define COURSE_WAYS 8
#define COURSES	    (COURSE_SETS * COURSE_WAYS)
#define COURSE_BY   32 /* limits that counted one */
#define COURSE_WAS  4
/* For how long readings may go on as one with the message that began. */
#define COURSE_NS (3600 * NS_PER_S)
struct course {
	uint64_t turn, era;
	uint32_t n;
	uint64_t by[COURSE_BY];
	int64_t at[COURSE_BY]; /* when it counted; as st->now.mono */
};
struct course_was {
	uint32_t at;
	uint64_t tag;
	struct course c;
};
struct courses {
	uint64_t tag[COURSES]; /* 0: none */
	struct course c[COURSES];
	struct course_was was[COURSE_WAS]; /* before what is not committed */
	uint32_t n_was;
	uint64_t era, turn; /* of commits; of notes */
};

#define LIMIT_LEAVES 1024 /* of one message; more are refused */

struct side {
	size_t m;
	enum dir dir;
	int party;
	const struct pol_image *im[LAYERS];
	const uint64_t *row[LAYERS];
	bool floors_only;  /* quarantined or expired */
	enum reason floor_reason;
	bool monitor;	   /* the whole policy */
	uint64_t set, clear; /* states that the message sets and clears */
	uint32_t rule[LAYERS]; /* of the leaf reported */
};

/* Of a limit that others use up too: share.c. */
#define CREDITS 64
struct credit {
	uint32_t at; /* word of its counter */
	uint32_t machine;
	uint32_t limit; /* of the set */
	uint64_t value; /* of a distinct one: its hash; else 0 */
	struct pol_ask of; /* what is asked for it */
	uint64_t left, granted, used;
	int64_t asked_ns, until, window;
	bool told; /* of connections: the owner knows of granted */
	/* So much was not to be had, and will not be until then. */
	uint64_t denied;
	int64_t denied_until;
};
struct spent {
	uint32_t at;
	uint64_t value, n;
};
/* What the owner granted of one of those: at most so much comes back. */
#define GIVEN 256
struct lent {
	uint32_t at, machine;
	int64_t window;
	uint64_t value, n;
};

/* Of a row of the ledger: credit.c. */
struct row_credit {
	uint64_t left, granted;
	uint64_t day; /* of the ledger when it was asked for */
	int64_t asked_ns, until;
};
/* What the message at hand uses: every unit and type, of both sides. */
#define LEDGER_WANTS (2 * 2 * (MEAS_COUNT + 4))
struct ledger_want {
	uint64_t *row;
	uint64_t what, n;
	unsigned side;
};

#define LEDGER_DUE 256
struct ledger_due {
	uint32_t at, n; /* word of the row */
	uint64_t hour, day;
};

/* A message judged as if it said something else, later: nothing is charged or
 * written then (would.c). */
#define AS_IT_IS INT64_MIN
struct what_if {
	bool on;
	bool has_value;
	uint8_t res_unit, value_unit;
	int64_t later_s;	     /* how much */
	int64_t gran_ns;	     /* or 0 */
	int64_t oldest_s, newest_s;  /* ages by the wall clock, or AS_IT_IS */
	uint64_t res_milli;	     /* or 0 */
	int64_t lo, hi;		     /* of its value */
	uint64_t channels;	     /* or 0 */
};

/* Places of outstanding requests by age, the oldest at next; while sure. */
struct answer_turn {
	int64_t at_ns; /* of the last one */
	uint8_t place[ANSWERS], next;
	bool known; /* place has each place once */
	bool sure;
};

struct pol_state {
	/* The rules of each leaf of the message judged last. */
	uint32_t leaf_rule[LIMIT_LEAVES][2][LAYERS];
	uint32_t n_leaf_rule; /* 0: it was refused before any was looked for */
	struct mem mem;
	void *own; /* the block, when it is ours to free */
	bool fresh; /* nothing was in its memory when it was opened */
	size_t size;
	uint32_t n_w;
	uint32_t states[POL_MAX_MACHINES]; /* [state][party]: until, ns */
	uint32_t builtin[POL_MAX_MACHINES]; /* [BUILTIN_WORDS]: until */
	uint32_t answers[POL_MAX_MACHINES]; /* [ANSWERS][AN_WORDS] */
	uint32_t flows[POL_MAX_MACHINES]; /* [FLOW_STATES][FS_WORDS] */
	struct answer_turn turn[POL_MAX_MACHINES];
	uint32_t ledger; /* ledger.h */
	/* Where its rows are, by what they are of: index + 1. */
	uint32_t lg_rows;
	uint16_t lg_place[1024];
	/* What was charged to them since the last commit. */
	struct ledger_due due[LEDGER_DUE];
	uint32_t n_due;
	struct ledger_want want[LEDGER_WANTS];
	uint32_t n_want;
	struct row_credit row_credit[512]; /* of each row; when somebody is asked */
	uint64_t connections_most; /* of a slice */
	bool (*asks)(void *arg, const struct pol_claim *c,
		     struct pol_grant *g);
	void *asks_arg;
	size_t asks_machine; /* whose engine it is */
	bool places_told;
	bool house_keyed; /* the owner's key is known */
	struct sipkey house_key;
	uint64_t shared[(POL_MAX_MACHINES + 2) * LAY_MAX_LIMITS / 64];
	struct credit credit[CREDITS];
	struct spent spent[CREDITS]; /* since the last commit */
	uint32_t n_credit, n_spent;
	struct lent given[GIVEN];
	uint32_t next_given;
	uint32_t spent_mark; /* before the judgement at hand */
	uint8_t consent[POL_MAX_MACHINES][LAY_MAX_RULES];
	/* What every judgement looks at, side by side. */
	const struct pol_set *s;
	uint64_t *w; /* mem.w: counters, then what the fields above say */
	struct mem_live *live; /* mem.live */
	struct undo *undo;     /* mem.undo */
	bool spread, one_sided;
	bool asking; /* a refusal costs nothing: nobody tried anything */
	bool trusted, fails_cut;
	bool in_step; /* long windows of the ledger, with the trusted clock */
	int8_t clock_forced; /* -1 follow the wall clock, else its value */
	unsigned n_side;
	uint32_t n_fail, n_pend;
	/* Scratch of one judgement. */
	struct now now; /* st_now */
	int64_t wall_s, std_s; /* of it: UTC, and the meter's standard time */
	struct side side[2];
	uint64_t answered[2]; /* the request that the message answers, by side */
	struct fail fail[FAILS];
	struct pending pend[PENDING + 1]; /* one to fill in */
	bool late; /* a unit that goes on with a message is one of a limit */
	struct courses courses;
	struct what_if what_if;
	char would[512];
};

/* What is judged next is as it is now, whatever the time was; and from here on
 * it is now. */
static inline void st_now(struct pol_state *st, struct now now)
{
	st->now = now;
	st->wall_s = wall_s(now.wall);
	st->std_s = st->wall_s + now.wall.std_off_s;
}
void st_time(struct pol_state *st, struct now now);
/* The end of a time that begins now and lasts ns. */
uint64_t st_until(const struct pol_state *st, struct now now, int64_t ns);
/* Write a word so that pol_abort takes it back, or for good. */
void st_log(struct pol_state *st, uint32_t at, uint64_t v);
static inline void st_put(struct pol_state *st, uint32_t at, uint64_t v)
{
	if (st->w[at] != v)
		st_log(st, at, v);
}
void st_put_final(struct pol_state *st, uint32_t at, uint64_t v);
void st_undo(struct pol_state *st, uint32_t mark);
bool st_has(const struct pol_state *st, size_t m, int party, uint64_t flow,
	    unsigned state);
void st_set(struct pol_state *st, size_t m, int party, uint64_t flow,
	    unsigned state);
void st_clear(struct pol_state *st, size_t m, int party, uint64_t flow,
	      unsigned state);
/* A limit of a rule has no room for this connection: what comes by it may not
 * use that rule. False: no more can be noted. */
bool st_shut(struct pol_state *st, size_t m, uint64_t flow, uint32_t limit);
bool st_is_shut(const struct pol_state *st, size_t m, uint64_t flow,
		uint32_t limit);
void st_end_flow(struct pol_state *st, uint64_t flow);
/* Is its vendor's policy out of its dates? */
bool st_expired(const struct pol_state *st, size_t m);
bool st_builtin(const struct pol_state *st, size_t m, enum pol_builtin b);
void st_quarantine(struct pol_state *st, size_t m, int64_t ns);

/* --- memory.c, carry.c --------------------------------------------------- */

/* A fresh state of s over zeroed memory of pol_state_octets. */
void mem_make(struct pol_state *st, void *block, const uint8_t boot[16],
	      int64_t offset);
/* A handle without memory; free(3) undoes it. */
struct pol_state *st_handle(const struct pol_set *s);
void mem_use(struct pol_state *st, void *block);
/* While more than one word changes the block says that it is not whole. */
void mem_open_head(struct mem_head *h);
void mem_close_head(struct mem_head *h);
/* Who is who and what is where; sizes as mem_counts says. */
uint32_t mem_machine(const struct pol_set *s, size_t i, struct mem_machine *m,
		     uint32_t at);
void mem_counts(const struct pol_set *s, struct mem_head *h);
void mem_tables(const struct pol_set *s, struct mem *m);
size_t mem_octets(const struct mem_head *h);
void mem_place(struct mem *m, void *block, const struct mem_head *counts);
uint64_t mem_name(uint64_t seed, struct span s); /* hash of a name */
/* Counters of a limit. */
uint64_t mem_limit_count(const struct mem_head *h, const struct mem_limit *l);
bool flows_kept(const struct mem *m);
uint32_t mem_ledger(const struct mem_head *h);
size_t mem_used_words(const struct mem *m); /* others are zero */
/* A block of another process, its head and tables checked; false: none. */
bool mem_of_other(struct mem *m, const void *block, size_t octets);
void mem_exhaust(struct pol_state *st); /* recover.c */
/* connections: what hangs on them is carried too. */
void carry_all(struct pol_state *to, const struct mem *from, bool connections);

/* --- match.c ------------------------------------------------------------- */

/* Columns of the image that an observation matches. carrier gives attributes
 * that the observation itself has not; may be NULL. carries: it is what a
 * grant is about, not only on the way. */
void match_obs(const struct pol_image *im, const uint64_t *row, enum dir dir,
	       const struct obs *o, const struct obs *carrier, meas_set meas,
	       uint64_t hit[LAY_WORDS]);
/* Columns that select a kind. */
const uint64_t *match_kind(const struct pol_image *im, uint16_t kind);
/* Columns by direction and party alone. */
void match_bare(const struct pol_image *im, const uint64_t *row, enum dir dir,
		uint64_t hit[LAY_WORDS]);
/* What the observation reveals: empty for an echo. */
meas_set obs_meas(const struct obs *o);

/* --- guards.c ------------------------------------------------------------ */

/* Does whatever meets the constraints `of` meet d as well, if it carries such
 * types? */
bool guard_implied(const struct lay_data *d, const struct lay_data *of,
		   meas_set meas);

/* Append what fails; returns how many. */
unsigned guard_data(struct pol_state *st, const struct lay_data *d,
		    const struct obs *leaf, meas_set meas,
		    const struct fail *proto);
unsigned guard_rule(struct pol_state *st, const struct side *sd,
		    const struct lay_rule *r, const struct lay_guard *g,
		    const struct pol_msg *m, const struct fail *proto);
unsigned guard_when(struct pol_state *st, const struct side *sd,
		    const struct lay_rule *r, const struct lay_guard *g,
		    const struct fail *proto);
void fail_add(struct pol_state *st, const struct fail *f);

/* --- answers.c ----------------------------------------------------------- */

/* The outstanding request that this leaf answers: its index, or -1. rules:
 * one of these must have granted it; NULL any. */
int answer_find(const struct pol_state *st, const struct side *sd,
		const struct pol_msg *m, const uint64_t *rules);
void answer_take(struct pol_state *st, const struct side *sd,
		 const struct pol_msg *m, int index);
/* An answer that its rule did not ask a request of takes it all the same: what
 * comes next belongs to it, or to a later one. */
void answer_begin(struct pol_state *st, const struct side *sd,
		  const struct pol_msg *m);
void answer_ask(struct pol_state *st, const struct side *sd,
		const struct pol_msg *m, uint32_t rule, uint64_t id);

bool answer_outlives(const uint64_t *w, uint32_t n_party, int64_t now,
		     uint64_t next_id);
void answer_move(uint64_t *to, const uint64_t *from, uint32_t party,
		 uint32_t rule);
uint32_t answer_party(const uint64_t *w);

/* --- course.c ------------------------------------------------------------ */

/* A counter of messages or readings of that type, as the party's; never 0. */
uint64_t course_key(const struct pol_state *st, const struct side *sd,
		    uint32_t limit, unsigned meas);
/* Did it count an earlier unit of the message that m goes on with? reads: and
 * is what is read now still of that one? */
bool course_counted(struct pol_state *st, const struct side *sd,
		    const struct pol_msg *m, uint64_t key, bool reads);
/* What is pending is charged. */
void course_note(struct pol_state *st, const struct pol_msg *m);
void course_commit(struct pol_state *st);
void course_abort(struct pol_state *st);

/* --- limits.c ------------------------------------------------------------ */

uint32_t limit_words(const struct lay_limit *l);
/* Room for amount? Charges it (st_put) when there is. *wait: until there
 * would be, -1 never. hash: of the value, for distinct and concurrent. */
bool limit_charge(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		  uint64_t amount, uint64_t hash, int64_t *wait);
/* The same, and nothing is charged. */
bool limit_room(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		uint64_t amount, uint64_t hash, int64_t *wait);
void limit_delay(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		 int64_t last, uint64_t n);
void limit_unslide(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		   int64_t sub, uint64_t n);
bool limit_knows(const struct pol_state *st, const struct lay_limit *l,
		 uint32_t at, uint64_t hash);
void limit_lease(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		 uint64_t hash);
void limit_forget(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		  uint64_t hash);
bool limit_places(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		  uint32_t machine, uint64_t n);
/* How much of it is used now. */
uint64_t limit_used(const struct pol_state *st, const struct lay_limit *l,
		    uint32_t at);
void limit_release(struct pol_state *st, const struct lay_limit *l,
		   uint32_t at, uint64_t hash);
bool limit_sane(const struct lay_limit *l);
bool limit_possible(const struct lay_limit *l, const uint64_t *w, int64_t ns);
void limit_mend(const struct lay_limit *l, uint64_t *w);
void limit_fill(const struct pol_state *st, const struct lay_limit *l,
		uint64_t *w, uint64_t amount);
uint64_t limit_now(const struct pol_state *st, const struct lay_limit *l,
		   uint32_t at, uint64_t *of, int64_t *wait);
void limit_join(const struct lay_limit *to, uint64_t *w,
		const struct lay_limit *from, const uint64_t *old);
/* The same counting, of other numbers. */
void limit_move(const struct pol_state *st, const struct lay_limit *to,
		uint64_t *w, const struct lay_limit *from, const uint64_t *old);
int64_t limit_drain(const struct lay_limit *l); /* of a bucket, ns */
/* select.c: what it counts. */
uint64_t select_hash(const struct pol_image *im, uint32_t limit);
/* engines.c: does column c charge limit i of its image? */
bool limit_charged_col(const struct pol_image *im, const struct lay_col *c,
		       uint32_t i);
/* parties of machine m whose traffic charges limit i of its image,
 * which is l; the last is the unknown one, which only refusals can charge. */
void limit_charged_by(const struct pol_set *s, size_t m,
		      const struct set_limit *l, uint32_t i,
		      bool party[LAY_MAX_PARTIES + 1]);

/* --- ledger.c ------------------------------------------------------------- */

/* Charge what was permitted, to the sides of the judgement at hand. False:
 * there is no credit for it that is on a disk, and nothing was charged. */
bool ledger_message(struct pol_state *st, const struct pol_msg *m,
		    const struct obs *leaves, uint32_t n);
bool ledger_packets(struct pol_state *st, uint32_t octets, uint32_t packets);
bool ledger_connection(struct pol_state *st);
void ledger_refusal(struct pol_state *st);
void ledger_abort(struct pol_state *st);
/* Can these words have been written until then? */
bool ledger_possible(const uint64_t *ledger, int64_t now);
void ledger_lost(struct pol_state *st); /* all that was before now */

/* For the owner: so much was granted. */
void ledger_granted(struct pol_state *st, const struct side *sd, uint64_t what,
		    uint64_t n);
uint64_t ledger_party(const struct pol_state *st, const struct side *sd);

/* --- credit.c ------------------------------------------------------------- */

/* Is there credit for all that is wanted? Asks for what is missing. */
bool credit_have(struct pol_state *st);
void credit_spend(struct pol_state *st, const struct ledger_want *w);
void credit_unspend(struct pol_state *st, const uint64_t *row, uint64_t n);
uint64_t credit_most(const struct lay_limit *l); /* of a slice */
/* Of octets, of which so many were spent since then: what goes in a twentieth
 * of a second at that rate, 16 KiB at least, and most at most. */
uint64_t credit_octets(int64_t since_ns, uint64_t spent, uint64_t most);
uint64_t credit_connections(const struct pol_set *s); /* that, of all */
/* Enough for a while at the rate just seen: spent since then, need more. */
uint64_t credit_slice(int64_t since_ns, uint64_t spent, uint64_t need,
		      uint64_t most);

/* --- share.c -------------------------------------------------------------- */

bool share_charge(struct pol_state *st, const struct side *sd, uint32_t limit,
		  uint32_t at, uint64_t amount, uint64_t hash, bool check,
		  int64_t *wait);
void share_undo(struct pol_state *st, uint32_t mark);
uint64_t share_used(const struct pol_state *st, uint32_t limit, uint32_t at,
		    uint64_t used);
/* Is that counter asked of an owner? */
bool share_is(const struct pol_state *st, uint32_t limit);
/* The key under which a limit's values are hashed: its owner's. */
const struct sipkey *share_key(struct pol_state *st, uint32_t limit);
struct credit *share_credit(struct pol_state *st, const struct side *sd,
			    uint32_t limit, uint32_t at, uint64_t value);
bool share_ask(struct pol_state *st, const struct pol_claim *c,
	       struct pol_grant *g);
/* What was refused a moment ago, and more of it, is refused again unasked. */
bool share_refused(const struct pol_state *st, const struct credit *c,
		   uint64_t need, int64_t *wait);
void share_denied(const struct pol_state *st, struct credit *c, uint64_t need,
		  int64_t wait);

/* --- places.c ------------------------------------------------------------- */

bool place_charge(struct pol_state *st, const struct side *sd, uint32_t limit,
		  uint32_t at, uint64_t flow, int64_t *wait);
/* Tell the owner how many there are, where it may think otherwise. */
void places_tell(struct pol_state *st);
/* As pol_state_hand_back, of one counter. */
void place_back(struct pol_state *st, struct credit *c, bool all);
/* engines.c: do several machines use up that limit of the set together? */
bool limit_shared(const struct pol_set *s, uint32_t limit);

/* --- judge.c, look.c, count.c, tell.c: the steps ------------------------- */

struct look { /* what is being judged */
	const struct pol_msg *m;
	const struct obs *o;
	meas_set meas;
	uint32_t leaf;
	bool is_leaf, alone; /* alone: no leaves come with it */
	int error_of; /* the request an error answers, which then needs no
		       * rule; else -1 */
	uint64_t hit[LAY_WORDS];
};

static inline bool bit_get(const uint64_t *w, uint32_t i)
{
	return w[i / 64] >> (i % 64) & 1;
}

void judge_begin(struct pol_state *st, struct now now, struct pol_decision *d);
static inline struct fail judge_fail(enum reason r, unsigned side,
				     enum layer l, uint32_t leaf)
{
	return (struct fail){.reason = r,
			     .side = (uint8_t)side,
			     .layer = (uint8_t)l,
			     .rule = NO_RULE,
			     .limit = LAY_NONE,
			     .leaf = leaf,
			     .wait = -1};
}
void judge_fail_now(struct pol_state *st, enum reason r);
bool judge_monitors(const struct pol_state *st, int64_t until);
bool judge_blocked(const struct pol_state *st);
void judge_add_side(struct pol_state *st, size_t m, enum dir dir, int party);
/* other: the machine that the peer is, or -1. */
void judge_add_peer(struct pol_state *st, size_t m, enum dir dir, int other);
bool judge_identify(struct pol_state *st, size_t m, enum dir dir,
		    const struct pol_peer *peer, bool titles, bool one_sided,
		    struct pol_decision *d);

/* One observation in all layers of a side. id: of the message. */
void look_side(struct pol_state *st, unsigned side, struct look *k,
	       uint64_t id);
void look_denials(struct pol_state *st, unsigned side, enum layer l,
		  const struct look *k);
/* Of all that look_side does, what states it clears. */
void look_clears(struct pol_state *st, unsigned side, struct look *k);
void look_restrictions(struct pol_state *st, unsigned side,
		       const struct look *k);
void look_limit(struct pol_state *st, unsigned side, enum layer l,
		uint32_t index, const struct pol_msg *m, const struct obs *o,
		meas_set meas, bool monitored);
/* Types that a unit that goes on with a message has and that were not counted
 * with what came before of it. */
meas_set look_new_types(const struct pol_msg *m, meas_set meas);
/* How many snapshots and commands a leaf holds; 1 where it holds other types
 * only. */
uint64_t look_moments(const struct obs *o, meas_set meas);
/* Charge all that is pending; what has no room fails. */
void look_charge(struct pol_state *st);
/* Does a rule's own limit count connections? */
static inline bool limit_connects(const struct lay_limit *l)
{
	return l->thing == THING_CONNECTIONS || l->kind == LIMIT_CONCURRENT;
}

void tell_rules(struct pol_state *st, struct pol_decision *d);
void tell_budgets(struct pol_state *st, struct pol_decision *d);
/* m: the message refused; NULL: a packet, which is none. */
void tell_refusal(struct pol_state *st, const struct pol_msg *m,
		  struct pol_decision *d);

/* --- would.c ------------------------------------------------------------- */

/* Steps 2 to 6 of m as st->what_if has it, at another time; what fails is in
 * st->fail. */
bool judge_what_if(struct pol_state *st, const struct pol_msg *m,
		   struct now now, struct pol_decision *d);
/* The nearest request that would have passed, if there is one. */
void would_pass(struct pol_state *st, const struct pol_msg *m,
		struct pol_decision *d);

/* --- text.c -------------------------------------------------------------- */

void text_refusal(struct pol_state *st, struct pol_decision *d);
/* A time that is told is rounded up, to what is told of it. */
int64_t text_rounded(int64_t ns);
/* "1 kWh", "30 min" of thousandths of a unit. */
int text_milli(char *buf, size_t cap, int64_t milli, unsigned unit);
/* One clause about one failure; returns its length. */
int text_fail(const struct pol_state *st, const struct fail *f, char *buf,
	      size_t cap);
int text_duration(char *buf, size_t cap, int64_t ns);
const char *text_layer(enum layer l);

#endif
