/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time of a packet as the gateway's clocks would have shown it. The wall
 * clock is the capture's and trusted; the stepless one counts only forwards.
 *
 * Civil time needs the zone's offsets; a live clock gets them from here, too.
 */
#ifndef ENFORCER_CAPTURE_CLOCK_H
#define ENFORCER_CAPTURE_CLOCK_H

#include "core/clock.h"
#include "core/err.h"
#include "core/span.h"

/* The offsets of the meter's zone, as they were found last. */
struct clock_zone {
	bool started;
	int64_t fresh_from_s, fresh_until_s; /* they hold between */
	int year;
	int32_t std_off_s, civil_off_s;
};

/* zone: IANA name, empty for UTC. E_NOTFOUND when the tz database has no such
 * zone. Sets TZ, so there is one zone per process; opens no file later. */
int clock_zone_init(struct clock_zone *z, struct span zone, struct err *e)
	__attribute__((warn_unused_result));
/* The offsets at w->us. */
void clock_zone_fill(struct clock_zone *z, struct wall *w);

struct capture_clock {
	struct now now; /* of the last packet */
	bool started;
	struct clock_zone zone;
};

/* As clock_zone_init. */
int capture_clock_init(struct capture_clock *c, struct span zone, struct err *e)
	__attribute__((warn_unused_result));
/* The clocks at a packet's time; packets in the order of the capture. */
struct now capture_clock_at(struct capture_clock *c, int64_t us);

#endif
