/* SPDX-License-Identifier: Apache-2.0 */
/* Events from all rings, in the order of their times, into records. */
#include "enforcer/daemon/scribe.h"

#define TURN	   8192 /* messages looked at between two beats */
#define CROWDED	   3	/* a third of a ring */
#define FUTURE_NS  NS_PER_S /* clocks are the same; more is a lie */

/* --- one record ----------------------------------------------------------- */

/* The scribe's clocks are the ones that count: an engine's time is taken only
 * for the order and the age of its events. Records of one boot never go back:
 * an event that comes late gets the time of the last record. */
void scribe_time(const struct scribe *s, struct event *ev)
{
	struct mono when = ev->now.mono;

	if (mono_sub(when, s->mono) > 0)
		when = s->mono;
	if (mono_sub(when, s->last) < 0)
		when = s->last;
	ev->now.mono = when;
	ev->now.wall.us = s->wall_us - mono_sub(s->mono, when) / 1000;
}

/* Somebody waits until these are durable. */
static bool is_urgent(const struct event *ev)
{
	return ev->type == EV_POLICY || ev->type == EV_MAINTENANCE ||
	       ev->type == EV_ATTESTATION || ev->type == EV_BOOT ||
	       ev->type == EV_EXPORT;
}

/* Of what the parent tells, too: drops that no engine sees. */
static int whose(const struct scribe *s, int guest, const struct event *ev)
{
	for (size_t i = 0; guest < 0 && ev->guest.n && i < s->a->n_guests; i++) {
		if (span_is(ev->guest, s->a->guest[i].name))
			guest = (int)i;
	}
	return guest;
}

void scribe_waits(struct scribe *s)
{
	if (s->pending++ == 0)
		s->since = s->mono;
}

int scribe_append(struct scribe *s, int guest, struct event *ev,
		  struct err *e)
{
	uint64_t seq;
	int rc;

	scribe_time(s, ev);
	audit_policy(s->audit,
		     atomic_load_explicit(&s->a->control->policy_generation,
					  memory_order_relaxed));
	rc = audit_append(s->audit, ev, &seq, e);
	if (rc)
		return rc;
	s->last = ev->now.mono;
	scribe_waits(s);
	s->urgent |= is_urgent(ev);
	scribe_view_add(&s->view, whose(s, guest, ev), ev, seq);
	return 0;
}

/* An engine that writes what cannot be read is not one of ours any more: the
 * parent kills it for its count. That it happened is recorded, at most once a
 * second. */
static int nonsense(struct scribe *s, struct source *from, const char *what,
		    struct err *e)
{
	struct event ev = {
		.type = EV_ANOMALY,
		.now.mono = s->mono,
		.verdict = VERDICT_DENY,
		.reason = REASON_MALFORMED,
		.detail = what,
	};

	if (from->guest < 0) {
		log_err(s->a->log, "the parent's events: %s", what);
		return 0;
	}
	atomic_fetch_add(&s->a->guest[from->guest].lane->gate_bad, 1);
	if (from->told.ns && mono_sub(s->mono, from->told) < NS_PER_S)
		return 0;
	from->told = s->mono;
	reasons_add(&ev.reasons, ev.reason);
	ev.guest = span_str(s->a->guest[from->guest].name);
	log_err(s->a->log, "engine of %s: %s", s->a->guest[from->guest].name,
		what);
	return scribe_append(s, from->guest, &ev, e);
}

/* What an engine may say: what happened to its own guest's packets. */
static bool may_say(const struct scribe *s, const struct source *from,
		    const struct event *ev)
{
	if (from->guest < 0)
		return true;
	if (ev->guest.n &&
	    !span_is(ev->guest, s->a->guest[from->guest].name))
		return false;
	return event_of_packets(ev->type);
}

static int record(struct scribe *s, struct source *from, struct err *e)
{
	struct event *ev = &s->in.ev;
	struct span msg = span_of(from->buf, from->n);
	struct err why = {0};
	int rc;

	from->n = 0;
	from->taken++;
	if (flat_read(&s->in, msg, &why))
		return nonsense(s, from, "its events cannot be read", e);
	if (mono_sub(ev->now.mono, s->mono) > 0)
		scribe_clocks(s);
	if (mono_sub(ev->now.mono, s->mono) > FUTURE_NS)
		return nonsense(s, from, "its events are of the future", e);
	if (!may_say(s, from, ev))
		return nonsense(s, from, "its events are not its own", e);
	if (!audit_wants(ev))
		return 0;
	if (hours_event(s, from->guest, ev))
		return 0;
	rc = scribe_append(s, from->guest, ev, e);
	/* Well formed, and still nothing that a record can say. */
	return rc == E_LIMIT
		       ? nonsense(s, from, "its events cannot be recorded", e)
		       : rc;
}

/* --- the rings ------------------------------------------------------------ */

/* A ring whose content makes no sense: all that was published is passed over,
 * if it can be known how much that is. */
static int pass_over(struct scribe *s, struct source *from, struct err *e)
{
	uint64_t head = atomic_load(&from->r.s->head);

	if (head % 8 == 0 && head - from->r.edge <= from->r.size) {
		from->r.at = from->r.other = head;
	} else {
		from->bad_head = head;
		ring_rewind(&from->r);
	}
	return nonsense(s, from, "its ring of events is broken", e);
}

static bool waits(const struct source *from)
{
	uint64_t head = atomic_load(&from->r.s->head);

	return from->n || (head != from->r.at && head != from->bad_head);
}

bool scribe_anything(const struct scribe *s)
{
	for (size_t i = 0; i < s->n_src; i++) {
		if (waits(&s->src[i]) && !scribe_pace_holds(s, &s->src[i]))
			return true;
	}
	return false;
}

bool scribe_held_back(const struct scribe *s)
{
	for (size_t i = 0; i < s->n_src; i++) {
		if (scribe_pace_holds(s, &s->src[i]) && waits(&s->src[i]))
			return true;
	}
	return false;
}

static int fetch(struct scribe *s, struct source *from, struct err *e)
{
	int64_t n;

	if (from->n || !waits(from))
		return 0;
	from->before = from->r.at;
	n = ring_get(&from->r, from->buf, FLAT_MAX);
	if (n < 0)
		return pass_over(s, from, e);
	from->n = (size_t)n;
	from->when = flat_time(span_of(from->buf, from->n));
	return 0;
}

/* The oldest of what the rings have next; NULL: they are empty. Who had its
 * share of this commit stands back while others have something: an engine may
 * say that its events are of long ago, all the time. */
static int next_source(struct scribe *s, struct source **out, struct err *e)
{
	uint32_t share = BATCH / (uint32_t)s->n_src;
	bool behind = true; /* *out has had its share */
	int rc = 0;

	*out = NULL;
	for (size_t i = 0; rc == 0 && i < s->n_src; i++) {
		struct source *from = &s->src[i];
		bool had = from->taken >= share;

		if (scribe_pace_holds(s, from))
			continue;
		rc = fetch(s, from, e);
		if (from->n == 0 || (had && !behind))
			continue;
		if (!*out || (behind && !had) ||
		    mono_sub(from->when, (*out)->when) < 0) {
			*out = from;
			behind = had;
		}
	}
	return rc;
}

/* So much of a ring waits for the commit that its engine would soon wait, too:
 * it goes on writing in what is left meanwhile. */
bool scribe_crowded(const struct scribe *s)
{
	for (size_t i = 0; i < s->n_src; i++) {
		const struct ring *r = &s->src[i].r;

		if (r->at - r->edge > r->size / CROWDED)
			return true;
	}
	return false;
}

int scribe_take(struct scribe *s, struct err *e)
{
	struct source *from;
	uint64_t octets;
	int rc = scribe_pace_turn(s, e);

	for (int i = 0; rc == 0 && i < TURN && s->pending < BATCH; i++) {
		rc = next_source(s, &from, e);
		if (rc || !from)
			break;
		octets = audit_octets(s->audit);
		rc = record(s, from, e);
		scribe_pace_take(s, from, audit_octets(s->audit) - octets);
	}
	return rc;
}

/* Messages in hand are not covered by the commit. */
void scribe_put_back(struct scribe *s)
{
	for (size_t i = 0; i < s->n_src; i++) {
		if (s->src[i].n)
			s->src[i].r.at = s->src[i].before;
		s->src[i].n = 0;
	}
}
