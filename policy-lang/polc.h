/* SPDX-License-Identifier: Apache-2.0 */
/* The policy author's tool: what its commands share. */
#ifndef POLICY_LANG_POLC_H
#define POLICY_LANG_POLC_H

#include "policy-lang/scene.h"

enum polc_exit {
	POLC_OK = 0,
	POLC_ERRORS = 1, /* in the policy; warnings with --strict */
	POLC_USAGE = 2,
	POLC_WIDER = 3,
	POLC_TESTS = 4,
	POLC_INTEGRITY = 5,
	POLC_IO = 6, /* input, output, internal */
};

/* Exit code of a failure that is no diagnostic. */
int polc_exit(int errcode);
/* "polc: TEXT" on stderr. */
void polc_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int polc_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* say.c: how diagnostics are told. */
enum polc_say {
	SAY_TEXT,
	SAY_JSON,  /* an object a line */
	SAY_SARIF, /* one document of version 2.1.0, also of none */
};
/* The form that --json or --sarif asks for: takes an OPTION_WORD, form is an
 * enum polc_say. */
int polc_form(void *form, const char *name, const char *value, struct err *e);
/* Print all diagnostics in the order of file and place; file is a FILE *. */
void polc_diags(void *file, struct diags *d, const struct pol_files *from,
		enum polc_say form);

/* topics.c: what each diagnostic means, in the order of the codes. */
struct topic {
	unsigned code;
	const char *title, *text, *wrong, *right;
};
const struct topic *topic_at(size_t i); /* NULL behind the last */
const char *topic_group(unsigned code);

/* sarif.c */
void sarif_print(void *file, const struct diags *d);

/* Read files, and do with them what run does; what is wrong is said. Returns an
 * exit code. */
int polc_with_files(char **path, size_t n, bool json,
		    int (*run)(const struct pol_files *files, const void *arg,
			       struct err *e),
		    const void *arg);

/* Each command: argv[0] is its name. Returns an exit code. */
int cmd_check(int argc, char **argv);
int cmd_link(int argc, char **argv);
int cmd_compile(int argc, char **argv);
int cmd_test(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_bound(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_label(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_fleet(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_fmt(int argc, char **argv);
int cmd_keygen(int argc, char **argv);
int cmd_sign(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_dump(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_help(int argc, char **argv);

/* explain_json.c: d, and what pol_explain says of it, as one line of JSON.
 * told: from an event, which says nothing of the action. Returns an exit
 * code. */
int explain_json(const struct pol_decision *d, bool told, const char *text);

/* explain_event.c: message n of a capture, as polc replay numbers them.
 * Returns an exit code. */
struct played_args;
int explain_event(const char *set, const struct played_args *a,
		  const char *pcap, uint64_t n, bool json);

/* explain_record.c: record n of lines of JSON; "-": the standard input.
 * Returns an exit code. */
int explain_record(const char *path, uint64_t n, bool json);

/* diff_replay.c: which messages of a capture change verdict, on the standard
 * output. */
int diff_replay(const char *old, const char *new, const struct played_args *a,
		const char *pcap, bool json, struct err *e)
	__attribute__((warn_unused_result));

/* prove.c: what was made of one file to prove its assertions. */
struct proof {
	struct scene s; /* empty where there was nothing to prove */
	struct bound *b;
};
void proof_free(struct proof *p);

/* The assertions of files, about what they permit together, or, when they do
 * not compose, each alone; every consent granted. And whether the customer's
 * file among them can be beside the others. E_SYNTAX with diagnostics when one
 * does not hold. keep, or NULL: of one file alone, what it was proved by, which
 * proof_free then frees. */
int prove_assertions(const struct pol_files *files, struct proof *keep,
		     struct diags *d, struct err *e)
	__attribute__((warn_unused_result));
/* nobody.c, P4016: of a household, names in its baseline that nobody has.
 * E_NOMEM. */
int nobody_check(const struct pol_files *files, struct diags *d, struct err *e)
	__attribute__((warn_unused_result));

#endif
