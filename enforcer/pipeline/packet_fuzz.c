/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One packet of any link type from bytes: octet 0 says which and how it was
 * taken, and whether the checksum of an IPv4 header is put right; the others
 * are the packet.
 *
 * Properties: reading it twice says the same; what is said to lie in it lies
 * in it; a packet without a reason against it can be told from others by its
 * addresses.
 */
#include <assert.h>

#include "enforcer/pipeline/testkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct span part, struct span whole)
{
	struct span at = whole;

	if (part.n == 0)
		return true;
	if (part.n > whole.n)
		return false;
	at = span_from(whole, (size_t)(part.p - whole.p));
	return part.p >= whole.p && at.n >= part.n && at.p == part.p;
}

static void check(const struct packet_in *in, const struct packet *p,
		  enum reason why)
{
	assert(why < REASON_COUNT);
	assert(inside(p->network, in->octets));
	assert(inside(p->transport, p->network));
	assert(inside(p->payload, p->transport));
	assert(inside(p->arp, in->octets));
	assert(p->tcp.wscale <= 14);
	if (why)
		return;
	assert(p->has_tuple || p->arp.p || p->ethertype == 0x0806);
	assert(!p->has_tuple || p->ip_len == p->network.n);
	assert(!p->fragment || p->payload.n == 0);
	assert(p->frag_off % 8 == 0 && p->frag_off <= 65528);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span s = span_of(data, size);
	struct packet_in in = {.octets = span_from(s, 1)};
	struct packet a, b;
	enum reason why;
	uint8_t *copy;

	if (size < 1)
		return 0;
	copy = malloc(size);
	if (!copy)
		return 0;
	in.link = (enum link_type)(data[0] % 8 % (LINK_NULL + 1));
	if (in.octets.n)
		memcpy(copy, in.octets.p, in.octets.n);
	if (data[0] & 0x80)
		kit_right(in.link, copy, in.octets.n);
	in.octets.p = copy;
	in.csum_ok = data[0] & 0x10;
	in.gso = data[0] & 0x20;
	in.wire_len = (uint32_t)in.octets.n + ((data[0] & 0x78) == 0x78);
	/* With checksums off most of what is behind them is reached. */
	why = packet_read(&in, &a, data[0] & 8 ? SUMS_ANY : SUMS_RIGHT, data[0] & 0x40 ? 2 : 1);
	check(&in, &a, why);
	assert(packet_read(&in, &b, data[0] & 8 ? SUMS_ANY : SUMS_RIGHT,
			   data[0] & 0x40 ? 2 : 1) == why);
	assert(memcmp(&a, &b, sizeof(a)) == 0);
	if (a.has_tuple && !a.fragment) {
		why = packet_transport(&a, a.transport, SUMS_ANY);
		assert(why < REASON_COUNT);
		assert(inside(a.payload, a.transport));
	}
	free(copy);
	return 0;
}
