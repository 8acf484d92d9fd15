/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows of roll-ups: whoever asks chooses where they begin and how long they
 * are, so they count as no coarser than the grid that they lie on, and than
 * what cuts them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testrows.h"

#define KW "unit='obix:units/kilowatt'"
#define WINDOW_OF(n, from, to)                                                 \
	"<obj><abstime name='start' val='" from "'/><abstime name='end' val='" \
	to "'/><int name='count' val='" n "'/>"                                \
	"<real name='avg' val='1' " KW "/>"                                    \
	"<real name='sum' val='" n "' " KW "/></obj>"
#define WINDOW(from, to) WINDOW_OF("4", from, to)
#define DAY(t) "2025-11-20T" t ":00Z"
#define FROM(t) "<abstime name='start' val='" t "'/>"
#define TO(t)	"<abstime name='end' val='" t "'/>"
#define OUT(w)                                                                 \
	"<obj is='obix:HistoryRollupOut'><list name='data'>" w "</list></obj>"
/* What is asked for, the windows that are told of, and what is read in them. */
#define ROLL(path, every, bounds, g, windows, n, v, says)                      \
	"POST", path "/rollup",                                                \
		"<obj is='obix:HistoryRollupIn'><reltime name='interval' "     \
		"val='" every "'/>" bounds "</obj>",                           \
		OUT(windows), false,                                           \
		"history-rollup-request " path "/rollup "                      \
		"is=obix:HistoryRollupIn g=" g "\n"                            \
		"history-rollup-response " path "/rollup "                     \
		"is=obix:HistoryRollupOut unit=kilowatt power.instant r=" n    \
		" v=" v " " says "\n"

#define ASK_ROLL(path)                                                         \
	"<uri is='obix:Invoke' val='" path "/rollup'><obj name='in' "          \
	"is='obix:HistoryRollupIn'><reltime name='interval' val='PT1H'/>"      \
	"</obj></uri>"
#define SAID_ROLL(path) "history-rollup-request " path "/rollup g=3600\n"
#define SAYS_ROLL(path, says)                                                  \
	"history-rollup-response " path "/rollup is=obix:HistoryRollupOut "    \
	"unit=kilowatt power.instant r=1 v=2 " says "\n"

static const struct kit_row rows[] = {
	{"an hour", ROLL("/a1", "PT1H", "", "3600",
			 WINDOW(DAY("01:00"), DAY("02:00")), "1", "2",
			 "g=3600 span=3600")},
	{"an hour from a quarter past",
	 ROLL("/a2", "PT1H", "", "3600",
	      WINDOW(DAY("01:15"), DAY("02:15")), "1", "2",
	      "g=900 span=3600")},
	{"from seven seconds past",
	 ROLL("/a3", "PT1H", "", "3600",
	      WINDOW("2025-11-20T01:00:07Z", "2025-11-20T02:00:07Z"), "1", "2",
	      "g=1 span=3600")},
	{"from a part of a second past",
	 ROLL("/a4", "PT1H", "", "3600",
	      WINDOW("2025-11-20T01:00:00.5Z", "2025-11-20T02:00:00.5Z"), "1",
	      "2", "span=3600")},
	{"75 minutes, whose difference to an hour is a quarter",
	 ROLL("/a5", "PT75M", "", "4500",
	      WINDOW(DAY("00:00"), DAY("01:15")), "1", "2",
	      "g=900 span=4500")},
	{"three hours count as one",
	 ROLL("/a6", "PT3H", "", "10800",
	      WINDOW(DAY("03:00"), DAY("06:00")), "1", "2",
	      "g=3600 span=10800")},
	{"a clock of another zone moves nothing",
	 ROLL("/a7", "PT1H", "", "3600",
	      WINDOW("2025-11-20T01:00:00+00:15", "2025-11-20T02:00:00+00:15"),
	      "1", "2", "g=900 span=3600")},
	{"one of several",
	 ROLL("/a8", "PT1H", "", "3600",
	      WINDOW(DAY("01:00"), DAY("02:00"))
		      WINDOW(DAY("02:30"), DAY("03:30")),
	      "2", "4", "g=1800 span=9000")},
	{"a day", ROLL("/b1", "PT24H", "", "86400",
		       WINDOW(DAY("00:00"), "2025-11-21T00:00:00Z"), "1", "2",
		       "g=86400 span=86400")},
	{"a week is told as its days",
	 ROLL("/b2", "P7D", "", "604800",
	      WINDOW("2025-11-17T00:00:00Z", "2025-11-24T00:00:00Z"), "1", "2",
	      "g=86400 span=604800")},
	{"a month as the shortest",
	 ROLL("/b3", "P30D", "", "2592000",
	      WINDOW("2025-11-01T00:00:00Z", "2025-12-01T00:00:00Z"), "1", "2",
	      "g=2419200 span=2592000")},
	{"30 days from another day are none",
	 ROLL("/b4", "P30D", "", "2592000",
	      WINDOW("2025-11-02T00:00:00Z", "2025-12-02T00:00:00Z"), "1", "2",
	      "g=86400 span=2592000")},
	{"what was asked for cuts the first",
	 ROLL("/c1", "PT1H", FROM(DAY("01:40")), "3600",
	      WINDOW(DAY("01:00"), DAY("02:00")), "1", "2",
	      "g=300 span=3600")},
	{"and the last",
	 ROLL("/c2", "PT1H", TO(DAY("01:10")), "3600",
	      WINDOW(DAY("01:00"), DAY("02:00")), "1", "2",
	      "g=300 span=3600")},
	{"but not what ends before",
	 ROLL("/c3", "PT1H", TO(DAY("02:07")), "3600",
	      WINDOW(DAY("01:00"), DAY("02:00")), "1", "2",
	      "g=3600 span=3600")},
	{"single readings of one history are none of the next",
	 "POST", "/batch",
	 "<list is='obix:BatchIn'>" ASK_ROLL("/d1") ASK_ROLL("/d2") "</list>",
	 "<list is='obix:BatchOut'>"
	 OUT(WINDOW_OF("1", DAY("01:00"), DAY("02:00")))
	 OUT(WINDOW(DAY("01:00"), DAY("02:00"))) "</list>",
	 false,
	 SAID_ROLL("/d1") SAID_ROLL("/d2")
	 "batch-request /batch is=obix:BatchIn\n"
	 SAYS_ROLL("/d1", "span=0") SAYS_ROLL("/d2", "g=3600 span=3600")
	 "batch-response /batch is=obix:BatchOut\n"},
};

static void windows(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	assert_int_equal(kit_rows(k, rows, sizeof(rows) / sizeof(rows[0])), 0);
	kit_free(k);
}

/* Half an hour from UTC: there hours begin at half past. */
static const struct kit_row rows_of_zone[] = {
	{"an hour there", ROLL("/z1", "PT1H", "", "3600",
			       WINDOW(DAY("01:30"), DAY("02:30")), "1", "2",
			       "g=3600 span=3600")},
	{"an hour of UTC", ROLL("/z2", "PT1H", "", "3600",
				WINDOW(DAY("01:00"), DAY("02:00")), "1", "2",
				"g=1800 span=3600")},
	{"a day there",
	 ROLL("/z3", "PT24H", "", "86400",
	      WINDOW("2025-11-19T18:30:00Z", "2025-11-20T18:30:00Z"), "1", "2",
	      "g=86400 span=86400")},
	{"a window that is not over",
	 ROLL("/z4", "PT1H", "", "3600",
	      WINDOW("2025-11-25T01:30:00Z", "2025-11-25T02:30:00Z"), "1", "2",
	      "span=3600")},
};

static void of_a_zone(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	/* 2025-11-25 02:00 UTC */
	k->dis.now.wall = (struct wall){INT64_C(1764036000) * US_PER_S,
					19800, 19800, true};
	assert_int_equal(kit_rows(k, rows_of_zone, sizeof(rows_of_zone) /
							   sizeof(*rows_of_zone)),
			 0);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows),
		cmocka_unit_test(of_a_zone),
	};

	return cmocka_run_group_tests_name("obix grid", tests, NULL, NULL);
}
