/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ICMP and neighbour discovery: what is read as one thing goes on to be judged
 * as opaque, and only what its sender may say does (policy-language section 6,
 * items 3 and 4). The rules of the gateway hold neighbours to the binding
 * before any of it is queued; this is the second line, on every packet.
 */
#include "core/siphash.h"
#include "dissectors/net/icmp.h"
#include "enforcer/pipeline/state.h"

#define ECHO_ID 4 /* where number, sequence and data begin */

static bool is_nobody(const struct net_addr *a)
{
	static const struct net_addr nobody;

	return net_addr_eq(a, &nobody);
}

enum reason icmp_shape(const struct packet *pkt, struct icmp_message *m)
{
	bool v6 = pkt->tup.proto == PROTO_ICMP6;
	struct err e = {0};

	if (icmp_read(m, pkt->transport, v6, pkt->ttl, &e))
		return e.reason > REASON_NONE && e.reason < REASON_COUNT
			       ? (enum reason)e.reason
			       : REASON_MALFORMED;
	/* RFC 4861 4.1, 4.3: who has no address yet has no link to give. */
	if (m->has_link && is_nobody(&pkt->tup.src))
		return REASON_SUSPICIOUS;
	/* RFC 6980 5: nothing of neighbours comes in pieces. */
	if (pkt->fragment && m->kind >= ICMP_ROUTER_SOLICIT &&
	    m->kind <= ICMP_NEIGHBOUR_ADVERT)
		return REASON_SUSPICIOUS;
	return REASON_NONE;
}

/* A machine's link address, as the binding has it; else as the frame says. */
static bool own_link(const struct work *w, int guest, const uint8_t link[6])
{
	const struct pipeline *p = w->p;
	bool any = false;

	for (size_t i = 0; i < p->n_rules; i++) {
		if (p->rule_guest[i] != guest || !p->rule[i].has_mac)
			continue;
		any = true;
		if (memcmp(p->rule[i].mac, link, 6) == 0)
			return true;
	}
	return !any && (!w->pkt->has_mac ||
			memcmp(w->pkt->src_mac, link, 6) == 0);
}

/* An error brings back a packet that the one who hears it has sent, of a
 * connection that is known: anything else could be carried in it. */
static bool error_fits(struct work *w, const struct icmp_message *m)
{
	uint8_t s;

	return m->has_ports && net_addr_eq(&m->quoted.src, &w->pkt->tup.dst) &&
	       flow_find(w->p, &m->quoted, &s) != NONE;
}

/* A reply says nothing of its own (RFC 792, RFC 4443 4.2): what was asked comes
 * back, once. */
static void echo_keep(struct work *w)
{
	struct guest *g = &w->p->guest[w->f->guest];

	g->echo[g->next_echo++ % ECHOES_MAX] = (struct echo){
		.flow = w->f->id,
		.said = siphash24(&w->p->conf.key,
				  span_from(w->pkt->transport, ECHO_ID)),
		.s = w->s};
}

static bool echo_fits(struct work *w)
{
	struct pipeline *p = w->p;
	uint64_t said = siphash24(&p->conf.key,
				  span_from(w->pkt->transport, ECHO_ID));

	for (unsigned i = 0; i < ECHOES_MAX; i++) {
		struct echo *e = &p->guest[w->f->guest].echo[i];

		if (e->flow == w->f->id && e->said == said && e->s != w->s) {
			e->flow = 0;
			return true;
		}
	}
	return false;
}

enum reason icmp_check(struct work *w, const struct packet_in *in,
		       const struct icmp_message *m)
{
	bool spoofed; /* looked at elsewhere */
	int from = guest_sender(w->p, in, w->pkt, &spoofed);

	switch (m->kind) {
	case ICMP_ECHO_REQUEST:
		echo_keep(w);
		break;
	case ICMP_ECHO_REPLY:
		return echo_fits(w) ? REASON_NONE : REASON_UNPAIRED;
	case ICMP_ERROR:
		return error_fits(w, m) ? REASON_NONE : REASON_UNPAIRED;
	case ICMP_ROUTER_ADVERT:
		return from >= 0 ? REASON_SPOOFED_SOURCE : REASON_NONE;
	case ICMP_NEIGHBOUR_ADVERT:
		if (from >= 0 && !guest_has(w->p, from, &m->target))
			return REASON_SPOOFED_SOURCE;
		break;
	default:
		break;
	}
	return from >= 0 && m->has_link && !own_link(w, from, m->link)
		       ? REASON_SPOOFED_SOURCE
		       : REASON_NONE;
}
