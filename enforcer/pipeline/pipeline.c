/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/pipeline/pipeline.h"

#include <stdlib.h>

#include "enforcer/pipeline/state.h"

#define MAX_FLOWS 65536
#define MAX_HELD  4096
#define MAX_FRAGS 64

/* --- start and end ------------------------------------------------------------- */

static void *take(struct pipeline *p, size_t n, size_t size)
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
	p->flow = take(p, flows, sizeof(*p->flow));
	p->bucket = take(p, p->n_buckets, sizeof(*p->bucket));
	p->held = take(p, held, sizeof(*p->held));
	p->buf = take(p, BUFS, sizeof(*p->buf));
	p->early = take(p, OOO_MAX, sizeof(*p->early));
	p->frag = take(p, p->n_frags, sizeof(*p->frag));
	p->obs = take(p, OBS_MAX, sizeof(*p->obs));
	p->rules = take(p, OBS_MAX, sizeof(*p->rules));
	p->arena = arena_of(take(p, 1, ARENA_OCTETS), ARENA_OCTETS);
	for (size_t i = 0; i < p->n_dis; i++) {
		p->flow_off[i] = p->flow_stride;
		p->flow_stride += (p->dis[i]->flow_size + 15) & ~(size_t)15;
	}
	p->flow_mem = take(p, flows, p->flow_stride ? p->flow_stride : 1);
	return p->flow && p->bucket && p->held && p->buf && p->early &&
	       p->frag && p->obs && p->rules && p->arena.p && p->flow_mem;
}

static void thread_lists(struct pipeline *p)
{
	for (uint32_t i = 0; i < p->n_buckets; i++)
		p->bucket[i] = NONE;
	for (uint32_t i = 0; i < p->conf.max_flows; i++)
		p->flow[i].next = i + 1 < p->conf.max_flows ? i + 1 : NONE;
	for (uint32_t i = 0; i < p->conf.max_held; i++)
		p->held[i].next = i + 1 < p->conf.max_held ? i + 1 : NONE;
	for (uint32_t i = 0; i < BUFS; i++)
		p->buf[i].next = i + 1 < BUFS ? i + 1 : NONE;
	for (uint32_t i = 0; i < OOO_MAX; i++)
		p->early[i].next = i + 1 < OOO_MAX ? i + 1 : NONE;
	p->free_flow = p->free_held = p->free_buf = p->free_early = 0;
	for (int i = 0; i < 2; i++)
		p->oldest[i] = p->newest[i] = NONE;
}

/* The guest of that name, made when it is new; -1: too many, or the policy
 * knows no such machine. */
static int guest_index(struct pipeline *p, struct span name)
{
	struct guest *g;

	for (size_t i = 0; i < p->n_guests; i++) {
		if (span_is(name, p->guest[i].name))
			return (int)i;
	}
	if (p->n_guests == GUESTS_MAX || name.n >= sizeof(g->name))
		return -1;
	g = &p->guest[p->n_guests];
	memset(g, 0, sizeof(*g));
	if (name.n)
		memcpy(g->name, name.p, name.n);
	g->machine = strict(p) ?
			     pol_set_find_machine(p->conf.policy, name) :
			     -1;
	if (strict(p) && g->machine < 0)
		return -1;
	return (int)p->n_guests++;
}

static bool add_rule(struct pipeline *p, const struct pipeline_guest *r)
{
	int g = guest_index(p, span_str(r->name));

	if (g < 0)
		return false;
	p->rule[p->n_rules] = *r;
	p->rule_guest[p->n_rules++] = (uint16_t)g;
	return true;
}

/* One rule for each address that the binding gives the machine. */
static bool add_machine(struct pipeline *p, size_t i)
{
	struct pipeline_guest r = {0};
	struct pol_machine m;

	pol_set_machine(p->conf.policy, i, &m);
	if (m.name.n >= sizeof(r.name) || m.interface.n >= sizeof(r.iface))
		return false;
	if (m.name.n)
		memcpy(r.name, m.name.p, m.name.n);
	if (m.interface.n)
		memcpy(r.iface, m.interface.p, m.interface.n);
	r.has_mac = m.has_mac;
	memcpy(r.mac, m.mac, 6);
	for (size_t k = 0; k < m.n_addr; k++) {
		r.has_addr = true;
		r.addr = m.addr[k].addr;
		r.prefix = m.addr[k].len;
		if (!add_rule(p, &r))
			return false;
	}
	/* Without a binding nobody is known by anything. */
	return true;
}

static bool guests(struct pipeline *p)
{
	size_t n = p->conf.n_guests, machines = 0;

	if (!n && strict(p)) {
		machines = pol_set_machines(p->conf.policy);
		for (size_t i = 0; i < machines; i++) {
			struct pol_machine m;

			pol_set_machine(p->conf.policy, i, &m);
			n += m.n_addr;
		}
	}
	p->rule = take(p, n, sizeof(*p->rule));
	p->rule_guest = take(p, n, sizeof(*p->rule_guest));
	if (!p->rule || !p->rule_guest)
		return false;
	for (size_t i = 0; i < p->conf.n_guests; i++) {
		if (!add_rule(p, &p->conf.guests[i]))
			return false;
	}
	for (size_t i = 0; i < machines; i++) {
		if (!add_machine(p, i))
			return false;
	}
	if (!p->n_rules && !strict(p)) {
		p->anonymous = true;
		guest_index(p, (struct span){0});
	}
	return true;
}

static bool blocks(struct pipeline *p)
{
	for (size_t g = 0; g < p->n_guests; g++) {
		for (size_t i = 0; i < p->n_dis; i++) {
			void *b = take(p, 1, p->dis[i]->machine_size);

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
		p->conf.max_flows = MAX_FLOWS;
	if (!p->conf.max_held)
		p->conf.max_held = MAX_HELD;
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
	if (!guests(p) || !blocks(p)) {
		pipeline_free(p);
		return err_set(e, E_LIMIT, 0,
			       "too many guests, or one that the policy does "
			       "not know");
	}
	p->share = p->n_guests ?
			   p->conf.max_flows / (uint32_t)p->n_guests :
			   p->conf.max_flows;
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
	free(p->buf);
	free(p->early);
	free(p->frag);
	free(p->obs);
	free(p->rules);
	free(p->arena.p);
	free(p->flow_mem);
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
	/* The arrays behind n_rules and n_budgets need no clearing. */
	memset(ev, 0, offsetof(struct event, rules));
	ev->n_rules = ev->n_budgets = 0;
	memset(&ev->would_pass, 0,
	       sizeof(*ev) - offsetof(struct event, would_pass));
	ev->type = type;
	ev->now = w->now;
	ev->pcap_cnt = w->pcap_cnt;
	if (w->pkt) {
		ev->tup = w->pkt->tup;
		ev->has_tuple = w->pkt->has_tuple;
	}
	if (!w->f)
		return;
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

void anomaly(struct work *w, enum reason why, const char *detail,
	     enum verdict v)
{
	struct event ev;

	event_base(w, &ev, EV_ANOMALY);
	ev.verdict = v;
	ev.reason = why;
	reasons_add(&ev.reasons, why);
	ev.detail = detail;
	w->p->stats.anomalies[why]++;
	w->sink->event(w->sink->arg, &ev);
}

/* --- whose packet ------------------------------------------------------------------ */

static bool in_prefix(const struct net_addr *a, const struct pipeline_guest *r)
{
	unsigned whole = r->prefix / 8u, bits = r->prefix % 8u;

	if (memcmp(a->b, r->addr.b, whole) != 0)
		return false;
	return bits == 0 ||
	       ((a->b[whole] ^ r->addr.b[whole]) >> (8 - bits)) == 0;
}

/* The IPv6 link-local address of a MAC is bound with it (RFC 4291, modified
 * EUI-64). */
static bool is_link_local_of(const struct net_addr *a, const uint8_t mac[6])
{
	const uint8_t want[16] = {0xfe,   0x80,	  0,	  0,	0,    0,
				  0,	  0,	  (uint8_t)(mac[0] ^ 2),
				  mac[1], mac[2], 0xff,	  0xfe, mac[3],
				  mac[4], mac[5]};

	return memcmp(a->b, want, sizeof(want)) == 0;
}

static bool guest_addr(const struct pipeline_guest *r,
		       const struct net_addr *a)
{
	return !r->has_addr || in_prefix(a, r) ||
	       (r->has_mac && is_link_local_of(a, r->mac));
}

/* Does the rule's address say that this end is the guest? */
static bool addr_is(const struct pipeline_guest *r, const struct net_addr *a,
		    uint16_t port)
{
	return guest_addr(r, a) && (r->port == 0 || r->port == port);
}

/* The guest that sent the packet, or -1; *spoofed: by its interface or MAC it
 * is, but not by its address, or the reverse (policy-language section 6). */
static int sender(const struct pipeline *p, const struct packet_in *in,
		  const struct packet *pkt, bool *spoofed)
{
	int half = -1, found = -1;

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct pipeline_guest *r = &p->rule[i];
		bool iface = !r->iface[0] || in->iface.n == 0 ||
			     span_is(in->iface, r->iface);
		bool mac = !r->has_mac || !pkt->has_mac ||
			   memcmp(r->mac, pkt->src_mac, 6) == 0;
		bool addr = addr_is(r, &pkt->tup.src, pkt->tup.sport);
		bool by_link = (r->has_mac && pkt->has_mac) ||
			       (r->iface[0] && in->iface.n);

		if (!r->has_addr && r->port == 0 && !by_link)
			continue; /* nothing that could tell */
		if (iface && mac && addr)
			found = found < 0 ? p->rule_guest[i] : found;
		else if ((iface && mac && by_link) || (addr && r->has_addr))
			half = p->rule_guest[i];
	}
	*spoofed = found < 0 && half >= 0;
	return found >= 0 ? found : half;
}

static int receiver(const struct pipeline *p, const struct packet *pkt)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct pipeline_guest *r = &p->rule[i];
		bool tells = r->has_addr || r->port ||
			     (r->has_mac && pkt->has_dst_mac);

		if (r->has_mac && pkt->has_dst_mac && !r->has_addr &&
		    memcmp(r->mac, pkt->dst_mac, 6) != 0)
			continue;
		if (tells && addr_is(r, &pkt->tup.dst, pkt->tup.dport))
			return p->rule_guest[i];
	}
	return -1;
}

#define ICMP6_RA   134
#define ICMP6_NA   136
#define DHCP4_PORT 67
#define DHCP6_PORT 547

/* What a machine never says: it is no router, no DHCP server, and answers for
 * its own addresses only (policy-language section 6, items 3 and 4). */
static bool claims_too_much(const struct pipeline *p, const struct packet *pkt,
			    int guest)
{
	struct cur c = cur_of(pkt->transport);
	struct net_addr target = {{0}};
	struct span t;
	uint8_t type;

	if (pkt->tup.proto == PROTO_UDP)
		return pkt->tup.sport == DHCP4_PORT ||
		       pkt->tup.sport == DHCP6_PORT;
	if (pkt->tup.proto != PROTO_ICMP6)
		return false;
	type = cur_u8(&c);
	cur_take(&c, 7);
	t = cur_take(&c, 16);
	if (type != ICMP6_NA)
		return type == ICMP6_RA;
	if (t.n == 16)
		memcpy(target.b, t.p, 16);
	for (size_t i = 0; i < p->n_rules; i++) {
		if (p->rule_guest[i] == guest &&
		    guest_addr(&p->rule[i], &target))
			return false;
	}
	return true;
}

/* ARP from a guest claims only what is bound to it; to a guest it may come. */
static enum reason check_arp(const struct pipeline *p,
			     const struct packet_in *in, struct packet *pkt)
{
	struct cur c = cur_of(pkt->arp);
	struct span sha, spa, tpa;
	bool spoofed;

	if (cur_u16(&c) != 1 || cur_u16(&c) != 0x0800 || cur_u8(&c) != 6 ||
	    cur_u8(&c) != 4)
		return REASON_NOT_IP;
	cur_u16(&c);
	sha = cur_take(&c, 6);
	spa = cur_take(&c, 4);
	cur_take(&c, 6);
	tpa = cur_take(&c, 4);
	if (!cur_ok(&c))
		return REASON_TRUNCATED;
	pkt->tup.src = pkt->tup.dst = (struct net_addr){{[10] = 0xff,
							 [11] = 0xff}};
	memcpy(&pkt->tup.src.b[12], spa.p, 4);
	memcpy(&pkt->tup.dst.b[12], tpa.p, 4);
	if (pkt->has_mac && memcmp(sha.p, pkt->src_mac, 6) != 0)
		return REASON_SPOOFED_SOURCE;
	if (sender(p, in, pkt, &spoofed) >= 0)
		return spoofed ? REASON_SPOOFED_SOURCE : REASON_NONE;
	return receiver(p, pkt) >= 0 ? REASON_NONE : REASON_NOT_IP;
}

/* --- one packet ----------------------------------------------------------------------- */

static void pass(struct work *w)
{
	uint32_t h = w->held;

	w->held = NONE;
	held_verdict(w, h, PACKET_PASS, REASON_NONE);
}

static void drop(struct work *w, enum reason why)
{
	uint32_t h = w->held;

	w->held = NONE;
	if (!strict(w->p))
		anomaly(w, why, NULL, VERDICT_NONE);
	drop_held(w, h, why);
}

/* Parts of an ACSE message wait for the last one and share its verdict. */
static void keep_part(struct work *w, uint64_t key)
{
	struct side *me = &w->f->side[w->s];
	struct held *e = &w->p->held[w->held];
	uint32_t last = me->segs;

	e->key = key;
	e->flow = w->f_idx;
	e->side = w->s;
	if (!strict(w->p)) {
		w->sink->verdict(w->sink->arg, e->id, PACKET_PASS,
				 REASON_NONE);
		w->p->stats.passed++;
		e->passed = true;
	}
	while (last != NONE && w->p->held[last].next != NONE)
		last = w->p->held[last].next;
	held_append(w->p, &me->segs, &last, w->held);
	w->held = NONE;
}

static void settle_parts(struct work *w, uint64_t key, bool passed,
			 enum reason why)
{
	struct pipeline *p = w->p;
	uint32_t *at = &w->f->side[w->s].segs;

	while (*at != NONE) {
		uint32_t h = *at;

		if (p->held[h].key != key) {
			at = &p->held[h].next;
			continue;
		}
		*at = p->held[h].next;
		if (passed)
			held_verdict(w, h, PACKET_PASS, REASON_NONE);
		else
			drop_held(w, h, why);
	}
}

/* May the parts leave, as packets? */
static bool parts_fit(struct work *w, uint64_t key)
{
	const struct pipeline *p = w->p;

	for (uint32_t h = w->f->side[w->s].segs; h != NONE;
	     h = p->held[h].next) {
		if (p->held[h].key == key &&
		    !judge_packet(w, p->held[h].octets))
			return false;
	}
	return true;
}

/* A part whose message was never completed. */
static void part_overdue(struct work *w, uint32_t h)
{
	struct pipeline *p = w->p;
	struct held *e = &p->held[h];
	uint32_t *at = &w->f->side[e->side].segs;
	uint64_t cnt = w->pcap_cnt;

	w->s = e->side;
	while (*at != NONE && *at != h)
		at = &p->held[*at].next;
	if (*at == NONE)
		return; /* it waits for something else */
	*at = e->next;
	if (!strict(p)) {
		w->pcap_cnt = e->pcap_cnt;
		anomaly(w, REASON_INCOMPLETE, NULL, VERDICT_NONE);
		w->pcap_cnt = cnt;
	}
	drop_held(w, h, REASON_INCOMPLETE);
}

/* What has waited too long; bounded by the packets that may wait at all. */
static void hold_expire(struct work *w, bool all)
{
	struct pipeline *p = w->p;

	for (uint32_t h = 0; h < p->conf.max_held && p->stats.held_now; h++) {
		struct held *e = &p->held[h];

		if (!e->used || e->flow == NONE ||
		    (!all && mono_sub(w->now.mono, e->since) <= HOLD_TIMEOUT))
			continue;
		w->f_idx = e->flow;
		w->f = &p->flow[e->flow];
		if (w->f->tup.proto == PROTO_TCP && !all)
			stream_overdue(w, h);
		else if (w->f->tup.proto != PROTO_TCP)
			part_overdue(w, h);
	}
	w->f = NULL;
	w->f_idx = NONE;
}

static void datagram(struct work *w)
{
	struct judge j = {.octets = w->pkt->payload,
			  .datagram = true,
			  .limit = w->pkt->payload.n};
	uint32_t h = w->held;

	classify(w, j.octets);
	judge_units(w, &j);
	if (j.part && !j.bad) {
		units_allowed(w);
		keep_part(w, j.key);
		return;
	}
	if (j.bad || (strict(w->p) &&
		      (!judge_packet(w, w->p->held[h].octets) ||
		       (j.whole && !parts_fit(w, j.key))))) {
		units_undone(w);
		w->held = NONE;
		if (j.whole)
			settle_parts(w, j.key, false, j.why);
		if (strict(w->p))
			held_verdict(w, h, PACKET_DROP,
				     j.why ? j.why : REASON_LIMIT_EXCEEDED);
		else
			held_verdict(w, h, PACKET_PASS, REASON_NONE);
		return;
	}
	units_allowed(w);
	if (j.whole)
		settle_parts(w, j.key, true, REASON_NONE);
	pass(w);
}

static bool is_multicast(const struct net_addr *a)
{
	return net_addr_is4(a) ? a->b[12] >= 224 : a->b[0] == 0xff;
}

/* Who is the guest, and which way does the packet go? The initiator of an
 * anonymous flow is the far end, unless it is the one with the lower port or
 * asks a whole group. */
static int identify(struct work *w, const struct packet_in *in,
		    enum dir *dir, int *peer)
{
	struct pipeline *p = w->p;
	const struct packet *pkt = w->pkt;
	bool spoofed = false;
	int from, to;

	*peer = -1;
	if (p->anonymous) {
		*dir = pkt->tup.sport < pkt->tup.dport ||
				       is_multicast(&pkt->tup.dst) ?
			       DIR_OUT :
			       DIR_IN;
		return 0;
	}
	from = sender(p, in, pkt, &spoofed);
	to = receiver(p, pkt);
	if (strict(p) &&
	    (spoofed || (from >= 0 && claims_too_much(p, pkt, from)))) {
		drop(w, REASON_SPOOFED_SOURCE);
		return -1;
	}
	if (from < 0 && to < 0) {
		drop(w, REASON_UNKNOWN_GUEST);
		return -1;
	}
	*dir = from >= 0 ? DIR_OUT : DIR_IN;
	if (from >= 0 && to >= 0 && from != to)
		*peer = p->guest[to].machine;
	return from >= 0 ? from : to;
}

static bool new_connection(const struct flow *f, const struct packet *pkt)
{
	return pkt->tup.proto == PROTO_TCP &&
	       (pkt->tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN &&
	       f->tcp == TCP_CLOSED;
}

/* The packet's flow, found or made. False: its verdict is given. */
static bool enter_flow(struct work *w, const struct packet_in *in)
{
	struct pipeline *p = w->p;
	const struct packet *pkt = w->pkt;
	enum dir dir;
	enum reason why;
	bool tcp = pkt->tup.proto == PROTO_TCP, spoofed = false;
	int guest, peer;

	w->f_idx = flow_find(p, &pkt->tup, &w->s);
	if (w->f_idx != NONE && new_connection(&p->flow[w->f_idx], pkt)) {
		flow_end(w, w->f_idx, REASON_TCP_CLOSED);
		w->f_idx = NONE;
	}
	if (w->f_idx != NONE) {
		w->f = &p->flow[w->f_idx];
		if (strict(p) && side_dir(w->f, w->s) == DIR_OUT)
			sender(p, in, pkt, &spoofed);
		if (spoofed) {
			drop(w, REASON_SPOOFED_SOURCE);
			return false;
		}
		return true;
	}
	guest = identify(w, in, &dir, &peer);
	if (guest < 0)
		return false;
	if (tcp && strict(p) &&
	    (pkt->tcp.flags & (TCP_SYN | TCP_ACK)) != TCP_SYN) {
		drop(w, REASON_TCP_MIDSTREAM);
		return false;
	}
	w->s = 0;
	w->f_idx = flow_new(w, pkt, (uint16_t)guest, dir, peer, &why);
	if (w->f_idx == NONE) {
		drop(w, why);
		return false;
	}
	w->f = &p->flow[w->f_idx];
	if (p->flow_stride)
		memset(p->flow_mem + w->f_idx * p->flow_stride, 0,
		       p->flow_stride);
	flow_event(w, w->f_idx, false);
	if (strict(p) && !judge_open(w)) {
		uint32_t h = w->held;

		pol_abort(p->conf.state);
		w->f->denied = true;
		w->held = NONE;
		held_verdict(w, h, PACKET_DROP, REASON_UNKNOWN_PARTY);
		/* A datagram is asked about each time; TCP repeats itself. */
		if (!tcp)
			flow_end(w, w->f_idx, REASON_UNKNOWN_PARTY);
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

	f->pkts[d]++;
	f->octets[d] += w->p->held[w->held].octets;
	flow_touch(w->p, w->f_idx, w->now);
}

static void one_packet(struct work *w, const struct packet_in *in,
		       struct packet *pkt)
{
	struct pipeline *p = w->p;
	enum reason why = packet_read(in, pkt, p->conf.checksums,
				      p->conf.min_ttl);

	if (why == REASON_NONE && pkt->vlan && strict(p))
		why = REASON_VLAN_TAGGED;
	if (why == REASON_NONE && strict(p) && pkt->has_tuple &&
	    pkt->tup.proto != PROTO_TCP && pkt->tup.proto != PROTO_UDP &&
	    pkt->tup.proto != PROTO_ICMP && pkt->tup.proto != PROTO_ICMP6)
		why = REASON_UNKNOWN_PROTOCOL;
	if (why == REASON_NONE && pkt->arp.n) {
		why = strict(p) ? check_arp(p, in, pkt) : REASON_NONE;
		if (!why) {
			pass(w);
			return;
		}
	}
	if (why) {
		drop(w, why);
		return;
	}
	if (pkt->fragment) {
		if (!frag_add(w, pkt))
			return;
		why = packet_transport(pkt, pkt->transport,
				       p->conf.checksums && !in->csum_ok);
		if (why) {
			drop(w, why);
			return;
		}
	}
	if (!enter_flow(w, in))
		return;
	account(w);
	if (pkt->tup.proto == PROTO_TCP)
		stream_packet(w);
	else
		datagram(w);
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
			 .f_idx = NONE};

	p->stats.packets++;
	p->stats.octets += in->octets.n;
	flow_expire(&w, 2);
	w.pkt = &pkt;
	w.held = held_new(&w, in);
	if (w.held == NONE) {
		w.pkt = NULL;
		anomaly(&w, REASON_RESOURCE, NULL,
			strict(p) ? VERDICT_DENY : VERDICT_NONE);
		p->stats.dropped++;
		p->stats.drops[REASON_RESOURCE]++;
		sink->verdict(sink->arg, in->id,
			      strict(p) ? PACKET_DROP : PACKET_PASS,
			      REASON_RESOURCE);
		return;
	}
	one_packet(&w, in, &pkt);
}

void pipeline_tick(struct pipeline *p, struct now now,
		   const struct pipeline_sink *sink)
{
	struct work w = {.p = p, .sink = sink, .now = now, .f_idx = NONE};

	hold_expire(&w, false);
	frag_expire(&w, false);
	flow_expire(&w, UINT32_MAX);
}

void pipeline_end(struct pipeline *p, struct now now,
		  const struct pipeline_sink *sink)
{
	struct work w = {.p = p, .sink = sink, .now = now, .f_idx = NONE};

	frag_expire(&w, true);
	hold_expire(&w, true);
	for (int l = 0; l < 2; l++) {
		while (p->oldest[l] != NONE)
			flow_end(&w, p->oldest[l], REASON_HELD_AT_END);
	}
}
