/* SPDX-License-Identifier: Apache-2.0 */
/* What changes between packets: the policy set, and whether anything passes. */
#include "enforcer/pipeline/ask.h"
#include "enforcer/pipeline/tell.h"

/* Would the set open this connection? That a budget has no room now says
 * nothing about that; and nothing is charged for asking. */
static bool still_open(struct work *w)
{
	enum reason why = REASON_NONE;

	return judge_again(w, &why) || why == REASON_LIMIT_EXCEEDED;
}

static void look_at(struct work *w, uint32_t i)
{
	w->f = &w->p->flow[i];
	w->f_idx = i;
	w->s = 0;
}

static void close_flow(struct work *w, enum reason why, const char *detail)
{
	tell_closed(w, why, detail);
	if (w->f->tup.proto == PROTO_TCP)
		stream_refuse(w, why, 0);
	else
		flow_end(w, w->f_idx, why);
}

static void ask_again(struct work *w, uint32_t i, const struct pol_set *old,
		      const int *machine)
{
	look_at(w, i);
	rename_flow(w, old, (size_t)machine[w->f->guest]);
	if (!w->f->denied && !still_open(w))
		close_flow(w, REASON_NO_GRANT,
			   "the new policy would not open this connection");
}

void close_quarantined(struct work *w, uint32_t guest)
{
	struct pipeline *p = w->p;

	for (uint32_t i = 0; i < p->flows.fresh; i++) {
		look_at(w, i);
		if (w->f->used && w->f->guest == guest && !w->f->denied &&
		    !still_open(w))
			close_flow(w, REASON_QUARANTINED,
				   "its machine is in quarantine");
	}
}

int pipeline_policy(struct pipeline *p, const struct pol_set *set,
		    struct pol_state *state, struct now now,
		    const struct pipeline_sink *sink, struct err *e)
{
	struct work w = {.p = p, .sink = sink, .now = now, .f_idx = NONE};
	const struct pol_set *old = p->conf.policy;
	int machine[GUESTS_MAX]; /* of each guest, in the old set */

	if (!strict(p) || !set || !state)
		return err_set(e, E_STATE, 0, "facts only: no policy to change");
	for (size_t g = 0; g < p->n_guests; g++)
		machine[g] = p->guest[g].machine;
	if (!guests_change(p, set))
		return err_set(e, E_STATE, 0,
			       "a machine is missing from the new set, or it "
			       "has more than there is room for");
	p->conf.state = state;
	if (p->self >= 0)
		pol_state_one_sided(state, true);
	for (uint32_t i = 0; i < p->flows.fresh; i++) {
		if (p->flow[i].used)
			ask_again(&w, i, old, machine);
	}
	return 0;
}

void pipeline_freeze(struct pipeline *p, bool on)
{
	p->frozen = on;
}
