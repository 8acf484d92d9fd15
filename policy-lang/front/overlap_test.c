/* SPDX-License-Identifier: Apache-2.0 */
/* Do two selections meet? Globs against an exhaustive oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policy-lang/front/overlap.h"

static void globs_meet(void **s)
{
	static const struct {
		const char *why, *a, *b, *witness;
	} rows[] = {
		{"equal",                       "/a/b",      "/a/b",        "/a/b"        },
		{"different",                   "/a/b",      "/a/c",        NULL          },
		{"star and text",               "/tips/*",   "/tips/today", "/tips/today" },
		{"a star stays in its segment", "/tips/*",   "/tips/a/b",   NULL          },
		{"wide star crosses",           "/meter/**", "/meter/a/b",  "/meter/a/b"  },
		{"two globs",                   "/meter/**", "/*/power",    "/meter/power"},
		{"from both ends",              "/a*z",      "/ab*",        "/abz"        },
		{"nothing in common",           "/a*",       "/b*",         NULL          },
		{"prefix alone",                "/ab",       "/a",          NULL          },
		{"stars twice",                 "/*",        "/*",          "/x"          },
		{"empty star",                  "/a*b",      "/ab",         "/ab"         },
		{"wide in the middle",          "/**/end",   "/a/b/*",      "/a/b/end"    },
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char buf[64] = {0};
		struct wbuf w = wbuf_of(buf, sizeof(buf) - 1);
		bool hit = glob_meet(rows[i].a, rows[i].b, &w);
		bool back = glob_meet(rows[i].b, rows[i].a, NULL);

		if (hit != (rows[i].witness != NULL) || back != hit)
			fail_msg("%s", rows[i].why);
		if (hit && strcmp(buf, rows[i].witness) != 0)
			fail_msg("%s: %s", rows[i].why, buf);
	}
}

/* The definition, by brute force. */
static bool matches(const char *g, const char *t)
{
	if (*g == 0)
		return *t == 0;
	if (*g != '*')
		return *t == *g && matches(g + 1, t + 1);
	if (g[1] == '*')
		return matches(g + 2, t) || (*t && matches(g, t + 1));
	return matches(g + 1, t) || (*t && *t != '/' && matches(g, t + 1));
}

static size_t nth(unsigned n, const char *alphabet, char out[8])
{
	size_t base = strlen(alphabet), len = 0;

	for (; n; n = (n - 1) / (unsigned)base)
		out[len++] = alphabet[(n - 1) % base];
	out[len] = 0;
	return len;
}

/* Every pair of globs of up to 4 letters: if some text of up to 4 matches
 * both they meet, and what is said to match both does. */
static void globs_agree_with_the_definition(void **s)
{
	(void)s;
	for (unsigned i = 0; i < 85; i++) {
		for (unsigned k = 0; k < 85; k++) {
			char a[8], b[8], t[8], w[64] = {0};
			struct wbuf out = wbuf_of(w, sizeof(w) - 1);
			bool some = false, hit;

			nth(i, "a/*", a);
			nth(k, "a/*", b);
			if (strstr(a, "***") || strstr(b, "***"))
				continue;
			for (unsigned m = 0; m < 127; m++) {
				nth(m, "a/x", t);
				some = some || (matches(a, t) && matches(b, t));
			}
			hit = glob_meet(a, b, &out);
			if (some && !hit)
				fail_msg("%s and %s meet", a, b);
			if (hit && (!matches(a, w) || !matches(b, w)))
				fail_msg("%s and %s: not %s", a, b, w);
			if (glob_covers(a, b)) {
				for (unsigned m = 0; m < 127; m++) {
					nth(m, "a/x", t);
					if (matches(b, t) && !matches(a, t))
						fail_msg("%s covers %s", a, b);
				}
			}
		}
	}
}

static int by_order(const void *a, const void *b)
{
	return glob_order(*(const char *const *)a, *(const char *const *)b);
}

static struct pol_obs_match matching(const struct pol_attr *a)
{
	struct pol_obs_match m = {.attr = a, .n_attr = 1};

	m.kinds.w[OBS_HTTP_REQUEST / 64] = UINT64_C(1)
					   << (OBS_HTTP_REQUEST % 64);
	return m;
}

/* Lists of globs meet where some pair of them does; and one covers the other
 * where it has one for each. */
static void lists_agree_with_their_pairs(void **s)
{
	enum { N = 6 };
	uint64_t seed = 88172645463325252u;
	unsigned met = 0, covered = 0;

	(void)s;
	for (int round = 0; round < 30000; round++) {
		char t[2][N][8], w[64];
		const char *v[2][N];
		struct pol_attr a[2];
		struct pol_obs_match m[2];
		struct wbuf out = wbuf_of(w, sizeof(w) - 1);
		bool some = false, all = true, hit, in;

		for (unsigned i = 0; i < 2 * N; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			nth((unsigned)(seed >> 20) % 900, "ab/c*", t[i / N][i % N]);
			v[i / N][i % N] = t[i / N][i % N];
		}
		for (unsigned i = 0; i < 2; i++) {
			a[i] = (struct pol_attr){.field = F_PATH, .text = v[i],
						 .n_text = 1 + (seed >> (8 * i)) % N};
			qsort(v[i], a[i].n_text, sizeof(v[i][0]), by_order);
			m[i] = matching(&a[i]);
		}
		for (size_t k = 0; k < a[1].n_text; k++) {
			bool one = false;

			for (size_t i = 0; i < a[0].n_text; i++) {
				some |= glob_meet(v[0][i], v[1][k], NULL);
				one |= glob_covers(v[0][i], v[1][k]);
			}
			all &= one;
		}
		hit = match_meet(&m[0], 1, &m[1], 1, &out);
		in = match_covers(&m[0], 1, &m[1], 1);
		w[out.n] = 0;
		if (hit != some || in != all)
			fail_msg("'%s' .. and '%s' ..: %d not %d, %d not %d",
				 v[0][0], v[1][0], hit, some, in, all);
		met += hit;
		covered += in;
	}
	assert_true(met > 1000 && met < 29000 && covered > 100);
}

/* Values by twos would be minutes. */
static void lists_are_gone_through_once(void **s)
{
	enum { N = 150000 };
	static char t[2][N][9];
	static const char *v[2][N];
	static struct pol_range num[2][N];
	static struct span oid[2][N];
	struct pol_attr a[2];
	struct pol_obs_match m[2];

	(void)s;
	for (unsigned i = 0; i < 2 * N; i++) {
		/* By turns. */
		snprintf(t[i % 2][i / 2], sizeof(t[0][0]), "/%06u", i);
		v[i % 2][i / 2] = t[i % 2][i / 2];
		num[i % 2][i / 2] = (struct pol_range){i, i};
		oid[i % 2][i / 2] = span_str(t[i % 2][i / 2]);
	}
	alarm(60);
	for (int by = 0; by < 4; by++) {
		for (unsigned i = 0; by == 3 && i < 2 * N; i++)
			strcat(t[i % 2][i / 2], "*");
		for (int i = 0; i < 2; i++) {
			a[i] = (struct pol_attr){
				.field = F_PATH,
				.text = v[i], .n_text = by % 3 == 0 ? N : 0,
				.num = num[i], .n_num = by == 1 ? N : 0,
				.oid = oid[i], .n_oid = by == 2 ? N : 0};
			m[i] = matching(&a[i]);
		}
		assert_false(match_meet(&m[0], 1, &m[1], 1, NULL));
		/* The last of one is the last of the other. */
		a[0].text = v[1] + N - 1;
		a[0].num = &num[1][N - 1];
		a[0].oid = &oid[1][N - 1];
		a[0].n_text = by % 3 == 0;
		a[0].n_num = by == 1;
		a[0].n_oid = by == 2;
		assert_true(match_meet(&m[0], 1, &m[1], 1, NULL));
	}
	alarm(0);
}

static void sets_meet(void **s)
{
	static const struct pol_range low[] =
		{
			{20, 30}
        },
				      one[] = {{23, 23}}, high[] = {{60, 64}};
	const struct pol_attr a = {.field = F_TABLE, .num = low, .n_num = 1};
	const struct pol_attr b = {.field = F_TABLE, .num = one, .n_num = 1};
	const struct pol_attr c = {.field = F_TABLE, .num = high, .n_num = 1};
	struct pol_obs_match m[3] = {
		{.attr = &a, .n_attr = 1},
		{.attr = &b, .n_attr = 1},
		{.attr = &c, .n_attr = 1}
        };
	struct pol_obs_match any = {
		{{0, 0}},
                NULL, 0, { 0,     0}
        };

	(void)s;
	for (size_t i = 0; i < 3; i++)
		m[i].kinds.w[OBS_C1222_READ_REQUEST / 64] |=
			UINT64_C(1) << (OBS_C1222_READ_REQUEST % 64);
	any.kinds = m[0].kinds;
	assert_true(match_meet(&m[0], 1, &m[1], 1, NULL));
	assert_false(match_meet(&m[1], 1, &m[2], 1, NULL));
	assert_true(match_meet(&any, 1, &m[2], 1, NULL));
	assert_true(match_covers(&m[0], 1, &m[1], 1));
	assert_false(match_covers(&m[1], 1, &m[0], 1));
	assert_true(match_covers(&any, 1, &m[0], 1));
	assert_false(match_covers(&m[0], 1, &any, 1));
	/* Nothing selects everything. */
	assert_true(match_covers(NULL, 0, &any, 1));
	assert_false(match_covers(&any, 1, NULL, 0));
	/* An attribute that the kind lacks never matches. */
	m[0].kinds.w[OBS_HTTP_REQUEST / 64] |= UINT64_C(1)
					       << (OBS_HTTP_REQUEST % 64);
	any.kinds = (struct pol_kinds){
		{0, 0}
        };
	any.kinds.w[OBS_HTTP_REQUEST / 64] |= UINT64_C(1)
					      << (OBS_HTTP_REQUEST % 64);
	assert_false(match_meet(&m[0], 1, &any, 1, NULL));
}

static void data_ranges_meet(void **s)
{
	struct pol_data_src a = {.meas = MEAS_BIT(MEAS_ENERGY_INTERVAL),
				 .has_gran = true,
				 .gran_lo_ns = 900 * NS_PER_S,
				 .gran_hi_ns = 1800 * NS_PER_S};
	struct pol_data_src b = a;

	(void)s;
	assert_true(data_meet(&a, &b));
	b.gran_lo_ns = 1800 * NS_PER_S; /* half-open: they only touch */
	b.gran_hi_ns = 0;
	assert_false(data_meet(&a, &b));
	b.gran_lo_ns--;
	assert_true(data_meet(&a, &b));
	b.meas = MEAS_BIT(MEAS_POWER_PEAK);
	assert_false(data_meet(&a, &b));
}

static const struct pol_prefix net28 = {
	{{[10] = 0xff, [11] = 0xff, 203, 0, 113, 0}}, 124};
static const struct pol_prefix net29 = {
	{{[10] = 0xff, [11] = 0xff, 203, 0, 113, 8}}, 125};
static const struct pol_prefix next28 = {
	{{[10] = 0xff, [11] = 0xff, 203, 0, 113, 16}}, 124};
static const struct pol_prefix all4 = {{{[10] = 0xff, [11] = 0xff}}, 96};
static const struct pol_prefix all = {{{0}}, 0};
static const struct pol_prefix all6 = {{{0x20}}, 3};
static const struct pol_port p1153 = {6, 1153, 1153}, p443 = {6, 443, 443},
			     u1153 = {17, 1153, 1153}, wide = {6, 1, 1153};

#define AT(p)    .addr = &(p), .n_addr = 1
#define PORT(p)  .port = &(p), .n_port = 1
#define TITLE(t) .aptitle = {(const uint8_t *)(t), 3}

/* Is it one remote end? */
static void remote_ends_meet(void **s)
{
	static const struct {
		const char *why;
		struct pol_party_src a, b;
		bool meet;
	} rows[] = {
		{"the same address",             {AT(net28)},              {AT(net28)},  true },
		{"one within the other",         {AT(net28)},              {AT(net29)},  true },
		{"the next network",             {AT(net28)},              {AT(next28)}, false},
		{"every IPv4 address",           {AT(all4)},               {AT(net29)},  true },
		{"every address",                {AT(all)},                {AT(net29)},  true },
		{"another version",              {AT(all6)},               {AT(net29)},  false},
		{"another port",
		 {AT(net28), PORT(p1153)},
		 {AT(net28), PORT(p443)},
		 false									},
		{"another protocol",
		 {AT(net28), PORT(p1153)},
		 {AT(net28), PORT(u1153)},
		 false									},
		{"a range of ports",
		 {AT(net28), PORT(p1153)},
		 {AT(net28), PORT(wide)},
		 true									 },
		{"any port",                     {AT(net28), PORT(p1153)}, {AT(net28)},  true },
		{"another ApTitle",
		 {AT(net28), TITLE("\1\2\3")},
		 {AT(net28), TITLE("\1\2\4")},
		 false									},
		{"the same ApTitle",
		 {AT(net28), TITLE("\1\2\3")},
		 {AT(net28), TITLE("\1\2\3")},
		 true									 },
		{"one ApTitle",
		 {AT(net28), TITLE("\1\2\3")},
		 {AT(net28)},
		 true									 },
		{"an ApTitle from anywhere",
		 {TITLE("\1\2\3")},
		 {AT(net28)},
		 true									 },
		{"an ApTitle, and a name",
		 {TITLE("\1\2\3")},
		 {.dns = "a"},
		 true									 },
		{"roles are words",
		 {AT(net28), .role = ROLE_HOUSEHOLD},
		 {AT(net28), .role = ROLE_METERING},
		 true									 },
		{"one name",                     {.dns = "a"},             {.dns = "a"}, true },
		{"two names",                    {.dns = "a"},             {.dns = "b"}, false},
		{"two names of one address",
		 {.dns = "a", AT(net28)},
		 {.dns = "b", AT(net28)},
		 false									},
		{"a name, and an address",       {.dns = "a"},             {AT(net28)},  false},
		{"a name at that address",
		 {.dns = "a", AT(net29)},
		 {AT(net28)},
		 true									 },
		{"a name, and it at an address",
		 {.dns = "a", AT(net29)},
		 {.dns = "a"},
		 true									 },
		{"one machine",                  {.vm = "m"},              {.vm = "m"},  true },
		{"two machines",                 {.vm = "m"},              {.vm = "n"},  false},
		{"a machine is not outside",     {.vm = "m"},              {AT(all)},    false},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (parties_meet(&rows[i].a, &rows[i].b) != rows[i].meet ||
		    parties_meet(&rows[i].b, &rows[i].a) != rows[i].meet)
			fail_msg("%s", rows[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globs_meet),
		cmocka_unit_test(globs_agree_with_the_definition),
		cmocka_unit_test(lists_agree_with_their_pairs),
		cmocka_unit_test(lists_are_gone_through_once),
		cmocka_unit_test(sets_meet),
		cmocka_unit_test(data_ranges_meet),
		cmocka_unit_test(remote_ends_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
