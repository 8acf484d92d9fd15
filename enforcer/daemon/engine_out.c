/* SPDX-License-Identifier: Apache-2.0 */
/* What the pipeline says, into the two rings: events to the scribe, verdicts
 * to the gate. An event is in its ring before the verdict that it explains is
 * in the other; when there is no room for it, everything waits. */
#include "enforcer/daemon/engine.h"

#include <netinet/in.h>

#include "audit/audit.h"

/* --- events --------------------------------------------------------------- */

void out_publish(struct engine *e)
{
	bool told = ring_publish(&e->events);

	ring_publish(&e->verdicts);
	/* The gate first: somebody waits for what it does. */
	if (told)
		ring_wake(&e->a->control->scribe_sleeps);
}

/* False: told to end while waiting. */
static bool wait_room(struct engine *e, struct ring *r, size_t n)
{
	out_publish(e);
	while (!ring_wait_room(r, n, ENGINE_WAIT_MS)) {
		engine_turn(e);
		query_waiting(e);
		if (e->stop)
			return false;
		/* Its wake-up may have gone to one who died. */
		ring_wake(&e->a->control->scribe_sleeps);
	}
	return true;
}

static void put_event(void *arg, const struct event *ev)
{
	struct engine *e = arg;
	struct wbuf w = wbuf_of(e->flat, FLAT_MAX);

	if (e->mute)
		return;
	flat_write(&w, ev);
	while (ring_put(&e->events, wbuf_span(&w)) < 0) {
		e->waits++;
		if (!wait_room(e, &e->events, w.n)) {
			/* From here on nothing passes either. */
			e->mute = true;
			return;
		}
	}
}

static void on_event(void *arg, const struct event *ev)
{
	struct engine *e = arg;
	struct event of_frozen;

	if (!audit_wants(ev))
		return;
	/* A frozen guest's packets are not looked at: whose they are, the
	 * queue says. */
	if (ev->reason == REASON_FROZEN && ev->guest.n == 0) {
		of_frozen = *ev;
		of_frozen.guest = span_str(e->a->guest->name);
		ev = &of_frozen;
	}
	e->storm->tight =
		atomic_load_explicit(&e->a->control->audit_tight,
				     memory_order_relaxed) != 0;
	storm_event(e->storm, ev, put_event, e);
}

void out_tick(struct engine *e)
{
	storm_tick(e->storm, e->now, put_event, e);
}

void out_end(struct engine *e)
{
	storm_flush(e->storm, e->now, put_event, e);
	out_publish(e);
}

/* --- nothing can be recorded ----------------------------------------------- */

bool out_closed(const struct engine *e)
{
	return e->late || !e->settled ||
	       atomic_load_explicit(&e->a->control->audit_closed,
				    memory_order_relaxed) != 0;
}

static void tell_shut(struct engine *e)
{
	struct event ev = {
		.type = EV_ANOMALY,
		.now = e->now,
		.guest = span_str(e->a->guest->name),
		.verdict = VERDICT_DENY,
		.reason = REASON_AUDIT_CLOSED,
		.detail = "dropped while nothing could be recorded",
		.count = e->shut - e->shut_told,
		.count_octets = e->shut_octets - e->shut_octets_told,
		.first = e->shut_first,
		.last = e->shut_last,
	};

	e->shut_told = e->shut;
	e->shut_octets_told = e->shut_octets;
	reasons_add(&ev.reasons, ev.reason);
	put_event(e, &ev);
	e->told = false;
}

/* A message leaves its ring when its record is durable: what was there at the
 * last look has to be gone within half the bound. */
void out_durable(struct engine *e)
{
	const struct ring_shared *s = e->events.s;
	uint64_t tail = atomic_load_explicit(&s->tail, memory_order_acquire);

	if ((int64_t)(tail - e->mark_at) >= 0) {
		e->late = false;
		e->mark_at = e->events.edge;
		e->mark_ns = e->now.mono.ns;
	} else {
		e->late = e->now.mono.ns - e->mark_ns > AUDIT_LATE_NS / 2;
	}
	if (e->shut != e->shut_told && !out_closed(e))
		tell_shut(e);
}

/* --- verdicts ------------------------------------------------------------- */

static unsigned bucket(int64_t ns)
{
	static const int64_t within[ENGINE_BUCKETS - 1] = {
		10000,	 30000,	  100000,  300000,
		1000000, 3000000, 10000000,
	};
	unsigned i = 0;

	while (i < ENGINE_BUCKETS - 1 && ns > within[i])
		i++;
	return i;
}

/* Those of this batch are counted when it is sent. */
static void add_latency(struct engine *e, int64_t ns, uint64_t n)
{
	e->latency[bucket(ns)] += n;
	e->latency_sum_ns += (uint64_t)(ns > 0 ? ns : 0) * n;
}

static void count_latency(struct engine *e, uint64_t id)
{
	uint64_t us = (e->batch_time - (id & ~(uint64_t)0 << ID_TIME)) >>
		      ID_TIME;

	if (us == 0)
		e->at_once++;
	else
		add_latency(e, (int64_t)us * 1000, 1);
}

void out_latency(struct engine *e)
{
	if (e->at_once)
		add_latency(e, live_mono().ns - e->batch_ns, e->at_once);
	e->at_once = 0;
}

static void put_verdict(struct engine *e, const void *msg, size_t n)
{
	while (ring_put(&e->verdicts, span_of(msg, n)) < 0) {
		/* Without a verdict it stays in the kernel, and is dropped
		 * when this engine is gone. */
		if (!wait_room(e, &e->verdicts, n))
			return;
	}
}

static void take_mark(struct engine *e, uint64_t id, struct lane_verdict *v)
{
	if (e->mark_id != id || !e->mark)
		return;
	v->has_mark = 1;
	v->mark = e->mark;
	e->mark = 0;
}

static void on_verdict(void *arg, uint64_t id, enum packet_verdict verdict,
		       enum reason why)
{
	struct engine *e = arg;
	struct lane_verdict v = {.id = (uint32_t)id, .kind = VK_DROP};

	(void)why; /* its event came before */
	if (verdict == PACKET_HOLD)
		return;
	if (verdict == PACKET_PASS && !e->mute && !out_closed(e))
		v.kind = VK_PASS;
	take_mark(e, id, &v);
	put_verdict(e, &v, VERDICT_SHORT);
	count_latency(e, id);
}

void out_poison(struct engine *e, uint32_t id, uint32_t octets)
{
	struct event ev = {
		.type = EV_ANOMALY,
		.now = e->now,
		.guest = span_str(e->a->guest->name),
		.verdict = VERDICT_DENY,
		.reason = REASON_POISON,
		.octets = octets,
	};

	e->poisoned++;
	e->poisoned_octets += octets;
	reasons_add(&ev.reasons, ev.reason);
	on_event(e, &ev);
	out_drop(e, id);
}

void out_lost(struct engine *e)
{
	struct event ev = {
		.type = EV_ANOMALY,
		.now = e->now,
		.guest = span_str(e->a->guest->name),
		.verdict = VERDICT_DENY,
		.reason = REASON_LIMIT_EXCEEDED,
		.detail = "the guest's counters are lost, damaged or an old "
			  "copy: every budget counts as used up",
	};

	reasons_add(&ev.reasons, ev.reason);
	on_event(e, &ev);
}

void out_drop(struct engine *e, uint32_t id)
{
	struct lane_verdict v = {.id = id, .kind = VK_DROP};

	put_verdict(e, &v, VERDICT_SHORT);
}

/* --- segments ------------------------------------------------------------- */

static void fill_segment(struct engine *e, struct lane_verdict *v,
			 const struct segment_out *s)
{
	const struct hop *hop;

	v->seg.tup = s->tup;
	v->seg.seq = s->seq;
	v->seg.ack = s->ack;
	v->seg.window = s->window;
	v->seg.flags = s->flags;
	v->seg.has_ts = s->has_ts;
	v->seg.tsval = s->tsval;
	v->seg.tsecr = s->tsecr;
	v->seg.to_guest = s->dir == DIR_IN;
	hop = hops_find(&e->hops, &s->tup.dst);
	if (!hop)
		return;
	v->seg.has_mac = 1;
	memcpy(v->seg.mac, hop->mac, sizeof(v->seg.mac));
	v->seg.ifindex = hop->ifindex;
}

static void on_inject(void *arg, const struct segment_out *s)
{
	struct engine *e = arg;
	union {
		struct lane_verdict v;
		uint8_t octets[VERDICT_MAX];
	} m;

	if (e->mute || s->payload.n > CRAFT_PAYLOAD)
		return;
	memset(&m.v, 0, sizeof(m.v));
	m.v.kind = VK_CRAFT;
	m.v.payload = (uint16_t)s->payload.n;
	fill_segment(e, &m.v, s);
	if (s->payload.n)
		memcpy(m.octets + sizeof(m.v), s->payload.p, s->payload.n);
	put_verdict(e, &m, sizeof(m.v) + s->payload.n);
}

static void on_replace(void *arg, uint64_t id, const struct segment_out *s,
		       enum reason why)
{
	struct engine *e = arg;
	struct lane_verdict v = {.id = (uint32_t)id, .kind = VK_RESET};

	/* The kernel would still cut a super-packet that is short now. */
	if (e->mute || (id & ID_GSO)) {
		on_verdict(arg, id, PACKET_DROP, why);
		on_inject(arg, s);
		return;
	}
	take_mark(e, id, &v);
	fill_segment(e, &v, s);
	put_verdict(e, &v, sizeof(v));
	count_latency(e, id);
}

static void on_offload(void *arg, uint64_t id, unsigned class)
{
	struct engine *e = arg;

	/* No rule took it: it would come round for ever. */
	if (e->again && class == OFFLOAD_REFUSED)
		return;
	e->mark_id = id;
	e->mark = atomic_load_explicit(&e->a->control->mark_generation,
				       memory_order_acquire) |
		  (class << MARK_CLASS_SHIFT & MARK_CLASS);
	/* The freeze came before the generation: what it took back is not given
	 * again. */
	if (atomic_load_explicit(&e->lane->frozen, memory_order_relaxed))
		e->mark = 0;
}

void out_init(struct engine *e, const struct sipkey *key)
{
	struct storm_conf conf = {.key = *key};

	memcpy(conf.guest, e->a->guest->name, sizeof(conf.guest));
	ring_writer(&e->verdicts, e->a->guest->verdicts, VERDICT_RING);
	ring_writer(&e->events, e->a->guest->events, EVENT_RING);
	e->mark_at = e->events.edge;
	e->mark_ns = e->now.mono.ns;
	/* What a predecessor had counted and not told. */
	storm_recover(e->storm, e->now, put_event, e);
	storm_init(e->storm, &conf);
	e->sink = (struct pipeline_sink){
		.arg = e,
		.verdict = on_verdict,
		.event = on_event,
		.inject = on_inject,
		.replace = on_replace,
		.offload = e->a->conf->offload ? on_offload : NULL,
	};
}
