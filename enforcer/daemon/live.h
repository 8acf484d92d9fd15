/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks as they are now: read once per wake-up and handed down. */
#ifndef ENFORCER_DAEMON_LIVE_H
#define ENFORCER_DAEMON_LIVE_H

#include "enforcer/capture_clock.h"

/* CLOCK_BOOTTIME: counts on during suspend; the same in every process. */
struct mono live_mono(void);
struct now live_now(struct clock_zone *z, bool trusted);
/* Does the kernel say that its wall clock follows a time source? */
bool live_synced(void);

/* Trust in the wall clock outlives its source by a day (policy-language 13),
 * counted by the stepless clock and by it alone: whoever sets the wall clock
 * meanwhile ends it. It is not kept over a restart, behind which nobody knows
 * what was done to the clock. */
#define LIVE_TRUST_NS (24 * 3600 * NS_PER_S)
#define LIVE_STEP_US  (2 * US_PER_S) /* more than a leap second */
struct live_trust {
	struct now kept; /* by a source, last; wall.us 0: never */
};
/* synced: does a source keep it now? */
bool live_trusted(struct live_trust *t, bool synced, const struct now *now);

/* Which boot of the machine it is. */
int live_boot(uint8_t out[16], struct err *err)
	__attribute__((warn_unused_result));

/* For who asks with every packet: civil time is looked up now and then and
 * carried on with the stepless clock in between. */
#define LIVE_SYNC_NS (5 * 1000 * 1000)
struct live_clock {
	struct clock_zone zone;
	struct now synced;
};
struct now live_next(struct live_clock *c, bool trusted);

#endif
