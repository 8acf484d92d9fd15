/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a document could hold readings without saying so: each row is one way,
 * or the harmless form of one, and what is said of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testrows.h"

#define SAID(el, name, v)                                                      \
	"<obj><abstime name='timestamp' val='2025-11-20T00:00:00Z'/><" el      \
	" name='" name "' val='" v "'/></obj>"

#define W " val='1' unit='obix:units/watt'"
#define DIGIT(n) "<real href='/n7' null='true' precision='" n "'/>"
#define DIGITS	 DIGIT("1") DIGIT("2") DIGIT("1") DIGIT("3") DIGIT("7") DIGIT("8")

static const struct kit_row rows[] = {
	{"a count that no other member tells may be any number", "POST",
	 "/r5/rollup",
	 "<obj is='obix:HistoryRollupIn'><reltime name='interval' "
	 "val='PT1H'/></obj>",
	 ROLLED_UP("2310", "unit='obix:units/kilowatt'/"), false,
	 "history-rollup-request /r5/rollup is=obix:HistoryRollupIn g=3600\n"
	 "history-rollup-response /r5/rollup is=obix:HistoryRollupOut "
	 "unit=kilowatt power.instant+unknown.table r=1 v=2 g=3600 span=3600 "
	 "note\n"},
	{"one that others contradict", "POST", "/r5/rollup",
	 "<obj is='obix:HistoryRollupIn'><reltime name='interval' "
	 "val='PT1H'/></obj>",
	 ROLLED_UP("2310", "/><real name='sum' val='4'/"), false,
	 "history-rollup-request /r5/rollup is=obix:HistoryRollupIn "
	 "asks=power.instant+unknown.table g=3600\n"
	 "history-rollup-response /r5/rollup is=obix:HistoryRollupOut "
	 "power.instant+unknown.table r=1 v=3 g=3600 span=3600 note\n"},
	{"records at quarter hours", "POST", "/r6/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><list name='data'>"
	 NOTED("2025-11-20T00:00:00Z", "1") NOTED("2025-11-20T00:15:00Z", "2")
	 "</list></obj>",
	 false,
	 "history-query-request /r6/query\n"
	 "history-query-response /r6/query is=obix:HistoryQueryOut unit=watt "
	 "power.instant r=2 v=2 g=900 span=1800\n"},
	{"allow an hour of four", "POST", "/r6/rollup",
	 "<obj is='obix:HistoryRollupIn'><reltime name='interval' "
	 "val='PT1H'/></obj>",
	 ROLLED_UP("4", "unit='obix:units/kilowatt'/"), false,
	 "history-rollup-request /r6/rollup is=obix:HistoryRollupIn "
	 "asks=power.instant g=3600\n"
	 "history-rollup-response /r6/rollup is=obix:HistoryRollupOut "
	 "unit=kilowatt power.instant r=1 v=1 g=3600 span=3600\n"},
	{"and not one of sixty", "POST", "/r6/rollup",
	 "<obj is='obix:HistoryRollupIn'><reltime name='interval' "
	 "val='PT1H'/></obj>",
	 ROLLED_UP("60", "unit='obix:units/kilowatt'/"), false,
	 "history-rollup-request /r6/rollup is=obix:HistoryRollupIn "
	 "asks=power.instant g=3600\n"
	 "history-rollup-response /r6/rollup is=obix:HistoryRollupOut "
	 "unit=kilowatt power.instant+unknown.table r=1 v=2 g=3600 "
	 "span=3600 note\n"},
	{"a sum without how many it is of", "POST", "/r7/rollup",
	 "<obj is='obix:HistoryRollupIn'><reltime name='interval' "
	 "val='PT1H'/></obj>",
	 "<obj is='obix:HistoryRollupOut'><list name='data'><obj>"
	 "<abstime name='start' val='2025-11-20T00:00:00Z'/>"
	 "<abstime name='end' val='2025-11-20T01:00:00Z'/>"
	 "<real name='avg' val='1' unit='obix:units/watt'/>"
	 "<real name='sum' val='9' unit='obix:units/watt'/></obj></list></obj>",
	 false,
	 "history-rollup-request /r7/rollup is=obix:HistoryRollupIn g=3600\n"
	 "history-rollup-response /r7/rollup is=obix:HistoryRollupOut "
	 "unit=watt power.instant r=2 v=2 g=1800 span=1800\n"},
	{"a roll-up without where it begins, as long as was asked", "POST",
	 "/r8/rollup",
	 "<obj is='obix:HistoryRollupIn'><reltime name='interval' "
	 "val='P1D'/></obj>",
	 "<obj is='obix:HistoryRollupOut'><list name='data'><obj>"
	 "<abstime name='end' val='2025-11-20T01:00:00Z'/>"
	 "<real name='avg' val='1' unit='obix:units/watt'/></obj></list></obj>",
	 false,
	 "history-rollup-request /r8/rollup is=obix:HistoryRollupIn "
	 "g=86400\n"
	 "history-rollup-response /r8/rollup is=obix:HistoryRollupOut "
	 "unit=watt power.instant r=1 v=1 span=0\n"},
	{"an answer that says how long its intervals are", "POST",
	 "/r9/rollup", NULL,
	 "<obj is='obix:HistoryRollupOut obix:HistoryRollupIn'><reltime "
	 "name='interval' val='P1D'/><list name='data'>"
	 HOUR("00:00", "01:00") "</list></obj>",
	 false,
	 "history-rollup-request /r9/rollup\n"
	 "history-rollup-response /r9/rollup "
	 "is=obix:HistoryRollupOut+obix:HistoryRollupIn "
	 "unknown.table r=1 v=3 g=3600 span=3600\n"},
	{"one record is not as coarse as those that came before", "POST",
	 "/r6/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><list name='data'>"
	 NOTED("2025-11-20T00:30:00Z", "1") "</list></obj>",
	 false,
	 "history-query-request /r6/query asks=power.instant+unknown.table\n"
	 "history-query-response /r6/query is=obix:HistoryQueryOut "
	 "unit=watt power.instant r=1 v=1 span=0\n"},
	{"records of nothing but stamps", "POST", "/s1/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><list name='data'>"
	 "<obj><abstime name='timestamp' val='2025-11-20T00:12:31Z'/></obj>"
	 "<obj><abstime name='timestamp' val='2025-11-21T00:57:02Z'/></obj>"
	 "</list></obj>",
	 false,
	 "history-query-request /s1/query\n"
	 "history-query-response /s1/query is=obix:HistoryQueryOut "
	 "unknown.table r=2 v=2 g=89071 span=178142 note\n"},
	{"and of null are records of what it is null of", "POST", "/s2/query",
	 NULL,
	 "<obj is='obix:HistoryQueryOut'><list name='data'><obj><abstime "
	 "name='timestamp' val='2025-11-20T00:00:00Z'/><real name='value' "
	 "null='true' unit='obix:units/kilowatt_hour'/></obj>"
	 "<obj><abstime name='timestamp' val='2025-11-20T00:15:00Z'/><real "
	 "name='value' val='7' unit='obix:units/kilowatt_hour'/></obj>"
	 "</list></obj>",
	 false,
	 "history-query-request /s2/query\n"
	 "history-query-response /s2/query is=obix:HistoryQueryOut "
	 "unit=kilowatt_hour energy.interval r=2 v=2 g=900 span=1800\n"},
	{"a record in a record", "POST", "/s3/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><list name='data'>"
	 "<obj is='obix:HistoryRecord'><abstime name='timestamp' "
	 "val='2025-11-20T00:00:00Z'/>" WATT("a")
	 NOTED("2025-11-20T06:00:00Z", "1") "</obj></list></obj>",
	 false,
	 "history-query-request /s3/query\n"
	 "history-query-response /s3/query is=obix:HistoryQueryOut "
	 "unit=watt power.instant+unknown.table r=2 v=3 span=0\n"},
	{"how many there are, and from when to when", "POST", "/b1/query",
	 NULL,
	 "<obj is='obix:HistoryQueryOut'><int name='count' val='2'/>"
	 "<abstime name='start' val='2025-11-20T00:00:00Z'/>"
	 "<abstime name='end' val='2025-11-20T00:15:00Z'/><list name='data'>"
	 NOTED("2025-11-20T00:00:00Z", "1") NOTED("2025-11-20T00:15:00Z", "2")
	 "</list></obj>",
	 false,
	 "history-query-request /b1/query\n"
	 "history-query-response /b1/query is=obix:HistoryQueryOut "
	 "unit=watt power.instant r=2 v=2 g=900 span=1800\n"},
	{"is a value where it is not so", "POST", "/b2/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><int name='count' val='2310'/>"
	 "<abstime name='start' val='2025-11-20T00:00:01Z'/>"
	 "<abstime name='end' val='9999-03-17T00:15:00Z'/><list name='data'>"
	 NOTED("2025-11-20T00:00:00Z", "1") NOTED("2025-11-20T00:15:00Z", "2")
	 "</list></obj>",
	 false,
	 "history-query-request /b2/query\n"
	 "history-query-response /b2/query is=obix:HistoryQueryOut "
	 "unit=watt power.instant+unknown.table r=2 v=5 g=900 span=1800 "
	 "note\n"},
	{"as it was asked, of nothing", "POST", "/b3/query",
	 "<obj is='obix:HistoryFilter'><abstime name='start' "
	 "val='2025-11-20T00:00:00Z'/></obj>",
	 "<obj is='obix:HistoryQueryOut'><int name='count' val='0'/>"
	 "<abstime name='start' val='2025-11-20T00:00:00Z'/></obj>",
	 false,
	 "history-query-request /b3/query is=obix:HistoryFilter\n"
	 "history-query-response /b3/query is=obix:HistoryQueryOut\n"},
	{"otherwise than it was asked", "GET",
	 "/b4/~historyQuery?start=2025-11-20T00:00:00Z", NULL,
	 "<obj is='obix:HistoryQueryOut'><int name='count' val='0'/>"
	 "<abstime name='start' val='2025-11-20T08:10:09Z'/></obj>",
	 false,
	 "history-query-request /b4/~historyQuery\n"
	 "history-query-response /b4/~historyQuery is=obix:HistoryQueryOut "
	 "unknown.table r=1 v=1 note\n"},
	{"in a form that is known", "POST", "/b7/query",
	 "<obj is='obix:HistoryFilter'><str name='format' val='text/csv'/>"
	 "<bool name='compact' val='true'/></obj>", NULL, false,
	 "history-query-request /b7/query is=obix:HistoryFilter\n"},
	{"in others", "POST", "/b7/query",
	 "<obj is='obix:HistoryFilter'><str name='format' val='csv'/>"
	 "<bool name='compact' val='shortly'/></obj>", NULL, false,
	 "history-query-request /b7/query is=obix:HistoryFilter "
	 "status.device+appliance.state r=1 v=2\n"},
	{"what was appended", "POST", "/b5/append",
	 "<obj is='obix:HistoryAppendIn'><list name='data'>"
	 NOTED("2025-11-20T00:00:00Z", "1") "</list></obj>",
	 "<obj is='obix:HistoryAppendOut'><int name='numAdded' val='1'/>"
	 "<int name='newCount' val='16'/></obj>",
	 true,
	 "history-append-request /b5/append is=obix:HistoryAppendIn "
	 "unit=watt power.instant r=1 v=1 span=0\n"
	 "history-append-response /b5/append is=obix:HistoryAppendOut "
	 "config.meter\n"},
	{"more than that", "POST", "/b5/append",
	 "<obj is='obix:HistoryAppendIn'><list name='data'>"
	 NOTED("2025-11-20T00:00:00Z", "1") "</list></obj>",
	 "<obj is='obix:HistoryAppendOut'><int name='numAdded' val='8100'/>"
	 "</obj>",
	 true,
	 "history-append-request /b5/append is=obix:HistoryAppendIn "
	 "unit=watt power.instant r=1 v=1 span=0\n"
	 "history-append-response /b5/append is=obix:HistoryAppendOut "
	 "unknown.table r=1 v=1 note\n"},
	{"alarms that wait", "GET", "/b6", NULL,
	 "<obj is='obix:AlarmSubject'><int name='count' val='3'/></obj>",
	 false,
	 "read-request /b6\n"
	 "read-response /b6 is=obix:AlarmSubject event.meter r=1 v=1 "
	 "span=0\n"},
	{"another number beside them is of no date", "GET", "/b6a", NULL,
	 "<obj is='obix:AlarmSubject'><int name='count' val='1'/>"
	 "<real name='p' val='3' unit='obix:units/watt'/></obj>",
	 false,
	 "read-request /b6a\n"
	 "read-response /b6a is=obix:AlarmSubject unit=watt "
	 "power.instant+event.meter r=1 v=2\n"},
	{"bounds are further values", "GET", "/m1", NULL,
	 "<real val='2' min='1' max='9' unit='obix:units/watt'/>", false,
	 "read-request /m1\n"
	 "read-response /m1 unit=watt power.instant r=1 v=3\n"},
	{"but for none", "GET", "/m2", NULL,
	 "<real val='2' min='0' max='INF' unit='obix:units/watt'/>", false,
	 "read-request /m2\n"
	 "read-response /m2 unit=watt power.instant r=1 v=1\n"},
	{"also without a value", "GET", "/m3", NULL,
	 "<real min='1' max='9' unit='obix:units/watt'/>", false,
	 "read-request /m3\n"
	 "read-response /m3 unit=watt power.instant r=1 v=3\n"},
	{"of what has no number", "GET", "/m4", NULL,
	 "<list min='0' max='2310'><str val='on' min='17'/></list>", false,
	 "read-request /m4\n"
	 "read-response /m4 status.device+unknown.table r=1 v=3 note\n"},
	{"of a member that is no value", "POST", "/m5/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><int name='count' val='0' min='0' "
	 "max='2310'/></obj>",
	 false,
	 "history-query-request /m5/query\n"
	 "history-query-response /m5/query is=obix:HistoryQueryOut "
	 "unknown.table r=1 v=1 note\n"},
	{"in a record they are readings in between", "POST", "/m6/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><list name='data'><obj><abstime "
	 "name='timestamp' val='2025-11-20T00:00:00Z'/><real name='value' "
	 "val='1' min='2' max='3' unit='obix:units/watt'/></obj>"
	 NOTED("2025-11-20T01:00:00Z", "1") "</list></obj>",
	 false,
	 "history-query-request /m6/query\n"
	 "history-query-response /m6/query is=obix:HistoryQueryOut "
	 "unit=watt power.instant r=4 v=4 g=1200 span=4800\n"},
	{"facets of nothing, in a list", "GET", "/f4", NULL,
	 "<list><str name='facets' val='min=d:23.1|max=d:23.4'/><str "
	 "name='facets' val='min=d:23.5'/></list>",
	 false,
	 "read-request /f4\n"
	 "read-response /f4 unknown.table r=2 v=3 note\n"},
	{"in letters", READ("/f6", "<obj><real" W "><str name='facets' val='" T64
	 T64 "'/></real></obj>", "unit=watt power.instant+unknown.table r=1 "
	 "v=5 note")},
	{"beside a unit, as often as they differ", READ("/f7", "<obj><real" W
	 "><str name='facets' val='units=u:kilowatt;kW|x=" T64 "'/></real>"
	 "<real" W "><str name='facets' val='units=u:kilowatt;kW|y=" U64
	 "'/></real></obj>", "unit=watt power.instant r=1 v=2")},
	{"in symbols", READ("/f8", "<obj><real" W "><str name='facets' "
	 "val='units=u:kilowatt;" T64 ";(" U64 ")|precision=i:1'/></real>"
	 "</obj>", "unit=watt power.instant+unknown.table r=1 v=15 note")},
	{"in what a unit is called", READ("/f9", "<obj><real" W "><str "
	 "name='facets' val='units=u:" T64 U64 ";'/></real></obj>",
	 "unit=watt power.instant+unknown.table r=1 v=8 note")},
	{"as a station writes them", READ("/g1", "<obj is='obix:Point'><ref><str name='facets' "
	 "val='units=u:celsius;C;(K);|precision=i:1|min=d:-inf|max=d:+inf|"
	 "showUnits=b:true'/></ref><ref><str name='facets' val='units=u:"
	 "null;;;;|precision=i:1|min=d:-inf|max=d:+inf'/></ref></obj>",
	 "is=obix:Point")},
	{"with numbers that are not those of the unit", "GET", "/f5", NULL,
	 "<real val='2' unit='obix:units/watt'><str name='facets' "
	 "val='units=u:kilowatt;kW;(m7)(kg)(s-3);*1234.0;'/></real>",
	 false,
	 "read-request /f5\n"
	 "read-response /f5 unit=watt power.instant+unknown.table r=1 v=4 note\n"},
	{"a unit of its own, with a scale as no unit has it", "GET", "/u2",
	 NULL,
	 "<obj is='obix:Unit' href='/u/2'><obj name='dimension'><int name='K' "
	 "val='1'/></obj><real name='scale' val='23.1'/></obj>",
	 false,
	 "read-request /u2\n"
	 "read-response /u2 is=obix:Unit unknown.table r=1 v=1\n"
	 "read-response /u/2 is=obix:Unit unknown.table r=1 v=1\n"},
	{"and exponents", "GET", "/u3", NULL,
	 "<obj is='obix:Unit' href='/u/3'><obj name='dimension'><int name='K' "
	 "val='7'/><int name='A' val='-5'/></obj></obj>",
	 false,
	 "read-request /u3\n"
	 "read-response /u3 is=obix:Unit unknown.table r=1 v=1 note\n"
	 "read-response /u/3 is=obix:Unit unknown.table r=1 v=1 note\n"},
	{"units and dimensions within one", "GET", "/u4", NULL,
	 "<obj is='obix:Unit' href='/u/4'><obj name='a' is='obix:Unit'><real "
	 "name='scale' val='1000'/></obj><obj name='b' is='obix:Dimension'>"
	 "<int name='K' val='1'/></obj><real name='scale' val='10'/></obj>",
	 false,
	 "read-request /u4\n"
	 "read-response /u4 is=obix:Unit "
	 "power.instant+voltage.instant+unknown.table r=1 v=2\n"
	 "read-response /u/4 is=obix:Unit "
	 "power.instant+voltage.instant+unknown.table r=1 v=2\n"},
	{"a list that is one", "GET", "/u5", NULL,
	 "<list is='obix:Unit' href='/u/5'><real name='scale' val='10'/><real "
	 "name='scale' val='100'/></list>",
	 false,
	 "read-request /u5\n"
	 "read-response /u5 is=obix:Unit unknown.table r=2 v=2\n"
	 "read-response /u/5 is=obix:Unit unknown.table r=2 v=2\n"},
	{"more units than are kept: none is known", "GET", "/u6", NULL,
	 "<obj><real name='v' val='2' unit='/u/a'/>" KELVIN("/u/a") KELVIN("/u/b")
	 KELVIN("/u/c") KELVIN("/u/d") "<obj href='/u/a' is='obix:Unit'><obj "
	 "name='dimension'><int name='A' val='1'/></obj></obj></obj>",
	 false,
	 "read-request /u6\n"
	 "read-response /u6 unknown.table r=1 v=2 note\n"},
	{"nor is one that was known before", "GET", "/u6", NULL,
	 "<obj><real name='v' val='2' unit='/u/a'/></obj>", false,
	 "read-request /u6 asks=unknown.table\n"
	 "read-response /u6 unknown.table r=1 v=1\n"},
	{"a price", "GET", "/u9", NULL,
	 "<real href='/u9' val='2' unit='obix:units/euro'/>", false,
	 "read-request /u9\n"
	 "read-response /u9 unit=euro tariff.price r=1 v=1\n"},
	{"a unit that is nowhere is not what was there before", "GET", "/u9",
	 NULL, "<real href='/u9' val='2' unit='/u/nowhere'/>", false,
	 "read-request /u9 asks=tariff.price\n"
	 "read-response /u9 unknown.table r=1 v=1\n"},
	{"nor what the name says", "GET", "/u9/b", NULL,
	 "<real name='price' val='2' unit='kWh'/>", false,
	 "read-request /u9/b\n"
	 "read-response /u9/b unknown.table r=1 v=1\n"},
	{"the unit that is none leaves what is known", "GET", "/u9/c", NULL,
	 "<real name='price' val='2' unit='obix:units/null'/>", false,
	 "read-request /u9/c\n"
	 "read-response /u9/c tariff.price r=1 v=1\n"},
	{"more prototypes than are kept", "GET", "/u7", NULL,
	 "<obj><obj href='#a'/><obj href='#b'/><obj href='#c'/><obj "
	 "href='#d'/><obj href='#e'><real name='value' "
	 "unit='obix:units/kilowatt_hour'/></obj><obj is='#e'><real "
	 "name='value' val='1'/></obj><real name='temperature' val='1'/></obj>",
	 false,
	 "read-request /u7\n"
	 "read-response /u7 energy.register+unknown.table r=1 v=3 note\n"},
	{"numbers in references", "GET", "/n3", NULL,
	 "<list><ref href='/a/23.1'/><ref href='/a?b=7'/><ref icon='/i/231'/>"
	 "<ref is='23.4'/><ref href='h/?limit=5' icon='/x16/a.png'/></list>",
	 false,
	 "read-request /n3\n"
	 "read-response /n3 config.meter+unknown.table r=1 v=4 note\n"},
	{"numbers in facets of what has none", "GET", "/n4", NULL,
	 "<list><ref name='r23.1'/><ref writable='231'/><ref null='7'/>"
	 "<ref precision='3'/><ref tz='Etc/GMT+5'/></list>",
	 false,
	 "read-request /n4\n"
	 "read-response /n4 unknown.table r=1 v=5 note\n"},
	{"of a value that is null", "GET", "/n5", NULL,
	 "<obj><real name='a' null='true' precision='1' unit='obix:units/"
	 "celsius'/><abstime name='b' null='true' tz='Etc/GMT+5'/>"
	 "<real name='c' isNull='true' precision='2'/></obj>",
	 false,
	 "read-request /n5\nread-response /n5\n"},
	{"of one that is not", "GET", "/n6", NULL,
	 "<obj><real name='a' null='true' precision='12'/><real name='b' "
	 "null='true' precision='x1'/><abstime name='c' null='true' tz='231'/>"
	 "<list name='d' null='true' precision='1'/><str name='e' null='1' "
	 "precision='1' val='a'/></obj>",
	 false,
	 "read-request /n6\n"
	 "read-response /n6 status.device+unknown.table r=1 v=6 note\n"},
	{"of many, as often as they differ", READ("/n7", "<list>" DIGITS DIGITS DIGITS
	 DIGITS DIGITS "</list>", "unknown.table r=1 v=1 note")},
	{"who wrote it, in a comment", "GET", "/k1", NULL,
	 "<!-- (c) 2009, 2010 A. B. --><bool val='true'/>", false,
	 "read-request /k1\n"
	 "read-response /k1 appliance.state r=1 v=1 note\n"},
	{"when it was, in one", "GET", "/k2", NULL,
	 "<bool val='true'/><!-- 2009 2010 2011 2310 -->", false,
	 "read-request /k2\n"
	 "read-response /k2 appliance.state+unknown.table r=1 v=3 note\n"},
	{"a stylesheet", "GET", "/k3", NULL,
	 "<?xml-stylesheet href='/xsl?23.1'?><bool val='true'/>", false,
	 "read-request /k3\n"
	 "read-response /k3 appliance.state+unknown.table r=1 v=2 note\n"},
	{"a namespace", "GET", "/k4", NULL,
	 "<bool xmlns='http://obix.org/ns/schema/1.1' xmlns:a='u:23.1' "
	 "val='true'/>",
	 false,
	 "read-request /k4\n"
	 "read-response /k4 appliance.state+unknown.table r=1 v=2 note\n"},
	{"names of elements, attributes and prefixes", "GET", "/k5", NULL,
	 "<obj xmlns:p2310='u' xmlns:ns0='u'><v2310/><op v231='a'/>"
	 "<p2310:op/><ns0:op/></obj>",
	 false,
	 "read-request /k5\n"
	 "read-response /k5 unknown.table r=1 v=3 note\n"},
	{"a value of what has none", "GET", "/k6", NULL,
	 "<obj val='23.1'><ref val='23.2'/><op val='23.3 23.4'/></obj>", false,
	 "read-request /k6\n"
	 "read-response /k6 unknown.table r=1 v=4 note\n"},
	{"many numbers in one value of a record", "POST", "/k7/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><list name='data'>"
	 SAID("real", "kWh", "0.1 0.2 0.3") SAID("str", "kWh", "0.1 0.2 0.3")
	 "</list></obj>",
	 false,
	 "history-query-request /k7/query\n"
	 "history-query-response /k7/query is=obix:HistoryQueryOut "
	 "unknown.table r=2 v=6 span=0 note\n"},
	{"more digits than a number has", "GET", "/k8", NULL,
	 "<real val='0.1230000001230000001240000001240000' "
	 "unit='obix:units/watt'/>",
	 false,
	 "read-request /k8\n"
	 "read-response /k8 unknown.table r=1 v=1\n"},
	{"an enumeration of them", "GET", "/k9", NULL,
	 "<obj><enum name='a' val='stage2'/><enum name='b' val='s23.1'/>"
	 "<bool name='c' val='231'/></obj>",
	 false,
	 "read-request /k9\n"
	 "read-response /k9 appliance.state+unknown.table r=1 v=3\n"},
	{"a serial number", "GET", "/k10", NULL,
	 "<obj><str name='serial' val='A-23.1-44'/></obj>", false,
	 "read-request /k10\n"
	 "read-response /k10 identity.device r=1 v=1\n"},
	{"of many parts", "GET", "/k11", NULL,
	 "<obj><str name='serial' val='1 2 3 4 5 6 7 8'/></obj>", false,
	 "read-request /k11\n"
	 "read-response /k11 unknown.table r=1 v=8 note\n"},
	{"a reference as a value", "GET", "/k12", NULL,
	 "<obj><uri name='a' val='/b/2'/><uri name='c' val='/b/23.1'/></obj>",
	 false,
	 "read-request /k12\n"
	 "read-response /k12 config.meter+unknown.table r=1 v=2\n"},
	{"numbers of devices in names", "GET", "/k13/7654321", NULL,
	 "<list href='/k13/7654321/'><ref name='M0012345'/><ref name='In16'/>"
	 "<ref name='M7654321'/></list>",
	 false,
	 "read-request /k13/7654321\n"
	 "read-response /k13/7654321 identity.device r=1 v=1\n"},
	{"what people call it", "GET", "/k14", NULL,
	 "<list><ref displayName='Phase 2'/><ref displayName='23.1'/></list>",
	 false,
	 "read-request /k14\n"
	 "read-response /k14 unknown.table r=1 v=1 note\n"},
	{"a Watch that calls things by their values", "POST",
	 "/x6/pollChanges", NULL,
	 "<obj is='obix:WatchOut'><list name='values'><err href='/a/23.1'/>"
	 "</list></obj>",
	 false,
	 "watch-poll-request /x6/pollChanges\n"
	 "watch-poll-response /a/23.1 unknown.table r=1 v=1 note\n"},
	{"a filter in the query beside one in the document", "POST",
	 "/q1/query?limit=1",
	 "<obj is='obix:HistoryFilter'><int name='limit' val='96'/></obj>",
	 NULL, false, "refused for two-readings\n"},
	{"or beside a document without one", "POST",
	 "/q1/~historyRollup?start=2025-11-20T00:00:00Z", "<obj/>", NULL,
	 false, "refused for two-readings\n"},
	{"in the reference to an operation that a batch invokes", "POST",
	 "/batch",
	 "<list is='obix:BatchIn'><uri is='obix:Invoke' "
	 "val='/q1/query?limit=1'><obj name='in' is='obix:HistoryFilter'/>"
	 "</uri></list>",
	 NULL, false, "refused for two-readings\n"},
	{"alone it is one", "POST", "/q1/query?limit=1", NULL, NULL, false,
	 "history-query-request /q1/query limit=1\n"},
	{"a limit that is none", "POST", "/q1/query",
	 "<obj is='obix:HistoryFilter'><int name='limit' val='9999999999'/>"
	 "</obj>", NULL, false, "history-query-request /q1/query "
	 "is=obix:HistoryFilter unknown.table r=1 v=1\n"},
	{"one with noughts", "POST", "/q1/query",
	 "<obj is='obix:HistoryFilter'><int name='limit' val='0005.00'/></obj>",
	 NULL, false, "history-query-request /q1/query "
	 "is=obix:HistoryFilter unknown.table r=1 v=1\n"},
	{"in a query", "POST", "/q1/query?limit=05", NULL, NULL, false,
	 "history-query-request /q1/query\n"},
	{"records half a minute apart, nearly", "POST", "/q2/query", NULL,
	 "<obj is='obix:HistoryQueryOut'><list name='data'>"
	 NOTED("2025-11-20T00:00:00Z", "1") NOTED("2025-11-20T00:00:29.9Z", "2")
	 "</list></obj>",
	 false,
	 "history-query-request /q2/query\n"
	 "history-query-response /q2/query is=obix:HistoryQueryOut unit=watt "
	 "power.instant r=2 v=2 g=29 span=58\n"},
	{"a reference within one for a Watch", "POST", "/w3/add",
	 "<obj is='obix:WatchIn'><list name='hrefs'><uri val='/a'><str "
	 "val='/secret'/></uri></list></obj>",
	 NULL, false, "refused for suspicious\n"},
	{"a uri in its filter", "POST", "/w3/add",
	 "<obj is='obix:WatchIn'><list name='hrefs'><uri val='/a'><obj "
	 "name='in'><uri val='/secret'/></obj></uri></list></obj>",
	 NULL, false, "refused for suspicious\n"},
	{"in a batch", "POST", "/batch",
	 "<list is='obix:BatchIn'><uri is='obix:Invoke' val='/w3/add'><obj "
	 "name='in' is='obix:WatchIn'><list name='hrefs'><uri val='/a'><real "
	 "val='7'/></uri></list></obj></uri></list>",
	 NULL, false, "refused for suspicious\n"},
	{"a Watch of what is measured", "POST", "/x4/add",
	 "<obj is='obix:WatchIn'><list name='hrefs'><uri val='/x4/p'/></list>"
	 "</obj>",
	 "<obj is='obix:WatchOut'><list name='values'>"
	 "<real href='/x4/p' val='7' unit='obix:units/watt'/></list></obj>",
	 false,
	 "watch-add-request /x4/p\n"
	 "watch-add-response /x4/p unit=watt power.instant r=1 v=1\n"},
	{"gives that", "POST", "/x4/pollChanges", NULL,
	 "<obj is='obix:WatchOut'><list name='values'><real href='/x4/q' "
	 "val='7'/></list></obj>",
	 false,
	 "watch-poll-request /x4/pollChanges asks=power.instant\n"
	 "watch-poll-response /x4/q power.instant r=1 v=1\n"},
	{"and not what is hidden in it", "POST", "/x4/pollChanges", NULL,
	 "<obj is='obix:WatchOut'><list name='values'><real href='/x4/q' "
	 "val='7' display='1 2 3'/></list></obj>",
	 false,
	 "watch-poll-request /x4/pollChanges asks=power.instant\n"
	 "watch-poll-response /x4/q unknown.table r=1 v=4 note\n"},
	{"a Watch of how a server is set up", "POST", "/x5/add",
	 "<obj is='obix:WatchIn'><list name='hrefs'><uri val='/x5/h'/></list>"
	 "</obj>",
	 "<obj is='obix:WatchOut'><list name='values'><obj href='/x5/h' "
	 "is='obix:History'><int name='count' val='7'/></obj></list></obj>",
	 false,
	 "watch-add-request /x5/h\n"
	 "watch-add-response /x5/h is=obix:History config.meter\n"},
	{"gives no numbers of other things", "POST", "/x5/pollChanges", NULL,
	 "<obj is='obix:WatchOut'><list name='values'><real href='/x5/q' "
	 "val='7'/></list></obj>",
	 false,
	 "watch-poll-request /x5/pollChanges asks=config.meter\n"
	 "watch-poll-response /x5/q unknown.table r=1 v=1\n"},
	{"and a filter as it may be", "POST", "/w3/add",
	 "<obj is='obix:WatchIn'><list name='hrefs'><uri val='/a'><obj "
	 "name='in' is='obix:AlarmFilter'><int name='limit' val='3'/></obj>"
	 "</uri></list></obj>",
	 NULL, false, "watch-add-request /a\n"},
};

static void exchanges(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	assert_int_equal(kit_rows(k, rows, sizeof(rows) / sizeof(rows[0])), 0);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exchanges),
	};

	return cmocka_run_group_tests_name("obix hiding", tests, NULL, NULL);
}
