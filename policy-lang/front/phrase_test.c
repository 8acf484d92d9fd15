/* SPDX-License-Identifier: Apache-2.0 */
/* Phrases: what they mean, and at which column they go wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "policy-lang/front/phrase.h"

#define MIN (60 * NS_PER_S)
#define H   (60 * MIN)
#define D   (24 * H)

struct fixture {
	struct pool pool;
	struct diags d;
	struct src s;
	struct ynode n;
	jmp_buf oom;
};

/* A plain scalar at column 10 of line 3. */
static const struct ynode *scalar(struct fixture *f, const char *text)
{
	f->pool.oom = &f->oom;
	f->s = (struct src){&f->pool, &f->d, "x.yaml", NULL};
	memset(&f->d, 0, sizeof(f->d));
	f->n = (struct ynode){.type = Y_SCALAR,
			      .style = Y_PLAIN,
			      .line = 3,
			      .col = 10,
			      .len = (uint32_t)strlen(text),
			      .start = 100,
			      .end = 100 + strlen(text),
			      .s = span_str(text)};
	return &f->n;
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	pool_free(&((struct fixture *)*state)->pool);
	free(*state);
	return 0;
}

/* ok, or one complaint of that code at that column and length. */
static void check_diag(struct fixture *f, const char *why, bool ok,
		       unsigned code, unsigned col, unsigned len)
{
	if (code == 0) {
		if (!ok || f->d.n)
			fail_msg("%s: refused: %s", why, f->d.d[0].text);
		return;
	}
	if (ok || f->d.n != 1 || f->d.d[0].code != code ||
	    f->d.d[0].col != col || f->d.d[0].len != len ||
	    f->d.d[0].line != 3)
		fail_msg("%s: ok %d, %zu complaints, P%04u at %u+%u: %s", why,
			 ok, f->d.n, f->d.d[0].code, f->d.d[0].col,
			 f->d.d[0].len, f->d.d[0].text);
}

static void durations(void **state)
{
	static const struct {
		const char *why, *text;
		int64_t ns;
		unsigned code, col, len;
	} rows[] = {
		{"seconds", "1 s", NS_PER_S, 0, 0, 0},
		{"minutes", "30 min", 30 * MIN, 0, 0, 0},
		{"hours", "20 h", 20 * H, 0, 0, 0},
		{"days", "400 d", 400 * D, 0, 0, 0},
		{"weeks", "2 w", 14 * D, 0, 0, 0},
		{"zero is a duration", "0 s", 0, 0, 0, 0},
		{"a hundred years", "36500 d", 36500 * D, 0, 0, 0},
		{"a bare number", "30", 0, 3101, 10, 2},
		{"m could be months", "30 m", 0, 3101, 13, 1},
		{"months are windows", "2 months", 0, 3101, 12, 6},
		{"glued", "30min", 0, 3101, 10, 5},
		{"a word behind", "30 min long", 0, 3101, 10, 11},
		{"negative", "-1 s", 0, 3101, 10, 2},
		{"fraction", "1.5 h", 0, 3101, 10, 3},
		{"leading zero", "010 s", 0, 3101, 10, 3},
		{"over a hundred years", "36501 d", 0, 3101, 10, 5},
		{"overflow", "99999999999999999999 s", 0, 3101, 10, 20},
		{"exponent", "1e3 s", 0, 3101, 10, 3},
		{"capital", "1 H", 0, 3101, 12, 1},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ns = -1;
		bool ok = ph_duration(&f->s, scalar(f, rows[i].text), &ns);

		check_diag(f, rows[i].why, ok, rows[i].code, rows[i].col,
			   rows[i].len);
		if (!rows[i].code)
			assert_int_equal(ns, rows[i].ns);
	}
}

static void granularities(void **state)
{
	static const struct {
		const char *why, *text;
		int64_t lo, hi;
		unsigned code;
	} rows[] = {
		{"open", "30 min or coarser", 30 * MIN, 0, 0},
		{"half-open range", "15 min to 30 min", 15 * MIN, 30 * MIN, 0},
		{"a duration alone", "30 min", 0, 0, 3105},
		{"a word misspelled", "30 min or courser", 0, 0, 3105},
		{"minutes", "30 minutes", 0, 0, 3105},
		{"the wrong way round", "1 d to 1 h", 0, 0, 3105},
		{"empty range", "1 h to 1 h", 0, 0, 3105},
		{"a word too many", "1 h to 2 h or", 0, 0, 3105},
		{"or finer is no phrase", "1 h or finer", 0, 0, 3105},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t lo = -1, hi = -1;
		bool ok = ph_granularity(&f->s, scalar(f, rows[i].text), &lo,
					 &hi);

		check_diag(f, rows[i].why, ok, rows[i].code, 10,
			   (unsigned)strlen(rows[i].text));
		if (!rows[i].code) {
			assert_int_equal(lo, rows[i].lo);
			assert_int_equal(hi, rows[i].hi);
		}
	}
}

static void limits(void **state)
{
	static const struct {
		const char *why, *text, *canonical;
		struct pol_limit_phrase l;
		unsigned code, col, len;
	} rows[] = {
		{"calendar", "1 reading per day", "1 reading per day",
		 {LIMIT_CALENDAR, THING_READINGS, 1, 0, WINDOW_DAY, 0, 0, NULL,
		  {0, 0}}, 0, 0, 0},
		{"singular for plural", "24 reading per billing-period",
		 "24 readings per billing-period",
		 {LIMIT_CALENDAR, THING_READINGS, 24, 0, WINDOW_BILLING, 0, 0,
		  NULL, {0, 0}}, 0, 0, 0},
		{"sliding", "4 messages per 24 h", "4 messages per 24 h",
		 {LIMIT_SLIDING, THING_MESSAGES, 4, 0, WINDOW_SLIDING, 24 * H,
		  0, NULL, {0, 0}}, 0, 0, 0},
		{"bucket", "30 connections per 10 min burst 10",
		 "30 connections per 10 min burst 10",
		 {LIMIT_BUCKET, THING_CONNECTIONS, 30, 10, WINDOW_SLIDING,
		  10 * MIN, 0, NULL, {0, 0}}, 0, 0, 0},
		{"bytes", "48 KiB per day", "48 KiB per day",
		 {LIMIT_CALENDAR, THING_BYTES, 48 << 10, 0, WINDOW_DAY, 0, 0,
		  NULL, {0, 0}}, 0, 0, 0},
		{"bytes, bucket", "1 MB per 1 h burst 100 kB",
		 "1 MB per 1 h burst 100 kB",
		 {LIMIT_BUCKET, THING_BYTES, 1000000, 100000, WINDOW_SLIDING,
		  H, 0, NULL, {0, 0}}, 0, 0, 0},
		{"spacing", "at least 20 h apart", "at least 20 h apart",
		 {LIMIT_SPACING, 0, 1, 0, WINDOW_NONE, 20 * H, 0, NULL,
		  {0, 0}}, 0, 0, 0},
		{"distinct", "at most 8 distinct table per day",
		 "at most 8 distinct table per day",
		 {LIMIT_DISTINCT, 0, 8, 0, WINDOW_DAY, 0, F_TABLE, NULL,
		  {0, 0}}, 0, 0, 0},
		{"at once", "at most 4 connections at once",
		 "at most 4 connections at once",
		 {LIMIT_CONCURRENT, THING_CONNECTIONS, 4, 0, WINDOW_NONE, 0, 0,
		  NULL, {0, 0}}, 0, 0, 0},
		{"spaces are one", "1   reading  per day", "1 reading per day",
		 {LIMIT_CALENDAR, THING_READINGS, 1, 0, WINDOW_DAY, 0, 0, NULL,
		  {0, 0}}, 0, 0, 0},
		{"none", "0 readings per day", NULL, {0}, 3110, 10, 1},
		{"no number", "once per day", NULL, {0}, 3110, 10, 4},
		{"unknown thing", "3 looks per day", NULL, {0}, 3110, 12, 5},
		{"no per", "3 readings a day", NULL, {0}, 3110, 21, 1},
		{"unknown window", "3 readings per fortnight", NULL, {0}, 3110,
		 25, 9},
		{"burst of a calendar", "3 messages per day burst 2", NULL,
		 {0}, 3110, 10, 26},
		{"burst of none", "3 messages per 1 h burst 0", NULL, {0},
		 3110, 10, 26},
		{"more behind", "3 messages per day please", NULL, {0}, 3110,
		 29, 6},
		{"spacing without a unit", "at least 20 apart", NULL, {0},
		 3110, 22, 5},
		{"spacing of nothing", "at least 0 s apart", NULL, {0}, 3110,
		 10, 18},
		{"too many distinct", "at most 65 distinct table per day",
		 NULL, {0}, 3110, 10, 33},
		{"distinct what", "at most 3 distinct colour per day", NULL,
		 {0}, 3110, 29, 6},
		{"a sliding window of nothing", "3 messages per 0 s", NULL,
		 {0}, 3110, 10, 18},
		{"at most what", "at most 3 messages per day", NULL, {0},
		 3110, 10, 26},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct pol_limit_phrase *w = &rows[i].l;
		struct pol_limit_phrase l;
		bool ok = ph_limit(&f->s, scalar(f, rows[i].text), &l);

		check_diag(f, rows[i].why, ok, rows[i].code, rows[i].col,
			   rows[i].len);
		if (rows[i].code)
			continue;
		assert_string_equal(l.text, rows[i].canonical);
		assert_int_equal(l.kind, w->kind);
		assert_int_equal(l.thing, w->thing);
		assert_int_equal(l.n, w->n);
		assert_int_equal(l.burst, w->burst);
		assert_int_equal(l.window, w->window);
		assert_int_equal(l.window_ns, w->window_ns);
		assert_int_equal(l.distinct, w->distinct);
		assert_int_equal(l.pos.col, 10);
	}
}

static void ranges_and_quantities(void **state)
{
	struct fixture *f = *state;
	struct quantity q, lo, hi;
	uint64_t size;

	assert_true(ph_quantity(&f->s, scalar(f, "1 kWh"), &q));
	assert_int_equal(q.unit, UNIT_WH);
	assert_int_equal(q.milli, 1000000);
	assert_true(ph_quantity(&f->s, scalar(f, "90 min"), &q));
	assert_int_equal(q.unit, UNIT_S);
	assert_int_equal(q.milli, 5400000);
	assert_false(ph_quantity(&f->s, scalar(f, "1 A"), &q));
	assert_true(ph_value_range(&f->s, scalar(f, "0 s to 2 h"), &lo, &hi));
	assert_int_equal(lo.milli, 0);
	assert_int_equal(hi.milli, 7200000);
	assert_false(ph_value_range(&f->s, scalar(f, "0 s to 2 kW"), &lo,
				    &hi));
	assert_int_equal(f->d.d[0].code, 3104);
	assert_true(ph_size(&f->s, scalar(f, "2 MiB"), &size));
	assert_int_equal(size, 2 << 20);
	assert_false(ph_size(&f->s, scalar(f, "9007199254740993 B"), &size));
	assert_false(ph_size(&f->s, scalar(f, "99999999999 GiB"), &size));
}

static void addresses_and_ports(void **state)
{
	static const struct {
		const char *why, *text;
		int len; /* of the mapped form; -1 refused */
	} cidr[] = {
		{"a host", "192.0.2.1/32", 128},
		{"a net", "203.0.113.0/28", 124},
		{"everything", "0.0.0.0/0", 96},
		{"IPv6", "fd00:77::2/128", 128},
		{"IPv6 net", "2001:db8::/32", 32},
		{"no length", "192.0.2.1", -1},
		{"host bits", "192.0.2.1/24", -1},
		{"too long", "192.0.2.1/33", -1},
		{"leading zero in the length", "192.0.2.0/024", -1},
		{"mapped form", "::ffff:192.0.2.1/128", -1},
		{"octal", "192.0.2.010/32", -1},
		{"a name", "localhost/32", -1},
		{"nothing behind the slash", "192.0.2.1/", -1},
	};
	static const struct {
		const char *why, *text;
		unsigned proto, lo, hi;
	} port[] = {
		{"tcp", "tcp/443", 6, 443, 443},
		{"range", "udp/49152-65535", 17, 49152, 65535},
		{"no protocol", "443", 0, 0, 0},
		{"zero", "tcp/0", 0, 0, 0},
		{"too large", "tcp/65536", 0, 0, 0},
		{"wrong way round", "tcp/9-8", 0, 0, 0},
		{"open", "tcp/9-", 0, 0, 0},
		{"other protocol", "sctp/9", 0, 0, 0},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cidr) / sizeof(cidr[0]); i++) {
		struct pol_prefix p;
		bool ok = ph_cidr(&f->s, scalar(f, cidr[i].text), &p);

		if (ok != (cidr[i].len >= 0) ||
		    (ok && p.len != cidr[i].len))
			fail_msg("%s", cidr[i].why);
	}
	for (size_t i = 0; i < sizeof(port) / sizeof(port[0]); i++) {
		struct pol_port p;
		bool ok = ph_port(&f->s, scalar(f, port[i].text), &p);

		if (ok != (port[i].proto != 0) ||
		    (ok && (p.proto != port[i].proto || p.lo != port[i].lo ||
			    p.hi != port[i].hi)))
			fail_msg("%s", port[i].why);
	}
}

static void names_paths_and_dates(void **state)
{
	static const struct {
		const char *why, *text;
		bool ok;
	} path[] = {
		{"root", "/", true},
		{"plain", "/meter/power", true},
		{"a star", "/tips/*", true},
		{"part of a segment", "/a/x*y/b", true},
		{"anything below", "/meter/**", true},
		{"trailing slash", "/meter/", true},
		{"relative", "meter", false},
		{"two wide stars", "/**/**", false},
		{"three stars", "/***", false},
		{"dots", "/a/../b", false},
		{"dot", "/a/./b", false},
		{"dots at the end", "/a/..", false},
		{"empty segment", "//a", false},
		{"escape", "/a%2fb", false},
		{"query", "/a?b", false},
		{"backslash", "/a\\b", false},
		{"space", "/a b", false},
	};
	struct fixture *f = *state;
	const char *t;
	int64_t sec;
	struct wall w;
	struct span oid;
	uint8_t mac[6];
	uint16_t from, to;

	for (size_t i = 0; i < sizeof(path) / sizeof(path[0]); i++) {
		if (ph_path(&f->s, scalar(f, path[i].text), true, &t) !=
		    path[i].ok)
			fail_msg("%s", path[i].why);
	}
	assert_false(ph_path(&f->s, scalar(f, "/a/*"), false, &t));
	assert_true(ph_name(&f->s, scalar(f, "send-profile2"), &t));
	assert_false(ph_name(&f->s, scalar(f, "2send"), &t));
	assert_false(ph_name(&f->s, scalar(f, "a_b"), &t));
	assert_true(ph_ref(&f->s, scalar(f, "home/time-source"), &t));
	assert_false(ph_ref(&f->s, scalar(f, "home/"), &t));
	assert_true(ph_rdn(&f->s, scalar(f, "com.example.x-1"), &t));
	assert_false(ph_rdn(&f->s, scalar(f, "com..x"), &t));
	assert_false(ph_rdn(&f->s, scalar(f, "Com.x"), &t));
	assert_true(ph_date(&f->s, scalar(f, "2024-02-29"), &sec));
	assert_int_equal(sec, civil_days(2024, 2, 29) * 86400);
	assert_false(ph_date(&f->s, scalar(f, "2026-02-29"), &sec));
	assert_false(ph_date(&f->s, scalar(f, "2026-2-28"), &sec));
	assert_true(ph_timestamp(&f->s, scalar(f, "2026-04-07T00:40:00+01:00"),
				 &w));
	assert_int_equal(w.civil_off_s, 3600);
	assert_false(ph_timestamp(&f->s, scalar(f, "2026-04-07T00:40:00"),
				  &w));
	assert_true(ph_oid(&f->s, scalar(f, ".123.8437"), &oid));
	assert_memory_equal(oid.p, "\x60\x7c\x86\xf7\x54\x01\x16\x00\x7b\xc1"
				   "\x75", 11);
	assert_false(ph_oid(&f->s, scalar(f, "2.16.x"), &oid));
	assert_true(ph_mac(&f->s, scalar(f, "52:54:00:aa:00:01"), mac));
	assert_false(ph_mac(&f->s, scalar(f, "53:54:00:aa:00:01"), mac));
	assert_true(ph_between(&f->s, scalar(f, "22:00-05:30"), &from, &to));
	assert_int_equal(from, 22 * 60);
	assert_int_equal(to, 5 * 60 + 30);
	assert_false(ph_between(&f->s, scalar(f, "24:00-05:30"), &from, &to));
	assert_false(ph_between(&f->s, scalar(f, "22:60-05:30"), &from, &to));
}

static void expectations(void **state)
{
	static const struct {
		const char *why, *text;
		int expect;
		enum reason because;
		const char *by;
		unsigned code;
	} rows[] = {
		{"permit", "permit", EXPECT_PERMIT, REASON_NONE, NULL, 0},
		{"by", "permit by ask", EXPECT_PERMIT, REASON_NONE, "ask", 0},
		{"deny", "deny because too-fresh by customer", EXPECT_DENY,
		 REASON_TOO_FRESH, "customer", 0},
		{"either order", "deny by x because opaque", EXPECT_DENY,
		 REASON_OPAQUE, "x", 0},
		{"defer", "defer", EXPECT_DEFER, REASON_NONE, NULL, 0},
		{"permit has no reason", "permit because opaque", 0, 0, NULL,
		 3127},
		{"unknown reason", "deny because too-late", 0, 0, NULL, 3210},
		{"by whom", "permit by", 0, 0, NULL, 3127},
		{"twice", "deny by a by b", 0, 0, NULL, 3127},
		{"another word", "denied", 0, 0, NULL, 3127},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pol_step_src st = {0};
		bool ok = ph_expect(&f->s, scalar(f, rows[i].text), &st);

		if (ok != (rows[i].code == 0) ||
		    (!ok && f->d.d[0].code != rows[i].code))
			fail_msg("%s", rows[i].why);
		if (!ok)
			continue;
		assert_int_equal(st.expect, rows[i].expect);
		assert_int_equal(st.because, rows[i].because);
		assert_int_equal(st.by != NULL, rows[i].by != NULL);
		if (st.by)
			assert_string_equal(st.by, rows[i].by);
	}
}

static void double_quotes_hide_columns(void **state)
{
	struct fixture *f = *state;
	struct pol_limit_phrase l;
	int64_t ns;

	scalar(f, "1 reading per day");
	f->n.style = Y_DOUBLE;
	assert_false(ph_limit(&f->s, &f->n, &l));
	assert_int_equal(f->d.d[0].code, 3126);
	/* Behind a single quote columns are one further. */
	scalar(f, "30 m");
	f->n.style = Y_SINGLE;
	f->n.end += 2;
	assert_false(ph_duration(&f->s, &f->n, &ns));
	assert_int_equal(f->d.d[0].col, 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(durations, setup, teardown),
		cmocka_unit_test_setup_teardown(granularities, setup,
						teardown),
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test_setup_teardown(ranges_and_quantities, setup,
						teardown),
		cmocka_unit_test_setup_teardown(addresses_and_ports, setup,
						teardown),
		cmocka_unit_test_setup_teardown(names_paths_and_dates, setup,
						teardown),
		cmocka_unit_test_setup_teardown(expectations, setup, teardown),
		cmocka_unit_test_setup_teardown(double_quotes_hide_columns,
						setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
