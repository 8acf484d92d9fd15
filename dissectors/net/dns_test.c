/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/net/dns.h"

#include "core/wbuf.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* A header: id 0x1234, flags, and how many of each section. */
#define HEAD(flags, q, a, n, x) \
	"\x12\x34" flags "\0" q "\0" a "\0" n "\0" x
#define QUERY	 HEAD("\x01\x00", "\1", "\0", "\0", "\0")
#define ANSWER	 HEAD("\x81\x80", "\1", "\1", "\0", "\0")
#define NAME	 "\5meter\7example\0"
#define IN_A	 "\0\1\0\1"
#define RR(type, len) type "\0\1\0\0\0\x3c" len

#define OPTIONS(flags, len)                                                     \
	HEAD(flags, "\1", "\0", "\0", "\1") NAME IN_A "\0\0\x29\x10\0\0\0\0\0" len

#define ROW(why, text, want) {why, text, sizeof(text) - 1, want}
static const struct {
	const char *why, *octets;
	size_t n;
	enum reason want;
} rows[] = {
	ROW("a query", QUERY NAME IN_A, REASON_NONE),
	ROW("capital letters", QUERY "\5METER\7Example\0" IN_A, REASON_NONE),
	ROW("an underscore", QUERY "\5_ntp_\7example\0" IN_A, REASON_NONE),
	ROW("with OPT", HEAD("\x01\x20", "\1", "\0", "\0", "\1") NAME IN_A
	    "\0\0\x29\x10\0\0\0\0\0\0\0", REASON_NONE),
	ROW("with a cookie, padding and room for both",
	    OPTIONS("\x01\x20", "\0\x14")
	    "\0\x0a\0\x08" "cookie!!" "\0\x0c\0\4\0\0\0\0", REASON_NONE),
	ROW("with DO", HEAD("\x01\x20", "\1", "\0", "\0", "\1") NAME IN_A
	    "\0\0\x29\x10\0\0\0\x80\0\0\0", REASON_NONE),
	ROW("an answer that says what is wrong", OPTIONS("\x81\x82", "\0\x08")
	    "\0\x0f\0\4\0\x16" "no", REASON_NONE),
	ROW("an option of no table", OPTIONS("\x01\x20", "\0\x08")
	    "\xfd\xe9\0\4" "data", REASON_SUSPICIOUS),
	ROW("padding that says something", OPTIONS("\x01\x20", "\0\x08")
	    "\0\x0c\0\4" "data", REASON_SUSPICIOUS),
	ROW("a network of the asker", OPTIONS("\x01\x20", "\0\x0b")
	    "\0\x08\0\7\0\1\x18\0\x0a\x14\0", REASON_SUSPICIOUS),
	ROW("an option twice", OPTIONS("\x01\x20", "\0\x08")
	    "\0\x0c\0\0\0\x0c\0\0", REASON_SUSPICIOUS),
	ROW("the algorithms of a validator", OPTIONS("\x01\x20", "\0\7")
	    "\0\5\0\3\x08\x0d\x0f", REASON_SUSPICIOUS),
	ROW("octets that are no option", OPTIONS("\x01\x20", "\0\3")
	    "\xff\xff\xff", REASON_SUSPICIOUS),
	ROW("an option longer than the record", OPTIONS("\x01\x20", "\0\x06")
	    "\0\x0c\0\3\0\0", REASON_SUSPICIOUS),
	ROW("a text for people in a query", OPTIONS("\x01\x20", "\0\x08")
	    "\0\x0f\0\4\0\x16" "no", REASON_SUSPICIOUS),
	ROW("flags that nobody has given", HEAD("\x01\x20", "\1", "\0", "\0", "\1")
	    NAME IN_A "\0\0\x29\x10\0\0\0\0\1\0\0", REASON_SUSPICIOUS),
	ROW("a result in a query", HEAD("\x01\x20", "\1", "\0", "\0", "\1")
	    NAME IN_A "\0\0\x29\x10\0\1\0\0\0\0\0", REASON_SUSPICIOUS),
	ROW("an answer", ANSWER NAME IN_A
	    "\xc0\x0c" RR("\0\1", "\0\4") "\x0a\0\0\1", REASON_NONE),
	ROW("no such name", HEAD("\x81\x83", "\1", "\0", "\0", "\0") NAME IN_A,
	    REASON_NONE),
	ROW("another name for it", ANSWER NAME IN_A
	    "\xc0\x0c" RR("\0\5", "\0\4") "\1a\xc0\x12", REASON_NONE),

	ROW("nothing", "", REASON_MALFORMED),
	ROW("half a header", "\x12\x34\x01", REASON_MALFORMED),
	ROW("no question", HEAD("\x01\x00", "\0", "\0", "\0", "\0"),
	    REASON_SUSPICIOUS),
	ROW("two questions", HEAD("\x01\x00", "\2", "\0", "\0", "\0")
	    NAME IN_A NAME IN_A, REASON_SUSPICIOUS),
	ROW("an answer inside a query", HEAD("\x01\x00", "\1", "\1", "\0", "\0")
	    NAME IN_A "\xc0\x0c" RR("\0\1", "\0\4") "\x0a\0\0\1",
	    REASON_SUSPICIOUS),
	ROW("another operation", HEAD("\x29\x00", "\1", "\0", "\0", "\0")
	    NAME IN_A, REASON_SUSPICIOUS),
	ROW("the reserved bit", HEAD("\x01\x40", "\1", "\0", "\0", "\0")
	    NAME IN_A, REASON_SUSPICIOUS),
	ROW("a query with a result", HEAD("\x01\x03", "\1", "\0", "\0", "\0")
	    NAME IN_A, REASON_SUSPICIOUS),
	ROW("a query that is cut", HEAD("\x03\x00", "\1", "\0", "\0", "\0")
	    NAME IN_A, REASON_SUSPICIOUS),
	ROW("another class", QUERY NAME "\0\1\0\3", REASON_SUSPICIOUS),
	ROW("a zone transfer", QUERY NAME "\0\xfc\0\1", REASON_SUSPICIOUS),
	ROW("everything there is", QUERY NAME "\0\xff\0\1",
	    REASON_SUSPICIOUS),
	ROW("type 0", QUERY NAME "\0\0\0\1", REASON_SUSPICIOUS),
	ROW("the root's servers", QUERY "\0" "\0\2\0\1", REASON_NONE),
	ROW("the root's keys", QUERY "\0" "\0\x30\0\1", REASON_NONE),
	ROW("the root's address", QUERY "\0" IN_A, REASON_SUSPICIOUS),
	ROW("text of the root", QUERY "\0" "\0\x10\0\1", REASON_SUSPICIOUS),
	ROW("an answer without its question that says so",
	    HEAD("\x81\x81", "\0", "\0", "\0", "\0"), REASON_NONE),
	ROW("one of a server that does not do that",
	    HEAD("\x81\x84", "\0", "\0", "\0", "\0"), REASON_NONE),
	ROW("an answer without its question that is none",
	    HEAD("\x81\x80", "\0", "\0", "\0", "\0"), REASON_SUSPICIOUS),
	ROW("an error in a query", HEAD("\x01\x01", "\0", "\0", "\0", "\0"),
	    REASON_SUSPICIOUS),
	ROW("an error with a record", HEAD("\x81\x81", "\0", "\0", "\0", "\1")
	    "\0\0\x29\x10\0\0\0\0\0\0\0", REASON_SUSPICIOUS),
	ROW("an error with octets behind",
	    HEAD("\x81\x81", "\0", "\0", "\0", "\0") "x", REASON_SUSPICIOUS),
	ROW("a name without its end", QUERY "\5meter", REASON_MALFORMED),
	ROW("an octet no name has", QUERY "\5me.er\0" IN_A, REASON_MALFORMED),
	ROW("a space", QUERY "\5me er\0" IN_A, REASON_MALFORMED),
	ROW("beyond ASCII", QUERY "\5m\xc3\xa9r \0" IN_A, REASON_MALFORMED),
	ROW("a pointer in a question", QUERY "\xc0\x0c" IN_A,
	    REASON_MALFORMED),
	ROW("a label of another kind", QUERY "\x45meter\0" IN_A,
	    REASON_MALFORMED),
	ROW("no class", QUERY NAME "\0\1", REASON_SUSPICIOUS),
	ROW("octets behind", QUERY NAME IN_A "x", REASON_SUSPICIOUS),
	ROW("a pointer to itself", ANSWER NAME IN_A
	    "\xc0\x1f" RR("\0\1", "\0\4") "\x0a\0\0\1", REASON_MALFORMED),
	ROW("a pointer forward", ANSWER NAME IN_A
	    "\xc0\x30" RR("\0\1", "\0\4") "\x0a\0\0\1", REASON_MALFORMED),
	ROW("a pointer into the header", ANSWER NAME IN_A
	    "\xc0\x02" RR("\0\1", "\0\4") "\x0a\0\0\1", REASON_MALFORMED),
	ROW("an address of five octets", ANSWER NAME IN_A
	    "\xc0\x0c" RR("\0\1", "\0\5") "\x0a\0\0\1\1", REASON_MALFORMED),
	ROW("a name with octets behind it", ANSWER NAME IN_A
	    "\xc0\x0c" RR("\0\5", "\0\5") "\1a\xc0\x12x", REASON_MALFORMED),
	ROW("data that is cut", ANSWER NAME IN_A
	    "\xc0\x0c" RR("\0\1", "\0\4") "\x0a\0", REASON_MALFORMED),
	ROW("fewer records than said", ANSWER NAME IN_A, REASON_MALFORMED),
	ROW("a record of another class", ANSWER NAME IN_A
	    "\xc0\x0c\0\1\0\3\0\0\0\x3c\0\4\x0a\0\0\1", REASON_SUSPICIOUS),
	ROW("OPT twice", HEAD("\x81\x80", "\1", "\0", "\0", "\2") NAME IN_A
	    "\0\0\x29\x10\0\0\0\0\0\0\0" "\0\0\x29\x10\0\0\0\0\0\0\0",
	    REASON_SUSPICIOUS),
	ROW("OPT of another version",
	    HEAD("\x01\x00", "\1", "\0", "\0", "\1") NAME IN_A
	    "\0\0\x29\x10\0\0\1\0\0\0\0", REASON_SUSPICIOUS),
	ROW("a record that is no OPT in a query",
	    HEAD("\x01\x00", "\1", "\0", "\0", "\1") NAME IN_A
	    "\xc0\x0c" RR("\0\1", "\0\4") "\x0a\0\0\1", REASON_SUSPICIOUS),
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint8_t memory[1024];
		struct arena a = arena_of(memory, sizeof(memory));
		struct dns_message m;
		struct err e = {0};
		int rc = dns_read(&m, span_of(rows[i].octets, rows[i].n), &a,
				  &e);

		if ((rc == 0 ? REASON_NONE : (enum reason)e.reason) !=
		    rows[i].want)
			fail_msg("%s: %s, not %s", rows[i].why,
				 reason_text((enum reason)e.reason),
				 reason_text(rows[i].want));
	}
}

static void test_long_names(void **state)
{
	uint8_t memory[1024], q[400];
	struct arena a = arena_of(memory, sizeof(memory));
	struct dns_message m;
	struct err e = {0};

	(void)state;
	/* Three labels of 63 and one of 61 are 255 octets, the longest. */
	for (int last = 61; last <= 62; last++) {
		struct wbuf w = wbuf_of(q, sizeof(q));

		wbuf_put(&w, span_of(QUERY, 12));
		for (int l = 0; l < 4; l++) {
			size_t n = l < 3 ? 63 : (size_t)last;

			wbuf_u8(&w, (uint8_t)n);
			memset(wbuf_room(&w, n), 'a', n);
		}
		wbuf_put(&w, span_of("\0" IN_A, 5));
		assert_false(w.failed);
		assert_int_equal(dns_read(&m, wbuf_span(&w), &a, &e) == 0,
				 last == 61);
		if (last == 61)
			assert_int_equal(m.name.n, DNS_NAME_MAX);
	}
}

/* --- what a name stands for ------------------------------------------------- */

#define A1   "\x0a\0\0\1"
#define A2   "\x0a\0\0\2"
#define A16  "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
#define IN_6 "\0\x1c\0\1"
#define TOLD(n) HEAD("\x81\x80", "\1", n, "\0", "\0") NAME
#define POOL "\4pool\7example\0"

/* Addresses by their last octets. */
static const struct {
	const char *why, *octets;
	size_t n;
	const char *last;
	uint32_t ttl;
} stands[] = {
#define ROW2(why, text, last, ttl) {why, text, sizeof(text) - 1, last, ttl}
	ROW2("an address", TOLD("\1") IN_A "\xc0\x0c" RR("\0\1", "\0\4") A1,
	     "\1", 60),
	ROW2("two, the shorter time", TOLD("\2") IN_A
	     "\xc0\x0c\0\1\0\1\0\0\1\0\0\4" A1
	     "\xc0\x0c\0\1\0\1\0\0\0\x1e\0\4" A2, "\1\2", 30),
	ROW2("of the other family", TOLD("\1") IN_6
	     "\xc0\x0c" RR("\0\x1c", "\0\x10") A16, "\1", 60),
	ROW2("not of the family that was asked for", TOLD("\1") IN_A
	     "\xc0\x0c" RR("\0\x1c", "\0\x10") A16, "", 0),
	ROW2("along an alias", TOLD("\2") IN_A
	     "\xc0\x0c\0\5\0\1\0\0\0\x0a\0\x0e" POOL
	     POOL RR("\0\1", "\0\4") A1, "\1", 10),
	ROW2("the alias behind the address", TOLD("\2") IN_A
	     POOL RR("\0\1", "\0\4") A1
	     "\xc0\x0c" RR("\0\5", "\0\x0e") POOL, "\1", 60),
	ROW2("an alias in capitals", TOLD("\2") IN_A
	     "\xc0\x0c" RR("\0\5", "\0\x0e") "\4POOL\7example\0"
	     POOL RR("\0\1", "\0\4") A1, "\1", 60),
	ROW2("of two aliases the first", TOLD("\4") IN_A
	     "\xc0\x0c" RR("\0\5", "\0\x0e") POOL
	     "\xc0\x0c" RR("\0\5", "\0\x0f") "\5other\7example\0"
	     "\5other\7example\0" RR("\0\1", "\0\4") A2
	     POOL RR("\0\1", "\0\4") A1, "\1", 60),
	ROW2("an alias of itself", TOLD("\1") IN_A
	     "\xc0\x0c" RR("\0\5", "\0\x0f") "\5meter\7example\0", "", 0),
	ROW2("an address of another name", TOLD("\1") IN_A
	     POOL RR("\0\1", "\0\4") A1, "", 0),
	ROW2("an alias of another name", TOLD("\2") IN_A
	     POOL RR("\0\5", "\0\x0f") "\5meter\7example\0"
	     POOL RR("\0\1", "\0\4") A1, "", 0),
	ROW2("a name that says it itself", TOLD("\1") IN_A
	     "\x0e" "meter.example\0" "\0" RR("\0\1", "\0\4") A1, "", 0),
	ROW2("no such name", HEAD("\x81\x83", "\1", "\1", "\0", "\0") NAME IN_A
	     "\xc0\x0c" RR("\0\1", "\0\4") A1, "", 0),
	ROW2("not in the answer section",
	     HEAD("\x81\x80", "\1", "\0", "\0", "\1") NAME IN_A
	     "\xc0\x0c" RR("\0\1", "\0\4") A1, "", 0),
	ROW2("of another type", TOLD("\1") "\0\x10\0\1"
	     "\xc0\x0c" RR("\0\x10", "\0\4") "\3abc", "", 0),
};

static void test_stands_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stands) / sizeof(*stands); i++) {
		uint8_t memory[1024];
		struct arena a = arena_of(memory, sizeof(memory));
		struct dns_message m;
		struct err e = {0};
		size_t n = strlen(stands[i].last);

		if (dns_read(&m, span_of(stands[i].octets, stands[i].n), &a,
			     &e))
			fail_msg("%s: %s", stands[i].why, e.text);
		if (m.n_addr != n || (n && m.ttl != stands[i].ttl))
			fail_msg("%s: %u, %u s", stands[i].why, m.n_addr,
				 m.ttl);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(m.addr[k].b[15], stands[i].last[k]);
	}
}

/* As many as there is room for, and along as many names. */
static void test_stands_for_many(void **state)
{
	uint8_t memory[1024], q[2000];
	struct arena a = arena_of(memory, sizeof(memory));
	struct dns_message m;
	struct err e = {0};

	(void)state;
	for (int hops = DNS_ALIASES_MAX; hops <= DNS_ALIASES_MAX + 1; hops++) {
		struct wbuf w = wbuf_of(q, sizeof(q));

		wbuf_put(&w, span_of("\x12\x34\x81\x80\0\1\0", 7));
		wbuf_u8(&w, (uint8_t)(hops + DNS_ADDRESSES_MAX + 4));
		wbuf_put(&w, span_of("\0\0\0\0\1a\0" IN_A, 11));
		for (int i = 0; i < hops; i++) {
			uint8_t from[] = {1, (uint8_t)('a' + i), 0};
			uint8_t to[] = {1, (uint8_t)('b' + i), 0};

			wbuf_put(&w, span_of(from, 3));
			wbuf_put(&w, span_of(RR("\0\5", "\0\3"), 10));
			wbuf_put(&w, span_of(to, 3));
		}
		for (int i = 0; i < DNS_ADDRESSES_MAX + 4; i++) {
			uint8_t of[] = {1, (uint8_t)('a' + hops), 0};

			wbuf_put(&w, span_of(of, 3));
			wbuf_put(&w, span_of(RR("\0\1", "\0\4"), 10));
			wbuf_be(&w, 0x0a000000u + (unsigned)i, 4);
		}
		assert_false(w.failed);
		assert_int_equal(dns_read(&m, wbuf_span(&w), &a, &e), 0);
		assert_int_equal(m.n_addr, hops == DNS_ALIASES_MAX
						   ? DNS_ADDRESSES_MAX
						   : 0);
	}
}

/* --- queries and answers ---------------------------------------------------- */

struct lab {
	void *machine;
	uint8_t memory[1024];
	struct arena arena;
	struct dis_ctx c;
	struct obs obs[4];
	/* Of answers: another server, and another port that hears them. */
	uint8_t server;
	uint16_t port;
};

static int say(struct lab *l, const char *octets, size_t n, bool out,
	       bool passed, enum reason *why)
{
	struct obs_list list = {l->obs, 0, 4};
	struct err e = {0};
	int rc;

	arena_reset(&l->arena);
	l->c.tup = (struct net_tuple){.proto = 17};
	l->c.tup.src.b[15] = out ? 10 : 1;
	l->c.tup.dst.b[15] = out ? 1 : 10;
	l->c.tup.sport = out ? 40000 : 53;
	l->c.tup.dport = out ? 53 : 40000;
	if (!out && l->server)
		l->c.tup.src.b[15] = l->server;
	if (!out && l->port)
		l->c.tup.dport = l->port;
	rc = dissector_dns.dissect(&l->c, span_of(octets, n), &list, &e);
	dissector_dns.settle(&l->c, rc == 0 && passed);
	*why = rc == 0 ? REASON_NONE : (enum reason)e.reason;
	return rc == 0 ? (int)list.n : -1;
}

static void test_pairs(void **state)
{
	static const char q[] = QUERY NAME IN_A;
	static const char a[] = HEAD("\x81\x83", "\1", "\0", "\0", "\0")
		NAME IN_A;
	static const char other[] = HEAD("\x81\x83", "\1", "\0", "\0", "\0")
		"\5other\7example\0" IN_A;
	static const char bare[] = HEAD("\x81\x81", "\0", "\0", "\0", "\0");
	struct lab l = {.machine = calloc(1, dissector_dns.machine_size)};
	enum reason why;

	(void)state;
	assert_non_null(l.machine);
	l.arena = arena_of(l.memory, sizeof(l.memory));
	l.c.machine = l.machine;
	l.c.arena = &l.arena;
	l.c.now.mono.ns = 1;
	dissector_dns.machine_init(l.machine, NULL);
	/* An answer to nothing. */
	assert_int_equal(say(&l, a, sizeof(a) - 1, false, true, &why), -1);
	assert_int_equal(why, REASON_UNPAIRED);
	/* To a query that was refused. */
	assert_int_equal(say(&l, q, sizeof(q) - 1, true, false, &why), 2);
	assert_int_equal(say(&l, a, sizeof(a) - 1, false, true, &why), -1);
	/* To one that passed: once, and only for what was asked. */
	assert_int_equal(say(&l, q, sizeof(q) - 1, true, true, &why), 2);
	assert_int_equal(l.obs[1].kind, OBS_DNS_QUERY);
	assert_true(span_is(obs_get_span(&l.obs[1], F_DNS_NAME),
			    "meter.example"));
	assert_int_equal(say(&l, other, sizeof(other) - 1, false, true, &why),
			 -1);
	/* Of who was asked, to the port that asked. */
	l.server = 2;
	assert_int_equal(say(&l, a, sizeof(a) - 1, false, true, &why), -1);
	assert_int_equal(why, REASON_UNPAIRED);
	l.server = 0;
	l.port = 40001;
	assert_int_equal(say(&l, a, sizeof(a) - 1, false, true, &why), -1);
	assert_int_equal(why, REASON_UNPAIRED);
	l.port = 0;
	/* Refused by policy, it may come again. */
	assert_int_equal(say(&l, a, sizeof(a) - 1, false, false, &why), 2);
	assert_int_equal(say(&l, a, sizeof(a) - 1, false, true, &why), 2);
	assert_int_equal(l.obs[1].kind, OBS_DNS_ANSWER);
	assert_int_equal(say(&l, a, sizeof(a) - 1, false, true, &why), -1);
	/* An error without its question is to that of its number, once. */
	assert_int_equal(say(&l, bare, sizeof(bare) - 1, false, true, &why),
			 -1);
	assert_int_equal(why, REASON_UNPAIRED);
	assert_int_equal(say(&l, q, sizeof(q) - 1, true, true, &why), 2);
	assert_int_equal(say(&l, bare, sizeof(bare) - 1, false, true, &why), 2);
	assert_int_equal(l.obs[1].kind, OBS_DNS_ANSWER);
	assert_true(span_is(obs_get_span(&l.obs[1], F_DNS_NAME),
			    "meter.example"));
	assert_int_equal(say(&l, bare, sizeof(bare) - 1, false, true, &why),
			 -1);
	/* Not after the time a resolver has. */
	assert_int_equal(say(&l, q, sizeof(q) - 1, true, true, &why), 2);
	l.c.now.mono.ns += DNS_WAIT_NS + 1;
	assert_int_equal(say(&l, a, sizeof(a) - 1, false, true, &why), -1);
	free(l.machine);
}

/* Over TCP no port but its own makes another protocol wait for a header. */
static const struct {
	const char *why, *octets;
	size_t n;
	uint16_t port;
	uint8_t proto;
	enum recognise want;
} looks[] = {
	{"a query over TCP", "\0\x1f" QUERY NAME IN_A, 33, 53, PROTO_TCP,
	 RECOGNISE_MAYBE},
	{"on another port", "\0\x1f" QUERY NAME IN_A, 33, 4000, PROTO_TCP,
	 RECOGNISE_SURE},
	{"what follows there says no more", "\1\x1f" QUERY NAME IN_A "\xff", 34,
	 4000, PROTO_TCP, RECOGNISE_SURE},
	{"an answer there", "\0\x1f" ANSWER NAME IN_A, 33, 4000, PROTO_TCP,
	 RECOGNISE_SURE},
	{"its first octet there", "\0", 1, 4000, PROTO_TCP, RECOGNISE_BEGUN},
	{"of none", "\x20", 1, 4000, PROTO_TCP, RECOGNISE_NO},
	{"its length there", "\0\x1f", 2, 4000, PROTO_TCP, RECOGNISE_BEGUN},
	{"a length of none", "\0\x10", 2, 4000, PROTO_TCP, RECOGNISE_NO},
	{"its header but for an octet", "\0\x1f" QUERY, 13, 4000, PROTO_TCP,
	 RECOGNISE_BEGUN},
	{"its header", "\0\x1f" QUERY, 14, 4000, PROTO_TCP, RECOGNISE_LIKELY},
	{"half a name", "\0\x1f" QUERY NAME, 20, 4000, PROTO_TCP,
	 RECOGNISE_LIKELY},
	{"a name and no type", "\0\x1f" QUERY NAME, 31, 4000, PROTO_TCP,
	 RECOGNISE_LIKELY},
	{"no name", "\0\x1f" QUERY "\5me\1er", 20, 4000, PROTO_TCP,
	 RECOGNISE_NO},
	{"another class", "\0\x1f" QUERY NAME "\0\1\0\3", 33, 4000,
	 PROTO_TCP, RECOGNISE_NO},
	{"a length that ends in the name", "\0\x18" QUERY NAME IN_A, 33, 4000,
	 PROTO_TCP, RECOGNISE_NO},
	{"other flags", "\0\x1f\0\0\2", 5, 4000, PROTO_TCP, RECOGNISE_NO},
	{"two questions", "\0\x1f\x12\x34\1\0\0\2", 8, 4000, PROTO_TCP,
	 RECOGNISE_NO},
	{"Modbus", "\0\x1f\0\0\0\6\1\3\0\0\0\1", 12, 4000, PROTO_TCP,
	 RECOGNISE_NO},
	{"zeros", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, 4000, PROTO_TCP,
	 RECOGNISE_NO},
	{"TLS", "\x16\3\1\0\x2d\1\0", 7, 4000, PROTO_TCP, RECOGNISE_NO},
	{"TLS on our port", "\x16\3\1\0", 4, 53, PROTO_TCP, RECOGNISE_MAYBE},
	{"a query over UDP", QUERY NAME IN_A, 31, 4000, PROTO_UDP,
	 RECOGNISE_SURE},
	{"an error without its question",
	 HEAD("\x81\x81", "\0", "\0", "\0", "\0"), 12, 4000, PROTO_UDP,
	 RECOGNISE_NO},
	{"half a query", QUERY NAME, 27, 4000, PROTO_UDP, RECOGNISE_NO},
	{"on the port of mDNS", "x", 1, 5353, PROTO_UDP, RECOGNISE_MAYBE},
};

static void test_recognise(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
		enum recognise r = dissector_dns.recognise(
			span_of(looks[i].octets, looks[i].n), 50000,
			looks[i].port, looks[i].proto);

		if (r != looks[i].want)
			fail_msg("%s: %d", looks[i].why, (int)r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_stands_for),
		cmocka_unit_test(test_stands_for_many),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_recognise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
