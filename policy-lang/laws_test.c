/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Laws of the language (its section 23), over random policies and messages,
 * step by step from equal counters and states:
 *
 *   3  a denial, a limit, a guard or a restriction more permits nothing more
 *   4  a grant more refuses nothing more
 *   5  a customer's file permits nothing more, and no figure of bound grows
 *   7  what diff calls SAME permits the same, NARROWER nothing more, and no
 *      figure of bound grows
 *  12  a message that is refused changes no counter
 *
 * Of two worlds one is said to permit no more. What it refuses is taken back
 * in the other, so that counters and states stay equal and the history goes
 * on.
 */
#include "policy-lang/analysis/diff.h"
#include "policy-lang/analysis/within.h"
#include "policy-lang/lawedit.h"
#include "policy-lang/lawsaid.h"

#define EVENTS 24

static struct world less, more;

/* What is seen in a history, for the shares. */
enum { SAW_PERMIT, SAW_REFUSAL, SAW_DIFFER, SAW_FULL, SAW_LATER, SAW_WALL,
       SAW_GUARD, SAW_UNIT, SAW_CUT };
#define SHARES_OF_HISTORIES                                                  \
	{"permitted", 60}, {"refused", 90}, {"by one only", 8},               \
		{"limit reached", 20}, {"permitted a day later", 8},          \
		{"wall clock stepped", 30}, {"guard refused", 35},            \
		{"went on with a unit", 10}

static void look(struct law *l, const struct pol_decision *d, int64_t *first,
		 struct now now)
{
	static const enum reason guards[] = {
		REASON_NO_CONSENT, REASON_STATE_MISSING, REASON_NOT_AN_ANSWER,
		REASON_NOT_NOW, REASON_TOO_FINE, REASON_TOO_FRESH,
		REASON_TOO_FAR_BACK, REASON_TOO_PRECISE, REASON_OUT_OF_RANGE,
		REASON_TOO_MANY, REASON_STATE_FORBIDDEN};

	l->saw[SAW_PERMIT] |= d->permit;
	l->saw[SAW_REFUSAL] |= !d->permit;
	l->saw[SAW_FULL] |= d->reason == REASON_LIMIT_EXCEEDED ||
			    d->reason == REASON_TOO_SOON;
	for (size_t i = 0; i < sizeof(guards) / sizeof(guards[0]); i++)
		l->saw[SAW_GUARD] |= d->reason == guards[i];
	if (d->permit && *first < 0)
		*first = now.mono.ns;
	l->saw[SAW_LATER] |= d->permit && now.mono.ns - *first >= D(1);
}

static void settle(struct world *w, bool permit)
{
	if (permit)
		pol_commit(w->st);
	else
		pol_abort(w->st);
}

/* A refusal may have put a machine into quarantine in one of them alone, or
 * for longer: what the other refused while in quarantine began none. From then
 * on their states are not equal. */
static bool apart_in_quarantine(const struct policies *p, struct now now)
{
	for (size_t m = 0; m < (p->two ? 2 : 1); m++) {
		if (pol_quarantined(more.st, m, now) >
		    pol_quarantined(less.st, m, now))
			return true;
	}
	return false;
}

/* Does less permit nothing that more does not; with equal, and the reverse? */
static bool history(struct law *l, const struct policies *p, bool equal)
{
	static struct pol_decision a, b;
	struct draws *d = &l->history;
	struct now now = law_noon();
	struct said s = {0};
	int64_t first = -1;

	world_reset(&less);
	world_reset(&more);
	for (unsigned i = 0; i < EVENTS && draw(d, 40); i++) {
		s = throw(d, p, &s);

		said_time(&s, &now);
		said_tell(l, &s);
		l->saw[SAW_WALL] |= s.what == SAID_WALL;
		if (!said_judged(&s)) {
			world_other(&less, &s, now);
			world_other(&more, &s, now);
			continue;
		}
		world_judge(&less, &s, now, &a);
		world_judge(&more, &s, now, &b);
		law_tell(l, "     %s, %s\n", a.permit ? "permitted" : a.text,
			 b.permit ? "permitted" : b.text);
		look(l, &a, &first, now);
		l->saw[SAW_UNIT] |= s.part && a.permit;
		settle(&less, a.permit);
		settle(&more, a.permit);
		if ((a.permit && !b.permit) || (equal && a.permit != b.permit))
			return law_broken(l, "message %u: '%s' and '%s'", i,
					  a.permit ? "permitted"
						   : reason_text(a.reason),
					  b.permit ? "permitted"
						   : reason_text(b.reason));
		if (apart_in_quarantine(p, now))
			break;
		if (a.permit == b.permit)
			continue;
		l->saw[SAW_DIFFER] = true;
		/* What a refused one clears cannot be taken back. */
		if (s.about == AB_LOGOFF)
			break;
	}
	return true;
}

/* --- law 3 ------------------------------------------------------------------ */

static bool law_3(struct law *l)
{
	static struct policies was, is;
	static enum tighter how;
	static unsigned some;
	static bool fine, held;

	if (!l->same_policy) {
		some = 0;
		make_policies(&l->policy, &was, true);
		copy_policies(&is, &was);
		for (uint64_t n = 1 + one_in(&l->policy, 4); n; n--)
			some += tighten(&l->policy, &is, &how);
		tell_policies(l, &was);
		law_tell(l, "======== and tighter\n");
		tell_policies(l, &is);
		fine = some && world_of(&more, &was) && world_of(&less, &is);
	}
	if (!fine)
		return law_skip(l);
	held = history(l, &was, false);
	/* Each of them does something, or the law would hold for nothing. */
	l->saw[SAW_CUT + how] = some == 1 && l->saw[SAW_DIFFER];
	return held;
}

static void test_more_of_a_rule(void **ctx)
{
	static const struct law_share shares[] = {
		SHARES_OF_HISTORIES,
		{"by a denial", 1}, {"by a limit of its own", 0},
		{"by a limit of a rule", 0}, {"by a state", 0},
		{"by hours", 0}, {"by a restriction", 0}, {"by data", 0}, {0}};

	(void)ctx;
	law_run("law 3", law_3, shares);
}

/* --- law 4 ------------------------------------------------------------------ */

static bool law_4(struct law *l)
{
	static struct policies with, without;
	static bool fine;

	if (!l->same_policy) {
		struct lt *t = NULL;
		uint16_t rule, all;

		make_policies(&l->policy, &with, true);
		copy_policies(&without, &with);
		rule = any_rule(&l->policy, &without, &t);
		all = lt_get(t, 1, t == &without.base ? "ceiling" : "allow");
		if (rule)
			lt_del(t, all, rule);
		tell_policies(l, &with);
		law_tell(l, "======== and without\n");
		tell_policies(l, &without);
		/* P4001 is the way out that the law leaves. */
		fine = rule && lt_count(t, all) && world_of(&more, &with) &&
		       world_of(&less, &without);
	}
	return fine ? history(l, &with, false) : law_skip(l);
}

static void test_a_grant_more(void **ctx)
{
	static const struct law_share shares[] = {SHARES_OF_HISTORIES, {0}};

	(void)ctx;
	law_run("law 4", law_4, shares);
}

/* --- figures of bound ------------------------------------------------------- */

static const struct bound_recipient *same_one(const struct bound *b,
					      const struct bound_recipient *r)
{
	for (size_t i = 0; i < b->n; i++) {
		if (span_eq(b->r[i].machine_name, r->machine_name) &&
		    span_eq(b->r[i].operator_, r->operator_) &&
		    b->r[i].outside == r->outside)
			return &b->r[i];
	}
	return NULL;
}

/* No figure of a is larger than that of b. */
static bool figures_of(struct law *l, const struct bound *a,
		       const struct bound_recipient *r, const struct bound *b,
		       const struct bound_recipient *q)
{
	static const enum pol_thing things[] = {THING_MESSAGES, THING_READINGS,
						THING_VALUES, THING_BYTES};

	for (int sp = 0; sp < MOST_SPANS; sp++) {
		struct bound_in in = {.span = (enum most_span)sp};

		for (size_t k = 0; k < 4; k++) {
			uint64_t x = bound_most(a, &r, 1, 0, things[k], in);
			uint64_t y = bound_most(b, &q, 1, 0, things[k], in);

			if (x > y)
				return law_broken(
					l, "%.*s: thing %d in span %d: %llu, "
					   "was %llu",
					(int)r->operator_.n, r->operator_.p,
					things[k], sp, (unsigned long long)x,
					(unsigned long long)y);
		}
		if (r->bytes[sp] > q->bytes[sp])
			return law_broken(l, "octets in span %d", sp);
	}
	for (unsigned m = 0; m < MEAS_COUNT; m++) {
		struct bound_in year = {.span = MOST_365D};
		int64_t x = bound_together(a, r, MEAS_BIT(m));
		int64_t y = bound_together(b, q, MEAS_BIT(m));

		if (bound_most(a, &r, 1, MEAS_BIT(m), THING_READINGS, year) >
		    bound_most(b, &q, 1, MEAS_BIT(m), THING_READINGS, year))
			return law_broken(l, "readings of %s a year",
					  meas_name((enum meas)m));
		if (x < y)
			return law_broken(l, "%s: values every %lld s, was "
					     "%lld s",
					  meas_name((enum meas)m),
					  (long long)(x / NS_PER_S),
					  (long long)(y / NS_PER_S));
	}
	return true;
}

static bool no_figure_grows(struct law *l, const struct pol_set *is,
			    bool customer, const struct pol_set *was)
{
	struct bound *a = NULL, *b = NULL;
	struct err e;
	bool held = true;

	if (bound_new(&a, is, customer, &e) || bound_new(&b, was, false, &e))
		held = law_broken(l, "%s", e.text);
	for (size_t i = 0; held && i < a->n; i++) {
		const struct bound_recipient *q = same_one(b, &a->r[i]);

		if (q)
			held = figures_of(l, a, &a->r[i], b, q);
		else if (a->r[i].n_flow)
			held = law_broken(l, "a new recipient");
	}
	bound_free(a);
	bound_free(b);
	return held;
}

/* --- law 5 ------------------------------------------------------------------ */

static void agree_to_all(struct world *w, const struct policies *p)
{
	for (int i = 0; i < (p->two ? 2 : 1); i++) {
		const struct lt *v = &p->vendor[i];
		size_t machine = machine_of(p, i);
		uint16_t all = lt_get(v, 1, "allow");

		for (uint16_t k = v->node[all].first; k; k = v->node[k].next) {
			struct span id = span_str(lt_str(v, v->node[k].key));

			if (lt_get(v, k, "consent") &&
			    pol_state_consent(w->st, machine, id, true))
				fail_msg("no rule %s", (const char *)id.p);
		}
	}
	w->fresh = *w->st;
}

static bool law_5(struct law *l)
{
	static struct policies with, without;
	static bool fine;

	if (!l->same_policy) {
		make_policies(&l->policy, &with, true);
		copy_policies(&without, &with);
		without.has_customer = false;
		tell_policies(l, &with);
		fine = with.has_customer && world_of(&more, &without) &&
		       world_of(&less, &with);
		if (fine) {
			agree_to_all(&more, &with);
			if (!no_figure_grows(l, less.set, true, more.set))
				return false;
		}
	}
	return fine ? history(l, &with, false) : law_skip(l);
}

static void test_a_customer(void **ctx)
{
	static const struct law_share shares[] = {SHARES_OF_HISTORIES, {0}};

	(void)ctx;
	law_run("law 5", law_5, shares);
}

/* --- law 7 ------------------------------------------------------------------ */

static bool all_within(const struct world *a, const struct world *b)
{
	char why[200];

	for (size_t i = 0; i < a->n; i++) {
		if ((a->file[i]->kind == POL_VENDOR ||
		     a->file[i]->kind == POL_BASELINE) &&
		    !pol_within(a->image[i], b->image[i], why,
				sizeof(why)))
			return false;
	}
	return true;
}

/* As polc diff has it: figures say how much, rules say whether. */
static enum diff_change differ(const struct world *was, const struct world *is)
{
	struct bound *a = NULL, *b = NULL;
	struct diff *d = NULL;
	enum diff_change c = DIFF_WIDER;
	struct err e;

	if (bound_new(&a, was->set, false, &e) ||
	    bound_new(&b, is->set, false, &e) || diff_new(&d, a, b, &e))
		fail_msg("%s", e.text);
	if (d->change != DIFF_WIDER && all_within(is, was))
		c = d->change == DIFF_SAME && all_within(was, is)
			    ? DIFF_SAME
			    : DIFF_NARROWER;
	diff_free(d);
	bound_free(a);
	bound_free(b);
	return c;
}

static bool law_7(struct law *l)
{
	static struct policies was, is;
	static enum diff_change c;

	if (!l->same_policy) {
		enum tighter how;
		unsigned some = 0;

		make_policies(&l->policy, &was, false);
		copy_policies(&is, &was);
		for (uint64_t n = 1 + draw(&l->policy, 2); n; n--)
			some += draw(&l->policy, 3)
					? alter(&l->policy, &is)
					: tighten(&l->policy, &is, &how);
		tell_policies(l, &was);
		law_tell(l, "======== and changed\n");
		tell_policies(l, &is);
		c = DIFF_WIDER;
		if (some && world_of(&more, &was) && world_of(&less, &is))
			c = differ(&more, &less);
		law_tell(l, "======== %s\n", diff_change_name(c));
		if (c != DIFF_WIDER &&
		    !no_figure_grows(l, less.set, false, more.set))
			return false;
	}
	if (c == DIFF_WIDER)
		return law_skip(l);
	l->saw[SAW_CUT] = c == DIFF_SAME;
	return history(l, &was, c == DIFF_SAME);
}

static void test_diff(void **ctx)
{
	static const struct law_share shares[] = {
		{"permitted", 60}, {"refused", 90}, {"by one only", 5},
		{"limit reached", 20}, {"permitted a day later", 8},
		{"wall clock stepped", 30}, {"guard refused", 35},
		{"went on with a unit", 10}, {"SAME", 10}, {0}};

	(void)ctx;
	law_run("law 7", law_7, shares);
}

/* --- law 12 ----------------------------------------------------------------- */

/* All that the ledger has but refusals. */
static uint64_t in_ledger(const struct pol_state *st)
{
	uint64_t *lg = st->w + st->ledger, sum = 0;

	for (uint64_t i = 0; i < lg[LG_ROWS]; i++) {
		const uint64_t *row = ledger_row(lg, i);

		for (int d = 0; what_unit(row[LR_WHAT]) != USED_REFUSALS &&
				d < LEDGER_DAYS;
		     d++)
			sum += ledger_of_day(row, (int64_t)row[LR_DAY] - d);
	}
	return sum;
}

/* May a word change when a message is refused? Counters of refusals may, and
 * a state may end or a quarantine begin. */
static bool may_change(const struct pol_state *st, uint32_t at, uint64_t was,
		       uint64_t is)
{
	for (uint32_t i = 0; i < st->s->n_limit; i++) {
		const struct mem_limit *x = &st->mem.limit[i];
		uint64_t n = mem_limit_count(st->mem.head, x) * x->words;

		if (at >= x->base && at < x->base + n)
			return x->l.thing == THING_REFUSALS;
	}
	for (size_t m = 0; m < st->s->n_m; m++) {
		if (at >= st->builtin[m] && at < st->builtin[m] + BUILTIN_WORDS)
			return at == st->builtin[m] + BUILTIN_QUARANTINED &&
			       is > was;
		/* States of machines, parties and connections. */
		if ((at >= st->states[m] && at < st->builtin[m]) ||
		    (st->s->keeps_flows && at >= st->flows[m] &&
		     at < st->flows[m] + FLOW_STATES * FS_WORDS))
			return is == 0;
	}
	return false;
}

static bool law_12(struct law *l)
{
	static struct policies p;
	static uint64_t before[60000];
	static struct pol_decision a;
	static bool fine;
	struct pol_state *st;
	struct draws *d = &l->history;
	struct now now = law_noon();
	struct said s = {0};
	int64_t first = -1;

	if (!l->same_policy) {
		make_policies(&l->policy, &p, true);
		tell_policies(l, &p);
		fine = world_of(&less, &p);
	}
	if (!fine)
		return law_skip(l);
	world_reset(&less);
	st = less.st;
	if (st->ledger * sizeof(uint64_t) > sizeof(before))
		return law_skip(l);
	for (unsigned i = 0; i < EVENTS && draw(d, 40); i++) {
		uint64_t was;

		s = throw(d, &p, &s);
		said_time(&s, &now);
		said_tell(l, &s);
		l->saw[SAW_WALL] |= s.what == SAID_WALL;
		if (!said_judged(&s)) {
			world_other(&less, &s, now);
			continue;
		}
		memcpy(before, st->w, st->ledger * sizeof(uint64_t));
		was = in_ledger(st);
		world_judge(&less, &s, now, &a);
		look(l, &a, &first, now);
		l->saw[SAW_UNIT] |= s.part && a.permit;
		settle(&less, a.permit);
		l->saw[SAW_DIFFER] |= a.permit && s.what == SAID_MESSAGE;
		if (a.permit)
			continue;
		if (in_ledger(st) != was)
			return law_broken(l, "message %u: in the ledger", i);
		for (uint32_t k = 0; k < st->ledger; k++) {
			if (st->w[k] == before[k])
				continue;
			l->saw[SAW_CUT] = true;
			if (!may_change(st, k, before[k], st->w[k]))
				return law_broken(l, "message %u: word %u", i,
						  k);
		}
	}
	return true;
}

static void test_a_refusal_costs_nothing(void **ctx)
{
	static const struct law_share shares[] = {
		{"permitted", 60}, {"refused", 90}, {"message permitted", 60},
		{"limit reached", 20}, {"permitted a day later", 8},
		{"wall clock stepped", 30}, {"guard refused", 35},
		{"went on with a unit", 10}, {"refusal counted", 4}, {0}};

	(void)ctx;
	law_run("law 12", law_12, shares);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_more_of_a_rule),
		cmocka_unit_test(test_a_grant_more),
		cmocka_unit_test(test_a_customer),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_a_refusal_costs_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
