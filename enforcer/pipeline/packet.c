/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/pipeline/packet.h"

#define ETH_IP4	 0x0800
#define ETH_ARP	 0x0806
#define ETH_IP6	 0x86dd
#define ETH_VLAN 0x8100
#define ETH_QINQ 0x88a8
#define VLAN_MAX 2

#define EXT_MAX 4 /* IPv6 extension headers (policy-language section 6) */
#define EXT_HOP	     0
#define EXT_ROUTING  43
#define EXT_FRAGMENT 44
#define EXT_NONE     59
#define EXT_DEST     60

/* --- checksums --------------------------------------------------------------- */

static uint32_t sum16(uint32_t s, struct span b)
{
	return s + span_sum16(b);
}

static uint16_t fold(uint32_t s)
{
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static enum reason check_sum(struct packet *p, struct span l4,
			     enum packet_sums sums)
{
	bool v4 = net_addr_is4(&p->tup.src);
	size_t skip = v4 ? 12 : 0;
	uint32_t s = p->tup.proto + (uint32_t)(l4.n & 0xffff) +
		     (uint32_t)(l4.n >> 16);
	struct cur field = cur_of(
		span_sub(l4, p->tup.proto == PROTO_TCP ? 16 : 6, 2));

	s = sum16(s, span_from(span_of(p->tup.src.b, 16), skip));
	s = sum16(s, span_from(span_of(p->tup.dst.b, 16), skip));
	if (fold(sum16(s, l4)) == 0xffff)
		return REASON_NONE;
	if (sums == SUMS_PARTIAL && p->tup.proto != PROTO_ICMP6)
		p->unfinished = cur_u16(&field) == fold(s);
	return p->unfinished ? REASON_NONE : REASON_BAD_L4_CHECKSUM;
}

/* --- transport ------------------------------------------------------------------ */

enum {
	OPT_END,
	OPT_NOP,
	OPT_MSS,
	OPT_WSCALE,
	OPT_SACK_OK,
	OPT_SACK,
	OPT_TS = 8,
	OPT_MD5 = 19,
	OPT_AO = 29,
	OPT_FAST_OPEN = 34,
	OPT_EXPERIMENT = 254,
};

/* Lengths of options that are read; one of another length is refused. */
static const uint8_t opt_len[] = {
	[OPT_MSS] = 4, [OPT_WSCALE] = 3, [OPT_SACK_OK] = 2, [OPT_TS] = 10};

static enum reason tcp_option(struct tcp_head *t, uint8_t kind, struct cur *o)
{
	switch (kind) {
	case OPT_MSS:
		t->mss = cur_u16(o);
		t->syn_options = true;
		break;
	case OPT_WSCALE:
		t->has_wscale = t->syn_options = true;
		t->wscale = cur_u8(o);
		if (t->wscale <= 14)
			break;
		/* RFC 7323 2.3: receivers differ on what more means. */
		t->wscale = 14;
		return REASON_TCP_OPTION;
	case OPT_SACK_OK:
		t->syn_options = true;
		break;
	case OPT_TS:
		t->has_ts = true;
		t->tsval = cur_u32(o);
		t->tsecr = cur_u32(o);
		break;
	case OPT_MD5:
	case OPT_AO:
	case OPT_FAST_OPEN:
	case OPT_EXPERIMENT:
		return REASON_TCP_OPTION;
	default:
		break;
	}
	return REASON_NONE;
}

/* Options that were not agreed, hide something or are there twice are
 * refused. */
static enum reason tcp_options(struct tcp_head *t, struct span opts)
{
	struct cur c = cur_of(opts);
	uint32_t seen = 0;

	while (cur_left(&c) > 0) {
		uint8_t kind = cur_u8(&c), len;
		enum reason why;
		struct cur o;

		if (kind == OPT_END)
			return REASON_NONE;
		if (kind == OPT_NOP)
			continue;
		len = cur_u8(&c);
		if (len < 2)
			return REASON_BAD_HEADER;
		o = cur_sub(&c, len - 2u);
		if (!cur_ok(&o))
			return REASON_BAD_HEADER;
		if (kind < sizeof(opt_len) && opt_len[kind] &&
		    (opt_len[kind] != len || seen >> kind & 1))
			return REASON_TCP_OPTION;
		if (kind < 32)
			seen |= UINT32_C(1) << kind;
		why = tcp_option(t, kind, &o);
		if (why)
			return why;
	}
	return REASON_NONE;
}

static enum reason read_tcp(struct packet *p, struct span l4)
{
	struct cur c = cur_of(l4);
	struct tcp_head *t = &p->tcp;
	struct span opts;
	uint8_t off, reserved;
	enum reason why;

	p->tup.sport = cur_u16(&c);
	p->tup.dport = cur_u16(&c);
	t->seq = cur_u32(&c);
	t->ack = cur_u32(&c);
	off = cur_u8(&c);
	reserved = off & 0x0e; /* but for accurate ECN's bit (RFC 9768) */
	off >>= 4;
	t->flags = cur_u8(&c) & 0x3f;
	t->window = cur_u16(&c);
	cur_take(&c, 4); /* checksum, urgent pointer */
	if (off < 5)
		return REASON_BAD_HEADER;
	opts = cur_take(&c, (off - 5u) * 4);
	if (!cur_ok(&c))
		return REASON_TRUNCATED;
	p->payload = cur_rest(&c);
	why = tcp_options(t, opts);
	return !why && reserved ? REASON_TCP_FLAGS : why;
}

static enum reason read_udp(struct packet *p, struct span l4)
{
	struct cur c = cur_of(l4);
	uint16_t len;

	p->tup.sport = cur_u16(&c);
	p->tup.dport = cur_u16(&c);
	len = cur_u16(&c);
	cur_u16(&c);
	if (!cur_ok(&c))
		return REASON_TRUNCATED;
	/* Octets behind the datagram would be read by nobody or by somebody. */
	if (len < 8 || len != l4.n)
		return REASON_BAD_HEADER;
	p->payload = cur_rest(&c);
	return REASON_NONE;
}

enum reason packet_transport(struct packet *p, struct span octets,
			     enum packet_sums sums)
{
	uint8_t proto = p->tup.proto;
	enum reason why = REASON_NONE;
	bool none = false; /* UDP over IPv4 may do without */

	p->transport = octets;
	p->payload = octets;
	if (proto == PROTO_TCP) {
		why = read_tcp(p, octets);
	} else if (proto == PROTO_UDP) {
		struct span sum = span_sub(octets, 6, 2);

		none = net_addr_is4(&p->tup.src) && sum.n == 2 &&
		       sum.p[0] == 0 && sum.p[1] == 0;
		why = read_udp(p, octets);
	} else if (proto != PROTO_ICMP6) {
		/* ICMP has no pseudo header; others are not read. */
		if (proto == PROTO_ICMP && sums &&
		    fold(sum16(0, octets)) != 0xffff)
			return REASON_BAD_L4_CHECKSUM;
		return REASON_NONE;
	}
	/* Nobody has port 0; UDP may use it for "no answer". */
	if (why == REASON_NONE && (proto == PROTO_TCP || proto == PROTO_UDP) &&
	    (p->tup.dport == 0 || (proto == PROTO_TCP && p->tup.sport == 0)))
		why = REASON_BAD_ADDRESS;
	if (why == REASON_NONE && sums && !none)
		why = check_sum(p, octets, sums);
	return why;
}

/* --- network --------------------------------------------------------------------- */

static struct net_addr addr4(struct span s)
{
	struct net_addr a = {{[10] = 0xff, [11] = 0xff}};

	if (s.n == 4)
		memcpy(&a.b[12], s.p, 4);
	return a;
}

static struct net_addr addr6(struct span s)
{
	struct net_addr a = {{0}};

	if (s.n == 16)
		memcpy(a.b, s.p, 16);
	return a;
}

/* Only options that do nothing: end and no-operation. Source routes, record
 * route, time stamps redirect or hide. */
static bool options4_ok(struct span opts)
{
	for (size_t i = 0; i < opts.n; i++) {
		if (opts.p[i] > 1)
			return false;
	}
	return true;
}

static enum reason read_ip4(struct packet *p, struct span in,
			    enum packet_sums sums)
{
	struct cur c = cur_of(in);
	uint8_t vihl = cur_u8(&c);
	size_t head = (vihl & 15u) * 4, total;
	uint16_t flags;
	struct span opts, body;

	cur_u8(&c);
	total = cur_u16(&c);
	p->frag_id = cur_u16(&c);
	flags = cur_u16(&c);
	p->ttl = cur_u8(&c);
	p->tup.proto = cur_u8(&c);
	cur_u16(&c);
	p->tup.src = addr4(cur_take(&c, 4));
	p->tup.dst = addr4(cur_take(&c, 4));
	if (!cur_ok(&c))
		return REASON_TRUNCATED;
	if (vihl >> 4 != 4 || head < 20 || total < head)
		return REASON_BAD_HEADER;
	if (total > in.n)
		return REASON_TRUNCATED;
	p->has_tuple = true;
	p->network = span_sub(in, 0, total);
	p->ip_len = (uint32_t)total;
	opts = cur_take(&c, head - 20);
	if (fold(sum16(0, span_sub(in, 0, head))) != 0xffff)
		return REASON_BAD_IP_CHECKSUM;
	if (!options4_ok(opts))
		return REASON_IP_OPTION;
	body = span_from(p->network, head);
	if (flags & 0x8000)
		return REASON_BAD_HEADER; /* reserved bit */
	p->more = flags & 0x2000;
	p->frag_off = (flags & 0x1fffu) * 8;
	p->fragment = p->more || p->frag_off;
	if (p->fragment) {
		p->transport = body;
		return REASON_NONE;
	}
	return packet_transport(p, body, sums);
}

/* Extension headers up to the transport; what may redirect is refused. */
static enum reason read_ip6(struct packet *p, struct span in,
			    enum packet_sums sums)
{
	struct cur c = cur_of(in);
	uint32_t first = cur_u32(&c);
	size_t len = cur_u16(&c);
	uint8_t next = cur_u8(&c);

	p->ttl = cur_u8(&c);
	p->tup.src = addr6(cur_take(&c, 16));
	p->tup.dst = addr6(cur_take(&c, 16));
	if (!cur_ok(&c))
		return REASON_TRUNCATED;
	/* A mapped address on the wire would pass for IPv4 inside. */
	if (first >> 28 != 6 || net_addr_is4(&p->tup.src) ||
	    net_addr_is4(&p->tup.dst))
		return REASON_BAD_HEADER;
	if (len > cur_left(&c))
		return REASON_TRUNCATED;
	p->has_tuple = true;
	p->network = span_sub(in, 0, 40 + len);
	p->ip_len = (uint32_t)(40 + len);
	c = cur_of(span_from(p->network, 40));
	for (int i = 0; i <= EXT_MAX; i++) {
		uint8_t kind = next;

		p->tup.proto = kind;
		if (kind == EXT_ROUTING)
			return REASON_IP_OPTION;
		if (kind != EXT_HOP && kind != EXT_DEST &&
		    kind != EXT_FRAGMENT)
			return kind == EXT_NONE ?
				       REASON_UNKNOWN_PROTOCOL :
				       packet_transport(p, cur_rest(&c),
							sums);
		if (i == EXT_MAX)
			break;
		next = cur_u8(&c);
		if (kind == EXT_FRAGMENT) {
			uint16_t off;

			cur_u8(&c);
			off = cur_u16(&c);
			p->frag_id = cur_u32(&c);
			p->more = off & 1;
			p->frag_off = off & 0xfff8u;
			if (!cur_ok(&c))
				return REASON_TRUNCATED;
			p->fragment = p->more || p->frag_off;
			if (!p->fragment)
				continue; /* an atomic fragment is whole */
			p->tup.proto = next;
			p->transport = cur_rest(&c);
			/* The whole header chain lies in the first one. */
			return next == EXT_HOP || next == EXT_DEST ||
					       next == EXT_ROUTING ||
					       next == EXT_FRAGMENT ?
				       REASON_FRAGMENT_HEADER :
				       REASON_NONE;
		}
		cur_take(&c, 6u + 8u * cur_u8(&c));
		if (!cur_ok(&c))
			return REASON_TRUNCATED;
	}
	return REASON_IP_OPTION;
}

/* --- link ------------------------------------------------------------------------ */

static enum reason read_link(const struct packet_in *in, struct packet *p,
			     struct cur *c)
{
	uint8_t nibble;
	uint32_t family;

	switch (in->link) {
	case LINK_ETHERNET: {
		struct span mac;

		mac = cur_take(c, 6);
		if (mac.n == 6) {
			p->has_dst_mac = true;
			memcpy(p->dst_mac, mac.p, 6);
		}
		mac = cur_take(c, 6);
		if (mac.n == 6) {
			p->has_mac = true;
			memcpy(p->src_mac, mac.p, 6);
		}
		p->ethertype = cur_u16(c);
		for (int i = 0; i < VLAN_MAX && (p->ethertype == ETH_VLAN ||
						 p->ethertype == ETH_QINQ);
		     i++) {
			p->vlan = true;
			cur_u16(c);
			p->ethertype = cur_u16(c);
		}
		break;
	}
	case LINK_SLL: {
		uint16_t len;
		struct span mac;

		cur_take(c, 4);
		len = cur_u16(c);
		mac = cur_take(c, 8);
		if (len == 6 && mac.n == 8) {
			p->has_mac = true;
			memcpy(p->src_mac, mac.p, 6);
		}
		p->ethertype = cur_u16(c);
		break;
	}
	case LINK_SLL2: {
		uint8_t len;
		struct span mac;

		p->ethertype = cur_u16(c);
		cur_take(c, 9);
		len = cur_u8(c);
		mac = cur_take(c, 8);
		if (len == 6 && mac.n == 8) {
			p->has_mac = true;
			memcpy(p->src_mac, mac.p, 6);
		}
		break;
	}
	case LINK_RAW:
		nibble = cur_peek(c, 1).n ? cur_peek(c, 1).p[0] >> 4 : 0;
		p->ethertype = nibble == 4 ? ETH_IP4 : nibble == 6 ? ETH_IP6
								   : 0;
		break;
	case LINK_NULL:
		/* The family in the octet order of whoever captured: 2 is
		 * IPv4 everywhere, IPv6 is 10, 24, 28 or 30. */
		family = cur_u32(c);
		if (family >> 24)
			family = family >> 24;
		p->ethertype = family == 2 ? ETH_IP4 :
			       family == 10 || family == 24 || family == 28 ||
					       family == 30 ?
					     ETH_IP6 :
					     0;
		break;
	}
	return cur_ok(c) ? REASON_NONE : REASON_TRUNCATED;
}

enum reason packet_read(const struct packet_in *in, struct packet *p,
			enum packet_sums sums, uint8_t min_ttl)
{
	struct cur c = cur_of(in->octets);
	enum reason why;
	enum packet_sums check = in->csum_ok || in->gso ? SUMS_ANY : sums;

	memset(p, 0, sizeof(*p));
	why = read_link(in, p, &c);
	if (why)
		return why;
	if (in->has_mac && !p->has_mac) {
		p->has_mac = true;
		memcpy(p->src_mac, in->mac, sizeof(p->src_mac));
	}
	if (in->wire_len > in->octets.n)
		return REASON_TRUNCATED;
	if (p->ethertype == ETH_ARP) {
		p->arp = cur_rest(&c);
		return REASON_NONE;
	}
	if (p->ethertype == ETH_IP4)
		why = read_ip4(p, cur_rest(&c), check);
	else if (p->ethertype == ETH_IP6)
		why = read_ip6(p, cur_rest(&c), check);
	else
		return REASON_NOT_IP;
	if (why == REASON_NONE && p->ttl < min_ttl)
		why = REASON_LOW_TTL;
	return why;
}
