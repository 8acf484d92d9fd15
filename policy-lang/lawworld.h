/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies of a law compiled, composed and judged: several worlds side by
 * side, which see the same messages at the same time.
 */
#ifndef POLICY_LANG_LAWWORLD_H
#define POLICY_LANG_LAWWORLD_H

#include "policy-lang/eval/ledger.h"
#include "policy-lang/eval/testkit.h"
#include "policy-lang/front/front.h"
#include "policy-lang/lawpolicy.h"

#define WORLD_FILES 4

struct world {
	size_t n;
	struct pol_file *file[WORLD_FILES];
	struct pol_image *image[WORLD_FILES];
	uint8_t *octets[WORLD_FILES];
	size_t n_octets[WORLD_FILES];
	struct pol_set *set;
	struct pol_state *st, fresh; /* and as it was when it was new */
	uint64_t *words;	     /* up to the rows of its ledger */
	struct mem_live live;
	struct diags d; /* of what was read */
	struct err e;
};

/* --- compiled --------------------------------------------------------------- */

static inline void world_free(struct world *w)
{
	pol_state_free(w->st);
	pol_set_free(w->set);
	for (size_t i = 0; i < w->n; i++) {
		pol_image_free(w->image[i]);
		free(w->octets[i]);
		pol_file_free(w->file[i]);
	}
	free(w->words);
	w->n = 0;
	w->st = NULL;
	w->set = NULL;
	w->words = NULL;
}

/* One text into w->file[at] and so on. False: it is no policy, see w->d. */
static inline bool world_text(struct world *w, const char *text, size_t n)
{
	static const char *const paths[WORLD_FILES] = {"0.yaml", "1.yaml",
						       "2.yaml", "3.yaml"};
	size_t i = w->n;

	w->d.n = w->d.errors = w->d.warnings = w->d.infos = 0;
	w->file[i] = NULL;
	w->image[i] = NULL;
	w->octets[i] = NULL;
	if (pol_read(&w->file[i], paths[i], span_of(text, n), NULL, &w->d,
		     &w->e))
		return false;
	w->n++;
	return pol_image_build(&w->octets[i], &w->n_octets[i], w->file[i],
			       &w->e) == 0 &&
	       pol_image_load(&w->image[i],
			      span_of(w->octets[i], w->n_octets[i]), &w->e) ==
		       0;
}

static inline bool world_add(struct world *w, const struct lt *t)
{
	static char text[64 * 1024];

	return world_text(w, text, lt_write(t, text, sizeof(text), NULL, false));
}

static inline size_t world_kept(const struct pol_state *st)
{
	return (st->ledger + LG_HEAD) * sizeof(uint64_t);
}

/* Set and state of what was added. */
static inline bool world_go(struct world *w)
{
	const struct pol_image *im[WORLD_FILES];

	for (size_t i = 0; i < w->n; i++)
		im[i] = w->image[i];
	if (pol_set_new(&w->set, im, w->n, &w->e) ||
	    pol_state_new(&w->st, w->set, &w->e))
		return false;
	pol_state_spread(w->st, false);
	w->fresh = *w->st;
	w->live = *w->st->live;
	w->words = malloc(world_kept(w->st));
	memcpy(w->words, w->st->w, world_kept(w->st));
	return true;
}

/* As it was when nothing had happened, in less time than a new one takes. */
static inline void world_reset(struct world *w)
{
	uint64_t *lg = w->st->w + w->st->ledger;
	uint64_t rows = lg[LG_ROWS];

	memset(ledger_row(lg, 0), 0, rows * LR_WORDS * sizeof(uint64_t));
	memcpy(w->st->w, w->words, world_kept(w->st));
	*w->st->live = w->live;
	*w->st = w->fresh;
}

/* What the front said, for skips that were not meant. */
static inline void world_why(const struct world *w, char *buf, size_t cap)
{
	for (size_t i = 0; i < w->d.n; i++) {
		if (w->d.d[i].level == DIAG_ERROR) {
			snprintf(buf, cap, "P%u %s", w->d.d[i].code,
				 w->d.d[i].text);
			return;
		}
	}
	snprintf(buf, cap, "%s", w->e.text);
}

static inline bool world_has_code(const struct world *w, unsigned code)
{
	for (size_t i = 0; i < w->d.n; i++) {
		if (w->d.d[i].code == code && w->d.d[i].level == DIAG_ERROR)
			return true;
	}
	return false;
}

/* --- sets of policies ------------------------------------------------------- */

#define TOPICS 40

struct topic { /* of a grant: what fits it */
	unsigned machine, about, var, who;
};

struct policies {
	struct lt base, vendor[2], customer;
	bool has_base, two, has_customer;
	struct topic topic[TOPICS];
	unsigned n_topic;
};

/* Machines in the order of their names: dr, mdma. */
static inline size_t machine_of(const struct policies *p, int vendor)
{
	return p->two && vendor == 0 ? 1 : 0;
}

static inline void find_topics(struct policies *p, int vendor)
{
	const struct lt *t = &p->vendor[vendor];
	uint16_t all = lt_get(t, 1, "allow");

	for (uint16_t k = t->node[all].first; k && p->n_topic < TOPICS;
	     k = t->node[k].next) {
		const char *id = lt_str(t, t->node[k].key);
		const char *who =
			lt_str(t, t->node[lt_get(t, k, "party")].text);

		p->topic[p->n_topic++] = (struct topic){
			(unsigned)machine_of(p, vendor),
			(unsigned)(id[5] - 'a'), (unsigned)(id[6] - '0'),
			*who == 's'   ? 1
			: *who == 'o' ? 3
				      : 0};
	}
}

static inline void make_policies(struct draws *d, struct policies *p,
				 bool customer)
{
	const struct lt *v[] = {&p->vendor[0], &p->vendor[1]};

	p->has_base = draw(d, 4) > 0;
	p->two = one_in(d, 4);
	p->has_customer = customer && draw(d, 3) > 0;
	if (p->has_base)
		make_baseline(d, &p->base);
	make_vendor(d, &p->vendor[0], "mdma", p->two ? "dr" : NULL);
	if (p->two)
		make_vendor(d, &p->vendor[1], "dr", "mdma");
	if (p->has_customer)
		make_customer(d, &p->customer, v, p->two ? 2 : 1);
	p->n_topic = 0;
	find_topics(p, 0);
	if (p->two)
		find_topics(p, 1);
}

static inline void copy_policies(struct policies *to, const struct policies *p)
{
	to->has_base = p->has_base;
	to->two = p->two;
	to->has_customer = p->has_customer;
	if (p->has_base)
		lt_copy(&to->base, &p->base);
	lt_copy(&to->vendor[0], &p->vendor[0]);
	if (p->two)
		lt_copy(&to->vendor[1], &p->vendor[1]);
	if (p->has_customer)
		lt_copy(&to->customer, &p->customer);
}

/* Machines in the order of their names: dr, mdma. */
static inline bool world_of(struct world *w, const struct policies *p)
{
	world_free(w);
	return (!p->has_base || world_add(w, &p->base)) &&
	       (!p->two || world_add(w, &p->vendor[1])) &&
	       world_add(w, &p->vendor[0]) &&
	       (!p->has_customer || world_add(w, &p->customer)) && world_go(w);
}

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

static inline bool has_topic(const struct policies *p, uint64_t machine,
			     unsigned about, unsigned var)
{
	for (unsigned i = 0; i < p->n_topic; i++) {
		const struct topic *t = &p->topic[i];

		if (t->machine == machine && t->about == about &&
		    t->var == var)
			return true;
	}
	return false;
}

/* To the request before it, if that is what it was and some grant is about
 * the answer. */
static inline bool throw_answer(struct draws *d, const struct policies *p,
				const struct said *before, struct said *s)
{
	if (before->what != SAID_MESSAGE || !before->octets ||
	    (before->about != AB_ASK && before->about != AB_OBIX_ASK) ||
	    !has_topic(p, before->machine,
		       before->about == AB_ASK ? AB_READ : AB_OBIX,
		       before->var) ||
	    one_in(d, 4))
		return false;
	*s = (struct said){.machine = before->machine, .dir = DIR_OUT,
			   .who = before->who, .n_leaves = 1,
			   .about = before->about == AB_ASK ? AB_READ : AB_OBIX,
			   .var = before->var, .sub = before->sub,
			   .flow = before->flow, .inv = before->inv,
			   .octets = 100, .wait = S(1)};
	throw_data(d, s);
	if (draw(d, 4)) { /* what most rules let pass */
		s->gran = 5400;
		s->oldest = s->newest = 12 * 3600;
		s->res = 30000;
		s->channels = s->values = 1;
	}
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

	if (before->what == SAID_MESSAGE && before->octets &&
	    one_in(d, answer ? 3 : 4)) {
		s = *before;
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

static inline enum obs_kind said_carrier(const struct said *s)
{
	return s->about < AB_OBIX || s->about > AB_OPAQUE ? OBS_C1222_MESSAGE
							  : OBS_FLOW_OPEN;
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

static inline void tell_tree(const struct law *l, const struct lt *t)
{
	static char text[64 * 1024];

	if (!l->tell)
		return;
	lt_write(t, text, sizeof(text), NULL, false);
	law_tell(l, "---\n%s", text);
}

static inline void tell_policies(const struct law *l, const struct policies *p)
{
	if (p->has_base)
		tell_tree(l, &p->base);
	tell_tree(l, &p->vendor[0]);
	if (p->two)
		tell_tree(l, &p->vendor[1]);
	if (p->has_customer)
		tell_tree(l, &p->customer);
}

#endif
