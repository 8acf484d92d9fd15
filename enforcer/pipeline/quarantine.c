/* SPDX-License-Identifier: Apache-2.0 */
/* That a machine loses its grants for a while, and has them back, is told, each
 * once; of one that was in quarantine when all began, at its first packet. Its
 * connections end with its grants: nothing else would be said of segments that
 * carry no message. */
#include <stdio.h>

#include "enforcer/pipeline/state.h"

static void tell(struct work *w, uint32_t guest, bool begins, int64_t left)
{
	char text[96] = "quarantine is over";
	struct event ev = {.type = EV_ANOMALY,
			   .now = w->now,
			   .guest = guest_name(w->p, guest),
			   .verdict = begins ? VERDICT_DENY : VERDICT_ALLOW,
			   .reason = REASON_QUARANTINED,
			   .severity = SEV_HIGH,
			   .detail = text};

	if (begins)
		snprintf(text, sizeof(text),
			 "quarantine: nothing but floors for %lld s",
			 (long long)((left + NS_PER_S - 1) / NS_PER_S));
	reasons_add(&ev.reasons, ev.reason);
	w->p->stats.anomalies[ev.reason]++;
	w->sink->event(w->sink->arg, &ev);
}

/* Whatever packet is at hand is done with. */
static void close_all(const struct work *of, uint32_t guest)
{
	struct work w = {.p = of->p,
			 .sink = of->sink,
			 .now = of->now,
			 .f_idx = NONE};

	close_quarantined(&w, guest);
}

void quarantine_look(struct work *w)
{
	struct pipeline *p = w->p;

	for (uint32_t i = 0; strict(p) && i < p->n_guests; i++) {
		struct guest *g = &p->guest[i];
		int64_t left;
		bool was;

		if (g->machine < 0 || (p->self >= 0 && (int)i != p->self))
			continue;
		left = pol_quarantined(p->conf.state, (size_t)g->machine,
				       w->now);
		was = g->quarantine.ns > 0;
		g->quarantine.ns = left > 0 ? w->now.mono.ns + left : 0;
		if ((left > 0) == was)
			continue;
		tell(w, i, left > 0, left);
		if (left > 0)
			close_all(w, i);
	}
}

int64_t quarantine_due(const struct pipeline *p)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < p->n_guests; i++) {
		int64_t at = p->guest[i].quarantine.ns;

		due = at > 0 && at < due ? at : due;
	}
	return due;
}
