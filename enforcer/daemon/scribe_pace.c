/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast one guest's engine may fill the log. What it writes by its own rules
 * is bounded by policy and by its storm (storm.h); one that was taken over
 * keeps no rule, and would push what others recorded out of a log with a bound.
 *
 * A bucket for each ring, in octets of the log: what goes beyond it stays in
 * the ring. Then its engine's packets wait or are dropped, by what holds for a
 * full ring and for events that are not durable in time, and nothing passes
 * unrecorded. The parent's events have no bucket: nobody's packets make them
 * but at a rate of their own. Nor has the end: what is in the rings then is
 * written, and is no more than they hold.
 */
#include "enforcer/daemon/scribe.h"

#define BURST_PART 8	/* of the log's bound, at once */
#define FILLS_S	   3600 /* seconds in which one guest may write the bound */
#define ALARM	   80	/* percent of the bucket */
#define QUIET	   50

/* Until so many octets are paid for: both are below 2^41. */
static int64_t time_of(const struct scribe *s, uint64_t octets)
{
	return (int64_t)(octets / s->rate * NS_PER_S +
			 octets % s->rate * NS_PER_S / s->rate);
}

void scribe_pace_init(struct scribe *s)
{
	const struct conf *c = s->a->conf;

	s->rate = c->audit_rate ? c->audit_rate : c->audit_bound / FILLS_S;
	if (s->rate)
		s->burst_ns = time_of(s, c->audit_bound / BURST_PART);
	scribe_pace_back(s);
}

static bool bounded(const struct scribe *s, const struct source *from)
{
	return from->guest >= 0 && s->rate != 0;
}

bool scribe_pace_holds(const struct scribe *s, const struct source *from)
{
	if (s->stopping)
		return false;
	/* There is no room until something was removed. */
	if (s->audit && audit_full(s->audit))
		return true;
	return bounded(s, from) && from->paid_ns - s->mono.ns > s->burst_ns;
}

void scribe_pace_take(struct scribe *s, struct source *from, uint64_t octets)
{
	if (!bounded(s, from) || octets == 0)
		return;
	if (from->paid_ns < s->mono.ns)
		from->paid_ns = s->mono.ns;
	from->paid_ns += time_of(s, octets);
}

void scribe_pace_keep(struct scribe *s)
{
	for (size_t i = 0; i < s->n_src; i++) {
		struct source *from = &s->src[i];

		if (from->guest >= 0)
			atomic_store(&s->a->guest[from->guest].lane->audit_paid,
				     from->paid_ns);
	}
}

void scribe_pace_back(struct scribe *s)
{
	for (size_t i = 0; i < s->n_src; i++) {
		struct source *from = &s->src[i];

		if (from->guest >= 0)
			from->paid_ns = atomic_load(
				&s->a->guest[from->guest].lane->audit_paid);
	}
}

/* Once until half of the bucket is empty again: a guest cannot fill the log by
 * being told of. */
static int alarm_of(struct scribe *s, struct source *from, uint32_t percent,
		    struct err *e)
{
	struct lane *lane = s->a->guest[from->guest].lane;
	const char *name = s->a->guest[from->guest].name;
	struct event ev = {
		.type = EV_ANOMALY,
		.now.mono = s->mono,
		.guest = span_str(name),
		.reason = REASON_LIMIT_EXCEEDED,
		.detail = "its records come so fast that four fifths of what "
			  "may come at once are there",
	};

	if (percent < QUIET)
		atomic_store(&lane->audit_alarm, 0);
	if (percent < ALARM || atomic_exchange(&lane->audit_alarm, 1) != 0)
		return 0;
	reasons_add(&ev.reasons, ev.reason);
	log_warn(s->a->log, "records of %s come so fast that %u %% of what may "
		 "come at once are there; beyond it they, and its packets, "
		 "wait for %llu octets a second", name, percent,
		 (unsigned long long)s->rate);
	return scribe_append(s, from->guest, &ev, e);
}

int scribe_pace_turn(struct scribe *s, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->n_src; i++) {
		struct source *from = &s->src[i];
		int64_t left = from->paid_ns - s->mono.ns;
		uint32_t percent;

		if (!bounded(s, from))
			continue;
		percent = left <= 0		? 0
			  : left >= s->burst_ns ? 100
						: (uint32_t)(left /
						  (s->burst_ns / 100 + 1));
		atomic_store(&s->a->guest[from->guest].lane->audit_percent,
			     percent);
		rc = alarm_of(s, from, percent, e);
	}
	return rc;
}
