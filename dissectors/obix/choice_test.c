/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sender chooses for each of many elements, among things that say nothing
 * or were said: each row is two forms of one. The one again and again carries
 * nothing; now the one and now the other is counted, whatever is granted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testkit.h"

#define ELEMENTS 400

struct choice {
	const char *why, *one, *other;
};

#define NS " xmlns='http://obix.org/ns/schema/1.0'"
static const struct choice elements[] = {
	{"names of the standard", "<op name='query'/>", "<op name='make'/>"},
	{"names", "<op name='a'/>", "<op name='b'/>"},
	{"of references", "<ref name='a' href='/c'/>",
	 "<ref name='b' href='/c'/>"},
	{"what is referred to", "<ref href='/'/>", "<ref href='/c'/>"},
	{"one element or another", "<ref name='a' href='/c'/>",
	 "<op name='a' href='/c'/>"},
	{"contracts of the standard", "<op name='query' in='obix:Nil'/>",
	 "<op name='query' in='obix:Range'/>"},
	{"of what comes out", "<op name='query' out='obix:Nil'/>",
	 "<op name='query' out='obix:Range'/>"},
	{"of what it is", "<ref href='/c' is='obix:Nil'/>",
	 "<ref href='/c' is='obix:Range'/>"},
	{"of what is in it", "<ref href='/c' of='obix:Nil'/>",
	 "<ref href='/c' of='obix:Range'/>"},
	{"with one or without", "<op name='query'/>",
	 "<op name='query' in='obix:Nil'/>"},
	{"names for people", "<op name='set' displayName='a'/>",
	 "<op name='set' displayName='b'/>"},
	{"their great letters", "<op name='set' displayName='set'/>",
	 "<op name='set' displayName='Set'/>"},
	{"gaps in them", "<op name='set' displayName='s et'/>",
	 "<op name='set' displayName='se t'/>"},
	{"texts for people", "<op name='set' display='a'/>",
	 "<op name='set' display='b'/>"},
	{"pictures", "<op name='set' icon='/'/>", "<op name='set' icon='/c'/>"},
	{"ranges", "<op name='set' range='/'/>", "<op name='set' range='/c'/>"},
	{"states", "<op name='set' status='ok'/>",
	 "<op name='set' status='down'/>"},
	{"zones", "<op name='set' tz='UTC'/>", "<op name='set' tz='CET'/>"},
	{"order of attributes", "<op name='set' status='ok'/>",
	 "<op status='ok' name='set'/>"},
	{"names in other letters", "<op name='query'/>", "<op name='Query'/>"},
	{"with tildes", "<op name='query'/>", "<op name='~query'/>"},
	{"deeper or not", "<op name='set'/>", "<list><op name='set'/></list>"},
	{"with a child or two", "<list><op name='set'/></list>",
	 "<list><op name='set'/><op name='set'/></list>"},
	{"ended in the tag or behind it", "<op name='set'/>",
	 "<op name='set'></op>"},
	{"a comment or none", "<op name='set'/>", "<!----><op name='set'/>"},
	{"prefixes", "<op name='set'/>", "<o:op name='set'/>"},
	{"of attributes", "<op name='set'/>", "<op o:name='set'/>"},
	{"namespaces that hold", "<op name='set'/>", "<op" NS " name='set'/>"},
};

/* Of the records of a history. */
#define STAMP(at) "<abstime name='timestamp' val='2025-11-20T00:00:00Z'" at "/>"
#define KWH	  " unit='obix:units/kilowatt_hour'/>"
#define VALUE	  "<real name='v' val='7'" KWH
static const struct choice records[] = {
	{"order of members", "<obj>" STAMP("") VALUE "</obj>",
	 "<obj>" VALUE STAMP("") "</obj>"},
	{"an element or another", "<obj>" STAMP("") VALUE "</obj>",
	 "<list>" STAMP("") VALUE "</list>"},
	{"within a list or not", "<obj>" STAMP("") VALUE "</obj>",
	 "<list><obj>" STAMP("") VALUE "</obj></list>"},
	{"names, kinds of numbers and units",
	 "<obj name='a'>" STAMP("") VALUE "</obj>",
	 "<obj name='b'>" STAMP("") "<int name='w' val='7' "
	 "unit='obix:units/megajoule' /></obj>"},
	{"units in other letters, prefixes and contracts",
	 "<obj>" STAMP("") VALUE "</obj>",
	 "<o:obj is='obix:HistoryRecord'>" STAMP(" is='obix:Nil'") "<o:real "
	 "name='v' val='7' unit='obix:units/Kilowatt-Hours'/></o:obj>"},
};

/* Of what a Watch tells. */
#define CHANGE(at) "<ref href='" at "/a'/>"
static const struct choice changes[] = {
	{"which server, or nothing of it", CHANGE(""), CHANGE("http://meter")},
	{"its scheme", CHANGE("http://meter"), CHANGE("https://meter")},
	{"its port", CHANGE("http://meter"), CHANGE("http://meter:80")},
	{"and letters", CHANGE("http://meter"), CHANGE("http://Meter")},
};

struct frame_of {
	const char *begin, *end, *path;
};

/* Does one of the units say that there is something unknown? */
static bool is_counted(struct kit *k, const struct frame_of *f,
		       const struct choice *x, bool chosen)
{
	static char body[200000];
	struct kit_way way = {.piece = 1000};
	uint64_t seed = 1;
	size_t n = (size_t)sprintf(body, "%s", f->begin);

	for (unsigned i = 0; i < ELEMENTS; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		n += (size_t)sprintf(body + n, "%s",
				     chosen && seed >> 63 ? x->other : x->one);
	}
	sprintf(body + n, "%s", f->end);
	memset(&k->ask, 0, sizeof(k->ask));
	assert_int_equal(kit_ask(k, "POST", f->path, (struct span){0}, NULL), 0);
	assert_int_equal(kit_answer(k, "POST", f->path, span_str(body), &way), 0);
	return strstr(k->text, "unknown.table") != NULL;
}

static void all(const struct frame_of *f, const struct choice *rows, size_t n)
{
	unsigned bad = 0;

	for (size_t i = 0; i < n; i++) {
		struct kit *k = kit_new();

		k->host = span_str("meter");
		if (!is_counted(k, f, &rows[i], true)) {
			print_error("%s: not counted\n", rows[i].why);
			bad++;
		}
		if (is_counted(k, f, &rows[i], false)) {
			print_error("%s: one all the time is counted\n%s",
				    rows[i].why, k->text);
			bad++;
		}
		kit_free(k);
	}
	assert_int_equal(bad, 0);
}

static void of_elements(void **state)
{
	static const struct frame_of list = {
		"<list" NS " xmlns:o='http://obix.org/ns/schema/1.0'>",
		"</list>", "/c/pollChanges"};

	(void)state;
	all(&list, elements, sizeof(elements) / sizeof(elements[0]));
}

static void of_records(void **state)
{
	static const struct frame_of history = {
		"<obj" NS " xmlns:o='http://obix.org/ns/schema/1.0' "
		"is='obix:HistoryQueryOut'><list name='data' "
		"of='obix:HistoryRecord'>",
		"</list></obj>", "/h/query"};

	(void)state;
	all(&history, records, sizeof(records) / sizeof(records[0]));
}

static void of_changes(void **state)
{
	static const struct frame_of watch = {
		"<obj is='obix:WatchOut'><list name='values'>",
		"</list></obj>", "/w/pollChanges"};

	(void)state;
	all(&watch, changes, sizeof(changes) / sizeof(changes[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_elements),
		cmocka_unit_test(of_changes),
		cmocka_unit_test(of_records),
	};

	return cmocka_run_group_tests_name("obix choices", tests, NULL, NULL);
}
