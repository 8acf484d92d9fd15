/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One DHCP message. Properties: what is read has a type of its side, an
 * end, and wants options that lie within it; no shorter part of it up to its
 * end is read; what is refused has a reason and says nothing.
 */
#include <assert.h>

#include "dissectors/net/asked.h"
#include "dissectors/net/dhcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_dissect(struct span in, const struct dhcp_message *m)
{
	struct asked s = {0};
	struct dis_ctx c = {.machine = &s, .tup.proto = PROTO_UDP};
	struct obs obs[2];
	struct obs_list out = {obs, 0, 2};
	struct err e = {0};
	int rc;

	c.tup.sport = m->answer ? DHCP_SERVER_PORT : DHCP_CLIENT_PORT;
	c.tup.dport = m->answer ? DHCP_CLIENT_PORT : DHCP_SERVER_PORT;
	rc = dissector_dhcp.dissect(&c, in, &out, &e);
	dissector_dhcp.settle(&c, rc == 0);
	assert(m->answer ? rc != 0 && e.reason == REASON_UNPAIRED && !out.n :
			   rc == 0 && out.n == 2);
	c.lenient = true;
	assert(dissector_dhcp.dissect(&c, in, &out, &e) ==
	       (m->answer ? 0 : E_LIMIT));
	assert(out.n == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	struct dhcp_message m, part;
	struct err e = {0};
	size_t end = size;

	if (dhcp_read(&m, in, &e) != 0) {
		assert(e.code < 0 && e.reason);
		return 0;
	}
	assert(size > 240 && m.type >= 1 && m.type <= 8);
	assert(m.answer == (m.type == DHCP_OFFER || m.type == DHCP_ACK ||
			    m.type == DHCP_NAK));
	while (end > 0 && data[end - 1] == 0)
		end--;
	assert(data[end - 1] == 255);
	assert(dhcp_read(&part, span_sub(in, 0, end), &e) == 0);
	assert(dhcp_read(&part, span_sub(in, 0, end - 1), &e) != 0);
	if (m.asks.n)
		assert(m.asks.p > data && m.asks.p + m.asks.n <= data + end);
	check_dissect(in, &m);
	return 0;
}
