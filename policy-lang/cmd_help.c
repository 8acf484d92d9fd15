/* SPDX-License-Identifier: Apache-2.0 */
/* What each diagnostic means, with a wrong and a right example. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "policy-lang/options.h"
#include "policy-lang/polc.h"

static void print_example(const char *label, const char *text)
{
	printf("\n%s:\n    ", label);
	for (; *text; text++) {
		putchar(*text);
		if (*text == '\n')
			fputs("    ", stdout);
	}
	putchar('\n');
}

static void print_json(const struct topic *t)
{
	char buf[8192], code[8];
	struct json j = json_of(buf, sizeof(buf));

	snprintf(code, sizeof(code), "P%04u", t->code);
	json_obj(&j, NULL);
	json_str(&j, "code", code);
	json_str(&j, "title", t->title);
	json_str(&j, "group", topic_group(t->code));
	json_str(&j, "text", t->text);
	json_str(&j, "wrong", t->wrong);
	json_str(&j, "right", t->right);
	json_obj_end(&j);
	if (json_line(&j))
		fwrite(j.w.p, 1, j.w.n, stdout);
}

static int all(bool json)
{
	const struct topic *t;
	unsigned last = 0;

	for (size_t i = 0; (t = topic_at(i)); i++) {
		unsigned g = t->code / 1000;

		if (json) {
			print_json(t);
			continue;
		}
		if (g != last)
			printf("%s%s\n", last ? "\n" : "",
			       topic_group(t->code));
		last = g;
		printf("  P%04u  %s\n", t->code, t->title);
	}
	return POLC_OK;
}

static void print(const struct topic *t)
{
	printf("P%04u: %s (%s)\n\n%s\n", t->code, t->title,
	       topic_group(t->code), t->text);
	print_example("Wrong", t->wrong);
	print_example("Right", t->right);
}

int cmd_help(int argc, char **argv)
{
	const struct topic *t;
	const char *arg, *digits;
	bool json = false;
	unsigned long code;
	char *end = NULL;
	const struct option_row options[] = {
		{"--json", OPTION_FLAG, &json, NULL},
	};
	int rc = options_read(&argc, argv, options, 1);

	if (rc)
		return rc;
	if (argc == 1)
		return all(json);
	if (argc > 2)
		return polc_usage("help: one code at a time");
	arg = argv[1];
	digits = arg + (arg[0] == 'P' || arg[0] == 'p');
	code = isdigit((unsigned char)digits[0]) ? strtoul(digits, &end, 10)
						 : 0;
	for (size_t i = 0; (t = topic_at(i)); i++) {
		if (t->code != code || *end)
			continue;
		if (json)
			print_json(t);
		else
			print(t);
		return POLC_OK;
	}
	polc_say("help: no diagnostic is called '%s'", arg);
	return POLC_USAGE;
}
