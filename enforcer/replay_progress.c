/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>
#include <unistd.h>

#include "enforcer/replay.h"

#define LONG_INPUT   (4u << 20) /* octets; below it there is nothing to see */
#define LOOK_EVERY   4096       /* packets */
#define SHOW_EVERY_S 0.2

void replay_progress_init(struct replay_progress *p, uint64_t total_octets,
			  bool endless, bool wanted)
{
	*p = (struct replay_progress){.total = endless ? 0 : total_octets};
	p->on = wanted && (endless || total_octets >= LONG_INPUT) &&
		isatty(STDERR_FILENO);
	clock_gettime(CLOCK_MONOTONIC, &p->last);
}

void replay_progress_show(struct replay_progress *p, const struct capture *c,
			  uint64_t packets)
{
	struct timespec t;
	uint64_t at, size;
	double s;

	if (!p->on || packets % LOOK_EVERY != 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	s = (double)(t.tv_sec - p->last.tv_sec) +
	    (double)(t.tv_nsec - p->last.tv_nsec) / 1e9;
	if (s < SHOW_EVERY_S)
		return;
	capture_progress(c, &at, &size);
	fputs("\r", stderr);
	if (p->total)
		fprintf(stderr, "%3.0f %%  ",
			(double)(p->done_before + at) * 100 / (double)p->total);
	fprintf(stderr, "%.2f million packets  %.2f million/s ",
		(double)packets / 1e6,
		(double)(packets - p->last_packets) / s / 1e6);
	p->shown = true;
	p->last = t;
	p->last_packets = packets;
}

void replay_progress_clear(struct replay_progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}
