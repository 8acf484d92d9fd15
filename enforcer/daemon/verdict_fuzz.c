/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine that was taken over may put into the ring of verdicts. A
 * message that passes the gate's check is one that does no harm: it is the
 * guest's own connection, and what is made of it is a packet that any
 * receiver reads in one way.
 */
#include <assert.h>
#include <stdint.h>

#include "enforcer/daemon/craft.h"
#include "enforcer/daemon/nfq.h"
#include "enforcer/pipeline/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct pol_prefix own[] = {
	{{{[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 20, [15] = 10}}, 128},
	{{{0xfd, 0, 0, 0x20, [15] = 0x10}}, 128},
	{{{[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 168, [14] = 7}}, 120},
};

static void check_segment(const struct lane_verdict *v, struct span payload)
{
	static uint8_t buf[CRAFT_MAX], out[CRAFT_MAX + 256];
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	struct packet_in in = {.link = LINK_RAW};
	struct packet p;

	craft_segment(&w, v, payload);
	assert(!w.failed);
	in.octets = wbuf_span(&w);
	in.wire_len = (uint32_t)w.n;
	assert(packet_read(&in, &p, SUMS_RIGHT, 1) == REASON_NONE);
	assert(memcmp(&p.tup.src, &v->seg.tup.src, 16) == 0);
	assert(memcmp(&p.tup.dst, &v->seg.tup.dst, 16) == 0);
	assert(p.tup.sport == v->seg.tup.sport);
	assert(p.tup.dport == v->seg.tup.dport);
	assert(p.tcp.seq == v->seg.seq && p.tcp.flags == v->seg.flags);
	assert(span_eq(p.payload, payload));
	assert(!(p.tcp.flags & ~(TCP_RST | TCP_ACK | TCP_PSH | TCP_FIN)));
	assert(!(p.tcp.flags & TCP_FIN) || (p.tcp.flags & (TCP_ACK | TCP_RST)) == TCP_ACK);
	if (v->kind == VK_RESET) {
		assert(p.tcp.flags & TCP_RST);
		w = wbuf_of(out, sizeof(out));
		nfq_put_verdict(&w, 1, v->id, NFQ_ACCEPT, &v->mark,
				in.octets);
		assert(!w.failed && w.n <= 256);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	union {
		struct lane_verdict v;
		uint8_t octets[VERDICT_MAX];
	} m;
	struct craft_for c = {own, 3};
	struct lane_verdict *v = &m.v;

	/* A ring gives no longer one. */
	if (size > sizeof(m.octets))
		return 0;
	memset(&m, 0, sizeof(m));
	if (size)
		memcpy(&m, data, size);
	if (verdict_check(v, size, &c))
		return 0;
	assert(v->kind >= VK_PASS && v->kind <= VK_CRAFT);
	assert((v->id == 0) == (v->kind == VK_CRAFT));
	/* Its generation is the gate's to compare: a reload may have come in
	 * between. */
	if (v->has_mark) {
		assert((v->mark & ~MARK_MASK) == 0);
		assert((v->mark & MARK_CLASS) != 0);
	}
	if (v->kind == VK_RESET || v->kind == VK_CRAFT) {
		assert(size == sizeof(*v) + v->payload);
		check_segment(v, span_of(m.octets + sizeof(*v), v->payload));
	} else {
		assert(size == VERDICT_SHORT);
	}
	return 0;
}
