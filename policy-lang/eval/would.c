/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nearest request that would have passed (law 9). What failed says what to
 * ask for instead, and when; then that is judged as well, because what is
 * coarser may be too coarse, and at the later time something else may be in
 * the way. What does not pass then is not told.
 *
 * Nothing is written while it is judged: no time that is not yet may stand in
 * memory that outlives this process.
 */
#include <stdarg.h>
#include <stdio.h>

#include "policy-lang/eval/internal.h"

#define TRIES 6

struct wish {
	struct what_if w;
	int64_t wait;
	bool gran, oldest, newest, res, value, channels; /* told */
};

/* What one judgement leaves behind, which is still to be told. */
struct kept {
	struct now now;
	unsigned n_side;
	uint32_t n_fail, n_pend;
	struct side side[2];
	uint64_t answered[2];
	struct fail fail[FAILS];
	struct pending pend[PENDING];
};

static void keep(struct kept *k, const struct pol_state *st)
{
	k->now = st->now;
	k->n_side = st->n_side;
	k->n_fail = st->n_fail;
	k->n_pend = st->n_pend;
	memcpy(k->side, st->side, sizeof(k->side));
	memcpy(k->answered, st->answered, sizeof(k->answered));
	memcpy(k->fail, st->fail, st->n_fail * sizeof(k->fail[0]));
	memcpy(k->pend, st->pend, st->n_pend * sizeof(k->pend[0]));
}

static void put_back(struct pol_state *st, const struct kept *k)
{
	st_now(st, k->now);
	st->n_side = k->n_side;
	st->n_fail = k->n_fail;
	st->n_pend = k->n_pend;
	memcpy(st->side, k->side, sizeof(k->side));
	memcpy(st->answered, k->answered, sizeof(k->answered));
	memcpy(st->fail, k->fail, k->n_fail * sizeof(k->fail[0]));
	memcpy(st->pend, k->pend, k->n_pend * sizeof(k->pend[0]));
}

/* --- what failed, and what instead ---------------------------------------- */

static const struct lay_data *data_of(const struct pol_state *st,
				      const struct fail *f)
{
	const struct pol_image *im =
		f->side < st->n_side ? st->side[f->side].im[f->layer] : NULL;

	if (!im || f->rule == NO_RULE || im->RULE[f->rule].data == LAY_NONE)
		return NULL;
	return &im->DATA[im->RULE[f->rule].data];
}

static uint64_t common(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t r = a % b;

		a = b;
		b = r;
	}
	return a;
}

/* The smallest step that is a multiple of both. */
static bool coarser(struct what_if *w, uint64_t step, uint8_t unit)
{
	uint64_t times;

	if (w->res_milli && w->res_unit != unit)
		return false;
	times = step / (w->res_milli ? common(step, w->res_milli) : step);
	if (w->res_milli > INT64_MAX / times)
		return false;
	w->res_milli = w->res_milli ? w->res_milli * times : step;
	w->res_unit = unit;
	return true;
}

/* Ages are told by the wall clock; after a step of it they are looked at by
 * the worse of two. */
static bool ages(const struct pol_state *st, const struct fail *f,
		 struct wish *w)
{
	int64_t ahead = st->live->wall_max_s - st->wall_s, s;

	if (f->reason == REASON_TOO_FRESH) {
		s = f->need / NS_PER_S + (f->need % NS_PER_S > 0);
		s += ahead < 0 && !st->trusted ? -ahead : 0;
		s = text_rounded(s * NS_PER_S) / NS_PER_S;
		if (!w->newest || s > w->w.newest_s)
			w->w.newest_s = s;
		w->newest = true;
		return true;
	}
	s = f->need / NS_PER_S - (ahead > 0 ? ahead : 0);
	/* As it is told, which is never more. */
	while (s > 0 && text_rounded(s * NS_PER_S) / NS_PER_S > s)
		s -= s % 3600 && s >= 2 * 86400 ? s % 3600
		     : s % 60 && s >= 2 * 3600	? s % 60
						: 1;
	if (!w->oldest || s < w->w.oldest_s)
		w->w.oldest_s = s;
	w->oldest = true;
	return s >= 0;
}

static bool range(const struct pol_state *st, const struct fail *f,
		  struct wish *w)
{
	const struct lay_data *d = data_of(st, f);

	if (!d || (w->value && w->w.value_unit != d->value_unit))
		return false;
	w->w.value_unit = d->value_unit;
	if (!w->value || d->value_lo > w->w.lo)
		w->w.lo = d->value_lo;
	if (!w->value || d->value_hi < w->w.hi)
		w->w.hi = d->value_hi;
	w->value = w->w.has_value = true;
	return w->w.lo <= w->w.hi;
}

static bool add(const struct pol_state *st, const struct fail *f,
		struct wish *w, int64_t *more)
{
	const struct lay_data *d = data_of(st, f);

	switch (f->reason) {
	case REASON_TOO_FINE:
		if (f->need > w->w.gran_ns)
			w->w.gran_ns = text_rounded(f->need);
		w->gran = true;
		return true;
	case REASON_TOO_FAR_BACK:
	case REASON_TOO_FRESH:
		return ages(st, f, w);
	case REASON_TOO_PRECISE:
		w->res = true;
		return d && f->need > 0 &&
		       coarser(&w->w, (uint64_t)f->need, d->res_unit);
	case REASON_OUT_OF_RANGE:
		return range(st, f, w);
	case REASON_TOO_MANY:
		if (!w->channels || (uint64_t)f->need < w->w.channels)
			w->w.channels = (uint64_t)f->need;
		w->channels = true;
		return f->need > 0;
	default:
		*more = f->wait > *more ? f->wait : *more;
		return f->wait >= 0;
	}
}

/* Takes what failed into the wish. False: no asking and no waiting helps. */
static bool add_all(const struct pol_state *st, struct wish *w)
{
	int64_t more = 0;

	if (st->n_fail == 0 || st->fails_cut)
		return false;
	for (uint32_t i = 0; i < st->n_fail; i++) {
		const struct fail *f = &st->fail[i];

		if (!f->monitored && !add(st, f, w, &more))
			return false;
	}
	if (more > INT64_MAX / 4 ||
	    (w->oldest && w->newest && w->w.oldest_s < w->w.newest_s))
		return false;
	if (more)
		w->wait = text_rounded(w->wait + more);
	return true;
}

/* --- tried ---------------------------------------------------------------- */

static void lift(int64_t *told, const struct obs *o, enum field f,
		 int64_t now_s, int64_t limit, bool up)
{
	int64_t age = now_s - obs_get_i64(o, f, 0);

	if (obs_has(o, f) && (up ? age < limit : age > limit))
		*told = limit;
}

/* Who asks for what is older than that gets nothing that is younger, and the
 * reverse: the end that is not told moves with the one that is. */
static void order(struct what_if *w, const struct pol_msg *m, int64_t now_s)
{
	bool oldest = w->oldest_s != AS_IT_IS, newest = w->newest_s != AS_IT_IS;

	for (uint32_t i = 0; i < m->n_leaves && oldest != newest; i++) {
		if (newest)
			lift(&w->oldest_s, &m->leaves[i], F_OLDEST, now_s,
			     w->newest_s, true);
		else
			lift(&w->newest_s, &m->leaves[i], F_NEWEST, now_s,
			     w->oldest_s, false);
	}
}

static bool tried(struct pol_state *st, const struct pol_msg *m,
		  const struct wish *w, const struct kept *k,
		  struct pol_decision *d)
{
	struct now now = k->now;
	bool passes;

	/* States, and requests that wait for an answer, are as they are now:
	 * they have a stepless time, which goes on standing still. */
	now.wall.us += w->wait / 1000;
	st->what_if = w->w;
	st->what_if.on = true;
	st->what_if.later_s = w->wait / NS_PER_S;
	order(&st->what_if, m, wall_s(k->now.wall));
	passes = judge_what_if(st, m, now, d);
	st->what_if.on = false;
	/* Another rule may grant that, and count it otherwise. */
	for (uint32_t i = 0; passes && i < st->n_pend; i++) {
		bool known = false;

		for (uint32_t j = 0; !known && j < k->n_pend; j++)
			known = st->pend[i].limit == k->pend[j].limit &&
				st->pend[i].at == k->pend[j].at;
		if (!known)
			return false;
	}
	return passes;
}

/* --- told ----------------------------------------------------------------- */

struct line {
	char *p;
	size_t cap, n;
};

static void say(struct line *l, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void say(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->p + l->n, l->cap - l->n, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->n += (size_t)n < l->cap - l->n ? (size_t)n
						  : l->cap - l->n - 1;
}

static void say_time(struct line *l, const char *what, int64_t ns)
{
	char buf[48];

	text_duration(buf, sizeof(buf), ns);
	say(l, "%s%s %s", l->n ? ", " : "", what, buf);
}

static struct span told(struct pol_state *st, const struct wish *w)
{
	struct line l = {st->would, sizeof(st->would), 0};
	char a[48], b[48];

	if (w->gran)
		say_time(&l, "granularity", w->w.gran_ns);
	if (w->oldest)
		say_time(&l, "oldest", w->w.oldest_s * NS_PER_S);
	if (w->newest)
		say_time(&l, "newest", w->w.newest_s * NS_PER_S);
	if (w->res) {
		text_milli(a, sizeof(a), (int64_t)w->w.res_milli,
			   w->w.res_unit);
		say(&l, "%sresolution %s", l.n ? ", " : "", a);
	}
	if (w->value) {
		text_milli(a, sizeof(a), w->w.lo, w->w.value_unit);
		text_milli(b, sizeof(b), w->w.hi, w->w.value_unit);
		say(&l, "%svalue %s to %s", l.n ? ", " : "", a, b);
	}
	if (w->channels)
		say(&l, "%schannels %llu", l.n ? ", " : "",
		    (unsigned long long)w->w.channels);
	if (w->wait)
		say_time(&l, "in", w->wait);
	return span_of(st->would, l.n);
}

static bool says_something(const struct pol_msg *m)
{
	return m && (m->n_leaves || (m->message &&
				     obs_level((enum obs_kind)m->message->kind) !=
					     OBS_LEVEL_CARRIER));
}

void would_pass(struct pol_state *st, const struct pol_msg *m,
		struct pol_decision *d)
{
	struct wish w = {.w = {.oldest_s = AS_IT_IS, .newest_s = AS_IT_IS}};
	struct kept k;
	bool passes = false;

	if (!add_all(st, &w))
		return;
	/* Of packets and connections nothing but time is asked. */
	if (!says_something(m)) {
		d->would_pass = told(st, &w);
		return;
	}
	keep(&k, st);
	for (int i = 0; i < TRIES && !passes; i++) {
		struct wish before = w;

		passes = tried(st, m, &w, &k, d);
		if (!passes && (!add_all(st, &w) ||
				memcmp(&before, &w, sizeof(w)) == 0))
			break;
	}
	put_back(st, &k);
	if (passes)
		d->would_pass = told(st, &w);
}
