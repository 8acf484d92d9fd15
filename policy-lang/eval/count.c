/* SPDX-License-Identifier: Apache-2.0 */
/* What limits count of a message, and charging it: steps 7 and 8. */
#include "policy-lang/eval/internal.h"

uint64_t look_moments(const struct obs *o, meas_set meas)
{
	uint64_t n = meas_moments(meas) ? obs_get(o, F_READINGS, 1) : 1;

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

meas_set look_new_types(const struct pol_msg *m, meas_set meas)
{
	return meas & ~(obs_get(m->message, F_CARRIED, 0) &
		       ~meas_moments(MEAS_ALL));
}

/* Is this a limit on how often? */
static bool how_often(const struct lay_limit *l)
{
	return l->kind != LIMIT_DISTINCT &&
	       (l->kind == LIMIT_SPACING || l->thing == THING_READINGS ||
		l->thing == THING_MESSAGES);
}

/* A limit on how often, that counted the message with an earlier unit? It is no
 * new message, and no new reading of types that the message carried before. But
 * a snapshot or a command is both: a message may last as long as its sender
 * likes. What counts none of it yet counts it now, with all it carries.
 * *meas: the types that are left to count. */
static bool counted(struct pol_state *st, const struct side *sd,
		    const struct lay_limit *l, const struct pol_msg *m,
		    uint64_t key, meas_set *meas)
{
	meas_set of;

	if (!m->message || !obs_has(m->message, F_CONTINUES))
		return false;
	of = l->meas ? l->meas : MEAS_ALL;
	if (!course_counted(st, sd, m, key, (*meas & of & ~MEAS_ABOUT) != 0)) {
		st->late = true;
		return false;
	}
	*meas = look_new_types(m, *meas);
	if (l->kind != LIMIT_SPACING && l->thing == THING_MESSAGES)
		*meas = meas_moments(*meas);
	return (*meas & of & ~MEAS_ABOUT) == 0;
}

/* One counter of the limit that p says. meas: the types that count there. */
static void look_counter(struct pol_state *st, const struct pending *of,
			 unsigned type, meas_set meas, const struct pol_msg *m,
			 const struct obs *o)
{
	const struct side *sd = &st->side[of->side];
	const struct lay_limit *l = st->s->limit[of->limit].l;
	struct pending *p = &st->pend[st->n_pend];

	*p = *of;
	p->course = 0;
	if (how_often(l)) {
		p->course = course_key(st, sd, of->limit, type);
		if (counted(st, sd, l, m, p->course, &meas))
			return;
	}
	p->amount = amount_of(m, l, o, meas & (l->meas ? l->meas : MEAS_ALL),
			      &p->unknown);
	p->at = limit_at(st->s, of->limit, sd->m, sd->party, type);
	pend(st);
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
	struct pending p = {.limit = at, .side = (uint8_t)side};
	bool carried = (meas & ~MEAS_ABOUT) != 0;

	if (m->retry || !sl->by_message || (sl->by_reading && !carried) ||
	    (lim->kind == LIMIT_DISTINCT &&
	     !has_value(lim, o, m->message, carried)))
		return;
	/* The other end counts what is common once. */
	if (side == 1 && l != LAYER_VENDOR && !sl->by_vm)
		return;
	p.hash = lim->kind == LIMIT_DISTINCT
			 ? hash_of(st, at, o, m->message, sd)
			 : 0;
	p.check_only = sl->check_only;
	p.monitored = monitored;
	if (!sl->by_meas) {
		look_counter(st, &p, 0, meas, m, o);
		return;
	}
	for (meas_set s = meas & (lim->meas ? lim->meas : MEAS_ALL); s;
	     s &= s - 1)
		look_counter(st, &p, (unsigned)__builtin_ctzll(s),
			     s & (~s + 1), m, o);
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
		p->course = 0; /* on trial it may pass, but is not counted */
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
