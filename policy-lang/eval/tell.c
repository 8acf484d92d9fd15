/* SPDX-License-Identifier: Apache-2.0 */
/* What a decision says, and what a refusal costs. */
#include "policy-lang/eval/internal.h"

/* --- telling
 * ------------------------------------------------------------------------------------
 */

static const char *const layer_names[LAYERS] = {"baseline", "vendor",
						"customer"};

const char *text_layer(enum layer l)
{
	return layer_names[l];
}

static void put_rule(const struct pol_state *st, struct pol_decision *d,
		     const struct side *sd, enum layer l, uint32_t rule,
		     bool refused)
{
	const struct pol_image *im = sd->im[l];
	struct event_rule *r;

	if (d->n_rules >= EVENT_RULES)
		return;
	if (refused)
		d->refused_rules =
			(uint8_t)(d->refused_rules | 1u << d->n_rules);
	r = &d->rules[d->n_rules++];
	*r = st->s->m[sd->m].told[l];
	if (im && rule != NO_RULE) {
		r->rule = img_rule(im, rule);
		r->line = im->n_LOCS ? im->LOCS[rule].line : 0;
	}
}

/* How it is presented, and who is told. */
static void present(struct pol_decision *d, const struct side *sd,
		    enum layer l, uint32_t rule)
{
	const struct pol_image *im = sd->im[l];

	if (!im || rule == NO_RULE)
		return;
	if (im->RULE[rule].severity > d->severity)
		d->severity = im->RULE[rule].severity;
	d->notify |= im->RULE[rule].notify;
}

/* The first thing that failed in a layer of a side. */
static const struct fail *fail_in(const struct pol_state *st, unsigned side,
				  unsigned l)
{
	for (uint32_t i = 0; i < st->n_fail; i++) {
		if (st->fail[i].side == side && st->fail[i].layer == l)
			return &st->fail[i];
	}
	return NULL;
}

void tell_rules(struct pol_state *st, struct pol_decision *d)
{
	for (unsigned side = 0; side < st->n_side; side++) {
		const struct side *sd = &st->side[side];

		for (unsigned l = 0; l < LAYERS; l++) {
			const struct fail *f =
				st->n_fail ? fail_in(st, side, l) : NULL;
			uint32_t rule =
				f && f->rule != NO_RULE ? f->rule : sd->rule[l];

			if (!f && (!sd->im[l] || l == LAYER_CUSTOMER ||
				   (side == 1 && l != LAYER_VENDOR)))
				continue;
			put_rule(st, d, sd, (enum layer)l, rule, f != NULL);
			if (f || st->n_fail == 0)
				present(d, sd, (enum layer)l, rule);
			if (f && f->limit != LAY_NONE && rule == NO_RULE) {
				const struct set_limit *sl =
					&st->s->limit[f->limit];

				d->rules[d->n_rules - 1].rule =
					img_str(sl->im, sl->l->id);
			}
		}
	}
}

uint32_t pol_leaf_rules(struct pol_state *st, uint32_t leaf,
			struct pol_decision *d)
{
	if (leaf >= LIMIT_LEAVES)
		return 0;
	for (unsigned s = 0; s < st->n_side; s++)
		memcpy(st->side[s].rule, st->leaf_rule[leaf][s],
		       sizeof(st->side[s].rule));
	d->n_rules = 0;
	tell_rules(st, d);
	return d->n_rules;
}

void tell_budgets(struct pol_state *st, struct pol_decision *d)
{
	for (uint32_t i = 0; i < st->n_pend && d->n_budgets < EVENT_BUDGETS;
	     i++) {
		const struct set_limit *sl = &st->s->limit[st->pend[i].limit];
		struct event_budget *b;

		if (sl->l->kind == LIMIT_SPACING)
			continue;
		b = &d->budgets[d->n_budgets++];
		b->name = sl->name;
		b->used = share_used(st, st->pend[i].limit, st->pend[i].at,
				     limit_used(st, sl->l, st->pend[i].at));
		/* Charged by pol_packet, when it leaves: told as if it had. */
		if (st->pend[i].check_only && d->permit)
			b->used += st->pend[i].amount;
		b->limit =
			sl->l->kind == LIMIT_BUCKET ? sl->l->burst : sl->l->n;
	}
}

/* What a refusal does: the harshest of what the failed rules say. To defer
 * helps only when nothing but time is in the way, and not for long. */
static void choose_action(struct pol_state *st, struct pol_decision *d)
{
	static const enum pol_action of[] = {
		[ACTION_UNSET] = POL_REFUSE,
		[ACTION_REFUSE] = POL_REFUSE,
		[ACTION_DROP] = POL_DROP,
		[ACTION_RESET] = POL_RESET,
		[ACTION_DEFER] = POL_DEFER,
		[ACTION_QUARANTINE] = POL_QUARANTINE};
	bool defer = true;
	int64_t wait = 0, most = INT64_MAX;

	for (uint32_t i = 0; i < st->n_fail; i++) {
		const struct fail *f = &st->fail[i];
		enum pol_action a = of[f->action];

		if (f->monitored)
			continue;
		if (f->wait < 0)
			wait = -1;
		else if (wait >= 0 && f->wait > wait)
			wait = f->wait;
		if (a != POL_DEFER || f->wait < 0 || f->wait > f->action_ns)
			defer = false;
		if (a == POL_DEFER && f->action_ns < most)
			most = f->action_ns;
		if (a == POL_DEFER || a == POL_REFUSE || a <= d->action)
			continue;
		d->action = a;
		d->action_ns = f->action_ns;
	}
	d->wait_ns = wait > 0 ? wait : 0;
	if (st->n_fail && defer && d->action == POL_REFUSE && wait >= 0) {
		d->action = POL_DEFER;
		d->action_ns = wait;
		d->defer_ns = most;
	}
}

/* --- refusals: what they cost -------------------------------------------- */

/* A limit on refusals that is used up says what is done to the machine, or to
 * this message, if that is more than it met already. */
static void refused_too_often(struct pol_state *st, size_t m,
			      const struct lay_limit *lim,
			      struct pol_decision *d)
{
	enum pol_action a = lim->action == ACTION_DROP	  ? POL_DROP
			    : lim->action == ACTION_RESET ? POL_RESET
							  : POL_REFUSE;

	if (lim->action == ACTION_QUARANTINE)
		st_quarantine(st, m, lim->action_ns);
	else if (a > d->action)
		d->action = a;
}

static void charge_refusal(struct pol_state *st, unsigned side, enum layer l,
			   uint32_t limit, struct pol_decision *d)
{
	const struct side *sd = &st->side[side];
	uint32_t at = set_first_limit(st->s, sd->m, l) + limit;
	const struct lay_limit *lim = st->s->limit[at].l;
	uint32_t mark = st->live->n_undo, w;
	int64_t wait;

	if (lim->thing != THING_REFUSALS || lim->kind == LIMIT_SPACING ||
	    lim->kind >= LIMIT_DISTINCT)
		return;
	w = limit_at(st->s, at, sd->m, sd->party, 0);
	if (!share_charge(st, sd, at, w, 1, 0, false, &wait))
		refused_too_often(st, sd->m, lim, d);
	/* For good: nothing else writes these words, so they are only taken
	 * out of the log. */
	st->live->n_undo = mark;
	st->n_spent = st->spent_mark;
}

/* Those of the grants that were about a part of it: each once. */
static void rule_refusals(struct pol_state *st, enum layer l,
			  struct pol_decision *d)
{
	const struct pol_image *im = st->side[0].im[l];
	uint64_t seen[LAY_MAX_RULES / 64] = {0};

	for (uint32_t i = 0; im && i < st->n_leaf_rule; i++) {
		uint32_t rule = st->leaf_rule[i][0][l];
		const struct lay_rule *r;

		if (rule == NO_RULE || bit_get(seen, rule))
			continue;
		seen[rule / 64] |= UINT64_C(1) << (rule % 64);
		r = &im->RULE[rule];
		for (uint32_t k = 0; k < r->limit_n; k++)
			charge_refusal(st, 0, l, r->limit_first + k, d);
	}
}

static void refusal_limits(struct pol_state *st, const struct pol_msg *m,
			   struct pol_decision *d)
{
	struct look k = {.m = m};

	for (int l = 0; l < LAYER_CUSTOMER; l++)
		rule_refusals(st, (enum layer)l, d);
	for (int l = 0; l < LAYERS; l++) {
		const struct side *sd = &st->side[0];
		const struct pol_image *im = sd->im[l];
		uint64_t any[LAY_WORDS];

		if (!im || im->col_at[COL_LIMIT] == im->col_at[COL_LIMIT + 1])
			continue;
		match_bare(im, sd->row[l], sd->dir, any);
		for (uint32_t i = 0; i < m->n_leaves && i < 64; i++) {
			match_obs(im, sd->row[l], sd->dir, &m->leaves[i],
				  m->message, obs_meas(&m->leaves[i]), k.hit);
			for (uint32_t w = 0; w < im->words; w++)
				any[w] |= k.hit[w];
		}
		for (uint32_t c = im->col_at[COL_LIMIT];
		     c < im->col_at[COL_LIMIT + 1]; c++) {
			/* Columns of one limit stand side by side. */
			bool again =
				c > im->col_at[COL_LIMIT] &&
				im->COLS[c - 1].owner == im->COLS[c].owner &&
				bit_get(any, c - 1);

			if (bit_get(any, c) && !again)
				charge_refusal(st, 0, (enum layer)l,
					       im->COLS[c].owner, d);
		}
	}
}

/* m: the message refused; NULL: a packet, which is none. */
void tell_refusal(struct pol_state *st, const struct pol_msg *m,
		  struct pol_decision *d)
{
	for (uint32_t i = st->n_fail; i > 0; i--) {
		reasons_add(&d->reasons, st->fail[i - 1].reason);
		if (st->fail[i - 1].leaf != LAY_NONE)
			d->leaf = st->fail[i - 1].leaf;
	}
	d->reason = reasons_first(&d->reasons);
	choose_action(st, d);
	tell_rules(st, d);
	if (st->asking)
		m = NULL;
	else if (d->action == POL_QUARANTINE)
		st_quarantine(st, st->side[0].m, d->action_ns);
	/* What our own disk refused costs the guest nothing. */
	if (reasons_has(&d->reasons, REASON_AUDIT_CLOSED))
		m = NULL;
	if (m)
		ledger_refusal(st);
	if (m && st->s->m[st->side[0].m].refusal_limits)
		refusal_limits(st, m, d);
	text_refusal(st, d);
	would_pass(st, m, d);
}
