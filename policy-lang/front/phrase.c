/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/phrase.h"

#include <stdarg.h>
#include <stdio.h>

#define MAX_TOKENS 16
#define YEAR_NS	   (INT64_C(31536000) * NS_PER_S)
#define MAX_NS	   (100 * YEAR_NS)
#define MAX_COUNT  (UINT64_C(1) << 53)

/* The words of a scalar and where each begins. */
struct words {
	const struct src *s;
	const struct ynode *n;
	struct span w[MAX_TOKENS];
	size_t off[MAX_TOKENS];
	size_t count, at;
	uint16_t code; /* of the complaints */
	const char *what, *hint;
};

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
	if (n->type != Y_SCALAR) {
		bad(s, n, 2205, NULL, "%s where a single value is expected",
		    n->type == Y_MAP ? "a mapping" : "a sequence");
		return false;
	}
	if (n->s.n == 0) {
		bad(s, n->len ? n : n->key ? n->key : n, 2208,
		    "write the value, or remove the key", "no value");
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

/* Cut a scalar into words. Limit, duration and granularity phrases must not
 * be double-quoted, so that columns are exact. */
static bool cut(struct words *w, const struct src *s, const struct ynode *n,
		uint16_t code, const char *what, const char *hint)
{
	size_t i = 0;

	*w = (struct words){.s = s, .n = n, .code = code, .what = what,
			    .hint = hint};
	if (!is_scalar(s, n))
		return false;
	if (n->style == Y_DOUBLE) {
		bad(s, n, 3126, "write it without quotes",
		    "a phrase in double quotes");
		return false;
	}
	while (i < n->s.n) {
		size_t from = i;

		if (n->s.p[i] == ' ') {
			i++;
			continue;
		}
		while (i < n->s.n && n->s.p[i] != ' ')
			i++;
		if (w->count == MAX_TOKENS)
			break;
		w->off[w->count] = from;
		w->w[w->count++] = span_sub(n->s, from, i - from);
	}
	return true;
}

/* The whole phrase is not what it should be. */
static bool no_phrase(const struct words *w)
{
	char buf[SHOW];

	bad(w->s, w->n, w->code, w->hint, "'%s' is not %s", show(buf, w->n->s),
	    w->what);
	return false;
}

/* One word of it is wrong. */
static bool no_word(const struct words *w, size_t i, const char *hint,
		    const char *what)
{
	char buf[SHOW];

	if (i >= w->count)
		return no_phrase(w);
	bad_part(w->s, w->n, w->off[i], w->w[i].n, w->code, hint,
		 "'%s' is not %s", show(buf, w->w[i]), what);
	return false;
}

static bool next_is(struct words *w, const char *word)
{
	if (w->at >= w->count || !span_is(w->w[w->at], word))
		return false;
	w->at++;
	return true;
}

static bool at_end(const struct words *w)
{
	return w->at == w->count;
}

/* Decimal without sign or leading zeros. */
static bool number(struct span t, uint64_t max, uint64_t *v)
{
	*v = 0;
	if (t.n == 0 || t.n > 19 || (t.n > 1 && t.p[0] == '0'))
		return false;
	for (size_t i = 0; i < t.n; i++) {
		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
		*v = *v * 10 + (uint64_t)(t.p[i] - '0');
	}
	return *v <= max;
}

struct unit_row {
	const char *name;
	int64_t factor;
	enum unit unit;
};

static const struct unit_row durations[] = {
	{"s",	NS_PER_S,		UNIT_S},
	{"min", 60 * NS_PER_S,		UNIT_S},
	{"h",	3600 * NS_PER_S,	UNIT_S},
	{"d",	86400 * NS_PER_S,	UNIT_S},
	{"w",	604800 * NS_PER_S,	UNIT_S},
	{NULL,	0,			UNIT_NONE},
};
static const struct unit_row sizes[] = {
	{"B",	1,	    UNIT_NONE}, {"KiB", 1024,	  UNIT_NONE},
	{"MiB", 1 << 20,    UNIT_NONE}, {"GiB", 1 << 30,  UNIT_NONE},
	{"kB",	1000,	    UNIT_NONE}, {"MB",	1000000,  UNIT_NONE},
	{NULL,	0,	    UNIT_NONE},
};
/* Thousandths of the base unit. */
static const struct unit_row quantities[] = {
	{"Wh",	1000,	    UNIT_WH}, {"kWh", 1000000,	  UNIT_WH},
	{"W",	1000,	    UNIT_W},  {"kW",  1000000,	  UNIT_W},
	{"V",	1000,	    UNIT_V},  {"s",   1000,	  UNIT_S},
	{"min", 60000,	    UNIT_S},  {"h",   3600000,	  UNIT_S},
	{"d",	86400000,   UNIT_S},  {"w",   604800000,  UNIT_S},
	{NULL,	0,	    UNIT_NONE},
};

static const struct unit_row *unit_of(const struct unit_row *t, struct span w)
{
	for (; t->name; t++) {
		if (span_is(w, t->name))
			return t;
	}
	return NULL;
}

/* INT UNIT at the cursor; max in the smallest unit. */
static bool amount(struct words *w, const struct unit_row *table, int64_t max,
		   const struct unit_row **unit, int64_t *v)
{
	uint64_t n;
	const struct unit_row *u;

	if (w->at >= w->count || !number(w->w[w->at], MAX_COUNT, &n))
		return false;
	u = w->at + 1 < w->count ? unit_of(table, w->w[w->at + 1]) : NULL;
	if (!u || n > (uint64_t)(max / u->factor))
		return false;
	*v = (int64_t)n * u->factor;
	if (unit)
		*unit = u;
	w->at += 2;
	return true;
}

static bool duration(struct words *w, int64_t *ns)
{
	return amount(w, durations, MAX_NS, NULL, ns);
}

/* Say what is wrong with a duration in particular. */
static bool no_duration(const struct words *w)
{
	uint64_t v;
	struct span unit;

	if (w->at >= w->count)
		return no_phrase(w);
	if (!number(w->w[w->at], MAX_COUNT, &v))
		return no_word(w, w->at, "write a number, a space and a unit: "
			       "s, min, h, d or w", "a duration");
	if (w->at + 1 >= w->count)
		return no_word(w, w->at, "add a unit: s, min, h, d or w",
			       "a duration");
	unit = w->w[w->at + 1];
	if (span_is(unit, "m") || span_is(unit, "month") ||
	    span_is(unit, "months"))
		return no_word(w, w->at + 1,
			       "minutes are min; months exist only as windows",
			       "a unit of time");
	if (!unit_of(durations, unit))
		return no_word(w, w->at + 1, "units are s, min, h, d and w",
			       "a unit of time");
	return no_word(w, w->at, "at most 100 years", "a sensible duration");
}

bool ph_integer(const struct src *s, const struct ynode *n, uint64_t lo,
		uint64_t hi, uint64_t *v)
{
	char buf[SHOW], hint[80];

	if (!is_scalar(s, n))
		return false;
	if (number(n->s, hi, v) && *v >= lo)
		return true;
	snprintf(hint, sizeof(hint), "a number from %llu to %llu",
		 (unsigned long long)lo, (unsigned long long)hi);
	bad(s, n, 3113, hint, "'%s' is not a number in range",
	    show(buf, n->s));
	return false;
}

bool ph_bool(const struct src *s, const struct ynode *n, bool *v)
{
	static const struct word words[] = {{"true", 1}, {"false", 0},
					    {NULL, 0}};
	int i;

	if (!ph_word(s, n, 3114, "true or false", words, &i))
		return false;
	*v = i;
	return true;
}

bool ph_duration(const struct src *s, const struct ynode *n, int64_t *ns)
{
	struct words w;

	if (!cut(&w, s, n, 3101, "a duration",
		 "write a number and a unit: '30 min'"))
		return false;
	if (!duration(&w, ns))
		return no_duration(&w);
	return at_end(&w) || no_phrase(&w);
}

bool ph_size(const struct src *s, const struct ynode *n, uint64_t *octets)
{
	struct words w;
	int64_t v;

	if (!cut(&w, s, n, 3102, "a size",
		 "write a number and a unit: '48 KiB'; units are B, KiB, MiB, "
		 "GiB, kB and MB"))
		return false;
	if (!amount(&w, sizes, (int64_t)MAX_COUNT, NULL, &v) || !at_end(&w))
		return no_phrase(&w);
	*octets = (uint64_t)v;
	return true;
}

static bool quantity(struct words *w, struct quantity *q)
{
	const struct unit_row *u;

	if (!amount(w, quantities, INT64_MAX / 4, &u, &q->milli))
		return false;
	q->unit = u->unit;
	return true;
}

bool ph_quantity(const struct src *s, const struct ynode *n,
		 struct quantity *q)
{
	struct words w;

	if (!cut(&w, s, n, 3103, "a quantity",
		 "write a number and a unit: '1 kWh'; units are Wh, kWh, W, "
		 "kW, V and those of time"))
		return false;
	return (quantity(&w, q) && at_end(&w)) || no_phrase(&w);
}

bool ph_value_range(const struct src *s, const struct ynode *n,
		    struct quantity *lo, struct quantity *hi)
{
	struct words w;

	if (!cut(&w, s, n, 3104, "a range of values",
		 "write '0 s to 2 h'"))
		return false;
	if (!quantity(&w, lo) || !next_is(&w, "to") || !quantity(&w, hi) ||
	    !at_end(&w))
		return no_phrase(&w);
	if (lo->unit != hi->unit || lo->milli > hi->milli) {
		w.hint = "both ends in one unit, the smaller first";
		return no_phrase(&w);
	}
	return true;
}

bool ph_granularity(const struct src *s, const struct ynode *n, int64_t *lo,
		    int64_t *hi)
{
	struct words w;

	*hi = 0;
	if (!cut(&w, s, n, 3105, "a granularity",
		 "write '30 min or coarser' or '30 min to 1 d'"))
		return false;
	if (!duration(&w, lo))
		return no_phrase(&w);
	if (next_is(&w, "or") && next_is(&w, "coarser") && at_end(&w))
		return true;
	if (w.at != 2 || !next_is(&w, "to") || !duration(&w, hi) || !at_end(&w))
		return no_phrase(&w);
	if (*hi <= *lo) {
		w.hint = "the finer one first; the second is not included";
		return no_phrase(&w);
	}
	return true;
}

/* --- limits ------------------------------------------------------------------- */

static const struct {
	const char *one, *many;
	enum pol_thing thing;
} things[] = {
	{"message",    "messages",    THING_MESSAGES   },
	{"reading",    "readings",    THING_READINGS   },
	{"value",      "values",      THING_VALUES     },
	{"packet",     "packets",     THING_PACKETS    },
	{"connection", "connections", THING_CONNECTIONS},
	{"refusal",    "refusals",    THING_REFUSALS   },
};

static const struct word windows[] = {
	{"hour",	   WINDOW_HOUR	 },
	{"day",		   WINDOW_DAY	 },
	{"week",	   WINDOW_WEEK	 },
	{"month",	   WINDOW_MONTH	 },
	{"billing-period", WINDOW_BILLING},
	{"year",	   WINDOW_YEAR	 },
	{NULL,		   0		 },
};

static const struct word distinct_of[] = {
	{"table",   F_TABLE    }, {"href",    F_HREF },
	{"path",    F_PATH     }, {"party",   0xffff },
	{"value",   F_VALUE_MAX}, {"user-id", F_USER_ID},
	{NULL,	    0	       },
};

static const struct word *word_of(const struct word *t, struct span w)
{
	for (; t->name; t++) {
		if (span_is(w, t->name))
			return t;
	}
	return NULL;
}

/* per WINDOW */
static bool window(struct words *w, struct pol_limit_phrase *l)
{
	const struct word *k;

	if (!next_is(w, "per"))
		return no_word(w, w->at, NULL, "'per'");
	k = w->at < w->count ? word_of(windows, w->w[w->at]) : NULL;
	if (k) {
		w->at++;
		l->window = (enum pol_window)k->value;
		l->kind = LIMIT_CALENDAR;
		return true;
	}
	if (!duration(w, &l->window_ns))
		return no_word(w, w->at,
			       "hour, day, week, month, billing-period, year "
			       "or a duration such as '24 h'", "a window");
	l->window = WINDOW_SLIDING;
	l->kind = LIMIT_SLIDING;
	return l->window_ns > 0 || no_phrase(w);
}

/* [burst N] behind a window; sized limits take a size there. */
static bool burst(struct words *w, struct pol_limit_phrase *l, bool sized)
{
	int64_t v;

	if (at_end(w))
		return true;
	if (!next_is(w, "burst"))
		return no_word(w, w->at, NULL, "the end of a limit or 'burst'");
	if (sized ? !amount(w, sizes, (int64_t)MAX_COUNT, NULL, &v) :
		    w->at >= w->count ||
		    !number(w->w[w->at++], MAX_COUNT, (uint64_t *)&v))
		return no_phrase(w);
	if (v <= 0 || !at_end(w))
		return no_phrase(w);
	if (l->kind != LIMIT_SLIDING) {
		w->hint = "a burst needs a window such as '1 h'";
		return no_phrase(w);
	}
	l->kind = LIMIT_BUCKET;
	l->burst = (uint64_t)v;
	return true;
}

/* COUNT THING per WINDOW [burst COUNT] */
static bool counted(struct words *w, struct pol_limit_phrase *l)
{
	if (w->at >= w->count || !number(w->w[w->at], MAX_COUNT, &l->n) ||
	    l->n == 0)
		return no_word(w, w->at, "a number of at least 1",
			       "how many are allowed");
	w->at++;
	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
		if (next_is(w, things[i].one) || next_is(w, things[i].many)) {
			l->thing = things[i].thing;
			return window(w, l) && burst(w, l, false);
		}
	}
	return no_word(w, w->at,
		       "messages, readings, values, packets, connections, "
		       "refusals, or a size such as '48 KiB'",
		       "something that can be counted");
}

static bool sized(struct words *w, struct pol_limit_phrase *l)
{
	int64_t v;

	if (!amount(w, sizes, (int64_t)MAX_COUNT, NULL, &v) || v == 0)
		return no_phrase(w);
	l->n = (uint64_t)v;
	l->thing = THING_BYTES;
	return window(w, l) && burst(w, l, true);
}

/* at least DUR apart */
static bool spacing(struct words *w, struct pol_limit_phrase *l)
{
	l->kind = LIMIT_SPACING;
	l->n = 1;
	if (!duration(w, &l->window_ns))
		return no_duration(w);
	if (l->window_ns == 0 || !next_is(w, "apart") || !at_end(w)) {
		w->hint = "write 'at least 20 h apart'";
		return no_phrase(w);
	}
	return true;
}

/* at most COUNT distinct ATTRIBUTE per WINDOW
 * at most COUNT connections at once */
static bool at_most(struct words *w, struct pol_limit_phrase *l)
{
	const struct word *k;

	if (w->at >= w->count || !number(w->w[w->at], MAX_COUNT, &l->n) ||
	    l->n == 0)
		return no_word(w, w->at, "a number of at least 1",
			       "how many are allowed");
	w->at++;
	if (next_is(w, "connections") || next_is(w, "connection")) {
		l->kind = LIMIT_CONCURRENT;
		l->thing = THING_CONNECTIONS;
		if (next_is(w, "at") && next_is(w, "once") && at_end(w))
			return true;
		w->hint = "write 'at most 4 connections at once'";
		return no_phrase(w);
	}
	if (!next_is(w, "distinct")) {
		w->hint = "write '4 messages per day', 'at most 8 distinct "
			  "table per day' or 'at most 4 connections at once'";
		return no_phrase(w);
	}
	k = w->at < w->count ? word_of(distinct_of, w->w[w->at]) : NULL;
	if (!k)
		return no_word(w, w->at, "table, href, path, party, value or "
			       "user-id", "an attribute that can be distinct");
	w->at++;
	if (l->n > 64) {
		w->hint = "at most 64 different values can be remembered";
		return no_phrase(w);
	}
	if (!window(w, l) || !at_end(w))
		return at_end(w) ? false : no_phrase(w);
	l->kind = LIMIT_DISTINCT;
	l->distinct = (uint16_t)k->value;
	return true;
}

/* The canonical text: single spaces, the number of the noun right. */
static const char *limit_text(const struct src *s, const struct words *w,
			      const struct pol_limit_phrase *l)
{
	char buf[160];
	size_t n = 0;

	for (size_t i = 0; i < w->count; i++) {
		struct span t = w->w[i];

		for (size_t k = 0; k < sizeof(things) / sizeof(things[0]); k++) {
			bool plural = l->n != 1 || l->kind == LIMIT_CONCURRENT;

			if (span_is(t, things[k].one) ||
			    span_is(t, things[k].many))
				t = span_str(plural ? things[k].many :
						      things[k].one);
		}
		if (n + t.n + 2 > sizeof(buf))
			break;
		if (n)
			buf[n++] = ' ';
		memcpy(buf + n, t.p, t.n);
		n += t.n;
	}
	return pool_text(s->pool, span_of(buf, n));
}

bool ph_limit(const struct src *s, const struct ynode *n,
	      struct pol_limit_phrase *l)
{
	struct words w;
	bool ok;

	memset(l, 0, sizeof(*l));
	if (!cut(&w, s, n, 3110, "a limit",
		 "write '1 reading per day', '48 KiB per day' or 'at least "
		 "20 h apart'"))
		return false;
	l->pos = (struct pol_pos){n->line, n->col};
	if (next_is(&w, "at"))
		ok = next_is(&w, "least") ? spacing(&w, l) :
		     next_is(&w, "most")  ? at_most(&w, l) :
					    no_phrase(&w);
	else
		ok = w.count > 1 && unit_of(sizes, w.w[1]) ? sized(&w, l) :
							     counted(&w, l);
	if (ok)
		l->text = limit_text(s, &w, l);
	return ok;
}

/* --- actions, hours, expectations ------------------------------------------------ */

bool ph_action(const struct src *s, const struct ynode *n,
	       struct pol_action_src *a)
{
	static const struct {
		const char *name;
		enum pol_action_kind kind;
		bool timed;
	} rows[] = {
		{"refuse",     ACTION_REFUSE,	  false},
		{"drop",       ACTION_DROP,	  false},
		{"reset",      ACTION_RESET,	  false},
		{"defer",      ACTION_DEFER,	  true },
		{"quarantine", ACTION_QUARANTINE, true },
	};
	struct words w;

	if (!cut(&w, s, n, 3112, "an action",
		 "refuse, drop, reset, 'defer 10 min' or 'quarantine 1 h'"))
		return false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!next_is(&w, rows[i].name))
			continue;
		a->kind = rows[i].kind;
		a->ns = 0;
		if (!rows[i].timed)
			return at_end(&w) || no_phrase(&w);
		if (!duration(&w, &a->ns))
			return no_duration(&w);
		return (a->ns > 0 && at_end(&w)) || no_phrase(&w);
	}
	return no_phrase(&w);
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

	if (!is_scalar(s, n))
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
	return no_word(w, w->at, near ? hint : NULL, "a reason");
}

bool ph_expect(const struct src *s, const struct ynode *n,
	       struct pol_step_src *step)
{
	struct words w;
	bool because = false, by = false;

	if (!cut(&w, s, n, 3127, "an expectation",
		 "permit [by RULE], deny [because REASON] [by RULE] or defer"))
		return false;
	step->because = REASON_NONE;
	step->by = NULL;
	if (next_is(&w, "defer")) {
		step->expect = EXPECT_DEFER;
	} else if (next_is(&w, "permit")) {
		step->expect = EXPECT_PERMIT;
	} else if (next_is(&w, "deny")) {
		step->expect = EXPECT_DENY;
	} else {
		return no_word(&w, 0, "permit, deny or defer",
			       "an expectation");
	}
	while (!at_end(&w)) {
		if (!by && w.at + 1 < w.count && next_is(&w, "by")) {
			by = true;
			step->by = pool_text(s->pool, w.w[w.at++]);
		} else if (!because && step->expect == EXPECT_DENY &&
			   w.at + 1 < w.count && next_is(&w, "because")) {
			because = true;
			step->because = reason_find(w.w[w.at]);
			if (step->because == REASON_NONE)
				return no_reason(&w);
			w.at++;
		} else {
			return no_phrase(&w);
		}
	}
	return true;
}

bool ph_grade(const struct src *s, const struct ynode *n, char *grade)
{
	struct words w;

	if (!cut(&w, s, n, 3129, "a grade", "write 'D or better'; grades are "
		 "A to F, H and X"))
		return false;
	if (w.count != 3 || w.w[0].n != 1 || !strchr("ABCDEFHX", w.w[0].p[0]) ||
	    !span_is(w.w[1], "or") || !span_is(w.w[2], "better"))
		return no_phrase(&w);
	*grade = (char)w.w[0].p[0];
	return true;
}

bool ph_state_ref(const struct src *s, const struct ynode *n,
		  struct pol_state_ref *r)
{
	const uint8_t *colon, *at;
	size_t from = 0, to;

	if (!is_scalar(s, n))
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
