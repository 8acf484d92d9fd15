/* SPDX-License-Identifier: Apache-2.0 */
/* What was said of one object, as an observation. */
#include "dissectors/obix/state.h"

/* All values are zero: multiples of whatever a rule may name. */
#define STEP_OF_ZERO UINT64_C(362880000000000000)

void item_reset(struct item *it)
{
	it->meas = 0;
	it->values = it->records = it->notes = it->channels = 0;
	it->readings = it->entries = it->most = it->commands = 0;
	it->plain = it->waits = false;
	it->points = 0;
	memset(it->same, 0, sizeof(it->same));
	it->sized = it->unsized = it->fine = it->hidden = false;
	it->stamped = it->unstamped = false;
	it->unit = (struct span){0};
	it->units = false;
	it->echo = it->echo_last = 0;
}

static void state_sizes(struct obs *o, const struct item *it)
{
	if (!it->sized || it->unsized)
		return;
	obs_u64(o, F_RES_UNIT, it->base);
	if (!it->fine)
		obs_u64(o, F_RES_STEP, it->step ? it->step : STEP_OF_ZERO);
	obs_i64(o, F_VALUE_MIN, it->lo);
	obs_i64(o, F_VALUE_MAX, it->hi);
}

static int64_t floor_s(int64_t ms)
{
	return ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
}

/* The length that one value of a series stands for, 0: not known. What was
 * learnt of other answers says nothing of one that shows no interval: a single
 * record that is read often is as fine as it is read. */
static uint32_t interval_of(const struct reader *r, const struct item *it)
{
	const struct doc *d = r->d;
	const struct learnt *l = learnt_find(r->m, it->object);
	uint32_t before = l ? l->interval_s : 0;
	uint32_t shares = d->shares ? d->shares : 1;
	int64_t gap_s = d->gap_ms / 1000; /* no coarser than it is */

	/* Neighbours in the document are none in time, or there are readings
	 * between the records. */
	if ((d->up && d->down) || d->shares > CHANNELS || !d->has_gap ||
	    it->unstamped || it->records == 0)
		return 0;
	if (gap_s > INT32_MAX)
		gap_s = INT32_MAX;
	if (it->op == OP_HISTORY_ROLLUP && it->interval_s) {
		if (it->interval_s < gap_s)
			gap_s = it->interval_s;
		/* What shows single readings is as fine as those are. */
		if (d->single)
			gap_s = before < gap_s ? before : 0;
	}
	return (uint32_t)gap_s / shares;
}

/* What was asked for cuts windows, and so does the present moment: what is in
 * the first and the last of them is told of less than they say. */
static uint32_t cut_at(const struct reader *r, const struct item *it)
{
	struct obix_bounds b = it->asked ? it->bounds : r->c->ask->bounds;
	struct wall now = r->c->dis->now.wall;
	uint32_t grid = UINT32_MAX, at;

	if (b.has_start && b.start < it->newest) {
		at = record_grid(r, b.start);
		grid = at < grid ? at : grid;
	}
	if (b.has_end && b.end < it->newest) {
		at = record_grid(r, b.end);
		grid = at < grid ? at : grid;
	}
	return now.trusted && it->newest / 1000 > wall_s(now) ? 0 : grid;
}

/* No coarser than the grid that they lie on. */
static uint32_t on_grid(const struct reader *r, const struct item *it,
			uint32_t g)
{
	uint32_t cut;

	if (!g || !r->d->has_grid)
		return g;
	cut = cut_at(r, it);
	g = r->d->grid_s < g ? r->d->grid_s : g;
	return cut < g ? cut : g;
}

static void state_times(const struct reader *r, struct obs *o,
			const struct item *it)
{
	uint32_t g = r->d->series || it->records ? interval_of(r, it) : 0;
	uint32_t shown = on_grid(r, it, g);
	int64_t from, to;

	if (shown)
		obs_u64(o, F_GRANULARITY, shown);
	/* How many alarms wait, and no more, is so now. */
	if (it->waits && it->values == 1 && !it->stamped && !r->d->request) {
		from = wall_s(r->c->dis->now.wall);
		obs_i64(o, F_OLDEST, from);
		obs_i64(o, F_NEWEST, from);
		obs_u64(o, F_SPAN_S, 0);
	}
	if (!it->stamped || it->unstamped)
		return;
	/* A stamp is the end of what its value covers. */
	from = floor_s(it->oldest) - g;
	to = floor_s(it->newest);
	obs_i64(o, F_OLDEST, from);
	obs_i64(o, F_NEWEST, to);
	obs_u64(o, F_SPAN_S, (uint64_t)(to - from));
}

/* What a filter asks for. */
static void state_filter(struct obs *o, const struct item *it)
{
	if (it->interval_s)
		obs_u64(o, F_GRANULARITY, it->interval_s);
	if (it->has_limit)
		obs_u64(o, F_COUNT, it->limit);
	if (it->has_start)
		obs_i64(o, F_OLDEST, floor_s(it->start));
	if (it->has_end)
		obs_i64(o, F_NEWEST, floor_s(it->end));
	if (it->has_start && it->has_end && it->end >= it->start)
		obs_u64(o, F_SPAN_S,
			(uint64_t)(floor_s(it->end) - floor_s(it->start)));
}

/* Nothing but what was written: as many values, in the same order under the same
 * names. Alone one may have another, and a unit: a point's. */
static bool is_echo(const struct reader *r, const struct item *it)
{
	const struct obix_ask *ask = r->c->ask;
	uint32_t written = it->asked ? it->written : ask->written;
	uint64_t echo = it->asked ? it->was_written : ask->echo;

	if (r->d->request || it->values == 0 || it->records ||
	    (it->op != OP_WRITE && it->op != OP_SIGNUP))
		return false;
	return written == it->values && echo && item_echo(it) == echo;
}

/* A value of unknown type that a Watch gives is one of what was added, where
 * that is known to be measured. */
static meas_set of_watch(const struct reader *r, const struct item *it)
{
	const meas_set bit = MEAS_BIT(MEAS_UNKNOWN_TABLE);
	const struct watch *w;

	if (it->op != OP_WATCH_POLL || !(it->meas & bit) || it->hidden)
		return it->meas;
	w = watch_find(r->m, it->watch);
	return w && w->meas & ~MEAS_ABOUT ? (it->meas & ~bit) | w->meas
					  : it->meas;
}

static struct span kept(const struct reader *r, const uint8_t *p, size_t n)
{
	return arena_copy(r->c->dis->arena, span_of(p, n));
}

/* Intervals or snapshots: records, entries of lists, or one object as it is,
 * unless it holds a list in all but name. A few points with hrefs of their own
 * are as they are now, listed or not; but each command is one. */
static uint32_t readings_of(const struct item *it)
{
	uint32_t room = it->plain ? CHANNELS : POINTS;
	uint32_t more = it->most > room ? it->most : 0;
	uint32_t entries = it->entries ? it->entries + it->points : 0;
	uint32_t n = it->readings + (entries > more ? entries : more);

	n = it->commands > n ? it->commands : n;
	return n ? n : 1;
}

/* As if the objects of a batch, and what a Watch gives, were children of one
 * list: a few are as they are now, where an answer tells each of them once.
 * More, one told again, and all that is sent to be done, count with those in
 * front that tell of the same. */
static uint32_t together(struct reader *r, const struct item *it)
{
	meas_set meas = meas_moments(of_watch(r, it));
	uint32_t n = readings_of(it), all = n, others = 0;
	bool again = r->d->request;

	if (!meas)
		return n;
	for (uint32_t i = 0; i < r->told_n; i++) {
		if (!(r->told[i].meas & meas))
			continue;
		again |= key_eq(r->told[i].object, it->object);
		all += r->told[i].readings;
		others++;
	}
	if (r->told_n == TOLD) { /* nobody can say which they were */
		r->told[TOLD - 1].meas |= meas;
		r->told[TOLD - 1].readings += n;
		return all;
	}
	r->told[r->told_n].object = it->object;
	r->told[r->told_n].meas = meas;
	r->told[r->told_n++].readings = n;
	return again || others >= POINTS ? all : n;
}

/* --- what says nothing --- */

/* Of all quiet units of a document: closing tags, white space, and what tells of
 * the records that were shown. */
#define QUIET_OCTETS   4096
#define QUIET_TEXT     56
#define QUIET_ELEMENTS 8

struct quiet leaf_quiet(const struct reader *r)
{
	const struct doc *d = r->d;

	return (struct quiet){d->quiet.octets + r->octets,
			      d->quiet.text + r->text.octets + r->apart,
			      d->quiet.elements + d->ordinal - r->before};
}

/* Where a document is cut says nothing: the rest of an object may be in a unit
 * of its own. It says no more than the units in front of it, which had to be
 * granted. More of that than a document ends with is something said. */
static bool is_quiet(const struct reader *r, const struct item *it)
{
	struct quiet q = leaf_quiet(r);

	return !r->c->first && it->shown && !it->meas && !it->values &&
	       !it->notes && q.octets <= QUIET_OCTETS && q.text <= QUIET_TEXT &&
	       q.elements <= QUIET_ELEMENTS;
}

static int one(struct reader *r, const struct item *it, enum obs_kind kind,
	       unsigned reading, uint32_t readings)
{
	struct span href =
		href_identity(span_of(it->href[reading], it->href_n[reading]));
	struct span path = kept(r, href.p, href.n);
	struct span is = kept(r, it->is, it->is_n);
	struct obs *o = obs_add(r->out, kind);
	bool echo = is_echo(r, it);

	if (!o || path.n != href.n || is.n != it->is_n)
		return err_reason(r->e, E_LIMIT, REASON_TOO_MANY_UNITS, 0,
				  "more objects than there is room for");
	r->leaves++;
	if (path.n)
		obs_span(o, F_HREF, path);
	if (path.n < it->href_n[reading])
		obs_flag(o, F_SLASH);
	for (size_t at = 0, n; at < is.n; at += n + 1) {
		for (n = 0; at + n < is.n && is.p[at + n] != ' '; n++)
			;
		obs_span(o, F_IS, span_sub(is, at, n));
	}
	if (r->d->request && it->asks_for)
		obs_u64(o, F_ASKS_FOR, it->asks_for);
	if (it->notes || r->d->odd)
		obs_u64(o, F_NOTE, REASON_REPORTED);
	if (echo)
		obs_flag(o, F_ECHO);
	if (r->d->request && op_queries((enum obix_op)it->op))
		state_filter(o, it);
	if (it->fails && !it->meas && !it->values)
		obs_flag(o, F_ERR);
	if (is_quiet(r, it)) {
		obs_flag(o, F_CONTINUES);
		r->quiet = true;
	}
	if (echo || !it->meas)
		return 0;
	obs_u64(o, F_MEASUREMENT, of_watch(r, it));
	/* What only says what it is about is no reading. */
	if (!(it->meas & ~MEAS_ABOUT))
		return 0;
	obs_u64(o, F_READINGS, readings);
	if (it->values)
		obs_u64(o, F_VALUES, it->values);
	if (it->values)
		obs_u64(o, F_CHANNELS,
			it->channels ? it->channels : it->values);
	if (it->unit.n && !it->units)
		obs_span(o, F_OBIX_UNIT, it->unit);
	if (!(r->d->request && op_queries((enum obix_op)it->op)))
		state_times(r, o, it);
	state_sizes(o, it);
	return 0;
}

/* What an answer shows of an object is remembered of it. */
static void teach(struct reader *r, const struct item *it)
{
	struct obix_key key = it->object;
	struct learnt *l;
	struct watch *w;

	if (!r->d->request && it->meas && key_set(key)) {
		l = learnt_stage(r->m, key);
		if (l)
			l->meas |= it->meas;
		if (l && it->op == OP_HISTORY_QUERY && r->d->has_gap)
			l->interval_s = interval_of(r, it);
	}
	if (it->op != OP_WATCH_ADD || !key_set(it->watch))
		return;
	w = watch_stage(r->m, it->watch, false);
	if (w)
		w->meas |= r->d->request ? it->asks_for : it->meas;
}

int leaf_give(struct reader *r, struct item *it)
{
	enum obix_op ops[2] = {(enum obix_op)it->op, OP_NONE};
	uint32_t readings = is_echo(r, it) ? 0 : together(r, it);
	int rc = 0;

	if (it == &r->d->rest)
		ops[1] = (enum obix_op)r->d->op2;
	for (unsigned i = 0; rc == 0 && i < 4; i++) {
		enum obix_op op = ops[i / 2];

		if (op == OP_NONE || (i % 2 && it->href_n[1] == 0))
			continue;
		rc = one(r, it,
			 r->d->request ? obix_request_kind(op)
				       : obix_response_kind(op),
			 i % 2, readings);
	}
	if (rc)
		return rc;
	teach(r, it);
	it->shown = true;
	item_reset(it);
	return 0;
}
