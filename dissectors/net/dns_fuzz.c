/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One DNS message, alone and with a length in front. Properties: what is read
 * has a name of the strict alphabet and reads the same again, or is the header of
 * an answer alone, which no other port is read by; only an answer
 * says addresses, of the type that was asked for, and each stands in it; what
 * is refused has a reason; what is read is recognised over UDP, and over TCP octet
 * by octet; framing is the same for every prefix that shows it.
 */
#include <assert.h>

#include "dissectors/net/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frame(struct span in)
{
	struct dis_ctx c = {.tup = {.proto = 6}};
	struct err e = {0};
	size_t len, part;
	enum frame whole = dissector_dns.frame(&c, in, &len, &e);

	for (size_t n = 0; n <= in.n && n <= 40; n++) {
		enum frame f = dissector_dns.frame(&c, span_sub(in, 0, n),
						   &part, &e);

		if (f == FRAME_UNIT)
			assert(whole == FRAME_UNIT && part == len && len <= n);
		else if (f == FRAME_BAD)
			assert(whole == FRAME_BAD && e.reason != REASON_NONE);
	}
}

/* What is a message over UDP is one over TCP, and so far as it goes might be. */
static void check_stream(struct span in)
{
	uint8_t b[2 + 8190];

	if (in.n > sizeof(b) - 2)
		return;
	b[0] = (uint8_t)(in.n >> 8);
	b[1] = (uint8_t)in.n;
	memcpy(b + 2, in.p, in.n);
	for (size_t n = 1; n <= in.n + 2; n += n < 300 ? 1 : 97) {
		enum recognise r = dissector_dns.recognise(span_of(b, n), 4000,
							   4001, 6);

		assert(r == RECOGNISE_SURE ||
		       r == (n < 14 ? RECOGNISE_BEGUN : RECOGNISE_LIKELY));
	}
	assert(dissector_dns.recognise(span_of(b, in.n + 2), 4000, 4001, 6) ==
	       RECOGNISE_SURE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t memory[1024];
	struct arena arena = arena_of(memory, sizeof(memory));
	struct span in = span_of(data, size);
	struct dns_message m, again;
	struct err e = {0};

	check_frame(in);
	if (dns_read(&m, in, &arena, &e) != 0) {
		assert(e.code < 0 && e.reason != REASON_NONE);
		return 0;
	}
	if (m.bare) {
		assert(m.answer && size == 12 && !m.name.p && !m.n_addr);
		assert(dissector_dns.recognise(in, 4000, 4001, 17) ==
		       RECOGNISE_NO);
		return 0;
	}
	assert(m.name.n > 0 && m.name.n <= DNS_NAME_MAX && size >= 17);
	for (size_t i = 0; i < m.name.n; i++)
		assert(m.name.p[i] > 0x20 && m.name.p[i] < 0x7f &&
		       !(m.name.p[i] >= 'A' && m.name.p[i] <= 'Z'));
	assert(m.n_addr <= DNS_ADDRESSES_MAX && m.ttl >> 31 == 0);
	assert(m.n_addr == 0 || (m.answer && (m.type == 1 || m.type == 28)));
	for (uint32_t i = 0; i < m.n_addr; i++) {
		size_t n = m.type == 1 ? 4 : 16;

		assert(memmem(data, size, m.addr[i].b + 16 - n, n));
	}
	assert(m.cookie.n == 0 ||
	       (m.cookie.p >= data && m.cookie.p + m.cookie.n <= data + size &&
		(m.cookie.n == 8 || (m.cookie.n >= 16 && m.cookie.n <= 40))));
	assert(dns_read(&again, in, &arena, &e) == 0);
	assert(span_eq(again.name, m.name) && again.type == m.type);
	assert(dissector_dns.recognise(in, 4000, 4001, 17) == RECOGNISE_SURE);
	check_stream(in);
	return 0;
}
