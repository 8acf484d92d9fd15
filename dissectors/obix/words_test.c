/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readings in the words of a document, where it says none: in text, names and
 * references beside what it says. Each row is one way, or the harmless form of
 * one, and what is said of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testrows.h"

#define GAPS "_ .-_. -_ ..--__  .-_ -_.   ---"
#define TILDES "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~"
#define W " val='1' unit='obix:units/watt'"

/* A lobby of four things with names for people: 130 octets. */
#define DEVICE(name, text)                                                     \
	"<ref name='" name "' href='" name "/' is='acme:Device' displayName='" \
	text "'/>"
#define DEVICES                                                                \
	DEVICE("mete", "Main electricity measuring") DEVICE("heat", "Heat "    \
	"pump of the cellar") DEVICE("char", "Charger of the car outside")     \
	DEVICE("boil", "Hot water boiler upstairs")

static const struct kit_row lobbies[] = {
	{"a lobby", READ("/l1", "<obj is='obix:Lobby'>" DEVICES "</obj>",
			 "is=obix:Lobby")},
	{"beside a measurement",
	 READ("/l2", "<obj>" DEVICES "<real" W "/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=5 note")},
	{"in an err", READ("/l3", "<err>" DEVICES "</err>",
			   "unknown.table r=1 v=10 note")},
	{"references without names",
	 READ("/l4", "<obj><ref href='a/'/><ref href='b/'/><ref href='c/'/>"
	      "<str displayName='" T64 "'/></obj>",
	      "status.device+unknown.table r=1 v=4 note")},
	{"an err in the words of its contract",
	 READ("/l5", "<err is='obix:BadUriErr' displayName='Bad URI Error' "
	      "display='Requested URI is not found on this server in a list'/>",
	      "is=obix:BadUriErr err")},
	{"in others",
	 READ("/l6", "<err is='obix:BadUriErr' displayName='Bad Use Error' "
	      "display='Requested URI is not found on this server in a list'/>",
	      "is=obix:BadUriErr unknown.table r=1 v=1 note")},
	{"in those, far apart",
	 READ("/l7", "<err is='obix:BadUriErr' displayName='Bad  URI  Error' "
	      "display='Requested URI is not found on this server in a list'/>",
	      "is=obix:BadUriErr unknown.table r=1 v=2 note")},
	{"an object in the words of an err",
	 READ("/l8", "<obj is='obix:BadUriErr' displayName='Bad URI Error' "
	      "display='Requested URI is not found on this server in a list'/>",
	      "is=obix:BadUriErr unknown.table r=1 v=1 note")},
};

/* An err says whose it is: by the name that the request called the server. */
static void err_of_server(void **state)
{
	static const struct {
		const char *href;
		bool same;
	} rows[] = {
		{"http://meter:8080/e1", true},	 {"http://meter/e1", true},
		{"http://meter:4711/e1", true},	 {"http://meter:80/e1", false},
		{"http://meter:8080/e2", false}, {"http://meters/e1", false},
		{"https://meter/e1", false},	 {"http://meter:/e1", false},
	};
	struct kit *k = kit_new();

	(void)state;
	k->host = span_str("meter");
	k->dis.tup.sport = 8080;
	k->dis.tup.dport = 4711;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char body[80];

		snprintf(body, sizeof(body), "<err href='%s'/>", rows[i].href);
		assert_int_equal(kit_ask(k, "GET", "/e1", (struct span){0},
					 NULL), 0);
		assert_int_equal(kit_answer(k, "GET", "/e1", span_str(body),
					    NULL), 0);
		if ((strstr(k->text, " err") != NULL) != rows[i].same)
			fail_msg("%s: %s", rows[i].href, k->text);
	}
	kit_free(k);
}

/* Text beside a value: 112 octets are let pass, eight more are a value. */
static const struct kit_row words[] = {
	{"words in a comment",
	 READ("/w1", "<!-- " T64 " " T64 " --><real" W "/>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"fewer", READ("/w2", "<!-- " T64 " --><real" W "/>",
		       "unit=watt power.instant r=1 v=1 note")},
	{"as many as are let pass",
	 READ("/w3", "<real" W " display='" T64 "abcdefghijklmnopqrstuvwxyzabcdefgh"
	      "ijklmnopqrstuv'/>", "unit=watt power.instant r=1 v=1")},
	{"and one more",
	 READ("/w4", "<real" W " display='" T64 "abcdefghijklmnopqrstuvwxyzabcdefgh"
	      "ijklmnopqrstuvw'/>",
	      "unit=watt power.instant+unknown.table r=1 v=2 note")},
	{"in two displays",
	 READ("/w5", "<obj display='" T64 "'><real" W " display='" U64
	      "'/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"the same twice",
	 READ("/w6", "<obj display='" T64 "'><real" W " display='" T64
	      "'/></obj>", "unit=watt power.instant r=1 v=1")},
	{"in names for people",
	 READ("/w7", "<obj displayName='" T64 "'><real" W " displayName='" U64
	      "'/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in names",
	 READ("/w8", "<obj><obj name='" T64 "'/><real" W " name='" U64
	      "'/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in an attribute that is none",
	 READ("/w9", "<real" W " a='" T64 U64 "'/>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in what a reference leads out of again",
	 READ("/x8", "<real" W " href='/" T64 U64 "/../x8'/>", 
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in slashes of one",
	 READ("/x9", "<real" W " href='/////////////////////////////////////////"
	      "///////////////////////////////////////////////////////////////"
	      "////////////////////////x9'/>", 
	      "unit=watt power.instant+unknown.table r=1 v=3 note")},
	{"behind its mark",
	 READ("/y1", "<real" W " href='/y1#" T64 U64 "'/>", 
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in letters that need no escape",
	 READ("/y3", "<real" W " href='/%79%33'/>",
	      "unit=watt power.instant r=1 v=1")},
	{"a path of a base",
	 READ("/y4/a/b", "<real" W " href='../a/b'/>",
	      "unit=watt power.instant r=1 v=1")},
	{"numbers called what needs no grant",
	 READ("/y5", "<list name='lease'><real val='12'/><real name='annotation'"
	      " val='13'/></list>", "unknown.table r=2 v=2")},
	{"a lease that is one",
	 READ("/y6", "<list><reltime name='lease' val='PT4M'/></list>", "config.meter")},
	{"in the digits of a namespace",
	 READ("/x1", "<real" W " xmlns='http://obix.org/ns/schema/"
	      "12345678901234567890123456789012'><obj/><op xmlns="
	      "'http://obix.org/ns/schema/98765432109876543210987654321098'/>"
	      "</real>",
	      "unit=watt power.instant+unknown.table r=1 v=5 note")},
	{"in those that are in use",
	 READ("/x2", "<real" W " xmlns='http://obix.org/ns/schema/1.0' "
	      "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' "
	      "xsi:schemaLocation='http://obix.org/ns/schema/1.0 /obix/xsd'/>",
	      "unit=watt power.instant r=1 v=1")},
	{"in where a schema lies",
	 READ("/x3", "<real" W " "
	      "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' "
	      "xsi:schemaLocation='http://obix.org/ns/schema/1.0 " T64 T64 "'/>",
	      "unit=watt power.instant+unknown.table r=1 v=10 note")},
	{"in what is of a schema, and unknown",
	 READ("/x4", "<real" W " "
	      "xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' "
	      "xsi:" T64 "='" T64 "'/>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in the exponent of nothing",
	 READ("/x5", "<real val='0e1234567890123456789012345678901234567890123"
	      "456789012345678901234567890123456789012345678901234567890123456"
	      "78901234567890' unit='obix:units/watt'/>",
	      "unknown.table r=1 v=11 note")},
	{"in that of a bound",
	 READ("/x6", "<real" W " min='0e12345'/>",
	      "unit=watt power.instant r=1 v=2")},
	{"bounds of nothing",
	 READ("/x7", "<real" W " min='-0.0' max='0.00'/>",
	      "unit=watt power.instant r=1 v=1")},
	{"in one of a foreign namespace",
	 READ("/w10", "<real" W " xmlns:n='u' n:a='" T64 U64 "'/>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in the namespace",
	 READ("/w11", "<real" W " xmlns:n='" T64 "' xmlns:m='" U64 "'/>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in prefixes",
	 READ("/w12", "<real" W " xmlns:" T64 "='u' xmlns:" U64 "='v'/>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in xml:lang",
	 READ("/w13", "<real" W " xml:lang='" T64 U64 "'/>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in names of elements that are none",
	 READ("/w14", "<obj><" T64 "/><" U64 "/><real" W "/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"between elements",
	 READ("/w15", "<obj>" T64 "<real" W "/>" U64 "</obj>",
	      "unit=watt power.instant+unknown.table r=1 v=5 note")},
	{"in references",
	 READ("/w16", "<obj><ref href='/" T64 "'/><ref href='/a/" U64 "'/><real"
	      W "/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"what they have in common", READ("/w17", "<obj><ref href='/" T64
	 "/a'/><ref href='/" T64 "/b'/><real" W "/></obj>",
	 "unit=watt power.instant r=1 v=1")},
	{"in pictures and ranges",
	 READ("/w18", "<real" W " icon='/" T64 "' range='#" U64 "'/>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in contracts", READ("/w19", "<obj><ref is='" T64 "' of='" U64
	 "'/><real" W "/></obj>",
	 "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in one that ends like the standard's",
	 READ("/w20", "<obj><ref is='/" T64 U64 "/Point'/><real" W "/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=5 note")},
	{"in front of one of the standard",
	 READ("/z1", "<obj><ref is='obix:" T64 U64 "/obix:Point'/><real" W
	      "/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=6 note")},
	{"in front of a unit",
	 READ("/z2", "<obj><real val='1' unit='obix:units/" T64 U64
	      "/units/watt'/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=6 note")},
	{"in the gaps of a name for people",
	 READ("/z3", "<obj><real name='ab'" W " displayName='a" GAPS GAPS GAPS
	      GAPS GAPS "b'/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=10 note")},
	{"in the tildes of an operation's",
	 READ("/z4", "<obj><op name='" TILDES TILDES TILDES TILDES TILDES
	      "set'/><real" W "/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=11 note")},
	{"those of the standard",
	 READ("/w21", "<obj><op in='obix:WatchIn' out='obix:WatchOut'/><op "
	      "in='obix:HistoryFilter' out='obix:HistoryQueryOut'/><op "
	      "in='obix:HistoryRollupIn' out='obix:HistoryRollupOut'/><op "
	      "in='obix:AlarmFilter' out='obix:AlarmQueryOut'/><real" W
	      "/></obj>", "unit=watt power.instant r=1 v=1")},
	{"in a number",
	 READ("/w22", "<obj><real" W "/><real val='" T64 T64 U64
	      "' unit='obix:units/watt'/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=13 note")},
	{"in a value that is true or false",
	 READ("/w23", "<bool val='" T64 T64 "'/>",
	      "appliance.state+unknown.table r=1 v=10 note")},
	{"in a long text",
	 READ("/t24", "<str name='status' val='" T64 T64 U64 "'/>",
	      "status.device+unknown.table r=1 v=19 note")},
	{"in a value of what has none",
	 READ("/w25", "<obj val='" T64 U64 "'><real" W "/></obj>",
	      "unit=watt power.instant+unknown.table r=1 v=4 note")},
	{"in facets that have their words",
	 READ("/w26", "<real" W " status='" T64 "' writable='" U64 "'/>",
	      "unit=watt power.instant+unknown.table r=1 v=3 note")},
	{"in a stylesheet",
	 READ("/w27", "<?xml-stylesheet href='/" T64 U64 "'?><real" W "/>",
	      "unit=watt power.instant+unknown.table r=1 v=2 note")},
	{"beside an item of a batch", "POST", "/batch",
	 "<list is='obix:BatchIn'><uri is='obix:Read' val='/a' display='" T64
	 U64 "'/></list>", NULL, false,
	 "read-request /a\nbatch-request /batch is=obix:BatchIn "
	 "unknown.table r=1 v=10 note\n"},
	{"names of people, as the thing is called",
	 READ("/w28", "<obj><real" W " name='activePowerOfPhaseOne' "
	      "displayName='Active Power of Phase One' display='1 W'/><real" W
	      " name='activePowerOfPhaseTwo' displayName='Active Power of "
	      "Phase Two' display='1 W'/></obj>",
	      "unit=watt power.instant r=1 v=2")},
};

static void exchanges(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	assert_int_equal(kit_rows(k, lobbies,
				  sizeof(lobbies) / sizeof(lobbies[0])),
			 0);
	assert_int_equal(kit_rows(k, words, sizeof(words) / sizeof(words[0])),
			 0);
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(err_of_server),
		cmocka_unit_test(exchanges),
	};

	return cmocka_run_group_tests_name("obix words", tests, NULL, NULL);
}
