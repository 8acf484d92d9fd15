/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments of one connection under a policy, from bytes: where, how long,
 * which flags, and from which of two streams with the same framing and other
 * content.
 *
 * Octets 0..7 say what the units of the two streams are; then records of 6:
 *   op, place (2), length, stream and window, time stamp.
 *
 * A quarter is said to a party that may be told what nobody reads, and only
 * that.
 *
 * Half of the inputs are judged as live: what waits is acknowledged in the
 * receiver's name and sent on by the gateway.
 *
 * Properties, of the segments that passed or were made, alone: no octet of the stream has
 * two values, whatever a receiver does with overlaps; every octet lies before
 * the end of what policy allowed; and what a receiver has assembled is made
 * of units that policy allows. Of what is made in answer to a refusal: its
 * octets are those of the answer, at the place behind what was allowed of the
 * end that was asked, and nothing that the other one said.
 *
 * A handshake after the end of a connection begins another one, with streams
 * of its own: no octet of it leaves before its receiver has answered, and none
 * answers that is still in the old one (check.c, stale).
 */
#include <assert.h>

#include "dissectors/c1222/c1222.h"
#include "enforcer/pipeline/testkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UNITS  16
#define STREAM (UNITS * KIT_UNIT)
#define RECORDS 96

/* What passed of a connection, by its place in the stream of one end. */
struct seen {
	uint8_t octet[STREAM + 256];
	bool have[STREAM + 256];
};

struct try {
	struct kit *k;
	uint8_t stream[2][2][STREAM]; /* by end, by which */
	struct seen seen[2];
	uint32_t isn[2]; /* of the first connection */
	struct {
		bool out;
		uint32_t seq;
		size_t n;
		uint8_t octets[256];
	} sent[RECORDS];
	uint64_t first;
	uint32_t n;
	/* where the connection begins in what was sent and in what was told */
	uint32_t from, from_event;
	/* the last one that was opened, and its last packet */
	struct {
		bool any;
		uint32_t isn[2];
		struct mono last;
	} old;
	uint8_t answered; /* id in the answer of this connection; 0: none yet */
};

static void make_streams(struct try *t, struct span head)
{
	const char *kinds = t->k->bulk ? "zzfzzazf" : "acdbaccf";

	for (int s = 0; s < 2; s++) {
		for (int i = 0; i < 2; i++) {
			struct wbuf w = wbuf_of(t->stream[s][i], STREAM);
			char letters[UNITS + 1] = "";

			for (unsigned u = 0; u < UNITS; u++) {
				unsigned bit = (u * 2 + (unsigned)(s + i)) % 8;

				letters[u] = kinds[head.p[u % 8] >> bit & 7];
			}
			kit_units(&w, letters);
		}
	}
}

static void one_segment(struct try *t, struct span r)
{
	static const uint8_t flags[8] = {
		TCP_ACK, TCP_ACK | TCP_PSH, TCP_ACK, TCP_ACK | TCP_FIN,
		TCP_ACK | TCP_RST, TCP_SYN, TCP_ACK | TCP_URG,
		TCP_SYN | TCP_ACK};
	uint8_t op = r.p[0], how = r.p[4];
	int s = op >> 7;
	uint32_t at = (uint32_t)(r.p[1] << 8 | r.p[2]) % (STREAM + 64);
	struct span all = span_of(t->stream[s][how & 1], STREAM);
	struct span data = span_sub(all, at, r.p[3]);
	struct kit_seg g = {.out = s == 0, .port = KIT_PORT,
			    .seq = t->isn[s] + 1 + at,
			    .ack = t->isn[!s] + 1,
			    .window = how & 2 ? 256 : 0,
			    .has_ts = how & 4, .ts = 100 + r.p[5],
			    .flags = flags[op & 7]};

	/* Also what acknowledges, and what lies right before the start. */
	if (op & 0x20)
		g.ack += r.p[5];
	if (op & 0x10)
		g.seq -= 2;
	if (g.flags & TCP_SYN)
		data = span_sub(data, 0, op & 0x08 ? 255 : 0);
	t->sent[t->n].out = s == 0;
	t->sent[t->n].seq = g.seq;
	t->sent[t->n].n = data.n;
	if (data.n)
		memcpy(t->sent[t->n].octets, data.p, data.n);
	t->n++;
	kit_tcp(t->k, &g, data);
}

/* There is one at a time. */
static const struct flow *the_flow(const struct pipeline *p)
{
	for (int l = 0; l < LISTS; l++) {
		if (p->lru[0][l].newest != NONE)
			return &p->flow[p->lru[0][l].newest];
	}
	return NULL;
}

/* What end i sends, the machine's being 0. The far end may have opened it. */
static const struct side *side_of(const struct flow *f, int i)
{
	return &f->side[(i ? DIR_IN : DIR_OUT) != f->first_dir];
}

/* Octets from a place on: one value each. */
static void see(struct seen *e, uint32_t at, struct span s)
{
	for (size_t n = 0; n < s.n; n++, at++) {
		/* Before the start no receiver takes anything. */
		if ((int32_t)at < 0)
			continue;
		assert(at < sizeof(e->octet));
		assert(!e->have[at] || e->octet[at] == s.p[n]);
		e->have[at] = true;
		e->octet[at] = s.p[n];
	}
}

static void collect(struct try *t, const struct flow *f)
{
	for (uint32_t i = t->from; i < t->n; i++) {
		const struct kit_verdict *v = &t->k->verdict[t->first + i];
		int end = t->sent[i].out ? 0 : 1;

		if (v->n == 0 || v->v != PACKET_PASS || t->sent[i].n == 0)
			continue;
		assert(side_of(f, end)->syn);
		see(&t->seen[end], t->sent[i].seq - side_of(f, end)->isn - 1,
		    span_of(t->sent[i].octets, t->sent[i].n));
	}
}

/* A refusal's reset lies right behind all that its receiver was sent; in a
 * capture also behind what it acknowledged. */
static void exact(struct try *t, const struct flow *f, int end, uint32_t seq)
{
	uint32_t got = 0;

	collect(t, f);
	while (got < sizeof(t->seen[end].have) && t->seen[end].have[got])
		got++;
	assert(seq == side_of(f, end)->isn + 1 + got);
}

/* The answer to a request that was refused: a code and the end. */
static void answered(struct try *t, const struct flow *f,
		     const struct side *from, const struct segment_out *o)
{
	uint8_t want[] = "\x60\x20\xa2\x04\x80\x02\x47\x01\xa4\x03\x02\x01\xff"
			 "\xa6\x05\x80\x03\x47\x87\x69\xa8\x03\x02\x01\xff"
			 "\xbe\x07\x28\x05\x81\x03\x80\x01\x03";
	uint32_t n = sizeof(want) - 1;
	uint32_t at = o->seq - (from->nxt - 1 - n);

	assert(f->denied && from == &f->side[2 - f->parting] && from->fin);
	assert(at <= n && o->payload.n <= n - at);
	assert(!(o->flags & TCP_FIN) == (at + o->payload.n != n));
	for (uint32_t i = 0; i < o->payload.n; i++) {
		uint8_t got = o->payload.p[i];

		if (want[at + i] != 0xff) { /* the id */
			assert(got == want[at + i]);
			continue;
		}
		assert(got && got <= UNITS);
		assert(!t->answered || t->answered == got);
		t->answered = got;
	}
}

/* Made by the gateway: right places, and octets that count as passed. */
static void on_inject(void *arg, const struct segment_out *o)
{
	struct try *t = arg;
	const struct flow *f = the_flow(t->k->p);
	int end = o->dir == DIR_OUT ? 0 : 1;
	const struct side *from, *to;

	if (!f) {
		assert(o->flags & TCP_RST);
		return;
	}
	from = side_of(f, end);
	to = side_of(f, !end);
	if (o->flags == (TCP_RST | TCP_ACK) && o->seq && !from->fin &&
	    t->k->p->conf.ack_after_ns)
		exact(t, f, end, o->seq);
	if (o->flags & TCP_RST)
		return;
	assert(o->flags & TCP_ACK);
	assert(seq_diff(o->ack, to->nxt) <= 0);
	if (f->parting) {
		if (o->payload.n || o->flags & TCP_FIN)
			answered(t, f, from, o);
		return;
	}
	assert(seq_diff(o->seq + (uint32_t)o->payload.n, from->judged) <= 0);
	see(&t->seen[end], o->seq - from->isn - 1, o->payload);
}

static void check_end(struct try *t, int s)
{
	const struct seen *e = &t->seen[s];
	uint32_t allowed = 0, got = 0;

	for (uint32_t i = t->from_event; i < t->k->n_events; i++) {
		const struct kit_event *v = &t->k->event[i];

		if (v->type == EV_DECISION && v->leaf == 0 &&
		    v->dir == (s ? DIR_IN : DIR_OUT))
			allowed += v->octets;
	}
	for (uint32_t i = 0; i < sizeof(e->have); i++)
		assert(!e->have[i] || i < allowed);
	while (got < sizeof(e->have) && e->have[got])
		got++;
	if (t->k->bulk) {
		/* Nothing that is read, for want of a grant. */
		assert(dissector_c1222.recognise(span_of(e->octet, got), 1, 2,
						 PROTO_TCP) < RECOGNISE_YES);
		return;
	}
	for (uint32_t i = 0; i + KIT_UNIT <= got; i += KIT_UNIT) {
		assert(e->octet[i] == 0x60);
		assert(e->octet[i + 2] == 0xa2);
		assert(e->octet[i + KIT_UNIT - 1] != 42);
	}
}

/* While answers of the old one may be on their way, no other has its numbers:
 * they might open it, with a receiver that is in the old one. */
static void apart(struct try *t, const struct flow *f)
{
	if (!f->side[0].syn || !f->side[1].syn)
		return;
	assert(!t->old.any || t->old.isn[0] != f->side[0].isn ||
	       t->old.isn[1] != f->side[1].isn ||
	       mono_sub(f->start, t->old.last) >= CLOSED_IDLE);
	t->old.any = true;
	t->old.isn[0] = f->side[0].isn;
	t->old.isn[1] = f->side[1].isn;
	t->old.last = f->last;
}

/* A connection is complete, or begins. */
static void on_event(void *arg, const struct event *ev)
{
	struct try *t = arg;

	if (ev->type != EV_FLOW)
		return;
	if (ev->flow_end) {
		apart(t, the_flow(t->k->p));
		collect(t, the_flow(t->k->p));
		check_end(t, 0);
		check_end(t, 1);
	}
	memset(t->seen, 0, sizeof(t->seen));
	t->answered = 0;
	t->from = t->n;
	t->from_event = t->k->n_events;
}

static void run(struct try *t, struct span in)
{
	struct span head = span_sub(in, 0, 8);

	make_streams(t, head);
	kit_handshake(t->k, KIT_PORT, t->isn[0], head.p[7] & 1);
	t->first = t->k->id + 1;
	for (size_t at = 8; at + 6 <= in.n && t->n < RECORDS; at += 6) {
		struct span r = span_sub(in, at, 6);

		kit_wait(t->k, NS_PER_S / 100);
		if ((r.p[0] & 0x47) == 0x47)
			kit_tick(t->k, 1 + r.p[5] % 31);
		else
			one_segment(t, r);
		if (pipeline_due(t->k->p).ns <= t->k->now.mono.ns) {
			pipeline_tick(t->k->p, t->k->now, &t->k->sink);
			assert(pipeline_due(t->k->p).ns >
			       t->k->now.mono.ns);
		}
	}
	kit_end(t->k);
	if (t->k->bad[0])
		fprintf(stderr, "%s\n", t->k->bad);
	assert(!t->k->bad[0]);
	/* Every one ended, and was looked at then. */
	assert(!the_flow(t->k->p));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kit *k; /* the arrays are large: made once */
	struct try *t;

	if (size < 8 || size > 8 + 6 * RECORDS)
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t)
		return 0;
	if (!k)
		k = kit_new(true, false);
	else
		kit_again(k);
	t->k = k;
	kit_live(k, data[7] & 4);
	k->bulk = (data[7] & 0x18) == 0x18;
	k->p->conf.checksums = !k->bulk;
	k->on_inject = on_inject;
	k->more = on_event;
	k->arg = t;
	/* Some streams wrap around. */
	t->isn[0] = data[7] & 2 ? UINT32_MAX - 100 : KIT_ISN;
	t->isn[1] = KIT_ISN2;
	run(t, span_of(data, size));
	free(t);
	return 0;
}
