/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture from bytes: octet 0 says which link type, and whether the checksums
 * of IPv4 headers are put right; then records of
 *   length (2, most significant first), step of time, packet.
 * It is read once for its facts, once under a policy, and once as live, where
 * steps also freeze, change the policy for the same one and look at the flows.
 *
 * Properties (kept by the sink of testkit.h, the last by codes_only): one
 * verdict for each packet once the input has ended, an event that names it
 * before each drop, no drop without a policy; all that was borrowed is back at
 * the end; an answer to what was refused says nothing but codes. The same
 * input twice does the same, also when nDPI is asked the second time.
 */
#include <assert.h>

#include "core/siphash.h"
#include "enforcer/pipeline/app.h"
#include "enforcer/pipeline/testkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PACKETS 256

/* The sum of all that was done. */
static uint64_t actions(const struct kit *k)
{
	static const struct sipkey key = {1, 2};
	uint64_t h = k->id;

	for (uint32_t i = 0; i < k->n_events; i++) {
		const struct kit_event *e = &k->event[i];
		uint64_t v[8] = {h, (uint64_t)e->type, (uint64_t)e->reason,
				 e->cnt, e->octets, e->n_leaves, e->used,
				 (uint64_t)e->verdict};

		h = siphash24(&key, span_of(v, sizeof(v)));
	}
	for (uint64_t i = 1; i <= k->id; i++) {
		uint64_t v[3] = {h, k->verdict[i].v,
				 (uint64_t)k->verdict[i].why};

		h = siphash24(&key, span_of(v, sizeof(v)));
	}
	return h;
}

static bool count(void *arg, const struct flow_view *v)
{
	uint32_t *n = arg;

	assert(v->id && v->app && v->state);
	return ++*n < 1000;
}

/*
 * Of a refused request its answer has titles and ids, and a code for each
 * service: control octet, then pairs of 01 and isc, bsy or dnr. So nothing of
 * what was asked, or written, can be in it.
 */
static void codes_only(void *arg, const struct segment_out *s)
{
	const struct kit *k = arg;
	struct span a = s->payload;
	size_t n = 1;

	if (s->tup.proto != PROTO_UDP)
		return;
	assert(k->strict && !s->flags && a.n > 6 && a.n <= ANSWER_OCTETS);
	assert(a.p[0] == 0x60);
	/* From the end: pairs, the control octet, its length, 81. */
	while (2 * n + 3 <= a.n && a.p[a.n - 2 * n] == 1 &&
	       (a.p[a.n - 2 * n + 1] == 3 || a.p[a.n - 2 * n + 1] == 6 ||
		a.p[a.n - 2 * n + 1] == 7) &&
	       a.p[a.n - 2 * n - 1] != 0x80)
		n++;
	assert(a.p[a.n - 2 * n - 1] == 0x80);
	assert(a.p[a.n - 2 * n - 2] == 1 + 2 * n);
	assert(a.p[a.n - 2 * n - 3] == 0x81);
	/* No longer than what was asked, but for its second id. */
	assert(a.n <= 2 * 70 + 4 * 8 + 2 * n + 16);
}

/* What is done to a live one between packets. */
static void disturb(struct kit *k, uint8_t step)
{
	uint32_t n = 0;
	struct err e;

	if (step % 64 == 63)
		pipeline_freeze(k->p, step & 64);
	if (step % 64 == 62)
		assert(pipeline_policy(k->p, k->set, k->state, k->now,
				       &k->sink, &e) == 0);
	if (step % 16 == 15) {
		pipeline_flows(k->p, count, &n);
		assert(n == k->p->stats.flows_now);
	}
	if (pipeline_due(k->p).ns <= k->now.mono.ns) {
		pipeline_tick(k->p, k->now, &k->sink);
		assert(pipeline_due(k->p).ns > k->now.mono.ns);
	}
}

static uint64_t replay(struct kit *k, struct span in)
{
	static uint8_t packet[64 * 1024];
	struct cur c = cur_of(in);
	uint8_t how = cur_u8(&c);
	enum link_type link = (enum link_type)(how % 8 % (LINK_NULL + 1));

	while (cur_left(&c) >= 3 && k->id < PACKETS) {
		size_t n = cur_u16(&c);
		uint8_t step = cur_u8(&c);
		struct span s;

		if (n > cur_left(&c))
			n = cur_left(&c);
		s = cur_take(&c, n);
		if (how & 0x80 && s.n) {
			memcpy(packet, s.p, s.n);
			kit_right(link, packet, s.n);
			s.p = packet;
		}
		/* Half of the steps are short ones. */
		kit_wait(k, step & 1 ? step * NS_PER_S : step * 1000);
		if (step % 8 == 7)
			pipeline_tick(k->p, k->now, &k->sink);
		kit_send(k, link, s);
		if (k->p->conf.ack_after_ns)
			disturb(k, step);
	}
	kit_end(k);
	if (k->bad[0])
		fprintf(stderr, "%s: %s\n",
			k->strict ? "policy" : "facts only", k->bad);
	assert(!k->bad[0]);
	return actions(k);
}

static struct kit *fresh(struct kit *k, bool with_policy, bool live)
{
	static const uint64_t bounds[OFFLOAD_REFUSED] = {0, 4096, 65536};

	if (k) {
		kit_again(k);
		return k;
	}
	k = kit_new(with_policy, true);
	k->p->conf.checksums = false;
	k->on_inject = codes_only;
	k->arg = k;
	kit_live(k, live);
	if (live) {
		k->p->conf.offload = bounds;
		k->sink.offload = kit_on_offload;
		k->p->self = 0;
	}
	return k;
}

/* The same again, but the records say what nDPI calls the flows. */
static uint64_t classified(struct kit *k, struct span in)
{
	static const struct app_conf conf = {.max_flows = 64, .slots = 4};
	static struct app_ndpi *app;
	struct err e;
	uint64_t sum;

	if (!app)
		assert(app_new(&app, &conf, &e) == 0);
	k->p->conf.classifier = app_classifier(app);
	sum = replay(k, in);
	assert(app_stats(app).in_use == 0);
	k->p->conf.classifier = NULL;
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct kit *facts, *policy, *live; /* large: made once */
	struct span in = span_of(data, size);
	uint64_t sum;

	if (size < 4 || size > 64 * 1024)
		return 0;
	facts = fresh(facts, false, false);
	sum = replay(facts, in);
	facts = fresh(facts, false, false);
	assert(classified(facts, in) == sum);
	policy = fresh(policy, true, false);
	sum = replay(policy, in);
	policy = fresh(policy, true, false);
	assert(classified(policy, in) == sum);
	live = fresh(live, true, true);
	sum = replay(live, in);
	live = fresh(live, true, true);
	assert(classified(live, in) == sum);
	return 0;
}
