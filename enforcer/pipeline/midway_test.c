/* SPDX-License-Identifier: Apache-2.0 */
/* A party that may say what nobody reads: that gives it neither oBIX without
 * HTTP nor a change to TLS, wherever they begin and however they are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "enforcer/pipeline/testkit.h"

#define S(text) {(const uint8_t *)(text), sizeof(text) - 1}
#define Z32	"ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ"
#define ASKED	"\4data\6secret\7example\0\0\1\0\1"
#define QUESTION "\x12\x34\1\0\0\1\0\0\0\0\0\0" ASKED
#define HELLO	"\1\0\0\x29\3\3" Z32 "\0\0\2\x13\1\1\0"

struct row {
	const char *why;
	struct span octets;
	/* Of a datagram, of the start of a stream, and behind others in one. */
	enum reason alone, first, later;
};

#define OBIX  REASON_WITHOUT_HTTP
#define MIDWAY REASON_CHANGED_PROTOCOL

static const struct row rows[] = {
	{"a reading", S("<real val='23.1'/>"), OBIX, OBIX, MIDWAY},
	{"with its end", S("<obj><int val='1'/></obj>"), OBIX, OBIX, MIDWAY},
	{"with a prefix", S("<o:list xmlns:o='x'/>"), OBIX, OBIX, MIDWAY},
	{"with its declaration", S("<?xml version='1.0'?>\n<obj/>"), OBIX,
	 OBIX, MIDWAY},
	{"behind white space", S("\r\n \t<obj/>"), OBIX, OBIX, MIDWAY},
	{"behind a mark", S("\xef\xbb\xbf<obj/>"), OBIX, OBIX, MIDWAY},
	{"behind two and a blank", S("\xef\xbb\xbf\xef\xbb\xbf <obj/>"), OBIX,
	 OBIX, MIDWAY},
	{"behind a comment", S("<!-- a --><!-- b > --><obj/>"), OBIX, OBIX,
	 MIDWAY},
	{"behind a stylesheet", S("<?xml-stylesheet href='a'?><obj/>"), OBIX,
	 OBIX, MIDWAY},
	{"behind an instruction", S("<?php echo '<a>'?><obj/>"), OBIX, OBIX,
	 MIDWAY},
	{"behind a document type", S("<!DOCTYPE obj SYSTEM 'x'><obj/>"), OBIX,
	 OBIX, MIDWAY},
	{"one of its own", S("<!DOCTYPE a [<!ENTITY b '<obj/>'>]><a/>"), OBIX,
	 OBIX, MIDWAY},
	{"the beginning of its root", S("<abstime val='2025"), OBIX, OBIX,
	 MIDWAY},
	{"UTF-16", S("<\0o\0b\0j\0/\0>\0"), OBIX, OBIX, MIDWAY},
	{"UTF-16, marked", S("\xff\xfe<\0r\0e\0f\0/\0>\0"), OBIX, OBIX, MIDWAY},
	{"the other way round", S("\0<\0o\0b\0j\0/\0>"), OBIX, OBIX, MIDWAY},
	{"marked", S("\xfe\xff\0 \0<\0o\0b\0j\0/\0>"), OBIX, OBIX, MIDWAY},
	{"UTF-32", S("\0\0\0<\0\0\0o\0\0\0p\0\0\0>"), OBIX, OBIX, MIDWAY},
	{"EBCDIC", S("\x4c\x6f\xa7\x94\x93\x40"), OBIX, OBIX, MIDWAY},
	{"EXI", S("$EXI\x80"), OBIX, OBIX, MIDWAY},
	{"JSON", S("{\"obix\":\"obj\",\"val\":1}"), OBIX, OBIX, MIDWAY},
	{"SOAP", S("<s:Envelope><s:Body><obj/>"), OBIX, OBIX, MIDWAY},
	{"an HTML page", S("<html><body><obj/></body></html>"), 0, 0, 0},
	{"another root", S("<?xml version='1.0'?><svg><obj/></svg>"), 0, 0, 0},
	{"of a longer name", S("<objects/>"), 0, 0, 0},
	{"inside other octets", S("log: <obj/>\n"), 0, 0, 0},
	{"zeros in front", S("\0\0\0\0\0<obj/>"), 0, 0, 0},
	{"other JSON", S("{\"a\":{\"b\":[1,\"obj\"]}}"), 0, 0, 0},
	{"a hello", S("\x16\3\1\0\x2d" HELLO), 0, 0, MIDWAY},
	{"a hello in small records", S("\x16\3\1\0\1\1\x16\3\1\0\1\0\x16\3\1\0"
	 "\1\0\x16\3\1\0\1\x29\x16\3\1\0\x29\3\3" Z32 "\0\0\2\x13\1\1\0"), 0,
	 0, MIDWAY},
	{"a question of DNS", S("\0\x25" QUESTION), 0, REASON_SUSPICIOUS,
	 MIDWAY},
	{"an answer of DNS", S("\0\x25\x12\x34\x81\x83\0\1\0\0\0\0\0\0"
	 ASKED), 0, REASON_SUSPICIOUS, MIDWAY},
	{"a question with more behind it", S("\0\x27" QUESTION "\0\0"), 0,
	 REASON_SUSPICIOUS, MIDWAY},
	{"a question to a server of nothing", S("\0\x25\x12\x34\1\0\0\1"
	 "\0\0\0\0\0\2" ASKED), 0, 0, 0},
	{"a hello in a record of SSL 3.0", S("\x16\3\0\0\x2d" HELLO), 0,
	 REASON_LEGACY, MIDWAY},
};

/* Of datagrams alone: in a stream CoAP has another head. */
static const struct row coap[] = {
	{"the body of CoAP", S("\x40\3\x12\x34\xb4obix\xff<real val='1'/>"), OBIX, 0,
	 0},
	{"with a token and a long option",
	 S("\x42\3\x12\x34tt\xbd\1path-of-14-oct\x11\x29\xff{\"obix\":\"obj\"}"),
	 OBIX, 0, 0},
	{"EXI of CoAP", S("\x50\x45\x12\x34\xc1\x2f\xff\x80"), OBIX, 0, 0},
	{"CBOR of CoAP", S("\x50\x45\x12\x34\xc1\x3c\xff\xa1"), 0, 0, 0},
	{"CoAP without a body", S("\x40\1\x12\x34\xb4obix"), 0, 0, 0},
	{"an option of CoAP that is none",
	 S("\x40\3\x12\x34\xf4obix\xff<real val='1'/>"), 0, 0, 0},
	{"another page of CoAP", S("\x40\3\x12\x34\xff<html><obj/></html>"), 0,
	 0, 0},
};

static struct kit *kit(bool live)
{
	struct kit *k = kit_new(true, false);

	kit_live(k, live);
	k->p->conf.checksums = false;
	k->bulk = true;
	return k;
}

static void done(struct kit *k)
{
	kit_end(k);
	assert_string_equal(k->bad, "");
	kit_free(k);
}

static uint64_t segment(struct kit *k, bool out, uint32_t at, uint32_t ack,
			struct span s)
{
	struct kit_seg g = {.out = out, .port = KIT_PORT,
			    .flags = TCP_PSH | TCP_ACK,
			    .seq = (out ? KIT_ISN : KIT_ISN2) + 1u + at,
			    .ack = (out ? KIT_ISN2 : KIT_ISN) + 1u + ack};

	return kit_tcp(k, &g, s);
}

/* The packet was refused for why; 0: it passed. */
static void judged(const struct kit *k, const char *what, size_t cut,
		   uint64_t id, enum reason why)
{
	const struct kit_verdict *v = &k->verdict[id];
	bool pass = v->n && v->v == PACKET_PASS;

	if (pass != (why == REASON_NONE) || (v->n && !pass && v->why != why))
		fail_msg("%s, cut at %zu: %s, not %s", what, cut,
			 v->n ? reason_text(v->why) : "waits",
			 reason_text(why));
}

/* By itself, behind what nobody reads, and in answer to it. */
static void datagram(const struct row *r)
{
	for (unsigned i = 0; i < 6; i++) {
		bool out = i & 1;
		struct kit *k = kit(true);

		if (i / 2)
			judged(k, r->why, 0,
			       kit_odd_datagram(k, i / 2 == 1 ? out : !out,
						span_of("0123", 4)),
			       REASON_NONE);
		judged(k, r->why, 0, kit_odd_datagram(k, out, r->octets),
		       r->alone);
		done(k);
	}
}

static void datagrams(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		datagram(&rows[i]);
	for (size_t i = 0; i < sizeof(coap) / sizeof(*coap); i++)
		datagram(&coap[i]);
}

/* Behind what nobody reads, a question of DNS on any port. */
static void dns_behind_others(void **state)
{
	static const struct span question = S(QUESTION);

	(void)state;
	for (int i = 0; i < 4; i++) {
		bool out = i & 1;
		struct kit *k = kit(true);

		judged(k, "other octets", 0,
		       kit_odd_datagram(k, i & 2 ? out : !out, span_of("0123", 4)),
		       REASON_NONE);
		judged(k, "a question", 0, kit_odd_datagram(k, out, question),
		       REASON_SUSPICIOUS);
		done(k);
	}
}

static void begins_stream(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i / 2];
		struct kit *k = kit(true);

		kit_handshake(k, KIT_PORT, KIT_ISN, false);
		judged(k, r->why, 0, segment(k, i & 1, 0, 0, r->octets),
		       r->first);
		done(k);
	}
}

/* Cut in two, the first piece may pass; what cannot be told yet does not. */
static void dns_begins_in_pieces(void **state)
{
	static const struct span question = S("\0\x25" QUESTION);

	(void)state;
	for (size_t cut = 1; cut < question.n; cut++) {
		struct kit *k = kit(cut & 1);
		uint64_t id;

		kit_handshake(k, KIT_PORT, KIT_ISN, false);
		id = segment(k, true, 0, 0, span_sub(question, 0, cut));
		assert_int_equal(k->verdict[id].n, cut < 14);
		id = segment(k, true, (uint32_t)cut, 0,
			     span_from(question, cut));
		judged(k, "a question of DNS", cut, id,
		       cut < 14 ? MIDWAY : REASON_SUSPICIOUS);
		done(k);
	}
}

/* Octets that a length, too, could begin with: nobody waits for more. */
static void small_octets_pass(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= 5; n++) {
		struct kit *k = kit(true);
		uint32_t at[2] = {0, 0};

		kit_handshake(k, KIT_PORT, KIT_ISN, false);
		for (unsigned i = 0; i < 60; i++) {
			bool out = i % 2 == 0;
			const char *what = i % 3 ? "\5\1\0\0\1" :
						   "\1\x20\0\1\1";

			judged(k, what, i,
			       segment(k, out, at[!out], at[out],
				       span_of(what, n)),
			       REASON_NONE);
			at[!out] += n;
		}
		done(k);
	}
}

enum behind {
	ONE_OCTET, /* of the same end */
	A_TURN,	   /* of both */
	ANSWER,	   /* of the other end */
	BEHINDS
};

/* Behind octets that nobody reads, cut in two; the first piece may pass. */
static void later_at(const struct row *r, enum behind b, bool out, bool live,
		     size_t cut)
{
	struct kit *k = kit(live);
	uint32_t mine = b == ONE_OCTET ? 1 : b == A_TURN ? 4 : 0;
	uint32_t yours = b == ONE_OCTET ? 0 : 4;
	uint64_t id[2];

	kit_handshake(k, KIT_PORT, KIT_ISN, false);
	if (mine)
		judged(k, r->why, cut,
		       segment(k, out, 0, 0, span_of("0123", mine)),
		       REASON_NONE);
	if (yours)
		judged(k, r->why, cut,
		       segment(k, !out, 0, mine, span_of("4567", yours)),
		       REASON_NONE);
	id[0] = segment(k, out, mine, yours, span_sub(r->octets, 0, cut));
	if (cut == r->octets.n) {
		judged(k, r->why, cut, id[0], r->later);
	} else if (k->verdict[id[0]].n && k->verdict[id[0]].v == PACKET_DROP) {
		judged(k, r->why, cut, id[0], r->later);
	} else {
		id[1] = segment(k, out, mine + (uint32_t)cut, yours,
				span_from(r->octets, cut));
		judged(k, r->why, cut, id[1], r->later);
	}
	done(k);
}

static void in_stream(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		for (unsigned how = 0; how < 4 * BEHINDS; how++) {
			struct span o = rows[i].octets;
			bool whole = !rows[i].later &&
				     memmem(o.p, o.n, "<obj", 4);

			/* Cut there, one would begin with a segment. */
			for (size_t cut = whole ? o.n : 1; cut <= o.n; cut++)
				later_at(&rows[i], how / 4, how & 1, how & 2,
					 cut);
		}
	}
}

/* More in front than is waited for: a comment, and white space. */
static void long_front(void **state)
{
	static const struct {
		const char *begin;
		uint8_t fill;
		enum reason want;
	} fronts[] = {
		{"<!--", 'x', MIDWAY},
		{"<?a", 'x', MIDWAY},
		{"", ' ', MIDWAY},
		{"", 'x', REASON_NONE},
		{"", 0, REASON_NONE},
	};
	uint8_t b[2400];

	(void)state;
	for (size_t i = 0; i < sizeof(fronts) / sizeof(*fronts); i++) {
		struct kit *k = kit(true);
		enum reason got = REASON_NONE;
		uint32_t at = 4;

		memset(b, fronts[i].fill, sizeof(b));
		memcpy(b, fronts[i].begin, strlen(fronts[i].begin));
		kit_handshake(k, KIT_PORT, KIT_ISN, false);
		segment(k, true, 0, 0, span_of("0123", 4));
		segment(k, false, 0, 4, span_of("4567", 4));
		for (size_t n = 0; n < sizeof(b); n += 600, at += 600) {
			uint64_t id = segment(k, true, at, 4,
					      span_of(b + n, 600));

			if (got == REASON_NONE)
				got = k->verdict[id].why;
		}
		assert_string_equal(reason_text(got),
				    reason_text(fronts[i].want));
		done(k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams),
		cmocka_unit_test(dns_behind_others),
		cmocka_unit_test(begins_stream),
		cmocka_unit_test(dns_begins_in_pieces),
		cmocka_unit_test(small_octets_pass),
		cmocka_unit_test(in_stream),
		cmocka_unit_test(long_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
