/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values that are left out: an object that has none and is not null says the one
 * of its type, or what its prototype has; one that says what others are like
 * says none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testrows.h"

#define GET(path, body, says)                                                  \
	"GET", path, NULL, body, false,                                        \
		"read-request " path "\nread-response " path says "\n"
#define KWH    "unit='obix:units/kilowatt_hour'"
#define AT(h)  "<abstime name='timestamp' val='2025-11-20T" h ":00Z'/>"
#define DEF    "<obj href='#R'><abstime name='timestamp' tz='UTC'/>"           \
	       "<real name='value' " KWH "/></obj>"
#define LIST   "<list name='data' of='#R obix:HistoryRecord'>"
#define OUT    "<obj is='obix:HistoryQueryOut'>"
#define QUERY(path, body, says)                                                \
	"POST", path "/query", NULL, body, false,                              \
		"history-query-request " path "/query\n"                       \
		"history-query-response " path "/query is=obix:HistoryQueryOut" \
		says "\n"
#define TWO    " unit=kilowatt_hour energy.interval r=2 v=2 g=900 span=1800"  \
	       " Wh step=1000000 0..1000000"
#define ONE    "<obj>" AT("00:15") "<real name='value' val='1'/></obj>"

#define X8(s)  s s s s s s s s
#define X64(s) X8(s) X8(s) X8(s) X8(s) X8(s) X8(s) X8(s) X8(s)

static const struct kit_row rows[] = {
	/* Of each type. */
	{"a number", GET("/t1", "<real href='power' unit='obix:units/watt'/>",
			 " unit=watt power.instant r=1 v=1 W "
			 "step=362880000000000000 0..0\n"
			 "read-response /power unit=watt power.instant r=1 v=1 W "
			 "step=362880000000000000 0..0")},
	{"as if it were there",
	 GET("/t2", "<real val='0' unit='obix:units/watt'/>",
	     " unit=watt power.instant r=1 v=1 W step=362880000000000000 "
	     "0..0")},
	{"a whole one", GET("/t3", "<int unit='obix:units/kilowatt_hour'/>",
			    " unit=kilowatt_hour energy.register r=1 v=1 Wh "
			    "step=362880000000000000 0..0")},
	{"true or false", GET("/t4", "<obj><bool name='motion'/></obj>",
			      " presence.sensor r=1 v=1")},
	{"words", GET("/t5", "<str name='note'/>", " status.device")},
	{"a reference", GET("/t6", "<uri name='a'/>", " config.meter")},
	{"a duration", GET("/t7", "<reltime name='a'/>",
			   " unknown.table r=1 v=1 s step=362880000000000000 "
			   "0..0")},
	{"what has no value then, but might",
	 GET("/t8", "<obj><enum name='mode'/><abstime name='a'/><date "
	     "name='b'/><time name='c'/></obj>",
	     " appliance.state+unknown.table r=1 v=4")},
	{"null", GET("/t9", "<obj><bool name='motion' null='true'/><real "
		     "name='b' unit='obix:units/watt' isNull='true'/></obj>",
		     "")},
	{"not null", GET("/t10", "<bool name='motion' null='false'/>",
			 " presence.sensor r=1 v=1")},
	{"null by one name and not by the other",
	 GET("/t18", "<obj><bool name='motion' null='true' isNull='false'/>"
	     "<real name='b' null='false' isNull='true' "
	     "unit='obix:units/watt'/></obj>",
	     " unit=watt power.instant+presence.sensor r=1 v=2 W "
	     "step=362880000000000000 0..0")},
	{"null, and a value beside it, which tells all the same",
	 GET("/t19", "<obj><bool name='motion' null='true' val='true'/><real "
	     "name='b' unit='obix:units/watt' isNull='true' val='3'/></obj>",
	     " unit=watt power.instant+presence.sensor r=1 v=2 W "
	     "step=3000 3000..3000")},
	{"in what others are like, too",
	 GET("/t20", "<obj><obj href='#p'><real name='b' isNull='true' val='3' "
	     "unit='obix:units/watt'/></obj><obj is='#p'/></obj>",
	     " unit=watt power.instant r=1 v=2")},
	{"what has no value", GET("/t11", "<obj><ref href='/a'/><op name='set'/>"
				  "<feed name='a'/><list name='b'/></obj>",
				  "")},
	{"of a list each", GET("/t12", "<list><bool/><bool val='false'/><bool/>"
			       "</list>", " appliance.state r=3 v=3")},
	{"of many, which say nothing else",
	 GET("/t17", "<list>" X64(X8("<bool/>")) "</list>",
	     " appliance.state r=512 v=512")},
	{"of a point of a station",
	 GET("/t13", "<real is='obix:Point'><str name='facets' val='units=u:"
	     "kilowatt;kW;|precision=i:1'/></real>",
	     " is=obix:Point unit=kilowatt power.instant r=1 v=1 W "
	     "step=362880000000000000 0..0")},
	{"its facets, too", GET("/t14", "<obj><str name='facets'/></obj>", "")},
	{"with a text for people that says it",
	 GET("/t15", "<real display='0.0 W' unit='obix:units/watt'/>",
	     " unit=watt power.instant r=1 v=1 W step=362880000000000000 "
	     "0..0")},
	{"and another", GET("/t16", "<real display='3.4 W' "
			    "unit='obix:units/watt'/>",
			    " unit=watt power.instant+unknown.table r=1 v=2 "
			    "note")},
	/* Wherever values are. */
	{"of a Watch", "POST", "/w/pollChanges", NULL,
	 "<obj is='obix:WatchOut'><list name='values'><bool "
	 "href='/room/motion1'/></list></obj>",
	 false,
	 "watch-poll-request /w/pollChanges\n"
	 "watch-poll-response /room/motion1 presence.sensor r=1 v=1\n"},
	{"of a batch", "POST", "/batch",
	 "<list is='obix:BatchIn'><uri is='obix:Read' val='/room/motion'/>"
	 "<uri is='obix:Write' val='/p'><real name='in'/></uri></list>",
	 "<list is='obix:BatchOut'><bool href='/room/motion'/>"
	 "<real href='/p' unit='obix:units/watt'/></list>",
	 false,
	 "read-request /room/motion\n"
	 "write-request /p unknown.table r=1 v=1\n"
	 "batch-request /batch is=obix:BatchIn\n"
	 "read-response /room/motion presence.sensor r=1 v=1\n"
	 "write-response /p echo\n"
	 "batch-response /batch is=obix:BatchOut\n"},
	{"that is written", "PUT", "/relay", "<bool/>", "<bool val='false'/>",
	 true,
	 "write-request /relay control.load r=1 v=1\n"
	 "write-response /relay echo\n"},
	{"its echo", "PUT", "/relay", "<bool val='false'/>", "<bool/>", true,
	 "write-request /relay control.load r=1 v=1\n"
	 "write-response /relay echo\n"},
	{"and what is none", "PUT", "/relay", "<bool val='true'/>", "<bool/>",
	 true,
	 "write-request /relay control.load r=1 v=1\n"
	 "write-response /relay appliance.state r=1 v=1\n"},
	{"to a point", "POST", "/relay/writePoint",
	 "<obj is='obix:WritePointIn'><bool name='value'/></obj>", NULL, true,
	 "write-request /relay/writePoint is=obix:WritePointIn control.load "
	 "r=1 v=1\n"},
	{"to release it", "POST", "/relay/writePoint",
	 "<obj is='obix:WritePointIn'><bool name='value' null='true'/></obj>",
	 NULL, true,
	 "write-request /relay/writePoint is=obix:WritePointIn control.load "
	 "r=1\n"},
	{"of an alarm", "POST", "/al/query", "<obj is='obix:AlarmFilter'/>",
	 "<obj is='obix:AlarmQueryOut'><int name='count' val='1'/><list "
	 "name='data'><obj is='obix:Alarm obix:PointAlarm'><abstime "
	 "name='timestamp' val='2025-11-20T10:00:00Z'/><real "
	 "name='alarmValue' unit='obix:units/kilowatt'/></obj></list></obj>",
	 false,
	 "alarm-query-request /al/query is=obix:AlarmFilter\n"
	 "alarm-query-response /al/query is=obix:AlarmQueryOut unit=kilowatt "
	 "power.instant+event.meter r=1 v=1 span=0 W step=362880000000000000 "
	 "0..0\n"},
	/* Members of the standard. */
	{"how many records there are, without any",
	 QUERY("/m1", OUT "<int name='count'/></obj>", "")},
	{"with one", QUERY("/m2", OUT "<int name='count'/><list name='data'>"
			   NOTED("2025-11-20T00:00:00Z", "1") "</list></obj>",
			   " unit=watt power.instant+unknown.table r=1 v=2 "
			   "span=0 note")},
	{"when they are", QUERY("/m3", OUT "<abstime name='start'/><abstime "
				"name='end'/></obj>", "")},
	{"of a filter", "POST", "/m4/query",
	 "<obj is='obix:HistoryFilter'><int name='limit'/><abstime "
	 "name='start'/><str name='format'/><bool name='compact'/></obj>",
	 NULL, false, "history-query-request /m4/query is=obix:HistoryFilter\n"},
	{"of a roll-up", "POST", "/m5/rollup",
	 "<obj is='obix:HistoryRollupIn'><reltime name='interval'/></obj>",
	 NULL, false,
	 "history-rollup-request /m5/rollup is=obix:HistoryRollupIn "
	 "unknown.table r=1 v=1 s step=362880000000000000 0..0\n"},
	{"of what is rolled up", "POST", "/m6/rollup",
	 "<obj is='obix:HistoryRollupIn'><reltime name='interval' "
	 "val='PT1H'/></obj>",
	 "<obj is='obix:HistoryRollupOut'><list name='data'><obj><abstime "
	 "name='start' val='2025-11-20T00:00:00Z'/><abstime name='end' "
	 "val='2025-11-20T01:00:00Z'/><int name='count'/><real name='avg'/>"
	 "</obj></list></obj>",
	 false,
	 "history-rollup-request /m6/rollup is=obix:HistoryRollupIn g=3600\n"
	 "history-rollup-response /m6/rollup is=obix:HistoryRollupOut "
	 "unknown.table r=1 v=1 span=0\n"},
	{"of a unit", GET("/m7", "<obj is='obix:Unit' href='/u'><str "
			  "name='symbol' val='W'/><obj name='dimension'><int "
			  "name='kg' val='1'/><int name='m' val='2'/><int "
			  "name='sec' val='-3'/><int name='K'/></obj><real "
			  "name='scale'/><real name='offset'/></obj>",
			  " is=obix:Unit config.meter\n"
			  "read-response /u is=obix:Unit config.meter")},
	{"of a History", GET("/m8", "<obj is='obix:History'><int name='count'/>"
			     "<str name='tz'/></obj>",
			     " is=obix:History config.meter")},
	{"and what its records are like",
	 GET("/m9", "<obj is='obix:History'><obj name='prototype' is='obix:"
	     "HistoryRecord'><abstime name='timestamp'/><bool "
	     "name='motion'/></obj></obj>", " is=obix:History")},
	{"of no History",
	 GET("/m10", "<obj><obj name='prototype'><bool name='motion'/></obj>"
	     "</obj>", " presence.sensor r=1 v=1")},
	/* Records. */
	{"a record", QUERY("/r1", OUT "<list name='data'><obj>" AT("00:00")
			   "<real name='value' " KWH "/></obj></list></obj>",
			   " unit=kilowatt_hour energy.interval r=1 v=1 span=0 "
			   "Wh step=362880000000000000 0..0")},
	{"records, and behind them what they are like",
	 QUERY("/r2", OUT LIST "<obj>" AT("00:00") "<real name='value'/></obj>"
	       ONE "</list>" DEF "</obj>", TWO)},
	{"or in front", QUERY("/r3", OUT DEF LIST "<obj>" AT("00:00")
			      "<real name='value'/></obj>" ONE "</list></obj>",
			      TWO)},
	{"with nothing but a time",
	 QUERY("/r4", OUT LIST "<obj>" AT("00:00") "</obj>" ONE "</list>" DEF
	       "</obj>", TWO)},
	{"nothing but a time, and nobody says what else",
	 QUERY("/r5", OUT "<list name='data'><obj>" AT("00:00") "</obj></list>"
	       "</obj>", " unknown.table r=1 v=1 span=0 note")},
	{"one of two values",
	 QUERY("/r6", OUT LIST "<obj>" AT("00:00") "<bool name='motion' "
	       "val='true'/></obj><obj>" AT("00:15") "</obj></list>"
	       "<obj href='#R'><bool name='motion'/><real name='value' " KWH
	       "/></obj></obj>",
	       " unit=kilowatt_hour energy.interval+presence.sensor r=2 v=4 "
	       "g=900 span=1800 Wh step=362880000000000000 0..0")},
	{"none at all, and what they would be like",
	 QUERY("/r7", OUT DEF LIST "</list></obj>", "")},
	{"the same behind", QUERY("/r8", OUT LIST "</list>" DEF "</obj>", "")},
	{"what has a value that records have, too",
	 QUERY("/r9", OUT "<obj href='#R'><real name='value' val='3' " KWH
	       "/></obj>" LIST "<obj>" AT("00:00") "</obj></list></obj>",
	       " unit=kilowatt_hour energy.interval r=1 v=2 span=0")},
	{"what is null in them",
	 QUERY("/r10", OUT "<obj href='#R'><real name='value' null='true' " KWH
	       "/></obj>" LIST "<obj>" AT("00:00") "</obj></list></obj>",
	       " unit=kilowatt_hour energy.interval r=1 v=1 span=0")},
	/* What is like something. */
	{"an object that leaves out what it has",
	 GET("/p1", "<obj><obj href='#p'><bool name='motion'/></obj>"
	     "<obj is='#p'/></obj>", " presence.sensor r=1 v=1")},
	{"each", GET("/p2", "<obj><obj href='#p'><bool name='motion'/></obj>"
		     "<list of='#p'><obj/><obj><bool name='motion' "
		     "val='true'/></obj></list></obj>",
		     " presence.sensor r=2 v=2")},
	{"nothing is like it, so it is an object like any",
	 GET("/p3", "<obj><obj href='#p'><bool name='motion'/></obj></obj>",
	     " presence.sensor r=1 v=1")},
	{"nor is it like itself",
	 GET("/p4", "<obj><obj href='#p' is='#p'><bool name='motion'/></obj>"
	     "</obj>", " presence.sensor r=1 v=1")},
	{"or like what is in it",
	 GET("/p5", "<obj><obj href='#p'><bool name='motion'/><list name='a' "
	     "of='#p obix:HistoryRecord'/></obj></obj>",
	     " presence.sensor r=1 v=1")},
	{"or a list that holds none",
	 GET("/p14", "<obj><obj href='#p'><bool name='motion'/></obj><list "
	     "of='#p'/></obj>", " presence.sensor r=1 v=1")},
	{"a reference is not like it",
	 GET("/p6", "<obj><obj href='#p'><bool name='motion' val='true'/>"
	     "</obj><ref is='#p' href='/a'/></obj>",
	     " presence.sensor r=1 v=1")},
	{"nor is what is null",
	 GET("/p7", "<obj><obj href='#p'><bool name='motion' val='true'/>"
	     "</obj><obj is='#p' null='true'/></obj>",
	     " presence.sensor r=1 v=1")},
	{"nor has it what is null",
	 GET("/p12", "<obj><obj href='#p'><bool name='motion' null='true'/>"
	     "</obj><obj is='#p'/></obj>", "")},
	{"what is like something that is like it",
	 GET("/p8", "<obj><obj href='#p'><bool name='motion'/></obj><obj "
	     "href='#q' is='#p'/><obj is='#q'/></obj>",
	     " presence.sensor r=1 v=1")},
	{"though it has a value",
	 GET("/p13", "<obj><obj href='#p'><bool name='motion' val='true'/>"
	     "</obj><obj href='#q' is='#p'/><obj is='#q'/></obj>",
	     " presence.sensor r=1 v=2")},
	{"values that are deeper in it",
	 GET("/p9", "<obj><obj href='#p'><obj name='a'><bool name='motion'/>"
	     "</obj></obj><obj is='#p'/></obj>",
	     " presence.sensor+unknown.table r=1 v=2 note")},
	{"what is said to be like it, and cannot be, leaves it an object",
	 GET("/q1", "<obj><obj href='#p'><bool name='motion'/></obj><ref "
	     "is='#p' href='/a'/></obj>", " presence.sensor r=1 v=1")},
	{"null", GET("/q2", "<obj><obj href='#p'><bool name='motion'/></obj>"
		     "<obj is='#p' null='true'/></obj>",
		     " presence.sensor r=1 v=1")},
	{"or an err", GET("/q3", "<obj><obj href='#p'><bool name='motion'/>"
			  "</obj><err is='#p'/></obj>",
			  " presence.sensor r=1 v=1")},
	{"like two",
	 GET("/q4", "<obj><obj href='#a'/><obj href='#p'><bool name='motion' "
	     "val='true'/></obj><list><obj is='#a #p'/><obj is='#a #p'/>"
	     "</list></obj>",
	     " presence.sensor+unknown.table r=1 v=3 note")},
	{"by their list", GET("/q5", "<obj><obj href='#p'><bool name='motion' "
			      "val='true'/></obj><list of='#a #p'><obj/><obj/>"
			      "</list></obj>",
			      " presence.sensor+unknown.table r=1 v=3 note")},
	{"by that and their own",
	 GET("/q6", "<obj><obj href='#p'><bool name='motion' val='true'/></obj>"
	     "<list of='#a'><obj is='#p'/></list></obj>",
	     " presence.sensor+unknown.table r=1 v=3 note")},
	/* Whose number could be another. */
	{"a number like one that is there",
	 "POST", "/q7/pollChanges", NULL,
	 "<obj is='obix:WatchOut'><list name='values'><real href='/a' val='0' "
	 "unit='obix:units/watt'><real href='#r' val='5000' "
	 "unit='obix:units/watt'/></real><real href='/b' is='#r'/>"
	 "</list></obj>",
	 false,
	 "watch-poll-request /q7/pollChanges\n"
	 "watch-poll-response /a unit=watt power.instant r=1 v=2 W step=5000000 "
	 "0..5000000\n"
	 "watch-poll-response /b is=r unit=watt power.instant r=1 v=1\n"},
	{"a member of what is like one that has it",
	 GET("/q8", "<obj><obj href='#p'><real name='a' val='7' "
	     "unit='obix:units/watt'/></obj><obj is='#p'><real name='a'/></obj>"
	     "</obj>", " unit=watt power.instant r=1 v=2")},
	{"or may have it by what that is like",
	 GET("/q14", "<obj><obj href='#p' is='/def/x'><real name='a' "
	     "unit='obix:units/watt'/></obj><list of='#p'><obj/></list></obj>",
	     " unit=watt power.instant r=1 v=1")},
	{"also where it stands again",
	 GET("/q15", "<obj><obj href='#p'><real name='a' is='/def/x' "
	     "unit='obix:units/watt'/></obj><obj is='#p'><real name='a'/></obj>"
	     "</obj>", " unit=watt power.instant r=1 v=1")},
	{"or has none", GET("/q9", "<obj><obj href='#p'><real name='a' "
			    "unit='obix:units/watt'/></obj><obj is='#p'><real "
			    "name='a'/></obj></obj>",
			    " unit=watt power.instant r=1 v=1 W "
			    "step=362880000000000000 0..0")},
	{"of what another document defines",
	 GET("/q10", "<real is='/def/x' unit='obix:units/watt'/>",
	     " is=x unit=watt power.instant r=1 v=1")},
	{"by its list", GET("/q11", "<list of='/def/x'><real "
			    "unit='obix:units/watt'/></list>",
			    " unit=watt power.instant r=1 v=1")},
	{"by its parent", GET("/q12", "<obj is='obix:Point d:x'><reltime "
			      "name='a'/></obj>",
			      " is=obix:Point+d:x unknown.table r=1 v=1")},
	{"that of another name, too",
	 GET("/q13", "<obj><obj href='#p'/><obj is='/x#p'><real name='a' "
	     "unit='obix:units/watt'/></obj></obj>",
	     " unit=watt power.instant r=1 v=1")},
	{"which is no echo of what was written",
	 "PUT", "/relay", "<int val='0'/>", "<int is='/def/x'/>", true,
	 "write-request /relay control.load r=1 v=1\n"
	 "write-response /relay is=x unknown.table r=1 v=1\n"},
	{"without a name", GET("/p10", "<obj><obj href='#p'><bool/></obj><obj "
			       "is='#p'/></obj>", " appliance.state r=1 v=1")},
	{"more than are kept",
	 GET("/p11", "<obj><obj href='#p'><bool name='a1'/><bool name='a2'/>"
	     "<bool name='a3'/><bool name='a4'/><bool name='a5'/><bool "
	     "name='a6'/><bool name='a7'/><bool name='a8'/><bool name='a9'/>"
	     "<bool name='b1'/><bool name='b2'/><bool name='b3'/><bool "
	     "name='b4'/><bool name='b5'/><bool name='b6'/><bool name='b7'/>"
	     "<bool name='motion'/></obj><obj is='#p'/></obj>",
	     " appliance.state+presence.sensor+unknown.table r=16 v=18 note")},
};

static void exchanges(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	k->values = true;
	assert_int_equal(kit_rows(k, rows, sizeof(rows) / sizeof(rows[0])), 0);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exchanges),
	};

	return cmocka_run_group_tests_name("obix silent", tests, NULL, NULL);
}
