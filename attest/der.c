/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/der.h"

/* SEQUENCE { SEQUENCE { ecPublicKey, prime256v1 }, BIT STRING { 04 x y } } */
static const uint8_t head[] = {
	0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
	0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
	0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
};

/* A coordinate as 32 octets. */
static void put_number(struct wbuf *w, struct span s)
{
	for (size_t i = s.n; i < DER_NUMBER; i++)
		wbuf_u8(w, 0);
	wbuf_put(w, s);
}

bool der_put_spki(uint8_t out[DER_SPKI], struct span x, struct span y)
{
	struct wbuf w = wbuf_of(out, DER_SPKI);

	wbuf_put(&w, span_of(head, sizeof(head)));
	put_number(&w, x);
	put_number(&w, y);
	return !w.failed && w.n == DER_SPKI;
}

bool der_get_spki(struct span spki, struct span *x, struct span *y)
{
	struct cur c = cur_of(spki);
	struct span begin = cur_take(&c, sizeof(head));

	*x = cur_take(&c, DER_NUMBER);
	*y = cur_take(&c, DER_NUMBER);
	return cur_done(&c) && span_eq(begin, span_of(head, sizeof(head)));
}

static struct span trimmed(struct span s)
{
	while (s.n > 1 && s.p[0] == 0)
		s = span_from(s, 1);
	return s;
}

/* An INTEGER: no zeros in front, but where the first bit is set. */
static void put_integer(struct wbuf *w, struct span s)
{
	bool sign;

	s = trimmed(s);
	sign = s.n == 0 || s.p[0] & 0x80;
	wbuf_u8(w, 2);
	wbuf_u8(w, (uint8_t)(s.n + sign));
	if (sign)
		wbuf_u8(w, 0);
	wbuf_put(w, s);
}

int der_put_signature(struct wbuf *out, struct span r, struct span s)
{
	uint8_t octets[DER_SIG];
	struct wbuf w = wbuf_of(octets, sizeof(octets));

	if (r.n > DER_NUMBER || s.n > DER_NUMBER)
		return 1;
	put_integer(&w, r);
	put_integer(&w, s);
	wbuf_u8(out, 0x30);
	wbuf_u8(out, (uint8_t)w.n);
	wbuf_put(out, wbuf_span(&w));
	return w.failed || out->failed;
}

static struct span get_integer(struct cur *c)
{
	struct span s = {0};

	if (cur_u8(c) == 2)
		s = trimmed(cur_take(c, cur_u8(c)));
	if (s.n == 0 || s.n > DER_NUMBER)
		c->failed = true;
	return s;
}

bool der_get_signature(struct span der, struct span *r, struct span *s)
{
	struct cur c = cur_of(der);
	uint8_t tag = cur_u8(&c), n = cur_u8(&c);

	if (tag != 0x30 || n != cur_left(&c))
		return false;
	*r = get_integer(&c);
	*s = get_integer(&c);
	return cur_done(&c);
}
