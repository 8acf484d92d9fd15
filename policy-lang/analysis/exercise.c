/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/analysis/exercise.h"

#include "policy-lang/eval/internal.h"

static bool counts(const struct pol_state *st, const struct set_limit *l)
{
	uint64_t n = l->by_vm ? st->s->n_m : 1;

	n *= (uint64_t)l->parties * (l->by_meas ? MEAS_COUNT : 1) * l->words;
	for (uint64_t i = 0; i < n; i++) {
		if (st->w[l->base + i])
			return true;
	}
	return false;
}

/* A limit of refusals refuses nothing: it is full when the next one would be
 * one too many. */
static bool refusals_full(const struct pol_state *st, const struct set_limit *l)
{
	uint64_t n = l->by_vm ? st->s->n_m : 1;

	if (l->l->thing != THING_REFUSALS || l->l->kind == LIMIT_SPACING ||
	    l->l->kind >= LIMIT_DISTINCT)
		return false;
	n *= (uint64_t)l->parties * (l->by_meas ? MEAS_COUNT : 1);
	for (uint64_t i = 0; i < n; i++) {
		uint32_t at = l->base + (uint32_t)i * l->words;
		uint64_t of;
		int64_t wait;

		if (limit_now(st, l->l, at, &of, &wait) >= of)
			return true;
	}
	return false;
}

void exercise_limits(const struct pol_state *st,
		     void (*f)(void *arg, const struct exercise_limit *l),
		     void *arg)
{
	for (uint32_t i = 0; i < st->s->n_limit; i++) {
		const struct set_limit *sl = &st->s->limit[i];
		struct exercise_limit l = {.policy = sl->im->id,
					   .name = sl->name,
					   .counts = counts(st, sl),
					   .full = refusals_full(st, sl)};

		for (uint32_t k = 0; k < st->n_fail; k++)
			l.full |= st->fail[k].limit == i;
		f(arg, &l);
	}
}

static void one_state(const struct pol_state *st, size_t m, uint32_t s,
		      uint64_t now, struct exercise_state *out)
{
	const struct machine *mc = &st->s->m[m];
	uint32_t step = mc->n_party + 1, at = st->states[m] + s * step;
	bool flow = mc->vendor->STAT[s].scope == SCOPE_FLOW;

	for (uint32_t i = 0; i < (flow ? FLOW_STATES : step); i++) {
		uint32_t row = st->flows[m] + i * FS_WORDS;
		uint64_t until = flow ? st->w[row + FS_UNTIL] : st->w[at + i];

		if ((flow && st->w[row + FS_STATE] != s + 1) || until <= now)
			continue;
		out->set++;
		if (until > out->latest)
			out->latest = until;
	}
}

void exercise_states(const struct pol_state *st, struct now now,
		     void (*f)(void *arg, const struct exercise_state *s),
		     void *arg)
{
	uint64_t t = st_until(st, now, 0);

	for (size_t m = 0; m < st->s->n_m; m++) {
		const struct pol_image *im = st->s->m[m].vendor;

		for (uint32_t s = 0; im && s < im->n_STAT; s++) {
			struct exercise_state x = {
				.policy = im->id,
				.name = img_str(im, im->STAT[s].id)};

			one_state(st, m, s, t, &x);
			f(arg, &x);
		}
	}
}
