/* SPDX-License-Identifier: Apache-2.0 */
/* What changes between packets: the policy set, and whether anything passes. */
#include "enforcer/pipeline/state.h"

/* Would the set open this connection? That a budget has no room now says
 * nothing about that; and nothing is charged for asking. */
static bool still_open(struct work *w)
{
	enum reason why = REASON_NONE;
	bool ok = judge_again(w, &why);

	pol_abort(w->p->conf.state);
	return ok || why == REASON_LIMIT_EXCEEDED;
}

static void ask_again(struct work *w, uint32_t i, const struct pol_set *old,
		      const int *machine)
{
	struct flow *f = &w->p->flow[i];

	w->f = f;
	w->f_idx = i;
	w->s = 0;
	rename_flow(w, old, (size_t)machine[f->guest]);
	if (f->denied || still_open(w))
		return;
	tell_closed(w);
	if (f->tup.proto == PROTO_TCP)
		stream_refuse(w, REASON_NO_GRANT, 0);
	else
		flow_end(w, i, REASON_NO_GRANT);
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
