/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "policy-lang/front/diag.h"
#include "policy-lang/options.h"
#include "policy-lang/polc.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *args, *help;
} commands[] = {
	{"check",   cmd_check,   "[--strict] [--json|--sarif] FILE...",
	 "read, type and check policies"							 },
	{"compile", cmd_compile, "[-n] [--json] FILE -o OUT",
	 "check one policy and write its image"						  },
	{"link",    cmd_link,    "[--strict] [--json|--sarif] DIR",
	 "compose a household, and check its layers together"				       },
	{"test",    cmd_test,    "[--coverage] [--mutate] [--junit OUT] [--json] FILE...",
	 "run the tests of policies"      },
	{"explain", cmd_explain,
	 "--vm VM --in|--out --party P|--address A --port P\n"
	 "             --observe O [--data D] [--size S] [--source A] [--at "
	 "TIME]\n"
	 "             [--state S]... [--no-states] [--consent C]... [--unasked]"
	 "\n             [--json] SET, or\n"
	 "             --event N --record FILE|- [--json], or\n"
	 "             --event N --replay PCAP [-g GUEST]... [-k KEYS]\n"
	 "             [--checksums strict|partial] [--json] SET",    "say why a message passes or not"},
	{"bound",   cmd_bound,   "[--customer] [--json] SET...",
	 "say what can leave the home at most"						 },
	{"label",   cmd_label,   "[--customer] [--text|--json|--html|--svg] [--lang TAG] SET...",
	 "say what a household should know of it"					  },
	{"diff",    cmd_diff,    "[--all] [--fail-on wider] [--json]\n                 "
	 "[--replay PCAP [-g GUEST]... [-k KEYS] [--checksums "
	 "strict|partial]]\n                 OLD NEW",
	 "say what a new policy would let out"						 },
	{"replay",  cmd_replay,  "[-g GUEST]... [-k KEYS] [--checksums strict|partial]\n"
	 "                  [-q] [--json] SET PCAP",
	 "say what a policy makes of a capture"						 },
	{"fleet",   cmd_fleet,
	 "[--uplink RATE] [--exchange N] [--strict] [--json] --meters N SET...",
	 "say what many meters ask of those they talk to"},
	{"init",    cmd_init,
	 "--from PCAP -g GUEST [-k KEYS] [--checksums strict|partial]\n"
	 "                 [--binding SET] [-o OUT] [--json]",
	 "draft the policy that a capture needs"						 },
	{"fmt",     cmd_fmt,     "[--check] [--json] FILE...",
	 "rewrite policies in the canonical layout"                                              },
	{"show",    cmd_show,    "[--json] IMAGE|DIR...",
	 "say what stands in a compiled policy"							 },
	{"dump",    cmd_dump,    "[--json] IMAGE|DIR...",
	 "the same for programs: the rows of its tables as JSON"				   },
	{"keygen",  cmd_keygen,  "[--json] -o KEY | --public KEY",
	 "make a key to sign with, or show its public half"							 },
	{"sign",    cmd_sign,    "-k KEY [-o OUT] [--json] IMAGE",
	 "sign an image"							  },
	{"verify",  cmd_verify,
	 "[--key KEY] [--binding FILE] [--source FILE] [--json] IMAGE",
	 "say whether an image is whole, signed and made from a source"      },
	{"schema",  cmd_schema,  "[--json]",                    "print the JSON Schema of the language, for editors"},
	{"help",    cmd_help,    "[--json] [CODE]",             "explain a diagnostic"           },
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void say(const char *fmt, va_list ap, const char *more)
{
	char text[8192]; /* two paths and what is wrong */

	vsnprintf(text, sizeof(text), fmt, ap);
	fputs("polc: ", stderr);
	diag_text(stderr, text);
	fprintf(stderr, "%s\n", more);
}

void polc_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, "");
	va_end(ap);
}

int polc_usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(fmt, ap, "; see polc --help");
	va_end(ap);
	return POLC_USAGE;
}

int polc_exit(int errcode)
{
	return errcode == 0             ? POLC_OK
	       : errcode == E_SYNTAX    ? POLC_ERRORS
	       : errcode == E_INTEGRITY ? POLC_INTEGRITY
					: POLC_IO;
}

static void usage(FILE *out)
{
	fputs("usage: polc COMMAND [ARGUMENT...]\n\n", out);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, "  polc %s %s\n        %s\n", commands[i].name,
			commands[i].args, commands[i].help);
	fputs("\npolc --help and polc --version do what they say; polc(1) "
	      "tells more.\n",
	      out);
}

static bool is_option(const char *arg, const char *brief, const char *name)
{
	return strcmp(arg, brief) == 0 || strcmp(arg, name) == 0;
}

int polc_with_files(char **path, size_t n, bool json,
		    int (*run)(const struct pol_files *files, const void *arg,
			       struct err *e),
		    const void *arg)
{
	struct diags *d = calloc(1, sizeof(*d));
	struct pol_files files;
	struct err e = {0};
	int rc;

	if (!d) {
		polc_say("out of memory");
		return POLC_IO;
	}
	rc = pol_read_paths(&files, (const char *const *)path, n, d, &e);
	if (rc)
		polc_diags(stderr, d, &files, json ? SAY_JSON : SAY_TEXT);
	else
		rc = run(&files, arg, &e);
	if (rc && rc != E_SYNTAX)
		polc_say("%s", e.text);
	pol_files_free(&files);
	free(d);
	return polc_exit(rc);
}

int main(int argc, char **argv)
{
	int rc;

	/* A file size limit is an error of write, not a death. */
	signal(SIGXFSZ, SIG_IGN);
	/* Diagnostics are written in many pieces; by itself each would be a
	 * call of the kernel. */
	setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
	if (argc < 2) {
		usage(stderr);
		return POLC_USAGE;
	}
	if (is_option(argv[1], "-V", "--version")) {
		puts("polc " METERGATE_VERSION);
		return POLC_OK;
	}
	if (is_option(argv[1], "-h", "--help")) {
		usage(stdout);
		return POLC_OK;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		rc = commands[i].run(argc - 1, argv + 1);
		if (rc == POLC_HELP) {
			printf("usage: polc %s %s\n%s\n", commands[i].name,
			       commands[i].args, commands[i].help);
			rc = POLC_OK;
		}
		if (fflush(stdout) || ferror(stdout)) {
			polc_say("standard output: cannot be written");
			return POLC_IO;
		}
		return rc;
	}
	return polc_usage("'%s' is not a command", argv[1]);
}
