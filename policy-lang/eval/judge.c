/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message is judged, in the steps of policy-language section 15:
 *
 *   1 source  2 quarantine  3 party  4 dissection  5 denials
 *   6 grants and guards  7 limits  8 charge, set state
 *
 * Steps 1 to 4 end it at once; all failures of 5 to 7 are collected. Between
 * two machines there are two sides, each with its own layers.
 */
#include "policy-lang/eval/internal.h"

/* --- small helpers ------------------------------------------------------- */

void judge_begin(struct pol_state *st, struct now now, struct pol_decision *d)
{
	st_time(st, now);
	st->n_fail = st->n_pend = 0;
	st->spent_mark = st->n_spent;
	st->fails_cut = st->late = false;
	st->n_side = st->n_leaf_rule = 0;
	st->answered[0] = st->answered[1] = 0;
	d->permit = d->monitored = d->summary = false;
	d->action = POL_REFUSE;
	d->action_ns = d->wait_ns = d->defer_ns = 0;
	d->reasons = (struct reasons){0};
	d->reason = REASON_NONE;
	d->party = d->would_pass = (struct span){0};
	d->leaf = d->n_rules = d->n_budgets = 0;
	d->request_id = 0;
	d->refused_rules = 0;
	d->severity = d->notify = 0;
	d->text[0] = 0;
}

bool judge_monitors(const struct pol_state *st, int64_t until)
{
	return until && st->trusted && st->std_s < until &&
	       until - st->std_s <= POL_MONITOR_MOST_S;
}

/* --- sides --------------------------------------------------------------- */

void judge_add_side(struct pol_state *st, size_t m, enum dir dir, int party)
{
	struct side *sd = &st->side[st->n_side++];
	const struct machine *mc = &st->s->m[m];
	uint32_t p = party < 0 ? mc->n_party : (uint32_t)party;

	sd->m = m;
	sd->dir = dir;
	sd->party = party;
	sd->floors_only = sd->monitor = false;
	sd->floor_reason = REASON_NONE;
	sd->set = sd->clear = 0;
	for (int l = 0; l < LAYERS; l++) {
		sd->im[l] = set_image(st->s, m, (enum layer)l);
		sd->row[l] =
			sd->im[l] ? mc->rows[l] + (size_t)p * sd->im[l]->words
				  : NULL;
		sd->rule[l] = NO_RULE;
	}
	if (mc->vendor) {
		sd->monitor = judge_monitors(st,
					     mc->vendor->META->monitor_until);
		if (st_expired(st, m)) {
			sd->floors_only = true;
			sd->floor_reason = REASON_POLICY_EXPIRED;
		}
	}
	if (st_builtin(st, m, BUILTIN_QUARANTINED)) {
		sd->floors_only = true;
		sd->floor_reason = REASON_QUARANTINED;
	}
}

static bool has_floors(const struct machine *m)
{
	for (int w = 0; w < 4; w++) {
		if (m->floor_rules[w])
			return true;
	}
	return false;
}

/* The peer is a machine: it must grant it too, seen from its own side. */
void judge_add_peer(struct pol_state *st, size_t m, enum dir dir, int other)
{
	struct pol_peer self = {.machine = (int)m};
	enum reason why;
	int p;

	if (other < 0 || (size_t)other == m || st->one_sided)
		return;
	p = party_find(st->s, (size_t)other, &self, false, &why);
	judge_add_side(st, (size_t)other, dir == DIR_OUT ? DIR_IN : DIR_OUT, p);
	if (p < 0) {
		struct fail f = judge_fail(REASON_NO_GRANT, 1, LAYER_VENDOR, 0);

		fail_add(st, &f);
	}
}

/* Steps 1 to 3. False: it ends here. */
bool judge_identify(struct pol_state *st, size_t m, enum dir dir,
		    const struct pol_peer *peer, bool titles, bool one_sided,
		    struct pol_decision *d)
{
	const struct machine *mc = &st->s->m[m];
	int other = peer_machine(st->s, peer);
	enum reason why;
	int p = party_match(st->s, m, peer, other, titles, &why);
	struct fail f;

	judge_add_side(st, m, dir, p);
	if (st->side[0].floors_only && !has_floors(mc)) {
		f = judge_fail(st->side[0].floor_reason, 0, LAYER_VENDOR, 0);
		fail_add(st, &f);
		if (st->side[0].floor_reason == REASON_QUARANTINED)
			return false;
	}
	if (p < 0) {
		f = judge_fail(why, 0, LAYER_VENDOR, 0);
		fail_add(st, &f);
		return false;
	}
	d->party = img_party(mc->vendor, (uint32_t)p);
	if (!one_sided)
		judge_add_peer(st, m, dir, other);
	return true;
}

bool judge_blocked(const struct pol_state *st)
{
	for (uint32_t i = 0; i < st->n_fail; i++) {
		if (!st->fail[i].monitored)
			return true;
	}
	return st->fails_cut;
}

void judge_fail_now(struct pol_state *st, enum reason r)
{
	struct fail f = judge_fail(r, 0, LAYER_VENDOR, 0);

	fail_add(st, &f);
}

/* --- the whole
 * ----------------------------------------------------------------------------------------
 */

/* Steps 5 and 6 for the carrier and every leaf. */
static void judge_all(struct pol_state *st, const struct pol_msg *m,
		      const struct obs *leaves, uint32_t n, uint64_t id)
{
	uint32_t told = 0; /* the first leaf refused, else the first */
	bool carrier = false, found = false;
	struct look k;

	k.m = m;
	k.alone = n == 0;
	st->n_leaf_rule = n;
	for (uint32_t i = 0; i <= n; i++) {
		uint32_t before = st->n_fail;

		k.leaf = i ? i - 1 : 0;
		k.is_leaf = i > 0;
		k.o = i ? &leaves[i - 1] : m->message;
		if (!k.o || (!i && leaves == m->message))
			continue;
		k.meas = k.is_leaf ? obs_meas(k.o) : 0;
		if (k.o->dropped)
			judge_fail_now(st, REASON_MALFORMED);
		for (unsigned s = 0; s < st->n_side; s++) {
			look_side(st, s, &k, id);
			if (k.is_leaf)
				memcpy(st->leaf_rule[k.leaf][s],
				       st->side[s].rule,
				       sizeof(st->side[s].rule));
		}
		if (st->n_fail == before || found)
			continue;
		found = true;
		carrier = !k.is_leaf;
		told = k.leaf;
	}
	/* Those of the last one are there. */
	if (!carrier && (n == 0 || told == n - 1))
		return;
	for (unsigned s = 0; s < st->n_side; s++) {
		for (int l = 0; l < LAYERS; l++)
			st->side[s].rule[l] =
				carrier ? NO_RULE : st->leaf_rule[told][s][l];
	}
}

static void states_after(struct pol_state *st, const struct pol_msg *m,
			 bool permit)
{
	for (unsigned i = 0; i < st->n_side; i++) {
		const struct side *sd = &st->side[i];

		for (uint64_t s = sd->set; permit && s; s &= s - 1)
			st_set(st, sd->m, sd->party, m->flow,
			       (unsigned)__builtin_ctzll(s));
		for (uint64_t s = sd->clear; s; s &= s - 1)
			st_clear(st, sd->m, sd->party, m->flow,
				 (unsigned)__builtin_ctzll(s));
	}
}

/* Quarantine ends it at step 2, but refusing a message keeps no permission
 * alive (section 12): what it would clear it clears. Only if it is what it says
 * it is, and can be read. */
static void clear_in_quarantine(struct pol_state *st, const struct pol_msg *m,
				const struct obs *leaves, uint32_t n)
{
	uint32_t fails = st->n_fail;

	if (st->n_side == 0 || st->side[0].party < 0 ||
	    st->side[0].floor_reason != REASON_QUARANTINED ||
	    (m->refused && m->refused != REASON_UNKNOWN_KEY) ||
	    !party_sealed(st->s, m->machine, st->side[0].party, m))
		return;
	if (!m->one_sided)
		judge_add_peer(st, m->machine, m->dir,
			       peer_machine(st->s, &m->peer));
	st->n_fail = fails; /* it is told already why it is refused */
	for (uint32_t i = 0; i <= n; i++) {
		struct look k = {.m = m, .is_leaf = i > 0,
				 .o = i ? &leaves[i - 1] : m->message};

		if (!k.o || (!i && leaves == m->message))
			continue;
		k.meas = k.is_leaf ? obs_meas(k.o) : 0;
		for (unsigned s = 0; s < st->n_side; s++)
			look_clears(st, s, &k);
	}
	states_after(st, m, false);
}

/* Each leaf by the rule that granted it. */
static bool all_summary(const struct pol_state *st, const struct obs *leaves,
			uint32_t n)
{
	const struct pol_image *im = st->side[0].im[LAYER_VENDOR];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t rule = st->leaf_rule[i][0][LAYER_VENDOR];
		uint8_t audit;

		if (!im || rule == NO_RULE)
			return false;
		audit = im->RULE[rule].audit;
		if (audit == AUDIT_EACH ||
		    (audit == AUDIT_UNSET &&
		     obs_meas(&leaves[i]) & ~MEAS_ABOUT))
			return false;
	}
	return true;
}

static bool stages_1_to_4(struct pol_state *st, const struct pol_msg *m,
			  struct pol_decision *d)
{
	if (m->forged_source) {
		judge_add_side(st, m->machine, m->dir, -1);
		judge_fail_now(st, REASON_SPOOFED_SOURCE);
		return false;
	}
	if (st->live->n_undo > UNDO_MAX - UNDO_SPARE || m->n_leaves > LIMIT_LEAVES) {
		judge_add_side(st, m->machine, m->dir, -1);
		judge_fail_now(st, REASON_RESOURCE);
		return false;
	}
	if (!judge_identify(st, m->machine, m->dir, &m->peer, true,
			    m->one_sided, d))
		return false;
	if (!party_sealed(st->s, m->machine, st->side[0].party, m)) {
		judge_fail_now(st, REASON_PARTY_IDENTITY);
		return false;
	}
	/* Sealed content may be granted as what it is: opaque. */
	if (m->refused && m->refused != REASON_UNKNOWN_KEY) {
		judge_fail_now(st, m->refused);
		return false;
	}
	return true;
}

/* A message may be its own only observation. */
static uint32_t only_observation(const struct pol_msg *m,
				 const struct obs **leaves)
{
	*leaves = m->leaves;
	if (m->n_leaves || !m->message ||
	    obs_level((enum obs_kind)m->message->kind) == OBS_LEVEL_CARRIER)
		return m->n_leaves;
	*leaves = m->message;
	return 1;
}

bool judge_what_if(struct pol_state *st, const struct pol_msg *m,
		   struct now now, struct pol_decision *d)
{
	const struct obs *leaves;
	uint32_t n = only_observation(m, &leaves);

	st_now(st, now);
	st->n_fail = st->n_pend = 0;
	st->n_side = 0;
	if (!judge_identify(st, m->machine, m->dir, &m->peer, true,
			    m->one_sided, d))
		return false;
	judge_all(st, m, leaves, n, st->live->next_id);
	return !judge_blocked(st);
}

void pol_judge(struct pol_state *st, const struct pol_msg *m,
	       struct pol_decision *d)
{
	const struct obs *leaves;
	uint32_t n = only_observation(m, &leaves), mark = st->live->n_undo;
	uint64_t id = st->live->next_id++;

	judge_begin(st, m->now, d);
	if (!stages_1_to_4(st, m, d)) {
		tell_refusal(st, m, d);
		clear_in_quarantine(st, m, leaves, n);
		return;
	}
	/* Nothing is said in it, so no rule can be about it: what it carries
	 * all the same would leave unseen. */
	if (n == 0)
		judge_fail_now(st, REASON_NO_GRANT);
	judge_all(st, m, leaves, n, id);
	look_charge(st);
	if (st->fails_cut) /* more limits or failures than there is room for */
		judge_fail_now(st, REASON_RESOURCE);
	if (!judge_blocked(st) && !ledger_message(st, m, leaves, n))
		judge_fail_now(st, REASON_AUDIT_CLOSED);
	if (judge_blocked(st)) {
		st_undo(st, mark);
		share_undo(st, st->spent_mark);
		states_after(st, m, false);
		tell_refusal(st, m, d);
		tell_budgets(st, d);
		return;
	}
	states_after(st, m, true);
	course_note(st, m);
	d->permit = true;
	d->request_id = id;
	d->summary = all_summary(st, leaves, n);
	d->monitored = st->n_fail > 0;
	for (uint32_t i = 0; i < st->n_fail; i++)
		reasons_add(&d->reasons, st->fail[i].reason);
	d->reason = reasons_first(&d->reasons);
	tell_rules(st, d);
	tell_budgets(st, d);
	if (d->monitored)
		text_refusal(st, d);
}
