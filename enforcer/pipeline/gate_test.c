/* SPDX-License-Identifier: Apache-2.0 */
/* What only a live gateway does: resets in the place of packets, answers to
 * strays, what waits for a rule, freezing, another policy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/gatekit.h"

/* --- refusing ------------------------------------------------------------- */

static void the_packet_becomes_the_reset(void **state)
{
	static const uint64_t no_bounds[OFFLOAD_REFUSED] = {0};
	struct kit *k = live_new();
	uint64_t id;

	(void)state;
	k->p->conf.offload = no_bounds;
	k->sink.offload = kit_on_offload;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	passes(k, out(k, "acd", 0, 31));
	/* The first packet that waits carries on as the reset. */
	id = out(k, "acd", 31, 40);
	waits(k, id);
	drops(k, out(k, "acd", 71, 22), REASON_DENIED);
	drops(k, id, REASON_SIBLING_DENIED);
	assert_int_equal(k->n_replaced, 1);
	assert_int_equal(k->n_resets, 2);
	/* To its receiver: where it is, behind what left. */
	assert_int_equal(k->reset[0].dir, DIR_OUT);
	assert_int_equal(k->reset[0].sport, KIT_PORT);
	assert_int_equal(k->reset[0].seq, KIT_ISN + 1 + 31);
	assert_int_equal(k->reset[0].ack, KIT_ISN2 + 1);
	/* To its sender: what that expects next. */
	assert_int_equal(k->reset[1].dir, DIR_IN);
	assert_int_equal(k->reset[1].dport, KIT_PORT);
	assert_int_equal(k->reset[1].seq, KIT_ISN2 + 1);
	/* Later packets: dropped by look-up, answered now and then, and the
	 * kernel is told in the end. */
	for (int i = 0; i < 8; i++)
		drops(k, bare(k, 0, TCP_ACK), REASON_TCP_FLOW_DENIED);
	assert_int_equal(k->n_resets, 2);
	assert_int_equal(k->n_offloads, 0);
	kit_wait(k, 200 * MS);
	in_ack(k, 7, 0);
	assert_int_equal(k->n_resets, 3);
	assert_int_equal(k->reset[2].flags, TCP_RST);
	assert_int_equal(k->reset[2].seq, KIT_ISN + 1 + 7);
	assert_int_equal(k->reset[2].dir, DIR_OUT);
	bare(k, 0, TCP_ACK);
	assert_int_equal(k->n_offloads, 1);
	assert_int_equal(k->offload, OFFLOAD_REFUSED);
	assert_int_equal(k->p->stats.offload_refused, 1);
	done(k);
}

static void strays(void **state)
{
	struct kit *k = live_new();
	struct kit_seg g = {.out = true, .port = KIT_PORT, .flags = PA,
			    .seq = 77, .ack = 99};

	(void)state;
	drops(k, kit_tcp(k, &g, span_of("x", 1)), REASON_TCP_MIDSTREAM);
	assert_int_equal(k->n_resets, 1);
	assert_int_equal(k->reset[0].seq, 99);
	assert_int_equal(k->reset[0].flags, TCP_RST);
	assert_int_equal(k->reset[0].dir, DIR_IN);
	assert_int_equal(k->reset[0].dport, KIT_PORT);
	/* A reset is never answered. */
	g.flags = TCP_RST;
	drops(k, kit_tcp(k, &g, (struct span){0}), REASON_TCP_MIDSTREAM);
	/* Nor is who is nobody's party. */
	g.flags = PA;
	k->p->conf.checksums = false;
	k->bulk = true;
	drops(k, kit_tcp(k, &g, span_of("x", 1)), REASON_TCP_MIDSTREAM);
	assert_int_equal(k->n_resets, 2); /* that one is a party, too */
	done(k);
}

/* --- headers -------------------------------------------------------------- */

/* A segment with what kit_tcp does not set. */
static uint64_t raw(struct kit *k, uint8_t flags, uint8_t reserved,
		    uint16_t port, struct span options)
{
	static uint8_t b[128];
	struct wbuf w = wbuf_of(b, sizeof(b));

	wbuf_be(&w, port, 2);
	wbuf_be(&w, 1153, 2);
	wbuf_be(&w, flags & TCP_SYN ? KIT_ISN : KIT_ISN + 1, 4);
	wbuf_be(&w, flags & TCP_ACK ? KIT_ISN2 + 1 : 0, 4);
	wbuf_u8(&w, (uint8_t)((5 + options.n / 4) << 4 | reserved));
	wbuf_u8(&w, flags);
	wbuf_be(&w, 65535, 2);
	wbuf_be(&w, 0, 4);
	wbuf_put(&w, options);
	kit_put16(b + 16, kit_l4_sum(PROTO_TCP, wbuf_span(&w)));
	return kit_send(k, LINK_RAW,
			kit_ip4(k, &(struct kit_ip){true, PROTO_TCP, 0, 0, 0},
				wbuf_span(&w)));
}

static void headers(void **state)
{
	static const struct {
		const char *why, *options;
		uint8_t n, flags, reserved;
		uint16_t port;
		enum reason want;
	} rows[] = {
		{"plain", "", 0, TCP_ACK, 0, KIT_PORT, REASON_NONE},
		{"accurate ECN's bit", "", 0, TCP_ACK, 1, KIT_PORT,
		 REASON_NONE},
		{"Geneva: a reserved bit", "", 0, TCP_ACK, 2, KIT_PORT,
		 REASON_TCP_FLAGS},
		{"port 0", "", 0, TCP_SYN, 0, 0, REASON_BAD_ADDRESS},
		{"SniffJoke: MD5 that was not agreed",
		 "\x13\x12" "0123456789abcdef\1\1", 20, TCP_ACK, 0, KIT_PORT,
		 REASON_TCP_OPTION},
		{"authentication option", "\x1d\x04\1\1", 4, TCP_ACK, 0,
		 KIT_PORT, REASON_TCP_OPTION},
		{"Fast Open cookie", "\x22\x04\1\1", 4, TCP_SYN, 0,
		 KIT_PORT + 1, REASON_TCP_OPTION},
		{"window scale in the middle", "\3\3\2\1", 4, TCP_ACK, 0,
		 KIT_PORT, REASON_TCP_OPTION},
		{"MSS in the middle", "\2\4\5\xb4", 4, TCP_ACK, 0, KIT_PORT,
		 REASON_TCP_OPTION},
		{"window scale 14", "\3\3\x0e\1", 4, TCP_SYN, 0, KIT_PORT + 2,
		 REASON_NONE},
		{"window scale 15", "\3\3\x0f\1", 4, TCP_SYN, 0, KIT_PORT + 3,
		 REASON_TCP_OPTION},
		{"MSS twice", "\2\4\5\xb4\2\4\2\x18", 8, TCP_SYN, 0,
		 KIT_PORT + 4, REASON_TCP_OPTION},
		{"MSS of another length", "\2\3\5\1", 4, TCP_SYN, 0,
		 KIT_PORT + 5, REASON_TCP_OPTION},
		{"an option longer than the header", "\xfd\x09\1\1", 4,
		 TCP_ACK, 0, KIT_PORT, REASON_BAD_HEADER},
		{"SACK blocks", "\1\1\5\x0a\0\0\0\1\0\0\0\2", 12, TCP_ACK,
		 0, KIT_PORT, REASON_NONE},
	};
	struct kit *k = live_new();
	unsigned bad = 0;

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t id = raw(k, rows[i].flags, rows[i].reserved,
				  rows[i].port,
				  span_of(rows[i].options, rows[i].n));

		if (why(k, id) == rows[i].want)
			continue;
		print_error("%s: %s\n", rows[i].why, reason_text(why(k, id)));
		bad++;
	}
	assert_int_equal(bad, 0);
	done(k);
}

/* RFC 5961: a reset in the window but not at its place, and a SYN, make the
 * gateway ask; whoever is gone says so at the right place. */
static void challenges(void **state)
{
	struct kit *k = live_new();

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	passes(k, out(k, "a", 0, 31));
	drops(k, bare(k, 50, TCP_RST), REASON_TCP_RESET);
	assert_int_equal(k->n_acks, 1);
	assert_int_equal(k->last.ack, KIT_ISN + 1); /* as acknowledged */
	assert_int_equal(k->last.dir, DIR_IN);
	drops(k, bare(k, 51, TCP_RST), REASON_TCP_RESET);
	assert_int_equal(k->n_acks, 1); /* not each time */
	kit_wait(k, 200 * MS);
	drops(k, bare(k, 5000, TCP_SYN), REASON_TCP_HANDSHAKE);
	assert_int_equal(k->n_acks, 2);
	passes(k, bare(k, 0, TCP_RST));
	/* The place is free now. */
	passes(k, bare(k, 5000, TCP_SYN));
	done(k);
}

static uint64_t in_syn_ack(struct kit *k, uint32_t at, uint32_t isn)
{
	struct kit_seg g = {.port = KIT_PORT, .flags = TCP_SYN | TCP_ACK,
			    .seq = isn, .ack = KIT_ISN + 1 + at};

	return kit_tcp(k, &g, (struct span){0});
}

/* A reset at a place that its receiver is beyond ends nothing there. Were the
 * same handshake then completed by an answer to the first one that was on its
 * way, the receiver would take the second stream from where it is in the
 * first: in the middle of a unit. */
static void old_answers_open_nothing(void **state)
{
	static const struct {
		const char *why;
		uint32_t at, isn2; /* of the second handshake */
		unsigned wait_s;
		bool decoy; /* another one in between, closed by a reset */
		enum reason want;
	} rows[] = {
		{"the same again", 0, KIT_ISN2, 0, false,
		 REASON_TCP_HANDSHAKE},
		{"the same, after another", 0, KIT_ISN2, 0, true,
		 REASON_TCP_HANDSHAKE},
		{"the same, as long as the first is remembered", 0, KIT_ISN2,
		 60, false, REASON_TCP_HANDSHAKE},
		{"nothing is on its way for so long", 0, KIT_ISN2, 61, false,
		 REASON_NONE},
		{"a receiver that begins anew", 0, KIT_ISN2 + 1, 0, false,
		 REASON_NONE},
		{"a receiver that begins anew, after another", 0,
		 KIT_ISN2 + 1, 0, true, REASON_NONE},
		{"another number, which it answers", 5000, KIT_ISN2, 0,
		 false, REASON_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = live_new();
		uint64_t id;

		print_message("%s\n", rows[i].why);
		kit_handshake(k, KIT_PORT, KIT_ISN, false);
		passes(k, out(k, "a", 0, 31));
		passes(k, bare(k, 0, TCP_RST));
		if (rows[i].decoy) {
			passes(k, bare(k, 7000, TCP_SYN));
			drops(k, in_syn_ack(k, 0, KIT_ISN2),
			      REASON_TCP_HANDSHAKE);
			passes(k, bare(k, 7001, TCP_RST));
		}
		kit_tick(k, rows[i].wait_s);
		passes(k, bare(k, rows[i].at - 1, TCP_SYN));
		drops(k, in_syn_ack(k, rows[i].at, rows[i].isn2),
		      rows[i].want);
		id = out(k, "ca", 0, 62);
		/* It acknowledges the first answer's number. */
		if (rows[i].want || rows[i].at || rows[i].isn2 != KIT_ISN2)
			assert_true(why(k, id) != REASON_NONE);
		else
			passes(k, id);
		done(k);
	}
}

/* The far end is still in a connection that we have forgotten, and silent: it
 * says so when a new one is tried, and is told that the old one is over. */
static void half_open(void **state)
{
	struct kit *k = live_new();

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	passes(k, out(k, "a", 0, 31));
	kit_tick(k, 7201);
	assert_int_equal(k->p->stats.flows_now, 0);
	passes(k, bare(k, UINT32_MAX, TCP_SYN));
	drops(k, in_ack(k, 31, 0), REASON_TCP_HANDSHAKE);
	assert_int_equal(k->n_resets, 1);
	assert_int_equal(k->reset[0].dir, DIR_OUT);
	assert_int_equal(k->reset[0].flags, TCP_RST);
	assert_int_equal(k->reset[0].seq, KIT_ISN + 1 + 31);
	drops(k, in_ack(k, 31, 0), REASON_TCP_HANDSHAKE);
	assert_int_equal(k->n_resets, 1); /* not each time */
	drops(k, out(k, "c", 0, 31), REASON_TCP_HANDSHAKE);
	/* It has left; the SYN comes again. */
	passes(k, bare(k, UINT32_MAX, TCP_SYN));
	passes(k, in_syn_ack(k, 0, KIT_ISN2));
	passes(k, bare(k, 0, TCP_ACK));
	passes(k, out(k, "c", 0, 31));
	done(k);
}

/* One verdict for all units of a packet that was never cut. */
static void large_packets(void **state)
{
	struct kit *k = live_new();
	char letters[400];
	uint64_t id;

	(void)state;
	memset(letters, 'a', sizeof(letters) - 1);
	letters[399] = 0;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	id = out(k, letters, 0, 31 * 300 + 10);
	waits(k, id);
	passes(k, out(k, letters, 31 * 300 + 10, 21));
	passes(k, id);
	letters[350] = 'd';
	drops(k, out(k, letters, 31 * 301, 31 * 80), REASON_DENIED);
	assert_int_equal(k->n_resets, 2);
	assert_int_equal(k->reset[0].seq, KIT_ISN + 1 + 31 * 301);
	done(k);
}

/* --- held back by a rule --------------------------------------------------- */

static void held_back(void **state)
{
	struct kit *k = live_new();
	uint64_t second, third;

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	passes(k, out(k, "llla", 0, 31));
	second = out(k, "llla", 31, 31);
	waits(k, second);
	/* What comes behind it waits as well. */
	third = out(k, "llla", 62, 62);
	waits(k, third);
	kit_tick(k, 9);
	waits(k, second);
	assert_true(k->n_acks > 0);
	kit_tick(k, 1);
	passes(k, second);
	waits(k, third);
	kit_tick(k, 9);
	waits(k, third);
	kit_tick(k, 1);
	passes(k, third);
	assert_int_equal(k->n_resets, 0);
	done(k);
}

static void held_back_datagrams(void **state)
{
	struct kit *k = live_new();
	uint64_t id[8];
	unsigned decided = 0;

	(void)state;
	for (uint8_t i = 0; i < 8; i++) {
		uint8_t u[64], b[128];
		struct wbuf w = wbuf_of(u, sizeof(u));

		kit_request(&w, i + 1, 66);
		id[i] = kit_send(
			k, LINK_RAW,
			kit_ip4(k, &(struct kit_ip){true, PROTO_UDP, 0, 0, 0},
				kit_udp(b, sizeof(b), true, KIT_PORT,
					wbuf_span(&w))));
	}
	passes(k, id[0]);
	waits(k, id[1]);
	/* All wait for the same moment, then one goes, the others on. */
	kit_tick(k, 10);
	for (uint8_t i = 1; i < 8; i++)
		decided += k->verdict[id[i]].n;
	assert_int_equal(decided, 1);
	kit_tick(k, 60);
	for (uint8_t i = 0; i < 8; i++)
		decided += why(k, id[i]) == REASON_NONE;
	/* At 0, 10, 20 .. 60 s; one was too many. */
	assert_int_equal(decided, 1 + 7);
	assert_int_equal(k->p->stats.drops[REASON_DEFERRED_TOO_LONG], 1);
	assert_int_equal(k->p->n_deferred, 0);
	done(k);
}

/* --- freezing, and another policy ----------------------------------------- */

static void frozen(void **state)
{
	struct kit *k = live_new();
	uint64_t half, udp;
	uint8_t b[128];

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	half = out(k, "aa", 0, 20);
	ms(k, 20); /* ours now */
	pipeline_freeze(k->p, true);
	drops(k, out(k, "aa", 20, 11), REASON_FROZEN);
	assert_true(pipeline_due(k->p).ns <= k->now.mono.ns);
	ms(k, 1);
	drops(k, half, REASON_FROZEN);
	udp = kit_send(k, LINK_RAW,
		       kit_ip4(k, &(struct kit_ip){true, PROTO_UDP, 0, 0, 0},
			       kit_udp(b, sizeof(b), true, 9,
				       span_of("x", 1))));
	drops(k, udp, REASON_FROZEN);
	ms(k, 5000);
	assert_int_equal(k->n_delivered, 0);
	pipeline_freeze(k->p, false);
	/* The sender goes on; what we acknowledged we send ourselves. */
	passes(k, out(k, "aa", 20, 11));
	ms(k, 400);
	assert_true(k->n_delivered > 0);
	done(k);
}

static void another_policy(void **state)
{
	struct kit *k = live_new(), *other = kit_new(true, false);
	struct err e;
	uint64_t half;

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	half = out(k, "a", 0, 20);
	assert_int_equal(pipeline_policy(k->p, other->set, other->state,
					 k->now, &k->sink, &e),
			 0);
	passes(k, out(k, "a", 20, 11));
	passes(k, half);
	assert_int_equal(k->n_resets, 0);
	/* One without the machine changes nothing. */
	snprintf(k->p->guest[0].name, sizeof(k->p->guest[0].name), "nobody");
	assert_int_equal(pipeline_policy(k->p, k->set, k->state, k->now,
					 &k->sink, &e),
			 E_STATE);
	assert_ptr_equal(k->p->conf.policy, other->set);
	snprintf(k->p->guest[0].name, sizeof(k->p->guest[0].name), "mdma");
	assert_int_equal(pipeline_policy(k->p, k->set, k->state, k->now,
					 &k->sink, &e),
			 0);
	done(k);
	kit_free(other);
}

struct seen {
	unsigned n, most;
	uint16_t port[4];
};

static bool look(void *arg, const struct flow_view *v)
{
	struct seen *s = arg;

	if (s->n < 4)
		s->port[s->n] = v->tup.sport;
	assert_string_equal(v->app, "");
	return ++s->n < s->most;
}

static void newest_first(void **state)
{
	struct kit *k = live_new();
	struct seen s = {.most = 10}, few = {.most = 2};

	(void)state;
	for (uint16_t i = 0; i < 3; i++) {
		kit_handshake(k, KIT_PORT + i, KIT_ISN, false);
		kit_wait(k, MS);
	}
	bare(k, 0, TCP_RST | TCP_ACK); /* the first one ends */
	pipeline_flows(k->p, look, &s);
	assert_int_equal(s.n, 3);
	assert_int_equal(s.port[0], KIT_PORT);
	assert_int_equal(s.port[1], KIT_PORT + 2);
	pipeline_flows(k->p, look, &few);
	assert_int_equal(few.n, 2);
	done(k);
}

static void for_one_machine(void **state)
{
	struct kit *k = kit_new(true, false);
	struct pipeline_guest g = {.name = "mdma", .has_addr = true,
				   .prefix = 128,
				   .addr = kit_net(0, 10, 32).addr};
	struct pipeline_conf c = {.policy = k->set, .state = k->state,
				  .max_flows = 16, .guests = &g,
				  .n_guests = 1, .self = "nobody"};
	struct pipeline *p;
	struct err e;

	(void)state;
	assert_int_equal(pipeline_new(&p, &c, &e), E_LIMIT);
	memcpy(c.self, "mdma", 5);
	assert_int_equal(pipeline_new(&p, &c, &e), 0);
	pipeline_free(k->p);
	k->p = p;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	passes(k, 3);
	done(k);
}

/* The MAC that the kernel tells is looked at as one in the packet. */
static void told_mac(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	struct kit *k = live_new();

	(void)state;
	k->p->rule[0].has_mac = true;
	memcpy(k->p->rule[0].mac, mac, sizeof(mac));
	for (int i = 0; i < 2; i++) {
		uint8_t b[128], u[64];
		struct wbuf w = wbuf_of(u, sizeof(u));
		struct packet_in in = {.id = ++k->id, .pcap_cnt = k->id,
				       .now = k->now, .link = LINK_RAW,
				       .has_mac = true};

		memcpy(in.mac, mac, sizeof(mac));
		in.mac[5] = (uint8_t)(in.mac[5] + i);
		kit_request(&w, (uint8_t)(1 + i), 64);
		in.octets = kit_ip4(
			k, &(struct kit_ip){true, PROTO_UDP, 0, 0, 0},
			kit_udp(b, sizeof(b), true, KIT_PORT, wbuf_span(&w)));
		in.wire_len = (uint32_t)in.octets.n;
		pipeline_packet(k->p, &in, &k->sink);
		drops(k, in.id, i ? REASON_SPOOFED_SOURCE : REASON_NONE);
	}
	done(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_packet_becomes_the_reset),
		cmocka_unit_test(strays),
		cmocka_unit_test(headers),
		cmocka_unit_test(challenges),
		cmocka_unit_test(old_answers_open_nothing),
		cmocka_unit_test(half_open),
		cmocka_unit_test(large_packets),
		cmocka_unit_test(held_back),
		cmocka_unit_test(held_back_datagrams),
		cmocka_unit_test(frozen),
		cmocka_unit_test(another_policy),
		cmocka_unit_test(newest_first),
		cmocka_unit_test(for_one_machine),
		cmocka_unit_test(told_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
