/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/analysis/assert.h"

#include <stdio.h>

#include "policy-lang/eval/internal.h"

#define TEXT(s)	       (int)(s).n, (const char *)(s).p
#define MAX_RECIPIENTS (POL_MAX_MACHINES * LAY_MAX_PARTIES)

static bool about_machine(const struct bound_recipient *r,
			  const struct pol_assert_src *a, const char *vm)
{
	const char *name = a->vm ? a->vm : vm;

	return !name || span_is(r->machine_name, name);
}

/* Whoever gets nothing at a party has what others get at its host. */
static bool is_idle(const struct bound *b, uint16_t machine, uint16_t party)
{
	for (size_t i = 0; i < b->n; i++) {
		if (b->r[i].machine == machine && b->r[i].own >> party & 1)
			return !bound_gets(&b->r[i]);
	}
	return true;
}

/* Every party of one operator is one recipient: to one of them is to it. */
static bool about_party(const struct bound *b, const struct bound_recipient *r,
			const char *to)
{
	const struct pol_image *v = b->set->m[r->machine].vendor;

	for (uint16_t p = 0; to && v && p < v->n_PRTY; p++) {
		if (span_is(img_str(v, v->PRTY[p].id), to) &&
		    (r->own >> p & 1 ||
		     (r->parties >> p & 1 && is_idle(b, r->machine, p))))
			return true;
	}
	return !to;
}

static bool about(const struct bound *b, const struct bound_recipient *r,
		  const struct pol_assert_src *a, const char *vm)
{
	return about_machine(r, a, vm) && about_party(b, r, a->to) &&
	       (a->kind == ASSERT_NEVER || r->outside);
}

static bool flow_holds(const struct bound_flow *f,
		       const struct pol_assert_src *a)
{
	if (a->meas && !(a->meas & MEAS_BIT(f->meas)))
		return true;
	switch (a->kind) {
	case ASSERT_NEVER:
		return false;
	case ASSERT_FINEST:
		return f->spacing_ns >= a->ns;
	case ASSERT_FRESHEST:
		return f->delay_ns >= a->ns;
	default:
		return true;
	}
}

/* does: it was seen to happen; else it can only not be ruled out. */
static void say_flow(const struct bound_flow *f, const struct pol_assert_src *a,
		     bool does, int64_t ns, char *why, size_t cap)
{
	struct span rule = f->rule_name.n ? f->rule_name
					  : span_str("mode: monitor-until");
	struct span party = f->party_name;
	char got[64], want[64];

	if (a->kind == ASSERT_NEVER)
		snprintf(why, cap, "'%.*s' %s %s to '%.*s'", TEXT(rule),
			 does ? "sends" : "may send", meas_name(f->meas),
			 TEXT(party));
	else
		snprintf(why, cap, "'%.*s' %s '%.*s' have %s %s%s%s, not %s",
			 TEXT(rule), does ? "lets" : "may let", TEXT(party),
			 meas_name(f->meas),
			 a->kind == ASSERT_FINEST ? "every " : "that is ",
			 bound_time(got, sizeof(got), ns),
			 a->kind == ASSERT_FINEST ? "" : " old",
			 bound_time(want, sizeof(want), a->ns));
}

/* Snapshots of one recipient together are a series (privacy.md 8, step 4);
 * told only where no single flow is finer than was claimed. */
static bool together_holds(const struct bound *b,
			   const struct bound_recipient *r,
			   const struct pol_assert_src *a, char *why,
			   size_t cap)
{
	int64_t ns = INT64_MAX;
	char got[64], want[64];

	if (a->kind != ASSERT_FINEST)
		return true;
	if (a->meas & meas_use())
		ns = bound_together(b, r, a->meas & meas_use());
	/* Of other types each is one by itself. */
	for (size_t i = 0; i < r->n_flow; i++) {
		if (a->meas & MEAS_BIT(r->flow[i].meas) &&
		    r->flow[i].with_ns < ns)
			ns = r->flow[i].with_ns;
	}
	if (ns >= a->ns)
		return true;
	snprintf(why, cap,
		 "the limits let '%.*s' have, of all together, a value every "
		 "%s, not %s",
		 TEXT(r->operator_), bound_time(got, sizeof(got), ns),
		 bound_time(want, sizeof(want), a->ns));
	return false;
}

/* What is sealed may be any measurement, as fine and as fresh as it likes.
 * What stays at home stays there: the label says it is sealed. */
static bool open_to_all(const struct bound_recipient *r, char *why, size_t cap)
{
	snprintf(why, cap, "nobody can check what '%.*s' gets sealed: grade X",
		 TEXT(r->operator_));
	return !r->sealed || !r->outside;
}

static bool grade_holds(const struct bound_recipient *r,
			const struct pol_assert_src *a, char *why, size_t cap)
{
	if (a->kind != ASSERT_GRADE)
		return true;
	snprintf(why, cap, "what '%.*s' gets is of grade %c",
		 TEXT(r->operator_), r->grade);
	return r->grade == '-' || r->grade == 'H' || r->grade <= a->grade;
}

static struct bound_in interval(const struct pol_limit_phrase *l)
{
	static const enum most_span span[] = {
		[WINDOW_HOUR] = MOST_HOUR,	 [WINDOW_DAY] = MOST_DAY,
		[WINDOW_WEEK] = MOST_WEEK,	 [WINDOW_MONTH] = MOST_MONTH,
		[WINDOW_BILLING] = MOST_BILLING,
		/* What holds in every year holds in a leap year. */
		[WINDOW_YEAR] = MOST_ANY_YEAR,
	};

	if (l->kind != LIMIT_CALENDAR)
		return (struct bound_in){.ns = l->window_ns};
	return (struct bound_in){.span = span[l->window]};
}

static bool total_holds(const struct bound *b, const struct pol_assert_src *a,
			const char *vm, char *why, size_t cap)
{
	const struct bound_recipient *r[MAX_RECIPIENTS];
	const struct pol_limit_phrase *l = &a->phrase;
	enum pol_thing thing = l->kind == LIMIT_SPACING ? THING_READINGS
							: l->thing;
	size_t n = 0;
	uint64_t most;

	if (l->kind > LIMIT_SPACING) {
		snprintf(why, cap, "'%s' is no claim that can be proved",
			 l->text);
		return false;
	}
	for (size_t i = 0; i < b->n && n < MAX_RECIPIENTS; i++) {
		if (!about(b, &b->r[i], a, vm))
			continue;
		if ((thing == THING_READINGS || thing == THING_VALUES) &&
		    !open_to_all(&b->r[i], why, cap))
			return false;
		r[n++] = &b->r[i];
	}
	most = bound_most(b, r, n, a->meas, thing, interval(l));
	if (most <= l->n)
		return true;
	if (most == MOST_UNLIMITED)
		snprintf(why, cap, "nothing limits it%s: not '%s'",
			 thing == THING_BYTES || thing == THING_PACKETS
				 ? " (what selects messages counts no packets "
				   "without any)"
				 : "",
			 l->text);
	else
		snprintf(why, cap, "the limits leave room for %llu, not '%s'",
			 (unsigned long long)most, l->text);
	return false;
}

/* The flow that breaks it in the sight of all, else the first that may. */
static bool flows_hold(const struct bound *b, const struct pol_assert_src *a,
		       const char *vm, const struct assert_example *x,
		       char why[ASSERT_WHY])
{
	char text[ASSERT_WHY / 2];
	bool all = true;
	size_t n;

	for (size_t i = 0; i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		for (size_t k = 0; about(b, r, a, vm) && k < r->n_flow; k++) {
			const struct bound_flow *f = &r->flow[k];
			int64_t ns = a->kind == ASSERT_FINEST ? f->spacing_ns
							      : f->delay_ns;
			bool does;

			if (flow_holds(f, a))
				continue;
			does = x && x->find(x->arg, r, f, &ns, text,
					    sizeof(text));
			if (all || does)
				say_flow(f, a, does, ns, why, ASSERT_WHY);
			all = false;
			if (!does)
				continue;
			n = strlen(why);
			snprintf(why + n, ASSERT_WHY - n, ": %s", text);
			return false;
		}
	}
	if (!all && x) {
		n = strlen(why);
		snprintf(why + n, ASSERT_WHY - n,
			 ": no such message was found, but the figures do not rule it out");
	}
	return all;
}

bool assert_holds(const struct bound *b, const struct pol_assert_src *a,
		  const char *vm, const struct assert_example *x,
		  char why[ASSERT_WHY])
{
	if (a->kind == ASSERT_AT_MOST)
		return total_holds(b, a, vm, why, ASSERT_WHY);
	if (!flows_hold(b, a, vm, x, why))
		return false;
	for (size_t i = 0; i < b->n; i++) {
		const struct bound_recipient *r = &b->r[i];

		if (about(b, r, a, vm) &&
		    (!open_to_all(r, why, ASSERT_WHY) ||
		     !together_holds(b, r, a, why, ASSERT_WHY) ||
		     !grade_holds(r, a, why, ASSERT_WHY)))
			return false;
	}
	return true;
}
