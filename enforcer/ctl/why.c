/* SPDX-License-Identifier: Apache-2.0 */
/* The last refusals: what, by which rule and where it stands, and what would
 * have passed. */
#include <time.h>

#include "enforcer/ctl/tool.h"

static void when(char *buf, size_t cap, struct span line)
{
	time_t s = (time_t)(field_int(line, "wall_us") / 1000000);
	struct tm tm;

	if (!localtime_r(&s, &tm) || strftime(buf, cap, "%F %T", &tm) == 0)
		buf[0] = 0;
}

/* The layer that refused, else the first. */
static struct span rule_of(struct span metergate)
{
	struct span rules = json_get(metergate, "rules"), rule, found = {0};
	size_t at = 0;

	while (json_next(rules, &at, NULL, &rule)) {
		if (found.n == 0 || field_true(rule, "refused"))
			found = rule;
		if (field_true(rule, "refused"))
			break;
	}
	return found;
}

static void say(FILE *out, const char *what, const char *text)
{
	if (text[0])
		fprintf(out, "    %-12s %s\n", what, text);
}

static void ends(struct span event)
{
	char a[FIELD_TEXT], b[FIELD_TEXT];

	if (!json_get(event, "src_ip").n)
		return;
	printf("    %-12s %s:%lld -> %s:%lld", "packet",
	       field(a, event, "src_ip"),
	       (long long)field_int(event, "src_port"),
	       field(b, event, "dest_ip"),
	       (long long)field_int(event, "dest_port"));
	printf(" %s", field(a, event, "proto"));
	printf(" %s\n", field(a, event, "app_proto"));
}

static void what_was_asked(struct span mg)
{
	static const char *const keys[] = {"direction", "op", "object",
					   "measurement", "party"};
	char x[FIELD_TEXT];
	bool any = false;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!field(x, mg, keys[i])[0])
			continue;
		if (any)
			printf(" ");
		else
			printf("    %-12s ", "what");
		printf("%s%s", i == 4 ? "with " : "", x);
		any = true;
	}
	if (any)
		printf("\n");
}

static void notified(struct span mg)
{
	struct span list = json_get(mg, "notify"), name;
	size_t at = 0, n = 0;

	while (json_next(list, &at, NULL, &name)) {
		char x[FIELD_TEXT];

		if (n++ == 0)
			printf("    %-12s", "notified");
		if (json_string(x, sizeof(x), name))
			printf(" %s", x);
	}
	if (n)
		printf("\n");
}

static void one(const struct tool *t, struct span line)
{
	struct span event = json_get(line, "event");
	struct span mg = json_get(event, "metergate"), rule = rule_of(mg);
	char time[32], x[FIELD_TEXT], y[FIELD_TEXT], place[4 * FIELD_TEXT];

	when(time, sizeof(time), line);
	printf("%s  %s%s%s  %s%s%s\n", time, paint(&t->style, BOLD),
	       field(x, line, "guest"), paint(&t->style, RESET),
	       paint(&t->style, RED), field(y, mg, "reason"),
	       paint(&t->style, RESET));
	say(stdout, "detail", field(x, mg, "detail"));
	say(stdout, "severity", field(x, mg, "severity"));
	notified(mg);
	what_was_asked(mg);
	ends(event);
	if (rule.n) {
		char file[FIELD_TEXT];

		field(x, rule, "layer");
		field(y, rule, "rule");
		field(file, rule, "file");
		snprintf(place, sizeof(place), "%s %s%s%s", x,
			 y[0] ? y : "(none fits)", file[0] ? ", " : "", file);
		if (file[0] && field_int(rule, "line"))
			snprintf(place + strlen(place),
				 sizeof(place) - strlen(place), ":%lld",
				 (long long)field_int(rule, "line"));
		say(stdout, "rule", place);
	}
	if (field_int(mg, "count") > 1)
		printf("    %-12s %lld alike\n", "count",
		       (long long)field_int(mg, "count"));
	say(stdout, "would pass", field(x, mg, "would_pass"));
	say(stdout, "cut", field(x, line, "cut"));
}

void show_why(const struct tool *t, struct answer *a)
{
	struct span line;
	size_t n = 0;

	(void)answer_line(a, &line);
	while (answer_line(a, &line)) {
		if (n++)
			printf("\n");
		one(t, line);
	}
	if (n == 0)
		printf("nothing was refused%s%s\n", t->guest ? " of " : "",
		       t->guest ? t->guest : "");
}

void why_line(struct span line, size_t width, FILE *out)
{
	struct span mg = json_get(json_get(line, "event"), "metergate");
	char time[32], text[5 * FIELD_TEXT], a[FIELD_TEXT], b[FIELD_TEXT],
		c[FIELD_TEXT], d[FIELD_TEXT];
	size_t n;

	when(time, sizeof(time), line);
	field(a, line, "guest");
	field(b, mg, "reason");
	field(c, mg, "party");
	field(d, mg, "detail");
	snprintf(text, sizeof(text), "%s  %-12s %-18s %s%s%s",
		 strlen(time) > 11 ? time + 11 : time, a, b, c,
		 c[0] && d[0] ? ": " : "", d);
	n = strlen(text);
	if (width && n > width)
		n = width;
	/* Not in the middle of a character. */
	while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	fprintf(out, "%.*s", (int)n, text);
}
