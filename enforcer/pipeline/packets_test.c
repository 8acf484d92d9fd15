/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that a rule counts are those that brought its messages: segments of
 * a stream, fragments of a datagram, datagrams with the parts of a message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

#define PA (TCP_ACK | TCP_PSH)

/* A machine that may ask anything in so many packets a day, or octets. */
static struct kit *kit_of(enum pol_thing thing, uint64_t n, bool matched)
{
	static const uint16_t the_party[] = {0};
	struct pol_prefix net = kit_net(0, 0, 16);
	struct pol_party_src party = {.id = "headend", .name = "Head end",
				      .addr = &net, .n_addr = 1};
	struct pol_obs_match any = {.n_attr = 0};
	struct pol_limit_phrase few = {.kind = LIMIT_CALENDAR, .thing = thing,
				       .n = n, .window = WINDOW_DAY,
				       .text = "few per day"};
	struct pol_rule_src rule = {
		.kind = RULE_GRANT, .id = "ask", .dir = DIRSEL_ANY,
		.party = {.party = the_party, .n_party = 1}, .match = &any,
		.n_match = 1, .limit = &few, .n_limit = !matched};
	struct pol_limit_src top = {.id = "few", .dir = DIRSEL_ANY,
				    .party.any = true, .match = &any,
				    .n_match = 1, .phrase = few};
	struct pol_file f = {.kind = POL_VENDOR, .unique = true,
			     .id = "v", .vm = "mdma",
			     .path = "v.yaml", .party = &party, .n_party = 1,
			     .rule = &rule, .n_rule = 1, .limit = &top,
			     .n_limit = matched};

	for (int i = 0; i < OBS_COUNT; i++) {
		if (obs_family((enum obs_kind)i) == OBS_FAMILY_C1222)
			any.kinds.w[i / 64] |= UINT64_C(1) << (i % 64);
	}
	return kit_new_of(&f);
}

static void done(struct kit *k, const char *why)
{
	kit_end(k);
	if (k->bad[0])
		fail_msg("%s: %s", why, k->bad);
	kit_free(k);
}

/* In as many segments as that; the verdict of the last. */
static enum packet_verdict ask_tcp(struct kit *k, uint32_t *seq, uint8_t inv,
				   unsigned segments)
{
	uint8_t b[KIT_UNIT];
	struct wbuf w = wbuf_of(b, sizeof(b));
	uint64_t id = 0;

	kit_request(&w, inv, 64);
	for (unsigned i = 0; i < segments; i++) {
		size_t from = i * sizeof(b) / segments;
		size_t to = (i + 1) * sizeof(b) / segments;
		struct kit_seg g = {.out = true, .port = KIT_PORT, .flags = PA,
				    .seq = *seq, .ack = KIT_ISN2 + 1};

		*seq += (uint32_t)(to - from);
		id = kit_tcp(k, &g, span_sub(wbuf_span(&w), from, to - from));
	}
	return k->verdict[id].v;
}

static void segments(void **state)
{
	static const struct {
		unsigned segments;
		uint64_t limit;
		unsigned room; /* of four messages */
	} cases[] = {{1, 3, 3}, {2, 3, 1}, {2, 4, 2}, {3, 9, 3}, {4, 3, 0}};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		size_t c = i / 2;
		struct kit *k = kit_of(THING_PACKETS, cases[c].limit, i % 2);
		uint32_t seq = KIT_ISN + 1;
		unsigned room = 0;

		kit_handshake(k, KIT_PORT, KIT_ISN, false);
		while (room < 4 &&
		       ask_tcp(k, &seq, (uint8_t)(room + 1),
			       cases[c].segments) == PACKET_PASS)
			room++;
		assert_int_equal(room, cases[c].room);
		done(k, "segments");
	}
}

static enum packet_verdict ask_udp(struct kit *k, uint16_t id, bool fragments)
{
	uint8_t b[KIT_UNIT], u[KIT_UNIT + 8];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct span s;

	kit_request(&w, (uint8_t)id, 64);
	s = kit_udp(u, sizeof(u), true, KIT_PORT, wbuf_span(&w));
	if (fragments) {
		kit_send(k, LINK_RAW,
			 kit_ip4(k, &(struct kit_ip){true, PROTO_UDP, id, 0,
						     true},
				 span_sub(s, 0, 24)));
		kit_send(k, LINK_RAW,
			 kit_ip4(k, &(struct kit_ip){true, PROTO_UDP, id, 24,
						     false},
				 span_from(s, 24)));
	} else {
		kit_send(k, LINK_RAW,
			 kit_ip4(k, &(struct kit_ip){true, PROTO_UDP, id, 0,
						     false}, s));
	}
	return k->verdict[k->id].v;
}

static void fragments(void **state)
{
	(void)state;
	for (int in_two = 0; in_two < 2; in_two++) {
		struct kit *k = kit_of(THING_PACKETS, 3, false);
		uint16_t id = 1;

		while (id < 9 && ask_udp(k, id, in_two) == PACKET_PASS)
			id++;
		assert_int_equal(id - 1, in_two ? 1 : 3);
		done(k, "fragments");
	}
}

/* Octets from at on of a request of 31, as an ACSE segment. */
static void slice(struct wbuf *w, uint8_t inv, uint8_t at, uint8_t n)
{
	uint8_t b[KIT_UNIT];
	struct wbuf in = wbuf_of(b, sizeof(b));

	kit_request(&in, inv, 64);
	wbuf_u8(w, 0x60);
	wbuf_u8(w, (uint8_t)(32 + n));
	wbuf_put(w, span_of("\xa2\x05\x80\x03\x47\x87\x69\xa3\x03\x02\x01\x1f"
			    "\xa6\x04\x80\x02\x47\x01\xa8\x03\x02\x01", 22));
	wbuf_u8(w, inv);
	wbuf_u8(w, 0xbe);
	wbuf_u8(w, (uint8_t)(7 + n));
	wbuf_u8(w, 0x28);
	wbuf_u8(w, (uint8_t)(5 + n));
	wbuf_put(w, span_of("\x02\x01", 2));
	wbuf_u8(w, at);
	wbuf_u8(w, 0x81);
	wbuf_u8(w, n);
	wbuf_put(w, span_of(b + at, n));
}

static enum packet_verdict ask_parts(struct kit *k, uint8_t inv)
{
	uint8_t b[100], u[110];

	for (int part = 0; part < 2; part++) {
		struct wbuf w = wbuf_of(b, sizeof(b));

		slice(&w, inv, part ? 20 : 0, part ? 11 : 20);
		assert_false(w.failed);
		kit_send(k, LINK_RAW,
			 kit_ip4(k, &(struct kit_ip){true, PROTO_UDP,
						     (uint16_t)(2 * inv + part),
						     0, false},
				 kit_udp(u, sizeof(u), true, KIT_PORT,
					 wbuf_span(&w))));
	}
	return k->verdict[k->id].v;
}

/* Its octets are those of all its datagrams: 28 of headers, 34 and a slice. */
static void parts(void **state)
{
	static const struct {
		enum pol_thing thing;
		uint64_t limit;
		uint8_t room;
	} cases[] = {{THING_PACKETS, 3, 1}, {THING_PACKETS, 4, 2},
		     {THING_BYTES, 154, 0}, {THING_BYTES, 155, 1},
		     {THING_BYTES, 309, 1}, {THING_MESSAGES, 3, 3}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kit *k = kit_of(cases[i].thing, cases[i].limit, false);
		uint8_t inv = 1;

		while (inv < 9 && ask_parts(k, inv) == PACKET_PASS)
			inv++;
		assert_int_equal(inv - 1, cases[i].room);
		done(k, "parts");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments),
		cmocka_unit_test(fragments),
		cmocka_unit_test(parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
