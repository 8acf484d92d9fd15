/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: a Unix stream socket in the runtime directory. One
 * request per connection: a line "VERB [ARGUMENT]", answered by JSON: one
 * object, or for lists one object per line, ended by the end of the stream.
 * The first line of every answer has "ok": true or false, and "error" says
 * why. Peer credentials decide who may: root and control-group everything,
 * everybody else nothing.
 *
 * The panel of the meter has a socket of its own, with a group of its own: what
 * waits for the customer is confirmed there and nowhere else, so that who took
 * over the operator's or the portal's way in confirms nothing.
 *
 * Verbs are rows of one table (ctl_request.c): status, guests, flows GUEST,
 * budgets GUEST, why [GUEST], notices, freeze GUEST, thaw GUEST, reload, policies,
 * diff, metrics, propose OCTETS (a customer's file follows, so many octets),
 * export FORM (the log is about to be exported so; the answer names it); on
 * both pending, on the panel's confirm CODE. What changes something, and an
 * export, is recorded with the peer's uid before it is done, or allowed
 * (acts.h).
 */
#ifndef ENFORCER_DAEMON_CTL_H
#define ENFORCER_DAEMON_CTL_H

#include <stdbool.h>

#include "core/err.h"
#include "core/span.h"

#define CTL_SOCKET  "control"
#define CTL_PANEL   "panel"   /* of the meter's own display and buttons */
#define CTL_METRICS "metrics" /* socket of the courier beside it */
#define CTL_REQUEST 256 /* octets of a request at most */
#define CTL_BODY    (256u << 10) /* of what follows one at most */

enum ctl_verb {
	CTL_STATUS,
	CTL_GUESTS,
	CTL_FLOWS,
	CTL_BUDGETS,
	CTL_LEDGER,
	CTL_WHY,
	CTL_NOTICES,
	CTL_FREEZE,
	CTL_THAW,
	CTL_ERASE,
	CTL_RELEASE,
	CTL_RELOAD,
	CTL_POLICIES,
	CTL_DIFF,
	CTL_PENDING,
	CTL_CONFIRM,
	CTL_PROPOSE,
	CTL_EXPORT,
	CTL_METRICS_TEXT,
	CTL_VERBS
};

struct ctl_request {
	enum ctl_verb verb;
	char guest[48]; /* empty: none was named; a code of CTL_CONFIRM, a
			 * form of CTL_EXPORT */
	uint32_t body;	/* octets that follow; 0: none */
};

/* Is it answered on the panel's socket, or on the other one? */
bool ctl_verb_may(enum ctl_verb v, bool panel);

/* One request without its newline. E_SYNTAX with what would have been right. */
int ctl_request(struct ctl_request *out, struct span line, struct err *e)
	__attribute__((warn_unused_result));
const char *ctl_verb_name(enum ctl_verb v);

#endif
