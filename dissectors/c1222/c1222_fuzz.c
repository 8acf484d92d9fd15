/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A conversation: records of flags (1), seconds that pass (1), length (2) and
 * a unit. Flags: 1 from the meter, 2 UDP, 4 passes, 8 seal it with the key
 * that is held, 16 to or from another host.
 *
 * Properties: framing says the same of every longer prefix; a refusal leaves
 * the list as it was and has a reason; what is not passed leaves no trace.
 * What is answered for it is a message with a code for each service and nothing
 * else, to the one who asked; in the place of an answer all of it is known from
 * the request.
 */
#include <assert.h>

#include "dissectors/c1222/testkit.h"

#define UNITS_MAX 12
#define KEY       "2b7e151628aed2a6abf7158809cf4f3c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frame(struct kit *k, struct span in)
{
	struct err e = {0}, e2 = {0};
	size_t len, len2;
	enum frame f = dissector_c1222.frame(&k->c, in, &len, &e);

	if (k->c.tup.proto == 17)
		return; /* a datagram has no prefixes */
	for (size_t n = 0; n < in.n; n = n < 8 ? n + 1 : 2 * n) {
		enum frame g = dissector_c1222.frame(&k->c, span_sub(in, 0, n),
						     &len2, &e2);

		if (g == FRAME_UNIT)
			assert(f == FRAME_UNIT && len == len2);
		if (g == FRAME_BAD)
			assert(f == FRAME_BAD && e.reason == e2.reason);
		if (g == FRAME_MORE && len2 && f != FRAME_BAD)
			assert(len == len2);
	}
}

/* Give the unit a right MAC, where it has a place for one. */
static void seal(struct span unit)
{
	static uint8_t memory[1024];
	struct arena arena = arena_of(memory, sizeof(memory));
	struct kit_msg m = {.key = KEY};
	struct epsem_head h;
	struct acse a;
	struct err e;

	if (unit.n > KIT_APDU || acse_read(&a, unit, &arena, &e) != 0 ||
	    acse_is_segment(&a) || epsem_read_head(&h, a.octets, 0, &e) != 0 ||
	    h.mode == 0 || a.auth > ACSE_AUTH_C1222 || a.called.n == 0 ||
	    a.calling.n == 0)
		return;
	m.key_id = a.has_key_id ? a.key_id : 1;
	m.iv = a.has_iv ? a.iv : 1700000000;
	kit_seal(&m, unit);
}

static void answer(struct kit *k, struct span unit)
{
	static uint8_t memory[1024];
	struct arena arena = arena_of(memory, sizeof(memory));
	struct refusal why = {.as = REFUSED_FRESH};
	const struct stage *st = &k->m->stage;
	const struct req *r = &k->m->req.row[st->req];
	uint8_t octets[512];
	struct wbuf out = wbuf_of(octets, sizeof(octets));
	struct epsem_head h;
	struct epsem x;
	struct acse a;
	struct err e;
	bool instead;

	if (!dissector_c1222.answer(&k->c, unit, &why, &out, &instead)) {
		assert(out.n == 0);
		return;
	}
	assert(acse_read(&a, wbuf_span(&out), &arena, &e) == 0);
	assert(!a.not_minimal && acse_has(&a, ACSE_CALLED_INV));
	assert(epsem_read_head(&h, a.octets, 0, &e) == 0 && h.mode == 0);
	assert(epsem_read(&x, &h, h.body, 0, &e) == 0 && x.n && x.responses);
	for (uint32_t i = 0; i < x.n; i++)
		assert(x.pdu[i].octets.n == 1 && x.pdu[i].octets.p[0] == 7);
	if (!instead)
		return;
	assert(st->flags & STAGE_REQ_ANSWER && x.n == r->n);
	assert(title_is(&r->called, a.calling));
	assert(title_is(&r->calling, a.called));
	assert(a.called_inv == k->m->req.inv[st->req]);
	assert(a.calling_inv == a.called_inv && !acse_has(&a, ACSE_CONTEXT));
}

static void one(struct kit *k, struct span unit, bool pass)
{
	static struct c1222_machine before, after;
	struct obs *mark = &k->obs[1];
	int rc;

	check_frame(k, unit);
	kit_copy(&before, k->m);
	arena_reset(&k->arena);
	memset(&k->e, 0, sizeof(k->e));
	/* Something is in the list already. */
	k->out.n = 0;
	obs_add(&k->out, OBS_FLOW_OPEN);
	rc = dissector_c1222.dissect(&k->c, unit, &k->out, &k->e);
	if (rc && rc != E_MORE) {
		bool sealed = k->e.reason == REASON_UNKNOWN_KEY ||
			      k->e.reason == REASON_BAD_MAC;

		assert(rc < 0 && (k->out.n == 1 || (sealed && k->out.n == 3)));
		assert(k->out.n == 1 || (mark->kind == OBS_C1222_MESSAGE &&
					 k->obs[2].kind == OBS_OPAQUE));
		assert(k->e.reason != REASON_NONE);
	} else {
		assert(k->out.n >= 2);
		assert(obs_level((enum obs_kind)mark->kind) ==
		       OBS_LEVEL_CARRIER);
		for (uint32_t i = 2; i < k->out.n; i++)
			assert(obs_level((enum obs_kind)k->obs[i].kind) !=
			       OBS_LEVEL_CARRIER);
		if (rc == E_MORE)
			assert(k->out.n == 2 &&
			       mark->kind == OBS_C1222_SEGMENT);
	}
	if (rc == 0)
		answer(k, unit);
	dissector_c1222.settle(&k->c, pass);
	if (!pass || (rc && rc != E_MORE)) {
		kit_copy(&after, k->m);
		/* The buffer of a message that became whole goes with it. */
		for (uint32_t i = 0; i < SEG_BUFFERS; i++) {
			if (before.seg[i].live && !after.seg[i].live)
				before.seg[i] = after.seg[i];
		}
		assert(kit_same(&before, &after, k->c.now.mono));
	}
}

static bool no_addr(const void *arg, const struct net_addr *a)
{
	(void)arg;
	(void)a;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dis_self self = {.has_addr = no_addr};
	static struct kit *k;
	struct cur c = cur_of(span_of(data, size));
	int64_t at = 1700000000;
	uint8_t how;

	if (!k) {
		k = kit_new();
		kit_key(k, 1, KEY);
	}
	memset(k->m, 0, KIT_MACHINE);
	how = cur_u8(&c);
	k->c.lenient = how & 1;
	k->conf.values = how & 2;
	k->c.self = how & 4 ? &self : NULL;
	for (int i = 0; i < UNITS_MAX && cur_left(&c) > 0; i++) {
		uint8_t flags = cur_u8(&c);
		uint8_t pause = cur_u8(&c);
		struct span in;
		uint8_t *copy;

		in = cur_take(&c, cur_u16(&c) % (cur_left(&c) + 1));
		at += pause;
		kit_at(k, at * US_PER_S);
		kit_way(k, flags & 1 ? DIR_OUT : DIR_IN, flags & 2 ? 17 : 6);
		if (flags & 16 && flags & 1)
			k->c.tup.dst = kit_addr(2);
		else if (flags & 16)
			k->c.tup.src = kit_addr(2);
		/* An exact block, so that reads past its end are seen. */
		copy = malloc(in.n ? in.n : 1);
		assert(copy);
		if (in.n)
			memcpy(copy, in.p, in.n);
		if (flags & 8)
			seal(span_of(copy, in.n));
		one(k, span_of(copy, in.n), flags & 4);
		free(copy);
	}
	return 0;
}
