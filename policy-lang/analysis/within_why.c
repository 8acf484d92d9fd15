/* SPDX-License-Identifier: Apache-2.0 */
/* What of a rule was widened, in words. */
#include <stdarg.h>
#include <stdio.h>

#include "policy-lang/analysis/bound.h"
#include "policy-lang/analysis/within_parts.h"

#define FIGURE 64

static const char *const names[PARTS] = {
	[PART_CONSENT] = "consent",	[PART_NAME] = "its name",
	[PART_TYPES] = "measurement",	[PART_GRANULARITY] = "granularity",
	[PART_HISTORY] = "history",	[PART_DELAY] = "delay",
	[PART_RESOLUTION] = "resolution", [PART_VALUE] = "value",
	[PART_CHANNELS] = "channels",	[PART_WHEN] = "when",
	[PART_ANSWERS] = "answers",	[PART_REQUIRES] = "requires",
	[PART_FORBIDS] = "forbids",	[PART_LIMITS] = "limits",
	[PART_EXCEED] = "exceed",	[PART_MODE] = "mode",
	[PART_MATCH] = "party or match"};

bool within_no(char *why, size_t cap, const char *fmt, ...)
{
	size_t n = strlen(why), at = n ? n + 1 : 0;
	va_list ap;
	int more = -1;

	va_start(ap, fmt);
	if (at < cap)
		more = vsnprintf(why + at, cap - at, fmt, ap);
	va_end(ap);
	/* The first may be cut; of others half a reason is none. */
	if (at && (more < 0 || (size_t)more >= cap - at))
		why[n] = 0;
	else if (at)
		why[n] = '\n';
	return false;
}

static void time_of(char buf[FIGURE], bool has, int64_t ns)
{
	if (has)
		bound_time(buf, FIGURE, ns);
	else
		snprintf(buf, FIGURE, "any");
}

static void milli(char buf[FIGURE], int64_t v, unsigned unit)
{
	uint64_t a = v < 0 ? (uint64_t)-(v + 1) + 1 : (uint64_t)v;

	snprintf(buf, FIGURE, "%s%llu", v < 0 ? "-" : "",
		 (unsigned long long)(a / 1000));
	if (a % 1000)
		snprintf(buf + strlen(buf), FIGURE - strlen(buf), ".%03llu",
			 (unsigned long long)(a % 1000));
	snprintf(buf + strlen(buf), FIGURE - strlen(buf), " %s",
		 unit_name((enum unit)unit));
}

static void values(char buf[FIGURE], const struct lay_data *d)
{
	char lo[FIGURE], hi[FIGURE];

	milli(lo, d->value_lo, d->value_unit);
	milli(hi, d->value_hi, d->value_unit);
	snprintf(buf, FIGURE, "%.28s to %.28s", lo, hi);
}

/* One figure of a rule, or "" where it has none that fits a line. */
static void figure(char buf[FIGURE], enum within_part p,
		   const struct pol_image *im, uint32_t rule)
{
	static const char *const consents[] = {"not asked", "none", "opt-out",
					       "opt-in"};
	static const struct lay_data none;
	const struct lay_rule *r = &im->RULE[rule];
	const struct lay_data *d =
		r->data == LAY_NONE ? &none : &im->DATA[r->data];

	buf[0] = 0;
	switch (p) {
	case PART_CONSENT:
		snprintf(buf, FIGURE, "%s", consents[r->consent]);
		break;
	case PART_GRANULARITY:
		time_of(buf, d->flags & LAY_DATA_GRAN, d->gran_lo);
		break;
	case PART_HISTORY:
		time_of(buf, d->flags & LAY_DATA_HISTORY, d->history);
		break;
	case PART_DELAY:
		time_of(buf, true, d->flags & LAY_DATA_DELAY ? d->delay : 0);
		break;
	case PART_RESOLUTION:
		if (d->flags & LAY_DATA_RES)
			milli(buf, d->res_milli, d->res_unit);
		else
			snprintf(buf, FIGURE, "any");
		break;
	case PART_VALUE:
		if (d->flags & LAY_DATA_VALUE)
			values(buf, d);
		else
			snprintf(buf, FIGURE, "any");
		break;
	case PART_CHANNELS:
		if (d->flags & LAY_DATA_CHANNELS)
			snprintf(buf, FIGURE, "%u", d->channels);
		else
			snprintf(buf, FIGURE, "any");
		break;
	default:
		break;
	}
}

static uint32_t named(const struct two *t, uint32_t x)
{
	for (uint32_t k = 0; k < t->was->n_RULE; k++) {
		uint8_t kind = t->was->RULE[k].kind;

		if ((kind == RULE_GRANT || kind == RULE_CEILING) &&
		    within_str(t->is, t->is->RULE[x].id, t->was,
			       t->was->RULE[k].id))
			return k;
	}
	return LAY_NONE;
}

bool within_say(const struct two *t, uint32_t x, char *why, size_t cap)
{
	char parts[PARTS * (24 + 2 * FIGURE)];
	const char *id = t->is->STRS + t->is->RULE[x].id;
	uint32_t y = named(t, x), wider;
	size_t n = 0;

	if (y == LAY_NONE)
		return within_no(why, cap, "'%s' is within no rule there was",
				 id);
	wider = within_wider(t, x, y);
	for (unsigned p = 0; p < PARTS; p++) {
		char was[FIGURE], is[FIGURE];

		if (!(wider >> p & 1))
			continue;
		figure(was, (enum within_part)p, t->was, y);
		figure(is, (enum within_part)p, t->is, x);
		n += (size_t)snprintf(parts + n, sizeof(parts) - n,
				      "%s%s%s%s%s%s", n ? ", " : "", names[p],
				      was[0] ? " " : "", was,
				      was[0] ? " -> " : "", is);
	}
	return within_no(why, cap, "'%s' is wider: %s", id, parts);
}
