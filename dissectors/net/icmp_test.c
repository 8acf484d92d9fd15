/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/net/icmp.h"

#include "core/reason.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define HELD(s)	 (s), sizeof(s) - 1
#define Z4	 "\0\0\0\0"
#define Z16	 Z4 Z4 Z4 Z4

#define IP4(first, frag, proto) \
	first "\0\0\x1c\0\1" frag "\x40" proto "\0\0\x0a\0\0\1\x0a\0\0\2"
#define UDP	"\0\x35\x10\0\0\x08\0\0" /* ports 53, 4096 */
#define A1	"\xfe\x80" Z4 "\0\0\2\0\0\xff\xfe\0\0\1"
#define A2	"\xfe\x80" Z4 "\0\0\2\0\0\xff\xfe\0\0\2"
#define GROUP	"\xff\2" Z4 Z4 "\0\0\0\0\0\1"
#define IP6(proto) "\x60\0\0\0\0\x08" proto "\x40" A1 A2
#define SOURCE	"\1\1\2\0\0\0\0\7"
#define TARGET	"\2\1\2\0\0\0\0\7"
#define PREFIX	"\3\4\x40\xc0" Z4 Z4 Z4 A1

static const struct {
	const char *why;
	bool v6;
	uint8_t hops;
	const char *octets;
	size_t n;
	enum reason want;
	enum icmp_kind kind;
} rows[] = {
	{"echo", 0, 64, HELD("\x08\0\0\0\0\1\0\2abc"), 0, ICMP_ECHO_REQUEST},
	{"its answer", 0, 64, HELD("\0\0\0\0\0\1\0\2abc"), 0, ICMP_ECHO_REPLY},
	{"echo of 6", 1, 64, HELD("\x80\0\0\0\0\1\0\2"), 0, ICMP_ECHO_REQUEST},
	{"its answer of 6", 1, 64, HELD("\x81\0\0\0\0\1\0\2"), 0,
	 ICMP_ECHO_REPLY},
	{"port unreachable", 0, 64,
	 HELD("\3\3\0\0" Z4 IP4("\x45", "\0\0", "\x11") UDP), 0, ICMP_ERROR},
	{"too big", 0, 64,
	 HELD("\3\4\0\0\0\0\5\0" IP4("\x45", "\x40\0", "\6") UDP), 0,
	 ICMP_ERROR},
	{"quotes options", 0, 64,
	 HELD("\x0b\0\0\0" Z4 IP4("\x46", "\0\0", "\x11") "\1\1\1\1" UDP), 0,
	 ICMP_ERROR},
	{"unreachable of 6", 1, 64, HELD("\1\4\0\0" Z4 IP6("\x11") UDP), 0,
	 ICMP_ERROR},
	{"too big of 6", 1, 64, HELD("\2\0\0\0\0\0\5\0" IP6("\6") UDP), 0,
	 ICMP_ERROR},
	{"solicits a router", 1, 255, HELD("\x85\0\0\0" Z4), 0,
	 ICMP_ROUTER_SOLICIT},
	{"with its link", 1, 255, HELD("\x85\0\0\0" Z4 SOURCE), 0,
	 ICMP_ROUTER_SOLICIT},
	{"a router", 1, 255, HELD("\x86\0\0\0\x40\0\7\x08" Z4 Z4 SOURCE PREFIX
				  "\5\1\0\0\0\0\5\xdc"), 0, ICMP_ROUTER_ADVERT},
	{"solicits a neighbour", 1, 255, HELD("\x87\0\0\0" Z4 A1 SOURCE), 0,
	 ICMP_NEIGHBOUR_SOLICIT},
	{"looks for duplicates", 1, 255,
	 HELD("\x87\0\0\0" Z4 A1 "\x0e\1\1\2\3\4\5\6"), 0,
	 ICMP_NEIGHBOUR_SOLICIT},
	{"a neighbour", 1, 255, HELD("\x88\0\0\0\x60\0\0\0" A1 TARGET), 0,
	 ICMP_NEIGHBOUR_ADVERT},
	{"a group", 1, 1, HELD("\x83\0\0\0" Z4 GROUP), 0, ICMP_GROUP},
	{"groups", 1, 1, HELD("\x8f\0\0\0\0\0\0\1\4\0\0\0" GROUP), 0,
	 ICMP_GROUP},
	{"with a source", 1, 1, HELD("\x8f\0\0\0\0\0\0\1\1\0\0\1" GROUP A1), 0,
	 ICMP_GROUP},
	{"a query for groups", 1, 1, HELD("\x82\0\0\0" Z4 Z16 "\2\x7d\0\0"), 0,
	 ICMP_GROUP},

#define BAD(why, v6, hops, octets, reason) {why, v6, hops, HELD(octets), reason, 0}
	BAD("nothing", 0, 64, "", REASON_MALFORMED),
	BAD("half a header", 0, 64, "\x08\0\0", REASON_MALFORMED),
	BAD("echo without number", 0, 64, "\x08\0\0\0\0\1\0",
	    REASON_MALFORMED),
	BAD("echo with a code", 0, 64, "\x08\1\0\0\0\1\0\2",
	    REASON_SUSPICIOUS),
	BAD("redirect", 0, 64, "\5\1\0\0" Z4 IP4("\x45", "\0\0", "\x11") UDP,
	    REASON_SUSPICIOUS),
	BAD("source quench", 0, 64,
	    "\4\0\0\0" Z4 IP4("\x45", "\0\0", "\x11") UDP, REASON_SUSPICIOUS),
	BAD("time stamp", 0, 64, "\x0d\0\0\0\0\1\0\2" Z4 Z4 Z4,
	    REASON_SUSPICIOUS),
	BAD("address mask", 0, 64, "\x11\0\0\0\0\1\0\2" Z4, REASON_SUSPICIOUS),
	BAD("router of 4", 0, 1, "\x09\0\0\0\1\2\0\x64" Z4 Z4,
	    REASON_SUSPICIOUS),
	BAD("unreachable for no reason", 0, 64,
	    "\3\x10\0\0" Z4 IP4("\x45", "\0\0", "\x11") UDP, REASON_SUSPICIOUS),
	BAD("quotes too little", 0, 64,
	    "\3\3\0\0" Z4 IP4("\x45", "\0\0", "\x11") "\0\x35\x10\0\0\x08\0",
	    REASON_MALFORMED),
	BAD("quotes another version", 0, 64,
	    "\3\3\0\0" Z4 IP4("\x65", "\0\0", "\x11") UDP, REASON_MALFORMED),
	BAD("quotes a short header", 0, 64,
	    "\3\3\0\0" Z4 IP4("\x44", "\0\0", "\x11") UDP, REASON_MALFORMED),
	BAD("an error about an error", 0, 64,
	    "\3\1\0\0" Z4 IP4("\x45", "\0\0", "\1") "\3\1\0\0" Z4,
	    REASON_SUSPICIOUS),
	BAD("the same of 6", 1, 64, "\1\3\0\0" Z4 IP6("\x3a") "\1\3\0\0" Z4,
	    REASON_SUSPICIOUS),
	BAD("4 quoted in 6", 1, 64,
	    "\1\4\0\0" Z4 IP4("\x45", "\0\0", "\x11") UDP, REASON_MALFORMED),
	BAD("redirect of 6", 1, 255, "\x89\0\0\0" Z4 A1 A2, REASON_SUSPICIOUS),
	BAD("node information", 1, 255, "\x8b\0\0\0" Z4 Z4 Z4,
	    REASON_SUSPICIOUS),
	BAD("renumbering", 1, 255, "\x8a\0\0\0" Z4, REASON_SUSPICIOUS),
	BAD("a router from afar", 1, 254, "\x86\0\0\0\x40\0\7\x08" Z4 Z4,
	    REASON_SUSPICIOUS),
	BAD("a neighbour from afar", 1, 64, "\x88\0\0\0\x60\0\0\0" A1,
	    REASON_SUSPICIOUS),
	BAD("half a target", 1, 255, "\x87\0\0\0" Z4 "\xfe\x80\0\0",
	    REASON_MALFORMED),
	BAD("a group as target", 1, 255, "\x87\0\0\0" Z4 GROUP,
	    REASON_MALFORMED),
	BAD("flags in a solicitation", 1, 255, "\x87\0\0\0\x80\0\0\0" A1,
	    REASON_MALFORMED),
	BAD("other flags", 1, 255, "\x88\0\0\0\x10\0\0\0" A1,
	    REASON_MALFORMED),
	BAD("an option of no length", 1, 255, "\x87\0\0\0" Z4 A1
	    "\1\0\2\0\0\0\0\7", REASON_MALFORMED),
	BAD("an option past the end", 1, 255, "\x87\0\0\0" Z4 A1
	    "\1\2\2\0\0\0\0\7", REASON_MALFORMED),
	BAD("half an option", 1, 255, "\x87\0\0\0" Z4 A1 "\1",
	    REASON_MALFORMED),
	BAD("two links", 1, 255, "\x87\0\0\0" Z4 A1 SOURCE SOURCE,
	    REASON_SUSPICIOUS),
	BAD("a target's link in a solicitation", 1, 255,
	    "\x87\0\0\0" Z4 A1 TARGET, REASON_SUSPICIOUS),
	BAD("an unknown option", 1, 255, "\x87\0\0\0" Z4 A1
	    "\xfd\1\2\0\0\0\0\7", REASON_SUSPICIOUS),
	BAD("DNS from a neighbour", 1, 255, "\x88\0\0\0\x60\0\0\0" A1
	    "\x19\3\0\0\0\0\0\1" Z16, REASON_SUSPICIOUS),
	BAD("reserved octets of a solicitation", 1, 255, "\x85\0\0\0\0\0\0\1",
	    REASON_MALFORMED),
	BAD("groups cut short", 1, 1, "\x8f\0\0\0\0\0\0\2\4\0\0\0" GROUP,
	    REASON_MALFORMED),
	BAD("a record of no type", 1, 1, "\x8f\0\0\0\0\0\0\1\7\0\0\0" GROUP,
	    REASON_SUSPICIOUS),
	BAD("a record of a host", 1, 1, "\x8f\0\0\0\0\0\0\1\4\0\0\0" Z16,
	    REASON_SUSPICIOUS),
	BAD("data beside a record", 1, 1,
	    "\x8f\0\0\0\0\0\0\1\4\1\0\0" GROUP Z4, REASON_SUSPICIOUS),
	BAD("something reserved in a report", 1, 1,
	    "\x8f\0\0\0\1\0\0\1\4\0\0\0" GROUP, REASON_SUSPICIOUS),
	BAD("a delay in a report", 1, 1, "\x83\0\0\0\0\1\0\0" GROUP,
	    REASON_SUSPICIOUS),
	BAD("something reserved where a group is left", 1, 1,
	    "\x84\0\0\0\0\0\0\1" GROUP, REASON_SUSPICIOUS),
	BAD("a host as a group", 1, 1, "\x83\0\0\0" Z4 Z16,
	    REASON_SUSPICIOUS),
	BAD("octets behind groups", 1, 1, "\x8f\0\0\0\0\0\0\1\4\0\0\0" GROUP
	    "x", REASON_MALFORMED),
	BAD("auxiliary data", 1, 1, "\x8f\0\0\0\0\0\0\1\4\1\0\0" GROUP Z4,
	    REASON_SUSPICIOUS),
	BAD("sources that are not there", 1, 1,
	    "\x8f\0\0\0\0\0\0\1\1\0\xff\xff" GROUP A1, REASON_MALFORMED),
#undef BAD
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct icmp_message m;
		struct err e = {0};
		int rc = icmp_read(&m, span_of(rows[i].octets, rows[i].n),
				   rows[i].v6, rows[i].hops, &e);

		if ((rc ? (enum reason)e.reason : REASON_NONE) != rows[i].want)
			fail_msg("%s: %s", rows[i].why,
				 reason_text((enum reason)e.reason));
		if (rc == 0 && m.kind != rows[i].kind)
			fail_msg("%s: kind %d", rows[i].why, (int)m.kind);
	}
}

static void test_facts(void **state)
{
	static const char udp[] =
		"\3\3\0\0" Z4 IP4("\x45", "\0\0", "\x11") UDP;
	static const char later[] =
		"\3\3\0\0" Z4 IP4("\x45", "\0\1", "\x11") UDP;
	static const char na[] = "\x88\0\0\0\x60\0\0\0" A2 TARGET;
	struct icmp_message m;
	struct err e = {0};

	(void)state;
	assert_int_equal(icmp_read(&m, span_of(HELD(udp)), false, 64, &e), 0);
	assert_true(m.has_ports && net_addr_is4(&m.quoted.src));
	assert_int_equal(m.quoted.sport, 53);
	assert_int_equal(m.quoted.dport, 4096);
	assert_int_equal(m.quoted.proto, PROTO_UDP);
	assert_int_equal(m.quoted.dst.b[15], 2);
	/* A later fragment has no ports. */
	assert_int_equal(icmp_read(&m, span_of(HELD(later)), false, 64, &e),
			 0);
	assert_false(m.has_ports);
	assert_int_equal(icmp_read(&m, span_of(HELD(na)), true, 255, &e), 0);
	assert_memory_equal(m.target.b, A2, 16);
	assert_true(m.has_link);
	assert_memory_equal(m.link, "\2\0\0\0\0\7", 6);
}

static void test_many_options(void **state)
{
	uint8_t octets[16 + 17 * 8] = {0x86};

	(void)state;
	for (size_t i = 0; i < 17; i++) {
		octets[16 + 8 * i] = 26; /* flags, RFC 5175 */
		octets[17 + 8 * i] = 1;
	}
	for (size_t n = 16; n <= 17; n++) {
		struct icmp_message m;
		struct err e = {0};
		int rc = icmp_read(&m, span_of(octets, 16 + 8 * n), true, 255,
				   &e);

		assert_int_equal(rc ? e.reason : 0,
				 n == 16 ? 0 : REASON_TOO_MANY_UNITS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_many_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
