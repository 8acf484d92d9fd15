/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel carries by itself: until when, and what is charged for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/gatekit.h"

static uint64_t bulk(struct kit *k, bool is_out, uint32_t seq, uint32_t ack,
		     size_t n)
{
	static uint8_t b[32 * 1024];
	struct kit_seg g = {.out = is_out, .port = KIT_PORT, .flags = PA,
			    .seq = seq, .ack = ack};

	return kit_tcp(k, &g, span_of(b, n));
}

/* Both ends show what they speak, and have each other's octets; only then may
 * the kernel carry the rest. */
#define HELLO 20
static void hello(struct kit *k, uint16_t port)
{
	static const uint8_t b[HELLO];
	struct kit_seg g = {.out = true, .port = port, .flags = PA,
			    .seq = KIT_ISN + 1, .ack = KIT_ISN2 + 1};

	kit_handshake(k, port, KIT_ISN, false);
	passes(k, kit_tcp(k, &g, span_of(b, HELLO)));
	g = (struct kit_seg){.port = port, .flags = PA,
			     .seq = KIT_ISN2 + 1, .ack = KIT_ISN + 1 + HELLO};
	passes(k, kit_tcp(k, &g, span_of(b, HELLO)));
}

/* The last events: what the kernel may carry, up to the bound, each way. */
static void assert_charged(const struct kit *k, uint64_t bound)
{
	const struct flow *f = &k->p->flow[k->p->lru[0][LIST_CARRIED].newest];
	uint64_t seen = f->octets[0] + f->octets[1];

	assert_true(k->n_events >= 2);
	for (uint32_t i = 0; i < 2; i++) {
		const struct kit_event *ev = &k->event[k->n_events - 2 + i];

		assert_int_equal(ev->type, EV_DECISION);
		assert_int_equal(ev->verdict, VERDICT_ALLOW);
		assert_int_equal(ev->dir, i ? DIR_IN : DIR_OUT);
		assert_int_equal(ev->octets, bound - seen);
	}
}

static void carried(void **state)
{
	static const uint64_t bounds[OFFLOAD_REFUSED] = {
		0, 40000, 100000, 400000, 10000000};
	struct kit *k = live_new();
	uint32_t at = KIT_ISN + 1 + HELLO, far = KIT_ISN2 + 1 + HELLO;

	(void)state;
	k->p->conf.checksums = false;
	k->p->conf.offload = bounds;
	k->sink.offload = kit_on_offload;
	k->bulk = true;
	hello(k, KIT_PORT);
	passes(k, bulk(k, true, at, far, 8000));
	at += 8000;
	/* 8 KB were seen: up to 40 KB may go now, charged for both ways. */
	assert_int_equal(k->n_offloads, 1);
	assert_int_equal(k->offload, 1);
	assert_charged(k, 40000);
	assert_int_equal(k->p->flow[k->p->lru[0][LIST_CARRIED].newest].offload, 1);
	/* It comes back elsewhere. */
	at += 30000;
	far += 5000;
	passes(k, bulk(k, true, at, far, 4000));
	at += 4000;
	assert_int_equal(k->n_offloads, 2);
	assert_int_equal(k->offload, 2);
	at += 50000;
	passes(k, bulk(k, false, far, at, 100));
	far += 100;
	passes(k, bulk(k, true, at, far, 1000));
	assert_int_equal(k->n_offloads, 3);
	/* 400 KB: charged 300 KB each way; 1 MB has no room for more. */
	assert_int_equal(k->offload, 3);
	passes(k, bulk(k, true, at + 1000, far, 1000));
	assert_int_equal(k->n_offloads, 3);
	done(k);
}

/* What lay in the queue when the kernel took over is charged as ever and
 * changes nothing; then the first to come back is an old segment, sent again,
 * and the receiver has more than that. */
static void comes_back(void **state)
{
	static const uint64_t bounds[OFFLOAD_REFUSED] = {0, 40000, 100000};
	struct kit *k = live_new();
	uint32_t at = KIT_ISN + 1 + HELLO, far = KIT_ISN2 + 1 + HELLO;
	const struct flow *f;

	(void)state;
	k->p->conf.checksums = false;
	k->p->conf.offload = bounds;
	k->sink.offload = kit_on_offload;
	k->bulk = true;
	hello(k, KIT_PORT);
	passes(k, bulk(k, true, at, far, 8000));
	at += 8000;
	f = &k->p->flow[k->p->lru[0][LIST_CARRIED].newest];
	assert_int_equal(f->offload, 1);
	passes(k, bulk(k, true, at, far, 2000));
	at += 2000;
	passes(k, bulk(k, false, far, at, 100));
	far += 100;
	assert_int_equal(f->offload, 1);
	assert_int_equal(k->n_offloads, 1);
	/* The kernel carried 20000 octets; of those, the first are repeated. */
	passes(k, bulk(k, true, at + 3000, far, 1000));
	assert_int_equal(f->octets[0] + f->octets[1] >= 40000, 1);
	passes(k, bulk(k, false, far, at + 20000, 100));
	passes(k, bulk(k, true, at + 20000, far + 100, 1000));
	/* And one that is missing between hides nothing either. */
	passes(k, bulk(k, true, at + 22000, far + 100, 1000));
	assert_false(f->denied);
	done(k);
}

/* Silence hides that the kernel carried something: the time tells. */
static void comes_back_later(void **state)
{
	static const uint64_t bounds[OFFLOAD_REFUSED] = {0, 40000, 100000};
	struct kit *k = live_new();
	uint32_t at = KIT_ISN + 1 + HELLO, far = KIT_ISN2 + 1 + HELLO;
	const struct flow *f;

	(void)state;
	k->p->conf.checksums = false;
	k->p->conf.offload = bounds;
	k->sink.offload = kit_on_offload;
	k->bulk = true;
	hello(k, KIT_PORT);
	passes(k, bulk(k, true, at, far, 8000));
	at += 8000;
	f = &k->p->flow[k->p->lru[0][LIST_CARRIED].newest];
	assert_true(f->octets[0] + f->octets[1] < 40000);
	k->now.mono.ns += 2 * NS_PER_S;
	passes(k, bulk(k, true, at, far, 1000));
	assert_true(f->octets[0] + f->octets[1] >= 40000);
	done(k);
}

/* Two carried connections never have more than the budget together. */
static void never_more_than_granted(void **state)
{
	static const uint64_t bounds[OFFLOAD_REFUSED] = {0, 40000, 160000,
							 600000};
	struct kit *k = live_new();
	uint64_t granted = 0;

	(void)state;
	k->p->conf.checksums = false;
	k->p->conf.offload = bounds;
	k->sink.offload = kit_on_offload;
	k->bulk = true;
	for (uint16_t i = 0; i < 20; i++) {
		struct kit_seg g = {.out = true, .port = KIT_PORT + i,
				    .flags = PA,
				    .seq = KIT_ISN + 1 + HELLO,
				    .ack = KIT_ISN2 + 1 + HELLO};
		uint32_t before = k->n_offloads;
		static uint8_t b[30000];

		hello(k, KIT_PORT + i);
		kit_tcp(k, &g, span_of(b, 10000));
		if (k->n_offloads == before)
			continue;
		granted += 2 * (bounds[k->offload] - 10000);
	}
	assert_true(granted > 500000);
	assert_true(granted <= 1000000);
	done(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(carried),
		cmocka_unit_test(comes_back),
		cmocka_unit_test(comes_back_later),
		cmocka_unit_test(never_more_than_granted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
