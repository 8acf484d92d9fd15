/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody should know, a line each. */
#include <string.h>
#include <time.h>

#include "enforcer/ctl/tool.h"

static void date(char buf[SHORT_TEXT], int64_t s)
{
	time_t t = (time_t)s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || !strftime(buf, SHORT_TEXT, "%Y-%m-%d", &tm))
		snprintf(buf, SHORT_TEXT, "%lld", (long long)s);
}

static void quarantine(const struct tool *t, struct span line)
{
	char x[FIELD_TEXT], left[SHORT_TEXT];

	printf("%squarantine%s  %s: nothing but floors for %s more\n",
	       paint(&t->style, RED), paint(&t->style, RESET),
	       field(x, line, "guest"),
	       short_time(left, 1000 * field_int(line, "left_s")));
}

static void staged(const struct tool *t, struct span line)
{
	char x[FIELD_TEXT], code[FIELD_TEXT], left[SHORT_TEXT];

	printf("%sstaged%s      %s serial %lld, ", paint(&t->style, YELLOW),
	       paint(&t->style, RESET), field(x, line, "policy"),
	       (long long)field_int(line, "serial"));
	if (field_true(line, "confirmed"))
		printf("confirmed: the next reload\n");
	else if (json_get(line, "left_s").n)
		printf("by itself in %s, or by the code %s on the panel\n",
		       short_time(left, 1000 * field_int(line, "left_s")),
		       field(code, line, "code"));
	else
		printf("waits for the code %s on the panel\n",
		       field(code, line, "code"));
}

static void answer_void(const struct tool *t, struct span line)
{
	char x[FIELD_TEXT];

	printf("%sanswer void%s %s: the rule is wider than what was granted\n",
	       paint(&t->style, YELLOW), paint(&t->style, RESET),
	       field(x, line, "rule"));
}

static void monitored(const struct tool *t, struct span line)
{
	char x[FIELD_TEXT], rule[FIELD_TEXT], until[SHORT_TEXT];

	(void)t;
	date(until, field_int(line, "until"));
	field(rule, line, "rule");
	printf("monitored   %s%s%s until %s%s\n", field(x, line, "policy"),
	       rule[0] ? "/" : "", rule, until,
	       field_int(line, "left_s") > 0 ? ", refuses nothing before"
					     : ", which is over: it refuses");
}

static void refused(const struct tool *t, struct span line)
{
	char severity[FIELD_TEXT];
	struct span mg = json_get(json_get(line, "event"), "metergate");
	long long n = (long long)field_int(line, "count");

	field(severity, mg, "severity");
	printf("%srefused%s     ", paint(&t->style, RED),
	       paint(&t->style, RESET));
	why_line(line, 0, stdout);
	if (severity[0])
		printf(" [%s]", severity);
	if (n > 1)
		printf(" (%lld times)", n);
	printf("\n");
}

void show_notices(const struct tool *t, struct answer *a)
{
	static const struct {
		const char *name;
		void (*show)(const struct tool *t, struct span line);
	} kinds[] = {
		{"quarantine", quarantine}, {"staged", staged},
		{"answer-void", answer_void}, {"monitored", monitored},
		{"refusal", refused},
	};
	char what[FIELD_TEXT];
	struct span line;
	size_t n = 0;

	(void)answer_line(a, &line);
	while (answer_line(a, &line)) {
		field(what, line, "notice");
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			if (strcmp(what, kinds[i].name) == 0)
				kinds[i].show(t, line);
		}
		n++;
	}
	if (n == 0)
		printf("nothing to know\n");
}
