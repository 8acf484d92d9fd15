/* SPDX-License-Identifier: Apache-2.0 */
#include "enforcer/capture_split.h"

/* cmocka wants these first */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "enforcer/capture_clock.h"
#include "enforcer/capture_guest.h"

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
	strcpy(dir, "/tmp/capture_split_test.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char cmd[96];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -rf '%s'", dir);
	return system(cmd);
}

/* --- order -----------------------------------------------------------------
 */

/* A packet says its own number, in octets enough to fill the queue. */
static struct capture_packet packet(uint8_t *buf, size_t n, uint64_t id)
{
	memset(buf, (int)(id & 0xff), n);
	memcpy(buf, &id, sizeof(id));
	return (struct capture_packet){
		.octets = span_of(buf, n),
		.wire_len = (uint32_t)n,
		.us = (int64_t)id,
		.link = LINK_ETHERNET,
	};
}

/* Numbers of the packets of a capture; at most cap of them. */
static size_t numbers(const char *name, uint64_t *v, size_t cap)
{
	struct capture_packet p;
	struct capture *c;
	struct err e = {0};
	size_t n = 0;

	assert_int_equal(capture_open(&c, in_dir(name), &e), 0);
	while (capture_next(c, &p, &e) == 1) {
		uint64_t id;

		assert_true(p.octets.n >= sizeof(id));
		memcpy(&id, p.octets.p, sizeof(id));
		assert_int_equal(p.us, id);
		for (size_t i = sizeof(id); i < p.octets.n; i++)
			assert_int_equal(p.octets.p[i], id & 0xff);
		assert_true(n < cap);
		v[n++] = id;
	}
	capture_close(c);
	return n;
}

#define HELD 16

static const struct {
	const char *why;
	unsigned n;          /* packets */
	size_t octets;       /* of each */
	unsigned hold_every; /* every such packet waits ... */
	unsigned hold_for;   /* ... until so many came after it; 0 = end */
	bool in_order;
} cases[] = {
	{"nothing waits",					  1000, 60,    0,                         0,    true },
	{"each waits for the next",                                1000, 60,    1,                         1,    true },
	{"every third waits for ten others",                       1000, 60,    3,                         10,   true },
	{"waiting packets fill the octets several times",          9000, 20000, 7,                         50,
	 true													 },
	{"one waits till the end, few after it",                   300,  60,    300,                       0,    true },
	{"one waits while more packets come than the queue holds",
	 3 * CAPTURE_SPLIT_PACKETS,				      60,    2 * CAPTURE_SPLIT_PACKETS, 0,    false},
	{"one waits while more octets come than the queue holds",  2000, 20000,
	 2000,											     1900, false},
};

static bool passes(uint64_t id)
{
	return id % 5 != 0;
}

static void run(size_t row)
{
	const struct capture_format f = {1, 65535, false};
	struct capture_split *s = NULL;
	uint64_t held[HELD];
	size_t n_held = 0;
	static uint8_t buf[20000];
	struct err e = {0};

	assert_int_equal(
		capture_split_new(&s, in_dir("a"), in_dir("d"), &f, HELD, &e),
		0);
	for (uint64_t id = 1; id <= cases[row].n; id++) {
		struct capture_packet p = packet(buf, cases[row].octets, id);

		capture_split_before(s, id, &p);
		for (size_t i = 0; i < n_held; i++) {
			if (!cases[row].hold_for ||
			    id < held[i] + cases[row].hold_for)
				continue;
			capture_split_verdict(s, held[i], passes(held[i]));
			held[i--] = held[--n_held];
		}
		/* The first of each group, so that the case with one group
		 * has all others behind it. */
		if (cases[row].hold_every &&
		    (id - 1) % cases[row].hold_every == 0 && n_held < HELD)
			held[n_held++] = id;
		else
			capture_split_verdict(s, id, passes(id));
		assert_int_equal(capture_split_after(s, &e), 0);
		memset(buf, 0xee, sizeof(buf)); /* borrowed no longer */
	}
	for (size_t i = 0; i < n_held; i++)
		capture_split_verdict(s, held[i], passes(held[i]));
	assert_int_equal(capture_split_finish(s, &e), 0);
	assert_int_not_equal(access(in_dir("a"), F_OK), 0);
	assert_int_equal(capture_split_commit(s, &e), 0);
	capture_split_free(s);
}

static void check(const char *name, size_t row, bool pass)
{
	uint64_t *v = calloc(cases[row].n, sizeof(*v));
	bool *seen = calloc(cases[row].n + 1, sizeof(*seen));
	size_t n = numbers(name, v, cases[row].n), want = 0;

	for (uint64_t id = 1; id <= cases[row].n; id++)
		want += passes(id) == pass;
	assert_int_equal(n, want);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(passes(v[i]), pass);
		assert_false(seen[v[i]]);
		seen[v[i]] = true;
		if (cases[row].in_order && i)
			assert_true(v[i] > v[i - 1]);
	}
	free(seen);
	free(v);
	unlink(in_dir(name));
}

static void test_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		print_message("# %s\n", cases[i].why);
		run(i);
		check("a", i, true);
		check("d", i, false);
	}
}

/* What has no verdict at the end did not leave; one output is enough. */
static void test_end(void **state)
{
	const struct capture_format f = {1, 65535, false};
	struct capture_split *s = NULL;
	uint8_t buf[64];
	uint64_t v[8];
	struct err e = {0};

	(void)state;
	assert_int_equal(capture_split_new(&s, NULL, in_dir("d"), &f, HELD, &e),
			 0);
	for (uint64_t id = 1; id <= 3; id++) {
		struct capture_packet p = packet(buf, sizeof(buf), id);

		capture_split_before(s, id, &p);
		if (id == 2)
			capture_split_verdict(s, id, true);
		assert_int_equal(capture_split_after(s, &e), 0);
	}
	assert_int_equal(capture_split_finish(s, &e), 0);
	assert_int_equal(capture_split_commit(s, &e), 0);
	capture_split_free(s);
	assert_int_equal(numbers("d", v, 8), 2);
	assert_int_equal(v[0], 1);
	assert_int_equal(v[1], 3);
	assert_int_not_equal(access(in_dir("a"), F_OK), 0);
	capture_split_free(NULL);
}

/* --- time --------------------------------------------------------------------
 */

static void test_clock(void **state)
{
	/* 2023-11-14T22:13:20Z and 2023-07-01T00:00:00Z */
	const int64_t winter = 1700000000, summer = 1688169600;
	static const struct {
		const char *zone;
		int64_t s;
		int32_t std, civil;
	} rows[] = {
		{"",                 winter, 0,      0     },
		{"UTC",              summer, 0,      0     },
		{"Europe/London",    winter, 0,      0     },
		{"Europe/London",    summer, 0,      3600  },
		{"Europe/Dublin",    summer, 0,      3600  },
		{"Australia/Sydney", winter, 36000,  39600 },
		{"America/St_Johns", winter, -12600, -12600},
	};
	struct capture_clock c;
	struct err e = {0};
	struct now a, b;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		print_message("# '%s'\n", rows[i].zone);
		assert_int_equal(
			capture_clock_init(&c, span_str(rows[i].zone), &e), 0);
		a = capture_clock_at(&c, rows[i].s * US_PER_S);
		assert_int_equal(a.wall.std_off_s, rows[i].std);
		assert_int_equal(a.wall.civil_off_s, rows[i].civil);
		assert_true(a.wall.trusted);
	}
	assert_int_equal(capture_clock_init(&c, span_str("Mars/Olympus"), &e),
			 E_NOTFOUND);
	assert_int_equal(
		capture_clock_init(&c, span_str("../../etc/passwd"), &e),
		E_NOTFOUND);

	/* Back in time: the stepless clock stands, then goes on. */
	assert_int_equal(capture_clock_init(&c, (struct span){0}, &e), 0);
	a = capture_clock_at(&c, 5 * US_PER_S);
	b = capture_clock_at(&c, 3 * US_PER_S);
	assert_int_equal(b.mono.ns, a.mono.ns);
	assert_int_equal(b.wall.us, 3 * US_PER_S);
	b = capture_clock_at(&c, 4 * US_PER_S);
	assert_int_equal(mono_sub(b.mono, a.mono), NS_PER_S);
	/* Two ends of time in turn: it never overflows. */
	for (int i = 0; i < 10; i++) {
		a = capture_clock_at(&c, -INT64_C(250000000000) * US_PER_S);
		b = capture_clock_at(&c, INT64_C(250000000000) * US_PER_S);
		assert_true(mono_sub(b.mono, a.mono) >= 0);
		assert_true(
			mono_add(b.mono, INT64_C(400) * 86400 * NS_PER_S).ns >
			0);
	}
}

/* --- guests
 * -------------------------------------------------------------------- */

static void test_guest(void **state)
{
	static const struct {
		const char *text;
		int want;
		const char *iface;
		bool mac, addr;
		unsigned prefix, port;
	} rows[] = {
		{"mdma=vif1.0",                        0,        "vif1.0", false, false, 0,   0   },
		{"mdma=02:00:0A:14:00:0a",             0,        "",       true,  false, 0,   0   },
		{"mdma=10.20.0.10",                    0,        "",       false, true,  128, 0   },
		{"mdma=10.20.0.10:1153",               0,        "",       false, true,  128, 1153},
		{"mdma=10.20.0.0/24",                  0,        "",       false, true,  120, 0   },
		{"mdma=10.20.0.0/24:1153",             0,        "",       false, true,  120, 1153},
		{"mdma=0.0.0.0/0",                     0,        "",       false, true,  96,  0   },
		{"mdma=fd00::1",                       0,        "",       false, true,  128, 0   },
		{"mdma=[fd00::1]",                     0,        "",       false, true,  128, 0   },
		{"mdma=[fd00::1]:53",                  0,        "",       false, true,  128, 53  },
		{"mdma=[fd00::]/64",                   0,        "",       false, true,  64,  0   },
		{"mdma=[fd00::]/64:53",                0,        "",       false, true,  64,  53  },
		{"mdma=fd00::/64:53",                  0,        "",       false, true,  64,  53  },
		{"mdma=::ffff:10.20.0.10",             0,        "",       false, true,  128, 0   },
		{"mdma",			       E_SYNTAX, "",       false, false, 0,   0   },
		{"=10.0.0.1",                          E_SYNTAX, "",       false, false, 0,   0   },
		{"MDMA=10.0.0.1",                      E_SYNTAX, "",       false, false, 0,   0   },
		{"mdma=",			      E_SYNTAX, "",       false, false, 0,   0   },
		{"mdma=10.0.0",                        E_SYNTAX, "",       false, false, 0,   0   },
		{"mdma=10.0.0.1/33",                   E_SYNTAX, "",       false, false, 0,   0   },
		{"mdma=10.0.0.1/08",                   E_SYNTAX, "",       false, false, 0,   0   },
		{"mdma=10.0.0.1:",                     E_SYNTAX, "",       false, false, 0,   0   },
		{"mdma=10.0.0.1:0",                    E_SYNTAX, "",       false, false, 0,   0   },
		{"mdma=10.0.0.1:99999",                E_SYNTAX, "",       false, false, 0,   0   },
		{"mdma=[fd00::1",                      E_SYNTAX, "",       false, false, 0,   0   },
		{"mdma=[fd00::1]x",                    E_SYNTAX, "",       false, false, 0,   0   },
		{"mdma=[fd00::1]:1/64",                E_SYNTAX, "",       false, false, 0,   0   },
		{"mdma=02:00:0a:14:00",                E_SYNTAX, "",       false, false, 0,   0   },
		{"mdma=an-interface-that-is-too-long", E_SYNTAX, "",       false,
		 false,								  0,   0   },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct pipeline_guest g;
		struct err e = {0};

		print_message("# %s\n", rows[i].text);
		assert_int_equal(capture_guest(&g, rows[i].text, &e),
				 rows[i].want);
		if (rows[i].want < 0) {
			assert_non_null(strstr(e.text, rows[i].text));
			continue;
		}
		assert_string_equal(g.name, "mdma");
		assert_string_equal(g.iface, rows[i].iface);
		assert_int_equal(g.has_mac, rows[i].mac);
		assert_int_equal(g.has_addr, rows[i].addr);
		assert_int_equal(g.prefix, rows[i].prefix);
		assert_int_equal(g.port, rows[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_guest),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
