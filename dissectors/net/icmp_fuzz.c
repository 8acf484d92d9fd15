/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One ICMP message; the first octet says which version (bit 0) and whether
 * the hop limit is 255 (bit 1). Properties: what is read is of a kind of its
 * version, ND came from this link, a link address stands among the octets,
 * and an option's octet less makes it unreadable; what is refused has a
 * reason.
 */
#include <assert.h>

#include "dissectors/net/icmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_nd(enum icmp_kind k)
{
	return k >= ICMP_ROUTER_SOLICIT && k <= ICMP_NEIGHBOUR_ADVERT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct icmp_message m, part;
	struct err e = {0};
	struct span in = span_from(span_of(data, size), 1);
	bool v6 = size && data[0] & 1;
	uint8_t hops = size && data[0] & 2 ? 255 : 64;

	if (icmp_read(&m, in, v6, hops, &e) != 0) {
		assert(e.code < 0 && e.reason);
		return 0;
	}
	assert(in.n >= 8);
	assert(v6 || m.kind <= ICMP_ERROR);
	assert(!is_nd(m.kind) || (v6 && hops == 255 && in.n % 8 == 0));
	assert(m.kind != ICMP_ERROR || in.n >= (v6 ? 56 : 36));
	assert(!m.has_ports || m.quoted.proto == PROTO_TCP ||
	       m.quoted.proto == PROTO_UDP);
	if (m.has_link)
		assert(is_nd(m.kind) && memmem(in.p, in.n, m.link, 6));
	if (is_nd(m.kind) || m.kind == ICMP_GROUP)
		assert(icmp_read(&part, span_sub(in, 0, in.n - 1), v6, hops,
				 &e) != 0);
	return 0;
}
