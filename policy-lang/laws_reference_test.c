/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A law beside the twelve: the evaluator and one that is written a second time
 * (reference_eval.h) agree, over random policies and messages. What the second
 * refuses is refused; what it permits is refused for counters, states or
 * answers at most. What was decided agrees with the history before it
 * (reference_past.h): its states, its requests, and its limits
 * (reference_limits.h), of which what is permitted has room at each, and what
 * is refused for one has none.
 */
#include "policy-lang/reference_past.h"

#define EVENTS 24

static struct world w;

static bool only_counters(const struct pol_decision *d)
{
	static const enum reason of[] = {
		REASON_LIMIT_EXCEEDED, REASON_TOO_SOON,	 REASON_STATE_MISSING,
		REASON_STATE_FORBIDDEN, REASON_NOT_AN_ANSWER,
		REASON_QUARANTINED};
	struct reasons r = d->reasons;

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++)
		r.w[of[i] / 64] &= ~(UINT64_C(1) << of[i] % 64);
	return !reasons_any(&r);
}

static bool customer_refused(const struct pol_decision *d)
{
	bool is = false;

	for (uint32_t i = 0; i < d->n_rules; i++)
		is |= d->refused_rules >> i & 1 &&
		      span_is(d->rules[i].layer, "customer");
	return is;
}

/* As if its patterns were too large for tables. */
static void without_tables(struct world *of)
{
	for (size_t i = 0; i < of->n; i++) {
		for (uint32_t d = 0; d < of->image[i]->n_OBSV; d++)
			of->image[i]->table[d].n_class = 0;
	}
}

/* What is permitted and neither let go nor taken back yet: units that one packet
 * brought, all of which go, or none. */
struct open_packet {
	bool is;
	struct ref_past before;
	struct said last; /* what was said before it */
	bool begins;	  /* a message, or goes on with one */
};

static void settle(struct open_packet *o, struct ref_past *past,
		   const struct pol_decision *d, bool wait)
{
	if (!d->permit) {
		pol_abort(w.st);
		if (o->is)
			*past = o->before;
	} else if (!wait) {
		pol_commit(w.st);
	}
	o->is = d->permit && wait;
}

/* As the gateway does, which charges what counts octets when they go. */
static bool judge(const struct said *s, struct now now, struct pol_decision *d)
{
	static struct pol_decision packet;
	struct pol_peer peer = said_peer(s);

	world_judge(&w, s, now, d);
	return !d->permit || s->what != SAID_MESSAGE ||
	       pol_packet(w.st, s->machine, s->dir, &peer, s->octets, now,
			  &packet);
}

enum { SAW_PERMIT, SAW_REFUSED, SAW_COUNTERS, SAW_TWO, SAW_UNIT, SAW_UNITS,
       SAW_OTHER_RULE, SAW_UNIT_FULL, SAW_FULL, SAW_UNDONE, SAW_ANSWER,
       SAW_AGAIN };

static void look(struct law *l, const struct said *s,
		 const struct pol_decision *d, bool may)
{
	bool full = reasons_has(&d->reasons, REASON_TOO_SOON) ||
		    reasons_has(&d->reasons, REASON_LIMIT_EXCEEDED);

	l->saw[SAW_PERMIT] |= d->permit;
	l->saw[SAW_REFUSED] |= !may;
	l->saw[SAW_COUNTERS] |= may && !d->permit;
	l->saw[SAW_TWO] |= s->who == 3;
	l->saw[SAW_UNIT] |= s->part && d->permit;
	l->saw[SAW_UNITS] |= s->part > 1 && d->permit;
	l->saw[SAW_FULL] |= may && full;
	l->saw[SAW_UNIT_FULL] |= may && s->part && full;
}

/* One message or connection. */
static bool decided(struct law *l, const struct said *s, unsigned i,
		    const struct ref_now *t, struct open_packet *open,
		    struct ref_past *past, struct said *last,
		    struct pol_decision *d)
{
	static struct scenery c;
	const char *odd;
	bool may = true, wait;

	/* Units of one packet are judged together, and nothing else. */
	if (open->is && (s->what != SAID_MESSAGE || !s->part || s->wait)) {
		pol_commit(w.st);
		open->is = false;
	}
	wait = s->what == SAID_MESSAGE && one_in(&l->history, 3);
	if (!open->is && wait)
		open->before = *past;
	if (!open->is) {
		open->last = *last;
		open->begins = !s->part;
	}
	past->no++;
	if (!judge(s, t->now, d))
		return law_broken(l, "message %u: permitted, but its packet "
				     "has no room",
				  i);
	if (s->what == SAID_OPEN) {
		odd = ref_open(past, &w, s, t, d);
	} else {
		(void)said_msg(s, &c, t->now);
		may = ref_permits(&w, s, &c, t);
		odd = ref_past_says(past, &w, s, &c, t, may, d);
		look(l, s, d, may);
	}
	law_tell(l, "     %s, by the second %s\n",
		 d->permit ? "permitted" : d->text,
		 may ? "permitted" : "refused");
	l->saw[SAW_UNDONE] |= open->is && !d->permit;
	settle(open, past, d, wait);
	odd = odd ? odd : ref_quarantine(past, s, d, t->now.mono.ns);
	if (odd)
		return law_broken(l, "event %u: %s, but %s", i,
				  d->permit ? "permitted" : d->text, odd);
	if (s->what == SAID_OPEN)
		return true;
	if (d->permit && !may)
		return law_broken(l, "event %u: permitted, and not by the "
				     "second",
				  i);
	if (may && !d->permit && !only_counters(d))
		return law_broken(l, "event %u: '%s', and not by the second",
				  i, d->text);
	/* What comes in is only blocked, or at the wrong hour. */
	if (may && s->dir == DIR_IN && s->who != 3 && customer_refused(d))
		return law_broken(l, "event %u: '%s', by a customer's limit on "
				     "what goes out",
				  i, d->text);
	return true;
}

static bool law_reference(struct law *l)
{
	static struct policies p;
	static struct open_packet open;
	static struct ref_past past;
	static struct pol_decision d;
	static bool fine;
	struct ref_now t = {.now = law_noon()};
	struct said s = {0}, last = {0};
	bool again = false; /* what goes on was taken back */

	if (!l->same_policy) {
		make_policies(&l->policy, &p, true);
		tell_policies(l, &p);
		fine = world_of(&w, &p);
		if (fine && one_in(&l->policy, 3))
			without_tables(&w);
	}
	if (!fine)
		return law_skip(l);
	world_reset(&w);
	past = (struct ref_past){.n_asked = 0};
	open.is = false;
	for (unsigned i = 0; i < EVENTS && draw(&l->history, 40); i++) {
		/* The one before again, on both sides of a clock's step. */
		s = throw(&l->history, &p, &last);
		said_time(&s, &t.now);
		said_tell(l, &s);
		if (!said_judged(&s) && open.is) {
			pol_commit(w.st);
			open.is = false;
		}
		ref_past_other(&past, &s, &w, &t.now);
		if (s.what == SAID_WALL)
			continue;
		/* A state that the platform sets tells no time. */
		if (s.what != SAID_STATE && t.now.wall.trusted &&
		    wall_s(t.now.wall) > t.latest_s)
			t.latest_s = wall_s(t.now.wall);
		if (!said_judged(&s)) {
			world_other(&w, &s, t.now);
			continue;
		}
		if (!decided(l, &s, i, &t, &open, &past, &last, &d))
			return false;
		if (s.what != SAID_MESSAGE)
			continue;
		l->saw[SAW_OTHER_RULE] |= s.part && d.permit &&
					  (s.about != last.about ||
					   s.var != last.var);
		last = s;
		last.over = !d.permit;
		l->saw[SAW_ANSWER] |= past.went_on;
		l->saw[SAW_AGAIN] |= again && s.part && d.permit;
		again = !d.permit && !open.begins;
		/* What went before that packet may go on otherwise. */
		if (!d.permit && !open.begins)
			last = open.last;
	}
	return true;
}

static void test_second_opinion(void **ctx)
{
	static const struct law_share shares[] = {
		{"permitted", 60}, {"refused by both", 80},
		{"refused for counters or states", 25},
		{"between machines", 5}, {"went on with a unit", 10},
		{"with several", 2}, {"by another rule", 1},
		{"which a limit refused", 1}, {"refused by a limit", 20},
		{"units taken back with it", 1},
		{"an answer went on", 0}, {"on with what was before it", 1},
		{0}};

	(void)ctx;
	law_run("second opinion", law_reference, shares);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_second_opinion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
