/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is learnt of a thing: a unit that is said once holds for what names the
 * same thing later, wherever in its document it stood, until something else is
 * said of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testrows.h"

#define OUT    "<obj is='obix:HistoryQueryOut'>"
#define LIST   "<list name='data' of='#R obix:HistoryRecord'>"
#define REC    RECORD("00:00", "1") RECORD("00:15", "2")
#define DEF(u) "<obj href='#R'><real name='value' unit='obix:units/" u "'/></obj>"
#define QUERY(path, body, says)                                                \
	"POST", path "/query", NULL, body, false,                              \
		"history-query-request " path "/query" says
#define SAYS(path, what) "\nhistory-query-response " path "/query "           \
	"is=obix:HistoryQueryOut" what "\n"
#define TWO    " r=2 v=2 g=900 span=1800"
#define PLAIN  OUT "<list name='data'>" REC "</list></obj>"
#define GET(path, body, asks, says)                                            \
	"GET", path, NULL, body, false,                                        \
		"read-request " path asks "\nread-response " path says "\n"

static const struct kit_row rows[] = {
	{"a history without records, and what they would be like",
	 QUERY("/a", OUT LIST "</list>" DEF("kilowatt_hour") "</obj>",
	       SAYS("/a", ""))},
	{"is known from then on",
	 QUERY("/a", PLAIN, SAYS("/a", " unit=kilowatt_hour energy.interval"
				 TWO))},
	{"in front of them", QUERY("/b", OUT DEF("watt") LIST "</list></obj>",
				   SAYS("/b", ""))},
	{"is, too", QUERY("/b", PLAIN, SAYS("/b", " unit=watt power.instant"
					    TWO))},
	{"of what nothing is like nothing is learnt",
	 QUERY("/c", OUT "<obj href='#S'><real name='value' null='true' "
	       "unit='obix:units/watt'/></obj></obj>", SAYS("/c", ""))},
	{"of its records", QUERY("/c", PLAIN, SAYS("/c", " unknown.table"
						   TWO))},
	{"what a History says that they are like",
	 GET("/d", "<obj is='obix:History'><obj name='prototype' is='obix:"
	     "HistoryRecord'><real name='value' unit='obix:units/watt'/></obj>"
	     "</obj>", "", " is=obix:History")},
	{"holds for them", QUERY("/d", PLAIN, SAYS("/d", " unit=watt "
						   "power.instant" TWO))},
	{"of one in a batch", "POST", "/batch",
	 "<list is='obix:BatchIn'><uri is='obix:Invoke' val='/e/query'><obj "
	 "name='in' is='obix:HistoryFilter'/></uri></list>",
	 "<list is='obix:BatchOut'>" OUT LIST REC "</list>"
	 DEF("kilowatt_hour") "</obj></list>", false,
	 "history-query-request /e/query\n"
	 "batch-request /batch is=obix:BatchIn\n"
	 "history-query-response /e/query is=obix:HistoryQueryOut "
	 "unit=kilowatt_hour energy.interval" TWO "\n"
	 "batch-response /batch is=obix:BatchOut\n"},
	{"that, too", QUERY("/e", PLAIN, " asks=energy.interval" SAYS("/e",
			    " unit=kilowatt_hour energy.interval" TWO))},
	/* What is like a number has its unit, whatever its name says. */
	{"a number like another", GET("/k1", "<obj><real href='#R' val='5' "
				      "unit='obix:units/watt'/><real is='#R' "
				      "name='price' val='3'/></obj>", "",
				      " unit=watt power.instant r=1 v=2")},
	{"which stands behind it",
	 GET("/k2", "<obj><list of='#R'><real name='price' val='3'/></list>"
	     "<real href='#R' null='true' unit='obix:units/watt'/></obj>", "",
	     " unit=watt power.instant r=1 v=1")},
	{"which stands there twice",
	 GET("/k3", "<obj><list of='#R'><real name='price' val='3'/></list>"
	     "<real href='#R' null='true' unit='obix:units/watt'/><real "
	     "href='#R' null='true' unit='obix:units/euro'/></obj>", "",
	     " unknown.table r=1 v=1 note")},
	{"or of what is like it",
	 GET("/k4", "<obj><list of='#R'><obj><real name='price' val='3'/></obj>"
	     "</list><obj is='#S'/><obj href='#R'><real name='price' "
	     "null='true' unit='obix:units/watt'/></obj></obj>", "",
	     " unit=watt power.instant r=1 v=1")},
	{"where more are missing than are kept",
	 GET("/k5", "<obj><list of='#R'><obj><real name='price' val='3'/></obj>"
	     "</list><obj is='#a'/><obj is='#b'/><obj is='#c'/><obj is='#d'/>"
	     "<obj is='#e'/><obj is='#f'/><obj is='#g'/><obj is='#h'/><obj "
	     "href='#R'><real name='price' null='true' unit='obix:units/watt'/>"
	     "</obj></obj>", "", " unknown.table r=1 v=1")},
	{"which never comes, or not in this unit",
	 GET("/k6", "<obj><list of='#R'><obj><real name='price' val='3'/></obj>"
	     "</list><obj is='#S'><bool name='motion' val='true'/></obj></obj>",
	     "", " presence.sensor+unknown.table r=1 v=2")},
	{"or of which there are two",
	 GET("/k7", "<obj><obj href='#R'/><obj is='#R #S'><real name='price' "
	     "val='3'/></obj><obj href='#S'><real name='price' null='true' "
	     "unit='obix:units/watt'/></obj></obj>", "",
	     " unknown.table r=1 v=2 note")},
	/* Something else. */
	{"another unit behind records that had one is noted",
	 QUERY("/a", OUT LIST REC "</list>" DEF("euro") "</obj>",
	       " asks=energy.interval" SAYS("/a", " unit=euro tariff.price"
					    TWO " note"))},
	{"and from then on none is known",
	 QUERY("/a", PLAIN, " asks=energy.interval+tariff.price"
	       SAYS("/a", " unknown.table" TWO))},
	{"nor by the next", QUERY("/a", OUT LIST REC "</list>" DEF("euro")
				  "</obj>", " asks=energy.interval+tariff."
				  "price+unknown.table" SAYS("/a",
				  " unit=euro tariff.price" TWO))},
	{"which holds for what it says alone",
	 QUERY("/a", PLAIN, " asks=energy.interval+tariff.price+unknown.table"
	       SAYS("/a", " unknown.table" TWO))},
	{"a point", GET("/p", "<real href='/p' val='1' unit='obix:units/watt'/>", "",
			" unit=watt power.instant r=1 v=1")},
	{"again", GET("/p", "<real href='/p' val='1'/>", " asks=power.instant",
		      " unit=watt power.instant r=1 v=1")},
	{"with another unit", GET("/p", "<real href='/p' val='1' unit='obix:units/euro'/>",
				  " asks=power.instant",
				  " unit=euro tariff.price r=1 v=1 note")},
	{"without one", GET("/p", "<real href='/p' val='1'/>",
			    " asks=power.instant+tariff.price",
			    " unknown.table r=1 v=1")},
	{"a unit of its own", GET("/u1", KELVIN("/u"), "",
				  " is=obix:Unit\nread-response /u "
				  "is=obix:Unit")},
	{"is another one now", GET("/u2", DIM, "", " is=obix:Unit note\n"
				   "read-response /u is=obix:Unit note")},
	{"so what has it is not known",
	 GET("/u3", "<real val='1' unit='/u'/>", "", " unknown.table r=1 v=1")},
};

static void exchanges(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	assert_int_equal(kit_rows(k, rows, sizeof(rows) / sizeof(rows[0])), 0);
	kit_free(k);
}

/* A history longer than a unit, and behind it what its records are like: which
 * helps those that are in its unit, and all of the next. */
static void behind_several_units(void **state)
{
	static const struct {
		const char *why, *unit; /* NULL: nothing behind */
		const char *first, *last; /* of what is read */
	} steps[] = {
		{"what is not known yet", "kilowatt_hour", "unknown.table",
		 "unit=kilowatt_hour energy.interval"},
		{"is known then", "kilowatt_hour",
		 "unit=kilowatt_hour energy.interval",
		 "unit=kilowatt_hour energy.interval"},
		{"where nobody says it, too", NULL,
		 "unit=kilowatt_hour energy.interval",
		 "unit=kilowatt_hour energy.interval"},
		{"another unit comes too late for the first", "watt",
		 "unit=kilowatt_hour energy.interval",
		 "unit=watt power.instant"},
		{"from then on neither is", NULL, "unknown.table",
		 "unknown.table"},
		{"but where it stands with them", "watt", "unknown.table",
		 "unit=watt power.instant"},
	};
	struct kit *k = kit_new();

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		static char body[20000];
		size_t n = (size_t)snprintf(body, sizeof(body), "%s", OUT LIST);
		char *last;

		for (unsigned q = 0; q < 90; q++)
			n += (size_t)snprintf(
				body + n, sizeof(body) - n,
				"<obj><abstime name='timestamp' "
				"val='2025-11-20T%02u:%02u:00Z'/><real "
				"name='value' val='%u'/></obj>",
				q / 4, q % 4 * 15, q);
		n += (size_t)snprintf(body + n, sizeof(body) - n, "</list>");
		if (steps[i].unit)
			n += (size_t)snprintf(body + n, sizeof(body) - n,
					      DEF("%s"), steps[i].unit);
		n += (size_t)snprintf(body + n, sizeof(body) - n, "</obj>");
		if (kit_ask(k, "POST", "/l/query",
			    span_str("<obj is='obix:HistoryFilter'/>"), NULL) ||
		    kit_answer(k, "POST", "/l/query", span_of(body, n), NULL))
			fail_msg("%s: %s", steps[i].why, k->e.text);
		assert_true(k->units > 2);
		for (last = k->text + k->text_n - 1; last[-1] != '\n';)
			last--;
		*strchr(k->text, '\n') = 0;
		if (!strstr(k->text, steps[i].first) ||
		    !strstr(last, steps[i].last) ||
		    (strstr(last, " note") != NULL) != (i == 3))
			fail_msg("%s: %s\n%s", steps[i].why, k->text, last);
	}
	kit_free(k);
}

#define ITEMS 200 /* of a batch in several units */

static struct span batch(char *text, size_t cap, const char *begin,
			 const char *item, unsigned n)
{
	size_t at = (size_t)snprintf(text, cap, "%s", begin);

	for (unsigned i = 0; i < n; i++)
		at += (size_t)snprintf(text + at, cap - at, item, i);
	at += (size_t)snprintf(text + at, cap - at, "</list>");
	assert_true(at < cap);
	return span_of(text, at);
}

/* Each unit is taken back once: what a batch asks is asked once all the same. */
static void taken_back(void **state)
{
	static const struct kit_way way = {.unsure = true};
	static char text[32768];
	struct kit *k = kit_new();

	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		struct span in = batch(text, sizeof(text),
				       "<list is='obix:BatchIn'>",
				       "<uri is='obix:Read' val='/a/%u'/>",
				       ITEMS);
		int rc;

		assert_int_equal(kit_ask(k, "POST", "/batch", in, &way), 0);
		assert_true(k->units > 1);
		in = batch(text, sizeof(text), "<list is='obix:BatchOut'>",
			   "<str href='/a/%u'/>", ITEMS + more);
		rc = kit_answer(k, "POST", "/batch", in, &way);
		assert_int_equal(rc != 0, more);
		if (more)
			assert_int_equal(k->e.reason, REASON_UNPAIRED);
	}
	kit_free(k);
}

#define WATCHED(item) \
	"<obj is='obix:WatchOut'><list name='values'>" item "</list></obj>"
#define NIL "<obj null='true'/>"

/* A number without a unit is what the Watch holds, as long as there is one. */
static void watches_end(void **state)
{
	static const char *const ends[][3] = {
		{"/w/1/delete", NIL, NIL},
		{"/w/1/pollChanges", NIL, "<err is='obix:BadUriErr'/>"},
	};
	static const struct {
		const char *path, *asked, *answer, *says;
	} steps[] = {
		{"/ws/make", NIL, "<obj is='obix:Watch' href='/w/1/'/>", NULL},
		{"/w/1/add",
		 "<obj is='obix:WatchIn'><list name='hrefs'><uri val='/p'/>"
		 "</list></obj>",
		 WATCHED("<real href='/p' unit='obix:units/kilowatt' "
			 "val='3'/>"), "power.instant"},
		{"/w/1/pollChanges", NIL, WATCHED("<int href='/q' val='3'/>"),
		 "power.instant"},
		{NULL, NULL, NULL, NULL}, /* it ends */
		{"/w/1/pollChanges", NIL, WATCHED("<int href='/q' val='3'/>"),
		 "unknown.table"},
	};

	(void)state;
	for (unsigned e = 0; e < 2; e++) {
		struct kit *k = kit_new();

		for (unsigned i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			const char *path = steps[i].path ? steps[i].path
							 : ends[e][0];
			const char *in = steps[i].path ? steps[i].asked
						       : ends[e][1];
			const char *out = steps[i].path ? steps[i].answer
							: ends[e][2];

			assert_int_equal(kit_ask(k, "POST", path, span_str(in),
						 NULL), 0);
			assert_int_equal(kit_answer(k, "POST", path,
						    span_str(out), NULL), 0);
			if (steps[i].says && !strstr(k->text, steps[i].says))
				fail_msg("%s, step %u: %s", ends[e][0], i,
					 k->text);
		}
		kit_free(k);
	}
}

/* The end of a Watch that nobody made makes room of none that somebody did,
 * however many there are. */
static void unknown_ends(void **state)
{
	struct kit *k = kit_new();
	char path[32], made[80];

	(void)state;
	for (unsigned i = 0; i < WATCHES; i++) {
		snprintf(path, sizeof(path), "/w/%u/add", i);
		snprintf(made, sizeof(made),
			 "<obj is='obix:Watch' href='/w/%u/'/>", i);
		assert_int_equal(kit_ask(k, "POST", "/ws/make", span_str(NIL),
					 NULL), 0);
		assert_int_equal(kit_answer(k, "POST", "/ws/make",
					    span_str(made), NULL), 0);
		assert_int_equal(
			kit_ask(k, "POST", path,
				span_str("<obj is='obix:WatchIn'><list "
					 "name='hrefs'><uri val='/p'/></list>"
					 "</obj>"), NULL), 0);
		assert_int_equal(
			kit_answer(k, "POST", path,
				   span_str(WATCHED("<real href='/p' "
						    "unit='obix:units/kilowatt'"
						    " val='3'/>")), NULL), 0);
	}
	assert_int_equal(kit_ask(k, "POST", "/w/999/delete", span_str(NIL),
				 NULL), 0);
	assert_int_equal(kit_answer(k, "POST", "/w/999/delete", span_str(NIL),
				    NULL), 0);
	for (unsigned i = 0; i < WATCHES; i++) {
		snprintf(path, sizeof(path), "/w/%u/pollChanges", i);
		assert_int_equal(kit_ask(k, "POST", path, span_str(NIL), NULL),
				 0);
		assert_int_equal(
			kit_answer(k, "POST", path,
				   span_str(WATCHED("<int href='/q' "
						    "val='3'/>")), NULL), 0);
		if (!strstr(k->text, "power.instant"))
			fail_msg("Watch %u: %s", i, k->text);
	}
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behind_several_units),
		cmocka_unit_test(exchanges),
		cmocka_unit_test(taken_back),
		cmocka_unit_test(watches_end),
		cmocka_unit_test(unknown_ends),
	};

	return cmocka_run_group_tests_name("obix learnt", tests, NULL, NULL);
}
