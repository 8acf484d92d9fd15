/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters that come from elsewhere: from a process that was killed, from
 * another set, from whoever wrote there; and how any stands, untouched.
 */
#include "policy-lang/eval/ledger.h"

/* --- counters that come from elsewhere ----------------------------------- */

#define MANY (UINT64_C(1) << 53) /* as image/load_rows.c */

/* Could an image hold such a limit? As image/load_rows.c asks. */
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
	u128 room = burst_ns(l);

	return room > INT64_MAX / 4 ? INT64_MAX / 4 : (uint64_t)room;
}

/* How long a full one takes to be empty. */
int64_t limit_drain(const struct lay_limit *l)
{
	return (int64_t)bucket_room(l);
}

/* An owner's values were seen when the last of them may be used (limit_lease). */
static bool distinct_sane(const struct lay_limit *l, const uint64_t *w,
			  uint64_t now)
{
	if (l->window != WINDOW_SLIDING && w[0] && !window_sane(l, w[0]))
		return false;
	for (uint32_t i = 0; i < l->n; i++) {
		if (w[SLOTS_AT + 2 * i + 1] > now + LEASE_NS)
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
	/* The connections died with the process that judged them. Places that
	 * an owner gave are others', who say when they are free. */
	for (uint32_t i = 0; l->kind == LIMIT_CONCURRENT && i < l->n; i++) {
		if (!(w[i] & PLACE))
			w[i] = 0;
	}
}

static void fill_window(const struct pol_state *st, const struct lay_limit *l,
			uint64_t *w)
{
	const uint64_t *known;

	if (l->window == WINDOW_SLIDING)
		return;
	known = st->w + ledger_window_at(st, l->window);
	/* It was entered when the ledger entered it: an untrusted clock could
	 * hold a counter that begins late in a window that is over. */
	w[0] = (uint64_t)ledger_window(st, l);
	w[2] = known[0] ? known[LG_ENTERED] : (uint64_t)st->now.mono.ns;
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

static uint32_t count(const uint64_t *w, uint64_t n, uint64_t v)
{
	uint32_t k = 0;

	for (uint64_t i = 0; i < n; i++)
		k += w[i] == v;
	return k;
}

/* The connections of old join those in w, as far as there is room; of a
 * machine's places as many as there are in either. */
void limit_join(const struct lay_limit *to, uint64_t *w,
		const struct lay_limit *from, const uint64_t *old)
{
	for (uint32_t i = 0; i < from->n; i++) {
		if (!old[i] || count(w, to->n, old[i]) >=
				       count(old, i + 1, old[i]))
			continue;
		for (uint32_t k = 0; k < to->n; k++) {
			if (w[k] == 0) {
				w[k] = old[i];
				break;
			}
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
