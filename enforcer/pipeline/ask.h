/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policy says: of a unit, of packets, of a flow. Charges are
 * tentative until pol_commit or pol_abort.
 */
#ifndef ENFORCER_PIPELINE_ASK_H
#define ENFORCER_PIPELINE_ASK_H

#include "enforcer/pipeline/state.h"

static inline const struct obs *unit_carrier(const struct work *w,
					     const struct judged_unit *u)
{
	return u->n ? &w->p->obs[u->first] : NULL;
}

/* Between two machines, when one pipeline judges for both. */
static inline bool two_sided(const struct work *w)
{
	return strict(w->p) && w->p->self < 0 && w->f->peer >= 0;
}

static inline enum dir judged_dir(const struct work *w)
{
	enum dir d = side_dir(w->f, w->s);

	return w->as_peer ? (enum dir)!d : d;
}

static inline size_t judged_machine(const struct work *w)
{
	return (size_t)(w->as_peer ? w->f->peer :
				     w->p->guest[w->f->guest].machine);
}

/* What is said of octets that nobody reads. */
static inline void obs_opaque(struct obs o[2], uint32_t octets)
{
	o[0] = (struct obs){.kind = OBS_FLOW_OPEN};
	o[1] = (struct obs){.kind = OBS_OPAQUE};
	obs_u64(&o[1], F_OCTETS, octets);
}

/* Of the unit: u->d, and which rules decided about each of its leaves. */
void ask_policy(struct work *w, struct judged_unit *u);
/* May this flow be opened? Tells when not; *why: the reason. */
bool judge_open(struct work *w, enum reason *why);
/* Does the policy know the other end of a packet that has no flow? */
bool known_party(struct work *w, uint16_t guest, enum dir dir, int peer);
/* May so many octets more, of which none is read, go the way of w->s? Tells
 * nothing; charges are tentative. */
bool judge_carried(struct work *w, uint32_t octets, struct pol_decision *d);
/* Would the policy of now open it? Tells nothing, charges nothing. */
bool judge_again(struct work *w, enum reason *why);
/* The octets and packets of one that waits and is about to leave, with all
 * parts of its datagram. Tells when there is no room; *why, which is not
 * touched otherwise: the reason. */
bool judge_held(struct work *w, uint32_t h, enum reason *why);

#endif
