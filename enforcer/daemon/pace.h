/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often somebody may ask for what costs others: so often at once, and then
 * once in each so many nanoseconds. A pace is one number, 0 at the start: when
 * all that was taken will have been paid for.
 */
#ifndef ENFORCER_DAEMON_PACE_H
#define ENFORCER_DAEMON_PACE_H

#include "core/clock.h"

static inline bool pace_may(int64_t paid_ns, struct mono now, int64_t each_ns,
			    uint32_t burst)
{
	return paid_ns - now.ns <= (int64_t)(burst - 1) * each_ns;
}

static inline void pace_take(int64_t *paid_ns, struct mono now,
			     int64_t each_ns)
{
	*paid_ns = (*paid_ns > now.ns ? *paid_ns : now.ns) + each_ns;
}

#endif
