/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/analysis/within.h"

#include "policy-lang/analysis/within_parts.h"

static struct two turned(const struct two *t)
{
	return (struct two){.is = t->was,
			    .was = t->is,
			    .known = t->known,
			    .turned = !t->turned,
			    .by_name = t->by_name};
}

/* --- limits ---------------------------------------------------------------------- */

static bool action_in(uint8_t a, int64_t a_ns, uint8_t b, int64_t b_ns)
{
	/* A machine that is not put away, or for less, goes on. */
	if (b == ACTION_QUARANTINE && (a != b || a_ns < b_ns))
		return false;
	/* What is held back passes later. */
	return a != ACTION_DEFER || (b == ACTION_DEFER && a_ns <= b_ns);
}

bool within_tighter(const struct lay_limit *a, const struct lay_limit *b)
{
	if (a->kind != b->kind || a->thing != b->thing ||
	    a->distinct != b->distinct)
		return false;
	if (a->kind == LIMIT_SPACING)
		return a->window_ns >= b->window_ns;
	return a->window == b->window && a->window_ns == b->window_ns &&
	       a->n <= b->n && a->burst <= b->burst;
}

bool within_limits(const struct pol_image *ia, const struct lay_rule *a,
		      const struct pol_image *ib, const struct lay_rule *b)
{
	for (uint32_t k = 0; k < b->limit_n; k++) {
		bool in = false;

		for (uint32_t i = 0; i < a->limit_n; i++)
			in |= within_tighter(&ia->LIMT[a->limit_first + i],
				      &ib->LIMT[b->limit_first + k]);
		if (!in)
			return false;
	}
	return true;
}

static bool top_level(const struct lay_limit *l)
{
	return l->rule == LAY_NONE && !(l->flags & LAY_LIMIT_FLOOR);
}

static bool top_in(const struct two *t, uint32_t x, uint32_t y)
{
	const struct lay_limit *a = &t->is->LIMT[x], *b = &t->was->LIMT[y];

	/* What selects observations, even any, counts no packet that is none. */
	if (a->flags & LAY_LIMIT_MATCH && !(b->flags & LAY_LIMIT_MATCH))
		return false;
	return top_level(a) && within_over(t, within_cols_of(t->is, COL_LIMIT, x),
					 within_cols_of(t->was, COL_LIMIT, y)) &&
	       (a->meas == 0 || (b->meas && !(b->meas & ~a->meas))) &&
	       !(a->each & ~b->each) && within_tighter(a, b) &&
	       action_in(a->action, a->action_ns, b->action, b->action_ns);
}

/* --- guards ------------------------------------------------------------------------ */

static bool step_in(const struct lay_data *a, const struct lay_data *b)
{
	return !(b->flags & LAY_DATA_RES) ||
	       (a->flags & LAY_DATA_RES && a->res_unit == b->res_unit &&
		a->res_milli % (b->res_milli ? b->res_milli : 1) == 0);
}

static bool value_in(const struct lay_data *a, const struct lay_data *b)
{
	return !(b->flags & LAY_DATA_VALUE) ||
	       (a->flags & LAY_DATA_VALUE && a->value_unit == b->value_unit &&
		a->value_lo >= b->value_lo && a->value_hi <= b->value_hi);
}

static bool gran_in(const struct lay_data *a, const struct lay_data *b)
{
	return !(b->flags & LAY_DATA_GRAN) ||
	       (a->flags & LAY_DATA_GRAN && a->gran_lo >= b->gran_lo &&
		(!b->gran_hi || (a->gran_hi && a->gran_hi <= b->gran_hi)));
}

static uint32_t part(enum within_part p, bool in)
{
	return in ? 0 : UINT32_C(1) << p;
}

static uint32_t data_wider(const struct lay_data *a, const struct lay_data *b)
{
	return part(PART_GRANULARITY, gran_in(a, b)) |
	       part(PART_RESOLUTION, step_in(a, b)) |
	       part(PART_VALUE, value_in(a, b)) |
	       part(PART_HISTORY,
		    !(b->flags & LAY_DATA_HISTORY) ||
			    (a->flags & LAY_DATA_HISTORY &&
			     a->history <= b->history)) |
	       part(PART_DELAY,
		    !(b->flags & LAY_DATA_DELAY) ||
			    (a->flags & LAY_DATA_DELAY &&
			     a->delay >= b->delay)) |
	       part(PART_CHANNELS,
		    !(b->flags & LAY_DATA_CHANNELS) ||
			    (a->flags & LAY_DATA_CHANNELS &&
			     a->channels <= b->channels));
}

bool within_data(const struct lay_data *a, const struct lay_data *b)
{
	return data_wider(a, b) == 0;
}

static uint32_t rule_data_wider(const struct two *t, uint32_t x, uint32_t y)
{
	const struct lay_data *a, *b;

	if (x == LAY_NONE || y == LAY_NONE)
		return part(PART_TYPES, x == y);
	a = &t->is->DATA[x];
	b = &t->was->DATA[y];
	return part(PART_TYPES, !(a->meas & ~b->meas)) | data_wider(a, b);
}

/* Set less often, not longer, and cleared as often. */
static bool state_in(const struct two *t, uint32_t x, uint32_t y)
{
	const struct lay_state *a = &t->is->STAT[x], *b = &t->was->STAT[y];

	return a->scope == b->scope && a->expires <= b->expires &&
	       within_cols(t, within_cols_of(t->is, COL_SET, x),
		       within_cols_of(t->was, COL_SET, y)) &&
	       within_over(t, within_cols_of(t->is, COL_CLEAR, x),
			 within_cols_of(t->was, COL_CLEAR, y));
}

/* Names do not count (19.4): only where both files have one is it the same
 * thing that is meant; what has another name is found by what it does. */
static bool state_called(const struct pol_image *im, struct span id)
{
	bool is = false;

	for (uint32_t i = 0; i < im->n_STAT; i++)
		is |= span_eq(img_str(im, im->STAT[i].id), id);
	return is;
}

static bool state_meant(const struct two *t, uint32_t i, uint32_t k)
{
	struct span a = img_str(t->is, t->is->STAT[i].id);
	struct span b = img_str(t->was, t->was->STAT[k].id);

	return span_eq(a, b) ||
	       (!state_called(t->was, a) && !state_called(t->is, b));
}

/* Every state of b's list is in a's, and is the same or set less. */
static bool states_in(const struct two *t, uint64_t a, uint64_t b,
		      bool required)
{
	const struct two back = turned(t);

	for (uint64_t y = b; y; y &= y - 1) {
		uint32_t k = (uint32_t)__builtin_ctzll(y);
		bool in = false;

		for (uint64_t x = a; x && !in; x &= x - 1) {
			uint32_t i = (uint32_t)__builtin_ctzll(x);

			in = state_meant(t, i, k) &&
			     (required ? state_in(t, i, k)
				       : state_in(&back, k, i));
		}
		if (!in)
			return false;
	}
	return true;
}

/* Whatever a answers, b did. */
static bool answers_in(const struct two *t, const struct lay_guard *a,
		       const struct lay_guard *b)
{
	if (!(b->flags & LAY_GUARD_ANSWERS))
		return true;
	for (uint32_t i = 0; i < t->is->n_RULE; i++) {
		const struct within_rules *meant = &t->known->meant[i];
		uint64_t in = !(a->answers[i / 64] >> (i % 64) & 1);

		for (size_t w = 0; w < LAY_MAX_RULES / 64; w++)
			in |= b->answers[w] & meant->w[w];
		if (!in)
			return false;
	}
	return a->flags & LAY_GUARD_ANSWERS;
}

static uint32_t guards_wider(const struct two *t, uint32_t x, uint32_t y)
{
	static const struct lay_guard none;
	const struct lay_guard *a = x == LAY_NONE ? &none : &t->is->GARD[x];
	const struct lay_guard *b = y == LAY_NONE ? &none : &t->was->GARD[y];

	return part(PART_ANSWERS, answers_in(t, a, b)) |
	       part(PART_REQUIRES,
		    !(b->requires_builtin & ~a->requires_builtin) &&
			    states_in(t, a->requires_, b->requires_, true)) |
	       part(PART_FORBIDS,
		    !(b->forbids_builtin & ~a->forbids_builtin) &&
			    states_in(t, a->forbids, b->forbids, false));
}

/* --- rules -------------------------------------------------------------------------- */

static bool is_grant(const struct lay_rule *r)
{
	return r->kind == RULE_GRANT || r->kind == RULE_CEILING;
}

/* What was answered about a rule of that name in a policy of was: -1 refused,
 * 1 granted, 0 nothing. */
static int answer(const struct two *t, struct span rule)
{
	const struct pol_image *c = t->customer;

	for (uint32_t i = 0; c && i < c->n_ANSW; i++) {
		const struct lay_answer *a = &c->ANSW[i];

		if (span_eq(img_str(c, a->policy), pol_image_id(t->was)) &&
		    span_eq(img_str(c, a->rule), rule))
			return a->granted ? 1 : -1;
	}
	return 0;
}

/* An answer is about a name. By another one a refusal would be lost, and a yes
 * to something else would count. */
static bool asked_alike(const struct two *t, const struct lay_rule *a,
			const struct lay_rule *b)
{
	struct span is = img_str(t->is, a->id), was = img_str(t->was, b->id);

	if (b->consent <= CONSENT_NONE || span_eq(is, was))
		return true;
	if (!t->answered)
		return false;
	return a->consent == CONSENT_OPT_IN ? answer(t, is) <= 0
					    : answer(t, was) >= 0;
}

uint32_t within_wider(const struct two *t, uint32_t x, uint32_t y)
{
	const struct lay_rule *a = &t->is->RULE[x], *b = &t->was->RULE[y];

	return part(PART_CONSENT, a->consent >= b->consent) |
	       part(PART_NAME, asked_alike(t, a, b)) |
	       part(PART_WHEN, within_when(t, a, b)) |
	       rule_data_wider(t, a->data, b->data) |
	       guards_wider(t, a->guard, b->guard) |
	       part(PART_LIMITS, within_limits(t->is, a, t->was, b)) |
	       part(PART_EXCEED, b->limit_n == 0 ||
					 action_in(a->action, a->action_ns,
						   b->action, b->action_ns)) |
	       part(PART_MODE, !a->monitor_until ||
				       a->monitor_until <= b->monitor_until) |
	       part(PART_MATCH, within_has(&t->known->grants[x], y));
}

static bool grant_in(const struct two *t, uint32_t x, uint32_t y)
{
	return within_has(&t->known->grants[x], y) &&
	       is_grant(&t->was->RULE[y]) && !within_wider(t, x, y);
}

/* Does denial a of the new image cover denial b of the old one? */
static bool denies(const struct two *t, uint32_t x, uint32_t y)
{
	const struct lay_rule *a = &t->is->RULE[x], *b = &t->was->RULE[y];

	return a->kind == RULE_DENY &&
	       action_in(a->action, a->action_ns, b->action, b->action_ns) &&
	       within_over(t, within_cols_of(t->is, COL_DENY, x),
			 within_cols_of(t->was, COL_DENY, y));
}

static bool some_grant(const struct two *t, uint32_t x)
{
	for (uint32_t k = 0; k < t->was->n_RULE; k++) {
		if (grant_in(t, x, k))
			return true;
	}
	return false;
}

/* --- one budget is not several ------------------------------------------------- */

/* The old grant that x is within: the one of its name, if it is, else any.
 * LAY_NONE: none. */
static uint32_t holder(const struct two *t, uint32_t x)
{
	uint32_t found = LAY_NONE;

	for (uint32_t k = 0; k < t->was->n_RULE; k++) {
		bool named = within_has(&t->known->named[x], k);

		if ((named || found == LAY_NONE) && grant_in(t, x, k))
			found = k;
		if (named && found == k)
			break;
	}
	return found;
}

/* A counter is of a rule and a party. How many of the new ones of x count what
 * one of the old rule for party p did? A ceiling's are of whatever parties the
 * vendors have, not of those in its own file: LAY_NONE. */
static unsigned counters(const struct two *t, uint32_t x, uint32_t p)
{
	struct cols c = within_cols_of(t->is, COL_GRANT, x);
	unsigned n = 0;

	if (p == LAY_NONE)
		return 1;
	for (uint32_t i = 0; i < t->is->n_PRTY; i++) {
		bool is = false;

		for (uint32_t k = c.from; k < c.to && !is; k++)
			is = within_picks(&t->is->SELS[t->is->COLS[k].sel], i);
		n += is && within_one(t, i, p);
	}
	return n;
}

/* Has every counter of old grant y at most one in its place? */
static bool undivided(const struct two *t, const uint32_t *held_by, uint32_t y)
{
	uint32_t n = t->was->RULE[y].kind == RULE_CEILING ? 0 : t->was->n_PRTY;

	for (uint32_t p = 0; p < (n ? n : 1); p++) {
		unsigned all = 0;

		for (uint32_t i = 0; i < t->is->n_RULE; i++) {
			if (held_by[i] == y)
				all += counters(t, i, n ? p : LAY_NONE);
		}
		if (all > 1)
			return false;
	}
	return true;
}

/* Is a party of the old image several now? Each would have a counter. */
static bool split_party(const struct two *t)
{
	for (uint32_t k = 0; k < t->was->n_PRTY; k++) {
		unsigned n = 0;

		for (uint32_t i = 0; i < t->is->n_PRTY; i++)
			n += within_one(t, i, k);
		if (n > 1)
			return true;
	}
	return false;
}

static bool budgets_in(const struct two *t, char *why, size_t cap)
{
	uint32_t held_by[LAY_MAX_RULES];
	bool all = true;

	for (uint32_t i = 0; i < t->is->n_RULE; i++)
		held_by[i] = is_grant(&t->is->RULE[i]) ? holder(t, i)
						       : LAY_NONE;
	for (uint32_t k = 0; k < t->was->n_RULE && within_more(t, all); k++) {
		const struct lay_rule *r = &t->was->RULE[k];

		if (is_grant(r) && r->limit_n && !undivided(t, held_by, k))
			all = within_no(why, cap, "the limits of '%s' count "
					"several times now",
					t->was->STRS + r->id);
	}
	for (uint32_t i = 0; i < t->is->n_LIMT && within_more(t, all); i++) {
		const struct lay_limit *l = &t->is->LIMT[i];

		if (top_level(l) && l->each & LAY_EACH_PARTY && split_party(t))
			all = within_no(why, cap, "the limit '%s' counts for "
					"more parties", t->is->STRS + l->id);
	}
	return all;
}

static bool denials_in(const struct two *t, char *why, size_t cap)
{
	bool all = true;

	for (uint32_t k = 0; k < t->was->n_RULE && within_more(t, all); k++) {
		bool in = t->was->RULE[k].kind != RULE_DENY;

		for (uint32_t i = 0; i < t->is->n_RULE && !in; i++)
			in = denies(t, i, k);
		if (!in)
			all = within_no(why, cap,
					"the denial '%s' is gone, or less",
					t->was->STRS + t->was->RULE[k].id);
	}
	return all;
}

static bool rules_in(const struct two *t, char *why, size_t cap)
{
	bool all = true;

	for (uint32_t i = 0; i < t->is->n_RULE && within_more(t, all); i++) {
		if (is_grant(&t->is->RULE[i]) && !some_grant(t, i))
			all = within_say(t, i, why, cap);
	}
	if (within_more(t, all))
		all &= budgets_in(t, why, cap);
	if (within_more(t, all))
		all &= denials_in(t, why, cap);
	return all;
}

static bool tops_in(const struct two *t, char *why, size_t cap)
{
	bool all = true;

	for (uint32_t k = 0; k < t->was->n_LIMT && within_more(t, all); k++) {
		bool in = !top_level(&t->was->LIMT[k]);

		for (uint32_t i = 0; i < t->is->n_LIMT && !in; i++)
			in = top_in(t, i, k);
		if (!in)
			all = within_no(why, cap,
					"the limit '%s' is gone, or less",
					t->was->STRS + t->was->LIMT[k].id);
	}
	return all;
}

static bool whole_in(const struct two *t, char *why, size_t cap)
{
	const struct pol_image *is = t->is, *was = t->was;
	bool all = true;

	if (is->META->monitor_until > was->META->monitor_until)
		all = within_no(why, cap, "it is on trial for longer");
	if (within_more(t, all) && t->by_name && !within_same_parties(is, was))
		all = within_no(why, cap, "parties that overlap are others");
	return all;
}

static bool parts_in(const struct two *t, char *why, size_t cap)
{
	bool all = true;

	switch (pol_image_kind(t->is)) {
	case POL_CUSTOMER:
		return within_customer(t, why, cap);
	case POL_BINDING:
		return within_binding(t, why, cap);
	default:
		all = rules_in(t, why, cap);
		if (within_more(t, all))
			all &= tops_in(t, why, cap);
		if (within_more(t, all))
			all &= within_baseline(t, why, cap);
		return all;
	}
}

static bool begin(struct two *t, const struct pol_image *is,
		  const struct pol_image *was, char *why, size_t cap)
{
	struct span a = pol_image_vm(is), b = pol_image_vm(was);

	why[0] = 0;
	if (pol_image_kind(is) != pol_image_kind(was))
		return within_no(why, cap, "it is a file of another kind");
	if (!span_eq(a, b))
		return within_no(why, cap,
				 "it is of machine '%.*s', and was of '%.*s'",
				 (int)a.n, (const char *)a.p, (int)b.n,
				 (const char *)b.p);
	return within_open(t, is, was) ||
	       within_no(why, cap, "there is no memory to compare them");
}

static bool all_in(struct two *t, char *why, size_t cap)
{
	bool all = whole_in(t, why, cap);

	if (within_more(t, all))
		all &= parts_in(t, why, cap);
	within_close(t);
	return all;
}

bool pol_within(const struct pol_image *is, const struct pol_image *was,
		char *why, size_t cap)
{
	struct two t;

	return begin(&t, is, was, why, cap) && all_in(&t, why, cap);
}

bool pol_within_told(const struct pol_image *is, const struct pol_image *was,
		     const struct pol_image *customer, char *why, size_t cap)
{
	struct two t;

	if (!begin(&t, is, was, why, cap))
		return false;
	t.all = t.answered = true;
	t.customer = customer;
	return all_in(&t, why, cap);
}

static bool bounds_in(const struct two *t, char *why, size_t cap)
{
	bool all = whole_in(t, why, cap);

	if (within_more(t, all))
		all &= budgets_in(t, why, cap);
	if (within_more(t, all))
		all &= denials_in(t, why, cap);
	if (within_more(t, all))
		all &= tops_in(t, why, cap);
	return all;
}

bool pol_within_bounds(const struct pol_image *is, const struct pol_image *was,
		       char *why, size_t cap)
{
	struct two t;
	bool in;

	if (!begin(&t, is, was, why, cap))
		return false;
	t.all = true;
	in = bounds_in(&t, why, cap);
	within_close(&t);
	return in;
}

void pol_within_rules(const struct pol_image *is, const struct pol_image *was,
		      struct within_rules *in)
{
	struct two t;
	char why[200];
	bool bounded;

	*in = (struct within_rules){{0}};
	if (!begin(&t, is, was, why, sizeof(why)))
		return;
	bounded = bounds_in(&t, why, sizeof(why));
	for (uint32_t x = 0; bounded && x < is->n_RULE; x++) {
		for (uint32_t y = 0; y < was->n_RULE; y++) {
			if (within_has(&t.known->named[x], y) &&
			    grant_in(&t, x, y) && within_kept(&t, x, y))
				within_set(in, x);
		}
	}
	within_close(&t);
}

void pol_within_grants(const struct pol_image *is, const struct pol_image *was,
		       struct within_rules *in)
{
	struct two t;
	char why[200];
	bool same;

	*in = (struct within_rules){{0}};
	if (!begin(&t, is, was, why, sizeof(why)))
		return;
	same = !t.by_name || within_same_parties(is, was);
	for (uint32_t x = 0; same && x < is->n_RULE; x++) {
		if (some_grant(&t, x))
			within_set(in, x);
	}
	within_close(&t);
}
