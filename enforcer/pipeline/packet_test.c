/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

/* A packet of each row: headers in hexadecimal, checksums put right unless
 * the row is about them. */
struct row {
	const char *why;
	enum link_type link;
	const char *hex;
	enum reason want;
	uint16_t sport; /* what was read; 0: not looked at */
	uint8_t n;	/* octets of payload */
	bool as_is;	/* checksums are the row's */
	bool cut;	/* captured short */
	bool fragment;
	uint8_t ttl; /* least; 0: 1 */
};

#define MACS "020000000001 020000000002 "
/* IPv4 and IPv6 headers; total length, id, flags, ttl, protocol given. */
#define IP4(len, frag, ttl, proto)                                             \
	"45 00 " len " 0001 " frag ttl proto " 0000 0a14000a 0a140001 "
#define UDP4 IP4("0020", "0000", "40", "11") "9c40 0481 000c 0000 "
#define IP6(len, next)                                                         \
	"6 0000000 " len next                                                  \
	"40 20010db8000000000000000000000001 20010db8000000000000000000000002 "
#define UDP6 "9c40 0481 000c 0000 "
#define TCP(off) "9c40 0481 00000001 00000002 " off "10 ffff 0000 0000 "

/* clang-format off */
static const struct row rows[] = {
	{.why = "a datagram in Ethernet", .link = LINK_ETHERNET,
	 .hex = MACS "0800" UDP4 "61626364", .sport = 40000, .n = 4},
	{.why = "octets behind the packet are padding",
	 .link = LINK_ETHERNET,
	 .hex = MACS "0800" UDP4 "61626364 0000000000", .sport = 40000,
	 .n = 4},
	{.why = "one tag", .link = LINK_ETHERNET,
	 .hex = MACS "8100 0005 0800" UDP4 "61626364", .sport = 40000,
	 .n = 4},
	{.why = "two tags", .link = LINK_ETHERNET,
	 .hex = MACS "88a8 0005 8100 0006 0800" UDP4 "61626364",
	 .sport = 40000, .n = 4},
	{.why = "three tags are one too many", .link = LINK_ETHERNET,
	 .hex = MACS "8100 0005 8100 0006 8100 0007 0800" UDP4 "61626364",
	 .want = REASON_NOT_IP},
	{.why = "a link header cut short", .link = LINK_ETHERNET,
	 .hex = "020000000001 0200", .want = REASON_TRUNCATED},
	{.why = "a tag cut short", .link = LINK_ETHERNET,
	 .hex = MACS "8100 00", .want = REASON_TRUNCATED},
	{.why = "nothing at all", .link = LINK_ETHERNET, .hex = "",
	 .want = REASON_TRUNCATED},
	{.why = "some other protocol", .link = LINK_ETHERNET,
	 .hex = MACS "88cc 0000", .want = REASON_NOT_IP},
	{.why = "a cooked capture", .link = LINK_SLL,
	 .hex = "0000 0001 0006 020000000001 0000 0800" UDP4 "61626364",
	 .sport = 40000, .n = 4},
	{.why = "a cooked capture, second version", .link = LINK_SLL2,
	 .hex = "0800 0000 00000002 0001 00 06 020000000001 0000" UDP4
		"61626364",
	 .sport = 40000, .n = 4},
	{.why = "loopback, least significant octet first",
	 .link = LINK_NULL, .hex = "02000000" UDP4 "61626364",
	 .sport = 40000, .n = 4},
	{.why = "loopback, most significant octet first",
	 .link = LINK_NULL, .hex = "00000002" UDP4 "61626364",
	 .sport = 40000, .n = 4},
	{.why = "loopback of a family that is not IP", .link = LINK_NULL,
	 .hex = "00000007" UDP4 "61626364", .want = REASON_NOT_IP},
	{.why = "IPv4 as it is", .link = LINK_RAW, .hex = UDP4 "61626364",
	 .sport = 40000, .n = 4},
	{.why = "neither 4 nor 6", .link = LINK_RAW, .hex = "5500 0020",
	 .want = REASON_NOT_IP},
	{.why = "a header of 16 octets", .link = LINK_RAW,
	 .hex = "44 00 0020 0001 0000 40 11 0000 0a14000a 0a140001",
	 .want = REASON_BAD_HEADER},
	{.why = "a total length below the header", .link = LINK_RAW,
	 .hex = IP4("0013", "0000", "40", "11"),
	 .want = REASON_BAD_HEADER},
	{.why = "a total length beyond the octets", .link = LINK_RAW,
	 .hex = IP4("0021", "0000", "40", "11")
		"9c40 0481 000c 0000 61626364",
	 .want = REASON_TRUNCATED},
	{.why = "captured short", .link = LINK_RAW, .hex = UDP4 "61626364",
	 .want = REASON_TRUNCATED, .cut = true},
	{.why = "a wrong checksum of the header", .link = LINK_RAW,
	 .hex = UDP4 "61626364", .want = REASON_BAD_IP_CHECKSUM,
	 .as_is = true},
	{.why = "the reserved bit", .link = LINK_RAW,
	 .hex = IP4("0020", "8000", "40", "11")
		"9c40 0481 000c 0000 61626364",
	 .want = REASON_BAD_HEADER},
	{.why = "options that do nothing", .link = LINK_RAW,
	 .hex = "46 00 0024 0001 0000 40 11 0000 0a14000a 0a140001 01010100"
		"9c40 0481 000c 0000 61626364",
	 .sport = 40000, .n = 4},
	{.why = "a source route", .link = LINK_RAW,
	 .hex = "46 00 0024 0001 0000 40 11 0000 0a14000a 0a140001 83030400"
		"9c40 0481 000c 0000 61626364",
	 .want = REASON_IP_OPTION},
	{.why = "a first fragment", .link = LINK_RAW,
	 .hex = IP4("0020", "2000", "40", "11")
		"9c40 0481 0014 0000 61626364",
	 .fragment = true},
	{.why = "a last fragment", .link = LINK_RAW,
	 .hex = IP4("0018", "0001", "40", "11") "61626364",
	 .fragment = true},
	{.why = "would die on its way", .link = LINK_RAW,
	 .hex = IP4("0020", "0000", "01", "11")
		"9c40 0481 000c 0000 61626364",
	 .want = REASON_LOW_TTL, .ttl = 2},
	{.why = "dead already", .link = LINK_RAW,
	 .hex = IP4("0020", "0000", "00", "11")
		"9c40 0481 000c 0000 61626364",
	 .want = REASON_LOW_TTL},
	{.why = "a datagram that is longer than its packet",
	 .link = LINK_RAW,
	 .hex = IP4("0020", "0000", "40", "11")
		"9c40 0481 000d 0000 61626364",
	 .want = REASON_BAD_HEADER},
	{.why = "a datagram with octets behind it", .link = LINK_RAW,
	 .hex = IP4("0020", "0000", "40", "11")
		"9c40 0481 000b 0000 61626364",
	 .want = REASON_BAD_HEADER},
	{.why = "a datagram shorter than its header", .link = LINK_RAW,
	 .hex = IP4("001a", "0000", "40", "11") "9c40 0481 0006",
	 .want = REASON_TRUNCATED},
	{.why = "IPv6", .link = LINK_RAW,
	 .hex = IP6("000c", "11") UDP6 "61626364", .sport = 40000, .n = 4},
	{.why = "IPv6 with a length beyond the octets", .link = LINK_RAW,
	 .hex = IP6("000d", "11") UDP6 "61626364",
	 .want = REASON_TRUNCATED},
	{.why = "four headers that may be there", .link = LINK_RAW,
	 .hex = IP6("002c", "00") "3c00 010400000000 3c00 010400000000"
		"3c00 010400000000 1100 010400000000" UDP6 "61626364",
	 .sport = 40000, .n = 4},
	{.why = "five", .link = LINK_RAW,
	 .hex = IP6("0034", "00") "3c00 010400000000 3c00 010400000000"
		"3c00 010400000000 3c00 010400000000 1100 010400000000" UDP6
		"61626364",
	 .want = REASON_IP_OPTION},
	{.why = "a routing header", .link = LINK_RAW,
	 .hex = IP6("0014", "2b") "1100 000000000000" UDP6 "61626364",
	 .want = REASON_IP_OPTION},
	{.why = "an extension header beyond the packet", .link = LINK_RAW,
	 .hex = IP6("0008", "3c") "11ff 010400000000",
	 .want = REASON_TRUNCATED},
	{.why = "no next header", .link = LINK_RAW, .hex = IP6("0000", "3b"),
	 .want = REASON_UNKNOWN_PROTOCOL},
	{.why = "an atomic fragment is whole", .link = LINK_RAW,
	 .hex = IP6("0014", "2c") "1100 0000 00000001" UDP6 "61626364",
	 .sport = 40000, .n = 4},
	{.why = "a fragment of IPv6", .link = LINK_RAW,
	 .hex = IP6("0014", "2c") "1100 0001 00000001" UDP6 "61626364",
	 .fragment = true},
	{.why = "headers that go on in the second fragment",
	 .link = LINK_RAW,
	 .hex = IP6("0010", "2c") "3c00 0001 00000001 1100 010400000000",
	 .want = REASON_FRAGMENT_HEADER, .fragment = true},
	{.why = "an IPv4 address dressed as IPv6", .link = LINK_RAW,
	 .hex = "6 0000000 000c 11 40 00000000000000000000ffff0a14000a"
		"20010db8000000000000000000000002" UDP6 "61626364",
	 .want = REASON_BAD_HEADER},
	{.why = "a segment", .link = LINK_RAW,
	 .hex = IP4("002c", "0000", "40", "06") TCP("50") "61626364",
	 .sport = 40000, .n = 4},
	{.why = "a header that is shorter than a header",
	 .link = LINK_RAW,
	 .hex = IP4("002c", "0000", "40", "06") TCP("40") "61626364",
	 .want = REASON_BAD_HEADER},
	{.why = "options beyond the segment", .link = LINK_RAW,
	 .hex = IP4("002c", "0000", "40", "06") TCP("70") "61626364",
	 .want = REASON_TRUNCATED},
	{.why = "an option longer than the options", .link = LINK_RAW,
	 .hex = IP4("002c", "0000", "40", "06") TCP("60") "02056364",
	 .want = REASON_BAD_HEADER},
	{.why = "an option of length 1", .link = LINK_RAW,
	 .hex = IP4("002c", "0000", "40", "06") TCP("60") "02010000",
	 .want = REASON_BAD_HEADER},
	{.why = "an option without a length", .link = LINK_RAW,
	 .hex = IP4("002c", "0000", "40", "06") TCP("60") "01010108",
	 .want = REASON_BAD_HEADER},
	{.why = "what stands behind the end of options is not read",
	 .link = LINK_RAW,
	 .hex = IP4("002c", "0000", "40", "06") TCP("60") "00220202",
	 .sport = 40000},
	{.why = "a Fast Open cookie", .link = LINK_RAW,
	 .hex = IP4("002c", "0000", "40", "06") TCP("60") "22020101",
	 .want = REASON_TCP_OPTION},
};
/* clang-format on */

static int nibble(char c)
{
	return c >= '0' && c <= '9' ? c - '0' :
	       c >= 'a' && c <= 'f' ? c - 'a' + 10 :
				      -1;
}

static struct span unhex(const char *hex, uint8_t *b, size_t cap)
{
	struct wbuf w = wbuf_of(b, cap);
	int high = -1;

	for (; *hex; hex++) {
		int v = nibble(*hex);

		if (v < 0)
			continue;
		if (high >= 0)
			wbuf_u8(&w, (uint8_t)(high << 4 | v));
		high = high < 0 ? v : -1;
	}
	assert_true(high < 0 && !w.failed);
	return wbuf_span(&w);
}

/* Where the IP packet starts. */
static size_t link_octets(const struct row *r, struct span s)
{
	switch (r->link) {
	case LINK_ETHERNET:
		for (size_t at = 12; at + 2 <= s.n; at += 4) {
			if (s.p[at] == 8 && s.p[at + 1] == 0)
				return at + 2;
		}
		return s.n;
	case LINK_SLL:
		return 16;
	case LINK_SLL2:
		return 20;
	case LINK_NULL:
		return 4;
	case LINK_RAW:
		break;
	}
	return 0;
}

static void put_right(const struct row *r, uint8_t *b, struct span s)
{
	size_t at = link_octets(r, s);
	struct span ip = span_from(s, at), head;

	if (ip.n < 20 || ip.p[0] >> 4 != 4)
		return;
	head = span_sub(ip, 0, (ip.p[0] & 15u) * 4);
	kit_put16(b + at + 10, (uint16_t)~span_sum16(head));
}

static void rows_of(void **state)
{
	unsigned bad = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		uint8_t b[512];
		struct packet_in in = {.link = r->link};
		struct packet p;
		enum reason why;

		in.octets = unhex(r->hex, b, sizeof(b));
		in.wire_len = (uint32_t)in.octets.n + r->cut;
		if (!r->as_is)
			put_right(r, b, in.octets);
		why = packet_read(&in, &p, SUMS_ANY, r->ttl ? r->ttl : 1);
		if (why != r->want || p.fragment != r->fragment ||
		    (r->sport && (p.tup.sport != r->sport ||
				  p.payload.n != r->n))) {
			print_error("%s: %s, port %u, %zu octets\n", r->why,
				    reason_text(why), p.tup.sport,
				    p.payload.n);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

/* Every octet of a segment is under its checksum, and of its addresses. */
static void checksums(void **state)
{
	struct kit *k = kit_new(false, true);
	uint8_t b[64], whole[128];
	struct span s, udp = kit_udp(b, sizeof(b), true, KIT_PORT,
				     span_str("read me"));
	struct packet_in in = {.link = LINK_RAW};
	struct packet p;

	(void)state;
	s = kit_ip4(k, &(struct kit_ip){true, PROTO_UDP, 0, 0, false}, udp);
	memcpy(whole, s.p, s.n);
	in.octets = span_of(whole, s.n);
	in.wire_len = (uint32_t)s.n;
	assert_int_equal(packet_read(&in, &p, SUMS_RIGHT, 1), REASON_NONE);
	for (size_t i = 20; i < s.n; i++) {
		if (i == 24 || i == 25)
			continue; /* its length: contradicts the packet */
		whole[i] ^= 0x10;
		assert_int_equal(packet_read(&in, &p, SUMS_RIGHT, 1),
				 REASON_BAD_L4_CHECKSUM);
		/* Whoever vouches for it is believed. */
		in.csum_ok = true;
		assert_int_equal(packet_read(&in, &p, SUMS_RIGHT, 1), REASON_NONE);
		in.csum_ok = false;
		whole[i] ^= 0x10;
	}
	for (size_t i = 0; i < 20; i++) {
		whole[i] ^= 0x01;
		assert_int_not_equal(packet_read(&in, &p, SUMS_RIGHT, 1),
				     REASON_NONE);
		whole[i] ^= 0x01;
	}
	kit_free(k);
}

/* As a host hands it to its card: taken where that is asked for, and nothing
 * like it. */
static void unfinished(void **state)
{
	static const struct {
		const char *why;
		uint8_t proto;
		uint16_t delta; /* from the sum of the pseudo header */
		enum packet_sums sums;
		enum reason want;
		bool told;
	} cases[] = {
		{"not unless asked", PROTO_UDP, 0, SUMS_RIGHT,
		 REASON_BAD_L4_CHECKSUM, false},
		{"UDP", PROTO_UDP, 0, SUMS_PARTIAL, REASON_NONE, true},
		{"TCP", PROTO_TCP, 0, SUMS_PARTIAL, REASON_NONE, true},
		{"another one is wrong", PROTO_UDP, 1, SUMS_PARTIAL,
		 REASON_BAD_L4_CHECKSUM, false},
		{"of TCP, too", PROTO_TCP, 0x100, SUMS_PARTIAL,
		 REASON_BAD_L4_CHECKSUM, false},
		{"nobody looks", PROTO_TCP, 1, SUMS_ANY, REASON_NONE, false},
	};
	struct kit *k = kit_new(false, true);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool tcp = cases[i].proto == PROTO_TCP;
		uint8_t l4[28] = {0x9c, 0x40, 0x04, 0x81, 0, 28},
			whole[128];
		size_t at = tcp ? 16 : 6;
		/* 10.20.0.10 and 10.20.0.1, the protocol, 28 octets */
		uint16_t sum = (uint16_t)(0x0a14 + 0x000a + 0x0a14 + 0x0001 +
					  cases[i].proto + 28 +
					  cases[i].delta);
		struct packet_in in = {.link = LINK_RAW};
		struct packet p;
		struct span s;

		if (tcp)
			l4[12] = 0x50;
		l4[at] = (uint8_t)(sum >> 8);
		l4[at + 1] = (uint8_t)sum;
		s = kit_ip4(k, &(struct kit_ip){true, cases[i].proto, 0, 0,
						false},
			    span_of(l4, sizeof(l4)));
		memcpy(whole, s.p, s.n);
		in.octets = span_of(whole, s.n);
		in.wire_len = (uint32_t)s.n;
		if (packet_read(&in, &p, cases[i].sums, 1) != cases[i].want ||
		    p.unfinished != cases[i].told)
			fail_msg("%s", cases[i].why);
	}
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of),
		cmocka_unit_test(checksums),
		cmocka_unit_test(unfinished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
