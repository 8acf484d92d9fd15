/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters (policy-language section 11). Each function is given the words of
 * one counter; what it changes goes through st_put, so that it can be undone.
 *
 *   spacing     last | set
 *   bucket      theoretical arrival time | set
 *   calendar    window + BIAS | used | when it was entered (stepless clock)
 *   sliding     newest sub-window + 1 | sum | - | 61 counts of 32 bits
 *   distinct    as calendar, then n of: hash | last seen
 *   concurrent  n connections
 */
#include "policy-lang/eval/internal.h"

#define SUBS     60         /* a window is cut into so many */
#define RING     (SUBS + 1) /* and touches so many */
#define RING_AT  3
#define SLOTS_AT 3
#define BIAS     (INT64_C(1) << 40) /* window numbers: never 0 */
#define DAY_S    86400

uint32_t limit_words(const struct lay_limit *l)
{
	switch (l->kind) {
	case LIMIT_CALENDAR:
		return 3;
	case LIMIT_SLIDING:
		return RING_AT + (RING + 1) / 2;
	case LIMIT_DISTINCT:
		return SLOTS_AT + 2 * (uint32_t)l->n;
	case LIMIT_CONCURRENT:
		return (uint32_t)l->n + 1;
	default:
		return 2;
	}
}

uint32_t limit_at(const struct pol_set *s, uint32_t limit, size_t m, int party,
		  unsigned meas)
{
	const struct set_limit *l = &s->limit[limit];
	const struct machine *mc = &s->m[m];
	uint32_t p = party < 0 ? mc->n_party : (uint32_t)party;
	uint32_t i = l->by_vm ? (uint32_t)m : 0;

	i = i * l->parties + (l->by_group ? mc->group[p] : l->by_party ? p : 0);
	if (l->by_meas)
		i = i * MEAS_COUNT + meas;
	return l->base + i * l->words;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* --- calendar windows: local standard time, all year --------------------- */

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

/* The window to enter now if it is a later one (section 13): with a trusted
 * clock at once; without, only when the stepless clock bears the step out;
 * and when the wall clock stands still, at nominal length. 0: still in it. */
static int64_t calendar_due(const struct pol_state *st,
			    const struct lay_limit *l, uint32_t at)
{
	enum pol_window w = (enum pol_window)l->window;
	int64_t no = window_no(st, w, std_s(st)) + BIAS;
	int64_t was = (int64_t)st->w[at];
	int64_t entered = (int64_t)st->w[at + 2];
	int64_t now = st->now.mono.ns, length;

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

/* Enter it. Returns true when the count starts again. */
static bool calendar_roll(struct pol_state *st, const struct lay_limit *l,
			  uint32_t at)
{
	int64_t no = calendar_due(st, l, at), now = st->now.mono.ns;

	if (!no)
		return false;
	/* In this order: whoever is killed in between has waited longer. */
	st_put(st, at + 2, (uint64_t)now);
	st_put(st, at, (uint64_t)no);
	return true;
}

static int64_t calendar_wait(const struct pol_state *st,
			     const struct lay_limit *l, uint32_t at)
{
	int64_t next = window_start(st, (enum pol_window)l->window,
				    (int64_t)st->w[at] - BIAS + 1);

	return next > std_s(st) ? (next - std_s(st)) * NS_PER_S : -1;
}

static bool calendar(struct pol_state *st, const struct lay_limit *l,
		     uint32_t at, uint64_t amount, int64_t *wait)
{
	if (calendar_roll(st, l, at))
		st_put(st, at + 1, 0);
	if (amount > l->n || st->w[at + 1] > l->n - amount) {
		*wait = amount > l->n ? -1 : calendar_wait(st, l, at);
		return false;
	}
	st_put(st, at + 1, st->w[at + 1] + amount);
	return true;
}

/* --- sliding windows ----------------------------------------------------- */

static uint32_t ring_get(const struct pol_state *st, uint32_t at, int64_t sub)
{
	uint32_t i = (uint32_t)(sub % RING);

	return (uint32_t)(st->w[at + RING_AT + i / 2] >> (i % 2 * 32));
}

static void ring_put(struct pol_state *st, uint32_t at, int64_t sub, uint32_t v)
{
	uint32_t i = (uint32_t)(sub % RING);
	uint64_t w = st->w[at + RING_AT + i / 2];

	w &= ~(UINT64_C(0xffffffff) << (i % 2 * 32));
	st_put(st, at + RING_AT + i / 2, w | (uint64_t)v << (i % 2 * 32));
}

static int64_t sub_ns(const struct lay_limit *l)
{
	return (l->window_ns + SUBS - 1) / SUBS;
}

static void ring_drop(struct pol_state *st, uint32_t at, int64_t sub)
{
	uint32_t v = ring_get(st, at, sub);

	if (v) {
		ring_put(st, at, sub, 0);
		st_put(st, at + 1, st->w[at + 1] - v);
	}
}

/* Bring the ring to now: whole sub-windows stay until they are completely
 * outside, that is until their end is no later than now - window. */
static int64_t sliding_roll(struct pol_state *st, const struct lay_limit *l,
			    uint32_t at, int64_t *oldest)
{
	int64_t s = sub_ns(l), now = st->now.mono.ns;
	int64_t sub = floor_div(now, s), newest = (int64_t)st->w[at] - 1;
	int64_t from;

	*oldest = floor_div(now - l->window_ns, s);
	if (*oldest < sub - SUBS)
		*oldest = sub - SUBS;
	if (*oldest < 0)
		*oldest = 0;
	if (newest < 0 || newest > sub)
		newest = newest < 0 ? sub : newest;
	for (from = newest + 1; from <= sub && from <= newest + RING; from++)
		ring_drop(st, at, from);
	for (from = sub > SUBS ? sub - SUBS : 0; from < *oldest; from++)
		ring_drop(st, at, from);
	if (sub > newest)
		newest = sub;
	st_put(st, at, (uint64_t)newest + 1);
	return newest;
}

static bool sliding(struct pol_state *st, const struct lay_limit *l,
		    uint32_t at, uint64_t amount, int64_t *wait)
{
	int64_t oldest, sub = sliding_roll(st, l, at, &oldest);
	uint64_t sum = st->w[at + 1];

	if (amount <= l->n && sum <= l->n - amount) {
		ring_put(st, at, sub, ring_get(st, at, sub) + (uint32_t)amount);
		st_put(st, at + 1, sum + amount);
		return true;
	}
	*wait = -1;
	for (int64_t i = oldest; amount <= l->n && i <= sub; i++) {
		sum -= ring_get(st, at, i);
		if (sum <= l->n - amount) {
			*wait = (i + 1) * sub_ns(l) + l->window_ns -
				st->now.mono.ns;
			break;
		}
	}
	return false;
}

/* --- spacing and buckets ------------------------------------------------- */

static bool spacing(struct pol_state *st, const struct lay_limit *l,
		    uint32_t at, int64_t *wait)
{
	int64_t since = st->now.mono.ns - (int64_t)st->w[at];

	if (st->w[at + 1] && since < l->window_ns) {
		*wait = l->window_ns - since;
		return false;
	}
	st_put(st, at, (uint64_t)st->now.mono.ns);
	st_put(st, at + 1, 1);
	return true;
}

typedef unsigned __int128 u128;

/* k units in time: up, so that the long-run rate is never exceeded. */
static u128 units_ns(const struct lay_limit *l, uint64_t k)
{
	return ((u128)k * (uint64_t)l->window_ns + l->n - 1) / l->n;
}

static bool bucket(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		   uint64_t amount, int64_t *wait)
{
	int64_t now = st->now.mono.ns;
	int64_t tat = st->w[at + 1] ? (int64_t)st->w[at] : now;
	u128 room = (u128)l->burst * (uint64_t)l->window_ns / l->n;
	u128 ahead = tat > now ? (u128)(tat - now) : 0;
	u128 need = units_ns(l, amount);

	if (amount > l->burst || ahead + need > room) {
		u128 over = ahead + need - room;

		*wait = amount > l->burst || over > INT64_MAX ? -1
							      : (int64_t)over;
		return false;
	}
	if (ahead + need > (u128)(INT64_MAX - now)) {
		*wait = -1;
		return false;
	}
	st_put(st, at, (uint64_t)(now + (int64_t)(ahead + need)));
	st_put(st, at + 1, 1);
	return true;
}

/* --- sets ---------------------------------------------------------------- */

static bool distinct(struct pol_state *st, const struct lay_limit *l,
		     uint32_t at, uint64_t hash, int64_t *wait)
{
	bool slides = l->window == WINDOW_SLIDING;
	bool again = !slides && calendar_roll(st, l, at);
	int64_t now = st->now.mono.ns, first = INT64_MAX;
	uint32_t free_at = 0;

	hash |= 1; /* 0 is an empty place */
	for (uint32_t i = 0; i < l->n; i++) {
		uint32_t w = at + SLOTS_AT + 2 * i;
		int64_t seen = (int64_t)st->w[w + 1];

		if (again || (slides && now - seen >= l->window_ns))
			st_put(st, w, 0);
		if (st->w[w] == hash) {
			st_put(st, w + 1, (uint64_t)now);
			free_at = w;
			break;
		}
		if (st->w[w] == 0 && !free_at)
			free_at = w;
		if (seen < first)
			first = seen;
	}
	if (!free_at) {
		*wait = l->n == 0 ? -1
			: slides  ? first + l->window_ns - now
				  : calendar_wait(st, l, at);
		return false;
	}
	st_put(st, free_at, hash);
	st_put(st, free_at + 1, (uint64_t)now);
	return true;
}

static bool concurrent(struct pol_state *st, const struct lay_limit *l,
		       uint32_t at, uint64_t flow, int64_t *wait)
{
	*wait = -1;
	for (uint32_t i = 0; i < l->n; i++) {
		if (st->w[at + i] == 0 || st->w[at + i] == flow + 1) {
			st_put(st, at + i, flow + 1);
			return true;
		}
	}
	return false;
}

void limit_release(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		   uint64_t flow)
{
	for (uint32_t i = 0; l->kind == LIMIT_CONCURRENT && i < l->n; i++) {
		if (st->w[at + i] == flow + 1)
			st_put_final(st, at + i, 0);
	}
}

bool limit_charge(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		  uint64_t amount, uint64_t hash, int64_t *wait)
{
	*wait = -1;
	switch (l->kind) {
	case LIMIT_CALENDAR:
		return calendar(st, l, at, amount, wait);
	case LIMIT_SLIDING:
		return sliding(st, l, at, amount, wait);
	case LIMIT_BUCKET:
		return bucket(st, l, at, amount, wait);
	case LIMIT_SPACING:
		return spacing(st, l, at, wait);
	case LIMIT_DISTINCT:
		return distinct(st, l, at, hash, wait);
	case LIMIT_CONCURRENT:
		return concurrent(st, l, at, hash, wait);
	default:
		return false;
	}
}

uint64_t limit_used(const struct pol_state *st, const struct lay_limit *l,
		    uint32_t at)
{
	uint64_t n = 0;
	int64_t ahead;

	switch (l->kind) {
	case LIMIT_CALENDAR:
	case LIMIT_SLIDING:
		return st->w[at + 1];
	case LIMIT_BUCKET:
		ahead = (int64_t)st->w[at] - st->now.mono.ns;
		if (!st->w[at + 1] || ahead <= 0)
			return 0;
		return (uint64_t)(((u128)(uint64_t)ahead * l->n +
				   (uint64_t)l->window_ns - 1) /
				  (uint64_t)l->window_ns);
	case LIMIT_DISTINCT:
		for (uint32_t i = 0; i < l->n; i++)
			n += st->w[at + SLOTS_AT + 2 * i] != 0;
		return n;
	case LIMIT_CONCURRENT:
		for (uint32_t i = 0; i < l->n; i++)
			n += st->w[at + i] != 0;
		return n;
	default:
		return st->w[at + 1];
	}
}

/* --- counters that come from elsewhere ----------------------------------- */

#define MANY (UINT64_C(1) << 53) /* as image/load.c */

/* Could an image hold such a limit? As image/load.c asks. */
bool limit_sane(const struct lay_limit *l)
{
	bool windowed = l->kind == LIMIT_SLIDING || l->kind == LIMIT_BUCKET ||
			l->kind == LIMIT_SPACING || l->window == WINDOW_SLIDING;

	if (l->kind > LIMIT_CONCURRENT || l->thing > THING_BYTES ||
	    l->window > WINDOW_SLIDING || l->n > MANY || l->burst > MANY ||
	    l->window_ns < 0 || l->window_ns > INT64_MAX / 4 ||
	    (windowed && l->window_ns == 0))
		return false;
	switch (l->kind) {
	case LIMIT_CALENDAR:
		return l->window >= WINDOW_HOUR && l->window <= WINDOW_YEAR;
	case LIMIT_SLIDING:
		return l->n <= UINT32_MAX;
	case LIMIT_BUCKET:
		return l->n > 0 && l->burst > 0;
	case LIMIT_DISTINCT:
		return l->n <= 64 && l->window != WINDOW_NONE;
	case LIMIT_CONCURRENT:
		return l->n <= 4096;
	default:
		return true;
	}
}

/* Window numbers stay where the arithmetic of dates is sure: some thousands
 * of years around 1970. */
static bool window_sane(const struct lay_limit *l, uint64_t word)
{
	static const int64_t most[] = {
		[WINDOW_HOUR] = 80000000, [WINDOW_DAY] = 4000000,
		[WINDOW_WEEK] = 500000,	  [WINDOW_MONTH] = 120000,
		[WINDOW_BILLING] = 120000, [WINDOW_YEAR] = 10000};
	int64_t no = (int64_t)(word - (uint64_t)BIAS);

	return l->window >= WINDOW_HOUR && l->window <= WINDOW_YEAR &&
	       no >= -most[l->window] && no <= most[l->window];
}

static uint64_t ring_sum(const uint64_t *w)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < RING; i++)
		sum += (uint32_t)(w[RING_AT + i / 2] >> (i % 2 * 32));
	return sum;
}

static uint64_t bucket_room(const struct lay_limit *l)
{
	u128 room = (u128)l->burst * (uint64_t)l->window_ns / l->n;

	return room > INT64_MAX / 4 ? INT64_MAX / 4 : (uint64_t)room;
}

static bool distinct_sane(const struct lay_limit *l, const uint64_t *w,
			  uint64_t now)
{
	if (l->window != WINDOW_SLIDING && w[0] && !window_sane(l, w[0]))
		return false;
	for (uint32_t i = 0; i < l->n; i++) {
		if (w[SLOTS_AT + 2 * i + 1] > now)
			return false;
	}
	return w[2] <= now;
}

/* Can these words have been written by the functions above until now, killed
 * at any store? */
bool limit_possible(const struct lay_limit *l, const uint64_t *w, int64_t ns)
{
	uint64_t now = (uint64_t)ns;

	switch (l->kind) {
	case LIMIT_CALENDAR:
		return w[1] <= l->n && w[2] <= now &&
		       (w[0] ? window_sane(l, w[0]) : w[1] == 0);
	case LIMIT_SLIDING:
		return w[0] <= now / (uint64_t)sub_ns(l) + 1 &&
		       ring_sum(w) <= (w[0] ? l->n : 0);
	case LIMIT_BUCKET:
		return w[1] <= 1 && w[0] <= now + bucket_room(l) + 1;
	case LIMIT_SPACING:
		return w[1] <= 1 && w[0] <= now;
	case LIMIT_DISTINCT:
		return distinct_sane(l, w, now);
	default:
		return true; /* connections: any number names one */
	}
}

/* What a killed writer may have left half done and is known better. */
void limit_mend(const struct lay_limit *l, uint64_t *w)
{
	if (l->kind == LIMIT_SLIDING)
		w[1] = ring_sum(w);
	/* The connections died with the process that judged them. */
	for (uint32_t i = 0; l->kind == LIMIT_CONCURRENT && i < l->n; i++)
		w[i] = 0;
}

static void fill_window(const struct pol_state *st, const struct lay_limit *l,
			uint64_t *w)
{
	enum pol_window win = (enum pol_window)l->window;

	if (win == WINDOW_SLIDING)
		return;
	w[0] = (uint64_t)(window_no(st, win, std_s(st)) + BIAS);
	w[2] = (uint64_t)st->now.mono.ns;
}

/* Make at least amount of it used in the window of now. */
void limit_fill(const struct pol_state *st, const struct lay_limit *l,
		uint64_t *w, uint64_t amount)
{
	uint64_t now = (uint64_t)st->now.mono.ns, room;
	uint64_t sub;

	switch (l->kind) {
	case LIMIT_CALENDAR:
		fill_window(st, l, w);
		w[1] = amount < l->n ? amount : l->n;
		break;
	case LIMIT_SLIDING:
		sub = now / (uint64_t)sub_ns(l);
		amount = amount < l->n ? amount : l->n;
		memset(w, 0, limit_words(l) * sizeof(*w));
		w[0] = sub + 1;
		w[1] = amount;
		w[RING_AT + sub % RING / 2] = amount << (sub % RING % 2 * 32);
		break;
	case LIMIT_BUCKET:
		room = bucket_room(l);
		if (amount < l->burst && units_ns(l, amount) < room)
			room = (uint64_t)units_ns(l, amount);
		w[0] = now + room;
		w[1] = 1;
		break;
	case LIMIT_SPACING:
		w[0] = now;
		w[1] = amount > 0;
		break;
	case LIMIT_DISTINCT:
		fill_window(st, l, w);
		for (uint32_t i = 0; i < l->n && i < amount; i++) {
			/* of no value: 0 is never hashed to */
			w[SLOTS_AT + 2 * i] = (uint64_t)(i + 1) << 1;
			w[SLOTS_AT + 2 * i + 1] = now;
		}
		break;
	default: /* connections are gone, whoever had them */
		break;
	}
}

/* --- as it stands, without touching it ----------------------------------- */

static uint64_t sliding_now(const struct pol_state *st,
			    const struct lay_limit *l, uint32_t at,
			    int64_t *wait)
{
	int64_t s = sub_ns(l), now = st->now.mono.ns;
	int64_t newest = (int64_t)st->w[at] - 1, used = 0, left;
	int64_t oldest = floor_div(now - l->window_ns, s);

	if (oldest < newest - SUBS)
		oldest = newest - SUBS;
	if (oldest < 0)
		oldest = 0;
	for (int64_t i = oldest; i <= newest; i++)
		used += ring_get(st, at, i);
	left = used;
	for (int64_t i = oldest; left >= (int64_t)l->n && i <= newest; i++) {
		left -= ring_get(st, at, i);
		*wait = (i + 1) * s + l->window_ns - now;
	}
	return (uint64_t)used;
}

static uint64_t distinct_now(const struct pol_state *st,
			     const struct lay_limit *l, uint32_t at,
			     int64_t *wait)
{
	bool slides = l->window == WINDOW_SLIDING;
	int64_t first = INT64_MAX, now = st->now.mono.ns;
	uint64_t n = 0;

	if (!slides && calendar_due(st, l, at))
		return 0;
	for (uint32_t i = 0; i < l->n; i++) {
		uint32_t w = at + SLOTS_AT + 2 * i;
		int64_t seen = (int64_t)st->w[w + 1];

		if (!st->w[w] || (slides && now - seen >= l->window_ns))
			continue;
		n++;
		if (seen < first)
			first = seen;
	}
	if (n == l->n)
		*wait = n == 0 ? -1
			: slides ? first + l->window_ns - now
				 : calendar_wait(st, l, at);
	return n;
}

/* Used of how many; *wait until one more has room: 0 now, -1 unknown. */
uint64_t limit_now(const struct pol_state *st, const struct lay_limit *l,
		   uint32_t at, uint64_t *of, int64_t *wait)
{
	uint64_t used = limit_used(st, l, at);
	int64_t since;

	*wait = 0;
	*of = l->kind == LIMIT_BUCKET ? l->burst : l->n;
	switch (l->kind) {
	case LIMIT_CALENDAR:
		if (calendar_due(st, l, at))
			used = 0;
		if (used >= l->n)
			*wait = l->n ? calendar_wait(st, l, at) : -1;
		break;
	case LIMIT_SLIDING:
		used = sliding_now(st, l, at, wait);
		if (l->n == 0)
			*wait = -1;
		break;
	case LIMIT_BUCKET: {
		u128 ahead = used ? (u128)(st->w[at] -
					   (uint64_t)st->now.mono.ns)
				  : 0;
		u128 need = ahead + units_ns(l, 1);

		if (need > bucket_room(l))
			*wait = (int64_t)(need - bucket_room(l));
		break;
	}
	case LIMIT_SPACING:
		since = st->now.mono.ns - (int64_t)st->w[at];
		used = st->w[at + 1] && since < l->window_ns;
		*of = 1;
		*wait = used ? l->window_ns - since : 0;
		break;
	case LIMIT_DISTINCT:
		used = distinct_now(st, l, at, wait);
		break;
	default:
		*wait = used >= l->n ? -1 : 0;
		break;
	}
	return used;
}

/* --- other numbers -------------------------------------------------------- */

static void move_sliding(const struct lay_limit *to, uint64_t *w)
{
	uint64_t newest = w[0], sum = ring_sum(w);

	/* More than there may be now: the oldest counts go first, which frees
	 * nothing. */
	for (uint64_t i = 0; newest && sum > to->n && i < RING; i++) {
		uint64_t at = (newest + i) % RING; /* newest - 1 + RING - 60 */
		uint64_t *r = &w[RING_AT + at / 2];
		uint64_t have = (uint32_t)(*r >> (at % 2 * 32));
		uint64_t cut = sum - to->n < have ? sum - to->n : have;

		*r -= cut << (at % 2 * 32);
		sum -= cut;
	}
	w[1] = sum;
}

static void move_distinct(const struct lay_limit *to, uint64_t *w,
			  const struct lay_limit *from, const uint64_t *old)
{
	uint32_t n = 0;

	memcpy(w, old, SLOTS_AT * sizeof(*w));
	for (uint32_t i = 0; i < from->n && n < to->n; i++) {
		if (!old[SLOTS_AT + 2 * i])
			continue;
		w[SLOTS_AT + 2 * n] = old[SLOTS_AT + 2 * i];
		w[SLOTS_AT + 2 * n + 1] = old[SLOTS_AT + 2 * i + 1];
		n++;
	}
}

/* The connections of old join those in w, as far as there is room. */
void limit_join(const struct lay_limit *to, uint64_t *w,
		const struct lay_limit *from, const uint64_t *old)
{
	for (uint32_t i = 0; i < from->n; i++) {
		for (uint32_t k = 0; old[i] && k < to->n; k++) {
			if (w[k] == 0)
				w[k] = old[i];
			if (w[k] == old[i])
				break;
		}
	}
}

/* What was counted under one number goes on under another; the rest of the
 * limit is the same. */
void limit_move(const struct pol_state *st, const struct lay_limit *to,
		uint64_t *w, const struct lay_limit *from, const uint64_t *old)
{
	int64_t now = st->now.mono.ns, ahead = (int64_t)old[0] - now;

	if (to->n == from->n && to->burst == from->burst) {
		memcpy(w, old, limit_words(to) * sizeof(*w));
		return;
	}
	switch (to->kind) {
	case LIMIT_CALENDAR:
		memcpy(w, old, limit_words(to) * sizeof(*w));
		if (w[1] > to->n)
			w[1] = to->n;
		break;
	case LIMIT_SLIDING:
		memcpy(w, old, limit_words(to) * sizeof(*w));
		move_sliding(to, w);
		break;
	case LIMIT_BUCKET:
		if (old[1] && ahead > 0)
			limit_fill(st, to, w,
				   (uint64_t)(((u128)(uint64_t)ahead *
						       from->n +
					       (uint64_t)from->window_ns - 1) /
					      (uint64_t)from->window_ns));
		break;
	case LIMIT_DISTINCT:
		move_distinct(to, w, from, old);
		break;
	case LIMIT_CONCURRENT:
		limit_join(to, w, from, old);
		break;
	default: /* spacing has no number but its window */
		memcpy(w, old, limit_words(to) * sizeof(*w));
		break;
	}
}
