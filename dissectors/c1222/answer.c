/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer to a request that is refused, or whose answer is: one response
 * code for each of its services (c1222.md sections 5 and 7), titles and id
 * turned round (4.4). Only to what came in clear text: all else would need a
 * MAC that is not ours. In the place of a refused answer all of it is made
 * from the request, so that nothing of what was refused is in it.
 */
#include "dissectors/c1222/answer.h"

#define RESPOND_NEVER 2

static const struct {
	uint8_t code;
	const char *name;
} codes[] = {
	[REFUSED_FOR_GOOD] = {0x03, "isc"},
	[REFUSED_TIME] = {0x03, "isc"},
	[REFUSED_BUDGET] = {0x06, "bsy"},
	[REFUSED_FRESH] = {0x07, "dnr"},
};

/* Elements of the request that the answer has in another place, tags and
 * all but for the first octet, which is the element's own. */
struct turned {
	struct span context; /* empty: none */
	struct span called, calling, inv;
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

static bool put_answer(struct wbuf *out, const struct turned *t,
		       uint32_t services, uint8_t code)
{
	uint8_t octets[256];
	struct wbuf w = wbuf_of(octets, sizeof(octets));

	wbuf_put(&w, t->context);
	put_as(&w, 0xa2, t->calling);
	put_as(&w, 0xa4, t->inv);
	put_as(&w, 0xa6, t->called);
	wbuf_put(&w, t->inv);
	put_user(&w, services, code);
	if (w.failed || w.n > 0xff || out->failed ||
	    w.n + 3 > out->cap - out->n)
		return false;
	wbuf_u8(out, ACSE_TAG);
	put_length(out, w.n);
	wbuf_put(out, wbuf_span(&w));
	return true;
}

/* --- in the place of an answer ------------------------------------------- */

/* As an element: relative where it can be. */
static void put_title(struct wbuf *w, struct span title)
{
	struct span base = span_of(C1222_BASE_OID, C1222_BASE_OID_N);
	bool relative = title.n > base.n &&
			span_eq(span_sub(title, 0, base.n), base);

	if (relative)
		title = span_from(title, base.n);
	wbuf_u8(w, 0);
	wbuf_u8(w, (uint8_t)(title.n + 2));
	wbuf_u8(w, relative ? 0x80 : 0x06);
	wbuf_u8(w, (uint8_t)title.n);
	wbuf_put(w, title);
}

/* The shortest INTEGER with that value. */
static void put_inv(struct wbuf *w, uint32_t inv)
{
	uint8_t n = 1;

	while (n < 5 && inv >> (8 * n - 1) != 0)
		n++;
	wbuf_u8(w, 0xa8);
	wbuf_u8(w, n + 2);
	wbuf_u8(w, 0x02);
	wbuf_u8(w, n);
	wbuf_be(w, inv, n);
}

/* The request that the unit answers, found when it was read. */
static bool answer_instead(const struct dis_ctx *c, uint8_t code,
			   struct wbuf *out)
{
	const struct c1222_machine *m = c->machine;
	const struct req *r = &m->req.row[m->stage.req];
	uint8_t b[3 * (BER_OID_MAX + 4)];
	struct wbuf w = wbuf_of(b, sizeof(b));
	struct turned t = {.inv = {0}};
	size_t at;

	if (!(m->stage.flags & STAGE_REQ_ANSWER) || r->mode != 0 || r->group ||
	    !r->has_called || !r->has_calling)
		return false;
	put_title(&w, title_span(&r->called));
	t.called = wbuf_span(&w);
	at = w.n;
	put_title(&w, title_span(&r->calling));
	t.calling = span_from(wbuf_span(&w), at);
	at = w.n;
	put_inv(&w, m->req.inv[m->stage.req]);
	t.inv = span_from(wbuf_span(&w), at);
	return !w.failed && put_answer(out, &t, r->n, code);
}

const char *c1222_answer(const struct dis_ctx *c, struct span unit,
			 const struct refusal *why, struct wbuf *out,
			 bool *instead)
{
	struct epsem_head head;
	struct epsem epsem;
	struct turned t;
	struct acse a;
	struct err e;
	bool made;

	if (acse_read(&a, unit, c->arena, &e) ||
	    epsem_read_head(&head, a.octets, a.octets_at, &e) ||
	    head.mode != 0 ||
	    epsem_read(&epsem, &head, head.body, a.octets_at, &e) ||
	    epsem.n == 0)
		return NULL;
	*instead = epsem.responses;
	if (*instead) {
		made = answer_instead(c, codes[why->as].code, out);
	} else {
		if (!may_answer(c, &a) || head.respond == RESPOND_NEVER)
			return NULL;
		t = (struct turned){.called = a.el[ACSE_CALLED],
				    .calling = a.el[ACSE_CALLING],
				    .inv = a.el[ACSE_CALLING_INV]};
		if (acse_has(&a, ACSE_CONTEXT))
			t.context = a.el[ACSE_CONTEXT];
		made = put_answer(out, &t, epsem.n, codes[why->as].code);
	}
	return made ? codes[why->as].name : NULL;
}
