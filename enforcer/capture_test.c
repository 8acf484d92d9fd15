/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/capture.h"

#include "enforcer/capture_names.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[2][160];
	static int n;

	n = !n;
	snprintf(path[n], sizeof(path[n]), "%s/%s", dir, name);
	return path[n];
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/capture_test.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static size_t files_in_dir(void)
{
	DIR *d = opendir(dir);
	size_t n = 0;

	assert_non_null(d);
	for (struct dirent *x; (x = readdir(d));)
		n += x->d_name[0] != '.';
	closedir(d);
	return n;
}

static int teardown(void **state)
{
	char cmd[96];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

static size_t put_hex(FILE *f, const char *hex)
{
	size_t n = 0;
	unsigned v;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		fputc((int)v, f);
		hex++;
		n++;
	}
	return n;
}

static const char *write_hex(const char *name, const char *hex)
{
	const char *path = in_dir(name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	put_hex(f, hex);
	assert_int_equal(fclose(f), 0);
	return path;
}

/* Header fields:  magic    ver      zone     sigfigs  snaplen  link */
#define LE_MICRO "d4c3b2a1 02000400 00000000 00000000 ffff0000 "
#define LE_NANO  "4d3cb2a1 02000400 00000000 00000000 ffff0000 "
#define BE_MICRO "a1b2c3d4 00020004 00000000 00000000 0000ffff "
#define ETHERNET "01000000 "
#define RAW      "65000000 "
/* time 2 s + 3 micro (or nano), 2 of 60 octets captured */
#define PACKET "02000000 03000000 02000000 3c000000 abcd "
/* pcapng: section header, interface (link, no options), enhanced packet */
#define NG_HEAD  "0a0d0d0a 1c000000 4d3c2b1a 01000000 ffffffffffffffff 1c000000 "
#define NG_ETHER "01000000 14000000 01000000 00000400 14000000 "
#define NG_RAW   "01000000 14000000 65000000 00000400 14000000 "
#define NG_PACKET                                                              \
	"06000000 24000000 00000000 00000000 83841e00 02000000 3c000000 abcd0000 24000000 "

static const struct {
	const char *why, *hex;
	int open, next;   /* what the first capture_next gives */
	const char *text; /* part of the message */
	enum link_type link;
	int64_t us;
	uint16_t sub_ns;
} cases[] = {
	{"microseconds, least significant first",       LE_MICRO ETHERNET PACKET,                           0,
	 1,															  "",              LINK_ETHERNET, 2000003, 0},
	{"nanoseconds",				 LE_NANO ETHERNET PACKET,                            0,             1,        "",              LINK_ETHERNET,
	 2000000,																			     3},
	{"most significant first",
	 BE_MICRO "00000065 00000002 00000003 00000002 0000003c abcd",                                      0,             1,        "",
	 LINK_RAW,																		   2000003, 0},
	{"raw IP",				      LE_MICRO RAW PACKET,                                0,             1,        "",              LINK_RAW,      2000003, 0},
	{"IPv4 without a link header",                  LE_MICRO "e4000000 " PACKET,                        0,             1,        "",
	 LINK_RAW,																		   2000003, 0},
	{"IPv6 without a link header",                  LE_MICRO "e5000000 " PACKET,                        0,             1,        "",
	 LINK_RAW,																		   2000003, 0},
	{"Linux cooked",				LE_MICRO "71000000 " PACKET,                        0,             1,        "",              LINK_SLL,
	 2000003,																			     0},
	{"Linux cooked, second form",                   LE_MICRO "14010000 " PACKET,                        0,             1,        "",
	 LINK_SLL2,																		  2000003, 0},
	{"BSD loopback",				LE_MICRO "00000000 " PACKET,                        0,             1,        "",              LINK_NULL,
	 2000003,																			     0},
	{"OpenBSD loopback",                            LE_MICRO "6c000000 " PACKET,                        0,             1,        "",              LINK_NULL,
	 2000003,																			     0},
	{"pcapng",				      NG_HEAD NG_ETHER NG_PACKET,                         0,             1,        "",              LINK_ETHERNET, 2000003,
	 0																				     },
	{"longer than the file's own limit: cut to it",
	 "d4c3b2a1 02000400 00000000 00000000 02000000 01000000 "
	 "02000000 03000000 04000000 3c000000 abcdeeee",						    0,	     1,        "",              LINK_ETHERNET, 2000003, 0},
	{"an old version, which libpcap knows",
	 "d4c3b2a1 02000300 00000000 00000000 ffff0000 01000000 "
	 "02000000 03000000 02000000 3c000000 abcd",							0,	     1,        "",              LINK_ETHERNET, 2000003, 0},
	{"nanoseconds, most significant first",
	 "a1b23c4d 00020004 00000000 00000000 0000ffff 00000001 "
	 "00000002 00000003 00000002 0000003c abcd",							0,	     1,        "",              LINK_ETHERNET, 2000000, 3},
	{"no packets",				  LE_MICRO ETHERNET,                                  0,             0,        "",              LINK_ETHERNET, 0,       0},
	{"a radio capture",			     LE_MICRO "7f000000 " PACKET,                        E_UNSUPPORTED, 0,
	 "IEEE802_11_RADIO",															  0,             0,       0},
	{"a private link type",                         LE_MICRO "93000000 " PACKET,                        E_UNSUPPORTED, 0,
	 "link type",																 0,             0,       0},
	{"empty",				       "",						 E_SYNTAX,      0,        "empty",         0,             0,       0},
	{"header cut short",                            "d4c3b2a1 0200",                                    E_SYNTAX,      0,        "not a capture", 0,
	 0,																				   0},
	{"garbage",				     "00112233445566778899aabbccddeeff0011223344556677",
	 E_SYNTAX,													 0,        "not a capture", 0,             0,       0},
	{"packet header cut short",                     LE_MICRO ETHERNET "02000000",                       0,             E_SYNTAX,
	 "packet 1",																  0,             0,       0},
	{"packet cut short",
	 LE_MICRO ETHERNET "02000000 03000000 02000000 3c000000 ab",                                        0,
	 E_SYNTAX,														   "packet 1",      0,             0,       0},
	{"a packet of 4 GiB",
	 LE_MICRO ETHERNET "02000000 03000000 ffffffff ffffffff abcd",                                      0,
	 E_SYNTAX,														   "packet 1",      0,             0,       0},
	{"pcapng block cut short",                      NG_HEAD NG_ETHER "06000000 24000000 00",            0,
	 E_SYNTAX,														   "packet 1",      0,             0,       0},
	{"two link types in one file",
	 NG_HEAD NG_ETHER NG_RAW
	 "06000000 24000000 01000000 00000000 83841e00 02000000 3c000000 abcd0000 24000000",
	 0,														E_SYNTAX, "packet 1",      0,             0,       0},
};

static void test_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *path = write_hex("in.pcap", cases[i].hex);
		struct capture_packet p;
		struct capture *c = NULL;
		struct err e = {0};
		int rc = capture_open(&c, path, &e);

		print_message("# %s\n", cases[i].why);
		assert_int_equal(rc, cases[i].open);
		if (rc == 0) {
			rc = capture_next(c, &p, &e);
			assert_int_equal(rc, cases[i].next);
		}
		if (rc < 0) {
			assert_non_null(strstr(e.text, path));
			assert_non_null(strstr(e.text, cases[i].text));
		}
		if (rc == 1) {
			assert_int_equal(p.link, cases[i].link);
			assert_int_equal(p.us, cases[i].us);
			assert_int_equal(p.sub_ns, cases[i].sub_ns);
			assert_int_equal(p.wire_len, 60);
			assert_int_equal(p.octets.n, 2);
			assert_memory_equal(p.octets.p, "\xab\xcd", 2);
			assert_int_equal(capture_next(c, &p, &e), 0);
		}
		capture_close(c);
	}
}

static void test_not_files(void **state)
{
	static const struct {
		const char *why, *name, *text;
	} rows[] = {
		{"no such file", "absent", "No such file"},
		{"a directory",  ".",      "directory"   },
	};
	struct capture *c = NULL;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("# %s\n", rows[i].why);
		assert_int_equal(capture_open(&c, in_dir(rows[i].name), &e),
				 E_IO);
		assert_non_null(strstr(e.text, rows[i].text));
	}
}

/* Interfaces with names: eth0, one without a name, vif1.0; each option ends
 * the block with "end of options". */
#define NG_ETH0                                                                \
	"01000000 20000000 01000000 00000400 0200 0400 65746830 00000000 "     \
	"20000000 "
#define NG_VIF10                                                               \
	"01000000 24000000 01000000 00000400 0200 0600 76696631 2e300000 "     \
	"00000000 24000000 "
#define NG_PACKET_OF(i)                                                        \
	"06000000 24000000 " i                                                 \
	" 00000000 83841e00 02000000 3c000000 abcd0000 24000000 "
#define NG_SIMPLE "03000000 14000000 02000000 abcd0000 14000000 "
static void test_names(void **state)
{
	static const struct {
		const char *why, *hex;
		const char *want[4]; /* of each packet; NULL ends */
	} rows[] = {
		{"no names",                        NG_HEAD NG_ETHER NG_PACKET, {""}    },
		{"one",			     NG_HEAD NG_ETH0 NG_PACKET,  {"eth0"}},
		{"three, one without a name",
		 NG_HEAD NG_ETH0 NG_ETHER NG_VIF10 NG_PACKET_OF("02000000")
			 NG_PACKET_OF("00000000") NG_PACKET_OF("01000000"),
		 {"vif1.0", "eth0", ""}						 },
		{"an interface in the middle",
		 NG_HEAD NG_ETH0 NG_PACKET_OF("00000000")
			 NG_VIF10 NG_PACKET_OF("01000000"),
		 {"eth0", "vif1.0"}						     },
		{"a simple packet is of the first",
		 NG_HEAD NG_VIF10 NG_ETH0 NG_SIMPLE,
		 {"vif1.0"}							     },
		{"a new section counts again",
		 NG_HEAD NG_ETH0 NG_PACKET NG_HEAD NG_VIF10 NG_PACKET,
		 {"eth0", "vif1.0"}						     },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *path = write_hex("in.pcap", rows[i].hex);
		struct capture_packet p;
		struct capture *c;
		struct err e = {0};

		print_message("# %s\n", rows[i].why);
		assert_int_equal(capture_open(&c, path, &e), 0);
		for (size_t k = 0; k < 4 && rows[i].want[k]; k++) {
			assert_int_equal(capture_next(c, &p, &e), 1);
			assert_true(span_is(p.iface, rows[i].want[k]));
		}
		assert_int_equal(capture_next(c, &p, &e), 0);
		capture_close(c);
	}
	unlink(in_dir("in.pcap"));
}

static size_t from_hex(uint8_t *out, const char *hex)
{
	size_t n = 0;
	unsigned v;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		assert_int_equal(sscanf(hex, "%2x", &v), 1);
		out[n++] = (uint8_t)v;
		hex++;
	}
	return n;
}

/* Names do not depend on how the file comes, and what is no pcapng gives
 * none and ends. */
static void test_names_pieces(void **state)
{
	static const char file[] =
		NG_HEAD NG_ETH0 NG_VIF10 NG_PACKET_OF("01000000")
			NG_SIMPLE NG_PACKET_OF("05000000")
				NG_PACKET_OF("00000000");
	static const char *const want[] = {"vif1.0", "eth0", "", "eth0", ""};
	struct capture_names *c = malloc(sizeof(*c));
	uint8_t octets[512];
	size_t n = from_hex(octets, file);

	(void)state;
	assert_non_null(c);
	for (size_t piece = 1; piece <= n; piece++) {
		memset(c, 0, sizeof(*c));
		for (size_t at = 0; at < n; at += piece)
			capture_names_read(
				c, span_sub(span_of(octets, n), at, piece));
		for (size_t i = 0; i < 5; i++)
			assert_true(span_is(capture_names_next(c), want[i]));
	}
	/* Each octet changed in each bit: anything but a crash. */
	for (size_t bit = 0; bit < 8 * n; bit++) {
		memset(c, 0, sizeof(*c));
		octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
		capture_names_read(c, span_of(octets, n));
		for (size_t i = 0; i < 8; i++)
			assert_true(capture_names_next(c).n <=
				    CAPTURE_NAME_MAX);
		octets[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(c);
}

static void slurp(const char *path, char *buf, size_t cap, size_t *n)
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	*n = fread(buf, 1, cap, f);
	fclose(f);
}

/* What is read and written again is the same file, octet for octet. */
static void test_round_trip(void **state)
{
	static const char *const files[] = {
		LE_MICRO ETHERNET PACKET PACKET,
		LE_NANO RAW PACKET,
		LE_MICRO "14010000 " PACKET,
		LE_MICRO ETHERNET,
	};
	char a[512], b[512];
	size_t na, nb;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		const char *path = write_hex("in.pcap", files[i]);
		struct capture_packet p;
		struct capture_format f;
		struct capture_out *o;
		struct capture *c;

		assert_int_equal(capture_open(&c, path, &e), 0);
		capture_format(c, &f);
		assert_int_equal(capture_create(&o, in_dir("out.pcap"), &f, &e),
				 0);
		while (capture_next(c, &p, &e) == 1)
			assert_int_equal(capture_write(o, &p, &e), 0);
		capture_close(c);
		assert_int_equal(files_in_dir(), 2); /* in and temporary */
		assert_int_not_equal(access(in_dir("out.pcap"), F_OK), 0);
		assert_int_equal(capture_finish(o, &e), 0);
		assert_int_equal(capture_commit(o, &e), 0);
		slurp(in_dir("in.pcap"), a, sizeof(a), &na);
		slurp(in_dir("out.pcap"), b, sizeof(b), &nb);
		assert_int_equal(na, nb);
		assert_memory_equal(a, b, na);
		unlink(in_dir("out.pcap"));
	}
	unlink(in_dir("in.pcap"));
	assert_int_equal(files_in_dir(), 0);
}

static void test_abort(void **state)
{
	const struct capture_format f = {.linktype = 1, .snaplen = 65535};
	struct capture_out *o = NULL;
	struct err e;

	(void)state;
	assert_int_equal(capture_create(&o, in_dir("out.pcap"), &f, &e), 0);
	assert_int_equal(files_in_dir(), 1);
	capture_abort(o);
	assert_int_equal(files_in_dir(), 0);
	capture_abort(NULL);

	/* Nothing but a regular file may be replaced. */
	assert_int_equal(mkdir(in_dir("d"), 0700), 0);
	assert_int_equal(capture_create(&o, in_dir("d"), &f, &e), E_EXISTS);
	assert_int_equal(capture_create(&o, "/dev/full", &f, &e), E_EXISTS);
	assert_int_equal(capture_create(&o, in_dir("no/such/dir"), &f, &e),
			 E_IO);
	rmdir(in_dir("d"));
	assert_int_equal(files_in_dir(), 0);
}

static void test_join(void **state)
{
	struct capture_format a = {.linktype = 1, .snaplen = 100};
	const struct capture_format b = {1, 200, true}, raw = {12, 9, false};
	struct err e;

	(void)state;
	assert_int_equal(capture_format_join(&a, &b, &e), 0);
	assert_int_equal(a.snaplen, 200);
	assert_true(a.nano);
	assert_int_equal(capture_format_join(&a, &raw, &e), E_UNSUPPORTED);
	assert_non_null(strstr(e.text, "EN10MB"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),  cmocka_unit_test(test_not_files),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_pieces), cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_abort), cmocka_unit_test(test_join),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
