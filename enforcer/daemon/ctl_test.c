/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the control socket: what is one, and what is said otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "enforcer/daemon/ctl_conn.h"
#include "enforcer/daemon/ctl.h"

static void requests(void **s)
{
	static const struct {
		const char *why, *line;
		int want, verb;
		const char *guest;
	} rows[] = {
		{"no argument",		  "status",	     0,	       CTL_STATUS,	 ""	 },
		{"list",		  "guests",	     0,	       CTL_GUESTS,	 ""	 },
		{"a guest",		  "flows mdma",	     0,	       CTL_FLOWS,	 "mdma"	 },
		{"budgets",		  "budgets a-1",     0,	       CTL_BUDGETS,	 "a-1"	 },
		{"ledger",		  "ledger mdma",     0,	       CTL_LEDGER,	 "mdma"	 },
		{"erase",		  "erase mdma",	     0,	       CTL_ERASE,	 "mdma"	 },
		{"erase whose",		  "erase",	     E_SYNTAX, 0,		 ""	 },
		{"release",		  "release mdma",    0,	       CTL_RELEASE,	 "mdma"	 },
		{"release whom",	  "release",	     E_SYNTAX, 0,		 ""	 },
		{"may have one",	  "why",	     0,	       CTL_WHY,		 ""	 },
		{"and has one",		  "why portal",	     0,	       CTL_WHY,		 "portal"},
		{"notices",		  "notices",	     0,	       CTL_NOTICES,	 ""	 },
		{"freeze",		  "freeze mdma",     0,	       CTL_FREEZE,	 "mdma"	 },
		{"thaw",		  "thaw mdma",	     0,	       CTL_THAW,	 "mdma"	 },
		{"reload",		  "reload",	     0,	       CTL_RELOAD,	 ""	 },
		{"policies",		  "policies",	     0,	       CTL_POLICIES,	 ""	 },
		{"metrics",		  "metrics",	     0,	       CTL_METRICS_TEXT, ""	 },
		{"diff",		  "diff",	     0,	       CTL_DIFF,	 ""	 },
		{"pending",		  "pending",	     0,	       CTL_PENDING,	 ""	 },
		{"confirm",		  "confirm 0a1b2c3d", 0,       CTL_CONFIRM,	 "0a1b2c3d"},
		{"confirm what",	  "confirm",	     E_SYNTAX, 0,		 ""	 },
		{"export",		  "export csv",	     0,	       CTL_EXPORT,	 "csv"	 },
		{"as what",		  "export",	     E_SYNTAX, 0,		 ""	 },
		{"a file follows",	  "propose 262144",  0,	       CTL_PROPOSE,	 ""	 },
		{"one too large",	  "propose 262145",  E_LIMIT,  0,		 ""	 },
		{"a number that runs over", "propose 99999999999999999999", E_LIMIT, 0,	 ""	 },
		{"no octets",		  "propose 0",	     E_LIMIT,  0,		 ""	 },
		{"a number with a nought before it", "propose 03", E_SYNTAX, 0, "" },
		{"no number",		  "propose 1x",	     E_SYNTAX, 0,		 ""	 },
		{"nothing",		  "",		     E_SYNTAX, 0,		 ""	 },
		{"unknown",		  "stop",	     E_SYNTAX, 0,		 ""	 },
		{"capitals",		  "STATUS",	     E_SYNTAX, 0,		 ""	 },
		{"a prefix",		  "stat",	     E_SYNTAX, 0,		 ""	 },
		{"a guest is missing",	  "flows",	     E_SYNTAX, 0,		 ""	 },
		{"an empty guest",	  "flows ",	     E_SYNTAX, 0,		 ""	 },
		{"a space too many",	  "status ",	     E_SYNTAX, 0,		 ""	 },
		{"two spaces",		  "flows  mdma",     E_SYNTAX, 0,		 ""	 },
		{"an argument too many",  "status now",	     E_SYNTAX, 0,		 ""	 },
		{"two guests",		  "flows a b",	     E_SYNTAX, 0,		 ""	 },
		{"not a name",		  "freeze ../x",     E_SYNTAX, 0,		 ""	 },
		{"octets",		  "freeze a\x01",    E_SYNTAX, 0,		 ""	 },
		{"a name too long",
		 "flows aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		 E_SYNTAX, 0, ""},
	};

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct ctl_request r;
		struct err e = {0};
		int rc = ctl_request(&r, span_str(rows[i].line), &e);

		if (rc != rows[i].want ||
		    (rc == 0 && ((int)r.verb != rows[i].verb ||
				 strcmp(r.guest, rows[i].guest) != 0)) ||
		    (rc < 0 && !e.text[0]))
			fail_msg("%s: %d %s", rows[i].why, rc, e.text);
	}
}

static void bounds(void **s)
{
	char line[CTL_REQUEST + 1];
	struct ctl_request r;
	struct err e;

	(void)s;
	memset(line, 'a', sizeof(line));
	assert_int_equal(ctl_request(&r, span_of(line, CTL_REQUEST), &e),
			 E_LIMIT);
	assert_int_equal(ctl_request(&r, span_of("why\0", 4), &e), E_SYNTAX);
	assert_int_equal(ctl_request(&r, span_of("why a\0", 6), &e), E_SYNTAX);
}

/* The customer's word is given on the panel and nowhere else. */
static void who_may(void **s)
{
	(void)s;
	for (int v = 0; v < CTL_VERBS; v++) {
		bool panel = v == CTL_CONFIRM || v == CTL_PENDING;

		assert_int_equal(ctl_verb_may((enum ctl_verb)v, true), panel);
		assert_int_equal(ctl_verb_may((enum ctl_verb)v, false),
				 v != CTL_CONFIRM);
	}
}

/* A place that held a longer text before, which has no end of its own. */
static void texts_of_refusals(void **s)
{
	static const struct {
		const char *why, *text, *want;
		uint32_t n;
		bool object;
	} rows[] = {
		{"shorter than the one before", "{\"a\":1}", "{\"a\":1}", 7, true},
		{"with the line's end", "{\"a\":1}\n", "{\"a\":1}", 8, true},
		{"cut", "{\"a\":1", "{\"a\":1", 6, false},
		{"nothing", "", "", 0, false},
	};
	struct view_refusal r;

	(void)s;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(r.text, 'x', sizeof(r.text));
		memcpy(r.text, rows[i].text, rows[i].n);
		r.n = rows[i].n;
		if (!span_is(conn_text(&r), rows[i].want) ||
		    conn_is_object(&r) != rows[i].object)
			fail_msg("%s", rows[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may),
		cmocka_unit_test(requests),
		cmocka_unit_test(texts_of_refusals),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
