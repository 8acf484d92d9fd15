/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "audit/tool.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"show", cmd_show, "print records, all or some, as text or JSON"},
	{"verify", cmd_verify, "check that the log is whole"},
	{"export", cmd_export, "write all records as NDJSON or CSV"},
	{"prove", cmd_prove, "prove that a record is in it, or that it only "
			     "grew"},
	{"prune", cmd_prune, "remove the oldest records, and record that"},
	{"anchor", cmd_anchor, "compare it with the TPM that it is anchored in"},
	{"check-proof", cmd_check_proof, "check such a proof, without the log"},
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

void tool_say(const char *what, const char *why)
{
	fprintf(stderr, TOOL ": %s: %s\n", what, why);
}

int tool_usage(const char *command)
{
	fprintf(stderr, "Try '" TOOL "%s%s --help'.\n", command ? " " : "",
		command ? command : "");
	return EXIT_TROUBLE;
}

int tool_failed(const char *what, const struct err *e)
{
	tool_say(what, e->text);
	return e->code == E_INTEGRITY ? EXIT_NO : EXIT_TROUBLE;
}

void tool_pruned(const char *path, uint64_t first)
{
	if (first)
		fprintf(stderr, TOOL ": %s: records before %llu were pruned; "
			"of these there are the protected ones\n", path,
			(unsigned long long)first);
}

int tool_flush(int code, int no)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	if (no == 0)
		no = errno;
	/* Nobody reads on: not worth a message (show | head). */
	if (no != EPIPE)
		tool_say("standard output", strerror(no));
	return EXIT_TROUBLE;
}

static void help(void)
{
	puts("Usage: " TOOL " COMMAND [OPTION]... DB\n"
	     "Read and check the audit database of a metergate gateway. But "
	     "by prune it is opened\nread-only.\n\nCommands:");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-11s %s\n", commands[i].name, commands[i].help);
	puts("\nOptions:\n"
	     "  -h, --help     this text; after a command, that command's\n"
	     "  -V, --version  the version\n\n"
	     "Exit: 0 done, 1 the log is not whole, 2 usage or environment.");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0},
	};
	int c;

	/* A closed pipe or a full disk is an error of write, not a death. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	while ((c = getopt_long(argc, argv, "+hV", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			help();
			return tool_flush(EXIT_DONE, 0);
		case 'V':
			puts(TOOL " " METERGATE_VERSION);
			return tool_flush(EXIT_DONE, 0);
		default:
			return tool_usage(NULL);
		}
	}
	if (optind == argc) {
		tool_say("usage", "no command is given");
		return tool_usage(NULL);
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(argv[optind], commands[i].name) == 0) {
			argc -= optind;
			argv += optind;
			optind = 0; /* getopt begins anew */
			return commands[i].run(argc, argv);
		}
	}
	tool_say(argv[optind], "no such command");
	return tool_usage(NULL);
}
