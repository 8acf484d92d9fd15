/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/daemon/hops.h"

static size_t place(const struct hops *h, const struct net_addr *a)
{
	return siphash24(&h->key, span_of(a->b, sizeof(a->b))) & (HOPS - 1);
}

static bool source(struct span packet, struct net_addr *out)
{
	struct cur c = cur_of(packet);
	unsigned version = cur_u8(&c) >> 4;
	struct span s;

	*out = (struct net_addr){{[10] = 0xff, [11] = 0xff}};
	if (version == 4) {
		cur_take(&c, 11);
		s = cur_take(&c, 4);
		if (s.n)
			memcpy(out->b + 12, s.p, 4);
	} else {
		cur_take(&c, 7);
		s = cur_take(&c, 16);
		if (s.n)
			memcpy(out->b, s.p, 16);
	}
	return cur_ok(&c) && (version == 4 || version == 6);
}

void hops_note(struct hops *h, struct span packet, const uint8_t mac[6],
	       uint32_t ifindex)
{
	struct hop hop = {.ifindex = ifindex};

	if (!source(packet, &hop.addr))
		return;
	memcpy(hop.mac, mac, sizeof(hop.mac));
	h->hop[place(h, &hop.addr)] = hop;
}

const struct hop *hops_find(const struct hops *h, const struct net_addr *a)
{
	const struct hop *hop = &h->hop[place(h, a)];

	return hop->ifindex && memcmp(&hop->addr, a, sizeof(*a)) == 0 ? hop
								      : NULL;
}
