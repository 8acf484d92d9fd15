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

#define LIMIT_LEAVES 1024 /* of one message; more are refused */

/* --- small helpers ----------------------------------------------------------------- */

static bool get_bit(const uint64_t *w, uint32_t i)
{
	return w[i / 64] >> (i % 64) & 1;
}

static void begin(struct pol_state *st, struct now now,
		  struct pol_decision *d)
{
	st->now = now;
	st->trusted = st->clock_forced < 0 ? now.wall.trusted :
					     st->clock_forced > 0;
	if (st->trusted && wall_s(now.wall) > st->wall_max_s)
		st->wall_max_s = wall_s(now.wall);
	st->n_fail = st->n_pend = 0;
	st->fails_cut = false;
	st->n_side = 0;
	st->reported = LAY_NONE;
	d->permit = d->monitored = d->summary = false;
	d->action = POL_REFUSE;
	d->action_ns = d->wait_ns = 0;
	d->reasons = (struct reasons){0};
	d->reason = REASON_NONE;
	d->party = d->would_pass = (struct span){0};
	d->leaf = d->n_rules = d->n_budgets = 0;
	d->request_id = 0;
	d->refused_rules = 0;
	d->text[0] = 0;
}

static struct fail fail_of(enum reason r, unsigned side, enum layer l,
			   uint32_t leaf)
{
	return (struct fail){.reason = r, .side = (uint8_t)side,
			     .layer = (uint8_t)l, .rule = NO_RULE,
			     .limit = LAY_NONE, .leaf = leaf, .wait = -1};
}

static bool monitoring(const struct pol_state *st, int64_t until)
{
	return until && st->trusted && std_s(st) < until;
}

/* --- sides ------------------------------------------------------------------------- */

static void add_side(struct pol_state *st, size_t m, enum dir dir, int party)
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
	sd->refused = 0;
	for (int l = 0; l < LAYERS; l++) {
		sd->im[l] = set_image(st->s, m, (enum layer)l);
		sd->row[l] = sd->im[l] ? mc->rows[l] +
						 (size_t)p * sd->im[l]->words :
					 NULL;
		sd->rule[l] = NO_RULE;
	}
	if (mc->vendor) {
		const struct lay_meta *v = mc->vendor->META;
		int64_t t = std_s(st);

		sd->monitor = monitoring(st, v->monitor_until);
		if ((v->not_before && t < v->not_before) ||
		    (v->not_after && t >= v->not_after)) {
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
static void add_peer_side(struct pol_state *st, size_t m, enum dir dir,
			  const struct pol_peer *peer)
{
	struct pol_peer self = {.machine = (int)m};
	int other = peer_machine(st->s, peer);
	enum reason why;
	int p;

	if (other < 0 || (size_t)other == m)
		return;
	p = party_find(st->s, (size_t)other, &self, false, &why);
	add_side(st, (size_t)other, dir == DIR_OUT ? DIR_IN : DIR_OUT, p);
	if (p < 0) {
		struct fail f = fail_of(REASON_NO_GRANT, 1, LAYER_VENDOR, 0);

		fail_add(st, &f);
	}
}

/* Steps 1 to 3. False: it ends here. */
static bool identify(struct pol_state *st, size_t m, enum dir dir,
		     const struct pol_peer *peer, bool titles, bool one_sided,
		     struct pol_decision *d)
{
	const struct machine *mc = &st->s->m[m];
	enum reason why;
	int p = party_find(st->s, m, peer, titles, &why);
	struct fail f;

	add_side(st, m, dir, p);
	if (st->side[0].floors_only && !has_floors(mc)) {
		f = fail_of(st->side[0].floor_reason, 0, LAYER_VENDOR, 0);
		fail_add(st, &f);
		if (st->side[0].floor_reason == REASON_QUARANTINED)
			return false;
	}
	if (p < 0) {
		f = fail_of(why, 0, LAYER_VENDOR, 0);
		fail_add(st, &f);
		return false;
	}
	d->party = img_str(mc->vendor, mc->vendor->PRTY[p].id);
	if (!one_sided)
		add_peer_side(st, m, dir, peer);
	return true;
}

/* --- limits a message charges --------------------------------------------------------- */

static uint64_t amount_of(const struct pol_msg *m, const struct lay_limit *l,
			  const struct obs *o, bool *unknown)
{
	if (l->kind == LIMIT_SPACING || l->kind == LIMIT_DISTINCT)
		return 1;
	switch (l->thing) {
	case THING_BYTES:
		return m->octets;
	case THING_VALUES:
		*unknown = !obs_has(o, F_VALUES);
		return obs_get(o, F_VALUES, 0);
	default:
		return 1;
	}
}

static uint64_t hash_of(const struct pol_state *st, const struct lay_limit *l,
			const struct obs *o, const struct obs *carrier,
			int party)
{
	const struct obs *from = o;
	struct {
		uint64_t field, value;
	} key = {l->distinct, 0};

	if (l->distinct == 0xffff) {
		key.value = (uint64_t)(party + 1);
		return siphash24(&st->key, span_of(&key, sizeof(key)));
	}
	if (!obs_has(o, (enum field)l->distinct) && carrier)
		from = carrier;
	switch (field_type((enum field)l->distinct)) {
	case FIELD_SPAN:
	case FIELD_TEXT:
	case FIELD_OID:
		return siphash24(&st->key,
				 obs_get_span(from, (enum field)l->distinct));
	default:
		key.value = obs_get(from, (enum field)l->distinct, 0);
		return siphash24(&st->key, span_of(&key, sizeof(key)));
	}
}

static void pend(struct pol_state *st, struct pending p)
{
	for (uint32_t i = 0; i < st->n_pend; i++) {
		struct pending *q = &st->pend[i];

		if (q->limit != p.limit || q->at != p.at || q->hash != p.hash)
			continue;
		/* Numbers add up over the leaves; a message is one message,
		 * a reading one reading, octets those of the message. */
		if (st->s->limit[p.limit].l->thing == THING_VALUES)
			q->amount += p.amount;
		q->unknown |= p.unknown;
		return;
	}
	if (st->n_pend < PENDING)
		st->pend[st->n_pend++] = p;
	else
		st->fails_cut = true;
}

/* A limit of layer l that observation o falls under. */
static void pend_limit(struct pol_state *st, unsigned side, enum layer l,
		       uint32_t index, const struct pol_msg *m,
		       const struct obs *o, meas_set meas, bool monitored)
{
	const struct side *sd = &st->side[side];
	uint32_t at = set_first_limit(st->s, sd->m, l) + index;
	const struct set_limit *sl = &st->s->limit[at];
	const struct lay_limit *lim = sl->l;
	struct pending p = {.limit = at, .monitored = monitored,
			    .side = (uint8_t)side};
	bool carried = (meas & ~MEAS_ABOUT) != 0;

	if (m->retry || lim->thing == THING_CONNECTIONS ||
	    lim->thing == THING_REFUSALS || lim->kind == LIMIT_CONCURRENT)
		return;
	if (lim->kind != LIMIT_SPACING && lim->kind != LIMIT_DISTINCT) {
		if ((lim->thing == THING_READINGS ||
		     lim->thing == THING_VALUES) && !carried)
			return;
		p.check_only = (lim->thing == THING_BYTES ||
				lim->thing == THING_PACKETS) &&
			       !(lim->flags & LAY_LIMIT_MATCH);
	}
	/* The other end counts what is common once. */
	if (side == 1 && l != LAYER_VENDOR && !sl->by_vm)
		return;
	p.amount = amount_of(m, lim, o, &p.unknown);
	if (lim->kind == LIMIT_DISTINCT)
		p.hash = hash_of(st, lim, o, m->message, sd->party);
	if (!sl->by_meas) {
		p.at = limit_at(st->s, at, sd->m, sd->party, 0);
		pend(st, p);
		return;
	}
	for (meas_set s = meas & (lim->meas ? lim->meas : MEAS_ALL); s;
	     s &= s - 1) {
		p.at = limit_at(st->s, at, sd->m, sd->party,
				(unsigned)__builtin_ctzll(s));
		pend(st, p);
	}
}

static void pend_rule(struct pol_state *st, unsigned side, enum layer l,
		      const struct lay_rule *r, const struct pol_msg *m,
		      const struct obs *o, meas_set meas, bool monitored)
{
	for (uint32_t i = 0; i < r->limit_n; i++)
		pend_limit(st, side, l, r->limit_first + i, m, o, meas,
			   monitored);
}

/* Step 7 and 8: everything pending has room, or nothing is charged. */
static void charge_all(struct pol_state *st)
{
	for (uint32_t i = 0; i < st->n_pend; i++) {
		struct pending *p = &st->pend[i];
		const struct set_limit *sl = &st->s->limit[p->limit];
		uint32_t mark = st->n_undo;
		struct fail f;
		int64_t wait = -1;
		bool room;

		room = !p->unknown && limit_charge(st, sl->l, p->at, p->amount,
						   p->hash, &wait);
		if (room && !p->check_only)
			continue;
		st_undo(st, mark);
		if (room)
			continue;
		f = fail_of(sl->l->kind == LIMIT_SPACING ?
				    REASON_TOO_SOON : REASON_LIMIT_EXCEEDED,
			    p->side, (enum layer)sl->layer, LAY_NONE);
		f.rule = sl->l->rule;
		f.limit = p->limit;
		f.wait = wait;
		f.have = p->unknown ? -1 :
				      (int64_t)limit_used(st, sl->l, p->at);
		f.need = (int64_t)p->amount;
		f.monitored = p->monitored;
		f.action = sl->l->action;
		f.action_ns = sl->l->action_ns;
		if (sl->l->flags & LAY_LIMIT_FLOOR)
			f.reason = st->side[p->side].floor_reason;
		fail_add(st, &f);
	}
}

/* --- one observation in one layer ---------------------------------------------------------- */

struct look { /* what is being judged */
	const struct pol_msg *m;
	const struct obs *o;
	meas_set meas;
	uint32_t leaf;
	bool is_leaf;
	bool implicit; /* an error that answers a request: needs no rule */
	uint64_t hit[LAY_WORDS];
};

static void denials(struct pol_state *st, unsigned side, enum layer l,
		    const struct look *k)
{
	const struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[l];

	for (uint32_t w = 0; w < im->words; w++) {
		for (uint64_t b = k->hit[w] & im->mask[COL_DENY][w]; b;
		     b &= b - 1) {
			uint32_t c = w * 64 + (uint32_t)__builtin_ctzll(b);
			const struct lay_rule *r = &im->RULE[im->COLS[c].owner];
			struct fail f = fail_of(REASON_DENIED, side, l,
						k->leaf);

			f.rule = im->COLS[c].owner;
			f.action = r->action;
			f.action_ns = r->action_ns;
			f.monitored = l == LAYER_VENDOR &&
				      (sd->monitor ||
				       monitoring(st, r->monitor_until));
			fail_add(st, &f);
		}
	}
}

static void restrictions(struct pol_state *st, unsigned side,
			 const struct look *k)
{
	const struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[LAYER_CUSTOMER];

	for (uint32_t w = 0; w < im->words; w++) {
		for (uint64_t b = k->hit[w] & im->mask[COL_RESTRICT][w]; b;
		     b &= b - 1) {
			uint32_t c = w * 64 + (uint32_t)__builtin_ctzll(b);
			const struct lay_rule *r = &im->RULE[im->COLS[c].owner];
			struct fail f = fail_of(REASON_CUSTOMER_RESTRICTION,
						side, LAYER_CUSTOMER, k->leaf);

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
	uint32_t from = im->col_at[COL_LIMIT];

	for (uint32_t w = from / 64; w < im->words; w++) {
		uint64_t b = k->hit[w] &
			     (im->mask[COL_LIMIT][w] | im->mask[COL_SET][w] |
			      im->mask[COL_CLEAR][w]);

		for (; b; b &= b - 1) {
			uint32_t c = w * 64 + (uint32_t)__builtin_ctzll(b);
			const struct lay_col *col = &im->COLS[c];

			if (col->type == COL_SET)
				sd->set |= UINT64_C(1) << col->owner;
			else if (col->type == COL_CLEAR)
				sd->clear |= UINT64_C(1) << col->owner;
			else
				pend_limit(st, side, l, col->owner, k->m, k->o,
					   k->meas,
					   l == LAYER_VENDOR && sd->monitor);
		}
	}
}

/* The one grant that selects it: by the bitmaps, then, when ranges tell rules
 * apart, by its data: the one whose data fails least. *bad: how much fails;
 * *many: more than one fits, and which to charge would be a guess. */
static uint32_t select_grant(struct pol_state *st, unsigned side, enum layer l,
			     const struct look *k, unsigned *bad, bool *many)
{
	const struct pol_image *im = st->side[side].im[l];
	struct fail f = fail_of(REASON_NONE, side, l, k->leaf);
	uint32_t found = NO_RULE, last = NO_RULE, mark = st->n_fail;
	bool cut = st->fails_cut;

	*bad = UINT32_MAX;
	*many = false;
	for (uint32_t w = 0; w < im->words; w++) {
		for (uint64_t b = k->hit[w] & im->mask[COL_GRANT][w]; b;
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

static bool floor_covers(const struct pol_state *st, const struct side *sd,
			 uint32_t rule, meas_set meas, uint32_t *limit)
{
	const struct machine *mc = &st->s->m[sd->m];
	const struct pol_image *b = st->s->base;

	*limit = LAY_NONE;
	if (!get_bit(mc->floor_rules, rule))
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
	const struct lay_guard *g = r->guard == LAY_NONE ? NULL :
							   &im->GARD[r->guard];
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
		pend_limit(st, side, LAYER_BASE, floor, k->m, k->o, k->meas,
			   false);
	}
}

static void grants(struct pol_state *st, unsigned side, enum layer l,
		   const struct look *k, uint64_t id)
{
	struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[l];
	struct fail f = fail_of(REASON_NO_GRANT, side, l, k->leaf);
	const struct lay_rule *r;
	unsigned bad;
	bool many;
	uint32_t rule = select_grant(st, side, l, k, &bad, &many);

	f.monitored = l == LAYER_VENDOR && sd->monitor;
	if (rule == NO_RULE && k->implicit)
		return;
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
		      (sd->monitor || monitoring(st, r->monitor_until));
	if (bad)
		guard_data(st, &im->DATA[r->data], k->o,
			   k->meas & ~MEAS_ABOUT, &f);
	if (many)
		fail_add(st, &f);
	if (r->guard != LAY_NONE)
		guard_when(st, sd, r, &im->GARD[r->guard], &f);
	if (l == LAYER_VENDOR)
		vendor_guards(st, side, k, rule, &f);
	pend_rule(st, side, l, r, k->m, k->o, k->meas, f.monitored);
	if (l == LAYER_VENDOR && !k->m->retry &&
	    (obs_level((enum obs_kind)k->o->kind) == OBS_LEVEL_REQUEST ||
	     get_bit(st->s->m[sd->m].asked, rule)))
		answer_ask(st, sd, k->m, rule, id);
}

static bool is_error(const struct obs *o)
{
	return o->kind == OBS_C1222_ERROR ||
	       (o->kind == OBS_HTTP_RESPONSE &&
		obs_get(o, F_STATUS, 0) >= 400);
}

static void judge_side(struct pol_state *st, unsigned side, struct look *k,
		       uint64_t id)
{
	struct side *sd = &st->side[side];

	k->implicit = false;
	if (k->is_leaf && is_error(k->o) && !k->meas) {
		int a = answer_find(st, sd, k->m, NULL);

		k->implicit = a >= 0;
		if (a >= 0)
			answer_take(st, sd->m, a);
	}
	for (int l = 0; l < LAYERS; l++) {
		sd->rule[l] = NO_RULE;
		if (!sd->im[l]) {
			struct fail f = fail_of(REASON_NO_GRANT, side,
						LAYER_VENDOR, k->leaf);

			if (l == LAYER_VENDOR && k->is_leaf)
				fail_add(st, &f);
			continue;
		}
		match_obs(sd->im[l], sd->row[l], sd->dir, k->o, k->m->message,
			  k->meas, k->hit);
		denials(st, side, (enum layer)l, k);
		if (l == LAYER_CUSTOMER)
			restrictions(st, side, k);
		else if (k->is_leaf)
			grants(st, side, (enum layer)l, k, id);
		limits_and_triggers(st, side, (enum layer)l, k);
	}
}

/* --- telling ------------------------------------------------------------------------------------ */

static const char *const layer_names[LAYERS] = {"baseline", "vendor",
						"customer"};

const char *text_layer(enum layer l)
{
	return layer_names[l];
}

static void put_rule(struct pol_decision *d, const struct side *sd,
		     enum layer l, uint32_t rule, bool refused)
{
	const struct pol_image *im = sd->im[l];
	struct event_rule *r;

	if (d->n_rules >= EVENT_RULES)
		return;
	if (refused)
		d->refused_rules =
			(uint8_t)(d->refused_rules | 1u << d->n_rules);
	r = &d->rules[d->n_rules++];
	*r = (struct event_rule){.layer = span_str(layer_names[l])};
	if (!im)
		return;
	r->policy = pol_image_id(im);
	r->serial = im->head->serial;
	r->file = span_str(im->path);
	if (rule != NO_RULE) {
		r->rule = img_str(im, im->RULE[rule].id);
		r->line = im->n_LOCS ? im->LOCS[rule].line : 0;
	}
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

static void tell_rules(struct pol_state *st, struct pol_decision *d)
{
	for (unsigned side = 0; side < st->n_side; side++) {
		const struct side *sd = &st->side[side];

		for (unsigned l = 0; l < LAYERS; l++) {
			const struct fail *f = fail_in(st, side, l);
			uint32_t rule = f && f->rule != NO_RULE ? f->rule :
								  sd->rule[l];

			if (!f && (!sd->im[l] || l == LAYER_CUSTOMER ||
				   (side == 1 && l != LAYER_VENDOR)))
				continue;
			put_rule(d, sd, (enum layer)l, rule, f != NULL);
			if (f && f->limit != LAY_NONE && rule == NO_RULE) {
				const struct set_limit *sl =
					&st->s->limit[f->limit];

				d->rules[d->n_rules - 1].rule =
					img_str(sl->im, sl->l->id);
			}
		}
	}
}

static void tell_budgets(struct pol_state *st, struct pol_decision *d)
{
	for (uint32_t i = 0; i < st->n_pend && d->n_budgets < EVENT_BUDGETS;
	     i++) {
		const struct set_limit *sl = &st->s->limit[st->pend[i].limit];
		struct event_budget *b;

		if (sl->l->kind == LIMIT_SPACING)
			continue;
		b = &d->budgets[d->n_budgets++];
		b->name = sl->name;
		b->used = limit_used(st, sl->l, st->pend[i].at);
		b->limit = sl->l->kind == LIMIT_BUCKET ? sl->l->burst :
							 sl->l->n;
	}
}

/* What a refusal does: the harshest of what the failed rules say. To defer
 * helps only when nothing but time is in the way, and not for long. */
static void choose_action(struct pol_state *st, struct pol_decision *d)
{
	static const enum pol_action of[] = {
		[ACTION_UNSET] = POL_REFUSE,	[ACTION_REFUSE] = POL_REFUSE,
		[ACTION_DROP] = POL_DROP,	[ACTION_RESET] = POL_RESET,
		[ACTION_DEFER] = POL_DEFER,
		[ACTION_QUARANTINE] = POL_QUARANTINE};
	bool defer = true;
	int64_t wait = 0;

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
		if (a == POL_DEFER || a == POL_REFUSE || a <= d->action)
			continue;
		d->action = a;
		d->action_ns = f->action_ns;
	}
	d->wait_ns = wait > 0 ? wait : 0;
	if (st->n_fail && defer && d->action == POL_REFUSE && wait >= 0) {
		d->action = POL_DEFER;
		d->action_ns = wait;
	}
}

/* --- refusals: what they cost ---------------------------------------------------------------------- */

static void charge_refusal(struct pol_state *st, unsigned side, enum layer l,
			   uint32_t limit)
{
	const struct side *sd = &st->side[side];
	uint32_t at = set_first_limit(st->s, sd->m, l) + limit;
	const struct lay_limit *lim = st->s->limit[at].l;
	uint32_t mark = st->n_undo, w;
	int64_t wait;

	if (lim->thing != THING_REFUSALS || lim->kind == LIMIT_SPACING ||
	    lim->kind >= LIMIT_DISTINCT)
		return;
	w = limit_at(st->s, at, sd->m, sd->party, 0);
	if (!limit_charge(st, lim, w, 1, 0, &wait) &&
	    lim->action == ACTION_QUARANTINE)
		st_quarantine(st, sd->m, lim->action_ns);
	/* For good: nothing else writes these words, so they are only taken
	 * out of the log. */
	st->n_undo = mark;
}

static void refusal_limits(struct pol_state *st, const struct pol_msg *m)
{
	struct look k = {.m = m};

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
			bool again = c > im->col_at[COL_LIMIT] &&
				     im->COLS[c - 1].owner ==
					     im->COLS[c].owner &&
				     get_bit(any, c - 1);

			if (get_bit(any, c) && !again)
				charge_refusal(st, 0, (enum layer)l,
					       im->COLS[c].owner);
		}
	}
}

/* m: the message refused; NULL: a packet, which is none. */
static void refuse(struct pol_state *st, const struct pol_msg *m,
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
	if (d->action == POL_QUARANTINE)
		st_quarantine(st, st->side[0].m, d->action_ns);
	if (m && st->s->m[st->side[0].m].refusal_limits)
		refusal_limits(st, m);
	text_refusal(st, d);
}

/* --- the whole ---------------------------------------------------------------------------------------- */

static bool blocked(const struct pol_state *st)
{
	for (uint32_t i = 0; i < st->n_fail; i++) {
		if (!st->fail[i].monitored)
			return true;
	}
	return st->fails_cut;
}

static void fail_now(struct pol_state *st, enum reason r)
{
	struct fail f = fail_of(r, 0, LAYER_VENDOR, 0);

	fail_add(st, &f);
}

/* Steps 5 and 6 for the carrier and every leaf. */
static void judge_all(struct pol_state *st, const struct pol_msg *m,
		      const struct obs *leaves, uint32_t n, uint64_t id)
{
	struct side keep[2];
	bool locked = false;

	for (uint32_t i = 0; i <= n; i++) {
		struct look k = {.m = m, .leaf = i ? i - 1 : 0,
				 .is_leaf = i > 0};
		uint32_t before = st->n_fail;

		k.o = i ? &leaves[i - 1] : m->message;
		if (!k.o || (!i && leaves == m->message))
			continue;
		k.meas = k.is_leaf ? obs_meas(k.o) : 0;
		if (k.o->dropped)
			fail_now(st, REASON_MALFORMED);
		for (unsigned s = 0; s < st->n_side; s++)
			judge_side(st, s, &k, id);
		/* The rules told are those of the first leaf refused, else of
		 * the first. */
		if (!locked && (i <= 1 || st->n_fail > before)) {
			keep[0] = st->side[0];
			keep[1] = st->side[1];
			locked = st->n_fail > before;
		}
	}
	for (unsigned s = 0; n + (m->message != NULL) > 0 && s < st->n_side;
	     s++)
		memcpy(st->side[s].rule, keep[s].rule, sizeof(keep[s].rule));
}

/* Nothing is said in it: as an open connection, it needs somebody to talk to
 * at all. */
static void judge_empty(struct pol_state *st, const struct pol_msg *m)
{
	(void)m;
	for (unsigned s = 0; s < st->n_side; s++) {
		for (int l = 0; l < LAYER_CUSTOMER; l++) {
			const struct side *sd = &st->side[s];
			const struct pol_image *im = sd->im[l];
			uint64_t any = 0;

			for (uint32_t w = 0; im && w < im->words; w++)
				any |= sd->row[l][w] & im->mask[COL_GRANT][w];
			if (!any && (im || l == LAYER_VENDOR)) {
				struct fail f = fail_of(REASON_NO_GRANT, s,
							(enum layer)l, 0);

				fail_add(st, &f);
			}
		}
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

static bool all_summary(const struct pol_state *st, const struct obs *leaves,
			uint32_t n)
{
	const struct side *sd = &st->side[0];
	const struct lay_rule *r;

	if (!sd->im[LAYER_VENDOR] || sd->rule[LAYER_VENDOR] == NO_RULE)
		return false;
	r = &sd->im[LAYER_VENDOR]->RULE[sd->rule[LAYER_VENDOR]];
	for (uint32_t i = 0; i < n; i++) {
		if (r->audit == AUDIT_EACH ||
		    (r->audit == AUDIT_UNSET &&
		     obs_meas(&leaves[i]) & ~MEAS_ABOUT))
			return false;
	}
	return true;
}

static bool stages_1_to_4(struct pol_state *st, const struct pol_msg *m,
			  struct pol_decision *d)
{
	if (m->forged_source) {
		add_side(st, m->machine, m->dir, -1);
		fail_now(st, REASON_SPOOFED_SOURCE);
		return false;
	}
	if (st->n_undo > UNDO_MAX - UNDO_SPARE || m->n_leaves > LIMIT_LEAVES) {
		add_side(st, m->machine, m->dir, -1);
		fail_now(st, REASON_RESOURCE);
		return false;
	}
	if (!identify(st, m->machine, m->dir, &m->peer, true, m->one_sided, d))
		return false;
	if (m->refused) {
		fail_now(st, m->refused);
		return false;
	}
	return true;
}

void pol_judge(struct pol_state *st, const struct pol_msg *m,
	       struct pol_decision *d)
{
	const struct obs *leaves = m->leaves;
	uint32_t n = m->n_leaves, mark = st->n_undo;
	uint64_t id = st->next_id++;

	begin(st, m->now, d);
	/* A message that is its own only observation. */
	if (n == 0 && m->message &&
	    obs_level((enum obs_kind)m->message->kind) != OBS_LEVEL_CARRIER) {
		leaves = m->message;
		n = 1;
	}
	if (!stages_1_to_4(st, m, d)) {
		refuse(st, m, d);
		return;
	}
	if (n == 0)
		judge_empty(st, m);
	judge_all(st, m, leaves, n, id);
	charge_all(st);
	if (st->fails_cut)
		fail_now(st, REASON_LIMIT_EXCEEDED);
	if (blocked(st)) {
		st_undo(st, mark);
		states_after(st, m, false);
		refuse(st, m, d);
		return;
	}
	states_after(st, m, true);
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

/* --- connections and packets ------------------------------------------------------------------------- */

/* May connections of the rule's own limit take this one? Those of every rule
 * that could be used are charged; one with room is enough. */
static bool rule_connections(struct pol_state *st, unsigned side,
			     enum layer l, uint32_t rule, uint64_t flow)
{
	const struct side *sd = &st->side[side];
	const struct lay_rule *r = &sd->im[l]->RULE[rule];
	bool room = true;

	for (uint32_t i = 0; i < r->limit_n; i++) {
		uint32_t at = set_first_limit(st->s, sd->m, l) +
			      r->limit_first + i;
		const struct lay_limit *lim = st->s->limit[at].l;
		uint32_t mark = st->n_undo;
		int64_t wait;

		if (lim->thing != THING_CONNECTIONS &&
		    lim->kind != LIMIT_CONCURRENT)
			continue;
		if (!limit_charge(st, lim,
				  limit_at(st->s, at, sd->m, sd->party, 0), 1,
				  flow, &wait)) {
			st_undo(st, mark);
			room = false;
		}
	}
	return room;
}

/* Grants of a layer that could be used with this party, either way. */
static void open_grants(struct pol_state *st, unsigned side, enum layer l,
			uint64_t flow)
{
	const struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[l];
	uint32_t last = NO_RULE;
	bool any = false, room = false;
	struct fail f = fail_of(REASON_NO_GRANT, side, l, 0);

	f.monitored = l == LAYER_VENDOR && sd->monitor;
	for (uint32_t c = 0; im && c < im->col_at[COL_GRANT + 1]; c++) {
		uint32_t rule = im->COLS[c].owner;

		if (!get_bit(sd->row[l], c) || rule == last)
			continue;
		last = rule;
		any = true;
		room |= rule_connections(st, side, l, rule, flow);
	}
	if (room || (!im && l != LAYER_VENDOR))
		return;
	f.reason = any ? REASON_LIMIT_EXCEEDED : REASON_NO_GRANT;
	f.rule = any ? last : NO_RULE;
	fail_add(st, &f);
}

static void open_limits(struct pol_state *st, unsigned side, enum layer l,
			const uint64_t *hit, uint64_t flow)
{
	const struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[l];
	uint32_t last = LAY_NONE;

	for (uint32_t c = im->col_at[COL_LIMIT]; c < im->col_at[COL_LIMIT + 1];
	     c++) {
		const struct lay_limit *lim = &im->LIMT[im->COLS[c].owner];
		uint32_t at = set_first_limit(st->s, sd->m, l) +
			      im->COLS[c].owner;
		struct fail f = fail_of(REASON_LIMIT_EXCEEDED, side, l, 0);
		uint32_t mark = st->n_undo;

		if (!get_bit(hit, c) || im->COLS[c].owner == last ||
		    (lim->thing != THING_CONNECTIONS &&
		     lim->kind != LIMIT_CONCURRENT) ||
		    (side == 1 && l != LAYER_VENDOR && !st->s->limit[at].by_vm))
			continue;
		last = im->COLS[c].owner;
		if (limit_charge(st, lim,
				 limit_at(st->s, at, sd->m, sd->party, 0), 1,
				 flow, &f.wait))
			continue;
		st_undo(st, mark);
		f.limit = at;
		f.action = lim->action;
		f.action_ns = lim->action_ns;
		f.monitored = l == LAYER_VENDOR && sd->monitor;
		fail_add(st, &f);
	}
}

/* Only what counts packets and selects no observations is a packet's. */
static void packet_limit(struct pol_state *st, unsigned side, enum layer l,
			 uint32_t index, const struct pol_msg *m,
			 const struct obs *none)
{
	const struct lay_limit *lim = &st->side[side].im[l]->LIMT[index];

	if ((lim->thing == THING_BYTES || lim->thing == THING_PACKETS) &&
	    lim->kind != LIMIT_SPACING && lim->kind < LIMIT_DISTINCT &&
	    !(lim->flags & LAY_LIMIT_MATCH))
		pend_limit(st, side, l, index, m, none, 0,
			   l == LAYER_VENDOR && st->side[side].monitor);
}

static void packet_limits(struct pol_state *st, unsigned side, enum layer l,
			  const struct pol_msg *m, const struct obs *none)
{
	const struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[l];
	uint64_t hit[LAY_WORDS];

	if (!im)
		return;
	match_bare(im, sd->row[l], sd->dir, hit);
	for (uint32_t c = im->col_at[COL_RESTRICT]; c < im->col_at[COL_SET];
	     c++) {
		const struct lay_rule *r;

		if (!get_bit(hit, c))
			continue;
		if (im->COLS[c].type == COL_LIMIT) {
			packet_limit(st, side, l, im->COLS[c].owner, m, none);
			continue;
		}
		r = &im->RULE[im->COLS[c].owner];
		for (uint32_t i = 0; sd->dir == DIR_OUT && i < r->limit_n; i++)
			packet_limit(st, side, l, r->limit_first + i, m, none);
	}
}

void pol_open(struct pol_state *st, size_t machine, enum dir dir,
	      const struct pol_peer *peer, uint64_t flow, struct now now,
	      struct pol_decision *d)
{
	struct obs o = {.kind = OBS_FLOW_OPEN};
	struct pol_msg m = {.machine = machine, .dir = dir, .peer = *peer,
			    .flow = flow, .message = &o, .now = now};
	uint32_t mark = st->n_undo;

	obs_u64(&o, F_PORT, peer->port);
	begin(st, now, d);
	if (st->n_undo > UNDO_MAX - UNDO_SPARE) {
		add_side(st, machine, dir, -1);
		fail_now(st, REASON_RESOURCE);
		refuse(st, &m, d);
		return;
	}
	if (!identify(st, machine, dir, peer, false, false, d)) {
		refuse(st, &m, d);
		return;
	}
	for (unsigned s = 0; s < st->n_side; s++) {
		for (int l = 0; l < LAYERS; l++) {
			struct look k = {.m = &m, .o = &o};
			const struct side *sd = &st->side[s];

			if (l != LAYER_CUSTOMER)
				open_grants(st, s, (enum layer)l, flow);
			if (!sd->im[l])
				continue;
			match_obs(sd->im[l], sd->row[l], sd->dir, &o, NULL, 0,
				  k.hit);
			denials(st, s, (enum layer)l, &k);
			if (l == LAYER_CUSTOMER)
				restrictions(st, s, &k);
			open_limits(st, s, (enum layer)l, k.hit, flow);
		}
	}
	st->n_pend = 0; /* budgets of messages are none of a connection's */
	if (blocked(st)) {
		st_undo(st, mark);
		refuse(st, &m, d);
		return;
	}
	d->permit = true;
	d->monitored = st->n_fail > 0;
	tell_rules(st, d);
}

void pol_close(struct pol_state *st, size_t machine, uint64_t flow,
	       struct now now)
{
	const struct pol_set *s = st->s;

	st->now = now;
	for (uint32_t i = 0; i < s->n_limit; i++) {
		const struct set_limit *l = &s->limit[i];
		uint32_t n = l->parties * (l->by_meas ? MEAS_COUNT : 1);
		uint32_t at = l->base;

		if (l->l->kind != LIMIT_CONCURRENT)
			continue;
		if (l->by_vm)
			at += (uint32_t)machine * n * l->words;
		for (uint32_t k = 0; k < n; k++)
			limit_release(st, l->l, at + k * l->words, flow);
	}
	for (uint32_t i = 0; s->has_flow_states && i < FLOW_STATES; i++) {
		uint32_t at = st->flows[machine] + i * FS_WORDS;

		if (st->w[at + FS_FLOW] == flow)
			st_put_final(st, at + FS_UNTIL, 0);
	}
}

bool pol_packet(struct pol_state *st, size_t machine, enum dir dir,
		const struct pol_peer *peer, uint32_t octets, struct now now,
		struct pol_decision *d)
{
	struct pol_msg m = {.machine = machine, .dir = dir, .peer = *peer,
			    .octets = octets, .now = now};
	struct obs none = {0};
	uint32_t mark = st->n_undo;

	begin(st, now, d);
	if (st->n_undo > UNDO_MAX - UNDO_SPARE) {
		add_side(st, machine, dir, -1);
		fail_now(st, REASON_RESOURCE);
		refuse(st, NULL, d);
		return false;
	}
	add_side(st, machine, dir, pol_party(st->s, machine, peer));
	add_peer_side(st, machine, dir, peer);
	st->n_fail = 0; /* who may talk was settled when it was judged */
	for (unsigned s = 0; s < st->n_side; s++) {
		for (int l = 0; l < LAYERS; l++)
			packet_limits(st, s, (enum layer)l, &m, &none);
	}
	for (uint32_t i = 0; i < st->n_pend; i++)
		st->pend[i].check_only = false;
	charge_all(st);
	d->permit = !blocked(st);
	if (!d->permit) {
		st_undo(st, mark);
		refuse(st, NULL, d);
	}
	return d->permit;
}
