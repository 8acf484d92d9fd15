/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/capture_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "policy-lang/front/zones.h"

/* Offsets change on a quarter of an hour at the finest. */
#define QUARTER_S 900
/* Far from the end, so that nobody who adds a timeout overflows. */
#define MONO_MAX_NS (INT64_MAX / 2)

int clock_zone_init(struct clock_zone *z, struct span zone, struct err *e)
{
	char tz[80];

	*z = (struct clock_zone){0};
	if (zone.n == 0)
		zone = span_str("UTC");
	/* The C library takes an unknown zone for UTC, silently. */
	if (zones_find(zone) != ZONES_FOUND)
		return err_set(e, E_NOTFOUND, 0,
			       "time zone %.*s is not in the tz database "
			       "(package tzdata)",
			       (int)(zone.n < 64 ? zone.n : 64),
			       (const char *)zone.p);
	snprintf(tz, sizeof(tz), ":%.*s", (int)zone.n, (const char *)zone.p);
	if (setenv("TZ", tz, 1) != 0)
		return err_set(e, E_NOMEM, 0, "out of memory");
	tzset();
	return 0;
}

static long offset_at(int64_t s, int *year)
{
	time_t t = s;
	struct tm tm;

	if (!localtime_r(&t, &tm))
		return 0;
	if (year)
		*year = tm.tm_year + 1900;
	return tm.tm_gmtoff;
}

/* Standard time is the smaller offset of the year: zones that count their
 * winter time as the exception (Dublin) mean the same by it. */
static int32_t standard_offset(int year)
{
	long a = offset_at(civil_days(year, 1, 1) * 86400, NULL);
	long b = offset_at(civil_days(year, 7, 1) * 86400, NULL);

	return (int32_t)(a < b ? a : b);
}

void clock_zone_fill(struct clock_zone *z, struct wall *w)
{
	int64_t s = w->us / US_PER_S - (w->us % US_PER_S < 0);
	int year = 0;

	if (!z->started || s < z->fresh_from_s || s >= z->fresh_until_s) {
		z->civil_off_s = (int32_t)offset_at(s, &year);
		if (!z->started || year != z->year)
			z->std_off_s = standard_offset(year);
		z->year = year;
		z->fresh_from_s = s - (s % QUARTER_S + QUARTER_S) % QUARTER_S;
		z->fresh_until_s = z->fresh_from_s + QUARTER_S;
		z->started = true;
	}
	w->std_off_s = z->std_off_s;
	w->civil_off_s = z->civil_off_s;
}

int capture_clock_init(struct capture_clock *c, struct span zone, struct err *e)
{
	/* A stepless clock that stands at 0 looks like one never set. */
	*c = (struct capture_clock){.now.mono.ns = NS_PER_S};
	c->now.wall.trusted = true;
	return clock_zone_init(&c->zone, zone, e);
}

struct now capture_clock_at(struct capture_clock *c, int64_t us)
{
	int64_t step_us = c->started ? us - c->now.wall.us : 0;

	if (step_us > (MONO_MAX_NS - c->now.mono.ns) / 1000)
		c->now.mono.ns = MONO_MAX_NS;
	else if (step_us > 0)
		c->now.mono.ns += step_us * 1000;
	c->now.wall.us = us;
	clock_zone_fill(&c->zone, &c->now.wall);
	c->started = true;
	return c->now;
}
