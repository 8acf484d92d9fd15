/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time as values. Nobody below a program's main fetches it: it is read once
 * per wake-up, or taken from a capture, and handed down, so that a replay
 * behaves as the live gateway did.
 *
 * The two kinds are structs, so that the compiler refuses to mix them.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define US_PER_S INT64_C(1000000)

/* Never steps, counts on during suspend. A capture gives one by counting only
 * forwards. */
struct mono {
	int64_t ns;
};

/* Civil time. us: microseconds since 1970-01-01 UTC, 0 = not set. */
struct wall {
	int64_t us;
	int32_t std_off_s;   /* the zone's standard offset, all year */
	int32_t civil_off_s; /* the offset in force, daylight saving included */
	bool trusted;	     /* set by a time source within the last 24 h */
};

struct now {
	struct mono mono;
	struct wall wall;
};

static inline struct mono mono_add(struct mono m, int64_t ns)
{
	return (struct mono){m.ns + ns};
}

/* a - b in ns */
static inline int64_t mono_sub(struct mono a, struct mono b)
{
	return a.ns - b.ns;
}

static inline int64_t wall_s(struct wall w)
{
	return w.us / US_PER_S;
}

/* A date and time of the Gregorian calendar. */
struct civil {
	int year, month, day;	  /* 1-based month and day */
	int hour, minute, second; /* second never 60 */
	int weekday;		  /* 0 = Monday */
};

/* Seconds since 1970-01-01 (any offset already added) <-> calendar. */
struct civil civil_of(int64_t s);
int64_t civil_to_s(const struct civil *c);
/* Days since 1970-01-01 of a Gregorian date. */
int64_t civil_days(int year, int month, int day);

#define CLOCK_TEXT 36
/* "2026-11-25T15:42:26.000000+0000" as EVE writes it; returns buf. */
char *clock_eve(char buf[CLOCK_TEXT], struct wall w);
/* An RFC 3339 time stamp with an offset or Z. Returns 0 or E_SYNTAX. */
int clock_parse(const char *text, struct wall *out)
	__attribute__((warn_unused_result));

#endif
