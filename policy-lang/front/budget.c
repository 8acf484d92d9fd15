/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits beside limits: which never bind because another always bites first
 * (P4005), which cannot be used up because a total gives less (P4006), and
 * how many one message meets (P6201). By the closed forms of section 11.5.
 */
#include <stdio.h>

#include "policy-lang/front/check.h"

#define HOUR_NS (3600 * NS_PER_S)
#define DAY_NS	(24 * HOUR_NS)
/* No packet that the gateway passes is shorter: IPv4 and UDP headers. */
#define LEAST_OCTETS 28

static bool is_rate(const struct pol_limit_phrase *l)
{
	return l->kind <= LIMIT_BUCKET;
}

/* Length of a window: the shortest of its name, or the longest. */
static int64_t window_ns(const struct pol_limit_phrase *l, bool longest)
{
	static const int16_t days[][2] = {
		[WINDOW_DAY] = {1, 1},	     [WINDOW_WEEK] = {7, 7},
		[WINDOW_MONTH] = {28, 31},   [WINDOW_BILLING] = {28, 31},
		[WINDOW_YEAR] = {365, 366},
	};

	if (l->window == WINDOW_HOUR)
		return HOUR_NS;
	if (l->window == WINDOW_SLIDING || l->kind > LIMIT_BUCKET)
		return l->window_ns;
	return days[l->window][longest] * DAY_NS;
}

/* How many windows of b lie in one of a at most, where both are the calendar's
 * and each of b's lies in one of a's; 0 where they do not. */
static uint64_t nested(enum pol_window b, enum pol_window a)
{
	static const uint16_t n[][WINDOW_SLIDING] = {
		[WINDOW_HOUR] = {[WINDOW_HOUR] = 1, [WINDOW_DAY] = 24,
				 [WINDOW_WEEK] = 168, [WINDOW_MONTH] = 744,
				 [WINDOW_BILLING] = 744, [WINDOW_YEAR] = 8784},
		[WINDOW_DAY] = {[WINDOW_DAY] = 1, [WINDOW_WEEK] = 7,
				[WINDOW_MONTH] = 31, [WINDOW_BILLING] = 31,
				[WINDOW_YEAR] = 366},
		[WINDOW_WEEK] = {[WINDOW_WEEK] = 1},
		[WINDOW_MONTH] = {[WINDOW_MONTH] = 1, [WINDOW_YEAR] = 12},
		[WINDOW_BILLING] = {[WINDOW_BILLING] = 1},
		[WINDOW_YEAR] = {[WINDOW_YEAR] = 1},
	};

	return n[b][a];
}

typedef unsigned __int128 wide; /* counts of 2^53 times nanoseconds */

/* What b admits in any interval of ns at most. */
static wide most(const struct pol_limit_phrase *b, int64_t ns)
{
	wide w = (wide)(uint64_t)window_ns(b, false);
	wide h = (wide)(uint64_t)ns, whole = (h + w - 1) / w;

	switch (b->kind) {
	case LIMIT_SPACING:
		return whole;
	case LIMIT_CALENDAR:
		return (wide)b->n * (whole + 1);
	case LIMIT_SLIDING:
		return (wide)b->n * whole;
	default:
		return b->burst + h * b->n / w;
	}
}

/* Does whatever a counts count for b too? */
static bool counted(const struct pol_limit_phrase *a,
		    const struct pol_limit_phrase *b, bool alike)
{
	enum pol_thing thing = b->kind == LIMIT_SPACING ? THING_READINGS
							: b->thing;

	if (a->thing == thing)
		return true;
	return (a->thing == THING_READINGS && thing == THING_MESSAGES) ||
	       (alike && a->thing == THING_MESSAGES && thing == THING_READINGS);
}

/* Are the windows of a, counts of b of which lie in one, too wide to matter? */
static bool windows_idle(const struct pol_limit_phrase *a,
			 const struct pol_limit_phrase *b)
{
	uint64_t in;

	if (a->window == WINDOW_SLIDING || b->window == WINDOW_SLIDING)
		return a->window == b->window && b->n <= a->n &&
		       b->window_ns >= a->window_ns;
	in = nested(b->window, a->window);
	return in ? (wide)b->n * in <= a->n
		  : nested(a->window, b->window) && b->n <= a->n;
}

/* Does b admit no more at once than the bucket a, and no more in the long run?
 * What b admits in an interval is at most a burst and its rate. */
static bool bucket_idle(const struct pol_limit_phrase *a,
			const struct pol_limit_phrase *b)
{
	wide n = b->kind == LIMIT_SPACING ? 1 : b->n;
	wide burst = b->kind == LIMIT_BUCKET	 ? b->burst
		     : b->kind == LIMIT_CALENDAR ? 2 * n
						 : n;

	return burst <= a->burst &&
	       n * (uint64_t)a->window_ns <=
		       (wide)a->n * (uint64_t)window_ns(b, false);
}

static bool rate_idle(const struct pol_limit_phrase *a,
		      const struct pol_limit_phrase *b, bool alike)
{
	/* Spacing is between readings, or, without data, between messages:
	 * who may stand under one rule counts alike. */
	bool spaced = b->kind == LIMIT_SPACING && a->thing == THING_MESSAGES;

	if (b->kind > LIMIT_SPACING || a->thing == THING_REFUSALS ||
	    !(counted(a, b, alike) || (spaced && alike)))
		return false;
	if (a->kind == LIMIT_BUCKET)
		return bucket_idle(a, b);
	if (a->kind == LIMIT_CALENDAR && b->kind == LIMIT_CALENDAR &&
	    (nested(b->window, a->window) || nested(a->window, b->window)))
		return windows_idle(a, b);
	return most(b, window_ns(a, true)) <= a->n;
}

bool limit_idle(const struct pol_limit_phrase *a,
		const struct pol_limit_phrase *b, bool alike)
{
	if (a->kind == LIMIT_CONCURRENT || b->kind == LIMIT_CONCURRENT)
		return a->kind == b->kind && b->n <= a->n;
	if (a->kind == LIMIT_DISTINCT || b->kind == LIMIT_DISTINCT)
		return a->kind == b->kind && a->distinct == b->distinct &&
		       windows_idle(a, b);
	/* One in a while is apart by that. */
	if (a->kind == LIMIT_SPACING)
		return alike &&
		       (b->kind == LIMIT_SPACING ||
			(b->kind == LIMIT_SLIDING && b->n == 1 &&
			 (b->thing == THING_READINGS ||
			  b->thing == THING_MESSAGES))) &&
		       b->window_ns >= a->window_ns;
	return rate_idle(a, b, alike);
}

void say_idle(struct rd *r, const struct pol_limit_phrase *a,
	      const struct pol_file *of, const struct pol_limit_phrase *b)
{
	struct diag *g = find(r, DIAG_WARNING, 4005, a->pos, strlen(a->text),
			      "remove it",
			      "'%s' never binds: '%s' always bites first",
			      a->text, b->text);

	diag_second(g, b->pos.line, b->pos.col, "'%s' is here", b->text);
	if (g && of != r->f)
		g->path2 = of->path;
}

/* Nothing is refused for having been refused before: what follows has to be
 * something else. */
static void check_refusals(struct rd *r, const struct pol_limit_phrase *a,
			   enum pol_action_kind exceed)
{
	if (a->thing != THING_REFUSALS ||
	    (exceed != ACTION_UNSET && exceed != ACTION_REFUSE &&
	     exceed != ACTION_DEFER))
		return;
	find(r, DIAG_WARNING, 4005, a->pos, strlen(a->text),
	     r->f->kind == POL_CUSTOMER ?
		     "count messages, or write 'block: true'" :
		     "write 'exceed: quarantine 1 h', or drop or reset",
	     "'%s' never binds: nothing follows from it", a->text);
}

/* Of two that are equal, the second one. */
static bool second(const struct pol_limit_phrase *a,
		   const struct pol_limit_phrase *b, bool alike)
{
	return !limit_idle(b, a, alike) || b->pos.line < a->pos.line ||
	       (b->pos.line == a->pos.line && b->pos.col < a->pos.col);
}

static void check_rule(struct rd *r, const struct pol_rule_src *rule)
{
	for (size_t i = 0; i < rule->n_limit; i++) {
		for (size_t k = 0; k < rule->n_limit; k++) {
			const struct pol_limit_phrase *a = &rule->limit[i];
			const struct pol_limit_phrase *b = &rule->limit[k];
			/* A message of a ceiling with data need carry none. */
			bool alike = rule->kind == RULE_GRANT;

			if (i == k || !limit_idle(a, b, alike) ||
			    !second(a, b, alike))
				continue;
			say_idle(r, a, r->f, b);
			break;
		}
	}
}

/* Of which machines a rule is: a vendor's is of its own. */
static struct pol_vm_sel machines_of(const struct pol_file *f,
				     const struct pol_rule_src *rule)
{
	return f->kind == POL_VENDOR
		       ? (struct pol_vm_sel){.vm = &f->vm, .n_vm = 1}
		       : rule->vm;
}

bool limit_covers(const struct pol_file *of, const struct pol_limit_src *l,
		  const struct pol_file *f, const struct pol_rule_src *rule)
{
	struct pol_vm_sel vm = machines_of(f, rule);

	return dir_covers(l->dir, rule->dir) &&
	       (of->kind == POL_VENDOR || vm_covers(&l->vm, &vm)) &&
	       party_all(of, &l->party, f, &rule->party) &&
	       match_covers(l->match, l->n_match, rule->match, rule->n_match) &&
	       (l->meas == 0 ||
		(rule->data.meas && !(rule->data.meas & ~l->meas)));
}

/* Does each counter of b count all that one of a's does? */
static bool wider(const struct pol_limit_src *b, const struct pol_limit_src *a)
{
	return dir_covers(b->dir, a->dir) && vm_covers(&b->vm, &a->vm) &&
	       party_covers(&b->party, &a->party) &&
	       match_covers(b->match, b->n_match, a->match, a->n_match) &&
	       (b->meas == 0 || (a->meas && !(a->meas & ~b->meas))) &&
	       !b->each_meas && (!b->each_party || a->each_party) &&
	       (!b->each_vm || a->each_vm);
}

/* --- totals that are too small -------------------------------------------- */

/* How often in a thousand days; 0 when it does not say. */
static wide per_day(const struct pol_limit_phrase *l)
{
	wide ns = (wide)(uint64_t)window_ns(l, false);
	wide n = l->kind == LIMIT_SPACING ? 1 : l->n;

	if (l->kind > LIMIT_SPACING || ns == 0)
		return 0;
	return n * 1000 * (uint64_t)DAY_NS / ns;
}

static bool of_messages(const struct pol_limit_phrase *l)
{
	return l->kind == LIMIT_SPACING ||
	       (is_rate(l) && (l->thing == THING_MESSAGES ||
			       l->thing == THING_READINGS));
}

/* The limit that says how much of what the total counts the rule may have, and
 * in what unit of the total's; NULL: none does. */
static const struct pol_limit_phrase *allowance(const struct pol_rule_src *rule,
						const struct pol_limit_phrase *t,
						unsigned *each)
{
	const struct pol_limit_phrase *best = NULL;
	bool octets = t->thing == THING_BYTES;

	*each = 1;
	for (size_t i = 0; i < rule->n_limit; i++) {
		const struct pol_limit_phrase *l = &rule->limit[i];
		bool fits = is_rate(l) && l->thing == t->thing;

		if (!octets && (of_messages(t) || t->thing == THING_PACKETS))
			fits = of_messages(l);
		if (fits && (!best || per_day(l) < per_day(best)))
			best = l;
	}
	/* Each message has some octets, also where nobody counts them. */
	for (size_t i = 0; octets && !best && i < rule->n_limit; i++) {
		const struct pol_limit_phrase *l = &rule->limit[i];

		if (of_messages(l))
			*each = LEAST_OCTETS;
	}
	for (size_t i = 0; *each > 1 && i < rule->n_limit; i++) {
		const struct pol_limit_phrase *l = &rule->limit[i];

		if (of_messages(l) && (!best || per_day(l) < per_day(best)))
			best = l;
	}
	return best;
}

static void starving(struct rd *r, const struct pol_rule_src *rule,
		     const struct pol_file *of, const struct pol_limit_src *l)
{
	unsigned each;
	const struct pol_limit_phrase *own =
		allowance(rule, &l->phrase, &each);
	struct diag *g;

	if (!own || !per_day(&l->phrase) || l->phrase.thing == THING_REFUSALS ||
	    per_day(&l->phrase) >= per_day(own) * each)
		return;
	g = find(r, DIAG_WARNING, 4006, own->pos, strlen(own->text),
		 "lower the one, or raise the other",
		 "'%s' is more than '%s' lets all together have", own->text,
		 l->id);
	if (each > 1 && g)
		snprintf(g->text, sizeof(g->text),
			 "'%.60s' needs more octets than '%.60s' lets all "
			 "together have: at least %u each",
			 own->text, l->id, each);
	diag_second(g, l->pos.line, l->pos.col, "'%s' is here", l->id);
	if (g && of != r->f)
		g->path2 = of->path;
}

void check_starving(struct rd *r, const struct pol_rule_src *rule,
		    const struct pol_file *of)
{
	for (size_t i = 0; i < of->n_limit; i++) {
		if (limit_covers(of, &of->limit[i], r->f, rule))
			starving(r, rule, of, &of->limit[i]);
	}
}

/* --- how fast ------------------------------------------------------------- */

static int64_t gap_ns(const struct pol_limit_phrase *l)
{
	if (l->kind == LIMIT_SPACING)
		return l->window_ns;
	return is_rate(l) && (l->thing == THING_READINGS ||
			      l->thing == THING_MESSAGES ||
			      l->thing == THING_VALUES)
		       ? window_ns(l, false) / (int64_t)l->n
		       : 0;
}

int64_t sustained_ns(const struct pol_file *f, const struct pol_rule_src *rule)
{
	int64_t best = 0;

	for (size_t i = 0; i < rule->n_limit; i++) {
		if (gap_ns(&rule->limit[i]) > best)
			best = gap_ns(&rule->limit[i]);
	}
	for (size_t i = 0; i < f->n_limit; i++) {
		int64_t ns = gap_ns(&f->limit[i].phrase);

		if (ns > best && limit_covers(f, &f->limit[i], f, rule))
			best = ns;
	}
	return best;
}

/* --- how many ------------------------------------------------------------- */

size_t limits_met(const struct pol_file *of, const struct pol_file *f,
		  const struct pol_rule_src *rule)
{
	struct pol_vm_sel vm = machines_of(f, rule);
	size_t n = 0;

	for (size_t i = 0; i < of->n_limit; i++) {
		const struct pol_limit_src *l = &of->limit[i];

		n += dir_meet(l->dir, rule->dir) &&
		     (of->kind == POL_VENDOR || vm_meet(&l->vm, &vm)) &&
		     party_some(of, &l->party, f, &rule->party) &&
		     match_meet(l->match, l->n_match, rule->match,
				rule->n_match, NULL) &&
		     (l->meas == 0 || l->meas & rule->data.meas);
	}
	return n;
}

void check_budgets(struct rd *r)
{
	const struct pol_file *f = r->f;

	for (size_t i = 0; i < f->n_rule; i++) {
		const struct pol_rule_src *rule = &f->rule[i];

		check_rule(r, rule);
		for (size_t k = 0; k < rule->n_limit; k++)
			check_refusals(r, &rule->limit[k], rule->exceed.kind);
		if (rule->kind == RULE_GRANT)
			check_starving(r, rule, f);
	}
	for (size_t i = 0; i < f->n_limit; i++) {
		check_refusals(r, &f->limit[i].phrase, f->limit[i].exceed.kind);
		for (size_t k = 0; k < f->n_limit; k++) {
			const struct pol_limit_src *a = &f->limit[i];
			const struct pol_limit_src *b = &f->limit[k];

			if (i == k || !wider(b, a) ||
			    !limit_idle(&a->phrase, &b->phrase, false) ||
			    (wider(a, b) &&
			     !second(&a->phrase, &b->phrase, false)))
				continue;
			say_idle(r, &a->phrase, f, &b->phrase);
			break;
		}
	}
}
