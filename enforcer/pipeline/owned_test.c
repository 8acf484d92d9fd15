/* SPDX-License-Identifier: Apache-2.0 */
/* What the gateway does in a receiver's name: it acknowledges what it holds,
 * sends it again until it is taken, and keeps within the receiver's window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/gatekit.h"

static void acknowledged_later(void **state)
{
	struct kit *k = live_new();
	uint64_t half, again;

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	in_ack(k, 0, 5000);
	half = out(k, "ac", 0, 20);
	waits(k, half);
	assert_int_equal(pipeline_due(k->p).ns, k->now.mono.ns + 20 * MS);
	ms(k, 19);
	assert_int_equal(k->n_acks, 0);
	ms(k, 1);
	assert_int_equal(k->n_acks, 1);
	assert_int_equal(k->last.ack, KIT_ISN + 1 + 20);
	assert_int_equal(k->last.seq, KIT_ISN2 + 1);
	assert_int_equal(k->last.dir, DIR_IN);
	/* The receiver's window as it was, but for what lies here; the edge
	 * of the handshake was farther. */
	assert_int_equal(k->last.window, 65535 - 20);
	assert_int_equal(k->last.flags, TCP_ACK);
	/* It was not heard: what comes again is answered, and goes nowhere. */
	again = out(k, "ac", 0, 20);
	drops(k, again, REASON_TCP_REPEATED);
	assert_int_equal(k->n_acks, 2);
	waits(k, half);
	/* The rest: both leave as they are. */
	passes(k, out(k, "ac", 20, 11));
	passes(k, half);
	assert_int_equal(k->n_delivered, 0);
	done(k);
}

static void repeated_until_taken(void **state)
{
	struct kit *k = live_new();
	uint64_t half;

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	half = out(k, "a", 0, 20);
	ms(k, 20);
	passes(k, out(k, "a", 20, 11));
	passes(k, half);
	/* 20 octets were acknowledged here: those are ours. */
	ms(k, 199);
	assert_int_equal(k->n_delivered, 0);
	ms(k, 1);
	assert_int_equal(k->n_delivered, 1);
	assert_int_equal(k->last.seq, KIT_ISN + 1);
	ms(k, 399);
	assert_int_equal(k->n_delivered, 1);
	ms(k, 1);
	assert_int_equal(k->n_delivered, 2);
	in_ack(k, 10, 0);
	assert_int_equal(k->n_delivered, 3); /* the rest follows at once */
	assert_int_equal(k->last_made, KIT_ISN + 1 + 10);
	in_ack(k, 31, 0);
	ms(k, 10000);
	assert_int_equal(k->n_delivered, 3);
	assert_int_equal(k->n_resets, 0);
	done(k);
}

static void never_taken(void **state)
{
	struct kit *k = live_new();

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	out(k, "a", 0, 20);
	ms(k, 20);
	out(k, "a", 20, 11);
	for (int i = 0; i < 600; i++)
		ms(k, 200);
	assert_int_equal(k->n_resets, 2);
	assert_int_equal(k->n_delivered, 12);
	assert_int_equal(k->p->stats.anomalies[REASON_TCP_UNDELIVERED], 1);
	done(k);
}

/* What was refused after it was acknowledged ends as everything refused. */
static void acknowledged_then_refused(void **state)
{
	struct kit *k = live_new();
	uint64_t half;

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	half = out(k, "d", 0, 20);
	ms(k, 20);
	assert_int_equal(k->n_acks, 1);
	drops(k, out(k, "d", 20, 11), REASON_DENIED);
	drops(k, half, REASON_SIBLING_DENIED);
	for (int i = 0; i < 590; i++)
		ms(k, 100);
	/* What is made comes from the end that was asked: the answer. Nobody
	 * took it, and in the end both are reset. */
	assert_true(k->n_delivered > 1);
	assert_int_equal(k->last_made, KIT_ISN2 + 1);
	assert_int_equal(k->n_resets, 2);
	assert_int_equal(k->reset[0].dir, DIR_OUT);
	assert_int_equal(k->reset[1].dir, DIR_IN);
	done(k);
}

static void probes_are_answered(void **state)
{
	struct kit *k = live_new();

	(void)state;
	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	out(k, "a", 0, 20);
	ms(k, 20);
	/* Keepalive: the receiver knows nothing of that place. */
	passes(k, bare(k, 19, TCP_ACK));
	assert_int_equal(k->n_acks, 3); /* an answer, and a question */
	assert_int_equal(k->last.dir, DIR_OUT);
	assert_int_equal(k->last.seq, KIT_ISN);
	done(k);
}

/* The sender would not believe a window with a number older than ours. */
static void window_updates(void **state)
{
	struct kit *k = live_new();
	struct kit_seg g = {.port = KIT_PORT, .flags = TCP_SYN | TCP_ACK,
			    .seq = KIT_ISN2, .ack = KIT_ISN + 1,
			    .window = 100};

	(void)state;
	bare(k, (uint32_t)-1, TCP_SYN);
	kit_tcp(k, &g, (struct span){0});
	bare(k, 0, TCP_ACK);
	out(k, "a", 0, 20);
	ms(k, 20);
	assert_int_equal(k->last.window, 80);
	in_ack(k, 0, 100); /* the same */
	assert_int_equal(k->n_acks, 1);
	in_ack(k, 0, 300);
	assert_int_equal(k->n_acks, 2);
	assert_int_equal(k->last.ack, KIT_ISN + 1 + 20);
	assert_int_equal(k->last.window, 280);
	done(k);
}

/* A window that is closed is asked about without an octet. */
static void zero_window(void **state)
{
	struct kit *k = live_new();
	struct kit_seg g = {.port = KIT_PORT, .flags = TCP_SYN | TCP_ACK,
			    .seq = KIT_ISN2, .ack = KIT_ISN + 1,
			    .window = 31};

	(void)state;
	bare(k, (uint32_t)-1, TCP_SYN);
	kit_tcp(k, &g, (struct span){0});
	bare(k, 0, TCP_ACK);
	passes(k, out(k, "aa", 0, 31));
	drops(k, out(k, "aa", 31, 1), REASON_TCP_WINDOW);
	assert_int_equal(k->n_acks, 1);
	assert_int_equal(k->last.dir, DIR_OUT);
	assert_int_equal(k->last.seq, KIT_ISN);
	/* An old octet, as BSD keeps connections alive: not compared, not
	 * passed, answered. */
	in_ack(k, 31, 31);
	drops(k, out(k, "ca", 30, 1), REASON_TCP_REPEATED);
	assert_int_equal(k->last.ack, KIT_ISN + 1 + 31);
	done(k);
}

/* The window ends inside a unit: the rest is taken here, no more than that and
 * a segment, and does not leave before the window opens. */
static struct kit *beyond_the_window(void)
{
	struct kit *k = live_new();
	struct kit_seg g = {.port = KIT_PORT, .flags = TCP_SYN | TCP_ACK,
			    .seq = KIT_ISN2, .ack = KIT_ISN + 1,
			    .window = 20};
	uint64_t half;

	bare(k, (uint32_t)-1, TCP_SYN);
	kit_tcp(k, &g, (struct span){0});
	bare(k, 0, TCP_ACK);
	half = out(k, "a", 0, 20);
	drops(k, out(k, "a", 20, 11), REASON_TCP_WINDOW);
	ms(k, 20);
	assert_int_equal(k->last.ack, KIT_ISN + 1 + 20);
	assert_int_equal(k->last.window, 11 + 536);
	drops(k, out(k, "aaaaaaaaaaaaaaaaaaaaaaaa", 20, 11 + 537),
	      REASON_TCP_WINDOW);
	waits(k, half);
	drops(k, out(k, "a", 20, 11), REASON_TCP_TAKEN_OVER);
	passes(k, half);
	assert_int_equal(k->p->stats.anomalies[REASON_TCP_UNDELIVERED], 0);
	in_closed(k, 20);
	return k;
}

/* Who answers may keep a window closed for as long as it likes. */
static void closed_for_long(void **state)
{
	struct kit *k = beyond_the_window();
	unsigned sent = (unsigned)k->n_delivered;
	unsigned asked_first = (unsigned)k->n_acks, asked = asked_first;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		ms(k, 200);
		if (k->n_acks == asked)
			continue;
		asked = k->n_acks;
		assert_int_equal(k->last.dir, DIR_OUT);
		assert_int_equal(k->last.seq, KIT_ISN + 20);
		in_closed(k, 20);
	}
	assert_int_equal(k->n_resets, 0);
	assert_int_equal(k->n_delivered, sent);
	assert_true(k->n_acks > asked_first + 12); /* longer than it tries */
	in_ack(k, 20, 100);
	assert_int_equal(k->last_made, KIT_ISN + 1 + 20);
	assert_true(k->n_delivered > sent);
	in_ack(k, 31, 100);
	assert_int_equal(k->n_resets, 0);
	done(k);
}

static void closed_and_silent(void **state)
{
	struct kit *k = beyond_the_window();

	(void)state;
	for (int i = 0; i < 600; i++)
		ms(k, 200);
	assert_int_equal(k->n_resets, 2);
	assert_int_equal(k->p->stats.anomalies[REASON_TCP_UNDELIVERED], 1);
	done(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(acknowledged_later),
		cmocka_unit_test(repeated_until_taken),
		cmocka_unit_test(never_taken),
		cmocka_unit_test(acknowledged_then_refused),
		cmocka_unit_test(probes_are_answered),
		cmocka_unit_test(zero_window),
		cmocka_unit_test(closed_for_long),
		cmocka_unit_test(closed_and_silent),
		cmocka_unit_test(window_updates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
