/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections and packets: what is counted below messages.
 */
#include "policy-lang/eval/internal.h"

/* --- connections and packets --------------------------------------------- */

/* May connections of the rule's own limits take this one? All of them are
 * charged, or none; then the rule may not be used by this connection. One rule
 * with room is enough to open it. */
static bool rule_connections(struct pol_state *st, unsigned side, enum layer l,
			     uint32_t rule, uint64_t flow)
{
	const struct side *sd = &st->side[side];
	const struct lay_rule *r = &sd->im[l]->RULE[rule];
	uint32_t mark = st->live->n_undo, spent = st->n_spent;

	for (uint32_t i = 0; i < r->limit_n; i++) {
		uint32_t at =
			set_first_limit(st->s, sd->m, l) + r->limit_first + i;
		const struct lay_limit *lim = st->s->limit[at].l;
		int64_t wait;

		if (!limit_connects(lim) ||
		    share_charge(st, sd, at,
				 limit_at(st->s, at, sd->m, sd->party, 0), 1,
				 flow, false, &wait))
			continue;
		st_undo(st, mark);
		share_undo(st, spent);
		if (!st_shut(st, sd->m, flow, at))
			judge_fail_now(st, REASON_RESOURCE);
		return false;
	}
	return true;
}

/* Grants of a layer that could be used with this party, either way. */
static void open_grants(struct pol_state *st, unsigned side, enum layer l,
			uint64_t flow)
{
	const struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[l];
	bool floors = l == LAYER_VENDOR && sd->floors_only;
	uint32_t last = NO_RULE;
	bool any = false, room = false, cut = false;
	struct fail f = judge_fail(REASON_NO_GRANT, side, l, 0);

	f.monitored = l == LAYER_VENDOR && sd->monitor;
	for (uint32_t c = 0; im && c < im->col_at[COL_GRANT + 1]; c++) {
		uint32_t rule = im->COLS[c].owner;

		if (!bit_get(sd->row[l], c) || rule == last)
			continue;
		last = rule;
		if (floors && !bit_get(st->s->m[sd->m].floor_rules, rule)) {
			cut = true;
			continue;
		}
		any = true;
		room |= rule_connections(st, side, l, rule, flow);
	}
	if (room || (!im && l != LAYER_VENDOR))
		return;
	f.reason = any	 ? REASON_LIMIT_EXCEEDED
		   : cut ? sd->floor_reason
			 : REASON_NO_GRANT;
	f.monitored = f.monitored && !cut;
	f.rule = any ? last : NO_RULE;
	fail_add(st, &f);
}

/* One limit that this connection falls under, if it counts connections. */
static void open_limit(struct pol_state *st, unsigned side, enum layer l,
		       uint32_t index, uint64_t flow)
{
	const struct side *sd = &st->side[side];
	const struct lay_limit *lim = &sd->im[l]->LIMT[index];
	uint32_t at = set_first_limit(st->s, sd->m, l) + index, w;
	struct fail f = judge_fail(REASON_LIMIT_EXCEEDED, side, l, 0);

	if (!limit_connects(lim) ||
	    (side == 1 && l != LAYER_VENDOR && !st->s->limit[at].by_vm))
		return;
	w = limit_at(st->s, at, sd->m, sd->party, 0);
	if (share_charge(st, sd, at, w, 1, flow, false, &f.wait))
		return;
	f.rule = lim->rule;
	f.limit = at;
	f.have = (int64_t)limit_used(st, lim, w);
	f.need = 1;
	f.action = lim->action;
	f.action_ns = lim->action_ns;
	f.monitored = l == LAYER_VENDOR && sd->monitor;
	fail_add(st, &f);
}

static void open_limits(struct pol_state *st, unsigned side, enum layer l,
			const uint64_t *hit, uint64_t flow)
{
	const struct pol_image *im = st->side[side].im[l];
	uint32_t last = LAY_NONE;

	for (uint32_t c = im->col_at[COL_LIMIT]; c < im->col_at[COL_LIMIT + 1];
	     c++) {
		if (!bit_get(hit, c) || im->COLS[c].owner == last)
			continue;
		last = im->COLS[c].owner;
		open_limit(st, side, l, last, flow);
	}
}

/* The customer's, of whoever they are about: a connection is for both
 * directions, whoever opens it, and carries nothing yet that they could tell
 * apart. */
static void open_restrictions(struct pol_state *st, unsigned side,
			      uint64_t flow)
{
	const struct side *sd = &st->side[side];
	const struct pol_image *im = sd->im[LAYER_CUSTOMER];
	uint32_t last = NO_RULE;

	for (uint32_t c = im->col_at[COL_RESTRICT];
	     c < im->col_at[COL_RESTRICT + 1]; c++) {
		const struct lay_rule *r = &im->RULE[im->COLS[c].owner];

		if (!bit_get(sd->row[LAYER_CUSTOMER], c) ||
		    im->COLS[c].owner == last)
			continue;
		last = im->COLS[c].owner;
		for (uint32_t i = 0; i < r->limit_n; i++)
			open_limit(st, side, LAYER_CUSTOMER,
				   r->limit_first + i, flow);
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
		look_limit(st, side, l, index, m, none, 0,
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

		if (!bit_get(hit, c))
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
	struct pol_msg m = {.machine = machine,
			    .dir = dir,
			    .peer = *peer,
			    .flow = flow,
			    .message = &o,
			    .now = now};
	uint32_t mark = st->live->n_undo;

	obs_u64(&o, F_PORT, POL_PORT(peer->proto, peer->port));
	judge_begin(st, now, d);
	if (st->live->n_undo > UNDO_MAX - UNDO_SPARE) {
		judge_add_side(st, machine, dir, -1);
		judge_fail_now(st, REASON_RESOURCE);
		tell_refusal(st, &m, d);
		return;
	}
	if (!judge_identify(st, machine, dir, peer, false, false, d)) {
		tell_refusal(st, &m, d);
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
			look_denials(st, s, (enum layer)l, &k);
			if (l == LAYER_CUSTOMER) {
				look_restrictions(st, s, &k);
				open_restrictions(st, s, flow);
			}
			open_limits(st, s, (enum layer)l, k.hit, flow);
		}
	}
	st->n_pend = 0; /* budgets of messages are none of a connection's */
	if (!judge_blocked(st) && !ledger_connection(st))
		judge_fail_now(st, REASON_AUDIT_CLOSED);
	if (judge_blocked(st)) {
		st_undo(st, mark);
		share_undo(st, st->spent_mark);
		tell_refusal(st, &m, d);
		return;
	}
	d->permit = true;
	d->monitored = st->n_fail > 0;
	tell_rules(st, d);
}

void pol_would_open(struct pol_state *st, size_t machine, enum dir dir,
		    const struct pol_peer *peer, uint64_t flow, struct now now,
		    struct pol_decision *d)
{
	st->asking = true;
	pol_open(st, machine, dir, peer, flow, now, d);
	st->asking = false;
	pol_abort(st);
}

void pol_close(struct pol_state *st, size_t machine, uint64_t flow,
	       struct now now)
{
	const struct pol_set *s = st->s;

	st_time(st, now);
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
	st_end_flow(st, flow);
}

bool pol_packet(struct pol_state *st, size_t machine, enum dir dir,
		const struct pol_peer *peer, uint32_t octets, struct now now,
		struct pol_decision *d)
{
	return pol_packets(st, machine, dir, peer, octets, 1, now, d);
}

bool pol_packets(struct pol_state *st, size_t machine, enum dir dir,
		 const struct pol_peer *peer, uint32_t octets, uint32_t packets,
		 struct now now, struct pol_decision *d)
{
	struct pol_msg m = {.machine = machine,
			    .dir = dir,
			    .peer = *peer,
			    .octets = octets,
			    .packets = packets,
			    .now = now};
	static const struct obs none;
	uint32_t mark = st->live->n_undo;

	judge_begin(st, now, d);
	if (st->live->n_undo > UNDO_MAX - UNDO_SPARE) {
		judge_add_side(st, machine, dir, -1);
		judge_fail_now(st, REASON_RESOURCE);
		tell_refusal(st, NULL, d);
		return false;
	}
	judge_add_side(st, machine, dir, pol_party(st->s, machine, peer));
	judge_add_peer(st, machine, dir, peer_machine(st->s, peer));
	st->n_fail = 0; /* who may talk was settled when it was judged */
	for (unsigned s = 0; s < st->n_side; s++) {
		for (int l = 0; l < LAYERS; l++)
			packet_limits(st, s, (enum layer)l, &m, &none);
	}
	for (uint32_t i = 0; i < st->n_pend; i++)
		st->pend[i].check_only = false;
	look_charge(st);
	if (!judge_blocked(st) && !ledger_packets(st, octets, packets))
		judge_fail_now(st, REASON_AUDIT_CLOSED);
	d->permit = !judge_blocked(st);
	if (!d->permit) {
		st_undo(st, mark);
		share_undo(st, st->spent_mark);
		tell_refusal(st, NULL, d);
	}
	return d->permit;
}
