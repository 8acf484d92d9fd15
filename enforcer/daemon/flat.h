/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event as one message of a ring: a copy without pointers, in the form of
 * this machine. Writing it is in the packet path, so it costs a few copies;
 * reading it is in the scribe, which takes nothing for granted: every length,
 * enumeration and index is checked, and what does not fit is E_SYNTAX. There
 * is one way to write what is accepted.
 *
 * A copy holds what the audit holds: facts that it leaves out (what was said)
 * stay behind, of a judged message's other leaves only the kinds are told.
 */
#ifndef ENFORCER_DAEMON_FLAT_H
#define ENFORCER_DAEMON_FLAT_H

#include "core/err.h"
#include "core/event.h"
#include "core/wbuf.h"

#define FLAT_MAX (64 * 1024)
#define FLAT_LEAST 64 /* octets of the shortest */
#define FLAT_TEXT 512 /* octets of one text or fact; more are cut */
/* Leaves of a judged message that are told: of more the audit lists none, so
 * the judged one takes the last place. */
#define FLAT_LISTED 65

/* Append ev to w, which has FLAT_MAX octets of room; of a message that was
 * only read (EV_PROTOCOL) as many leaves as fit. Never fails for an event of
 * our own. */
void flat_write(struct wbuf *w, const struct event *ev);

/* What a message said; pointers in ev point into this and into msg. */
struct flat_event {
	struct event ev;
	struct obs message;
	struct obs *leaves; /* room for FLAT_LEAVES, the caller's */
};
#define FLAT_LEAVES 1024
/* E_SYNTAX: it is not what flat_write writes. */
int flat_read(struct flat_event *out, struct span msg, struct err *e)
	__attribute__((warn_unused_result));
/* When a message's event was, unchecked otherwise: for putting several in
 * order before they are read. 0 when it is cut short. */
struct mono flat_time(struct span msg);

#endif
