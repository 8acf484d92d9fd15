/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/net/dhcp.h"

#include "core/wbuf.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

#define COUNT(a)   (sizeof(a) / sizeof(*(a)))
#define HELD(s)	   (s), sizeof(s) - 1
#define TYPE(t)	   "\x35\1" t
#define END	   "\xff"
#define DISCOVER   TYPE("\1")
#define REQUEST	   TYPE("\3")
#define OFFER	   TYPE("\2")
#define ACK	   TYPE("\5")
#define ASKS	   "\x37\4\1\3\6\x2a"
#define SERVER_ID  "\x36\4\x0a\0\0\1"

/* Where a field lies. */
enum { OP, HTYPE, HLEN, HOPS, XID = 4, FLAGS = 10, CIADDR = 12, YIADDR = 16,
       SIADDR = 20, GIADDR = 24, CHADDR = 28, SNAME = 44, FILE_NAME = 108,
       COOKIE = 236, OPTIONS = 240 };

static size_t make(uint8_t *to, size_t cap, uint8_t op, const char *options,
		   size_t n)
{
	struct wbuf w = wbuf_of(to, cap);
	uint8_t *at = wbuf_room(&w, OPTIONS);

	assert_non_null(at);
	memset(at, 0, OPTIONS);
	at[OP] = op;
	at[HTYPE] = 1;
	at[HLEN] = 6;
	memcpy(at + XID, "\1\2\3\4", 4);
	memcpy(at + CHADDR, "\2\0\0\0\0\7", 6);
	memcpy(at + COOKIE, "\x63\x82\x53\x63", 4);
	wbuf_put(&w, span_of(options, n));
	assert_false(w.failed);
	return w.n;
}

static enum reason read_octets(struct dhcp_message *m, struct span in)
{
	struct err e = {0};

	return dhcp_read(m, in, &e) ? (enum reason)e.reason : REASON_NONE;
}

static const struct {
	const char *why;
	uint8_t op;
	const char *options;
	size_t n;
	enum reason want;
} rows[] = {
	{"discover", 1, HELD(DISCOVER ASKS END), 0},
	{"padded", 1, HELD("\0\0" DISCOVER "\0" END "\0\0\0"), 0},
	{"request", 1, HELD(REQUEST "\x32\4\x0a\0\0\7" SERVER_ID ASKS
			    "\x0c\5meter" END), 0},
	{"with rapid commit", 1, HELD(DISCOVER "\x50\0" END), 0},
	{"with an identifier", 1, HELD(DISCOVER "\x3d\7\1\2\0\0\0\0\7" END), 0},
	{"as dhcpcd asks", 1, HELD(DISCOVER ASKS "\x91\1\1" END), 0},
	{"as firmware asks", 1, HELD(DISCOVER "\x5d\2\0\7" "\x5e\3\1\3\x10"
				     "\x61\x11\0" "0123456789abcdef" END), 0},
	{"algorithms of a forced renewal", 1, HELD(DISCOVER "\x91\2\1\2" END),
	 REASON_MALFORMED},
	{"half an identifier", 1, HELD(DISCOVER "\x61\x10\0" "0123456789abcde"
				       END), REASON_MALFORMED},
	{"a user's class", 1, HELD(DISCOVER "\x4d\2ab" END),
	 REASON_SUSPICIOUS},
	{"release", 1, HELD(TYPE("\7") SERVER_ID END), 0},
	{"inform", 1, HELD(TYPE("\x08") END), 0},
	{"offer", 2, HELD(OFFER SERVER_ID "\x33\4\0\0\x0e\x10"
			  "\1\4\xff\xff\xff\0" "\3\4\x0a\0\0\1" END), 0},
	{"ack with routes", 2, HELD(ACK SERVER_ID "\x79\5\0\x0a\0\0\1" END), 0},
	{"what clients ask for and servers add", 2,
	 HELD(ACK SERVER_ID "\x21\x08\x0a\1\1\1\x0a\0\0\1"
	      "\x2b\3\1\1\1" "\x2c\4\x0a\0\0\1" "\x2e\1\x08" "\x2f\1x"
	      "\x42\x08" "10.0.0.1" "\x43\5" "a.efi" "\x6c\4\0\0\7\x08"
	      "\x72\7" "urn:x:y" "\x78\5\1\x0a\0\0\1"
	      "\xf9\5\0\x0a\0\0\1" "\xfc\1\n" END), 0},
	{"nak", 2, HELD(TYPE("\6") SERVER_ID "\x38\2no" END), 0},

	{"no type", 1, HELD(ASKS END), REASON_SUSPICIOUS},
	{"no options", 1, HELD(""), REASON_MALFORMED},
	{"no end", 1, HELD(DISCOVER), REASON_MALFORMED},
	{"an end that is data", 1, HELD(DISCOVER "\x0c\1\xff"),
	 REASON_MALFORMED},
	{"a type of a server", 1, HELD(OFFER END), REASON_SUSPICIOUS},
	{"a type of a client", 2, HELD(DISCOVER END), REASON_SUSPICIOUS},
	{"force renew", 2, HELD(TYPE("\x09") END), REASON_SUSPICIOUS},
	{"type 0", 1, HELD(TYPE("\0") END), REASON_SUSPICIOUS},
	{"a type of two octets", 1, HELD("\x35\2\1\1" END), REASON_MALFORMED},
	{"the type twice", 1, HELD(DISCOVER DISCOVER END), REASON_SUSPICIOUS},
	{"a split option", 2, HELD(ACK "\x77\2\1a\x77\1\0" END),
	 REASON_SUSPICIOUS},
	{"overload of file", 2, HELD(ACK "\x34\1\1" END), REASON_SUSPICIOUS},
	{"overload of both", 1, HELD(DISCOVER "\x34\1\3" END),
	 REASON_SUSPICIOUS},
	{"an option past the end", 1, HELD(DISCOVER "\x0c\6mete" END),
	 REASON_MALFORMED},
	{"half an option", 1, HELD(DISCOVER "\x0c"), REASON_MALFORMED},
	{"octets behind the end", 1, HELD(DISCOVER END "\0x"),
	 REASON_SUSPICIOUS},
	{"an unknown option", 1, HELD(DISCOVER "\xe0\1x" END),
	 REASON_SUSPICIOUS},
	{"relay information", 1, HELD(DISCOVER "\x52\3\1\1x" END),
	 REASON_SUSPICIOUS},
	{"half a static route", 2, HELD(ACK "\x21\4\x0a\1\1\1" END),
	 REASON_MALFORMED},
	{"a wait of three octets", 2, HELD(ACK "\x6c\3\0\0\7" END),
	 REASON_MALFORMED},
	{"an unknown option of a server", 2, HELD(ACK "\xe0\1x" END),
	 REASON_SUSPICIOUS},
	{"a vendor's words from a client", 1,
	 HELD(DISCOVER "\x2b\3\1\1\1" END), REASON_SUSPICIOUS},
	{"a web proxy from a client", 1, HELD(DISCOVER "\xfc\1x" END),
	 REASON_SUSPICIOUS},
	{"a router from a client", 1, HELD(DISCOVER "\3\4\x0a\0\0\1" END),
	 REASON_SUSPICIOUS},
	{"half a router", 2, HELD(ACK "\3\6\x0a\0\0\1\x0a\0" END),
	 REASON_MALFORMED},
	{"an empty host name", 1, HELD(DISCOVER "\x0c\0" END),
	 REASON_MALFORMED},
	{"a short address", 1, HELD(REQUEST "\x32\3\x0a\0\0" END),
	 REASON_MALFORMED},
};

static void test_options(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t octets[600];
		size_t n = make(octets, sizeof(octets), rows[i].op,
				rows[i].options, rows[i].n);
		struct dhcp_message m;
		enum reason why = read_octets(&m, span_of(octets, n));

		if (why != rows[i].want)
			fail_msg("%s: %s", rows[i].why, reason_text(why));
		if (why)
			continue;
		assert_int_equal(m.xid, 0x01020304);
		assert_int_equal(m.answer, rows[i].op == 2);
		assert_memory_equal(m.mac, "\2\0\0\0\0\7", 6);
	}
}

static const struct {
	const char *why;
	uint8_t op;
	size_t at;
	uint8_t octet;
	enum reason want;
} fields[] = {
	{"operation 0", 1, OP, 0, REASON_MALFORMED},
	{"operation 3", 1, OP, 3, REASON_MALFORMED},
	{"not Ethernet", 1, HTYPE, 6, REASON_SUSPICIOUS},
	{"a long address", 1, HLEN, 16, REASON_SUSPICIOUS},
	{"hops of a client", 1, HOPS, 1, REASON_SUSPICIOUS},
	{"hops of an answer", 2, HOPS, 1, 0},
	{"wants a broadcast", 1, FLAGS, 0x80, 0},
	{"another flag", 1, FLAGS + 1, 1, REASON_SUSPICIOUS},
	{"its own address", 1, CIADDR, 10, 0},
	{"an address it gives itself", 1, YIADDR, 10, REASON_SUSPICIOUS},
	{"a server of its own", 1, SIADDR, 10, REASON_SUSPICIOUS},
	{"relayed", 1, GIADDR, 10, REASON_SUSPICIOUS},
	{"an answer that was relayed", 2, GIADDR, 10, 0},
	{"behind the address", 1, CHADDR + 15, 1, REASON_SUSPICIOUS},
	{"a name from a client", 1, SNAME, 'a', REASON_SUSPICIOUS},
	{"a file from a client", 1, FILE_NAME + 127, 'a', REASON_SUSPICIOUS},
	{"a name from a server", 2, SNAME, 'a', 0},
	{"behind a name", 2, SNAME + 1, 'a', REASON_SUSPICIOUS},
	{"a name that is none", 2, FILE_NAME, 7, REASON_SUSPICIOUS},
	{"no cookie", 1, COOKIE, 0, REASON_MALFORMED},
};

static void test_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(fields); i++) {
		uint8_t octets[300];
		size_t n = fields[i].op == 1 ?
				   make(octets, sizeof(octets), 1,
					HELD(DISCOVER ASKS END)) :
				   make(octets, sizeof(octets), 2,
					HELD(ACK END));
		struct dhcp_message m;
		enum reason why;

		octets[fields[i].at] = fields[i].octet;
		why = read_octets(&m, span_of(octets, n));
		if (why != fields[i].want)
			fail_msg("%s: %s", fields[i].why, reason_text(why));
		for (size_t k = 0; why == 0 && k < n; k++)
			assert_int_not_equal(
				read_octets(&m, span_of(octets, k)), 0);
	}
}

static enum reason say(struct dis_ctx *c, uint8_t op, uint8_t xid,
		       uint16_t sport, uint16_t dport, bool passed)
{
	uint8_t octets[300];
	size_t n = op == 1 ? make(octets, sizeof(octets), 1,
				  HELD(DISCOVER ASKS END)) :
			     make(octets, sizeof(octets), 2, HELD(OFFER END));
	struct obs obs[2];
	struct obs_list list = {obs, 0, 2};
	struct err e = {0};
	int rc;

	octets[XID] = xid;
	c->tup = (struct net_tuple){.proto = PROTO_UDP, .sport = sport,
				    .dport = dport};
	rc = dissector_dhcp.dissect(c, span_of(octets, n), &list, &e);
	dissector_dhcp.settle(c, rc == 0 && passed);
	if (rc)
		return (enum reason)e.reason;
	assert_int_equal(list.n, 2);
	assert_int_equal(obs[1].kind, OBS_OPAQUE);
	assert_true(span_is(obs_get_span(&obs[1], F_APP), "dhcp"));
	return REASON_NONE;
}

static void test_pairs(void **state)
{
	struct dis_ctx c = {.machine = calloc(1, dissector_dhcp.machine_size)};

	(void)state;
	assert_non_null(c.machine);
	c.now.mono.ns = 1;
	dissector_dhcp.machine_init(c.machine, NULL);
	assert_int_equal(say(&c, 2, 1, 67, 68, true), REASON_UNPAIRED);
	assert_int_equal(say(&c, 1, 1, 68, 67, false), REASON_NONE);
	assert_int_equal(say(&c, 2, 1, 67, 68, true), REASON_UNPAIRED);
	assert_int_equal(say(&c, 1, 1, 68, 67, true), REASON_NONE);
	/* Every server may offer. */
	assert_int_equal(say(&c, 2, 1, 67, 68, true), REASON_NONE);
	assert_int_equal(say(&c, 2, 1, 67, 68, true), REASON_NONE);
	assert_int_equal(say(&c, 2, 9, 67, 68, true), REASON_UNPAIRED);
	/* The wrong way round, and elsewhere. */
	assert_int_equal(say(&c, 1, 2, 67, 68, true), REASON_SUSPICIOUS);
	assert_int_equal(say(&c, 2, 1, 68, 67, true), REASON_SUSPICIOUS);
	assert_int_equal(say(&c, 1, 2, 68, 6767, true), REASON_SUSPICIOUS);
	free(c.machine);
}

static void test_recognise(void **state)
{
	uint8_t octets[300];
	size_t n = make(octets, sizeof(octets), 1, HELD(DISCOVER END));
	struct span in = span_of(octets, n), part = span_sub(in, 0, 100);

	(void)state;
	assert_int_equal(dissector_dhcp.recognise(in, 4000, 4001, PROTO_UDP),
			 RECOGNISE_YES);
	assert_int_equal(dissector_dhcp.recognise(part, 68, 67, PROTO_UDP),
			 RECOGNISE_MAYBE);
	assert_int_equal(dissector_dhcp.recognise(part, 4000, 4001, PROTO_UDP),
			 RECOGNISE_NO);
	assert_int_equal(dissector_dhcp.recognise(in, 68, 67, PROTO_TCP),
			 RECOGNISE_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_recognise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
