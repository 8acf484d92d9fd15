/* SPDX-License-Identifier: Apache-2.0 */
/* Calendar windows: in local standard time, all year (section 11.2). */
#include "policy-lang/eval/counters.h"

#define WAIT_MOST_S (INT64_C(36600) * DAY_S) /* a hundred years */

static int64_t month_no(int64_t s, int first_day)
{
	struct civil c = civil_of(s);
	int64_t n = (int64_t)c.year * 12 + c.month - 1;

	return c.day < first_day ? n - 1 : n;
}

static int first_day(const struct pol_state *st, enum pol_window w)
{
	const struct pol_image *b = st->s->binding;

	return w == WINDOW_BILLING && b && b->META->billing_day
		       ? (int)b->META->billing_day
		       : 1;
}

static int64_t window_no(const struct pol_state *st, enum pol_window w,
			 int64_t s)
{
	switch (w) {
	case WINDOW_HOUR:
		return floor_div(s, 3600);
	case WINDOW_DAY:
		return floor_div(s, DAY_S);
	case WINDOW_WEEK: /* 1970-01-01 was a Thursday; weeks begin Monday */
		return floor_div(floor_div(s, DAY_S) + 3, 7);
	case WINDOW_MONTH:
	case WINDOW_BILLING:
		return month_no(s, first_day(st, w));
	default:
		return civil_of(s).year;
	}
}

static int64_t window_start(const struct pol_state *st, enum pol_window w,
			    int64_t no)
{
	switch (w) {
	case WINDOW_HOUR:
		return no * 3600;
	case WINDOW_DAY:
		return no * DAY_S;
	case WINDOW_WEEK:
		return (no * 7 - 3) * DAY_S;
	case WINDOW_MONTH:
	case WINDOW_BILLING:
		return civil_days((int)floor_div(no, 12),
				  (int)(no - floor_div(no, 12) * 12) + 1,
				  first_day(st, w)) *
		       DAY_S;
	default:
		return civil_days((int)no, 1, 1) * DAY_S;
	}
}

/* The first day of window no, both with BIAS. */
int64_t calendar_start_day(const struct pol_state *st,
			   const struct lay_limit *l, int64_t no)
{
	return floor_div(window_start(st, (enum pol_window)l->window,
				      no - BIAS),
			 DAY_S) +
	       BIAS;
}

int64_t calendar_now(const struct pol_state *st, const struct lay_limit *l)
{
	return window_no(st, (enum pol_window)l->window, st->std_s) + BIAS;
}

/* The window to enter now if it is a later one (section 13): with a trusted
 * clock at once; without, only when the stepless clock bears the step out;
 * and when the wall clock stands still, at nominal length. 0: still in it. */
int64_t calendar_due(const struct pol_state *st, const struct lay_limit *l,
		     uint32_t at)
{
	enum pol_window w = (enum pol_window)l->window;
	int64_t was = (int64_t)st->w[at], no;
	int64_t entered = (int64_t)st->w[at + 2];
	int64_t now = st->now.mono.ns, length;

	if (calendar_stays(st, w, was))
		return 0;
	no = calendar_now(st, l);
	if (no <= was && st->trusted)
		return 0; /* the common case */
	if (was != 0) {
		length = (window_start(st, w, was - BIAS + 1) -
			  window_start(st, w, was - BIAS)) *
			 NS_PER_S;
		if (!st->trusted && now - entered < length &&
		    (no <= was || now - entered < length / 2))
			return 0;
		if (no <= was)
			no = was + 1;
	}
	return no;
}

int64_t calendar_wait(const struct pol_state *st, const struct lay_limit *l,
		      uint32_t at)
{
	enum pol_window w = (enum pol_window)l->window;
	int64_t was = (int64_t)st->w[at] - BIAS;
	int64_t next = window_start(st, w, was + 1), s = next - st->std_s;

	/* As calendar_due: the stepless clock has a say when the other is not
	 * trusted. */
	if (!st->trusted) {
		int64_t length = next - window_start(st, w, was);
		int64_t gone = (st->now.mono.ns - (int64_t)st->w[at + 2]) /
			       NS_PER_S;
		int64_t half = (length + 1) / 2 - gone;

		s = s > half ? s : half;
		s = s < length - gone ? s : length - gone;
	}
	/* A kept number may name a window thousands of years ahead. */
	return s > 0 && s <= WAIT_MOST_S ? s * NS_PER_S : -1;
}
