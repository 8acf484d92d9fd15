/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <stdlib.h>

#include "enforcer/daemon/craft.h"
#include "enforcer/pipeline/packet.h"

#define GENERATION 0x00100000u

static struct net_addr addr(const char *text)
{
	struct net_addr a = {{[10] = 0xff, [11] = 0xff}};

	if (inet_pton(AF_INET, text, a.b + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
	return a;
}

static size_t unhex(uint8_t *out, size_t cap, const char *hex)
{
	size_t n = 0;

	for (; *hex; hex++) {
		char two[3] = {hex[0], hex[1], 0};

		if (*hex == ' ')
			continue;
		assert_true(n < cap);
		out[n++] = (uint8_t)strtoul(two, NULL, 16);
		hex++;
	}
	return n;
}

/* --- octets --------------------------------------------------------------- */

static const struct {
	const char *why, *src, *dst;
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags;
	uint16_t window;
	bool ts;
	uint32_t tsval, tsecr;
	const char *payload, *ip, *tcp;
} made[] = {
	{"a reset that acknowledges nothing", "10.20.0.10", "10.20.0.1", 1153,
	 40000, 0x01020304, 0x99999999, TCP_RST, 0, false, 0, 0, "",
	 "4500 0028 0000 4000 40 06 269e 0a14000a 0a140001",
	 "0481 9c40 01020304 00000000 50 04 0000 f6e6 0000"},
	{"a reset with time stamps", "10.20.0.1", "10.20.0.10", 40000, 1153,
	 0xfffffff0, 0xa0b0c0d0, TCP_RST | TCP_ACK, 0, true, 0x11223344,
	 0x55667788, "", "4500 0034 0000 4000 40 06 2692 0a140001 0a14000a",
	 "9c40 0481 fffffff0 a0b0c0d0 80 14 0000 4efe 0000"
	 "0101080a 11223344 55667788"},
	{"an odd number of octets", "10.20.0.10", "203.0.113.9", 1153, 65535,
	 1, 2, TCP_PSH | TCP_ACK, 512, false, 0, 0, "hello",
	 "4500 002d 0000 4000 40 06 f4a3 0a14000a cb007109",
	 "0481 ffff 00000001 00000002 50 18 0200 1f4a 0000 68656c6c6f"},
	{"IPv6", "fd00:20::10", "fd00:20::1", 1153, 40000, 7, 9, TCP_ACK,
	 65535, false, 0, 0, "",
	 "60000000 0014 06 40 fd000020000000000000000000000010"
	 "fd000020000000000000000000000001",
	 "0481 9c40 00000007 00000009 50 10 ffff 14b1 0000"},
	{"IPv6 with everything", "fd00:20::1", "fd00:20::10", 40000, 1153, 7,
	 9, TCP_PSH | TCP_ACK, 1, true, 1, 2, "\xff\xff\xff",
	 "60000000 0023 06 40 fd000020000000000000000000000001"
	 "fd000020000000000000000000000010",
	 "9c40 0481 00000007 00000009 80 18 0001 dc89 0000"
	 "0101080a 00000001 00000002 ffffff"},
};

static struct lane_verdict verdict_of(size_t i)
{
	struct lane_verdict v = {
		.kind = VK_CRAFT,
		.payload = (uint16_t)strlen(made[i].payload),
		.seg = {
			.tup = {addr(made[i].src), addr(made[i].dst),
				made[i].sport, made[i].dport, PROTO_TCP},
			.seq = made[i].seq,
			.ack = made[i].ack,
			.window = made[i].window,
			.flags = made[i].flags,
			.has_ts = made[i].ts,
			.tsval = made[i].tsval,
			.tsecr = made[i].tsecr,
		},
	};

	return v;
}

static void segments_are_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
		struct lane_verdict v = verdict_of(i);
		uint8_t want[128], got[128];
		size_t n = unhex(want, sizeof(want), made[i].ip);
		struct wbuf w = wbuf_of(got, sizeof(got));

		n += unhex(want + n, sizeof(want) - n, made[i].tcp);
		craft_segment(&w, &v, span_str(made[i].payload));
		if (w.failed || !span_eq(wbuf_span(&w), span_of(want, n)))
			fail_msg("%s", made[i].why);
	}
}

/* What the pipeline reads of it is what was asked for: it checks lengths and
 * both checksums for itself. */
static void our_own_reader_takes_them(void **state)
{
	static uint8_t payload[CRAFT_PAYLOAD], got[CRAFT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 31 + (i >> 8));
	for (size_t n = 0; n <= sizeof(payload); n += n < 40 ? 1 : 1358) {
		for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
			struct lane_verdict v = verdict_of(i);
			struct wbuf w = wbuf_of(got, sizeof(got));
			struct packet p;
			struct packet_in in = {.link = LINK_RAW};

			v.seg.flags = TCP_ACK;
			craft_segment(&w, &v, span_of(payload, n));
			assert_false(w.failed);
			in.octets = wbuf_span(&w);
			in.wire_len = (uint32_t)w.n;
			assert_int_equal(packet_read(&in, &p, SUMS_RIGHT, 64),
					 REASON_NONE);
			assert_memory_equal(&p.tup.src, &v.seg.tup.src, 16);
			assert_memory_equal(&p.tup.dst, &v.seg.tup.dst, 16);
			assert_int_equal(p.tup.sport, v.seg.tup.sport);
			assert_int_equal(p.tup.dport, v.seg.tup.dport);
			assert_int_equal(p.tcp.seq, v.seg.seq);
			assert_int_equal(p.tcp.ack, v.seg.ack);
			assert_int_equal(p.tcp.window, v.seg.window);
			assert_int_equal(p.tcp.has_ts, v.seg.has_ts);
			assert_int_equal(p.tcp.tsval, v.seg.tsval);
			assert_int_equal(p.tcp.tsecr, v.seg.tsecr);
			assert_true(span_eq(p.payload, span_of(payload, n)));
		}
	}
}

static void too_little_room_fails(void **state)
{
	uint8_t buf[64];

	(void)state;
	for (size_t cap = 0; cap < 45; cap++) {
		struct lane_verdict v = verdict_of(2);
		struct wbuf w = wbuf_of(buf, cap);

		craft_segment(&w, &v, span_str("hello"));
		assert_true(w.failed);
		assert_true(w.n <= cap);
	}
}

/* --- what an engine may ask for ------------------------------------------- */

/* One that passes; each row below changes one thing. */
static struct lane_verdict good(uint8_t kind, bool to_guest)
{
	const char *guest = "10.20.0.10", *far = "10.20.0.1";
	struct lane_verdict v = {
		.id = kind == VK_CRAFT ? 0 : 5,
		.kind = kind,
		.seg = {
			.tup = {addr(to_guest ? far : guest),
				addr(to_guest ? guest : far), 1153, 40000,
				PROTO_TCP},
			.flags = TCP_RST | TCP_ACK,
			.to_guest = to_guest,
		},
	};

	return v;
}

#define V (*v)
#define CHANGE(name) static void name(struct lane_verdict *v, size_t *n)
/* clang-format off */
CHANGE(nothing)	     { (void)v; (void)n; }
CHANGE(bare_ack)     { (void)n; V.seg.flags = TCP_ACK; }
CHANGE(octets)	     { V.seg.flags = TCP_ACK | TCP_PSH; V.payload = 3; *n += 3; }
CHANGE(plain_octets) { V.seg.flags = TCP_ACK; V.payload = 3; *n += 3; }
CHANGE(most_octets)  { V.seg.flags = TCP_ACK; V.payload = CRAFT_PAYLOAD; *n += CRAFT_PAYLOAD; }
CHANGE(too_many)     { V.seg.flags = TCP_ACK; V.payload = CRAFT_PAYLOAD + 1; *n += CRAFT_PAYLOAD + 1; }
CHANGE(missing)	     { V.seg.flags = TCP_ACK; V.payload = 3; *n += 2; }
CHANGE(left_over)    { (void)v; *n += 1; }
CHANGE(cut)	     { (void)v; *n -= 1; }
CHANGE(reset_octets) { V.payload = 3; *n += 3; }
CHANGE(push_nothing) { (void)n; V.seg.flags = TCP_ACK | TCP_PSH; }
CHANGE(no_flags)     { (void)n; V.seg.flags = 0; }
CHANGE(syn)	     { (void)n; V.seg.flags = TCP_SYN; }
CHANGE(fin)	     { (void)n; V.seg.flags = TCP_FIN | TCP_ACK; }
CHANGE(fin_octets)   { V.seg.flags = TCP_FIN | TCP_ACK | TCP_PSH; V.payload = 3; *n += 3; }
CHANGE(fin_push)     { (void)n; V.seg.flags = TCP_FIN | TCP_ACK | TCP_PSH; }
CHANGE(bare_fin)     { (void)n; V.seg.flags = TCP_FIN; }
CHANGE(fin_reset)    { (void)n; V.seg.flags = TCP_FIN | TCP_RST; }
CHANGE(urgent)	     { (void)n; V.seg.flags = TCP_URG | TCP_ACK; }
CHANGE(reserved)     { (void)n; V.seg.flags = TCP_RST | 0x40; }
CHANGE(udp)	     { (void)n; V.seg.tup.proto = 17; }
CHANGE(answer)	     { V.seg.tup.proto = 17; V.seg.flags = 0; V.payload = 3; *n += 3; }
CHANGE(long_answer)  { V.seg.tup.proto = 17; V.seg.flags = 0; V.payload = CRAFT_DATAGRAM; *n += CRAFT_DATAGRAM; }
CHANGE(too_long)     { V.seg.tup.proto = 17; V.seg.flags = 0; V.payload = CRAFT_DATAGRAM + 1; *n += CRAFT_DATAGRAM + 1; }
CHANGE(no_answer)    { (void)n; V.seg.tup.proto = 17; V.seg.flags = 0; }
CHANGE(placed)       { answer(v, n); V.seg.ack = 1; }
CHANGE(strange)      { answer(v, n); V.seg.tup.src = addr("10.20.0.11"); V.seg.tup.dst = addr("10.20.0.1"); }
CHANGE(icmp)	     { (void)n; V.seg.tup.proto = 1; }
CHANGE(no_sport)     { (void)n; V.seg.tup.sport = 0; }
CHANGE(no_dport)     { (void)n; V.seg.tup.dport = 0; }
CHANGE(families)     { (void)n; V.seg.tup.src = addr("fd00:20::10"); }
CHANGE(other_guest)  { (void)n; V.seg.tup.src = addr("10.20.0.11"); V.seg.tup.dst = addr("10.20.0.1"); }
CHANGE(itself)	     { (void)n; V.seg.tup.src = V.seg.tup.dst = addr("10.20.0.10"); }
CHANGE(wrong_way)    { (void)n; V.seg.to_guest = !V.seg.to_guest; }
CHANGE(loopback)     { (void)n; V.seg.tup.dst = addr("127.0.0.1"); }
CHANGE(group)	     { (void)n; V.seg.tup.dst = addr("224.0.0.1"); }
CHANGE(broadcast)    { (void)n; V.seg.tup.dst = addr("255.255.255.255"); }
CHANGE(zero)	     { (void)n; V.seg.tup.dst = addr("0.0.0.0"); }
CHANGE(group6)	     { (void)n; V.seg.tup.src = addr("fd00:20::10"); V.seg.tup.dst = addr("ff02::1"); }
CHANGE(loopback6)    { (void)n; V.seg.tup.src = addr("fd00:20::10"); V.seg.tup.dst = addr("::1"); }
CHANGE(plain6)	     { (void)n; V.seg.tup.src = addr("fd00:20::10"); V.seg.tup.dst = addr("fd00:20::1"); }
CHANGE(odd_ts)	     { (void)n; V.seg.has_ts = 2; }
CHANGE(odd_way)	     { (void)n; V.seg.to_guest = 2; }
CHANGE(odd_mac)	     { (void)n; V.seg.has_mac = 255; }
CHANGE(marked)	     { (void)n; V.has_mark = 1; V.mark = GENERATION | 0x50000; }
CHANGE(refused)	     { (void)n; V.has_mark = 1; V.mark = GENERATION | 0xf0000; }
CHANGE(other_bits)   { (void)n; V.has_mark = 1; V.mark = GENERATION | 0x50001; }
CHANGE(crafted_mark) { (void)n; V.has_mark = 1; V.mark = GENERATION | 0x50000 | MARK_CRAFTED; }
CHANGE(old_mark)     { (void)n; V.has_mark = 1; V.mark = 0x00250000; }
CHANGE(no_class)     { (void)n; V.has_mark = 1; V.mark = GENERATION; }
CHANGE(odd_mark)     { (void)n; V.has_mark = 3; }
CHANGE(no_id)	     { (void)n; V.id = 0; }
CHANGE(some_id)	     { (void)n; V.id = 9; }
CHANGE(some_payload) { (void)n; V.payload = 1; }
/* clang-format on */

static const struct {
	const char *why;
	uint8_t kind;
	void (*change)(struct lane_verdict *v, size_t *n);
	bool ok;
} asked[] = {
	{"a pass",			      VK_PASS,	nothing,      true },
	{"a drop",			      VK_DROP,	nothing,      true },
	{"a pass with a class",		      VK_PASS,	marked,	      true },
	{"a drop with the refused class",     VK_DROP,	refused,      true },
	{"a pass of no packet",		      VK_PASS,	no_id,	      false},
	{"a drop of no packet",		      VK_DROP,	no_id,	      false},
	{"a pass with octets",		      VK_PASS,	some_payload, false},
	{"a pass and something behind it",    VK_PASS,	left_over,    false},
	{"half a pass",			      VK_PASS,	cut,	      false},
	{"a mark with others' bits",	      VK_PASS,	other_bits,   false},
	{"the gate's own mark",		      VK_PASS,	crafted_mark, false},
	{"a mark of before a reload",	      VK_PASS,	old_mark,     true },
	{"a mark without a class",	      VK_PASS,	no_class,     false},
	{"a mark or not",		      VK_PASS,	odd_mark,     false},
	{"a kind of verdict there is not",    5,	nothing,      false},
	{"kind 0",			      0,	nothing,      false},
	{"a reset in a packet's place",	      VK_RESET, nothing,      true },
	{"of no packet",		      VK_RESET, no_id,	      false},
	{"with a class",		      VK_RESET, marked,	      true },
	{"one that is none",		      VK_RESET, bare_ack,     false},
	{"one with octets",		      VK_RESET, reset_octets, false},
	{"a reset of its own",		      VK_CRAFT, nothing,      true },
	{"that has a packet",		      VK_CRAFT, some_id,      false},
	{"that has a mark",		      VK_CRAFT, marked,	      false},
	{"an acknowledgement",		      VK_CRAFT, bare_ack,     true },
	{"octets, pushed",		      VK_CRAFT, octets,	      true },
	{"octets, not pushed",		      VK_CRAFT, plain_octets, true },
	{"as many as may be",		      VK_CRAFT, most_octets,  true },
	{"one more",			      VK_CRAFT, too_many,     false},
	{"fewer than it says",		      VK_CRAFT, missing,      false},
	{"more than it says",		      VK_CRAFT, left_over,    false},
	{"half a segment",		      VK_CRAFT, cut,	      false},
	{"octets in a reset",		      VK_CRAFT, reset_octets, false},
	{"nothing, pushed",		      VK_CRAFT, push_nothing, false},
	{"no flag at all",		      VK_CRAFT, no_flags,     false},
	{"a SYN: opens a connection",	      VK_CRAFT, syn,	      false},
	{"the end behind an answer",	      VK_CRAFT, fin,	      true },
	{"with the last of its octets",	      VK_CRAFT, fin_octets,   true },
	{"nothing, pushed at the end",	      VK_CRAFT, fin_push,     false},
	{"an end that acknowledges nothing",  VK_CRAFT, bare_fin,     false},
	{"an end and a reset",		      VK_CRAFT, fin_reset,    false},
	{"the end in a packet's place",	      VK_RESET, fin,	      false},
	{"urgent data",			      VK_CRAFT, urgent,	      false},
	{"a flag nobody knows",		      VK_CRAFT, reserved,     false},
	{"a datagram with flags",	      VK_CRAFT, udp,	      false},
	{"the answer to one",		      VK_CRAFT, answer,	      true },
	{"of the most octets",		      VK_CRAFT, long_answer,  true },
	{"of one more",			      VK_CRAFT, too_long,     false},
	{"of none",			      VK_CRAFT, no_answer,    false},
	{"with a place in a stream",	      VK_CRAFT, placed,	      false},
	{"of strangers",		      VK_CRAFT, strange,      false},
	{"in the place of a packet",	      VK_RESET, answer,	      false},
	{"neither TCP nor UDP",		      VK_CRAFT, icmp,	      false},
	{"from port 0",			      VK_CRAFT, no_sport,     false},
	{"to port 0",			      VK_CRAFT, no_dport,     false},
	{"two families",		      VK_CRAFT, families,     false},
	{"IPv6",			      VK_CRAFT, plain6,	      true },
	{"another guest's",		      VK_CRAFT, other_guest,  false},
	{"to itself",			      VK_CRAFT, itself,	      false},
	{"the other way",		      VK_CRAFT, wrong_way,    false},
	{"to this domain's loopback",	      VK_CRAFT, loopback,     false},
	{"to a group",			      VK_CRAFT, group,	      false},
	{"to everybody",		      VK_CRAFT, broadcast,    false},
	{"to nobody",			      VK_CRAFT, zero,	      false},
	{"to a group of IPv6",		      VK_CRAFT, group6,	      false},
	{"to the loopback of IPv6",	      VK_CRAFT, loopback6,    false},
	{"time stamps or not",		      VK_CRAFT, odd_ts,	      false},
	{"neither way",			      VK_CRAFT, odd_way,      false},
	{"a MAC or not",		      VK_CRAFT, odd_mac,      false},
};

/* RFC 768, checked apart from the code that made it: the sum over the pseudo
 * header and all of it is 0, its own field 0xffff where it would be 0. */
static void datagrams_are_right(void **state)
{
	static uint8_t got[CRAFT_MAX];
	bool turned = false;

	(void)state;
	for (unsigned i = 0; i < 0x20000; i++) {
		bool six = i & 1;
		struct lane_verdict v = {
			.kind = VK_CRAFT,
			.payload = 3,
			.seg.tup = {addr(six ? "fd00:20::1" : "10.20.0.1"),
				    addr(six ? "fd00:20::10" : "10.20.0.10"),
				    1153, 40000, PROTO_UDP},
		};
		uint8_t payload[3] = {(uint8_t)(i >> 9), (uint8_t)(i >> 1), 7};
		struct wbuf w = wbuf_of(got, sizeof(got));
		struct packet_in in = {.link = LINK_RAW};
		struct packet p;

		craft_segment(&w, &v, span_of(payload, 3));
		assert_int_equal(w.n, (six ? 40 : 20) + 8 + 3);
		in.octets = wbuf_span(&w);
		in.wire_len = (uint32_t)w.n;
		assert_int_equal(packet_read(&in, &p, SUMS_RIGHT, 64),
				 REASON_NONE);
		assert_int_equal(p.tup.proto, PROTO_UDP);
		assert_int_equal(p.tup.sport, 1153);
		assert_true(span_eq(p.payload, span_of(payload, 3)));
		/* 0 would say that it has none. */
		assert_true(got[w.n - 5] || got[w.n - 4]);
		turned |= got[w.n - 5] == 0xff && got[w.n - 4] == 0xff;
	}
	assert_true(turned);
}

static void an_engine_may_ask_for_little(void **state)
{
	struct pol_prefix own[] = {{addr("10.20.0.10"), 128},
				   {addr("fd00:20::10"), 128}};
	struct craft_for c = {own, 2};

	(void)state;
	for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
		for (int to_guest = 0; to_guest < 2; to_guest++) {
			struct lane_verdict v = good(asked[i].kind, to_guest);
			size_t n = asked[i].kind == VK_PASS ||
						   asked[i].kind == VK_DROP
					   ? VERDICT_SHORT
					   : sizeof(v);
			const char *wrong;

			/* Rows that name addresses do so as the guest's. */
			asked[i].change(&v, &n);
			if (to_guest && asked[i].ok &&
			    asked[i].change == plain6)
				continue;
			wrong = verdict_check(&v, n, &c);
			if (!wrong != asked[i].ok)
				fail_msg("%s: %s", asked[i].why,
					 wrong ? wrong : "taken");
		}
	}
}

static void a_guest_may_have_a_whole_prefix(void **state)
{
	struct pol_prefix own = {addr("10.20.0.8"), 96 + 30};
	struct craft_for c = {&own, 1};
	struct lane_verdict v = good(VK_CRAFT, false);

	(void)state;
	assert_null(verdict_check(&v, sizeof(v), &c));
	v.seg.tup.src = addr("10.20.0.12");
	assert_non_null(verdict_check(&v, sizeof(v), &c));
	c.n_addr = 0;
	v = good(VK_CRAFT, false);
	assert_non_null(verdict_check(&v, sizeof(v), &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_are_exact),
		cmocka_unit_test(our_own_reader_takes_them),
		cmocka_unit_test(too_little_room_fails),
		cmocka_unit_test(datagrams_are_right),
		cmocka_unit_test(an_engine_may_ask_for_little),
		cmocka_unit_test(a_guest_may_have_a_whole_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
