/* SPDX-License-Identifier: Apache-2.0 */
/* What was read, and what was decided about it, as events. */
#ifndef ENFORCER_PIPELINE_TELL_H
#define ENFORCER_PIPELINE_TELL_H

#include "enforcer/pipeline/state.h"

/* A decision into an event that was begun. */
void event_decision(struct event *ev, const struct pol_decision *d);
/* What a unit says. */
void tell_protocol(struct work *w, const struct judged_unit *u);
/* Oddities that were let pass: one anomaly each. */
void tell_notes(struct work *w, const struct judged_unit *u);
/* detail: in place of the decision's text, or NULL. */
void tell_violation(struct work *w, const struct judged_unit *u,
		    const char *detail);
/* What a dissector refused: an anomaly, with what policy had to say. */
void tell_refused(struct work *w, const struct judged_unit *u,
		  const struct err *e);
/* That all units at hand are let through, leaf by leaf. */
void tell_decisions(struct work *w);
/* That one which policy let through is not: its sibling was refused. */
void tell_sibling(struct work *w, const struct judged_unit *u);

/* That so many octets may go, of which none is read. */
void tell_carried(struct work *w, uint32_t octets,
		  const struct pol_decision *d);
/* That the policy of now would not open the flow. */
void tell_closed(struct work *w, enum reason why, const char *detail);

#endif
