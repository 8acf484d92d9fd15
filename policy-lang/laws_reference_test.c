/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A law beside the twelve: the evaluator and one that is written a second time
 * (reference_eval.h) agree, over random policies and messages. What the second
 * refuses is refused; what it permits is refused for counters, states or
 * answers at most. What was permitted agrees with the history before it
 * (reference_past.h): its states, its requests, and no limit of a rule admitted
 * more than it says.
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

static bool law_reference(struct law *l)
{
	static struct policies p;
	static struct scenery c;
	static struct pol_decision d;
	static bool fine;
	struct ref_now t = {.now = law_noon()};
	struct said s = {0}, last = {0};
	static struct ref_past past;
	const char *odd;

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
	for (unsigned i = 0; i < EVENTS && draw(&l->history, 40); i++) {
		struct pol_msg m;
		bool may;

		/* The one before again, on both sides of a clock's step. */
		s = throw(&l->history, &p, &last);
		if (s.what == SAID_MESSAGE)
			last = s;
		said_time(&s, &t.now);
		said_tell(l, &s);
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
		world_judge(&w, &s, t.now, &d);
		if (d.permit)
			pol_commit(w.st);
		else
			pol_abort(w.st);
		odd = ref_quarantine(&past, &s, &d, t.now.mono.ns);
		if (odd)
			return law_broken(l, "message %u: permitted to %s", i,
					  odd);
		if (s.what == SAID_OPEN && d.permit)
			ref_open(&past, &w, &s, &t);
		if (s.what == SAID_OPEN)
			continue;
		m = said_msg(&s, &c, t.now);
		may = ref_permits(&w, &s, &m, &c, &t);
		law_tell(l, "     %s, by the second %s\n",
			 d.permit ? "permitted" : d.text,
			 may ? "permitted" : "refused");
		odd = ref_past_says(&past, &w, &s, &m, &c, &t, &d);
		if (odd)
			return law_broken(l, "message %u: %s, but %s", i,
					  d.permit ? "permitted" : d.text, odd);
		l->saw[0] |= d.permit;
		l->saw[1] |= !may;
		l->saw[2] |= may && !d.permit;
		l->saw[3] |= s.who == 3;
		if (d.permit && !may)
			return law_broken(l, "message %u: permitted, and not "
					     "by the second",
					  i);
		if (may && !d.permit && !only_counters(&d))
			return law_broken(l, "message %u: '%s', and not by "
					     "the second",
					  i, d.text);
		/* What comes in is only blocked, or at the wrong hour. */
		if (may && s.dir == DIR_IN && s.who != 3 &&
		    customer_refused(&d))
			return law_broken(l, "message %u: '%s', by a customer's "
					     "limit on what goes out",
					  i, d.text);
	}
	return true;
}

static void test_second_opinion(void **ctx)
{
	static const struct law_share shares[] = {
		{"permitted", 60}, {"refused by both", 80},
		{"refused for counters or states", 25},
		{"between machines", 5}, {0}};

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
