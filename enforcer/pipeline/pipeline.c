/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/pipeline/pipeline.h"

#include <stdlib.h>

#include "dissectors/net/icmp.h"
#include "enforcer/pipeline/ask.h"
#include "enforcer/pipeline/state.h"

#define MAX_HELD  4096
#define MAX_FRAGS 64

/* --- start and end ------------------------------------------------------------- */

void *pipeline_take(struct pipeline *p, size_t n, size_t size)
{
	p->size += n * size;
	return calloc(n ? n : 1, size);
}

static bool allocate(struct pipeline *p)
{
	uint32_t flows = p->conf.max_flows, held = p->conf.max_held;

	p->n_buckets = 1;
	while (p->n_buckets < 2 * flows)
		p->n_buckets *= 2;
	p->n_frags = p->conf.max_fragments;
	p->flow = pipeline_take(p, flows, sizeof(*p->flow));
	p->bucket = pipeline_take(p, p->n_buckets, sizeof(*p->bucket));
	p->held = pipeline_take(p, held, sizeof(*p->held));
	p->n_chunks = flows > CHUNKS_MIN ? flows : CHUNKS_MIN;
	p->chunk = pipeline_take(p, p->n_chunks, sizeof(*p->chunk));
	p->line = pipeline_take(p, 1, HOLD_MOST);
	p->early_line = pipeline_take(p, 1, PACKET_MOST);
	p->early = pipeline_take(p, OOO_MAX, sizeof(*p->early));
	p->frag = pipeline_take(p, p->n_frags, sizeof(*p->frag));
	p->obs = pipeline_take(p, OBS_MAX, sizeof(*p->obs));
	p->rules = pipeline_take(p, OBS_MAX, sizeof(*p->rules));
	p->arena = arena_of(pipeline_take(p, 1, ARENA_OCTETS), ARENA_OCTETS);
	/* One place for all: a flow speaks one protocol. */
	for (size_t i = 0; i < p->n_dis; i++) {
		size_t n = (p->dis[i]->flow_size + 15) & ~(size_t)15;

		if (n > p->flow_stride)
			p->flow_stride = n;
	}
	p->flow_mem = pipeline_take(p, flows, p->flow_stride ? p->flow_stride : 1);
	p->walk = pipeline_take(p, 1, p->flow_stride ? p->flow_stride : 1);
	return p->flow && p->bucket && p->held && p->chunk && p->line &&
	       p->early_line && p->early && p->frag && p->obs && p->rules && p->arena.p &&
	       p->flow_mem && p->walk;
}

static void thread_lists(struct pipeline *p)
{
	for (uint32_t i = 0; i < p->n_buckets; i++)
		p->bucket[i] = NONE;
	p->flows = (struct pool){&p->flow[0].next, sizeof(*p->flow), NONE, 0,
				 p->conf.max_flows};
	p->helds = (struct pool){&p->held[0].next, sizeof(*p->held), NONE, 0,
				 p->conf.max_held};
	p->chunks = (struct pool){&p->chunk[0].next, sizeof(*p->chunk), NONE,
				  0, p->n_chunks};
	p->earlies = (struct pool){&p->early[0].next, sizeof(*p->early), NONE,
				   0, OOO_MAX};
	p->first_held = p->last_held = NONE;
	p->latest = NONE;
	p->flows_due = INT64_MIN;
	p->free_chunks = p->n_chunks;
	timers_new(p);
	for (size_t g = 0; g < GUESTS_MAX; g++) {
		for (int l = 0; l < LISTS; l++)
			p->lru[g][l] = (struct lru){NONE, NONE};
	}
}

static bool blocks(struct pipeline *p)
{
	for (size_t g = 0; g < p->n_guests; g++) {
		for (size_t i = 0; i < p->n_dis; i++) {
			void *b;

			/* Other machines judge for themselves. */
			if (p->self >= 0 && (size_t)p->self != g)
				continue;
			b = pipeline_take(p, 1, p->dis[i]->machine_size);
			if (!b)
				return false;
			p->guest[g].block[i] = b;
			p->dis[i]->machine_init(b, p->conf.dissector_conf[i]);
		}
	}
	return true;
}

int pipeline_new(struct pipeline **out, const struct pipeline_conf *conf,
		 struct err *e)
{
	struct pipeline *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, E_NOMEM, 0, "out of memory");
	p->size = sizeof(*p);
	p->conf = *conf;
	if (!p->conf.max_flows)
		p->conf.max_flows = PIPELINE_FLOWS;
	if (!p->conf.max_held)
		p->conf.max_held = MAX_HELD;
	if (!p->conf.min_ttl)
		p->conf.min_ttl = 1;
	if (!p->conf.max_fragments)
		p->conf.max_fragments = MAX_FRAGS;
	p->dis = conf->dissectors ? conf->dissectors : dissectors;
	while (p->n_dis < DISSECTORS_MAX && p->dis[p->n_dis])
		p->n_dis++;
	if (!allocate(p)) {
		pipeline_free(p);
		return err_set(e, E_NOMEM, 0, "no memory for %u flows",
			       conf->max_flows);
	}
	thread_lists(p);
	if (!guests_new(p) || !blocks(p)) {
		pipeline_free(p);
		return err_set(e, E_LIMIT, 0,
			       "too many guests, or one that the policy does "
			       "not know");
	}
	p->share = p->n_guests && p->self < 0 ?
			   p->conf.max_flows / (uint32_t)p->n_guests :
			   p->conf.max_flows;
	if (p->self >= 0 && strict(p))
		pol_state_one_sided(p->conf.state, true);
	/* The caller's array may go. */
	p->conf.guests = NULL;
	*out = p;
	return 0;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	for (size_t g = 0; g < p->n_guests; g++) {
		for (size_t i = 0; i < p->n_dis; i++)
			free(p->guest[g].block[i]);
	}
	free(p->flow);
	free(p->bucket);
	free(p->held);
	free(p->chunk);
	free(p->line);
	free(p->early_line);
	free(p->early);
	free(p->frag);
	free(p->obs);
	free(p->rules);
	free(p->arena.p);
	free(p->flow_mem);
	free(p->walk);
	free(p->rule);
	free(p->rule_guest);
	free(p);
}

size_t pipeline_size(const struct pipeline *p)
{
	return p->size;
}

const struct pipeline_stats *pipeline_stats(const struct pipeline *p)
{
	return &p->stats;
}

/* --- events ----------------------------------------------------------------------- */

struct span guest_name(const struct pipeline *p, uint32_t guest)
{
	return span_str(p->guest[guest].name);
}

void event_base(struct work *w, struct event *ev, enum event_type type)
{
	int guest;

	/* The arrays behind n_rules and n_budgets need no clearing. */
	memset(ev, 0, offsetof(struct event, rules));
	ev->n_rules = ev->n_budgets = 0;
	memset(&ev->would_pass, 0,
	       sizeof(*ev) - offsetof(struct event, would_pass));
	ev->type = type;
	ev->now = w->now;
	ev->pcap_cnt = told_number(w->p, w->pcap_cnt);
	if (w->pkt) {
		ev->tup = w->pkt->tup;
		ev->has_tuple = w->pkt->has_tuple;
	}
	if (!w->f) {
		guest = guest_told(w, &ev->dir);
		if (guest >= 0)
			ev->guest = guest_name(w->p, (uint32_t)guest);
		return;
	}
	ev->flow_id = w->f->id;
	if (!w->pkt) {
		ev->tup = w->f->tup;
		ev->has_tuple = true;
	}
	ev->guest = guest_name(w->p, w->f->guest);
	ev->dir = side_dir(w->f, w->s);
	if (w->f->dis >= 0)
		ev->app_proto = w->p->dis[w->f->dis]->name;
}

static void tell(struct work *w, enum reason why, const char *detail,
		 enum verdict v, uint32_t octets)
{
	struct event ev;

	event_base(w, &ev, EV_ANOMALY);
	ev.verdict = v;
	ev.reason = why;
	reasons_add(&ev.reasons, why);
	ev.detail = detail;
	ev.octets = octets;
	w->p->stats.anomalies[why]++;
	w->sink->event(w->sink->arg, &ev);
}

void anomaly(struct work *w, enum reason why, const char *detail,
	     enum verdict v)
{
	tell(w, why, detail, v, 0);
}

void held_anomaly(struct work *w, uint32_t h, enum reason why,
		  const char *detail, enum verdict v)
{
	const struct held *e = &w->p->held[h];
	uint64_t cnt = w->pcap_cnt;

	w->pcap_cnt = e->pcap_cnt;
	tell(w, why, detail, v, e->octets);
	w->pcap_cnt = cnt;
}

/* --- one packet ----------------------------------------------------------------------- */

static bool new_connection(const struct flow *f, uint8_t s,
			   const struct packet *pkt)
{
	if (pkt->tup.proto != PROTO_TCP ||
	    (pkt->tcp.flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return false;
	/* What was refused was reset at both ends; peers with a fixed port come
	 * back with another number. */
	if (f->denied)
		return !f->side[s].syn || f->side[s].isn != pkt->tcp.seq;
	/* What the kernel carried may have ended there. */
	return f->tcp == TCP_CLOSED ||
	       (f->offload && f->offload != OFFLOAD_REFUSED);
}

/* What opened f, or what f knows of the one before. */
static struct syn_ack opened_by(const struct flow *f)
{
	if (!f->side[0].syn || !f->side[1].syn)
		return f->before;
	return (struct syn_ack){true, f->side[1].isn, f->side[0].isn + 1};
}

/* The packet's flow, found or made. False: its verdict is given. */
static bool enter_flow(struct work *w, const struct packet_in *in)
{
	struct pipeline *p = w->p;
	const struct packet *pkt = w->pkt;
	enum dir dir;
	enum reason why;
	bool tcp = pkt->tup.proto == PROTO_TCP, spoofed = false;
	struct syn_ack before = {0};
	int guest, peer;

	w->f_idx = flow_find(p, &pkt->tup, &w->s);
	if (w->f_idx != NONE && new_connection(&p->flow[w->f_idx], w->s, pkt)) {
		before = opened_by(&p->flow[w->f_idx]);
		flow_end(w, w->f_idx, REASON_TCP_CLOSED);
		w->f_idx = NONE;
	}
	if (w->f_idx != NONE) {
		w->f = &p->flow[w->f_idx];
		if (strict(p) && (p->self >= 0 || side_dir(w->f, w->s) == DIR_OUT))
			guest_sender(p, in, pkt, &spoofed);
		if (spoofed) {
			packet_drop(w, REASON_SPOOFED_SOURCE);
			return false;
		}
		return true;
	}
	guest = guest_of(w, in, &dir, &peer);
	if (guest < 0)
		return false;
	if (tcp && strict(p) &&
	    (pkt->tcp.flags & (TCP_SYN | TCP_ACK)) != TCP_SYN) {
		if (known_party(w, (uint16_t)guest, dir, peer))
			reset_stray(w, dir);
		packet_drop(w, REASON_TCP_MIDSTREAM);
		return false;
	}
	w->s = 0;
	w->f_idx = flow_new(w, pkt, (uint16_t)guest, dir, peer, &why);
	if (w->f_idx == NONE) {
		packet_drop(w, why);
		return false;
	}
	w->f = &p->flow[w->f_idx];
	w->f->before = before;
	if (before.known) /* what came before stays in mind as long */
		flow_closed(w, w->f_idx);
	flow_event(w, w->f_idx, false);
	if (strict(p))
		name_flow(w);
	if (strict(p) && !judge_open(w, &why)) {
		uint32_t h = w->held;

		pol_abort(p->conf.state);
		w->f->denied = true;
		flow_closed(w, w->f_idx);
		w->held = NONE;
		held_verdict(w, h, PACKET_DROP, why);
		/* A datagram is asked about each time; TCP repeats itself. */
		if (!tcp)
			flow_end(w, w->f_idx, why);
		return false;
	}
	if (strict(p))
		pol_commit(p->conf.state);
	return true;
}

static void account(struct work *w)
{
	struct flow *f = w->f;
	enum dir d = side_dir(f, w->s);

	w->p->held[w->held].payload = (uint32_t)w->pkt->payload.n;
	for (uint32_t h = w->held; h != NONE; h = w->p->held[h].sib)
		f->pkts[d]++;
	f->octets[d] += held_octets(w->p, w->held);
	/* Whoever goes on talking to a refused connection keeps nothing busy. */
	if (!f->denied)
		flow_touch(w->p, w->f_idx, w->now);
	if (w->s)
		flow_answered(w, w->f_idx);
}

static enum packet_sums sums_of(const struct pipeline_conf *c)
{
	if (!c->checksums)
		return SUMS_ANY;
	return c->partial_sums ? SUMS_PARTIAL : SUMS_RIGHT;
}

static void one_packet(struct work *w, const struct packet_in *in,
		       struct packet *pkt)
{
	struct pipeline *p = w->p;
	enum packet_sums sums = sums_of(&p->conf);
	enum reason why = packet_read(in, pkt, sums, p->conf.min_ttl);
	bool icmp = strict(p) && (pkt->tup.proto == PROTO_ICMP ||
				  pkt->tup.proto == PROTO_ICMP6);
	struct icmp_message m;

	if (why == REASON_NONE && pkt->vlan && strict(p))
		why = REASON_VLAN_TAGGED;
	if (why == REASON_NONE && strict(p) && pkt->has_tuple &&
	    pkt->tup.proto != PROTO_TCP && pkt->tup.proto != PROTO_UDP &&
	    pkt->tup.proto != PROTO_ICMP && pkt->tup.proto != PROTO_ICMP6)
		why = REASON_UNKNOWN_PROTOCOL;
	if (why == REASON_NONE && pkt->arp.n) {
		why = strict(p) ? guest_arp(p, in, pkt) : REASON_NONE;
		if (!why) {
			packet_pass(w);
			return;
		}
	}
	if (why) {
		packet_drop(w, why);
		return;
	}
	/* Limits count what passes the gate, whatever the link adds. */
	p->held[w->held].octets = pkt->ip_len;
	if (pkt->fragment) {
		if (!frag_add(w, pkt))
			return;
		why = packet_transport(pkt, pkt->transport,
				       in->csum_ok ? SUMS_ANY : sums);
		if (why) {
			packet_drop(w, why);
			return;
		}
	}
	if (icmp)
		why = icmp_shape(pkt, &m);
	else if (strict(p) && guest_unread(pkt))
		why = REASON_UNKNOWN_PROTOCOL;
	if (why) {
		packet_drop(w, why);
		return;
	}
	if (!enter_flow(w, in))
		return;
	account(w);
	if (icmp) {
		why = icmp_check(w, in, &m);
		if (why) {
			packet_drop(w, why);
			return;
		}
	}
	if (pkt->unfinished && !w->f->unfinished) {
		w->f->unfinished = true;
		anomaly(w, REASON_UNFINISHED, NULL,
			strict(p) ? VERDICT_ALLOW : VERDICT_NONE);
	}
	offload_return(w);
	if (pkt->tup.proto == PROTO_TCP)
		stream_packet(w);
	else
		datagram_packet(w);
}

/* The headers are read only to say whose packet it was. */
static void freeze_packet(struct work *w, const struct packet_in *in,
			  struct packet *pkt)
{
	if (packet_read(in, pkt, SUMS_ANY, 0) && !pkt->has_tuple)
		w->pkt = NULL;
	packet_drop(w, REASON_FROZEN);
}

/* What waits goes as well; its flow forgets it, and the sender repeats it. */
static void freeze_held(struct work *w)
{
	struct pipeline *p = w->p;

	defer_forget(w, NONE, REASON_FROZEN);

	while (p->first_held != NONE) {
		uint32_t i = p->held[p->first_held].flow;
		struct flow *f = &p->flow[i];

		w->f = f;
		w->f_idx = i;
		for (int s = 0; s < 2; s++) {
			drop_list(w, &f->side[s].held, REASON_FROZEN);
			drop_list(w, &f->side[s].segs, REASON_FROZEN);
			early_free(w, &f->side[s], REASON_FROZEN);
		}
	}
	w->f = NULL;
	w->f_idx = NONE;
}

void pipeline_packet(struct pipeline *p, const struct packet_in *in,
		     const struct pipeline_sink *sink)
{
	struct packet pkt;
	struct work w = {.p = p,
			 .sink = sink,
			 .now = in->now,
			 .pcap_cnt = in->pcap_cnt,
			 .pkt = NULL,
			 .in = in,
			 .f_idx = NONE};

	p->stats.packets++;
	/* Each packet needs a number, for what is told of several at once. */
	p->unnumbered = in->pcap_cnt == 0;
	if (p->unnumbered)
		w.pcap_cnt = p->stats.packets;
	p->stats.octets += in->octets.n;
	flow_expire(&w, 2);
	w.pkt = &pkt;
	w.held = held_new(&w, in);
	if (w.held != NONE)
		p->held[w.held].pcap_cnt = w.pcap_cnt;
	if (w.held == NONE) {
		w.pkt = NULL;
		anomaly(&w, REASON_RESOURCE, NULL,
			strict(p) ? VERDICT_DENY : VERDICT_NONE);
		if (strict(p)) {
			p->stats.dropped++;
			p->stats.drops[REASON_RESOURCE]++;
		} else {
			p->stats.passed++;
		}
		sink->verdict(sink->arg, in->id,
			      strict(p) ? PACKET_DROP : PACKET_PASS,
			      strict(p) ? REASON_RESOURCE : REASON_NONE);
		return;
	}
	if (p->frozen && strict(p))
		freeze_packet(&w, in, &pkt);
	else
		one_packet(&w, in, &pkt);
	quarantine_look(&w);
}

void pipeline_tick(struct pipeline *p, struct now now,
		   const struct pipeline_sink *sink)
{
	struct work w = {.p = p, .sink = sink, .now = now, .f_idx = NONE};

	if (p->frozen && strict(p))
		freeze_held(&w);
	timers_run(&w);
	defer_run(&w);
	hold_expire(&w, false);
	frag_expire(&w, false);
	flow_expire(&w, UINT32_MAX);
	quarantine_look(&w);
}

struct mono pipeline_due(const struct pipeline *p)
{
	int64_t due = flow_due(p), at = hold_due(p);

	due = at < due ? at : due;
	at = timers_due(p);
	due = at < due ? at : due;
	at = defer_due(p);
	due = at < due ? at : due;
	at = quarantine_due(p);
	due = at < due ? at : due;
	at = frag_due(p);
	return (struct mono){at < due ? at : due};
}

void pipeline_end(struct pipeline *p, struct now now,
		  const struct pipeline_sink *sink)
{
	struct work w = {.p = p, .sink = sink, .now = now, .f_idx = NONE};

	frag_expire(&w, true);
	hold_expire(&w, true);
	for (int l = 0; l < LISTS; l++) {
		uint32_t i;

		while ((i = flow_oldest(p, (enum list)l)) != NONE)
			flow_end(&w, i, REASON_HELD_AT_END);
	}
}
