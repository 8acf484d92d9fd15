/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/obix/bare.h"

#include "core/reason.h"
#include "dissectors/obix/names.h"
#include "dissectors/obix/scan.h"

#define SHOWN  2048 /* octets that are looked at; a turn has no more (classify) */
#define NULS   3    /* in front of a character of UTF-32 */
#define NAME   64   /* octets of a root's name, with its prefix */

static bool starts(struct span in, const char *text, size_t n)
{
	return span_eq(span_sub(in, 0, n), span_of(text, n));
}

/* Octets of a mark of byte order at the start of in. */
static size_t mark(struct span in)
{
	if (starts(in, "\xef\xbb\xbf", 3))
		return 3;
	return starts(in, "\xff\xfe", 2) || starts(in, "\xfe\xff", 2) ? 2 : 0;
}

/* What readers overlook in front. False: nothing but zeros, or so many of them
 * that they are no characters. */
static bool lead(struct span *in)
{
	size_t at = 0, nuls = 0;
	bool other = false;

	while (at < in->n && nuls <= NULS) {
		size_t n = mark(span_from(*in, at));

		if (in->p[at] == 0) {
			nuls++;
			n = 1;
		} else if (n || is_white(in->p[at])) {
			n = n ? n : 1;
			nuls = 0;
			other = true;
		} else {
			break;
		}
		at += n;
	}
	other |= at < in->n;
	*in = span_from(*in, at);
	return other && nuls <= NULS;
}

/* Without the zeros of UTF-16 and UTF-32: what is of oBIX is in ASCII. */
static struct span fold(struct span in, uint8_t to[SHOWN])
{
	size_t n = 0;

	for (size_t i = 0; i < in.n && n < SHOWN; i++) {
		if (in.p[i])
			to[n++] = in.p[i];
	}
	return span_of(to, n);
}

/* Behind text in in, from at on; 0: it is not there. */
static size_t behind(struct span in, size_t at, const char *text)
{
	struct span rest = span_from(in, at);
	size_t n = strlen(text);
	const uint8_t *hit = rest.n ? memmem(rest.p, rest.n, text, n) : NULL;

	return hit ? (size_t)(hit - in.p) + n : 0;
}

static enum recognise by_name(struct span in, bool all)
{
	size_t n = 0;

	while (n < in.n && n < NAME && in.p[n] > ' ' && in.p[n] != '/' &&
	       in.p[n] != '>' && in.p[n] != 0x7f)
		n++;
	if (n == in.n && !all)
		return RECOGNISE_MAYBE;
	in = scan_local(span_sub(in, 0, n));
	return obix_element(in) != EL_UNKNOWN || span_is(in, "Envelope")
		       ? RECOGNISE_SURE
		       : RECOGNISE_NO;
}

/* The root behind what may stand in front of it. all: there is no more. */
static enum recognise markup(struct span in, bool all)
{
	static const struct {
		const char *begins, *ends;
	} rows[] = {
		{"<!--",	 "-->"},
		{"<?",	  "?>" },
		{"<!DOCTYPE", ">"  },
	};
	size_t at = 0;

	for (;;) { /* at most SHOWN / 2 */
		struct span rest;
		size_t i, end = 0;

		while (at < in.n && is_white(in.p[at]))
			at++;
		rest = span_from(in, at);
		if (rest.n < 2)
			return rest.n && rest.p[0] != '<' ? RECOGNISE_NO
							   : RECOGNISE_MAYBE;
		if (rest.p[0] != '<')
			return RECOGNISE_NO;
		if (rest.p[1] != '!' && rest.p[1] != '?')
			return by_name(span_from(rest, 1), all);
		for (i = 0; i < 3; i++) {
			size_t n = strlen(rows[i].begins);

			if (starts(rest, rows[i].begins, n < rest.n ? n : rest.n))
				break;
		}
		if (i == 3)
			return RECOGNISE_NO;
		end = behind(in, at, rows[i].ends);
		/* Its own declarations may hold anything. */
		if (i == 2 && memchr(rest.p, '[', end ? end - at : rest.n))
			return RECOGNISE_SURE;
		if (!end)
			return RECOGNISE_MAYBE;
		at = end;
	}
}

static enum recognise json(struct span in, bool all)
{
	struct err e;

	in = span_sub(in, 0, OBIX_WINDOW);
	switch (obix_recognise(in, all, (struct span){0}, &e)) {
	case OBIX_BAD:
	case OBIX_YES:
		return RECOGNISE_SURE;
	case OBIX_MORE:
		return RECOGNISE_MAYBE;
	default:
		return RECOGNISE_NO;
	}
}

/* As far as in goes, does it begin with text? */
static enum recognise with(struct span in, const char *text, size_t n)
{
	if (in.n >= n)
		return starts(in, text, n) ? RECOGNISE_SURE : RECOGNISE_NO;
	return starts(span_of(text, n), (const char *)in.p, in.n)
		       ? RECOGNISE_MAYBE
		       : RECOGNISE_NO;
}

static enum recognise looks_right(struct span first, bool all)
{
	uint8_t text[SHOWN];
	struct span in = first;
	enum recognise r;

	if (!lead(&in))
		return RECOGNISE_NO;
	if (in.n == 0)
		r = RECOGNISE_MAYBE;
	else if (in.p[0] == '<')
		r = markup(fold(in, text), all);
	else if (in.p[0] == '{' || in.p[0] == '[')
		return json(in, all);
	else if (in.p[0] == '$')
		return with(in, "$EXI", 4);
	else if (in.p[0] == 0x4c) /* "<?xml" */
		return with(in, "\x4c\x6f\xa7\x94\x93", 5);
	else
		return RECOGNISE_NO;
	/* Whoever has so much in front means it. */
	return r == RECOGNISE_MAYBE && first.n >= SHOWN ? RECOGNISE_SURE : r;
}

/* --- CoAP (RFC 7252 3), which the standard has a binding to --- */

#define CONTENT_FORMAT 12
#define FORMAT_EXI     47

/* A number of an option's head, of which four bits stand in its first octet. */
static uint32_t coap_number(struct cur *c, unsigned bits)
{
	return bits == 13 ? 13u + cur_u8(c) : bits == 14 ? 269u + cur_u16(c) :
							   bits;
}

/* Is it a message whose body is oBIX, or EXI? */
static bool is_coap(struct span in)
{
	struct cur c = cur_of(in);
	uint8_t head = cur_u8(&c);
	uint32_t option = 0;
	bool exi = false;

	if (head >> 6 != 1 || (head & 0x0f) > 8)
		return false;
	(void)cur_take(&c, 3u + (head & 0x0f));
	while (cur_left(&c)) { /* an octet of each option at least */
		uint8_t both = cur_u8(&c);
		struct span value;
		uint32_t n;

		if (both == 0xff)
			break;
		if (both >> 4 == 15 || (both & 0x0f) == 15)
			return false;
		option += coap_number(&c, both >> 4);
		n = coap_number(&c, both & 0x0f);
		value = cur_take(&c, n);
		exi = exi || (option == CONTENT_FORMAT && value.n == 1 &&
			      value.p[0] == FORMAT_EXI);
	}
	return cur_ok(&c) && cur_left(&c) &&
	       (exi || looks_right(cur_rest(&c), true) == RECOGNISE_SURE);
}

static enum recognise recognise(struct span first, uint16_t sport,
				uint16_t dport, uint8_t ip_proto)
{
	bool all = ip_proto == PROTO_UDP;
	enum recognise r;

	(void)sport;
	(void)dport;
	if (first.n == 0 || (ip_proto != PROTO_TCP && !all))
		return RECOGNISE_NO;
	r = looks_right(first, all);
	if (all && r != RECOGNISE_SURE && is_coap(first))
		return RECOGNISE_SURE;
	return all && r == RECOGNISE_MAYBE ? RECOGNISE_NO : r;
}

static void machine_init(void *machine, const void *conf)
{
	(void)machine;
	(void)conf;
}

static int refuse(struct err *e)
{
	return err_reason(e, E_UNSUPPORTED, REASON_WITHOUT_HTTP, 0,
			  "oBIX that no HTTP carries");
}

static enum frame frame(const struct dis_ctx *c, struct span in, size_t *len,
			struct err *e)
{
	(void)c;
	(void)in;
	*len = 0;
	refuse(e);
	return FRAME_BAD;
}

static int dissect(const struct dis_ctx *c, struct span unit,
		   struct obs_list *out, struct err *e)
{
	(void)c;
	(void)unit;
	(void)out;
	return refuse(e);
}

static void settle(const struct dis_ctx *c, bool passed)
{
	(void)c;
	(void)passed;
}

static enum reason leftover(const struct dis_ctx *c, struct span rest)
{
	(void)c;
	return rest.n ? REASON_INCOMPLETE : REASON_NONE;
}

const struct dissector dissector_bare = {
	.name = "obix",
	.max_stream = OBIX_WINDOW,
	.max_datagram = 65535,
	.carrier = OBS_FLOW_OPEN,
	.recognise = recognise,
	.machine_init = machine_init,
	.frame = frame,
	.dissect = dissect,
	.settle = settle,
	.leftover = leftover,
};
