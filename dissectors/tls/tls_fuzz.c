/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection from bytes: turns of a side, direction and length (two
 * octets, the highest bit is the direction) in front of each. The first octet
 * of all says whether the capture began in the middle.
 *
 * Properties: a hello is found as the same unit however the octets are split,
 * a slice is never shorter with more of them; what is refused leaves no trace
 * and has a reason; skip moves the flow as dissect does; read again a unit
 * says the same; a name that is told is a host name in lower case; all octets
 * that were judged are charged.
 */
#include <assert.h>
#include <stdlib.h>

#include "dissectors/tls/hello.h"
#include "dissectors/tls/tls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TURNS 16

struct try {
	void *m;
	struct tls_flow f;
	struct arena arena;
	struct obs obs[2], again[2];
	struct dis_ctx c;
};

/* In the middle of a connection other messages may come first. */
static bool at_hello(const struct try *t, struct span in)
{
	if (t->c.midstream && t->f.stage == TLS_START &&
	    (in.n < 6 || in.p[5] < TLS_CLIENT_HELLO ||
	     in.p[5] > TLS_SERVER_HELLO))
		return false;
	return in.n && in.p[0] == 22 && t->f.side[t->c.dir].left == 0 &&
	       t->f.stage < TLS_OLD;
}

/* By growing prefixes, then with all there is. */
static enum frame find(struct try *t, struct span in, size_t step, size_t *len,
		       struct err *e)
{
	enum frame fr = FRAME_MORE, whole;
	struct err e2 = {0};
	size_t all = 0, hint = 0;

	*len = 0;
	for (size_t n = 1; n < in.n && fr == FRAME_MORE; n += step) {
		fr = dissector_tls.frame(&t->c, span_sub(in, 0, n), len, e);
		if (fr == FRAME_MORE && *len > 5)
			hint = *len;
	}
	whole = dissector_tls.frame(&t->c, in, &all, &e2);
	if (fr == FRAME_UNIT)
		assert(whole == FRAME_UNIT &&
		       (at_hello(t, in) ? all == *len : all >= *len));
	if (fr == FRAME_BAD)
		assert(whole == FRAME_BAD && e->reason == e2.reason);
	if (hint && whole == FRAME_UNIT)
		assert(hint == all);
	if (fr == FRAME_MORE) {
		*len = all;
		*e = e2;
		return whole;
	}
	return fr;
}

static void check_facts(const struct obs v[2], size_t octets)
{
	struct span name = obs_get_span(&v[0], F_DNS_NAME);

	assert(v[0].kind == OBS_TLS_HELLO || v[0].kind == OBS_FLOW_OPEN);
	assert(v[1].kind == OBS_OPAQUE);
	assert(obs_get(&v[1], F_OCTETS, 0) == octets);
	assert(v[0].dropped == 0 && v[1].dropped == 0);
	if (!obs_has(&v[0], F_DNS_NAME))
		return;
	assert(v[0].kind == OBS_TLS_HELLO && tls_name_ok(name));
	for (size_t i = 0; i < name.n; i++)
		assert(name.p[i] < 'A' || name.p[i] > 'Z');
}

static bool one_unit(struct try *t, struct span unit)
{
	struct tls_flow was = t->f, ahead;
	struct obs_list out = {t->obs, 0, 2}, again = {t->again, 0, 2};
	struct err e = {0};
	int rc;

	(dissector_tls.skip)(&t->c, unit);
	ahead = t->f;
	t->f = was;
	arena_reset(&t->arena);
	rc = dissector_tls.dissect(&t->c, unit, &out, &e);
	if (rc == 0)
		assert(memcmp(&ahead, &t->f, sizeof(was)) == 0);
	dissector_tls.settle(&t->c, false);
	assert(memcmp(&was, &t->f, sizeof(was)) == 0);
	if (rc) {
		assert(rc == e.code && e.reason && out.n == 0);
		return false;
	}
	assert(out.n == 2);
	check_facts(t->obs, unit.n);
	assert(dissector_tls.dissect(&t->c, unit, &again, &e) == 0);
	dissector_tls.settle(&t->c, true);
	for (int i = 0; i < 2; i++)
		assert(t->obs[i].kind == t->again[i].kind &&
		       t->obs[i].n == t->again[i].n);
	return true;
}

/* False: the stream is lost, or waits for octets that do not come. */
static bool turn(struct try *t, struct span in, size_t step)
{
	while (in.n) { /* each unit has at least one octet */
		struct err e = {0};
		size_t len;
		enum frame fr = find(t, in, step, &len, &e);

		if (fr == FRAME_BAD)
			assert(e.reason);
		if (fr != FRAME_UNIT)
			return false;
		assert(len > 0 && len <= in.n && len <= TLS_UNIT_MAX);
		if (!one_unit(t, span_sub(in, 0, len)))
			return false;
		in = span_from(in, len);
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct try *t; /* large: made once */
	struct cur c = cur_of(span_of(data, size));
	uint8_t flags = cur_u8(&c);

	if (!t) {
		t = calloc(1, sizeof(*t));
		if (!t)
			return 0;
		t->m = calloc(1, dissector_tls.machine_size);
		t->arena = arena_of(malloc(1 << 14), 1 << 14);
		if (!t->m || !t->arena.p)
			abort();
		dissector_tls.machine_init(t->m, NULL);
	}
	memset(&t->f, 0, sizeof(t->f));
	t->c = (struct dis_ctx){.machine = t->m,
				.flow = &t->f,
				.arena = &t->arena,
				.tup.proto = PROTO_TCP,
				.lenient = flags & 1,
				.midstream = flags & 1};
	for (int i = 0; i < TURNS && cur_left(&c) > 2; i++) {
		uint16_t n = cur_u16(&c);
		struct span in = cur_take(
			&c, (n & 0x7fff) < cur_left(&c) ? n & 0x7fff :
							  cur_left(&c));

		t->c.dir = n >> 15 ? DIR_IN : DIR_OUT;
		if (!turn(t, in, flags & 2 ? 1 : 61))
			break;
	}
	return 0;
}
