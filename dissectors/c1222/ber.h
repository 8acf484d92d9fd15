/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of BER that C12.22 uses (c1222.md section 3): single-octet tags,
 * definite lengths of at most three octets, unsigned integers of one to four
 * octets, object identifiers with sub-identifiers of at most 64 bits.
 *
 * Everything read is borrowed from the octets given. Offsets in errors are
 * those of the whole unit.
 */
#ifndef DISSECTORS_C1222_BER_H
#define DISSECTORS_C1222_BER_H

#include "core/arena.h"
#include "core/err.h"
#include "core/reason.h"
#include "core/span.h"

#define BER_INTEGER   0x02
#define BER_OID       0x06
#define BER_RELATIVE  0x0d
#define BER_CONTEXT_0 0x80 /* relative OID, where C12.22 says so */
#define BER_OID_MAX   64

/* The C12.22 application context, 2.16.124.113620.1.22, and with ".0" the
 * branch that relative ApTitles start from. */
#define C1222_CONTEXT_OID     "\x60\x7c\x86\xf7\x54\x01\x16"
#define C1222_CONTEXT_OID_N   7
#define C1222_BASE_OID        "\x60\x7c\x86\xf7\x54\x01\x16\x00"
#define C1222_BASE_OID_N      8
#define C1222_MECHANISM_OID   "\x60\x7c\x86\xf7\x54\x01\x16\x02\x01"
#define C1222_MECHANISM_OID_N 9

/* A cursor that knows where in the unit it reads. */
struct ber {
	struct cur c;
	size_t base;      /* offset of c.in in the unit */
	bool not_minimal; /* some length was longer than needed */
};

struct ber_tlv {
	uint8_t tag;
	size_t at; /* offsets in the unit */
	size_t body_at;
	struct span whole; /* tag, length and contents, as received */
	struct span body;
};

static inline struct ber ber_of(struct span in, size_t base)
{
	return (struct ber){cur_of(in), base, false};
}

static inline size_t ber_at(const struct ber *b)
{
	return b->base + b->c.off;
}

/* A length. Returns 0, E_MORE when the octets end first, or E_SYNTAX for an
 * indefinite, reserved or too long form. e is only set for E_SYNTAX. */
int ber_len(struct cur *c, size_t base, size_t *len, bool *minimal,
	    struct err *e) __attribute__((warn_unused_result));

/* ber_next for everything but the usual case. */
int ber_next_any(struct ber *b, struct ber_tlv *t, const char *what,
		 struct err *e) __attribute__((warn_unused_result));

/* The next element; what says which one is expected, for the error. Returns
 * 0 or E_SYNTAX (MALFORMED). */
static inline int __attribute__((warn_unused_result))
ber_next(struct ber *b, struct ber_tlv *t, const char *what, struct err *e)
{
	struct span head = cur_peek(&b->c, 2);

	/* A short length, and all of it there: nearly always. */
	if (head.n < 2 || head.p[1] >= 0x80 || (head.p[0] & 0x1f) == 0x1f ||
	    cur_left(&b->c) < 2u + head.p[1])
		return ber_next_any(b, t, what, e);
	t->tag = head.p[0];
	t->at = ber_at(b);
	t->body_at = t->at + 2;
	t->whole = cur_take(&b->c, 2u + head.p[1]);
	t->body = span_from(t->whole, 2);
	return 0;
}

/* The contents of t as a reader of its own; b learns of longer lengths in it
 * when the caller gives them back with ber_leave. */
static inline struct ber ber_enter(const struct ber_tlv *t)
{
	return ber_of(t->body, t->body_at);
}

/* Nothing may be left in sub. Returns 0 or E_SYNTAX. */
int ber_leave(struct ber *b, const struct ber *sub, const char *what,
	      struct err *e) __attribute__((warn_unused_result));

/* An INTEGER element: unsigned, 1 to 4 octets, leading zeros ignored. */
int ber_uint(struct ber *b, uint32_t *v, const char *what, struct err *e)
	__attribute__((warn_unused_result));

/* Contents of an OID or relative OID: at least one sub-identifier, each
 * whole, none starting with 80, none over 64 bits, at most BER_OID_MAX
 * octets in all. */
bool ber_oid_ok(struct span contents);

/* The absolute form of an ApTitle: tag 06 as it is, else below the C12.22
 * branch. Relative ones are put together in the arena. Returns 0, E_SYNTAX
 * (MALFORMED), E_NOMEM (RESOURCE). */
int ber_title(struct arena *a, uint8_t tag, struct span contents, size_t at,
	      struct span *out, struct err *e)
	__attribute__((warn_unused_result));

#endif
