/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/phrase.h"

#include <stdarg.h>
#include <stdio.h>

#include "policy-lang/front/words.h"

static void vbad(const struct src *s, struct diag_at at, uint16_t code,
		 const char *hint, const char *fmt, va_list ap)
{
	char text[200];

	vsnprintf(text, sizeof(text), fmt, ap);
	diag_add(s->d, DIAG_ERROR, code, s->path, at, hint, "%s", text);
}

void bad(const struct src *s, const struct ynode *n, uint16_t code,
	 const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vbad(s, at_node(n), code, hint, fmt, ap);
	va_end(ap);
}

void bad_part(const struct src *s, const struct ynode *n, size_t off,
	      size_t len, uint16_t code, const char *hint, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vbad(s, at_part(n, off, len), code, hint, fmt, ap);
	va_end(ap);
}

bool is_scalar(const struct src *s, const struct ynode *n)
{
	/* Nobody asked for more than one value: remember that, and go on. */
	if (n->type == Y_SCALAR && ph_asked(s, n, PH_SCALAR))
		return true;
	if (n->type != Y_SCALAR) {
		bad(s, n, 2205, NULL, "%s where a single value is expected",
		    n->type == Y_MAP ? "a mapping" : "a sequence");
		return false;
	}
	if (n->s.n == 0) {
		bad(s,
		    n->len   ? n
		    : n->key ? n->key
			     : n,
		    2208, "write the value, or remove the key", "no value");
		return false;
	}
	for (size_t i = 0; i < n->s.n; i++) {
		if (n->s.p[i] >= 0x80) {
			bad(s, n, 1115, NULL,
			    "a character outside ASCII; those are for title, "
			    "name, purpose and message only");
			return false;
		}
	}
	return true;
}

bool ph_integer(const struct src *s, const struct ynode *n, uint64_t lo,
		uint64_t hi, uint64_t *v)
{
	char buf[SHOW], hint[80];

	if (ph_asked_number(s, n, PH_INTEGER, lo, hi) || !is_scalar(s, n))
		return false;
	if (words_number(n->s, hi, v) && *v >= lo)
		return true;
	snprintf(hint, sizeof(hint), "a number from %llu to %llu",
		 (unsigned long long)lo, (unsigned long long)hi);
	bad(s, n, 3113, hint, "'%s' is not a number in range", show(buf, n->s));
	return false;
}

bool ph_bool(const struct src *s, const struct ynode *n, bool *v)
{
	static const struct word words[] = {
		{"true",  1},
                {"false", 0},
                {NULL,    0}
        };
	int i;

	if (ph_asked(s, n, PH_BOOL))
		return false;
	if (!ph_word(s, n, 3114, "true or false", words, &i))
		return false;
	*v = i;
	return true;
}

bool ph_duration(const struct src *s, const struct ynode *n, int64_t *ns)
{
	struct words w;

	if (ph_asked(s, n, PH_DURATION))
		return false;
	if (!words_cut(&w, s, n, 3101, "a duration",
		       "write a number and a unit: '30 min'"))
		return false;
	if (!words_duration(&w, ns))
		return words_no_duration(&w);
	return words_end(&w) || words_bad(&w);
}

bool ph_size(const struct src *s, const struct ynode *n, uint64_t *octets)
{
	struct words w;
	int64_t v;

	if (ph_asked(s, n, PH_SIZE))
		return false;
	if (!words_cut(
		    &w, s, n, 3102, "a size",
		    "write a number and a unit: '48 KiB'; units are B, KiB, MiB, "
		    "GiB, kB and MB"))
		return false;
	if (!words_amount(&w, words_sizes, (int64_t)MAX_COUNT, NULL, &v) ||
	    !words_end(&w))
		return words_bad(&w);
	*octets = (uint64_t)v;
	return true;
}

static bool quantity(struct words *w, struct quantity *q)
{
	const struct unit_row *u;

	if (!words_amount(w, words_quantities, INT64_MAX / 4, &u, &q->milli))
		return false;
	q->unit = u->unit;
	return true;
}

bool ph_quantity(const struct src *s, const struct ynode *n, struct quantity *q)
{
	struct words w;

	if (ph_asked(s, n, PH_QUANTITY))
		return false;
	if (!words_cut(
		    &w, s, n, 3103, "a quantity",
		    "write a number and a unit: '1 kWh'; units are Wh, kWh, W, "
		    "kW, V and those of time"))
		return false;
	return (quantity(&w, q) && words_end(&w)) || words_bad(&w);
}

bool ph_value_range(const struct src *s, const struct ynode *n,
		    struct quantity *lo, struct quantity *hi)
{
	struct words w;

	if (ph_asked(s, n, PH_VALUE_RANGE))
		return false;
	if (!words_cut(&w, s, n, 3104, "a range of values",
		       "write '0 s to 2 h'"))
		return false;
	if (!quantity(&w, lo) || !words_is(&w, "to") || !quantity(&w, hi) ||
	    !words_end(&w))
		return words_bad(&w);
	if (lo->unit != hi->unit || lo->milli > hi->milli) {
		w.hint = "both ends in one unit, the smaller first";
		return words_bad(&w);
	}
	return true;
}

bool ph_granularity(const struct src *s, const struct ynode *n, int64_t *lo,
		    int64_t *hi)
{
	struct words w;

	if (ph_asked(s, n, PH_GRANULARITY))
		return false;
	*hi = 0;
	if (!words_cut(&w, s, n, 3105, "a granularity",
		       "write '30 min or coarser' or '30 min to 1 d'"))
		return false;
	if (!words_duration(&w, lo))
		return words_bad(&w);
	if (words_is(&w, "or") && words_is(&w, "coarser") && words_end(&w))
		return true;
	if (w.at != 2 || !words_is(&w, "to") || !words_duration(&w, hi) ||
	    !words_end(&w))
		return words_bad(&w);
	if (*hi <= *lo) {
		w.hint = "the finer one first; the second is not included";
		return words_bad(&w);
	}
	return true;
}

/* --- actions, hours, expectations ---------------------------------------- */

bool ph_action(const struct src *s, const struct ynode *n,
	       struct pol_action_src *a)
{
	static const struct {
		const char *name;
		enum pol_action_kind kind;
		bool timed;
	} rows[] = {
		{"refuse",     ACTION_REFUSE,     false},
		{"drop",       ACTION_DROP,       false},
		{"reset",      ACTION_RESET,      false},
		{"defer",      ACTION_DEFER,      true },
		{"quarantine", ACTION_QUARANTINE, true },
	};
	struct words w;

	if (ph_asked(s, n, PH_ACTION))
		return false;
	if (!words_cut(
		    &w, s, n, 3112, "an action",
		    "refuse, drop, reset, 'defer 10 min' or 'quarantine 1 h'"))
		return false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!words_is(&w, rows[i].name))
			continue;
		a->kind = rows[i].kind;
		a->ns = 0;
		if (!rows[i].timed)
			return words_end(&w) || words_bad(&w);
		if (!words_duration(&w, &a->ns))
			return words_no_duration(&w);
		return (a->ns > 0 && words_end(&w)) || words_bad(&w);
	}
	return words_bad(&w);
}

static bool hh_mm(struct span t, uint16_t *min)
{
	int v[4];

	if (t.n != 5 || t.p[2] != ':')
		return false;
	for (int i = 0, k = 0; i < 5; i++) {
		if (i == 2)
			continue;
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
		v[k++] = t.p[i] - '0';
	}
	if (v[0] * 10 + v[1] > 24 || v[2] > 5)
		return false;
	*min = (uint16_t)((v[0] * 10 + v[1]) * 60 + v[2] * 10 + v[3]);
	return *min <= 24 * 60;
}

bool ph_between(const struct src *s, const struct ynode *n, uint16_t *from,
		uint16_t *to)
{
	char buf[SHOW];

	if (ph_asked(s, n, PH_BETWEEN) || !is_scalar(s, n))
		return false;
	if (n->s.n == 11 && n->s.p[5] == '-' &&
	    hh_mm(span_sub(n->s, 0, 5), from) &&
	    hh_mm(span_from(n->s, 6), to) && *from < 24 * 60)
		return true;
	bad(s, n, 3106, "write '00:30-05:30'", "'%s' is not a time of day",
	    show(buf, n->s));
	return false;
}

static bool no_reason(struct words *w)
{
	const char *names[REASON_COUNT];
	const char *near;
	char hint[64];

	for (unsigned i = 0; i < REASON_COUNT; i++)
		names[i] = reason_text((enum reason)i);
	near = nearest(w->w[w->at], names, REASON_COUNT);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean '%s'?", near);
	w->code = 3210;
	return words_bad_at(w, w->at, near ? hint : NULL, "a reason");
}

bool ph_expect(const struct src *s, const struct ynode *n,
	       struct pol_step_src *step)
{
	struct words w;
	bool because = false, by = false;

	if (ph_asked(s, n, PH_EXPECT))
		return false;
	if (!words_cut(
		    &w, s, n, 3127, "an expectation",
		    "permit [by RULE], deny [because REASON] [by RULE] or defer"))
		return false;
	step->because = REASON_NONE;
	step->by = NULL;
	if (words_is(&w, "defer")) {
		step->expect = EXPECT_DEFER;
	} else if (words_is(&w, "permit")) {
		step->expect = EXPECT_PERMIT;
	} else if (words_is(&w, "deny")) {
		step->expect = EXPECT_DENY;
	} else {
		return words_bad_at(&w, 0, "permit, deny or defer",
				    "an expectation");
	}
	while (!words_end(&w)) {
		if (!by && w.at + 1 < w.count && words_is(&w, "by")) {
			by = true;
			step->by = pool_text(s->pool, w.w[w.at++]);
		} else if (!because && step->expect == EXPECT_DENY &&
			   w.at + 1 < w.count && words_is(&w, "because")) {
			because = true;
			step->because = reason_find(w.w[w.at]);
			if (step->because == REASON_NONE)
				return no_reason(&w);
			w.at++;
		} else {
			return words_bad(&w);
		}
	}
	return true;
}

bool ph_grade(const struct src *s, const struct ynode *n, char *grade)
{
	struct words w;

	if (ph_asked(s, n, PH_GRADE))
		return false;
	if (!words_cut(&w, s, n, 3129, "a grade",
		       "write 'D or better'; grades are "
		       "A to F"))
		return false;
	if (w.count != 3 || w.w[0].n != 1 || !strchr("ABCDEF", w.w[0].p[0]) ||
	    !span_is(w.w[1], "or") || !span_is(w.w[2], "better"))
		return words_bad(&w);
	*grade = (char)w.w[0].p[0];
	return true;
}

bool ph_state_ref(const struct src *s, const struct ynode *n,
		  struct pol_state_ref *r)
{
	const uint8_t *colon, *at;
	size_t from = 0, to;

	if (ph_asked(s, n, PH_STATE_REF) || !is_scalar(s, n))
		return false;
	to = n->s.n;
	memset(r, 0, sizeof(*r));
	colon = memchr(n->s.p, ':', n->s.n);
	if (colon) {
		from = (size_t)(colon - n->s.p) + 1;
		r->vm = pool_text(s->pool, span_sub(n->s, 0, from - 1));
	}
	at = memchr(n->s.p + from, '@', n->s.n - from);
	if (at) {
		to = (size_t)(at - n->s.p);
		r->party = pool_text(s->pool, span_from(n->s, to + 1));
	}
	r->state = pool_text(s->pool, span_sub(n->s, from, to - from));
	if (*r->state && (!r->vm || *r->vm) && (!r->party || *r->party))
		return true;
	bad(s, n, 3130, "[VM:]STATE[@PARTY]", "not a reference to a state");
	return false;
}
