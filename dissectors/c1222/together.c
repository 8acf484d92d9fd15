/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The same part of a table several times in one message is told at several
 * moments, or may be: a series in all but name. And commands are as many as
 * they are, whatever they are written to.
 */
#include "dissectors/c1222/service_rd.h"

struct range {
	uint64_t from, n;
};

static bool meet(struct range a, struct range b)
{
	return a.from < b.from + b.n && b.from < a.from + a.n;
}

/* Octets by offset; as many as there were. */
static bool octets_meet(const struct obs *a, const struct obs *b)
{
	struct range x = {obs_get(a, F_OFFSET, 0),
			  obs_get_span(a, F_DATA).n};
	struct range y = {obs_get(b, F_OFFSET, 0),
			  obs_get_span(b, F_DATA).n};

	return meet(x, y);
}

/* Elements by index, the last of which counts; 0 of them: as many as there
 * are. Several may go on behind the end of what the first one is in. */
static bool elements_meet(const struct obs *a, const struct obs *b)
{
	struct span x = obs_get_span(a, F_INDEX), y = obs_get_span(b, F_INDEX);
	uint64_t n = obs_get(a, F_COUNT, 0), m = obs_get(b, F_COUNT, 0);
	size_t both = x.n < y.n ? x.n : y.n;

	if (n == 0 || m == 0 || both < 2)
		return true;
	if (x.n == y.n && span_eq(span_sub(x, 0, both - 2),
				  span_sub(y, 0, both - 2)))
		return meet((struct range){(uint64_t)x.p[both - 2] << 8 |
						   x.p[both - 1],
					   n},
			    (struct range){(uint64_t)y.p[both - 2] << 8 |
						   y.p[both - 1],
					   m});
	return n > 1 || m > 1 ||
	       span_eq(span_sub(x, 0, both), span_sub(y, 0, both));
}

static bool parts_meet(const struct obs *a, const struct obs *b)
{
	if (obs_has(a, F_OFFSET) && obs_has(b, F_OFFSET))
		return octets_meet(a, b);
	if (obs_has(a, F_INDEX) && obs_has(b, F_INDEX))
		return elements_meet(a, b);
	return true;
}

static bool is_command(const struct obs *o)
{
	return (o->kind == OBS_C1222_WRITE_REQUEST ||
		o->kind == OBS_C1222_PROCEDURE_REQUEST) &&
	       obs_get(o, F_MEASUREMENT, 0) & MEAS_BIT(MEAS_CONTROL_LOAD);
}

static bool counts_with(const struct obs *a, const struct obs *b)
{
	if (is_command(a) && is_command(b))
		return true;
	return obs_get(a, F_TABLE, 0) == obs_get(b, F_TABLE, 0) &&
	       parts_meet(a, b);
}

static void put_readings(struct obs *o, uint64_t n)
{
	if (obs_has(o, F_READINGS))
		o->f[o->at[F_READINGS]].u = n;
	else
		obs_u64(o, F_READINGS, n);
}

void table_together(struct rd *r)
{
	const struct obs *first = r->x->out->v;
	meas_set meas = meas_moments(obs_get(r->o, F_MEASUREMENT, 0));
	uint64_t n = 0;

	for (const struct obs *was = r->o; meas && was-- > first;) {
		/* Before that, another message. */
		if (obs_level((enum obs_kind)was->kind) == OBS_LEVEL_CARRIER)
			break;
		if (meas & obs_get(was, F_MEASUREMENT, 0) &&
		    counts_with(was, r->o) && obs_get(was, F_READINGS, 1) > n)
			n = obs_get(was, F_READINGS, 1);
	}
	if (n)
		put_readings(r->o, n + obs_get(r->o, F_READINGS, 1));
}
