/* SPDX-License-Identifier: Apache-2.0 */
/* What rules did, told in full, counted, and notified; parts of storm.h. */
#ifndef ENFORCER_DAEMON_STORM_RULE_H
#define ENFORCER_DAEMON_STORM_RULE_H

#include "core/wbuf.h"
#include "enforcer/daemon/storm.h"

/* storm_rule.c */
/* The rule that an event names, or its reason; NULL: no place. */
struct storm_rule *storm_rule_of(struct storm *s, const struct event *ev);
/* It is told or counted. False: it is to be merged with others alike. */
bool storm_refused(struct storm *s, struct storm_rule *r,
		   const struct event *ev, storm_out *out, void *arg);
/* Whom the event's rules notify is told, now or in a count. r may be NULL. */
void storm_notice(struct storm *s, struct storm_rule *r,
		  const struct event *of, storm_out *out, void *arg);
/* What was counted since it was told last. */
void storm_tell_rules(struct storm *s, struct now now, storm_out *out,
		      void *arg);

/* storm.c */
bool storm_token(struct storm *s, struct mono now);
void storm_put_name(struct wbuf *w, struct span s);
void storm_describe(struct storm_key *k, const struct event *ev);
/* One more, or as many as an event counts that tells several already. */
void storm_count(struct storm_key *k, const struct event *ev);
void storm_tell(const struct storm_key *k, struct now now, storm_out *out,
		void *arg);

#endif
