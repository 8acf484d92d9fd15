/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions by name: which are accepted, and what each lets through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "audit/filter.h"

#define T0 INT64_C(1764082800000000) /* 2025-11-25T15:00:00Z */

/* A refusal of mdma at T0, for two reasons. */
static struct record_view refusal(void)
{
	struct record_view v = {0};

	v.r.kind = RECORD_DENY;
	v.ev.type = EV_VIOLATION;
	v.ev.verdict = VERDICT_DENY;
	v.ev.guest = span_str("mdma");
	v.ev.now.wall.us = T0;
	v.ev.flow_id = 4711;
	v.ev.last_flow = 9007199254740991;
	v.ev.reason = REASON_TOO_FINE;
	reasons_add(&v.ev.reasons, REASON_TOO_FINE);
	reasons_add(&v.ev.reasons, REASON_TOO_FRESH);
	return v;
}

static const struct {
	const char *name, *value;
	int rc;
	bool wants;
	const char *says; /* inside the error */
} rows[] = {
	{"guest", "mdma", 0, true, NULL},
	{"guest", "mdm", 0, false, NULL},
	{"guest", "", E_SYNTAX, false, "1 to 64"},
	{"guest", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaa", E_SYNTAX, false, "1 to 64"},
	{"kind", "deny", 0, true, NULL},
	{"kind", "allow", 0, false, NULL},
	{"kind", "clock-step", 0, false, NULL},
	{"kind", "unknown", E_SYNTAX, false, "clock-step"},
	{"kind", "2", E_SYNTAX, false, "anomaly"},
	{"kind", "", E_SYNTAX, false, "none of"},
	{"verdict", "deny", 0, true, NULL},
	{"verdict", "allow", 0, false, NULL},
	{"verdict", "Deny", E_SYNTAX, false, "neither"},
	{"reason", "too-fine", 0, true, NULL},
	{"reason", "too-fresh", 0, true, NULL},
	{"reason", "no-grant", 0, false, NULL},
	{"reason", "none-of-it", E_SYNTAX, false, "vocabulary"},
	{"flow", "4711", 0, true, NULL},
	{"flow", "9007199254740991", 0, true, NULL},
	{"flow", "47", 0, false, NULL},
	{"flow", "0", E_SYNTAX, false, "above 0"},
	{"flow", "-1", E_SYNTAX, false, "above 0"},
	{"flow", "4711 ", E_SYNTAX, false, "above 0"},
	{"flow", "18446744073709551616", E_SYNTAX, false, "above 0"},
	{"flow", "", E_SYNTAX, false, "above 0"},
	{"since", "2025-11-25T15:00:00Z", 0, true, NULL},
	{"since", "2025-11-25T15:00:01Z", 0, false, NULL},
	{"since", "2025-11-25T16:00:00+01:00", 0, true, NULL},
	{"since", "yesterday", E_SYNTAX, false, "since"},
	{"until", "2025-11-25T15:00:00Z", 0, false, NULL},
	{"until", "2025-11-25T15:00:01Z", 0, true, NULL},
	{"until", "1970-01-01T00:00:00Z", 0, false, NULL},
	{"until", "1", E_SYNTAX, false, "until"},
	{"color", "red", E_NOTFOUND, false, "guest, kind"},
	{"", "", E_NOTFOUND, false, "condition"},
};

static void each_condition(void **state)
{
	struct record_view v = refusal();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct filter f = {0};
		struct err e = {0};
		int rc = filter_set(&f, rows[i].name, rows[i].value, &e);

		if (rc != rows[i].rc ||
		    (rows[i].says && !strstr(e.text, rows[i].says)))
			fail_msg("%s=%s: %d %s", rows[i].name, rows[i].value,
				 rc, e.text);
		if (rc == 0 && filter_wants(&f, &v) != rows[i].wants)
			fail_msg("%s=%s wants otherwise", rows[i].name,
				 rows[i].value);
	}
}

static void all_must_hold(void **state)
{
	struct record_view v = refusal();
	struct filter f = {0};
	struct err e = {0};

	(void)state;
	assert_true(filter_wants(&f, &v));
	assert_int_equal(filter_set(&f, "guest", "mdma", &e), 0);
	assert_int_equal(filter_set(&f, "verdict", "deny", &e), 0);
	assert_true(filter_wants(&f, &v));
	assert_int_equal(filter_set(&f, "kind", "flow", &e), 0);
	assert_false(filter_wants(&f, &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_condition),
		cmocka_unit_test(all_must_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
