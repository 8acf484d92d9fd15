/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/craft.h"

#include "enforcer/pipeline/packet.h"

#define IP4_HEAD 20u
#define TCP_HEAD 20u
#define UDP_HEAD 8u
#define TCP_TIME 12u /* two NOPs and the time stamps, RFC 7323 appendix A */
#define TTL	 64

/* --- what may be asked for ------------------------------------------------ */

static bool in_prefix(const struct net_addr *a, const struct pol_prefix *p)
{
	unsigned whole = p->len / 8u, bits = p->len % 8u;

	if (p->len > 128 || memcmp(a->b, p->addr.b, whole) != 0)
		return false;
	return bits == 0 ||
	       ((a->b[whole] ^ p->addr.b[whole]) >> (8 - bits)) == 0;
}

static bool is_own(const struct net_addr *a, const struct craft_for *c)
{
	for (size_t i = 0; i < c->n_addr; i++) {
		if (in_prefix(a, &c->addr[i]))
			return true;
	}
	return false;
}

/* One host's, and not this one's own loopback. */
static bool is_plain(const struct net_addr *a)
{
	static const struct net_addr any, loop = {{[15] = 1}};

	if (net_addr_is4(a))
		return a->b[12] != 0 && a->b[12] != 127 && a->b[12] < 224;
	return a->b[0] != 0xff && memcmp(a, &any, sizeof(any)) != 0 &&
	       memcmp(a, &loop, sizeof(loop)) != 0;
}

static const char *check_ends(const struct lane_verdict *v,
			      const struct craft_for *c)
{
	const struct net_tuple *t = &v->seg.tup;
	bool to_guest = v->seg.to_guest;

	if (t->proto != PROTO_TCP && t->proto != PROTO_UDP)
		return "neither TCP nor UDP";
	if (t->sport == 0 || t->dport == 0)
		return "port 0";
	if (net_addr_is4(&t->src) != net_addr_is4(&t->dst))
		return "two families";
	if (!is_plain(&t->src) || !is_plain(&t->dst))
		return "no single host's address";
	if (is_own(&t->src, c) == to_guest || is_own(&t->dst, c) != to_guest)
		return "not the guest's own connection";
	return NULL;
}

/* Resets, acknowledgements, octets behind one that was given, and the end of
 * what is said where a refusal was answered: nothing that opens a connection. */
static const char *check_flags(const struct lane_verdict *v)
{
	switch (v->seg.flags) {
	case TCP_RST:
	case TCP_RST | TCP_ACK:
		return v->payload ? "octets in a reset" : NULL;
	case TCP_ACK:
	case TCP_ACK | TCP_FIN:
		break;
	case TCP_ACK | TCP_PSH:
	case TCP_ACK | TCP_PSH | TCP_FIN:
		if (v->payload == 0)
			return "nothing to push";
		break;
	default:
		return "flags";
	}
	return v->kind == VK_CRAFT ? NULL : "a packet turned into no reset";
}

/* The answer to one that was refused. */
static const char *check_datagram(const struct lane_verdict *v)
{
	if (v->kind != VK_CRAFT)
		return "a packet turned into a datagram";
	if (v->payload == 0 || v->payload > CRAFT_DATAGRAM)
		return "length";
	return v->seg.flags || v->seg.seq || v->seg.ack || v->seg.window ||
			       v->seg.has_ts
		       ? "fields of TCP in a datagram"
		       : NULL;
}

static const char *check_segment(const struct lane_verdict *v, size_t n,
				 const struct craft_for *c)
{
	const char *wrong;

	if (n < sizeof(*v) || n - sizeof(*v) != v->payload ||
	    v->payload > CRAFT_PAYLOAD)
		return "length";
	if (v->kind == VK_RESET && v->payload)
		return "length";
	if (v->kind == VK_CRAFT && (v->id != 0 || v->has_mark))
		return "a packet's fields in a segment of its own";
	if (v->seg.has_ts > 1 || v->seg.to_guest > 1 || v->seg.has_mac > 1)
		return "neither yes nor no";
	wrong = v->seg.tup.proto == PROTO_UDP ? check_datagram(v) :
						check_flags(v);
	return wrong ? wrong : check_ends(v, c);
}

const char *verdict_check(const struct lane_verdict *v, size_t n,
			  const struct craft_for *c)
{
	if (n < VERDICT_SHORT)
		return "length";
	if (v->kind != VK_CRAFT && v->id == 0)
		return "no packet";
	if (v->has_mark > 1)
		return "neither yes nor no";
	/* Of which generation it is, the gate looks at: a reload may have come
	 * in between. */
	if (v->has_mark && ((v->mark & ~MARK_MASK) != 0 ||
			    (v->mark & MARK_CLASS) == 0))
		return "mark";
	switch (v->kind) {
	case VK_PASS:
	case VK_DROP:
		return n == VERDICT_SHORT && v->payload == 0 ? NULL : "length";
	case VK_RESET:
	case VK_CRAFT:
		return check_segment(v, n, c);
	}
	return "kind";
}

/* --- the octets ----------------------------------------------------------- */

static uint16_t add16(uint32_t a, uint32_t b)
{
	a += b;
	return (uint16_t)((a & 0xffff) + (a >> 16));
}

/* RFC 9293, 3.1: of the pseudo header, without the segment itself. */
static uint16_t pseudo_sum(const struct net_tuple *t, size_t len)
{
	bool v4 = net_addr_is4(&t->src);
	size_t skip = v4 ? 12 : 0;
	uint16_t sum = add16(span_sum16(span_of(t->src.b + skip, 16 - skip)),
			     span_sum16(span_of(t->dst.b + skip, 16 - skip)));

	return add16(add16(sum, t->proto), (uint32_t)len);
}

static void put_check(uint8_t *at, uint16_t sum)
{
	struct wbuf w = wbuf_of(at, 2);

	wbuf_be(&w, (uint16_t)~sum, 2);
}

static void ip4_head(struct wbuf *w, const struct net_tuple *t, size_t len)
{
	size_t at = w->n;

	wbuf_be(w, 0x4500, 2);
	wbuf_be(w, IP4_HEAD + len, 2);
	wbuf_be(w, 0, 2);
	wbuf_be(w, 0x4000, 2); /* do not fragment: needs no identification */
	wbuf_u8(w, TTL);
	wbuf_u8(w, t->proto);
	wbuf_be(w, 0, 2);
	wbuf_put(w, span_of(t->src.b + 12, 4));
	wbuf_put(w, span_of(t->dst.b + 12, 4));
	if (!w->failed)
		put_check(w->p + at + 10,
			  span_sum16(span_of(w->p + at, IP4_HEAD)));
}

static void ip6_head(struct wbuf *w, const struct net_tuple *t, size_t len)
{
	wbuf_be(w, 0x60000000, 4);
	wbuf_be(w, len, 2);
	wbuf_u8(w, t->proto);
	wbuf_u8(w, TTL);
	wbuf_put(w, span_of(t->src.b, 16));
	wbuf_put(w, span_of(t->dst.b, 16));
}

static void tcp_head(struct wbuf *w, const struct lane_verdict *v)
{
	unsigned words = (TCP_HEAD + (v->seg.has_ts ? TCP_TIME : 0)) / 4;

	wbuf_be(w, v->seg.tup.sport, 2);
	wbuf_be(w, v->seg.tup.dport, 2);
	wbuf_be(w, v->seg.seq, 4);
	wbuf_be(w, v->seg.flags & TCP_ACK ? v->seg.ack : 0, 4);
	wbuf_u8(w, (uint8_t)(words << 4));
	wbuf_u8(w, v->seg.flags);
	wbuf_be(w, v->seg.window, 2);
	wbuf_be(w, 0, 4); /* checksum, urgent pointer */
	if (v->seg.has_ts) {
		wbuf_be(w, 0x0101080a, 4);
		wbuf_be(w, v->seg.tsval, 4);
		wbuf_be(w, v->seg.tsecr, 4);
	}
}

static void udp_head(struct wbuf *w, const struct net_tuple *t, size_t len)
{
	wbuf_be(w, t->sport, 2);
	wbuf_be(w, t->dport, 2);
	wbuf_be(w, len, 2);
	wbuf_be(w, 0, 2); /* checksum */
}

/* RFC 768: a sum of 0 is sent as its other form, as 0 says that there is
 * none. */
static void put_l4_check(struct wbuf *w, size_t at, const struct net_tuple *t)
{
	size_t len = w->n - at;
	uint16_t sum = add16(pseudo_sum(t, len),
			     span_sum16(span_of(w->p + at, len)));
	bool udp = t->proto == PROTO_UDP;

	put_check(w->p + at + (udp ? 6 : 16), udp && sum == 0xffff ? 0 : sum);
}

void craft_segment(struct wbuf *w, const struct lane_verdict *v,
		   struct span payload)
{
	const struct net_tuple *t = &v->seg.tup;
	bool udp = t->proto == PROTO_UDP;
	size_t len = (udp ? UDP_HEAD :
			    TCP_HEAD + (v->seg.has_ts ? TCP_TIME : 0)) +
		     payload.n;
	size_t at;

	if (net_addr_is4(&t->src))
		ip4_head(w, t, len);
	else
		ip6_head(w, t, len);
	at = w->n;
	if (udp)
		udp_head(w, t, len);
	else
		tcp_head(w, v);
	wbuf_put(w, payload);
	if (!w->failed)
		put_l4_check(w, at, t);
}
