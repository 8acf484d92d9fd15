/* SPDX-License-Identifier: Apache-2.0 */
/* What each diagnostic means, with a wrong and a right example. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/polc.h"

static const struct topic {
	unsigned code;
	const char *title, *text, *wrong, *right;
} topics[] = {
#include "policy-lang/codes.def"
};
#define N_TOPICS (sizeof(topics) / sizeof(topics[0]))

static const char *group(unsigned code)
{
	static const char *const names[] = {
		"",
		"text and YAML",
		"structure",
		"values and references",
		"meaning",
		"privacy",
		"performance and fleets",
		"signatures, images, versions",
		"tests and assertions",
	};

	return code / 1000 < 9 ? names[code / 1000] : "";
}

static void print_example(const char *label, const char *text)
{
	if (!text[0])
		return;
	printf("\n%s:\n    ", label);
	for (; *text; text++) {
		putchar(*text);
		if (*text == '\n')
			fputs("    ", stdout);
	}
	putchar('\n');
}

static int all(void)
{
	unsigned last = 0;

	for (size_t i = 0; i < N_TOPICS; i++) {
		unsigned g = topics[i].code / 1000;

		if (g != last)
			printf("%s%s\n", last ? "\n" : "",
			       group(topics[i].code));
		last = g;
		printf("  P%04u  %s\n", topics[i].code, topics[i].title);
	}
	return POLC_OK;
}

int cmd_help(int argc, char **argv)
{
	const char *arg = argc > 1 ? argv[1] : NULL;
	char *end;
	unsigned long code;

	if (!arg)
		return all();
	if (argc > 2)
		return polc_usage("help: one code at a time");
	if (arg[0] == 'P' || arg[0] == 'p')
		arg++;
	code = isdigit((unsigned char)arg[0]) ? strtoul(arg, &end, 10) : 0;
	for (size_t i = 0; i < N_TOPICS; i++) {
		if (topics[i].code != code || *end)
			continue;
		printf("P%04u: %s (%s)\n\n%s\n", topics[i].code,
		       topics[i].title, group(topics[i].code), topics[i].text);
		print_example("Wrong", topics[i].wrong);
		print_example("Right", topics[i].right);
		return POLC_OK;
	}
	polc_say("help: no diagnostic is called '%s'", argv[1]);
	return POLC_USAGE;
}
