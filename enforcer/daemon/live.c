/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/live.h"

#include <stdio.h>
#include <sys/timex.h>
#include <time.h>

static struct timespec read_clock(clockid_t id)
{
	struct timespec t = {0};

	clock_gettime(id, &t); /* cannot fail for the clocks there are */
	return t;
}

struct mono live_mono(void)
{
	struct timespec t = read_clock(CLOCK_BOOTTIME);

	return (struct mono){t.tv_sec * NS_PER_S + t.tv_nsec};
}

struct now live_now(struct clock_zone *z, bool trusted)
{
	struct timespec t = read_clock(CLOCK_REALTIME);
	struct now now = {
		.mono = live_mono(),
		.wall = {.us = t.tv_sec * US_PER_S + t.tv_nsec / 1000,
			 .trusted = trusted},
	};

	clock_zone_fill(z, &now.wall);
	return now;
}

bool live_synced(void)
{
	struct timex t = {0};

	return adjtimex(&t) >= 0 && !(t.status & STA_UNSYNC);
}

bool live_trusted(struct live_trust *t, bool synced, const struct now *now)
{
	int64_t since = mono_sub(now->mono, t->kept.mono);
	int64_t step = now->wall.us - t->kept.wall.us - since / 1000;

	if (synced)
		t->kept = *now;
	else if (since < 0 || since > LIVE_TRUST_NS || step > LIVE_STEP_US ||
		 step < -LIVE_STEP_US)
		t->kept.wall.us = 0;
	return synced || t->kept.wall.us != 0;
}

struct now live_next(struct live_clock *c, bool trusted)
{
	struct now now = c->synced;
	int64_t since;

	now.mono = live_mono();
	since = mono_sub(now.mono, c->synced.mono);
	if (since < 0 || since >= LIVE_SYNC_NS || c->synced.wall.us == 0)
		return c->synced = live_now(&c->zone, trusted);
	now.wall.us += since / 1000;
	now.wall.trusted = trusted;
	return now;
}

int live_boot(uint8_t out[16], struct err *err)
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
	char text[40] = "";
	size_t n = 0;

	if (!f || !fgets(text, sizeof(text), f))
		err_sys(err, "boot_id");
	if (f)
		fclose(f);
	for (const char *c = text; *c && n < 32; c++) {
		int v = *c >= '0' && *c <= '9'	 ? *c - '0'
			: *c >= 'a' && *c <= 'f' ? *c - 'a' + 10
						 : -1;

		if (v < 0)
			continue;
		out[n / 2] = (uint8_t)(out[n / 2] << 4 | v);
		n++;
	}
	return n == 32 ? 0 : err_set(err, E_IO, 0, "no boot_id");
}
