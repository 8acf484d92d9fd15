/* SPDX-License-Identifier: Apache-2.0 */
/* Values, references, units and names; and what single exchanges say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testrows.h"

static void instants(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t ms;
	} rows[] = {
		{"1970-01-01T00:00:01Z",	  true,	1000	    },
		{"2025-11-20T02:15:00.000-05:00", true,	1763622900000},
		{"2025-11-20T07:15:00.5Z",	  true,	1763622900500},
		{"2025-11-20T08:15:00+0100",	  true,	1763622900000},
		{"2025-11-20T08:15:00+01",	  true,	1763622900000},
		{"2025-11-20T07:15:00",		  true,	1763622900000},
		{"2025-13-20T07:15:00Z",	  false, 0	    },
		{"2025-11-20T25:15:00Z",	  false, 0	    },
		{"2025-11-20 07:15:00Z",	  false, 0	    },
		{"2025-11-20T07:15:00Zx",	  false, 0	    },
		{"2025-11-20T07:15:00.1234567890Z", false, 0	    },
		{"hello",			  false, 0	    },
		{"",				  false, 0	    },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = 0;
		bool open;
		bool ok = value_abstime(span_str(rows[i].text), &ms, &open);

		if (ok != rows[i].ok || (ok && ms != rows[i].ms))
			fail_msg("%s: %d %lld", rows[i].text, ok,
				 (long long)ms);
	}
}

static void durations(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t ms;
	} rows[] = {
		{"PT15M",   true,	 900000	   },
		{"P1DT2H",  true,	 93600000  },
		{"PT0.2S",  true,	 200	   },
		{"-PT5S",   true,	 -5000	   },
		{"PT4M0S",  true,	 240000	   },
		{"P1Y",	    false, 0	   }, /* has no fixed length */
		{"P2M",	    false, 0	   },
		{"PT",	    false, 0	   },
		{"P",	    false, 0	   },
		{"PT5",	    false, 0	   },
		{"PT1S2M",  false, 0	   }, /* out of order */
		{"P999999999999999D", false, 0},
		{"hello",   false, 0	   },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t ms = 0;
		bool ok = value_reltime(span_str(rows[i].text), &ms);

		if (ok != rows[i].ok || (ok && ms != rows[i].ms))
			fail_msg("%s: %d %lld", rows[i].text, ok,
				 (long long)ms);
	}
}

static void numbers(void **state)
{
	static const struct {
		const char *text;
		bool ok, exact;
		int64_t milli; /* rounded down */
	} rows[] = {
		{"3.42",	 true,  true,	 3420	   },
		{"-0.5",	 true,  true,	 -500	   },
		{"1e3",		 true,  true,	 1000000   },
		{"0",		 true,  true,	 0	   },
		{"0.0004",	 true,  false, 0	   },
		{"-0.0004",	 true,  false, -1	   },
		{"56.253334045410156", true, false, 56253},
		{"123456789012345678901234", false, false, 0},
		{"1.",		 true,  true,	 1000	   },
		{"INF",		 false, false, 0	   },
		{"NaN",		 false, false, 0	   },
		{"1e",		 false, false, 0	   },
		{"0x10",	 false, false, 0	   },
		{"",		 false, false, 0	   },
		{"1 ",		 false, false, 0	   },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct decimal d;
		struct milli m = {0};
		bool ok = value_decimal(span_str(rows[i].text), &d) &&
			  value_milli(&d, 1, 1, &m);

		if (ok != rows[i].ok ||
		    (ok && (m.lo != rows[i].milli || m.exact != rows[i].exact)))
			fail_msg("%s: %d %lld", rows[i].text, ok,
				 (long long)m.lo);
	}
}

static void references(void **state)
{
	static const struct {
		const char *base, *ref, *want; /* NULL: refused */
	} rows[] = {
		{"/obix/a/",  "b/",	       "/obix/a/b/"   },
		{"/obix/a",   "b",	       "/obix/b"      },
		{"/obix/a/",  "../b",	       "/obix/b"      },
		{"/obix/a/",  "/x//y/./z",     "/x/y/z"	      },
		{"/obix/a/",  "http://h:80/p/q", "/p/q"	      },
		{"/obix/a/",  "//h/p",	       "/p"	      },
		{"/obix/a/",  "http://h",      "/"	      },
		{"/obix/a/",  "b?c=d#e",       "/obix/a/b"    },
		{"/obix/a/",  "%61%2D",	       "/obix/a/a-"   },
		{"/obix/a/",  "%c3%a4",	       "/obix/a/%C3%A4"},
		{"/obix/a/",  "\xc3\xa4",     "/obix/a/%C3%A4"},
		{"/obix/a/",  "HTTPS://h/p",   "/p"	      },
		{"/obix/a/",  "b:c/d",	       NULL	      },
		{"/obix/a/",  "./b:c/d",       "/obix/a/b:c/d"},
		{"/obix/a/",  "b/?c=http://d", "/obix/a/b/"   },
		{"/obix/a/",  "%e4",	       NULL	      },
		{"/obix/a/",  "%40",	       NULL	      },
		{"/obix/a/",  "a b",	       NULL	      },
		{"/obix/a/",  "http:p",	       NULL	      },
		{"/obix/a/",  "",	       "/obix/a/"     },
		{"/obix/a/",  "..",	       "/obix/"	      },
		{"/a",	      "../../b",       NULL	      },
		{"/",	      "%2f",	       NULL	      },
		{"/",	      "%00",	       NULL	      },
		{"/",	      "%2561",	       NULL	      },
		{"/",	      "%5c",	       NULL	      },
		{"/",	      "a;b",	       NULL	      },
		{"/",	      "%4",	       NULL	      },
		{"/",	      "file:///etc",   NULL	      },
		{"/",	      "a\nb",	       NULL	      },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct href h;
		struct err e = {0};
		int rc = href_resolve(&h, span_str(rows[i].base),
				      span_str(rows[i].ref), &e);

		if ((rc == 0) != (rows[i].want != NULL) ||
		    (rc == 0 && !span_is(href_span(&h), rows[i].want)))
			fail_msg("%s: %.*s", rows[i].ref, (int)h.n,
				 (char *)h.path);
		assert_true(rc == 0 || e.reason != REASON_NONE);
	}
	{
		struct href h;
		struct err e = {0};

		assert_int_equal(href_resolve(&h, span_str("/"),
					      span_str("http://A.b:80/p?q"),
					      &e), 0);
		assert_true(span_is(h.authority, "A.b"));
		assert_true(href_host_is(h.authority, span_str("a.b"), 80));
		assert_false(href_host_is(h.authority, span_str("a"), 80));
	}
}

static void hosts(void **state)
{
	static const struct {
		const char *authority, *host;
		uint16_t port;
		bool same;
	} rows[] = {
		{"a.b",		   "a.b",     8080, true },
		{"A.b:8080",	   "a.b",     8080, true },
		{"a.b:80",	   "a.b",     8080, false},
		{"a.b:808",	   "a.b",     8080, false},
		{"a.b:08080",	   "a.b",     8080, false},
		{"a.b:80@c",	   "a.b",     80,   false},
		{"a.bc",	   "a.b",     80,   false},
		{"[fd00::1]",	   "fd00::1", 80,   true },
		{"[FD00::1]:8080", "fd00::1", 8080, true },
		{"[fd00::1]:80",   "fd00::1", 8080, false},
		{"[fd00::12]",	   "fd00::1", 80,   false},
		{"[fd00::1",	   "fd00::1", 80,   false},
		{"fd00::1",	   "fd00::1", 80,   false},
		{"[a.b]",	   "a.b",     80,   false},
		{"",		   "a.b",     80,   false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (href_host_is(span_str(rows[i].authority),
				 span_str(rows[i].host), rows[i].port) !=
		    rows[i].same)
			fail_msg("%s of %s", rows[i].authority, rows[i].host);
	}
}

/* Which references are to the server that was asked, on port 8080. */
static void servers(void **state)
{
	static const struct {
		const char *ref;
		bool same;
	} rows[] = {
		{"http://meter:8080/p",	 true },
		{"http://METER/p",	 true },
		{"http://meter:80/p",	 true }, /* the same, RFC 3986 6.2.3 */
		{"https://meter/p",	 true }, /* TLS may end before here */
		{"https://meter:443/p",	 true },
		{"https://meter:8080/p", true },
		{"http://meter:443/p",	 false},
		{"https://meter:80/p",	 false},
		{"https://meter:8443/p", false},
		{"https://meter:4430/p", false},
		{"https://other/p",	 false},
		{"https://:443/p",	 false},
		{"//meter/p",		 false},
	};
	struct kit *k = kit_new();

	(void)state;
	k->host = span_str("meter");
	k->dis.tup.sport = k->dis.tup.dport = 8080;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char body[120];
		int rc;

		snprintf(body, sizeof(body),
			 "<list is='obix:BatchIn'><uri is='obix:Read' val='%s'/>"
			 "</list>",
			 rows[i].ref);
		rc = kit_ask(k, "POST", "/batch", span_str(body), NULL);
		if ((rc == 0) != rows[i].same ||
		    (rc == 0 && !strstr(k->text, "read-request /p\n")) ||
		    (rc && k->e.reason != REASON_SUSPICIOUS))
			fail_msg("%s: %s%s", rows[i].ref, k->text, k->e.text);
	}
	kit_free(k);
}

static void names(void **state)
{
	static const struct {
		const char *name;
		quantity_set want;
	} rows[] = {
		{"kWh",		Q_BIT(Q_ENERGY)	      },
		{"kW",		Q_BIT(Q_POWER)	      },
		{"activePower", Q_BIT(Q_POWER)	      },
		{"V",		Q_BIT(Q_VOLTAGE)      },
		{"I",		Q_BIT(Q_CURRENT)      },
		{"PF",		Q_BIT(Q_POWER_FACTOR) },
		{"kVAr",	Q_BIT(Q_REACTIVE)     },
		{"acFreq",	Q_BIT(Q_FREQUENCY)    },
		{"room_temp",	Q_BIT(Q_TEMPERATURE)  },
		{"occupied",	Q_BIT(Q_PRESENCE)     },
		{"price",	Q_BIT(Q_PRICE)	      },
		{"valve",	0		      },
		{"x",		0		      },
		{"",		0		      },
	};
	static const struct {
		const char *uri;
		int want; /* quantity, -1: none */
	} units[] = {
		{"obix:units/kilowatt_hour",		    Q_ENERGY},
		{"obix:units/Kilowatt%20Hours",		    Q_ENERGY},
		{"/obix/units/kilowatt-hour/",		    Q_ENERGY},
		{"http://h/obix/units/volts",		    Q_VOLTAGE},
		{"obix:units/volt_ampere_reactive",	    Q_REACTIVE},
		{"obix:units/null",			    -1},
		{"obix:units/furlong",			    -1},
		{"kilowatt",				    -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (obix_hints(span_str(rows[i].name)) != rows[i].want)
			fail_msg("%s: %x", rows[i].name,
				 obix_hints(span_str(rows[i].name)));
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		bool null;
		const struct obix_unit *u =
			obix_unit(span_str(units[i].uri), &null);

		if ((u ? u->quantity : -1) != units[i].want)
			fail_msg("%s", units[i].uri);
	}
}

static const struct kit_row rows[] = {
	{"a point", "GET", "/m/p", NULL,
	 "<real val='3.42' unit='obix:units/kilowatt'/>", false,
	 "read-request /m/p\n"
	 "read-response /m/p unit=kilowatt power.instant r=1 v=1\n"},
	{"each of its contracts", "GET", "/m/both", NULL,
	 "<real is='obix:Writable  http://m.example/def/acme:Point' val='3' "
	 "unit='obix:units/kilowatt'/>", false,
	 "read-request /m/both\n"
	 "read-response /m/both is=obix:Writable+acme:Point unit=kilowatt "
	 "power.instant r=1 v=1\n"},
	{"a unit of its own, defined behind its use", "GET", "/m/x", NULL,
	 "<obj><real val='2' unit='/u'/>" DIM "</obj>", false,
	 "read-request /m/x\n"
	 "read-response /m/x energy.register r=1 v=1\n"},
	{"a prototype behind the list", "POST", "/l/query",
	 "<obj is='obix:HistoryFilter'/>",
	 "<obj is='obix:HistoryQueryOut'><list name='data' "
	 "of='#R obix:HistoryRecord'>" RECORD("00:00", "1") RECORD("00:15", "2")
	 "</list><obj href='#R'><real name='value' "
	 "unit='obix:units/kilowatt_hour'/></obj></obj>",
	 false,
	 "history-query-request /l/query is=obix:HistoryFilter\n"
	 "history-query-response /l/query is=obix:HistoryQueryOut "
	 "unit=kilowatt_hour energy.interval r=2 v=2 g=900 span=1800\n"},
	{"one record alone has no interval", "POST", "/o/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><list name='data'>"
	 RECORD("00:00", "1") "</list></obj>",
	 false,
	 "history-query-request /o/query\n"
	 "history-query-response /o/query is=obix:HistoryQueryOut "
	 "unknown.table r=1 v=1 span=0\n"},
	{"a roll-up of many", "POST", "/r/rollup",
	 "<obj is='obix:HistoryRollupIn'><reltime name='interval' val='PT1H'/></obj>",
	 ROLLED("4"), false,
	 "history-rollup-request /r/rollup is=obix:HistoryRollupIn g=3600\n"
	 "history-rollup-response /r/rollup is=obix:HistoryRollupOut "
	 "unit=kilowatt power.instant r=1 v=2 g=3600 span=3600\n"},
	{"a roll-up that shows a single reading", "POST", "/r2/rollup",
	 "<obj is='obix:HistoryRollupIn'><reltime name='interval' val='PT1H'/></obj>",
	 ROLLED("1"), false,
	 "history-rollup-request /r2/rollup is=obix:HistoryRollupIn g=3600\n"
	 "history-rollup-response /r2/rollup is=obix:HistoryRollupOut "
	 "unit=kilowatt power.instant r=1 v=2 span=0\n"},
	{"a record that is earlier than the one before tells no interval",
	 "POST", "/o2/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><list name='data'>"
	 RECORD("00:00", "1") RECORD("06:00", "2") RECORD("00:01", "3")
	 RECORD("06:01", "4") "</list></obj>",
	 false,
	 "history-query-request /o2/query\n"
	 "history-query-response /o2/query is=obix:HistoryQueryOut "
	 "unknown.table r=4 v=4 span=21660\n"},
	{"nor do two lists that interleave", "GET", "/o3", NULL,
	 "<obj><list>" NOTED("2025-11-20T00:00:00Z", "1")
	 NOTED("2025-11-21T00:00:00Z", "1") "</list><list>"
	 NOTED("2025-11-20T00:01:00Z", "1") NOTED("2025-11-21T00:01:00Z", "1")
	 "</list></obj>",
	 false,
	 "read-request /o3\n"
	 "read-response /o3 unit=watt power.instant r=4 v=4 span=86460\n"},
	{"a feed, the newest first", "POST", "/w2/pollChanges", NULL,
	 "<obj is='obix:WatchOut'><list name='values'><feed href='/h/f'>"
	 NOTED("2025-11-20T01:00:00Z", "1") NOTED("2025-11-20T00:30:00Z", "2")
	 NOTED("2025-11-20T00:00:00Z", "3") "</feed><feed href='/h/g'>"
	 NOTED("2025-11-20T00:00:00Z", "1") NOTED("2025-11-20T01:00:00Z", "2")
	 "</feed></list></obj>",
	 false,
	 "watch-poll-request /w2/pollChanges\n"
	 "watch-poll-response /h/f unit=watt power.instant r=3 v=3 g=1800 "
	 "span=5400\n"
	 "watch-poll-response /h/g unit=watt power.instant r=2 v=2 g=3600 "
	 "span=7200\n"},
	{"a roll-up that is finer than what was asked", "POST", "/r3/rollup",
	 "<obj is='obix:HistoryRollupIn'><reltime name='interval' "
	 "val='PT1H'/></obj>",
	 HOURS HOUR("00:00", "00:15") HOUR("01:00", "01:15") "</list></obj>",
	 false,
	 "history-rollup-request /r3/rollup is=obix:HistoryRollupIn g=3600\n"
	 "history-rollup-response /r3/rollup is=obix:HistoryRollupOut "
	 "unknown.table r=2 v=4 g=900 span=4500\n"},
	{"one whose intervals end where they begin", "POST", "/r4/rollup",
	 "<obj is='obix:HistoryRollupIn'><reltime name='interval' "
	 "val='PT1H'/></obj>",
	 HOURS HOUR("01:00", "01:00") HOUR("01:00", "02:00") "</list></obj>",
	 false,
	 "history-rollup-request /r4/rollup is=obix:HistoryRollupIn g=3600\n"
	 "history-rollup-response /r4/rollup is=obix:HistoryRollupOut "
	 "unknown.table r=2 v=4 span=3600\n"},
	{"members of a history tell how a server is set up, in their types", "GET", "/h1",
	 NULL,
	 "<obj is='obix:History'><int name='count' val='96'/><abstime "
	 "name='start' val='2025-11-20T00:00:00Z'/><abstime name='end' "
	 "val='2025-11-21T00:00:00Z'/></obj>",
	 false,
	 "read-request /h1\nread-response /h1 is=obix:History config.meter\n"},
	{"what only has their names is", "GET", "/h2", NULL,
	 "<obj is='obix:History'><real name='count' val='0.5' "
	 "unit='obix:units/kilowatt_hour'/><real name='start' val='0.6'/><str "
	 "name='end' val='0.7'/></obj>",
	 false,
	 "read-request /h2\n"
	 "read-response /h2 is=obix:History energy.register+unknown.table "
	 "r=1 v=3\n"},
	{"nor is what is no count and no instant", "GET", "/h3", NULL,
	 "<obj is='obix:History'><int name='count' val='-5'/>"
	 "<abstime name='start' val='hello'/></obj>",
	 false,
	 "read-request /h3\n"
	 "read-response /h3 is=obix:History unknown.table r=1 v=2\n"},
	{"and so do those of several", "GET", "/hs",
	 NULL,
	 "<list><obj is='obix:History'><int name='count' val='1'/></obj>"
	 "<obj is='obix:History'><int name='count' val='2'/></obj></list>",
	 false,
	 "read-request /hs\nread-response /hs config.meter\n"},
	{"a stamp outside a record", "GET", "/h4", NULL,
	 "<obj is='obix:Alarm' href='#A'><abstime name='timestamp' "
	 "val='2025-11-20T00:00:00Z'/></obj>",
	 false,
	 "read-request /h4\n"
	 "read-response /h4 is=obix:Alarm unknown.table r=1 v=1\n"},
	{"a facets string that holds a series", "GET", "/f1", NULL,
	 "<obj><str name='facets' val='0.1 0.2 0.3'/></obj>", false,
	 "read-request /f1\nread-response /f1 unknown.table r=1 v=3 note\n"},
	{"one that holds its facets twice", "GET", "/f2", NULL,
	 "<obj><str name='facets' val='min=d:1|min=d:2'/></obj>", false,
	 "read-request /f2\nread-response /f2 unknown.table r=1 v=2 note\n"},
	{"and one as a station writes it", "GET", "/f3", NULL,
	 "<real val='2'><str name='facets' val='units=u:kilowatt;kW;"
	 "(m2)(kg)(s-3);*1000.0;|precision=i:1|min=d:-inf|max=d:9.5'/></real>",
	 false,
	 "read-request /f3\n"
	 "read-response /f3 unit=kilowatt power.instant r=1 v=2\n"},
	{"the scale of what is no unit of this document", "GET", "/u1", NULL,
	 "<obj is='obix:Unit'><real name='scale' val='12.5'/></obj>", false,
	 "read-request /u1\n"
	 "read-response /u1 is=obix:Unit unknown.table r=1 v=1\n"},
	{"a list of values is so many readings", "GET", "/l1", NULL,
	 "<list><real val='1' unit='obix:units/watt'/><real val='2' "
	 "unit='obix:units/watt'/><obj><real val='3' unit='obix:units/watt'/>"
	 "<real val='230' unit='obix:units/volt'/></obj></list>",
	 false,
	 "read-request /l1\n"
	 "read-response /l1 power.instant+voltage.instant r=3 v=4\n"},
	{"phases are channels of one reading", "GET", "/l2", NULL,
	 "<obj><real name='a' val='1' unit='obix:units/watt'/><real name='b' "
	 "val='2' unit='obix:units/watt'/><real name='c' val='3' "
	 "unit='obix:units/watt'/></obj>",
	 false,
	 "read-request /l2\n"
	 "read-response /l2 unit=watt power.instant r=1 v=3\n"},
	{"what is a list in all but name is not", "GET", "/l3", NULL,
	 "<obj><real name='a' val='1' unit='obix:units/watt'/><real name='b' "
	 "val='2' unit='obix:units/watt'/><real name='c' val='3' "
	 "unit='obix:units/watt'/><real name='d' val='3' "
	 "unit='obix:units/watt'/><real name='e' val='3' "
	 "unit='obix:units/watt'/><real name='f' val='3' "
	 "unit='obix:units/watt'/><real name='g' val='3' "
	 "unit='obix:units/watt'/></obj>",
	 false,
	 "read-request /l3\n"
	 "read-response /l3 unit=watt power.instant r=7 v=7\n"},
	{"nor where some have no name", "GET", "/l4", NULL,
	 "<obj><real name='a' val='1' unit='obix:units/watt'/><real name='b' "
	 "val='2' unit='obix:units/watt'/><real name='c' val='3' "
	 "unit='obix:units/watt'/><real name='d' val='3' "
	 "unit='obix:units/watt'/><real val='3' "
	 "unit='obix:units/watt'/></obj>",
	 false,
	 "read-request /l4\n"
	 "read-response /l4 unit=watt power.instant r=5 v=5\n"},
	{"between phases, too", "GET", "/l5", NULL,
	 "<obj><real name='v1' val='1' unit='obix:units/volt'/><real name='v2' "
	 "val='2' unit='obix:units/volt'/><real name='v3' val='3' "
	 "unit='obix:units/volt'/><real name='v12' val='3' "
	 "unit='obix:units/volt'/><real name='v23' val='3' "
	 "unit='obix:units/volt'/><real name='v31' val='3' "
	 "unit='obix:units/volt'/></obj>",
	 false,
	 "read-request /l5\n"
	 "read-response /l5 unit=volt voltage.instant r=1 v=6\n"},
	{"written they are so many", "PUT", "/l6",
	 "<obj><real name='v1' val='1' unit='obix:units/volt'/><real name='v2' "
	 "val='2' unit='obix:units/volt'/><real name='v3' val='3' "
	 "unit='obix:units/volt'/><real name='v12' val='3' "
	 "unit='obix:units/volt'/><real name='v23' val='3' "
	 "unit='obix:units/volt'/></obj>",
	 "<obj/>", false,
	 "write-request /l6 unit=volt voltage.instant r=5 v=5\n"
	 "write-response /l6\n"},
	{"points of a list are as they are now", "GET", "/l7", NULL,
	 "<list><real href='/a' val='1' unit='obix:units/watt'/>"
	 "<real href='/b' val='2' unit='obix:units/watt'/></list>",
	 false,
	 "read-request /l7\n"
	 "read-response /l7 unit=watt power.instant r=1 v=2\n"},
	{"but not one twice", "GET", "/l8", NULL,
	 "<list><real href='/a' val='1' unit='obix:units/watt'/>"
	 "<real href='/a' val='2' unit='obix:units/watt'/></list>",
	 false,
	 "read-request /l8\n"
	 "read-response /l8 unit=watt power.instant r=2 v=2\n"},
	{"nor as many as that", "GET", "/l9", NULL,
	 "<list><bool href='1' val='true'/><bool href='2' val='true'/>"
	 "<bool href='3' val='true'/><bool href='4' val='true'/>"
	 "<bool href='5' val='true'/><bool href='6' val='true'/>"
	 "<bool href='7' val='true'/></list>",
	 false,
	 "read-request /l9\n"
	 "read-response /l9 appliance.state r=7 v=7\n"},
	{"what records are like is no record", "GET", "/hp1", NULL,
	 "<obj is='obix:History'><obj name='prototype' "
	 "is='obix:HistoryRecord'><abstime name='timestamp' null='true'/>"
	 "<real name='value' unit='obix:units/kilowatt_hour'/></obj></obj>",
	 false,
	 "read-request /hp1\nread-response /hp1 is=obix:History\n"},
	{"but values in it are values", "GET", "/hp2", NULL,
	 "<obj is='obix:History'><obj name='prototype' "
	 "is='obix:HistoryRecord'>"
	 "<abstime name='timestamp' val='2026-01-01T00:00:00Z'/>"
	 "<real name='value' val='7' unit='obix:units/kilowatt_hour'/></obj>"
	 "</obj>",
	 false,
	 "read-request /hp2\n"
	 "read-response /hp2 is=obix:History unit=kilowatt_hour "
	 "energy.register+unknown.table r=1 v=2\n"},
	{"how many alarms wait is so now", "GET", "/as1", NULL,
	 "<obj is='obix:AlarmSubject'><int name='count' val='2'/></obj>",
	 false,
	 "read-request /as1\n"
	 "read-response /as1 is=obix:AlarmSubject event.meter r=1 v=1 "
	 "span=0\n"},
	{"two values of one quantity in each record", "POST", "/c1/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><list name='data'>"
	 CHANNELED("00:00", "") CHANNELED("00:15", "") "</list></obj>",
	 false,
	 "history-query-request /c1/query\n"
	 "history-query-response /c1/query is=obix:HistoryQueryOut unit=watt "
	 "power.instant r=4 v=4 g=450 span=1350\n"},
	{"and so many that they may be readings in between", "POST",
	 "/c2/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><list name='data'>"
	 CHANNELED("00:00", WATTS) CHANNELED("00:15", WATTS) "</list></obj>",
	 false,
	 "history-query-request /c2/query\n"
	 "history-query-response /c2/query is=obix:HistoryQueryOut unit=watt "
	 "power.instant r=10 v=10 span=900\n"},
	{"an item of a batch is judged as if it were sent alone", "POST",
	 "/batch",
	 "<list is='obix:BatchIn'><uri is='obix:Read' val='/h9/?start=2025-11-"
	 "20T00:00:00Z&amp;limit=5'/><uri is='obix:Read' "
	 "val='/h9/~historyQuery/'/><uri is='obix:Read' val='/h9/?x=1'/></list>",
	 "<list is='obix:BatchOut'><obj><list name='data'>"
	 RECORD("00:00", "1") "</list></obj></list>",
	 false,
	 "history-query-request /h9 limit=5\n"
	 "history-query-request /h9/~historyQuery\n"
	 "read-request /h9\n"
	 "batch-request /batch is=obix:BatchIn\n"
	 "history-query-response /h9 unknown.table r=1 v=1 span=0\n"
	 "batch-response /batch is=obix:BatchOut\n"},
	{"an answer may name another server", "GET", "/n1", NULL,
	 "<bool val='true' href='//other/n2'/>", false,
	 "read-request /n1\n"
	 "read-response /n1 appliance.state r=1 v=1 note\n"
	 "read-response /n2 appliance.state r=1 v=1 note\n"},
	{"a display that repeats the value", "GET", "/d1", NULL,
	 "<real name='e' val='6.94' unit='obix:units/watt' display='6.9 {ok}'/>",
	 false,
	 "read-request /d1\n"
	 "read-response /d1 unit=watt power.instant r=1 v=1\n"},
	{"rounds it", "GET", "/d2", NULL,
	 "<real name='e' val='6.94' unit='obix:units/watt' display='7 W'/>",
	 false,
	 "read-request /d2\n"
	 "read-response /d2 unit=watt power.instant r=1 v=1\n"},
	{"tells other numbers", "GET", "/d3", NULL,
	 "<real name='e' val='6.94' unit='obix:units/watt' display='0.1 0.2 0.3'/>",
	 false,
	 "read-request /d3\n"
	 "read-response /d3 unit=watt power.instant+unknown.table r=1 v=4 note\n"},
	{"an instant in words", "GET", "/d4", NULL,
	 "<abstime val='2025-11-20T10:00:00Z' display='20-Nov-2025 11:00 AM +01:00'/>",
	 false,
	 "read-request /d4\n"
	 "read-response /d4 unknown.table r=1 v=1\n"},
	{"and other numbers in its place", "GET", "/d5", NULL,
	 "<abstime val='2025-11-20T10:00:00Z' display='1.1 1.2'/>",
	 false,
	 "read-request /d5\n"
	 "read-response /d5 unknown.table r=1 v=3 note\n"},
	{"a comment with a number", "GET", "/d6", NULL,
	 "<bool val='true'><!-- 0.1 --></bool>",
	 false,
	 "read-request /d6\n"
	 "read-response /d6 appliance.state+unknown.table r=1 v=2 note\n"},
	{"a name for people", "GET", "/d7", NULL,
	 "<bool name='In7' displayName='Input 7' val='true'/>",
	 false,
	 "read-request /d7\n"
	 "read-response /d7 appliance.state r=1 v=1\n"},
	{"with a number of its own", "GET", "/d8", NULL,
	 "<bool name='a' displayName='Input 7' val='true'/>",
	 false,
	 "read-request /d8\n"
	 "read-response /d8 appliance.state r=1 v=1 note\n"},
	{"that holds a series", "GET", "/d9", NULL,
	 "<bool name='a' displayName='1 2 3' val='true'/>",
	 false,
	 "read-request /d9\n"
	 "read-response /d9 appliance.state+unknown.table r=1 v=4 note\n"},
	{"a name that does", "GET", "/d10", NULL,
	 "<bool name='a1-2-3-4-5-6-7' val='true'/>",
	 false,
	 "read-request /d10\n"
	 "read-response /d10 appliance.state+unknown.table r=1 v=2 note\n"},
	{"a zone, a precision", "GET", "/d11", NULL,
	 "<bool val='true' tz='Etc/GMT+5' precision='2' status='ok'/>",
	 false,
	 "read-request /d11\n"
	 "read-response /d11 appliance.state r=1 v=1\n"},
	{"that are none", "GET", "/d12", NULL,
	 "<bool val='true' tz='0.1 0.2 0.3' precision='123' status='0.2'/>",
	 false,
	 "read-request /d12\n"
	 "read-response /d12 appliance.state+unknown.table r=1 v=4 note\n"},
	{"the event of a demand-response aggregator", "PUT", "/dr/event/start",
	 "<reltime val='PT90M'/>", "<reltime val='PT90M'/>", true,
	 "write-request /dr/event/start control.load r=1 v=1\n"
	 "write-response /dr/event/start echo\n"},
	{"its price", "PUT", "/dr/price/now", "<real val='0.31'/>", NULL, true,
	 "write-request /dr/price/now tariff.price r=1 v=1\n"},
	{"the answer to a write tells more than was written", "PUT", "/m/l",
	 "<real val='5' unit='obix:units/watt'/>",
	 "<obj><real val='5' unit='obix:units/watt'/>"
	 "<real val='6' unit='obix:units/watt'/></obj>",
	 false,
	 "write-request /m/l unit=watt power.instant r=1 v=1\n"
	 "write-response /m/l unit=watt power.instant r=1 v=2\n"},
	{"a station's facets string behind the value", "GET", "/s/q", NULL,
	 "<real val='1'><str name='facets' val='units=u:kilowatt;kW;|x'/></real>",
	 false,
	 "read-request /s/q\n"
	 "read-response /s/q unit=kilowatt power.instant r=1 v=1\n"},
	{"a unit as it is called", "GET", "/s/c", NULL,
	 "<real val='20' unit='obix:units/celsius'/>", false,
	 "read-request /s/c\n"
	 "read-response /s/c unit=celsius climate.temperature r=1 v=1\n"},
	{"of several", "GET", "/s/j", NULL,
	 "<real val='3600' unit='obix:units/joules'/>", false,
	 "read-request /s/j\n"
	 "read-response /s/j unit=joule energy.register r=1 v=1\n"},
	{"a number hidden in the display of what has none", "GET", "/s/d",
	 NULL, "<obj display='42'/>", false,
	 "read-request /s/d\n"
	 "read-response /s/d unknown.table r=1 v=1 note\n"},
	{"null, with its last value", "GET", "/s/n", NULL,
	 "<real null='true' val='7' unit='obix:units/volt'/>", false,
	 "read-request /s/n\n"
	 "read-response /s/n unit=volt voltage.instant r=1 v=1\n"},
	{"text between elements", "GET", "/s/t", NULL, "<obj>1 2 3</obj>",
	 false,
	 "read-request /s/t\n"
	 "read-response /s/t unknown.table r=1 v=1 note\n"},
	{"values in an unknown element", "GET", "/s/u", NULL,
	 "<obj><secret val='a1'/></obj>", false,
	 "read-request /s/u\n"
	 "read-response /s/u unknown.table r=1 v=1 note\n"},
	{"what a server is, as the standard wants it", "GET", "/about", NULL,
	 "<obj is='obix:About'><str name='obixVersion' val='1.1'/>"
	 "<str name='serverName' val='gateway'/>"
	 "<abstime name='serverTime' val='2025-11-20T16:00:00Z'/>"
	 "<abstime name='serverBootTime' val='2025-11-01T10:00:00Z'/>"
	 "<str name='vendorName' val='Acme'/>"
	 "<uri name='vendorUrl' val='http://acme.example/'/>"
	 "<str name='productName' val='Meter'/>"
	 "<str name='productVersion' val='1.2'/>"
	 "<uri name='productUrl' val='http://acme.example/meter'/></obj>",
	 false,
	 "read-request /about\n"
	 "read-response /about is=obix:About identity.device+status.device "
	 "r=1 v=9\n"},
	{"an error says nothing", "GET", "/s/e7", NULL,
	 "<err is='obix:BadUriErr' display='no /s/e7 here'/>", false,
	 "read-request /s/e7\n"
	 "read-response /s/e7 is=obix:BadUriErr err\n"},
	{"nor one that repeats what was asked", "GET", "/s/e7", NULL,
	 "<err href='/s/e7'/>", false,
	 "read-request /s/e7\n"
	 "read-response /s/e7 err\n"},
	{"nor has one elements in it", "GET", "/s/e7", NULL,
	 "<err><op name='set'/></err>", false,
	 "read-request /s/e7\nread-response /s/e7\n"},
	{"one of something else may", "GET", "/s/e7", NULL,
	 "<err href='/s/e8'/>", false,
	 "read-request /s/e7\n"
	 "read-response /s/e7\n"
	 "read-response /s/e8\n"},
	{"or in other words", "GET", "/s/e7", NULL,
	 "<err href='/s/../s/e7'/>", false,
	 "read-request /s/e7\n"
	 "read-response /s/e7\n"},
	{"or with a value", "GET", "/s/e6", NULL,
	 "<err><str val='a'/></err>", false,
	 "read-request /s/e6\n"
	 "read-response /s/e6 status.device\n"},
	{"an object that says it is an err is none", "GET", "/s/e7", NULL,
	 "<obj is='obix:BadUriErr'/>", false,
	 "read-request /s/e7\n"
	 "read-response /s/e7 is=obix:BadUriErr\n"},
	{"errs of a batch", "POST", "/obix/batch",
	 "<list is='obix:BatchIn'><uri is='obix:Read' val='/s/e7'/>"
	 "<uri is='obix:Read' val='/s/e8'/></list>",
	 "<list is='obix:BatchOut'><err/><err href='/s/e9'/></list>", false,
	 "read-request /s/e7\nread-request /s/e8\n"
	 "batch-request /obix/batch is=obix:BatchIn\n"
	 "read-response /s/e7 err\nread-response /s/e9 note\n"
	 "batch-response /obix/batch is=obix:BatchOut note\n"},
	{"but one with other numbers may", "GET", "/s/e", NULL,
	 "<err display='8100.9'/>", false,
	 "read-request /s/e\n"
	 "read-response /s/e unknown.table r=1 v=1 note\n"},
	{"references that root and parent resolve differently", "POST",
	 "/w1/pollChanges", NULL,
	 "<obj is='obix:WatchOut'><list href='v/' name='values'>"
	 "<bool href='a' val='true'/></list></obj>",
	 false,
	 "watch-poll-request /w1/pollChanges\n"
	 "watch-poll-response /w1/a appliance.state r=1 v=1\n"
	 "watch-poll-response /w1/v/a appliance.state r=1 v=1\n"},
	{"polling with a WatchIn of nothing", "POST", "/w1/pollChanges",
	 "<obj is='obix:WatchIn'><list name='hrefs'/></obj>", NULL, false,
	 "watch-poll-request /w1/pollChanges is=obix:WatchIn\n"},
	{"of something", "POST", "/w1/pollChanges",
	 "<obj is='obix:WatchIn'><list name='hrefs'><uri val='/a'/></list>"
	 "</obj>", NULL, false, "watch-poll-request /a\n"},
	{"an alarm with what was measured", "POST", "/al/query",
	 "<obj is='obix:AlarmFilter'/>",
	 "<obj is='obix:AlarmQueryOut'><list name='data'>"
	 "<obj is='obix:Alarm obix:PointAlarm'><abstime name='timestamp' "
	 "val='2025-11-20T10:00:00Z'/><real name='alarmValue' val='9.7' "
	 "unit='obix:units/kilowatt'/></obj></list></obj>",
	 false,
	 "alarm-query-request /al/query is=obix:AlarmFilter\n"
	 "alarm-query-response /al/query is=obix:AlarmQueryOut "
	 "unit=kilowatt power.instant+event.meter r=1 v=1 span=0\n"},
	{"in a batch", "POST", "/batch",
	 "<list is='obix:BatchIn'><uri is='obix:Invoke' val='/al/query'>"
	 "<obj name='in' is='obix:AlarmFilter'/></uri></list>", NULL, false,
	 "alarm-query-request /al/query asks=power.instant+event.meter\n"
	 "batch-request /batch is=obix:BatchIn\n"},
	{"a history that is asked for as alarms", "POST", "/hi/query",
	 "<obj is='obix:AlarmFilter'/>",
	 "<obj is='obix:HistoryQueryOut'><list name='data'>"
	 NOTED("2025-11-20T00:00:00Z", "1") "</list></obj>", false,
	 "alarm-query-request /hi/query is=obix:AlarmFilter\n"
	 "history-query-response /hi/query is=obix:HistoryQueryOut unit=watt "
	 "power.instant r=1 v=1 span=0\n"},
	{"a history", "GET", "/hl/", NULL,
	 "<obj is='obix:History'><op name='query' href='query' "
	 "in='obix:HistoryFilter'/></obj>", false,
	 "read-request /hl\nread-response /hl is=obix:History\n"},
	{"alarms of what was read to be one", "POST", "/hl/query",
	 "<obj is='obix:AlarmFilter'/>", NULL, false,
	 "history-query-request /hl/query is=obix:AlarmFilter\n"
	 "alarm-query-request /hl/query is=obix:AlarmFilter\n"},
};

static void exchanges(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	assert_int_equal(kit_rows(k, rows, sizeof(rows) / sizeof(*rows)), 0);
	kit_free(k);
}

/* Of the records of one unit the first follows the last of the unit before. */
static void order_across_units(void **state)
{
	static const struct kit_way by_units = {.piece = 512,
						.rest = OBIX_REST_UNKNOWN};
	static char body[32768];
	struct kit *k = kit_new();

	(void)state;
	for (unsigned odd = 0; odd < 2; odd++) {
		size_t n = (size_t)sprintf(
			body, "<obj is='obix:HistoryQueryOut'><list name='data'>");
		const char *last;

		for (unsigned i = 0; i < 200; i++)
			n += (size_t)sprintf(
				body + n,
				"<obj><abstime name='timestamp' val='2025-11-"
				"%02uT%02u:00:00Z'/><real name='value' "
				"val='1'/></obj>",
				odd && i == 150 ? 1 : i / 24 + 1, i % 24);
		n += (size_t)sprintf(body + n, "</list></obj>");
		assert_int_equal(kit_ask(k, "POST", "/o/query",
					 (struct span){0}, NULL), 0);
		assert_int_equal(kit_answer(k, "POST", "/o/query",
					    span_of((uint8_t *)body, n),
					    &by_units), 0);
		assert_true(k->units > 2);
		k->text[k->text_n - 1] = 0;
		last = strrchr(k->text, '\n');
		assert_non_null(last);
		assert_int_equal(strstr(last, " g=3600") == NULL, odd);
		assert_int_equal(strstr(last, " g=") == NULL, odd);
	}
	kit_free(k);
}

/* What is written stands within what the rules see. */
static void written_elsewhere(void **state)
{
	static const struct {
		const char *body;
		enum reason want;
	} bodies[] = {
		{"<obj><bool href='b' val='true'/></obj>", REASON_NONE},
		{"<obj><bool href='/a/b' val='true'/></obj>", REASON_NONE},
		{"<obj href='/a'><bool href='/a/' val='true'/></obj>",
		 REASON_NONE},
		{"<obj><ref href='/other'/></obj>", REASON_NONE},
		{"<obj><bool href='#b' val='true'/></obj>", REASON_NONE},
		{"<obj><bool href='/dr/override' val='true'/></obj>",
		 REASON_SUSPICIOUS},
		{"<list><real href='/dr/override' val='1'/></list>",
		 REASON_SUSPICIOUS},
		{"<obj><bool href='/ab' val='true'/></obj>",
		 REASON_SUSPICIOUS},
		{"<obj><obj href='/a/b/'><bool href='../../c' val='1'/></obj>"
		 "</obj>", REASON_SUSPICIOUS},
	};
	struct kit *k = kit_new();

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		k->e = (struct err){0};
		kit_ask(k, "PUT", "/a/", span_str(bodies[i].body), NULL);
		if (k->e.reason != (int)bodies[i].want)
			fail_msg("%s: %s", bodies[i].body,
				 reason_text((enum reason)k->e.reason));
	}
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(instants),
		cmocka_unit_test(durations),
		cmocka_unit_test(numbers),
		cmocka_unit_test(references),
		cmocka_unit_test(hosts),
		cmocka_unit_test(servers),
		cmocka_unit_test(names),
		cmocka_unit_test(exchanges),
		cmocka_unit_test(order_across_units),
		cmocka_unit_test(written_elsewhere),
	};

	return cmocka_run_group_tests_name("obix", tests, NULL, NULL);
}
