/* SPDX-License-Identifier: Apache-2.0 */
/* One observation, judged in one layer: steps 5 to 7. */
#include "policy-lang/eval/internal.h"

/* --- limits a message charges -------------------------------------------- */

#define X(id, name, cls, plain)                                                \
	| (MEAS_CLASS_##cls == MEAS_CLASS_SNAPSHOT ? MEAS_BIT(MEAS_##id) : 0)
static const meas_set each_time = MEAS_BIT(MEAS_CONTROL_LOAD)
#include "core/meas.def"
	;
#undef X

uint64_t look_moments(const struct obs *o, meas_set meas)
{
	uint64_t n = meas & each_time ? obs_get(o, F_READINGS, 1) : 1;

	return n ? n : 1;
}

/* meas: the types that count. */
static uint64_t amount_of(const struct pol_msg *m, const struct lay_limit *l,
			  const struct obs *o, meas_set meas, bool *unknown)
{
	if (l->kind == LIMIT_SPACING) /* several at once are not apart */
		*unknown = look_moments(o, meas) > 1;
	if (l->kind == LIMIT_SPACING || l->kind == LIMIT_DISTINCT)
		return 1;
	switch (l->thing) {
	case THING_BYTES:
		return m->octets;
	case THING_PACKETS:
		return m->packets ? m->packets : 1;
	case THING_VALUES:
		*unknown = !obs_has(o, F_VALUES);
		return obs_get(o, F_VALUES, 0);
	case THING_MESSAGES:
	case THING_READINGS:
		return look_moments(o, meas);
	default:
		return 1;
	}
}

/* Whom a limit of that layer counts as one: of several machines, whoever is of
 * one operator. */
static uint64_t whom(const struct pol_state *st, const struct side *sd,
		     const struct set_limit *sl)
{
	const struct machine *mc = &st->s->m[sd->m];
	uint32_t p = sd->party < 0 ? mc->n_party : (uint32_t)sd->party;

	return sl->layer == LAYER_VENDOR ? ledger_party(st, sd)
					 : st->mem.names[mc->group[p]];
}

static uint64_t hash_of(struct pol_state *st, uint32_t limit,
			const struct obs *o, const struct obs *carrier,
			const struct side *sd)
{
	const struct sipkey *sip = share_key(st, limit);
	const struct lay_limit *l = st->s->limit[limit].l;
	const struct obs *from = o;
	struct {
		uint64_t field, value;
	} key = {l->distinct, 0};

	if (l->distinct == 0xffff) {
		key.value = whom(st, sd, &st->s->limit[limit]);
		return siphash24(sip, span_of(&key, sizeof(key)));
	}
	if (!obs_has(o, (enum field)l->distinct) && carrier)
		from = carrier;
	switch (field_type((enum field)l->distinct)) {
	case FIELD_SPAN:
	case FIELD_TEXT:
	case FIELD_OID:
		return siphash24(sip, obs_get_span(from,
						   (enum field)l->distinct));
	default:
		key.value = obs_get(from, (enum field)l->distinct, 0);
		return siphash24(sip, span_of(&key, sizeof(key)));
	}
}

/* Does it show a value of what has to be distinct? A frame, or a message of
 * another kind, has none, and takes no place. What should name one and does
 * not has one that nobody knows, which takes a place of its own. */
static bool has_value(const struct lay_limit *l, const struct obs *o,
		      const struct obs *carrier, bool carried)
{
	enum obs_kind k = (enum obs_kind)o->kind;

	if (l->distinct == 0xffff || obs_has(o, (enum field)l->distinct))
		return true;
	if (obs_level(k) == OBS_LEVEL_CARRIER)
		return false;
	if (carrier && obs_has(carrier, (enum field)l->distinct))
		return true;
	switch (l->distinct) {
	case F_TABLE:
		return obs_family(k) == OBS_FAMILY_C1222 &&
		       (carried || k == OBS_C1222_READ_REQUEST ||
			k == OBS_C1222_WRITE_REQUEST);
	case F_HREF:
		return obs_family(k) == OBS_FAMILY_OBIX &&
		       (carried || k == OBS_OBIX_READ_REQUEST ||
			k == OBS_OBIX_WRITE_REQUEST ||
			k == OBS_OBIX_INVOKE_REQUEST ||
			k == OBS_OBIX_DELETE_REQUEST);
	case F_PATH:
		return k == OBS_HTTP_REQUEST;
	case F_USER_ID:
		return k == OBS_C1222_LOGON_REQUEST ||
		       k == OBS_C1222_SECURITY_REQUEST;
	default: /* of a number */
		return carried;
	}
}

/* The one filled in behind the last is pending too, unless it is already. */
static void pend(struct pol_state *st)
{
	const struct pending *p = &st->pend[st->n_pend];

	for (struct pending *q = st->pend; q < p; q++) {
		if (q->limit != p->limit || q->at != p->at ||
		    q->hash != p->hash)
			continue;
		/* Numbers add up over the leaves; messages and readings are as
		 * many as the leaf has that has most, octets those of the
		 * message. */
		if (st->s->limit[p->limit].l->thing == THING_VALUES)
			q->amount += p->amount;
		else if (q->amount < p->amount)
			q->amount = p->amount;
		q->unknown |= p->unknown;
		return;
	}
	if (st->n_pend < PENDING)
		st->n_pend++;
	else
		st->fails_cut = true;
}

meas_set look_each_time(meas_set meas)
{
	return meas & each_time;
}

meas_set look_new_types(const struct pol_msg *m, meas_set meas)
{
	return meas & ~(obs_get(m->message, F_CARRIED, 0) & ~each_time);
}

/* Is this a limit on how often, and the unit only goes on with what was
 * counted with the first one? It is no new message, and no new reading of
 * types that the message carried before. But a snapshot or a command is both:
 * a message may last as long as its sender likes.
 * *meas: the types that are left to count. */
static bool counted(const struct lay_limit *l, const struct pol_msg *m,
		    meas_set *meas)
{
	if (!m->message || !obs_has(m->message, F_CONTINUES) ||
	    l->kind == LIMIT_DISTINCT)
		return false;
	if (l->kind != LIMIT_SPACING && l->thing != THING_READINGS &&
	    l->thing != THING_MESSAGES)
		return false;
	*meas = look_new_types(m, *meas);
	if (l->kind != LIMIT_SPACING && l->thing == THING_MESSAGES)
		*meas &= each_time;
	return (*meas & (l->meas ? l->meas : MEAS_ALL) & ~MEAS_ABOUT) == 0;
}

/* A limit of layer l that observation o falls under. */
void look_limit(struct pol_state *st, unsigned side, enum layer l,
		uint32_t index, const struct pol_msg *m, const struct obs *o,
		meas_set meas, bool monitored)
{
	const struct side *sd = &st->side[side];
	uint32_t at = set_first_limit(st->s, sd->m, l) + index;
	const struct set_limit *sl = &st->s->limit[at];
	const struct lay_limit *lim = sl->l;
	struct pending *p = &st->pend[st->n_pend], each;
	bool carried = (meas & ~MEAS_ABOUT) != 0;

	if (m->retry || !sl->by_message || (sl->by_reading && !carried) ||
	    counted(lim, m, &meas) ||
	    (lim->kind == LIMIT_DISTINCT &&
	     !has_value(lim, o, m->message, carried)))
		return;
	/* The other end counts what is common once. */
	if (side == 1 && l != LAYER_VENDOR && !sl->by_vm)
		return;
	p->limit = at;
	p->unknown = false;
	p->hash = lim->kind == LIMIT_DISTINCT
			  ? hash_of(st, at, o, m->message, sd)
			  : 0;
	p->check_only = sl->check_only;
	p->monitored = monitored;
	p->side = (uint8_t)side;
	if (!sl->by_meas) {
		p->amount = amount_of(m, lim, o,
				      meas & (lim->meas ? lim->meas : MEAS_ALL),
				      &p->unknown);
		p->at = limit_at(st->s, at, sd->m, sd->party, 0);
		pend(st);
		return;
	}
	each = *p;
	for (meas_set s = meas & (lim->meas ? lim->meas : MEAS_ALL); s;
	     s &= s - 1) {
		p = &st->pend[st->n_pend];
		*p = each;
		p->amount = amount_of(m, lim, o, s & (~s + 1), &p->unknown);
		p->at = limit_at(st->s, at, sd->m, sd->party,
				 (unsigned)__builtin_ctzll(s));
		pend(st);
	}
}

static void pend_rule(struct pol_state *st, unsigned side, enum layer l,
		      const struct lay_rule *r, const struct pol_msg *m,
		      const struct obs *o, meas_set meas, bool monitored)
{
	for (uint32_t i = 0; i < r->limit_n; i++)
		look_limit(st, side, l, r->limit_first + i, m, o, meas,
			   monitored);
}

/* Several new values of one message: a place for one is not enough, and for all
 * there may never be. */
static bool several(const struct pol_state *st, const struct pending *p)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < st->n_pend; i++)
		n += st->pend[i].limit == p->limit && st->pend[i].at == p->at;
	return n > 1;
}

/* Step 7 and 8: everything pending has room, or nothing is charged. */
void look_charge(struct pol_state *st)
{
	for (uint32_t i = 0; i < st->n_pend; i++) {
		struct pending *p = &st->pend[i];
		const struct set_limit *sl = &st->s->limit[p->limit];
		struct fail f;
		int64_t wait = -1;

		if (!p->unknown &&
		    share_charge(st, &st->side[p->side], p->limit, p->at,
				 p->amount, p->hash, p->check_only, &wait))
			continue;
		f = judge_fail(sl->l->kind == LIMIT_SPACING
				       ? REASON_TOO_SOON
				       : REASON_LIMIT_EXCEEDED,
			       p->side, (enum layer)sl->layer, LAY_NONE);
		f.rule = sl->l->rule;
		f.limit = p->limit;
		f.wait = several(st, p) ? -1 : wait;
		f.have =
			p->unknown ? -1 : (int64_t)limit_used(st, sl->l, p->at);
		f.need = (int64_t)p->amount;
		f.monitored = p->monitored;
		f.action = sl->l->action;
		f.action_ns = sl->l->action_ns;
		if (sl->l->flags & LAY_LIMIT_FLOOR)
			f.reason = st->side[p->side].floor_reason;
		fail_add(st, &f);
	}
}

/* --- one observation in one layer ---------------------------------------- */

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
