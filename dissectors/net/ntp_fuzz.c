/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One NTP message. Properties: what is read has one of the lengths there are
 * and an answer is paired with what asked for it, and only once; what is
 * refused has a reason and says nothing.
 */
#include <assert.h>

#include "dissectors/net/asked.h"
#include "dissectors/net/ntp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_once(struct asked *s, struct span in, bool answer,
		     struct obs_list *out)
{
	struct dis_ctx c = {.machine = s, .tup.proto = PROTO_UDP};
	struct err e = {0};
	int rc;

	out->n = 0;
	c.tup.sport = answer ? NTP_PORT : 4000;
	c.tup.dport = answer ? 4000 : NTP_PORT;
	rc = dissector_ntp.dissect(&c, in, out, &e);
	dissector_ntp.settle(&c, rc == 0);
	if (rc)
		assert(rc == e.code && e.reason && out->n == 0);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct asked s = {0};
	struct obs obs[2];
	struct obs_list out = {obs, 0, 2};
	struct span in = span_of(data, size);
	struct ntp_message m;
	struct err e = {0};
	uint8_t reply[NTP_HEADER] = {0x24, 1};

	if (ntp_read(&m, in, &e) != 0) {
		assert(e.code < 0 && e.reason);
		assert(read_once(&s, in, false, &out) != 0);
		return 0;
	}
	assert(size >= NTP_HEADER && size % 4 == 0);
	assert(m.version == 3 || m.version == 4);
	assert(size == (size_t)NTP_HEADER + m.mac || m.extensions > 0);
	if (m.answer) {
		assert(read_once(&s, in, true, &out) != 0);
		return 0;
	}
	assert(read_once(&s, in, false, &out) == 0 && out.n == 2);
	assert(obs_get(&obs[1], F_OCTETS, 0) == size);
	for (int i = 0; i < 8; i++)
		reply[24 + i] = reply[40 + i] = data[40 + i];
	assert(read_once(&s, span_of(reply, sizeof(reply)), true, &out) == 0);
	assert(read_once(&s, span_of(reply, sizeof(reply)), true, &out) != 0);
	return 0;
}
