/* SPDX-License-Identifier: Apache-2.0 */
/* One observation, judged in one layer: steps 5 to 7. */
#include "policy-lang/eval/internal.h"

static void pend_rule(struct pol_state *st, unsigned side, enum layer l,
		      const struct lay_rule *r, const struct pol_msg *m,
		      const struct obs *o, meas_set meas, bool monitored)
{
	for (uint32_t i = 0; i < r->limit_n; i++)
		look_limit(st, side, l, r->limit_first + i, m, o, meas,
			   monitored);
}

void look_denials(struct pol_state *st, unsigned side, enum layer l,
		  const struct look *k)
{
	const struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[l];
	const struct img_words in = im->words_of[COL_DENY];

	for (uint32_t w = in.first; w < in.end; w++) {
		for (uint64_t b = k->hit[w] & im->mask[COL_DENY][w]; b;
		     b &= b - 1) {
			uint32_t c = w * 64 + (uint32_t)__builtin_ctzll(b);
			const struct lay_rule *r = &im->RULE[im->COLS[c].owner];
			struct fail f =
				judge_fail(REASON_DENIED, side, l, k->leaf);

			f.rule = im->COLS[c].owner;
			f.action = r->action;
			f.action_ns = r->action_ns;
			f.monitored = l == LAYER_VENDOR &&
				      (sd->monitor ||
				       judge_monitors(st, r->monitor_until));
			fail_add(st, &f);
		}
	}
}

void look_restrictions(struct pol_state *st, unsigned side,
		       const struct look *k)
{
	const struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[LAYER_CUSTOMER];
	const struct img_words in = im->words_of[COL_RESTRICT];

	for (uint32_t w = in.first; w < in.end; w++) {
		for (uint64_t b = k->hit[w] & im->mask[COL_RESTRICT][w]; b;
		     b &= b - 1) {
			uint32_t c = w * 64 + (uint32_t)__builtin_ctzll(b);
			const struct lay_rule *r = &im->RULE[im->COLS[c].owner];
			struct fail f =
				judge_fail(REASON_CUSTOMER_RESTRICTION, side,
					   LAYER_CUSTOMER, k->leaf);

			f.rule = im->COLS[c].owner;
			if (r->flags & LAY_RULE_BLOCK)
				fail_add(st, &f);
			if (r->guard != LAY_NONE &&
			    guard_when(st, sd, r, &im->GARD[r->guard], &f))
				fail_add(st, &f);
			if (sd->dir != DIR_OUT)
				continue;
			if (r->data != LAY_NONE && k->is_leaf)
				guard_data(st, &im->DATA[r->data], k->o,
					   k->meas & im->DATA[r->data].meas,
					   &f);
			pend_rule(st, side, LAYER_CUSTOMER, r, k->m, k->o,
				  k->meas, false);
		}
	}
}

static void limits_and_triggers(struct pol_state *st, unsigned side,
				enum layer l, const struct look *k)
{
	struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[l];
	const struct img_words in = im->words_after;

	for (uint32_t w = in.first; w < in.end; w++) {
		for (uint64_t b = k->hit[w] & im->mask_after[w]; b;
		     b &= b - 1) {
			uint32_t c = w * 64 + (uint32_t)__builtin_ctzll(b);
			const struct lay_col *col = &im->COLS[c];

			if (col->type == COL_SET)
				sd->set |= UINT64_C(1) << col->owner;
			else if (col->type == COL_CLEAR)
				sd->clear |= UINT64_C(1) << col->owner;
			else
				look_limit(st, side, l, col->owner, k->m, k->o,
					   k->meas,
					   l == LAYER_VENDOR && sd->monitor);
		}
	}
}

/* The one grant of a kind that selects it: by the bitmaps, then, when ranges
 * tell rules apart, by its data: the one whose data fails least. *bad: how
 * much fails; *many: more than one fits, and which to charge would be a guess.
 */
static uint32_t grant_of(struct pol_state *st, unsigned side, enum layer l,
			 const struct look *k, uint16_t kind, unsigned *bad,
			 bool *many)
{
	const struct pol_image *im = st->side[side].im[l];
	const uint64_t *of = match_kind(im, kind);
	struct fail f = judge_fail(REASON_NONE, side, l, k->leaf);
	uint32_t found = NO_RULE, last = NO_RULE, mark = st->n_fail;
	const struct img_words in = im->words_of[COL_GRANT];
	bool cut = st->fails_cut;

	*bad = UINT32_MAX;
	*many = false;
	for (uint32_t w = in.first; w < in.end; w++) {
		for (uint64_t b = k->hit[w] & im->mask[COL_GRANT][w] & of[w]; b;
		     b &= b - 1) {
			uint32_t c = w * 64 + (uint32_t)__builtin_ctzll(b);
			uint32_t r = im->COLS[c].owner;
			uint32_t data = im->RULE[r].data;
			unsigned n = 0;

			if (r == last) /* another of its observations */
				continue;
			last = r;
			if (data != LAY_NONE && k->meas & ~MEAS_ABOUT)
				n = guard_data(st, &im->DATA[data], k->o,
					       k->meas & ~MEAS_ABOUT, &f);
			st->n_fail = mark;
			*many |= n == 0 && *bad == 0;
			if (n < *bad) {
				*bad = n;
				found = r;
			}
		}
	}
	st->fails_cut = cut;
	return found;
}

/* What it is first decides; what it is as well, where no grant of that fits.
 * Of what cannot be read, that it is that says least. */
static uint32_t select_grant(struct pol_state *st, unsigned side, enum layer l,
			     const struct look *k, unsigned *bad, bool *many)
{
	bool sealed = k->o->kind == OBS_OPAQUE && k->o->also;
	uint16_t kind = sealed ? k->o->also : k->o->kind;
	uint16_t other = sealed ? k->o->kind : k->o->also;
	uint32_t first = grant_of(st, side, l, k, kind, bad, many), also;
	unsigned worse;
	bool guess;

	if (!other || *bad == 0)
		return first;
	also = grant_of(st, side, l, k, other, &worse, &guess);
	if (worse >= *bad)
		return first;
	*bad = worse;
	*many = guess;
	return also;
}

static bool floor_covers(const struct pol_state *st, const struct side *sd,
			 uint32_t rule, meas_set meas, uint32_t *limit)
{
	const struct machine *mc = &st->s->m[sd->m];
	const struct pol_image *b = st->s->base;

	*limit = LAY_NONE;
	if (!bit_get(mc->floor_rules, rule))
		return false;
	if (!meas)
		return true;
	for (uint32_t i = 0; b && i < b->n_FLOR; i++) {
		if (span_eq(img_str(b, b->FLOR[i].vm), mc->pub.name) &&
		    !(meas & ~b->FLOR[i].meas)) {
			*limit = b->FLOR[i].limit;
			return true;
		}
	}
	return false;
}

static void vendor_guards(struct pol_state *st, unsigned side,
			  const struct look *k, uint32_t rule, struct fail *f)
{
	const struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[LAYER_VENDOR];
	const struct lay_rule *r = &im->RULE[rule];
	const struct lay_guard *g =
		r->guard == LAY_NONE ? NULL : &im->GARD[r->guard];
	uint32_t floor;

	guard_rule(st, sd, r, g, k->m, f);
	if (!sd->floors_only)
		return;
	if (!floor_covers(st, sd, rule, k->meas & ~MEAS_ABOUT, &floor)) {
		struct fail no = *f;

		no.reason = sd->floor_reason;
		no.monitored = false;
		fail_add(st, &no);
	} else if (floor != LAY_NONE) {
		look_limit(st, side, LAYER_BASE, floor, k->m, k->o, k->meas,
			   false);
	}
}

/* May it be answered? The rest of a page that is sent is no other request. */
static bool asks(const struct look *k, bool asked)
{
	const struct obs *o = k->o;

	if (k->m->retry || (o->kind == OBS_HTTP_REQUEST && k->m->message &&
			    obs_has(k->m->message, F_CONTINUES)))
		return false;
	return obs_level((enum obs_kind)o->kind) == OBS_LEVEL_REQUEST || asked;
}

/* A connection that was opened when this rule's own count of them had no room,
 * for the sake of another rule, is only that one's. */
static void shut(struct pol_state *st, unsigned side, enum layer l,
		 const struct look *k, const struct fail *proto)
{
	const struct side *sd = &st->side[side];
	const struct lay_rule *r = &sd->im[l]->RULE[proto->rule];

	if (!bit_get(st->s->m[sd->m].connects[l], proto->rule))
		return;
	for (uint32_t i = 0; i < r->limit_n; i++) {
		uint32_t at =
			set_first_limit(st->s, sd->m, l) + r->limit_first + i;
		const struct lay_limit *lim = st->s->limit[at].l;
		struct fail f = *proto;

		if (!limit_connects(lim) ||
		    !st_is_shut(st, sd->m, k->m->flow, at))
			continue;
		f.reason = REASON_LIMIT_EXCEEDED;
		f.limit = at;
		f.have = FAIL_SHUT;
		f.need = 1;
		f.action = lim->action;
		f.action_ns = lim->action_ns;
		fail_add(st, &f);
	}
}

/* The rest of what was granted, and nothing else: whatever may carry what the
 * units in front of it carried may end as well. Only that selects the grant;
 * it is no reading. */
static uint32_t grant_of_rest(struct pol_state *st, unsigned side, enum layer l,
			      const struct look *k, unsigned *bad, bool *many)
{
	const struct side *sd = &st->side[side];
	const struct obs *message = k->m->message;
	struct look rest = *k;
	meas_set carried;

	if (!message || !obs_has(message, F_CONTINUES) ||
	    !obs_has(k->o, F_CONTINUES) || k->meas)
		return NO_RULE;
	carried = obs_get(message, F_CARRIED, 0) & MEAS_ALL & ~MEAS_ABOUT;
	if (!carried)
		return NO_RULE;
	match_obs(sd->im[l], sd->row[l], sd->dir, k->o, message, carried,
		  rest.hit);
	return select_grant(st, side, l, &rest, bad, many);
}

static void grants(struct pol_state *st, unsigned side, enum layer l,
		   const struct look *k, uint64_t id)
{
	struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[l];
	struct fail f = judge_fail(REASON_NO_GRANT, side, l, k->leaf);
	const struct lay_rule *r;
	unsigned bad;
	bool many;
	uint32_t rule =
		k->o->also ? select_grant(st, side, l, k, &bad, &many)
			   : grant_of(st, side, l, k, k->o->kind, &bad, &many);

	f.monitored = l == LAYER_VENDOR && sd->monitor;
	if (rule == NO_RULE)
		rule = grant_of_rest(st, side, l, k, &bad, &many);
	if (rule == NO_RULE && k->error_of >= 0) {
		if (l == LAYER_VENDOR)
			answer_take(st, sd, k->m, k->error_of);
		return;
	}
	if (rule == NO_RULE) {
		if (k->o->kind == OBS_OPAQUE)
			f.reason = REASON_OPAQUE;
		fail_add(st, &f);
		return;
	}
	r = &im->RULE[rule];
	sd->rule[l] = rule;
	f.rule = rule;
	f.monitored = l == LAYER_VENDOR &&
		      (sd->monitor || judge_monitors(st, r->monitor_until));
	if (bad)
		guard_data(st, &im->DATA[r->data], k->o, k->meas & ~MEAS_ABOUT,
			   &f);
	if (many)
		fail_add(st, &f);
	if (r->guard != LAY_NONE)
		guard_when(st, sd, r, &im->GARD[r->guard], &f);
	if (l == LAYER_VENDOR)
		vendor_guards(st, side, k, rule, &f);
	shut(st, side, l, k, &f);
	pend_rule(st, side, l, r, k->m, k->o, k->meas, f.monitored);
	if (l == LAYER_VENDOR && asks(k, bit_get(st->s->m[sd->m].asked, rule)))
		answer_ask(st, sd, k->m, rule, id);
}

/* Does anything select such a carrier that its leaves will not meet? */
static bool carrier_matters(const struct side *sd, enum layer l,
			    const struct obs *o)
{
	const struct pol_image *im = sd->im[l];
	const uint64_t *k = match_kind(im, o->kind);
	const uint64_t *d = im->dirs + sd->dir * im->words;
	const uint64_t *none = im->meas + MEAS_COUNT * im->words;
	uint64_t any = 0;

	if (!bit_get(im->carrier[sd->dir], o->kind))
		return false;
	for (uint32_t w = 0; w < im->words; w++)
		any |= k[w] & d[w] & none[w] & sd->row[l][w] &
		       ~im->by_leaves[w];
	return any != 0;
}

void look_clears(struct pol_state *st, unsigned side, struct look *k)
{
	struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[LAYER_VENDOR];

	if (!im || im->col_at[COL_CLEAR] == im->col_at[COL_CLEAR + 1] ||
	    (!k->is_leaf && !carrier_matters(sd, LAYER_VENDOR, k->o)))
		return;
	match_obs(im, sd->row[LAYER_VENDOR], sd->dir, k->o, k->m->message,
		  k->meas, k->hit);
	for (uint32_t c = im->col_at[COL_CLEAR]; c < im->col_at[COL_CLEAR + 1];
	     c++) {
		if (bit_get(k->hit, c))
			sd->clear |= UINT64_C(1) << im->COLS[c].owner;
	}
}

void look_side(struct pol_state *st, unsigned side, struct look *k, uint64_t id)
{
	struct side *sd = &st->side[side];

	if (!k->is_leaf && !k->alone &&
	    !bit_get(st->s->m[sd->m].carrier[sd->dir], k->o->kind))
		return;
	k->error_of = -1;
	if (k->is_leaf && pol_is_error(k->o, k->meas))
		k->error_of = answer_find(st, sd, k->m, NULL);
	for (int l = 0; l < LAYERS; l++) {
		sd->rule[l] = NO_RULE;
		if (!sd->im[l]) {
			struct fail f = judge_fail(REASON_NO_GRANT, side,
						   LAYER_VENDOR, k->leaf);

			if (l == LAYER_VENDOR && k->is_leaf)
				fail_add(st, &f);
			continue;
		}
		if (!k->is_leaf && !k->alone &&
		    !carrier_matters(sd, (enum layer)l, k->o))
			continue;
		match_obs(sd->im[l], sd->row[l], sd->dir, k->o, k->m->message,
			  k->meas, k->hit);
		look_denials(st, side, (enum layer)l, k);
		/* Budgets are told as in a file: what holds for all rules
		 * before what a rule has of its own. */
		limits_and_triggers(st, side, (enum layer)l, k);
		if (l == LAYER_CUSTOMER)
			look_restrictions(st, side, k);
		else if (k->is_leaf)
			grants(st, side, (enum layer)l, k, id);
	}
}
