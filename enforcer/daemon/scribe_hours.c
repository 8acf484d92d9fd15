/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What rules permit that say `audit: summary` (policy-language 16): the first
 * in an hour is a record, the rest of that hour is one record with its count.
 * What a rule refuses beyond those told in full, likewise, and in ten minutes
 * the rest of what it notifies: engines send what they counted, marked
 * `summary`, every second (storm.h).
 * Until the time is over the count lies beside the records, in the same commit
 * as the place in the ring up to which it counts: whoever dies, nothing is lost
 * or counted twice.
 *
 * A guest's places are its own, and so are those of what is permitted, refused
 * and notified: an engine can only run out of them, and then its events are
 * records each.
 */
#include <stdlib.h>

#include "audit/record.h"
#include "enforcer/daemon/scribe.h"
#include "enforcer/daemon/storm_rule.h"

#define NEVER	  INT64_MAX
#define OF_BEFORE "several alike, counted before the last start"

int hours_init(struct scribe *s, struct err *e)
{
	s->hours = calloc(s->a->n_guests ? s->a->n_guests : 1,
			  sizeof(*s->hours));
	s->hours_due_ns = NEVER;
	if (!s->hours)
		return err_set(e, E_NOMEM, 0, "out of memory");
	return 0;
}

void hours_forget(struct scribe *s)
{
	for (size_t g = 0; g < s->a->n_guests; g++)
		memset(s->hours[g].hash, 0, sizeof(s->hours[g].hash));
	s->hours_due_ns = NEVER;
}

/* --- counting ------------------------------------------------------------- */

/* Who sends cannot vary it: the rule; of what is permitted the direction and
 * the party, too. A count of refusals says one verdict of all that are in it,
 * and where no rule refused one reason. */
static uint64_t hash_of(const struct scribe *s, const struct event *ev)
{
	const struct event_rule *r = record_rule(ev);
	struct sipkey key;
	uint8_t octets[512];
	struct wbuf w = wbuf_of(octets, sizeof(octets));
	uint64_t h;

	memcpy(&key, s->a->boot_key, sizeof(key));
	wbuf_u8(&w, (uint8_t)ev->type);
	if (ev->type == EV_DECISION) {
		wbuf_u8(&w, (uint8_t)ev->dir);
		storm_put_name(&w, ev->party);
		/* As much of it as a count keeps. */
		storm_put_name(&w, span_sub(span_str(ev->app_proto), 0,
			sizeof(((struct storm_key *)0)->app) - 1));
	} else {
		wbuf_u8(&w, (uint8_t)ev->verdict);
		wbuf_u8(&w, ev->monitored);
		wbuf_u8(&w, r ? REASON_NONE : (uint8_t)ev->reason);
	}
	if (r) {
		storm_put_name(&w, r->layer);
		storm_put_name(&w, r->policy);
		storm_put_name(&w, r->rule);
		wbuf_be(&w, r->line, 4);
		wbuf_be(&w, r->serial, 8);
	}
	h = siphash24(&key, wbuf_span(&w));
	return h ? h : 1;
}

static struct mono end_of(const struct hour *h)
{
	return mono_add(h->since.mono,
			h->k.type == EV_NOTICE ? STORM_NOTICE : STORM_HOUR);
}

static void due_by(struct scribe *s, const struct hour *h)
{
	int64_t ns = end_of(h).ns;

	if (ns < s->hours_due_ns)
		s->hours_due_ns = ns;
}

/* The place of that hash, a free one if there is none, or HOURS. */
static size_t place_of(const struct guest_hours *g, enum event_type type,
		       uint64_t hash)
{
	size_t from = type == EV_DECISION    ? 0
		      : type == EV_VIOLATION ? HOURS_PERMITTED
					     : HOURS_PERMITTED + STORM_RULES;
	size_t to = from + (from ? STORM_RULES : HOURS_PERMITTED);
	size_t spare = HOURS;

	for (size_t i = from; i < to; i++) {
		if (g->hash[i] == hash)
			return i;
		if (g->hash[i] == 0 && spare == HOURS)
			spare = i;
	}
	return spare;
}

static int64_t within(int64_t v, int64_t min, int64_t max)
{
	return v < min ? min : v > max ? max : v;
}

static bool counts(const struct event *ev)
{
	switch (ev->type) {
	case EV_DECISION:
		return ev->verdict == VERDICT_ALLOW && !ev->monitored &&
		       ev->summary;
	case EV_VIOLATION:
	case EV_NOTICE:
		return ev->summary;
	default:
		return false;
	}
}

bool hours_event(struct scribe *s, int guest, struct event *ev)
{
	struct guest_hours *g;
	struct hour *h;
	uint64_t hash;
	size_t i;

	if (guest < 0 || !counts(ev))
		return false;
	scribe_time(s, ev);
	ev->last.ns = within(ev->last.ns, 0, ev->now.mono.ns);
	ev->first.ns = within(ev->first.ns, 0, ev->last.ns);
	g = &s->hours[guest];
	hash = hash_of(s, ev);
	i = place_of(g, ev->type, hash);
	if (i == HOURS)
		return false;
	h = &g->hour[i];
	if (g->hash[i] == 0) {
		memset(h, 0, sizeof(*h));
		storm_describe(&h->k, ev);
		g->hash[i] = hash;
		h->since = ev->now;
		due_by(s, h);
		if (ev->count == 0)
			return false;
	}
	/* How many are told in full is the engine's to say. */
	if (ev->count == 0 && ev->type != EV_DECISION)
		return false;
	storm_count(&h->k, ev);
	h->dirty = true;
	/* Time passes with counts as with records: a checkpoint is due. */
	s->last = ev->now.mono;
	scribe_waits(s);
	return true;
}

/* --- telling -------------------------------------------------------------- */

struct telling {
	struct scribe *s;
	int guest;
	const char *detail; /* NULL: as it is */
	int rc;
	struct err *e;
};

static void to_log(void *arg, const struct event *told)
{
	struct telling *t = arg;
	struct event ev = *told;

	if (t->detail)
		ev.detail = t->detail;
	t->rc = scribe_append(t->s, t->guest, &ev, t->e);
}

static uint64_t slot_of(size_t guest, size_t i)
{
	return guest * HOURS + i;
}

static int end_hour(struct scribe *s, size_t guest, size_t i, struct err *e)
{
	struct guest_hours *g = &s->hours[guest];
	struct hour *h = &g->hour[i];
	struct telling t = {.s = s, .guest = (int)guest, .e = e};

	if (h->k.sum.n)
		storm_tell(&h->k, (struct now){.mono = s->mono}, to_log, &t);
	if (t.rc == 0 && h->kept)
		t.rc = audit_tally(s->audit, slot_of(guest, i), NULL, e);
	g->hash[i] = 0;
	return t.rc;
}

static int end_hours(struct scribe *s, bool all, struct err *e)
{
	int rc = 0;

	s->hours_due_ns = NEVER;
	for (size_t k = 0; rc == 0 && k < s->a->n_guests * HOURS; k++) {
		size_t guest = k / HOURS, i = k % HOURS;
		const struct hour *h = &s->hours[guest].hour[i];

		if (s->hours[guest].hash[i] == 0)
			continue;
		if (all || mono_sub(s->mono, end_of(h)) >= 0)
			rc = end_hour(s, guest, i, e);
		else
			due_by(s, h);
	}
	return rc;
}

int hours_turn(struct scribe *s, struct err *e)
{
	return s->mono.ns >= s->hours_due_ns ? end_hours(s, false, e) : 0;
}

int hours_end(struct scribe *s, struct err *e)
{
	return end_hours(s, true, e);
}

/* --- keeping -------------------------------------------------------------- */

struct keeping {
	struct scribe *s;
	uint64_t slot;
	int rc;
	struct err *e;
};

/* As the count it would be if the hour were over, but told when it began. */
static void to_slot(void *arg, const struct event *ev)
{
	struct keeping *k = arg;

	k->rc = audit_tally(k->s->audit, k->slot, ev, k->e);
}

int hours_keep(struct scribe *s, struct err *e)
{
	struct keeping to = {.s = s, .e = e};

	for (size_t k = 0; to.rc == 0 && k < s->a->n_guests * HOURS; k++) {
		struct guest_hours *g = &s->hours[k / HOURS];
		struct hour *h = &g->hour[k % HOURS];

		if (g->hash[k % HOURS] == 0 || !h->dirty)
			continue;
		to.slot = k;
		storm_tell(&h->k, h->since, to_slot, &to);
		h->kept = true;
		h->dirty = false;
	}
	return to.rc;
}

/* --- what the log has ----------------------------------------------------- */

/* False: it is none of ours. */
static bool read_slot(const struct event *said, struct hour *h,
		      struct event *ev)
{
	*ev = *said;
	ev->summary = true; /* no record says so */
	if (!counts(ev))
		return false;
	memset(h, 0, sizeof(*h));
	storm_describe(&h->k, ev);
	storm_count(&h->k, ev);
	h->since = ev->now;
	h->kept = true;
	return true;
}

struct opening {
	struct scribe *s;
	struct hour hour;
	uint64_t slot;
	bool good;
};

static int take_place(void *arg, uint64_t slot, const struct event *said,
		      struct err *e)
{
	struct opening *o = arg;
	struct scribe *s = o->s;
	size_t guest = slot / HOURS, i = slot % HOURS;
	struct event ev;

	(void)e;
	o->slot = slot;
	o->good = guest < s->a->n_guests && read_slot(said, &o->hour, &ev);
	if (!o->good)
		return 1;
	s->hours[guest].hour[i] = o->hour;
	s->hours[guest].hash[i] = hash_of(s, &ev);
	due_by(s, &o->hour);
	return 0;
}

static int take_one(void *arg, uint64_t slot, const struct event *said,
		    struct err *e)
{
	struct opening *o = arg;
	struct event ev;

	(void)e;
	o->slot = slot;
	o->good = read_slot(said, &o->hour, &ev);
	return 1;
}

/* By our clock, of what the clock of another boot said: so long ago as the
 * time of day tells, but not before there was a clock. */
static struct mono since_then(const struct scribe *s, const struct hour *h,
			      struct mono then)
{
	__int128 ago = (__int128)s->wall_us - h->since.wall.us;

	ago = ago * 1000 - mono_sub(then, h->since.mono);
	if (ago < 0)
		ago = 0;
	return (struct mono){ago > s->mono.ns ? 0 : s->mono.ns - (int64_t)ago};
}

static int damaged(struct scribe *s, uint64_t slot, struct err *e)
{
	struct event ev = {
		.type = EV_ANOMALY,
		.now.mono = s->mono,
		.reason = REASON_MALFORMED,
		.detail = "an open count is none of ours, and is left out",
	};

	log_err(s->a->log, "the audit: open count %llu is none of ours",
		(unsigned long long)slot);
	reasons_add(&ev.reasons, ev.reason);
	return scribe_append(s, -1, &ev, e);
}

static int tell_old(struct scribe *s, struct hour *h, struct err *e)
{
	struct telling t = {
		.s = s, .guest = -1, .detail = OF_BEFORE, .e = e};
	struct storm_sum *sum = &h->k.sum;

	sum->first = since_then(s, h, sum->first);
	sum->last = since_then(s, h, sum->last);
	storm_tell(&h->k, (struct now){.mono = s->mono}, to_log, &t);
	return t.rc;
}

int hours_open(struct scribe *s, bool new_boot, struct err *e)
{
	struct opening o = {.s = s};
	int rc;

	hours_forget(s);
	/* Each turn takes one away that is not this boot's, or is damaged. */
	while ((rc = audit_tallies(s->audit, new_boot ? take_one : take_place,
				   &o, e)) == 1) {
		rc = o.good ? tell_old(s, &o.hour, e) : damaged(s, o.slot, e);
		if (rc == 0)
			rc = audit_tally(s->audit, o.slot, NULL, e);
		if (rc)
			break;
	}
	return rc;
}
