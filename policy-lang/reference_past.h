/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the second evaluator (reference_eval.h) knows of a history: states,
 * which a refused message clears in quarantine, too; requests that wait for an
 * answer, quarantine, and what was permitted under
 * each limit of a rule. Limits are looked at by their definition (section
 * 11), over all that was permitted, and not by counters: what was permitted is
 * more than a limit admits, or it is not. That something was refused for a
 * limit is not looked at; for a state it is.
 */
#ifndef POLICY_LANG_REFERENCE_PAST_H
#define POLICY_LANG_REFERENCE_PAST_H

#include "policy-lang/reference_eval.h"

#define PAST_MOST 256

struct ref_asked {
	const struct pol_rule_src *rule;
	uint64_t machine, flow, inv;
	uint16_t party;
	enum dir dir;
	int64_t at;
	bool used, c1222;
};

struct ref_counted {
	const struct pol_limit_phrase *limit;
	uint64_t machine, n, key;
	uint16_t party;
	int64_t at, window;
};

struct ref_opened {
	uint64_t nth; /* 0: it was not, as far as we know */
	int64_t wall_s;
	uint16_t party;
};

struct ref_past {
	struct ref_opened opened[2][4]; /* by flow */
	int64_t opened_s[2][LAY_MAX_PARTIES]; /* the latest */
	uint64_t n_opened;
	int64_t joined[2][4]; /* by party, flow or alone: until */
	int64_t attested[2], quarantined[2];
	struct ref_asked asked[PAST_MOST];
	struct ref_counted counted[PAST_MOST];
	unsigned n_asked, n_counted;
	bool guessed; /* the clock was not always trusted */
};

/* --- states ------------------------------------------------------------------ */

static inline int64_t *ref_joined(struct ref_past *h, const struct ref_side *s,
				  uint64_t machine, uint64_t flow)
{
	unsigned at = s->vendor->state[0].scope == SCOPE_PARTY ? s->party_at
		      : s->vendor->state[0].scope == SCOPE_FLOW ? (unsigned)flow
								: 0;

	return &h->joined[machine][at];
}

static inline bool ref_on(struct ref_past *h, const struct ref_side *s,
			  uint64_t machine, uint64_t flow, uint16_t state,
			  int64_t now)
{
	if (state == POL_STATE_BUILTIN + BUILTIN_ATTESTED)
		return h->attested[machine] > now;
	return *ref_joined(h, s, machine, flow) > now;
}

/* 0, or what a guard of the rule says about states. */
static inline enum reason ref_states(struct ref_past *h,
				     const struct ref_side *s,
				     const struct pol_rule_src *r,
				     uint64_t machine, uint64_t flow,
				     int64_t now)
{
	for (size_t i = 0; i < r->n_requires; i++) {
		if (!ref_on(h, s, machine, flow, r->requires_[i], now))
			return REASON_STATE_MISSING;
	}
	for (size_t i = 0; i < r->n_forbids; i++) {
		if (ref_on(h, s, machine, flow, r->forbids[i], now))
			return REASON_STATE_FORBIDDEN;
	}
	return REASON_NONE;
}

static inline bool ref_trigger(const struct pol_trigger *t,
			       const struct ref_side *s, const struct obs *o)
{
	struct pol_rule_src r = {.dir = t->dir, .party.any = true,
				 .match = t->match, .n_match = t->n_match};

	return t->party == s->party_at && ref_selects(&r, s, true, o);
}

static inline void ref_triggers(struct ref_past *h, const struct ref_side *s,
				const struct said *x, const struct scenery *c,
				uint64_t machine, bool permitted, int64_t now)
{
	const struct pol_state_src *st = s->vendor->state;
	bool sets = false, clears = false;

	for (unsigned i = 0; s->vendor->n_state && i < x->n_leaves; i++) {
		sets |= permitted && ref_trigger(&st->set, s, &c->leaf[i]);
		clears |= st->has_clear &&
			  ref_trigger(&st->clear, s, &c->leaf[i]);
	}
	if (sets)
		*ref_joined(h, s, machine, x->flow) = now + st->expires_ns;
	if (clears)
		*ref_joined(h, s, machine, x->flow) = 0;
}

static inline void ref_past_other(struct ref_past *h, const struct said *s,
				  const struct world *w, const struct now *now)
{
	for (uint64_t m = 0; s->what == SAID_CLOSE && m < 2; m++) {
		const struct pol_file *v = ref_vendor(w, m);

		h->opened[m][s->flow].nth = 0;
		if (v && v->n_state && v->state[0].scope == SCOPE_FLOW)
			h->joined[m][s->flow] = 0;
	}
	if (s->what == SAID_STATE)
		h->attested[s->machine] =
			s->on ? now->mono.ns + ATTESTED_NS : 0;
	if (s->what == SAID_WALL)
		h->guessed |= !s->on;
}

/* --- answers ----------------------------------------------------------------- */

static inline void ref_ask(struct ref_past *h, const struct ref_side *s,
			   const struct said *x, const struct pol_rule_src *r,
			   uint64_t machine, int64_t now)
{
	if (h->n_asked < PAST_MOST)
		h->asked[h->n_asked++] = (struct ref_asked){
			.rule = r, .machine = machine, .flow = x->flow,
			.inv = x->inv, .party = s->party_at, .dir = s->dir,
			.at = now};
}

/* The oldest that can be meant. */
static inline bool ref_answers(struct ref_past *h, const struct ref_side *s,
			       const struct said *x,
			       const struct pol_rule_src *r, uint64_t machine,
			       int64_t now)
{
	for (unsigned i = 0; i < h->n_asked; i++) {
		struct ref_asked *a = &h->asked[i];
		bool may = false;

		for (size_t k = 0; k < r->n_answers; k++)
			may |= &s->vendor->rule[r->answers[k]] == a->rule;
		if (!may || a->used || a->machine != machine ||
		    a->party != s->party_at || a->dir == s->dir ||
		    now - a->at > 120 * NS_PER_S ||
		    (x->about == AB_READ ? a->inv != x->inv :
					   a->flow != x->flow))
			continue;
		a->used = true;
		return true;
	}
	return false;
}

/* --- limits ------------------------------------------------------------------ */

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

static inline bool ref_same(const struct ref_counted *a,
			    const struct ref_counted *b)
{
	return a->limit == b->limit && a->machine == b->machine &&
	       a->party == b->party;
}

/* Is what was permitted under a limit, x the last of it, more than it says? */
static inline bool ref_over(const struct ref_past *h,
			    const struct ref_counted *x)
{
	const struct pol_limit_phrase *l = x->limit;
	uint64_t sum = 0, keys[PAST_MOST];
	unsigned n_keys = 0;

	for (unsigned i = h->n_counted; i-- > 0;) {
		const struct ref_counted *a = &h->counted[i];
		int64_t ago = x->at - a->at;
		bool in = l->window == WINDOW_SLIDING ? ago < l->window_ns
						      : a->window == x->window;
		unsigned k = 0;

		if (!ref_same(a, x))
			continue;
		if (l->kind == LIMIT_SPACING && a != x && ago < l->window_ns)
			return true;
		if (l->kind == LIMIT_BUCKET) {
			sum += a->n;
			if (sum > l->burst &&
			    (unsigned __int128)(sum - l->burst) *
					    (uint64_t)l->window_ns >
				    (unsigned __int128)(uint64_t)ago * l->n)
				return true;
		} else if (l->kind == LIMIT_DISTINCT && in) {
			while (k < n_keys && keys[k] != a->key)
				k++;
			if (k == n_keys)
				keys[n_keys++] = a->key;
		} else if (in) {
			sum += a->n;
		}
	}
	return l->kind == LIMIT_DISTINCT ? n_keys > l->n
					 : l->kind <= LIMIT_SLIDING &&
						   sum > l->n;
}

static inline bool limit_is_of_connections(const struct pol_limit_phrase *l)
{
	return l->kind == LIMIT_CONCURRENT || l->thing == THING_CONNECTIONS;
}

static inline bool ref_count(struct ref_past *h, struct ref_counted x,
			     const struct ref_now *t)
{
	if (h->n_counted == PAST_MOST ||
	    (x.limit->window != WINDOW_SLIDING && h->guessed))
		return true;
	x.window = ref_window(x.limit->window, wall_s(t->now.wall));
	/* One once left is not entered again; a connection stays in that in
	 * which it was opened, however late it is used. */
	for (unsigned i = 0;
	     !limit_is_of_connections(x.limit) && i < h->n_counted; i++) {
		if (ref_same(&h->counted[i], &x) &&
		    h->counted[i].window > x.window)
			x.window = h->counted[i].window;
	}
	h->counted[h->n_counted++] = x;
	return !ref_over(h, &h->counted[h->n_counted - 1]);
}

/* A rule was used by a connection: of those that were opened in one window of
 * its limit on them no more may do so than it says. */
static inline bool ref_connection(struct ref_past *h, struct ref_counted k,
				  uint64_t flow, const struct ref_now *t)
{
	const struct ref_opened *o = &h->opened[k.machine][flow];
	struct ref_now then = *t;

	if (!o->nth || o->party != k.party || k.limit->kind != LIMIT_CALENDAR)
		return true;
	k.key = o->nth;
	for (unsigned i = 0; i < h->n_counted; i++) {
		if (ref_same(&h->counted[i], &k) && h->counted[i].key == k.key)
			return true;
	}
	then.now.wall.us = o->wall_s * US_PER_S;
	return ref_count(h, k, &then);
}

/* A rule was used by some leaves of a message that was permitted. */
static inline bool ref_charge(struct ref_past *h, const struct ref_side *s,
			      const struct pol_rule_src *r,
			      const struct said *x, const struct scenery *c,
			      uint64_t machine, const struct ref_now *t)
{
	meas_set meas = x->echo ? 0 : x->meas & ~MEAS_ABOUT;

	for (size_t i = 0; i < r->n_limit; i++) {
		const struct pol_limit_phrase *l = &r->limit[i];
		struct ref_counted k = {.limit = l, .machine = machine, .n = 1,
					.party = s->party_at,
					.at = t->now.mono.ns};

		if (limit_is_of_connections(l)) {
			if (!ref_connection(h, k, x->flow, t))
				return false;
			continue;
		}
		if ((l->kind == LIMIT_SPACING && r->data.present && !meas) ||
		    (l->kind < LIMIT_SPACING && l->thing > THING_VALUES) ||
		    (l->kind < LIMIT_SPACING && l->thing != THING_MESSAGES &&
		     !meas))
			continue;
		if (l->kind == LIMIT_DISTINCT) {
			for (unsigned n = 0; n < x->n_leaves; n++) {
				k.key = obs_get(&c->leaf[n], F_TABLE, 0);
				if (!ref_count(h, k, t))
					return false;
			}
			continue;
		}
		if (l->kind == LIMIT_SPACING && ref_moments(x, meas) > 1)
			return false;
		if (l->kind < LIMIT_SPACING && l->thing == THING_VALUES)
			k.n = x->values < 0 ? UINT32_MAX
					    : (uint64_t)x->values * x->n_leaves;
		else if (l->kind < LIMIT_SPACING)
			k.n = ref_moments(x, meas);
		if (!ref_count(h, k, t))
			return false;
	}
	return true;
}

/* --- one side of a message --------------------------------------------------- */

/* The one rule of a file that selects the leaf, whatever it asks for. */
static inline const struct pol_rule_src *
ref_rule(const struct pol_file *f, const struct ref_side *s,
	 const struct obs *o, const struct said *x, const struct ref_now *t)
{
	bool own = f->kind == POL_VENDOR;
	meas_set meas = x->echo ? 0 : x->meas & ~MEAS_ABOUT;
	const struct pol_rule_src *one = NULL;

	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *r = &f->rule[i];
		const struct pol_data_src *d = &r->data;

		if (r->kind != (own ? RULE_GRANT : RULE_CEILING) ||
		    !ref_selects(r, s, own, o) ||
		    (meas ? !d->present || meas & ~d->meas : own && d->present) ||
		    (meas && !ref_data(d, x, meas, t)))
			continue;
		one = r;
	}
	return one;
}

/* What was permitted agrees with the past, and becomes a part of it. */
static inline const char *ref_permitted(struct ref_past *h,
					const struct world *w,
					const struct ref_side *s,
					const struct said *x,
					const struct scenery *c,
					uint64_t machine,
					const struct ref_now *t)
{
	const struct pol_file *f[] = {s->vendor, ref_kind(w, POL_BASELINE)};
	int64_t now = t->now.mono.ns;

	for (int k = 0; k < 2 && f[k]; k++) {
		const struct pol_rule_src *first = NULL;

		for (unsigned i = 0; i < x->n_leaves; i++) {
			const struct pol_rule_src *r =
				ref_rule(f[k], s, &c->leaf[i], x, t);

			if (!r)
				return NULL; /* the other opinion says so */
			if (k == 0 &&
			    ref_states(h, s, r, machine, x->flow, now))
				return "its states are not as its rule wants";
			if (k == 0 && r->has_answers &&
			    !ref_answers(h, s, x, r, machine, now))
				return "it answers no request";
			if (k == 0)
				ref_ask(h, s, x, r, machine, now);
			/* Both leaves are under one rule, or under none. */
			if (r != first &&
			    !ref_charge(h, s, r, x, c, machine, t))
				return "it is more than a limit admits";
			first = r;
		}
	}
	return NULL;
}

/* Was it refused for a state that is as it should be? */
static inline const char *ref_blamed(struct ref_past *h,
				     const struct ref_side *s,
				     const struct said *x,
				     const struct scenery *c, uint64_t machine,
				     const struct ref_now *t,
				     const struct reasons *why)
{
	bool blamed = reasons_has(why, REASON_STATE_MISSING) ||
		      reasons_has(why, REASON_STATE_FORBIDDEN);

	for (unsigned i = 0; blamed && i < x->n_leaves; i++) {
		const struct pol_rule_src *r =
			ref_rule(s->vendor, s, &c->leaf[i], x, t);

		if (!r || ref_states(h, s, r, machine, x->flow,
				     t->now.mono.ns))
			return NULL;
	}
	return blamed ? "its states are as its rule wants" : NULL;
}

/* NULL, or how a decision contradicts what happened before. */
static inline const char *ref_past_says(struct ref_past *h,
					const struct world *w,
					const struct said *x,
					const struct pol_msg *m,
					const struct scenery *c,
					const struct ref_now *t,
					const struct pol_decision *d)
{
	bool two = x->who == 3;
	struct ref_side side[2] = {
		{.vendor = ref_vendor(w, x->machine), .dir = x->dir},
		{.vendor = ref_vendor(w, !x->machine),
		 .dir = x->dir == DIR_OUT ? DIR_IN : DIR_OUT}};
	const char *said = NULL;

	if (x->forged || x->refused || !side[0].vendor ||
	    (two && !side[1].vendor) ||
	    !ref_party(&side[0], &m->peer, two ? side[1].vendor->vm : NULL) ||
	    (two && !ref_party(&side[1], &m->peer, side[0].vendor->vm)))
		return NULL;
	for (int i = 0; i <= two && !said; i++) {
		uint64_t machine = i ? !x->machine : x->machine;

		said = d->permit ? ref_permitted(h, w, &side[i], x, c, machine,
						 t)
		       : two	 ? NULL
				 : ref_blamed(h, &side[i], x, c, machine, t,
					      &d->reasons);
		ref_triggers(h, &side[i], x, c, machine, d->permit,
			     t->now.mono.ns);
	}
	return said;
}

/* A connection was opened. In whose window of the calendar, the latest of its
 * party says: one once left is not entered again. */
static inline void ref_open(struct ref_past *h, const struct world *w,
			    const struct said *x, const struct ref_now *t)
{
	struct pol_peer peer = said_peer(x);
	struct ref_side s = {.vendor = ref_vendor(w, x->machine)};
	int64_t now = wall_s(t->now.wall), *latest;

	if (x->who == 3 || !s.vendor || !ref_party(&s, &peer, NULL))
		return;
	latest = &h->opened_s[x->machine][s.party_at];
	if (now > *latest)
		*latest = now;
	h->opened[x->machine][x->flow] =
		(struct ref_opened){++h->n_opened, *latest, s.party_at};
}

/* Of a message or a connection: nothing passes while it lasts. */
static inline const char *ref_quarantine(struct ref_past *h,
					 const struct said *x,
					 const struct pol_decision *d,
					 int64_t now)
{
	if (d->permit && (h->quarantined[x->machine] > now ||
			  (x->who == 3 && h->quarantined[!x->machine] > now)))
		return "a machine in quarantine";
	if (d->action == POL_QUARANTINE &&
	    now + d->action_ns > h->quarantined[x->machine])
		h->quarantined[x->machine] = now + d->action_ns;
	return NULL;
}

#endif
