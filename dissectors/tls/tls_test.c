/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/tls/tls.h"

#include "dissectors/tls/testkit.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>
#include <stdlib.h>

#define METER	"\0\0\0\x12\0\x10\0\0\x0dmeter.example"
#define OTHER	"\0\0\0\x12\0\x10\0\0\x0dother.example"
#define H2	"\0\x10\0\5\0\3\2h2"
#define BOTH	"\0\x2b\0\5\4\3\4\3\3"
#define CHOSE13 "\0\x2b\0\2\3\4"
#define EARLY	"\0\x2a\0\0"
#define GIVEN	"\0\x2c\0\3\0\1g"
#define HELD(s) (s), sizeof(s) - 1
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* --- recognising ---------------------------------------------------------------- */

static const struct {
	const char *why, *octets;
	size_t n;
	uint16_t port;
	uint8_t proto;
	enum recognise want;
} looks[] = {
	{"a handshake", HELD("\x16\3\1\0\x40\1"), 4000, 6, RECOGNISE_LIKELY},
	{"a header", HELD("\x16\3\3\0\x40"), 4000, 6, RECOGNISE_LIKELY},
	{"a certificate", HELD("\x16\3\3\0\x40\x0b\0"), 4000, 6,
	 RECOGNISE_YES},
	{"a hello", HELD("\x16\3\1\0\x40\1\0\0\x3c\3\3"), 4000, 6,
	 RECOGNISE_SURE},
	{"an answer of 1.0", HELD("\x16\3\1\0\x40\2\0\0\x3c\3\1"), 4000, 6,
	 RECOGNISE_SURE},
	{"a hello in two records", HELD("\x16\3\1\0\1\1\x16\3\1\0\5\0\0\x3c\3\3"), 4000,
	 6, RECOGNISE_SURE},
	{"of no version", HELD("\x16\3\1\0\x40\1\0\0\x3c\3\5"), 4000, 6,
	 RECOGNISE_YES},
	{"data", HELD("\x17\3\3\0\x40"), 4000, 6, RECOGNISE_YES},
	{"an alert", HELD("\x15\3\3\0\2\2\x28"), 4000, 6, RECOGNISE_YES},
	{"SSL 3.0", HELD("\x16\3\0\0\x40\1"), 4000, 6, RECOGNISE_LIKELY},
	{"SSL 2.0 for 3.1", HELD("\x80\x2e\1\3\1\0\x15"), 4000, 6,
	 RECOGNISE_YES},
	{"SSL 2.0", HELD("\x80\x2e\1\0\2\0\x15"), 4000, 6, RECOGNISE_YES},
	{"the start of one", HELD("\x16\3"), 4000, 6, RECOGNISE_MAYBE},
	{"less", HELD("\x16"), 4000, 6, RECOGNISE_MAYBE},
	{"the start of SSL 2.0", HELD("\x80\x2e\1"), 4000, 6, RECOGNISE_MAYBE},
	{"too long", HELD("\x16\3\1\x41\1"), 4000, 6, RECOGNISE_NO},
	{"of no length", HELD("\x16\3\1\0\0"), 4000, 6, RECOGNISE_NO},
	{"another version", HELD("\x16\2\1\0\x40"), 4000, 6, RECOGNISE_NO},
	{"another type", HELD("\x19\3\1\0\x40"), 4000, 6, RECOGNISE_NO},
	{"C12.22", HELD("\x60\x2e\xa2\x07\x80"), 4000, 6, RECOGNISE_NO},
	{"HTTP", HELD("GET / "), 4000, 6, RECOGNISE_NO},
	{"HTTP, briefly", HELD("GE"), 4000, 6, RECOGNISE_NO},
	{"SSH on our port", HELD("SSH-2.0-x"), 443, 6, RECOGNISE_MAYBE},
	{"over UDP", HELD("\x16\3\1\0\x40\1"), 443, 17, RECOGNISE_NO},
	{"QUIC", HELD("\xc3\0\0\0\1\x08"), 443, 17, RECOGNISE_NO},
};

static void test_recognise(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(looks); i++) {
		enum recognise r = dissector_tls.recognise(
			span_of(looks[i].octets, looks[i].n), 50000,
			looks[i].port, looks[i].proto);

		if (r != looks[i].want)
			fail_msg("%s: %d", looks[i].why, r);
	}
}

/* --- connections ------------------------------------------------------------------ */

struct lab {
	void *machine;
	struct tls_flow flow;
	uint8_t memory[65536];
	struct arena arena;
	struct dis_ctx c;
	struct obs obs[64];
	struct obs_list out;
	struct err e;
};

static struct lab *lab_new(void)
{
	struct lab *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->machine = calloc(1, dissector_tls.machine_size);
	assert_non_null(l->machine);
	l->arena = arena_of(l->memory, sizeof(l->memory));
	l->c = (struct dis_ctx){.machine = l->machine,
				.flow = &l->flow,
				.arena = &l->arena,
				.tup.proto = PROTO_TCP};
	dissector_tls.machine_init(l->machine, NULL);
	return l;
}

static void lab_free(struct lab *l)
{
	free(l->machine);
	free(l);
}

/* All units of in, as far as they are there; the last reason, or none. *used:
 * octets judged. Each unit is refused once and then let pass. */
static enum reason take(struct lab *l, enum dir dir, struct span in,
			size_t *used)
{
	*used = 0;
	l->c.dir = dir;
	while (*used < in.n) {
		struct span rest = span_from(in, *used);
		struct tls_flow was = l->flow, ahead;
		size_t len = 0;
		enum frame fr = dissector_tls.frame(&l->c, rest, &len, &l->e);
		uint32_t mark = l->out.n;

		if (fr == FRAME_BAD)
			return (enum reason)l->e.reason;
		if (fr == FRAME_MORE)
			return REASON_NONE;
		assert_true(len > 0 && len <= rest.n && len <= TLS_UNIT_MAX);
		(dissector_tls.skip)(&l->c, span_sub(rest, 0, len));
		ahead = l->flow;
		l->flow = was;
		if (dissector_tls.dissect(&l->c, span_sub(rest, 0, len),
					  &l->out, &l->e) != 0) {
			assert_int_equal(l->out.n, mark);
			dissector_tls.settle(&l->c, false);
			assert_memory_equal(&l->flow, &was, sizeof(was));
			return (enum reason)l->e.reason;
		}
		assert_int_equal(l->out.n, mark + 2);
		assert_memory_equal(&l->flow, &ahead, sizeof(was));
		dissector_tls.settle(&l->c, false);
		assert_memory_equal(&l->flow, &was, sizeof(was));
		l->out.n = mark;
		assert_int_equal(dissector_tls.dissect(
					 &l->c, span_sub(rest, 0, len),
					 &l->out, &l->e),
				 0);
		dissector_tls.settle(&l->c, true);
		*used += len;
	}
	return REASON_NONE;
}

static const char *kinds(const struct lab *l)
{
	static _Thread_local char text[200];
	size_t n = 0;

	for (uint32_t i = 0; i < l->out.n && n + 2 < sizeof(text); i++) {
		const struct obs *o = &l->out.v[i];

		if (i % 2)
			assert_true(o->kind == OBS_OPAQUE &&
				    o->also == (o[-1].kind == OBS_TLS_HELLO ?
							OBS_TLS_HELLO :
							0));
		else
			text[n++] = o->kind == OBS_TLS_HELLO ? 'h' : 'o';
	}
	text[n] = 0;
	return text;
}

/* Records that the scripts name by a letter. */
enum { CLIENT = 1, SERVER = 2 };
static const struct {
	char letter;
	uint8_t type;
	uint16_t record;
	struct parts p;
} hellos[] = {
	{'c', CLIENT, 0x0301,
	 {0x0303, 32, 4, HELD("\0"), HELD(METER H2 BOTH), 0}},
	{'C', CLIENT, 0x0303,
	 {0x0303, 32, 4, HELD("\0"), HELD(METER H2 BOTH), 0}},
	{'x', CLIENT, 0x0303,
	 {0x0303, 32, 4, HELD("\0"), HELD(OTHER H2 BOTH), 0}},
	{'y', CLIENT, 0x0303,
	 {0x0303, 32, 4, HELD("\0"), HELD(METER BOTH), 0}},
	{'e', CLIENT, 0x0301,
	 {0x0303, 32, 4, HELD("\0"), HELD(METER H2 BOTH EARLY), 0}},
	{'E', CLIENT, 0x0303,
	 {0x0303, 32, 4, HELD("\0"), HELD(METER H2 BOTH EARLY), 0}},
	{'d', CLIENT, 0x0301, {0x0303, 0, 2, HELD("\0"), HELD(METER), 0}},
	{'l', CLIENT, 0x0300, {0x0303, 0, 2, HELD("\0"), HELD(METER), 0}},
	{'O', CLIENT, 0x0303,
	 {0x0303, 32, 4, HELD("\0"), HELD(METER H2 BOTH "\0\x2c\0\3\0\1o"), 0}},
	{'Q', CLIENT, 0x0303,
	 {0x0303, 32, 4, HELD("\0"), HELD(METER H2 BOTH GIVEN), 0}},
	{'s', CLIENT, 0x0303,
	 {0x0303, 31, 4, HELD("\0"), HELD(METER H2 BOTH), 0}},
	{'W', CLIENT, 0x0303,
	 {0x0303, 32, 2, HELD("\0"), HELD(METER H2 BOTH), 0}},
	{'I', SERVER, 0x0303,
	 {0x0303, 32, 0, HELD("\0"), HELD(CHOSE13 GIVEN), 1}},
	{'N', SERVER, 0x0303,
	 {0x0303, 32, 0, HELD("\0"), HELD("\0\x17\0\0"), 0}},
	{'n', SERVER, 0x0303,
	 {0x0303, 32, 0, HELD("\0"), HELD(CHOSE13), 0}},
	{'r', SERVER, 0x0303,
	 {0x0303, 32, 0, HELD("\0"), HELD(CHOSE13), 1}},
	{'o', SERVER, 0x0303,
	 {0x0303, 32, 0, HELD("\0"), HELD("\0\0\0\0" H2), 0}},
	{'p', SERVER, 0x0303,
	 {0x0303, 32, 0, HELD("\0"), HELD("\0\x10\0\5\0\3\2h3"), 0}},
	{'P', SERVER, 0x0303, {0x0303, 32, 0, HELD("\0"), HELD(CHOSE13 H2), 0}},
	{'1', SERVER, 0x0302, {0x0302, 0, 0, HELD("\0"), NULL, 0, 0}},
	{'w', SERVER, 0x0301, {0x0303, 0, 0, HELD("\0"), NULL, 0, 0}},
};
static const struct {
	char letter;
	const char *octets;
	size_t n;
} others[] = {
	{'.', HELD("\x14\3\3\0\1\1")},	       /* change of cipher */
	{'!', HELD("\x15\3\3\0\2\2\x28")},     /* alert */
	{'#', HELD("\x17\3\3\0\4abcd")},       /* data */
	{'k', HELD("\x16\3\3\0\7\x0b\0\0\3\0\0\0")}, /* certificate */
	{'D', HELD("\x16\3\3\0\4\x0e\0\0\0")},  /* server hello done */
	{'K', HELD("\x16\3\3\0\5\x10\0\0\1a")}, /* key exchange */
	{'f', HELD("\x16\3\3\0\5abcde")},	       /* a sealed message */
	{'J', HELD("\x16\3\2\0\5\x10\0\0\1a")}, /* key exchange of 1.1 */
	{'m', HELD("\x16\3\3\0\x0c\x0b\0\0\0\x0c\0\0\0\x0d\0\0\0")},
	{'u', HELD("\x16\3\3\0\2\x0e\0\x16\3\3\0\2\0\0")},
	{'v', HELD("\x16\3\3\0\2\x0b\0\x14\3\3\0\1\1")},
	{'T', HELD("\x16\3\3\0\4\4\0\0\0")},  /* ticket */
	{'R', HELD("\x16\3\3\0\4\0\0\0\0")},  /* begin anew */
	{'S', HELD("\x16\3\3\0\4\x14\0\0\0")}, /* end, in clear */
	{'M', HELD("\x16\3\3\0\4\x0b\1\0\1")}, /* a long certificate */
	{'j', HELD("\x14\3\3\0\1\2")},	       /* no change */
	{'a', HELD("\x15\3\3\0\2ab")},	       /* text in an alert */
	{'g', HELD("\x15\3\3\0\2\1\x70")},      /* a warning */
	{'z', HELD("\x15\3\3\0\2\1\0")},	       /* the end */
	{'~', HELD("\x17\3\1\0\4abcd")},       /* of another version */
	{'h', HELD("\x16\3\3\0\4\2\0\0\0")},   /* a handshake message */
	{'H', HELD("\x16\3\2\0\4\x0e\0\0\0")}, /* the same of 1.1 */
	{'b', HELD("\x18\3\3\0\4abcd")},       /* heartbeat */
	{'A', HELD("\x15\3\3\0\3\2\x28\0")},   /* an alert too long */
	{'L', HELD("\x17\3\3\x41\1" "abcd")},  /* data too long */
	{'Z', HELD("\x17\3\3\0\0")},	       /* an empty record */
	{'G', HELD("GET / HTTP/1.1\r\n\r\n")},
	{'2', HELD("\x80\x2e\1\3\1\0\x15\0\0\0\x10")},
	{'q', HELD("\x16\3\1\0\4\4\0\0\0")},   /* some handshake message */
	{'0', HELD("\x16\3\1\0\4\1\0\0\0")},   /* an empty hello */
	{'t', HELD("\x16\3\1\0\5\1\0\0\0\0")}, /* the same, and an octet */
	{'B', HELD("\x16\3\1\0\x40\1\0\x20\0")}, /* announces 8196 octets */
	{'i', HELD("\x16\3\1\0\4\1\0\0\x40\x15\3\1\0\2\1\0")},
};

static void put_letter(struct wbuf *w, char letter)
{
	for (size_t i = 0; i < COUNT(hellos); i++) {
		uint8_t msg[1024];
		struct wbuf m = wbuf_of(msg, sizeof(msg));

		if (hellos[i].letter != letter)
			continue;
		kit_hello(&m, hellos[i].type, &hellos[i].p);
		kit_records(w, 22, hellos[i].record, wbuf_span(&m), 16384);
		return;
	}
	for (size_t i = 0; i < COUNT(others); i++) {
		if (others[i].letter == letter) {
			wbuf_put(w, span_of(others[i].octets, others[i].n));
			return;
		}
	}
	fail_msg("no letter %c", letter);
}

/* A script: '>' the client sends what follows, '<' the server does. kinds: h a
 * hello, o a slice; the reason is that of the last direction. */
static const struct {
	const char *why, *script, *kinds;
	enum reason want;
} scripts[] = {
	{"1.3", ">c<n.##>.##<#", "hhooo", 0},
	{"1.2", ">c<okD>K.f<.f>##<#", "hhooooo", 0},
	{"1.2 and a certificate of the client", ">c<okDT>kK.f<.f>#", "hhoooo",
	 0},
	{"1.2, resumed", ">c<oT.f>.f#", "hhoo", 0},
	{"messages in one record", ">c<om", "hho", 0},
	{"a message in two records", ">c<ou>K", "hhoo", 0},
	{"sealed alerts and messages", ">c<oD>K.f<.f>AfA.", "hhoooo", 0},
	{"1.1", ">d<1H>J", "hhoo", 0},
	{"a warning, and the end", ">c<go>z", "hoho", 0},
	{"early data", ">e#<n.#>#", "hohoo", 0},
	{"early data that come to nothing", ">e.##<r.>C<n#>#", "hohohhoo", 0},
	{"another hello", ">c<r.>.C<n.#>#", "hhoohhoo", 0},
	{"another hello, no dummies", ">c<r>C<n#>#", "hhhhoo", 0},
	{"refused by the server", ">c<!", "ho", 0},
	{"refused by the client", ">c<n>!", "hho", 0},
	{"refused after another hello", ">c<r>C<!", "hhho", 0},

	{"heartbeat in 1.2", ">c<o>b", "hh", REASON_SESSION_STATE},
	{"sealed heartbeat in 1.2", ">c<oD>K.f<.f>b", "hhooo",
	 REASON_SESSION_STATE},
	{"another name in clear", ">c<oD>x", "hhoo", REASON_SESSION_STATE},
	{"another answer in clear", ">c<oo", "hho", REASON_SESSION_STATE},
	{"a request to begin anew", ">c<oR", "hho", REASON_SESSION_STATE},
	{"another name behind it", ">c<oD>Kx", "hhoo", REASON_SESSION_STATE},
	{"data in clear", ">c<oD>K#", "hhoo", REASON_SESSION_STATE},
	{"data behind the change", ">c<oD>K.#", "hhoo", REASON_SESSION_STATE},
	{"the end in clear", ">c<oD>KS", "hhoo", REASON_SESSION_STATE},
	{"a certificate twice", ">c<okk", "hho", REASON_SESSION_STATE},
	{"out of order", ">c<oDk", "hho", REASON_SESSION_STATE},
	{"a message of the other side", ">c<oK", "hho", REASON_SESSION_STATE},
	{"the other way round", ">c<oD>D", "hhoo", REASON_SESSION_STATE},
	{"a certificate longer than any", ">c<oM", "hho", REASON_TOO_LONG},
	{"a change within a message", ">c<ov", "hho", REASON_SUSPICIOUS},
	{"a change of another value", ">c<oD>Kj", "hhoo", REASON_MALFORMED},
	{"the same in 1.3", ">c<nj", "hh", REASON_MALFORMED},
	{"three changes in 1.3", ">c.<n>..", "hoho", REASON_TOO_MANY_UNITS},
	{"text in an alert", ">c<a", "h", REASON_MALFORMED},
	{"the same in 1.2", ">c<oa", "hh", REASON_MALFORMED},
	{"the same in 1.3", ">c<n>a", "hh", REASON_MALFORMED},
	{"five warnings", ">c<ggggg", "ho", REASON_TOO_MANY_UNITS},
	{"something behind a fatal alert", ">c<n>!#", "hho",
	 REASON_SESSION_STATE},
	{"a hello behind it", ">c<!n", "ho", REASON_SESSION_STATE},
	{"a clear alert behind data", ">c<n#!", "hho", REASON_SESSION_STATE},
	{"an early cookie", ">O", "", REASON_SUSPICIOUS},
	{"a cookie that was given", ">c<I>Q", "hhh", 0},
	{"another cookie", ">c<I>O", "hh", REASON_SUSPICIOUS},
	{"no cookie", ">c<I>C", "hh", REASON_SUSPICIOUS},
	{"a cookie that was not given", ">c<r>O", "hh", REASON_SUSPICIOUS},
	{"another session the second time", ">c<r>s", "hh", REASON_SUSPICIOUS},
	{"other suites the second time", ">c<r>W", "hh", REASON_SUSPICIOUS},
	{"another session in the answer", ">s<n", "h", REASON_SUSPICIOUS},
	{"an extension that was not offered", ">c<N", "h", REASON_SUSPICIOUS},

	{"data at once", ">#", "", REASON_SESSION_STATE},
	{"an alert at once", ">!", "", REASON_SESSION_STATE},
	{"the server at once", ">n", "", REASON_UNPAIRED},
	{"some handshake message", ">q", "", REASON_SESSION_STATE},
	{"an empty hello", ">0", "", REASON_MALFORMED},
	{"an octet behind the hello", ">t", "", REASON_SUSPICIOUS},
	{"an alert within the hello", ">i", "", REASON_SUSPICIOUS},
	{"a hello longer than a unit", ">B", "", REASON_TOO_LONG},
	{"SSL 2.0", ">2", "", REASON_LEGACY},
	{"SSL 3.0 around", ">l", "", REASON_LEGACY},
	{"HTTP", ">G", "", REASON_MALFORMED},
	{"an empty record", ">Z", "", REASON_MALFORMED},
	{"a second hello at once", ">cC", "h", REASON_SESSION_STATE},
	{"data that were not announced", ">c#", "h", REASON_SESSION_STATE},
	{"a hello of both sides", ">c<c", "h", REASON_SESSION_STATE},
	{"data instead of a hello", ">c<#", "h", REASON_SESSION_STATE},
	{"a dummy instead of a hello", ">c<.", "h", REASON_SESSION_STATE},
	{"HTTP instead of a hello", ">c<G", "h", REASON_CHANGED_PROTOCOL},
	{"an alert too long", ">c<A", "h", REASON_MALFORMED},
	{"a second server's hello", ">c<nn", "hh", REASON_SESSION_STATE},
	{"a clear message in 1.3", ">c<nh", "hh", REASON_SESSION_STATE},
	{"heartbeat in 1.3", ">c<n>b", "hh", REASON_SESSION_STATE},
	{"a hello in 1.3", ">c<n>C", "hh", REASON_SESSION_STATE},
	{"1.3 that was not offered", ">d<n", "h", REASON_SUSPICIOUS},
	{"a protocol that was not offered", ">c<p", "h", REASON_SUSPICIOUS},
	{"a protocol, and none was offered", ">d<o", "h", REASON_SUSPICIOUS},
	{"a protocol in clear in 1.3", ">c<P", "h", REASON_SUSPICIOUS},
	{"1.1 that was not offered", ">c<1", "h", REASON_SUSPICIOUS},
	{"a record of another version", ">c<w", "h", REASON_SUSPICIOUS},
	{"data of another version", ">c<n>~", "hh", REASON_SUSPICIOUS},
	{"another name the second time", ">c<r>x", "hh", REASON_SUSPICIOUS},
	{"less ALPN the second time", ">c<r>y", "hh", REASON_SUSPICIOUS},
	{"early data the second time", ">e<r>E", "hh", REASON_SUSPICIOUS},
	{"early data behind the second", ">e<r>C#", "hhh",
	 REASON_SESSION_STATE},
	{"a third hello", ">c<r>CC", "hhh", REASON_SESSION_STATE},
	{"another hello twice", ">c<r>C<r", "hhh", REASON_SUSPICIOUS},
	{"1.2 behind another hello", ">c<r>C<o", "hhh", REASON_SUSPICIOUS},
	{"an answer before the second", ">c<rn", "hh", REASON_SESSION_STATE},
	{"HTTP in 1.3", ">c<n#>#G", "hhoo", REASON_CHANGED_PROTOCOL},
	{"HTTP in 1.2", ">c<oG", "hh", REASON_CHANGED_PROTOCOL},
	{"a record too long", ">c<nL", "hh", REASON_CHANGED_PROTOCOL},
	{"an empty record in 1.3", ">c<n#Z", "hho", REASON_CHANGED_PROTOCOL},
};

/* step: octets that come at a time; 0: all at once. */
static enum reason play(struct lab *l, const char *script, size_t step)
{
	enum reason why = REASON_NONE;

	memset(&l->flow, 0, sizeof(l->flow));
	arena_reset(&l->arena);
	l->out = (struct obs_list){l->obs, 0, COUNT(l->obs)};
	for (const char *s = script; *s && why == REASON_NONE;) {
		uint8_t octets[4096];
		struct wbuf w = wbuf_of(octets, sizeof(octets));
		enum dir dir = *s++ == '>' ? DIR_OUT : DIR_IN;
		size_t from = 0, used;

		for (; *s && *s != '>' && *s != '<'; s++)
			put_letter(&w, *s);
		for (size_t n = step ? step : w.n;; n += step) {
			n = n < w.n ? n : w.n;
			why = take(l, dir,
				   span_sub(wbuf_span(&w), from, n - from),
				   &used);
			from += used;
			if (why || n == w.n)
				break;
		}
		if (why == REASON_NONE)
			assert_int_equal(from, w.n);
	}
	return why;
}

static void test_scripts(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	for (size_t i = 0; i < COUNT(scripts); i++) {
		enum reason why = play(l, scripts[i].script, 0);

		if (why != scripts[i].want ||
		    strcmp(kinds(l), scripts[i].kinds) != 0)
			fail_msg("%s: %s, %s", scripts[i].why,
				 reason_text(why), kinds(l));
	}
	lab_free(l);
}

/* The same however it is split: hellos, octets of the slices, the end. */
static void test_split(void **state)
{
	struct lab *l = lab_new(), *k = lab_new();

	(void)state;
	for (size_t i = 0; i < COUNT(scripts); i++) {
		play(l, scripts[i].script, 0);
		for (size_t step = 5; step < 60; step += 7) {
			uint64_t octets[2] = {0};
			uint32_t hello = 0;
			enum reason why = play(k, scripts[i].script, step);

			if (why != scripts[i].want)
				fail_msg("%s by %zu: %s", scripts[i].why, step,
					 reason_text(why));
			for (uint32_t a = 0; a < l->out.n; a++)
				octets[0] += obs_get(&l->obs[a], F_OCTETS, 0);
			for (uint32_t b = 0; b < k->out.n; b++) {
				octets[1] += obs_get(&k->obs[b], F_OCTETS, 0);
				if (k->obs[b].kind != OBS_TLS_HELLO)
					continue;
				while (l->obs[hello].kind != OBS_TLS_HELLO)
					hello++;
				assert_true(hello < l->out.n);
				assert_true(span_eq(
					obs_get_span(&k->obs[b], F_DNS_NAME),
					obs_get_span(&l->obs[hello],
						     F_DNS_NAME)));
				hello++;
			}
			assert_int_equal(octets[0], octets[1]);
		}
	}
	lab_free(k);
	lab_free(l);
}

static void test_facts(void **state)
{
	struct lab *l = lab_new();
	const struct obs *o = &l->obs[0];

	(void)state;
	assert_int_equal(play(l, ">c<n", 0), REASON_NONE);
	assert_true(span_is(obs_get_span(o, F_DNS_NAME), "meter.example"));
	assert_true(span_is(obs_get_span(o, F_ALPN), "h2"));
	assert_int_equal(obs_get(o, F_TLS_VERSION, 0), TLS_1_2);
	assert_false(obs_has(o, F_NOTE));
	assert_int_equal(obs_get(o, F_OCTETS, 0), obs_get(o + 1, F_OCTETS, 1));
	assert_false(obs_has(o + 2, F_DNS_NAME));
	assert_int_equal(obs_get(o + 2, F_TLS_VERSION, 0), TLS_1_3);
	assert_int_equal(play(l, ">c<o", 0), REASON_NONE);
	assert_int_equal(obs_get(o + 2, F_TLS_VERSION, 0), TLS_1_2);
	assert_true(span_is(obs_get_span(o + 2, F_ALPN), "h2"));
	lab_free(l);
}

/* --- many records, one unit -------------------------------------------------------- */

/* A client's hello with a ticket of n octets, in records of size. */
static size_t long_hello(uint8_t *to, size_t cap, size_t n, size_t size)
{
	static char ext[70000];
	static uint8_t msg[70000];
	struct wbuf x = wbuf_of(ext, sizeof(ext));
	struct wbuf m = wbuf_of(msg, sizeof(msg)), w = wbuf_of(to, cap);
	struct parts p = {0x0303, 0, 2, "", 1, ext, 0, false};

	wbuf_be(&x, 35, 2);
	wbuf_be(&x, n, 2);
	kit_fill(&x, n, 'x');
	p.ext_n = x.n;
	kit_hello(&m, TLS_CLIENT_HELLO, &p);
	kit_records(&w, 22, 0x0301, wbuf_span(&m), size);
	assert_false(w.failed);
	return w.n;
}

static void test_records(void **state)
{
	static uint8_t in[70000];
	struct lab *l = lab_new();
	size_t used;
	static const struct {
		const char *why;
		size_t n, size;
		bool framed;
		enum reason want;
	} rows[] = {
		{"two records",		      200,  128,   true,  0},
		{"an octet in each",	      100,  1,	   true,  0},
		{"the longest ticket",	      4064, 16384, true,  0},
		{"an octet more",	      4065, 16384, true,  REASON_TOO_LONG},
		{"the longest in one",	      8136, 16384, true,  REASON_TOO_LONG},
		{"an octet more",	      8137, 16384, false, REASON_TOO_LONG},
		{"twice the limit",	      16000, 16384, false, REASON_TOO_LONG},
		{"the longest in two",	      8131, 4096,  true,  REASON_TOO_LONG},
		{"an octet more in two",      8132, 4096,  false, REASON_TOO_LONG},
		{"too many records",	      1500, 1,	   false, REASON_TOO_LONG},
		{"a record in clear too long", 16500, 16600, false, REASON_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t n = long_hello(in, sizeof(in), rows[i].n, rows[i].size);
		enum reason why;
		size_t len;

		memset(&l->flow, 0, sizeof(l->flow));
		l->out = (struct obs_list){l->obs, 0, COUNT(l->obs)};
		if ((dissector_tls.frame(&l->c, span_of(in, n), &len, &l->e) ==
		     FRAME_UNIT) != rows[i].framed)
			fail_msg("%s: framed, or not", rows[i].why);
		why = take(l, DIR_OUT, span_of(in, n), &used);
		if (why != rows[i].want || (!why && used != n))
			fail_msg("%s: %s, %zu of %zu", rows[i].why,
				 reason_text(why), used, n);
	}
	lab_free(l);
}

/* What is still to come of a hello in one record is told. */
static void test_need(void **state)
{
	struct lab *l = lab_new();
	uint8_t in[1024];
	size_t n = long_hello(in, sizeof(in), 200, 16384), len;

	(void)state;
	for (size_t k = 0; k < n; k++) {
		assert_int_equal(dissector_tls.frame(&l->c, span_of(in, k),
						     &len, &l->e),
				 FRAME_MORE);
		assert_int_equal(len, k < 5 ? 5 : k < 9 ? 0 : n);
	}
	lab_free(l);
}

/* --- the middle of a connection ------------------------------------------------------ */

static void test_midstream(void **state)
{
	struct lab *l = lab_new();
	static const struct {
		const char *script, *kinds;
		enum reason want;
		bool noted;
	} rows[] = {
		{">##<#",  "oo", 0, true},
		{"<n#>#",  "hoo", 0, true},
		{">c<n#",  "hho", 0, false},
		{"<h>h#",  "", REASON_MALFORMED, false},
		{"<H#>H",  "", 0, true},
		{">#G",    "o", REASON_CHANGED_PROTOCOL, true},
	};

	(void)state;
	l->c.lenient = l->c.midstream = true;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum reason why = play(l, rows[i].script, 0);

		if (why != rows[i].want ||
		    (rows[i].kinds[0] && strcmp(kinds(l), rows[i].kinds) != 0))
			fail_msg("%s: %s, %s", rows[i].script,
				 reason_text(why), kinds(l));
		if (l->out.n)
			assert_int_equal(obs_get(&l->obs[0], F_NOTE, 0) ==
						 REASON_MIDSTREAM,
					 rows[i].noted);
	}
	lab_free(l);
}

static void test_leftover(void **state)
{
	struct lab *l = lab_new();

	(void)state;
	assert_int_equal(dissector_tls.leftover(&l->c, span_of(NULL, 0)),
			 REASON_NONE);
	assert_int_equal(dissector_tls.leftover(&l->c, span_of("\x16", 1)),
			 REASON_INCOMPLETE);
	lab_free(l);
}

/* No place for an observation: refused, and nothing is half said. */
static void test_full(void **state)
{
	struct lab *l = lab_new();
	uint8_t in[1024];
	size_t n = long_hello(in, sizeof(in), 20, 16384);

	(void)state;
	for (uint32_t cap = 0; cap < 2; cap++) {
		l->out = (struct obs_list){l->obs, 0, cap};
		assert_int_not_equal(dissector_tls.dissect(&l->c,
							   span_of(in, n),
							   &l->out, &l->e),
				     0);
		assert_int_equal(l->e.reason, REASON_TOO_MANY_UNITS);
		assert_int_equal(l->out.n, 0);
		dissector_tls.settle(&l->c, false);
		assert_int_equal(l->flow.stage, TLS_START);
	}
	lab_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recognise),
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_need),
		cmocka_unit_test(test_midstream),
		cmocka_unit_test(test_leftover),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
