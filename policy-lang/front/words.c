/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/front/words.h"

#define YEAR_NS (INT64_C(31536000) * NS_PER_S)
#define MAX_NS  (100 * YEAR_NS)

/* Cut a scalar into words. Limit, duration and granularity phrases must not
 * be double-quoted, so that columns are exact. */
bool words_cut(struct words *w, const struct src *s, const struct ynode *n,
	       uint16_t code, const char *what, const char *hint)
{
	size_t i = 0;

	*w = (struct words){
		.s = s, .n = n, .code = code, .what = what, .hint = hint};
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
bool words_bad(const struct words *w)
{
	char buf[SHOW];

	bad(w->s, w->n, w->code, w->hint, "'%s' is not %s", show(buf, w->n->s),
	    w->what);
	return false;
}

/* One word of it is wrong. */
bool words_bad_at(const struct words *w, size_t i, const char *hint,
		  const char *what)
{
	char buf[SHOW];

	if (i >= w->count)
		return words_bad(w);
	bad_part(w->s, w->n, w->off[i], w->w[i].n, w->code, hint,
		 "'%s' is not %s", show(buf, w->w[i]), what);
	return false;
}

bool words_is(struct words *w, const char *word)
{
	if (w->at >= w->count || !span_is(w->w[w->at], word))
		return false;
	w->at++;
	return true;
}

bool words_end(const struct words *w)
{
	return w->at == w->count;
}

/* Decimal without sign or leading zeros. */
bool words_number(struct span t, uint64_t max, uint64_t *v)
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

const struct unit_row words_durations[] = {
	{"s",   NS_PER_S,          UNIT_S   },
        {"min", 60 * NS_PER_S,     UNIT_S   },
	{"h",   3600 * NS_PER_S,   UNIT_S   },
        {"d",   86400 * NS_PER_S,  UNIT_S   },
	{"w",   604800 * NS_PER_S, UNIT_S   },
        {NULL,  0,                 UNIT_NONE},
};
const struct unit_row words_sizes[] = {
	{"B",   1,       UNIT_NONE},
        {"KiB", 1024,    UNIT_NONE},
	{"MiB", 1 << 20, UNIT_NONE},
        {"GiB", 1 << 30, UNIT_NONE},
	{"kB",  1000,    UNIT_NONE},
        {"MB",  1000000, UNIT_NONE},
	{NULL,  0,       UNIT_NONE},
};
/* Thousandths of the base unit. */
const struct unit_row words_quantities[] = {
	{"Wh",  1000,      UNIT_WH  },
        {"kWh", 1000000,   UNIT_WH  },
	{"W",   1000,      UNIT_W   },
        {"kW",  1000000,   UNIT_W   },
	{"V",   1000,      UNIT_V   },
        {"s",   1000,      UNIT_S   },
	{"min", 60000,     UNIT_S   },
        {"h",   3600000,   UNIT_S   },
	{"d",   86400000,  UNIT_S   },
        {"w",   604800000, UNIT_S   },
	{NULL,  0,         UNIT_NONE},
};

const struct unit_row *words_unit(const struct unit_row *t, struct span w)
{
	for (; t->name; t++) {
		if (span_is(w, t->name))
			return t;
	}
	return NULL;
}

/* INT UNIT at the cursor; max in the smallest unit. */
bool words_amount(struct words *w, const struct unit_row *table, int64_t max,
		  const struct unit_row **unit, int64_t *v)
{
	uint64_t n;
	const struct unit_row *u;

	if (w->at >= w->count || !words_number(w->w[w->at], MAX_COUNT, &n))
		return false;
	u = w->at + 1 < w->count ? words_unit(table, w->w[w->at + 1]) : NULL;
	if (!u || n > (uint64_t)(max / u->factor))
		return false;
	*v = (int64_t)n * u->factor;
	if (unit)
		*unit = u;
	w->at += 2;
	return true;
}

bool words_duration(struct words *w, int64_t *ns)
{
	return words_amount(w, words_durations, MAX_NS, NULL, ns);
}

/* Say what is wrong with a duration in particular. */
bool words_no_duration(const struct words *w)
{
	uint64_t v;
	struct span unit;

	if (w->at >= w->count)
		return words_bad(w);
	if (!words_number(w->w[w->at], MAX_COUNT, &v))
		return words_bad_at(w, w->at,
				    "write a number, a space and a unit: "
				    "s, min, h, d or w",
				    "a duration");
	if (w->at + 1 >= w->count)
		return words_bad_at(w, w->at, "add a unit: s, min, h, d or w",
				    "a duration");
	unit = w->w[w->at + 1];
	if (span_is(unit, "m") || span_is(unit, "month") ||
	    span_is(unit, "months"))
		return words_bad_at(
			w, w->at + 1,
			"minutes are min; months exist only as windows",
			"a unit of time");
	if (!words_unit(words_durations, unit))
		return words_bad_at(w, w->at + 1,
				    "units are s, min, h, d and w",
				    "a unit of time");
	return words_bad_at(w, w->at, "at most 100 years",
			    "a sensible duration");
}
