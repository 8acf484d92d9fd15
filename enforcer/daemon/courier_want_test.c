/* SPDX-License-Identifier: Apache-2.0 */
/* What a question for records asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "enforcer/daemon/courier.h"

static const struct {
	const char *name, *value;
	int rc;
	const char *says;
} arguments[] = {
	{"from", "0", 0, NULL},
	{"from", "4611686018427387903", 0, NULL},
	{"from", "4611686018427387904", E_SYNTAX, "2^62"},
	{"from", "99999999999999999999999", E_SYNTAX, "2^62"},
	{"from", "-1", E_SYNTAX, "not a number"},
	{"from", "+1", E_SYNTAX, "not a number"},
	{"from", " 1", E_SYNTAX, "not a number"},
	{"from", "0x1", E_SYNTAX, "not a number"},
	{"from", "", E_SYNTAX, "from"},
	{"from", NULL, E_SYNTAX, "from"},
	{"last", "1", 0, NULL},
	{"last", "0", E_SYNTAX, "from 1"},
	{"limit", "1", 0, NULL},
	{"limit", "0", E_SYNTAX, "limit"},
	{"follow", "1", 0, NULL},
	{"follow", "0", 0, NULL},
	{"follow", "yes", E_SYNTAX, "neither"},
	{"origin", "meter-1.example/audit/recovery-1", 0, NULL},
	{"origin", "", E_SYNTAX, "name"},
	{"origin", "two words", E_SYNTAX, "name"},
	{"guest", "mdma", 0, NULL},
	{"guest", NULL, E_SYNTAX, "guest"},
	{"verdict", "deny", 0, NULL},
	{"verdict", "maybe", E_SYNTAX, "neither"},
	{"kind", "flow", 0, NULL},
	{"since", "2026-01-01T00:00:00Z", 0, NULL},
	{"since", "now", E_SYNTAX, "since"},
	{"From", "1", E_NOTFOUND, "from, last"},
	{"frm", "1", E_NOTFOUND, "no argument"},
};

static const char *const no_ids[] = {
	"x", "", "recovery-/7", "recovery-0/7", "recovery-1/", "recovery-1",
	"recovery-1/x", "recovery-1/2/3", "recovery--1/7", "recovery 1/7",
	"recovery-4611686018427387904/7", "recovery-11111111111111111111/7",
	"/7", "1/7",
};

static void arguments_are_what_they_say(void **state)
{
	struct want w = {0};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(arguments) / sizeof(*arguments); i++) {
		int rc = want_set(&w, arguments[i].name, arguments[i].value,
				  &e);

		if (rc != arguments[i].rc ||
		    (arguments[i].says && !strstr(e.text, arguments[i].says)))
			fail_msg("%s=%s: %d %s", arguments[i].name,
				 arguments[i].value ? arguments[i].value : "",
				 rc, e.text);
	}
	w = (struct want){.from = 3, .last = 9};
	assert_int_equal(want_last_event(&w, "41", &e), 0);
	assert_int_equal(w.from, 42);
	assert_int_equal(w.last, 0);
	assert_true(w.resumes);
	assert_int_equal(w.recovery, 0);
	assert_int_equal(want_last_event(&w, "recovery-12/7", &e), 0);
	assert_int_equal(w.from, 8);
	assert_int_equal(w.recovery, 12);
	for (size_t i = 0; i < sizeof(no_ids) / sizeof(no_ids[0]); i++) {
		if (want_last_event(&w, no_ids[i], &e) != E_SYNTAX)
			fail_msg("%s", no_ids[i]);
	}
}

static const struct {
	const char *accept;
	bool events;
} accepts[] = {
	{NULL, false},
	{"", false},
	{"*/*", false},
	{"text/event-stream", true},
	{"Text/Event-Stream", true},
	{"text/event-streams", false},
	{"x-text/event-stream", false},
	{"application/json, text/event-stream", true},
	{" text/event-stream ; q=0.5 , */*", true},
	{"text/event-stream;q=0", false},
	{"text/event-stream; charset=utf-8; Q=0.000, */*", false},
	{"text/event-stream;q=0.001", true},
	{"text/event-stream;q=", false},
	{"text/event-stream;", true},
	{"*/*;q=0,text/event-stream", true},
	{"text/html;a=\"text/event-stream\"", false},
	{",,;,", false},
};

static void events_come_to_who_asks_for_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++) {
		if (want_events(accepts[i].accept) != accepts[i].events)
			fail_msg("%s", accepts[i].accept);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arguments_are_what_they_say),
		cmocka_unit_test(events_come_to_who_asks_for_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
