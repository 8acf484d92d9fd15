/* SPDX-License-Identifier: Apache-2.0 */
/* A live gateway, and segments of a stream that goes through it: what the
 * tests of gate_test.c, owned_test.c and carried_test.c share. */
#ifndef ENFORCER_PIPELINE_GATEKIT_H
#define ENFORCER_PIPELINE_GATEKIT_H

#include "enforcer/pipeline/testkit.h"

#define MS (NS_PER_S / 1000)
#define PA (TCP_PSH | TCP_ACK)

static inline struct kit *live_new(void)
{
	struct kit *k = kit_new(true, false);

	kit_live(k, true);
	return k;
}

static inline void done(struct kit *k)
{
	kit_end(k);
	assert_string_equal(k->bad, "");
	kit_free(k);
}

static inline void ms(struct kit *k, unsigned n)
{
	kit_wait(k, n * MS);
	if (pipeline_due(k->p).ns <= k->now.mono.ns) {
		pipeline_tick(k->p, k->now, &k->sink);
		assert_true(pipeline_due(k->p).ns > k->now.mono.ns);
	}
}

/* A segment of the machine, cut from a stream of units. */
static inline uint64_t out(struct kit *k, const char *letters, size_t from,
			   size_t n)
{
	static uint8_t b[16 * 1024];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct span s = span_sub(kit_units(&w, letters), from, n);
	struct kit_seg g = {.out = true, .port = KIT_PORT, .flags = PA,
			    .seq = KIT_ISN + 1 + (uint32_t)from,
			    .ack = KIT_ISN2 + 1};

	return kit_tcp(k, &g, s);
}

/* An acknowledgement of the far end. */
static inline uint64_t in_ack(struct kit *k, uint32_t octets, uint16_t window)
{
	struct kit_seg g = {.port = KIT_PORT, .flags = TCP_ACK,
			    .seq = KIT_ISN2 + 1, .window = window,
			    .ack = KIT_ISN + 1 + octets};

	return kit_tcp(k, &g, (struct span){0});
}

/* The same, with its window closed. */
static inline uint64_t in_closed(struct kit *k, uint32_t octets)
{
	struct kit_seg g = {.port = KIT_PORT, .flags = TCP_ACK,
			    .seq = KIT_ISN2 + 1, .closed = true,
			    .ack = KIT_ISN + 1 + octets};

	return kit_tcp(k, &g, (struct span){0});
}

static inline uint64_t bare(struct kit *k, uint32_t at, uint8_t flags)
{
	struct kit_seg g = {.out = true, .port = KIT_PORT, .flags = flags,
			    .seq = KIT_ISN + 1 + at, .ack = KIT_ISN2 + 1};

	return kit_tcp(k, &g, (struct span){0});
}

static inline enum reason why(const struct kit *k, uint64_t id)
{
	return k->verdict[id].n ? k->verdict[id].why : (enum reason)-1;
}

#define passes(k, id) assert_string_equal(reason_text(why(k, id)), "none")
#define drops(k, id, r) assert_int_equal(why(k, id), r)
#define waits(k, id)                                                          \
	assert_string_equal((k)->verdict[id].n ?                              \
				    reason_text((k)->verdict[id].why) :        \
				    "waits",                                   \
			    "waits")

#endif
