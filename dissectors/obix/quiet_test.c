/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a document is cut says nothing: what is behind its records goes on with
 * them, whatever unit it is in, if it says nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "dissectors/obix/testkit.h"

#define PATH "/obix/histories/e/query"
#define HEAD "<obj is='obix:HistoryQueryOut'>"
#define LIST "<list name='data' of='obix:HistoryRecord'>"
#define TELL                                                                   \
	"<int name='count' val='%u'/>"                                         \
	"<abstime name='start' val='2026-03-01T00:00:00Z'/>"                   \
	"<abstime name='end' val='%s'/>"

/* A history: what it tells of its records first or last. */
static const struct form {
	const char *what, *front, *behind;
	bool last;
} forms[] = {
	{"told first", HEAD TELL LIST, "</list></obj>", false},
	{"and a line", HEAD TELL LIST, "</list></obj>\r\n", false},
	{"in lines", HEAD "\n" TELL "\n" LIST "\n", "\n</list>\n</obj>\n",
	 false},
	{"told last", HEAD LIST, "</list>" TELL "</obj>", true},
	{"told last, in lines", HEAD "\n" LIST "\n", "\n</list>\n" TELL
	 "\n</obj>\r\n", true},
};

static const char *stamp(unsigned record)
{
	static char text[32];

	snprintf(text, sizeof(text), "2026-03-%02uT%02u:%02u:00Z",
		 1 + record / 96, record / 4 % 24, record % 4 * 15);
	return text;
}

/* n records, and that many octets more of lines between the last of them. */
static struct span history(const struct form *f, unsigned n, unsigned more)
{
	static char text[20000];
	size_t at = 0;
	char end[32];

	snprintf(end, sizeof(end), "%s", stamp(n - 1));
	if (f->last)
		at += (size_t)snprintf(text, sizeof(text), "%s", f->front);
	else
		at += (size_t)snprintf(text, sizeof(text), f->front, n, end);
	for (unsigned i = 0; i < n; i++) {
		unsigned left = (n - 1 - i) * 3; /* the last ones take it */
		unsigned gap = more <= left ? 0 : more - left;

		more -= gap;
		at += (size_t)snprintf(
			text + at, sizeof(text) - at,
			"%.*s<obj><abstime name='timestamp' val='%s'/>"
			"<real name='value' unit='obix:units/kilowatt_hour' "
			"val='0.%03u'/></obj>",
			(int)gap, "\n  ", stamp(i), i * 7 % 1000);
	}
	if (f->last)
		at += (size_t)snprintf(text + at, sizeof(text) - at, f->behind,
				       n, end);
	else
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s",
				       f->behind);
	return span_of(text, at);
}

/* Every unit of it has records, or is the quiet rest of some. Returns how many
 * were quiet. */
static unsigned look(struct kit *k, const char *why, struct span body)
{
	static const struct kit_way close = {1000, OBIX_REST_CLOSE, false}, length;
	unsigned quiet = 0;

	for (int way = 0; way < 2; way++) {
		if (kit_ask(k, "POST", PATH,
			    span_str("<obj is='obix:HistoryFilter'/>"), NULL) ||
		    kit_answer(k, "POST", PATH, body, way ? &close : &length))
			fail_msg("%s, %zu octets: %s", why, body.n, k->e.text);
		for (char *line = k->text, *end; *line; line = end + 1) {
			bool read, rest;

			end = strchr(line, '\n');
			*end = 0;
			read = strstr(line, " energy.interval ") != NULL;
			rest = strstr(line, " quiet") != NULL;
			quiet += rest;
			if (read == rest || (rest && line == k->text))
				fail_msg("%s, %zu octets: %s", why, body.n,
					 line);
		}
	}
	return quiet;
}

static void any_length(void **state)
{
	struct kit *k = kit_new();

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const struct form *f = &forms[i];
		size_t one = history(f, 51, 0).n - history(f, 50, 0).n;
		unsigned quiet = 0;

		for (unsigned n = 24; n < 100; n++) {
			for (unsigned more = 0; more < one; more += 5)
				quiet += look(k, f->what, history(f, n, more));
		}
		if (quiet == 0)
			fail_msg("%s: no cut fell behind the records", f->what);
	}
	kit_free(k);
}

/* Readings that fill a unit, the last one with a name that the path has; and
 * what is behind them. */
static void rest(void **state)
{
#define REAL "<real unit='obix:units/kilowatt' val='1'"
#define A64  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define T57 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcde"
#define E9  "<obj/><obj/><obj/><obj/><obj/><obj/><obj/><obj/><obj/>"
	static const struct {
		const char *why, *behind;
		bool quiet;
	} rows[] = {
		{"it ends", "", true},
		{"a line", "\r\n", true},
		{"an element", "<obj/>", true},
		{"nine", E9, false},
		{"a value", "<real val='1'/>", false},
		{"a value that says how it is", "<str val='ok'/>", false},
		{"a text that has room", "<obj displayName='abc'/>", true},
		{"a text that has none", "<obj displayName='" T57 "'/>", false},
		{"a comment", "<!-- " T57 " -->", false},
		{"text between elements", T57, false},
	};
	const size_t one = sizeof(REAL "/>") - 1;
	struct kit *k = kit_new();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static char body[9000];
		static const struct kit_way close = {0, OBIX_REST_CLOSE, false};
		size_t at = 0;
		bool quiet;
		char *last;

		at += (size_t)snprintf(body, sizeof(body), "<list>");
		while (at + one <= OBIX_WINDOW - 60)
			at += (size_t)snprintf(body + at, sizeof(body) - at,
					       REAL "/>");
		at += (size_t)snprintf(
			body + at, sizeof(body) - at, REAL " name='%.*s'/>",
			(int)(OBIX_WINDOW - at - one - 8), A64);
		at += (size_t)snprintf(body + at, sizeof(body) - at,
				       "<obj/>%s</list>", rows[i].behind);
		if (kit_ask(k, "GET", "/" A64, (struct span){0}, NULL) ||
		    kit_answer(k, "GET", "/" A64, span_of(body, at), &close)) {
			/* Text between elements may be refused at once. */
			if (!rows[i].quiet)
				continue;
			fail_msg("%s: %s", rows[i].why, k->e.text);
		}
		for (last = k->text + k->text_n - 1;
		     last > k->text && last[-1] != '\n';)
			last--;
		quiet = strstr(last, " quiet") != NULL;
		if (quiet != rows[i].quiet || k->units != 2)
			fail_msg("%s: %u units: %s", rows[i].why, k->units,
				 k->text);
	}
	kit_free(k);
}

/* What was said before is nothing new, as the path that was asked for; but not
 * for as long as somebody likes, in one unit or in several. */
static void long_rest(void **state)
{
	static const struct kit_way close = {0, OBIX_REST_CLOSE, false};
	static const struct {
		unsigned hrefs, units, quiet;
	} rows[] = {{1, 2, 1}, {3, 2, 1}, {4, 2, 1}, {5, 3, 1}, {7, 3, 1}};
	struct kit *k = kit_new();
	char path[1001];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		static char body[13000];
		size_t at = (size_t)snprintf(body, sizeof(body), "<list>");
		unsigned quiet = 0;

		while (at + sizeof(REAL "/>") - 1 <= OBIX_WINDOW)
			at += (size_t)snprintf(body + at, sizeof(body) - at,
					       REAL "/>");
		for (unsigned j = 0; j < rows[i].hrefs; j++)
			at += (size_t)snprintf(body + at, sizeof(body) - at,
					       "<obj href='%s'/>", path);
		at += (size_t)snprintf(body + at, sizeof(body) - at, "</list>");
		assert_int_equal(kit_ask(k, "GET", path, (struct span){0},
					 NULL), 0);
		assert_int_equal(kit_answer(k, "GET", path, span_of(body, at),
					    &close), 0);
		for (const char *s = k->text; (s = strstr(s, " quiet")); s++)
			quiet++;
		if (quiet != rows[i].quiet || k->units != rows[i].units)
			fail_msg("%u: %u quiet of %u units", rows[i].hrefs,
				 quiet, k->units);
	}
	kit_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_length),
		cmocka_unit_test(rest),
		cmocka_unit_test(long_rest),
	};

	return cmocka_run_group_tests_name("obix quiet", tests, NULL, NULL);
}
