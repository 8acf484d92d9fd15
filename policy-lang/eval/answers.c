/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Permitted requests that wait for their answer: same machine, same party,
 * the other direction, same connection or invocation id, at most 120 s, once.
 * One entry per leaf of a request.
 */
#include "policy-lang/eval/internal.h"

#define FL_USED  1u
#define FL_OUT   2u
#define FL_INV   4u
#define FL_PARTY 8 /* shift */

static uint32_t word(const struct pol_state *st, size_t m, uint32_t i)
{
	return st->answers[m] + i * AN_WORDS;
}

/* A request's invocation id returns in its answer as the called one. */
static bool inv_of(const struct pol_msg *m, enum field f, uint64_t *inv)
{
	if (m->message && obs_has(m->message, f)) {
		*inv = obs_get(m->message, f, 0);
		return true;
	}
	return false;
}

static bool pairs(const uint64_t *w, const struct side *sd,
		  const struct pol_msg *m, bool has_inv, uint64_t inv)
{
	uint64_t out = w[AN_FLAGS] & FL_OUT ? DIR_OUT : DIR_IN;

	if (out == sd->dir || w[AN_FLAGS] >> FL_PARTY != (uint64_t)sd->party)
		return false;
	if (m->answer_to)
		return w[AN_ID] == m->answer_to;
	if (has_inv && w[AN_FLAGS] & FL_INV)
		return w[AN_INV] == inv;
	return w[AN_FLOW] == m->flow;
}

int answer_find(const struct pol_state *st, const struct side *sd,
		const struct pol_msg *m, const uint64_t *rules)
{
	uint64_t inv = 0, oldest = UINT64_MAX;
	bool has_inv = inv_of(m, F_CALLED_INV, &inv);
	int best = -1;

	for (uint32_t i = 0; i < ANSWERS; i++) {
		const uint64_t *w = &st->w[word(st, sd->m, i)];

		if (w[AN_ID] == 0 || w[AN_ID] >= oldest ||
		    (w[AN_FLAGS] & FL_USED && !m->retry) ||
		    st->now.mono.ns - (int64_t)w[AN_TIME] > ANSWER_NS)
			continue;
		if (rules &&
		    (w[AN_RULE] >= LAY_MAX_RULES ||
		     !(rules[w[AN_RULE] / 64] >> (w[AN_RULE] % 64) & 1)))
			continue;
		if (!pairs(w, sd, m, has_inv, inv))
			continue;
		oldest = w[AN_ID];
		best = (int)i;
	}
	return best;
}

void answer_take(struct pol_state *st, size_t m, int index)
{
	uint32_t at = word(st, m, (uint32_t)index);

	st_put(st, at + AN_FLAGS, st->w[at + AN_FLAGS] | FL_USED);
}

void answer_ask(struct pol_state *st, const struct side *sd,
		const struct pol_msg *m, uint32_t rule, uint64_t id)
{
	uint32_t at = word(st, sd->m, 0), i;
	uint64_t inv = 0;
	bool has_inv = inv_of(m, F_CALLING_INV, &inv);

	/* A free place, else the oldest is forgotten. */
	for (i = 0; i < ANSWERS; i++) {
		uint32_t w = word(st, sd->m, i);

		if (st->w[w + AN_ID] == 0 ||
		    st->w[w + AN_ID] < st->w[at + AN_ID])
			at = w;
		if (st->w[w + AN_ID] == 0)
			break;
	}
	st_put(st, at + AN_ID, id);
	st_put(st, at + AN_FLOW, m->flow);
	st_put(st, at + AN_INV, inv);
	st_put(st, at + AN_TIME, (uint64_t)st->now.mono.ns);
	st_put(st, at + AN_RULE, rule);
	st_put(st, at + AN_FLAGS,
	       (sd->dir == DIR_OUT ? FL_OUT : 0) | (has_inv ? FL_INV : 0) |
		       (uint64_t)sd->party << FL_PARTY);
}

/* Of a process that is gone: was it asked without a connection, and can its
 * answer still come? */
bool answer_outlives(const uint64_t *w, uint32_t n_party, int64_t now,
		     uint64_t next_id)
{
	return w[AN_ID] != 0 && w[AN_ID] < next_id &&
	       w[AN_FLAGS] & FL_INV && w[AN_FLAGS] >> FL_PARTY < n_party &&
	       w[AN_RULE] < LAY_MAX_RULES && w[AN_TIME] <= (uint64_t)now;
}

/* The same request as another set numbers its party and rule. */
void answer_move(uint64_t *to, const uint64_t *from, uint32_t party,
		 uint32_t rule)
{
	memcpy(to, from, AN_WORDS * sizeof(*to));
	to[AN_RULE] = rule;
	to[AN_FLAGS] = (from[AN_FLAGS] & ((1u << FL_PARTY) - 1)) |
		       (uint64_t)party << FL_PARTY;
}

uint32_t answer_party(const uint64_t *w)
{
	uint64_t p = w[AN_FLAGS] >> FL_PARTY;

	return p < LAY_NONE ? (uint32_t)p : LAY_NONE;
}
