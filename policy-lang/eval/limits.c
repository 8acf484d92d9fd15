/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters (policy-language section 11). Each function is given the words of
 * one counter; what it changes goes through st_put, so that it can be undone.
 * counters.h says what they mean.
 */
#include "policy-lang/eval/counters.h"

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

/* --- calendar windows ----------------------------------------------------- */

/* The window to enter; 0: still in it. */
static int64_t entering(const struct pol_state *st, const struct lay_limit *l,
			uint32_t at)
{
	return calendar_stays(st, (enum pol_window)l->window,
			      (int64_t)st->w[at])
		       ? 0
		       : calendar_due(st, l, at);
}

/* Enter it. Returns true when the count starts again. */
static bool calendar_roll(struct pol_state *st, const struct lay_limit *l,
			  uint32_t at)
{
	int64_t no = entering(st, l, at), now = st->now.mono.ns;

	if (!no)
		return false;
	/* In this order: whoever is killed in between has waited longer. */
	st_put(st, at + 2, (uint64_t)now);
	st_put(st, at, (uint64_t)no);
	return true;
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

static void ring_put(struct pol_state *st, uint32_t at, int64_t sub, uint32_t v)
{
	uint32_t i = (uint32_t)(sub % RING);
	uint64_t w = st->w[at + RING_AT + i / 2];

	w &= ~(UINT64_C(0xffffffff) << (i % 2 * 32));
	st_put(st, at + RING_AT + i / 2, w | (uint64_t)v << (i % 2 * 32));
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

static bool bucket(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		   uint64_t amount, int64_t *wait)
{
	int64_t now = st->now.mono.ns;
	int64_t tat = st->w[at + 1] ? (int64_t)st->w[at] : now;
	u128 room = burst_ns(l);
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

/* --- for the owner (grant.c) --------------------------------------------- */

/* What n units charged a moment ago will have left if they are spent only at
 * `last`, when the bucket may have drained without them. */
void limit_delay(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		 int64_t last, uint64_t n)
{
	u128 most = (u128)(uint64_t)last + units_ns(l, n);

	if (most > st->w[at] && most < INT64_MAX)
		st_put(st, at, (uint64_t)most);
}

/* So much of what was charged in that part of a window was not used. */
void limit_unslide(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		   int64_t sub, uint64_t n)
{
	int64_t oldest, newest = sliding_roll(st, l, at, &oldest);
	uint32_t have;

	if (sub < oldest || sub > newest)
		return;
	have = ring_get(st, at, sub);
	n = n < have ? n : have;
	ring_put(st, at, sub, have - (uint32_t)n);
	st_put(st, at + 1, st->w[at + 1] - n);
}

/* Machine has n places in all, if there is room for so many. */
bool limit_places(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		  uint32_t machine, uint64_t n)
{
	uint64_t tag = PLACE | machine, mine = 0, free = 0;

	for (uint32_t i = 0; i < l->n; i++) {
		mine += st->w[at + i] == tag;
		free += st->w[at + i] == 0;
	}
	if (n > mine + free)
		return false;
	for (uint32_t i = 0; mine != n; i++) {
		if (mine < n && st->w[at + i] == 0) {
			st_put(st, at + i, tag);
			mine++;
		} else if (mine > n && st->w[at + i] == tag) {
			st_put(st, at + i, 0);
			mine--;
		}
	}
	return true;
}

/* --- sets ---------------------------------------------------------------- */

/* The word of that value in a set; 0: it is not there. */
static uint32_t slot_of(const struct pol_state *st, const struct lay_limit *l,
			uint32_t at, uint64_t hash)
{
	for (uint32_t i = 0; i < l->n; i++) {
		if (st->w[at + SLOTS_AT + 2 * i] == (hash | 1))
			return at + SLOTS_AT + 2 * i;
	}
	return 0;
}

/* Would it take no place? For the owner, as the next two. */
bool limit_knows(const struct pol_state *st, const struct lay_limit *l,
		 uint32_t at, uint64_t hash)
{
	uint32_t w = slot_of(st, l, at, hash);

	if (!w)
		return false;
	if (l->window == WINDOW_SLIDING)
		return st->now.mono.ns - (int64_t)st->w[w + 1] < l->window_ns;
	return !calendar_due(st, l, at);
}

/* Somebody may use it until LEASE_NS from now. */
void limit_lease(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		 uint64_t hash)
{
	uint32_t w = slot_of(st, l, at, hash);

	if (w && l->window == WINDOW_SLIDING)
		st_put(st, w + 1, (uint64_t)(st->now.mono.ns + LEASE_NS));
}

void limit_forget(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		  uint64_t hash)
{
	uint32_t w = slot_of(st, l, at, hash);

	if (w)
		st_put(st, w, 0);
}

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
	uint32_t place = (uint32_t)l->n;

	*wait = -1;
	for (uint32_t i = 0; i < l->n; i++) {
		if (st->w[at + i] == flow + 1)
			return true; /* it has one */
		if (st->w[at + i] == 0 && place == l->n)
			place = i;
	}
	if (place == l->n)
		return false;
	st_put(st, at + place, flow + 1);
	return true;
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

bool limit_room(struct pol_state *st, const struct lay_limit *l, uint32_t at,
		uint64_t amount, uint64_t hash, int64_t *wait)
{
	uint32_t mark = st->live->n_undo;
	bool room;

	/* The common case, which need not be taken back. */
	if (l->kind == LIMIT_CALENDAR && amount <= l->n &&
	    (st->w[at + 1] <= l->n - amount || entering(st, l, at)))
		return true;
	room = limit_charge(st, l, at, amount, hash, wait);
	st_undo(st, mark);
	return room;
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
