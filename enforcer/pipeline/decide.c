/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From octets to decisions: what they say, what policy says to that, and the
 * events that tell it.
 */
#include "enforcer/pipeline/ask.h"
#include "enforcer/pipeline/tell.h"

static const struct dissector *dissector_of(const struct work *w)
{
	return w->f->dis >= 0 ? w->p->dis[w->f->dis] : NULL;
}

static const struct dis_ctx *context(struct work *w)
{
	struct pipeline *p = w->p;
	const struct flow *f = w->f;
	struct dis_ctx *c = &w->ctx;
	const struct side *you = &f->side[!w->s];

	c->other_waits = you->nxt != you->judged;
	if (w->ctx_f == f && w->ctx_s == w->s && w->ctx_dis == f->dis)
		return c;
	w->ctx_f = f;
	w->ctx_s = w->s;
	w->ctx_dis = f->dis;
	*c = (struct dis_ctx){.now = w->now,
			      .tup = w->pkt->tup,
			      .dir = side_dir(f, w->s),
			      .between = f->peer >= 0,
			      .lenient = !strict(p),
			      .midstream = f->midstream,
			      .other_waits = c->other_waits,
			      .self = &p->guest[f->guest].self,
			      .arena = &p->arena,
			      .assembly = &w->assembly};
	if (f->dis < 0)
		return c;
	c->machine = p->guest[f->guest].block[f->dis];
	c->conf = p->conf.dissector_conf[f->dis];
	if (p->dis[f->dis]->flow_size)
		c->flow = p->flow_mem + w->f_idx * p->flow_stride;
	return c;
}

bool nobody_reads(struct work *w)
{
	const struct dissector *d = dissector_of(w);

	if (!d)
		return w->f->dis == DIS_NONE;
	return d->sealed && d->sealed(context(w));
}

int64_t frame_units(struct work *w, struct span octets, struct framed *f,
		    struct err *e)
{
	const struct dissector *d = dissector_of(w);
	struct dis_ctx c = *context(w);
	size_t at = 0;

	*f = (struct framed){0};
	if (!d)
		return (int64_t)octets.n; /* opaque: any piece is a unit */
	while (at < octets.n) {
		size_t len = 0;
		enum frame fr = d->frame(&c, span_from(octets, at), &len, e);

		if (fr == FRAME_BAD)
			return -1;
		if (fr == FRAME_MORE || fr == FRAME_BETWEEN) {
			f->between = fr == FRAME_BETWEEN;
			f->need = len ? (uint32_t)(at + len) : 0;
			break;
		}
		if (f->count++ == 0)
			f->first = len;
		/* Along a copy, where more follows: nothing is judged yet. */
		if (d->skip && at + len < octets.n) {
			if (c.flow != w->p->walk)
				memcpy(w->p->walk, c.flow, d->flow_size);
			c.flow = w->p->walk;
			d->skip(&c, span_sub(octets, at, len));
		}
		at += len;
	}
	return (int64_t)at;
}

enum reason stream_leftover(struct work *w, struct span rest)
{
	const struct dissector *d = dissector_of(w);
	const struct dis_ctx *c = context(w);

	if (!d)
		return rest.n && !w->f->side[w->s].shown ? REASON_INCOMPLETE :
							   REASON_NONE;
	return d->leftover(c, rest);
}

/* What the resolver told the machine and policy let through. */
static void bind_names(struct work *w, const struct judged_unit *u)
{
	const struct pol_set *set = w->p->conf.policy;
	size_t m = judged_machine(w);
	const struct obs *o = &w->p->obs[u->first + 1];
	uint64_t all = w->as_peer || u->n < 2 || o->kind != OBS_DNS_ANSWER
			       ? 0
			       : pol_set_named(set, m);
	struct span name = all ? obs_get_span(o, F_DNS_NAME) : (struct span){0};
	uint32_t ttl = all ? (uint32_t)obs_get(o, F_DNS_TTL, 0) : 0;
	bool known = false;

	for (; all; all &= all - 1)
		known |= span_eq(
			pol_set_party_dns(set, m,
					  (unsigned)__builtin_ctzll(all)),
			name);
	for (unsigned i = 0; known && i < o->n; i++) {
		struct net_addr a;

		if (o->f[i].field != F_DNS_ADDRESS || o->f[i].n != sizeof(a.b))
			continue;
		memcpy(a.b, o->f[i].p, sizeof(a.b));
		names_bind(&w->p->guest[w->f->guest].names, name, &a,
			   w->now.mono, ttl);
	}
}

/* --- units ------------------------------------------------------------------------ */

/* The packet that completed the unit: the first one that reaches its end. */
static uint64_t completed_by(const struct work *w, const struct judge *j,
			     size_t end)
{
	const struct pipeline *p = w->p;
	uint32_t seq = j->seq + (uint32_t)end;

	if (j->datagram || !strict(p))
		return w->pcap_cnt;
	for (uint32_t h = w->f->side[w->s].held; h != NONE;
	     h = p->held[h].next) {
		if ((int32_t)(p->held[h].end_seq - seq) >= 0)
			return p->held[h].pcap_cnt;
	}
	return w->pcap_cnt;
}

/* Octets of the headers of the packets that end in the unit: those of a packet
 * are counted once. */
static uint32_t headers(const struct work *w, const struct judge *j, size_t at,
			size_t len)
{
	const struct pipeline *p = w->p;
	uint32_t from = j->seq + (uint32_t)at, n = 0;

	if (!strict(p))
		return 0;
	if (j->datagram)
		return at ? 0 : held_octets(p, w->held) -
				    p->held[w->held].payload;
	for (uint32_t h = w->f->side[w->s].held; h != NONE;
	     h = p->held[h].next) {
		int32_t end = (int32_t)(p->held[h].end_seq - from);

		if (end > (int32_t)len)
			break;
		if (end > 0)
			n += held_octets(p, h) - p->held[h].payload;
	}
	return n;
}

/* Packets that have some of the unit. One with several has some of each: it
 * counts for all of them, since any may be another rule's. */
static uint32_t packets(const struct work *w, const struct judge *j, size_t at,
			size_t len)
{
	const struct pipeline *p = w->p;
	uint32_t from = j->seq + (uint32_t)at, n = 0;

	if (!strict(p))
		return 0;
	if (j->datagram)
		return held_packets(p, w->held);
	for (uint32_t h = w->f->side[w->s].held; h != NONE;
	     h = p->held[h].next) {
		int32_t end = (int32_t)(p->held[h].end_seq - from);

		if (end > 0 && end - (int32_t)p->held[h].payload < (int32_t)len)
			n += held_packets(p, h);
	}
	return n;
}

/* The datagrams with the other segments of a message. */
static void add_parts(const struct work *w, uint64_t key, struct judged_unit *u)
{
	const struct pipeline *p = w->p;

	for (uint32_t h = w->f->side[w->s].segs; h != NONE;
	     h = p->held[h].next) {
		if (p->held[h].key != key)
			continue;
		u->charged += held_octets(p, h);
		u->packets += held_packets(p, h);
	}
}

/* It was held back for as long as the rule says. */
static void too_long(struct judged_unit *u)
{
	reasons_add(&u->d.reasons, REASON_DEFERRED_TOO_LONG);
	u->d.reason = REASON_DEFERRED_TOO_LONG;
}

/* By policy, which says what is done about its stream as well. */
static void refuse_unit(struct work *w, struct judge *j,
			const struct judged_unit *u)
{
	j->bad = true;
	j->why = u->d.reason;
	j->cnt = u->pcap_cnt;
	w->f->silent = !j->datagram && u->d.action == POL_DROP;
}

/* Facts and decision of one unit that was read. */
static void judge_read(struct work *w, struct judge *j, struct judged_unit *u,
		       struct span unit)
{
	char text[sizeof(u->d.text) + 32];
	const struct obs *o = unit_carrier(w, u);
	const struct dis_ctx *c = context(w);

	if (o && obs_has(o, F_SEG_TOTAL))
		add_parts(w, w->assembly, u);
	if (strict(w->p)) {
		ask_policy(w, u);
		j->defer = !u->d.permit && defer_wanted(w, j, u);
	}
	if (j->defer) {
		j->bad = true;
		if (dissector_of(w))
			dissector_of(w)->settle(c, false);
		return;
	}
	w->p->stats.units++;
	w->p->stats.observations += u->n ? u->n - 1 : 0;
	if (o && obs_has(o, F_SEG_TOTAL)) {
		j->whole = true;
		j->key = w->assembly;
	}
	tell_protocol(w, u);
	tell_notes(w, u);
	if (strict(w->p) && !u->d.permit) {
		if (w->deferring && u->d.action == POL_DEFER)
			too_long(u);
		refuse_unit(w, j, u);
		tell_violation(w, u,
			       answer_make(w, j, u, unit, text, sizeof(text)));
	}
	if (strict(w->p) && !j->bad)
		bind_names(w, u);
	if (dissector_of(w))
		dissector_of(w)->settle(c, !j->bad);
}

/* A unit that was refused by its dissector. Only what is sealed may pass, as
 * opaque, where a rule grants that. */
static void judge_refused(struct work *w, struct judge *j,
			  struct judged_unit *u, const struct err *e)
{
	const struct dis_ctx *c = context(w);
	struct obs_list out = {w->p->obs, u->first, OBS_MAX};
	struct obs *o;

	u->refused = e->reason > REASON_NONE && e->reason < REASON_COUNT ?
			     (enum reason)e->reason :
			     REASON_MALFORMED;
	if (u->refused == REASON_BAD_MAC && u->n > 1) {
		/* Told, but what it claims reaches no rule. */
		tell_protocol(w, u);
		u->n = 0;
	}
	if (strict(w->p) && u->n == 0) {
		o = obs_add(&out, (enum obs_kind)dissector_of(w)->carrier);
		if (o)
			o = obs_add(&out, OBS_OPAQUE);
		if (o) {
			obs_u64(o, F_OCTETS, u->octets);
			u->n = 2;
		}
	}
	if (strict(w->p))
		ask_policy(w, u);
	if (u->refused == REASON_UNKNOWN_KEY && u->n > 1)
		tell_protocol(w, u);
	if (u->d.permit && u->refused == REASON_UNKNOWN_KEY) {
		u->refused = REASON_NONE;
		dissector_of(w)->settle(c, true);
		return;
	}
	j->bad = true;
	j->why = u->refused;
	j->cnt = u->pcap_cnt;
	tell_refused(w, u, e);
	u->n = 0;
	dissector_of(w)->settle(c, false);
}

/* One part of a message in several datagrams. */
static void judge_part(struct work *w, struct judge *j, struct judged_unit *u)
{
	const struct dis_ctx *c = context(w);

	j->part = true;
	j->key = w->assembly;
	tell_protocol(w, u);
	dissector_of(w)->settle(c, true);
	w->p->n_units--;
}

/* A stream needs no segments: what they hide is refused. */
static void judge_segmented_stream(struct work *w, struct judge *j,
				   struct judged_unit *u)
{
	struct err e = {.code = E_UNSUPPORTED, .reason = REASON_BAD_SEGMENT};

	u->n = 0;
	judge_refused(w, j, u, &e);
}

static struct judged_unit *unit_next(struct work *w, const struct judge *j,
				     size_t at, size_t len)
{
	struct pipeline *p = w->p;
	struct judged_unit *u, *prev = NULL;

	if (p->n_units == UNITS_MAX)
		return NULL;
	if (p->n_units)
		prev = &p->unit[p->n_units - 1];
	u = &p->unit[p->n_units++];
	u->first = prev ? prev->first + prev->n : 0;
	u->n = 0;
	u->refused = REASON_NONE;
	u->octets = (uint32_t)len;
	u->charged = (uint32_t)len + headers(w, j, at, len);
	u->packets = packets(w, j, at, len);
	u->pcap_cnt = completed_by(w, j, at + len);
	pol_decision_clear(&u->d);
	return u;
}

static void judge_one(struct work *w, struct judge *j, size_t at, size_t len)
{
	struct pipeline *p = w->p;
	struct span unit = span_sub(j->octets, at, len);
	struct judged_unit *u = unit_next(w, j, at, len);
	struct err e = {0};
	struct obs_list out;
	const struct dis_ctx *c = context(w);
	int rc;

	if (!u) {
		j->bad = true;
		j->why = REASON_TOO_MANY_UNITS;
		j->cnt = w->pcap_cnt;
		anomaly(w, j->why, NULL,
			strict(p) ? VERDICT_DENY : VERDICT_NONE);
		return;
	}
	out = (struct obs_list){p->obs, u->first, OBS_MAX};
	rc = dissector_of(w)->dissect(c, unit, &out, &e);
	u->n = out.n - u->first;
	j->read |= rc == 0 || (rc == E_MORE && e.reason == REASON_NONE);
	if (rc == 0)
		judge_read(w, j, u, unit);
	else if (rc == E_MORE && e.reason == REASON_NONE && j->datagram)
		judge_part(w, j, u);
	else if (rc == E_MORE && e.reason == REASON_NONE)
		judge_segmented_stream(w, j, u);
	else
		judge_refused(w, j, u, &e);
}

/* No dissector: what there is, is opaque. */
static void judge_opaque(struct work *w, struct judge *j)
{
	struct judged_unit *u = unit_next(w, j, 0, j->octets.n);
	struct obs_list out = {w->p->obs, 0, OBS_MAX};
	struct obs *o;

	if (!u)
		return;
	out.n = u->first;
	if (!obs_add(&out, OBS_FLOW_OPEN))
		return;
	o = obs_add(&out, OBS_OPAQUE);
	if (o)
		obs_u64(o, F_OCTETS, j->octets.n);
	u->n = out.n - u->first;
	j->used = j->octets.n;
	if (!strict(w->p))
		return; /* nothing was read, nothing is told */
	ask_policy(w, u);
	if (!u->d.permit) {
		refuse_unit(w, j, u);
		tell_violation(w, u, NULL);
	}
}

/* Facts only: each unit is told as soon as it is read. */
static void flush_facts(struct work *w)
{
	if (strict(w->p))
		return;
	w->p->n_units = 0;
	arena_reset(&w->p->arena);
}

void judge_units(struct work *w, struct judge *j)
{
	const struct dissector *d = dissector_of(w);

	j->used = 0;
	/* The sender is asked first. */
	w->as_peer = two_sided(w) && side_dir(w->f, w->s) == DIR_IN;
	/* A datagram without a payload says something, too: that it came. */
	if (!d || (j->datagram && j->octets.n == 0)) {
		judge_opaque(w, j);
		return;
	}
	while (j->used < j->octets.n && j->used < j->limit && !j->bad) {
		const struct dis_ctx *c = context(w);
		struct span rest = span_from(j->octets, j->used);
		struct err e = {0};
		size_t len = j->used ? 0 : j->first;
		enum frame fr =
			len ? FRAME_UNIT : d->frame(c, rest, &len, &e);

		if (fr == FRAME_MORE || fr == FRAME_BETWEEN)
			break;
		if (fr == FRAME_BAD) {
			struct judged_unit *u =
				unit_next(w, j, j->used, rest.n);

			if (u) {
				judge_refused(w, j, u, &e);
			} else {
				anomaly(w, REASON_TOO_MANY_UNITS, NULL,
					strict(w->p) ? VERDICT_DENY :
						       VERDICT_NONE);
				j->bad = true;
				j->why = REASON_TOO_MANY_UNITS;
				j->cnt = w->pcap_cnt;
			}
			break;
		}
		judge_one(w, j, j->used, len);
		j->used += len;
		/* Facts only: the next unit stands for itself. */
		if (!strict(w->p) && !j->datagram)
			j->bad = false;
		flush_facts(w);
	}
	if (j->datagram && !j->bad && j->used < j->octets.n) {
		anomaly(w, REASON_MALFORMED, "octets behind the message",
			strict(w->p) ? VERDICT_DENY : VERDICT_NONE);
		j->bad = true;
		j->why = REASON_MALFORMED;
		j->cnt = w->pcap_cnt;
	}
}

static void forget_units(struct work *w)
{
	w->p->n_units = 0;
	w->as_peer = false;
	arena_reset(&w->p->arena);
}

/* The same units, as they come to the other machine. */
static bool receiver_allows(struct work *w, struct judge *j)
{
	struct pipeline *p = w->p;

	w->as_peer = !w->as_peer;
	for (uint32_t i = 0; i < p->n_units && !j->bad; i++) {
		struct judged_unit *u = &p->unit[i];

		ask_policy(w, u);
		if (u->d.permit)
			continue;
		refuse_unit(w, j, u);
		tell_violation(w, u, NULL);
	}
	return !j->bad;
}

bool units_allowed(struct work *w, struct judge *j)
{
	struct pipeline *p = w->p;

	if (!strict(p)) {
		forget_units(w);
		return true;
	}
	pol_commit(p->conf.state);
	w->deferring = false; /* what comes behind it was not held back */
	tell_decisions(w);
	if (two_sided(w) && p->n_units) {
		if (!receiver_allows(w, j)) {
			units_undone(w);
			return false;
		}
		pol_commit(p->conf.state);
		tell_decisions(w);
	}
	forget_units(w);
	return true;
}

void units_deferred(struct work *w)
{
	pol_abort(w->p->conf.state);
	forget_units(w);
}

void units_undone(struct work *w)
{
	struct pipeline *p = w->p;

	if (!strict(p)) {
		forget_units(w);
		return;
	}
	pol_abort(p->conf.state);
	for (uint32_t i = 0; i < p->n_units; i++) {
		const struct judged_unit *u = &p->unit[i];

		/* Others are told already. */
		if (u->d.permit && u->n)
			tell_sibling(w, u);
	}
	forget_units(w);
}
