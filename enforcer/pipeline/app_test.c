/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nDPI as a classifier: what it calls what, and that it stays within its
 * octets and its memory whatever it hears.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "enforcer/pipeline/app.h"

#define FLOWS 64
#define D(s)  s, sizeof(s) - 1

/* A hello for www.example, TLS 1.3 only. */
#define HELLO                                                                  \
	"\x16\x03\x01\x00\x5a\x01\x00\x00\x56\x03\x03\x11" \
	"\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11" \
	"\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11" \
	"\x11\x11\x11\x11\x11\x11\x11\x00\x00\x02\x13\x01" \
	"\x01\x00\x00\x2b\x00\x00\x00\x10\x00\x0e\x00\x00" \
	"\x0b\x77\x77\x77\x2e\x65\x78\x61\x6d\x70\x6c\x65" \
	"\x00\x2b\x00\x03\x02\x03\x04\x00\x0a\x00\x04\x00" \
	"\x02\x00\x1d\x00\x0d\x00\x04\x00\x02\x04\x03"
#define ASK                                                                    \
	"\x12\x34\1\0\0\1\0\0\0\0\0\0"                                         \
	"\4tips\7example\0\0\1\0\1"
#define Z8   "\0\0\0\0\0\0\0\0"
#define TIME "\x23\2\6\xec" Z8 "\0\0\0\0" Z8 Z8 Z8 "\1\2\3\4\5\6\7\1"
#define GET  "GET /index HTTP/1.1\r\nHost: www.example\r\n\r\n"
#define NOISE "\x9c\x51\xe0\x07\xb4\x88\x2d\x13\xfe\x6a\x91\xc8\x35"

struct said {
	unsigned side;
	const char *octets;
	size_t n;
};

static const struct row {
	const char *why;
	uint8_t proto;
	uint16_t port; /* of the other end */
	struct said said[4];
	const char *name; /* NULL: none */
	enum confidence confidence;
} rows[] = {
	{"a question", PROTO_UDP, 53, {{0, D(ASK)}}, "DNS", CONFIDENCE_OCTETS},
	{"the time", PROTO_UDP, 123, {{0, D(TIME)}}, "NTP", CONFIDENCE_OCTETS},
	{"a request", PROTO_TCP, 80, {{0, D(GET)}}, "HTTP", CONFIDENCE_OCTETS},
	{"a request where nobody expects one",
	 PROTO_TCP,
	 1153,
	 {{0, D(GET)}},
	 "HTTP",
	 CONFIDENCE_OCTETS},
	{"a request in two pieces",
	 PROTO_TCP,
	 80,
	 {{0, D("GET /index HT")}, {0, D("TP/1.1\r\nHost: a.example\r\n\r\n")}},
	 "HTTP",
	 CONFIDENCE_OCTETS},
	{"a hello", PROTO_TCP, 443, {{0, D(HELLO)}}, "TLS", CONFIDENCE_OCTETS},
	{"a hello on the port of C12.22",
	 PROTO_TCP,
	 1153,
	 {{0, D(HELLO)}},
	 "TLS",
	 CONFIDENCE_OCTETS},
	{"SSH on the port of C12.22",
	 PROTO_TCP,
	 1153,
	 {{1, D("SSH-2.0-OpenSSH_9.2\r\n")}, {0, D("SSH-2.0-OpenSSH_9.2\r\n")}},
	 "SSH",
	 CONFIDENCE_OCTETS},
	{"noise on the port of SSH",
	 PROTO_TCP,
	 22,
	 {{0, D(NOISE)}},
	 "SSH",
	 CONFIDENCE_PORT},
	{"noise where nobody is expected",
	 PROTO_TCP,
	 40404,
	 {{0, D(NOISE)}, {1, D(NOISE)}},
	 NULL,
	 CONFIDENCE_NONE},
	{"nothing but headers", PROTO_TCP, 80, {{0, D("")}}, NULL,
	 CONFIDENCE_NONE},
	{"neither TCP nor UDP", PROTO_ICMP, 0, {{0, D(GET)}}, NULL,
	 CONFIDENCE_NONE},
	{"what is off", PROTO_TCP, 6881,
	 {{0, D("\x13" "BitTorrent protocol" Z8 Z8 Z8 Z8 Z8 Z8)}}, NULL,
	 CONFIDENCE_NONE},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static struct net_tuple tuple(const struct row *r, uint32_t flow, bool six)
{
	struct net_tuple t = {.sport = (uint16_t)(40000 + flow),
			      .dport = r->port,
			      .proto = r->proto};

	if (six) {
		memcpy(t.src.b, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
		memcpy(t.dst.b, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2", 16);
	} else {
		memcpy(t.src.b, Z8 "\0\0\xff\xff\x0a\x14\0\x0a", 16);
		memcpy(t.dst.b, Z8 "\0\0\xff\xff\x0a\x14\0\1", 16);
	}
	return t;
}

static struct app_ndpi *new_app(uint32_t slots, uint32_t slot_octets)
{
	struct app_conf conf = {FLOWS, slots, slot_octets};
	struct app_ndpi *a = NULL;
	struct err e = {0};

	if (app_new(&a, &conf, &e) < 0)
		fail_msg("%s", e.text);
	return a;
}

static void say(struct app_ndpi *a, uint32_t flow, const struct net_tuple *t,
		unsigned side, const void *octets, size_t n)
{
	static const struct now now = {{1}, {1795608000000000, 0, 0, true}};
	const struct classifier *c = app_classifier(a);
	uint8_t *own = malloc(n ? n : 1); /* whoever reads on is found out */

	memcpy(own, octets, n);
	c->hear(c->arg, flow, t, side, span_of(own, n), now);
	free(own);
}

static void expect(const struct app_ndpi *a, uint32_t flow, const char *why,
		   const char *name, enum confidence by)
{
	const struct classifier *c = app_classifier(a);
	struct app got = {.name = ""};
	bool any = c->answer(c->arg, flow, &got);

	if (any != (name != NULL) ||
	    (any && (strcmp(got.name, name) != 0 || got.confidence != by)))
		fail_msg("%s: %s by %s", why, any ? got.name : "nothing",
			 confidence_name(got.confidence));
}

static void names(void **state)
{
	struct app_ndpi *a = new_app(0, 0);
	const struct classifier *c = app_classifier(a);

	(void)state;
	/* Twice, so that each is heard after all others, too. */
	for (size_t i = 0; i < 4 * ROWS; i++) {
		const struct row *r = &rows[i % ROWS];
		uint32_t flow = (uint32_t)(i % FLOWS);
		struct net_tuple t = tuple(r, flow, i / ROWS % 2);

		c->begin(c->arg, flow);
		for (size_t s = 0; s < 4 && r->said[s].octets; s++)
			say(a, flow, &t, r->said[s].side, r->said[s].octets,
			    r->said[s].n);
		c->end(c->arg, flow);
		expect(a, flow, r->why, r->name, r->confidence);
	}
	assert_int_equal(app_stats(a).in_use, 0);
	assert_int_equal(app_stats(a).exhausted, 0);
	app_free(a);
}

/* All at once, one piece of each in turn: nobody takes another's. */
static void names_together(void **state)
{
	struct app_ndpi *a = new_app(0, 0);
	const struct classifier *c = app_classifier(a);

	(void)state;
	for (uint32_t i = 0; i < ROWS; i++)
		c->begin(c->arg, i);
	for (size_t s = 0; s < 4; s++) {
		for (uint32_t i = 0; i < ROWS; i++) {
			const struct row *r = &rows[i];
			struct net_tuple t = tuple(r, i, false);

			if (r->said[s].octets)
				say(a, i, &t, r->said[s].side,
				    r->said[s].octets, r->said[s].n);
		}
	}
	for (uint32_t i = 0; i < ROWS; i++) {
		c->end(c->arg, i);
		expect(a, i, rows[i].why, rows[i].name, rows[i].confidence);
	}
	assert_int_equal(app_stats(a).in_use, 0);
	app_free(a);
}

static void noise(struct app_ndpi *a, uint32_t flow, size_t n)
{
	struct row r = {.proto = PROTO_TCP, .port = 40404};
	struct net_tuple t = tuple(&r, flow, false);
	uint8_t b[64 * 1024];

	assert_true(n <= sizeof(b));
	for (size_t i = 0; i < n; i++)
		b[i] = (uint8_t)(0x80 | (i * 37 + flow));
	say(a, flow, &t, 0, b, n);
}

static void a_request(struct app_ndpi *a, uint32_t flow)
{
	const struct classifier *c = app_classifier(a);
	struct row r = {.proto = PROTO_TCP, .port = 80};
	struct net_tuple t = tuple(&r, flow, false);

	c->begin(c->arg, flow);
	say(a, flow, &t, 0, D(GET));
	expect(a, flow, "a request", "HTTP", CONFIDENCE_OCTETS);
	c->end(c->arg, flow);
}

#define PIECES ((APP_OCTETS + APP_PACKET - 1) / APP_PACKET)

/* So many octets in so many packets, then no more. */
static void bounds(void **state)
{
	static const struct {
		const char *why;
		size_t times, n, packets;
	} cases[] = {
		{"small ones",	      100, 10,	  APP_PACKETS},
		{"one that is large", 1,   65536, PIECES},
		{"large ones",	      9,   9000,  PIECES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct app_ndpi *a = new_app(0, 0);
		const struct classifier *c = app_classifier(a);

		c->begin(c->arg, 1);
		for (size_t t = 0; t < cases[i].times; t++)
			noise(a, 1, cases[i].n);
		if (app_stats(a).packets != cases[i].packets)
			fail_msg("%s: %llu packets", cases[i].why,
				 (unsigned long long)app_stats(a).packets);
		assert_int_equal(app_stats(a).in_use, 0);
		app_free(a);
	}
}

/* More flows than places: who had one longest goes without a name. */
static void displaced(void **state)
{
	struct app_ndpi *a = new_app(4, 0);
	const struct classifier *c = app_classifier(a);

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		c->begin(c->arg, i);
		noise(a, i, 20);
	}
	assert_int_equal(app_stats(a).displaced, 6);
	assert_int_equal(app_stats(a).in_use, 4);
	/* It was given up: it does not take a place again. */
	noise(a, 0, 20);
	assert_int_equal(app_stats(a).displaced, 6);
	a_request(a, 20);
	for (uint32_t i = 0; i < 10; i++)
		c->end(c->arg, i);
	assert_int_equal(app_stats(a).in_use, 0);
	/* A flow whose number is given to another one, without an end. */
	c->begin(c->arg, 1);
	noise(a, 1, 20);
	c->begin(c->arg, 1);
	assert_int_equal(app_stats(a).in_use, 0);
	app_free(a);
}

/* Places that are too small: no name, and nothing is lost, however often. */
static void exhausted(void **state)
{
	struct app_ndpi *a = new_app(2, 1024);
	const struct classifier *c = app_classifier(a);
	struct row r = {.proto = PROTO_TCP, .port = 443};
	size_t tables = app_stats(a).tables;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct net_tuple t = tuple(&r, i % FLOWS, false);

		c->begin(c->arg, i % FLOWS);
		say(a, i % FLOWS, &t, 0, D(HELLO));
		c->end(c->arg, i % FLOWS);
		expect(a, i % FLOWS, "exhausted", NULL, CONFIDENCE_NONE);
		assert_int_equal(app_stats(a).in_use, 0);
		a_request(a, (i + 1) % FLOWS);
	}
	assert_int_equal(app_stats(a).exhausted, 1000);
	assert_int_equal(app_stats(a).tables, tables);
	app_free(a);
}

/* Two at once, as threads of a replay have them. */
static void two(void **state)
{
	struct app_ndpi *a = new_app(0, 0), *b = new_app(0, 0);

	(void)state;
	a_request(a, 1);
	a_request(b, 1);
	app_free(a);
	a_request(b, 2);
	app_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),     cmocka_unit_test(names_together),
		cmocka_unit_test(bounds),    cmocka_unit_test(displaced),
		cmocka_unit_test(exhausted), cmocka_unit_test(two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
