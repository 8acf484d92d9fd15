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
