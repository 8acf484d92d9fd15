/* SPDX-License-Identifier: Apache-2.0 */
/* A table that is full: what makes room for a new flow, when, and what never
 * does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

#define FLOWS 64 /* of the kit's table */
#define MS    (NS_PER_S / 1000)
#define S     NS_PER_S

static struct kit *new_kit(void)
{
	struct kit *k = kit_new(true, false);

	kit_live(k, true);
	return k;
}

static void done(struct kit *k)
{
	kit_end(k);
	assert_string_equal(k->bad, "");
	kit_free(k);
}

static const char *why(const struct kit *k, uint64_t id)
{
	return k->verdict[id].n ? reason_text(k->verdict[id].why) : "waits";
}

#define is(k, id, r) assert_string_equal(why(k, id), reason_text(r))

static uint64_t seg(struct kit *k, bool out, uint16_t port, uint32_t at,
		    uint32_t acked, uint8_t flags, struct span s)
{
	bool first = flags == TCP_SYN;
	struct kit_seg g = {.out = out,
			    .port = port,
			    .flags = flags,
			    .seq = (out ? KIT_ISN : KIT_ISN2) + at,
			    .ack = first ? 0
					 : (out ? KIT_ISN2 : KIT_ISN) + acked};

	return kit_tcp(k, &g, s);
}

static uint64_t bare(struct kit *k, bool out, uint16_t port, uint32_t at,
		     uint32_t acked, uint8_t flags)
{
	return seg(k, out, port, at, acked, flags, (struct span){0});
}

static uint64_t syn(struct kit *k, uint16_t port)
{
	return bare(k, true, port, 0, 0, TCP_SYN);
}

static uint64_t syn_ack(struct kit *k, uint16_t port)
{
	return bare(k, false, port, 0, 1, TCP_SYN | TCP_ACK);
}

static uint64_t data(struct kit *k, uint16_t port, char letter, size_t n)
{
	uint8_t b[64];
	struct wbuf w = wbuf_of(b, sizeof(b));
	const char letters[] = {letter, 0};

	return seg(k, true, port, 1, 1, TCP_PSH | TCP_ACK,
		   span_sub(kit_units(&w, letters), 0, n));
}

static uint64_t datagram(struct kit *k, bool out, uint16_t port, struct span s)
{
	uint8_t b[128];

	return kit_send(k, LINK_RAW,
			kit_ip4(k, &(struct kit_ip){out, PROTO_UDP, 0, 0, 0},
				kit_udp(b, sizeof(b), out, port, s)));
}

static uint64_t ask(struct kit *k, uint16_t port, uint8_t inv, uint8_t table)
{
	uint8_t b[64];
	struct wbuf w = wbuf_of(b, sizeof(b));

	kit_request(&w, inv, table);
	return datagram(k, true, port, wbuf_span(&w));
}

static uint64_t answer(struct kit *k, uint16_t port, uint8_t inv)
{
	uint8_t b[64];
	struct wbuf w = wbuf_of(b, sizeof(b));

	kit_answer(&w, inv, 0x41);
	return datagram(k, false, port, wbuf_span(&w));
}

/* --- flows of a kind --------------------------------------------------------
 */

static void half_open(struct kit *k, uint16_t port)
{
	is(k, syn(k, port), REASON_NONE);
	is(k, syn_ack(k, port), REASON_NONE);
}

static void turned_away(struct kit *k, uint16_t port)
{
	is(k, syn(k, port), REASON_NONE);
	is(k, bare(k, false, port, 0, 1, TCP_RST | TCP_ACK), REASON_NONE);
}

/* From an address that is nobody's. */
static void stranger(struct kit *k, uint16_t port)
{
	uint8_t b[20] = {
		4,       129,         (uint8_t)(port >> 8), (uint8_t)port,
		[7] = 1, [12] = 0x50, [13] = TCP_SYN,       [14] = 1};

	k->p->conf.checksums = false;
	kit_ip4(k, &(struct kit_ip){false, PROTO_TCP, 0, 0, 0},
		span_of(b, sizeof(b)));
	k->packet[12] = 203;
	kit_right(LINK_RAW, k->packet, 40);
	is(k, kit_send(k, LINK_RAW, span_of(k->packet, 40)),
	   REASON_UNKNOWN_PARTY);
	k->p->conf.checksums = true;
}

static void open_one(struct kit *k, uint16_t port)
{
	kit_handshake(k, port, KIT_ISN, false);
	is(k, k->id, REASON_NONE);
}

static void reset_one(struct kit *k, uint16_t port)
{
	open_one(k, port);
	is(k, bare(k, true, port, 1, 1, TCP_RST), REASON_NONE);
}

static void refused(struct kit *k, uint16_t port)
{
	open_one(k, port);
	is(k, data(k, port, 'd', KIT_UNIT), REASON_DENIED);
}

/* Both have closed; that the far end knows of the machine's FIN is not seen. */
static void half_closed(struct kit *k, uint16_t port)
{
	open_one(k, port);
	is(k, bare(k, false, port, 1, 1, TCP_FIN | TCP_ACK), REASON_NONE);
	is(k, bare(k, true, port, 1, 2, TCP_FIN | TCP_ACK), REASON_NONE);
}

static void closed(struct kit *k, uint16_t port)
{
	half_closed(k, port);
	is(k, bare(k, false, port, 2, 2, TCP_ACK), REASON_NONE);
}

static void half_a_unit(struct kit *k, uint16_t port)
{
	open_one(k, port);
	assert_string_equal(why(k, data(k, port, 'a', 20)), "waits");
}

static void asked(struct kit *k, uint16_t port)
{
	is(k, ask(k, port, 1, 64), REASON_NONE);
}

static void answered(struct kit *k, uint16_t port)
{
	asked(k, port);
	is(k, answer(k, port, 1), REASON_NONE);
}

/* --- tests ---------------------------------------------------------------- */

static void who_makes_room(void **state)
{
	static const struct {
		const char *why;
		void (*make)(struct kit *k, uint16_t port);
		int64_t after;
		bool room;
	} rows[] = {
		{"half-open: at once, so a flood of SYNs shuts nobody out",
		 half_open,							      0,               true },
		{"a reset for an answer: nothing passed",                   turned_away, 0,               true },
		{"refused before anything passed",                          stranger,    0,               true },
		{"both ends have acknowledged the end",                     closed,      0,               true },
		{"the far end may still be in it",                          half_closed, 0,               false},
		{"no longer",					       half_closed, CLOSED_ROOM,     true },
		{"a reset may not have reached its end",                    reset_one,   0,               false},
		{"still",						   reset_one,   CLOSED_ROOM - 1, false},
		{"nothing is on its way for so long",                       reset_one,   CLOSED_ROOM,
		 true											  },
		{"refused: the resets may be lost",                         refused,     0,               false},
		{"refused, and silent",                                     refused,     CLOSED_ROOM,     true },
		{"open and in use",					 open_one,    60 * S,          false},
		{"open, almost silent for long",                            open_one,    TCP_ROOM - 1,    false},
		{"open, silent for long",                                   open_one,    TCP_ROOM,        true },
		{"something waits in it",                                   half_a_unit, TCP_ROOM,        false},
		{"datagrams without an answer",                             asked,       0,               true },
		{"datagrams with answers",                                  answered,    UDP_ROOM - 1,    false},
		{"datagrams with answers, silent",                          answered,    UDP_ROOM,        true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = new_kit();
		uint64_t id;

		print_message("%s\n", rows[i].why);
		for (uint16_t n = 0; n < FLOWS; n++)
			rows[i].make(k, KIT_PORT + n);
		assert_int_equal(k->p->stats.flows_now, FLOWS);
		kit_wait(k, rows[i].after);
		id = syn(k, KIT_PORT + FLOWS);
		is(k, id, rows[i].room ? REASON_NONE : REASON_FLOW_TABLE_FULL);
		assert_int_equal(k->p->stats.flows_now, FLOWS);
		done(k);
	}
}

static void flood(struct kit *k, void (*make)(struct kit *, uint16_t),
		  uint16_t from, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		kit_wait(k, MS);
		make(k, from + i);
	}
}

/* What is in use outlives any number of new flows, and what floods drives out
 * its like, the oldest first. */
static void floods(void **state)
{
	static const struct {
		const char *why;
		void (*make)(struct kit *k, uint16_t port);
	} rows[] = {
		{"SYNs",              half_open  },
                {"strangers",         stranger   },
		{"datagrams",         asked      },
                {"turned away",       turned_away},
		{"opened and closed", closed     },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = new_kit();
		uint16_t late;

		print_message("%s\n", rows[i].why);
		open_one(k, KIT_PORT);
		answered(k, KIT_PORT + 1);
		half_a_unit(k, KIT_PORT + 2);
		/* It waits for its turn, without an answer. */
		is(k, ask(k, KIT_PORT + 3, 1, 66), REASON_NONE);
		assert_string_equal(why(k, ask(k, KIT_PORT + 3, 2, 66)),
				    "waits");
		flood(k, rows[i].make, 41000, 1000);
		/* A new one gets in, and has time to open. */
		late = 50000;
		half_open(k, late);
		flood(k, rows[i].make, 42000, FLOWS / 2);
		is(k, bare(k, true, late, 1, 1, TCP_ACK), REASON_NONE);
		flood(k, rows[i].make, 43000, 200);
		is(k, data(k, late, 'a', KIT_UNIT), REASON_NONE);
		is(k, data(k, KIT_PORT, 'a', KIT_UNIT), REASON_NONE);
		is(k, ask(k, KIT_PORT + 1, 2, 64), REASON_NONE);
		is(k, answer(k, KIT_PORT + 1, 2), REASON_NONE);
		assert_int_equal(k->p->n_deferred, 1);
		assert_int_equal(k->p->stats.drops[REASON_FLOW_TABLE_FULL], 0);
		assert_int_equal(k->p->stats.flows_now, FLOWS);
		done(k);
	}
}

/* What was made to go is not gone on with: nothing of it passes unjudged. */
static void gone(void **state)
{
	struct kit *k = new_kit();

	(void)state;
	half_open(k, KIT_PORT);
	for (uint16_t n = 1; n <= FLOWS; n++)
		half_open(k, KIT_PORT + n);
	is(k, bare(k, true, KIT_PORT, 1, 1, TCP_ACK), REASON_TCP_MIDSTREAM);
	is(k, data(k, KIT_PORT, 'a', KIT_UNIT), REASON_TCP_MIDSTREAM);
	is(k, syn_ack(k, KIT_PORT), REASON_TCP_MIDSTREAM);
	done(k);

	k = new_kit();
	for (uint16_t n = 0; n < FLOWS; n++)
		open_one(k, KIT_PORT + n);
	kit_wait(k, TCP_ROOM);
	half_open(k, KIT_PORT + FLOWS);
	is(k, data(k, KIT_PORT, 'a', KIT_UNIT), REASON_TCP_MIDSTREAM);
	is(k, data(k, KIT_PORT + 1, 'a', KIT_UNIT), REASON_NONE);
	done(k);
}

/* A flood does not make the table forget what was reset a moment ago, nor
 * that a new connection of the same ends follows it: else an answer that was
 * on its way would open a second stream in the middle of the first one. */
static void flooded_memory(void **state)
{
	static const struct {
		const char *why;
		bool decoy;
		int64_t wait;
		enum reason want;
	} rows[] = {
		{"a moment ago",                      false, 0,               REASON_TCP_HANDSHAKE},
		{"a moment ago, after another",       true,  0,               REASON_TCP_HANDSHAKE},
		{"a while ago",                       false, CLOSED_ROOM - 1, REASON_TCP_HANDSHAKE},
		{"a while ago, after another",        true,  CLOSED_ROOM - 1,
		 REASON_TCP_HANDSHAKE							     },
		{"nothing is on its way for so long", false, CLOSED_ROOM,
		 REASON_NONE								      },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = new_kit();

		print_message("%s\n", rows[i].why);
		open_one(k, KIT_PORT);
		is(k, data(k, KIT_PORT, 'a', KIT_UNIT), REASON_NONE);
		is(k, bare(k, true, KIT_PORT, 1, 1, TCP_RST), REASON_NONE);
		if (rows[i].decoy)
			is(k, bare(k, true, KIT_PORT, 700, 0, TCP_SYN),
			   REASON_NONE);
		for (uint16_t n = 1; n < 500; n++)
			half_open(k, KIT_PORT + n);
		kit_wait(k, rows[i].wait);
		for (uint16_t n = 500; n < 1000; n++)
			half_open(k, KIT_PORT + n);
		if (rows[i].decoy)
			is(k, bare(k, true, KIT_PORT, 701, 0, TCP_RST),
			   REASON_NONE);
		is(k, syn(k, KIT_PORT), REASON_NONE);
		is(k, syn_ack(k, KIT_PORT), rows[i].want);
		done(k);
	}
}

/* Facts only: there is always room. */
static void facts_only(void **state)
{
	struct kit *k = kit_new(false, true);

	(void)state;
	for (uint16_t n = 0; n < 3 * FLOWS; n++) {
		kit_wait(k, MS);
		open_one(k, KIT_PORT + n);
		assert_true(k->p->stats.flows_now <= FLOWS);
	}
	assert_int_equal(k->p->stats.flows, 3 * FLOWS);
	done(k);
}

/* --- with a kernel that carries ------------------------------------------- */

#define CARRIED	20 /* more than are looked at for one that may go */
#define SEEN	5000
#define SINCE	9000 /* octets that the kernel carried */
#define PA	(TCP_PSH | TCP_ACK)

static void carried_one(struct kit *k, uint16_t port)
{
	static const uint8_t b[SEEN];
	uint32_t before = k->n_offloads;

	open_one(k, port);
	is(k, seg(k, true, port, 1, 1, PA, span_of(b, 20)), REASON_NONE);
	is(k, seg(k, false, port, 1, 21, PA, span_of(b, 20)), REASON_NONE);
	is(k, seg(k, true, port, 21, 21, PA, span_of(b, SEEN - 20)),
	   REASON_NONE);
	assert_int_equal(k->n_offloads, before + 1);
}

/* A full table: so many that the kernel carries, then open ones. */
static struct kit *full_of_carried(void)
{
	static const uint64_t bounds[OFFLOAD_REFUSED] = {0, 22000};
	struct kit *k = new_kit();

	k->p->conf.checksums = false;
	k->p->conf.offload = bounds;
	k->sink.offload = kit_on_offload;
	k->bulk = true;
	for (uint16_t n = 0; n < CARRIED; n++)
		carried_one(k, KIT_PORT + n);
	for (uint16_t n = CARRIED; n < FLOWS; n++)
		open_one(k, KIT_PORT + n);
	is(k, syn(k, KIT_PORT + FLOWS), REASON_FLOW_TABLE_FULL);
	assert_int_equal(k->p->stats.flows_now, FLOWS);
	return k;
}

static uint32_t how_many_carried(const struct kit *k)
{
	uint32_t i = k->p->lru[0][LIST_CARRIED].oldest, n = 0;

	for (; i != NONE; i = k->p->flow[i].newer) {
		assert_int_equal(k->p->flow[i].offload, 1);
		n++;
	}
	return n;
}

/* Those that the kernel carries shut nobody out, and are the last to go: it is
 * not known that they are silent. */
static void carried_go_last(void **state)
{
	struct kit *k = full_of_carried();
	uint16_t port = 50000;

	(void)state;
	kit_wait(k, TCP_ROOM - 1);
	is(k, syn(k, port), REASON_FLOW_TABLE_FULL);
	kit_wait(k, 1);
	for (uint16_t n = CARRIED; n < FLOWS; n++) {
		open_one(k, port++);
		assert_int_equal(how_many_carried(k), CARRIED);
	}
	for (uint16_t n = CARRIED; n > 0; n--) {
		open_one(k, port++);
		assert_int_equal(how_many_carried(k), n - 1);
	}
	is(k, syn(k, port), REASON_FLOW_TABLE_FULL);
	/* Behind its bound nobody knows it. */
	is(k, bare(k, true, KIT_PORT, SEEN + 20000, 21, TCP_ACK),
	   REASON_TCP_MIDSTREAM);
	done(k);
}

static void by_fins(struct kit *k, uint16_t port)
{
	is(k, bare(k, true, port, 1 + SEEN + SINCE, 21, TCP_FIN | TCP_ACK),
	   REASON_NONE);
	is(k, bare(k, false, port, 21, 2 + SEEN + SINCE, TCP_FIN | TCP_ACK),
	   REASON_NONE);
	is(k, bare(k, true, port, 2 + SEEN + SINCE, 22, TCP_ACK), REASON_NONE);
}

/* It goes on speaking after the other end's FIN. */
static void by_fins_apart(struct kit *k, uint16_t port)
{
	static const uint8_t b[100];

	is(k, bare(k, true, port, 1 + SEEN + SINCE, 21, TCP_FIN | TCP_ACK),
	   REASON_NONE);
	/* Carried before, on its way since. */
	is(k, seg(k, false, port, 1021, 2 + SEEN + SINCE, PA, span_of(b, 100)),
	   REASON_NONE);
	is(k, bare(k, false, port, 1121, 2 + SEEN + SINCE, TCP_FIN | TCP_ACK),
	   REASON_NONE);
}

static void by_fin_with_octets(struct kit *k, uint16_t port)
{
	static const uint8_t b[100];

	is(k, seg(k, false, port, 1021, 1 + SEEN + SINCE, PA | TCP_FIN,
		  span_of(b, 100)),
	   REASON_NONE);
	is(k, bare(k, true, port, 1 + SEEN + SINCE, 1122, TCP_FIN | TCP_ACK),
	   REASON_NONE);
}

static void by_reset(struct kit *k, uint16_t port)
{
	is(k, bare(k, false, port, 1021, 1 + SEEN + SINCE, TCP_RST | TCP_ACK),
	   REASON_NONE);
}

/* Nothing was carried, and the end looks like a packet that lay in the queue
 * when the kernel took over. */
static void by_fins_at_once(struct kit *k, uint16_t port)
{
	is(k, bare(k, true, port, 1 + SEEN, 21, TCP_FIN | TCP_ACK),
	   REASON_NONE);
	is(k, bare(k, false, port, 21, 2 + SEEN, TCP_FIN | TCP_ACK),
	   REASON_NONE);
	is(k, bare(k, true, port, 2 + SEEN, 22, TCP_ACK), REASON_NONE);
}

/* And is said again, when nothing can have lain there for so long. */
static void by_fins_at_once_twice(struct kit *k, uint16_t port)
{
	by_fins_at_once(k, port);
	kit_wait(k, 2 * S);
	bare(k, true, port, 2 + SEEN, 22, TCP_ACK);
	bare(k, false, port, 999, 2 + SEEN, TCP_ACK);
	bare(k, false, port, 21, 3 + SEEN, TCP_ACK);
}

/* The first end looks so too; the other end had carried octets. */
static void by_fins_in_turn(struct kit *k, uint16_t port)
{
	is(k, bare(k, true, port, 1 + SEEN, 21, TCP_FIN | TCP_ACK),
	   REASON_NONE);
	is(k, bare(k, false, port, 1021, 2 + SEEN, TCP_FIN | TCP_ACK),
	   REASON_NONE);
	is(k, bare(k, true, port, 2 + SEEN, 1022, TCP_ACK), REASON_NONE);
}

static void by_reset_at_once(struct kit *k, uint16_t port)
{
	is(k, bare(k, true, port, 1 + SEEN, 21, TCP_RST | TCP_ACK),
	   REASON_NONE);
}

/* The end of a carried connection comes to the queue, and makes room. */
static void carried_end(void **state)
{
	static const struct {
		const char *why;
		void (*end)(struct kit *k, uint16_t port);
		int64_t after;
	} rows[] = {
		{"both close",				  by_fins,            10 * S},
		{"one closes, the other speaks",	  by_fins_apart,      10 * S},
		{"octets come with the end",		  by_fin_with_octets, 10 * S},
		{"one resets",				  by_reset,           10 * S},
		{"both close, nothing was carried",	  by_fins_at_once,    0     },
		{"both close, and one again later",	  by_fins_at_once_twice, 0  },
		{"both close, little was carried",	  by_fins_in_turn,    0     },
		{"reset, nothing was carried",		  by_reset_at_once,   0     },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = full_of_carried();
		uint32_t charged = k->n_offloads;
		uint16_t port = 50000;

		print_message("%s\n", rows[i].why);
		kit_wait(k, rows[i].after);
		for (uint16_t n = 0; n < CARRIED; n++)
			rows[i].end(k, KIT_PORT + n);
		assert_int_equal(how_many_carried(k), 0);
		assert_int_equal(k->n_offloads, charged);
		kit_wait(k, CLOSED_ROOM);
		for (uint16_t n = 0; n < CARRIED; n++)
			open_one(k, port++);
		is(k, syn(k, port), REASON_FLOW_TABLE_FULL);
		assert_int_equal(k->n_resets, 0);
		done(k);
	}
}

static bool note_at_once(void *arg, const struct pol_budget *b)
{
	if (strstr(b->name, "at-once"))
		*(uint64_t *)arg = b->used;
	return true;
}

/* Which connections a limit on those that are open at once counts: one that
 * both ends have closed is over before anybody forgets it. */
static void at_once(void **ctx)
{
	static const struct {
		const char *why;
		void (*flow)(struct kit *, uint16_t);
		uint64_t used;
	} rows[] = {
		{"open", open_one, 1},
		{"one end does not know that the other has closed", half_closed,
		 1},
		{"closed", closed, 0},
		{"reset: what was under way may still arrive", reset_one, 1},
	};

	(void)ctx;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kit *k = new_kit();
		uint64_t used = 99;

		rows[i].flow(k, KIT_PORT);
		pol_budgets(k->state, 0, k->now, note_at_once, &used);
		if (used != rows[i].used)
			fail_msg("%s: %llu", rows[i].why,
				 (unsigned long long)used);
		kit_wait(k, CLOSED_IDLE + S);
		open_one(k, KIT_PORT + 1);
		pol_budgets(k->state, 0, k->now, note_at_once, &used);
		assert_int_equal(used, i == 0 ? 2 : 1);
		done(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_once),
		cmocka_unit_test(who_makes_room),
		cmocka_unit_test(floods),
		cmocka_unit_test(gone),
		cmocka_unit_test(flooded_memory),
		cmocka_unit_test(facts_only),
		cmocka_unit_test(carried_go_last),
		cmocka_unit_test(carried_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
