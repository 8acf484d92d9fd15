/* SPDX-License-Identifier: Apache-2.0 */
#include "policy-lang/analysis/diff.h"

#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/eval/internal.h"

#define WITHOUT INT64_MAX

/* Where more is less for the customer, and where more is more. */
static const struct {
	const char *name;
	bool more_is_wider;
} scales[DIFF_SCALES] = {
	[DIFF_SPACING] = {"values every", false},
	[DIFF_FRESHEST] = {"newest value", false},
	[DIFF_HISTORY] = {"oldest value", true},
	[DIFF_RESOLUTION] = {"in steps of", false},
	[DIFF_DAY] = {"times a day", true},
	[DIFF_YEAR] = {"times a year", true},
	[DIFF_CONSENT] = {"consent", false},
	[DIFF_IDENTITY] = {"recipient known by", false},
	[DIFF_KEEPS] = {"says it keeps them", true},
	[DIFF_CHANNELS] = {"quantities a message", true},
	[DIFF_COUNTRY] = {"country", true},
	[DIFF_APART] = {"apart", false},
	[DIFF_LOWEST] = {"at least", false},
	[DIFF_HIGHEST] = {"at most", true},
	[DIFF_SEALED] = {"sealed octets a day", true},
};

const char *diff_scale_name(enum diff_scale s)
{
	return scales[s].name;
}

const char *diff_change_name(enum diff_change c)
{
	static const char *const names[] = {"SAME", "REMOVED", "NARROWER",
					    "WIDER", "NEW"};

	return names[c];
}

/* --- figures ------------------------------------------------------------- */

static int64_t counted(uint64_t n)
{
	return n > INT64_MAX ? WITHOUT : (int64_t)n;
}

/* Of all flows of one measurement to one recipient together. */
struct figures {
	const struct bound_recipient *r;
	const struct bound_flow *finest;
	int64_t v[DIFF_SCALES];
};

static bool find_flows(const struct bound *b, const struct bound_recipient *r,
		       enum meas meas, struct figures *f)
{
	struct bound_in day = {.span = MOST_DAY}, year = {.span = MOST_YEAR};

	*f = (struct figures){.r = r};
	for (size_t i = 0; r && i < r->n_flow; i++) {
		const struct bound_flow *x = &r->flow[i];
		int64_t res = x->res_milli == BOUND_NONE ? 0 : x->res_milli;
		int64_t old = x->history_ns == BOUND_NONE ? WITHOUT
							  : x->history_ns;
		int64_t channels = x->channels ? x->channels : WITHOUT;

		if (x->meas != meas)
			continue;
		if (!f->finest) {
			f->finest = x;
			f->v[DIFF_SPACING] = x->spacing_ns;
			f->v[DIFF_FRESHEST] = x->delay_ns;
			f->v[DIFF_RESOLUTION] = res;
			f->v[DIFF_CONSENT] = x->consent;
		}
		if (x->spacing_ns < f->v[DIFF_SPACING]) {
			f->finest = x;
			f->v[DIFF_SPACING] = x->spacing_ns;
		}
		if (x->delay_ns < f->v[DIFF_FRESHEST])
			f->v[DIFF_FRESHEST] = x->delay_ns;
		if (res < f->v[DIFF_RESOLUTION])
			f->v[DIFF_RESOLUTION] = res;
		if (x->consent < f->v[DIFF_CONSENT])
			f->v[DIFF_CONSENT] = x->consent;
		if (old > f->v[DIFF_HISTORY])
			f->v[DIFF_HISTORY] = old;
		if (channels > f->v[DIFF_CHANNELS])
			f->v[DIFF_CHANNELS] = channels;
	}
	if (!f->finest)
		return false;
	f->v[DIFF_DAY] = counted(bound_most(b, &r, 1, MEAS_BIT(meas),
					    THING_READINGS, day));
	f->v[DIFF_YEAR] = counted(bound_most(b, &r, 1, MEAS_BIT(meas),
					     THING_READINGS, year));
	f->v[DIFF_IDENTITY] = r->identity;
	f->v[DIFF_KEEPS] = r->keeps_ns ? r->keeps_ns : WITHOUT;
	return true;
}

/* --- comparing ----------------------------------------------------------- */

static void compare(struct diff_item *i, enum diff_scale s, int64_t was,
		    int64_t is)
{
	struct diff_row *r;

	if (was == is)
		return;
	r = &i->row[i->n_row++];
	*r = (struct diff_row){.scale = s, .was = was, .is = is};
	r->change = (is > was) == scales[s].more_is_wider ? DIFF_WIDER
							  : DIFF_NARROWER;
	if (r->change > i->change)
		i->change = r->change;
}

/* Where data goes is no scale: elsewhere is wider. */
static void compare_country(struct diff_item *i)
{
	struct span was = i->was_r->country, is = i->is_r->country;

	if (span_eq(was, is))
		return;
	i->row[i->n_row++] = (struct diff_row){.scale = DIFF_COUNTRY,
					       .change = DIFF_WIDER,
					       .was_text = was,
					       .is_text = is};
	i->change = DIFF_WIDER;
}

static struct diff_item *add(struct diff *d)
{
	if (d->n % 16 == 0) {
		struct diff_item *to =
			realloc(d->item, (d->n + 16) * sizeof(*to));

		if (!to)
			return NULL;
		d->item = to;
	}
	d->item[d->n] = (struct diff_item){0};
	return &d->item[d->n++];
}

static void name_item(struct diff_item *i)
{
	const struct bound_recipient *r = i->is_r ? i->is_r : i->was_r;

	i->machine = r->machine_name;
	i->operator_ = r->operator_;
}

static int diff_flow(struct diff *d, const struct bound *was,
		     const struct bound_recipient *wr, const struct bound *is,
		     const struct bound_recipient *ir, enum meas meas)
{
	static const enum diff_scale of[] = {
		DIFF_SPACING, DIFF_FRESHEST, DIFF_HISTORY, DIFF_RESOLUTION,
		DIFF_DAY,     DIFF_YEAR,     DIFF_CONSENT, DIFF_IDENTITY,
		DIFF_KEEPS,   DIFF_CHANNELS};
	struct figures a, b;
	bool had = find_flows(was, wr, meas, &a);
	bool has = find_flows(is, ir, meas, &b);
	struct diff_item *i;

	if (!had && !has)
		return 0;
	i = add(d);
	if (!i)
		return E_NOMEM;
	i->what = DIFF_FLOW;
	i->meas = meas;
	i->was = a.finest;
	i->is = b.finest;
	i->was_r = wr;
	i->is_r = ir;
	i->change = !had ? DIFF_NEW : !has ? DIFF_REMOVED : DIFF_SAME;
	name_item(i);
	for (size_t k = 0; had && has && k < sizeof(of) / sizeof(of[0]); k++)
		compare(i, of[k], a.v[of[k]], b.v[of[k]]);
	if (had && has)
		compare_country(i);
	return 0;
}

/* All powers of a recipient together: the most of each figure. */
static const struct bound_power *powers(const struct bound_recipient *r,
					int64_t v[DIFF_SCALES])
{
	const struct bound_power *worst = NULL;
	uint64_t day = 0;

	for (size_t i = 0; r && i < r->n_power; i++) {
		const struct bound_power *p = &r->power[i];
		int64_t lo = p->has_value ? p->lo : INT64_MIN;
		int64_t hi = p->has_value ? p->hi : WITHOUT;

		day = most_add(day, p->day);
		if (!worst || p->apart_ns < v[DIFF_APART])
			v[DIFF_APART] = p->apart_ns;
		if (!worst || lo < v[DIFF_LOWEST])
			v[DIFF_LOWEST] = lo;
		if (!worst || hi > v[DIFF_HIGHEST])
			v[DIFF_HIGHEST] = hi;
		worst = worst ? worst : p;
	}
	v[DIFF_DAY] = counted(day);
	return worst;
}

static int diff_powers(struct diff *d, const struct bound_recipient *wr,
		       const struct bound_recipient *ir)
{
	int64_t a[DIFF_SCALES] = {0}, b[DIFF_SCALES] = {0};
	const struct bound_power *was = powers(wr, a), *is = powers(ir, b);
	struct diff_item *i;

	if (!was && !is)
		return 0;
	i = add(d);
	if (!i)
		return E_NOMEM;
	i->what = DIFF_POWER;
	i->meas = MEAS_CONTROL_LOAD;
	i->was_power = was;
	i->is_power = is;
	i->was_r = wr;
	i->is_r = ir;
	i->change = !was ? DIFF_NEW : !is ? DIFF_REMOVED : DIFF_SAME;
	name_item(i);
	if (!was || !is)
		return 0;
	compare(i, DIFF_DAY, a[DIFF_DAY], b[DIFF_DAY]);
	compare(i, DIFF_APART, a[DIFF_APART], b[DIFF_APART]);
	compare(i, DIFF_LOWEST, a[DIFF_LOWEST], b[DIFF_LOWEST]);
	compare(i, DIFF_HIGHEST, a[DIFF_HIGHEST], b[DIFF_HIGHEST]);
	return 0;
}

static int diff_sealed(struct diff *d, const struct bound_recipient *wr,
		       const struct bound_recipient *ir)
{
	bool was = wr && wr->sealed, is = ir && ir->sealed;
	struct diff_item *i;

	if (!was && !is)
		return 0;
	i = add(d);
	if (!i)
		return E_NOMEM;
	i->what = DIFF_CHANNEL;
	i->was_r = wr;
	i->is_r = ir;
	i->change = !was ? DIFF_NEW : !is ? DIFF_REMOVED : DIFF_SAME;
	name_item(i);
	if (was && is)
		compare(i, DIFF_SEALED, counted(wr->sealed_bytes[MOST_DAY]),
			counted(ir->sealed_bytes[MOST_DAY]));
	return 0;
}

static int diff_recipient(struct diff *d, const struct bound *was,
			  const struct bound_recipient *wr,
			  const struct bound *is,
			  const struct bound_recipient *ir)
{
	struct diff_recipient *r = &d->r[d->n_r++];
	int rc = 0;

	*r = (struct diff_recipient){.was = wr, .is = ir, .first = d->n};
	for (unsigned m = 0; !rc && m < MEAS_COUNT; m++)
		rc = diff_flow(d, was, wr, is, ir, (enum meas)m);
	if (!rc)
		rc = diff_powers(d, wr, ir);
	if (!rc)
		rc = diff_sealed(d, wr, ir);
	r->n = d->n - r->first;
	return rc;
}

/* The recipient of the other set that is the same one. */
static const struct bound_recipient *same(const struct bound *b,
					  const struct bound_recipient *r)
{
	for (size_t i = 0; i < b->n; i++) {
		if (span_eq(b->r[i].machine_name, r->machine_name) &&
		    span_eq(b->r[i].operator_, r->operator_) &&
		    b->r[i].outside == r->outside)
			return &b->r[i];
	}
	return NULL;
}

int diff_new(struct diff **out, const struct bound *was,
	     const struct bound *is, struct err *e)
{
	struct diff *d = calloc(1, sizeof(*d));
	int rc = d ? 0 : E_NOMEM;

	*out = NULL;
	if (d)
		d->r = calloc(is->n + was->n + 1, sizeof(*d->r));
	if (d && !d->r)
		rc = E_NOMEM;
	for (size_t i = 0; !rc && i < is->n; i++)
		rc = diff_recipient(d, was, same(was, &is->r[i]), is,
				    &is->r[i]);
	for (size_t i = 0; !rc && i < was->n; i++) {
		if (!same(is, &was->r[i]))
			rc = diff_recipient(d, was, &was->r[i], is, NULL);
	}
	if (rc) {
		diff_free(d);
		return err_set(e, E_NOMEM, 0, "out of memory");
	}
	for (size_t i = 0; i < d->n; i++) {
		enum diff_change c = d->item[i].change;

		c = c == DIFF_NEW ? DIFF_WIDER : c;
		d->change = c > d->change ? c : d->change;
	}
	*out = d;
	return 0;
}

void diff_free(struct diff *d)
{
	if (d) {
		free(d->item);
		free(d->r);
	}
	free(d);
}

/* --- for people ---------------------------------------------------------- */

static void thousandths(char *buf, size_t cap, int64_t v, const char *unit)
{
	uint64_t a = v < 0 ? (uint64_t)-(v + 1) + 1 : (uint64_t)v;

	if (a % 1000)
		snprintf(buf, cap, "%s%llu.%03llu %s", v < 0 ? "-" : "",
			 (unsigned long long)(a / 1000),
			 (unsigned long long)(a % 1000), unit);
	else
		snprintf(buf, cap, "%s%llu %s", v < 0 ? "-" : "",
			 (unsigned long long)(a / 1000), unit);
}

static const char *res_unit(const struct bound_flow *f)
{
	return f ? unit_name(f->res_unit) : "";
}

char *diff_figure(char *buf, size_t cap, const struct diff_row *r, bool is,
		  const struct diff_item *i)
{
	static const char *const consents[] = {"not asked", "none", "opt-out",
					       "opt-in"};
	static const char *const identities[] = {
		"address only", "ApTitle claimed", "message authentication",
		"TLS name", "TLS key pin", "machine of this meter"};
	const struct bound_power *p = is ? i->is_power : i->was_power;
	struct span t = is ? r->is_text : r->was_text;
	int64_t v = is ? r->is : r->was;

	switch (r->scale) {
	case DIFF_CONSENT:
		snprintf(buf, cap, "%s", consents[v]);
		break;
	case DIFF_IDENTITY:
		snprintf(buf, cap, "%s", identities[v]);
		break;
	case DIFF_COUNTRY:
		snprintf(buf, cap, "%.*s", t.n ? (int)t.n : 10,
			 t.n ? (const char *)t.p : "undeclared");
		break;
	case DIFF_KEEPS:
		if (v == WITHOUT)
			snprintf(buf, cap, "for ever");
		else
			bound_time(buf, cap, v);
		break;
	case DIFF_FRESHEST:
	case DIFF_SPACING:
	case DIFF_HISTORY:
	case DIFF_APART:
		bound_time(buf, cap, v == WITHOUT && r->scale == DIFF_HISTORY
					     ? BOUND_NONE
					     : v);
		if (r->scale == DIFF_FRESHEST || r->scale == DIFF_HISTORY)
			snprintf(buf + strlen(buf), cap - strlen(buf), "%s",
				 v == WITHOUT ? " age" : " old");
		break;
	case DIFF_RESOLUTION:
		if (v == 0)
			snprintf(buf, cap, "any size");
		else
			thousandths(buf, cap, v, res_unit(is ? i->is : i->was));
		break;
	case DIFF_LOWEST:
	case DIFF_HIGHEST:
		if (v == WITHOUT || v == INT64_MIN)
			snprintf(buf, cap, "any");
		else
			thousandths(buf, cap, v, p ? unit_name(p->unit) : "");
		break;
	default:
		if (v == WITHOUT)
			snprintf(buf, cap, "any number");
		else
			snprintf(buf, cap, "%lld", (long long)v);
		break;
	}
	return buf;
}
