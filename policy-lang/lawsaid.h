/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of a law, and what else happens: thrown at random, told, and judged
 * in a world (lawworld.h).
 *
 * A message may come in several units, as dissectors split long ones of HTTP
 * (F_CONTINUES): each is thrown by itself and judged by itself, goes to the
 * same party over the same connection, and may be granted by another rule.
 */
#ifndef POLICY_LANG_LAWSAID_H
#define POLICY_LANG_LAWSAID_H

#include "policy-lang/lawworld.h"

/* --- messages --------------------------------------------------------------- */

struct said { /* one thing that happens */
	enum { SAID_MESSAGE, SAID_STATE, SAID_WALL, SAID_OPEN, SAID_CLOSE } what;
	uint64_t machine;
	enum dir dir;
	unsigned who; /* headend, service, a stranger, the other machine */
	unsigned about, var, sub, n_leaves;
	meas_set meas;
	int64_t gran, newest, oldest, res, channels, value, values; /* -1: unknown */
	unsigned moments; /* of snapshots */
	bool echo, forged, deep, other_port;
	unsigned part; /* 0: it begins; else so many units were before it */
	meas_set carried; /* by these */
	bool rest;	  /* says nothing of its own */
	bool over;	  /* it was refused: nothing goes on with it */
	enum unit unit;
	uint64_t flow, inv;
	uint32_t octets;
	enum reason refused;
	int64_t wait; /* ns before it */
	bool on;      /* of a state */
	int64_t step; /* of the wall clock, us */
};

static inline int64_t known(struct draws *d, int64_t v)
{
	return one_in(d, 12) ? -1 : v;
}

static inline void throw_data(struct draws *d, struct said *s)
{
	static const meas_set read[] = {
		MEAS_BIT(MEAS_ENERGY_REGISTER), MEAS_BIT(MEAS_ENERGY_INTERVAL),
		MEAS_BIT(MEAS_ENERGY_REGISTER) |
			MEAS_BIT(MEAS_ENERGY_INTERVAL),
		MEAS_BIT(MEAS_POWER_INSTANT)};

	if (s->about == AB_PUSH)
		s->meas = MEAS_BIT(MEAS_EVENT_POWER);
	else if (s->about == AB_SWITCH)
		s->meas = MEAS_BIT(MEAS_CONTROL_LOAD);
	else
		s->meas = read[draw(d, 4)];
	if (one_in(d, 12))
		s->meas = one_in(d, 3) ? 0 : MEAS_BIT(draw(d, MEAS_COUNT));
	s->gran = known(d, 900 * (1 + (int64_t)draw(d, 6)));
	s->newest = known(d, 3600 * (int64_t)draw(d, 14));
	if (s->newest > 0 && one_in(d, 6)) /* a second too young */
		s->newest--;
	s->oldest = s->newest < 0 ? -1
				  : known(d, s->newest + 7200 *
						     (int64_t)draw(d, 14));
	s->res = known(d, 500 * (1 + (int64_t)draw(d, 24)));
	s->unit = s->about == AB_SWITCH			     ? UNIT_S
		  : s->meas & MEAS_BIT(MEAS_POWER_INSTANT) ? UNIT_W
							     : UNIT_WH;
	s->channels = known(d, 1 + (int64_t)draw(d, 3));
	s->values = known(d, 1 + (int64_t)draw(d, 3));
	s->value = known(d, 900000 * (int64_t)draw(d, 12));
	s->moments = one_in(d, 8) ? 2 + (unsigned)draw(d, 3) : 1;
}

static inline int64_t throw_wait(struct draws *d)
{
	static const int64_t waits[] = {S(1),	MIN(5), MIN(1), MIN(20), H(1),
					S(100), H(6),	H(20),	D(1),	 D(9),
					D(31),	MIN(59)};
	int64_t ns = waits[draw(d, draw(d, 2) ? 12 : 5)];

	if (one_in(d, 3))
		ns += S((int64_t)draw(d, 4000)) - (ns > S(1) ? S(1) : 0);
	return draw(d, 3) ? ns : S(1);
}

static inline const struct topic *topic_of(const struct policies *p,
					   uint64_t machine, unsigned about,
					   unsigned var)
{
	for (unsigned i = 0; i < p->n_topic; i++) {
		const struct topic *t = &p->topic[i];

		if (t->machine == machine && t->about == about &&
		    t->var == var)
			return t;
	}
	return NULL;
}

/* What most rules let pass. */
static inline void said_ease(struct said *s)
{
	s->gran = 5400;
	s->oldest = s->newest = 12 * 3600;
	s->res = 30000;
	s->channels = s->values = 1;
}

/* To the request before it, if that is what it was and some grant is about
 * the answer. */
static inline bool throw_answer(struct draws *d, const struct policies *p,
				const struct said *before, struct said *s)
{
	const struct topic *t =
		topic_of(p, before->machine,
			 before->about == AB_ASK ? AB_READ : AB_OBIX,
			 before->var);

	if (before->what != SAID_MESSAGE || !before->octets ||
	    (before->about != AB_ASK && before->about != AB_OBIX_ASK) || !t ||
	    one_in(d, 4))
		return false;
	*s = (struct said){.machine = before->machine, .dir = DIR_OUT,
			   .who = before->who, .n_leaves = 1,
			   .about = before->about == AB_ASK ? AB_READ : AB_OBIX,
			   .var = before->var, .sub = before->sub,
			   .flow = before->flow, .inv = before->inv,
			   .octets = 100, .wait = S(1)};
	throw_data(d, s);
	if (draw(d, 4))
		said_ease(s);
	if (draw(d, 2))
		s->meas = t->meas;
	return true;
}

static inline enum obs_kind said_carrier(const struct said *s)
{
	return s->about < AB_OBIX || s->about > AB_OPAQUE ? OBS_C1222_MESSAGE
							  : OBS_FLOW_OPEN;
}

/* Something else that goes that way, which some grant is about or none. */
static inline void throw_other(struct draws *d, const struct policies *p,
			       struct said *s)
{
	const struct topic *of[TOPICS];
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_topic; i++) {
		struct said it = {.about = p->topic[i].about};

		if (p->topic[i].machine == s->machine &&
		    p->topic[i].who == s->who &&
		    (it.about != s->about || p->topic[i].var != s->var) &&
		    said_carrier(&it) == OBS_FLOW_OPEN &&
		    abouts[it.about].dir == s->dir)
			of[n++] = &p->topic[i];
	}
	if (n && draw(d, 6)) {
		const struct topic *t = of[draw(d, n)];

		s->about = t->about;
		s->var = t->var;
		s->meas = draw(d, 4) ? t->meas : 0;
		return;
	}
	if (draw(d, 3))
		return;
	s->about = s->dir == DIR_IN ? AB_OBIX_ASK
		   : draw(d, 3)	    ? AB_OBIX
		   : draw(d, 2)	    ? AB_HTTP
				    : AB_OPAQUE;
	s->var = (unsigned)draw(d, abouts[s->about].n_var);
}

#define UNITS 5 /* of a message, at most */

/* One more unit of the message before it: of the same, of something else, or
 * what is left of it and says nothing more. */
static inline bool throw_unit(struct draws *d, const struct policies *p,
			      const struct said *before, struct said *s)
{
	meas_set meas;

	if (before->what != SAID_MESSAGE || !before->octets || before->over ||
	    said_carrier(before) != OBS_FLOW_OPEN ||
	    before->part + 1 >= UNITS ||
	    (before->part ? !draw(d, 3) : !draw(d, 2)))
		return false;
	*s = *before;
	s->part++;
	s->carried |= before->meas;
	s->meas = 0;
	s->rest = false;
	s->refused = REASON_NONE;
	s->echo = one_in(d, 40);
	s->n_leaves = one_in(d, 10) ? 2 : 1;
	s->octets = 100 + 50 * (uint32_t)draw(d, 5);
	s->wait = one_in(d, 6) ? throw_wait(d) : 0;
	s->rest = one_in(d, 6);
	if (!s->rest && one_in(d, 3)) { /* the same again */
		s->meas = before->meas;
		return true;
	}
	if (draw(d, 3))
		throw_other(d, p, s);
	s->sub = (unsigned)draw(d, 3);
	meas = s->meas;
	s->meas = 0;
	if (s->rest || !abouts[s->about].data)
		return true;
	throw_data(d, s);
	if (draw(d, 3))
		said_ease(s);
	if (meas)
		s->meas = meas;
	return true;
}

/* Two in three are about what a grant is about, and of these again some are the
 * one before once more. */
static inline struct said throw(struct draws *d, const struct policies *p,
				const struct said *before)
{
	struct said s = {.what = SAID_MESSAGE, .n_leaves = 1};
	uint64_t kind = draw(d, 24);

	bool answer = before->about == AB_READ || before->about == AB_OBIX;

	if (throw_unit(d, p, before, &s))
		return s;
	if (before->what == SAID_MESSAGE && before->octets &&
	    one_in(d, answer ? 3 : 4)) {
		s = *before;
		s.part = 0; /* alone */
		s.carried = 0;
		s.rest = s.over = false;
		s.wait = answer && draw(d, 2) ? S(1) : throw_wait(d);
		return s;
	}
	if (throw_answer(d, p, before, &s))
		return s;
	if (p->n_topic && draw(d, 4)) {
		const struct topic *t = &p->topic[draw(d, p->n_topic)];

		s.machine = t->machine;
		s.about = t->about;
		s.var = t->var;
		s.who = t->who;
	} else {
		s.machine = p->two ? draw(d, 2) : 0;
		s.about = (unsigned)draw(d, AB_COUNT);
		s.var = (unsigned)draw(d, abouts[s.about].n_var);
		s.who = (unsigned)draw(d, p->two ? 4 : 3);
	}
	s.dir = one_in(d, 12) ? !abouts[s.about].dir : abouts[s.about].dir;
	s.sub = (unsigned)draw(d, 3);
	if (abouts[s.about].data)
		throw_data(d, &s);
	s.flow = 1 + draw(d, 3);
	s.inv = 1 + draw(d, 2);
	s.octets = 100 + 50 * (uint32_t)draw(d, 5);
	s.wait = throw_wait(d);
	if (one_in(d, 10))
		s.n_leaves = 2;
	s.echo = one_in(d, 40);
	s.forged = one_in(d, 60);
	s.deep = one_in(d, 20);
	s.other_port = one_in(d, 40);
	if (one_in(d, 60))
		s.refused = REASON_MALFORMED;
	if (kind == 21) {
		s.what = SAID_STATE;
		s.on = draw(d, 4) > 0;
	} else if (kind == 22 || kind == 20 || kind == 18 || kind == 16) {
		s.what = draw(d, 3) ? SAID_OPEN : SAID_CLOSE;
	} else if (kind == 23 || kind == 19) {
		s.what = SAID_WALL;
		s.step = ((int64_t)draw(d, 9) - 4) * 7 * INT64_C(3600) *
			 US_PER_S;
		if (one_in(d, 3)) /* weeks and months away */
			s.step *= 30;
		s.on = draw(d, 3) > 0;
	}
	return s;
}

static inline void said_tell(const struct law *l, const struct said *s)
{
	static const char *const who[] = {"headend", "service", "a stranger",
					  "the other machine"};
	static const char *const what[] = {"", "state attested", "wall clock",
					   "opens", "closes"};

	if (!l->tell)
		return;
	law_tell(l, "  after %lld s: ", (long long)(s->wait / NS_PER_S));
	if (s->what != SAID_MESSAGE) {
		law_tell(l, "%s %d, step %lld s, flow %d, %s\n", what[s->what],
			 s->on, (long long)(s->step / US_PER_S), (int)s->flow,
			 who[s->who]);
		return;
	}
	law_tell(l, "machine %d, %s, %s: %s %u, flow %d, inv %d, %u octets, "
		    "%u leaves%s%s%s\n",
		 (int)s->machine, s->dir == DIR_OUT ? "out" : "in",
		 who[s->who], abouts[s->about].obs,
		 LAW_TABLE(s->var) + s->sub, (int)s->flow, (int)s->inv,
		 s->octets, s->n_leaves, s->echo ? ", an echo" : "",
		 s->forged ? ", forged" : "", s->refused ? ", malformed" : "");
	if (s->part)
		law_tell(l, "     unit %u of a message that carried %llx%s\n",
			 s->part, (unsigned long long)s->carried,
			 s->rest ? ", the rest of it" : "");
	if (s->deep || s->other_port)
		law_tell(l, "     %s%s\n", s->deep ? "deeper " : "",
			 s->other_port ? "port 1154" : "");
	if (s->meas)
		law_tell(l, "     data %llx, granularity %lld, newest %lld, "
			    "oldest %lld, resolution %lld, channels %lld, "
			    "value %lld, values %lld, moments %u\n",
			 (unsigned long long)s->meas, (long long)s->gran,
			 (long long)s->newest, (long long)s->oldest,
			 (long long)s->res, (long long)s->channels,
			 (long long)s->value, (long long)s->values, s->moments);
}

struct scenery { /* what a message points at */
	struct obs carrier, leaf[2];
	char href[2][24];
};

static inline void said_leaf(const struct said *s, struct scenery *c,
			     unsigned i, struct now now)
{
	const struct about *a = &abouts[s->about];
	struct obs *o = &c->leaf[i];
	int64_t at = wall_s(now.wall);

	*o = (struct obs){.kind = (uint16_t)a->kind};
	if (a->table)
		obs_u64(o, F_TABLE, LAW_TABLE(s->var) + (s->sub + i) % 5);
	if (a->href) {
		snprintf(c->href[i], sizeof(c->href[i]), "/meter/%c/%u%s",
			 'a' + (int)s->var, s->sub + i, s->deep ? "/x" : "");
		obs_span(o, F_HREF, span_str(c->href[i]));
	}
	if (s->about == AB_HTTP) {
		obs_span(o, F_METHOD, span_str(s->sub == 2 ? "PUT" : "GET"));
		obs_span(o, F_PATH, span_str("/tips/today"));
		obs_span(o, F_HOST, span_str(s->deep ? "tips/1" : "tips.example"));
		obs_u64(o, F_BODY, 0);
	}
	if (s->rest)
		obs_flag(o, F_CONTINUES);
	if (!s->meas)
		return;
	obs_u64(o, F_MEASUREMENT, s->meas);
	if (s->echo)
		obs_u64(o, F_ECHO, 1);
	if (s->gran >= 0)
		obs_u64(o, F_GRANULARITY, (uint64_t)s->gran);
	if (s->newest >= 0)
		obs_i64(o, F_NEWEST, at - s->newest);
	if (s->oldest >= 0)
		obs_i64(o, F_OLDEST, at - s->oldest);
	if (s->res >= 0)
		obs_u64(o, F_RES_STEP, (uint64_t)s->res);
	if (s->value >= 0) {
		obs_i64(o, F_VALUE_MIN, s->value);
		obs_i64(o, F_VALUE_MAX, s->value);
	}
	if (s->res >= 0 || s->value >= 0)
		obs_u64(o, F_RES_UNIT, s->unit);
	if (s->channels >= 0)
		obs_u64(o, F_CHANNELS, (uint64_t)s->channels);
	if (s->values >= 0)
		obs_u64(o, F_VALUES, (uint64_t)s->values);
	if (s->moments > 1)
		obs_u64(o, F_READINGS, s->moments);
}

static inline struct pol_peer said_peer(const struct said *s)
{
	struct pol_peer p = {.machine = -1, .proto = 6,
			     .port = s->other_port ? 1154 : 1153};

	p.addr = s->who == 0   ? kit_net(203, 0, 113, 7, 32).addr
		 : s->who == 1 ? kit_net(198, 51, 100, 9, 32).addr
			       : kit_net(192, 0, 2, 1, 32).addr;
	if (s->who == 3)
		p.machine = s->machine ? 0 : 1;
	return p;
}

static inline struct pol_msg said_msg(const struct said *s, struct scenery *c,
				      struct now now)
{
	struct pol_msg m = {.machine = s->machine, .dir = s->dir,
			    .message = &c->carrier, .leaves = c->leaf,
			    .n_leaves = s->n_leaves, .octets = s->octets,
			    .now = now, .flow = s->flow, .peer = said_peer(s),
			    .forged_source = s->forged,
			    .refused = s->refused};

	c->carrier = (struct obs){.kind = (uint16_t)said_carrier(s)};
	obs_u64(&c->carrier,
		s->about == AB_READ ? F_CALLED_INV : F_CALLING_INV, s->inv);
	if (s->part)
		obs_flag(&c->carrier, F_CONTINUES);
	if (s->carried)
		obs_u64(&c->carrier, F_CARRIED, s->carried);
	for (unsigned i = 0; i < s->n_leaves; i++)
		said_leaf(s, c, i, now);
	return m;
}

/* What is no message, in one world. */
static inline void world_other(struct world *w, const struct said *s,
			       struct now now)
{
	switch (s->what) {
	case SAID_STATE:
		if (pol_state_set(w->st, s->machine, span_str("attested"),
				  (struct span){0}, s->on, now))
			fail_msg("no state attested");
		break;
	case SAID_CLOSE:
		pol_close(w->st, s->machine, s->flow, now);
		break;
	default:
		break;
	}
}

/* The time of it. */
static inline void said_time(const struct said *s, struct now *now)
{
	now->mono.ns += s->wait;
	now->wall.us += s->wait / 1000;
	if (s->what == SAID_WALL) {
		now->wall.us += s->step;
		now->wall.trusted = s->on;
	}
}

/* Is it judged, and not only done? */
static inline bool said_judged(const struct said *s)
{
	return s->what == SAID_MESSAGE || s->what == SAID_OPEN;
}

/* Charged for good or not at all. */
static inline bool world_judge(struct world *w, const struct said *s,
			       struct now now, struct pol_decision *d)
{
	static struct scenery c;
	struct pol_peer peer = said_peer(s);
	struct pol_msg m;

	if (s->what == SAID_OPEN) {
		pol_open(w->st, s->machine, s->dir, &peer, s->flow, now, d);
		return d->permit;
	}
	m = said_msg(s, &c, now);
	pol_judge(w->st, &m, d);
	return d->permit;
}

/* Wednesday 2026-11-25 12:00 UTC */
static inline struct now law_noon(void)
{
	return (struct now){{S(1000)},
			    {INT64_C(1795608000) * US_PER_S, 0, 0, true}};
}

#endif
