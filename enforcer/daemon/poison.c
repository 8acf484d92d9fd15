/* SPDX-License-Identifier: Apache-2.0 */
/* The headers are read here once more, apart and as little as will do: the
 * pipeline's reader may be what the packet breaks. */
#include "enforcer/daemon/poison.h"

#include <string.h>

#include "core/event.h"
#include "core/wbuf.h"

#define V4_FRAGMENT 0x3fff /* an offset, or more to come */

bool poison_left(struct poison *p, uint32_t crashes, struct poison_at *at)
{
	uint64_t v = atomic_load_explicit(&p->at_hand, memory_order_relaxed);
	bool crashed = p->crashes != crashes;

	p->crashes = crashes;
	atomic_store_explicit(&p->at_hand, 0, memory_order_relaxed);
	*at = (struct poison_at){
		.slot = (uint32_t)(v >> 48) - 1,
		.message = (uint32_t)(v >> 32) & 0xffff,
		.n = (uint32_t)v,
	};
	return crashed && v >> 48 != 0;
}

/* --- what is alike -------------------------------------------------------- */

struct ends {
	struct span a, b; /* addresses */
	uint8_t proto;
	bool whole; /* no fragment: a transport header follows */
};

/* False: no IP that is long enough. The cursor then stands behind it. */
static bool network(struct cur *c, struct ends *e)
{
	struct span h = cur_peek(c, 1);
	uint8_t first = h.n ? h.p[0] : 0;
	struct cur in;

	*e = (struct ends){.whole = true};
	if (first >> 4 == 4) {
		in = cur_sub(c, 20);
		cur_take(&in, 6);
		e->whole = (cur_u16(&in) & V4_FRAGMENT) == 0;
		cur_u8(&in);
		e->proto = cur_u8(&in);
		cur_u16(&in);
		e->a = cur_take(&in, 4);
		e->b = cur_take(&in, 4);
		if ((first & 15) > 5)
			cur_take(c, (size_t)(first & 15) * 4 - 20);
		return cur_ok(&in) && cur_ok(c);
	}
	in = cur_sub(c, 40);
	cur_take(&in, 6);
	e->proto = cur_u8(&in);
	cur_u8(&in);
	e->a = cur_take(&in, 16);
	e->b = cur_take(&in, 16);
	return first >> 4 == 6 && cur_ok(&in) && cur_ok(c);
}

/* Ports, if there are; the cursor then stands before what they carry. */
static uint32_t transport(struct cur *c, const struct ends *e)
{
	uint32_t ports;
	uint8_t off;

	if (!e->whole || (e->proto != PROTO_TCP && e->proto != PROTO_UDP))
		return 0;
	ports = cur_u32(c);
	if (e->proto == PROTO_UDP) {
		cur_take(c, 4);
		return ports;
	}
	cur_take(c, 8);
	off = cur_u8(c) >> 4;
	cur_take(c, 7);
	if (off > 5)
		cur_take(c, (size_t)off * 4 - 20);
	return ports;
}

/* The same from both ends. */
static uint64_t flow_of(const struct sipkey *key, const struct ends *e,
			uint32_t ports)
{
	uint8_t buf[64];
	struct wbuf w = wbuf_of(buf, sizeof(buf));
	uint16_t pa = (uint16_t)(ports >> 16), pb = (uint16_t)ports;
	int order = memcmp(e->a.p, e->b.p, e->a.n);
	bool turn = order > 0 || (order == 0 && pa > pb);

	wbuf_put(&w, turn ? e->b : e->a);
	wbuf_be(&w, turn ? pb : pa, 2);
	wbuf_put(&w, turn ? e->a : e->b);
	wbuf_be(&w, turn ? pa : pb, 2);
	wbuf_u8(&w, e->proto);
	return siphash24(key, wbuf_span(&w));
}

/* What a packet carries, wherever it goes; and its connection. A packet that
 * cannot be read so far is its own content, and has no connection; one that
 * carries nothing has no content: too much would be like it. */
static void hashes(const struct sipkey *key, struct span packet,
		   struct poison_row *r)
{
	struct cur c = cur_of(packet);
	struct ends e;
	uint32_t ports;
	struct span body = packet;

	*r = (struct poison_row){0};
	if (network(&c, &e)) {
		ports = transport(&c, &e);
		if (cur_ok(&c)) {
			r->flow = flow_of(key, &e, ports);
			body = cur_rest(&c);
		}
	}
	if (body.n)
		r->content = siphash24(key, body);
}

/* --- the table ------------------------------------------------------------ */

static bool holds(const struct poison_row *r, struct mono now)
{
	return r->until_ns > now.ns && r->until_ns - now.ns <= POISON_NS;
}

void poison_add(struct poison *p, const struct sipkey *key,
		struct span packet, struct mono now)
{
	struct poison_row *r = &p->row[p->next % POISONS];

	hashes(key, packet, r);
	r->until_ns = now.ns + POISON_NS;
	p->next = (p->next + 1) % POISONS;
}

int64_t poison_until(const struct poison *p, struct mono now)
{
	int64_t until = 0;

	for (size_t i = 0; i < POISONS; i++) {
		if (holds(&p->row[i], now) && p->row[i].until_ns > until)
			until = p->row[i].until_ns;
	}
	return until;
}

bool poison_is(const struct poison *p, const struct sipkey *key,
	       struct span packet, struct mono now)
{
	struct poison_row x;

	hashes(key, packet, &x);
	for (size_t i = 0; i < POISONS; i++) {
		const struct poison_row *r = &p->row[i];

		if (holds(r, now) && ((r->content && r->content == x.content) ||
				      (r->flow && r->flow == x.flow)))
			return true;
	}
	return false;
}
