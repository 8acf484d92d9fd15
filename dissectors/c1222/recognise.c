/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Are these octets an APDU? Also one that is refused in the end has to be
 * recognised, or it is nobody's, and may be granted as such.
 */
#include "dissectors/c1222/ber.h"
#include "dissectors/c1222/c1222.h"
#include "dissectors/c1222/state.h"

/* Any element of an APDU. */
static const uint8_t elements[] = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5,
				   0xa6, 0xa7, 0xa8, 0xa9, 0xab, 0xac,
				   0x8a, 0x8b, 0xbd, 0xbe};
/* Those without which nobody answers it. */
static const uint8_t telling[] = {0xa1, 0xa2, 0xa3, 0xa4, 0xa6, 0xa7, 0xa8};

#define LEADS 8 /* elements that tell nothing, in front of one that does */

enum start {
	START_OTHER,
	START_CUT,	 /* inside its length */
	START_LEADS_CUT, /* inside elements that tell nothing */
	START_APDU,	 /* c is at an element that tells */
};

/* The head of an element that lies in the *left octets of the APDU. */
static int element_head(struct cur *c, size_t *left, size_t *len)
{
	size_t at = c->off;
	bool minimal;
	int rc;

	(void)cur_u8(c);
	rc = ber_len(c, 0, len, &minimal, NULL);
	if (rc)
		return rc;
	if (c->off - at + *len > *left)
		return E_SYNTAX;
	*left -= c->off - at + *len;
	return 0;
}

/* Readers take the protocol version and other elements that we refuse, and
 * some take them in any order: an APDU that begins with those is one. */
static enum start apdu_start(struct cur *c, size_t *left)
{
	bool minimal;
	size_t len;
	int rc;

	if (cur_u8(c) != ACSE_TAG)
		return START_OTHER;
	rc = ber_len(c, 0, left, &minimal, NULL);
	if (rc)
		return rc == E_MORE ? START_CUT : START_OTHER;
	if (*left < 8)
		return START_OTHER;
	for (int i = 0; i < LEADS; i++) {
		struct cur look = *c;
		uint8_t tag = cur_u8(&look);

		if (!cur_ok(&look))
			return i ? START_LEADS_CUT : START_CUT;
		if (memchr(telling, tag, sizeof(telling)))
			return START_APDU;
		if (!memchr(elements, tag, sizeof(elements)))
			return START_OTHER;
		rc = element_head(c, left, &len);
		if (rc)
			return rc == E_MORE ? START_LEADS_CUT : START_OTHER;
		if (cur_left(c) < len)
			return START_LEADS_CUT;
		(void)cur_take(c, len);
	}
	return START_OTHER;
}

/* The beginning of an element as one of an APDU has it; len: of all of it. */
static bool element_looks_right(uint8_t tag, struct span body, size_t len)
{
	static const uint8_t names[] = {BER_OID, BER_RELATIVE, BER_CONTEXT_0};

	if (tag == 0xa1 || tag == 0xa2 || tag == 0xa6)
		return body.n > 2 && memchr(names, body.p[0], sizeof(names));
	if (tag > 0xa2 && tag < 0xaa)
		return len <= 6;
	return memchr(elements, tag, sizeof(elements)) != NULL;
}

/* An APDU in which two elements follow on each other, behind those that tell
 * nothing: of octets by chance fewer than one in 10^8 have that (7e-9 of them,
 * measured; one in a hundred of those has such an element in front). What is
 * behind them may be wrong, and is for dissect to refuse. */
static enum recognise how_sure(struct span in, struct cur c, size_t left)
{
	for (int i = 0; i < 2; i++) {
		struct cur look = c;
		uint8_t tag = cur_u8(&look);
		size_t len;
		int rc = element_head(&c, &left, &len);
		struct span body = span_sub(in, c.off, len);

		/* A name says what it is in its first octet. */
		if (rc == E_MORE ||
		    (rc == 0 && body.n < len && body.n < 3))
			return RECOGNISE_LIKELY;
		if (rc || !element_looks_right(tag, body, len))
			return RECOGNISE_YES;
		if (i == 0)
			(void)cur_take(&c, len);
	}
	return RECOGNISE_SURE;
}

enum recognise c1222_recognise(struct span first, uint16_t sport,
			       uint16_t dport, uint8_t ip_proto)
{
	bool port = sport == C1222_PORT || dport == C1222_PORT;
	struct cur c = cur_of(first);
	enum start start;
	size_t left;

	if (ip_proto != PROTO_TCP && ip_proto != PROTO_UDP)
		return RECOGNISE_NO;
	start = apdu_start(&c, &left);
	if (start == START_APDU)
		return how_sure(first, c, left);
	/* A stream may bring the rest later, a datagram does not. */
	if (start == START_LEADS_CUT && ip_proto == PROTO_TCP)
		return RECOGNISE_LIKELY;
	/* What comes over the registered port is ours to refuse. */
	if (port)
		return RECOGNISE_MAYBE;
	return first.n == 0 || (start == START_CUT && ip_proto == PROTO_TCP)
		       ? RECOGNISE_MAYBE
		       : RECOGNISE_NO;
}
