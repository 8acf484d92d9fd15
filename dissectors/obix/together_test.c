/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many readings the objects of one batch and those that a Watch gives are
 * together: otherwise each is one, and a curve passes as many objects of now.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testkit.h"

#define KW(href) "<real href='" href "' unit='obix:units/kilowatt' val='3'/>"
#define DEGREES(href)                                                          \
	"<real href='" href "' unit='obix:units/celsius' val='20'/>"
#define WATCH_OUT(items)                                                       \
	"<obj is='obix:WatchOut'><list name='values'>" items "</list></obj>"
#define READ(href) "<uri is='obix:Read' val='" href "'/>"
#define QUERY(href)                                                            \
	"<uri is='obix:Invoke' val='" href "/query'><obj name='in' "           \
	"is='obix:HistoryFilter'/></uri>"
#define WRITE(href)                                                            \
	"<uri is='obix:Write' val='" href "'><real name='in' val='3' "         \
	"unit='obix:units/kilowatt'/></uri>"
#define SWITCH(href)                                                           \
	"<uri is='obix:Write' val='" href "'><bool name='in' val='true'/></uri>"
#define ROOM(n) "<bool name='motion" n "' val='true'/>"
#define PAUSE(n) "<reltime name='pause" n "' val='PT9M'/>"
#define BATCH(items) "<list is='obix:BatchIn'>" items "</list>"
#define BATCH_OUT(items) "<list is='obix:BatchOut'>" items "</list>"
#define RECORD(minute)                                                         \
	"<obj><abstime name='timestamp' val='2026-01-01T00:" minute ":00Z'/>"  \
	"<real name='value' val='1' unit='obix:units/kilowatt_hour'/></obj>"
#define HISTORY(href)                                                          \
	"<obj is='obix:HistoryQueryOut' href='" href "/query'>"                \
	"<list name='data' of='obix:HistoryRecord'>" RECORD("15")              \
		RECORD("30") RECORD("45") "</list></obj>"
#define SIX KW("/a") KW("/b") KW("/c") KW("/d") KW("/e") KW("/f")

/* The readings of each leaf that has some. */
static void readings(const struct kit *k, char *text, size_t cap)
{
	size_t n = 0;

	text[0] = 0;
	for (uint32_t i = 0; i < k->out.n; i++) {
		if (obs_has(&k->obs[i], F_READINGS))
			n += (size_t)snprintf(
				text + n, cap - n, "%u ",
				(unsigned)obs_get(&k->obs[i], F_READINGS, 0));
	}
}

static const struct {
	const char *why, *path, *asked, *answer; /* NULL: the request counts */
	const char *want;
} rows[] = {
	{"six objects of now", "/w/pollChanges", "<obj null='true'/>",
	 WATCH_OUT(SIX), "1 1 1 1 1 1 "},
	{"a seventh", "/w/pollChanges", "<obj null='true'/>",
	 WATCH_OUT(SIX KW("/g") KW("/h")), "1 1 1 1 1 1 7 8 "},
	{"one told again", "/w/pollChanges", "<obj null='true'/>",
	 WATCH_OUT(KW("/a") KW("/b") KW("/a") KW("/c/../a")), "1 1 3 4 "},
	{"of another quantity", "/w/pollChanges", "<obj null='true'/>",
	 WATCH_OUT(SIX DEGREES("/g") DEGREES("/a")), "1 1 1 1 1 1 1 1 "},
	{"more than there is room for", "/w/pollChanges", "<obj null='true'/>",
	 WATCH_OUT(SIX SIX SIX SIX SIX SIX),
	 "1 1 1 1 1 1 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 "
	 "27 28 29 30 31 32 33 34 35 36 "},
	{"seven rooms in one object", "/w/pollChanges", "<obj null='true'/>",
	 WATCH_OUT("<obj href='/r'>" ROOM("1") ROOM("2") ROOM("3") ROOM("4")
		   ROOM("5") ROOM("6") ROOM("7") "</obj>"), "7 "},
	{"read twice, for what is defined behind", "/w/pollChanges",
	 "<obj null='true'/>",
	 "<obj is='obix:WatchOut'><list name='values'><real href='/a' is='#P' "
	 "val='3'/></list><real href='#P' unit='obix:units/kilowatt'/></obj>",
	 "1 1 "},
	{"one read again by a batch", "/batch", BATCH(READ("/a") READ("/a")),
	 BATCH_OUT(KW("/a") KW("/a")), "1 2 "},
	{"histories have their own interval", "/batch",
	 BATCH(QUERY("/a") QUERY("/b")), BATCH_OUT(HISTORY("/a") HISTORY("/b")),
	 "3 3 "},
	{"what is written, each", "/batch", BATCH(WRITE("/a") WRITE("/b")),
	 NULL, "1 2 "},
	{"what is switched, each", "/batch", BATCH(SWITCH("/a") SWITCH("/b")),
	 NULL, "1 2 "},
	{"times of five in one", "/batch",
	 BATCH("<uri is='obix:Write' val='/a'><obj name='in'>" PAUSE("1")
	       PAUSE("2") PAUSE("3") PAUSE("4") PAUSE("5") "</obj></uri>"),
	 NULL, "5 "},
	{"what is done, each", "/batch",
	 BATCH("<uri is='obix:Invoke' val='/a/go'/>"
	       "<uri is='obix:Invoke' val='/b/go'/>"), NULL, "1 2 "},
};

static void counted(void **state)
{
	struct kit *k = kit_new();
	unsigned bad = 0;
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		k->dis.dir = DIR_IN;
		assert_int_equal(kit_ask(k, "POST", rows[i].path,
					 span_str(rows[i].asked), NULL), 0);
		k->dis.dir = DIR_OUT;
		if (rows[i].answer)
			assert_int_equal(
				kit_answer(k, "POST", rows[i].path,
					   span_str(rows[i].answer), NULL), 0);
		readings(k, text, sizeof(text));
		if (strcmp(text, rows[i].want) == 0)
			continue;
		print_error("%s: %s, not %s\n%s", rows[i].why, text,
			    rows[i].want, k->text);
		bad++;
	}
	kit_free(k);
	assert_int_equal(bad, 0);
}

#define FOUR PAUSE("1") PAUSE("2") PAUSE("3") PAUSE("4")
#define ON "<bool name='on' val='true'/>"
#define WARM "<real name='setpoint' val='20'/>"
#define PRICE(n) "<real name='price" n "' val='0.2'/>"
#define PHASES(unit)                                                           \
	"<obj><real name='l1' val='3' unit='obix:units/" unit "'/>"            \
	"<real name='l2' val='4' unit='obix:units/" unit "'/></obj>"

/* Of what one PUT writes: each command is one, whatever it is in. */
static const struct {
	const char *why, *body;
	unsigned want;
} written[] = {
	{"a value alone", "<reltime val='PT9M'/>", 1},
	{"a value of one", "<obj>" PAUSE("1") "</obj>", 1},
	{"four of one quantity", "<obj>" FOUR "</obj>", 4},
	{"of three quantities", "<obj>" PAUSE("1") ON WARM "</obj>", 3},
	{"in objects of a list", "<list><obj>" PAUSE("1") ON "</obj><obj>" ON
				 "</obj></list>", 3},
	{"in a list of values", "<list>" FOUR "</list>", 4},
	{"with words", "<obj><str name='mode' val='off'/>" ON "</obj>", 2},
	{"in records", "<list of='obix:HistoryRecord'><obj><abstime "
		       "name='timestamp' val='2026-01-01T00:15:00Z'/>" ON WARM
		       PAUSE("1") "</obj></list>", 3},
	{"powers, which are both", PHASES("kilowatt"), 2},
	{"prices are none", "<obj>" PRICE("1") PRICE("2") PAUSE("1") "</obj>",
	 1},
	{"nor is energy", PHASES("kilowatt_hour"), 1},
	{"what a list has most of counts", "<list>" PRICE("1") PRICE("2")
					   PAUSE("1") "</list>", 3},
};

static void each_command(void **state)
{
	struct kit *k = kit_new();
	unsigned bad = 0;
	char text[256], want[16];

	(void)state;
	k->dis.dir = DIR_IN;
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		snprintf(text, sizeof(text), "refused");
		if (kit_ask(k, "PUT", "/a", span_str(written[i].body), NULL) ==
		    0)
			readings(k, text, sizeof(text));
		snprintf(want, sizeof(want), "%u ", written[i].want);
		if (strcmp(text, want) == 0)
			continue;
		print_error("%s: %s, not %s\n%s", written[i].why, text, want,
			    k->text);
		bad++;
	}
	kit_free(k);
	assert_int_equal(bad, 0);
}

/* A command is one that comes to a machine, and at both ends if a machine sends
 * it; what a machine sends to others is none. */
static void where_to(void **state)
{
	static const struct {
		enum dir dir;
		bool between;
		const char *method, *path, *body, *want;
	} way[] = {
#define OVERRIDE "POST", "/a/override", "<obj null='true'/>"
#define SWITCHED "PUT", "/a", "<bool name='on' val='true'/>"
		{DIR_IN, false, OVERRIDE, " control.load "},
		{DIR_OUT, true, OVERRIDE, " control.load "},
		{DIR_IN, true, OVERRIDE, " control.load "},
		{DIR_OUT, false, OVERRIDE, NULL},
		{DIR_IN, false, SWITCHED, " control.load "},
		{DIR_OUT, true, SWITCHED, " control.load "},
		{DIR_OUT, false, SWITCHED, " appliance.state "},
		{DIR_IN, false, "POST", "/a/go", "", " control.load "},
		{DIR_OUT, true, "POST", "/a/go", "", " control.load "},
		{DIR_OUT, false, "POST", "/a/go", "", NULL},
	};
	struct kit *k = kit_new();

	(void)state;
	for (size_t i = 0; i < sizeof(way) / sizeof(way[0]); i++) {
		k->dis.dir = way[i].dir;
		k->dis.between = way[i].between;
		assert_int_equal(kit_ask(k, way[i].method, way[i].path,
					 span_str(way[i].body), NULL), 0);
		if (way[i].want ? !strstr(k->text, way[i].want)
				: strstr(k->text, "control.load") != NULL)
			fail_msg("way %zu: %s", i, k->text);
	}
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counted),
		cmocka_unit_test(each_command),
		cmocka_unit_test(where_to),
	};

	return cmocka_run_group_tests_name("obix together", tests, NULL, NULL);
}
