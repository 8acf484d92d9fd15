/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the second evaluator (reference_eval.h) knows of a history: states,
 * which a refused message clears in quarantine, too; requests that wait for an
 * answer, quarantine, and limits (reference_limits.h).
 */
#ifndef POLICY_LANG_REFERENCE_PAST_H
#define POLICY_LANG_REFERENCE_PAST_H

#include "policy-lang/reference_limits.h"

#define PAST_MOST 256

struct ref_asked {
	const struct pol_rule_src *rule;
	uint64_t machine, flow, inv;
	uint64_t no; /* of the message; one that goes on has that of the first */
	uint16_t party;
	enum dir dir;
	int64_t at;
	bool used;
};

struct ref_past {
	int64_t joined[2][4]; /* by party, flow or alone: until */
	int64_t attested[2], quarantined[2];
	struct ref_asked asked[PAST_MOST];
	unsigned n_asked;
	bool went_on; /* with an answer */
	uint64_t no; /* of the message at hand */
	struct ref_limits limits;
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

		if (v && v->n_state && v->state[0].scope == SCOPE_FLOW)
			h->joined[m][s->flow] = 0;
	}
	if (s->what == SAID_CLOSE)
		ref_closed(&h->limits, w, s);
	if (s->what == SAID_STATE)
		h->attested[s->machine] =
			s->on ? now->mono.ns + ATTESTED_NS : 0;
	if (s->what == SAID_WALL)
		h->limits.guessed |= !s->on;
}

/* --- answers ----------------------------------------------------------------- */

/* Its answer may be one of these; what goes on with a page asks for nothing. */
static inline void ref_ask(struct ref_past *h, const struct ref_side *s,
			   const struct said *x, const struct obs *o,
			   const struct pol_rule_src *r, uint64_t machine,
			   int64_t now)
{
	uint64_t no = 0;

	if (obs_level((enum obs_kind)o->kind) != OBS_LEVEL_REQUEST ||
	    (x->part && o->kind == OBS_HTTP_REQUEST))
		return;
	for (unsigned i = 0; x->part && i < h->n_asked; i++) {
		const struct ref_asked *a = &h->asked[i];

		if (a->machine == machine && a->flow == x->flow &&
		    a->dir == s->dir && a->no > no)
			no = a->no;
	}
	if (h->n_asked == PAST_MOST)
		fail_msg("more was asked than there is room for");
	h->asked[h->n_asked++] = (struct ref_asked){
		.rule = r, .machine = machine, .flow = x->flow, .inv = x->inv,
		.no = no ? no : h->no, .party = s->party_at, .dir = s->dir,
		.at = now};
}

static inline bool ref_pairs(const struct ref_asked *a,
			     const struct ref_side *s, const struct said *x,
			     uint64_t machine)
{
	return a->machine == machine && a->party == s->party_at &&
	       a->dir != s->dir &&
	       (x->about == AB_READ ? a->inv == x->inv : a->flow == x->flow);
}

/* The oldest that can be meant. What goes on takes what is left of the request
 * that is being answered, or is covered by what was taken of it. */
static inline bool ref_answers(struct ref_past *h, const struct ref_side *s,
			       const struct said *x,
			       const struct pol_rule_src *r, uint64_t machine,
			       int64_t now)
{
	struct ref_asked *best = NULL;
	uint64_t begun = 0;

	for (unsigned i = 0; i < h->n_asked; i++) {
		struct ref_asked *a = &h->asked[i];

		if (a->used && ref_pairs(a, s, x, machine) && a->no > begun)
			begun = a->no;
	}
	for (unsigned i = 0; i < h->n_asked; i++) {
		struct ref_asked *a = &h->asked[i];
		bool may = false;

		for (size_t k = 0; k < r->n_answers; k++)
			may |= &s->vendor->rule[r->answers[k]] == a->rule;
		if (!may || !ref_pairs(a, s, x, machine))
			continue;
		if (x->part ? a->no != begun || (best && a->used)
			    : a->used || now - a->at > 120 * NS_PER_S ||
				      (best && best->no <= a->no))
			continue;
		if (!best || best->used || a->no < best->no)
			best = a;
	}
	if (best)
		best->used = true;
	return best != NULL;
}

/* --- one side of a message --------------------------------------------------- */

/* What was permitted agrees with the past, and becomes a part of it. */
static inline const char *ref_permitted(struct ref_past *h,
					const struct ref_side *s,
					const struct said *x,
					const struct scenery *c,
					uint64_t machine,
					const struct ref_now *t)
{
	int64_t now = t->now.mono.ns;

	for (unsigned i = 0; i < x->n_leaves; i++) {
		const struct obs *o = &c->leaf[i];
		const struct pol_rule_src *r = ref_rule(s->vendor, s, o, x, t);

		if (ref_states(h, s, r, machine, x->flow, now))
			return "its states are not as its rule wants";
		if (r->has_answers && !ref_answers(h, s, x, r, machine, now))
			return "it answers no request";
		h->went_on |= r->has_answers && x->part;
		ref_ask(h, s, x, o, r, machine, now);
	}
	return NULL;
}

/* Was it refused for states that are as they should be, or as no answer though
 * it is one? */
static inline const char *ref_blamed(struct ref_past *h,
				     const struct ref_side side[2],
				     const struct said *x,
				     const struct scenery *c,
				     const struct ref_now *t,
				     const struct reasons *why)
{
	static struct ref_asked was[PAST_MOST];
	bool states = true, answers = true;
	int64_t now = t->now.mono.ns;

	memcpy(was, h->asked, h->n_asked * sizeof(was[0]));
	for (int i = 0; i <= (x->who == 3); i++) {
		uint64_t machine = i ? !x->machine : x->machine;

		for (unsigned k = 0; k < x->n_leaves; k++) {
			const struct pol_rule_src *r = ref_rule(
				side[i].vendor, &side[i], &c->leaf[k], x, t);

			states &= !ref_states(h, &side[i], r, machine, x->flow,
					      now);
			answers &= !r->has_answers ||
				   ref_answers(h, &side[i], x, r, machine, now);
		}
	}
	memcpy(h->asked, was, h->n_asked * sizeof(was[0]));
	if (states && (reasons_has(why, REASON_STATE_MISSING) ||
		       reasons_has(why, REASON_STATE_FORBIDDEN)))
		return "its states are as its rule wants";
	return answers && reasons_has(why, REASON_NOT_AN_ANSWER)
		       ? "it answers a request"
		       : NULL;
}

/* It ended before limits were asked, or where there was no room to ask. */
static inline bool ref_unasked(const struct pol_decision *d)
{
	return reasons_has(&d->reasons, REASON_QUARANTINED) ||
	       reasons_has(&d->reasons, REASON_RESOURCE);
}

/* Limits of a message that grants and ceilings permit. */
static inline const char *ref_limits(struct ref_past *h, const struct world *w,
				     const struct ref_side side[2],
				     const struct said *x,
				     const struct scenery *c,
				     const struct ref_now *t,
				     const struct pol_decision *d)
{
	static struct ref_dues q;
	unsigned mark = h->limits.n_counted;
	enum ref_room shut = REF_ROOM;
	struct ref_weighed all;
	const char *said;

	q.n = 0;
	for (unsigned i = 0; i <= (x->who == 3); i++)
		ref_due_side(&h->limits, w, &side[i],
			     i ? !x->machine : x->machine, x, c, t, i, &q,
			     &shut);
	all = ref_weigh(&h->limits, &q, t);
	all.room = shut > all.room ? shut : all.room;
	said = ref_unasked(d) ? NULL : ref_agrees(d, all);
	if (d->permit)
		ref_note(&h->limits, x, &q, x->who == 3, t->now.mono.ns);
	else
		h->limits.n_counted = mark;
	return said;
}

/* NULL, or how a decision contradicts what happened before. may: grants and
 * ceilings permit it. */
static inline const char *ref_past_says(struct ref_past *h,
					const struct world *w,
					const struct said *x,
					const struct scenery *c,
					const struct ref_now *t, bool may,
					const struct pol_decision *d)
{
	struct ref_side side[2];
	const char *said = NULL;
	bool two = x->who == 3;

	if (x->forged || x->refused || !ref_sides(w, x, side))
		return NULL;
	if (may)
		said = ref_limits(h, w, side, x, c, t, d);
	if (may && !d->permit && !said)
		said = ref_blamed(h, side, x, c, t, &d->reasons);
	for (int i = 0; i <= two && !said; i++) {
		uint64_t machine = i ? !x->machine : x->machine;

		if (d->permit && may)
			said = ref_permitted(h, &side[i], x, c, machine, t);
		ref_triggers(h, &side[i], x, c, machine, d->permit,
			     t->now.mono.ns);
	}
	return said;
}

/* A connection is opened, or not for want of room. */
static inline const char *ref_open(struct ref_past *h, const struct world *w,
				   const struct said *x,
				   const struct ref_now *t,
				   const struct pol_decision *d)
{
	struct ref_limits *l = &h->limits;
	unsigned counted = l->n_counted, shut = l->n_shut;
	struct ref_weighed all = {REF_ROOM, REF_ROOM};
	struct ref_side side[2];

	if (!ref_sides(w, x, side))
		return NULL;
	for (unsigned i = 0; i <= (x->who == 3); i++) {
		enum ref_room is = ref_open_side(l, w, &side[i],
						 i ? !x->machine : x->machine,
						 i, x->flow, t);

		all.room = is > all.room ? is : all.room;
	}
	if (!d->permit) {
		l->n_counted = counted;
		l->n_shut = shut;
	}
	return ref_unasked(d) ? NULL : ref_agrees(d, all);
}

/* Of a message or a connection: nothing passes while it lasts. */
static inline const char *ref_quarantine(struct ref_past *h,
					 const struct said *x,
					 const struct pol_decision *d,
					 int64_t now)
{
	if (d->permit && (h->quarantined[x->machine] > now ||
			  (x->who == 3 && h->quarantined[!x->machine] > now)))
		return "a machine is in quarantine";
	if (d->action == POL_QUARANTINE &&
	    now + d->action_ns > h->quarantined[x->machine])
		h->quarantined[x->machine] = now + d->action_ns;
	return NULL;
}

#endif
