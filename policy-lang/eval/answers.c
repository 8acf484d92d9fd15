/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Permitted requests that wait for their answer: same machine, same party,
 * the other direction, same connection or invocation id, at most 120 s, once.
 * One entry per leaf of a request.
 *
 * HTTP answers in order. One answer may say more than was asked one by one, as
 * a Watch does, and go on over several units: when it has taken one entry, it
 * takes what is left of the same request, or is covered by what was taken;
 * however long it lasts, while it is told to go on. The next answer is to a
 * later request.
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
	bool asked = m->answer_to ? w[AN_ID] == m->answer_to
		     : has_inv && w[AN_FLAGS] & FL_INV
			     ? w[AN_INV] == inv
			     : w[AN_FLOW] == m->flow;

	return asked && out != sd->dir &&
	       w[AN_FLAGS] >> FL_PARTY == (uint64_t)sd->party;
}

/* The places of requests that this message may answer, a bit each: few of all
 * that are looked at more than once. */
static uint64_t pairing(const struct pol_state *st, const struct side *sd,
			const struct pol_msg *m)
{
	uint64_t inv = 0, set = 0;
	bool has_inv = inv_of(m, F_CALLED_INV, &inv);

	_Static_assert(ANSWERS <= 64, "the set is too small");
	for (uint32_t i = 0; i < ANSWERS; i++) {
		const uint64_t *w = &st->w[word(st, sd->m, i)];

		set |= (uint64_t)pairs(w, sd, m, has_inv, inv) << i;
	}
	return set;
}

static bool goes_on(const struct pol_msg *m)
{
	return m->message && obs_has(m->message, F_CONTINUES);
}

static bool granted_by(const uint64_t *w, const uint64_t *rules)
{
	return !rules || (w[AN_RULE] < LAY_MAX_RULES &&
			  rules[w[AN_RULE] / 64] >> (w[AN_RULE] % 64) & 1);
}

static bool is_http(const struct pol_msg *m)
{
	if (!m->message || m->n_leaves == 0)
		return false;
	return m->message->kind == OBS_HTTP_RESPONSE ||
	       m->leaves[0].kind == OBS_HTTP_RESPONSE || goes_on(m);
}

/* 100 Continue: the answer is still to come. */
static bool is_interim(const struct pol_msg *m)
{
	return is_http(m) && obs_has(&m->leaves[0], F_STATUS) &&
	       obs_get(&m->leaves[0], F_STATUS, 0) < 200;
}

/* The request that this message answers already. */
static uint64_t answered(const struct pol_state *st, const struct side *sd,
			 const struct pol_msg *m)
{
	return is_http(m) ? st->answered[sd - st->side] : 0;
}

static const uint64_t *first_of(const struct pol_state *st,
				const struct side *sd, uint64_t set)
{
	return &st->w[word(st, sd->m, (uint32_t)__builtin_ctzll(set))];
}

/* The latest request of the set of which any was taken: whose answer goes on. */
static uint64_t latest_used(const struct pol_state *st, const struct side *sd,
			    uint64_t set)
{
	uint64_t latest = 0;

	for (; set; set &= set - 1) {
		const uint64_t *w = first_of(st, sd, set);

		if (w[AN_FLAGS] & FL_USED && w[AN_ID] > latest)
			latest = w[AN_ID];
	}
	return latest;
}

static int find_begun(const struct pol_state *st, const struct side *sd,
		      const struct pol_msg *m, const uint64_t *rules,
		      uint64_t set)
{
	uint64_t latest = answered(st, sd, m);
	int best = -1;

	if (!latest)
		latest = latest_used(st, sd, set);
	for (; latest && set; set &= set - 1) {
		const uint64_t *w = first_of(st, sd, set);

		if (w[AN_ID] != latest || !granted_by(w, rules))
			continue;
		best = __builtin_ctzll(set);
		if (!(w[AN_FLAGS] & FL_USED))
			break;
	}
	return best;
}

int answer_find(const struct pol_state *st, const struct side *sd,
		const struct pol_msg *m, const uint64_t *rules)
{
	uint64_t set = pairing(st, sd, m), oldest = UINT64_MAX, after = 0;
	int best = -1;

	if (goes_on(m) || answered(st, sd, m))
		return find_begun(st, sd, m, rules, set);
	if (is_http(m))
		after = latest_used(st, sd, set);
	for (; set; set &= set - 1) {
		const uint64_t *w = first_of(st, sd, set);

		if (w[AN_ID] <= after || w[AN_ID] >= oldest ||
		    (w[AN_FLAGS] & FL_USED && !m->retry) ||
		    st->now.mono.ns - (int64_t)w[AN_TIME] > ANSWER_NS ||
		    !granted_by(w, rules))
			continue;
		oldest = w[AN_ID];
		best = __builtin_ctzll(set);
	}
	return best;
}

void answer_take(struct pol_state *st, const struct side *sd,
		 const struct pol_msg *m, int index)
{
	uint32_t at = word(st, sd->m, (uint32_t)index);

	if (is_interim(m))
		return;
	st_put(st, at + AN_FLAGS, st->w[at + AN_FLAGS] | FL_USED);
	st->answered[sd - st->side] = st->w[at + AN_ID];
	/* Not the next one to be forgotten, while its answer goes on. */
	if (goes_on(m)) {
		st_put(st, at + AN_TIME, (uint64_t)st->now.mono.ns);
		st->turn[sd->m].sure = false;
	}
}

void answer_begin(struct pol_state *st, const struct side *sd,
		  const struct pol_msg *m)
{
	int a = -1;

	if (is_http(m) && !goes_on(m) && !answered(st, sd, m))
		a = answer_find(st, sd, m, NULL);
	if (a >= 0)
		answer_take(st, sd, m, a);
}

/* The number of the request that m goes on with. */
static uint64_t begun(const struct pol_state *st, const struct side *sd,
		      const struct pol_msg *m, uint64_t id)
{
	uint64_t out = sd->dir == DIR_OUT ? FL_OUT : 0, latest = 0;

	for (uint32_t i = 0; i < ANSWERS; i++) {
		const uint64_t *w = &st->w[word(st, sd->m, i)];

		if (w[AN_FLOW] == m->flow && w[AN_ID] > latest &&
		    (w[AN_FLAGS] & FL_OUT) == out)
			latest = w[AN_ID];
	}
	return latest ? latest : id;
}

static bool older(const uint64_t *a, const uint64_t *b)
{
	if (a[AN_TIME] != b[AN_TIME])
		return a[AN_TIME] < b[AN_TIME];
	return a[AN_ID] < b[AN_ID];
}

/* Of two that are as old as each other, the first one goes. */
static bool before(const struct pol_state *st, size_t m, uint8_t a, uint8_t b)
{
	const uint64_t *x = &st->w[word(st, m, a)], *y = &st->w[word(st, m, b)];

	return older(x, y) || (a < b && !older(y, x));
}

/* Places by age, from the one at next on: nearly in order, from the last time
 * it was asked for. */
static void sort_places(const struct pol_state *st, size_t m,
			struct answer_turn *t)
{
	uint8_t was[ANSWERS];

	for (uint32_t i = 0; i < ANSWERS; i++)
		was[i] = t->known ? t->place[(t->next + i) % ANSWERS]
				  : (uint8_t)i;
	for (uint32_t i = 0; i < ANSWERS; i++) {
		uint32_t k = i;

		for (; k > 0 && before(st, m, was[i], t->place[k - 1]); k--)
			t->place[k] = t->place[k - 1];
		t->place[k] = was[i];
	}
	t->next = 0;
	t->known = t->sure = true;
}

/* Where the next request goes: a free place, else that of the oldest, which is
 * then the youngest. That order is found out once, and holds until times or
 * places change in another way. */
static uint32_t place(struct pol_state *st, size_t m)
{
	struct answer_turn *t = &st->turn[m];
	uint32_t at;

	t->sure &= st->now.mono.ns >= t->at_ns;
	t->at_ns = st->now.mono.ns;
	for (uint32_t i = 0; !t->sure && i < ANSWERS; i++) {
		if (st->w[word(st, m, i) + AN_ID] == 0)
			return word(st, m, i);
	}
	if (!t->sure)
		sort_places(st, m, t);
	at = t->place[t->next];
	t->next = (uint8_t)((t->next + 1) % ANSWERS);
	return word(st, m, at);
}

void answer_ask(struct pol_state *st, const struct side *sd,
		const struct pol_msg *m, uint32_t rule, uint64_t id)
{
	uint32_t at;
	uint64_t inv = 0;
	bool has_inv = inv_of(m, F_CALLING_INV, &inv);

	if (goes_on(m)) {
		id = begun(st, sd, m, id);
		st->turn[sd->m].sure = false;
	}
	at = place(st, sd->m);
	if (goes_on(m)) /* its number is an older one's */
		st->turn[sd->m].sure = false;
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
