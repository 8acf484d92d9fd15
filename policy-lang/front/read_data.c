/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule says of the data that is carried, and when it holds. */
#include "policy-lang/front/schema.h"

/* --- data ---------------------------------------------------------------- */

static void data_meas(struct rd *r, const struct ynode *v, void *at)
{
	get_meas(r, v, &((struct pol_data_src *)at)->meas);
}

static void data_gran(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_data_src *d = at;

	d->has_gran = ph_granularity(&r->s, v, &d->gran_lo_ns, &d->gran_hi_ns);
	d->pos_gran = pos_of(v);
}

static void data_history(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_data_src *d = at;

	d->has_history = ph_duration(&r->s, v, &d->history_ns);
	d->pos_history = pos_of(v);
}

static void data_delay(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_data_src *d = at;

	d->has_delay = ph_duration(&r->s, v, &d->delay_ns);
	d->pos_delay = pos_of(v);
}

static void data_res(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_data_src *d = at;
	struct quantity q;

	d->pos_res = pos_of(v);
	if (!ph_quantity(&r->s, v, &q))
		return;
	if (q.milli == 0)
		bad(&r->s, v, 3103, NULL, "a step of nothing");
	d->has_res = true;
	d->res_unit = q.unit;
	d->res_milli = q.milli;
}

static void data_value(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_data_src *d = at;
	struct quantity lo, hi;

	d->pos_value = pos_of(v);
	if (!ph_value_range(&r->s, v, &lo, &hi))
		return;
	d->has_value = true;
	d->value_unit = lo.unit;
	d->value_lo = lo.milli;
	d->value_hi = hi.milli;
}

static void data_channels(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_data_src *d = at;
	uint64_t n;

	d->pos_channels = pos_of(v);
	if (!ph_integer(&r->s, v, 1, 255, &n))
		return;
	d->has_channels = true;
	d->channels = (uint32_t)n;
}

static const struct key data_rows[] = {
	{"measurement", KEY_REQUIRED, 0, data_meas,     NULL},
	{"granularity", 0,            0, data_gran,     NULL},
	{"history",     0,            0, data_history,  NULL},
	{"delay",       0,            0, data_delay,    NULL},
	{"resolution",  0,            0, data_res,      NULL},
	{"value",       0,            0, data_value,    NULL},
	{"channels",    0,            0, data_channels, NULL},
};
const struct keys data_keys = KEYS("data", data_rows);
/* A denial selects by what is carried; it does not constrain it. */
const struct keys deny_data_keys = {"the data of a denial", data_rows,
					   1};

/* Which types have values in that unit. */
static meas_set suits(enum unit u)
{
	switch (u) {
	case UNIT_WH:
		return meas_parse(span_str("energy.*"));
	case UNIT_W:
		return meas_parse(span_str("power.*")) |
		       MEAS_BIT(MEAS_CONTROL_LOAD);
	case UNIT_V:
		return meas_parse(span_str("voltage.*"));
	case UNIT_S:
		return MEAS_BIT(MEAS_CONTROL_LOAD) |
		       MEAS_BIT(MEAS_CONTROL_RESPONSE);
	default:
		return 0;
	}
}

static void check_unit(struct rd *r, const struct ynode *v, const char *key,
		       enum unit u, meas_set m)
{
	char buf[MEAS_TEXT];

	if (suits(u) & m)
		return;
	bad(&r->s, yaml_get(v, key), 4109,
	    "energy in Wh, power in W, voltage in V, control in time or W",
	    "%s has no values in %s", meas_text(buf, sizeof(buf), m),
	    unit_name(u));
}

static void read_data(struct rd *r, const struct ynode *v,
		      struct pol_data_src *d, const struct keys *keys)
{
	d->present = true;
	d->pos = pos_of(v->key);
	read_map(r, v, keys, d);
	if (!d->meas)
		return;
	if (d->has_res)
		check_unit(r, v, "resolution", d->res_unit, d->meas);
	if (d->has_value)
		check_unit(r, v, "value", d->value_unit, d->meas);
}

void rule_data(struct rd *r, const struct ynode *v, void *at)
{
	read_data(r, v, &((struct pol_rule_src *)at)->data, &data_keys);
}

void rule_deny_data(struct rd *r, const struct ynode *v, void *at)
{
	read_data(r, v, &((struct pol_rule_src *)at)->data, &deny_data_keys);
}

/* --- when ---------------------------------------------------------------- */

static void when_between(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_when *w = at;

	w->has_between = ph_between(&r->s, v, &w->from_min, &w->to_min);
}

static void when_days(struct rd *r, const struct ynode *v, void *at)
{
	static const struct word words[] = {
		{"mon", 0},
                {"tue", 1},
                {"wed", 2},
                {"thu", 3},
		{"fri", 4},
                {"sat", 5},
                {"sun", 6},
                {NULL,  0}
        };
	struct pol_when *w = at;
	size_t n;
	const struct ynode *const *e = elements(r, v, false, &n);
	int k;

	for (size_t i = 0; i < n; i++) {
		if (ph_word(&r->s, e[i], 3128, "a day", words, &k))
			w->days = (uint8_t)(w->days | 1u << k);
	}
}

static const struct key when_rows[] = {
	{"between",                 KEY_REQUIRED, 0,            when_between, NULL},
	{        "days",			0,            0,    when_days,         NULL    },
	{ "spread", 0,   offsetof(struct pol_when, spread_ns),         get_duration,     NULL},
};
const struct keys when_keys = KEYS("when", when_rows);

void rule_when(struct rd *r, const struct ynode *v, void *at)
{
	struct pol_when *w = &((struct pol_rule_src *)at)->when;
	int64_t length;

	w->present = true;
	read_map(r, v, &when_keys, w);
	if (!w->has_between)
		return;
	length = (int64_t)w->to_min - w->from_min;
	if (length < 0)
		length += 24 * 60;
	if (length == 0)
		bad(&r->s, yaml_get(v, "between"), 4002,
		    "all day is written by leaving the key out",
		    "an empty window");
	else if (w->spread_ns > length * 60 * NS_PER_S)
		bad(&r->s, yaml_get(v, "spread"), 4002, NULL,
		    "the slot is longer than the window");
}
