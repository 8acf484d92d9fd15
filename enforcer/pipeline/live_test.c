/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ends that speak TCP through a live pipeline, in a time of their own:
 * links that lose, an MSS of 536, writers of one octet with Nagle's algorithm,
 * half units, windows that close. Whatever is written arrives, once and whole,
 * and nothing leaves the gateway before it is judged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/siphash.h"
#include "enforcer/pipeline/testkit.h"

#define MS	 (NS_PER_S / 1000)
#define STREAM	 (3 * 1024 * 1024)
#define FLIGHT	 8192 /* packets on their way */
#define ID_SLOTS 65536
#define RCVBUF	 (256 * 1024)

enum writer { BULK, ONE_OCTET, HALF_UNITS, NO_DELAY };

struct plan {
	const char *why;
	uint32_t octets;  /* to be sent by one end */
	uint32_t unit;	  /* octets of a unit */
	uint16_t mss;
	uint32_t burst;	  /* octets of a packet before it is cut: GSO */
	enum writer writer;
	unsigned loss[2]; /* per mille, on the guest's side, on the other */
	uint32_t window;  /* of the receiver */
	bool pauses;	  /* the receiver reads nothing now and then */
	bool ts;
	bool in;	  /* the far end sends */
};

struct seg {
	bool to_b;	/* towards the far end */
	bool arrived;	/* at the gateway: what is left is the other link */
	uint32_t seq, ack, ts, ecr;
	uint8_t flags;
	uint16_t window;
	uint32_t n;
	uint8_t *octets;
};

struct flying {
	int64_t at;
	uint64_t order;
	struct seg s;
};

struct end {
	uint32_t iss, una, nxt, max; /* places in its stream are iss + 1 + i */
	uint32_t wnd, cwnd, ssthresh;
	unsigned dups, backoff;
	int64_t rto_at, write_at;
	uint32_t written, size;
	uint32_t rcv, read; /* counted from the start of the other's stream */
	uint32_t edge;
	uint32_t ts_recent;
	bool reset, fin_sent, fin_seen;
	uint8_t *have;
};

struct world {
	const struct plan *plan;
	struct kit *k;
	struct end e[2]; /* 0: the guest */
	uint8_t *stream[2];
	struct flying fly[FLIGHT];
	uint32_t n_fly;
	uint64_t order, dice;
	struct seg pending[ID_SLOTS]; /* by id: no verdict yet */
	bool waits[ID_SLOTS];
	uint64_t id, passed, dropped, injected;
	char bad[320];
	enum reason last;
};

static uint32_t roll(struct world *w, uint32_t below)
{
	static const struct sipkey key = {7, 9};
	uint64_t v = w->dice++;

	return (uint32_t)(siphash24(&key, span_of(&v, sizeof(v))) % below);
}

static int64_t now(const struct world *w)
{
	return w->k->now.mono.ns;
}

static void breach(struct world *w, const char *what)
{
	if (!w->bad[0])
		snprintf(w->bad, sizeof(w->bad), "%s at %lld ms", what,
			 (long long)(now(w) / MS));
}

/* A unit of so many octets that policy allows: a write of a table. */
static void big_unit(struct wbuf *w, uint8_t inv, uint32_t n)
{
	uint32_t data = n - 44;
	uint8_t sum = 0;

	wbuf_put(w, span_of("\x60\x82", 2));
	wbuf_be(w, n - 4, 2);
	wbuf_put(w, span_of("\xa2\x05\x80\x03\x47\x87\x69"
			    "\xa6\x04\x80\x02\x47\x01\xa8\x03\x02\x01", 17));
	wbuf_u8(w, inv);
	wbuf_put(w, span_of("\xbe\x82", 2));
	wbuf_be(w, n - 26, 2);
	wbuf_put(w, span_of("\x28\x82", 2));
	wbuf_be(w, n - 30, 2);
	wbuf_put(w, span_of("\x81\x82", 2));
	wbuf_be(w, n - 34, 2);
	wbuf_put(w, span_of("\x80\x82", 2));
	wbuf_be(w, n - 38, 2);
	wbuf_put(w, span_of("\x40\x00\x40", 3));
	wbuf_be(w, data, 2);
	for (uint32_t i = 0; i < data; i++) {
		uint8_t v = (uint8_t)(i * 7 + inv);

		wbuf_u8(w, v);
		sum = (uint8_t)(sum + v);
	}
	wbuf_u8(w, (uint8_t)-sum);
}

static uint32_t make_stream(uint8_t *to, const struct plan *p)
{
	struct wbuf w = wbuf_of(to, STREAM);

	for (uint8_t inv = 1; w.n < p->octets; inv = inv % 127 + 1) {
		if (p->unit == KIT_UNIT)
			kit_request(&w, inv, 64);
		else
			big_unit(&w, inv, p->unit);
	}
	assert_false(w.failed);
	return (uint32_t)w.n;
}

/* --- links ---------------------------------------------------------------- */

static void fly(struct world *w, const struct seg *s, int64_t delay)
{
	struct flying *f;

	if (w->n_fly == FLIGHT) {
		breach(w, "too many packets on their way");
		return;
	}
	f = &w->fly[w->n_fly++];
	f->at = now(w) + delay;
	f->order = w->order++;
	f->s = *s;
	f->s.octets = NULL;
	if (s->n) {
		f->s.octets = malloc(s->n);
		assert_non_null(f->s.octets);
		memcpy(f->s.octets, s->octets, s->n);
	}
}

static bool lost(struct world *w, bool guest_side)
{
	return roll(w, 1000) < w->plan->loss[guest_side ? 0 : 1];
}

static void forward(struct world *w, const struct seg *s)
{
	struct seg on = *s;

	on.arrived = true;
	if (!lost(w, !s->to_b))
		fly(w, &on, MS / 2);
}

/* --- the gateway ---------------------------------------------------------- */

static struct side *side_of(struct world *w, bool to_b)
{
	/* The guest opens: it is side 0. */
	for (uint32_t i = 0; i < w->k->p->conf.max_flows; i++) {
		if (w->k->p->flow[i].used)
			return &w->k->p->flow[i].side[to_b ? 0 : 1];
	}
	return NULL;
}

static void judged_only(struct world *w, const struct seg *s)
{
	const struct side *d = side_of(w, s->to_b);
	uint32_t at = s->seq - w->e[s->to_b ? 0 : 1].iss - 1;

	if (s->n == 0 || s->flags & TCP_RST)
		return;
	if (!d || seq_diff(s->seq + s->n, d->judged) > 0)
		breach(w, "octets leave that were not judged");
	if (at + s->n > w->e[s->to_b ? 0 : 1].size ||
	    memcmp(s->octets, w->stream[s->to_b ? 0 : 1] + at, s->n) != 0)
		breach(w, "octets leave that nobody sent");
}

static void on_verdict(void *arg, uint64_t id, enum packet_verdict v,
		       enum reason why)
{
	struct world *w = arg;
	struct seg *s = &w->pending[id % ID_SLOTS];

	(void)why;
	if (!w->waits[id % ID_SLOTS])
		breach(w, "a verdict twice");
	w->waits[id % ID_SLOTS] = false;
	if (v == PACKET_PASS) {
		w->passed++;
		forward(w, s);
		/* released before its units are: looked at afterwards */
	} else {
		w->dropped++;
	}
	free(s->octets);
	s->octets = NULL;
}

static void on_event(void *arg, const struct event *ev)
{
	struct world *w = arg;

	char text[240];

	w->last = ev->reason;
	if (ev->type != EV_VIOLATION && ev->reason != REASON_MALFORMED)
		return;
	snprintf(text, sizeof(text), "refused: %s, %s",
		 reason_text(ev->reason), ev->detail ? ev->detail : "");
	breach(w, text);
}

static struct seg seg_of(const struct segment_out *o)
{
	return (struct seg){.to_b = o->dir == DIR_OUT,
			    .seq = o->seq,
			    .ack = o->ack,
			    .ts = o->has_ts ? o->tsval : 0,
			    .ecr = o->tsecr,
			    .flags = o->flags,
			    .window = o->window,
			    .n = (uint32_t)o->payload.n};
}

static void on_inject(void *arg, const struct segment_out *o)
{
	struct world *w = arg;
	struct seg s = seg_of(o);
	uint8_t b[2048];

	w->injected++;
	if (s.flags & TCP_RST)
		breach(w, "a reset");
	if (o->tup.sport != (s.to_b ? KIT_PORT : 1153))
		breach(w, "a segment that goes the wrong way");
	assert_true(s.n <= sizeof(b));
	if (s.n) {
		memcpy(b, o->payload.p, s.n);
		s.octets = b;
		judged_only(w, &s);
	}
	forward(w, &s);
}

static void on_replace(void *arg, uint64_t id, const struct segment_out *o,
		       enum reason why)
{
	(void)o;
	on_verdict(arg, id, PACKET_DROP, why);
	breach(arg, "a reset in the place of a packet");
}

/* As kit_tcp, with what it cannot say. */
static void enter(struct world *w, const struct seg *s)
{
	static uint8_t b[80 * 1024];
	struct wbuf o = wbuf_of(b, sizeof(b));
	struct packet_in in = {.id = ++w->id, .now = w->k->now,
			       .link = LINK_RAW, .csum_ok = true,
			       .gso = true};
	struct seg *keep = &w->pending[w->id % ID_SLOTS];
	bool ts = w->plan->ts;

	if (w->waits[w->id % ID_SLOTS]) {
		breach(w, "a packet waits for thousands of others");
		return;
	}
	wbuf_be(&o, s->to_b ? KIT_PORT : 1153, 2);
	wbuf_be(&o, s->to_b ? 1153 : KIT_PORT, 2);
	wbuf_be(&o, s->seq, 4);
	wbuf_be(&o, s->flags & TCP_ACK ? s->ack : 0, 4);
	wbuf_be(&o, (5u + (ts ? 3 : 0) + (s->flags & TCP_SYN ? 2 : 0)) << 4,
		1);
	wbuf_be(&o, s->flags, 1);
	wbuf_be(&o, s->window, 2);
	wbuf_be(&o, 0, 4);
	if (s->flags & TCP_SYN) {
		wbuf_be(&o, 0x0204, 2);
		wbuf_be(&o, w->plan->mss, 2);
		wbuf_be(&o, 0x01030302, 4); /* windows in units of 4 */
	}
	if (ts) {
		wbuf_be(&o, 0x0101080a, 4);
		wbuf_be(&o, s->ts, 4);
		wbuf_be(&o, s->ecr, 4);
	}
	if (s->n)
		wbuf_put(&o, span_of(s->octets, s->n));
	in.octets = kit_ip4(w->k,
			    &(struct kit_ip){s->to_b, PROTO_TCP, 0, 0, false},
			    wbuf_span(&o));
	in.wire_len = (uint32_t)in.octets.n;
	*keep = *s;
	keep->octets = NULL;
	if (s->n) {
		keep->octets = malloc(s->n);
		assert_non_null(keep->octets);
		memcpy(keep->octets, s->octets, s->n);
	}
	w->waits[w->id % ID_SLOTS] = true;
	pipeline_packet(w->k->p, &in, &w->k->sink);
}

/* --- the ends ------------------------------------------------------------- */

static uint32_t place(const struct world *w, int i, uint32_t at)
{
	return w->e[i].iss + 1 + at;
}

static void emit(struct world *w, int i, uint32_t seq, uint32_t n,
		 uint8_t flags)
{
	struct end *e = &w->e[i];
	uint32_t room = w->plan->window - (e->rcv - e->read);
	struct seg s = {.to_b = i == 0, .seq = seq,
			.ack = place(w, !i, e->rcv) + e->fin_seen,
			.ts = (uint32_t)(now(w) / MS) + 1,
			.ecr = e->ts_recent, .flags = flags, .n = n};

	/* A window is not taken back. */
	if (seq_diff(e->rcv + room, e->edge) > 0)
		e->edge = e->rcv + room;
	room = e->edge - e->rcv;
	s.window = (uint16_t)(flags & TCP_SYN ?
				      (room > 65535 ? 65535 : room) :
				      room / 4);
	if (n)
		s.octets = w->stream[i] + (seq - e->iss - 1);
	if (!lost(w, i == 0))
		fly(w, &s, MS / 2);
}

static void push(struct world *w, int i)
{
	struct end *e = &w->e[i];
	uint32_t limit = e->una + (e->wnd < e->cwnd ? e->wnd : e->cwnd);
	uint32_t end = place(w, i, e->written);

	while (seq_diff(end, e->nxt) > 0 && seq_diff(limit, e->nxt) > 0) {
		uint32_t n = (uint32_t)seq_diff(end, e->nxt);
		uint32_t most = w->plan->burst;

		if (n > most)
			n = most;
		if (n > (uint32_t)seq_diff(limit, e->nxt))
			n = (uint32_t)seq_diff(limit, e->nxt);
		/* Nagle: something small waits for what is on its way. */
		if (n < w->plan->mss && e->nxt != e->una &&
		    w->plan->writer != NO_DELAY)
			break;
		emit(w, i, e->nxt, n, TCP_ACK | TCP_PSH);
		e->nxt += n;
		if (!e->rto_at)
			e->rto_at = now(w) + 200 * MS;
	}
	if (seq_diff(e->nxt, e->max) > 0)
		e->max = e->nxt;
	if (e->written == e->size && e->nxt == end && !e->fin_sent &&
	    e->size) {
		e->fin_sent = true;
		emit(w, i, end, 0, TCP_ACK | TCP_FIN);
		if (!e->rto_at)
			e->rto_at = now(w) + 200 * MS;
	}
	/* A closed window is asked about. */
	if (e->una == e->nxt && seq_diff(end, e->nxt) > 0 && !e->rto_at)
		e->rto_at = now(w) + 200 * MS;
}

static void timeout(struct world *w, int i)
{
	struct end *e = &w->e[i];

	e->rto_at = now(w) + (200 * MS << (e->backoff < 5 ? e->backoff : 5));
	e->backoff++;
	if (e->una == e->nxt && !e->fin_sent) {
		emit(w, i, e->una - 1, 0, TCP_ACK); /* window probe */
		return;
	}
	e->ssthresh = e->cwnd / 2 > 2u * w->plan->mss ? e->cwnd / 2 :
						      2u * w->plan->mss;
	e->cwnd = w->plan->mss;
	e->dups = 0;
	e->nxt = e->una;
	e->fin_sent = false;
	push(w, i);
}

static void on_ack(struct world *w, int i, const struct seg *s)
{
	struct end *e = &w->e[i];
	uint32_t fin = place(w, i, e->size) + 1;
	bool all = e->size && s->ack == fin;
	uint32_t ack = all ? fin - 1 : s->ack;

	if (seq_diff(ack, e->max) > 0) {
		breach(w, "an acknowledgement of what was not sent");
		return;
	}
	if (seq_diff(ack, e->una) < 0)
		return;
	if (seq_diff(ack, e->una) > 0) {
		uint32_t n = ack - e->una;

		e->una = ack;
		if (seq_diff(e->nxt, ack) < 0)
			e->nxt = ack;
		e->dups = e->backoff = 0;
		e->cwnd += e->cwnd < e->ssthresh ? n : w->plan->mss / 4u;
		e->rto_at = 0;
		if (e->una != e->nxt || (e->fin_sent && !all))
			e->rto_at = now(w) + 200 * MS;
	} else if (s->n == 0 && e->una != e->nxt && ++e->dups == 3) {
		uint32_t n = (uint32_t)seq_diff(e->max, e->una);

		emit(w, i, e->una, n < w->plan->mss ? n : w->plan->mss,
		     TCP_ACK);
	}
	if (all)
		e->rto_at = 0;
	e->wnd = (uint32_t)s->window * 4;
	if (!all)
		push(w, i);
}

static void receive(struct world *w, int i, const struct seg *s)
{
	struct end *e = &w->e[i];
	uint32_t at = s->seq - place(w, !i, 0);

	for (uint32_t k = 0; k < s->n; k++) {
		uint32_t x = at + k;

		if ((int32_t)x < (int32_t)e->rcv ||
		    seq_diff(x, e->edge) >= 0)
			continue;
		e->have[x] = 1;
		if (s->octets[k] != w->stream[!i][x])
			breach(w, "another octet arrived");
	}
	while (e->rcv < w->e[!i].size && e->have[e->rcv])
		e->rcv++;
	if (s->flags & TCP_FIN && e->rcv == w->e[!i].size)
		e->fin_seen = true;
	/* Reading: all at once, or not at all for a while. */
	if (!w->plan->pauses || now(w) / (300 * MS) % 3 == 0)
		e->read = e->rcv;
	if (s->n || s->flags & TCP_FIN || seq_diff(s->seq, place(w, !i, e->rcv)) < 0)
		emit(w, i, e->max + (e->fin_sent ? 1 : 0), 0, TCP_ACK);
}

static void arrive(struct world *w, const struct seg *s)
{
	int i = s->to_b ? 1 : 0;
	struct end *e = &w->e[i];

	if (s->flags & TCP_RST) {
		breach(w, "a reset arrived");
		return;
	}
	if (s->flags & TCP_SYN)
		return;
	/* PAWS */
	if (w->plan->ts && seq_diff(s->ts, e->ts_recent) < 0)
		return;
	if (w->plan->ts && seq_diff(s->seq, place(w, !i, e->rcv)) <= 0)
		e->ts_recent = s->ts;
	on_ack(w, i, s);
	receive(w, i, s);
}

static void write_some(struct world *w, int i)
{
	struct end *e = &w->e[i];
	uint32_t n = e->size - e->written;

	e->write_at = 0;
	if (w->plan->writer == ONE_OCTET || w->plan->writer == NO_DELAY)
		n = n < 1 ? n : 1;
	else if (w->plan->writer == HALF_UNITS)
		n = n < w->plan->unit / 2 ? n : w->plan->unit / 2;
	e->written += n;
	if (e->written < e->size)
		e->write_at = now(w) + (w->plan->writer == HALF_UNITS ?
						3 * MS : MS / 10);
	push(w, i);
}

/* --- time ----------------------------------------------------------------- */

static void at_most(int64_t *t, int64_t x)
{
	if (x && x < *t)
		*t = x;
}

static bool step(struct world *w)
{
	int64_t next = INT64_MAX, due = pipeline_due(w->k->p).ns;
	uint32_t first = w->n_fly;

	for (uint32_t i = 0; i < w->n_fly; i++) {
		if (first == w->n_fly || w->fly[i].at < w->fly[first].at ||
		    (w->fly[i].at == w->fly[first].at &&
		     w->fly[i].order < w->fly[first].order))
			first = i;
	}
	if (first < w->n_fly)
		next = w->fly[first].at;
	for (int i = 0; i < 2; i++) {
		at_most(&next, w->e[i].rto_at);
		at_most(&next, w->e[i].write_at);
	}
	if (due < next)
		next = due;
	if (next == INT64_MAX)
		return false;
	if (next > now(w))
		kit_wait(w->k, next - now(w));
	if (due <= now(w)) {
		pipeline_tick(w->k->p, w->k->now, &w->k->sink);
		if (pipeline_due(w->k->p).ns <= now(w))
			breach(w, "a tick leaves something due");
		return true;
	}
	for (int i = 0; i < 2; i++) {
		if (w->e[i].write_at && w->e[i].write_at <= now(w)) {
			write_some(w, i);
			return true;
		}
		if (w->e[i].rto_at && w->e[i].rto_at <= now(w)) {
			timeout(w, i);
			return true;
		}
	}
	if (first < w->n_fly) {
		struct flying f = w->fly[first];

		w->fly[first] = w->fly[--w->n_fly];
		if (f.s.arrived)
			arrive(w, &f.s);
		else
			enter(w, &f.s);
		free(f.s.octets);
	}
	return true;
}

static void handshake(struct world *w)
{
	uint32_t most = w->plan->window;
	uint16_t window = most < 65535 ? (uint16_t)most : 65535;
	struct seg s = {.to_b = true, .seq = w->e[0].iss, .flags = TCP_SYN,
			.window = window, .ts = 1};
	struct seg a = {.seq = w->e[1].iss, .ack = w->e[0].iss + 1, .ts = 1,
			.flags = TCP_SYN | TCP_ACK, .window = window};

	enter(w, &s);
	enter(w, &a);
	emit(w, 0, place(w, 0, 0), 0, TCP_ACK);
}

static void world_free(struct world *w)
{
	for (uint32_t i = 0; i < w->n_fly; i++)
		free(w->fly[i].s.octets);
	for (uint32_t i = 0; i < ID_SLOTS; i++)
		free(w->pending[i].octets);
	for (int i = 0; i < 2; i++) {
		free(w->stream[i]);
		free(w->e[i].have);
	}
	kit_free(w->k);
	free(w);
}

static struct world *world_new(const struct plan *p, uint64_t seed)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->plan = p;
	w->dice = seed << 32;
	w->k = kit_new(true, false);
	w->k->p->conf.ack_after_ns = 20 * MS;
	w->k->sink = (struct pipeline_sink){.arg = w,
					    .verdict = on_verdict,
					    .event = on_event,
					    .inject = on_inject,
					    .replace = on_replace};
	for (int i = 0; i < 2; i++) {
		struct end *e = &w->e[i];

		w->stream[i] = malloc(STREAM);
		e->have = calloc(1, STREAM);
		assert_true(w->stream[i] && e->have);
		e->iss = i ? UINT32_MAX - 5000 : KIT_ISN;
		e->una = e->nxt = e->max = e->iss + 1;
		e->wnd = p->window < 65535 ? p->window : 65535;
		e->cwnd = 10u * p->mss;
		e->ssthresh = 1 << 20;
		e->ts_recent = 1;
		if (i == (p->in ? 1 : 0))
			e->size = make_stream(w->stream[i], p);
	}
	return w;
}

static bool done(const struct world *w)
{
	const struct end *from = &w->e[w->plan->in ? 1 : 0];
	const struct end *to = &w->e[w->plan->in ? 0 : 1];

	return to->rcv == from->size && to->fin_seen && !from->rto_at;
}

static unsigned play(const struct plan *p, uint64_t seed)
{
	struct world *w = world_new(p, seed);
	const struct end *to = &w->e[p->in ? 0 : 1];
	const struct end *from = &w->e[p->in ? 1 : 0];
	int64_t began = now(w);
	unsigned bad = 0;

	handshake(w);
	w->e[p->in ? 1 : 0].write_at = now(w) + 10 * MS;
	for (unsigned n = 0; n < 3000000 && !done(w) && !w->bad[0]; n++) {
		if (!step(w))
			break;
		if (now(w) - began > 600 * NS_PER_S)
			breach(w, "it stalls");
	}
	if (!done(w) && !w->bad[0])
		breach(w, "nothing happens any more");
	if (w->bad[0]) {
		print_error("%s (seed %llu): %s; %u of %u octets arrived, "
			    "%u written, %llu passed, %llu dropped, %llu made\n",
			    p->why, (unsigned long long)seed, w->bad, to->rcv,
			    from->size, from->written,
			    (unsigned long long)w->passed,
			    (unsigned long long)w->dropped,
			    (unsigned long long)w->injected);
		bad = 1;
	} else if (getenv("METERGATE_TALK")) {
		print_message("%s: %u octets in %lld ms, %llu passed, %llu "
			      "dropped, %llu made\n", p->why, from->size,
			      (long long)((now(w) - began) / MS),
			      (unsigned long long)w->passed,
			      (unsigned long long)w->dropped,
			      (unsigned long long)w->injected);
	}
	world_free(w);
	return bad;
}

#define W 65535
/* clang-format off */
static const struct plan plans[] = {
	/* why, octets, unit, mss, burst, writer, loss, window, pauses, ts, in */
	{"small units", 200000, 31, 1448, 1448, BULK, {0, 0}, W, false, true, false},
	{"units of 4 KiB", 200000, 4096, 1448, 1448, BULK, {0, 0}, W, false, true, false},
	{"the same towards the machine", 200000, 4096, 1448, 1448, BULK, {0, 0}, W, false, true, true},
	{"units of 8000 octets, MSS 536: the first window holds no unit", 400000, 8000, 536, 536, BULK, {0, 0}, W, false, false, false},
	{"the same, inwards", 400000, 8000, 536, 536, BULK, {0, 0}, W, false, true, true},
	{"segments larger than the MTU", 1000000, 4096, 1448, 43440, BULK, {0, 0}, 200000, false, true, false},
	{"the same with small units", 300000, 31, 1448, 3800, BULK, {0, 0}, 200000, false, true, false},
	{"one octet at a time, units of 31", 3000, 31, 1448, 1448, ONE_OCTET, {0, 0}, W, false, false, false},
	{"one octet at a time, units of 900", 9000, 900, 536, 536, ONE_OCTET, {0, 0}, W, false, true, false},
	{"one octet a packet, more of them than may wait", 24000, 8000, 536, 536, NO_DELAY, {0, 0}, W, false, true, false},
	{"the same with loss", 16000, 4000, 536, 536, NO_DELAY, {20, 20}, W, false, true, false},
	{"half units", 100000, 1000, 1448, 1448, HALF_UNITS, {0, 0}, W, false, true, false},
	{"half of large units", 200000, 8000, 536, 536, HALF_UNITS, {0, 0}, W, false, false, true},
	{"loss before the gateway", 200000, 4096, 1448, 1448, BULK, {10, 0}, W, false, true, false},
	{"loss behind the gateway", 200000, 4096, 1448, 1448, BULK, {0, 10}, W, false, true, false},
	{"loss on both sides, MSS 536", 200000, 8000, 536, 536, BULK, {10, 10}, W, false, true, false},
	{"loss on both sides, inwards", 200000, 2000, 536, 536, BULK, {10, 10}, W, false, false, true},
	{"much loss", 60000, 3000, 536, 536, BULK, {80, 80}, W, false, true, false},
	{"loss, half units", 60000, 3000, 536, 536, HALF_UNITS, {20, 20}, W, false, true, false},
	{"loss, one octet at a time", 3000, 300, 536, 536, ONE_OCTET, {20, 20}, W, false, true, false},
	{"loss, larger than the MTU", 1000000, 4096, 1448, 28960, BULK, {10, 10}, 200000, false, true, false},
	{"a window that closes", 200000, 4096, 1448, 1448, BULK, {0, 0}, 12000, true, true, false},
	{"a window smaller than a unit and a half, closing", 100000, 8000, 536, 536, BULK, {0, 0}, 9000, true, false, false},
	{"a window that closes, with loss", 100000, 6000, 536, 536, BULK, {10, 10}, 12000, true, true, true},
	{"a packet as large as the window, that ends inside a unit", 300000, 31, 1448, 28000, BULK, {0, 0}, 16000, true, true, true},
	{"the same, outwards, without time stamps", 300000, 900, 536, 28000, BULK, {0, 0}, 16000, true, false, false},
	{"the same with loss", 100000, 900, 1448, 28000, BULK, {10, 10}, 16000, true, true, true},
	{"a window smaller than a unit", 100000, 8000, 536, 536, BULK, {0, 0}, 3000, false, true, false},
	{"the same, closing, with loss", 60000, 8000, 536, 536, BULK, {10, 10}, 3000, true, true, true},
	{"a window smaller than a unit, one octet at a time", 9000, 4000, 536, 536, ONE_OCTET, {0, 0}, 2000, false, true, false},
};
/* clang-format on */

static void nothing_stalls(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		const struct plan *p = &plans[i];
		unsigned seeds = p->loss[0] + p->loss[1] ? 4 : 1;

		for (uint64_t s = 1; s <= seeds; s++)
			bad += play(p, s);
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_stalls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
