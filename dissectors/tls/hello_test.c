/* SPDX-License-Identifier: Apache-2.0 */
#include "dissectors/tls/testkit.h"

#include "core/reason.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define METER	"\0\0\0\x12\0\x10\0\0\x0dmeter.example"
#define H2	"\0\x10\0\5\0\3\2h2"
#define BOTH	"\0\x2b\0\5\4\3\4\3\3" /* 1.3 and 1.2 */
#define ONLY13	"\0\x2b\0\3\2\3\4"
#define CHOSE13 "\0\x2b\0\2\3\4"
#define GREASE	"\x7a\x7a\0\1\0"
#define Z32	"ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ"
#define Z1024	Z256 Z256 Z256 Z256
#define Z256	Z32 Z32 Z32 Z32 Z32 Z32 Z32 Z32
#define L1025	Z1024 "Z"
#define MLKEM	"\x11\xec\4\xc0" Z1024 Z32 Z32 Z32 Z32 Z32 Z32
#define FFDHE	"\1\0\1\0" Z256
#define ECH(type, enc) "\xfe\x0d\0\x0b" type "\0\1\0\1\5" enc "\0\1x"
#define PSK(id_n, binder)                                                      \
	"\0\x29\0\x2c\0\7\0" id_n "x\0\0\0\0\0\x21" binder
#define KEYS(list) "\0\x33\0\x26" list
#define OPENSSL                                                                \
	"\0\x0b\0\4\3\0\1\2\0\x0a\0\6\0\4\0\x1d\1\4\0\x16\0\0\0\x17\0\0"        \
	"\0\x0d\0\6\0\4\4\3\x08\7\0\x2d\0\2\1\1\0\x31\0\0"
#define L10	"aaaaaaaaaa"
#define L60	L10 L10 L10 L10 L10 L10
#define L63	L60 "aaa"
#define HELD(s) (s), sizeof(s) - 1
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

struct lab {
	uint8_t memory[8192], octets[8192];
	struct arena arena;
	struct tls_hello h;
};

static enum reason read_hello(struct lab *l, struct span msg)
{
	struct err e = {0};
	int rc;

	l->arena = arena_of(l->memory, sizeof(l->memory));
	rc = tls_hello_read(&l->h, msg, &l->arena, &e);
	if (rc)
		assert_true(rc == e.code && e.reason != REASON_NONE);
	return rc ? (enum reason)e.reason : REASON_NONE;
}

static enum reason read_parts(struct lab *l, uint8_t type,
			      const struct parts *p)
{
	struct wbuf w = wbuf_of(l->octets, sizeof(l->octets));

	kit_hello(&w, type, p);
	assert_false(w.failed);
	return read_hello(l, wbuf_span(&w));
}

static void want(const char *why, enum reason is, enum reason ought)
{
	if (is != ought)
		fail_msg("%s: %s, not %s", why, reason_text(is),
			 reason_text(ought));
}

/* --- names -------------------------------------------------------------------- */

static const struct {
	const char *why, *name;
	size_t n;
	bool ok;
} name_rows[] = {
	{"two labels",                HELD("meter.example"),           true },
	{"capital letters",           HELD("Meter.EXAMPLE"),           true },
	{"one label",                 HELD("meter"),                   true },
	{"an underscore",             HELD("_tls.meter"),              true },
	{"of an IDN",                 HELD("xn--bcher-kva.example"),   true },
	{"digits in front",           HELD("10.1.meter"),              true },
	{"a digit at the end",        HELD("10.1.m1"),                 true },
	{"a label of 63",             HELD(L63 ".a"),                  true },
	{"253 octets",                HELD(L63 "." L63 "." L63 "." L60 "a"),  true },
	{"254 octets",                HELD(L63 "." L63 "." L63 "." L60 "aa"), false},
	{"a label of 64",             HELD(L63 "a.a"),                 false},
	{"nothing",                   HELD(""),                        false},
	{"a final dot",               HELD("meter.example."),          false},
	{"a dot in front",            HELD(".meter.example"),          false},
	{"two dots",                  HELD("meter..example"),          false},
	{"a dot",                     HELD("."),                       false},
	{"an address",                HELD("10.1.2.3"),                false},
	{"an address in one number",  HELD("167838211"),               false},
	{"an address in hexadecimal", HELD("0x0a.0x01.0x02.0x03"),     false},
	{"an address of IPv6",        HELD("fe80::1"),                 false},
	{"the same in brackets",      HELD("[fe80::1]"),               false},
	{"a wild card",               HELD("*.example"),               false},
	{"a space",                   HELD("meter.example "),          false},
	{"a zero octet",              HELD("meter.example\0.evil"),    false},
	{"a slash",                   HELD("meter/example"),           false},
	{"a port",                    HELD("meter.example:443"),       false},
	{"UTF-8",                     HELD("b\xc3\xbc" "cher.example"), false},
	{"a new line",                HELD("meter.example\n"),         false},
	{"a hyphen in front",         HELD("-meter.example"),          false},
	{"a hyphen at the end",       HELD("meter-.example"),          false},
};

static void test_names(void **state)
{
	struct lab l;

	(void)state;
	for (size_t i = 0; i < COUNT(name_rows); i++) {
		struct span name = span_of(name_rows[i].name, name_rows[i].n);
		uint8_t ext[400];
		struct wbuf w = wbuf_of(ext, sizeof(ext));
		struct parts p = {0x0303, 0, 2, "", 1, NULL, 0, false};

		wbuf_be(&w, 0, 2);
		wbuf_be(&w, name.n + 5, 2);
		wbuf_be(&w, name.n + 3, 2);
		wbuf_be(&w, name.n, 3);
		wbuf_put(&w, name);
		p.ext = (const char *)ext;
		p.ext_n = w.n;
		want(name_rows[i].why, read_parts(&l, TLS_CLIENT_HELLO, &p),
		     name_rows[i].ok	    ? REASON_NONE :
		     name.n > TLS_NAME_MAX ? REASON_TOO_LONG :
					     REASON_MALFORMED);
		assert_int_equal(tls_name_ok(name), name_rows[i].ok);
		if (!name_rows[i].ok)
			continue;
		assert_int_equal(l.h.name.n, name.n);
		for (size_t k = 0; k < name.n; k++)
			assert_true(l.h.name.p[k] == name.p[k] ||
				    l.h.name.p[k] == name.p[k] + 0x20);
	}
}

/* --- extensions of a client ------------------------------------------------------ */

static const struct {
	const char *why, *ext;
	size_t n;
	enum reason want;
	const char *alpn;
	uint8_t versions;
	bool named, encrypted, early;
} ext_rows[] = {
	{"none", HELD(""), 0, "", 7, 0, 0, 0},
	{"a name", HELD(METER), 0, "", 7, 1, 0, 0},
	{"1.3 and 1.2", HELD(BOTH), 0, "", 12, 0, 0, 0},
	{"1.3 only", HELD(ONLY13), 0, "", 8, 0, 0, 0},
	{"a version of no meaning", HELD("\0\x2b\0\5\4\x8a\x8a\3\4"), 0, "", 8,
	 0, 0, 0},
	{"name, ALPN, versions", HELD(METER H2 ONLY13), 0, "h2", 8, 1, 0, 0},
	{"two protocols", HELD("\0\x10\0\x0e\0\x0c\2h2\x08http/1.1"), 0,
	 "h2,http/1.1", 7, 0, 0, 0},
	{"a protocol of no meaning", HELD("\0\x10\0\x08\0\6\2\x4a\x4a\2h2"), 0,
	 "h2", 7, 0, 0, 0},
	{"extensions of no meaning", HELD(GREASE METER "\xda\xda\0\0"), 0, "",
	 7, 1, 0, 0},
	{"early data", HELD(ONLY13 "\0\x2a\0\0"), 0, "", 8, 0, 0, 1},
	{"a sealed hello", HELD(METER ECH("\0", "\0\0") ONLY13), 0, "", 8, 1,
	 1, 0},
	{"a binder at the end", HELD(ONLY13 PSK("\1", "\x20" Z32)), 0, "", 8, 0,
	 0, 0},
	{"padding", HELD("\0\x15\0\5\0\0\0\0\0"), 0, "", 7, 0, 0, 0},
	{"as OpenSSL has it", HELD(METER OPENSSL ONLY13), 0, "", 8, 1, 0, 0},
	{"of older ones", HELD("\0\1\0\1\2\0\x0f\0\1\1\x33\x74\0\0\0\x12\0\0"),
	 0, "", 7, 0, 0, 0},
	{"of Java", HELD("\0\5\0\5\1\0\0\0\0\0\x11\0\x09\0\7\2\0\4\0\0\0\0"),
	 0, "", 7, 0, 0, 0},
	{"of browsers", HELD("\0\x1b\0\3\2\0\2\x44\x69\0\5\0\3\2h2\0\x22\0\4\0\2"
	 "\4\3\0\x1c\0\2\x40\1"), 0, "", 7, 0, 0, 0},
	{"types of certificates", HELD("\0\x13\0\3\2\2\0\0\x14\0\2\1\2"), 0, "",
	 7, 0, 0, 0},
	{"a key", HELD(KEYS("\0\x24\0\x1d\0\x20" Z32)), 0, "", 7, 0, 0, 0},
	{"and one of no meaning", HELD("\0\x33\0\x2b\0\x29\xfa\xfa\0\1\0\0\x1d"
	 "\0\x20" Z32), 0, "", 7, 0, 0, 0},
	{"no key", HELD("\0\x33\0\2\0\0"), 0, "", 7, 0, 0, 0},
	{"a ticket", HELD("\0\x23\0\4abcd"), 0, "", 7, 0, 0, 0},
	{"a key that has the client's certificate",
	 HELD(ONLY13 "\0\x29\5\xef\5\xca\5\xc4" Z1024 Z256 Z32 Z32 Z32 Z32 Z32
	      Z32 "abcd" "\0\0\0\0" "\0\x21\x20" Z32), 0, "", 8, 0, 0, 0},
	{"as many octets as go unchecked", HELD("\0\x33\5\xca\5\xc8" MLKEM FFDHE
	 "\0\x23\x0a\0" Z1024 Z1024 Z256 Z256), 0, "", 7, 0, 0, 0},

#define BAD(why, ext, reason) {why, HELD(ext), reason, "", 0, 0, 0, 0}
	BAD("a name twice", METER METER, REASON_SUSPICIOUS),
	BAD("two names in the list",
	    "\0\0\0\x0a\0\x08\0\0\1a\0\0\1b", REASON_SUSPICIOUS),
	BAD("a name of another type", "\0\0\0\6\0\4\1\0\1a", REASON_SUSPICIOUS),
	BAD("an octet behind the name", "\0\0\0\7\0\5\0\0\1ab",
	    REASON_SUSPICIOUS),
	BAD("an octet behind the list", "\0\0\0\7\0\4\0\0\1ab",
	    REASON_MALFORMED),
	BAD("a list longer than the extension", "\0\0\0\6\0\5\0\0\1a",
	    REASON_MALFORMED),
	BAD("a name longer than the list", "\0\0\0\6\0\4\0\0\2a",
	    REASON_MALFORMED),
	BAD("a list of no names", "\0\0\0\2\0\0", REASON_MALFORMED),
	BAD("no list of names", "\0\0\0\0", REASON_MALFORMED),
	BAD("a server's kind of name", "\0\0\0\0" ONLY13, REASON_MALFORMED),
	BAD("ALPN twice", H2 H2, REASON_SUSPICIOUS),
	BAD("an unknown extension twice", "\x12\x34\0\0\x12\x34\0\0",
	    REASON_SUSPICIOUS),
	BAD("ALPN of nothing", "\0\x10\0\2\0\0", REASON_MALFORMED),
	BAD("an empty protocol", "\0\x10\0\3\0\1\0", REASON_MALFORMED),
	BAD("a protocol longer than the list", "\0\x10\0\5\0\3\3h2",
	    REASON_MALFORMED),
	BAD("an octet behind ALPN", "\0\x10\0\6\0\3\2h2x", REASON_MALFORMED),
	BAD("a protocol with a space", "\0\x10\0\5\0\3\2h ", REASON_SUSPICIOUS),
	BAD("a protocol with a zero octet", "\0\x10\0\5\0\3\2h\0",
	    REASON_SUSPICIOUS),
	BAD("17 protocols", "\0\x10\0\x24\0\x22\1a\1a\1a\1a\1a\1a\1a\1a\1a\1a"
	    "\1a\1a\1a\1a\1a\1a\1a", REASON_TOO_MANY_UNITS),
	BAD("no versions", "\0\x2b\0\1\0", REASON_MALFORMED),
	BAD("half a version", "\0\x2b\0\4\3\3\4\3", REASON_MALFORMED),
	BAD("an octet behind the versions", "\0\x2b\0\4\2\3\4\0",
	    REASON_MALFORMED),
	BAD("only unknown versions", "\0\x2b\0\5\4\x7f\x1c\x3a\x3a",
	    REASON_SUSPICIOUS),
	BAD("only SSL", "\0\x2b\0\3\2\3\0", REASON_SUSPICIOUS),
	BAD("early data with octets", ONLY13 "\0\x2a\0\1\0", REASON_TOO_LONG),
	BAD("early data without 1.3", "\0\x2a\0\0", REASON_SUSPICIOUS),
	BAD("a version to come", "\0\x2b\0\5\4\3\5\3\4", REASON_SUSPICIOUS),
	BAD("a version twice", "\0\x2b\0\5\4\3\4\3\4", REASON_SUSPICIOUS),
	BAD("17 versions", "\0\x2b\0\x23\x22" Z32 "ZZ", REASON_TOO_LONG),
	BAD("an unknown extension", "\x12\x34\0\3abc" METER,
	    REASON_UNKNOWN_EXTENSION),
	BAD("a draft of ECH", "\xff\xce\0\4abcd", REASON_UNKNOWN_EXTENSION),
	BAD("padding with text", "\0\x15\0\5\0\0a\0\0", REASON_SUSPICIOUS),
	BAD("text of no meaning", "\x7a\x7a\0\1a", REASON_SUSPICIOUS),
	BAD("two octets of no meaning", "\x7a\x7a\0\2\0\0",
	    REASON_SUSPICIOUS),
	BAD("five extensions of no meaning", "\x0a\x0a\0\0\x1a\x1a\0\0\x2a"
	    "\x2a\0\0\x3a\x3a\0\0\x4a\x4a\0\0", REASON_TOO_MANY_UNITS),
	BAD("a group that is none", "\0\x0a\0\4\0\2ab", REASON_SUSPICIOUS),
	BAD("a group twice", "\0\x0a\0\6\0\4\0\x1d\0\x1d", REASON_SUSPICIOUS),
	BAD("half a group", "\0\x0a\0\3\0\1\0", REASON_MALFORMED),
	BAD("no group", "\0\x0a\0\2\0\0", REASON_MALFORMED),
	BAD("too many groups", "\0\x0a\0\x44\0\x42" Z32 Z32 "ZZ",
	    REASON_TOO_LONG),
	BAD("a scheme that is none", "\0\x0d\0\4\0\2ab", REASON_SUSPICIOUS),
	BAD("a format that is none", "\0\x0b\0\2\1\3", REASON_SUSPICIOUS),
	BAD("a mode that is none", "\0\x2d\0\2\1\2", REASON_SUSPICIOUS),
	BAD("text where nothing is", "\0\x17\0\1a", REASON_TOO_LONG),
	BAD("a name of who answers OCSP", "\0\5\0\7\1\0\2\0\0\0\0",
	    REASON_TOO_LONG),
	BAD("another kind of status", "\0\5\0\5\2\0\0\0\0",
	    REASON_SUSPICIOUS),
	BAD("settings with text", "\x44\x69\0\5\0\3\2ab", REASON_SUSPICIOUS),
	BAD("a renegotiation", "\xff\1\0\1\1", REASON_SUSPICIOUS),
	BAD("a key too short", "\0\x33\0\7\0\5\0\x1d\0\1a",
	    REASON_SUSPICIOUS),
	BAD("a key of no group", "\0\x33\0\7\0\5\x12\x34\0\1a",
	    REASON_SUSPICIOUS),
	BAD("text of no meaning in a key", "\0\x33\0\7\0\5\x1a\x1a\0\1a",
	    REASON_SUSPICIOUS),
	BAD("two keys of a group", "\0\x33\0\x0c\0\x0a\x1a\x1a\0\1\0\x1a"
	    "\x1a\0\1\0", REASON_SUSPICIOUS),
	BAD("a point that is compressed", "\0\x33\0\x47\0\x45\0\x17\0\x41"
	    Z32 Z32 "Z", REASON_SUSPICIOUS),
	BAD("an octet behind the keys", "\0\x33\0\3\0\0\0",
	    REASON_MALFORMED),
	BAD("a binder that is short", ONLY13 "\0\x29\0\x0d\0\7\0\1x\0\0\0\0"
	    "\0\2\1y", REASON_MALFORMED),
	BAD("more binders than keys", ONLY13 "\0\x29\0\x2d\0\7\0\1x\0\0\0\0"
	    "\0\x22\x20" Z32 "\0", REASON_MALFORMED),
	BAD("a sealed hello of another type", ECH("\1", "\0\0"),
	    REASON_MALFORMED),
	BAD("a sealed hello with text for a key", ECH("\0", "\0\1"),
	    REASON_MALFORMED),
	BAD("a cookie of nothing", "\0\x2c\0\2\0\0", REASON_MALFORMED),
	BAD("a long ticket", "\0\x23\x10\1" Z1024 Z1024 Z1024 L1025,
	    REASON_TOO_LONG),
	BAD("one octet more than may go unchecked",
	    "\0\x33\5\xee\5\xec" MLKEM FFDHE "\0\x1d\0\x20" Z32
	    "\0\x23\x09\xe1" Z1024 Z1024 Z256 Z32 Z32 Z32 Z32 Z32 Z32 Z32 "Z",
	    REASON_TOO_LONG),
	BAD("behind the binder", "\0\x29\0\1x" ONLY13, REASON_SUSPICIOUS),
	BAD("half an extension", METER "\0\x10", REASON_MALFORMED),
	BAD("half its length", METER "\0\x10\0", REASON_MALFORMED),
	BAD("a longer extension than there is", "\x12\x34\0\4abc",
	    REASON_MALFORMED),
#undef BAD
};

static void test_extensions(void **state)
{
	struct lab l;

	(void)state;
	for (size_t i = 0; i < COUNT(ext_rows); i++) {
		struct parts p = {0x0303, 32, 4, "", 1, ext_rows[i].ext,
				  ext_rows[i].n, false};
		char alpn[256] = "";

		want(ext_rows[i].why, read_parts(&l, TLS_CLIENT_HELLO, &p),
		     ext_rows[i].want);
		if (ext_rows[i].want)
			continue;
		for (uint32_t k = 0; k < l.h.n_alpn; k++) {
			strcat(alpn, k ? "," : "");
			strncat(alpn, (const char *)l.h.alpn[k].p,
				l.h.alpn[k].n);
		}
		assert_string_equal(alpn, ext_rows[i].alpn);
		assert_int_equal(l.h.versions, ext_rows[i].versions);
		assert_int_equal(span_is(l.h.name, "meter.example"),
				 ext_rows[i].named);
		assert_int_equal(l.h.encrypted, ext_rows[i].encrypted);
		assert_int_equal(l.h.early, ext_rows[i].early);
		assert_true(l.h.client);
	}
}

static void test_many_extensions(void **state)
{
	struct lab l;
	uint8_t ext[4 * (TLS_EXT_MAX + 1)];

	(void)state;
	for (uint32_t n = TLS_EXT_MAX; n <= TLS_EXT_MAX + 1; n++) {
		struct wbuf w = wbuf_of(ext, sizeof(ext));
		struct parts p = {0x0303, 0, 2, "", 1, (const char *)ext, 0,
				  false};

		for (uint32_t i = 0; i < n; i++)
			wbuf_be(&w, (uint64_t)(0x2000 + i) << 16, 4);
		p.ext_n = w.n;
		want("extensions", read_parts(&l, TLS_CLIENT_HELLO, &p),
		     n > TLS_EXT_MAX ? REASON_TOO_MANY_UNITS :
				       REASON_UNKNOWN_EXTENSION);
	}
}

/* --- the other parts -------------------------------------------------------------- */

static const struct {
	const char *why;
	uint8_t type;
	struct parts p;
	enum reason want;
	uint8_t versions;
} part_rows[] = {
	{"1.0", 1, {0x0301, 0, 2, HELD("\0"), NULL, 0, 0}, 0, 1},
	{"1.1", 1, {0x0302, 0, 2, HELD("\0"), NULL, 0, 0}, 0, 3},
	{"1.2, no extensions", 1, {0x0303, 0, 2, HELD("\0"), NULL, 0, 0}, 0, 7},
	{"deflate as well", 1, {0x0303, 0, 2, HELD("\1\0"), NULL, 0, 0}, 0, 7},
	{"1.3", 1, {0x0303, 32, 2, HELD("\0"), HELD(ONLY13), 0}, 0, 8},
	{"SSL 3.0", 1, {0x0300, 0, 2, HELD("\0"), NULL, 0, 0}, REASON_LEGACY, 0},
	{"SSL 2.0", 1, {0x0002, 0, 2, HELD("\0"), NULL, 0, 0}, REASON_LEGACY, 0},
	{"1.3 in the old field", 1, {0x0304, 0, 2, HELD("\0"), NULL, 0, 0},
	 REASON_SUSPICIOUS, 0},
	{"DTLS", 1, {0xfefd, 0, 2, HELD("\0"), NULL, 0, 0}, REASON_SUSPICIOUS,
	 0},
	{"versions contradict", 1, {0x0301, 0, 2, HELD("\0"), HELD(ONLY13), 0},
	 REASON_SUSPICIOUS, 0},
	{"SSL that lists 1.3", 1, {0x0300, 0, 2, HELD("\0"), HELD(ONLY13), 0},
	 REASON_LEGACY, 0},
	{"a long session", 1, {0x0303, 33, 2, HELD("\0"), NULL, 0, 0},
	 REASON_MALFORMED, 0},
	{"no suites", 1, {0x0303, 0, 0, HELD("\0"), NULL, 0, 0},
	 REASON_MALFORMED, 0},
	{"half a suite", 1, {0x0303, 0, 3, HELD("\0"), NULL, 0, 0},
	 REASON_MALFORMED, 0},
	{"no compression", 1, {0x0303, 0, 2, HELD(""), NULL, 0, 0},
	 REASON_MALFORMED, 0},
	{"must be compressed", 1, {0x0303, 0, 2, HELD("\1"), NULL, 0, 0},
	 REASON_SUSPICIOUS, 0},
	{"compression with 1.3", 1, {0x0303, 0, 2, HELD("\0\1"), HELD(ONLY13), 0},
	 REASON_SUSPICIOUS, 0},

	{"server 1.0", 2, {0x0301, 32, 0, HELD("\0"), NULL, 0, 0}, 0, 1},
	{"server 1.2", 2, {0x0303, 32, 0, HELD("\0"), NULL, 0, 0}, 0, 4},
	{"server 1.2, extensions", 2,
	 {0x0303, 0, 0, HELD("\0"), HELD("\0\0\0\0" H2), 0}, 0, 4},
	{"server 1.3", 2, {0x0303, 32, 0, HELD("\0"), HELD(CHOSE13), 0}, 0, 8},
	{"another hello, please", 2,
	 {0x0303, 32, 0, HELD("\0"), HELD(CHOSE13), 1}, 0, 8},
	{"the same without 1.3", 2, {0x0303, 32, 0, HELD("\0"), NULL, 0, 1},
	 REASON_SUSPICIOUS, 0},
	{"server SSL 3.0", 2, {0x0300, 0, 0, HELD("\0"), NULL, 0, 0},
	 REASON_LEGACY, 0},
	{"server compresses", 2, {0x0303, 0, 0, HELD("\1"), NULL, 0, 0},
	 REASON_SUSPICIOUS, 0},
	{"server names itself", 2,
	 {0x0303, 0, 0, HELD("\0"), HELD(METER), 0}, REASON_MALFORMED, 0},
	{"server takes two protocols", 2,
	 {0x0303, 0, 0, HELD("\0"), HELD("\0\x10\0\x08\0\6\2h2\2h3"), 0},
	 REASON_SUSPICIOUS, 0},
	{"server lists versions", 2,
	 {0x0303, 0, 0, HELD("\0"), HELD(ONLY13), 0}, REASON_MALFORMED, 0},
	{"server chooses 1.2 the new way", 2,
	 {0x0303, 0, 0, HELD("\0"), HELD("\0\x2b\0\2\3\3"), 0},
	 REASON_SUSPICIOUS, 0},
	{"server chooses what is to come", 2,
	 {0x0303, 0, 0, HELD("\0"), HELD("\0\x2b\0\2\3\5"), 0},
	 REASON_SUSPICIOUS, 0},
	{"server sends early data", 2,
	 {0x0303, 0, 0, HELD("\0"), HELD(CHOSE13 "\0\x2a\0\0"), 0},
	 REASON_SUSPICIOUS, 0},
	{"server with a key", 2, {0x0303, 32, 0, HELD("\0"),
	 HELD(CHOSE13 "\0\x33\0\x24\0\x1d\0\x20" Z32), 0}, 0, 8},
	{"server with text for a key", 2, {0x0303, 32, 0, HELD("\0"),
	 HELD(CHOSE13 "\0\x33\0\5\0\x1d\0\1a"), 0}, REASON_SUSPICIOUS, 0},
	{"server with two keys", 2, {0x0303, 32, 0, HELD("\0"),
	 HELD(CHOSE13 "\0\x33\0\x48\0\x1d\0\x20" Z32 "\0\x1d\0\x20" Z32), 0},
	 REASON_SUSPICIOUS, 0},
	{"server that takes a ticket", 2, {0x0303, 32, 0, HELD("\0"),
	 HELD(CHOSE13 "\0\x29\0\2\0\0"), 0}, 0, 8},
	{"server that names what was not there", 2, {0x0303, 32, 0, HELD("\0"),
	 HELD(CHOSE13 "\0\x29\0\2\0\4"), 0}, REASON_SUSPICIOUS, 0},
	{"a request with cookie and group", 2, {0x0303, 32, 0, HELD("\0"),
	 HELD(CHOSE13 "\0\x33\0\2\0\x17\0\x2c\0\3\0\1a"), 1}, 0, 8},
	{"a cookie without a request", 2, {0x0303, 32, 0, HELD("\0"),
	 HELD(CHOSE13 "\0\x2c\0\3\0\1a"), 0}, REASON_SUSPICIOUS, 0},
	{"server with padding", 2, {0x0303, 32, 0, HELD("\0"),
	 HELD("\0\x15\0\1\0"), 0}, REASON_SUSPICIOUS, 0},
	{"server with an unknown one", 2, {0x0303, 32, 0, HELD("\0"),
	 HELD("\x12\x34\0\1\0"), 0}, REASON_UNKNOWN_EXTENSION, 0},
	{"server with one of no meaning", 2, {0x0303, 32, 0, HELD("\0"),
	 HELD("\x1a\x1a\0\0"), 0}, REASON_SUSPICIOUS, 0},
	{"server with a ticket", 2, {0x0303, 32, 0, HELD("\0"),
	 HELD("\0\x23\0\1a"), 0}, REASON_SUSPICIOUS, 0},
	{"compressions with text", 1, {0x0303, 0, 2, HELD("\0ab"), NULL, 0, 0},
	 REASON_SUSPICIOUS, 0},
	{"suites that are none", 1, {0x0303, 0, 16, HELD("\0"), NULL, 0, 0},
	 REASON_SUSPICIOUS, 0},
	{"another message", 11, {0x0303, 0, 0, HELD("\0"), NULL, 0, 0},
	 REASON_SESSION_STATE, 0},
};

static void test_parts(void **state)
{
	struct lab l;

	(void)state;
	for (size_t i = 0; i < COUNT(part_rows); i++) {
		want(part_rows[i].why,
		     read_parts(&l, part_rows[i].type, &part_rows[i].p),
		     part_rows[i].want);
		if (part_rows[i].want)
			continue;
		assert_int_equal(l.h.versions, part_rows[i].versions);
		assert_int_equal(l.h.retry, part_rows[i].p.retry);
	}
}

/* A hello cut anywhere, or with an octet more, is no hello; neither is one
 * with a length that is one too long or too short. */
static void test_cut(void **state)
{
	struct parts p = {0x0303, 32, 4, HELD("\0"), HELD(METER H2 ONLY13),
			  false};
	struct lab l;
	struct wbuf w = wbuf_of(l.octets, sizeof(l.octets));
	static const size_t lengths[] = {3, 38, 72, 77, 79, 83};
	struct span whole;

	(void)state;
	kit_hello(&w, TLS_CLIENT_HELLO, &p);
	whole = wbuf_span(&w);
	for (size_t n = 0; n < whole.n; n++)
		assert_int_not_equal(read_hello(&l, span_sub(whole, 0, n)),
				     REASON_NONE);
	assert_int_equal(read_hello(&l, whole), REASON_NONE);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		for (int by = -1; by <= 1; by += 2) {
			l.octets[lengths[i]] = (uint8_t)(l.octets[lengths[i]] +
							 by);
			if (read_hello(&l, whole) == REASON_NONE)
				fail_msg("length at %zu by %d", lengths[i], by);
			l.octets[lengths[i]] = (uint8_t)(l.octets[lengths[i]] -
							 by);
		}
	}
	wbuf_u8(&w, 0);
	assert_int_equal(read_hello(&l, wbuf_span(&w)), REASON_MALFORMED);
}

/* Memory for facts is not endless. */
static void test_no_room(void **state)
{
	struct parts p = {0x0303, 0, 2, HELD("\0"), HELD(METER H2), false};
	struct lab l;
	struct wbuf w = wbuf_of(l.octets, sizeof(l.octets));
	struct err e = {0};

	(void)state;
	kit_hello(&w, TLS_CLIENT_HELLO, &p);
	for (size_t room = 0; room <= 16; room += 16) {
		l.arena = arena_of(l.memory, room);
		assert_int_not_equal(tls_hello_read(&l.h, wbuf_span(&w),
						    &l.arena, &e), 0);
		assert_int_equal(e.reason, REASON_RESOURCE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_many_extensions),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
