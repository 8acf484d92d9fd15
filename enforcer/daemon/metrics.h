/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the gateway counts, in the text form of Prometheus (version 0.0.4):
 * made from the shared memory alone, by whoever is asked (the parent for
 * metergatectl, the courier for /metrics).
 *
 * Guests are labels; reasons are labels of the counters of drops. Every
 * number is one that somebody else wrote and is shown as it is.
 */
#ifndef ENFORCER_DAEMON_METRICS_H
#define ENFORCER_DAEMON_METRICS_H

#include "core/wbuf.h"
#include "enforcer/daemon/processes.h"
#include "enforcer/daemon/view.h"

#define METRICS_MAX (768u << 10) /* holds every answer */

/* A consistent copy of what an engine says about itself; false: it was
 * writing all the time (then *to is the last try). Bounded. */
bool lane_status_read(struct lane_status *to, const struct lane *lane);

/* view may be NULL. */
void metrics_write(struct wbuf *w, const struct guest_share *guest, size_t n,
		   const struct control *control, const struct view *view);

#endif
