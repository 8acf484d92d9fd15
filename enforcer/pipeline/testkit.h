/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipeline driven from tests and fuzz targets: a policy made in C, packets
 * with right checksums, C12.22 units, and a sink that watches the contract of
 * pipeline.h: one verdict for each packet, and an event before each drop.
 *
 * The machine "mdma" is 10.20.0.10; its party is 10.20.0.0/16, to which every
 * message of C12.22, HTTP and oBIX may go and come, except what reads table 42, and
 * but for octets that nobody reads; reads of table 66 are held back, for a minute
 * at most, until 10 s after the one before. With 10.21.0.1
 * (k->bulk) it may exchange 1 MB a day that nobody reads.
 */
#ifndef ENFORCER_PIPELINE_TESTKIT_H
#define ENFORCER_PIPELINE_TESTKIT_H

#include <stdio.h>
#include <stdlib.h>

#include "enforcer/pipeline/state.h"

#define KIT_IDS	   8192
#define KIT_EVENTS 16384
#define KIT_RESETS 8
#define KIT_PORT   40000
#define KIT_ISN	   1000 /* of the machine */
#define KIT_ISN2   5000 /* of the other end */
#define KIT_UNIT   31	/* octets of a request */
#define KIT_T0	   INT64_C(1795608000) /* Wednesday 2026-11-25, noon */

struct kit_event {
	enum event_type type;
	enum verdict verdict;
	enum reason reason;
	enum dir dir;
	uint64_t cnt, used; /* used: of the first budget */
	uint32_t octets, leaf, n_leaves;
	bool flow_end;
};

struct kit_reset {
	uint32_t seq, ack;
	uint16_t sport, dport;
	uint8_t flags;
	enum dir dir;
};

struct kit_verdict {
	uint8_t n; /* how often */
	uint8_t v;
	enum reason why;
	bool denied; /* an event named it */
};

struct kit {
	struct pol_image *image;
	uint8_t *octets;
	struct pol_set *set;
	struct pol_state *state;
	struct pipeline *p;
	struct pipeline_sink sink;
	struct now now;
	uint64_t id;
	bool strict;
	bool bulk; /* the other end is 10.21.0.1, its port 9000 */
	uint16_t far; /* its port over TCP, if another */
	struct kit_verdict verdict[KIT_IDS];
	struct kit_event event[KIT_EVENTS];
	uint32_t n_events;
	struct kit_reset reset[KIT_RESETS];
	struct segment_out last; /* injected */
	uint32_t last_made;	 /* place of the last payload injected */
	uint32_t n_resets, n_acks, n_delivered, n_replaced;
	uint32_t n_offloads, offload;
	char bad[160]; /* the first breach of the contract; empty: none */
	/* Called with each event as well; NULL: nobody. */
	void (*more)(void *arg, const struct event *ev);
	void (*on_inject)(void *arg, const struct segment_out *s);
	void *arg;
	uint8_t packet[80 * 1024];
};

static inline void kit_breach(struct kit *k, const char *what, uint64_t id)
{
	if (!k->bad[0])
		snprintf(k->bad, sizeof(k->bad), "packet %llu: %s",
			 (unsigned long long)id, what);
}

/* --- the sink ------------------------------------------------------------- */

static inline void kit_on_verdict(void *arg, uint64_t id,
				  enum packet_verdict v, enum reason why)
{
	struct kit *k = arg;
	struct kit_verdict *r;

	if (id == 0 || id > k->id || id >= KIT_IDS) {
		kit_breach(k, "a verdict for a packet that was not sent", id);
		return;
	}
	r = &k->verdict[id];
	if (r->n++)
		kit_breach(k, "a second verdict", id);
	if (v != PACKET_PASS && v != PACKET_DROP)
		kit_breach(k, "a verdict that is none", id);
	if ((v == PACKET_PASS) != (why == REASON_NONE))
		kit_breach(k, "a reason for a pass, or none for a drop", id);
	if (v == PACKET_DROP && !k->strict)
		kit_breach(k, "a drop without a policy", id);
	if (v == PACKET_DROP && !r->denied)
		kit_breach(k, "a drop that no event before it names", id);
	r->v = (uint8_t)v;
	r->why = why;
}

static inline void kit_on_event(void *arg, const struct event *ev)
{
	struct kit *k = arg;

	if (ev->verdict == VERDICT_DENY && ev->pcap_cnt < KIT_IDS &&
	    (ev->type == EV_ANOMALY || ev->type == EV_VIOLATION))
		k->verdict[ev->pcap_cnt].denied = true;
	if (ev->pcap_cnt > k->id)
		kit_breach(k, "an event of a packet to come", ev->pcap_cnt);
	if (k->n_events < KIT_EVENTS)
		k->event[k->n_events++] = (struct kit_event){
			.type = ev->type,
			.verdict = ev->verdict,
			.reason = ev->reason,
			.dir = ev->dir,
			.cnt = ev->pcap_cnt,
			.used = ev->n_budgets ? ev->budgets[0].used : 0,
			.octets = ev->octets,
			.leaf = ev->leaf,
			.n_leaves = ev->n_leaves,
			.flow_end = ev->flow_end,
		};
	if (k->more)
		k->more(k->arg, ev);
}

static inline void kit_on_inject(void *arg, const struct segment_out *s)
{
	struct kit *k = arg;

	if (k->on_inject)
		k->on_inject(k->arg, s);
	k->last = *s;
	k->last.payload = (struct span){0};
	if (s->payload.n)
		k->last_made = s->seq;
	if (!(s->flags & TCP_RST)) {
		if (s->payload.n)
			k->n_delivered++;
		else
			k->n_acks++;
		return;
	}
	if (k->n_resets < KIT_RESETS)
		k->reset[k->n_resets++] = (struct kit_reset){
			s->seq, s->ack, s->tup.sport, s->tup.dport, s->flags,
			s->dir};
}

/* A packet that goes on as a reset: its verdict, and the reset. */
static inline void kit_on_replace(void *arg, uint64_t id,
				  const struct segment_out *s, enum reason why)
{
	struct kit *k = arg;

	if (s->flags != (TCP_RST | TCP_ACK) || s->payload.n)
		kit_breach(k, "replaced by something else than a reset", id);
	kit_on_verdict(arg, id, PACKET_DROP, why);
	k->n_replaced++;
	kit_on_inject(arg, s);
}

static inline void kit_on_offload(void *arg, uint64_t id, unsigned class)
{
	struct kit *k = arg;

	if (id == 0 || id > k->id || k->verdict[id].n)
		kit_breach(k, "carried by the kernel after its verdict", id);
	k->n_offloads++;
	k->offload = class;
}

/* --- the policy ----------------------------------------------------------- */

static inline struct pol_prefix kit_net(uint8_t c, uint8_t d, uint8_t len)
{
	struct pol_prefix p = {.len = (uint8_t)(96 + len)};

	p.addr.b[10] = p.addr.b[11] = 0xff;
	p.addr.b[12] = 10;
	p.addr.b[13] = 20;
	p.addr.b[14] = c;
	p.addr.b[15] = d;
	return p;
}

static inline int kit_load(struct kit *k, const struct pol_file *f,
			   struct err *e)
{
	const struct pol_image *im;
	size_t n;
	int rc = pol_image_build(&k->octets, &n, f, e);

	if (!rc)
		rc = pol_image_load(&k->image, span_of(k->octets, n), e);
	im = k->image;
	if (!rc)
		rc = pol_set_new(&k->set, &im, 1, e);
	return rc;
}

static inline int kit_build(struct kit *k, struct err *e)
{
	static const uint16_t the_party[] = {0}, the_bulk[] = {1};
	struct pol_prefix net = kit_net(0, 0, 16);
	struct pol_prefix far = kit_net(0, 1, 32);
	struct pol_party_src party[] = {
		{.id = "headend", .name = "Head end", .addr = &net,
		 .n_addr = 1},
		{.id = "bulk", .name = "Bulk", .addr = &far, .n_addr = 1},
	};
	struct pol_range t42 = {42, 42};
	struct pol_attr a42 = {.field = F_TABLE, .num = &t42, .n_num = 1};
	struct pol_obs_match any = {.n_attr = 0}, reads = {.n_attr = 1};
	struct pol_limit_phrase lim = {
		.kind = LIMIT_CALENDAR, .thing = THING_MESSAGES,
		.n = 1000000, .window = WINDOW_DAY,
		.text = "1000000 messages per day"};
	struct pol_limit_phrase bytes = {
		.kind = LIMIT_CALENDAR, .thing = THING_BYTES, .n = 1000000,
		.window = WINDOW_DAY, .text = "1 MB per day"};
	struct pol_obs_match sealed = {
		.kinds.w[OBS_OPAQUE / 64] = UINT64_C(1) << (OBS_OPAQUE % 64)};
	struct pol_rule_src rule[] = {
		{.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_ANY,
		 .party = {.party = the_party, .n_party = 1}, .match = &any,
		 .n_match = 1, .limit = &lim, .n_limit = 1},
		{.kind = RULE_GRANT, .id = "tell", .dir = DIRSEL_ANY,
		 .party = {.party = the_party, .n_party = 1}, .match = &any,
		 .n_match = 1,
		 .data = {.present = true, .meas = MEAS_ALL}},
		{.kind = RULE_DENY, .id = "not-42", .dir = DIRSEL_ANY,
		 .party.any = true, .match = &reads, .n_match = 1},
		{.kind = RULE_GRANT, .id = "bulk", .dir = DIRSEL_ANY,
		 .party = {.party = the_bulk, .n_party = 1},
		 .match = &sealed, .n_match = 1, .limit = &bytes,
		 .n_limit = 1},
	};
	struct pol_range t66 = {66, 66};
	struct pol_attr a66 = {.field = F_TABLE, .num = &t66, .n_num = 1};
	struct pol_obs_match slow = {.n_attr = 1, .attr = &a66};
	struct pol_limit_src limit[] = {
		{.id = "apart", .dir = DIRSEL_ANY, .party.any = true,
		 .match = &slow, .n_match = 1,
		 .phrase = {.kind = LIMIT_SPACING, .thing = THING_MESSAGES,
			    .window_ns = 10 * NS_PER_S,
			    .text = "at least 10 s apart"},
		 .exceed = {.kind = ACTION_DEFER, .ns = 60 * NS_PER_S}},
		{.id = "at-once", .dir = DIRSEL_ANY, .party.any = true,
		 .phrase = {.kind = LIMIT_CONCURRENT,
			    .thing = THING_CONNECTIONS, .n = 100,
			    .text = "at most 100 connections at once"}},
	};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true,
			     .id = "v", .vm = "mdma",
			     .path = "v.yaml", .party = party, .n_party = 2,
			     .rule = rule, .n_rule = 4,
			     .limit = limit, .n_limit = 2};

	far.addr.b[13] = 21;
	for (int i = 0; i < OBS_COUNT; i++) {
		enum obs_family family = obs_family((enum obs_kind)i);

		if (family == OBS_FAMILY_C1222 || family == OBS_FAMILY_HTTP ||
		    family == OBS_FAMILY_OBIX)
			any.kinds.w[i / 64] |= UINT64_C(1) << (i % 64);
	}
	reads.kinds.w[OBS_C1222_READ_REQUEST / 64] |=
		UINT64_C(1) << (OBS_C1222_READ_REQUEST % 64);
	reads.attr = &a42;
	slow.kinds = reads.kinds;
	return kit_load(k, &f, e);
}

/* --- start and end -------------------------------------------------------- */

static inline void kit_free(struct kit *k)
{
	if (!k)
		return;
	pipeline_free(k->p);
	pol_state_free(k->state);
	pol_set_free(k->set);
	pol_image_free(k->image);
	free(k->octets);
	free(k);
}

static inline void kit_start_clock(struct kit *k)
{
	k->now = (struct now){{1000 * NS_PER_S},
			      {KIT_T0 * US_PER_S, 0, 0, true}};
}

/* A kit with the set that was built, or with none. */
static inline struct kit *kit_open(struct kit *k, bool midstream)
{
	struct pipeline_guest g = {.name = "mdma", .has_addr = true,
				   .prefix = 128};
	struct pipeline_conf c = {.key = {1, 2}, .max_flows = 64,
				  .max_held = 512, .max_fragments = 8,
				  .checksums = true, .guests = &g,
				  .n_guests = 1};
	struct err e = {0};

	g.addr = kit_net(0, 10, 32).addr;
	k->strict = k->set != NULL;
	if (k->set && pol_state_new(&k->state, k->set, &e)) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
	c.policy = k->set;
	c.state = k->state;
	c.midstream = midstream && !k->strict;
	if (pipeline_new(&k->p, &c, &e)) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
	k->sink = (struct pipeline_sink){.arg = k,
					 .verdict = kit_on_verdict,
					 .event = kit_on_event,
					 .inject = kit_on_inject};
	kit_start_clock(k);
	return k;
}

/* Without a policy: facts only, and every octet is read. */
static inline struct kit *kit_new(bool with_policy, bool midstream)
{
	struct kit *k = calloc(1, sizeof(*k));
	struct err e = {0};

	if (!k || (with_policy && kit_build(k, &e))) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
	return kit_open(k, midstream);
}

/* Under a policy of the test's own. */
static inline struct kit *kit_new_of(const struct pol_file *f)
{
	struct kit *k = calloc(1, sizeof(*k));
	struct err e = {0};

	if (!k || kit_load(k, f, &e)) {
		fprintf(stderr, "%s\n", e.text);
		abort();
	}
	return kit_open(k, false);
}

/* As the daemon does it: resets in the place of packets, acknowledgements in
 * the name of receivers. */
static inline void kit_live(struct kit *k, bool on)
{
	k->p->conf.ack_after_ns = on ? 20 * (NS_PER_S / 1000) : 0;
	k->sink.replace = on ? kit_on_replace : NULL;
}

static inline void kit_wait(struct kit *k, int64_t ns)
{
	k->now.mono.ns += ns;
	k->now.wall.us += ns / 1000;
}

/* So many seconds go by, with a tick in each. */
static inline void kit_tick(struct kit *k, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		kit_wait(k, NS_PER_S);
		pipeline_tick(k->p, k->now, &k->sink);
	}
}

/* Is every place that was ever used free again? */
static inline bool kit_whole(const struct pool *q)
{
	uint32_t n = 0;

	for (uint32_t i = q->free; i != NONE && n <= q->n; n++)
		i = *pool_link(q, i);
	return n == q->fresh;
}

/* The input ends: every packet has its verdict, and everything that was
 * borrowed is back in its pool. */
static inline void kit_end(struct kit *k)
{
	struct pipeline *p = k->p;

	pipeline_end(p, k->now, &k->sink);
	for (uint64_t i = 1; i <= k->id && i < KIT_IDS; i++) {
		if (k->verdict[i].n == 0)
			kit_breach(k, "no verdict", i);
	}
	if (p->stats.held_now || p->stats.flows_now || !kit_whole(&p->helds))
		kit_breach(k, "packets are still held at the end", k->id);
	if (p->free_chunks != p->n_chunks || !kit_whole(&p->chunks))
		kit_breach(k, "chunks of octets were lost", k->id);
	for (int i = 0; i < TIMERS; i++) {
		if (p->timers[i].first != NONE)
			kit_breach(k, "a timer runs on", k->id);
	}
	if (!kit_whole(&p->earlies))
		kit_breach(k, "places for early segments were lost", k->id);
	if (!kit_whole(&p->flows))
		kit_breach(k, "places for flows were lost", k->id);
}

/* All places as they were in the beginning. */
static inline void kit_empty(struct pool *q)
{
	q->free = NONE;
	q->fresh = 0;
}

/* As new, without the cost of new arrays; after kit_end. */
static inline void kit_again(struct kit *k)
{
	struct pipeline *p = k->p;
	struct err e;

	for (size_t i = 0; i < p->n_dis; i++) {
		memset(p->guest[0].block[i], 0, p->dis[i]->machine_size);
		p->dis[i]->machine_init(p->guest[0].block[i], NULL);
	}
	memset(&p->stats, 0, sizeof(p->stats));
	p->flow_seq = 0;
	p->flows_due = INT64_MIN; /* the clock goes back */
	kit_empty(&p->helds);
	kit_empty(&p->chunks);
	kit_empty(&p->earlies);
	kit_empty(&p->flows);
	pol_state_free(k->state);
	k->state = NULL;
	if (k->strict && pol_state_new(&k->state, k->set, &e))
		abort();
	p->conf.state = k->state;
	memset(k->verdict, 0, sizeof(k->verdict[0]) * (k->id + 1));
	k->id = k->n_events = k->n_resets = k->n_acks = k->n_delivered = 0;
	k->n_replaced = k->n_offloads = k->offload = 0;
	p->frozen = false;
	k->bad[0] = 0;
	kit_start_clock(k);
}

/* --- packets -------------------------------------------------------------- */

static inline uint64_t kit_send(struct kit *k, enum link_type link,
				struct span s)
{
	struct packet_in in = {.id = ++k->id, .pcap_cnt = k->id,
			       .now = k->now, .link = link, .octets = s,
			       .wire_len = (uint32_t)s.n};

	if (k->id >= KIT_IDS)
		abort();
	pipeline_packet(k->p, &in, &k->sink);
	return k->id;
}

static inline void kit_put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Put the checksum of the IPv4 header right, if there is one: it is looked at
 * whatever the configuration says, and would hide all that is behind it. */
static inline void kit_right(enum link_type link, uint8_t *b, size_t n)
{
	static const uint8_t octets[] = {[LINK_ETHERNET] = 14, [LINK_SLL] = 16,
					 [LINK_SLL2] = 20, [LINK_RAW] = 0,
					 [LINK_NULL] = 4};
	size_t at = octets[link];
	struct span ip = span_from(span_of(b, n), at), head;

	if (ip.n < 20 || ip.p[0] >> 4 != 4)
		return;
	head = span_sub(ip, 0, (ip.p[0] & 15u) * 4);
	if (head.n < 12)
		return;
	kit_put16(b + at + 10, 0);
	kit_put16(b + at + 10, (uint16_t)~span_sum16(head));
}

/* One IPv4 packet or fragment; out: from the machine. off in octets. */
struct kit_ip {
	bool out;
	uint8_t proto;
	uint16_t id, off;
	bool more;
};

static inline struct span kit_ip4(struct kit *k, const struct kit_ip *h,
				  struct span body)
{
	struct wbuf w = wbuf_of(k->packet, sizeof(k->packet));
	struct pol_prefix a = kit_net(0, 10, 32), b = kit_net(0, 1, 32);

	if (k->bulk)
		b.addr.b[13] = 21;
	wbuf_be(&w, 0x4500, 2);
	wbuf_be(&w, 20 + body.n, 2);
	wbuf_be(&w, h->id, 2);
	wbuf_be(&w, (h->more ? 0x2000u : 0) | h->off / 8u, 2);
	wbuf_be(&w, 64, 1);
	wbuf_be(&w, h->proto, 1);
	wbuf_be(&w, 0, 2);
	wbuf_put(&w, span_of((h->out ? &a : &b)->addr.b + 12, 4));
	wbuf_put(&w, span_of((h->out ? &b : &a)->addr.b + 12, 4));
	kit_put16(k->packet + 10, (uint16_t)~span_sum16(wbuf_span(&w)));
	wbuf_put(&w, body);
	return wbuf_span(&w);
}

/* The checksum of a transport header with its pseudo header. */
static inline uint16_t kit_l4_sum(uint8_t proto, struct span l4)
{
	static uint8_t b[80 * 1024];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct pol_prefix x = kit_net(0, 10, 32), y = kit_net(0, 1, 32);

	wbuf_put(&w, span_of(x.addr.b + 12, 4));
	wbuf_put(&w, span_of(y.addr.b + 12, 4));
	wbuf_be(&w, proto, 2);
	wbuf_be(&w, l4.n, 2);
	wbuf_put(&w, l4);
	return (uint16_t)~span_sum16(wbuf_span(&w));
}

struct kit_seg {
	bool out;
	uint16_t port; /* the machine's; the other end's is 1153 */
	uint32_t seq, ack;
	uint8_t flags;
	bool has_ts;
	uint32_t ts;
	uint16_t window; /* 0: 65535 */
	bool closed;	 /* the window is 0 */
};

static inline uint64_t kit_tcp(struct kit *k, const struct kit_seg *s,
			       struct span data)
{
	static uint8_t b[80 * 1024];
	struct wbuf w = wbuf_of(b, sizeof(b));
	uint16_t far = k->far ? k->far : k->bulk ? 9000 : 1153;

	wbuf_be(&w, s->out ? s->port : far, 2);
	wbuf_be(&w, !s->out ? s->port : far, 2);
	wbuf_be(&w, s->seq, 4);
	wbuf_be(&w, s->ack, 4);
	wbuf_be(&w, s->has_ts ? 8 << 4 : 5 << 4, 1);
	wbuf_be(&w, s->flags, 1);
	wbuf_be(&w, s->closed ? 0u : s->window ? s->window : 65535u, 2);
	wbuf_be(&w, 0, 4);
	if (s->has_ts) {
		wbuf_be(&w, 0x0101080a, 4);
		wbuf_be(&w, s->ts, 4);
		wbuf_be(&w, 0, 4);
	}
	wbuf_put(&w, data);
	kit_put16(b + 16, kit_l4_sum(PROTO_TCP, wbuf_span(&w)));
	return kit_send(k, LINK_RAW,
			kit_ip4(k, &(struct kit_ip){s->out, PROTO_TCP, 0, 0,
						    false},
				wbuf_span(&w)));
}

/* A UDP datagram with its header, from or to port 1153 of the other end. */
static inline struct span kit_udp(uint8_t *b, size_t cap, bool out,
				  uint16_t port, struct span data)
{
	struct wbuf w = wbuf_of(b, cap);

	wbuf_be(&w, out ? port : 1153, 2);
	wbuf_be(&w, out ? 1153 : port, 2);
	wbuf_be(&w, 8 + data.n, 2);
	wbuf_be(&w, 0, 2);
	wbuf_put(&w, data);
	kit_put16(b + 6, kit_l4_sum(PROTO_UDP, wbuf_span(&w)));
	return wbuf_span(&w);
}

/* A datagram between KIT_PORT and a port of nobody, without a checksum. */
static inline uint64_t kit_odd_datagram(struct kit *k, bool out, struct span s)
{
	uint8_t b[2048];
	struct wbuf w = wbuf_of(b, sizeof(b));

	wbuf_be(&w, out ? KIT_PORT : 9000, 2);
	wbuf_be(&w, out ? 9000 : KIT_PORT, 2);
	wbuf_be(&w, 8 + s.n, 2);
	wbuf_be(&w, 0, 2);
	wbuf_put(&w, s);
	return kit_send(k, LINK_RAW,
			kit_ip4(k, &(struct kit_ip){out, PROTO_UDP, 0, 0,
						    false},
				wbuf_span(&w)));
}

static inline void kit_handshake(struct kit *k, uint16_t port, uint32_t isn,
				 bool has_ts)
{
	struct kit_seg s = {.out = true, .port = port, .seq = isn,
			    .flags = TCP_SYN, .has_ts = has_ts, .ts = 100};
	struct kit_seg a = {.port = port, .seq = KIT_ISN2, .ack = isn + 1,
			    .flags = TCP_SYN | TCP_ACK, .has_ts = has_ts,
			    .ts = 100};

	kit_tcp(k, &s, (struct span){0});
	kit_tcp(k, &a, (struct span){0});
	s.seq++;
	s.ack = KIT_ISN2 + 1;
	s.flags = TCP_ACK;
	kit_tcp(k, &s, (struct span){0});
}

/* --- units ---------------------------------------------------------------- */

/* A full read of a table: KIT_UNIT octets. */
static inline void kit_request(struct wbuf *w, uint8_t inv, uint8_t table)
{
	wbuf_put(w, span_of("\x60\x1d\xa2\x05\x80\x03\x47\x87\x69"
			    "\xa6\x04\x80\x02\x47\x01\xa8\x03\x02\x01", 19));
	wbuf_u8(w, inv);
	wbuf_put(w, span_of("\xbe\x09\x28\x07\x81\x05\x80\x03\x30\x00", 10));
	wbuf_u8(w, table);
}

/* Its answer: two octets of the table. */
static inline void kit_answer(struct wbuf *w, uint8_t inv, uint8_t v)
{
	wbuf_put(w, span_of("\x60\x25\xa2\x04\x80\x02\x47\x01"
			    "\xa4\x03\x02\x01", 12));
	wbuf_u8(w, inv);
	wbuf_put(w, span_of("\xa6\x05\x80\x03\x47\x87\x69\xa8\x03\x02\x01",
			    11));
	wbuf_u8(w, inv);
	wbuf_put(w, span_of("\xbe\x0c\x28\x0a\x81\x08\x82\x06\x00\x00\x02",
			    11));
	wbuf_u8(w, v);
	wbuf_u8(w, 0x42);
	wbuf_u8(w, (uint8_t)-(v + 0x42));
}

/* The first 20 octets of a message of 31, as an ACSE segment. */
static inline void kit_segment(struct wbuf *w, uint8_t inv)
{
	uint8_t b[KIT_UNIT];
	struct wbuf in = wbuf_of(b, sizeof(b));

	kit_request(&in, inv, 64);
	wbuf_put(w, span_of("\x60\x37\xa2\x04\x80\x02\x47\x01"
			    "\xa3\x03\x02\x01\x1f"
			    "\xa6\x05\x80\x03\x47\x87\x69\xa8\x03\x02\x01",
			    24));
	wbuf_u8(w, inv);
	wbuf_put(w, span_of("\xbe\x1e\x28\x1c\x02\x01\x00\x81\x17", 9));
	wbuf_put(w, span_of(b, 23));
}

/* Units by letters, their invocation ids counted from 1:
 *   a, c  allowed: reads of tables 64 and 23; d  denied: of table 42
 *   b     breaks the grammar; f  is no unit at all, nor any beginning of one
 *   z     the same as f, and begins with a zero; y  begins like one
 *   l     allowed, but not twice in 10 s: of table 66
 *   s     a segment of a larger message; r  an answer */
static inline struct span kit_units(struct wbuf *w, const char *letters)
{
	for (unsigned i = 0; letters[i]; i++) {
		uint8_t inv = (uint8_t)(1 + i % 127);
		size_t at = w->n;

		switch (letters[i]) {
		case 's':
			kit_segment(w, inv);
			break;
		case 'r':
			kit_answer(w, inv, 0x41);
			break;
		default:
			kit_request(w, inv, letters[i] == 'd'	? 42 :
					    letters[i] == 'l'	? 66 :
					    letters[i] == 'c'	? 23 :
								  64);
			break;
		}
		if (w->failed)
			abort();
		if (letters[i] == 'b')
			w->p[at + 2] = 0xff;
		if (letters[i] == 'y')
			w->p[at + 4] = 0xff; /* looks like one, no more */
		if (letters[i] == 'f' || letters[i] == 'z')
			w->p[at] = letters[i] == 'f' ? 0x61 : 0;
	}
	return wbuf_span(w);
}

#endif
