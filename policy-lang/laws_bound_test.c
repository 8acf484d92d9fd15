/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Law 6 over whole policies: no history of permitted messages exceeds any
 * figure of bound, of a rule, of a recipient with all its rules, and of all
 * layers together. analysis/most_test.c has one rule and asks how near a
 * history comes; here some other limit mostly comes before.
 *
 * The adversary repeats what passed, a request and its answer, as soon as it
 * may again, and now and then something else. Clocks do not step here: law 8.
 */
#include "policy-lang/lawcount.h"

#define LENS   3

enum { SAW_FLOW, SAW_MANY, SAW_FULL, SAW_TWO_RULES, SAW_DELAY, SAW_POWER,
       SAW_SEALED, SAW_OTHER, SAW_CUSTOMER, SAW_BASE, SAW_CLOSE, SAW_OCTETS,
       SAW_TRIAL, SAW_UNIT };

static struct world w;
static struct policies p;
static struct bound *b;

/* --- recipients ------------------------------------------------------------- */

static bool is_of(const struct bound_recipient *r, const struct passed *x)
{
	return x->machine == r->machine && x->party >= 0 &&
	       r->parties >> x->party & 1;
}

static bool leaves_to(const struct passed *x, const void *arg)
{
	return x->dir == DIR_OUT && is_of(arg, x);
}

static uint64_t octets(const struct passed *x, const void *arg)
{
	(void)arg;
	return x->s.octets;
}

static uint64_t any_reading(const struct passed *x, const void *arg)
{
	(void)arg;
	return readings(x, ~(meas_set)0);
}

static uint64_t one_message(const struct passed *x, const void *arg)
{
	(void)arg;
	return x->s.part == 0;
}

static bool sealed_to(const struct passed *x, const void *arg)
{
	return leaves_to(x, arg) && x->s.about == AB_OPAQUE;
}

static bool other_to(const struct passed *x, const void *arg)
{
	return leaves_to(x, arg) && !x->meas && !x->s.rest;
}

/* Of the types of one recipient, or of all. */
struct of_types {
	const struct bound_recipient *r;
	meas_set meas;
};

static bool typed(const struct passed *x, const void *arg)
{
	const struct of_types *t = arg;

	return leaves_to(x, t->r) && x->meas & t->meas;
}

static uint64_t typed_readings(const struct passed *x, const void *arg)
{
	return readings(x, ((const struct of_types *)arg)->meas);
}

static bool no_more_in(struct law *l, const char *what,
		       const struct counted *c, const uint64_t *most)
{
	for (int sp = 0; sp < MOST_SPANS; sp++) {
		uint64_t n = sp == MOST_BILLING
				     ? 0
				     : most_seen(c, 0, (enum most_span)sp);

		if (n > most[sp])
			return law_broken(l, "%s: %llu in span %d, bound %llu",
					  what, (unsigned long long)n, sp,
					  (unsigned long long)most[sp]);
		l->saw[SAW_FULL] |= n > 1 && n == most[sp];
	}
	return true;
}

static bool no_more_within(struct law *l, const char *what,
			   const struct bound_recipient *r,
			   const struct counted *c, meas_set meas,
			   enum pol_thing thing, const int64_t *len)
{
	for (int i = 0; i < LENS; i++) {
		uint64_t n = most_seen(c, len[i], 0);
		uint64_t most = bound_most(b, &r, 1, meas, thing,
					   (struct bound_in){.ns = len[i]});

		if (n > most)
			return law_broken(l, "%s: %llu in %lld s, bound %llu",
					  what, (unsigned long long)n,
					  (long long)(len[i] / NS_PER_S),
					  (unsigned long long)most);
	}
	return true;
}

/* A series shows itself, however often it is sent. */
static meas_set no_series(meas_set of)
{
	meas_set all = 0;

	for (meas_set s = of; s; s &= s - 1) {
		if (meas_class((enum meas)__builtin_ctzll(s)) !=
		    MEAS_CLASS_SERIES)
			all |= s & -s;
	}
	return all;
}

/* What the recipient's grade and what is claimed of it go by. */
static int64_t told_of(const struct bound_recipient *r, enum meas meas)
{
	int64_t ns = INT64_MAX;

	for (size_t i = 0; i < r->n_flow; i++) {
		if (r->flow[i].meas == meas && r->flow[i].with_ns < ns)
			ns = r->flow[i].with_ns;
	}
	return ns;
}

static bool types_hold(struct law *l, const struct bound_recipient *r,
		       const int64_t *len)
{
	for (unsigned m = 0; m < MEAS_COUNT; m++) {
		struct of_types t = {r, MEAS_BIT(m)};
		struct counted c = {typed, typed_readings, &t};

		if (!most_seen(&c, 0, MOST_365D))
			continue;
		if (!no_more_within(l, meas_name((enum meas)m), r, &c, t.meas,
				    THING_READINGS, len))
			return false;
		if (!no_series(t.meas))
			continue;
		if (closest(&c, 32) < bound_together(b, r, t.meas))
			return law_broken(l, "%s: closer than together",
					  meas_name((enum meas)m));
		if (!bound_use((enum meas)m) &&
		    closest(&c, 32) < told_of(r, (enum meas)m))
			return law_broken(l, "%s: closer than is told",
					  meas_name((enum meas)m));
	}
	return true;
}

static bool recipient_holds(struct law *l, const struct bound_recipient *r,
			    const int64_t *len)
{
	struct counted out = {leaves_to, octets, r};
	struct counted some = {leaves_to, any_reading, r};
	struct counted every = {leaves_to, one_message, r};
	struct counted sealed = {sealed_to, octets, r};
	struct counted other = {other_to, octets, r};
	struct of_types use = {r, no_series(meas_use())};
	struct counted shows = {typed, typed_readings, &use};
	uint64_t any = most_seen(&out, 0, MOST_365D);

	if (!any)
		return true;
	l->saw[SAW_SEALED] |= most_seen(&sealed, 0, MOST_365D) > 0;
	l->saw[SAW_OTHER] |= most_seen(&other, 0, MOST_365D) > 0;
	l->saw[SAW_MANY] |= most_seen(&some, 0, MOST_365D) > 8;
	l->saw[SAW_OCTETS] |= r->bytes[MOST_365D] != MOST_UNLIMITED;
	if (most_seen(&sealed, 0, MOST_365D) && !r->sealed)
		return law_broken(l, "sealed messages to whom none go");
	if (most_seen(&other, 0, MOST_365D) && !r->other)
		return law_broken(l, "other messages to whom none go");
	if (closest(&shows, 32) < r->spacing_ns)
		return law_broken(l, "closer than the recipient's spacing");
	l->saw[SAW_CLOSE] |= closest(&shows, 32) < D(365);
	return no_more_in(l, "octets", &out, r->bytes) &&
	       no_more_in(l, "readings", &some, r->readings) &&
	       no_more_in(l, "sealed octets", &sealed, r->sealed_bytes) &&
	       no_more_in(l, "other octets", &other, r->other_bytes) &&
	       no_more_within(l, "octets", r, &out, 0, THING_BYTES, len) &&
	       no_more_within(l, "readings", r, &some, 0, THING_READINGS,
			      len) &&
	       no_more_within(l, "messages", r, &every, 0, THING_MESSAGES,
			      len) &&
	       types_hold(l, r, len);
}

/* --- flows and powers ------------------------------------------------------- */

/* What only a trial lets pass is by no rule of the policy. */
static bool is_by(const struct passed *x, struct span rule, bool monitored)
{
	bool same = span_eq(rule, x->rule);

	return x->monitored ? monitored && (rule.n == 0 || same) : same;
}

static const struct bound_flow *flow_of(const struct passed *x, enum meas m)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		for (size_t k = 0; is_of(r, x) && k < r->n_flow; k++) {
			const struct bound_flow *f = &r->flow[k];

			if (f->party == x->party && f->meas == m &&
			    is_by(x, f->rule_name, f->monitored))
				return f;
		}
	}
	return NULL;
}

struct of_flow {
	const struct bound_recipient *r;
	const struct bound_flow *f;
};

static bool by_flow(const struct passed *x, const void *arg)
{
	const struct of_flow *o = arg;

	return leaves_to(x, o->r) && x->party == o->f->party &&
	       x->meas & MEAS_BIT(o->f->meas) &&
	       is_by(x, o->f->rule_name, o->f->monitored);
}

static uint64_t flow_readings(const struct passed *x, const void *arg)
{
	return readings(x, MEAS_BIT(((const struct of_flow *)arg)->f->meas));
}

static bool flow_holds(struct law *l, const struct bound_recipient *r,
		       const struct bound_flow *f)
{
	struct of_flow o = {r, f};
	struct counted c = {by_flow, flow_readings, &o};

	if (!no_more_in(l, "readings of a rule", &c, f->readings))
		return false;
	if (meas_class(f->meas) != MEAS_CLASS_SERIES &&
	    closest(&c, 8) < f->spacing_ns)
		return law_broken(l, "closer than the rule's spacing");
	return true;
}

/* What the message says of itself, against its flow. What is no series and
 * has no time is of now. */
static bool data_holds(struct law *l, const struct passed *x,
		       const struct bound_flow *f)
{
	const struct said *s = &x->s;
	bool series = meas_class(f->meas) == MEAS_CLASS_SERIES;
	int64_t newest = series || s->newest >= 0 ? s->newest : 0;
	int64_t oldest = series || s->oldest >= 0 ? s->oldest : 0;

	if (f->delay_ns && newest < f->delay_ns / NS_PER_S)
		return law_broken(l, "%lld s old, bound %lld",
				  (long long)newest,
				  (long long)(f->delay_ns / NS_PER_S));
	if (f->history_ns != BOUND_NONE &&
	    (oldest < 0 || oldest > f->history_ns / NS_PER_S))
		return law_broken(l, "%lld s back, bound %lld",
				  (long long)oldest,
				  (long long)(f->history_ns / NS_PER_S));
	if (series && f->granularity_ns &&
	    s->gran < f->granularity_ns / NS_PER_S)
		return law_broken(l, "every %lld s, bound %lld",
				  (long long)s->gran,
				  (long long)(f->granularity_ns / NS_PER_S));
	if (f->res_milli != BOUND_NONE && f->res_unit == s->unit &&
	    (s->res < 0 || s->res < f->res_milli))
		return law_broken(l, "in steps of %lld, bound %lld",
				  (long long)s->res, (long long)f->res_milli);
	if (f->channels && (s->channels < 0 || s->channels > f->channels))
		return law_broken(l, "%lld channels, bound %u",
				  (long long)s->channels, f->channels);
	l->saw[SAW_DELAY] |= f->delay_ns > 0;
	return true;
}

static bool power_holds(struct law *l, const struct passed *x)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		for (size_t k = 0; is_of(r, x) && k < r->n_power; k++) {
			const struct bound_power *q = &r->power[k];

			if (q->party != x->party ||
			    !is_by(x, q->rule_name, q->until_s > 0))
				continue;
			l->saw[SAW_POWER] = true;
			if (q->has_value &&
			    (x->s.value < q->lo || x->s.value > q->hi))
				return law_broken(l, "a command of %lld",
						  (long long)x->s.value);
			return true;
		}
	}
	return law_broken(l, "a command from whom none comes");
}

static bool message_holds(struct law *l, const struct passed *x)
{
	meas_set m = x->meas;

	if (x->dir == DIR_IN)
		return !(m & MEAS_BIT(MEAS_CONTROL_LOAD)) || power_holds(l, x);
	for (; m; m &= m - 1) {
		enum meas one = (enum meas)__builtin_ctzll(m);
		const struct bound_flow *f = flow_of(x, one);

		if (!f)
			return law_broken(l, "%s by %.*s, and bound has none",
					  meas_name(one), (int)x->rule.n,
					  x->rule.p);
		l->saw[SAW_FLOW] = true;
		if (!data_holds(l, x, f))
			return false;
	}
	return true;
}

/* --- histories -------------------------------------------------------------- */

static struct span vendor_rule(const struct pol_decision *d)
{
	for (uint32_t i = 0; i < d->n_rules; i++) {
		if (span_is(d->rules[i].layer, "vendor"))
			return d->rules[i].rule;
	}
	return (struct span){0};
}

/* Judged, and let go with its octets, as the gateway does. */
static bool play(const struct said *s, struct now now, struct pol_decision *d)
{
	static struct pol_decision packet;
	struct pol_peer peer = said_peer(s);

	if (!world_judge(&w, s, now, d)) {
		pol_abort(w.st);
		return false;
	}
	if (s->what == SAID_MESSAGE &&
	    !pol_packet(w.st, s->machine, s->dir, &peer, s->octets, now,
			&packet)) {
		pol_abort(w.st);
		d->wait_ns = packet.wait_ns;
		return false;
	}
	pol_commit(w.st);
	/* Between two machines it is judged for both; that is the second's. */
	if (s->what == SAID_MESSAGE && s->who != 3)
		log_[n_log++] = (struct passed){
			.now = now, .dir = s->dir, .machine = s->machine,
			.party = pol_party(w.set, s->machine, &peer),
			.meas = s->echo ? 0 : s->meas & ~MEAS_ABOUT, .s = *s,
			.rule = vendor_rule(d), .monitored = d->monitored};
	return true;
}

/* The last one, or it and the one before, as soon as it may. What goes on with
 * a message does so for as long as it may; but what it says first it says when
 * it begins, or it would be a matter of taste when it was told. */
static void again(struct law *l, struct said *last, unsigned n,
		  struct now *now)
{
	static struct pol_decision d;
	meas_set carried = last[0].carried;
	int64_t wait = 0;

	if (last[0].part && (n == 1 || last[1].part)) {
		if (last[0].over)
			return;
		carried |= last[0].meas;
	}
	for (unsigned i = 0, all = 1 + (unsigned)draw(&l->history, 40);
	     i < all && n_log < EVENTS; i++) {
		bool permit = false;

		for (unsigned k = n; k-- > 0 && n_log < EVENTS;) {
			struct said s = last[k];

			/* Nothing goes on with what was refused. */
			if (k + 1 < n && !permit && s.part)
				break;
			s.carried = s.part ? carried : 0;
			s.wait = k + 1 == n ? wait : s.part ? 0 : S(1);
			said_time(&s, now);
			said_tell(l, &s);
			permit = play(&s, *now, &d);
			law_tell(l, "     %s\n",
				 permit ? "permitted" : d.text);
			if (permit)
				carried = s.carried | s.meas;
		}
		last[0].over = !permit;
		if (!permit && (d.wait_ns <= 0 || d.wait_ns > D(40)))
			break;
		/* Both clocks go alike, which count in us and in ns. */
		wait = permit ? 0 : (d.wait_ns + 999) / 1000 * 1000;
		wait += 1000 * (int64_t)draw(&l->history, 2);
		if (one_in(&l->history, 12))
			wait += throw_wait(&l->history);
	}
	if (last[0].part && (n == 1 || last[1].part))
		last[0].over = true;
}

/* Most of what is said is what most rules let pass. */
static void fit(struct draws *d, struct said *s)
{
	static const meas_set some[] = {MEAS_BIT(MEAS_ENERGY_REGISTER),
					MEAS_BIT(MEAS_ENERGY_INTERVAL),
					MEAS_BIT(MEAS_POWER_INSTANT)};

	if (s->what != SAID_MESSAGE || !draw(d, 4))
		return;
	s->echo = s->deep = false;
	s->refused = REASON_NONE;
	if (s->part == 0) { /* units go where the first one went */
		s->forged = s->other_port = false;
		s->dir = abouts[s->about].dir;
	}
	if (!s->meas)
		return;
	if (s->about == AB_READ || s->about == AB_OBIX)
		s->meas = some[draw(d, 3)];
	said_ease(s);
	s->value = 3600000;
}

static void history(struct law *l)
{
	struct said at_first = {.what = SAID_STATE, .on = true};
	static struct pol_decision d;
	struct now now = law_noon();
	struct said last[2] = {{0}};
	bool both;

	n_log = 0;
	for (; at_first.machine < (p.two ? 2 : 1); at_first.machine++) {
		if (draw(&l->history, 4))
			world_other(&w, &at_first, now);
	}
	for (unsigned i = 0; i < EVENTS && draw(&l->history, 30) &&
			     n_log < EVENTS &&
			     civil_of(wall_s(now.wall)).year < 2028;
	     i++) {
		struct said s = throw(&l->history, &p, &last[0]);

		if (s.what == SAID_WALL)
			continue;
		fit(&l->history, &s);
		if (s.part)
			s.wait = 0;
		last[0].over |= s.what != SAID_MESSAGE;
		said_time(&s, &now);
		said_tell(l, &s);
		if (!said_judged(&s)) {
			world_other(&w, &s, now);
			continue;
		}
		s.over = !play(&s, now, &d);
		law_tell(l, "     %s\n", s.over ? d.text : "permitted");
		if (s.what != SAID_MESSAGE)
			continue;
		l->saw[SAW_UNIT] |= s.part && !s.over;
		last[1] = last[0];
		last[0] = s;
		/* Units of an older message are over. */
		both = last[1].octets && (s.part || !last[1].part);
		if ((d.permit || d.wait_ns > 0) && draw(&l->history, 3))
			again(l, last, both && draw(&l->history, 2) ? 2 : 1,
			      &now);
	}
}

static void agree_to_all(void)
{
	for (int i = 0; i < (p.two ? 2 : 1); i++) {
		const struct lt *v = &p.vendor[i];
		uint16_t all = lt_get(v, 1, "allow");

		for (uint16_t k = v->node[all].first; k; k = v->node[k].next) {
			struct span id = span_str(lt_str(v, v->node[k].key));

			if (lt_get(v, k, "consent") &&
			    pol_state_consent(w.st, machine_of(&p, i), id,
					      true))
				fail_msg("no rule %s", (const char *)id.p);
		}
	}
	w.fresh = *w.st;
}

/* All of it or one rule; for three weeks. */
static void put_trial(struct draws *d, struct lt *t)
{
	uint16_t all = lt_get(t, 1, "allow"), in = 1, x;

	x = lt_add(t, 1, LT_MAP, "valid");
	lt_put(t, x, "from", "2026-11-25");
	lt_put(t, x, "until", "2028-01-01");
	if (draw(d, 2))
		in = lt_nth(t, all, draw(d, lt_count(t, all)));
	x = lt_add(t, in, LT_MAP, "mode");
	lt_put(t, x, "monitor-until", "2026-12-16");
}

static bool make(struct law *l)
{
	struct err e;

	bound_free(b);
	b = NULL;
	make_policies(&l->policy, &p, draw(&l->policy, 2));
	if (p.has_base && one_in(&l->policy, 4))
		put_trial(&l->policy, &p.vendor[0]);
	tell_policies(l, &p);
	if (!world_of(&w, &p))
		return false;
	/* As this household chose, or with every consent. */
	if (!p.has_customer)
		agree_to_all();
	return bound_new(&b, w.set, p.has_customer, &e) == 0;
}

static bool law_6(struct law *l)
{
	int64_t len[LENS];
	static bool fine;

	if (!l->same_policy)
		fine = make(l);
	if (!fine)
		return law_skip(l);
	for (int i = 0; i < LENS; i++)
		len[i] = S(1 + (int64_t)draw(&l->history, 86400u * 20));
	world_reset(&w);
	history(l);
	for (size_t i = 0; i < n_log; i++) {
		l->saw[SAW_TRIAL] |= log_[i].monitored;
		if (!message_holds(l, &log_[i]))
			return false;
		l->saw[SAW_TWO_RULES] |=
			i && log_[i].meas && log_[i - 1].meas &&
			log_[i].dir == DIR_OUT && log_[i - 1].dir == DIR_OUT &&
			!span_eq(log_[i].rule, log_[i - 1].rule);
	}
	for (size_t i = 0; i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		if (!recipient_holds(l, r, len))
			return false;
		for (size_t k = 0; k < r->n_flow; k++) {
			if (!flow_holds(l, r, &r->flow[k]))
				return false;
		}
	}
	l->saw[SAW_CUSTOMER] = n_log && p.has_customer;
	l->saw[SAW_BASE] = n_log && p.has_base;
	return true;
}

static void test_no_figure_is_exceeded(void **ctx)
{
	static const struct law_share shares[] = {
		{"told something", 10}, {"more than 8 readings", 5},
		{"all of a bound", 5}, {"by two rules", 1},
		{"not so fresh", 1}, {"a command", 1}, {"sealed", 1},
		{"without a reading", 10}, {"a customer's file", 5},
		{"a baseline", 20}, {"33 readings and more", 0},
		{"octets bounded", 5}, {"on trial alone", 1},
		{"went on with a unit", 10}, {0}};

	(void)ctx;
	law_run("law 6, policies", law_6, shares);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_figure_is_exceeded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
