/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the second evaluator (reference_eval.h) knows of limits: each by its
 * definition (section 11), over all that was permitted under it, and not by
 * counters. It is asked both ways: what is permitted has room at every limit,
 * and what is refused for a limit has none at some.
 *
 * Between the two lies what an evaluator may refuse though there is room: the
 * last sixtieth of a sliding window, what rounding takes of a bucket, and
 * windows of the calendar once the clock was not trusted.
 */
#ifndef POLICY_LANG_REFERENCE_LIMITS_H
#define POLICY_LANG_REFERENCE_LIMITS_H

#include "policy-lang/reference_eval.h"

#define REF_ALL	     UINT64_MAX
#define REF_COUNTED  1024
#define REF_DUES     64
#define REF_SHUT     64
#define REF_FLOWS    4

/* Who and what a limit counts together. */
struct ref_gate {
	const struct pol_limit_phrase *limit;
	uint64_t machine, party; /* REF_ALL: all of them */
	uint64_t meas;		 /* REF_ALL: whatever it carries */
};

struct ref_counted {
	struct ref_gate gate;
	uint64_t n, key;
	int64_t at, window;
};

struct ref_due { /* of the message at hand */
	struct ref_gate gate;
	unsigned side;
	uint64_t n, key;
	bool unknown; /* how many: there is never room */
};

struct ref_dues {
	struct ref_due of[REF_DUES];
	unsigned n;
};

/* The latest message that way, in several units: what counted it. */
struct ref_course {
	struct ref_gate by[REF_DUES];
	int64_t at[REF_DUES];
	unsigned n;
};

struct ref_shut { /* a rule that a connection may not use */
	const struct pol_rule_src *rule;
	uint64_t machine, flow;
	bool maybe;
};

struct ref_limits {
	struct ref_counted counted[REF_COUNTED];
	struct ref_course course[2][2][REF_FLOWS]; /* machine, way, flow */
	struct ref_shut shut[REF_SHUT];
	unsigned n_counted, n_shut;
	bool guessed; /* the clock was not always trusted */
};

enum ref_room { REF_ROOM, REF_MAYBE, REF_FULL };

/* What is said of all limits together. */
struct ref_weighed {
	enum ref_room spaced, room;
};

/* --- one limit --------------------------------------------------------------- */

static inline int64_t ref_window(enum pol_window w, int64_t s)
{
	struct civil c = civil_of(s);

	switch (w) {
	case WINDOW_HOUR:
		return floor_div(s, 3600);
	case WINDOW_DAY:
		return floor_div(s, 86400);
	case WINDOW_WEEK: /* 1970-01-05 was a Monday */
		return floor_div(s - 4 * 86400, 7 * 86400);
	case WINDOW_YEAR:
		return c.year;
	default:
		return c.year * 12 + c.month;
	}
}

static inline bool limit_is_of_connections(const struct pol_limit_phrase *l)
{
	return l->kind == LIMIT_CONCURRENT || l->thing == THING_CONNECTIONS;
}

static inline bool ref_same(const struct ref_gate *a, const struct ref_gate *b)
{
	return a->limit == b->limit && a->machine == b->machine &&
	       a->party == b->party && a->meas == b->meas;
}

/* So many units with so much time behind the first of them, in a bucket? Its
 * unit takes a time that is rounded up; of what comes in amounts, each. */
static inline enum ref_room ref_bucket(const struct pol_limit_phrase *l,
				       uint64_t sum, unsigned times,
				       int64_t ago)
{
	__int128 over = (__int128)sum - (__int128)l->burst, n = l->n;
	__int128 up = over > 0 ? over * n : 0;

	if (over > 0 && over * l->window_ns > ago * n)
		return REF_FULL;
	if (l->thing == THING_BYTES || l->thing == THING_VALUES)
		up += times * n;
	return over * l->window_ns + up > ago * n ? REF_MAYBE : REF_ROOM;
}

/* With x, the last that was counted. */
static inline enum ref_room ref_fits(const struct ref_limits *h,
				     const struct ref_counted *x)
{
	const struct pol_limit_phrase *l = x->gate.limit;
	bool slides = l->window == WINDOW_SLIDING;
	int64_t sub = (l->window_ns + 59) / 60;
	uint64_t sum = 0, late = 0, keys[REF_COUNTED];
	enum ref_room worst = REF_ROOM, is;
	unsigned n_keys = 0, times = 0;

	for (unsigned i = h->n_counted; i-- > 0;) {
		const struct ref_counted *a = &h->counted[i];
		int64_t ago = x->at - a->at;
		bool in = slides ? ago < l->window_ns : a->window == x->window;
		unsigned k = 0;

		if (!ref_same(&a->gate, &x->gate))
			continue;
		if (l->kind == LIMIT_SPACING) {
			if (a != x && ago < l->window_ns)
				return REF_FULL;
		} else if (l->kind == LIMIT_BUCKET) {
			sum += a->n;
			is = ref_bucket(l, sum, ++times, ago);
			worst = is > worst ? is : worst;
		} else if (l->kind >= LIMIT_DISTINCT) {
			while (k < n_keys && keys[k] != a->key)
				k++;
			if (k == n_keys && (in || l->kind == LIMIT_CONCURRENT))
				keys[n_keys++] = a->key;
		} else if (in) {
			sum += a->n;
		} else if (slides && ago < l->window_ns + sub) {
			late += a->n;
		}
	}
	if (l->kind >= LIMIT_DISTINCT)
		worst = n_keys > l->n ? REF_FULL : REF_ROOM;
	else if (l->kind < LIMIT_BUCKET)
		worst = sum > l->n	    ? REF_FULL
			: sum + late > l->n ? REF_MAYBE
					    : REF_ROOM;
	if (h->guessed &&
	    (limit_is_of_connections(l) ||
	     (!slides && (l->kind == LIMIT_CALENDAR ||
			  l->kind == LIMIT_DISTINCT))))
		return REF_MAYBE;
	return worst;
}

/* Has it room? It is counted from now on. */
static inline enum ref_room ref_count(struct ref_limits *h,
				      const struct ref_due *of,
				      const struct ref_now *t)
{
	const struct pol_limit_phrase *l = of->gate.limit;
	struct ref_counted x = {.gate = of->gate, .n = of->n, .key = of->key,
				.at = t->now.mono.ns};

	if (h->n_counted == REF_COUNTED)
		fail_msg("more was counted than there is room for");
	x.window = ref_window(l->window, wall_s(t->now.wall));
	/* One once left is not entered again. */
	for (unsigned i = 0; i < h->n_counted; i++) {
		if (ref_same(&h->counted[i].gate, &x.gate) &&
		    h->counted[i].window > x.window)
			x.window = h->counted[i].window;
	}
	h->counted[h->n_counted++] = x;
	return of->unknown ? REF_FULL
			   : ref_fits(h, &h->counted[h->n_counted - 1]);
}

/* --- what a message is due --------------------------------------------------- */

static inline void ref_add(struct ref_dues *q, const struct ref_due *x)
{
	for (unsigned i = 0; i < q->n; i++) {
		struct ref_due *a = &q->of[i];

		if (!ref_same(&a->gate, &x->gate) || a->key != x->key)
			continue;
		/* Numbers add up; it is one message, with the readings of the
		 * part that has most. */
		if (x->gate.limit->thing == THING_VALUES &&
		    x->gate.limit->kind < LIMIT_SPACING)
			a->n += x->n;
		else if (a->n < x->n)
			a->n = x->n;
		a->unknown |= x->unknown;
		return;
	}
	if (q->n == REF_DUES)
		fail_msg("more limits than there is room for");
	q->of[q->n++] = *x;
}

static inline struct ref_course *ref_course(struct ref_limits *h,
					    const struct said *x, unsigned side)
{
	uint64_t m = side ? !x->machine : x->machine;

	return &h->course[m][(x->dir == DIR_OUT) != (side == 1)][x->flow];
}

/* A limit on how often counts a message once, with the first unit that falls
 * under it: what is left of these types to count of a later one. A snapshot or
 * a command is a message each time; a reading is new where its type is, and
 * each hour. */
static inline bool ref_anew(struct ref_limits *h, const struct said *x,
			    const struct ref_due *due, meas_set of,
			    meas_set *types, int64_t now)
{
	bool reads = (*types & of & ~MEAS_ABOUT) != 0;
	const struct pol_limit_phrase *l = due->gate.limit;
	const struct ref_course *c = ref_course(h, x, due->side);
	bool was = false;

	for (unsigned i = 0; x->part && i < c->n; i++)
		was |= ref_same(&c->by[i], &due->gate) &&
		       !(reads && now - c->at[i] >= 3600 * NS_PER_S);
	if (!was)
		return true;
	*types &= ~x->carried | ref_each_time;
	if (l->kind != LIMIT_SPACING && l->thing == THING_MESSAGES)
		*types &= ref_each_time;
	return (*types & of & ~MEAS_ABOUT) != 0;
}

struct ref_meets { /* an observation meets a limit */
	const struct said *x;
	const struct obs *o;
	struct ref_gate gate;
	unsigned side;
	meas_set carries, of; /* of: the types that the limit is about */
	bool readings;	      /* spacing of these */
	int64_t now;
	struct ref_dues *q;
};

static inline void ref_meet(struct ref_limits *h, const struct ref_meets *m)
{
	const struct pol_limit_phrase *l = m->gate.limit;
	const struct said *x = m->x;
	struct ref_due due = {.gate = m->gate, .side = m->side, .n = 1};
	meas_set of = m->of ? m->of : MEAS_ALL, types = m->carries;
	bool counts = l->kind < LIMIT_SPACING;

	if (limit_is_of_connections(l) || l->thing == THING_REFUSALS)
		return;
	if ((l->kind == LIMIT_SPACING ? m->readings
				      : counts && (l->thing == THING_READINGS ||
						   l->thing == THING_VALUES)) &&
	    !(types & ~MEAS_ABOUT))
		return;
	if (l->kind == LIMIT_DISTINCT) {
		if (!obs_has(m->o, (enum field)l->distinct))
			return;
		due.key = obs_get(m->o, (enum field)l->distinct, 0);
	} else if (l->kind == LIMIT_SPACING || l->thing <= THING_READINGS) {
		if (!ref_anew(h, x, &due, of, &types, m->now))
			return;
		due.n = ref_moments(x, types & of);
		/* What comes at once is not apart. */
		due.unknown = l->kind == LIMIT_SPACING && due.n > 1;
	} else if (l->thing == THING_VALUES) {
		due.n = (uint64_t)x->values;
		due.unknown = x->values < 0;
	} else if (l->thing == THING_BYTES) {
		due.n = x->octets;
	}
	ref_add(m->q, &due);
}

/* Parties of one operator are one, over all machines. */
static inline uint64_t ref_group(const struct world *w, uint64_t machine,
				 const struct ref_side *s)
{
	const char *op = s->party->operator_;

	for (uint64_t m = 0; op && m < 2; m++) {
		const struct pol_file *v = ref_vendor(w, m);

		for (size_t p = 0; v && p < v->n_party; p++) {
			const char *other = v->party[p].operator_;

			if (other && strcmp(other, op) == 0)
				return m * LAY_MAX_PARTIES + p;
		}
	}
	return machine * LAY_MAX_PARTIES + s->party_at;
}

/* Limits of a file beside its rules. */
static inline void ref_meet_tops(struct ref_limits *h, const struct world *w,
				 const struct pol_file *f,
				 const struct ref_side *s, uint64_t machine,
				 struct ref_meets m)
{
	for (size_t i = 0; f && i < f->n_limit; i++) {
		const struct pol_limit_src *l = &f->limit[i];
		struct pol_rule_src r = {.dir = l->dir, .party = l->party,
					 .vm = l->vm, .match = l->match,
					 .n_match = l->n_match};
		bool own = f->kind == POL_VENDOR, each = own || l->each_vm;
		meas_set some = m.carries & (l->meas ? l->meas : MEAS_ALL);

		/* What both ends have in common counts once. */
		if ((m.side && !each) || !ref_selects(&r, s, own, m.o) ||
		    (l->meas && !some))
			continue;
		m.of = l->meas;
		m.readings = false;
		m.gate = (struct ref_gate){
			&l->phrase, each ? machine : REF_ALL,
			!l->each_party ? REF_ALL
			: each	       ? s->party_at
				       : ref_group(w, machine, s),
			REF_ALL};
		if (!l->each_meas) {
			ref_meet(h, &m);
			continue;
		}
		for (meas_set k = some; k; k &= k - 1) {
			struct ref_meets one = m;

			one.carries = k & -k;
			one.gate.meas = (uint64_t)__builtin_ctzll(k);
			ref_meet(h, &one);
		}
	}
}

static inline void ref_meet_rule(struct ref_limits *h,
				 const struct pol_rule_src *r, uint64_t machine,
				 uint64_t party, struct ref_meets m)
{
	m.of = r->data.meas;
	m.readings = r->data.present;
	for (size_t i = 0; i < r->n_limit; i++) {
		m.gate = (struct ref_gate){&r->limit[i], machine, party,
					   REF_ALL};
		ref_meet(h, &m);
	}
}

/* What leaves falls under the customer's limits, for the machine as a whole. */
static inline void ref_meet_customer(struct ref_limits *h,
				     const struct pol_file *f,
				     const struct ref_side *s, uint64_t machine,
				     const struct ref_meets *m)
{
	for (size_t i = 0; f && s->dir == DIR_OUT && i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];

		if (ref_selects(r, s, false, m->o) &&
		    (!r->data.present || m->carries & r->data.meas))
			ref_meet_rule(h, r, machine, REF_ALL, *m);
	}
}

/* One side of a message that grants and ceilings permit. */
static inline void ref_due_side(struct ref_limits *h, const struct world *w,
				const struct ref_side *s, uint64_t machine,
				const struct said *x, const struct scenery *c,
				const struct ref_now *t, unsigned side,
				struct ref_dues *q, enum ref_room *room)
{
	const struct pol_file *f[] = {s->vendor, ref_kind(w, POL_BASELINE)};

	for (unsigned i = 0; i <= x->n_leaves; i++) {
		struct ref_meets m = {
			.x = x, .o = i ? &c->leaf[i - 1] : &c->carrier,
			.side = side, .now = t->now.mono.ns, .q = q,
			.carries = i && !x->echo ? x->meas : 0};

		ref_meet_customer(h, ref_kind(w, POL_CUSTOMER), s, machine, &m);
		for (int k = 0; k < 2 && f[k]; k++) {
			const struct pol_rule_src *r;

			ref_meet_tops(h, w, f[k], s, machine, m);
			r = i ? ref_rule(f[k], s, m.o, x, t) : NULL;
			if (!r)
				continue;
			ref_meet_rule(h, r, machine, s->party_at, m);
			for (unsigned n = 0; n < h->n_shut; n++) {
				const struct ref_shut *no = &h->shut[n];
				enum ref_room is =
					no->maybe ? REF_MAYBE : REF_FULL;

				if (no->rule == r && no->machine == machine &&
				    no->flow == x->flow && is > *room)
					*room = is;
			}
		}
	}
}

/* All that is due is counted. */
static inline struct ref_weighed ref_weigh(struct ref_limits *h,
					   const struct ref_dues *q,
					   const struct ref_now *t)
{
	struct ref_weighed all = {REF_ROOM, REF_ROOM};

	for (unsigned i = 0; i < q->n; i++) {
		enum ref_room is = ref_count(h, &q->of[i], t);
		enum ref_room *of = q->of[i].gate.limit->kind == LIMIT_SPACING
					    ? &all.spaced
					    : &all.room;

		*of = is > *of ? is : *of;
	}
	return all;
}

/* It was permitted: what counted it counts no other unit of it. */
static inline void ref_note(struct ref_limits *h, const struct said *x,
			    const struct ref_dues *q, bool two, int64_t now)
{
	if (said_carrier(x) != OBS_FLOW_OPEN)
		return; /* in one unit */
	for (unsigned side = 0; side <= two && !x->part; side++)
		ref_course(h, x, side)->n = 0;
	for (unsigned i = 0; i < q->n; i++) {
		struct ref_course *c = ref_course(h, x, q->of[i].side);
		const struct pol_limit_phrase *l = q->of[i].gate.limit;

		if (l->kind != LIMIT_SPACING &&
		    (l->kind == LIMIT_DISTINCT || l->thing > THING_READINGS))
			continue;
		if (c->n == REF_DUES)
			fail_msg("more limits than there is room for");
		c->by[c->n] = q->of[i].gate;
		c->at[c->n++] = now;
	}
}

/* Does what was decided agree? All that fails is told. */
static inline const char *ref_agrees(const struct pol_decision *d,
				     struct ref_weighed w)
{
	bool soon = reasons_has(&d->reasons, REASON_TOO_SOON);
	bool over = reasons_has(&d->reasons, REASON_LIMIT_EXCEEDED);

	return w.spaced == REF_FULL && !soon ? "it is not apart from another"
	       : w.room == REF_FULL && !over ? "it is more than a limit admits"
	       : w.spaced == REF_ROOM && soon ? "it is apart from all others"
	       : w.room == REF_ROOM && over ? "every limit has room for it"
					    : NULL;
}

/* --- connections ------------------------------------------------------------- */

/* Has the rule room for one more? If not, that one may not use it. */
static inline enum ref_room ref_open_rule(struct ref_limits *h,
					  const struct pol_rule_src *r,
					  const struct ref_side *s,
					  uint64_t machine, uint64_t flow,
					  const struct ref_now *t)
{
	unsigned mark = h->n_counted;
	enum ref_room worst = REF_ROOM;

	for (size_t i = 0; i < r->n_limit; i++) {
		struct ref_due due = {
			.gate = {&r->limit[i], machine, s->party_at, REF_ALL},
			.n = 1, .key = flow};
		enum ref_room is;

		if (!limit_is_of_connections(&r->limit[i]))
			continue;
		is = ref_count(h, &due, t);
		worst = is > worst ? is : worst;
	}
	if (worst == REF_FULL)
		h->n_counted = mark;
	if (worst != REF_ROOM && h->n_shut == REF_SHUT)
		fail_msg("more rules are shut than there is room for");
	if (worst != REF_ROOM)
		h->shut[h->n_shut++] = (struct ref_shut){
			r, machine, flow, worst == REF_MAYBE};
	return worst;
}

/* One rule of each file with room is enough. */
static inline enum ref_room ref_open_rules(struct ref_limits *h,
					   const struct pol_file *f,
					   const struct ref_side *s,
					   uint64_t machine, uint64_t flow,
					   const struct ref_now *t)
{
	bool own = f->kind == POL_VENDOR, any = false;
	enum ref_room best = REF_FULL;

	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];
		enum ref_room is;

		if (r->kind != (own ? RULE_GRANT : RULE_CEILING) ||
		    !ref_who(&r->party, s, own) || (!own && !ref_vm(&r->vm, s)))
			continue;
		any = true;
		is = ref_open_rule(h, r, s, machine, flow, t);
		best = is < best ? is : best;
	}
	return any ? best : REF_ROOM; /* for another reason, then */
}

static inline enum ref_room ref_open_side(struct ref_limits *h,
					  const struct world *w,
					  const struct ref_side *s,
					  uint64_t machine, unsigned side,
					  uint64_t flow,
					  const struct ref_now *t)
{
	const struct pol_file *f[] = {s->vendor, ref_kind(w, POL_BASELINE)};
	const struct obs o = {.kind = OBS_FLOW_OPEN};
	enum ref_room worst = REF_ROOM, is;

	for (int k = 0; k < 2 && f[k]; k++) {
		bool own = k == 0;

		is = ref_open_rules(h, f[k], s, machine, flow, t);
		worst = is > worst ? is : worst;
		for (size_t i = 0; i < f[k]->n_limit; i++) {
			const struct pol_limit_src *l = &f[k]->limit[i];
			struct pol_rule_src r = {
				.dir = l->dir, .party = l->party, .vm = l->vm,
				.match = l->match, .n_match = l->n_match};
			bool each = own || l->each_vm;
			struct ref_due due = {
				.gate = {&l->phrase, each ? machine : REF_ALL,
					 !l->each_party ? REF_ALL
					 : each ? s->party_at
						: ref_group(w, machine, s),
					 REF_ALL},
				.n = 1, .key = flow};

			if (!limit_is_of_connections(&l->phrase) ||
			    (side && !each) || !ref_selects(&r, s, own, &o))
				continue;
			is = ref_count(h, &due, t);
			worst = is > worst ? is : worst;
		}
	}
	return worst;
}

/* Places of a connection are free again, and no rule is shut to it. What is not
 * counted by machine knows connections alone. */
static inline void ref_closed(struct ref_limits *h, const struct world *w,
			      const struct said *x)
{
	const struct pol_file *base = ref_kind(w, POL_BASELINE);
	unsigned n = 0;

	for (unsigned i = 0; i < h->n_counted; i++) {
		const struct ref_counted *a = &h->counted[i];
		bool based = false;

		for (size_t k = 0; base && k < base->n_limit; k++)
			based |= a->gate.limit == &base->limit[k].phrase;
		for (size_t k = 0; base && k < base->n_rule; k++)
			based |= a->gate.limit >= base->rule[k].limit &&
				 a->gate.limit < base->rule[k].limit +
							 base->rule[k].n_limit;
		if (a->gate.limit->kind != LIMIT_CONCURRENT ||
		    a->key != x->flow ||
		    (based && a->gate.machine != REF_ALL &&
		     a->gate.machine != x->machine))
			h->counted[n++] = *a;
	}
	h->n_counted = n;
	n = 0;
	for (unsigned i = 0; i < h->n_shut; i++) {
		if (h->shut[i].flow != x->flow)
			h->shut[n++] = h->shut[i];
	}
	h->n_shut = n;
}

#endif
