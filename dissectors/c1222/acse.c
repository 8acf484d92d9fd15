/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/c1222/acse.h"

#define EXTERNAL         0x28
#define OCTET_ALIGNED    0x81
#define SINGLE_ASN1      0xa0
#define MECHANISM_LEGACY 0xab

struct reader {
	struct acse *a;
	struct arena *arena;
	struct err *e;
	/* Departures that are refused in the end, but only after it is known
	 * that the message is not one of an older form. */
	const char *odd;
	size_t odd_at;
};

static int bad(struct reader *r, size_t at, const char *what)
{
	return err_reason(r->e, E_SYNTAX, REASON_MALFORMED, at, "%s", what);
}

static int legacy(struct reader *r, size_t at, const char *what)
{
	return err_reason(r->e, E_UNSUPPORTED, REASON_LEGACY, at, "%s", what);
}

static void odd(struct reader *r, size_t at, const char *what)
{
	if (!r->odd) {
		r->odd = what;
		r->odd_at = at;
	}
}

/* One element inside another that holds nothing else. */
static int only(struct reader *r, struct ber *b, const struct ber_tlv *outer,
		struct ber_tlv *inner, const char *what)
{
	struct ber sub = ber_enter(outer);
	int rc = ber_next(&sub, inner, what, r->e);

	return rc ? rc : ber_leave(b, &sub, what, r->e);
}

/* A1: 06 len OID; the C12.22 context and no other: titles would be relative
 * to another branch. */
static int read_context(struct reader *r, struct ber *b, struct ber_tlv *t)
{
	struct ber_tlv oid;
	int rc = only(r, b, t, &oid, "application context");

	if (rc)
		return rc;
	if (oid.tag != BER_OID || !ber_oid_ok(oid.body))
		return bad(r, oid.at, "application context: not an OID");
	if (!span_eq(oid.body, span_of(C1222_CONTEXT_OID, C1222_CONTEXT_OID_N)))
		return err_reason(r->e, E_UNSUPPORTED, REASON_SUSPICIOUS,
				  oid.at, "application context: not C12.22");
	r->a->context = oid.body;
	return 0;
}

/* A2, A6: 06 len OID, or 80 len relative OID. */
static int read_title(struct reader *r, struct ber *b, struct ber_tlv *t,
		      struct span *out)
{
	struct ber_tlv oid;
	int rc = only(r, b, t, &oid, "ApTitle");

	if (rc)
		return rc;
	if (oid.tag == BER_RELATIVE)
		odd(r, oid.at, "ApTitle: relative form with tag 0D");
	else if (oid.tag != BER_OID && oid.tag != BER_CONTEXT_0)
		return bad(r, oid.at, "ApTitle: neither 06 nor 80");
	return ber_title(r->arena, oid.tag, oid.body, oid.at, out, r->e);
}

static int read_called(struct reader *r, struct ber *b, struct ber_tlv *t)
{
	return read_title(r, b, t, &r->a->called);
}

static int read_calling(struct reader *r, struct ber *b, struct ber_tlv *t)
{
	return read_title(r, b, t, &r->a->calling);
}

static bool starts_with(struct span s, uint8_t octet)
{
	struct cur c = cur_of(s);

	return cur_u8(&c) == octet && cur_ok(&c);
}

static int read_number(struct reader *r, struct ber *b, struct ber_tlv *t,
		       uint32_t *v, const char *what)
{
	struct ber sub = ber_enter(t);
	int rc;

	/* The draft of March 2006 had a bare number of two octets there, which
	 * cannot be an INTEGER element; others begin without its tag. */
	if (t->body.n == 2 || (t->body.n > 0 && !starts_with(t->body, 0x02)))
		return legacy(r, t->body_at, "a number without its tag");
	rc = ber_uint(&sub, v, what, r->e);
	return rc ? rc : ber_leave(b, &sub, what, r->e);
}

static int read_total(struct reader *r, struct ber *b, struct ber_tlv *t)
{
	return read_number(r, b, t, &r->a->total, "called AE qualifier");
}

static int read_called_inv(struct reader *r, struct ber *b, struct ber_tlv *t)
{
	return read_number(r, b, t, &r->a->called_inv,
			   "called AP invocation id");
}

static int read_calling_inv(struct reader *r, struct ber *b, struct ber_tlv *t)
{
	return read_number(r, b, t, &r->a->calling_inv,
			   "calling AP invocation id");
}

/* A7: 02 01 b, bits 0..2 */
static int read_qualifier(struct reader *r, struct ber *b, struct ber_tlv *t)
{
	uint32_t v = 0;
	int rc = read_number(r, b, t, &v, "calling AE qualifier");

	if (rc)
		return rc;
	if (t->body.n != 3)
		odd(r, t->at, "calling AE qualifier: not one octet");
	if (v > 7)
		return bad(r, t->at, "calling AE qualifier: reserved bits");
	r->a->ae_qualifier = (uint8_t)v;
	return 0;
}

/* 8B: OID contents directly. */
static int read_mechanism(struct reader *r, struct ber *b, struct ber_tlv *t)
{
	(void)b;
	if (!ber_oid_ok(t->body))
		return bad(r, t->at, "mechanism name: not an OID");
	if (!span_eq(t->body,
		     span_of(C1222_MECHANISM_OID, C1222_MECHANISM_OID_N)))
		return err_reason(r->e, E_UNSUPPORTED, REASON_SUSPICIOUS, t->at,
				  "mechanism name: not C12.22 security");
	r->a->mechanism = t->body;
	return 0;
}

/* A1 in AC: [80 01 key-id] [81 04 iv] */
static int read_auth_c1222(struct reader *r, struct ber *b, struct ber_tlv *t)
{
	struct ber sub = ber_enter(t);
	struct acse *a = r->a;
	struct ber_tlv m;
	struct cur c;
	int rc;

	a->auth = ACSE_AUTH_C1222;
	while (cur_left(&sub.c) > 0) { /* at most: one of each, in order */
		rc = ber_next(&sub, &m, "authentication value", r->e);
		if (rc)
			return rc;
		c = cur_of(m.body);
		if (m.tag == 0x80 && m.body.n == 1 && !a->has_key_id &&
		    !a->has_iv) {
			a->key_id = cur_u8(&c);
			a->has_key_id = true;
		} else if (m.tag == 0x81 && m.body.n == 4 && !a->has_iv) {
			a->iv = cur_u32(&c);
			a->has_iv = true;
		} else if (m.tag == 0x82 || m.tag == 0x83 ||
			   (m.tag == 0x81 && m.body.n == 8)) {
			return legacy(r, m.at,
				      "authentication value: "
				      "members of January 2008");
		} else {
			return bad(r, m.at, "authentication value: member");
		}
	}
	if (!a->has_key_id && !a->has_iv)
		return bad(r, t->at, "authentication value: empty");
	return ber_leave(b, &sub, "authentication value", r->e);
}

/* A0 in AC: one of 80 identification, 81 request, 82 response */
static int read_auth_c1221(struct reader *r, struct ber *b, struct ber_tlv *t)
{
	struct ber_tlv m;
	int rc = only(r, b, t, &m, "C12.21 authentication");

	if (rc)
		return rc;
	if (!(m.tag == 0x80 &&
	      (m.body.n == 3 || (m.body.n >= 5 && m.body.n <= 259))) &&
	    !(m.tag == 0x81 && m.body.n >= 1 && m.body.n <= 255) &&
	    !(m.tag == 0x82 && m.body.n <= 255))
		return bad(r, m.at, "C12.21 authentication: form");
	r->a->auth = ACSE_AUTH_C1221;
	r->a->auth_tag = m.tag;
	r->a->auth_value = m.whole;
	return 0;
}

/* AC: A2 len [02 01 00] (A0 len (A0|A1) .. | 81 len octets) */
static int read_auth(struct reader *r, struct ber *b, struct ber_tlv *t)
{
	struct ber_tlv ext, m, choice;
	struct ber sub;
	uint32_t ref;
	int rc = only(r, b, t, &ext, "authentication value");

	if (rc)
		return rc;
	if (ext.tag != 0xa2)
		return bad(r, ext.at, "authentication value: not A2");
	sub = ber_enter(&ext);
	if (span_eq(cur_peek(&sub.c, 1), span_of("\x02", 1))) {
		rc = ber_uint(&sub, &ref, "indirect reference", r->e);
		if (rc)
			return rc;
		if (ref != 0)
			return bad(r, ext.at, "indirect reference: not 0");
	}
	rc = ber_next(&sub, &m, "authentication value", r->e);
	if (rc)
		return rc;
	if (m.tag == OCTET_ALIGNED) {
		r->a->auth = ACSE_AUTH_OCTETS;
		r->a->auth_value = m.body;
	} else if (m.tag == SINGLE_ASN1) {
		rc = only(r, b, &m, &choice, "authentication value");
		if (rc)
			return rc;
		if (choice.tag == 0xa1)
			rc = read_auth_c1222(r, b, &choice);
		else if (choice.tag == 0xa0)
			rc = read_auth_c1221(r, b, &choice);
		else
			rc = bad(r, choice.at, "authentication value: choice");
		if (rc)
			return rc;
	} else {
		return bad(r, m.at, "authentication value: encoding");
	}
	return ber_leave(b, &sub, "authentication value", r->e);
}

/* BE: 28 len [02 n] 81 len octets */
static int read_user(struct reader *r, struct ber *b, struct ber_tlv *t)
{
	struct ber_tlv ext, m;
	struct ber sub;
	int rc;

	/* March 2006 had the EPSEM itself there. */
	if (t->body.n > 0 && !starts_with(t->body, EXTERNAL))
		return legacy(r, t->body_at, "user information: no EXTERNAL");
	rc = only(r, b, t, &ext, "user information");
	if (rc)
		return rc;
	sub = ber_enter(&ext);
	if (span_eq(cur_peek(&sub.c, 1), span_of("\x02", 1))) {
		rc = ber_uint(&sub, &r->a->offset, "indirect reference", r->e);
		if (rc)
			return rc;
	}
	rc = ber_next(&sub, &m, "EXTERNAL", r->e);
	if (rc)
		return rc;
	if (m.tag != OCTET_ALIGNED || m.body.n == 0)
		return bad(r, m.at, "EXTERNAL: not an octet string");
	r->a->octets = m.body;
	r->a->octets_at = m.body_at;
	return ber_leave(b, &sub, "EXTERNAL", r->e);
}

struct element {
	int (*read)(struct reader *r, struct ber *b, struct ber_tlv *t);
	enum acse_element place; /* the order of the message */
};

/* c1222.md section 4. By tag, so that finding one takes no search. */
#define TAG(t) ((t)-0x80)
/* clang-format off */
static const struct element elements[0x40] = {
	[TAG(0xa1)] = {read_context,     ACSE_CONTEXT},
	[TAG(0xa2)] = {read_called,      ACSE_CALLED},
	[TAG(0xa3)] = {read_total,       ACSE_CALLED_AE},
	[TAG(0xa4)] = {read_called_inv,  ACSE_CALLED_INV},
	[TAG(0xa6)] = {read_calling,     ACSE_CALLING},
	[TAG(0xa7)] = {read_qualifier,   ACSE_CALLING_AE},
	[TAG(0xa8)] = {read_calling_inv, ACSE_CALLING_INV},
	[TAG(0x8b)] = {read_mechanism,   ACSE_MECHANISM},
	[TAG(0xac)] = {read_auth,        ACSE_AUTH},
	[TAG(0xbe)] = {read_user,        ACSE_USER},
};
/* clang-format on */

static const struct element *element_of(uint8_t tag)
{
	if (tag < 0x80 || tag >= 0xc0 || !elements[TAG(tag)].read)
		return NULL;
	return &elements[TAG(tag)];
}

static int unknown_element(struct reader *r, const struct ber_tlv *t)
{
	switch (t->tag) {
	case MECHANISM_LEGACY:
		return legacy(r, t->at, "mechanism name with tag AB");
	case 0xa0: /* protocol version */
	case 0xa5: /* called AE invocation id */
	case 0xa9: /* calling AE invocation id */
	case 0xbd: /* implementation information */
		/* Known stacks skip these or refuse the message: two ways. */
		odd(r, t->at, "an element of ISO ACSE that C12.22 lacks");
		return 0;
	}
	return bad(r, t->at, "unknown element");
}

static int read_elements(struct reader *r, struct ber *b)
{
	struct acse *a = r->a;
	int last = -1;
	int rc = 0;

	/* Bounded: each element occurs once, and an unknown one that is let
	 * pass here takes two octets of a unit of bounded size. */
	while (rc == 0 && cur_left(&b->c) > 0) {
		const struct element *el;
		struct ber_tlv t;
		int place;

		rc = ber_next(b, &t, "element", r->e);
		if (rc)
			break;
		if (last == ACSE_USER)
			return bad(r, t.at, "octets after user information");
		el = element_of(t.tag);
		if (!el) {
			rc = unknown_element(r, &t);
			continue;
		}
		place = (int)el->place;
		if (acse_has(a, el->place))
			return bad(r, t.at, "an element twice");
		if (place < last)
			odd(r, t.at, "elements out of order");
		last = place;
		a->have |= (uint16_t)(1u << place);
		a->el[place] = t.whole;
		rc = el->read(r, b, &t);
	}
	return rc;
}

/* What may stand together (c1222.md 4.4 and 11). */
static int check_together(struct reader *r)
{
	const struct acse *a = r->a;

	if (!acse_has(a, ACSE_CALLING_INV))
		return bad(r, 0, "no calling AP invocation id");
	if (!acse_has(a, ACSE_USER))
		return bad(r, 0, "no user information");
	if (acse_is_segment(a)) {
		if (acse_has(a, ACSE_CALLED_INV) ||
		    acse_has(a, ACSE_MECHANISM) || acse_has(a, ACSE_AUTH))
			return err_reason(r->e, E_SYNTAX, REASON_BAD_SEGMENT, 0,
					  "a segment with A4, 8B or AC");
	} else if (a->offset != 0) {
		return bad(r, a->octets_at, "indirect reference: not 0");
	}
	return 0;
}

int acse_length(struct span in, size_t *len, struct err *e)
{
	struct cur c = cur_of(in);
	uint8_t tag = cur_u8(&c);
	size_t n = 0;
	bool minimal;
	int rc;

	*len = 0;
	if (!cur_ok(&c))
		return E_MORE;
	if (tag != ACSE_TAG)
		return err_reason(e, E_SYNTAX, REASON_MALFORMED, 0,
				  "first octet %02x, not an ACSE APDU", tag);
	rc = ber_len(&c, 0, &n, &minimal, e);
	if (rc)
		return rc;
	*len = c.off + n;
	return in.n < *len ? E_MORE : 0;
}

/* Field by field: it is done for every message, and `el` needs none of it. */
static void clear(struct acse *a)
{
	a->have = 0;
	a->not_minimal = false;
	a->context = a->mechanism = (struct span){0};
	a->called = a->calling = (struct span){0};
	a->total = a->called_inv = a->calling_inv = 0;
	a->ae_qualifier = 0;
	a->auth = ACSE_AUTH_NONE;
	a->auth_tag = 0;
	a->auth_value = (struct span){0};
	a->has_key_id = a->has_iv = false;
	a->key_id = 0;
	a->iv = a->offset = 0;
	a->octets = (struct span){0};
	a->octets_at = 0;
}

int acse_read(struct acse *a, struct span unit, struct arena *arena,
	      struct err *e)
{
	struct reader r = {.a = a, .arena = arena, .e = e};
	struct ber outer = ber_of(unit, 0);
	struct ber_tlv apdu;
	struct ber b;
	int rc;

	clear(a);
	rc = ber_next(&outer, &apdu, "APDU", e);
	if (rc)
		return rc;
	if (apdu.tag != ACSE_TAG)
		return bad(&r, 0, "not an ACSE APDU");
	if (cur_left(&outer.c) > 0) {
		/* RFC 6142 defines no packing: some read the first, some
		 * both. */
		bool again = span_eq(cur_peek(&outer.c, 1), span_of("\x60", 1));

		return err_reason(e, E_SYNTAX,
				  again ? REASON_SUSPICIOUS : REASON_MALFORMED,
				  ber_at(&outer), "octets after the APDU");
	}
	b = ber_enter(&apdu);
	rc = read_elements(&r, &b);
	if (rc == 0)
		rc = check_together(&r);
	if (rc)
		return rc;
	if (r.odd)
		return err_reason(e, E_SYNTAX, REASON_SUSPICIOUS, r.odd_at,
				  "%s", r.odd);
	a->not_minimal = b.not_minimal || outer.not_minimal;
	return 0;
}
