/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to a request that is refused: one response code for each of its
 * services (c1222.md sections 5 and 7), titles and id turned round (4.4). Only
 * to what came in clear text: all else would need a MAC that is not ours.
 */
#include "dissectors/c1222/answer.h"

#define RESPOND_NEVER 2

static const struct {
	uint8_t code;
	const char *name;
} codes[] = {
	[REFUSED_FOR_GOOD] = {0x03, "isc"},
	[REFUSED_BUDGET] = {0x06, "bsy"},
	[REFUSED_FRESH] = {0x07, "dnr"},
};

/* Whoever asks many would get as many answers, in the name of one. */
static bool to_one(const struct dis_ctx *c, const struct acse *a)
{
	struct net_addr dst = c->tup.dst;

	return !c1222_is_group(a->called) && !c1222_is_multicast(&dst);
}

static bool may_answer(const struct dis_ctx *c, const struct acse *a)
{
	const uint16_t want = 1u << ACSE_CALLED | 1u << ACSE_CALLING |
			      1u << ACSE_CALLING_INV;
	const uint16_t may = want | 1u << ACSE_CONTEXT |
			     1u << ACSE_CALLING_AE | 1u << ACSE_USER;

	return (a->have & want) == want && (a->have & ~may) == 0 &&
	       !a->not_minimal && a->offset == 0 &&
	       !(a->ae_qualifier & ACSE_AE_NOTIFICATION) && to_one(c, a);
}

/* An element as it came, under another tag. */
static void put_as(struct wbuf *w, uint8_t tag, struct span el)
{
	wbuf_u8(w, tag);
	wbuf_put(w, span_from(el, 1));
}

static void put_length(struct wbuf *w, size_t n)
{
	if (n >= 0x80)
		wbuf_u8(w, 0x81);
	wbuf_u8(w, (uint8_t)n);
}

/* Control octet, then a length and a code for each service. */
static void put_user(struct wbuf *w, uint32_t services, uint8_t code)
{
	uint8_t epsem = (uint8_t)(1 + 2 * services);

	wbuf_u8(w, 0xbe);
	wbuf_u8(w, epsem + 4);
	wbuf_u8(w, 0x28);
	wbuf_u8(w, epsem + 2);
	wbuf_u8(w, 0x81);
	wbuf_u8(w, epsem);
	wbuf_u8(w, 0x80);
	for (uint32_t i = 0; i < services; i++) {
		wbuf_u8(w, 1);
		wbuf_u8(w, code);
	}
}
_Static_assert(1 + 2 * EPSEM_MAX_PDUS + 4 < 0x80, "lengths of one octet");

static bool put_answer(struct wbuf *out, const struct acse *a,
		       uint32_t services, uint8_t code)
{
	uint8_t octets[256];
	struct wbuf w = wbuf_of(octets, sizeof(octets));

	if (acse_has(a, ACSE_CONTEXT))
		wbuf_put(&w, a->el[ACSE_CONTEXT]);
	put_as(&w, 0xa2, a->el[ACSE_CALLING]);
	put_as(&w, 0xa4, a->el[ACSE_CALLING_INV]);
	put_as(&w, 0xa6, a->el[ACSE_CALLED]);
	wbuf_put(&w, a->el[ACSE_CALLING_INV]);
	put_user(&w, services, code);
	if (w.failed || w.n > 0xff || out->failed ||
	    w.n + 3 > out->cap - out->n)
		return false;
	wbuf_u8(out, ACSE_TAG);
	put_length(out, w.n);
	wbuf_put(out, wbuf_span(&w));
	return true;
}

const char *c1222_answer(const struct dis_ctx *c, struct span unit,
			 enum refused_as why, struct wbuf *out)
{
	struct epsem_head head;
	struct epsem epsem;
	struct acse a;
	struct err e;

	if (acse_read(&a, unit, c->arena, &e) || !may_answer(c, &a))
		return NULL;
	if (epsem_read_head(&head, a.octets, a.octets_at, &e) ||
	    head.mode != 0 || head.respond == RESPOND_NEVER)
		return NULL;
	if (epsem_read(&epsem, &head, head.body, a.octets_at, &e) ||
	    epsem.n == 0 || epsem.responses)
		return NULL;
	return put_answer(out, &a, epsem.n, codes[why].code)
		       ? codes[why].name
		       : NULL;
}
