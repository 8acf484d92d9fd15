/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a grant, a ceiling or a restriction asks besides matching. What is not
 * known never satisfies.
 */
#include "policy-lang/eval/internal.h"

#define DAY_MIN (24 * 60)

/* Types whose values have an interval, and those whose values have an age.
 * Prices and commands to the home, and attributes, have neither. */
#define SERIES                                                                 \
	(MEAS_BIT(MEAS_ENERGY_INTERVAL) | MEAS_BIT(MEAS_VOLTAGE_INTERVAL) |    \
	 MEAS_BIT(MEAS_UNKNOWN_TABLE))

#define X(id, name, cls, plain)                                                \
	| (MEAS_CLASS_##cls == MEAS_CLASS_INBOUND ||                           \
			   MEAS_CLASS_##cls == MEAS_CLASS_ATTRIBUTE            \
		   ? MEAS_BIT(MEAS_##id)                                       \
		   : 0)
static const meas_set ageless = 0
#include "core/meas.def"
	;
#undef X
#define X(id, name, cls, plain)                                                \
	| (MEAS_CLASS_##cls == MEAS_CLASS_EVENT ? MEAS_BIT(MEAS_##id) : 0)
static const meas_set events = 0
#include "core/meas.def"
	;
#undef X

void fail_add(struct pol_state *st, const struct fail *f)
{
	if (st->n_fail < FAILS)
		st->fail[st->n_fail++] = *f;
	else
		st->fails_cut = true;
}

static void fail_as(struct pol_state *st, const struct fail *proto,
		    enum reason r, int64_t have, int64_t need)
{
	struct fail f = *proto;

	f.reason = r;
	f.have = have;
	f.need = need;
	fail_add(st, &f);
}

/* A snapshot without a date says what is at this moment; one that was stored,
 * or several in one message, have a date that is not known. */
static bool is_now(const struct obs *leaf, meas_set meas)
{
	return !(meas & (SERIES | events | MEAS_BIT(MEAS_ENERGY_SNAPSHOT))) &&
	       obs_get(leaf, F_READINGS, 1) <= 1;
}

/* Ages in seconds by both candidates after a step back of the clock: the
 * later time makes data older, the earlier one fresher. Without a trusted
 * clock so far, nothing is old. */
static int64_t age(const struct pol_state *st, int64_t at_s, bool older)
{
	int64_t now = st->wall_s, top = st->live->wall_max_s;

	if (st->what_if.on && st->trusted && top < now)
		top = now;
	return (older == (top > now) ? top : now) - at_s;
}

/* When a value was, or would be if it were asked for otherwise. */
static bool value_at(const struct pol_state *st, const struct obs *leaf,
		     enum field f, int64_t *at)
{
	const struct what_if *w = &st->what_if;
	int64_t told = f == F_OLDEST ? w->oldest_s : w->newest_s;

	*at = obs_get_i64(leaf, f, 0);
	if (!w->on)
		return obs_has(leaf, f);
	*at = told == AS_IT_IS ? *at + w->later_s
			       : st->wall_s - told;
	return told != AS_IT_IS || obs_has(leaf, f);
}

static void check_ages(struct pol_state *st, const struct lay_data *d,
		       const struct obs *leaf, meas_set meas,
		       const struct fail *proto)
{
	meas_set aged = meas & ~ageless;
	bool now = is_now(leaf, aged), known;
	int64_t s, at;

	if (!aged)
		return;
	if (d->flags & LAY_DATA_HISTORY) {
		known = value_at(st, leaf, F_OLDEST, &at);
		if (!known && !now)
			fail_as(st, proto, REASON_TOO_FAR_BACK, -1, d->history);
		s = known ? age(st, at, true) : 0;
		if (s > d->history / NS_PER_S)
			fail_as(st, proto, REASON_TOO_FAR_BACK, s * NS_PER_S,
				d->history);
	}
	if (d->flags & LAY_DATA_DELAY && d->delay > 0) {
		known = value_at(st, leaf, F_NEWEST, &at);
		s = known ? age(st, at, false) : -1;
		if (s < (d->delay + NS_PER_S - 1) / NS_PER_S)
			fail_as(st, proto, REASON_TOO_FRESH,
				known && s >= 0 ? s * NS_PER_S : -1, d->delay);
	}
}

static void check_granularity(struct pol_state *st, const struct lay_data *d,
			      const struct obs *leaf, const struct fail *proto)
{
	uint64_t g = obs_get(leaf, F_GRANULARITY, 0);
	int64_t ns =
		g <= INT32_MAX ? (int64_t)g * NS_PER_S : INT32_MAX * NS_PER_S;

	if (st->what_if.on && st->what_if.gran_ns)
		ns = st->what_if.gran_ns;
	else if (g == 0)
		ns = -1;
	if (ns < d->gran_lo)
		fail_as(st, proto, REASON_TOO_FINE, ns, d->gran_lo);
	else if (d->gran_hi && ns >= d->gran_hi)
		fail_as(st, proto, REASON_NO_GRANT, ns, d->gran_hi);
}

unsigned guard_data(struct pol_state *st, const struct lay_data *d,
		    const struct obs *leaf, meas_set meas,
		    const struct fail *proto)
{
	uint32_t before = st->n_fail;
	uint64_t step = obs_get(leaf, F_RES_STEP, 0);
	uint64_t unit = obs_get(leaf, F_RES_UNIT, UNIT_NONE);
	const struct what_if *w = &st->what_if;

	if (w->on && w->res_milli) {
		step = w->res_milli;
		unit = w->res_unit;
	}
	if (w->on && w->has_value) { /* a message has one unit */
		step = unit == w->value_unit || w->res_milli == 0 ? step : 0;
		unit = w->value_unit;
	}
	/* Several snapshots are a series; several commands are not. */
	if (d->flags & LAY_DATA_GRAN &&
	    (meas & SERIES ||
	     look_moments(leaf, meas & ~MEAS_BIT(MEAS_CONTROL_LOAD)) > 1))
		check_granularity(st, d, leaf, proto);
	if (d->flags & (LAY_DATA_HISTORY | LAY_DATA_DELAY))
		check_ages(st, d, leaf, meas, proto);
	if (d->flags & LAY_DATA_RES &&
	    (step == 0 || step > INT64_MAX || unit != d->res_unit ||
	     step % (uint64_t)d->res_milli))
		fail_as(st, proto, REASON_TOO_PRECISE,
			step && step <= INT64_MAX && unit == d->res_unit
				? (int64_t)step
				: -1,
			d->res_milli);
	if (d->flags & LAY_DATA_VALUE) {
		int64_t lo = obs_get_i64(leaf, F_VALUE_MIN, 0);
		int64_t hi = obs_get_i64(leaf, F_VALUE_MAX, 0);
		bool known = obs_has(leaf, F_VALUE_MIN) &&
			     obs_has(leaf, F_VALUE_MAX) &&
			     unit == d->value_unit;

		if (w->on && w->has_value) {
			lo = w->lo;
			hi = w->hi;
			known = true;
		}
		if (!known || lo < d->value_lo || hi > d->value_hi)
			fail_as(st, proto, REASON_OUT_OF_RANGE,
				!known             ? -1
				: hi > d->value_hi ? hi
						   : lo,
				d->value_hi);
	}
	if (d->flags & LAY_DATA_CHANNELS && w->on && w->channels) {
		if (w->channels > d->channels)
			fail_as(st, proto, REASON_TOO_MANY,
				(int64_t)w->channels, d->channels);
	} else if (d->flags & LAY_DATA_CHANNELS &&
		   (!obs_has(leaf, F_CHANNELS) ||
		    obs_get(leaf, F_CHANNELS, 0) > d->channels))
		fail_as(st, proto, REASON_TOO_MANY,
			(int64_t)(obs_get(leaf, F_CHANNELS, UINT64_MAX) &
				  INT64_MAX),
			d->channels);
	return st->n_fail - before;
}

/* --- time of day --------------------------------------------------------- */

static uint64_t slot_hash(const struct pol_state *st, const struct side *sd,
			  const struct lay_rule *r, enum layer layer)
{
	static const struct sipkey key = {0x6d65746572676174,
					  0x7370726561642d31};
	const struct pol_image *im = sd->im[layer];
	uint8_t buf[512];
	struct span part[] = {
		img_str(st->s->binding, st->s->binding->META->meter_id),
		pol_image_id(im), img_str(im, r->id)};
	size_t n = 0;

	for (int i = 0; i < 3; i++) {
		struct span p = span_sub(part[i], 0, 160);

		if (p.n)
			memcpy(buf + n, p.p, p.n);
		n += p.n;
		buf[n++] = 0;
	}
	return siphash24(&key, span_of(buf, n));
}

/* Seconds of the day where the open slot begins, and its length. */
static void slot(const struct pol_state *st, const struct side *sd,
		 const struct lay_rule *r, const struct lay_guard *g,
		 enum layer layer, int64_t *from, int64_t *len)
{
	int64_t spread = g->spread / NS_PER_S;

	*from = g->from_min * 60;
	*len = ((int64_t)g->to_min - g->from_min) * 60;
	if (*len < 0)
		*len += DAY_MIN * 60;
	/* Without a meter there is nothing to spread over. */
	if (!spread || !st->spread || !st->s->binding || spread >= *len)
		return;
	*from += (int64_t)(slot_hash(st, sd, r, layer) %
			   (uint64_t)(*len - spread + 1));
	*from %= DAY_MIN * 60;
	*len = spread;
}

unsigned guard_when(struct pol_state *st, const struct side *sd,
		    const struct lay_rule *r, const struct lay_guard *g,
		    const struct fail *proto)
{
	int64_t civil = st->wall_s + st->now.wall.civil_off_s;
	int64_t day, since, from, len;
	struct civil c;

	if (!(g->flags & LAY_GUARD_WHEN))
		return 0;
	if (!st->trusted) {
		fail_as(st, proto, REASON_CLOCK_UNTRUSTED, 0, 0);
		return 1;
	}
	slot(st, sd, r, g, (enum layer)proto->layer, &from, &len);
	c = civil_of(civil);
	since = c.hour * 3600 + c.minute * 60 + c.second - from;
	day = c.weekday;
	if (since < 0) { /* after midnight: of the window of the day before */
		since += DAY_MIN * 60;
		day = (day + 6) % 7;
	}
	/* The slot may itself begin after midnight. */
	if (from < g->from_min * 60)
		day = (day + 6) % 7;
	if (since < len && (!g->days || g->days >> day & 1))
		return 0;
	{
		struct fail f = *proto;

		f.reason = REASON_NOT_NOW;
		f.have = from;
		f.need = len;
		f.wait = g->days ? -1 : (DAY_MIN * 60 - since) * NS_PER_S;
		fail_add(st, &f);
	}
	return 1;
}

/* Does whatever meets `of` meet d as well, if it carries such types? */
bool guard_implied(const struct lay_data *d, const struct lay_data *of,
		   meas_set meas)
{
	meas_set aged = meas & ~ageless;
	uint16_t want = d->flags, has = of->flags;

	if (want & LAY_DATA_GRAN && meas & SERIES &&
	    !(has & LAY_DATA_GRAN && of->gran_lo >= d->gran_lo &&
	      (!d->gran_hi || (of->gran_hi && of->gran_hi <= d->gran_hi))))
		return false;
	if (want & LAY_DATA_HISTORY && aged &&
	    !(has & LAY_DATA_HISTORY && of->history <= d->history))
		return false;
	if (want & LAY_DATA_DELAY && d->delay > 0 && aged &&
	    !(has & LAY_DATA_DELAY && of->delay >= d->delay))
		return false;
	if (want & LAY_DATA_RES &&
	    !(has & LAY_DATA_RES && of->res_unit == d->res_unit &&
	      of->res_milli % d->res_milli == 0))
		return false;
	if (want & LAY_DATA_VALUE &&
	    !(has & LAY_DATA_VALUE && of->value_unit == d->value_unit &&
	      of->value_lo >= d->value_lo && of->value_hi <= d->value_hi))
		return false;
	return !(want & LAY_DATA_CHANNELS) ||
	       (has & LAY_DATA_CHANNELS && of->channels <= d->channels);
}

/* --- consent, states, answers -------------------------------------------- */

static bool consented(const struct pol_state *st, const struct side *sd,
		      const struct lay_rule *r)
{
	const struct pol_image *im = sd->im[LAYER_VENDOR];
	uint8_t a = st->consent[sd->m][r - im->RULE];

	return r->consent == CONSENT_OPT_IN    ? a == CONSENT_GRANTED
	       : r->consent == CONSENT_OPT_OUT ? a != CONSENT_REFUSED
					       : true;
}

static void check_states(struct pol_state *st, const struct side *sd,
			 const struct lay_guard *g, uint64_t flow,
			 const struct fail *proto)
{
	for (int b = 0; b < BUILTIN_COUNT; b++) {
		bool on = st_builtin(st, sd->m, (enum pol_builtin)b);

		if (g->requires_builtin >> b & 1 && !on)
			fail_as(st, proto, REASON_STATE_MISSING, -2 - b, 0);
		if (g->forbids_builtin >> b & 1 && on)
			fail_as(st, proto, REASON_STATE_FORBIDDEN, -2 - b, 0);
	}
	for (uint64_t s = g->requires_ | g->forbids; s; s &= s - 1) {
		unsigned k = (unsigned)__builtin_ctzll(s);
		bool on = st_has(st, sd->m, sd->party, flow, k);

		if (g->requires_ >> k & 1 && !on)
			fail_as(st, proto, REASON_STATE_MISSING, k, 0);
		if (g->forbids >> k & 1 && on)
			fail_as(st, proto, REASON_STATE_FORBIDDEN, k, 0);
	}
}

unsigned guard_rule(struct pol_state *st, const struct side *sd,
		    const struct lay_rule *r, const struct lay_guard *g,
		    const struct pol_msg *m, const struct fail *proto)
{
	uint32_t before = st->n_fail;
	int a;

	if (!consented(st, sd, r)) {
		/* The answer is the customer's: a vendor's mode does not
		 * change it. */
		struct fail asked = *proto;

		asked.monitored = false;
		fail_as(st, &asked, REASON_NO_CONSENT,
			r->consent == CONSENT_OPT_IN, 0);
	}
	if (!g || !(g->flags & LAY_GUARD_ANSWERS))
		answer_begin(st, sd, m);
	if (!g)
		return st->n_fail - before;
	check_states(st, sd, g, m->flow, proto);
	if (g->flags & LAY_GUARD_ANSWERS) {
		a = answer_find(st, sd, m, g->answers);
		if (a >= 0)
			answer_take(st, sd, m, a);
		else
			fail_as(st, proto, REASON_NOT_AN_ANSWER, 0, 0);
	}
	return st->n_fail - before;
}
