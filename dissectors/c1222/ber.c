/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/c1222/ber.h"

#include "core/wbuf.h"

#define LEN_INDEFINITE   0x80
#define LEN_MAX_OCTETS   3
#define SUBID_MAX_OCTETS 10 /* of 7 bits, for 64 bits */

int ber_len(struct cur *c, size_t base, size_t *len, bool *minimal,
	    struct err *e)
{
	size_t at = base + c->off;
	uint8_t first = cur_u8(c);
	size_t n = first & 0x7f;

	*minimal = true;
	*len = first;
	if (!cur_ok(c))
		return E_MORE;
	if (first < LEN_INDEFINITE)
		return 0;
	if (n == 0 || n > LEN_MAX_OCTETS)
		return err_reason(e, E_SYNTAX, REASON_MALFORMED, at,
				  "length form %02x", first);
	*len = (size_t)cur_be(c, n);
	if (!cur_ok(c))
		return E_MORE;
	*minimal = *len >= LEN_INDEFINITE &&
		   (n == 1 || *len >> (8 * (n - 1)) != 0);
	return 0;
}

int ber_next_any(struct ber *b, struct ber_tlv *t, const char *what,
		 struct err *e)
{
	struct cur start = b->c;
	size_t len, head;
	bool minimal;
	int rc;

	t->at = ber_at(b);
	t->tag = cur_u8(&b->c);
	rc = ber_len(&b->c, b->base, &len, &minimal, e);
	if (rc == E_SYNTAX)
		return err_wrap(e, "%s", what);
	t->body_at = ber_at(b);
	t->body = cur_take(&b->c, rc ? SIZE_MAX : len);
	if (!cur_ok(&b->c))
		return err_reason(e, E_SYNTAX, REASON_MALFORMED, t->at,
				  "%s: runs past its end", what);
	if ((t->tag & 0x1f) == 0x1f)
		return err_reason(e, E_SYNTAX, REASON_MALFORMED, t->at,
				  "%s: tag of several octets", what);
	head = t->body_at - t->at;
	t->whole = cur_take(&start, head + len);
	if (!minimal)
		b->not_minimal = true;
	return 0;
}

int ber_leave(struct ber *b, const struct ber *sub, const char *what,
	      struct err *e)
{
	if (!cur_done(&sub->c))
		return err_reason(e, E_SYNTAX, REASON_MALFORMED, ber_at(sub),
				  "%s: octets left over", what);
	if (sub->not_minimal)
		b->not_minimal = true;
	return 0;
}

int ber_uint(struct ber *b, uint32_t *v, const char *what, struct err *e)
{
	struct ber_tlv t;
	struct cur c;
	int rc = ber_next(b, &t, what, e);

	if (rc)
		return rc;
	if (t.tag != BER_INTEGER || t.body.n < 1 || t.body.n > 4)
		return err_reason(e, E_SYNTAX, REASON_MALFORMED, t.at,
				  "%s: not an integer of 1 to 4 octets", what);
	c = cur_of(t.body);
	*v = (uint32_t)cur_be(&c, t.body.n);
	return 0;
}

bool ber_oid_ok(struct span contents)
{
	struct cur c = cur_of(contents);
	uint8_t first = 0;
	size_t n = 0; /* octets of the sub-identifier so far */

	if (contents.n == 0 || contents.n > BER_OID_MAX)
		return false;
	while (cur_left(&c) > 0) {
		uint8_t o = cur_u8(&c);

		if (n++ == 0)
			first = o;
		if (first == 0x80 || n > SUBID_MAX_OCTETS)
			return false;
		if (o & 0x80)
			continue;
		/* Ten octets hold 70 bits: the first may carry one of them. */
		if (n == SUBID_MAX_OCTETS && first > 0x81)
			return false;
		n = 0;
	}
	return n == 0;
}

int ber_title(struct arena *a, uint8_t tag, struct span contents, size_t at,
	      struct span *out, struct err *e)
{
	struct wbuf w;
	uint8_t *p;

	if (!ber_oid_ok(contents))
		return err_reason(e, E_SYNTAX, REASON_MALFORMED, at,
				  "ApTitle: not an object identifier");
	*out = contents;
	if (tag == BER_OID)
		return 0;
	if (contents.n + C1222_BASE_OID_N > BER_OID_MAX)
		return err_reason(e, E_SYNTAX, REASON_MALFORMED, at,
				  "ApTitle: too long in its absolute form");
	p = arena_alloc(a, contents.n + C1222_BASE_OID_N);
	if (!p)
		return err_reason(e, E_NOMEM, REASON_RESOURCE, at,
				  "ApTitle: no memory for its absolute form");
	w = wbuf_of(p, contents.n + C1222_BASE_OID_N);
	wbuf_put(&w, span_of(C1222_BASE_OID, C1222_BASE_OID_N));
	wbuf_put(&w, contents);
	*out = wbuf_span(&w);
	return 0;
}
