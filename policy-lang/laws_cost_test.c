/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Law 10 of the language (its section 23): judging costs no more, in counted
 * operations, than the compiler says. A release counts nothing; so this
 * program has a matcher of its own, the same source with the counters in it.
 */
#ifndef COUNT_COST
#define COUNT_COST
#endif
#include "policy-lang/eval/match.c"

#include "policy-lang/front/cost.h"
#include "policy-lang/image/cost.h"
#include "policy-lang/lawsaid.h"

#define EVENTS 24

static struct world w;

/* Of matching in one layer so many observations. Of several measurements each
 * is a row, and two more put them together. */
static uint64_t words_of(const struct pol_image *im, uint64_t n, uint64_t meas)
{
	struct pol_cost c;

	if (!im)
		return 0;
	pol_image_cost(im, &c);
	return n * c.words + (meas > 1 ? n * meas * c.row_words : 0);
}

static const struct pol_file *file_of(const struct pol_image *im)
{
	for (size_t i = 0; i < w.n; i++) {
		if (w.image[i] == im)
			return w.file[i];
	}
	return NULL;
}

/* What the compiler prints, for every layer that looks at the message. Counters
 * and states are those of a message that some grant selects. */
struct told {
	uint64_t words, steps, limits, states;
};

static struct told told(const struct said *s)
{
	struct told t = {0};
	uint64_t meas = (unsigned)__builtin_popcountll(s->meas);

	for (unsigned side = 0; side < w.st->n_side; side++) {
		const struct side *sd = &w.st->side[side];

		for (int l = 0; l < LAYERS; l++) {
			const struct pol_image *im = sd->im[l];
			struct pol_worst f = {0};
			struct pol_cost c;
			uint64_t n = s->n_leaves;

			if (!im)
				continue;
			/* What carries them, where something asks for it. */
			n += bit_get(im->carrier[sd->dir], said_carrier(s));
			pol_image_cost(im, &c);
			t.words += words_of(im, n, meas);
			/* By what the message carried, if by nothing else. */
			if (s->rest)
				t.words += words_of(
					im, s->n_leaves,
					(unsigned)__builtin_popcountll(
						s->carried));
			t.steps += n * c.texts * 64;
			/* Refusals look once more, at the bare message too. */
			if (w.set->m[sd->m].refusal_limits)
				t.words += words_of(im, n, meas) +
					   3 * c.row_words;
			if (file_of(im))
				f = cost_of_file(file_of(im));
			/* Each leaf may have a counter of its own values. */
			t.limits += s->n_leaves * f.limits;
			t.states += s->n_leaves * f.states;
		}
	}
	return t;
}

static bool law_10(struct law *l)
{
	static struct policies p;
	static struct pol_decision a;
	static bool fine;
	struct now now = law_noon();
	struct said s = {0};

	if (!l->same_policy) {
		make_policies(&l->policy, &p, true);
		tell_policies(l, &p);
		world_free(&w);
		fine = world_of(&w, &p);
	}
	if (!fine)
		return law_skip(l);
	world_reset(&w);
	for (unsigned i = 0; i < EVENTS && draw(&l->history, 40); i++) {
		struct told t;
		uint64_t states = 0;

		s = throw(&l->history, &p, &s);
		said_time(&s, &now);
		said_tell(l, &s);
		if (s.what != SAID_MESSAGE) {
			if (!said_judged(&s))
				world_other(&w, &s, now);
			continue;
		}
		cost_seen = (struct cost_seen){0};
		world_judge(&w, &s, now, &a);
		t = told(&s);
		/* What would have passed is found by judging it, at most six
		 * times. */
		if (!a.permit) {
			t.words *= 7;
			t.steps *= 7;
		}
		for (unsigned k = 0; k < w.st->n_side; k++)
			states += (unsigned)__builtin_popcountll(
					  w.st->side[k].set) +
				  (unsigned)__builtin_popcountll(
					  w.st->side[k].clear);
		l->saw[0] |= a.permit;
		l->saw[1] |= w.st->n_pend > 2;
		l->saw[2] |= cost_seen.steps > 0;
		l->saw[3] |= states > 0;
		l->saw[4] |= w.st->n_side > 1;
		l->saw[5] |= cost_seen.words * 2 > t.words;
		l->saw[6] |= s.rest && a.permit;
		if (a.permit)
			pol_commit(w.st);
		else
			pol_abort(w.st);
		if (cost_seen.words > t.words || cost_seen.steps > t.steps ||
		    (a.permit && (w.st->n_pend > t.limits ||
				  states > t.states)))
			return law_broken(
				l,
				"message %u: %llu words of %llu, %llu steps "
				"of %llu, %u counters of %llu, %llu states of "
				"%llu",
				i, (unsigned long long)cost_seen.words,
				(unsigned long long)t.words,
				(unsigned long long)cost_seen.steps,
				(unsigned long long)t.steps, w.st->n_pend,
				(unsigned long long)t.limits,
				(unsigned long long)states,
				(unsigned long long)t.states);
	}
	return true;
}

static void test_cost(void **ctx)
{
	static const struct law_share shares[] = {
		{"permitted", 60}, {"several counters", 30}, {"paths read", 30},
		{"states changed", 15}, {"two machines", 8},
		{"above half of what was said", 30},
		{"the rest of a message", 1}, {0}};

	(void)ctx;
	law_run("law 10", law_10, shares);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
