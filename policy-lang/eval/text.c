/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refusals in words: what failed, with the numbers. Only refusals come here.
 */
#include <stdarg.h>
#include <stdio.h>

#include "policy-lang/eval/internal.h"

struct line { /* a text that grows and is cut, never overrun */
	char *p;
	size_t cap, n;
};

static void say(struct line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (l->n + 1 >= l->cap)
		return;
	va_start(ap, fmt);
	n = vsnprintf(l->p + l->n, l->cap - l->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->n += (size_t)n < l->cap - l->n ? (size_t)n
						  : l->cap - l->n - 1;
}

static int64_t rounded_s(int64_t ns)
{
	int64_t s = ns / NS_PER_S + (ns % NS_PER_S > 0);
	int64_t grain = s >= 2 * 86400 ? 3600 : s >= 2 * 3600 ? 60 : 1;

	return (s + grain - 1) / grain * grain;
}

int64_t text_rounded(int64_t ns)
{
	return rounded_s(ns) * NS_PER_S;
}

/* "30 min", "1 h 5 min", "3 d 2 h": rounded up, so that a time told is never
 * too short. */
int text_duration(char *buf, size_t cap, int64_t ns)
{
	static const struct {
		int64_t s;
		const char *unit;
	} units[] = {
		{86400, "d"  },
                {3600,  "h"  },
                {60,    "min"},
                {1,     "s"  }
        };
	int64_t s = rounded_s(ns);
	struct line l = {buf, cap, 0};

	buf[0] = 0;
	/* "24 h" rather than "1 d": as people write such times. */
	for (int i = s < 2 * 86400; i < 4; i++) {
		if (s < units[i].s)
			continue;
		say(&l, "%s%lld %s", l.n ? " " : "",
		    (long long)(s / units[i].s), units[i].unit);
		s %= units[i].s;
	}
	if (!l.n)
		say(&l, "0 s");
	return (int)l.n;
}

static void say_duration(struct line *l, int64_t ns)
{
	char buf[48];

	text_duration(buf, sizeof(buf), ns);
	say(l, "%s", buf);
}

/* Thousandths of a unit, without trailing zeros. */
static void say_milli(struct line *l, int64_t milli, unsigned unit)
{
	int64_t a = milli < 0 ? -milli : milli;
	const char *sign = milli < 0 ? "-" : "";

	if (unit == UNIT_S && a % 60000 == 0 && a) {
		say(l, "%s", sign);
		say_duration(l, a / 1000 * NS_PER_S);
	} else if ((unit == UNIT_WH || unit == UNIT_W) && a % 1000000 == 0 &&
		   a) {
		say(l, "%s%lld k%s", sign, (long long)(a / 1000000),
		    unit_name((enum unit)unit));
	} else if (a % 1000 == 0) {
		say(l, "%s%lld %s", sign, (long long)(a / 1000),
		    unit_name((enum unit)unit));
	} else {
		say(l, "%s%lld.%03lld %s", sign, (long long)(a / 1000),
		    (long long)(a % 1000), unit_name((enum unit)unit));
	}
}

int text_milli(char *buf, size_t cap, int64_t milli, unsigned unit)
{
	struct line l = {buf, cap, 0};

	buf[0] = 0;
	say_milli(&l, milli, unit);
	return (int)l.n;
}

static const struct pol_image *image_of(const struct pol_state *st,
					const struct fail *f)
{
	return f->side < st->n_side ? st->side[f->side].im[f->layer] : NULL;
}

static const struct lay_data *data_of(const struct pol_state *st,
				      const struct fail *f)
{
	const struct pol_image *im = image_of(st, f);

	if (!im || f->rule == NO_RULE || im->RULE[f->rule].data == LAY_NONE)
		return NULL;
	return &im->DATA[im->RULE[f->rule].data];
}

static void say_aged(struct line *l, const char *what, const char *rel,
		     const struct fail *f)
{
	if (f->have < 0)
		say(l, "%s value of unknown age, %s ", what, rel);
	else {
		say(l, "%s value ", what);
		say_duration(l, f->have);
		say(l, " old, %s ", rel);
	}
	say_duration(l, f->need);
}

static void say_state(const struct pol_state *st, struct line *l,
		      const struct fail *f)
{
	static const char *const builtin[BUILTIN_COUNT] = {
		"attested", "clock-trusted", "quarantined",
		"policy-expired"};
	const struct pol_image *im = image_of(st, f);
	const char *name = f->have < 0 ? builtin[-2 - f->have]
				       : im->STRS + im->STAT[f->have].id;

	say(l, "state %s is %s", name,
	    f->reason == REASON_STATE_MISSING ? "not set" : "set");
}

static void say_limit(const struct pol_state *st, struct line *l,
		      const struct fail *f)
{
	const struct set_limit *sl = &st->s->limit[f->limit];
	const char *phrase = sl->im->TEXT + sl->l->text;

	say(l, "%.*s", (int)sl->name.n, (const char *)sl->name.p);
	if (!*phrase)
		say(l, "%llu", (unsigned long long)sl->l->n);
	if (sl->l->kind != LIMIT_SPACING) {
		if (f->have == FAIL_SHUT)
			say(l, ", full when this connection began");
		else if (f->have < 0)
			say(l, ", of an unknown number");
		else
			say(l, ", %lld used", (long long)f->have);
	}
	if (f->wait > 0) {
		say(l, ", room in ");
		say_duration(l, f->wait);
	}
}

static void say_guard(const struct pol_state *st, struct line *l,
		      const struct fail *f)
{
	const struct lay_data *d = data_of(st, f);
	const struct pol_image *im = image_of(st, f);

	switch (f->reason) {
	case REASON_TOO_FINE:
		if (f->have < 0)
			say(l, "granularity unknown, needs ");
		else {
			say(l, "granularity ");
			say_duration(l, f->have);
			say(l, ", needs ");
		}
		say_duration(l, f->need);
		say(l, " or coarser");
		break;
	case REASON_TOO_FAR_BACK:
		say_aged(l, "oldest", "at most", f);
		break;
	case REASON_TOO_FRESH:
		say_aged(l, "newest", "needs", f);
		break;
	case REASON_TOO_PRECISE:
		say(l, "resolution ");
		if (f->have < 0)
			say(l, "unknown");
		else
			say_milli(l, f->have, d ? d->res_unit : 0);
		say(l, ", needs multiples of ");
		say_milli(l, f->need, d ? d->res_unit : 0);
		break;
	case REASON_OUT_OF_RANGE:
		if (f->have < 0)
			say(l, "value unknown, needs ");
		else {
			say(l, "value ");
			say_milli(l, f->have, d ? d->value_unit : 0);
			say(l, ", needs ");
		}
		if (d) {
			say_milli(l, d->value_lo, d->value_unit);
			say(l, " to ");
			say_milli(l, d->value_hi, d->value_unit);
		}
		break;
	case REASON_TOO_MANY:
		say(l, "more than %lld quantities, or an unknown number",
		    (long long)f->need);
		break;
	case REASON_STATE_MISSING:
	case REASON_STATE_FORBIDDEN:
		say_state(st, l, f);
		break;
	case REASON_NO_CONSENT:
		say(l, f->have ? "the customer has not agreed to it"
			       : "the customer has switched it off");
		break;
	case REASON_NOT_NOW:
		say(l, "only from %02lld:%02lld for ",
		    (long long)(f->have / 3600),
		    (long long)(f->have / 60 % 60));
		say_duration(l, f->need * NS_PER_S);
		break;
	case REASON_DENIED:
		if (im && f->rule != NO_RULE &&
		    im->TEXT[im->RULE[f->rule].message])
			say(l, "%s", im->TEXT + im->RULE[f->rule].message);
		else
			say(l, "%s", reason_why(f->reason));
		break;
	case REASON_PARTY_IDENTITY:
		/* The party is known, then what it gets is not sealed to it. */
		say(l, "%s",
		    st->side[f->side].party < 0 ?
			    reason_why(f->reason) :
			    "not TLS, or its hello names none of the party's "
			    "names");
		break;
	default:
		say(l, "%s", reason_why(f->reason));
		break;
	}
}

int text_fail(const struct pol_state *st, const struct fail *f, char *buf,
	      size_t cap)
{
	struct line l = {buf, cap, 0};

	if (cap == 0)
		return 0;
	buf[0] = 0;
	if (f->limit != LAY_NONE)
		say_limit(st, &l, f);
	else
		say_guard(st, &l, f);
	return (int)l.n;
}

void text_refusal(struct pol_state *st, struct pol_decision *d)
{
	const struct fail *first = NULL;

	for (uint32_t i = 0; i < st->n_fail && !first; i++) {
		if (st->fail[i].reason == d->reason)
			first = &st->fail[i];
	}
	if (first)
		text_fail(st, first, d->text, sizeof(d->text));
}
