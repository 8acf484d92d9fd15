/* SPDX-License-Identifier: Apache-2.0 */
/* Limit phrases (policy-language section 11.1). */
#include "policy-lang/front/words.h"

const struct thing_word limit_things[] = {
	{"message",    "messages",    THING_MESSAGES   },
	{"reading",    "readings",    THING_READINGS   },
	{"value",      "values",      THING_VALUES     },
	{"packet",     "packets",     THING_PACKETS    },
	{"connection", "connections", THING_CONNECTIONS},
	{"refusal",    "refusals",    THING_REFUSALS   },
	{NULL,         NULL,          0                },
};

const struct word limit_windows[] = {
	{"hour",           WINDOW_HOUR   },
	{"day",            WINDOW_DAY    },
	{"week",           WINDOW_WEEK   },
	{"month",          WINDOW_MONTH  },
	{"billing-period", WINDOW_BILLING},
	{"year",           WINDOW_YEAR   },
	{NULL,             0             },
};

const struct word limit_distinct[] = {
	{"table",   F_TABLE    },
        {"href",    F_HREF     },
        {"path",    F_PATH     },
	{"party",   0xffff     },
        {"value",   F_VALUE_MAX},
        {"user-id", F_USER_ID  },
	{NULL,      0          },
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

	if (!words_is(w, "per"))
		return words_bad_at(w, w->at, NULL, "'per'");
	k = w->at < w->count ? word_of(limit_windows, w->w[w->at]) : NULL;
	if (k) {
		w->at++;
		l->window = (enum pol_window)k->value;
		l->kind = LIMIT_CALENDAR;
		return true;
	}
	if (!words_duration(w, &l->window_ns))
		return words_bad_at(
			w, w->at,
			"hour, day, week, month, billing-period, year "
			"or a duration such as '24 h'",
			"a window");
	l->window = WINDOW_SLIDING;
	l->kind = LIMIT_SLIDING;
	if (l->window_ns == 0)
		w->hint = "a window is longer than nothing: write a duration "
			  "such as '24 h'";
	return l->window_ns > 0 || words_bad(w);
}

/* [burst N] behind a window; sized limits take a size there. */
static bool burst(struct words *w, struct pol_limit_phrase *l, bool sized)
{
	int64_t v;

	if (words_end(w))
		return true;
	if (!words_is(w, "burst"))
		return words_bad_at(w, w->at, NULL,
				    "the end of a limit or 'burst'");
	if (sized ? !words_amount(w, words_sizes, (int64_t)MAX_COUNT, NULL, &v)
		  : w->at >= w->count || !words_number(w->w[w->at++], MAX_COUNT,
						       (uint64_t *)&v))
		return words_bad(w);
	if (v <= 0)
		w->hint = "a burst of nothing lets nothing pass: write 'burst "
			  "1' or more, or leave it out";
	if (v <= 0 || !words_end(w))
		return words_bad(w);
	if (l->kind != LIMIT_SLIDING) {
		w->hint = "a burst needs a window such as '1 h'";
		return words_bad(w);
	}
	l->kind = LIMIT_BUCKET;
	l->burst = (uint64_t)v;
	return true;
}

/* COUNT THING per WINDOW [burst COUNT] */
static bool counted(struct words *w, struct pol_limit_phrase *l)
{
	if (w->at >= w->count || !words_number(w->w[w->at], MAX_COUNT, &l->n) ||
	    l->n == 0)
		return words_bad_at(w, w->at, "a number from 1 to 2^53",
				    "how many are allowed");
	w->at++;
	for (size_t i = 0; limit_things[i].one; i++) {
		if (words_is(w, limit_things[i].one) || words_is(w, limit_things[i].many)) {
			l->thing = limit_things[i].thing;
			return window(w, l) && burst(w, l, false);
		}
	}
	return words_bad_at(w, w->at,
			    "messages, readings, values, packets, connections, "
			    "refusals, or a size such as '48 KiB'",
			    "something that can be counted");
}

static bool sized(struct words *w, struct pol_limit_phrase *l)
{
	int64_t v;

	if (!words_amount(w, words_sizes, (int64_t)MAX_COUNT, NULL, &v))
		return words_bad(w);
	if (v == 0) {
		w->hint = "nothing may pass at all: leave the grant out, or "
			  "write how much";
		return words_bad(w);
	}
	l->n = (uint64_t)v;
	l->thing = THING_BYTES;
	return window(w, l) && burst(w, l, true);
}

/* at least DUR apart */
static bool spacing(struct words *w, struct pol_limit_phrase *l)
{
	l->kind = LIMIT_SPACING;
	l->n = 1;
	if (!words_duration(w, &l->window_ns))
		return words_no_duration(w);
	if (l->window_ns == 0 || !words_is(w, "apart") || !words_end(w)) {
		w->hint = "write 'at least 20 h apart'";
		return words_bad(w);
	}
	return true;
}

/* at most COUNT distinct ATTRIBUTE per WINDOW
 * at most COUNT connections at once */
static bool at_most(struct words *w, struct pol_limit_phrase *l)
{
	const struct word *k;

	if (w->at >= w->count || !words_number(w->w[w->at], MAX_COUNT, &l->n) ||
	    l->n == 0)
		return words_bad_at(w, w->at, "a number from 1 to 2^53",
				    "how many are allowed");
	w->at++;
	if (words_is(w, "connections") || words_is(w, "connection")) {
		l->kind = LIMIT_CONCURRENT;
		l->thing = THING_CONNECTIONS;
		if (words_is(w, "at") && words_is(w, "once") && words_end(w))
			return true;
		w->hint = "write 'at most 4 connections at once'";
		return words_bad(w);
	}
	if (!words_is(w, "distinct")) {
		w->hint = "write '4 messages per day', 'at most 8 distinct "
			  "table per day' or 'at most 4 connections at once'";
		return words_bad(w);
	}
	k = w->at < w->count ? word_of(limit_distinct, w->w[w->at]) : NULL;
	if (!k)
		return words_bad_at(w, w->at,
				    "table, href, path, party, value or "
				    "user-id",
				    "an attribute that can be distinct");
	w->at++;
	if (l->n > 64) {
		w->hint = "at most 64 different values can be remembered";
		return words_bad(w);
	}
	if (!window(w, l) || !words_end(w))
		return words_end(w) ? false : words_bad(w);
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

		for (size_t k = 0; limit_things[k].one; k++) {
			bool plural = l->n != 1 || l->kind == LIMIT_CONCURRENT;

			if (span_is(t, limit_things[k].one) ||
			    span_is(t, limit_things[k].many))
				t = span_str(plural ? limit_things[k].many
						    : limit_things[k].one);
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

	if (ph_asked(s, n, PH_LIMIT))
		return false;
	memset(l, 0, sizeof(*l));
	if (!words_cut(
		    &w, s, n, 3110, "a limit",
		    "write '1 reading per day', '48 KiB per day' or 'at least "
		    "20 h apart'"))
		return false;
	l->pos = (struct pol_pos){n->line, n->col};
	if (words_is(&w, "at"))
		ok = words_is(&w, "least")  ? spacing(&w, l)
		     : words_is(&w, "most") ? at_most(&w, l)
					    : words_bad(&w);
	else
		ok = w.count > 1 && words_unit(words_sizes, w.w[1])
			     ? sized(&w, l)
			     : counted(&w, l);
	if (ok)
		l->text = limit_text(s, &w, l);
	return ok;
}
