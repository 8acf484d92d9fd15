/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/acts.h"

#include <stdio.h>

#include "enforcer/daemon/parent.h"

/* clang-format off */
static const struct {
	enum event_type type;
	bool at_once;
	const char *what; /* is not done */
	const char *text; /* of the record: before who */
} acts[ACT_KINDS] = {
	[ACT_RELOAD]   = {EV_MAINTENANCE, false, "the reload",
			  "reload asked for by "},
	[ACT_IN_FORCE] = {EV_POLICY,	  false, "the change of policies",
			  "about to come into force: "},
	[ACT_CONFIRM]  = {EV_POLICY,	  false, "the confirmation",
			  "the panel confirms "},
	[ACT_PROPOSE]  = {EV_POLICY,	  false, "the proposal",
			  "a customer's file is proposed "},
	[ACT_FREEZE]   = {EV_MAINTENANCE, true,	 "the freeze",
			  "frozen by "},
	[ACT_THAW]     = {EV_MAINTENANCE, false, "the thaw",
			  "thawed by "},
	[ACT_ERASE]    = {EV_MAINTENANCE, false, "the erasure",
			  "ledger erased by "},
	[ACT_RELEASE]  = {EV_MAINTENANCE, false, "the release",
			  "quarantine ended by "},
	[ACT_EXPORT]   = {EV_EXPORT,	  false, "the export",
			  "exported "},
};
/* clang-format on */

static enum act_may refuse(struct act *a, const char *why)
{
	snprintf(a->why, sizeof(a->why), "%s", why);
	return a->is = ACT_REFUSED;
}

/* It was said that it would be done. */
static enum act_may give_up(struct parent *p, struct act *a,
			    enum act_kind kind, const char *guest,
			    const char *why)
{
	if (!acts[kind].at_once)
		parent_note(p, acts[kind].type, REASON_NONE, guest,
			    "%s was not done: %.120s", acts[kind].what, why);
	return refuse(a, why);
}

static enum act_may begin(struct parent *p, struct act *a, enum act_kind kind,
			  const char *guest, const char *who)
{
	const char *why = parent_may_not_act(p);

	if (why && !acts[kind].at_once)
		return refuse(a, why);
	if (!parent_note(p, acts[kind].type, REASON_NONE, guest, "%s%.120s",
			 acts[kind].text, who))
		return refuse(a, "the audit takes no record now; try again");
	a->begun = true;
	a->record = p->events.edge;
	a->until_ns = p->now.mono.ns + ACT_NS;
	return ACT_WAITS;
}

/* What was done at once does not wait for a TPM that is not there. */
static bool durable(const struct parent *p, const struct act *a,
		    enum act_kind kind)
{
	if (acts[kind].at_once && parent_may_not_act(p))
		return parent_written(p, a->record);
	return parent_durable(p, a->record);
}

enum act_may act(struct parent *p, struct act *a, enum act_kind kind,
		 const char *guest, const char *who)
{
	const char *why;

	if (!a->begun && a->is == ACT_WAITS)
		begin(p, a, kind, guest, who);
	if (a->is != ACT_WAITS)
		return a->is;
	why = parent_may_not_act(p);
	if (durable(p, a, kind))
		return a->is = ACT_DO;
	if (why && !acts[kind].at_once)
		return give_up(p, a, kind, guest, why);
	if (p->now.mono.ns > a->until_ns)
		return give_up(p, a, kind, guest,
			       "its record was not durable in time");
	return ACT_WAITS;
}

void act_covers(const struct parent *p, struct act *a)
{
	if (a->record == p->events.edge)
		return;
	a->record = p->events.edge;
	a->until_ns = p->now.mono.ns + ACT_NS;
	a->is = ACT_WAITS;
}
